//! Optimizers of a flat parameter vector.
//!
//! They see the vector, the loss and its gradient, and know nothing of networks, engines or equations.
//! A method is a file here, a variant of [`crate::settings::Stage`], and a line in [`new`].

use std::collections::BTreeMap;

/// A differentiable function of the flat parameter vector.
pub trait Objective {
    /// The value at `theta`; its gradient goes to `gradient` (same length as `theta`).
    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64;
}

/// What one step did.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// The parameters moved (or, for a method that may reject a trial, its state did).
    Moved(Progress),
    /// The method cannot go on; the parameters are its best ones.
    Stopped(StopReason),
}

/// Figures of one step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    /// The objective at the parameters *before* the step for Adam, *after* it for line-search methods.
    pub loss: f64,
    /// Euclidean norm of the gradient there.
    pub gradient_norm: f64,
    /// Calls of the objective that the step made.
    pub evaluations: usize,
}

/// Why a method stopped by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The gradient is zero to working precision.
    GradientVanished,
    /// The line search found no better point along the descent direction, nor along the negative gradient.
    NoDescent,
    /// The loss no longer changes to working precision.
    LossStalled,
    /// The loss or the gradient is not finite.
    NonFinite,
}

/// An optimizer's whole memory, by name: enough to continue bit for bit.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct State {
    /// Single numbers (step counts, the last step length, …).
    pub scalars: BTreeMap<String, f64>,
    /// Vectors (moments, curvature pairs, …).
    pub vectors: BTreeMap<String, Vec<f64>>,
}

/// A method: one step at a time, its memory readable and writable.
pub trait Optimizer: Send {
    /// Moves `theta` by one step.
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step;

    /// The objective has changed (points were redrawn): forgets cached values and what no longer holds.
    fn objective_changed(&mut self);

    /// The memory, for a checkpoint.
    fn state(&self) -> State;

    /// Takes up a memory that [`Optimizer::state`] gave; a foreign one is refused with the reason.
    fn restore(&mut self, state: &State) -> Result<(), String>;
}
