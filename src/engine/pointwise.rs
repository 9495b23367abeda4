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

/// Computes a formula over coordinates and data at one point after the other, without allocating.
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

    /// The roots' values; `sites` holds the coordinates of all linked points, one point after the other.
    pub fn evaluate(&mut self, sites: &[f64], dimensions: usize, data: impl Fn(usize) -> f64) -> &[f64] {
        self.graph.eval(&mut self.values, |node| match node {
            Node::Coordinate { coordinate, side } => sites[side * dimensions + coordinate],
            Node::Data(column) => data(column),
            _ => f64::NAN,
        });
        self.answers.clear();
        self.answers.extend(self.roots.iter().map(|root| self.values[root.index()]));
        &self.answers
    }
}
