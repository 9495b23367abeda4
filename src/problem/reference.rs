//! What answers are measured against: closed forms, the Cole–Hopf solution, tables.

use core::f64::consts::PI;

use super::allen_cahn;
use super::model::{Axis, Coordinate, Formula, Problem, Solution};
use crate::expr::Node;

/// Nodes of the Cole–Hopf quadrature: enough for 2e-15 at ν = 0.01/π.
const COLE_HOPF_NODES: usize = 100;

impl Problem {
    /// Where the answer is measured: rows of coordinates, one point after the other.
    ///
    /// The points of the reference's table if it is one, else those of its grid
    /// (of a default grid if there is no reference), the last coordinate changing fastest.
    pub fn reference_points(&self) -> Vec<f64> {
        let solutions = self.reference.iter().flat_map(|r| &r.solutions);
        let mut tables = solutions.flatten().filter_map(|solution| match solution {
            Solution::Table { points, .. } => Some(points.clone()),
            _ => None,
        });
        tables.next().unwrap_or_else(|| grid_points(&self.grid()))
    }

    /// The grid on which the answer is measured and drawn, one axis for each coordinate.
    pub fn grid(&self) -> Vec<Axis> {
        match &self.reference {
            Some(reference) => reference.grid.clone(),
            None => default_grid(&self.coordinates),
        }
    }
}

impl Solution {
    /// The solution at `points` (rows of `coordinates` numbers), one value each.
    ///
    /// A table knows its own points only and gives NaN at every other.
    pub fn evaluate(&self, points: &[f64], coordinates: usize) -> Vec<f64> {
        match self {
            Self::Exact(formula) => formula.evaluate(points, coordinates),
            Self::ColeHopf { x, t, nu } => {
                let quadrature = gauss_hermite(COLE_HOPF_NODES);
                let rows = points.chunks_exact(coordinates);
                rows.map(|row| cole_hopf(row[*x], row[*t], *nu, &quadrature)).collect()
            }
            Self::AllenCahn { x, t, d, r } => {
                allen_cahn::solve(points.chunks_exact(coordinates), *x, *t, *d, *r)
            }
            Self::Table { points: own, values, .. } => {
                if own == points {
                    return values.clone();
                }
                let bits = |row: &[f64]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                let known: std::collections::HashMap<_, _> =
                    own.chunks_exact(coordinates).map(bits).zip(values).collect();
                let rows = points.chunks_exact(coordinates);
                rows.map(|row| known.get(&bits(row)).map_or(f64::NAN, |&&v| v)).collect()
            }
        }
    }
}

impl Formula {
    /// The roots of a formula over coordinates alone, `points × roots`, row by row.
    ///
    /// Anything else a formula may read (data, the network) is NaN here.
    pub fn evaluate(&self, points: &[f64], coordinates: usize) -> Vec<f64> {
        let mut values = Vec::new();
        let mut answers = Vec::with_capacity(points.len() / coordinates.max(1) * self.roots.len());
        for row in points.chunks_exact(coordinates) {
            self.graph.eval(&mut values, |node| match node {
                Node::Coordinate { coordinate, .. } => row[coordinate],
                _ => f64::NAN,
            });
            answers.extend(self.roots.iter().map(|root| values[root.index()]));
        }
        answers
    }
}

/// About ten thousand points, ends included, evenly shared among the coordinates.
pub(crate) fn default_grid(coordinates: &[Coordinate]) -> Vec<Axis> {
    let points = match coordinates.len() {
        0 | 1 => 1001,
        2 => 101,
        3 => 21,
        4 => 11,
        5 => 6,
        6 => 5,
        _ => 4,
    };
    coordinates.iter().map(|c| Axis { from: c.lower, to: c.upper, points }).collect()
}

/// All points of a grid, the last coordinate changing fastest.
pub(crate) fn grid_points(grid: &[Axis]) -> Vec<f64> {
    let mut points = vec![Vec::new()];
    for axis in grid {
        points = points
            .iter()
            .flat_map(|point: &Vec<f64>| {
                axis.values().map(move |value| {
                    let mut longer = point.clone();
                    longer.push(value);
                    longer
                })
            })
            .collect();
    }
    points.concat()
}

/// The solution of u_t + u u_x = ν u_xx, u(x, 0) = −sin πx on the whole line (Cole 1951, Hopf 1950).
///
/// u = −∫ sin(πy) E(y) e^{−z²} dz / ∫ E(y) e^{−z²} dz with y = x − 2√(νt)·z and E(y) = exp(−cos(πy)/(2πν)).
fn cole_hopf(x: f64, t: f64, nu: f64, quadrature: &[(f64, f64)]) -> f64 {
    let reach = 2.0 * (nu * t).sqrt();
    let exponent = |y: f64| -(PI * y).cos() / (2.0 * PI * nu);
    // The largest exponent is taken out of both integrals, lest they overflow.
    let largest = quadrature.iter().map(|(z, _)| exponent(x - reach * z)).fold(f64::NEG_INFINITY, f64::max);
    let (mut above, mut below) = (0.0, 0.0);
    for (z, weight) in quadrature {
        let y = x - reach * z;
        let mass = weight * (exponent(y) - largest).exp();
        above += mass * (PI * y).sin();
        below += mass;
    }
    -above / below
}

/// How far the quadrature is from one with twice the nodes, at worst over a coarse grid of times up to `until`.
pub(crate) fn cole_hopf_error(nu: f64, until: f64) -> f64 {
    let (coarse, fine) = (gauss_hermite(COLE_HOPF_NODES), gauss_hermite(2 * COLE_HOPF_NODES));
    let mut worst: f64 = 0.0;
    for i in 0..=20 {
        for j in 1..=10 {
            // Denser towards the shock at x = 0.
            let x = (f64::from(i) / 20.0).powi(3);
            let t = until * f64::from(j) / 10.0;
            worst = worst.max((cole_hopf(x, t, nu, &coarse) - cole_hopf(x, t, nu, &fine)).abs());
        }
    }
    worst
}

/// Nodes and weights of `∫ f(z) e^{−z²} dz ≈ Σ wᵢ f(zᵢ)`, exact for polynomials up to degree 2n − 1.
///
/// The nodes are the eigenvalues of the Jacobi matrix (Golub and Welsch 1969), a symmetric tridiagonal
/// with 0 on its diagonal and √(j/2) beside it; counting sign changes brackets each, bisection finds it.
/// The weights are Christoffel's numbers, 1/Σ pⱼ(zᵢ)² over the orthonormal polynomials of degree j < n.
fn gauss_hermite(n: usize) -> Vec<(f64, f64)> {
    // Eigenvalues below z: negative pivots of the factorization of the matrix less z.
    let below = |z: f64| {
        let mut pivot = -z;
        let mut count = usize::from(pivot < 0.0);
        for j in 1..n {
            pivot = -z - 0.5 * j as f64 / if pivot == 0.0 { f64::MIN_POSITIVE } else { pivot };
            count += usize::from(pivot < 0.0);
        }
        count
    };
    let reach = (2.0 * n as f64 + 1.0).sqrt();
    let mut rule: Vec<_> = (0..n.div_ceil(2))
        .map(|i| {
            let (mut low, mut high) = (-reach, reach);
            loop {
                let middle = 0.5 * (low + high);
                if middle <= low || middle >= high {
                    break;
                }
                if below(middle) > i {
                    high = middle;
                } else {
                    low = middle;
                }
            }
            let z = 0.5 * (low + high);
            let (mut previous, mut current) = (0.0, PI.powf(-0.25));
            let mut sum = 0.0;
            for j in 0..n {
                sum += current * current;
                let (j, next_j) = (j as f64, j as f64 + 1.0);
                let next = z * (2.0 / next_j).sqrt() * current - (j / next_j).sqrt() * previous;
                (previous, current) = (current, next);
            }
            (z, 1.0 / sum)
        })
        .collect();
    // The other half is its mirror image.
    rule.extend_from_within(..n / 2);
    rule[n.div_ceil(2)..].iter_mut().for_each(|(z, _)| *z = -*z);
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauss_hermite_integrates_even_powers() {
        let rule = gauss_hermite(20);
        // ∫ z^{2k} e^{−z²} dz = Γ(k + ½)
        let mut exact = PI.sqrt();
        for k in 0..20 {
            let sum: f64 = rule.iter().map(|(z, w)| w * z.powi(2 * k)).sum();
            assert!((sum / exact - 1.0).abs() < 1e-12, "k = {k}: {sum} {exact}");
            exact *= f64::from(k) + 0.5;
        }
    }

    #[test]
    fn cole_hopf_is_right_to_the_last_digits() {
        let nu = 0.01 / PI;
        assert!(cole_hopf_error(nu, 1.0) < 5e-15);
        // 100 nodes are not enough for every viscosity, and that is noticed.
        assert!(cole_hopf_error(nu / 20.0, 1.0) > 1e-6);
        let rule = gauss_hermite(COLE_HOPF_NODES);
        let u = |x, t| cole_hopf(x, t, nu, &rule);
        assert!((u(0.3, 0.0) + (0.3 * PI).sin()).abs() < 1e-15);
        assert!(u(1.0, 0.7).abs() < 1e-15);
        // The steepest slope, by central differences of fourth order.
        let h = 2e-5;
        let slope = (8.0 * (u(h, 0.51) - u(-h, 0.51)) - (u(2.0 * h, 0.51) - u(-2.0 * h, 0.51))) / (12.0 * h);
        assert!((slope + 152.005).abs() < 1e-3, "{slope}");
    }

    #[test]
    fn grids_go_through_every_combination() {
        let axis = |from, to, points| Axis { from, to, points };
        let points = grid_points(&[axis(0.0, 1.0, 2), axis(5.0, 6.0, 3)]);
        assert_eq!(points, [0.0, 5.0, 0.0, 5.5, 0.0, 6.0, 1.0, 5.0, 1.0, 5.5, 1.0, 6.0]);
    }
}
