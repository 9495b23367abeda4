//! Conditions on one face or wall that contradict one another, or an ansatz.
//!
//! At a point of a face, affine conditions and what follows from them along the face are linear equations for the
//! network's derivatives there; equations that no numbers fulfil contradict one another.
//! Of walls, which are curved, it is the conditions alone.
//! Nothing is said of corners, where conditions on different faces often disagree and the answer still has a meaning.
//! It knows formulas over raw network outputs; it does not know the text.

use faer::Mat;

use super::basis::{Basis, Points};
use super::linear::{Input, Linear, Site};
use crate::expr::{Measured, Node};
use crate::jet::MAX_ORDER;
use crate::problem::model::{Condition, Formula, Problem};
use crate::problem::place::Place;

/// What may be left of the equations, relative to the size of their terms: constants are often written with few digits.
const LEFT: f64 = 1e-3;
/// The share of a face's points at which conditions that contradict one another do so.
const MOST: f64 = 0.5;
/// A slope that is there by rounding, beside those at other places.
const ROUNDING: f64 = 1e-9;

/// Conditions that no function fulfils.
pub(super) struct Clash {
    /// Their numbers: one where the ansatz or the condition itself is against it.
    pub(super) conditions: Vec<usize>,
    /// Where; none where it is the whole domain.
    pub(super) place: Option<Place>,
}

/// A condition's residual, or its derivative along the face.
struct Equation {
    condition: usize,
    formula: Formula,
    linear: Linear,
}

/// In more coordinates than this there are too many faces, and directions along each, to look at them all.
const MOST_COORDINATES: usize = 8;

/// The first face or wall on which there are some; in more than eight coordinates nothing is looked for.
pub(super) fn on_a_face(problem: &Problem) -> Option<Clash> {
    if problem.coordinates.len() > MOST_COORDINATES {
        return None;
    }
    let mut seen: Vec<Place> = vec![];
    for place in problem.conditions.iter().flat_map(|condition| each(&condition.place)) {
        if !seen.contains(&place) {
            if let Some(conditions) = contradiction(problem, &place) {
                return Some(Clash { conditions, place: Some(place) });
            }
            seen.push(place);
        }
    }
    None
}

/// Every face and every wall of a place, as a place.
fn each(place: &Place) -> impl Iterator<Item = Place> + '_ {
    let faces = place.faces().iter().cloned().map(Place::face);
    faces.chain(place.walls().iter().map(|wall| Place::Walls(vec![wall.clone()])))
}

fn contradiction(problem: &Problem, place: &Place) -> Option<Vec<usize>> {
    let here = problem.conditions.iter().enumerate();
    // What the ansatz fulfils asks nothing of the network.
    let here = here
        .filter(|(_, condition)| !condition.is_exact() && each(&condition.place).any(|own| own == *place));
    let equations: Vec<Equation> =
        here.flat_map(|(i, condition)| equations(problem, place, i, condition)).collect();
    let basis = Basis::new(problem, 3);
    let points = basis.at(place, 4, 0);
    let d = problem.coordinates.len();
    let sites = |points: &'_ Points| -> Vec<(Vec<f64>, Vec<f64>)> {
        let data = |i: usize| points.data.iter().map(|column| column[i]).collect();
        points.rows.chunks_exact(d).enumerate().map(|(i, row)| (row.to_vec(), data(i))).collect()
    };
    let here = sites(&points);
    // A slope may vanish all over a face; normals are known on walls alone.
    let compared = if place.walls().is_empty() { sites(&basis.domain(1, 0)) } else { here.clone() };
    let scales: Vec<f64> = equations
        .iter()
        .map(|equation| {
            compared.iter().map(|(row, data)| equation.at(row, data).0).map(greatest).fold(0.0, f64::max)
        })
        .collect();
    let contradicts = |kept: &[usize]| {
        let points = here.iter().filter(|(row, data)| no_solution(&equations, &scales, kept, row, data));
        points.count() as f64 > MOST * here.len() as f64
    };
    let mut kept: Vec<usize> = (0..equations.len()).collect();
    if !contradicts(&kept) {
        return None;
    }
    // What can be left out is no part of it.
    for i in (0..equations.len()).rev() {
        let fewer: Vec<usize> = kept.iter().copied().filter(|&other| other != i).collect();
        if contradicts(&fewer) {
            kept = fewer;
        }
    }
    let mut conditions: Vec<usize> = kept.iter().map(|&i| equations[i].condition).collect();
    conditions.dedup();
    Some(conditions)
}

/// The affine residuals of a condition, and their derivatives along the face.
fn equations(problem: &Problem, place: &Place, condition: usize, of: &Condition) -> Vec<Equation> {
    let mut all = vec![];
    let mut graph = of.residuals.graph.clone();
    for &root in &of.residuals.roots {
        let mut roots = vec![root];
        let needed = graph.reachable(&[root]);
        let smooth = !graph.nodes().iter().zip(needed).any(|(node, needed)| needed && node.is_rough());
        if smooth && graph.order(root) < MAX_ORDER {
            let along = (0..problem.coordinates.len()).filter(|c| place.runs_along(*c));
            roots.extend(along.map(|c| graph.derivative(root, c)).collect::<Vec<_>>());
        }
        for root in roots {
            let (graph, roots) = graph.extract(&[root]);
            let formula = Formula { graph, roots };
            let Some(linear) = Linear::new(&formula) else { continue };
            let sought = |input: &Input| matches!(input, Input::Coefficient(_));
            if linear.is_affine(0) && !linear.inputs.iter().any(sought) {
                all.push(Equation { condition, formula, linear });
            }
        }
    }
    all
}

impl Equation {
    /// Slopes by the inputs, and the value without them.
    fn at(&self, row: &[f64], data: &[f64]) -> (Vec<f64>, Measured) {
        let mut scratch = vec![];
        let nothing = vec![0.0; self.linear.inputs.len()];
        self.linear.eval(&mut scratch, &Site { rows: [row; 2], data }, &nothing);
        let mut slopes = vec![0.0; nothing.len()];
        self.linear.slopes(&scratch, 0).for_each(|(input, slope)| slopes[input] += slope);
        let mut measured = vec![];
        self.formula.graph.measure(&mut measured, |node| match node {
            Node::Coordinate { coordinate, .. } => Measured::number(row[coordinate]),
            Node::Data(column) => Measured::number(data[column]),
            _ => Measured::number(0.0),
        });
        (slopes, measured[self.formula.roots[0].index()])
    }
}

fn greatest(slopes: Vec<f64>) -> f64 {
    slopes.iter().fold(0.0, |a, x| a.max(x.abs()))
}

/// Do no numbers for the network's derivatives fulfil these equations at a point?
fn no_solution(equations: &[Equation], scales: &[f64], kept: &[usize], row: &[f64], data: &[f64]) -> bool {
    let mut inputs: Vec<Input> = vec![];
    let mut rows = vec![];
    for &i in kept {
        let (slopes, value) = equations[i].at(row, data);
        if !value.value.is_finite() || !value.size.is_finite() || slopes.iter().any(|x| !x.is_finite()) {
            return false;
        }
        let most = slopes.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
        let mut entries = vec![];
        for (input, slope) in equations[i].linear.inputs.iter().zip(slopes) {
            if slope.abs() > ROUNDING * scales[i] {
                let column = inputs.iter().position(|other| other == input).unwrap_or(inputs.len());
                if column == inputs.len() {
                    inputs.push(*input);
                }
                entries.push((column, slope / most));
            }
        }
        // An equation without inputs is one for the ansatz alone.
        let scale = if entries.is_empty() { 1.0 } else { most };
        rows.push((entries, value.value / scale, value.size / scale, value.rounding / scale));
    }
    let size = rows.iter().map(|(.., size, _)| *size).fold(0.0, f64::max);
    // Terms that are zero but for rounding, as sin(pi) is, leave nothing but rounding.
    if rows
        .iter()
        .any(|(entries, value, size, rounding)| entries.is_empty() && value.abs() > LEFT * size + rounding)
    {
        return true;
    }
    rows.retain(|(entries, ..)| !entries.is_empty());
    if rows.is_empty() || size == 0.0 {
        return false;
    }
    let mut matrix = Mat::<f64>::zeros(rows.len(), inputs.len());
    for (i, (entries, ..)) in rows.iter().enumerate() {
        entries.iter().for_each(|&(k, slope)| matrix[(i, k)] += slope);
    }
    let Ok(svd) = matrix.svd() else { return false };
    let rank = (0..rows.len().min(inputs.len())).filter(|&k| svd.S()[k] > ROUNDING).count();
    // What no combination of columns reaches.
    (rank..rows.len()).any(|k| {
        let part: f64 = rows.iter().enumerate().map(|(i, (_, value, ..))| svd.U()[(i, k)] * value).sum();
        let share = |i: usize, of: f64| (svd.U()[(i, k)] * of).abs();
        let terms = rows.iter().enumerate().map(|(i, (.., size, _))| share(i, *size));
        let rounding = rows.iter().enumerate().map(|(i, (.., rounding))| share(i, *rounding));
        part.abs() > LEFT * terms.fold(0.0, f64::max) + rounding.sum::<f64>()
    })
}
