//! Gates: formulas that vanish exactly on walls, for conditions that shall hold exactly.
//!
//! A shape gives a formula for each of its faces, and how the faces bound it ([`Logic`]).
//! The gate of a wall is the product over its faces.
//! A face's formula is taken as it is where it has one sign in the region, and is then as smooth as it is.
//! Where it vanishes in the region, too, it is trimmed: √(f² + ((√(t² + f⁴) - t)/2)²) is zero only where f = 0 and t ≥ 0
//! (Rvachev and Sheiko 1995; Sukumar and Srivastava 2022), with t from the other faces by R-functions, a ∧ b as
//! a + b - √(a² + b²); its derivatives are singular where both are zero.

use std::collections::{BTreeMap, HashSet};

use crate::symbolic::Symbolic;
use crate::vector::{Vector, distance};
use crate::{Spot, Wall};

/// A longer formula is no help.
const LONGEST: usize = 1 << 15;

/// How faces bound a shape.
#[derive(Clone, Debug)]
pub(crate) enum Logic {
    /// Positive on the inner side of a face, zero on it, negative beyond.
    Factor { f: Symbolic, face: usize },
    /// Inside where all hold.
    And(Vec<Logic>),
    /// Inside where one holds.
    Or(Vec<Logic>),
    /// Inside where it does not hold.
    Not(Box<Logic>),
}

impl Logic {
    /// The same with other formulas and other numbers of faces.
    pub(crate) fn mapped(&self, f: &dyn Fn(&Symbolic) -> Symbolic, face: &dyn Fn(usize) -> usize) -> Self {
        let all = |of: &Vec<Self>| of.iter().map(|part| part.mapped(f, face)).collect();
        match self {
            Self::Factor { f: own, face: number } => Self::Factor { f: f(own), face: face(*number) },
            Self::And(of) => Self::And(all(of)),
            Self::Or(of) => Self::Or(all(of)),
            Self::Not(of) => Self::Not(Box::new(of.mapped(f, face))),
        }
    }

    fn holds(&self, x: &Vector) -> bool {
        match self {
            Self::Factor { f, .. } => f.value(x) >= 0.0,
            Self::And(of) => of.iter().all(|part| part.holds(x)),
            Self::Or(of) => of.iter().any(|part| part.holds(x)),
            Self::Not(of) => !of.holds(x),
        }
    }

    /// Positive inside and zero on the wall, by R-functions; each face's formula as `scaled` gives it.
    fn function(&self, scaled: &dyn Fn(&Symbolic) -> Symbolic) -> Symbolic {
        match self {
            Self::Factor { f, .. } => scaled(f),
            Self::And(of) => both(of.iter().map(|part| part.function(scaled)).collect()),
            Self::Or(of) => -both(of.iter().map(|part| -part.function(scaled)).collect()),
            Self::Not(of) => -of.function(scaled),
        }
    }

    /// Every face's formula, with what has to hold (`true`) or not to hold for the face to be wall.
    fn faces<'a>(&'a self, above: &[(&'a Self, bool)], found: &mut Vec<Face<'a>>) {
        match self {
            Self::Factor { f, face } => found.push(Face { f, number: *face, needs: above.to_vec() }),
            Self::Not(of) => of.faces(above, found),
            Self::And(of) | Self::Or(of) => {
                let holds = matches!(self, Self::And(_));
                for (i, part) in of.iter().enumerate() {
                    let beside =
                        of.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, other)| (other, holds));
                    part.faces(&above.iter().copied().chain(beside).collect::<Vec<_>>(), found);
                }
            }
        }
    }
}

struct Face<'a> {
    f: &'a Symbolic,
    number: usize,
    needs: Vec<(&'a Logic, bool)>,
}

/// Positive where all are: a + b - √(a² + b²), in a balanced tree, for each level doubles the length.
fn both(mut all: Vec<Symbolic>) -> Symbolic {
    if all.len() < 2 {
        return all.pop().unwrap_or(Symbolic::Number(1.0));
    }
    let rest = all.split_off(all.len() / 2);
    let (a, b) = (both(all), both(rest));
    a.clone() + b.clone() - (a.squared() + b.squared()).sqrt()
}

/// A place in the region's box.
pub(crate) struct Sample {
    pub(crate) x: Vector,
    pub(crate) inside: bool,
}

/// A formula that is zero exactly on a wall and positive in the rest of the region, or of that kind.
#[derive(Clone, Debug)]
pub struct Gate {
    /// In the coordinates' names, with `+ - * / ^`, `sqrt` and parentheses.
    pub formula: String,
    /// Places where its derivatives are singular; in space, some of a curve of them.
    pub singular: Vec<Vec<f64>>,
    symbolic: Symbolic,
}

impl Gate {
    /// Its value at `x`.
    pub fn value(&self, x: &[f64]) -> f64 {
        self.symbolic.value(x)
    }
}

/// The gate of `wall`, by places of which some are in the region.
pub(crate) fn gate(logic: &Logic, wall: &Wall, samples: &[Sample], names: &[&str]) -> Option<Gate> {
    if wall.is_partial() || names.len() < wall.dimension() {
        return None;
    }
    // Polygons of many turns may not be what their half-planes say; better no formula than a wrong one.
    if samples.iter().any(|sample| sample.inside != logic.holds(&sample.x)) {
        return None;
    }
    let inside: Vec<&Vector> =
        samples.iter().filter(|sample| sample.inside).map(|sample| &sample.x).collect();
    let largest = |f: &Symbolic| inside.iter().map(|x| f.value(&x[..]).abs()).fold(0.0, f64::max);
    let normalized = |f: &Symbolic| f.clone() * Symbolic::Number(rounded(1.0 / largest(f)));
    let chosen: HashSet<usize> = wall.pieces().iter().map(|piece| piece.face).collect();
    let mut faces = vec![];
    logic.faces(&[], &mut faces);
    let mut product: Option<Symbolic> = None;
    let mut trimmed = vec![];
    for &number in &chosen {
        if faces.iter().filter(|face| face.number == number).count() != 1 {
            return None;
        }
    }
    for Face { f, needs, .. } in faces.iter().filter(|face| chosen.contains(&face.number)) {
        let (least, most) = inside.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| {
            let value = f.value(&x[..]);
            (least.min(value), most.max(value))
        });
        let factor = if least >= 0.0 {
            normalized(f)
        } else if most <= 0.0 {
            normalized(&-(*f).clone())
        } else {
            // What holds in the whole region trims nothing.
            let needed =
                needs.iter().filter(|(logic, holds)| inside.iter().any(|x| logic.holds(x) != *holds));
            let conditions: Vec<_> = needed
                .map(|(logic, holds)| {
                    let function = logic.function(&normalized);
                    if *holds { function } else { -function }
                })
                .collect();
            if conditions.is_empty() {
                return None;
            }
            let (f, t) = (normalized(f), both(conditions));
            let square = f.clone().squared();
            let beyond =
                ((t.clone().squared() + square.clone().squared()).sqrt() - t.clone()) / Symbolic::Number(2.0);
            trimmed.push((f, t));
            normalized(&(square + beyond.squared()).sqrt())
        };
        product = Some(match product {
            Some(product) => product * factor,
            None => factor,
        });
    }
    let symbolic = normalized(&product?);
    let formula = symbolic.text(names);
    let mut singular: Vec<Vec<f64>> = vec![];
    for end in ends(wall) {
        let x = &end.x[..wall.dimension()];
        let at = trimmed.iter().any(|(f, t)| f.value(x).abs() < 1e-9 && t.value(x).abs() < 1e-9);
        if at && singular.iter().all(|known| distance(known, x) > 1e-9) {
            singular.push(x.to_vec());
        }
    }
    (formula.len() <= LONGEST).then_some(Gate { formula, singular, symbolic })
}

/// A formula that is -1 on one face of the wall and 1 on another, which together are most of it; `inside` are places in the
/// region.
pub(crate) fn across(logic: &Logic, wall: &Wall, inside: &[Vector], names: &[&str]) -> Option<Gate> {
    /// The share of the wall that the two are at least, and how much of their sum there is everywhere, of what there is at
    /// most: where it vanished they would meet.
    const MOST: f64 = 0.8;
    const APART: f64 = 0.25;
    if inside.is_empty() || names.len() < wall.dimension() {
        return None;
    }
    let mut sizes: BTreeMap<usize, f64> = BTreeMap::new();
    wall.pieces().iter().for_each(|piece| *sizes.entry(piece.face).or_default() += piece.measure);
    let mut sizes: Vec<(usize, f64)> = sizes.into_iter().collect();
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let [(first, a), (second, b)] = *sizes.get(..2)? else { return None };
    if a + b < MOST * wall.measure().value {
        return None;
    }
    let mut faces = vec![];
    logic.faces(&[], &mut faces);
    // Positive inside, and about one at the most.
    let distance = |number: usize| {
        let mut own = faces.iter().filter(|face| face.number == number);
        let (Some(face), None) = (own.next(), own.next()) else { return None };
        let (least, most) = inside.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| {
            let value = face.f.value(&x[..]);
            (least.min(value), most.max(value))
        });
        match (least >= 0.0, most <= 0.0) {
            (true, _) => Some(face.f.clone() * Symbolic::Number(1.0 / most)),
            (_, true) => Some(face.f.clone() * Symbolic::Number(1.0 / least)),
            _ => None,
        }
    };
    let (from, to) = (distance(first)?, distance(second)?);
    let sum = from.clone() + to.clone();
    let sums = inside.iter().map(|x| sum.value(&x[..]));
    let (least, most) = sums.fold((f64::INFINITY, 0.0_f64), |(least, most), x| (least.min(x), most.max(x)));
    if least < APART * most || least.is_nan() {
        return None;
    }
    let symbolic = (from - to) / sum;
    let formula = symbolic.text(names);
    (formula.len() <= LONGEST).then_some(Gate { formula, singular: vec![], symbolic })
}

/// Three digits are enough for a scale.
fn rounded(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// Where the lines of a wall's pieces end.
fn ends(wall: &Wall) -> Vec<Spot> {
    let mut all = vec![];
    for (k, piece) in wall.pieces().iter().enumerate() {
        let lines: Vec<Option<f64>> = match wall.dimension() {
            2 => vec![None],
            3 => (0..16).map(|i| Some((f64::from(i) + 0.5) / 16.0)).collect(),
            _ => vec![],
        };
        for u in lines {
            for (from, to, _) in wall.spans(piece, u.unwrap_or(0.0)) {
                for t in [from, to] {
                    let place = match u {
                        Some(u) => piece.map().at(&[u, t]),
                        None => piece.map().at(&[t]),
                    };
                    all.push(Spot { x: place.x, normal: place.normal, piece: k });
                }
            }
        }
    }
    all
}
