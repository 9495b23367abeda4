//! A trained network asked: numbers against closed forms, formats, and what is refused.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use pinn::internals::trained::{Trained, TrainedError};
use tempfile::TempDir;

use super::cli::{HEAT, exit, folder, run};

const ALPHA: f64 = 0.1;
const PI: f64 = core::f64::consts::PI;

/// u of the built-in problem `heat`.
fn u(x: f64, t: f64) -> f64 {
    (-ALPHA * PI * PI * t).exp() * (PI * x).sin()
}

/// A folder with `run`, the built-in problem `heat` trained to its end, once for all tests.
fn heat() -> &'static Path {
    static RUN: OnceLock<TempDir> = OnceLock::new();
    let folder = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let output = run(folder.path(), &["--problem", "heat", "--out", "run", "--quiet", "--no-plots"]);
        assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
        folder
    });
    folder.path()
}

/// Standard output of `predict run`, which succeeds and warns of nothing.
#[track_caller]
fn predict(arguments: &[&str]) -> String {
    let output = run(heat(), &[&["predict", "run"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((exit(&output), &*errors), (0, ""));
    String::from_utf8(output.stdout).expect("text")
}

/// Standard error of `predict run`, which is refused.
#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let output = run(heat(), &[&["predict", "run"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(exit(&output), 2, "{errors}");
    assert!(errors.contains(expected), "{errors}");
}

/// The rows under a header.
fn rows(text: &str) -> Vec<Vec<f64>> {
    let number = |cell: &str| cell.parse().expect("a number");
    text.lines().skip(1).map(|line| line.split(',').map(number).collect()).collect()
}

#[test]
fn values_and_derivatives_are_right_to_1e_6_at_five_points() {
    // Within the domain; at its corners the second derivative is right to 2e-5.
    let at = ["x=0.3,t=0.5", "t=0.4, x=0.7", "x=1/2,t=0.6", "x=0.2,t=0.3", "x=0.6,t=0.7"];
    let asked = ["u", "u_xx", "flux = -alpha*u_x", "physics"];
    let at = at.iter().flat_map(|at| ["--at", at]);
    let text = predict(&at.chain(asked.iter().flat_map(|asked| ["--quantity", asked])).collect::<Vec<_>>());
    assert!(text.starts_with("x,t,u,u_xx,flux,physics\n"), "{text}");
    let rows = rows(&text);
    let points = [(0.3, 0.5), (0.7, 0.4), (0.5, 0.6), (0.2, 0.3), (0.6, 0.7)];
    assert_eq!(rows.len(), points.len());
    for (row, (x, t)) in rows.iter().zip(points) {
        assert_eq!((row[0], row[1]), (x, t));
        assert!((row[2] - u(x, t)).abs() < 1e-6, "u at {x}, {t}: {}", row[2]);
        assert!((row[3] + PI * PI * u(x, t)).abs() < 1e-6, "u_xx at {x}, {t}: {}", row[3]);
        let flux = -ALPHA * PI * (-ALPHA * PI * PI * t).exp() * (PI * x).cos();
        assert!((row[4] - flux).abs() < 1e-6, "flux at {x}, {t}: {}", row[4]);
        assert!(row[5].abs() < 1e-6, "residual at {x}, {t}: {}", row[5]);
    }
}

#[test]
fn the_library_answers_as_the_program_does() {
    let mut trained = Trained::load(heat().join("run")).expect("a run");
    let points = [0.3, 0.5, 0.7, 0.1];
    let values = trained.predict(&points).expect("numbers");
    let curvature = trained.quantity("u_xx").expect("a formula");
    let curvature = trained.evaluate(&curvature, &points, &[]).expect("numbers");
    let text =
        predict(&["--at", "x=0.3,t=0.5", "--at", "x=0.7,t=0.1", "--quantity", "u", "--quantity", "u_xx"]);
    let rows = rows(&text);
    assert_eq!([rows[0][2], rows[1][2]], values[..]);
    assert_eq!([rows[0][3], rows[1][3]], curvature[..]);
    let error = trained.predict(&points[..3]).expect_err("no whole rows");
    assert!(error.to_string().contains("a multiple of 2"), "{error}");
}

#[test]
fn results_do_not_depend_on_threads_or_chunks() {
    let grid = ["--grid", "x=300,t=250", "--quantity", "u_x"];
    let one = predict(&[&grid[..], &["--threads", "1"]].concat());
    assert_eq!(one, predict(&[&grid[..], &["--threads", "3"]].concat()));
    let rows = rows(&one);
    assert_eq!(rows.len(), 75_000);
    assert_eq!((&rows[0][..2], &rows[249][..2], &rows[250][1]), (&[0.0, 0.0][..], &[0.0, 1.0][..], &0.0));
    // The point behind the first chunk, by itself.
    let row = &rows[65_537];
    let alone = predict(&["--at", &format!("x={},t={}", row[0], row[1]), "--quantity", "u_x"]);
    assert_eq!(alone.lines().nth(1), one.lines().nth(65_538));
}

#[test]
fn integrals_come_with_an_error_that_holds() {
    let check = |formula: &str, over: &str, expected: f64| {
        let text = predict(&["--integral", formula, "--over", over]);
        let row = &rows(&text)[0];
        // What training left is 1e-8 or so of u, and 1e-7 of its slope.
        assert!((row[0] - expected).abs() < 1e-6, "{formula} over {over}: {row:?}, not {expected}");
        assert!((0.0..1e-9).contains(&row[1]), "{row:?}");
    };
    let decay = ALPHA * PI * PI;
    let over_time = (1.0 - (-decay).exp()) / decay;
    check("u", "interior", 2.0 / PI * over_time);
    check("u", "t = 0.5", 2.0 / PI * (-0.5 * decay).exp());
    check("out = -alpha*u_x", "x = 1", ALPHA * PI * over_time);
    check("u", "x = 1/2, t = 0", 1.0);
    let text = predict(&["--integral", "u", "--integral", "u^2", "--over", "t = 0"]);
    assert!(text.starts_with("u,u_error,u^2,u^2_error\n"), "{text}");
    assert!((rows(&text)[0][2] - 0.5).abs() < 1e-6);
}

#[test]
fn contours_lie_where_the_closed_form_has_them() {
    let decay = ALPHA * PI * PI;
    let at = |t: f64| (0.5 * (decay * t).exp()).asin() / PI;
    let found = rows(&predict(&["--grid", "x=40,t=0:0.5:6", "--contour", "u - 0.5", "--quantity", "u_t"]));
    assert_eq!(found.len(), 12, "two sides at six times");
    for row in &found {
        let side = if row[0] < 0.5 { at(row[1]) } else { 1.0 - at(row[1]) };
        assert!((row[0] - side).abs() < 1e-6, "{row:?}, not {side}");
        assert!((row[2] + 0.5 * decay).abs() < 1e-5, "{row:?}");
    }
    let asked = ["--grid", "x=0.2:0.5:4,t=9", "--contour", "u - 0.5", "--along", "t"];
    let times = rows(&predict(&asked));
    let all = [0.2, 0.3, 0.4, 0.5].map(|x: f64| (2.0 * (PI * x).sin()).ln() / decay);
    assert_eq!(times.len(), all.len());
    for (row, t) in times.iter().zip(all) {
        assert!((row[1] - t).abs() < 1e-6, "{row:?}, not {t}");
    }
    refused(&["--grid", "x=9,t=9", "--contour", "u + 5"], "has one sign at all points of the grid");
    refused(&["--grid", "x=9,t=9", "--contour", "u", "--along", "y"], "`y` is not a coordinate");
    refused(&["--grid", "x=9,t=1:1:1", "--contour", "u", "--along", "t"], "more than one of them");
}

#[test]
fn every_format_is_written_once_and_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    for (ending, beginning) in [
        ("csv", &b"x,t,u\n"[..]),
        ("json", b"[\n{\"x\": 0, \"t\": 0.5, \"u\": "),
        ("npy", b"\x93NUMPY"),
        ("npz", b"PK"),
        ("vti", b"<?xml"),
        ("vtu", b"<?xml"),
        ("pvd", b"<?xml"),
    ] {
        let path = folder.path().join(format!("field.{ending}"));
        let to = path.to_str().expect("text");
        let arguments = ["predict", "run", "--grid", "x=3,t=0.5:0.5:1", "--to", to];
        let output = run(heat(), &arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(exit(&output), 0, "{errors}");
        assert!(errors.starts_with("3 points written to"), "{errors}");
        let bytes = fs::read(&path).expect("written");
        assert!(bytes.starts_with(beginning), "{ending}: {}", String::from_utf8_lossy(&bytes));
        let again = run(heat(), &arguments);
        assert_eq!(exit(&again), 2);
        assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
        assert_eq!(exit(&run(heat(), &[&arguments[..], &["--force"]].concat())), 0);
        assert_eq!(fs::read(&path).expect("written"), bytes);
    }
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("one").file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["field", "field.csv", "field.json", "field.npy", "field.npz", "field.pvd", "field.vti", "field.vtu"]
    );
    assert!(folder.path().join("field/field_0.vti").is_file());
}

#[test]
fn points_come_from_files_and_from_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("points.csv");
    fs::write(&path, "label,t,x\na,0.5,0.25\nb,2,0.5\n").expect("written");
    let output = run(heat(), &["predict", "run", "--points", path.to_str().expect("text")]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("warning: 1 of 2 points lies outside the domain"), "{errors}");
    let rows = rows(&String::from_utf8(output.stdout).expect("text"));
    assert_eq!((rows[0][0], rows[0][1], rows[1][1]), (0.25, 0.5, 2.0));
    assert!((rows[0][2] - u(0.25, 0.5)).abs() < 1e-6);

    let mut command = assert_cmd::Command::cargo_bin("pinn-solve").expect("the program");
    let output = command.current_dir(heat()).args(["predict", "run", "--points", "-", "--at", "t=0.5"]);
    let output = output.write_stdin("x\n0.25\n").output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().nth(1), Some(format!("0.25,0.5,{}", rows[0][2]).as_str()));

    // Half of a file that turns out to be wrong is not left behind.
    fs::write(&path, "x,t\n0,0\n0,oops\n").expect("written");
    let to = folder.path().join("out.csv");
    let arguments = ["--points", path.to_str().expect("text"), "--to", to.to_str().expect("text")];
    refused(&arguments, "line 3, column `t`: `oops` is not a number");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn mistakes_say_what_to_do() {
    let at = ["--at", "x=0.3,t=0.5"];
    let ask =
        |formula: &str, expected: &str| refused(&[&at[..], &["--quantity", formula]].concat(), expected);
    ask("u_y", "`y` in `u_y` is not a row of coordinates");
    ask("flux = -alpha*u_q", "the coordinates are `x` and `t`");
    ask("u_xxxxx", "derivatives go up to order 4");
    ask("1/0", "not a finite number");
    ask("x = u", "which is a coordinate");
    ask("u_t = u_xx", "means something already; call it `my_u_t`, or ask for the difference, `u_t - (u_xx)`");
    // What is said to do can be done in this command.
    ask("foo", "the names are `x`, `t`, `alpha` and `u`, and derivatives such as `u_x`");
    ask("v_x", "the names are `x`, `t`, `alpha` and `u`");
    ask("phyzics", "did you mean `physics`?");
    ask("physics^2", "in a formula write it out: `(u_t - alpha*u_xx)`");
    ask("u(0.3,0.5)", "write `u`, and fix them with `--at x=0.3,t=0.5`");
    ask("(u*u_x)_x", "write the derivative out");
    ask("diff(u*u_x, x)", "write the derivative out");
    ask("integral(u)", "ask for it with `--integral \"u\"`");
    ask("u, u_x", "ask for several with `--quantity` before each");
    refused(&[&at[..], &["--quantity", "u", "--quantity", "u"]].concat(), "two quantities are called `u`");
    refused(&[], "say where");
    refused(&["--at", "x=0.3"], "there is no value for `t`");
    refused(&["--at", "x=0.3,y=1"], "`y` is not a coordinate");
    refused(&["--at", "x=0.3,t"], "write NAME=VALUE");
    refused(&["--at", "x=0.3,t=1,x=2"], "two values");
    refused(&["--at", "x=0.3,t=tt"], "unknown symbol `tt`");
    refused(&["--at", "x=0.3,t=tt"], "the names are `alpha`\n");
    refused(&["--grid", "x=10"], "there is no value for `t`");
    refused(&["--grid", "x=10,t=3", "--at", "t=0.5"], "in --grid and in --at");
    refused(&["--grid", "x=10,t=0:1"], "write how many values");
    refused(&["--grid", "x=10,t=1"], "one value cannot be at both ends");
    refused(&["--grid", "x=10,t=1:0:3"], "the first value is below the last");
    refused(&["--grid", "x=0,t=3"], "an axis has from 1");
    refused(&["--grid", "x=99999999,t=99999999,"], "NAME=VALUE");
    refused(&["--grid", "x=4,t=3", "--to", "field.vti"], "goes into .pvd");
    refused(&["--grid", "x=4,t=3", "--to", "field.vtu"], "goes into .pvd");
    refused(&["--at", "x=0.3,t=0.5", "--to", "field.vti"], "holds a grid");
    refused(&["--at", "x=0.3,t=0.5", "--to", "field.xls"], ".vtu (VTK, points or a mesh with its cells)");
    refused(&["--at", "x=0.3,t=0.5", "--to", "field.png"], "known are .csv");
    refused(&["--at", "x=0.3,t=0.5", "--to", "series.pvd"], "a series goes over");
    refused(&["--points", "nowhere.csv"], "there is no such file");
    refused(&["--points", "points.xlsx"], "`.npy`");
    refused(&["--integral", "u", "--over", "x = 2"], "and any value between them will do");
    refused(&["--integral", "u", "--over", "domain"], "write `interior`, `boundary`, or fixed coordinates");
    refused(&["--integral", "u", "--over", "x = 0 or x = 1"], "ask for each and add up");
    refused(&[&at[..], &["--over", "x = 1"]].concat(), "write --integral FORMULA --over \"x = 1\"");
    refused(&["--over", "x = 1"], "there is no --integral");
    let endless = ["--integral", "u", "--integral", "sqrt(x - 2)"];
    refused(&endless, "`sqrt(x - 2)` cannot be integrated over interior: somewhere there it is infinite");
    refused(&["--integral", "u", "--over", "periodic x"], "`boundary` or a face");
    refused(&["--integral", "u", "--to", "integral.vtu"], "known are .csv");
}

#[test]
fn a_run_keeps_its_own_files_and_grids_have_a_limit() {
    for file in ["resolved.toml", "result.json", "metrics.jsonl", "checkpoint.safetensors"] {
        let to = format!("run/{file}");
        refused(&["--at", "x=0.5,t=0.5", "--to", &to, "--force"], "belongs to the run");
    }
    refused(&["--grid", "x=1000000,t=1000000", "--to", "huge.npy"], "more than 100000000000 points");
}

#[test]
#[cfg(target_os = "linux")]
fn an_exit_code_does_not_depend_on_who_reads_the_error() {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_pinn-solve"));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let status = program.args(["predict", "nothing"]).current_dir(heat()).stderr(full).status();
    assert_eq!(status.expect("it runs").code(), Some(2));
}

#[test]
fn a_run_is_asked_wherever_it_stands() {
    let folder = folder();
    let at = ["--at", "x=0.3,t=0.05"];
    // Killed before its first checkpoint: all there is, is the problem.
    let output = run(folder.path(), &["--problem", "heat.toml", "--out", "run", "--quiet", "--no-plots"]);
    assert_eq!(exit(&output), 0);
    let path = folder.path().join("run");
    let checkpoint = path.join("checkpoint.safetensors");
    let bytes = fs::read(&checkpoint).expect("a checkpoint");
    fs::remove_file(path.join("result.json")).expect("removed");
    let ask = |expected: i32| {
        let output = run(folder.path(), &[&["predict", "run"], &at[..]].concat());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(exit(&output), expected, "{errors}");
        (String::from_utf8(output.stdout).expect("text"), errors)
    };
    // At work: its files are as they are, locked or not.
    let lock = fs::File::options().append(true).open(path.join("metrics.jsonl")).expect("metrics");
    lock.lock().expect("locked");
    let (text, errors) = ask(0);
    assert!(errors.contains("note: the run has not ended; this is its network after"), "{errors}");
    assert_eq!(fs::read(&checkpoint).expect("a checkpoint"), bytes);
    drop(lock);
    // Between two renames there is the previous one alone.
    let previous = path.join("checkpoint.previous.safetensors");
    fs::rename(&checkpoint, &previous).expect("renamed");
    assert_eq!(ask(0).0, text);
    assert!(!checkpoint.exists());
    fs::write(&checkpoint, &bytes[..100]).expect("damaged");
    let (again, errors) = ask(0);
    assert_eq!(again, text);
    assert!(errors.contains("was damaged"), "{errors}");
    fs::remove_file(&previous).expect("removed");
    assert!(ask(2).1.contains("is damaged or no checkpoint"));
    fs::remove_file(&checkpoint).expect("removed");
    assert!(ask(2).1.contains("has no checkpoint yet"));
    // Of another problem, and of another version.
    let resolved = fs::read_to_string(path.join("resolved.toml")).expect("text");
    fs::write(&checkpoint, &bytes).expect("written");
    fs::write(path.join("resolved.toml"), resolved.replace("width = 8", "width = 9")).expect("written");
    assert!(ask(2).1.contains("belongs to another problem"));
    fs::write(path.join("resolved.toml"), &resolved).expect("written");
    assert_eq!(ask(0).0, text);
    fs::remove_file(path.join("resolved.toml")).expect("removed");
    assert!(ask(2).1.contains("is no run of pinn-solve"));
}

#[test]
fn a_run_is_drawn_again_from_what_it_left() {
    let folder = folder();
    let output = run(folder.path(), &["--problem", "heat.toml", "--out", "run", "--quiet"]);
    assert_eq!(exit(&output), 0);
    let path = folder.path().join("run");
    let names = ["loss.png", "report.html", "slices.png", "solution.csv", "solution.png"];
    let read = |name: &str| fs::read(path.join(name)).expect("a file");
    let kept = ["result.json", "metrics.jsonl", "checkpoint.safetensors", "resolved.toml"]
        .map(|name| (name, read(name)));
    let drawn = names.map(read);
    for name in names {
        fs::remove_file(path.join(name)).expect("removed");
    }
    let output = run(folder.path(), &["report", "run"]);
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let mut said: Vec<_> =
        String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect();
    said.sort();
    assert_eq!(said, names.map(|name| Path::new("run").join(name).display().to_string()));
    assert!(names.map(read) == drawn, "other pictures or another table");
    for (name, bytes) in kept {
        assert!(read(name) == bytes, "{name} has changed");
    }
    let output = run(folder.path(), &["report", "nowhere"]);
    assert_eq!(exit(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no folder of a run or of a sweep"));
}

#[test]
fn a_sweep_names_its_runs() {
    let folder = folder();
    let sweep = "[base]\nproblem = \"heat.toml\"\n[axes]\nseed = [0, 1]\n";
    fs::write(folder.path().join("seeds.toml"), sweep).expect("written");
    let output = run(folder.path(), &["sweep", "seeds.toml", "--out", "seeds", "--quiet"]);
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let at = ["--at", "x=0.3,t=0.05"];
    let output = run(folder.path(), &[&["predict", "seeds"], &at[..]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(exit(&output), 2);
    assert!(
        errors.contains("is the folder of a sweep; name one of its runs, such as seeds/runs/"),
        "{errors}"
    );
    let name =
        fs::read_dir(folder.path().join("seeds/runs")).expect("runs").next().expect("one").expect("one");
    let path = name.path();
    let output = run(folder.path(), &[&["predict", path.to_str().expect("text")], &at[..]].concat());
    assert_eq!(exit(&output), 0);
}

#[test]
fn trained_parameters_and_data_columns_can_be_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = HEAT
        .replace("[unknowns]", "[parameters]\nk = { initial = 0.9, positive = true }\n[unknowns]")
        .replace("u_t - u_xx", "u_t - k*u_xx")
        .replace(
            "[reference]",
            "[conditions.measured]\nplace = { file = \"data.csv\" }\nresidual = \"u - u_obs\"\n[reference]",
        );
    fs::write(folder.path().join("inverse.toml"), text).expect("written");
    fs::write(folder.path().join("data.csv"), "x,t,u_obs,extra\n0.5,0.05,0.61,1\n0.25,0.05,0.43,2\n")
        .expect("written");
    let output = run(folder.path(), &["--problem", "inverse.toml", "--out", "run", "--no-plots", "--json"]);
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = result["trainable"]["k"]["value"].as_f64().expect("a value");
    let arguments = [
        "predict",
        "run",
        "--points",
        "data.csv",
        "--quantity",
        "k",
        "--quantity",
        "u",
        "--quantity",
        "measured",
    ];
    let output = run(folder.path(), &arguments);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("x,t,k,u,measured\n"), "{text}");
    for (row, measured) in rows(&text).iter().zip([0.61, 0.43]) {
        assert!((row[2] - found).abs() <= 1e-15 * found, "{} {found}", row[2]);
        assert!((row[3] - measured - row[4]).abs() < 1e-15, "{row:?}");
    }
    let output = run(folder.path(), &["predict", "run", "--at", "x=0.5,t=0.05", "--quantity", "measured"]);
    assert_eq!(exit(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs `u_obs` with the points"));
    let trained = Trained::load(folder.path().join("run")).expect("a run");
    let quantity = trained.quantity("measured").expect("a residual");
    assert_eq!(quantity.columns(), ["u_obs"]);
    assert!(matches!(trained.quantity("nothing"), Err(TrainedError::Problem(_))));
}

/// An integral is asked for without the coordinate that it runs over, and one over a plane region has an error that holds where
/// a sliver of a hole reaches just over the middle of the domain.
#[test]
fn integrals_need_no_point_along_themselves_and_see_slivers() {
    let text = "[coordinates]\nx = {}\ny = {}\n[shapes]\nplate = { rectangle = { from = [-1, -1], to = [2, 1] } }\n\
                hole = { ellipse = { center = [0.7, 0.1], radii = [0.5, 0.25], angle = \"pi/6\" } }\n\
                tip = { polygon = { points = [[2, -0.5], [3, 0], [2, 0.5]] } }\n[domain]\n\
                region = \"plate + tip - hole\"\n[unknowns]\nu = {}\n[network]\ndepth = 1\nwidth = 4\n[training]\n\
                stages = [{ adam = { steps = 1 } }]\n[conditions.c]\nplace = \"interior\"\nresidual = \"u\"\npoints = 10\n";
    let problem = pinn::Problem::parse(text).expect("a problem");
    let mut trained = pinn::solve(&problem).expect("trained");
    let one = trained.quantity("1 + 0*u").expect("a quantity");
    let found = pinn::internals::predict::integrals(&mut trained, &one, "interior").expect("integrated");
    let (area, found) = (6.5 - std::f64::consts::PI / 8.0, found[0].1);
    let off = (found.value - area).abs();
    assert!(off < 1e-8 && off <= found.error, "{off:e} {:e}", found.error);

    let mean = trained.quantity("integral(u, over interior)").expect("a quantity");
    assert!(pinn::internals::predict::missing(&problem, &filled(&problem, &mean)).is_empty());
    let value = trained.quantity("u").expect("a quantity");
    assert_eq!(pinn::internals::predict::missing(&problem, &filled(&problem, &value)).len(), 2);
}

/// No coordinate stated, and those filled in that a quantity does not change along.
fn filled(problem: &pinn::Problem, quantity: &pinn::Quantity) -> Vec<Option<f64>> {
    let mut at = vec![None; problem.coordinates.len()];
    pinn::internals::predict::fill(problem, quantity, &mut at, |x| x);
    at
}
