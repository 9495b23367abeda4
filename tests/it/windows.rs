//! Marching in windows: what goes on across joints, in which order, and what cannot be marched.

use std::fs;
use std::path::Path;

use pinn::internals::engine::Engine;
use pinn::internals::march::March;
use pinn::internals::rng;
use pinn::problem::{Document, Problem, Windows};
use pinn::{Flow, Options, Trained, solve, solve_with};
use rand::RngExt;

use super::cli::{exit, folder, run, stderr};
use super::resume::{metrics, result, tensors};

/// An oscillator over four periods.
const OSCILLATOR: &str = r#"
[coordinates]
t = [0, 25.13]
[unknowns]
y = {}
[network]
depth = 2
width = 16
init = "xavier"
[training]
auto = false
windows = 4
stages = [{ adam = { steps = 100 } }, { ssbroyden = { steps = 400 } }]
[conditions.ode]
place = "interior"
residual = "y_tt + y"
points = 100
[conditions.start]
place = "t = 0"
residual = ["y - 1", "y_t"]
weight = 100
[reference]
solution = { y = "cos(t)" }
"#;

/// A wave between walls that move, the ansatz exact, and a second unknown of lower order that is periodic softly.
const WAVE: &str = r#"
[coordinates]
x = [0, 1]
t = [0, 2]
[unknowns]
u = { ansatz = "sin(pi*x) + x*sin(t) + t^2*x*(1 - x)*net" }
v = {}
[network]
depth = 2
width = 8
[training]
auto = false
windows = 3
stages = [{ adam = { steps = 20 } }]
[conditions.physics]
place = "interior"
residual = ["u_tt - u_xx", "v_t - v_xx + u"]
points = 60
[conditions.start]
place = "t = 0"
residual = "v - cos(2*pi*x)"
[conditions.round]
place = "periodic x"
points = 20
[conditions.measured]
place = { file = "measured.csv" }
residual = "v - v_obs"
"#;

/// A problem with some values changed.
fn problem(text: &str, changes: &[(&str, &str)]) -> Problem {
    let mut document = Document::parse("test.toml", text).expect("TOML");
    for (key, value) in changes {
        document.set(key, value).expect("a key");
    }
    document.build(Path::new("")).unwrap_or_else(|wrong| panic!("{wrong}")).0
}

/// What is wrong with a problem.
fn mistake(text: &str) -> String {
    let document = Document::parse("test.toml", text).expect("TOML");
    document.build(Path::new("")).expect_err("a mistake").to_string()
}

/// The place of a joint and the number before it, which lies in the window before.
fn around(at: f64) -> [f64; 2] {
    [at, at.next_down()]
}

fn quantity(trained: &mut Trained, text: &str, points: &[f64]) -> Vec<f64> {
    let quantity = trained.quantity(text).expect("a quantity");
    trained.evaluate(&quantity, points, &[]).expect("values")
}

fn wave() -> Problem {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("wave.toml"), WAVE).expect("written");
    let rows = (0..30).map(|i| format!("{},{},{}\n", 0.3, f64::from(i) / 15.0, 0.5));
    let text = format!("x,t,v_obs\n{}", rows.collect::<String>());
    fs::write(folder.path().join("measured.csv"), text).expect("written");
    Problem::read(folder.path().join("wave.toml").to_str().expect("a path")).expect("a problem")
}

#[test]
fn an_oscillator_is_solved_window_by_window() {
    let windows = problem(OSCILLATOR, &[]);
    let mut trained = solve(&windows).expect("trained");
    let error = trained.evaluation().scores[0].expect("a reference").error();
    assert!(error < 2e-5, "{error:.1e}");
    for k in 1..4 {
        let points = around(25.13 * f64::from(k) / 4.0);
        for text in ["y", "y_t"] {
            let values = quantity(&mut trained, text, &points);
            assert!((values[0] - values[1]).abs() < 1e-13, "{text} at {points:?}: {values:?}");
        }
    }
    assert_eq!(trained.stages().len(), 8);
    assert_eq!(trained.stages()[5].window, Some(3));
    assert_eq!(trained.steps(), trained.stages().iter().map(|stage| stage.steps).sum::<usize>());
}

#[test]
fn values_and_velocities_go_on_across_joints_and_so_do_their_derivatives_in_space() {
    let mut trained = solve(&wave()).expect("trained");
    let mut random = rng::stream(0, "test/windows");
    for joint in [2.0 / 3.0, 4.0 / 3.0] {
        for _ in 0..20 {
            let x: f64 = random.random();
            let [after, before] = around(joint);
            let points = [x, after, x, before];
            for text in ["u", "u_x", "u_xx", "u_t", "u_xt", "u_xxt", "v", "v_x", "v_xx"] {
                let values = quantity(&mut trained, text, &points);
                let scale = values[0].abs().max(1.0);
                assert!((values[0] - values[1]).abs() < 1e-11 * scale, "{text} at {points:?}: {values:?}");
            }
        }
    }
    // Every window knows its own derivatives in time, and the walls hold in all of them.
    for _ in 0..20 {
        let (x, t): (f64, f64) = (random.random(), 0.01 + 1.98 * random.random::<f64>());
        let h = 1e-5;
        if trained_windows_differ(t - h, t + h) {
            continue;
        }
        for (text, of) in [("u_t", "u"), ("u_tt", "u_t"), ("v_t", "v"), ("u_tt", "u_t")] {
            let slope = quantity(&mut trained, text, &[x, t])[0];
            let values = quantity(&mut trained, of, &[x, t - h, x, t + h]);
            let difference = (values[1] - values[0]) / (2.0 * h);
            assert!((slope - difference).abs() < 1e-5 * slope.abs().max(1.0), "{text}: {slope} {difference}");
        }
        let walls = quantity(&mut trained, "u", &[0.0, t, 1.0, t]);
        assert!(walls[0].abs() < 1e-14 && (walls[1] - t.sin()).abs() < 1e-14, "{walls:?}");
    }
}

fn trained_windows_differ(from: f64, to: f64) -> bool {
    (from * 1.5).floor() != (to * 1.5).floor()
}

#[test]
fn the_engine_of_all_windows_agrees_with_its_parts() {
    let problem = wave();
    let mut trained = solve(&problem).expect("trained");
    let windows = Windows::new(&problem).expect("windows");
    assert_eq!(windows.all.len(), 3);
    // The initial condition is the first window's; the points of the file are shared by time.
    let of = |window: usize| windows.all[window].conditions.clone();
    assert_eq!((of(0), of(1)), (vec![0, 1, 2, 3], vec![0, 2, 3]));
    let rows = windows.all.iter().map(|window| window.problem.conditions.last().expect("a file").points);
    assert_eq!(rows.sum::<usize>(), 30 + 2, "two lie on joints");
    let theta = trained.theta().to_vec();
    let mut march = March::new(&problem, windows, 2).expect("an engine");
    assert_eq!(march.parameters(), theta.len());
    let pairs = [0.0, 0.5, 1.0, 0.5, 0.0, 1.9, 1.0, 1.9];
    let found = march.residuals(&theta, 2, &pairs, &[]);
    for (k, text) in ["u", "u_x", "v", "v_x"].into_iter().enumerate() {
        let values = quantity(&mut trained, text, &pairs);
        assert!((found[k] - (values[0] - values[1])).abs() < 1e-12, "{text}");
        assert!((found[4 + k] - (values[2] - values[3])).abs() < 1e-12, "{text}");
    }
    let data = vec![vec![0.25, -0.5]];
    let found = march.residuals(&theta, 3, &[0.5, 0.1, 0.5, 1.5], &data);
    let values = quantity(&mut trained, "v", &[0.5, 0.1, 0.5, 1.5]);
    assert!((found[0] - (values[0] - 0.25)).abs() < 1e-13 && (found[1] - (values[1] + 0.5)).abs() < 1e-13);
}

#[test]
fn a_solution_that_begins_within_the_domain_is_marched_both_ways() {
    let settings = [
        ("coordinates.t", "[-6, 6]"),
        ("training.windows", "5"),
        ("training.stages.1.ssbroyden.steps", "150"),
    ];
    for (ansatz, places) in [("net", 4), ("1 + t^2/36*net", 4)] {
        let ansatz = format!("{{ ansatz = \"{ansatz}\" }}");
        let problem = problem(OSCILLATOR, &[&settings[..], &[("unknowns.y", &ansatz)]].concat());
        let windows = Windows::new(&problem).expect("windows");
        let from = windows.all.iter().map(|window| window.start.map(|start| start.window));
        assert_eq!(from.collect::<Vec<_>>(), [None, Some(0), Some(1), Some(0), Some(3)]);
        let (from, to) = windows.all[places].span();
        assert!(from == -6.0 && (to + 3.6).abs() < 1e-12, "{from} {to}");
        let mut trained = solve(&problem).expect("trained");
        let error = trained.evaluation().scores[0].expect("a reference").error();
        assert!(error < 1e-4, "{ansatz}: {error:.1e}");
    }
    // Where it begins at a joint, what an ansatz holds there needs not be carried, and what it does not is.
    for (ansatz, seen) in [("net", 1), ("1 + t^2/36*net", 0)] {
        let ansatz = format!("{{ ansatz = \"{ansatz}\" }}");
        let settings = [("coordinates.t", "[-6, 6]"), ("unknowns.y", &ansatz[..])];
        let windows = Windows::new(&problem(OSCILLATOR, &settings)).expect("windows");
        assert_eq!(windows.all[2].span(), (-3.0, 0.0));
        assert_eq!(usize::from(!windows.all[2].carried[0].is_empty()), seen, "{ansatz}");
    }
}

#[test]
fn windows_meet_where_the_file_says() {
    let problem = problem(OSCILLATOR, &[("training.windows", "[2.5, 7]")]);
    let windows = Windows::new(&problem).expect("windows");
    let spans: Vec<_> = windows.all.iter().map(|window| window.span()).collect();
    assert_eq!(spans, [(0.0, 2.5), (2.5, 7.0), (7.0, 25.13)]);
    assert_eq!([0.0, 2.5, 6.9, 25.13].map(|t| windows.at(t)), [0, 1, 1, 2]);
    assert!(problem.to_toml().contains("windows = [2.5, 7.0]"), "{}", problem.to_toml());
}

#[test]
fn a_march_that_was_stopped_goes_on_bit_for_bit_at_any_number_of_threads() {
    let folder = folder();
    let settings = [
        "training.windows=4",
        "training.stages=[{adam={steps=60}},{ssbroyden={steps=40}}]",
        "training.resample=30",
        "training.adaptive={keep=0.5}",
        "training.checkpoint=7",
    ];
    let sets: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let arguments = [&["--problem", "heat.toml", "--no-plots"], &sets[..]].concat();
    let output = run(folder.path(), &[&arguments[..], &["--out", "whole", "--threads", "2"]].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let whole = folder.path().join("whole");
    let text = fs::read_to_string(whole.join("resolved.toml")).expect("there");
    fs::write(folder.path().join("resolved.toml"), text).expect("written");
    let problem =
        Problem::read(folder.path().join("resolved.toml").to_str().expect("a path")).expect("a problem");
    // In the middle of the third window's second stage; after its first step; after the last step of the second window.
    for stop in [270, 201, 200] {
        let torn = folder.path().join(format!("torn-{stop}"));
        let observer = move |step: &pinn::StepReport| {
            if step.step == stop { Flow::Stop } else { Flow::Continue }
        };
        let options = Options { folder: Some(torn.clone()), threads: 1, observer: Box::new(observer) };
        let mut trained = solve_with(&problem, options).expect("stopped");
        let reached = 0.025 * if stop == 200 { 2.0 } else { 3.0 };
        assert!(trained.predict(&[0.5, reached - 1e-3]).expect("reached")[0].is_finite());
        let error = trained.predict(&[0.5, reached + 1e-3]).expect_err("not reached").to_string();
        assert!(error.contains("a window that training has not come to"), "{error}");
        let name = format!("torn-{stop}");
        let output = run(folder.path(), &["resume", &name, "--no-plots", "--threads", "2"]);
        assert_eq!(exit(&output), 0, "{}", stderr(&output));
        assert_eq!(metrics(&torn), metrics(&whole), "{stop}");
        assert_eq!(tensors(&torn), tensors(&whole), "{stop}");
        let mut results = [result(&torn), result(&whole)];
        for result in &mut results {
            result.as_object_mut().expect("an object").remove("files");
        }
        assert_eq!(results[0], results[1], "{stop}");
    }
    let at: Vec<String> = (0..9).map(|i| format!("x=0.5,t={}", 0.1 * f64::from(i) / 8.0)).collect();
    let places: Vec<&str> = at.iter().flat_map(|at| ["--at", at]).collect();
    let output = run(folder.path(), &[&["predict", "whole", "--quantity", "u_xx"], &places[..]].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_window_that_diverges_is_named() {
    let folder = folder();
    let text = OSCILLATOR.replace("y_tt + y", "y_tt + y*sqrt(10 - t)");
    fs::write(folder.path().join("broken.toml"), text).expect("written");
    let output =
        run(folder.path(), &["--problem", "broken.toml", "--steps", "20", "--no-plots", "--out", "run"]);
    assert_eq!(exit(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("(adam, window 2)"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_marched_is_refused_with_a_reason() {
    let check = |replaced: &str, by: &str, expected: &str| {
        assert!(OSCILLATOR.contains(replaced));
        let found = mistake(&OSCILLATOR.replace(replaced, by));
        assert!(found.contains(expected), "{found}");
    };
    let both = "residual = \"y - 1\"\n[conditions.end]\nplace = \"t = 25.13\"\nresidual = \"y\"";
    check("residual = [\"y - 1\", \"y_t\"]", both, "there are conditions at `t = 0` and `t = 25.13`");
    check(
        "residual = [\"y - 1\", \"y_t\"]",
        "residual = \"y - 1\"",
        "of the 2 values that the equations need at `t = 0` 1 is given",
    );
    check("windows = 4", "windows = 0", "`windows` is 0, not from 1 to 1000");
    check("windows = 4", "windows = [4, 3]", "the times at which windows meet rise, and after 4 comes 3");
    check("windows = 4", "windows = [25.13]", "between 0 and 25.13, and 25.13 is not");
    check(
        "windows = 4",
        "windows = \"many\"",
        "a number of windows, or a list of the times at which they meet",
    );
    let sought = "[parameters]\nk = { initial = 1 }\n[unknowns]";
    let text = OSCILLATOR.replace("[unknowns]", sought).replace("y_tt + y", "y_tt + k*y");
    assert!(mistake(&text).contains("`k` is to be found"));
    let beam = WAVE.replace("u_tt - u_xx", "u_tt + u_xxxx").replace(
        "[conditions.measured]\nplace = { file = \"measured.csv\" }\nresidual = \"v - v_obs\"\n",
        "",
    );
    let found = mistake(&beam);
    assert!(found.contains("windows would need `u_xxxxt`, of order 5"), "{found}");
}
