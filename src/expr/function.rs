//! Functions that formulas call by name.
//!
//! The engines know a few; all others are a line of [`COMPOSED`], which writes them in terms of these, so that they are
//! computed and differentiated like anything else.

use super::graph::{Binary, Unary};

/// A function that formulas call by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// Of one argument.
    Unary(Unary),
    /// Of two or more, taken from the left.
    Binary(Binary),
    /// Written in terms of others.
    Composed(&'static Composed),
}

/// A function that is written in terms of others.
#[derive(PartialEq, Eq, Debug)]
pub struct Composed {
    /// What it is called by.
    pub name: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// The formula, over the arguments.
    pub meaning: &'static str,
}

const fn composed(name: &'static str, arguments: &'static [&'static str], meaning: &'static str) -> Composed {
    Composed { name, arguments, meaning }
}

/// What sums and products over an index are called, and what joins their terms.
const REPEATED: [(&str, Binary); 2] = [("sum", Binary::Add), ("product", Binary::Mul)];

/// What joins the terms, if `name` is that of a sum or a product over an index.
pub(super) fn repeats(name: &str) -> Option<Binary> {
    REPEATED.into_iter().find(|(known, _)| *known == name).map(|(_, join)| join)
}

/// Every function that is written in terms of others.
///
/// `sign(sign(x) + 0.5)` is 1 from 0 up and −1 below: a branch whose derivative vanishes.
/// In `atan2` it makes the half-angle formula y/(r ± x) take the sum that does not cancel; the tiny number makes
/// `atan2(0, 0)` zero.
/// `asinh` takes the logarithm of a number above 1 for the same reason, and `erfc` keeps its digits far out.
pub static COMPOSED: [Composed; 17] = [
    composed("log10", &["x"], "ln(x)/ln(10)"),
    composed("log2", &["x"], "ln(x)/ln(2)"),
    composed("sec", &["x"], "1/cos(x)"),
    composed("csc", &["x"], "1/sin(x)"),
    composed("cot", &["x"], "1/tan(x)"),
    composed("sech", &["x"], "1/cosh(x)"),
    composed("csch", &["x"], "1/sinh(x)"),
    composed("coth", &["x"], "1/tanh(x)"),
    composed("asinh", &["x"], "sign(sign(x) + 0.5)*ln(sign(sign(x) + 0.5)*x + sqrt(x^2 + 1))"),
    composed("acosh", &["x"], "ln(x + sqrt(x^2 - 1))"),
    composed("atanh", &["x"], "ln((1 + x)/(1 - x))/2"),
    composed(
        "atan2",
        &["y", "x"],
        "2*sign(sign(x) + 0.5)*atan(y/max(sqrt(x^2 + y^2) + sign(sign(x) + 0.5)*x, 3e-308)) \
         + pi/2*(1 - sign(sign(x) + 0.5))*sign(sign(y) + 0.5)",
    ),
    composed("hypot", &["x", "y"], "sqrt(x^2 + y^2)"),
    composed("cbrt", &["x"], "sign(x)*abs(x)^(1/3)"),
    composed("sigmoid", &["x"], "(1 + tanh(x/2))/2"),
    composed("erfc", &["x"], "2*Phi(-sqrt(2)*x)"),
    composed("heaviside", &["x"], "step(x)"),
];

/// The function called `name`; `log` is `ln`.
pub fn function(name: &str) -> Option<Function> {
    match name {
        "min" => Some(Function::Binary(Binary::Min)),
        "max" => Some(Function::Binary(Binary::Max)),
        "log" => Some(Function::Unary(Unary::Ln)),
        _ => {
            let unary = Unary::ALL.into_iter().skip(1).find(|(known, _)| *known == name);
            let composed = || COMPOSED.iter().find(|known| known.name == name);
            unary.map(|(_, f)| Function::Unary(f)).or_else(|| composed().map(Function::Composed))
        }
    }
}

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    let unary = Unary::ALL.into_iter().skip(1).map(|(name, _)| name);
    unary.chain(["log", "min", "max"]).chain(COMPOSED.iter().map(|composed| composed.name))
}
