//! L-BFGS with a strong Wolfe line search.
//!
//! The direction is the two-loop recursion over the last curvature pairs (Nocedal and Wright 2006, algorithm 7.4),
//! the step satisfies the strong Wolfe conditions (algorithms 3.5 and 3.6, with safeguarded cubic interpolation).
//! Near working precision, where the decrease of the loss drowns in rounding, the approximate Wolfe condition of
//! Hager and Zhang (2005) takes over, so that the method does not stop before it has to; how much rounding there is
//! is learnt from line searches that fail.

use super::{Objective, Optimizer, Progress, State, Step, StopReason, dot, norm};
use crate::settings;

/// Sufficient decrease.
const C1: f64 = 1e-4;
/// Curvature.
const C2: f64 = 0.9;
/// Relative rise of the loss, above the lowest one seen, that is put down to rounding (Hager and Zhang's ε) at first,
/// and the most it may become: small losses are differences of much larger numbers, above all in single precision.
const ROUNDING: f64 = 1e-6;
const MOST_ROUNDING: f64 = 1e-2;
/// Trials of one line search.
const TRIALS: usize = 25;
/// Steps without a new lowest loss after which it has stalled.
const PATIENCE: usize = 20;

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
    /// Value and gradient at the current point, if known.
    loss: Option<f64>,
    /// The lowest loss of this objective, and how many steps ago it was reached.
    lowest: f64,
    stalled: usize,
    /// Relative rise of the loss that is put down to rounding; grows tenfold when a line search fails.
    rounding: f64,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    trial: Vec<f64>,
    trial_gradient: Vec<f64>,
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
            loss: None,
            lowest: f64::INFINITY,
            stalled: 0,
            rounding: ROUNDING,
            gradient: vec![0.0; n],
            direction: vec![0.0; n],
            trial: vec![0.0; n],
            trial_gradient: vec![0.0; n],
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

    /// Evaluates at `theta + step·direction`.
    fn probe(&mut self, theta: &[f64], step: f64, objective: &mut dyn Objective) -> Trial {
        for ((trial, x), d) in self.trial.iter_mut().zip(theta).zip(&self.direction) {
            *trial = x + step * d;
        }
        let loss = objective.value_and_gradient(&self.trial, &mut self.trial_gradient);
        Trial { step, loss, slope: dot(&self.trial_gradient, &self.direction) }
    }

    /// A step that satisfies the strong Wolfe conditions, left in `trial` and `trial_gradient`; its loss.
    ///
    /// The bracket always runs from a point that is low enough and slopes down, `near`, to one beyond it that is too
    /// high, slopes up, or is not finite, `far`; a step that satisfies both conditions lies in between.
    fn line_search(
        &mut self,
        theta: &[f64],
        loss: f64,
        first: f64,
        objective: &mut dyn Objective,
        evaluations: &mut usize,
    ) -> Option<f64> {
        let start = Trial { step: 0.0, loss, slope: dot(&self.gradient, &self.direction) };
        if !(start.slope < 0.0 && start.slope.is_finite()) {
            return None;
        }
        let rounding = self.rounding * self.lowest.abs();
        let mut near = start;
        let mut far: Option<Trial> = None;
        let mut step = first;
        // Width of the bracket two trials ago and one trial ago.
        let mut widths = [f64::INFINITY; 2];
        for _ in 0..TRIALS {
            let trial = self.probe(theta, step, objective);
            *evaluations += 1;
            let finite = trial.loss.is_finite() && trial.slope.is_finite();
            // Where the loss is flat to rounding, slopes alone are to be trusted.
            let decreased = trial.loss <= loss + C1 * step * start.slope;
            let flat = trial.loss <= self.lowest + rounding;
            if finite && (decreased || flat) && trial.slope.abs() <= -C2 * start.slope {
                return Some(trial.loss);
            }
            if !finite || !(decreased || flat) || trial.slope >= 0.0 || trial.loss > near.loss + rounding {
                far = Some(trial);
            } else {
                let previous = std::mem::replace(&mut near, trial);
                if far.is_none() {
                    step = beyond(previous, near);
                }
            }
            if let Some(far) = far {
                let width = far.step - near.step;
                if width <= f64::EPSILON * far.step {
                    break;
                }
                // Interpolation that converges from one side only is slower than halving.
                step = if width > 0.66 * widths[0] { near.step + 0.5 * width } else { between(near, far) };
                widths = [widths[1], width];
            }
        }
        // No Wolfe point, but a real decrease is worth taking.
        if near.step > 0.0 && near.loss < loss {
            *evaluations += 1;
            return Some(self.probe(theta, near.step, objective).loss);
        }
        None
    }

    /// Keeps the pair of the accepted step, if its curvature is safely positive.
    fn remember(&mut self, theta: &[f64]) {
        let n = theta.len();
        let slot = self.pairs % self.history;
        let s = &mut self.steps[slot * n..][..n];
        let y = &mut self.changes[slot * n..][..n];
        for i in 0..n {
            s[i] = self.trial[i] - theta[i];
            y[i] = self.trial_gradient[i] - self.gradient[i];
        }
        let curvature = dot(s, y);
        if curvature > f64::EPSILON * norm(s) * norm(y) {
            self.inverse[slot] = 1.0 / curvature;
            self.pairs += 1;
            self.kept = (self.kept + 1).min(self.history);
        } else if self.kept == self.history {
            // The slot's old pair has been overwritten.
            self.kept -= 1;
        }
    }
}

/// A point of the line search: how far along the direction, the loss there and its slope along the direction.
#[derive(Clone, Copy)]
struct Trial {
    step: f64,
    loss: f64,
    slope: f64,
}

/// Where to look between the ends of a bracket: at the minimizer of the cubic through both, kept away from them.
fn between(near: Trial, far: Trial) -> f64 {
    let width = far.step - near.step;
    let d1 = near.slope + far.slope - 3.0 * (far.loss - near.loss) / width;
    let d2 = (d1 * d1 - near.slope * far.slope).sqrt();
    let fraction = 1.0 - (far.slope + d2 - d1) / (far.slope - near.slope + 2.0 * d2);
    // Beyond the far end nothing may be known: then the near one is the better guess.
    let fraction = if fraction.is_finite() { fraction.clamp(0.1, 0.9) } else { 0.1 };
    near.step + width * fraction
}

/// Where to look when the slope still goes down: where it would vanish if it went on like this, 2 to 10 times as far.
fn beyond(previous: Trial, near: Trial) -> f64 {
    let advance = near.step - previous.step;
    let root = near.step - near.slope * advance / (near.slope - previous.slope);
    let (least, most) = (2.0 * near.step, 10.0 * near.step);
    if root > 0.0 { root.clamp(least, most) } else { most }
}

fn add(to: &mut [f64], factor: f64, x: &[f64]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to += factor * x;
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
        self.lowest = self.lowest.min(loss);
        if self.stalled >= PATIENCE {
            return Step::Stopped(StopReason::LossStalled);
        }
        loop {
            self.set_direction();
            let first = if self.kept == 0 { (1.0 / gradient_norm).min(1.0) } else { 1.0 };
            if let Some(value) = self.line_search(theta, loss, first, objective, &mut evaluations) {
                self.remember(theta);
                theta.copy_from_slice(&self.trial);
                std::mem::swap(&mut self.gradient, &mut self.trial_gradient);
                self.loss = Some(value);
                self.stalled = if value < self.lowest { 0 } else { self.stalled + 1 };
                self.lowest = self.lowest.min(value);
                let gradient_norm = norm(&self.gradient);
                return Step::Moved(Progress { loss: value, gradient_norm, evaluations });
            }
            if self.rounding < MOST_ROUNDING {
                // Rounding may be at fault.
                self.rounding *= 10.0;
            } else if self.kept > 0 {
                // The curvature may be at fault: once more along the negative gradient.
                self.kept = 0;
            } else {
                return Step::Stopped(StopReason::NoDescent);
            }
        }
    }

    fn objective_changed(&mut self) {
        // Curvature of the same loss on other points still serves; value and gradient do not.
        self.loss = None;
        self.lowest = f64::INFINITY;
        self.stalled = 0;
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("pairs".into(), self.pairs as f64);
        state.scalars.insert("kept".into(), self.kept as f64);
        state.scalars.insert("loss".into(), self.loss.unwrap_or(f64::NAN));
        state.scalars.insert("lowest".into(), self.lowest);
        state.scalars.insert("rounding".into(), self.rounding);
        state.scalars.insert("stalled".into(), self.stalled as f64);
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
        self.pairs = state.scalar("pairs")? as usize;
        self.kept = state.scalar("kept")? as usize;
        self.loss = Some(state.scalar("loss")?).filter(|loss| !loss.is_nan());
        self.lowest = state.scalar("lowest")?;
        self.rounding = state.scalar("rounding")?;
        self.stalled = state.scalar("stalled")? as usize;
        state.copy("steps", &mut self.steps)?;
        state.copy("changes", &mut self.changes)?;
        state.copy("inverse", &mut self.inverse)?;
        state.copy("gradient", &mut self.gradient)
    }
}
