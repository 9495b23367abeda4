//! Which channels a residual needs carried through the network.
//!
//! Derivatives that enter a residual linearly, with coefficients that depend on the point alone, need no channel each:
//! the chain rule is linear in the derivative that it is for, so their sum is carried as one channel, an *operator*.
//! Burgers' u_t − ν·u_xx is one channel instead of two, a Laplacian in five dimensions one instead of five.
//! The idea is that of the forward Laplacian (Li et al. 2023, arXiv 2307.08214) and of collapsed Taylor mode (Dangel et
//! al. 2025, arXiv 2505.13644); here it is found in the formula.
//! This file knows formulas; it does not know blocks or kernels.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::pointwise::feature_jets;
use crate::expr::{Binary, Graph, Node, NodeId, Unary};
use crate::jet::{JetSet, MultiIndex};
use crate::problem::Formula;

/// A formula and the channels that it reads.
pub(in crate::engine) struct Carried {
    /// The formula over the channels below; an operator is read as the derivative whose place it takes.
    pub(in crate::engine) formula: Formula,
    /// The channels.
    pub(in crate::engine) jets: JetSet,
    /// What some of the channels hold instead of the derivative that they are named after.
    pub(in crate::engine) operators: Vec<Operator>,
}

/// A sum of derivatives that is carried as one channel.
pub(in crate::engine) struct Operator {
    /// Whose place it takes: the highest of its derivatives.
    pub(in crate::engine) place: MultiIndex,
    /// Derivatives and their coefficients, formulas in the graph of [`Carried::formula`].
    pub(in crate::engine) parts: Vec<(MultiIndex, NodeId)>,
}

impl Carried {
    /// As few channels as `formula` can do with; it needs the derivatives `jets`.
    ///
    /// Residuals that look at several `sides` keep them all.
    pub(in crate::engine) fn new(formula: &Formula, jets: &JetSet, sides: usize) -> Self {
        let collapsed = if sides == 1 { collapse(formula) } else { None };
        collapsed.unwrap_or_else(|| Self { formula: formula.clone(), jets: jets.clone(), operators: vec![] })
    }

    /// The derivatives that channel `index` is the sum of, with their coefficients.
    pub(in crate::engine) fn parts(&mut self, index: MultiIndex) -> Vec<(MultiIndex, NodeId)> {
        match self.operators.iter().find(|operator| operator.place == index) {
            Some(operator) => operator.parts.clone(),
            None => vec![(index, self.formula.graph.constant(1.0))],
        }
    }

    /// The channels of every feature, from the `derivatives` that the formula names: one root for each channel and,
    /// within it, each feature.
    pub(in crate::engine) fn features(&mut self, features: &Formula, derivatives: &JetSet) -> Formula {
        let Formula { mut graph, roots: from } = feature_jets(features, derivatives);
        let count = features.roots.len();
        let mut roots = vec![];
        for &index in self.jets.clone().indices() {
            let parts: Vec<_> = self
                .parts(index)
                .into_iter()
                .map(|(part, factor)| {
                    let part = derivatives.channel(part).expect("an operator's part is a derivative");
                    let insert = |graph: &mut Graph, node| graph.insert(node);
                    (part, self.formula.graph.transplant(&[factor], &mut graph, insert)[0])
                })
                .collect();
            for feature in 0..count {
                let mut sum = graph.constant(0.0);
                for &(part, factor) in &parts {
                    let product = graph.binary(Binary::Mul, factor, from[part * count + feature]);
                    sum = graph.binary(Binary::Add, sum, product);
                }
                roots.push(sum);
            }
        }
        Formula { graph, roots }
    }
}

/// `formula` over operators, if that saves channels.
fn collapse(formula: &Formula) -> Option<Carried> {
    let mut graph = formula.graph.clone();
    let varies = graph.varies();
    let mut tangled = BTreeSet::new();
    // A residual's scale divides the whole: two equations of different scales share an operator.
    let scaled: Vec<(NodeId, Option<f64>)> = formula.roots.iter().map(|&root| scaled(&graph, root)).collect();
    let linear: Vec<_> =
        scaled.iter().map(|&(root, _)| linear_parts(&mut graph, &varies, root, &mut tangled)).collect();
    let mut candidates: BTreeSet<MultiIndex> =
        linear.iter().flat_map(|parts| parts.keys().map(|&(_, index)| index)).collect();
    // The chain rule for a derivative multiplies those below it.
    let below = candidates.iter().flat_map(|index| index.below());
    let kept = JetSet::closure(below.chain(tangled));
    candidates.retain(|&index| kept.channel(index).is_none());

    let mut reduced = Graph::default();
    let whole: Vec<NodeId> = scaled.iter().map(|&(root, _)| root).collect();
    let mut roots = formula.graph.transplant(&whole, &mut reduced, |graph, node| match node {
        Node::Jet { index, .. } if candidates.contains(&index) => graph.constant(0.0),
        node => graph.insert(node),
    });
    let mut operators: Vec<Operator> = vec![];
    for (root, parts) in roots.iter_mut().zip(&linear) {
        let mut sums: BTreeMap<usize, Vec<(MultiIndex, NodeId)>> = BTreeMap::new();
        for (&(output, index), &factor) in parts.iter().filter(|((_, index), _)| candidates.contains(index)) {
            let factor = graph.transplant(&[factor], &mut reduced, |graph, node| graph.insert(node))[0];
            sums.entry(output).or_default().push((index, factor));
        }
        for (output, parts) in sums {
            let place = match operators.iter().find(|operator| operator.parts == parts) {
                Some(known) => known.place,
                None => {
                    let taken = |index: &MultiIndex| operators.iter().any(|known| known.place == *index);
                    let order = parts.iter().map(|(index, _)| index.order()).max()?;
                    let highest =
                        parts.iter().map(|&(index, _)| index).filter(|index| index.order() == order);
                    // Where other operators have all the places that this one could take, nothing is saved.
                    let place = highest.rev().find(|index| !taken(index))?;
                    operators.push(Operator { place, parts });
                    place
                }
            };
            let jet = reduced.insert(Node::Jet { output, index: place, side: 0 });
            *root = reduced.binary(Binary::Add, *root, jet);
        }
    }
    for (root, (_, scale)) in roots.iter_mut().zip(scaled) {
        let Some(scale) = scale else { continue };
        let scale = reduced.constant(scale);
        *root = reduced.binary(Binary::Div, *root, scale);
    }
    let places = operators.iter().map(|operator| operator.place);
    let jets = JetSet::closure(kept.indices().iter().copied().chain(places));
    let saves = operators.len() < candidates.len();
    saves.then_some(Carried { formula: Formula { graph: reduced, roots }, jets, operators })
}

/// What `root` divides by a number, and the number.
fn scaled(graph: &Graph, root: NodeId) -> (NodeId, Option<f64>) {
    match graph.node(root) {
        Node::Binary(Binary::Div, whole, scale) => match graph.node(scale) {
            Node::Constant(scale) => (whole, Some(scale)),
            _ => (root, None),
        },
        Node::Unary(Unary::Neg, quotient) => match scaled(graph, quotient) {
            (whole, Some(scale)) => (whole, Some(-scale)),
            _ => (root, None),
        },
        _ => (root, None),
    }
}

/// The derivatives of network outputs that `root` holds linearly, with their coefficients.
///
/// Those that it holds in any other way as well are added to `tangled`.
fn linear_parts(
    graph: &mut Graph,
    varies: &[bool],
    root: NodeId,
    tangled: &mut BTreeSet<MultiIndex>,
) -> BTreeMap<(usize, MultiIndex), NodeId> {
    use Binary::{Add, Div, Mul, Sub};
    let mut parts = BTreeMap::new();
    // What a node is multiplied with on its way into the root; and is there another way?
    let mut factors: Vec<Option<NodeId>> = vec![None; root.index() + 1];
    let mut mixed = vec![false; root.index() + 1];
    factors[root.index()] = Some(graph.constant(1.0));
    // Operands come before what uses them, so a node is seen after all its users.
    for place in (0..=root.index()).rev().filter(|&place| varies[place]) {
        let give = |graph: &mut Graph, factors: &mut [Option<NodeId>], to: NodeId, factor: NodeId| {
            let place = &mut factors[to.index()];
            *place = Some(place.map_or(factor, |sum| graph.binary(Add, sum, factor)));
        };
        let node = graph.nodes()[place];
        match (node, factors[place].filter(|_| !mixed[place])) {
            (Node::Jet { output, index, .. }, Some(factor)) => {
                parts.insert((output, index), factor);
            }
            (Node::Jet { index, .. }, None) if mixed[place] => {
                tangled.insert(index);
            }
            (Node::Unary(Unary::Neg, a), Some(factor)) => {
                let minus = graph.unary(Unary::Neg, factor);
                give(graph, &mut factors, a, minus);
            }
            (Node::Binary(Add, a, b), Some(factor)) => {
                give(graph, &mut factors, a, factor);
                give(graph, &mut factors, b, factor);
            }
            (Node::Binary(Sub, a, b), Some(factor)) => {
                give(graph, &mut factors, a, factor);
                let minus = graph.unary(Unary::Neg, factor);
                give(graph, &mut factors, b, minus);
            }
            (Node::Binary(Mul, a, b), Some(factor)) if !varies[a.index()] || !varies[b.index()] => {
                let (known, other) = if varies[a.index()] { (b, a) } else { (a, b) };
                let product = graph.binary(Mul, factor, known);
                give(graph, &mut factors, other, product);
            }
            (Node::Binary(Div, a, b), Some(factor)) if !varies[b.index()] => {
                let quotient = graph.binary(Div, factor, b);
                give(graph, &mut factors, a, quotient);
            }
            (node, factor) => {
                if factor.is_some() || mixed[place] {
                    node.operands().for_each(|a| mixed[a.index()] = true);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Document, embedded};
    use std::path::Path;

    /// Channels of the first condition of a built-in problem: carried, and named by the formula.
    fn channels(name: &str) -> (usize, usize) {
        let (name, text) = embedded().iter().find(|(known, _)| *known == name).expect("a built-in problem");
        let problem = Document::parse(name, text).expect("TOML").build(Path::new("")).expect("a problem").0;
        let condition = &problem.conditions[0];
        let carried = Carried::new(&condition.residuals, &condition.jets, condition.sides());
        (carried.jets.channels(), condition.jets.channels())
    }

    #[test]
    fn residuals_of_different_scales_share_an_operator() {
        let (_, text) =
            embedded().iter().find(|(known, _)| *known == "kovasznay").expect("a built-in problem");
        let mut document = Document::parse("kovasznay", text).expect("TOML");
        document.set("conditions.momentum.scale", "[3, 5]").expect("a key");
        let problem = document.build(Path::new("")).expect("a problem").0;
        let condition = &problem.conditions[0];
        let carried = Carried::new(&condition.residuals, &condition.jets, condition.sides());
        assert_eq!(carried.jets.channels(), 4);
    }

    #[test]
    fn a_laplacian_in_a_hundred_dimensions_takes_one_channel() {
        let channels = |residual: &str| {
            let text = format!(
                "[coordinates]\nx = {{ domain = [0, 1], count = 100 }}\n[unknowns]\nu = {{}}\n\
                 [conditions.physics]\nplace = \"interior\"\nresidual = \"{residual}\""
            );
            let document = Document::parse("test", &text).expect("TOML");
            let problem = document.build(Path::new("")).expect("a problem").0;
            let condition = &problem.conditions[0];
            Carried::new(&condition.residuals, &condition.jets, condition.sides()).jets.channels()
        };
        // u, a hundred slopes, and the operator.
        assert_eq!(channels("laplacian(u) - 200"), 102);
        assert_eq!(channels("sum(x[i]*u_x[i]x[i], i) + u^2"), 102);
    }

    #[test]
    fn operators_take_one_channel() {
        // u, u_x and u_t − ν·u_xx.
        assert_eq!(channels("burgers-soft"), (3, 4));
        // An ansatz multiplies the operator with a function of the point.
        assert_eq!(channels("burgers"), (3, 4));
        // Coefficients depend on the point.
        assert_eq!(channels("black-scholes-soft"), (3, 4));
        // Two outputs share −ν·(u_xx + u_yy).
        assert_eq!(channels("kovasznay"), (4, 5));
        // u, five slopes and the Laplacian.
        assert_eq!(channels("poisson-5d"), (7, 11));
        // u_t goes along with u_xxx.
        assert_eq!(channels("kdv"), (4, 5));
        // w_tt goes along with w_xxxx.
        assert_eq!(channels("beam"), (6, 7));
        // The coefficient of u_xx is trained.
        assert_eq!(channels("burgers-inverse").0, channels("burgers-inverse").1);
    }
}
