//! The sigmoid linear unit, also known as swish (Elfwing, Uchibe and Doya 2018, arXiv 1702.03118).

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `x/(1 + e^(−x))`
#[derive(Clone, Copy)]
pub(super) struct Silu;

impl Single for Silu {
    const NAME: &'static str = "silu";
    const SLOPE: f64 = 0.5;
    const BOUND: f64 = f64::INFINITY;
    const OUTSIDE: Option<&'static str> = Some("it is not bounded");
    const CUDA: Cuda = Cuda {
        value: "x * logistic(x)",
        slopes: "x = limited(x, R(1e3));\n\
                 R v = logistic(x), l[5];\n\
                 logistic_slopes(v, l);\n\
                 s[0] = x * l[0] + v;\n\
                 s[1] = x * l[1] + R(2) * l[0];\n\
                 s[2] = x * l[2] + R(3) * l[1];\n\
                 s[3] = x * l[3] + R(4) * l[2];\n\
                 s[4] = x * l[4] + R(5) * l[3];",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let half = graph.constant(0.5);
        let inner = graph.binary(Binary::Mul, half, x);
        let tanh = graph.unary(Unary::Tanh, inner);
        let one = graph.constant(1.0);
        let sum = graph.binary(Binary::Add, one, tanh);
        let outer = graph.binary(Binary::Mul, half, x);
        graph.binary(Binary::Mul, outer, sum)
    }
}

impl Kernel for Silu {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        R::mul(simd, x, maths::logistic::<S, R>(simd, x))
    }

    /// With the logistic function σ: `f⁽ⁿ⁾ = x·σ⁽ⁿ⁾ + n·σ⁽ⁿ⁻¹⁾`.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        // The logistic function is 0 or 1 there, and its derivatives are 0.
        let x = maths::clamp::<S, R>(simd, x, R::from_f64(-1e3), R::from_f64(1e3));
        let value = maths::logistic::<S, R>(simd, x);
        let [first_slope, second, third, fourth, fifth] = maths::logistic_slopes::<S, R>(simd, value);
        first([
            R::mul_add(simd, x, first_slope, value),
            R::mul_add(simd, x, second, R::mul(simd, c(2.0), first_slope)),
            R::mul_add(simd, x, third, R::mul(simd, c(3.0), second)),
            R::mul_add(simd, x, fourth, R::mul(simd, c(4.0), third)),
            R::mul_add(simd, x, fifth, R::mul(simd, c(5.0), fourth)),
        ])
    }
}
