//! L-BFGS with a strong Wolfe line search.
//!
//! The direction is that of the two-loop recursion over the last curvature pairs (`history.rs`),
//! the step satisfies the strong Wolfe conditions (`line_search.rs`).

use std::sync::Arc;

use super::history::History;
use super::line_search::{LineSearch, Unit};
use super::{Objective, Optimizer, Progress, State, Step, StopReason, norm};
use crate::settings;
use crate::team::Team;

/// The method and its memory.
pub struct Lbfgs {
    history: History,
    /// What is left of the first step without a pair after starting over.
    step_scale: f64,
    /// Value and gradient at the current point, if known.
    loss: Option<f64>,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    search: LineSearch,
}

impl Lbfgs {
    /// For `n` parameters; `team` will compute.
    pub fn new(settings: &settings::Lbfgs, n: usize, team: &Arc<Team>) -> Self {
        Self {
            history: History::new(settings.history.max(1), n, team),
            step_scale: 1.0,
            loss: None,
            gradient: vec![0.0; n],
            direction: vec![0.0; n],
            search: LineSearch::new(n, Unit::Value),
        }
    }
}

impl Optimizer for Lbfgs {
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step {
        let mut evaluations = 0;
        let loss = match self.loss {
            Some(loss) => loss,
            None => {
                evaluations += 1;
                objective.value_and_gradient(theta, &mut self.gradient)
            }
        };
        let gradient_norm = norm(&self.gradient);
        if !(loss.is_finite() && gradient_norm.is_finite()) {
            return Step::Stopped(StopReason::NonFinite);
        }
        if gradient_norm == 0.0 {
            return Step::Stopped(StopReason::GradientVanished);
        }
        self.loss = Some(loss);
        self.search.note(loss);
        if self.search.has_stalled() {
            return Step::Stopped(StopReason::LossStalled);
        }
        loop {
            self.history.set_direction(&self.gradient, &mut self.direction);
            let first =
                if self.history.is_empty() { self.step_scale * (1.0 / gradient_norm).min(1.0) } else { 1.0 };
            let Self { search, direction, gradient, .. } = self;
            let found = search.search(theta, direction, gradient, loss, first, objective, &mut evaluations);
            if let Some((_, value)) = found {
                let Self { history, search, gradient, .. } = self;
                history.remember([theta, &search.theta], [gradient, &search.gradient]);
                theta.copy_from_slice(&self.search.theta);
                std::mem::swap(&mut self.gradient, &mut self.search.gradient);
                self.loss = Some(value);
                let gradient_norm = norm(&self.gradient);
                return Step::Moved(Progress {
                    loss: value,
                    gradient_norm,
                    evaluations,
                    evaluation: evaluations - 1,
                    ..Progress::default()
                });
            }
            // Rounding may be at fault; if not, the curvature: then once more along the negative gradient.
            if !self.search.forgive() {
                if self.history.is_empty() {
                    return Step::Stopped(self.search.failure());
                }
                self.history.forget();
            }
        }
    }

    fn objective_changed(&mut self) {
        // Curvature of the same loss on other points still serves; value and gradient do not.
        self.loss = None;
        self.search.forget();
    }

    fn start_over(&mut self, factor: f64) {
        self.step_scale *= factor;
        self.history.forget();
        self.objective_changed();
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("step_scale".into(), self.step_scale);
        state.scalars.insert("loss".into(), self.loss.unwrap_or(f64::NAN));
        self.search.save(&mut state);
        self.history.save(&mut state);
        state.vectors.insert("gradient".into(), self.gradient.clone());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.step_scale = state.scalar("step_scale")?;
        self.loss = Some(state.scalar("loss")?).filter(|loss| !loss.is_nan());
        self.search.restore(state)?;
        self.history.restore(state)?;
        state.copy("gradient", &mut self.gradient)
    }
}
