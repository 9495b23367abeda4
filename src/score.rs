//! How far a prediction is from its reference.

use serde::Serialize;

use crate::engine::Engine;
use crate::problem::Problem;

/// Errors of one unknown over a set of points.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Score {
    /// ‖predicted − reference‖₂ / ‖reference‖₂; absolute where the reference vanishes.
    pub rel_l2: f64,
    /// The greatest absolute difference.
    pub max_error: f64,
}

impl Score {
    /// Compares values at the same points.
    pub fn new(predicted: impl IntoIterator<Item = f64>, reference: &[f64]) -> Self {
        let (mut difference, mut norm, mut max_error) = (0.0, 0.0, 0.0_f64);
        for (predicted, &reference) in predicted.into_iter().zip(reference) {
            let error = (predicted - reference).abs();
            difference += error * error;
            norm += reference * reference;
            // A NaN stays visible.
            max_error = if error > max_error || error.is_nan() { error } else { max_error };
        }
        let rel_l2 = if norm > 0.0 { (difference / norm).sqrt() } else { difference.sqrt() };
        Self { rel_l2, max_error }
    }
}

/// Reference values at the points where a problem is scored, computed once.
pub struct Scorer {
    points: Vec<f64>,
    /// For every unknown its reference values, if it has any.
    references: Vec<Option<Vec<f64>>>,
}

impl Scorer {
    /// Computes the references of `problem`; `None` if it has none.
    pub fn new(problem: &Problem) -> Option<Self> {
        let reference = problem.reference.as_ref()?;
        let points = problem.reference_points();
        let dimensions = problem.coordinates.len();
        let references = reference
            .solutions
            .iter()
            .map(|solution| solution.as_ref().map(|solution| solution.evaluate(&points, dimensions)))
            .collect();
        Some(Self { points, references })
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
                reference.as_ref().map(|reference| Score::new(values, reference))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_relative_to_the_reference() {
        let score = Score::new([1.0, 2.0], &[1.0, 1.0]);
        assert_eq!(score, Score { rel_l2: (0.5_f64).sqrt(), max_error: 1.0 });
        assert!(Score::new([f64::NAN], &[1.0]).max_error.is_nan());
    }
}
