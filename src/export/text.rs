//! Formulas as statements of a programming language.
//!
//! It knows formulas and how a language writes them; it knows no networks.
//! A function that a table gives is called `table_K`, with the orders of its derivative before its arguments; what that is,
//! each language says for itself, of the K-th of [`tables`].

use std::sync::Arc;

use crate::expr::{Binary, Node, Unary};
use crate::jet::ChainRule;
use crate::problem::Formula;
use crate::tabulated::Tabulated;

/// How a language writes what formulas consist of.
pub(super) struct Dialect {
    /// What stands before a name that is given a value.
    pub(super) declare: &'static str,
    /// What ends a statement.
    pub(super) end: &'static str,
    /// A function of one argument, by its name here; the argument is text.
    pub(super) unary: fn(Unary) -> &'static str,
    /// Power, minimum and maximum.
    pub(super) power: &'static str,
    /// See [`Self::power`].
    pub(super) least: &'static str,
    /// See [`Self::power`].
    pub(super) greatest: &'static str,
}

/// An expression longer than this has a name of its own.
const LONG: usize = 72;

/// Statements, and an expression for each root of `formula`; `leaf` writes coordinates, outputs and data.
pub(super) fn statements(
    formula: &Formula,
    dialect: &Dialect,
    tables: &[Arc<Tabulated>],
    leaf: &dyn Fn(Node) -> String,
) -> (Vec<String>, Vec<String>) {
    let (graph, roots) = formula.graph.extract(&formula.roots);
    let mut uses = vec![0_usize; graph.nodes().len()];
    // Squares are written as products of names.
    let mut squared = vec![false; graph.nodes().len()];
    for node in graph.nodes() {
        if let Node::Binary(Binary::Pow, a, b) = *node {
            squared[a.index()] |= graph.node(b) == Node::Constant(2.0);
        }
    }
    roots.iter().for_each(|root| uses[root.index()] += 1);
    graph.nodes().iter().flat_map(|node| node.operands()).for_each(|operand| uses[operand.index()] += 1);
    let (mut lines, mut texts): (Vec<String>, Vec<String>) = (vec![], vec![]);
    for (i, &node) in graph.nodes().iter().enumerate() {
        let text = |id: crate::expr::NodeId| texts[id.index()].as_str();
        let written = match node {
            Node::Constant(x) => {
                texts.push(number(x));
                continue;
            }
            Node::Table(lookup) => {
                let table = graph.looked_up(&lookup);
                let place = tables.iter().position(|known| Arc::ptr_eq(known, table));
                let orders = lookup.orders[..table.arguments.len()].iter().map(u8::to_string);
                let arguments = lookup.arguments().iter().map(|&a| bare(text(a)).to_owned());
                let place = place.expect("a program lists the tables of its formulas");
                format!("table_{place}({})", orders.chain(arguments).collect::<Vec<_>>().join(", "))
            }
            Node::Unary(Unary::Neg, a) => format!("(-{})", text(a)),
            Node::Unary(f, a) => format!("{}({})", (dialect.unary)(f), bare(text(a))),
            Node::Binary(f, a, b) => {
                let (a, b) = (text(a), text(b));
                match f {
                    Binary::Add | Binary::Sub | Binary::Mul | Binary::Div => {
                        format!("({a} {} {b})", f.name())
                    }
                    // As exact as a product of the same factor can be.
                    Binary::Pow if b == "2.0" && is_name(a) => format!("({a} * {a})"),
                    Binary::Pow => format!("{}({}, {})", dialect.power, bare(a), bare(b)),
                    Binary::Min => format!("{}({}, {})", dialect.least, bare(a), bare(b)),
                    Binary::Max => format!("{}({}, {})", dialect.greatest, bare(a), bare(b)),
                }
            }
            input => {
                texts.push(leaf(input));
                continue;
            }
        };
        if uses[i] > 1 || written.len() > LONG || squared[i] {
            lines.push(format!("{}v{i} = {}{}", dialect.declare, bare(&written), dialect.end));
            texts.push(format!("v{i}"));
        } else {
            texts.push(written);
        }
    }
    (lines, roots.iter().map(|root| bare(&texts[root.index()]).to_owned()).collect())
}

/// A channel behind the activation, whose derivatives are called `f0`, `f1`, …; `before` writes a channel in front of it.
pub(super) fn chain_rule(rule: &ChainRule, channel: usize, before: &dyn Fn(usize) -> String) -> String {
    let terms = rule.terms(channel).iter().map(|term| {
        let coefficient =
            if term.coefficient == 1.0 { String::new() } else { format!("{:?} * ", term.coefficient) };
        let factors = term.factors.iter().map(|&factor| format!(" * {}", before(factor)));
        format!("{coefficient}f{}{}", term.factors.len(), factors.collect::<String>())
    });
    terms.collect::<Vec<_>>().join(" + ")
}

/// A number that reads back to the last bit.
pub(super) fn number(x: f64) -> String {
    if x < 0.0 { format!("({x:?})") } else { format!("{x:?}") }
}

fn is_name(text: &str) -> bool {
    !text.contains([' ', '('])
}

/// Without parentheses around all of it.
fn bare(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    for c in inner.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return text;
        }
    }
    inner
}

/// The functions that `formulas` call.
pub(super) fn calls<'a>(formulas: impl IntoIterator<Item = &'a Formula>) -> Vec<Unary> {
    let mut found = vec![];
    for node in formulas.into_iter().flat_map(needed) {
        if let Node::Unary(f, _) = node
            && !found.contains(&f)
        {
            found.push(f);
        }
    }
    found
}

/// The functions given by tables that `formulas` look up.
pub(super) fn tables<'a>(formulas: impl IntoIterator<Item = &'a Formula>) -> Vec<Arc<Tabulated>> {
    let mut found: Vec<Arc<Tabulated>> = vec![];
    for formula in formulas {
        for node in needed(formula) {
            let Node::Table(lookup) = node else { continue };
            let table = formula.graph.looked_up(&lookup);
            if !found.iter().any(|known| Arc::ptr_eq(known, table)) {
                found.push(table.clone());
            }
        }
    }
    found
}

/// Do `formulas` use `wanted`?
pub(super) fn uses<'a>(formulas: impl IntoIterator<Item = &'a Formula>, wanted: Binary) -> bool {
    formulas.into_iter().flat_map(needed).any(|node| matches!(node, Node::Binary(f, ..) if f == wanted))
}

/// The nodes that the roots of a formula need.
fn needed(formula: &Formula) -> impl Iterator<Item = Node> {
    let reached = formula.graph.reachable(&formula.roots);
    formula.graph.nodes().iter().copied().zip(reached).filter(|(_, needed)| *needed).map(|(node, _)| node)
}
