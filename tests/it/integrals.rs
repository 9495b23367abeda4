//! Problems with integrals, solved with small networks: the files of docs/integrals, from their text to a verdict.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use pinn::Problem;
use pinn::internals::verdict::Word;
use pinn::problem::Document;

/// A file of docs/integrals with the network and the stages of a moment.
fn small(name: &str) -> Problem {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/integrals");
    let text = fs::read_to_string(folder.join(name)).expect("there");
    let mut document = Document::parse(name, &text).expect("TOML");
    document.set("conditions.equation.points", "40").expect("a key");
    document.set("network", "{ depth = 2, width = 10 }").expect("a key");
    let stages = "[{ adam = { steps = 100 } }, { ssbroyden = { steps = 500 } }]";
    document.set("training.stages", stages).expect("a key");
    pinn::internals::auto::complete(&document, &folder).expect("a problem").problem
}

fn distance(found: &[f64], exact: &[f64]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(exact).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied())
}

/// DeepXDE's two integro-differential demonstrations, and Fredholm's equation, against their closed forms.
#[test]
fn equations_with_integrals_are_solved() {
    let check = |name: &str, exact: fn(f64) -> f64, length: f64| {
        let problem = small(name);
        let mut trained = pinn::solve(&problem).expect("trained");
        let points: Vec<f64> = (0..=50).map(|i| length * f64::from(i) / 50.0).collect();
        let exact: Vec<f64> = points.iter().map(|&x| exact(x)).collect();
        let off = distance(&trained.predict(&points).expect("predicted"), &exact);
        assert!(off < 1e-5, "{name}: {off:e}");
        // What is asked of a trained network may be integrated, with more nodes than it was trained with.
        let end = format!("integral(u, x = 0..{length}, nodes = 60)");
        let quantity = trained.quantity(&end).expect("a quantity");
        let found = trained.evaluate(&quantity, &[0.0], &[]).expect("evaluated")[0];
        let steps = 20_000;
        let middle = |i: u32| (f64::from(i) + 0.5) * length / f64::from(steps);
        let sum: f64 = (0..steps).map(|i| exact_of(name, middle(i))).sum::<f64>() * length / f64::from(steps);
        assert!((found - sum).abs() < 1e-4, "{name}: {found} {sum}");
    };
    check("volterra.toml", |x| exact_of("volterra.toml", x), 5.0);
    check("memory.toml", |x| exact_of("memory.toml", x), 1.0);
    check("fredholm.toml", |x| exact_of("fredholm.toml", x), 1.0);
}

fn exact_of(name: &str, x: f64) -> f64 {
    match name {
        "volterra.toml" => (-x).exp() * x.cosh(),
        "memory.toml" => (2.0 * std::f64::consts::PI * x).sin(),
        _ => (-x).exp(),
    }
}

/// What the nodes of an integral leave out is part of the estimated error, however small the residuals are with them.
#[test]
fn equations_with_too_few_nodes_are_not_called_solved() {
    // Solved by exp(−x); with 5 nodes the sum that stands for the integral is off by a few per cent.
    let judged = |nodes: usize| {
        let kernel = "exp(-40*(x - s)^2)";
        let text = format!(
            "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {{}}\n[conditions.equation]\nplace = \"interior\"\n\
             residual = \"u - integral({kernel}*u(s), s = 0..1, nodes = {nodes}) - f\"\npoints = 60\n\
             [definitions]\nf = \"exp(-x) - integral({kernel}*exp(-s), s = 0..1, nodes = 60)\"\n\
             [reference]\nsolution = {{ u = \"exp(-x)\" }}\n[network]\ndepth = 2\nwidth = 10\n\
             [[training.stages]]\nadam = {{ steps = 100 }}\n[[training.stages]]\nssbroyden = {{ steps = 300 }}\n"
        );
        let problem = Problem::parse(&text).expect("a problem");
        let mut trained = pinn::solve(&problem).expect("trained");
        let evaluation = trained.evaluation();
        let error = evaluation.scores[0].as_ref().and_then(|score| score.rel_l2).expect("a reference");
        (trained.judge(&evaluation), error, evaluation)
    };
    let (verdict, error, evaluation) = judged(5);
    let residual = &evaluation.residuals[0];
    let change = residual.quadrature.expect("an integral");
    assert!(residual.relative < 2e-3 && change > 0.03, "{residual:?}");
    assert_eq!(verdict.word, Word::Doubtful, "{verdict:?}");
    assert!(verdict.reason.contains("too few nodes"), "{verdict:?}");
    let estimated = verdict.estimated_error.expect("an estimate");
    assert!(error > 1e-3 && (0.3..3.0).contains(&(estimated / error)), "{estimated:e} {error:e}");
    let (verdict, error, evaluation) = judged(40);
    assert!(evaluation.residuals[0].quadrature.expect("an integral") < 1e-12, "{evaluation:?}");
    assert_eq!(verdict.word, Word::Solved, "{verdict:?}");
    assert!(error < 1e-4, "{error:e}");
}

/// Poisson's equation with fluxes on all of its wall is made unique by a mean, and what is asked of it are area, moments and
/// the flux through the wall.
#[test]
fn integrals_over_places_settle_constants_and_give_fluxes() {
    let problem = small("mean.toml");
    let mut trained = pinn::solve(&problem).expect("trained");
    let points = [0.3, 0.4, -0.5, 0.0, 0.0, -0.9];
    let exact = |x: f64, y: f64| x * x + y * y - 0.5 + x * (x * x + y * y - 1.0) / 2.0;
    let exact: Vec<f64> = points.chunks_exact(2).map(|at| exact(at[0], at[1])).collect();
    let off = distance(&trained.predict(&points).expect("predicted"), &exact);
    assert!(off < 1e-3, "{off:e}");
    let pi = std::f64::consts::PI;
    let mut check = |formula: &str, exact: f64, within: f64| {
        let quantity = trained.quantity(formula).expect("a quantity");
        let found = trained.evaluate(&quantity, &[0.1, 0.2], &[]).expect("evaluated")[0];
        assert!((found - exact).abs() < within, "{formula}: {found} {exact}");
    };
    check("integral(1, over interior)", pi, 1e-12);
    check("integral(x^2*y^4, over region disk)", pi / 64.0, 1e-13);
    check("integral(x*n_x + y*n_y, over wall)", 2.0 * pi, 1e-10);
    check("integral(u_n, over wall of disk)", 4.0 * pi, 1e-2);
    let refused = trained.quantity("integral(u, over region dsk)").expect_err("no such shape").to_string();
    assert!(refused.contains("did you mean `disk`?"), "{refused}");
}

/// Over bodies, their walls and faces, against closed forms: divergence theorems hold on meshes as on shapes.
#[test]
fn integrals_over_bodies_meshes_and_faces_are_right() {
    const SMALL: &str = "[unknowns]\nu = {}\n[network]\ndepth = 1\nwidth = 4\n[training]\nauto = false\n\
        stages = [{ adam = { steps = 1 } }]\n[conditions.c]\nplace = \"interior\"\nresidual = \"u\"\npoints = 10\n";
    let check = |domain: &str, at: &[f64], expected: &[(&str, f64, f64)]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/shapes");
        let document = Document::parse("body.toml", &format!("{domain}\n{SMALL}")).expect("TOML");
        let (problem, _) = document.build(&folder).unwrap_or_else(|wrong| panic!("{wrong}"));
        let mut trained = pinn::solve(&problem).expect("trained");
        for &(formula, exact, within) in expected {
            let quantity = trained.quantity(formula).unwrap_or_else(|wrong| panic!("{formula}: {wrong}"));
            let found = trained.evaluate(&quantity, at, &[]).expect("evaluated")[0];
            assert!((found - exact).abs() < within, "{formula}: {found} {exact}");
            // Where the nodes are too few, `predict` says so.
            let (off, change) = ((found - exact).abs() / exact.abs(), trained.quadrature(formula));
            assert!(
                exact == 0.0 || off < 1e-4 || change.is_some_and(|change| change > 0.3 * off),
                "{change:?} {off}"
            );
        }
    };
    let pi = std::f64::consts::PI;
    let flux = "integral(x*n_x + y*n_y + z*n_z, over wall)";
    let space = "[coordinates]\nx = {}\ny = {}\nz = {}\n[shapes]";
    check(
        &format!(
            "{space}\nouter = {{ ball = {{ center = [0, 0, 0], radius = 1 }} }}\n\
             inner = {{ ball = {{ center = [0, 0, 0], radius = 0.5 }} }}\n[domain]\nregion = \"outer - inner\""
        ),
        &[0.7, 0.0, 0.0],
        &[
            ("integral(1, over interior)", 7.0 / 6.0 * pi, 1e-8),
            ("integral(x^2, over interior)", 4.0 / 15.0 * pi * (1.0 - 0.5_f64.powi(5)), 1e-2),
            ("integral(x^2, over wall of inner)", pi / 12.0, 1e-10),
            (flux, 3.5 * pi, 1e-10),
        ],
    );
    // A mesh of 264 triangles: a hexagonal prism of height 1/2 with a hole, a polygon of 48 corners on a circle of radius 1/2.
    let base = 1.5 * 3.0_f64.sqrt() - 6.0 * (pi / 24.0).sin();
    check(
        &format!("{space}\nnut = {{ mesh = \"data/nut.stl\" }}\n[domain]\nregion = \"nut\""),
        &[0.7, 0.0, 0.2],
        &[
            (flux, 1.5 * base, 1e-6),
            ("integral(n_x, over wall)", 0.0, 1e-6),
            ("integral(z^2*n_z, over wall)", base / 4.0, 1e-6),
            ("integral(1, over interior)", base / 2.0, 1e-6),
        ],
    );
    // Seven pieces: the faces of a box, one with a hole, and the hole's own.
    check(
        &format!(
            "{space}\nblock = {{ box = {{ from = [0, 0, 0], to = [2, 2, 1] }} }}\n\
             hole = {{ cylinder = {{ from = [1, 1, 0], to = [1, 1, 1], radius = 0.5 }} }}\n\
             [domain]\nregion = \"block - hole\""
        ),
        &[0.1, 0.1, 0.1],
        &[
            (flux, 3.0 * (4.0 - pi / 4.0), 1e-4),
            ("integral(x^2, over wall of hole)", pi * (1.0 + 0.125), 1e-8),
        ],
    );
    check(
        "[coordinates]\nx = [0, 2]\ny = [0, 1]\nt = [0, 3]",
        &[0.3, 0.4, 0.5],
        &[
            ("integral(x*y^2*t, over interior)", 2.0 / 3.0 * 0.5, 1e-13),
            ("integral(x*y^2*t, over x = 2)", 2.0 / 3.0 * 0.5, 1e-13),
            ("integral(1 + x, over boundary)", 12.0, 1e-12),
            ("integral(x, over t = 1)", 2.0, 1e-12),
        ],
    );
}

/// Conditions with integrals over places are held beside their terms: what is missed by all that it is, is not solved.
#[test]
fn what_integrals_over_places_miss_is_told() {
    let text = "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {}\n[network]\ndepth = 1\nwidth = 8\n[training]\n\
                stages = [{ adam = { steps = 100 } }, { ssbroyden = { steps = 150 } }]\n[conditions.equation]\n\
                place = \"interior\"\nresidual = \"u_xx + sin(pi*x)\"\npoints = 60\n[conditions.ends]\n\
                place = [\"x = 0\", \"x = 1\"]\nresidual = \"u\"\n[conditions.total]\nplace = \"x = 0\"\n\
                residual = \"integral(u, PLACE) - 5\"\nweight = 1e-6\n";
    for place in ["over interior", "x = 0..1"] {
        let problem = Problem::parse(&text.replace("PLACE", place)).expect("a problem");
        let mut trained = pinn::solve(&problem).expect("trained");
        let relative = trained.evaluation().residuals[2].relative;
        assert!(relative > 0.9, "{place}: {relative}");
        assert_eq!(trained.verdict().word, Word::NotSolved, "{place}");
    }
}

/// Too many nodes are refused before they are made, too few where none of them counts, with what would do.
#[test]
fn nodes_are_as_many_as_a_place_can_have() {
    let said = |domain: &str, residual: &str| {
        let text = format!(
            "{domain}\n[unknowns]\nu = {{}}\n[conditions.c]\nplace = \"interior\"\nresidual = \"u - {residual}\"\n"
        );
        let built = Document::parse("nodes.toml", &text).expect("TOML").build(Path::new(""));
        built.map_or_else(|wrong| wrong.to_string(), |_| String::new())
    };
    let plate = "[coordinates]\nx = {}\ny = {}\n[shapes]\n\
                 plate = { rectangle = { from = [-1, -1], to = [2, 1] } }\n[domain]\nregion = \"plate\"";
    let ball = "[coordinates]\nx = {}\ny = {}\nz = {}\n[shapes]\n\
                ball = { ball = { center = [0, 0, 0], radius = 1 } }\nhole = { ball = { center = [0, 0, 0], radius = 0.9 } }\n\
                [domain]\nregion = \"ball - hole\"";
    let cube = "[coordinates]\nx = { domain = [0, 1], count = 4 }";
    for (domain, residual, expected) in [
        (plate, "integral(u, over interior, nodes = 4000)", "places, more than 4000"),
        (plate, "integral(u, over interior, nodes = 4000)", "here at most 63 along every line"),
        (ball, "integral(u, over interior, nodes = 5)", "of so few nodes, none lies in"),
        (cube, "integral(u, over boundary, nodes = 1000)", "here at most 500"),
        (cube, "integral(u, over boundary)", ""),
    ] {
        let said = said(domain, residual);
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{residual}: {said}");
    }
}

/// What problems with integrals cannot have is said in one sentence each.
#[test]
fn what_integrals_rule_out_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |change: &[&str], expected: &str| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/integrals/memory.toml");
        let mut command = Command::cargo_bin("pinn-solve").expect("the program");
        command.current_dir(folder.path()).args(["check", file]);
        let output =
            command.args(change.iter().flat_map(|change| ["--set", change])).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{expected} is missing in\n{said}");
    };
    refused(&["training.windows=2"], "holds an integral, which may reach into other windows");
    refused(&["unknowns.u=\"net - integral(net, x = 0..1)\""], "holds an integral of the network");
    refused(
        &["conditions.start.residual=\"integral(u, x = 0..1)\"", "conditions.start.enforce=\"exact\""],
        "integral",
    );
    refused(&["conditions.start.residual=\"u - integral(u, x = 0..2)\""], "beyond the domain [0, 1]");
}
