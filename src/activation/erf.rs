//! The error function.

use core::f64::consts::FRAC_2_SQRT_PI;

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `erf x`
#[derive(Clone, Copy)]
pub(super) struct Erf;

impl Single for Erf {
    const NAME: &'static str = "erf";
    const SLOPE: f64 = FRAC_2_SQRT_PI;
    const BOUND: f64 = 1.0;
    const CUDA: Cuda = Cuda {
        value: "erf(x)",
        slopes: "x = limited(x, R(28));\n\
                 const R square = x * x, slope = R(1.1283791670955126) * exp(-square), odd = slope * x;\n\
                 s[0] = slope;\n\
                 s[1] = R(-2) * odd;\n\
                 s[2] = slope * (R(4) * square - R(2));\n\
                 s[3] = odd * (R(12) - R(8) * square);\n\
                 s[4] = slope * ((R(16) * square - R(48)) * square + R(12));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        graph.unary(Unary::Erf, x)
    }
}

impl Kernel for Erf {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        maths::erf::<S, R>(simd, x)
    }

    /// `f' = 2/√π·e^(−x²)` times Hermite polynomials.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        // e^(−28²) is 0 in both precisions, and the powers of 28 are finite.
        let x = maths::clamp::<S, R>(simd, x, R::from_f64(-28.0), R::from_f64(28.0));
        let square = R::mul(simd, x, x);
        let slope = R::mul(simd, c(FRAC_2_SQRT_PI), maths::exp::<S, R>(simd, R::neg(simd, square)));
        let odd = R::mul(simd, slope, x);
        let second = R::mul(simd, c(-2.0), odd);
        let third = R::mul(simd, slope, R::mul_add(simd, c(4.0), square, c(-2.0)));
        let fourth = R::mul(simd, odd, R::neg_mul_add(simd, c(8.0), square, c(12.0)));
        let inner = R::mul_add(simd, c(16.0), square, c(-48.0));
        let fifth = R::mul(simd, slope, R::mul_add(simd, inner, square, c(12.0)));
        first([slope, second, third, fourth, fifth])
    }
}
