//! What the data say about the trainable parameters, and how well.
//!
//! Training minimizes |r(θ)|², whose rows are √(λ/n)·residual, J = ∂r/∂θ, H = JᵀJ.
//! θ is the network's parameters w, then the coefficients c; what w can make up for says nothing about c.
//! What is left is the *information* on c, the Schur complement
//!
//! S = H_cc − H_cw·H_ww⁻¹·H_wc = min over L of (J_c − J_w·L)ᵀ(J_c − J_w·L)
//!
//! - **Determined or not.** A direction of c whose information is lost in rounding is not determined: the loss is the
//!   same wherever one goes along it.
//!   A parameter with a part in such a direction has no standard error; what has one are the *combinations* that no
//!   such direction changes.
//! - **Noise.** Noise ε of standard deviation s in a data condition moves the minimum by −H⁻¹·J_dᵀ·√(λ/n)·ε to first
//!   order, J_d being that condition's rows, so that the covariance of θ is the sum over the data conditions of
//!   s²·(λ/n)·H⁻¹·J_dᵀJ_d·H⁻¹ (the "sandwich" of Huber 1967; s²·H⁻¹ where all rows are data of one weight).
//!   s² is the data's mean squared residual, over n − p instead of n, where p = tr(H⁻¹·J_dᵀJ_d) is how many parameters
//!   the data have determined.
//! - **Training.** At a minimum a Gauss–Newton step −H⁻¹·Jᵀr moves nothing.
//!   How far it would still move a parameter, the *shift*, is an error of its own, added to the noise's as a square.
//!
//! Equations and boundary values are taken to be exact, whatever their weight.
//! A wrong equation and points too few are not seen here.

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, MatRef, Side};

use crate::engine::Engine;
use crate::expr::Digits;
use crate::problem::{Problem, Trainable};

/// Parameters beyond which the matrices are too large for a by-product.
pub(crate) const MOST: usize = 4000;
/// What is added to the diagonal of H_ww, scaled to ones, where rounding does not demand more.
const LEAST_DAMPING: f64 = 1e-14;
/// What is added at most: where more is needed, the matrix is not one of products.
const MOST_DAMPING: f64 = 1e-6;
/// Information, relative to what there would be if the network stood still, that is lost in rounding.
const LOST: f64 = 1e-12;
/// A part of a direction of length 1, or a relative difference, that is there by rounding alone.
const NO_PART: f64 = 1e-4;
/// By how much the same factors may differ from one place to another.
const SAME: f64 = 1e-3;

/// What is known about the trainable parameters at the end of training.
#[derive(Clone, PartialEq, Debug)]
pub struct Uncertainty {
    /// One for each trainable parameter.
    pub parameters: Vec<Estimate>,
    /// What is determined where single parameters are not.
    pub combinations: Vec<Combination>,
}

/// How well a number is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// Do equations and data say what it is?
    pub determined: bool,
    /// Its standard error, noise in the data and shift together; `None` where it is not determined, or where the noise
    /// is not known: without data, or with fewer than they determine.
    pub standard_error: Option<f64>,
    /// How far one more Gauss–Newton step would move it, with its sign; `None` where it is not determined.
    pub shift: Option<f64>,
}

/// A combination of trainable parameters that is determined although they are not.
#[derive(Clone, PartialEq, Debug)]
pub struct Combination {
    /// One for each trainable parameter: what it is multiplied by, or its power in a product.
    pub factors: Vec<f64>,
    /// Is it a product of powers, or a sum?
    pub product: bool,
    /// What it comes to.
    pub value: f64,
    /// How well it is known.
    pub estimate: Estimate,
}

impl Combination {
    /// As a formula of the parameters called `names`, with four digits: `a + 2*b`, `a*b^2`.
    pub fn formula(&self, names: &[&str]) -> String {
        let mut formula = String::new();
        for (&factor, name) in self.factors.iter().zip(names).filter(|(factor, _)| **factor != 0.0) {
            let digits = Digits(Digits::four(factor.abs())).to_string();
            let is_one = digits == "1";
            let term = match self.product {
                _ if is_one => (*name).to_owned(),
                true => format!("{name}^{digits}"),
                false => format!("{digits}*{name}"),
            };
            formula += match (self.product, factor < 0.0, formula.is_empty()) {
                (true, false, true) | (false, false, true) => "",
                (true, false, false) => "*",
                (true, true, false) => "/",
                (true, true, true) => "1/",
                (false, false, false) => " + ",
                (false, true, false) => " - ",
                (false, true, true) => "-",
            };
            formula += &term;
        }
        formula
    }
}

/// What is known about the trainable parameters at `theta`, where λ of the conditions is `weights`.
///
/// `None` where there is nothing to say: no trainable parameter, no Jacobian of this engine, too many parameters, or a
/// matrix that is not finite.
pub fn uncertainty(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    weights: &[f64],
) -> Option<Uncertainty> {
    if problem.trainable.is_empty() || theta.len() > MOST {
        return None;
    }
    let whole = normal_equations(engine, theta, weights)?;
    let reduced = Reduced::new(&whole, problem.trainable.len())?;
    let data: Vec<usize> =
        (0..problem.conditions.len()).filter(|&i| problem.conditions[i].uses_data()).collect();
    let spreads = data.iter().map(|&d| {
        let alone: Vec<f64> =
            weights.iter().enumerate().map(|(i, &weight)| if i == d { weight } else { 0.0 }).collect();
        let own = normal_equations(engine, theta, &alone)?;
        let condition = &problem.conditions[d];
        let points = condition.points as f64;
        let rows = points * condition.residuals.roots.len() as f64;
        let (spread, determined) = reduced.spread(&own.matrix);
        // Fewer data than they determine leave nothing to see the noise by.
        let noise = (rows - determined >= 1.0).then(|| own.terms[d] * points / (rows - determined))?;
        Some(spread * faer::Scale(noise * weights[d] / points))
    });
    let spreads: Option<Vec<Mat<f64>>> = if data.is_empty() { None } else { spreads.collect() };
    let network = theta.len() - problem.trainable.len();
    let found = Found::new(&problem.trainable, &theta[network..]);
    // Whether a sum or a product of parameters is known shows where they have other values.
    let elsewhere = (!reduced.undetermined.is_empty()).then(|| {
        let mut moved = theta.to_vec();
        for (k, entry) in moved[network..].iter_mut().enumerate() {
            *entry += (0.1 + 0.07 * k as f64) * entry.abs().max(0.1);
        }
        let whole = normal_equations(engine, &moved, weights)?;
        let reduced = Reduced::new(&whole, problem.trainable.len())?;
        Some((reduced, Found::new(&problem.trainable, &moved[network..])))
    });
    Some(reduced.tell(&found, elsewhere.flatten().as_ref(), spreads.as_deref()))
}

/// Values of the trainable parameters, and their slopes by their entries of θ.
struct Found {
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Found {
    fn new(trainable: &[Trainable], entries: &[f64]) -> Self {
        let with_entries = || trainable.iter().zip(entries);
        Self {
            values: with_entries().map(|(trainable, &entry)| trainable.value(entry)).collect(),
            slopes: with_entries().map(|(trainable, &entry)| trainable.slope(entry)).collect(),
        }
    }
}

/// JᵀJ, Jᵀr and the loss's terms.
pub(crate) struct NormalEquations {
    pub(crate) matrix: Mat<f64>,
    vector: Vec<f64>,
    pub(crate) terms: Vec<f64>,
}

/// The normal equations where λ of the conditions is `weights`; `None` without a Jacobian, or if they are not finite.
pub(crate) fn normal_equations(
    engine: &mut dyn Engine,
    theta: &[f64],
    weights: &[f64],
) -> Option<NormalEquations> {
    let n = theta.len();
    let (mut terms, mut matrix, mut vector) = (vec![0.0; weights.len()], vec![0.0; n * n], vec![0.0; n]);
    engine.jacobian()?.normal_equations(theta, weights, &mut terms, &mut matrix, &mut vector);
    let finite = matrix.iter().chain(&vector).all(|x| x.is_finite());
    let matrix = MatRef::from_column_major_slice(&matrix, n, n).to_owned();
    finite.then_some(NormalEquations { matrix, vector, terms })
}

/// The normal equations with the network's parameters taken out.
struct Reduced {
    /// H_ww scaled to a diagonal of ones at most and damped, factorized; its scale, one over the root of its diagonal.
    network: Llt<f64>,
    scale: Vec<f64>,
    /// L = H_ww⁻¹·H_wc: how the network follows the coefficients, m × p.
    follow: Mat<f64>,
    /// What directions of c are measured in, so that information is 1 where the network stands still.
    units: Vec<f64>,
    /// Directions in these units that are determined, with their information; and those that are not.
    determined: Vec<(Vec<f64>, f64)>,
    undetermined: Vec<Vec<f64>>,
    /// Jᵀr with the network taken out, half the gradient by c.
    vector: Vec<f64>,
}

impl Reduced {
    /// Takes all but the last `p` parameters out; `None` if H is no matrix of products.
    fn new(whole: &NormalEquations, p: usize) -> Option<Self> {
        let h = &whole.matrix;
        let (n, m) = (h.nrows(), h.nrows() - p);
        // A parameter with hardly any influence is not taken for one that has it in other units.
        let least = LEAST_DAMPING * (0..n).map(|i| h[(i, i)]).fold(0.0, f64::max);
        let scale: Vec<f64> = (0..m).map(|i| one_over_root(h[(i, i)].max(least))).collect();
        let (network, damping) = damped(m, |i, j| scale[i] * h[(i, j)] * scale[j])?;
        let mut follow = Mat::from_fn(m, p, |i, k| scale[i] * h[(i, m + k)]);
        network.solve_in_place(&mut follow);
        let units: Vec<f64> = (m..n).map(|k| one_over_root(h[(k, k)])).collect();
        let scaled = |k: usize, l: usize, x: f64| units[k] * x * units[l];
        // What damping itself adds: where it is most of the information, there is none.
        let added = follow.transpose() * &follow;
        let information = Mat::from_fn(p, p, |k, l| {
            let followed: f64 = (0..m).map(|i| scale[i] * h[(i, m + k)] * follow[(i, l)]).sum();
            let back: f64 = (0..m).map(|i| scale[i] * h[(i, m + l)] * follow[(i, k)]).sum();
            scaled(k, l, h[(m + k, m + l)] - 0.5 * (followed + back))
        });
        // A direction that changes no residual while the network stands still changes none at all. That is asked first,
        // of H_cc alone: taking the network out may leave more rounding in its place than counts as lost.
        let alone = Mat::from_fn(p, p, |k, l| scaled(k, l, h[(m + k, m + l)]));
        let alone = alone.self_adjoint_eigen(Side::Lower).ok()?;
        let (seen, unseen): (Vec<usize>, Vec<usize>) = (0..p).partition(|&e| alone.S()[e] > LOST);
        let column = |e: usize| (0..p).map(|k| alone.U()[(k, e)]).collect();
        let mut undetermined: Vec<Vec<f64>> = unseen.into_iter().map(column).collect();
        let basis = Mat::from_fn(p, seen.len(), |k, e| alone.U()[(k, seen[e])]);
        let among_seen = basis.transpose() * &information * &basis;
        let eigen = among_seen.self_adjoint_eigen(Side::Lower).ok()?;
        let mut determined = vec![];
        for e in 0..seen.len() {
            let part = |k: usize| (0..seen.len()).map(|s| basis[(k, s)] * eigen.U()[(s, e)]).sum();
            let direction: Vec<f64> = (0..p).map(part).collect();
            let value = eigen.S()[e];
            let by_damping: f64 = (0..p)
                .flat_map(|k| (0..p).map(move |l| (k, l)))
                .map(|(k, l)| direction[k] * scaled(k, l, damping * added[(k, l)]) * direction[l])
                .sum();
            if value > LOST + 2.0 * by_damping {
                determined.push((direction, value));
            } else {
                undetermined.push(direction);
            }
        }
        for i in 0..m {
            for k in 0..p {
                follow[(i, k)] *= scale[i];
            }
        }
        let vector = (0..p)
            .map(|k| whole.vector[m + k] - (0..m).map(|i| follow[(i, k)] * whole.vector[i]).sum::<f64>())
            .collect();
        Some(Self { network, scale, follow, units, determined, undetermined, vector })
    }

    /// Of a part `own` of H: what it is along the directions in which the network follows the coefficients, p × p, and
    /// how many parameters it determines, tr(H⁻¹·own).
    fn spread(&self, own: &Mat<f64>) -> (Mat<f64>, f64) {
        let (m, p) = (self.follow.nrows(), self.follow.ncols());
        let along = Mat::from_fn(m + p, p, |i, k| match i.checked_sub(m) {
            None => -self.follow[(i, k)],
            Some(i) if i == k => 1.0,
            Some(_) => 0.0,
        });
        let spread = along.transpose() * own * &along;
        let mut share = Mat::from_fn(m, m, |i, j| self.scale[i] * own[(i, j)] * self.scale[j]);
        self.network.solve_in_place(&mut share);
        let network: f64 = (0..m).map(|i| share[(i, i)]).sum();
        let coefficients: f64 = (0..p)
            .map(|k| {
                let unit: Vec<f64> = (0..p).map(|l| if l == k { 1.0 } else { 0.0 }).collect();
                let solved = self.solve(&unit);
                (0..p).map(|l| solved[l] * spread[(l, k)]).sum::<f64>()
            })
            .sum();
        (spread, network + coefficients)
    }

    /// S⁺·x, along the directions that are determined.
    fn solve(&self, x: &[f64]) -> Vec<f64> {
        let mut solution = vec![0.0; x.len()];
        for (direction, information) in &self.determined {
            let part: f64 = x.iter().zip(direction).zip(&self.units).map(|((x, d), u)| x * d * u).sum();
            for ((to, d), u) in solution.iter_mut().zip(direction).zip(&self.units) {
                *to += u * d * part / information;
            }
        }
        solution
    }

    /// How well the function of c with the slopes `slopes` is known, which is a determined one.
    fn estimate(&self, slopes: &[f64], spreads: Option<&[Mat<f64>]>) -> Estimate {
        let solved = self.solve(slopes);
        let shift: f64 = -solved.iter().zip(&self.vector).map(|(a, b)| a * b).sum::<f64>();
        let p = slopes.len();
        let pairs = || (0..p).flat_map(|k| (0..p).map(move |l| (k, l)));
        let noise = spreads.map(|spreads| {
            let form = |spread: &Mat<f64>| -> f64 {
                pairs().map(|(k, l)| solved[k] * spread[(k, l)] * solved[l]).sum()
            };
            spreads.iter().map(form).sum::<f64>()
        });
        let error = noise.map(|noise| (noise + shift * shift).sqrt());
        Estimate { determined: true, standard_error: error.filter(|e| e.is_finite()), shift: Some(shift) }
    }

    /// What is known where the parameters are `found`, of which the combinations are also known `elsewhere`.
    fn tell(
        &self,
        found: &Found,
        elsewhere: Option<&(Self, Found)>,
        spreads: Option<&[Mat<f64>]>,
    ) -> Uncertainty {
        let Found { values, slopes } = found;
        let p = values.len();
        let parameters = (0..p).map(|k| {
            if self.undetermined.iter().any(|direction| direction[k].abs() > NO_PART) {
                return Estimate { determined: false, standard_error: None, shift: None };
            }
            let slope: Vec<f64> = (0..p).map(|l| if l == k { slopes[k] } else { 0.0 }).collect();
            self.estimate(&slope, spreads)
        });
        let parameters: Vec<Estimate> = parameters.collect();
        let elsewhere = elsewhere.map(|(reduced, found)| reduced.combinations(found));
        let here = self.combinations(found);
        let combinations = here.iter().enumerate().map(|(i, (sum, powers))| {
            let there = elsewhere.as_ref().filter(|there| there.len() == here.len()).map(|there| &there[i]);
            let same =
                |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= SAME * a.abs().max(1.0));
            let product = match there {
                Some((sum_there, powers_there)) => !same(sum, sum_there) && same(powers, powers_there),
                None => !sum.iter().all(|x| simple(*x)) && powers.iter().all(|x| simple(*x)),
            };
            // Powers of negative numbers are whole ones, if they are powers.
            let real = values.iter().zip(powers).all(|(v, power)| v.powf(*power).is_finite());
            let product = product && real;
            let factors = if product { powers } else { sum }.clone();
            let value = if product {
                values.iter().zip(&factors).map(|(v, power)| v.powf(*power)).product()
            } else {
                values.iter().zip(&factors).map(|(v, factor)| v * factor).sum::<f64>()
            };
            let by_value = |k: usize| if product { value * factors[k] / values[k] } else { factors[k] };
            let slope: Vec<f64> = (0..p).map(|k| by_value(k) * slopes[k]).collect();
            Combination { estimate: self.estimate(&slope, spreads), factors, product, value }
        });
        Uncertainty { combinations: combinations.collect(), parameters }
    }

    /// The functions of several parameters that no undetermined direction changes, as factors of a sum and as powers of a
    /// product.
    fn combinations(&self, found: &Found) -> Vec<(Vec<f64>, Vec<f64>)> {
        let functions = echelon(self.determined.iter().map(|(direction, _)| direction.clone()).collect());
        let several = functions.into_iter().filter(|row| row.iter().filter(|x| **x != 0.0).count() > 1);
        let both = several.map(|row| {
            let by_value: Vec<f64> = row
                .iter()
                .zip(&self.units)
                .zip(&found.slopes)
                .map(|((x, unit), slope)| x / (unit * slope))
                .collect();
            let powers = over_first(by_value.iter().zip(&found.values).map(|(x, value)| x * value));
            (over_first(by_value.into_iter()), powers)
        });
        both.collect()
    }
}

/// 1/√x, or 1 where x is nothing.
pub(crate) fn one_over_root(x: f64) -> f64 {
    if x > 0.0 { x.sqrt().recip() } else { 1.0 }
}

/// The factor of a matrix with ones at most on its diagonal, and what had to be added to them.
pub(crate) fn damped(n: usize, element: impl Fn(usize, usize) -> f64) -> Option<(Llt<f64>, f64)> {
    let mut damping = LEAST_DAMPING;
    while damping <= MOST_DAMPING {
        let matrix = Mat::from_fn(n, n, |i, j| element(i, j) + if i == j { damping } else { 0.0 });
        if let Ok(factor) = matrix.llt(Side::Lower) {
            return Some((factor, damping));
        }
        damping *= 10.0;
    }
    None
}

/// The reduced echelon form of independent rows, where what is there by rounding alone is 0.
fn echelon(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let columns = rows.first().map_or(0, Vec::len);
    let mut done = 0;
    for column in 0..columns {
        let rest = done..rows.len();
        let Some(best) = rest.max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs())) else {
            break;
        };
        if rows[best][column].abs() <= NO_PART {
            continue;
        }
        rows.swap(done, best);
        let pivot = rows[done][column];
        rows[done].iter_mut().for_each(|x| *x /= pivot);
        let reduced = rows[done].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != done) {
            let factor = row[column];
            row.iter_mut().zip(&reduced).for_each(|(x, y)| *x -= factor * y);
        }
        done += 1;
    }
    rows.iter_mut().flatten().filter(|x| x.abs() <= NO_PART).for_each(|x| *x = 0.0);
    rows
}

/// The numbers over the first of them that is not 0; those that are simple but for rounding are made so.
fn over_first(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let numbers: Vec<f64> = numbers.collect();
    let first = numbers.iter().copied().find(|x| *x != 0.0).unwrap_or(1.0);
    numbers.iter().map(|x| nearest_simple(x / first).unwrap_or(x / first)).collect()
}

/// The number that formulas are written with that `x` is but for rounding.
fn nearest_simple(x: f64) -> Option<f64> {
    if x == 0.0 {
        return Some(0.0);
    }
    let near = |denominator: f64| Some((x * denominator).round() / denominator).filter(|y| *y != 0.0);
    let is_near = |y: &f64| (x / y - 1.0).abs() <= NO_PART && y.abs() <= 12.0;
    [1.0, 2.0, 3.0, 4.0].into_iter().filter_map(near).find(is_near)
}

/// Is `x` a number that formulas are written with?
fn simple(x: f64) -> bool {
    nearest_simple(x) == Some(x)
}
