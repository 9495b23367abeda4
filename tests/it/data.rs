//! The data files of the inverse problems: they are what is said of them, and can be made again.
//!
//! `UPDATE_DATA=1 cargo test --release -p pinn-solve --test it data` writes them anew.

use std::fmt::Write as _;
use std::fs;

use pinn::internals::rng;
use pinn::problem::{Place, Problem};
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
