//! The data files of the inverse problems: they are what is said of them, and can be made again.
//!
//! `UPDATE_DATA=1 cargo test --release -p pinn-solve --test it data` writes them anew.

use std::fmt::Write as _;
use std::fs;

use pinn::internals::rng;
use pinn::problem::{Document, Place, Problem};
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::embedded_problem;

/// `count` values of the exact solution at uniform points, with normal noise: seed 1, stream `"data/<name>"`.
///
/// Points are rounded to four digits before the solution is taken there, values to six.
fn samples(problem: &Problem, name: &str, column: &str, count: usize, noise: f64) -> String {
    let mut rng = rng::stream(1, &format!("data/{name}"));
    let names: Vec<_> = problem.coordinates.iter().map(|c| c.name.as_str()).collect();
    let mut text = format!("# Exact values and normal noise of {noise}; made by tests/it/data.rs.\n");
    let _ = writeln!(text, "{},{column}", names.join(","));
    for _ in 0..count {
        let point: Vec<f64> = problem
            .coordinates
            .iter()
            .map(|c| {
                let x = Uniform::new(c.lower, c.upper).expect("a domain").sample(&mut rng);
                (x * 1e4).round() / 1e4
            })
            .collect();
        let reference = problem.reference.as_ref().expect("a reference");
        let exact = reference.solutions[0].as_ref().expect("a solution").evaluate(&point, point.len())[0];
        let error: f64 = StandardNormal.sample(&mut rng);
        let cells: Vec<_> = point.iter().map(f64::to_string).collect();
        let _ = writeln!(text, "{},{:.6}", cells.join(","), exact + noise * error);
    }
    text
}

fn check(problem: &str, file: &str, column: &str, count: usize, noise: f64) {
    let problem = embedded_problem(problem, &[]);
    let text = samples(&problem, file, column, count, noise);
    let path = format!("{}/problems/data/{file}.csv", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DATA").is_some() {
        // The program holds the old ones until it is built anew.
        return fs::write(&path, &text).expect("written");
    }
    assert_eq!(fs::read_to_string(&path).expect("there"), text, "{path}: UPDATE_DATA=1 writes it anew");
    let data = problem.conditions.iter().find_map(|condition| match &condition.place {
        Place::Points { data, .. } => Some(&data[0]),
        _ => None,
    });
    assert_eq!(data.expect("data").len(), count, "the program holds what the file does");
}

#[test]
fn samples_of_burgers_equation_can_be_made_again() {
    check("burgers-inverse", "burgers-samples", "u_obs", 500, 0.01);
}

#[test]
fn option_prices_can_be_made_again() {
    check("black-scholes-inverse", "option-prices", "V_obs", 300, 0.002);
}

/// A rod under a load of which a file has 41 values: u = a(t)·sin(πx) with a(0) = 0 and a' + π²a = q(t).
///
/// The spline is cubic between its points, so that ∫ e^{−π²(t−s)} q(s) ds by five Gauss–Legendre nodes in each piece is exact
/// but for 1e-9 of the exponential.
#[test]
fn a_rod_under_a_measured_load_is_as_warm_as_the_integral_along_its_spline() {
    use std::f64::consts::PI;
    const NODES: [(f64, f64); 5] = [
        (0.0, 0.568_888_888_888_888_9),
        (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
        (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
        (0.906_179_845_938_664, 0.236_926_885_056_189_08),
        (-0.906_179_845_938_664, 0.236_926_885_056_189_08),
    ];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tables");
    let text = fs::read_to_string(folder.join("heated-rod.toml")).expect("there")
        + "[network]\ndepth = 2\nwidth = 16\n[training]\nstages = [{ adam = { steps = 100 } }, { ssbroyden = { steps = 1200 } }]\n";
    let document = Document::parse("heated-rod.toml", &text).expect("TOML");
    let problem = pinn::internals::auto::complete(&document, &folder).expect("a problem").problem;
    let load = problem.tables[0].function.clone();
    let amplitude = |t: f64| {
        let knots = load.axes[0].iter().copied().filter(|&s| s < t).chain([t]).collect::<Vec<_>>();
        let piece = |ends: &[f64]| {
            let (middle, half) = (0.5 * (ends[0] + ends[1]), 0.5 * (ends[1] - ends[0]));
            let at = |&(x, weight): &(f64, f64)| {
                let s = middle + half * x;
                weight * half * (-PI * PI * (t - s)).exp() * load.evaluate(&[s], &[0])
            };
            NODES.iter().map(at).sum::<f64>()
        };
        knots.windows(2).map(piece).sum::<f64>()
    };
    let points: Vec<[f64; 2]> =
        (1..=20).flat_map(|i| (1..=4).map(move |j| [f64::from(j) / 5.0, f64::from(i) / 10.0])).collect();
    let expected: Vec<f64> = points.iter().map(|[x, t]| amplitude(*t) * (PI * x).sin()).collect();
    let mut trained = pinn::solve(&problem).expect("trained");
    let found = trained.predict(points.as_flattened()).expect("predicted");
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let off =
        norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
    assert!(off < 5e-3, "{off:e}");
    assert!(expected.iter().copied().fold(0.0, f64::max) > 1.0);
}
