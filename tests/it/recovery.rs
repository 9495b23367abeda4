//! Numbers that cease to be finite in training: found, located, and left behind.

use std::sync::Arc;

use pinn::internals::breakdown::{Breakdown, Origin, Quantity};
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::engine::{Differentiable, Engine, Jacobian};
use pinn::internals::jet::JetSet;
use pinn::internals::run::Checkpoint;
use pinn::internals::sample;
use pinn::internals::team::Team;
use pinn::internals::train::{End, Event, Flow, Outcome, State, train};
use pinn::problem::{Formula, Problem};

use super::train::{start, worth};
use super::{embedded_problem, every_method, problem};

fn engine(problem: &Problem, threads: usize) -> CpuEngine<f64> {
    CpuEngine::new(problem, threads, Isa::best()).expect("an engine")
}

/// Trains, and notes every breakdown with whether training recovered from it.
fn run(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    state: State,
) -> (Outcome, Vec<(Breakdown, bool)>) {
    let mut events = vec![];
    let outcome = train(problem, None, engine, state, &mut |event| {
        if let Event::BrokenDown { breakdown, recovered, .. } = event {
            events.push((breakdown.clone(), recovered));
        }
        Flow::Continue
    });
    (outcome, events)
}

/// √(k + x) against √(0.1 + x) for x from 0 to 1: where k + x is negative there is no root.
fn roots(initial: f64, training: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [0, 1]\n[parameters]\nk = {{ initial = {initial} }}\n[unknowns]\nu = \"1e-30*net\"\n\
         [network]\ndepth = 1\nwidth = 2\n[training]\nevaluate = 0\n{training}\n\
         [conditions.start]\nplace = \"x = 0\"\nresidual = \"u\"\npoints = 1\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"sqrt(k + x) - sqrt(0.1 + x) + u\"\npoints = 50\n"
    ))
}

#[test]
fn a_loss_that_is_not_finite_is_located_and_left_behind() {
    // Adam's first step is its whole rate: k becomes −½.
    let stages = "stages = [{ adam = { steps = 400, lr = 1.5, lr-unit = \"one\" } }]";
    let problem = roots(1.0, stages);
    let points = sample::points(&problem, &problem.conditions[1], 0, 0).rows;
    let first = points.iter().copied().find(|x| *x < 0.5).expect("half of them are");
    let (outcome, events) = run(&problem, &mut engine(&problem, 1), start(&problem));
    let place = Origin { condition: "physics".into(), at: [("x".into(), first)].into(), residual: None };
    let found = Breakdown {
        step: 2,
        stage: "adam".into(),
        window: None,
        quantity: Quantity::Loss,
        place: Some(place),
    };
    assert_eq!(events[0], (found.clone(), true));
    let text = format!(
        "the loss is not finite at step 2 (adam); the residual of `physics` is not finite, first at x = {first:.6}"
    );
    assert_eq!(found.to_string(), text);
    assert!(events.len() <= 3 && events.iter().all(|(_, recovered)| *recovered), "{events:?}");
    assert_eq!((outcome.end, outcome.state.step), (End::Done, 400));
    let breakdowns = outcome.state.reports[0].breakdowns.iter();
    assert!(breakdowns.eq(events.iter().map(|(breakdown, _)| breakdown)));
    let k = problem.trained_values(&outcome.state.answer).next().expect("k");
    assert!((k - 0.1).abs() < 0.02, "{k}");

    let problem = roots(1.0, &format!("{stages}\nrecover = 0"));
    let (outcome, events) = run(&problem, &mut engine(&problem, 1), start(&problem));
    assert_eq!(events, [(found.clone(), false)]);
    assert_eq!(outcome.end, End::Diverged(found));
    assert_eq!(outcome.state.answer, start(&problem).theta, "the only parameters with a finite loss");
    assert!(worth(&problem, &outcome.state).loss.is_finite());
}

#[test]
fn parameters_that_are_not_finite_are_never_the_answer() {
    let problem = roots(1.0, "stages = [{ adam = { steps = 400, lr = 1.7e308, lr-unit = \"one\" } }]");
    let (outcome, events) = run(&problem, &mut engine(&problem, 1), start(&problem));
    let quantities: Vec<_> = events.iter().map(|(breakdown, _)| breakdown.quantity).collect();
    assert_eq!(quantities[0], Quantity::Parameter);
    assert_eq!(events.len(), 4, "three times back, and no more: {events:?}");
    assert_eq!(outcome.end, End::Diverged(events[3].0.clone()));
    assert_eq!(outcome.state.answer, start(&problem).theta);
}

#[test]
fn where_no_other_parameters_are_known_training_ends_at_once() {
    let problem = roots(-2.0, "stages = [{ lbfgs = {} }]");
    let (outcome, events) = run(&problem, &mut engine(&problem, 1), start(&problem));
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(matches!(outcome.end, End::Diverged(_)));
}

/// An engine whose gradient is NaN at one θ with one set of points.
struct Faulty {
    inner: CpuEngine<f64>,
    /// Points of the first condition.
    points: Vec<f64>,
    /// Every θ at which a gradient was first asked for after the points had been set, and these points.
    met: Vec<(Vec<f64>, Vec<f64>)>,
    redrawn: bool,
    fault: Option<(Vec<f64>, Vec<f64>)>,
}

impl Faulty {
    fn new(problem: &Problem, threads: usize, fault: Option<(Vec<f64>, Vec<f64>)>) -> Self {
        Self { inner: engine(problem, threads), points: vec![], met: vec![], redrawn: true, fault }
    }

    fn spoil(&mut self, theta: &[f64], gradient: &mut [f64]) {
        if std::mem::take(&mut self.redrawn) {
            self.met.push((theta.to_vec(), self.points.clone()));
        }
        if self.fault.as_ref().is_some_and(|(bad, points)| bad == theta && points == &self.points) {
            gradient[0] = f64::NAN;
        }
    }
}

impl Engine for Faulty {
    fn parameters(&self) -> usize {
        self.inner.parameters()
    }

    fn team(&self) -> Arc<Team> {
        self.inner.team()
    }

    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) {
        if condition == 0 {
            self.points = points.to_vec();
            self.redrawn = true;
        }
        self.inner.set_points(condition, points, data);
    }

    fn set_point_weights(&mut self, condition: usize, weights: &[f64]) {
        self.inner.set_point_weights(condition, weights);
    }

    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64 {
        self.inner.loss(theta, weights, terms)
    }

    fn jacobian(&mut self) -> Option<&mut dyn Jacobian> {
        Some(self)
    }

    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        self.inner.residuals(theta, condition, points, data)
    }

    fn evaluate(
        &mut self,
        theta: &[f64],
        jets: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64> {
        self.inner.evaluate(theta, jets, formula, sides, points, data)
    }

    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64> {
        self.inner.predict(theta, points)
    }
}

impl Differentiable for Faulty {
    fn loss_and_gradient(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: &mut [f64],
    ) -> f64 {
        let loss = self.inner.loss_and_gradient(theta, weights, terms, gradient);
        self.spoil(theta, gradient);
        loss
    }

    fn condition_gradient(&mut self, theta: &[f64], condition: usize, gradient: &mut [f64]) -> f64 {
        self.inner.condition_gradient(theta, condition, gradient)
    }

    fn set_estimates(&mut self, condition: usize, estimates: Option<&Formula>) -> bool {
        self.inner.set_estimates(condition, estimates)
    }
}

impl Jacobian for Faulty {
    fn residual_count(&self) -> usize {
        self.inner.residual_count()
    }

    fn residual_rows(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        take: &mut dyn FnMut(&[f64]),
    ) -> f64 {
        let mut first = [0.0];
        self.spoil(theta, &mut first);
        self.inner.residual_rows(theta, weights, terms, &mut |rows| {
            take(&rows.iter().map(|x| x + first[0]).collect::<Vec<f64>>());
        })
    }

    fn normal_equations(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        matrix: &mut [f64],
        vector: &mut [f64],
    ) -> f64 {
        let loss = self.inner.normal_equations(theta, weights, terms, matrix, vector);
        self.spoil(theta, vector);
        loss
    }

    fn jacobian_product(&mut self, theta: &[f64], weights: &[f64], direction: &[f64], product: &mut [f64]) {
        self.inner.jacobian_product(theta, weights, direction, product);
    }

    fn gauss_newton_product(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        direction: &[f64],
        product: &mut [f64],
    ) {
        self.inner.gauss_newton_product(theta, weights, direction, product);
    }
}

#[test]
fn every_method_recovers_and_ends_in_the_same_bits_from_any_checkpoint() {
    for stage in every_method(20) {
        let stages = format!("[{{ adam = {{ steps = 4 }} }}, {stage}]");
        let problem = embedded_problem(
            "burgers-soft",
            &[
                ("network.depth", "2"),
                ("network.width", "8"),
                ("conditions.physics.points", "100"),
                ("training.resample", "6"),
                ("training.adaptive", "{ keep = 0.5 }"),
                ("training.checkpoint", "3"),
                ("training.stages", &stages),
            ],
        );
        // The gradient after the second redraw, twelve steps on, will be the bad one.
        let mut sound = Faulty::new(&problem, 1, None);
        run(&problem, &mut sound, start(&problem));
        let fault = sound.met[2].clone();

        let mut states = vec![];
        let mut faulty = Faulty::new(&problem, 1, Some(fault.clone()));
        let whole = train(&problem, None, &mut faulty, start(&problem), &mut |event| {
            if let Event::Checkpoint(state) = event {
                let bytes = Checkpoint { problem: 0, seconds: 0.0, state: state.clone() }.to_bytes();
                states.push(Checkpoint::from_bytes(&bytes).expect("our own").state);
            }
            Flow::Continue
        });
        let [breakdown] = &whole.state.reports[1].breakdowns[..] else {
            panic!("{stage}: {:?}", whole.state.reports);
        };
        assert_eq!((breakdown.step, breakdown.quantity), (13, Quantity::Gradient), "{stage}");
        assert_eq!((&whole.end, whole.state.step), (&End::Done, 24), "{stage}");
        // A step of `lm` counts for twenty.
        assert_eq!(states.len(), if stage.contains("lm =") { 1 + 20 } else { 8 }, "{stage}");

        // All residuals are finite: what is named is the greatest of all.
        let place = breakdown.place.as_ref().expect("a place");
        let greatest = (0..problem.conditions.len()).map(|i| {
            let sample::Points { rows: mut points, data } =
                sample::points(&problem, &problem.conditions[i], 0, 2);
            if i == 0 {
                points.clone_from(&fault.1);
            }
            let residuals = sound.residuals(&fault.0, i, &points, &data);
            let greatest = residuals.iter().fold(0.0, |most: f64, r| most.max(r.abs()));
            (problem.conditions[i].name.clone(), greatest)
        });
        let greatest = greatest.max_by(|a, b| a.1.total_cmp(&b.1)).expect("conditions");
        assert_eq!((&place.condition, place.residual), (&greatest.0, Some(greatest.1)), "{stage}");

        for state in states {
            let step = state.step;
            let (again, _) = run(&problem, &mut Faulty::new(&problem, 2, Some(fault.clone())), state);
            assert_eq!(again.state, whole.state, "{stage} from step {step}");
        }
    }
}
