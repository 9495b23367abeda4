//! The terms that an equation is the sum of.
//!
//! What is left of an equation is small or large beside its terms, and beside nothing else.
//! A term counts as what it adds to the equation where the unknowns leave a state that is known, such as a constant: of
//! h·(T − 300) at temperatures between 299 and 301 that is h·(T − 300), not h·300.
//! This file knows formulas; it does not know where the unknowns' values come from.

use crate::expr::{Binary, Graph, Node, NodeId, Unary};
use crate::jet::MultiIndex;
use crate::problem::{Formula, Linked};

/// Products of sums are multiplied out up to this many terms; beyond, a product is one term.
const MAX_TERMS: usize = 256;
/// Sums and products within one another that are looked into.
const MAX_NESTED: usize = 200;

/// Residuals and the terms of each that hold unknowns.
pub(crate) struct Terms {
    graph: Graph,
    residuals: Vec<(NodeId, Vec<NodeId>)>,
    jets: Vec<(usize, MultiIndex)>,
}

/// One residual at a point.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Parts {
    /// The residual in the state that is known.
    pub(crate) known: f64,
    /// What every term adds to it in the other state.
    pub(crate) added: Vec<f64>,
}

impl Terms {
    /// The terms of residuals over the unknowns' own derivatives.
    pub(crate) fn new(formula: Formula) -> Self {
        let Formula { mut graph, roots } = formula;
        let sums: Vec<_> = roots.iter().map(|&root| (root, terms(&mut graph, root, 0))).collect();
        let varies = graph.varies();
        let unknown = |terms: Vec<NodeId>| terms.into_iter().filter(|term| varies[term.index()]).collect();
        let residuals: Vec<(NodeId, Vec<NodeId>)> =
            sums.into_iter().map(|(root, terms)| (root, unknown(terms))).collect();
        let all: Vec<NodeId> =
            residuals.iter().flat_map(|(root, terms)| [&[*root], &terms[..]].concat()).collect();
        let jets = graph.jets(&all).into_iter().collect();
        Self { graph, residuals, jets }
    }

    /// The points that they look at where a place gives `sides` of them.
    pub(crate) fn linked(&self, sides: usize) -> Linked {
        let roots = self.residuals.iter().map(|(root, _)| *root).collect();
        Linked::new(&Formula { graph: self.graph.clone(), roots }, sides)
    }

    /// How many residuals.
    pub(crate) fn residuals(&self) -> usize {
        self.residuals.len()
    }

    /// The derivatives that they read: unknown and multi-index.
    pub(crate) fn jets(&self) -> &[(usize, MultiIndex)] {
        &self.jets
    }

    /// The unknowns whose values or derivatives the terms of residual `k` read.
    pub(crate) fn unknowns(&self, k: usize) -> Vec<usize> {
        let mut unknowns: Vec<usize> =
            self.graph.jets(&self.residuals[k].1).into_iter().map(|(unknown, _)| unknown).collect();
        unknowns.dedup();
        unknowns
    }

    /// The terms of every residual in a state, which is asked for the value of each input of the formulas.
    pub(crate) fn values(&self, state: impl FnMut(Node) -> f64) -> Vec<Vec<f64>> {
        let mut values = vec![];
        self.graph.eval(&mut values, state);
        self.residuals
            .iter()
            .map(|(_, terms)| terms.iter().map(|term| values[term.index()]).collect())
            .collect()
    }

    /// Every residual at one point, between the state `known` and another one.
    ///
    /// Either is asked for the value of each input of the formulas.
    pub(crate) fn parts(&self, known: impl FnMut(Node) -> f64, other: impl FnMut(Node) -> f64) -> Vec<Parts> {
        let (mut before, mut after) = (vec![], vec![]);
        self.graph.eval(&mut before, known);
        self.graph.eval(&mut after, other);
        let parts = |(root, terms): &(NodeId, Vec<NodeId>)| Parts {
            known: before[root.index()],
            added: terms.iter().map(|term| after[term.index()] - before[term.index()]).collect(),
        };
        self.residuals.iter().map(parts).collect()
    }
}

/// The integral of a magnitude, from the sum that an integral is computed by: one term, as large as what it adds up even where
/// that cancels.
fn magnitude(graph: &mut Graph, root: NodeId) -> NodeId {
    match graph.node(root) {
        // The measure, and the sum over the nodes.
        Node::Binary(Binary::Mul, measure, sum) if !graph.varies()[measure.index()] => {
            let (measure, sum) = (graph.unary(Unary::Abs, measure), of_summands(graph, sum));
            graph.binary(Binary::Mul, measure, sum)
        }
        _ => of_summands(graph, root),
    }
}

/// The sum of the magnitudes of what `root` adds up.
fn of_summands(graph: &mut Graph, root: NodeId) -> NodeId {
    match graph.node(root) {
        Node::Binary(Binary::Add | Binary::Sub, a, b) => {
            let (a, b) = (of_summands(graph, a), of_summands(graph, b));
            graph.binary(Binary::Add, a, b)
        }
        _ => graph.unary(Unary::Abs, root),
    }
}

/// What `root` is the sum of, products of sums multiplied out.
fn terms(graph: &mut Graph, root: NodeId, nested: usize) -> Vec<NodeId> {
    if graph.is_whole(root) {
        return vec![magnitude(graph, root)];
    }
    if nested > MAX_NESTED {
        return vec![root];
    }
    let nested = nested + 1;
    match graph.node(root) {
        Node::Unary(Unary::Neg, a) => {
            terms(graph, a, nested).into_iter().map(|term| graph.unary(Unary::Neg, term)).collect()
        }
        Node::Binary(f @ (Binary::Add | Binary::Sub), a, b) => {
            let mut sum = terms(graph, a, nested);
            let others = terms(graph, b, nested);
            let signed = |graph: &mut Graph, term| match f {
                Binary::Sub => graph.unary(Unary::Neg, term),
                _ => term,
            };
            sum.extend(others.into_iter().map(|term| signed(graph, term)));
            if sum.len() > MAX_TERMS { vec![root] } else { sum }
        }
        Node::Binary(Binary::Mul, a, b) => {
            let (left, right) = (terms(graph, a, nested), terms(graph, b, nested));
            if left.len() * right.len() > MAX_TERMS {
                return vec![root];
            }
            let pairs = left.iter().flat_map(|&a| right.iter().map(move |&b| (a, b)));
            pairs.map(|(a, b)| graph.binary(Binary::Mul, a, b)).collect()
        }
        Node::Binary(Binary::Div, a, b) => {
            terms(graph, a, nested).into_iter().map(|term| graph.binary(Binary::Div, term, b)).collect()
        }
        _ => vec![root],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Context, Meaning, Scope, Symbol, parse};

    /// The known part and the terms of a residual over u and u_x, from u = 10 to u = 12 and from u_x = 0 to u_x = 3.
    fn check(text: &str, known: f64, added: &[f64]) {
        let mut graph = Graph::default();
        let mut scope = Scope::new(&mut graph, &["x"]);
        let value = Node::Jet { output: 0, index: MultiIndex::VALUE, side: 0 };
        scope.set("u", Symbol::Value(Meaning::Unknown, graph.insert(value)));
        let context = Context {
            place: "a test",
            allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Unknown],
        };
        let root = scope.lower(&parse(text).unwrap(), &mut graph, context, &mut vec![]).unwrap();
        let terms = Terms::new(Formula { graph, roots: vec![root] });
        let state = |u: f64, slope: f64| {
            move |node| match node {
                Node::Jet { index, .. } if index == MultiIndex::VALUE => u,
                Node::Jet { .. } => slope,
                Node::Coordinate { .. } => 0.5,
                _ => f64::NAN,
            }
        };
        let parts = terms.parts(state(10.0, 0.0), state(12.0, 3.0)).swap_remove(0);
        assert_eq!(parts.added.len(), added.len(), "{text}");
        let found = parts.added.iter().chain([&parts.known]);
        for (found, expected) in found.zip(added.iter().chain([&known])) {
            assert!((found - expected).abs() < 1e-13, "{text}: {parts:?}");
        }
    }

    #[test]
    fn an_equation_is_the_sum_of_its_known_part_and_of_what_its_terms_add() {
        check("u - 9", 1.0, &[2.0]);
        check("2*(u_x + 5*(u - 9))", 10.0, &[6.0, 20.0]);
        check("u*u_x - 7 + 4*x", -5.0, &[36.0]);
        check("(u_x - u)/4 + x", -2.0, &[0.75, -0.5]);
        check("-(u_x - u^2)", 100.0, &[44.0, -3.0]);
        // An integral is one term, and as large as what it adds up: u/2 and −u, over a length of 2.
        check("u_x - integral((1 - 3*step(s - 1))*u, s = 0..2, nodes = 2)", 10.0, &[3.0, -6.0]);
        // A function of a sum is one term.
        check("abs(u - 14) - u_x", 4.0, &[-2.0, -3.0]);
    }
}
