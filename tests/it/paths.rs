//! The engine on every instruction set of this machine: AVX-512, AVX2 and portable code sum in different orders and
//! fuse differently, and agree to the tolerances that docs/reliability.md states.

use pinn::internals::engine::Differentiable;
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::simd::Real;
use pinn::problem::Problem;

use super::embedded_problem;
use super::engine::{parameters, set_points};

/// Relative differences of loss and gradient (in the norm) that the paths may have.
const TOLERANCE_F64: f64 = 1e-12;
const TOLERANCE_F32: f64 = 1e-4;

/// Loss and gradient on `isa`.
fn gradient<R: Real>(problem: &Problem, isa: Isa) -> (f64, Vec<f64>) {
    let mut engine = CpuEngine::<R>::new(problem, 1, isa).expect("an engine");
    set_points(problem, &mut engine);
    let theta = parameters(problem);
    let (mut terms, mut gradient) = (vec![0.0; problem.conditions.len()], vec![0.0; theta.len()]);
    let loss = engine.loss_and_gradient(&theta, &problem.weights(), &mut terms, &mut gradient);
    (loss, gradient)
}

/// The greatest relative difference of any path's loss or gradient from those of portable code in f64.
fn difference<R: Real>(problem: &Problem) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let (loss, slopes) = gradient::<f64>(problem, Isa::Portable);
    assert!(loss.is_finite() && loss > 0.0);
    let size = norm(&mut slopes.iter().copied());
    let differences = Isa::available().into_iter().map(|isa| {
        let (other_loss, other) = gradient::<R>(problem, isa);
        let slope = norm(&mut slopes.iter().zip(&other).map(|(a, b)| a - b)) / size;
        slope.max((loss - other_loss).abs() / loss)
    });
    differences.fold(0.0, f64::max)
}

#[test]
fn paths_agree_for_every_activation_and_order() {
    let activations = ["tanh", "erf", "arctan", "gd", "softsign_1", "softsign_2", "0.5*tanh(2*x) + erf"];
    let problems = ["black-scholes", "burgers", "allen-cahn", "kovasznay", "kdv", "beam", "poisson-5d"];
    let mut worst = [0.0_f64; 2];
    for (i, name) in problems.into_iter().enumerate() {
        for (j, activation) in activations.into_iter().enumerate() {
            // Widths that fill registers and widths that do not.
            let width = [5, 16, 33][(i + j) % 3].to_string();
            let quoted = format!("\"{activation}\"");
            let changes =
                [("network.depth", "3"), ("network.width", &width), ("network.activation", quoted.as_str())];
            let mut problem = embedded_problem(name, &changes);
            for condition in &mut problem.conditions {
                condition.points = condition.points.min(100);
            }
            let found = [difference::<f64>(&problem), difference::<f32>(&problem)];
            assert!(found[0] <= TOLERANCE_F64, "{name}, {activation}: f64 differs by {:e}", found[0]);
            assert!(found[1] <= TOLERANCE_F32, "{name}, {activation}: f32 differs by {:e}", found[1]);
            worst = [worst[0].max(found[0]), worst[1].max(found[1])];
        }
    }
    eprintln!("{:?}: worst differences {worst:?}", Isa::available());
}
