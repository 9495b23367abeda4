//! Activations, with derivatives up to the fifth: the odd-sigmoid family, and a few others.
//!
//! `f` is *odd-sigmoid* when it is continuously differentiable, odd, bounded and strictly increasing,
//! and `f'` strictly decreases on [0, ∞) (arXiv 2509.23085).
//! The family is closed under positive sums and scalings `c·f(k·x)`, so an [`Activation`] is such a sum.
//! It is known by its slope at 0: [`Activation::omega`] is 1/f'(0).
//! Functions outside the family can be summed and scaled alike; rules that are made from ω do not know them.
//!
//! A single function is a file here and a line in the table of [`Function`].
//! Engines reach the functions through [`Activation::visit`], as a [`Kernel`] that works on registers.

mod arctan;
mod erf;
mod gaussian;
mod gd;
mod gelu;
mod parse;
mod scaled;
mod silu;
mod sin;
mod softplus;
mod softsign_1;
mod softsign_2;
mod sum;
mod tanh;

use core::fmt;
use core::ops::Range;

use pulp::Simd;

use crate::expr::{Binary, Graph, NodeId};
use crate::simd::Real;
use scaled::Scaled;
use sum::Sum;

/// A function and its derivatives on registers.
pub trait Kernel: Copy + Send + Sync + 'static {
    /// `f(x)`, accurate to a few ulp; NaN stays NaN.
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S>;

    /// `f'`, `f''`, … at `x`, `N ≤ 5` of them, where `y` = `f(x)` is already known.
    ///
    /// The error is a few ε of the derivative's greatest magnitude; the results are finite for every `x` but NaN.
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        y: R::Vector<S>,
    ) -> [R::Vector<S>; N];
}

/// Something to do with an activation's kernel, whatever its type.
pub trait Visitor {
    /// What comes out.
    type Output;
    /// Does it.
    fn visit<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// A function and its derivatives as C++, in numbers `R`; `limited`, `logistic`, `logistic_slopes` and `gudermannian` are
/// known there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cuda {
    /// An expression of `x`.
    pub value: &'static str,
    /// Statements that put `f'`, `f''`, … into `s[0]` to `s[4]`, from `x`, which they may change, and from `y` = `f(x)`.
    pub slopes: &'static str,
}

/// What every single function states about itself.
trait Single: Kernel {
    /// As written in activations.
    const NAME: &'static str;
    /// `f'(0)`
    const SLOPE: f64;
    /// `sup |f|`
    const BOUND: f64;
    /// Does `f''` jump at 0?
    const KINKED: bool = false;
    /// Which condition of the odd-sigmoid family it breaks.
    const OUTSIDE: Option<&'static str> = None;
    /// The kernel, for engines whose text is compiled when they are made.
    const CUDA: Cuda;

    /// The function as a formula of `x`.
    fn expression(graph: &mut Graph, x: NodeId) -> NodeId;
}

macro_rules! functions {
    (family { $($formula:literal $variant:ident $kernel:path,)* } others { $($of:literal $other:ident $its:path,)* }) => {
        functions! { [$($variant)*] [$($other)*] $($formula $variant $kernel,)* $($of $other $its,)* }
    };
    ([$($member:ident)*] [$($other:ident)*] $($formula:literal $variant:ident $kernel:path,)*) => {
        /// The single functions.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Function {
            $(#[doc = $formula] $variant,)*
        }

        impl Function {
            /// Those of the odd-sigmoid family.
            pub const FAMILY: &'static [Self] = &[$(Self::$member,)*];
            /// Those outside it.
            pub const OTHERS: &'static [Self] = &[$(Self::$other,)*];

            /// The name it is called by.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => <$kernel as Single>::NAME,)* }
            }

            /// Its formula, for people.
            pub fn formula(self) -> &'static str {
                match self { $(Self::$variant => $formula,)* }
            }

            /// `f'(0)`
            pub fn slope(self) -> f64 {
                match self { $(Self::$variant => <$kernel as Single>::SLOPE,)* }
            }

            /// `sup |f|`
            pub fn bound(self) -> f64 {
                match self { $(Self::$variant => <$kernel as Single>::BOUND,)* }
            }

            /// Does `f''` jump at 0?
            pub fn is_kinked(self) -> bool {
                match self { $(Self::$variant => <$kernel as Single>::KINKED,)* }
            }

            /// Which condition of the odd-sigmoid family it breaks.
            pub fn outside(self) -> Option<&'static str> {
                match self { $(Self::$variant => <$kernel as Single>::OUTSIDE,)* }
            }

            /// The function as C++.
            pub fn cuda(self) -> Cuda {
                match self { $(Self::$variant => <$kernel as Single>::CUDA,)* }
            }

            /// The function as a formula of `x`.
            pub fn expression(self, graph: &mut Graph, x: NodeId) -> NodeId {
                match self { $(Self::$variant => <$kernel as Single>::expression(graph, x),)* }
            }

            #[inline(always)]
            fn visit<V: Visitor>(self, amplitude: f64, frequency: f64, visitor: V) -> V::Output {
                match self { $(Self::$variant => visitor.visit(Scaled { kernel: $kernel, amplitude, frequency }),)* }
            }
        }
    };
}

functions! {
    family {
        "tanh x" Tanh tanh::Tanh,
        "erf x" Erf erf::Erf,
        "arctan x" Arctan arctan::Arctan,
        "2 arctan(tanh(x/2))" Gd gd::Gd,
        "x/(1 + |x|)" Softsign1 softsign_1::Softsign1,
        "x/√(1 + x²)" Softsign2 softsign_2::Softsign2,
    }
    others {
        "sin x" Sin sin::Sin,
        "x/(1 + e^(−x))" Silu silu::Silu,
        "x·Φ(x)" Gelu gelu::Gelu,
        "ln(1 + eˣ)" Softplus softplus::Softplus,
        "e^(−x²)" Gaussian gaussian::Gaussian,
    }
}

/// `amplitude·function(frequency·x)`
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Term {
    /// c, positive.
    pub amplitude: f64,
    /// f
    pub function: Function,
    /// k, positive.
    pub frequency: f64,
}

/// The most terms of an activation.
pub const MAX_TERMS: usize = 8;

/// Amplitudes and frequencies lie between its inverse and it, so that single precision can hold them.
pub const MAX_COEFFICIENT: f64 = 1e30;

/// An activation: a sum of [`Term`]s, of the odd-sigmoid family if all of them are.
///
/// [`Activation::parse`] reads one; what [`fmt::Display`] writes parses back to the same.
#[derive(Clone, PartialEq, Debug)]
pub struct Activation {
    terms: Vec<Term>,
}

/// Why something is not an activation of the family.
///
/// `at` is the byte offset of the mistake in the text that was parsed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ActivationError {
    /// The name is not known.
    #[error("there is no activation {name:?}; {hint}")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest name, or all of them.
        hint: String,
        /// Where.
        at: usize,
    },
    /// A well-known function that is no odd-sigmoid one.
    #[error("{name:?} is not an odd-sigmoid function: {reason}")]
    Outside {
        /// As written.
        name: String,
        /// Which condition it breaks, and what to use.
        reason: &'static str,
        /// Where.
        at: usize,
    },
    /// A coefficient that is not positive, or too great or small.
    #[error(
        "the coefficient {written} of the activation must be positive, between 1e-30 and 1e30: \
         an odd-sigmoid function increases"
    )]
    Coefficient {
        /// As written.
        written: String,
        /// Where.
        at: usize,
    },
    /// More than [`MAX_TERMS`] terms.
    #[error("an activation has at most {MAX_TERMS} terms; leave out the smallest ones")]
    TooManyTerms {
        /// Where the first term too many starts.
        at: usize,
    },
    /// The text is no sum of terms.
    #[error("{found} where {expected} should be; write a sum such as \"tanh + 0.5*erf(2*x)\"")]
    Syntax {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
        /// Where.
        at: usize,
    },
}

impl ActivationError {
    /// Where the mistake is: bytes of the text that was parsed, none of them where something is missing.
    pub fn span(&self) -> Range<usize> {
        let (at, length) = match self {
            Self::Unknown { at, name, .. } | Self::Outside { at, name, .. } => (*at, name.len()),
            Self::Coefficient { at, written } => (*at, written.len()),
            Self::TooManyTerms { at } | Self::Syntax { at, .. } => (*at, 0),
        };
        at..at + length
    }
}

/// What a user should know about an activation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// Derivatives of this order, above the first, are asked of a function whose second derivative jumps at 0.
    Kinked {
        /// The function.
        function: Function,
        /// The highest derivative the equations take.
        order: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self::Kinked { function, order } = self;
        write!(
            f,
            "the equations take derivatives of order {order}, but the second derivative of {} jumps at 0: \
             use it for first-order equations, and {} here",
            function.name(),
            Function::Softsign2.name()
        )
    }
}

impl Activation {
    /// Reads a sum such as `tanh`, `softsign_1 + softsign_2` or `0.5*tanh(2*x) + erf(x)`.
    ///
    /// Refuses what is neither of the family nor one of the others, with the reason.
    pub fn parse(text: &str) -> Result<Self, ActivationError> {
        parse::sum(text).map(|terms| Self { terms })
    }

    /// `scale·f`
    ///
    /// Refuses a scale that is not positive, or that takes an amplitude out of range.
    pub fn scaled(&self, scale: f64) -> Result<Self, ActivationError> {
        let mut scaled = self.clone();
        for term in &mut scaled.terms {
            term.amplitude = parse::coefficient(scale * term.amplitude, || scale.to_string(), 0)?;
        }
        Ok(scaled)
    }

    /// The terms of the sum, one at least.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The first function outside the odd-sigmoid family, and the condition that it breaks.
    pub fn outside(&self) -> Option<(Function, &'static str)> {
        let broken = |term: &Term| Some((term.function, term.function.outside()?));
        self.terms.iter().find_map(broken)
    }

    /// The frequency and the amplitude, if it is a single sine.
    pub fn sine(&self) -> Option<(f64, f64)> {
        match self.terms[..] {
            [Term { amplitude, function: Function::Sin, frequency }] => Some((frequency, amplitude)),
            _ => None,
        }
    }

    /// ω = 1/f'(0); 1 for a function outside the family, for which no rule asks for it.
    pub fn omega(&self) -> f64 {
        if self.outside().is_some() {
            return 1.0;
        }
        let slope = |term: &Term| term.amplitude * term.frequency * term.function.slope();
        1.0 / self.terms.iter().map(slope).sum::<f64>()
    }

    /// `sup |f|`
    pub fn bound(&self) -> f64 {
        self.terms.iter().map(|term| term.amplitude * term.function.bound()).sum()
    }

    /// Does `f''` jump at 0?
    pub fn is_kinked(&self) -> bool {
        self.terms.iter().any(|term| term.function.is_kinked())
    }

    /// What to tell a user whose equations take derivatives up to `order`.
    pub fn warning(&self, order: usize) -> Option<Warning> {
        let kinked = self.terms.iter().find(|term| term.function.is_kinked())?;
        (order > 1).then_some(Warning::Kinked { function: kinked.function, order })
    }

    /// `f(x)` and its first five derivatives, through the same kernels that the engines use.
    pub fn derivatives(&self, x: f64) -> [f64; 6] {
        struct All(f64);
        impl Visitor for All {
            type Output = [f64; 6];
            fn visit<K: Kernel>(self, kernel: K) -> [f64; 6] {
                let y = kernel.value::<_, f64>(pulp::Scalar, self.0);
                let [a, b, c, d, e] = kernel.slopes::<_, f64, 5>(pulp::Scalar, self.0, y);
                [y, a, b, c, d, e]
            }
        }
        self.visit(All(x))
    }

    /// `f(x)` as a formula.
    pub fn expression(&self, graph: &mut Graph, x: NodeId) -> NodeId {
        let mut sum = graph.constant(0.0);
        for term in &self.terms {
            let frequency = graph.constant(term.frequency);
            let inner = graph.binary(Binary::Mul, frequency, x);
            let function = term.function.expression(graph, inner);
            let amplitude = graph.constant(term.amplitude);
            let product = graph.binary(Binary::Mul, amplitude, function);
            sum = graph.binary(Binary::Add, sum, product);
        }
        sum
    }

    /// Calls the visitor with the kernel of this function.
    pub fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        match self.terms[..] {
            [Term { amplitude, function, frequency }] => function.visit(amplitude, frequency, visitor),
            ref terms => visitor.visit(Sum::new(terms)),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // The exponent form keeps very large and very small numbers short; both parse back to the same number.
        let number = |x: f64| if (1e-4..1e6).contains(&x) { x.to_string() } else { format!("{x:e}") };
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" + ")?;
            }
            if term.amplitude != 1.0 {
                write!(f, "{}*", number(term.amplitude))?;
            }
            f.write_str(term.function.name())?;
            if term.frequency != 1.0 {
                write!(f, "({}*x)", number(term.frequency))?;
            }
        }
        Ok(())
    }
}

/// The first `N` of five derivatives; what computes the others is dead code to the compiler.
#[inline(always)]
fn first<V: Copy, const N: usize>(all: [V; 5]) -> [V; N] {
    const { assert!(N <= 5, "an activation has derivatives up to the fifth") };
    let mut first = [all[0]; N];
    first.copy_from_slice(&all[..N]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Node;
    use crate::properties::properties;
    use crate::simd::tests::{Lanewise, levels, map};
    use proptest::prelude::*;

    fn parse(text: &str) -> Activation {
        Activation::parse(text).unwrap()
    }

    #[test]
    fn omega_is_the_inverse_slope() {
        let check = |text: &str, omega: f64| {
            let found = parse(text).omega();
            assert!((found - omega).abs() < 1e-6 * omega, "{text}: {found}");
        };
        check("tanh", 1.0);
        check("erf", 0.886227);
        check("arctan", 1.0);
        check("gd", 1.0);
        check("softsign_1", 1.0);
        check("softsign_2", 1.0);
        check("softsign_1 + softsign_2", 0.5);
        check("0.1*tanh", 10.0);
        check("tanh(4*x)", 0.25);
        check("tanh(10*x) + erf(1000*x) + softsign_1(10*x) + gd(1*x)", 8.7003491e-4);
        assert_eq!(parse("tanh").scaled(0.1).unwrap().omega(), 10.0);
    }

    #[test]
    fn derivatives_match_known_digits() {
        // Computed in 40 digits.
        let check = |text: &str, x: f64, expected: [f64; 6]| {
            for (sign, x) in [(1.0, x), (-1.0, -x)] {
                let odd = |n: usize| if n.is_multiple_of(2) { sign } else { 1.0 };
                for (n, (found, expected)) in parse(text).derivatives(x).into_iter().zip(expected).enumerate()
                {
                    let error = (odd(n) * found - expected).abs();
                    assert!(error < 3e-15 * expected.abs().max(1.0), "{text}, derivative {n}: {found}");
                }
            }
        };
        check(
            "tanh",
            0.7,
            [
                0.6043677771171635,
                0.6347395899824586,
                -0.7672323100919165,
                0.1215922773832365,
                2.7749834227807852,
                -7.503529089750026,
            ],
        );
        check(
            "erf",
            0.7,
            [
                0.6778011938374184,
                0.6912748604105385,
                -0.967784804574754,
                -0.02765099441642154,
                3.9098506104820063,
                -5.30788488817628,
            ],
        );
        check(
            "arctan",
            0.7,
            [
                0.6107259643892086,
                0.6711409395973155,
                -0.6306022251249944,
                0.28416399406399556,
                1.7383386413967683,
                -8.82192236281198,
            ],
        );
        check(
            "gd",
            0.7,
            [
                0.6489720817836955,
                0.796705459992875,
                -0.4815031078730011,
                -0.2146955340324521,
                1.3522714037265284,
                -1.61358945319455,
            ],
        );
        check(
            "softsign_1",
            0.7,
            [
                0.4117647058823529,
                0.3460207612456747,
                -0.4070832485243232,
                0.7183822032782174,
                -1.6903110665369823,
                4.971503136873477,
            ],
        );
        check(
            "softsign_2",
            0.7,
            [
                0.5734623443633283,
                0.549820080885262,
                -0.7749142079590942,
                0.7132479766449956,
                1.8150326027599162,
                -14.85464768259222,
            ],
        );
        check(
            "0.5*tanh(2*x) + erf",
            0.7,
            [
                1.1204770179385497,
                0.9074273194360758,
                -1.7332685480196794,
                2.3094630969652967,
                -0.39575199713148534,
                -20.28869875505354,
            ],
        );
    }

    /// The symbolic route: the activation as a formula, differentiated by the graph.
    fn symbolic(activation: &Activation, x: f64) -> [f64; 6] {
        let mut graph = Graph::default();
        let input = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
        let mut root = activation.expression(&mut graph, input);
        let mut values = vec![];
        core::array::from_fn(|n| {
            if n > 0 {
                root = graph.derivative(root, 0);
            }
            graph.eval(&mut values, |_| x);
            values[root.index()]
        })
    }

    #[test]
    fn derivatives_match_the_formula() {
        for function in Function::FAMILY {
            let activation = parse(&format!("0.7*{0} + 0.2*{0}(1.3*x)", function.name()));
            for x in [-3.0, -1.1, -0.3, 0.2, 0.9, 2.5] {
                let expected = symbolic(&activation, x);
                for (n, found) in activation.derivatives(x).into_iter().enumerate() {
                    let error = (found - expected[n]).abs();
                    assert!(
                        error < 1e-11,
                        "{activation}, derivative {n} at {x}: {found}, not {}",
                        expected[n]
                    );
                }
            }
        }
    }

    #[test]
    fn derivatives_match_finite_differences() {
        for function in Function::FAMILY {
            let activation = parse(function.name());
            for i in -40..40 {
                let (x, h) = (0.1 * f64::from(i) + 0.05, 1e-5);
                let [above, below, here] = [x + h, x - h, x].map(|x| activation.derivatives(x));
                for n in 1..6 {
                    let difference = (above[n - 1] - below[n - 1]) / (2.0 * h);
                    assert!((here[n] - difference).abs() < 1e-6, "{activation}, derivative {n} at {x}");
                }
            }
        }
    }

    /// The value (0) or a derivative of an activation.
    #[derive(Clone, Copy)]
    struct Derivative<'a>(&'a Activation, usize);

    impl<R: Real> Lanewise<R> for Derivative<'_> {
        #[inline(always)]
        fn apply<S: Simd>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
            struct At<S: Simd, R: Real>(S, R::Vector<S>, usize);
            impl<S: Simd, R: Real> Visitor for At<S, R> {
                type Output = R::Vector<S>;
                #[inline(always)]
                fn visit<K: Kernel>(self, kernel: K) -> R::Vector<S> {
                    let Self(simd, x, n) = self;
                    let y = kernel.value::<S, R>(simd, x);
                    let slopes = kernel.slopes::<S, R, 5>(simd, x, y);
                    if n == 0 { y } else { slopes[n - 1] }
                }
            }
            self.0.visit(At::<S, R>(simd, x, self.1))
        }
    }

    fn check_every_level<R: Real>(tolerance: f64) {
        let x: Vec<R> = (-300..=300).map(|i| R::from_f64(0.05 * f64::from(i) + 0.01)).collect();
        for function in Function::FAMILY {
            for text in ["*", "0.3*", "3*"] {
                let activation = parse(&format!("{}{}", text.trim_start_matches('*'), function.name()));
                for (arch, n) in levels().into_iter().flat_map(|arch| (0..6).map(move |n| (arch, n))) {
                    for (&x, y) in x.iter().zip(map(arch, Derivative(&activation, n), &x)) {
                        let expected = activation.derivatives(x.to_f64())[n];
                        let error = (y.to_f64() - expected).abs();
                        assert!(error <= tolerance, "{activation}, {n} at {x:?}: {y:?} on {arch:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_level_and_precision_agrees() {
        check_every_level::<f32>(1e-4);
        check_every_level::<f64>(2e-13);
    }

    fn check_finite<R: Real>() {
        let magnitudes = [0.0, 1e-300, 1e-40, 1e-10, 1e-3, 1.0, 20.0, 90.0, 800.0, 1e10, 1e19, 1e38, 1e300];
        let x: Vec<R> = magnitudes
            .into_iter()
            .chain([R::MAX.to_f64(), f64::INFINITY])
            .flat_map(|x| [R::from_f64(x), R::from_f64(-x)])
            .collect();
        for function in Function::FAMILY {
            let name = function.name();
            for text in [
                name.into(),
                format!("1e-10*{name}"),
                format!("1e10*{name}"),
                format!("{name} + {name}(0.001*x)"),
            ] {
                let activation = parse(&text);
                for (arch, n) in levels().into_iter().flat_map(|arch| (0..6).map(move |n| (arch, n))) {
                    for (x, y) in x.iter().zip(map(arch, Derivative(&activation, n), &x)) {
                        assert!(y.is_finite(), "{text}, derivative {n} at {x:?}: {y:?} on {arch:?}");
                        let limit = activation.bound() * (1.0 + 1e-7);
                        assert!(n > 0 || y.to_f64().abs() <= limit, "{text} at {x:?}: {y:?}");
                    }
                    let nan = map(arch, Derivative(&activation, n), &[R::from_f64(f64::NAN)])[0];
                    assert!(nan.to_f64().is_nan(), "{text}, derivative {n} of NaN: {nan:?} on {arch:?}");
                }
            }
        }
    }

    #[test]
    fn values_and_slopes_are_finite_everywhere_and_nan_survives() {
        check_finite::<f32>();
        check_finite::<f64>();
    }

    /// Derivatives of the functions outside the family against their formulas, differentiated, on every level.
    fn check_others<R: Real>(tolerance: f64) {
        let x: Vec<R> = (-240..=240).map(|i| R::from_f64(f64::from(i) / 30.0 + 0.01)).collect();
        for function in Function::OTHERS {
            for text in [function.name().to_owned(), format!("0.3*{}(1.7*x) + 0.1*tanh", function.name())] {
                let activation = parse(&text);
                let mut graph = Graph::default();
                let argument = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
                let mut roots = vec![activation.expression(&mut graph, argument)];
                for order in 0..5 {
                    roots.push(graph.derivative(roots[order], 0));
                }
                let exact: Vec<Vec<f64>> = x
                    .iter()
                    .map(|x| {
                        let mut values = vec![];
                        graph.eval(&mut values, |_| x.to_f64());
                        roots.iter().map(|root| values[root.index()]).collect()
                    })
                    .collect();
                for n in 0..6 {
                    let size = exact.iter().fold(1.0_f64, |most, values| most.max(values[n].abs()));
                    for arch in levels() {
                        for (y, exact) in map(arch, Derivative(&activation, n), &x).iter().zip(&exact) {
                            let error = (y.to_f64() - exact[n]).abs();
                            assert!(
                                error <= tolerance * size,
                                "{text}, {n}: {y:?}, not {} on {arch:?}",
                                exact[n]
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn functions_outside_the_family_have_the_derivatives_of_their_formulas() {
        check_others::<f64>(1e-14);
        check_others::<f32>(4e-6);
    }

    #[test]
    fn functions_outside_the_family_are_finite_far_out_and_nan_survives() {
        fn check<R: Real>(far: f64) {
            let x: Vec<R> = [800.0, far, -800.0, -far].map(R::from_f64).to_vec();
            for function in Function::OTHERS {
                let activation = parse(function.name());
                for (arch, n) in levels().into_iter().flat_map(|arch| (0..6).map(move |n| (arch, n))) {
                    for (x, y) in x.iter().zip(map(arch, Derivative(&activation, n), &x)) {
                        assert!(y.is_finite(), "{activation}, derivative {n} at {x:?}: {y:?}");
                    }
                    let nan = map(arch, Derivative(&activation, n), &[R::from_f64(f64::NAN)])[0];
                    assert!(nan.to_f64().is_nan(), "{activation}, derivative {n} of NaN: {nan:?}");
                }
            }
        }
        check::<f32>(1e30);
        check::<f64>(1e300);
    }

    #[test]
    fn the_family_is_told_from_the_others() {
        assert!(Function::FAMILY.iter().all(|function| function.outside().is_none()));
        assert!(Function::OTHERS.iter().all(|function| function.outside().is_some()));
        assert_eq!(parse("tanh + softsign_1").outside(), None);
        let (function, reason) = parse("tanh + 0.1*sin(3*x)").outside().unwrap();
        assert_eq!((function, reason), (Function::Sin, "it does not increase everywhere"));
        assert_eq!((parse("sin(30*x)").sine(), parse("tanh + sin").sine()), (Some((30.0, 1.0)), None));
    }

    #[test]
    fn extreme_frequencies_keep_saturated_slopes_zero() {
        // The factor of the fifth derivative, 1e50, is beyond f32, the derivative itself is 0.
        let activation = parse("tanh(1e10*x)");
        for arch in levels() {
            assert_eq!(map(arch, Derivative(&activation, 5), &[1.0_f32, -1.0]), [0.0, 0.0]);
        }
    }

    #[test]
    fn display_is_what_a_person_would_write() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).to_string(), expected);
        check(" tanh ", "tanh");
        check("tanh(x)", "tanh");
        check("softsign_1+softsign_2", "softsign_1 + softsign_2");
        check(".5 * tanh( 2*x ) + 1*erf(1.0*x)", "0.5*tanh(2*x) + erf");
        check("1e-10*gd", "1e-10*gd");
    }

    #[test]
    fn what_is_outside_the_family_is_refused_with_the_reason() {
        let check = |text: &str, part: &str| {
            let message = Activation::parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        };
        check("relu", "not bounded");
        check("Sigmoid", "not odd");
        check("tanh + cos", "not odd");
        check("elu", "use tanh");
        check("swish", "use silu");
        check("softsign", "softsign_1");
        check("tnah", "did you mean \"tanh\"?");
        check("softsgn_2", "did you mean \"softsign_2\"?");
        check("quux", "use one of tanh, erf");
        check("-1*sin", "must be positive");
        check("-1*tanh", "must be positive");
        check("0*tanh", "must be positive");
        check("tanh - erf", "must be positive");
        check("tanh -2*erf", "the coefficient -2");
        check("tanh(-3*x)", "the coefficient -3");
        check("-tanh", "must be positive");
        check("1e400*tanh", "between 1e-30 and 1e30");
        check("inf*tanh", "there is no activation \"inf\"");
        check("", "the activation ends where a function should be");
        check("tanh +", "the activation ends");
        check("tanh erf", "'e' stands where \"+\" or the end");
        check("2 tanh", "\"*\" should be");
        check("2*", "a function should be");
        check("1..2*tanh", "a number");
        check("tanh(2*y)", "'y' stands where x");
        check("tanh(2*x", "\")\" should be");
        check("tanh + tanh + tanh + tanh + tanh + tanh + tanh + tanh + tanh", "at most 8 terms");
        let error = parse("tanh").scaled(-0.5).unwrap_err();
        assert!(error.to_string().contains("the coefficient -0.5"), "{error}");
        assert!(parse("tanh").scaled(f64::NAN).is_err());
    }

    #[test]
    fn mistakes_are_located() {
        let check = |text: &str, at: usize| {
            assert_eq!(Activation::parse(text).unwrap_err().span().start, at, "{text}");
        };
        check("tanh + relu", 7);
        check("tanh + tnah", 7);
        check("tanh + 0*erf", 7);
        check("tanh )", 5);
    }

    #[test]
    fn kinks_are_warned_about_from_the_second_derivative_on() {
        assert!(parse("softsign_1").is_kinked() && !parse("softsign_2").is_kinked());
        assert_eq!(parse("tanh + softsign_1").warning(1), None);
        assert_eq!(parse("tanh").warning(4), None);
        let warning = parse("tanh + softsign_1").warning(2).unwrap().to_string();
        assert!(warning.contains("softsign_1 jumps at 0"), "{warning}");
    }

    fn any_activation() -> impl Strategy<Value = Activation> {
        let coefficient = || (-3.0..3.0).prop_map(|exponent: f64| 10_f64.powf(exponent));
        let function = prop::sample::select(Function::FAMILY);
        let term = (coefficient(), function, coefficient())
            .prop_map(|(amplitude, function, frequency)| Term { amplitude, function, frequency });
        prop::collection::vec(term, 1..=MAX_TERMS).prop_map(|terms| Activation { terms })
    }

    properties! {
        #[test]
        fn display_parses_back(activation in any_activation()) {
            prop_assert_eq!(parse(&activation.to_string()), activation);
        }

        #[test]
        fn parsing_never_panics(text in "[-+*. ()0-9a-z_é]{0,40}") {
            let _ = Activation::parse(&text);
        }

        #[test]
        fn sums_are_odd_bounded_increasing_with_decreasing_slope(
            activation in any_activation(),
            x in 1e-3..10.0_f64,
        ) {
            let here = activation.derivatives(x);
            let slope = 1.0 / activation.omega();
            prop_assert_eq!(here[0], -activation.derivatives(-x)[0]);
            prop_assert!(here[0].abs() <= activation.bound() * (1.0 + 1e-14));
            prop_assert!(here[1] >= 0.0);
            // The slope decreases from 1/ω on, up to rounding of its greatest value.
            prop_assert!(here[1] <= slope * (1.0 + 1e-14));
            prop_assert!(activation.derivatives(1.1 * x)[1] <= here[1] + 1e-14 * slope);
            let origin = activation.derivatives(0.0);
            prop_assert!(origin[0] == 0.0 && (origin[1] * activation.omega() - 1.0).abs() < 1e-14);
        }
    }
}
