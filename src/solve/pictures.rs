//! Pictures and tables of a finished run.

use std::collections::BTreeMap;
use std::path::Path;

use super::SolveError;
use super::region::lines;
use crate::engine::Engine;
use crate::export::VALUES;
use crate::output::{self, Layout, Table};
use crate::page::{self, Content, Grid, PAGE};
use crate::problem::{Axis, Coverage, Language, Problem, Solution, Windows, combinations};
use crate::report::{self, Coordinate, Field, Figure, LossHistory, Samples};
use crate::run::{
    BandResult, Found, RunResult, StepLine, read_metrics, read_resolved, read_result, write_whole,
};
use crate::score::Scorer;
use crate::train::{StageReport, beginnings};
use crate::trained::{Trained, program, residual};

/// Points along each coordinate of a picture with one or two coordinates, and with more.
const FINE: usize = 201;
const COARSE: usize = 41;
/// Along each of three coordinates, where shapes cut the domain out.
const WALLED: usize = 61;
/// Points along each coordinate from which on a grid is as good as these.
const KNOWN: usize = 64;
/// Dots of a condition's data.
const MOST_DOTS: usize = 1000;
/// The table of the solution.
const TABLE: &str = "solution.csv";

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
    log.stages.extend(beginnings(stages).into_iter().map(|(step, names)| (step as f64, names)));
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

/// What was drawn.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Drawn {
    /// The files' names.
    pub files: Vec<String>,
    /// What is wrong with `metrics.jsonl`, and what was left out of it.
    pub damaged: Option<String>,
}

/// Draws the pictures of the run in `folder` again, and writes its table and its page, from its network.
///
/// # Errors
///
/// If a file cannot be written.
pub fn redraw(trained: &mut Trained, folder: &Path) -> Result<Drawn, SolveError> {
    again(trained, folder, true)
}

/// Writes the page of the run in `folder`, and nothing else.
///
/// # Errors
///
/// If the run cannot be read, or the file cannot be written.
pub fn page_alone(folder: &Path) -> Result<(), SolveError> {
    again(&mut Trained::load_on(folder, 1)?, folder, false)?;
    Ok(())
}

fn again(trained: &mut Trained, folder: &Path, all: bool) -> Result<Drawn, SolveError> {
    let (stages, windows) = (trained.stages().to_vec(), trained.windows().cloned());
    let (problem, engine, theta) = trained.parts();
    let (scorer, result) = (Scorer::new(problem), read_result(folder)?.content);
    let (windows, scorer, stages) = (windows.as_ref(), scorer.as_ref(), &stages[..]);
    let mut shown = Shown { problem, windows, scorer, engine, theta, stages, folder };
    let Found { content: steps, damaged } = read_metrics(folder)?;
    let mut files = vec![];
    if all {
        files = shown.table()?;
        let bands = result.as_ref().map(|result| result.bands.clone()).unwrap_or_default();
        files.extend(shown.pictures(&steps, &bands)?);
    }
    shown.page(&steps, result.as_ref())?;
    files.push(PAGE.to_owned());
    Ok(Drawn { files, damaged })
}

/// Values of a reference that a page holds.
const MOST_VALUES: usize = 60_000;

/// A trained network to be shown in the folder of its run.
pub(super) struct Shown<'a> {
    pub(super) problem: &'a Problem,
    /// Those that its time is cut into.
    pub(super) windows: Option<&'a Windows>,
    pub(super) scorer: Option<&'a Scorer>,
    pub(super) engine: &'a mut dyn Engine,
    pub(super) theta: &'a [f64],
    pub(super) stages: &'a [StageReport],
    pub(super) folder: &'a Path,
}

impl Shown<'_> {
    /// Writes `solution.csv`; the names of what is written come back, here and below.
    pub(super) fn table(&mut self) -> Result<Vec<String>, SolveError> {
        let Self { problem, scorer, engine, theta, folder, .. } = self;
        write_whole(&folder.join(TABLE), &table(problem, *scorer, &mut **engine, theta)?)?;
        Ok(vec![TABLE.to_owned()])
    }

    /// Draws the pictures; `steps` are what was noted of those of training, and `bands` are drawn about curves.
    pub(super) fn pictures(
        &mut self,
        steps: &[StepLine],
        bands: &BTreeMap<String, BandResult>,
    ) -> Result<Vec<String>, SolveError> {
        let Self { problem, scorer, engine, theta, stages, folder, .. } = self;
        let history = history(steps, stages);
        let png = output::by_ending("png").picture.expect("PNG holds pictures");
        let mut drawn = vec![];
        let mut draw = |name: &str, figure: Figure| -> Result<(), SolveError> {
            write_whole(&folder.join(name), &png(&figure)?)?;
            drawn.push(name.to_owned());
            Ok(())
        };
        if !history.steps.is_empty() {
            draw("loss.png", report::loss(&problem.title, &history)?)?;
        }
        let mut fields = fields(problem, *scorer, &mut **engine, theta);
        for (field, unknown) in fields.iter_mut().zip(&problem.unknowns) {
            if let Some(of) = &unknown.of {
                *field = along_own(problem, field, of);
                // Drawn at the very places where they are known.
                let band = bands.get(&unknown.name).filter(|band| band.at == field.coordinates[0].values);
                field.standard_error = band.map(|band| band.standard_error.clone());
            }
        }
        draw("solution.png", report::solution(&problem.title, &fields)?)?;
        let several: Vec<Field> = fields.into_iter().filter(|field| field.coordinates.len() > 1).collect();
        if !several.is_empty() {
            draw("slices.png", report::slices(&problem.title, &several)?)?;
        }
        Ok(drawn)
    }

    /// Writes the page: the network, asked for the unknowns and for the residuals within the domain, and all that is known
    /// of it.
    pub(super) fn page(&mut self, steps: &[StepLine], result: Option<&RunResult>) -> Result<(), SolveError> {
        let Self { problem, windows, scorer, engine, theta, stages, folder } = self;
        let mut functions = vec![(VALUES.to_owned(), problem.values.clone())];
        let mut residuals = vec![];
        for (i, condition) in problem.conditions.iter().enumerate().filter(|(_, c)| c.place.is_interior()) {
            // A page computes at a point what it shows there, and reads the network nowhere else.
            if condition.integrates() {
                continue;
            }
            // One that asks for data has no value between them.
            let Ok(quantity) = residual(condition) else { continue };
            if quantity.columns().is_empty() {
                let name = format!("residual_{i}");
                functions.push((name.clone(), quantity.formula().clone()));
                residuals.push((i, name));
            }
        }
        let program = program(problem, *windows, theta, &functions)?;
        let resolved = read_resolved(folder)?.unwrap_or_else(|| problem.to_toml());
        let differences = differences(problem, *scorer, &mut **engine, theta);
        let content = Content {
            problem,
            program: &program,
            residuals: &residuals,
            result,
            steps,
            stages,
            differences: &differences,
            resolved: &resolved,
        };
        Ok(write_whole(&folder.join(PAGE), page::run(&content).as_bytes())?)
    }
}

/// For every unknown how far it is from its reference where that is known, if that is no formula and these points are a grid.
fn differences(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Engine,
    theta: &[f64],
) -> Vec<Option<Grid>> {
    let (unknowns, dimensions) = (problem.unknowns.len(), problem.coordinates.len());
    let solutions = problem.reference.as_ref().map_or(&[][..], |reference| &reference.solutions);
    let no_formula =
        |k: usize| matches!(solutions.get(k), Some(Some(solution)) if solution.formula().is_none());
    let Some(scorer) = scorer.filter(|_| (0..unknowns).any(no_formula)) else { return vec![None; unknowns] };
    let points = scorer.points();
    let Some(axes) = grid_of(points, dimensions).filter(|_| points.len() / dimensions <= MOST_VALUES) else {
        return vec![None; unknowns];
    };
    let predicted = engine.predict(theta, points);
    let grid = |k: usize| {
        let reference = scorer.references().get(k)?.as_ref().filter(|_| no_formula(k))?;
        let values =
            predicted.iter().skip(k).step_by(unknowns).zip(reference).map(|(u, reference)| u - reference);
        Some(Grid { axes: axes.clone(), values: values.collect() })
    };
    (0..unknowns).map(grid).collect()
}

/// The axes whose combinations `points` are, in order, the last one fastest; `None` if they are none.
fn grid_of(points: &[f64], dimensions: usize) -> Option<Vec<Vec<f64>>> {
    let axis = |i: usize| {
        let mut values: Vec<f64> = points.iter().skip(i).step_by(dimensions).copied().collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let axes: Vec<Vec<f64>> = (0..dimensions).map(axis).collect();
    let several = axes.iter().all(|axis| axis.len() > 1);
    // Where they are too many, none of them are made.
    let count = axes.iter().map(Vec::len).fold(1, usize::saturating_mul);
    (several && count == points.len() / dimensions && combinations(&axes) == points).then_some(axes)
}

/// The solution where it is scored: coordinates, every unknown, and its reference and error where there is one.
fn table(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Engine,
    theta: &[f64],
) -> Result<Vec<u8>, SolveError> {
    let points = scorer.map_or_else(|| problem.reference_points(), |scorer| scorer.points().to_vec());
    let mut predicted = engine.predict(theta, &points);
    let references = scorer.map_or(&[][..], Scorer::references);
    let dimensions = problem.coordinates.len();
    let mut names: Vec<String> = problem.coordinates.iter().map(|c| c.name.clone()).collect();
    for (i, unknown) in problem.unknowns.iter().enumerate() {
        names.push(unknown.name.clone());
        if references.get(i).is_some_and(Option::is_some) {
            names.extend([format!("{}_reference", unknown.name), format!("{}_error", unknown.name)]);
        }
    }
    problem.leave_out(&points, &mut predicted);
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

/// Every unknown on a grid over the whole domain, with its reference where that is a formula, and with its data.
fn fields(problem: &Problem, scorer: Option<&Scorer>, engine: &mut dyn Engine, theta: &[f64]) -> Vec<Field> {
    let known = scorer.and_then(|scorer| Some((scorer, known_axes(problem, scorer)?)));
    let axes = known.as_ref().map_or_else(|| axes(problem), |(_, axes)| axes.clone());
    let coordinates: Vec<Coordinate> = problem
        .coordinates
        .iter()
        .zip(axes)
        .map(|(c, values)| Coordinate { name: c.name.clone(), unit: c.unit.clone(), values })
        .collect();
    // Beyond three coordinates the others stay in the middle of their domains, as the figures do with the third.
    let shown = coordinates.len().min(3);
    let count = coordinates[..shown].iter().map(|c| c.values.len()).product();
    let mut points = vec![];
    for i in 0..count {
        let mut rest: usize = i;
        let mut row: Vec<f64> = coordinates.iter().map(|c| c.values[c.values.len() / 2]).collect();
        for (x, c) in row.iter_mut().zip(&coordinates).take(shown).rev() {
            *x = c.values[rest % c.values.len()];
            rest /= c.values.len();
        }
        points.extend(row);
    }
    let mut predicted = engine.predict(theta, &points);
    let unknowns = problem.unknowns.len();
    let dimensions = coordinates.len();
    // What no condition covers is no part of the answer: it is drawn as missing.
    let coverage = Coverage::new(problem);
    let covered: Option<Vec<bool>> = coverage
        .as_ref()
        .map(|coverage| points.chunks_exact(dimensions).map(|row| coverage.covers(row)).collect());
    if let Some(covered) = &covered {
        let rows = covered.iter().zip(predicted.chunks_exact_mut(unknowns));
        rows.filter(|(covered, _)| !**covered).for_each(|(_, values)| values.fill(f64::NAN));
    }
    problem.leave_out(&points, &mut predicted);
    // At the values of the other coordinates that the maps show.
    let middle: Vec<f64> = coordinates.iter().map(|c| c.values[c.values.len() / 2]).collect();
    let outline = outline(problem, &middle);
    let contours = contours(problem, coverage.as_ref(), &coordinates, &middle, engine, theta);
    let solutions = problem.reference.as_ref().map_or(&[][..], |reference| &reference.solutions);
    let reference = |i: usize| match &known {
        Some((scorer, _)) => scorer.references()[i].clone(),
        None => Some(solutions.get(i)?.as_ref()?.evaluate(&points, dimensions)),
    };
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
            reference: reference(i).and_then(|values| {
                let rows = points.chunks_exact(dimensions);
                let here = |covered: &Vec<bool>| {
                    covered.iter().zip(rows).map(|(covered, row)| *covered && unknown.lives_at(row)).collect()
                };
                finite_where(values, covered.as_ref().map(here))
            }),
            samples: samples(problem, i),
            outline: outline.clone(),
            contours: contours.clone(),
            standard_error: None,
        })
        .collect()
}

/// A field over the coordinates that an unknown is a function of: the others are anywhere.
fn along_own(problem: &Problem, field: &Field, of: &[usize]) -> Field {
    let shown: Vec<usize> = of.iter().copied().filter(|&c| c < field.coordinates.len()).collect();
    if shown.is_empty() {
        return field.clone();
    }
    let stride = |c: usize| field.coordinates[c + 1..].iter().map(|c| c.values.len()).product::<usize>();
    let places_along = |coordinates: &[usize]| {
        coordinates.iter().fold(vec![0], |places: Vec<usize>, &c| {
            let (step, count) = (stride(c), field.coordinates[c].values.len());
            places.into_iter().flat_map(|place| (0..count).map(move |i| place + i * step)).collect()
        })
    };
    let places = places_along(&shown);
    // Where shapes cut the domain out, a value may be missing at one place of the others and there at another one.
    let hidden: Vec<usize> = (0..field.coordinates.len()).filter(|c| !shown.contains(c)).collect();
    let others = places_along(&hidden);
    let cut = |values: &[f64]| -> Vec<f64> {
        let there = |place: usize| others.iter().map(|other| values[place + other]).find(|x| x.is_finite());
        places.iter().map(|&place| there(place).unwrap_or(f64::NAN)).collect()
    };
    let dimensions = problem.coordinates.len();
    let own = |samples: &Samples| Samples {
        points: samples.points.chunks_exact(dimensions).flat_map(|row| of.iter().map(|&c| row[c])).collect(),
        ..samples.clone()
    };
    Field {
        coordinates: shown.iter().map(|&c| field.coordinates[c].clone()).collect(),
        predicted: cut(&field.predicted),
        reference: field.reference.as_ref().map(|values| cut(values)),
        samples: field.samples.iter().map(own).collect(),
        outline: vec![],
        contours: vec![],
        ..field.clone()
    }
}

/// `values` if they are finite wherever the domain is, and NaN elsewhere if shapes cut it out.
fn finite_where(mut values: Vec<f64>, covered: Option<Vec<bool>>) -> Option<Vec<f64>> {
    if let Some(covered) = covered {
        if values.iter().zip(&covered).any(|(x, covered)| *covered && !x.is_finite()) {
            return None;
        }
        values.iter_mut().zip(&covered).filter(|(_, covered)| !**covered).for_each(|(x, _)| *x = f64::NAN);
        return Some(values);
    }
    values.iter().all(|x| x.is_finite()).then_some(values)
}

/// The wall of a domain in the plane of the first two coordinates, where shapes say what it is.
fn outline(problem: &Problem, row: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let Some(geometry) = &problem.geometry else { return vec![] };
    let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
    if axes != [0, 1] {
        return vec![];
    }
    lines(geometry.domain.outline(FINE, row))
}

/// Where the problem's contours are in that plane.
fn contours(
    problem: &Problem,
    coverage: Option<&Coverage>,
    coordinates: &[Coordinate],
    middle: &[f64],
    engine: &mut dyn Engine,
    theta: &[f64],
) -> Vec<Vec<(f64, f64)>> {
    let [x, y, ..] = coordinates else { return vec![] };
    if problem.written.contours.is_empty() {
        return vec![];
    }
    let others = middle[2..].iter().map(|&at| vec![at]);
    let axes: Vec<Vec<f64>> = [x.values.clone(), y.values.clone()].into_iter().chain(others).collect();
    let (points, language) = (combinations(&axes), Language::new(problem));
    let formulas =
        problem.written.contours.iter().filter_map(|(_, text)| language.formula("contour", text).ok());
    let lines = formulas.flat_map(|formula| {
        let mut values = engine.evaluate(theta, &formula.jets(), &formula, 1, &points, &[]);
        problem.leave_out_of(&formula, &points, &mut values);
        if let Some(coverage) = coverage {
            let rows = points.chunks_exact(axes.len()).zip(&mut values);
            rows.filter(|(row, _)| !coverage.covers(row)).for_each(|(_, value)| *value = f64::NAN);
        }
        report::zeros(&axes[0], &axes[1], &values)
    });
    lines.collect()
}

/// Evenly spaced values of every coordinate over its domain.
fn axes(problem: &Problem) -> Vec<Vec<f64>> {
    let points = match problem.coordinates.len() {
        ..=2 => FINE,
        // Walls want more.
        3 if problem.geometry.is_some() => WALLED,
        _ => COARSE,
    };
    problem
        .coordinates
        .iter()
        .map(|c| Axis { from: c.lower, to: c.upper, points }.values().collect())
        .collect()
}

/// The axes of the reference's grid, if what is known there takes long to compute again and shows the whole picture.
fn known_axes(problem: &Problem, scorer: &Scorer) -> Option<Vec<Vec<f64>>> {
    let reference = problem.reference.as_ref()?;
    let costly = reference.solutions.iter().flatten().any(Solution::is_costly);
    let whole = reference
        .grid
        .iter()
        .zip(&problem.coordinates)
        .all(|(axis, c)| axis.points >= KNOWN && axis.from == c.lower && axis.to == c.upper);
    let points =
        reference.grid.iter().map(|axis| axis.points).fold(problem.coordinates.len(), usize::saturating_mul);
    (costly && whole && reference.scattered.is_none() && scorer.points().len() == points)
        .then(|| reference.grid.iter().map(|axis| axis.values().collect()).collect())
}

/// The data about an unknown: where they are, and what they say where a residual is the unknown less a column.
fn samples(problem: &Problem, output: usize) -> Vec<Samples> {
    let mut found = vec![];
    for condition in problem.conditions.iter().filter(|condition| condition.uses_data()) {
        let roots = condition.residuals.roots.iter().zip(&condition.written);
        for (&root, written) in roots {
            let jets = condition.residuals.graph.jets(&[root]);
            if !jets.iter().any(|(other, _)| *other == output) {
                continue;
            }
            let (columns, data) = (condition.place.columns(), condition.place.own_data());
            let column = written.split_once('-').and_then(|(a, b)| {
                let (a, b, unknown) = (a.trim(), b.trim(), problem.unknowns[output].name.as_str());
                let other = if a == unknown {
                    b
                } else if b == unknown {
                    a
                } else {
                    return None;
                };
                columns.iter().position(|column| column == other)
            });
            let dimensions = problem.coordinates.len();
            let points = condition.place.own_points();
            let stride = (points.len() / dimensions).div_ceil(MOST_DOTS).max(1);
            found.push(Samples {
                name: column.map_or_else(|| condition.name.clone(), |column| columns[column].clone()),
                points: points.chunks_exact(dimensions).step_by(stride).flatten().copied().collect(),
                values: column.map(|column| data[column].iter().step_by(stride).copied().collect()),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::{CpuEngine, Isa};
    use crate::init;
    use crate::problem::Document;

    #[test]
    fn a_costly_reference_is_drawn_where_it_is_known() {
        let text = |grid: usize| {
            format!(
                "[coordinates]\nx = [-1, 1]\nt = [0, 0.01]\n[parameters]\nd = 1e-3\nr = 5\n[unknowns]\nu = {{}}\n\
                 [network]\ndepth = 1\nwidth = 2\n[conditions.physics]\nplace = \"interior\"\n\
                 residual = \"u_t - d*u_xx - r*(u - u^3)\"\n[conditions.start]\nplace = \"t = 0\"\n\
                 residual = \"u - x^2*cos(pi*x)\"\n[conditions.around]\nplace = \"periodic x\"\n\
                 [reference]\nsolution = {{ u = \"allen-cahn\" }}\ngrid = {{ x = {grid}, t = 70 }}\n"
            )
        };
        for (points, known) in [(80, true), (20, false)] {
            let problem = Problem::parse(&text(points)).expect("a problem");
            let scorer = Scorer::new(&problem).expect("a reference");
            let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
            let theta = init::parameters(&problem).expect("parameters");
            let [field] = &fields(&problem, Some(&scorer), &mut engine, &theta)[..] else {
                panic!("one unknown")
            };
            let counts: Vec<_> = field.coordinates.iter().map(|c| c.values.len()).collect();
            assert_eq!(counts, if known { [80, 70] } else { [FINE, FINE] });
            assert_eq!(field.reference == scorer.references()[0], known);
            assert_eq!(field.predicted.len(), counts.iter().product::<usize>());
        }
    }

    #[test]
    fn data_are_where_they_were_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows: String = (0..1500).map(|i| format!("{0},{0}\n", f64::from(i) / 1500.0)).collect();
        std::fs::write(folder.path().join("data.csv"), format!("x,seen\n{rows}")).expect("written");
        let text = |residual: &str| {
            format!(
                "[coordinates]\nx = [0, 1]\n[unknowns]\nv = {{}}\nu = \"1 + x*net\"\n[conditions.physics]\n\
                 place = \"interior\"\nresidual = [\"u_x + u\", \"v_x\"]\n[conditions.measured]\n\
                 place = {{ file = \"data.csv\" }}\nresidual = \"{residual}\"\n"
            )
        };
        let found = |residual: &str| {
            let document = Document::parse("test.toml", &text(residual)).expect("TOML");
            let (problem, _) = document.build(folder.path()).expect("a problem");
            [0, 1].map(|output| samples(&problem, output))
        };
        let points: Vec<f64> = (0..750).map(|i| f64::from(2 * i) / 1500.0).collect();
        let expected =
            |name: &str, values| vec![Samples { name: name.into(), points: points.clone(), values }];
        for direct in ["u - seen", "seen-u"] {
            assert_eq!(found(direct), [vec![], expected("seen", Some(points.clone()))]);
        }
        // What was measured is another thing, but of this unknown.
        assert_eq!(found("2*u - seen"), [vec![], expected("measured", None)]);
    }
}
