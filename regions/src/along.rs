//! What is found along a line: integrals that can be inverted, and where a level changes its sign.

use crate::vector::{Vector, distance};

/// √0.6, where Gauss's rule of three points on [-1, 1] has its outer two.
const OUTER: f64 = 0.774_596_669_241_483_4;

/// The places of Gauss's rule of three points between `from` and `to`, with their weights.
pub(crate) fn gauss(from: f64, to: f64) -> [(f64, f64); 3] {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    [
        (middle - OUTER * half, half * 5.0 / 9.0),
        (middle, half * 8.0 / 9.0),
        (middle + OUTER * half, half * 5.0 / 9.0),
    ]
}

/// The values at the ends of the parabola through values at Gauss's places.
fn parabola([first, middle, last]: &[f64; 3]) -> (f64, f64) {
    let slope = (last - first) / (2.0 * OUTER);
    let bend = (first + last - 2.0 * middle) / (2.0 * OUTER * OUTER);
    (middle - slope + bend, middle + slope + bend)
}

/// The integral of a function that is not negative, over parts so short that a parabola is close to it.
#[derive(Clone, Debug)]
pub(crate) struct Integral {
    /// The part's ends, the function at Gauss's three places, the integral over all parts before.
    parts: Vec<(f64, f64, [f64; 3], f64)>,
    /// The whole integral.
    pub(crate) total: f64,
    /// How far it may be off.
    pub(crate) error: f64,
}

impl Integral {
    /// The integral of `f` between neighbouring `cuts`, which rise, to `tolerance` of the whole for each part; the parts
    /// are no more than `most` times as many as the cuts.
    pub(crate) fn new(f: &mut dyn FnMut(f64) -> f64, cuts: &[f64], tolerance: f64, most: usize) -> Self {
        // The last number is how far the parabola through the values misses the function at the ends.
        type Part = (f64, f64, [f64; 3], f64);
        let mut part = |a: f64, b: f64| -> Part {
            let values = gauss(a, b).map(|(t, _)| f(t));
            let near = 1e-6 * (b - a);
            let ends = [f(a + near), f(b - near)];
            let (low, high) = parabola(&values);
            let missed = (low - ends[0]).abs().max((high - ends[1]).abs());
            // Smooth functions are missed a little, and are known from finer parts.
            let most = values.iter().chain(&ends).fold(0.0_f64, |most, &value| most.max(value));
            (a, b, values, if missed > 1e-3 * most { missed } else { 0.0 })
        };
        let sum =
            |(a, b, values, _): &Part| (b - a) / 18.0 * (5.0 * (values[0] + values[2]) + 8.0 * values[1]);
        let mut open: Vec<Part> = cuts.windows(2).rev().map(|ends| part(ends[0], ends[1])).collect();
        let mut scale: f64 = open.iter().map(sum).sum();
        let mut left = most * open.len();
        let mut all = Self { parts: vec![], total: 0.0, error: 0.0 };
        while let Some(whole) = open.pop() {
            let (a, b, ..) = whole;
            let middle = 0.5 * (a + b);
            let halves = [part(a, middle), part(middle, b)];
            let refined = sum(&halves[0]) + sum(&halves[1]);
            // A jump close to an end lies beyond Gauss's places, a tenth of the part from there.
            let beyond = halves.iter().map(|half| 0.1 * (half.1 - half.0) * half.3).sum::<f64>();
            let change = (refined - sum(&whole)).abs().max(beyond);
            scale += refined - sum(&whole);
            if left > 0 && change > tolerance * scale {
                left -= 1;
                open.extend([halves[1], halves[0]]);
                continue;
            }
            all.error += change;
            // A function that does not vary needs no more parts.
            let kept =
                if whole.2 == [whole.2[1]; 3] && change <= 1e-15 * scale { &[whole][..] } else { &halves };
            for part in kept {
                all.parts.push((part.0, part.1, part.2, all.total));
                all.total += sum(part);
            }
        }
        all
    }

    /// Gauss's places of all parts and their weights.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (f64, f64)> {
        self.parts.iter().flat_map(|&(a, b, _, _)| gauss(a, b))
    }

    /// The ends of all parts.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (f64, f64)> {
        self.parts.iter().map(|&(a, b, ..)| (a, b))
    }

    /// Where the integral from the beginning is `share` of the whole, and the middle of the part this lies in.
    pub(crate) fn inverse(&self, share: f64) -> (f64, f64) {
        let target = share * self.total;
        let after = self.parts.partition_point(|part| part.3 <= target);
        let k = (0..after).rev().find(|&k| self.parts[k].2.iter().any(|&value| value > 0.0)).unwrap_or(0);
        let (a, b, [first, middle, last], before) = self.parts[k];
        // The parabola through the values on [-1, 1], and its integral from -1.
        let slope = (last - first) / (2.0 * OUTER);
        let bend = (first + last - 2.0 * middle) / (2.0 * OUTER * OUTER);
        let value = |z: f64| middle + z * (slope + z * bend);
        let sum = |z: f64| middle * (z + 1.0) + 0.5 * slope * (z * z - 1.0) + bend / 3.0 * (z * z * z + 1.0);
        let target = (2.0 * (target - before) / (b - a)).clamp(0.0, sum(1.0).max(0.0));
        let (mut low, mut high) = (-1.0, 1.0);
        let mut z = if middle > 0.0 { (target / middle - 1.0).clamp(-1.0, 1.0) } else { 0.0 };
        for _ in 0..60 {
            let excess = sum(z) - target;
            if excess > 0.0 {
                high = z;
            } else {
                low = z;
            }
            let newton = z - excess / value(z);
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            if (next - z).abs() < 1e-16 {
                break;
            }
            z = next;
        }
        (0.5 * ((1.0 - z) * a + (1.0 + z) * b), 0.5 * (a + b))
    }
}

/// One place of a line.
#[derive(Clone, Copy)]
struct Node {
    t: f64,
    x: Vector,
    level: f64,
}

/// No interval is halved more often.
const DEEPEST: usize = 44;
/// Levels are taken for nearly straight only over so short a part of a line, that a wavy one is not.
const SHORT: f64 = 0.07;

/// Where `level` changes between positive, zero and negative along the line `place`, t from 0 to 1, in no order.
///
/// `level` varies no faster than its argument moves, which excludes most of the line at a few looks; `starts` is how many
/// parts are short enough that the line does not turn back within one.
/// Stretches where it is zero to `tolerance` have a crossing at each end and none between.
pub(crate) fn crossings(
    place: &dyn Fn(f64) -> Vector,
    level: &dyn Fn(&Vector) -> f64,
    starts: usize,
    tolerance: f64,
    found: &mut Vec<f64>,
) {
    let node = |t: f64| {
        let x = place(t);
        Node { t, x, level: level(&x) }
    };
    let side = |node: &Node| if node.level.abs() <= tolerance { 0.0 } else { node.level.signum() };
    let ends: Vec<_> = (0..=starts).map(|k| node(k as f64 / starts as f64)).collect();
    let mut open: Vec<_> = ends.windows(2).map(|ends| (ends[0], ends[1], 0)).collect();
    while let Some((a, b, depth)) = open.pop() {
        let m = node(0.5 * (a.t + b.t));
        let sides = [side(&a), side(&m), side(&b)];
        let reach = 1.1 * distance(&m.x, &a.x).max(distance(&m.x, &b.x));
        let bend = (m.level - 0.5 * (a.level + b.level)).abs();
        if sides == [sides[1]; 3] {
            let quarters = [0.25, 0.75].map(|s| (1.0 - s) * a.t + s * b.t);
            if m.level.abs() > reach {
                continue;
            }
            if sides[1] == 0.0 {
                if quarters.iter().all(|&t| side(&node(t)) == 0.0) {
                    continue;
                }
            } else if b.t - a.t < 0.25 * SHORT {
                // The level is nearly straight, as seen at five places, and keeps away from zero.
                let [q, r] = quarters.map(|t| node(t).level);
                let bends =
                    [bend, (q - 0.5 * (a.level + m.level)).abs(), (r - 0.5 * (m.level + b.level)).abs()];
                let least =
                    [a.level, q, m.level, r, b.level].map(f64::abs).into_iter().fold(f64::INFINITY, f64::min);
                if q * r > 0.0 && q * m.level > 0.0 && bends.iter().all(|&bend| bend <= 0.25 * least) {
                    continue;
                }
            }
        }
        if sides[0] * sides[2] < 0.0 && b.t - a.t < SHORT && bend <= 0.1 * (a.level - b.level).abs() {
            found.push(root(&node, a, b));
        } else if depth == DEEPEST || a.t >= m.t || m.t >= b.t {
            if sides[0] != sides[2] {
                found.push(m.t);
            }
        } else {
            open.extend([(a, m, depth + 1), (m, b, depth + 1)]);
        }
    }
}

/// The zero between two nodes of opposite signs, by regula falsi after Illinois.
fn root(node: &dyn Fn(f64) -> Node, a: Node, b: Node) -> f64 {
    let ((mut low, mut at_low), (mut high, mut at_high)) = ((a.t, a.level), (b.t, b.level));
    for _ in 0..100 {
        let t = ((low * at_high - high * at_low) / (at_high - at_low)).clamp(low.min(high), low.max(high));
        let value = node(t).level;
        if value == 0.0 || (high - low).abs() <= 4.0 * f64::EPSILON * t.abs().max(1e-3) {
            return t;
        }
        // The newest place becomes `high`; the other end loses half its weight where it stays twice.
        if value * at_high < 0.0 {
            (low, at_low) = (high, at_high);
        } else {
            at_low *= 0.5;
        }
        if (t - high).abs() <= f64::EPSILON * t.abs() {
            return t;
        }
        (high, at_high) = (t, value);
    }
    high
}

/// The places where `holds` changes along a line, to the last bit where it changes between two of 257 places.
pub(crate) fn changes(holds: &dyn Fn(f64) -> bool, found: &mut Vec<f64>) {
    const PARTS: usize = 256;
    let known: Vec<_> = (0..=PARTS).map(|k| holds(k as f64 / PARTS as f64)).collect();
    for k in (0..PARTS).filter(|&k| known[k] != known[k + 1]) {
        let (mut low, mut high) = (k as f64 / PARTS as f64, (k + 1) as f64 / PARTS as f64);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if holds(middle) == known[k] { low = middle } else { high = middle }
        }
        found.push(0.5 * (low + high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::vector;

    #[test]
    fn integrals_are_exact_and_inverted() {
        let ellipse = |t: f64| {
            let (sin, cos) = t.sin_cos();
            (4.0 * sin * sin + cos * cos).sqrt()
        };
        let whole = Integral::new(&mut { ellipse }, &[0.0, core::f64::consts::TAU], 1e-13, 500);
        // The circumference for half-axes 2 and 1: 8·E(3/4).
        assert!((whole.total - 9.688_448_220_547_676).abs() < 1e-11, "{}", whole.total);
        let (half, _) = whole.inverse(0.5);
        assert!((half - core::f64::consts::PI).abs() < 1e-6, "{half}");
        let flat = Integral::new(&mut |_| 2.0, &[0.0, 1.0, 3.0], 1e-13, 500);
        assert!((flat.total, (flat.inverse(0.25).0 - 0.75).abs() < 1e-15) == (6.0, true));
    }

    #[test]
    fn crossings_are_found_even_where_walls_coincide_or_touch() {
        let check = |level: &dyn Fn(&Vector) -> f64, expected: &[f64]| {
            let mut found = vec![];
            crossings(&|t| vector(&[t, 0.0]), level, 1, 1e-11, &mut found);
            found.sort_by(f64::total_cmp);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1.1e-11, "{found} {expected}");
            }
        };
        check(&|x| x[0] - 0.3, &[0.3]);
        check(&|x| 0.0005 - (x[0] - 0.77).abs(), &[0.7695, 0.7705]);
        check(&|x| (x[0] - 0.25).min(0.7 - x[0]).min(x[1]), &[0.25, 0.7]);
        check(&|_| 0.0, &[]);
        check(&|x| (x[0] - 0.1).hypot(x[1] - 0.5) - 0.1, &[]);
        // A touch is a stretch of the tolerance's root, which is no crossing of a sign.
        let mut found = vec![];
        let touch = |x: &Vector| (x[0] - 0.4).hypot(x[1] - 0.1) - 0.1;
        crossings(&|t| vector(&[t, 0.0]), &touch, 1, 1e-11, &mut found);
        assert!(found.iter().all(|t| (t - 0.4).abs() < 1e-4), "{found:?}");
    }
}
