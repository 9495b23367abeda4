//! What a formula's value is worth: how far rounding may have moved it, and how large the terms are that it is the sum of.
//!
//! Errors are carried along with the values (running error analysis, Higham 2002, section 3.3).
//! An operation's arguments are moved by their errors to see what becomes of that, which needs no derivatives and takes
//! jumps for what they are; errors are carried larger than they are by [`INFLATION`], lest moving an argument be rounding
//! itself.

use super::{Binary, Graph, Node, Unary};
use crate::tabulated::Tabulated;

/// A power of two, small enough that what it makes of a rounding error is still small.
const INFLATION: f64 = (1_u64 << 22) as f64;
/// The rounding of one operation or one number, carried.
const UNIT: f64 = f64::EPSILON * INFLATION;

/// A value and what it is worth.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// About the greatest error that rounding may have left in it.
    pub rounding: f64,
    /// The sum of the magnitudes of the terms it is a sum of; products of sums multiply out.
    pub size: f64,
}

impl Measured {
    /// A number as it is stored: rounded once, unless it is whole.
    pub fn number(value: f64) -> Self {
        let rounding = if value.fract() == 0.0 { 0.0 } else { f64::EPSILON * value.abs() };
        Self { value, rounding, size: value.abs() }
    }
}

impl Graph {
    /// All nodes' values as [`Graph::eval`] gives them, and what they are worth.
    pub fn measure(&self, measured: &mut Vec<Measured>, mut input: impl FnMut(Node) -> Measured) {
        measured.clear();
        for &node in self.nodes() {
            let result = match node {
                Node::Constant(x) => Measured::number(x),
                Node::Unary(f, a) => unary(f, measured[a.index()]),
                Node::Binary(f, a, b) => binary(f, measured[a.index()], measured[b.index()]),
                Node::Table(lookup) => {
                    let table = self.looked_up(&lookup);
                    let arguments = lookup.arguments().iter().map(|a| measured[a.index()]);
                    tabulated(table, &lookup.orders, &arguments.collect::<Vec<_>>())
                }
                node => input(node),
            };
            measured.push(result);
        }
    }
}

fn unary(f: Unary, a: Measured) -> Measured {
    let value = f.apply(a.value);
    let size = if f == Unary::Neg { a.size } else { value.abs() };
    let moved = moved(value, a, |a| f.apply(a));
    Measured { value, rounding: rounded(value, moved), size }
}

fn binary(f: Binary, a: Measured, b: Measured) -> Measured {
    let value = f.apply(a.value, b.value);
    let size = match f {
        Binary::Add | Binary::Sub => a.size + b.size,
        Binary::Mul => a.size * b.size,
        Binary::Div => a.size / b.value.abs(),
        Binary::Pow if b.rounding == 0.0 && b.value > 0.0 => a.size.powf(b.value),
        _ => value.abs(),
    };
    let moved = moved(value, a, |a| f.apply(a, b.value)) + moved(value, b, |b| f.apply(a.value, b));
    Measured { value, rounding: rounded(value, moved), size }
}

fn tabulated(table: &Tabulated, orders: &[u8], arguments: &[Measured]) -> Measured {
    let at: Vec<f64> = arguments.iter().map(|argument| argument.value).collect();
    let value = table.evaluate(&at, orders);
    let of = |k: usize| {
        moved(value, arguments[k], |x| {
            let mut at = at.clone();
            at[k] = x;
            table.evaluate(&at, orders)
        })
    };
    let moved = (0..arguments.len()).map(of).sum();
    Measured { value, rounding: rounded(value, moved), size: value.abs() }
}

/// By how much `f`, which is `value` at `a`, moves with the argument, both carried.
fn moved(value: f64, a: Measured, f: impl Fn(f64) -> f64) -> f64 {
    if a.rounding == 0.0 {
        return 0.0;
    }
    let by = a.rounding * INFLATION;
    // Beyond the end of where the function is defined there is nothing to move to.
    [a.value - by, a.value + by]
        .iter()
        .map(|&a| (f(a) - value).abs())
        .filter(|x| x.is_finite())
        .fold(0.0, f64::max)
}

fn rounded(value: f64, moved: f64) -> f64 {
    (moved + UNIT * value.abs()) / INFLATION
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Meaning, Scope, parse};
    use super::*;

    fn measured(text: &str, x: f64) -> Measured {
        let mut graph = Graph::default();
        let scope = Scope::new(&mut graph, &["x"]);
        let context = Context { place: "a test", allowed: &[Meaning::Coordinate] };
        let root = scope.lower(&parse(text).unwrap(), &mut graph, context, &mut vec![]).unwrap();
        let mut all = vec![];
        graph.measure(&mut all, |_| Measured::number(x));
        all[root.index()]
    }

    #[test]
    fn what_rounding_left_is_told_from_what_is_there() {
        // Zero but for rounding: the value is no more than what rounding may have left.
        for (text, x) in [
            ("sin(20*pi*x)", 0.05),
            ("cos(x)^2 + sin(x)^2 - 1", 0.7),
            ("sqrt(x)^2 - x", 0.3),
            ("1e6*(x + 1) - 1e6*x - 1e6", 0.1),
            ("exp(ln(x)) - x", 0.01),
        ] {
            let found = measured(text, x);
            assert!(found.value.abs() <= found.rounding, "{text}: {found:?}");
            assert!(found.rounding <= 1e-15 * (found.size + 2e7), "{text}: {found:?}");
        }
        // Small, and nevertheless what it says.
        for (text, x) in [("exp(-30 - x)", 0.5), ("1e-12*sin(x)", 0.1), ("x - 0.3", 0.3 + 1e-9)] {
            let found = measured(text, x);
            assert!(found.value.abs() > 1e3 * found.rounding, "{text}: {found:?}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_terms() {
        let size = |text| measured(text, 0.5).size;
        assert_eq!(size("x - 0.5"), 1.0);
        assert_eq!(size("4*(x - 0.5)*(x + 0.5)"), 4.0);
        assert_eq!(size("-(x - 2*x)/x"), 3.0);
        assert_eq!(size("(x - 0.5)^2"), 1.0);
        // A function's value is one term.
        assert!((size("sin(x - 0.5) + 1") - 1.0).abs() < 1e-15);
    }
}
