//! A function that has given values and derivatives on faces, and a factor that vanishes there.
//!
//! Along one coordinate these are Hermite's interpolation polynomials; over several, the Boolean sum of them: what one
//! coordinate's polynomial does not fulfil of another's data is added (Gordon and Hall 1973; the theory of functional
//! connections, Mortari 2017, is the same in general form).
//! Polynomials are written as products of distances from faces, in units of the domain's sides, so that nothing cancels.
//! It knows formulas and coordinates; it does not know where data come from.

use super::known::Known;
use super::space::{Space, fixed, greatest, reads, values};
use crate::auto::layers::Layer;
use crate::expr::{Binary, Digits, Graph, Node, NodeId, Unary, is_time};
use crate::problem::{Coordinate, REACH, bent, risen};

/// What is smaller than this, relative to what it is the difference of, is nothing.
const NOTHING: f64 = 1e-13;
/// An interpolant is at most so many times as large as the data it is made of.
const LARGEST: f64 = 10.0;

/// Where a start lies inside the domain the factor of its values is tanh(3·s), s from 0 to 1 over a window of time: it is odd.
const RISE: f64 = 3.0;
/// The number of derivatives, from the value up, in which tanh(t) is t at the start.
const STRAIGHT: usize = 3;

/// Where a coordinate's data lie, with all derivatives from the value up: `(place, how many)`.
pub(super) type Nodes = Vec<(f64, usize)>;

/// The coordinates along which there are data, and where.
pub(super) fn directions(data: &[Known]) -> Vec<(usize, Nodes)> {
    let along = |c: usize| {
        let mut nodes: Nodes = Vec::new();
        for known in data.iter().filter(|known| known.coordinate == c) {
            match nodes.iter_mut().find(|(at, _)| *at == known.at) {
                Some((_, count)) => *count += 1,
                None => nodes.push((known.at, 1)),
            }
        }
        nodes.sort_by(|a, b| a.0.total_cmp(&b.0));
        (c, nodes)
    };
    let coordinates = data.iter().map(|known| known.coordinate + 1).max().unwrap_or(0);
    (0..coordinates).map(along).filter(|(_, nodes)| !nodes.is_empty()).collect()
}

/// The interpolant of `data`, all of one unknown, as short as the order of the coordinates can make it.
///
/// # Errors
///
/// Why there is none that is of use.
pub(super) fn interpolant(graph: &mut Graph, data: &[Known], space: &Space<'_>) -> Result<NodeId, String> {
    let directions = directions(data);
    let mut best: Option<(usize, Graph, NodeId)> = None;
    for order in orders(directions.len()) {
        let mut graph = graph.clone();
        let mut sum = graph.constant(0.0);
        for i in order {
            let (coordinate, nodes) = &directions[i];
            sum = add_direction(&mut graph, sum, data, *coordinate, nodes, space);
        }
        let length = written_length(&graph, sum);
        if best.as_ref().is_none_or(|(shortest, ..)| length < *shortest) {
            best = Some((length, graph, sum));
        }
    }
    let (_, found, root) = best.expect("there is an order");
    *graph = found;
    let size = data
        .iter()
        .map(|known| known.size(graph, space) * space.side(known.coordinate).powi(known.order as i32));
    let size = size.fold(0.0, f64::max);
    let reached = greatest(&values(graph, root, &space.sites(&[])));
    if reached.is_nan() || reached > LARGEST * size {
        return Err("an interpolation of what is given would be much larger than that".to_owned());
    }
    Ok(root)
}

/// `sum` and what it lacks of the data along `coordinate`.
fn add_direction(
    graph: &mut Graph,
    sum: NodeId,
    data: &[Known],
    coordinate: usize,
    nodes: &Nodes,
    space: &Space<'_>,
) -> NodeId {
    // What is missing at every node, derivative by derivative.
    let mut missing: Vec<Vec<NodeId>> = Vec::new();
    for &(at, count) in nodes {
        let here = space.sites(&[(coordinate, at)]);
        let mut derivative = sum;
        let mut all = Vec::new();
        for order in 0..count {
            if order > 0 {
                derivative = graph.derivative(derivative, coordinate);
            }
            let has = fixed(graph, derivative, coordinate, at);
            let wanted = data.iter().find(|k| (k.coordinate, k.order) == (coordinate, order) && k.at == at);
            let wanted = wanted.expect("a node has all its derivatives").value;
            let everywhere = greatest(&values(graph, derivative, &space.sites(&[])));
            let size = greatest(&values(graph, wanted, &here)).max(everywhere);
            let rest = graph.binary(Binary::Sub, wanted, has);
            all.push(tidy(graph, rest, &here, size, space));
        }
        missing.push(all);
    }
    let zero = graph.constant(0.0);
    let first: Vec<NodeId> = missing.iter().map(|all| all[0]).collect();
    // The polynomials of the values add up to one, so one of the values may be taken everywhere and left out of all.
    let terms =
        |base: NodeId| usize::from(base != zero) + first.iter().filter(|&&value| value != base).count();
    let plain = first.iter().all(|&value| matches!(graph.node(value), Node::Constant(_)));
    let base = first
        .iter()
        .copied()
        .filter(|&value| terms(value) + usize::from(!plain) <= terms(zero))
        .min_by_key(|&value| terms(value));
    let base = base.unwrap_or(zero);
    let mut terms = vec![base];
    for (j, all) in missing.iter().enumerate() {
        for (order, &value) in all.iter().enumerate() {
            let value = match order {
                0 => graph.binary(Binary::Sub, value, base),
                _ => value,
            };
            if value == zero {
                continue;
            }
            let basis = basis(graph, nodes, j, order, coordinate, space);
            terms.push(graph.binary(Binary::Mul, value, basis));
        }
    }
    terms.into_iter().fold(sum, |sum, term| graph.binary(Binary::Add, sum, term))
}

/// Hermite's polynomial whose derivative of order `order` is one at node `j`, and all others are zero at all nodes.
fn basis(
    graph: &mut Graph,
    nodes: &Nodes,
    j: usize,
    order: usize,
    coordinate: usize,
    space: &Space<'_>,
) -> NodeId {
    let (here, count) = nodes[j];
    let along = &space.coordinates[coordinate];
    let side = space.side(coordinate);
    // The other nodes' factors, each one here.
    let mut product = graph.constant(1.0);
    // The Taylor coefficients of their inverse, in powers of (x − a_j)/side.
    let mut series = vec![0.0; count - order];
    series[0] = 1.0;
    for (i, &(there, power)) in nodes.iter().enumerate() {
        if i == j {
            continue;
        }
        let distance = between(graph, coordinate, there, here, (there - here).abs());
        product = times_power(graph, product, distance, power);
        let beta = side / (here - there);
        // (1 + β·s)⁻ᵐ
        let mut binomial = vec![1.0];
        for l in 1..series.len() {
            let last = binomial[l - 1];
            binomial.push(-last * beta * (power + l - 1) as f64 / l as f64);
        }
        series = (0..series.len()).map(|l| (0..=l).map(|k| series[k] * binomial[l - k]).sum()).collect();
    }
    let s = mapped(graph, coordinate, here, along);
    let mut polynomial = graph.constant(0.0);
    for (l, &coefficient) in series.iter().enumerate() {
        let mut term = graph.constant(snapped(coefficient));
        term = times_power(graph, term, s, l);
        polynomial = graph.binary(Binary::Add, polynomial, term);
    }
    let factorial: f64 = (1..=order).map(|k| k as f64).product();
    let mut power = graph.constant(1.0 / factorial);
    if order > 0 {
        let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
        let start = graph.constant(here);
        let mut offset = graph.binary(Binary::Sub, x, start);
        // A tangent that is followed over many windows leads far away.
        if let Some(window) = space.window(coordinate).filter(|_| nodes.len() == 1) {
            if let Some(window) = onwards(here, window, along) {
                offset = bent(graph, offset, REACH * window, count);
            } else if count <= STRAIGHT {
                let length = graph.constant(window / RISE);
                let risen = risen_both_ways(graph, offset, window);
                offset = graph.binary(Binary::Mul, length, risen);
            }
        }
        power = times_power(graph, power, offset, order);
    }
    let basis = graph.binary(Binary::Mul, power, product);
    graph.binary(Binary::Mul, basis, polynomial)
}

/// The factor that vanishes at all nodes, as often as each says; one at the most in the domain.
///
/// In a layer, one of `layers`, it rises as the solution does: a factor that rises across the whole domain would ask for a
/// network as many times as large in the layer.
pub(super) fn factor(
    graph: &mut Graph,
    directions: &[(usize, Nodes)],
    layers: &[&Layer],
    space: &Space<'_>,
) -> NodeId {
    let layer = |coordinate: usize, (at, power): (f64, usize)| {
        let here = |layer: &&&Layer| (layer.coordinate, layer.at, power) == (coordinate, at, 1);
        layers.iter().find(here).copied()
    };
    let mut scale = 1.0;
    for (coordinate, nodes) in directions {
        if !rises(nodes, *coordinate, space) {
            let slow = nodes.iter().copied().filter(|node| layer(*coordinate, *node).is_none()).collect();
            scale /= most(&slow, &space.coordinates[*coordinate]);
        }
    }
    // As few digits as people read; the greatest value is one to within them.
    let mut product = graph.constant(Digits::four(scale));
    for (coordinate, nodes) in directions {
        let along = &space.coordinates[*coordinate];
        for &(at, power) in nodes {
            let distance = if rises(nodes, *coordinate, space) {
                let length = space.window(*coordinate).unwrap_or_else(|| space.side(*coordinate));
                risen_from(graph, *coordinate, at, length, along)
            } else if let Some(layer) = layer(*coordinate, (at, power)) {
                steep(graph, layer, space)
            } else if at == along.upper {
                between(graph, *coordinate, at, along.lower, along.upper - along.lower)
            } else {
                mapped(graph, *coordinate, at, along)
            };
            product = times_power(graph, product, distance, power);
        }
    }
    product
}

/// Is the factor along a coordinate one that rises from a start and stays?
///
/// What evolves from a start soon has nothing to do with how far from it one is.
/// A power of that distance would ask for a network that falls by its inverse: where a value and a velocity are given and
/// the domain is ten times as long as the solution takes to change, by a factor of a hundred.
fn rises(nodes: &Nodes, coordinate: usize, space: &Space<'_>) -> bool {
    let [(at, power)] = nodes[..] else { return false };
    let along = &space.coordinates[coordinate];
    let evolves = space.coordinates.len() == 1 || is_time(&along.name) || power > 1;
    evolves && (at == along.lower || at == along.upper || space.window(coordinate).is_some())
}

/// A length as one goes on from a start; none if one goes both ways.
fn onwards(start: f64, length: f64, along: &Coordinate) -> Option<f64> {
    if start == along.lower { Some(length) } else { (start == along.upper).then_some(-length) }
}

/// The factor of what begins at `a`: 1 − e^{−s} with s from 0 to 1 over the length, or tanh(3·s) where one goes both ways.
///
/// docs/results/autopilot.md has what others came to.
fn risen_from(graph: &mut Graph, coordinate: usize, a: f64, length: f64, along: &Coordinate) -> NodeId {
    let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
    let start = graph.constant(a);
    let distance = graph.binary(Binary::Sub, x, start);
    match onwards(a, length, along) {
        Some(length) => risen(graph, distance, length),
        None => risen_both_ways(graph, distance, length),
    }
}

/// tanh(3·distance/length)
fn risen_both_ways(graph: &mut Graph, distance: NodeId, length: f64) -> NodeId {
    let rate = graph.constant(RISE / length);
    let s = graph.binary(Binary::Mul, rate, distance);
    graph.unary(Unary::Tanh, s)
}

/// 1 − e^{−s/thickness}, s being the distance from the layer's end.
fn steep(graph: &mut Graph, layer: &Layer, space: &Space<'_>) -> NodeId {
    let distance = space.distance(graph, (layer.coordinate, layer.at));
    risen(graph, distance, layer.thickness)
}

/// The greatest magnitude of Π ((x − a_j)/side)^m_j in the domain.
fn most(nodes: &Nodes, along: &Coordinate) -> f64 {
    const STEPS: usize = 10_000;
    let side = along.upper - along.lower;
    let at = |s: f64| {
        let factor = |&(at, power): &(f64, usize)| (s - (at - along.lower) / side).abs().powi(power as i32);
        nodes.iter().map(factor).product::<f64>()
    };
    (0..=STEPS).map(|i| at(i as f64 / STEPS as f64)).fold(0.0, f64::max)
}

/// (x − a)/side
fn mapped(graph: &mut Graph, coordinate: usize, a: f64, along: &Coordinate) -> NodeId {
    let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
    let a = graph.constant(a);
    let side = graph.constant(along.upper - along.lower);
    let offset = graph.binary(Binary::Sub, x, a);
    graph.binary(Binary::Div, offset, side)
}

/// |x − from|/length on the side of `from` where `to` is.
fn between(graph: &mut Graph, coordinate: usize, from: f64, to: f64, length: f64) -> NodeId {
    let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
    let (a, length) = (graph.constant(from), graph.constant(length));
    let offset = if to > from { graph.binary(Binary::Sub, x, a) } else { graph.binary(Binary::Sub, a, x) };
    graph.binary(Binary::Div, offset, length)
}

/// product · factor^power
fn times_power(graph: &mut Graph, product: NodeId, factor: NodeId, power: usize) -> NodeId {
    let power = graph.constant(power as f64);
    let factor = graph.binary(Binary::Pow, factor, power);
    graph.binary(Binary::Mul, product, factor)
}

/// A formula that is the same at `sites` to within rounding of numbers of size `size`, without what it does not need.
pub(super) fn tidy(
    graph: &mut Graph,
    mut root: NodeId,
    sites: &[Vec<f64>],
    size: f64,
    space: &Space<'_>,
) -> NodeId {
    let all = values(graph, root, sites);
    if greatest(&all) <= NOTHING * size {
        return graph.constant(0.0);
    }
    // A name, or a name with its sign, says more than its number.
    if all.iter().all(|x| (x - all[0]).abs() <= NOTHING * size) && written_length(graph, root) > 2 {
        return graph.constant(snapped(all[0]));
    }
    for (c, along) in space.coordinates.iter().enumerate() {
        if !reads(graph, root, c) {
            continue;
        }
        let place = if along.lower <= 0.0 && along.upper >= 0.0 { 0.0 } else { along.lower };
        let without = fixed(graph, root, c, place);
        let same =
            values(graph, without, sites).iter().zip(&all).all(|(a, b)| (a - b).abs() <= NOTHING * size);
        if same {
            root = without;
        }
    }
    root
}

/// The number with the fewest digits that is `x` to within its rounding.
pub(super) fn snapped(x: f64) -> f64 {
    let candidates = (0..16).filter_map(|digits| format!("{x:.digits$e}").parse::<f64>().ok());
    candidates.into_iter().find(|short| (short - x).abs() <= 4.0 * f64::EPSILON * x.abs()).unwrap_or(x)
}

/// How many operations `root` has when it is written out.
pub(super) fn written_length(graph: &Graph, root: NodeId) -> usize {
    let (lean, roots) = graph.extract(&[root]);
    let mut lengths: Vec<usize> = Vec::new();
    for node in lean.nodes() {
        let operands = node.operands().map(|a| lengths[a.index()]);
        lengths.push(operands.fold(1, usize::saturating_add));
    }
    lengths[roots[0].index()]
}

/// All orders of `count` things, if they are few; else the one from the last to the first, which is time's place.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count > 3 {
        return vec![(0..count).rev().collect()];
    }
    let mut orders = vec![vec![]];
    for thing in 0..count {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, thing);
                    longer
                })
            })
            .collect();
    }
    orders
}
