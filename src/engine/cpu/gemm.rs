//! The three matrix products of a layer, register-tiled.
//!
//! All of them work on small blocks that stay in cache, whose `rows` are a multiple of [`ROWS`].
//! Rows follow each other without a gap and need not end with a register: what is read beyond the end of one is the next
//! one's, and counts for nothing; what is written there is overwritten when that is.
//! This file knows rows and columns; it does not know what they mean.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use pulp::{NullaryFnOnce, Simd};

use crate::simd::Real;

/// Blocks have a multiple of this many rows, which every tile height divides.
pub(super) const ROWS: usize = 24;

/// Registers of one panel's row: the widest tile that leaves room for its factors.
const fn panel<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 || S::IS_SCALAR { 4 } else { 2 }
}

/// Numbers in the longest register, so many of which are read beyond the last row at most.
pub(super) const MOST_LANES: usize = 16;

/// Numbers of a row of B that lie side by side for the columns beyond the last whole register, 1 if they do not.
///
/// Where these columns are a half or a quarter of a register, it takes two or four of B's rows at once, against as many
/// numbers of A over and over, and what it has summed is added up in the end.
fn group<S: Simd, R: Real>(depth: usize, width: usize) -> usize {
    let (lanes, tail) = (R::lanes::<S>(), width % R::lanes::<S>());
    if S::REGISTER_COUNT < 32 || tail == 0 || lanes % tail > 0 || lanes / tail * size_of::<R>() > 16 {
        return 1;
    }
    let group = lanes / tail;
    // Adding up costs about as much as four products.
    if depth - groups(depth, group) > 4 { group } else { 1 }
}

/// So many registers hold a column of `depth` rows: groups of them, and those left one by one.
fn groups(depth: usize, group: usize) -> usize {
    depth / group + depth % group
}

/// The columns that are computed in whole registers: all up to the last one, or those before groups.
fn in_registers<S: Simd, R: Real>(width: usize, group: usize) -> usize {
    let lanes = R::lanes::<S>();
    if group > 1 { width / lanes * lanes } else { width.next_multiple_of(lanes) }
}

/// The offset of element `(k, n)` of a `depth × width` matrix stored in panels for [`Product`].
///
/// A panel is a few whole registers wide and holds its rows one after the other.
/// What is left of a row lies behind them, as [`group`] says.
pub(super) fn panel_offset<S: Simd, R: Real>(depth: usize, width: usize, k: usize, n: usize) -> usize {
    let lanes = R::lanes::<S>();
    let group = group::<S, R>(depth, width);
    let whole = in_registers::<S, R>(width, group);
    if n >= whole {
        let grouped = depth / group * group;
        let register = if k < grouped { k / group } else { depth / group + k - grouped };
        let slot = if k < grouped { k % group } else { 0 };
        return whole * depth + register * lanes + (n - whole) * group + slot;
    }
    let columns = panel::<S>() * lanes;
    let first = n / columns * columns;
    let panel_width = columns.min(whole - first);
    first * depth + k * panel_width + (n - first)
}

/// The first `count` numbers of a register, and zeros.
#[inline(always)]
pub(super) fn first<S: Simd, R: Real>(simd: S, count: usize, x: R::Vector<S>) -> R::Vector<S> {
    if count >= R::lanes::<S>() {
        return x;
    }
    let places: [R; MOST_LANES] = std::array::from_fn(|i| R::from_f64(i as f64));
    // SAFETY: no register is longer.
    let places = unsafe { R::load(simd, places.as_ptr()) };
    let within = R::less(simd, places, R::splat(simd, R::from_f64(count as f64)));
    R::select(simd, within, x, R::splat(simd, R::default()))
}

/// `C = A·B`: A is `rows × depth`, B `depth × width` in panels, C `rows × width`.
///
/// The last register may end beyond C, and is written whole.
pub(super) struct Product<'a, R, S> {
    pub(super) simd: S,
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) width: usize,
    pub(super) a: &'a [R],
    pub(super) a_stride: usize,
    pub(super) b: &'a [R],
    pub(super) c: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Product<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rows, depth, width, a, a_stride, b, c } = self;
        let lanes = R::lanes::<S>();
        let group = group::<S, R>(depth, width);
        let whole = in_registers::<S, R>(width, group);
        let tail = if group > 1 { groups(depth, group) * lanes } else { 0 };
        assert!(rows.is_multiple_of(ROWS) && depth <= a_stride);
        // The last row of A ends with what is read of it.
        assert!(a.len() + a_stride >= rows * a_stride + depth);
        assert!(b.len() >= depth * whole + tail && c.len() + width >= rows * width + whole.max(width));
        // The last panel first: what it writes beyond its rows is the first one's.
        for column in (0..whole).step_by(panel::<S>() * lanes).rev() {
            let registers = ((whole - column) / lanes).min(panel::<S>());
            // SAFETY: the assertions above bound every access: the tiles cover rows `0..rows`, which every tile
            // height divides, and columns `column..column + registers·lanes` ≤ `whole`; the panel of these columns
            // starts at `column·depth` and holds `depth` rows of `registers·lanes` numbers.
            unsafe {
                let b = b.as_ptr().add(column * depth);
                let c = c.as_mut_ptr().add(column);
                let a = a.as_ptr();
                if S::REGISTER_COUNT >= 32 {
                    match registers {
                        4 => column_of_tiles::<S, R, 6, 4>(simd, rows, depth, a, a_stride, b, c, width),
                        3 => column_of_tiles::<S, R, 8, 3>(simd, rows, depth, a, a_stride, b, c, width),
                        2 => column_of_tiles::<S, R, 12, 2>(simd, rows, depth, a, a_stride, b, c, width),
                        _ => column_of_tiles::<S, R, 24, 1>(simd, rows, depth, a, a_stride, b, c, width),
                    }
                } else {
                    match registers {
                        4 => column_of_tiles::<S, R, 3, 4>(simd, rows, depth, a, a_stride, b, c, width),
                        3 => column_of_tiles::<S, R, 4, 3>(simd, rows, depth, a, a_stride, b, c, width),
                        2 => column_of_tiles::<S, R, 6, 2>(simd, rows, depth, a, a_stride, b, c, width),
                        _ => column_of_tiles::<S, R, 12, 1>(simd, rows, depth, a, a_stride, b, c, width),
                    }
                }
            }
        }
        // SAFETY: as above; behind the panels lie the registers of columns `whole..width`, a group's part of one.
        unsafe {
            let (a, b) = (a.as_ptr(), b.as_ptr().add(depth * whole));
            let c = c.as_mut_ptr().add(whole);
            match group {
                2 => tail_of_rows::<S, R, 2>(simd, rows, depth, a, a_stride, b, c, width),
                4 => tail_of_rows::<S, R, 4>(simd, rows, depth, a, a_stride, b, c, width),
                _ => {}
            }
        }
    }
}

/// The columns beyond the last whole register, a `G`th part of one, from the first row to the last.
///
/// # Safety
/// `a` is readable for `rows` rows of `a_stride ≥ depth`, `b` for `groups(depth, G)` registers, `c` writable for `rows` rows of
/// a `G`th part of a register, `c_stride` apart; 12 divides `rows`.
#[expect(clippy::too_many_arguments, reason = "a kernel with all that it reads and writes")]
#[inline(always)]
unsafe fn tail_of_rows<S: Simd, R: Real, const G: usize>(
    simd: S,
    rows: usize,
    depth: usize,
    a: *const R,
    a_stride: usize,
    b: *const R,
    c: *mut R,
    c_stride: usize,
) {
    const M: usize = 12;
    let lanes = R::lanes::<S>();
    let groups = depth / G;
    for row in (0..rows).step_by(M) {
        // SAFETY: all offsets stay within the bounds that the caller promises.
        unsafe {
            let a = a.add(row * a_stride);
            let mut sum = [R::splat(simd, R::default()); M];
            for k in 0..groups {
                let columns = R::load(simd, b.add(k * lanes));
                for i in 0..M {
                    let factors = R::splat_group::<S, G>(simd, a.add(i * a_stride + k * G));
                    sum[i] = R::mul_add(simd, factors, columns, sum[i]);
                }
            }
            for k in 0..depth % G {
                let columns = R::load(simd, b.add((groups + k) * lanes));
                for i in 0..M {
                    let factor = R::splat(simd, *a.add(i * a_stride + groups * G + k));
                    sum[i] = R::mul_add(simd, factor, columns, sum[i]);
                }
            }
            for first in (0..M).step_by(G) {
                let all = R::sum_groups::<S, G>(simd, std::array::from_fn(|i| sum[first + i]));
                let mut places = [R::default(); MOST_LANES];
                R::store(simd, places.as_mut_ptr(), all);
                for i in 0..G {
                    let c = c.add((row + first + i) * c_stride);
                    for j in 0..lanes / G {
                        *c.add(j) = places[j * G + i];
                    }
                }
            }
        }
    }
}

/// The tiles of one panel, from the first row to the last.
///
/// # Safety
/// `a` is readable for `rows` rows of `a_stride ≥ depth`, `b` for `depth` rows of `N` registers,
/// `c` writable for `rows` rows of `N` registers, `c_stride` apart; `M` divides `rows`.
#[expect(clippy::too_many_arguments, reason = "a kernel with all that it reads and writes")]
#[inline(always)]
unsafe fn column_of_tiles<S: Simd, R: Real, const M: usize, const N: usize>(
    simd: S,
    rows: usize,
    depth: usize,
    a: *const R,
    a_stride: usize,
    b: *const R,
    c: *mut R,
    c_stride: usize,
) {
    let lanes = R::lanes::<S>();
    let mut row = 0;
    while row < rows {
        // SAFETY: all offsets stay within the bounds that the caller promises.
        unsafe {
            let a = a.add(row * a_stride);
            let c = c.add(row * c_stride);
            let mut sum = [[R::splat(simd, R::default()); N]; M];
            for k in 0..depth {
                let mut columns = [R::splat(simd, R::default()); N];
                for j in 0..N {
                    columns[j] = R::load(simd, b.add((k * N + j) * lanes));
                }
                for i in 0..M {
                    let factor = R::splat(simd, *a.add(i * a_stride + k));
                    for j in 0..N {
                        sum[i][j] = R::mul_add(simd, factor, columns[j], sum[i][j]);
                    }
                }
            }
            for i in 0..M {
                for j in 0..N {
                    R::store(simd, c.add(i * c_stride + j * lanes), sum[i][j]);
                }
            }
        }
        row += M;
    }
}

/// Where [`TransposedProduct`] leaves C, for registers of so many numbers.
///
/// Columns beyond the last whole register are rows of their own behind the others, one for each, where that takes fewer
/// registers in all.
#[derive(Clone, Copy)]
pub(super) struct Target {
    height: usize,
    /// Numbers of a row: whole registers.
    whole: usize,
    /// Columns that are rows behind the others, and numbers in each of these: whole registers.
    tail: usize,
    tail_length: usize,
}

impl Target {
    pub(super) fn new(lanes: usize, height: usize, width: usize) -> Self {
        let (tail, tail_length) = (width % lanes, height.next_multiple_of(lanes));
        if tail > 0 && tail * tail_length < height * lanes {
            return Self { height, whole: width - tail, tail, tail_length };
        }
        Self { height, whole: width.next_multiple_of(lanes), tail: 0, tail_length }
    }

    /// Numbers in all.
    pub(super) fn length(&self) -> usize {
        self.height * self.whole + self.tail * self.tail_length
    }

    /// Row `i` of C: what lies side by side, and then the columns behind.
    pub(super) fn row<'a, R>(&self, c: &'a [R], i: usize) -> (&'a [R], impl Iterator<Item = &'a R>) {
        let behind = c[self.height * self.whole..].chunks_exact(self.tail_length);
        (&c[i * self.whole..][..self.whole], behind.map(move |column| &column[i]))
    }
}

/// `C = C·accumulate + AᵀB`: A is `rows × height`, B `rows × width`, C lies as [`Target`] says.
///
/// What the ends of its rows hold is of no meaning.
pub(super) struct TransposedProduct<'a, R, S> {
    pub(super) simd: S,
    pub(super) rows: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) a: &'a [R],
    pub(super) a_stride: usize,
    pub(super) b: &'a [R],
    pub(super) c: &'a mut [R],
    pub(super) accumulate: bool,
}

impl<R: Real, S: Simd> NullaryFnOnce for TransposedProduct<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rows, height, width, a, a_stride, b, c, accumulate } = self;
        let lanes = R::lanes::<S>();
        let target = Target::new(lanes, height, width);
        let Target { whole, tail, tail_length, .. } = target;
        assert!(height <= a_stride && c.len() >= target.length());
        // The last rows of A and B end with what is read of them.
        let read_of_a = if tail > 0 { tail_length } else { height };
        assert!(a.len() + a_stride >= rows * a_stride + read_of_a);
        assert!(b.len() + width >= rows * width + whole.max(width));
        let (main, behind) = c.split_at_mut(height * whole);
        let (a, b) = (a.as_ptr(), b.as_ptr());
        let parts = [
            (a, a_stride, height, b, width, main, whole),
            (b.wrapping_add(whole), width, tail, a, a_stride, behind, tail_length),
        ];
        for (a, a_stride, height, b, b_stride, c, whole) in parts {
            for column in (0..whole).step_by(panel::<S>() * lanes) {
                let registers = ((whole - column) / lanes).min(panel::<S>());
                let mut first = 0;
                while first < height {
                    let left = height - first;
                    // SAFETY: the assertions above bound every access; a tile of height M is taken only where M rows
                    // of C are left, and covers columns `column..column + registers·lanes` ≤ `whole`.
                    unsafe {
                        let (a, b) = (a.add(first), b.add(column));
                        let c = c.as_mut_ptr().add(first * whole + column);
                        let wide = S::REGISTER_COUNT >= 32;
                        macro_rules! tile {
                            ($m:literal, $n:literal) => {{
                                transposed_tile::<S, R, $m, $n>(
                                    simd, rows, a, a_stride, b, b_stride, c, whole, accumulate,
                                );
                                $m
                            }};
                        }
                        first += match registers {
                            4 if left >= 4 => tile!(4, 4),
                            4 => tile!(1, 4),
                            3 if left >= 8 => tile!(8, 3),
                            3 if left >= 4 => tile!(4, 3),
                            3 => tile!(1, 3),
                            2 if wide && left >= 8 => tile!(8, 2),
                            2 if left >= 4 => tile!(4, 2),
                            2 => tile!(1, 2),
                            _ if left >= 8 => tile!(8, 1),
                            _ if left >= 4 => tile!(4, 1),
                            _ => tile!(1, 1),
                        };
                    }
                }
            }
        }
    }
}

/// One `M × N` tile of `AᵀB`, summed over all rows in registers.
///
/// # Safety
/// `a` is readable for `M` numbers and `b` for `N` registers in each of `rows` rows, `a_stride` and `b_stride` apart;
/// `c` is readable and writable for `M` rows of `N` registers, `c_stride` apart.
#[expect(clippy::too_many_arguments, reason = "a kernel with all that it reads and writes")]
#[inline(always)]
unsafe fn transposed_tile<S: Simd, R: Real, const M: usize, const N: usize>(
    simd: S,
    rows: usize,
    a: *const R,
    a_stride: usize,
    b: *const R,
    b_stride: usize,
    c: *mut R,
    c_stride: usize,
    accumulate: bool,
) {
    let lanes = R::lanes::<S>();
    // SAFETY: all offsets stay within the bounds that the caller promises.
    unsafe {
        let mut sum = [[R::splat(simd, R::default()); N]; M];
        for row in 0..rows {
            let mut columns = [R::splat(simd, R::default()); N];
            for j in 0..N {
                columns[j] = R::load(simd, b.add(row * b_stride + j * lanes));
            }
            for i in 0..M {
                let factor = R::splat(simd, *a.add(row * a_stride + i));
                for j in 0..N {
                    sum[i][j] = R::mul_add(simd, factor, columns[j], sum[i][j]);
                }
            }
        }
        for i in 0..M {
            for j in 0..N {
                let place = c.add(i * c_stride + j * lanes);
                let value =
                    if accumulate { R::add(simd, R::load(simd, place), sum[i][j]) } else { sum[i][j] };
                R::store(simd, place, value);
            }
        }
    }
}

/// `c[n·rows + r] = Σₖ A[r, k]·B[n, k]`: a product with few outputs, each a column of its own.
///
/// A is `rows × width`, B `outputs` rows of whole registers.
pub(super) struct ColumnsProduct<'a, R, S> {
    pub(super) simd: S,
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) outputs: usize,
    pub(super) a: &'a [R],
    pub(super) b: &'a [R],
    pub(super) c: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for ColumnsProduct<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, rows, width, outputs, a, b, c } = self;
        let lanes = R::lanes::<S>();
        let whole = width.next_multiple_of(lanes);
        assert!(a.len() + width >= rows * width + whole && b.len() >= outputs * whole);
        assert!(c.len() >= outputs * rows);
        for n in 0..outputs {
            for r in 0..rows {
                let mut sum = R::splat(simd, R::default());
                for k in (0..width).step_by(lanes) {
                    // SAFETY: `k + lanes ≤ whole`, and the assertions above bound rows and outputs.
                    unsafe {
                        let x = R::load(simd, a.as_ptr().add(r * width + k));
                        let w = R::load(simd, b.as_ptr().add(n * whole + k));
                        // Were the next row's numbers not finite, zeros would not make them harmless.
                        sum = R::mul_add(simd, first::<S, R>(simd, width - k, x), w, sum);
                    }
                }
                c[n * rows + r] = R::sum(simd, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::dispatch::{Isa, WithReal};

    /// A number that looks random but is a function of its place.
    fn element(i: usize, j: usize) -> f64 {
        ((i * 37 + j * 101 + 13) % 97) as f64 / 97.0 - 0.5
    }

    struct Check {
        rows: usize,
        depth: usize,
        width: usize,
    }

    impl WithReal for Check {
        type Output<R: Real> = ();

        fn call<S: Simd, R: Real>(self, simd: S) {
            let Self { rows, depth, width } = self;
            let whole = width.next_multiple_of(R::lanes::<S>());
            // What lies beyond the last row is read, but must not count.
            let make = |n: usize, m: usize, shift: usize| -> Vec<R> {
                let numbers = (0..n * m).map(|i| R::from_f64(element(i / m + shift, i % m)));
                numbers.chain([R::from_f64(f64::NAN); MOST_LANES]).collect()
            };
            let a = make(rows, depth, 0);
            let b = make(depth, width, 5);
            let mut panels = vec![R::default(); depth * whole];
            for k in 0..depth {
                for n in 0..width {
                    panels[panel_offset::<S, R>(depth, width, k, n)] = b[k * width + n];
                }
            }
            let mut c = vec![R::default(); rows * width + MOST_LANES];
            simd.vectorize(Product {
                simd,
                rows,
                depth,
                width,
                a: &a,
                a_stride: depth,
                b: &panels,
                c: &mut c,
            });
            let tolerance = 40.0 * R::EPSILON.to_f64();
            for r in 0..rows {
                for n in 0..width {
                    let exact: f64 =
                        (0..depth).map(|k| a[r * depth + k].to_f64() * b[k * width + n].to_f64()).sum();
                    assert!((c[r * width + n].to_f64() - exact).abs() < tolerance);
                }
            }

            let b = make(rows, width, 9);
            let target = Target::new(R::lanes::<S>(), depth, width);
            let mut c = vec![R::from_f64(1.0); target.length()];
            simd.vectorize(TransposedProduct {
                simd,
                rows,
                height: depth,
                width,
                a: &a,
                a_stride: depth,
                b: &b,
                c: &mut c,
                accumulate: true,
            });
            for i in 0..depth {
                let (row, behind) = target.row(&c, i);
                for (n, x) in row.iter().chain(behind).take(width).enumerate() {
                    let exact: f64 = 1.0
                        + (0..rows)
                            .map(|r| a[r * depth + i].to_f64() * b[r * width + n].to_f64())
                            .sum::<f64>();
                    assert!((x.to_f64() - exact).abs() < tolerance);
                }
            }

            let outputs = 3;
            let w = make(outputs, width, 2);
            let mut padded = vec![R::default(); outputs * whole];
            for n in 0..outputs {
                padded[n * whole..][..width].copy_from_slice(&w[n * width..][..width]);
            }
            let mut c = vec![R::default(); outputs * rows];
            simd.vectorize(ColumnsProduct { simd, rows, width, outputs, a: &b, b: &padded, c: &mut c });
            for n in 0..outputs {
                for r in 0..rows {
                    let exact: f64 =
                        (0..width).map(|k| b[r * width + k].to_f64() * w[n * width + k].to_f64()).sum();
                    assert!((c[n * rows + r].to_f64() - exact).abs() < tolerance);
                }
            }
        }
    }

    #[test]
    fn products_agree_with_plain_sums_on_every_instruction_set() {
        for isa in Isa::available() {
            for width in [1, 4, 8, 12, 20, 24, 33, 40, 64, 100] {
                for depth in [1, 2, 7, 19, 20, 64] {
                    isa.run::<f32, _>(Check { rows: 48, depth, width });
                    isa.run::<f64, _>(Check { rows: 24, depth, width });
                }
            }
        }
    }
}
