//! An independent check of an answer: its residuals where training has not looked.
//!
//! Where there is no reference, this is what an answer can be judged by.
//! A small loss says that the equation holds at the points of training; a residual that is much larger in between
//! says that the points were too few.

use serde::Serialize;

use crate::engine::Engine;
use crate::problem::{Place, Problem};
use crate::sample::{self, Purpose};

/// Points of the check in the interior, and on faces; powers of two, as Sobol's sequence likes them.
const INTERIOR: usize = 1 << 14;
const FACE: usize = 1 << 12;

/// How well an equation holds at points that training has not seen.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Residual {
    /// How many points (pairs, for a periodic condition).
    pub points: usize,
    /// The root of the mean of residual², where several residuals of a condition add up: comparable with the root of
    /// the condition's term of the loss.
    pub rms: f64,
    /// The greatest norm over the condition's residuals at one point.
    pub max: f64,
    /// Where that is: a value for each coordinate (of the lower one of a pair).
    pub at: Vec<f64>,
}

/// The residuals of every condition at fresh points; `None` for conditions on points from a file.
pub fn residuals(problem: &Problem, engine: &mut dyn Engine, theta: &[f64]) -> Vec<Option<Residual>> {
    let dimensions = problem.coordinates.len();
    let conditions = problem.conditions.iter().enumerate();
    conditions
        .map(|(i, condition)| {
            let count = if condition.place == Place::Interior { INTERIOR } else { FACE };
            let points = sample::fresh(problem, condition, Purpose::Check, count, problem.training.seed)?;
            let squares = squares(engine, theta, i, &points, &[], condition.residuals.roots.len());
            let site = condition.sides() * dimensions;
            let worst = worst(&squares);
            Some(Residual {
                points: squares.len(),
                rms: (squares.iter().sum::<f64>() / squares.len() as f64).sqrt(),
                max: squares[worst].sqrt(),
                at: points[worst * site..][..dimensions].to_vec(),
            })
        })
        .collect()
}

/// The first index of the greatest number; a NaN is the greatest there is, and stays visible.
pub(crate) fn worst(squares: &[f64]) -> usize {
    let beyond = |square: f64, most: f64| square > most || (square.is_nan() && !most.is_nan());
    (0..squares.len()).fold(0, |worst, i| if beyond(squares[i], squares[worst]) { i } else { worst })
}

/// Σ residual² over the `residuals` residuals of a condition, at each of `points`, which may have `data` columns.
pub(crate) fn squares(
    engine: &mut dyn Engine,
    theta: &[f64],
    condition: usize,
    points: &[f64],
    data: &[Vec<f64>],
    residuals: usize,
) -> Vec<f64> {
    let values = engine.residuals(theta, condition, points, data);
    values.chunks_exact(residuals).map(|values| values.iter().map(|r| r * r).sum()).collect()
}
