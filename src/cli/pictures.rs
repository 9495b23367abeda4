//! Pictures and tables of a finished run.

use std::fmt::Write as _;

use pinn::engine::Engine;
use pinn::problem::Problem;
use pinn::report::{self, Coordinate, Field, Figure, LossHistory, ReportError};
use pinn::run::RunDirectory;
use pinn::score::Scorer;
use pinn::train::{Outcome, StepReport};

use super::Failure;

/// Points along each coordinate of a picture with one or two coordinates, and with more.
const FINE: usize = 201;
const COARSE: usize = 41;

/// What `loss.png` shows, thinned out so that it stays small however long training is.
pub(super) struct History {
    every: usize,
    log: LossHistory,
    /// Names of the unknowns.
    unknowns: Vec<String>,
    last_step: usize,
}

impl History {
    /// Records every `every`-th step.
    pub(super) fn new(problem: &Problem, every: usize) -> Self {
        let terms = problem.conditions.iter().map(|condition| (condition.name.clone(), vec![]));
        Self {
            every,
            log: LossHistory { terms: terms.collect(), ..LossHistory::default() },
            unknowns: problem.unknowns.iter().map(|unknown| unknown.name.clone()).collect(),
            last_step: 0,
        }
    }

    /// A stage begins.
    pub(super) fn stage(&mut self, name: &str) {
        self.log.stages.push((self.last_step as f64, name.to_owned()));
    }

    /// Takes note of a step; says whether it is one of those that are recorded.
    pub(super) fn record(&mut self, report: &StepReport) -> bool {
        self.last_step = report.step;
        let step = report.step as f64;
        for (name, score) in self.unknowns.iter().zip(report.scores.unwrap_or(&[])) {
            if let Some(score) = score {
                match self.log.errors.iter_mut().find(|(known, _)| known == name) {
                    Some((_, points)) => points.push((step, score.rel_l2)),
                    None => self.log.errors.push((name.clone(), vec![(step, score.rel_l2)])),
                }
            }
        }
        let due = report.step == 1 || report.step.is_multiple_of(self.every);
        if due {
            self.log.steps.push(step);
            self.log.total.push(report.loss);
            for ((_, values), &term) in self.log.terms.iter_mut().zip(report.terms) {
                values.push(term);
            }
        }
        due
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::unexpected(error)
    }
}

/// Writes `solution.csv` and, if asked for, the pictures; returns the files' names.
pub(super) fn write(
    problem: &Problem,
    engine: &mut dyn Engine,
    outcome: &Outcome,
    history: &History,
    directory: &RunDirectory,
    plots: bool,
) -> Result<Vec<String>, Failure> {
    let mut files = vec!["solution.csv".to_owned()];
    directory.write("solution.csv", table(problem, engine, outcome).as_bytes())?;
    if plots {
        let mut draw = |name: &str, figure: Figure| -> Result<(), Failure> {
            directory.write(name, &figure.png()?)?;
            files.push(name.to_owned());
            Ok(())
        };
        if !history.log.steps.is_empty() {
            draw("loss.png", report::loss(&problem.title, &history.log)?)?;
        }
        let fields = fields(problem, engine, outcome);
        draw("solution.png", report::solution(&problem.title, &fields)?)?;
        draw("slices.png", report::slices(&problem.title, &fields)?)?;
    }
    Ok(files)
}

/// The solution where it is scored: coordinates, every unknown, and its reference and error where there is one.
fn table(problem: &Problem, engine: &mut dyn Engine, outcome: &Outcome) -> String {
    let scorer = Scorer::new(problem);
    let points =
        scorer.as_ref().map_or_else(|| problem.reference_points(), |scorer| scorer.points().to_vec());
    let predicted = engine.predict(&outcome.theta, &points);
    let references = scorer.as_ref().map_or(&[][..], Scorer::references);
    let mut names: Vec<String> = problem.coordinates.iter().map(|c| c.name.clone()).collect();
    for (i, unknown) in problem.unknowns.iter().enumerate() {
        names.push(unknown.name.clone());
        if references.get(i).is_some_and(Option::is_some) {
            names.extend([format!("{}_reference", unknown.name), format!("{}_error", unknown.name)]);
        }
    }
    let mut text = names.join(",") + "\n";
    let rows = points.chunks_exact(problem.coordinates.len());
    for (row, (point, values)) in rows.zip(predicted.chunks_exact(problem.unknowns.len())).enumerate() {
        let mut cells: Vec<f64> = point.to_vec();
        for (i, &value) in values.iter().enumerate() {
            cells.push(value);
            if let Some(Some(reference)) = references.get(i) {
                cells.extend([reference[row], value - reference[row]]);
            }
        }
        let cells: Vec<String> = cells.iter().map(f64::to_string).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

/// Every unknown on a grid over the whole domain, with its reference where that is a formula.
fn fields(problem: &Problem, engine: &mut dyn Engine, outcome: &Outcome) -> Vec<Field> {
    let count = if problem.coordinates.len() <= 2 { FINE } else { COARSE };
    let coordinates: Vec<Coordinate> = problem
        .coordinates
        .iter()
        .map(|c| {
            let at = |i: usize| c.lower + (c.upper - c.lower) * i as f64 / (count - 1) as f64;
            Coordinate { name: c.name.clone(), unit: c.unit.clone(), values: (0..count).map(at).collect() }
        })
        .collect();
    // Beyond three coordinates the others stay in the middle of their domains, as the figures do with the third.
    let shown = coordinates.len().min(3);
    let mut points = vec![];
    for i in 0..count.pow(shown as u32) {
        for (k, c) in coordinates.iter().enumerate() {
            let index = if k < shown { i / count.pow((shown - 1 - k) as u32) % count } else { count / 2 };
            points.push(c.values[index]);
        }
    }
    let predicted = engine.predict(&outcome.theta, &points);
    let unknowns = problem.unknowns.len();
    let dimensions = coordinates.len();
    let solutions = problem.reference.as_ref().map_or(&[][..], |reference| &reference.solutions);
    problem
        .unknowns
        .iter()
        .enumerate()
        .map(|(i, unknown)| Field {
            name: unknown.name.clone(),
            unit: unknown.unit.clone(),
            coordinates: coordinates[..shown].to_vec(),
            predicted: predicted.iter().skip(i).step_by(unknowns).copied().collect(),
            // A table knows its own points only, so it has no picture.
            reference: solutions
                .get(i)
                .and_then(|solution| Some(solution.as_ref()?.evaluate(&points, dimensions)))
                .filter(|values| values.iter().all(|x| x.is_finite())),
        })
        .collect()
}
