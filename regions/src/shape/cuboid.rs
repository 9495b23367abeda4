//! Intervals, rectangles, boxes of any dimension.

use std::sync::Arc;

use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{End, Flat, Map, Patch};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, ZERO, vector};
use crate::{Bounds, Error};

struct Cuboid(Bounds);

pub(super) fn build(given: &Numbers, dimension: Option<usize>) -> Result<Shape, Error> {
    let from = given.point("from", dimension)?;
    let to = given.point("to", Some(from.len()))?;
    if let Some(i) = (0..from.len()).find(|&i| from[i] >= to[i]) {
        return Err(given.bad("to", format!("is {}, and has to be above {}", to[i], from[i])));
    }
    Ok(Shape(Arc::new(Cuboid(Bounds { dimension: from.len(), lower: vector(from), upper: vector(to) }))))
}

impl Form for Cuboid {
    fn bounds(&self) -> Bounds {
        self.0
    }

    fn level(&self, x: &Vector) -> f64 {
        let sides = (0..self.0.dimension).map(|i| (x[i] - self.0.lower[i]).min(self.0.upper[i] - x[i]));
        sides.fold(f64::INFINITY, f64::min)
    }

    /// Face 2i is the lower end of coordinate i, face 2i + 1 the upper.
    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        let Bounds { dimension, lower, upper } = self.0;
        let face = |face: usize| {
            let (i, end) = (face / 2, if face.is_multiple_of(2) { &lower } else { &upper });
            let out = if face.is_multiple_of(2) { -1.0 } else { 1.0 };
            if dimension == 1 {
                return Patch::new(End { x: end[0], normal: out }, face);
            }
            let (mut origin, mut normal) = (vector(&lower[..dimension]), ZERO);
            (origin[i], normal[i]) = (end[i], out);
            let edge = |j: usize| {
                let mut edge = ZERO;
                edge[j] = upper[j] - lower[j];
                edge
            };
            let edges = (0..dimension).filter(|&j| j != i).map(edge).collect();
            Patch::new(Flat::new(origin, edges, normal), face)
        };
        Ok((0..2 * dimension).map(face).collect())
    }

    fn measure(&self) -> Option<f64> {
        Some(self.0.volume())
    }

    fn gate(&self) -> Option<Logic> {
        let side = |face: usize| {
            let x = Symbolic::Coordinate(face / 2);
            let f = match face % 2 {
                0 => x - Symbolic::Number(self.0.lower[face / 2]),
                _ => Symbolic::Number(self.0.upper[face / 2]) - x,
            };
            Logic::Factor { f, face }
        };
        Some(Logic::And((0..2 * self.0.dimension).map(side).collect()))
    }

    fn filled(&self) -> Option<Arc<dyn Map>> {
        let Bounds { lower, upper, .. } = self.0;
        let edges = vec![vector(&[upper[0] - lower[0]]), vector(&[0.0, upper[1] - lower[1]])];
        Some(Arc::new(Flat::new(vector(&lower[..2]), edges, vector(&[0.0, 0.0, 1.0]))))
    }
}
