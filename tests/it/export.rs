//! A trained network written for other programs: which files there are, and what is refused.
//!
//! What the files compute is checked by the programs that they are for, in `tests/readers/export.py`.

use std::fs;
use std::path::Path;

use pinn::internals::export::{DERIVATIVES, VALUES};
use pinn::internals::trained::Trained;

use super::cli::{exit, run};

fn trained(folder: &Path, name: &str, arguments: &[&str]) {
    let output = run(
        folder,
        &[&["--out", name, "--quiet", "--no-plots", "--accept", "--steps", "20"], arguments].concat(),
    );
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], expected: &str) {
    let output = run(folder, &[&["export"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(exit(&output), 2, "{errors}");
    assert!(errors.contains(expected), "{errors}");
}

#[test]
fn every_format_writes_its_files_and_overwrites_none() {
    let folder = tempfile::tempdir().expect("a folder");
    trained(folder.path(), "heat", &["--problem", "heat"]);
    for (to, files) in [
        ("h.c", &["h.c", "h.h"][..]),
        ("h.onnx", &["h.onnx"]),
        ("h.js", &["h.js"]),
        ("h.safetensors", &["h.safetensors", "h.md"]),
    ] {
        let output = run(folder.path(), &["export", "heat", "--to", to]);
        assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("text");
        assert_eq!(said.lines().collect::<Vec<_>>(), files);
        let sizes = files.iter().map(|file| fs::metadata(folder.path().join(file)).expect("written").len());
        assert!(sizes.clone().all(|size| size > 300), "{to}: {:?}", sizes.collect::<Vec<_>>());
        refused(folder.path(), &["heat", "--to", to], "exists already");
    }
    // A header that is there already keeps the source from being written.
    fs::remove_file(folder.path().join("h.c")).expect("removed");
    refused(folder.path(), &["heat", "--to", "h.c"], "h.h exists already");
    assert!(!folder.path().join("h.c").exists());
    refused(folder.path(), &["heat", "--to", "h.f90"], "no ending that is known; known are .onnx");
    refused(folder.path(), &["heat", "--to", "f.c", "--f32"], "--f32 is for .onnx");
    refused(folder.path(), &["heat", "--to", "heat/checkpoint.safetensors", "--force"], "belongs to the run");
}

#[test]
fn a_page_holds_a_run_and_asks_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let problem = "title = \"<b>Rod</b>\"\n[coordinates]\nx = [0, 1]\n[unknowns]\nu = {}\n[conditions.physics]\n\
                   place = \"interior\"\nresidual = \"u_xx + pi^2*sin(pi*x)\"\n[conditions.\"</script>\"]\nplace = \"x = 0\"\n\
                   residual = \"u\"\n[conditions.right]\nplace = \"x = 1\"\nresidual = \"u\"\n\
                   [reference]\nsolution = { u = \"sin(pi*x)\" }\n";
    fs::write(folder.path().join("rod.toml"), problem).expect("written");
    let output = run(
        folder.path(),
        &[
            "--problem",
            "rod.toml",
            "--out",
            "rod",
            "--quiet",
            "--steps",
            "20",
            "--set",
            "training.auto=false",
        ],
    );
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(folder.path().join("rod/report.html")).expect("a page");
    assert!(page.contains("&lt;b&gt;Rod&lt;/b&gt;") && !page.contains("<b>Rod"));
    assert_eq!((page.matches("<script>").count(), page.matches("</script>").count()), (2, 2));
    for there in
        ["<mfrac>", "function reference_0(x, y)", "const residual_0 =", "\"reference\":\"reference_0\""]
    {
        assert!(page.contains(there), "{there} is missing");
    }
    assert!(!page.contains("http"), "it asks somebody");
    trained(folder.path(), "heat", &["--problem", "heat"]);
    assert!(!folder.path().join("heat/report.html").exists());
}

#[test]
fn what_onnx_runtime_cannot_compute_is_refused_or_in_single_precision() {
    let folder = tempfile::tempdir().expect("a folder");
    trained(folder.path(), "gd", &["--problem", "heat", "--activation", "gd"]);
    refused(
        folder.path(),
        &["gd", "--to", "gd.onnx"],
        "the network needs atan, which ONNX Runtime computes in single",
    );
    assert!(!folder.path().join("gd.onnx").exists());
    let output = run(folder.path(), &["export", "gd", "--to", "gd.onnx", "--f32"]);
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_program_has_a_piece_for_each_window_and_the_derivatives_that_it_carries() {
    let folder = tempfile::tempdir().expect("a folder");
    let waves = "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = {}\n[conditions.physics]\nplace = \"interior\"\n\
                 residual = \"u_tt - u_xx\"\n[conditions.start]\nplace = \"t = 0\"\nresidual = [\"u - sin(pi*x)\", \"u_t\"]\n\
                 [conditions.left]\nplace = \"x = 0\"\nresidual = \"u\"\n[conditions.right]\nplace = \"x = 1\"\nresidual = \"u\"\n\
                 [training]\nwindows = 2\n";
    fs::write(folder.path().join("waves.toml"), waves).expect("written");
    trained(folder.path(), "waves", &["--problem", "waves.toml"]);
    let program =
        Trained::load(folder.path().join("waves")).expect("trained").program(true).expect("a program");
    assert_eq!(program.pieces.len(), 2);
    let names: Vec<&str> = program.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, [VALUES, DERIVATIVES]);
    // u and u_t at the joint, and of these two derivatives in x for second derivatives.
    let carried: Vec<usize> = program.functions.iter().map(|function| function.carried).collect();
    assert_eq!(carried, [2, 6]);
    assert_eq!(program.functions[1].values, 1 + 2 + 3);
    // NumPy gets the derivative that the values need, by the chain rule.
    let output = run(folder.path(), &["export", "waves", "--to", "w.safetensors"]);
    assert_eq!(exit(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(folder.path().join("w.md")).expect("a page");
    assert!(page.contains("return np.stack([f0, f1 * z[1]])"), "{page}");
}
