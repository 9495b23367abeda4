//! Boundary layers: ends of the domain near which an equation lets its solution turn, within a small part of the domain, to
//! what is given there.
//!
//! Along a coordinate a linear equation of second order is D·u″ + b·u′ + c·u = f, with the coefficients that it has at an
//! end; a root m of D·m² + b·m + c that leads inwards from there within a small part of the side is a layer of thickness
//! 1/|m| (Roos, Stynes and Tobiska 2008, chapter 1).
//! It knows the problem's formulas; it does not know what is done about a layer.

use super::frequency::{LINES, place, residuals};
use crate::expr::Digits;
use crate::jet::MultiIndex;
use crate::problem::{Condition, Problem};

/// Layers are thinner than this part of the side, and not so thin that hardly a point lies in them.
const THICKNESS: (f64, f64) = (1e-4, 0.05);
/// By what factor its thickness may differ along an end.
const EVEN: f64 = 2.0;

/// A layer of an unknown.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Layer {
    pub(super) output: usize,
    pub(super) coordinate: usize,
    /// The end of the coordinate where it lies.
    pub(super) at: f64,
    pub(super) thickness: f64,
}

impl Layer {
    /// 1 at the end and 0 away from it, as a formula.
    pub(super) fn formula(&self, problem: &Problem) -> String {
        let along = &problem.coordinates[self.coordinate];
        let sign = if self.at == along.upper { "" } else { "-" };
        format!("exp({sign}{}/{})", along.beyond(self.at), Digits(self.thickness))
    }
}

/// All layers of unknowns without an ansatz, in a problem that is a box and one window.
pub(super) fn layers(problem: &Problem) -> Vec<Layer> {
    let mut found = vec![];
    if problem.geometry.is_some() || problem.training.windows.count() > 1 {
        return found;
    }
    for (output, unknown) in problem.unknowns.iter().enumerate().filter(|(_, u)| u.ansatz.is_none()) {
        for (coordinate, along) in problem.coordinates.iter().enumerate() {
            let ends = [along.lower, along.upper];
            // What is given at one end alone is a start, and evolves.
            if !unknown.depends_on(coordinate)
                || !ends.iter().all(|&at| is_given(problem, output, (coordinate, at)))
            {
                continue;
            }
            for at in ends {
                let thickness = thickness(problem, output, (coordinate, at));
                found.extend(thickness.map(|thickness| Layer { output, coordinate, at, thickness }));
            }
        }
    }
    found
}

/// Is the unknown's value given there, by a condition of its own?
fn is_given(problem: &Problem, output: usize, face: (usize, f64)) -> bool {
    problem.conditions.iter().any(|condition| {
        condition.place.faces().iter().any(|fixed| fixed[..] == [face])
            && condition
                .residuals
                .graph
                .jets(&condition.residuals.roots)
                .contains(&(output, MultiIndex::VALUE))
    })
}

fn thickness(problem: &Problem, output: usize, (coordinate, at): (usize, f64)) -> Option<f64> {
    let along = &problem.coordinates[coordinate];
    let side = along.upper - along.lower;
    let inwards = if at == along.lower { 1.0 } else { -1.0 };
    let end = f64::from(u8::from(at == along.upper));
    let first = MultiIndex::VALUE.plus(coordinate);
    let indices = [MultiIndex::VALUE, first, first.plus(coordinate)];
    let of_equation = |condition: &Condition, root: usize| {
        let highest = condition.residuals.graph.jets(&[condition.residuals.roots[root]]).into_iter();
        let orders = highest.filter(|(of, _)| *of == output).map(|(_, index)| index.get(coordinate));
        if orders.max() != Some(2) {
            return None;
        }
        let at_line = |line: f64| {
            let point = place(problem, condition, line, Some((coordinate, end)));
            let zero = residuals(condition, &point, |_, _| 0.0)[root];
            let [c, b, d] = indices.map(|wanted| {
                residuals(condition, &point, |of, index| f64::from(u8::from(of == output && index == wanted)))
                    [root]
                    - zero
            });
            // Both roots without cancellation.
            let q = -0.5 * (b + (b * b - 4.0 * d * c).sqrt().copysign(b));
            let thickness = |m: f64| -1.0 / (inwards * m);
            let fits = |thickness: &f64| (THICKNESS.0 * side..THICKNESS.1 * side).contains(thickness);
            [q / d, c / q].map(thickness).into_iter().find(fits)
        };
        let [low, middle, high] = LINES.map(at_line);
        let all = [low?, middle?, high?];
        let (least, most) = all.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), &x| (a.min(x), b.max(x)));
        (most <= EVEN * least).then(|| Digits::four((least * most).sqrt()))
    };
    let interior = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    interior
        .flat_map(|condition| (0..condition.residuals.roots.len()).map(move |root| (condition, root)))
        .find_map(|(condition, root)| of_equation(condition, root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Document;
    use std::path::Path;

    fn found(residual: &str, ends: [&str; 2]) -> Vec<(f64, f64)> {
        let text = format!(
            "coordinates = {{ x = [-1, 3], y = [0, 1] }}\nunknowns.u = {{}}\n[conditions]\n\
             inside = {{ place = \"interior\", residual = \"{residual}\" }}\n\
             left = {{ place = \"x = -1\", residual = \"{}\" }}\nright = {{ place = \"x = 3\", residual = \"{}\" }}",
            ends[0], ends[1]
        );
        let document = Document::parse("test.toml", &text).expect("TOML");
        let problem = document.build(Path::new("")).expect("a problem").0;
        layers(&problem).into_iter().map(|layer| (layer.at, layer.thickness)).collect()
    }

    #[test]
    fn layers_are_where_roots_lead_inwards() {
        let given = ["u - 1", "u"];
        assert_eq!(found("u_x - 0.01*(u_xx + u_yy)", given), [(3.0, 0.01)]);
        assert_eq!(found("(1 + y^2)*(u_x + 0.01*u_xx) - sin(x)", given), [(-1.0, 0.01)]);
        assert_eq!(found("u - 1e-4*u_xx", given), [(-1.0, 0.01), (3.0, 0.01)]);
        // Coefficients are those of the end; what changes its direction along that has no thickness.
        assert_eq!(found("(x + 2)*u_x + 0.02*u_xx", given), [(-1.0, 0.02)]);
        assert_eq!(found("(y - 0.3)*u_x + 0.01*u_xx", given), []);
    }

    #[test]
    fn what_is_thick_oscillates_evolves_or_is_nonlinear_has_none() {
        let given = ["u - 1", "u"];
        for equation in
            ["u_x - u_xx", "u + 1e-4*u_xx", "u*u_x - 0.01*u_xx", "u_y - 0.01*u_xx", "u_xxx - u_x/100"]
        {
            assert_eq!(found(equation, given), [], "{equation}");
        }
        assert_eq!(found("u_xx + 100*u_x", ["u - 1", "u_y"]), []);
        assert_eq!(found("u_x - 1e-7*u_xx", given), []);
    }
}
