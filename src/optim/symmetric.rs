//! A dense symmetric matrix, and the two operations quasi-Newton methods need, in one pass over it.
//!
//! Both cost what it takes to read the matrix, which does not fit into a core's own cache.
//! So an update only waits: the next product's pass applies it to every block before the block's factors are read.
//!
//! The lower triangle lies in square blocks of [`SIDE`], row of blocks by row of blocks; those on the diagonal are whole.
//! A number off the diagonal blocks stands for two, as a row's and as a column's.
//! Rows of blocks are shared out in bands, whose number depends on the size alone; each has partial sums of its own, which
//! are added in the order of bands, so that bits do not depend on the number of threads or processes.
//! Ranks have bands of their own each, and nothing of the others: of a large matrix what is sent is the product.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use aligned_vec::{AVec, avec};
use pulp::{Arch, Simd, WithSimd};

use super::add;
use crate::simd::Real;
use crate::team::Team;

/// Side of a block: a whole number of registers on every machine, and as many sums as registers can hold.
const SIDE: usize = 8;
/// Numbers of a block.
const BLOCK: usize = SIDE * SIDE;
/// Blocks of a band, at least: below, threads wait for one another longer than they work.
const BAND: usize = 64;
/// Bands, at most: each has a vector to be added up.
const MOST_BANDS: usize = 32;
/// Numbers of a matrix from which on ranks share it: below, going over all of it is quicker than waiting for the others.
const WORTH_SHARING: usize = 1 << 19;
/// Numbers of a product that ranks pass on in one message.
const PIECE: usize = 8192;

/// The matrix.
pub(super) struct Symmetric {
    n: usize,
    arch: Arch,
    team: Arc<Team>,
    /// Do ranks share it?
    is_shared: bool,
    /// The rows of blocks that are here: all, or those of this rank's bands.
    rows: Range<usize>,
    /// (0, 0), (1, 0), (1, 1), … each row by row, from the first of these rows on; beyond row or column n there are zeros.
    blocks: AVec<f64>,
    /// The first row of blocks of every band that is here, and the end of the last one.
    bands: Vec<usize>,
    /// What each band adds to a product.
    partials: Vec<AVec<f64>>,
    /// The product's factor with zeros beyond n.
    x: AVec<f64>,
    update: Update,
    /// Has `update` to be applied yet?
    waiting: bool,
    /// How often the matrix has been gone over.
    #[cfg(test)]
    pub(super) passes: usize,
}

/// `A ← scale·A + along_u·uᵀ + along_v·vᵀ`, vectors with zeros beyond n.
#[derive(Clone)]
struct Update {
    scale: f64,
    u: AVec<f64>,
    v: AVec<f64>,
    /// uu·u + uv·v and uv·u + vv·v.
    along_u: AVec<f64>,
    along_v: AVec<f64>,
}

impl Symmetric {
    /// `factor` times the identity, n × n; `team` will compute.
    pub(super) fn identity(n: usize, factor: f64, team: &Arc<Team>) -> Self {
        let all = n.div_ceil(SIDE);
        let vector = || avec![0.0; all * SIDE];
        let mut bands = bands(all);
        let is_shared = team.ranks().are_several() && before(all) * BLOCK >= WORTH_SHARING;
        if is_shared {
            let own = team.ranks().share(bands.len() - 1);
            bands = bands[own.start..=own.end].to_vec();
        }
        let rows = bands[0]..bands[bands.len() - 1];
        let mut matrix = Self {
            n,
            arch: Arch::new(),
            team: Arc::clone(team),
            is_shared,
            blocks: avec![0.0; (before(rows.end) - before(rows.start)) * BLOCK],
            rows,
            partials: bands[1..].iter().map(|end| avec![0.0; end * SIDE]).collect(),
            bands,
            x: vector(),
            update: Update { scale: 1.0, u: vector(), v: vector(), along_u: vector(), along_v: vector() },
            waiting: false,
            #[cfg(test)]
            passes: 0,
        };
        matrix.set_identity(factor);
        matrix
    }

    /// Computes with the same bits on every machine.
    #[cfg(test)]
    pub(super) fn make_portable(&mut self) {
        self.arch = Arch::Scalar;
    }

    /// Becomes `factor` times the identity.
    pub(super) fn set_identity(&mut self, factor: f64) {
        self.waiting = false;
        self.blocks.fill(0.0);
        for i in self.numbers() {
            let place = self.place(i, i);
            self.blocks[place] = factor;
        }
    }

    /// The rows that are here.
    fn numbers(&self) -> Range<usize> {
        self.rows.start * SIDE..(self.rows.end * SIDE).min(self.n)
    }

    /// Where the number of row `i`, one of those here, and column `j ≤ i` lies.
    fn place(&self, i: usize, j: usize) -> usize {
        (before(i / SIDE) - before(self.rows.start) + j / SIDE) * BLOCK + i % SIDE * SIDE + j % SIDE
    }

    /// `y = A·x`
    pub(super) fn product(&mut self, x: &[f64], y: &mut [f64]) {
        assert!(x.len() == self.n && y.len() == self.n);
        self.x[..x.len()].copy_from_slice(x);
        self.sweep();
        y.fill(0.0);
        if !self.is_shared {
            for partial in &self.partials {
                add(y, 1.0, partial);
            }
            return;
        }
        let cuts: Vec<usize> = (0..self.n).step_by(PIECE).chain([self.n]).collect();
        let mut sums = y.to_vec();
        self.team.ranks().pass_on(&mut sums, &cuts, |k, piece| {
            for partial in self.partials.iter().filter(|partial| partial.len() > cuts[k]) {
                add(piece, 1.0, &partial[cuts[k]..]);
            }
        });
        y.copy_from_slice(&sums);
    }

    /// `A ← scale·A + uu·u uᵀ + uv·(u vᵀ + v uᵀ) + vv·v vᵀ`, with the next product.
    ///
    /// # Panics
    ///
    /// If there has been no product since the last update.
    pub(super) fn update(&mut self, scale: f64, u: &[f64], v: &[f64], uu: f64, uv: f64, vv: f64) {
        assert!(u.len() == self.n && v.len() == self.n);
        assert!(!self.waiting, "an update waits for the next product");
        let update = &mut self.update;
        update.scale = scale;
        for i in 0..self.n {
            (update.u[i], update.v[i]) = (u[i], v[i]);
            update.along_u[i] = uu * u[i] + uv * v[i];
            update.along_v[i] = uv * u[i] + vv * v[i];
        }
        self.waiting = true;
    }

    /// The one pass.
    fn sweep(&mut self) {
        let Self { arch, team, blocks, bands, partials, x, update, waiting, .. } = self;
        let (update, waits) = (&*update, mem::take(waiting));
        let mut rest = &mut blocks[..];
        let shares = bands.windows(2).zip(partials).map(|(band, partial)| {
            let (first, end) = (band[0], band[1]);
            let (own, others) = mem::take(&mut rest).split_at_mut((before(end) - before(first)) * BLOCK);
            rest = others;
            Sweep { first, end, blocks: own, x, update, waits, partial }
        });
        team.share(shares, |_, sweep| arch.dispatch(sweep));
        #[cfg(test)]
        {
            self.passes += 1;
        }
    }

    /// The lower triangle, row by row: row `i` begins at `i(i+1)/2`.
    ///
    /// Where there are several ranks all of them have to ask, and only rank 0 is told; for the others it is empty.
    pub(super) fn lower(&self) -> Vec<f64> {
        let mut copy = Self::identity(self.n, 0.0, &self.team);
        copy.arch = self.arch;
        copy.blocks.copy_from_slice(&self.blocks);
        if self.waiting {
            // The very pass that would apply it here, whose product is of no interest.
            copy.update = self.update.clone();
            copy.waiting = true;
            copy.sweep();
        }
        let own = || self.numbers().flat_map(|i| (0..=i).map(move |j| (i, j)));
        let own = own().map(|(i, j)| copy.blocks[copy.place(i, j)]);
        match self.team.ranks() {
            ranks if self.is_shared => ranks.collect(own.collect()),
            ranks if ranks.are_several() && !ranks.leads() => vec![],
            _ => own.collect(),
        }
    }

    /// Takes what [`Symmetric::lower`] gave, [`Symmetric::lower_length`] numbers.
    pub(super) fn set_lower(&mut self, lower: &[f64]) {
        self.set_identity(0.0);
        let (ranks, rows) = (self.team.ranks(), self.numbers());
        let from_lead = match self.is_shared {
            true => Some(ranks.hand_out(lower, before(rows.end) - before(rows.start))),
            false => ranks.are_several().then(|| ranks.lead_has(lower)),
        };
        let mut lower = from_lead.as_deref().unwrap_or(lower).iter();
        for i in self.numbers() {
            for (j, x) in (0..=i).zip(&mut lower) {
                let place = self.place(i, j);
                self.blocks[place] = *x;
            }
        }
        for i in self.rows.clone() {
            let diagonal = self.place(i * SIDE, i * SIDE);
            mirror(&mut self.blocks[diagonal..][..BLOCK]);
        }
    }

    /// How long that is: `n(n+1)/2`, and 0 where another rank has it.
    pub(super) fn lower_length(&self) -> usize {
        let ranks = self.team.ranks();
        if ranks.are_several() && !ranks.leads() { 0 } else { before(self.n) }
    }
}

/// Blocks before the row of blocks number `row`, or numbers of the triangle before row `row`.
fn before(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Where bands of `rows` rows of blocks begin, with about equally many blocks each, and the end.
fn bands(rows: usize) -> Vec<usize> {
    let count = (before(rows) / BAND).clamp(1, MOST_BANDS);
    let begins = (0..count).map(|band| {
        let share = (before(rows) * band / count) as f64;
        // `before(row)` is this share at about √(2·share).
        (2.0 * share).sqrt().round() as usize
    });
    begins.chain([rows]).collect()
}

/// Copies the lower triangle of a block to the upper one.
fn mirror(block: &mut [f64]) {
    for i in 0..SIDE {
        for j in 0..i {
            block[j * SIDE + i] = block[i * SIDE + j];
        }
    }
}

/// The pass over one band.
struct Sweep<'a> {
    /// Its rows of blocks.
    first: usize,
    end: usize,
    blocks: &'a mut [f64],
    x: &'a [f64],
    update: &'a Update,
    /// Has the update to be applied?
    waits: bool,
    partial: &'a mut [f64],
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.waits { self.run::<S, true>(simd) } else { self.run::<S, false>(simd) }
    }
}

impl Sweep<'_> {
    #[inline(always)]
    fn run<S: Simd, const UPDATE: bool>(self, simd: S) {
        let Self { first, end, blocks, x, update, partial, .. } = self;
        let Update { scale, u, v, along_u, along_v } = update;
        let columns = end * SIDE;
        assert!([x, u, v, along_u, along_v].iter().all(|vector| vector.len() >= columns));
        assert!(partial.len() == columns && blocks.len() == (before(end) - before(first)) * BLOCK);
        partial.fill(0.0);
        let mut rest = blocks;
        for row in first..end {
            let (blocks, others) = rest.split_at_mut((row + 1) * BLOCK);
            rest = others;
            let (blocks, diagonal) = blocks.split_at_mut(row * BLOCK);
            let at = row * SIDE;
            let rows = Rows {
                scale: *scale,
                x: chunk(x, at),
                along_u: chunk(along_u, at),
                along_v: chunk(along_v, at),
            };
            let mut sums = [f64::splat(simd, 0.0); SIDE];
            for (block, at) in blocks.chunks_exact_mut(BLOCK).zip((0..).step_by(SIDE)) {
                // SAFETY: a block has `BLOCK` numbers, a chunk `SIDE`.
                unsafe {
                    let columns = [chunk(x, at), chunk(u, at), chunk(v, at)];
                    let below = partial.as_mut_ptr().add(at);
                    rows.meet::<S, UPDATE, true>(simd, block.as_mut_ptr(), columns, below, &mut sums);
                }
            }
            let columns = [chunk(x, at), chunk(u, at), chunk(v, at)];
            // SAFETY: as above.
            unsafe {
                if UPDATE {
                    let mut unused = sums;
                    rows.meet::<S, UPDATE, false>(
                        simd,
                        diagonal.as_mut_ptr(),
                        columns,
                        partial.as_mut_ptr(),
                        &mut unused,
                    );
                    mirror(diagonal);
                }
                rows.meet::<S, false, false>(
                    simd,
                    diagonal.as_mut_ptr(),
                    columns,
                    partial.as_mut_ptr(),
                    &mut sums,
                );
            }
            for (to, sum) in partial[at..].iter_mut().zip(sums) {
                *to += f64::sum(simd, sum);
            }
        }
    }
}

/// The numbers of a vector that belong to a block that begins at row or column `at`.
#[inline(always)]
fn chunk(vector: &[f64], at: usize) -> &[f64; SIDE] {
    vector[at..].first_chunk().expect("vectors have whole blocks")
}

/// What belongs to the rows of a block.
struct Rows<'a> {
    scale: f64,
    x: &'a [f64; SIDE],
    along_u: &'a [f64; SIDE],
    along_v: &'a [f64; SIDE],
}

impl Rows<'_> {
    /// Updates a block, adds its products with the columns' x to `sums`, one for each row, and, with `BELOW`, its transpose's
    /// products with the rows' x to the numbers at `below`; columns are x, u and v.
    ///
    /// # Safety
    /// `block` is valid for reading and writing [`BLOCK`] numbers, `below` for [`SIDE`].
    #[inline(always)]
    unsafe fn meet<S: Simd, const UPDATE: bool, const BELOW: bool>(
        &self,
        simd: S,
        block: *mut f64,
        [x, u, v]: [&[f64; SIDE]; 3],
        below: *mut f64,
        sums: &mut [S::f64s; SIDE],
    ) {
        let scale = f64::splat(simd, self.scale);
        for part in (0..SIDE).step_by(f64::lanes::<S>()) {
            // SAFETY: registers divide `SIDE`, so `part` and all lanes after it lie within a row of it.
            unsafe {
                let [x, u, v] = [x, u, v].map(|vector| f64::load(simd, vector.as_ptr().add(part)));
                let mut transposed = if BELOW { f64::load(simd, below.add(part)) } else { x };
                for i in 0..SIDE {
                    let place = block.add(i * SIDE + part);
                    let mut a = f64::load(simd, place);
                    if UPDATE {
                        a = f64::mul(simd, scale, a);
                        a = <f64 as Real>::mul_add(simd, f64::splat(simd, self.along_u[i]), u, a);
                        a = <f64 as Real>::mul_add(simd, f64::splat(simd, self.along_v[i]), v, a);
                        f64::store(simd, place, a);
                    }
                    sums[i] = <f64 as Real>::mul_add(simd, a, x, sums[i]);
                    if BELOW {
                        transposed = <f64 as Real>::mul_add(simd, a, f64::splat(simd, self.x[i]), transposed);
                    }
                }
                if BELOW {
                    f64::store(simd, below.add(part), transposed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::levels;

    /// A smooth vector.
    fn vector(n: usize, k: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * k + k) as f64 * 0.7).sin()).collect()
    }

    fn team(threads: usize) -> Arc<Team> {
        Arc::new(Team::new(threads).expect("threads"))
    }

    /// Three updates with products in between: the products, and the matrix at the end.
    fn run(n: usize, arch: Arch, threads: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut matrix = Symmetric::identity(n, 2.0, &team(threads));
        matrix.arch = arch;
        let products = (1..4).map(|k| {
            matrix.update(0.5, &vector(n, k), &vector(n, k + 1), 1.5, -0.25, 3.0);
            let mut y = vec![f64::NAN; n];
            matrix.product(&vector(n, k + 2), &mut y);
            y
        });
        let products = products.collect();
        assert_eq!(matrix.passes, 3, "a product and the update before it take one pass");
        (products, matrix.lower())
    }

    #[test]
    fn products_and_updates_are_those_of_the_whole_matrix() {
        // The last one has several bands.
        for n in [1, 2, 7, 8, 33, 200] {
            let mut exact: Vec<f64> = (0..n * n).map(|k| if k / n == k % n { 2.0 } else { 0.0 }).collect();
            let mut expected = vec![];
            for k in 1..4 {
                let (u, v, x) = (vector(n, k), vector(n, k + 1), vector(n, k + 2));
                for i in 0..n {
                    for j in 0..n {
                        let mixed = u[i] * v[j] + v[i] * u[j];
                        let a = &mut exact[i * n + j];
                        *a = 0.5 * *a + 1.5 * u[i] * u[j] - 0.25 * mixed + 3.0 * v[i] * v[j];
                    }
                }
                expected.push(exact.chunks(n).map(|row| super::super::dot(row, &x)).collect::<Vec<_>>());
            }
            let lower: Vec<f64> = (0..n).flat_map(|i| exact[i * n..][..=i].to_vec()).collect();
            for arch in levels() {
                let (products, matrix) = run(n, arch, 2);
                let pairs = products.iter().flatten().zip(expected.iter().flatten());
                for (x, exact) in pairs.chain(matrix.iter().zip(&lower)) {
                    assert!((x - exact).abs() < 1e-12 * n as f64, "{n}: {x} against {exact}");
                }
            }
        }
    }

    #[test]
    fn bits_depend_neither_on_threads_nor_on_having_been_written_down() {
        for n in [33, 200, 500] {
            let alone = run(n, Arch::new(), 1);
            for threads in 2..=3 {
                assert_eq!(run(n, Arch::new(), threads), alone, "{n} on {threads} threads");
            }
            let mut matrix = Symmetric::identity(n, 1.0, &team(2));
            matrix.set_lower(&alone.1);
            matrix.update(0.75, &vector(n, 1), &vector(n, 2), 1.0, -0.5, 0.25);
            let mut restored = Symmetric::identity(n, 3.0, &team(3));
            restored.set_lower(&matrix.lower());
            let [mut y, mut z] = [vec![0.0; n], vec![0.0; n]];
            matrix.product(&vector(n, 3), &mut y);
            restored.product(&vector(n, 3), &mut z);
            assert_eq!(y, z, "{n}");
            assert_eq!(matrix.lower(), restored.lower(), "{n}");
        }
    }

    #[test]
    fn ranks_share_a_large_matrix_and_come_to_the_same_bits() {
        // The first one is too small to be shared.
        for n in [200, 1100] {
            check_ranks(n);
        }
    }

    fn check_ranks(n: usize) {
        let run_on = |team: &Arc<Team>| {
            let mut matrix = Symmetric::identity(n, 2.0, team);
            let mut y = vec![0.0; n];
            for k in 1..4 {
                matrix.update(0.5, &vector(n, k), &vector(n, k + 1), 1.5, -0.25, 3.0);
                matrix.product(&vector(n, k + 2), &mut y);
            }
            // The last update waits while the matrix is written down and read back.
            matrix.update(0.75, &vector(n, 1), &vector(n, 2), 1.0, -0.5, 0.25);
            let lower = matrix.lower();
            let mut restored = Symmetric::identity(n, 3.0, team);
            assert_eq!(lower.len(), restored.lower_length());
            restored.set_lower(&lower);
            let mut z = vec![0.0; n];
            restored.product(&vector(n, 3), &mut z);
            (lower, y, z, matrix.blocks.len())
        };
        let (lower, y, z, whole) = run_on(&team(2));
        for size in 2..=4 {
            let all = crate::ranks::threads::run(size, |ranks| {
                run_on(&Arc::new(Team::among(2, ranks.clone()).expect("threads")))
            });
            assert!(all[0].0 == lower && all[1..].iter().all(|rank| rank.0.is_empty()), "{size}");
            assert!(all.iter().all(|rank| rank.1 == y && rank.2 == z), "{size}");
            if n < 1000 {
                continue;
            }
            // Each has its part of it, the parts are about equal, and together they are the whole.
            assert_eq!(all.iter().map(|rank| rank.3).sum::<usize>(), whole, "{size}");
            let mean = whole as f64 / size as f64;
            assert!(all.iter().all(|rank| (rank.3 as f64 - mean).abs() < 0.35 * mean), "{size}");
        }
    }

    #[test]
    fn bands_are_about_equal_and_leave_nothing_out() {
        for rows in [1, 10, 11, 15, 50, 118, 2500] {
            let bands = bands(rows);
            assert_eq!((bands[0], bands[bands.len() - 1]), (0, rows));
            let blocks: Vec<_> = bands.windows(2).map(|band| before(band[1]) - before(band[0])).collect();
            let mean = before(rows) / blocks.len();
            assert!(blocks.iter().all(|&count| count.abs_diff(mean) <= rows), "{blocks:?}");
        }
    }
}
