//! The syntax tree of a formula.
//!
//! Printing a tree and parsing the text again gives the same tree, with as few parentheses as that allows.

use core::fmt;
use core::ops::Range;

use super::function::Composed;
use super::graph::{Binary, Graph, Node, NodeId, Unary};

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
    /// A function that is written in terms of others, with its arguments.
    Call(&'static Composed, Vec<Expr>),
    /// A function that is known by a table, or a derivative of it, with its arguments.
    Table(String, Vec<Expr>),
    /// What a name is at a place, given by its coordinates.
    At(String, Vec<Expr>),
    /// An integral.
    Integral(Box<Integral>),
}

/// An integral over one variable or several.
#[derive(Clone, PartialEq, Debug)]
pub struct Integral {
    /// What is integrated.
    pub integrand: Expr,
    /// What it runs over, from the outside in: the ends of a variable may use those before it.
    pub over: Vec<Span>,
    /// The place that it runs over instead, as a name that is its text.
    pub place: Option<Expr>,
    /// How many nodes, if that is said: along every variable, or of three and more in all.
    pub nodes: Option<usize>,
}

/// A variable of an integral and its ends.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    /// A coordinate, or a name that has a meaning inside of the integral alone.
    pub variable: String,
    /// Lower end.
    pub from: Expr,
    /// Upper end.
    pub to: Expr,
}

impl Integral {
    /// The formulas in it.
    pub fn parts(&self) -> impl Iterator<Item = &Expr> {
        [&self.integrand].into_iter().chain(self.over.iter().flat_map(|span| [&span.from, &span.to]))
    }

    /// The same, to be changed, and the place.
    pub fn parts_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let ends = self.over.iter_mut().flat_map(|span| [&mut span.from, &mut span.to]);
        [&mut self.integrand].into_iter().chain(ends).chain(&mut self.place)
    }
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
            Kind::Call(_, arguments) | Kind::Table(_, arguments) | Kind::At(_, arguments) => {
                arguments.iter_mut().for_each(|a| a.relocate(place));
            }
            Kind::Integral(integral) => integral.parts_mut().for_each(|part| part.relocate(place)),
        }
    }

    /// Calls `each` with every part of it and with itself, inner ones first.
    fn visit(&self, each: &mut impl FnMut(&Self)) {
        match &self.kind {
            Kind::Number(_) | Kind::Name(_) => {}
            Kind::Unary(_, a) => a.visit(each),
            Kind::Binary(_, a, b) => {
                a.visit(each);
                b.visit(each);
            }
            Kind::Call(_, arguments) | Kind::Table(_, arguments) | Kind::At(_, arguments) => {
                arguments.iter().for_each(|a| a.visit(each));
            }
            Kind::Integral(integral) => integral.parts().for_each(|part| part.visit(each)),
        }
        each(self);
    }

    /// Calls `each` with every integral in it, inner ones first.
    pub fn integrals(&self, each: &mut impl FnMut(&Integral)) {
        self.visit(&mut |part| {
            if let Kind::Integral(integral) = &part.kind {
                each(integral);
            }
        });
    }

    /// Calls `each` with every name in it, as often as it is there.
    pub fn names(&self, each: &mut impl FnMut(&str)) {
        self.visit(&mut |part| {
            if let Kind::Name(name) | Kind::Table(name, _) | Kind::At(name, _) = &part.kind {
                each(name);
            }
        });
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
            Kind::Number(_) | Kind::Name(_) | Kind::Call(..) | Kind::Table(..) => ATOM,
            Kind::At(..) | Kind::Integral(_) => ATOM,
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
            Kind::Number(x) => write!(f, "{}", Digits(*x))?,
            Kind::Name(name) => f.write_str(name)?,
            Kind::Unary(Unary::Neg, a) => {
                f.write_str("-")?;
                a.write(f, MINUS)?;
            }
            Kind::Unary(function, a) => write!(f, "{}({a})", function.name())?,
            Kind::Binary(function @ (Binary::Min | Binary::Max), a, b) => {
                write!(f, "{}({a}, {b})", function.name())?;
            }
            Kind::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(Self::to_string).collect();
                write!(f, "{}({})", function.name, arguments.join(", "))?;
            }
            Kind::Table(name, arguments) | Kind::At(name, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(Self::to_string).collect();
                write!(f, "{name}({})", arguments.join(", "))?;
            }
            Kind::Integral(integral) => {
                let Integral { integrand, over, place, nodes } = &**integral;
                write!(f, "integral({integrand}")?;
                if let Some(Self { kind: Kind::Name(place), .. }) = place {
                    write!(f, ", over {place}")?;
                }
                for Span { variable, from, to } in over {
                    write!(f, ", {variable} = {from}..{to}")?;
                }
                if let Some(nodes) = nodes {
                    write!(f, ", nodes = {nodes}")?;
                }
                f.write_str(")")?;
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

impl Graph {
    /// `root` as a formula for people; `name` names each input.
    ///
    /// Shared nodes are written out wherever they are used: `None` if that takes more than `limit` operations.
    pub fn to_expr(&self, root: NodeId, limit: usize, name: &dyn Fn(Node) -> String) -> Option<Expr> {
        let mut sizes: Vec<usize> = Vec::with_capacity(root.index() + 1);
        for node in &self.nodes()[..=root.index()] {
            let operands = node.operands().map(|a| sizes[a.index()]);
            sizes.push(operands.fold(1, usize::saturating_add));
        }
        (sizes[root.index()] <= limit).then(|| self.written_out(root, name))
    }

    fn written_out(&self, root: NodeId, name: &dyn Fn(Node) -> String) -> Expr {
        let operand = |a| Box::new(self.written_out(a, name));
        // −(a·b) is the same as (−a)·b, which needs no parentheses.
        if let Node::Unary(Unary::Neg, product) = self.node(root)
            && let Node::Binary(f @ (Binary::Mul | Binary::Div), a, b) = self.node(product)
        {
            let a = Expr::from(Kind::Unary(Unary::Neg, operand(a)));
            return Kind::Binary(f, Box::new(a), operand(b)).into();
        }
        let kind = match self.node(root) {
            Node::Constant(x) if x < 0.0 => {
                let magnitude = Expr::from(Kind::Number(-x));
                Kind::Unary(Unary::Neg, Box::new(magnitude))
            }
            Node::Constant(x) => Kind::Number(x),
            Node::Unary(f, a) => Kind::Unary(f, operand(a)),
            Node::Binary(f, a, b) => Kind::Binary(f, operand(a), operand(b)),
            Node::Table(lookup) => {
                let written = self.looked_up(&lookup).written(&lookup.orders);
                let arguments = lookup.arguments().iter().map(|&a| self.written_out(a, name));
                Kind::Table(written, arguments.collect())
            }
            node => Kind::Name(name(node)),
        };
        kind.into()
    }
}

/// Prints a number with the fewest digits that read back as the same one, with an exponent where that is shorter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Digits(pub f64);

impl Digits {
    /// A number to four digits, which is enough for people.
    pub fn four(x: f64) -> f64 {
        Self::rounded(x, 4)
    }

    /// A number to so many digits, one at least.
    pub fn rounded(x: f64, digits: usize) -> f64 {
        format!("{x:.*e}", digits - 1).parse().unwrap_or(x)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(x) = self;
        let (plain, scientific) = (format!("{x}"), format!("{x:e}"));
        let shorter = scientific.len() + 3 < plain.len();
        f.write_str(if shorter { &scientific } else { &plain })
    }
}
