//! Shapes: what they are built from, and what is known of each.
//!
//! A kind of shape is a file here, a line of [`KINDS`] where numbers say all about it, and nothing else.

mod affine;
mod annulus;
mod ball;
mod capsule;
mod cone;
mod cuboid;
mod extrusion;
pub(crate) mod facets;
mod formula;
mod half_space;
mod polygon;
mod revolution;

use std::sync::Arc;

pub use formula::Level;

use crate::gate::Logic;
use crate::patch::{Map, Patch};
use crate::vector::{MAX_DIMENSION, Vector, norm, vector};
use crate::{Bounds, Error};

/// What a kind of shape can say of itself.
pub(crate) trait Form: Send + Sync {
    /// A box around it.
    fn bounds(&self) -> Bounds;

    /// Positive inside, negative outside, zero on the wall; nowhere more than the distance to the wall.
    fn level(&self, x: &Vector) -> f64;

    /// Whether a place is inside or on the wall.
    fn contains(&self, x: &Vector) -> bool {
        self.level(x) >= 0.0
    }

    /// The wall, at least where it is in `within`.
    fn wall(&self, within: &Bounds) -> Result<Vec<Patch>, Error>;

    /// Length, area or volume, where there is a closed form.
    fn measure(&self) -> Option<f64> {
        None
    }

    /// Formulas that vanish on the wall, and how they are joined, where there are such.
    fn gate(&self) -> Option<Logic> {
        None
    }

    /// A figure of the plane as a map of the unit square into z = 0, where one is known; its normal points up.
    fn filled(&self) -> Option<Arc<dyn Map>> {
        None
    }
}

/// A shape; clones share it.
#[derive(Clone)]
pub struct Shape(pub(crate) Arc<dyn Form>);

impl core::fmt::Debug for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        f.debug_tuple("Shape").field(&self.bounds()).finish()
    }
}

/// A kind of shape that numbers describe.
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// What its numbers are called; those in brackets may be left out.
    pub keys: &'static [&'static str],
    build: fn(&Numbers) -> Result<Shape, Error>,
}

const fn kind(
    name: &'static str,
    keys: &'static [&'static str],
    build: fn(&Numbers) -> Result<Shape, Error>,
) -> Kind {
    Kind { name, keys, build }
}

/// Every kind of shape that numbers describe.
///
/// A `polygon`'s points follow one another, x and y in turn.
/// The normal of a `half-plane` points out of it.
/// A `cone` has `radius` at its base, `from`, and `end` at `to`, which is 0 if not given.
pub static KINDS: [Kind; 17] = [
    kind("interval", &["from", "to"], |given| cuboid::build(given, Some(1))),
    kind("rectangle", &["from", "to"], |given| cuboid::build(given, Some(2))),
    kind("box", &["from", "to"], |given| cuboid::build(given, None)),
    kind("disk", &["center", "radius"], |given| ball::build(given, Some(2))),
    kind("ball", &["center", "radius"], |given| ball::build(given, None)),
    kind("ellipse", &["center", "radii", "[angle]"], affine::ellipse),
    kind("ellipsoid", &["center", "radii"], affine::ellipsoid),
    kind("annulus", &["center", "inner", "outer"], annulus::build),
    kind("polygon", &["points"], polygon::build),
    kind("half-plane", &["point", "normal"], |given| half_space::build(given, Some(2))),
    kind("half-space", &["point", "normal"], |given| half_space::build(given, None)),
    kind("capsule", &["from", "to", "radius"], capsule::build),
    kind("cylinder", &["from", "to", "radius"], extrusion::cylinder),
    kind("cone", &["from", "to", "radius", "[end]"], cone::build),
    kind("torus", &["center", "radius", "tube", "[axis]"], revolution::torus),
    // Under the names that formulas of other programs use.
    kind("circle", &["center", "radius"], |given| ball::build(given, Some(2))),
    kind("sphere", &["center", "radius"], |given| ball::build(given, Some(3))),
];

impl Shape {
    /// A shape of the kind called `kind`, one of [`KINDS`], by its numbers.
    ///
    /// # Errors
    /// Unknown kinds and numbers, missing ones, and those that make no shape.
    pub fn build(kind: &str, numbers: &[(&str, &[f64])]) -> Result<Self, Error> {
        let known = KINDS.iter().find(|known| known.name == kind);
        let kind = known.ok_or_else(|| Error::UnknownKind(kind.into()))?;
        let bare = |key: &&str| key.trim_matches(['[', ']']).to_owned();
        if let Some((key, _)) =
            numbers.iter().find(|(key, _)| !kind.keys.iter().any(|known| bare(known) == *key))
        {
            let known: Vec<_> = kind.keys.iter().map(bare).collect();
            return Err(Error::UnknownNumber {
                kind: kind.name,
                key: (*key).into(),
                known: known.join(", "),
            });
        }
        (kind.build)(&Numbers { kind: kind.name, given: numbers })
    }

    /// The region of space where a formula is not negative; `within` is a box that the formula is looked at in.
    ///
    /// Its wall is traced on a grid of the box, 256 cells a side in the plane and 48 in space, and drawn onto the zero set
    /// by Newton's method; what is smaller than a cell may be missed.
    ///
    /// # Errors
    /// A box that is none, or is not of the plane or of space; a formula that is not finite, or nowhere positive there.
    pub fn formula(level: Arc<dyn Level>, from: &[f64], to: &[f64]) -> Result<Self, Error> {
        formula::build(level, from, to)
    }

    /// The body over a figure of the plane between the heights `from` and `to`.
    ///
    /// # Errors
    /// No figure of the plane; heights that do not rise.
    pub fn extruded(&self, from: f64, to: f64) -> Result<Self, Error> {
        extrusion::build(self, from, to)
    }

    /// The body that a figure of the plane makes when it turns about the second axis, which becomes the third: its first
    /// coordinate is the radius.
    ///
    /// # Errors
    /// No figure of the plane; one on both sides of the axis.
    pub fn revolved(&self) -> Result<Self, Error> {
        revolution::build(self)
    }

    /// The shape moved by `by`.
    ///
    /// # Errors
    /// Numbers of another dimension, or not finite.
    pub fn translated(&self, by: &[f64]) -> Result<Self, Error> {
        affine::translated(self, by)
    }

    /// The shape `factors` times as large along each axis, one factor for all axes or one for each, as seen from `about`.
    ///
    /// # Errors
    /// Factors that are not positive; numbers of another dimension, or not finite.
    pub fn scaled(&self, factors: &[f64], about: &[f64]) -> Result<Self, Error> {
        affine::scaled(self, factors, about)
    }

    /// The shape turned by `angle` about the point `about`, counter-clockwise in the plane; in space about `axis`, as seen
    /// from where it points to.
    ///
    /// # Errors
    /// Other dimensions than two, without an axis, and three, with one; numbers that are not finite.
    pub fn rotated(&self, angle: f64, axis: Option<&[f64]>, about: &[f64]) -> Result<Self, Error> {
        affine::rotated(self, angle, axis, about)
    }

    /// The number of dimensions.
    pub fn dimension(&self) -> usize {
        self.bounds().dimension
    }

    /// A box around it; ends are infinite where it has none.
    pub fn bounds(&self) -> Bounds {
        self.0.bounds()
    }

    /// Positive inside, negative outside, zero on the wall, and nowhere more than the distance to it.
    ///
    /// # Panics
    /// `x` has more numbers than [`MAX_DIMENSION`].
    pub fn level(&self, x: &[f64]) -> f64 {
        self.0.level(&vector(x))
    }

    /// Whether a place is inside or on the wall.
    ///
    /// # Panics
    /// `x` has more numbers than [`MAX_DIMENSION`].
    pub fn contains(&self, x: &[f64]) -> bool {
        self.0.contains(&vector(x))
    }
}

/// The numbers given for a shape.
pub(crate) struct Numbers<'a> {
    kind: &'static str,
    given: &'a [(&'a str, &'a [f64])],
}

impl Numbers<'_> {
    pub(crate) fn bad(&self, key: &'static str, problem: impl Into<String>) -> Error {
        Error::BadNumber { kind: self.kind, key, problem: problem.into() }
    }

    /// All numbers called `key`; they are finite.
    pub(crate) fn all(&self, key: &'static str) -> Result<&[f64], Error> {
        let found = self.given.iter().find(|(known, _)| *known == key);
        let &(_, numbers) = found.ok_or(Error::MissingNumber { kind: self.kind, key })?;
        match numbers.iter().all(|x| x.is_finite()) {
            true => Ok(numbers),
            false => Err(self.bad(key, "is not finite")),
        }
    }

    /// A point of `dimension`, or of any that there can be.
    pub(crate) fn point(&self, key: &'static str, dimension: Option<usize>) -> Result<&[f64], Error> {
        let numbers = self.all(key)?;
        match dimension {
            Some(dimension) if numbers.len() != dimension => {
                Err(self.bad(key, format!("has {} numbers where {dimension} are needed", numbers.len())))
            }
            _ if numbers.is_empty() || numbers.len() > MAX_DIMENSION => {
                Err(self.bad(key, format!("has {} numbers: 1 to {MAX_DIMENSION} can be", numbers.len())))
            }
            _ => Ok(numbers),
        }
    }

    pub(crate) fn number(&self, key: &'static str) -> Result<f64, Error> {
        self.point(key, Some(1)).map(|numbers| numbers[0])
    }

    pub(crate) fn positive(&self, key: &'static str) -> Result<f64, Error> {
        match self.number(key)? {
            x if x > 0.0 => Ok(x),
            x => Err(self.bad(key, format!("is {x}, and has to be positive"))),
        }
    }

    /// A direction; its length does not matter, but there is one.
    pub(crate) fn direction(&self, key: &'static str, dimension: Option<usize>) -> Result<Vector, Error> {
        let given = self.point(key, dimension)?;
        match norm(given) {
            length if length > 0.0 && length.is_finite() => {
                Ok(crate::vector::scaled(1.0 / length, &vector(given)))
            }
            _ => Err(self.bad(key, "has no direction")),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.given.iter().any(|(known, _)| *known == key)
    }
}
