//! The README's problem is one that works, typed as it stands there.

use std::fs;

use assert_cmd::Command;
use serde_json::Value;

#[test]
fn the_readme_problem_is_solved() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("a README");
    let text = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a problem");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rod.toml"), text).expect("a file");
    let mut command = Command::cargo_bin("pinn-solve").expect("the program");
    let arguments = ["--problem", "rod.toml", "--steps", "1200", "--set", "training.stages=[{lbfgs={}}]"];
    let output = command.current_dir(folder.path()).args(arguments).args(["--json", "--no-plots"]).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let error = result["unknowns"]["u"]["rel_l2"].as_f64().expect("measured");
    assert!(error < 1e-2, "{error}");
}
