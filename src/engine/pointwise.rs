//! What depends on points alone: jets of the features, and the columns of a residual that no network enters.
//!
//! Both are computed once, in double precision, when an engine is given its points.

use crate::expr::{Graph, Node, NodeId};
use crate::jet::JetSet;
use crate::problem::Formula;

/// The derivatives of every feature that `jets` names: one root for each channel and, within it, each feature.
///
/// # Panics
/// If they take more operations than a problem may have, which building the problem rules out.
pub fn feature_jets(features: &Formula, jets: &JetSet) -> Formula {
    features.derivatives(jets).expect("a problem's features were differentiated when it was built")
}

/// Computes a formula over coordinates and data at some points together, without allocating once it has room for so many.
pub struct Evaluator {
    graph: Graph,
    roots: Vec<NodeId>,
    values: Vec<f64>,
    answers: Vec<f64>,
}

impl Evaluator {
    /// For a formula that no network enters.
    pub fn new(formula: &Formula) -> Self {
        let (graph, roots) = formula.graph.extract(&formula.roots);
        Self { graph, roots, values: vec![], answers: vec![] }
    }

    /// The roots' values at so many places, root by root: `roots × places` numbers.
    ///
    /// `coordinate(place, side, which)` and `data(place, column)` are asked for what the formula reads there.
    pub fn evaluate(
        &mut self,
        places: usize,
        coordinate: impl Fn(usize, usize, usize) -> f64,
        data: impl Fn(usize, usize) -> f64,
    ) -> &[f64] {
        self.graph.eval_at(places, &mut self.values, |node, place| match node {
            Node::Coordinate { coordinate: which, side } => coordinate(place, side, which),
            Node::Data(column) => data(place, column),
            _ => f64::NAN,
        });
        self.answers.clear();
        for root in &self.roots {
            self.answers.extend_from_slice(&self.values[root.index() * places..][..places]);
        }
        &self.answers
    }
}
