//! What is written down while a run trains: metrics and checkpoints, and how long it took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::SolveError;
use crate::problem::Problem;
use crate::run::{Checkpoint, RunDirectory, RunError};
use crate::settings::Stage;
use crate::train::{Event, Flow, Outcome, State, StepReport};

/// Turns events into metrics and checkpoints.
pub(super) struct Recorder<'a> {
    problem: &'a Problem,
    directory: &'a mut RunDirectory,
    digest: u64,
    /// Steps between two lines of `metrics.jsonl`.
    every: usize,
    /// The window at work, counted from 1; `None` if time is not cut into windows.
    window: Option<usize>,
    stop: &'a AtomicBool,
    /// Seconds of training before this process took over.
    before: f64,
    start: Instant,
    last: Instant,
    step_seconds: Vec<f64>,
    final_loss: Option<f64>,
    /// The first failure to write; training stops at it.
    failure: Option<RunError>,
}

/// What remains of a recorder after training.
pub(super) struct Recording {
    /// Wall-clock seconds of training.
    pub(super) seconds: f64,
    /// Median milliseconds of a step.
    pub(super) step_ms: Option<f64>,
    /// Loss of the last step.
    pub(super) final_loss: Option<f64>,
}

/// Steps whose duration is kept for the median.
const TIMED_STEPS: usize = 100_000;
/// Lines of `metrics.jsonl` that a run has about at the most: as many as a chart has pixels.
const LINES: usize = 2000;

impl<'a> Recorder<'a> {
    pub(super) fn new(
        problem: &'a Problem,
        directory: &'a mut RunDirectory,
        digest: u64,
        before: f64,
        stop: &'a AtomicBool,
    ) -> Self {
        let stages: usize = problem.training.stages.iter().map(Stage::steps).sum();
        let steps = problem.training.windows.count() * stages;
        Self {
            problem,
            directory,
            digest,
            every: (steps / LINES).max(1),
            window: None,
            stop,
            before,
            start: Instant::now(),
            last: Instant::now(),
            step_seconds: Vec::with_capacity(steps.min(TIMED_STEPS)),
            final_loss: None,
            failure: None,
        }
    }

    pub(super) fn observe(&mut self, event: Event) -> Flow {
        let written = match event {
            Event::WindowStarted { window, step, along, span: (from, to) } => {
                self.window = Some(window + 1);
                match step {
                    Some(step) => self.directory.log(&serde_json::json!({
                        "event": "window", "step": step, "window": window + 1, "along": along, "from": from, "to": to,
                    })),
                    None => Ok(()),
                }
            }
            Event::StageStarted { .. } => {
                self.last = Instant::now();
                Ok(())
            }
            Event::StageEnded { .. } | Event::Ended => Ok(()),
            Event::Redrawn { step, round } => {
                self.directory.log(&serde_json::json!({ "event": "redrawn", "step": step, "round": round }))
            }
            Event::BrokenDown { step, breakdown, recovered } => {
                let event = if recovered { "recovered" } else { "diverged" };
                self.directory
                    .log(&serde_json::json!({ "event": event, "step": step, "breakdown": breakdown }))
            }
            Event::Reweighted { step, weights, slices } => {
                let weights = self.by_condition(weights);
                let mut line = serde_json::json!({ "event": "reweighted", "step": step, "weights": weights });
                if !slices.is_empty() {
                    line["slices"] = slices.into();
                }
                self.directory.log(&line)
            }
            Event::Stepped(report) => {
                let now = Instant::now();
                if self.step_seconds.len() < TIMED_STEPS {
                    self.step_seconds.push((now - self.last).as_secs_f64());
                }
                self.last = now;
                self.final_loss = Some(report.loss);
                let due = report.step == 1 || report.step.is_multiple_of(self.every);
                if due || report.scores.is_some() { self.directory.log(&self.line(&report)) } else { Ok(()) }
            }
            Event::Checkpoint(state) => self.checkpoint(state),
        };
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
        if self.failure.is_some() || self.stop.load(Ordering::Relaxed) { Flow::Stop } else { Flow::Continue }
    }

    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }

    fn line(&self, report: &StepReport) -> serde_json::Value {
        let terms = self.by_condition(report.terms);
        let mut line = serde_json::json!({
            "step": report.step,
            "stage": self.problem.training.stages[report.stage].name(),
            "seconds": self.seconds(),
            "loss": report.loss,
            "terms": terms,
            "gradient_norm": report.gradient_norm,
            "evaluations": report.evaluations,
        });
        if let Some(window) = self.window {
            line["window"] = window.into();
        }
        if let Some(scores) = report.scores {
            let named = self.problem.unknowns.iter().map(|unknown| unknown.name.clone()).zip(scores);
            let named: Vec<_> = named.filter_map(|(name, score)| Some((name, score.as_ref()?))).collect();
            let errors: serde_json::Map<_, _> =
                named.iter().map(|(name, score)| (name.clone(), score.rel_l2.into())).collect();
            // Where a relative error is undefined the absolute one is noted.
            let absolute = named.iter().filter(|(_, score)| score.rel_l2.is_none());
            let absolute: serde_json::Map<_, _> =
                absolute.map(|(name, score)| (name.clone(), score.rms_error.into())).collect();
            line["rel_l2"] = errors.into();
            if !absolute.is_empty() {
                line["rms_error"] = absolute.into();
            }
        }
        if !report.coefficients.is_empty() {
            let values = self.problem.trained_values(report.coefficients);
            let named = self.problem.trainable.iter().zip(values);
            let named: serde_json::Map<_, _> =
                named.map(|(trainable, value)| (trainable.name.clone(), value.into())).collect();
            line["parameters"] = named.into();
        }
        line
    }

    /// A number for every condition, by name.
    fn by_condition(&self, values: &[f64]) -> serde_json::Map<String, serde_json::Value> {
        let names = self.problem.conditions.iter().map(|condition| condition.name.clone());
        names.zip(values.iter().map(|&value| value.into())).collect()
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), RunError> {
        if !self.directory.is_own() {
            return Ok(());
        }
        let seconds = self.seconds();
        self.directory.write_checkpoint(&Checkpoint { problem: self.digest, seconds, state })
    }

    pub(super) fn finish(mut self, outcome: &Outcome) -> Result<Recording, SolveError> {
        let seconds = self.seconds();
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        self.checkpoint(&outcome.state)?;
        self.step_seconds.sort_by(f64::total_cmp);
        let step_ms = self.step_seconds.get(self.step_seconds.len() / 2).map(|seconds| 1e3 * seconds);
        // A run that went on from its very end has taken no step here.
        let final_loss = match self.final_loss {
            Some(loss) => Some(loss),
            None => self.directory.metrics()?.last().map(|line| line.loss).filter(|loss| loss.is_finite()),
        };
        Ok(Recording { seconds, step_ms, final_loss })
    }
}
