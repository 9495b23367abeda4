//! The estimate of an answer that was found window by window.
//!
//! What is wrong at the end of a window is carried into the next one, grows there or dies away, and no window's residuals
//! tell of it.
//! So samples of the error are carried through the windows: in each one what has come from the window before changes its
//! residuals, which is answered, and what its estimate says of the residuals that were there before is added, the mean and a
//! random part of what they leave open.
//! All of it is to first order.
//!
//! This file knows windows; the linear model is its parent's.

use super::{ErrorEstimate, Model, Rows, buckets, counts, counts_for, homes, probe, widen, wider};
use crate::engine::Engine as _;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::problem::{Carried, Condition, Problem, Windows};
use crate::rng::{self, Stream};
use crate::sample::{self, Points, Purpose};
use crate::verify;

/// Random sums of the tangent space's functions in all windows together, and in each one at least and at most.
const FUNCTIONS: usize = 2048;
const LEAST: usize = 96;
const MOST: usize = 512;
/// The least part of the residuals' squares that counts as explained: of a window that is solved to rounding hardly any is,
/// and to divide by its root, window by window, would let errors of rounding grow without end.
const LEAST_EXPLAINED: f64 = 1e-2;
/// Samples, of which the root mean square is taken, where there are no more than some windows: of a single one what grows most
/// may be a hundred times smaller than as a rule.
const SAMPLES: usize = 4;
const FEW: usize = 30;
/// Points of a window at which it is looked at how much residuals matter.
const PROBES: usize = 128;

/// As [`super::estimate`]; `None` where a window is missing as well.
pub(super) fn estimate(problem: &Problem, theta: &[f64], threads: usize) -> Option<ErrorEstimate> {
    let mut rng = rng::stream(problem.training.seed, "estimate");
    let count = if problem.training.windows.count() <= FEW { SAMPLES } else { 1 };
    let samples =
        (0..count).map(|_| sampled(problem, theta, threads, &mut rng)).collect::<Option<Vec<_>>>()?;
    let mut estimate = samples[0].clone();
    for (k, error) in estimate.unknowns.iter_mut().enumerate() {
        *error = (samples.iter().map(|sample| sample.unknowns[k].powi(2)).sum::<f64>() / count as f64).sqrt();
    }
    Some(estimate)
}

/// The estimate from one sample.
fn sampled(problem: &Problem, theta: &[f64], threads: usize, rng: &mut Stream) -> Option<ErrorEstimate> {
    let mut wide = problem.clone();
    wide.resize_networks(wider);
    let (old, new) = (problem.layers(), wide.layers());
    let windows = Windows::new(&wide).ok()?;
    let count = windows.all.len();
    if theta.len() != count * old.parameters() {
        return None;
    }
    let first = theta.chunks_exact(old.parameters()).flat_map(|own| widen(own, &old, &new, rng));
    let first: Vec<f64> = first.collect();
    let functions = (FUNCTIONS / count).clamp(LEAST, MOST).min(new.parameters());
    let known = vec![vec![]; count];
    let mut sample = Sample { windows: &windows, theta: first, changes: vec![], known, threads };
    let unknowns = problem.unknowns.len();
    let [mut errors, mut sizes, mut weights] = [(); 3].map(|()| vec![0.0; unknowns]);
    let (mut explained, mut amplification) = (0.0, 0.0_f64);
    for (w, window) in windows.all.iter().enumerate() {
        let own = sample.theta[w * new.parameters()..][..new.parameters()].to_vec();
        let mut part = window.problem.clone();
        let conditions = part.conditions.clone();
        let (values, carried) = window.formula(&wide.values, 0);
        part.conditions.push(Condition { residuals: values, ..probe(&part) });
        let mut engine = CpuEngine::<f64>::new(&part, threads.max(1), Isa::best()).ok()?;
        let buckets = buckets(new.parameters(), functions, rng);
        let counts = counts(&conditions, functions);
        let mut rows = Rows::default();
        for (i, condition) in conditions.iter().enumerate().filter(|(_, condition)| counts_for(condition)) {
            let (_, Points { rows: points, data }) = verify::sites(&part, condition, counts[i]);
            let (before, changed) = sample.carried(w, &window.carried[i], condition.sides(), &points)?;
            engine.set_points(i, &points, &[&data[..], &before].concat());
            let (own_rows, r) = engine.jacobian_in_buckets(&own, i, &buckets, functions);
            let with_error = engine.residuals(&own, i, &points, &[data, changed].concat());
            let changes: Vec<f64> = with_error.iter().zip(&r).map(|(with, without)| with - without).collect();
            rows.add_scaled(&own_rows, &r, &changes, condition.residuals.roots.len(), functions);
        }
        let looked_at = conditions.len();
        let points =
            sample::fresh(&part, &part.conditions[looked_at], Purpose::Check, PROBES, part.training.seed)?
                .rows;
        let (before, changed) = sample.carried(w, &carried, 1, &points)?;
        engine.set_points(looked_at, &points, &before);
        let (values, u) = engine.jacobian_in_buckets(&own, looked_at, &buckets, functions);
        if !rows.is_finite() || !values.iter().chain(&u).all(|x| x.is_finite()) {
            return None;
        }
        let model = Model::new(&rows, functions)?;
        let seen = model.explained.max(LEAST_EXPLAINED).sqrt();
        let change: Vec<f64> = model.draw(seen, rng).iter().map(|change| -change).collect();
        let came = engine.residuals(&own, looked_at, &points, &changed);
        let (from, to) = window.span();
        let homes = homes(&part, &points);
        for (k, home) in homes.iter().enumerate() {
            for i in home.iter().map(|point| point * unknowns + k) {
                let row = &values[i * functions..][..functions];
                let added: f64 = row.iter().zip(&change).map(|(x, change)| x * change).sum();
                errors[k] += (to - from) * (came[i] - u[i] + added).powi(2);
                sizes[k] += (to - from) * u[i] * u[i];
                weights[k] += to - from;
            }
        }
        explained += model.explained / count as f64;
        amplification = amplification.max(model.amplification(&values, &u, &homes));
        sample.changes.push(buckets.iter().map(|(bucket, sign)| sign * change[*bucket]).collect());
    }
    let mean = |sums: Vec<f64>| -> Vec<f64> {
        sums.iter().zip(&weights).map(|(sum, weight)| (sum / weight).sqrt()).collect()
    };
    let (errors, sizes) = (mean(errors), mean(sizes));
    let fine = errors.iter().all(|error| error.is_finite());
    fine.then_some(ErrorEstimate {
        unknowns: errors,
        sizes,
        parameters: vec![],
        explained,
        amplification,
        growth: None,
    })
}

/// A sample of the error, as far as it has been carried.
struct Sample<'a> {
    windows: &'a Windows,
    /// The answer: parameters of all windows.
    theta: Vec<f64>,
    /// What the sample changes of the parameters of every window that is done.
    changes: Vec<Vec<f64>>,
    /// Along a single coordinate a joint is one point: what has been asked for there, in every window.
    known: Vec<Vec<(Vec<Carried>, Vec<Pair>)>>,
    threads: usize,
}

/// A number of the answer, and of the answer with the error.
type Pair = (f64, f64);

/// A column for each number that is carried.
type Columns = Vec<Vec<f64>>;

impl Sample<'_> {
    /// What a window takes over from the one before, of the answer and of the answer with the error: a column for each of
    /// `wanted`; rows of `points` hold `sides` points.
    fn carried(
        &mut self,
        window: usize,
        wanted: &[Carried],
        sides: usize,
        points: &[f64],
    ) -> Option<(Columns, Columns)> {
        let nothing = || vec![vec![]; wanted.len()];
        let Some(joint) = self.windows.joint(window) else { return Some((nothing(), nothing())) };
        let columns = joint
            .carry(wanted, sides, points, |before, asked, points| self.at_joint(before, asked, points))?;
        Some(columns.into_iter().map(|column| column.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()).unzip())
    }

    /// What the window `before` hands on at points of its end: rows of what is `asked` for.
    fn at_joint(&mut self, before: usize, asked: &[Carried], points: &[f64]) -> Option<Vec<Pair>> {
        let window = &self.windows.all[before];
        let one_point = window.problem.coordinates.len() == 1;
        let known = self.known[before].iter().find(|(known, _)| one_point && known == asked);
        if let Some((_, pairs)) = known {
            return Some(pairs.clone());
        }
        let (formula, carried) = window.handed_on(asked);
        let (data, with_error) = self.carried(before, &carried, 1, points)?;
        let mut part = window.problem.clone();
        let scales = vec![1.0; formula.roots.len()];
        part.conditions =
            vec![Condition { jets: formula.jets(), residuals: formula, scales, ..probe(&part) }];
        let mut engine = CpuEngine::<f64>::new(&part, self.threads.max(1), Isa::best()).ok()?;
        let parameters = engine.parameters();
        let theta = &self.theta[before * parameters..][..parameters];
        engine.set_points(0, points, &data);
        // One function: the change itself.
        let change: Vec<(usize, f64)> = self.changes[before].iter().map(|change| (0, *change)).collect();
        let (added, answer) = engine.jacobian_in_buckets(theta, 0, &change, 1);
        let came = engine.residuals(theta, 0, points, &with_error);
        let pairs: Vec<Pair> = (0..answer.len()).map(|i| (answer[i], came[i] + added[i])).collect();
        if one_point {
            self.known[before].push((asked.to_vec(), pairs.clone()));
        }
        Some(pairs)
    }
}
