//! The program as a user runs it: exit codes, files, messages.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use pinn::internals::engine::device::DEVICES;
use serde_json::Value;
use tempfile::TempDir;

/// Small enough to train in a moment.
pub(crate) const HEAT: &str = r#"
title = "Heat"
[coordinates]
x = [0, 1]
t = [0, 0.1]
[unknowns]
u = {}
[network]
depth = 2
width = 8
[training]
stages = [{ adam = { steps = 20 } }, { lbfgs = { steps = 100 } }]
evaluate = 10
[conditions.physics]
place = "interior"
residual = "u_t - u_xx"
points = 60
[conditions.initial]
place = "t = 0"
residual = "u - sin(pi*x)"
points = 20
[conditions.walls]
place = "x = 0"
residual = "u"
points = 10
[conditions.right]
place = "x = 1"
residual = "u"
points = 10
[reference]
solution = { u = "exp(-pi^2*t)*sin(pi*x)" }
grid = { x = 11, t = 6 }
"#;

/// A folder with `heat.toml` in it.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("heat.toml"), HEAT).expect("a file");
    folder
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("pinn-solve").expect("the program");
    command.current_dir(folder).args(accepting(arguments)).output().expect("it runs")
}

/// `arguments`; where they train, the answer is taken as it is, for few steps solve nothing.
pub(crate) fn accepting<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let trains = |first: &&str| {
        matches!(*first, "--problem" | "--config" | "solve" | "resume" | "heat") || first.ends_with(".toml")
    };
    let trains = arguments.first().is_some_and(trains);
    arguments.iter().copied().chain(trains.then_some("--accept")).collect()
}

pub(crate) fn exit(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn result(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, &[arguments, &["--json"]].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("stdout is result.json and nothing else")
}

fn theta(run: &Path) -> Vec<u8> {
    fs::read(run.join("checkpoint.safetensors")).expect("a checkpoint")
}

#[test]
fn a_run_leaves_its_result_and_its_files() {
    let folder = folder();
    let result = result(folder.path(), &["--problem", "heat.toml", "--out", "run", "--threads", "1"]);
    assert_eq!(result["schema_version"], 1);
    assert_eq!(result["outcome"], "done");
    assert_eq!(result["problem"], "heat");
    assert_eq!(result["steps"], 120);
    assert_eq!(result["precision"], "f64");
    assert!(result["unknowns"]["u"]["rel_l2"].as_f64().expect("measured") < 0.2, "{result}");
    let total = result["loss"]["total"].as_f64().expect("a loss");
    let terms = result["loss"]["terms"].as_object().expect("terms");
    let sum: f64 = terms.values().map(|term| term.as_f64().expect("a term")).sum();
    assert!((sum - total).abs() <= 1e-12 * total);
    let run = folder.path().join("run");
    for file in result["files"].as_array().expect("files") {
        let path = run.join(file.as_str().expect("a name"));
        assert!(path.is_file(), "{} is missing", path.display());
    }
    for file in [
        "report.html",
        "loss.png",
        "solution.png",
        "slices.png",
        "solution.csv",
        "metrics.jsonl",
        "resolved.toml",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    let saved: Value =
        serde_json::from_slice(&fs::read(run.join("result.json")).expect("there")).expect("JSON");
    assert_eq!(saved, result);
    let csv = fs::read_to_string(run.join("solution.csv")).expect("there");
    assert_eq!(csv.lines().next(), Some("x,t,u,u_reference,u_error"));
    assert_eq!(csv.lines().count(), 1 + 11 * 6);
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("there");
    let last: Value = serde_json::from_str(metrics.lines().last().expect("lines")).expect("JSON");
    assert_eq!(last["step"], 120);
    assert!(last["terms"]["physics"].as_f64().is_some() && last["rel_l2"]["u"].as_f64().is_some());
}

#[test]
fn the_resolved_file_gives_the_same_bits_again_at_any_number_of_threads() {
    let folder = folder();
    let flags = ["--problem", "heat.toml", "--scale", "0.5", "--seed", "7", "--out", "a", "--no-plots"];
    result(folder.path(), &[&flags[..], &["--threads", "1"]].concat());
    result(folder.path(), &["--problem", "a/resolved.toml", "--out", "b", "--no-plots", "--threads", "2"]);
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let tensors = |bytes: Vec<u8>| {
        // The header holds the wall-clock time; the tensors follow it.
        let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        bytes[8 + header..].to_vec()
    };
    assert_eq!(tensors(theta(&a)), tensors(theta(&b)));
    let resolved = |run: &Path| fs::read_to_string(run.join("resolved.toml")).expect("there");
    assert_eq!(resolved(&a), resolved(&b));
}

#[test]
fn several_faces_are_one_condition_from_start_to_end() {
    let folder = folder();
    let (before, rest) = HEAT.split_once("[conditions.walls]").expect("the walls");
    let (_, reference) = rest.split_once("[reference]").expect("a reference");
    let walls = "[conditions.walls]\nplace = \"boundary\"\nresidual = \"u\"\npoints = 21\n";
    fs::write(folder.path().join("heat.toml"), format!("{before}{walls}[reference]{reference}"))
        .expect("a file");
    for sampler in ["uniform", "grid", "latin-hypercube", "sobol"] {
        let sampler_key = format!("conditions.walls.sampler={sampler}");
        let flags = ["--steps", "6", "--set", &sampler_key, "--set", "training.auto=false", "--no-plots"];
        let here = [&["--problem", "heat.toml", "--out", sampler], &flags[..]].concat();
        let result = result(folder.path(), &here);
        assert!(result["loss"]["terms"]["walls"].as_f64().expect("a term") > 0.0, "{result}");
        let fresh = &result["residuals"]["walls"];
        assert_eq!(fresh["points"], 4096);
        let x = fresh["at"]["x"].as_f64().expect("a place");
        assert!(x == 0.0 || x == 1.0, "the greatest residual on the faces is on a face: {fresh}");
        let again = format!("{sampler}-again");
        let resolved = format!("{sampler}/resolved.toml");
        result_of_resolved(folder.path(), &resolved, &again);
        let read =
            |run: &str| fs::read_to_string(folder.path().join(run).join("resolved.toml")).expect("there");
        assert_eq!(read(sampler), read(&again));
        assert!(read(sampler).contains("place = [\"x = 0\", \"x = 1\"]"));
    }
}

fn result_of_resolved(folder: &Path, resolved: &str, out: &str) {
    result(folder, &["--problem", resolved, "--out", out, "--no-plots"]);
}

#[test]
fn a_run_that_diverges_is_told_what_it_does_not_do_yet() {
    let folder = folder();
    let ill = HEAT.replace("\"u_t - u_xx\"", "\"u_t - u_xx + sqrt(u - 1000)\"");
    fs::write(folder.path().join("ill.toml"), ill).expect("a file");
    let said = |flags: &[&str], out: &str| {
        let plain = ["--problem", "ill.toml", "--set", "training.auto=false", "--no-plots", "--out", out];
        let arguments = [&plain, flags].concat();
        let output = run(folder.path(), &arguments);
        assert_eq!(exit(&output), 4, "{}", stderr(&output));
        stderr(&output)
    };
    let set = said(&[], "a");
    assert!(set.contains("an ansatz near the expected values"), "{set}");
    assert!(!set.contains("--precision f64") && !set.contains("--init proposed"), "{set}");
    let other = said(&["--precision", "f32", "--init", "xavier"], "b");
    assert!(other.contains("--precision f64") && other.contains("--init proposed"), "{other}");
}

#[test]
fn conditions_that_hold_exactly_have_no_part_in_the_loss() {
    let folder = folder();
    let beam = "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {}\n[conditions.beam]\nplace = \"interior\"\nresidual = \"u_xxxx + 1\"\n\
                [conditions.ends]\nplace = [\"x = 0\", \"x = 1\"]\nresidual = [\"u\", \"u_x\"]\n";
    fs::write(folder.path().join("beam.toml"), beam).expect("a file");
    let output = run(folder.path(), &["--problem", "beam.toml", "--steps", "5", "--no-plots", "--out", "a"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let said = String::from_utf8(output.stdout).expect("text");
    let loss = said.lines().find(|line| line.trim_start().starts_with("loss")).expect("a loss");
    assert!(!said.contains("NaN") && loss.contains("beam") && !loss.contains("ends"), "{said}");
    let text = fs::read_to_string(folder.path().join("a/result.json")).expect("there");
    let result: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(result["loss"]["unscaled"]["ends"], 0.0);
    assert!(result["residuals"]["ends"]["max"].as_f64().expect("a number") < 1e-14, "{result}");
}

#[test]
fn another_seed_gives_another_network() {
    let folder = folder();
    let quick = ["--problem", "heat.toml", "--steps", "3", "--no-plots"];
    result(folder.path(), &[&quick[..], &["--out", "a", "--seed", "1"]].concat());
    result(folder.path(), &[&quick[..], &["--out", "b", "--seed", "2"]].concat());
    assert_ne!(theta(&folder.path().join("a")), theta(&folder.path().join("b")));
}

#[test]
fn mistakes_end_with_code_2_and_say_what_to_do() {
    let folder = folder();
    fs::write(folder.path().join("bad.toml"), HEAT.replace("u_t - u_xx", "u_t - v_xx")).expect("a file");
    let check = |arguments: &[&str], expected: &str| {
        let output = run(folder.path(), arguments);
        assert_eq!(exit(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?} prints a result");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    };
    check(&["--problem", "bad.toml"], "bad.toml:16:");
    check(&["--problem", "burger"], "did you mean `burgers`?");
    check(&["--problem", "nowhere.toml"], "cannot read nowhere.toml");
    check(&["--problem", "heat.toml", "--activation", "relu"], "relu");
    check(&["--problem", "heat.toml", "--scale", "-1"], "positive");
    check(&["--problem", "heat.toml", "--threads", "0"], "--threads 0");
    check(&["--problem", "heat.toml", "--points", "0"], "--points 0");
    check(&["--problem", "heat.toml", "--device", "abacus"], "--device abacus");
    check(&["--problem", "heat.toml", "--set", "network.depht=3"], "depth");
    check(&["--problem", "heat.toml", "--set", "network"], "KEY=VALUE");
    check(&["--nonsense"], "--nonsense");
    assert!(!folder.path().join("output").exists(), "a mistake leaves no run behind");
}

#[test]
fn a_device_that_is_not_in_this_build_says_in_one_line_how_to_get_it() {
    let folder = folder();
    for device in DEVICES.iter().filter(|device| !device.is_built()) {
        let output = run(folder.path(), &["--problem", "heat.toml", "--device", device.name]);
        assert_eq!(exit(&output), 2, "{}", stderr(&output));
        let feature = device.name.trim_end_matches("-cuda");
        let start = format!("error: --device {0}: this build has no {0}; build with `cargo ", device.name);
        let said = stderr(&output);
        assert!(said.starts_with(&start) && said.contains(&format!("--features {feature}`")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(!folder.path().join("output").exists(), "a mistake leaves no run behind");
}

#[test]
fn a_tolerance_that_is_not_reached_ends_with_code_3() {
    let folder = folder();
    let arguments =
        ["--problem", "heat.toml", "--steps", "5", "--tolerance", "1e-9", "--no-plots", "--out", "run"];
    let output = run(folder.path(), &arguments);
    assert_eq!(exit(&output), 3);
    assert!(stderr(&output).contains("not reached"), "{}", stderr(&output));
    assert!(folder.path().join("run/result.json").is_file());
}

#[test]
fn a_tolerance_that_is_reached_ends_training() {
    let folder = folder();
    let arguments = ["--problem", "heat.toml", "--tolerance", "0.9", "--no-plots", "--out", "run"];
    let result = result(folder.path(), &arguments);
    assert!(result["steps"].as_u64().expect("steps") < 120, "{result}");
}

#[test]
fn a_configuration_is_laid_over_its_problem() {
    let folder = folder();
    let config =
        "problem = \"heat.toml\"\n[network]\nwidth = 5\n[training]\nstages = [{ adam = { steps = 4 } }]\n";
    fs::write(folder.path().join("quick.toml"), config).expect("a file");
    let result = result(folder.path(), &["--config", "quick.toml", "--depth", "3", "--no-plots"]);
    assert_eq!((&result["width"], &result["depth"], &result["steps"]), (&5.into(), &3.into(), &4.into()));
    let output = fs::read_dir(folder.path().join("output")).expect("the default place").count();
    assert_eq!(output, 1);
}

#[test]
fn check_prints_the_problem_as_understood() {
    let folder = folder();
    let output = run(folder.path(), &["check", "heat.toml"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    for expected in ["u_t - u_xx", "u_xx", "physics", "t = 0", "60", "2", "8"] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    let broken = run(folder.path(), &["check", "burgers", "--set", "conditions.physics.residual=u_q"]);
    assert_eq!(exit(&broken), 2);
}

#[test]
fn problems_are_listed_and_printed() {
    let folder = folder();
    let list = String::from_utf8_lossy(&run(folder.path(), &["problems"]).stdout).into_owned();
    assert!(list.lines().any(|line| line.starts_with("black-scholes ")), "{list}");
    let text = run(folder.path(), &["problems", "burgers"]).stdout;
    fs::write(folder.path().join("mine.toml"), text).expect("a file");
    assert_eq!(exit(&run(folder.path(), &["check", "mine.toml"])), 0);
}

#[test]
fn every_built_in_problem_is_listed_with_its_equation() {
    let folder = folder();
    let list = String::from_utf8_lossy(&run(folder.path(), &["problems"]).stdout).into_owned();
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 2 * pinn::problem::embedded().len(), "{list}");
    for (pair, (name, _)) in lines.chunks(2).zip(pinn::problem::embedded()) {
        assert!(pair[0].starts_with(name) && pair[1].contains(['=', '…']), "{pair:?}");
        assert!(pair.iter().all(|line| line.chars().count() <= 100), "{pair:?}");
    }
    let equation = |name: &str| {
        let at = lines.iter().position(|line| line.starts_with(&format!("{name} "))).expect("listed");
        lines[at + 1].trim()
    };
    assert_eq!(equation("heat"), "u_t - alpha*u_xx = 0");
    assert_eq!(equation("burgers"), "u_t + u*u_x - nu*u_xx = 0");
}

#[test]
fn without_arguments_it_says_what_to_do_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((exit(&output), stderr(&output).as_str()), (0, ""));
    assert!(text.lines().count() <= 10, "{text}");
    // Every command in it is one that there is.
    for line in text.lines().filter_map(|line| line.strip_prefix("  pinn-solve ")) {
        let command = line.split("  ").next().expect("a command");
        let arguments: Vec<_> = command.split(' ').collect();
        let quick = if command.starts_with("--problem") { &["--steps", "2", "--no-plots"][..] } else { &[] };
        let output = run(folder.path(), &[&arguments[..], quick].concat());
        assert_eq!(exit(&output), 0, "{command}: {}", stderr(&output));
    }
}

#[test]
fn a_new_problem_is_a_good_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &["new", "rod"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("pinn-solve check rod.toml"));
    let checked = run(folder.path(), &["check", "rod.toml"]);
    assert_eq!((exit(&checked), stderr(&checked).as_str()), (0, ""));
    let result = result(folder.path(), &["--problem", "rod.toml", "--no-plots"]);
    let error = result["unknowns"]["u"]["rel_l2"].as_f64().expect("measured");
    assert!(error < 1e-5, "{error}");

    // Another one, and what is there is never written over.
    assert_eq!(exit(&run(folder.path(), &["new", "mine.toml", "--from", "heat"])), 0);
    let mine = fs::read(folder.path().join("mine.toml")).expect("there");
    assert_eq!(mine, run(folder.path(), &["problems", "heat"]).stdout);
    let refused = |arguments: &[&str], expected: &str| {
        let output = run(folder.path(), arguments);
        assert_eq!(exit(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    };
    refused(&["new", "mine"], "mine.toml exists already");
    assert_eq!(fs::read(folder.path().join("mine.toml")).expect("there"), mine);
    refused(&["new", "other", "--from", "heet"], "did you mean `heat`?");
    for name in ["", ".toml", "a b", "a/b", "../a", "~"] {
        refused(&["new", name], "cannot name a problem");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 3, "two files, and output/");
}

/// A reference has no part in the verdict, but where it says something else that is told.
#[test]
fn a_reference_that_contradicts_the_verdict_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let decay = |reference: &str| {
        format!(
            "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {{}}\n[conditions.decay]\nplace = \"interior\"\n\
             residual = \"u_x + u\"\npoints = 30\n[conditions.start]\nplace = \"x = 0\"\nresidual = \"u - 1\"\n\
             [reference]\nsolution = {{ u = \"{reference}\" }}\n[network]\ndepth = 1\nwidth = 8\n\
             [training]\nstages = [{{ ssbroyden = {{ steps = 150 }} }}]\n"
        )
    };
    for (name, reference, told) in [("right", "exp(-x)", false), ("other", "2*exp(-x)", true)] {
        fs::write(folder.path().join(format!("{name}.toml")), decay(reference)).expect("a file");
        let output = run(folder.path(), &[&format!("{name}.toml"), "--out", name]);
        assert_eq!(exit(&output), 0, "{}", stderr(&output));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("verdict   solved"), "{said}");
        assert_eq!(said.contains("u is 50 % off its reference"), told, "{said}");
        let page = fs::read_to_string(folder.path().join(name).join("report.html")).expect("a page");
        assert_eq!(page.contains("u is 50 % off its reference"), told);
    }
}

#[test]
fn the_last_line_of_a_run_is_the_next_command() {
    let folder = folder();
    let last = |arguments: &[&str], count: usize| {
        let output = run(folder.path(), &[&["--problem", "heat.toml", "--steps", "2"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len() - count..].iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(last(&["--out", "run"], 1), ["next      pinn-solve predict run --at x=0.5,t=0.05"]);
    let expected = [
        r"next      pinn-solve report 'it'\''s here'",
        r"pinn-solve predict 'it'\''s here' --at x=0.5,t=0.05",
    ];
    assert_eq!(last(&["--out", "it's here", "--no-plots"], 2), expected);
    // They are commands that there are.
    for arguments in [&["predict", "run", "--at", "x=0.5,t=0.05"][..], &["report", "it's here"]] {
        let output = run(folder.path(), arguments);
        assert_eq!(exit(&output), 0, "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_problem_is_solved_however_it_is_named() {
    let folder = folder();
    let quick = ["--steps", "2", "--no-plots", "--json"];
    for (i, words) in [&["solve", "heat.toml"][..], &["heat.toml"], &["heat"], &["--problem", "heat.toml"]]
        .iter()
        .enumerate()
    {
        let out = i.to_string();
        let output = run(folder.path(), &[*words, &quick, &["--out", &out]].concat());
        assert_eq!(exit(&output), 0, "{words:?}: {}", stderr(&output));
        let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(result["problem"], "heat");
    }
    let refused = |words: &[&str], expected: &str| {
        let output = run(folder.path(), words);
        assert_eq!(exit(&output), 2, "{words:?}");
        assert!(stderr(&output).contains(expected), "{words:?}: {}", stderr(&output));
    };
    refused(&["nowhere.toml"], "cannot read nowhere.toml");
    refused(&["preditc", "run"], "'predict'");
    refused(&["heat.toml", "--problem", "heat"], "cannot be used with");
}

#[test]
fn the_summary_is_in_the_order_of_the_file_and_counts_as_people_do() {
    let folder = folder();
    let text = HEAT
        .replace("u_t - u_xx", "u_t - k*u_xx")
        .replace("depth = 2", "depth = 1")
        .replace("[unknowns]", "[parameters]\nk = { initial = 2, true = 1 }\n[unknowns]");
    fs::write(folder.path().join("k.toml"), &text).expect("a file");
    let plain = ["--set", "training.auto=false"];
    let arguments =
        ["--problem", "k.toml", "--steps", "1", "--no-plots", "--threads", "1", "--device", "cpu"];
    let output = run(folder.path(), &[&arguments[..], &plain].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    for expected in ["1 layer of 8", "1 thread)", "done after 1 step in", "ms a step in the median"] {
        assert!(summary.contains(expected), "{expected} is missing in:\n{summary}");
    }
    let order = ["physics", "initial", "walls", "right"];
    let places = |text: &str| order.map(|name| text.find(name).expect("named"));
    let loss = summary.lines().find(|line| line.trim_start().starts_with("loss")).expect("a loss");
    assert!(places(loss).is_sorted(), "{loss}");
    let residuals: String =
        summary.lines().filter(|line| line.trim_start().starts_with("residual")).collect();
    assert!(places(&residuals).is_sorted(), "{residuals}");
    let found = summary.lines().find(|line| line.contains("found to be")).expect("k");
    let (value, rest) = found.split_once(',').expect("and what is true");
    assert!(!value.contains("e0") && rest.contains("truly 1"), "{found}");

    let one = HEAT.replace("points = 10", "points = 1").replace("[training]", "[training]\nauto = false");
    fs::write(folder.path().join("one.toml"), one).expect("a file");
    let checked = String::from_utf8_lossy(&run(folder.path(), &["check", "one.toml"]).stdout).into_owned();
    assert!(checked.contains("walls: x = 0, 1 point (") && !checked.contains(" 1 points"), "{checked}");
}

#[test]
fn completions_are_made() {
    let output = run(&std::env::temp_dir(), &["completions", "bash"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("pinn-solve"));
}
