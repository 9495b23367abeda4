//! How the time since a start enters an ansatz and windows: functions that begin as it does, have a bound, and no pole at complex
//! times, of which a network would have to make up for those nearby.
//!
//! This file knows formulas; it does not know what begins.

use crate::expr::{Binary, Graph, NodeId, Unary};

/// The time τ in which what is followed of the joint bends, as a part of a window's length.
///
/// docs/results/autopilot.md has what others came to, and other w.
pub(crate) const REACH: f64 = 0.5;

/// 1 − e^{−s/τ}: rises from 0 to 1 in a few τ, and has no pole at complex s.
pub(crate) fn risen(graph: &mut Graph, s: NodeId, tau: f64) -> NodeId {
    let [back, one] = [-tau, 1.0].map(|x| graph.constant(x));
    let share = graph.binary(Binary::Div, s, back);
    let left = graph.unary(Unary::Exp, share);
    graph.binary(Binary::Sub, one, left)
}

/// τ·Σ yʲ/j over 0 < j < `order`, y = 1 − e^{−s/τ}, one term at least: begins as s does, up to its derivative of order
/// `order` − 1, and is bounded.
pub(crate) fn bent(graph: &mut Graph, s: NodeId, tau: f64, order: usize) -> NodeId {
    let y = risen(graph, s, tau);
    let mut sum = graph.constant(0.0);
    for j in (1..order.max(2)).rev() {
        let part = graph.constant(tau / j as f64);
        let more = graph.binary(Binary::Add, part, sum);
        sum = graph.binary(Binary::Mul, more, y);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Node;

    #[test]
    fn what_is_followed_begins_as_the_time_does_and_is_bounded() {
        for (order, tau) in [(1, 0.4), (2, 0.4), (3, 0.4), (4, 0.4), (4, -0.4)] {
            let mut graph = Graph::default();
            let s = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
            let mut node = bent(&mut graph, s, tau, order);
            let at = |graph: &Graph, node: NodeId, s: f64| {
                let mut values = vec![];
                graph.eval(&mut values, |_| s);
                values[node.index()]
            };
            let most = tau * (1..order.max(2)).map(|j| 1.0 / j as f64).sum::<f64>();
            assert!((at(&graph, node, 50.0 * tau) - most).abs() < 1e-14, "{order}");
            for derivative in 0..order {
                let expected = if derivative == 1 { 1.0 } else { 0.0 };
                let found = at(&graph, node, 0.0);
                assert!((found - expected).abs() < 1e-12, "{order}: derivative {derivative} is {found}");
                node = graph.derivative(node, 0);
            }
            // The next one is where it bends.
            assert!(order == 1 || at(&graph, node, 0.0).abs() > 1.0, "{order}");
        }
    }
}
