//! Bodies that a figure of the plane makes when it turns about an axis; tori.

use core::f64::consts::PI;
use std::sync::Arc;

use super::affine::upright;
use super::ball::ball;
use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Patch, Turned};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, vector};
use crate::{Bounds, Error};

pub(super) struct Revolution {
    /// Radius and height.
    pub(super) base: Shape,
    /// Smoother than the figure's, where there is such.
    pub(super) gate: Option<Logic>,
    pub(super) measure: Option<f64>,
}

pub(super) fn build(base: &Shape) -> Result<Shape, Error> {
    let bad =
        |problem: &str| Err(Error::BadNumber { kind: "revolution", key: "base", problem: problem.into() });
    let bounds = base.bounds();
    if bounds.dimension != 2 {
        return bad("is no figure of the plane");
    }
    if !bounds.is_finite() {
        return bad("has no end");
    }
    if bounds.lower[0] < -1e-12 * bounds.diagonal() {
        return bad("lies on both sides of the axis, x = 0: its first coordinate is a radius");
    }
    Ok(Shape(Arc::new(Revolution { base: base.clone(), gate: None, measure: None })))
}

pub(super) fn torus(given: &Numbers) -> Result<Shape, Error> {
    let center = given.point("center", Some(3))?;
    let (radius, tube) = (given.positive("radius")?, given.positive("tube")?);
    if tube >= radius {
        return Err(given.bad("tube", format!("is {tube}, and has to be below the radius, {radius}")));
    }
    let axis = if given.has("axis") { given.direction("axis", Some(3))? } else { vector(&[0.0, 0.0, 1.0]) };
    // (2R)²ρ² - (ρ² + z² + R² - r²)² has no root in it.
    let square = Symbolic::square_distance(&[0.0; 3]);
    let ring = Symbolic::Number(4.0 * radius * radius) * Symbolic::square_distance(&[0.0; 2]);
    let f = ring - (square + Symbolic::Number(radius * radius - tube * tube)).squared();
    let base = ball(&[radius, 0.0], tube);
    let gate = Some(Logic::Factor { f, face: 0 });
    let measure = Some(2.0 * PI * PI * radius * tube * tube);
    let to: Vec<_> = (0..3).map(|i| center[i] + axis[i]).collect();
    upright(&Shape(Arc::new(Revolution { base, gate, measure })), center, &to)
}

impl Form for Revolution {
    fn bounds(&self) -> Bounds {
        let Bounds { lower, upper, .. } = self.base.bounds();
        let (lower, upper) = ([-upper[0], -upper[0], lower[1]], [upper[0], upper[0], upper[1]]);
        Bounds { dimension: 3, lower: vector(&lower), upper: vector(&upper) }
    }

    /// Also small at the axis where the figure ends there: there it is inside all around.
    fn level(&self, x: &Vector) -> f64 {
        self.base.0.level(&vector(&[x[0].hypot(x[1]), x[2]]))
    }

    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        let bounds = self.base.bounds();
        let on_axis = |patch: &Patch| {
            [0.2, 0.5, 0.8].iter().all(|&t| patch.map.at(&[t]).x[0] <= 1e-12 * bounds.diagonal())
        };
        let curves = self.base.0.wall(&bounds)?.into_iter().filter(|patch| !on_axis(patch));
        Ok(curves.map(|curve| curve.mapped(Turned(curve.map.clone()), None)).collect())
    }

    fn measure(&self) -> Option<f64> {
        self.measure
    }

    fn gate(&self) -> Option<Logic> {
        if self.gate.is_some() {
            return self.gate.clone();
        }
        let radius = Symbolic::square_distance(&[0.0; 2]).sqrt();
        let by = [radius, Symbolic::Coordinate(2)];
        Some(self.base.0.gate()?.mapped(&|f| f.with(&by), &|face| face))
    }
}
