//! Damped linear least squares by orthogonal transformations: no normal equations, whose condition is the square of J's.
//!
//! min |Jδ + r|² + μ·δᵀDδ is solved for many μ at the price of one factorization (Eldén 1977; Björck 1996, section 5.3.4):
//! J = QR by Householder's reflections, R·D^(−½) = U·B·Vᵀ with B upper bidiagonal, and for each μ the problem
//! min |Bz + Uᵀc|² + μ|z|² with c the head of Qᵀr, which takes 2n rotations; δ = D^(−½)·V·z.
//! What rounding leaves of directions along which J is σ times its norm is ε/σ of them, where JᵀJ, formed, leaves ε/σ².
//!
//! Columns of J are taken in fixed strips, as in `cholesky.rs`: each strip's reflections are found by one thread and applied to
//! the strips to the right by all, so that bits do not depend on the number of threads.
//! B is found by one thread.

use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as apply_transpose_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj as apply_transpose,
};
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd::bidiag;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Conj, MatMut, MatRef, Par, Spec};

use super::{dot, norm};
use crate::team::Team;

/// Columns of a strip, and reflections that are applied together.
const STRIP: usize = 64;
const BLOCK: usize = 32;

/// Rows of J that are held at a time, as multiples of its columns, and the numbers that they may have if that is more: a quarter
/// of a gibibyte.
const HELD: usize = 5;
const NUMBERS: usize = 1 << 25;

/// A least-squares problem in n unknowns, and its factors.
pub(super) struct Orthogonal {
    n: usize,
    /// J and r, n + 1 columns of `height` numbers, of which the first `filled` are there.
    columns: Vec<f64>,
    height: usize,
    filled: usize,
    /// Reflections of a strip, and room to find and apply them.
    coefficients: Vec<f64>,
    rooms: Vec<MemBuffer>,
    /// R·D^(−½), then B with the reflections of U below and those of V, as rows, right of it; n × n, column by column.
    square: Vec<f64>,
    left: Vec<f64>,
    right: Vec<f64>,
    /// The reflections of V, column by column.
    across: Vec<f64>,
    memory: MemBuffer,
    /// The root of D, if it is not the identity.
    roots: Vec<f64>,
    /// c, then Uᵀc.
    head: Vec<f64>,
    /// The rotated system of one μ: its diagonal, what is above it, and its right-hand side.
    rotated: [Vec<f64>; 3],
}

impl Orthogonal {
    /// For `n` unknowns, at least one.
    pub(super) fn new(n: usize) -> Self {
        Self::holding(n, (HELD * n).max(NUMBERS / (n + 1)))
    }

    /// The same, with room for no fewer than so many rows, more than n.
    fn holding(n: usize, rows: usize) -> Self {
        let block = BLOCK.min(n);
        let strip = qr::qr_in_place_scratch::<f64>(STRIP, STRIP, STRIP, Par::Seq, Spec::default())
            .or(apply_transpose_scratch::<f64>(STRIP, STRIP, STRIP));
        let whole = StackReq::any_of(&[
            bidiag::bidiag_in_place_scratch::<f64>(n, n, Par::Seq, Spec::default()),
            apply_scratch::<f64>(n, block, 1),
            apply_transpose_scratch::<f64>(n, block, 1),
        ]);
        // Columns an odd number of cache lines apart do not fall on one another's place in the cache.
        let height = rows.div_ceil(16) * 16 + 8;
        Self {
            n,
            columns: vec![0.0; height * (n + 1)],
            height,
            filled: 0,
            coefficients: vec![0.0; STRIP * STRIP],
            rooms: (0..(n + 1).div_ceil(STRIP)).map(|_| MemBuffer::new(strip)).collect(),
            square: vec![0.0; n * n],
            left: vec![0.0; block * n],
            right: vec![0.0; block * (n - 1)],
            across: vec![0.0; (n - 1) * (n - 1)],
            memory: MemBuffer::new(whole),
            roots: Vec::with_capacity(n),
            head: vec![0.0; n],
            rotated: std::array::from_fn(|_| vec![0.0; n]),
        }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes up rows of n derivatives and a residual each.
    pub(super) fn push(&mut self, team: &Team, mut rows: &[f64]) {
        let width = self.n + 1;
        while !rows.is_empty() {
            if self.filled == self.height {
                self.triangularize(team);
            }
            let (now, later) = rows.split_at(((self.height - self.filled) * width).min(rows.len()));
            let (height, filled) = (self.height, self.filled);
            team.share(self.columns.chunks_mut(STRIP * height).enumerate(), |_, (strip, columns)| {
                for (i, row) in now.chunks_exact(width).enumerate() {
                    let row = &row[strip * STRIP..];
                    for (column, x) in columns.chunks_exact_mut(height).zip(row) {
                        column[filled + i] = *x;
                    }
                }
            });
            self.filled += now.len() / width;
            rows = later;
        }
    }

    /// Replaces all rows by the n of R, with c beside them.
    fn triangularize(&mut self, team: &Team) {
        let (n, height) = (self.n, self.height);
        // No fewer rows than unknowns: zeros change nothing.
        let m = self.filled.max(n);
        for column in self.columns.chunks_exact_mut(height) {
            column[self.filled..m].fill(0.0);
        }
        for first in (0..n).step_by(STRIP) {
            let width = STRIP.min(n - first);
            let (strip, right) = self.columns[first * height..].split_at_mut(width * height);
            let mut strip = part(strip, height, first..m);
            let coefficients = &mut self.coefficients[..width * width];
            let mut coefficients = MatMut::from_column_major_slice_mut(coefficients, width, width);
            let room = MemStack::new(&mut self.rooms[0]);
            qr::qr_in_place(strip.rb_mut(), coefficients.rb_mut(), Par::Seq, room, Spec::default());
            let (strip, coefficients) = (strip.rb(), coefficients.rb());
            team.share(right.chunks_mut(STRIP * height).zip(&mut self.rooms), |_, (columns, room)| {
                let columns = part(columns, height, first..m);
                apply_transpose(strip, coefficients, Conj::No, columns, Par::Seq, MemStack::new(room));
            });
        }
        for (j, column) in self.columns.chunks_exact_mut(height).enumerate() {
            column[(j + 1).min(n)..n].fill(0.0);
        }
        self.filled = n;
    }

    /// J = QR; Jᵀr goes to `slope`. Numbers that are not finite stay so.
    pub(super) fn factorize(&mut self, team: &Team, slope: &mut [f64]) {
        self.triangularize(team);
        let (n, height) = (self.n, self.height);
        self.head.copy_from_slice(&self.columns[n * height..][..n]);
        for (slope, column) in slope.iter_mut().zip(self.columns.chunks_exact(height)) {
            *slope = dot(&column[..n], &self.head);
        }
    }

    /// The norms of J's columns.
    pub(super) fn column_norms(&self) -> impl Iterator<Item = f64> {
        self.columns.chunks_exact(self.height).take(self.n).map(|column| norm(&column[..self.n]))
    }

    /// R·D^(−½) = U·B·Vᵀ, with D the identity where `scales` are none.
    pub(super) fn bidiagonalize(&mut self, scales: &[f64]) {
        self.roots.clear();
        self.roots.extend(scales.iter().map(|scale| scale.sqrt()));
        let n = self.n;
        let columns = self.square.chunks_exact_mut(n).zip(self.columns.chunks_exact(self.height));
        for (j, (to, from)) in columns.enumerate() {
            let factor = self.roots.get(j).map_or(1.0, |root| root.recip());
            to.iter_mut().zip(from).for_each(|(to, from)| *to = factor * from);
        }
        let block = BLOCK.min(n);
        let mut square = MatMut::from_column_major_slice_mut(&mut self.square, n, n);
        let mut left = MatMut::from_column_major_slice_mut(&mut self.left, block, n);
        let mut right = MatMut::from_column_major_slice_mut(&mut self.right, block, n - 1);
        let stack = MemStack::new(&mut self.memory);
        bidiag::bidiag_in_place(
            square.rb_mut(),
            left.rb_mut(),
            right.rb_mut(),
            Par::Seq,
            stack,
            Spec::default(),
        );
        let head = MatMut::from_column_major_slice_mut(&mut self.head, n, 1);
        apply_transpose(square.rb(), left.rb(), Conj::No, head, Par::Seq, stack);
        for (j, column) in self.square.chunks_exact(n).enumerate().skip(1) {
            for (i, x) in column[..j].iter().enumerate() {
                self.across[i * (n - 1) + j - 1] = *x;
            }
        }
    }

    /// The δ of the damping `mu`, and by how much it lowers |Jδ + r|².
    pub(super) fn solve(&mut self, mu: f64, step: &mut [f64]) -> f64 {
        let n = self.n;
        let Self { square, head, rotated: [diagonal, above, side], .. } = self;
        let entry = |i: usize, j: usize| square[j * n + i];
        // Row i of √μ, which begins with nothing on the right, takes up what rotating the row before has left.
        let (mut low, mut low_side) = (mu.sqrt(), 0.0);
        for i in 0..n {
            let (d, e) = (entry(i, i), if i + 1 < n { entry(i, i + 1) } else { 0.0 });
            let length = d.hypot(low);
            let (cos, sin) = if length == 0.0 { (1.0, 0.0) } else { (d / length, low / length) };
            diagonal[i] = length;
            above[i] = cos * e;
            side[i] = cos * head[i] + sin * low_side;
            let (fill, fill_side) = (-sin * e, cos * low_side - sin * head[i]);
            let length = mu.sqrt().hypot(fill);
            low_side = if length == 0.0 { 0.0 } else { fill / length * fill_side };
            low = length;
        }
        let mut next = 0.0;
        for i in (0..n).rev() {
            let x = side[i] - above[i] * next;
            next = if diagonal[i] == 0.0 { 0.0 } else { x / diagonal[i] };
            step[i] = next;
        }
        // |Uᵀc|² − |Uᵀc − Bz|², of the z that is about to become −δ.
        let mut lowered = 0.0;
        for i in 0..n {
            let image = entry(i, i) * step[i] + if i + 1 < n { entry(i, i + 1) * step[i + 1] } else { 0.0 };
            lowered += (2.0 * head[i] - image) * image;
        }
        step.iter_mut().for_each(|x| *x = -*x);
        if n > 1 {
            let basis = MatRef::from_column_major_slice(&self.across, n - 1, n - 1);
            let right = MatRef::from_column_major_slice(&self.right, BLOCK.min(n), n - 1);
            let tail = MatMut::from_column_major_slice_mut(&mut step[1..], n - 1, 1);
            apply(basis, right, Conj::No, tail, Par::Seq, MemStack::new(&mut self.memory));
        }
        step.iter_mut().zip(&self.roots).for_each(|(x, root)| *x /= root);
        lowered
    }
}

/// Some rows of whole columns.
fn part(columns: &mut [f64], height: usize, rows: Range<usize>) -> MatMut<'_, f64> {
    let columns = MatMut::from_column_major_slice_mut(columns, height, columns.len() / height);
    columns.subrows_mut(rows.start, rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of J and r with columns that shrink fast, so that JᵀJ has nothing left of the last ones.
    fn rows(m: usize, n: usize) -> Vec<f64> {
        let x = |i: usize, j: usize| ((i * 37 + j * j * 11 + i * j * 5 + 3) as f64 * 0.7).sin();
        let row = |i| (0..=n).map(move |j| x(i, j) * 10.0_f64.powf(-12.0 * (j % n) as f64 / n as f64));
        (0..m).flat_map(row).collect()
    }

    /// Jᵀ(Jδ + r) + μDδ, row by row, over its terms' size.
    fn mismatch(rows: &[f64], n: usize, mu: f64, scales: &[f64], step: &[f64]) -> f64 {
        let mut sums = vec![0.0; n];
        let mut sizes = vec![0.0; n];
        for row in rows.chunks_exact(n + 1) {
            let along = dot(&row[..n], step) + row[n];
            let size: f64 = row[..n].iter().zip(step).map(|(x, d)| (x * d).abs()).sum::<f64>() + row[n].abs();
            for j in 0..n {
                sums[j] += row[j] * along;
                sizes[j] += row[j].abs() * size;
            }
        }
        (0..n)
            .map(|j| {
                let damped = mu * scales.get(j).unwrap_or(&1.0) * step[j];
                (sums[j] + damped).abs() / (sizes[j] + damped.abs())
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn solutions_are_stationary_for_every_damping_with_the_same_bits_on_any_number_of_threads() {
        for (m, n) in [(1, 1), (7, 2), (90, 33), (300, 64), (300, 65), (400, 130), (40, 70)] {
            let rows = rows(m, n);
            let scales: Vec<f64> = (0..n).map(|j| 10.0_f64.powi(-(j as i32 % 5))).collect();
            for scales in [&[][..], &scales] {
                let mut alone: Option<Vec<f64>> = None;
                for threads in 1..=3 {
                    let team = Team::new(threads).expect("threads");
                    let mut system = Orthogonal::holding(n, n + 1);
                    rows.chunks(3 * (n + 1)).for_each(|rows| system.push(&team, rows));
                    let mut slope = vec![0.0; n];
                    system.factorize(&team, &mut slope);
                    for (j, slope) in slope.iter().enumerate() {
                        let direct: f64 = rows.chunks_exact(n + 1).map(|row| row[j] * row[n]).sum();
                        let size: f64 = rows.chunks_exact(n + 1).map(|row| (row[j] * row[n]).abs()).sum();
                        assert!((slope - direct).abs() <= 1e-13 * size, "{m} {n}: {slope} against {direct}");
                    }
                    system.bidiagonalize(scales);
                    let mut all = vec![];
                    for mu in [1.0, 1e-6, 1e-14, 1e-20] {
                        let mut step = vec![0.0; n];
                        let lowered = system.solve(mu, &mut step);
                        let off = mismatch(&rows, n, mu, scales, &step);
                        assert!(off < 1e-12, "{m} {n} {mu}: {off}");
                        let before: f64 = rows.chunks_exact(n + 1).map(|row| row[n] * row[n]).sum();
                        let after: f64 = rows
                            .chunks_exact(n + 1)
                            .map(|row| (dot(&row[..n], &step) + row[n]).powi(2))
                            .sum();
                        assert!((before - after - lowered).abs() < 1e-11 * before, "{m} {n} {mu}");
                        all.extend(step);
                    }
                    assert_eq!(*alone.get_or_insert_with(|| all.clone()), all, "{m} {n}, {threads} threads");
                }
            }
        }
    }
}
