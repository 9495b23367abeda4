//! pinn-solve's side of the benchmark: `worker PROBLEM DEPTH WIDTH POINTS PRECISION THREADS FILE`.
//!
//! Writes initial weights (`theta`) and the points of every condition to a safetensors file, from which the peers start,
//! and answers with a line of JSON: the losses before each of a few Adam steps, and the multiply–adds of one.
//! Then, for every line `{"steps": n}`, it answers with the milliseconds of n further steps;
//! for `{"peak": true}` with the GFLOP/s of multiply–adds that never leave their registers.

#[path = "../benches/support/mod.rs"]
#[expect(dead_code, reason = "every benchmark uses its part")]
mod support;

use std::io::BufRead;

use pinn::engine::cpu::Isa;
use pinn::sample;
use pinn::simd::Real;
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
            eprintln!("worker PROBLEM DEPTH WIDTH POINTS PRECISION THREADS FILE; started by benchmarks/run.py");
        }
    }
}

fn work<R: Real>(arguments: &[String]) {
    let number = |i: usize| arguments[i].parse().expect("a number");
    let threads = number(5);
    let problem = support::problem(&arguments[0], number(1), number(2), "physics", number(3));
    let (mut engine, theta) = support::engine::<R>(&problem, threads);
    let bytes = |values: &[f64]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let dimensions = problem.coordinates.len();
    let mut tensors = vec![("theta".to_owned(), vec![theta.len()], bytes(&theta))];
    for condition in &problem.conditions {
        let (points, _) = sample::points(&problem, condition, 0, 0);
        tensors.push((condition.name.clone(), vec![points.len() / dimensions, dimensions], bytes(&points)));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F64, shape.clone(), bytes).expect("as many numbers as the shape says"))
    });
    let file = safetensors::serialize(views, None).expect("distinct names");
    std::fs::write(&arguments[6], file).expect("a file that can be written");
    let mut training = Training::new::<R>(&problem, threads);
    let losses: Vec<f64> = (0..FIRST_STEPS).map(|_| training.step().1).collect();
    println!(
        "{}",
        json!({ "losses": losses, "products": engine.work().products, "isa": Isa::best().name(), "compile_s": 0.0 })
    );
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if let Some(steps) = order["steps"].as_u64() {
            let times: Vec<f64> = (0..steps).map(|_| training.step().0).collect();
            println!("{}", json!({ "ms": times }));
        } else {
            println!("{}", json!({ "gflops": support::multiply_add_rate::<R>(threads) }));
        }
    }
}
