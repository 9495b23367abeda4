//! The portable engine against the fused one, on every Burn device of this build that this machine has.

use pinn::internals::adapt;
use pinn::internals::engine::Differentiable;
use pinn::internals::engine::device::{self, DEVICES, Request};
use pinn::internals::evaluate::evaluate;
use pinn::internals::ranks::Ranks;
use pinn::internals::train::{Flow, Outcome, State, train};
use pinn::problem::{Problem, embedded};
use pinn::settings::Precision;

use super::agreement::{KINDS, activated, few, spread, with_network};
use super::dimensions::{MANY, drawn, many};
use super::engine::{NETWORKS, parameters, set_points, set_weights};
use super::networks::{SEVERAL, several};
use super::{difference, embedded_problem};

/// Names of the Burn devices to test; a build with Burn has one at least.
fn devices() -> Vec<&'static str> {
    let burn = DEVICES.iter().filter(|device| device.name != "cpu" && device.count() > 0);
    let names: Vec<&str> = burn.map(|device| device.name).collect();
    assert!(!names.is_empty(), "Burn without a device");
    names
}

fn engine(name: &str, problem: &Problem, chunk: Option<usize>) -> Box<dyn Differentiable> {
    let request = Request { problem, threads: 1, chunk, ranks: &Ranks::alone() };
    device::engine(name, &request).unwrap_or_else(|error| panic!("{error}"))
}

/// The problem in a precision that the device has, and how far answers in it may be from those of another engine.
fn as_precise(problem: &Problem, device: &str, tolerance: f64) -> (Problem, f64) {
    let mut problem = problem.clone();
    if device == "vulkan" {
        problem.training.precision = Precision::F32;
    }
    let single = problem.training.precision == Precision::F32;
    (problem, if single { tolerance.max(1e-4) } else { tolerance })
}

/// Loss terms, gradient, residuals and predictions of both engines agree to `tolerance`.
fn check(problem: &Problem, device: &str, chunk: Option<usize>, tolerance: f64) {
    let (problem, tolerance) = as_precise(problem, device, tolerance);
    let problem = &problem;
    let theta = parameters(problem);
    let mut answers = ["cpu", device].map(|name| {
        let mut engine = engine(name, problem, chunk);
        set_points(problem, &mut *engine);
        let mut terms = vec![0.0; problem.conditions.len()];
        let mut gradient = vec![0.0; theta.len()];
        let weights = problem.weights();
        let loss = engine.loss_and_gradient(&theta, &weights, &mut terms, &mut gradient);
        assert_eq!(loss, engine.loss(&theta, &weights, &mut terms), "the loss alone is the same");
        for condition in 0..weights.len() {
            let mut alone = vec![f64::NAN; theta.len()];
            terms.push(engine.condition_gradient(&theta, condition, &mut alone));
            gradient.extend(alone);
        }
        let predicted = engine.predict(&theta, &spread(problem));
        let weights = set_weights(problem, &mut *engine);
        let mut weighted = vec![0.0; theta.len()];
        let weighted_loss =
            engine.loss_and_gradient(&theta, &weights, &mut terms[..weights.len()], &mut weighted);
        gradient.extend(weighted);
        terms.push(weighted_loss);
        (loss, terms, gradient, predicted)
    });
    let (loss, terms, gradient, predicted) = std::mem::take(&mut answers[1]);
    let (fused_loss, fused_terms, fused_gradient, fused_predicted) = std::mem::take(&mut answers[0]);
    let what = format!("{} on {device}", problem.name);
    let close = |name: &str, a: &[f64], b: &[f64]| {
        let difference = difference(b, a);
        assert!(
            difference <= tolerance,
            "{what}, {:?}: {name} differ by {difference:e}",
            problem.training.precision
        );
    };
    close("losses", &[fused_loss], &[loss]);
    close("terms", &fused_terms, &terms);
    close("gradients", &fused_gradient, &gradient);
    close("predictions", &fused_predicted, &predicted);
}

#[test]
fn every_problem_agrees_with_the_fused_engine() {
    for device in devices() {
        for (name, _) in embedded() {
            let small = [("network.depth", "3"), ("network.width", "10")];
            let mut problem = few(embedded_problem(name, &small), 30);
            check(&problem, device, Some(7), 1e-10);
            problem.training.precision = Precision::F32;
            check(&problem, device, None, 1e-4);
        }
    }
}

#[test]
fn a_problem_with_a_table_agrees_with_the_fused_engine() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tables");
    let text = std::fs::read_to_string(folder.join("heated-rod.toml")).expect("there");
    let document = pinn::problem::Document::parse("heated-rod.toml", &text).expect("TOML");
    let problem = few(document.build(&folder).expect("a problem").0, 40);
    for device in devices() {
        check(&problem, device, Some(7), 1e-10);
    }
}

#[test]
fn every_activation_agrees_with_the_fused_engine() {
    for device in devices() {
        for activation in KINDS {
            for residual in ["u_y + u*u_x - u_xx", "u_xxxx + u_xxyy*sin(u) - u_xyy^2"] {
                check(&with_network(&activated(activation), residual), device, Some(8), 1e-10);
            }
        }
    }
}

#[test]
fn every_network_agrees_with_the_fused_engine() {
    for device in devices() {
        for network in NETWORKS {
            for residual in ["u_y + u*u_x - u_xx", "u_xxxx + u_xxyy*sin(u) - u_xyy^2"] {
                check(&with_network(network, residual), device, Some(8), 1e-10);
            }
        }
    }
}

#[test]
fn integrals_agree_with_the_fused_engine() {
    for device in devices() {
        for network in ["depth = 2\nwidth = 5", "architecture = \"modified-mlp\"\ndepth = 1\nwidth = 4"] {
            check(&crate::engine::integral(network), device, Some(8), 1e-10);
            check(&crate::engine::over_places(network), device, Some(8), 1e-10);
        }
    }
}

#[test]
fn several_networks_agree_with_the_fused_engine() {
    for device in devices() {
        for networks in SEVERAL {
            check(&several(networks), device, Some(8), 1e-10);
        }
    }
}

#[test]
fn many_coordinates_agree_with_the_fused_engine() {
    for device in devices() {
        for residual in MANY {
            check(&many(residual), device, Some(5), 1e-10);
        }
    }
}

#[test]
fn drawn_dimensions_agree_with_the_fused_engine() {
    for device in devices() {
        let (problem, tolerance) = as_precise(&drawn(), device, 1e-10);
        let theta = parameters(&problem);
        let [(loss, gradient, residuals), (fused_loss, fused_gradient, fused_residuals)] = [device, "cpu"]
            .map(|name| {
                let mut engine = engine(name, &problem, Some(5));
                let mut state = adapt::State::default();
                let mut points = adapt::start(&problem, &mut *engine, &state);
                adapt::update(&problem, &mut *engine, &theta, 3, true, &mut state, &mut points);
                let (mut terms, mut gradient) = (vec![0.0; 2], vec![0.0; theta.len()]);
                let loss = engine.loss_and_gradient(&theta, &problem.weights(), &mut terms, &mut gradient);
                // These are of all dimensions.
                (loss, gradient, engine.residuals(&theta, 0, &points[0].rows, &[]))
            });
        for (a, b) in
            [(&gradient, &fused_gradient), (&residuals, &fused_residuals), (&vec![loss], &vec![fused_loss])]
        {
            assert!(difference(a, b) <= tolerance, "{device}");
        }
    }
}

#[test]
fn a_short_training_lands_on_the_same_loss() {
    let changes =
        [("network.depth", "2"), ("network.width", "8"), ("training.stages", "[{lbfgs={steps=25}}]")];
    // In single precision every step magnifies what rounding did to the last one.
    for device in devices().into_iter().filter(|device| *device != "vulkan") {
        let mut problem = embedded_problem("heat", &changes);
        for condition in &mut problem.conditions {
            condition.points = 40;
        }
        let theta = parameters(&problem);
        let losses = ["cpu", device].map(|name| {
            let mut engine = engine(name, &problem, None);
            let trained =
                train(&problem, None, &mut *engine, State::new(theta.clone()), &mut |_| Flow::Continue);
            let Outcome { state, .. } = trained;
            evaluate(&problem, None, &mut *engine, &state.adapted, &state.answer).loss
        });
        assert!((losses[0] - losses[1]).abs() <= 1e-6 * losses[0], "{device}: {losses:?}");
    }
}
