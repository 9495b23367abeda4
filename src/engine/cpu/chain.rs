//! The chain rule on a block: all jet channels of y = f(z) from the slopes of f, and its reverse.
//!
//! A block holds its channels one after the other, each an array of `points × width` numbers.
//! This file knows the chain rule; it knows no activation, no equation and no weights.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use crate::jet::ChainRule;
use crate::simd::Real;

/// A chain rule laid out for the kernels.
pub(super) struct Plan<R> {
    channels: usize,
    order: usize,
    /// How many first derivatives; they are channels 1, 2, ….
    firsts: usize,
    /// For every second derivative, which follow, the channels of the two first derivatives it comes from.
    seconds: Vec<[usize; 2]>,
    /// All terms, for rules of higher order.
    terms: Vec<Term<R>>,
}

/// `coefficient · f⁽ᵏ⁾ · Π factors` is part of `channel`.
struct Term<R> {
    channel: usize,
    coefficient: R,
    factors: Vec<usize>,
}

impl<R: Real> Plan<R> {
    pub(super) fn new(rule: &ChainRule) -> Self {
        let (mut firsts, mut seconds, mut terms) = (0, vec![], vec![]);
        for channel in 1..rule.channels() {
            for term in rule.terms(channel) {
                let factors = term.factors.clone();
                terms.push(Term { channel, coefficient: R::from_f64(term.coefficient), factors });
            }
            match rule.terms(channel) {
                [_] => firsts += 1,
                [_, product] => seconds.push([product.factors[0], product.factors[1]]),
                _ => {}
            }
        }
        Self { channels: rule.channels(), order: rule.order(), firsts, seconds, terms }
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Slopes of f that the way forward needs; the way back needs one more.
    pub(super) fn order(&self) -> usize {
        self.order
    }
}

/// Channels 1, 2, … of y from those of z and from `order` slopes; channel 0 is the activation's own affair.
pub(super) struct Forward<'a, R, S> {
    pub(super) simd: S,
    pub(super) plan: &'a Plan<R>,
    /// Length of a channel: points × width.
    pub(super) size: usize,
    pub(super) slopes: &'a [R],
    pub(super) z: &'a [R],
    pub(super) y: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Forward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, plan, size, slopes, z, y } = self;
        assert!(size.is_multiple_of(R::lanes::<S>()) && slopes.len() >= plan.order * size);
        assert!(z.len() >= plan.channels * size && y.len() >= plan.channels * size);
        let (slopes, z, y) = (slopes.as_ptr(), z.as_ptr(), y.as_mut_ptr());
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` of a channel ends within that channel; channels in the plan are below
            // `channels` and slopes below `order`, which the assertions above keep inside the buffers.
            unsafe {
                let z = |c: usize| R::load(simd, z.add(c * size + place));
                let slope = |k: usize| R::load(simd, slopes.add((k - 1) * size + place));
                let set = |c: usize, value| R::store(simd, y.add(c * size + place), value);
                if plan.order > 2 {
                    let mut sum = R::splat(simd, R::default());
                    for (t, term) in plan.terms.iter().enumerate() {
                        let coefficient = R::splat(simd, term.coefficient);
                        let mut product = R::mul(simd, coefficient, slope(term.factors.len()));
                        for &i in &term.factors {
                            product = R::mul(simd, product, z(i));
                        }
                        sum = R::add(simd, sum, product);
                        if plan.terms.get(t + 1).is_none_or(|next| next.channel != term.channel) {
                            set(term.channel, sum);
                            sum = R::splat(simd, R::default());
                        }
                    }
                } else if plan.order > 0 {
                    let first = slope(1);
                    for i in 1..=plan.firsts {
                        set(i, R::mul(simd, first, z(i)));
                    }
                    if plan.order == 2 {
                        let second = slope(2);
                        for (s, &[i, j]) in (1 + plan.firsts..).zip(&plan.seconds) {
                            let curved = R::mul(simd, R::mul(simd, z(i), z(j)), second);
                            set(s, R::mul_add(simd, first, z(s), curved));
                        }
                    }
                }
            }
        }
    }
}

/// From the adjoint of y to the adjoint of z on all channels, from `order + 1` slopes.
pub(super) struct Backward<'a, R, S> {
    pub(super) simd: S,
    pub(super) plan: &'a Plan<R>,
    /// Length of a channel: points × width.
    pub(super) size: usize,
    pub(super) slopes: &'a [R],
    pub(super) z: &'a [R],
    pub(super) y_bar: &'a [R],
    pub(super) z_bar: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Backward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, plan, size, slopes, z, y_bar, z_bar } = self;
        let length = plan.channels * size;
        assert!(size.is_multiple_of(R::lanes::<S>()) && slopes.len() >= (plan.order + 1) * size);
        assert!(z.len() >= length && y_bar.len() >= length && z_bar.len() >= length);
        let (slopes, z, y_bar) = (slopes.as_ptr(), z.as_ptr(), y_bar.as_ptr());
        let z_bar = z_bar.as_mut_ptr();
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` of a channel ends within that channel; channels in the plan are below
            // `channels` and slopes at most `order + 1`, which the assertions above keep inside the buffers.
            unsafe {
                let z = |c: usize| R::load(simd, z.add(c * size + place));
                let bar = |c: usize| R::load(simd, y_bar.add(c * size + place));
                let slope = |k: usize| R::load(simd, slopes.add((k - 1) * size + place));
                let set = |c: usize, value| R::store(simd, z_bar.add(c * size + place), value);
                let get = |c: usize| R::load(simd, z_bar.add(c * size + place).cast_const());
                let first = slope(1);
                let mut value_bar = R::mul(simd, first, bar(0));
                if plan.order > 2 {
                    for channel in 1..plan.channels {
                        set(channel, R::splat(simd, R::default()));
                    }
                    for term in &plan.terms {
                        let factors = &term.factors;
                        let bar = R::mul(simd, R::splat(simd, term.coefficient), bar(term.channel));
                        let outer = R::mul(simd, bar, slope(factors.len()));
                        let mut whole = bar;
                        for (f, &i) in factors.iter().enumerate() {
                            whole = R::mul(simd, whole, z(i));
                            let mut others = outer;
                            for (g, &j) in factors.iter().enumerate() {
                                if f != g {
                                    others = R::mul(simd, others, z(j));
                                }
                            }
                            set(i, R::add(simd, get(i), others));
                        }
                        value_bar = R::mul_add(simd, whole, slope(factors.len() + 1), value_bar);
                    }
                } else if plan.order > 0 {
                    let second = slope(2);
                    for i in 1..=plan.firsts {
                        let bar = bar(i);
                        value_bar = R::mul_add(simd, R::mul(simd, second, z(i)), bar, value_bar);
                        set(i, R::mul(simd, first, bar));
                    }
                    if plan.order == 2 {
                        let third = slope(3);
                        for (s, &[i, j]) in (1 + plan.firsts..).zip(&plan.seconds) {
                            let (bar, zi, zj) = (bar(s), z(i), z(j));
                            let curve = R::mul(simd, R::mul(simd, zi, zj), third);
                            let inner = R::mul_add(simd, second, z(s), curve);
                            value_bar = R::mul_add(simd, inner, bar, value_bar);
                            set(s, R::mul(simd, first, bar));
                            let factor = R::mul(simd, second, bar);
                            set(i, R::mul_add(simd, factor, zj, get(i)));
                            set(j, R::mul_add(simd, factor, zi, get(j)));
                        }
                    }
                }
                set(0, value_bar);
            }
        }
    }
}

/// Adds every row of `rows` (as long as `sum`) to `sum`.
pub(super) struct AddRows<'a, R, S> {
    pub(super) simd: S,
    pub(super) rows: &'a [R],
    pub(super) sum: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for AddRows<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rows, sum } = self;
        let width = sum.len();
        assert!(width.is_multiple_of(R::lanes::<S>()) && rows.len().is_multiple_of(width));
        for column in (0..width).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `column` ends within the width, and rows are whole.
            unsafe {
                let place = sum.as_mut_ptr().add(column);
                let mut total = R::load(simd, place);
                for row in (0..rows.len()).step_by(width) {
                    total = R::add(simd, total, R::load(simd, rows.as_ptr().add(row + column)));
                }
                R::store(simd, place, total);
            }
        }
    }
}
