//! What is written once and stands for many terms: sums and products over an index, names with an index, Laplacians.
//!
//! All of it is read as what it stands for, so that nobody else knows of indices: `sum(x[i]^2, i = 1..3)` is
//! x1^2 + x2^2 + x3^2, `u_x[2]x[2]` is `u_x2x2`, and `laplacian(u)` is u_xx + u_yy.

use core::ops::Range;

use super::ast::{Expr, Kind};
use super::function::repeats;
use super::names::{is_name, listed};
use super::parse::{Grown, Parser, Token};
use super::{Binary, Error, Unary, foreign};
use crate::limits::MAX_WRITTEN_OUT;

/// What the sum of second derivatives is called.
const LAPLACIAN: &str = "laplacian";

/// Indices of one sum, at the most.
const MOST_INDICES: usize = 8;

/// An index and what it runs over.
struct Over {
    variable: String,
    span: Range<usize>,
    /// Where among the tokens its first end begins; without ends it runs over all that it indexes.
    ends: Option<usize>,
}

/// Parts of a call, by their places among the tokens.
struct Call {
    /// Where its arguments begin.
    starts: Vec<usize>,
    /// Where it is closed.
    close: usize,
}

impl Parser<'_> {
    /// The rest of a call whose parenthesis is `open`, where its name has a meaning of its own here.
    pub(super) fn written_once(&mut self, name: &str, start: usize, open: &Range<usize>) -> Option<Grown> {
        if self.names.is_declared(name) {
            return None;
        }
        if name == LAPLACIAN {
            return Some(self.laplacian(start, open.clone()));
        }
        Some(self.repeated(name, repeats(name)?, start, open.clone()))
    }

    /// A name that has been read, with the indices that follow it: its text, and where it is.
    pub(super) fn indexed(&mut self, mut name: String, mut span: Range<usize>) -> (String, Range<usize>) {
        loop {
            match self.peek() {
                Some((Token::OpenIndex, open)) if open.start == span.end => {
                    self.next += 1;
                    let index = self.expression(0).expr;
                    span.end = match self.peek() {
                        Some((Token::CloseIndex, close)) => {
                            self.next += 1;
                            close.end
                        }
                        other => {
                            let at = other.map_or(open.clone(), |(_, span)| span);
                            self.error(at, "this index is not closed with `]` here");
                            return (name, span);
                        }
                    };
                    let Some(value) = self.index(&index) else { return (name, span) };
                    let family = family(&name).to_owned();
                    let count = self.count(&family);
                    if count > 0 && !(1..=count as i64).contains(&value) {
                        let message = format!("there is no `{family}{value}`");
                        let hint = format!("there are `{family}1` to `{family}{count}`");
                        self.report(Error::new(span.clone(), message).hint(hint));
                    }
                    name += &value.to_string();
                }
                Some((Token::Name(more), at)) if at.start == span.end => {
                    self.next += 1;
                    name += &more;
                    span.end = at.end;
                }
                _ => return (name, span),
            }
        }
    }

    /// The value of an index, which is a whole number.
    fn index(&mut self, index: &Expr) -> Option<i64> {
        let value = number(index);
        let whole = value.filter(|x| x.fract() == 0.0 && (0.0..1e9).contains(x)).map(|x| x as i64);
        if whole.is_none() {
            let error = match value {
                Some(x) => Error::new(index.span.clone(), format!("the index is {x}"))
                    .hint("an index is a whole number from 0 up"),
                None => Error::new(index.span.clone(), format!("`{index}` is no index here")).hint(
                    "an index is a number, or runs in a sum around: `sum(x[i]^2, i = 1..10)`, or over all with `sum(x[i]^2, i)`",
                ),
            };
            self.report(error);
        }
        whole
    }

    /// How many of `family`1, `family`2, … are declared.
    fn count(&mut self, family: &str) -> usize {
        if let Some(count) = self.counts.get(family) {
            return *count;
        }
        let count = (1..).take_while(|k| self.names.is_declared(&format!("{family}{k}"))).count();
        self.counts.insert(family.to_owned(), count);
        count
    }

    /// The number that an index stands for, if `name` is one of a sum around.
    pub(super) fn running(&self, name: &str) -> Option<Kind> {
        let (_, value) = self.indices.iter().rev().find(|(known, _)| known == name)?;
        let magnitude = Kind::Number(value.unsigned_abs() as f64);
        Some(if *value < 0 { Kind::Unary(Unary::Neg, Box::new(magnitude.into())) } else { magnitude })
    }

    /// The rest of a sum or a product: the term, then `i = a..b` or `i` alone, once or more.
    fn repeated(&mut self, name: &str, join: Binary, start: usize, open: Range<usize>) -> Grown {
        let Some(Call { starts, close }) = self.call() else {
            self.error(open.clone(), "this `(` is not closed");
            self.next = self.tokens.len();
            return Grown::missing(start..open.end);
        };
        let whole = start..self.tokens[close].1.end;
        let mut over = vec![];
        for &at in &starts[1..] {
            let after = self.tokens.get(at + 1).map(|(token, _)| token.clone());
            match (self.tokens.get(at).cloned(), after) {
                (Some((Token::Name(variable), span)), Some(Token::Equals)) => {
                    over.push(Over { variable, span, ends: Some(at + 2) });
                }
                (Some((Token::Name(variable), span)), Some(Token::Comma | Token::Close)) => {
                    over.push(Over { variable, span, ends: None });
                }
                (token, _) => {
                    let span = token.map_or(whole.clone(), |(_, span)| span);
                    let error = Error::new(span, format!("expected what the {name} runs over here"));
                    self.report(
                        error.hint(format!("write `{name}(…, i = 1..10)`, or `{name}(…, i)` over all")),
                    );
                    self.next = close + 1;
                    return Grown::missing(whole);
                }
            }
        }
        if over.is_empty() {
            let error = Error::new(whole.clone(), format!("it is not said what the {name} runs over"));
            let hint = format!(
                "write `{name}(x[i]^2, i = 1..10)`, or `{name}(x[i]^2, i)` over all of `x1`, `x2`, …"
            );
            self.report(error.hint(hint));
            self.next = close + 1;
            return Grown::missing(whole);
        }
        if over.len() > MOST_INDICES {
            let message = format!("the {name} runs over more than {MOST_INDICES} indices");
            self.report(Error::new(whole.clone(), message));
            self.next = close + 1;
            return Grown::missing(whole);
        }
        for Over { variable, span, .. } in &over {
            if self.names.is_declared(variable) {
                let message = format!("`{variable}` is declared, so no index can be called so");
                self.report(Error::new(span.clone(), message).hint("choose another name for the index"));
            }
        }
        let end = starts.get(1).map_or(close, |next| next - 1);
        let mut terms = vec![];
        self.terms(name, (starts[0], end), &over, &mut terms);
        self.next = close + 1;
        // By twos, so that no formula is as deep as there are terms.
        while terms.len() > 1 {
            let mut joined = vec![];
            let mut rest = terms.into_iter();
            while let Some(a) = rest.next() {
                joined.push(match rest.next() {
                    Some(b) => {
                        let kind = Kind::Binary(join, Box::new(a.expr), Box::new(b.expr));
                        self.join(whole.clone(), a.height.max(b.height), kind)
                    }
                    None => a,
                });
            }
            terms = joined;
        }
        terms.pop().unwrap_or_else(|| {
            let nothing = if join == Binary::Add { 0.0 } else { 1.0 };
            Grown::leaf(Kind::Number(nothing), whole)
        })
    }

    /// The terms of a sum whose body is these tokens, for every value of what it runs `over`.
    fn terms(&mut self, name: &str, body: (usize, usize), over: &[Over], terms: &mut Vec<Grown>) {
        let Some((first, rest)) = over.split_first() else {
            self.written_out += body.1 - body.0;
            self.next = body.0;
            terms.push(self.expression(0));
            if self.next < body.1 {
                self.expected_end();
            }
            return;
        };
        let ends = match first.ends {
            Some(at) => self.ends(name, first, at),
            None => self.all(name, first, body),
        };
        let Some((from, to)) = ends else { return };
        for value in from..=to {
            self.written_out += 1;
            if self.written_out > MAX_WRITTEN_OUT {
                let from = self.tokens[body.0].1.start;
                let message = format!(
                    "written out, the sums take more than {MAX_WRITTEN_OUT} numbers, names and signs"
                );
                self.report(Error::new(from..self.tokens[body.1].1.start, message));
                self.stopped = true;
                return;
            }
            self.indices.push((first.variable.clone(), value));
            self.terms(name, body, rest, terms);
            self.indices.pop();
            // What is wrong in one term is wrong in all.
            if !self.errors.is_empty() {
                return;
            }
        }
    }

    /// The ends of an index, which are written from a token on.
    fn ends(&mut self, name: &str, over: &Over, at: usize) -> Option<(i64, i64)> {
        self.next = at;
        let from = self.expression(0).expr;
        if !matches!(self.peek(), Some((Token::Upto, _))) {
            let error = Error::new(from.span, format!("`{}` has one end here", over.variable));
            self.report(
                error.hint(format!("write both, with `..` between them: `{} = 1..10`", over.variable)),
            );
            return None;
        }
        self.next += 1;
        let to = self.expression(0).expr;
        if !matches!(self.peek(), Some((Token::Comma | Token::Close, _))) {
            self.expected_end();
            return None;
        }
        let mut whole = |end: &Expr| {
            let value = number(end);
            let whole = value.filter(|x| x.fract() == 0.0 && x.abs() < 1e9).map(|x| x as i64);
            if whole.is_none() {
                let message = format!("a {name} runs over whole numbers, and `{end}` is none");
                self.report(Error::new(end.span.clone(), message).hint(format!(
                    "write numbers, or leave the ends out: `{}` alone runs over all",
                    over.variable
                )));
            }
            whole
        };
        let (from, to) = (whole(&from), whole(&to));
        from.zip(to)
    }

    /// From 1 to the number of what an index without ends indexes.
    fn all(&mut self, name: &str, over: &Over, body: (usize, usize)) -> Option<(i64, i64)> {
        let mut counts: Vec<(String, usize)> = vec![];
        for at in body.0..body.1.saturating_sub(3) {
            let [
                (Token::Name(before), _),
                (Token::OpenIndex, _),
                (Token::Name(index), _),
                (Token::CloseIndex, _),
            ] = &self.tokens[at..at + 4]
            else {
                continue;
            };
            if *index != over.variable {
                continue;
            }
            let family = family(before).to_owned();
            let count = self.count(&family);
            if count > 0 {
                counts.push((family, count));
            }
        }
        let Some((family, count)) = counts.first().cloned() else {
            let message = format!("`{}` indexes nothing whose number is known", over.variable);
            let hint = format!("say what the {name} runs over: `{} = 1..10`", over.variable);
            self.report(Error::new(over.span.clone(), message).hint(hint));
            return None;
        };
        if let Some((other, more)) = counts.iter().find(|(_, other)| *other != count) {
            let message = format!("there are {count} of `{family}1`, … and {more} of `{other}1`, …");
            let hint =
                format!("say what the {name} runs over: `{} = 1..{}`", over.variable, count.min(*more));
            self.report(Error::new(over.span.clone(), message).hint(hint));
            return None;
        }
        Some((1, count as i64))
    }

    /// The rest of `laplacian(u)`, or of `laplacian(u, x, y)` along some coordinates.
    fn laplacian(&mut self, start: usize, open: Range<usize>) -> Grown {
        let of = self.expression(0);
        let mut arguments = vec![];
        while let Some((Token::Comma, _)) = self.peek() {
            self.next += 1;
            arguments.push(self.expression(0).expr);
        }
        let end = self.close(open);
        let whole = start..end;
        if !self.errors.is_empty() {
            return Grown::missing(whole);
        }
        let mut along: Vec<String> = vec![];
        for argument in &arguments {
            let name = match &argument.kind {
                Kind::Name(name) => name.as_str(),
                _ => "",
            };
            let count = self.count(name);
            let coordinates = self.names.coordinates();
            let all: Vec<String> = match coordinates.contains(&name) {
                true => vec![name.to_owned()],
                false => (1..=count).map(|k| format!("{name}{k}")).collect(),
            };
            let fine = !all.is_empty() && all.iter().all(|name| coordinates.contains(&name.as_str()));
            if !fine || all.iter().any(|name| along.contains(name)) {
                let message = match fine {
                    true => format!("`{argument}` is named twice"),
                    false => format!("`{argument}` is not a coordinate"),
                };
                let hint = format!("the coordinates are {}", listed(&coordinates));
                self.report(Error::new(argument.span.clone(), message).hint(hint));
                return Grown::missing(whole);
            }
            along.extend(all);
        }
        let along = (!arguments.is_empty()).then_some(&along[..]);
        let mut widest = 0;
        match self.laplacian_of(&of.expr, &of.expr, along, &whole, &mut widest) {
            Ok(expr) => Grown { expr, height: of.height + widest },
            Err(error) => {
                self.report(error);
                Grown::missing(whole)
            }
        }
    }

    /// The Laplacian of `part`, a part of `of`: it is linear, so that of a sum is the sum of theirs.
    ///
    /// `widest` becomes the most terms that a name has.
    fn laplacian_of(
        &mut self,
        part: &Expr,
        of: &Expr,
        along: Option<&[String]>,
        whole: &Range<usize>,
        widest: &mut usize,
    ) -> Result<Expr, Error> {
        let mut again = |part: &Expr| self.laplacian_of(part, of, along, whole, widest).map(Box::new);
        let kind = match &part.kind {
            Kind::Unary(Unary::Neg, x) => Kind::Unary(Unary::Neg, again(x)?),
            Kind::Binary(sign @ (Binary::Add | Binary::Sub), a, b) => {
                Kind::Binary(*sign, again(a)?, again(b)?)
            }
            Kind::Binary(Binary::Mul, a, b) if matches!(a.kind, Kind::Number(_)) => {
                Kind::Binary(Binary::Mul, a.clone(), again(b)?)
            }
            Kind::Binary(by @ (Binary::Mul | Binary::Div), a, b) if matches!(b.kind, Kind::Number(_)) => {
                Kind::Binary(*by, again(a)?, b.clone())
            }
            Kind::Name(base) if self.names.is_differentiable(base) || self.names.is_derivative(base) => {
                return self.seconds(base, along, whole, widest);
            }
            // The name is unknown, which is said where it is looked up.
            Kind::Name(name) if !self.names.is_declared(name) && !self.names.coordinates().is_empty() => {
                return Ok(part.clone());
            }
            _ => {
                let message = format!(
                    "`laplacian` is taken of unknowns, definitions and their sums, and `{of}` is none of these"
                );
                let hint = foreign::laplacian_by_definition(&of.to_string(), self.names);
                return Err(Error::new(of.span.clone(), message).hint(hint));
            }
        };
        Ok(Expr { kind, span: whole.clone() })
    }

    /// The sum of the second derivatives of the unknown, definition or derivative `base`.
    fn seconds(
        &mut self,
        base: &str,
        along: Option<&[String]>,
        whole: &Range<usize>,
        widest: &mut usize,
    ) -> Result<Expr, Error> {
        let own: Vec<String> = match along {
            Some(along) => along.to_vec(),
            None => self.names.space_of(base).into_iter().map(str::to_owned).collect(),
        };
        *widest = own.len().max(*widest);
        self.written_out += own.len();
        if self.written_out > MAX_WRITTEN_OUT {
            self.stopped = true;
            let message = format!("written out, it takes more than {MAX_WRITTEN_OUT} derivatives");
            return Err(Error::new(whole.clone(), message));
        }
        let between = if is_name(base) && self.names.is_differentiable(base) { "_" } else { "" };
        let terms = own.iter().map(|x| Expr {
            kind: Kind::Name(format!(
                "{base}{between}{x}{}{x}",
                if x.chars().count() > 1 { "_" } else { "" }
            )),
            span: whole.clone(),
        });
        let sum = terms.reduce(|sum, term| Expr {
            kind: Kind::Binary(Binary::Add, Box::new(sum), Box::new(term)),
            span: whole.clone(),
        });
        sum.ok_or_else(|| {
            let message = format!("`{base}` has no coordinate but time, so it has no Laplacian");
            Error::new(whole.clone(), message)
        })
    }

    /// Where the arguments of the call that has been opened begin, and where it is closed.
    fn call(&self) -> Option<Call> {
        let mut depth = 0_usize;
        let mut starts = vec![self.next];
        for (at, (token, _)) in self.tokens.iter().enumerate().skip(self.next) {
            match token {
                Token::Open | Token::OpenIndex => depth += 1,
                Token::Close if depth == 0 => return Some(Call { starts, close: at }),
                Token::Close | Token::CloseIndex => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => starts.push(at + 1),
                _ => {}
            }
        }
        None
    }

    /// Says that something stands where a part should have ended.
    fn expected_end(&mut self) {
        if let Some((_, span)) = self.peek() {
            self.error(span, "expected `,` or `)` here");
        }
    }
}

/// The name that an index after `text` counts: `x` of `u_x`, and of `x`.
fn family(text: &str) -> &str {
    let last = text.rsplit('_').next().unwrap_or(text);
    // Of `u_x1x` it is what follows the last number.
    let from = last.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    if last[from..].is_empty() { last } else { &last[from..] }
}

/// The number that a formula without names is.
fn number(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        Kind::Number(x) => Some(*x),
        Kind::Unary(f, a) => Some(f.apply(number(a)?)),
        Kind::Binary(f, a, b) => Some(f.apply(number(a)?, number(b)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::Names;
    use super::super::parse::parse_in;

    /// `x1` to `x3`, `y1`, `y2`, `t` and an unknown `u`.
    struct Declared;

    impl Names for Declared {
        fn is_declared(&self, name: &str) -> bool {
            name == "u" || self.coordinates().contains(&name)
        }

        fn is_differentiable(&self, name: &str) -> bool {
            name == "u"
        }

        fn is_derivative(&self, name: &str) -> bool {
            name.starts_with("u_")
        }

        fn coordinates(&self) -> Vec<&str> {
            vec!["x1", "x2", "x3", "y1", "y2", "t"]
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = match parse_in(text, &Declared) {
            Ok(expr) => expr.to_string(),
            Err(errors) => {
                let shown = errors.iter().map(|error| {
                    let hint = error.hint.as_ref().map(|hint| format!(" → {hint}")).unwrap_or_default();
                    format!("[{}] {}{hint}", &text[error.span.clone()], error.message)
                });
                shown.collect::<Vec<_>>().join("; ")
            }
        };
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn sums_are_what_they_stand_for() {
        check("sum(x[i]^2, i = 1..2)", "x1^2 + x2^2");
        check("sum(u_x[i]x[i], i)", "u_x1x1 + u_x2x2 + u_x3x3");
        check("u_t - sum(u_y[j]_y[j], j)/2", "u_t - (u_y1_y1 + u_y2_y2)/2");
        check("product(sin(pi*x[i]), i)", "sin(pi*x1)*sin(pi*x2)*sin(pi*x3)");
        check("sum(i*x[i], i = 1..3)", "1*x1 + 2*x2 + 3*x3");
        check("sum(x[i]*y[j], i = 1..2, j)", "x1*y1 + x1*y2 + (x2*y1 + x2*y2)");
        check("sum(sum(x[j], j = 1..i - 1), i = 1..3)", "0 + x1 + (x1 + x2)");
        check("sum(x[2*i - 1], i = 1..2)", "x1 + x3");
        check("sum(i, i = -2..-1)", "-2 - 1".replace("- 1", "+ -1").as_str());
        check("product(x[i], i = 2..1)", "1");
        check("x[3] - x[1]", "x3 - x1");
        check("laplacian(u)", "u_x1_x1 + u_x2_x2 + u_x3_x3 + u_y1_y1 + u_y2_y2");
        check("-laplacian(u, y, t)", "-(u_y1_y1 + u_y2_y2 + u_tt)");
        check("laplacian(u_t, x2)", "u_tx2_x2");
        check("laplacian(2*u - u_t/3, t)", "2*u_tt - u_ttt/3");
        check("laplacian(-laplacian(u, t), x)", "-(u_ttx1_x1 + u_ttx2_x2 + u_ttx3_x3)");
    }

    #[test]
    fn mistakes_in_sums_are_told_once() {
        let over = "write `sum(x[i]^2, i = 1..10)`, or `sum(x[i]^2, i)` over all of `x1`, `x2`, …";
        check("sum(x[i]^2)", &format!("[sum(x[i]^2)] it is not said what the sum runs over → {over}"));
        check("sum(x[i], i = 1..4)", "[x[i]] there is no `x4` → there are `x1` to `x3`");
        check("x[0]", "[x[0]] there is no `x0` → there are `x1` to `x3`");
        check("u_x[4]", "[u_x[4]] there is no `x4` → there are `x1` to `x3`");
        check("x[1.5]", "[1.5] the index is 1.5 → an index is a whole number from 0 up");
        let index = "an index is a number, or runs in a sum around: `sum(x[i]^2, i = 1..10)`, or over all with `sum(x[i]^2, i)`";
        check("x[k]", &format!("[k] `k` is no index here → {index}"));
        check("sum(x[i] + , i = 1..3)", "[,] expected a value here");
        check(
            "sum(x[i], i = 3)",
            "[3] `i` has one end here → write both, with `..` between them: `i = 1..10`",
        );
        check(
            "sum(x[i], i = 1..u)",
            "[u] a sum runs over whole numbers, and `u` is none → write numbers, or leave the ends out: `i` alone runs over all",
        );
        check(
            "sum(x[i]*y[i], i)",
            "[i] there are 3 of `x1`, … and 2 of `y1`, … → say what the sum runs over: `i = 1..2`",
        );
        check(
            "sum(t, i)",
            "[i] `i` indexes nothing whose number is known → say what the sum runs over: `i = 1..10`",
        );
        check(
            "sum(t, t = 1..2)",
            "[t] `t` is declared, so no index can be called so → choose another name for the index",
        );
        check(
            "sum(x[i], 3)",
            "[3] expected what the sum runs over here → write `sum(…, i = 1..10)`, or `sum(…, i)` over all",
        );
        check("sum(x[i]", "[(] this `(` is not closed");
        check("x[1", "[[] this index is not closed with `]` here");
        check("x]", "[]] unexpected `]` in a formula → use round parentheses");
        check(
            "laplacian(u^2)",
            "[u^2] `laplacian` is taken of unknowns, definitions and their sums, and `u^2` is none of these → name it under [definitions], for example `flux = \"u^2\"`, and write `laplacian(flux)`",
        );
        check(
            "laplacian(u, z)",
            "[z] `z` is not a coordinate → the coordinates are `x1`, `x2`, `x3`, `y1`, `y2` and `t`",
        );
        check(
            "laplacian(u, x, x1)",
            "[x1] `x1` is named twice → the coordinates are `x1`, `x2`, `x3`, `y1`, `y2` and `t`",
        );
        check(
            "sum(sum(sum(1, i = 1..1000), j = 1..1000), k = 1..1000)",
            "[1] written out, the sums take more than 400000 numbers, names and signs",
        );
        check(
            "sum(x[i], i = 1..999999999, j = 2..1)",
            "[x[i]] written out, the sums take more than 400000 numbers, names and signs",
        );
    }
}
