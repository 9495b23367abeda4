//! Shapes by formula: where a level is not negative.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Form, Shape};
use crate::patch::{Map, Patch, Place};
use crate::vector::{Vector, ZERO, along, cross, distance, dot, norm, scaled, unit, vector};
use crate::{Bounds, Error};

/// A smooth function of the coordinates: positive inside, negative outside, with a gradient on its zero set.
pub trait Level: Send + Sync {
    /// Its value at `x`.
    fn value(&self, x: &[f64]) -> f64;

    /// Its derivatives at `x`, one for each coordinate.
    fn gradient(&self, x: &[f64], out: &mut [f64]);
}

struct Formula {
    /// What it is looked at in.
    frame: Bounds,
    /// What is around it.
    bounds: Bounds,
    level: Arc<dyn Level>,
    /// No derivative in the box is larger.
    steepest: f64,
    /// Segments or triangles with corners on the zero set.
    facets: Vec<[Vector; 3]>,
    /// The length of a cell's diagonal.
    cell: f64,
}

pub(super) fn build(level: Arc<dyn Level>, from: &[f64], to: &[f64]) -> Result<Shape, Error> {
    let bad = |key, problem: String| Err(Error::BadNumber { kind: "shape by formula", key, problem });
    let dimension = from.len();
    if !(2..=3).contains(&dimension) || to.len() != dimension {
        return bad("box", "is not one of the plane or of space".into());
    }
    let bounds = Bounds { dimension, lower: vector(from), upper: vector(to) };
    if bounds.is_empty() || !bounds.is_finite() {
        return bad("box", "has no extent, or no end".into());
    }
    let cells = if dimension == 2 { 256 } else { 48 };
    let side = cells + 1;
    let node = |k: usize| -> Vector {
        let unit = [k % side, k / side % side, k / (side * side)].map(|i| i as f64 / cells as f64);
        bounds.at(&unit)
    };
    let count = side.pow(dimension as u32);
    let mut steepest = 0.0_f64;
    let (mut values, mut kinks) = (vec![0.0; count], vec![]);
    for (k, value) in values.iter_mut().enumerate() {
        let x = node(k);
        let mut gradient = ZERO;
        *value = level.value(&x[..dimension]);
        level.gradient(&x[..dimension], &mut gradient[..dimension]);
        let slope = norm(&gradient);
        if !value.is_finite() {
            return bad("formula", format!("is not finite at {:?}", &x[..dimension]));
        }
        // Kinks inside, such as that of a distance, are no harm: its wall is what has to be smooth.
        if slope.is_finite() {
            steepest = steepest.max(slope);
        } else {
            kinks.push(k);
        }
    }
    if values.iter().all(|&value| value <= 0.0) {
        return bad("formula", "is nowhere positive in its box, so that nothing is inside".into());
    }
    if values.iter().all(|&value| value > 0.0) {
        return bad("formula", "is positive everywhere in its box, so that it has no wall there".into());
    }
    let reach = steepest * bounds.diagonal() / cells as f64;
    if let Some(&k) = kinks.iter().find(|&&k| values[k].abs() <= reach) {
        return bad("formula", format!("has no derivatives at {:?}, on its wall", &node(k)[..dimension]));
    }
    let shape = Formula {
        frame: bounds,
        bounds,
        level,
        // Between nodes it may be steeper.
        steepest: (1.5 * steepest).max(f64::MIN_POSITIVE),
        facets: vec![],
        cell: bounds.diagonal() / cells as f64,
    };
    let mut corners = HashMap::new();
    let mut facets = vec![];
    for cell in 0..count {
        let at = [cell % side, cell / side % side, cell / (side * side)];
        if at[..dimension].contains(&cells) {
            continue;
        }
        for simplex in simplices(dimension) {
            let nodes: Vec<_> = simplex
                .iter()
                .map(|&corner| cell + (corner & 1) + (corner >> 1 & 1) * side + (corner >> 2) * side * side)
                .collect();
            let (inside, outside): (Vec<_>, Vec<_>) = nodes.iter().partition(|&&k| values[k] >= 0.0);
            // The zero set crosses every edge between a node inside and one outside.
            let mut on = |i: usize, o: usize| {
                *corners.entry((i, o)).or_insert_with(|| {
                    let share = values[i] / (values[i] - values[o]);
                    let x = along(&node(i), share, &along(&node(o), -1.0, &node(i)));
                    shape.project(&x)
                })
            };
            let mut add = |a: Vector, b: Vector, c: Vector| {
                let towards = node(outside[0]);
                let normal = if dimension == 2 {
                    vector(&[b[1] - a[1], a[0] - b[0]])
                } else {
                    cross(&along(&b, -1.0, &a), &along(&c, -1.0, &a))
                };
                let out = dot(&normal, &along(&towards, -1.0, &a)) >= 0.0;
                if norm(&normal) > 0.0 {
                    facets.push(if out { [a, b, c] } else { [b, a, if dimension == 2 { a } else { c }] });
                }
            };
            match (inside.len(), outside.len()) {
                (0, _) | (_, 0) => {}
                (1, 2) | (2, 1) => {
                    let all: Vec<_> =
                        inside.iter().flat_map(|&i| outside.iter().map(move |&o| (i, o))).collect();
                    let (a, b) = (on(all[0].0, all[0].1), on(all[1].0, all[1].1));
                    add(a, b, b);
                }
                (1, 3) => {
                    let [a, b, c] = [0, 1, 2].map(|k| on(inside[0], outside[k]));
                    add(a, b, c);
                }
                (3, 1) => {
                    let [a, b, c] = [0, 1, 2].map(|k| on(inside[k], outside[0]));
                    add(a, b, c);
                }
                _ => {
                    let [a, b, c, d] =
                        [(0, 0), (0, 1), (1, 1), (1, 0)].map(|(i, o)| on(inside[i], outside[o]));
                    add(a, b, c);
                    add(a, c, d);
                }
            }
        }
    }
    // Where it is not negative on the box's own wall it goes on beyond.
    let edge = |k: usize| {
        let at = [k % side, k / side % side, k / (side * side)];
        at[..dimension].iter().any(|&i| i == 0 || i == cells)
    };
    let open = (0..count).any(|k| edge(k) && values[k] >= 0.0);
    let bounds = if open {
        Bounds::everything(dimension)
    } else {
        Bounds::around(dimension, facets.iter().flatten().map(|x| &x[..])).grown(0.5 * shape.cell)
    };
    Ok(Shape(Arc::new(Arc::new(Formula { bounds, facets, ..shape }))))
}

/// The cell as simplices along its diagonal (Kuhn): corners by number, bit i for coordinate i.
fn simplices(dimension: usize) -> &'static [&'static [usize]] {
    match dimension {
        2 => &[&[0, 1, 3], &[0, 2, 3]],
        _ => &[&[0, 1, 3, 7], &[0, 1, 5, 7], &[0, 2, 3, 7], &[0, 2, 6, 7], &[0, 4, 5, 7], &[0, 4, 6, 7]],
    }
}

impl Formula {
    fn gradient(&self, x: &Vector) -> Vector {
        let mut gradient = ZERO;
        let dimension = self.frame.dimension;
        self.level.gradient(&x[..dimension], &mut gradient[..dimension]);
        gradient
    }

    /// The place of the zero set that Newton's method along the gradient finds from `x`; `x` itself if it leads away.
    fn project(&self, x: &Vector) -> Vector {
        let dimension = self.frame.dimension;
        let mut place = *x;
        for _ in 0..20 {
            let (value, gradient) = (self.level.value(&place[..dimension]), self.gradient(&place));
            let square = dot(&gradient, &gradient);
            if value == 0.0 || square == 0.0 {
                break;
            }
            let next = along(&place, -value / square, &gradient);
            if !next.iter().all(|x| x.is_finite()) || distance(&next, x) > self.cell {
                return *x;
            }
            let step = distance(&next, &place);
            place = next;
            if step <= 1e-15 * self.cell {
                break;
            }
        }
        place
    }
}

/// A segment or triangle drawn onto the zero set.
struct Projected {
    formula: Arc<Formula>,
    corners: [Vector; 3],
}

impl Projected {
    fn place(&self, unit: &[f64]) -> Vector {
        let [a, b, c] = &self.corners;
        let x = if self.formula.frame.dimension == 2 {
            along(a, unit[0], &along(b, -1.0, a))
        } else {
            let r = unit[0].sqrt();
            let ab = along(a, r * (1.0 - unit[1]), &along(b, -1.0, a));
            along(&ab, r * unit[1], &along(c, -1.0, a))
        };
        self.formula.project(&x)
    }
}

impl Map for Projected {
    /// Its density comes from differences.
    fn precision(&self) -> f64 {
        1e-8
    }

    fn is_facet(&self) -> bool {
        self.formula.frame.dimension == 3
    }

    fn at(&self, cube: &[f64]) -> Place {
        // Its tangents by central differences, inside of the cube.
        const STEP: f64 = 1e-5;
        let dimension = self.formula.frame.dimension;
        let tangent = |i: usize| {
            let inside = |u: f64| u.clamp(STEP, 1.0 - STEP);
            let mut ends = [[inside(cube[0]), inside(cube.get(1).copied().unwrap_or(0.5))]; 2];
            ends[0][i] -= STEP;
            ends[1][i] += STEP;
            let difference = along(&self.place(&ends[1]), -1.0, &self.place(&ends[0]));
            scaled(1.0 / (ends[1][i] - ends[0][i]), &difference)
        };
        let density = if dimension == 2 { norm(&tangent(0)) } else { norm(&cross(&tangent(0), &tangent(1))) };
        let x = self.place(cube);
        Place { x, normal: unit(&scaled(-1.0, &self.formula.gradient(&x))), density }
    }
}

impl Form for Arc<Formula> {
    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn level(&self, x: &Vector) -> f64 {
        self.level.value(&x[..self.frame.dimension]) / self.steepest
    }

    fn wall(&self, within: &Bounds) -> Result<Vec<Patch>, Error> {
        let (outer, wanted) =
            (self.frame.grown(1e-9 * self.frame.diagonal()), within.intersection(&self.bounds));
        if !outer.covers(&wanted) {
            return Err(Error::BeyondBox);
        }
        let patch =
            |corners: &[Vector; 3]| Patch::new(Projected { formula: self.clone(), corners: *corners }, 0);
        Ok(self.facets.iter().map(patch).collect())
    }
}
