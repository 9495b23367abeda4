//! A run that was stopped goes on to the very end it would have had.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pinn::internals::rng::Stream;
use rand::RngExt;
use serde_json::Value;
use tempfile::TempDir;

use super::cli::{accepting, exit, folder, run, stderr};

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
pub(crate) fn result(run: &Path) -> Value {
    let text = fs::read(run.join("result.json")).expect("a result");
    let mut result: Value = serde_json::from_slice(&text).expect("JSON");
    let fields = result.as_object_mut().expect("an object");
    for field in ["seconds", "step_ms", "peak_memory_bytes", "threads", "device_detail"] {
        fields.remove(field);
    }
    result
}

/// Steps, losses and terms of `metrics.jsonl`.
pub(crate) fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("seconds");
        line
    });
    lines.collect()
}

/// The tensors of a checkpoint, without the numbers that tell of time.
pub(crate) fn tensors(run: &Path) -> Vec<u8> {
    let bytes = fs::read(run.join("checkpoint.safetensors")).expect("a checkpoint");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    bytes[8 + header..].to_vec()
}

pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("pinn-solve"));
    command.current_dir(folder).args(accepting(arguments)).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Deaths that each of the two tests of kills goes through; `PINN_KILLS` asks for more.
pub(crate) fn kills() -> usize {
    let asked = std::env::var("PINN_KILLS").ok();
    asked.map_or(6, |text| text.parse().expect("PINN_KILLS is a number"))
}

/// Starts a process again and again, and kills it with SIGKILL at a random moment before `longest`, until one comes to
/// its end unharmed or `left` have been killed, after which the next is left alone.
///
/// Returns how many were killed; `start` is told how many so far, and gives none if there is nothing left to do.
pub(crate) fn kill_at_random(
    rng: &mut Stream,
    longest: Duration,
    left: usize,
    mut start: impl FnMut(usize) -> Option<Child>,
) -> usize {
    for kills in 0..left {
        let begin = Instant::now();
        let Some(mut child) = start(kills) else { return kills };
        let moment = longest.mul_f64(rng.random());
        while begin.elapsed() < moment && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        if let Some(status) = child.try_wait().expect("a child") {
            assert_eq!(status.code(), Some(0));
            return kills;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    if let Some(mut child) = start(left) {
        assert_eq!(child.wait().expect("ended").code(), Some(0));
    }
    left
}

#[test]
fn a_run_killed_at_random_moments_ends_bit_for_bit_as_if_it_never_was() {
    kill_and_compare(&ARGUMENTS, "kills/run", kills());
}

#[test]
fn a_network_that_grows_goes_on_bit_for_bit_too() {
    let stages = "training.stages=[{adam={steps=300}},{grow={}},{ssbroyden={steps=150}},{grow={points=1.5}},{lbfgs={steps=150}}]";
    let redrawn = ["--set", "training.resample=100", "--set", "training.adaptive={keep=0.5}"];
    let own = ["--problem", "heat.toml", "--no-plots", "--set", stages, "--set", "training.checkpoint=20"];
    let folder = kill_and_compare(&[&own[..], &redrawn[..]].concat(), "kills/grown", 4);
    // Eight, and half as many again, twice.
    let width = |run: &str| result(&folder.path().join(run))["width"].as_u64();
    assert_eq!(width("whole"), Some(18));
}

/// A whole run, and one that is killed so often, at random moments of the stream `stream`: are they the same?
fn kill_and_compare(arguments: &[&str], stream: &str, kills: usize) -> TempDir {
    let folder = folder();
    let whole = folder.path().join("whole");
    let begin = Instant::now();
    let output = run(folder.path(), &[arguments, &["--out", "whole"]].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let duration = begin.elapsed();
    let (mut rng, mut left) = (pinn::internals::rng::stream(0, stream), kills);
    for attempt in 0.. {
        let name = format!("torn-{attempt}");
        let torn = folder.path().join(&name);
        left -= kill_at_random(&mut rng, duration.mul_f64(0.6), left, |kills| {
            let threads = ["1", "2"][kills % 2];
            if torn.join("result.json").is_file() {
                return None;
            }
            // Before its first files the run is none yet.
            if torn.join("metrics.jsonl").is_file() && torn.join("resolved.toml").is_file() {
                return Some(start(folder.path(), &["resume", &name, "--no-plots", "--threads", threads]));
            }
            let _ = fs::remove_dir_all(&torn);
            Some(start(folder.path(), &[arguments, &["--out", &name, "--threads", threads]].concat()))
        });
        assert_eq!(result(&torn), result(&whole));
        assert_eq!(metrics(&torn), metrics(&whole));
        assert_eq!(tensors(&torn), tensors(&whole));
        let leftovers = fs::read_dir(&torn).expect("there").flatten();
        let parts = leftovers.filter(|entry| entry.path().extension().is_some_and(|end| end == "part"));
        assert_eq!(parts.count(), 0, "what killed processes left is removed");
        if left == 0 {
            break;
        }
    }
    folder
}

#[cfg(unix)]
#[test]
fn a_signal_after_training_ends_the_program_and_loses_nothing() {
    // A machine may be too busy for the signal to come in time; it has twice as long then.
    let caught = (0..8).any(|round| signal_after_training(4000 << round));
    assert!(caught, "the program always ended before the signal");
}

/// Trains for `steps` steps, sends a signal after them, and goes on; false if the program ended before the signal.
fn signal_after_training(steps: usize) -> bool {
    let folder = folder();
    let stages = format!("training.stages=[{{adam={{steps={steps}}}}}]");
    // The checkpoint is written when training ends.
    let plain = ["--set", "training.auto=false", "--set", "training.checkpoint=0", "--threads", "1"];
    let flags = [&["--problem", "heat.toml", "--set", &stages, "--no-plots"], &plain[..]].concat();
    // The second solution takes as long as the first one.
    let flags = [&flags[..], &["--estimate", "--out"]].concat();
    let mut child = start(folder.path(), &[&flags[..], &["b"]].concat());
    let checkpoint = folder.path().join("b/checkpoint.safetensors");
    while !checkpoint.exists() {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    // It may have ended by now.
    let _ = Command::new("kill").args(["-INT", &id]).status().expect("kill");
    match child.wait().expect("it ends").code() {
        Some(0) => return false,
        code => assert_eq!(code, Some(130)),
    }
    let whole = run(folder.path(), &[&flags[..], &["a"]].concat());
    assert_eq!(whole.status.code(), Some(0), "{}", stderr(&whole));
    let resumed = run(folder.path(), &["resume", "b"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    let results = ["a", "b"].map(|name| result(&folder.path().join(name)));
    for key in ["unknowns", "difference", "verdict", "steps"] {
        assert_eq!(results[0][key], results[1][key], "{key}");
    }
    assert!(results[0]["difference"].is_number());
    true
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
    check("run", "has ended (done) after 30 steps");
    // For longer training there is a command.
    let longer = ["--problem", "run/resolved.toml", "--steps", "60"];
    check("run", &format!("pinn-solve {}", longer.join(" ")));
    let output = run(folder.path(), &[&longer[..], &["--no-plots", "--out", "longer"]].concat());
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert_eq!(result(&folder.path().join("longer"))["steps"], 60);

    let path = folder.path().join("run");
    fs::remove_file(path.join("result.json")).expect("there");
    let checkpoint = fs::read(path.join("checkpoint.safetensors")).expect("there");
    fs::write(path.join("checkpoint.safetensors"), &checkpoint[..checkpoint.len() / 2]).expect("written");
    // There is only one checkpoint yet, and none before it to fall back on.
    check("run", "damaged");
    let mut newer = checkpoint.clone();
    let key = b"version\\\":";
    let at = newer.windows(key.len()).position(|window| window == key).expect("a version") + key.len();
    newer[at] = b'9';
    fs::write(path.join("checkpoint.safetensors"), &newer).expect("written");
    check("run", "resume with the version of pinn-solve that wrote it");
    fs::write(path.join("checkpoint.safetensors"), &checkpoint).expect("written");
    let resolved = fs::read_to_string(path.join("resolved.toml")).expect("there");
    fs::write(path.join("resolved.toml"), resolved.replace("width = 8", "width = 9")).expect("written");
    check("run", "does not fit its run");
    fs::write(path.join("resolved.toml"), &resolved).expect("written");
    let output = run(folder.path(), &["resume", "run", "--no-plots"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_run_goes_on_as_quietly_and_with_as_few_pictures_as_it_began() {
    let folder = folder();
    let arguments = ["--problem", "heat.toml", "--steps", "30", "--no-plots", "--quiet", "--out", "run"];
    let output = run(folder.path(), &arguments);
    assert_eq!((exit(&output), stderr(&output)), (0, String::new()));
    let path = folder.path().join("run");
    let resume = |flags: &[&str]| {
        fs::remove_file(path.join("result.json")).expect("there");
        let output = run(folder.path(), &[&["resume", "run"], flags].concat());
        assert_eq!(exit(&output), 0, "{}", stderr(&output));
        (output.stdout.is_empty() && output.stderr.is_empty(), path.join("loss.png").exists())
    };
    assert_eq!(resume(&[]), (true, false));
    assert_eq!(resume(&["--no-quiet"]), (false, false));
    // What a flag changes stays changed.
    assert_eq!(resume(&["--plots"]), (false, true));
    fs::remove_file(path.join("loss.png")).expect("there");
    assert_eq!(resume(&["--quiet", "--no-plots"]), (true, false));
}

/// What a run can do without is gone on without, in words; the network and its problem are all that it needs.
#[test]
fn files_that_can_be_made_again_are_made_again() {
    let folder = folder();
    let output = run(folder.path(), &["--problem", "heat.toml", "--out", "run", "--no-plots"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let path = folder.path().join("run");
    let (whole, steps, network) = (result(&path), metrics(&path), tensors(&path));
    let ask = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        assert_eq!(exit(&output), 0, "{arguments:?}: {}", stderr(&output));
        stderr(&output)
    };
    let at = ["predict", "run", "--at", "x=0.3,t=0.05"];
    let noted = fs::read_to_string(path.join("metrics.jsonl")).expect("metrics");
    for damage in ["", "{", "\0\0\0\n", "null\n"] {
        for name in ["result.json", "settings.json", "metrics.jsonl"] {
            fs::write(path.join(name), damage).expect("written");
        }
        let said = ask(&at);
        assert!(said.contains("result.json is damaged (") && said.contains("counts as not ended"), "{said}");
        let said = ask(&["report", "run"]);
        assert!(said.contains("result.json is damaged ("), "{said}");
        assert_eq!(said.contains("metrics.jsonl is damaged (line 1: "), damage.ends_with('\n'), "{said}");
        let said = ask(&["resume", "run"]);
        for expected in ["result.json is damaged (", "settings.json is damaged (", "the device is cpu"] {
            assert!(said.contains(expected), "{said}");
        }
        assert_eq!((result(&path)["loss"].clone(), tensors(&path)), (whole["loss"].clone(), network.clone()));
        assert_eq!(ask(&at), "");
    }
    // Of the steps, lines that read are kept around those that do not.
    let (first, rest) = noted.split_at(noted.find('\n').expect("lines") + 1);
    fs::write(path.join("metrics.jsonl"), format!("{first}{{\"step\":\n{rest}")).expect("written");
    fs::remove_file(path.join("result.json")).expect("there");
    let said = ask(&["report", "run"]);
    assert!(
        said.contains("metrics.jsonl is damaged (line 2: ") && said.contains("the line is left out"),
        "{said}"
    );
    ask(&["resume", "run", "--quiet"]);
    let kept = fs::read_to_string(path.join("metrics.jsonl")).expect("metrics");
    assert_eq!(kept.lines().count(), steps.len() + 1);
    // Or missing.
    for name in ["result.json", "settings.json", "metrics.jsonl"] {
        fs::remove_file(path.join(name)).expect("there");
    }
    assert!(ask(&["report", "run"]).contains("metrics.jsonl is missing"));
    ask(&["resume", "run", "--quiet"]);
    assert_eq!((result(&path)["loss"].clone(), tensors(&path)), (whole["loss"].clone(), network));
}
