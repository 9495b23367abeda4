//! Leibniz's rule on a block: all jet channels of `y + g·d` from those of g and d, and its reverse.
//!
//! A channel that carries a sum L of derivatives needs g·L(d) and d·L(g), and products of what lies below its parts, which
//! has channels of its own as the chain rule needs them, too.
//! This file knows products; it knows no equation and no weights.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use super::carried::Carried;
use super::chain::{Factor, Scales, add, load, mul, mul_add, store};
use crate::jet::{JetSet, ProductRule};
use crate::simd::Real;

/// Leibniz's rule laid out for the kernels.
pub(in crate::engine) struct Products<R> {
    channels: usize,
    terms: Vec<Term<R>>,
}

/// `factor · g_i · d_j` is part of `channel`.
pub(in crate::engine) struct Term<R> {
    pub(in crate::engine) channel: usize,
    pub(in crate::engine) factor: Factor<R>,
    pub(in crate::engine) channels: [usize; 2],
}

impl<R: Real> Products<R> {
    /// The rule for the channels of `carried`, which stand for sums over the derivatives `full`; coefficients that depend
    /// on the point join `scales`.
    pub(in crate::engine) fn new(carried: &mut Carried, full: &JetSet, scales: &mut Scales) -> Self {
        let rule = ProductRule::new(full);
        let jets = carried.jets.clone();
        let mut terms = vec![Term { channel: 0, factor: Factor::One, channels: [0, 0] }];
        for (channel, &index) in jets.indices().iter().enumerate().skip(1) {
            // The whole channel of either factor times the value of the other, whatever it is the sum of.
            terms.push(Term { channel, factor: Factor::One, channels: [0, channel] });
            terms.push(Term { channel, factor: Factor::One, channels: [channel, 0] });
            for (part, coefficient) in carried.parts(index) {
                let part = full.channel(part).expect("an operator's part is a derivative");
                for term in rule.terms(part).iter().filter(|term| !term.factors.contains(&0)) {
                    let factor = scales.factor(&mut carried.formula.graph, term.coefficient, coefficient);
                    let below = |i: usize| jets.channel(full.indices()[i]).expect("all below is carried");
                    terms.push(Term { channel, factor, channels: term.factors.map(below) });
                }
            }
        }
        Self { channels: jets.channels(), terms }
    }

    /// The terms of all channels.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn terms(&self) -> &[Term<R>] {
        &self.terms
    }
}

/// `y += g·d` on all channels.
pub(super) struct Forward<'a, R, S> {
    pub(super) simd: S,
    pub(super) rule: &'a Products<R>,
    /// Length of a channel: points × width.
    pub(super) size: usize,
    /// What depends on the point, each as long as a channel.
    pub(super) scales: &'a [R],
    pub(super) g: &'a [R],
    pub(super) d: &'a [R],
    pub(super) y: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Forward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rule, size, scales, g, d, y } = self;
        let length = rule.channels * size;
        assert!(size.is_multiple_of(R::lanes::<S>()) && fits(rule, size, scales));
        assert!(g.len() >= length && d.len() >= length && y.len() >= length);
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` ends within a channel; channels of the rule are below `channels`, and its
            // scales are there.
            unsafe {
                let g = |c: usize| load::<S, R, 1>(simd, g.as_ptr().add(c * size + place));
                let d = |c: usize| load::<S, R, 1>(simd, d.as_ptr().add(c * size + place));
                for Term { channel, factor, channels: [i, j] } in &rule.terms {
                    let to = y.as_mut_ptr().add(channel * size + place);
                    let product = factor.times(simd, scales.as_ptr(), size, place, g(*i));
                    let sum = load::<S, R, 1>(simd, to.cast_const());
                    store::<S, R, 1>(simd, to, mul_add::<S, R, 1>(simd, product, d(*j), sum));
                }
            }
        }
    }
}

/// From the adjoint of y to those of g and d, which are added to.
pub(super) struct Backward<'a, R, S> {
    pub(super) simd: S,
    pub(super) rule: &'a Products<R>,
    /// Length of a channel: points × width.
    pub(super) size: usize,
    /// What depends on the point, each as long as a channel.
    pub(super) scales: &'a [R],
    pub(super) g: &'a [R],
    pub(super) d: &'a [R],
    pub(super) y_bar: &'a [R],
    pub(super) g_bar: &'a mut [R],
    pub(super) d_bar: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Backward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rule, size, scales, g, d, y_bar, g_bar, d_bar } = self;
        let length = rule.channels * size;
        assert!(size.is_multiple_of(R::lanes::<S>()) && fits(rule, size, scales));
        assert!(g.len() >= length && d.len() >= length && y_bar.len() >= length);
        assert!(g_bar.len() >= length && d_bar.len() >= length);
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: as on the way forward.
            unsafe {
                let at = |x: &[R], c: usize| load::<S, R, 1>(simd, x.as_ptr().add(c * size + place));
                for Term { channel, factor, channels: [i, j] } in &rule.terms {
                    let bar = factor.times(simd, scales.as_ptr(), size, place, at(y_bar, *channel));
                    let to = g_bar.as_mut_ptr().add(i * size + place);
                    let sum = load::<S, R, 1>(simd, to.cast_const());
                    store::<S, R, 1>(
                        simd,
                        to,
                        add::<S, R, 1>(simd, sum, mul::<S, R, 1>(simd, bar, at(d, *j))),
                    );
                    let to = d_bar.as_mut_ptr().add(j * size + place);
                    let sum = load::<S, R, 1>(simd, to.cast_const());
                    store::<S, R, 1>(
                        simd,
                        to,
                        add::<S, R, 1>(simd, sum, mul::<S, R, 1>(simd, bar, at(g, *i))),
                    );
                }
            }
        }
    }
}

/// Are there all scales that the rule reads?
fn fits<R>(rule: &Products<R>, size: usize, scales: &[R]) -> bool {
    rule.terms.iter().all(|term| match term.factor {
        Factor::Scale(k) => scales.len() >= (k + 1) * size,
        Factor::One | Factor::Constant(_) => true,
    })
}
