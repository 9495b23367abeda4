//! The Gudermannian, `2·arctan(tanh(x/2))`.

use core::f64::consts::FRAC_PI_2;

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `gd x`
#[derive(Clone, Copy)]
pub(super) struct Gd;

impl Single for Gd {
    const NAME: &'static str = "gd";
    const SLOPE: f64 = 1.0;
    const BOUND: f64 = FRAC_PI_2;
    const CUDA: Cuda = Cuda {
        value: "gudermannian(x)",
        slopes: "const R e = expm1(-fabs(x)), power = e + R(1), scale = R(1) / (power * power + R(1));\n\
                 const R slope = (power + power) * scale, tanh = copysign(e * (e + R(2)) * scale, x);\n\
                 const R odd = slope * tanh, square = slope * slope;\n\
                 s[0] = slope;\n\
                 s[1] = -odd;\n\
                 s[2] = slope * (R(1) - R(2) * square);\n\
                 s[3] = odd * (R(6) * square - R(1));\n\
                 s[4] = slope * ((R(24) * square - R(20)) * square + R(1));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let (half, two) = (graph.constant(0.5), graph.constant(2.0));
        let inner = graph.binary(Binary::Mul, half, x);
        let tanh = graph.unary(Unary::Tanh, inner);
        let angle = graph.unary(Unary::Atan, tanh);
        graph.binary(Binary::Mul, two, angle)
    }
}

impl Kernel for Gd {
    /// For small |x| as defined; else `π/2 − 2·arctan(e^(−|x|))`, the same by the tangent's addition theorem.
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        let a = R::abs(simd, x);
        let e = maths::expm1::<S, R>(simd, R::neg(simd, a));
        // At ln(1 + √2) both arguments are tan(π/8).
        let small = R::less(simd, a, c(0.881_373_587_019_543));
        let pick = |if_small, otherwise| R::select(simd, small, if_small, otherwise);
        let numerator = pick(R::neg(simd, e), R::add(simd, e, c(1.0)));
        let denominator = pick(R::add(simd, e, c(2.0)), c(1.0));
        let angle = maths::atan_reduced::<S, R>(simd, R::div(simd, numerator, denominator));
        let twice = R::add(simd, angle, angle);
        R::copysign(simd, pick(twice, R::sub(simd, c(FRAC_PI_2), twice)), x)
    }

    /// Polynomials in `f' = sech x` and tanh x.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        // With ε = e^(−|x|) − 1: sech x = 2(1 + ε)/(1 + (1 + ε)²), |tanh x| = −ε(2 + ε)/(1 + (1 + ε)²).
        let e = maths::expm1::<S, R>(simd, R::neg(simd, R::abs(simd, x)));
        let power = R::add(simd, e, c(1.0));
        let scale = R::div(simd, c(1.0), R::mul_add(simd, power, power, c(1.0)));
        let slope = R::mul(simd, R::add(simd, power, power), scale);
        let tanh = R::mul(simd, R::mul(simd, e, R::add(simd, e, c(2.0))), scale);
        let tanh = R::copysign(simd, tanh, x);
        let odd = R::mul(simd, slope, tanh);
        let square = R::mul(simd, slope, slope);
        let second = R::neg(simd, odd);
        let third = R::mul(simd, slope, R::neg_mul_add(simd, c(2.0), square, c(1.0)));
        let fourth = R::mul(simd, odd, R::mul_add(simd, c(6.0), square, c(-1.0)));
        let inner = R::mul_add(simd, c(24.0), square, c(-20.0));
        let fifth = R::mul(simd, slope, R::mul_add(simd, inner, square, c(1.0)));
        first([slope, second, third, fourth, fifth])
    }
}
