//! A line search for the strong Wolfe conditions.
//!
//! Nocedal and Wright 2006, algorithms 3.5 and 3.6, with safeguarded cubic interpolation.
//! Near working precision, where the decrease of the loss drowns in rounding, the approximate Wolfe condition of
//! Hager and Zhang (2005) takes over, so that a method does not stop before it has to; how much rounding there is
//! is learnt from searches that fail.

use super::{Objective, State, StopReason, dot};

/// Sufficient decrease.
const C1: f64 = 1e-4;
/// Curvature.
const C2: f64 = 0.9;
/// Rise above the lowest value seen, in units of [`LineSearch::unit`], that is put down to rounding (Hager and
/// Zhang's ε) at first, and the most it may become: small losses are differences of much larger numbers, above all in
/// single precision.
const ROUNDING: f64 = 1e-6;
const MOST_ROUNDING: f64 = 1e-2;
/// Trials of one search.
const TRIALS: usize = 25;
/// Steps without a new lowest value after which it has stalled.
const PATIENCE: usize = 20;

/// The search, what it has learnt of the objective, and its last trial.
pub(super) struct LineSearch {
    /// The lowest value of this objective, and how many steps ago it was reached.
    lowest: f64,
    stalled: usize,
    /// Rise that is put down to rounding; grows tenfold when a search fails.
    rounding: f64,
    unit: Unit,
    /// Was no trial of the last search finite?
    blind: bool,
    /// The last trial, and the gradient there.
    pub(super) theta: Vec<f64>,
    pub(super) gradient: Vec<f64>,
}

/// What rounding is relative to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Unit {
    /// The value itself.
    Value,
    /// One: the value is a logarithm.
    One,
}

/// A point of the search: how far along the direction, the value there and its slope along the direction.
#[derive(Clone, Copy)]
struct Trial {
    step: f64,
    value: f64,
    slope: f64,
}

impl LineSearch {
    /// For `n` parameters.
    pub(super) fn new(n: usize, unit: Unit) -> Self {
        Self {
            lowest: f64::INFINITY,
            stalled: 0,
            rounding: ROUNDING,
            unit,
            blind: false,
            theta: vec![0.0; n],
            gradient: vec![0.0; n],
        }
    }

    /// The objective is another one: its values compare with none before.
    pub(super) fn forget(&mut self) {
        self.lowest = f64::INFINITY;
        self.stalled = 0;
    }

    /// Takes note of the value a step starts from or has come to.
    pub(super) fn note(&mut self, value: f64) {
        self.lowest = self.lowest.min(value);
    }

    /// Has there been no new lowest value for too many steps?
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled >= PATIENCE
    }

    /// After a failed search: puts more down to rounding, if that may still be the cause.
    pub(super) fn forgive(&mut self) -> bool {
        let may = self.rounding < MOST_ROUNDING;
        if may {
            self.rounding *= 10.0;
        }
        may
    }

    /// Why a search along the negative gradient has failed.
    pub(super) fn failure(&self) -> StopReason {
        if self.blind { StopReason::NonFinite } else { StopReason::NoDescent }
    }

    /// Finds a step from `theta` along `direction` that satisfies the strong Wolfe conditions; `gradient` and `value`
    /// belong to `theta`, `first` is tried first.
    ///
    /// The step and the value there are returned, point and gradient left in `self`; `None` if there is no better
    /// point or the direction does not descend.
    /// The bracket always runs from a point that is low enough and slopes down, `near`, to one beyond it that is too
    /// high, slopes up, or is not finite, `far`; a step that satisfies both conditions lies in between.
    pub(super) fn search(
        &mut self,
        theta: &[f64],
        direction: &[f64],
        gradient: &[f64],
        value: f64,
        first: f64,
        objective: &mut dyn Objective,
        evaluations: &mut usize,
    ) -> Option<(f64, f64)> {
        self.blind = false;
        let start = Trial { step: 0.0, value, slope: dot(gradient, direction) };
        if !(start.slope < 0.0 && start.slope.is_finite()) {
            return None;
        }
        let rounding = match self.unit {
            Unit::Value => self.rounding * self.lowest.abs(),
            Unit::One => self.rounding,
        };
        let mut near = start;
        let mut far: Option<Trial> = None;
        let mut step = first;
        // Width of the bracket two trials ago and one trial ago.
        let mut widths = [f64::INFINITY; 2];
        self.blind = true;
        for _ in 0..TRIALS {
            let trial = self.probe(theta, direction, step, objective);
            *evaluations += 1;
            let finite = trial.value.is_finite() && trial.slope.is_finite();
            // A step that rounding swallows leads to no other point.
            self.blind = self.blind && (!finite || self.theta == theta);
            // Where the loss is flat to rounding, slopes alone are to be trusted.
            let decreased = trial.value <= value + C1 * step * start.slope;
            let flat = trial.value <= self.lowest + rounding;
            if finite && (decreased || flat) && trial.slope.abs() <= -C2 * start.slope {
                return Some(self.accept(trial));
            }
            if !finite || !(decreased || flat) || trial.slope >= 0.0 || trial.value > near.value + rounding {
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
        if near.step > 0.0 && near.value < value {
            *evaluations += 1;
            let trial = self.probe(theta, direction, near.step, objective);
            return Some(self.accept(trial));
        }
        None
    }

    /// Evaluates at `theta + step·direction`.
    fn probe(&mut self, theta: &[f64], direction: &[f64], step: f64, objective: &mut dyn Objective) -> Trial {
        for ((trial, x), d) in self.theta.iter_mut().zip(theta).zip(direction) {
            *trial = x + step * d;
        }
        let value = objective.value_and_gradient(&self.theta, &mut self.gradient);
        Trial { step, value, slope: dot(&self.gradient, direction) }
    }

    fn accept(&mut self, trial: Trial) -> (f64, f64) {
        self.stalled = if trial.value < self.lowest { 0 } else { self.stalled + 1 };
        self.note(trial.value);
        (trial.step, trial.value)
    }

    /// Writes down what has been learnt.
    pub(super) fn save(&self, state: &mut State) {
        state.scalars.insert("lowest".into(), self.lowest);
        state.scalars.insert("rounding".into(), self.rounding);
        state.scalars.insert("stalled".into(), self.stalled as f64);
    }

    /// Takes up what [`LineSearch::save`] wrote.
    pub(super) fn restore(&mut self, state: &State) -> Result<(), String> {
        self.lowest = state.scalar("lowest")?;
        self.rounding = state.scalar("rounding")?;
        self.stalled = state.scalar("stalled")? as usize;
        Ok(())
    }
}

/// Where to look between the ends of a bracket: at the minimizer of the cubic through both, kept away from them.
fn between(near: Trial, far: Trial) -> f64 {
    let width = far.step - near.step;
    let d1 = near.slope + far.slope - 3.0 * (far.value - near.value) / width;
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
