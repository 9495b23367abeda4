//! The estimate of an answer to a boundary-value problem of ordinary differential equations.
//!
//! Its error obeys the equations linearized at the answer, driven by the residuals, and the conditions at both ends: a linear
//! boundary-value problem.
//! Its domain is cut into many short steps, across each of which an implicit method carries every state; what all steps and
//! both ends say of the states is solved as one system, by orthogonal transformations from one end to the other, which no
//! growth of solutions harms (Wright 1992, doi:10.1137/0913044).
//! So are changes as small as rounding errors, for where the equations nearly have more than one solution, no residual tells
//! the right one from others.
//!
//! This file knows answers of networks and their derivatives; how equations are integrated is known elsewhere.

use faer::linalg::solvers::Solve;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Mat, MatRef, Par};
use rand::RngExt;

use super::{ErrorEstimate, INSIDE};
use crate::engine::Engine;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::problem::{Ordinary, Problem};
use crate::rng;
use crate::verify;

/// Steps, and places at which the answer is looked at before, to put them where much happens.
const STEPS: usize = 2048;
const LOOKS: usize = 4096;
/// Estimates with all steps and with half of them that differ by no more than this are alike.
const ALIKE: f64 = 2.0;

/// As [`super::estimate`], and whether it hardly depends on how finely the domain was cut; `None` where the problem is of
/// another kind.
pub(super) fn estimate(problem: &Problem, theta: &[f64], threads: usize) -> Option<(ErrorEstimate, bool)> {
    if problem.training.windows.count() > 1 {
        return None;
    }
    let mut equations = Ordinary::boundary_value(problem)?;
    let mut engine = CpuEngine::<f64>::new(problem, threads.max(1), Isa::best()).ok()?;
    if theta.len() != engine.parameters() {
        return None;
    }
    let (lower, upper) = (problem.coordinates[0].lower, problem.coordinates[0].upper);
    let jets = equations.jets();
    let mut places_at = |times: &[f64]| verify::jets_at(problem, &mut engine, theta, &jets, times);
    let looks: Vec<f64> = (0..=LOOKS).map(|k| lower + (upper - lower) * k as f64 / LOOKS as f64).collect();
    let places = places_at(&looks)?;
    let edges = edges(&mut equations, &looks, &places, jets.len());
    let ends = [&places[..jets.len()], &places[LOOKS * jets.len()..]];
    let mut solve = |edges: &[f64]| {
        let nodes = equations.radau.nodes;
        let stages = edges.windows(2).flat_map(|ends| nodes.map(|node| ends[0] + node * (ends[1] - ends[0])));
        let mut times: Vec<f64> = stages.collect();
        if let Some(last) = times.last_mut() {
            *last = upper - INSIDE * (upper - lower);
        }
        let places = places_at(&times)?;
        let places: Vec<&[f64]> = places.chunks_exact(jets.len()).collect();
        let steps = Steps::new(&mut equations, edges, &places)?;
        Some((steps.errors(&mut equations, [lower, upper], ends, problem.training.seed), steps.unknowns))
    };
    let (errors, sizes) = solve(&edges)?;
    let (coarse, _) = solve(&edges.iter().copied().step_by(2).collect::<Vec<_>>())?;
    let is_resolved = errors.iter().zip(&coarse).all(|(a, b)| a.max(*b) <= ALIKE * a.min(*b));
    let relative = errors.iter().zip(&sizes).map(|(error, size)| error / size);
    let amplification = relative.fold(0.0, f64::max);
    let estimate = ErrorEstimate {
        unknowns: errors,
        sizes,
        parameters: vec![],
        explained: 1.0,
        amplification,
        growth: None,
    };
    estimate.unknowns.iter().all(|error| error.is_finite()).then_some((estimate, is_resolved))
}

/// Where steps begin and end: a third of them everywhere, a third where the answer changes, a third where its residuals do.
fn edges(equations: &mut Ordinary, looks: &[f64], places: &[f64], length: usize) -> Vec<f64> {
    let states = equations.states();
    let residuals: Vec<Vec<f64>> = looks
        .iter()
        .zip(places.chunks_exact(length))
        .map(|(&t, place)| equations.equations(t, place).values)
        .collect();
    let answer: Vec<&[f64]> = places.chunks_exact(length).map(|place| &place[..states]).collect();
    let uniform = vec![1.0; looks.len() - 1];
    let ways = [uniform, variation(&answer), variation(&residuals)].map(|way| {
        let all: f64 = way.iter().sum();
        (way, all)
    });
    let mut reached = vec![0.0];
    for k in 0..looks.len() - 1 {
        let share = |(way, all): &(Vec<f64>, f64)| {
            if *all > 0.0 { way[k] / all } else { 1.0 / way.len() as f64 }
        };
        reached.push(reached[k] + ways.iter().map(share).sum::<f64>() / ways.len() as f64);
    }
    let total = reached[looks.len() - 1];
    let inner = (1..STEPS).map(|step| {
        let sought = total * step as f64 / STEPS as f64;
        let k = reached.partition_point(|&x| x <= sought).clamp(1, looks.len() - 1);
        let part = (sought - reached[k - 1]) / (reached[k] - reached[k - 1]);
        looks[k - 1] + part * (looks[k] - looks[k - 1])
    });
    [looks[0]].into_iter().chain(inner).chain([looks[looks.len() - 1]]).collect()
}

/// How much numbers change from each row to the next, each beside all its changes.
fn variation(rows: &[impl AsRef<[f64]>]) -> Vec<f64> {
    let change = |k: usize, j: usize| (rows[k + 1].as_ref()[j] - rows[k].as_ref()[j]).abs();
    let count = rows.len() - 1;
    let mut sums = vec![0.0; count];
    for j in 0..rows[0].as_ref().len() {
        let all: f64 = (0..count).map(|k| change(k, j)).sum();
        if all > 0.0 && all.is_finite() {
            sums.iter_mut().enumerate().for_each(|(k, sum)| *sum += change(k, j) / all);
        }
    }
    sums
}

/// What steps make of changes of the state, in units of each of its numbers.
struct Steps {
    /// Their lengths, over that of the domain.
    lengths: Vec<f64>,
    /// For every number of a state its size in the answer.
    sizes: Vec<f64>,
    /// Of every step what becomes of a change of each number, and what the residuals add.
    matrices: Vec<Mat<f64>>,
    driven: Vec<Vec<f64>>,
    /// The same of the unknowns at the end of the step, in their own units.
    values: Vec<Mat<f64>>,
    values_driven: Vec<Vec<f64>>,
    /// For every unknown its size in the answer.
    unknowns: Vec<f64>,
}

impl Steps {
    fn new(equations: &mut Ordinary, edges: &[f64], places: &[&[f64]]) -> Option<Self> {
        let states = equations.states();
        let whole = edges[edges.len() - 1] - edges[0];
        let lengths: Vec<f64> = edges.windows(2).map(|ends| (ends[1] - ends[0]) / whole).collect();
        let root = |rows: &dyn Fn(usize) -> f64| -> f64 {
            let squares = lengths.iter().enumerate().map(|(i, length)| length * rows(i).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let size = |k: usize| Some(root(&|i| places[3 * i + 2][k])).filter(|&size| size > 0.0).unwrap_or(1.0);
        let sizes: Vec<f64> = (0..states).map(size).collect();
        let answers: Vec<Vec<f64>> = (0..lengths.len())
            .map(|i| places[3 * i + 2])
            .map(|p| equations.values(&p[..states], &p[states..]))
            .collect();
        let unknowns = (0..answers[0].len()).map(|k| root(&|i| answers[i][k])).collect();
        let mut changes = vec![vec![0.0; states]; states + 1];
        for (k, size) in sizes.iter().enumerate() {
            changes[k + 1][k] = *size;
        }
        let mut all = Self {
            lengths,
            sizes,
            matrices: vec![],
            driven: vec![],
            values: vec![],
            values_driven: vec![],
            unknowns,
        };
        for (i, ends) in edges.windows(2).enumerate() {
            let here = [0, 1, 2].map(|stage| places[3 * i + stage]);
            let changed = equations.linear_step(ends[0], ends[1] - ends[0], here, &changes)?;
            let state = |k: usize, n: usize| changed[k][2][n] / all.sizes[n];
            all.matrices.push(Mat::from_fn(states, states, |n, k| state(k + 1, n)));
            all.driven.push((0..states).map(|n| state(0, n)).collect());
            let values: Vec<Vec<f64>> = changed
                .iter()
                .map(|stages| equations.values(&stages[2][..states], &stages[2][states..]))
                .collect();
            all.values.push(Mat::from_fn(all.unknowns.len(), states, |n, k| values[k + 1][n]));
            all.values_driven.push(values[0].clone());
        }
        Some(all)
    }

    /// For every unknown its error, with what rounding may do; the root of its mean square over the domain.
    fn errors(&self, equations: &mut Ordinary, ends: [f64; 2], places: [&[f64]; 2], seed: u64) -> Vec<f64> {
        let (states, count) = (self.sizes.len(), self.lengths.len());
        let mut random = rng::stream(seed, "estimate/rounding");
        let mut sign = || if random.random::<bool>() { f64::EPSILON } else { -f64::EPSILON };
        // Of every step what is added, by the residuals and by rounding.
        let added: Vec<Mat<f64>> = self
            .driven
            .iter()
            .map(|driven| Mat::from_fn(states, 2, |n, side| if side == 0 { driven[n] } else { sign() }))
            .collect();
        // P·x₀ + Q·xᵢ = c; of every step but the last, what its beginning is by x₀ and by its end.
        let mut p = self.matrices[0].clone();
        let mut q: Mat<f64> = -Mat::<f64>::identity(states, states);
        let mut c: Mat<f64> = -&added[0];
        let mut inner = vec![];
        for i in 1..count {
            let both = stacked(q.as_ref(), self.matrices[i].as_ref());
            let mut right = Mat::<f64>::zeros(2 * states, 2 * states + 2);
            right.submatrix_mut(0, 0, states, states).copy_from(&p);
            for n in 0..states {
                right[(states + n, states + n)] = -1.0;
            }
            right.submatrix_mut(0, 2 * states, states, 2).copy_from(&c);
            right.submatrix_mut(states, 2 * states, states, 2).copy_from(&-&added[i]);
            let qr = both.qr();
            let turned = qr.compute_Q().transpose() * &right;
            let part = |row: usize, column: usize, width: usize| {
                turned.submatrix(row, column, states, width).to_owned()
            };
            inner.push((
                qr.thin_R().to_owned(),
                part(0, 0, states),
                part(0, states, states),
                part(0, 2 * states, 2),
            ));
            (p, q, c) = (part(states, 0, states), part(states, states, states), part(states, 2 * states, 2));
        }
        // The conditions at both ends, each in units of its terms.
        let mut system = Mat::<f64>::zeros(2 * states, 2 * states);
        let mut right = Mat::<f64>::zeros(2 * states, 2);
        system.submatrix_mut(0, 0, states, states).copy_from(&p);
        system.submatrix_mut(0, states, states, states).copy_from(&q);
        right.submatrix_mut(0, 0, states, 2).copy_from(&c);
        let mut row = states;
        for (end, place) in [0, 1].map(|end| (end, places[end])) {
            let found = equations.conditions(ends[end], &place[..states]);
            for (value, slopes) in found.values.iter().zip(&found.slopes) {
                let scaled: Vec<f64> =
                    slopes.iter().zip(&self.sizes).map(|(slope, size)| slope * size).collect();
                let unit = scaled.iter().map(|x| x.abs()).sum::<f64>();
                for (n, x) in scaled.iter().enumerate() {
                    system[(row, end * states + n)] = x / unit;
                }
                right[(row, 0)] = -value / unit;
                row += 1;
            }
        }
        // What rounding has done on the way, which is all that is left of numbers as small as that.
        let rounding = (count as f64).sqrt();
        (0..2 * states).for_each(|row| right[(row, 1)] += rounding * sign());
        let solution = system.partial_piv_lu().solve(&right);
        let first = solution.subrows(0, states).to_owned();
        let mut at = vec![solution.subrows(states, states).to_owned()];
        for (r, by_first, by_next, c) in inner.iter().rev() {
            let next = &at[at.len() - 1];
            let mut own = c - by_first * &first - by_next * next;
            solve_upper_triangular_in_place(r.as_ref(), own.as_mut(), Par::Seq);
            at.push(own);
        }
        at.push(first);
        at.reverse();
        let error = |k: usize| {
            let mut squares = [0.0; 2];
            for i in 0..count {
                for (side, square) in squares.iter_mut().enumerate() {
                    let by_state =
                        (0..states).map(|n| self.values[i][(k, n)] * at[i][(n, side)]).sum::<f64>();
                    let driven = if side == 0 { self.values_driven[i][k] } else { 0.0 };
                    *square += self.lengths[i] * (by_state + driven).powi(2);
                }
            }
            (squares[0] + squares[1]).sqrt()
        };
        (0..self.unknowns.len()).map(error).collect()
    }
}

/// One matrix above another.
fn stacked(upper: MatRef<'_, f64>, lower: MatRef<'_, f64>) -> Mat<f64> {
    let rows = upper.nrows();
    Mat::from_fn(rows + lower.nrows(), upper.ncols(), |i, j| {
        if i < rows { upper[(i, j)] } else { lower[(i - rows, j)] }
    })
}
