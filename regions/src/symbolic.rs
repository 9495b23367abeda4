//! Formulas in the coordinates: computed, put into one another, and written as text.

use core::fmt;
use core::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

/// A formula in the coordinates.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Symbolic {
    Number(f64),
    Coordinate(usize),
    Two(char, Arc<(Symbolic, Symbolic)>),
    Power(Arc<Symbolic>, i32),
    Sqrt(Arc<Symbolic>),
}

use Symbolic::{Coordinate, Number, Power, Sqrt, Two};

/// The number of fifteen digits that is `x` but for rounding, or `x`: 0.16 for 0.4².
fn short(x: f64) -> f64 {
    let short: f64 = format!("{x:.14e}").parse().unwrap_or(x);
    if (short - x).abs() <= 2.0 * f64::EPSILON * x.abs() { short } else { x }
}

impl Symbolic {
    pub(crate) fn squared(self) -> Self {
        match self {
            Number(x) => Number(short(x * x)),
            other => Power(Arc::new(other), 2),
        }
    }

    pub(crate) fn sqrt(self) -> Self {
        match self {
            Number(x) => Number(x.sqrt()),
            other => Sqrt(Arc::new(other)),
        }
    }

    /// Σ (xᵢ - cᵢ)².
    pub(crate) fn square_distance(center: &[f64]) -> Self {
        let terms = center.iter().enumerate().map(|(i, &c)| (Coordinate(i) - Number(c)).squared());
        terms.reduce(Add::add).unwrap_or(Number(0.0))
    }

    /// `constant` + Σ cᵢ·xᵢ.
    pub(crate) fn linear(coefficients: &[f64], constant: f64) -> Self {
        let terms = coefficients.iter().enumerate().map(|(i, &c)| Number(c) * Coordinate(i));
        terms.fold(Number(0.0), Add::add) + Number(constant)
    }

    pub(crate) fn value(&self, x: &[f64]) -> f64 {
        match self {
            Number(number) => *number,
            Coordinate(i) => x[*i],
            Power(base, power) => base.value(x).powi(*power),
            Sqrt(of) => of.value(x).sqrt(),
            Two(operator, both) => {
                let (a, b) = (both.0.value(x), both.1.value(x));
                match operator {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ => a / b,
                }
            }
        }
    }

    /// The formula with `by[i]` for coordinate i.
    pub(crate) fn with(&self, by: &[Self]) -> Self {
        match self {
            Number(_) => self.clone(),
            Coordinate(i) => by[*i].clone(),
            // A power of a root is a power.
            Power(base, power) => match (base.with(by), power) {
                (Sqrt(of), 2) => (*of).clone(),
                (base, 2) => base.squared(),
                (base, &power) => Power(Arc::new(base), power),
            },
            Sqrt(of) => of.with(by).sqrt(),
            Two(operator, both) => {
                let (a, b) = (both.0.with(by), both.1.with(by));
                match operator {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ => a / b,
                }
            }
        }
    }

    /// The formula as text, each coordinate by its name.
    pub(crate) fn text(&self, names: &[&str]) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, names, 0);
        text
    }

    fn write(&self, to: &mut String, names: &[&str], tightness: u8) -> fmt::Result {
        use fmt::Write;
        let own = match self {
            Number(x) if *x < 0.0 => 1,
            Two('+' | '-', _) => 1,
            Two(..) => 2,
            Power(..) => 3,
            _ => 4,
        };
        let open = own < tightness;
        if open {
            to.push('(');
        }
        match self {
            // The shortest digits that are this number; small and large ones with an exponent.
            Number(x) if *x != 0.0 && !(1e-4..1e9).contains(&x.abs()) => write!(to, "{x:e}")?,
            Number(x) => write!(to, "{x}")?,
            Coordinate(i) => to.push_str(names[*i]),
            Power(base, power) => {
                base.write(to, names, 4)?;
                write!(to, "^{power}")?;
            }
            Sqrt(of) => {
                to.push_str("sqrt(");
                of.write(to, names, 0)?;
                to.push(')');
            }
            Two(operator, both) => {
                both.0.write(to, names, own)?;
                if own == 1 {
                    write!(to, " {operator} ")?;
                } else {
                    to.push(*operator);
                }
                // What stands right of an operator of its own row needs parentheses, but for sums and products.
                both.1.write(to, names, own + u8::from(matches!(operator, '-' | '/')))?;
            }
        }
        if open {
            to.push(')');
        }
        Ok(())
    }
}

fn two(operator: char, a: Symbolic, b: Symbolic) -> Symbolic {
    Two(operator, Arc::new((a, b)))
}

impl Add for Symbolic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        match (self, other) {
            (Number(a), Number(b)) => Number(a + b),
            (Number(0.0), other) | (other, Number(0.0)) => other,
            (a, Number(b)) if b < 0.0 => two('-', a, Number(-b)),
            (a, b) => two('+', a, b),
        }
    }
}

impl Sub for Symbolic {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        match (self, other) {
            (Number(a), Number(b)) => Number(a - b),
            (a, Number(b)) => a + Number(-b),
            (a, b) => two('-', a, b),
        }
    }
}

impl Mul for Symbolic {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        match (self, other) {
            (Number(a), Number(b)) => Number(a * b),
            (Number(0.0), _) | (_, Number(0.0)) => Number(0.0),
            (Number(1.0), other) | (other, Number(1.0)) => other,
            (a, b) => two('*', a, b),
        }
    }
}

impl Div for Symbolic {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        match (self, other) {
            (Number(a), Number(b)) => Number(a / b),
            (a, Number(1.0)) => a,
            (a, b) => two('/', a, b),
        }
    }
}

impl Neg for Symbolic {
    type Output = Self;

    fn neg(self) -> Self {
        match self {
            Two('-', both) => both.1.clone() - both.0.clone(),
            other => Number(-1.0) * other,
        }
    }
}
