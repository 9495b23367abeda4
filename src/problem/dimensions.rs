//! Residuals in which second derivatives along a few coordinates stand for those along all of them.
//!
//! A residual a + Σᵢ cᵢ·u_ii over n coordinates is the mean of a + n/k·Σ cᵢ·u_ii over the subsets of k of them, and the
//! product of two that are drawn one without regard to the other has the residual's square for its mean (stochastic dimension
//! gradient descent, Hu, Shukla, Karniadakis and Kawaguchi 2024, arXiv 2307.12306).
//! This file knows formulas; it does not know who draws subsets, or when.

use super::model::Formula;
use crate::expr::{Binary, Graph, Node, NodeId, Unary};

/// The coordinate along which `node` is a pure second derivative at a residual's own point.
fn along(node: Node) -> Option<usize> {
    let Node::Jet { index, side: 0, .. } = node else { return None };
    let mut coordinates = index.coordinates();
    let first = coordinates.next()?;
    (index.order() == 2 && coordinates.next() == Some(first)).then_some(first)
}

/// The coordinates, in order, along which `residuals` hold pure second derivatives.
pub(crate) fn drawable(residuals: &Formula) -> Vec<usize> {
    let graph = &residuals.graph;
    let nodes = graph.nodes().iter().zip(graph.reachable(&residuals.roots));
    let along: std::collections::BTreeSet<usize> =
        nodes.filter(|(_, needed)| *needed).filter_map(|(&node, _)| along(node)).collect();
    along.into_iter().collect()
}

/// Are derivatives of second and higher orders multiplied by one another, or put into a function?
///
/// Where they are, the mean over subsets is not the residual.
pub(crate) fn tangled(residuals: &Formula) -> bool {
    let graph = &residuals.graph;
    // Of what degree every node is in them, 2 standing for all that is more than linear.
    let mut degrees: Vec<u8> = Vec::with_capacity(graph.nodes().len());
    let of = |degrees: &[u8], id: NodeId| degrees[id.index()];
    for &node in graph.nodes() {
        let degree = match node {
            Node::Jet { index, .. } => u8::from(index.order() >= 2),
            Node::Unary(Unary::Neg, a) => of(&degrees, a),
            Node::Binary(Binary::Add | Binary::Sub, a, b) => of(&degrees, a).max(of(&degrees, b)),
            Node::Binary(Binary::Mul, a, b) => (of(&degrees, a) + of(&degrees, b)).min(2),
            Node::Binary(Binary::Div, a, b) if of(&degrees, b) == 0 => of(&degrees, a),
            node => 2 * node.operands().map(|a| of(&degrees, a)).max().unwrap_or(0).min(1),
        };
        degrees.push(degree);
    }
    residuals.roots.iter().any(|&root| of(&degrees, root) > 1)
}

/// Every residual twice, one after the other, over either of two subsets of the coordinates `among`.
pub(crate) fn over_subsets(residuals: &Formula, among: &[usize], subsets: &[Vec<usize>; 2]) -> Formula {
    let mut graph = Graph::default();
    let [first, second] = subsets.each_ref().map(|subset| {
        let factor = among.len() as f64 / subset.len() as f64;
        residuals.graph.transplant(&residuals.roots, &mut graph, |graph, node| match along(node) {
            Some(coordinate) if subset.contains(&coordinate) => {
                let (factor, jet) = (graph.constant(factor), graph.insert(node));
                graph.binary(Binary::Mul, factor, jet)
            }
            Some(coordinate) if among.contains(&coordinate) => graph.constant(0.0),
            _ => graph.insert(node),
        })
    });
    let roots = first.into_iter().zip(second).flat_map(|(a, b)| [a, b]).collect();
    Formula { graph, roots }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn residual(written: &str) -> Formula {
        let text = format!(
            "training.auto = false\n[coordinates]\nx = {{ domain = [0, 1], count = 4 }}\nt = [0, 1]\n[unknowns]\nu = {{}}\n\
             [conditions.physics]\nplace = \"interior\"\nresidual = \"{written}\"\n"
        );
        Problem::parse(&text).expect("a problem").conditions.swap_remove(0).residuals
    }

    #[test]
    fn what_can_be_drawn_enters_as_a_sum() {
        assert_eq!(drawable(&residual("u_t - laplacian(u) + u_x1x2")), [0, 1, 2, 3]);
        assert_eq!(drawable(&residual("u_tt - u_x2x2")), [1, 4]);
        for (written, is) in [
            ("u_t - laplacian(u)/3 + u^2", false),
            ("u*laplacian(u) - exp(u_x1)*u_x1x1", false),
            ("u_x1x1*u_x2x2 - 1", true),
            ("sin(laplacian(u))", true),
            ("1/u_x1x1", true),
        ] {
            assert_eq!(tangled(&residual(written)), is, "{written}");
        }
    }

    /// The value of each root where the derivative along coordinate i is 10^i, and all else is 1.
    fn values(formula: &Formula) -> Vec<f64> {
        let mut values = vec![];
        formula.graph.eval(&mut values, |node| along(node).map_or(1.0, |i| 10_f64.powi(i as i32)));
        formula.roots.iter().map(|root| values[root.index()]).collect()
    }

    /// The mean over all pairs of subsets, of either residual and of their product.
    #[test]
    fn subsets_have_the_whole_for_their_mean() {
        let whole = residual("u_t*laplacian(u) - 7*u_x2x2 + u_tt - 3");
        let among = [0, 1, 2, 3];
        let pairs: Vec<Vec<usize>> = (0..4).flat_map(|i| (0..i).map(move |j| vec![i, j])).collect();
        let (mut mean, mut product) = ([0.0; 2], 0.0);
        for first in &pairs {
            for second in &pairs {
                let drawn = values(&over_subsets(&whole, &among, &[first.clone(), second.clone()]));
                mean[0] += drawn[0] / 36.0;
                mean[1] += drawn[1] / 36.0;
                product += drawn[0] * drawn[1] / 36.0;
            }
        }
        let whole = values(&whole)[0];
        assert_eq!(whole, 1111.0 - 70.0 + 10_000.0 - 3.0);
        for (found, wanted) in [(mean[0], whole), (mean[1], whole), (product, whole * whole)] {
            assert!((found / wanted - 1.0).abs() < 1e-14, "{found} {wanted}");
        }
    }
}
