//! Whether one network is enough for an evolution, or time is cut into windows.
//!
//! It knows how much happens, from a pilot; it does not know how windows are carried out.
//! What the numbers were measured on is in docs/results/autopilot.md.

use super::{Decision, pilot};
use crate::problem::{Document, Problem, Windows};

/// Turns of an unknown that one network of the usual size takes without trouble.
const MOST: usize = 8;
/// Turns in each window where there are more.
const EACH: usize = 4;

/// Windows, where the file says nothing of them and of stages.
pub(super) fn windows(document: &Document, problem: &Problem) -> Vec<Decision> {
    if document.states(&["training", "windows"]) || document.states(&["training", "stages"]) {
        return vec![];
    }
    let Some(turns) = pilot::turns(problem).filter(|&turns| turns > MOST) else { return vec![] };
    let mut cut = problem.clone();
    cut.training.windows = turns.div_ceil(EACH);
    if Windows::new(&cut).is_err() {
        return vec![];
    }
    let why = format!("the solution turns about {turns} times, more than one network follows");
    vec![Decision::new("training.windows", cut.training.windows, why)]
}
