//! pinn-solve's side of the benchmark: `worker PROBLEM DEPTH WIDTH POINTS PRECISION THREADS FILE`.
//!
//! Writes initial weights (`theta`) and every condition's points and λ to a safetensors file, from which the peers start
//! (to none if FILE is `-`), and answers with a line of JSON: the losses before each of a few Adam steps, and the work of
//! one, counted.
//! Then, for every line `{"steps": n}`, it answers with the milliseconds of n further steps;
//! for `{"peak": true}` with the GFLOP/s of multiply–adds that never leave their registers.

#[path = "../benches/support/mod.rs"]
#[expect(dead_code, reason = "every benchmark uses its part")]
mod support;

use std::io::BufRead;

use pinn::internals::engine::cpu::{Isa, Work};
use pinn::internals::sample;
use pinn::internals::simd::Real;
use pinn::problem::Problem;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use support::Training;

/// Steps whose losses are compared.
const FIRST_STEPS: usize = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.get(4).map(String::as_str) {
        Some("f32") if arguments.len() == 7 => work::<f32>(&arguments),
        Some("f64") if arguments.len() == 7 => work::<f64>(&arguments),
        _ => {
            eprintln!(
                "worker PROBLEM DEPTH WIDTH POINTS PRECISION THREADS FILE; started by benchmarks/run.py"
            );
        }
    }
}

fn work<R: Real>(arguments: &[String]) {
    let number = |i: usize| arguments[i].parse().expect("a number");
    let threads = number(5);
    let problem = support::problem(&arguments[0], number(1), number(2), "physics", number(3));
    let (mut engine, theta) = support::engine::<R>(&problem, threads);
    if arguments[6] != "-" {
        export(&problem, &theta, &arguments[6]);
    }
    let Work { rows, products, workspace, points } = engine.work();
    let mut training = Training::new(&problem, (engine, theta));
    let losses: Vec<f64> = (0..FIRST_STEPS).map(|_| training.step().1).collect();
    let work = json!({ "rows": rows, "products": products, "workspace": workspace, "points": points });
    println!("{}", json!({ "losses": losses, "work": work, "isa": Isa::best().name(), "compile_s": 0.0 }));
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if let Some(steps) = order["steps"].as_u64() {
            let times: Vec<f64> = (0..steps).map(|_| training.step().0).collect();
            println!("{}", json!({ "ms": times }));
        } else {
            let rates = (0..5).map(|_| support::multiply_add_rate::<R>(threads));
            println!("{}", json!({ "gflops": rates.fold(0.0, f64::max) }));
        }
    }
}

/// Writes initial weights and all points for the peers.
fn export(problem: &Problem, theta: &[f64], path: &str) {
    let bytes = |values: &[f64]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let dimensions = problem.coordinates.len();
    let mut tensors = vec![("theta".to_owned(), vec![theta.len()], bytes(theta))];
    for condition in &problem.conditions {
        let points = sample::points(problem, condition, 0, 0).rows;
        tensors.push((condition.name.clone(), vec![points.len() / dimensions, dimensions], bytes(&points)));
        tensors.push((format!("weight {}", condition.name), vec![1], bytes(&[condition.weight])));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F64, shape.clone(), bytes).expect("as many numbers as the shape says"))
    });
    let file = safetensors::serialize(views, None).expect("distinct names");
    std::fs::write(path, file).expect("a file that can be written");
}
