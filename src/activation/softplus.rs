//! The softplus function (Dugas et al. 2000).

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Binary, Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `ln(1 + eˣ)`
#[derive(Clone, Copy)]
pub(super) struct Softplus;

impl Single for Softplus {
    const NAME: &'static str = "softplus";
    const SLOPE: f64 = 0.5;
    const BOUND: f64 = f64::INFINITY;
    const OUTSIDE: Option<&'static str> = Some("it is not bounded");
    const CUDA: Cuda = Cuda {
        value: "(x < R(0) ? R(0) : x) + log1p(exp(-fabs(x)))",
        slopes: "R l[5];\n\
                 s[0] = logistic(x);\n\
                 logistic_slopes(s[0], l);\n\
                 s[1] = l[0];\n\
                 s[2] = l[1];\n\
                 s[3] = l[2];\n\
                 s[4] = l[3];",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        let exponential = graph.unary(Unary::Exp, x);
        let one = graph.constant(1.0);
        let sum = graph.binary(Binary::Add, one, exponential);
        graph.unary(Unary::Ln, sum)
    }
}

impl Kernel for Softplus {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        // What x > 0 lacks is as much as −x has.
        let zero = R::splat(simd, R::default());
        let e = maths::exp::<S, R>(simd, R::neg(simd, R::abs(simd, x)));
        R::add(simd, R::max(simd, zero, x), maths::ln_1_plus::<S, R>(simd, e))
    }

    /// The logistic function and its derivatives.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let value = maths::logistic::<S, R>(simd, x);
        let [slope, second, third, fourth, _] = maths::logistic_slopes::<S, R>(simd, value);
        first([value, slope, second, third, fourth])
    }
}
