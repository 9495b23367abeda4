//! The sine (Sitzmann et al. 2020, arXiv 2006.09661).

use pulp::Simd;

use super::{Cuda, Kernel, Single, first};
use crate::expr::{Graph, NodeId, Unary};
use crate::simd::{Real, maths};

/// `sin x`
#[derive(Clone, Copy)]
pub(super) struct Sin;

impl Single for Sin {
    const NAME: &'static str = "sin";
    const SLOPE: f64 = 1.0;
    const BOUND: f64 = 1.0;
    const OUTSIDE: Option<&'static str> = Some("it does not increase everywhere");
    const CUDA: Cuda = Cuda {
        value: "sin(x)",
        slopes: "const R cosine = cos(x);\n\
                 s[0] = cosine;\n\
                 s[1] = -y;\n\
                 s[2] = -cosine;\n\
                 s[3] = y;\n\
                 s[4] = cosine;",
    };

    fn expression(graph: &mut Graph, x: NodeId) -> NodeId {
        graph.unary(Unary::Sin, x)
    }
}

impl Kernel for Sin {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        maths::sin_cos::<S, R>(simd, x).0
    }

    /// Sines and cosines.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let c = |c: f64| R::splat(simd, R::from_f64(c));
        let (sin, cos) = maths::sin_cos::<S, R>(simd, x);
        let (minus_sin, minus_cos) = (R::mul(simd, c(-1.0), sin), R::mul(simd, c(-1.0), cos));
        first([cos, minus_sin, minus_cos, sin, cos])
    }
}
