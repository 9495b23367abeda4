//! The estimate of an answer to an initial-value problem of ordinary differential equations.
//!
//! Its error obeys the equations linearized at the answer, driven by the residuals, from the error at the start on: an
//! initial-value problem itself, of which nothing is left open.
//! It is integrated by an implicit method, at points that training has not seen, through as many windows as there are.
//! So is what becomes of errors of the start: where other solutions grow away from the one that is sought, no answer is better
//! than rounding errors times that growth.
//!
//! This file knows answers of networks and their derivatives; how equations are integrated is known elsewhere.

use super::{ErrorEstimate, Growth, INSIDE};
use crate::engine::Engine;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::problem::{Ordinary, Problem, Windows};
use crate::verify;

/// Steps in a network that is alone, and in each of several.
const ALONE: usize = 512;
const EACH: usize = 64;

/// As [`super::estimate`]; `None` where the problem is of another kind.
pub(super) fn estimate(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    threads: usize,
) -> Option<ErrorEstimate> {
    let mut equations = Ordinary::initial_value(problem)?;
    let (lower, upper) = (problem.coordinates[0].lower, problem.coordinates[0].upper);
    let mut alone;
    let (engine, spans): (&mut dyn Engine, _) = match problem.training.windows.count() {
        1 => {
            alone = CpuEngine::<f64>::new(problem, threads.max(1), Isa::best()).ok()?;
            (&mut alone, vec![(equations.begin, lower), (equations.begin, upper)])
        }
        _ => {
            let windows = Windows::new(problem).ok()?;
            // A window that holds the start has two parts.
            let parts = |(from, to): (f64, f64)| {
                let begin = equations.begin.clamp(from, to);
                [(begin, from), (begin, to)]
            };
            (engine, windows.all.iter().flat_map(|window| parts(window.span())).collect())
        }
    };
    if theta.len() != engine.parameters() {
        return None;
    }
    let steps = if problem.training.windows.count() == 1 { ALONE } else { EACH };
    let unknowns = problem.unknowns.len();
    let start = verify::jets_at(problem, engine, theta, &equations.jets(), &[equations.begin])?;
    let start = &start[..equations.states()];
    let mut changes = vec![equations.start_error(start)?];
    // Of what is zero at the start no part can be wrong.
    changes.extend((0..start.len()).filter(|&k| start[k] != 0.0).map(|k| {
        let mut change = vec![0.0; start.len()];
        change[k] = start[k];
        change
    }));
    let mut sums =
        Sums { errors: vec![0.0; unknowns], squares: vec![0.0; unknowns], grown: vec![], time: 0.0 };
    for up in [false, true] {
        let mut changes = changes.clone();
        let mut own: Vec<(f64, f64)> =
            spans.iter().copied().filter(|(from, to)| (to > from) == up && to != from).collect();
        own.sort_by(|a, b| (a.0 - equations.begin).abs().total_cmp(&(b.0 - equations.begin).abs()));
        for (from, to) in own {
            sums.follow(problem, &mut equations, engine, theta, (from, to), steps, &mut changes)?;
        }
    }
    let root = |sum: &f64| (sum / sums.time).sqrt();
    let sizes: Vec<f64> = sums.squares.iter().map(root).collect();
    let growths = (0..unknowns).map(|k| {
        let relative = sums.grown.iter().map(|(t, sizes_then)| (sizes_then[k] / sizes[k], *t));
        relative
            .filter(|(factor, _)| factor.is_finite())
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((0.0, 0.0))
    });
    let growths: Vec<(f64, f64)> = growths.collect();
    let rounded = |k: usize| growths[k].0 * f64::EPSILON * sizes[k];
    let errors = (0..unknowns).map(|k| root(&sums.errors[k]).hypot(rounded(k)));
    let errors: Vec<f64> = errors.collect();
    let greatest = growths.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let relative = errors.iter().zip(&sizes).map(|(error, size)| error / size);
    let amplification = relative.fold(0.0, f64::max);
    errors.iter().all(|error| error.is_finite()).then_some(ErrorEstimate {
        unknowns: errors,
        sizes,
        parameters: vec![],
        explained: 1.0,
        amplification,
        growth: Some(Growth { factor: greatest.0, from: equations.begin, to: greatest.1 }),
    })
}

/// What is added up on the way.
struct Sums {
    /// For every unknown ∫ error², and ∫ value².
    errors: Vec<f64>,
    squares: Vec<f64>,
    /// Times, and for every unknown what the greatest change is then that was as great at the start as the solution.
    grown: Vec<(f64, Vec<f64>)>,
    /// The length of the way.
    time: f64,
}

impl Sums {
    /// Follows `changes` of the state, the first of which is the error, through a stretch of time.
    #[expect(clippy::too_many_arguments, reason = "an answer, a stretch, and what is followed through it")]
    fn follow(
        &mut self,
        problem: &Problem,
        equations: &mut Ordinary,
        engine: &mut dyn Engine,
        theta: &[f64],
        (from, to): (f64, f64),
        steps: usize,
        changes: &mut [Vec<f64>],
    ) -> Option<()> {
        let step = (to - from) / steps as f64;
        let nodes = equations.radau.nodes;
        let begin = |i: usize| from + step * i as f64;
        let mut times: Vec<f64> = (0..steps).flat_map(|i| nodes.map(|node| begin(i) + node * step)).collect();
        // Where windows meet begins the next one, whose highest derivatives are others.
        if let Some(last) = times.last_mut() {
            *last = to - INSIDE * (to - from);
        }
        let jets = equations.jets();
        let places = verify::jets_at(problem, engine, theta, &jets, &times)?;
        let places: Vec<&[f64]> = places.chunks_exact(jets.len()).collect();
        let states = equations.states();
        let weights = equations.radau.weights();
        for i in 0..steps {
            let here = [0, 1, 2].map(|stage| places[3 * i + stage]);
            let changed = equations.linear_step(begin(i), step, here, changes)?;
            for (stage, weight) in weights.iter().enumerate() {
                let values = |place: &[f64]| equations.values(&place[..states], &place[states..]);
                let (error, value) = (values(&changed[0][stage]), values(here[stage]));
                for k in 0..value.len() {
                    self.errors[k] += weight * step.abs() * error[k] * error[k];
                    self.squares[k] += weight * step.abs() * value[k] * value[k];
                }
                self.time += weight * step.abs();
                if stage == 2 {
                    let each = changed[1..].iter().map(|stages| values(&stages[2]));
                    let greatest = each.fold(vec![0.0; value.len()], |most: Vec<f64>, change| {
                        most.iter().zip(&change).map(|(most, x)| most.max(x.abs())).collect()
                    });
                    self.grown.push((begin(i) + step, greatest));
                }
            }
            for (change, stages) in changes.iter_mut().zip(&changed) {
                change.copy_from_slice(&stages[2][..states]);
            }
        }
        Some(())
    }
}
