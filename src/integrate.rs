//! Integrals over boxes and parts of them, with an estimate of their error.
//!
//! Up to four dimensions by Gauss–Kronrod rules of 7 and 15 nodes along every direction, on boxes that are halved where
//! the two rules differ most; beyond that by Sobol's points under random shifts.
//! This module knows functions of points; it does not know what they are.

use crate::rng;
use crate::sample::draw;
use crate::settings::Sampler;

/// Dimensions up to which products of one-dimensional rules are worth their nodes.
const MOST_DIRECTIONS: usize = 4;
/// Points that an integral may take.
const MOST_POINTS: usize = 1 << 21;
/// Points that the function is asked for at once.
const BATCH: usize = 1 << 17;
/// An error so small beside the integral of |f| is not worth more points.
const ENOUGH: f64 = 1e-13;
/// What rounding leaves, in units of the integral of |f|.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Random shifts, and points of each.
const SHIFTS: usize = 16;
const SHIFTED_POINTS: usize = 1 << 15;
/// Student's t for 15 degrees of freedom and 95 % on both sides.
const STUDENT: f64 = 2.131_449_545_559_323;

/// Nodes of the 15-point rule on [0, 1) from the outside in, its weights, and those of the 7-point rule, which has every
/// second node (Piessens et al. 1983, QUADPACK).
const NODES: [f64; 8] = [
    0.991_455_371_120_812_6,
    0.949_107_912_342_758_5,
    0.864_864_423_359_769_1,
    0.741_531_185_599_394_4,
    0.586_087_235_467_691_1,
    0.405_845_151_377_397_2,
    0.207_784_955_007_898_47,
    0.0,
];
const KRONROD: [f64; 8] = [
    0.022_935_322_010_529_224,
    0.063_092_092_629_978_56,
    0.104_790_010_322_250_18,
    0.140_653_259_715_525_92,
    0.169_004_726_639_267_9,
    0.190_350_578_064_785_4,
    0.204_432_940_075_298_9,
    0.209_482_141_084_727_82,
];
const GAUSS: [f64; 8] = [
    0.0,
    0.129_484_966_168_869_7,
    0.0,
    0.279_705_391_489_276_64,
    0.0,
    0.381_830_050_505_118_93,
    0.0,
    0.417_959_183_673_469_4,
];

/// Node and weights of the i-th of 15 points on [−1, 1].
fn rule(i: usize) -> (f64, f64, f64) {
    let k = i.min(14 - i);
    (if i < 7 { -NODES[k] } else { NODES[k] }, KRONROD[k], GAUSS[k])
}

/// What an integral came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Integral {
    /// Its value.
    pub value: f64,
    /// How far that may be off: a cautious estimate of what the rules leave, or, beyond four dimensions, half the width
    /// of a 95 % interval.
    pub error: f64,
    /// How many points it took.
    pub points: usize,
}

impl Integral {
    /// The sum of two.
    pub fn plus(self, other: Self) -> Self {
        let (value, error) = (self.value + other.value, self.error + other.error);
        Self { value, error, points: self.points + other.points }
    }
}

/// A box with the integral over it.
struct Part {
    bounds: Vec<(f64, f64)>,
    value: f64,
    /// The integral of |f|.
    size: f64,
    /// For every free direction by how much the rules differ.
    differences: Vec<f64>,
}

impl Part {
    fn error(&self) -> f64 {
        self.differences.iter().sum()
    }
}

/// The integral of `f` over the box `bounds`, in which a coordinate with equal ends is fixed and adds no factor.
///
/// `f` gives its value at each of some points, rows of as many coordinates as there are bounds.
pub fn integrate(bounds: &[(f64, f64)], f: &mut dyn FnMut(&[f64]) -> Vec<f64>) -> Integral {
    let free: Vec<usize> = (0..bounds.len()).filter(|&i| bounds[i].0 != bounds[i].1).collect();
    match free.len() {
        0 => {
            let point: Vec<f64> = bounds.iter().map(|(at, _)| *at).collect();
            let value = f(&point)[0];
            Integral { value, error: ROUNDING * value.abs(), points: 1 }
        }
        1..=MOST_DIRECTIONS => adaptive(bounds, &free, f),
        _ => shifted(bounds, f),
    }
}

/// The integral of `f` over the part of the box `bounds` that `spans` says: for a point, whatever its coordinate `along` is,
/// between which values of that one it is inside.
///
/// The lines are integrated by Kronrod's rule on four panels of each span, and what they come to like a function of the
/// other coordinates, with its error.
pub fn integrate_within(
    bounds: &[(f64, f64)],
    along: usize,
    spans: impl Fn(&[f64]) -> Vec<(f64, f64)>,
    f: &mut dyn FnMut(&[f64]) -> Vec<f64>,
) -> Integral {
    const PANELS: usize = 4;
    let mut outer = bounds.to_vec();
    outer[along].1 = outer[along].0;
    let mut points = 0;
    let mut lines = |rows: &[f64]| {
        let (mut nodes, mut weights, mut ends) = (vec![], vec![], vec![0]);
        for row in rows.chunks_exact(bounds.len()) {
            for (from, to) in spans(row) {
                let half = 0.5 * (to - from) / PANELS as f64;
                for k in 0..PANELS * 15 {
                    let (x, kronrod, _) = rule(k % 15);
                    let begin = nodes.len();
                    nodes.extend_from_slice(row);
                    nodes[begin + along] = from + half * (1.0 + 2.0 * (k / 15) as f64 + x);
                    weights.push(half * kronrod);
                }
            }
            ends.push(weights.len());
        }
        points += weights.len();
        let mut values = Vec::with_capacity(weights.len());
        for batch in nodes.chunks(BATCH * bounds.len()) {
            values.extend(f(batch));
        }
        let line = |ends: &[usize]| (ends[0]..ends[1]).map(|i| weights[i] * values[i]).sum();
        ends.windows(2).map(line).collect()
    };
    let found = integrate(&outer, &mut lines);
    Integral { points, ..found }
}

/// The integral of `f`, zero where it is not wanted, by points alone: where jumps would cost rules all they have.
pub fn integrate_scattered(bounds: &[(f64, f64)], f: &mut dyn FnMut(&[f64]) -> Vec<f64>) -> Integral {
    shifted(bounds, f)
}

fn adaptive(bounds: &[(f64, f64)], free: &[usize], f: &mut dyn FnMut(&[f64]) -> Vec<f64>) -> Integral {
    let nodes = 15_usize.pow(free.len() as u32);
    // Halved once to begin with, so that a function that is even about the middle shows both of its sides.
    let mut open = vec![bounds.to_vec()];
    for &i in free {
        open = open.into_iter().flat_map(|bounds| halves(bounds, i)).collect();
    }
    let mut parts: Vec<Part> = vec![];
    let mut points = 0;
    loop {
        for batch in open.chunks((BATCH / nodes).max(1)) {
            let rows: Vec<f64> = batch.iter().flat_map(|bounds| rows(bounds, free, nodes)).collect();
            let values = f(&rows);
            let new = batch.iter().zip(values.chunks_exact(nodes));
            parts.extend(new.map(|(bounds, values)| part(bounds, free, values)));
            points += batch.len() * nodes;
        }
        let sum = |of: fn(&Part) -> f64| parts.iter().map(of).sum::<f64>();
        let (value, size, error) = (sum(|part| part.value), sum(|part| part.size), sum(Part::error));
        // A NaN would never get better.
        let worth = error > ENOUGH * size && error.is_finite();
        if !worth || points + 2 * nodes > MOST_POINTS {
            return Integral { value, error: error + ROUNDING * size, points };
        }
        // The worst boxes together, as far as there are points for both their halves.
        let worst = parts.iter().map(Part::error).fold(0.0, f64::max);
        let room = (MOST_POINTS - points) / (2 * nodes);
        let (mut kept, mut halved) = (vec![], vec![]);
        for part in parts {
            let goes = part.error() >= 0.25 * worst && halved.len() < room;
            let there = if goes { &mut halved } else { &mut kept };
            there.push(part);
        }
        parts = kept;
        let direction = |part: &Part| {
            let greatest = |a: &usize, b: &usize| part.differences[*a].total_cmp(&part.differences[*b]);
            free[(0..free.len()).max_by(greatest).unwrap_or(0)]
        };
        open = halved.into_iter().flat_map(|part| halves(part.bounds.clone(), direction(&part))).collect();
    }
}

fn halves(bounds: Vec<(f64, f64)>, direction: usize) -> [Vec<(f64, f64)>; 2] {
    let (lower, upper) = bounds[direction];
    let middle = 0.5 * lower + 0.5 * upper;
    let mut halves = [bounds.clone(), bounds];
    halves[0][direction].1 = middle;
    halves[1][direction].0 = middle;
    halves
}

/// The nodes in a box, the last free direction changing fastest.
fn rows(bounds: &[(f64, f64)], free: &[usize], nodes: usize) -> Vec<f64> {
    let mut rows = Vec::with_capacity(nodes * bounds.len());
    for node in 0..nodes {
        let begin = rows.len();
        rows.extend(bounds.iter().map(|(at, _)| *at));
        let mut rest = node;
        for &i in free.iter().rev() {
            let (lower, upper) = bounds[i];
            let (x, ..) = rule(rest % 15);
            rows[begin + i] = 0.5 * (lower + upper) + 0.5 * (upper - lower) * x;
            rest /= 15;
        }
    }
    rows
}

/// What the rules say about a box from the values at its nodes.
fn part(bounds: &[(f64, f64)], free: &[usize], values: &[f64]) -> Part {
    let volume: f64 = free.iter().map(|&i| 0.5 * (bounds[i].1 - bounds[i].0)).product();
    let (mut value, mut size) = (0.0, 0.0);
    // With the 7-point rule along one direction, and the 15-point rule along the others.
    let mut coarse = vec![0.0; free.len()];
    for (node, &x) in values.iter().enumerate() {
        let mut weight = 1.0;
        let mut ratios = [0.0; MOST_DIRECTIONS];
        let mut rest = node;
        for k in (0..free.len()).rev() {
            let (_, kronrod, gauss) = rule(rest % 15);
            weight *= kronrod;
            ratios[k] = gauss / kronrod;
            rest /= 15;
        }
        value += weight * x;
        size += weight * x.abs();
        coarse.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += weight * ratio * x);
    }
    let differences = coarse.iter().map(|coarse| volume * (coarse - value).abs()).collect();
    Part { bounds: bounds.to_vec(), value: volume * value, size: volume * size, differences }
}

fn shifted(bounds: &[(f64, f64)], f: &mut dyn FnMut(&[f64]) -> Vec<f64>) -> Integral {
    let volume: f64 =
        bounds.iter().map(|(lower, upper)| upper - lower).filter(|width| *width != 0.0).product();
    let means: Vec<f64> = (0..SHIFTS)
        .map(|shift| {
            let mut rng = rng::stream(0, &format!("integral/{shift}"));
            let values = f(&draw(Sampler::Sobol, bounds, SHIFTED_POINTS, &mut rng));
            volume * values.iter().sum::<f64>() / SHIFTED_POINTS as f64
        })
        .collect();
    let count = SHIFTS as f64;
    let value = means.iter().sum::<f64>() / count;
    let variance = means.iter().map(|mean| (mean - value).powi(2)).sum::<f64>() / (count - 1.0);
    let error = STUDENT * (variance / count).sqrt() + ROUNDING * value.abs();
    Integral { value, error, points: SHIFTS * SHIFTED_POINTS }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Integrates `f` over `bounds`; the error has to be within what is said, and that below `most`.
    #[track_caller]
    fn check(bounds: &[(f64, f64)], f: impl Fn(&[f64]) -> f64, expected: f64, most: f64) -> Integral {
        let found = integrate(bounds, &mut |points| points.chunks_exact(bounds.len()).map(&f).collect());
        let off = (found.value - expected).abs();
        assert!(off <= found.error && found.error <= most, "{found:?}, off by {off:e}");
        found
    }

    #[test]
    fn the_rules_are_exact_for_polynomials() {
        let moment = |power: i32, weight: fn(usize) -> f64| -> f64 {
            (0..15).map(|i| weight(i) * rule(i).0.powi(power)).sum()
        };
        for power in 0..=22 {
            let expected = if power % 2 == 0 { 2.0 / f64::from(power + 1) } else { 0.0 };
            assert!((moment(power, |i| rule(i).1) - expected).abs() < 1e-15);
            if power <= 13 {
                assert!((moment(power, |i| rule(i).2) - expected).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn smooth_functions_are_right_to_rounding() {
        use core::f64::consts::PI;
        check(&[(0.0, 1.0)], |x| (PI * x[0]).sin(), 2.0 / PI, 1e-14);
        check(&[(0.0, 2.0), (5.0, 5.0)], |x| x[0] * x[1], 10.0, 1e-13);
        check(&[(0.0, PI), (0.0, 1.0)], |x| x[0].sin() * x[1].exp(), 2.0 * (1.0_f64.exp() - 1.0), 1e-12);
        check(&[(0.0, 1.0); 4], |x| x.iter().product(), 1.0 / 16.0, 1e-14);
        assert_eq!(check(&[(3.0, 3.0)], |x| x[0], 3.0, 1e-13).points, 1);
    }

    #[test]
    fn rough_functions_are_halved_where_they_are_rough() {
        let kink = check(&[(0.0, 1.0)], |x| (x[0] - 0.3).abs(), 0.29, 1e-13);
        assert!(kink.points < 3000, "{kink:?}");
        check(&[(0.0, 1.0)], |x| x[0].sqrt(), 2.0 / 3.0, 1e-12);
        check(&[(-1.0, 1.0)], |x| 1e-3 / (x[0] * x[0] + 1e-6), 2.0 * 1000.0_f64.atan(), 1e-11);
        // A jump across the plane is not resolved, and the error says so.
        let area = core::f64::consts::PI / 4.0;
        let disc = |x: &[f64]| if x[0] * x[0] + x[1] * x[1] < 1.0 { 1.0 } else { 0.0 };
        let found = check(&[(0.0, 1.0), (0.0, 1.0)], disc, area, 1e-2);
        assert!(found.error > 1e-6 && found.points <= MOST_POINTS, "{found:?}");
    }

    #[test]
    fn many_dimensions_go_by_shifted_points() {
        let found = check(&[(0.0, 1.0); 6], |x| x.iter().map(|x| x * x).sum(), 2.0, 1e-4);
        assert_eq!(found.points, SHIFTS * SHIFTED_POINTS);
    }

    #[test]
    fn what_is_not_finite_stays_visible() {
        let found = integrate(&[(0.0, 1.0)], &mut |points| points.iter().map(|_| f64::NAN).collect());
        assert!(found.value.is_nan() && found.error.is_nan());
    }
}
