//! The chain rule on a block: all jet channels of y = f(z) from the slopes of f, and its reverse.
//!
//! A block holds its channels one after the other, each an array of `points × width` numbers.
//! This file knows the chain rule; it knows no activation, no equation and no weights.

use pulp::{NullaryFnOnce, Simd};

use super::carried::Carried;
use crate::expr::{Binary, Node, NodeId};
use crate::jet::{ChainRule, JetSet};
use crate::simd::Real;

/// A chain rule laid out for the kernels.
pub(super) struct Plan<R> {
    channels: usize,
    order: usize,
    /// How many first derivatives; they are channels 1, 2, ….
    firsts: usize,
    /// For every channel of order two, which follow: what is multiplied with f″.
    seconds: Vec<Vec<Product<R>>>,
    /// How many coefficients depend on the point.
    scales: usize,
    /// All terms, for rules of higher order.
    terms: Vec<Term<R>>,
}

/// `factor · z_i · z_j`
struct Product<R> {
    factor: Factor<R>,
    channels: [usize; 2],
}

/// `factor · f⁽ᵏ⁾ · Π channels` is part of `channel`.
struct Term<R> {
    channel: usize,
    factor: Factor<R>,
    channels: Vec<usize>,
}

/// What a product of the chain rule is multiplied with.
#[derive(Clone, Copy)]
enum Factor<R> {
    One,
    Constant(R),
    /// A number for each point, which every neuron of it sees: an array as long as a channel, one of [`Forward::scales`].
    Scale(usize),
}

impl<R: Real> Factor<R> {
    /// `x` times the factor at `place` of a channel of length `size`.
    ///
    /// # Safety
    /// A scale's array is readable for a register at `place`.
    #[inline(always)]
    unsafe fn times<S: Simd>(
        self,
        simd: S,
        scales: *const R,
        size: usize,
        place: usize,
        x: R::Vector<S>,
    ) -> R::Vector<S> {
        match self {
            Self::One => x,
            Self::Constant(c) => R::mul(simd, R::splat(simd, c), x),
            // SAFETY: as the caller promises.
            Self::Scale(k) => R::mul(simd, unsafe { R::load(simd, scales.add(k * size + place)) }, x),
        }
    }
}

impl<R: Real> Plan<R> {
    /// The rule for the channels of `carried`, which stand for sums over the derivatives `full`; and the coefficients
    /// that depend on the point, in the order of the scales.
    pub(super) fn new(carried: &mut Carried, full: &JetSet) -> (Self, Vec<NodeId>) {
        let rule = ChainRule::new(full);
        let jets = carried.jets.clone();
        let mut scales: Vec<NodeId> = vec![];
        let mut plan = Self {
            channels: jets.channels(),
            order: rule.order(),
            firsts: jets.indices().iter().filter(|index| index.order() == 1).count(),
            seconds: vec![],
            scales: 0,
            terms: vec![],
        };
        for (channel, &index) in jets.indices().iter().enumerate().skip(1) {
            // f′ times the channel itself, whatever it is the sum of; and the products of what lies below its parts.
            plan.terms.push(Term { channel, factor: Factor::One, channels: vec![channel] });
            let mut products = vec![];
            for (part, coefficient) in carried.parts(index) {
                let part = full.channel(part).expect("an operator's part is a derivative");
                for term in rule.terms(part).iter().filter(|term| term.factors.len() > 1) {
                    let graph = &mut carried.formula.graph;
                    let multiple = graph.constant(term.coefficient);
                    let coefficient = graph.binary(Binary::Mul, multiple, coefficient);
                    let factor = match graph.node(coefficient) {
                        Node::Constant(1.0) => Factor::One,
                        Node::Constant(c) => Factor::Constant(R::from_f64(c)),
                        _ => {
                            let known = scales.iter().position(|&scale| scale == coefficient);
                            Factor::Scale(known.unwrap_or(scales.len()))
                        }
                    };
                    if matches!(factor, Factor::Scale(k) if k == scales.len()) {
                        scales.push(coefficient);
                    }
                    let below = |&i: &usize| jets.channel(full.indices()[i]).expect("all below is carried");
                    let channels: Vec<_> = term.factors.iter().map(below).collect();
                    if let [i, j] = channels[..] {
                        products.push(Product { factor, channels: [i, j] });
                    }
                    plan.terms.push(Term { channel, factor, channels });
                }
            }
            if index.order() == 2 {
                plan.seconds.push(products);
            }
        }
        plan.scales = scales.len();
        (plan, scales)
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
    /// The plan's scales, each as long as a channel.
    pub(super) scales: &'a [R],
    pub(super) z: &'a [R],
    pub(super) y: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Forward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, plan, size, slopes, scales, z, y } = self;
        assert!(size.is_multiple_of(R::lanes::<S>()) && slopes.len() >= plan.order * size);
        assert!(z.len() >= plan.channels * size && y.len() >= plan.channels * size);
        assert!(scales.len() >= plan.scales * size);
        let (slopes, scales, z, y) = (slopes.as_ptr(), scales.as_ptr(), z.as_ptr(), y.as_mut_ptr());
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` of a channel ends within that channel; channels in the plan are below
            // `channels`, its scales below `scales` and slopes below `order`, which the assertions above keep inside
            // the buffers.
            unsafe {
                let z = |c: usize| R::load(simd, z.add(c * size + place));
                let slope = |k: usize| R::load(simd, slopes.add((k - 1) * size + place));
                let set = |c: usize, value| R::store(simd, y.add(c * size + place), value);
                if plan.order > 2 {
                    let mut sum = R::splat(simd, R::default());
                    for (t, term) in plan.terms.iter().enumerate() {
                        let slope = slope(term.channels.len());
                        let mut product = term.factor.times(simd, scales, size, place, slope);
                        for &i in &term.channels {
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
                        for (s, products) in (1 + plan.firsts..).zip(&plan.seconds) {
                            let mut sum = R::mul(simd, first, z(s));
                            for &Product { factor, channels: [i, j] } in products {
                                let product = R::mul(simd, z(i), z(j));
                                let product = factor.times(simd, scales, size, place, product);
                                sum = R::mul_add(simd, product, second, sum);
                            }
                            set(s, sum);
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
    /// The plan's scales, each as long as a channel.
    pub(super) scales: &'a [R],
    pub(super) z: &'a [R],
    pub(super) y_bar: &'a [R],
    pub(super) z_bar: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Backward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, plan, size, slopes, scales, z, y_bar, z_bar } = self;
        let length = plan.channels * size;
        assert!(size.is_multiple_of(R::lanes::<S>()) && slopes.len() >= (plan.order + 1) * size);
        assert!(z.len() >= length && y_bar.len() >= length && z_bar.len() >= length);
        assert!(scales.len() >= plan.scales * size);
        let (slopes, scales) = (slopes.as_ptr(), scales.as_ptr());
        let (z, y_bar) = (z.as_ptr(), y_bar.as_ptr());
        let z_bar = z_bar.as_mut_ptr();
        for place in (0..size).step_by(R::lanes::<S>()) {
            // SAFETY: a register at `place` of a channel ends within that channel; channels in the plan are below
            // `channels`, its scales below `scales` and slopes at most `order + 1`, which the assertions above keep
            // inside the buffers.
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
                        let factors = &term.channels;
                        let bar = term.factor.times(simd, scales, size, place, bar(term.channel));
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
                        for (s, products) in (1 + plan.firsts..).zip(&plan.seconds) {
                            let bar = bar(s);
                            let mut inner = R::mul(simd, second, z(s));
                            let outer = R::mul(simd, second, bar);
                            for &Product { factor, channels: [i, j] } in products {
                                let (zi, zj) = (z(i), z(j));
                                let curve = factor.times(simd, scales, size, place, R::mul(simd, zi, zj));
                                inner = R::mul_add(simd, curve, third, inner);
                                let outer = factor.times(simd, scales, size, place, outer);
                                set(i, R::mul_add(simd, outer, zj, get(i)));
                                set(j, R::mul_add(simd, outer, zi, get(j)));
                            }
                            value_bar = R::mul_add(simd, inner, bar, value_bar);
                            set(s, R::mul(simd, first, bar));
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
