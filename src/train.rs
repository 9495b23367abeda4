//! The one training loop.
//!
//! It draws points, calls optimizers stage by stage, and tells an observer what happened.
//! It prints nothing, writes no file and reads no clock; what it knows between two steps is a [`State`].

use std::sync::Arc;

use crate::adapt;
use crate::breakdown::{self, Breakdown, Quantity};
use crate::engine::{Differentiable, Engine};
use crate::evaluate;
use crate::init;
use crate::optim::{self, LeastSquares, Objective, Optimizer, Step, StopReason};
use crate::problem::{Problem, Windows};
use crate::sample::Points;
use crate::score::{Score, Scorer};
use crate::settings::{Stage, Training};
use crate::team::Team;
use crate::validation::Validation;

/// All that training knows between two steps; continuing from it is bit for bit the same as never having stopped.
///
/// Where time is cut into windows, all vectors but `finished` belong to the window at work.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct State {
    /// The window at work, in the order of training.
    pub window: usize,
    /// The answers of the windows before it, one after the other.
    pub finished: Vec<f64>,
    /// Steps done in all.
    pub step: usize,
    /// The stage at work.
    pub stage: usize,
    /// Steps done in that stage.
    pub stage_step: usize,
    /// Points and weights as they have been adapted.
    pub adapted: adapt::State,
    /// The parameters.
    pub theta: Vec<f64>,
    /// The parameters of the lowest loss since points or weights last changed.
    pub best_theta: Vec<f64>,
    /// That loss; infinite before the first step after a change.
    pub best_loss: f64,
    /// The parameters to go back to should numbers cease to be finite: from here a step was taken in which nothing was
    /// amiss, and it came to the lowest loss since points or weights last changed.
    ///
    /// These are not the best ones: those may be a point that no step has left yet, as its gradient is not finite.
    pub good_theta: Vec<f64>,
    /// That loss; infinite before the first step after a change.
    pub good_loss: f64,
    /// The best parameters by the measure of validation among those that were the best before points or weights
    /// changed, and at the ends of stages.
    pub chosen_theta: Vec<f64>,
    /// That measure; infinite before the first one.
    pub chosen_measure: f64,
    /// After how many steps one was last taken.
    pub measured: usize,
    /// What that measure has to fall to half of within the training's patience.
    pub mark: f64,
    /// After how many steps it last did.
    pub halved: usize,
    /// The network to hand out should training end here: the best of `chosen_theta` and `best_theta`, or what reached
    /// the tolerance.
    ///
    /// It is up to date in the state that an observer is given to write down and at the end; training does not read it.
    pub answer: Vec<f64>,
    /// The optimizer's memory; `None` at the start of a stage.
    pub optimizer: Option<optim::State>,
    /// How every stage went that has begun.
    pub reports: Vec<StageReport>,
}

impl State {
    /// Before the first step, with initial parameters `theta`.
    pub fn new(theta: Vec<f64>) -> Self {
        Self {
            best_theta: theta.clone(),
            best_loss: f64::INFINITY,
            good_theta: theta.clone(),
            good_loss: f64::INFINITY,
            chosen_theta: theta.clone(),
            chosen_measure: f64::INFINITY,
            mark: f64::INFINITY,
            answer: theta.clone(),
            theta,
            ..Self::default()
        }
    }

    /// The network to hand out: those of all windows that have begun, one after the other.
    pub fn solution(&self) -> Vec<f64> {
        [&self.finished[..], &self.answer].concat()
    }

    /// The state as the window at work knows it, which knows of no others.
    pub fn of_window(&self) -> Self {
        let of_another = |report: &StageReport| report.window.is_some_and(|number| number <= self.window);
        let (before, own): (Vec<_>, Vec<_>) = self.reports.iter().cloned().partition(of_another);
        let steps: usize = before.iter().map(|report| report.steps).sum();
        let reports = own.into_iter().map(|report| {
            let breakdowns = report.breakdowns.into_iter();
            let breakdowns =
                breakdowns.map(|b| Breakdown { step: b.step - steps, window: None, ..b }).collect();
            StageReport { window: None, breakdowns, ..report }
        });
        let reports = reports.collect();
        Self { window: 0, finished: vec![], step: self.step - steps, reports, ..self.clone() }
    }

    /// `problem` with the network and the points that it has here, after the stages that let them grow.
    pub fn grown(&self, problem: &Problem) -> Problem {
        let mut grown = problem.clone();
        for (stage, report) in problem.training.stages.iter().zip(&self.reports) {
            if let Stage::Grow(growth) = stage
                && report.stopped.is_none()
            {
                grown.grow(growth);
            }
        }
        grown
    }

    /// Can `problem` be trained on from here?
    ///
    /// # Errors
    ///
    /// What does not fit: the state belongs to another problem, or to another version of the program.
    pub fn check(&self, problem: &Problem) -> Result<(), String> {
        let problem = &self.grown(problem);
        let (parameters, windows) = (problem.parameters_in_all(), problem.training.windows.count());
        if self.window >= windows {
            return Err(format!("it is in window {}, the problem has {windows}", self.window + 1));
        }
        if self.finished.len() != self.window * parameters {
            let (has, wants) = (self.finished.len(), self.window * parameters);
            return Err(format!("its finished windows have {has} numbers instead of {wants}"));
        }
        if windows > 1 {
            let windows = Windows::new(problem)?;
            return self.of_window().check(&windows.all[self.window].problem);
        }
        let vectors = [
            ("theta", &self.theta),
            ("best_theta", &self.best_theta),
            ("good_theta", &self.good_theta),
            ("chosen_theta", &self.chosen_theta),
            ("answer", &self.answer),
        ];
        for (name, vector) in vectors {
            if vector.len() != parameters {
                return Err(format!("its `{name}` has {} numbers instead of {parameters}", vector.len()));
            }
        }
        self.adapted.check(problem)?;
        let stages = &problem.training.stages;
        if self.stage > stages.len() || self.reports.len() > stages.len() || self.reports.len() < self.stage {
            return Err(format!("it is in stage {}, the problem has {}", self.stage + 1, stages.len()));
        }
        match (&self.optimizer, stages.get(self.stage)) {
            (Some(memory), Some(stage)) => {
                optim::new(stage, &init::layout(problem), &Arc::new(Team::alone())).restore(memory)
            }
            (Some(_), None) => Err("it holds an optimizer's memory after the last stage".into()),
            (None, _) => Ok(()),
        }
    }
}

/// What the observer is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A window begins, or training goes on in it.
    WindowStarted {
        /// Which one, in the order of training.
        window: usize,
        /// After this many steps; `None` if it had begun before.
        step: Option<usize>,
        /// The coordinate that is cut.
        along: &'a str,
        /// Its first and last value in the window.
        span: (f64, f64),
    },
    /// A stage begins.
    StageStarted {
        /// Which one.
        stage: usize,
    },
    /// Points have been redrawn.
    Redrawn {
        /// After this many steps.
        step: usize,
        /// For the n-th time.
        round: usize,
    },
    /// Weights of conditions, or of points in time, have changed.
    Reweighted {
        /// After this many steps.
        step: usize,
        /// λ of every condition.
        weights: &'a [f64],
        /// Weights of the slices of time; empty if time is not weighted.
        slices: &'a [f64],
    },
    /// A step has been taken.
    Stepped(StepReport<'a>),
    /// Numbers have ceased to be finite.
    BrokenDown {
        /// After this many steps.
        step: usize,
        /// What, and where.
        breakdown: &'a Breakdown,
        /// Does training go on from the last good parameters?
        recovered: bool,
    },
    /// Now is the time to write the state down.
    Checkpoint(&'a State),
    /// Training is over and its state written down; what is left is to say what the answer is worth.
    Ended,
    /// A stage has ended.
    StageEnded {
        /// Which one.
        stage: usize,
        /// How it went.
        report: &'a StageReport,
    },
}

/// One step; loss, terms, coefficients and scores belong to the same parameters.
#[derive(Clone, Copy, Debug)]
pub struct StepReport<'a> {
    /// Steps done in all, this one included.
    pub step: usize,
    /// The stage's index.
    pub stage: usize,
    /// Total loss, with all weights as they are now.
    pub loss: f64,
    /// Unweighted terms, one for each condition.
    pub terms: &'a [f64],
    /// The end of θ, one entry for each trainable parameter.
    pub coefficients: &'a [f64],
    /// Norm of the gradient.
    pub gradient_norm: f64,
    /// Evaluations of loss and gradient that the step took.
    pub evaluations: usize,
    /// Errors of every unknown, if they were measured at this step.
    pub scores: Option<&'a [Option<Score>]>,
}

/// How a stage went.
#[derive(Clone, PartialEq, Default, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct StageReport {
    /// `"adam"`, `"lbfgs"`, …
    pub name: String,
    /// In which window, counted from 1 in the order of training; `None` if time is not cut into windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Steps taken.
    pub steps: usize,
    /// Evaluations of the loss, its gradient or the normal equations.
    pub evaluations: usize,
    /// Linear systems that were factorized.
    pub factorizations: usize,
    /// Products with JᵀJ.
    pub products: usize,
    /// Trial points that were computed and refused.
    pub rejected: usize,
    /// What the method chose where its settings leave it a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Why it ended before its last step; `None` if it did not.
    pub stopped: Option<StopReason>,
    /// Where numbers ceased to be finite; after each of them but the last of a run that diverged, the stage went back to
    /// its last good parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<Breakdown>,
}

/// The steps at which stages began, with their names; those that began at the same step together.
pub(crate) fn beginnings(reports: &[StageReport]) -> Vec<(usize, String)> {
    let (mut beginnings, mut step): (Vec<(usize, String)>, _) = (vec![], 0);
    for report in reports {
        match beginnings.last_mut().filter(|(at, _)| *at == step) {
            Some((_, names)) => *names = format!("{names}, {}", report.name),
            None => beginnings.push((step, report.name.clone())),
        }
        step += report.steps;
    }
    beginnings
}

/// How training ended.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// All stages are done, or the tolerance was reached.
    Done,
    /// A tolerance was asked for and not reached.
    ToleranceNotReached,
    /// The observer asked to stop.
    Interrupted,
    /// A number became infinite or NaN, and going back has not helped or was not allowed.
    Diverged(Breakdown),
}

/// What training has come to; [`evaluate()`](crate::evaluate::evaluate) says what it is worth.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How training ended.
    pub end: End,
    /// The state at the end; [`State::answer`] is the trained network.
    pub state: State,
}

/// What the observer wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop after this step.
    Stop,
}

/// Trains from `state` until the stages of `problem` are done, `observer` stops it, or it diverges.
///
/// `scorer` holds the problem's reference, if it has one: errors are measured with it on the way, and a tolerance is one
/// of these errors; without it, of the loss.
///
/// # Panics
///
/// If `state` does not fit, which [`State::check`] tells beforehand.
pub fn train(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Differentiable,
    state: State,
    observer: &mut dyn FnMut(Event) -> Flow,
) -> Outcome {
    let objective = EngineObjective::new(engine, adapt::weights(problem, &state.adapted), &state);
    let points = adapt::start(problem, objective.engine, &state.adapted);
    let validation = Validation::new(problem);
    let before = state.theta.clone();
    let mut training =
        Loop { problem, scorer, validation, objective, points, state, before, reached: false, observer };
    let end = training.run_stages();
    training.finish(end)
}

struct Loop<'a> {
    problem: &'a Problem,
    scorer: Option<&'a Scorer>,
    validation: Validation,
    objective: EngineObjective<'a>,
    /// Every condition's points.
    points: Vec<Points>,
    state: State,
    /// The parameters before the step at work.
    before: Vec<f64>,
    /// Has the tolerance been reached, and the answer been found?
    reached: bool,
    observer: &'a mut dyn FnMut(Event) -> Flow,
}

impl Loop<'_> {
    fn run_stages(&mut self) -> End {
        let problem = self.problem;
        while let Some(stage) = problem.training.stages.get(self.state.stage) {
            if let Some(end) = self.run_stage(stage) {
                return end;
            }
            self.state.stage += 1;
            self.state.stage_step = 0;
            self.choose();
            // The next method starts from the best point of this one.
            if self.objective.best_loss.is_finite() {
                self.state.theta.clone_from(&self.objective.best_theta);
            }
        }
        if problem.training.tolerance > 0.0 { End::ToleranceNotReached } else { End::Done }
    }

    /// Measures the best parameters before points or weights change or a stage ends, and keeps them if they are better
    /// than those before.
    fn choose(&mut self) {
        if self.objective.best_loss.is_finite() {
            let weights = self.compared();
            let best = &self.objective.best_theta;
            let measure = self.validation.measure(self.problem, self.objective.engine, &weights, best);
            if measure < self.state.chosen_measure {
                self.state.chosen_measure = measure;
                self.state.chosen_theta.clone_from(best);
            }
            self.state.measured = self.state.step;
        }
    }

    /// The network to hand out as things stand.
    fn answer(&mut self) -> Vec<f64> {
        let weights = self.compared();
        let (state, best) = (&self.state, &self.objective.best_theta);
        // Where nothing has been measured, there is nothing to compare with.
        if state.chosen_measure.is_finite()
            && *best != state.chosen_theta
            && state.chosen_measure
                < self.validation.measure(self.problem, self.objective.engine, &weights, best)
        {
            return state.chosen_theta.clone();
        }
        best.clone()
    }

    /// The weights by which networks are compared now.
    fn compared(&self) -> Vec<f64> {
        adapt::compared(self.problem, &self.state.adapted)
    }

    /// `Some` if training ends with this stage.
    fn run_stage(&mut self, stage: &Stage) -> Option<End> {
        let team = self.objective.engine.team();
        let mut optimizer = optim::new(stage, &init::layout(self.problem), &team);
        if let Some(memory) = self.state.optimizer.take() {
            optimizer.restore(&memory).expect("the state was made by this stage's method");
        }
        (self.observer)(Event::StageStarted { stage: self.state.stage });
        if self.state.reports.len() == self.state.stage {
            let (name, choice) = (stage.name().into(), optimizer.choice().map(str::to_owned));
            self.state.reports.push(StageReport { name, choice, ..StageReport::default() });
        }
        let end = loop {
            if self.state.stage_step >= stage.steps() {
                break None;
            }
            if let Some(reason) = self.ends_by_measure(&*optimizer) {
                self.report().stopped = Some(reason);
                break None;
            }
            self.adapt_if_due(&mut *optimizer, stage.may_vary());
            match self.step(&mut *optimizer) {
                Ok(None) => self.checkpoint_if_due(&*optimizer),
                Ok(end) => break end,
                Err(Halt::Stopped(reason)) => {
                    self.report().stopped = Some(reason);
                    break None;
                }
                Err(Halt::NotFinite(quantity)) => {
                    let breakdown = self.locate(quantity, stage);
                    if !self.recover(&breakdown, &mut *optimizer) {
                        break Some(End::Diverged(breakdown));
                    }
                }
            }
        };
        if end.is_some() {
            self.state.optimizer = Some(optimizer.state());
        }
        adapt::take_all_dimensions(self.problem, self.objective.engine, &self.state.adapted, &self.points);
        let stage = self.state.stage;
        (self.observer)(Event::StageEnded { stage, report: &self.state.reports[stage] });
        end
    }

    /// Of the stage at work.
    fn report(&mut self) -> &mut StageReport {
        &mut self.state.reports[self.state.stage]
    }

    fn adapt_if_due(&mut self, optimizer: &mut dyn Optimizer, may_vary: bool) {
        let (problem, step) = (self.problem, self.state.step);
        let State { theta, adapted, .. } = &mut self.state;
        let (engine, points) = (&mut *self.objective.engine, &mut self.points);
        let changes = adapt::update(problem, engine, theta, step, may_vary, adapted, points);
        if changes == adapt::Changes::default() {
            return;
        }
        // What was measured compares with nothing that is measured from now on.
        if changes.trusts && self.state.chosen_measure.is_finite() {
            let (weights, chosen) = (self.compared(), &self.state.chosen_theta);
            let measure = self.validation.measure(problem, self.objective.engine, &weights, chosen);
            (self.state.chosen_measure, self.state.mark) = (measure, measure);
        }
        // Measures cost something, and weights may change every few steps.
        if step >= self.state.measured + MEASURE_EVERY {
            self.choose();
        }
        // Losses before and after cannot be compared.
        self.objective.best_loss = f64::INFINITY;
        self.state.good_loss = f64::INFINITY;
        optimizer.objective_changed();
        let adapted = &self.state.adapted;
        if changes.redrawn {
            (self.observer)(Event::Redrawn { step, round: adapted.round });
        }
        if changes.reweighted {
            self.objective.weights = adapt::weights(problem, adapted);
            let weights = &self.objective.weights;
            (self.observer)(Event::Reweighted { step, weights, slices: &adapted.slices });
        }
    }

    /// Does the measure of validation say that the stage has done what it can, or what it should?
    ///
    /// It is looked at several times within the training's patience, and at every [`GLANCE`] steps if there is none; sooner where
    /// steps are dear.
    fn ends_by_measure(&mut self, optimizer: &dyn Optimizer) -> Option<StopReason> {
        let Training { patience, goal, .. } = self.problem.training;
        if patience == 0 && goal == 0.0 {
            return None;
        }
        let step = self.state.step;
        if self.state.stage_step == 0 {
            (self.state.mark, self.state.halved) = (self.state.chosen_measure, step);
        } else {
            let glance = if patience == 0 { GLANCE } else { patience.div_ceil(LOOKS) };
            let glance = sooner(glance, optimizer);
            if step < self.state.measured + glance {
                return None;
            }
            self.choose();
        }
        if self.state.chosen_measure <= goal {
            return Some(StopReason::GoalReached);
        }
        if self.state.chosen_measure <= 0.5 * self.state.mark {
            (self.state.mark, self.state.halved) = (self.state.chosen_measure, step);
        }
        (patience > 0 && step >= self.state.halved + patience).then_some(StopReason::PatienceEnded)
    }

    fn checkpoint_if_due(&mut self, optimizer: &dyn Optimizer) {
        let every = sooner(self.problem.training.checkpoint, optimizer);
        if every > 0 && self.state.step.is_multiple_of(every) {
            self.remember_best();
            self.state.answer = self.answer();
            self.state.optimizer = Some(optimizer.state());
            (self.observer)(Event::Checkpoint(&self.state));
            self.state.optimizer = None;
        }
    }

    fn remember_best(&mut self) {
        self.state.best_loss = self.objective.best_loss;
        self.state.best_theta.clone_from(&self.objective.best_theta);
    }

    /// One step; `Some` if training ends with it.
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<Option<End>, Halt> {
        let training = &self.problem.training;
        self.objective.evaluations = 0;
        self.before.copy_from_slice(&self.state.theta);
        let step = optimizer.step(&mut self.state.theta, &mut self.objective);
        self.report().evaluations += self.objective.evaluations;
        let progress = match step {
            Step::Moved(progress) => progress,
            Step::Stopped(StopReason::NonFinite) => return Err(Halt::NotFinite(self.objective.not_finite())),
            Step::Stopped(StopReason::NonFiniteCurvature) => {
                return Err(Halt::NotFinite(Quantity::Curvature));
            }
            Step::Stopped(reason) => return Err(Halt::Stopped(reason)),
        };
        let report = self.report();
        report.factorizations += progress.factorizations;
        report.products += progress.products;
        report.rejected += progress.rejected;
        if !(progress.loss.is_finite() && progress.gradient_norm.is_finite()) {
            return Err(Halt::NotFinite(self.objective.not_finite()));
        }
        if progress.loss < self.state.good_loss {
            self.state.good_loss = progress.loss;
            self.state.good_theta.copy_from_slice(&self.before);
        }
        if !all_finite(&self.state.theta) {
            return Err(Halt::NotFinite(Quantity::Parameter));
        }
        self.state.step += 1;
        self.state.stage_step += 1;
        self.report().steps += 1;
        // What is reported belongs to the parameters whose loss it is.
        let reported = if progress.before { &self.before } else { &self.state.theta };
        let scores = match self.scorer {
            Some(scorer) if training.evaluate > 0 && self.state.step.is_multiple_of(training.evaluate) => {
                Some(scorer.score(self.objective.engine, reported))
            }
            _ => None,
        };
        let terms = self.objective.terms_of(progress.evaluation);
        let flow = (self.observer)(Event::Stepped(StepReport {
            step: self.state.step,
            stage: self.state.stage,
            loss: progress.loss,
            terms,
            coefficients: &reported[reported.len() - self.problem.coefficients()..],
            gradient_norm: progress.gradient_norm,
            evaluations: progress.evaluations,
            scores: scores.as_deref(),
        }));
        let tolerance = training.tolerance;
        let reached = tolerance > 0.0
            && match &scores {
                Some(scores) => reach(scores, tolerance),
                None => self.scorer.is_none() && evaluate::weighted(self.problem, terms) <= tolerance,
            };
        Ok(if reached {
            // What reached the tolerance is the answer, whatever its loss.
            self.state.answer.clone_from(reported);
            self.reached = true;
            Some(End::Done)
        } else if flow == Flow::Stop {
            Some(End::Interrupted)
        } else {
            None
        })
    }

    /// What is not finite in the step at work, and where.
    fn locate(&mut self, quantity: Quantity, stage: &Stage) -> Breakdown {
        let theta = &self.state.theta;
        // A trial of a line search or of a damping is not what broke down.
        let terms = match quantity {
            Quantity::Curvature => vec![0.0; self.problem.conditions.len()],
            _ => self.objective.last_terms().to_vec(),
        };
        let place = match quantity {
            Quantity::Parameter => None,
            _ => breakdown::origin(self.problem, self.objective.engine, theta, &self.points, &terms),
        };
        Breakdown { step: self.state.step + 1, stage: stage.name().into(), window: None, quantity, place }
    }

    /// Goes back to the last good parameters and has the method start over with shorter steps.
    ///
    /// `false` if that has been done often enough, or if these are the parameters it broke down at.
    /// Steps and what was adapted are not undone, so that training ends when it would have.
    fn recover(&mut self, breakdown: &Breakdown, optimizer: &mut dyn Optimizer) -> bool {
        let most = self.problem.training.recover;
        let breakdowns = &mut self.report().breakdowns;
        breakdowns.push(breakdown.clone());
        let recovered = breakdowns.len() <= most && self.state.theta != self.state.good_theta;
        if recovered {
            self.state.theta.copy_from_slice(&self.state.good_theta);
            optimizer.start_over(SHORTER);
        }
        (self.observer)(Event::BrokenDown { step: self.state.step, breakdown, recovered });
        recovered
    }

    fn finish(mut self, mut end: End) -> Outcome {
        self.remember_best();
        if !self.reached {
            self.state.answer = self.answer();
        }
        if end == End::ToleranceNotReached && self.reaches_at_last() {
            end = End::Done;
        }
        Outcome { end, state: self.state }
    }

    /// Does the answer reach the tolerance, though no step has been seen to?
    fn reaches_at_last(&mut self) -> bool {
        reaches(self.problem, self.scorer, self.objective.engine, &self.state.answer)
    }
}

/// Do the parameters `theta` reach the problem's tolerance, at the points that `engine` has?
pub(crate) fn reaches(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Engine,
    theta: &[f64],
) -> bool {
    let tolerance = problem.training.tolerance;
    match scorer {
        Some(scorer) => reach(&scorer.score(engine, theta), tolerance),
        None => evaluate::loss(problem, engine, theta).0 <= tolerance,
    }
}

/// Why a step was not taken.
enum Halt {
    /// The method can do no more.
    Stopped(StopReason),
    /// A number is infinite or NaN.
    NotFinite(Quantity),
}

/// Steps between two measures of validation that changes of points or weights bring about: at a third of a step each,
/// they cost less than two percent.
const MEASURE_EVERY: usize = 20;

/// How often the measure is looked at within the training's patience.
const LOOKS: usize = 20;

/// Steps between two looks at the measure where there is a goal and no patience.
const GLANCE: usize = 100;

/// For how many steps a dear one counts where something is due every so many steps.
const DEAR: usize = 20;

/// So many steps, or fewer that are dear.
fn sooner(steps: usize, optimizer: &dyn Optimizer) -> usize {
    if optimizer.dear() { steps.div_ceil(DEAR) } else { steps }
}

/// By what steps are multiplied each time training goes back.
const SHORTER: f64 = 0.1;

/// Are all errors within the tolerance?
fn reach(scores: &[Option<Score>], tolerance: f64) -> bool {
    scores.iter().flatten().all(|score| score.error() <= tolerance)
}

fn all_finite(x: &[f64]) -> bool {
    x.iter().all(|x| x.is_finite())
}

/// The engine as optimizers see it; it remembers the best point and the terms of a step's evaluations.
struct EngineObjective<'a> {
    engine: &'a mut dyn Differentiable,
    /// λ of every condition, as it is now.
    weights: Vec<f64>,
    best_loss: f64,
    best_theta: Vec<f64>,
    /// Evaluations since the step began; the terms of the last few of them follow in a ring.
    evaluations: usize,
    losses: Vec<f64>,
    terms: Vec<f64>,
}

/// Evaluations of one step whose terms are remembered: more than a line search takes.
const REMEMBERED: usize = 64;

impl<'a> EngineObjective<'a> {
    fn new(engine: &'a mut dyn Differentiable, weights: Vec<f64>, state: &State) -> Self {
        Self {
            engine,
            best_loss: state.best_loss,
            best_theta: state.best_theta.clone(),
            evaluations: 0,
            losses: vec![f64::NAN; REMEMBERED],
            terms: vec![0.0; REMEMBERED * weights.len()],
            weights,
        }
    }

    fn terms_at(&self, slot: usize) -> &[f64] {
        let conditions = self.terms.len() / REMEMBERED;
        &self.terms[slot * conditions..][..conditions]
    }

    /// Terms of the last evaluation.
    fn last_terms(&self) -> &[f64] {
        self.terms_at(self.evaluations.saturating_sub(1) % REMEMBERED)
    }

    /// Which of loss and gradient is not finite at the last evaluation, if one of them is not.
    fn not_finite(&self) -> Quantity {
        let loss = self.losses[self.evaluations.saturating_sub(1) % REMEMBERED];
        if loss.is_finite() { Quantity::Gradient } else { Quantity::Loss }
    }

    /// Terms of the step's evaluation number `evaluation`, counted from 0.
    fn terms_of(&self, evaluation: usize) -> &[f64] {
        debug_assert!(evaluation < self.evaluations && self.evaluations <= evaluation + REMEMBERED);
        self.terms_at(evaluation % REMEMBERED)
    }
}

impl EngineObjective<'_> {
    /// One evaluation by `evaluate`, which is given room for the terms.
    fn evaluate(
        &mut self,
        theta: &[f64],
        evaluate: impl FnOnce(&mut dyn Differentiable, &[f64], &[f64], &mut [f64]) -> f64,
    ) -> f64 {
        let conditions = self.terms.len() / REMEMBERED;
        let slot = self.evaluations % REMEMBERED;
        let terms = &mut self.terms[slot * conditions..][..conditions];
        let loss = evaluate(self.engine, theta, &self.weights, terms);
        self.losses[slot] = loss;
        self.evaluations += 1;
        if loss < self.best_loss && all_finite(theta) {
            self.best_loss = loss;
            self.best_theta.copy_from_slice(theta);
        }
        loss
    }
}

impl Objective for EngineObjective<'_> {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.evaluate(theta, |engine, theta, weights, terms| engine.loss(theta, weights, terms))
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.evaluate(theta, |engine, theta, weights, terms| {
            engine.loss_and_gradient(theta, weights, terms, gradient)
        })
    }

    fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
        if self.engine.jacobian().is_some() { Some(self) } else { None }
    }
}

/// Given out by [`Objective::least_squares`] alone, where the engine has a Jacobian.
const HAS_JACOBIAN: &str = "the engine has a Jacobian, as it had before";

impl LeastSquares for EngineObjective<'_> {
    fn residual_rows(&mut self, theta: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
        self.evaluate(theta, |engine, theta, weights, terms| {
            engine.jacobian().expect(HAS_JACOBIAN).residual_rows(theta, weights, terms, take)
        })
    }

    fn normal_equations(&mut self, theta: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
        self.evaluate(theta, |engine, theta, weights, terms| {
            engine.jacobian().expect(HAS_JACOBIAN).normal_equations(theta, weights, terms, matrix, vector)
        })
    }

    fn gauss_newton_product(&mut self, theta: &[f64], direction: &[f64], product: &mut [f64]) {
        let jacobian = self.engine.jacobian().expect(HAS_JACOBIAN);
        jacobian.gauss_newton_product(theta, &self.weights, direction, product);
    }
}
