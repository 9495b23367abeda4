//! `C += AᵀA` for tall matrices that come in slabs of rows, in double precision; the lower triangle alone.
//!
//! A slab holds its columns in panels of three registers, each row by row, so that both factors of a tile of C are
//! read in the order in which they lie: a tile is as wide as a panel and a few rows high.
//! C lies in square blocks of [`SIDE`], which stay in a core's own cache while all rows go by.
//! Every number of C is the sum over rows in their order, whoever computes it.
//! This file knows rows and columns; it does not know what they mean.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use aligned_vec::{AVec, avec};
use pulp::{NullaryFnOnce, Simd};

use crate::ranks::Ranks;
use crate::simd::Real;
use crate::team::Team;

/// Side of a block of C, a multiple of every panel's width.
pub(super) const SIDE: usize = 96;

/// Registers of a panel's row.
const REGISTERS: usize = 3;

/// Columns of a panel.
pub(super) fn panel<S: Simd>() -> usize {
    REGISTERS * f64::lanes::<S>()
}

/// Some rows of A.
pub(super) struct Slab {
    /// Rows that are there.
    pub(super) rows: usize,
    /// Rows there is room for.
    capacity: usize,
    panel: usize,
    /// Panels one after the other, each `capacity × panel`.
    values: AVec<f64>,
}

impl Slab {
    /// Room for `capacity` rows of `columns` numbers in panels of `panel`.
    pub(super) fn new(capacity: usize, columns: usize, panel: usize) -> Self {
        let columns = columns.next_multiple_of(SIDE);
        Self { rows: 0, capacity, panel, values: avec![0.0; capacity * columns] }
    }

    /// Adds a row, `last` being its last number; columns beyond it stay zero.
    pub(super) fn push<R: Real>(&mut self, row: &[R], last: f64) {
        let Self { rows, capacity, panel, .. } = *self;
        assert!(rows < capacity, "a slab has room for its rows");
        let place = |column: usize| (column / panel * capacity + rows) * panel + column % panel;
        for (i, piece) in row.chunks(panel).enumerate() {
            let to = &mut self.values[place(i * panel)..][..piece.len()];
            for (to, x) in to.iter_mut().zip(piece) {
                *to = x.to_f64();
            }
        }
        self.values[place(row.len())] = last;
        self.rows += 1;
    }

    fn panel(&self, which: usize) -> &[f64] {
        &self.values[which * self.capacity * self.panel..][..self.rows * self.panel]
    }
}

/// The lower triangle of C.
pub(super) struct Gram {
    columns: usize,
    /// Blocks row by row, `SIDE × SIDE` each: (0, 0), (1, 0), (1, 1), …
    blocks: AVec<f64>,
}

/// `C += AᵀA` for one block of C.
pub(super) trait BlockProduct: Send + Sync {
    /// Columns of a panel.
    fn panel(&self) -> usize;
    /// Adds the products of the columns of block row `i` with those of block column `j ≤ i`.
    fn add(&self, slabs: &[Slab], i: usize, j: usize, c: &mut [f64]);
}

impl Gram {
    /// Zero, for `columns` columns.
    pub(super) fn new(columns: usize) -> Self {
        let sides = columns.div_ceil(SIDE);
        Self { columns, blocks: avec![0.0; sides * (sides + 1) / 2 * SIDE * SIDE] }
    }

    /// Sets C to zero.
    pub(super) fn clear(&mut self) {
        self.blocks.fill(0.0);
    }

    /// `C += AᵀA` over the slabs' rows, for this rank's blocks of C.
    pub(super) fn add(&mut self, team: &Team, product: &dyn BlockProduct, slabs: &[Slab]) {
        let own = team.ranks().share(self.blocks.len() / (SIDE * SIDE));
        let (first, count) = (own.start, own.len());
        let blocks = self.blocks[first * SIDE * SIDE..][..count * SIDE * SIDE].chunks_exact_mut(SIDE * SIDE);
        team.share(blocks.enumerate(), |_, (block, c)| {
            let (i, j) = place(first + block);
            product.add(slabs, i, j, c);
        });
    }

    /// Every rank gets the blocks of the others.
    pub(super) fn gather(&mut self, ranks: &Ranks) {
        ranks.gather(&mut self.blocks, SIDE * SIDE);
    }

    /// Row `i` of the triangle, from column 0 to the diagonal, in pieces.
    fn row(&self, i: usize) -> impl Iterator<Item = &[f64]> {
        let block_row = i / SIDE;
        let first = block_row * (block_row + 1) / 2;
        (0..=block_row).map(move |j| {
            let row = &self.blocks[((first + j) * SIDE + i % SIDE) * SIDE..][..SIDE];
            if j < block_row { row } else { &row[..=i % SIDE] }
        })
    }

    /// The leading `n × n` part, both triangles, row by row.
    pub(super) fn write_symmetric(&self, n: usize, matrix: &mut [f64]) {
        assert!(n <= self.columns && matrix.len() == n * n);
        for i in 0..n {
            let row = &mut matrix[i * n..][..=i];
            for (to, piece) in row.chunks_mut(SIDE).zip(self.row(i)) {
                to.copy_from_slice(piece);
            }
        }
        // The other triangle block by block, so that both sides of the copy stay in cache.
        for i in (0..n).step_by(SIDE) {
            for j in (0..=i).step_by(SIDE) {
                for row in i..(i + SIDE).min(n) {
                    for column in j..(j + SIDE).min(row) {
                        matrix[column * n + row] = matrix[row * n + column];
                    }
                }
            }
        }
    }

    /// The leading part of the last row.
    pub(super) fn write_last_row(&self, row: &mut [f64]) {
        for (to, piece) in row.chunks_mut(SIDE).zip(self.row(self.columns - 1)) {
            to.copy_from_slice(&piece[..to.len()]);
        }
    }
}

/// Block row and block column of the `block`-th block.
fn place(block: usize) -> (usize, usize) {
    let mut i = 0;
    while (i + 1) * (i + 2) / 2 <= block {
        i += 1;
    }
    (i, block - i * (i + 1) / 2)
}

/// [`BlockProduct`] for one kind of register.
pub(super) struct With<S>(pub(super) S);

impl<S: Simd> BlockProduct for With<S> {
    fn panel(&self) -> usize {
        panel::<S>()
    }

    fn add(&self, slabs: &[Slab], i: usize, j: usize, c: &mut [f64]) {
        for slab in slabs.iter().filter(|slab| slab.rows > 0) {
            self.0.vectorize(AddBlock { simd: self.0, slab, i, j, c: &mut *c });
        }
    }
}

struct AddBlock<'a, S> {
    simd: S,
    slab: &'a Slab,
    i: usize,
    j: usize,
    c: &'a mut [f64],
}

impl<S: Simd> NullaryFnOnce for AddBlock<'_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match f64::lanes::<S>() {
            8 => self.tiles::<8>(),
            4 => self.tiles::<4>(),
            2 => self.tiles::<6>(),
            _ => self.tiles::<3>(),
        }
    }
}

impl<S: Simd> AddBlock<'_, S> {
    /// All tiles of the block, `M` rows high; `M` divides the panel's width.
    #[inline(always)]
    fn tiles<const M: usize>(self) {
        let Self { simd, slab, i, j, c } = self;
        let width = panel::<S>();
        let panels = SIDE / width;
        assert!(slab.panel == width && width.is_multiple_of(M) && c.len() == SIDE * SIDE);
        for column in 0..panels {
            let b = slab.panel(j * panels + column);
            // On the diagonal, panels above it are left out.
            let first = if i == j { column } else { 0 };
            for row in first..panels {
                let a = slab.panel(i * panels + row);
                assert!(a.len() == slab.rows * width && b.len() == slab.rows * width);
                for m in (0..width).step_by(M) {
                    // SAFETY: both panels hold `rows` rows of `width` numbers, `m + M ≤ width`; the tile's rows
                    // `row·width + m ..+ M` and columns `column·width ..+ width` lie inside the block.
                    unsafe {
                        let c = c.as_mut_ptr().add((row * width + m) * SIDE + column * width);
                        tile::<S, M>(simd, slab.rows, a.as_ptr().add(m), b.as_ptr(), c);
                    }
                }
            }
        }
    }
}

/// One tile: `M` rows of three registers, summed over all rows of the slab in registers, then added.
///
/// # Safety
/// `a` is readable for `M` numbers and `b` for a panel's width in each of `rows` rows, a panel's width apart;
/// `c` is readable and writable for `M` rows of a panel's width, [`SIDE`] apart.
#[inline(always)]
unsafe fn tile<S: Simd, const M: usize>(simd: S, rows: usize, a: *const f64, b: *const f64, c: *mut f64) {
    let lanes = f64::lanes::<S>();
    let width = panel::<S>();
    // SAFETY: all offsets stay within the bounds that the caller promises.
    unsafe {
        let mut sum = [[f64::splat(simd, 0.0); REGISTERS]; M];
        for k in 0..rows {
            let mut columns = [f64::splat(simd, 0.0); REGISTERS];
            for j in 0..REGISTERS {
                columns[j] = f64::load(simd, b.add(k * width + j * lanes));
            }
            for i in 0..M {
                let factor = f64::splat(simd, *a.add(k * width + i));
                for j in 0..REGISTERS {
                    sum[i][j] = <f64 as Real>::mul_add(simd, factor, columns[j], sum[i][j]);
                }
            }
        }
        for i in 0..M {
            for j in 0..REGISTERS {
                let place = c.add(i * SIDE + j * lanes);
                f64::store(simd, place, f64::add(simd, f64::load(simd, place), sum[i][j]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::dispatch::{Isa, WithReal};

    fn element(i: usize, j: usize) -> f64 {
        ((i * 37 + j * 101 + 13) % 97) as f64 / 97.0 - 0.5
    }

    struct Check {
        columns: usize,
    }

    impl WithReal for Check {
        type Output<R: Real> = ();

        fn call<S: Simd, R: Real>(self, simd: S) {
            let columns = self.columns;
            let mut slabs = vec![];
            let mut first = 0;
            for rows in [5, 0, 17] {
                let mut slab = Slab::new(20, columns, panel::<S>());
                for i in first..first + rows {
                    let row: Vec<f64> = (0..columns).map(|j| element(i, j)).collect();
                    slab.push(&row[..columns - 1], row[columns - 1]);
                }
                first += rows;
                slabs.push(slab);
            }
            let mut gram = Gram::new(columns);
            let team = Team::new(2).expect("threads");
            gram.add(&team, &With(simd), &slabs);
            gram.add(&team, &With(simd), &slabs[..1]);
            let mut matrix = vec![0.0; columns * columns];
            gram.write_symmetric(columns, &mut matrix);
            let mut last = vec![0.0; columns - 1];
            gram.write_last_row(&mut last);
            assert_eq!(last, matrix[(columns - 1) * columns..][..columns - 1]);
            for i in 0..columns {
                for j in 0..columns {
                    let exact: f64 = (0..22).chain(0..5).map(|k| element(k, i) * element(k, j)).sum();
                    assert!((matrix[i * columns + j] - exact).abs() < 1e-13, "{i} {j}");
                    assert_eq!(matrix[i * columns + j], matrix[j * columns + i]);
                }
            }
        }
    }

    #[test]
    fn products_agree_with_plain_sums_on_every_instruction_set() {
        for isa in Isa::available() {
            for columns in [2, 95, 96, 97, 200] {
                isa.run::<f64, _>(Check { columns });
            }
        }
    }
}
