//! Conditions on the walls of domains made of shapes: walls that have none, and fluxes through all of them that no solution
//! has.
//! Only clear cases are told. This knows problems and their geometry; it does not know the text they came from.

use rand::RngExt;

use super::{Contradiction, Gap};
use crate::expr::{Digits, Node};
use crate::jet::MultiIndex;
use crate::problem::geometry::{Boundary, Geometry};
use crate::problem::model::{Condition, Problem};
use crate::problem::place::{Coordinate, Onto, Part};
use crate::rng;

/// Points at which a wall is asked whether conditions are there, and points of a condition's walls that are compared.
const ASKED: usize = 200;
const COMPARED: usize = 4000;
/// A wall of which less than this share is without conditions has some.
const LEAST: f64 = 0.02;
/// Points that an integral is the mean over, and how far it may be off, relative to that of the magnitude.
const POINTS: usize = 4096;
const OFF: f64 = 0.02;
/// Places of each condition at which a rotation is looked at.
const TURNED: usize = 16;

/// Walls of the domain on which there is no condition.
pub(super) fn gaps(problem: &Problem, geometry: &Geometry) -> Vec<Gap> {
    let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
    let second = |(_, index): &(usize, MultiIndex)| axes.iter().map(|&i| index.get(i)).sum::<usize>() >= 2;
    let needed = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    // Where a first derivative leads out, there is nothing to say on the wall.
    let needed = needed.flat_map(|c| c.residuals.graph.jets(&c.residuals.roots)).any(|jet| second(&jet));
    // Data, and what is sought, stand for conditions in ways that are not seen here.
    let drawn = problem.conditions.iter().all(|condition| condition.place.is_drawn());
    if !needed || !drawn || !problem.trainable.is_empty() || axes.len() > 3 {
        return vec![];
    }
    let held: Vec<(Vec<Vec<f64>>, f64)> = problem
        .conditions
        .iter()
        .flat_map(|condition| condition.place.walls().iter().chain(condition.place.linked()))
        .map(|wall| {
            let each = wall.measure() / COMPARED as f64;
            // In one dimension walls are points.
            let apart = [1e-9, 4.0 * each, 3.0 * each.sqrt()][axes.len() - 1];
            (spots(problem, wall, COMPARED), apart)
        })
        .collect();
    // A point of a line is a face, and may be all of a wall.
    let faces = problem.conditions.iter().flat_map(|condition| condition.place.faces());
    let points = faces.filter(|face| axes.len() == 1 && face.iter().any(|(i, _)| *i == axes[0]));
    let points = points.map(|face| {
        let mut row: Vec<f64> = problem.coordinates.iter().map(|c| c.lower).collect();
        face.iter().for_each(|&(i, x)| row[i] = x);
        (vec![row], 1e-9)
    });
    let held: Vec<(Vec<Vec<f64>>, f64)> = held.into_iter().chain(points).collect();
    let mut gaps = vec![];
    for (name, wall, _) in geometry.walls(0) {
        let asked = spots(problem, &wall, ASKED);
        let is_held = |x: &Vec<f64>| {
            let near = |y: &Vec<f64>, apart: f64| {
                axes.iter().map(|&i| (x[i] - y[i]).powi(2)).sum::<f64>() <= apart * apart
            };
            held.iter().any(|(spots, apart)| spots.iter().any(|y| near(y, *apart)))
        };
        let free: Vec<&Vec<f64>> = asked.iter().filter(|x| !is_held(x)).collect();
        let share = free.len() as f64 / asked.len() as f64;
        if share < LEAST {
            continue;
        }
        let message = if share > 1.0 - LEAST {
            format!("no condition is on the wall of `{name}`")
        } else {
            let at: Vec<String> =
                axes.iter().map(|&i| Digits(Digits::four(free[free.len() / 2][i])).to_string()).collect();
            format!(
                "{:.0} % of the wall of `{name}` has no condition, such as the point ({})",
                100.0 * share,
                at.join(", ")
            )
        };
        gaps.push(Gap {
            about: name.clone(),
            message,
            hint: format!(
                "give one with `place = \"wall of {name}\"`, such as `u_n` where nothing passes through"
            ),
            open: None,
        });
    }
    gaps
}

/// Rotations that no condition notices, as of a body on which forces alone are given.
pub(super) fn rotations(problem: &Problem, geometry: &Geometry) -> Vec<Gap> {
    let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
    let plain = problem.conditions.iter().all(|c| c.place.is_drawn() && c.sides() == 1);
    if !plain || !problem.trainable.is_empty() || axes.len() > 3 {
        return vec![];
    }
    let raw = |output: usize| {
        let node = Node::Jet { output, index: MultiIndex::VALUE, side: 0 };
        problem.values.graph.node(problem.values.roots[output]) == node
    };
    let unknowns: Vec<usize> = (0..problem.unknowns.len()).filter(|&output| raw(output)).collect();
    // About what is held in a point, if anything is.
    let points = problem.conditions.iter().flat_map(|condition| condition.place.faces());
    let points = points.filter(|face| axes.iter().all(|i| face.iter().any(|(j, _)| i == j)));
    let mut centers: Vec<Vec<f64>> = points
        .map(|face| {
            let mut center = vec![0.0; problem.coordinates.len()];
            face.iter().for_each(|&(i, x)| center[i] = x);
            center
        })
        .collect();
    centers.push(vec![0.0; problem.coordinates.len()]);
    let sites: Vec<Vec<(Vec<f64>, Vec<f64>)>> = problem
        .conditions
        .iter()
        .map(|condition| {
            let parts = condition.place.parts(&problem.coordinates, Some(geometry), TURNED);
            parts.iter().flat_map(|part| places(problem, part, TURNED)).collect()
        })
        .collect();
    let mut gaps = vec![];
    for (a, b) in pairs(&unknowns) {
        for (i, j) in pairs(&axes) {
            // One way round, and the other.
            let is_free = centers.iter().any(|center| {
                [1.0, -1.0].iter().any(|&way| {
                    let turn = Turn { unknowns: [a, b], axes: [i, j], center, way };
                    problem
                        .conditions
                        .iter()
                        .zip(&sites)
                        .all(|(condition, sites)| turn.is_unseen(condition, sites))
                })
            });
            if is_free {
                let [a, b] = [a, b].map(|k| &problem.unknowns[k].name);
                gaps.push(Gap {
                    about: a.clone(),
                    message: format!("no condition notices a rotation that is added to `{a}` and `{b}`"),
                    hint: format!("hold it, for example with the residual `{b}` in a point beside the one where both are held"),
                    open: None,
                });
            }
        }
    }
    gaps
}

fn pairs(all: &[usize]) -> impl Iterator<Item = (usize, usize)> + '_ {
    all.iter().enumerate().flat_map(|(k, &a)| all[k + 1..].iter().map(move |&b| (a, b)))
}

/// A small rotation of the vector of two unknowns in the plane of two coordinates.
struct Turn<'a> {
    unknowns: [usize; 2],
    axes: [usize; 2],
    center: &'a [f64],
    way: f64,
}

impl Turn<'_> {
    /// What it adds to a derivative of an unknown.
    fn adds(&self, row: &[f64], output: usize, index: MultiIndex) -> f64 {
        let ([a, b], [i, j]) = (self.unknowns, self.axes);
        let along = |of: usize, factor: f64| {
            if index == MultiIndex::VALUE {
                factor * (row[of] - self.center[of])
            } else if index == MultiIndex::along(of) {
                factor
            } else {
                0.0
            }
        };
        match output {
            output if output == a => along(j, -self.way),
            output if output == b => along(i, self.way),
            _ => 0.0,
        }
    }

    /// Does it change no residual of a condition, whatever else the unknowns are?
    fn is_unseen(&self, condition: &Condition, sites: &[(Vec<f64>, Vec<f64>)]) -> bool {
        let formula = &condition.residuals;
        let mut random = rng::stream(0, "turn");
        let mut values = vec![];
        sites.iter().all(|(row, normal)| {
            let jets: Vec<((usize, MultiIndex), f64)> = formula
                .graph
                .jets(&formula.roots)
                .into_iter()
                .map(|jet| (jet, 2.0 * random.random::<f64>() - 1.0))
                .collect();
            let mut at = |size: f64| -> Vec<f64> {
                formula.graph.eval(&mut values, |node| match node {
                    Node::Coordinate { coordinate, .. } => row[coordinate],
                    Node::Data(column) => normal.get(column).copied().unwrap_or(f64::NAN),
                    Node::Jet { output, index, .. } => {
                        let own =
                            jets.iter().find(|(jet, _)| *jet == (output, index)).map_or(0.0, |(_, own)| *own);
                        own + size * self.adds(row, output, index)
                    }
                    _ => f64::NAN,
                });
                formula.roots.iter().map(|root| values[root.index()]).collect()
            };
            let (without, with) = (at(0.0), at(1.0));
            let scale = without.iter().chain(&with).fold(0.0_f64, |most, x| most.max(x.abs()));
            without.iter().zip(with).all(|(a, b)| (a - b).abs() <= 1e-9 * scale)
        })
    }
}

/// Evenly spread places of a part, each with the normal there.
fn places<'a>(
    problem: &'a Problem,
    part: &'a Part<'a>,
    count: usize,
) -> impl Iterator<Item = (Vec<f64>, Vec<f64>)> + 'a {
    let mut bounds = problem.coordinates.clone();
    bounds.iter_mut().zip(&part.bounds).for_each(|(c, &(lower, upper))| (c.lower, c.upper) = (lower, upper));
    (1..=count).filter_map(move |k| {
        let (mut row, mut normal) = (Coordinate::spread(&bounds, k), vec![]);
        let settled = part.settle(&mut row, &mut normal);
        settled.then(|| (row, normal.iter().map(|column: &Vec<f64>| column[0]).collect()))
    })
}

/// Fluxes given on all walls whose sum is not what the equation makes inside: −Δu = f with ∮ u_n ≠ −∫ f.
pub(super) fn unbalanced(problem: &Problem, geometry: &Geometry) -> Option<Contradiction> {
    let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
    let alone = problem.coordinates.len() == axes.len() && problem.unknowns.len() == 1;
    if !alone || axes.len() > 3 || !problem.trainable.is_empty() {
        return None;
    }
    let (mut inside, mut through, mut size) = (None, 0.0, 0.0);
    let mut length = 0.0;
    for condition in &problem.conditions {
        if condition.residuals.roots.len() != 1 {
            return None;
        }
        let mean = |walls: &[&Boundary], order: usize| mean(problem, condition, walls, &axes, order);
        if condition.place.is_interior() {
            let (value, magnitude) = mean(&[], 2)?;
            if inside.replace(geometry.domain.measure() * value).is_some() {
                return None;
            }
            size += geometry.domain.measure() * magnitude;
            continue;
        }
        if condition.place.walls().is_empty() {
            return None;
        }
        for wall in condition.place.walls() {
            let (value, magnitude) = mean(&[wall], 1)?;
            through += wall.measure() * value;
            size += wall.measure() * magnitude;
            length += wall.measure();
        }
    }
    let inside = inside?;
    let all: f64 = geometry.walls(0).iter().map(|(_, wall, _)| wall.measure()).sum();
    // On all of the wall, and nowhere twice.
    if (length - all).abs() > 1e-6 * all || (through - inside).abs() <= OFF * size {
        return None;
    }
    let name = &problem.unknowns[0].name;
    let [through, inside] = [through, inside].map(|x| Digits(Digits::four(x)));
    Some(Contradiction {
        conditions: (0..problem.conditions.len()).collect(),
        message: format!(
            "there is no solution: by the conditions on the walls the flux of `{name}` through them is {through}, and \
             by the equation it is {inside}"
        ),
        hint: "both are to be equal where only fluxes are given; give a value on a part of the wall, or balance them"
            .to_owned(),
    })
}

/// Evenly spread points of a wall, as rows of all coordinates.
fn spots(problem: &Problem, wall: &Boundary, count: usize) -> Vec<Vec<f64>> {
    let mut unit = problem.coordinates.clone();
    let ends = wall.unit(unit.iter().map(|c| (c.lower, c.lower)).collect());
    unit.iter_mut().zip(ends).for_each(|(c, (lower, upper))| (c.lower, c.upper) = (lower, upper));
    let row = |k: usize| {
        let mut row = Coordinate::spread(&unit, k);
        wall.settle(&mut row).map(|_| row)
    };
    (1..=count).filter_map(row).collect()
}

/// The mean of what a condition says Δu is inside (`order` 2), or u_n on `walls` (`order` 1), and that of its magnitude;
/// `None` where it says another thing.
fn mean(
    problem: &Problem,
    condition: &Condition,
    walls: &[&Boundary],
    axes: &[usize],
    order: usize,
) -> Option<(f64, f64)> {
    let formula = &condition.residuals;
    let root = formula.roots[0].index();
    let along = |i: usize| if order == 2 { MultiIndex::along(i).plus(i) } else { MultiIndex::along(i) };
    let known: Vec<MultiIndex> = axes.iter().map(|&i| along(i)).collect();
    let jets = formula.graph.jets(&formula.roots);
    if jets.is_empty() || jets.iter().any(|(_, index)| !known.contains(index)) {
        return None;
    }
    let parts = condition.place.parts(&problem.coordinates, problem.geometry.as_ref(), POINTS);
    let part = parts.iter().find(|part| match part.onto {
        Onto::Wall(wall) => walls.iter().any(|known| core::ptr::eq(*known, wall)),
        Onto::Box | Onto::Body(_) => walls.is_empty(),
    })?;
    let (mut sum, mut magnitude, mut count) = (0.0, 0.0, 0.0);
    let mut first = None;
    for (row, normal) in places(problem, part, POINTS) {
        let mut values = vec![];
        let mut at = |jet: &dyn Fn(MultiIndex) -> f64| {
            formula.graph.eval(&mut values, |node| match node {
                Node::Coordinate { coordinate, .. } => row[coordinate],
                Node::Data(column) => normal.get(column).copied().unwrap_or(f64::NAN),
                Node::Jet { index, .. } => jet(index),
                _ => f64::NAN,
            });
            values[root]
        };
        let rest = at(&|_| 0.0);
        let factors: Vec<f64> =
            known.iter().map(|&wanted| at(&|index| f64::from(u8::from(index == wanted))) - rest).collect();
        let twice = at(&|_| 2.0) - rest;
        let total: f64 = factors.iter().sum();
        // Of Δu every part has the same factor; of u_n that of the normal's component.
        let factor = if order == 2 {
            *first.get_or_insert(factors[0])
        } else {
            factors.iter().enumerate().map(|(k, factor)| factor * normal[k]).sum()
        };
        let expected = |k: usize| if order == 2 { factor } else { factor * normal[k] };
        let scale = factors.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let fits = |(k, x): (usize, &f64)| (x - expected(k)).abs() <= 1e-9 * scale;
        let linear = (twice - 2.0 * total).abs() <= 1e-9 * (scale + rest.abs());
        if !(scale > 0.0 && linear && factors.iter().enumerate().all(fits)) {
            return None;
        }
        let value = -rest / factor;
        sum += value;
        magnitude += value.abs();
        count += 1.0;
    }
    (count > 0.0).then_some((sum / count, magnitude / count))
}
