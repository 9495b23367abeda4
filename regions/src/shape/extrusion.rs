//! Bodies over a figure of the plane; cylinders.

use std::sync::Arc;

use super::affine::upright;
use super::ball::ball;
use super::{Form, Numbers, Shape};
use crate::gate::Logic;
use crate::patch::{Affine, Drawn, Flat, Image, Map, Patch};
use crate::symbolic::Symbolic;
use crate::vector::{Vector, distance, vector};
use crate::{Bounds, Error};

struct Extrusion {
    base: Shape,
    from: f64,
    to: f64,
}

pub(super) fn build(base: &Shape, from: f64, to: f64) -> Result<Shape, Error> {
    let bad = |key, problem: &str| Err(Error::BadNumber { kind: "extrusion", key, problem: problem.into() });
    if base.dimension() != 2 {
        return bad("base", "is no figure of the plane");
    }
    if !(from < to && from.is_finite() && to.is_finite()) {
        return bad("to", "has to be above `from`, and both finite");
    }
    Ok(Shape(Arc::new(Extrusion { base: base.clone(), from, to })))
}

pub(super) fn cylinder(given: &Numbers) -> Result<Shape, Error> {
    let (from, to) = (given.point("from", Some(3))?, given.point("to", Some(3))?);
    let radius = given.positive("radius")?;
    if from == to {
        return Err(given.bad("to", "is `from`: the cylinder has no height"));
    }
    upright(&build(&ball(&[0.0, 0.0], radius), 0.0, distance(from, to))?, from, to)
}

impl Form for Extrusion {
    fn bounds(&self) -> Bounds {
        let mut bounds = self.base.bounds();
        bounds.dimension = 3;
        (bounds.lower[2], bounds.upper[2]) = (self.from, self.to);
        bounds
    }

    fn level(&self, x: &Vector) -> f64 {
        self.base.0.level(&vector(&x[..2])).min(x[2] - self.from).min(self.to - x[2])
    }

    /// Faces 0 and 1 are the lower and the upper end; those of the figure come after them.
    fn wall(&self, within: &Bounds) -> Result<Vec<Patch>, Error> {
        let bounds = Bounds { dimension: 2, ..*within };
        let side = |curve: Patch| {
            let map = Drawn { curve: curve.map.clone(), from: self.from, to: self.to };
            Patch { face: curve.face + 2, ..curve.mapped(map, None) }
        };
        let mut all: Vec<_> = self.base.0.wall(&bounds)?.into_iter().map(side).collect();
        let figure = self.base.bounds().intersection(&bounds);
        if !figure.is_finite() {
            return Err(Error::Unbounded);
        }
        for (face, height, up) in [(0, self.from, -1.0), (1, self.to, 1.0)] {
            let shift = vector(&[0.0, 0.0, height]);
            // Mirrored, so that the normal points down.
            let flip = |i: usize, down: f64| {
                let mut row = vector(&[]);
                row[i] = down;
                row
            };
            let rows = vec![flip(0, 1.0), flip(1, 1.0), flip(2, up)];
            let by = Affine {
                dimension: 3,
                back: rows.clone(),
                rows,
                shift,
                volume: 1.0,
                stretch: 1.0,
                similar: true,
            };
            let (map, trim): (Arc<dyn Map>, _) = match self.base.0.filled() {
                Some(map) => (map, None),
                None => {
                    let [width, length] = [0, 1].map(|i| figure.upper[i] - figure.lower[i]);
                    let edges = vec![vector(&[width]), vector(&[0.0, length])];
                    let map = Flat::new(vector(&figure.lower[..2]), edges, vector(&[0.0, 0.0, 1.0]));
                    let base = self.base.clone();
                    (Arc::new(map), Some(Arc::new(move |x: &Vector| base.0.level(&vector(&x[..2]))) as _))
                }
            };
            all.push(Patch { trim, ..Patch::new(Image { map, by: Arc::new(by) }, face) });
        }
        Ok(all)
    }

    fn measure(&self) -> Option<f64> {
        Some(self.base.0.measure()? * (self.to - self.from))
    }

    fn gate(&self) -> Option<Logic> {
        let height = Symbolic::Coordinate(2);
        let ends = [height.clone() - Symbolic::Number(self.from), Symbolic::Number(self.to) - height];
        let [lower, upper] = [0, 1].map(|face| Logic::Factor { f: ends[face].clone(), face });
        let sides = self.base.0.gate()?.mapped(&|f| f.clone(), &|face| face + 2);
        Some(Logic::And(vec![sides, lower, upper]))
    }
}
