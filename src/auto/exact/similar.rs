//! What is singular in a solution because data contradict each other or are not smooth, and is known by similarity.
//!
//! Next to where data meet that contradict each other, and where a start kinks or jumps, an equation of second order is its
//! leading part alone, whose solutions are known: a jump between start and wall spreads as erfc(d/√(4κt)), a jump of the
//! start as Φ(d/√(2κt)), a kink as the price of an option does in Bachelier's model (1900), and between two walls that meet
//! at a right angle values go over into one another in proportion to the angle.
//! Such parts are added to the ansatz, and what is left of the data is smooth and agrees, so that it can hold exactly.
//!
//! It knows formulas and equations; it does not know what becomes of the data.

use super::interpolant::tidy;
use super::known::{Known, Statement, rough};
use super::leading::{Leading, slope};
use super::space::{Space, fixed, greatest, reads, values};
use super::{AGREE, agree, distinct};
use crate::expr::{Binary, Graph, Node, NodeId, Unary};
use crate::jet::MultiIndex;
use crate::problem::Problem;

/// The time since the start is at least this, so that it can be divided by.
const SOON: f64 = 1e-100;
/// Likewise the distance from a corner.
const TINY: f64 = 1e-300;
/// A part that belongs to one wall falls to zero at the wall opposite, by 1 − sᵖ, s from 0 to 1: near the first one it is
/// as good as unchanged.
const FALLS: f64 = 4.0;

/// A part of an unknown that is known by similarity.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Apart {
    /// Over all coordinates.
    pub(super) part: NodeId,
    /// The coordinate along which it spreads, and where that begins.
    pub(super) start: Option<(usize, f64)>,
}

/// The part of an unknown that spreads from its start and its walls; the data lose it.
pub(super) fn spreads(
    problem: &Problem,
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
) -> Option<Apart> {
    let starts: Vec<Known> = said
        .iter()
        .filter_map(Statement::said)
        .filter(|known| known.order == 0 && space.is_end(known.face()))
        .cloned()
        .collect();
    let parts = [
        spread(problem, equation, space, graph, said),
        at_walls(equation, space, graph, said),
        at_fluxes(problem, equation, space, graph, said, &starts),
    ];
    let parts = parts.into_iter().flatten();
    parts.reduce(|a, b| Apart { part: graph.binary(Binary::Add, a.part, b.part), start: a.start })
}

impl Apart {
    /// What a network sees of the time since the start besides time itself: what spreads does so with its root.
    ///
    /// The price of a European option came to 8e-8 with it, to 6e-7 without, and to 4e-7 with Φ of the spreading kink, too.
    pub(super) fn feature(&self, space: &Space<'_>, graph: &mut Graph) -> Option<NodeId> {
        let (along, begin) = self.start?;
        let since = since(space, graph, (along, begin));
        let [one, two, side] = [1.0, 2.0, space.side(along)].map(|x| graph.constant(x));
        let share = graph.binary(Binary::Div, since, side);
        let root = graph.unary(Unary::Sqrt, share);
        let twice = graph.binary(Binary::Mul, two, root);
        Some(graph.binary(Binary::Sub, twice, one))
    }
}

// A start that is not smooth.

/// The start with its kinks and jumps as they spread.
fn spread(
    problem: &Problem,
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
) -> Option<Apart> {
    let mut kinked = said.iter().filter_map(|statement| statement.withheld.as_ref());
    let start = kinked.find(|known| known.output == equation.output && known.order == 0)?.clone();
    let part = spread_out(equation, space, graph, &start)?;
    // A front that was there besides is there still, and so is what has hardly spread at all by the end.
    let along = &space.coordinates[start.coordinate];
    let end = (start.coordinate, if start.at == along.lower { along.upper } else { along.lower });
    let late = fixed(graph, part, end.0, end.1);
    if rough(problem, space, start.output, graph, late, &[end]).is_some() {
        return None;
    }
    let nothing = graph.constant(0.0);
    for statement in said.iter_mut() {
        if statement.withheld.as_ref().is_some_and(|known| known.is_same_as(&start)) {
            statement.known = Ok(Known { value: nothing, ..start.clone() });
        }
    }
    lose(graph, said, part, &start);
    Some(Apart { part, start: Some(start.face()) })
}

/// What is given at a start, over all coordinates; `None` if it is not known how it spreads.
fn spread_out(equation: &Leading, space: &Space<'_>, graph: &mut Graph, start: &Known) -> Option<NodeId> {
    let on_face = space.sites(&[start.face()]);
    let (lean, roots) = graph.extract(&[start.value]);
    let mut spread: Vec<NodeId> = Vec::with_capacity(lean.nodes().len());
    for id in lean.ids() {
        let of = |a: NodeId| spread[a.index()];
        let (as_it_is, level) = match lean.node(id) {
            node @ Node::Unary(f, a) => (graph.unary(f, of(a)), node.is_rough().then(|| of(a))),
            node @ Node::Binary(f, a, b) => {
                let level = node.is_rough().then(|| graph.binary(Binary::Sub, of(a), of(b)));
                (graph.binary(f, of(a), of(b)), level)
            }
            // How the kinks and jumps of a table spread is not known.
            node @ Node::Table(_) if node.is_rough() => return None,
            Node::Table(lookup) => {
                let arguments: Vec<NodeId> = lookup.arguments().iter().map(|&a| of(a)).collect();
                let orders = &lookup.orders[..arguments.len()];
                (graph.table(lean.looked_up(&lookup), orders, &arguments), None)
            }
            leaf => (graph.insert(leaf), None),
        };
        let changes = |level: &NodeId| {
            let levels = values(graph, *level, &on_face);
            levels.iter().any(|x| *x > 0.0) && levels.iter().any(|x| *x < 0.0)
        };
        spread.push(match level.filter(changes) {
            Some(level) => {
                let width = width(equation, space, graph, start, level)?;
                smoothed(space, graph, lean.node(id), of, level, width)
            }
            None => as_it_is,
        });
    }
    Some(spread[roots[0].index()])
}

/// How far the place where `level` vanishes has spread, in units of the level: √(2κt) times its slope.
fn width(
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    start: &Known,
    level: NodeId,
) -> Option<NodeId> {
    let mut along = (0..space.coordinates.len()).filter(|&c| reads(graph, level, c));
    let (Some(x), None) = (along.next(), along.next()) else { return None };
    let slope = graph.derivative(level, x);
    if reads(graph, slope, x) {
        return None;
    }
    let site = space.inputs(vec![vec![0.0; space.coordinates.len()]]);
    let (at_zero, steep) = (values(graph, level, &site)[0], values(graph, slope, &site)[0]);
    let kappa = equation.diffusivity(space, graph, start.face(), (x, -at_zero / steep))?;
    let spread = diffused(space, graph, kappa, 2.0, start);
    let slope = if steep < 0.0 { graph.unary(Unary::Neg, slope) } else { slope };
    Some(graph.binary(Binary::Mul, slope, spread))
}

/// A function with a kink or a jump where `level` vanishes, as it is when that has spread by `width`.
fn smoothed(
    space: &Space<'_>,
    graph: &mut Graph,
    node: Node,
    of: impl Fn(NodeId) -> NodeId,
    level: NodeId,
    width: NodeId,
) -> NodeId {
    let [one, two, minus_half] = [1.0, 2.0, -0.5].map(|x| graph.constant(x));
    let ratio = graph.binary(Binary::Div, level, width);
    let step = graph.unary(Unary::Phi, ratio);
    if let Node::Unary(f @ (Unary::Step | Unary::Sign), _) = node {
        let twice = graph.binary(Binary::Mul, two, step);
        return if f == Unary::Step { step } else { graph.binary(Binary::Sub, twice, one) };
    }
    // The mean of max(z, 0) around z.
    let above = graph.binary(Binary::Mul, level, step);
    let square = graph.binary(Binary::Pow, ratio, two);
    let exponent = graph.binary(Binary::Mul, minus_half, square);
    let bell = graph.unary(Unary::Exp, exponent);
    let norm = space.pi(graph);
    let norm = graph.binary(Binary::Mul, two, norm);
    let norm = graph.unary(Unary::Sqrt, norm);
    let bell = graph.binary(Binary::Div, bell, norm);
    let bell = graph.binary(Binary::Mul, width, bell);
    let ramp = graph.binary(Binary::Add, above, bell);
    match node {
        Node::Binary(Binary::Max, _, b) => graph.binary(Binary::Add, of(b), ramp),
        Node::Binary(_, a, _) => graph.binary(Binary::Sub, of(a), ramp),
        _ => {
            let twice = graph.binary(Binary::Mul, two, ramp);
            graph.binary(Binary::Sub, twice, level)
        }
    }
}

/// √(factor·κ·t), t being the time since the start.
fn diffused(space: &Space<'_>, graph: &mut Graph, kappa: NodeId, factor: f64, start: &Known) -> NodeId {
    let since = since(space, graph, start.face());
    let factor = graph.constant(factor);
    let kappa = graph.binary(Binary::Mul, factor, kappa);
    let square = graph.binary(Binary::Mul, kappa, since);
    graph.unary(Unary::Sqrt, square)
}

/// The time since a start, at least something.
fn since(space: &Space<'_>, graph: &mut Graph, start: (usize, f64)) -> NodeId {
    let since = space.distance(graph, start);
    let soon = graph.constant(SOON);
    graph.binary(Binary::Max, since, soon)
}

/// Takes a part from what is given; at the start it is nothing, or all that is given there.
fn lose(graph: &mut Graph, said: &mut [Statement], part: NodeId, start: &Known) {
    for statement in said {
        let Ok(known) = &mut statement.known else { continue };
        if known.output == start.output && known.face() != start.face() {
            let trace = trace(graph, part, known);
            known.value = graph.binary(Binary::Sub, known.value, trace);
        }
    }
}

/// What a part is of what is known on a face.
fn trace(graph: &mut Graph, mut part: NodeId, known: &Known) -> NodeId {
    for _ in 0..known.order {
        part = graph.derivative(part, known.coordinate);
    }
    fixed(graph, part, known.coordinate, known.at)
}

// Walls that contradict a start.

/// What spreads from the walls whose values contradict the start.
fn at_walls(
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
) -> Option<Apart> {
    let nothing = graph.constant(0.0);
    let data = distinct(said, equation.output);
    let values_given = || data.iter().filter(|known| known.order == 0);
    let contradicts = |graph: &mut Graph, start: &Known, wall: &Known| {
        start.coordinate != wall.coordinate && !agree(graph, space, start, wall)
    };
    for start in values_given().filter(|known| space.is_end(known.face())) {
        let mut part = nothing;
        let mut walls = vec![];
        for wall in values_given() {
            if !contradicts(graph, start, wall) {
                continue;
            }
            let begin = start.face();
            walls.push((wall, equation.diffusivity(space, graph, begin, wall.face())));
        }
        for (wall, kappa) in &walls {
            // One that is not understood leaves all as it is.
            let kappa = kappa.filter(|_| space.is_end(wall.face()))?;
            let here = wall.face();
            let [started, parted] = [start.value, part].map(|node| fixed(graph, node, here.0, here.1));
            let jump = graph.binary(Binary::Sub, wall.value, started);
            let jump = graph.binary(Binary::Sub, jump, parted);
            let size = wall.size(graph, space).max(start.size(graph, space));
            let jump = tidy(graph, jump, &space.sites(&[here]), size, space);
            let width = diffused(space, graph, kappa, 4.0, start);
            let distance = space.distance(graph, here);
            let share = complement(graph, distance, width);
            let share = falling(space, graph, &data, here, share);
            let term = graph.binary(Binary::Mul, jump, share);
            part = graph.binary(Binary::Add, part, term);
        }
        if part != nothing {
            lose(graph, said, part, start);
            return Some(Apart { part, start: Some(start.face()) });
        }
    }
    None
}

/// erfc(distance/width)
fn complement(graph: &mut Graph, distance: NodeId, width: NodeId) -> NodeId {
    let one = graph.constant(1.0);
    let ratio = graph.binary(Binary::Div, distance, width);
    let reached = graph.unary(Unary::Erf, ratio);
    graph.binary(Binary::Sub, one, reached)
}

/// A part that belongs to a wall, so that it changes nothing of a value that is given on the wall opposite.
fn falling(space: &Space<'_>, graph: &mut Graph, data: &[Known], here: (usize, f64), part: NodeId) -> NodeId {
    if !data.iter().any(|other| other.coordinate == here.0 && other.at != here.1) {
        return part;
    }
    let [one, side, power] = [1.0, space.side(here.0), FALLS].map(|x| graph.constant(x));
    let distance = space.distance(graph, here);
    let way = graph.binary(Binary::Div, distance, side);
    let fallen = graph.binary(Binary::Pow, way, power);
    let left = graph.binary(Binary::Sub, one, fallen);
    graph.binary(Binary::Mul, left, part)
}

// Walls whose flux contradicts a start.

/// What spreads from walls at which a flux is asked for that the start does not have.
///
/// With w = √(4κt), the solution whose slope at the wall is −1 from the start on is w/√π·exp(−(d/w)²) − d·erfc(d/w).
fn at_fluxes(
    problem: &Problem,
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
    starts: &[Known],
) -> Option<Apart> {
    let nothing = graph.constant(0.0);
    let is_start = |known: &&Known| {
        known.output == equation.output
            && equation.first[known.coordinate] != nothing
            && equation.second[known.coordinate] == nothing
    };
    let start = starts.iter().find(is_start)?;
    let begin = start.face();
    let data = distinct(said, equation.output);
    let mut missing: Vec<((usize, f64), NodeId)> = vec![];
    for condition in &problem.conditions {
        if let Some(along) = condition.place.periodic() {
            missing.extend(unequal_slopes(space, graph, start, along));
        }
        for face in condition.place.faces() {
            let &[here] = &face[..] else { continue };
            let given = data.iter().any(|known| known.face() == here);
            if here.0 == begin.0 || given || !space.is_end(here) {
                continue;
            }
            for residual in 0..condition.residuals.roots.len() {
                let root = space.residual(graph, condition, residual);
                let slope =
                    root.and_then(|root| missing_slope(equation, space, graph, starts, root, begin, here));
                missing.extend(slope.map(|slope| (here, slope)));
            }
        }
    }
    let mut part = nothing;
    for (here, slope) in missing {
        let Some(kappa) = equation.diffusivity(space, graph, begin, here) else { continue };
        let width = diffused(space, graph, kappa, 4.0, start);
        let distance = space.distance(graph, here);
        let shape = flux_shape(space, graph, distance, width);
        let shape = falling(space, graph, &data, here, shape);
        let term = graph.binary(Binary::Mul, slope, shape);
        part = graph.binary(Binary::Add, part, term);
    }
    if part == nothing {
        return None;
    }
    lose(graph, said, part, start);
    Some(Apart { part, start: Some(begin) })
}

/// width/√π·exp(−(distance/width)²) − distance·erfc(distance/width)
fn flux_shape(space: &Space<'_>, graph: &mut Graph, distance: NodeId, width: NodeId) -> NodeId {
    let [minus_one, two] = [-1.0, 2.0].map(|x| graph.constant(x));
    let ratio = graph.binary(Binary::Div, distance, width);
    let square = graph.binary(Binary::Pow, ratio, two);
    let exponent = graph.binary(Binary::Mul, minus_one, square);
    let bell = graph.unary(Unary::Exp, exponent);
    let pi = space.pi(graph);
    let root_of_pi = graph.unary(Unary::Sqrt, pi);
    let height = graph.binary(Binary::Div, width, root_of_pi);
    let bell = graph.binary(Binary::Mul, height, bell);
    let complement = complement(graph, distance, width);
    let rest = graph.binary(Binary::Mul, distance, complement);
    graph.binary(Binary::Sub, bell, rest)
}

/// At both ends of a coordinate along which the solution repeats, by how much a start whose values repeat and whose slopes do
/// not would have to fall more steeply into the domain: either end goes half of the way.
fn unequal_slopes(
    space: &Space<'_>,
    graph: &mut Graph,
    start: &Known,
    along: usize,
) -> Vec<((usize, f64), NodeId)> {
    let ends = [space.coordinates[along].lower, space.coordinates[along].upper];
    let slope = graph.derivative(start.value, along);
    let [values_there, slopes] =
        [start.value, slope].map(|node| ends.map(|end| fixed(graph, node, along, end)));
    let sites = space.sites(&[(along, ends[0]), start.face()]);
    let mut difference = |[a, b]: [NodeId; 2]| {
        let difference = graph.binary(Binary::Sub, a, b);
        (difference, greatest(&values(graph, difference, &sites)))
    };
    let ((_, gap), (kink, bend)) = (difference(values_there), difference(slopes));
    let size = start.size(graph, space);
    let repeats = gap <= AGREE * size;
    if !repeats || bend.is_nan() || bend * space.side(along) <= AGREE * size {
        return vec![];
    }
    let half = graph.constant(0.5);
    let half = graph.binary(Binary::Mul, half, kink);
    let half = tidy(graph, half, &sites, bend, space);
    ends.map(|end| ((along, end), half)).to_vec()
}

/// By how much the start would have to fall more steeply into the domain to fulfil what a residual asks of the flux through a
/// wall; `None` if it asks nothing of that, or the start fulfils it.
fn missing_slope(
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    starts: &[Known],
    root: NodeId,
    begin: (usize, f64),
    here: (usize, f64),
) -> Option<NodeId> {
    let jets: Vec<(usize, MultiIndex)> = graph.jets(&[root]).into_iter().collect();
    let across = MultiIndex::along(here.0);
    if !jets.contains(&(equation.output, across)) {
        return None;
    }
    // The start's derivatives, which make numbers of the residual and of what it is multiplied by.
    let mut at_start = vec![];
    for (output, index) in &jets {
        let known = starts.iter().find(|known| known.output == *output && known.face() == begin)?;
        if index.get(begin.0) > 0 {
            return None;
        }
        at_start.push(index.coordinates().fold(known.value, |node, c| graph.derivative(node, c)));
    }
    let place = |output: usize, index: MultiIndex| jets.iter().position(|jet| *jet == (output, index));
    let slope = slope(space, graph, root, equation.output, across);
    let mut started = |root: NodeId| {
        let (lean, roots) = graph.extract(&[root]);
        let node = lean.transplant(&roots, graph, |graph, leaf| match leaf {
            Node::Jet { output, index, .. } => at_start[place(output, index).expect("one of the jets")],
            Node::Data(place) => at_start[place],
            leaf => graph.insert(leaf),
        })[0];
        let node = fixed(graph, node, here.0, here.1);
        fixed(graph, node, begin.0, begin.1)
    };
    let [left, slope] = [started(root), started(slope)];
    let sites = space.sites(&[here, begin]);
    let (lefts, slopes) = (greatest(&values(graph, left, &sites)), values(graph, slope, &sites));
    let start = starts
        .iter()
        .find(|known| known.output == equation.output)
        .map_or(0.0, |known| known.size(graph, space));
    let one_sign = slopes.iter().all(|x| x * slopes[0] > 0.0);
    if !lefts.is_finite() || !one_sign || lefts <= AGREE * greatest(&slopes) * start / space.side(here.0) {
        return None;
    }
    let missing = graph.binary(Binary::Div, left, slope);
    let upper = here.1 == space.coordinates[here.0].upper;
    Some(if upper { graph.unary(Unary::Neg, missing) } else { missing })
}

// Walls that contradict one another.

/// What goes over from one wall to the other where two meet that contradict each other, of an equation without a start.
pub(super) fn at_corners(
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
) -> Option<Apart> {
    let nothing = graph.constant(0.0);
    let faces: Vec<Known> =
        distinct(said, equation.output).into_iter().filter(|known| known.order == 0).collect();
    if faces.iter().any(|known| equation.second[known.coordinate] == nothing || !space.is_end(known.face())) {
        return None;
    }
    let mut part = nothing;
    for i in 0..faces.len() {
        for j in i + 1..faces.len() {
            let data = distinct(said, equation.output);
            let current = |face: &Known| data.iter().find(|known| known.is_same_as(face)).cloned();
            let (Some(a), Some(b)) = (current(&faces[i]), current(&faces[j])) else { continue };
            if a.coordinate == b.coordinate || agree(graph, space, &a, &b) {
                continue;
            }
            let (here, there) = (a.face(), b.face());
            let ratio = graph.binary(Binary::Div, equation.second[here.0], equation.second[there.0]);
            let Some(ratio) = equation.coefficient(space, graph, ratio, &[here, there]) else { continue };
            let from = fixed(graph, a.value, there.0, there.1);
            let to = fixed(graph, b.value, here.0, here.1);
            let jump = graph.binary(Binary::Sub, to, from);
            let size = a.size(graph, space).max(b.size(graph, space));
            let jump = tidy(graph, jump, &space.sites(&[here, there]), size, space);
            let angle = angle(space, graph, ratio, here, there);
            let term = graph.binary(Binary::Mul, jump, angle);
            part = graph.binary(Binary::Add, part, term);
            // Where they meet the angle has any value; on the walls it has one.
            for statement in said.iter_mut() {
                let Ok(known) = &mut statement.known else { continue };
                let trace = match () {
                    () if known.output != a.output || known.is_same_as(&a) => continue,
                    () if known.is_same_as(&b) => jump,
                    () => trace(graph, term, known),
                };
                known.value = graph.binary(Binary::Sub, known.value, trace);
            }
        }
    }
    (part != nothing).then_some(Apart { part, start: None })
}

/// The angle from the wall `here` on as a part of the right angle to the wall `there`: 0 on the one, 1 on the other.
fn angle(
    space: &Space<'_>,
    graph: &mut Graph,
    ratio: NodeId,
    here: (usize, f64),
    there: (usize, f64),
) -> NodeId {
    let [two, tiny] = [2.0, TINY].map(|x| graph.constant(x));
    let (near, far) = (space.distance(graph, here), space.distance(graph, there));
    let root = graph.unary(Unary::Sqrt, ratio);
    let far = graph.binary(Binary::Mul, root, far);
    let [near_square, far_square] = [near, far].map(|x| graph.binary(Binary::Pow, x, two));
    let square = graph.binary(Binary::Add, near_square, far_square);
    let radius = graph.unary(Unary::Sqrt, square);
    let sum = graph.binary(Binary::Add, radius, far);
    let sum = graph.binary(Binary::Max, sum, tiny);
    let half = graph.binary(Binary::Div, near, sum);
    // Half of the angle, whose tangent it is, has the sum that does not cancel.
    let half = graph.unary(Unary::Atan, half);
    let quarter = graph.constant(4.0);
    let angle = graph.binary(Binary::Mul, quarter, half);
    let pi = space.pi(graph);
    graph.binary(Binary::Div, angle, pi)
}
