//! Half-planes, and half-spaces of any dimension.

use std::sync::Arc;

use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Flat, Patch};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, ZERO, along, dot, norm, scaled, vector};
use crate::{Bounds, Error};

struct HalfSpace {
    dimension: usize,
    point: Vector,
    normal: Vector,
}

pub(super) fn build(given: &Numbers, dimension: Option<usize>) -> Result<Shape, Error> {
    let point = given.point("point", dimension)?;
    let normal = given.direction("normal", Some(point.len()))?;
    match point.len() {
        1 => Err(given.bad("point", "has one number: write an interval")),
        dimension => Ok(Shape(Arc::new(HalfSpace { dimension, point: vector(point), normal }))),
    }
}

impl Form for HalfSpace {
    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::everything(self.dimension);
        // Along an axis it has an end.
        for i in (0..self.dimension).filter(|&i| self.normal[i].abs() == 1.0) {
            let end = if self.normal[i] > 0.0 { &mut bounds.upper } else { &mut bounds.lower };
            end[i] = self.point[i];
        }
        bounds
    }

    fn level(&self, x: &Vector) -> f64 {
        (0..self.dimension).map(|i| self.normal[i] * (self.point[i] - x[i])).sum()
    }

    fn wall(&self, within: &Bounds) -> Result<Vec<Patch>, Error> {
        if !within.is_finite() {
            return Err(Error::Unbounded);
        }
        let center = within.center();
        let foot = along(&center, self.level(&center), &self.normal);
        // An orthonormal frame of the wall, by Gram and Schmidt, from the axes farthest from the normal.
        let mut frame: Vec<Vector> = vec![];
        let mut axes: Vec<_> = (0..self.dimension).collect();
        axes.sort_by(|&i, &j| self.normal[i].abs().total_cmp(&self.normal[j].abs()));
        for i in axes.into_iter().take(self.dimension - 1) {
            let mut edge = ZERO;
            edge[i] = 1.0;
            for other in frame.iter().chain([&self.normal]) {
                edge = along(&edge, -dot(&edge, other), other);
            }
            frame.push(scaled(1.0 / norm(&edge), &edge));
        }
        let size = 1.01 * within.diagonal();
        let origin = frame.iter().fold(foot, |x, edge| along(&x, -0.5 * size, edge));
        let edges = frame.iter().map(|edge| scaled(size, edge)).collect();
        Ok(vec![Patch::new(Flat::new(origin, edges, self.normal), 0)])
    }

    fn gate(&self) -> Option<Logic> {
        let slopes = scaled(-1.0, &self.normal);
        let f = Symbolic::linear(&slopes[..self.dimension], dot(&self.normal, &self.point));
        Some(Logic::Factor { f, face: 0 })
    }
}
