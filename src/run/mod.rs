//! The run directory: what a run leaves behind.
//!
//! A directory is made once and never overwritten; files are written aside, synced and renamed.
//! The folder is synced after every checkpoint: what a power cut takes of the rest can be had again from there.
//! This module knows files; it does not know how results come about.

mod checkpoint;
pub mod inputs;
mod metrics;
mod result;
mod settings;

use std::borrow::Borrow;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::limits::MAX_CHECKPOINT_BYTES;
use crate::train::State;

pub use checkpoint::{CHECKPOINT_VERSION, Checkpoint, CheckpointError};
pub use metrics::{StepLine, read_metrics};
pub use result::{
    BandResult, CombinationResult, Loss, RESULT_VERSION, ResidualResult, RunOutcome, RunResult,
    TrainableResult, UnknownResult, peak_memory_bytes,
};
pub use settings::RunSettings;

/// A file that a run can do without, as far as it reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Found<T> {
    /// What it says; what it would say if it were empty where it does not read.
    pub content: T,
    /// What is wrong with it and what was done about it, in a sentence.
    pub damaged: Option<String>,
}

impl<T> Found<T> {
    fn whole(content: T) -> Self {
        Self { content, damaged: None }
    }
}

/// Why a run directory could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The path is taken.
    #[error("{0} exists already; a run never overwrites another: choose another --out, or remove it")]
    Exists(PathBuf),
    /// Another process writes to it.
    #[error("{0} is being worked on by another process; wait until that has ended")]
    Busy(PathBuf),
    /// There is no run to go on with.
    #[error("{0} is no run of pinn-solve: it has no {1}")]
    NoRun(PathBuf, &'static str),
    /// The run has come to its end.
    #[error(
        "{path} has ended ({outcome}) after {steps} steps; to train for longer, run its problem anew with more: \
         pinn-solve --problem {path}/resolved.toml --steps {}",
        steps.saturating_mul(2)
    )]
    Ended {
        /// Its folder.
        path: PathBuf,
        /// How it has ended.
        outcome: &'static str,
        /// Steps that it has taken.
        steps: usize,
    },
    /// The state of the run cannot be taken up.
    #[error("{path}: {source}")]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// A file of ours that does not read as one.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The names of a run's files.
const RESOLVED: &str = "resolved.toml";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const PREVIOUS: &str = "checkpoint.previous.safetensors";
const RESULT: &str = "result.json";

/// Is `name` that of a file that a run is made of, as opposed to what was drawn or asked of it?
pub fn is_run_file(name: &str) -> bool {
    name == "problem.toml"
        || [RESOLVED, METRICS, CHECKPOINT, PREVIOUS, RESULT, settings::SETTINGS].contains(&name)
}

/// A folder that belongs to one run, and to this process for as long as it lives.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Locked against other processes; nothing at all is written where there is none.
    metrics: Option<BufWriter<File>>,
}

/// A run that goes on.
#[derive(Debug)]
pub struct Resumed {
    /// Its folder; `metrics.jsonl` goes on after the checkpoint.
    pub directory: RunDirectory,
    /// Where training stood; `None` if nothing was written down yet.
    pub checkpoint: Option<Checkpoint>,
    /// Files that were damaged, a sentence for each: the last checkpoint, for which the one before it was taken, and
    /// the result.
    pub damaged: Vec<String>,
}

impl RunDirectory {
    /// Makes `path`, which must not exist.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        make_folder(path)?;
        Self::open(path.to_owned())
    }

    /// Makes `parent/name`, or `parent/name-2`, `-3`, … where that is taken.
    pub fn create_in(parent: &Path, name: &str) -> Result<Self, RunError> {
        Self::open(make_folder_in(parent, name)?)
    }

    fn open(path: PathBuf) -> Result<Self, RunError> {
        let metrics = path.join(METRICS);
        let file = File::create_new(&metrics);
        let file = file.map_err(|source| RunError::Io { action: "write", path: metrics, source })?;
        lock(&file, &path)?;
        Ok(Self { path, metrics: Some(BufWriter::new(file)) })
    }

    /// The folder `path` of a run to which another process writes.
    pub fn of_another(path: &Path) -> Self {
        Self { path: path.to_owned(), metrics: None }
    }

    /// Does this process write to it?
    pub fn is_own(&self) -> bool {
        self.metrics.is_some()
    }

    /// Takes up the run in `path` where its last checkpoint stands.
    ///
    /// Lines of `metrics.jsonl` after the checkpoint are dropped, since those steps are taken again.
    /// A damaged checkpoint gives way to the one before it; a damaged result counts as none.
    ///
    /// # Errors
    ///
    /// If there is no run, another process is at it, it has ended, or no checkpoint of it can be taken up.
    pub fn resume(path: &Path) -> Result<Resumed, RunError> {
        let name = path.join(METRICS);
        // Where the steps were noted can be lost; what is a run without its problem cannot.
        let create = path.join(RESOLVED).is_file();
        let mut file = match File::options().read(true).write(true).create(create).truncate(false).open(&name)
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunError::NoRun(path.to_owned(), METRICS));
            }
            file => file.map_err(|source| RunError::Io { action: "open", path: name.clone(), source })?,
        };
        lock(&file, path)?;
        let result = read_result(path)?;
        match result.content {
            Some(RunResult { outcome, steps, .. }) if outcome != RunOutcome::Interrupted => {
                return Err(RunError::Ended { path: path.to_owned(), outcome: outcome.name(), steps });
            }
            _ => {}
        }
        remove_leftovers(path)?;
        let LastCheckpoint { checkpoint, damaged, is_previous } = read_last_checkpoint(path)?;
        if is_previous {
            // The next checkpoint pushes this one aside, which must be the good one.
            let last = path.join(CHECKPOINT);
            let renamed = fs::rename(path.join(PREVIOUS), &last).and_then(|()| sync_folder_of(&last));
            renamed.map_err(|source| RunError::Io { action: "write", path: last, source })?;
        }
        let step = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.state.step);
        let mut text = vec![];
        let cut = file
            .read_to_end(&mut text)
            .and_then(|_| file.set_len(metrics::length_until(&text, step)))
            .and_then(|()| file.seek(io::SeekFrom::End(0)));
        cut.map_err(|source| RunError::Io { action: "continue", path: name, source })?;
        let directory = Self { path: path.to_owned(), metrics: Some(BufWriter::new(file)) };
        Ok(Resumed { directory, checkpoint, damaged: result.damaged.into_iter().chain(damaged).collect() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file as [`write_whole`] does.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        if !self.is_own() {
            return Ok(());
        }
        write_whole(&self.path.join(name), content)
    }

    /// Writes the state down; the checkpoint before it is kept under another name.
    pub fn write_checkpoint(&mut self, checkpoint: &Checkpoint<impl Borrow<State>>) -> Result<(), RunError> {
        // A checkpoint must not know of steps that a power cut takes from the metrics.
        self.flush()?;
        let Some(metrics) = &self.metrics else { return Ok(()) };
        metrics.get_ref().sync_data().map_err(|source| self.metrics_error(source))?;
        let path = self.path.join(CHECKPOINT);
        replace(&path, &checkpoint.to_bytes(), || match fs::rename(&path, self.path.join(PREVIOUS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })?;
        sync_folder_of(&path).map_err(|source| RunError::Io { action: "write", path, source })
    }

    /// Removes the checkpoint before the last one, of which nothing goes on once the run has ended.
    pub fn remove_previous_checkpoint(&self) -> Result<(), RunError> {
        if !self.is_own() {
            return Ok(());
        }
        let path = self.path.join(PREVIOUS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(RunError::Io { action: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// The steps in `metrics.jsonl`; none where another process writes it.
    pub fn metrics(&mut self) -> Result<Vec<StepLine>, RunError> {
        if !self.is_own() {
            return Ok(vec![]);
        }
        self.flush()?;
        Ok(read_metrics(&self.path)?.content)
    }

    /// Adds a line to `metrics.jsonl`.
    pub fn log(&mut self, line: &serde_json::Value) -> Result<(), RunError> {
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        writeln!(metrics, "{line}").map_err(|source| self.metrics_error(source))
    }

    /// Brings all lines of `metrics.jsonl` to the file.
    pub fn flush(&mut self) -> Result<(), RunError> {
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        metrics.flush().map_err(|source| self.metrics_error(source))
    }

    fn metrics_error(&self, source: io::Error) -> RunError {
        RunError::Io { action: "write", path: self.path.join(METRICS), source }
    }
}

/// Makes the folder `path`, which must not exist, in parents that may.
pub fn make_folder(path: &Path) -> Result<(), RunError> {
    make_parents(path)?;
    fs::create_dir(path).and_then(|()| sync_folder_of(path)).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => RunError::Exists(path.to_owned()),
        _ => RunError::Io { action: "make the folder", path: path.to_owned(), source: error },
    })
}

/// Makes the folder `parent/name`, or `parent/name-2`, `-3`, … where that is taken; returns which.
pub fn make_folder_in(parent: &Path, name: &str) -> Result<PathBuf, RunError> {
    for attempt in 1.. {
        let path = match attempt {
            1 => parent.join(name),
            n => parent.join(format!("{name}-{n}")),
        };
        match make_folder(&path) {
            Err(RunError::Exists(_)) => {}
            result => return result.map(|()| path),
        }
    }
    unreachable!("some number is free")
}

/// Writes a file in one piece: whoever looks sees the old one or the new one, never half of it.
///
/// Two processes that write the same file at once do not disturb one another; one of the two remains.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), RunError> {
    replace(path, content, || Ok(()))
}

/// As [`write_whole`], for content that `write` makes as it goes.
///
/// # Errors
///
/// What `write` says; or that the file cannot be written.
pub fn write_as_it_comes<T, E: From<RunError>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    replace_as_it_comes(path, write, || Ok(()))
}

/// As [`write_whole`]; `before` is called once the content is safe and has not yet taken its place.
fn replace(path: &Path, content: &[u8], before: impl FnOnce() -> io::Result<()>) -> Result<(), RunError> {
    let failed = |source| RunError::Io { action: "write", path: path.to_owned(), source };
    replace_as_it_comes(path, |file| file.write_all(content).map_err(failed), before)
}

fn replace_as_it_comes<T, E: From<RunError>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
    before: impl FnOnce() -> io::Result<()>,
) -> Result<T, E> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}{PART}", std::process::id()));
    let failed = |source| RunError::Io { action: "write", path: path.to_owned(), source };
    let written = || -> Result<T, E> {
        let mut file = BufWriter::new(File::create(&aside).map_err(failed)?);
        let made = write(&mut file)?;
        let synced = file.flush().and_then(|()| file.get_ref().sync_all());
        synced.and_then(|()| before()).and_then(|()| fs::rename(&aside, path)).map_err(failed)?;
        Ok(made)
    };
    written().inspect_err(|_| {
        // The error is what matters, and half a file is of no use.
        let _ = fs::remove_file(&aside);
    })
}

/// How the names of files end that are not yet whole.
const PART: &str = ".part";

/// Makes what was created or renamed to `path` outlive a power cut, where a folder can be synced (not on Windows).
fn sync_folder_of(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Removes what processes left that were killed as they wrote.
fn remove_leftovers(path: &Path) -> Result<(), RunError> {
    let removed = fs::read_dir(path).and_then(|entries| {
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(PART) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    });
    removed.map_err(|source| RunError::Io { action: "clean up", path: path.to_owned(), source })
}

/// The result of the run in `path`; `None` if it has none yet, or if that does not read.
pub fn read_result(path: &Path) -> Result<Found<Option<RunResult>>, RunError> {
    let name = path.join(RESULT);
    let Some(bytes) = read_file(name.clone())? else {
        return Ok(Found::whole(None));
    };
    Ok(match serde_json::from_slice(&bytes) {
        Ok(result) => Found::whole(Some(result)),
        Err(error) => {
            let damaged = format!("{} is damaged ({error}); the run counts as not ended", name.display());
            Found { content: None, damaged: Some(damaged) }
        }
    })
}

/// The resolved problem file of the run in `path`, whose inputs are what they were; `None` if there is none.
pub fn read_resolved(path: &Path) -> Result<Option<String>, RunError> {
    let Some(bytes) = read_file(path.join(RESOLVED))? else {
        return Ok(None);
    };
    inputs::check(path)?;
    let damaged = |_| RunError::Damaged { path: path.join(RESOLVED), reason: "it is not UTF-8 text".into() };
    String::from_utf8(bytes).map(Some).map_err(damaged)
}

/// What is written down of a run's state.
#[derive(Debug)]
pub struct LastCheckpoint {
    /// The last checkpoint that is whole; `None` if there is none yet.
    pub checkpoint: Option<Checkpoint>,
    /// The last one was damaged, in these words, and `checkpoint` is the one before it.
    pub damaged: Option<String>,
    /// Is it the one before the last?
    is_previous: bool,
}

/// The last checkpoint of the run in `path` that is whole.
///
/// Nothing is locked or changed, so that a run at work can be looked at.
///
/// # Errors
///
/// If the last one is damaged and there is none before it, or a file cannot be read.
pub fn read_last_checkpoint(path: &Path) -> Result<LastCheckpoint, RunError> {
    let (name, previous) = (path.join(CHECKPOINT), path.join(PREVIOUS));
    let last = |checkpoint| LastCheckpoint { checkpoint, damaged: None, is_previous: false };
    let damaged = match read_checkpoint(&name) {
        // Between the two renames there is only the previous one.
        Ok(None) => None,
        Ok(checkpoint) => return Ok(last(checkpoint)),
        Err(RunError::Checkpoint { source: CheckpointError::Damaged(what), .. }) => Some(what),
        Err(error) => return Err(error),
    };
    match (read_checkpoint(&previous)?, damaged) {
        (Some(checkpoint), damaged) => {
            let step = checkpoint.state.step;
            let damaged = damaged.map(|what| {
                format!(
                    "{} was damaged ({what}); going on from the one before it, step {step}",
                    name.display()
                )
            });
            Ok(LastCheckpoint { checkpoint: Some(checkpoint), damaged, is_previous: true })
        }
        (None, Some(what)) => {
            Err(RunError::Checkpoint { path: name, source: CheckpointError::Damaged(what) })
        }
        // A run at work may have renamed both between the two looks.
        (None, None) => Ok(last(read_checkpoint(&name)?)),
    }
}

fn read_checkpoint(path: &Path) -> Result<Option<Checkpoint>, RunError> {
    let Some(bytes) = read_file(path.to_owned())? else {
        return Ok(None);
    };
    let wrong = |source| RunError::Checkpoint { path: path.to_owned(), source };
    Checkpoint::from_bytes(&bytes).map(Some).map_err(wrong)
}

fn read_file(path: PathBuf) -> Result<Option<Vec<u8>>, RunError> {
    let read = || {
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        if size > MAX_CHECKPOINT_BYTES {
            let message = format!("it has {size} bytes, more than {MAX_CHECKPOINT_BYTES}");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let mut bytes = vec![];
        file.take(MAX_CHECKPOINT_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        // A file where the folder should be holds no run either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(RunError::Io { action: "read", path, source }),
    }
}

/// Keeps other processes out until `file` is closed, by this process or its end.
fn lock(file: &File, folder: &Path) -> Result<(), RunError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(RunError::Busy(folder.to_owned())),
        Err(TryLockError::Error(source)) => {
            Err(RunError::Io { action: "lock", path: folder.join(METRICS), source })
        }
    }
}

fn make_parents(path: &Path) -> Result<(), RunError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::create_dir_all(parent)
            .map_err(|source| RunError::Io { action: "make the folder", path: parent.to_owned(), source }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_never_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = RunDirectory::create_in(folder.path(), "run").expect("the first");
        let second = RunDirectory::create_in(folder.path(), "run").expect("the second");
        assert_eq!(first.path(), folder.path().join("run"));
        assert_eq!(second.path(), folder.path().join("run-2"));
        let error = RunDirectory::create(first.path()).expect_err("taken");
        assert!(error.to_string().contains("exists already"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "x").expect("a file");
        let error = RunDirectory::create(&file.join("run")).expect_err("a file is no folder");
        assert!(error.to_string().starts_with("cannot make the folder"), "{error}");
    }

    #[test]
    fn a_run_belongs_to_one_process_and_goes_on_after_its_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        assert!(matches!(RunDirectory::resume(&path), Err(RunError::NoRun(..))));
        let mut run = RunDirectory::create(&path).expect("made");
        assert!(matches!(RunDirectory::resume(&path), Err(RunError::Busy(_))));
        let mut state = State::new(vec![1.0]);
        state.step = 2;
        for step in 1..=2 {
            run.log(&serde_json::json!({ "step": step })).expect("logged");
        }
        run.write_checkpoint(&Checkpoint { problem: 0, seconds: 1.0, state }).expect("written");
        run.log(&serde_json::json!({ "step": 3 })).expect("logged");
        run.flush().expect("flushed");
        drop(run);
        let mut resumed = RunDirectory::resume(&path).expect("there");
        assert_eq!(resumed.checkpoint.expect("written").state.step, 2);
        resumed.directory.log(&serde_json::json!({ "step": 4 })).expect("logged");
        drop(resumed.directory);
        let metrics = fs::read_to_string(path.join(METRICS)).expect("there");
        assert_eq!(metrics, "{\"step\":1}\n{\"step\":2}\n{\"step\":4}\n");
    }

    #[test]
    fn files_appear_whole_and_replace_older_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = RunDirectory::create(&folder.path().join("deep/run")).expect("parents are made");
        run.write("a.txt", b"1").expect("written");
        run.write("a.txt", b"22").expect("replaced");
        run.log(&serde_json::json!({ "step": 1, "loss": f64::NAN })).expect("logged");
        run.flush().expect("flushed");
        assert_eq!(fs::read(run.path().join("a.txt")).expect("there"), b"22");
        let metrics = fs::read_to_string(run.path().join("metrics.jsonl")).expect("there");
        assert_eq!(metrics, "{\"step\":1,\"loss\":null}\n");
        assert_eq!(fs::read_dir(run.path()).expect("there").count(), 2);
    }
}
