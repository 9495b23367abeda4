//! Residual-adaptive distribution: points in proportion to how large the residual is there
//! (RAD; Wu, Zhu, Tan, Kartha and Lu 2023, arXiv 2207.10289, equation 2).
//!
//! It is handed a number for each candidate and does not know where the numbers come from.

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::rng::Stream;
use crate::settings::Adaptive;

/// `count` of the candidates (rows of coordinates within `bounds`), no candidate twice.
///
/// A candidate's chance is proportional to `scoreᵏ/mean(scoreᵏ) + c`, as long as that asks for no more than all of it.
/// They are drawn systematically (Madow 1949) along a space-filling curve, which spreads them as evenly as the chances
/// allow: where independent draws leave gaps and clusters, every stretch of the curve gets its share to within one.
/// A score that is not finite counts like the greatest one that is, so that training meets the point and names it.
///
/// # Panics
/// If there are fewer candidates than `count`.
pub(super) fn choose(
    candidates: &[f64],
    bounds: &[(f64, f64)],
    scores: &[f64],
    settings: &Adaptive,
    count: usize,
    rng: &mut Stream,
) -> Vec<f64> {
    assert!(scores.len() >= count, "there are enough candidates");
    let shares = shares(scores, settings, count);
    let rows: Vec<&[f64]> = candidates.chunks_exact(bounds.len()).collect();
    let mut order: Vec<_> = rows.iter().map(|row| curve_position(row, bounds)).zip(0..).collect();
    order.sort_unstable();
    // A share is the length of an interval; intervals in a row are hit by equidistant needles.
    let start: f64 = rng.random();
    let (mut end, mut chosen, mut left) = (0.0, vec![], vec![]);
    for (_, i) in order {
        end += shares[i];
        let hit = chosen.len() < count && end > start + chosen.len() as f64;
        if hit { chosen.push(i) } else { left.push(i) }
    }
    // Rounding may have lost the last needle.
    chosen.extend(left.into_iter().rev().take(count - chosen.len()));
    chosen.into_iter().flat_map(|i| rows[i]).copied().collect()
}

/// A random subset of `count` rows, in their order.
pub(super) fn keep(rows: &[f64], dimensions: usize, count: usize, rng: &mut Stream) -> Vec<f64> {
    let mut indices: Vec<_> = (0..rows.len() / dimensions).collect();
    indices.shuffle(rng);
    indices.truncate(count);
    indices.sort_unstable();
    indices.into_iter().flat_map(|i| &rows[i * dimensions..][..dimensions]).copied().collect()
}

/// How much of each candidate is asked for, from 0 to 1, `count` in all.
fn shares(scores: &[f64], settings: &Adaptive, count: usize) -> Vec<f64> {
    let greatest = scores.iter().filter(|score| score.is_finite()).fold(0.0, |most: f64, &x| most.max(x));
    let powers = scores.iter().map(|&score| match score {
        _ if greatest == 0.0 => 1.0,
        // Relative to the greatest one, so that no power overflows.
        score if score.is_finite() => (score / greatest).powf(settings.k),
        _ => 1.0,
    });
    let powers: Vec<f64> = powers.collect();
    let mean = powers.iter().sum::<f64>() / powers.len() as f64;
    let chances: Vec<f64> = powers.iter().map(|power| power / mean + settings.c).collect();
    // What would be asked for more than once is taken whole, and the others share the rest.
    let mut whole = vec![false; chances.len()];
    loop {
        let taken = whole.iter().filter(|&&whole| whole).count();
        let rest: f64 = chances.iter().zip(&whole).filter(|(_, whole)| !**whole).map(|(x, _)| x).sum();
        let factor = (count - taken) as f64 / rest.max(f64::MIN_POSITIVE);
        let before = taken;
        for (whole, chance) in whole.iter_mut().zip(&chances) {
            *whole |= chance * factor >= 1.0;
        }
        if whole.iter().filter(|&&whole| whole).count().min(count) == before {
            let share = |(chance, whole): (&f64, &bool)| if *whole { 1.0 } else { chance * factor };
            return chances.iter().zip(&whole).map(share).collect();
        }
    }
}

/// Where a point lies on the Z-order curve through the domain (Morton 1966).
fn curve_position(point: &[f64], bounds: &[(f64, f64)]) -> u64 {
    let bits = 64 / bounds.len().max(1);
    let cells: Vec<u64> = point
        .iter()
        .zip(bounds)
        .map(|(x, (lower, upper))| {
            let cells = (1_u64 << bits.min(32)) as f64;
            (((x - lower) / (upper - lower) * cells).max(0.0) as u64).min(cells as u64 - 1)
        })
        .collect();
    let bits = bits.min(32);
    (0..bits).rev().fold(0, |position, bit| cells.iter().fold(position, |p, cell| p << 1 | cell >> bit & 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;
    use crate::settings::Sampler;

    const UNIT: [(f64, f64); 2] = [(0.0, 1.0), (0.0, 1.0)];

    fn settings(k: f64, c: f64) -> Adaptive {
        Adaptive { k, c, ..Adaptive::default() }
    }

    fn pool(points: usize) -> Vec<f64> {
        super::super::draw(Sampler::Sobol, &UNIT, points, &mut rng::stream(1, "pool"))
    }

    fn chosen(pool: &[f64], score: impl Fn(&[f64]) -> f64, settings: &Adaptive, count: usize) -> Vec<f64> {
        let scores: Vec<f64> = pool.chunks_exact(2).map(score).collect();
        choose(pool, &UNIT, &scores, settings, count, &mut rng::stream(2, "choose"))
    }

    #[test]
    fn chances_follow_the_scores() {
        // Score 3 on a quarter of the square and 1 elsewhere: mean 1.5, chances 3/1.5 + 1 = 3 and 1/1.5 + 1 = 5/3.
        let score = |x: &[f64]| if x[0] < 0.5 && x[1] < 0.5 { 3.0 } else { 1.0 };
        let pool = pool(8192);
        let count = |settings: &Adaptive| {
            let points = chosen(&pool, score, settings, 1000);
            assert_eq!(points.len(), 2000);
            points.chunks_exact(2).filter(|x| score(x) == 3.0).count() as f64
        };
        let expected = |inside: f64, outside: f64| 1000.0 * inside / (inside + 3.0 * outside);
        assert!((count(&settings(1.0, 1.0)) - expected(3.0, 5.0 / 3.0)).abs() < 3.0);
        assert!((count(&settings(2.0, 0.0)) - expected(9.0, 1.0)).abs() < 3.0);
        assert!((count(&settings(0.0, 1.0)) - expected(1.0, 1.0)).abs() < 3.0);
    }

    #[test]
    fn no_candidate_comes_twice_and_hopeless_scores_are_shared_out() {
        let pool = pool(1000);
        let distinct = |points: &[f64]| {
            let rows: std::collections::BTreeSet<_> =
                points.chunks_exact(2).map(|row| [row[0].to_bits(), row[1].to_bits()]).collect();
            rows.len()
        };
        // One candidate asks for nearly everything; all but it have to stand in.
        let spike = |x: &[f64]| if x == &pool[8..10] { 1e9 } else { 1e-9 };
        for count in [0, 1, 2, 500, 1000] {
            for score in [&spike as &dyn Fn(&[f64]) -> f64, &|_| 0.0, &|_| f64::NAN, &|x| 1.0 / (x[0] - x[0])]
            {
                let points = chosen(&pool, score, &settings(1.0, 0.0), count);
                assert_eq!((points.len() / 2, distinct(&points)), (count, count));
            }
        }
        assert!(chosen(&pool, spike, &settings(1.0, 0.0), 10).chunks_exact(2).any(|x| x == &pool[8..10]));
        // A score that is not finite is as good as the greatest one.
        let broken = |x: &[f64]| if x == &pool[8..10] { f64::NAN } else { x[0] };
        assert!(chosen(&pool, broken, &settings(9.0, 0.0), 200).chunks_exact(2).any(|x| x == &pool[8..10]));
    }

    #[test]
    fn equal_scores_leave_no_gaps() {
        // Of 4,096 candidates a quarter: every one of 16 × 16 squares has its four, give or take two;
        // independent draws would leave some of them empty.
        let points = chosen(&pool(4096), |_| 1.0, &settings(1.0, 1.0), 1024);
        let mut counts = [0; 256];
        for x in points.chunks_exact(2) {
            counts[(x[0] * 16.0) as usize * 16 + (x[1] * 16.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (2..=6).contains(count)), "{counts:?}");
    }

    #[test]
    fn kept_points_are_some_of_the_old_ones() {
        let rows = pool(100);
        let kept = keep(&rows, 2, 30, &mut rng::stream(1, "keep"));
        assert_eq!(kept.len(), 60);
        let mut old = rows.chunks_exact(2);
        assert!(kept.chunks_exact(2).all(|row| old.any(|x| x == row)), "in their order");
    }
}
