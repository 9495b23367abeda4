//! The coefficients of an unknown's equation, where that is of second order and the only one with its derivatives.
//!
//! It knows formulas and conditions; it does not know what is made of the coefficients.

use rand::RngExt;

use super::interpolant::snapped;
use super::space::{Space, fixed};
use crate::expr::{Binary, Graph, Node, NodeId, Unary};
use crate::jet::MultiIndex;
use crate::problem::Problem;
use crate::rng;

/// Random values of the unknowns with which an equation's coefficients are looked at.
const DRAWS: usize = 32;
/// What they may differ by.
const SAME: f64 = 1e-9;

/// The coefficients of an unknown's only equation.
pub(super) struct Leading {
    pub(super) output: usize,
    /// For every coordinate: of the first derivative.
    pub(super) first: Vec<NodeId>,
    /// For every coordinate: of the second one.
    pub(super) second: Vec<NodeId>,
}

impl Leading {
    /// Of the equation that has derivatives of `output`; `None` if there are several, or higher and mixed ones.
    pub(super) fn new(
        problem: &Problem,
        space: &Space<'_>,
        graph: &mut Graph,
        output: usize,
    ) -> Option<Self> {
        if problem.unknowns[output].ansatz.is_some() || problem.geometry.is_some() || problem.integrates() {
            return None;
        }
        let mut only = None;
        for condition in problem.conditions.iter().filter(|condition| condition.place.is_interior()) {
            for residual in 0..condition.residuals.roots.len() {
                let root = space.residual(graph, condition, residual)?;
                let jets = graph.jets(&[root]);
                if jets.iter().any(|(of, index)| *of == output && index.order() > 0)
                    && only.replace(root).is_some()
                {
                    return None;
                }
            }
        }
        let root = only?;
        let own = graph.jets(&[root]).into_iter().filter(|(of, _)| *of == output).map(|(_, index)| index);
        let pure = |index: &MultiIndex| {
            index.order() <= 2 && index.coordinates().all(|c| index.get(c) == index.order())
        };
        if !own.collect::<Vec<_>>().iter().all(pure) {
            return None;
        }
        let mut slope = |order: usize, c: usize| {
            let index = (0..order).fold(MultiIndex::VALUE, |index, _| index.plus(c));
            slope(space, graph, root, output, index)
        };
        let count = problem.coordinates.len();
        let first = (0..count).map(|c| slope(1, c)).collect();
        let second = (0..count).map(|c| slope(2, c)).collect();
        Some(Self { output, first, second })
    }

    /// κ of u_t = κ·u_xx + … at a place where both coordinates are fixed, over the others; `None` where it is none.
    pub(super) fn diffusivity(
        &self,
        space: &Space<'_>,
        graph: &mut Graph,
        (t, begin): (usize, f64),
        (x, at): (usize, f64),
    ) -> Option<NodeId> {
        let nothing = graph.constant(0.0);
        if self.second[t] != nothing || t == x {
            return None;
        }
        let ratio = graph.binary(Binary::Div, self.second[x], self.first[t]);
        // Backwards from an end, time is counted from there.
        let ratio = if begin == space.coordinates[t].upper { ratio } else { graph.unary(Unary::Neg, ratio) };
        self.coefficient(space, graph, ratio, &[(t, begin), (x, at)])
    }

    /// A positive coefficient over the coordinates that are not fixed; `None` if it depends on the unknowns.
    pub(super) fn coefficient(
        &self,
        space: &Space<'_>,
        graph: &mut Graph,
        mut node: NodeId,
        at: &[(usize, f64)],
    ) -> Option<NodeId> {
        for &(coordinate, value) in at {
            node = fixed(graph, node, coordinate, value);
        }
        let (lean, roots) = graph.extract(&[node]);
        let sites = space.sites(at);
        let mut random = rng::stream(0, "similar");
        let mut scratch = vec![];
        let mut found: Vec<Vec<f64>> = vec![vec![]; sites.len()];
        for (found, site) in found.iter_mut().zip(&sites) {
            for _ in 0..DRAWS {
                let mut draw = || 2.0 * random.random::<f64>() - 1.0;
                lean.eval(&mut scratch, |node| match node {
                    Node::Data(_) => draw(),
                    Node::Coordinate { coordinate, .. } => site[coordinate],
                    _ => f64::NAN,
                });
                // Where an equation is not that of the derivatives, as where an option is exercised, there is no coefficient.
                found.extend(Some(scratch[roots[0].index()]).filter(|x| !x.is_nan()));
            }
        }
        let all: Vec<f64> = found.iter().flatten().copied().collect();
        let same = |values: &[f64]| values.iter().all(|x| (x - values[0]).abs() <= SAME * values[0].abs());
        if all.is_empty()
            || !all.iter().all(|x| *x > 0.0 && x.is_finite())
            || !found.iter().all(|each| same(each))
        {
            return None;
        }
        if !lean.nodes().iter().any(|node| matches!(node, Node::Data(_))) {
            return Some(node);
        }
        same(&all).then(|| graph.constant(snapped(all[0])))
    }
}

/// The derivative of an equation after one of the derivatives in it; all of them are data, numbered as they are sorted.
pub(super) fn slope(
    space: &Space<'_>,
    graph: &mut Graph,
    root: NodeId,
    output: usize,
    index: MultiIndex,
) -> NodeId {
    let jets: Vec<_> = graph.jets(&[root]).into_iter().collect();
    let place = |jet: (usize, MultiIndex)| jets.iter().position(|other| *other == jet);
    let unknown = Node::Coordinate { coordinate: space.unknown(), side: 0 };
    let (lean, roots) = graph.extract(&[root]);
    let varied = lean.transplant(&roots, graph, |graph, leaf| match leaf {
        Node::Jet { output: of, index: which, .. } if (of, which) == (output, index) => graph.insert(unknown),
        Node::Jet { output, index, .. } => {
            let place = place((output, index)).expect("a derivative of the equation");
            graph.insert(Node::Data(place))
        }
        leaf => graph.insert(leaf),
    });
    let slope = graph.derivative(varied[0], space.unknown());
    let Some(own) = place((output, index)) else { return slope };
    let (lean, roots) = graph.extract(&[slope]);
    lean.transplant(&roots, graph, |graph, leaf| {
        graph.insert(if leaf == unknown { Node::Data(own) } else { leaf })
    })[0]
}
