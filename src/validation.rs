//! By what measure one network is preferred to another: the loss, with weights that balancing leaves alone, at points that
//! training never sees.
//!
//! The loss of training cannot serve: its points are few and redrawn, its weights change, and a loss before a change
//! compares with none after it.
//! Where these weights change, which they rarely do, what was measured has to be measured anew.
//! This file knows the problem and the engine; it does not know when a network is measured, nor what for.

use crate::engine::Engine;
use crate::problem::Problem;
use crate::sample::{self, Points, Purpose};
use crate::verify;

/// Fewest and most points of a condition: enough to tell networks apart, few enough to cost little.
const FEWEST: usize = 1 << 7;
const MOST: usize = 1 << 12;

/// Fixed points to measure at.
pub(crate) struct Validation {
    /// For every condition its points, as many as it has in training between [`FEWEST`] and [`MOST`], or those of its file.
    points: Vec<Points>,
}

impl Validation {
    /// Draws the points: Sobol's, from the stream `"validation/<condition>"` of the problem's seed.
    pub(crate) fn new(problem: &Problem) -> Self {
        let seed = problem.training.seed;
        let points = problem.conditions.iter().map(|condition| {
            let count = condition.points.clamp(FEWEST, MOST);
            let fresh = sample::fresh(problem, condition, Purpose::Validation, count, seed);
            fresh.unwrap_or_else(|| sample::given(&condition.place))
        });
        Self { points: points.collect() }
    }

    /// Σ λ·mean(residual²) with `weights`, at the fixed points and at those of files; lower is better.
    ///
    /// A number that is not finite counts as infinite.
    pub(crate) fn measure(
        &self,
        problem: &Problem,
        engine: &mut dyn Engine,
        weights: &[f64],
        theta: &[f64],
    ) -> f64 {
        let mut total = 0.0;
        let trained = problem.conditions.iter().enumerate().filter(|(_, condition)| !condition.is_exact());
        for (i, condition) in trained {
            let Points { rows, data } = &self.points[i];
            let squares = verify::squares(engine, theta, i, rows, data, condition.residuals.roots.len());
            total += weights[i] * squares.iter().sum::<f64>() / squares.len() as f64;
        }
        if total.is_finite() { total } else { f64::INFINITY }
    }
}
