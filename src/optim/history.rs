//! Curvature pairs of the last steps, and the direction of L-BFGS from them in two passes.
//!
//! The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) reads every pair twice, one after the other, because each
//! scalar product is one with what the pairs before have left of the gradient.
//! But what is left is the gradient less a sum of changes y, so that its products follow from those of the gradient and of
//! pairs with one another (Chen, Wang and Zhou 2014).
//! The first pass takes the products of all s and y with the gradient and with the newest y; the recursion then runs on a
//! few numbers; the second pass adds up the direction.
//!
//! Vectors are shared out in chunks of a fixed length, whose sums are added in their order, so that bits do not depend on the
//! number of threads.

#![expect(unsafe_code, reason = "a kernel: registers are loaded by pointer")]

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use super::{State, dot, norm};
use crate::simd::Real;
use crate::team::Team;

/// Numbers of a chunk: a few of them stay in a core's first cache.
const CHUNK: usize = 1024;
/// Products of a pair that the first pass takes: s and y with the gradient, s and y with the newest y.
const PRODUCTS: usize = 4;

/// The pairs.
pub(super) struct History {
    n: usize,
    capacity: usize,
    arch: Arch,
    team: Arc<Team>,
    /// s and y, each `capacity × n`, used as rings.
    steps: Vec<f64>,
    changes: Vec<f64>,
    /// 1/(sᵀy) of every pair.
    inverse: Vec<f64>,
    /// sᵢᵀyⱼ of every pair i and every later one j, and yᵢᵀyⱼ, `capacity × capacity`.
    mixed: Vec<f64>,
    squares: Vec<f64>,
    /// How many pairs have ever been kept; the newest is at `(pairs − 1) mod capacity`.
    pairs: usize,
    /// How many of them still hold.
    kept: usize,
    /// Products of every chunk, pair by pair, and their sums.
    partials: Vec<f64>,
    products: Vec<[f64; PRODUCTS]>,
    /// What y and s are multiplied by in the direction, pair by pair.
    coefficients: Vec<[f64; 2]>,
    /// Slots of the pairs that hold, the newest first.
    order: Vec<usize>,
}

impl History {
    /// Room for `capacity` pairs of `n` numbers; `team` will compute.
    pub(super) fn new(capacity: usize, n: usize, team: &Arc<Team>) -> Self {
        Self {
            n,
            capacity,
            arch: Arch::new(),
            team: Arc::clone(team),
            steps: vec![0.0; capacity * n],
            changes: vec![0.0; capacity * n],
            inverse: vec![0.0; capacity],
            mixed: vec![0.0; capacity * capacity],
            squares: vec![0.0; capacity * capacity],
            pairs: 0,
            kept: 0,
            partials: vec![0.0; n.div_ceil(CHUNK) * capacity * PRODUCTS],
            products: vec![[0.0; PRODUCTS]; capacity],
            coefficients: vec![[0.0; 2]; capacity],
            order: Vec::with_capacity(capacity),
        }
    }

    /// Does no pair hold?
    pub(super) fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// No pair holds any more.
    pub(super) fn forget(&mut self) {
        self.kept = 0;
    }

    /// Keeps the pair of a step from `theta` to `new_theta`, if its curvature is safely positive.
    pub(super) fn remember(
        &mut self,
        [theta, new_theta]: [&[f64]; 2],
        [gradient, new_gradient]: [&[f64]; 2],
    ) {
        let slot = self.pairs % self.capacity;
        let s = &mut self.steps[slot * self.n..][..self.n];
        let y = &mut self.changes[slot * self.n..][..self.n];
        for i in 0..s.len() {
            s[i] = new_theta[i] - theta[i];
            y[i] = new_gradient[i] - gradient[i];
        }
        let curvature = dot(s, y);
        if curvature.is_finite() && curvature > f64::EPSILON * norm(s) * norm(y) {
            self.inverse[slot] = 1.0 / curvature;
            self.pairs += 1;
            self.kept = (self.kept + 1).min(self.capacity);
        } else if self.kept == self.capacity {
            // The slot's old pair has been overwritten.
            self.kept -= 1;
        }
    }

    /// `direction = −H·gradient`
    pub(super) fn set_direction(&mut self, gradient: &[f64], direction: &mut [f64]) {
        let Some(newest) = self.slots().next() else {
            direction.iter_mut().zip(gradient).for_each(|(d, g)| *d = -g);
            return;
        };
        self.take_products(newest, gradient);
        let scale = self.set_coefficients(newest);
        let Self { n, arch, team, steps, changes, coefficients, .. } = &*self;
        let pairs = || {
            self.slots()
                .map(|slot| (&changes[slot * n..][..*n], &steps[slot * n..][..*n], coefficients[slot]))
        };
        let chunks = direction.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
        team.share(chunks.enumerate(), |_, (chunk, (direction, gradient))| {
            direction.iter_mut().zip(gradient).for_each(|(d, g)| *d = -scale * g);
            for (y, s, [of_y, of_s]) in pairs() {
                let [y, s] = [y, s].map(|x| &x[chunk * CHUNK..][..direction.len()]);
                arch.dispatch(|| add_both(direction, [of_y, of_s], [y, s]));
            }
        });
    }

    /// Slots of the pairs that hold, the newest first.
    fn slots(&self) -> impl DoubleEndedIterator<Item = usize> + Clone + use<> {
        let (pairs, capacity) = (self.pairs, self.capacity);
        (0..self.kept).map(move |back| (pairs - 1 - back) % capacity)
    }

    /// The first pass: sets `products`, and from them what the newest pair has in common with the others.
    fn take_products(&mut self, newest: usize, gradient: &[f64]) {
        let slots = self.slots();
        let Self { n, capacity, arch, team, steps, changes, partials, products, .. } = self;
        let (n, arch) = (*n, *arch);
        let vectors = |slot: usize| (&steps[slot * n..][..n], &changes[slot * n..][..n]);
        let (_, change) = vectors(newest);
        let room = partials.chunks_exact_mut(*capacity * PRODUCTS).enumerate();
        team.share(room, |_, (chunk, sums)| {
            let part = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
            let right = [&gradient[part.clone()], &change[part.clone()]];
            for slot in slots.clone() {
                let (s, y) = vectors(slot);
                let left = [&s[part.clone()], &y[part.clone()]];
                sums[slot * PRODUCTS..][..PRODUCTS].copy_from_slice(&arch.dispatch(Products { left, right }));
            }
        });
        for slot in slots.clone() {
            let chunks = partials.chunks_exact(*capacity * PRODUCTS);
            let own = chunks.map(|sums| &sums[slot * PRODUCTS..][..PRODUCTS]);
            products[slot] = own.fold([0.0; PRODUCTS], |sum, part| std::array::from_fn(|k| sum[k] + part[k]));
        }
        for slot in slots {
            let [_, _, with_step, with_change] = self.products[slot];
            self.mixed[slot * self.capacity + newest] = with_step;
            self.squares[slot * self.capacity + newest] = with_change;
            self.squares[newest * self.capacity + slot] = with_change;
        }
    }

    /// The recursion on coefficients: the direction is what the gradient is multiplied by, which is returned with its sign
    /// changed, and `coefficients`.
    ///
    /// Going back, what is left is q = −g − Σ αⱼyⱼ over later pairs j, and αᵢ = sᵢᵀq/(sᵢᵀyᵢ).
    /// Going forth, the direction is γq + Σ cⱼsⱼ over earlier pairs j, and cᵢ = αᵢ less its product with yᵢ over sᵢᵀyᵢ.
    fn set_coefficients(&mut self, newest: usize) -> f64 {
        self.order.clear();
        self.order.extend(self.slots());
        let Self { capacity, inverse, mixed, squares, products, coefficients, order, .. } = self;
        let m = *capacity;
        // α first, −γα at the end.
        for (age, &i) in order.iter().enumerate() {
            let left: f64 = order[..age].iter().map(|&j| coefficients[j][0] * mixed[i * m + j]).sum();
            coefficients[i][0] = inverse[i] * (-products[i][0] - left);
        }
        let scale = 1.0 / (inverse[newest] * squares[newest * m + newest]);
        for (age, &i) in order.iter().enumerate().rev() {
            let left: f64 = order.iter().map(|&j| coefficients[j][0] * squares[i * m + j]).sum();
            let moved: f64 = order[age + 1..].iter().map(|&j| coefficients[j][1] * mixed[j * m + i]).sum();
            coefficients[i][1] = coefficients[i][0] - inverse[i] * (scale * (-products[i][1] - left) + moved);
        }
        order.iter().for_each(|&i| coefficients[i][0] *= -scale);
        scale
    }

    /// Writes the pairs down.
    pub(super) fn save(&self, state: &mut State) {
        state.scalars.insert("pairs".into(), self.pairs as f64);
        state.scalars.insert("kept".into(), self.kept as f64);
        for (name, vector) in [
            ("steps", &self.steps),
            ("changes", &self.changes),
            ("inverse", &self.inverse),
            ("mixed", &self.mixed),
            ("squares", &self.squares),
        ] {
            state.vectors.insert(name.into(), vector.clone());
        }
    }

    /// Takes up what [`History::save`] wrote.
    pub(super) fn restore(&mut self, state: &State) -> Result<(), String> {
        self.pairs = state.scalar("pairs")? as usize;
        self.kept = state.scalar("kept")? as usize;
        state.copy("steps", &mut self.steps)?;
        state.copy("changes", &mut self.changes)?;
        state.copy("inverse", &mut self.inverse)?;
        state.copy("mixed", &mut self.mixed)?;
        state.copy("squares", &mut self.squares)
    }
}

/// `to += a·x + b·y`
#[inline(always)]
fn add_both(to: &mut [f64], [a, b]: [f64; 2], [x, y]: [&[f64]; 2]) {
    for ((to, x), y) in to.iter_mut().zip(x).zip(y) {
        *to += a * x + b * y;
    }
}

/// Products of two vectors with two others, each of the first with both: those with the first of them first.
struct Products<'a> {
    left: [&'a [f64]; 2],
    right: [&'a [f64]; 2],
}

impl WithSimd for Products<'_> {
    type Output = [f64; PRODUCTS];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        /// Sums of each product that run side by side, to hide how long an addition takes.
        const CHAINS: usize = 2;
        let ([a, b], [x, y]) = (self.left, self.right);
        let n = a.len();
        assert!([b, x, y].iter().all(|vector| vector.len() == n));
        let lanes = f64::lanes::<S>();
        let mut sums = [[f64::splat(simd, 0.0); PRODUCTS]; CHAINS];
        let whole = n / (CHAINS * lanes) * (CHAINS * lanes);
        for at in (0..whole).step_by(CHAINS * lanes) {
            for (chain, sums) in sums.iter_mut().enumerate() {
                let load = |vector: &[f64]| {
                    // SAFETY: all vectors have `n` numbers, and these `lanes` end at `whole` at the latest.
                    unsafe { f64::load(simd, vector.as_ptr().add(at + chain * lanes)) }
                };
                let [a, b, x, y] = [load(a), load(b), load(x), load(y)];
                for (sum, [a, x]) in sums.iter_mut().zip([[a, x], [b, x], [a, y], [b, y]]) {
                    *sum = <f64 as Real>::mul_add(simd, a, x, *sum);
                }
            }
        }
        let rest = |a: &[f64], x: &[f64]| a[whole..].iter().zip(&x[whole..]).map(|(a, x)| a * x).sum::<f64>();
        let rests = [rest(a, x), rest(b, x), rest(a, y), rest(b, y)];
        std::array::from_fn(|k| {
            let sum = (1..CHAINS).fold(sums[0][k], |sum, chain| f64::add(simd, sum, sums[chain][k]));
            f64::sum(simd, sum) + rests[k]
        })
    }
}
