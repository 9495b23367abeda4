//! Optimizers of a flat parameter vector.
//!
//! They see the vector, the loss and its gradient, and know nothing of networks, engines or equations.
//! A method is a file here, a variant of [`crate::settings::Stage`], and a line in [`new`].

mod adam;
mod lbfgs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use adam::Adam;
pub use lbfgs::Lbfgs;

use crate::settings::Stage;

/// The optimizer of a stage, for `parameters` parameters of a network whose activation has ω = `omega`.
pub fn new(stage: &Stage, parameters: usize, omega: f64) -> Box<dyn Optimizer> {
    match stage {
        Stage::Adam(settings) => Box::new(Adam::new(settings, parameters, omega)),
        Stage::Lbfgs(settings) => Box::new(Lbfgs::new(settings, parameters)),
    }
}

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

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::GradientVanished => "the gradient is zero",
            Self::NoDescent => "no better point along the descent direction",
            Self::LossStalled => "the loss no longer changes",
            Self::NonFinite => "the loss or the gradient is not finite",
        })
    }
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

impl State {
    /// The number called `name`.
    fn scalar(&self, name: &str) -> Result<f64, String> {
        self.scalars.get(name).copied().ok_or_else(|| format!("the optimizer's `{name}` is missing"))
    }

    /// Copies the vector called `name`, which must be as long as `to`.
    fn copy(&self, name: &str, to: &mut [f64]) -> Result<(), String> {
        match self.vectors.get(name) {
            Some(vector) if vector.len() == to.len() => {
                to.copy_from_slice(vector);
                Ok(())
            }
            Some(vector) => {
                Err(format!("the optimizer's `{name}` has {} numbers instead of {}", vector.len(), to.len()))
            }
            None => Err(format!("the optimizer's `{name}` is missing")),
        }
    }
}

/// The scalar product, in eight interleaved partial sums, which vectorize and lose less to rounding.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The Euclidean norm.
fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
