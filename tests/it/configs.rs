//! Every run configuration in configs/ fits its problem.

use std::fs;

use assert_cmd::Command;

#[test]
fn every_configuration_fits_its_problem() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/configs");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mut command = Command::cargo_bin("pinn-solve").expect("the program");
        let output = command.arg("check").arg("--config").arg(&path).output().expect("it runs");
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }
}
