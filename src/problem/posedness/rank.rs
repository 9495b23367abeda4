//! What a problem's conditions leave open, and where they contradict one another, by the rank of a discretized problem.
//!
//! Unknowns are polynomials, residuals are taken to first order, and rows are residuals at points, so that a direction in
//! the null space is a function that was put into every condition: it is not an artefact of the basis.
//! A direction counts when what it leaves of every residual is nothing beside that residual's own terms, at other points
//! too, and when it is of some size where the conditions are: a solution that only has grown from rounding, as fast
//! growing ones do, says nothing.
//! Where the problem is nonlinear, directions count that there are at several functions that have nothing to do with the
//! solution: then the rank is that of the problem and not of a place.
//! This knows formulas over raw network outputs, and the network only as far as it can be any smooth function; it does
//! not know the text, nor how anything is trained.

use faer::Mat;
use rand::RngExt;

use super::basis::{Basis, Points};
use super::linear::{Input, Linear, Site};
use crate::expr::Node;
use crate::jet::{JetSet, MultiIndex};
use crate::problem::model::Problem;
use crate::rng;

/// Unknown numbers at most: the work grows with their cube.
const MOST_COLUMNS: usize = 260;
/// Rows times columns at most.
const MOST_ENTRIES: usize = 4_000_000;
/// Degrees of polynomials in one coordinate, and in several.
const DEGREE: usize = 40;
const DEGREE_OF_SEVERAL: usize = 14;
/// Polynomials of a lower degree than this, in one coordinate and in several, are no stand-in for functions.
const LEAST_DEGREE: usize = 12;
const LEAST_DEGREE_OF_SEVERAL: usize = 3;
/// Points for each polynomial.
const TIMES: usize = 3;
/// The singular value of a direction that may be none, beside 1 for what changes residuals as much as the unknowns.
const SMALL: f64 = 1e-8;
/// What may be left of a residual's terms by a direction that changes nothing.
const LEFT: f64 = 1e-5;
/// Terms that are there by rounding alone, where the direction has size 1.
const NOTHING: f64 = 1e-10;
/// The least size of a direction where a condition is, beside that in the domain.
const PRESENT: f64 = 1e-3;
/// The share of a direction that goes into a function or a parameter that has a part in it.
pub(super) const PART: f64 = 1e-6;

/// A problem whose unknowns are polynomials.
pub(super) struct Discretized<'a> {
    pub(super) problem: &'a Problem,
    pub(super) basis: Basis<'a>,
    /// The conditions' residuals, then the unknowns' values.
    linear: Vec<Linear>,
}

/// What residuals are linearized around: polynomials for the raw outputs, and entries of θ for what is sought.
pub(super) struct Guess {
    outputs: Vec<Vec<f64>>,
    entries: Vec<f64>,
}

/// A change of raw outputs and entries of θ.
pub(super) struct Direction {
    outputs: Vec<Vec<f64>>,
    pub(super) entries: Vec<f64>,
}

/// A residual at a point.
struct Look<'a> {
    row: &'a [f64],
    residual: usize,
    value: f64,
    /// Inputs by number with the residual's slopes, in mapped coordinates.
    slopes: &'a [(usize, f64)],
    /// For every input the polynomials' derivatives that it is made of.
    polynomials: &'a [Vec<f64>],
}

/// What makes residuals and outputs comparable.
struct Scales {
    /// For every residual of every condition.
    rows: Vec<Vec<f64>>,
    /// For every raw output.
    outputs: Vec<f64>,
    /// For every unknown's value: an ansatz may be as large as it likes.
    values: Vec<f64>,
}

/// Rows of an overdetermined system.
struct Rows {
    entries: Vec<f64>,
    right: Vec<f64>,
}

impl<'a> Discretized<'a> {
    /// `None` where polynomials do not stand for what the network can be, or there are too many of them.
    pub(super) fn new(problem: &'a Problem) -> Option<Self> {
        Self::with_degree(problem, usize::MAX)
    }

    /// The same with polynomials of at most this degree.
    pub(super) fn with_degree(problem: &'a Problem, most: usize) -> Option<Self> {
        if !sees_everything(problem) {
            return None;
        }
        let d = problem.coordinates.len();
        let outputs = problem.unknowns.len();
        let (least, usual) =
            if d == 1 { (LEAST_DEGREE, DEGREE) } else { (LEAST_DEGREE_OF_SEVERAL, DEGREE_OF_SEVERAL) };
        let fits = |degree: &usize| outputs * Basis::count(d, *degree) <= MOST_COLUMNS;
        let degree = (least..=usual.min(most)).rev().find(fits)?;
        let formulas = problem.conditions.iter().map(|condition| &condition.residuals);
        let linear = formulas.chain([&problem.values]).map(Linear::new).collect::<Option<_>>()?;
        Some(Self { problem, basis: Basis::new(problem, degree), linear })
    }

    /// Are all residuals affine, and is nothing sought but functions?
    pub(super) fn is_affine(&self) -> bool {
        self.problem.trainable.is_empty()
            && self.linear.iter().all(|linear| (0..linear.residuals()).all(|r| linear.is_affine(r)))
    }

    fn columns(&self) -> usize {
        self.problem.unknowns.len() * self.basis.len() + self.problem.trainable.len()
    }

    /// Functions and numbers to linearize around, which differ from one `number` to the next.
    pub(super) fn guess(&self, number: usize) -> Guess {
        let mut random = rng::stream(number as u64, "posedness");
        let mut output = || {
            let coefficient = |degree| match degree {
                0 if number == 0 => 1.5,
                0..=3 => (random.random::<f64>() - 0.5) * 0.5_f64.powi(degree as i32),
                _ => 0.0,
            };
            self.basis.total_degrees().map(coefficient).collect()
        };
        let mut outputs: Vec<Vec<f64>> = self.problem.unknowns.iter().map(|_| output()).collect();
        for (output, coefficients) in outputs.iter_mut().enumerate() {
            self.without(output).for_each(|k| coefficients[k] = 0.0);
        }
        let entries = self.problem.trainable.iter().map(|t| t.entry(t.initial));
        let entries = entries.map(|entry| entry + 0.3 * number as f64 * random.random::<f64>()).collect();
        Guess { outputs, entries }
    }

    /// Polynomials that an unknown of fewer coordinates does not have.
    fn without(&self, output: usize) -> impl Iterator<Item = usize> + '_ {
        let unknown = &self.problem.unknowns[output];
        let absent = move || (0..self.problem.coordinates.len()).filter(|&c| !unknown.depends_on(c));
        (0..self.basis.len()).filter(move |&k| self.basis.changes_along(k, absent()))
    }

    fn nothing(&self) -> Guess {
        Guess {
            outputs: vec![vec![0.0; self.basis.len()]; self.problem.unknowns.len()],
            entries: vec![0.0; self.problem.trainable.len()],
        }
    }

    /// Looks at every residual of a condition at every point; `None` where something is not finite.
    fn visit(
        &self,
        condition: usize,
        points: &Points,
        guess: &Guess,
        mut see: impl FnMut(&Look<'_>),
    ) -> Option<()> {
        let linear = &self.linear[condition];
        let d = self.problem.coordinates.len();
        let (mut scratch, mut slopes) = (vec![], vec![]);
        let (mut data, mut inputs) = (vec![], vec![]);
        for (i, row) in points.rows.chunks_exact(d).enumerate() {
            let partner = points.partners.as_ref().map_or(row, |rows| &rows[i * d..(i + 1) * d]);
            let tables = [row, partner].map(|row| self.basis.tables(row));
            let polynomials = linear.inputs.iter().map(|input| match *input {
                Input::Jet { index, side, .. } => self.basis.derivatives(&tables[side], index),
                Input::Coefficient(_) => vec![],
            });
            let polynomials: Vec<Vec<f64>> = polynomials.collect();
            inputs.clear();
            inputs.extend(linear.inputs.iter().zip(&polynomials).map(|(input, values)| match *input {
                Input::Jet { output, index, .. } => {
                    self.basis.unit(index) * dot(&guess.outputs[output], values)
                }
                Input::Coefficient(k) => guess.entries[k],
            }));
            data.clear();
            data.extend(points.data.iter().map(|column| column[i]));
            linear.eval(&mut scratch, &Site { rows: [row, partner], data: &data }, &inputs);
            for residual in 0..linear.residuals() {
                slopes.clear();
                slopes.extend(linear.slopes(&scratch, residual).map(|(input, slope)| {
                    let unit = match linear.inputs[input] {
                        Input::Jet { index, .. } => self.basis.unit(index),
                        Input::Coefficient(_) => 1.0,
                    };
                    (input, slope * unit)
                }));
                let value = linear.value(&scratch, residual);
                if !value.is_finite() || slopes.iter().any(|(_, slope)| !slope.is_finite()) {
                    return None;
                }
                see(&Look { row, residual, value, slopes: &slopes, polynomials: &polynomials });
            }
        }
        Some(())
    }

    /// Points of every condition, then of the domain.
    fn points(&self, set: usize) -> Vec<Points> {
        let at = |condition: &crate::problem::model::Condition| self.basis.at(&condition.place, TIMES, set);
        self.problem.conditions.iter().map(at).chain([self.basis.domain(TIMES, set)]).collect()
    }

    fn count(&self, points: &Points) -> usize {
        points.rows.len() / self.problem.coordinates.len()
    }

    /// Scales that make the greatest slopes of every residual, and by every output, about 1.
    fn scales(&self, points: &[Points], guess: &Guess) -> Option<Scales> {
        let outputs = self.problem.unknowns.len();
        let mut sizes: Vec<Vec<Vec<f64>>> = vec![];
        // The last are the unknowns' values.
        for i in 0..self.linear.len() {
            let mut squares = vec![vec![0.0; outputs]; self.linear[i].residuals()];
            self.visit(i, &points[i], guess, |look| {
                for &(input, slope) in look.slopes {
                    if let Input::Jet { output, .. } = self.linear[i].inputs[input] {
                        squares[look.residual][output] += slope * slope;
                    }
                }
            })?;
            let count = self.count(&points[i]) as f64;
            sizes.push(
                squares.into_iter().map(|row| row.iter().map(|s| (s / count).sqrt()).collect()).collect(),
            );
        }
        let values = sizes.pop().expect("values come last");
        let mut scales = Scales {
            rows: sizes.iter().map(|rows| vec![1.0; rows.len()]).collect(),
            outputs: vec![1.0; outputs],
            values: vec![],
        };
        let one_over_root = |x: f64| if x > 0.0 { x.sqrt().recip() } else { 1.0 };
        for _ in 0..20 {
            let mut greatest = vec![0.0_f64; outputs];
            for (rows, sizes) in scales.rows.iter_mut().zip(&sizes) {
                for (row, sizes) in rows.iter_mut().zip(sizes) {
                    let scaled = |k: usize| sizes[k] * scales.outputs[k] * *row;
                    let most = (0..outputs).map(scaled).fold(0.0, f64::max);
                    *row *= one_over_root(most);
                    for (k, greatest) in greatest.iter_mut().enumerate() {
                        *greatest = greatest.max(sizes[k] * scales.outputs[k] * *row);
                    }
                }
            }
            for (scale, greatest) in scales.outputs.iter_mut().zip(greatest) {
                *scale *= one_over_root(greatest);
            }
        }
        let value = |slopes: Vec<f64>| {
            let most =
                slopes.iter().zip(&scales.outputs).map(|(slope, scale)| slope * scale).fold(0.0, f64::max);
            if most > 0.0 { most.recip() } else { 1.0 }
        };
        scales.values = values.into_iter().map(value).collect();
        let all = || scales.rows.iter().flatten().chain(&scales.outputs).chain(&scales.values);
        all().all(|x| x.is_finite() && *x > 0.0).then_some(scales)
    }

    /// The rows of a condition, each over the root of their number, and what is to come out of them.
    fn rows(&self, condition: usize, points: &Points, guess: &Guess, scales: &Scales) -> Option<Rows> {
        let (n, columns) = (self.basis.len(), self.columns());
        let outputs = self.problem.unknowns.len();
        let root = (self.count(points) as f64).sqrt().recip();
        let mut rows = Rows { entries: vec![], right: vec![] };
        let is_values = condition == self.problem.conditions.len();
        self.visit(condition, points, guess, |look| {
            let scale = match scales.rows.get(condition) {
                Some(rows) => rows[look.residual],
                None => scales.values[look.residual],
            };
            let start = rows.entries.len();
            rows.entries.resize(start + columns, 0.0);
            rows.right.push(-root * scale * look.value);
            // What an unknown is where it does not live is of no size.
            let unknown = self.problem.unknowns.get(look.residual).filter(|_| is_values);
            if unknown.is_some_and(|unknown| !unknown.lives_at(look.row)) {
                return;
            }
            let row = &mut rows.entries[start..];
            for &(input, slope) in look.slopes {
                match self.linear[condition].inputs[input] {
                    Input::Jet { output, .. } => {
                        let factor = root * scale * scales.outputs[output] * slope;
                        let polynomials = &look.polynomials[input];
                        row[output * n..(output + 1) * n]
                            .iter_mut()
                            .zip(polynomials)
                            .for_each(|(to, p)| *to += factor * p);
                    }
                    Input::Coefficient(k) => row[outputs * n + k] += root * scale * slope,
                }
            }
        })?;
        Some(rows)
    }

    /// The rows of some conditions, one after the other.
    fn stacked(
        &self,
        conditions: impl Iterator<Item = usize>,
        points: &[Points],
        guess: &Guess,
        scales: &Scales,
    ) -> Option<Rows> {
        let mut all = Rows { entries: vec![], right: vec![] };
        for i in conditions {
            let rows = self.rows(i, &points[i], guess, scales)?;
            all.entries.extend(rows.entries);
            all.right.extend(rows.right);
            if all.entries.len() > MOST_ENTRIES {
                return None;
            }
        }
        let (n, columns) = (self.basis.len(), self.columns());
        for output in 0..self.problem.unknowns.len() {
            for k in self.without(output) {
                let place = output * n + k;
                all.entries.extend((0..columns).map(|column| f64::from(u8::from(column == place))));
                all.right.push(0.0);
            }
        }
        Some(all)
    }

    /// Directions that change no residual of `conditions`, by singular values; scaled so that they change the unknowns by 1.
    fn null_space(
        &self,
        conditions: &[usize],
        points: &[Points],
        guess: &Guess,
        scales: &Scales,
    ) -> Option<Vec<Direction>> {
        let (n, columns) = (self.basis.len(), self.columns());
        let outputs = self.problem.unknowns.len();
        let residuals = self.stacked(conditions.iter().copied(), points, guess, scales)?;
        let last = self.problem.conditions.len();
        let mut sizes = self.rows(last, &points[last], guess, scales)?;
        let (above, values) = (residuals.right.len(), sizes.right.len());
        // What a sought parameter is worth is what it changes.
        let mut units = vec![1.0; columns];
        for (k, unit) in units.iter_mut().enumerate().skip(outputs * n) {
            let square: f64 = residuals.entries.iter().skip(k).step_by(columns).map(|x| x * x).sum();
            *unit = if square > 0.0 { square.sqrt().recip() } else { 1.0 };
            sizes.entries.extend((0..columns).map(|column| f64::from(u8::from(column == k)) / *unit));
        }
        let worth = units[outputs * n..].to_vec();
        let below = values + worth.len();
        let entry = |i: usize, k: usize| match i.checked_sub(above) {
            None => residuals.entries[i * columns + k],
            Some(i) => sizes.entries[i * columns + k],
        };
        let rows = above + below;
        if rows < columns {
            return None;
        }
        for (k, unit) in units.iter_mut().enumerate() {
            let square: f64 = (0..rows).map(|i| entry(i, k).powi(2)).sum();
            *unit = if square > 0.0 { square.sqrt().recip() } else { return None };
        }
        let matrix = Mat::from_fn(rows, columns, |i, k| entry(i, k) * units[k]);
        let qr = matrix.qr();
        let r = qr.thin_R();
        if (0..columns).any(|k| r[(k, k)].abs() < 1e-13) {
            return None;
        }
        let q = qr.compute_thin_Q();
        let svd = q.subrows(0, above).thin_svd().ok()?;
        // Fewer rows than columns leave directions that no singular value belongs to.
        if above < columns {
            return None;
        }
        let small = (0..columns).filter(|&k| svd.S()[k] < SMALL);
        let direction = |k: usize| {
            let mut x: Vec<f64> = (0..columns).map(|i| svd.V()[(i, k)]).collect();
            for i in (0..columns).rev() {
                let rest: f64 = (i + 1..columns).map(|j| r[(i, j)] * x[j]).sum();
                x[i] = (x[i] - rest) / r[(i, i)];
            }
            x.iter_mut().zip(&units).for_each(|(x, unit)| *x *= unit);
            let (functions, entries) = x.split_at_mut(outputs * n);
            // The direction has size 1: a part of it that has hardly any is there by rounding.
            let change = |i: usize| dot(functions, &sizes.entries[i * columns..i * columns + outputs * n]);
            let of_functions = (0..values).map(|i| change(i).powi(2)).sum::<f64>().sqrt();
            let of_entries =
                entries.iter().zip(&worth).map(|(x, worth)| (x / worth).powi(2)).sum::<f64>().sqrt();
            if of_functions < PART * of_entries {
                functions.fill(0.0);
            }
            if of_entries < PART * of_functions {
                entries.fill(0.0);
            }
            let outputs = functions.chunks_exact(n).zip(&scales.outputs);
            Direction {
                outputs: outputs.map(|(x, scale)| x.iter().map(|x| x * scale).collect()).collect(),
                entries: entries.to_vec(),
            }
        };
        Some(small.rev().map(direction).collect())
    }

    /// Does `direction` change no residual, at points of its own, and is it there where the conditions are?
    fn holds(&self, direction: &Direction, guess: &Guess, scales: &Scales) -> Option<bool> {
        let points = self.points(1);
        for i in 0..self.problem.conditions.len() {
            let mut sums = vec![[0.0; 2]; self.linear[i].residuals()];
            self.visit(i, &points[i], guess, |look| {
                let (mut left, mut size) = (0.0, 0.0);
                for &(input, slope) in look.slopes {
                    let term = slope
                        * match self.linear[i].inputs[input] {
                            Input::Jet { output, .. } => {
                                dot(&direction.outputs[output], &look.polynomials[input])
                            }
                            Input::Coefficient(k) => direction.entries[k],
                        };
                    left += term;
                    size += term.abs();
                }
                sums[look.residual][0] += left * left;
                sums[look.residual][1] += size * size;
            })?;
            let count = self.count(&points[i]) as f64;
            for (sums, scale) in sums.iter().zip(&scales.rows[i]) {
                let [left, size] = sums.map(|sum| (sum / count).sqrt() * scale);
                if left > LEFT * size && size > NOTHING {
                    return Some(false);
                }
            }
        }
        let domain = self.presence(direction, &points[self.problem.conditions.len()], scales);
        let elsewhere = (0..self.problem.conditions.len())
            .filter(|&i| !self.problem.conditions[i].place.is_interior())
            .map(|i| self.presence(direction, &points[i], scales));
        let functions = direction.outputs.iter().flatten().any(|x| *x != 0.0);
        Some(!functions || domain == 0.0 || elsewhere.into_iter().all(|size| size > PRESENT * domain))
    }

    /// The size of a direction's functions at points, with those derivatives that the equations relate to others.
    fn presence(&self, direction: &Direction, points: &Points, scales: &Scales) -> f64 {
        let d = self.problem.coordinates.len();
        let jets = |output: usize| {
            let all = self.linear.iter().flat_map(|linear| &linear.inputs);
            let own = all.filter_map(move |input| match *input {
                Input::Jet { output: o, index, .. } if o == output => Some(index),
                _ => None,
            });
            // What the equations carry from place to place are the derivatives below the highest.
            let own = JetSet::closure(own);
            let below = own.indices().iter().filter(|index| index.order() < own.order().max(1));
            below.copied().collect::<Vec<_>>()
        };
        let jets: Vec<_> = (0..direction.outputs.len()).map(jets).collect();
        let square = |row: &[f64]| {
            let tables = self.basis.tables(row);
            let of_output = |(o, coefficients): (usize, &Vec<f64>)| {
                let value = |index: &MultiIndex| dot(coefficients, &self.basis.derivatives(&tables, *index));
                let lives = self.problem.unknowns[o].lives_at(row);
                let jets = jets[o].iter().filter(|_| lives);
                jets.map(|index| (value(index) / scales.outputs[o]).powi(2)).sum::<f64>()
            };
            direction.outputs.iter().enumerate().map(of_output).sum::<f64>()
        };
        let squares: f64 = points.rows.chunks_exact(d).map(square).sum();
        (squares / self.count(points) as f64).sqrt()
    }

    /// A direction that the conditions leave open at `guess`, and how many there are.
    pub(super) fn open_direction(&self, guess: &Guess) -> Option<(Direction, usize)> {
        let points = self.points(0);
        let scales = self.scales(&points, guess)?;
        let all: Vec<usize> = (0..self.problem.conditions.len()).collect();
        let space = self.null_space(&all, &points, guess, &scales)?;
        let mut held = vec![];
        for direction in space {
            if self.holds(&direction, guess, &scales)? {
                held.push(direction);
            }
        }
        let count = held.len();
        for constant in self.constants() {
            if count > 0 && self.holds(&constant, guess, &scales)? {
                return Some((constant, count));
            }
        }
        held.into_iter().next().map(|direction| (direction, count))
    }

    /// Raw outputs that are moved by a constant: the plainest directions, put first.
    fn constants(&self) -> Vec<Direction> {
        let outputs = self.problem.unknowns.len();
        let constant = |output: usize| {
            let raw = Node::Jet { output, index: MultiIndex::VALUE, side: 0 };
            let values = &self.problem.values;
            (values.graph.node(values.roots[output]) == raw).then(|| {
                let mut direction = Direction {
                    outputs: vec![vec![0.0; self.basis.len()]; outputs],
                    entries: vec![0.0; self.problem.trainable.len()],
                };
                direction.outputs[output][0] = 1.0;
                direction
            })
        };
        (0..outputs).filter_map(constant).collect()
    }

    /// Conditions off the interior that say the same about what the equations leave open, in one coordinate.
    pub(super) fn repetitions(&self, guess: &Guess) -> Option<Vec<usize>> {
        let points = self.points(0);
        let scales = self.scales(&points, guess)?;
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..self.problem.conditions.len()).partition(|&i| self.problem.conditions[i].place.is_interior());
        let space = self.null_space(&inside, &points, guess, &scales)?;
        let mut rows: Vec<(usize, Vec<f64>)> = vec![];
        for i in outside {
            let mut row = vec![];
            for direction in &space {
                let mut values = vec![];
                self.visit(i, &points[i], guess, |look| {
                    let term = |&(input, slope): &(usize, f64)| match self.linear[i].inputs[input] {
                        Input::Jet { output, .. } => {
                            slope * dot(&direction.outputs[output], &look.polynomials[input])
                        }
                        Input::Coefficient(k) => slope * direction.entries[k],
                    };
                    values.push(scales.rows[i][look.residual] * look.slopes.iter().map(term).sum::<f64>());
                })?;
                row.push(values);
            }
            let count = row.first().map_or(0, Vec::len);
            rows.extend((0..count).map(|at| (i, row.iter().map(|values| values[at]).collect())));
        }
        if rows.is_empty() || space.is_empty() {
            return Some(vec![]);
        }
        // Columns that are combined to nothing: a null vector of the transposed matrix.
        let matrix = Mat::from_fn(rows.len(), space.len(), |i, k| rows[i].1[k]);
        let svd = matrix.svd().ok()?;
        let rank = (0..rows.len().min(space.len())).filter(|&k| svd.S()[k] > SMALL).count();
        let has_part = |&i: &usize| (rank..rows.len()).any(|k| svd.U()[(i, k)].abs() > 1e-3);
        let mut involved: Vec<usize> = (0..rows.len()).filter(has_part).map(|i| rows[i].0).collect();
        involved.dedup();
        Some(involved)
    }

    /// What a direction changes each unknown by at points of the domain, and the points.
    pub(super) fn changes(&self, direction: &Direction, guess: &Guess) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
        let last = self.problem.conditions.len();
        let points = self.basis.domain(TIMES, 0);
        let mut changes = vec![vec![]; self.problem.unknowns.len()];
        self.visit(last, &points, guess, |look| {
            let term = |&(input, slope): &(usize, f64)| match self.linear[last].inputs[input] {
                Input::Jet { output, .. } => {
                    slope * dot(&direction.outputs[output], &look.polynomials[input])
                }
                Input::Coefficient(k) => slope * direction.entries[k],
            };
            changes[look.residual].push(look.slopes.iter().map(term).sum());
        })?;
        Some((points.rows, changes))
    }

    /// What is left of an affine problem's right side by the best polynomials, relative to it, with some of the conditions;
    /// and in how many directions polynomials change next to nothing.
    pub(super) fn inconsistency(&self, conditions: &[usize]) -> Option<(f64, usize)> {
        let guess = self.nothing();
        let points = self.points(0);
        let scales = self.scales(&points, &guess)?;
        let Rows { entries, right } = self.stacked(conditions.iter().copied(), &points, &guess, &scales)?;
        let columns = self.columns();
        let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let size = norm(&mut right.iter().copied());
        if size == 0.0 {
            return Some((0.0, 0));
        }
        let units = (0..columns).map(|k| {
            let unit = norm(&mut entries.iter().skip(k).step_by(columns).copied());
            if unit > 0.0 { unit.recip() } else { 1.0 }
        });
        let units: Vec<f64> = units.collect();
        let matrix = Mat::from_fn(right.len(), columns, |i, k| entries[i * columns + k] * units[k]);
        let qr = matrix.col_piv_qr();
        let r = qr.thin_R();
        let first = r[(0, 0)].abs();
        let rank = (0..columns.min(right.len())).take_while(|&k| r[(k, k)].abs() > 1e-10 * first).count();
        let q = qr.compute_thin_Q();
        let mut left = right.clone();
        for k in 0..rank {
            let part: f64 = (0..right.len()).map(|i| q[(i, k)] * right[i]).sum();
            left.iter_mut().enumerate().for_each(|(i, x)| *x -= part * q[(i, k)]);
        }
        Some((norm(&mut left.into_iter()) / size, columns - rank))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Can the networks be any smooth functions of their coordinates: is every one of these, but for a factor and a shift, one
/// of their features?
fn sees_everything(problem: &Problem) -> bool {
    let mut graph = problem.features.graph.clone();
    let slopes: Vec<Vec<Node>> = (problem.features.roots.iter())
        .map(|&root| {
            let slope = |c| graph.derivative(root, c);
            let slopes: Vec<_> = (0..problem.coordinates.len()).map(slope).collect();
            slopes.into_iter().map(|slope| graph.node(slope)).collect()
        })
        .collect();
    let is_zero = |node: &Node| *node == Node::Constant(0.0);
    problem.all_networks().iter().all(|one| {
        let seen = problem.unknowns[one.unknowns[0]].coordinates(problem.coordinates.len());
        seen.into_iter().all(|c| {
            slopes[one.features.clone()].iter().any(|slopes| {
                matches!(slopes[c], Node::Constant(x) if x != 0.0)
                    && slopes.iter().enumerate().all(|(other, slope)| other == c || is_zero(slope))
            })
        })
    })
}
