//! Domains made of shapes through the program: runs on meshes and on shapes that move, and what `check` draws.

use std::f64::consts::PI;
use std::fs;

use pinn::Problem;
use pinn::internals::expr::Node;

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

/// Laplace's equation in a domain of the plane, with values and fluxes on parts of its wall.
fn at_corners(shapes: &str, region: &str, value: &str, flux: &str) -> Problem {
    let conditions =
        [("a", value, "u - abs(x - 0.1)"), ("b", flux, "u_n + u")].map(|(name, place, residual)| {
            if place.is_empty() {
                return String::new();
            }
            format!("{name} = {{ place = \"{place}\", residual = \"{residual}\" }}\n")
        });
    let text = format!(
        "coordinates = {{ x = {{}}, y = {{}} }}\nunknowns.u = {{}}\n[shapes]\n{shapes}\n[domain]\nregion = \"{region}\"\n\
         [conditions]\ninside = {{ place = \"interior\", residual = \"u_xx + u_yy\" }}\n{}",
        conditions.concat()
    );
    Problem::parse(&text).expect("a problem")
}

/// The last feature at a point.
fn last(problem: &Problem, x: f64, y: f64) -> f64 {
    let (graph, mut values) = (&problem.features.graph, vec![]);
    graph.eval(&mut values, |node| match node {
        Node::Coordinate { coordinate, .. } => [x, y][coordinate],
        _ => f64::NAN,
    });
    values[problem.features.roots.last().expect("features").index()]
}

#[test]
fn corners_have_their_powers() {
    let ell = "square = { rectangle = { from = [-1, -1], to = [1, 1] } }\n\
               quarter = { rectangle = { from = [0, -1], to = [1, 0] } }";
    let wave = |x: f64, y: f64| {
        let angle = (-x - y).atan2(y - x) + 0.75 * PI;
        ((x * x + y * y).cbrt(), 2.0 / 3.0 * angle)
    };
    for (value, flux) in [("wall", ""), ("", "wall")] {
        let problem = at_corners(ell, "square - quarter", value, flux);
        assert_eq!(problem.written.features.len(), 3, "{:?}", problem.written.features);
        let expected = |x: f64, y: f64| {
            let (power, angle) = wave(x, y);
            power * if flux.is_empty() { angle.sin() } else { angle.cos() }
        };
        let factor = last(&problem, -0.2, 0.9) / expected(-0.2, 0.9);
        for (x, y) in [(0.9, 0.1), (-0.3, -0.7), (0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1e-3, 1e-4)] {
            let (found, expected) = (last(&problem, x, y), factor * expected(x, y));
            assert!((found - expected).abs() < 1e-5, "{x} {y}: {found} {expected}");
        }
    }
    // Where all angles are right ones, there is nothing that a value or a flux alone asks for.
    let square = "square = { rectangle = { from = [-1, -1], to = [1, 1] } }";
    assert_eq!(at_corners(square, "square", "wall", "").written.features.len(), 2);
    assert_eq!(at_corners(square, "square", "", "wall").written.features.len(), 2);
    // A disk has no corners, wherever its line begins.
    let disk = "disk = { disk = { center = [0, 0], radius = 1 } }";
    assert_eq!(at_corners(disk, "disk", "wall", "").written.features.len(), 2);
}

#[test]
fn a_flux_beside_a_value_has_a_logarithm_or_a_root() {
    let square = "square = { rectangle = { from = [0, 0], to = [1, 1] } }";
    let problem = at_corners(square, "square", "wall where y < 0.5", "wall where y > 0.5");
    assert_eq!(problem.written.features.len(), 4, "{:?}", problem.written.features);
    // √r·sin(φ/2) from the side with the value, about the last of the two points where both meet.
    let found = |x: f64, y: f64| last(&problem, x, y);
    let at = if found(0.0, 0.4).abs() < 1e-6 && found(0.0, 0.6).abs() > 0.1 { 0.0 } else { 1.0 };
    let ratio = found(at, 0.9) / found(at, 0.6);
    assert!((ratio - 2.0).abs() < 1e-4 && found(at, 0.1).abs() < 1e-5, "{ratio} {}", found(at, 0.1));

    let problem = at_corners(square, "square", "wall where y < 1e-9", "wall where y > 1e-9");
    assert_eq!(problem.written.features.len(), 4, "{:?}", problem.written.features);
    // Along the side with the value the flux grows as the logarithm of the distance.
    let at = if last(&problem, 1e-6, 0.0).abs() < last(&problem, 1.0 - 1e-6, 0.0).abs() { 0.0 } else { 1.0 };
    let flux = |s: f64| {
        let x = at + (1.0 - 2.0 * at) * s;
        (last(&problem, x, 1e-7) - last(&problem, x, 0.0)) / 1e-7
    };
    let (near, middle, far) = (flux(1e-4), flux(1e-3), flux(1e-2));
    let steps = (near - middle) / (middle - far);
    assert!((middle - far).abs() > 1.0 && (steps - 1.0).abs() < 1e-3, "{near} {middle} {far}");
}

#[test]
fn the_edges_of_a_bore_have_logarithms() {
    let nut = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shapes/nut.toml");
    let features = Problem::read(nut).expect("a problem").written.features;
    assert_eq!(features.len(), 5, "{features:?}");
    assert!(features[3..].iter().all(|own| own.contains("sqrt(x^2 + y^2) - 0.49")), "{features:?}");
}
