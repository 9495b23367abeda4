//! What answers are measured against: closed forms, the Cole–Hopf solution, tables.

use core::f64::consts::PI;
use std::sync::LazyLock;

use super::allen_cahn;
use super::coverage::Coverage;
use super::model::{Axis, Formula, Problem, Reference, Solution};
use super::place::Coordinate;
use crate::expr::{Measured, Node};

/// How far apart two means of the same solution may be, relative to the greater, before a default grid is refined.
pub(crate) const RESOLVED: f64 = 0.1;
/// The same before there is a warning of a grid that was asked for.
pub(crate) const BARELY_RESOLVED: f64 = 0.5;

/// How many times what rounding is held to leave is still rounding.
pub(crate) const ROUNDING: f64 = 4.0;

/// The Cole–Hopf quadrature, enough for 2e-15 at ν = 0.01/π, and one with twice its nodes, which tells its error.
static COLE_HOPF: LazyLock<[Vec<(f64, f64)>; 2]> = LazyLock::new(|| [100, 200].map(gauss_hermite));

impl Problem {
    /// Where the answer is measured: rows of coordinates, one point after the other.
    ///
    /// The points of the reference's table if it is one, else those of its grid (of a default grid if there is no
    /// reference) that the conditions [cover](Coverage), the last coordinate changing fastest; in many coordinates points
    /// all over the domain.
    pub fn reference_points(&self) -> Vec<f64> {
        let solutions = self.reference.iter().flat_map(|r| &r.solutions);
        let mut tables = solutions.flatten().filter_map(|solution| match solution {
            Solution::Table { points, .. } => Some(points.clone()),
            _ => None,
        });
        tables.next().unwrap_or_else(|| {
            let points = match &self.reference {
                Some(reference) => reference.points(&self.coordinates),
                None => places(
                    &default_grid(&self.coordinates),
                    default_scattered(&self.coordinates),
                    &self.coordinates,
                ),
            };
            let Some(coverage) = Coverage::new(self) else { return points };
            let rows = points.chunks_exact(self.coordinates.len());
            rows.filter(|row| coverage.covers(row)).flatten().copied().collect()
        })
    }
}

impl Reference {
    /// Where the answer is measured, if no table says so.
    pub(crate) fn points(&self, coordinates: &[Coordinate]) -> Vec<f64> {
        places(&self.grid, self.scattered, coordinates)
    }
}

/// The points of a grid, or so many all over its ranges.
pub(crate) fn places(grid: &[Axis], scattered: Option<usize>, coordinates: &[Coordinate]) -> Vec<f64> {
    let Some(count) = scattered else { return grid_points(grid) };
    let range =
        |(c, axis): (&Coordinate, &Axis)| Coordinate { lower: axis.from, upper: axis.to, ..c.clone() };
    let ranges: Vec<Coordinate> = coordinates.iter().zip(grid).map(range).collect();
    (1..=count).flat_map(|k| Coordinate::spread(&ranges, k)).collect()
}

impl Solution {
    /// The solution at `points` (rows of `coordinates` numbers), one value each.
    ///
    /// A table knows its own points only and gives NaN at every other.
    pub fn evaluate(&self, points: &[f64], coordinates: usize) -> Vec<f64> {
        match self {
            Self::Exact(formula) => formula.evaluate(points, coordinates),
            Self::ColeHopf { x, t, nu } => {
                let rows = points.chunks_exact(coordinates);
                rows.map(|row| cole_hopf(row[*x], row[*t], *nu, &COLE_HOPF[0])).collect()
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

impl Solution {
    /// The closed form, if it has one.
    pub(crate) fn formula(&self) -> Option<&Formula> {
        match self {
            Self::Exact(formula) => Some(formula),
            _ => None,
        }
    }

    /// Does it take seconds to compute, at however few points?
    pub(crate) fn is_costly(&self) -> bool {
        matches!(self, Self::AllenCahn { .. })
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

impl Formula {
    /// Is the first root zero at all `points`, but for what rounding leaves of it?
    pub fn is_zero(&self, points: &[f64], coordinates: usize) -> bool {
        let mut measured = Vec::new();
        points.chunks_exact(coordinates).all(|row| {
            self.graph.measure(&mut measured, |node| match node {
                Node::Coordinate { coordinate, .. } => Measured::number(row[coordinate]),
                _ => Measured::number(f64::NAN),
            });
            let root = measured[self.roots[0].index()];
            root.value.abs() <= ROUNDING * root.rounding
        })
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

/// How many points all over the domain stand in for a grid where that would be nothing but the domain's corners.
pub(crate) fn default_scattered(coordinates: &[Coordinate]) -> Option<usize> {
    const MOST_GRIDDED: usize = 6;
    (coordinates.len() > MOST_GRIDDED).then(|| 10_000.min(200_000 / coordinates.len()))
}

/// All points of a grid, the last coordinate changing fastest.
pub(crate) fn grid_points(grid: &[Axis]) -> Vec<f64> {
    combinations(&grid.iter().map(|axis| axis.values().collect()).collect::<Vec<_>>())
}

/// All combinations of a number from each of `axes`, the last one changing fastest.
pub(crate) fn combinations(axes: &[Vec<f64>]) -> Vec<f64> {
    let count: usize = axes.iter().map(Vec::len).product();
    let mut points = vec![0.0; count * axes.len()];
    let mut repeats = count;
    for (i, axis) in axes.iter().enumerate() {
        repeats /= axis.len().max(1);
        let column = points.iter_mut().skip(i).step_by(axes.len()).enumerate();
        column.for_each(|(row, x)| *x = axis[row / repeats % axis.len()]);
    }
    points
}

/// The axes of `grid` along which the solution `formula` changes too fast for it: its root mean square on the grid is not
/// what it is between the grid's points, but for a part `apart` of the greater.
///
/// A sine whose zeros are the grid's points would be nothing but rounding there, and any error beyond all measure.
/// Points at which the formula is not finite are left out.
pub(crate) fn unresolved(formula: &Formula, grid: &[Axis], apart: f64) -> Vec<usize> {
    let rms = |moved: &dyn Fn(usize) -> bool| {
        let axes: Vec<Vec<(f64, f64)>> = grid
            .iter()
            .enumerate()
            .map(|(i, axis)| if moved(i) { axis.between() } else { axis.trapezoids() })
            .collect();
        mean_square(formula, &axes).sqrt()
    };
    let on_grid = rms(&|_| false);
    let differs = |other: f64| (other - on_grid).abs() > apart * other.max(on_grid);
    if !differs(rms(&|_| true)) {
        return vec![];
    }
    let has_cells: Vec<usize> = (0..grid.len()).filter(|&i| grid[i].points > 1).collect();
    let along: Vec<usize> = has_cells.iter().copied().filter(|&i| differs(rms(&|k| k == i))).collect();
    let axes = if along.is_empty() { has_cells } else { along };
    // What is zero but for rounding is so wherever one looks, and differs from itself.
    let between: Vec<Vec<f64>> =
        grid.iter().map(|axis| axis.between().iter().map(|(x, _)| *x).collect()).collect();
    let on = grid.iter().map(|axis| axis.values().collect()).collect::<Vec<_>>();
    let is_zero = |axes: &[Vec<f64>]| formula.is_zero(&combinations(axes), grid.len());
    if is_zero(&between) && is_zero(&on) { vec![] } else { axes }
}

impl Axis {
    /// The values and their weights in the trapezoidal rule for the mean.
    fn trapezoids(&self) -> Vec<(f64, f64)> {
        let (last, cells) = (self.points.saturating_sub(1), self.points.saturating_sub(1).max(1) as f64);
        let weight = |i: usize| if last > 0 && (i == 0 || i == last) { 0.5 / cells } else { 1.0 / cells };
        self.values().enumerate().map(|(i, x)| (x, weight(i))).collect()
    }

    /// A point in every cell, never at the same place of it, with equal weights.
    fn between(&self) -> Vec<(f64, f64)> {
        let cells = self.points.saturating_sub(1);
        if cells == 0 {
            return self.trapezoids();
        }
        // Multiples of the golden section are spread evenly over the cells and follow no period.
        let place = |i: usize| (i as f64 + ((i + 1) as f64 * 0.618_033_988_749_894_9).fract()) / cells as f64;
        (0..cells).map(|i| (self.from + (self.to - self.from) * place(i), 1.0 / cells as f64)).collect()
    }
}

/// The mean of the square of `formula` over all combinations of values, each with its weight; points at which it is not
/// finite are left out.
fn mean_square(formula: &Formula, axes: &[Vec<(f64, f64)>]) -> f64 {
    let values: Vec<Vec<f64>> = axes.iter().map(|axis| axis.iter().map(|(x, _)| *x).collect()).collect();
    let weights = axes.iter().fold(vec![1.0], |products, axis| {
        products.iter().flat_map(|product| axis.iter().map(move |(_, weight)| product * weight)).collect()
    });
    let values = formula.evaluate(&combinations(&values), axes.len());
    let squares = values.iter().zip(weights).map(|(value, weight)| value * value * weight);
    squares.filter(|x| x.is_finite()).sum()
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

/// How far the quadrature is from one with twice the nodes, at worst over a coarse grid of times up to `until`;
/// infinite where one of them gives no number.
pub(crate) fn cole_hopf_error(nu: f64, until: f64) -> f64 {
    let [coarse, fine] = &*COLE_HOPF;
    let mut worst: f64 = 0.0;
    for i in 0..=20 {
        for j in 1..=10 {
            // Denser towards the shock at x = 0.
            let x = (f64::from(i) / 20.0).powi(3);
            let t = until * f64::from(j) / 10.0;
            let error = (cole_hopf(x, t, nu, coarse) - cole_hopf(x, t, nu, fine)).abs();
            // `f64::max` would hide a NaN.
            worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
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
        // Exponents beyond all numbers make NaN of both integrals.
        assert_eq!(cole_hopf_error(1e-310, 1.0), f64::INFINITY);
        let u = |x, t| cole_hopf(x, t, nu, &COLE_HOPF[0]);
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
