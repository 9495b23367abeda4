//! The activation on a block: f(z) on the value channel, and as many slopes f′, f″, … as the chain rule needs.
//!
//! This is the only code compiled for every activation; what follows from the slopes is the same for all.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use crate::activation::Kernel;
use crate::simd::Real;

/// The most slopes: order four, and one more for the way back.
pub(super) const MOST_SLOPES: usize = 5;

/// `z += bias` and `y = f(z)`, rows of `bias.len()` numbers.
pub(super) struct Values<'a, R, S, K> {
    pub(super) simd: S,
    pub(super) kernel: K,
    pub(super) bias: &'a [R],
    pub(super) z: &'a mut [R],
    pub(super) y: &'a mut [R],
}

impl<R: Real, S: Simd, K: Kernel> NullaryFnOnce for Values<'_, R, S, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, kernel, bias, z, y } = self;
        let (lanes, width) = (R::lanes::<S>(), bias.len());
        assert!(width.is_multiple_of(lanes) && z.len().is_multiple_of(width) && y.len() >= z.len());
        for row in (0..z.len()).step_by(width) {
            for column in (0..width).step_by(lanes) {
                // SAFETY: a register at `row + column` ends within the row, which the assertion keeps inside z and y.
                unsafe {
                    let place = z.as_mut_ptr().add(row + column);
                    let x = R::add(simd, R::load(simd, place), R::load(simd, bias.as_ptr().add(column)));
                    R::store(simd, place, x);
                    R::store(simd, y.as_mut_ptr().add(row + column), kernel.value::<S, R>(simd, x));
                }
            }
        }
    }
}

/// `slopes[k] = f⁽ᵏ⁺¹⁾(z)`, `count` arrays as long as z one after the other, where y = f(z) is known.
pub(super) struct Slopes<'a, R, S, K> {
    pub(super) simd: S,
    pub(super) kernel: K,
    pub(super) count: usize,
    pub(super) z: &'a [R],
    pub(super) y: &'a [R],
    pub(super) slopes: &'a mut [R],
}

impl<R: Real, S: Simd, K: Kernel> NullaryFnOnce for Slopes<'_, R, S, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let size = self.z.len();
        assert!(self.count <= MOST_SLOPES && size.is_multiple_of(R::lanes::<S>()));
        assert!(self.y.len() >= size && self.slopes.len() >= self.count * size);
        match self.count {
            0 => {}
            1 => self.fill::<1>(),
            2 => self.fill::<2>(),
            3 => self.fill::<3>(),
            4 => self.fill::<4>(),
            _ => self.fill::<MOST_SLOPES>(),
        }
    }
}

impl<R: Real, S: Simd, K: Kernel> Slopes<'_, R, S, K> {
    #[inline(always)]
    fn fill<const N: usize>(self) {
        let Self { simd, kernel, z, y, slopes, .. } = self;
        let size = z.len();
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` ends within z, y and each of the N arrays, as the caller has asserted.
            unsafe {
                let x = R::load(simd, z.as_ptr().add(place));
                let value = R::load(simd, y.as_ptr().add(place));
                let at: [_; N] = kernel.slopes::<S, R, N>(simd, x, value);
                for (k, slope) in at.into_iter().enumerate() {
                    R::store(simd, slopes.as_mut_ptr().add(k * size + place), slope);
                }
            }
        }
    }
}
