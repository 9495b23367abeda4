//! Capsules of the plane: all that is near a segment.

use core::f64::consts::PI;
use std::sync::Arc;

use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Arch, Flat, Patch};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, along, distance, dot, scaled, unit, vector};
use crate::{Bounds, Error};

struct Capsule {
    from: Vector,
    to: Vector,
    radius: f64,
}

pub(super) fn build(given: &Numbers) -> Result<Shape, Error> {
    let (from, to) = (given.point("from", Some(2))?, given.point("to", Some(2))?);
    if from == to {
        return Err(given.bad("to", "is `from`: write a disk"));
    }
    let radius = given.positive("radius")?;
    Ok(Shape(Arc::new(Capsule { from: vector(from), to: vector(to), radius })))
}

impl Capsule {
    /// Along the segment, and to its left.
    fn frame(&self) -> [Vector; 2] {
        let along_it = unit(&along(&self.to, -1.0, &self.from));
        [along_it, vector(&[-along_it[1], along_it[0]])]
    }
}

impl Form for Capsule {
    fn bounds(&self) -> Bounds {
        Bounds::around(2, [&self.from[..2], &self.to[..2]]).grown(self.radius)
    }

    fn level(&self, x: &Vector) -> f64 {
        let edge = along(&self.to, -1.0, &self.from);
        let share = (dot(&along(x, -1.0, &self.from)[..2], &edge[..2]) / dot(&edge, &edge)).clamp(0.0, 1.0);
        self.radius - distance(&x[..2], &along(&self.from, share, &edge)[..2])
    }

    /// Faces 0 and 1 are straight, 2 and 3 round.
    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        let [ahead, left] = self.frame();
        let side = |x: &Vector, out: f64| along(x, out * self.radius, &left);
        let start = left[1].atan2(left[0]);
        let arch = |center, from| Arch { center, radius: self.radius, from, sweep: PI, out: 1.0 };
        Ok(vec![
            Patch::new(Flat::segment(side(&self.from, -1.0), side(&self.to, -1.0)), 0),
            Patch::new(Flat::segment(side(&self.to, 1.0), side(&self.from, 1.0)), 1),
            Patch::new(arch(self.from, start), 2),
            Patch::new(arch(self.to, ahead[1].atan2(ahead[0]) - 0.5 * PI), 3),
        ])
    }

    fn measure(&self) -> Option<f64> {
        Some(self.radius * (PI * self.radius + 2.0 * distance(&self.from, &self.to)))
    }

    fn gate(&self) -> Option<Logic> {
        let [ahead, left] = self.frame();
        let half = |normal: &Vector, point: &Vector, face| {
            let slopes = scaled(-1.0, normal);
            Logic::Factor { f: Symbolic::linear(&slopes[..2], dot(normal, point)), face }
        };
        let disk = |center: &Vector, face| {
            let square = Symbolic::square_distance(&center[..2]);
            Logic::Factor { f: Symbolic::Number(self.radius * self.radius) - square, face }
        };
        let strip = vec![
            half(&scaled(-1.0, &left), &along(&self.from, -self.radius, &left), 0),
            half(&left, &along(&self.from, self.radius, &left), 1),
            // The ends of the strip are no walls: the disks go on there.
            half(&scaled(-1.0, &ahead), &self.from, 4),
            half(&ahead, &self.to, 5),
        ];
        Some(Logic::Or(vec![Logic::And(strip), disk(&self.from, 2), disk(&self.to, 3)]))
    }
}
