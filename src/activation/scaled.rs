//! `c·f(k·x)`

use pulp::Simd;

use super::Kernel;
use crate::simd::Real;

/// A kernel scaled inside and outside; c = k = 1 changes no bit.
#[derive(Clone, Copy)]
pub(super) struct Scaled<K> {
    pub(super) kernel: K,
    /// c
    pub(super) amplitude: f64,
    /// k
    pub(super) frequency: f64,
}

impl<K: Kernel> Kernel for Scaled<K> {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let inner = R::mul(simd, splat::<S, R>(simd, self.frequency), x);
        let value = self.kernel.value::<S, R>(simd, inner);
        R::mul(simd, splat::<S, R>(simd, self.amplitude), value)
    }

    /// `c·kⁿ·f⁽ⁿ⁾(k·x)`
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let inner = R::mul(simd, splat::<S, R>(simd, self.frequency), x);
        let value = R::mul(simd, splat::<S, R>(simd, 1.0 / self.amplitude), y);
        let mut slopes = self.kernel.slopes::<S, R, N>(simd, inner, value);
        let mut factor = self.amplitude;
        // A loop, because a closure's function is not always compiled for the instruction set around it.
        for slope in &mut slopes {
            factor *= self.frequency;
            *slope = R::mul(simd, splat::<S, R>(simd, factor), *slope);
        }
        slopes
    }
}

/// A factor; one beyond the precision's range is limited to it, so that its product with 0 is 0.
#[inline(always)]
fn splat<S: Simd, R: Real>(simd: S, x: f64) -> R::Vector<S> {
    R::splat(simd, R::from_f64(x.min(R::MAX.to_f64())))
}
