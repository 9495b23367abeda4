//! What is singular in a wave because its start kinks or jumps, or contradicts the ends, and is known by d'Alembert's formula.
//!
//! A wave along one coordinate, u_tt + a·u_t = c²·u_xx + …, with constant c and a and given values at both ends carries kinks
//! and jumps along x ± c·t, and the ends send them back.
//! A start f that is not smooth goes on as ½(f(x − ct) + f(x + ct)), with f mirrored at the ends with the opposite sign.
//! An end whose value or velocity contradicts the start by V or W sends out V + W·(t − d/c), from when that is positive, damped
//! by exp(−a·d/2c) at the distance d, and it comes back from the other end with the opposite sign.
//!
//! It knows formulas and equations; it does not know what becomes of the data.

use super::known::{Known, Statement};
use super::leading::Leading;
use super::space::{Space, fixed, greatest, reads, values};
use super::{AGREE, distinct};
use crate::expr::{Binary, Graph, Node, NodeId, Unary};

/// Reflections that are followed, at the most.
const REFLECTIONS: usize = 12;

/// A wave between two ends.
struct Wave {
    /// The coordinate along which it goes on, and where it starts.
    begin: (usize, f64),
    /// The coordinate along which it travels.
    x: usize,
    /// Its speed, and how much of it is left after a unit of way: exp(−damping).
    speed: NodeId,
    damping: Option<NodeId>,
    /// The time since the start.
    since: NodeId,
    /// How many times it goes from end to end.
    ways: f64,
}

/// The part of an unknown that travels from its start and its ends; the data lose it.
pub(super) fn travels(
    equation: &Leading,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
) -> Option<NodeId> {
    let given = |order: usize, begin: Option<(usize, f64)>| {
        let of = |known: &&Known| {
            known.output == equation.output
                && known.order == order
                && begin.is_none_or(|begin| begin == known.face())
        };
        said.iter().filter_map(Statement::said).filter(of).cloned().collect::<Vec<_>>()
    };
    let starts = given(0, None);
    let (start, wave) =
        starts.iter().find_map(|start| Some((start, wave(equation, space, graph, start)?)))?;
    let velocity = given(1, Some(wave.begin)).into_iter().next()?;
    let data = distinct(said, equation.output);
    let along = &space.coordinates[wave.x];
    let end = |at: f64| data.iter().find(|k| (k.coordinate, k.order) == (wave.x, 0) && k.at == at).cloned();
    let ends = [end(along.lower)?, end(along.upper)?];
    let rough = !data.iter().any(|known| known.is_same_as(start));
    if rough && wave.damping.is_some() {
        return None;
    }
    let mut part = graph.constant(0.0);
    let mut traces = vec![];
    for end in &ends {
        let here = end.face();
        let slope = graph.derivative(end.value, wave.begin.0);
        let mut misses = |given: NodeId, started: NodeId| {
            let given = fixed(graph, given, wave.begin.0, wave.begin.1);
            let started = fixed(graph, started, here.0, here.1);
            graph.binary(Binary::Sub, given, started)
        };
        let jumps = [misses(end.value, start.value), misses(slope, velocity.value)];
        let span = space.side(wave.begin.0);
        let sites = space.sites(&[here, wave.begin]);
        let [own, started, moving] = [end, start, &velocity].map(|known| known.size(graph, space));
        let sizes = [own.max(started), moving.max(own / span)];
        for (order, (jump, size)) in jumps.into_iter().zip(sizes).enumerate() {
            let most = greatest(&values(graph, jump, &sites));
            if most.is_nan() || most <= AGREE * size {
                continue;
            }
            let sent = sent_out(&wave, space, graph, here, order);
            let sent = graph.binary(Binary::Mul, jump, sent);
            part = graph.binary(Binary::Add, part, sent);
            let power = graph.constant(order as f64);
            let trace = graph.binary(Binary::Pow, wave.since, power);
            traces.push((end.clone(), graph.binary(Binary::Mul, jump, trace)));
        }
    }
    let level = if rough {
        let level = between_ends(space, graph, start.value, wave.x);
        let above = graph.binary(Binary::Sub, start.value, level);
        let goes_on = goes_on(&wave, space, graph, above);
        part = graph.binary(Binary::Add, part, goes_on);
        Some(level)
    } else {
        None
    };
    if part == graph.constant(0.0) {
        return None;
    }
    for statement in said.iter_mut() {
        match (statement.said().cloned(), level) {
            (Some(known), Some(level)) if known.is_same_as(start) => {
                statement.known = Ok(Known { value: level, ..known });
            }
            (Some(known), Some(_)) if known.is_same_as(&velocity) => statement.known = Ok(known),
            _ => {}
        }
        let Ok(known) = &mut statement.known else { continue };
        for (end, trace) in &traces {
            if known.is_same_as(end) {
                known.value = graph.binary(Binary::Sub, known.value, *trace);
            }
        }
    }
    Some(part)
}

/// The wave that the unknown is, if it begins with `start`.
fn wave(equation: &Leading, space: &Space<'_>, graph: &mut Graph, start: &Known) -> Option<Wave> {
    let nothing = graph.constant(0.0);
    let t = start.coordinate;
    let mut others = (0..space.coordinates.len()).filter(|&c| c != t && equation.second[c] != nothing);
    let (Some(x), None) = (others.next(), others.next()) else { return None };
    let alone = (0..space.coordinates.len()).all(|c| c == t || equation.first[c] == nothing);
    if equation.second[t] == nothing || !alone || start.at != space.coordinates[t].lower {
        return None;
    }
    let constant = |graph: &mut Graph, node: NodeId| {
        let node = equation.coefficient(space, graph, node, &[])?;
        (0..space.coordinates.len()).all(|c| !reads(graph, node, c)).then_some(node)
    };
    let square = graph.binary(Binary::Div, equation.second[x], equation.second[t]);
    let square = graph.unary(Unary::Neg, square);
    let square = constant(graph, square)?;
    let speed = graph.unary(Unary::Sqrt, square);
    let damping = if equation.first[t] == nothing {
        None
    } else {
        let damping = graph.binary(Binary::Div, equation.first[t], equation.second[t]);
        let (damping, two) = (constant(graph, damping)?, graph.constant(2.0));
        let damping = graph.binary(Binary::Div, damping, two);
        Some(graph.binary(Binary::Div, damping, speed))
    };
    let since = space.distance(graph, start.face());
    let site = space.inputs(vec![vec![0.0; space.coordinates.len()]]);
    let ways = values(graph, speed, &site)[0] * space.side(t) / space.side(x);
    (ways <= REFLECTIONS as f64).then_some(Wave { begin: start.face(), x, speed, damping, since, ways })
}

/// What an end sends out from the start on: (t − d/c)ⁿ where that is positive, n being 0 or 1, and what comes back of it.
fn sent_out(wave: &Wave, space: &Space<'_>, graph: &mut Graph, here: (usize, f64), order: usize) -> NodeId {
    let side = space.side(here.0);
    let distance = space.distance(graph, here);
    let nothing = graph.constant(0.0);
    let mut sum = nothing;
    // The k-th has gone from end to end k times before it is on its way again, away from the end if k is even.
    for k in 0..=wave.ways as usize {
        let before = graph.constant(side * (k + k % 2) as f64);
        let way = if k % 2 == 0 { Binary::Add } else { Binary::Sub };
        let way = graph.binary(way, before, distance);
        let taken = graph.binary(Binary::Div, way, wave.speed);
        let late = graph.binary(Binary::Sub, wave.since, taken);
        let mut shape = match order {
            0 => graph.unary(Unary::Step, late),
            _ => graph.binary(Binary::Max, late, nothing),
        };
        if let Some(damping) = wave.damping {
            let lost = graph.binary(Binary::Mul, damping, way);
            let lost = graph.unary(Unary::Neg, lost);
            let left = graph.unary(Unary::Exp, lost);
            shape = graph.binary(Binary::Mul, shape, left);
        }
        sum = graph.binary(if k % 2 == 0 { Binary::Add } else { Binary::Sub }, sum, shape);
    }
    sum
}

/// The straight line between what a start is at both ends of a coordinate.
fn between_ends(space: &Space<'_>, graph: &mut Graph, start: NodeId, x: usize) -> NodeId {
    let along = &space.coordinates[x];
    let [from, to] = [along.lower, along.upper].map(|end| fixed(graph, start, x, end));
    let side = graph.constant(space.side(x));
    let way = space.distance(graph, (x, along.lower));
    let share = graph.binary(Binary::Div, way, side);
    let rise = graph.binary(Binary::Sub, to, from);
    let rise = graph.binary(Binary::Mul, rise, share);
    graph.binary(Binary::Add, from, rise)
}

/// How a start that vanishes at both ends goes on.
fn goes_on(wave: &Wave, space: &Space<'_>, graph: &mut Graph, start: NodeId) -> NodeId {
    let (lower, side) = (space.coordinates[wave.x].lower, space.side(wave.x));
    let [lower, length, half] = [lower, side, 0.5].map(|x| graph.constant(x));
    let way = space.distance(graph, (wave.x, space.coordinates[wave.x].lower));
    let gone = graph.binary(Binary::Mul, wave.speed, wave.since);
    let mut sum = graph.constant(0.0);
    for (direction, far) in [(Binary::Sub, -wave.ways), (Binary::Add, wave.ways)] {
        let place = graph.binary(direction, way, gone);
        // The cells that the place comes through, mirrored in turn.
        let (first, last) = ((far.min(0.0)).floor() as i32, (far.max(0.0) + 1.0).ceil() as i32);
        for cell in first..last {
            let mirrored = cell % 2 != 0;
            let before = graph.constant(side * f64::from(if mirrored { cell + 1 } else { cell }));
            let within = match mirrored {
                true => graph.binary(Binary::Sub, before, place),
                false => graph.binary(Binary::Sub, place, before),
            };
            let left = graph.binary(Binary::Sub, length, within);
            let [entered, not_left] = [within, left].map(|x| graph.unary(Unary::Step, x));
            let inside = graph.binary(Binary::Mul, entered, not_left);
            let there = graph.binary(Binary::Add, lower, within);
            let (lean, roots) = graph.extract(&[start]);
            let value = lean.transplant(&roots, graph, |graph, leaf| match leaf {
                Node::Coordinate { coordinate, .. } if coordinate == wave.x => there,
                leaf => graph.insert(leaf),
            })[0];
            let term = graph.binary(Binary::Mul, inside, value);
            sum = graph.binary(if mirrored { Binary::Sub } else { Binary::Add }, sum, term);
        }
    }
    graph.binary(Binary::Mul, half, sum)
}
