//! What is promised of runs as processes: docs/reliability.md names these tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pinn::internals::auto;
use pinn::internals::ranks::Ranks;
use pinn::internals::run::{RunDirectory, RunOutcome};
use pinn::internals::solve::{Settings, Solver};
use pinn::internals::train::Event;
use pinn::problem::{Opened, open};
use serde_json::Value;

use super::cli::{HEAT, exit, folder, run, stderr};
use super::every_method;
use super::resume::{metrics, result, start, tensors};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON")
}

/// What two runs must have in common.
fn check_same(run: &Path, expected: &Path, what: &str) {
    assert_eq!(tensors(run), tensors(expected), "{what}");
    assert_eq!(metrics(run), metrics(expected), "{what}");
    assert_eq!(result(run), result(expected), "{what}");
}

// Determinism.

#[test]
fn every_method_gives_the_same_bits_at_any_threads_in_processes_at_once_and_after_resuming() {
    let folder = folder();
    for (i, stage) in every_method(60).iter().enumerate() {
        let stages = format!("training.stages=[{{adam={{steps=30}}}},{stage}]");
        let settings = ["training.resample=25", "training.adaptive={keep=0.5}", "training.checkpoint=20"];
        let common: Vec<&str> = ["--problem", "heat.toml", "--no-plots", "--set", &stages]
            .into_iter()
            .chain(settings.iter().flat_map(|&setting| ["--set", setting]))
            .collect();
        let names = [1, 2].map(|threads| format!("{i}-on-{threads}"));
        let both = ["1", "2"].map(|threads| {
            let own =
                ["--threads", threads, "--out", &names[threads.parse::<usize>().expect("one of two") - 1]];
            start(folder.path(), &[&common[..], &own].concat())
        });
        for mut child in both {
            assert_eq!(child.wait().expect("it ends").code(), Some(0), "{stage}");
        }
        let [one, two] = names.map(|name| folder.path().join(name));
        check_same(&one, &two, stage);

        // As if it had been killed as it wrote its last checkpoint: torn in one run, not yet there in the other.
        let keys = [&[stages.as_str()][..], &settings].concat();
        for torn in [true, false] {
            let path = folder.path().join(format!("{i}-torn-{torn}"));
            // Soon after points were drawn anew, lest a method be at its end.
            stopped(folder.path(), &path, &keys, 55);
            let last = path.join("checkpoint.safetensors");
            let bytes = fs::read(&last).expect("there");
            assert!(path.join("checkpoint.previous.safetensors").is_file(), "it goes on");
            if torn {
                fs::write(&last, &bytes[..bytes.len() / 2]).expect("written");
            } else {
                fs::remove_file(&last).expect("there");
            }
            let output = run(folder.path(), &["resume", &path.display().to_string(), "--threads", "2"]);
            assert_eq!(exit(&output), 0, "{}", stderr(&output));
            let lines = stderr(&output).lines().filter(|line| line.contains("was damaged")).count();
            assert_eq!(lines, usize::from(torn), "{stage}: {}", stderr(&output));
            check_same(&path, &two, stage);
            assert!(!path.join("checkpoint.previous.safetensors").exists(), "it has ended");
        }
    }
}

/// A run of `heat.toml`, changed by lines `key=value`, that is stopped after `step` steps.
fn stopped(folder: &Path, out: &Path, changes: &[&str], step: usize) {
    let Opened { mut document, text, folder } = open("heat.toml", folder).expect("it is there");
    for change in changes {
        let (key, value) = change.split_once('=').expect("KEY=VALUE");
        document.set(key, value).expect("a key");
    }
    let problem = auto::complete(&document, &folder).expect("a problem").problem;
    let settings = Settings {
        device: "cpu".into(),
        threads: 1,
        chunk: None,
        plots: false,
        page: false,
        quiet: false,
        estimate: false,
        ranks: Ranks::alone(),
    };
    let directory = RunDirectory::create(out).expect("a new folder");
    let stop = AtomicBool::new(false);
    let mut watch = |event: &Event| {
        if let Event::Stepped(report) = event {
            stop.store(report.step == step, Ordering::Relaxed);
        }
    };
    let mut solver = Solver::new(problem, settings).expect("an engine");
    let result = solver.run(directory, &text, &stop, &mut watch).expect("written");
    assert_eq!((result.outcome, result.steps), (RunOutcome::Interrupted, step));
}

// Numbers.

#[test]
fn a_run_that_diverges_says_so_everywhere_and_leaves_the_last_good_network() {
    let folder = folder();
    let common = [
        "--problem",
        "heat.toml",
        "--lr",
        "1e200",
        "--no-plots",
        "--precision",
        "f32",
        "--set",
        "training.evaluate=0",
    ];
    let output = run(folder.path(), &[&common[..], &["--out", "run"]].concat());
    assert_eq!(exit(&output), 4, "{}", stderr(&output));
    let warnings =
        stderr(&output).lines().filter(|line| line.contains("going back to the last good")).count();
    assert_eq!(warnings, 3, "{}", stderr(&output));
    let path = folder.path().join("run");
    let result = json(&path.join("result.json"));
    let breakdowns = result["stages"][0]["breakdowns"].as_array().expect("all of them").clone();
    assert_eq!(breakdowns.len(), 4);
    for (breakdown, step) in breakdowns.iter().zip(2..) {
        // Each time it has taken one step from the initial network.
        assert_eq!((&breakdown["step"], &breakdown["stage"]), (&step.into(), &"adam".into()), "{breakdown}");
        assert!(breakdown["place"]["at"]["x"].is_number(), "{breakdown}");
    }
    let events: Vec<_> = metrics(&path).into_iter().filter(|line| line.get("event").is_some()).collect();
    let names: Vec<_> = events.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    assert_eq!(names, ["recovered", "recovered", "recovered", "diverged"]);
    assert!(events.iter().map(|line| &line["breakdown"]).eq(&breakdowns));
    assert!(result["loss"]["total"].is_number() && result["unknowns"]["u"]["rel_l2"].is_number(), "{result}");
    let solution = fs::read_to_string(path.join("solution.csv")).expect("there");
    assert!(!solution.contains("NaN") && !solution.contains("inf"));

    let output =
        run(folder.path(), &[&common[..], &["--out", "once", "--set", "training.recover=0"]].concat());
    assert_eq!(exit(&output), 4, "{}", stderr(&output));
    let result = json(&folder.path().join("once/result.json"));
    assert_eq!(result["stages"][0]["breakdowns"].as_array().map(Vec::len), Some(1));
    assert!(!stderr(&output).contains("going back"), "{}", stderr(&output));
}

/// The heat equation in other units: x up to `x`, t up to 0.1·`t`, the conductivity that goes with them.
fn stretched(x: f64, t: f64) -> String {
    HEAT.replace("x = [0, 1]", &format!("x = [0, {x:e}]"))
        .replace("t = [0, 0.1]", &format!("t = [0, {:e}]", 0.1 * t))
        .replace("u_t - u_xx", &format!("u_t - {:e}*u_xx", x * x / t))
        .replace("sin(pi*x)", &format!("sin(pi*x/{x:e})"))
        .replace("-pi^2*t", &format!("-pi^2*t/{t:e}"))
        .replace("\"x = 1\"", &format!("\"x = {x:e}\""))
}

#[test]
fn extreme_numbers_train_or_end_with_a_reason() {
    let folder = folder();
    let mut cases: Vec<(String, String, Vec<String>)> = vec![];
    let mut case = |name: &str, text: String, arguments: &[&str]| {
        cases.push((name.to_owned(), text, arguments.iter().map(|&a| a.to_owned()).collect()));
    };
    for scale in ["1e-10", "1e-5", "1e5", "1e10"] {
        case(&format!("scale {scale}"), HEAT.into(), &["--scale", scale]);
    }
    let cheap = "training.stages=[{adam={steps=12}},{lbfgs={steps=12}}]";
    case("depth 1000", HEAT.into(), &["--depth", "1000", "--width", "2", "--points", "20", "--set", cheap]);
    case("depth 200", HEAT.into(), &["--depth", "200", "--width", "2", "--points", "20", "--steps", "12"]);
    for (x, t) in [(1e6, 1.0), (1.0, 1e6), (1e-9, 1.0), (1.0, 1e-9), (1e6, 1e6), (1e-9, 1e-9)] {
        case(&format!("x {x:e}, t {t:e}"), stretched(x, t), &[]);
    }
    for factor in ["1e12", "1e-12", "1e160"] {
        case(&format!("{factor}*u_xx"), HEAT.replace("u_t - u_xx", &format!("u_t - {factor}*u_xx")), &[]);
        case(
            &format!("{factor}*(u_t - u_xx)"),
            HEAT.replace("u_t - u_xx", &format!("{factor}*(u_t - u_xx)")),
            &[],
        );
    }
    let stages =
        "training.stages=[{adam={steps=20}},{lbfgs={steps=20}},{lm={steps=5}},{ssbroyden={steps=20}}]";
    let mut ends = vec![];
    for (i, (name, text, arguments)) in cases.iter().enumerate() {
        let file = format!("{i}.toml");
        fs::write(folder.path().join(&file), text).expect("written");
        for precision in ["f32", "f64"] {
            let out = format!("{i}-{precision}");
            let mut all = vec!["--problem", &file, "--precision", precision, "--no-plots", "--out", &out];
            all.extend(["--set", stages]);
            all.extend(arguments.iter().map(String::as_str));
            let output = run(folder.path(), &all);
            let result = json(&folder.path().join(&out).join("result.json"));
            let total = result["loss"]["total"].as_f64();
            ends.push(format!("{name}, {precision}: {} {total:?}", exit(&output)));
            match exit(&output) {
                0 => {
                    assert!(total.is_some_and(f64::is_finite), "{name}, {precision}: {result}");
                    assert!(result["unknowns"]["u"]["rel_l2"].is_number(), "{name}, {precision}: {result}");
                    assert!(
                        result["residuals"]["physics"]["max"].is_number(),
                        "{name}, {precision}: {result}"
                    );
                }
                4 => {
                    let reason = result["reason"].as_str().expect("a reason");
                    assert!(reason.contains("is not finite at step"), "{name}, {precision}: {reason}");
                    assert!(stderr(&output).contains(reason), "{name}, {precision}: {}", stderr(&output));
                }
                other => panic!("{name}, {precision} ends with {other}: {}", stderr(&output)),
            }
        }
    }
    println!("{}", ends.join("\n"));
    // The square of 1e160 is beyond either precision; everything else is within.
    assert!(ends.iter().all(|end| end.starts_with("1e160") == end.contains(": 4 ")), "{ends:#?}");
}

// Files.

#[test]
fn an_existing_run_is_never_touched() {
    let folder = folder();
    let arguments = ["--problem", "heat.toml", "--steps", "5", "--no-plots", "--out", "run"];
    assert_eq!(exit(&run(folder.path(), &arguments)), 0);
    let content = || -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(folder.path().join("run")).expect("there");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
    };
    let before = content();
    let output = run(folder.path(), &arguments);
    assert_eq!(exit(&output), 2);
    assert!(stderr(&output).contains("exists already"), "{}", stderr(&output));
    assert!(content() == before, "a file has changed");
}

#[test]
fn processes_that_start_at_once_do_not_collide() {
    let folder = folder();
    let arguments = ["--problem", "heat.toml", "--steps", "5", "--no-plots"];
    let children: Vec<_> = (0..4).map(|_| start(folder.path(), &arguments)).collect();
    for mut child in children {
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
    }
    let runs: Vec<_> = fs::read_dir(folder.path().join("output"))
        .expect("there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(runs.len(), 4, "{runs:?}");
    runs.iter().for_each(|path| check_same(path, &runs[0], "all alike"));
}

#[cfg(unix)]
#[test]
fn folders_that_cannot_be_written_fail_before_training_starts() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).expect("a folder");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("a mode");
    // Permissions do not bind everybody; /proc takes no folder from anyone.
    let bound = fs::create_dir(locked.join("probe")).is_err();
    let sweep = "[base]\nproblem = \"heat.toml\"\n[axes]\nseed = [0, 1]\n";
    fs::write(folder.path().join("sweep.toml"), sweep).expect("written");
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).expect("a link");
    let mut refused = vec!["heat.toml/run", "dangling/run", if bound { "locked/run" } else { "/proc/run" }];
    let disk = Disk::new(&folder.path().join("disk"), 1 << 16);
    if let Some(Disk(path)) = &disk {
        let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(path).status().expect("mount");
        assert!(remount.success());
        refused.push("disk/run");
    }
    for out in refused {
        let output = run(folder.path(), &["--problem", "heat.toml", "--out", out]);
        assert_eq!(exit(&output), 1, "{out}: {}", stderr(&output));
        let text = stderr(&output);
        assert!(
            text.starts_with("error: cannot make the folder") && text.lines().count() == 1,
            "{out}: {text}"
        );
        let output = run(folder.path(), &["sweep", "sweep.toml", "--out", out]);
        assert!(
            exit(&output) == 1 && stderr(&output).contains("error: cannot"),
            "{out}: {}",
            stderr(&output)
        );
        assert!(!stderr(&output).contains("starts"), "{out}: {}", stderr(&output));
    }
    // Folders above that are only missing are made.
    let output =
        run(folder.path(), &["--problem", "heat.toml", "--steps", "2", "--no-plots", "--out", "a/b/run"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
}

#[test]
fn paths_are_relative_to_the_file_they_stand_in() {
    let folder = folder();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).expect("a folder");
    let data = "[conditions.data]\nplace = { file = \"data.csv\" }\nresidual = \"u - u_obs\"\n";
    fs::write(inside.join("problem.toml"), format!("{HEAT}{data}")).expect("written");
    fs::write(inside.join("data.csv"), "x,t,u_obs\n0.5,0.05,0.6\n").expect("written");
    fs::write(inside.join("run.toml"), "problem = \"problem.toml\"\n").expect("written");
    let quick = ["--steps", "30", "--no-plots", "--set", "training.checkpoint=20"];
    for (argument, out) in [("inside/problem.toml", "a"), ("inside/run.toml", "b")] {
        let flag = if out == "a" { "--problem" } else { "--config" };
        let output = run(folder.path(), &[&[flag, argument, "--out", out][..], &quick].concat());
        assert_eq!(exit(&output), 0, "{}", stderr(&output));
    }
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    assert_eq!(tensors(&a), tensors(&b));
    // A run goes on from anywhere, though its problem has data elsewhere.
    fs::remove_file(a.join("result.json")).expect("there");
    fs::remove_file(a.join("checkpoint.safetensors")).expect("there");
    let output = run(&inside, &["resume", "../a", "--no-plots"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert_eq!((tensors(&a), metrics(&a)), (tensors(&b), metrics(&b)));
}

#[cfg(unix)]
#[test]
fn signals_finish_the_step_and_write_everything() {
    let folder = folder();
    for signal in ["-INT", "-TERM"] {
        let out = format!("run{signal}");
        let said = folder.path().join("said");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("pinn-solve"));
        command
            .current_dir(folder.path())
            .args(["--problem", "heat.toml", "--steps", "100000000", "--out", &out])
            .stdout(fs::File::create(&said).expect("a file"))
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let path = folder.path().join(&out);
        while !path.join("checkpoint.safetensors").exists() {
            assert!(child.try_wait().expect("a child").is_none(), "it ends by itself");
            std::thread::sleep(Duration::from_millis(20));
        }
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
        assert!(kill.success());
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{signal}");
        assert_eq!(json(&path.join("result.json"))["outcome"], "interrupted");
        assert!(path.join("loss.png").is_file());
        let said = fs::read_to_string(said).expect("text");
        assert!(said.ends_with(&format!("next      pinn-solve resume {out}\n")), "{said}");
    }
}

// A full disk.

/// Long enough to fill a small disk with what it notes.
const LONG: [&str; 7] = [
    "--problem",
    "heat.toml",
    "--no-plots",
    "--set",
    "training.stages=[{adam={steps=500}},{lbfgs={steps=500,history=5}}]",
    "--set",
    "training.checkpoint=50",
];

/// After `output` of a run that found no room: one error, a checkpoint to go on from, and the end it would have had.
#[cfg(unix)]
fn check_full(folder: &Path, output: &Output, run_folder: &Path, make_room: impl FnOnce()) {
    assert_eq!(exit(output), 1, "{}", stderr(output));
    let errors = stderr(output).lines().filter(|line| line.starts_with("error:")).count();
    assert!(errors == 1 && stderr(output).contains("error: cannot write"), "{}", stderr(output));
    assert!(output.stdout.is_empty() && !run_folder.join("result.json").exists());
    assert!(run_folder.join("checkpoint.safetensors").is_file(), "it filled up too early");
    make_room();
    let resumed = run(folder, &["resume", &run_folder.display().to_string(), "--no-plots"]);
    assert_eq!(exit(&resumed), 0, "{}", stderr(&resumed));
    check_same(run_folder, &folder.join("whole"), "after a full disk");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_one_error_and_the_run_goes_on_once_there_is_room() {
    let folder = folder();
    let whole = run(folder.path(), &[&LONG[..], &["--out", "whole"]].concat());
    assert_eq!(exit(&whole), 0, "{}", stderr(&whole));
    let noted = fs::metadata(folder.path().join("whole/metrics.jsonl")).expect("there").len();

    // No file may become larger than about half of the metrics (in blocks of 512 bytes).
    let program = assert_cmd::cargo::cargo_bin("pinn-solve");
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", noted / 1024);
    let mut command = Command::new("sh");
    command
        .current_dir(folder.path())
        .args(["-c", &script])
        .arg(&program)
        .args(LONG)
        .args(["--out", "limited"]);
    let output = command.output().expect("it runs");
    check_full(folder.path(), &output, &folder.path().join("limited"), || ());

    // A file system of its own, where that is allowed; a third of it is taken until room is made.
    let disk = Disk::new(&folder.path().join("disk"), 3 * noted);
    let Some(disk) = disk else { return };
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 2 * noted as usize + noted as usize / 3]).expect("written");
    let output = run(folder.path(), &[&LONG[..], &["--out", "disk/run"]].concat());
    let make_room = || fs::remove_file(&ballast).expect("there");
    check_full(folder.path(), &output, &disk.0.join("run"), make_room);
}

/// A tmpfs that goes with this value.
#[cfg(unix)]
struct Disk(PathBuf);

#[cfg(unix)]
impl Disk {
    /// `None` where only root may mount, and this is not root.
    fn new(path: &Path, bytes: u64) -> Option<Self> {
        fs::create_dir(path).expect("a folder");
        let size = format!("size={bytes}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
    }
}

#[cfg(unix)]
impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
