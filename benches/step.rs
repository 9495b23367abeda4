//! Times one training step (loss, gradient, Adam) of the fused engine: `cargo bench -p pinn-solve --bench step`.
//!
//! Prints minimum and median milliseconds over repeated steps, for one thread and for all, and the rate over the peak,
//! which is what independent fused multiply–adds on registers reach on the same threads in the same run.
//! The rate counts the layers' matrix products alone, so that everything else counts as overhead.
//! With `-- widths` it times 4 layers of many widths on one thread in their place, whole registers wide or not, and with
//! `-- widths 20 24` of these.

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "every benchmark uses its part")]
mod support;

use pinn::internals::engine::cpu::Isa;
use pinn::internals::simd::Real;
use pinn::settings::Precision;

use support::{Training, multiply_add_rate, problem};

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
    Case { problem: "burgers-soft", depth: 5, width: 100, points: 8192, precision: Precision::F32 },
    Case { problem: "burgers-soft", depth: 8, width: 20, points: 10_000, precision: Precision::F64 },
    Case { problem: "burgers-soft", depth: 3, width: 20, points: 2540, precision: Precision::F32 },
    Case { problem: "burgers-soft", depth: 3, width: 20, points: 2540, precision: Precision::F64 },
    Case { problem: "black-scholes-soft", depth: 50, width: 64, points: 2000, precision: Precision::F32 },
    Case { problem: "kdv", depth: 4, width: 64, points: 2000, precision: Precision::F64 },
    Case { problem: "beam", depth: 4, width: 64, points: 2000, precision: Precision::F64 },
    Case { problem: "poisson-5d", depth: 4, width: 64, points: 2000, precision: Precision::F64 },
];

/// Widths, those that fill registers in either precision among them.
const WIDTHS: &[usize] = &[16, 18, 20, 24, 28, 30, 32, 36, 40, 48, 50, 56, 64, 96, 100, 104, 112];
/// Every width has so many turns.
const TURNS: usize = 5;

fn main() {
    if std::env::args().any(|argument| argument == "widths") {
        let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
        let asked = if asked.is_empty() { WIDTHS } else { &asked };
        widths::<f64>(asked);
        widths::<f32>(asked);
        return;
    }
    let cores = support::cores();
    println!("{} cores, {}", cores, Isa::best().name());
    println!("problem         layers  points  precision  threads   min ms  median ms  GFLOP/s  of peak");
    for case in CASES {
        for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
            match case.precision {
                Precision::F32 => time::<f32>(case, threads),
                Precision::F64 => time::<f64>(case, threads),
            }
        }
    }
}

fn time<R: Real>(case: &Case, threads: usize) {
    let problem = problem(case.problem, case.depth, case.width, "physics", case.points);
    let mut engine = support::engine::<R>(&problem, threads);
    let products = engine.0.work().products;
    let mut training = Training::new(&problem, engine);
    let mut times = vec![];
    let mut peak = 0.0_f64;
    for step in 0..WARM_UP + STEPS {
        if step % 8 == 0 {
            // Between the steps, so that both see the same machine.
            peak = peak.max(multiply_add_rate::<R>(threads));
        }
        times.push(training.step().0);
    }
    let mut times = times.split_off(WARM_UP);
    times.sort_by(f64::total_cmp);
    let rate = products as f64 * 2.0 / times[0] / 1e6;
    println!(
        "{:15} {:>6} {:>7}  {:>9}  {threads:>7} {:>8.3} {:>10.3} {rate:>8.1} {:>7.0}%",
        case.problem,
        format!("{}x{}", case.depth, case.width),
        case.points,
        R::NAME,
        times[0],
        times[times.len() / 2],
        100.0 * rate / peak
    );
}

/// The least milliseconds of a step, width by width.
fn widths<R: Real>(asked: &[usize]) {
    let make = |&width: &usize| {
        let problem = problem("burgers-soft", 4, width, "physics", 4000);
        Training::new(&problem, support::engine::<R>(&problem, 1))
    };
    let mut runs: Vec<Training> = asked.iter().map(make).collect();
    let mut least = vec![f64::INFINITY; runs.len()];
    for _ in 0..TURNS {
        for (run, least) in runs.iter_mut().zip(&mut least) {
            for _ in 0..WARM_UP + STEPS {
                *least = least.min(run.step().0);
            }
        }
    }
    for (width, least) in asked.iter().zip(least) {
        println!("{:>5} {width:>4} {least:>8.3} ms", R::NAME);
    }
}
