//! Units: how large the unknowns are, and how large the residuals of their equations.
//!
//! A network begins with outputs of order one, smooth over a domain of length two; files are in pascals and micrometres.
//! Sizes are read from what the conditions say of an unknown's values; where they say nothing, or only zero, from the
//! equations: of the terms in which it stands the largest meets the largest of the others.
//! Everything is a power of two, or a multiple of one: such units cost no digit, and a problem whose own units are changed
//! by powers of two trains through the same bits.
//! This file knows problems and formulas; it does not know what becomes of the sizes.

use rand::RngExt;

use crate::auto::{Decision, thinness};
use crate::expr::{Binary, Graph, Measured, Node, NodeId, Unary, is_time};
use crate::jet::MultiIndex;
use crate::limits::MAX_OPERATIONS;
use crate::problem::{
    Condition, Course, Document, Equations, Formula, Linked, Place, Problem, key, point_of_side,
};
use crate::rng::{self, Stream};
use crate::sample::{self, Purpose};
use crate::terms::Terms;

/// Points at which the terms of a condition are looked at, and its known part.
const POINTS: usize = 64;
const DENSE: usize = 256;
/// Points of a domain's box that are drawn at the most to find some in the domain.
const MOST_DRAWN: usize = 1 << 18;
/// Half a period over a domain mapped to [−1, 1]: what is smooth turns about as much.
const SMOOTH: f64 = std::f64::consts::FRAC_PI_2;
/// A mean that is less than this beside the mean square may be left by the choice of points.
const MEANT: f64 = 0.15;
/// Rounds in which the sizes of several unknowns settle.
const ROUNDS: usize = 40;
/// A size that is this many times greater than all that is given, values as well as sources, is none that the equations tell.
const RUNAWAY: f64 = 1e12;
/// How much larger terms may be around random networks than on a rough solution, beyond which that one tells their size: an
/// exponential has run away that the solution holds down.
const HELD_DOWN: f64 = 1e6;
/// What is known on a face is the tail of something where it changes by less than this, beside the others.
const TAIL: f64 = 1e-2;
/// Random networks for the size of a residual.
const DRAWS: usize = 15;
/// Of two sines whose sum is of size 1 but for its highest values.
const AMPLITUDE: f64 = 1.2;
/// A known part that is less than this beside its terms is what rounding, or a start in equilibrium, left of them.
const CANCELLED: f64 = 1e-6;
/// Sources count beside values that are given only where they are this much larger.
const BEYOND: f64 = 4.0;
/// The least size of an unknown, beside its offset.
const LEAST: f64 = 1.0 / 128.0;

/// In what an unknown is trained: offset + size·net.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Size {
    /// A value that it is near, a multiple of an eighth of its size; zero where it passes through zero.
    pub(crate) offset: f64,
    /// How far it goes from there, a power of two.
    pub(crate) size: f64,
}

/// Offset and size of every unknown of `problem`: those of its `course`, where that is known.
///
/// An unknown whose ansatz is written has the mean and the spread of that.
pub(crate) fn sizes(problem: &Problem, course: Option<&Course>) -> Vec<Size> {
    let count = problem.unknowns.len();
    if let Some(Course { ranges, .. }) = course {
        let values = ranges.iter().map(|&(lowest, highest)| Known::Values { lowest, highest });
        return values.map(|known| rounded(known.offset(), known.reach())).collect();
    }
    let Some(equations) = equations(problem) else { return vec![Size { offset: 0.0, size: 1.0 }; count] };
    let known: Vec<Known> = (0..count).map(|unknown| known(problem, &equations, unknown)).collect();
    let offsets: Vec<f64> = known.iter().map(Known::offset).collect();
    let sizes = balanced(problem, &equations, &known, &offsets);
    offsets.into_iter().zip(sizes).map(|(offset, size)| rounded(offset, size)).collect()
}

/// The scale of every residual, where conditions do not state theirs; the ansatz stands.
pub(super) fn scales(document: &Document, problem: &Problem, course: Option<&Course>) -> Vec<Decision> {
    let open = problem.conditions.iter().filter(|c| !document.states(&["conditions", &c.name, "scale"]));
    let decision = |condition: &Condition| {
        let terms = terms(problem, condition)?;
        let mut scales = residual_sizes(problem, condition, &terms)?;
        let course = course.filter(|_| condition.place.is_interior());
        for (scale, met) in
            scales.iter_mut().zip(course.map_or(vec![], |course| course_sizes(&terms, course)))
        {
            if *scale > HELD_DOWN * met {
                *scale = met;
            }
        }
        if scales.iter().all(|scale| *scale == 1.0) {
            return None;
        }
        let scales: Vec<String> = scales.iter().map(|scale| format!("{scale:?}")).collect();
        let value = if let [one] = &scales[..] { one.clone() } else { format!("[{}]", scales.join(", ")) };
        let name = format!("conditions.{}.scale", key(&condition.name));
        Some(Decision::new(name, value, "the size of its terms"))
    };
    open.filter_map(decision).collect()
}

/// The smallest width of what conditions say, along a domain mapped to [−1, 1]: half of its range over its steepest slope, along
/// coordinates for which `counts`.
///
/// Of a wave sin(kx) it is 1/k, of a front tanh(x/d) d, of a peak exp(−x²/2d²) 0.8·d; where nothing is known to change, that of
/// half a wave over the domain.
pub(super) fn smallest_width(problem: &Problem, counts: impl Fn(usize) -> bool) -> f64 {
    let equations = equations(problem).unwrap_or_default();
    let nothing = vec![0.0; problem.unknowns.len()];
    let known = |equation: &Equation| {
        let of = |k| {
            let columns = equation.known(k, &nothing);
            let finite =
                |column: &[f64]| column.iter().copied().filter(|x| x.is_finite()).collect::<Vec<_>>();
            let values = finite(&columns[0]);
            let range = values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                - values.iter().copied().fold(f64::INFINITY, f64::min);
            let along =
                (0..equation.coordinates).filter(|c| counts(*c) && !equation.fixed.contains(c)).map(|c| {
                    let steepest = finite(&columns[c + 1]).into_iter().map(f64::abs).fold(0.0, f64::max);
                    0.5 * range / (half_width(problem, c) * steepest)
                });
            (range, along.fold(f64::INFINITY, f64::min))
        };
        (0..equation.terms.residuals()).map(of).collect::<Vec<_>>()
    };
    let (inside, around): (Vec<_>, Vec<_>) = equations.iter().partition(|equation| equation.interior);
    let smallest = |equations: Vec<&Equation>| {
        let known: Vec<(f64, f64)> = equations.into_iter().flat_map(known).collect();
        // The tails of something that lies elsewhere are narrow, and no part of it.
        let tail = TAIL * known.iter().map(|(range, _)| *range).filter(|x| x.is_finite()).fold(0.0, f64::max);
        let told = known.into_iter().filter(move |(range, _)| *range > tail);
        told.map(|(_, width)| width).filter(|width| *width > 0.0).fold(SMOOTH.recip(), f64::min)
    };
    smallest(inside).min(smallest(around))
}

/// To the nearest powers of two; an offset that is small beside the size is none.
fn rounded(offset: f64, size: f64) -> Size {
    let size = power_of_two(size.max(LEAST * offset.abs()));
    // Adding zero makes −0 what it reads as.
    Size { offset: (8.0 * offset / size).round() * size / 8.0 + 0.0, size }
}

/// The power of two that is nearest in ratio; 1 for what is no size.
fn power_of_two(x: f64) -> f64 {
    if x.is_finite() && x > 0.0 { x.log2().round().exp2() } else { 1.0 }
}

// What conditions say of values.

/// What is known of an unknown's values.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Known {
    /// Nothing.
    Nothing,
    /// The least and the greatest that conditions give it.
    Values { lowest: f64, highest: f64 },
    /// Mean and spread of its ansatz.
    Ansatz { mean: f64, spread: f64 },
}

impl Known {
    /// Zero where values of both signs are met, else the middle of the values: what is positive stays so.
    fn offset(&self) -> f64 {
        match *self {
            Self::Nothing => 0.0,
            Self::Values { lowest, highest } if lowest <= 0.0 && highest >= 0.0 => 0.0,
            Self::Values { lowest, highest } => 0.5 * lowest + 0.5 * highest,
            Self::Ansatz { mean, .. } => mean,
        }
    }

    /// How far the values go from the offset; 0 if that is not known.
    fn reach(&self) -> f64 {
        match *self {
            Self::Nothing => 0.0,
            Self::Values { lowest, highest } => {
                (highest - self.offset()).abs().max((lowest - self.offset()).abs())
            }
            Self::Ansatz { spread, .. } => spread,
        }
    }
}

fn known(problem: &Problem, equations: &[Equation], unknown: usize) -> Known {
    if problem.unknowns[unknown].ansatz.is_some() {
        return ansatz(problem, unknown).unwrap_or(Known::Nothing);
    }
    let values = equations.iter().flat_map(|equation| equation.values_of(unknown));
    let range = values.fold(None, |range: Option<(f64, f64)>, value| {
        let (lowest, highest) = range.unwrap_or((value, value));
        Some((lowest.min(value), highest.max(value)))
    });
    range.map_or(Known::Nothing, |(lowest, highest)| Known::Values { lowest, highest })
}

/// Mean and spread of an ansatz around random networks.
fn ansatz(problem: &Problem, unknown: usize) -> Option<Known> {
    let rows = anywhere(problem);
    let mut random = rng::stream(0, "units/ansatz");
    let mut values = vec![];
    for _ in 0..DRAWS {
        let network = Network::random(problem, &mut random);
        let Formula { graph, roots } = network.unknowns(problem, &[(unknown, MultiIndex::VALUE)])?;
        values.extend(table(&graph, &roots, &rows, problem.coordinates.len()));
    }
    values.retain(|value| value.is_finite());
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    Some(Known::Ansatz { mean, spread: rms(values.iter().map(|value| value - mean)) })
}

// Equations at points.

/// A condition over the unknowns' own derivatives, at some points.
struct Equation {
    formula: Formula,
    terms: Terms,
    /// Rows of coordinates, of all linked points one after the other.
    sites: Vec<f64>,
    /// Numbers of a site.
    length: usize,
    coordinates: usize,
    data: Vec<Vec<f64>>,
    interior: bool,
    /// Coordinates that are fixed on its faces.
    fixed: Vec<usize>,
}

fn equations(problem: &Problem) -> Option<Vec<Equation>> {
    let language = Equations::new(problem, |k| Some(problem.trainable[k].initial))?;
    let coordinates = problem.coordinates.len();
    let equation = |condition: &Condition| {
        let formula = language.residuals(problem, condition)?;
        let (sites, data) = sites(problem, condition);
        let mut linked = Linked::new(&formula, condition.sides());
        let sites = linked.rows(&sites, coordinates, &data).into_owned();
        Some(Equation {
            terms: Terms::new(formula.clone()),
            formula,
            sites,
            data,
            length: coordinates * linked.points(),
            coordinates,
            interior: condition.place.is_interior(),
            fixed: condition.place.faces().iter().flatten().map(|&(coordinate, _)| coordinate).collect(),
        })
    };
    problem.conditions.iter().map(equation).collect()
}

/// Points of a condition, and its data there.
fn sites(problem: &Problem, condition: &Condition) -> (Vec<f64>, Vec<Vec<f64>>) {
    if let Some(points) = sample::fresh(problem, condition, Purpose::Check, DENSE, 0) {
        return (points.rows, points.data);
    }
    let Place::Points { points, data, .. } = &condition.place else { return (vec![], vec![]) };
    let dimensions = problem.coordinates.len();
    // Many: a file's greatest value may be anywhere in it.
    let step = (points.len() / dimensions).div_ceil(16 * DENSE).max(1);
    let points = points.chunks_exact(dimensions).step_by(step).flatten().copied().collect();
    let data = data.iter().map(|column| column.iter().copied().step_by(step).collect()).collect();
    (points, data)
}

/// Points all over the domain.
fn anywhere(problem: &Problem) -> Vec<f64> {
    let bounds: Vec<(f64, f64)> = problem.coordinates.iter().map(|c| (c.lower, c.upper)).collect();
    let mut count = 4 * POINTS;
    loop {
        let mut stream = rng::stream(0, "units/anywhere");
        let rows = sample::draw(crate::settings::Sampler::Sobol, &bounds, count, &mut stream);
        let Some(geometry) = &problem.geometry else { return rows };
        let inside = rows.chunks_exact(bounds.len()).filter(|row| geometry.domain.contains(row));
        let inside: Vec<f64> = inside.flatten().copied().collect();
        // Of a thin region the box has few.
        if inside.len() >= POINTS / 2 * bounds.len() || count > MOST_DRAWN {
            return inside;
        }
        count *= 4;
    }
}

impl Equation {
    fn count(&self) -> usize {
        self.sites.len() / self.length
    }

    /// Points of a site, and of one that has none linked one more, for the sake of known streams.
    fn points(&self) -> usize {
        (self.length / self.coordinates).max(2)
    }

    /// Some of the sites, where all would take long.
    fn some(&self) -> impl Iterator<Item = usize> {
        (0..self.count()).step_by(self.count().div_ceil(POINTS).max(1))
    }

    /// The value of an input of the formulas at site `i`, where `unknown` gives derivatives.
    fn input(&self, i: usize, node: Node, unknown: impl Fn(usize, MultiIndex, usize) -> f64) -> f64 {
        match node {
            Node::Coordinate { coordinate, side } => {
                self.sites[i * self.length + side * self.coordinates + coordinate]
            }
            Node::Data(column) => self.data[column][i],
            Node::Jet { output, index, side } => unknown(output, index, side),
            _ => f64::NAN,
        }
    }

    /// Values at which residuals vanish that say something of the values of `unknown` alone, on faces and in files.
    ///
    /// Of h·(T − 300) + k·T_x that is 300, to which it draws.
    fn values_of(&self, unknown: usize) -> Vec<f64> {
        /// Points on walls are rounded more than once.
        const SEVERAL: f64 = 8.0;
        if self.interior && self.data.is_empty() || self.length > self.coordinates {
            return vec![];
        }
        let own = |jets: std::collections::BTreeSet<(usize, MultiIndex)>| {
            jets.contains(&(unknown, MultiIndex::VALUE)) && jets.iter().all(|(of, _)| *of == unknown)
        };
        let graph = &self.formula.graph;
        let roots = self.formula.roots.iter().filter(|root| own(graph.jets(&[**root])));
        let mut values = vec![];
        let mut measured = vec![];
        let root_at = |(i, root): (usize, NodeId)| {
            graph.measure(&mut measured, |node| Measured::number(self.input(i, node, |_, _, _| 0.0)));
            // Zero but for rounding, as 1 − x² − y² on a circle is, and sin(π).
            let Measured { value, rounding, .. } = measured[root.index()];
            if value.abs() <= SEVERAL * rounding {
                return Some(0.0);
            }
            let mut residual = |u: f64| {
                let at = |_, index, _| if index == MultiIndex::VALUE { u } else { 0.0 };
                graph.eval(&mut values, |node| self.input(i, node, at));
                values[root.index()]
            };
            let (zero, one) = (residual(0.0), residual(1.0));
            let value = zero / (zero - one);
            let scale = zero.abs() + one.abs() + (one - zero).abs() * value.abs();
            // Only of straight lines is this the zero.
            (value.is_finite() && residual(value).abs() <= 1e-6 * scale).then_some(value)
        };
        roots.flat_map(|&root| (0..self.count()).map(move |i| (i, root))).filter_map(root_at).collect()
    }

    /// The known part of residual `k`, and its derivatives along every coordinate, at all sites; unknowns are at their offsets.
    fn known(&self, k: usize, offsets: &[f64]) -> Vec<Vec<f64>> {
        let mut graph = Graph::default();
        let root =
            self.formula.graph.transplant(&self.formula.roots[k..=k], &mut graph, |graph, leaf| match leaf {
                Node::Jet { output, index, .. } => {
                    graph.constant(if index == MultiIndex::VALUE { offsets[output] } else { 0.0 })
                }
                leaf => graph.insert(leaf),
            })[0];
        let mut roots = vec![root];
        for coordinate in 0..self.coordinates {
            roots.push(graph.derivative(root, coordinate));
        }
        let mut values = vec![];
        let mut columns = vec![vec![]; roots.len()];
        for i in 0..self.count() {
            graph.eval(&mut values, |node| self.input(i, node, |_, _, _| f64::NAN));
            columns.iter_mut().zip(&roots).for_each(|(column, root)| column.push(values[root.index()]));
        }
        columns
    }

    /// How fast the known part of residual `k` turns along every coordinate mapped to [−1, 1], at least as what is smooth.
    fn wave_numbers(&self, problem: &Problem, k: usize, offsets: &[f64]) -> Vec<f64> {
        let sizes: Vec<f64> =
            self.known(k, offsets).into_iter().map(|column| rms(column.into_iter())).collect();
        let turns = |c: usize| {
            let turns = half_width(problem, c) * sizes[c + 1] / sizes[0];
            if turns.is_finite() { turns.max(SMOOTH) } else { SMOOTH }
        };
        let mut turns: Vec<f64> = (0..self.coordinates).map(turns).collect();
        // What turns along a face dies away from it as fast.
        let along = (0..self.coordinates)
            .filter(|c| !self.fixed.contains(c) && !is_time(&problem.coordinates[*c].name));
        let fastest = along.map(|c| turns[c] / half_width(problem, c)).fold(0.0, f64::max);
        for &c in &self.fixed {
            if !is_time(&problem.coordinates[c].name) {
                turns[c] = turns[c].max(fastest * half_width(problem, c));
            }
        }
        turns
    }

    /// Does residual `k` say something of `unknown` beyond its values, and is no other unknown differentiated more often?
    fn is_for(&self, k: usize, unknown: usize) -> bool {
        let jets = self.formula.graph.jets(&[self.formula.roots[k]]);
        let highest = |of: &dyn Fn(usize) -> bool| {
            jets.iter().filter(|(o, _)| of(*o)).map(|(_, index)| index.order()).max()
        };
        jets.len() > 1 && highest(&|o| o == unknown).is_some_and(|own| Some(own) == highest(&|_| true))
            || jets.iter().all(|(o, index)| *o == unknown && index.order() > 0)
    }
}

/// Half of what there is along a coordinate: of the domain's side, or where shapes make it thin, of their thickness.
fn half_width(problem: &Problem, coordinate: usize) -> f64 {
    let c = &problem.coordinates[coordinate];
    (0.5 * c.upper - 0.5 * c.lower) * thinness(problem, coordinate)
}

// Balance.

/// A size for every unknown: how far it goes from its offset.
fn balanced(problem: &Problem, equations: &[Equation], known: &[Known], offsets: &[f64]) -> Vec<f64> {
    let balance = Balance::new(problem, equations, offsets);
    // An unknown of which nothing is known yet has no part in the balance: 0.
    let mut sizes: Vec<f64> = known.iter().map(Known::reach).collect();
    let mut first = None;
    for round in 0..ROUNDS {
        let mut moved: f64 = 0.0;
        for (unknown, known) in known.iter().enumerate() {
            let next = match known {
                Known::Ansatz { .. } => continue,
                _ => balance.size(unknown, &sizes, known.reach()),
            };
            let Some(next) = next else { continue };
            // By halves, lest two unknowns that follow each other go round in a circle.
            let next = if sizes[unknown] > 0.0 && round > 1 { (sizes[unknown] * next).sqrt() } else { next };
            moved = moved.max((next / sizes[unknown]).ln().abs());
            sizes[unknown] = next;
        }
        if moved < 0.01 {
            first = None;
            break;
        }
        if round == 1 {
            first = Some(sizes.clone());
        }
    }
    // Unknowns that drive one another beyond all bounds, as where something grows, have the sizes that they had at first, and
    // if these are beyond bounds too, those that are given.
    let mut sizes = first.unwrap_or(sizes);
    let alone = vec![0.0; known.len()];
    let sources = (0..known.len()).filter_map(|unknown| balance.size(unknown, &alone, 0.0));
    let values = known.iter().map(Known::reach).chain(offsets.iter().map(|offset| offset.abs()));
    let given = values.chain(sources).fold(0.0, f64::max);
    if given > 0.0 && sizes.iter().any(|size| size.is_nan() || *size > RUNAWAY * given) {
        sizes = known.iter().map(Known::reach).map(|reach| if reach > 0.0 { reach } else { given }).collect();
    }
    let left = |(size, offset): (f64, &f64)| match size {
        size if size > 0.0 => size,
        _ if *offset != 0.0 => offset.abs(),
        _ => 1.0,
    };
    sizes.into_iter().zip(offsets).map(left).collect()
}

struct Balance<'a> {
    problem: &'a Problem,
    equations: &'a [Equation],
    offsets: &'a [f64],
    /// For every equation and each of its residuals its known part.
    sources: Vec<Vec<Source>>,
    /// For every equation random numbers, one for each of its jets at each site, of mean square ½ as a wave has.
    random: Vec<Vec<f64>>,
}

/// The known part of a residual.
struct Source {
    /// Root of its mean square.
    size: f64,
    /// Its mean.
    mean: f64,
    /// How fast it turns along every coordinate.
    turns: Vec<f64>,
}

impl<'a> Balance<'a> {
    fn new(problem: &'a Problem, equations: &'a [Equation], offsets: &'a [f64]) -> Self {
        let mut stream = rng::stream(0, "units/balance");
        let mut random = |equation: &Equation| {
            let count = equation.count() * equation.terms.jets().len() * equation.points();
            (0..count).map(|_| 1.5_f64.sqrt() * (2.0 * stream.random::<f64>() - 1.0)).collect()
        };
        let random = equations.iter().map(&mut random).collect();
        let mut balance = Self { problem, equations, offsets, sources: vec![], random };
        let source = |equation: &Equation| {
            let residuals = 0..equation.terms.residuals();
            let source = |k| {
                let (size, mean) = equation.source(k, offsets);
                Source { size, mean, turns: equation.wave_numbers(problem, k, offsets) }
            };
            residuals.map(source).collect()
        };
        balance.sources = equations.iter().map(source).collect();
        balance
    }

    /// The size of `unknown` beside the others'; `None` if nothing tells it.
    ///
    /// Sources of its own equations add up, so the greatest counts; what other unknowns say is averaged.
    fn size(&self, unknown: usize, sizes: &[f64], reach: f64) -> Option<f64> {
        let mine = |e: usize, k: usize| self.equations[e].is_for(k, unknown);
        let all = || {
            let residuals = |e: usize| (0..self.sources[e].len()).map(move |k| (e, k));
            (0..self.equations.len())
                .flat_map(residuals)
                .filter(|&(e, k)| self.equations[e].terms.unknowns(k).contains(&unknown))
        };
        let own: Vec<(usize, usize)> = all().filter(|&(e, k)| mine(e, k)).collect();
        let residuals = if own.is_empty() { all().collect() } else { own };
        let (mut driven, mut coupled) = (0.0_f64, vec![]);
        for (e, k) in residuals {
            let Source { size, mean, turns } = &self.sources[e][k];
            let others = self.others(e, k, unknown, sizes);
            if *size < others {
                coupled.extend(self.meets(e, k, unknown, sizes, others, None).map(f64::ln));
                continue;
            }
            // What turns fast leaves little, and its mean more.
            let waves = self.meets(e, k, unknown, sizes, *size, Some(turns));
            let mean = if mean.abs() > MEANT * size { mean.abs() } else { 0.0 };
            let level = self.meets(e, k, unknown, sizes, mean, None);
            driven = waves.into_iter().chain(level).fold(driven, f64::max);
        }
        if reach > 0.0 {
            return Some(if driven > BEYOND * reach { driven } else { reach });
        }
        if driven > 0.0 {
            return Some(driven);
        }
        (!coupled.is_empty()).then(|| (coupled.iter().sum::<f64>() / coupled.len() as f64).exp())
    }

    /// The size at which the largest term of `unknown` in residual `k` is `target`.
    fn meets(
        &self,
        e: usize,
        k: usize,
        unknown: usize,
        sizes: &[f64],
        target: f64,
        turns: Option<&Vec<f64>>,
    ) -> Option<f64> {
        if !(target > 0.0 && target.is_finite()) {
            return None;
        }
        let own = |size: f64| self.own(e, k, unknown, sizes, size, turns);
        let mut size = match (sizes[unknown], self.offsets[unknown]) {
            (size, _) if size > 0.0 => size,
            (_, offset) if offset != 0.0 => 0.125 * offset.abs(),
            _ => 1.0,
        };
        for _ in 0..40 {
            let (here, twice) = (own(size), own(2.0 * size));
            if !here.is_finite() || !twice.is_finite() {
                size /= 1024.0;
                continue;
            }
            if here == 0.0 {
                return None;
            }
            // Terms are powers, near enough, of what they hold.
            let power = (twice / here).log2().max(0.25);
            let factor = (target / here).powf(1.0 / power);
            size *= factor.clamp(1e-12, 1e12);
            if (factor - 1.0).abs() < 1e-3 {
                break;
            }
        }
        (size > 0.0 && size.is_finite()).then_some(size)
    }

    /// The largest term of the other unknowns in residual `k`.
    fn others(&self, e: usize, k: usize, unknown: usize, sizes: &[f64]) -> f64 {
        let equation = &self.equations[e];
        let parts = equation.some().map(|i| {
            let state = |of: usize, index, side| {
                if of == unknown {
                    self.offset(of, index)
                } else {
                    self.jet(e, i, (of, index, side), sizes[of], None)
                }
            };
            let known = |node| equation.input(i, node, |of, index, _| self.offset(of, index));
            equation.terms.parts(known, |node| equation.input(i, node, state)).swap_remove(k).added
        });
        largest(&parts.collect::<Vec<_>>())
    }

    /// The largest term of `unknown` at `size`.
    fn own(
        &self,
        e: usize,
        k: usize,
        unknown: usize,
        sizes: &[f64],
        size: f64,
        turns: Option<&Vec<f64>>,
    ) -> f64 {
        let equation = &self.equations[e];
        let parts = equation.some().map(|i| {
            let state = |own: f64| {
                move |of: usize, index, side| {
                    let size = if of == unknown { own } else { sizes[of] };
                    self.jet(e, i, (of, index, side), size, turns.filter(|_| of == unknown))
                }
            };
            let without = |node| equation.input(i, node, state(0.0));
            equation.terms.parts(without, |node| equation.input(i, node, state(size))).swap_remove(k).added
        });
        largest(&parts.collect::<Vec<_>>())
    }

    fn offset(&self, unknown: usize, index: MultiIndex) -> f64 {
        if index == MultiIndex::VALUE { self.offsets[unknown] } else { 0.0 }
    }

    /// A derivative of an unknown of some size at site `i` of equation `e`: random, and as smooth as the domain is wide,
    /// or as what turns as often as `turns` says.
    fn jet(
        &self,
        e: usize,
        i: usize,
        (unknown, index, side): (usize, MultiIndex, usize),
        size: f64,
        turns: Option<&Vec<f64>>,
    ) -> f64 {
        let jets = self.equations[e].terms.jets();
        let jet = jets.iter().position(|jet| *jet == (unknown, index)).expect("a jet of the equation");
        let point = i * self.equations[e].points() + point_of_side(side);
        let random = self.random[e][point * jets.len() + jet];
        let along = |c: usize| turns.map_or(SMOOTH, |turns| turns[c]) / half_width(self.problem, c);
        self.offset(unknown, index) + size * random * index.coordinates().map(along).product::<f64>()
    }
}

impl Equation {
    /// Root of the mean square of the known part of residual `k`, and its mean; 0 where its terms cancel.
    fn source(&self, k: usize, offsets: &[f64]) -> (f64, f64) {
        let offset = |of: usize, index| if index == MultiIndex::VALUE { offsets[of] } else { 0.0 };
        let parts = (0..self.count()).map(|i| {
            let nothing = |node| self.input(i, node, |_, _, _| 0.0);
            let constant = |node| self.input(i, node, |of, index, _| offset(of, index));
            let known = self.terms.parts(constant, constant).swap_remove(k).known;
            vec![[&[known], &self.terms.parts(nothing, constant).swap_remove(k).added[..]].concat()]
        });
        let rows: Vec<Vec<f64>> = parts.flatten().collect();
        let known = rms(rows.iter().map(|row| row[0]));
        let finite = || rows.iter().map(|row| row[0]).filter(|x| x.is_finite());
        let mean = finite().sum::<f64>() / finite().count().max(1) as f64;
        let terms: Vec<Vec<f64>> = rows.into_iter().map(|row| row[1..].to_vec()).collect();
        if known > CANCELLED * largest(&terms) { (known, mean) } else { (0.0, 0.0) }
    }
}

/// The greatest root of a mean square over the columns of some rows.
fn largest(rows: &[Vec<f64>]) -> f64 {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).map(|c| rms(rows.iter().map(|row| row[c]))).fold(0.0, f64::max)
}

/// The root of the mean square of the finite ones; 0 if there are none.
fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let finite = values.filter(|x| x.is_finite());
    let (sum, count) = finite.fold((0.0, 0_usize), |(sum, count), x| (sum + x * x, count + 1));
    (sum / count.max(1) as f64).sqrt()
}

// Sizes of residuals.

/// The terms of the residuals of `condition`; `None` if a formula cannot be read again.
fn terms(problem: &Problem, condition: &Condition) -> Option<Terms> {
    let language = Equations::new(problem, |k| Some(problem.trainable[k].initial))?;
    Some(Terms::new(language.residuals(problem, condition)?))
}

/// The size of every residual of `condition`, whose `terms` these are, around random networks; `None` if that cannot be told.
fn residual_sizes(problem: &Problem, condition: &Condition, terms: &Terms) -> Option<Vec<f64>> {
    let dimensions = problem.coordinates.len();
    let (mut rows, data) = sites(problem, condition);
    let mut linked = terms.linked(condition.sides());
    // Where a condition holds exactly its terms are zero on its face, and as large as ever elsewhere.
    if !condition.uses_data() && condition.sides() == 1 && !condition.place.is_interior() {
        rows.extend(anywhere(problem));
    }
    let rows = linked.rows(&rows, dimensions, &data).into_owned();
    let points = linked.points();
    // The same networks for all conditions, so that alike ones have scales alike.
    let mut random = rng::stream(0, "units/residuals");
    let flat = Network::none(problem);
    let known = flat.jets(problem, terms.jets(), &rows)?;
    let mut draws = vec![vec![]; terms.residuals()];
    for _ in 0..DRAWS {
        let jets = Network::random(problem, &mut random).jets(problem, terms.jets(), &rows)?;
        let mut columns = vec![vec![]; terms.residuals()];
        for (i, site) in rows.chunks_exact(dimensions * points).enumerate() {
            let input = |jets: &[f64], node: Node| match node {
                Node::Coordinate { coordinate, side } => site[side * dimensions + coordinate],
                Node::Data(column) => data[column].get(i).copied().unwrap_or(f64::NAN),
                Node::Jet { output, index, side } => {
                    let all = terms.jets();
                    let jet = all.iter().position(|jet| *jet == (output, index)).expect("a jet of the terms");
                    jets[(i * points + point_of_side(side)) * all.len() + jet]
                }
                _ => f64::NAN,
            };
            let parts = terms.parts(|node| input(&known, node), |node| input(&jets, node));
            for (column, parts) in columns.iter_mut().zip(parts) {
                column.push((parts.known, parts.added));
            }
        }
        for (draws, column) in draws.iter_mut().zip(columns) {
            let (known, added): (Vec<f64>, Vec<Vec<f64>>) = column.into_iter().unzip();
            draws.push(rms(known.into_iter()).max(typical(&added)));
        }
    }
    let median = |mut draws: Vec<f64>| {
        draws.sort_by(f64::total_cmp);
        power_of_two(draws[draws.len() / 2])
    };
    Some(draws.into_iter().map(median).collect())
}

/// The size of every residual with these `terms` on a rough solution; infinite where that is zero all along.
fn course_sizes(terms: &Terms, course: &Course) -> Vec<f64> {
    let mut columns = vec![vec![]; terms.residuals()];
    for (t, values) in &course.sites {
        let input = |node: Node| match node {
            Node::Coordinate { .. } => *t,
            Node::Jet { output, index, .. } => {
                course.jets.iter().position(|jet| *jet == (output, index)).map_or(f64::NAN, |i| values[i])
            }
            _ => f64::NAN,
        };
        columns.iter_mut().zip(terms.values(input)).for_each(|(column, values)| column.push(values));
    }
    let size = |column: &Vec<Vec<f64>>| Some(typical(column)).filter(|size| *size > 0.0 && size.is_finite());
    columns.iter().map(|column| size(column).map_or(f64::INFINITY, power_of_two)).collect()
}

/// The greatest root of a mean square over columns, the highest tenth of each left out: where an exponential has run away.
fn typical(rows: &[Vec<f64>]) -> f64 {
    let columns = rows.first().map_or(0, Vec::len);
    let column = |c: usize| {
        let mut values: Vec<f64> = rows.iter().map(|row| row[c].abs()).filter(|x| x.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values.truncate((values.len() * 9).div_ceil(10));
        rms(values.into_iter())
    };
    (0..columns).map(column).fold(0.0, f64::max)
}

/// Smooth functions in place of the network's outputs: sums of two sines of the features.
struct Network {
    /// For every output, for every wave: its phase, and a factor for each feature.
    waves: Vec<Vec<(f64, Vec<f64>)>>,
}

impl Network {
    /// Outputs that are zero.
    fn none(problem: &Problem) -> Self {
        Self { waves: vec![vec![]; problem.unknowns.len()] }
    }

    /// Outputs of size 1 that turn about half a period over a feature's [−1, 1].
    fn random(problem: &Problem, random: &mut Stream) -> Self {
        let mut uniform = |reach: f64| reach * (2.0 * random.random::<f64>() - 1.0);
        let mut wave = |unknown: usize| {
            let phase = uniform(std::f64::consts::PI);
            let features = problem.features_of(unknown);
            (phase, features.map(|_| uniform(3.0_f64.sqrt() * SMOOTH)).collect())
        };
        Self { waves: (0..problem.unknowns.len()).map(|i| vec![wave(i), wave(i)]).collect() }
    }

    /// Derivatives of the unknowns as formulas of the coordinates; `None` if they are too long.
    fn unknowns(&self, problem: &Problem, jets: &[(usize, MultiIndex)]) -> Option<Formula> {
        let mut graph = Graph::default();
        let features =
            problem
                .features
                .graph
                .transplant(&problem.features.roots, &mut graph, |graph, leaf| graph.insert(leaf));
        let mut output = |(unknown, waves): (usize, &Vec<_>)| {
            sum_of(&mut graph, waves, &features[problem.features_of(unknown)])
        };
        let outputs: Vec<NodeId> = self.waves.iter().enumerate().map(&mut output).collect();
        let mut too_long = false;
        let mut differentiated = |graph: &mut Graph, mut node: NodeId, index: MultiIndex| {
            for coordinate in index.coordinates() {
                node = graph.derivative(node, coordinate);
                too_long |= graph.nodes().len() > MAX_OPERATIONS;
                if too_long {
                    break;
                }
            }
            node
        };
        let values =
            problem.values.graph.transplant(&problem.values.roots, &mut graph, |graph, leaf| match leaf {
                Node::Jet { output, index, .. } => differentiated(graph, outputs[output], index),
                Node::Coefficient(k) => {
                    let trainable = &problem.trainable[k];
                    graph.constant(trainable.entry(trainable.initial))
                }
                leaf => graph.insert(leaf),
            });
        let roots: Vec<NodeId> =
            jets.iter().map(|&(unknown, index)| differentiated(&mut graph, values[unknown], index)).collect();
        let (graph, roots) = graph.extract(&roots);
        (!too_long).then_some(Formula { graph, roots })
    }

    /// The same at rows of coordinates, row by row.
    fn jets(&self, problem: &Problem, jets: &[(usize, MultiIndex)], rows: &[f64]) -> Option<Vec<f64>> {
        let Formula { graph, roots } = self.unknowns(problem, jets)?;
        Some(table(&graph, &roots, rows, problem.coordinates.len()))
    }
}

/// Σ a·sin(phase + Σ factor·feature), with an a that makes their [typical] size 1.
fn sum_of(graph: &mut Graph, waves: &[(f64, Vec<f64>)], features: &[NodeId]) -> NodeId {
    let mut sum = graph.constant(0.0);
    for (phase, factors) in waves {
        let mut argument = graph.constant(*phase);
        for (factor, &feature) in factors.iter().zip(features) {
            let factor = graph.constant(*factor);
            let part = graph.binary(Binary::Mul, factor, feature);
            argument = graph.binary(Binary::Add, argument, part);
        }
        let wave = graph.unary(Unary::Sin, argument);
        let amplitude = graph.constant(AMPLITUDE);
        let wave = graph.binary(Binary::Mul, amplitude, wave);
        sum = graph.binary(Binary::Add, sum, wave);
    }
    sum
}

/// Formulas over coordinates at rows of them, row by row.
fn table(graph: &Graph, roots: &[NodeId], rows: &[f64], dimensions: usize) -> Vec<f64> {
    let mut values = vec![];
    let mut row = |row: &[f64]| {
        graph.eval(&mut values, |node| match node {
            Node::Coordinate { coordinate, .. } => row[coordinate],
            _ => f64::NAN,
        });
        roots.iter().map(|root| values[root.index()]).collect::<Vec<_>>()
    };
    rows.chunks_exact(dimensions).flat_map(&mut row).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn problem(text: &str) -> Problem {
        Document::parse("test.toml", text)
            .and_then(|d| d.build(Path::new("")))
            .unwrap_or_else(|wrong| panic!("{wrong}"))
            .0
    }

    fn sizes_of(problem: &Problem) -> Vec<Size> {
        sizes(problem, crate::problem::course(problem).as_ref())
    }

    /// Offset and size of every unknown of a problem over `coordinates`, given as `place: residual`.
    fn check(coordinates: &str, unknowns: &str, conditions: &[(&str, &str)], expected: &[(f64, f64)]) {
        let unknowns: String = unknowns.split(' ').map(|name| format!("{name} = {{}}\n")).collect();
        let mut text = format!("[coordinates]\n{coordinates}\n[unknowns]\n{unknowns}");
        for (i, (place, residual)) in conditions.iter().enumerate() {
            text += &format!("[conditions.c{i}]\nplace = \"{place}\"\nresidual = {residual}\n");
        }
        let found: Vec<_> = sizes_of(&problem(&text)).iter().map(|s| (s.offset, s.size)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sizes_are_those_of_the_values_that_are_given() {
        let heat = ("interior", "\"u_t - u_xx\"");
        let domain = "x = [0, 1]\nt = [0, 1]";
        check(domain, "u", &[heat, ("t = 0", "\"u - sin(pi*x)\""), ("boundary", "\"u\"")], &[(0.0, 1.0)]);
        // Values of one sign stay so: 650 ± 350.
        check(
            domain,
            "u",
            &[heat, ("t = 0", "\"u - 1000\""), ("boundary", "\"u - 300\"")],
            &[(640.0, 256.0)],
        );
        // A wall that exchanges heat draws towards what is outside.
        check(
            domain,
            "u",
            &[heat, ("t = 0", "\"u - 480\""), ("boundary", "\"200*u_x + 1000*(u - 60)\"")],
            &[(256.0, 256.0)],
        );
    }

    #[test]
    fn sizes_follow_sources_where_no_value_is_given() {
        // 7e9·w_xxxx = 1e4 on a micrometre: q·h⁴/E for half a wave, (π/2)⁴ of it, in the mean square.
        let ends = ("boundary", "[\"w\", \"w_x\"]");
        let size = (1e4 * (0.5e-6 / SMOOTH).powi(4) / 7e9 / 0.5_f64.sqrt()).log2().round().exp2();
        check("x = [0, 1e-6]", "w", &[("interior", "\"7e9*w_xxxx - 1e4\""), ends], &[(0.0, size)]);
        // Zero but for rounding is no size.
        let source = ("interior", "\"u_xx + 8\"");
        let zero = [source, ("x = 0", "\"u\""), ("x = 1", "\"u - sin(pi*x)\"")];
        check("x = [0, 1]", "u", &zero, &[(0.0, 1.0)]);
        // A source that turns often leaves less.
        let fast = ("interior", "\"u_xx + (20*pi)^2*sin(20*pi*x)\"");
        check("x = [0, 1]", "u", &[fast, ("boundary", "\"u\"")], &[(0.0, 1.0)]);
        // A bump whose tails at the walls are 1e-30; where it is not, it is nothing, so in the mean square it is small.
        let bump = "exp(-((x - 0.5)/0.06)^2)";
        let conditions = [
            ("interior", format!("\"u_xx - {bump}*((x - 0.5)^2/0.06^4*4 - 2/0.06^2)\"")),
            ("boundary", format!("\"u - {bump}\"")),
        ];
        let conditions = conditions.each_ref().map(|(place, residual)| (*place, &residual[..]));
        check("x = [0, 1]", "u", &conditions, &[(0.0, 0.125)]);
        // A flux beside walls of 293.15 K.
        let plate = [
            ("interior", "\"60.7*(T_xx + T_yy)\""),
            ("y = 0.007", "\"60.7*T_y - 1e7\""),
            ("y = 0", "\"T - 293.15\""),
        ];
        check("x = [0, 0.014]\ny = [0, 0.007]", "T", &plate, &[(320.0, 512.0)]);
    }

    #[test]
    fn widths_are_those_of_what_is_known() {
        let width = |source: &str, start: &str, counts: fn(usize) -> bool| {
            let text = format!(
                "[coordinates]\nx = [0, 4]\nt = [0, 1]\n[unknowns]\nu = {{}}\n\
                 [conditions.a]\nplace = \"interior\"\nresidual = \"u_t - u_xx - {source}\"\n\
                 [conditions.b]\nplace = \"t = 0\"\nresidual = \"u - {start}\"\n\
                 [conditions.c]\nplace = \"x = 4\"\nresidual = \"u - 1e-9*exp(99*t)/exp(99)\"\n\
                 [conditions.d]\nplace = \"x = 0\"\nresidual = \"u - t*exp(-99*x)\"\n"
            );
            smallest_width(&problem(&text), counts)
        };
        let check =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 0.05, "{found}, {expected}");
        // A side of 4 is mapped to one of 2. What is at the wall is too small to tell.
        let everywhere: fn(usize) -> bool = |_| true;
        let peak = "exp(-((x - 2)/0.4)^2/2)";
        check(width("0", peak, everywhere), 0.5 * 0.5_f64.exp() * 0.2);
        check(width("0", "tanh((x - 1)/0.2)", everywhere), 0.1);
        let wave = "sin(5*pi*x)";
        check(width(wave, peak, everywhere), 0.1 / std::f64::consts::PI);
        // What oscillates may have features of its own.
        assert_eq!(width(wave, peak, |c| c == 1), SMOOTH.recip());
        // Nothing is known to change.
        assert_eq!(width("0", "1", everywhere), SMOOTH.recip());
    }

    #[test]
    fn unknowns_without_sources_follow_the_others() {
        // ρU² of a channel: 1000·0.01² = 0.1 Pa, in which h = ½ and 1 count.
        let flow = "[\"u_x + v_y\", \"1000*(u*u_x + v*u_y) + p_x - 0.001*(u_xx + u_yy)\", \
                     \"1000*(u*v_x + v*v_y) + p_y - 0.001*(v_xx + v_yy)\"]";
        let conditions =
            [("interior", flow), ("x = 0", "[\"u - 0.01*4*y*(1 - y)\", \"v\"]"), ("x = 2", "\"p\"")];
        let found = {
            let text = "[coordinates]\nx = [0, 2]\ny = [0, 1]\n[unknowns]\nu = {}\nv = {}\np = {}\n"
                .to_owned()
                + &conditions
                    .iter()
                    .enumerate()
                    .map(|(i, (place, residual))| {
                        format!("[conditions.c{i}]\nplace = \"{place}\"\nresidual = {residual}\n")
                    })
                    .collect::<String>();
            sizes_of(&problem(&text))
        };
        assert!(
            (0.002..0.02).contains(&found[0].size) && (0.002..0.04).contains(&found[1].size),
            "{found:?}"
        );
        assert!((0.01..0.5).contains(&found[2].size), "{found:?}");
    }

    #[test]
    fn a_start_in_equilibrium_tells_no_size() {
        // Nothing drives it.
        check(
            "x = [0, 1]\nt = [0, 10]",
            "T",
            &[("interior", "\"T_t + (T - 324.5)\""), ("t = 0", "\"T - 324.5\"")],
            &[(320.0, 256.0)],
        );
        // Near an exponential, of which only the change at 324.5 K counts.
        let rate = "\"T_t + (T - 280) - 1e13*exp(-8750/T)\"";
        let found = sizes_of(&problem(&format!(
            "[coordinates]\nx = [0, 1]\nt = [0, 10]\n[unknowns]\nT = {{}}\n[conditions.a]\nplace = \"interior\"\nresidual = {rate}\n\
             [conditions.b]\nplace = \"t = 0\"\nresidual = \"T - 324.5\"\n"
        )));
        assert!((8.0..=64.0).contains(&found[0].size) && (found[0].offset - 324.5).abs() < 4.0, "{found:?}");
    }

    #[test]
    fn an_exponential_that_the_solution_holds_down_is_no_size() {
        // A capacitor charged through a diode: elsewhere than on the solution its current is 1e70 A and more.
        let diode = problem(
            "[coordinates]\nt = [0, 3e-3]\n[unknowns]\nv = {}\n[conditions.node]\nplace = \"interior\"\n\
             residual = \"1e-6*v_t + 1e-4*v - 1e-12*(exp((5*sin(6283*t) - v)/0.02585) - 1)\"\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = \"v\"\n",
        );
        let terms = terms(&diode, &diode.conditions[0]).expect("terms");
        let around = residual_sizes(&diode, &diode.conditions[0], &terms).expect("a size")[0];
        let course = crate::problem::course(&diode).expect("a course");
        let met = course_sizes(&terms, &course)[0];
        assert!(around > 1e30 && (1e-5..1.0).contains(&met), "{around:e}, {met:e}");
    }

    #[test]
    fn unknowns_that_drive_one_another_keep_within_bounds() {
        // The convection of Lorenz grows out of every start, and linear terms alone would have no end.
        let text = "[coordinates]\nt = [0, 3]\n[unknowns]\nx = {}\ny = {}\nz = {}\n[conditions.ode]\n\
                    place = \"interior\"\nresidual = [\"x_t - 10*(y - x)\", \"y_t - x*(28 - z) + y\", \"z_t - x*y + 8*z/3\"]\n\
                    [conditions.start]\nplace = \"t = 0\"\nresidual = [\"x\", \"y - 1\", \"z\"]\n";
        let found = sizes_of(&problem(text));
        assert!(found.iter().all(|s| (1e-3..=1e3).contains(&s.size) && s.offset.abs() <= 1e3), "{found:?}");
    }

    #[test]
    fn other_units_of_a_file_are_other_units_of_the_decisions() {
        // A plate in which u[m] follows a load, walls and a start; x in units of a, u of b, the equations of c.
        let decided = |[a, b, c]: [f64; 3]| {
            let text = format!(
                "[coordinates]\nx = [0, {a:?}]\nt = [0, 1]\n[unknowns]\nu = {{}}\nq = {{}}\n\
                 [conditions.physics]\nplace = \"interior\"\n\
                 residual = [\"{c:?}*(u_t/{b:?} - {a:?}*q_x - 30*sin(3*x/{a:?}))\", \"{c:?}*(q - {a:?}*u_x/{b:?})\"]\n\
                 [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - 5*{b:?}*(2 + x/{a:?})\"\n\
                 [conditions.walls]\nplace = \"boundary\"\nresidual = \"{c:?}*(q + 4*(u/{b:?} - 9))\"\n"
            );
            let mut document = Document::parse("test.toml", &text).unwrap();
            let (plain, _) = document.build(Path::new("")).unwrap_or_else(|wrong| panic!("{wrong}"));
            let sizes = sizes_of(&plain);
            for (name, Size { offset, size }) in ["u", "q"].iter().zip(&sizes) {
                let ansatz = format!("\"{offset:?} + {size:?}*net\"");
                document.set(&format!("unknowns.{name}.ansatz"), &ansatz).unwrap();
            }
            let (problem, _) = document.build(Path::new("")).unwrap();
            let scales: Vec<f64> = problem
                .conditions
                .iter()
                .flat_map(|c| residual_sizes(&problem, c, &terms(&problem, c).unwrap()).unwrap())
                .collect();
            (sizes, scales)
        };
        let (sizes, scales) = decided([1.0, 1.0, 1.0]);
        for powers in [[-30, 30, 0], [30, -30, 30], [9, -4, -29]] {
            let [a, b, c] = powers.map(|power: i32| f64::from(power).exp2());
            let (others, other_scales) = decided([a, b, c]);
            let u = Size { offset: b * sizes[0].offset, size: b * sizes[0].size };
            assert_eq!(others, [u, sizes[1]], "{powers:?}");
            let units = [c, c, b, c];
            let expected: Vec<f64> = scales.iter().zip(units).map(|(scale, unit)| scale * unit).collect();
            assert_eq!(other_scales, expected, "{powers:?}");
        }
    }
}
