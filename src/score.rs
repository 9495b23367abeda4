//! How far a prediction is from its reference.

use serde::Serialize;

use crate::engine::Engine;
use crate::problem::{Problem, Solution, Unknown};

/// Errors of one unknown over a set of points.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Score {
    /// ‖predicted − reference‖₂ / ‖reference‖₂; `None` where the reference is zero, which nothing is relative to.
    pub rel_l2: Option<f64>,
    /// Root of the mean squared difference, in the unknown's own unit.
    pub rms_error: f64,
    /// The greatest absolute difference.
    pub max_error: f64,
}

impl Score {
    /// Compares values at the same points; `zero` says that the reference is nothing but rounding.
    pub fn new(predicted: impl IntoIterator<Item = f64>, reference: &[f64], zero: bool) -> Self {
        let (mut difference, mut norm, mut max_error) = (0.0, 0.0, 0.0_f64);
        for (predicted, &reference) in predicted.into_iter().zip(reference) {
            let error = (predicted - reference).abs();
            difference += error * error;
            norm += reference * reference;
            // A NaN stays visible.
            max_error = if error > max_error || error.is_nan() { error } else { max_error };
        }
        Self {
            rel_l2: (!zero).then(|| (difference / norm).sqrt()),
            rms_error: (difference / reference.len() as f64).sqrt(),
            max_error,
        }
    }

    /// What a tolerance is held against: the relative error, or the absolute one (rms) where that is undefined.
    pub fn error(&self) -> f64 {
        self.rel_l2.unwrap_or(self.rms_error)
    }
}

/// Reference values at the points where a problem is scored, computed once.
pub struct Scorer {
    points: Vec<f64>,
    /// For every unknown its reference values, if it has any.
    references: Vec<Option<Vec<f64>>>,
    /// For every unknown: is its reference zero at all points, but for rounding?
    zero: Vec<bool>,
    /// For every unknown that lives in a part of the domain, which points are there.
    homes: Vec<Option<Vec<bool>>>,
}

impl Scorer {
    /// Computes the references of `problem`; `None` if it has none.
    pub fn new(problem: &Problem) -> Option<Self> {
        let reference = problem.reference.as_ref()?;
        let points = problem.reference_points();
        let dimensions = problem.coordinates.len();
        let references: Vec<Option<Vec<f64>>> = reference
            .solutions
            .iter()
            .map(|solution| solution.as_ref().map(|solution| solution.evaluate(&points, dimensions)))
            .collect();
        let pairs = reference.solutions.iter().zip(&references);
        let zero = pairs.map(|(solution, values)| match (solution, values) {
            (Some(Solution::Exact(formula)), _) => formula.is_zero(&points, dimensions),
            (_, Some(values)) => values.iter().all(|&value| value == 0.0),
            _ => false,
        });
        let at_home = |unknown: &Unknown| {
            unknown.region.as_ref()?;
            Some(points.chunks_exact(dimensions).map(|row| unknown.lives_at(row)).collect())
        };
        let homes = problem.unknowns.iter().map(at_home).collect();
        Some(Self { zero: zero.collect(), homes, references, points })
    }

    /// The points, row by row.
    pub fn points(&self) -> &[f64] {
        &self.points
    }

    /// For every unknown its reference values, if it has any.
    pub fn references(&self) -> &[Option<Vec<f64>>] {
        &self.references
    }

    /// Scores the network with parameters `theta`: one score for each unknown that has a reference.
    pub fn score(&self, engine: &mut dyn Engine, theta: &[f64]) -> Vec<Option<Score>> {
        let predicted = engine.predict(theta, &self.points);
        let unknowns = self.references.len();
        self.references
            .iter()
            .enumerate()
            .map(|(i, reference)| {
                let values = predicted.iter().skip(i).step_by(unknowns).copied();
                let reference = reference.as_ref()?;
                let Some(home) = &self.homes[i] else {
                    return Some(Score::new(values, reference, self.zero[i]));
                };
                let pairs = values.zip(reference).zip(home).filter(|(_, home)| **home);
                let (values, reference): (Vec<f64>, Vec<f64>) = pairs.map(|(pair, _)| pair).unzip();
                Some(Score::new(values, &reference, self.zero[i]))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_relative_to_the_reference() {
        let score = Score::new([1.0, 2.0], &[1.0, 1.0], false);
        let half = 0.5_f64.sqrt();
        assert_eq!(score, Score { rel_l2: Some(half), rms_error: half, max_error: 1.0 });
        assert!(Score::new([f64::NAN], &[1.0], false).max_error.is_nan());
    }

    #[test]
    fn nothing_is_relative_to_zero_and_the_absolute_error_does_not_grow_with_the_points() {
        for points in [1, 100, 10_000] {
            let score = Score::new(vec![-0.5; points], &vec![0.0; points], true);
            assert_eq!(score, Score { rel_l2: None, rms_error: 0.5, max_error: 0.5 });
            assert_eq!(score.error(), 0.5);
        }
    }
}
