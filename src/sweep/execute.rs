//! Runs what is left of a sweep.
//!
//! Several threads take one run after the other; several processes may do so in the same folder, since a run belongs
//! to the process that has locked it.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::collect::{Collection, Record, failure_file, run_folder};
use super::config::{Sweep, SweepError};
use super::outputs::OutputError;
use crate::run::{Resumed, RunDirectory, RunError, read_resolved, write_whole};

/// Why a sweep could not go on; a single run that fails is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A combination that is no valid problem.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A run's folder holds a run of another configuration.
    #[error("{0} was made by another configuration; choose another --out, or remove it")]
    Other(PathBuf),
    /// A file.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl From<RunError> for ExecuteError {
    fn from(error: RunError) -> Self {
        Self::Output(error.into())
    }
}

/// Every `of`-th run, from the `index`-th on, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// From 1 to `of`.
    pub index: usize,
    /// Into how many parts the sweep is divided.
    pub of: usize,
}

impl Shard {
    /// All runs.
    pub const ALL: Self = Self { index: 1, of: 1 };

    /// Is run number `run` (from 0) one of them?
    pub fn has(self, run: usize) -> bool {
        run % self.of == self.index - 1
    }
}

/// What the runs of a sweep are, and how one of them is computed, by several threads at once.
pub trait Experiment: Sync {
    /// Is run `run` a valid combination, and if its folder holds a run already, as its file `resolved.toml` says, the
    /// same one?
    ///
    /// # Errors
    ///
    /// If it is no valid combination.
    fn check(&self, run: usize, folder: &Path, resolved: Option<&str>) -> Result<bool, SweepError>;

    /// Computes run `run` and leaves its result in `directory`; ends at its next step once `stop` is set.
    ///
    /// # Errors
    ///
    /// Why it could not be run; that it diverged is a result.
    fn begin(&self, run: usize, directory: RunDirectory, stop: &AtomicBool) -> Result<(), ExperimentError>;

    /// Goes on with what [`Experiment::begin`] has left.
    ///
    /// # Errors
    ///
    /// As [`Experiment::begin`].
    fn go_on(&self, run: usize, resumed: Resumed, stop: &AtomicBool) -> Result<(), ExperimentError>;
}

/// Why a run could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// Its folder: it may be another process's, or have come to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl ExperimentError {
    /// Any error.
    pub fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// A sweep, where it is kept, and how it is run.
#[derive(Clone)]
pub struct Plan<'a> {
    /// The sweep.
    pub sweep: &'a Sweep,
    /// Its folder.
    pub folder: PathBuf,
    /// The runs that are this process's business.
    pub shard: Shard,
    /// Runs at the same time.
    pub jobs: usize,
    /// Draw the figures and write the page?
    pub draw: bool,
    /// What every one of them does.
    pub experiment: &'a dyn Experiment,
}

/// What a watcher is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run begins, or goes on.
    Started {
        /// Its name.
        name: &'a str,
        /// Does it go on from a checkpoint?
        resumed: bool,
    },
    /// A run goes on from an older checkpoint than its last.
    Damaged {
        /// Its name.
        name: &'a str,
        /// What is wrong with the last one.
        what: &'a str,
    },
    /// A run has ended, or failed.
    Ended(&'a Record),
    /// Another process is at this run.
    Elsewhere {
        /// Its name.
        name: &'a str,
    },
}

impl Plan<'_> {
    /// Checks every run, changing nothing: all combinations are valid, and what is in the folder is theirs.
    ///
    /// # Errors
    ///
    /// The first combination that is not, or a folder that holds something else.
    pub fn check(&self) -> Result<Collection, ExecuteError> {
        let check = |run| {
            let path = run_folder(&self.folder, &self.sweep.name(run));
            match self.experiment.check(run, &path, read_resolved(&path)?.as_deref())? {
                true => Ok(()),
                false => Err(ExecuteError::Other(path)),
            }
        };
        let wrong = (0..self.sweep.len()).into_par_iter().find_map_first(|run| check(run).err());
        wrong.map_or(Ok(()), Err)?;
        Ok(Collection::read(self.sweep, &self.folder)?)
    }
}

/// Runs all runs of the plan that have not ended. The sweep's tables are brought up to date after each as long as that
/// takes a twentieth of the time, else whenever a tenth more runs have ended; its figures, which take longer than a short
/// run, whenever a tenth more runs have ended; and both at the end. So the work beside the runs grows as N·log N.
///
/// `collection` is what [`Plan::check`] has found; what there is at the end comes back.
/// Runs that fail or diverge are recorded, and the others go on.
/// Once `stop` is set, runs end at their next step and no further ones begin.
///
/// # Errors
///
/// If nothing can be started, or the outputs cannot be written.
pub fn execute(
    plan: &Plan,
    collection: Collection,
    stop: &AtomicBool,
    watch: &(dyn Fn(Event) + Sync),
) -> Result<Collection, ExecuteError> {
    let runs = plan.folder.join("runs");
    let made = fs::create_dir_all(&runs);
    made.map_err(|source| RunError::Io { action: "make the folder", path: runs, source })?;
    write_whole(&plan.folder.join("sweep.toml"), plan.sweep.to_toml().as_bytes())?;
    let todo: Vec<usize> = (0..plan.sweep.len())
        .filter(|&run| plan.shard.has(run) && !collection.records[run].state.is_final())
        .collect();
    let progress = Progress { ended: collection.ended(), collection, written: None, drawn: 0 };
    let shared = Shared { plan, stop, watch, progress: Mutex::new(progress), failure: Mutex::new(None) };
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.clamp(1, todo.len().max(1)) {
            scope.spawn(|| {
                while let Some(&run) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) || shared.has_failed() {
                        break;
                    }
                    shared.run(run);
                }
            });
        }
    });
    if let Some(failure) = shared.failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        return Err(failure.into());
    }
    let mut progress = shared.progress.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    (progress.written, progress.drawn) = (None, 0);
    progress.bring_up_to_date(plan)?;
    Ok(progress.collection)
}

/// What the threads share.
struct Shared<'a> {
    plan: &'a Plan<'a>,
    stop: &'a AtomicBool,
    watch: &'a (dyn Fn(Event) + Sync),
    progress: Mutex<Progress>,
    /// The first failure to write the outputs.
    failure: Mutex<Option<OutputError>>,
}

impl Shared<'_> {
    fn has_failed(&self) -> bool {
        self.failure.lock().is_ok_and(|failure| failure.is_some())
    }

    fn run(&self, run: usize) {
        let Plan { sweep, folder, .. } = self.plan;
        let name = sweep.name(run);
        let failed = failure_file(folder, &name);
        // Whatever happens in a run, the others go on.
        let result = catch_unwind(AssertUnwindSafe(|| self.work(run, &name)));
        let written = match result {
            Ok(Ok(())) => match fs::remove_file(&failed) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    Err(RunError::Io { action: "remove", path: failed, source })
                }
                _ => Ok(()),
            },
            Ok(Err(ExperimentError::Run(RunError::Busy(_)))) => {
                return (self.watch)(Event::Elsewhere { name: &name });
            }
            // Another process has finished it in the meantime.
            Ok(Err(ExperimentError::Run(RunError::Ended { .. }))) => Ok(()),
            Ok(Err(failure)) => write_whole(&failed, format!("{failure}\n").as_bytes()),
            Err(_) => write_whole(&failed, b"the program panicked; its message is on stderr\n"),
        };
        let mut progress = self.progress.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let written = written.map_err(Into::into).and_then(|()| progress.ended(run, self.plan));
        (self.watch)(Event::Ended(&progress.collection.records[run]));
        if let (Err(error), Ok(mut failure)) = (written, self.failure.lock()) {
            failure.get_or_insert(error);
        }
    }

    fn work(&self, run: usize, name: &str) -> Result<(), ExperimentError> {
        let path = run_folder(&self.plan.folder, name);
        let started = |resumed| (self.watch)(Event::Started { name, resumed });
        // A folder that is still empty is of a process that was killed at its very beginning.
        let _ = fs::remove_dir(&path);
        match RunDirectory::create(&path) {
            Ok(directory) => {
                started(false);
                self.plan.experiment.begin(run, directory, self.stop)
            }
            Err(RunError::Exists(_)) => {
                started(true);
                let resumed = RunDirectory::resume(&path)?;
                for what in &resumed.damaged {
                    (self.watch)(Event::Damaged { name, what });
                }
                self.plan.experiment.go_on(run, resumed, self.stop)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What there is of the sweep.
struct Progress {
    collection: Collection,
    /// How many of its runs have ended.
    ended: usize,
    /// When the tables were written, how long it took, and how many runs had ended.
    written: Option<(Instant, Duration, usize)>,
    /// How many runs had ended when the figures were drawn.
    drawn: usize,
}

/// Have a tenth more runs ended than the `before` that had?
fn a_tenth_more(before: usize, now: usize) -> bool {
    10 * now >= 11 * before
}

impl Progress {
    /// Reads what run `run` came to, and writes the outputs where they are due.
    fn ended(&mut self, run: usize, plan: &Plan) -> Result<(), OutputError> {
        let record = &mut self.collection.records[run];
        let had_ended = record.state.is_final();
        record.refresh(&plan.folder)?;
        self.ended += usize::from(record.state.is_final() && !had_ended);
        let ended = self.ended;
        let tables = self
            .written
            .is_none_or(|(at, took, before)| at.elapsed() >= 20 * took || a_tenth_more(before, ended));
        match tables || plan.draw && a_tenth_more(self.drawn, ended) {
            true => self.bring_up_to_date(plan),
            false => Ok(()),
        }
    }

    /// Reads what is new and writes the outputs, again where another process finished a run in the meantime: the last
    /// one to write has seen everything.
    fn bring_up_to_date(&mut self, plan: &Plan) -> Result<(), OutputError> {
        let Self { collection, ended, written, drawn } = self;
        let mut begin = Instant::now();
        collection.refresh(&plan.folder)?;
        loop {
            collection.write_tables(plan.sweep, &plan.folder)?;
            *ended = collection.ended();
            *written = Some((Instant::now(), begin.elapsed(), *ended));
            begin = Instant::now();
            if plan.draw && a_tenth_more(*drawn, *ended) {
                collection.draw(plan.sweep, &plan.folder)?;
                *drawn = *ended;
            }
            if !collection.refresh(&plan.folder)? {
                return Ok(());
            }
        }
    }
}
