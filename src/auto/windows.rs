//! Whether one network is enough for an evolution, or time is cut into windows.
//!
//! It knows how much happens, from a pilot, and what kind an equation is of; it does not know how windows are carried out.

use super::frequency::{LINES, place, residuals};
use super::{Decision, Given};
use crate::expr::Digits;
use crate::jet::MultiIndex;
use crate::limits::WINDOWS;
use crate::problem::{Condition, Course, Problem, Windows};
use crate::rng;
use crate::settings::Cut;
use rand::RngExt;

/// Steps of the pilot in each window, and in a single one.
///
/// With twice as many, in networks of the usual size, the equations of Lorenz ended at another solution.
const EACH: f64 = 15.0;
/// Windows of a nonlinear evolution that smooths.
const SMOOTHED: usize = 5;

/// Windows, where the file says nothing of them and of stages.
pub(super) fn windows(given: &Given<'_>) -> Vec<Decision> {
    let Given { document, plain, course } = given;
    if document.states(&["training", "windows"]) || document.states(&["training", "stages"]) {
        return vec![];
    }
    let (cut, why) = match course {
        Some(course) if course.content > EACH => {
            (by_content(course), "equally much happens in each, as much as a small network follows")
        }
        None if plain.coordinates.len() > 1 && has_others(plain) => {
            (Cut::Equal(SMOOTHED), "a nonlinear evolution has other solutions of small residuals")
        }
        _ => return vec![],
    };
    let value = match &cut {
        Cut::Equal(count) => count.to_string(),
        Cut::At(joints) => {
            let joints: Vec<String> = joints.iter().map(|&joint| Digits(joint).to_string()).collect();
            format!("[{}]", joints.join(", "))
        }
    };
    let mut problem = (*plain).clone();
    problem.training.windows = cut;
    if Windows::new(&problem).is_err() {
        return vec![];
    }
    vec![Decision::new("training.windows", value, why)]
}

/// So many windows that in each happens what a small network follows.
fn by_content(course: &Course) -> Cut {
    Cut::At(course.joints(((course.content / EACH).ceil() as usize).min(*WINDOWS.end())))
}

/// Is this a smooth nonlinear evolution of first order in time with second derivatives in space?
///
/// Over long times it has other solutions of small residuals, which a later start does not reach.
/// Waves, and what steepens, lost by windows: what is carried over of them is not smooth.
/// An option that may be exercised, `min(…, …)`, is linear on either side of a line, and did not gain.
fn has_others(problem: &Problem) -> bool {
    let Some(along) = Windows::along(problem) else { return false };
    let interior = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    let jets: Vec<MultiIndex> = interior
        .flat_map(|condition| condition.residuals.graph.jets(&condition.residuals.roots))
        .map(|(_, index)| index)
        .collect();
    let first_order = jets.iter().map(|index| index.get(along)).max() == Some(1);
    let smooths = jets.iter().any(|index| index.get(along) == 0 && index.order() >= 2);
    first_order && smooths && !is_kinked(problem) && is_nonlinear(problem)
}

/// Do the equations have kinks or jumps in the unknowns?
fn is_kinked(problem: &Problem) -> bool {
    let kinked = |condition: &Condition| {
        let graph = &condition.residuals.graph;
        let varies = graph.varies();
        graph.nodes().iter().zip(varies).any(|(node, varies)| varies && node.is_rough())
    };
    problem.conditions.iter().filter(|condition| condition.place.is_interior()).any(kinked)
}

/// Are the equations nonlinear in the unknowns?
fn is_nonlinear(problem: &Problem) -> bool {
    let mut random = rng::stream(0, "windows/linear");
    let interior = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    interior.flat_map(|condition| LINES.map(|line| (condition, line))).any(|(condition, line)| {
        let point = place(problem, condition, line, None);
        let jets: Vec<(usize, MultiIndex)> =
            condition.residuals.graph.jets(&condition.residuals.roots).into_iter().collect();
        let mut draw = || jets.iter().map(|_| 2.0 * random.random::<f64>() - 1.0).collect::<Vec<f64>>();
        let (a, b) = (draw(), draw());
        let at = |values: &dyn Fn(usize) -> f64| {
            residuals(condition, &point, |output, index| {
                jets.iter().position(|jet| *jet == (output, index)).map_or(0.0, values)
            })
        };
        let (none, of_a, of_b, of_both) = (at(&|_| 0.0), at(&|j| a[j]), at(&|j| b[j]), at(&|j| a[j] + b[j]));
        (0..none.len()).any(|root| {
            let size = of_a[root].abs() + of_b[root].abs() + none[root].abs();
            (of_both[root] - of_a[root] - of_b[root] + none[root]).abs() > 1e-9 * size
        })
    })
}

/// Where time is cut: which coordinate that is, and the longest window as a part of its domain.
pub(super) fn longest_window(problem: &Problem) -> Option<(usize, f64)> {
    let windows = Windows::new(problem).ok().filter(|windows| windows.all.len() > 1)?;
    let span = |(from, to): (f64, f64)| to - from;
    let longest = windows.all.iter().map(|window| span(window.span())).fold(0.0, f64::max);
    let along = &problem.coordinates[windows.along];
    Some((windows.along, longest / (along.upper - along.lower)))
}
