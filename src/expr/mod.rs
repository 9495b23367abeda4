//! The language equations are written in.

mod graph;

pub use graph::{Binary, Graph, Node, NodeId, Unary};
