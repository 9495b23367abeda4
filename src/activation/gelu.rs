//! The Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv 1606.08415).

use core::f64::consts::{FRAC_1_SQRT_2, TAU};

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `x·Φ(x)`
#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl Single for Gelu {
    const NAME: &'static str = "gelu";
    const SLOPE: f64 = 0.5;
    const BOUND: f64 = f64::INFINITY;
    const OUTSIDE: Option<&'static str> = Some("it is not bounded");
    const CUDA: Cuda = Cuda {
        value: "x * (R(0.5) + R(0.5) * erf(R(0.7071067811865476) * x))",
        slopes: "x = limited(x, R(40));\n\
                 const R square = x * x, density = R(0.3989422804014327) * exp(R(-0.5) * square), odd = density * x;\n\
                 s[0] = R(0.5) + R(0.5) * erf(R(0.7071067811865476) * x) + odd;\n\
                 s[1] = density * (R(2) - square);\n\
                 s[2] = odd * (square - R(4));\n\
                 s[3] = density * ((R(7) - square) * square - R(4));\n\
                 s[4] = odd * ((square - R(11)) * square + R(18));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let normal = graph.unary(Unary::Phi, x);
        graph.binary(Binary::Mul, x, normal)
    }
}

/// Φ(x)
#[inline(always)]
fn normal<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> R::Vector<S> {
    let [half, narrower] = [0.5, FRAC_1_SQRT_2].map(|c| R::splat(simd, R::from_f64(c)));
    R::mul_add(simd, half, maths::erf::<S, R>(simd, R::mul(simd, x, narrower)), half)
}

impl Kernel for Gelu {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        R::mul(simd, x, normal::<S, R>(simd, x))
    }

    /// With the normal density φ: `f′ = Φ + x·φ`, then φ times polynomials.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        // The density is 0 in both precisions from there on, and the powers are finite.
        let x = maths::clamp::<S, R>(simd, x, R::from_f64(-40.0), R::from_f64(40.0));
        let square = R::mul(simd, x, x);
        let exponential = maths::exp::<S, R>(simd, R::mul(simd, c(-0.5), square));
        let density = R::mul(simd, c(1.0 / TAU.sqrt()), exponential);
        let odd = R::mul(simd, density, x);
        let slope = R::add(simd, normal::<S, R>(simd, x), odd);
        let second = R::mul(simd, density, R::sub(simd, c(2.0), square));
        let third = R::mul(simd, odd, R::sub(simd, square, c(4.0)));
        let inner = R::sub(simd, c(7.0), square);
        let fourth = R::mul(simd, density, R::mul_add(simd, inner, square, c(-4.0)));
        let inner = R::sub(simd, square, c(11.0));
        let fifth = R::mul(simd, odd, R::mul_add(simd, inner, square, c(18.0)));
        first([slope, second, third, fourth, fifth])
    }
}
