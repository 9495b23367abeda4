//! Sobol's sequence with a random digital shift.
//!
//! Direction numbers: Joe and Kuo 2008, "Constructing Sobol sequences with better two-dimensional projections",
//! their table `new-joe-kuo-6`.
//! Points in Gray-code order (Antonov and Saleev 1979): the same set for every power of two.

use rand::Rng;

use crate::jet::MAX_COORDINATES;
use crate::rng::Stream;

/// Binary digits of a coordinate: as many as an f64 below 1 can hold on an even grid.
const BITS: usize = 53;

/// For every dimension from the second on, the primitive polynomial's inner coefficients and the initial numbers.
const TABLE: [(u64, &[u64]); MAX_COORDINATES - 1] = [
    (0, &[1]),
    (1, &[1, 3]),
    (1, &[1, 3, 1]),
    (2, &[1, 1, 1]),
    (1, &[1, 1, 3, 3]),
    (4, &[1, 3, 5, 13]),
    (2, &[1, 1, 5, 5, 17]),
];

/// `points` rows of numbers in [0, 1), `dimensions` ≤ [`MAX_COORDINATES`].
pub(super) fn fill(dimensions: usize, points: usize, rng: &mut Stream) -> Vec<f64> {
    let directions: Vec<_> = (0..dimensions).map(directions).collect();
    let mut state: Vec<_> = (0..dimensions).map(|_| rng.next_u64() >> (64 - BITS)).collect();
    let mut rows = Vec::with_capacity(dimensions * points);
    for point in 0..points {
        rows.extend(state.iter().map(|&digits| digits as f64 / (1_u64 << BITS) as f64));
        let changed = (point + 1).trailing_zeros() as usize;
        for (state, directions) in state.iter_mut().zip(&directions) {
            *state ^= directions[changed.min(BITS - 1)];
        }
    }
    rows
}

/// The direction numbers of a dimension, the first digit in the highest of [`BITS`] bits.
fn directions(dimension: usize) -> [u64; BITS] {
    let mut v = [0; BITS];
    let Some(previous) = dimension.checked_sub(1) else {
        // The first dimension is van der Corput's sequence.
        return core::array::from_fn(|k| 1 << (BITS - 1 - k));
    };
    let (coefficients, initial) = TABLE[previous];
    let degree = initial.len();
    for k in 0..BITS {
        v[k] = if k < degree {
            initial[k] << (BITS - 1 - k)
        } else {
            let inner = (1..degree).filter(|j| coefficients >> (degree - 1 - j) & 1 == 1);
            inner.fold(v[k - degree] ^ (v[k - degree] >> degree), |sum, j| sum ^ v[k - j])
        };
    }
    v
}
