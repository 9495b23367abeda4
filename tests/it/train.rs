//! The loop: what is adapted between steps, and going on from a checkpoint.

use std::path::Path;

use pinn::internals::engine::Engine;
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::evaluate::{Evaluation, evaluate};
use pinn::internals::init;
use pinn::internals::run::Checkpoint;
use pinn::internals::score::Scorer;
use pinn::internals::train::{End, Event, Flow, Outcome, State, train};
use pinn::internals::verify::Sites;
use pinn::problem::{Document, Problem};
use pinn::settings::{Adam, Balance, Lbfgs, Stage, Training};

use rand_distr::{Distribution, StandardNormal};

use super::dimensions::drawn;
use super::engine::{integral, over_places};
use super::networks::{SEVERAL, several};
use super::{embedded_problem, every_method, problem};

/// Burgers' equation, small, with everything that changes the loss between steps.
const ADAPTED: [(&str, &str); 8] = [
    ("network.depth", "2"),
    ("network.width", "10"),
    ("conditions.physics.points", "300"),
    ("training.resample", "7"),
    ("training.adaptive", "{ keep = 0.3, pool = 4 }"),
    ("training.balance", "{ every = 5 }"),
    ("training.causal", "{ slices = 5, every = 3 }"),
    ("training.checkpoint", "4"),
];

fn adapted(stages: &str) -> Problem {
    embedded_problem("burgers-soft", &[&ADAPTED[..], &[("training.stages", stages)]].concat())
}

pub(crate) fn start(problem: &Problem) -> State {
    State::new(init::parameters(problem).expect("parameters"))
}

fn run(problem: &Problem, state: State, threads: usize, observer: &mut dyn FnMut(Event) -> Flow) -> Outcome {
    let engine = CpuEngine::<f64>::new(problem, threads, Isa::best());
    let scorer = Scorer::new(problem);
    train(problem, scorer.as_ref(), &mut engine.expect("an engine"), state, observer)
}

/// What the trained network is worth.
pub(crate) fn worth(problem: &Problem, state: &State) -> Evaluation {
    let mut engine = CpuEngine::<f64>::new(problem, 1, Isa::best()).expect("an engine");
    evaluate(problem, Scorer::new(problem).as_ref(), &mut engine, &state.adapted, &state.answer)
}

/// Every checkpoint on the way, through its file's bytes, and the end.
fn checkpoints(problem: &Problem, threads: usize) -> (Vec<State>, Outcome) {
    let mut states = vec![];
    let outcome = run(problem, start(problem), threads, &mut |event| {
        if let Event::Checkpoint(state) = event {
            let bytes = Checkpoint { problem: 0, seconds: 0.0, state: state.clone() }.to_bytes();
            states.push(Checkpoint::from_bytes(&bytes).expect("our own").state);
        }
        Flow::Continue
    });
    (states, outcome)
}

#[test]
fn going_on_from_any_checkpoint_ends_at_the_same_bits() {
    let samplers = ["uniform", "grid", "latin-hypercube", "sobol"];
    for (stage, sampler) in every_method(17).iter().zip(samplers.iter().cycle()) {
        let stages = format!("[{{ adam = {{ steps = 9 }} }}, {stage}]");
        let sampler = format!("\"{sampler}\"");
        let own = [("training.stages", &stages[..]), ("conditions.physics.sampler", &sampler)];
        let problem = embedded_problem("burgers-soft", &[&ADAPTED[..], &own].concat());
        let (states, outcome) = checkpoints(&problem, 1);
        // A step of `lm` counts for twenty.
        assert_eq!(states.len(), if stage.contains("lm =") { 2 + 17 } else { 6 }, "{stage}");
        for state in states {
            let (step, round) = (state.step, state.adapted.round);
            // A checkpoint is written before what is due at its step.
            assert_eq!(round, (step - 1) / 7, "step {step}");
            let again = run(&problem, state, 2, &mut |_| Flow::Continue);
            assert_eq!(again.state, outcome.state, "{stages}, from step {step}");
        }
    }
}

#[test]
fn every_network_goes_on_from_any_checkpoint_to_the_same_bits() {
    for network in [
        [("network.architecture", "\"resnet\""), ("network.scale", "{ trainable = \"layer\" }")],
        [("network.architecture", "\"piratenet\""), ("network.linear-part", "true")],
        [("network.architecture", "\"modified-mlp\""), ("network.activation", "\"silu\"")],
        [("network.features", "{ fourier = 3 }"), ("network.widths", "[10, 6]")],
        [("network.factorization", "{ mean = 1 }"), ("network.width", "9")],
    ] {
        let stages = [("training.stages", "[{ adam = { steps = 5 } }, { lm = { steps = 6 } }]")];
        let problem = embedded_problem("burgers-soft", &[&ADAPTED[..], &stages, &network].concat());
        let (states, outcome) = checkpoints(&problem, 1);
        assert_eq!(states.len(), 1 + 6);
        for state in states {
            let again = run(&problem, state, 2, &mut |_| Flow::Continue);
            assert_eq!(again.state, outcome.state, "{network:?}");
        }
    }
}

#[test]
fn several_networks_and_integrals_go_on_from_any_checkpoint_to_the_same_bits() {
    let integrals = [integral("depth = 2\nwidth = 5"), over_places("depth = 2\nwidth = 5")];
    for mut problem in SEVERAL.map(several).into_iter().chain(integrals) {
        let Training { stages, checkpoint, resample, balance, .. } = &mut problem.training;
        let adam = Adam { steps: 5, ..Adam::default() };
        *stages = vec![Stage::Adam(adam), Stage::Lbfgs(Lbfgs { steps: 6, ..Lbfgs::default() })];
        (*checkpoint, *resample, *balance) = (4, 7, Some(Balance { every: 5, ..Balance::default() }));
        let (states, outcome) = checkpoints(&problem, 1);
        assert_eq!(states.len(), 2);
        for state in states {
            let again = run(&problem, state, 2, &mut |_| Flow::Continue);
            assert_eq!(again.state, outcome.state, "{}", problem.to_toml());
        }
    }
}

/// Adam draws dimensions, the other methods have all of them.
#[test]
fn drawn_dimensions_go_on_from_any_checkpoint_to_the_same_bits() {
    let stages = "[{ adam = { steps = 9 } }, { ssbroyden = { steps = 5 } }, { lm = { steps = 4 } }]";
    let own = [ADAPTED[3], ADAPTED[5], ADAPTED[7], ("training.stages", stages)];
    let mut document = Document::parse("drawn", &drawn().to_toml()).expect("TOML");
    own.iter().for_each(|(key, value)| document.set(key, value).expect("a key"));
    let problem = document.build(Path::new("")).expect("a problem").0;
    let (states, outcome) = checkpoints(&problem, 1);
    assert_eq!(states.len(), 3 + 4);
    for state in states {
        let again = run(&problem, state, 2, &mut |_| Flow::Continue);
        assert_eq!(again.state, outcome.state);
    }
    // After all that the loss is that of all dimensions.
    let mut all = problem.clone();
    all.conditions[0].dimensions = None;
    assert_eq!(worth(&all, &outcome.state).loss, worth(&problem, &outcome.state).loss);
    assert_ne!(checkpoints(&all, 1).1.state.theta, outcome.state.theta);
}

#[test]
fn adapted_training_is_the_same_bits_at_any_number_of_threads() {
    let problem = adapted("[{ lbfgs = { steps = 16 } }]");
    assert_eq!(checkpoints(&problem, 1).1.state, checkpoints(&problem, 3).1.state);
}

#[test]
fn redrawn_points_gather_where_the_residual_is_large_and_some_stay() {
    let problem = adapted("[{ adam = { steps = 16 } }]");
    let (states, outcome) = checkpoints(&problem, 1);
    let points = |state: &State| state.adapted.points[0].clone();
    let (first, second) = (points(&states[1]), points(&outcome.state));
    assert_eq!((first.len(), second.len()), (600, 600));
    let stayed = second.chunks_exact(2).filter(|row| first.chunks_exact(2).any(|old| old == *row)).count();
    assert_eq!(stayed, 90, "keep = 0.3 of 300");
    assert!(outcome.state.adapted.points[1..].iter().all(Vec::is_empty), "faces are drawn as ever");
}

#[test]
fn the_best_parameters_are_those_of_the_loss_that_is_in_force() {
    // The weights change after every step, so what counts is the last step's loss alone.
    let problem = embedded_problem(
        "burgers-soft",
        &[
            ("network.depth", "2"),
            ("network.width", "8"),
            ("conditions.physics.points", "100"),
            ("training.balance", "{ every = 1, memory = 0 }"),
            ("training.stages", "[{ lbfgs = { steps = 12 } }]"),
        ],
    );
    let mut losses = vec![];
    let outcome = run(&problem, start(&problem), 1, &mut |event| {
        if let Event::Stepped(report) = event {
            losses.push(report.loss);
        }
        Flow::Continue
    });
    assert_eq!(outcome.state.best_loss, *losses.last().expect("steps"));
    assert_eq!(outcome.state.best_theta, outcome.state.theta);
    // What is reported at the end is the problem's own loss.
    let evaluation = worth(&problem, &outcome.state);
    let terms = problem.conditions.iter().zip(&evaluation.terms);
    let total: f64 = terms.map(|(condition, term)| condition.weight * term).sum();
    assert!((evaluation.loss - total).abs() <= 1e-12 * total);
    assert_ne!(evaluation.loss, outcome.state.best_loss);
}

#[test]
fn balanced_gradients_have_equal_norms() {
    let problem = adapted("[{ adam = { steps = 1 } }]");
    let mut weights = vec![];
    let outcome = run(&problem, start(&problem), 1, &mut |event| {
        if let Event::Reweighted { weights: new, slices, .. } = event {
            weights = new.to_vec();
            assert_eq!((slices.len(), slices[0]), (5, 1.0));
            assert!(slices.windows(2).all(|pair| pair[1] <= pair[0] && pair[1] > 0.0), "{slices:?}");
        }
        Flow::Continue
    });
    assert_eq!(weights.len(), problem.conditions.len());
    assert_eq!(weights, outcome.state.adapted.balance, "all weights of the problem are 1");
    assert!(weights.iter().any(|weight| (weight - 1.0).abs() > 0.1), "{weights:?}");
}

/// A problem with data of `u` at 40 points between 0 and 2, `noise` times a standard normal number off `exact`.
fn with_data(text: &str, exact: impl Fn(f64) -> f64, noise: f64, seed: u64) -> (Problem, Vec<[f64; 2]>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = pinn::internals::rng::stream(seed, "noise");
    let rows: Vec<[f64; 2]> = (0..40)
        .map(|i| {
            let x = f64::from(i) / 20.0;
            let error: f64 = StandardNormal.sample(&mut rng);
            [x, exact(x) + noise * error]
        })
        .collect();
    let lines: String = rows.iter().map(|[x, u]| format!("{x},{u}\n")).collect();
    std::fs::write(folder.path().join("data.csv"), format!("x,u_obs\n{lines}")).expect("written");
    let data = "[conditions.data]\nplace = { file = \"data.csv\" }\nresidual = \"u - u_obs\"\n";
    let document = Document::parse("test.toml", &format!("{text}{data}")).expect("TOML");
    (document.build(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}")).0, rows)
}

/// The standard error of a trainable parameter.
fn error_of(outcome: &Evaluation, which: usize) -> f64 {
    let uncertainty = outcome.uncertainty.as_ref().expect("a trainable parameter");
    uncertainty.parameters[which].standard_error.expect("there are data")
}

#[test]
fn standard_errors_are_those_of_a_linear_regression() {
    // u = k·x, since what the network adds is nothing.
    let text = "[coordinates]\nx = [0, 2]\n[parameters]\nk = { initial = 5 }\n\
                [unknowns]\nu = \"k*x + 1e-30*net\"\n[network]\ndepth = 1\nwidth = 2\n\
                [training]\nstages = [{ lm = { steps = 20 } }]\n";
    let (problem, rows) = with_data(text, |x| 3.0 * x, 0.1, 1);
    let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
    let sum = |f: &dyn Fn(&[f64; 2]) -> f64| rows.iter().map(f).sum::<f64>();
    let slope = sum(&|[x, u]| x * u) / sum(&|[x, _]| x * x);
    let squares = sum(&|[x, u]| (u - slope * x).powi(2));
    let error = (squares / 39.0 / sum(&|[x, _]| x * x)).sqrt();
    let found = problem.trained_values(&outcome.state.answer).next().expect("k");
    assert!((found - slope).abs() < 1e-6, "{found} {slope}");
    let standard_error = error_of(&worth(&problem, &outcome.state), 0);
    assert!((standard_error / error - 1.0).abs() < 1e-4, "{standard_error} {error}");
}

#[test]
fn standard_errors_are_the_spread_over_noise() {
    // u' = −k·u, u(0) = 1, with equations that weigh more than the data, as they are exact.
    let text = "[coordinates]\nx = [0, 2]\n[parameters]\nk = { initial = 1, positive = true }\n\
                [unknowns]\nu = \"1 + x*net\"\n[network]\ndepth = 1\nwidth = 6\n\
                [training]\nevaluate = 0\nstages = [{ lm = { steps = 60 } }]\n\
                [conditions.physics]\nplace = \"interior\"\nresidual = \"u_x + k*u\"\npoints = 60\nweight = 10\n";
    let (mut found, mut told) = (vec![], vec![]);
    for seed in 0..24 {
        let (problem, _) = with_data(text, |x| (-1.5 * x).exp(), 0.02, seed);
        let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
        found.extend(problem.trained_values(&outcome.state.answer));
        told.push(error_of(&worth(&problem, &outcome.state), 0));
    }
    let count = found.len() as f64;
    let mean = found.iter().sum::<f64>() / count;
    let spread = (found.iter().map(|k| (k - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    let told = told.iter().sum::<f64>() / count;
    assert!((mean - 1.5).abs() < 3.0 * spread / count.sqrt() + 1e-3, "{mean} ± {spread}");
    // The spread of 24 runs is itself known to one part in seven.
    assert!((0.6..1.6).contains(&(told / spread)), "told {told}, spread {spread}");
}

/// Of true values about 95 in 100 should lie within two standard errors: over these streams of noise, of two laws.
#[test]
fn standard_errors_cover_true_values_as_often_as_they_should() {
    let training = "[training]\nevaluate = 0\nstages = [{ lm = { steps = 80 } }]\n";
    let decay = format!(
        "[coordinates]\nx = [0, 2]\n[parameters]\nk = {{ initial = 1, positive = true }}\n\
         [unknowns]\nu = \"1 + x*net\"\n[network]\ndepth = 1\nwidth = 6\n{training}\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"u_x + k*u\"\npoints = 60\nweight = 10\n"
    );
    let growth = format!(
        "[coordinates]\nx = [0, 2]\n[parameters]\nr = {{ initial = 2, positive = true }}\nK = {{ initial = 1.5 }}\n\
         [unknowns]\nu = \"0.2 + x*net\"\n[network]\ndepth = 1\nwidth = 6\n{training}\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"u_x - r*u*(1 - u/K)\"\npoints = 60\nweight = 10\n"
    );
    let logistic = |x: f64| 2.0 / (1.0 + 9.0 * (-2.5 * x).exp());
    type Law<'a> = (&'a str, &'a dyn Fn(f64) -> f64, &'a [f64]);
    let laws: [Law<'_>; 2] =
        [(&decay, &|x: f64| (-1.5 * x).exp(), &[1.5]), (&growth, &logistic, &[2.5, 2.0])];
    let (mut within, mut all) = ([0, 0], 0);
    for (text, exact, truths) in laws {
        for seed in 100..120 {
            let (problem, _) = with_data(text, exact, 0.02, seed);
            let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
            let evaluation = worth(&problem, &outcome.state);
            for (k, found) in problem.trained_values(&outcome.state.answer).enumerate() {
                let off = (found - truths[k]).abs() / error_of(&evaluation, k);
                within[0] += usize::from(off <= 1.0);
                within[1] += usize::from(off <= 2.0);
                all += 1;
            }
        }
    }
    eprintln!("of {all} within one and two standard errors: {within:?}");
    assert_eq!(all, 60);
    assert!((30..=52).contains(&within[0]) && within[1] >= 52, "{within:?}");
}

/// u' + (…)u = 0 in [0, 2] with data of u = e^(−1.5x), trained until nothing moves.
fn inverse_decay(parameters: &str, rate: &str, more: &str) -> (Problem, State, Evaluation) {
    let text = format!(
        "[coordinates]\nx = [0, 2]\n[parameters]\n{parameters}\n[unknowns]\nu = {{}}\n\
         [network]\ndepth = 1\nwidth = 8\n[training]\nevaluate = 0\n{more}\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"u_x + {rate}*u\"\npoints = 60\nweight = 10\n"
    );
    let (problem, _) = with_data(&text, |x| (-1.5 * x).exp(), 0.02, 3);
    let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
    let evaluation = worth(&problem, &outcome.state);
    (problem, outcome.state, evaluation)
}

const TO_THE_END: &str = "stages = [{ lm = { steps = 100 } }]";

#[test]
fn what_data_cannot_tell_is_not_determined_and_what_they_can_is_told() {
    let (_, _, alone) = inverse_decay("k = { initial = 1 }", "k", TO_THE_END);
    let one = alone.uncertainty.expect("there are data").parameters[0];
    for (parameters, rate, formula) in [
        ("a = { initial = 1 }\nb = { initial = 0.3 }", "(a + b)", "a + b"),
        ("a = { initial = 0.7 }\nb = { initial = -20 }", "(a - 0.5*b)", "a - 0.5*b"),
        ("a = { initial = 0.7, positive = true }\nb = { initial = 3, positive = true }", "(a*b^2)", "a*b^2"),
        // Equal all the way, so that at the place where they are found a sum would do as well.
        ("a = { initial = -1 }\nb = { initial = -1 }", "(a*b)", "a*b"),
        ("a = { initial = 30 }\nb = { initial = 0.01 }", "(a*b)", "a*b"),
    ] {
        let (problem, _, outcome) = inverse_decay(parameters, rate, TO_THE_END);
        let uncertainty = outcome.uncertainty.expect("there are data");
        for parameter in &uncertainty.parameters {
            assert!(!parameter.determined && parameter.standard_error.is_none(), "{rate}: {parameter:?}");
        }
        let [combination] = &uncertainty.combinations[..] else { panic!("{rate}: {uncertainty:?}") };
        let names: Vec<_> = problem.trainable.iter().map(|trainable| trainable.name.as_str()).collect();
        assert_eq!(combination.formula(&names), formula);
        let error = combination.estimate.standard_error.expect("it is determined");
        assert!((combination.value - 1.5).abs() < 4.0 * error, "{rate}: {combination:?}");
        let alone = one.standard_error.expect("it is determined");
        assert!(
            (error / alone - 1.0).abs() < 0.1,
            "{rate}: {error} is not {alone}, as if there were one parameter"
        );
    }
}

#[test]
fn single_precision_sees_what_is_not_determined() {
    let more = format!("precision = \"f32\"\n{TO_THE_END}");
    let text = "[coordinates]\nx = [0, 2]\n[parameters]\na = { initial = 1 }\nb = { initial = 0.3 }\n[unknowns]\nu = {}\n\
                [network]\ndepth = 1\nwidth = 8\n[training]\nevaluate = 0\n"
        .to_owned()
        + &more
        + "\n[conditions.physics]\nplace = \"interior\"\nresidual = \"u_x + (a + b)*u\"\npoints = 60\nweight = 10\n";
    let (problem, _) = with_data(&text, |x| (-1.5 * x).exp(), 0.02, 3);
    let mut engine = CpuEngine::<f32>::new(&problem, 1, Isa::best()).expect("an engine");
    let outcome = train(&problem, None, &mut engine, start(&problem), &mut |_| Flow::Continue);
    let adapted = &outcome.state.adapted;
    let evaluation = evaluate(&problem, None, &mut engine, adapted, &outcome.state.answer);
    let uncertainty = evaluation.uncertainty.expect("there are data");
    assert!(uncertainty.parameters.iter().all(|parameter| !parameter.determined), "{uncertainty:?}");
    assert_eq!(uncertainty.combinations[0].formula(&["a", "b"]), "a + b");
}

#[test]
fn a_standard_error_says_when_training_is_not_at_its_end() {
    for steps in [3, 6, 10] {
        let more = format!("stages = [{{ lm = {{ steps = {steps} }} }}]");
        let (problem, state, outcome) = inverse_decay("k = { initial = 5 }", "k", &more);
        let found = problem.trained_values(&state.answer).next().expect("k");
        let estimate = outcome.uncertainty.expect("there are data").parameters[0];
        let error = estimate.standard_error.expect("there are data");
        assert!((found - 1.5).abs() < 4.0 * error, "after {steps} steps {found}: {estimate:?}");
    }
    let (_, _, outcome) = inverse_decay("k = { initial = 5 }", "k", TO_THE_END);
    let estimate = outcome.uncertainty.expect("there are data").parameters[0];
    let (shift, error) = (estimate.shift.expect("known"), estimate.standard_error.expect("known"));
    assert!(shift.abs() < 0.01 * error, "{estimate:?}");
}

#[test]
fn conditions_on_points_from_a_file_are_checked_between_them_or_at_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let grid = (0..10).flat_map(|i| (0..10).map(move |j| (f64::from(i) / 9.0, f64::from(j) / 9.0)));
    let inside: String = grid.map(|(x, y)| format!("{x},{y}\n")).collect();
    let circle = (0..40).map(|i| f64::from(i) * std::f64::consts::TAU / 40.0);
    let edge: String = circle.map(|a| format!("{},{}\n", 0.5 + 0.5 * a.cos(), 0.5 + 0.5 * a.sin())).collect();
    for (name, rows) in [("inside.csv", format!("x,y\n{inside}")), ("edge.csv", format!("x,y\n{edge}"))] {
        std::fs::write(folder.path().join(name), rows).expect("written");
    }
    std::fs::write(folder.path().join("data.csv"), "x,y,seen\n0.25,0.5,3\n0.5,0.25,1\n").expect("written");
    // u = x² + y² − 1 but for nothing.
    let condition = |name: &str, file: &str, residual: &str| {
        format!("[conditions.{name}]\nplace = {{ file = \"{file}\" }}\nresidual = \"{residual}\"\n")
    };
    let text = "[coordinates]\nx = [0, 1]\ny = [0, 1]\n[unknowns]\nu = \"x^2 + y^2 - 1 + 1e-12*net\"\n\
                [training]\nstages = [{ lbfgs = { steps = 1 } }]\n"
        .to_owned()
        + &condition("physics", "inside.csv", "u_x")
        + &condition("edge", "edge.csv", "u - x - y + 0.5")
        + &condition("data", "data.csv", "u - seen");
    let problem =
        Document::parse("test.toml", &text).expect("TOML").build(folder.path()).expect("a problem").0;
    let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
    let [physics, edge, data] = &worth(&problem, &outcome.state).residuals[..] else {
        panic!("three conditions")
    };
    assert_eq!((physics.sites, edge.sites, data.sites), (Sites::Between, Sites::Given, Sites::Given));
    // No point of the file, and none outside.
    assert!((physics.at[0] * 9.0).fract() > 0.4 || (physics.at[1] * 9.0).fract() > 0.4, "{physics:?}");
    assert!(physics.points == 100 && physics.max <= 2.0 && physics.max > 1.8, "{physics:?}");
    assert!(edge.points == 40, "{edge:?}");
    // u − seen is −3.6875 and −1.6875.
    assert!((data.max - 3.6875).abs() < 1e-9 && data.at == [0.25, 0.5], "{data:?}");
    assert!((data.rms - ((3.6875_f64.powi(2) + 1.6875_f64.powi(2)) / 2.0).sqrt()).abs() < 1e-9, "{data:?}");
}

#[test]
fn the_check_finds_the_worst_place() {
    // The residual of what the network is at first, and of x²: the greatest is at the far end.
    let problem = problem(
        "[coordinates]\nx = [0, 2]\n[unknowns]\nu = { ansatz = \"x^2 + 1e-12*net\" }\n\
         [training]\nstages = [{ lbfgs = { steps = 1 } }]\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = [\"u_x\", \"3*u_x\"]\npoints = 10\n\
         [conditions.corner]\nplace = \"x = 2\"\nresidual = \"u\"\npoints = 3\n",
    );
    let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
    let [physics, corner] = &worth(&problem, &outcome.state).residuals[..] else {
        panic!("both are checked")
    };
    // √(4x²·10) at its greatest, and in the mean over [0, 2].
    assert!((physics.max - 160.0_f64.sqrt()).abs() < 1e-3, "{physics:?}");
    assert!((physics.rms - (40.0 * 4.0 / 3.0_f64).sqrt()).abs() < 1e-3, "{physics:?}");
    assert!((physics.at[0] - 2.0).abs() < 1e-3, "{physics:?}");
    assert_eq!((corner.points, corner.at[0]), (1, 2.0));
    assert!((corner.max - 4.0).abs() < 1e-9, "{corner:?}");
}

/// u' + u = 0, u(0) = 1 in as few points as `points`, with nothing to compare with.
fn decay(points: usize, training: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nt = [0, 1]\n[unknowns]\nu = {{}}\n[network]\ndepth = 2\nwidth = 12\n\
         [training]\n{training}\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"u_t + u\"\npoints = {points}\n\
         [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - 1\"\n"
    ))
}

#[test]
fn what_reaches_the_tolerance_is_what_is_handed_out() {
    // Steps so long that the loss after one has little to do with the loss before it.
    let problem = decay(100, "tolerance = 0.02\nstages = [{ adam = { steps = 2000, lr = 0.3 } }]");
    let mut last = f64::NAN;
    let outcome = run(&problem, start(&problem), 1, &mut |event| {
        if let Event::Stepped(report) = event {
            last = report.loss;
        }
        Flow::Continue
    });
    assert_eq!(outcome.end, End::Done);
    let loss = worth(&problem, &outcome.state).loss;
    assert!(loss <= 0.02 && (loss - last).abs() <= 1e-12, "{loss}, at the last step {last}");
    assert_ne!(outcome.state.answer, outcome.state.theta, "Adam has moved on");
}

#[test]
fn a_tolerance_that_is_first_seen_to_be_reached_at_the_end_is_reached() {
    let reference = "[reference]\nsolution = { u = \"exp(-t)\" }\n";
    let text = |tolerance: f64| {
        problem(&format!(
            "[coordinates]\nt = [0, 1]\n[unknowns]\nu = {{}}\n[network]\ndepth = 2\nwidth = 8\n\
             [training]\nevaluate = 0\ntolerance = {tolerance}\nstages = [{{ lbfgs = {{ steps = 60 }} }}]\n\
             [conditions.physics]\nplace = \"interior\"\nresidual = \"u_t + u\"\npoints = 50\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - 1\"\n{reference}"
        ))
    };
    for (tolerance, end) in [(1e-2, End::Done), (1e-12, End::ToleranceNotReached)] {
        let problem = text(tolerance);
        let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
        let error = worth(&problem, &outcome.state).scores[0].expect("a reference").error();
        assert_eq!((error <= tolerance, outcome.end), (end == End::Done, end), "{error}");
    }
}

#[test]
fn a_place_without_extent_is_one_point() {
    let problem = decay(50, "");
    assert_eq!(problem.conditions[1].points, 1);
    let asked = problem_of_corner("points = 300");
    assert_eq!(asked.conditions[0].points, 1);
    let points = pinn::internals::sample::points(&asked, &asked.conditions[0], 0, 0).rows;
    assert_eq!(points, [0.5, 2.0]);
}

/// A condition at a corner of two coordinates.
fn problem_of_corner(more: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [0, 0.5]\ny = [0, 2]\n[unknowns]\nu = {{}}\n\
         [conditions.corner]\nplace = \"x = 0.5, y = 2\"\nresidual = \"u_x - 1\"\n{more}\n"
    ))
}

#[test]
fn the_network_that_is_handed_out_is_the_best_where_training_has_not_looked() {
    // So few points that their loss says little, drawn anew now and then: every round ends elsewhere.
    let training = "seed = 1\nresample = 25\ncheckpoint = 25\nevaluate = 0\n\
                    stages = [{ adam = { steps = 100, lr = 0.1 } }]";
    let problem = decay(3, training);
    let mut ends = vec![];
    let outcome = run(&problem, start(&problem), 1, &mut |event| {
        if let Event::Checkpoint(state) = event {
            ends.push(state.clone());
        }
        Flow::Continue
    });
    assert_eq!(ends.len(), 4);
    let elsewhere = |theta: &[f64]| {
        let state = State { answer: theta.to_vec(), ..State::default() };
        let residuals = worth(&problem, &state).residuals.into_iter();
        residuals.map(|residual| residual.rms * residual.rms).sum::<f64>()
    };
    let losses: Vec<f64> = ends.iter().map(|state| elsewhere(&state.best_theta)).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let answer = elsewhere(&outcome.state.answer);
    assert!(answer <= 1.01 * lowest, "{answer} of {losses:?}");
    assert!(losses[3] > 1.5 * lowest, "the last one is not the best: {losses:?}");
    // What a checkpoint would hand out is never worse than what an earlier one did.
    for pair in ends.windows(2) {
        assert!(elsewhere(&pair[1].answer) <= 1.01 * elsewhere(&pair[0].answer));
    }
}

#[test]
fn balancing_takes_each_condition_through_the_network_once() {
    let settings = [
        ("network.depth", "2"),
        ("network.width", "8"),
        ("training.balance", "{ every = 1 }"),
        ("training.stages", "[{ adam = { steps = 3 } }]"),
        ("training.evaluate", "0"),
        ("training.checkpoint", "0"),
    ];
    let problem = embedded_problem("burgers-soft", &settings);
    assert!(problem.conditions.len() > 2);
    let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
    train(&problem, None, &mut engine, start(&problem), &mut |_| Flow::Continue);
    let done = engine.rows_done();
    let (mut terms, theta) = (vec![0.0; problem.conditions.len()], start(&problem).theta);
    engine.loss(&theta, &problem.weights(), &mut terms);
    assert_eq!(done, 6 * (engine.rows_done() - done), "three times all conditions, and three steps");
}

#[test]
fn residuals_are_held_beside_the_terms_of_their_equations() {
    let residuals = |scales: &str| {
        let problem = problem(&format!(
            "[coordinates]\nx = [0, 2]\n[unknowns]\nT = {{ ansatz = \"300 + 10*x^2 + 1e-12*net\" }}\n\
             y = {{ ansatz = \"x + 1e-4*x^2 + 1e-12*net\" }}\n\
             [training]\nstages = [{{ lbfgs = {{ steps = 1 }} }}]\n\
             [conditions.physics]\nplace = \"interior\"\nresidual = [\"7*(T_x - 20*1.001*x)\", \"y_x - 1\"]\n{scales}\n\
             [conditions.line]\nplace = \"interior\"\nresidual = \"y_xx\"\n\
             [conditions.end]\nplace = \"x = 2\"\nresidual = \"T - 340.4\"\n",
        ));
        let outcome = run(&problem, start(&problem), 1, &mut |_| Flow::Continue);
        worth(&problem, &outcome.state).residuals
    };
    let plain = residuals("");
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 5e-3;
    // Sizes of terms are known to a factor of two.
    let about = |found: f64, expected: f64| (0.5..2.0).contains(&(found / expected));
    // Of 140·x; y_x − 1 is 2e-4·x of terms of 1, less.
    assert!(about(plain[0].relative, 1e-3), "{plain:?}");
    // A line that bends by 1e-4·x²; it varies by 1/√3 in the domain, whose half is 1.
    assert!(about(plain[1].relative, 2e-4 * 3.0_f64.sqrt()), "{plain:?}");
    // Not of 340 K but of how far 340.4 is from the mean.
    assert!(about(plain[2].relative, 0.4 / (340.4 - 300.0 - 40.0 / 3.0)), "{plain:?}");
    // Scales make other numbers of the residuals, and the same of what counts.
    let scaled = residuals("scale = [1e-3, 1e6]");
    assert!(near(scaled[0].rms, 1e3 * 0.14 * (4.0 / 3.0_f64).sqrt()), "{scaled:?}");
    for (scaled, plain) in scaled.iter().zip(&plain) {
        assert!((scaled.relative / plain.relative - 1.0).abs() < 1e-9, "{scaled:?} {plain:?}");
        assert!((scaled.unscaled / plain.rms - 1.0).abs() < 1e-9, "{scaled:?} {plain:?}");
    }
}
