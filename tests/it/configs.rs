//! Every configuration in configs/ fits its problem: those of a run, and those of a sweep.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

#[test]
fn every_configuration_fits_its_problem() {
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/configs"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => check(&path),
            }
        }
    }
}

#[track_caller]
fn check(path: &Path) {
    let mut command = Command::cargo_bin("pinn-solve").expect("the program");
    let text = fs::read_to_string(path).expect("a configuration");
    match text.contains("[axes]") || text.contains("extends =") {
        true => command.arg("sweep").arg(path).args(["--dry-run", "--out", "nowhere"]),
        false => command.arg("check").arg("--config").arg(path),
    };
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
}
