//! What is linear on a block besides layers: sums of arrays, biases, products by trainable numbers, and what comes of them
//! on the way back.
//!
//! All channels are alike to these.
//! This file knows rows and columns; it does not know what they mean.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use crate::simd::Real;

/// `to += ±from`
pub(super) struct Add<'a, R, S> {
    pub(super) simd: S,
    /// Subtract?
    pub(super) minus: bool,
    pub(super) from: &'a [R],
    pub(super) to: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Add<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, minus, from, to } = self;
        assert!(to.len().is_multiple_of(R::lanes::<S>()) && from.len() >= to.len());
        for place in (0..to.len()).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` ends within both.
            unsafe {
                let to = to.as_mut_ptr().add(place);
                let (before, from) = (R::load(simd, to), R::load(simd, from.as_ptr().add(place)));
                R::store(
                    simd,
                    to,
                    match minus {
                        true => R::sub(simd, before, from),
                        false => R::add(simd, before, from),
                    },
                );
            }
        }
    }
}

/// `to = a − b`
pub(super) struct Difference<'a, R, S> {
    pub(super) simd: S,
    pub(super) a: &'a [R],
    pub(super) b: &'a [R],
    pub(super) to: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Difference<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, a, b, to } = self;
        assert!(to.len().is_multiple_of(R::lanes::<S>()) && a.len() >= to.len() && b.len() >= to.len());
        for place in (0..to.len()).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` ends within all three.
            unsafe {
                let (a, b) = (R::load(simd, a.as_ptr().add(place)), R::load(simd, b.as_ptr().add(place)));
                R::store(simd, to.as_mut_ptr().add(place), R::sub(simd, a, b));
            }
        }
    }
}

/// Adds `row` to every row of `to`.
pub(super) struct AddToRows<'a, R, S> {
    pub(super) simd: S,
    pub(super) row: &'a [R],
    pub(super) to: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for AddToRows<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, row, to } = self;
        let width = row.len();
        assert!(width.is_multiple_of(R::lanes::<S>()) && to.len().is_multiple_of(width));
        for first in (0..to.len()).step_by(width) {
            for column in (0..width).step_by(R::lanes::<S>()) {
                // SAFETY: a register at `column` ends within the width, and rows are whole.
                unsafe {
                    let to = to.as_mut_ptr().add(first + column);
                    R::store(
                        simd,
                        to,
                        R::add(simd, R::load(simd, to), R::load(simd, row.as_ptr().add(column))),
                    );
                }
            }
        }
    }
}

/// `to += ±factor⊙from`, row by row.
pub(super) struct AddTimes<'a, R, S> {
    pub(super) simd: S,
    /// A factor for each column.
    pub(super) factor: &'a [R],
    /// Subtract?
    pub(super) minus: bool,
    pub(super) from: &'a [R],
    pub(super) to: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for AddTimes<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, factor, minus, from, to } = self;
        let width = factor.len();
        assert!(width.is_multiple_of(R::lanes::<S>()) && to.len().is_multiple_of(width));
        assert!(from.len() >= to.len());
        for first in (0..to.len()).step_by(width) {
            for column in (0..width).step_by(R::lanes::<S>()) {
                // SAFETY: a register at `column` ends within the width, and rows are whole.
                unsafe {
                    let place = to.as_mut_ptr().add(first + column);
                    let factor = R::load(simd, factor.as_ptr().add(column));
                    let from = R::load(simd, from.as_ptr().add(first + column));
                    let before = R::load(simd, place);
                    R::store(
                        simd,
                        place,
                        match minus {
                            true => R::neg_mul_add(simd, factor, from, before),
                            false => R::mul_add(simd, factor, from, before),
                        },
                    );
                }
            }
        }
    }
}

/// `sum += Σ a⊙d` over the rows, column by column.
pub(super) struct ColumnDots<'a, R, S> {
    pub(super) simd: S,
    pub(super) a: &'a [R],
    pub(super) d: &'a [R],
    pub(super) sum: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for ColumnDots<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, a, d, sum } = self;
        let width = sum.len();
        assert!(width.is_multiple_of(R::lanes::<S>()) && a.len().is_multiple_of(width) && d.len() >= a.len());
        for column in (0..width).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `column` ends within the width, and rows are whole.
            unsafe {
                let place = sum.as_mut_ptr().add(column);
                let mut total = R::load(simd, place);
                for first in (0..a.len()).step_by(width) {
                    let a = R::load(simd, a.as_ptr().add(first + column));
                    let d = R::load(simd, d.as_ptr().add(first + column));
                    total = R::mul_add(simd, a, d, total);
                }
                R::store(simd, place, total);
            }
        }
    }
}
