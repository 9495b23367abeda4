//! Nodes and weights of integrals over the unit cube.
//!
//! Along one variable and two by products of Gauss and Legendre's rule, which is exact for polynomials up to degree 2n − 1;
//! over three and more by a lattice of quasi-random points, Korobov's (1959), folded by the baker's transformation
//! (Hickernell 2002), whose error falls nearly with the square of their number whether a function repeats or not.
//! This file knows numbers alone.

use core::f64::consts::PI;
use core::ops::RangeInclusive;

/// How many nodes an integral may have: along every variable, or of a lattice in all.
pub(super) const NODES: RangeInclusive<usize> = 1..=4000;
/// Along one variable, along each of two, and of a lattice, where nothing is said.
const USUAL: [usize; 3] = [32, 16, 1009];
/// Variables up to which products of rules are worth their nodes.
const MOST_PRODUCTS: usize = 2;
/// What Korobov's lattice is made of: of all the one whose 1,009 points are best in eight dimensions, by the mean of products
/// of Bernoulli's fourth polynomial.
const GENERATOR: usize = 361;

/// How an integral over a place is computed: nodes and weights, where all coordinates that it does not name stay what they
/// are.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Rule {
    /// The coordinates that a node gives.
    pub axes: Vec<usize>,
    /// On walls the names of the normal's components, which lie along the first of these coordinates.
    pub normal: Vec<String>,
    /// The values of the coordinates, those of the normal, and the weight, one node each.
    pub nodes: Vec<(Vec<f64>, f64)>,
}

/// How many nodes an integral has.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Nodes {
    /// As its formula says; `None` where it says nothing.
    pub asked: Option<usize>,
    /// How many for each of them.
    pub times: f64,
}

impl Nodes {
    /// Their number, where `usual` are taken if the formula says nothing.
    pub(crate) fn or(self, usual: usize) -> usize {
        (self.asked.unwrap_or(usual) as f64 * self.times).ceil() as usize
    }
}

/// Points of the unit cube in so many dimensions, each with its weight; the weights' sum is 1.
pub(crate) fn rule(dimensions: usize, nodes: Nodes) -> Vec<(Vec<f64>, f64)> {
    let count = nodes.or(USUAL[dimensions.clamp(1, USUAL.len()) - 1]);
    if dimensions > MOST_PRODUCTS {
        return lattice(dimensions, count);
    }
    product(dimensions, count)
}

/// Products of Gauss and Legendre's rule with so many nodes along every direction.
pub(crate) fn product(dimensions: usize, count: usize) -> Vec<(Vec<f64>, f64)> {
    let along = gauss_legendre(count);
    let mut points = vec![(vec![], 1.0)];
    for _ in 0..dimensions {
        let longer = |(point, weight): &(Vec<f64>, f64)| {
            let (point, weight) = (point.clone(), *weight);
            along.iter().map(move |&(x, w)| ([&point[..], &[x]].concat(), weight * w)).collect::<Vec<_>>()
        };
        points = points.iter().flat_map(longer).collect();
    }
    points
}

/// How many points [`rule`] has.
pub(crate) fn size(dimensions: usize, nodes: Nodes) -> usize {
    let count = nodes.or(USUAL[dimensions.clamp(1, USUAL.len()) - 1]);
    if dimensions > MOST_PRODUCTS { count } else { count.pow(dimensions as u32) }
}

/// The rule of n nodes on [0, 1]: zeros of Legendre's polynomial by Newton's method.
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let rule = |i: usize| {
        let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (value, below) = legendre(n, x);
            slope = n as f64 * (x * value - below) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        // Of the interval from 1 down to −1, half as long.
        (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(rule).collect()
}

/// Legendre's polynomials of degrees n and n − 1.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut value, mut below) = (1.0, 0.0);
    for k in 1..=n {
        let k = k as f64;
        (value, below) = (((2.0 * k - 1.0) * x * value - (k - 1.0) * below) / k, value);
    }
    (value, below)
}

/// Points of equal weights.
pub(crate) fn lattice(dimensions: usize, count: usize) -> Vec<(Vec<f64>, f64)> {
    let point = |i: usize| {
        let mut factor = 1;
        let along = (0..dimensions).map(|_| {
            let x = (((i * factor) % count) as f64 + 0.5) / count as f64;
            factor = factor * GENERATOR % count;
            1.0 - (2.0 * x - 1.0).abs()
        });
        (along.collect(), 1.0 / count as f64)
    };
    (0..count).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral(dimensions: usize, nodes: Option<usize>, f: impl Fn(&[f64]) -> f64) -> f64 {
        let nodes = Nodes { asked: nodes, times: 1.0 };
        let rule = rule(dimensions, nodes);
        assert_eq!(rule.len(), size(dimensions, nodes));
        rule.iter().map(|(x, w)| w * f(x)).sum()
    }

    #[test]
    fn gauss_rules_are_exact_for_polynomials_of_twice_their_degree() {
        for n in [1, 2, 3, 8, 32, 65] {
            for degree in 0..2 * n {
                let found = integral(1, Some(n), |x| x[0].powi(degree as i32));
                assert!((found * (degree + 1) as f64 - 1.0).abs() < 1e-13, "{n} {degree} {found}");
            }
        }
        let found = integral(2, None, |x| (x[0] - 2.0 * x[1]).exp());
        let exact = (1_f64.exp() - 1.0) * (1.0 - (-2_f64).exp()) / 2.0;
        assert!((found - exact).abs() < 1e-14);
    }

    #[test]
    fn lattices_converge_faster_than_chance() {
        // ∫ exp(Σ x) over the unit cube; 1,000 random points are off by about 2 % in three dimensions.
        for (dimensions, bound) in [(3, 2e-5), (4, 1e-4), (5, 1e-4), (8, 1e-3)] {
            let exact = (1_f64.exp() - 1.0).powi(dimensions as i32);
            let found = integral(dimensions, None, |x| x.iter().sum::<f64>().exp());
            assert!((found / exact - 1.0).abs() < bound, "{dimensions}: {:e}", found / exact - 1.0);
        }
        let [few, many] = [251, 4000].map(|n| {
            let found = integral(3, Some(n), |x| x.iter().sum::<f64>().exp());
            (found / (1_f64.exp() - 1.0).powi(3) - 1.0).abs()
        });
        assert!(many < few, "{many} {few}");
    }
}
