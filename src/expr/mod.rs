//! The language equations are written in.
//!
//! [`parse`] turns text into a syntax tree ([`Expr`]); a [`Scope`] says what its names mean and
//! [lowers](Scope::lower) it into a [`Graph`], where it is differentiated and computed.

pub mod ast;
mod foreign;
mod function;
mod graph;
mod names;
mod parse;
mod quadrature;
mod repeated;
mod rounding;
mod scope;

use core::ops::Range;

pub use ast::{Digits, Expr};
pub use function::{COMPOSED, Composed, Function, function, function_names};
pub use graph::{Binary, FIRST_PLACE, Graph, Lookup, Node, NodeId, Unary};
pub(crate) use names::is_time;
pub use names::{is_name, listed, plural};
pub use parse::parse;
pub(crate) use quadrature::{Nodes, Rule, gauss_legendre, lattice, product, rule, size as rule_size};
pub use rounding::Measured;
pub use scope::{Context, Meaning, Normal, Scope, Symbol};

/// A mistake in a formula.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Error {
    /// A mistake without advice.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The known name that `name` was most likely meant to be, if one is close.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    known
        .into_iter()
        // Nobody mistypes a name as long as that, and distances take time and memory with the product of lengths.
        .filter(|known| name.len().max(known.len()) <= 64)
        .map(|known| {
            let distance =
                if known.eq_ignore_ascii_case(name) { 0 } else { strsim::damerau_levenshtein(known, name) };
            (distance, known)
        })
        .filter(|&(distance, known)| {
            // One slip in three letters; a one-letter name is like every other.
            distance == 0 || (distance <= length.div_ceil(3) && length.min(known.len()) > 1)
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
pub(crate) mod random {
    //! Random formulas for the property tests.

    use proptest::prelude::*;

    use super::ast::{Expr, Kind};
    use super::{Binary, COMPOSED, Unary};

    /// Any formula of the language over the names `x` and `t`.
    pub(crate) fn expr() -> impl Strategy<Value = Expr> {
        let number = prop_oneof![
            (0..20u32).prop_map(f64::from),
            0.0..1e3,
            any::<f64>().prop_map(f64::abs).prop_filter("finite", |x| x.is_finite()),
        ];
        let leaf = prop_oneof![
            number.prop_map(Kind::Number),
            prop_oneof![Just("x"), Just("t")].prop_map(|name| Kind::Name(name.into())),
        ];
        let unary = (0..Unary::ALL.len()).prop_map(|i| Unary::ALL[i].1);
        let binary = prop_oneof![
            Just(Binary::Add),
            Just(Binary::Sub),
            Just(Binary::Mul),
            Just(Binary::Div),
            Just(Binary::Pow),
            Just(Binary::Min),
            Just(Binary::Max),
        ];
        leaf.prop_map(Expr::from).prop_recursive(6, 40, 2, move |part| {
            let one = (prop_oneof![unary.clone(), Just(Unary::Neg)], part.clone())
                .prop_map(|(f, a)| Kind::Unary(f, Box::new(a)).into());
            let two = (binary.clone(), part.clone(), part.clone())
                .prop_map(|(f, a, b)| Kind::Binary(f, Box::new(a), Box::new(b)).into());
            let calls = (0..COMPOSED.len(), part.clone(), part).prop_map(|(i, a, b)| {
                let arguments = [a, b][..COMPOSED[i].arguments.len()].to_vec();
                Kind::Call(&COMPOSED[i], arguments).into()
            });
            prop_oneof![2 => one, 4 => two, 1 => calls]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn closest_forgives_a_slip() {
        let check = |name, expected| assert_eq!(closest(name, ["sin", "interior", "u", "nu"]), expected);
        check("sni", Some("sin"));
        check("Sin", Some("sin"));
        check("interor", Some("interior"));
        check("U", Some("u"));
        check("v", None);
        check("wave", None);
    }
}
