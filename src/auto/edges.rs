//! What an answer is like at corners and edges where it is not smooth, as formulas that a network may see.
//!
//! Close to a corner an answer of an equation with the Laplacian is a sum of powers of the distance r times waves of the
//! angle (Kondrat'ev 1967; Grisvard 1985): the least power is π/ω where the answer, or its flux, is given on both sides of a
//! corner with the angle ω inside, and π/(2ω) where it is the answer on one and the flux on the other.
//! Where that is no whole number, or where a flux does not fit a value at a right angle, which asks for r·ln r, derivatives
//! have no bound, and no sum of smooth functions is near.
//!
//! It knows problems, and walls as lines and triangles; it does not know what becomes of the formulas.

use core::f64::consts::PI;

use super::exact::{Unfit, second_along, unfit};
use crate::expr::Digits;
use crate::problem::{Body, Condition, Problem};

/// Corners and edges that have formulas of their own, those with the least powers.
const MOST: usize = 16;
/// Angles are told apart to this.
const ANGLE: f64 = 0.02;
/// Places are one that are so near, relative to the domain's box; and how far aside it is looked whether one lies inside.
const SAME: f64 = 1e-6;
const ASIDE: f64 = 1e-4;
/// Places of a cut of the angle, none of which may lie in the domain.
const PLACES: usize = 400;
/// Lines that an arc is looked at as, so short that they go along it.
const FINENESS: usize = 4096;
/// By how much, relative to the radius, the corners of an edge that goes round may lie off a circle.
const ROUND: f64 = 1e-3;

/// What a wall's condition is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The value, held by the loss.
    Value,
    /// The derivative along the normal, with the value or without.
    Flux,
}

/// For every corner and edge that has one a function of the coordinates `axes` of the domain that is what an answer is like
/// there, of size one.
///
/// `plain` is the problem as the file states it.
/// There is none where unknowns are linked, where the equation has other derivatives of second order than the Laplacian's,
/// and where a value holds exactly: what vanishes on the wall as the factor does is not to be had as such a factor times
/// something bounded.
pub(super) fn at_edges(plain: &Problem, problem: &Problem, domain: &Body, axes: &[usize]) -> Vec<String> {
    if problem.unknowns.len() != 1 || domain.moves_with().is_some() || second_along(plain, axes).is_none() {
        return vec![];
    }
    let seen = Seen::new(problem, domain, axes);
    let walls: Vec<(Kind, &Condition)> = plain
        .conditions
        .iter()
        .zip(&problem.conditions)
        .filter_map(|(plain, condition)| Some((kind(plain, condition)?, condition)))
        .collect();
    let mut found = match axes.len() {
        2 => corners(&seen, &walls),
        3 => rims(&seen, &walls),
        _ => vec![],
    };
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().take(MOST).map(|(_, formula)| formula).collect()
}

/// What the condition `plain` is about; `decided` is what has become of it.
fn kind(plain: &Condition, decided: &Condition) -> Option<Kind> {
    if plain.place.walls().is_empty() || plain.residuals.roots.len() != 1 {
        return None;
    }
    let jets = plain.residuals.graph.jets(&plain.residuals.roots);
    match jets.iter().map(|(_, index)| index.order()).max()? {
        0 => (!decided.is_exact()).then_some(Kind::Value),
        1 => Some(Kind::Flux),
        _ => None,
    }
}

/// The domain as formulas and places see it.
struct Seen<'a> {
    domain: &'a Body,
    axes: &'a [usize],
    names: Vec<&'a str>,
    /// A row of all coordinates.
    row: Vec<f64>,
    /// The diagonal of the domain's box.
    size: f64,
}

impl<'a> Seen<'a> {
    fn new(problem: &'a Problem, domain: &'a Body, axes: &'a [usize]) -> Self {
        Self {
            domain,
            axes,
            names: axes.iter().map(|&i| &problem.coordinates[i].name[..]).collect(),
            row: problem.coordinates.iter().map(|coordinate| coordinate.lower).collect(),
            size: domain.bounds().map(|(_, (low, high))| (high - low).powi(2)).sum::<f64>().sqrt(),
        }
    }

    fn contains(&self, x: &[f64]) -> bool {
        let mut row = self.row.clone();
        self.axes.iter().zip(x).for_each(|(&i, &x)| row[i] = x);
        self.domain.contains(&row)
    }

    fn is_same(&self, a: &[f64], b: &[f64]) -> bool {
        norm(&minus(a, b)) < SAME * self.size
    }

    /// `direction·(x − from)` as a formula.
    fn along(&self, direction: &[f64], from: &[f64]) -> String {
        let mut terms = vec![];
        for (&part, name) in direction.iter().zip(&self.names) {
            let part = Digits::rounded(part, 7);
            if part.abs() > SAME {
                let factor = if part == 1.0 { String::new() } else { format!("{}*", Digits(part)) };
                terms.push(format!("{factor}{name}"));
            }
        }
        let shift = Digits::rounded(dot(direction, from), 7);
        if shift.abs() > SAME * self.size {
            terms.push(format!("{}", Digits(-shift)));
        }
        match &terms[..] {
            [only] if self.names.contains(&&only[..]) => only.clone(),
            terms => format!("({})", terms.join(" + ").replace("+ -", "- ")),
        }
    }
}

/// `(d·ln(d² + h²) − 2·h·angle)` in units of `size`: harmonic, with no flux through h = 0, and one through d = 0 that
/// grows as ln h.
fn logarithm(size: f64, d: &str, h: &str, angle: &str) -> String {
    let size = Digits(Digits::four(size));
    // What is added keeps it finite at the edge.
    format!("({d}*ln(({d}^2 + {h}^2)/{size}^2 + 1e-12) - 2*{h}*{angle})/{size}")
}

/// The same for a box, at whose edges a flux does not fit a value that the loss holds.
pub(super) fn of_box(plain: &Problem, problem: &Problem) -> Vec<String> {
    let coordinates = &problem.coordinates;
    let size = coordinates.iter().map(|c| (c.upper - c.lower).powi(2)).sum::<f64>().sqrt();
    let distance = |(coordinate, at): (usize, f64)| {
        let along = &coordinates[coordinate];
        if at == along.upper { format!("({} - {})", Digits(at), along.name) } else { along.beyond(at) }
    };
    let is_exact = |face: (usize, f64)| {
        let on = |condition: &&Condition| condition.place.faces().iter().any(|other| other[..] == [face]);
        problem.conditions.iter().filter(on).any(Condition::is_exact)
    };
    let open = unfit(plain).into_iter().filter(|edge| !is_exact(edge.value));
    let formulas = open.map(|Unfit { value, flux, .. }| {
        let (d, h) = (distance(value), distance(flux));
        logarithm(size, &d, &h, &format!("atan2({h}, {d})"))
    });
    formulas.take(MOST).collect()
}

/// The end of a line of wall.
struct End {
    kind: Kind,
    at: Vec<f64>,
    /// Along the line.
    into: Vec<f64>,
}

/// The power and the formula of every corner of a figure of the plane that has one.
fn corners(seen: &Seen<'_>, walls: &[(Kind, &Condition)]) -> Vec<(f64, String)> {
    let mut ends = vec![];
    for (kind, condition) in walls {
        for outline in condition.place.walls().iter().flat_map(|wall| wall.outline(FINENESS)) {
            let mut end = |at: &[f64], next: &[f64]| {
                let way = minus(next, at);
                let into = way.iter().map(|x| x / norm(&way)).collect();
                ends.push(End { kind: *kind, at: at.to_vec(), into });
            };
            let points = &outline.points;
            if let [.., before, last] = &points[..] {
                end(&points[0], &points[1]);
                end(last, before);
            }
        }
    }
    let mut found = vec![];
    for (i, one) in ends.iter().enumerate() {
        let mut others = ends[i + 1..].iter().filter(|other| seen.is_same(&one.at, &other.at));
        if let Some(other) = others.next() {
            found.extend(corner(seen, one, other));
        }
    }
    found
}

/// Where two ends meet.
fn corner(seen: &Seen<'_>, one: &End, other: &End) -> Option<(f64, String)> {
    let turned = |by: f64, x: &[f64]| {
        let (sin, cos) = by.sin_cos();
        vec![cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]]
    };
    // The inside is on the left of the first of the two, seen from the corner.
    let near = |way: &[f64]| seen.contains(&plus(&one.at, ASIDE * seen.size, way));
    let swept = |from: &End, to: &End| {
        let (x, y) = (dot(&from.into, &to.into), dot(&turned(0.5 * PI, &from.into), &to.into));
        let angle = y.atan2(x);
        if angle > 0.0 { angle } else { angle + 2.0 * PI }
    };
    let ways = [(one, other), (other, one)];
    let (first, last) =
        ways.into_iter().find(|(first, last)| near(&turned(0.5 * swept(first, last), &first.into)))?;
    let inside = swept(first, last);
    let mixed = first.kind != last.kind;
    let power = if mixed { 0.5 * PI / inside } else { PI / inside };
    let asks_for_logarithm = mixed && (inside - 0.5 * PI).abs() < ANGLE;
    if power > 1.0 - ANGLE && !asks_for_logarithm {
        return None;
    }
    // The angle jumps along a ray that leaves the domain, not always the one opposite to the middle.
    let outside = PI - 0.5 * inside;
    let tilts = [0.0, 0.3, -0.3, 0.6, -0.6, 0.9, -0.9].map(|part| part * outside);
    let (tilt, axis) = tilts.map(|tilt| (tilt, turned(0.5 * inside + tilt, &first.into))).into_iter().find(
        |(_, axis)| {
            let place = |k: usize| plus(&one.at, -seen.size * k as f64 / PLACES as f64, axis);
            !(1..=PLACES).any(|k| seen.contains(&place(k)))
        },
    )?;
    let [x, y] = [&axis, &turned(0.5 * PI, &axis)].map(|way| seen.along(way, &one.at));
    // From the first side, or from the last.
    let angle = |from_first: bool| {
        let (sign, shift) = if from_first { ("", 0.5 * inside + tilt) } else { ("-", 0.5 * inside - tilt) };
        format!("({sign}atan2({y}, {x}) + {})", Digits(Digits::rounded(shift, 7)))
    };
    if asks_for_logarithm {
        let (value, flux) = if first.kind == Kind::Value { (first, last) } else { (last, first) };
        let [d, h] = [flux, value].map(|end| seen.along(&end.into, &one.at));
        return Some((1.0, logarithm(seen.size, &d, &h, &angle(first.kind == Kind::Flux))));
    }
    let wave = if first.kind == Kind::Flux && !mixed { "cos" } else { "sin" };
    let angle = angle(!mixed || first.kind == Kind::Value);
    let size = Digits(Digits::four(seen.size));
    let (half, power_text) = (Digits(Digits::rounded(0.5 * power, 7)), Digits(Digits::rounded(power, 7)));
    Some((power, format!("(({x}^2 + {y}^2)/{size}^2)^{half}*{wave}({power_text}*{angle})")))
}

/// An edge of triangles, and the third corner.
struct Side {
    ends: [Vec<f64>; 2],
    third: Vec<f64>,
}

/// The formula of every edge of a mesh that goes round in a circle, between a wall with a value and one with a flux at a right
/// angle.
fn rims(seen: &Seen<'_>, walls: &[(Kind, &Condition)]) -> Vec<(f64, String)> {
    let sides_of = |wanted: Kind| -> Vec<Side> {
        let own = walls.iter().filter(|(kind, _)| *kind == wanted).flat_map(|(_, own)| own.place.walls());
        let mut sides = vec![];
        for outline in own.flat_map(|wall| wall.outline(1)) {
            for triangle in &outline.triangles {
                let corners = triangle.map(|i| outline.points[i].clone());
                for k in 0..3 {
                    let [a, b, c] = [0, 1, 2].map(|i| corners[(k + i) % 3].clone());
                    sides.push(Side { ends: [a, b], third: c });
                }
            }
        }
        sides
    };
    let key = |side: &Side| {
        let [a, b] = &side.ends;
        let middle: Vec<i64> =
            a.iter().zip(b).map(|(a, b)| (0.5 * (a + b) / (1e2 * SAME * seen.size)).round() as i64).collect();
        middle
    };
    let fluxes: std::collections::BTreeMap<Vec<i64>, Side> =
        sides_of(Kind::Flux).into_iter().map(|side| (key(&side), side)).collect();
    let mut shared: Vec<(Side, &Side)> = sides_of(Kind::Value)
        .into_iter()
        .filter_map(|side| Some((fluxes.get(&key(&side))?, side)))
        .map(|(flux, value)| (value, flux))
        .collect();
    let mut found = vec![];
    while let Some(first) = shared.pop() {
        // All that hangs together with it.
        let mut rim = vec![first];
        let mut next = 0;
        while next < rim.len() {
            let meets = |(other, _): &(Side, &Side)| {
                rim[next].0.ends.iter().any(|end| other.ends.iter().any(|own| seen.is_same(end, own)))
            };
            let (joined, left) = shared.into_iter().partition(meets);
            shared = left;
            rim.extend::<Vec<_>>(joined);
            next += 1;
        }
        found.extend(rim_formula(seen, &rim));
    }
    found
}

/// The formula of an edge, if it is a circle at a right angle, and its angle jumps outside of the domain.
fn rim_formula(seen: &Seen<'_>, rim: &[(Side, &Side)]) -> Option<(f64, String)> {
    let ends = || rim.iter().flat_map(|(side, _)| &side.ends);
    let count = ends().count() as f64;
    let middle = ends().fold(vec![0.0; 3], |sum, end| plus(&sum, 1.0 / count, end));
    let [a, b] = &rim[0].0.ends;
    let away: Vec<Vec<f64>> = ends().map(|end| minus(end, &middle)).collect();
    // The two ends that span the plane best with the first one.
    let radius = norm(&away[0]);
    let cross = |a: &[f64], b: &[f64]| {
        vec![a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    };
    let normals = away.iter().map(|other| cross(&away[0], other));
    let normal = normals.max_by(|a, b| norm(a).total_cmp(&norm(b)))?;
    if rim.len() < 8 || norm(&normal) < 0.5 * radius * radius {
        return None;
    }
    let normal: Vec<f64> = normal.iter().map(|x| x / norm(&normal)).collect();
    let round = |way: &Vec<f64>| {
        (norm(way) - radius).abs() < ROUND * radius && dot(way, &normal).abs() < ROUND * radius
    };
    if !away.iter().all(round) {
        return None;
    }
    // Into the walls from the edge: along the axis into that with the value, from or to it into that with the flux.
    let at = [0, 1, 2].map(|i| 0.5 * (a[i] + b[i]));
    let out = minus(&at, &middle);
    let out: Vec<f64> = out.iter().map(|x| x / norm(&out)).collect();
    let edge = minus(b, a);
    let into = |third: &[f64]| {
        let way = minus(third, &at);
        let way = plus(&way, -dot(&way, &edge) / dot(&edge, &edge), &edge);
        way.iter().map(|x| x / norm(&way)).collect::<Vec<f64>>()
    };
    let (value, flux) = (into(&rim[0].0.third), into(&rim[0].1.third));
    let (up, outward) = (dot(&value, &normal), dot(&flux, &out));
    if up.abs() < 1.0 - ANGLE || outward.abs() < 1.0 - ANGLE {
        return None;
    }
    let (up, outward) = (up.signum(), outward.signum());
    // The circle goes through the corners of a polygon, whose sides are nearer to the middle.
    let inner = (radius * radius - 0.25 * dot(&edge, &edge)).sqrt();
    let cut = |k: usize| {
        let share = (k as f64 + 0.5) / PLACES as f64;
        let distance = if outward > 0.0 {
            (1.0 - ANGLE) * inner * (1.0 - share)
        } else {
            (1.0 + ANGLE) * radius + seen.size * share
        };
        // Around the axis by the golden angle.
        let (sin, cos) = (2.4 * k as f64).sin_cos();
        let across = cross(&normal, &out);
        let place = plus(&plus(&middle, distance * cos, &out), distance * sin, &across);
        [-1.0, 1.0].map(|side| plus(&place, side * ASIDE * seen.size, &normal))
    };
    if (0..PLACES).flat_map(cut).any(|x| seen.contains(&x)) {
        return None;
    }
    let h = seen.along(&normal.iter().map(|x| up * x).collect::<Vec<f64>>(), &middle);
    let squares: Vec<String> = (0..3)
        .map(|i| {
            let mut way = [0.0; 3];
            way[i] = 1.0;
            (i, seen.along(&way, &middle))
        })
        // The coordinate that the axis runs along has no part in the distance from it.
        .filter(|(i, _)| normal[*i].abs() < 1.0 - SAME)
        .map(|(_, part)| format!("{part}^2"))
        .collect();
    let along_axis = if squares.len() == 3 { format!(" - {h}^2") } else { String::new() };
    // How far the sides are from it in the mean.
    let mean = Digits(Digits::rounded((radius + 2.0 * inner) / 3.0, 6));
    let distance = format!("sqrt({}{along_axis})", squares.join(" + "));
    let d = if outward > 0.0 { format!("({distance} - {mean})") } else { format!("({mean} - {distance})") };
    let angle = format!("atan2({h}, {d})");
    Some((1.0, logarithm(seen.size, &d, &h, &angle)))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    plus(a, -1.0, b)
}

/// `a + factor·b`
fn plus(a: &[f64], factor: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + factor * b).collect()
}
