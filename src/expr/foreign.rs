//! How other people write: derivatives as quotients, values at a place, branches, integrals, names of libraries.
//!
//! Each of these is recognized as a whole, so that it is one mistake with one message that holds what to type instead.
//! This knows text and the names that are declared; it knows no graphs and no problem files.

use super::Error;
use super::ast::{Expr, Kind};
use super::function::{function, function_names};
use super::names::{Names, continues_name, is_name, listed, listed_or, number_length, starts_name};

/// The longest part in parentheses or bars that is looked at.
const MAX_GROUP: usize = 200;

/// A notation that is not of this language.
pub(super) struct Foreign {
    /// Where it ends, in bytes of the text.
    pub(super) end: usize,
    /// What is said about it.
    pub(super) error: Error,
    /// The name to read in its place; without one, a value that nothing more is said about.
    pub(super) name: Option<String>,
}

/// The foreign notation that begins at `at`, if there is one.
pub(super) fn notation(text: &str, at: usize, known: &dyn Names) -> Option<Foreign> {
    let first = text[at..].chars().next()?;
    let mut input = Input { text, at };
    let (message, hint) = match first {
        '∂' => input.quotient(known).unwrap_or_else(|| {
            input.at += first.len_utf8();
            let along = if input.eat("_") { input.word() } else { "" };
            input.spaces();
            let inner =
                if input.rest().starts_with('(') { input.group().unwrap_or("") } else { input.word() };
            let message = "derivatives are not written with `∂` here".to_owned();
            let general = "write `u_x` for ∂u/∂x, `u_xx` for ∂²u/∂x²".to_owned();
            (
                message,
                if along.is_empty() || inner.is_empty() {
                    general
                } else {
                    derivative_of(inner, along, known)
                },
            )
        }),
        '∇' => input.nabla(known),
        '∫' => {
            input.at = text.len();
            ("integrals are not written with `∫` here".to_owned(), integral("u", known))
        }
        '|' => input.magnitude()?,
        '0'..='9' | '.' => input.imaginary(known)?,
        _ if starts_name(first) => return input.named(known, first),
        _ => return None,
    };
    Some(Foreign { end: input.at, error: Error::new(at..input.at, message).hint(hint), name: None })
}

/// `)_x` after a parenthesis that opens at `open`: a derivative of a whole formula.
pub(super) fn subscripted_group(text: &str, open: usize, close: usize, known: &dyn Names) -> Option<Foreign> {
    let mut input = Input { text, at: close + 1 };
    input.eat("_").then_some(())?;
    let subscript = input.word();
    let inner = text[open + 1..close].trim();
    let message = format!("`({inner})_{subscript}`: only names have derivatives");
    let error = Error::new(open..input.at, message).hint(by_definition(inner, subscript, known));
    (!subscript.is_empty()).then_some(Foreign { end: input.at, error, name: None })
}

/// Message and hint for a call of something that is no function.
pub(super) fn call(name: &str, arguments: &[Expr], known: &dyn Names) -> Option<(String, String)> {
    let written: Vec<_> = arguments.iter().map(Expr::to_string).collect();
    if known.is_differentiable(name) || (!known.is_declared(name) && known.is_derivative(name)) {
        return value_at(name, arguments, &written, known);
    }
    if known.is_declared(name) {
        return Some((format!("`{name}` is not a function"), product(name, &written)));
    }
    let first = written.first()?;
    let unknown = format!("unknown function `{name}`");
    Some(match name {
        "diff" | "D" | "Diff" | "derivative" | "Derivative" | "deriv" | "partial" | "pd" | "der" | "d"
        | "grad" | "gradient" | "jacobian"
            if arguments.len() > 1 || known.coordinates().len() == 1 =>
        {
            let mut along = String::new();
            for (i, argument) in written.iter().enumerate().skip(1) {
                match argument.parse::<usize>() {
                    // How often the coordinate before it is taken.
                    Ok(count) => along += &written[i - 1].repeat(count.clamp(1, 4) - 1),
                    Err(_) => along += argument,
                }
            }
            if along.is_empty() {
                along = known.coordinates().concat();
            }
            (format!("derivatives are not written `{name}(...)` here"), derivative_of(first, &along, known))
        }
        "Laplacian" | "laplace" | "lap" | "nabla2" => {
            (format!("there is no `{name}`"), laplacian(first, known))
        }
        "grad" | "gradient" | "nabla" => (format!("there is no `{name}`"), gradient(first, known)),
        "div" | "divergence" | "curl" | "rot" => {
            let hint = match known.space().as_slice() {
                [x, y, ..] if name.starts_with("div") && written.len() == 2 => {
                    format!("write `{}_{x} + {}_{y}`", written[0], written[1])
                }
                _ => "write it out in components, such as `p_x + q_y`".to_owned(),
            };
            (format!("there is no `{name}`"), hint)
        }
        "integrate" | "Integral" | "int" | "quad" => (unknown, integral(first, known)),
        "delta" | "dirac" | "Dirac" | "DiracDelta" | "δ" => {
            let message = format!("`{name}` is no function of points: training would never see it");
            let hint = format!("write a narrow bump of width w, `exp(-(({first})/w)^2)/(w*sqrt(pi))`");
            (message, hint)
        }
        "if" | "where" | "cond" | "ifelse" | "iif" | "select" | "piecewise" | "Piecewise" => {
            (unknown, branch(""))
        }
        "pow" | "power" if written.len() == 2 => (unknown, format!("write `({first})^({})`", written[1])),
        "sinc" => (unknown, format!("write `sin(a)/a` with a = {first}, or with a = pi*({first})")),
        _ => (unknown, format!("did you mean `{}`?", elsewhere(name)?)),
    })
}

/// Message and hint for a name alone that means nothing here, but much elsewhere.
pub(super) fn name(name: &str, known: &dyn Names) -> Option<(String, String)> {
    let unknown = format!("unknown symbol `{name}`");
    match name {
        "i" | "j" | "I" | "J" => Some((unknown, COMPLEX.to_owned())),
        "e" => Some((unknown, "write `exp(x)` for e^x, and `exp(1)` for the number".to_owned())),
        "inf" | "Inf" | "infinity" | "oo" | "∞" => {
            Some((unknown, "numbers and domains are finite: take a value far enough out".to_owned()))
        }
        _ => {
            let rest = name.strip_prefix('d').filter(|rest| known.is_differentiable(rest))?;
            let along = known.coordinates().first().copied().unwrap_or("x");
            Some((unknown, format!("a derivative of `{rest}` is written `{rest}_{along}`")))
        }
    }
}

/// `e^…`, where `e` is not declared.
pub(super) fn power_of_e(base: &Expr, exponent: &Expr, known: &dyn Names) -> Option<Error> {
    let is_e = matches!(&base.kind, Kind::Name(name) if name == "e");
    (is_e && !known.is_declared("e")).then(|| {
        let span = base.span.start..exponent.span.end;
        Error::new(span, "`e` is not declared").hint(format!("write `exp({exponent})` for `e^({exponent})`"))
    })
}

/// What a function of other languages is called here.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "arcsin" => "asin",
        "arccos" => "acos",
        "arctan" | "arctg" => "atan",
        "arctan2" => "atan2",
        "arcsinh" | "arsinh" => "asinh",
        "arccosh" | "arcosh" => "acosh",
        "arctanh" | "artanh" => "atanh",
        "tg" => "tan",
        "ctg" | "cotan" => "cot",
        "sgn" | "signum" => "sign",
        "fabs" | "absolute" | "Abs" => "abs",
        "maximum" | "Max" | "fmax" => "max",
        "minimum" | "Min" | "fmin" => "min",
        "Heaviside" | "theta" | "θ" | "H" => "step",
        "lg" => "log10",
        "logistic" => "sigmoid",
        "normcdf" | "ncdf" => "Phi",
        _ => return None,
    })
}

const COMPLEX: &str =
    "there are no complex numbers: make real and imaginary part two unknowns with an equation each";

/// `u_xx`, from the name of what is differentiated and the coordinates in a row.
fn subscripted(name: &str, along: &str) -> String {
    format!("{name}_{along}")
}

/// How to write a derivative of `inner`, a name or a formula.
fn derivative_of(inner: &str, along: &str, known: &dyn Names) -> String {
    let inner = inner.trim();
    match inner.rsplit_once('_') {
        // A derivative once more: `u_x` along x is `u_xx`.
        Some((base, rest)) if is_name(inner) && !base.is_empty() && !rest.is_empty() => {
            format!("write `{inner}{along}`")
        }
        _ if is_name(inner) => format!("write `{}`", subscripted(inner, along)),
        _ => by_definition(inner, along, known),
    }
}

fn by_definition(inner: &str, along: &str, known: &dyn Names) -> String {
    if known.is_asked() {
        return "write the derivative out, by the rules of products and chains".to_owned();
    }
    format!("name it under [definitions], for example `flux = \"{inner}\"`, and write `flux_{along}`")
}

pub(super) fn laplacian_by_definition(inner: &str, known: &dyn Names) -> String {
    by_definition(inner, "xx", known).replace("flux_xx", "laplacian(flux)")
}

fn laplacian(inner: &str, known: &dyn Names) -> String {
    let written = match inner.trim() {
        "" => "u",
        inner if is_name(inner) => inner,
        inner => return laplacian_by_definition(inner, known),
    };
    format!("write `laplacian({written})`")
}

fn gradient(inner: &str, known: &dyn Names) -> String {
    let space = known.space();
    let name = if is_name(inner) { inner } else { "u" };
    let parts: Vec<_> =
        if space.is_empty() { vec!["x", "y"] } else { space }.iter().map(|x| format!("{name}_{x}")).collect();
    format!("write its components {}", listed(&parts))
}

/// How an integral of `inner` is written.
pub(super) fn integral(inner: &str, known: &dyn Names) -> String {
    let along = known.coordinates().first().copied().unwrap_or("x");
    let written = format!("write `integral({inner}, {along} = a..b)` with its two ends");
    if known.is_asked() {
        return format!("ask for it with `--integral \"{inner}\"`, and `--over` for a face, or {written}");
    }
    written
}

/// How to write a branch; `written` holds the arguments of one that compares.
fn branch(written: &str) -> String {
    let general = "for a where x > c, else b, write `b + (a - b)*step(x - c)`";
    let parts: Vec<_> = split(written).into_iter().map(str::trim).collect();
    let [condition, yes, no] = parts.as_slice() else { return general.to_owned() };
    let compared = [">=", "<=", ">", "<"]
        .into_iter()
        .find_map(|sign| condition.split_once(sign).map(|(left, right)| (sign, left.trim(), right.trim())));
    let Some((sign, left, right)) = compared else { return general.to_owned() };
    let (greater, less) = if sign.starts_with('>') { (left, right) } else { (right, left) };
    let [less, yes, no] = [less, yes, no].map(atom);
    format!("write `{no} + ({yes} - {no})*step({greater} - {less})`")
}

/// In parentheses, unless it is a name or a number.
fn atom(text: &str) -> String {
    let plain = |c: char| continues_name(c) || c == '.';
    if text.chars().all(plain) { text.to_owned() } else { format!("({text})") }
}

/// The parts between commas that stand in no inner parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .collect()
}

fn product(name: &str, written: &[String]) -> String {
    format!("for a product write `{name}*({})`", written.join(", "))
}

/// An unknown or a derivative with arguments: its value somewhere.
fn value_at(
    name: &str,
    arguments: &[Expr],
    written: &[String],
    known: &dyn Names,
) -> Option<(String, String)> {
    let coordinates = known.coordinates();
    let message = format!("`{name}({})`: `{name}` takes no arguments", written.join(", "));
    let (mut foreign, mut moving) = (false, vec![false; arguments.len()]);
    for (argument, moving) in arguments.iter().zip(&mut moving) {
        argument.names(&mut |used| {
            let is_coordinate = coordinates.contains(&used);
            *moving |= is_coordinate;
            foreign |= known.is_differentiable(used) || known.is_derivative(used);
        });
    }
    let itself = |i: usize| coordinates.contains(&written[i].as_str());
    if foreign || (arguments.len() != coordinates.len() && !itself(0) && moving[0]) {
        return Some((message, product(name, written)));
    }
    if (0..arguments.len()).any(|i| moving[i] && !itself(i)) {
        let hint = format!(
            "there are no shifted arguments: `{name}` is its value at the point itself; {}",
            product(name, written)
        );
        return Some((message, hint));
    }
    let one = arguments.len() == coordinates.len();
    let places: Vec<_> = (0..arguments.len())
        .filter(|&i| !moving[i])
        .map(|i| {
            format!(
                "{} = {}",
                if one { coordinates[i] } else { coordinates.first().unwrap_or(&"x") },
                written[i]
            )
        })
        .collect();
    let hint = if places.is_empty() {
        format!("write `{name}`: it is the value at the point itself")
    } else if known.is_asked() {
        let at = places.join(",").replace(' ', "");
        format!(
            "`{name}` is its value at the points asked for: write `{name}`, and fix them with `--at {at}`"
        )
    } else {
        format!(
            "`{name}` is its value at the condition's place: write `{name}` in a condition with `place = \"{}\"`",
            places.join(", ")
        )
    };
    Some((message, hint))
}

/// A place in a text, moved on by what is read.
struct Input<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Input<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, what: &str) -> bool {
        let there = self.rest().starts_with(what);
        if there {
            self.at += what.len();
        }
        there
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// A name, perhaps empty.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
        let end = if rest.starts_with(starts_name) { end } else { 0 };
        self.at += end;
        &rest[..end]
    }

    /// The order of a derivative: `2`, `^2`, `**2` or `²`.
    fn order(&mut self) -> Option<usize> {
        let start = self.at;
        for (raised, order) in [('²', 2), ('³', 3), ('⁴', 4)] {
            if self.rest().starts_with(raised) {
                self.at += raised.len_utf8();
                return Some(order);
            }
        }
        let _ = self.eat("^") || self.eat("**");
        let digit = self.rest().bytes().next().filter(u8::is_ascii_digit);
        match digit {
            Some(digit @ b'1'..=b'9') => {
                self.at += 1;
                Some(usize::from(digit - b'0'))
            }
            _ => {
                self.at = start;
                None
            }
        }
    }

    /// A short part in parentheses, without them.
    fn group(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let mut depth = 0;
        for (i, c) in rest.char_indices().take(MAX_GROUP) {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 0 {
                self.at += i + 1;
                return rest.get(1..i);
            }
        }
        None
    }

    /// `du/dt`, `d2u/dx2`, `d^2u/dx^2`, `∂²u/∂x²`, `d(u*v)/dx`, `d/dx(u)`: message and hint.
    ///
    /// Where what `d` stands before is declared, or is no unknown, it is an ordinary quotient.
    fn quotient(&mut self, known: &dyn Names) -> Option<(String, String)> {
        let start = self.at;
        let found = self.quotient_parts(known);
        if found.is_none() {
            self.at = start;
        }
        let (function, along) = found?;
        let message =
            format!("`{}` is not how derivatives are written here", self.text[start..self.at].trim_end());
        Some((message, derivative_of(function, &along, known)))
    }

    fn quotient_parts(&mut self, known: &dyn Names) -> Option<(&'a str, String)> {
        let sign = if self.eat("∂") {
            "∂"
        } else {
            let whole = Input { ..*self }.word();
            (self.eat("d") && !known.is_declared(whole)).then_some("d")?
        };
        let order = self.order();
        if order.is_some() || sign == "∂" {
            self.spaces();
        }
        let mut function = if self.rest().starts_with('(') { self.group()? } else { self.word() };
        if sign == "d" && !function.is_empty() && is_name(function) && !known.is_differentiable(function) {
            return None;
        }
        self.spaces();
        self.eat("/").then_some(())?;
        self.spaces();
        let enclosed = self.eat("(");
        let mut along = String::new();
        loop {
            self.spaces();
            let before = self.at;
            let Some(coordinate) = self.differential(sign, known) else {
                self.at = before;
                break;
            };
            let times = self.order().unwrap_or(1);
            along += &coordinate.repeat(times.min(4));
        }
        if along.is_empty() || (enclosed && !self.eat(")")) {
            return None;
        }
        // Spaces that were skipped in vain belong to what follows.
        self.at -= self.text[..self.at].len() - self.text[..self.at].trim_end().len();
        if self.rest().starts_with(continues_name) {
            return None;
        }
        if function.is_empty() {
            self.spaces();
            let of = if self.rest().starts_with('(') { self.group()? } else { self.word() };
            function = (!of.is_empty()).then_some(of)?;
        }
        Some((function, along))
    }

    /// `dx`: the coordinate.
    fn differential(&mut self, sign: &str, known: &dyn Names) -> Option<&'a str> {
        self.eat(sign).then_some(())?;
        let rest = self.rest();
        let longest =
            known.coordinates().into_iter().filter(|name| rest.starts_with(*name)).map(str::len).max();
        let length = match longest {
            Some(length) => length,
            None if sign == "∂" => rest.chars().next().filter(|c| starts_name(*c))?.len_utf8(),
            None => return None,
        };
        self.at += length;
        Some(&rest[..length])
    }

    /// `∇²u`, `∇u`, `∇·(…)`.
    fn nabla(&mut self, known: &dyn Names) -> (String, String) {
        self.at += '∇'.len_utf8();
        let twice = self.order().is_some();
        self.spaces();
        let _ = self.eat("·") || self.eat("×") || self.eat("⋅");
        self.spaces();
        let inner = if self.rest().starts_with('(') { self.group().unwrap_or("") } else { self.word() };
        let hint = if twice { laplacian(inner, known) } else { gradient(inner, known) };
        ("`∇` is not known: formulas are written in components".to_owned(), hint)
    }

    /// `|x|`.
    fn magnitude(&mut self) -> Option<(String, String)> {
        let rest = &self.rest()[1..];
        let (end, _) = rest.char_indices().take(MAX_GROUP).find(|(_, c)| *c == '|')?;
        let inner = rest[..end].trim();
        if inner.is_empty() {
            return None;
        }
        self.at += end + 2;
        Some((format!("`|{inner}|` is not how a magnitude is written here"), format!("write `abs({inner})`")))
    }

    /// `1i`, `2.5j`.
    fn imaginary(&mut self, known: &dyn Names) -> Option<(String, String)> {
        let start = self.at;
        self.at += number_length(self.rest());
        let unit = self.word();
        if !matches!(unit, "i" | "j" | "I" | "J") || known.is_declared(unit) {
            return None;
        }
        Some((format!("`{}` is a complex number", &self.text[start..self.at]), COMPLEX.to_owned()))
    }

    /// What begins with a name.
    fn named(mut self, known: &dyn Names, first: char) -> Option<Foreign> {
        let start = self.at;
        let mut name = None;
        let (message, hint) = if let Some(said) = (first == 'd').then(|| self.quotient(known)).flatten() {
            said
        } else {
            let word = self.word();
            self.after(word, known, &mut name)?
        };
        let error = Error::new(start..self.at, message).hint(hint);
        Some(Foreign { end: self.at, error, name })
    }

    /// What makes a name foreign: marks after it, or a comparison in its arguments.
    fn after(
        &mut self,
        word: &'a str,
        known: &dyn Names,
        name: &mut Option<String>,
    ) -> Option<(String, String)> {
        if let Some(of) =
            word.strip_prefix('Δ').filter(|of| known.is_differentiable(of) && !known.is_declared(word))
        {
            return Some((format!("`{word}`: there is no `Δ`"), laplacian(of, known)));
        }
        let branches = ["if", "where", "cond", "ifelse", "iif", "select", "piecewise", "Piecewise"];
        if branches.contains(&word) && !known.is_declared(word) {
            self.spaces();
            let inner = self.rest().starts_with('(').then(|| self.group()).flatten()?;
            inner.contains(['<', '>']).then_some(())?;
            return Some((format!("unknown function `{word}`"), branch(inner)));
        }
        let start = self.at - word.len();
        match self.rest().chars().next()? {
            '\'' | '′' | '’' | '″' => {
                let mut order = 0;
                while let Some(mark) = self.rest().chars().next().filter(|c| "'′’″".contains(*c)) {
                    order += if mark == '″' { 2 } else { 1 };
                    self.at += mark.len_utf8();
                }
                let marked = &self.text[start..self.at];
                if self.rest().starts_with('(') {
                    self.group();
                }
                let ways: Vec<_> = known
                    .coordinates()
                    .iter()
                    .map(|x| format!("{word}_{}", x.repeat(order.min(4))))
                    .collect();
                let hint = match ways.as_slice() {
                    [] => format!("write `{word}_{}`", "x".repeat(order.min(4))),
                    [one] => format!("write `{one}`"),
                    several => format!("say along which coordinate: {}", listed_or(several)),
                };
                Some((format!("`{marked}` is not how derivatives are written here"), hint))
            }
            '{' if word.ends_with('_') => {
                let rest = self.rest();
                let (end, _) = rest.char_indices().take(64).find(|(_, c)| *c == '}')?;
                let subscript: String = rest[1..end].chars().filter(|c| continues_name(*c)).collect();
                self.at += end + 1;
                Some((
                    format!("`{word}{{{}}}`: subscripts have no braces", &rest[1..end]),
                    format!("write `{word}{subscript}`"),
                ))
            }
            '.' => {
                self.at += 1;
                let member = self.word();
                if member.is_empty() {
                    return None;
                }
                let here = elsewhere(member).or_else(|| function_called(member));
                let message = format!("`{word}.{member}`: names have no parts, and no library is needed");
                match here {
                    Some(here) => {
                        *name = Some(here.to_owned());
                        Some((message, format!("write `{here}`")))
                    }
                    None => {
                        if self.rest().starts_with('(') {
                            self.group();
                        }
                        Some((message, "write the function's name alone, such as `sin`".to_owned()))
                    }
                }
            }
            _ => None,
        }
    }
}

/// A function's own name, or `pi`.
fn function_called(name: &str) -> Option<&'static str> {
    if name == "pi" {
        return Some("pi");
    }
    function(name)?;
    function_names().find(|known| *known == name)
}
