//! Space that is no box: a domain made of shapes, bodies that are parts of it, and walls.
//!
//! It knows the package of regions, and which coordinates are those of space; all others multiply what is here.
//! It does not know conditions, samplers, or how anything was written in a file.

use std::fmt;
use std::sync::Arc;

use regions::{Error, Keep, MAX_DIMENSION, Outline, Region, Select, Shapes, Spot, Vector, Wall};

/// Points that have to be found in a body before anything is drawn from it.
const TRIED: usize = 256;

/// The domain of a problem with shapes.
#[derive(Clone)]
pub struct Geometry {
    /// The shapes' names and their tables, as problem files write them.
    pub written: Vec<(String, String)>,
    /// The whole domain.
    pub domain: Body,
    shapes: Arc<Shapes>,
    /// The components of the normal, as formulas name them: one for each coordinate of space.
    normal: Vec<String>,
}

/// A part of space that has a volume.
#[derive(Clone)]
pub struct Body {
    /// Its formula over names of shapes.
    pub written: String,
    region: Arc<Region>,
    /// A small box around it, along each coordinate of space.
    bounds: Vec<(f64, f64)>,
    /// Which coordinates are those of space.
    axes: Vec<usize>,
}

/// A wall, or a part of one.
#[derive(Clone)]
pub struct Boundary {
    /// As places are written: `wall of hole`.
    pub written: String,
    wall: Arc<Wall>,
    axes: Vec<usize>,
    normal: Vec<String>,
}

impl Geometry {
    /// The domain `formula` over `shapes`, which come with their tables as files write them.
    ///
    /// `names` are all coordinates; those in `space` can be of space, of which it takes as many as the shapes have
    /// dimensions.
    ///
    /// # Errors
    ///
    /// What is wrong with the formula; a region that is empty, has no end, or is too thin to draw points from.
    pub fn new(
        shapes: Arc<Shapes>,
        written: Vec<(String, String)>,
        formula: &str,
        names: &[&str],
        space: &[usize],
    ) -> Result<Self, Error> {
        let region = Region::parse(formula, &shapes)?;
        let axes: Vec<usize> = space.iter().copied().take(region.dimension()).collect();
        let normal = axes.iter().map(|&i| format!("n_{}", names[i])).collect();
        let domain = Body::new(formula, region, axes)?;
        Ok(Self { written, domain, shapes, normal })
    }

    /// How many dimensions its space has.
    pub fn dimension(&self) -> usize {
        self.domain.region.dimension()
    }

    /// Names of the normal's components.
    pub fn normal(&self) -> &[String] {
        &self.normal
    }

    /// Names of all shapes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shapes.names()
    }

    /// The part of space that a formula over names of shapes is.
    ///
    /// # Errors
    ///
    /// As for [`Geometry::new`].
    pub fn body(&self, formula: &str) -> Result<Body, Error> {
        Body::new(formula, Region::parse(formula, &self.shapes)?, self.domain.axes.clone())
    }

    /// The part of the domain's wall that `select` says, called `written`.
    ///
    /// # Errors
    ///
    /// If there is no such wall.
    pub fn wall(&self, written: &str, select: &Select<'_>) -> Result<Boundary, Error> {
        Ok(self.boundary(written, self.domain.region.wall(select)?))
    }

    /// The wall between two bodies, with normals from `a` to `b`, called `written`.
    ///
    /// # Errors
    ///
    /// If they have none in common.
    pub fn interface(
        &self,
        written: &str,
        a: &Body,
        b: &Body,
        select: &Select<'_>,
    ) -> Result<Boundary, Error> {
        Ok(self.boundary(written, a.region.interface(&b.region, select)?))
    }

    /// A formula over `names`, the coordinates of space, that vanishes on a wall of the domain and is positive in the rest of
    /// it, about one at the most; or why there is none that is smooth.
    ///
    /// # Errors
    ///
    /// Why there is none, for a sentence.
    pub fn gate(&self, wall: &Boundary, names: &[&str]) -> Result<String, String> {
        let none = || format!("no smooth factor is known that vanishes on `{}` alone", wall.written);
        let gate = self.domain.region.gate(&wall.wall, names).ok_or_else(none)?;
        match gate.singular.first() {
            None => Ok(gate.formula),
            Some(corner) => {
                let corner: Vec<String> =
                    corner.iter().map(|x| format!("{}", (x * 1e6).round() / 1e6)).collect();
                Err(format!(
                    "a factor that vanishes there has no derivatives at the corner ({})",
                    corner.join(", ")
                ))
            }
        }
    }

    /// Of every shape whose wall is wall of the domain: its name, the wall, and places of it, about `count` on all walls.
    pub fn walls(&self, count: usize) -> Vec<(String, Boundary, Vec<Spot>)> {
        let total = self.domain.region.wall(&Select::default()).map_or(0.0, |wall| wall.measure().value);
        let of_shape = |name: &str| {
            let wall = self
                .wall(&format!("wall of {name}"), &Select { shape: Some(name), ..Select::default() })
                .ok()?;
            let coordinates = wall.wall.coordinates();
            let count = ((count as f64 * wall.measure() / total) as usize).max(8);
            let spot = |k: usize| {
                let mut unit = [0.5; MAX_DIMENSION];
                unit[0] = (k as f64 + 0.5) / count as f64;
                wall.wall.at(&unit[..coordinates])
            };
            let spots = (0..count).map(spot).collect();
            Some((name.to_owned(), wall, spots))
        };
        self.domain.region.names().filter_map(of_shape).collect()
    }

    fn boundary(&self, written: &str, wall: Wall) -> Boundary {
        Boundary {
            written: written.to_owned(),
            wall: Arc::new(wall),
            axes: self.domain.axes.clone(),
            normal: self.normal.clone(),
        }
    }
}

impl Body {
    fn new(formula: &str, region: Region, axes: Vec<usize>) -> Result<Self, Error> {
        let d = region.dimension();
        // Evenly spread: the additive sequence of a generalized golden ratio (Roberts 2018).
        let ratio = (0..60).fold(2.0_f64, |ratio, _| (1.0 + ratio).powf(1.0 / (d as f64 + 1.0)));
        let unit = |count: usize| {
            let row =
                |k: usize| (1..=d).map(move |i| ((k + 1) as f64 * ratio.powi(-(i as i32)) + 0.5).fract());
            (0..count).flat_map(row).collect()
        };
        region.interior(TRIED, Keep::First, unit)?;
        let tight = region.tight()?;
        let bounds = (0..d).map(|k| (tight.lower[k], tight.upper[k])).collect();
        Ok(Self { written: formula.to_owned(), region: Arc::new(region), bounds, axes })
    }

    /// Does a row of coordinates lie in it? On its wall rounding decides.
    pub fn contains(&self, row: &[f64]) -> bool {
        self.region.contains(&in_space(&self.axes, row)[..self.axes.len()])
    }

    /// Does a row of coordinates lie in it, or so close to its wall that rounding may have put it outside?
    ///
    /// Where walls of shapes coincide, the level is zero on both sides, so that a place on a wall has to have some of the body
    /// beside it.
    pub fn touches(&self, row: &[f64]) -> bool {
        let d = self.axes.len();
        let x = in_space(&self.axes, row);
        let size: f64 = self.bounds.iter().map(|(lower, upper)| upper - lower).sum();
        let level = self.region.level(&x[..d]);
        if level.abs() > 1e-9 * size {
            return level > 0.0;
        }
        // All around it: along axes and between them.
        (0..3_usize.pow(d as u32)).any(|direction| {
            let mut beside = x;
            for (k, x) in beside.iter_mut().enumerate().take(d) {
                *x += 1e-7 * size * ((direction / 3_usize.pow(k as u32) % 3) as f64 - 1.0);
            }
            self.region.level(&beside[..d]) > 1e-9 * size
        })
    }

    /// Which coordinates are those of space, each with the ends of a small box around the body.
    pub fn bounds(&self) -> impl Iterator<Item = (usize, (f64, f64))> + '_ {
        self.axes.iter().copied().zip(self.bounds.iter().copied())
    }

    /// Which coordinates are those of space, and how far its wall reaches along each; the box's ends above three dimensions.
    pub(super) fn extent(&self) -> Vec<(usize, (f64, f64))> {
        let points: Vec<Vec<f64>> = self.outline(64).into_iter().flat_map(|line| line.points).collect();
        let reach = |k: usize| {
            let along = || points.iter().map(|point| point[k]);
            (along().fold(f64::INFINITY, f64::min), along().fold(f64::NEG_INFINITY, f64::max))
        };
        let ends = |(k, (i, bounds))| (i, if points.is_empty() { bounds } else { reach(k) });
        self.bounds().enumerate().map(ends).collect()
    }

    /// A box with the ends given for all coordinates, drawn in to what is needed around the body.
    pub(super) fn narrowed(&self, mut bounds: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        for (i, ends) in self.bounds() {
            bounds[i] = ends;
        }
        bounds
    }

    /// Along which of space's coordinates [`Body::spans`] cuts.
    pub fn last(&self) -> usize {
        self.axes[self.axes.len() - 1]
    }

    /// Between which values of the [last](Self::last) coordinate a line through a row of coordinates is inside.
    ///
    /// No wall is closer than the level says, so steps of its size miss none; a ten-thousandth of the line is gone at least.
    pub fn spans(&self, row: &[f64]) -> Vec<(f64, f64)> {
        let k = self.axes.len() - 1;
        let (lower, upper) = self.bounds[k];
        let mut x = in_space(&self.axes, row);
        let mut at = |value: f64| {
            x[k] = value;
            self.region.level(&x[..=k])
        };
        let least = 1e-4 * (upper - lower);
        let (mut spans, mut begin) = (vec![], None);
        let (mut before, mut level) = (lower, at(lower));
        if level > 0.0 {
            begin = Some(lower);
        }
        while before < upper {
            let next = (before + level.abs().max(least)).min(upper);
            let found = at(next);
            if (found > 0.0) != begin.is_some() {
                let (mut low, mut high) = (before, next);
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    let ahead = (at(middle) > 0.0) == (found > 0.0);
                    if ahead { high = middle } else { low = middle }
                }
                match begin.take() {
                    Some(begin) => spans.push((begin, low)),
                    None => begin = Some(high),
                }
            }
            (before, level) = (next, found);
        }
        spans.extend(begin.map(|begin| (begin, upper)));
        spans
    }

    /// Length, area or volume.
    pub fn measure(&self) -> f64 {
        self.region.measure().map_or(f64::NAN, |measure| measure.value)
    }

    /// All of its wall as lines, in space as triangles.
    pub fn outline(&self, fineness: usize) -> Vec<Outline> {
        self.region.wall(&Select::default()).map_or(vec![], |wall| wall.outline(fineness))
    }
}

impl Boundary {
    /// Length or area; along a line the number of its points.
    pub fn measure(&self) -> f64 {
        self.wall.measure().value
    }

    /// The points of a wall along a line; `None` where it has an extent.
    pub fn isolated(&self) -> Option<usize> {
        (self.wall.dimension() == 1).then(|| self.wall.pieces().len())
    }

    /// Names of the normal's components.
    pub fn normal(&self) -> &[String] {
        &self.normal
    }

    /// A box for all coordinates whose points [`Boundary::settle`] moves onto the wall; others keep the ends given.
    pub(super) fn unit(&self, mut bounds: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        for (k, &i) in self.axes.iter().enumerate() {
            bounds[i] = if k < self.wall.coordinates() { (0.0, 1.0) } else { (0.0, 0.0) };
        }
        bounds
    }

    /// Moves a row of coordinates onto the wall, where the first of those of space are numbers from 0 to 1 that say where;
    /// returns the normal.
    pub(super) fn settle(&self, row: &mut [f64]) -> Vector {
        let Spot { x, normal, .. } = self.wall.at(&in_space(&self.axes, row)[..self.wall.coordinates()]);
        for (k, &i) in self.axes.iter().enumerate() {
            row[i] = x[k];
        }
        normal
    }

    /// Its pieces as lines, in space as triangles.
    pub fn outline(&self, fineness: usize) -> Vec<Outline> {
        self.wall.outline(fineness)
    }

    /// The parts of the unit cube's first direction that its pieces take, each smooth.
    pub(crate) fn pieces(&self) -> Vec<(f64, f64)> {
        let total = self.measure();
        let mut before = 0.0;
        let piece = |piece: &regions::Piece| {
            let from = before;
            before += piece.measure;
            (from / total, before / total)
        };
        self.wall.pieces().iter().map(piece).collect()
    }

    /// Which coordinates are those of space.
    pub fn axes(&self) -> &[usize] {
        &self.axes
    }
}

/// The coordinates of space in a row of all.
fn in_space(axes: &[usize], row: &[f64]) -> [f64; MAX_DIMENSION] {
    let mut x = [0.0; MAX_DIMENSION];
    axes.iter().zip(&mut x).for_each(|(&i, x)| *x = row[i]);
    x
}

// Within one problem, whose shapes say what the names mean, what is written says all.

impl PartialEq for Geometry {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.domain == other.domain
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, &self.axes) == (&other.written, &other.axes)
    }
}

impl PartialEq for Boundary {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, &self.axes) == (&other.written, &other.axes)
    }
}

impl fmt::Debug for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geometry").field("domain", &self.domain).field("shapes", &self.written).finish()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.written).finish()
    }
}

impl fmt::Debug for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Boundary").field(&self.written).finish()
    }
}
