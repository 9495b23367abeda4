//! Times one training step (loss, gradient, Adam) of the fused engine: `cargo bench --bench step`.
//!
//! Prints minimum and median milliseconds over repeated steps, for one thread and for all.

use std::path::Path;
use std::time::Instant;

use pinn::activation::Activation;
use pinn::engine::Engine;
use pinn::engine::cpu::{CpuEngine, Isa};
use pinn::optim::{self, Objective};
use pinn::problem::{Document, Problem, embedded};
use pinn::settings::{Adam, Precision, Stage};
use pinn::simd::Real;
use pinn::{init, sample};

/// Steps that are timed, after a warm-up.
const STEPS: usize = 40;
const WARM_UP: usize = 5;

struct Case {
    problem: &'static str,
    depth: usize,
    width: usize,
    points: usize,
    precision: Precision,
}

const CASES: &[Case] = &[
    Case { problem: "burgers-soft", depth: 50, width: 64, points: 2000, precision: Precision::F32 },
    Case { problem: "burgers-soft", depth: 50, width: 64, points: 2000, precision: Precision::F64 },
    Case { problem: "burgers-soft", depth: 4, width: 64, points: 10_000, precision: Precision::F32 },
    Case { problem: "burgers-soft", depth: 8, width: 20, points: 10_000, precision: Precision::F64 },
    Case { problem: "burgers-soft", depth: 3, width: 20, points: 2540, precision: Precision::F32 },
    Case { problem: "burgers-soft", depth: 3, width: 20, points: 2540, precision: Precision::F64 },
    Case { problem: "black-scholes-soft", depth: 50, width: 64, points: 2000, precision: Precision::F32 },
    Case { problem: "kdv", depth: 4, width: 64, points: 2000, precision: Precision::F64 },
    Case { problem: "beam", depth: 4, width: 64, points: 2000, precision: Precision::F64 },
];

struct Loss<'a> {
    engine: &'a mut dyn Engine,
    terms: Vec<f64>,
}

impl Objective for Loss<'_> {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.engine.loss(theta, &mut self.terms)
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.engine.loss_and_gradient(theta, &mut self.terms, gradient)
    }
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{} cores, {}", cores, Isa::best().name());
    println!("problem         layers  points  precision  threads   min ms  median ms");
    for case in CASES {
        for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
            let mut times = match case.precision {
                Precision::F32 => time::<f32>(case, threads),
                Precision::F64 => time::<f64>(case, threads),
            };
            times.sort_by(f64::total_cmp);
            let layers = format!("{}x{}", case.depth, case.width);
            println!(
                "{:15} {layers:>6} {:>7}  {:>9}  {threads:>7} {:>8.3} {:>10.3}",
                case.problem,
                case.points,
                format!("{:?}", case.precision).to_lowercase(),
                times[0],
                times[times.len() / 2]
            );
        }
    }
}

/// Milliseconds of every step.
fn time<R: Real>(case: &Case, threads: usize) -> Vec<f64> {
    let problem = problem(case);
    let shape = problem.shape();
    let activation = Activation::parse(&problem.network.activation).expect("a known activation");
    let mut engine =
        CpuEngine::<R>::new(&problem, &shape, &activation, threads, Isa::best()).expect("an engine");
    for (i, condition) in problem.conditions.iter().enumerate() {
        let (points, data) = sample::points(&problem, condition, 0, 0);
        engine.set_points(i, &points, data);
    }
    let mut theta = init::draw(&shape, &activation, &problem.network, 0).expect("initial parameters");
    let stage = Stage::Adam(Adam { steps: STEPS, ..Adam::default() });
    let mut optimizer = optim::new(&stage, theta.len(), activation.omega());
    let mut loss = Loss { terms: vec![0.0; problem.conditions.len()], engine: &mut engine };
    let mut times = vec![];
    for _ in 0..WARM_UP + STEPS {
        let start = Instant::now();
        optimizer.step(&mut theta, &mut loss);
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    times.split_off(WARM_UP)
}

fn problem(case: &Case) -> Problem {
    let (name, text) = embedded().iter().find(|(name, _)| *name == case.problem).expect("a built-in problem");
    let mut document = Document::parse(name, text).expect("TOML");
    for (key, value) in [
        ("network.depth", case.depth),
        ("network.width", case.width),
        ("conditions.physics.points", case.points),
    ] {
        document.set(key, &value.to_string()).expect("a key");
    }
    document.build(Path::new("")).expect("a problem").0
}
