//! Walls of regions and between them: exactly what is left of the shapes' walls, with points by measure.
//!
//! A patch of a shape's wall is the image of a cube; along the cube's last coordinate, the places where other walls cross it
//! are found to rounding, and between two of them it is wall or is not.
//! In the plane a patch is one such line; in space lines are summed up by Gauss's rule, finer where the sum is not smooth;
//! above, patches that others cut are sampled.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::{Rng, RngExt};

use crate::along::{Integral, changes, crossings, gauss};
use crate::patch::{MIDDLES, Map, Part, Patch, Place};
use crate::region::{Measure, face, spread};
use crate::tree::Tree;
use crate::vector::{Vector, along, distance, scaled};
use crate::{Bounds, Error, Shape};

/// What holds at some places and not at others.
pub type Predicate = Arc<dyn Fn(&[f64]) -> bool + Send + Sync>;

/// Which part of a wall is meant; all of it by default.
#[derive(Clone, Default)]
pub struct Select<'a> {
    /// What is left of this shape's wall, or of those of its parts, whose names begin with its name and a dot.
    pub shape: Option<&'a str>,
    /// Of what a mesh calls so.
    pub label: Option<&'a str>,
    /// Of the patches on which every one of these coordinates has the value given.
    pub on: &'a [(usize, f64)],
    /// Of the places where this holds; what is smaller than a 256th of a patch, or an eighth of a facet of a mesh, may be missed.
    pub part: Option<Predicate>,
}

/// A place on a wall.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spot {
    /// Where.
    pub x: Vector,
    /// Out of the region, or from the first region to the second; of length one.
    pub normal: Vector,
    /// Which piece of the wall it is on.
    pub piece: usize,
}

/// A smooth piece of a wall.
pub struct Piece {
    /// The shape whose wall it is.
    pub shape: String,
    /// What a mesh calls it.
    pub label: Option<Arc<str>>,
    /// Its length or area.
    pub measure: f64,
    /// The shape's number, and one for the face.
    number: usize,
    pub(crate) face: usize,
    patch: Patch,
    extent: Extent,
}

/// How a piece fills its patch.
enum Extent {
    /// Equal volumes of the whole cube are equal measures; the factor turns the normal.
    Even(f64),
    /// All of a curve, by its arc length.
    Curve(Integral),
    /// What other walls leave of a surface with this factor of the normal, by the lengths of its lines.
    Surface(Integral, Others, f64),
    /// What they leave above three dimensions, by rejection.
    Scattered(Others),
}

/// What the other shapes are to a patch: inside or outside all over, or to be looked at.
type Others = Vec<(usize, Option<bool>)>;

/// What makes a place of a shape's wall one of the wall asked for.
#[derive(Clone)]
pub(crate) enum Rule {
    /// One side is inside, the other is not.
    Wall(Tree),
    /// One side is inside the first only, the other inside the second only.
    Between(Tree, Tree),
}

/// A wall: pieces, and all that tells what is left of their patches.
pub struct Wall {
    dimension: usize,
    pieces: Vec<Piece>,
    /// The measure of all pieces before each.
    before: Vec<f64>,
    total: Measure,
    cut: Cut,
}

struct Cut {
    shapes: Vec<Shape>,
    /// Whose walls are asked for.
    wanted: Vec<usize>,
    rule: Rule,
    part: Option<Predicate>,
    size: f64,
}

/// Levels below this share of the region's size are zero along a line.
const ZERO: f64 = 1e-12;
/// A wall closer than this share of the size is at the place itself, and is told from the sides, so far away.
const NEAR: f64 = 1e-9;
const ASIDE: f64 = 1e-6;
/// Where walls coincide over less than this share of a line they only touch, and nothing is taken away.
const TOUCH: f64 = 1e-5;
/// Points keep this share of a piece away from its ends, where there may be corners.
const MARGIN: f64 = 1e-7;
/// Areas of surfaces that others cut are summed up to this share.
const AREA: f64 = 1e-8;

/// Builds the wall of the shapes `used` that fulfils `rule`.
pub(crate) fn wall(
    shapes: &[(String, Shape)],
    used: &[usize],
    rule: Rule,
    bounds: Bounds,
    select: &Select,
) -> Result<Wall, Error> {
    if !bounds.is_finite() {
        return Err(Error::Unbounded);
    }
    let part_of = |i: usize, name: &str| {
        let rest = shapes[i].0.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let wanted: Vec<usize> =
        used.iter().copied().filter(|&i| select.shape.is_none_or(|name| part_of(i, name))).collect();
    if wanted.is_empty() {
        return Err(Error::UnknownShape { span: 0..0, name: select.shape.unwrap_or_default().into() });
    }
    let size = bounds.diagonal();
    let cut = Cut {
        shapes: shapes.iter().map(|(_, shape)| shape.clone()).collect(),
        wanted: wanted.clone(),
        rule,
        part: None,
        size,
    };
    let mut wall = Wall {
        dimension: bounds.dimension,
        pieces: vec![],
        before: vec![],
        total: Measure { value: 0.0, error: 0.0 },
        cut: Cut { part: select.part.clone(), ..cut },
    };
    let mut seen = false;
    let mut labels: BTreeSet<Arc<str>> = BTreeSet::new();
    for &i in &wanted {
        let within = bounds.intersection(&shapes[i].1.bounds());
        if within.is_empty() {
            continue;
        }
        for patch in shapes[i].1.0.wall(&within)? {
            let fits = select.label.is_none_or(|label| patch.label.as_deref() == Some(label))
                && on(&patch, bounds.dimension, select.on, 1e-9 * size);
            if select.label.is_some() {
                labels.extend(patch.label.clone());
            }
            if fits {
                seen = true;
                wall.add(patch, i, &shapes[i].0, used);
            }
        }
    }
    if !wall.pieces.is_empty() {
        return Ok(wall);
    }
    if matches!(wall.cut.rule, Rule::Between(..)) {
        return Err(Error::NoInterface);
    }
    let whole = select.label.is_none() && select.on.is_empty() && select.part.is_none();
    match select.shape {
        Some(name) if whole => Err(Error::Removed { name: name.into() }),
        None if whole => Err(Error::Empty),
        _ if !seen => Err(Error::NoPart(match select.label {
            Some(label) if labels.is_empty() => {
                format!("no part of the wall is called `{label}`: it has no names")
            }
            Some(label) => {
                let known: Vec<&str> = labels.iter().map(|label| &**label).collect();
                format!("no part of the wall is called `{label}`: its parts are {}", known.join(", "))
            }
            None => "no straight piece of the wall lies there".into(),
        })),
        _ => Err(Error::NoPart("the combination leaves nothing of this wall".into())),
    }
}

/// Whether the whole patch lies where the coordinates have these values.
fn on(patch: &Patch, dimension: usize, values: &[(usize, f64)], tolerance: f64) -> bool {
    values.is_empty()
        || probes(dimension).all(|unit| {
            let x = patch.map.at(&unit).x;
            values.iter().all(|&(i, value)| i < dimension && (x[i] - value).abs() <= tolerance)
        })
}

/// Places of the cube of a patch, its corners and middle among them.
fn probes(dimension: usize) -> impl Iterator<Item = [f64; 8]> {
    let side = if dimension <= 3 { 5_usize } else { 3 };
    let free = dimension - 1;
    (0..side.pow(free as u32)).map(move |k| {
        let mut unit = [0.0; 8];
        let mut rest = k;
        for u in &mut unit[..free] {
            *u = (rest % side) as f64 / (side - 1) as f64;
            rest /= side;
        }
        unit
    })
}

impl Wall {
    /// The number of dimensions of space.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Its length or area; in one dimension the number of its points.
    pub fn measure(&self) -> Measure {
        self.total
    }

    /// Its smooth pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// How many coordinates [`at`](Self::at) takes: one less than space has, but for intervals, which take one.
    pub fn coordinates(&self) -> usize {
        (self.dimension - 1).max(1)
    }

    /// The place that belongs to a point of the unit cube; equal volumes go to equal measures, none to a corner.
    ///
    /// So a sampler's points become points of the wall, as evenly spread as they were.
    ///
    /// # Panics
    /// `unit` has less than [`coordinates`](Self::coordinates) numbers.
    pub fn at(&self, unit: &[f64]) -> Spot {
        let target = unit[0].clamp(0.0, 1.0) * self.total.value;
        let k = self.before.partition_point(|&before| before <= target).clamp(1, self.pieces.len()) - 1;
        let piece = &self.pieces[k];
        let inside = |u: f64| if u.is_nan() { 0.5 } else { u.clamp(MARGIN, 1.0 - MARGIN) };
        let mut cube: Vector = core::array::from_fn(|i| inside(unit.get(i).copied().unwrap_or(0.5)));
        cube[0] = inside((target - self.before[k]) / piece.measure);
        let free = self.dimension - 1;
        let place = match &piece.extent {
            Extent::Even(out) => turned(piece.patch.map.at(&cube), *out),
            Extent::Curve(integral) => piece.patch.map.at(&[integral.inverse(cube[0]).0]),
            Extent::Surface(integral, ..) => {
                let (u, middle) = integral.inverse(cube[0]);
                // Beside the wall's last line, the middle of its strip is on it, or was when the strip was measured.
                let near = [u, middle].into_iter().find(|&u| !self.spans(piece, u).is_empty());
                let u = near.unwrap_or_else(|| {
                    let nodes = integral.nodes().map(|(node, _)| node);
                    nodes
                        .filter(|&node| !self.spans(piece, node).is_empty())
                        .min_by(|a, b| (a - u).abs().total_cmp(&(b - u).abs()))
                        .unwrap_or(u)
                });
                on_line(&piece.patch, u, &self.spans(piece, u), cube[1])
            }
            Extent::Scattered(others) => {
                // The point itself, and if it is not on the wall others that follow from it.
                let mut place = self.cut.kept(piece, &cube, others);
                let mut bits = unit.iter().fold(0x9e37_79b9_7f4a_7c15, |hash: u64, u| {
                    (hash ^ u.to_bits()).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31)
                });
                let mut left = 100_000;
                while place.is_none() && left > 0 {
                    for u in &mut cube[..free] {
                        bits = bits
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        *u = (bits >> 11) as f64 / (1_u64 << 53) as f64;
                    }
                    place = self.cut.kept(piece, &cube, others);
                    left -= 1;
                }
                place.unwrap_or_else(|| piece.patch.map.at(&cube))
            }
        };
        Spot { x: place.x, normal: place.normal, piece: k }
    }

    /// `count` places, one in each of as many parts of equal measure; in space, evenly spread across, too.
    pub fn sample(&self, count: usize, rng: &mut impl Rng) -> Vec<Spot> {
        let shift: Vector = core::array::from_fn(|_| rng.random());
        let across = spread(self.coordinates().saturating_sub(1).max(1));
        (0..count)
            .zip(across)
            .map(|(k, across)| {
                let mut unit = [0.0; 8];
                unit[0] = (k as f64 + rng.random::<f64>()) / count as f64;
                (1..8).for_each(|i| unit[i] = (across[i - 1] + shift[i]).fract());
                self.at(&unit)
            })
            .collect()
    }

    /// ∫ f over the wall, by Gauss's rule on each piece; above three dimensions by evenly spread points.
    pub fn integral(&self, f: &mut dyn FnMut(&Spot) -> f64) -> f64 {
        let mut sum = 0.0;
        for (k, piece) in self.pieces.iter().enumerate() {
            let mut add = |place: Place, weight: f64| {
                sum += weight * f(&Spot { x: place.x, normal: place.normal, piece: k });
            };
            let map = &piece.patch.map;
            let panels = |count: usize| {
                (0..count).flat_map(move |k| gauss(k as f64 / count as f64, (k + 1) as f64 / count as f64))
            };
            match &piece.extent {
                Extent::Even(out) if self.dimension == 1 => add(turned(map.at(&[]), *out), 1.0),
                Extent::Even(out) if self.dimension == 2 => {
                    // What is straight asks little of the rule, arcs need digits.
                    let count = if map.kind().flat { 8 } else { 64 };
                    panels(count).for_each(|(t, w)| add(turned(map.at(&[t]), *out), w * piece.measure));
                }
                Extent::Even(out) if self.dimension == 3 => match map.is_facet() {
                    true => {
                        MIDDLES
                            .iter()
                            .for_each(|(unit, w)| add(turned(map.at(unit), *out), w * piece.measure));
                    }
                    false => {
                        for (u, wu) in graded(0.0, 1.0) {
                            for (v, wv) in panels(16) {
                                add(turned(map.at(&[u, v]), *out), wu * wv * piece.measure);
                            }
                        }
                    }
                },
                Extent::Curve(integral) => integral.nodes().for_each(|(t, w)| {
                    let place = map.at(&[t]);
                    add(place, w * place.density);
                }),
                Extent::Surface(integral, ..) => {
                    let count = if map.kind().flat { 4 } else { 16 };
                    let wide = |from: f64, to: f64| {
                        if to - from > 0.05 { graded(from, to) } else { gauss(from, to).into() }
                    };
                    for (u, weight) in integral.ends().flat_map(|(from, to)| wide(from, to)) {
                        for (from, to, out) in self.spans(piece, u) {
                            for (v, w) in
                                panels(count).map(|(v, w)| (from + v * (to - from), w * (to - from)))
                            {
                                let place = map.at(&[u, v]);
                                add(turned(place, out), weight * w * place.density);
                            }
                        }
                    }
                }
                Extent::Even(_) | Extent::Scattered(_) => {
                    let count = 1 << 12;
                    let (from, share) = (self.before[k] / self.total.value, piece.measure / self.total.value);
                    for mut unit in spread(self.dimension - 1).take(count) {
                        unit[0] = from + share * unit[0];
                        let Spot { x, normal, .. } = self.at(&unit);
                        add(Place { x, normal, density: 1.0 }, piece.measure / count as f64);
                    }
                }
            }
        }
        sum
    }

    /// What is left of each patch as lines: for a curve itself; for a surface at `u`.
    pub(crate) fn spans(&self, piece: &Piece, u: f64) -> Vec<(f64, f64, f64)> {
        match &piece.extent {
            Extent::Even(out) => vec![(0.0, 1.0, *out)],
            Extent::Surface(_, others, factor) => {
                let mut spans = self.cut.spans(piece, &[u], others);
                spans.retain(|span| span.2 == *factor);
                spans
            }
            _ => vec![(0.0, 1.0, 1.0)],
        }
    }

    /// Whether a predicate has cut it.
    pub(crate) fn is_partial(&self) -> bool {
        self.cut.part.is_some() || matches!(self.cut.rule, Rule::Between(..))
    }

    pub(crate) fn into_patches(self) -> Vec<Patch> {
        self.pieces.into_iter().map(|piece| Patch { face: piece.face, ..piece.patch }).collect()
    }

    /// Adds what is left of a patch of shape `i`.
    fn add(&mut self, patch: Patch, i: usize, name: &str, used: &[usize]) {
        let free = self.dimension - 1;
        let others = self.cut.others(&patch, i, used, self.dimension);
        let mut piece = Piece {
            shape: name.into(),
            label: patch.label.clone(),
            measure: 0.0,
            number: i,
            face: face(i, patch.face),
            patch,
            extent: Extent::Even(1.0),
        };
        let holds = self.cut.holds_on_facet(&piece.patch, self.dimension);
        if holds == Some(false) {
            return;
        }
        let whole = self.cut.part.is_none() || holds == Some(true);
        let untouched =
            piece.patch.trim.is_none() && whole && others.iter().all(|(_, state)| state.is_some());
        if untouched || free == 0 {
            // A skew place: walls coincide there only if they do everywhere.
            let cube: Vector = core::array::from_fn(|k| 0.436_7 + 0.041 * k as f64);
            let place = piece.patch.map.at(&cube);
            let Some(out) = self.cut.side(i, &place, &others) else { return };
            if self.cut.part.as_ref().is_some_and(|part| !part(&place.x[..self.dimension])) {
                return;
            }
            if piece.patch.map.kind().even || free > 2 {
                piece.extent = Extent::Even(out);
                piece.measure = place.density;
                return self.push(piece, 0.0);
            }
            if piece.patch.map.is_facet() && free == 2 {
                // A facet so small that its density hardly varies.
                piece.extent = Extent::Even(out);
                piece.measure = MIDDLES.iter().map(|(unit, w)| w * piece.patch.map.at(unit).density).sum();
                let error = 1e-5 * piece.measure;
                return self.push(piece, error);
            }
        }
        match free {
            1 => {
                for (from, to, out) in self.cut.spans(&piece, &[], &others) {
                    let whole = Part { curve: piece.patch.map.clone(), from, to, out };
                    let patch = piece.patch.mapped(whole, None);
                    let (extent, measure, error) = if patch.map.kind().even {
                        (Extent::Even(1.0), patch.map.at(&[0.5]).density, 0.0)
                    } else {
                        let mut density = |t: f64| patch.map.at(&[t]).density;
                        let integral =
                            Integral::new(&mut density, &[0.0, 0.5, 1.0], patch.map.precision(), 500);
                        let (total, error) = (integral.total, integral.error);
                        (Extent::Curve(integral), total, error)
                    };
                    let Piece { shape, label, number, face, .. } = &piece;
                    let (shape, label) = (shape.clone(), label.clone());
                    self.push(
                        Piece { shape, label, measure, number: *number, face: *face, patch, extent },
                        error,
                    );
                }
            }
            2 => {
                let cuts = self.cut.strips(&piece.patch, &others);
                // Where one part of it bounds the region from inside and another from outside, it is two pieces.
                let mut turned = false;
                for factor in [1.0, -1.0] {
                    if factor < 0.0 && !turned {
                        break;
                    }
                    let mut line = |u: f64| {
                        let spans = self.cut.spans(&piece, &[u], &others);
                        turned |= spans.iter().any(|span| span.2 < 0.0);
                        let own = spans.iter().filter(|span| span.2 == factor);
                        own.map(|&(from, to, _)| line_mass(&piece.patch, u, from, to)).sum()
                    };
                    let integral = Integral::new(&mut line, &cuts, AREA, 100);
                    let Piece { shape, label, number, face, patch, .. } = &piece;
                    let (measure, error) = (integral.total, integral.error);
                    let (shape, label, patch) = (shape.clone(), label.clone(), patch.clone());
                    let extent = Extent::Surface(integral, others.clone(), factor);
                    self.push(
                        Piece { shape, label, measure, number: *number, face: *face, patch, extent },
                        error,
                    );
                }
            }
            _ => {
                let count = 1 << 14;
                let kept =
                    spread(free).take(count).filter(|cube| self.cut.kept(&piece, cube, &others).is_some());
                let share = kept.count() as f64 / count as f64;
                let whole = piece.patch.map.at(&[0.5; 8]).density;
                piece.measure = share * whole;
                piece.extent = Extent::Scattered(others);
                self.push(piece, 3.0 * whole * (share * (1.0 - share) / count as f64).sqrt());
            }
        }
    }

    fn push(&mut self, piece: Piece, error: f64) {
        if piece.measure > 0.0 {
            self.before.push(self.total.value);
            self.total.value += piece.measure;
            self.total.error += error;
            self.pieces.push(piece);
        }
    }
}

impl Piece {
    /// Is it a whole triangle, over which [`facet_rule`](crate::facet_rule) integrates?
    pub fn is_facet(&self) -> bool {
        matches!(self.extent, Extent::Even(_)) && self.patch.map.is_facet()
    }

    /// Its map, for those who draw it.
    pub(crate) fn map(&self) -> &dyn Map {
        &*self.patch.map
    }
}

impl Cut {
    /// What the other shapes are to a patch of shape `i`.
    fn others(&self, patch: &Patch, i: usize, used: &[usize], dimension: usize) -> Others {
        let center = patch.map.at(&[0.5; 8]).x;
        let far = probes(dimension).map(|unit| distance(&patch.map.at(&unit).x, &center));
        let radius = 1.2 * far.fold(0.0, f64::max) + NEAR * self.size;
        let state = |j: usize| {
            let level = self.shapes[j].0.level(&center);
            (level.abs() > radius).then_some(level > 0.0)
        };
        used.iter().filter(|&&j| j != i).map(|&j| (j, state(j))).collect()
    }

    /// 1 where the place is wall with the normal of the shape `i`, -1 where with the opposite one.
    fn side(&self, i: usize, place: &Place, others: &Others) -> Option<f64> {
        let mut double = false;
        let sides: Vec<(usize, bool, bool)> = others
            .iter()
            .map(|&(j, state)| {
                if let Some(inside) = state {
                    return (j, inside, inside);
                }
                let level = |s: f64| self.shapes[j].0.level(&along(&place.x, s * self.size, &place.normal));
                let here = level(0.0);
                if here.abs() > NEAR * self.size {
                    return (j, here > 0.0, here > 0.0);
                }
                // Its wall is here, too: the first of the shapes has it.
                let (inner, outer) = (level(-ASIDE) > 0.0, level(ASIDE) > 0.0);
                double |= j < i && inner != outer && self.wanted.contains(&j);
                (j, inner, outer)
            })
            .collect();
        if double {
            return None;
        }
        let state = |tree: &Tree, inner: bool| {
            tree.holds(&|j| {
                let known = sides.iter().find(|side| side.0 == j);
                known.map_or(inner, |side| if inner { side.1 } else { side.2 })
            })
        };
        match &self.rule {
            Rule::Wall(tree) => match (state(tree, true), state(tree, false)) {
                (true, false) => Some(1.0),
                (false, true) => Some(-1.0),
                _ => None,
            },
            Rule::Between(a, b) => {
                let [a_in, a_out, b_in, b_out] =
                    [state(a, true), state(a, false), state(b, true), state(b, false)];
                match (a_in && !b_in, b_out && !a_out, b_in && !a_in, a_out && !b_out) {
                    (true, true, _, _) => Some(1.0),
                    (_, _, true, true) => Some(-1.0),
                    _ => None,
                }
            }
        }
    }

    /// What is left of the line of a patch at `base`: from, to, and the factor of the normal.
    fn spans(&self, piece: &Piece, base: &[f64], others: &Others) -> Vec<(f64, f64, f64)> {
        let map = &piece.patch.map;
        let cube = |t: f64| {
            let mut cube = [0.0; 8];
            cube[..base.len()].copy_from_slice(base);
            cube[base.len()] = t;
            cube
        };
        let place = |t: f64| map.at(&cube(t)).x;
        let starts = if map.kind().straight { 1 } else { 16 };
        let tolerance = ZERO * self.size;
        let mut breaks = vec![0.0, 1.0];
        for &(j, _) in others.iter().filter(|(_, state)| state.is_none()) {
            crossings(&place, &|x| self.shapes[j].0.level(x), starts, tolerance, &mut breaks);
        }
        if let Some(trim) = &piece.patch.trim {
            crossings(&place, &**trim, starts, tolerance, &mut breaks);
        }
        if let Some(part) = &self.part {
            let dimension = self.shapes[piece.number].dimension();
            changes(&|t| part(&place(t)[..dimension]), &mut breaks);
        }
        breaks.sort_by(f64::total_cmp);
        let mut spans: Vec<(f64, f64, f64)> = vec![];
        // The last stretch where walls only touch.
        let (mut from, mut touched) = (f64::NAN, f64::NEG_INFINITY);
        for ends in breaks.windows(2).filter(|ends| ends[1] - ends[0] > 1e-12) {
            let middle = 0.5 * (ends[0] + ends[1]);
            let Some(kept) = self.kept_sign(piece, &cube(middle), others) else {
                let x = place(middle);
                let coincide = |j: usize| self.shapes[j].0.level(&x).abs() <= tolerance;
                if ends[1] - ends[0] < TOUCH
                    && others.iter().any(|&(j, state)| state.is_none() && coincide(j))
                {
                    (from, touched) = (ends[0], ends[1]);
                }
                continue;
            };
            let start = if touched == ends[0] { from } else { ends[0] };
            match spans.last_mut() {
                Some(last) if last.1 >= start - 1e-12 && last.2 == kept => last.1 = ends[1],
                _ => {
                    spans.push((
                        if from == 0.0 && touched == ends[0] { 0.0 } else { ends[0] },
                        ends[1],
                        kept,
                    ));
                }
            }
        }
        if let Some(last) = spans.last_mut().filter(|last| touched == 1.0 && last.1 == from) {
            last.1 = 1.0;
        }
        spans
    }

    /// The factor of the normal at a point of a patch, if it is on the wall.
    fn kept_sign(&self, piece: &Piece, cube: &[f64], others: &Others) -> Option<f64> {
        let place = piece.patch.map.at(cube);
        let dimension = self.shapes[piece.number].dimension();
        if piece.patch.trim.as_ref().is_some_and(|trim| trim(&place.x) <= 0.0)
            || self.part.as_ref().is_some_and(|part| !part(&place.x[..dimension]))
        {
            return None;
        }
        self.side(piece.number, &place, others)
    }

    fn kept(&self, piece: &Piece, cube: &[f64], others: &Others) -> Option<Place> {
        Some(turned(piece.patch.map.at(cube), self.kept_sign(piece, cube, others)?))
    }

    /// Does the predicate hold on all of a facet of a mesh, or on none of it? A facet is small, and looked at in 64 places.
    fn holds_on_facet(&self, patch: &Patch, dimension: usize) -> Option<bool> {
        let part = self.part.as_ref().filter(|_| patch.map.is_facet())?;
        let holds = |k: usize| {
            let share = |k: usize| (k as f64 + 0.5) / 8.0;
            part(&patch.map.at(&[share(k % 8), share(k / 8)]).x[..dimension])
        };
        let first = holds(0);
        (1..64).all(|k| holds(k) == first).then_some(first)
    }

    /// Where the lines of a surface are to be looked at closely: cuts of its first coordinate, so that what is a thousandth
    /// of the surface lies between two of them.
    fn strips(&self, patch: &Patch, others: &Others) -> Vec<f64> {
        type Level<'a> = Box<dyn Fn(&Vector) -> f64 + 'a>;
        const FINEST: usize = 10;
        let mut marked = [false; 1 << FINEST];
        let mut levels: Vec<Level> = vec![];
        for &(j, _) in others.iter().filter(|(_, state)| state.is_none()) {
            levels.push(Box::new(move |x| self.shapes[j].0.level(x)));
        }
        if let Some(trim) = &patch.trim {
            levels.push(Box::new(move |x| trim(x)));
        }
        let mut open: Vec<(usize, usize, usize)> =
            (0..64).map(|k| (k % 8, k / 8, 3)).filter(|_| !levels.is_empty()).collect();
        while let Some((a, b, depth)) = open.pop() {
            let side = 1.0 / (1 << depth) as f64;
            let place = |u: f64, v: f64| patch.map.at(&[(a as f64 + u) * side, (b as f64 + v) * side]).x;
            let center = place(0.5, 0.5);
            let corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)].map(|(u, v)| place(u, v));
            let radius = 1.1 * corners.iter().map(|corner| distance(corner, &center)).fold(0.0, f64::max);
            let unclear = levels.iter().any(|level| {
                let zero = |x: &Vector| level(x).abs() <= ZERO * self.size;
                level(&center).abs() <= radius && !(zero(&center) && corners.iter().all(zero))
            });
            if !unclear {
                continue;
            }
            if depth == FINEST {
                marked[a] = true;
            } else if !marked[a << (FINEST - depth)..(a + 1) << (FINEST - depth)].iter().all(|&marked| marked)
            {
                open.extend((0..4).map(|k| (2 * a + k % 2, 2 * b + k / 2, depth + 1)));
            }
        }
        let fine = 1 << FINEST;
        let border = |k: usize| k > 0 && k < fine && marked[k] != marked[k - 1];
        let coarse = if patch.map.is_facet() { fine } else { fine / 4 };
        (0..=fine)
            .filter(|&k| k.is_multiple_of(coarse) || border(k))
            .map(|k| k as f64 / fine as f64)
            .collect()
    }
}

/// Places and weights between `from` and `to` that are close together at both ends, where integrands may be like roots.
fn graded(from: f64, to: f64) -> Vec<(f64, f64)> {
    const PANELS: usize = 24;
    let panel = |k: usize| gauss(k as f64 / PANELS as f64, (k + 1) as f64 / PANELS as f64);
    let place = |(s, w): (f64, f64)| {
        (from + (to - from) * s * s * (3.0 - 2.0 * s), (to - from) * w * 6.0 * s * (1.0 - s))
    };
    (0..PANELS).flat_map(panel).map(place).collect()
}

fn turned(place: Place, out: f64) -> Place {
    Place { normal: scaled(out, &place.normal), ..place }
}

/// The measure of a line of a surface between two places, for a unit of its first coordinate.
fn line_mass(patch: &Patch, u: f64, from: f64, to: f64) -> f64 {
    if patch.map.kind().even {
        return (to - from) * patch.map.at(&[u, 0.5 * (from + to)]).density;
    }
    line(patch, u, from, to).total
}

fn line(patch: &Patch, u: f64, from: f64, to: f64) -> Integral {
    let middle = 0.5 * (from + to);
    Integral::new(
        &mut |v| patch.map.at(&[u, v]).density,
        &[from, middle, to],
        patch.map.precision().max(1e-10),
        30,
    )
}

/// The place on a line's spans below which lies `share` of their measure.
fn on_line(patch: &Patch, u: f64, spans: &[(f64, f64, f64)], share: f64) -> Place {
    let masses: Vec<f64> = spans.iter().map(|&(from, to, _)| line_mass(patch, u, from, to)).collect();
    let mut rest = share * masses.iter().sum::<f64>();
    let last = spans.len().saturating_sub(1);
    for (k, (&(from, to, out), &mass)) in spans.iter().zip(&masses).enumerate() {
        if rest <= mass || k == last {
            let share = if mass > 0.0 { (rest / mass).clamp(MARGIN, 1.0 - MARGIN) } else { 0.5 };
            let v = if patch.map.kind().even {
                (1.0 - share) * from + share * to
            } else {
                line(patch, u, from, to).inverse(share).0
            };
            return turned(patch.map.at(&[u, v]), out);
        }
        rest -= mass;
    }
    patch.map.at(&[u, 0.5])
}
