//! How much happens in an initial-value problem of ordinary differential equations: a rough solution of it.
//!
//! One network holds some oscillations and no more, and how many there are cannot be read off an equation; a rough
//! integration tells, in less time than a step of training takes.
//! It tells as well where there is no solution beyond some time.
//! It serves decisions and nothing else: no number of it enters a solution.
//! This file knows when to step how far; it does not know what is decided.

use super::Problem;
use super::ordinary::Ordinary;
use crate::expr::Node;
use crate::jet::MultiIndex;

/// The relative errors of a step between which the number of steps is compared; contents are in steps of the first.
const COARSE: f64 = 1e-5;
const FINE: f64 = 1e-7;
/// What the two may end apart, as a part of an unknown's range, unless they keep within the same bounds, to this factor:
/// where errors grow until they are as large as the solution, and no further, as much happens along either.
const APART: f64 = 0.1;
const ALIKE: f64 = 2.0;
/// Steps after which the pilot gives up.
const STEPS: usize = 50_000;
/// Explicit steps beyond which it is asked whether their length is that of stability: whether they are by this much more than
/// implicit ones of the same error, of which each is worth some explicit ones (of a cosine).
const MANY: usize = 200;
const STIFF: f64 = 2.0;
const EACH: f64 = 1.2;
/// A step that is this short, as a part of the whole way, leads nowhere.
const SHORTEST: f64 = 1e-13;
/// How much greater than on the way a state is that leaves every bound, and where the way ends.
const BEYOND: f64 = 1e4;
const ON_THE_WAY: f64 = 0.9;
/// How well two integrations agree on where that is, as a part of the whole way.
const AGREED: f64 = 1e-3;

/// A quarter of the steps of a window that takes this part of it is a layer, in which a network of the window sees a jump.
///
/// Robertson's reactions came to 0.68 where the first of three windows was a hundred times as long as its layer.
const RUN: usize = 4;
const UNEVEN: f64 = 40.0;

/// A rough solution, as far as decisions need it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Course {
    /// Of every unknown the least and the greatest value.
    pub(crate) ranges: Vec<(f64, f64)>,
    /// How much happens, in steps of an accurate method of order five.
    pub(crate) content: f64,
    /// The ends of its steps, in rising order and close together where much happens, and the values of [`Course::jets`] there.
    pub(crate) sites: Vec<(f64, Vec<f64>)>,
    /// Of every unknown its derivatives up to the highest.
    pub(crate) jets: Vec<(usize, MultiIndex)>,
}

/// How far an integration came.
enum Way {
    /// To the end, in so many steps.
    Whole(usize),
    /// Up to here, beyond which the solution leaves every bound.
    BlowsUp(f64),
    /// Not to the end, for other reasons.
    Lost,
}

/// A method: from where the pilot is, a step of some length at some relative error; the state after it, and its error over
/// what is allowed.
type Method = fn(&mut Pilot, f64, f64) -> Option<(Vec<f64>, f64)>;

/// The course of an initial-value problem; `None` where the pilot does not know its way: partial differential equations, an
/// ansatz, data, parameters to be found, and solutions beside which others grow without bound.
pub(crate) fn course(problem: &Problem) -> Option<Course> {
    let raw = |output| Node::Jet { output, index: MultiIndex::VALUE, side: 0 };
    let plain = |output: usize| problem.values.graph.node(problem.values.roots[output]) == raw(output);
    if !(0..problem.unknowns.len()).all(plain) {
        return None;
    }
    let mut pilot = Pilot::new(problem)?;
    let mut course = Course {
        ranges: vec![(f64::INFINITY, f64::NEG_INFINITY); problem.unknowns.len()],
        content: 0.0,
        sites: vec![],
        jets: pilot.equations.jets(),
    };
    for end in pilot.ends(problem) {
        let mut roughly = vec![];
        let (rough, rough_end) = pilot.go(end, COARSE, explicit, &mut roughly);
        let mut visited = vec![];
        let (fine, fine_end) = match rough {
            Way::Whole(_) => pilot.go(end, FINE, explicit, &mut visited),
            _ => (Way::Lost, vec![]),
        };
        let (steps, mut content, mut ends) = match (&rough, &fine) {
            (Way::Whole(rough), Way::Whole(fine)) => {
                let more = (COARSE / FINE).powf(0.2) - 1.0;
                let content = (*fine as f64 - *rough as f64).max(0.0) / more;
                (*rough, content, [rough_end, fine_end])
            }
            (Way::BlowsUp(_), _) => return None,
            _ => (usize::MAX, 0.0, [vec![], vec![]]),
        };
        if steps > MANY {
            let mut seen = vec![];
            let (way, rough_end) = pilot.go(end, COARSE, implicit, &mut seen);
            match way {
                // Explicit steps are short for the sake of stability, and say nothing.
                Way::Whole(few) if steps as f64 > STIFF * EACH * few as f64 => {
                    visited.clear();
                    roughly = seen;
                    let (Way::Whole(_), fine_end) = pilot.go(end, FINE, implicit, &mut visited) else {
                        return None;
                    };
                    (content, ends) = (EACH * few as f64, [rough_end, fine_end]);
                }
                _ if steps == usize::MAX => return None,
                _ => {}
            }
        }
        let [own, other] = [&visited, &roughly].map(|visited| pilot.ranges(visited));
        for (range, own) in course.ranges.iter_mut().zip(&own) {
            *range = (range.0.min(own.0), range.1.max(own.1));
        }
        course.sites.extend(visited);
        // Where errors grow beyond all else, what is seen is one of them.
        let apart =
            |((a, b), range): ((&f64, &f64), &(f64, f64))| (a - b).abs() > APART * (range.1 - range.0);
        let unlike = |(a, b): (&(f64, f64), &(f64, f64))| {
            let ratio = (a.1 - a.0) / (b.1 - b.0);
            !(1.0 / ALIKE..=ALIKE).contains(&ratio)
        };
        if ends[0].iter().zip(&ends[1]).zip(&course.ranges).any(apart) && own.iter().zip(&other).any(unlike) {
            return None;
        }
        course.content += content;
    }
    course.sites.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some(course)
}

/// Where the solution of an initial-value problem leaves every bound before the end of its domain, to three digits; `None`
/// where it does not, or the pilot does not know.
pub(super) fn blow_up(problem: &Problem) -> Option<f64> {
    let mut pilot = Pilot::new(problem)?;
    pilot.ends(problem).into_iter().find_map(|end| {
        let (Way::BlowsUp(rough), _) = pilot.go(end, COARSE, explicit, &mut vec![]) else { return None };
        let (Way::BlowsUp(fine), _) = pilot.go(end, FINE, explicit, &mut vec![]) else { return None };
        let way = (end - pilot.begin()).abs();
        let digits = 10_f64.powf((way.log10() - 3.0).floor());
        ((rough - fine).abs() <= AGREED * way).then(|| (fine / digits).round() * digits)
    })
}

impl Course {
    /// The times that divide it into `count` pieces in which equally much happens, and into more where a part of what
    /// happens in one of them does so within a small part of it; to four digits of the whole, or two of the shorter one beside
    /// each.
    pub(crate) fn joints(&self, count: usize) -> Vec<f64> {
        let last = self.sites.len() - 1;
        let mut places: Vec<usize> = (0..=count).map(|k| k * last / count).collect();
        let mut i = 0;
        while i + 1 < places.len() {
            let (from, to) = (places[i], places[i + 1]);
            if self.is_uneven(from, to) {
                places.insert(i + 1, from.midpoint(to));
            } else {
                i += 1;
            }
        }
        let time = |i: usize| self.sites[places[i]].0;
        let round = |i: usize| {
            let shorter = (time(i) - time(i - 1)).min(time(i + 1) - time(i));
            let exponent =
                (1e-4 * (self.sites[last].0 - self.sites[0].0)).min(1e-2 * shorter).log10().floor();
            let digits = 10_f64.powf(exponent.abs());
            if exponent < 0.0 {
                (time(i) * digits).round() / digits
            } else {
                (time(i) / digits).round() * digits
            }
        };
        (1..places.len() - 1).map(round).collect()
    }

    /// Do some of the steps between two places go over a small part of the way that is as many of all the steps?
    fn is_uneven(&self, from: usize, to: usize) -> bool {
        let run = (to - from) / RUN;
        let times: Vec<f64> = self.sites[from..=to].iter().map(|site| site.0).collect();
        let shortest =
            times.windows(run + 1).map(|run| run[run.len() - 1] - run[0]).fold(f64::INFINITY, f64::min);
        run > 1 && shortest * UNEVEN < times[times.len() - 1] - times[0]
    }
}

/// Where an integration is.
struct Pilot {
    equations: Ordinary,
    start: Vec<f64>,
    t: f64,
    state: Vec<f64>,
    /// The last solution for the highest derivatives, from which the next one is sought.
    highest: Vec<f64>,
}

impl Pilot {
    fn new(problem: &Problem) -> Option<Self> {
        let mut equations = Ordinary::initial_value(problem)?;
        let start = equations.start()?;
        let (t, highest) = (equations.begin, vec![0.0; equations.orders.len()]);
        Some(Self { equations, state: start.clone(), start, t, highest })
    }

    fn begin(&self) -> f64 {
        self.equations.begin
    }

    /// The ends of the domain that are to be come to.
    fn ends(&self, problem: &Problem) -> Vec<f64> {
        let coordinate = &problem.coordinates[0];
        [coordinate.lower, coordinate.upper].into_iter().filter(|&end| end != self.begin()).collect()
    }

    /// The least and the greatest value of every unknown at places.
    fn ranges(&self, visited: &[(f64, Vec<f64>)]) -> Vec<(f64, f64)> {
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); self.equations.orders.len()];
        for (_, place) in visited {
            let (state, highest) = place.split_at(self.equations.states());
            for (range, value) in ranges.iter_mut().zip(self.equations.values(state, highest)) {
                *range = (range.0.min(value), range.1.max(value));
            }
        }
        ranges
    }

    /// Integrates from the start to `to`; how far it came, and the unknowns there.
    ///
    /// Every step's end and the numbers of the place there are added to `visited`.
    fn go(
        &mut self,
        to: f64,
        tolerance: f64,
        method: Method,
        visited: &mut Vec<(f64, Vec<f64>)>,
    ) -> (Way, Vec<f64>) {
        let from = self.begin();
        (self.t, self.state, self.highest) = (from, self.start.clone(), vec![0.0; self.highest.len()]);
        let mut step = (to - from) * 1e-3;
        let size = |state: &[f64]| state.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let mut sizes = vec![(from, size(&self.state))];
        visited.push((from, [&self.state[..], &self.highest].concat()));
        let mut taken = 0;
        for _ in 0..STEPS {
            let last = (to - from).signum() * (self.t + step - to) >= 0.0;
            step = if last { to - self.t } else { step };
            if step.abs() < SHORTEST * (to - from).abs() {
                break;
            }
            // Where nothing can be computed, nearer there may be something.
            let (next, error) = method(self, step, tolerance).unwrap_or((vec![], f64::INFINITY));
            if error <= 1.0 {
                (self.t, self.state, taken) = (if last { to } else { self.t + step }, next, taken + 1);
                sizes.push((self.t, size(&self.state)));
                visited.push((self.t, [&self.state[..], &self.highest].concat()));
                if last {
                    return (Way::Whole(taken), self.equations.values(&self.state, &self.highest));
                }
            }
            step *= (0.9 * error.max(1e-8).powf(-0.2)).clamp(0.2, 5.0);
        }
        let way = (self.t - from).abs();
        let before = sizes.iter().filter(|(t, _)| (t - from).abs() <= ON_THE_WAY * way);
        let before = before.map(|(_, size)| *size).fold(0.0, f64::max);
        let stuck = step.abs() < SHORTEST * (to - from).abs();
        let grown = stuck && size(&self.state) > BEYOND * before;
        (if grown { Way::BlowsUp(self.t) } else { Way::Lost }, vec![])
    }

    /// The greatest difference of two states beside what is allowed.
    fn error(&self, next: &[f64], other: &[f64], tolerance: f64) -> Option<f64> {
        let scale = self.state.iter().chain(next).fold(0.0_f64, |most, x| most.max(x.abs()));
        let allowed =
            |i: usize| tolerance * (0.5 * (self.state[i].abs() + next[i].abs()) + 1e-3 * scale) + 1e-300;
        let errors = (0..next.len()).map(|i| (next[i] - other[i]).abs() / allowed(i));
        let error =
            errors.fold(0.0, |most: f64, error| if error > most || error.is_nan() { error } else { most });
        error.is_finite().then_some(error)
    }
}

/// By Fehlberg's pair of orders 4 and 5 (1969).
fn explicit(pilot: &mut Pilot, step: f64, tolerance: f64) -> Option<(Vec<f64>, f64)> {
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
    let Pilot { t, state, .. } = &*pilot;
    let (t, state) = (*t, state.clone());
    let mut slopes: Vec<Vec<f64>> = vec![];
    let moved = |slopes: &[Vec<f64>], weights: &[f64]| -> Vec<f64> {
        let along =
            |i: usize| slopes.iter().zip(weights).map(|(slope, weight)| weight * slope[i]).sum::<f64>();
        state.iter().enumerate().map(|(i, x)| x + step * along(i)).collect()
    };
    for (node, weights) in NODES.iter().zip(&STAGES) {
        let at = moved(&slopes, weights);
        pilot.highest = pilot.equations.highest(t + node * step, &at, &pilot.highest)?;
        slopes.push(pilot.equations.slope(&at, &pilot.highest));
    }
    let (next, other) = (moved(&slopes, &FIFTH), moved(&slopes, &FOURTH));
    let error = pilot.error(&next, &other, tolerance)?;
    Some((next, error))
}

/// By Radau IIA, whose error is told from two steps of half the length: however fast solutions die down beside the one that is
/// sought, steps are as long as that one allows.
///
/// Where they die down at once the end of a step is right however long it is, so the cubic through its stages counts as well.
fn implicit(pilot: &mut Pilot, step: f64, tolerance: f64) -> Option<(Vec<f64>, f64)> {
    let (t, state, states) = (pilot.t, pilot.state.clone(), pilot.state.len());
    let equations = &mut pilot.equations;
    let stages = equations.implicit_step(t, &state, step, &pilot.highest)?;
    let [_, _, half] = equations.implicit_step(t, &state, 0.5 * step, &pilot.highest)?;
    let (middle, near) = half.split_at(states);
    let [_, _, end] = equations.implicit_step(t + 0.5 * step, middle, 0.5 * step, near)?;
    let (next, highest) = end.split_at(states);
    let [first, second, last] = equations.radau.nodes;
    let nodes = [0.0, first, second, last];
    let share = |i: usize| -> f64 {
        (0..4).filter(|&j| j != i).map(|j| (0.5 - nodes[j]) / (nodes[i] - nodes[j])).product()
    };
    let shares = [0, 1, 2, 3].map(share);
    let rows = [&state[..], &stages[0], &stages[1], &stages[2]];
    let between: Vec<f64> =
        (0..states).map(|k| rows.iter().zip(shares).map(|(row, share)| share * row[k]).sum()).collect();
    // Of order five: halves are 2⁵ times as accurate.
    let at_end = pilot.error(next, &stages[2][..states], tolerance)? / 31.0;
    let error = at_end.max(pilot.error(middle, &between, tolerance)?);
    if error <= 1.0 {
        pilot.highest = highest.to_vec();
    }
    Some((next.to_vec(), error))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::problem::Document;

    fn problem_of(domain: &str, unknowns: &str, equations: &str, start: &str) -> Problem {
        let text = format!(
            "[coordinates]\n{domain}\n[unknowns]\n{unknowns}\n\
             [conditions.ode]\nplace = \"interior\"\nresidual = [{equations}]\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = [{start}]\n"
        );
        Document::parse("test.toml", &text).and_then(|d| d.build(Path::new(""))).expect(&text).0
    }

    fn course_of(domain: &str, unknowns: &str, equations: &str, start: &str) -> Option<Course> {
        course(&problem_of(domain, unknowns, equations, start))
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
    fn chaos_has_a_content() {
        // Two pendulums, the one hanging on the other: after eight seconds nothing is left of the start's digits.
        let first = "\"a_tt*(3 - cos(2*a - 2*b)) + 29.43*sin(a) + 9.81*sin(a - 2*b) + 2*sin(a - b)*(b_t^2 + a_t^2*cos(a - b))\"";
        let second =
            "\"b_tt*(3 - cos(2*a - 2*b)) - 2*sin(a - b)*(2*a_t^2 + 19.62*cos(a) + b_t^2*cos(a - b))\"";
        let start = "\"a - 2\", \"b - 2.5\", \"a_t\", \"b_t\"";
        let pair = "a = {}\nb = {}";
        let found = course_of("t = [0, 8]", pair, &format!("{first}, {second}"), start);
        let lorenz = "\"x_t - 10*(y - x)\", \"y_t - x*(28 - z) + y\", \"z_t - x*y + 8/3*z\"";
        let chaos =
            course_of("t = [0, 40]", "x = {}\ny = {}\nz = {}", lorenz, "\"x - 1\", \"y - 1\", \"z - 1\"");
        assert!(
            found.is_some_and(|found| found.content > 50.0)
                && chaos.is_some_and(|chaos| chaos.content > 500.0)
        );
    }

    #[test]
    fn what_dies_down_at_once_is_no_content() {
        // Of cos(t) over ten units of time, however stiff the equation that leads there.
        let cosine = 94.0 * 10.0 / 25.0;
        for rate in ["1e3", "1e6"] {
            let equation = format!("\"y_t + {rate}*(y - cos(t))\"");
            let found = course_of("t = [0, 10]", Y, &equation, "\"y - 1\"").expect("a course");
            let (lowest, highest) = found.ranges[0];
            assert!((lowest + 1.0).abs() < 0.02 && (highest - 1.0).abs() < 0.02, "{found:?}");
            assert!((found.content / cosine - 1.0).abs() < 0.25, "{found:?}");
        }
        let mut pilot = Pilot::new(&problem_of("t = [0, 100]", Y, "\"y_tt + y\"", COSINE)).expect("a pilot");
        let steps = [explicit as Method, implicit].map(|method| {
            match pilot.go(100.0, COARSE, method, &mut vec![]).0 {
                Way::Whole(steps) => steps as f64,
                _ => f64::NAN,
            }
        });
        assert!((steps[0] / steps[1] / EACH - 1.0).abs() < 0.05, "{steps:?}");
        // Robertson's three reactions (1966), whose rates are eight decades apart; at the end the first one is at 71 %.
        let rates = "\"a_t + 0.04*a - 1e4*b*c\", \"b_t - 0.04*a + 1e4*b*c + 3e7*b^2\", \"a + b + c - 1\"";
        let found =
            course_of("t = [0, 40]", "a = {}\nb = {}\nc = {}", rates, "\"a - 1\", \"b\"").expect("a course");
        assert!(
            (found.ranges[0].0 - 0.7158).abs() < 1e-3 && (found.ranges[1].1 - 3.65e-5).abs() < 1e-6,
            "{found:?}"
        );
        assert!(found.content < 200.0, "{}", found.content);
    }

    #[test]
    fn a_solution_that_leaves_every_bound_is_told_with_where_it_does() {
        let leaves = |domain, equation, start| blow_up(&problem_of(domain, Y, equation, start));
        assert_eq!(leaves("t = [0, 2]", "\"y_t - y^2\"", "\"y - 1\""), Some(1.0));
        assert_eq!(leaves("t = [-3, 0]", "\"y_t - y^2\"", "\"y + 0.5\""), Some(-2.0));
        assert_eq!(leaves("t = [0, 2]", "\"y_t - 1 - y^2\"", "\"y\""), Some(1.571));
        assert_eq!(leaves("t = [0, 0.9]", "\"y_t - y^2\"", "\"y - 1\""), None);
        // What grows, steeply too, and what dies down to where it cannot be computed beyond, stays within bounds.
        assert_eq!(leaves("t = [0, 50]", "\"y_t - y\"", "\"y - 1\""), None);
        assert_eq!(leaves("t = [0, 3]", "\"y_t - 100*(1 - y)*y\"", "\"y - 1e-9\""), None);
        assert_eq!(leaves("t = [0, 3]", "\"y_t + sqrt(y)\"", "\"y - 1\""), None);
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
        // Beside exp(−2t), errors that grow as exp(t) are all that is seen at the end.
        none("t = [0, 24]", Y, "\"y_tt - y - 3*exp(-2*t)\"", "\"y - 1\", \"y_t + 2\"");
        none("t = [0, 25]\nx = [0, 1]", Y, "\"y_tt + y\"", COSINE);
        none("t = [0, 6.5]", "y = {}\nv = {}", "\"y_t^3 - v^3\", \"v_t + y + 0*y_t\"", "\"y - 1\", \"v\"");
    }
}
