//! The signal laboratory as a user runs it, and against the engine.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use pinn::internals::engine::Engine;
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::init::{self, Rule};
use pinn::internals::jet::{JetSet, MultiIndex};
use pinn::internals::network::Shape;
use pinn::internals::rng;
use pinn::internals::signal::{Network, derivatives};
use rand::RngExt;
use serde_json::Value;

use super::problem;

fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::cargo_bin("pinn-solve").expect("the program");
    command.current_dir(folder).arg("signal").args(arguments.split(' ')).output().expect("it runs")
}

/// Runs a small experiment and returns its JSON; every file it names is there and not empty.
#[track_caller]
fn experiment(arguments: &str, expected_files: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &format!("{arguments} --json --out lab"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files = result["files"].as_array().expect("a list");
    assert_eq!(files, expected_files);
    for name in expected_files {
        let content = fs::read(folder.path().join("lab").join(name)).expect("written");
        let png = content.starts_with(b"\x89PNG");
        assert!(png == name.ends_with(".png") && content.len() > 50, "{name}");
    }
    assert_eq!(fs::read_dir(folder.path().join("lab")).expect("there").count(), files.len());
    result["tables"].clone()
}

#[track_caller]
fn number(record: &Value, field: &str) -> f64 {
    record[field].as_f64().unwrap_or_else(|| panic!("{field} in {record}"))
}

#[test]
fn map_finds_the_fixed_points() {
    let tables = experiment(
        "map --activations softsign_1 --offsets=-0.2,0.25 --steps 400 --starts 4",
        &["orbits.csv", "limits.csv", "gains.png", "starts.png"],
    );
    let limits = tables["limits"].as_array().expect("records");
    // Of x/(1 + |x|) with a = 1.25 the fixed point is 1 − 1/a.
    assert_eq!(number(&limits[0], "xi"), 0.0);
    assert!(number(&limits[0], "x_end") < 1e-12);
    assert!((number(&limits[1], "x_end") - 0.2).abs() < 1e-12);
}

#[test]
fn calibrate_compares_the_rule_with_what_is_measured() {
    let tables = experiment(
        "calibrate --depths 5,20 --width 16 --networks 10 --samples 10 --targets 5",
        &["rates.csv", "targets.csv", "calibration.png"],
    );
    for record in tables["targets"].as_array().expect("records") {
        assert!((number(record, "rate") - 0.4).abs() < 0.1, "{record}");
        assert!((number(record, "its rate") - 0.4).abs() < 0.02, "{record}");
    }
}

#[test]
fn propagate_writes_the_parts_it_is_asked_for() {
    let small = "--depth 30 --width 8 --widths 4,8 --depths 5,30 --samples 8 --inits proposed,he";
    let tables = experiment(
        &format!("propagate {small}"),
        &[
            "histograms.csv",
            "histograms.png",
            "range.csv",
            "range.png",
            "gradients.csv",
            "gradients.png",
            "gains.csv",
            "gains.png",
        ],
    );
    let count = |name: &str| tables[name].as_array().expect("records").len();
    assert_eq!((count("histograms"), count("range"), count("gradients")), (4, 8, 2));
    let only = format!("propagate {small} --only gradients");
    experiment(&only, &["gradients.csv", "gradients.png"]);
}

#[test]
fn family_checks_the_conditions_of_the_class() {
    let tables = experiment(
        "family",
        &["values.csv", "conditions.csv", "measures.csv", "sums.csv", "family.png", "sums.png"],
    );
    for record in tables["conditions"].as_array().expect("records") {
        for condition in ["C1", "odd", "bounded", "increasing", "f' decreasing"] {
            assert_eq!(record[condition], "yes", "{record}");
        }
    }
    for record in tables["sums"].as_array().expect("records") {
        assert!(number(record, "difference").abs() < 1e-6, "{record}");
    }
}

#[test]
fn derivatives_are_reported_by_layer_depth_and_scale() {
    let tables = experiment(
        "derivatives --depth 6 --depths 3,6 --scales 0.5,1 --width 8 --networks 3 --points 4 --inits proposed --order 4",
        &["layers.csv", "layers.png", "depths.csv", "depths.png", "scales.csv", "scales.png"],
    );
    // The same networks, reached by depth and by scale.
    let (depth, scale) = (&tables["depths"][1], &tables["scales"][1]);
    for field in ["u", "u_x", "u_xx", "u_xxx", "u_xxxx"] {
        assert_eq!(number(depth, field), number(scale, field));
    }
}

#[test]
fn mistakes_are_told_before_anything_is_written() {
    let check = |arguments: &str, expected: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let output = run(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.contains(expected), "{arguments}: {error}");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0, "{arguments}");
    };
    check("map --activations relu", "not an odd-sigmoid function");
    check("map --activations sin", "sin is none: it does not increase everywhere");
    check("map --start inf", "is no number to start from");
    check("propagate --scale 0", "must be positive");
    check("propagate --scales 1,nan", "must be positive");
    check("propagate --depth 0", "1 at least is needed");
    check("propagate --inits proposed,lecun", "lecun");
    check("propagate --sigma-b -1", "standard deviation of the biases");
    check("calibrate --goal 0.5", "between 0 and 0.5");
    check("family --range 0", "must be positive");
    check("derivatives --width x", "a whole number");
    check("derivatives --order 5", "5 is not in 1..=4");
}

#[test]
fn results_are_never_overwritten_and_too_much_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("taken")).expect("a folder");
    let output = run(folder.path(), "map --out taken");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("exists already"));
    let output = run(folder.path(), "propagate --only gains --width 100000 --depth 3 --out large");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("take a smaller width"));
}

/// The laboratory's jets against the engine's, through other code for products, activation and chain rule.
#[test]
fn derivatives_are_those_of_the_engine() {
    const RESIDUALS: [&str; 6] = ["u", "u_x", "u_y", "u_xx", "u_xxx", "u_xxxx"];
    let x4 = MultiIndex::along(0).plus(0).plus(0).plus(0);
    let jets = JetSet::closure([x4, MultiIndex::along(1)]);
    for (residual, init) in RESIDUALS.into_iter().flat_map(|r| [(r, "eoc"), (r, "continuous-depth")]) {
        let problem = problem(&format!(
            "[coordinates]\nx = [-1, 1]\ny = [-1, 1]\n[unknowns]\nu = {{}}\n\
             [network]\nactivation = \"erf\"\nscale = 0.5\ninit = \"{init}\"\ndepth = 7\nwidth = 12\n\
             [conditions.physics]\nplace = \"interior\"\nresidual = \"{residual}\"\npoints = 9\n"
        ));
        let settings = &problem.network;
        let shape = Shape { inputs: 2, depth: settings.depth, width: settings.width, outputs: 1 };
        let activation = &problem.activation;
        let theta = init::draw(&problem.layers(), activation, settings, 3).expect("drawn");
        let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
        let mut numbers = rng::stream(3, "signal/points");
        let [x, y] = [0, 1].map(|_| (0..9).map(|_| 2.0 * numbers.random::<f64>() - 1.0).collect::<Vec<_>>());
        let points: Vec<f64> = x.iter().zip(&y).flat_map(|(&x, &y)| [x, y]).collect();
        let expected = engine.residuals(&theta, 0, &points, &[]);

        let rule = Rule::new(shape.depth, activation, settings).expect("a rule");
        let network = Network { shape, activation, rule: &rule, seed: 3 };
        let found = derivatives(&network, &jets, 9).expect("small").output;
        let index = match residual {
            "u_y" => MultiIndex::along(1),
            _ => (0..residual.matches('x').count()).fold(MultiIndex::VALUE, |index, _| index.plus(0)),
        };
        let channel = jets.channel(index).expect("in the set");
        let greatest = expected.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
        let rms = (expected.iter().map(|x| x * x).sum::<f64>() / 9.0).sqrt();
        assert!((found[channel].max / greatest - 1.0).abs() < 1e-9, "{residual}: {greatest}");
        assert!((found[channel].rms / rms - 1.0).abs() < 1e-9, "{residual}: {rms}");
    }
}
