//! Polygons.

use super::facets::closed;
use super::{Numbers, Shape};
use crate::Error;
use crate::gate::Logic;
use crate::symbolic::Symbolic;
use crate::vector::{Vector, vector};

/// Polygons of more edges get no formula: it would be longer than anybody reads or a network needs.
const MAX_FACTORS: usize = 32;

pub(super) fn build(given: &Numbers) -> Result<Shape, Error> {
    let numbers = given.all("points")?;
    if numbers.len() % 2 == 1 || numbers.len() < 6 {
        return Err(given.bad(
            "points",
            format!("has {} numbers: give three points or more, two numbers for each", numbers.len()),
        ));
    }
    polygon(numbers.as_chunks().0)
}

/// The polygon through `corners`, in either sense; a last one that repeats the first is left out.
pub(super) fn polygon(corners: &[[f64; 2]]) -> Result<Shape, Error> {
    let mut corners = corners.to_vec();
    corners.dedup();
    if corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    if corners.len() < 3 {
        return Err(Error::BadNumber {
            kind: "polygon",
            key: "points",
            problem: "has less than three points".into(),
        });
    }
    self_crossing(&corners)?;
    // Counter-clockwise, with the inside at the left.
    let doubled: f64 = (0..corners.len())
        .map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % corners.len()]);
            (a[0] - corners[0][0]) * (b[1] - corners[0][1]) - (b[0] - corners[0][0]) * (a[1] - corners[0][1])
        })
        .sum();
    if doubled < 0.0 {
        corners.reverse();
    }
    let count = corners.len();
    let points: Vec<Vector> = corners.iter().map(|corner| vector(corner)).collect();
    let facets = (0..count).map(|i| [i, (i + 1) % count, (i + 1) % count]).collect();
    closed(2, points, facets, vec![None; count], gate(&corners))
}

fn self_crossing(corners: &[[f64; 2]]) -> Result<(), Error> {
    let count = corners.len();
    let edge = |i: usize| (corners[i], corners[(i + 1) % count]);
    let side = |a: [f64; 2], b: [f64; 2], p: [f64; 2]| {
        let point = |p: [f64; 2]| robust::Coord { x: p[0], y: p[1] };
        let sign = robust::orient2d(point(a), point(b), point(p));
        if sign == 0.0 { 0 } else { sign.signum() as i32 }
    };
    let around = |a: f64, b: f64, x: f64| a.min(b) <= x && x <= a.max(b);
    let on = |a: [f64; 2], b: [f64; 2], p: [f64; 2]| around(a[0], b[0], p[0]) && around(a[1], b[1], p[1]);
    // In order of their left ends, so that only edges that overlap along x are compared.
    let ends = |i: usize| (edge(i).0[0].min(edge(i).1[0]), edge(i).0[0].max(edge(i).1[0]));
    let mut order: Vec<_> = (0..count).collect();
    order.sort_by(|&i, &j| ends(i).0.total_cmp(&ends(j).0));
    for (k, &i) in order.iter().enumerate() {
        for &j in order[k + 1..].iter().take_while(|&&j| ends(j).0 <= ends(i).1) {
            let ((a, b), (c, d)) = (edge(i), edge(j));
            let meets = if (i + 1) % count == j || (j + 1) % count == i {
                // Neighbours share a corner; they meet elsewhere if one folds back onto the other.
                let (tip, one, other) = if (i + 1) % count == j { (b, a, d) } else { (a, b, c) };
                let ahead = (one[0] - tip[0]) * (other[0] - tip[0]) + (one[1] - tip[1]) * (other[1] - tip[1]);
                side(one, tip, other) == 0 && ahead > 0.0
            } else {
                let (sc, sd, sa, sb) = (side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b));
                (sc * sd < 0 && sa * sb < 0)
                    || (sc == 0 && on(a, b, c))
                    || (sd == 0 && on(a, b, d))
                    || (sa == 0 && on(c, d, a))
                    || (sb == 0 && on(c, d, b))
            };
            if meets {
                let middle = |k: usize| {
                    0.25 * (a[k].clamp(c[k].min(d[k]), c[k].max(d[k]))
                        + b[k].clamp(c[k].min(d[k]), c[k].max(d[k]))
                        + c[k].clamp(a[k].min(b[k]), a[k].max(b[k]))
                        + d[k].clamp(a[k].min(b[k]), a[k].max(b[k])))
                };
                return Err(Error::SelfCrossing {
                    first: i.min(j) + 1,
                    second: i.max(j) + 1,
                    at: [middle(0), middle(1)],
                });
            }
        }
    }
    Ok(())
}

/// The polygon by half-planes, each edge once (Dobkin, Guibas, Hershberger and Snoeyink 1988): a chain is cut at a corner of
/// its hull, where its halves are both needed if the corner is convex, and one suffices if it is not.
fn gate(corners: &[[f64; 2]]) -> Option<Logic> {
    let count = corners.len();
    if count > MAX_FACTORS {
        return None;
    }
    let half_plane = |i: usize| {
        let (a, b) = (corners[i], corners[(i + 1) % count]);
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let length = dx.hypot(dy);
        let f = Symbolic::linear(&[-dy / length, dx / length], (dy * a[0] - dx * a[1]) / length);
        Logic::Factor { f, face: i }
    };
    // The chains between the leftmost and the rightmost corner.
    let extreme = |sign: f64| {
        let key = |i: &usize| (sign * corners[*i][0], sign * corners[*i][1]);
        (0..count).min_by(|i, j| key(i).partial_cmp(&key(j)).unwrap_or(core::cmp::Ordering::Equal))
    };
    let (left, right) = (extreme(1.0)?, extreme(-1.0)?);
    let chain = |from: usize, to: usize| -> Vec<usize> {
        (0..(to + count - from) % count).map(|k| (from + k) % count).collect()
    };
    let chains = [chain(left, right), chain(right, left)];
    Some(Logic::And(chains.iter().map(|edges| joined(corners, edges, &half_plane)).collect()))
}

fn joined(corners: &[[f64; 2]], edges: &[usize], half_plane: &dyn Fn(usize) -> Logic) -> Logic {
    if let [edge] = edges {
        return half_plane(*edge);
    }
    let count = corners.len();
    let corner = |k: usize| corners[(edges[0] + k) % count];
    let cross =
        |o: [f64; 2], a: [f64; 2], b: [f64; 2]| (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
    // The corner of the chain farthest from the line between its ends is one of the hull.
    let (first, last) = (corner(0), corner(edges.len()));
    let height = |k: usize| cross(first, last, corner(k));
    let far = (1..edges.len()).max_by(|&i, &j| height(i).abs().total_cmp(&height(j).abs())).unwrap_or(1);
    let halves = vec![joined(corners, &edges[..far], half_plane), joined(corners, &edges[far..], half_plane)];
    // The inside is at the left, so that a corner right of the line between the ends is convex.
    if height(far) < 0.0 { Logic::And(halves) } else { Logic::Or(halves) }
}
