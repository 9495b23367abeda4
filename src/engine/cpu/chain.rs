//! A hidden layer's activation, applied to all jet channels of a block in one pass, and its reverse.
//!
//! A block holds its channels one after the other: row `c·points + p` is channel `c` of point `p`.
//! This file knows the chain rule and activations; it knows no equation and no weights.

use pulp::{NullaryFnOnce, Simd};

use crate::activation::Kernel;
use crate::jet::ChainRule;
use crate::simd::Real;

/// A number of channels that is not known when the kernel is compiled.
const ANY: usize = usize::MAX;

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
}

/// `z += bias` on the value channel, then `y = f(z)` on all channels.
pub(super) struct Forward<'a, R, S, K> {
    pub(super) simd: S,
    pub(super) kernel: K,
    pub(super) plan: &'a Plan<R>,
    pub(super) points: usize,
    pub(super) width: usize,
    pub(super) bias: &'a [R],
    pub(super) z: &'a mut [R],
    pub(super) y: &'a mut [R],
}

impl<R: Real, S: Simd, K: Kernel> NullaryFnOnce for Forward<'_, R, S, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let size = self.plan.channels * self.points * self.width;
        assert!(self.width.is_multiple_of(R::lanes::<S>()) && self.bias.len() >= self.width);
        assert!(self.z.len() >= size && self.y.len() >= size);
        // SAFETY: every access is a register at a row below `channels·points` and a column below `width`,
        // which the assertions above keep inside z, y and the bias; channels in the plan are below `channels`.
        unsafe {
            match (self.plan.order, self.plan.firsts, self.plan.seconds.len()) {
                (0, ..) => self.low::<1, 0, 0>(),
                (1, ..) => self.low::<1, ANY, 0>(),
                (2, 1, 1) => self.low::<2, 1, 1>(),
                (2, 2, 1) => self.low::<2, 2, 1>(),
                (2, 2, 2) => self.low::<2, 2, 2>(),
                (2, ..) => self.low::<2, ANY, ANY>(),
                (3, ..) => self.high::<3>(),
                _ => self.high::<4>(),
            }
        }
    }
}

impl<R: Real, S: Simd, K: Kernel> Forward<'_, R, S, K> {
    /// Orders up to two: `F` first and `G` second derivatives.
    #[inline(always)]
    unsafe fn low<const N: usize, const F: usize, const G: usize>(self) {
        let Self { simd, kernel, plan, points, width, bias, z, y } = self;
        let (z, y) = (z.as_mut_ptr(), y.as_mut_ptr());
        let step = points * width;
        let firsts = if F == ANY { plan.firsts } else { F };
        let seconds = if G == ANY { plan.seconds.len() } else { G };
        for column in (0..width).step_by(R::lanes::<S>()) {
            // SAFETY: see the caller.
            unsafe {
                let bias = R::load(simd, bias.as_ptr().add(column));
                for point in 0..points {
                    let place = point * width + column;
                    let (z, y) = (z.add(place), y.add(place));
                    let z0 = R::add(simd, R::load(simd, z), bias);
                    let y0 = kernel.value::<S, R>(simd, z0);
                    R::store(simd, z, z0);
                    R::store(simd, y, y0);
                    if firsts == 0 {
                        continue;
                    }
                    let slopes: [_; N] = kernel.slopes::<S, R, N>(simd, z0, y0);
                    for i in 1..=firsts {
                        let zi = R::load(simd, z.add(i * step));
                        R::store(simd, y.add(i * step), R::mul(simd, slopes[0], zi));
                    }
                    for g in 0..seconds {
                        let [i, j] = *plan.seconds.get_unchecked(g);
                        let s = (1 + firsts + g) * step;
                        let zi = R::load(simd, z.add(i * step));
                        let zj = R::load(simd, z.add(j * step));
                        let curved = R::mul(simd, R::mul(simd, zi, zj), slopes[N - 1]);
                        R::store(simd, y.add(s), R::mul_add(simd, slopes[0], R::load(simd, z.add(s)), curved));
                    }
                }
            }
        }
    }

    /// Any order, by the table of terms.
    #[inline(always)]
    unsafe fn high<const N: usize>(self) {
        let Self { simd, kernel, plan, points, width, bias, z, y } = self;
        let (z, y) = (z.as_mut_ptr(), y.as_mut_ptr());
        let step = points * width;
        for column in (0..width).step_by(R::lanes::<S>()) {
            // SAFETY: see the caller.
            unsafe {
                let bias = R::load(simd, bias.as_ptr().add(column));
                for point in 0..points {
                    let place = point * width + column;
                    let (z, y) = (z.add(place), y.add(place));
                    let z0 = R::add(simd, R::load(simd, z), bias);
                    let y0 = kernel.value::<S, R>(simd, z0);
                    R::store(simd, z, z0);
                    R::store(simd, y, y0);
                    let slopes: [_; N] = kernel.slopes::<S, R, N>(simd, z0, y0);
                    let mut sum = R::splat(simd, R::default());
                    for (t, term) in plan.terms.iter().enumerate() {
                        let mut product =
                            R::mul(simd, R::splat(simd, term.coefficient), slopes[term.factors.len() - 1]);
                        for &i in &term.factors {
                            product = R::mul(simd, product, R::load(simd, z.add(i * step)));
                        }
                        sum = R::add(simd, sum, product);
                        if plan.terms.get(t + 1).is_none_or(|next| next.channel != term.channel) {
                            R::store(simd, y.add(term.channel * step), sum);
                            sum = R::splat(simd, R::default());
                        }
                    }
                }
            }
        }
    }
}

/// From the adjoint of y to the adjoint of z, on all channels; adds the bias's gradient.
pub(super) struct Backward<'a, R, S, K> {
    pub(super) simd: S,
    pub(super) kernel: K,
    pub(super) plan: &'a Plan<R>,
    pub(super) points: usize,
    pub(super) width: usize,
    pub(super) z: &'a [R],
    pub(super) y: &'a [R],
    pub(super) y_bar: &'a [R],
    pub(super) z_bar: &'a mut [R],
    pub(super) bias_bar: &'a mut [R],
}

impl<R: Real, S: Simd, K: Kernel> NullaryFnOnce for Backward<'_, R, S, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let size = self.plan.channels * self.points * self.width;
        assert!(self.width.is_multiple_of(R::lanes::<S>()) && self.bias_bar.len() >= self.width);
        assert!(self.z.len() >= size && self.y.len() >= size);
        assert!(self.y_bar.len() >= size && self.z_bar.len() >= size);
        // SAFETY: every access is a register at a row below `channels·points` and a column below `width`,
        // which the assertions above keep inside the buffers; channels in the plan are below `channels`.
        unsafe {
            match (self.plan.order, self.plan.firsts, self.plan.seconds.len()) {
                (0, ..) => self.low::<1, 0, 0>(),
                (1, ..) => self.low::<2, ANY, 0>(),
                (2, 1, 1) => self.low::<3, 1, 1>(),
                (2, 2, 1) => self.low::<3, 2, 1>(),
                (2, 2, 2) => self.low::<3, 2, 2>(),
                (2, ..) => self.low::<3, ANY, ANY>(),
                (3, ..) => self.high::<4>(),
                _ => self.high::<5>(),
            }
        }
    }
}

impl<R: Real, S: Simd, K: Kernel> Backward<'_, R, S, K> {
    /// Orders up to two: `F` first and `G` second derivatives; `N` slopes, one more than the order.
    #[inline(always)]
    unsafe fn low<const N: usize, const F: usize, const G: usize>(self) {
        let Self { simd, kernel, plan, points, width, z, y, y_bar, z_bar, bias_bar } = self;
        let step = points * width;
        let firsts = if F == ANY { plan.firsts } else { F };
        let seconds = if G == ANY { plan.seconds.len() } else { G };
        for column in (0..width).step_by(R::lanes::<S>()) {
            // SAFETY: see the caller.
            unsafe {
                let bias_bar = bias_bar.as_mut_ptr().add(column);
                let mut bias_sum = R::load(simd, bias_bar);
                for point in 0..points {
                    let place = point * width + column;
                    let (z, y_bar) = (z.as_ptr().add(place), y_bar.as_ptr().add(place));
                    let z_bar = z_bar.as_mut_ptr().add(place);
                    let y0 = R::load(simd, y.as_ptr().add(place));
                    let slopes: [_; N] = kernel.slopes::<S, R, N>(simd, R::load(simd, z), y0);
                    let mut value_bar = R::mul(simd, slopes[0], R::load(simd, y_bar));
                    for i in 1..=firsts {
                        let bar = R::load(simd, y_bar.add(i * step));
                        let zi = R::load(simd, z.add(i * step));
                        value_bar = R::mul_add(simd, R::mul(simd, slopes[N.min(2) - 1], zi), bar, value_bar);
                        R::store(simd, z_bar.add(i * step), R::mul(simd, slopes[0], bar));
                    }
                    for g in 0..seconds {
                        let [i, j] = *plan.seconds.get_unchecked(g);
                        let s = (1 + firsts + g) * step;
                        let bar = R::load(simd, y_bar.add(s));
                        let zi = R::load(simd, z.add(i * step));
                        let zj = R::load(simd, z.add(j * step));
                        let curve = R::mul(simd, R::mul(simd, zi, zj), slopes[N - 1]);
                        let inner = R::mul_add(simd, slopes[N.min(2) - 1], R::load(simd, z.add(s)), curve);
                        value_bar = R::mul_add(simd, inner, bar, value_bar);
                        R::store(simd, z_bar.add(s), R::mul(simd, slopes[0], bar));
                        let factor = R::mul(simd, slopes[N.min(2) - 1], bar);
                        let zi_bar = R::load(simd, z_bar.add(i * step));
                        R::store(simd, z_bar.add(i * step), R::mul_add(simd, factor, zj, zi_bar));
                        let zj_bar = R::load(simd, z_bar.add(j * step));
                        R::store(simd, z_bar.add(j * step), R::mul_add(simd, factor, zi, zj_bar));
                    }
                    R::store(simd, z_bar, value_bar);
                    bias_sum = R::add(simd, bias_sum, value_bar);
                }
                R::store(simd, bias_bar, bias_sum);
            }
        }
    }

    /// Any order, by the table of terms; `N` slopes, one more than the order.
    #[inline(always)]
    unsafe fn high<const N: usize>(self) {
        let Self { simd, kernel, plan, points, width, z, y, y_bar, z_bar, bias_bar } = self;
        let step = points * width;
        for column in (0..width).step_by(R::lanes::<S>()) {
            // SAFETY: see the caller.
            unsafe {
                let bias_bar = bias_bar.as_mut_ptr().add(column);
                let mut bias_sum = R::load(simd, bias_bar);
                for point in 0..points {
                    let place = point * width + column;
                    let z = z.as_ptr().add(place);
                    let y_bar = y_bar.as_ptr().add(place);
                    let z_bar = z_bar.as_mut_ptr().add(place);
                    let slopes: [_; N] = kernel.slopes::<S, R, N>(
                        simd,
                        R::load(simd, z),
                        R::load(simd, y.as_ptr().add(place)),
                    );
                    let mut value_bar = R::mul(simd, slopes[0], R::load(simd, y_bar));
                    for channel in 1..plan.channels {
                        R::store(simd, z_bar.add(channel * step), R::splat(simd, R::default()));
                    }
                    for term in &plan.terms {
                        let factors = &term.factors;
                        let bar = R::mul(
                            simd,
                            R::splat(simd, term.coefficient),
                            R::load(simd, y_bar.add(term.channel * step)),
                        );
                        let slope = R::mul(simd, bar, slopes[factors.len() - 1]);
                        let mut whole = bar;
                        for (f, &i) in factors.iter().enumerate() {
                            whole = R::mul(simd, whole, R::load(simd, z.add(i * step)));
                            let mut others = slope;
                            for (g, &j) in factors.iter().enumerate() {
                                if f != g {
                                    others = R::mul(simd, others, R::load(simd, z.add(j * step)));
                                }
                            }
                            let place = z_bar.add(i * step);
                            R::store(simd, place, R::add(simd, R::load(simd, place), others));
                        }
                        value_bar = R::mul_add(simd, whole, slopes[factors.len()], value_bar);
                    }
                    R::store(simd, z_bar, value_bar);
                    bias_sum = R::add(simd, bias_sum, value_bar);
                }
                R::store(simd, bias_bar, bias_sum);
            }
        }
    }
}
