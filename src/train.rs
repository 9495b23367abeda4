//! The one training loop.
//!
//! It draws points, calls optimizers stage by stage, and tells an observer what happened.
//! It prints nothing, writes no file and reads no clock; what it knows between two steps is a [`State`].

use crate::engine::Engine;
use crate::optim::{self, Objective, Optimizer, Step, StopReason};
use crate::problem::Problem;
use crate::sample;
use crate::score::{Score, Scorer};
use crate::settings::Stage;

/// All that training knows between two steps; continuing from it is bit for bit the same as never having stopped.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct State {
    /// Steps done in all.
    pub step: usize,
    /// The stage at work.
    pub stage: usize,
    /// Steps done in that stage.
    pub stage_step: usize,
    /// How often points have been redrawn.
    pub round: usize,
    /// The parameters.
    pub theta: Vec<f64>,
    /// The parameters of the lowest loss on the points of this round.
    pub best_theta: Vec<f64>,
    /// That loss; infinite before the first step of a round.
    pub best_loss: f64,
    /// The optimizer's memory; `None` at the start of a stage.
    pub optimizer: Option<optim::State>,
    /// How every stage went that has begun.
    pub reports: Vec<StageReport>,
}

impl State {
    /// Before the first step, with initial parameters `theta`.
    pub fn new(theta: Vec<f64>) -> Self {
        Self { best_theta: theta.clone(), theta, best_loss: f64::INFINITY, ..Self::default() }
    }

    /// Can `problem` be trained on from here with `parameters` parameters and ω = `omega`?
    ///
    /// # Errors
    ///
    /// What does not fit: the state belongs to another problem, or to another version of the program.
    pub fn check(&self, problem: &Problem, parameters: usize, omega: f64) -> Result<(), String> {
        for (name, vector) in [("theta", &self.theta), ("best_theta", &self.best_theta)] {
            if vector.len() != parameters {
                return Err(format!("its `{name}` has {} numbers instead of {parameters}", vector.len()));
            }
        }
        let stages = &problem.training.stages;
        if self.stage > stages.len() || self.reports.len() > stages.len() || self.reports.len() < self.stage {
            return Err(format!("it is in stage {}, the problem has {}", self.stage + 1, stages.len()));
        }
        match (&self.optimizer, stages.get(self.stage)) {
            (Some(memory), Some(stage)) => optim::new(stage, parameters, omega).restore(memory),
            (Some(_), None) => Err("it holds an optimizer's memory after the last stage".into()),
            (None, _) => Ok(()),
        }
    }
}

/// What the observer is told.
#[derive(Debug)]
pub enum Event<'a> {
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
    /// A step has been taken.
    Stepped(StepReport<'a>),
    /// Now is the time to write the state down.
    Checkpoint(&'a State),
    /// A stage has ended.
    StageEnded {
        /// Which one.
        stage: usize,
        /// How it went.
        report: &'a StageReport,
    },
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct StepReport<'a> {
    /// Steps done in all, this one included.
    pub step: usize,
    /// The stage's index.
    pub stage: usize,
    /// Total loss.
    pub loss: f64,
    /// Unweighted terms, one for each condition.
    pub terms: &'a [f64],
    /// Norm of the gradient.
    pub gradient_norm: f64,
    /// Evaluations of loss and gradient that the step took.
    pub evaluations: usize,
    /// Errors of every unknown, if they were measured at this step.
    pub scores: Option<&'a [Option<Score>]>,
}

/// How a stage went.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct StageReport {
    /// `"adam"`, `"lbfgs"`, …
    pub name: String,
    /// Steps taken.
    pub steps: usize,
    /// Evaluations of loss and gradient.
    pub evaluations: usize,
    /// Why it ended before its last step; `None` if it did not.
    pub stopped: Option<StopReason>,
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
    /// Loss or gradient became infinite or NaN.
    Diverged {
        /// At this step.
        step: usize,
        /// In this stage.
        stage: usize,
        /// The first condition whose term was not finite; `None` if only the gradient was not.
        condition: Option<String>,
    },
}

/// The trained network.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How training ended.
    pub end: End,
    /// The parameters of the lowest loss on the last points.
    pub theta: Vec<f64>,
    /// The state at the end.
    pub state: State,
    /// Loss terms at `theta`.
    pub terms: Vec<f64>,
    /// Total loss at `theta`.
    pub loss: f64,
    /// Errors at `theta`, if the problem has a reference.
    pub scores: Vec<Option<Score>>,
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
/// `omega` is 1/f'(0) of the network's scaled activation, the unit of learning rates.
///
/// # Panics
///
/// If `state` does not fit, which [`State::check`] tells beforehand.
pub fn train(
    problem: &Problem,
    engine: &mut dyn Engine,
    omega: f64,
    state: State,
    observer: &mut dyn FnMut(Event) -> Flow,
) -> Outcome {
    let objective = EngineObjective::new(engine, problem.conditions.len(), &state);
    let mut training = Loop { problem, omega, scorer: Scorer::new(problem), objective, state, observer };
    training.draw_points();
    let end = training.run_stages();
    training.finish(end)
}

struct Loop<'a> {
    problem: &'a Problem,
    omega: f64,
    scorer: Option<Scorer>,
    objective: EngineObjective<'a>,
    state: State,
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
            // The next method starts from the best point of this one.
            if self.objective.best_loss.is_finite() {
                self.state.theta.clone_from(&self.objective.best_theta);
            }
        }
        if problem.training.tolerance > 0.0 { End::ToleranceNotReached } else { End::Done }
    }

    /// `Some` if training ends with this stage.
    fn run_stage(&mut self, stage: &Stage) -> Option<End> {
        let mut optimizer = optim::new(stage, self.state.theta.len(), self.omega);
        if let Some(memory) = self.state.optimizer.take() {
            optimizer.restore(&memory).expect("the state was made by this stage's method");
        }
        (self.observer)(Event::StageStarted { stage: self.state.stage });
        if self.state.reports.len() == self.state.stage {
            let name = stage.name().into();
            self.state.reports.push(StageReport { name, steps: 0, evaluations: 0, stopped: None });
        }
        let end = loop {
            if self.state.stage_step >= stage.steps() {
                break None;
            }
            self.redraw_if_due(&mut *optimizer);
            match self.step(&mut *optimizer) {
                Ok(None) => self.checkpoint_if_due(&*optimizer),
                Ok(end) => break end,
                Err(StopReason::NonFinite) => break Some(self.diverged()),
                Err(reason) => {
                    self.report().stopped = Some(reason);
                    break None;
                }
            }
        };
        if end.is_some() {
            self.state.optimizer = Some(optimizer.state());
        }
        let stage = self.state.stage;
        (self.observer)(Event::StageEnded { stage, report: &self.state.reports[stage] });
        end
    }

    /// Of the stage at work.
    fn report(&mut self) -> &mut StageReport {
        &mut self.state.reports[self.state.stage]
    }

    fn draw_points(&mut self) {
        let seed = self.problem.training.seed;
        for (i, condition) in self.problem.conditions.iter().enumerate() {
            let (points, data) = sample::points(self.problem, condition, seed, self.state.round);
            self.objective.engine.set_points(i, &points, data);
        }
    }

    fn redraw_if_due(&mut self, optimizer: &mut dyn Optimizer) {
        let every = self.problem.training.resample;
        if every == 0 || self.state.step / every <= self.state.round {
            return;
        }
        self.state.round = self.state.step / every;
        self.objective.best_loss = f64::INFINITY;
        self.draw_points();
        optimizer.objective_changed();
        (self.observer)(Event::Redrawn { step: self.state.step, round: self.state.round });
    }

    fn checkpoint_if_due(&mut self, optimizer: &dyn Optimizer) {
        let every = self.problem.training.checkpoint;
        if every > 0 && self.state.step.is_multiple_of(every) {
            self.remember_best();
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
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<Option<End>, StopReason> {
        let training = &self.problem.training;
        self.objective.evaluations = 0;
        let step = optimizer.step(&mut self.state.theta, &mut self.objective);
        self.report().evaluations += self.objective.evaluations;
        let progress = match step {
            Step::Moved(progress) => progress,
            Step::Stopped(reason) => return Err(reason),
        };
        if !(progress.loss.is_finite() && progress.gradient_norm.is_finite()) {
            return Err(StopReason::NonFinite);
        }
        self.state.step += 1;
        self.state.stage_step += 1;
        self.report().steps += 1;
        let scores = match &self.scorer {
            Some(scorer) if training.evaluate > 0 && self.state.step.is_multiple_of(training.evaluate) => {
                Some(scorer.score(self.objective.engine, &self.state.theta))
            }
            _ => None,
        };
        let flow = (self.observer)(Event::Stepped(StepReport {
            step: self.state.step,
            stage: self.state.stage,
            loss: progress.loss,
            terms: self.objective.terms_of(progress.loss),
            gradient_norm: progress.gradient_norm,
            evaluations: progress.evaluations,
            scores: scores.as_deref(),
        }));
        let tolerance = training.tolerance;
        let reached = tolerance > 0.0
            && match &scores {
                Some(scores) => scores.iter().flatten().all(|score| score.rel_l2 <= tolerance),
                None => self.scorer.is_none() && progress.loss <= tolerance,
            };
        Ok(if reached {
            // What reached the tolerance is the answer, whatever its loss.
            self.objective.best_loss = progress.loss;
            self.objective.best_theta.clone_from(&self.state.theta);
            Some(End::Done)
        } else if flow == Flow::Stop {
            Some(End::Interrupted)
        } else {
            None
        })
    }

    fn diverged(&self) -> End {
        let condition = self.objective.last_terms().iter().position(|term| !term.is_finite());
        End::Diverged {
            step: self.state.step + 1,
            stage: self.state.stage,
            condition: condition.map(|i| self.problem.conditions[i].name.clone()),
        }
    }

    fn finish(mut self, end: End) -> Outcome {
        self.remember_best();
        let theta = self.state.best_theta.clone();
        let engine = self.objective.engine;
        let mut terms = vec![0.0; self.problem.conditions.len()];
        let loss = engine.loss(&theta, &mut terms);
        let scores = match &self.scorer {
            Some(scorer) => scorer.score(engine, &theta),
            None => vec![None; self.problem.unknowns.len()],
        };
        Outcome { end, theta, state: self.state, terms, loss, scores }
    }
}

/// The engine as optimizers see it; it remembers the best point and the terms of a step's evaluations.
struct EngineObjective<'a> {
    engine: &'a mut dyn Engine,
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
    fn new(engine: &'a mut dyn Engine, conditions: usize, state: &State) -> Self {
        Self {
            engine,
            best_loss: state.best_loss,
            best_theta: state.best_theta.clone(),
            evaluations: 0,
            losses: vec![f64::NAN; REMEMBERED],
            terms: vec![0.0; REMEMBERED * conditions],
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

    /// Terms of the evaluation that gave `loss`.
    fn terms_of(&self, loss: f64) -> &[f64] {
        match self.losses.iter().position(|&known| known == loss) {
            Some(slot) => self.terms_at(slot),
            None => self.last_terms(),
        }
    }
}

impl Objective for EngineObjective<'_> {
    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        let conditions = self.terms.len() / REMEMBERED;
        let slot = self.evaluations % REMEMBERED;
        let terms = &mut self.terms[slot * conditions..][..conditions];
        let loss = self.engine.loss_and_gradient(theta, terms, gradient);
        self.losses[slot] = loss;
        self.evaluations += 1;
        if loss < self.best_loss {
            self.best_loss = loss;
            self.best_theta.copy_from_slice(theta);
        }
        loss
    }
}
