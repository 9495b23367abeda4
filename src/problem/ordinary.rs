//! Ordinary differential equations and their conditions at ends, over their unknowns' own derivatives.
//!
//! A *place* is a row of numbers: of every unknown its value and its derivatives below the highest, the *state*, and after
//! the states of all unknowns the highest derivative of each, for which the equations are solved.
//! Implicit steps are those of Radau IIA with three stages (Ehle 1969): order five, no bound on the step where solutions
//! decay fast, and equations without a derivative hold at the end of every step.
//!
//! This file knows formulas and conditions; it does not know what is integrated, how far, and what for.

use faer::Mat;
use faer::linalg::solvers::Solve;

use super::model::Problem;
use super::place::Place;
use super::posedness::{Input, Linear, Site};
use super::{Equations, Windows};
use crate::jet::MultiIndex;

/// Steps of Newton's method.
const NEWTON: usize = 20;

/// Stages of Radau IIA: where they are, as parts of a step, and their weights.
pub(crate) struct Radau {
    /// Where the stages are.
    pub(crate) nodes: [f64; 3],
    /// The powers of the matrix of weights, from the zeroth.
    powers: Vec<[[f64; 3]; 3]>,
}

impl Radau {
    /// For equations of at most this order.
    fn new(order: usize) -> Self {
        let root = 6.0_f64.sqrt();
        let weights = [
            [(88.0 - 7.0 * root) / 360.0, (296.0 - 169.0 * root) / 1800.0, (3.0 * root - 2.0) / 225.0],
            [(296.0 + 169.0 * root) / 1800.0, (88.0 + 7.0 * root) / 360.0, (-2.0 - 3.0 * root) / 225.0],
            [(16.0 - root) / 36.0, (16.0 + root) / 36.0, 1.0 / 9.0],
        ];
        let one = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let times = |a: &[[f64; 3]; 3]| {
            [0, 1, 2].map(|i| [0, 1, 2].map(|j| (0..3).map(|k| a[i][k] * weights[k][j]).sum()))
        };
        let mut powers = vec![one];
        for _ in 0..order.max(1) {
            powers.push(times(&powers[powers.len() - 1]));
        }
        Self { nodes: weights.map(|row| row.iter().sum()), powers }
    }

    /// The weights of the stages in an integral over a step of length 1.
    pub(crate) fn weights(&self) -> [f64; 3] {
        // The last stage is the end of the step.
        self.powers[1][2]
    }
}

/// Equations for the highest derivative of every unknown, and as many conditions as a state has numbers.
pub(crate) struct Ordinary {
    /// Where it begins: the start, or the lower end of the domain.
    pub(crate) begin: f64,
    /// Of every unknown the order of its highest derivative.
    pub(crate) orders: Vec<usize>,
    pub(crate) radau: Radau,
    equations: Vec<Linear>,
    /// With all places where they hold.
    conditions: Vec<(Vec<f64>, Linear)>,
    scratch: Vec<f64>,
}

/// Residuals at a place, and their slopes by its numbers, row by row.
pub(crate) struct Linearized {
    pub(crate) values: Vec<f64>,
    pub(crate) slopes: Vec<Vec<f64>>,
}

impl Ordinary {
    /// An initial-value problem; `None` if `problem` is none: partial differential equations, parameters to be found, data,
    /// conditions elsewhere, or a start that is not stated by conditions alone.
    pub(crate) fn initial_value(problem: &Problem) -> Option<Self> {
        let (begin, orders) = Windows::beginning(problem)?;
        let all = Self::new(problem, begin, Some(orders))?;
        all.conditions.iter().all(|(at, _)| at[..] == [begin]).then_some(all)
    }

    /// A boundary-value problem with conditions at both ends of its domain and nowhere else; `None` if `problem` is none.
    pub(crate) fn boundary_value(problem: &Problem) -> Option<Self> {
        let (lower, upper) = (problem.coordinates[0].lower, problem.coordinates[0].upper);
        let all = Self::new(problem, lower, None)?;
        let mut places = all.conditions.iter().flat_map(|(at, _)| at);
        let has = |end: f64| all.conditions.iter().any(|(at, _)| at.contains(&end));
        (has(lower) && has(upper) && places.all(|at| [lower, upper].contains(at))).then_some(all)
    }

    /// Without `orders` the highest derivatives are those that the equations have.
    fn new(problem: &Problem, begin: f64, orders: Option<Vec<usize>>) -> Option<Self> {
        if problem.coordinates.len() != 1 || !problem.trainable.is_empty() || problem.integrates() {
            return None;
        }
        let language = Equations::new(problem, |_| None)?;
        let (mut equations, mut conditions) = (vec![], vec![]);
        for condition in &problem.conditions {
            let linear = Linear::new(&language.residuals(problem, condition)?)?;
            match &condition.place {
                Place::Interior => equations.push(linear),
                Place::Faces(faces) => {
                    let at = faces.iter().map(|face| match face[..] {
                        [(0, at)] => Some(at),
                        _ => None,
                    });
                    conditions.push((at.collect::<Option<Vec<f64>>>()?, linear));
                }
                _ => return None,
            }
        }
        let orders = orders.unwrap_or_else(|| {
            let mut orders = vec![0; problem.unknowns.len()];
            for input in equations.iter().flat_map(|linear| &linear.inputs) {
                if let Input::Jet { output, index, .. } = *input {
                    orders[output] = index.order().max(orders[output]);
                }
            }
            orders
        });
        let known = |input: &Input, beyond: usize| match *input {
            Input::Jet { output, index, side } => side == 0 && index.order() < orders[output] + beyond,
            Input::Coefficient(_) => false,
        };
        let all_known = equations.iter().all(|linear| linear.inputs.iter().all(|input| known(input, 1)))
            && conditions.iter().all(|(_, linear)| linear.inputs.iter().all(|input| known(input, 0)));
        let states: usize = orders.iter().sum();
        let fits = equations.iter().map(Linear::residuals).sum::<usize>() == orders.len()
            && conditions.iter().map(|(at, linear)| at.len() * linear.residuals()).sum::<usize>() == states;
        let radau = Radau::new(orders.iter().copied().max()?);
        (all_known && fits).then_some(Self { begin, orders, radau, equations, conditions, scratch: vec![] })
    }

    /// Numbers of a state.
    pub(crate) fn states(&self) -> usize {
        self.orders.iter().sum()
    }

    /// The derivatives that are the numbers of a place, in their order.
    pub(crate) fn jets(&self) -> Vec<(usize, MultiIndex)> {
        let with = |order: usize| (0..order).fold(MultiIndex::VALUE, |index, _| index.plus(0));
        let orders = self.orders.iter().enumerate();
        let states = orders.clone().flat_map(|(output, &order)| (0..order).map(move |k| (output, with(k))));
        states.chain(orders.clone().map(|(output, &order)| (output, with(order)))).collect()
    }

    /// Which number of a place a derivative is.
    fn slot(&self, output: usize, order: usize) -> usize {
        if order == self.orders[output] {
            self.states() + output
        } else {
            self.orders[..output].iter().sum::<usize>() + order
        }
    }

    /// The equations at a place.
    pub(crate) fn equations(&mut self, t: f64, place: &[f64]) -> Linearized {
        let equations = std::mem::take(&mut self.equations);
        let found = self.linearized(equations.iter().map(|linear| (t, linear)), place);
        self.equations = equations;
        found
    }

    /// The conditions that hold at `t`, in a state.
    pub(crate) fn conditions(&mut self, t: f64, state: &[f64]) -> Linearized {
        let conditions = std::mem::take(&mut self.conditions);
        let here = conditions.iter().filter(|(at, _)| at.contains(&t)).map(|(_, linear)| (t, linear));
        // The highest derivatives have no part in them.
        let place = [state, &vec![f64::NAN; self.orders.len()]].concat();
        let mut found = self.linearized(here, &place);
        found.slopes.iter_mut().for_each(|slopes| slopes.truncate(state.len()));
        self.conditions = conditions;
        found
    }

    fn linearized<'a>(
        &mut self,
        conditions: impl Iterator<Item = (f64, &'a Linear)>,
        place: &[f64],
    ) -> Linearized {
        let mut found = Linearized { values: vec![], slopes: vec![] };
        let mut scratch = std::mem::take(&mut self.scratch);
        for (t, linear) in conditions {
            let slots: Vec<usize> = linear
                .inputs
                .iter()
                .map(|input| match *input {
                    Input::Jet { output, index, .. } => self.slot(output, index.order()),
                    Input::Coefficient(_) => unreachable!("nothing is sought"),
                })
                .collect();
            let inputs: Vec<f64> = slots.iter().map(|&slot| place[slot]).collect();
            linear.eval(&mut scratch, &Site { rows: [&[t], &[t]], data: &[] }, &inputs);
            for residual in 0..linear.residuals() {
                let mut slopes = vec![0.0; place.len()];
                linear.slopes(&scratch, residual).for_each(|(input, slope)| slopes[slots[input]] += slope);
                found.values.push(linear.value(&scratch, residual));
                found.slopes.push(slopes);
            }
        }
        self.scratch = scratch;
        found
    }

    /// The state where the solution begins.
    pub(crate) fn start(&mut self) -> Option<Vec<f64>> {
        let (states, begin) = (self.states(), self.begin);
        newton(vec![0.0; states], |state| {
            let Linearized { values, slopes } = self.conditions(begin, state);
            Some((values, Mat::from_fn(states, states, |i, j| slopes[i][j])))
        })
    }

    /// How far the state `state` is from fulfilling the conditions at the start, to first order.
    pub(crate) fn start_error(&mut self, state: &[f64]) -> Option<Vec<f64>> {
        let states = self.states();
        let Linearized { values, slopes } = self.conditions(self.begin, state);
        let right: Vec<f64> = values.iter().map(|value| -value).collect();
        Some(solved(&Mat::from_fn(states, states, |i, j| slopes[i][j]), &[right])?.swap_remove(0))
    }

    /// The highest derivatives in a state, sought from `near` on.
    pub(crate) fn highest(&mut self, t: f64, state: &[f64], near: &[f64]) -> Option<Vec<f64>> {
        let (states, unknowns) = (self.states(), self.orders.len());
        newton(near.to_vec(), |highest| {
            let Linearized { values, slopes } = self.equations(t, &[state, highest].concat());
            Some((values, Mat::from_fn(unknowns, unknowns, |i, j| slopes[i][states + j])))
        })
    }

    /// The state's derivative, where the highest derivatives are known.
    pub(crate) fn slope(&self, state: &[f64], highest: &[f64]) -> Vec<f64> {
        let mut slope = vec![];
        for (output, &order) in self.orders.iter().enumerate() {
            if order > 0 {
                let first = slope.len();
                slope.extend_from_slice(&state[first + 1..first + order]);
                slope.push(highest[output]);
            }
        }
        slope
    }

    /// The unknowns at a place.
    pub(crate) fn values(&self, state: &[f64], highest: &[f64]) -> Vec<f64> {
        let value = |output: usize| match self.slot(output, 0) {
            slot if slot < state.len() => state[slot],
            slot => highest[slot - state.len()],
        };
        (0..self.orders.len()).map(value).collect()
    }

    /// The determinant of the equations' slopes by the highest derivatives, each equation in its own unit; where it is zero,
    /// they cannot be solved for them.
    pub(crate) fn determinant(&mut self, t: f64, place: &[f64]) -> f64 {
        let (states, unknowns) = (self.states(), self.orders.len());
        let slopes = self.equations(t, place).slopes;
        let size = |i: usize| slopes[i].iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        Mat::from_fn(unknowns, unknowns, |i, j| slopes[i][states + j] / size(i)).determinant()
    }

    /// The places at the stages of a step of length `step` from `state`, where the highest derivatives there are `highest`,
    /// stage by stage.
    pub(crate) fn stages(&self, state: &[f64], step: f64, highest: &[f64]) -> [Vec<f64>; 3] {
        let unknowns = self.orders.len();
        [0, 1, 2].map(|stage| {
            let mut place = vec![];
            let mut first = 0;
            for (output, &order) in self.orders.iter().enumerate() {
                for below in 0..order {
                    // Taylor's formula, whose powers are those of the weights.
                    let of_state = (below..order).map(|k| {
                        let power: f64 = self.radau.powers[k - below][stage].iter().sum();
                        step.powi((k - below) as i32) * power * state[first + k]
                    });
                    let power = self.radau.powers[order - below][stage];
                    let of_highest = (0..3).map(|j| power[j] * highest[j * unknowns + output]).sum::<f64>();
                    place.push(of_state.sum::<f64>() + step.powi((order - below) as i32) * of_highest);
                }
                first += order;
            }
            place.extend_from_slice(&highest[stage * unknowns..][..unknowns]);
            place
        })
    }

    /// What the equations at all stages, whose slopes are given, change by with the highest derivatives there.
    fn matrix(&self, step: f64, stages: &[Linearized; 3]) -> Mat<f64> {
        let unknowns = self.orders.len();
        Mat::from_fn(3 * unknowns, 3 * unknowns, |row, column| {
            let (stage, equation) = (row / unknowns, row % unknowns);
            let (at, output) = (column / unknowns, column % unknowns);
            let order = self.orders[output];
            let by = |below: usize| {
                let power = step.powi((order - below) as i32) * self.radau.powers[order - below][stage][at];
                stages[stage].slopes[equation][self.slot(output, below)] * power
            };
            (0..=order).map(by).sum::<f64>()
        })
    }

    /// A step of length `step` from `t`: the highest derivatives at the stages, sought from `near` on; the last stage is the
    /// end of the step.
    pub(crate) fn implicit_step(
        &mut self,
        t: f64,
        state: &[f64],
        step: f64,
        near: &[f64],
    ) -> Option<[Vec<f64>; 3]> {
        let nodes = self.radau.nodes;
        let mut highest = near.repeat(3);
        let mut before = f64::INFINITY;
        for _ in 0..NEWTON {
            let places = self.stages(state, step, &highest);
            let stages = [0, 1, 2].map(|i| self.equations(t + nodes[i] * step, &places[i]));
            let left = stages.iter().flat_map(|stage| stage.values.iter().map(|value| -value)).collect();
            let change = solved(&self.matrix(step, &stages), &[left])?.swap_remove(0);
            let size = |x: &[f64]| x.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            highest.iter_mut().zip(&change).for_each(|(x, change)| *x += change);
            if !highest.iter().all(|x| x.is_finite()) {
                return None;
            }
            // What no longer gets smaller is rounding.
            let moved = size(&change) / size(&highest).max(f64::MIN_POSITIVE);
            if moved <= 1e-10 || (moved <= 1e-6 && moved >= 0.5 * before) {
                return Some(self.stages(state, step, &highest));
            }
            before = moved;
        }
        None
    }

    /// A step of small changes of a solution to first order: `places` are those of the solution at the stages, `changes` are
    /// what its state is changed by before, each on its own.
    ///
    /// The first one is driven by the values that the equations have at these places, the others are free.
    /// Returns the changes of the places at the stages.
    pub(crate) fn linear_step(
        &mut self,
        t: f64,
        step: f64,
        places: [&[f64]; 3],
        changes: &[Vec<f64>],
    ) -> Option<Vec<[Vec<f64>; 3]>> {
        let nodes = self.radau.nodes;
        let stages = [0, 1, 2].map(|i| self.equations(t + nodes[i] * step, places[i]));
        let unmoved = vec![0.0; 3 * self.orders.len()];
        let right = |(number, change): (usize, &Vec<f64>)| {
            let moved = self.stages(change, step, &unmoved);
            let driven = if number == 0 { 1.0 } else { 0.0 };
            let mut right = vec![];
            for (stage, moved) in stages.iter().zip(&moved) {
                for (value, slopes) in stage.values.iter().zip(&stage.slopes) {
                    let by_state: f64 = slopes.iter().zip(moved).map(|(slope, x)| slope * x).sum();
                    right.push(-by_state - driven * value);
                }
            }
            right
        };
        let right: Vec<Vec<f64>> = changes.iter().enumerate().map(right).collect();
        let highest = solved(&self.matrix(step, &stages), &right)?;
        Some(
            changes
                .iter()
                .zip(&highest)
                .map(|(change, highest)| self.stages(change, step, highest))
                .collect(),
        )
    }
}

/// The solutions of a linear system for several right sides; `None` if they are not finite.
fn solved(matrix: &Mat<f64>, right: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let rows = matrix.nrows();
    if rows == 0 {
        return Some(right.to_vec());
    }
    let solution = matrix.partial_piv_lu().solve(&Mat::from_fn(rows, right.len(), |i, k| right[k][i]));
    let column = |k: usize| (0..rows).map(|i| solution[(i, k)]).collect::<Vec<_>>();
    let all: Vec<Vec<f64>> = (0..right.len()).map(column).collect();
    all.iter().flatten().all(|x| x.is_finite()).then_some(all)
}

/// A zero near `x` of what `f` gives with its slopes, as many values as `x` has.
fn newton(mut x: Vec<f64>, mut f: impl FnMut(&[f64]) -> Option<(Vec<f64>, Mat<f64>)>) -> Option<Vec<f64>> {
    if x.is_empty() {
        return Some(x);
    }
    for _ in 0..NEWTON {
        let (values, slopes) = f(&x)?;
        let way = solved(&slopes, &[values])?.swap_remove(0);
        let mut small = true;
        for (x, way) in x.iter_mut().zip(&way) {
            *x -= way;
            small &= way.abs() <= 1e-7 * x.abs().max(1e-3);
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
