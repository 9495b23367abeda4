//! Curvature methods on small physics-informed networks, from the problem file to the error.

use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::init;
use pinn::internals::optim::StopReason;
use pinn::internals::ranks::Ranks;
use pinn::internals::simd::Real;
use pinn::internals::solve::{Settings, Solver};
use pinn::internals::train::{End, Event, Flow, Outcome, State, train};
use pinn::problem::Problem;

use super::train::worth;
use super::{embedded_problem, problem};

/// u′ = −u with u(0) = 1, trained by `stages`.
fn decay(stages: &str, more: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {{}}\n[network]\ndepth = 2\nwidth = 8\n\
         [training]\nevaluate = 0\nstages = [{stages}]\n{more}\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"u_x + u\"\npoints = 200\n\
         [conditions.start]\nplace = \"x = 0\"\nresidual = \"u - 1\"\npoints = 1\n\
         [reference]\nsolution = {{ u = \"exp(-x)\" }}\n"
    ))
}

fn solve<R: Real>(problem: &Problem, threads: usize) -> Outcome {
    let mut engine = CpuEngine::<R>::new(problem, threads, Isa::best()).expect("an engine");
    let theta = init::parameters(problem).expect("parameters");
    train(problem, None, &mut engine, State::new(theta), &mut |_: Event| Flow::Continue)
}

fn error(problem: &Problem, outcome: &Outcome) -> f64 {
    worth(problem, &outcome.state).scores[0].as_ref().expect("the problem has a reference").error()
}

#[test]
fn every_method_solves_a_small_problem() {
    for (stages, enough) in [
        ("{ lm = { steps = 40 } }", 1e-5),
        ("{ lm = { steps = 40, scaling = \"diagonal\", gain = 0.5 } }", 1e-5),
        ("{ lm = { steps = 40, solver = \"cholesky\" } }", 1e-5),
        ("{ lm = { steps = 40, solver = \"cg\" } }", 1e-4),
        ("{ ssbfgs = { steps = 400 } }", 1e-5),
        ("{ ssbroyden = { steps = 400 } }", 1e-5),
        ("{ ssbroyden = { steps = 400, logarithm = false } }", 1e-5),
    ] {
        for more in ["", "resample = 7"] {
            let problem = decay(stages, more);
            let outcome = solve::<f64>(&problem, 2);
            let error = error(&problem, &outcome);
            assert!(outcome.end == End::Done && error < enough, "{stages} {more}: {error}");
        }
    }
}

/// docs/results/accuracy.md has 3e-12 to 5e-11 here; by the least loss of each step, or on JᵀJ, it was 1e-6.
#[test]
fn bold_steps_on_the_jacobian_solve_poissons_equation_to_many_digits() {
    let problem = embedded_problem(
        "poisson-2d",
        &[
            ("network.depth", "2"),
            ("network.width", "16"),
            ("conditions.physics.points", "1000"),
            ("training.evaluate", "0"),
            ("training.resample", "20"),
            ("training.stages", "[{ adam = { steps = 100 } }, { lm = { steps = 60, gain = 0.25 } }]"),
        ],
    );
    let error = error(&problem, &solve::<f64>(&problem, 2));
    assert!(error < 3e-10, "{error}");
}

#[test]
fn methods_end_in_the_same_bits_at_any_number_of_threads() {
    for stages in [
        "{ lm = { steps = 10 } }",
        "{ lm = { steps = 10, solver = \"cholesky\" } }",
        "{ lm = { steps = 10, solver = \"cg\" } }",
        "{ ssbroyden = { steps = 30 } }",
    ] {
        let bits = |threads| -> Vec<u64> {
            solve::<f64>(&decay(stages, ""), threads).state.answer.into_iter().map(f64::to_bits).collect()
        };
        let one = bits(1);
        assert_eq!(one, bits(2), "{stages}");
        assert_eq!(one, bits(3), "{stages}");
    }
}

#[test]
fn the_goal_is_looked_at_sooner_where_steps_are_dear() {
    for (stages, between) in [("{ lm = { steps = 60 } }", 5), ("{ ssbroyden = { steps = 2000 } }", 100)] {
        let problem = decay(stages, "goal = 1e-8");
        let report = &solve::<f64>(&problem, 1).state.reports[0];
        assert_eq!(report.stopped, Some(StopReason::GoalReached), "{stages}");
        assert!(report.steps > 0 && report.steps.is_multiple_of(between), "{stages}: {}", report.steps);
    }
}

#[test]
fn single_precision_stops_by_itself_and_says_why() {
    for stages in ["{ lm = { steps = 500 } }", "{ ssbroyden = { steps = 5000 } }"] {
        let problem = decay(stages, "");
        let outcome = solve::<f32>(&problem, 1);
        let error = error(&problem, &outcome);
        assert!(outcome.end == End::Done && error < 1e-3, "{stages}: {error}");
        assert!(outcome.state.reports[0].stopped.is_some(), "{stages}: {:?}", outcome.state.reports);
    }
}

#[test]
fn what_a_method_needs_is_told_before_training() {
    let refused = |problem: &Problem, device: &str| {
        let settings = Settings {
            device: device.into(),
            threads: 1,
            chunk: None,
            plots: false,
            page: false,
            quiet: true,
            estimate: false,
            ranks: Ranks::alone(),
        };
        Solver::new(problem.clone(), settings).err().map(|error| error.to_string())
    };
    assert_eq!(refused(&decay("{ lm = {} }", ""), "cpu"), None);
    if cfg!(feature = "flex") {
        let why = refused(&decay("{ adam = {} }, { lm = {} }", ""), "flex").expect("flex has no Jacobian");
        assert!(why.contains("lm") && why.contains("--device cpu"), "{why}");
        assert_eq!(refused(&decay("{ ssbroyden = {} }", ""), "flex"), None);
    }
    let mut large = decay("{ ssbroyden = {} }", "");
    large.network.depth = 10;
    large.network.width = 100;
    let why = refused(&large, "cpu").expect("the matrix would not fit");
    assert!(why.contains("ssbroyden") && why.contains("lbfgs"), "{why}");
}
