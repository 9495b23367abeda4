//! The Gaussian bell (Ramasinghe and Lucey 2022, arXiv 2111.15135).

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `e^(−x²)`
#[derive(Clone, Copy)]
pub(super) struct Gaussian;

impl Single for Gaussian {
    const NAME: &'static str = "gaussian";
    const SLOPE: f64 = 0.0;
    const BOUND: f64 = 1.0;
    const OUTSIDE: Option<&'static str> = Some("it is not odd");
    const CUDA: Cuda = Cuda {
        value: "exp(-limited(x, R(28)) * limited(x, R(28)))",
        slopes: "x = limited(x, R(28));\n\
                 const R square = x * x, odd = x * y;\n\
                 s[0] = R(-2) * odd;\n\
                 s[1] = y * (R(4) * square - R(2));\n\
                 s[2] = odd * (R(12) - R(8) * square);\n\
                 s[3] = y * ((R(16) * square - R(48)) * square + R(12));\n\
                 s[4] = odd * ((R(160) - R(32) * square) * square - R(120));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let square = graph.binary(Binary::Mul, x, x);
        let minus = graph.unary(Unary::Neg, square);
        graph.unary(Unary::Exp, minus)
    }
}

impl Kernel for Gaussian {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let x = maths::clamp::<S, R>(simd, x, R::from_f64(-28.0), R::from_f64(28.0));
        maths::exp::<S, R>(simd, R::neg(simd, R::mul(simd, x, x)))
    }

    /// `f` times Hermite polynomials.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        // e^(−28²) is 0 in both precisions, and the powers of 28 are finite.
        let x = maths::clamp::<S, R>(simd, x, R::from_f64(-28.0), R::from_f64(28.0));
        let square = R::mul(simd, x, x);
        let odd = R::mul(simd, x, y);
        let slope = R::mul(simd, c(-2.0), odd);
        let second = R::mul(simd, y, R::mul_add(simd, c(4.0), square, c(-2.0)));
        let third = R::mul(simd, odd, R::neg_mul_add(simd, c(8.0), square, c(12.0)));
        let inner = R::mul_add(simd, c(16.0), square, c(-48.0));
        let fourth = R::mul(simd, y, R::mul_add(simd, inner, square, c(12.0)));
        let inner = R::neg_mul_add(simd, c(32.0), square, c(160.0));
        let fifth = R::mul(simd, odd, R::mul_add(simd, inner, square, c(-120.0)));
        first([slope, second, third, fourth, fifth])
    }
}
