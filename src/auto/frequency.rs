//! How fast the answer may oscillate along every coordinate, as far as the equations say so before anything is trained.
//!
//! Two signs are read: known functions that oscillate (sources, initial and boundary values), and terms of order zero that
//! stand against second derivatives, as in u″ + k²u = 0.
//! It knows the problem's formulas; it does not know what is done about a frequency.

use crate::expr::Node;
use crate::jet::MultiIndex;
use crate::problem::{Condition, Problem};

/// Samples along a coordinate, enough for some fifty periods.
const SAMPLES: usize = 1001;
/// Where the other coordinates stand, as fractions of their domains; no fraction is a simple one, where waves have zeros.
pub(super) const LINES: [f64; 3] = [0.2871, 0.4567, 0.7193];
/// A wave is as steep, relative to itself, as it is curved, relative to its steepness; a bump or a front is not.
const WAVE: f64 = 1.5;

/// For every coordinate the greatest angular frequency found, with the coordinate mapped to [−1, 1]; zero where none is.
pub(super) fn frequencies(problem: &Problem) -> Vec<f64> {
    let found = |i: usize| {
        let of = |condition: &Condition| known(problem, condition, i).max(stiffness(problem, condition, i));
        problem.conditions.iter().filter(|condition| condition.place.is_drawn()).map(of).fold(0.0, f64::max)
    };
    (0..problem.coordinates.len()).map(found).collect()
}

/// The frequency of what is left of the condition's residuals where all unknowns are zero.
fn known(problem: &Problem, condition: &Condition, along: usize) -> f64 {
    let fixed = condition.place.faces().iter().flatten().any(|&(i, _)| i == along);
    if fixed || condition.place.periodic().is_some() {
        return 0.0;
    }
    let step = 2.0 / (SAMPLES - 1) as f64;
    let mut most: f64 = 0.0;
    for line in LINES {
        let point =
            |n: usize| place(problem, condition, line, Some((along, n as f64 / (SAMPLES - 1) as f64)));
        let rows: Vec<Vec<f64>> = inside(problem, (0..SAMPLES).map(point))
            .iter()
            .map(|point| residuals(condition, point, |_, _| 0.0))
            .collect();
        for root in 0..condition.residuals.roots.len() {
            let values: Vec<f64> = rows.iter().map(|row| row[root]).collect();
            let slopes: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]) / step).collect();
            let bends: Vec<f64> = slopes.windows(2).map(|pair| (pair[1] - pair[0]) / step).collect();
            let steep = spread(&slopes) / spread(&values);
            let curved = spread(&bends) / spread(&slopes);
            if steep.is_finite() && curved <= WAVE * steep {
                most = most.max(steep);
            }
        }
    }
    most
}

/// √(c₀/c₂) of c₂·∂²u + c₀·u, where both pull to the same side.
fn stiffness(problem: &Problem, condition: &Condition, along: usize) -> f64 {
    if !condition.place.is_interior() {
        return 0.0;
    }
    let half = 0.5 * (problem.coordinates[along].upper - problem.coordinates[along].lower);
    let second = MultiIndex::VALUE.plus(along).plus(along);
    let mut most: f64 = 0.0;
    for line in LINES {
        let point = place(problem, condition, line, None);
        if inside(problem, [point.clone()].into_iter()).is_empty() {
            continue;
        }
        let zero = residuals(condition, &point, |_, _| 0.0);
        for output in 0..problem.unknowns.len() {
            let unit = |wanted: MultiIndex| {
                residuals(condition, &point, move |o, index| {
                    f64::from(u8::from(o == output && index == wanted))
                })
            };
            let (values, bends) = (unit(MultiIndex::VALUE), unit(second));
            for (root, zero) in zero.iter().enumerate() {
                let squared = (values[root] - zero) / (bends[root] - zero);
                if squared.is_finite() && squared > 0.0 {
                    most = most.max(squared.sqrt() * half);
                }
            }
        }
    }
    most
}

/// Of points in a row the longest stretch in the domain.
fn inside(problem: &Problem, points: impl Iterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
    let points: Vec<Vec<f64>> = points.collect();
    let Some(geometry) = &problem.geometry else { return points };
    let stretches = points.split(|point| !geometry.domain.contains(point));
    stretches.max_by_key(|stretch| stretch.len()).unwrap_or(&[]).to_vec()
}

/// A point of the condition's place: every coordinate at the fraction `line` of its domain, one of them elsewhere.
pub(super) fn place(
    problem: &Problem,
    condition: &Condition,
    line: f64,
    moved: Option<(usize, f64)>,
) -> Vec<f64> {
    let mut point: Vec<f64> =
        problem.coordinates.iter().map(|c| c.lower + line * (c.upper - c.lower)).collect();
    if let Some((i, fraction)) = moved {
        let c = &problem.coordinates[i];
        point[i] = c.lower + fraction * (c.upper - c.lower);
    }
    condition.place.faces().first().into_iter().flatten().for_each(|&(i, value)| point[i] = value);
    point
}

/// The condition's residuals at `point`, where the raw outputs' derivatives are as `jet` says.
pub(super) fn residuals(
    condition: &Condition,
    point: &[f64],
    jet: impl Fn(usize, MultiIndex) -> f64,
) -> Vec<f64> {
    let mut values = vec![];
    condition.residuals.graph.eval(&mut values, |node| match node {
        Node::Coordinate { coordinate, .. } => point[coordinate],
        Node::Jet { output, index, .. } => jet(output, index),
        // Parameters that are sought begin at 1 in their own unit.
        Node::Coefficient(_) => 1.0,
        _ => 0.0,
    });
    condition.residuals.roots.iter().map(|root| values[root.index()]).collect()
}

/// The root mean square about the mean.
fn spread(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Document;
    use std::path::Path;

    fn found(coordinates: &str, residual: &str, start: &str) -> Vec<f64> {
        let text = format!(
            "[coordinates]\n{coordinates}\n[unknowns]\nu = {{}}\n[conditions.physics]\nplace = \"interior\"\n\
             residual = \"{residual}\"\n[conditions.start]\nplace = \"t = 0\"\nresidual = \"{start}\"\n"
        );
        let document = Document::parse("test.toml", &text).expect("TOML");
        frequencies(&document.build(Path::new("")).expect("a problem").0)
    }

    #[test]
    fn sources_and_initial_values_that_oscillate_are_seen() {
        let waves = found("x = [0, 2]\nt = [0, 1]", "u_t - u_xx - sin(40*t)", "u - cos(15*x)");
        assert!((waves[0] - 15.0).abs() < 0.5 && (waves[1] - 20.0).abs() < 0.5, "{waves:?}");
    }

    #[test]
    fn an_oscillator_has_its_own_frequency() {
        let waves = found("t = [0, 10]", "2*u_tt + 18*u", "u - 1");
        assert!((waves[0] - 15.0).abs() < 1e-9, "{waves:?}");
        // What decays does not oscillate.
        assert_eq!(found("t = [0, 10]", "u_tt - 9*u", "u - 1"), [0.0]);
    }

    #[test]
    fn fronts_and_bumps_are_no_waves() {
        let waves = found("x = [0, 1]\nt = [0, 1]", "u_t - u_xx", "u - exp(-200*(x - 0.5)^2)");
        assert_eq!(waves, [0.0, 0.0]);
        let waves = found("x = [0, 1]\nt = [0, 1]", "u_t - u_xx - tanh(30*(x - t))", "u");
        assert_eq!(waves, [0.0, 0.0]);
    }
}
