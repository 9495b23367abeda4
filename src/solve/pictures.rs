//! Pictures and tables of a finished run.

use std::path::Path;

use super::SolveError;
use crate::engine::Engine;
use crate::output::{self, Layout, Table};
use crate::problem::{Coverage, Problem};
use crate::report::{self, Coordinate, Field, Figure, LossHistory};
use crate::run::{StepLine, read_metrics, write_whole};
use crate::score::Scorer;
use crate::train::StageReport;
use crate::trained::Trained;

/// Points along each coordinate of a picture with one or two coordinates, and with more.
const FINE: usize = 201;
const COARSE: usize = 41;

/// What `loss.png` shows, from what `metrics.jsonl` says.
fn history(lines: &[StepLine], stages: &[StageReport]) -> LossHistory {
    let mut log = LossHistory::default();
    for line in lines {
        log.steps.push(line.step as f64);
        log.total.push(line.loss);
        for (name, error) in &line.rel_l2 {
            entry(&mut log.errors, name).push((line.step as f64, *error));
        }
        for (name, error) in &line.rms_error {
            entry(&mut log.errors, &format!("{name}, absolute")).push((line.step as f64, *error));
        }
        for (name, term) in &line.terms {
            entry(&mut log.terms, name).push(*term);
        }
    }
    let mut step = 0;
    for stage in stages {
        log.stages.push((step as f64, stage.name.clone()));
        step += stage.steps;
    }
    log
}

/// The values called `name`, in the order in which names first come.
fn entry<'a, T>(entries: &'a mut Vec<(String, Vec<T>)>, name: &str) -> &'a mut Vec<T> {
    let index = entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        entries.push((name.to_owned(), vec![]));
        entries.len() - 1
    });
    &mut entries[index].1
}

/// Draws the pictures of the run in `folder` again, and writes its table, from its network; returns the files' names.
///
/// # Errors
///
/// If its `metrics.jsonl` does not read, or a file cannot be written.
pub fn redraw(trained: &mut Trained, folder: &Path) -> Result<Vec<String>, SolveError> {
    let stages = trained.stages().to_vec();
    let (problem, engine, theta) = trained.parts();
    write(problem, Scorer::new(problem).as_ref(), engine, theta, &stages, folder, true)
}

/// Writes `solution.csv` and, if asked for, the pictures into `folder`; returns the files' names.
pub(super) fn write(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Engine,
    theta: &[f64],
    stages: &[StageReport],
    folder: &Path,
    plots: bool,
) -> Result<Vec<String>, SolveError> {
    let mut files = vec!["solution.csv".to_owned()];
    write_whole(&folder.join("solution.csv"), &table(problem, scorer, engine, theta)?)?;
    if plots {
        let history = history(&read_metrics(folder)?, stages);
        let png = output::by_ending("png").picture.expect("PNG holds pictures");
        let mut draw = |name: &str, figure: Figure| -> Result<(), SolveError> {
            write_whole(&folder.join(name), &png(&figure)?)?;
            files.push(name.to_owned());
            Ok(())
        };
        if !history.steps.is_empty() {
            draw("loss.png", report::loss(&problem.title, &history)?)?;
        }
        let fields = fields(problem, engine, theta);
        draw("solution.png", report::solution(&problem.title, &fields)?)?;
        draw("slices.png", report::slices(&problem.title, &fields)?)?;
    }
    Ok(files)
}

/// The solution where it is scored: coordinates, every unknown, and its reference and error where there is one.
fn table(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Engine,
    theta: &[f64],
) -> Result<Vec<u8>, SolveError> {
    let points = scorer.map_or_else(|| problem.reference_points(), |scorer| scorer.points().to_vec());
    let predicted = engine.predict(theta, &points);
    let references = scorer.map_or(&[][..], Scorer::references);
    let dimensions = problem.coordinates.len();
    let mut names: Vec<String> = problem.coordinates.iter().map(|c| c.name.clone()).collect();
    for (i, unknown) in problem.unknowns.iter().enumerate() {
        names.push(unknown.name.clone());
        if references.get(i).is_some_and(Option::is_some) {
            names.extend([format!("{}_reference", unknown.name), format!("{}_error", unknown.name)]);
        }
    }
    let mut cells = vec![];
    let rows = points.chunks_exact(dimensions);
    for (row, (point, values)) in rows.zip(predicted.chunks_exact(problem.unknowns.len())).enumerate() {
        cells.extend_from_slice(point);
        for (i, &value) in values.iter().enumerate() {
            cells.push(value);
            if let Some(Some(reference)) = references.get(i) {
                cells.extend([reference[row], value - reference[row]]);
            }
        }
    }
    let mut cells = Some(cells);
    let mut table = Table {
        names: &names,
        coordinates: dimensions,
        time: None,
        layout: &Layout::Points,
        count: Some(points.len() / dimensions),
        rows: &mut || Ok(cells.take()),
    };
    let mut text = vec![];
    output::by_ending("csv").numbers.expect("CSV holds numbers")(&mut table, &mut text)?;
    Ok(text)
}

/// Every unknown on a grid over the whole domain, with its reference where that is a formula.
fn fields(problem: &Problem, engine: &mut dyn Engine, theta: &[f64]) -> Vec<Field> {
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
    let mut predicted = engine.predict(theta, &points);
    let unknowns = problem.unknowns.len();
    let dimensions = coordinates.len();
    // What no condition covers is no part of the answer: it is drawn as missing.
    if let Some(coverage) = Coverage::new(problem) {
        let rows = points.chunks_exact(dimensions).zip(predicted.chunks_exact_mut(unknowns));
        rows.filter(|(row, _)| !coverage.covers(row)).for_each(|(_, values)| values.fill(f64::NAN));
    }
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
