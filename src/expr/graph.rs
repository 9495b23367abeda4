//! Formulas as a graph of shared nodes: what the engines compute and what is differentiated symbolically.
//!
//! Nodes are interned, so equal sub-expressions are one node, and every node's operands come before it.
//! The graph knows arithmetic; it does not know networks or problem files.

use std::collections::HashMap;

use crate::jet::MultiIndex;

/// A node of a [`Graph`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The node's place in [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A function of one argument.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unary {
    /// `−a`
    Neg,
    /// `sin a`
    Sin,
    /// `cos a`
    Cos,
    /// `tan a`
    Tan,
    /// `arcsin a`
    Asin,
    /// `arccos a`
    Acos,
    /// `arctan a`
    Atan,
    /// `sinh a`
    Sinh,
    /// `cosh a`
    Cosh,
    /// `tanh a`
    Tanh,
    /// `eᵃ`
    Exp,
    /// The natural logarithm.
    Ln,
    /// `√a`
    Sqrt,
    /// `|a|`; its derivative is [`Unary::Sign`].
    Abs,
    /// −1, 0 or 1.
    Sign,
    /// 0 for a < 0, ½ at 0, 1 for a > 0.
    Step,
    /// The error function.
    Erf,
    /// The standard normal distribution function Φ.
    Phi,
}

/// A function of two arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a·b`
    Mul,
    /// `a/b`
    Div,
    /// `aᵇ`; a constant integer exponent takes any base, another needs a positive base.
    Pow,
    /// The smaller.
    Min,
    /// The greater.
    Max,
}

/// One operation or one input of a formula.
///
/// `side` is 0 except in periodic conditions, which look at two opposite points at once:
/// there 0 is the point on the lower face and 1 its partner on the upper face.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Node {
    /// A number.
    Constant(f64),
    /// A coordinate of the point.
    Coordinate {
        /// Which coordinate.
        coordinate: usize,
        /// Which of the linked points.
        side: usize,
    },
    /// A further column of the data file the points come from.
    Data(usize),
    /// A derivative of a raw network output.
    Jet {
        /// Which output of the network.
        output: usize,
        /// Which derivative.
        index: MultiIndex,
        /// Which of the linked points.
        side: usize,
    },
    /// A trainable coefficient of the equation.
    Coefficient(usize),
    /// A function of one argument.
    Unary(Unary, NodeId),
    /// A function of two arguments.
    Binary(Binary, NodeId, NodeId),
}

/// A set of formulas with shared nodes; see the module.
#[derive(Clone, Default, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    interned: HashMap<Key, NodeId>,
}

/// A node with its number as bits, so that it can be hashed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Constant(u64),
    Coordinate(usize, usize),
    Data(usize),
    Jet(usize, MultiIndex, usize),
    Coefficient(usize),
    Unary(Unary, NodeId),
    Binary(Binary, NodeId, NodeId),
}

impl From<Node> for Key {
    fn from(node: Node) -> Self {
        match node {
            Node::Constant(x) => Self::Constant(x.to_bits()),
            Node::Coordinate { coordinate, side } => Self::Coordinate(coordinate, side),
            Node::Data(column) => Self::Data(column),
            Node::Jet { output, index, side } => Self::Jet(output, index, side),
            Node::Coefficient(k) => Self::Coefficient(k),
            Node::Unary(f, a) => Self::Unary(f, a),
            Node::Binary(f, a, b) => Self::Binary(f, a, b),
        }
    }
}

impl Graph {
    /// The nodes; operands come before what uses them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node behind an id.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// The id of `node`, which is added if it is new; nothing is simplified.
    pub fn insert(&mut self, node: Node) -> NodeId {
        let next = NodeId(u32::try_from(self.nodes.len()).expect("a formula has fewer than 2³² nodes"));
        let id = *self.interned.entry(node.into()).or_insert(next);
        if id == next {
            self.nodes.push(node);
        }
        id
    }
}
