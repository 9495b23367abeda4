//! What a sweep has so far: its runs' results, as a table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::config::Sweep;
use super::{figures, summary};
use crate::report::ReportError;
use crate::run::{RunError, RunOutcome, RunResult, StepLine, read_metrics, read_result, write_whole};

/// Version of the layout of `sweep.csv` and `sweep.json`.
const VERSION: u32 = 1;
/// Points of a loss curve that are kept for the figure.
const CURVE_POINTS: usize = 400;

/// Why a sweep's outputs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A figure.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// All runs of a sweep, in its order.
#[derive(Clone, Debug)]
pub struct Collection {
    /// One record a run.
    pub records: Vec<Record>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name, which is its folder's.
    pub name: String,
    /// How far it is.
    pub state: RecordState,
    /// What it came to, once it has ended.
    pub result: Option<RunResult>,
    /// Steps and losses, thinned out, once it has ended.
    pub curve: Vec<(f64, f64)>,
    /// Seconds and the greatest relative L2 error over the unknowns, wherever it was measured, once it has ended.
    pub errors: Vec<(f64, f64)>,
}

/// How far a run is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordState {
    /// There is no trace of it.
    New,
    /// It has begun and not ended.
    Unfinished,
    /// It has ended.
    Ended(RunOutcome),
    /// It could not be run.
    Failed(String),
}

impl RecordState {
    /// As written in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unfinished => "unfinished",
            Self::Ended(outcome) => outcome.name(),
            Self::Failed(_) => "failed",
        }
    }

    /// Is there nothing left to do?
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Ended(outcome) if *outcome != RunOutcome::Interrupted)
    }
}

impl Record {
    /// The lowest loss of the run; NaN if it has none.
    pub fn best_loss(&self) -> f64 {
        self.result.as_ref().map_or(f64::NAN, |result| result.loss.total)
    }

    /// The greatest relative L2 error over the unknowns; NaN if it has none.
    pub fn error(&self) -> f64 {
        self.result.as_ref().and_then(RunResult::error).unwrap_or(f64::NAN)
    }
}

/// The folder of a run.
pub(super) fn run_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join("runs").join(name)
}

/// Where it is written down that a run could not be run.
pub(super) fn failure_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("runs").join(format!("{name}.failed"))
}

impl Collection {
    /// Reads what there is of `sweep` in `folder`.
    ///
    /// # Errors
    ///
    /// If a file of a run is damaged or cannot be read.
    pub fn read(sweep: &Sweep, folder: &Path) -> Result<Self, RunError> {
        let record = |run| Record {
            name: sweep.name(run),
            state: RecordState::New,
            result: None,
            curve: vec![],
            errors: vec![],
        };
        let mut collection = Self { records: (0..sweep.len()).map(record).collect() };
        collection.refresh(folder)?;
        Ok(collection)
    }

    /// Looks at the folders of all runs that had not ended; says whether anything has changed.
    ///
    /// # Errors
    ///
    /// If a file of a run is damaged or cannot be read.
    pub fn refresh(&mut self, folder: &Path) -> Result<bool, RunError> {
        let mut changed = false;
        for record in self.records.iter_mut().filter(|record| !record.state.is_final()) {
            let path = run_folder(folder, &record.name);
            let state = match read_result(&path)? {
                Some(result) => {
                    let state = RecordState::Ended(result.outcome);
                    if record.result.as_ref() != Some(&result) {
                        let steps = read_metrics(&path)?;
                        (record.curve, record.errors) = (curve(&steps), errors(&steps));
                        record.result = Some(result);
                        changed = true;
                    }
                    state
                }
                None => match std::fs::read_to_string(failure_file(folder, &record.name)) {
                    Ok(reason) => RecordState::Failed(reason.trim().to_owned()),
                    Err(_) if path.is_dir() => RecordState::Unfinished,
                    Err(_) => RecordState::New,
                },
            };
            changed |= state != record.state;
            record.state = state;
        }
        Ok(changed)
    }

    /// Writes `sweep.csv`, `sweep.json`, `summary.md` and the figures into `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self, sweep: &Sweep, folder: &Path) -> Result<(), CollectError> {
        self.write_tables(sweep, folder)?;
        self.draw(sweep, folder)
    }

    /// The part of [`Collection::write`] that takes no time.
    pub(super) fn write_tables(&self, sweep: &Sweep, folder: &Path) -> Result<(), CollectError> {
        let table = self.table(sweep);
        write_whole(&folder.join("sweep.csv"), &csv_bytes(&table))?;
        let json = serde_json::to_string_pretty(&json(sweep, &table)).expect("plain data") + "\n";
        write_whole(&folder.join("sweep.json"), json.as_bytes())?;
        write_whole(&folder.join("summary.md"), summary::text(sweep, self).as_bytes())?;
        Ok(())
    }

    /// The figures alone.
    pub(super) fn draw(&self, sweep: &Sweep, folder: &Path) -> Result<(), CollectError> {
        for (name, figure) in figures::all(sweep, self) {
            write_whole(&folder.join(name), &figure.png()?)?;
        }
        Ok(())
    }

    /// The names of what else was measured of the runs.
    pub(super) fn measures(&self) -> Vec<String> {
        let results = self.records.iter().filter_map(|record| record.result.as_ref());
        let names: BTreeSet<&String> = results.flat_map(|result| result.measures.keys()).collect();
        names.into_iter().cloned().collect()
    }

    /// One row a run: its name, the value of every axis, and what it came to.
    fn table(&self, sweep: &Sweep) -> Vec<Map<String, Value>> {
        let results = || self.records.iter().filter_map(|record| record.result.as_ref());
        let terms: BTreeSet<&String> = results().flat_map(|result| result.loss.terms.keys()).collect();
        let unknowns: BTreeSet<&String> = results().flat_map(|result| result.unknowns.keys()).collect();
        let measures = self.measures();
        let row = |(run, record): (usize, &Record)| {
            let mut row = Map::new();
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
                row.insert(format!("rel_l2_{name}"), json!(errors.map(|errors| errors.rel_l2)));
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

fn csv_bytes(table: &[Map<String, Value>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(vec![]);
    let written = table.first().map_or(Ok(()), |row| writer.write_record(row.keys())).and_then(|()| {
        table.iter().try_for_each(|row| {
            writer.write_record(row.values().map(|cell| match cell {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }))
        })
    });
    written.expect("rows are equally long, and memory does not fail");
    writer.into_inner().expect("memory does not fail")
}

fn json(sweep: &Sweep, table: &[Map<String, Value>]) -> Value {
    let axes: Vec<_> = sweep
        .axes
        .iter()
        .map(|axis| {
            let values: Vec<_> = axis.values.iter().map(|value| &value.label).collect();
            json!({ "name": axis.name, "values": values })
        })
        .collect();
    json!({ "schema_version": VERSION, "title": sweep.title, "axes": axes, "runs": table })
}

/// Steps and losses, thinned out.
fn curve(steps: &[StepLine]) -> Vec<(f64, f64)> {
    let every = steps.len().div_ceil(CURVE_POINTS).max(1);
    let last = steps.len().saturating_sub(1);
    let kept = steps.iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last);
    kept.map(|(_, step)| (step.step as f64, step.loss)).collect()
}

/// Seconds and greatest errors.
fn errors(steps: &[StepLine]) -> Vec<(f64, f64)> {
    let measured = steps.iter().filter(|step| !step.rel_l2.is_empty());
    let greatest = |step: &StepLine| step.rel_l2.iter().map(|(_, error)| *error).fold(0.0, f64::max);
    measured.map(|step| (step.seconds, greatest(step))).collect()
}
