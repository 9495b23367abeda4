//! A random sketch of the rows of a least-squares problem: fewer rows, with about the same products.
//!
//! Every row is added to one of a number of sums, with a random sign (the sparse embedding of Clarkson and Woodruff 2013, with
//! equally many rows in each sum; for networks' Jacobians arXiv 2607.02194).
//! Of S·J and S·r with a few times as many rows as columns, |SJδ + Sr| is |Jδ + r| within a part that shrinks with the root of their
//! number, and the sums are smaller to factorize.
//! Signs come from a stream of their own and change with every sketch; bits do not depend on the number of threads.

use rand::Rng;

use super::add;
use crate::rng;
use crate::team::Team;

/// Rows that are added at a time.
const ROWS: usize = 64;

/// The sums.
pub(super) struct Sketch {
    /// Numbers of a row.
    width: usize,
    sums: Vec<f64>,
    /// Rows that have been added.
    added: usize,
    signs: rng::Stream,
}

impl Sketch {
    /// At most `kept` rows of `width` numbers; signs after `seed`.
    pub(super) fn new(kept: usize, width: usize, seed: u64) -> Self {
        Self { width, sums: vec![0.0; kept * width], added: 0, signs: rng::stream(seed, "sketch") }
    }

    /// Forgets all rows; the signs are those of sketch `number`.
    pub(super) fn clear(&mut self, number: usize) {
        self.added = 0;
        // As many words as signs for any number of rows that fits into memory.
        self.signs.set_word_pos((number as u128) << 40);
    }

    /// Adds rows.
    pub(super) fn add(&mut self, team: &Team, mut rows: &[f64]) {
        let (width, kept) = (self.width, self.sums.len() / self.width);
        while !rows.is_empty() {
            let (first, starts) = (self.added % kept, self.added < kept);
            let count = ROWS.min(kept - first).min(rows.len() / width);
            let (now, later) = rows.split_at(count * width);
            let signs = self.signs.next_u64();
            let sums = self.sums[first * width..][..count * width].chunks_exact_mut(width);
            team.share(sums.zip(now.chunks_exact(width)).enumerate(), |_, (i, (sum, row))| {
                let sign = if signs >> i & 1 == 0 { 1.0 } else { -1.0 };
                if starts {
                    sum.fill(0.0);
                }
                add(sum, sign, row);
            });
            self.added += count;
            rows = later;
        }
    }

    /// Those that are kept.
    pub(super) fn rows(&self) -> &[f64] {
        &self.sums[..self.sums.len().min(self.added * self.width)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, width: usize) -> Vec<f64> {
        (0..count * width).map(|i| (i as f64 * 0.7).sin()).collect()
    }

    fn sketch(threads: usize, rows: &[f64], kept: usize, width: usize, number: usize) -> Vec<f64> {
        let team = Team::new(threads).expect("threads");
        let mut sketch = Sketch::new(kept, width, 3);
        for number in [number + 1, number] {
            sketch.clear(number);
            rows.chunks(7 * width).for_each(|rows| sketch.add(&team, rows));
        }
        sketch.rows().to_vec()
    }

    /// Every row is in one sum, once, with either sign.
    #[test]
    fn sums_are_of_all_rows() {
        let (count, kept, width) = (300, 70, 3);
        // Rows that stand for themselves: powers of two would not fit, so each is alone in its column.
        let unit: Vec<f64> =
            (0..count).flat_map(|i| (0..count).map(move |j| f64::from(u8::from(i == j)))).collect();
        let sums = sketch(2, &unit, kept, count, 0);
        assert_eq!(sums.len(), kept * count);
        for i in 0..count {
            let column: Vec<f64> = (0..kept).map(|k| sums[k * count + i]).collect();
            let place = column.iter().position(|x| x.abs() == 1.0);
            assert_eq!(place, Some(i % kept));
            assert_eq!(column.iter().filter(|x| **x != 0.0).count(), 1);
        }
        let negative = sums.iter().filter(|x| **x < 0.0).count();
        assert!((100..200).contains(&negative), "{negative} of {count}");
        // Fewer rows than sums are kept as they are, but for signs.
        let few = rows(5, width);
        let kept: Vec<f64> = sketch(1, &few, kept, width, 0).iter().map(|x| x.abs()).collect();
        assert_eq!(kept, few.iter().map(|x| x.abs()).collect::<Vec<_>>());
    }

    /// The mean of many sketches' products are the rows' own.
    #[test]
    fn products_are_about_those_of_the_rows() {
        let (count, kept, width, sketches) = (400, 50, 4, 400);
        let rows = rows(count, width);
        let product = |rows: &[f64], a: usize, b: usize| -> f64 {
            rows.chunks_exact(width).map(|row| row[a] * row[b]).sum()
        };
        let all: Vec<Vec<f64>> = (0..sketches).map(|k| sketch(1, &rows, kept, width, k)).collect();
        for a in 0..width {
            for b in 0..width {
                let mean = all.iter().map(|sums| product(sums, a, b)).sum::<f64>() / sketches as f64;
                let size = (product(&rows, a, a) * product(&rows, b, b)).sqrt();
                // A sketch's deviation is about √(2/50) of the size, the mean's a twentieth of that; the streams are fixed.
                assert!((mean - product(&rows, a, b)).abs() < 0.05 * size, "{a} {b}");
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads_but_on_the_number() {
        let rows = rows(333, 9);
        let alone = sketch(1, &rows, 40, 9, 5);
        assert!((2..=4).all(|threads| sketch(threads, &rows, 40, 9, 5) == alone));
        assert_ne!(sketch(1, &rows, 40, 9, 6), alone);
    }
}
