//! Inputs that no honest user writes: each is refused in a few words and with the right exit code, or read as what it
//! is; and everything the fuzzer was ever given that mattered.

use std::fs;
use std::panic;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use pinn::internals::rng::{self, Stream};
use pinn::problem::{Document, Problem};
use rand::RngExt;
use rayon::prelude::*;
use tempfile::TempDir;

use super::cli::{HEAT, exit, folder, stderr};

#[expect(unreachable_pub, reason = "under the fuzzer the file is a crate of its own")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn everything_in_the_corpora_goes_through_its_target() {
    for (name, target) in targets::TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let entries: Vec<_> = fs::read_dir(&corpus).expect("a corpus").collect();
        assert!(!entries.is_empty(), "{name}");
        for entry in entries {
            let path = entry.expect("an entry").path();
            eprintln!("{}", path.display());
            target(&fs::read(path).expect("a file"));
        }
    }
}

/// Those targets whose inputs are changed here, too.
const CHANGED: [&str; 5] = ["mesh", "polygon", "region", "expression", "problem"];

/// What takes the place of a number or is put between others.
const ODD: [&[u8]; 20] = [
    b"0",
    b"-0",
    b"1",
    b"-1",
    b"2",
    b"3",
    b"4",
    b"15",
    b"1e-320",
    b"1e-12",
    b"0.5",
    b"1e16",
    b"-1e308",
    b"1e999",
    b"nan",
    b"inf",
    b"4294967295",
    b"9223372036854775807",
    b"18446744073709551616",
    b"\xff",
];

#[test]
fn changed_inputs_keep_every_promise() {
    mutate(100);
}

/// An hour or so of one processor: `cargo test --release --test it -- --ignored for_long`.
#[test]
#[ignore = "an hour of one processor"]
fn changed_inputs_keep_every_promise_for_long() {
    mutate(100_000);
}

/// How many inputs come from one stream.
const SHARE: usize = 1000;

/// Gives so many inputs, changed from those of its corpus, to each of these targets.
fn mutate(count: usize) {
    for (name, target) in targets::TARGETS.into_iter().filter(|(name, _)| CHANGED.contains(name)) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut paths: Vec<_> =
            fs::read_dir(&corpus).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).expect("a file")).collect();
        (0..count.div_ceil(SHARE)).into_par_iter().for_each(|share| {
            let mut rng = rng::stream(share as u64, name);
            for _ in 0..SHARE.min(count - share * SHARE) {
                let bytes = changed(&corpus, &mut rng);
                let done = panic::catch_unwind(|| target(&bytes));
                assert!(done.is_ok(), "{name}: {}", bytes.escape_ascii());
            }
        });
    }
}

/// One of the corpus, changed in one to four places.
fn changed(corpus: &[Vec<u8>], rng: &mut Stream) -> Vec<u8> {
    let mut any = || &corpus[rng.random_range(0..corpus.len())];
    let (mut bytes, other) = (any().clone(), any());
    for _ in 0..rng.random_range(1..=4) {
        let mut range = |of: &[u8]| {
            let from = rng.random_range(0..=of.len());
            from..rng.random_range(from..=of.len().min(from + 40))
        };
        let (own, theirs) = (range(&bytes), range(other));
        let lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        match rng.random_range(0..7) {
            0 => drop(bytes.drain(own)),
            1 => drop(bytes.splice(own, other[theirs].iter().copied())),
            2 => {
                let again = bytes[own.clone()].to_vec();
                drop(bytes.splice(own.start..own.start, again));
            }
            3 if own.start < bytes.len() => bytes[own.start] ^= 1 << rng.random_range(0..8),
            4 => bytes.truncate(own.start),
            5 if !lines.is_empty() => {
                let mut lines = lines;
                let (from, to) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
                lines.swap(from, to);
                bytes = lines.concat();
            }
            _ => {
                let word = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let start = own.start + bytes[own.start..].iter().position(word).unwrap_or(0);
                let length = bytes[start..].iter().take_while(|byte| word(byte)).count();
                let odd = ODD[rng.random_range(0..ODD.len())];
                drop(bytes.splice(start..start + length, odd.iter().copied()));
            }
        }
    }
    bytes
}

/// Runs the program; one that has not ended after an hour, however busy the machine is, hangs.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("pinn-solve").expect("the program");
    command.current_dir(folder).timeout(Duration::from_secs(3600)).args(arguments).output().expect("it runs")
}

/// The input is refused with `code`, in a message that holds `expected` and does not drown it.
fn refused(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let output = run(folder, arguments);
    let said = stderr(&output);
    let shown: String = said.chars().take(2000).collect();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {shown}");
    assert!(said.contains(expected), "{arguments:?}: {shown}");
    assert!(output.stdout.is_empty(), "{arguments:?} prints a result");
    assert!(said.len() < 40_000, "{arguments:?}: {} bytes of messages", said.len());
    assert!(!said.contains("panicked"), "{arguments:?}: {shown}");
}

#[test]
fn files_that_are_no_problems_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |bytes: &[u8], expected: &str| {
        fs::write(folder.path().join("odd.toml"), bytes).expect("a file");
        refused(folder.path(), &["check", "odd.toml"], 2, expected);
        refused(folder.path(), &["check", "heat", "--config", "odd.toml"], 2, expected);
        refused(folder.path(), &["sweep", "odd.toml", "--out", "sweep"], 2, expected);
    };
    check(b"a = \"\xff\xfe\"", "is not UTF-8 text");
    check(b"\xff\xfea\0=\x001\0", "is not UTF-8 text");
    check(b"a = 1\0", "odd.toml:1:");
    check(b"\0\0\0\0", "odd.toml:1:");
    check(&[b"a = \"", vec![b'x'; 10_000_000].as_slice(), b"\""].concat(), "has more than 1048576 bytes");
    check(&vec![b'['; 1_000_000], "odd.toml:1:");
    check(format!("a = {}", "[".repeat(100_000)).as_bytes(), "odd.toml:1:");
    check(format!("a = {}", "{a=".repeat(100_000)).as_bytes(), "odd.toml:1:");
    check(format!("{}a = 1", "a.".repeat(200_000)).as_bytes(), "odd.toml");
    check(format!("[{}a]", "a.".repeat(200_000)).as_bytes(), "odd.toml");
    check("=\n".repeat(50_000).as_bytes(), "odd.toml:1:");
    check("a=1\n".repeat(100_000).as_bytes(), "odd.toml:2:");
    let many: String = (0..60_000).map(|i| format!("odd{i} = 1\n")).collect();
    check(many.as_bytes(), "there are more than 50 mistakes");
}

#[test]
fn an_empty_file_is_no_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("empty.toml"), "").expect("a file");
    refused(folder.path(), &["check", "empty.toml"], 2, "the problem has no coordinates");
    refused(folder.path(), &["sweep", "empty.toml", "--out", "sweep"], 2, "the sweep has no base run");
}

#[test]
fn folders_are_no_files() {
    let folder = folder();
    for name in ["folder.toml", "folder.csv", "folder.npy"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    refused(folder.path(), &["check", "folder.toml"], 2, "cannot read folder.toml");
    refused(folder.path(), &["check", "heat.toml", "--config", "folder.toml"], 2, "cannot read folder.toml");
    refused(folder.path(), &["sweep", "folder.toml", "--out", "sweep"], 2, "cannot read folder.toml");
    for table in ["folder.csv", "folder.npy"] {
        let reference = format!("reference.solution={{ file = \"{table}\" }}");
        refused(folder.path(), &["check", "heat.toml", "--set", &reference], 2, "it is a folder");
    }
    refused(folder.path(), &["resume", "heat.toml"], 2, "heat.toml");
    refused(folder.path(), &["resume", "folder.toml"], 2, "folder.toml");
    refused(folder.path(), &["report", "folder.toml"], 2, "folder.toml");
    refused(folder.path(), &["--problem", "heat.toml", "--out", "folder.toml"], 2, "exists already");
    refused(folder.path(), &["--problem", "heat.toml", "--out", "heat.toml"], 2, "exists already");
}

#[cfg(unix)]
#[test]
fn links_are_followed_as_far_as_they_lead() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let link = |to: &str, name: &str| symlink(to, folder.path().join(name)).expect("a link");
    link("heat.toml", "good.toml");
    link("nowhere.toml", "dangling.toml");
    link("loop.toml", "loop.toml");
    link("/dev/zero", "endless.toml");
    link("/dev/zero", "endless.csv");
    assert_eq!(exit(&run(folder.path(), &["check", "good.toml"])), 0);
    refused(folder.path(), &["check", "dangling.toml"], 2, "cannot read dangling.toml");
    refused(folder.path(), &["check", "loop.toml"], 2, "cannot read loop.toml");
    refused(folder.path(), &["check", "endless.toml"], 2, "has more than 1048576 bytes");
    let reference = "reference.solution={ file = \"endless.csv\" }";
    refused(folder.path(), &["check", "heat.toml", "--set", reference], 2, "it is not a regular file");
}

#[cfg(unix)]
#[test]
fn files_that_may_not_be_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    for name in ["secret.toml", "secret.csv"] {
        let path = folder.path().join(name);
        fs::write(&path, HEAT).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("a mode");
        if fs::read(&path).is_ok() {
            // Root reads everything.
            return;
        }
    }
    refused(folder.path(), &["check", "secret.toml"], 2, "cannot read secret.toml");
    let reference = "reference.solution={ file = \"secret.csv\" }";
    refused(folder.path(), &["check", "heat.toml", "--set", reference], 2, "it may not be read");
}

#[test]
fn tables_that_are_none_are_refused() {
    let folder = folder();
    let check = |name: &str, bytes: &[u8], expected: &str| {
        fs::write(folder.path().join(name), bytes).expect("a file");
        let reference = format!("reference.solution={{ file = \"{name}\" }}");
        refused(folder.path(), &["check", "heat.toml", "--set", &reference], 2, expected);
    };
    check("odd.csv", b"", "it is empty");
    check("odd.csv", b"x,t,u\n", "it has no rows");
    check("odd.csv", b"x,t,u\n0,0,\xff\n", "line 2 is not text (UTF-8)");
    check("odd.csv", b"x,t,u\n0,0,\0\n", "line 2, column `u`");
    check("odd.csv", b"x,t,u\n0,0,1e999\n", "is not a finite number");
    check("odd.csv", b"x,t,u\n0,0\n", "line 2 has 2 columns, the header has 3");
    check("odd.csv", ",".repeat(1000).as_bytes(), "it is empty");
    check("odd.csv", ",".repeat(10_000_000).as_bytes(), "line 1 has more than 1048576 bytes");
    check("odd.csv", format!("x{}", ",x".repeat(10_000)).as_bytes(), "more than 1000");
    check("odd.csv", format!("x,t,u\n0,0,{}\n", "1".repeat(1000)).as_bytes(), "is not a finite number");
    check("odd.npy", b"", "it is not an npy file");
    check("odd.npy", b"x,t,u\n0,0,1\n", "it is not an npy file");
    let npy = |shape: &str| {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat()
    };
    check("odd.npy", &npy("18446744073709551615, 3"), "it holds 0 bytes of numbers");
    check("odd.npy", &npy("99999999999999999999, 3"), "it is not an npy file");
    check("odd.npy", &npy("0, 3"), "it has no rows");
    check("odd.npy", &npy("3, 0"), "it has no rows");
}

/// What is said about the heat problem with `from` replaced by `to`.
fn said(from: &str, to: &str) -> String {
    assert!(HEAT.contains(from), "{from}");
    match build(&HEAT.replacen(from, to, 1)) {
        Ok(_) => String::new(),
        Err(wrong) => wrong,
    }
}

fn build(text: &str) -> Result<Problem, String> {
    let document = Document::parse("heat.toml", text).and_then(|document| document.build(Path::new("")));
    document.map(|(problem, _)| problem).map_err(|wrong| wrong.to_string())
}

/// The heat problem is refused with `to` in place of `from`.
fn check(from: &str, to: &str, expected: &str) {
    let said = said(from, to);
    let shown: String = said.chars().take(2000).collect();
    assert!(said.contains(expected), "{}: {shown}", to.chars().take(60).collect::<String>());
    assert!(said.len() < 40_000, "{} bytes of messages", said.len());
}

#[test]
fn formulas_that_are_too_deep_or_too_long_are_refused() {
    let check = |formula: &str, expected: &str| check("u_t - u_xx", formula, expected);
    check(&format!("u{}", " + u".repeat(20_000)), "the formula has 80001 bytes, more than 65536");
    check(&format!("{}u{}", "(".repeat(101), ")".repeat(101)), "too deep");
    check(&format!("{}u", "(".repeat(30_000)), "too deep");
    check(&format!("{}u", "-".repeat(60_000)), "too deep");
    check(&format!("u{}", "^u".repeat(30_000)), "too deep");
    check(&format!("u{}", "+u".repeat(1001)), "too deep");
    check(&"sin(".repeat(16_000), "too deep");
    check(&format!("min({}u)", "u,".repeat(30_000)), "too deep");
    check(&"q".repeat(60_000), "unknown symbol");
    check(&format!("u_{}", "x".repeat(60_000)), "the coordinates are `x` and `t`");
    check(&format!("{}q", "q+".repeat(400)), "unknown symbol `q`");
    check(&"@".repeat(60_000), "unexpected");
    check("u_t - 1e999*u_xx", "too large for double precision");
    check("u_t - 1e308*1e308*u_xx", "is not a finite number");
    check("u_t - 10^10^10*u_xx", "is not a finite number");
}

#[test]
fn formulas_at_their_limits_are_read() {
    for formula in [
        format!("{}u{}", "(".repeat(99), ")".repeat(99)),
        format!("u{}", "+u".repeat(999)),
        format!("u{}", " ".repeat((1 << 16) - 1)),
    ] {
        assert_eq!(said("u_t - u_xx", &formula), "");
    }
}

#[test]
fn numbers_beyond_everything_are_refused() {
    check("x = [0, 1]", "x = [0, 1e999999999]", "not a finite number");
    check("x = [0, 1]", "x = [0, inf]", "not a finite number");
    check("x = [0, 1]", "x = [nan, 1]", "not a finite number");
    check("x = [0, 1]", "x = [-1e308, 1e308]", "beyond double precision");
    check("x = [0, 1]", "x = [0, 1e-320]", "beyond double precision");
    check("x = [0, 1]", &format!("x = [0, {}]", "9".repeat(400)), "not a finite number");
    check("points = 60", "points = 99999999999999999999", "the number of points is an integer");
    check("points = 60", "points = -1", "the number of points is an integer");
    check("points = 60", "points = 0", "the number of points is an integer");
    check("depth = 2", "depth = 0", "the depth is 0");
    check("depth = 2", "depth = 2\nscale = inf", "the scale is inf, not a positive number");
    check("depth = 2", "depth = 2\nscale = 1e999", "floating-point number overflowed");
    check("steps = 20", "steps = 18446744073709551615", "steps");
    check("steps = 20", "steps = 1000000001", "`steps` must be at most 1000000000");
}

#[test]
fn sizes_beyond_the_limits_are_refused_before_memory_is_asked_for() {
    check("points = 60", "points = 100000001", "the number of points is an integer from 1 to 100000000");
    check("points = 60", "points = 100000000", "the points would take");
    check("depth = 2", "depth = 1000001", "the depth is 1000001, not from 1 to 1000000");
    check("width = 8", "width = 65537", "the width is 65537, not from 1 to 65536");
    check("depth = 2\nwidth = 8", "depth = 1000\nwidth = 1001", "would have 1.0e6 neurons, more than 1e6");
    check("depth = 2\nwidth = 8", "depth = 2\nwidth = 10000", "would have 1.0e8 parameters, more than 1e8");
    check("x = 11, t = 6", "x = 10000, t = 1001", "the grid has more than 10000000 points");
    let refused = |arguments: &[&str], expected: &str| {
        let folder = folder();
        let arguments = [&["--problem", "heat.toml", "--out", "run"], arguments].concat();
        refused(folder.path(), &arguments, 2, expected);
        assert!(!folder.path().join("run").exists(), "{arguments:?} leaves a run behind");
    };
    refused(&["--points", "18446744073709551615"], "--points 18446744073709551615: a condition has from 1");
    refused(&["--points", "100000000"], "--points 100000000: the points would take");
    refused(&["--steps", "18446744073709551615"], "--steps 18446744073709551615: at most 1000000000");
    refused(&["--threads", "1025"], "--threads 1025: from 1 to 1024");
    refused(&["--depth", "500000", "--width", "2", "--threads", "64"], "64 threads would need");
    refused(&["--set", "training.stages=[{lbfgs={history=10000000}}]"], "its history would take");
    refused(&["--set", "training.stages=[{lbfgs={history=18446744073709551615}}]"], "history");
}

/// A problem with a definition that is a product of three, each a product of `factors` functions, and one of its
/// derivatives in the residual.
fn product(factors: usize, derivative: &str) -> Result<Problem, String> {
    let mut text = "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = {}\n[definitions]\n".to_owned();
    for name in ["a", "b", "c"] {
        let factors: Vec<_> = (0..factors).map(|i| format!("sin({i}.5*x*exp(t*u_{name}*{i}))")).collect();
        text += &format!(
            "f_{name} = \"{}\"\n",
            factors.join("*").replace("u_a", "u").replace("u_b", "u_x").replace("u_c", "u_t")
        );
    }
    build(&format!(
        "{text}f = \"f_a*f_b*f_c\"\n\
         [conditions.c]\nplace = \"interior\"\nresidual = \"u_x + {derivative}\"\npoints = 10\n"
    ))
}

#[test]
fn symbolic_derivatives_are_bounded() {
    assert!(product(5, "f_xx").is_ok());
    let wrong = product(900, "f_xxt").expect_err("too many");
    assert!(wrong.contains("with `f_xxt` the formulas take more than 200000 operations"), "{wrong}");
    assert!(wrong.contains("simplify `f`"), "{wrong}");
    // Derivatives of derivatives, where each alone is small: functions of the coordinates have no highest order.
    let mut text =
        "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {}\n[definitions]\nf0 = \"exp(sin(x)*cos(x))\"\n"
            .to_owned();
    for i in 1..30 {
        text += &format!("f{i} = \"f{}_xxxx\"\n", i - 1);
    }
    text += "[conditions.c]\nplace = \"interior\"\nresidual = \"u - f29\"\n";
    let wrong = build(&text).expect_err("too many");
    assert!(wrong.contains("the formulas take more than 200000 operations"), "{wrong}");
}

#[test]
fn derivatives_of_features_are_bounded() {
    let features: Vec<_> = (0..60).map(|i| format!("\"sin({i}.5*x*exp(t*{i}.25)*cos(x*t))\"")).collect();
    let features = features.join(", ");
    let heat = |residual: &str| {
        HEAT.replacen("width = 8", &format!("width = 8\nfeatures = [{features}]"), 1).replacen(
            "u_t - u_xx",
            residual,
            1,
        )
    };
    assert!(build(&heat("u_t - u_xx")).is_ok());
    let deep = format!("sin({}x*t{}", "exp(x*t*sin(".repeat(15), "))".repeat(15) + ")");
    let text = HEAT.replacen("width = 8", &format!("width = 8\nfeatures = [\"x\", \"t\", \"{deep}\"]"), 1);
    assert!(build(&text).is_ok());
    let wrong = build(&text.replacen("u_t - u_xx", "u_xxtt + u_xxxx + u_tttt", 1)).err();
    assert!(wrong.is_none_or(|wrong| wrong.contains("the derivatives of the features")));
}

#[test]
fn a_definition_counts_wherever_it_is_used() {
    let sum: Vec<_> = (0..400).map(|i| format!("sin({i}*x)")).collect();
    let mut text = format!(
        "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {{}}\n[definitions]\nf = \"{}\"\n",
        sum.join("+")
    );
    for i in 0..250 {
        text += &format!("[conditions.c{i}]\nplace = \"interior\"\nresidual = \"u - f\"\npoints = 1\n");
    }
    let wrong = build(&text).expect_err("too many");
    assert!(wrong.contains("the formulas take more than 200000 operations in all"), "{wrong}");
}

#[test]
fn more_names_than_there_may_be_are_refused() {
    let lines = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let parameters = lines(1001, |i| format!("p{i} = 1\n"));
    check("[unknowns]", &format!("[parameters]\n{parameters}[unknowns]"), "1001 parameters are too many");
    let parameters = lines(1000, |i| format!("p{i} = 1\n"));
    check(
        "[unknowns]",
        &format!("[parameters]\n{parameters}[unknowns]"),
        "more than 1000 formulas and numbers",
    );
    let unknowns = lines(64, |i| format!("u{i} = {{}}\n"));
    check("u = {}", &format!("u = {{}}\n{unknowns}"), "65 unknowns are too many: at most 64");
    let conditions = lines(253, |i| format!("[conditions.c{i}]\nplace = \"x = 0\"\nresidual = \"u\"\n"));
    check("[reference]", &format!("{conditions}[reference]"), "257 conditions are too many: at most 256");
    let mistakes = lines(120, |i| format!("[conditions.c{i}]\nplaces = 1\n"));
    check("[conditions.right]", &format!("{mistakes}[conditions.right]"), "there are more than 50");
}

#[test]
fn sweeps_beyond_the_limits_are_refused() {
    let folder = TempDir::new().expect("a folder");
    let check = |axes: &str, expected: &str| {
        let text = format!("[base]\nproblem = \"heat\"\n[axes]\n{axes}\n");
        fs::write(folder.path().join("sweep.toml"), text).expect("a file");
        refused(folder.path(), &["sweep", "sweep.toml", "--out", "sweep", "--dry-run"], 2, expected);
    };
    check("seed = { from = 0, to = 1e18 }", "at most 10000 values");
    check(
        "seed = { from = 0, to = 9999 }\nscale = { from = 1, to = 2, points = 11 }",
        "the sweep has 1.100e5 runs",
    );
    let axes: Vec<_> = (0..40_000).map(|i| format!("parameters.p{i} = [1]\n")).collect();
    check(&axes.concat(), "the sweep has more than 32 axes");
    check("seed = [1e999]", "seed");
    check("scale = [1, nan]", "cannot be varied");
    check("seed = 1", "neither a list nor a range");
    check("points = [1e18]", "1 to 100000000");
    for (name, next) in [("a.toml", "b.toml"), ("b.toml", "a.toml")] {
        fs::write(folder.path().join(name), format!("extends = \"{next}\"\n")).expect("a file");
    }
    refused(folder.path(), &["sweep", "a.toml", "--out", "sweep"], 2, "extend one another without end");
}
