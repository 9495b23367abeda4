//! Disks, and balls of any dimension.

use core::f64::consts::TAU;
use std::sync::Arc;

use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Arch, End, Map, Patch, Ring, Sphere, ball_measure};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, distance, vector};
use crate::{Bounds, Error};

struct Ball {
    dimension: usize,
    center: Vector,
    radius: f64,
}

pub(super) fn build(given: &Numbers, dimension: Option<usize>) -> Result<Shape, Error> {
    Ok(ball(given.point("center", dimension)?, given.positive("radius")?))
}

pub(super) fn ball(center: &[f64], radius: f64) -> Shape {
    Shape(Arc::new(Ball { dimension: center.len(), center: vector(center), radius }))
}

impl Form for Ball {
    fn bounds(&self) -> Bounds {
        Bounds::ball(&self.center[..self.dimension], self.radius)
    }

    fn level(&self, x: &Vector) -> f64 {
        self.radius - distance(&x[..self.dimension], &self.center[..self.dimension])
    }

    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        let Self { dimension, center, radius } = *self;
        Ok(match dimension {
            1 => [-1.0, 1.0]
                .map(|normal| Patch::new(End { x: center[0] + normal * radius, normal }, 0))
                .into_iter()
                .collect(),
            2 => vec![Patch::new(Arch { center, radius, from: 0.0, sweep: TAU, out: 1.0 }, 0)],
            _ => vec![Patch::new(Sphere { dimension, center, radius }, 0)],
        })
    }

    fn measure(&self) -> Option<f64> {
        Some(ball_measure(self.dimension) * self.radius.powi(self.dimension as i32))
    }

    fn gate(&self) -> Option<Logic> {
        let square = Symbolic::square_distance(&self.center[..self.dimension]);
        Some(Logic::Factor { f: Symbolic::Number(self.radius).squared() - square, face: 0 })
    }

    fn filled(&self) -> Option<Arc<dyn Map>> {
        Some(Arc::new(Ring { center: self.center, inner: 0.0, outer: self.radius, up: 1.0 }))
    }
}
