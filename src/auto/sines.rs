//! What is tried first: one layer of sines, by Levenberg-Marquardt.
//!
//! A sum of sines whose frequencies are free is a Fourier extension (Huybrechs 2010, SIAM J. Numer. Anal. 47, 4326-4355): where
//! the solution is analytic and has nothing steep, it converges faster than any power of the number of sines, and a hundred
//! steps reach rounding.
//! Where it does not, a second of training tells.
//!
//! This file knows which files leave the choice open, and what the trial states; how it is carried out is in `solve/`.
//! What it was measured against is in docs/results/autopilot.md.

use super::Decision;
use crate::problem::{Document, Problem};
use crate::settings::Precision;

/// Sines.
const WIDTH: usize = 64;
/// The sines' frequency before that of the weights, which are at most the inverse number of inputs, on a domain mapped to
/// [-1, 1].
const FREQUENCY: usize = 6;
/// Steps of Adam, and of Levenberg-Marquardt, in which the bold ones come to rounding.
const ADAM: usize = 300;
const LM: usize = 100;
/// Products of numbers that a step may take to factorize the Jacobian: more takes too long to be tried.
const WORK: f64 = 1e9;

/// The trial's own settings, if `problem` is one to try them on: nothing is stated of its network and stages, and it is small.
pub(super) fn decide(document: &Document, problem: &Problem) -> Vec<Decision> {
    const STATED: [&[&str]; 9] = [
        &["network"],
        &["networks"],
        &["training", "stages"],
        &["training", "windows"],
        &["training", "resample"],
        &["training", "adaptive"],
        &["training", "balance"],
        &["training", "goal"],
        &["training", "patience"],
    ];
    let open = STATED.iter().all(|path| !document.states(path)) && problem.training.causal.is_none();
    let whole = problem.training.windows.count() == 1 && problem.networks.is_empty();
    let parameters = WIDTH * (problem.features.roots.len() + 1 + problem.unknowns.len());
    let rows = |condition: &crate::problem::Condition| condition.points * condition.residuals.roots.len();
    let trained = problem.conditions.iter().filter(|condition| !condition.is_exact());
    let work = trained.map(rows).sum::<usize>() as f64 * (parameters * parameters) as f64;
    if !open || !whole || problem.training.precision != Precision::F64 || work > WORK {
        return vec![];
    }
    let why = "the solution may be as good as analytic";
    [
        ("network.depth", "1".to_owned()),
        ("network.width", WIDTH.to_string()),
        ("network.activation", format!("\"sin({FREQUENCY}*x)\"")),
        ("network.scale", "1".into()),
        ("network.init", "\"siren\"".into()),
        (
            "training.stages",
            format!("[{{ adam = {{ steps = {ADAM} }} }}, {{ lm = {{ steps = {LM}, gain = 0.25 }} }}]"),
        ),
        ("training.resample", "20".into()),
    ]
    .map(|(key, value)| Decision::new(key, value, why))
    .into()
}
