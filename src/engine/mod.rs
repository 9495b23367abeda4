//! The one seam to compute.
//!
//! An [`Engine`] holds a problem's points and, for any flat parameter vector θ, returns the loss terms, residuals and
//! predictions; a [`Differentiable`] one has the gradient, too.
//! It knows networks through their shape and equations through their formulas; it knows no optimizer.

#[cfg(feature = "burn")]
pub mod burn;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod device;
pub mod pointwise;

use std::sync::Arc;

use crate::jet::JetSet;
use crate::limits::MAX_WORKSPACE;
use crate::problem::Formula;
use crate::team::Team;

/// Why an engine could not be made.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused.
    #[error("cannot start the engine's threads: {0}; ask for fewer with --threads")]
    Threads(String),
    /// The network does not fit.
    #[error(
        "{threads} threads would need {bytes:.1e} bytes for the layers of a block of points each, more than \
         {MAX_WORKSPACE:.0e}; take a smaller network, derivatives of lower order, or fewer threads"
    )]
    Workspace {
        /// Threads of the engine.
        threads: usize,
        /// What they need.
        bytes: f64,
    },
    /// There is no such device, here or in this build.
    #[error("--device {0}: {1}")]
    Device(String, String),
    /// The device does not compute in this precision.
    #[error("device {0} cannot compute in {1}; choose another --precision or --device")]
    Precision(String, String),
}

/// Computes losses, residuals and predictions of one problem with one network.
///
/// Points are rows of coordinates, `points × coordinates`, row by row, always f64;
/// precision inside is the engine's own affair.
pub trait Engine: Send {
    /// Length of θ.
    fn parameters(&self) -> usize;

    /// The threads it computes with, for whoever computes between its evaluations.
    fn team(&self) -> Arc<Team>;

    /// Takes the points of condition `condition`, and its data columns (each one value a point) if it has any.
    ///
    /// A periodic condition takes pairs: the point on the lower face, then its partner, as one row after the other.
    /// Point weights that the condition had are forgotten.
    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]);

    /// Gives every point of a condition (every pair, if it is periodic) a weight w of its own; none at all mean 1.
    ///
    /// # Panics
    /// If there are some, but not one for each point.
    fn set_point_weights(&mut self, condition: usize, weights: &[f64]);

    /// The total loss `Σ λ·mean(w·residual²)`, λ being `weights` (one a condition); the unweighted `mean(residual²)` go
    /// to `terms` (one a condition).
    ///
    /// A condition with λ = 0 adds nothing, not even where its residual is not finite.
    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64;

    /// The least-squares side, which not every engine has.
    ///
    /// There is no slow default: rows of a Jacobian one backward pass at a time would cost thousands of gradients a
    /// step, and whoever asks is better told before training starts.
    fn jacobian(&mut self) -> Option<&mut dyn Jacobian> {
        None
    }

    /// Residuals of `condition` at given points, `points × residuals`, row by row.
    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64>;

    /// The roots of `formula`, which needs the derivatives `jets`, at `points`, row by row: `points × roots` numbers.
    ///
    /// Each root looks at `sides` linked points, which lie one after the other; `data` holds the columns that the formula
    /// reads, a number for each of its points.
    fn evaluate(
        &mut self,
        theta: &[f64],
        jets: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64>;

    /// The unknowns at given points, `points × unknowns`, row by row.
    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64>;
}

/// An engine whose problem can be trained: it knows the gradient of the loss.
pub trait Differentiable: Engine {
    /// The total loss as [`Engine::loss`] gives it, and its gradient.
    fn loss_and_gradient(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: &mut [f64],
    ) -> f64;

    /// `mean(w·residual²)` of one condition and its gradient; nothing else is computed.
    fn condition_gradient(&mut self, theta: &[f64], condition: usize, gradient: &mut [f64]) -> f64;

    /// Puts pairs of estimates r, r′ of a condition's residuals, roots one after the other, in their place in its loss; or the
    /// residuals again. `false` if nothing changes; else the condition has no points until they are set.
    ///
    /// Of such a pair the loss holds (r² + r′²)/2, but the gradient is that of r·r′: where r and r′ are independent, its mean
    /// is that of the square of what they estimate, which the gradient of r² exceeds by that of its variance.
    fn set_estimates(&mut self, condition: usize, estimates: Option<&Formula>) -> bool;
}

/// What multiplies a squared residual in the total loss: λ·w/n, for one of n points of weight w.
///
/// The loss is the sum of squares of residuals scaled by its root: the rows of a least-squares problem.
pub fn square_factor(weight: f64, point_weight: f64, points: usize) -> f64 {
    weight * point_weight / points as f64
}

/// The loss as a sum of squares, |r(θ)|², and the Jacobian J = ∂r/∂θ.
///
/// r holds every residual at every point times √(λ·w/points), λ being `weights` (one a condition): condition by condition, within it point by point (pair
/// by pair for a periodic one), within it residual by residual.
pub trait Jacobian {
    /// Length of r.
    fn residual_count(&self) -> usize;

    /// Rows of J with their numbers of r, n + 1 numbers each, are handed to `take`, some at a time; the loss and its terms as
    /// [`Engine::loss`].
    ///
    /// Their order is the engine's own, and always the same; rows of conditions without weight are left out.
    fn residual_rows(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        take: &mut dyn FnMut(&[f64]),
    ) -> f64;

    /// JᵀJ (n × n, symmetric, row by row) and Jᵀr, half the gradient; the loss and its terms as [`Engine::loss`].
    fn normal_equations(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        matrix: &mut [f64],
        vector: &mut [f64],
    ) -> f64;

    /// J·v, for a direction v in the space of θ.
    fn jacobian_product(&mut self, theta: &[f64], weights: &[f64], direction: &[f64], product: &mut [f64]);

    /// JᵀJ·v, for a direction v in the space of θ.
    fn gauss_newton_product(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        direction: &[f64],
        product: &mut [f64],
    );
}
