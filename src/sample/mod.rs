//! Where collocation points lie.
//!
//! A sampler is a file here, a variant of [`Sampler`] and a line in [`draw`].
//! It fills the unit cube; everything about domains and conditions is here.

mod grid;
mod latin_hypercube;
mod sobol;
mod uniform;

use crate::problem::{Condition, Place, Problem};
use crate::rng::{self, Stream};
use crate::settings::Sampler;

/// The points of a condition, and its data columns if it has any.
///
/// Points are rows of coordinates in the domain, pairs of rows (lower face, upper face) for a periodic condition,
/// and the file's own for a condition on points from a file.
/// They are the stream `"sample/<condition>"` of `seed`;
/// `round` tells how often they have been drawn before, and every round stands on its own.
pub fn points<'a>(
    problem: &Problem,
    condition: &'a Condition,
    seed: u64,
    round: usize,
) -> (Vec<f64>, &'a [Vec<f64>]) {
    let mut bounds: Vec<_> = problem.coordinates.iter().map(|c| (c.lower, c.upper)).collect();
    match &condition.place {
        Place::Interior => {}
        Place::Face(fixed) => fixed.iter().for_each(|&(i, value)| bounds[i] = (value, value)),
        Place::Periodic { coordinate } => bounds[*coordinate].1 = bounds[*coordinate].0,
        Place::Points { points, data, .. } => return (points.clone(), data),
    }
    let mut rng = rng::stream(seed, &format!("sample/{}", condition.name));
    // A round has 2³⁶ words of the stream for itself.
    rng.set_word_pos((round as u128) << 36);
    let mut points = draw(condition.sampler, &bounds, condition.points, &mut rng);
    if let Place::Periodic { coordinate } = condition.place {
        let rows = points.chunks_exact(bounds.len());
        points = rows
            .flat_map(|row| {
                let mut pair = [row, row].concat();
                pair[bounds.len() + coordinate] = problem.coordinates[coordinate].upper;
                pair
            })
            .collect();
    }
    (points, &[])
}

/// `points` points between `bounds`, row by row.
///
/// A coordinate whose bounds are equal is fixed, and takes no dimension of the sampler.
/// Exactly `points` points come out of every sampler; Sobol's sequence has dimensions for
/// [`MAX_COORDINATES`](crate::jet::MAX_COORDINATES) coordinates.
pub fn draw(sampler: Sampler, bounds: &[(f64, f64)], points: usize, rng: &mut Stream) -> Vec<f64> {
    let free: Vec<_> = bounds.iter().map(|(lower, upper)| lower != upper).collect();
    let dimensions = free.iter().filter(|&&free| free).count();
    let unit = match sampler {
        Sampler::Uniform => uniform::fill(dimensions, points, rng),
        Sampler::Grid => grid::fill(dimensions, points),
        Sampler::LatinHypercube => latin_hypercube::fill(dimensions, points, rng),
        Sampler::Sobol => sobol::fill(dimensions, points, rng),
    };
    let mut unit = unit.into_iter();
    let mut rows = Vec::with_capacity(points * bounds.len());
    for _ in 0..points {
        for (&(lower, upper), free) in bounds.iter().zip(&free) {
            let u = if *free { unit.next().unwrap_or(0.0) } else { 0.0 };
            // Exact at both ends, and never outside by rounding.
            rows.push(((1.0 - u) * lower + u * upper).clamp(lower, upper));
        }
    }
    rows
}
