//! What a sweep has so far: its runs, how far they are, and their results.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rayon::prelude::*;

use super::config::Sweep;
use crate::run::{RunError, RunOutcome, RunResult, StepLine, read_metrics, read_result};

/// Points of a loss curve that are kept for the figure.
const CURVE_POINTS: usize = 400;

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
    /// What happened during it, once that has been drawn: the steps of many runs are more than a memory holds.
    pub(super) history: OnceLock<History>,
}

/// What happened during a run.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Steps and losses, thinned out.
    pub(super) losses: Vec<(f64, f64)>,
    /// Seconds and the greatest relative L2 error over the unknowns, wherever it was measured.
    pub(super) errors: Vec<(f64, f64)>,
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

    /// What happened during the run, read when it is first asked for.
    pub(super) fn history(&self, folder: &Path) -> Result<&History, RunError> {
        if let Some(history) = self.history.get() {
            return Ok(history);
        }
        let steps = read_metrics(&run_folder(folder, &self.name))?.content;
        Ok(self.history.get_or_init(|| History { losses: losses(&steps), errors: errors(&steps) }))
    }

    /// Looks at the run's folder; says whether anything has changed.
    pub(super) fn refresh(&mut self, folder: &Path) -> Result<bool, RunError> {
        let mut changed = false;
        let path = run_folder(folder, &self.name);
        let state = match read_result(&path)?.content {
            Some(result) => {
                let state = RecordState::Ended(result.outcome);
                if self.result.as_ref() != Some(&result) {
                    (self.result, self.history) = (Some(result), OnceLock::new());
                    changed = true;
                }
                state
            }
            None => match std::fs::read_to_string(failure_file(folder, &self.name)) {
                Ok(reason) => RecordState::Failed(reason.trim().to_owned()),
                Err(_) if path.is_dir() => RecordState::Unfinished,
                Err(_) => RecordState::New,
            },
        };
        changed |= state != self.state;
        self.state = state;
        Ok(changed)
    }
}

/// How many runs of a sweep have come to which end, all shards together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Ended well.
    pub done: usize,
    /// Ended without the tolerance that was asked for.
    pub missed: usize,
    /// Ended with a loss that is not finite.
    pub diverged: usize,
    /// Could not be run.
    pub failed: usize,
    /// Not begun, or not ended.
    pub left: usize,
}

impl Tally {
    /// Counts the records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut tally = Self::default();
        for record in records {
            let count = match record.state {
                RecordState::Ended(RunOutcome::Done) => &mut tally.done,
                RecordState::Ended(RunOutcome::ToleranceNotReached) => &mut tally.missed,
                RecordState::Ended(RunOutcome::Diverged) => &mut tally.diverged,
                RecordState::Failed(_) => &mut tally.failed,
                RecordState::New | RecordState::Unfinished | RecordState::Ended(RunOutcome::Interrupted) => {
                    &mut tally.left
                }
            };
            *count += 1;
        }
        tally
    }
}

/// The folder of a run.
pub(super) fn run_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join("runs").join(name)
}

/// Where it is written down that a run could not be run.
pub(super) fn failure_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("runs").join(failure_name(name))
}

fn failure_name(name: &str) -> String {
    format!("{name}.failed")
}

/// What is in `folder`; nothing where it is not there.
fn names(folder: &Path) -> Result<HashSet<String>, RunError> {
    let failed = |source| RunError::Io { action: "read", path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.map_err(failed)?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect::<Result<_, _>>().map_err(failed)
}

impl Collection {
    /// Reads what there is of `sweep` in `folder`; a run whose result is damaged has not ended.
    ///
    /// # Errors
    ///
    /// If a file of a run cannot be read.
    pub fn read(sweep: &Sweep, folder: &Path) -> Result<Self, RunError> {
        let record = |run| Record {
            name: sweep.name(run),
            state: RecordState::New,
            result: None,
            history: OnceLock::new(),
        };
        let mut collection = Self { records: (0..sweep.len()).map(record).collect() };
        collection.refresh(folder)?;
        Ok(collection)
    }

    /// Looks at the folders of all runs that had not ended; says whether anything has changed.
    ///
    /// # Errors
    ///
    /// If a file of a run cannot be read.
    pub fn refresh(&mut self, folder: &Path) -> Result<bool, RunError> {
        // Of most runs there may be no trace yet; one look at the folder says so of all.
        let there = names(&folder.join("runs"))?;
        let look = |record: &mut Record| {
            let is_there = there.contains(&record.name) || there.contains(&failure_name(&record.name));
            if is_there || record.state != RecordState::New { record.refresh(folder) } else { Ok(false) }
        };
        let left = self.records.par_iter_mut().filter(|record| !record.state.is_final());
        left.map(look).try_reduce(|| false, |one, other| Ok(one | other))
    }

    /// How many runs have ended.
    pub(super) fn ended(&self) -> usize {
        self.records.iter().filter(|record| record.state.is_final()).count()
    }

    /// The names of what else was measured of the runs.
    pub(super) fn measures(&self) -> Vec<String> {
        let results = self.records.iter().filter_map(|record| record.result.as_ref());
        let names: BTreeSet<&String> = results.flat_map(|result| result.measures.keys()).collect();
        names.into_iter().cloned().collect()
    }
}

/// Steps and losses, thinned out.
fn losses(steps: &[StepLine]) -> Vec<(f64, f64)> {
    let every = steps.len().div_ceil(CURVE_POINTS).max(1);
    let last = steps.len().saturating_sub(1);
    let kept = steps.iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last);
    kept.map(|(_, step)| (step.step as f64, step.loss)).collect()
}

/// Seconds and greatest errors.
fn errors(steps: &[StepLine]) -> Vec<(f64, f64)> {
    let all = |step: &StepLine| [&step.rel_l2[..], &step.rms_error].concat();
    let measured = steps.iter().filter(|step| !(step.rel_l2.is_empty() && step.rms_error.is_empty()));
    let greatest = |step: &StepLine| all(step).iter().map(|(_, error)| *error).fold(0.0, f64::max);
    measured.map(|step| (step.seconds, greatest(step))).collect()
}
