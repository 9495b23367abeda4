//! Times the least-squares side of the fused engine, and what a step does with it: `cargo bench --bench normal`.
//!
//! Prints minimum and median milliseconds of the normal equations, their rate counting the products of JᵀJ's lower
//! triangle alone (rows·n·(n+1) operations, so that the sweeps that make the rows count as overhead), and that rate
//! over the peak, which is what independent fused multiply–adds on registers reach on the same threads in the same run.
//! Beside them: a gradient, a product JᵀJ·v, and a Cholesky factorization with its solution, which is sequential.

use std::path::Path;
use std::time::Instant;

use faer::Side;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, MatRef};
use pinn::activation::Activation;
use pinn::engine::cpu::{CpuEngine, Isa};
use pinn::engine::{Engine, Jacobian};
use pinn::problem::{Document, Problem, embedded};
use pinn::{init, sample};
use pulp::{Arch, Simd, WithSimd};

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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
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
    let problem = problem(case);
    let shape = problem.shape();
    let activation = Activation::parse(&problem.network.activation).expect("a known activation");
    let mut engine =
        CpuEngine::<f64>::new(&problem, &shape, &activation, threads, Isa::best()).expect("an engine");
    for (i, condition) in problem.conditions.iter().enumerate() {
        let (points, data) = sample::points(&problem, condition, 0, 0);
        engine.set_points(i, &points, data);
    }
    let theta = init::draw(&shape, &activation, &problem.network, 0).expect("initial parameters");
    let n = theta.len();
    let rows = engine.residual_count();
    let mut terms = vec![0.0; problem.conditions.len()];
    let (mut matrix, mut vector) = (vec![0.0; n * n], vec![0.0; n]);
    let mut peak = 0.0_f64;
    let normal = milliseconds(|| {
        // Between the repetitions, so that both see the same machine.
        peak = peak.max(multiply_add_rate(threads));
        let start = Instant::now();
        engine.normal_equations(&theta, &mut terms, &mut matrix, &mut vector);
        start
    });
    let gradient = milliseconds(|| {
        let start = Instant::now();
        engine.loss_and_gradient(&theta, &mut terms, &mut vector);
        start
    });
    let mut product = vec![0.0; n];
    let product = milliseconds(|| {
        let start = Instant::now();
        engine.gauss_newton_product(&theta, &theta, &mut product);
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

/// GFLOP/s of independent multiply–adds in double precision that never leave their registers, on `threads` threads.
fn multiply_add_rate(threads: usize) -> f64 {
    struct Spin(usize);
    impl WithSimd for Spin {
        type Output = f64;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f64 {
            // As many chains as hide the latency of an instruction, few enough for 16 registers.
            let mut sums: [S::f64s; 12] =
                std::array::from_fn(|i| simd.splat_f64s(std::hint::black_box(i as f64)));
            let (factor, offset) = (simd.splat_f64s(0.999), simd.splat_f64s(0.001));
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = simd.mul_add_e_f64s(*sum, factor, offset);
                }
            }
            sums.into_iter().map(|sum| simd.reduce_sum_f64s(sum)).sum::<f64>() / S::F64_LANES as f64
        }
    }
    const TURNS: usize = 1_000_000;
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F64_LANES
        }
    }
    let lanes = Arch::new().dispatch(Lanes);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| std::hint::black_box(Arch::new().dispatch(Spin(std::hint::black_box(TURNS)))));
        }
    });
    (threads * TURNS * 12 * lanes * 2) as f64 / start.elapsed().as_secs_f64() / 1e9
}

fn problem(case: &Case) -> Problem {
    let (name, text) = embedded().iter().find(|(name, _)| *name == case.problem).expect("a built-in problem");
    let mut document = Document::parse(name, text).expect("TOML");
    for (key, value) in [
        ("network.depth", case.depth),
        ("network.width", case.width),
        (&format!("conditions.{}.points", case.condition), case.points),
    ] {
        document.set(key, &value.to_string()).expect("a key");
    }
    document.build(Path::new("")).expect("a problem").0
}
