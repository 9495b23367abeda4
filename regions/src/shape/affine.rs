//! Shapes moved, turned, stretched; ellipses and ellipsoids.

use std::sync::Arc;

use super::ball::ball;
use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Affine, Image, Map, Patch, Trim};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, ZERO, cross, dot, frame, norm, unit, vector};
use crate::{Bounds, Error};

struct Moved {
    shape: Shape,
    by: Arc<Affine>,
}

fn bad(key: &'static str, problem: impl Into<String>) -> Error {
    Error::BadNumber { kind: "shape", key, problem: problem.into() }
}

fn checked(shape: &Shape, key: &'static str, numbers: &[f64]) -> Result<Vector, Error> {
    let dimension = shape.dimension();
    if numbers.len() != dimension {
        return Err(bad(key, format!("has {} numbers where {dimension} are needed", numbers.len())));
    }
    if numbers.iter().all(|x| x.is_finite()) { Ok(vector(numbers)) } else { Err(bad(key, "is not finite")) }
}

/// `shape` under x ↦ A(x - about) + to, where `rows` are those of A and `back` those of its inverse.
fn moved(
    shape: &Shape,
    rows: Vec<Vector>,
    back: Vec<Vector>,
    about: &Vector,
    to: &Vector,
    volume: f64,
) -> Shape {
    let dimension = rows.len();
    let mut shift = *to;
    (0..dimension).for_each(|i| shift[i] -= dot(&rows[i], about));
    let lengths = rows.iter().map(|row| norm(row));
    let (least, most) = lengths.fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(x), b.max(x)));
    // Rotations and stretches along axes are all that is made here: rows are at right angles if of one length.
    let similar = most - least <= 1e-12 * most;
    let stretch = if similar { 1.0 / most } else { back.iter().map(|row| dot(row, row)).sum::<f64>().sqrt() };
    let by = Affine { dimension, rows, back, shift, volume, stretch, similar };
    Shape(Arc::new(Moved { shape: shape.clone(), by: Arc::new(by) }))
}

fn diagonal(numbers: &[f64]) -> Vec<Vector> {
    let row = |(i, &x): (usize, &f64)| {
        let mut row = ZERO;
        row[i] = x;
        row
    };
    numbers.iter().enumerate().map(row).collect()
}

fn transposed(rows: &[Vector]) -> Vec<Vector> {
    (0..rows.len()).map(|i| vector(&rows.iter().map(|row| row[i]).collect::<Vec<_>>())).collect()
}

pub(super) fn translated(shape: &Shape, by: &[f64]) -> Result<Shape, Error> {
    let by = checked(shape, "translate", by)?;
    let one = diagonal(&vec![1.0; shape.dimension()]);
    Ok(moved(shape, one.clone(), one, &ZERO, &by, 1.0))
}

pub(super) fn scaled(shape: &Shape, factors: &[f64], about: &[f64]) -> Result<Shape, Error> {
    let all = if let [factor] = factors { vec![*factor; shape.dimension()] } else { factors.to_vec() };
    checked(shape, "scale", &all)?;
    let about = checked(shape, "about", about)?;
    if let Some(factor) = all.iter().find(|&&factor| factor <= 0.0 || !(1.0 / factor).is_finite()) {
        return Err(bad("scale", format!("is {factor}, and has to be positive")));
    }
    let back: Vec<_> = all.iter().map(|factor| 1.0 / factor).collect();
    Ok(moved(shape, diagonal(&all), diagonal(&back), &about, &about, all.iter().product()))
}

pub(super) fn rotated(
    shape: &Shape,
    angle: f64,
    axis: Option<&[f64]>,
    about: &[f64],
) -> Result<Shape, Error> {
    let about = checked(shape, "about", about)?;
    if !angle.is_finite() {
        return Err(bad("rotate", "is not finite"));
    }
    let (sin, cos) = angle.sin_cos();
    let rows = match (shape.dimension(), axis) {
        (2, None) => vec![vector(&[cos, -sin]), vector(&[sin, cos])],
        (3, Some(axis)) => {
            let axis = unit(&checked(shape, "axis", axis)?);
            if axis == ZERO {
                return Err(bad("axis", "has no direction"));
            }
            // Rodrigues's formula, column by column.
            let column = |e: Vector| {
                let turned = cross(&axis, &e);
                let rest = dot(&axis, &e) * (1.0 - cos);
                core::array::from_fn(|i| cos * e[i] + sin * turned[i] + rest * axis[i])
            };
            transposed(&diagonal(&[1.0; 3]).into_iter().map(column).collect::<Vec<_>>())
        }
        (2, Some(_)) => {
            return Err(bad("axis", "is given for a shape of the plane, which turns without one"));
        }
        (3, None) => return Err(bad("axis", "is missing: a body turns about one")),
        _ => return Err(bad("rotate", "is for shapes of two or three dimensions")),
    };
    Ok(moved(shape, rows.clone(), transposed(&rows), &about, &about, 1.0))
}

/// A body that stands on the origin along z, put onto `from` along the way to `to`.
pub(super) fn upright(shape: &Shape, from: &[f64], to: &[f64]) -> Result<Shape, Error> {
    let axis = unit(&vector(&[to[0] - from[0], to[1] - from[1], to[2] - from[2]]));
    if axis == vector(&[0.0, 0.0, 1.0]) {
        return translated(shape, from);
    }
    let [first, second] = frame(&axis);
    let back = vec![first, second, axis];
    Ok(moved(shape, transposed(&back), back, &ZERO, &vector(from), 1.0))
}

pub(super) fn ellipse(given: &Numbers) -> Result<Shape, Error> {
    let shape = stretched(given, 2)?;
    let angle = if given.has("angle") { given.number("angle")? } else { 0.0 };
    if angle == 0.0 { Ok(shape) } else { rotated(&shape, angle, None, given.point("center", Some(2))?) }
}

pub(super) fn ellipsoid(given: &Numbers) -> Result<Shape, Error> {
    stretched(given, 3)
}

fn stretched(given: &Numbers, dimension: usize) -> Result<Shape, Error> {
    let center = given.point("center", Some(dimension))?;
    let radii = given.point("radii", Some(dimension))?;
    if let Some(radius) = radii.iter().find(|&&radius| radius <= 0.0) {
        return Err(given.bad("radii", format!("has {radius} in it, and all have to be positive")));
    }
    let unit = scaled(&ball(&vec![0.0; dimension], 1.0), radii, &vec![0.0; dimension])?;
    translated(&unit, center)
}

impl Form for Moved {
    fn bounds(&self) -> Bounds {
        let inner = self.shape.bounds();
        let mut bounds = Bounds::empty(inner.dimension);
        for i in 0..inner.dimension {
            // Interval arithmetic, in which nothing times an infinite end is nothing.
            let (mut lower, mut upper) = (self.by.shift[i], self.by.shift[i]);
            for j in (0..inner.dimension).filter(|&j| self.by.rows[i][j] != 0.0) {
                let ends = [inner.lower[j], inner.upper[j]].map(|end| self.by.rows[i][j] * end);
                lower += ends[0].min(ends[1]);
                upper += ends[0].max(ends[1]);
            }
            (bounds.lower[i], bounds.upper[i]) = (lower, upper);
        }
        bounds
    }

    fn level(&self, x: &Vector) -> f64 {
        self.shape.0.level(&self.by.undo(x)) / self.by.stretch
    }

    fn contains(&self, x: &Vector) -> bool {
        self.shape.0.contains(&self.by.undo(x))
    }

    fn wall(&self, within: &Bounds) -> Result<Vec<Patch>, Error> {
        let inner = match within.is_finite() {
            true => {
                let corners: Vec<_> = within.corners().map(|corner| self.by.undo(&corner)).collect();
                Bounds::around(within.dimension, corners.iter().map(|corner| &corner[..]))
            }
            false => Bounds::everything(within.dimension),
        };
        let image = |patch: Patch| {
            let map = Image { map: patch.map.clone(), by: self.by.clone() };
            let trim = patch.trim.clone().map(|trim| -> Trim {
                let by = self.by.clone();
                Arc::new(move |x| trim(&by.undo(x)) / by.stretch)
            });
            patch.mapped(map, trim)
        };
        Ok(self.shape.0.wall(&inner)?.into_iter().map(image).collect())
    }

    fn measure(&self) -> Option<f64> {
        self.shape.0.measure().map(|measure| measure * self.by.volume)
    }

    fn gate(&self) -> Option<Logic> {
        let coordinate = |row: &Vector| {
            let row = &row[..self.by.dimension];
            Symbolic::linear(row, -dot(row, &self.by.shift))
        };
        let by: Vec<_> = self.by.back.iter().map(coordinate).collect();
        Some(self.shape.0.gate()?.mapped(&|f| f.with(&by), &|face| face))
    }

    fn filled(&self) -> Option<Arc<dyn Map>> {
        // The same map in space, with z as it was.
        let mut by = (*self.by).clone();
        by.dimension = 3;
        by.rows.push(vector(&[0.0, 0.0, 1.0]));
        by.back.push(vector(&[0.0, 0.0, 1.0]));
        Some(Arc::new(Image { map: self.shape.0.filled()?, by: Arc::new(by) }))
    }
}
