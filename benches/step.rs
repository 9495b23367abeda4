//! Times one training step (loss, gradient, Adam) of the fused engine: `cargo bench -p pinn-solve --bench step`.
//!
//! Prints minimum and median milliseconds over repeated steps, for one thread and for all, and the rate over the peak,
//! which is what independent fused multiply–adds on registers reach on the same threads in the same run.
//! The rate counts the layers' matrix products alone, so that everything else counts as overhead.

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

fn main() {
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
