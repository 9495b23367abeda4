//! Fluxes that do not fit a value where their faces meet.
//!
//! At a right angle between a face with a value and one with a flux an answer of an equation with the Laplacian is smooth
//! only if the flux is fulfilled by the value along its own face; otherwise it holds r·ln r, r being the distance from the edge
//! (Grisvard 1985), and a factor that vanishes where the value is given would have to be multiplied by ln r.
//!
//! It knows problems and formulas; it does not know what becomes of such edges.

use super::known::{Known, Statement, statements};
use super::space::{Space, sites, values};
use crate::expr::{Graph, Measured, Node};
use crate::jet::MultiIndex;
use crate::problem::{Condition, Problem};

/// What may be left of a flux, relative to the size of its terms.
const FITS: f64 = 1e-3;
/// By how much the factors of second derivatives may differ for their sum to be taken for the Laplacian's.
const SAME: f64 = 1e-3;

/// A face with a value, and one with a flux that does not fit it: the coordinate that each fixes, and where.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::auto) struct Unfit {
    /// The face with the value.
    pub(in crate::auto) value: (usize, f64),
    /// The face with the flux.
    pub(in crate::auto) flux: (usize, f64),
    /// The condition that says the flux.
    condition: usize,
}

/// All such pairs of `problem`, in which every unknown is still its network.
pub(in crate::auto) fn unfit(problem: &Problem) -> Vec<Unfit> {
    if !is_concerned(problem) {
        return vec![];
    }
    let mut graph = Graph::default();
    let space = Space::new(problem, &mut graph);
    let said = statements(problem, &space, &mut graph);
    pairs(problem, &space, &mut graph, &said)
}

/// Leaves values to the loss that a flux does not fit.
pub(super) fn withdraw(problem: &Problem, space: &Space<'_>, graph: &mut Graph, said: &mut [Statement]) {
    if !is_concerned(problem) {
        return;
    }
    for Unfit { value, condition, .. } in pairs(problem, space, graph, said) {
        let name = &problem.conditions[condition].name;
        for statement in said.iter_mut() {
            let wanted = problem.conditions[statement.condition].is_exact();
            if statement.known.as_ref().is_ok_and(|known| known.order == 0 && known.face() == value)
                && !wanted
            {
                let why = format!(
                    "the flux of `{name}` does not fit it where they meet, which makes derivatives unbounded"
                );
                statement.known = Err(why);
            }
        }
    }
}

fn pairs(problem: &Problem, space: &Space<'_>, graph: &mut Graph, said: &[Statement]) -> Vec<Unfit> {
    let mut found: Vec<Unfit> = vec![];
    for known in
        said.iter().filter_map(|statement| statement.known.as_ref().ok()).filter(|known| known.order == 0)
    {
        for (i, condition) in problem.conditions.iter().enumerate() {
            for face in condition.place.faces() {
                let &[flux] = &face[..] else { continue };
                let unfit = Unfit { value: known.face(), flux, condition: i };
                let new = !found.iter().any(|other| (other.value, other.flux) == (unfit.value, flux));
                let misses = |which| !fits(problem, space, graph, (i, which), known, flux);
                if flux.0 != known.coordinate && new && (0..condition.written.len()).any(misses) {
                    found.push(unfit);
                }
            }
        }
    }
    found
}

/// Is it a box and an unknown in whose equation the second derivatives along all coordinates have one factor?
fn is_concerned(problem: &Problem) -> bool {
    let axes: Vec<usize> = (0..problem.coordinates.len()).collect();
    if problem.geometry.is_some() || problem.unknowns.len() != 1 || axes.len() < 2 {
        return false;
    }
    let Some(only) = second_along(problem, &axes) else { return false };
    let formula = &only.residuals;
    let &[root] = &formula.roots[..] else { return false };
    if only.sides() != 1 {
        return false;
    }
    let mut scratch = vec![];
    sites(&problem.coordinates, &[]).iter().take(16).all(|site| {
        let mut at = |along: Option<usize>| {
            formula.graph.eval(&mut scratch, |node| match node {
                Node::Coordinate { coordinate, .. } => site[coordinate],
                Node::Jet { index, .. } => f64::from(u8::from(along.is_some_and(|i| index == second(i)))),
                _ => f64::NAN,
            });
            scratch[root.index()]
        };
        let rest = at(None);
        let factors: Vec<f64> = axes.iter().map(|&i| at(Some(i)) - rest).collect();
        factors.iter().all(|factor| (factor - factors[0]).abs() <= SAME * factors[0].abs())
    })
}

/// The only equation of the inside, if what it has of second and higher order is the second derivative along each of `axes`.
pub(in crate::auto) fn second_along<'a>(problem: &'a Problem, axes: &[usize]) -> Option<&'a Condition> {
    let mut inside = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    let (Some(only), None) = (inside.next(), inside.next()) else { return None };
    let jets = only.residuals.graph.jets(&only.residuals.roots);
    let has = |index: MultiIndex| jets.iter().any(|(_, other)| *other == index);
    let alone = jets.iter().filter(|(_, index)| index.order() >= 2).count() == axes.len();
    (alone && axes.iter().all(|&i| has(second(i)))).then_some(only)
}

fn second(coordinate: usize) -> MultiIndex {
    MultiIndex::along(coordinate).plus(coordinate)
}

/// Does the value `known` fulfil a residual of a condition on the face `flux`, whose normal derivative it has along its own face?
///
/// Residuals that are about something else, or cannot be told, fit.
fn fits(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    (condition, which): (usize, usize),
    known: &Known,
    flux: (usize, f64),
) -> bool {
    let Some(root) = space.residual(graph, &problem.conditions[condition], which) else { return true };
    let normal = MultiIndex::along(flux.0);
    let jets = graph.jets(&[root]);
    if !jets.iter().any(|(_, index)| *index == normal)
        || jets.iter().any(|(_, index)| *index != normal && *index != MultiIndex::VALUE)
    {
        return true;
    }
    let slope = graph.derivative(known.value, flux.0);
    let mut measured = vec![];
    let mut measure = |sites: Vec<Vec<f64>>| -> Vec<Measured> {
        let (own, slopes) = (values(graph, known.value, &sites), values(graph, slope, &sites));
        let at = |(site, (own, slope)): (&Vec<f64>, (f64, f64))| {
            graph.measure(&mut measured, |node| {
                Measured::number(match node {
                    Node::Coordinate { coordinate, .. } => site[coordinate],
                    Node::Jet { index, .. } if index == MultiIndex::VALUE => own,
                    Node::Jet { .. } => slope,
                    _ => f64::NAN,
                })
            });
            measured[root.index()]
        };
        sites.iter().zip(own.into_iter().zip(slopes)).map(at).collect()
    };
    let (face, edge) = (measure(space.sites(&[flux])), measure(space.sites(&[known.face(), flux])));
    let sizes = face.iter().chain(&edge).map(|whole| whole.size).filter(|size| size.is_finite());
    let size = sizes.fold(f64::MIN_POSITIVE, f64::max);
    let left = edge.iter().map(|whole| whole.value.abs() / size);
    // What lies next to another corner has its own.
    let mut left: Vec<f64> = left.filter(|left| left.is_finite()).collect();
    left.sort_by(f64::total_cmp);
    left.get(left.len() / 2).is_none_or(|usual| *usual <= FITS)
}
