//! Times what the quasi-Newton methods do between evaluations: `cargo bench -p pinn-solve --bench curvature`.
//!
//! Prints minimum and median microseconds of a step on a function that costs next to nothing, for one thread and for all,
//! and the gigabytes a second at which a step goes over what the method remembers: once over the lower triangle of the
//! inverse Hessian, twice over the pairs of L-BFGS.

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "every benchmark uses its part")]
mod support;

use std::sync::Arc;
use std::time::Instant;

use pinn::internals::optim::{self, Layout, Objective};
use pinn::internals::team::Team;
use pinn::settings::{Lbfgs, QuasiNewton, Stage};

/// Pairs that L-BFGS keeps.
const PAIRS: usize = 50;
/// Steps before those that are timed: all pairs are there.
const WARM_UP: usize = PAIRS + 5;
/// Repetitions that are timed, each of several steps.
const REPETITIONS: usize = 15;

/// Σ cᵢxᵢ²/2 + xᵢ⁴/4, whose curvatures c at 0 range from 1 to 10⁴.
struct Bowl;

impl Objective for Bowl {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.value_and_gradient(theta, &mut vec![0.0; theta.len()])
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        let last = (theta.len() - 1) as f64;
        let mut value = 0.0;
        for (i, (x, g)) in theta.iter().zip(gradient).enumerate() {
            let curvature = 1.0 + 1e4 * i as f64 / last;
            value += 0.5 * curvature * x * x + 0.25 * x.powi(4);
            *g = curvature * x + x.powi(3);
        }
        value
    }
}

fn main() {
    let cores = support::cores();
    println!("method          n  threads     min us  median us   GB/s");
    let dense = Stage::Ssbroyden(QuasiNewton { steps: usize::MAX, ..QuasiNewton::default() });
    let pairs = Stage::Lbfgs(Lbfgs { steps: usize::MAX, history: PAIRS });
    for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
        for n in [481, 941, 1921, 4001] {
            time(&dense, n, threads, 4 * n * n);
        }
        for n in [2000, 20_000, 200_000] {
            time(&pairs, n, threads, 2 * 16 * PAIRS * n);
        }
    }
}

/// Times steps that go over `bytes` of memory each.
fn time(stage: &Stage, n: usize, threads: usize, bytes: usize) {
    let team = Arc::new(Team::new(threads).expect("threads"));
    let mut optimizer = optim::new(stage, &Layout::plain(n, 1.0), &team);
    let mut theta: Vec<f64> = (0..n).map(|i| 1.0 + 0.1 * (i % 7) as f64).collect();
    let mut steps = |count: usize| {
        for _ in 0..count {
            optimizer.step(&mut theta, &mut Bowl);
        }
    };
    steps(WARM_UP);
    let count = (20_000_000 / bytes).max(1);
    let mut times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            steps(count);
            1e6 * start.elapsed().as_secs_f64() / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{:9} {n:>8} {threads:>8} {:>10.0} {:>10.0} {:>6.1}",
        stage.name(),
        times[0],
        times[REPETITIONS / 2],
        bytes as f64 / times[0] / 1e3
    );
}
