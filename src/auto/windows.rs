//! Whether one network is enough for an evolution, or time is cut into windows.
//!
//! It knows how much happens, from a pilot; it does not know how windows are carried out.

use super::{Decision, pilot};
use crate::problem::{Document, Problem, Windows};

/// Turns of an unknown that one network of the usual size takes: y'' + 400y = 0 on [0, 1], six turns, is solved to 1e-9.
const MOST: usize = 8;
/// Turns in each window where there are more: an oscillator cut so that each has three is solved to 1e-6 in 700 steps a window.
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
