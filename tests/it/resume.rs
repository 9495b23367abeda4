//! A run that was stopped goes on to the very end it would have had.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cli::{exit, folder, run, stderr};

/// Long enough to be caught at it, with everything that has a state: both optimizers, and points that are redrawn.
const ARGUMENTS: [&str; 9] = [
    "--problem",
    "heat.toml",
    "--no-plots",
    "--set",
    "training.stages=[{adam={steps=1500}},{lbfgs={steps=1500}}]",
    "--set",
    "training.resample=400",
    "--set",
    "training.checkpoint=50",
];

/// The parts of the result that do not tell of time, memory or threads.
fn result(run: &Path) -> Value {
    let text = fs::read(run.join("result.json")).expect("a result");
    let mut result: Value = serde_json::from_slice(&text).expect("JSON");
    let fields = result.as_object_mut().expect("an object");
    for field in ["seconds", "step_ms", "peak_memory_bytes", "threads", "device_detail"] {
        fields.remove(field);
    }
    result
}

/// Steps, losses and terms of `metrics.jsonl`.
fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("seconds");
        line
    });
    lines.collect()
}

/// The tensors of a checkpoint, without the numbers that tell of time.
fn tensors(run: &Path) -> Vec<u8> {
    let bytes = fs::read(run.join("checkpoint.safetensors")).expect("a checkpoint");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    bytes[8 + header..].to_vec()
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("pinn-solve"));
    command.current_dir(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

#[test]
fn a_run_killed_again_and_again_ends_bit_for_bit_as_if_it_never_was() {
    let folder = folder();
    let whole = folder.path().join("whole");
    let output = run(folder.path(), &[&ARGUMENTS[..], &["--out", "whole"]].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));

    let torn = folder.path().join("torn");
    let mut child = start(folder.path(), &[&ARGUMENTS[..], &["--out", "torn", "--threads", "1"]].concat());
    let mut kills = 0;
    // Killed a little later each time, so that the run comes to its end sooner or later.
    for delay in (5..).step_by(25).map(Duration::from_millis) {
        let begin = Instant::now();
        while begin.elapsed() < delay && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
        // Before its first file the run is none yet.
        child = if torn.join("resolved.toml").is_file() {
            start(folder.path(), &["resume", "torn", "--no-plots"])
        } else {
            let _ = fs::remove_dir_all(&torn);
            start(folder.path(), &[&ARGUMENTS[..], &["--out", "torn"]].concat())
        };
    }
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert!(kills > 3, "the run was over after {kills} kills");
    assert_eq!(result(&torn), result(&whole));
    assert_eq!(metrics(&torn), metrics(&whole));
    assert_eq!(tensors(&torn), tensors(&whole));
}

#[test]
fn what_cannot_be_resumed_is_refused_with_a_reason() {
    let folder = folder();
    let check = |path: &str, expected: &str| {
        let output = run(folder.path(), &["resume", path]);
        assert_eq!(exit(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    check("nowhere", "is no run");
    let output =
        run(folder.path(), &["--problem", "heat.toml", "--steps", "30", "--out", "run", "--no-plots"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    check("run", "has ended (done)");

    let path = folder.path().join("run");
    fs::remove_file(path.join("result.json")).expect("there");
    let checkpoint = fs::read(path.join("checkpoint.safetensors")).expect("there");
    fs::write(path.join("checkpoint.safetensors"), &checkpoint[..checkpoint.len() / 2]).expect("written");
    check("run", "damaged");
    fs::write(path.join("checkpoint.safetensors"), &checkpoint).expect("written");
    let resolved = fs::read_to_string(path.join("resolved.toml")).expect("there");
    fs::write(path.join("resolved.toml"), resolved.replace("width = 8", "width = 9")).expect("written");
    check("run", "does not fit its run");
    fs::write(path.join("resolved.toml"), &resolved).expect("written");
    let output = run(folder.path(), &["resume", "run", "--no-plots"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
}
