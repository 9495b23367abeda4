//! How much happens in an initial-value problem of ordinary differential equations: a rough solution of it.
//!
//! One network holds some oscillations and no more, and how many there are cannot be read off an equation; a rough
//! integration tells, in less time than a step of training takes.
//! It serves decisions and nothing else: no number of it enters a solution.
//! This file knows formulas over raw outputs and conditions at a point; it does not know what is decided.

use faer::Mat;
use faer::linalg::solvers::Solve;

use crate::expr::{Graph, Node, NodeId};
use crate::jet::MultiIndex;
use crate::problem::{Problem, Windows};

/// The relative errors of a step between which the number of steps is compared; contents are in steps of the first.
const COARSE: f64 = 1e-5;
const FINE: f64 = 1e-7;
/// What the two may end apart, as a part of an unknown's range.
const APART: f64 = 0.1;
/// Steps after which the pilot gives up.
const STEPS: usize = 50_000;
/// Steps of Newton's method.
const NEWTON: usize = 20;
/// A rough solution, as far as decisions need it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Course {
    /// Of every unknown the least and the greatest value.
    pub(super) ranges: Vec<(f64, f64)>,
    /// How much happens, in steps of an accurate method of order five.
    pub(super) content: f64,
    /// Where its steps end, in rising order: close together where much happens.
    times: Vec<f64>,
}

/// The course of an initial-value problem; `None` where the pilot does not know its way: partial differential equations, an
/// ansatz, data, parameters to be found, equations that an explicit method cannot follow, and solutions beside which
/// others grow without bound.
pub(super) fn course(problem: &Problem) -> Option<Course> {
    if problem.coordinates.len() != 1 || !problem.trainable.is_empty() {
        return None;
    }
    let raw = |output| Node::Jet { output, index: MultiIndex::VALUE, side: 0 };
    let plain = |output: usize| problem.values.graph.node(problem.values.roots[output]) == raw(output);
    if !(0..problem.unknowns.len()).all(plain) {
        return None;
    }
    let (begin, orders) = Windows::beginning(problem)?;
    let mut system = System::new(problem, orders)?;
    let start = system.start(problem, begin)?;
    let (lower, upper) = (problem.coordinates[0].lower, problem.coordinates[0].upper);
    let mut course = Course {
        ranges: vec![(f64::INFINITY, f64::NEG_INFINITY); problem.unknowns.len()],
        content: 0.0,
        times: vec![],
    };
    for end in [lower, upper].into_iter().filter(|&end| end != begin) {
        let (mut rough_end, mut fine_end) = (vec![], vec![]);
        let rough =
            system.follow(begin, end, &start, COARSE, &mut |_, values| values.clone_into(&mut rough_end))?;
        let fine = system.follow(begin, end, &start, FINE, &mut |t, values| {
            course.times.push(t);
            values.clone_into(&mut fine_end);
            for (range, value) in course.ranges.iter_mut().zip(values) {
                *range = (range.0.min(*value), range.1.max(*value));
            }
        })?;
        // Where errors grow beyond all else, what is seen is one of them.
        let apart =
            |((a, b), range): ((&f64, &f64), &(f64, f64))| (a - b).abs() > APART * (range.1 - range.0);
        if rough_end.iter().zip(&fine_end).zip(&course.ranges).any(apart) {
            return None;
        }
        // Where a step is short for the sake of stability, more accuracy does not make it shorter.
        let more = (COARSE / FINE).powf(0.2) - 1.0;
        course.content += (fine as f64 - rough as f64).max(0.0) / more;
    }
    course.times.sort_by(f64::total_cmp);
    Some(course)
}

impl Course {
    /// The times that divide it into `count` pieces in which equally much happens, to four digits of the whole.
    pub(super) fn joints(&self, count: usize) -> Vec<f64> {
        let span = self.times[self.times.len() - 1] - self.times[0];
        let digits = 10_f64.powf((span * 1e-4).log10().floor().abs());
        let round =
            |t: f64| if span < 1e4 { (t * digits).round() / digits } else { (t / digits).round() * digits };
        (1..count).map(|k| round(self.times[k * (self.times.len() - 1) / count])).collect()
    }
}

/// Equations for the highest derivative of every unknown.
struct System<'a> {
    equations: Vec<(&'a Graph, NodeId)>,
    /// Of every unknown.
    orders: Vec<usize>,
    /// The last solution for the highest derivatives, from which the next one is sought.
    highest: Vec<f64>,
    scratch: Vec<f64>,
}

impl<'a> System<'a> {
    fn new(problem: &'a Problem, orders: Vec<usize>) -> Option<Self> {
        let interior = problem.conditions.iter().filter(|condition| condition.place.is_interior());
        let equations = interior.flat_map(|condition| {
            condition.residuals.roots.iter().map(|root| (&condition.residuals.graph, *root))
        });
        let equations: Vec<_> = equations.collect();
        (equations.len() == orders.len()).then(|| Self {
            highest: vec![0.0; orders.len()],
            equations,
            orders,
            scratch: vec![],
        })
    }

    /// An equation's value; the state holds every unknown and its derivatives below the highest.
    fn value(&mut self, (graph, root): (&Graph, NodeId), t: f64, state: &[f64], highest: &[f64]) -> f64 {
        let orders = &self.orders;
        graph.eval(&mut self.scratch, |node| match node {
            Node::Coordinate { .. } => t,
            Node::Jet { output, index, .. } if index.order() < orders[output] => {
                state[orders[..output].iter().sum::<usize>() + index.order()]
            }
            Node::Jet { output, index, .. } if index.order() == orders[output] => highest[output],
            _ => f64::NAN,
        });
        self.scratch[root.index()]
    }

    /// The state where the solution begins, from the conditions there.
    fn start(&mut self, problem: &Problem, begin: f64) -> Option<Vec<f64>> {
        let there = problem
            .conditions
            .iter()
            .filter(|condition| condition.place.faces().iter().any(|face| face.contains(&(0, begin))));
        let given: Vec<_> = there
            .flat_map(|condition| {
                condition.residuals.roots.iter().map(|root| (&condition.residuals.graph, *root))
            })
            .collect();
        let length: usize = self.orders.iter().sum();
        if given.len() != length {
            return None;
        }
        let nothing = vec![f64::NAN; self.orders.len()];
        newton(vec![0.0; length], |state| {
            given.iter().map(|&equation| self.value(equation, begin, state, &nothing)).collect()
        })
    }

    /// The state's derivative.
    fn slope(&mut self, t: f64, state: &[f64]) -> Option<Vec<f64>> {
        let equations = self.equations.clone();
        self.highest = newton(self.highest.clone(), |highest| {
            equations.iter().map(|&equation| self.value(equation, t, state, highest)).collect()
        })?;
        let mut slope = vec![];
        for (output, &order) in self.orders.iter().enumerate() {
            if order > 0 {
                let first = slope.len();
                slope.extend_from_slice(&state[first + 1..first + order]);
                slope.push(self.highest[output]);
            }
        }
        Some(slope)
    }

    /// Integrates from `from` to `to` and tells `visit` of every step's end and the unknowns there; how many steps it took.
    fn follow(
        &mut self,
        from: f64,
        to: f64,
        start: &[f64],
        tolerance: f64,
        visit: &mut dyn FnMut(f64, &[f64]),
    ) -> Option<usize> {
        let (mut t, mut state) = (from, start.to_vec());
        let mut step = (to - from) * 1e-3;
        let mut values = self.values(&state);
        visit(t, &values);
        let mut taken = 0;
        for _ in 0..STEPS {
            step = if (to - from).signum() * (t + step - to) > 0.0 { to - t } else { step };
            let (next, error) = self.step(t, &state, step, tolerance)?;
            if error <= 1.0 {
                (t, state, taken) = (t + step, next, taken + 1);
                values = self.values(&state);
                visit(t, &values);
                if t == to {
                    return Some(taken);
                }
            }
            step *= (0.9 * error.max(1e-8).powf(-0.2)).clamp(0.2, 5.0);
        }
        None
    }

    /// The unknowns in a state; those without a derivative are what the equations were solved for.
    fn values(&self, state: &[f64]) -> Vec<f64> {
        let mut first = 0;
        let value = |(output, &order): (usize, &usize)| {
            let value = if order > 0 { state[first] } else { self.highest[output] };
            first += order;
            value
        };
        self.orders.iter().enumerate().map(value).collect()
    }

    /// One step by Fehlberg's pair of orders 4 and 5 (1969): the state after it, and its error over what is allowed.
    fn step(&mut self, t: f64, state: &[f64], step: f64, tolerance: f64) -> Option<(Vec<f64>, f64)> {
        const NODES: [f64; 6] = [0.0, 0.25, 0.375, 12.0 / 13.0, 1.0, 0.5];
        const STAGES: [[f64; 5]; 6] = [
            [0.0; 5],
            [0.25, 0.0, 0.0, 0.0, 0.0],
            [3.0 / 32.0, 9.0 / 32.0, 0.0, 0.0, 0.0],
            [1932.0 / 2197.0, -7200.0 / 2197.0, 7296.0 / 2197.0, 0.0, 0.0],
            [439.0 / 216.0, -8.0, 3680.0 / 513.0, -845.0 / 4104.0, 0.0],
            [-8.0 / 27.0, 2.0, -3544.0 / 2565.0, 1859.0 / 4104.0, -0.275],
        ];
        const FIFTH: [f64; 6] = [16.0 / 135.0, 0.0, 6656.0 / 12825.0, 28561.0 / 56430.0, -0.18, 2.0 / 55.0];
        const FOURTH: [f64; 6] = [25.0 / 216.0, 0.0, 1408.0 / 2565.0, 2197.0 / 4104.0, -0.2, 0.0];
        let mut slopes: Vec<Vec<f64>> = vec![];
        let moved = |slopes: &[Vec<f64>], weights: &[f64]| -> Vec<f64> {
            let along =
                |i: usize| slopes.iter().zip(weights).map(|(slope, weight)| weight * slope[i]).sum::<f64>();
            state.iter().enumerate().map(|(i, x)| x + step * along(i)).collect()
        };
        for (node, weights) in NODES.iter().zip(&STAGES) {
            let at = moved(&slopes, weights);
            slopes.push(self.slope(t + node * step, &at)?);
        }
        let (next, other) = (moved(&slopes, &FIFTH), moved(&slopes, &FOURTH));
        let scale = state.iter().chain(&next).fold(0.0_f64, |most, x| most.max(x.abs()));
        let allowed = |i: usize| tolerance * (0.5 * (state[i].abs() + next[i].abs()) + 1e-3 * scale) + 1e-300;
        let errors = (0..next.len()).map(|i| (next[i] - other[i]).abs() / allowed(i));
        let error =
            errors.fold(0.0, |most: f64, error| if error > most || error.is_nan() { error } else { most });
        error.is_finite().then_some((next, error))
    }
}

/// A zero of `f` near `x`, with as many components as `x` has.
fn newton(mut x: Vec<f64>, mut f: impl FnMut(&[f64]) -> Vec<f64>) -> Option<Vec<f64>> {
    if x.is_empty() {
        return Some(x);
    }
    for _ in 0..NEWTON {
        let value = f(&x);
        let mut matrix = Mat::zeros(x.len(), x.len());
        for j in 0..x.len() {
            let mut moved = x.clone();
            moved[j] += 1e-6 * x[j].abs().max(1.0);
            let (there, change) = (f(&moved), moved[j] - x[j]);
            (0..x.len()).for_each(|i| matrix[(i, j)] = (there[i] - value[i]) / change);
        }
        let right = Mat::from_fn(x.len(), 1, |i, _| value[i]);
        let way = matrix.partial_piv_lu().solve(&right);
        let mut small = true;
        for (i, x) in x.iter_mut().enumerate() {
            *x -= way[(i, 0)];
            small &= way[(i, 0)].abs() <= 1e-7 * x.abs().max(1e-3);
        }
        if !x.iter().all(|x| x.is_finite()) {
            return None;
        }
        if small {
            return Some(x);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::problem::Document;

    fn course_of(domain: &str, unknowns: &str, equations: &str, start: &str) -> Option<Course> {
        let text = format!(
            "[coordinates]\n{domain}\n[unknowns]\n{unknowns}\n\
             [conditions.ode]\nplace = \"interior\"\nresidual = [{equations}]\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = [{start}]\n"
        );
        let (problem, _) =
            Document::parse("test.toml", &text).and_then(|d| d.build(Path::new(""))).expect(&text);
        course(&problem)
    }

    /// Ranges to a thousandth, and the content to a fifth.
    fn check(
        domain: &str,
        unknowns: &str,
        equations: &str,
        start: &str,
        ranges: &[(f64, f64)],
        content: f64,
    ) {
        let found = course_of(domain, unknowns, equations, start).expect(equations);
        let near = |a: f64, b: f64, part: f64| (a - b).abs() <= part * b.abs().max(1.0);
        let fits = found.ranges.iter().zip(ranges).all(|(a, b)| near(a.0, b.0, 1e-3) && near(a.1, b.1, 1e-3));
        assert!(fits && near(found.content, content, 0.2), "{equations}: {found:?}");
    }

    const Y: &str = "y = {}";
    const COSINE: &str = "\"y - 1\", \"y_t\"";

    #[test]
    fn ranges_and_contents_are_those_of_the_solution() {
        check("t = [0, 25]", Y, "\"y_tt + y\"", COSINE, &[(-1.0, 1.0)], 94.0);
        // In both directions, and as much in other units.
        check("t = [-13, 25]", Y, "\"y_tt + y\"", COSINE, &[(-1.0, 1.0)], 143.0);
        check("t = [0, 0.25]", Y, "\"y_tt + 1e4*y\"", COSINE, &[(-1.0, 1.0)], 94.0);
        // What grows out of almost nothing.
        check("t = [0, 30]", Y, "\"y_t - y*(1 - y)\"", "\"y - 1e-6\"", &[(1e-6, 1.0)], 52.0);
        // The highest derivatives are solved for, unknowns without any among them.
        let pair = "y = {}\nf = {}";
        check("t = [0, 25]", pair, "\"2*y_tt - f\", \"f + 2*y\"", COSINE, &[(-1.0, 1.0), (-2.0, 2.0)], 94.0);
    }

    #[test]
    fn pieces_hold_equally_much() {
        let course =
            course_of("t = [0, 30]", Y, "\"y_tt + (1 + 99*step(t - 20))*y\"", COSINE).expect("a course");
        let joints = course.joints(4);
        // 20 before the step, 100 after it.
        assert!(
            joints[0] > 19.0 && joints[0] < 22.0 && joints.windows(2).all(|pair| pair[0] < pair[1]),
            "{joints:?}"
        );
    }

    #[test]
    fn what_is_not_understood_has_no_course() {
        let none = |domain, unknowns, equations, start| {
            assert_eq!(course_of(domain, unknowns, equations, start), None);
        };
        none("t = [0, 25]", "y = { ansatz = \"1 + t^2*net\" }", "\"y_tt + y\"", COSINE);
        none("t = [0, 25]", Y, "\"y_tt + y\"", "\"y - 1\"");
        none("t = [0, 2]", Y, "\"y_t - y^2\"", "\"y - 1\"");
        // Two rough solutions of Lorenz's equations part long before the end.
        let lorenz = "\"x_t - 10*(y - x)\", \"y_t - x*(28 - z) + y\", \"z_t - x*y + 8*z/3\"";
        none("t = [0, 30]", "x = {}\ny = {}\nz = {}", lorenz, "\"x - 1\", \"y - 1\", \"z - 1\"");
        none("t = [0, 25]\nx = [0, 1]", Y, "\"y_tt + y\"", COSINE);
        none("t = [0, 6.5]", "y = {}\nv = {}", "\"y_t^3 - v^3\", \"v_t + y + 0*y_t\"", "\"y - 1\", \"v\"");
    }
}
