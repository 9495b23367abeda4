//! `tanh x`

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// The hyperbolic tangent.
#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl Single for Tanh {
    const NAME: &'static str = "tanh";
    const SLOPE: f64 = 1.0;
    const BOUND: f64 = 1.0;
    const CUDA: Cuda = Cuda {
        value: "tanh(x)",
        slopes: "const R square = y * y;\n\
                 // A y that was scaled and back may exceed 1 by an ulp; the slope must not turn negative.\n\
                 const R slope = square < R(1) ? R(1) - square : R(0) * square;\n\
                 s[0] = slope;\n\
                 s[1] = R(-2) * slope * y;\n\
                 s[2] = slope * (R(6) * square - R(2));\n\
                 s[3] = slope * y * (R(16) - R(24) * square);\n\
                 s[4] = slope * ((R(120) * square - R(120)) * square + R(16));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        graph.unary(Unary::Tanh, x)
    }
}

impl Kernel for Tanh {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        maths::tanh::<S, R>(simd, x)
    }

    /// Polynomials in y, by `y' = 1 − y²`.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        _x: R::Vector<S>,
        y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        let square = R::mul(simd, y, y);
        // A y that was scaled and back may exceed 1 by an ulp; the slope must not turn negative.
        let slope = R::max(simd, c(0.0), R::sub(simd, c(1.0), square));
        let odd = R::mul(simd, slope, y);
        let second = R::mul(simd, c(-2.0), odd);
        let third = R::mul(simd, slope, R::mul_add(simd, c(6.0), square, c(-2.0)));
        let fourth = R::mul(simd, odd, R::neg_mul_add(simd, c(24.0), square, c(16.0)));
        let inner = R::mul_add(simd, c(120.0), square, c(-120.0));
        let fifth = R::mul(simd, slope, R::mul_add(simd, inner, square, c(16.0)));
        first([slope, second, third, fourth, fifth])
    }
}
