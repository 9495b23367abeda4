//! From a trained network to rows of numbers: where it is asked, for what, and in which format the answer goes.
//!
//! This module joins [`Trained`], [`points`](crate::points) and [`output`](crate::output); it knows no arguments and no
//! files but those that points come from.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::expr::{is_time, listed};
use crate::integrate::{Integral, integrate, integrate_scattered, integrate_within};
use crate::limits::MAX_MESH_NUMBERS;
use crate::output::{OutputError, Record, Table, WriteNumbers};
use crate::points::{Chunk, Points, PointsError, Wanted};
use crate::problem::{Axis, Coordinate, Coverage, Diagnostics, Language, Onto, Part, Problem};
use crate::trained::{Quantity, Trained, TrainedError};

/// Why something could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The network, or a formula.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// The points.
    #[error(transparent)]
    Points(#[from] PointsError),
    /// A number or a place.
    #[error(transparent)]
    Formula(#[from] Diagnostics),
    /// What was written is no point and no grid.
    #[error("{0}")]
    Wrong(String),
}

/// What was answered.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Answered {
    /// Points.
    pub points: usize,
    /// Those of them that lie outside the domain.
    pub outside: usize,
}

/// The coordinate that is time: the one called `t`, `tau`, `τ` or `time`.
pub fn time(problem: &Problem) -> Option<usize> {
    problem.coordinates.iter().position(|c| is_time(&c.name))
}

/// Writes a quantity at points in a format, a chunk at a time, until `stop` is set.
///
/// # Errors
///
/// If the points do not read, the format cannot hold them, or it cannot be written.
pub fn write(
    trained: &mut Trained,
    quantity: &Quantity,
    points: &mut Points,
    format: WriteNumbers,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> Result<Answered, OutputError> {
    let coordinates = trained.problem().coordinates.clone();
    let time = time(trained.problem());
    let names: Vec<String> =
        coordinates.iter().map(|c| c.name.clone()).chain(quantity.names().iter().cloned()).collect();
    let (layout, count) = (points.layout().clone(), points.count());
    let values = quantity.names().len();
    let coverage = covered(trained.problem());
    let mut answered = Answered::default();
    let mut rows = || {
        if stop.load(Ordering::Relaxed) {
            return Err(OutputError::Interrupted);
        }
        let Some(Chunk { points, data }) = points.next_chunk().map_err(refused)? else {
            return Ok(None);
        };
        let (found, outside) =
            answer(trained, quantity, coverage.as_ref(), &points, &data).map_err(refused)?;
        let rows = points.chunks_exact(coordinates.len());
        answered.points += rows.len();
        answered.outside += outside;
        let joined =
            rows.zip(found.chunks_exact(values)).flat_map(|(point, values)| point.iter().chain(values));
        Ok(Some(joined.copied().collect()))
    };
    let mut table = Table {
        names: &names,
        coordinates: coordinates.len(),
        time,
        layout: &layout,
        count,
        rows: &mut rows,
    };
    format(&mut table, out)?;
    Ok(answered)
}

/// What of the box of coordinates the domain of `problem` is, where shapes leave something out.
pub fn covered(problem: &Problem) -> Option<Coverage> {
    problem.geometry.as_ref().and_then(|_| Coverage::new(problem))
}

/// A quantity at `points` (rows of coordinates): `points × values`, row by row, NaN where `coverage`, which is
/// [`covered`], leaves the point out; and how many points lie outside of the domain.
///
/// # Errors
///
/// As for [`Trained::evaluate`].
pub fn answer(
    trained: &mut Trained,
    quantity: &Quantity,
    coverage: Option<&Coverage>,
    points: &[f64],
    data: &[Vec<f64>],
) -> Result<(Vec<f64>, usize), TrainedError> {
    let mut found = trained.evaluate(quantity, points, data)?;
    let coordinates = &trained.problem().coordinates;
    let rows = points.chunks_exact(coordinates.len());
    let mut outside = 0;
    for (row, values) in rows.zip(found.chunks_exact_mut(quantity.names().len())) {
        // What shapes leave out is no part of the answer.
        let cut_out = coverage.is_some_and(|coverage| !coverage.covers(row));
        if cut_out {
            values.fill(f64::NAN);
        }
        outside += usize::from(cut_out || !contains(coordinates, row));
    }
    Ok((found, outside))
}

fn refused(error: impl core::error::Error + Send + Sync + 'static) -> OutputError {
    OutputError::Rows(Box::new(error))
}

/// Does a point lie in the domain, rounding aside?
fn contains(coordinates: &[Coordinate], point: &[f64]) -> bool {
    coordinates.iter().zip(point).all(|(c, x)| {
        let slack = 1e-12 * (c.upper - c.lower);
        (c.lower - slack..=c.upper + slack).contains(x)
    })
}

/// Halvings of an interval in which a sign changes, to the last digit of its ends.
const HALVINGS: usize = 60;

/// Points at which `quantity`, one value, is zero: along coordinate `along`, between neighbours on the grid of `axes` at
/// which its signs differ, for every combination of the other coordinates.
///
/// # Errors
///
/// If the grid has more points than can be counted, or as for [`Trained::evaluate`].
pub fn zeros(
    trained: &mut Trained,
    quantity: &Quantity,
    axes: &[Vec<f64>],
    along: usize,
) -> Result<Vec<f64>, PredictError> {
    let coverage = covered(trained.problem());
    let mut others = axes.to_vec();
    others[along] = vec![axes[along][0]];
    let names = trained.problem().coordinates.iter().map(|c| c.name.clone()).collect();
    let mut others = Points::grid(names, others)?;
    let mut at =
        |points: &[f64]| answer(trained, quantity, coverage.as_ref(), points, &[]).map(|(found, _)| found);
    let mut found = vec![];
    while let Some(Chunk { points, .. }) = others.next_chunk()? {
        // The lower and the upper ends, and the value at the lower ones.
        let (mut low, mut high, mut values) = (vec![], vec![], vec![]);
        for row in points.chunks_exact(axes.len()) {
            let line: Vec<f64> = axes[along]
                .iter()
                .flat_map(|&x| {
                    row.iter().enumerate().map(move |(i, &other)| if i == along { x } else { other })
                })
                .collect();
            let here = at(&line)?;
            let pairs = line.chunks_exact(axes.len()).zip(&here).collect::<Vec<_>>();
            for ends in pairs.windows(2) {
                let [(from, a), (to, b)] = ends else { continue };
                if a.is_finite() && b.is_finite() && (**a < 0.0) != (**b < 0.0) {
                    low.extend_from_slice(from);
                    high.extend_from_slice(to);
                    values.push(**a);
                }
            }
        }
        for _ in 0..HALVINGS {
            let middle: Vec<f64> = low.iter().zip(&high).map(|(a, b)| 0.5 * (a + b)).collect();
            for (k, value) in at(&middle)?.into_iter().enumerate() {
                let end = if (value < 0.0) == (values[k] < 0.0) { &mut low } else { &mut high };
                end[k * axes.len() + along] = middle[k * axes.len() + along];
            }
        }
        found.extend(high);
    }
    Ok(found)
}

/// Integrals as a record: each value, and beside it how far it may be off.
pub fn record(integrals: &[(String, Integral)]) -> Record {
    let cells = |(name, integral): &(String, Integral)| {
        [(name.clone(), integral.value.into()), (format!("{name}_error"), integral.error.into())]
    };
    integrals.iter().flat_map(cells).collect()
}

/// The integrals of every value of a quantity over a place, `interior`, `region hole`, `wall`, `boundary` or a face such as
/// `x = 1`, by name; over several faces they are added up.
///
/// # Errors
///
/// If the place is none to integrate over, or the quantity needs data that do not belong to it.
pub fn integrals(
    trained: &mut Trained,
    quantity: &Quantity,
    over: &str,
) -> Result<Vec<(String, Integral)>, PredictError> {
    let place = trained.language().place("over", over)?;
    // On walls the components of the normal are known.
    let columns: Option<Vec<usize>> = quantity
        .columns()
        .iter()
        .map(|name| place.columns().iter().position(|column| column == name).filter(|_| place.is_drawn()))
        .collect();
    let Some(columns) = columns else {
        let columns = listed(quantity.columns());
        let normal = trained.language().columns().contains(&quantity.columns()[0]);
        let names = listed(quantity.names());
        let message = if normal {
            format!(
                "{names} takes the normal, which walls have and `{over}` has not: write --over wall, or --over \"wall of NAME\""
            )
        } else {
            format!("{names} has values where {columns} was measured, and nothing to integrate between")
        };
        return Err(PredictError::Wrong(message));
    };
    if !place.is_drawn() || place.periodic().is_some() {
        let message = "an integral is over `interior`, `boundary` or a face such as `x = 1`";
        return Err(PredictError::Wrong(message.into()));
    }
    let (coordinates, geometry) = (trained.problem().coordinates.clone(), trained.problem().geometry.clone());
    let parts = place.parts(&coordinates, geometry.as_ref(), 0);
    let values = quantity.names().len();
    let mut failure = None;
    let mut found = vec![];
    for (k, name) in quantity.names().iter().enumerate() {
        let mut at = |points: &[f64], normal: &[Vec<f64>]| {
            let data: Vec<Vec<f64>> = columns.iter().map(|&column| normal[column].clone()).collect();
            match trained.evaluate(quantity, points, &data) {
                Ok(all) => all.into_iter().skip(k).step_by(values).collect(),
                Err(error) => {
                    failure = Some(error);
                    vec![f64::NAN; points.len() / coordinates.len()]
                }
            }
        };
        let sum = parts.iter().map(|part| integral(part, &mut at)).reduce(Integral::plus);
        found.extend(sum.map(|sum| (name.clone(), sum)));
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(found),
    }
}

/// What lines through a body miss of it, relatively: where it is thinner than a ten-thousandth of them.
const THIN: f64 = 1e-8;

/// The integral over a part of a function of points, which come with the components of their normals, if they have any.
fn integral(part: &Part<'_>, mut f: impl FnMut(&[f64], &[Vec<f64>]) -> Vec<f64>) -> Integral {
    let length = part.bounds.len();
    match part.onto {
        Onto::Box => integrate(&part.bounds, &mut |rows| f(rows, &[])),
        Onto::Body(body) if body.bounds().count() <= 2 => {
            let mut within = |bounds: &[(f64, f64)]| {
                let spans = |row: &[f64]| body.spans(row);
                let Integral { value, error, points } =
                    integrate_within(bounds, body.last(), spans, &mut |rows| f(rows, &[]));
                Integral { value, error: error + THIN * value.abs(), points }
            };
            let Some(panels) = body.panels_of(&part.bounds) else { return within(&part.bounds) };
            // Slivers that reach just over the middle of a part would be seen by neither of two rules.
            let of_panel = |ends: (f64, f64)| {
                let mut bounds = part.bounds.clone();
                bounds[body.first()] = ends;
                within(&bounds)
            };
            let sum = panels.into_iter().map(of_panel).reduce(Integral::plus);
            sum.unwrap_or(Integral { value: 0.0, error: 0.0, points: 0 })
        }
        Onto::Body(body) => integrate_scattered(&part.bounds, &mut |rows| {
            let inside: Vec<bool> = rows.chunks_exact(length).map(|row| body.contains(row)).collect();
            let kept = rows.chunks_exact(length).zip(&inside).filter(|(_, inside)| **inside);
            let kept: Vec<f64> = kept.flat_map(|(row, _)| row).copied().collect();
            let mut values = f(&kept, &[]).into_iter();
            let value = |inside: &bool| if *inside { values.next().unwrap_or(f64::NAN) } else { 0.0 };
            inside.iter().map(value).collect()
        }),
        Onto::Wall(wall) => {
            let mut on_wall = |rows: &[f64]| {
                let (mut kept, mut normal) = (vec![], vec![]);
                let mut measures = vec![];
                for row in rows.chunks_exact(length) {
                    let mut row = row.to_vec();
                    // Where the wall is not there at this time, it is nothing.
                    let there = part.settle(&mut row, &mut normal);
                    measures.push(there.then(|| wall.measure_at(&row)));
                    kept.extend(row.iter().filter(|_| there));
                }
                let mut values = f(&kept, &normal).into_iter();
                let mut value = |measure| measure * values.next().unwrap_or(f64::NAN);
                measures.into_iter().map(|measure| measure.map_or(0.0, &mut value)).collect()
            };
            let of_piece = |ends: (f64, f64)| {
                let mut bounds = part.bounds.clone();
                bounds[wall.axes()[0]] = ends;
                integrate(&bounds, &mut on_wall)
            };
            let sum = wall.pieces().into_iter().map(of_piece).reduce(Integral::plus);
            sum.unwrap_or(Integral { value: 0.0, error: 0.0, points: 0 })
        }
    }
}

/// The values in `x=0.3,t=0.5`: for every coordinate its value, if it has one.
///
/// # Errors
///
/// Where that is not what `text` says.
pub fn values(language: &Language, problem: &Problem, text: &str) -> Result<Vec<Option<f64>>, PredictError> {
    let mut values = vec![None; problem.coordinates.len()];
    for (i, value) in parts(problem, text, "x=0.3")? {
        let x = language.number("at", value, &problem.coordinates[i].name)?;
        values[i] = Some(x);
    }
    Ok(values)
}

/// The values along every coordinate in `x=256,t=0:1:100`, if it has some: a number of them over the whole domain, or the
/// first, the last, and how many.
///
/// # Errors
///
/// Where that is not what `text` says.
pub fn axes(
    language: &Language,
    problem: &Problem,
    text: &str,
) -> Result<Vec<Option<Vec<f64>>>, PredictError> {
    let mut axes = vec![None; problem.coordinates.len()];
    for (i, spec) in parts(problem, text, "x=256")? {
        let c = &problem.coordinates[i];
        let wrong = |why: &str| {
            let name = &c.name;
            PredictError::Wrong(format!(
                "{name}={spec}: {why}; write how many values ({name}=100), or first, last and how many \
                 ({name}=0:1:100, a single one {name}=0.5:0.5:1)"
            ))
        };
        let (ends, count) = match spec.split(':').map(str::trim).collect::<Vec<_>>()[..] {
            [count] => (None, count),
            [from, to, count] => {
                let end = |text| language.number("grid", text, &c.name);
                (Some((end(from)?, end(to)?)), count)
            }
            _ => return Err(wrong("this is no axis")),
        };
        let points = count.parse().map_err(|_| wrong("this is no number of values"))?;
        if !(1..=MAX_MESH_NUMBERS).contains(&points) {
            return Err(wrong(&format!("an axis has from 1 to {MAX_MESH_NUMBERS} values")));
        }
        let (from, to) = ends.unwrap_or((c.lower, c.upper));
        match points {
            1 if from != to => return Err(wrong("one value cannot be at both ends")),
            2.. if from >= to => return Err(wrong("the first value is below the last")),
            _ => axes[i] = Some(Axis { from, to, points }.values().collect()),
        }
    }
    Ok(axes)
}

/// `NAME=…` by coordinate, with commas between.
fn parts<'a>(problem: &Problem, text: &'a str, example: &str) -> Result<Vec<(usize, &'a str)>, PredictError> {
    let wrong = |message| Err(PredictError::Wrong(message));
    let mut parts: Vec<(usize, &str)> = vec![];
    for part in text.split(',') {
        let Some((name, value)) = part.split_once('=') else {
            return wrong(format!("`{}`: write NAME=VALUE, such as {example}", part.trim().escape_debug()));
        };
        let name = name.trim();
        let Some(i) = problem.coordinates.iter().position(|c| c.name == name) else {
            let names: Vec<_> = problem.coordinates.iter().map(|c| c.name.as_str()).collect();
            return wrong(format!(
                "`{}` is not a coordinate; the coordinates are {}",
                name.escape_debug(),
                listed(&names)
            ));
        };
        if parts.iter().any(|(known, _)| *known == i) {
            return wrong(format!("`{name}` has two values in `{}`", text.escape_debug()));
        }
        parts.push((i, value.trim()));
    }
    Ok(parts)
}

/// A value for every coordinate that has none and that `quantity` does not change along: the lower end of its domain.
///
/// Of a region made of shapes a point within it, where none of its coordinates matters; else all of them have to be stated.
pub fn fill<T>(problem: &Problem, quantity: &Quantity, values: &mut [Option<T>], value: impl Fn(f64) -> T) {
    let axes = problem.geometry.iter().flat_map(|geometry| geometry.domain.bounds());
    let axes: Vec<usize> = axes.map(|(axis, _)| axis).collect();
    // Of a region a point is needed that lies in it, if one is needed at all.
    let open = axes.iter().all(|&i| values[i].is_none() && !quantity.changes_along(problem, i));
    let middle = (open && !axes.is_empty()).then(|| problem.middle());
    for (i, (coordinate, slot)) in problem.coordinates.iter().zip(values).enumerate() {
        if axes.contains(&i) {
            if let Some(middle) = &middle {
                *slot = Some(value(middle[i]));
            }
        } else if slot.is_none() && !quantity.changes_along(problem, i) {
            *slot = Some(value(coordinate.lower));
        }
    }
}

/// The names of coordinates that have no value.
pub fn missing<T>(problem: &Problem, values: &[Option<T>]) -> Vec<String> {
    let without = problem.coordinates.iter().zip(values).filter(|(_, value)| value.is_none());
    without.map(|(c, _)| c.name.clone()).collect()
}

/// What points from a file have to have, where `fixed` are the coordinates that they leave out.
pub fn wanted(problem: &Problem, fixed: Vec<Option<f64>>, quantity: &Quantity) -> Wanted {
    let coordinates = problem.coordinates.iter().map(|c| c.name.clone()).collect();
    Wanted { coordinates, time: time(problem), fixed, columns: quantity.columns().to_vec() }
}
