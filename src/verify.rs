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
use crate::problem::{Cloud, Condition, Problem};
use crate::sample::{self, Purpose};

/// Points of the check in the interior, and on faces; powers of two, as Sobol's sequence likes them.
const INTERIOR: usize = 1 << 14;
const FACE: usize = 1 << 12;

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
}

/// The residuals of every condition, at fresh points where it has some.
pub fn residuals(problem: &Problem, engine: &mut dyn Engine, theta: &[f64]) -> Vec<Residual> {
    let dimensions = problem.coordinates.len();
    let conditions = problem.conditions.iter().enumerate();
    conditions
        .map(|(i, condition)| {
            let (sites, points, data) = sites(problem, condition);
            let squares = squares(engine, theta, i, &points, data, condition.residuals.roots.len());
            let site = condition.sides() * dimensions;
            let worst = worst(&squares);
            Residual {
                sites,
                points: squares.len(),
                rms: (squares.iter().sum::<f64>() / squares.len() as f64).sqrt(),
                max: squares[worst].sqrt(),
                at: points[worst * site..][..dimensions].to_vec(),
            }
        })
        .collect()
}

/// Where `condition` is looked at, and its data there.
fn sites<'a>(problem: &Problem, condition: &'a Condition) -> (Sites, Vec<f64>, &'a [Vec<f64>]) {
    let count = if condition.place.is_interior() { INTERIOR } else { FACE };
    if let Some(points) = sample::fresh(problem, condition, Purpose::Check, count, problem.training.seed) {
        return (Sites::Fresh, points, &[]);
    }
    let points = condition.place.own_points();
    let between = if condition.uses_data() { None } else { between(problem, points) };
    match between {
        Some(points) => (Sites::Between, points, &[]),
        None => (Sites::Given, points.to_vec(), condition.place.columns().1),
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
    let values = engine.residuals(theta, condition, points, data);
    values.chunks_exact(residuals).map(|values| values.iter().map(|r| r * r).sum()).collect()
}
