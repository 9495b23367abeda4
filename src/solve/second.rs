//! A second solution of a problem, by another seed and another network, and how far it is from the first.
//!
//! What both have in common no comparison shows, and neither is known to be the better one: the difference is an error
//! bar for both.
//! It knows what a [`Solver`](super::Solver) knows; it writes nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::Engine;
use crate::estimate;
use crate::problem::Problem;
use crate::train::{End, Event, Flow, State};
use crate::verdict::worse;

use super::{Settings, SolveError, Solver, train_with};

/// How much wider the second network is, as a part of the first one's width, and at least.
const WIDER: f64 = 0.25;
const LEAST_WIDER: usize = 2;

/// How far a second solution is from that of `theta`, relative to the latter's size, the greatest over unknowns and trainable
/// parameters; `None` if `stop` was set before it was there, or it diverged.
///
/// # Errors
///
/// As for making a [`Solver`](super::Solver).
pub(super) fn difference(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Option<f64>, SolveError> {
    let mut second = problem.clone();
    second.training.seed += 1;
    second.resize_networks(|width| width + LEAST_WIDER.max((WIDER * width as f64) as usize));
    // No reference has a say in either.
    second.reference = None;
    second.training.tolerance = 0.0;
    let Solver { problem: second, theta: start, engine: mut other, .. } =
        Solver::new(second, settings.clone())?;
    let flow = &mut |_: Event| if stop.load(Ordering::Relaxed) { Flow::Stop } else { Flow::Continue };
    let mut trained = train_with(&mut other, &second, None, settings, State::new(start), flow)?;
    if trained.outcome.end != End::Done {
        return Ok(None);
    }
    let answer = trained.outcome.state.solution();
    let points = estimate::probes(problem);
    let (first, other) = (engine.predict(theta, &points), trained.engine.get().predict(&answer, &points));
    let unknowns = problem.unknowns.len();
    let relative = |k: usize| {
        let pairs = || first.iter().zip(&other).skip(k).step_by(unknowns);
        let difference: f64 = pairs().map(|(a, b)| (a - b) * (a - b)).sum();
        (difference / pairs().map(|(a, _)| a * a).sum::<f64>()).sqrt()
    };
    let found = problem.trained_values(theta).zip(second.trained_values(&answer));
    let found = found.map(|(a, b)| ((a - b) / a).abs());
    Ok((0..unknowns).map(relative).chain(found).max_by(|a, b| worse(*a, *b)))
}
