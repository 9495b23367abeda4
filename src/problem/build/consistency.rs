//! Does a reference solution belong to its problem?
//!
//! The solution and its derivatives are put in for the unknowns, and what the conditions leave of them at some points is
//! held against the size of their terms.
//! So is what an ansatz fixes at the ends of the domain, whatever the network says.
//! A closed form is differentiated symbolically; a table and the named solutions are looked at in conditions on values
//! alone.
//! This file knows problems; it does not know where in a file anything was written.

use super::equations::Equations;
use crate::expr::{Measured, Node};
use crate::jet::MultiIndex;
use crate::limits::{MAX_OPERATIONS, MAX_TRIALS};
use crate::problem::linked::{Linked, point_of_side};
use crate::problem::model::{Formula, Problem, Reference, Solution};
use crate::problem::place::{Coordinate, Face, Place};
use crate::problem::reference::ROUNDING;

/// Points at which a condition is looked at.
const POINTS: usize = 128;
/// What may be left of a condition, relative to the size of its terms: constants are often written with five digits.
const LEFT: f64 = 1e-4;
/// By how much differentiating may raise the reference's own relative error.
const DIFFERENTIATED: f64 = 100.0;
/// Points, as a part of all, at which a right solution may leave more: kinks and singular places.
const ODD: f64 = 0.1;
/// What rounding may leave of the network where an ansatz takes it out, relative to the value.
const UNMOVED: f64 = 1e-12;

/// What a condition or an ansatz leaves of the reference solution.
pub(super) struct Disagreement {
    /// What it does not fulfil, in words.
    pub(super) with: String,
    /// Root of the mean square of what is left, over the points.
    pub(super) left: f64,
    /// Root of the mean square of the sum of its terms' magnitudes, over points of condition and domain.
    pub(super) terms: f64,
}

/// The conditions of `problem` that its reference does not fulfil, and the ansatzes that it is not of the form of.
///
/// Conditions are passed over that use data, a parameter whose true value is not known, an unknown without a reference,
/// or a derivative that the reference does not have.
pub(super) fn disagreements(problem: &Problem) -> Vec<Disagreement> {
    let Some(reference) = &problem.reference else { return vec![] };
    let Some(truth) = Equations::new(problem, |k| problem.trainable[k].truth) else { return vec![] };
    let conditions = problem.conditions.iter().filter_map(|condition| {
        let residuals = Residuals::new(truth.residuals(problem, condition)?)?;
        let with = format!("the condition `{}`", condition.name);
        disagreement(problem, reference, &residuals, &condition.place, with)
    });
    // Faces of a box say nothing of a domain that is none.
    let boxed = problem.geometry.is_none();
    let ansatzes = problem.unknowns.iter().enumerate().filter(|_| boxed).filter_map(|(output, unknown)| {
        let residuals = Residuals::new(truth.rest_of_ansatz(problem, output)?)?;
        ends(problem).into_iter().filter(|face| is_fixed(problem, output, face)).find_map(|face| {
            let place = Place::face(face);
            let with =
                format!("the ansatz of `{}` at {}", unknown.name, place.describe(&problem.coordinates));
            disagreement(problem, reference, &residuals, &place, with)
        })
    });
    conditions.chain(ansatzes).collect()
}

/// Faces across a single coordinate: the ends of the domain, and those on which there are conditions.
fn ends(problem: &Problem) -> Vec<Face> {
    let ends = problem.coordinates.iter().enumerate();
    let mut faces: Vec<Face> = ends.flat_map(|(i, c)| [vec![(i, c.lower)], vec![(i, c.upper)]]).collect();
    for face in problem.conditions.iter().flat_map(|condition| condition.place.faces()) {
        if face.len() == 1 && !faces.contains(face) {
            faces.push(face.clone());
        }
    }
    faces
}

/// Is an unknown the same on a face whatever the network says?
fn is_fixed(problem: &Problem, output: usize, face: &Face) -> bool {
    /// What the network says, at two visits of the same point.
    const SAID: [f64; 2] = [1.7, -0.6];
    let Formula { graph, roots } = &problem.values;
    let mut values = vec![];
    (1..=POINTS).all(|k| {
        let mut row = Coordinate::spread(&problem.coordinates, k);
        face.iter().for_each(|&(i, x)| row[i] = x);
        let [a, b] = SAID.map(|said| {
            graph.eval(&mut values, |node| match node {
                Node::Coordinate { coordinate, .. } => row[coordinate],
                Node::Jet { .. } => said,
                Node::Coefficient(k) => problem.trainable[k].entry(problem.trainable[k].initial),
                _ => f64::NAN,
            });
            values[roots[output].index()]
        });
        a.is_finite() && (a - b).abs() <= UNMOVED * a.abs().max(b.abs())
    })
}

fn disagreement(
    problem: &Problem,
    reference: &Reference,
    residuals: &Residuals,
    place: &Place,
    with: String,
) -> Option<Disagreement> {
    let leaves = residuals.leaves(reference)?;
    let operations =
        residuals.formula.graph.nodes().len() + leaves.iter().map(Leaf::operations).sum::<usize>();
    if (operations * 2 * POINTS) as f64 > MAX_TRIALS {
        return None;
    }
    let (here, anywhere) = points(problem, reference, &leaves, place)?;
    let relative_error = relative_error(reference, &leaves, &anywhere, problem.coordinates.len());
    let here = residuals.measure(problem, reference, &leaves, &here);
    let anywhere = residuals.measure(problem, reference, &leaves, &anywhere);
    let mean =
        |values: Vec<f64>| (values.iter().map(|x| x * x).sum::<f64>() / values.len().max(1) as f64).sqrt();
    let (left, terms) = (0..residuals.formula.roots.len()).find_map(|root| {
        let finite = |rows: &[Vec<Measured>]| -> Vec<Measured> {
            let of_root = rows.iter().map(|row| row[root]);
            of_root.filter(|m| m.value.is_finite() && m.size.is_finite() && m.rounding.is_finite()).collect()
        };
        let (here, anywhere) = (finite(&here), finite(&anywhere));
        let terms = mean(here.iter().chain(&anywhere).map(|m| m.size).collect());
        let allowed = (DIFFERENTIATED * relative_error).max(LEFT) * terms;
        let beyond = here.iter().filter(|m| m.value.abs() > allowed + ROUNDING * m.rounding).count();
        let left = mean(here.iter().map(|m| m.value).collect());
        (beyond as f64 > ODD * here.len() as f64).then_some((left, terms))
    })?;
    Some(Disagreement { with, left, terms })
}

/// Residuals over the unknowns' own derivatives.
struct Residuals {
    formula: Formula,
    jets: Vec<(usize, MultiIndex)>,
}

/// Where a derivative of an unknown comes from.
enum Leaf {
    /// A closed form, differentiated.
    Formula(Box<Formula>),
    /// The value of the solution of the unknown with this index.
    Value(usize),
}

impl Leaf {
    fn operations(&self) -> usize {
        match self {
            Self::Formula(formula) => formula.graph.nodes().len(),
            Self::Value(_) => 0,
        }
    }
}

impl Residuals {
    /// `None` if they need more than the unknowns' derivatives.
    fn new(formula: Formula) -> Option<Self> {
        let unknown = |node: &Node| matches!(node, Node::Data(_) | Node::Coefficient(_));
        let jets = formula.graph.jets(&formula.roots).into_iter().collect();
        (!formula.graph.nodes().iter().any(unknown)).then_some(Self { formula, jets })
    }

    /// Where each of the derivatives comes from; `None` if one of them is not to be had.
    fn leaves(&self, reference: &Reference) -> Option<Vec<Leaf>> {
        let leaf = |&(output, index): &(usize, MultiIndex)| match reference.solutions[output].as_ref()? {
            Solution::Exact(formula) => {
                let mut graph = formula.graph.clone();
                let mut root = formula.roots[0];
                for coordinate in index.coordinates() {
                    root = graph.derivative(root, coordinate);
                    if graph.nodes().len() > MAX_OPERATIONS {
                        return None;
                    }
                }
                let (graph, roots) = graph.extract(&[root]);
                Some(Leaf::Formula(Box::new(Formula { graph, roots })))
            }
            _ if index == MultiIndex::VALUE => Some(Leaf::Value(output)),
            _ => None,
        };
        self.jets.iter().map(leaf).collect()
    }

    /// Every residual at every one of `points`, which are pairs for a periodic condition's residuals.
    fn measure(
        &self,
        problem: &Problem,
        reference: &Reference,
        leaves: &[Leaf],
        points: &Points,
    ) -> Vec<Vec<Measured>> {
        let d = problem.coordinates.len();
        let values = |rows: &[f64]| -> Vec<Vec<Measured>> {
            leaves.iter().map(|leaf| leaf.measure(reference, rows, d)).collect()
        };
        let mut linked = Linked::new(&self.formula, 1);
        let all = linked.rows(&points.rows, d, &[]);
        let of_point = |point: usize| {
            all.chunks_exact(d).skip(point).step_by(linked.points()).flatten().copied().collect::<Vec<f64>>()
        };
        let sides: Vec<_> = match &points.partners {
            Some(partners) => vec![values(&points.rows), values(partners)],
            None => (0..linked.points()).map(|point| values(&of_point(point))).collect(),
        };
        let mut measured = vec![];
        let row = |(i, row): (usize, &[f64])| {
            self.formula.graph.measure(&mut measured, |node| match node {
                Node::Coordinate { coordinate, .. } => Measured::number(row[coordinate]),
                Node::Jet { output, index, side } => {
                    let leaf = self.jets.iter().position(|jet| *jet == (output, index));
                    leaf.map_or(Measured::number(f64::NAN), |leaf| sides[point_of_side(side)][leaf][i])
                }
                _ => Measured::number(f64::NAN),
            });
            self.formula.roots.iter().map(|root| measured[root.index()]).collect()
        };
        points.rows.chunks_exact(d).enumerate().map(row).collect()
    }
}

impl Leaf {
    fn measure(&self, reference: &Reference, rows: &[f64], coordinates: usize) -> Vec<Measured> {
        match self {
            Self::Formula(formula) => {
                let mut measured = vec![];
                let row = |row: &[f64]| {
                    formula.graph.measure(&mut measured, |node| match node {
                        Node::Coordinate { coordinate, .. } => Measured::number(row[coordinate]),
                        _ => Measured::number(f64::NAN),
                    });
                    let Measured { value, rounding, .. } = measured[formula.roots[0].index()];
                    // One term of the residual, whatever it is made of.
                    Measured { value, rounding, size: value.abs() }
                };
                rows.chunks_exact(coordinates).map(row).collect()
            }
            Self::Value(output) => {
                let solution = reference.solutions[*output].as_ref().expect("a leaf has its solution");
                let value = |value: f64| Measured {
                    rounding: reference.error.unwrap_or(0.0),
                    ..Measured::number(value)
                };
                solution.evaluate(rows, coordinates).into_iter().map(value).collect()
            }
        }
    }
}

/// Rows of coordinates, and those on the opposite face of a periodic condition.
struct Points {
    rows: Vec<f64>,
    partners: Option<Vec<f64>>,
}

/// Points of `place`, and points of the whole domain; `None` where the reference has no values there, or only dear ones.
fn points(
    problem: &Problem,
    reference: &Reference,
    leaves: &[Leaf],
    place: &Place,
) -> Option<(Points, Points)> {
    let d = problem.coordinates.len();
    let valued = leaves.iter().filter_map(|leaf| match leaf {
        Leaf::Formula(_) => None,
        Leaf::Value(output) => reference.solutions[*output].as_ref(),
    });
    let valued: Vec<&Solution> = valued.collect();
    let alone = |rows: Vec<f64>| Points { rows, partners: None };
    let table = valued.iter().find_map(|solution| match solution {
        Solution::Table { points, .. } => Some(points),
        _ => None,
    });
    if let Some(rows) = table {
        let here = rows.chunks_exact(d).filter(|row| place.holds(row));
        let here: Vec<f64> = here.flatten().copied().collect();
        return (!here.is_empty()).then(|| (alone(some(&here, d)), alone(some(rows, d))));
    }
    let spread = (1..=100 * POINTS).map(|k| Coordinate::spread(&problem.coordinates, k));
    let inside =
        |row: &Vec<f64>| problem.geometry.as_ref().is_none_or(|geometry| geometry.domain.contains(row));
    let domain: Vec<f64> = spread.filter(inside).take(POINTS).flatten().collect();
    let here = if place.is_drawn() {
        let mut rows = domain.clone();
        place.take(&problem.coordinates, &mut rows);
        let partners = place.periodic().map(|i| {
            let mut partners = rows.clone();
            partners.iter_mut().skip(i).step_by(d).for_each(|x| *x = problem.coordinates[i].upper);
            partners
        });
        Points { rows, partners }
    } else {
        alone(some(place.own_points(), d))
    };
    // The spectral solution is computed step by step up to the latest time asked for.
    let dear = valued.iter().find_map(|solution| match solution {
        Solution::AllenCahn { t, .. } => Some(*t),
        _ => None,
    });
    if let Some(t) = dear {
        let at_start = here.rows.chunks_exact(d).all(|row| row[t] == 0.0) && here.partners.is_none();
        return at_start.then(|| (alone(here.rows.clone()), alone(here.rows)));
    }
    let partners = here.partners.is_some().then(|| domain.clone());
    Some((here, Points { rows: domain, partners }))
}

/// At most [`POINTS`] of some rows, evenly chosen.
fn some(rows: &[f64], coordinates: usize) -> Vec<f64> {
    let every = (rows.len() / coordinates).div_ceil(POINTS).max(1);
    rows.chunks_exact(coordinates).step_by(every).flatten().copied().collect()
}

/// The reference's own error, relative to the greatest of the closed forms' values that the residuals use.
fn relative_error(reference: &Reference, leaves: &[Leaf], points: &Points, coordinates: usize) -> f64 {
    let (Some(error), true) = (reference.error, leaves.iter().any(|leaf| matches!(leaf, Leaf::Formula(_))))
    else {
        return 0.0;
    };
    let solutions =
        reference.solutions.iter().flatten().filter(|solution| matches!(solution, Solution::Exact(_)));
    let values = solutions.flat_map(|solution| solution.evaluate(&points.rows, coordinates));
    let greatest = values.map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max);
    if greatest > 0.0 { error / greatest } else { 0.0 }
}
