//! Shapes between segments in the plane or triangles in space: polygons and meshes.
//!
//! A tree of boxes finds the nearest facet.
//! What is inside is told by winding numbers, which gaps of rounding cannot mislead as they can a ray: in the plane exact
//! crossings of a ray with exact predicates, in space solid angles, far facets taken together as a dipole (Barill et al.
//! 2018, "Fast winding numbers for soups and clouds").

use core::f64::consts::PI;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Form, Shape};
use crate::gate::Logic;
use crate::patch::{Flat, Patch, Triangle};
use crate::vector::{Vector, ZERO, along, cross, distance, dot, norm, scaled};
use crate::{Bounds, Error};

/// A facet: the numbers of its two or three points, the last one given twice in the plane.
pub(crate) type Facet = [usize; 3];

pub(super) struct Facets {
    dimension: usize,
    points: Vec<Vector>,
    /// In the order of the tree.
    facets: Vec<Facet>,
    labels: Vec<Option<Arc<str>>>,
    nodes: Vec<Node>,
    measure: f64,
    gate: Option<Logic>,
}

struct Node {
    bounds: Bounds,
    /// The facets below.
    from: usize,
    to: usize,
    /// The second child; the first one follows at once. 0 for a leaf.
    second: usize,
    /// Their normals, each as long as its facet is large, and about where they are.
    dipole: Vector,
    center: Vector,
    radius: f64,
}

/// So many facets are looked at one by one.
const LEAF: usize = 4;
/// A node is far at this multiple of its radius, where a dipole is off by less than a hundredth of a turn.
const FAR: f64 = 2.5;

/// The shape whose wall consists of `facets`, closed and with the inside at their left (below them, in space).
///
/// # Errors
/// Open edges, and neighbours that disagree about which side is outside.
pub(crate) fn closed(
    dimension: usize,
    points: Vec<Vector>,
    mut facets: Vec<Facet>,
    mut labels: Vec<Option<Arc<str>>>,
    gate: Option<Logic>,
) -> Result<Shape, Error> {
    watertight(dimension, &points, &facets)?;
    let content = |facet: &Facet| {
        let [a, b, c] = facet.map(|i| &points[i]);
        let normal = doubled(dimension, a, b, c);
        // In the plane ∮ x·n/2, in space ∮ x·n/3; seen from the first point, which keeps digits.
        dot(&along(a, -1.0, &points[0]), &normal) / if dimension == 2 { 2.0 } else { 6.0 }
    };
    let mut measure: f64 = facets.iter().map(content).sum();
    if measure < 0.0 {
        measure = -measure;
        facets.iter_mut().for_each(|facet| facet.swap(0, 1));
        if dimension == 2 {
            facets.iter_mut().for_each(|facet| facet[2] = facet[1]);
        }
    }
    if measure == 0.0 || facets.is_empty() {
        return Err(Error::Empty);
    }
    let mut order: Vec<usize> = (0..facets.len()).collect();
    let mut nodes = vec![];
    split(dimension, &points, &facets, &mut order, 0, &mut nodes);
    facets = order.iter().map(|&i| facets[i]).collect();
    labels = order.iter().map(|&i| labels[i].clone()).collect();
    Ok(Shape(Arc::new(Facets { dimension, points, facets, labels, nodes, measure, gate })))
}

/// The normal of a facet, as long as it is large (twice that in space).
fn doubled(dimension: usize, a: &Vector, b: &Vector, c: &Vector) -> Vector {
    let ab = along(b, -1.0, a);
    if dimension == 2 {
        let mut normal = ZERO;
        (normal[0], normal[1]) = (ab[1], -ab[0]);
        return normal;
    }
    cross(&ab, &along(c, -1.0, a))
}

/// Every edge of a facet (point, in the plane) has another facet on its other side.
fn watertight(dimension: usize, points: &[Vector], facets: &[Facet]) -> Result<(), Error> {
    // How often an edge occurs, and how often more in one direction than in the other.
    let mut edges: HashMap<(usize, usize), (usize, isize)> = HashMap::new();
    for &[a, b, c] in facets {
        // In the plane a segment leaves one point and comes to the other.
        let pairs = if dimension == 2 {
            vec![(a, a, 1), (b, b, -1)]
        } else {
            [(a, b), (b, c), (c, a)]
                .into_iter()
                .map(|(a, b)| (a.min(b), a.max(b), if a < b { 1 } else { -1 }))
                .collect()
        };
        for (a, b, sense) in pairs {
            let entry = edges.entry((a, b)).or_default();
            *entry = (entry.0 + 1, entry.1 + sense);
        }
    }
    let mut open: Vec<_> =
        edges.iter().filter(|(_, (count, _))| count % 2 == 1).map(|(&edge, _)| edge).collect();
    let place = |i: usize| points[i][..dimension].to_vec();
    open.sort_unstable();
    if let Some(&(from, to)) = open.first() {
        return Err(Error::Open { edges: open.len(), from: place(from), to: place(to) });
    }
    match edges.iter().filter(|(_, (_, sense))| *sense != 0).map(|(edge, _)| edge).min() {
        Some(&(from, to)) => Err(Error::Disoriented { from: place(from), to: place(to) }),
        None => Ok(()),
    }
}

/// Adds the node of the facets `order`, whose first one is number `from`, and all below it.
fn split(
    dimension: usize,
    points: &[Vector],
    facets: &[Facet],
    order: &mut [usize],
    from: usize,
    nodes: &mut Vec<Node>,
) {
    let corners = |i: usize| facets[i].map(|corner| &points[corner]);
    let bounds = Bounds::around(dimension, order.iter().flat_map(|&i| corners(i)).map(|x| &x[..]));
    let middle = |i: usize| {
        let [a, b, c] = corners(i);
        let sum = along(a, 1.0, b);
        if dimension == 2 { scaled(0.5, &sum) } else { scaled(1.0 / 3.0, &along(&sum, 1.0, c)) }
    };
    let (mut dipole, mut center, mut weight) = (ZERO, ZERO, 0.0);
    for &i in order.iter() {
        let [a, b, c] = corners(i);
        let normal = scaled(if dimension == 2 { 1.0 } else { 0.5 }, &doubled(dimension, a, b, c));
        dipole = along(&dipole, 1.0, &normal);
        center = along(&center, norm(&normal), &middle(i));
        weight += norm(&normal);
    }
    center = if weight > 0.0 { scaled(1.0 / weight, &center) } else { bounds.center() };
    let far = order.iter().flat_map(|&i| corners(i)).map(|x| distance(x, &center));
    let radius = far.fold(0.0, f64::max);
    let place = nodes.len();
    nodes.push(Node { bounds, from, to: from + order.len(), second: 0, dipole, center, radius });
    if order.len() <= LEAF {
        return;
    }
    let side = |i: usize| bounds.upper[i] - bounds.lower[i];
    let axis = (0..dimension).max_by(|&i, &j| side(i).total_cmp(&side(j))).unwrap_or(0);
    let half = order.len() / 2;
    order.select_nth_unstable_by(half, |&i, &j| middle(i)[axis].total_cmp(&middle(j)[axis]).then(i.cmp(&j)));
    let (first, second) = order.split_at_mut(half);
    split(dimension, points, facets, first, from, nodes);
    nodes[place].second = nodes.len();
    split(dimension, points, facets, second, from + half, nodes);
}

impl Facets {
    /// The square of the distance from `x` to the wall.
    fn nearest(&self, x: &Vector) -> f64 {
        let gap = |node: &Node| {
            let side = |i: usize| (node.bounds.lower[i] - x[i]).max(x[i] - node.bounds.upper[i]).max(0.0);
            (0..self.dimension).map(|i| side(i) * side(i)).sum::<f64>()
        };
        let mut best = f64::INFINITY;
        let mut open = vec![(0, gap(&self.nodes[0]))];
        while let Some((k, least)) = open.pop() {
            let node = &self.nodes[k];
            if least >= best {
                continue;
            }
            if node.second == 0 {
                for facet in &self.facets[node.from..node.to] {
                    let [a, b, c] = facet.map(|i| &self.points[i]);
                    let square =
                        if self.dimension == 2 { to_segment(x, a, b) } else { to_triangle(x, a, b, c) };
                    best = best.min(square);
                }
                continue;
            }
            let mut children = [k + 1, node.second].map(|child| (child, gap(&self.nodes[child])));
            if children[0].1 < children[1].1 {
                children.swap(0, 1);
            }
            open.extend(children);
        }
        best
    }

    /// How often the wall winds around `x`: 1 inside, 0 outside.
    fn winding(&self, x: &Vector) -> f64 {
        let mut open = vec![0];
        let mut winding = 0.0;
        while let Some(k) = open.pop() {
            let node = &self.nodes[k];
            if self.dimension == 2 {
                let Bounds { lower, upper, .. } = node.bounds;
                if lower[1] > x[1] || upper[1] <= x[1] || upper[0] < x[0] {
                    continue;
                }
            } else {
                let away = along(&node.center, -1.0, x);
                let distance = norm(&away);
                if distance > FAR * node.radius {
                    winding += dot(&node.dipole, &away) / (4.0 * PI * distance.powi(3));
                    continue;
                }
            }
            if node.second != 0 {
                open.extend([k + 1, node.second]);
                continue;
            }
            for facet in &self.facets[node.from..node.to] {
                let [a, b, c] = facet.map(|i| &self.points[i]);
                winding += if self.dimension == 2 { crossing(x, a, b) } else { solid_angle(x, a, b, c) };
            }
        }
        winding
    }
}

/// 1 where a ray from `x` along the first axis crosses the segment upwards, -1 downwards, 0 where it does not cross.
fn crossing(x: &Vector, a: &Vector, b: &Vector) -> f64 {
    let point = |p: &Vector| robust::Coord { x: p[0], y: p[1] };
    let (up, down) = (a[1] <= x[1] && b[1] > x[1], b[1] <= x[1] && a[1] > x[1]);
    if !(up || down) {
        return 0.0;
    }
    let left = robust::orient2d(point(a), point(b), point(x));
    if up && left > 0.0 {
        1.0
    } else if down && left < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The solid angle of a triangle as seen from `x`, over 4π (van Oosterom and Strackee 1983); positive from below.
fn solid_angle(x: &Vector, a: &Vector, b: &Vector, c: &Vector) -> f64 {
    let [a, b, c] = [a, b, c].map(|p| along(p, -1.0, x));
    let (la, lb, lc) = (norm(&a), norm(&b), norm(&c));
    let volume = dot(&a, &cross(&b, &c));
    let base = la * lb * lc + dot(&a, &b) * lc + dot(&b, &c) * la + dot(&c, &a) * lb;
    2.0 * volume.atan2(base) / (4.0 * PI)
}

fn to_segment(x: &Vector, a: &Vector, b: &Vector) -> f64 {
    let (edge, from) = (along(b, -1.0, a), along(x, -1.0, a));
    let length = dot(&edge, &edge);
    let share = if length > 0.0 { (dot(&from, &edge) / length).clamp(0.0, 1.0) } else { 0.0 };
    let gap = along(&from, -share, &edge);
    dot(&gap, &gap)
}

fn to_triangle(x: &Vector, a: &Vector, b: &Vector, c: &Vector) -> f64 {
    let normal = doubled(3, a, b, c);
    let square = dot(&normal, &normal);
    // Above the triangle, if left of all its edges.
    let left = |p: &Vector, q: &Vector| dot(&cross(&along(q, -1.0, p), &along(x, -1.0, p)), &normal) >= 0.0;
    if square > 0.0 && left(a, b) && left(b, c) && left(c, a) {
        let height = dot(&along(x, -1.0, a), &normal);
        return height * height / square;
    }
    to_segment(x, a, b).min(to_segment(x, b, c)).min(to_segment(x, c, a))
}

impl Form for Facets {
    fn bounds(&self) -> Bounds {
        self.nodes[0].bounds
    }

    fn level(&self, x: &Vector) -> f64 {
        let distance = self.nearest(x).sqrt();
        if self.winding(x) > 0.5 { distance } else { -distance }
    }

    fn contains(&self, x: &Vector) -> bool {
        let Bounds { dimension, lower, upper } = self.nodes[0].bounds;
        (0..dimension).all(|i| lower[i] <= x[i] && x[i] <= upper[i]) && self.winding(x) > 0.5
    }

    /// The faces are numbered as the tree has them, except in polygons with a gate.
    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        let patch = |(facet, label): (&Facet, &Option<Arc<str>>)| {
            let corners @ [a, b, _] = facet.map(|i| self.points[i]);
            // The edge of a polygon has the number of the point where it begins.
            let patch = match self.dimension {
                2 => Patch::new(Flat::segment(a, b), facet[0]),
                _ => Patch::new(Triangle(corners), facet[0]),
            };
            Patch { label: label.clone(), ..patch }
        };
        Ok(self.facets.iter().zip(&self.labels).map(patch).collect())
    }

    fn measure(&self) -> Option<f64> {
        Some(self.measure)
    }

    fn gate(&self) -> Option<Logic> {
        self.gate.clone()
    }
}
