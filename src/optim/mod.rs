//! Optimizers of a flat parameter vector.
//!
//! They see the vector, the loss and its gradient, and know nothing of networks, engines or equations.
//! A method is a file here, a variant of [`crate::settings::Stage`], and a line in [`new`].

mod adam;
mod cholesky;
mod factorized;
mod history;
mod lbfgs;
mod line_search;
mod lm;
mod orthogonal;
mod quasi_newton;
mod sketch;
mod ssbfgs;
mod ssbroyden;
mod symmetric;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use adam::Adam;
pub use factorized::Row;
pub use lbfgs::Lbfgs;
pub use lm::Lm;
pub use quasi_newton::QuasiNewton;

use self::factorized::Factorized;
use crate::limits::MAX_HISTORY_NUMBERS;
use crate::settings::Stage;
use crate::team::Team;

/// What methods know of the vector that they move.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Layout {
    /// How many numbers it has.
    pub parameters: usize,
    /// ω of the network's activation.
    pub omega: f64,
    /// Of random numbers that a method draws.
    pub seed: u64,
    /// Those that are moved as a factor and what it multiplies.
    pub rows: Vec<Row>,
}

impl Layout {
    /// That of a vector whose numbers are all moved as they are.
    pub fn plain(parameters: usize, omega: f64) -> Self {
        Self { parameters, omega, seed: 0, rows: vec![] }
    }

    /// How many numbers a method moves.
    pub fn moved(&self) -> usize {
        self.parameters + self.rows.len()
    }
}

/// The optimizer of a stage; `team` computes what is worth sharing out, and bits do not depend on it.
///
/// # Panics
///
/// If the stage is no method.
pub fn new(stage: &Stage, layout: &Layout, team: &Arc<Team>) -> Box<dyn Optimizer> {
    let &Layout { parameters, ref rows, .. } = layout;
    if rows.is_empty() {
        return method(stage, parameters, layout, team);
    }
    Box::new(Factorized::new(rows, parameters, |moved| method(stage, moved, layout, team)))
}

/// For a vector of `parameters` numbers, which the method is shown in place of those of `layout`.
fn method(stage: &Stage, parameters: usize, layout: &Layout, team: &Arc<Team>) -> Box<dyn Optimizer> {
    let &Layout { omega, seed, .. } = layout;
    match stage {
        Stage::Adam(settings) => Box::new(Adam::new(settings, parameters, omega)),
        Stage::Lbfgs(settings) => Box::new(Lbfgs::new(settings, parameters, team)),
        Stage::Lm(settings) => Box::new(Lm::new(settings, parameters, seed, team)),
        Stage::Ssbfgs(settings) => Box::new(QuasiNewton::new(settings, ssbfgs::rule, parameters, team)),
        Stage::Ssbroyden(settings) => Box::new(QuasiNewton::new(settings, ssbroyden::rule, parameters, team)),
        Stage::Grow(_) => panic!("growth is no method"),
    }
}

/// Is `stage` a method for this many parameters? If not, why, and what to do.
///
/// Dense matrices have to fit into memory, and what a method does without one may not be what was asked for; the inverse
/// Hessian of a quasi-Newton method is shared by `ranks` processes.
pub fn check(stage: &Stage, parameters: usize, ranks: usize) -> Result<(), String> {
    let fits = |most: usize, instead: &str| {
        if parameters <= most {
            return Ok(());
        }
        Err(format!(
            "its matrix for {parameters} parameters would not fit (at most {most} are allowed); {instead}"
        ))
    };
    match stage {
        Stage::Adam(_) | Stage::Grow(_) => Ok(()),
        Stage::Lbfgs(settings) => {
            let numbers = 2.0 * settings.history as f64 * parameters as f64;
            if numbers <= MAX_HISTORY_NUMBERS {
                return Ok(());
            }
            Err(format!(
                "its history would take {numbers:.1e} numbers, more than {MAX_HISTORY_NUMBERS:.0e}; keep fewer pairs"
            ))
        }
        Stage::Lm(settings) => lm::check(settings, parameters, fits),
        Stage::Ssbfgs(_) | Stage::Ssbroyden(_) => {
            let most = MOST_PARAMETERS as f64 * (ranks as f64).sqrt();
            fits(most as usize, "use lbfgs, a smaller network, or more ranks of MPI (docs/mpi.md)")
        }
    }
}

/// Parameters up to which a process forms a dense matrix if a stage asks for it: 3 GiB.
const MOST_PARAMETERS: usize = 20_000;

/// The name that the inverse Hessian of a quasi-Newton method has in its state.
pub const INVERSE: &str = "inverse";

/// A differentiable function of the flat parameter vector.
pub trait Objective {
    /// The value at `theta`.
    fn value(&mut self, theta: &[f64]) -> f64;

    /// The value at `theta`; its gradient goes to `gradient` (same length as `theta`).
    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64;

    /// The function as a sum of squares, if it is one whose parts can be told.
    fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
        None
    }
}

/// An objective |r(θ)|² with the Jacobian J = ∂r/∂θ, whose gradient is 2Jᵀr.
pub trait LeastSquares: Objective {
    /// The value at `theta`; every row of J with its number of r, n + 1 numbers, is handed to `take`, some rows at a time.
    fn residual_rows(&mut self, theta: &[f64], take: &mut dyn FnMut(&[f64])) -> f64;

    /// The value at `theta`; JᵀJ goes to `matrix` (n × n, symmetric, row by row) and Jᵀr to `vector`.
    fn normal_equations(&mut self, theta: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64;

    /// JᵀJ·v at `theta`, for a direction v.
    fn gauss_newton_product(&mut self, theta: &[f64], direction: &[f64], product: &mut [f64]);
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
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Progress {
    /// The objective, as one of the step's evaluations gave it.
    pub loss: f64,
    /// Euclidean norm of the gradient there; for least-squares methods, of the gradient before the step.
    pub gradient_norm: f64,
    /// Which of the step's evaluations `loss` belongs to, counted from 0.
    pub evaluation: usize,
    /// Was that one at the parameters *before* the step (Adam, which then moves without looking)? Else it was at those
    /// *after* it.
    pub before: bool,
    /// Calls of the objective that the step made, whether for the value, the gradient or the normal equations.
    pub evaluations: usize,
    /// Linear systems that were factorized.
    pub factorizations: usize,
    /// Products with JᵀJ.
    pub products: usize,
    /// Trial points that were computed and refused; line searches count none.
    pub rejected: usize,
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
    /// The loss at fresh points has come down to the training's goal.
    GoalReached,
    /// The loss at fresh points has not halved in as many steps as the training's patience.
    PatienceEnded,
    /// The loss or the gradient is not finite.
    NonFinite,
    /// The curvature of the loss is not finite, though loss and gradient are.
    NonFiniteCurvature,
    /// The method needs residuals one by one, and the objective has none to show.
    NoResiduals,
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::GradientVanished => "the gradient is zero",
            Self::NoDescent => "no better point along the descent direction",
            Self::LossStalled => "the loss no longer changes",
            Self::GoalReached => "the loss at fresh points has come down to `goal`",
            Self::PatienceEnded => "the loss at fresh points has not halved for as long as `patience` allows",
            Self::NonFinite => "the loss or the gradient is not finite",
            Self::NonFiniteCurvature => "the curvature is not finite",
            Self::NoResiduals => {
                "the method needs the residuals' Jacobian, which this device does not compute; use the device cpu"
            }
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

    /// What the method chose where its settings leave it a choice.
    fn choice(&self) -> Option<&'static str> {
        None
    }

    /// Does a step cost as much as many gradients, so that what is asked every so many steps is asked sooner?
    fn dear(&self) -> bool {
        false
    }

    /// The objective has changed (points were redrawn): forgets cached values and what no longer holds.
    fn objective_changed(&mut self);

    /// Numbers ceased to be finite, and it goes on from other parameters: forgets what it has learnt, which led there,
    /// and takes steps `factor` times as long as before, be it by a learning rate, a first trial or a damping.
    fn start_over(&mut self, factor: f64);

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

    /// The vector called `name`, which must have `length` numbers.
    fn vector(&self, name: &str, length: usize) -> Result<&[f64], String> {
        match self.vectors.get(name) {
            Some(vector) if vector.len() == length => Ok(vector),
            Some(vector) => {
                Err(format!("the optimizer's `{name}` has {} numbers instead of {length}", vector.len()))
            }
            None => Err(format!("the optimizer's `{name}` is missing")),
        }
    }

    /// Copies the vector called `name`, which must be as long as `to`.
    fn copy(&self, name: &str, to: &mut [f64]) -> Result<(), String> {
        to.copy_from_slice(self.vector(name, to.len())?);
        Ok(())
    }
}

/// The scalar product, in eight interleaved partial sums, which vectorize and lose less to rounding.
#[inline(always)]
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

/// `to += factor·x`
#[inline(always)]
fn add(to: &mut [f64], factor: f64, x: &[f64]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to += factor * x;
    }
}

/// The Euclidean norm.
fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
