//! L-BFGS with a strong Wolfe line search.
//!
//! The direction is the two-loop recursion over the last curvature pairs (Nocedal and Wright 2006, algorithm 7.4),
//! the step satisfies the strong Wolfe conditions (algorithms 3.5 and 3.6, with safeguarded cubic interpolation).
//! Near working precision, where the decrease of the loss drowns in rounding, the approximate Wolfe condition of
//! Hager and Zhang (2005) takes over, so that the method does not stop before it has to.

use super::{Objective, Optimizer, Progress, State, Step, StopReason, dot, norm};
use crate::settings;

/// Sufficient decrease.
const C1: f64 = 1e-4;
/// Curvature.
const C2: f64 = 0.9;
/// Relative rise of the loss that rounding may cause.
const ROUNDING: f64 = 1e-13;
/// Trials of one line search.
const TRIALS: usize = 25;

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

    /// Evaluates at `theta + step·direction`: the loss and its slope along the direction.
    fn probe(&mut self, theta: &[f64], step: f64, objective: &mut dyn Objective) -> (f64, f64) {
        for ((trial, x), d) in self.trial.iter_mut().zip(theta).zip(&self.direction) {
            *trial = x + step * d;
        }
        let loss = objective.value_and_gradient(&self.trial, &mut self.trial_gradient);
        (loss, dot(&self.trial_gradient, &self.direction))
    }

    /// A step that satisfies the strong Wolfe conditions, left in `trial` and `trial_gradient`.
    fn line_search(
        &mut self,
        theta: &[f64],
        loss: f64,
        first: f64,
        objective: &mut dyn Objective,
        evaluations: &mut usize,
    ) -> Option<f64> {
        let slope = dot(&self.gradient, &self.direction);
        if slope >= 0.0 || !slope.is_finite() {
            return None;
        }
        let rounding = ROUNDING * loss.abs();
        // The best end of the bracket, and the other end once there is one.
        let mut low = (0.0, loss, slope);
        let mut high: Option<(f64, f64, f64)> = None;
        let mut step = first;
        for _ in 0..TRIALS {
            let (value, rate) = self.probe(theta, step, objective);
            *evaluations += 1;
            let finite = value.is_finite() && rate.is_finite();
            let decreased = value <= loss + C1 * step * slope;
            // Where the loss is flat to rounding, the slope alone is to be trusted.
            let flat = value <= loss + rounding && (2.0 * C1 - 1.0) * slope >= rate;
            if finite && (decreased || flat) && rate.abs() <= -C2 * slope {
                return Some(value);
            }
            let here = (step, value, rate);
            if !finite || !(decreased || flat) || (value >= low.1 && !flat) {
                high = Some(here);
            } else {
                if rate * (high.map_or(f64::INFINITY, |high| high.0) - low.0) >= 0.0 {
                    high = Some(low);
                }
                low = here;
            }
            step = match high {
                None => low.0 * 4.0,
                Some(high) => between(low, high),
            };
            if high.is_some_and(|high| (high.0 - low.0).abs() <= 1e-14 * low.0.abs().max(1e-300)) {
                break;
            }
        }
        // No Wolfe point, but a real decrease is worth taking.
        if low.0 > 0.0 && low.1 < loss {
            let (value, _) = self.probe(theta, low.0, objective);
            *evaluations += 1;
            return Some(value);
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

/// The minimizer of the cubic through both ends, kept away from them; the middle where it is of no use.
fn between(low: (f64, f64, f64), high: (f64, f64, f64)) -> f64 {
    let ((a, fa, da), (b, fb, db)) = (low, high);
    let middle = 0.5 * (a + b);
    let d1 = da + db - 3.0 * (fa - fb) / (a - b);
    let d2 = (d1 * d1 - da * db).sqrt().copysign(b - a);
    let step = b - (b - a) * (db + d2 - d1) / (db - da + 2.0 * d2);
    let (near, far) = (a.min(b), a.max(b));
    let margin = 0.1 * (far - near);
    if step.is_finite() { step.clamp(near + margin, far - margin) } else { middle }
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
        loop {
            self.set_direction();
            let first = if self.kept == 0 { (1.0 / gradient_norm).min(1.0) } else { 1.0 };
            if let Some(value) = self.line_search(theta, loss, first, objective, &mut evaluations) {
                self.remember(theta);
                theta.copy_from_slice(&self.trial);
                std::mem::swap(&mut self.gradient, &mut self.trial_gradient);
                self.loss = Some(value);
                let gradient_norm = norm(&self.gradient);
                return Step::Moved(Progress { loss: value, gradient_norm, evaluations });
            }
            if self.kept == 0 {
                return Step::Stopped(StopReason::NoDescent);
            }
            // The curvature may be at fault: once more along the negative gradient.
            self.kept = 0;
        }
    }

    fn objective_changed(&mut self) {
        // Curvature of the same loss on other points still serves; value and gradient do not.
        self.loss = None;
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("pairs".into(), self.pairs as f64);
        state.scalars.insert("kept".into(), self.kept as f64);
        state.scalars.insert("loss".into(), self.loss.unwrap_or(f64::NAN));
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
        state.copy("steps", &mut self.steps)?;
        state.copy("changes", &mut self.changes)?;
        state.copy("inverse", &mut self.inverse)?;
        state.copy("gradient", &mut self.gradient)
    }
}
