//! Domains made of shapes through the program: runs on meshes and on shapes that move, and what `check` draws.

use std::fs;

use super::cli::{exit, folder, run, stderr};

/// A tetrahedron as STL.
const PART: &str = "solid part\nouter loop\nvertex 0 0 0\nvertex 0 1 0\nvertex 1 0 0\nendloop\nouter loop\n\
    vertex 0 0 0\nvertex 1 0 0\nvertex 0 0 1\nendloop\nouter loop\nvertex 1 0 0\nvertex 0 1 0\nvertex 0 0 1\nendloop\n\
    outer loop\nvertex 0 1 0\nvertex 0 0 0\nvertex 0 0 1\nendloop\nendsolid part\n";

const SMALL: &str =
    "[network]\ndepth = 1\nwidth = 4\n[training]\nauto = false\nstages = [{ adam = { steps = 3 } }]\n";

#[test]
fn a_run_on_a_mesh_can_be_asked() {
    let folder = folder();
    fs::create_dir(folder.path().join("files")).expect("a folder");
    fs::write(folder.path().join("files/part.stl"), PART).expect("written");
    let text = format!(
        "[coordinates]\nx = {{}}\ny = {{}}\nz = {{}}\n[shapes]\npart = {{ mesh = \"part.stl\" }}\n[domain]\n\
         region = \"part\"\n[unknowns]\nu = {{}}\n[conditions.inside]\nplace = \"interior\"\nresidual = \"u_xx + u_yy + \
         u_zz\"\n[conditions.outside]\nplace = \"wall\"\nresidual = \"u_n + u - x\"\n{SMALL}"
    );
    fs::write(folder.path().join("files/part.toml"), text).expect("written");
    let output = run(folder.path(), &["check", "files/part.toml", "--plot", "part.png"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert!(fs::read(folder.path().join("part.png")).expect("a picture").starts_with(b"\x89PNG"));
    let output = run(folder.path(), &["files/part.toml", "--out", "run"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    // The middle of the box, (0.5, 0.5, 0.5), is not inside; what the run proposes is.
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let proposed =
        said.lines().find_map(|line| line.split_once("--at ")).expect("a command").1.trim().to_owned();
    for (at, inside) in [(&*proposed, true), ("x=0.1,y=0.2,z=0.3", true), ("x=0.5,y=0.5,z=0.5", false)] {
        let output = run(folder.path(), &["predict", "run", "--at", at]);
        assert_eq!(exit(&output), 0, "{}", stderr(&output));
        let outside = "the point lies outside the domain, where nothing has a value (NaN)";
        assert_eq!(stderr(&output).contains(outside), !inside, "{}", stderr(&output));
        let row = String::from_utf8_lossy(&output.stdout).lines().last().expect("a row").to_owned();
        assert_eq!(
            row.rsplit(',').next().expect("a number").parse::<f64>().is_ok_and(f64::is_finite),
            inside,
            "{row}"
        );
    }
    let output = run(folder.path(), &["predict", "run", "--integral", "u_n"]);
    assert_eq!(exit(&output), 2);
    assert!(stderr(&output).contains("write --over wall"), "{}", stderr(&output));
    // The area of the wall: 3/2 + √3/2.
    let output = run(folder.path(), &["predict", "run", "--integral", "one = 1 + 0*u", "--over", "wall"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let area: f64 =
        said.lines().last().expect("a row").split(',').next().expect("a number").parse().expect("a number");
    assert!((area - 1.5 - 0.75_f64.sqrt()).abs() < 1e-9, "{said}");
    // It has its own mesh, which has to be the one that it began with.
    fs::remove_file(folder.path().join("files/part.stl")).expect("removed");
    fs::rename(folder.path().join("run"), folder.path().join("moved")).expect("moved");
    let ask = || run(folder.path(), &["predict", "moved", "--at", "x=0.1,y=0.2,z=0.3"]);
    let output = ask();
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let mesh = fs::read_dir(folder.path().join("moved/inputs")).expect("a folder").next().expect("a file");
    fs::write(mesh.expect("a file").path(), PART.replace("1", "2")).expect("written");
    let output = ask();
    assert_ne!(exit(&output), 0);
    assert!(stderr(&output).contains("it is not the file that the run began with"), "{}", stderr(&output));
}

#[test]
fn shapes_that_move_are_drawn_and_asked_at_their_time() {
    let folder = folder();
    let text = format!(
        "[coordinates]\nx = {{}}\ny = {{}}\nt = [0, 1]\n[shapes]\nplate = {{ rectangle = {{ from = [0, 0], to = [2, 1] }} \
         }}\nhole = {{ disk = {{ center = [\"0.5 + t\", 0.5], radius = 0.2 }} }}\n[domain]\nregion = \"plate - hole\"\n\
         [unknowns]\nu = {{}}\n[conditions.inside]\nplace = \"interior\"\nresidual = \"u_t - u_xx - u_yy\"\n\
         [conditions.hole]\nplace = \"wall of hole\"\nresidual = \"u - 1\"\n[conditions.plate]\nplace = \"wall of \
         plate\"\nresidual = \"u_n\"\n[conditions.start]\nplace = \"t = 0\"\nresidual = \"u\"\n{SMALL}"
    );
    fs::write(folder.path().join("moving.toml"), text).expect("written");
    let draw = |arguments: &[&str]| {
        run(folder.path(), &[&["check", "moving.toml", "--plot", "region.png"], arguments].concat())
    };
    let output = draw(&[]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("region.png"), "{}", stderr(&output));
    assert!(fs::read(folder.path().join("region.png")).expect("a picture").starts_with(b"\x89PNG"));
    let output = draw(&[]);
    assert_eq!(exit(&output), 2);
    assert!(stderr(&output).contains("region.png exists already"), "{}", stderr(&output));
    assert_eq!(exit(&draw(&["--force"])), 0);
    let output = run(folder.path(), &["moving.toml", "--out", "run"]);
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    let asked = |at: &str| {
        let output = run(folder.path(), &["predict", "run", "--at", at]);
        assert_eq!(exit(&output), 0, "{}", stderr(&output));
        let row = String::from_utf8_lossy(&output.stdout).lines().last().expect("a row").to_owned();
        row.rsplit(',').next().expect("a number").parse::<f64>().is_ok_and(f64::is_finite)
    };
    // The hole is at (0.5, 0.5), and then at (1.5, 0.5).
    assert_eq!(["x=0.5,y=0.5,t=0", "x=0.5,y=0.5,t=1", "x=1.5,y=0.5,t=1"].map(asked), [false, true, false]);
}
