//! Times one training step (loss, gradient, Adam) on the first CUDA device:
//! `cargo bench -p pinn-solve --features cuda --bench cuda [PROBLEM DEPTH WIDTH POINTS]`.
//!
//! Prints median and minimum of the steps' milliseconds, all copies to the device and back included, and seconds before the
//! first step: the kernels' texts compiled, and the points prepared.
//! The rate counts the layers' matrix products alone, as `cargo bench --bench step` does.

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "the other benchmarks' part of it")]
mod support;

use std::time::Instant;

use pinn::internals::engine::device::{self, Request};
use pinn::internals::ranks::Ranks;
use pinn::settings::Precision;

use support::{Training, parameters, problem, set_points};

/// Seconds for which steps are timed, after a warm-up, and the most of them.
const SECONDS: f64 = 2.0;
const MOST: usize = 300;
const WARM_UP: usize = 5;

const CASES: &[(&str, usize, usize, usize)] = &[
    ("burgers-soft", 50, 64, 2_000),
    ("burgers-soft", 50, 64, 100_000),
    ("burgers-soft", 50, 64, 1_000_000),
    ("burgers-soft", 4, 64, 100_000),
    ("burgers-soft", 3, 20, 100_000),
    ("poisson-5d", 4, 64, 100_000),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("problem         layers  points  precision  median ms    min ms  GFLOP/s  compiled s  points s");
    let number = |k: usize| arguments[k].parse().expect("a number");
    let chosen = (arguments.len() == 4).then(|| (&*arguments[0], number(1), number(2), number(3)));
    for case in chosen.as_slice().iter().chain(CASES.iter().filter(|_| chosen.is_none())) {
        for precision in [Precision::F32, Precision::F64] {
            time(case, precision);
        }
    }
}

fn time(&(name, depth, width, points): &(&str, usize, usize, usize), precision: Precision) {
    let mut problem = problem(name, depth, width, "physics", points);
    problem.training.precision = precision;
    let products = products(&(name, depth, width, points));
    let start = Instant::now();
    let request = Request { problem: &problem, threads: 2, chunk: None, ranks: &Ranks::alone() };
    let mut engine = device::engine("cuda", &request).unwrap_or_else(|wrong| panic!("{wrong}"));
    let compiled = start.elapsed().as_secs_f64();
    set_points(&problem, &mut *engine);
    let prepared = start.elapsed().as_secs_f64() - compiled;
    let mut training = Training::on(&problem, engine, parameters(&problem));
    let mut times = vec![];
    let all = Instant::now();
    while times.len() < 2 * WARM_UP || (times.len() < MOST && all.elapsed().as_secs_f64() < SECONDS) {
        times.push(training.step().0);
    }
    let mut times = times.split_off(WARM_UP);
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!(
        "{name:15} {:>6} {points:>7} {:>10} {median:>10.3} {:>9.3} {:>8.0} {compiled:>11.2} {prepared:>9.2}",
        format!("{depth}x{width}"),
        format!("{precision:?}").to_lowercase(),
        times[0],
        products * 2.0 / median / 1e6,
    );
}

/// Multiply–adds of the layers' matrix products, by the points of a small engine, as they grow with the points.
fn products(&(name, depth, width, points): &(&str, usize, usize, usize)) -> f64 {
    let count = |points: usize| {
        let small = problem(name, depth, width, "physics", points);
        support::engine::<f64>(&small, 1).0.work().products as f64
    };
    let (one, two) = (count(1000), count(2000));
    one + (two - one) / 1000.0 * (points as f64 - 1000.0)
}
