//! Elementary functions of registers: [`exp`], [`expm1`], [`tanh`], [`atan`], [`erf`]; [`sin_cos`], [`logistic`] and
//! [`ln_1_plus`] to a few ε of their greatest value.
//!
//! Branch-free, for both precisions and every instruction set, within 3 units in the last place (ulp) of the true value
//! where the machine has fused products, and within 4 elsewhere.
//! Signed zeros keep their sign, infinities reach the limits, NaN stays NaN.
//!
//! All polynomials were computed for this file: minimax by the exchange algorithm of Remez (1934) in 60 digits,
//! then rounded to the precision that uses them.

use pulp::Simd;

use super::Real;

/// Polynomials and thresholds, which differ between the precisions.
///
/// Polynomials start with the constant coefficient.
pub trait Constants: Sized + 'static {
    /// The greatest finite number.
    const MAX: Self;
    /// `q` of `eʳ = 1 + r + r²·q(r)` for `|r| ≤ ln(2)/2`.
    const EXP: &'static [Self];
    /// The leading bits of ln 2, so few that a product with an exponent is exact.
    const LN_2_HIGH: Self;
    /// What [`Constants::LN_2_HIGH`] lacks.
    const LN_2_LOW: Self;
    /// log₂ e
    const LOG2_E: Self;
    /// Below it `eˣ` rounds to zero.
    const EXP_LOWER: Self;
    /// Above it `eˣ` overflows.
    const EXP_UPPER: Self;
    /// Below it `eˣ − 1` rounds to −1.
    const EXPM1_LOWER: Self;
    /// `q` of `arctan z = z + z³·q(z²)` for `|z| ≤ tan(π/8)`.
    const ATAN: &'static [Self];
    /// `q` of `erf x = 1 − exp(−x·q(x))` for `0 ≤ x ≤` [`Constants::ERF_UPPER`],
    /// its error weighted by the sensitivity of erf to it.
    const ERF: &'static [Self];
    /// Above it `erf x` rounds to 1.
    const ERF_UPPER: Self;
}

impl Constants for f32 {
    const MAX: Self = f32::MAX;
    const EXP: &'static [Self] = &[0.5, 0.16666576, 0.041666374, 0.008363205, 0.0013941166];
    const LN_2_HIGH: Self = 0.69314575;
    const LN_2_LOW: Self = 1.4286068e-06;
    const LOG2_E: Self = core::f32::consts::LOG2_E;
    const EXP_LOWER: Self = -104.0;
    const EXP_UPPER: Self = 89.0;
    const EXPM1_LOWER: Self = -20.0;
    const ATAN: &'static [Self] = &[-0.33333316, 0.19998534, -0.14244549, 0.10600493, -0.060935847];
    const ERF: &'static [Self] = &[
        core::f32::consts::FRAC_2_SQRT_PI,
        0.6366194,
        0.10277783,
        -0.019153068,
        -0.0001603794,
        0.0016670044,
        -0.0006328216,
        0.00011763639,
        -9.2556675e-06,
    ];
    const ERF_UPPER: Self = 3.95;
}

impl Constants for f64 {
    const MAX: Self = f64::MAX;
    const EXP: &'static [Self] = &[
        0.5,
        0.1666666666666667,
        0.041666666666666685,
        0.008333333333326112,
        0.0013888888888874337,
        0.00019841269874903362,
        2.4801587347474254e-05,
        2.755725529559928e-06,
        2.7557252786429784e-07,
        2.5105260420858132e-08,
        2.0921631100520945e-09,
    ];
    const LN_2_HIGH: Self = 0.6931471805601177;
    const LN_2_LOW: Self = -1.7239444525614835e-13;
    const LOG2_E: Self = core::f64::consts::LOG2_E;
    const EXP_LOWER: Self = -746.0;
    const EXP_UPPER: Self = 710.0;
    const EXPM1_LOWER: Self = -40.0;
    const ATAN: &'static [Self] = &[
        -0.3333333333333323,
        0.19999999999961685,
        -0.1428571428088374,
        0.1111111081352605,
        -0.09090898533043278,
        0.07692072794191271,
        -0.06663236102379899,
        0.058487851144344793,
        -0.05043096130824994,
        0.03815559634315405,
        -0.0180019019992054,
    ];
    const ERF: &'static [Self] = &[
        core::f64::consts::FRAC_2_SQRT_PI,
        0.6366197723676116,
        0.1027726033000589,
        -0.01912844696304406,
        -0.00020919523048503226,
        0.001696210530894837,
        -0.0005901468161449359,
        2.5955213747316238e-05,
        6.42899999573061e-05,
        -2.9323523808293832e-05,
        2.795845730419564e-06,
        3.564703520761319e-06,
        -2.429811919478752e-06,
        8.537233704663417e-07,
        -1.7409673072549171e-07,
        8.371680548959938e-09,
        7.782644679449801e-09,
        -3.1532483375442882e-09,
        6.811305389876635e-10,
        -9.548846755933727e-11,
        8.721725057568624e-12,
        -4.755284195246512e-13,
        1.1801220468589744e-14,
    ];
    const ERF_UPPER: Self = 5.95;
}

/// eˣ, subnormal results and overflow to infinity included.
#[inline(always)]
pub fn exp<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    let x = clamp::<S, R>(simd, x, R::EXP_LOWER, R::EXP_UPPER);
    let (n, _) = R::round_and_exp2(simd, x, R::LOG2_E);
    let tail = expm1_reduced::<S, R>(simd, x, n);
    // 2ⁿ itself may be no normal number; its two halves are.
    let (half, first) = R::round_and_exp2(simd, n, R::from_f64(0.5));
    let (_, second) = R::round_and_exp2(simd, R::sub(simd, n, half), R::from_f64(1.0));
    R::mul(simd, R::mul_add(simd, tail, first, first), second)
}

/// eˣ − 1 for x ≤ 0, without cancellation near 0.
#[inline(always)]
pub fn expm1<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    let x = R::max(simd, R::splat(simd, R::EXPM1_LOWER), x);
    let (n, power) = R::round_and_exp2(simd, x, R::LOG2_E);
    let tail = expm1_reduced::<S, R>(simd, x, n);
    let one = R::splat(simd, R::from_f64(1.0));
    R::mul_add(simd, tail, power, R::sub(simd, power, one))
}

/// The hyperbolic tangent, from `e^(−2|x|) − 1`.
#[inline(always)]
pub fn tanh<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    let minus = R::neg(simd, R::abs(simd, x));
    let e = expm1::<S, R>(simd, R::add(simd, minus, minus));
    let two = R::splat(simd, R::from_f64(2.0));
    R::copysign(simd, R::div(simd, e, R::add(simd, e, two)), x)
}

/// The inverse tangent.
#[inline(always)]
pub fn atan<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    // arctan x is arctan x, π/4 + arctan((x − 1)/(x + 1)) or π/2 + arctan(−1/x): whichever argument is small.
    let constant = |c: f64| R::splat(simd, R::from_f64(c));
    let a = R::abs(simd, x);
    let one = constant(1.0);
    let small = R::less(simd, a, constant(TAN_PI_8));
    let large = R::less(simd, constant(TAN_PI_8 + 2.0), a);
    let pick = |if_small, if_large, otherwise| {
        let rest = R::select(simd, large, if_large, otherwise);
        R::select(simd, small, if_small, rest)
    };
    let numerator = pick(a, constant(-1.0), R::sub(simd, a, one));
    let denominator = pick(one, a, R::add(simd, a, one));
    let base =
        pick(constant(0.0), constant(core::f64::consts::FRAC_PI_2), constant(core::f64::consts::FRAC_PI_4));
    let angle = atan_reduced::<S, R>(simd, R::div(simd, numerator, denominator));
    R::copysign(simd, R::add(simd, base, angle), x)
}

/// The error function, as `1 − exp(−|x|·q(|x|))` with the sign of x: one smooth path for all x.
#[inline(always)]
pub fn erf<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    let a = R::min(simd, R::splat(simd, R::ERF_UPPER), R::abs(simd, x));
    let exponent = R::mul(simd, a, polynomial::<S, R>(simd, a, R::ERF));
    let e = expm1::<S, R>(simd, R::neg(simd, exponent));
    R::copysign(simd, e, x)
}

/// Sine and cosine, as exact as |x| up to some 10⁵ leaves them; beyond a million they are those of a million.
#[inline(always)]
pub fn sin_cos<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> (R::Vector<S>, R::Vector<S>) {
    use core::f64::consts::{FRAC_2_PI, FRAC_PI_2};
    /// What π/2 has beyond double precision.
    const REST: f64 = 6.123_233_995_736_766e-17;
    let c = |c: f64| R::splat(simd, R::from_f64(c));
    let x = clamp::<S, R>(simd, x, R::from_f64(-1e6), R::from_f64(1e6));
    // x = n·π/2 + r, with π/2 as a sum of three numbers.
    let (n, _) = R::round_and_exp2(simd, x, R::from_f64(FRAC_2_PI));
    let high = R::from_f64(FRAC_PI_2).to_f64();
    let middle = R::from_f64(FRAC_PI_2 - high).to_f64();
    let low = FRAC_PI_2 - high - middle + REST;
    let mut r = x;
    for part in [high, middle, low] {
        r = R::neg_mul_add(simd, n, c(part), r);
    }
    let square = R::mul(simd, r, r);
    let sin = R::mul(simd, r, horner::<S, R>(simd, square, &const { taylor(1) }));
    let cos = horner::<S, R>(simd, square, &const { taylor(0) });
    // n modulo 4, from −2 to 2.
    let (fours, _) = R::round_and_exp2(simd, n, R::from_f64(0.25));
    let quarter = R::abs(simd, R::neg_mul_add(simd, fours, c(4.0), n));
    let quadrant = R::neg_mul_add(simd, fours, c(4.0), n);
    let is_odd = R::less(simd, R::abs(simd, R::sub(simd, quarter, c(1.0))), c(0.5));
    let (s, k) = (R::select(simd, is_odd, cos, sin), R::select(simd, is_odd, sin, cos));
    // sin is minus what it is in the first quarter for n = −1, ±2; cos for n = 1, ±2.
    let flipped = R::less(simd, c(1.5), quarter);
    let below = R::select(simd, R::less(simd, quadrant, c(-0.5)), c(-1.0), c(1.0));
    let above = R::select(simd, R::less(simd, c(0.5), quadrant), c(-1.0), c(1.0));
    let minus = c(-1.0);
    (
        R::mul(simd, s, R::select(simd, flipped, minus, below)),
        R::mul(simd, k, R::select(simd, flipped, minus, above)),
    )
}

/// (−1)ᵏ/(2k + first)!, Taylor's series of the cosine or the sine, to the last bit of double precision up to π/4.
const fn taylor(first: u64) -> [f64; 9] {
    let mut series = [1.0; 9];
    let mut k = 1;
    while k < 9 {
        let n = 2 * k as u64 + first;
        series[k] = -series[k - 1] / (n * (n - 1)) as f64;
        k += 1;
    }
    series
}

/// `c₀ + c₁x + c₂x² + …` with coefficients in double precision, whatever the registers hold.
#[inline(always)]
fn horner<S: Simd, R: Real>(simd: S, x: R::Vector<S>, coefficients: &[f64]) -> R::Vector<S> {
    let mut sum = R::splat(simd, R::default());
    for &coefficient in coefficients.iter().rev() {
        sum = R::mul_add(simd, sum, x, R::splat(simd, R::from_f64(coefficient)));
    }
    sum
}

/// The logistic function 1/(1 + e^(−x)).
#[inline(always)]
pub fn logistic<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    let half = R::splat(simd, R::from_f64(0.5));
    R::mul_add(simd, half, tanh::<S, R>(simd, R::mul(simd, half, x)), half)
}

/// The first five derivatives of the logistic function where it has the value `y`.
#[inline(always)]
pub fn logistic_slopes<S: Simd, R: Real>(simd: S, y: R::Vector<S>) -> [R::Vector<S>; 5] {
    let c = |c: f64| R::splat(simd, R::from_f64(c));
    let slope = R::mul(simd, y, R::sub(simd, c(1.0), y));
    let tilt = R::neg_mul_add(simd, c(2.0), y, c(1.0));
    let second = R::mul(simd, slope, tilt);
    let third = R::mul(simd, slope, R::neg_mul_add(simd, c(6.0), slope, c(1.0)));
    let fourth = R::mul(simd, second, R::neg_mul_add(simd, c(12.0), slope, c(1.0)));
    let inner = R::mul_add(simd, c(120.0), slope, c(-30.0));
    let fifth = R::mul(simd, slope, R::mul_add(simd, inner, slope, c(1.0)));
    [slope, second, third, fourth, fifth]
}

/// ln(1 + e) for e from 0 to 1: 2·artanh(s) with s = e/(2 + e), by its series.
#[inline(always)]
pub fn ln_1_plus<S: Simd, R: Real>(simd: S, e: R::Vector<S>) -> R::Vector<S> {
    let c = |c: f64| R::splat(simd, R::from_f64(c));
    let s = R::div(simd, e, R::add(simd, c(2.0), e));
    let series = const {
        let mut series = [0.0; 17];
        let mut k = 0;
        while k < 17 {
            series[k] = 2.0 / (2 * k + 1) as f64;
            k += 1;
        }
        series
    };
    R::mul(simd, s, horner::<S, R>(simd, R::mul(simd, s, s), &series))
}

/// `x` limited to [lower, upper]; NaN stays.
#[inline(always)]
pub fn clamp<S: Simd, R: Real>(simd: S, x: R::Vector<S>, lower: R, upper: R) -> R::Vector<S> {
    let x = R::max(simd, R::splat(simd, lower), x);
    R::min(simd, R::splat(simd, upper), x)
}

/// `c₀ + c₁x + c₂x² + …` by Horner's rule.
#[inline(always)]
pub fn polynomial<S: Simd, R: Real>(simd: S, x: R::Vector<S>, coefficients: &'static [R]) -> R::Vector<S> {
    let mut sum = R::splat(simd, coefficients[coefficients.len() - 1]);
    for &c in coefficients.iter().rev().skip(1) {
        sum = R::mul_add(simd, sum, x, R::splat(simd, c));
    }
    sum
}

/// tan(π/8) = √2 − 1, the greatest argument of [`atan_reduced`].
pub(crate) const TAN_PI_8: f64 = core::f64::consts::SQRT_2 - 1.0;

/// The inverse tangent of |z| ≤ tan(π/8).
#[inline(always)]
pub(crate) fn atan_reduced<S: Simd, R: Real>(simd: S, z: R::Vector<S>) -> R::Vector<S> {
    let square = R::mul(simd, z, z);
    let q = polynomial::<S, R>(simd, square, R::ATAN);
    R::mul_add(simd, R::mul(simd, q, square), z, z)
}

/// `e^(x − n·ln 2) − 1`, n being the integer nearest to x/ln 2.
#[inline(always)]
fn expm1_reduced<S: Simd, R: Real>(simd: S, x: R::Vector<S>, n: R::Vector<S>) -> R::Vector<S> {
    // Cody and Waite's reduction: ln 2 in two parts, the first product exact.
    let r = R::neg_mul_add(simd, n, R::splat(simd, R::LN_2_HIGH), x);
    let r = R::neg_mul_add(simd, n, R::splat(simd, R::LN_2_LOW), r);
    let q = polynomial::<S, R>(simd, r, R::EXP);
    R::mul_add(simd, q, R::mul(simd, r, r), r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::{Lanewise, levels, map};

    /// One of the functions above, chosen by name so that a test is one line.
    #[derive(Clone, Copy, Debug)]
    enum Function {
        Exp,
        Expm1,
        Tanh,
        Atan,
        Erf,
    }

    impl Function {
        /// The reference, computed in f64 by another library.
        fn reference(self, x: f64) -> f64 {
            match self {
                Self::Exp => libm::exp(x),
                Self::Expm1 => libm::expm1(x),
                Self::Tanh => libm::tanh(x),
                Self::Atan => libm::atan(x),
                Self::Erf => libm::erf(x),
            }
        }
    }

    impl<R: Real> Lanewise<R> for Function {
        #[inline(always)]
        fn apply<S: Simd>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
            match self {
                Self::Exp => exp::<S, R>(simd, x),
                Self::Expm1 => expm1::<S, R>(simd, x),
                Self::Tanh => tanh::<S, R>(simd, x),
                Self::Atan => atan::<S, R>(simd, x),
                Self::Erf => erf::<S, R>(simd, x),
            }
        }
    }

    /// Over dense and random arguments of [from, to] and on every level the relative error is at most `limit` times ε.
    fn check<R: Real>(function: Function, from: f64, to: f64, limit: f64) {
        let mut state = 1_u64;
        let random = core::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / 2_f64.powi(53)
        });
        let dense = (0..=20_000).map(|i| f64::from(i) / 20_000.0);
        let x: Vec<R> =
            dense.chain(random.take(20_000)).map(|u| R::from_f64(from + (to - from) * u)).collect();
        for arch in levels() {
            for (&x, y) in x.iter().zip(map(arch, function, &x)) {
                let exact = function.reference(x.to_f64());
                let error = (y.to_f64() - exact).abs();
                assert!(
                    error <= limit * R::EPSILON.to_f64() * exact.abs(),
                    "{function:?}({x:?}) = {y:?}, not {exact:e}, on {arch:?}"
                );
            }
        }
    }

    #[test]
    fn functions_are_accurate_in_f64() {
        check::<f64>(Function::Exp, -700.0, 709.0, 2.0);
        check::<f64>(Function::Expm1, -45.0, 0.0, 2.0);
        check::<f64>(Function::Tanh, -25.0, 25.0, 3.0);
        check::<f64>(Function::Tanh, -1.0, 1.0, 3.0);
        check::<f64>(Function::Tanh, -1e-5, 1e-5, 3.0);
        check::<f64>(Function::Atan, -10.0, 10.0, 2.0);
        check::<f64>(Function::Atan, -1e6, 1e6, 2.0);
        check::<f64>(Function::Atan, -1e-8, 1e-8, 2.0);
        check::<f64>(Function::Erf, -7.0, 7.0, 3.0);
        check::<f64>(Function::Erf, -0.1, 0.1, 3.0);
    }

    #[test]
    fn functions_are_accurate_in_f32() {
        check::<f32>(Function::Exp, -87.0, 88.0, 2.0);
        check::<f32>(Function::Expm1, -25.0, 0.0, 2.0);
        check::<f32>(Function::Tanh, -12.0, 12.0, 3.0);
        check::<f32>(Function::Tanh, -1.0, 1.0, 3.0);
        check::<f32>(Function::Tanh, -1e-5, 1e-5, 3.0);
        check::<f32>(Function::Atan, -10.0, 10.0, 2.0);
        check::<f32>(Function::Atan, -1e6, 1e6, 2.0);
        check::<f32>(Function::Erf, -5.0, 5.0, 3.0);
        check::<f32>(Function::Erf, -0.1, 0.1, 3.0);
    }

    /// The function's value at one argument, bit for bit (any NaN counts as the same), on every level.
    fn check_bits<R: Real>(function: Function, x: f64, expected: f64) {
        for arch in levels() {
            let y = map(arch, function, &[R::from_f64(x)])[0].to_f64();
            let expected = R::from_f64(expected).to_f64();
            assert!(
                y.to_bits() == expected.to_bits() || (y.is_nan() && expected.is_nan()),
                "{function:?}({x:e}) = {y:e}, not {expected:e}, in {} on {arch:?}",
                R::NAME
            );
        }
    }

    fn check_limits<R: Real>() {
        use Function::{Atan, Erf, Exp, Expm1, Tanh};
        let half_pi = core::f64::consts::FRAC_PI_2;
        for x in [f64::INFINITY, f64::MAX, 1e30] {
            check_bits::<R>(Exp, x, f64::INFINITY);
            check_bits::<R>(Exp, -x, 0.0);
            check_bits::<R>(Expm1, -x, -1.0);
            for sign in [1.0, -1.0] {
                check_bits::<R>(Tanh, sign * x, sign);
                check_bits::<R>(Erf, sign * x, sign);
                check_bits::<R>(Atan, sign * x, sign * half_pi);
            }
        }
        for function in [Exp, Expm1, Tanh, Atan, Erf] {
            check_bits::<R>(function, f64::NAN, f64::NAN);
        }
        for function in [Tanh, Atan, Erf] {
            check_bits::<R>(function, 0.0, 0.0);
            check_bits::<R>(function, -0.0, -0.0);
        }
        check_bits::<R>(Exp, 0.0, 1.0);
        check_bits::<R>(Tanh, 1e-30, 1e-30);
        check_bits::<R>(Atan, -1e-30, -1e-30);
    }

    #[test]
    fn zeros_infinities_and_nan() {
        check_limits::<f32>();
        check_limits::<f64>();
    }

    #[test]
    fn exp_sinks_gradually() {
        // e^-740 and e^-100 are subnormal; their spacing is the smallest positive number.
        for arch in levels() {
            let y = map(arch, Function::Exp, &[-740.0])[0];
            assert!((y - libm::exp(-740.0)).abs() <= f64::from_bits(2), "{y:e}");
            let y = map(arch, Function::Exp, &[-100.0_f32])[0];
            assert!((y - libm::expf(-100.0)).abs() <= f32::from_bits(2), "{y:e}");
        }
    }
}
