//! Is a function odd-sigmoid? The five conditions of the class (arXiv 2509.23085), checked in numbers.
//!
//! This file knows functions of a real number; it does not know which ones are in the family.

/// A condition and the number it was judged by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Check {
    /// Does it hold on all points that were tried?
    pub holds: bool,
    /// The worst number met; what it is stands with each condition.
    pub worst: f64,
}

/// The five conditions of the class.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conditions {
    /// Continuously differentiable: greatest difference between f' and a difference quotient, over f'(0).
    pub smooth: Check,
    /// f(−x) = −f(x): greatest |f(x) + f(−x)| over the bound.
    pub odd: Check,
    /// |f| ≤ bound: greatest |f| over the bound.
    pub bounded: Check,
    /// Strictly increasing: the least slope of a chord, over f'(0).
    pub increasing: Check,
    /// f' strictly decreasing on [0, ∞): the least fall from a point to the next, over f' at the former.
    pub slope_decreasing: Check,
}

impl Conditions {
    /// All five.
    pub fn all(&self) -> [Check; 5] {
        [self.smooth, self.odd, self.bounded, self.increasing, self.slope_decreasing]
    }
}

/// Neighbouring points have this ratio.
const RATIO: f64 = 1.02;

/// Checks `function`, which returns f and f', against the conditions of the class and the `bound` it is said to have.
///
/// Points lie logarithmically from 1e-4 to 1e9 times bound/f'(0), where the line of slope f'(0) reaches the bound.
/// Strictness is judged up to the last point with a slope above 1e-9·f'(0): beyond, double precision cannot tell.
pub fn check(function: impl Fn(f64) -> [f64; 2], bound: f64) -> Conditions {
    let [origin, slope] = function(0.0);
    let unit = bound / slope;
    let points: Vec<f64> = core::iter::successors(Some(1e-4), |x| Some(x * RATIO))
        .take_while(|&x| x < 1e9)
        .map(|x| x * unit)
        .collect();
    let values: Vec<[f64; 2]> = points.iter().map(|&x| function(x)).collect();
    let told_apart = values.iter().rposition(|value| value[1] >= 1e-9 * slope).map_or(0, |last| last + 1);
    let visible = &values[..told_apart];

    let quotients = points.iter().zip(&values).map(|(&x, value)| {
        let step = (RATIO - 1.0) * x;
        let quotient = (function(x + step)[0] - function(x - step)[0]) / (2.0 * step);
        (quotient - value[1]).abs() / slope
    });
    let at_origin = (function(points[0])[0] - function(-points[0])[0]) / (2.0 * points[0]);
    let smooth = worst(quotients.chain([(at_origin / slope - 1.0).abs()]));
    let asymmetry = points.iter().zip(&values).map(|(&x, value)| (value[0] + function(-x)[0]).abs() / bound);
    let odd = worst(asymmetry.chain([origin.abs() / bound]));
    let bounded = worst(values.iter().map(|value| value[0].abs() / bound));
    let chords = visible.windows(2).zip(points.windows(2));
    let chords = chords.map(|(f, x)| (f[1][0] - f[0][0]) / (x[1] - x[0]) / slope);
    let increasing = -worst(chords.map(|chord| -chord));
    let decreasing = -worst(visible.windows(2).map(|f| (f[1][1] - f[0][1]) / f[0][1]));
    Conditions {
        // The difference quotient's own error is below 1e-4, a jump of f' shows at a quarter of its height at least.
        smooth: Check { holds: smooth < 1e-3, worst: smooth },
        odd: Check { holds: odd <= 1e-15, worst: odd },
        bounded: Check { holds: bounded <= 1.0 + 1e-14, worst: bounded },
        increasing: Check { holds: increasing > 0.0, worst: increasing },
        slope_decreasing: Check { holds: decreasing > 0.0, worst: decreasing },
    }
}

/// The greatest number, or NaN if there is one or no number at all.
fn worst(values: impl Iterator<Item = f64>) -> f64 {
    let worse = |worst: f64, value: f64| if worst.is_nan() || value <= worst { worst } else { value };
    values.reduce(worse).unwrap_or(f64::NAN)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::activation::{Activation, Function};
    use crate::properties::properties;
    use proptest::prelude::*;

    /// A sum of up to three functions of the family with moderate coefficients.
    pub(in crate::signal) fn any_activation() -> impl Strategy<Value = Activation> {
        let term = (0.2..3.0, 0..Function::FAMILY.len(), 0.3..3.0);
        prop::collection::vec(term, 1..4).prop_map(|terms| {
            let terms: Vec<_> = terms
                .into_iter()
                .map(|(c, function, k)| format!("{c}*{}({k}*x)", Function::FAMILY[function].name()))
                .collect();
            Activation::parse(&terms.join(" + ")).expect("a sum of the family")
        })
    }

    fn of(activation: &Activation) -> Conditions {
        let function = |x| {
            let [value, slope, ..] = activation.derivatives(x);
            [value, slope]
        };
        check(function, activation.bound())
    }

    #[test]
    fn every_function_of_the_family_is_in_the_class() {
        for function in Function::FAMILY {
            for pattern in ["NAME", "1e-4*NAME", "1e3*NAME(50*x)"] {
                let text = pattern.replace("NAME", function.name());
                let conditions = of(&Activation::parse(&text).expect("an activation"));
                assert!(conditions.all().iter().all(|check| check.holds), "{text}: {conditions:?}");
                assert!(conditions.bounded.worst > 0.999_999, "{text}: the bound is the least one");
            }
        }
    }

    /// Functions outside the class, and which of the conditions each breaks.
    #[test]
    fn functions_outside_the_class_are_found_out() {
        fn holds(function: impl Fn(f64) -> [f64; 2], bound: f64) -> [bool; 5] {
            check(function, bound).all().map(|check| check.holds)
        }
        let identity = |x: f64| [x, 1.0];
        assert_eq!(holds(identity, 1.0), [true, true, false, true, false]);
        let sine = |x: f64| [x.sin(), x.cos()];
        let [_, odd, bounded, increasing, decreasing] = holds(sine, 1.0);
        assert!(odd && bounded && !increasing && !decreasing);
        let hard = |x: f64| [x.clamp(-1.0, 1.0), if x.abs() <= 1.0 { 1.0 } else { 0.0 }];
        assert_eq!(holds(hard, 1.0), [false, true, true, true, false]);
        let logistic = |x: f64| {
            let y = 1.0 / (1.0 + (-x).exp());
            [y, y * (1.0 - y)]
        };
        assert!(!holds(logistic, 1.0)[1]);
        let steepening = |x: f64| {
            let y = (x + x * x * x).tanh();
            [y, (1.0 - y * y) * (1.0 + 3.0 * x * x)]
        };
        assert_eq!(holds(steepening, 1.0), [true, true, true, true, false]);
        let wrong_derivative = |x: f64| [x.tanh(), 1.0 / (1.0 + x * x)];
        assert!(!holds(wrong_derivative, 1.0)[0]);
        assert!(!holds(|_| [f64::NAN; 2], 1.0).contains(&true));
    }

    properties! {
        #[test]
        fn random_sums_are_in_the_class(activation in any_activation()) {
            let conditions = of(&activation);
            prop_assert!(conditions.all().iter().all(|check| check.holds), "{activation}: {conditions:?}");
        }

        /// Corollary 1: c₁f₁ + c₂f₂ has 1/ω = c₁/ω₁ + c₂/ω₂.
        #[test]
        fn slopes_of_sums_add_up(
            first in any_activation(),
            second in any_activation(),
            c1 in 0.1..10.0,
            c2 in 0.1..10.0,
        ) {
            let (scaled1, scaled2) = (first.scaled(c1).unwrap(), second.scaled(c2).unwrap());
            let sum = Activation::parse(&format!("{scaled1} + {scaled2}")).unwrap();
            let expected = c1 / first.omega() + c2 / second.omega();
            prop_assert!((1.0 / sum.omega() / expected - 1.0).abs() < 1e-14);
            // By values alone; terms are cubic or, with the kink, quadratic in h.
            let h = 1e-7;
            let measured = (sum.derivatives(h)[0] - sum.derivatives(-h)[0]) / (2.0 * h);
            prop_assert!((measured / expected - 1.0).abs() < 1e-6, "{measured}, not {expected}");
        }
    }
}
