//! Cholesky factors of a dense symmetric matrix, shared out among threads.
//!
//! Columns are taken in fixed strips.
//! A strip's own factor, and the rows below it, are found by one thread; what they take from the strips to the right, where
//! nearly all the work is, is a product for each of those.
//! Every number is computed by the same calls whoever makes them, so bits do not depend on the number of threads; the
//! library's own parallel factorization does not promise that.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Conj, MatMut, MatRef, Par, Spec};

use crate::team::Team;

/// Columns of a strip: few, since one thread works on them, and enough for products to run at the machine's speed.
const STRIP: usize = 96;

/// Room for the factors and solutions of an n × n matrix.
pub(super) fn memory(n: usize) -> MemBuffer {
    let strip = llt::factor::cholesky_in_place_scratch::<f64>(STRIP.min(n), Par::Seq, Spec::default());
    MemBuffer::new(strip.or(llt::solve::solve_in_place_scratch::<f64>(n, 1, Par::Seq)))
}

/// Replaces the lower triangle of `matrix` (column by column, square) by L with LLᵀ = A; `None` where A is not positive
/// definite to rounding.
///
/// Numbers above the diagonal are of no meaning before and after.
pub(super) fn factorize(matrix: &mut [f64], n: usize, team: &Team, stack: &mut MemStack) -> Option<()> {
    for first in (0..n).step_by(STRIP) {
        let width = STRIP.min(n - first);
        let (strip, right) = matrix[first * n..].split_at_mut(width * n);
        let strip = MatMut::from_column_major_slice_mut(strip, n, width);
        let (mut square, mut below) = strip.split_at_row_mut(first).1.split_at_row_mut(width);
        let regularization = llt::factor::LltRegularization::default();
        llt::factor::cholesky_in_place(square.rb_mut(), regularization, Par::Seq, stack, Spec::default())
            .ok()?;
        solve_lower_triangular_in_place(square.rb(), below.rb_mut().transpose_mut(), Par::Seq);
        let below = below.rb();
        team.share(right.chunks_mut(STRIP * n).enumerate(), |_, (strip, columns)| {
            let (skipped, width) = (strip * STRIP, columns.len() / n);
            let columns = MatMut::from_column_major_slice_mut(columns, n, width);
            let to = columns.split_at_row_mut(n - below.nrows() + skipped).1;
            let rows = below.split_at_row(skipped).1;
            let factor = rows.split_at_row(width).0.transpose();
            matmul(to, Accum::Add, rows, factor, -1.0, Par::Seq);
        });
    }
    Some(())
}

/// Replaces `x` by the solution of LLᵀ·solution = `x`, for what [`factorize`] left.
pub(super) fn solve(factor: &[f64], x: &mut [f64], stack: &mut MemStack) {
    let n = x.len();
    let factor = MatRef::from_column_major_slice(factor, n, n);
    let x = MatMut::from_column_major_slice_mut(x, n, 1);
    llt::solve::solve_in_place_with_conj(factor, Conj::No, x, Par::Seq, stack);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Gram matrix and a little more on its diagonal, column by column.
    fn definite(n: usize) -> Vec<f64> {
        let x = |i: usize, k: usize| ((i * 37 + k * k * 11 + 5) as f64 * 0.7).sin();
        let element = |i, j| (0..20).map(|k| x(i, k) * x(j, k)).sum::<f64>();
        (0..n * n).map(|k| element(k % n, k / n) + if k % n == k / n { 0.1 } else { 0.0 }).collect()
    }

    #[test]
    fn solutions_solve_on_any_number_of_threads_with_the_same_bits() {
        for n in [1, 5, 96, 97, 300] {
            let matrix = definite(n);
            let right: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            let mut alone: Option<Vec<f64>> = None;
            for threads in 1..=3 {
                let team = Team::new(threads).expect("threads");
                let (mut factor, mut x, mut memory) = (matrix.clone(), right.clone(), memory(n));
                let stack = MemStack::new(&mut memory);
                factorize(&mut factor, n, &team, stack).expect("it is positive definite");
                solve(&factor, &mut x, stack);
                for i in 0..n {
                    let left: f64 = (0..n).map(|j| matrix[j * n + i] * x[j]).sum();
                    assert!((left - right[i]).abs() < 1e-10, "{n}: {left} against {}", right[i]);
                }
                assert_eq!(*alone.get_or_insert_with(|| x.clone()), x, "{n} on {threads} threads");
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_factor() {
        for bad in [0, 50, 96, 299] {
            let mut matrix = definite(300);
            matrix[bad * 301] = -1.0;
            let mut memory = memory(300);
            assert_eq!(factorize(&mut matrix, 300, &Team::alone(), MemStack::new(&mut memory)), None);
        }
    }
}
