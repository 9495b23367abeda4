//! How far noise in the data may have moved the trainable parameters.
//!
//! Training minimizes |r(θ)|², whose rows are √(λ/n)·residual, J = ∂r/∂θ.
//! Noise ε of standard deviation s in a data condition moves the minimum by −(JᵀJ)⁻¹·J_dᵀ·√(λ/n)·ε to first order,
//! J_d being that condition's rows, so that the covariance of θ is the sum over the data conditions of
//!
//! s²·(λ/n)·(JᵀJ)⁻¹·J_dᵀJ_d·(JᵀJ)⁻¹
//!
//! (the "sandwich" of Huber 1967; s²·(JᵀJ)⁻¹ where all rows are data of one weight).
//! Equations and boundary values are taken to be exact, whatever their weight.
//! s² is the data's mean squared residual, over n − p instead of n, where p = tr((JᵀJ)⁻¹·J_dᵀJ_d) is how many
//! parameters the data have determined.
//!
//! It says nothing of errors that are not noise in the data: a wrong equation, points too few, training not at its end.

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, MatRef, Side};

use crate::engine::Engine;
use crate::problem::{Place, Problem};

/// Parameters beyond which the matrices are too large for a by-product.
const MOST: usize = 4000;
/// Curvature, relative to the greatest diagonal element of JᵀJ, below which a direction is held fixed: the loss does
/// not determine it, and training has not moved along it.
const LEAST_CURVATURE: f64 = 1e-10;

/// The standard error of every trainable parameter at `theta`, where λ of the conditions is `weights`.
///
/// `None` where there is nothing to say: no trainable parameter, no data, no Jacobian of this engine, too many
/// parameters, fewer data than they determine, or a matrix that is not finite.
pub fn standard_errors(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    weights: &[f64],
) -> Option<Vec<f64>> {
    let n = theta.len();
    let is_data = |i: &usize| matches!(problem.conditions[*i].place, Place::Points { .. });
    let data: Vec<usize> = (0..problem.conditions.len()).filter(is_data).collect();
    if problem.trainable.is_empty() || data.is_empty() || n > MOST {
        return None;
    }
    let (whole, _) = gram(engine, theta, weights)?;
    let least = LEAST_CURVATURE * (0..n).map(|i| whole[(i, i)]).fold(0.0, f64::max);
    let damped = Mat::from_fn(n, n, |i, j| whole[(i, j)] + if i == j { least } else { 0.0 });
    let factor = damped.llt(Side::Lower).ok();
    let first = n - problem.trainable.len();
    let mut variances = vec![0.0; problem.trainable.len()];
    data.iter().try_for_each(|&d| {
        let alone: Vec<f64> =
            weights.iter().enumerate().map(|(i, &weight)| if i == d { weight } else { 0.0 }).collect();
        let (own, terms) = gram(engine, theta, &alone)?;
        let condition = &problem.conditions[d];
        let rows = (condition.points * condition.residuals.roots.len()) as f64;
        let variance = noise(factor.as_ref()?, &own, terms[d] * condition.points as f64, rows)?;
        let scale = variance * weights[d] / condition.points as f64;
        for (k, sum) in variances.iter_mut().enumerate() {
            let mut column = Mat::from_fn(n, 1, |i, _| if i == first + k { 1.0 } else { 0.0 });
            factor.as_ref()?.solve_in_place(&mut column);
            *sum += scale * (column.transpose() * &own * &column)[(0, 0)];
        }
        Some(())
    })?;
    let entries = problem.trainable.iter().zip(&theta[first..]);
    let errors: Vec<f64> =
        entries.zip(variances).map(|((t, &entry), variance)| t.slope(entry) * variance.sqrt()).collect();
    errors.iter().all(|error| error.is_finite()).then_some(errors)
}

/// JᵀJ where λ of the conditions is `weights`, and the loss's terms.
fn gram(engine: &mut dyn Engine, theta: &[f64], weights: &[f64]) -> Option<(Mat<f64>, Vec<f64>)> {
    let n = theta.len();
    let (mut terms, mut matrix, mut vector) = (vec![0.0; weights.len()], vec![0.0; n * n], vec![0.0; n]);
    engine.jacobian()?.normal_equations(theta, weights, &mut terms, &mut matrix, &mut vector);
    let matrix = MatRef::from_column_major_slice(&matrix, n, n).to_owned();
    Some((matrix, terms))
}

/// s² from Σ residual² over `rows` data, `own` being their part of the matrix that `factor` factorizes.
fn noise(factor: &Llt<f64>, own: &Mat<f64>, squares: f64, rows: f64) -> Option<f64> {
    let mut share = own.clone();
    factor.solve_in_place(&mut share);
    let determined: f64 = (0..own.nrows()).map(|i| share[(i, i)]).sum();
    (rows - determined >= 1.0).then(|| squares / (rows - determined))
}
