//! Does a condition hold whatever the network says?
//!
//! That is looked at with random numbers in place of the network and its derivatives.
//! It knows compiled problems; it does not know how the ansatz came about.

use core::ops::Range;

use rand::RngExt;

use super::AGREE;
use super::space::sites;
use crate::expr::{Measured, Node};
use crate::jet::{MAX_ORDER, MultiIndex};
use crate::problem::{Condition, Problem};
use crate::rng::{self, Stream};

/// What features and their derivatives may differ by at the ends of a coordinate.
const SAME: f64 = 1e-9;

/// Does `condition` hold whatever the network says?
pub(super) fn holds(problem: &Problem, condition: &Condition) -> bool {
    if let Some(along) = condition.place.periodic() {
        return features_repeat(problem, along) && values_repeat(problem, condition);
    }
    let extended = !condition.place.faces().is_empty() || !condition.place.walls().is_empty();
    extended && left_on_faces(problem, condition).iter().all(|left| *left <= AGREE)
}

/// What is left of every residual of a condition on faces or walls, relative to the size of its terms; NaN where it is not finite.
pub(super) fn left_on_faces(problem: &Problem, condition: &Condition) -> Vec<f64> {
    let coordinates = &problem.coordinates;
    let domain = sites(coordinates, &[]);
    let mut greatest = vec![0.0; condition.residuals.roots.len()];
    let mut random = rng::stream(0, "exact");
    let anywhere = measure(condition, std::slice::from_ref(&domain), &mut random);
    for face in condition.place.faces() {
        // Where faces meet, they may say different things, and both hold as near to there as can be.
        let at_end = |site: &Vec<f64>| {
            let free = |c: &usize| face.iter().all(|(fixed, _)| fixed != c);
            let end = |c: usize| site[c] == coordinates[c].lower || site[c] == coordinates[c].upper;
            (0..site.len()).filter(free).any(end)
        };
        let here: Vec<_> = sites(coordinates, face).into_iter().filter(|site| !at_end(site)).collect();
        let here = beside(condition, &measure(condition, &[here], &mut random), &anywhere);
        greatest.iter_mut().zip(here).for_each(|(most, left)| *most = greater(*most, left));
    }
    if !condition.place.walls().is_empty() {
        let mut rows = domain.concat();
        condition.place.take(coordinates, &mut rows);
        let here: Vec<Vec<f64>> = rows.chunks_exact(coordinates.len()).map(<[f64]>::to_vec).collect();
        return beside(condition, &measure(condition, &[here], &mut random), &anywhere);
    }
    greatest
}

/// Does a periodic condition hold where the network and its derivatives are the same at both ends?
pub(super) fn values_repeat(problem: &Problem, condition: &Condition) -> bool {
    let coordinates = &problem.coordinates;
    let Some(along) = condition.place.periodic() else { return false };
    let mut lower = sites(coordinates, &[(along, coordinates[along].lower)]);
    if !condition.place.linked().is_empty() {
        let mut rows = lower.concat();
        condition.place.take(coordinates, &mut rows);
        lower = rows.chunks_exact(coordinates.len()).map(<[f64]>::to_vec).collect();
    }
    let mut upper = lower.clone();
    upper.iter_mut().for_each(|site| site[along] = coordinates[along].upper);
    let domain = sites(coordinates, &[]);
    left(condition, &[lower, upper], &[domain.clone(), domain]).iter().all(|left| *left <= AGREE)
}

/// For every residual the greatest at the sites `here`, one list for each of the linked points, relative to the size of
/// its terms, there and at the sites `domain`.
fn left(condition: &Condition, here: &[Vec<Vec<f64>>], domain: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let mut random = rng::stream(0, "exact");
    let here = measure(condition, here, &mut random);
    beside(condition, &here, &measure(condition, domain, &mut random))
}

/// Every residual at some sites, one list of these for each of the linked points, with random numbers for the network.
fn measure(condition: &Condition, sites: &[Vec<Vec<f64>>], random: &mut Stream) -> Vec<Vec<Measured>> {
    let formula = &condition.residuals;
    // What random numbers integrate to is not known.
    if condition.integrates() {
        let unknown = Measured { value: f64::INFINITY, rounding: 0.0, size: 1.0 };
        return vec![vec![unknown; formula.roots.len()]];
    }
    let mut measured = Vec::new();
    let mut jets: Vec<((usize, MultiIndex), f64)> = Vec::new();
    let site = |i: usize| {
        jets.clear();
        formula.graph.measure(&mut measured, |node| match node {
            Node::Coordinate { coordinate, side } => Measured::number(sites[side][i][coordinate]),
            // The network is the same at linked points: its features are.
            Node::Jet { output, index, .. } => {
                let known = jets.iter().find(|(jet, _)| *jet == (output, index));
                let value = known.map_or_else(|| 2.0 * random.random::<f64>() - 1.0, |(_, value)| *value);
                jets.push(((output, index), value));
                Measured::number(value)
            }
            _ => Measured::number(f64::NAN),
        });
        formula.roots.iter().map(|root| measured[root.index()]).collect()
    };
    (0..sites[0].len()).map(site).collect()
}

/// For every residual the greatest of `here` relative to the size of its terms, there and in the `domain`.
fn beside(condition: &Condition, here: &[Vec<Measured>], domain: &[Vec<Measured>]) -> Vec<f64> {
    let of_root = |root: usize| {
        // The greatest would be that of a definition which grows without bound towards one end of the domain.
        let sizes = domain.iter().chain(here).map(|row| row[root].size);
        let mut sizes: Vec<f64> = sizes.filter(|size| size.is_finite() && *size > 0.0).collect();
        sizes.sort_by(f64::total_cmp);
        let usual = sizes.get(sizes.len() / 2).copied().unwrap_or(f64::MIN_POSITIVE);
        here.iter().map(|row| row[root].value.abs() / usual.max(row[root].size)).fold(0.0, greater)
    };
    (0..condition.residuals.roots.len()).map(of_root).collect()
}

/// The greater one, NaN above all.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Are all features and their derivatives along a coordinate the same at both its ends?
pub(super) fn features_repeat(problem: &Problem, along: usize) -> bool {
    repeat(problem, 0..problem.features.roots.len(), along)
}

/// Are some of the features?
pub(super) fn repeat(problem: &Problem, features: Range<usize>, along: usize) -> bool {
    let coordinates = &problem.coordinates;
    let mut graph = problem.features.graph.clone();
    let lower = sites(coordinates, &[(along, coordinates[along].lower)]);
    let side = coordinates[along].upper - coordinates[along].lower;
    let mut values = Vec::new();
    problem.features.roots[features].iter().all(|&feature| {
        let mut node = feature;
        (0..=MAX_ORDER).all(|order| {
            if order > 0 {
                node = graph.derivative(node, along);
            }
            lower.iter().all(|site| {
                let [a, b] = [site[along], coordinates[along].upper].map(|x| {
                    graph.eval(&mut values, |node| match node {
                        Node::Coordinate { coordinate, .. } if coordinate == along => x,
                        Node::Coordinate { coordinate, .. } => site[coordinate],
                        _ => f64::NAN,
                    });
                    values[node.index()] * side.powi(order as i32)
                });
                (a - b).abs() <= SAME * a.abs().max(1.0)
            })
        })
    })
}
