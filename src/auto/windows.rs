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

/// Is this a smooth nonlinear evolution of first order in time with second or higher derivatives in space?
///
/// Over long times it has other solutions of small residuals, which a later start does not reach.
/// Waves, and what steepens, lost by windows: what is carried over of them is not smooth.
/// Schrödinger's equation gained by one network, twenty times where the solution is smooth.
/// An option that may be exercised, `min(…, …)`, is linear on either side of a line, and did not gain.
fn has_others(problem: &Problem) -> bool {
    Windows::along(problem).is_some_and(|along| is_curved(problem, along))
        && !is_kinked(problem)
        && is_nonlinear(problem)
}

/// Is the evolution of first order along `along`, with second or higher derivatives in space that are not exchanged?
///
/// They are in Schrödinger's equation, where real and imaginary part evolve by each other's.
fn is_curved(problem: &Problem, along: usize) -> bool {
    let interior = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    let residuals: Vec<Vec<(usize, MultiIndex)>> = interior
        .flat_map(|condition| condition.residuals.roots.iter().map(move |root| (condition, root)))
        .map(|(condition, root)| condition.residuals.graph.jets(&[*root]).into_iter().collect())
        .collect();
    let orders = residuals.iter().flatten().map(|(_, index)| index.get(along));
    let evolves = |jets: &[(usize, MultiIndex)], unknown: usize| {
        jets.iter().any(|(of, index)| *of == unknown && index.get(along) > 0)
    };
    let is_exchanged = |jets: &[(usize, MultiIndex)], unknown: usize| {
        jets.iter().any(|(_, index)| index.get(along) > 0)
            && !evolves(jets, unknown)
            && residuals.iter().any(|others| evolves(others, unknown))
    };
    orders.max() == Some(1)
        && residuals.iter().any(|jets| {
            let mut of_space = jets.iter().filter(|(_, index)| index.get(along) == 0 && index.order() >= 2);
            of_space.any(|&(unknown, _)| !is_exchanged(jets, unknown))
        })
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

#[cfg(test)]
mod tests {
    use crate::problem::Problem;
    use crate::settings::Cut;

    /// What is decided for an evolution of u and v by these residuals.
    fn cut(residuals: &str) -> Cut {
        let text = format!(
            "[coordinates]\nx = [0, 1]\nt = [0, 2]\n[unknowns]\nu = {{}}\nv = {{}}\n\
             [conditions.inside]\nplace = \"interior\"\nresidual = [{residuals}]\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = [\"u - sin(pi*x)\", \"v\"]\n\
             [conditions.ends]\nplace = [\"x = 0\", \"x = 1\"]\nresidual = [\"u\", \"v\"]\n"
        );
        Problem::parse(&text).expect("a problem").training.windows
    }

    #[test]
    fn an_evolution_whose_parts_exchange_their_derivatives_is_not_cut() {
        let whole = Cut::Equal(1);
        for (residuals, expected) in [
            // Diffusion, a third derivative, and one that reaches back through an unknown that does not evolve.
            ("\"u_t - u_xx + u^2\", \"v_t - v_xx + u*v\"", Cut::Equal(5)),
            ("\"u_t + u*u_x + u_xxx\", \"v_t - u + v^2\"", Cut::Equal(5)),
            ("\"u_t - v_xx\", \"v - u^3 + u + u_xx\"", Cut::Equal(5)),
            // Schrödinger's equation, its rows in either order, and with some diffusion.
            ("\"u_t + v_xx + u^2*v\", \"v_t - u_xx - u^3\"", whole.clone()),
            ("\"v_t - u_xx - u^3\", \"u_t + v_xx + u^2*v\"", whole.clone()),
            ("\"u_t + v_xx - u_xx + u^2*v\", \"v_t - u_xx - v_xx - u^3\"", Cut::Equal(5)),
            // Linear, and of second order.
            ("\"u_t - u_xx\", \"v_t - v_xx\"", whole.clone()),
            ("\"u_tt - u_xx + u^3\", \"v_t - v_xx\"", whole),
        ] {
            assert_eq!(cut(residuals), expected, "{residuals}");
        }
    }
}
