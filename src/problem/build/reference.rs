//! The `[reference]` table.

use toml::de::DeValue;

use super::{Builder, SOLUTION};
use crate::expr::{Digits, Graph, Node, listed};
use crate::limits::{MAX_ALLEN_CAHN_TIME, MAX_GRID, MAX_REFINED_GRID, MAX_TRIALS};
use crate::problem::allen_cahn;
use crate::problem::diagnostic::Diagnostic;
use crate::problem::file::{Value, article};
use crate::problem::model::{Axis, Formula, Reference, Solution, Trainable, Unknown};
use crate::problem::place::Coordinate;
use crate::problem::reference::{
    BARELY_RESOLVED, RESOLVED, cole_hopf_error, default_grid, default_scattered, unresolved,
};
use crate::problem::table::Numbers;

impl Builder<'_> {
    pub(super) fn reference(
        &mut self,
        value: Option<&Value<'_>>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
        parameters: &[(String, f64)],
        trainable: &[Trainable],
    ) -> (Option<Reference>, Vec<String>) {
        let written = vec![String::new(); unknowns.len()];
        let Some(table) = value.and_then(|value| self.table(value, "[reference]")) else {
            return (None, written);
        };
        self.check_keys(table, "[reference]", &["solution", "error", "grid"]);
        let error = table.get("error").and_then(|value| {
            let error = self.number(value, "the reference's error")?;
            if error < 0.0 {
                self.report(Diagnostic::error(value.span(), "an error is not negative"));
            }
            Some(error)
        });
        let (grid, scattered) = match table.get("grid") {
            Some(grid) => self.grid(grid, coordinates),
            None => (default_grid(coordinates), default_scattered(coordinates)),
        };
        let mut reference = Reference { solutions: vec![None; unknowns.len()], error, grid, scattered };
        let tried = tried(&reference, coordinates);
        let Some(value) = table.get("solution") else {
            return (Some(reference), written);
        };
        let mut written = written;
        match value.get_ref() {
            DeValue::Table(table) if table.contains_key("file") => {
                self.check_keys(table, "a solution from a file", &["file"]);
                if let Some(file) = table.get("file") {
                    let tables = self.solution_file(file, coordinates, unknowns);
                    reference.solutions = tables.unwrap_or(reference.solutions);
                }
            }
            DeValue::Table(table) => {
                let names: Vec<_> = unknowns.iter().map(|u| u.name.as_str()).collect();
                self.check_keys(table, "the solution", &names);
                for (i, name) in names.iter().enumerate() {
                    if let Some(value) = table.get(*name)
                        && let Some((solution, text)) =
                            self.solution(value, coordinates, parameters, trainable, &tried, &unknowns[i])
                    {
                        reference.solutions[i] = Some(solution);
                        written[i] = text;
                    }
                }
            }
            DeValue::String(_) if unknowns.len() == 1 => {
                if let Some((solution, text)) =
                    self.solution(value, coordinates, parameters, trainable, &tried, &unknowns[0])
                {
                    reference.solutions[0] = Some(solution);
                    written[0] = text;
                }
            }
            other => {
                let message = format!("the solution is not {}", article(other));
                let hint = "write { u = \"a formula\" }, or { file = \"reference.csv\" }";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        self.resolve(&mut reference, value, table.get("grid"), unknowns);
        (Some(reference), written)
    }

    /// Refines a default grid that is too coarse for the solutions; warns where one of them is still not resolved.
    fn resolve(
        &mut self,
        reference: &mut Reference,
        solution: &Value<'_>,
        grid: Option<&Value<'_>>,
        unknowns: &[Unknown],
    ) {
        if self.has_errors() || reference.scattered.is_some() {
            return;
        }
        let apart = if grid.is_some() { BARELY_RESOLVED } else { RESOLVED };
        for (unknown, solution_of) in unknowns.iter().zip(&reference.solutions) {
            let Some(Solution::Exact(formula)) = solution_of else { continue };
            let operations = formula.graph.nodes().len() as f64;
            let axes = loop {
                let points = |grid: &[Axis]| grid.iter().map(|axis| axis.points as f64).product::<f64>();
                if points(&reference.grid) * operations > MAX_TRIALS {
                    break vec![];
                }
                let axes = unresolved(formula, &reference.grid, apart);
                let mut finer = reference.grid.clone();
                axes.iter().for_each(|&i| finer[i].points = 2 * finer[i].points - 1);
                let fits = points(&finer) <= MAX_REFINED_GRID as f64;
                if axes.is_empty() || grid.is_some() || !fits {
                    break axes;
                }
                reference.grid = finer;
            };
            if !axes.is_empty() {
                let names: Vec<_> = axes.iter().map(|&i| self.scope.coordinate(i).to_owned()).collect();
                let message = format!(
                    "the solution of `{}` changes faster along {} than the grid of the reference shows: \
                     measured errors mean little",
                    unknown.name,
                    listed(&names)
                );
                let hint = format!("take more points, as in grid = {{ {} = 1001 }}", names[0]);
                self.report(Diagnostic::warning(grid.unwrap_or(solution).span(), message).hint(hint));
            }
        }
    }

    pub(super) fn solution(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        parameters: &[(String, f64)],
        trainable: &[Trainable],
        tried: &[f64],
        unknown: &Unknown,
    ) -> Option<(Solution, String)> {
        if value.get_ref().as_str().map(str::trim) == Some("cole-hopf") {
            let solution = self.cole_hopf(value, coordinates, parameters, trainable)?;
            return Some((solution, "cole-hopf".to_owned()));
        }
        if value.get_ref().as_str().map(str::trim) == Some("allen-cahn") {
            let solution = self.allen_cahn(value, coordinates, parameters, trainable)?;
            return Some((solution, "allen-cahn".to_owned()));
        }
        let (root, text) = self.formula(value, SOLUTION)?;
        if !self.graph.jets(&[root]).is_empty() {
            let message = "a reference solution cannot use unknowns, not even through a definition";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        if let Some(of) = &unknown.of
            && !self.reads_no_other("this solution", root, (&unknown.name, of), coordinates, value)
        {
            return None;
        }
        let formula = self.extract(&[root]);
        let formula = self.with_truth(formula, value, trainable)?;
        // A look at where it is measured: what is not finite there would make every error NaN.
        let trials = (tried.len() / coordinates.len().max(1)) as f64;
        let operations = formula.graph.nodes().len() as f64;
        if trials * operations < MAX_TRIALS && !self.has_errors() {
            let domain = self.geometry.as_ref().map(|geometry| &geometry.domain);
            let inside =
                |row: &&[f64]| domain.is_none_or(|domain| domain.touches(row)) && unknown.lives_at(row);
            let rows = tried.chunks_exact(coordinates.len()).filter(inside);
            let points: Vec<f64> = rows.flatten().copied().collect();
            let values = formula.evaluate(&points, coordinates.len());
            if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                let row = &points[i * coordinates.len()..];
                let place: Vec<_> = coordinates
                    .iter()
                    .zip(row)
                    .map(|(c, x)| format!("{} = {}", c.name, Digits(*x)))
                    .collect();
                let message = format!("the solution is {} at {}", values[i], place.join(", "));
                let hint = "guard it, for example with max(x, 1e-300), or score it elsewhere with `grid`";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        Some((Solution::Exact(formula), text))
    }

    /// A solution with the true values of trainable parameters put in: it is what training shall find.
    fn with_truth(
        &mut self,
        formula: Formula,
        value: &Value<'_>,
        trainable: &[Trainable],
    ) -> Option<Formula> {
        for k in formula.coefficients() {
            if trainable[k].truth.is_none() {
                let name = &trainable[k].name;
                let message = format!("the solution uses `{name}`, which is to be found by training");
                let hint = format!("if its value is known, write {name} = {{ initial = …, true = … }}");
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                return None;
            }
        }
        let mut graph = Graph::default();
        let roots = formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match leaf {
            Node::Coefficient(k) => {
                let truth = trainable[k].truth.expect("it was looked for above");
                graph.constant(trainable[k].entry(truth))
            }
            leaf => graph.insert(leaf),
        });
        let (graph, roots) = graph.extract(&roots);
        Some(Formula { graph, roots })
    }

    pub(super) fn cole_hopf(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        parameters: &[(String, f64)],
        trainable: &[Trainable],
    ) -> Option<Solution> {
        let t = coordinates.iter().position(|c| c.name == "t");
        let nu = number_called("nu", parameters, trainable);
        let (Some(t), Some(nu), 2) = (t, nu, coordinates.len()) else {
            let message = "`cole-hopf` solves u_t + u*u_x = nu*u_xx, u = -sin(pi*x) at t = 0";
            let hint = "it needs two coordinates, one of them `t`, and a parameter `nu`";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        self.used.insert("nu".to_owned());
        if nu <= 0.0 || coordinates[t].lower < 0.0 {
            let message = "`cole-hopf` needs nu > 0 and t from 0 up";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        let error = cole_hopf_error(nu, coordinates[t].upper);
        if error > 1e-10 {
            let message = format!(
                "for nu = {nu} and t up to {} the `cole-hopf` quadrature is only right to about {error:.0e}",
                coordinates[t].upper
            );
            self.report(Diagnostic::warning(value.span(), message));
        }
        Some(Solution::ColeHopf { x: 1 - t, t, nu })
    }

    fn allen_cahn(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        parameters: &[(String, f64)],
        trainable: &[Trainable],
    ) -> Option<Solution> {
        let t = coordinates.iter().position(|c| c.name == "t");
        let [d, r] = ["d", "r"].map(|name| number_called(name, parameters, trainable));
        let (Some(t), Some(d), Some(r), 2) = (t, d, r, coordinates.len()) else {
            let message =
                "`allen-cahn` solves u_t = d*u_xx + r*(u - u^3), u = x^2*cos(pi*x) at t = 0, period 2";
            let hint = "it needs two coordinates, one of them `t`, and parameters `d` and `r`";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        self.used.extend(["d".to_owned(), "r".to_owned()]);
        if !(d > 0.0 && r > 0.0 && coordinates[t].lower >= 0.0) {
            let message = "`allen-cahn` needs d > 0, r > 0 and t from 0 up";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        if coordinates[t].upper > MAX_ALLEN_CAHN_TIME {
            let message = format!("`allen-cahn` is computed for t up to {MAX_ALLEN_CAHN_TIME}");
            let hint = "take another unit of time, or a reference of your own from a file";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        if allen_cahn::resolution(d, r).is_none() {
            let message =
                format!("for d = {d} and r = {r} interfaces are too thin for the `allen-cahn` solution");
            let hint = "take a greater d, or a reference of your own from a file";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        Some(Solution::AllenCahn { x: 1 - t, t, d, r })
    }

    pub(super) fn solution_file(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Option<Vec<Option<Solution>>> {
        let name = self.text(value, "a file's name")?;
        let (path, Numbers { header, columns, .. }) = self.numbers(name, value)?;
        let names = coordinates.iter().map(|c| c.name.clone()).chain(unknowns.iter().map(|u| u.name.clone()));
        let names: Vec<_> = names.collect();
        let wrong = if let Some(header) = &header {
            let missing = names[..coordinates.len()].iter().find(|name| !header.contains(name));
            let odd = header.iter().find(|name| !names.contains(name));
            let twice = header.iter().enumerate().find(|(i, name)| header[..*i].contains(name));
            match (missing, odd, twice) {
                (Some(missing), ..) => Some(format!("it has no column `{missing}`")),
                (_, Some(odd), _) => Some(format!(
                    "its column `{}` is neither a coordinate nor an unknown",
                    odd.escape_debug()
                )),
                (.., Some((_, twice))) => Some(format!("it has two columns `{twice}`")),
                _ if header.len() == coordinates.len() => Some("it has a column for no unknown".to_owned()),
                _ => None,
            }
        } else {
            (columns.len() != names.len())
                .then(|| format!("it has {} columns, not {}", columns.len(), names.len()))
        };
        if let Some(wrong) = wrong {
            let message = format!("`{name}` is not a reference for this problem: {wrong}");
            let hint = format!("its columns are {}", listed(&names));
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let column = |name: &String| {
            let at = header.as_ref().unwrap_or(&names).iter().position(|n| n == name)?;
            Some(&columns[at])
        };
        let rows: Vec<_> = names[..coordinates.len()].iter().filter_map(column).collect();
        let points: Vec<f64> = (0..columns[0].len()).flat_map(|r| rows.iter().map(move |c| c[r])).collect();
        let solutions = unknowns.iter().map(|unknown| {
            column(&unknown.name).map(|values| Solution::Table {
                path: path.clone(),
                points: points.clone(),
                values: values.clone(),
            })
        });
        Some(solutions.collect())
    }

    pub(super) fn grid(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
    ) -> (Vec<Axis>, Option<usize>) {
        const POINTS: &str = "points";
        let mut grid = default_grid(coordinates);
        let mut scattered = default_scattered(coordinates);
        let Some(table) = self.table(value, "the grid") else {
            return (grid, scattered);
        };
        let mut names: Vec<_> = coordinates.iter().map(|c| c.name.as_str()).collect();
        let all = table.get(POINTS).filter(|_| !names.contains(&POINTS));
        names.push(POINTS);
        self.check_keys(table, "the grid", &names);
        if let Some(value) = all {
            scattered = self.count(value, "the number of points", 1..=MAX_GRID).or(scattered);
        }
        for (axis, c) in grid.iter_mut().zip(coordinates) {
            let Some(value) = table.get(c.name.as_str()) else {
                continue;
            };
            let mut points = Some(value);
            if let DeValue::Table(table) = value.get_ref() {
                self.check_keys(table, "an axis", &["from", "to", "points"]);
                let end = |builder: &mut Self, key: &str, default: f64| match table.get(key) {
                    Some(value) => builder.number(value, "an end of the axis").unwrap_or(default),
                    None => default,
                };
                axis.from = end(self, "from", c.lower);
                axis.to = end(self, "to", c.upper);
                if axis.from < c.lower || axis.from > axis.to || axis.to > c.upper {
                    let message = format!(
                        "the grid goes from {} to {}, not upwards within the domain [{}, {}]",
                        Digits(axis.from),
                        Digits(axis.to),
                        Digits(c.lower),
                        Digits(c.upper)
                    );
                    self.report(Diagnostic::error(value.span(), message));
                }
                points = table.get("points");
            }
            if let Some(value) = points {
                if all.is_some() {
                    let message = "the points are spread over all coordinates: none has a number of its own";
                    let hint = "remove `points`, or give every coordinate its number";
                    self.report(Diagnostic::error(value.span(), message).hint(hint));
                }
                let count = self.count(value, "the number of points", 1..=MAX_GRID);
                axis.points = count.unwrap_or(axis.points);
                scattered = None;
            }
        }
        if scattered.is_none()
            && grid.iter().map(|axis| axis.points as f64).product::<f64>() > MAX_GRID as f64
        {
            let message = format!("the grid has more than {MAX_GRID} points");
            let hint = "`grid = { points = 10000 }` spreads so many over the whole domain";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return (default_grid(coordinates), default_scattered(coordinates));
        }
        (grid, scattered)
    }
}

/// Where formulas are tried: on a coarser grid than the answer is measured on; nowhere, if that is too many points.
fn tried(reference: &Reference, coordinates: &[Coordinate]) -> Vec<f64> {
    const MOST: f64 = 2e5;
    const SCATTERED: usize = 2000;
    let grid = reference.grid.iter().map(|axis| Axis { points: axis.points.min(20), ..*axis });
    let coarse = Reference {
        grid: grid.collect(),
        scattered: reference.scattered.map(|count| count.min(SCATTERED)),
        ..reference.clone()
    };
    let count = coarse.grid.iter().map(|axis| axis.points as f64).product::<f64>();
    if coarse.scattered.is_none() && count >= MOST { vec![] } else { coarse.points(coordinates) }
}

/// The value of a parameter, the true one if it is to be found by training.
fn number_called(name: &str, parameters: &[(String, f64)], trainable: &[Trainable]) -> Option<f64> {
    let known = parameters.iter().find(|(known, _)| known == name).map(|(_, x)| *x);
    known.or_else(|| trainable.iter().find(|trainable| trainable.name == name)?.truth)
}
