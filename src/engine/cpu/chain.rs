//! The chain rule on a block: all jet channels of y = f(z) from the slopes of f, and its reverse.
//!
//! A block holds its channels one after the other, each an array of `points × width` numbers.
//! This file knows the chain rule; it knows no activation, no equation and no weights.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use super::carried::Carried;
use crate::expr::{Binary, Graph, Node, NodeId};
use crate::jet::{ChainRule, JetSet};
use crate::simd::Real;

/// A chain rule laid out for the kernels.
pub(in crate::engine) struct Plan<R> {
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
pub(in crate::engine) struct Term<R> {
    pub(in crate::engine) channel: usize,
    pub(in crate::engine) factor: Factor<R>,
    pub(in crate::engine) channels: Vec<usize>,
}

/// What a product of the chain rule is multiplied with.
#[derive(Clone, Copy)]
pub(in crate::engine) enum Factor<R> {
    One,
    Constant(R),
    /// A number for each point, which every neuron of it sees: an array as long as a channel, one of [`Forward::scales`].
    Scale(usize),
}

/// Coefficients that depend on the point, each of them once.
#[derive(Default)]
pub(in crate::engine) struct Scales(pub(in crate::engine) Vec<NodeId>);

impl Scales {
    /// `multiple·coefficient` as a factor, which joins the scales if it depends on the point.
    pub(super) fn factor<R: Real>(
        &mut self,
        graph: &mut Graph,
        multiple: f64,
        coefficient: NodeId,
    ) -> Factor<R> {
        let multiple = graph.constant(multiple);
        let coefficient = graph.binary(Binary::Mul, multiple, coefficient);
        match graph.node(coefficient) {
            Node::Constant(1.0) => Factor::One,
            Node::Constant(c) => Factor::Constant(R::from_f64(c)),
            _ => {
                let known = self.0.iter().position(|&scale| scale == coefficient);
                Factor::Scale(known.unwrap_or_else(|| {
                    self.0.push(coefficient);
                    self.0.len() - 1
                }))
            }
        }
    }
}

impl<R: Real> Factor<R> {
    /// `x` times the factor at `place` of a channel of length `size`.
    ///
    /// # Safety
    /// A scale's array is readable for `U` registers at `place`.
    #[inline(always)]
    pub(super) unsafe fn times<S: Simd, const U: usize>(
        self,
        simd: S,
        scales: *const R,
        size: usize,
        place: usize,
        x: [R::Vector<S>; U],
    ) -> [R::Vector<S>; U] {
        match self {
            Self::One => x,
            Self::Constant(c) => mul::<S, R, U>(simd, [R::splat(simd, c); U], x),
            // SAFETY: as the caller promises.
            Self::Scale(k) => mul::<S, R, U>(simd, unsafe { load(simd, scales.add(k * size + place)) }, x),
        }
    }
}

impl<R: Real> Plan<R> {
    /// The rule for the channels of `carried`, which stand for sums over the derivatives `full`; coefficients that depend
    /// on the point join `scales`.
    pub(in crate::engine) fn new(carried: &mut Carried, full: &JetSet, scales: &mut Scales) -> Self {
        let rule = ChainRule::new(full);
        let jets = carried.jets.clone();
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
                    let factor = scales.factor(&mut carried.formula.graph, term.coefficient, coefficient);
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
        plan.scales = scales.0.len();
        plan
    }

    pub(in crate::engine) fn channels(&self) -> usize {
        self.channels
    }

    /// All terms of channels 1, 2, ….
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn terms(&self) -> &[Term<R>] {
        &self.terms
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
    fn call(mut self) {
        let Self { plan, size, slopes, scales, z, y, .. } = &self;
        assert!(size.is_multiple_of(R::lanes::<S>()) && slopes.len() >= plan.order * size);
        assert!(z.len() >= plan.channels * size && y.len() >= plan.channels * size);
        assert!(scales.len() >= plan.scales * size);
        // Several registers at once, so that reading the plan costs little.
        if S::REGISTER_COUNT >= 32 {
            self.registers_by::<4>();
        } else {
            self.registers_by::<2>();
        }
    }
}

impl<R: Real, S: Simd> Forward<'_, R, S> {
    /// All registers of a channel, `U` at once as far as they go.
    #[inline(always)]
    fn registers_by<const U: usize>(&mut self) {
        let lanes = R::lanes::<S>();
        let whole = self.size / (U * lanes) * (U * lanes);
        // SAFETY: `U` registers at a place below `whole`, and one at a place below the size, end within a channel.
        unsafe {
            for place in (0..whole).step_by(U * lanes) {
                self.registers::<U>(place);
            }
            for place in (whole..self.size).step_by(lanes) {
                self.registers::<1>(place);
            }
        }
    }

    /// `U` registers at `place` of every channel.
    ///
    /// # Safety
    /// They end within a channel, and the buffers are as long as [`Forward::call`] asks.
    #[inline(always)]
    unsafe fn registers<const U: usize>(&mut self, place: usize) {
        let Self { simd, plan, size, .. } = *self;
        let (slopes, scales) = (self.slopes.as_ptr(), self.scales.as_ptr());
        let (z, y) = (self.z.as_ptr(), self.y.as_mut_ptr());
        // SAFETY: as the caller promises; channels in the plan are below `channels`, its scales below `scales` and slopes
        // at most as many as [`Forward::call`] asks for.
        unsafe {
            let z = |c: usize| load::<S, R, U>(simd, z.add(c * size + place));
            let slope = |k: usize| load::<S, R, U>(simd, slopes.add((k - 1) * size + place));
            let set = |c: usize, value| store::<S, R, U>(simd, y.add(c * size + place), value);
            if plan.order > 2 {
                let mut sum = [R::splat(simd, R::default()); U];
                for (t, term) in plan.terms.iter().enumerate() {
                    let slope = slope(term.channels.len());
                    let mut product = term.factor.times(simd, scales, size, place, slope);
                    for &i in &term.channels {
                        product = mul::<S, R, U>(simd, product, z(i));
                    }
                    sum = add::<S, R, U>(simd, sum, product);
                    if plan.terms.get(t + 1).is_none_or(|next| next.channel != term.channel) {
                        set(term.channel, sum);
                        sum = [R::splat(simd, R::default()); U];
                    }
                }
            } else if plan.order > 0 {
                let first = slope(1);
                for i in 1..=plan.firsts {
                    set(i, mul::<S, R, U>(simd, first, z(i)));
                }
                if plan.order == 2 {
                    let second = slope(2);
                    for (s, products) in (1 + plan.firsts..).zip(&plan.seconds) {
                        let mut sum = mul::<S, R, U>(simd, first, z(s));
                        for &Product { factor, channels: [i, j] } in products {
                            let product = mul::<S, R, U>(simd, z(i), z(j));
                            let product = factor.times(simd, scales, size, place, product);
                            sum = mul_add::<S, R, U>(simd, product, second, sum);
                        }
                        set(s, sum);
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
    fn call(mut self) {
        let Self { plan, size, slopes, scales, z, y_bar, z_bar, .. } = &self;
        let length = plan.channels * size;
        assert!(size.is_multiple_of(R::lanes::<S>()) && slopes.len() >= (plan.order + 1) * size);
        assert!(z.len() >= length && y_bar.len() >= length && z_bar.len() >= length);
        assert!(scales.len() >= plan.scales * size);
        // Several registers at once, so that reading the plan costs little.
        if S::REGISTER_COUNT >= 32 {
            self.registers_by::<4>();
        } else {
            self.registers_by::<2>();
        }
    }
}

impl<R: Real, S: Simd> Backward<'_, R, S> {
    /// All registers of a channel, `U` at once as far as they go.
    #[inline(always)]
    fn registers_by<const U: usize>(&mut self) {
        let lanes = R::lanes::<S>();
        let whole = self.size / (U * lanes) * (U * lanes);
        // SAFETY: `U` registers at a place below `whole`, and one at a place below the size, end within a channel.
        unsafe {
            for place in (0..whole).step_by(U * lanes) {
                self.registers::<U>(place);
            }
            for place in (whole..self.size).step_by(lanes) {
                self.registers::<1>(place);
            }
        }
    }

    /// `U` registers at `place` of every channel.
    ///
    /// # Safety
    /// They end within a channel, and the buffers are as long as [`Backward::call`] asks.
    #[inline(always)]
    unsafe fn registers<const U: usize>(&mut self, place: usize) {
        let Self { simd, plan, size, .. } = *self;
        let (slopes, scales) = (self.slopes.as_ptr(), self.scales.as_ptr());
        let (z, y_bar) = (self.z.as_ptr(), self.y_bar.as_ptr());
        let z_bar = self.z_bar.as_mut_ptr();
        // SAFETY: as the caller promises; channels in the plan are below `channels`, its scales below `scales` and slopes
        // at most as many as [`Backward::call`] asks for.
        unsafe {
            let z = |c: usize| load::<S, R, U>(simd, z.add(c * size + place));
            let bar = |c: usize| load::<S, R, U>(simd, y_bar.add(c * size + place));
            let slope = |k: usize| load::<S, R, U>(simd, slopes.add((k - 1) * size + place));
            let set = |c: usize, value| store::<S, R, U>(simd, z_bar.add(c * size + place), value);
            let get = |c: usize| load::<S, R, U>(simd, z_bar.add(c * size + place).cast_const());
            let first = slope(1);
            let mut value_bar = mul::<S, R, U>(simd, first, bar(0));
            if plan.order > 2 {
                for channel in 1..plan.channels {
                    set(channel, [R::splat(simd, R::default()); U]);
                }
                for term in &plan.terms {
                    let factors = &term.channels;
                    let bar = term.factor.times(simd, scales, size, place, bar(term.channel));
                    let outer = mul::<S, R, U>(simd, bar, slope(factors.len()));
                    let mut whole = bar;
                    for (f, &i) in factors.iter().enumerate() {
                        whole = mul::<S, R, U>(simd, whole, z(i));
                        let mut others = outer;
                        for (g, &j) in factors.iter().enumerate() {
                            if f != g {
                                others = mul::<S, R, U>(simd, others, z(j));
                            }
                        }
                        set(i, add::<S, R, U>(simd, get(i), others));
                    }
                    value_bar = mul_add::<S, R, U>(simd, whole, slope(factors.len() + 1), value_bar);
                }
            } else if plan.order > 0 {
                let second = slope(2);
                for i in 1..=plan.firsts {
                    let bar = bar(i);
                    value_bar = mul_add::<S, R, U>(simd, mul::<S, R, U>(simd, second, z(i)), bar, value_bar);
                    set(i, mul::<S, R, U>(simd, first, bar));
                }
                if plan.order == 2 {
                    let third = slope(3);
                    for (s, products) in (1 + plan.firsts..).zip(&plan.seconds) {
                        let bar = bar(s);
                        let mut inner = mul::<S, R, U>(simd, second, z(s));
                        let outer = mul::<S, R, U>(simd, second, bar);
                        for &Product { factor, channels: [i, j] } in products {
                            let (zi, zj) = (z(i), z(j));
                            let curve = factor.times(simd, scales, size, place, mul::<S, R, U>(simd, zi, zj));
                            inner = mul_add::<S, R, U>(simd, curve, third, inner);
                            let outer = factor.times(simd, scales, size, place, outer);
                            set(i, mul_add::<S, R, U>(simd, outer, zj, get(i)));
                            set(j, mul_add::<S, R, U>(simd, outer, zi, get(j)));
                        }
                        value_bar = mul_add::<S, R, U>(simd, inner, bar, value_bar);
                        set(s, mul::<S, R, U>(simd, first, bar));
                    }
                }
            }
            set(0, value_bar);
        }
    }
}

/// `U` registers.
///
/// # Safety
/// `pointer` is readable for as many numbers.
#[inline(always)]
pub(super) unsafe fn load<S: Simd, R: Real, const U: usize>(simd: S, pointer: *const R) -> [R::Vector<S>; U] {
    let mut x = [R::splat(simd, R::default()); U];
    for u in 0..U {
        // SAFETY: as the caller promises.
        x[u] = unsafe { R::load(simd, pointer.add(u * R::lanes::<S>())) };
    }
    x
}

/// Writes `U` registers.
///
/// # Safety
/// `pointer` is writable for as many numbers.
#[inline(always)]
pub(super) unsafe fn store<S: Simd, R: Real, const U: usize>(simd: S, pointer: *mut R, x: [R::Vector<S>; U]) {
    for u in 0..U {
        // SAFETY: as the caller promises.
        unsafe { R::store(simd, pointer.add(u * R::lanes::<S>()), x[u]) };
    }
}

/// `a + b`
#[inline(always)]
pub(super) fn add<S: Simd, R: Real, const U: usize>(
    simd: S,
    mut a: [R::Vector<S>; U],
    b: [R::Vector<S>; U],
) -> [R::Vector<S>; U] {
    for u in 0..U {
        a[u] = R::add(simd, a[u], b[u]);
    }
    a
}

/// `a·b`
#[inline(always)]
pub(super) fn mul<S: Simd, R: Real, const U: usize>(
    simd: S,
    mut a: [R::Vector<S>; U],
    b: [R::Vector<S>; U],
) -> [R::Vector<S>; U] {
    for u in 0..U {
        a[u] = R::mul(simd, a[u], b[u]);
    }
    a
}

/// `a·b + c`
#[inline(always)]
pub(super) fn mul_add<S: Simd, R: Real, const U: usize>(
    simd: S,
    mut a: [R::Vector<S>; U],
    b: [R::Vector<S>; U],
    c: [R::Vector<S>; U],
) -> [R::Vector<S>; U] {
    for u in 0..U {
        a[u] = R::mul_add(simd, a[u], b[u], c[u]);
    }
    a
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
