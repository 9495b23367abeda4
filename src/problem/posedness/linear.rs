//! Residuals to first order: their values, and their slopes by what the network and the sought parameters give them.
//!
//! Slopes are taken symbolically, by the graph's own derivative: what the residual is differentiated by stands in for
//! coordinates, and coordinates for numbers.
//! It knows formulas; it does not know what is put in for the network.

use crate::expr::{Graph, Node, NodeId};
use crate::jet::{MAX_COORDINATES, MultiIndex};
use crate::problem::model::Formula;

/// Operations beyond which slopes are not taken.
const MOST_OPERATIONS: usize = 20_000;

/// What a residual changes with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::problem) enum Input {
    /// A derivative of a raw output at one of the linked points.
    Jet { output: usize, index: MultiIndex, side: usize },
    /// An entry of θ that is a sought parameter.
    Coefficient(usize),
}

/// Some residuals over one graph, with their slopes.
pub(in crate::problem) struct Linear {
    graph: Graph,
    /// What the residuals change with.
    pub(in crate::problem) inputs: Vec<Input>,
    roots: Vec<NodeId>,
    slopes: Vec<Vec<(usize, NodeId)>>,
    affine: Vec<bool>,
}

/// Where residuals are looked at: both linked points (one point twice, where there is but one), and columns of data.
pub(in crate::problem) struct Site<'a> {
    pub(in crate::problem) rows: [&'a [f64]; 2],
    pub(in crate::problem) data: &'a [f64],
}

impl Linear {
    /// `None` where slopes take too many operations.
    pub(in crate::problem) fn new(formula: &Formula) -> Option<Self> {
        let mut inputs = vec![];
        let mut graph = Graph::default();
        let roots = formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match leaf {
            Node::Constant(_) => graph.insert(leaf),
            Node::Coordinate { coordinate, side } => graph.insert(Node::Data(2 * coordinate + side)),
            Node::Data(column) => graph.insert(Node::Data(2 * MAX_COORDINATES + column)),
            Node::Jet { output, index, side } => {
                let input = Input::Jet { output, index, side };
                graph.insert(stand_in(&mut inputs, input))
            }
            Node::Coefficient(k) => graph.insert(stand_in(&mut inputs, Input::Coefficient(k))),
            Node::Unary(..) | Node::Binary(..) | Node::Table(..) => unreachable!("an operation is no leaf"),
        });
        let mut all = roots.clone();
        let mut taken = vec![];
        for (residual, &root) in roots.iter().enumerate() {
            for input in 0..inputs.len() {
                let slope = graph.derivative(root, input);
                if graph.nodes().len() > MOST_OPERATIONS {
                    return None;
                }
                if graph.node(slope) != Node::Constant(0.0) {
                    taken.push((residual, input));
                    all.push(slope);
                }
            }
        }
        let (lean, copies) = graph.extract(&all);
        let changes = |root: NodeId| {
            let needed = lean.reachable(&[root]);
            lean.nodes()
                .iter()
                .zip(needed)
                .any(|(node, needed)| needed && matches!(node, Node::Coordinate { .. }))
        };
        let mut slopes = vec![vec![]; roots.len()];
        let mut affine = vec![true; roots.len()];
        for ((residual, input), &slope) in taken.into_iter().zip(&copies[roots.len()..]) {
            slopes[residual].push((input, slope));
            affine[residual] &= !changes(slope);
        }
        let roots = copies[..roots.len()].to_vec();
        Some(Self { graph: lean, inputs, roots, slopes, affine })
    }

    pub(in crate::problem) fn residuals(&self) -> usize {
        self.roots.len()
    }

    /// Is a residual a sum of multiples of its inputs, and a rest without them?
    pub(in crate::problem) fn is_affine(&self, residual: usize) -> bool {
        self.affine[residual]
    }

    /// Computes everything where the inputs are `inputs`.
    pub(in crate::problem) fn eval(&self, scratch: &mut Vec<f64>, site: &Site<'_>, inputs: &[f64]) {
        self.graph.eval(scratch, |node| match node {
            Node::Coordinate { coordinate, .. } => inputs[coordinate],
            Node::Data(k) if k < 2 * MAX_COORDINATES => site.rows[k % 2][k / 2],
            Node::Data(k) => site.data[k - 2 * MAX_COORDINATES],
            _ => f64::NAN,
        });
    }

    /// A residual's value, after [`Linear::eval`].
    pub(in crate::problem) fn value(&self, scratch: &[f64], residual: usize) -> f64 {
        scratch[self.roots[residual].index()]
    }

    /// A residual's slopes with the inputs they belong to, after [`Linear::eval`].
    pub(in crate::problem) fn slopes<'a>(
        &'a self,
        scratch: &'a [f64],
        residual: usize,
    ) -> impl Iterator<Item = (usize, f64)> + 'a {
        self.slopes[residual].iter().map(|&(input, slope)| (input, scratch[slope.index()]))
    }
}

/// The coordinate that stands for an input.
fn stand_in(inputs: &mut Vec<Input>, input: Input) -> Node {
    let known = inputs.iter().position(|other| *other == input);
    let coordinate = known.unwrap_or_else(|| {
        inputs.push(input);
        inputs.len() - 1
    });
    Node::Coordinate { coordinate, side: 0 }
}

#[cfg(test)]
mod tests {
    use super::{Input, Linear, Site};
    use crate::problem::Problem;

    #[test]
    fn slopes_are_those_of_the_residuals() {
        let text = "[coordinates]\nx = [0, 2]\n[parameters]\na = { initial = 3 }\n[unknowns]\nu = \"x*net\"\n\
                    [conditions.c]\nplace = \"interior\"\nresidual = [\"a*u*u_x + x^2\", \"u_xx - u\"]\n\
                    [conditions.d]\nplace = \"x = 0\"\nresidual = \"u_x - 1\"\n";
        let problem = Problem::parse(text).unwrap();
        let linear = Linear::new(&problem.conditions[0].residuals).unwrap();
        assert_eq!([linear.is_affine(0), linear.is_affine(1)], [false, true]);
        // net, net_x, net_xx and the entry of a, which is a/3.
        let at = |inputs: &[f64], residual| {
            let mut scratch = vec![];
            linear.eval(&mut scratch, &Site { rows: [&[0.7]; 2], data: &[] }, inputs);
            let mut slopes = vec![0.0; inputs.len()];
            linear.slopes(&scratch, residual).for_each(|(input, slope)| slopes[input] += slope);
            (linear.value(&scratch, residual), slopes)
        };
        assert!(
            linear.inputs.contains(&Input::Coefficient(0)) && linear.inputs.len() == 4,
            "{:?}",
            linear.inputs
        );
        let base = [0.3, -1.2, 0.8, 1.1];
        for residual in [0, 1] {
            for i in 0..4 {
                let moved = |h: f64| {
                    let mut inputs = base;
                    inputs[i] += h;
                    at(&inputs, residual).0
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let found = at(&base, residual).1[i];
                assert!((found - expected).abs() < 1e-8, "{residual} by {i}: {found} {expected}");
            }
        }
    }
}
