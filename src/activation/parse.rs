//! Reads activations: `sum = term {"+" term}`, `term = [number "*"] name ["(" [number "*"] "x" ")"]`.

use super::{ActivationError, Function, MAX_COEFFICIENT, MAX_TERMS, Term};

/// The terms of a sum.
pub(super) fn sum(text: &str) -> Result<Vec<Term>, ActivationError> {
    let mut input = Input { text, at: 0 };
    let mut terms = vec![];
    loop {
        if terms.len() == MAX_TERMS {
            return Err(ActivationError::TooManyTerms { at: input.at });
        }
        terms.push(input.term()?);
        input.skip_space();
        if input.rest().is_empty() {
            return Ok(terms);
        }
        // `tanh - erf` subtracts: say so, rather than that a `+` is missing.
        if input.rest().starts_with('-') {
            input.coefficient()?;
        }
        input.expect("+", "\"+\" or the end")?;
    }
}

/// Checks a coefficient; `written` and `at` are for the complaint.
pub(super) fn coefficient(x: f64, written: impl Fn() -> String, at: usize) -> Result<f64, ActivationError> {
    if (1.0 / MAX_COEFFICIENT..=MAX_COEFFICIENT).contains(&x) {
        Ok(x)
    } else {
        Err(ActivationError::Coefficient { written: written(), at })
    }
}

/// Functions that people ask for in vain, and why.
const OUTSIDE: &[(&str, &str)] = &[
    ("relu", UNBOUNDED),
    ("leaky_relu", UNBOUNDED),
    ("elu", UNBOUNDED),
    ("selu", UNBOUNDED),
    ("swish", "it is called silu here; use silu"),
    ("mish", UNBOUNDED),
    ("asinh", UNBOUNDED),
    ("identity", UNBOUNDED),
    ("linear", UNBOUNDED),
    ("sigmoid", "it is not odd; use tanh, which is the same function shifted and scaled"),
    ("logistic", "it is not odd; use tanh, which is the same function shifted and scaled"),
    ("sine", "it is called sin here; use sin"),
    ("cos", "it is not odd; use cos(…) as a feature of the problem, and tanh here"),
    ("hardtanh", "its derivative jumps; use tanh"),
    ("sign", "it jumps; use tanh(10*x) or the like"),
    ("step", "it jumps; use tanh(10*x) or the like"),
    ("softsign", "there are two: use softsign_1 for x/(1+|x|), softsign_2 for x/√(1+x²)"),
    ("atan", "it is called arctan here; use arctan"),
];

const UNBOUNDED: &str = "it is not bounded; use tanh or softsign_2";

/// Every function.
fn all() -> impl Iterator<Item = Function> + Clone {
    Function::FAMILY.iter().chain(Function::OTHERS).copied()
}

struct Input<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Input<'a> {
    fn term(&mut self) -> Result<Term, ActivationError> {
        let amplitude = self.factor()?;
        let function = self.function()?;
        let mut frequency = 1.0;
        if self.eat("(") {
            frequency = self.factor()?;
            self.expect("x", "x")?;
            self.expect(")", "\")\"")?;
        }
        Ok(Term { amplitude, function, frequency })
    }

    /// `number "*"`, or nothing, which is 1.
    fn factor(&mut self) -> Result<f64, ActivationError> {
        self.skip_space();
        if !self.rest().starts_with(|c: char| c.is_ascii_digit() || ".+-".contains(c)) {
            return Ok(1.0);
        }
        let factor = self.coefficient()?;
        self.expect("*", "\"*\"")?;
        Ok(factor)
    }

    /// A number, which must be in range.
    fn coefficient(&mut self) -> Result<f64, ActivationError> {
        let (start, rest) = (self.at, self.rest());
        let mut previous = ' ';
        let length = rest.find(|c: char| {
            let sign = "+-".contains(c) && (" eE".contains(previous));
            let ends = !(c.is_ascii_digit() || ".eE".contains(c) || sign);
            previous = c;
            ends
        });
        let written = &rest[..length.unwrap_or(rest.len())];
        match written.parse() {
            Ok(number) => {
                self.at += written.len();
                coefficient(number, || written.into(), start)
            }
            // A minus before a name.
            Err(_) if rest.starts_with('-') => {
                Err(ActivationError::Coefficient { written: "-1".into(), at: start })
            }
            Err(_) => Err(self.syntax("a number or a function")),
        }
    }

    fn function(&mut self) -> Result<Function, ActivationError> {
        self.skip_space();
        let (at, rest) = (self.at, self.rest());
        let name = &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())];
        if name.is_empty() {
            return Err(self.syntax("a function"));
        }
        self.at += name.len();
        if let Some(function) = all().find(|function| function.name() == name) {
            return Ok(function);
        }
        let lower = name.to_lowercase();
        if let Some(&(_, reason)) = OUTSIDE.iter().find(|(outside, _)| *outside == lower) {
            return Err(ActivationError::Outside { name: name.into(), reason, at });
        }
        let names = all().map(Function::name);
        let nearest = names.clone().min_by_key(|known| strsim::damerau_levenshtein(known, &lower));
        let hint = match nearest {
            Some(known) if strsim::damerau_levenshtein(known, &lower) <= 1 + known.len() / 4 => {
                format!("did you mean {known:?}?")
            }
            _ => format!("use one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(ActivationError::Unknown { name: name.into(), hint, at })
    }

    fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), ActivationError> {
        if self.eat(token) { Ok(()) } else { Err(self.syntax(expected)) }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn syntax(&self, expected: &'static str) -> ActivationError {
        let found = match self.rest().chars().next() {
            Some(c) => format!("{c:?} stands"),
            None => "the activation ends".into(),
        };
        ActivationError::Syntax { found, expected, at: self.at }
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
}
