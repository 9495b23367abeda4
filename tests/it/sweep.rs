//! Sweeps as a user runs them: all at once, interrupted, and shared out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use super::cli::{exit, folder, run, stderr};
use super::resume::{kill_at_random, kills, metrics, start, tensors};

const SWEEP: &str = r#"
title = "Heat"
[base]
problem = "heat.toml"
[base.training]
stages = [{ adam = { steps = 60 } }, { lbfgs = { steps = 60 } }]
checkpoint = 20
[axes]
init = ["proposed", "eoc"]
seed = { from = 0, to = 1 }
scale = [0.5, 1]
"#;

/// The rows of `sweep.csv` by run, without what tells of time.
fn table(folder: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join("sweep.csv")).expect("a table");
    let head = reader.headers().expect("a head").clone();
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        let cells = head.iter().map(str::to_owned).zip(row.iter().map(str::to_owned));
        let mut cells: BTreeMap<_, _> = cells.collect();
        cells.remove("seconds");
        (cells.remove("run").expect("a name"), cells)
    });
    rows.collect()
}

fn with_sweep(text: &str) -> tempfile::TempDir {
    let folder = folder();
    fs::write(folder.path().join("sweep.toml"), text).expect("a file");
    folder
}

#[test]
fn a_sweep_gives_the_same_at_any_number_of_jobs_and_shards_and_after_kills() {
    let folder = with_sweep(SWEEP);
    let output = run(folder.path(), &["sweep", "sweep.toml", "--dry-run"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("init=eoc,seed=1,scale=0.5  new\n") && text.contains("8 runs, 8 to do"), "{text}");
    assert!(!folder.path().join("output").exists(), "a dry run leaves nothing behind");

    let begin = Instant::now();
    let output = run(folder.path(), &["sweep", "sweep.toml"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let duration = begin.elapsed();
    let alone = folder.path().join("output/sweep");
    let expected = table(&alone);
    assert_eq!(expected.len(), 8);
    assert!(expected.values().all(|row| row["outcome"] == "done" && row["steps"] == "120"), "{expected:?}");
    for file in [
        "report.html",
        "sweep.json",
        "summary.md",
        "loss-vs-scale.png",
        "error-vs-scale.png",
        "loss-curves.png",
    ] {
        assert!(alone.join(file).is_file(), "{file} is missing");
    }

    let output = run(folder.path(), &["sweep", "sweep.toml", "--jobs", "2", "--out", "jobs", "--quiet"]);
    assert_eq!((exit(&output), output.stderr.len()), (0, 0), "{}", stderr(&output));
    assert_eq!(table(&folder.path().join("jobs")), expected);

    // Two shards as two processes at once.
    let shards = ["1/2", "2/2"]
        .map(|shard| start(folder.path(), &["sweep", "sweep.toml", "--out", "shards", "--shard", shard]));
    for mut shard in shards {
        assert_eq!(shard.wait().expect("it ends").code(), Some(0));
    }
    assert_eq!(table(&folder.path().join("shards")), expected);

    // Killed again and again, at random moments.
    let (mut rng, mut left) = (pinn::internals::rng::stream(0, "kills/sweep"), kills());
    for attempt in 0.. {
        let name = format!("killed-{attempt}");
        left -= kill_at_random(&mut rng, duration.mul_f64(0.6), left, |_| {
            Some(start(folder.path(), &["sweep", "sweep.toml", "--out", &name, "--jobs", "2"]))
        });
        let killed = folder.path().join(name);
        assert_eq!(table(&killed), expected);
        for name in expected.keys() {
            let [killed, alone] = [&killed, &alone].map(|folder| folder.join("runs").join(name));
            assert_eq!(tensors(&killed), tensors(&alone), "{name}");
            assert_eq!(metrics(&killed), metrics(&alone), "{name}");
        }
        if left == 0 {
            break;
        }
    }

    // A run whose last checkpoint is torn goes on from the one before.
    let torn = alone.join("runs/init=eoc,seed=0,scale=1");
    fs::remove_file(torn.join("result.json")).expect("there");
    fs::rename(torn.join("checkpoint.safetensors"), torn.join("checkpoint.previous.safetensors"))
        .expect("there");
    fs::write(torn.join("checkpoint.safetensors"), "torn").expect("written");
    let output = run(folder.path(), &["sweep", "sweep.toml"]);
    assert!(exit(&output) == 0 && stderr(&output).contains("was damaged"), "{}", stderr(&output));
    assert_eq!(table(&alone), expected);

    // What is done is not repeated, and is drawn again without being run.
    let before = fs::metadata(alone.join("runs/init=eoc,seed=1,scale=1/result.json")).expect("there");
    fs::remove_file(alone.join("loss-vs-scale.png")).expect("there");
    let output = run(folder.path(), &["sweep", "sweep.toml"]);
    assert!(stderr(&output).contains("8 runs, 0 to do"), "{}", stderr(&output));
    let output = run(folder.path(), &["report", "output/sweep"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert!(alone.join("loss-vs-scale.png").is_file());
    let after = fs::metadata(alone.join("runs/init=eoc,seed=1,scale=1/result.json")).expect("there");
    assert_eq!(before.modified().expect("a time"), after.modified().expect("a time"));

    // Further values join what is there; another configuration does not.
    let more = SWEEP.replace("scale = [0.5, 1]", "scale = [0.5, 1, 2]");
    fs::write(folder.path().join("more.toml"), more).expect("a file");
    let output = run(folder.path(), &["sweep", "more.toml", "--out", "output/sweep", "--dry-run"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("12 runs, 4 to do"), "{}", stderr(&output));
    fs::write(folder.path().join("other.toml"), SWEEP.replace("steps = 60", "steps = 61")).expect("a file");
    let output = run(folder.path(), &["sweep", "other.toml", "--out", "output/sweep"]);
    assert_eq!(exit(&output), 2);
    assert!(stderr(&output).contains("made by another configuration"), "{}", stderr(&output));
}

#[test]
fn a_run_that_diverges_or_fails_does_not_stop_the_others() {
    let text = SWEEP.replace("scale = [0.5, 1]", "training.stages.0.adam.lr = [1e-3, 1e300]");
    let folder = with_sweep(&text.replace("seed = { from = 0, to = 1 }", ""));
    // A run that cannot go on, since its checkpoint is damaged.
    let damaged = folder.path().join("out/runs/init=eoc,lr=0.001");
    fs::create_dir_all(&damaged).expect("a folder");
    fs::write(damaged.join("metrics.jsonl"), "").expect("a file");
    fs::write(damaged.join("checkpoint.safetensors"), "no checkpoint").expect("a file");
    let output = run(folder.path(), &["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!(exit(&output), 1, "{}", stderr(&output));
    let table = table(&folder.path().join("out"));
    let outcome = |name: &str| table[name]["outcome"].as_str();
    assert_eq!(outcome("init=proposed,lr=0.001"), "done");
    assert_eq!(outcome("init=proposed,lr=1e300"), "diverged");
    assert_eq!(outcome("init=eoc,lr=1e300"), "diverged");
    assert_eq!(outcome("init=eoc,lr=0.001"), "failed");
    assert!(table["init=eoc,lr=0.001"]["reason"].contains("damaged"), "{table:?}");
    // Once the cause is gone the run is tried again, and diverged ones are not.
    fs::remove_dir_all(damaged).expect("there");
    let output = run(folder.path(), &["sweep", "sweep.toml", "--out", "out"]);
    assert!(stderr(&output).contains("4 runs, 1 to do"), "{}", stderr(&output));
    assert_eq!(exit(&output), 4, "{}", stderr(&output));
}

#[test]
fn mistakes_are_found_before_anything_starts() {
    let check = |text: &str, arguments: &[&str], expected: &str| {
        let folder = with_sweep(text);
        let output = run(folder.path(), &[&["sweep", "sweep.toml"], arguments].concat());
        assert_eq!(exit(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(!folder.path().join("output").exists(), "a mistake leaves nothing behind");
    };
    check(&SWEEP.replace("[0.5, 1]", "[]"), &[], "this axis has no values");
    check(&SWEEP.replace("[0.5, 1]", "[0.5, -1]"), &[], "scale");
    check(&SWEEP.replace("checkpoint = 20", "chekpoint = 20"), &[], "did you mean `checkpoint`?");
    check(SWEEP, &["--shard", "3/2"], "write K/N");
    check(SWEEP, &["--jobs", "0"], "at least one run at a time");
    let folder = folder();
    let output = run(folder.path(), &["report", "."]);
    assert_eq!(exit(&output), 2);
    assert!(stderr(&output).contains("neither resolved.toml nor sweep.toml"), "{}", stderr(&output));
}

#[test]
fn a_sweep_that_leaves_the_band_of_learning_rates_says_so_once() {
    let fixed = SWEEP
        .replace("steps = 60 } }, {", "steps = 60, lr-unit = \"one\" } }, {")
        .replace("[0.5, 1]", "[0.5, 2]");
    let folder = with_sweep(&fixed);
    let output = run(folder.path(), &["sweep", "sweep.toml", "--dry-run"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.matches("1e-5·ω to 1e-3·ω").count(), 1, "{said}");
    assert!(said.contains("\n  init = proposed, scale = 2\n"), "{said}");
    let output = run(folder.path(), &["sweep", "sweep.toml", "--dry-run", "--quiet"]);
    assert_eq!(stderr(&output), "");
}

#[test]
#[cfg(unix)]
fn the_script_for_slurm_shares_the_sweep_out() {
    let folder = with_sweep(&SWEEP.replace("scale = [0.5, 1]", "").replace("steps = 60", "steps = 5"));
    let out = "it's here";
    let command = ["sweep", "sweep.toml", "--slurm", "3", "--out", out, "--jobs", "2", "--no-plots"];
    let output = run(folder.path(), &command);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let script = String::from_utf8(output.stdout).expect("text");
    assert!(script.contains("#SBATCH --array=1-3\n") && script.contains("--cpus-per-task=2\n"), "{script}");
    assert!(!folder.path().join(out).exists(), "nothing has begun");
    fs::write(folder.path().join("job.sh"), &script).expect("written");
    let program = Path::new(env!("CARGO_BIN_EXE_pinn-solve")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    for (task, ended) in [("1", 2), ("2", 3), ("3", 4)] {
        let mut shell = std::process::Command::new("bash");
        shell.arg("job.sh").current_dir(folder.path()).env("PATH", &path).env("SLURM_ARRAY_TASK_ID", task);
        let output = shell.output().expect("it runs");
        assert!(output.status.success(), "{}", stderr(&output));
        let table = table(&folder.path().join(out));
        assert_eq!(table.values().filter(|row| row["outcome"] == "done").count(), ended, "{script}");
    }
    let both = run(folder.path(), &["sweep", "sweep.toml", "--slurm", "3", "--shard", "1/2"]);
    assert_eq!(exit(&both), 2, "{}", stderr(&both));
}
