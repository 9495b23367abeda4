//! Rows of the Jacobian, and their products with a direction, from what the reverse sweep leaves in a layer.
//!
//! A layer's preactivations are z = W·a + b on the value channel and z = W·a on every other one, so a residual whose
//! adjoints of z are d has the derivatives Σ d⊗a by W, over the channels and linked points of its site, and Σ d by b,
//! over the value channels alone.
//! This file knows which rows of a block belong together; it does not know what is done with a Jacobian.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use super::gemm::{self, MOST_LANES};
use crate::network::Layer;
use crate::simd::Real;

/// The order of a block's rows: channel by channel, within it side by side, within it site by site.
#[derive(Clone, Copy)]
pub(super) struct Linked {
    pub(super) channels: usize,
    pub(super) sides: usize,
    pub(super) sites: usize,
}

impl Linked {
    /// The rows of a site, the value channel's first.
    #[inline(always)]
    pub(super) fn rows(self, site: usize) -> impl Iterator<Item = usize> {
        (0..self.channels * self.sides).map(move |i| i * self.sites + site)
    }

    /// All rows of a block.
    fn count(self) -> usize {
        self.channels * self.sides * self.sites
    }
}

/// Writes the part of every site's Jacobian row that belongs to `layer`.
///
/// `a` are the layer's inputs, which are read beyond the last of them, and `d` the adjoints of its preactivations, both row
/// by row.
/// Whole registers are written, whose ends are overwritten by what follows them, but never beyond the layer's part.
pub(super) struct OuterRows<'a, R, S> {
    pub(super) simd: S,
    pub(super) linked: Linked,
    pub(super) a: &'a [R],
    pub(super) a_stride: usize,
    pub(super) d: &'a [R],
    pub(super) d_stride: usize,
    pub(super) layer: Layer,
    pub(super) rows: &'a mut [R],
    pub(super) stride: usize,
}

impl<R: Real, S: Simd> NullaryFnOnce for OuterRows<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, linked, a, a_stride, d, d_stride, layer, rows, stride } = self;
        let lanes = R::lanes::<S>();
        let Layer { inputs, outputs, weights, biases, .. } = layer;
        assert!(a.len() + a_stride >= linked.count() * a_stride + inputs.next_multiple_of(lanes));
        let end = biases + outputs;
        assert!(inputs <= a_stride && outputs <= d_stride && end <= stride && lanes <= MOST_LANES);
        for (site, row) in rows.chunks_exact_mut(stride).take(linked.sites).enumerate() {
            for n in 0..outputs {
                let first = weights + n * inputs;
                for k in (0..inputs).step_by(lanes) {
                    let mut sum = R::splat(simd, R::default());
                    for i in linked.rows(site) {
                        // SAFETY: rows of a block are below `linked.count()`, and a register at `k < inputs` ends where
                        // the assertion above has room for it.
                        let part = unsafe { R::load(simd, a.as_ptr().add(i * a_stride + k)) };
                        sum = R::mul_add(simd, R::splat(simd, d[i * d_stride + n]), part, sum);
                    }
                    let to = &mut row[first + k..end];
                    if to.len() >= lanes {
                        // SAFETY: a register fits, as has just been asked.
                        unsafe { R::store(simd, to.as_mut_ptr(), sum) };
                    } else {
                        let mut last = [R::default(); MOST_LANES];
                        // SAFETY: no register is longer.
                        unsafe { R::store(simd, last.as_mut_ptr(), sum) };
                        to.copy_from_slice(&last[..to.len()]);
                    }
                }
            }
            for n in 0..outputs {
                let values = linked.rows(site).take(linked.sides);
                row[biases + n] = R::from_f64(values.map(|i| d[i * d_stride + n].to_f64()).sum());
            }
        }
    }
}

/// Adds Σ a·d over the rows of every site to `sums`; both are `width` wide, and read beyond the last row.
pub(super) struct DotRows<'a, R, S> {
    pub(super) simd: S,
    pub(super) linked: Linked,
    pub(super) width: usize,
    pub(super) a: &'a [R],
    pub(super) d: &'a [R],
    pub(super) sums: &'a mut [f64],
}

impl<R: Real, S: Simd> NullaryFnOnce for DotRows<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, linked, width, a, d, sums } = self;
        let lanes = R::lanes::<S>();
        let length = linked.count() * width + width.next_multiple_of(lanes);
        assert!(a.len() + width >= length && d.len() + width >= length);
        assert!(sums.len() <= linked.sites);
        for (site, total) in sums.iter_mut().enumerate() {
            let mut sum = R::splat(simd, R::default());
            for i in linked.rows(site) {
                for k in (0..width).step_by(lanes) {
                    // SAFETY: rows of a block are below `linked.count()`, and a register at `k` ends where
                    // the assertion above has room for it.
                    unsafe {
                        let a = R::load(simd, a.as_ptr().add(i * width + k));
                        let d = R::load(simd, d.as_ptr().add(i * width + k));
                        let [a, d] = [a, d].map(|x| gemm::first::<S, R>(simd, width - k, x));
                        sum = R::mul_add(simd, a, d, sum);
                    }
                }
            }
            *total += R::sum(simd, sum).to_f64();
        }
    }
}
