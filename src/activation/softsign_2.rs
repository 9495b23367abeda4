//! `x/√(1 + x²)`

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// The smooth softsign.
#[derive(Clone, Copy)]
pub(super) struct Softsign2;

impl Single for Softsign2 {
    const NAME: &'static str = "softsign_2";
    const SLOPE: f64 = 1.0;
    const BOUND: f64 = 1.0;
    const CUDA: Cuda = Cuda {
        value: "limited(x, R(1e18)) / sqrt(limited(x, R(1e18)) * limited(x, R(1e18)) + R(1))",
        slopes: "x = limited(x, R(1e18));\n\
                 const R r = R(1) / sqrt(x * x + R(1)), r2 = r * r, r4 = r2 * r2, r5 = r4 * r, y2 = y * y;\n\
                 s[0] = r2 * r;\n\
                 s[1] = R(-3) * y * r4;\n\
                 s[2] = r5 * (R(15) * y2 - R(3));\n\
                 s[3] = r5 * r * y * (R(45) - R(105) * y2);\n\
                 s[4] = r5 * r2 * ((R(945) * y2 - R(630)) * y2 + R(45));",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let (one, square) = (graph.constant(1.0), graph.binary(Binary::Mul, x, x));
        let sum = graph.binary(Binary::Add, one, square);
        let root = graph.unary(Unary::Sqrt, sum);
        graph.binary(Binary::Div, x, root)
    }
}

impl Kernel for Softsign2 {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let (x, reciprocal) = reciprocal::<S, R>(simd, x);
        R::mul(simd, x, reciprocal)
    }

    /// Legendre-like polynomials in y times powers of `r = 1/√(1 + x²)`, by `y' = r³` and `r' = −y·r²`.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        let (_, r) = reciprocal::<S, R>(simd, x);
        let r2 = R::mul(simd, r, r);
        let slope = R::mul(simd, r2, r);
        let r4 = R::mul(simd, r2, r2);
        let r5 = R::mul(simd, r4, r);
        let y2 = R::mul(simd, y, y);
        let second = R::mul(simd, R::mul(simd, c(-3.0), y), r4);
        let third = R::mul(simd, r5, R::mul_add(simd, c(15.0), y2, c(-3.0)));
        let r6y = R::mul(simd, R::mul(simd, r5, r), y);
        let fourth = R::mul(simd, r6y, R::neg_mul_add(simd, c(105.0), y2, c(45.0)));
        let inner = R::mul_add(simd, c(945.0), y2, c(-630.0));
        let fifth = R::mul(simd, R::mul(simd, r5, r2), R::mul_add(simd, inner, y2, c(45.0)));
        first([slope, second, third, fourth, fifth])
    }
}

/// x, limited to where `f` is 1 to working precision and x² stays finite, and `1/√(1 + x²)`.
#[inline(always)]
fn reciprocal<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> (R::Vector<S>, R::Vector<S>) {
    let one = R::splat(simd, R::from_f64(1.0));
    let x = maths::clamp::<S, R>(simd, x, R::from_f64(-1e18), R::from_f64(1e18));
    (x, R::div(simd, one, R::sqrt(simd, R::mul_add(simd, x, x, one))))
}
