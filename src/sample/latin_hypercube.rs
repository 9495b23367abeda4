//! Latin hypercube: along every coordinate, one point in each of `points` equal slices
//! (McKay, Beckman and Conover 1979).

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::rng::Stream;

/// `points` rows of numbers in [0, 1).
pub(super) fn fill(dimensions: usize, points: usize, rng: &mut Stream) -> Vec<f64> {
    let mut rows = vec![0.0; dimensions * points];
    let mut slices: Vec<_> = (0..points).collect();
    for dimension in 0..dimensions {
        slices.shuffle(rng);
        for (row, &slice) in rows.chunks_exact_mut(dimensions).zip(&slices) {
            row[dimension] = (slice as f64 + rng.random::<f64>()) / points as f64;
        }
    }
    rows
}
