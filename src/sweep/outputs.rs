//! What a sweep leaves beside its runs: a table as CSV and JSON, a summary, and figures.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::collect::{Collection, Record, RecordState, run_folder};
use super::config::{Axis, Sweep};
use super::{figures, summary};
use crate::output;
use crate::page::{self, Axes, PAGE, Picture};
use crate::report::ReportError;
use crate::run::{RunError, RunResult, write_whole};

/// Version of the layout of `sweep.csv` and `sweep.json`.
const VERSION: u32 = 1;

/// Why a sweep's outputs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A figure.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl Collection {
    /// Writes `sweep.csv`, `sweep.json`, `summary.md`, the figures and the page into `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self, sweep: &Sweep, folder: &Path) -> Result<(), OutputError> {
        self.write_tables(sweep, folder)?;
        self.draw(sweep, folder)
    }

    /// The part of [`Collection::write`] that takes no time.
    pub(super) fn write_tables(&self, sweep: &Sweep, folder: &Path) -> Result<(), OutputError> {
        let table = self.table(sweep);
        let csv = output::by_ending("csv").records.expect("CSV holds records");
        write_whole(&folder.join("sweep.csv"), &csv(&table))?;
        let json = serde_json::to_string_pretty(&Json::new(sweep, &table)).expect("plain data") + "\n";
        write_whole(&folder.join("sweep.json"), json.as_bytes())?;
        write_whole(&folder.join("summary.md"), summary::text(sweep, self).as_bytes())?;
        Ok(())
    }

    /// The figures and the page alone.
    pub(super) fn draw(&self, sweep: &Sweep, folder: &Path) -> Result<(), OutputError> {
        let png = output::by_ending("png").picture.expect("PNG holds pictures");
        let mut pictures = vec![];
        for (name, figure) in figures::all(sweep, self, folder)? {
            let picture = Picture { png: png(&figure)?, name };
            write_whole(&folder.join(&picture.name), &picture.png)?;
            pictures.push(picture);
        }
        let link = |record: &Record| {
            let page = run_folder(folder, &record.name).join(PAGE);
            page.is_file().then(|| format!("runs/{}/{PAGE}", record.name))
        };
        let links: Vec<Option<String>> = self.records.iter().map(link).collect();
        let name = |axis: usize| sweep.axes[axis].name.as_str();
        let (across, compared) = (sweep.x.map(name), sweep.series.or(sweep.y).map(name));
        let axes = Axes { all: (0..sweep.axes.len()).map(name).collect(), across, compared };
        let about = format!("{} of {} runs have ended", self.ended(), self.records.len());
        let page = page::sweep(&sweep.title, &about, &axes, &self.table(sweep), &links, &pictures);
        write_whole(&folder.join(PAGE), page.as_bytes())?;
        Ok(())
    }

    /// One row a run: its name, the value of every axis, and what it came to.
    fn table(&self, sweep: &Sweep) -> Vec<output::Record> {
        let results = || self.records.iter().filter_map(|record| record.result.as_ref());
        let terms: BTreeSet<&String> = results().flat_map(|result| result.loss.terms.keys()).collect();
        let unknowns: BTreeSet<&String> = results().flat_map(|result| result.unknowns.keys()).collect();
        // Where some run's reference is zero, only absolute errors can be compared.
        let is_zero = |name: &&String| {
            let errors = |result: &RunResult| result.unknowns.get(*name).copied();
            results().filter_map(errors).any(|errors| errors.rel_l2.is_none() && errors.rms_error.is_finite())
        };
        let without_relative: BTreeSet<&String> = unknowns.iter().copied().filter(is_zero).collect();
        let measures = self.measures();
        let row = |(run, record): (usize, &Record)| {
            let mut row = output::Record::new();
            row.insert("run".into(), record.name.clone().into());
            for (axis, value) in sweep.axes.iter().zip(sweep.choices(run)) {
                let cell = match value.number {
                    Some(_) => value.toml.parse::<serde_json::Number>().map_or(Value::Null, Value::Number),
                    None => value.label.clone().into(),
                };
                row.insert(axis.name.clone(), cell);
            }
            row.insert("outcome".into(), record.state.name().into());
            let result = record.result.as_ref();
            row.insert("best_loss".into(), json!(result.map(|result| result.loss.total)));
            row.insert("final_loss".into(), json!(result.and_then(|result| result.final_loss)));
            for name in &terms {
                let term = result.and_then(|result| result.loss.terms.get(*name));
                row.insert(format!("loss_{name}"), json!(term));
            }
            for name in &unknowns {
                let errors = result.and_then(|result| result.unknowns.get(*name));
                row.insert(format!("rel_l2_{name}"), json!(errors.and_then(|errors| errors.rel_l2)));
                if without_relative.contains(name) {
                    row.insert(format!("rms_error_{name}"), json!(errors.map(|errors| errors.rms_error)));
                }
            }
            for name in &measures {
                row.insert(name.clone(), json!(result.and_then(|result| result.measures.get(name))));
            }
            row.insert("steps".into(), json!(result.map(|result| result.steps)));
            row.insert("seconds".into(), json!(result.map(|result| (1e3 * result.seconds).round() / 1e3)));
            let reason = match &record.state {
                RecordState::Failed(reason) => Some(reason),
                _ => result.and_then(|result| result.reason.as_ref()),
            };
            row.insert("reason".into(), json!(reason));
            row
        };
        self.records.iter().enumerate().map(row).collect()
    }
}

/// `sweep.json`.
#[derive(Serialize)]
struct Json<'a> {
    schema_version: u32,
    title: &'a str,
    axes: Vec<JsonAxis<'a>>,
    runs: &'a [output::Record],
}

#[derive(Serialize)]
struct JsonAxis<'a> {
    name: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Json<'a> {
    fn new(sweep: &'a Sweep, runs: &'a [output::Record]) -> Self {
        let axis = |axis: &'a Axis| JsonAxis {
            name: &axis.name,
            values: axis.values.iter().map(|value| value.label.as_str()).collect(),
        };
        let axes = sweep.axes.iter().map(axis).collect();
        Self { schema_version: VERSION, title: &sweep.title, axes, runs }
    }
}
