//! How far an answer is from the solution, without a reference.
//!
//! To first order the error e of an answer u obeys L·e = −r, where r are its residuals and L the conditions linearized
//! at u.
//! It is looked for among the functions by which the network can change: its tangent space, from a network that has
//! been widened by neurons that do nothing yet, so that what the network itself cannot say is among them (an enriched
//! space, as in the hierarchical estimators of Bank and Weiser 1985).
//! Of these tens of thousands of functions some hundred random sums are taken, which span what matters (Halko,
//! Martinsson and Tropp 2011).
//! With Φ their residuals and U their values, both at points that training has not seen, and δ how much of each there
//! is,
//!
//! r = −Φδ + ε, δ ~ N(0, σ²), ε ~ N(0, τ²), e = −Uδ
//!
//! is a linear model with two unknown variances, whose likelihood is greatest at some τ²/σ² (the evidence of MacKay
//! 1992).
//! It gives the mean of e, a Gauss–Newton step as far as the residuals speak for it, and its spread, which is large where
//! small residuals matter much.
//! What no δ explains of r is not noise, however: it belongs to an error that is not among these functions.
//! Measured, the estimate is short of it by about the root of the part of r² that is explained, and is divided by it.
//! Every residual of a condition is measured in its own root mean square, so that nothing depends on units.
//!
//! This file knows problems and the fused engine.
//! It does not know how the answer was found, nor what it is compared with.

mod boundary;
mod initial;
mod windows;

use faer::{Mat, MatRef, Side};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;

use crate::engine::Engine;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::network::Layers;
use crate::problem::{Condition, Place, Problem, Unknown};
use crate::rng::{self, Stream};
use crate::sample::{self, Points, Purpose};
use crate::settings::{Enforce, Sampler};
use crate::verify;

/// Parameters beyond which rows of a Jacobian are too long for a by-product.
const MOST: usize = 2_000_000;
/// Random sums of the tangent space's functions.
const FUNCTIONS: usize = 512;
/// Residuals for each of them: enough that what they explain is not by chance.
const ROWS: usize = 4;
/// Fewest points of a condition.
const FEWEST: usize = 64;
/// Points at which the error is looked at.
const PROBES: usize = 1 << 10;
/// By how much the network is widened, relative to its width, and at least.
const WIDER: f64 = 0.5;
const LEAST_WIDER: usize = 8;
/// How far a neuron that is added is from the one that it is a copy of, relative to its weights.
const APART: f64 = 0.5;
/// Residuals below this part of what a tangent function changes them by are rounding.
const ROUNDING: f64 = 1e-13;
/// The least part of the residuals' squares that is told from none.
const LEAST_EXPLAINED: f64 = 1e-6;
/// How far inside a stretch of integration its last point is, as a part of its length: there another window may begin, or
/// an equation be singular.
const INSIDE: f64 = 1e-9;
/// Ratios of variances that are tried, as parts of the greatest eigenvalue of ΦᵀΦ, and how many in a decade.
const LEAST_RATIO: i32 = -15;
const PER_DECADE: i32 = 4;

/// What is estimated of an answer's error.
#[derive(Clone, PartialEq, Debug)]
pub struct ErrorEstimate {
    /// For every unknown its error, the root of its mean square over the domain.
    pub unknowns: Vec<f64>,
    /// For every unknown its own size, the same way.
    pub sizes: Vec<f64>,
    /// For every trainable parameter its error relative to its value.
    pub parameters: Vec<f64>,
    /// How much of the residuals' squares the network could explain.
    pub explained: f64,
    /// By how much, at most, an unknown changes where residuals change by as much as they are, over its own size.
    pub amplification: f64,
    /// What becomes of errors at the start, of an initial-value problem of ordinary differential equations.
    pub growth: Option<Growth>,
}

/// What becomes of an error at the start of an evolution.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Growth {
    /// The greatest change of an unknown over its size, where a number of the start is changed by as much as it is.
    pub factor: f64,
    /// Where the evolution starts, and where it changes most.
    pub from: f64,
    /// See `from`.
    pub to: f64,
}

/// Estimates the error of the network with parameters `theta`, on `threads` threads, which change nothing.
///
/// `engine` is that of the answer; what needs other points or precision than it has makes its own.
///
/// `None` where a number is not finite or the network is too large.
pub fn estimate(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    threads: usize,
) -> Option<ErrorEstimate> {
    if let Some(estimate) = initial::estimate(problem, engine, theta, threads) {
        return Some(estimate);
    }
    match boundary::estimate(problem, theta, threads) {
        Some((estimate, true)) => Some(estimate),
        Some((estimate, false)) => Some(match of_functions(problem, theta, threads) {
            Some(other) => estimate.or_greater(&other),
            None => estimate,
        }),
        None => of_functions(problem, theta, threads),
    }
}

impl ErrorEstimate {
    /// Of every error the greater one.
    fn or_greater(mut self, other: &Self) -> Self {
        let errors = self.unknowns.iter_mut().zip(&other.unknowns);
        errors.for_each(|(error, other)| *error = error.max(*other));
        self.amplification = self.amplification.max(other.amplification);
        self
    }
}

/// The estimate among the functions by which the network can change.
fn of_functions(problem: &Problem, theta: &[f64], threads: usize) -> Option<ErrorEstimate> {
    if theta.len() > MOST {
        return None;
    }
    if problem.training.windows.count() > 1 {
        return windows::estimate(problem, theta, threads);
    }
    let mut rng = rng::stream(problem.training.seed, "estimate");
    let probes = probes(problem);
    let (problem, theta) = widened(problem, theta, &mut rng);
    let (conditions, probe) =
        (&problem.conditions[..problem.conditions.len() - 1], problem.conditions.len() - 1);
    let mut engine = CpuEngine::<f64>::new(&problem, threads.max(1), Isa::best()).ok()?;
    let functions = FUNCTIONS.min(theta.len());
    let buckets = buckets(theta.len(), functions, &mut rng);
    let counts = counts(conditions, functions);
    let mut rows = Rows::default();
    for (i, condition) in conditions.iter().enumerate() {
        if !counts_for(condition) {
            continue;
        }
        let (_, Points { rows: points, data }) = verify::sites(&problem, condition, counts[i]);
        engine.set_points(i, &points, &data);
        let (own, r) = engine.jacobian_in_buckets(&theta, i, &buckets, functions);
        rows.add_scaled(&own, &r, &[], condition.residuals.roots.len(), functions);
    }
    engine.set_points(probe, &probes, &[]);
    let (values, u) = engine.jacobian_in_buckets(&theta, probe, &buckets, functions);
    if !rows.is_finite() || !values.iter().chain(&u).all(|x| x.is_finite()) {
        return None;
    }
    let model = Model::new(&rows, functions)?;
    let unknowns = problem.unknowns.len();
    let homes = homes(&problem, &probes);
    let seen = model.explained.max(LEAST_EXPLAINED).sqrt();
    let mut estimate = ErrorEstimate {
        unknowns: vec![],
        sizes: (0..unknowns).map(|k| size(&u, k, &homes)).collect(),
        parameters: vec![],
        explained: model.explained,
        amplification: model.amplification(&values, &u, &homes),
        growth: None,
    };
    for k in 0..unknowns {
        let (mean, spread) = model.error(&of_unknown(&values, functions, k, &homes));
        estimate.unknowns.push(mean.hypot(spread) / seen);
    }
    let entries = theta.len() - problem.trainable.len();
    for (k, trainable) in problem.trainable.iter().enumerate() {
        let entry = theta[entries + k];
        let (bucket, factor) = buckets[entries + k];
        let slope = trainable.slope(entry) * factor / trainable.value(entry);
        let own = Mat::from_fn(1, functions, |_, j| if j == bucket { slope } else { 0.0 });
        let (mean, spread) = model.error(&own);
        estimate.parameters.push(mean.hypot(spread) / seen);
    }
    Some(estimate)
}

/// For every unknown the numbers of the points where it lives; all of them, if it lives at none.
fn homes(problem: &Problem, points: &[f64]) -> Vec<Vec<usize>> {
    let home = |unknown: &Unknown| {
        let rows = points.chunks_exact(problem.coordinates.len()).enumerate();
        let home: Vec<usize> =
            rows.clone().filter(|(_, row)| unknown.lives_at(row)).map(|(i, _)| i).collect();
        if home.is_empty() { rows.map(|(i, _)| i).collect() } else { home }
    };
    problem.unknowns.iter().map(home).collect()
}

/// What the functions do to unknown `k` where it lives, points × functions.
fn of_unknown(values: &[f64], functions: usize, k: usize, homes: &[Vec<usize>]) -> Mat<f64> {
    let at = |i: usize, j: usize| values[(homes[k][i] * homes.len() + k) * functions + j];
    Mat::from_fn(homes[k].len(), functions, at)
}

/// The root mean square of unknown `k` where it lives.
fn size(u: &[f64], k: usize, homes: &[Vec<usize>]) -> f64 {
    let square = homes[k].iter().map(|i| u[i * homes.len() + k].powi(2)).sum::<f64>();
    (square / homes[k].len() as f64).sqrt()
}

/// The problem with a wider network, whose last condition has the unknowns as its residuals, and the parameters that
/// give the same answer.
fn widened(problem: &Problem, theta: &[f64], rng: &mut Stream) -> (Problem, Vec<f64>) {
    let old = problem.layers();
    let mut wide = problem.clone();
    wide.resize_networks(wider);
    let new = wide.layers();
    let mut parameters = widen(theta, &old, &new, rng);
    parameters.extend(&theta[old.parameters()..]);
    wide.conditions.push(probe(problem));
    (wide, parameters)
}

fn wider(width: usize) -> usize {
    width + LEAST_WIDER.max((WIDER * width as f64) as usize)
}

/// The parameters of the network `old` in the network `new`, which is wider.
///
/// A neuron that is added sees the neurons that were there as one of them does, but for some noise, and none sees it.
fn widen(theta: &[f64], old: &Layers, new: &Layers, rng: &mut Stream) -> Vec<f64> {
    let mut wide = vec![0.0; new.parameters()];
    for (from, to) in old.dense().zip(new.dense()) {
        for row in 0..to.outputs {
            let is_new = row >= from.outputs;
            let source = if is_new { rng.random_range(0..from.outputs) } else { row };
            let weights = &theta[from.weights + source * from.inputs..][..from.inputs];
            let size = (weights.iter().map(|w| w * w).sum::<f64>() / from.inputs as f64).sqrt();
            let mut noise = || if is_new { APART * rng.sample::<f64, _>(StandardNormal) } else { 0.0 };
            for (column, weight) in weights.iter().enumerate() {
                wide[to.weights + row * to.inputs + column] = weight + size * noise();
            }
            wide[to.biases + row] = theta[from.biases + source] + size * noise();
        }
    }
    for (from, to) in old.numbers.iter().zip(&new.numbers) {
        let (old, new) = wide[to.first..][..to.count].split_at_mut(from.count);
        old.copy_from_slice(&theta[from.first..][..from.count]);
        new.fill(to.initial);
    }
    wide
}

/// To which of `functions` sums every one of `parameters` goes, and with which sign.
fn buckets(parameters: usize, functions: usize, rng: &mut Stream) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..parameters).collect();
    order.shuffle(rng);
    order
        .into_iter()
        .map(|place| (place % functions, if rng.random::<bool>() { 1.0 } else { -1.0 }))
        .collect()
}

/// Has the answer a part in whether it holds? A condition of no weight is none.
fn counts_for(condition: &Condition) -> bool {
    !condition.is_exact() && condition.weight > 0.0
}

/// How many points every condition is looked at: three of four residuals in the interior.
fn counts(conditions: &[Condition], functions: usize) -> Vec<usize> {
    let roots = |interior: bool| -> usize {
        conditions
            .iter()
            .filter(|condition| counts_for(condition) && condition.place.is_interior() == interior)
            .map(|condition| condition.residuals.roots.len())
            .sum()
    };
    let rows = (ROWS * functions) as f64;
    let count = |condition: &Condition| {
        let interior = condition.place.is_interior();
        let share = if interior { 0.75 } else { 0.25 };
        FEWEST.max((share * rows / roots(interior) as f64) as usize)
    };
    conditions.iter().map(count).collect()
}

/// Where an answer is looked at: in the domain, or where the equations hold if that is given by points.
pub(crate) fn probes(problem: &Problem) -> Vec<f64> {
    let clouds = || {
        let own = problem.conditions.iter();
        own.filter(|condition| !condition.place.is_drawn() && !condition.uses_data())
    };
    let drawn = problem.conditions.iter().any(|condition| condition.place.is_interior());
    if drawn || clouds().next().is_none() {
        return sample::fresh(problem, &probe(problem), Purpose::Check, PROBES, problem.training.seed)
            .expect("the interior has points")
            .rows;
    }
    clouds().flat_map(|cloud| verify::sites(problem, cloud, PROBES).1.rows).collect()
}

/// A condition whose residuals are the unknowns.
pub(crate) fn probe(problem: &Problem) -> Condition {
    Condition {
        name: "unknowns".into(),
        place: Place::Interior,
        written: vec![],
        jets: problem.values.jets(),
        residuals: problem.values.clone(),
        scales: vec![1.0; problem.unknowns.len()],
        enforce: Enforce::Loss,
        weight: 1.0,
        points: PROBES,
        sampler: Sampler::Sobol,
        dimensions: None,
    }
}

/// Rows of Φ, and residuals, of all conditions.
#[derive(Default)]
struct Rows {
    /// Sites × residuals × functions.
    phi: Vec<f64>,
    residuals: Vec<f64>,
    /// What the residuals change by for another reason; empty where there is none.
    changes: Vec<f64>,
}

impl Rows {
    /// Adds a condition's rows, residuals and changes to the others, each of its residuals in its own root mean square.
    fn add_scaled(
        &mut self,
        rows: &[f64],
        residuals: &[f64],
        changes: &[f64],
        roots: usize,
        functions: usize,
    ) {
        let sites = residuals.len() / roots;
        for root in 0..roots {
            let row = |site: usize| &rows[(site * roots + root) * functions..][..functions];
            let square = |x: &f64| x * x;
            let reach = (0..sites).flat_map(row).map(square).sum::<f64>() / sites as f64;
            // The network has no part in it: it holds exactly, or never.
            if reach == 0.0 {
                continue;
            }
            let size = residuals.iter().skip(root).step_by(roots).map(square).sum::<f64>() / sites as f64;
            let scale = size.sqrt().max(ROUNDING * reach.sqrt());
            for site in 0..sites {
                self.phi.extend(row(site).iter().map(|x| x / scale));
                self.residuals.push(residuals[site * roots + root] / scale);
                self.changes.extend(changes.get(site * roots + root).map(|change| change / scale));
            }
        }
    }

    fn is_finite(&self) -> bool {
        self.phi.iter().chain(&self.residuals).chain(&self.changes).all(|x| x.is_finite())
    }
}

/// The linear model, solved.
struct Model {
    /// Eigenvectors of ΦᵀΦ, and what it takes to scale them: 1/(λ + μ).
    vectors: Mat<f64>,
    inverse: Vec<f64>,
    /// The mean of δ along them.
    mean: Vec<f64>,
    /// τ².
    noise: f64,
    /// What part of r² the mean explains.
    explained: f64,
    /// How much of every function, along the eigenvectors, takes back what the residuals change by.
    response: Vec<f64>,
}

/// What speaks for a right side of the linear model: the ratio of its variances at the greatest likelihood, and τ².
struct Evidence {
    ratio: f64,
    noise: f64,
}

impl Evidence {
    /// From the eigenvalues of ΦᵀΦ, the right side along its eigenvectors, its square, and how many numbers it has.
    fn of(values: &[f64], along: &[f64], square: f64, count: usize) -> Option<Self> {
        let greatest = values.iter().copied().fold(0.0, f64::max);
        let noise = |ratio: f64| {
            let explained: f64 = along.iter().zip(values).map(|(b, value)| b * b / (value + ratio)).sum();
            (square - explained).max(f64::EPSILON * square) / count as f64
        };
        // Twice the negative logarithm of the likelihood, at the best τ.
        let cost = |ratio: f64| {
            let volume: f64 = values.iter().map(|value| (value / ratio).ln_1p()).sum();
            count as f64 * noise(ratio).ln() + volume
        };
        let ratios = (PER_DECADE * LEAST_RATIO..=0)
            .map(|step| greatest * 10_f64.powf(f64::from(step) / f64::from(PER_DECADE)));
        let ratio = ratios.min_by(|a, b| cost(*a).total_cmp(&cost(*b)))?;
        Some(Self { ratio, noise: noise(ratio) })
    }
}

impl Model {
    /// `None` where there are no residuals, or eigenvalues cannot be found.
    fn new(rows: &Rows, functions: usize) -> Option<Self> {
        let Rows { phi, residuals, changes } = rows;
        let count = residuals.len();
        if count == 0 {
            return None;
        }
        let phi = MatRef::from_row_major_slice(phi, count, functions);
        let eigen = (phi.transpose() * phi).self_adjoint_eigen(Side::Lower).ok()?;
        let vectors = eigen.U().to_owned();
        let values: Vec<f64> = (0..functions).map(|k| eigen.S()[k].max(0.0)).collect();
        let project = |right: &[f64]| -> Vec<f64> {
            let along =
                vectors.transpose() * (phi.transpose() * MatRef::from_column_major_slice(right, count, 1));
            (0..functions).map(|k| along[(k, 0)]).collect()
        };
        let along = project(residuals);
        let square: f64 = residuals.iter().map(|r| r * r).sum();
        let Evidence { ratio, noise } = Evidence::of(&values, &along, square, count)?;
        let inverse: Vec<f64> = values.iter().map(|value| (value + ratio).recip()).collect();
        let mean: Vec<f64> = along.iter().zip(&inverse).map(|(b, inverse)| b * inverse).collect();
        let left: f64 = square
            - along
                .iter()
                .zip(&mean)
                .zip(&values)
                .map(|((b, d), value)| d * (2.0 * b - value * d))
                .sum::<f64>();
        let explained = 1.0 - left.max(0.0) / square;
        // What is answered of changes is what these functions can: where a condition has kinks, not all of them are of
        // first order.
        let square: f64 = changes.iter().map(|change| change * change).sum();
        let response = if square == 0.0 {
            vec![0.0; functions]
        } else {
            let along = project(changes);
            let Evidence { ratio, .. } = Evidence::of(&values, &along, square, count)?;
            along.iter().zip(&values).map(|(b, value)| b / (value + ratio)).collect()
        };
        Some(Self { vectors, inverse, mean, noise, explained, response })
    }

    /// How much of each function an error may have that is as likely as others: the mean and a random part, over `seen`, and
    /// what answers the changes of the residuals.
    fn draw(&self, seen: f64, rng: &mut Stream) -> Vec<f64> {
        let count = self.mean.len();
        let along =
            self.mean.iter().zip(&self.inverse).zip(&self.response).map(|((mean, inverse), response)| {
                (mean + (self.noise * inverse).sqrt() * rng.sample::<f64, _>(StandardNormal)) / seen
                    + response
            });
        let along: Vec<f64> = along.collect();
        let of_all = &self.vectors * MatRef::from_column_major_slice(&along, count, 1);
        (0..count).map(|k| of_all[(k, 0)]).collect()
    }

    /// Of a function with the values `values` (points × functions): the mean of its error and its spread; roots of means
    /// over the points.
    fn error(&self, values: &Mat<f64>) -> (f64, f64) {
        let points = values.nrows();
        let along = values * &self.vectors;
        let (mut mean, mut spread) = (0.0, 0.0);
        for i in 0..points {
            let mut e = 0.0;
            for (k, (mean, inverse)) in self.mean.iter().zip(&self.inverse).enumerate() {
                e += along[(i, k)] * mean;
                spread += along[(i, k)] * along[(i, k)] * inverse;
            }
            mean += e * e;
        }
        let root = |x: f64| (x / points as f64).sqrt();
        (root(mean), root(self.noise * spread))
    }

    /// How far an unknown goes, beside its own size, where residuals change by their own size, the furthest of them all.
    fn amplification(&self, values: &[f64], u: &[f64], homes: &[Vec<usize>]) -> f64 {
        let of = |k: usize| {
            let along = of_unknown(values, self.mean.len(), k, homes) * &self.vectors;
            let points = along.nrows();
            let far =
                |j: usize| self.inverse[j] * (0..points).map(|i| along[(i, j)] * along[(i, j)]).sum::<f64>();
            let furthest = (0..self.mean.len()).map(far).fold(0.0, f64::max);
            (furthest / points as f64).sqrt() / size(u, k, homes)
        };
        (0..homes.len()).map(of).fold(0.0, f64::max)
    }
}
