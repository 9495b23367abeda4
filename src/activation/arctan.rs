//! `arctan x`

use core::f64::consts::FRAC_PI_2;

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// The inverse tangent.
#[derive(Clone, Copy)]
pub(super) struct Arctan;

impl Single for Arctan {
    const NAME: &'static str = "arctan";
    const SLOPE: f64 = 1.0;
    const BOUND: f64 = FRAC_PI_2;
    const CUDA: Cuda = Cuda {
        value: "atan(x)",
        slopes: "x = limited(x, R(1e18));\n\
                 const R w = R(1) / (x * x + R(1)), xw = x * w, square = w * w;\n\
                 s[0] = w;\n\
                 s[1] = R(-2) * xw * w;\n\
                 s[2] = square * (R(6) - R(8) * w);\n\
                 s[3] = xw * square * (R(48) * w - R(24));\n\
                 s[4] = square * w * ((R(384) * w - R(480)) * w + R(120));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        graph.unary(Unary::Atan, x)
    }
}

impl Kernel for Arctan {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        maths::atan::<S, R>(simd, x)
    }

    /// Polynomials in `w = f' = 1/(1 + x²)` and `x·w`, both bounded, by `x²·w = 1 − w`.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        let w = R::div(simd, c(1.0), R::mul_add(simd, x, x, c(1.0)));
        // Where x² overflows, w is 0, and a finite x makes the product 0.
        let xw = R::mul(simd, maths::clamp::<S, R>(simd, x, R::from_f64(-1e30), R::from_f64(1e30)), w);
        let square = R::mul(simd, w, w);
        let second = R::mul(simd, R::mul(simd, c(-2.0), xw), w);
        let third = R::mul(simd, square, R::neg_mul_add(simd, c(8.0), w, c(6.0)));
        let fourth = R::mul(simd, R::mul(simd, xw, square), R::mul_add(simd, c(48.0), w, c(-24.0)));
        let inner = R::mul_add(simd, c(384.0), w, c(-480.0));
        let fifth = R::mul(simd, R::mul(simd, square, w), R::mul_add(simd, inner, w, c(120.0)));
        first([w, second, third, fourth, fifth])
    }
}
