//! From text to syntax tree: a lexer, and a parser by operator precedence (Pratt 1973).
//!
//! From loose to tight: `+ -`, `* /`, the minus sign, `^`; operators of one row group from the left, `^` from the right.
//! So `-x^2` is `-(x^2)`, `a/b/c` is `(a/b)/c`, and `2^-1` needs no parentheses.
//! Mistakes are collected and parsing goes on, so that one look shows several.

use core::ops::Range;
use std::collections::BTreeMap;

use super::ast::{Expr, Integral, Kind, Span};
use super::function::repeats;
use super::names::{Names, Nothing, continues_name, number_length, starts_name};
use super::quadrature::NODES;
use super::{Binary, Error, Unary, closest, foreign, function, function_names};
use crate::limits::{MAX_FORMULA, MAX_FORMULA_MISTAKES, MAX_HEIGHT, MAX_NESTING};

/// Parses a formula; spans count bytes of `text`.
///
/// # Errors
///
/// Every mistake found, in the order of the text.
pub fn parse(text: &str) -> Result<Expr, Vec<Error>> {
    parse_in(text, &Nothing)
}

/// The same where it is known what is declared, which says more about mistakes.
pub(super) fn parse_in(text: &str, names: &dyn Names) -> Result<Expr, Vec<Error>> {
    if text.len() > MAX_FORMULA {
        let message = format!("the formula has {} bytes, more than {MAX_FORMULA}", text.len());
        let hint = "name parts of it under [definitions]";
        return Err(vec![Error::new(0..text.len(), message).hint(hint)]);
    }
    let (tokens, errors) = lex(text, names);
    let mut parser = Parser {
        names,
        tokens,
        next: 0,
        end: text.len(),
        nesting: 0,
        integrals: 0,
        indices: vec![],
        written_out: 0,
        counts: BTreeMap::new(),
        errors,
        stopped: false,
    };
    let expr = parser.formula();
    let mut errors = parser.errors;
    if errors.is_empty() {
        return Ok(expr);
    }
    errors.sort_by_key(|error| error.span.start);
    errors.truncate(MAX_FORMULA_MISTAKES);
    Err(errors)
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    Number(f64),
    Name(String),
    Operator(Binary),
    Open,
    Comma,
    Close,
    /// `=` between a variable of an integral or a sum and its ends.
    Equals,
    /// `..` between these.
    Upto,
    /// The place that stands behind `over`.
    Place(String),
    /// `[` directly after a name.
    OpenIndex,
    /// `]` of such an index.
    CloseIndex,
}

/// What an integral is called.
const INTEGRAL: &str = "integral";

fn lex(text: &str, names: &dyn Names) -> (Vec<(Token, Range<usize>)>, Vec<Error>) {
    let (mut tokens, mut errors) = (Vec::<(Token, Range<usize>)>::new(), Vec::new());
    let mut at = 0;
    // For every parenthesis that is open: does it, or one around it, belong to an integral or a sum?
    let mut integrals = vec![];
    let mut indices = 0_usize;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(found) = foreign::notation(text, at, names) {
            errors.push(found.error);
            tokens.push((found.name.map_or(Token::Number(0.0), Token::Name), at..found.end));
            at = found.end;
            continue;
        }
        if c == ')' && rest[1..].starts_with('_') {
            let (from, open) = opened(&tokens);
            if let Some(found) = open.and_then(|open| foreign::subscripted_group(text, open, at, names)) {
                errors.push(found.error);
                tokens.truncate(from);
                tokens.push((Token::Number(0.0), open.unwrap_or(at)..found.end));
                at = found.end;
                continue;
            }
        }
        let mut length = c.len_utf8();
        let inside = integrals.last() == Some(&true);
        let token = match c {
            _ if c.is_whitespace() => None,
            '.' if inside && rest.starts_with("..") => {
                length = 2;
                Some(Token::Upto)
            }
            '=' if inside && !rest.starts_with("==") => Some(Token::Equals),
            '0'..='9' | '.' => {
                length = number_length(rest);
                // `0..1` are two numbers.
                if let Some(upto) = rest.find("..").filter(|upto| inside && *upto < length) {
                    length = upto;
                }
                match rest[..length].parse::<f64>() {
                    Ok(x) if x.is_finite() => Some(Token::Number(x)),
                    Ok(_) => {
                        let message = "the number is too large for double precision";
                        errors.push(Error::new(at..at + length, message));
                        Some(Token::Number(0.0))
                    }
                    Err(_) => {
                        let message = format!("`{}` is not a number", &rest[..length]);
                        errors.push(Error::new(at..at + length, message));
                        Some(Token::Number(0.0))
                    }
                }
            }
            '[' if matches!(tokens.last(), Some((Token::Name(_), span)) if span.end == at) => {
                indices += 1;
                Some(Token::OpenIndex)
            }
            ']' if indices > 0 => {
                indices -= 1;
                Some(Token::CloseIndex)
            }
            '_' if matches!(tokens.last(), Some((Token::CloseIndex, span)) if span.end == at) => {
                length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
                Some(Token::Name(rest[..length].to_owned()))
            }
            _ if starts_name(c) => {
                length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
                Some(Token::Name(rest[..length].to_owned()))
            }
            '*' if rest.starts_with("**") => {
                length = 2;
                errors.push(Error::new(at..at + 2, "unknown operator `**`").hint("a power is written `^`"));
                Some(Token::Operator(Binary::Pow))
            }
            '+' => Some(Token::Operator(Binary::Add)),
            '-' => Some(Token::Operator(Binary::Sub)),
            '*' => Some(Token::Operator(Binary::Mul)),
            '/' => Some(Token::Operator(Binary::Div)),
            '^' => Some(Token::Operator(Binary::Pow)),
            '(' => {
                let ranges =
                    |name: &str| (name == INTEGRAL || repeats(name).is_some()) && !names.is_declared(name);
                let called = matches!(tokens.last(), Some((Token::Name(name), _)) if ranges(name));
                integrals.push(inside || called);
                Some(Token::Open)
            }
            ',' => {
                if let Some(place) = place_over(&text[at + 1..]).filter(|_| inside) {
                    let (begin, end) = (at + 1 + place.start, at + 1 + place.end);
                    tokens.push((Token::Comma, at..at + 1));
                    tokens.push((Token::Place(text[begin..end].to_owned()), begin..end));
                    at = end;
                    continue;
                }
                Some(Token::Comma)
            }
            ')' => {
                integrals.pop();
                Some(Token::Close)
            }
            _ => {
                // Odd characters in a row are one mistake.
                let odd = |c: char| !(c.is_whitespace() || continues_name(c) || "+-*/^(),.".contains(c));
                let others = rest[length..].find(|c| !odd(c));
                length = others.map_or(rest.len(), |more| length + more);
                let (token, hint) = meant(&rest[..length]);
                let error = Error::new(
                    at..at + length,
                    format!("unexpected `{}` in a formula", rest[..length].escape_debug()),
                );
                errors.push(match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                });
                token
            }
        };
        if let Some(token) = token {
            tokens.push((token, at..at + length));
        }
        at += length;
    }
    (tokens, errors)
}

/// Where in what follows a comma the place is that an integral runs over, if that is what follows: `over wall of hole`, up to
/// the end of the integral or to its number of nodes.
fn place_over(rest: &str) -> Option<Range<usize>> {
    let word = rest.trim_start().strip_prefix("over")?;
    let place = word.trim_start();
    if place.len() == word.len() || place.starts_with(['=', ',', ')']) {
        return None;
    }
    let begin = rest.len() - place.len();
    let mut depth = 0;
    let ends = |(at, c): &(usize, char)| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        let nodes = |after: &str| {
            after.trim_start().strip_prefix("nodes").is_some_and(|n| n.trim_start().starts_with('='))
        };
        depth < 0 || depth == 0 && *c == ',' && nodes(&place[at + 1..])
    };
    let length = place.char_indices().find(ends).map_or(place.len(), |(at, _)| at);
    Some(begin..begin + place[..length].trim_end().len())
}

/// The last parenthesis that is open: its place among the tokens and in the text.
fn opened(tokens: &[(Token, Range<usize>)]) -> (usize, Option<usize>) {
    let mut depth = 0;
    for (i, (token, span)) in tokens.iter().enumerate().rev() {
        match token {
            Token::Close => depth += 1,
            Token::Open if depth == 0 => return (i, Some(span.start)),
            Token::Open => depth -= 1,
            _ => {}
        }
    }
    (tokens.len(), None)
}

/// What odd characters probably stand for, and the advice to give.
fn meant(odd: &str) -> (Option<Token>, Option<&'static str>) {
    let (operator, hint) = match odd {
        "=" | "==" => (Binary::Sub, "a residual is what shall be zero: for `a = b` write `a - (b)`"),
        "−" | "–" => (Binary::Sub, "write the minus sign `-`"),
        "·" | "×" => (Binary::Mul, "write a product `*`"),
        "÷" => (Binary::Div, "write a quotient `/`"),
        "²" => return (None, Some("a power is written `^2`")),
        "[" | "]" | "{" | "}" => return (None, Some("use round parentheses")),
        "√" => return (None, Some("write `sqrt(...)`")),
        "<" | ">" | "<=" | ">=" | "≤" | "≥" => {
            (Binary::Sub, "a jump is written with `step`: for 1 where a > b, else 0, `step(a - (b))`")
        }
        _ => return (None, None),
    };
    (Some(Token::Operator(operator)), Some(hint))
}

pub(super) struct Parser<'a> {
    /// What is declared.
    pub(super) names: &'a dyn Names,
    pub(super) tokens: Vec<(Token, Range<usize>)>,
    pub(super) next: usize,
    end: usize,
    nesting: usize,
    /// How many integrals are open.
    integrals: usize,
    /// Indices of the sums around, and their values.
    pub(super) indices: Vec<(String, i64)>,
    /// Tokens of the terms of sums so far.
    pub(super) written_out: usize,
    /// How many of a name followed by 1, 2, … are declared.
    pub(super) counts: BTreeMap<String, usize>,
    pub(super) errors: Vec<Error>,
    /// Nothing more is read or reported: the formula is too deep, or its sums are too long.
    pub(super) stopped: bool,
}

/// A tree and its height, which is limited so that walking the tree cannot exhaust the stack.
pub(super) struct Grown {
    pub(super) expr: Expr,
    pub(super) height: usize,
}

impl Grown {
    pub(super) fn leaf(kind: Kind, span: Range<usize>) -> Self {
        Self { expr: Expr { kind, span }, height: 1 }
    }

    /// Stands for what could not be read; an error has been recorded.
    pub(super) fn missing(span: Range<usize>) -> Self {
        Self::leaf(Kind::Number(0.0), span)
    }
}

/// How tightly an operator holds what is left and right of it.
fn power(operator: Binary) -> (u8, u8) {
    match operator {
        Binary::Add | Binary::Sub => (1, 2),
        Binary::Mul | Binary::Div => (3, 4),
        // The left power is the greater: `^` groups from the right.
        _ => (7, 6),
    }
}

/// The minus sign holds powers, not products: `-x^2` is `-(x^2)`, `-a*b` is `(-a)*b`.
const MINUS_POWER: u8 = 6;

impl Parser<'_> {
    fn formula(&mut self) -> Expr {
        if self.tokens.is_empty() {
            if self.errors.is_empty() {
                self.error(0..self.end, "the formula is empty");
            }
            return Grown::missing(0..self.end).expr;
        }
        let first = self.expression(0);
        while let Some((token, span)) = self.peek() {
            match token {
                Token::Comma if self.names.is_asked() => {
                    let message = "unexpected `,`: a quantity is one formula";
                    self.report(
                        Error::new(span, message).hint("ask for several with `--quantity` before each"),
                    );
                }
                Token::Comma => self.error(span, "unexpected `,` outside a function's arguments"),
                Token::Equals => self.error(span, "unexpected `=` here"),
                Token::Upto => self.error(span, "unexpected `..` here"),
                Token::CloseIndex => self.error(span, "this `]` closes nothing"),
                _ => self.error(span, "this `)` closes nothing"),
            }
            self.next += 1;
            if self.errors.len() >= MAX_FORMULA_MISTAKES {
                break;
            }
            if self.peek().is_some_and(|(token, _)| {
                !matches!(
                    token,
                    Token::Close | Token::Comma | Token::Equals | Token::Upto | Token::CloseIndex
                )
            }) {
                self.expression(0);
            }
        }
        first.expr
    }

    pub(super) fn expression(&mut self, tightness: u8) -> Grown {
        self.nesting += 1;
        let mut left = self.operand();
        while let Some((token, span)) = self.peek() {
            let operator = match token {
                Token::Operator(operator) => operator,
                Token::Close
                | Token::Comma
                | Token::Equals
                | Token::Upto
                | Token::Place(_)
                | Token::CloseIndex => break,
                // Something begins where an operator should be: a product, for what follows.
                Token::Open | Token::OpenIndex | Token::Number(_) | Token::Name(_) => Binary::Mul,
            };
            let (holds_left, holds_right) = power(operator);
            if holds_left < tightness {
                break;
            }
            if matches!(token, Token::Operator(_)) {
                self.next += 1;
            } else {
                let error = Error::new(span, "expected an operator here");
                self.report(error.hint("a product is written with `*`"));
            }
            let right = self.expression(holds_right);
            if let Some(error) =
                foreign::power_of_e(&left.expr, &right.expr, self.names).filter(|_| operator == Binary::Pow)
            {
                let span = error.span.clone();
                self.report(error);
                left = Grown::missing(span);
                continue;
            }
            left = self.join(
                left.expr.span.start..right.expr.span.end,
                left.height.max(right.height),
                Kind::Binary(operator, Box::new(left.expr), Box::new(right.expr)),
            );
        }
        self.nesting -= 1;
        left
    }

    fn operand(&mut self) -> Grown {
        let Some((token, span)) = self.peek() else {
            let end = self.end;
            self.error(end..end, "the formula ends where a value should follow");
            return Grown::missing(end..end);
        };
        if self.nesting > MAX_NESTING {
            self.too_deep(span.clone());
            return Grown::missing(span);
        }
        match token {
            Token::Number(x) => {
                self.next += 1;
                Grown::leaf(Kind::Number(x), span)
            }
            Token::Name(name) => {
                self.next += 1;
                let (name, span) = self.indexed(name, span);
                self.name(name, span)
            }
            Token::Open => {
                self.next += 1;
                let inner = self.expression(0);
                self.close(span);
                inner
            }
            Token::Operator(sign @ (Binary::Sub | Binary::Add)) => {
                self.next += 1;
                let operand = self.expression(MINUS_POWER);
                if sign == Binary::Add {
                    return operand;
                }
                self.join(
                    span.start..operand.expr.span.end,
                    operand.height,
                    Kind::Unary(Unary::Neg, Box::new(operand.expr)),
                )
            }
            Token::Operator(operator) => {
                self.error(span.clone(), format!("expected a value before `{}`", operator.name()));
                Grown::missing(span.start..span.start)
            }
            Token::OpenIndex => {
                self.next += 1;
                self.error(span.clone(), "expected a value here");
                Grown::missing(span.start..span.start)
            }
            Token::Comma
            | Token::Close
            | Token::Equals
            | Token::Upto
            | Token::Place(_)
            | Token::CloseIndex => {
                self.error(span.clone(), "expected a value here");
                Grown::missing(span.start..span.start)
            }
        }
    }

    /// A name that has been read: with a parenthesis after it a function's call.
    fn name(&mut self, name: String, span: Range<usize>) -> Grown {
        let known = function(&name);
        let Some((Token::Open, open)) = self.peek() else {
            if let Some(kind) = self.running(&name) {
                return Grown { expr: Expr { kind, span }, height: 2 };
            }
            if known.is_some() {
                let error = Error::new(span.clone(), format!("the function `{name}` has no argument"));
                self.report(error.hint(format!("write `{name}(...)`")));
            }
            return Grown::leaf(Kind::Name(name), span);
        };
        self.next += 1;
        if name == INTEGRAL && !self.names.is_declared(INTEGRAL) {
            return self.integral(span.start, open);
        }
        if let Some(written_out) = self.written_once(&name, span.start, &open) {
            return written_out;
        }
        let mut arguments = vec![self.expression(0)];
        while let Some((Token::Comma, _)) = self.peek() {
            self.next += 1;
            arguments.push(self.expression(0));
        }
        let end = self.close(open);
        let whole = span.start..end;
        if self.names.is_table(&name) {
            let height = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
            let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
            return self.join(whole, height, Kind::Table(name, arguments));
        }
        let differentiable = self.names.is_differentiable(&name)
            || !self.names.is_declared(&name) && self.names.is_derivative(&name);
        if self.integrals > 0 && known.is_none() && differentiable {
            let height = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
            let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
            return self.join(whole, height, Kind::At(name, arguments));
        }
        let Some(function) = known else {
            let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.expr).collect();
            let (message, hint) = foreign::call(&name, &arguments, self.names).unwrap_or_else(|| {
                let tables = self.names.tables();
                let own = closest(&name, tables.iter().copied()).map(str::to_owned);
                let hint = match own.or_else(|| closest(&name, function_names()).map(str::to_owned)) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("for a product write `{name}*(...)`"),
                };
                (format!("unknown function `{name}`"), hint)
            });
            self.report(Error::new(span, message).hint(hint));
            return Grown::missing(whole);
        };
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        let first = arguments.next().unwrap_or_else(|| Grown::missing(whole.clone()));
        match function {
            super::Function::Unary(f) if count == 1 => {
                self.join(whole, first.height, Kind::Unary(f, Box::new(first.expr)))
            }
            super::Function::Binary(f) if count >= 2 => arguments.fold(first, |a, b| {
                self.join(
                    whole.clone(),
                    a.height.max(b.height),
                    Kind::Binary(f, Box::new(a.expr), Box::new(b.expr)),
                )
            }),
            super::Function::Composed(f) if count == f.arguments.len() => {
                let arguments: Vec<_> = core::iter::once(first).chain(arguments).collect();
                let height = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
                let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
                self.join(whole, height, Kind::Call(f, arguments))
            }
            super::Function::Composed(f) => {
                let takes = if f.arguments.len() == 1 { "one argument" } else { "two arguments" };
                self.error(whole.clone(), format!("`{name}` takes {takes}, not {count}"));
                Grown::missing(whole)
            }
            super::Function::Unary(_) => {
                self.error(whole.clone(), format!("`{name}` takes one argument, not {count}"));
                Grown::missing(whole)
            }
            super::Function::Binary(_) => {
                self.error(whole.clone(), format!("`{name}` takes two or more arguments"));
                Grown::missing(whole)
            }
        }
    }

    /// The rest of an integral whose parenthesis is `open`: the integrand, then `x = a..b` once or more or `over PLACE`, then
    /// perhaps `nodes = n`.
    fn integral(&mut self, start: usize, open: Range<usize>) -> Grown {
        self.integrals += 1;
        let integrand = self.expression(0);
        let mut height = integrand.height;
        let mut integral = Integral { integrand: integrand.expr, over: vec![], place: None, nodes: None };
        while let Some((Token::Comma, _)) = self.peek() {
            self.next += 1;
            if let Some((Token::Place(place), span)) = self.peek() {
                self.next += 1;
                if integral.place.is_some() {
                    self.error(span.clone(), "the integral runs over two places");
                }
                integral.place = Some(Expr { kind: Kind::Name(place), span });
                continue;
            }
            let (name, after) = (self.peek(), self.tokens.get(self.next + 1).cloned());
            let (Some((Token::Name(variable), span)), Some((Token::Equals, _))) = (&name, &after) else {
                let end = self.end;
                let span = name.map_or(end..end, |(_, span)| span);
                let error = Error::new(span, "expected what the integral runs over here");
                self.report(error.hint(foreign::integral(&integral.integrand.to_string(), self.names)));
                self.expression(0);
                continue;
            };
            self.next += 2;
            let from = self.expression(0);
            height = height.max(from.height);
            if let Some((Token::Upto, _)) = self.peek() {
                self.next += 1;
                let to = self.expression(0);
                height = height.max(to.height);
                if integral.over.iter().any(|known| known.variable == *variable) {
                    self.error(span.clone(), format!("the integral runs over `{variable}` twice"));
                }
                integral.over.push(Span { variable: variable.clone(), from: from.expr, to: to.expr });
            } else if variable == "nodes" {
                match from.expr.kind {
                    Kind::Number(n) if n.fract() == 0.0 && NODES.contains(&(n as usize)) => {
                        integral.nodes = Some(n as usize);
                    }
                    _ => {
                        let (least, most) = (NODES.start(), NODES.end());
                        let message = format!("an integral takes {least} to {most} nodes");
                        self.report(Error::new(from.expr.span, message).hint("write a whole number"));
                    }
                }
            } else {
                let error = Error::new(from.expr.span, format!("`{variable}` has one end here"));
                self.report(error.hint(format!("write both, with `..` between them: `{variable} = 0..1`")));
            }
        }
        let end = self.close(open);
        self.integrals -= 1;
        if let Some(place) = integral.place.as_ref().filter(|_| !integral.over.is_empty()) {
            let error = Error::new(
                place.span.clone(),
                "the integral runs over a place, and over something else as well",
            );
            self.report(
                error.hint(
                    "write an integral of an integral: `integral(integral(u, over interior), t = 0..1)`",
                ),
            );
        }
        if integral.over.is_empty() && integral.place.is_none() && self.errors.is_empty() {
            let error = Error::new(start..end, "it is not said what the integral runs over");
            self.report(error.hint(foreign::integral(&integral.integrand.to_string(), self.names)));
        }
        self.join(start..end, height, Kind::Integral(Box::new(integral)))
    }

    /// Steps over the `)` that belongs to `open`; gives the place after it.
    pub(super) fn close(&mut self, open: Range<usize>) -> usize {
        match self.peek() {
            Some((Token::Close, span)) => {
                self.next += 1;
                span.end
            }
            Some((_, span)) => {
                self.error(span.clone(), "expected `)` here");
                self.next += 1;
                span.end
            }
            None => {
                self.error(open, "this `(` is not closed");
                self.end
            }
        }
    }

    pub(super) fn join(&mut self, span: Range<usize>, height: usize, kind: Kind) -> Grown {
        if height >= MAX_HEIGHT {
            self.too_deep(span.clone());
            return Grown::missing(span);
        }
        Grown { expr: Expr { kind, span }, height: height + 1 }
    }

    fn too_deep(&mut self, span: Range<usize>) {
        let message = format!(
            "the formula is too deep here: more than {MAX_NESTING} parentheses or {MAX_HEIGHT} operations inside one another"
        );
        self.report(Error::new(span, message).hint("name parts of it under [definitions]"));
        self.next = self.tokens.len();
        self.stopped = true;
    }

    pub(super) fn peek(&self) -> Option<(Token, Range<usize>)> {
        self.tokens.get(self.next).cloned()
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.report(Error::new(span, message));
    }

    pub(super) fn report(&mut self, error: Error) {
        if !self.stopped {
            self.errors.push(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::random;
    use super::*;
    use crate::properties::properties;

    fn check(text: &str, printed: &str) {
        match parse(text) {
            Ok(expr) => assert_eq!(expr.to_string(), printed),
            Err(errors) => panic!("{text}: {errors:?}"),
        }
    }

    /// The tree with every operation in parentheses.
    fn grouped(expr: &Expr) -> String {
        match &expr.kind {
            Kind::Number(x) => x.to_string(),
            Kind::Name(name) => name.clone(),
            Kind::Unary(f, a) => format!("{}({})", f.name(), grouped(a)),
            Kind::Binary(f, a, b) => format!("({} {} {})", grouped(a), f.name(), grouped(b)),
            _ => expr.to_string(),
        }
    }

    fn check_grouping(text: &str, expected: &str) {
        assert_eq!(grouped(&parse(text).unwrap()), expected);
    }

    #[test]
    fn operators_group_as_on_paper() {
        check_grouping("a + b*c", "(a + (b * c))");
        check_grouping("a - b - c", "((a - b) - c)");
        check_grouping("a/b/c", "((a / b) / c)");
        check_grouping("a/b*c", "((a / b) * c)");
        check_grouping("a^b^c", "(a ^ (b ^ c))");
        check_grouping("-x^2", "-((x ^ 2))");
        check_grouping("(-x)^2", "(-(x) ^ 2)");
        check_grouping("-a*b", "(-(a) * b)");
        check_grouping("a*-b", "(a * -(b))");
        check_grouping("2^-1", "(2 ^ -(1))");
        check_grouping("2^-x^2", "(2 ^ -((x ^ 2)))");
        check_grouping("2^-x*y", "((2 ^ -(x)) * y)");
        check_grouping("--x", "-(-(x))");
        check_grouping("+x", "x");
        check_grouping("min(a, b, c)", "((a min b) min c)");
    }

    #[test]
    fn formulas_print_as_on_paper() {
        check("integral( u^2,x=0 ..1 )", "integral(u^2, x = 0..1)");
        check(
            "integral(a*s,s=.5..x,y=-1..s, nodes=8)*2",
            "integral(a*s, s = 0.5..x, y = -1..s, nodes = 8)*2",
        );
        check(
            "integral(integral(s, s = 0..r), r = 1.5..-(x + 1))",
            "integral(integral(s, s = 0..r), r = 1.5..-(x + 1))",
        );
        check("u_t+u*u_x-nu*u_xx", "u_t + u*u_x - nu*u_xx");
        check("((a))", "a");
        check("a-(b-c)", "a - (b - c)");
        check("a/(b*c)", "a/(b*c)");
        check("(a^b)^c", "(a^b)^c");
        check("-(a*b)", "-(a*b)");
        check("sin( pi * x )", "sin(pi*x)");
        check("log(x)", "ln(x)");
        check("max(a,b)", "max(a, b)");
        check("1e-3 + .5 + 1.50 + 2e10 + 1e300", "0.001 + 0.5 + 1.5 + 2e10 + 1e300");
        check("ν*Größe_1", "ν*Größe_1");
        check("atan2( y,x )^2*sech(-x)", "atan2(y, x)^2*sech(-x)");
    }

    /// Each mistake as the text it points at and its message, with its hint after an arrow.
    fn check_errors(text: &str, expected: &[&str]) {
        let errors = parse(text).unwrap_err();
        let shown: Vec<_> = errors
            .iter()
            .map(|error| {
                let hint = error.hint.as_ref().map(|hint| format!(" → {hint}"));
                let place = &text[error.span.clone()];
                format!("[{place}] {}{}", error.message, hint.unwrap_or_default())
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn mistakes_are_explained() {
        check_errors("", &["[] the formula is empty"]);
        check_errors("  ", &["[  ] the formula is empty"]);
        check_errors("u +", &["[] the formula ends where a value should follow"]);
        check_errors("* u", &["[*] expected a value before `*`"]);
        check_errors("(u", &["[(] this `(` is not closed"]);
        check_errors("u)", &["[)] this `)` closes nothing"]);
        check_errors("u, v", &["[,] unexpected `,` outside a function's arguments"]);
        check_errors("sin()", &["[)] expected a value here"]);
        check_errors("2x", &["[x] expected an operator here → a product is written with `*`"]);
        check_errors("2 (x)", &["[(] expected an operator here → a product is written with `*`"]);
        check_errors(
            "u = 1",
            &[
                "[=] unexpected `=` in a formula → a residual is what shall be zero: for `a = b` write `a - (b)`",
            ],
        );
        check_errors("x**2", &["[**] unknown operator `**` → a power is written `^`"]);
        check_errors("x − 1", &["[−] unexpected `−` in a formula → write the minus sign `-`"]);
        check_errors(
            "x $ 1",
            &[
                "[$] unexpected `$` in a formula",
                "[1] expected an operator here → a product is written with `*`",
            ],
        );
        check_errors(
            "sin x",
            &[
                "[sin] the function `sin` has no argument → write `sin(...)`",
                "[x] expected an operator here → a product is written with `*`",
            ],
        );
        check_errors("sni(x)", &["[sni] unknown function `sni` → did you mean `sin`?"]);
        check_errors("sech()", &["[)] expected a value here"]);
        check_errors("atan2(x)", &["[atan2(x)] `atan2` takes two arguments, not 1"]);
        check_errors("sech(x, t)", &["[sech(x, t)] `sech` takes one argument, not 2"]);
        check_errors("u(x)", &["[u] unknown function `u` → for a product write `u*(...)`"]);
        check_errors("sin(x, t)", &["[sin(x, t)] `sin` takes one argument, not 2"]);
        check_errors("max(x)", &["[max(x)] `max` takes two or more arguments"]);
        check_errors("1e999", &["[1e999] the number is too large for double precision"]);
        check_errors("_x", &["[_] unexpected `_` in a formula"]);
        check_errors("x²", &["[²] unexpected `²` in a formula → a power is written `^2`"]);
        check_errors(".", &["[.] `.` is not a number"]);
    }

    #[test]
    fn several_mistakes_are_reported_at_once() {
        check_errors(
            "sni(x) + 2y + cso(t) = 0",
            &[
                "[sni] unknown function `sni` → did you mean `sin`?",
                "[y] expected an operator here → a product is written with `*`",
                "[cso] unknown function `cso` → did you mean `cos`?",
                "[=] unexpected `=` in a formula → a residual is what shall be zero: for `a = b` write `a - (b)`",
            ],
        );
    }

    #[test]
    fn size_is_limited() {
        let message = |text: String| {
            let errors = parse(&text).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            errors[0].message.clone()
        };
        assert!(message("(".repeat(10_000_000)).contains("more than 65536"));
        assert!(message("(".repeat(60_000)).contains("too deep"));
        assert!(message("-".repeat(60_000)).contains("too deep"));
        assert!(message("x^".repeat(20_000) + "x").contains("too deep"));
        assert!(message("sin(".repeat(10_000)).contains("too deep"));
        assert!(message("x+".repeat(20_000) + "x").contains("too deep"));
        let long = "x+".repeat(MAX_HEIGHT - 2) + "x";
        assert!(parse(&long).is_ok());
        let nested = "(".repeat(90) + "x" + &")".repeat(90);
        assert!(parse(&nested).is_ok());
    }

    properties! {
        #[test]
        fn printing_and_parsing_is_the_identity(expr in random::expr()) {
            prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
        }

        /// Without any one pair of parentheses the text means something else.
        #[test]
        fn no_parentheses_are_needless(expr in random::expr()) {
            let text = expr.to_string();
            for (open, _) in text.match_indices('(') {
                if text[..open].ends_with(continues_name) {
                    continue;
                }
                let mut depth = 0;
                let close = text[open..].find(|c| {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    depth == 0
                });
                let close = open + close.expect("parentheses come in pairs");
                let without = format!("{}{}{}", &text[..open], &text[open + 1..close], &text[close + 1..]);
                prop_assert_ne!(parse(&without), Ok(expr.clone()));
            }
        }

        #[test]
        fn random_text_never_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn random_sums_never_panic_and_point_into_the_text(
            text in "(sum|product|laplacian|x|u_x|\\(|\\)|\\[|\\]|i|j|,| = |\\.\\.|1|3|\\+|\\*|-|_){0,24}"
        ) {
            for error in parse(&text).err().unwrap_or_default() {
                prop_assert!(text.get(error.span).is_some());
            }
        }

        #[test]
        fn random_formulas_never_panic_and_point_into_the_text(
            text in "[-+*/^(),. x1eE=$πsin\\[\\]um_\u{2212}]{0,40}"
        ) {
            for error in parse(&text).err().unwrap_or_default() {
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }
}
