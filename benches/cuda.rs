//! Times one training step (loss, gradient, Adam) on the first CUDA device:
//! `cargo bench -p pinn-solve --features cuda --bench cuda [PROBLEM DEPTH WIDTH POINTS]`.
//!
//! Prints median and minimum of the steps' milliseconds, all copies to the device and back included, and seconds before the
//! first step: the kernels' texts compiled, and the points prepared.
//! The rate counts the layers' matrix products alone, as `cargo bench --bench step` does.

use std::path::Path;
use std::time::Instant;

use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::engine::device::{self, Request};
use pinn::internals::engine::{Differentiable, Engine};
use pinn::internals::optim::{self, Objective};
use pinn::internals::{init, sample};
use pinn::problem::{Document, Problem, embedded};
use pinn::settings::{Adam, LearningRateUnit, Precision, Stage};

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

struct Loss {
    engine: Box<dyn Differentiable>,
    weights: Vec<f64>,
    terms: Vec<f64>,
}

impl Objective for Loss {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.engine.loss(theta, &self.weights, &mut self.terms)
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.engine.loss_and_gradient(theta, &self.weights, &mut self.terms, gradient)
    }
}

fn time(&(name, depth, width, points): &(&str, usize, usize, usize), precision: Precision) {
    let (known, text) = embedded().iter().find(|(known, _)| *known == name).expect("a built-in problem");
    let mut document = Document::parse(known, text).expect("TOML");
    for (key, value) in
        [("network.depth", depth), ("network.width", width), ("conditions.physics.points", points)]
    {
        document.set(key, &value.to_string()).expect("a key");
    }
    let mut problem = document.build(Path::new("")).expect("a problem").0;
    problem.training.precision = precision;
    let products = products(&problem);
    let start = Instant::now();
    let request = Request { problem: &problem, threads: 2, chunk: None };
    let mut engine = device::engine("cuda", &request).unwrap_or_else(|wrong| panic!("{wrong}"));
    let compiled = start.elapsed().as_secs_f64();
    set_points(&problem, &mut *engine);
    let prepared = start.elapsed().as_secs_f64() - compiled;
    let mut theta = init::parameters(&problem).expect("initial parameters");
    let settings = Adam { lr: 1e-3, lr_unit: LearningRateUnit::One, ..Adam::default() };
    let mut optimizer = optim::new(&Stage::Adam(settings), theta.len(), 1.0, &engine.team());
    let mut loss = Loss { engine, weights: problem.weights(), terms: vec![0.0; problem.conditions.len()] };
    let mut times = vec![];
    let all = Instant::now();
    while times.len() < 2 * WARM_UP || (times.len() < MOST && all.elapsed().as_secs_f64() < SECONDS) {
        let start = Instant::now();
        optimizer.step(&mut theta, &mut loss);
        times.push(1e3 * start.elapsed().as_secs_f64());
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
fn products(problem: &Problem) -> f64 {
    let mut small = problem.clone();
    let mut count = |points: usize| {
        for condition in small.conditions.iter_mut().filter(|condition| condition.name == "physics") {
            condition.points = points;
        }
        let mut engine = CpuEngine::<f64>::new(&small, 1, Isa::best()).expect("an engine");
        set_points(&small, &mut engine);
        engine.work().products as f64
    };
    let (one, two) = (count(1000), count(2000));
    let points = problem.conditions.iter().find(|condition| condition.name == "physics");
    one + (two - one) / 1000.0 * (points.expect("physics").points as f64 - 1000.0)
}

fn set_points(problem: &Problem, engine: &mut dyn Engine) {
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows, data } = sample::points(problem, condition, 0, 0);
        engine.set_points(i, &rows, &data);
    }
}
