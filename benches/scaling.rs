//! How many threads a step can use: `cargo bench -p pinn-solve --bench scaling`.
//!
//! One thread times every piece of work that a team would share out.
//! From these follows what a step would take on more: the pieces of a round go to whoever is free first, everybody waits at its end,
//! and what is not shared out stays as it is.
//! What such a machine's memory and a wake-up would add is not in it; the last column has how often a step waits.

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "every benchmark uses its part")]
mod support;

use std::time::{Duration, Instant};

use pinn::problem::Problem;
use pinn::settings::Stage;

use support::{Training, changed, cores, engine};

/// Threads that are looked at.
const THREADS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Steps that are timed, after a warm-up.
const STEPS: usize = 60;
const WARM_UP: usize = 10;

/// A built-in problem with some keys changed, and the method of its steps.
struct Case {
    name: &'static str,
    problem: &'static str,
    changes: &'static [(&'static str, &'static str)],
    method: &'static str,
}

const CASES: &[Case] = &[
    Case { name: "burgers", problem: "burgers", changes: &[], method: "ssbroyden = { steps = 1000 }" },
    Case { name: "kdv", problem: "kdv", changes: &[], method: "ssbroyden = { steps = 1000 }" },
    Case {
        name: "black-scholes",
        problem: "black-scholes",
        changes: &[],
        method: "ssbroyden = { steps = 1000 }",
    },
    Case { name: "poisson-5d", problem: "poisson-5d", changes: &[], method: "ssbroyden = { steps = 1000 }" },
    Case {
        name: "burgers-soft, 50 x 64, 2,000 points",
        problem: "burgers-soft",
        changes: &[("network.depth", "50"), ("network.width", "64"), ("conditions.physics.points", "2000")],
        method: "adam = { steps = 1000 }",
    },
    Case {
        name: "burgers-soft, 4 x 64, 10,000 points",
        problem: "burgers-soft",
        changes: &[("network.depth", "4"), ("network.width", "64"), ("conditions.physics.points", "10000")],
        method: "lbfgs = { steps = 1000 }",
    },
    Case {
        name: "burgers, 3 x 20, 6,000 points",
        problem: "burgers",
        changes: &[("network.depth", "3"), ("network.width", "20"), ("conditions.physics.points", "6000")],
        method: "lm = { steps = 1000 }",
    },
];

fn main() {
    let heads: String = THREADS.iter().map(|threads| format!("{threads:>7}")).collect();
    println!("{:36} {:10} {:>8} {:>7} {heads}  rounds", "times as fast on threads", "", "ms", "serial");
    for case in CASES {
        time(case);
    }
}

fn time(case: &Case) {
    let stages = format!("[{{ {} }}]", case.method);
    let problem = changed(case.problem, case.changes.iter().copied().chain([("training.stages", &*stages)]));
    let steps = if case.method.starts_with("lm") { STEPS / 6 } else { STEPS };
    let stage = &problem.training.stages[0];
    let (whole, rounds) = run(stage, &problem, steps, 1);
    let shared: Duration = rounds.iter().flatten().sum();
    let serial = whole.saturating_sub(shared);
    let speeds: String = THREADS
        .iter()
        .map(|&threads| {
            let parallel: Duration = rounds.iter().map(|round| makespan(round, threads)).sum();
            format!("{:>7.1}", whole.as_secs_f64() / (serial + parallel).as_secs_f64())
        })
        .collect();
    println!(
        "{:36} {:10} {:>8.2} {:>6.1}% {speeds} {:>7.1}",
        case.name,
        stage.name(),
        1e3 * whole.as_secs_f64() / steps as f64,
        100.0 * serial.as_secs_f64() / whole.as_secs_f64(),
        rounds.len() as f64 / steps as f64,
    );
    if cores() > 1 {
        let (both, _) = run(stage, &problem, steps, 2);
        println!("{:36} measured on two: {:.2}", "", whole.as_secs_f64() / both.as_secs_f64());
    }
}

/// What so many steps take, and on one thread every item of every round.
fn run(stage: &Stage, problem: &Problem, steps: usize, threads: usize) -> (Duration, Vec<Vec<Duration>>) {
    let (engine, theta) = engine::<f64>(problem, threads);
    let mut training = Training::with(stage, problem, Box::new(engine), theta);
    (0..WARM_UP).for_each(|_| _ = training.step());
    training.team().take_times();
    let start = Instant::now();
    (0..steps).for_each(|_| _ = training.step());
    (start.elapsed(), training.team().take_times())
}

/// How long a round takes if every item goes to the thread that is free first.
fn makespan(items: &[Duration], threads: usize) -> Duration {
    let mut busy = vec![Duration::ZERO; threads];
    for item in items {
        *busy.iter_mut().min().expect("a thread") += *item;
    }
    busy.into_iter().max().unwrap_or_default()
}
