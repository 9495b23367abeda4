//! Regions: shapes by name, combined by a formula.

use std::sync::Arc;

use crate::gate::{Gate, Logic, Sample};
use crate::hole::Hole;
use crate::patch::{Map, Patch};
use crate::shape::Form;
use crate::tree::{self, Tree};
use crate::vector::{Vector, along, norm, scaled, vector};
use crate::wall::{Rule, wall};
use crate::{Bounds, Error, Select, Shape, Wall};

/// Lengths whose squares, and products of squares, are numbers.
const SMALLEST: f64 = 1e-50;
/// A shape that is smaller than this share of its region is no more than a point there.
const POINT: f64 = 1e-7;
/// Of one that is so many times as large as its region hardly a digit is left in it.
const HUGE: f64 = 1e13;

/// Shapes by name.
#[derive(Clone, Default, Debug)]
pub struct Shapes {
    pub(crate) all: Vec<(String, Shape)>,
}

impl Shapes {
    /// Gives `shape` a name, in place of the one that has it.
    pub fn insert(&mut self, name: &str, shape: Shape) {
        match self.all.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = shape,
            None => self.all.push((name.into(), shape)),
        }
    }

    /// The shape called `name`.
    pub fn get(&self, name: &str) -> Option<&Shape> {
        self.all.iter().find(|(known, _)| known == name).map(|(_, shape)| shape)
    }

    /// All names, in the order they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| &name[..])
    }
}

/// A number and how far it may be off.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measure {
    /// The number.
    pub value: f64,
    /// How far it may be off; 0 where there is a closed form.
    pub error: f64,
}

/// Which points are kept where more are inside than asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// The first ones: right for sequences, whose beginnings are evenly spread.
    First,
    /// As many from each part of their row: right for grids.
    Spread,
}

/// Points inside a region.
#[derive(Clone, PartialEq, Debug)]
pub struct Inside {
    /// Row by row.
    pub points: Vec<f64>,
    /// The share of the box that was inside.
    pub acceptance: f64,
}

/// A combination of shapes; closed, and without what is thinner than everything (whiskers, single points).
#[derive(Clone, Debug)]
pub struct Region {
    pub(crate) shapes: Arc<Shapes>,
    pub(crate) tree: Tree,
    /// The numbers of the shapes that the tree has, each once.
    pub(crate) used: Vec<usize>,
    bounds: Bounds,
    /// Those of all shapes: most places are outside of most.
    boxes: Vec<Bounds>,
}

impl Region {
    /// The region that a formula over names of shapes describes: `plate - hole + a & b`, with parentheses.
    ///
    /// # Errors
    /// [`Error::Syntax`], [`Error::UnknownShape`], [`Error::Dimension`], each with its place in the formula, and
    /// [`Error::Empty`] where boxes tell that nothing is left.
    pub fn parse(formula: &str, shapes: &Arc<Shapes>) -> Result<Self, Error> {
        let (mut used, mut spans) = (vec![], vec![]);
        let mut dimension = None;
        let tree = tree::parse(formula, &mut |name, span| {
            let known = shapes.names().position(|known| known == name);
            let i = known.ok_or_else(|| Error::UnknownShape { span: span.clone(), name: name.into() })?;
            let found = shapes.all[i].1.dimension();
            let expected = *dimension.get_or_insert(found);
            if found != expected {
                return Err(Error::Dimension { span, name: name.into(), found, expected });
            }
            if !used.contains(&i) {
                used.push(i);
                spans.push((i, span));
            }
            Ok(i)
        })?;
        used.sort_unstable();
        let bounds = bounds(&tree, shapes);
        if bounds.is_empty() {
            return Err(Error::Empty);
        }
        let whole = bounds.diagonal();
        if whole.is_finite() && !(SMALLEST..=1.0 / SMALLEST).contains(&whole) {
            return Err(Error::Extreme(whole));
        }
        let size = |i: usize| shapes.all[i].1.bounds().diagonal();
        // Half-spaces have no end, and need none.
        let huge = |i: usize| whole.is_finite() && size(i).is_finite() && size(i) > HUGE * whole;
        if let Some((i, span)) = spans.iter().find(|(i, _)| huge(*i)) {
            let (name, size) = (shapes.all[*i].0.clone(), size(*i));
            return Err(Error::Huge { span: span.clone(), name, size, whole });
        }
        if let Some((i, span)) =
            spans.into_iter().find(|(i, _)| whole.is_finite() && size(*i) < POINT * whole)
        {
            return Err(Error::Tiny { span, name: shapes.all[i].0.clone(), size: size(i), whole });
        }
        Ok(Self { shapes: shapes.clone(), tree, used, bounds, boxes: boxes(shapes) })
    }

    /// The region that is one shape, under a name for its wall.
    pub fn of(name: &str, shape: Shape) -> Self {
        let bounds = shape.bounds();
        let shapes = Arc::new(Shapes { all: vec![(name.into(), shape)] });
        let boxes = boxes(&shapes);
        Self { shapes, tree: Tree::Shape(0), used: vec![0], bounds, boxes }
    }

    /// The number of dimensions.
    pub fn dimension(&self) -> usize {
        self.bounds.dimension
    }

    /// A box around it, by the boxes of its shapes; [`tight`](Self::tight) may be smaller.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The names of the shapes it consists of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.used.iter().map(|&i| &self.shapes.all[i].0[..])
    }

    /// Positive inside, negative outside, zero on the wall, and nowhere more than the distance to it.
    ///
    /// # Panics
    /// `x` has more numbers than [`MAX_DIMENSION`](crate::MAX_DIMENSION).
    pub fn level(&self, x: &[f64]) -> f64 {
        self.level_at(&vector(x))
    }

    pub(crate) fn level_at(&self, x: &Vector) -> f64 {
        self.tree.level(&|i| self.shapes.all[i].1.0.level(x))
    }

    /// Whether a place is inside; on the wall rounding decides.
    ///
    /// # Panics
    /// `x` has more numbers than [`MAX_DIMENSION`](crate::MAX_DIMENSION).
    pub fn contains(&self, x: &[f64]) -> bool {
        self.contains_at(&vector(x))
    }

    pub(crate) fn contains_at(&self, x: &Vector) -> bool {
        self.tree.holds(&|i| self.boxes[i].holds(x) && self.shapes.all[i].1.0.contains(x))
    }

    /// A box around it that is about as small as can be, by looking at ever smaller boxes that may hold something.
    ///
    /// # Errors
    /// [`Error::Unbounded`], and [`Error::Empty`] where nothing is found.
    pub fn tight(&self) -> Result<Bounds, Error> {
        let d = self.dimension();
        let mut bounds = self.bounds;
        if !bounds.is_finite() {
            return Err(Error::Unbounded);
        }
        let halvings = (12 / d).max(1);
        for _ in 0..40 {
            let mut found = Bounds::empty(d);
            let mut open = vec![(bounds, 0)];
            while let Some((cell, depth)) = open.pop() {
                let level = self.level_at(&cell.center());
                let radius = 0.5 * cell.diagonal();
                if level < -radius {
                    continue;
                }
                if level > radius || depth == halvings {
                    found = found.union(&cell);
                    continue;
                }
                let center = cell.center();
                open.extend(cell.corners().map(|corner| {
                    let ends = [&corner[..d], &center[..d]];
                    (Bounds::around(d, ends), depth + 1)
                }));
            }
            if found.is_empty() {
                return Err(Error::Empty);
            }
            let shrunk = found.volume() < 0.8 * bounds.volume();
            bounds = found;
            if !shrunk {
                break;
            }
        }
        Ok(bounds)
    }

    /// `count` points inside: those of the unit cube that `draw` gives, put into the tight box, without those outside.
    ///
    /// `draw` is called with how many points of the unit cube it shall give, row by row; if too few of them are inside,
    /// again with more, where a sequence begins from its beginning.
    ///
    /// # Errors
    /// Those of [`tight`](Self::tight), and [`Error::TooSmall`] where too little of the box is inside.
    pub fn interior(
        &self,
        count: usize,
        keep: Keep,
        mut draw: impl FnMut(usize) -> Vec<f64>,
    ) -> Result<Inside, Error> {
        let d = self.dimension();
        let bounds = self.tight()?;
        let most = (2000 * count).clamp(1 << 20, 1 << 30);
        // The share of the box that is inside, roughly, so that the first try is mostly enough.
        let rough = spread(d).take(1024).filter(|unit| self.contains_at(&bounds.at(unit))).count();
        let mut tried = (1.05 * count as f64 * 1024.0 / rough.max(16) as f64).ceil().max(1.0) as usize;
        tried = tried.min(most);
        if count == 0 {
            return Ok(Inside { points: vec![], acceptance: f64::NAN });
        }
        loop {
            let unit = draw(tried);
            let mut inside = vec![];
            for place in unit.chunks_exact(d).map(|unit| bounds.at(unit)).filter(|x| self.contains_at(x)) {
                inside.extend_from_slice(&place[..d]);
            }
            let found = inside.len() / d;
            if found >= count {
                let points = match keep {
                    Keep::First => inside[..count * d].to_vec(),
                    Keep::Spread => (0..count)
                        .map(|k| k * found / count * d)
                        .flat_map(|k| &inside[k..k + d])
                        .copied()
                        .collect(),
                };
                return Ok(Inside { points, acceptance: found as f64 / tried as f64 });
            }
            if tried >= most && found == 0 {
                return Err(Error::Empty);
            }
            if tried >= most {
                return Err(Error::TooSmall { accepted: found, tried });
            }
            // A little more than the share found says, and at first no more than sixteen times as many.
            let needed =
                1.02 * tried as f64 * (count as f64 + 4.0) / (found as f64).max(count as f64 / 16.0).max(1.0);
            tried = (needed.ceil() as usize).clamp(tried + 1, most);
        }
    }

    /// Its length, area or volume: by closed form for a shape that has one, else by Gauss's theorem over its wall, and above
    /// three dimensions by quasi-Monte-Carlo.
    ///
    /// # Errors
    /// Those of [`wall`](Self::wall).
    pub fn measure(&self) -> Result<Measure, Error> {
        if let Tree::Shape(i) = self.tree
            && let Some(value) = self.shapes.all[i].1.0.measure()
        {
            return Ok(Measure { value, error: 0.0 });
        }
        let d = self.dimension();
        if d > 3 {
            return self.counted(1 << 18);
        }
        let wall = self.wall(&Select::default())?;
        let center = self.bounds.center();
        let flux = wall.integral(&mut |spot| {
            (0..d).map(|i| (spot.x[i] - center[i]) * spot.normal[i]).sum::<f64>() / d as f64
        });
        let error = 0.5 * self.bounds.diagonal() / d as f64 * wall.measure().error;
        Ok(Measure { value: flux, error: error.max(1e-12 * flux.abs()) })
    }

    /// Its measure by counting `count` evenly spread points.
    fn counted(&self, count: usize) -> Result<Measure, Error> {
        let bounds = self.tight()?;
        let inside = spread(self.dimension()).take(count).filter(|x| self.contains_at(&bounds.at(x))).count();
        let share = inside as f64 / count as f64;
        let error = 3.0 * bounds.volume() * (share * (1.0 - share) / count as f64).sqrt();
        if inside == 0 { Err(Error::Empty) } else { Ok(Measure { value: share * bounds.volume(), error }) }
    }

    /// The part of the wall that `select` says.
    ///
    /// # Errors
    /// [`Error::Unbounded`], [`Error::BeyondBox`]; [`Error::UnknownShape`] (with an empty span) for a shape that the region
    /// does not have, [`Error::Removed`] where the combination leaves nothing of its wall, [`Error::NoPart`] where it does
    /// but nothing fulfils the rest.
    pub fn wall(&self, select: &Select) -> Result<Wall, Error> {
        wall(&self.shapes.all, &self.used, Rule::Wall(self.tree.clone()), self.bounds, select)
    }

    /// The wall that it shares with `other`, which is on its other side; normals point from here to there.
    ///
    /// # Errors
    /// [`Error::NoInterface`], and those of [`wall`](Self::wall).
    pub fn interface(&self, other: &Self, select: &Select) -> Result<Wall, Error> {
        let mut all = self.shapes.all.clone();
        let (mut used, mut theirs) = (self.used.clone(), other.tree.clone());
        if Arc::ptr_eq(&self.shapes, &other.shapes) {
            used.extend(&other.used);
        } else {
            theirs = theirs.shifted(all.len());
            used.extend(other.used.iter().map(|i| i + all.len()));
            all.extend(other.shapes.all.iter().cloned());
        }
        used.sort_unstable();
        used.dedup();
        let bounds = self.bounds.union(&other.bounds);
        wall(&all, &used, Rule::Between(self.tree.clone(), theirs), bounds, select)
    }

    /// The outward normal at a place on the wall.
    ///
    /// # Errors
    /// [`Error::NotOnWall`] where the place is farther from it than a millionth of the region's size.
    pub fn normal(&self, x: &[f64]) -> Result<Vector, Error> {
        let (d, x, size) = (self.dimension(), vector(x), self.bounds.diagonal());
        let step = 1e-6 * size;
        let gradient: Vector = core::array::from_fn(|i| {
            let mut axis = vector(&[]);
            axis[i] = step;
            if i < d {
                self.level_at(&along(&x, 1.0, &axis)) - self.level_at(&along(&x, -1.0, &axis))
            } else {
                0.0
            }
        });
        let slope = norm(&gradient);
        if self.level_at(&x).abs() > step || slope == 0.0 {
            return Err(Error::NotOnWall { at: x[..d].to_vec() });
        }
        Ok(scaled(-1.0 / slope, &gradient))
    }

    /// A formula over the coordinates `names` that is zero exactly on `wall`, a wall of this region, and positive in the
    /// rest of it, with a largest value of about one.
    ///
    /// `None` where a shape has no closed formula, is used twice, or the formula would be too long; and for a wall that a
    /// predicate has cut.
    pub fn gate(&self, wall: &Wall, names: &[&str]) -> Option<Gate> {
        let logic = self.logic()?;
        let bounds = self.tight().ok()?;
        let sample = |x: Vector| Sample { inside: self.contains_at(&x), x };
        let samples: Vec<_> =
            spread(self.dimension()).take(1 << 14).map(|unit| sample(bounds.at(&unit))).collect();
        crate::gate::gate(&logic, wall, &samples, names)
    }

    /// A formula that is -1 on one side of a sheet and 1 on the other; `None` where the region is none, with two faces that
    /// are most of its wall and lie side by side, or no smooth formula is known.
    pub fn across(&self, names: &[&str]) -> Option<Gate> {
        let logic = self.logic()?;
        let bounds = self.tight().ok()?;
        let inside: Vec<Vector> = spread(self.dimension())
            .take(1 << 15)
            .map(|unit| bounds.at(&unit))
            .filter(|x| self.contains_at(x))
            .collect();
        crate::gate::across(&logic, &self.wall(&Select::default()).ok()?, &inside, names)
    }

    /// What its shapes leave out and it surrounds on all sides, in the plane and in space; of holes that are much longer than
    /// wide, and of several in one shape, nothing is told.
    pub fn holes(&self) -> Vec<Hole> {
        crate::hole::holes(self)
    }

    /// Its shapes' formulas, joined as the region is; faces are numbered by [`face`].
    pub(crate) fn logic(&self) -> Option<Logic> {
        fn joined(tree: &Tree, shapes: &Shapes) -> Option<Logic> {
            let both = |both: &(Tree, Tree)| Some([joined(&both.0, shapes)?, joined(&both.1, shapes)?]);
            Some(match tree {
                Tree::Shape(i) => shapes.all[*i].1.0.gate()?.mapped(&|f| f.clone(), &|own| face(*i, own)),
                Tree::Union(two) => Logic::Or(both(two)?.into()),
                Tree::Intersection(two) => Logic::And(both(two)?.into()),
                Tree::Difference(two) => {
                    let [a, b] = both(two)?;
                    Logic::And(vec![a, Logic::Not(Box::new(b))])
                }
            })
        }
        joined(&self.tree, &self.shapes)
    }
}

fn boxes(shapes: &Shapes) -> Vec<Bounds> {
    // What rounding may have taken from them is given back.
    let size = |bounds: &Bounds| if bounds.is_finite() { bounds.diagonal() } else { 0.0 };
    shapes
        .all
        .iter()
        .map(|(_, shape)| shape.bounds())
        .map(|bounds| bounds.grown(1e-12 * size(&bounds)))
        .collect()
}

/// One number for a face of a shape.
pub(crate) fn face(shape: usize, own: usize) -> usize {
    shape << 40 | own
}

fn bounds(tree: &Tree, shapes: &Shapes) -> Bounds {
    match tree {
        Tree::Shape(i) => shapes.all[*i].1.bounds(),
        Tree::Union(both) => {
            let (a, b) = (bounds(&both.0, shapes), bounds(&both.1, shapes));
            match (a.is_empty(), b.is_empty()) {
                (true, _) => b,
                (_, true) => a,
                _ => a.union(&b),
            }
        }
        Tree::Intersection(both) => bounds(&both.0, shapes).intersection(&bounds(&both.1, shapes)),
        Tree::Difference(both) => bounds(&both.0, shapes),
    }
}

/// Evenly spread points of the unit cube: the additive sequence of the d-th generalized golden ratio (Roberts 2018).
///
/// Points are rows of [`MAX_DIMENSION`](crate::MAX_DIMENSION) numbers, the first `dimension` of which count.
pub fn spread(dimension: usize) -> impl Iterator<Item = [f64; crate::MAX_DIMENSION]> {
    let mut ratio = 2.0_f64;
    for _ in 0..60 {
        ratio = (1.0 + ratio).powf(1.0 / (dimension as f64 + 1.0));
    }
    let steps: [f64; crate::MAX_DIMENSION] = core::array::from_fn(|i| ratio.powi(-(i as i32) - 1));
    (1..).map(move |k: u32| steps.map(|step| (0.5 + f64::from(k) * step).fract()))
}

/// A region as a shape, for bodies over it.
impl Form for Region {
    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn level(&self, x: &Vector) -> f64 {
        self.level_at(x)
    }

    fn contains(&self, x: &Vector) -> bool {
        self.contains_at(x)
    }

    fn wall(&self, _: &Bounds) -> Result<Vec<Patch>, Error> {
        Self::wall(self, &Select::default()).map(Wall::into_patches)
    }

    fn measure(&self) -> Option<f64> {
        Self::measure(self).ok().map(|measure| measure.value)
    }

    fn gate(&self) -> Option<Logic> {
        self.logic()
    }

    fn filled(&self) -> Option<Arc<dyn Map>> {
        match self.tree {
            Tree::Shape(i) => self.shapes.all[i].1.0.filled(),
            _ => None,
        }
    }
}

impl From<Region> for Shape {
    /// A region of the line or the plane as one shape.
    fn from(region: Region) -> Self {
        Self(Arc::new(region))
    }
}
