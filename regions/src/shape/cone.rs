//! Cones, whole or cut off.

use core::f64::consts::PI;
use std::sync::Arc;

use super::affine::upright;
use super::polygon::polygon;
use super::revolution::Revolution;
use super::{Numbers, Shape};
use crate::Error;
use crate::gate::Logic;
use crate::symbolic::Symbolic;
use crate::vector::distance;

pub(super) fn build(given: &Numbers) -> Result<Shape, Error> {
    let (from, to) = (given.point("from", Some(3))?, given.point("to", Some(3))?);
    let radius = given.positive("radius")?;
    let end = if given.has("end") { given.number("end")? } else { 0.0 };
    if end < 0.0 {
        return Err(given.bad("end", format!("is {end}, and must not be negative")));
    }
    let height = distance(from, to);
    if height == 0.0 {
        return Err(given.bad("to", "is `from`: the cone has no height"));
    }
    let mut profile = vec![[0.0, 0.0], [radius, 0.0], [end, height], [0.0, height]];
    if end == 0.0 {
        profile.pop();
    }
    // The square of the radius at a height, less that of the distance from the axis: smooth at the axis, too.
    let at_height = Symbolic::linear(&[0.0, 0.0, (end - radius) / height], radius);
    let side = at_height.squared() - Symbolic::square_distance(&[0.0; 2]);
    let z = Symbolic::Coordinate(2);
    // The numbers of the faces are those of the profile's edges.
    let mut faces = vec![
        Logic::Factor { f: z.clone(), face: 0 },
        Logic::Factor { f: side, face: 1 },
        // Above the tip begins the cone's mirror image.
        Logic::Factor { f: Symbolic::Number(height) - z, face: 2 },
    ];
    if end == 0.0 {
        faces.pop();
    }
    let measure = PI * height / 3.0 * (radius * radius + radius * end + end * end);
    let gate = Some(Logic::And(faces));
    let body = Revolution { base: polygon(&profile)?, gate, measure: Some(measure) };
    upright(&Shape(Arc::new(body)), from, to)
}
