//! Times the least-squares side of the fused engine, and what a step does with it: `cargo bench -p pinn-solve --bench normal`.
//!
//! Prints minimum and median milliseconds of the normal equations, their rate counting the products of JᵀJ's lower
//! triangle alone (rows·n·(n+1) operations, so that the sweeps that make the rows count as overhead), and that rate
//! over the peak, which is what independent fused multiply–adds on registers reach on the same threads in the same run.
//! Beside them: a gradient, a product JᵀJ·v, and a Cholesky factorization with its solution, which is sequential.

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "every benchmark uses its part")]
mod support;

use std::time::Instant;

use faer::Side;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, MatRef};
use pinn::internals::engine::cpu::Isa;
use pinn::internals::engine::{Differentiable, Jacobian};

use support::multiply_add_rate;

/// Repetitions that are timed, after one warm-up.
const REPETITIONS: usize = 9;

struct Case {
    problem: &'static str,
    condition: &'static str,
    depth: usize,
    width: usize,
    points: usize,
}

const CASES: &[Case] = &[
    Case { problem: "burgers-soft", condition: "physics", depth: 3, width: 20, points: 10_000 },
    Case { problem: "burgers-soft", condition: "physics", depth: 4, width: 24, points: 10_000 },
    Case { problem: "burgers-soft", condition: "physics", depth: 4, width: 32, points: 5000 },
    Case { problem: "kovasznay", condition: "momentum", depth: 3, width: 20, points: 3000 },
];

fn main() {
    let cores = support::cores();
    println!("{} cores, {}", cores, Isa::best().name());
    println!(
        "problem    layers      n    rows  threads  JtJ ms (min  median)  GFLOP/s  peak  of peak  \
         gradient ms  product ms  cholesky ms"
    );
    for case in CASES {
        for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
            time(case, threads);
        }
    }
}

fn time(case: &Case, threads: usize) {
    let problem = support::problem(case.problem, case.depth, case.width, case.condition, case.points);
    let (mut engine, theta) = support::engine::<f64>(&problem, threads);
    let n = theta.len();
    let rows = engine.residual_count();
    let (weights, mut terms) = (problem.weights(), vec![0.0; problem.conditions.len()]);
    let (mut matrix, mut vector) = (vec![0.0; n * n], vec![0.0; n]);
    let mut peak = 0.0_f64;
    let normal = milliseconds(|| {
        // Between the repetitions, so that both see the same machine.
        peak = peak.max(multiply_add_rate::<f64>(threads));
        let start = Instant::now();
        engine.normal_equations(&theta, &weights, &mut terms, &mut matrix, &mut vector);
        start
    });
    let gradient = milliseconds(|| {
        let start = Instant::now();
        engine.loss_and_gradient(&theta, &weights, &mut terms, &mut vector);
        start
    });
    let mut product = vec![0.0; n];
    let product = milliseconds(|| {
        let start = Instant::now();
        engine.gauss_newton_product(&theta, &weights, &theta, &mut product);
        start
    });
    for i in 0..n {
        matrix[i * (n + 1)] += 1e-3;
    }
    let cholesky = milliseconds(|| {
        let start = Instant::now();
        let matrix = MatRef::from_column_major_slice(&matrix, n, n);
        let factor = Llt::new(matrix, Side::Lower).expect("damped, it is positive definite");
        std::hint::black_box(factor.solve(Mat::from_fn(n, 1, |i, _| vector[i])));
        start
    });
    let rate = (rows * n * (n + 1)) as f64 / normal[0] / 1e6;
    let layers = format!("{}x{}", case.depth, case.width);
    println!(
        "{:10} {layers:>6} {n:>6} {rows:>7}  {threads:>7}      {:>8.1} {:>8.1}  {rate:>7.1} {peak:>5.0} {:>7.0}%  \
         {:>11.1} {:>11.1} {:>12.1}",
        case.problem,
        normal[0],
        normal[REPETITIONS / 2],
        100.0 * rate / peak,
        gradient[0],
        product[0],
        cholesky[0]
    );
}

/// Milliseconds since the instants that `repeat` returns, sorted.
fn milliseconds(mut repeat: impl FnMut() -> Instant) -> Vec<f64> {
    repeat();
    let mut times: Vec<f64> = (0..REPETITIONS).map(|_| 1e3 * repeat().elapsed().as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    times
}
