//! Sums of scaled functions.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{Simd, WithSimd};

use super::{Kernel, MAX_TERMS, Term, Visitor};
use crate::simd::Real;

/// A sum; every register goes through a call and a choice of functions, so this is slower than one function.
///
/// The functions are not inlined into the kernels of the engines, which would double the time to compile them.
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

    fn terms(&self) -> &[Term] {
        &self.terms[..self.length]
    }
}

impl Kernel for Sum {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        simd.vectorize(Values { terms: self.terms(), x: Lanes::<R>::of(simd, x) }).register(simd)
    }

    /// The sum's own y does not tell the terms' values, so these are computed again.
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(
        self,
        simd: S,
        x: R::Vector<S>,
        _y: R::Vector<S>,
    ) -> [R::Vector<S>; N] {
        let slopes = Slopes::<R, N> { terms: self.terms(), x: Lanes::<R>::of(simd, x) };
        simd.vectorize(slopes).map(|lanes| lanes.register(simd))
    }
}

/// A register in memory, of any instruction set: 16 numbers are 512 bits of f32.
#[derive(Clone, Copy)]
struct Lanes<R>([R; 16]);

impl<R: Real> Lanes<R> {
    #[inline(always)]
    fn of<S: Simd>(simd: S, x: R::Vector<S>) -> Self {
        const { assert!(size_of::<R::Vector<S>>() <= size_of::<Self>(), "a register is at most 512 bits wide") };
        let mut lanes = [R::default(); 16];
        // SAFETY: the assertion keeps the register within the array.
        unsafe { R::store(simd, lanes.as_mut_ptr(), x) };
        Self(lanes)
    }

    #[inline(always)]
    fn register<S: Simd>(&self, simd: S) -> R::Vector<S> {
        const { assert!(size_of::<R::Vector<S>>() <= size_of::<Self>(), "a register is at most 512 bits wide") };
        // SAFETY: the assertion keeps the register within the array.
        unsafe { R::load(simd, self.0.as_ptr()) }
    }
}

struct Values<'a, R> {
    terms: &'a [Term],
    x: Lanes<R>,
}

impl<R: Real> WithSimd for Values<'_, R> {
    type Output = Lanes<R>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Lanes<R> {
        let x = self.x.register(simd);
        let mut sum = R::splat(simd, R::default());
        for term in self.terms {
            let value = term.function.visit(term.amplitude, term.frequency, Value::<S, R>(simd, x));
            sum = R::add(simd, sum, value);
        }
        Lanes::of(simd, sum)
    }
}

struct Slopes<'a, R, const N: usize> {
    terms: &'a [Term],
    x: Lanes<R>,
}

impl<R: Real, const N: usize> WithSimd for Slopes<'_, R, N> {
    type Output = [Lanes<R>; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [Lanes<R>; N] {
        let x = self.x.register(simd);
        let mut sums = [R::splat(simd, R::default()); N];
        for term in self.terms {
            let slopes = term.function.visit(term.amplitude, term.frequency, Slope::<S, R, N>(simd, x));
            for (sum, slope) in sums.iter_mut().zip(slopes) {
                *sum = R::add(simd, *sum, slope);
            }
        }
        sums.map(|sum| Lanes::of(simd, sum))
    }
}

/// One term's value.
struct Value<S: Simd, R: Real>(S, R::Vector<S>);

impl<S: Simd, R: Real> Visitor for Value<S, R> {
    type Output = R::Vector<S>;

    #[inline(always)]
    fn visit<K: Kernel>(self, kernel: K) -> R::Vector<S> {
        kernel.value::<S, R>(self.0, self.1)
    }
}

/// One term's derivatives.
struct Slope<S: Simd, R: Real, const N: usize>(S, R::Vector<S>);

impl<S: Simd, R: Real, const N: usize> Visitor for Slope<S, R, N> {
    type Output = [R::Vector<S>; N];

    #[inline(always)]
    fn visit<K: Kernel>(self, kernel: K) -> [R::Vector<S>; N] {
        let y = kernel.value::<S, R>(self.0, self.1);
        kernel.slopes::<S, R, N>(self.0, self.1, y)
    }
}
