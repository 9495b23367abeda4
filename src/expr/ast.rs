//! The syntax tree of a formula.
//!
//! Printing a tree and parsing the text again gives the same tree, with as few parentheses as that allows.

use core::fmt;
use core::ops::Range;

use super::{Binary, Unary};

/// A formula as written, with the place of every part in its text.
///
/// Trees are equal when they mean the same; where they were written does not count.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Where it was written, in bytes.
    pub span: Range<usize>,
}

/// What an [`Expr`] is.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// A number, not negative: a minus sign is an operation.
    Number(f64),
    /// A coordinate, parameter, unknown, derivative, … or `pi`.
    Name(String),
    /// A function of one argument, or the minus sign.
    Unary(Unary, Box<Expr>),
    /// An operator, or a function of two arguments.
    Binary(Binary, Box<Expr>, Box<Expr>),
}

impl Expr {
    /// Moves every span through `place`, for example from a string to the file that holds it.
    pub fn relocate(&mut self, place: &impl Fn(Range<usize>) -> Range<usize>) {
        self.span = place(self.span.clone());
        match &mut self.kind {
            Kind::Number(_) | Kind::Name(_) => {}
            Kind::Unary(_, a) => a.relocate(place),
            Kind::Binary(_, a, b) => {
                a.relocate(place);
                b.relocate(place);
            }
        }
    }
}

/// A part that was not written anywhere.
impl From<Kind> for Expr {
    fn from(kind: Kind) -> Self {
        Self { kind, span: 0..0 }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, SUM)
    }
}

/// How tightly operators bind: a part is put in parentheses where its context binds tighter.
const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const MINUS: u8 = 3;
const POWER: u8 = 4;
const ATOM: u8 = 5;

impl Expr {
    fn binding(&self) -> u8 {
        match &self.kind {
            Kind::Number(_) | Kind::Name(_) => ATOM,
            Kind::Unary(Unary::Neg, _) => MINUS,
            Kind::Unary(..) => ATOM,
            Kind::Binary(f, ..) => match f {
                Binary::Add | Binary::Sub => SUM,
                Binary::Mul | Binary::Div => PRODUCT,
                Binary::Pow => POWER,
                Binary::Min | Binary::Max => ATOM,
            },
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, context: u8) -> fmt::Result {
        let parentheses = self.binding() < context;
        if parentheses {
            f.write_str("(")?;
        }
        match &self.kind {
            Kind::Number(x) => write_number(f, *x)?,
            Kind::Name(name) => f.write_str(name)?,
            Kind::Unary(Unary::Neg, a) => {
                f.write_str("-")?;
                a.write(f, MINUS)?;
            }
            Kind::Unary(function, a) => write!(f, "{}({a})", function.name())?,
            Kind::Binary(function @ (Binary::Min | Binary::Max), a, b) => {
                write!(f, "{}({a}, {b})", function.name())?;
            }
            Kind::Binary(operator, a, b) => {
                let (left, space, right) = match operator {
                    Binary::Add | Binary::Sub => (SUM, " ", PRODUCT),
                    Binary::Pow => (ATOM, "", POWER),
                    _ => (PRODUCT, "", MINUS),
                };
                a.write(f, left)?;
                write!(f, "{space}{}{space}", operator.name())?;
                // A minus sign may follow any operator: `2^-1`, `2*-x`.
                let right = match b.kind {
                    Kind::Unary(Unary::Neg, _) => SUM,
                    _ => right,
                };
                b.write(f, right)?;
            }
        }
        if parentheses {
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// The shortest digits that read back as the same number, with an exponent where that is shorter.
fn write_number(f: &mut fmt::Formatter<'_>, x: f64) -> fmt::Result {
    let (plain, scientific) = (format!("{x}"), format!("{x:e}"));
    f.write_str(if plain.len() <= scientific.len() + 3 { &plain } else { &scientific })
}
