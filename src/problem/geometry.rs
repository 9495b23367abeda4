//! Space that is no box: a domain made of shapes, bodies that are parts of it, and walls.
//!
//! It knows the package of regions, and which coordinates are those of space; all others multiply what is here, but for
//! time, with which shapes may move: what depends on it is built for the time that is asked for.
//! It does not know conditions, samplers, or how anything was written in a file.

use core::cell::{LazyCell, RefCell};
use core::f64::consts::PI;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use regions::Hole;
use regions::{
    Error, Keep, MAX_DIMENSION, Outline, Predicate, Region, Select, Spot, Vector, Wall, facet_rule, spread,
};

use super::making::{Stock, Wrong};
use crate::expr::{Digits, Nodes, gauss_legendre, lattice, product};

/// Points that have to be found in a body before anything is drawn from it.
const TRIED: usize = 256;
/// Places of a wall that are asked for one opposite to them.
const OPPOSITE: usize = 256;

/// The domain of a problem with shapes.
#[derive(Clone)]
pub struct Geometry {
    /// The shapes' names and their tables, as problem files write them.
    pub written: Vec<(String, String)>,
    /// The whole domain.
    pub domain: Body,
    shapes: Arc<Stock>,
    /// The components of the normal, as formulas name them: one for each coordinate of space.
    normal: Vec<String>,
}

/// A part of space that has a volume.
#[derive(Clone)]
pub struct Body {
    /// Its formula over names of shapes.
    pub written: String,
    /// As it is at first.
    region: Arc<Region>,
    /// As it is at any time, if it moves.
    moving: Option<Arc<Moving<Region>>>,
    /// A small box around it at all times, along each coordinate of space.
    bounds: Vec<(f64, f64)>,
    /// See [`Body::widths`], which are computed where they are asked for.
    widths: Arc<OnceLock<Vec<f64>>>,
    /// Which coordinates are those of space.
    axes: Vec<usize>,
}

/// A wall, or a part of one.
#[derive(Clone)]
pub struct Boundary {
    /// As places are written: `wall of hole`.
    pub written: String,
    /// As it is at first.
    wall: Arc<Wall>,
    /// As it is at any time, if it moves.
    moving: Option<Arc<Moving<Wall>>>,
    /// Its length or area, where it moves the mean over time.
    measure: f64,
    axes: Vec<usize>,
    normal: Vec<String>,
}

/// What depends on time, kept for the time that was asked for last.
struct Moving<T> {
    /// Which coordinate is time.
    time: usize,
    build: Box<dyn Fn(f64) -> Result<T, Error> + Send + Sync>,
    last: Mutex<Option<(u64, Arc<T>)>>,
}

impl<T> Moving<T> {
    fn new(time: usize, build: impl Fn(f64) -> Result<T, Error> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { time, build: Box::new(build), last: Mutex::default() })
    }

    /// As it is at the time of a row of coordinates; `None` where it is not there.
    fn at(&self, row: &[f64]) -> Option<Arc<T>> {
        let t = row[self.time];
        // What another thread left half done is not in it.
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = lock().as_ref().filter(|(bits, _)| *bits == t.to_bits()) {
            return Some(known.clone());
        }
        let found = Arc::new((self.build)(t).ok()?);
        *lock() = Some((t.to_bits(), found.clone()));
        Some(found)
    }
}

impl Geometry {
    /// The domain `formula` over `shapes`, which come with their tables as files write them.
    ///
    /// `names` are all coordinates; those in `space` can be of space, of which it takes as many as the shapes have
    /// dimensions.
    ///
    /// # Errors
    ///
    /// What is wrong with the formula; a region that is empty, has no end, or is too thin to draw points from, at any time.
    pub(super) fn new(
        shapes: Arc<Stock>,
        written: Vec<(String, String)>,
        formula: &str,
        names: &[&str],
        space: &[usize],
    ) -> Result<Self, Wrong> {
        let region = Region::parse(formula, &shapes.first)?;
        let axes: Vec<usize> = space.iter().copied().take(region.dimension()).collect();
        let normal = axes.iter().map(|&i| format!("n_{}", names[i])).collect();
        let domain = Body::new(formula, region, axes, &shapes)?;
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
        self.shapes.first.names()
    }

    /// The part of space that a formula over names of shapes is.
    ///
    /// # Errors
    ///
    /// A shape cannot be made, or what a name or an operator asks for is not there.
    pub fn body(&self, formula: &str) -> Result<Body, Wrong> {
        let region = Region::parse(formula, &self.shapes.first)?;
        Body::new(formula, region, self.domain.axes.clone(), &self.shapes)
    }

    /// Does any of the domain's shapes move?
    pub fn moves(&self) -> bool {
        self.domain.moving.is_some()
    }

    /// The part of the domain's wall that `choice` says, called `written`.
    ///
    /// # Errors
    ///
    /// If there is no such wall, or none at some time.
    pub fn wall(&self, written: &str, choice: Choice) -> Result<Boundary, Wrong> {
        let domain = self.domain.clone();
        self.boundary(written, self.moves(), move |t| domain.region_at(t)?.wall(&choice.select()))
    }

    /// The wall between two bodies, with normals from `a` to `b`, called `written`.
    ///
    /// # Errors
    ///
    /// If they have none in common, or none at some time.
    pub fn interface(&self, written: &str, a: &Body, b: &Body, choice: Choice) -> Result<Boundary, Wrong> {
        let (a, b) = (a.clone(), b.clone());
        let moves = a.moving.is_some() || b.moving.is_some();
        self.boundary(written, moves, move |t| a.region_at(t)?.interface(&*b.region_at(t)?, &choice.select()))
    }

    /// The straight walls at both ends of coordinate `k` of space, one of which is the other moved from the first end to the
    /// second.
    ///
    /// # Errors
    ///
    /// Why there are none, for a sentence.
    pub fn opposite(&self, k: usize, name: &str, ends: [f64; 2]) -> Result<Vec<Boundary>, String> {
        let at = |end: f64| {
            let choice = Choice { on: vec![(k, end)], ..Choice::default() };
            let written = format!("wall where {name} = {}", Digits(end));
            self.wall(&written, choice)
                .map_err(|_| format!("no straight wall lies at {name} = {}", Digits(end)))
        };
        let walls = [at(ends[0])?, at(ends[1])?];
        let moments = if self.moves() { self.shapes.moments() } else { vec![f64::NAN] };
        let size: f64 = self.domain.bounds.iter().map(|(lower, upper)| upper - lower).sum();
        // What lies opposite to a place of a wall is wall where a step inwards from there leads into the domain.
        let step = 1e-7 * size * (ends[1] - ends[0]).signum();
        for &t in &moments {
            let region = self.domain.region_at(t).map_err(|error| error.to_string())?;
            let built = |wall: &Boundary| wall.wall_at(t).map_err(|error| error.to_string());
            let found = [built(&walls[0])?, built(&walls[1])?];
            let when = if self.moves() { format!(" at the time {}", Digits(t)) } else { String::new() };
            for (wall, (from, to), inwards) in
                [(&found[0], (ends[0], ends[1]), -step), (&found[1], (ends[1], ends[0]), step)]
            {
                for unit in spread(wall.coordinates()).take(OPPOSITE) {
                    let mut x = wall.at(&unit[..wall.coordinates()]).x;
                    x[k] = to + inwards;
                    if region.contains(&x[..region.dimension()]) {
                        continue;
                    }
                    x[k] = from;
                    let x: Vec<String> = x[..region.dimension()]
                        .iter()
                        .map(|&x| Digits(Digits::four(x)).to_string())
                        .collect();
                    return Err(format!(
                        "the walls at {name} = {} and {name} = {} are not alike{when}: ({}) has none opposite",
                        Digits(ends[0]),
                        Digits(ends[1]),
                        x.join(", ")
                    ));
                }
            }
            let [lower, upper] = found.map(|wall| wall.measure().value);
            if (lower - upper).abs() > 1e-6 * lower.max(upper) {
                return Err(format!(
                    "the walls at {name} = {} and {name} = {} are not alike{when}: they measure {} and {}",
                    Digits(ends[0]),
                    Digits(ends[1]),
                    Digits(Digits::four(lower)),
                    Digits(Digits::four(upper))
                ));
            }
        }
        Ok(walls.into())
    }

    /// A formula over `names`, the coordinates of space, that vanishes on a wall of the domain and is positive in the rest of
    /// it, about one at the most; or why there is none that is smooth.
    ///
    /// # Errors
    ///
    /// Why there is none, for a sentence.
    pub fn gate(&self, wall: &Boundary, names: &[&str]) -> Result<String, String> {
        if self.moves() {
            return Err("the domain moves, and no factor is known that moves with it".to_owned());
        }
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
        let total = self.domain.region.wall(&Select::default()).map_or(1.0, |wall| wall.measure().value);
        let of_shape = |name: &str| {
            let choice = Choice { shape: Some(name.to_owned()), ..Choice::default() };
            let wall = self.wall(&format!("wall of {name}"), choice).ok()?;
            let spots = wall.spots(((count as f64 * wall.measure() / total) as usize).max(8));
            Some((name.to_owned(), wall, spots))
        };
        self.domain.region.names().filter_map(of_shape).collect()
    }

    /// The wall that `build` gives at a time.
    fn boundary(
        &self,
        written: &str,
        moves: bool,
        build: impl Fn(f64) -> Result<Wall, Error> + Send + Sync + 'static,
    ) -> Result<Boundary, Wrong> {
        let wall = build(self.shapes.start()).map_err(|error| self.shapes.wrong(moves, error))?;
        let mut measure = wall.measure().value;
        let mut moving = None;
        if let (true, Some((time, _))) = (moves, self.shapes.time) {
            let moments = self.shapes.moments();
            let at = |&t: &f64| match build(t) {
                Ok(wall) => Ok(wall.measure().value),
                Err(error) => Err(Wrong { error, time: Some(t) }),
            };
            let measures = moments.iter().map(at).collect::<Result<Vec<f64>, _>>()?;
            measure = measures.iter().sum::<f64>() / measures.len() as f64;
            moving = Some(Moving::new(time, build));
        }
        Ok(Boundary {
            written: written.to_owned(),
            wall: Arc::new(wall),
            moving,
            measure,
            axes: self.domain.axes.clone(),
            normal: self.normal.clone(),
        })
    }
}

/// Which part of a wall is meant; all of it by default.
#[derive(Clone, Default)]
pub struct Choice {
    /// What is left of this shape's wall.
    pub shape: Option<String>,
    /// Of what a mesh calls so.
    pub label: Option<String>,
    /// Of the straight pieces on which coordinates of space, by number among these, have a value.
    pub on: Vec<(usize, f64)>,
    /// Of the places where this holds.
    pub part: Option<Predicate>,
}

impl Choice {
    fn select(&self) -> Select<'_> {
        let Self { shape, label, on, part } = self;
        Select { shape: shape.as_deref(), label: label.as_deref(), on, part: part.clone() }
    }
}

impl Body {
    fn new(formula: &str, region: Region, axes: Vec<usize>, shapes: &Arc<Stock>) -> Result<Self, Wrong> {
        let d = region.dimension();
        let unit = |count: usize| spread(d).take(count).flat_map(|unit| unit.into_iter().take(d)).collect();
        let looked_at = |region: &Region| {
            region.interior(TRIED, Keep::First, unit)?;
            let tight = region.tight()?;
            Ok((0..d).map(|k| (tight.lower[k], tight.upper[k])).collect::<Vec<(f64, f64)>>())
        };
        let moves = shapes.moves(&region);
        let mut bounds = looked_at(&region).map_err(|error| shapes.wrong(moves, error))?;
        let mut moving = None;
        if let (true, Some((time, _))) = (moves, shapes.time) {
            let (stock, written) = (shapes.clone(), formula.to_owned());
            let build = move |t: f64| Region::parse(&written, &stock.at(t)?);
            // Between two moments it may go on as far as it went from one to the other.
            let (mut before, mut steps) = (bounds.clone(), vec![(0.0_f64, 0.0_f64); d]);
            for t in shapes.moments() {
                let wrong = |error| Wrong { error, time: Some(t) };
                let now = looked_at(&build(t).map_err(wrong)?).map_err(wrong)?;
                for (k, all) in bounds.iter_mut().enumerate() {
                    *all = (all.0.min(now[k].0), all.1.max(now[k].1));
                    let moved = ((now[k].0 - before[k].0).abs(), (now[k].1 - before[k].1).abs());
                    steps[k] = (steps[k].0.max(moved.0), steps[k].1.max(moved.1));
                }
                before = now;
            }
            for ((lower, upper), step) in bounds.iter_mut().zip(steps) {
                (*lower, *upper) = (*lower - step.0, *upper + step.1);
            }
            moving = Some(Moving::new(time, build));
        }
        let (written, region, widths) = (formula.to_owned(), Arc::new(region), Arc::default());
        Ok(Self { written, region, moving, bounds, widths, axes })
    }

    /// As it is at the time of a row of coordinates; `None` where it is not there.
    fn at(&self, row: &[f64]) -> Option<Arc<Region>> {
        match &self.moving {
            None => Some(self.region.clone()),
            Some(moving) => moving.at(row),
        }
    }

    fn region_at(&self, t: f64) -> Result<Arc<Region>, Error> {
        match &self.moving {
            None => Ok(self.region.clone()),
            Some(moving) => (moving.build)(t).map(Arc::new),
        }
    }

    /// As its formula was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Which coordinate is the time with which it moves; `None` where it stands still.
    pub fn moves_with(&self) -> Option<usize> {
        self.moving.as_ref().map(|moving| moving.time)
    }

    /// Does a row of coordinates lie in it? On its wall rounding decides.
    pub fn contains(&self, row: &[f64]) -> bool {
        self.at(row).is_some_and(|region| region.contains(&in_space(&self.axes, row)[..self.axes.len()]))
    }

    /// How far a row of coordinates is from its wall at least, negative outside.
    pub fn depth(&self, row: &[f64]) -> f64 {
        let level = |region: Arc<Region>| region.level(&in_space(&self.axes, row)[..self.axes.len()]);
        self.at(row).map_or(f64::NEG_INFINITY, level)
    }

    /// Does a row of coordinates lie in it, or so close to its wall that rounding may have put it outside?
    ///
    /// Where walls of shapes coincide, the level is zero on both sides, so that a place on a wall has to have some of the body
    /// beside it.
    pub fn touches(&self, row: &[f64]) -> bool {
        let d = self.axes.len();
        let x = in_space(&self.axes, row);
        let size: f64 = self.bounds.iter().map(|(lower, upper)| upper - lower).sum();
        let Some(region) = self.at(row) else { return false };
        let level = region.level(&x[..d]);
        if level.abs() > 1e-9 * size {
            return level > 0.0;
        }
        // All around it: along axes and between them.
        (0..3_usize.pow(d as u32)).any(|direction| {
            let mut beside = x;
            for (k, x) in beside.iter_mut().enumerate().take(d) {
                *x += 1e-7 * size * ((direction / 3_usize.pow(k as u32) % 3) as f64 - 1.0);
            }
            region.level(&beside[..d]) > 1e-9 * size
        })
    }

    /// Which coordinates are those of space, each with the ends of a small box around the body.
    pub fn bounds(&self) -> impl Iterator<Item = (usize, (f64, f64))> + '_ {
        self.axes.iter().copied().zip(self.bounds.iter().copied())
    }

    /// Which coordinates are those of space, and how far its wall reaches along each; the box's ends above three dimensions,
    /// and where it moves.
    pub(super) fn extent(&self) -> Vec<(usize, (f64, f64))> {
        if self.moving.is_some() {
            return self.bounds().collect();
        }
        let lines = self.region.wall(&Select::default()).map_or(vec![], |wall| wall.outline(64));
        let points: Vec<Vec<f64>> = lines.into_iter().flat_map(|line| line.points).collect();
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

    /// The first of space's coordinates.
    pub fn first(&self) -> usize {
        self.axes[0]
    }

    /// In the plane, parts of the first coordinate between which lines across change in kind, if all of it lies in `bounds`; of
    /// what moves none are known.
    pub(crate) fn panels_of(&self, bounds: &[(f64, f64)]) -> Option<Vec<(f64, f64)>> {
        let whole = bounds[self.first()] == self.bounds[0];
        (self.axes.len() == 2 && whole && self.moving.is_none()).then(|| self.panels())
    }

    /// Between which values of the [last](Self::last) coordinate a line through a row of coordinates is inside.
    ///
    /// No wall is closer than the level says, so steps of its size miss none; a ten-thousandth of the line is gone at least.
    pub fn spans(&self, row: &[f64]) -> Vec<(f64, f64)> {
        let k = self.axes.len() - 1;
        let (lower, upper) = self.bounds[k];
        let mut x = in_space(&self.axes, row);
        let Some(region) = self.at(row) else { return vec![] };
        let mut at = |value: f64| {
            x[k] = value;
            region.level(&x[..=k])
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

    /// Nodes in it, by its coordinates of space, and their weights; of what moves, at first.
    ///
    /// Along a line, and in the plane along lines across it, by Gauss and Legendre's rule, `nodes` on each; the lines stand
    /// between corners, tangents and where holes begin, closer near these by a cosine, so that the roots with which lengths of
    /// lines begin there cost nothing. In space the lines stand at a lattice's points, `nodes` in all, and weights add up to
    /// the volume.
    pub(crate) fn rule(&self, nodes: Nodes) -> Vec<(Vec<f64>, f64)> {
        const ON_LINE: usize = 6;
        let d = self.axes.len();
        let (mut row, mut all) = (self.row(), vec![]);
        let mut on_line = |across: &[f64], rule: &[(f64, f64)], share: f64| {
            self.axes.iter().zip(across).for_each(|(&i, &x)| row[i] = x);
            for (from, to) in self.spans(&row) {
                let node = |&(u, weight): &(f64, f64)| {
                    ([across, &[from + (to - from) * u]].concat(), share * weight * (to - from))
                };
                all.extend(rule.iter().map(node));
            }
        };
        match d {
            1 => on_line(&[], &gauss_legendre(nodes.or(32)), 1.0),
            2 => {
                let panels = self.panels();
                let rule = gauss_legendre(nodes.or((40 / panels.len()).clamp(8, 20)));
                for (from, to) in panels {
                    for &(u, weight) in &rule {
                        let (sin, cos) = (PI * u).sin_cos();
                        let half = 0.5 * (to - from);
                        on_line(&[from + half * (1.0 - cos)], &rule, weight * half * PI * sin);
                    }
                }
            }
            _ => {
                let rule = gauss_legendre(ON_LINE);
                for (unit, weight) in lattice(d - 1, (nodes.or(2000) / ON_LINE).max(1)) {
                    let at = |(u, (lower, upper)): (f64, &(f64, f64))| lower + (upper - lower) * u;
                    let across: Vec<f64> = unit.into_iter().zip(&self.bounds).map(at).collect();
                    on_line(&across, &rule, weight);
                }
                let total: f64 = all.iter().map(|(_, weight)| weight).sum();
                let factor = self.measure() / total;
                if factor.is_finite() {
                    all.iter_mut().for_each(|(_, weight)| *weight *= factor);
                }
            }
        }
        all
    }

    /// A row of coordinates that reaches as far as those of space.
    fn row(&self) -> Vec<f64> {
        vec![0.0; self.axes.iter().max().map_or(0, |last| last + 1)]
    }

    /// In the plane, the parts of the first coordinate between which lines across change in kind: corners of the wall, ends of
    /// its pieces, and where the number of lines inside changes.
    fn panels(&self) -> Vec<(f64, f64)> {
        const SCANNED: usize = 256;
        let (lower, upper) = self.bounds[0];
        let row = RefCell::new(self.row());
        let inside = |x: f64| {
            row.borrow_mut()[self.axes[0]] = x;
            self.spans(&row.borrow())
        };
        let count = |x: f64| inside(x).len();
        let mut ends: Vec<f64> = match self.region.wall(&Select::default()) {
            Ok(wall) => {
                let total = wall.measure().value;
                let mut before = 0.0;
                let piece = |piece: &regions::Piece| {
                    let from = before / total;
                    before += piece.measure;
                    // Just within it.
                    [from + 1e-9, before / total - 1e-9].map(|u| wall.at(&[u]).x[0])
                };
                wall.pieces().iter().flat_map(piece).collect()
            }
            Err(_) => vec![],
        };
        let at = |k: usize| lower + (upper - lower) * (k as f64 + 0.5) / SCANNED as f64;
        let mut before = (lower, 0);
        for next in (0..SCANNED).map(at).chain([upper]) {
            let found = if next == upper { 0 } else { count(next) };
            if found != before.1 {
                let (mut low, mut high) = (before.0, next);
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    if count(middle) == before.1 { low = middle } else { high = middle }
                }
                ends.push(0.5 * (low + high));
            }
            before = (next, found);
        }
        ends.sort_by(f64::total_cmp);
        // What is closer than this is one end.
        let apart = 1e-6 * (upper - lower);
        ends.dedup_by(|a, b| *a - *b < apart);
        let length = |x: f64| inside(x).iter().map(|(from, to)| to - from).sum::<f64>();
        ends.iter_mut().for_each(|end| *end = jump(length, *end, apart).unwrap_or(*end));
        ends.windows(2).map(|ends| (ends[0], ends[1])).filter(|&(a, b)| count(0.5 * (a + b)) > 0).collect()
    }

    /// Length, area or volume; of what moves, at first.
    pub fn measure(&self) -> f64 {
        self.region.measure().map_or(f64::NAN, |measure| measure.value)
    }

    /// Along each coordinate of space the mean length of lines inside: the volume over the area that is seen from there.
    ///
    /// A sheet that is bent is as thick as it is, however large its box; what moves is looked at as it is at first.
    /// Where a wall cannot be measured, and above three dimensions, the box's sides.
    pub fn widths(&self) -> &[f64] {
        self.widths.get_or_init(|| {
            let d = self.axes.len();
            let wall = self.region.wall(&Select::default()).ok().filter(|_| d <= 3);
            let width = |(k, (lower, upper)): (usize, &(f64, f64))| {
                let seen = |wall: &Wall| 0.5 * wall.integral(&mut |spot| spot.normal[k].abs());
                let width = wall.as_ref().map_or(f64::NAN, |wall| self.measure() / seen(wall));
                if width.is_finite() { width.min(upper - lower) } else { upper - lower }
            };
            self.bounds.iter().enumerate().map(width).collect()
        })
    }

    /// A formula over `names`, the coordinates of space, that goes from −1 on one side of a sheet to 1 on the other; `None`
    /// where it is none, or no smooth formula is known.
    pub fn across(&self, names: &[&str]) -> Option<String> {
        if self.moving.is_some() {
            return None;
        }
        self.region.across(names).map(|gate| gate.formula)
    }

    /// What it surrounds on all sides and leaves out; nothing is told of what moves.
    pub fn holes(&self) -> Vec<Hole> {
        if self.moving.is_some() { vec![] } else { self.region.holes() }
    }

    /// All of its wall as lines, in space as triangles, at the time of a row of coordinates.
    pub fn outline(&self, fineness: usize, row: &[f64]) -> Vec<Outline> {
        let wall = self.at(row).and_then(|region| region.wall(&Select::default()).ok());
        wall.map_or(vec![], |wall| wall.outline(fineness))
    }
}

/// Where `f` jumps, within `reach` of `x`; `None` if it does not.
fn jump(f: impl Fn(f64) -> f64, x: f64, reach: f64) -> Option<f64> {
    /// Of so short a way, a length that begins like a root has grown by no more than this part of a jump that counts.
    const STEEP: f64 = 0.01;
    let (mut low, mut high) = (x - reach, x + reach);
    let (mut below, mut above) = (f(low), f(high));
    let whole = (above - below).abs();
    if whole < reach.sqrt() {
        return None;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let at = f(middle);
        if (at - below).abs() > (above - at).abs() {
            (high, above) = (middle, at);
        } else {
            (low, below) = (middle, at);
        }
    }
    ((above - below).abs() > STEEP * whole).then_some(0.5 * (low + high))
}

impl Boundary {
    /// Length or area, where it moves the mean over time; along a line the number of its points.
    pub fn measure(&self) -> f64 {
        self.measure
    }

    /// Places of it, `count` in a row, each with its normal; of what moves, at first.
    pub fn spots(&self, count: usize) -> Vec<Spot> {
        let spot = |k: usize| {
            let mut unit = [0.5; MAX_DIMENSION];
            unit[0] = (k as f64 + 0.5) / count as f64;
            self.wall.at(&unit[..self.wall.coordinates()])
        };
        (0..count).map(spot).collect()
    }

    /// Length or area at the time of a row of coordinates.
    pub fn measure_at(&self, row: &[f64]) -> f64 {
        self.at(row).map_or(0.0, |wall| wall.measure().value)
    }

    /// Are there so many pieces in space that they share an integral's nodes?
    pub(crate) fn shares_nodes(&self) -> bool {
        const MOST_PIECES: usize = 6;
        self.wall.dimension() > 2 && self.wall.pieces().len() > MOST_PIECES
    }

    /// Nodes on it, each its place and the normal there, and their weights; of what moves, at first.
    ///
    /// On every smooth piece by products of Gauss and Legendre's rule, `nodes` along each direction. Where a body's wall has
    /// many pieces, they share `nodes`: triangles take the middles of the sides of equal parts, exact for squares of
    /// coordinates, or their centroids alone; where there are too few for each piece, they are a lattice's points.
    pub(crate) fn rule(&self, nodes: Nodes) -> Vec<(Vec<f64>, f64)> {
        const SHARED: usize = 2000;
        let (d, total) = (self.wall.dimension(), self.wall.measure().value);
        let mut all = vec![];
        let mut add = |unit: &[f64], weight: f64| {
            let Spot { x, normal, .. } = self.wall.at(unit);
            all.push(([&x[..d], &normal[..d]].concat(), weight));
        };
        let pieces = self.wall.pieces();
        let many = self.shares_nodes().then(|| nodes.asked.unwrap_or(SHARED) / pieces.len());
        if many == Some(0) {
            lattice(self.wall.coordinates(), nodes.or(SHARED))
                .iter()
                .for_each(|(unit, weight)| add(unit, total * weight));
            return all;
        }
        // Along each direction, of so many on a piece; more of them are more, however few they are.
        let along = |count: usize| {
            let least = usize::from(nodes.times > 1.0);
            ((count.isqrt() as f64 * nodes.times) as usize).max(least)
        };
        let facet = LazyCell::new(|| {
            let rule = facet_rule(many.map_or_else(|| nodes.or(16).div_ceil(2), |many| along(many / 3)));
            rule.into_iter().map(|(unit, weight)| (unit.to_vec(), weight)).collect::<Vec<_>>()
        });
        let mut before = 0.0;
        for piece in pieces {
            let share = piece.measure / total;
            let count = match (d, many) {
                // Points of a line have no extent.
                (1, _) => 1,
                (2, _) => nodes.or(((48.0 * share).ceil() as usize).max(12)),
                (_, None) => nodes.or(16),
                (_, Some(many)) => along(many).max(1),
            };
            let rule = match piece.is_facet() {
                true => facet.clone(),
                false => product(self.wall.coordinates(), count),
            };
            for (mut unit, weight) in rule {
                unit[0] = before + share * unit[0];
                add(&unit, piece.measure * weight);
            }
            before += share;
        }
        all
    }

    /// As it is at the time of a row of coordinates; `None` where it is not there.
    fn at(&self, row: &[f64]) -> Option<Arc<Wall>> {
        match &self.moving {
            None => Some(self.wall.clone()),
            Some(moving) => moving.at(row),
        }
    }

    /// Which part of it is part of another wall of the same domain too, as far as places tell; at first, of what moves.
    pub fn shared_with(&self, other: &Self) -> f64 {
        let d = self.axes.len();
        if d > 3 {
            return 0.0;
        }
        let spots = |wall: &Wall, count: usize| -> Vec<Spot> {
            spread(wall.coordinates()).take(count).map(|unit| wall.at(&unit[..wall.coordinates()])).collect()
        };
        let (own, others) = (spots(&self.wall, 100), spots(&other.wall, 4000));
        let each = other.wall.measure().value / others.len() as f64;
        // In one dimension walls are points.
        let apart = [1e-9, 4.0 * each, 3.0 * each.sqrt()][d - 1];
        let is_one = |a: &Spot, b: &Spot| {
            let square = (0..d).map(|k| (a.x[k] - b.x[k]).powi(2)).sum::<f64>();
            // Sides of a sheet are two.
            square <= apart * apart && (0..d).map(|k| a.normal[k] * b.normal[k]).sum::<f64>() > 0.5
        };
        let shared = own.iter().filter(|a| others.iter().any(|b| is_one(a, b))).count();
        shared as f64 / own.len() as f64
    }

    fn wall_at(&self, t: f64) -> Result<Arc<Wall>, Error> {
        match &self.moving {
            None => Ok(self.wall.clone()),
            Some(moving) => (moving.build)(t).map(Arc::new),
        }
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
    /// returns the normal, or nothing where the wall is not there at the row's time.
    pub(super) fn settle(&self, row: &mut [f64]) -> Option<Vector> {
        let Spot { x, normal, .. } = self.at(row)?.at(&in_space(&self.axes, row)[..self.wall.coordinates()]);
        for (k, &i) in self.axes.iter().enumerate() {
            row[i] = x[k];
        }
        Some(normal)
    }

    /// Its pieces as lines, in space as triangles; of what moves, at first.
    pub fn outline(&self, fineness: usize) -> Vec<Outline> {
        self.wall.outline(fineness)
    }

    /// The parts of the unit cube's first direction that its pieces take, each smooth; all of it where they change.
    pub(crate) fn pieces(&self) -> Vec<(f64, f64)> {
        if self.moving.is_some() {
            return vec![(0.0, 1.0)];
        }
        let total = self.measure;
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
