//! Jumps that a derivative leaves out: the derivative of a jump is taken as zero.
//!
//! It knows formulas; it does not know the text they came from.

use rand::RngExt;

use crate::expr::{Expr, Graph, Node, NodeId, Unary};
use crate::problem::place::Coordinate;
use crate::rng;

/// A jump that a derivative leaves out.
pub(super) struct Jump {
    /// What is zero where the jump is; `None` where parameters that are sought take part in it.
    pub(super) level: Option<Expr>,
    /// The function of it that jumps, `step` or `sign`.
    pub(super) function: Unary,
}

/// Cells along a line in which a level's zero is looked for, and lines.
const CELLS: usize = 64;
const LINES: usize = 16;
/// A level of more operations than this is not looked at.
const MAX_LEVEL: usize = 1000;

/// The first jump of `root` along `coordinate` inside the domain that its symbolic derivative, where jumps have none,
/// leaves out; sought parameters have the entries `entries` of θ.
pub(super) fn lost_jump(
    graph: &mut Graph,
    root: NodeId,
    coordinate: usize,
    coordinates: &[Coordinate],
    entries: &[f64],
) -> Option<Jump> {
    let needed = graph.reachable(&[root]);
    let levels: Vec<_> = (0..needed.len())
        .filter(|&i| needed[i])
        .filter_map(|i| match graph.nodes()[i] {
            Node::Unary(f @ (Unary::Step | Unary::Sign), level) => Some((f, level)),
            _ => None,
        })
        .collect();
    let (whole, whole_root) = graph.extract(&[root]);
    let mut random = rng::stream(0, "jump");
    for (f, level) in levels {
        let (lean, lean_root) = graph.extract(&[level]);
        let fixed = |node: &Node| !matches!(node, Node::Jet { .. } | Node::Data(_));
        let sought = lean.nodes().iter().any(|node| matches!(node, Node::Coefficient(_)));
        if lean.nodes().len() > MAX_LEVEL || !lean.nodes().iter().all(fixed) {
            continue;
        }
        let mut values = Vec::new();
        let mut at = |look: &Look<'_>, graph: &Graph, root: NodeId| {
            graph.eval(&mut values, |node| look.input(node));
            values[root.index()]
        };
        for _ in 0..LINES {
            let point = coordinates.iter().map(|c| c.lower + (c.upper - c.lower) * random.random::<f64>());
            let mut look = Look { point: point.collect(), seed: random.random::<f64>(), entries };
            let Coordinate { lower, upper, .. } = coordinates[coordinate];
            let mut value = |look: &mut Look<'_>, x: f64, graph: &Graph, root: NodeId| {
                look.point[coordinate] = x;
                at(look, graph, root)
            };
            // Off the middle of cells, so that a jump in the middle of the domain is between two of them.
            let place = |i: usize| lower + (upper - lower) * (i as f64 + 0.37) / CELLS as f64;
            let crossing = (0..CELLS - 1).find(|&i| {
                let (a, b) = (
                    value(&mut look, place(i), &lean, lean_root[0]),
                    value(&mut look, place(i + 1), &lean, lean_root[0]),
                );
                a * b < 0.0
            });
            let Some(crossing) = crossing else { continue };
            let (mut low, mut high) = (place(crossing), place(crossing + 1));
            let below = value(&mut look, low, &lean, lean_root[0]).signum();
            for _ in 0..100 {
                let middle = 0.5 * (low + high);
                if value(&mut look, middle, &lean, lean_root[0]).signum() == below {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            // On both sides, at distances that tell a jump from a slope.
            let nearby = 1e-7 * (upper - lower);
            let sides = [low - nearby, high + nearby].map(|x| value(&mut look, x, &whole, whole_root[0]));
            // Against the size along the whole line: near a kink both sides may be next to nothing.
            let along = (0..CELLS).map(|i| value(&mut look, place(i), &whole, whole_root[0]).abs());
            let scale = along.filter(|x| x.is_finite()).fold(sides[0].abs().max(sides[1].abs()), f64::max);
            if sides.iter().all(|x| x.is_finite()) && (sides[1] - sides[0]).abs() > 1e-4 * scale {
                let name = |node| match node {
                    Node::Coordinate { coordinate, .. } => coordinates[coordinate].name.clone(),
                    _ => String::new(),
                };
                let level = if sought { None } else { Some(graph.to_expr(level, 50, &name)?) };
                return Some(Jump { level, function: f });
            }
        }
    }
    None
}

/// A point, and values of the network there that have nothing to do with one another.
struct Look<'a> {
    point: Vec<f64>,
    seed: f64,
    entries: &'a [f64],
}

impl Look<'_> {
    fn input(&self, node: Node) -> f64 {
        match node {
            Node::Coordinate { coordinate, .. } => self.point[coordinate],
            Node::Jet { output, index, .. } => {
                let along = index.coordinates().fold(output as f64, |sum, c| 8.3 * sum + c as f64 + 1.7);
                1.5 + (13.7 * self.seed + 7.1 * along).sin()
            }
            Node::Data(column) => 0.3 + column as f64,
            Node::Coefficient(k) => self.entries[k],
            _ => f64::NAN,
        }
    }
}
