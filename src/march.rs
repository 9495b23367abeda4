//! Windows at work: engines that know what is carried from window to window, and training through all of them.
//!
//! A [`March`] is the engine of the whole solution, one θ for all windows: it finds the window of every point and computes,
//! in double precision, with that window's network.
//! [`train`] goes through the windows in order, each with the one training loop and an engine of its own.
//! This file knows problems, engines and training; it knows no files and no terminals.

use std::sync::Arc;

use crate::adapt;
use crate::breakdown::Breakdown;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::engine::{Differentiable, Engine, EngineError, Jacobian};
use crate::init;
use crate::jet::JetSet;
use crate::problem::{Carried, Formula, Problem, Windows};
use crate::ranks::Ranks;
use crate::score::Scorer;
use crate::team::Team;
use crate::train::{self, End, Event, Flow, Outcome, StageReport, State, StepReport};

/// The solution of a problem that is cut into windows, as an engine; θ holds the windows' networks, one after the other in
/// the order of training.
///
/// θ may be shorter: the solution is NaN in windows that it does not reach.
pub struct March {
    windows: Windows,
    cpu: CpuEngine<f64>,
    prediction: Formula,
    residuals: Vec<(Formula, usize)>,
    points: Vec<Points>,
    dimensions: usize,
}

/// A condition's points, with what comes with them.
#[derive(Clone, Default)]
struct Points {
    points: Vec<f64>,
    data: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

/// A formula over raw outputs, and the points that it is computed at.
struct Query<'a> {
    formula: &'a Formula,
    /// What the formula reads of the window before.
    carried: &'a [Carried],
    sides: usize,
    points: &'a [f64],
    data: &'a [Vec<f64>],
}

impl March {
    /// The engine of `problem`, which is cut into `windows`, on `threads` threads; `problem` may be a part of what was cut,
    /// see [`Windows::reached`].
    ///
    /// # Errors
    ///
    /// As for [`CpuEngine::new`].
    pub fn new(problem: &Problem, windows: Windows, threads: usize) -> Result<Self, EngineError> {
        Self::among(problem, windows, threads, Ranks::alone())
    }

    /// As [`March::new`], in one of several processes that compute together.
    ///
    /// # Errors
    ///
    /// As for [`CpuEngine::new`].
    pub fn among(
        problem: &Problem,
        windows: Windows,
        threads: usize,
        ranks: Ranks,
    ) -> Result<Self, EngineError> {
        let conditions = problem.conditions.iter();
        Ok(Self {
            cpu: CpuEngine::among(problem, threads, Isa::best(), ranks)?,
            prediction: problem.values.clone(),
            residuals: conditions.map(|c| (c.residuals.clone(), c.sides())).collect(),
            points: vec![Points::default(); problem.conditions.len()],
            dimensions: problem.coordinates.len(),
            windows,
        })
    }

    /// The windows.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// How many windows a θ of this length reaches.
    pub fn reach(&self, theta: &[f64]) -> usize {
        theta.len() / self.cpu.parameters()
    }

    /// The roots of `formula` at `points`; linked points lie in one window.
    fn values(
        &mut self,
        theta: &[f64],
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64> {
        let (length, roots) = (sides * self.dimensions, formula.roots.len());
        let sites = points.len() / length;
        let mut places = vec![vec![]; self.windows.all.len()];
        for (site, row) in points.chunks_exact(length).enumerate() {
            places[self.windows.at(row[self.windows.along])].push(site);
        }
        let mut values = vec![f64::NAN; sites * roots];
        for (window, places) in places.iter().enumerate().take(self.reach(theta)) {
            if places.is_empty() {
                continue;
            }
            let (formula, carried) = self.windows.all[window].formula(formula, data.len());
            let points: Vec<f64> =
                places.iter().flat_map(|&site| &points[site * length..][..length]).copied().collect();
            let data: Vec<Vec<f64>> =
                data.iter().map(|column| places.iter().map(|&site| column[site]).collect()).collect();
            let query = Query { formula: &formula, carried: &carried, sides, points: &points, data: &data };
            let found = self.evaluate_in(window, theta, &query);
            for (&site, found) in places.iter().zip(found.chunks_exact(roots)) {
                values[site * roots..][..roots].copy_from_slice(found);
            }
        }
        values
    }

    /// A window's formula at points that are all its own, the joint where it begins included.
    fn evaluate_in(&mut self, window: usize, theta: &[f64], query: &Query) -> Vec<f64> {
        let Query { formula, carried, sides, points, data } = *query;
        let mut data = data.to_vec();
        data.extend(self.carried(window, theta, carried, sides, points));
        let length = self.cpu.parameters();
        let theta = &theta[window * length..][..length];
        let features = &self.windows.all[window].problem.features;
        self.cpu.evaluate_with(features, theta, &formula.jets(), formula, sides, points, &data)
    }

    /// What `window` takes over from the one before, `wanted` for every one of its `points`: a column each.
    pub fn carried(
        &mut self,
        window: usize,
        theta: &[f64],
        wanted: &[Carried],
        sides: usize,
        points: &[f64],
    ) -> Vec<Vec<f64>> {
        let Some(joint) = self.windows.joint(window) else { return vec![vec![]; wanted.len()] };
        let ask = |before: usize, asked: &[Carried], points: &[f64]| {
            let (formula, carried) = self.windows.all[before].handed_on(asked);
            let query = Query { formula: &formula, carried: &carried, sides: 1, points, data: &[] };
            Some(self.evaluate_in(before, theta, &query))
        };
        joint.carry(wanted, sides, points, ask).expect("every question is answered")
    }
}

impl Engine for March {
    fn parameters(&self) -> usize {
        self.cpu.parameters() * self.windows.all.len()
    }

    fn team(&self) -> Arc<Team> {
        self.cpu.team()
    }

    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) {
        self.points[condition] = Points { points: points.to_vec(), data: data.to_vec(), weights: vec![] };
    }

    fn set_point_weights(&mut self, condition: usize, weights: &[f64]) {
        self.points[condition].weights = weights.to_vec();
    }

    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for (condition, term) in terms.iter_mut().enumerate() {
            let Points { points, data, weights: own } = self.points[condition].clone();
            let (roots, sides) = (self.residuals[condition].0.roots.len(), self.residuals[condition].1);
            let sites = points.len() / (sides * self.dimensions);
            let residuals = self.residuals(theta, condition, &points, &data);
            let (mut squares, mut weighted) = (0.0, 0.0);
            for (site, residuals) in residuals.chunks_exact(roots).enumerate() {
                let square = residuals.iter().map(|r| r * r).sum::<f64>();
                squares += square;
                weighted += own.get(site).copied().unwrap_or(1.0) * square;
            }
            *term = squares / sites.max(1) as f64;
            if weights[condition] != 0.0 {
                total += weights[condition] * weighted / sites.max(1) as f64;
            }
        }
        total
    }

    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        let (formula, sides) = self.residuals[condition].clone();
        self.values(theta, &formula, sides, points, data)
    }

    fn evaluate(
        &mut self,
        theta: &[f64],
        _: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64> {
        self.values(theta, formula, sides, points, data)
    }

    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64> {
        let prediction = self.prediction.clone();
        self.values(theta, &prediction, 1, points, &[])
    }
}

/// The engine of one window, which is given what is carried with all its points.
struct Carrying<'a> {
    engine: Box<dyn Differentiable>,
    march: &'a mut March,
    window: usize,
    /// θ of the windows before.
    finished: &'a [f64],
}

impl Carrying<'_> {
    /// The columns of a file, and those that are carried.
    fn columns(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let window = &self.march.windows.all[self.window];
        let (wanted, sides) =
            (window.carried[condition].clone(), window.problem.conditions[condition].sides());
        [data, &self.march.carried(self.window, self.finished, &wanted, sides, points)].concat()
    }
}

impl Engine for Carrying<'_> {
    fn parameters(&self) -> usize {
        self.engine.parameters()
    }

    fn team(&self) -> Arc<Team> {
        self.engine.team()
    }

    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) {
        let columns = self.columns(condition, points, data);
        self.engine.set_points(condition, points, &columns);
    }

    fn set_point_weights(&mut self, condition: usize, weights: &[f64]) {
        self.engine.set_point_weights(condition, weights);
    }

    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64 {
        self.engine.loss(theta, weights, terms)
    }

    fn jacobian(&mut self) -> Option<&mut dyn Jacobian> {
        self.engine.jacobian()
    }

    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        let columns = self.columns(condition, points, data);
        self.engine.residuals(theta, condition, points, &columns)
    }

    fn evaluate(
        &mut self,
        theta: &[f64],
        _: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64> {
        let (formula, carried) = self.march.windows.all[self.window].formula(formula, data.len());
        let query = Query { formula: &formula, carried: &carried, sides, points, data };
        self.march.evaluate_in(self.window, &[self.finished, theta].concat(), &query)
    }

    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64> {
        let (formula, carried) = self.march.windows.all[self.window].formula(&self.march.prediction, 0);
        let query = Query { formula: &formula, carried: &carried, sides: 1, points, data: &[] };
        self.march.evaluate_in(self.window, &[self.finished, theta].concat(), &query)
    }
}

impl Differentiable for Carrying<'_> {
    fn set_estimates(&mut self, condition: usize, estimates: Option<&Formula>) -> bool {
        self.engine.set_estimates(condition, estimates)
    }

    fn loss_and_gradient(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: &mut [f64],
    ) -> f64 {
        self.engine.loss_and_gradient(theta, weights, terms, gradient)
    }

    fn condition_gradient(&mut self, theta: &[f64], condition: usize, gradient: &mut [f64]) -> f64 {
        self.engine.condition_gradient(theta, condition, gradient)
    }
}

/// Makes the engine of a window's problem.
pub type Make<'a> = &'a mut dyn FnMut(&Problem) -> Result<Box<dyn Differentiable>, EngineError>;

/// Trains `problem` window by window, from `state` on; as [`train::train`] otherwise.
///
/// `state` of a run that begins has the initial parameters of the first window; the others draw theirs.
/// To begin with those of the window before brought a network that was hard to train after some sixty windows.
/// All stages are gone through in every window, and errors on the way are those of the window at work.
/// A window that reaches the tolerance ends there; at the end the tolerance is held against the whole solution.
///
/// # Errors
///
/// If a window's engine cannot be made.
pub fn train(
    problem: &Problem,
    march: &mut March,
    make: Make,
    state: State,
    observer: &mut dyn FnMut(Event) -> Flow,
) -> Result<Outcome, EngineError> {
    let mut finished = Finished { theta: state.finished.clone(), reports: vec![], window: state.window };
    finished.reports = state.reports.clone();
    finished.reports.retain(|report| report.window.is_some_and(|number| number <= state.window));
    let mut own = state.of_window();
    loop {
        let window = march.windows.all[finished.window].clone();
        let before = finished.steps();
        let begun = own.step > 0 || !own.reports.is_empty();
        let along = &problem.coordinates[march.windows.along].name;
        let step = (!begun).then_some(before);
        observer(Event::WindowStarted { window: finished.window, step, along, span: window.span() });
        let scorer = Scorer::new(&window.problem);
        let mut part = window.problem.clone();
        if scorer.is_none() && problem.reference.is_some() {
            // The tolerance is one of errors, of which none is known here.
            part.training.tolerance = 0.0;
        }
        let engine = make(&part)?;
        let mut engine =
            Carrying { engine, march: &mut *march, window: finished.window, finished: &finished.theta };
        let widen = Widen { conditions: &window.conditions, all: problem.conditions.len() };
        let outcome = train::train(&part, scorer.as_ref(), &mut engine, own, &mut |event| {
            pass_on(event, &finished, &widen, observer)
        });
        let last = finished.window + 1 == march.windows.all.len();
        let end = match outcome.end {
            End::Diverged(breakdown) => End::Diverged(finished.breakdown(&breakdown)),
            End::Interrupted => End::Interrupted,
            End::Done | End::ToleranceNotReached if !last => {
                let state = finished.join(&outcome.state);
                finished =
                    Finished { theta: state.solution(), reports: state.reports, window: finished.window + 1 };
                let next = &march.windows.all[finished.window].problem;
                own = State::new(init::parameters(next).expect("the rule that drew the first window's"));
                observer(Event::Checkpoint(&finished.join(&own)));
                continue;
            }
            End::Done | End::ToleranceNotReached => End::Done,
        };
        let state = finished.join(&outcome.state);
        if end == End::Done && problem.training.tolerance > 0.0 {
            adapt::start(problem, march, &adapt::State::default());
            if !train::reaches(problem, Scorer::new(problem).as_ref(), march, &state.solution()) {
                return Ok(Outcome { end: End::ToleranceNotReached, state });
            }
        }
        return Ok(Outcome { end, state });
    }
}

/// The windows that are done.
struct Finished {
    theta: Vec<f64>,
    reports: Vec<StageReport>,
    /// The one after them.
    window: usize,
}

impl Finished {
    fn steps(&self) -> usize {
        self.reports.iter().map(|report| report.steps).sum()
    }

    /// The state of the window at work as one of the whole.
    fn join(&self, own: &State) -> State {
        let reports =
            self.reports.iter().cloned().chain(own.reports.iter().map(|report| self.report(report)));
        State {
            window: self.window,
            finished: self.theta.clone(),
            step: self.steps() + own.step,
            reports: reports.collect(),
            ..own.clone()
        }
    }

    fn report(&self, own: &StageReport) -> StageReport {
        let breakdowns = own.breakdowns.iter().map(|breakdown| self.breakdown(breakdown)).collect();
        StageReport { window: Some(self.window + 1), breakdowns, ..own.clone() }
    }

    fn breakdown(&self, own: &Breakdown) -> Breakdown {
        Breakdown { step: self.steps() + own.step, window: Some(self.window + 1), ..own.clone() }
    }
}

/// Numbers of a window's conditions as numbers of all conditions.
struct Widen<'a> {
    conditions: &'a [usize],
    all: usize,
}

impl Widen<'_> {
    /// NaN for conditions that have no place in the window.
    fn numbers(&self, own: &[f64]) -> Vec<f64> {
        let mut all = vec![f64::NAN; self.all];
        self.conditions.iter().zip(own).for_each(|(&condition, &value)| all[condition] = value);
        all
    }
}

/// Tells `observer` of an event of the window at work as one of the whole run.
fn pass_on(
    event: Event,
    finished: &Finished,
    widen: &Widen,
    observer: &mut dyn FnMut(Event) -> Flow,
) -> Flow {
    let before = finished.steps();
    match event {
        Event::Stepped(report) => {
            let terms = widen.numbers(report.terms);
            observer(Event::Stepped(StepReport { step: before + report.step, terms: &terms, ..report }))
        }
        Event::Redrawn { step, round } => observer(Event::Redrawn { step: before + step, round }),
        Event::Reweighted { step, weights, slices } => {
            let weights = widen.numbers(weights);
            observer(Event::Reweighted { step: before + step, weights: &weights, slices })
        }
        Event::BrokenDown { step, breakdown, recovered } => {
            let breakdown = finished.breakdown(breakdown);
            observer(Event::BrokenDown { step: before + step, breakdown: &breakdown, recovered })
        }
        Event::Checkpoint(own) => observer(Event::Checkpoint(&finished.join(own))),
        Event::StageEnded { stage, report } => {
            observer(Event::StageEnded { stage, report: &finished.report(report) })
        }
        event @ (Event::WindowStarted { .. } | Event::StageStarted { .. } | Event::Ended) => observer(event),
    }
}
