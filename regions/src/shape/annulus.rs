//! Rings between two circles of one center.

use core::f64::consts::{PI, TAU};
use std::sync::Arc;

use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Arch, Map, Patch, Ring};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, distance, vector};
use crate::{Bounds, Error};

struct Annulus {
    center: Vector,
    inner: f64,
    outer: f64,
}

pub(super) fn build(given: &Numbers) -> Result<Shape, Error> {
    let center = vector(given.point("center", Some(2))?);
    let (inner, outer) = (given.positive("inner")?, given.positive("outer")?);
    if inner >= outer {
        return Err(given.bad("outer", format!("is {outer}, and has to be above the inner radius, {inner}")));
    }
    Ok(Shape(Arc::new(Annulus { center, inner, outer })))
}

impl Form for Annulus {
    fn bounds(&self) -> Bounds {
        Bounds::ball(&self.center[..2], self.outer)
    }

    fn level(&self, x: &Vector) -> f64 {
        let radius = distance(&x[..2], &self.center[..2]);
        (self.outer - radius).min(radius - self.inner)
    }

    /// Face 0 is outside, face 1 inside.
    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        let circle = |radius, out| Arch { center: self.center, radius, from: 0.0, sweep: TAU, out };
        Ok(vec![Patch::new(circle(self.outer, 1.0), 0), Patch::new(circle(self.inner, -1.0), 1)])
    }

    fn measure(&self) -> Option<f64> {
        Some(PI * (self.outer * self.outer - self.inner * self.inner))
    }

    fn gate(&self) -> Option<Logic> {
        let square = Symbolic::square_distance(&self.center[..2]);
        let outside = Symbolic::Number(self.outer).squared() - square.clone();
        let inside = square - Symbolic::Number(self.inner).squared();
        Some(Logic::And(vec![Logic::Factor { f: outside, face: 0 }, Logic::Factor { f: inside, face: 1 }]))
    }

    fn filled(&self) -> Option<Arc<dyn Map>> {
        Some(Arc::new(Ring { center: self.center, inner: self.inner, outer: self.outer, up: 1.0 }))
    }
}
