//! A dense symmetric matrix, its lower triangle row by row, and the two operations quasi-Newton methods need.
//!
//! Both read each number of the triangle once, which is what they cost: one thread is enough.
//! Loops are compiled for the machine's registers; sums are split the same way on all of them, so bits are equal.

use pulp::{Arch, NullaryFnOnce};

use super::{add, dot};

/// The matrix.
pub(super) struct Symmetric {
    n: usize,
    arch: Arch,
    /// Row `i` holds columns `0..=i` and begins at `i(i+1)/2`.
    pub(super) lower: Vec<f64>,
}

impl Symmetric {
    /// `factor` times the identity, n × n.
    pub(super) fn identity(n: usize, factor: f64) -> Self {
        let mut matrix = Self { n, arch: Arch::new(), lower: vec![0.0; n * (n + 1) / 2] };
        matrix.set_identity(factor);
        matrix
    }

    /// Becomes `factor` times the identity.
    pub(super) fn set_identity(&mut self, factor: f64) {
        self.lower.fill(0.0);
        let mut diagonal = 0;
        for i in 0..self.n {
            self.lower[diagonal] = factor;
            diagonal += i + 2;
        }
    }

    /// `y = A·x`
    pub(super) fn product(&self, x: &[f64], y: &mut [f64]) {
        assert!(x.len() == self.n && y.len() == self.n);
        self.arch.dispatch(Product { lower: &self.lower, x, y });
    }

    /// `A ← scale·A + uu·u uᵀ + uv·(u vᵀ + v uᵀ) + vv·v vᵀ`
    pub(super) fn update(&mut self, scale: f64, u: &[f64], v: &[f64], uu: f64, uv: f64, vv: f64) {
        assert!(u.len() == self.n && v.len() == self.n);
        self.arch.dispatch(Update { lower: &mut self.lower, scale, u, v, uu, uv, vv });
    }
}

struct Product<'a> {
    lower: &'a [f64],
    x: &'a [f64],
    y: &'a mut [f64],
}

impl NullaryFnOnce for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { mut lower, x, y } = self;
        for i in 0..x.len() {
            let (row, rest) = lower.split_at(i + 1);
            lower = rest;
            // A number off the diagonal stands for two.
            y[i] = dot(row, &x[..=i]);
            add(&mut y[..i], x[i], &row[..i]);
        }
    }
}

struct Update<'a> {
    lower: &'a mut [f64],
    scale: f64,
    u: &'a [f64],
    v: &'a [f64],
    uu: f64,
    uv: f64,
    vv: f64,
}

impl NullaryFnOnce for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { mut lower, scale, u, v, uu, uv, vv } = self;
        for i in 0..u.len() {
            let (row, rest) = lower.split_at_mut(i + 1);
            lower = rest;
            let along_u = uu * u[i] + uv * v[i];
            let along_v = uv * u[i] + vv * v[i];
            for ((a, u), v) in row.iter_mut().zip(u).zip(v) {
                *a = scale * *a + along_u * u + along_v * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_updates_are_those_of_the_whole_matrix() {
        for n in [1, 2, 7, 8, 33] {
            let vector =
                |k: usize| -> Vec<f64> { (0..n).map(|i| ((i * k + k) as f64 * 0.7).sin()).collect() };
            let (u, v, x) = (vector(1), vector(2), vector(3));
            let mut matrix = Symmetric::identity(n, 2.0);
            matrix.update(0.5, &u, &v, 1.5, -0.25, 3.0);
            let mut y = vec![f64::NAN; n];
            matrix.product(&x, &mut y);
            for i in 0..n {
                let exact: f64 = (0..n)
                    .map(|j| {
                        let one = if i == j { 1.0 } else { 0.0 };
                        let mixed = u[i] * v[j] + v[i] * u[j];
                        (one + 1.5 * u[i] * u[j] - 0.25 * mixed + 3.0 * v[i] * v[j]) * x[j]
                    })
                    .sum();
                assert!((y[i] - exact).abs() < 1e-13, "{n}: {} against {exact}", y[i]);
            }
        }
    }
}
