//! Random weight factorization (Wang, Wang, Seidman and Perdikaris 2022, arXiv 2210.01274): a neuron's weights are written as
//! w = exp(s)·v, and a method moves s and v instead of w.
//!
//! The network is the same function; what changes is which steps are short. So this is a method around another one: it
//! shows it φ, which is θ with v in place of w and all s behind, and an objective of φ.
//! This file knows which numbers of the vector are one neuron's weights; it knows no networks.

use std::ops::Range;

use super::{LeastSquares, Objective, Optimizer, State, Step};

/// A neuron's weights, and s at first.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Where w lies in θ.
    pub weights: Range<usize>,
    /// s, the logarithm of their common factor.
    pub factor: f64,
}

/// A method that moves φ.
pub(super) struct Factorized {
    inner: Box<dyn Optimizer>,
    rows: Vec<Row>,
    /// θ with every w divided by its factor, then all s.
    phi: Vec<f64>,
    /// Buffers of θ's length: a point, and a gradient or direction.
    theta: Vec<f64>,
    slope: Vec<f64>,
    /// Buffer of normal equations, n × n, or of rows.
    matrix: Vec<f64>,
}

impl Factorized {
    /// `make` makes a method for a vector of given length; θ has `n` numbers.
    pub(super) fn new(rows: &[Row], n: usize, make: impl FnOnce(usize) -> Box<dyn Optimizer>) -> Self {
        let factors = rows.iter().map(|row| row.factor);
        Self {
            inner: make(n + rows.len()),
            rows: rows.to_vec(),
            phi: vec![f64::NAN; n].into_iter().chain(factors).collect(),
            theta: vec![0.0; n],
            slope: vec![0.0; n],
            matrix: vec![],
        }
    }
}

/// θ of φ.
fn multiply(rows: &[Row], phi: &[f64], theta: &mut [f64]) {
    let (own, factors) = phi.split_at(theta.len());
    theta.copy_from_slice(own);
    for (row, s) in rows.iter().zip(factors) {
        let factor = s.exp();
        theta[row.weights.clone()].iter_mut().for_each(|w| *w *= factor);
    }
}

/// Tᵀ·x for T = ∂θ/∂φ at φ, whose point is `theta`: ∂w/∂v = exp(s), ∂w/∂s = w.
fn pull_back(rows: &[Row], phi: &[f64], theta: &[f64], x: &[f64], to: &mut [f64]) {
    let (own, slopes) = to.split_at_mut(theta.len());
    own.copy_from_slice(x);
    for ((row, s), slope) in rows.iter().zip(&phi[theta.len()..]).zip(slopes) {
        let (w, x) = (&theta[row.weights.clone()], &x[row.weights.clone()]);
        *slope = w.iter().zip(x).map(|(w, x)| w * x).sum();
        let factor = s.exp();
        own[row.weights.clone()].iter_mut().for_each(|x| *x *= factor);
    }
}

/// T·d for a direction d in the space of φ.
fn push(rows: &[Row], phi: &[f64], theta: &[f64], direction: &[f64], to: &mut [f64]) {
    let (own, along) = direction.split_at(theta.len());
    to.copy_from_slice(own);
    for ((row, s), along) in rows.iter().zip(&phi[theta.len()..]).zip(along) {
        let factor = s.exp();
        for (to, w) in to[row.weights.clone()].iter_mut().zip(&theta[row.weights.clone()]) {
            *to = factor * *to + along * w;
        }
    }
}

impl Optimizer for Factorized {
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step {
        let Self { inner, rows, phi, theta: point, slope, matrix } = self;
        multiply(rows, phi, point);
        if *point != theta {
            // Somebody else has moved θ: a stage begins, or training has gone back.
            let (own, factors) = phi.split_at_mut(theta.len());
            own.copy_from_slice(theta);
            for (row, s) in rows.iter().zip(factors) {
                if !s.is_finite() {
                    *s = row.factor;
                }
                let factor = s.exp();
                own[row.weights.clone()].iter_mut().for_each(|v| *v /= factor);
            }
        }
        let step = inner.step(phi, &mut OfFactors { rows, objective, theta: point, slope, matrix });
        multiply(rows, phi, theta);
        step
    }

    fn choice(&self) -> Option<&'static str> {
        self.inner.choice()
    }

    fn dear(&self) -> bool {
        self.inner.dear()
    }

    fn objective_changed(&mut self) {
        self.inner.objective_changed();
    }

    fn start_over(&mut self, factor: f64) {
        self.inner.start_over(factor);
    }

    fn state(&self) -> State {
        let mut state = self.inner.state();
        state.vectors.insert(PHI.to_owned(), self.phi.clone());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        state.copy(PHI, &mut self.phi)?;
        self.inner.restore(state)
    }
}

/// What φ is called in a checkpoint.
const PHI: &str = "factorized";

/// An objective of θ as one of φ.
struct OfFactors<'a> {
    rows: &'a [Row],
    objective: &'a mut dyn Objective,
    theta: &'a mut [f64],
    slope: &'a mut [f64],
    matrix: &'a mut Vec<f64>,
}

impl Objective for OfFactors<'_> {
    fn value(&mut self, phi: &[f64]) -> f64 {
        multiply(self.rows, phi, self.theta);
        self.objective.value(self.theta)
    }

    fn value_and_gradient(&mut self, phi: &[f64], gradient: &mut [f64]) -> f64 {
        multiply(self.rows, phi, self.theta);
        let value = self.objective.value_and_gradient(self.theta, self.slope);
        pull_back(self.rows, phi, self.theta, self.slope, gradient);
        value
    }

    fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
        self.objective.least_squares().is_some().then_some(self as _)
    }
}

/// The sums of squares that there are, as [`Objective::least_squares`] has found.
const SQUARES: &str = "an objective with residuals";

impl LeastSquares for OfFactors<'_> {
    fn residual_rows(&mut self, phi: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
        let (rows, n, m) = (self.rows, self.theta.len(), phi.len());
        multiply(rows, phi, self.theta);
        let (theta, buffer) = (&*self.theta, &mut *self.matrix);
        let objective = self.objective.least_squares().expect(SQUARES);
        objective.residual_rows(theta, &mut |own| {
            let count = own.len() / (n + 1);
            buffer.resize(buffer.len().max(count * (m + 1)), 0.0);
            let moved = &mut buffer[..count * (m + 1)];
            for (row, to) in own.chunks_exact(n + 1).zip(moved.chunks_exact_mut(m + 1)) {
                pull_back(rows, phi, theta, &row[..n], &mut to[..m]);
                to[m] = row[n];
            }
            take(moved);
        })
    }

    fn normal_equations(&mut self, phi: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
        let (n, m) = (self.theta.len(), phi.len());
        multiply(self.rows, phi, self.theta);
        self.matrix.resize(self.matrix.len().max(n * n), 0.0);
        let own = &mut self.matrix[..n * n];
        let objective = self.objective.least_squares().expect(SQUARES);
        let value = objective.normal_equations(self.theta, own, self.slope);
        pull_back(self.rows, phi, self.theta, self.slope, vector);
        // M·T row by row, in the first n rows of the result; then Tᵀ from the left, a row of which adds up several.
        for (row, to) in own.chunks_exact(n).zip(matrix.chunks_exact_mut(m)) {
            pull_back(self.rows, phi, self.theta, row, to);
        }
        let (own, behind) = matrix.split_at_mut(n * m);
        for ((row, s), to) in self.rows.iter().zip(&phi[n..]).zip(behind.chunks_exact_mut(m)) {
            to.fill(0.0);
            let factor = s.exp();
            for i in row.weights.clone() {
                let from = &mut own[i * m..][..m];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += self.theta[i] * *from;
                    *from *= factor;
                }
            }
        }
        value
    }

    fn gauss_newton_product(&mut self, phi: &[f64], direction: &[f64], product: &mut [f64]) {
        multiply(self.rows, phi, self.theta);
        let (rows, n) = (self.rows, self.theta.len());
        self.matrix.resize(self.matrix.len().max(n), 0.0);
        let moved = &mut self.matrix[..n];
        push(rows, phi, self.theta, direction, moved);
        let objective = self.objective.least_squares().expect(SQUARES);
        objective.gauss_newton_product(self.theta, moved, self.slope);
        pull_back(rows, phi, self.theta, self.slope, product);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::optim::{Layout, new, tests::every_method};
    use crate::team::Team;

    /// (1 − x₀)², (10(x₁ − x₀²))², and so on for pairs, as a sum of squares.
    struct Valley;

    impl Valley {
        fn residuals(x: &[f64]) -> Vec<f64> {
            x.chunks(2).flat_map(|x| [1.0 - x[0], 10.0 * (x[1] - x[0] * x[0])]).collect()
        }

        /// J·d, by its closed form.
        fn along(x: &[f64], d: &[f64]) -> Vec<f64> {
            let pairs = x.chunks(2).zip(d.chunks(2));
            pairs.flat_map(|(x, d)| [-d[0], 10.0 * (d[1] - 2.0 * x[0] * d[0])]).collect()
        }

        /// Jᵀ·r, by its closed form.
        fn back(x: &[f64], r: &[f64]) -> Vec<f64> {
            let pairs = x.chunks(2).zip(r.chunks(2));
            pairs.flat_map(|(x, r)| [-r[0] - 20.0 * x[0] * r[1], 10.0 * r[1]]).collect()
        }
    }

    impl Objective for Valley {
        fn value(&mut self, x: &[f64]) -> f64 {
            Self::residuals(x).iter().map(|r| r * r).sum()
        }

        fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
            let half = Self::back(x, &Self::residuals(x));
            gradient.iter_mut().zip(half).for_each(|(to, half)| *to = 2.0 * half);
            self.value(x)
        }

        fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
            Some(self)
        }
    }

    impl LeastSquares for Valley {
        fn residual_rows(&mut self, x: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
            let n = x.len();
            let unit = |k: usize| (0..n).map(|i| f64::from(u8::from(i == k))).collect::<Vec<f64>>();
            let columns: Vec<Vec<f64>> = (0..n).map(|k| Self::along(x, &unit(k))).collect();
            for (i, r) in Self::residuals(x).into_iter().enumerate() {
                let row: Vec<f64> = columns.iter().map(|column| column[i]).chain([r]).collect();
                take(&row);
            }
            self.value(x)
        }

        fn normal_equations(&mut self, x: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
            vector.copy_from_slice(&Self::back(x, &Self::residuals(x)));
            for (i, row) in matrix.chunks_exact_mut(x.len()).enumerate() {
                let unit: Vec<f64> = (0..x.len()).map(|k| f64::from(u8::from(k == i))).collect();
                row.copy_from_slice(&Self::back(x, &Self::along(x, &unit)));
            }
            self.value(x)
        }

        fn gauss_newton_product(&mut self, x: &[f64], direction: &[f64], product: &mut [f64]) {
            product.copy_from_slice(&Self::back(x, &Self::along(x, direction)));
        }
    }

    fn rows() -> Vec<Row> {
        vec![Row { weights: 0..3, factor: 0.8 }, Row { weights: 4..6, factor: -0.5 }]
    }

    /// What φ is asked, against differences and against one another.
    #[test]
    fn an_objective_of_factors_has_its_own_slopes() {
        let (rows, n) = (rows(), 6);
        let phi = [0.3, -0.7, 0.4, 1.1, 0.6, -0.2, 0.8, -0.5];
        let m = phi.len();
        let (mut theta, mut slope, mut matrix) = (vec![0.0; n], vec![0.0; n], vec![]);
        let mut of = OfFactors {
            rows: &rows,
            objective: &mut Valley,
            theta: &mut theta,
            slope: &mut slope,
            matrix: &mut matrix,
        };
        let residuals = |phi: &[f64]| {
            let mut theta = vec![0.0; n];
            multiply(&rows, phi, &mut theta);
            Valley::residuals(&theta)
        };
        let jacobian: Vec<Vec<f64>> = (0..m)
            .map(|k| {
                let moved = |h: f64| {
                    let mut phi = phi;
                    phi[k] += h;
                    residuals(&phi)
                };
                moved(1e-5).iter().zip(moved(-1e-5)).map(|(a, b)| (a - b) / 2e-5).collect()
            })
            .collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7 * (1.0 + a.abs()), "{a} {b}");
        let mut gradient = vec![0.0; m];
        let value = of.value_and_gradient(&phi, &mut gradient);
        assert_eq!(value, of.value(&phi));
        let r = residuals(&phi);
        (0..m).for_each(|k| close(gradient[k], 2.0 * dot(&jacobian[k], &r)));
        let (mut normal, mut vector) = (vec![0.0; m * m], vec![0.0; m]);
        let squares = of.least_squares().expect("it has residuals");
        assert_eq!(squares.normal_equations(&phi, &mut normal, &mut vector), value);
        for k in 0..m {
            close(2.0 * vector[k], gradient[k]);
            (0..m).for_each(|l| close(normal[k * m + l], dot(&jacobian[k], &jacobian[l])));
        }
        let mut count = 0;
        let mut take = |row: &[f64]| {
            (0..m).for_each(|k| close(row[k], jacobian[k][count]));
            assert_eq!(row[m], r[count]);
            count += 1;
        };
        assert_eq!(squares.residual_rows(&phi, &mut take), value);
        assert_eq!(count, r.len());
        let direction = [0.1, 0.2, -0.3, 0.4, -0.5, 0.6, 0.7, -0.8];
        let mut product = vec![0.0; m];
        squares.gauss_newton_product(&phi, &direction, &mut product);
        (0..m).for_each(|k| close(product[k], dot(&normal[k * m..][..m], &direction)));
    }

    /// Every method goes down, and on from its memory to the same bits; where somebody moves θ, it follows.
    #[test]
    fn every_method_moves_factors() {
        for stage in every_method() {
            let layout = Layout { rows: rows(), ..Layout::plain(6, 1.0) };
            let method = || new(&stage, &layout, &Arc::new(Team::alone()));
            let (mut one, start) = (method(), [-1.2, 1.0, 0.5, 0.3, 0.9, 0.2]);
            let mut theta = start;
            for _ in 0..5 {
                one.step(&mut theta, &mut Valley);
            }
            assert_ne!(theta, start);
            assert!(Valley.value(&theta) < Valley.value(&start), "{}", stage.name());
            let (mut other, mut again) = (method(), theta);
            other.restore(&one.state()).expect("its own memory");
            for _ in 0..5 {
                one.step(&mut theta, &mut Valley);
                other.step(&mut again, &mut Valley);
            }
            assert_eq!(theta, again, "{}", stage.name());
            assert!(one.state() == other.state(), "{}", stage.name());
            one.start_over(0.5);
            theta = start;
            one.step(&mut theta, &mut Valley);
            let moved: f64 = theta.iter().zip(start).map(|(a, b)| (a - b).powi(2)).sum();
            assert!(moved.sqrt() < 3.0, "{}: {moved}", stage.name());
            assert!(method().restore(&State::default()).is_err());
        }
    }
}
