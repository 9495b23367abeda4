//! L-BFGS with a strong Wolfe line search.
//!
//! The direction is the two-loop recursion over the last curvature pairs (Nocedal and Wright 2006, algorithm 7.4),
//! the step satisfies the strong Wolfe conditions (`line_search.rs`).

use super::line_search::{LineSearch, Unit};
use super::{Objective, Optimizer, Progress, State, Step, StopReason, add, dot, norm};
use crate::settings;

/// The method and its memory.
pub struct Lbfgs {
    history: usize,
    /// Curvature pairs s and y, each `history × n`, used as rings.
    steps: Vec<f64>,
    changes: Vec<f64>,
    /// 1/(sᵀy) of every pair.
    inverse: Vec<f64>,
    /// How many pairs have ever been kept; the newest is at `(pairs − 1) mod history`.
    pairs: usize,
    /// How many of them still hold.
    kept: usize,
    /// What is left of the first step without a pair after starting over.
    step_scale: f64,
    /// Value and gradient at the current point, if known.
    loss: Option<f64>,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    search: LineSearch,
    coefficients: Vec<f64>,
}

impl Lbfgs {
    /// For `n` parameters.
    pub fn new(settings: &settings::Lbfgs, n: usize) -> Self {
        let history = settings.history.max(1);
        Self {
            history,
            steps: vec![0.0; history * n],
            changes: vec![0.0; history * n],
            inverse: vec![0.0; history],
            pairs: 0,
            kept: 0,
            step_scale: 1.0,
            loss: None,
            gradient: vec![0.0; n],
            direction: vec![0.0; n],
            search: LineSearch::new(n, Unit::Value),
            coefficients: vec![0.0; history],
        }
    }

    /// `direction = −H·gradient`.
    fn set_direction(&mut self) {
        let n = self.gradient.len();
        let Self { history, steps, changes, inverse, pairs, kept, gradient, direction, coefficients, .. } =
            self;
        for (d, g) in direction.iter_mut().zip(&*gradient) {
            *d = -g;
        }
        let slots = (0..*kept).map(|back| (*pairs - 1 - back) % *history);
        for slot in slots.clone() {
            let (s, y) = (&steps[slot * n..][..n], &changes[slot * n..][..n]);
            coefficients[slot] = inverse[slot] * dot(s, direction);
            add(direction, -coefficients[slot], y);
        }
        if let Some(newest) = slots.clone().next() {
            let y = &changes[newest * n..][..n];
            let scale = 1.0 / (inverse[newest] * dot(y, y));
            direction.iter_mut().for_each(|d| *d *= scale);
        }
        for slot in slots.rev() {
            let (s, y) = (&steps[slot * n..][..n], &changes[slot * n..][..n]);
            let correction = coefficients[slot] - inverse[slot] * dot(y, direction);
            add(direction, correction, s);
        }
    }

    /// Keeps the pair of the accepted step, if its curvature is safely positive.
    fn remember(&mut self, theta: &[f64]) {
        let n = theta.len();
        let slot = self.pairs % self.history;
        let s = &mut self.steps[slot * n..][..n];
        let y = &mut self.changes[slot * n..][..n];
        for i in 0..n {
            s[i] = self.search.theta[i] - theta[i];
            y[i] = self.search.gradient[i] - self.gradient[i];
        }
        let curvature = dot(s, y);
        if curvature.is_finite() && curvature > f64::EPSILON * norm(s) * norm(y) {
            self.inverse[slot] = 1.0 / curvature;
            self.pairs += 1;
            self.kept = (self.kept + 1).min(self.history);
        } else if self.kept == self.history {
            // The slot's old pair has been overwritten.
            self.kept -= 1;
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
            self.set_direction();
            let first = if self.kept == 0 { self.step_scale * (1.0 / gradient_norm).min(1.0) } else { 1.0 };
            let Self { search, direction, gradient, .. } = self;
            let found = search.search(theta, direction, gradient, loss, first, objective, &mut evaluations);
            if let Some((_, value)) = found {
                self.remember(theta);
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
                if self.kept == 0 {
                    return Step::Stopped(self.search.failure());
                }
                self.kept = 0;
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
        self.kept = 0;
        self.objective_changed();
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("step_scale".into(), self.step_scale);
        state.scalars.insert("pairs".into(), self.pairs as f64);
        state.scalars.insert("kept".into(), self.kept as f64);
        state.scalars.insert("loss".into(), self.loss.unwrap_or(f64::NAN));
        self.search.save(&mut state);
        for (name, vector) in [
            ("steps", &self.steps),
            ("changes", &self.changes),
            ("inverse", &self.inverse),
            ("gradient", &self.gradient),
        ] {
            state.vectors.insert(name.into(), vector.clone());
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.step_scale = state.scalar("step_scale")?;
        self.pairs = state.scalar("pairs")? as usize;
        self.kept = state.scalar("kept")? as usize;
        self.loss = Some(state.scalar("loss")?).filter(|loss| !loss.is_nan());
        self.search.restore(state)?;
        state.copy("steps", &mut self.steps)?;
        state.copy("changes", &mut self.changes)?;
        state.copy("inverse", &mut self.inverse)?;
        state.copy("gradient", &mut self.gradient)
    }
}
