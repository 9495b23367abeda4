//! An independent check of an answer: its residuals where training has not looked.
//!
//! Where there is no reference, this is what an answer can be judged by.
//! A small loss says that the equation holds at the points of training; a residual that is much larger in between
//! says that the points were too few.
//!
//! A condition on points from a file has no fresh ones.
//! Where it is an equation in a body of points, it is looked at halfway between neighbours: these are as far as one can
//! be from all points that training knows and still be within the body.
//! Where it uses data, or its points lie along a curve or a surface, there is nothing between that the file knows of, and
//! the residuals at the points themselves are given, as what they are.

use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::expr::Node;
use crate::jet::MultiIndex;
use crate::limits::MAX_OPERATIONS;
use crate::problem::{Cloud, Condition, Equations, Formula, Linked, Place, Problem, point_of_side};
use crate::sample::{self, Points, Purpose};
use crate::terms::Terms;

/// Points of the check in the interior, and on faces; powers of two, as Sobol's sequence likes them.
const INTERIOR: usize = 1 << 14;
const FACE: usize = 1 << 12;

/// Points at which the sizes of terms are taken.
const TERMS: usize = 1 << 10;

/// A residual so small beside what its terms could be is none, where it is asked whether an unknown may be zero.
const NEGLIGIBLE: f64 = 1e-4;

/// Points of a cloud whose neighbourhoods tell whether it fills space.
const TRIED: usize = 256;
/// The least extent of a neighbourhood over its greatest, as squares, from which on it has a volume.
const SOLID: f64 = 0.1;

/// Where a condition was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sites {
    /// At points that training has not seen.
    Fresh,
    /// Halfway between neighbouring points of its file.
    Between,
    /// At the points of its file, which are those of training.
    Given,
}

impl Sites {
    /// For a sentence: `at fresh points`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fresh => "at fresh points",
            Self::Between => "between its points",
            Self::Given => "at its points",
        }
    }
}

/// How well a condition holds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Residual {
    /// Where it was looked at.
    pub sites: Sites,
    /// How many points (pairs, for a periodic condition).
    pub points: usize,
    /// The root of the mean of residual², where several residuals of a condition add up: comparable with the root of
    /// the condition's term of the loss.
    pub rms: f64,
    /// The greatest norm over the condition's residuals at one point.
    pub max: f64,
    /// Where that is: a value for each coordinate (of the lower one of a pair).
    pub at: Vec<f64>,
    /// The same as `rms`, in the units of the equations as they are written: scales left out.
    pub unscaled: f64,
    /// The residual beside the terms it is the sum of, which is what an answer is to be judged by; NaN where that cannot
    /// be told.
    ///
    /// The root of the mean of residual², over that of the largest term's square; the greatest of a condition's residuals.
    /// A term is what the solution adds to the equation beyond unknowns that are everywhere their own mean.
    /// Of an equation whose terms are all small, such as y'' = 0, the size is what the term would be if the unknown turned
    /// as much as it varies once in the domain.
    pub relative: f64,
    /// By how much it changes where its integrals have other nodes, twice as many if there can be, beside the same terms;
    /// `None` without integrals, and where that cannot be told.
    pub quadrature: Option<f64>,
    /// Of a condition on measured data: are its residuals like noise, as independent of their neighbours' as chance would
    /// have it?
    ///
    /// `None` without data, and where there are too few to tell.
    pub noise: Option<bool>,
}

/// What the check of an answer finds.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// The residuals of every condition, at fresh points where it has some.
    pub residuals: Vec<Residual>,
    /// For every unknown that may as well be zero: with zero in its place no condition is missed by more, at none of its
    /// residuals; how far its network reaches, beside which it is as small as it is.
    ///
    /// Nothing is relative to such an unknown.
    pub zeros: Vec<Option<f64>>,
}

/// Checks the answer `theta` where training has not looked; `other_nodes` is the problem with other nodes in its integrals,
/// if it has some.
pub fn check(
    problem: &Problem,
    other_nodes: Option<&Problem>,
    engine: &mut dyn Engine,
    theta: &[f64],
) -> Check {
    let dimensions = problem.coordinates.len();
    let mut solution = Solution::new(problem, engine, theta);
    let zeros = solution.zeros(problem, engine);
    for ((_, spread), reach) in solution.spread.iter_mut().zip(&zeros) {
        *spread = spread.max(reach.unwrap_or(0.0));
    }
    let mut other = other_nodes.and_then(|other| OtherNodes::new(problem, other));
    let conditions = problem.conditions.iter().enumerate();
    let residuals = conditions
        .map(|(i, condition)| {
            let most = if condition.place.is_interior() { INTERIOR } else { FACE };
            let (sites, Points { rows: points, data }) = sites(problem, condition, most);
            let count = condition.residuals.roots.len();
            let values = engine.residuals(theta, i, &points, &data);
            let squares: Vec<f64> = squared_norms(&values, count).collect();
            let site = condition.sides() * dimensions;
            let worst = worst(&squares);
            let each: Vec<f64> = condition
                .scales
                .iter()
                .enumerate()
                .map(|(k, scale)| scale * rms(values.iter().skip(k).step_by(count).copied()))
                .collect();
            let spread = &solution.spread;
            let sizes = solution.sizes(problem, engine, condition, (&points, &data), spread);
            let sizes: Option<Vec<f64>> = sizes.map(|sizes| sizes.iter().map(|size| size.size).collect());
            Residual {
                sites,
                points: squares.len(),
                rms: (squares.iter().sum::<f64>() / squares.len() as f64).sqrt(),
                max: squares[worst].sqrt(),
                at: points[worst * site..][..dimensions].to_vec(),
                unscaled: each.iter().map(|rms| rms * rms).sum::<f64>().sqrt(),
                quadrature: other.as_mut().and_then(|other| {
                    let changes = other.changes(theta, i, condition, (&points, &data))?;
                    let part = sizes.as_ref().map_or(f64::NAN, |sizes| greatest_ratio(&changes, sizes));
                    // What nothing can be compared with is left to the estimate.
                    (!part.is_nan() || changes.iter().any(|change| change.is_nan())).then_some(part)
                }),
                relative: sizes.map_or(f64::NAN, |sizes| greatest_ratio(&each, &sizes)),
                noise: if condition.uses_data() { like_noise(problem, &points, &values) } else { None },
            }
        })
        .collect();
    Check { residuals, zeros }
}

/// A problem and the same with other nodes in its integrals, each with an engine of double precision.
struct OtherNodes<'a> {
    problems: [&'a Problem; 2],
    engines: [CpuEngine<f64>; 2],
}

impl<'a> OtherNodes<'a> {
    fn new(problem: &'a Problem, other: &'a Problem) -> Option<Self> {
        let engine = |problem| CpuEngine::new(problem, 1, Isa::best()).ok();
        Some(Self { problems: [problem, other], engines: [engine(problem)?, engine(other)?] })
    }

    /// By how much every residual of condition number `i` changes, without its scale, in the mean square over some of the
    /// points that it is looked at; `None` if nothing of it changes.
    fn changes(
        &mut self,
        theta: &[f64],
        i: usize,
        condition: &Condition,
        (points, data): (&[f64], &[Vec<f64>]),
    ) -> Option<Vec<f64>> {
        let [own, other] = self.problems.map(|problem| &problem.conditions[i]);
        if own.residuals == other.residuals {
            return None;
        }
        let site = condition.sides() * self.problems[0].coordinates.len();
        let (points, data) = (some(points, site), thinned(data, stride(points.len() / site)));
        let [own, other] = self.engines.each_mut().map(|engine| engine.residuals(theta, i, &points, &data));
        let count = condition.scales.len();
        let change = |(k, scale): (usize, &f64)| {
            let changes = other.iter().zip(&own).map(|(other, own)| other - own);
            scale * rms(changes.skip(k).step_by(count))
        };
        Some(condition.scales.iter().enumerate().map(change).collect())
    }
}

/// Fewest points that tell noise from a misfit, and how many are asked.
const TELLING: (usize, usize) = (8, 1 << 10);

/// Are `values`, some at every one of `points`, independent of their neighbours' as far as can be told?
///
/// Moran's statistic (Moran 1950): Σ r·r̄ / Σ r², r̄ being the mean of the 2d nearest neighbours in d coordinates.
/// Under independence it has mean 0 and, neighbours being mutual, variance 1/(n·d); a misfit, which is smooth, has nearly 1.
pub(crate) fn like_noise(problem: &Problem, points: &[f64], values: &[f64]) -> Option<bool> {
    let dimensions = problem.coordinates.len();
    let rows: Vec<&[f64]> = points.chunks_exact(dimensions).collect();
    let (fewest, most) = TELLING;
    if rows.len() < fewest.max(2 * dimensions + 2) {
        return None;
    }
    // Readings at one place are one another's neighbours.
    let distance = |a: &[f64], b: &[f64]| -> f64 {
        let along = a.iter().zip(b).zip(&problem.coordinates);
        along.map(|((a, b), c)| ((a - b) / (c.upper - c.lower)).powi(2)).sum()
    };
    let nearest = |i: usize| {
        let mut nearest: Vec<(f64, usize)> = Vec::with_capacity(2 * dimensions + 1);
        for j in (0..rows.len()).filter(|&j| j != i) {
            let found = (distance(rows[i], rows[j]), j);
            let place = nearest.partition_point(|known| *known < found);
            if place < 2 * dimensions {
                nearest.insert(place, found);
                nearest.truncate(2 * dimensions);
            }
        }
        nearest
    };
    let count = values.len() / rows.len();
    let asked: Vec<usize> = (0..rows.len()).step_by(rows.len().div_ceil(most)).collect();
    let mut sums = vec![(0.0, 0.0); count];
    for &i in &asked {
        let neighbours = nearest(i);
        for (k, (product, square)) in sums.iter_mut().enumerate() {
            let own = values[i * count + k];
            let around = neighbours.iter().map(|(_, j)| values[j * count + k]).sum::<f64>();
            *product += own * around / neighbours.len() as f64;
            *square += own * own;
        }
    }
    let bound = 2.0 / ((asked.len() * dimensions) as f64).sqrt();
    Some(sums.into_iter().all(|(product, square)| product <= bound * square))
}

/// The greatest of some residuals over their sizes; a NaN is the greatest there is.
fn greatest_ratio(residuals: &[f64], sizes: &[f64]) -> f64 {
    let ratio = |(&residual, &size): (&f64, &f64)| if residual == 0.0 { 0.0 } else { residual / size };
    residuals.iter().zip(sizes).map(ratio).fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

/// The root of the mean square; 0 if there is nothing.
fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), x| (sum + x * x, count + 1));
    (sum / count.max(1) as f64).sqrt()
}

/// Where `condition` is looked at, `count` points if they can be drawn, and its data there.
pub(crate) fn sites(problem: &Problem, condition: &Condition, count: usize) -> (Sites, Points) {
    if let Some(points) = sample::fresh(problem, condition, Purpose::Check, count, problem.training.seed) {
        return (Sites::Fresh, points);
    }
    let points = condition.place.own_points();
    let between = if condition.uses_data() { None } else { between(problem, points) };
    match between {
        Some(rows) => (Sites::Between, Points { rows, data: vec![] }),
        None => (Sites::Given, sample::given(&condition.place)),
    }
}

/// Points halfway between neighbours of a cloud; `None` if it does not fill space.
fn between(problem: &Problem, points: &[f64]) -> Option<Vec<f64>> {
    let dimensions = problem.coordinates.len();
    let cloud = Cloud::new(problem, points);
    let neighbours = 2 * dimensions + 2;
    if cloud.len() <= neighbours {
        return None;
    }
    // The first of them is the point itself.
    let around = |i: usize| cloud.nearest(cloud.point(i), neighbours + 1).into_iter().skip(1).map(|(j, _)| j);
    let some = |most: usize| (0..cloud.len()).step_by(cloud.len().div_ceil(most));
    let mut extents: Vec<f64> = some(TRIED)
        .filter_map(|i| {
            let offsets: Vec<Vec<f64>> = around(i)
                .map(|j| cloud.point(j).iter().zip(cloud.point(i)).map(|(a, b)| a - b).collect())
                .collect();
            let spread = Mat::from_fn(dimensions, dimensions, |k, l| {
                offsets.iter().map(|offset| offset[k] * offset[l]).sum::<f64>()
            });
            let extents = spread.self_adjoint_eigenvalues(Side::Lower).ok()?;
            Some(extents[0] / extents[dimensions - 1])
        })
        .collect();
    extents.sort_by(f64::total_cmp);
    if extents.get(extents.len() / 2).is_none_or(|&extent| extent < SOLID) {
        return None;
    }
    // In turn the nearest, the second nearest, …, so that all directions are taken.
    let partner = |(turn, i): (usize, usize)| Some((i, around(i).nth(turn % (2 * dimensions))?));
    let pairs = some(INTERIOR).enumerate().filter_map(partner);
    Some(pairs.flat_map(|(i, j)| cloud.middle(i, j).collect::<Vec<_>>()).collect())
}

/// The first index of the greatest number; a NaN is the greatest there is, and stays visible.
pub(crate) fn worst(squares: &[f64]) -> usize {
    let beyond = |square: f64, most: f64| square > most || (square.is_nan() && !most.is_nan());
    (0..squares.len()).fold(0, |worst, i| if beyond(squares[i], squares[worst]) { i } else { worst })
}

/// Σ residual² over the `residuals` residuals of a condition, at each of `points`, which may have `data` columns.
pub(crate) fn squares(
    engine: &mut dyn Engine,
    theta: &[f64],
    condition: usize,
    points: &[f64],
    data: &[Vec<f64>],
    residuals: usize,
) -> Vec<f64> {
    squared_norms(&engine.residuals(theta, condition, points, data), residuals).collect()
}

fn squared_norms(values: &[f64], residuals: usize) -> impl Iterator<Item = f64> {
    values.chunks_exact(residuals).map(|values| values.iter().map(|r| r * r).sum())
}

/// How large the terms of a residual are.
struct Size {
    /// What the residual is compared with: what they are, or would be if every unknown turned once in the domain.
    size: f64,
    /// The greatest of both.
    most: f64,
}

/// A trained network as far as the sizes of terms depend on it.
struct Solution<'a> {
    theta: &'a [f64],
    /// `None` where the equations cannot be read on their own.
    equations: Option<Equations>,
    /// Points all over the domain.
    anywhere: Vec<f64>,
    /// The mean of every unknown there, and how far it is from that in the mean square.
    spread: Vec<(f64, f64)>,
}

impl<'a> Solution<'a> {
    fn new(problem: &Problem, engine: &mut dyn Engine, theta: &'a [f64]) -> Self {
        let dimensions = problem.coordinates.len();
        let inside = problem.conditions.iter().find(|condition| condition.place.is_interior());
        let parted = problem.unknowns.iter().any(|unknown| unknown.region.is_some());
        let drawn = inside.and_then(|condition| {
            // What holds in a part of the domain does not show how unknowns vary in the others.
            let whole = parted.then(|| Condition { place: Place::Interior, ..condition.clone() });
            let condition = whole.as_ref().unwrap_or(condition);
            sample::fresh(problem, condition, Purpose::Check, TERMS, problem.training.seed)
        });
        // A body that only points are known of has no points elsewhere.
        let given = || {
            let points = problem.conditions.iter().filter_map(|condition| match &condition.place {
                Place::Points { points, .. } => Some(some(points, dimensions)),
                _ => None,
            });
            points.flatten().collect()
        };
        let anywhere: Vec<f64> = drawn.map_or_else(given, |points| points.rows);
        let values = engine.predict(theta, &anywhere);
        let count = problem.unknowns.len();
        let spread = (0..count).map(|unknown| {
            let rows = anywhere.chunks_exact(dimensions);
            let lives: Vec<bool> = rows.map(|row| problem.unknowns[unknown].lives_at(row)).collect();
            let own = || {
                let all = values.iter().skip(unknown).step_by(count).copied().zip(&lives);
                all.filter(|(x, lives)| **lives && x.is_finite()).map(|(x, _)| x)
            };
            let mean = own().sum::<f64>() / own().count().max(1) as f64;
            (mean, rms(own().map(|x| x - mean)))
        });
        let trained: Vec<f64> = problem.trained_values(theta).collect();
        let equations = Equations::new(problem, |k| Some(trained[k]));
        Self { theta, equations, spread: spread.collect(), anywhere }
    }

    /// See [`Check::zeros`].
    fn zeros(&self, problem: &Problem, engine: &mut dyn Engine) -> Vec<Option<f64>> {
        let count = problem.unknowns.len();
        let mut may_be_zero = vec![self.equations.is_some(); count];
        let reach = self.reach(problem);
        for condition in &problem.conditions {
            let formula =
                self.equations.as_ref().and_then(|equations| equations.residuals(problem, condition));
            let squares =
                formula.and_then(|formula| self.squares_with_zeros(problem, engine, condition, &formula));
            for (unknown, may_be) in may_be_zero.iter_mut().enumerate().filter(|(_, may_be)| **may_be) {
                // Not `a <= b` turned round: what is no number is no zero either.
                let no_worse = |found: &[f64]| {
                    squares.as_ref().is_some_and(|(_, with_zero)| {
                        found.iter().zip(&with_zero[unknown]).all(|(found, zero)| zero <= found)
                    })
                };
                *may_be = squares.as_ref().is_some_and(|(found, _)| no_worse(found))
                    || self
                        .allowed(problem, engine, condition, (unknown, reach[unknown]))
                        .is_some_and(|allowed| no_worse(&allowed));
            }
        }
        may_be_zero.into_iter().zip(reach).map(|(may_be, reach)| may_be.then_some(reach)).collect()
    }

    /// What the squares of every residual of `condition` may sum up to with zero in place of an unknown, if it was to be as
    /// large as `reach`.
    ///
    /// What others leave in an equation, such as a pressure along which nothing flows, a network makes up for.
    fn allowed(
        &self,
        problem: &Problem,
        engine: &mut dyn Engine,
        condition: &Condition,
        (unknown, reach): (usize, f64),
    ) -> Option<Vec<f64>> {
        let Points { rows, data } = sites(problem, condition, TERMS).1;
        let mut spread = self.spread.clone();
        spread[unknown].1 = spread[unknown].1.max(reach);
        let sizes = self.sizes(problem, engine, condition, (&rows, &data), &spread)?;
        let sites = (rows.len() / (condition.sides() * problem.coordinates.len())) as f64;
        Some(sizes.into_iter().map(|size| sites * (NEGLIGIBLE * size.most).powi(2)).collect())
    }

    /// Sums of squares of every residual of `condition`: as they are, and for every unknown with zero in its place.
    fn squares_with_zeros(
        &self,
        problem: &Problem,
        engine: &mut dyn Engine,
        condition: &Condition,
        formula: &Formula,
    ) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
        let dimensions = problem.coordinates.len();
        let Points { rows, data } = sites(problem, condition, TERMS).1;
        let mut linked = Linked::new(formula, condition.sides());
        let rows = &*linked.rows(&rows, dimensions, &data);
        let sides = linked.points();
        let jets: Vec<_> = formula.graph.jets(&formula.roots).into_iter().collect();
        let values = jets_at(problem, engine, self.theta, &jets, rows)?;
        let mut scratch = vec![];
        let mut squares = |absent: Option<usize>| {
            let mut squares = vec![0.0; formula.roots.len()];
            for (i, row) in rows.chunks_exact(dimensions * sides).enumerate() {
                formula.graph.eval(&mut scratch, |node| match node {
                    Node::Coordinate { coordinate, side } => row[side * dimensions + coordinate],
                    Node::Data(column) => data[column].get(i).copied().unwrap_or(f64::NAN),
                    Node::Jet { output, .. } if Some(output) == absent => 0.0,
                    Node::Jet { output, index, side } => {
                        let jet =
                            jets.iter().position(|jet| *jet == (output, index)).expect("all were asked for");
                        values[(i * sides + point_of_side(side)) * jets.len() + jet]
                    }
                    _ => f64::NAN,
                });
                for (square, root) in squares.iter_mut().zip(&formula.roots) {
                    *square += scratch[root.index()].powi(2);
                }
            }
            squares
        };
        let found = squares(None);
        Some((found, (0..problem.unknowns.len()).map(|unknown| squares(Some(unknown))).collect()))
    }

    /// How far a network of size one reaches in every unknown's ansatz, in the mean square over the domain.
    fn reach(&self, problem: &Problem) -> Vec<f64> {
        let Formula { graph, roots } = &problem.values;
        let mut scratch = vec![];
        let mut reaches = vec![vec![]; roots.len()];
        for row in self.anywhere.chunks_exact(problem.coordinates.len()) {
            let [low, high] = [-1.0, 1.0].map(|network| {
                graph.eval(&mut scratch, |node| match node {
                    Node::Coordinate { coordinate, .. } => row[coordinate],
                    _ => network,
                });
                roots.iter().map(|root| scratch[root.index()]).collect::<Vec<_>>()
            });
            for (k, reaches) in reaches.iter_mut().enumerate() {
                reaches.push(0.5 * (high[k] - low[k]));
            }
        }
        reaches.into_iter().map(|reaches| rms(reaches.into_iter().filter(|x| x.is_finite()))).collect()
    }

    /// The size of every residual of `condition`, which is looked at at points with their data, where unknowns vary by
    /// `spread`; `None` if it cannot be told.
    fn sizes(
        &self,
        problem: &Problem,
        engine: &mut dyn Engine,
        condition: &Condition,
        (points, data): (&[f64], &[Vec<f64>]),
        spread: &[(f64, f64)],
    ) -> Option<Vec<Size>> {
        let dimensions = problem.coordinates.len();
        let formula = self.equations.as_ref()?.residuals(problem, condition)?;
        let mut linked = Linked::new(&formula, condition.sides());
        let terms = Terms::new(formula);
        let site = dimensions * condition.sides();
        let step = stride(points.len() / site);
        // Where its own solution is zero, the terms of a condition are so elsewhere too; data are known at their points only.
        let mut sites = some(points, site);
        let data = thinned(data, step);
        if !condition.uses_data() && !condition.place.is_interior() {
            // Linked points are one and the same there: their terms are compared one by one.
            let rows = self.anywhere.chunks_exact(dimensions);
            sites.extend(rows.flat_map(|row| row.repeat(condition.sides())));
        }
        let sites = linked.rows(&sites, dimensions, &data);
        let (points, site) = (linked.points(), dimensions * linked.points());
        let jets = jets_at(problem, engine, self.theta, terms.jets(), &sites)?;
        let count = terms.jets().len();
        let jet = |of: usize, index: MultiIndex| {
            terms.jets().iter().position(|known| *known == (of, index)).expect("all jets were asked for")
        };
        let mean = |of: usize, index| if index == MultiIndex::VALUE { spread[of].0 } else { 0.0 };
        let turned = |of: usize, index: MultiIndex| {
            let along = |c: usize| 0.5 * (problem.coordinates[c].upper - problem.coordinates[c].lower);
            mean(of, index) + spread[of].1 / index.coordinates().map(along).product::<f64>()
        };
        let residuals = terms.residuals();
        let (mut sizes, mut floors) = (vec![vec![]; residuals], vec![vec![]; residuals]);
        for (i, row) in sites.chunks_exact(site).enumerate() {
            let input = |node: Node, unknown: &dyn Fn(usize, MultiIndex, usize) -> f64| match node {
                Node::Coordinate { coordinate, side } => row[side * dimensions + coordinate],
                Node::Data(column) => data[column].get(i).copied().unwrap_or(f64::NAN),
                Node::Jet { output, index, side } => unknown(output, index, side),
                _ => f64::NAN,
            };
            let known = |node| input(node, &|of, index, _| mean(of, index));
            let here = |of, index, side| jets[(i * points + point_of_side(side)) * count + jet(of, index)];
            for (k, parts) in terms.parts(known, |node| input(node, &here)).into_iter().enumerate() {
                sizes[k].push([&[parts.known], &parts.added[..]].concat());
            }
            let turning = |node| {
                input(node, &|of, index, side| if side == 0 { turned(of, index) } else { mean(of, index) })
            };
            for (k, parts) in terms.parts(known, turning).into_iter().enumerate() {
                floors[k].push(parts.added);
            }
        }
        let size = |(sizes, floors): (Vec<Vec<f64>>, Vec<Vec<f64>>)| {
            let size = of_columns(&sizes).fold(0.0, f64::max);
            let floor = of_columns(&floors).fold(f64::INFINITY, f64::min);
            let most = of_columns(&floors).fold(size, f64::max);
            Size { size: if floor.is_finite() { size.max(floor) } else { size }, most }
        };
        Some(sizes.into_iter().zip(floors).map(size).collect())
    }
}

/// Derivatives of the unknowns at `rows` of coordinates, row by row; `None` if their formulas are too long.
pub(crate) fn jets_at(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    jets: &[(usize, MultiIndex)],
    rows: &[f64],
) -> Option<Vec<f64>> {
    let mut graph = problem.values.graph.clone();
    let mut roots = vec![];
    for &(unknown, index) in jets {
        let mut node = problem.values.roots[unknown];
        for coordinate in index.coordinates() {
            node = graph.derivative(node, coordinate);
            if graph.nodes().len() > MAX_OPERATIONS {
                return None;
            }
        }
        roots.push(node);
    }
    let (graph, roots) = graph.extract(&roots);
    let formula = Formula { graph, roots };
    if formula.roots.is_empty() {
        return Some(vec![]);
    }
    Some(engine.evaluate(theta, &formula.jets(), &formula, 1, rows, &[]))
}

/// The root of the mean square of every column, over the rows where it is finite.
fn of_columns(rows: &[Vec<f64>]) -> impl Iterator<Item = f64> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).map(|c| rms(rows.iter().map(move |row| row[c]).filter(|x| x.is_finite())))
}

/// At most about [`TERMS`] of some sites of `length` numbers each, evenly chosen.
fn some(points: &[f64], length: usize) -> Vec<f64> {
    let step = stride(points.len() / length);
    points.chunks_exact(length).step_by(step).flatten().copied().collect()
}

/// Every `step`-th number of each column of data.
fn thinned(data: &[Vec<f64>], step: usize) -> Vec<Vec<f64>> {
    data.iter().map(|column| column.iter().copied().step_by(step).collect()).collect()
}

fn stride(count: usize) -> usize {
    count.div_ceil(TERMS).max(1)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::rng;

    #[test]
    fn noise_has_nothing_to_do_with_its_neighbours() {
        let text = "[coordinates]\nx = [0, 1]\ny = [0, 2]\n[unknowns]\nu = {}\n\
                    [conditions.a]\nplace = \"interior\"\nresidual = \"u\"\n";
        let problem = Problem::parse(text).expect("a problem");
        let mut rng = rng::stream(1, "noise");
        let points: Vec<f64> = (0..200).flat_map(|_| [rng.random(), 2.0 * rng.random::<f64>()]).collect();
        let noise: Vec<f64> = (0..200).map(|_| rng.random::<f64>() - 0.5).collect();
        let misfit: Vec<f64> =
            points.chunks_exact(2).map(|p| (7.0 * p[0]).sin() * (3.0 * p[1]).cos()).collect();
        assert_eq!(like_noise(&problem, &points, &noise), Some(true));
        assert_eq!(like_noise(&problem, &points, &misfit), Some(false));
        // Half as much of a misfit as there is noise shows; so does one of two residuals.
        let half: Vec<f64> = noise.iter().zip(&misfit).map(|(noise, misfit)| noise + 0.5 * misfit).collect();
        assert_eq!(like_noise(&problem, &points, &half), Some(false));
        let both: Vec<f64> =
            noise.iter().zip(&misfit).flat_map(|(noise, misfit)| [*noise, *misfit]).collect();
        assert_eq!(like_noise(&problem, &points, &both), Some(false));
        assert_eq!(like_noise(&problem, &points[..10], &noise[..5]), None);
    }
}
