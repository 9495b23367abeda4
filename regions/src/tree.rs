//! Formulas of regions: `plate - hole + a & b`.
//!
//! `&` is the intersection and binds tighter than `+`, the union, and `-`, the difference, which group from the left.

use core::ops::Range;

use crate::Error;

/// No formula has more operands, or deeper parentheses than a tenth of it: walking the tree must not exhaust the stack.
const MAX_OPERANDS: usize = 1000;

/// How shapes, known by number, are combined.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Tree {
    Shape(usize),
    Union(Box<(Tree, Tree)>),
    Intersection(Box<(Tree, Tree)>),
    Difference(Box<(Tree, Tree)>),
}

impl Tree {
    /// The level of the combination: positive inside.
    pub(crate) fn level(&self, of: &dyn Fn(usize) -> f64) -> f64 {
        match self {
            Self::Shape(i) => of(*i),
            Self::Union(both) => both.0.level(of).max(both.1.level(of)),
            Self::Intersection(both) => both.0.level(of).min(both.1.level(of)),
            Self::Difference(both) => both.0.level(of).min(-both.1.level(of)),
        }
    }

    /// The same over shapes whose numbers are larger by `by`.
    pub(crate) fn shifted(self, by: usize) -> Self {
        let both = |both: Box<(Self, Self)>| Box::new((both.0.shifted(by), both.1.shifted(by)));
        match self {
            Self::Shape(i) => Self::Shape(i + by),
            Self::Union(two) => Self::Union(both(two)),
            Self::Intersection(two) => Self::Intersection(both(two)),
            Self::Difference(two) => Self::Difference(both(two)),
        }
    }

    /// Whether a place is inside, by which shapes it is inside of.
    pub(crate) fn holds(&self, of: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::Shape(i) => of(*i),
            Self::Union(both) => both.0.holds(of) || both.1.holds(of),
            Self::Intersection(both) => both.0.holds(of) && both.1.holds(of),
            Self::Difference(both) => both.0.holds(of) && !both.1.holds(of),
        }
    }
}

/// The number of the shape of a name, which stands at a place of the formula.
type Resolve<'a> = dyn FnMut(&str, Range<usize>) -> Result<usize, Error> + 'a;

/// Reads a formula; `resolve` says which number a name has.
///
/// # Errors
/// [`Error::Syntax`], or what `resolve` says of a name and its place.
pub(crate) fn parse(text: &str, resolve: &mut Resolve<'_>) -> Result<Tree, Error> {
    let mut parser = Parser { text, at: 0, operands: 0, nesting: 0, resolve };
    let tree = parser.sum()?;
    match parser.peek() {
        None => Ok(tree),
        Some((')', span)) => Err(syntax(span, "this `)` closes nothing")),
        Some((_, span)) => Err(syntax(span, "expected `+`, `&` or `-`")),
    }
}

fn syntax(span: Range<usize>, message: impl Into<String>) -> Error {
    Error::Syntax { span, message: message.into() }
}

struct Parser<'a, 'r, 'f> {
    text: &'a str,
    at: usize,
    operands: usize,
    nesting: usize,
    resolve: &'r mut Resolve<'f>,
}

impl Parser<'_, '_, '_> {
    fn sum(&mut self) -> Result<Tree, Error> {
        let mut left = self.product()?;
        while let Some((operator @ ('+' | '-'), span)) = self.peek() {
            self.at = span.end;
            let both = Box::new((left, self.product()?));
            left = if operator == '+' { Tree::Union(both) } else { Tree::Difference(both) };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Tree, Error> {
        let mut left = self.operand()?;
        while let Some(('&', span)) = self.peek() {
            self.at = span.end;
            left = Tree::Intersection(Box::new((left, self.operand()?)));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Tree, Error> {
        let Some((c, span)) = self.peek() else {
            let what =
                if self.text.trim().is_empty() { "the formula is empty" } else { "a shape is missing" };
            return Err(syntax(self.text.len()..self.text.len(), what));
        };
        self.operands += 1;
        if self.operands > MAX_OPERANDS || self.nesting > MAX_OPERANDS / 10 {
            return Err(syntax(span, "the formula is too long or too deep: split it"));
        }
        if c == '(' {
            self.at = span.end;
            self.nesting += 1;
            let inner = self.sum()?;
            self.nesting -= 1;
            return match self.peek() {
                Some((')', close)) => {
                    self.at = close.end;
                    Ok(inner)
                }
                Some((_, span)) => Err(syntax(span, "expected `+`, `&`, `-` or `)`")),
                None => Err(syntax(span, "this `(` is not closed")),
            };
        }
        if !(c.is_alphabetic() || c == '_') {
            return Err(syntax(span, format!("expected the name of a shape, not `{}`", c.escape_debug())));
        }
        let rest = &self.text[span.start..];
        // `mesh.copper` is a name, too: a part of a mesh.
        let length =
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let span = span.start..span.start + length;
        self.at = span.end;
        (self.resolve)(&rest[..length], span).map(Tree::Shape)
    }

    /// The next character that is no space, and its place.
    fn peek(&self) -> Option<(char, Range<usize>)> {
        let rest = &self.text[self.at..];
        let (skipped, c) = rest.char_indices().find(|(_, c)| !c.is_whitespace())?;
        let start = self.at + skipped;
        Some((c, start..start + c.len_utf8()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, (Range<usize>, String)> {
        fn show(tree: &Tree) -> String {
            let both =
                |sign: char, both: &(Tree, Tree)| format!("({}{sign}{})", show(&both.0), show(&both.1));
            match tree {
                Tree::Shape(i) => ["a", "b", "c", "d"][*i].into(),
                Tree::Union(two) => both('+', two),
                Tree::Intersection(two) => both('&', two),
                Tree::Difference(two) => both('-', two),
            }
        }
        let mut resolve = |name: &str, span| {
            ["a", "b", "c", "d"]
                .iter()
                .position(|&known| known == name)
                .ok_or(Error::UnknownShape { span, name: name.into() })
        };
        match parse(text, &mut resolve) {
            Ok(tree) => Ok(show(&tree)),
            Err(Error::Syntax { span, message }) => Err((span, message)),
            Err(Error::UnknownShape { span, name }) => Err((span, name)),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn formulas_group_as_documented() {
        let check = |text, expected: &str| assert_eq!(read(text).unwrap(), expected);
        check("a - b + c & d", "((a-b)+(c&d))");
        check("a-(b+c)-d", "((a-(b+c))-d)");
        check(" ( a ) ", "a");
        check("a & b & a", "((a&b)&a)");
    }

    #[test]
    fn mistakes_have_their_place() {
        let check = |text: &str, span, message: &str| {
            let (found, said) = read(text).unwrap_err();
            assert_eq!(found, span, "{said}");
            assert!(said.contains(message), "{said}");
        };
        check("a - hole", 4..8, "hole");
        check("", 0..0, "empty");
        check("a -", 3..3, "missing");
        check("a b", 2..3, "expected");
        check("(a + b", 0..1, "not closed");
        check("a)", 1..2, "closes nothing");
        check("a - é", 4..6, "é");
        check("a | b", 2..3, "expected");
        check(&"(".repeat(300), 101..102, "too deep");
        check(&["a"; 2000].join("+"), 2000..2001, "too long");
    }
}
