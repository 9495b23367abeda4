//! Independent, uniform points.

use rand::RngExt;

use crate::rng::Stream;

/// `points` rows of numbers in [0, 1).
pub(super) fn fill(dimensions: usize, points: usize, rng: &mut Stream) -> Vec<f64> {
    (0..dimensions * points).map(|_| rng.random()).collect()
}
