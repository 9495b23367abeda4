//! The progress bar: on stderr, and only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pinn::internals::score::Score;
use pinn::internals::train::{Event, StepReport};
use pinn::settings::Stage;

/// Redraws at most this often.
const PER_SECOND: u8 = 8;

/// A bar over all steps, or nothing.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
    error: Option<f64>,
    /// For the prefix, where time is cut into windows.
    window: Option<usize>,
}

impl Progress {
    /// A bar for `steps` steps; hidden if `quiet` or where stderr is no terminal.
    pub(crate) fn new(steps: usize, quiet: bool) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(PER_SECOND) };
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target);
        let template = "{prefix:6} {bar:30} {pos}/{len}  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, quiet, error: None, window: None }
    }

    /// Shows what training does; `stages` are those of the problem, gone through in each of its `windows`.
    pub(crate) fn observe(&mut self, event: &Event, stages: &[Stage], windows: usize) {
        match event {
            Event::WindowStarted { window, .. } => self.window = Some(window + 1),
            Event::StageStarted { stage } => {
                let window = self.window.map_or(String::new(), |window| format!("{window}/{windows} "));
                self.bar.set_prefix(format!("{window}{}", stages[*stage].name()));
            }
            Event::Stepped(report) => self.step(report),
            // Steps that will not be taken, because the stage ended early.
            Event::StageEnded { stage, report } => {
                let skipped = stages[*stage].steps().saturating_sub(report.steps);
                self.bar.set_length(self.bar.length().unwrap_or(0).saturating_sub(skipped as u64));
                if let (true, Some(network), false) = (stages[*stage].grows(), &report.choice, self.quiet) {
                    self.bar.suspend(|| tell!("  grown to {network}"));
                }
            }
            Event::BrokenDown { breakdown, recovered: true, .. } if !self.quiet => self.bar.suspend(|| {
                tell!("warning: {breakdown}; going back to the last good parameters, with shorter steps");
            }),
            Event::BrokenDown { .. }
            | Event::Redrawn { .. }
            | Event::Reweighted { .. }
            | Event::Checkpoint(_)
            | Event::Ended => {}
        }
    }

    fn step(&mut self, report: &StepReport) {
        if let Some(scores) = report.scores {
            self.error = worst(scores);
        }
        self.bar.set_position(report.step as u64);
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.bar.elapsed().as_secs_f64();
        let error = self.error.map_or(String::new(), |error| format!("  error {error:.2e}"));
        let step_ms = 1e3 * seconds / report.step.max(1) as f64;
        self.bar.set_message(format!("loss {:.2e}{error}  {step_ms:.2} ms/step", report.loss));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The greatest error over the unknowns.
fn worst(scores: &[Option<Score>]) -> Option<f64> {
    scores.iter().flatten().map(Score::error).reduce(f64::max)
}
