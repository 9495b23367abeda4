//! What conditions say of unknowns on faces: ∂ᵏu/∂xᵏ = g where x = a, x being the coordinate that the face fixes.
//!
//! It knows problems and formulas; it does not know what becomes of what is known.

use std::collections::BTreeSet;

use super::space::{Space, greatest, reads, values};
use crate::expr::{Binary, Graph, Node, NodeId, Unary, is_time};
use crate::jet::MultiIndex;
use crate::problem::{Condition, Face, Problem, Unknown};
use crate::tabulated::Between;

/// Data shall not vary over less than this part of a side, unless they do everywhere: a front or a boundary layer on a
/// face is not to be carried through the whole domain.
const SHORTEST: f64 = 0.01;
/// By how much a derivative is greater than usual where data vary over a short way.
const UNUSUAL: f64 = 100.0;
/// The least factor of an unknown, relative to the greatest on the face, by which a residual is divided.
const LEAST: f64 = 1e-6;
/// What is smaller, relative to what it is the difference of, has no sign.
const ROUNDING: f64 = 1e-9;

/// A derivative of an unknown, across a face, that is known there.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Known {
    /// Which unknown.
    pub(super) output: usize,
    /// The coordinate that the face fixes.
    pub(super) coordinate: usize,
    /// Its value there.
    pub(super) at: f64,
    /// How often the unknown is differentiated along that coordinate.
    pub(super) order: usize,
    /// g, over the other coordinates, in a graph that all share.
    pub(super) value: NodeId,
}

impl Known {
    /// Do both say something of the same derivative on the same face?
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        (self.output, self.coordinate, self.order) == (other.output, other.coordinate, other.order)
            && self.at == other.at
    }

    /// The face that it is known on.
    pub(super) fn face(&self) -> (usize, f64) {
        (self.coordinate, self.at)
    }

    /// The greatest magnitude of what is given there.
    pub(super) fn size(&self, graph: &Graph, space: &Space<'_>) -> f64 {
        greatest(&values(graph, self.value, &space.sites(&[self.face()])))
    }
}

/// What a residual says on one of the faces of its condition, or why it says nothing that an ansatz could fulfil.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Which condition of the problem.
    pub(super) condition: usize,
    /// Which of its residuals.
    pub(super) residual: usize,
    /// What is known.
    pub(super) known: Result<Known, String>,
    /// What is known, and of no use as it is: it is not smooth, or lacks what it builds on.
    pub(super) withheld: Option<Known>,
}

impl Statement {
    /// What is known, of use or not.
    pub(super) fn said(&self) -> Option<&Known> {
        self.known.as_ref().ok().or(self.withheld.as_ref())
    }
}

/// Coordinates of space with faces on which something is given that an ansatz may hold, at the most.
///
/// An interpolation has twice as many parts for each, and a factor that vanishes on all of these faces is next to nothing in
/// most of the domain: in ten coordinates e⁻⁶ of its greatest value in the middle of its logarithms, in a hundred e⁻⁶¹.
const MOST_DIRECTIONS: usize = 8;
const TOO_MANY: &str = "a factor that vanishes on the faces of more than eight coordinates is next to nothing in most of the domain";

/// What the residuals of all conditions on faces say; formulas go to `graph`.
pub(super) fn statements(problem: &Problem, space: &Space<'_>, graph: &mut Graph) -> Vec<Statement> {
    let mut statements = Vec::new();
    let faces = problem.conditions.iter().flat_map(|condition| condition.place.faces());
    let across: BTreeSet<usize> = faces
        .filter(|face| face.len() == 1)
        .map(|face| face[0].0)
        .filter(|&c| !is_start(problem, c))
        .collect();
    let too_many = across.len() > MOST_DIRECTIONS;
    for (i, condition) in problem.conditions.iter().enumerate() {
        for face in condition.place.faces() {
            for residual in 0..condition.residuals.roots.len() {
                let known = match too_many && face.iter().all(|&(c, _)| !is_start(problem, c)) {
                    true => Err(TOO_MANY.to_owned()),
                    false => known(problem, space, condition, residual, face, graph),
                };
                let (known, withheld) = match known {
                    Ok((known, Some(why))) => (Err(why), Some(known)),
                    Ok((known, None)) => (Ok(known), None),
                    Err(why) => (Err(why), None),
                };
                statements.push(Statement { condition: i, residual, known, withheld });
            }
        }
    }
    statements
}

/// Are faces across a coordinate those of a start rather than of space?
fn is_start(problem: &Problem, coordinate: usize) -> bool {
    is_time(&problem.coordinates[coordinate].name)
}

/// What a residual says on `face`, and why it is not to be carried into the domain, if it is not.
fn known(
    problem: &Problem,
    space: &Space<'_>,
    condition: &Condition,
    residual: usize,
    face: &Face,
    graph: &mut Graph,
) -> Result<(Known, Option<String>), String> {
    let (root, output, index) = single(problem, space, condition, residual, graph)?;
    let &[(coordinate, at)] = &face[..] else {
        return Err("no smooth factor vanishes at an edge or a point of a larger domain alone".to_owned());
    };
    let order = index.get(coordinate);
    if order != index.order() {
        return Err("it is a derivative along the face".to_owned());
    }
    let value = given(space, root, &[(coordinate, at)], graph)?;
    let Unknown { name, of, .. } = &problem.unknowns[output];
    if let Some(of) = of {
        let other = |i: &usize| !of.contains(i) && *i < problem.coordinates.len();
        let read = graph.coordinates(&[value]).into_iter().find(other);
        if let Some(other) = Some(coordinate).filter(other).or(read) {
            return Err(format!("`{name}` is no function of `{}`", problem.coordinates[other].name));
        }
    }
    let rough = rough(problem, space, output, graph, value, &[(coordinate, at)]);
    Ok((Known { output, coordinate, at, order, value }, rough))
}

/// What a residual on a wall says of an unknown's value: which unknown, and g, over all coordinates.
pub(super) fn known_on_wall(
    problem: &Problem,
    space: &Space<'_>,
    condition: &Condition,
    residual: usize,
    graph: &mut Graph,
) -> Result<(usize, NodeId), String> {
    let (root, output, index) = single(problem, space, condition, residual, graph)?;
    if index != MultiIndex::VALUE {
        return Err("it says something of a derivative".to_owned());
    }
    let value = given(space, root, &[], graph)?;
    match rough(problem, space, output, graph, value, &[]) {
        Some(why) => Err(why),
        None => Ok((output, value)),
    }
}

/// A residual, and the only derivative of an unknown that it has.
fn single(
    problem: &Problem,
    space: &Space<'_>,
    condition: &Condition,
    residual: usize,
    graph: &mut Graph,
) -> Result<(NodeId, usize, MultiIndex), String> {
    let root = space.residual(graph, condition, residual).ok_or("it cannot be read by itself")?;
    if graph.looks_elsewhere(&[root]) {
        return Err("it holds an integral".to_owned());
    }
    let jets = graph.jets(&[root]);
    if let Some((output, _)) = jets.iter().find(|(output, _)| problem.unknowns[*output].ansatz.is_some()) {
        return Err(format!("the ansatz of `{}` does not fulfil it", problem.unknowns[*output].name));
    }
    let mut jets = jets.into_iter();
    match (jets.next(), jets.next()) {
        (Some((output, index)), None) => Ok((root, output, index)),
        _ => Err("it links several unknowns or derivatives".to_owned()),
    }
}

/// What a residual, which has one derivative of one unknown, says that this is, where some coordinates are `fixed`.
fn given(
    space: &Space<'_>,
    root: NodeId,
    fixed: &[(usize, f64)],
    graph: &mut Graph,
) -> Result<NodeId, String> {
    // The unknown becomes an input like a coordinate, along which the residual can be differentiated.
    let (lean, roots) = graph.extract(&[root]);
    let given = |node: &Node| !matches!(node, Node::Data(_) | Node::Coefficient(_));
    if !lean.nodes().iter().all(given) {
        return Err("it uses data or a parameter that is to be found".to_owned());
    }
    let place = |graph: &mut Graph, unknown: Node| {
        let leaf = |graph: &mut Graph, node: Node| match node {
            Node::Coordinate { coordinate, .. } => match fixed.iter().find(|(c, _)| *c == coordinate) {
                Some((_, at)) => graph.constant(*at),
                None => graph.insert(node),
            },
            Node::Jet { .. } => graph.insert(unknown),
            node => graph.insert(node),
        };
        lean.transplant(&roots, graph, leaf)[0]
    };
    let whole = place(graph, Node::Coordinate { coordinate: space.unknown(), side: 0 });
    let rest = place(graph, Node::Constant(0.0));
    let slope = graph.derivative(whole, space.unknown());
    if reads(graph, slope, space.unknown()) {
        return Err("it is not linear in the unknown".to_owned());
    }
    let slopes = values(graph, slope, &space.sites(fixed));
    let one_sign = slopes.iter().all(|x| x * slopes[0] > 0.0 && x.abs() >= LEAST * greatest(&slopes));
    if !one_sign {
        return Err("the factor of the unknown vanishes somewhere on the face".to_owned());
    }
    let minus = graph.unary(Unary::Neg, rest);
    Ok(graph.binary(Binary::Div, minus, slope))
}

/// Why data on a face are not to be carried into the domain, if they are not.
pub(super) fn rough(
    problem: &Problem,
    space: &Space<'_>,
    output: usize,
    graph: &mut Graph,
    value: NodeId,
    fixed: &[(usize, f64)],
) -> Option<String> {
    let sites = space.sites(fixed);
    let size = greatest(&values(graph, value, &sites));
    if !size.is_finite() {
        return Some("what is given is not finite everywhere on the face".to_owned());
    }
    let needed = graph.reachable(&[value]);
    for i in (0..needed.len()).filter(|&i| needed[i]) {
        let (level, what) = match graph.nodes()[i] {
            Node::Unary(Unary::Abs, a) => (a, "has a kink"),
            Node::Unary(Unary::Sign | Unary::Step, a) => (a, "jumps"),
            Node::Binary(Binary::Min | Binary::Max, a, b) => (graph.binary(Binary::Sub, a, b), "has a kink"),
            Node::Table(lookup) => {
                let what = match graph.looked_up(&lookup).between {
                    Between::Cubic => continue,
                    Between::Linear => "has kinks",
                    Between::Nearest => "jumps",
                };
                return Some(format!("what is given {what}, which would go through the whole domain"));
            }
            _ => continue,
        };
        let levels = values(graph, level, &sites);
        let beyond = |sign: f64| levels.iter().any(|x| sign * x > ROUNDING * greatest(&levels));
        if beyond(1.0) && beyond(-1.0) {
            return Some(format!("what is given {what}, which would go through the whole domain"));
        }
    }
    for (c, along) in space.coordinates.iter().enumerate() {
        let mut node = value;
        let mut shortest = 1.0;
        for _ in 0..highest(problem, output, c) {
            node = graph.derivative(node, c);
            if graph.node(node) == Node::Constant(0.0) {
                break;
            }
            shortest *= SHORTEST * space.side(c);
            let mut slopes: Vec<f64> = values(graph, node, &sites).into_iter().map(f64::abs).collect();
            slopes.sort_by(f64::total_cmp);
            let (usual, greatest) = (slopes[slopes.len() / 2], slopes[slopes.len() - 1]);
            if !greatest.is_finite() {
                return Some("a derivative of what is given is not finite somewhere on the face".to_owned());
            }
            if greatest * shortest > size && greatest > UNUSUAL * usual {
                return Some(format!(
                    "what is given changes within less than a hundredth of the range of `{}`",
                    along.name
                ));
            }
        }
    }
    None
}

/// The highest derivative of an unknown along a coordinate in the equations, at least the first.
pub(super) fn highest(problem: &Problem, output: usize, coordinate: usize) -> usize {
    let jets = problem.conditions.iter().flat_map(|c| c.residuals.graph.jets(&c.residuals.roots));
    let own = jets.filter(|(o, _)| *o == output).map(|(_, index)| index.get(coordinate));
    own.max().unwrap_or(0).max(1)
}
