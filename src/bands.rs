//! How well data determine an unknown of one coordinate: its standard error along that, a band about a curve.
//!
//! Noise ε of standard deviation s in a data condition moves the minimum of the loss by −H⁻¹·J_dᵀ·√(λ/n)·ε to first order
//! (`uncertainty.rs`), and an unknown's value with slopes g by θ by −gᵀ of that: its variance is the sum over the data
//! conditions of s²·(λ/n)·vᵀ·J_dᵀJ_d·v with v = H⁻¹·g.
//! Here g is a row of the whole network, whose parameters are many and whose curve is one, so that what parameters can do
//! without changing any residual shows in g as little as in H.
//! Equations and boundary values are taken to be exact; that training has come to its end is not asked.

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef};

use crate::engine::Engine;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::estimate::probe;
use crate::problem::{Axis, Problem};
use crate::uncertainty::{MOST, damped, normal_equations, one_over_root};

/// Values of the coordinate.
const POINTS: usize = 201;

/// An unknown along its coordinate.
#[derive(Clone, PartialEq, Debug)]
pub struct Band {
    /// Which coordinate.
    pub along: usize,
    /// Its values, evenly spaced over its domain.
    pub at: Vec<f64>,
    /// The standard error of the unknown at each of them.
    pub standard_error: Vec<f64>,
}

/// For every unknown its band at `theta`, the engine having the points of training and `weights` being λ; `None` where it is
/// a function of several coordinates, or there is nothing to say: no data, or too many parameters.
pub(crate) fn bands(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    weights: &[f64],
) -> Vec<Option<Band>> {
    let none = || vec![None; problem.unknowns.len()];
    let along = |unknown: usize| match problem.unknowns[unknown].of.as_deref() {
        Some(&[along]) => Some(along),
        _ => None,
    };
    let data = problem.conditions.iter().any(|condition| condition.uses_data() && condition.weight > 0.0);
    let some = (0..problem.unknowns.len()).any(|unknown| along(unknown).is_some());
    if !data || !some || theta.len() > MOST || problem.training.windows.count() > 1 {
        return none();
    }
    let Some(spread) = Spread::new(problem, engine, theta, weights) else { return none() };
    let band = |unknown: usize| {
        let along = along(unknown)?;
        let c = &problem.coordinates[along];
        let at: Vec<f64> = Axis { from: c.lower, to: c.upper, points: POINTS }.values().collect();
        let middle = problem.middle();
        let row = |&x: &f64| {
            let mut row = middle.clone();
            row[along] = x;
            row
        };
        let rows: Vec<f64> = at.iter().flat_map(row).collect();
        let slopes = slopes(problem, theta, &rows)?;
        let unknowns = problem.unknowns.len();
        let own = slopes.chunks_exact(theta.len()).skip(unknown).step_by(unknowns);
        let standard_error: Vec<f64> = own.map(|slopes| spread.of(slopes).sqrt()).collect();
        standard_error.iter().all(|x| x.is_finite()).then_some(Band { along, at, standard_error })
    };
    (0..problem.unknowns.len()).map(band).collect()
}

/// For every point and, at it, every unknown, the derivatives of its value by θ.
fn slopes(problem: &Problem, theta: &[f64], points: &[f64]) -> Option<Vec<f64>> {
    let mut asked = problem.clone();
    asked.conditions = vec![probe(problem)];
    let mut engine = CpuEngine::<f64>::new(&asked, 1, Isa::best()).ok()?;
    engine.set_points(0, points, &[]);
    let buckets: Vec<(usize, f64)> = (0..theta.len()).map(|parameter| (parameter, 1.0)).collect();
    Some(engine.jacobian_in_buckets(theta, 0, &buckets, theta.len()).0)
}

/// What noise in the data does to θ.
struct Spread {
    /// H scaled to a diagonal of ones at most and damped, factorized; and that scale.
    whole: faer::linalg::solvers::Llt<f64>,
    scale: Vec<f64>,
    /// Σ s²·(λ/n)·J_dᵀJ_d, λ/n being in J_d as well.
    noise: Mat<f64>,
}

impl Spread {
    fn new(problem: &Problem, engine: &mut dyn Engine, theta: &[f64], weights: &[f64]) -> Option<Self> {
        let n = theta.len();
        let h = normal_equations(engine, theta, weights)?.matrix;
        let scale: Vec<f64> = (0..n).map(|i| one_over_root(h[(i, i)])).collect();
        let (whole, _) = damped(n, |i, j| scale[i] * h[(i, j)] * scale[j])?;
        let mut noise = Mat::zeros(n, n);
        for (d, condition) in problem.conditions.iter().enumerate() {
            if !condition.uses_data() || condition.weight == 0.0 {
                continue;
            }
            let alone: Vec<f64> =
                weights.iter().enumerate().map(|(i, &weight)| if i == d { weight } else { 0.0 }).collect();
            let own = normal_equations(engine, theta, &alone)?;
            let mut share = Mat::from_fn(n, n, |i, j| scale[i] * own.matrix[(i, j)] * scale[j]);
            whole.solve_in_place(&mut share);
            let determined: f64 = (0..n).map(|i| share[(i, i)]).sum();
            let points = condition.points as f64;
            let rows = points * condition.residuals.roots.len() as f64;
            // Fewer data than they determine leave nothing to see the noise by.
            let variance = (rows - determined >= 1.0).then(|| own.terms[d] * points / (rows - determined))?;
            noise += own.matrix * faer::Scale(variance * weights[d] / points);
        }
        Some(Self { whole, scale, noise })
    }

    /// The variance of what has these slopes by θ.
    fn of(&self, slopes: &[f64]) -> f64 {
        let scaled: Vec<f64> = slopes.iter().zip(&self.scale).map(|(g, s)| g * s).collect();
        let mut v = MatRef::from_column_major_slice(&scaled, slopes.len(), 1).to_owned();
        self.whole.solve_in_place(&mut v);
        let v = Mat::from_fn(slopes.len(), 1, |i, _| self.scale[i] * v[(i, 0)]);
        (v.transpose() * &self.noise * &v)[(0, 0)].max(0.0)
    }
}
