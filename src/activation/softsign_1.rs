//! `x/(1 + |x|)`

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// The softsign; its second derivative jumps from 2 to −2 at 0.
#[derive(Clone, Copy)]
pub(super) struct Softsign1;

impl Single for Softsign1 {
    const NAME: &'static str = "softsign_1";
    const SLOPE: f64 = 1.0;
    const BOUND: f64 = 1.0;
    const KINKED: bool = true;
    const CUDA: Cuda = Cuda {
        value: "limited(x, R(1e30)) / (R(1) + fabs(limited(x, R(1e30))))",
        slopes: "x = limited(x, R(1e30));\n\
                 const R r = R(1) / (R(1) + fabs(x)), side = copysign(r, x), slope = r * r, square = slope * slope;\n\
                 s[0] = slope;\n\
                 s[1] = R(-2) * slope * side;\n\
                 s[2] = R(6) * square;\n\
                 s[3] = R(-24) * square * side;\n\
                 s[4] = R(120) * square * slope;",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let (one, abs) = (graph.constant(1.0), graph.unary(Unary::Abs, x));
        let denominator = graph.binary(Binary::Add, one, abs);
        graph.binary(Binary::Div, x, denominator)
    }
}

impl Kernel for Softsign1 {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let (x, reciprocal) = reciprocal::<S, R>(simd, x);
        R::mul(simd, x, reciprocal)
    }

    /// `f⁽ⁿ⁾ = n!·(∓1)ⁿ⁻¹/(1 + |x|)ⁿ⁺¹`; at 0 the limit from the side of the zero's sign.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        let (x, r) = reciprocal::<S, R>(simd, x);
        let signed = R::copysign(simd, r, x);
        let slope = R::mul(simd, r, r);
        let second = R::mul(simd, R::mul(simd, c(-2.0), slope), signed);
        let square = R::mul(simd, slope, slope);
        let third = R::mul(simd, c(6.0), square);
        let fourth = R::mul(simd, R::mul(simd, c(-24.0), square), signed);
        let fifth = R::mul(simd, R::mul(simd, c(120.0), square), slope);
        first([slope, second, third, fourth, fifth])
    }
}

/// x, limited to where `f` is 1 to working precision and everything stays finite, and `1/(1 + |x|)`.
#[inline(always)]
fn reciprocal<S: Simd, R: Real>(simd: S, x: R::Vector<S>) -> (R::Vector<S>, R::Vector<S>) {
    let one = R::splat(simd, R::from_f64(1.0));
    let x = maths::clamp::<S, R>(simd, x, R::from_f64(-1e30), R::from_f64(1e30));
    (x, R::div(simd, one, R::add(simd, one, R::abs(simd, x))))
}
