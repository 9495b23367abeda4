//! Sums of scaled functions.

use pulp::Simd;

use super::{Kernel, MAX_TERMS, Term, Visitor};
use crate::simd::Real;

/// A sum; every register goes through a choice of functions, so this is slower than one function.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    terms: [Term; MAX_TERMS],
    length: usize,
}

impl Sum {
    /// The sum of at least one and at most [`MAX_TERMS`] terms.
    pub(super) fn new(terms: &[Term]) -> Self {
        let length = terms.len();
        Self { terms: core::array::from_fn(|i| terms[i.min(length - 1)]), length }
    }
}

impl Kernel for Sum {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let mut sum = R::splat(simd, R::default());
        for term in &self.terms[..self.length] {
            let value = term.function.visit(term.amplitude, term.frequency, Value::<S, R>(simd, x));
            sum = R::add(simd, sum, value);
        }
        sum
    }

    /// The sum's own y does not tell the terms' values, so these are computed again.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let mut sums = [R::splat(simd, R::default()); N];
        for term in &self.terms[..self.length] {
            let slopes = term.function.visit(term.amplitude, term.frequency, Slopes::<S, R, N>(simd, x));
            for (sum, slope) in sums.iter_mut().zip(slopes) {
                *sum = R::add(simd, *sum, slope);
            }
        }
        sums
    }
}

struct Value<S: Simd, R: Real>(S, R::Vector<S>);

impl<S: Simd, R: Real> Visitor for Value<S, R> {
    type Output = R::Vector<S>;

    #[inline(always)]
    fn visit<K: Kernel>(self, kernel: K) -> R::Vector<S> {
        kernel.value::<S, R>(self.0, self.1)
    }
}

struct Slopes<S: Simd, R: Real, const N: usize>(S, R::Vector<S>);

impl<S: Simd, R: Real, const N: usize> Visitor for Slopes<S, R, N> {
    type Output = [R::Vector<S>; N];

    #[inline(always)]
    fn visit<K: Kernel>(self, kernel: K) -> [R::Vector<S>; N] {
        let y = kernel.value::<S, R>(self.0, self.1);
        kernel.slopes::<S, R, N>(self.0, self.1, y)
    }
}
