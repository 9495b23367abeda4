//! The run directory: what a run leaves behind.
//!
//! A directory is made once and never overwritten; files are written aside, synced and renamed.
//! This module knows files; it does not know how results come about.

mod checkpoint;
mod result;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub use checkpoint::{CHECKPOINT_VERSION, Checkpoint, CheckpointError};
pub use result::{Loss, RESULT_VERSION, RunOutcome, RunResult, UnknownResult, peak_memory_bytes};

/// Why a run directory could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The path is taken.
    #[error("{0} exists already; a run never overwrites another: choose another --out, or remove it")]
    Exists(PathBuf),
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

/// A folder that belongs to one run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// `metrics.jsonl`, once there is a line for it.
    metrics: Option<BufWriter<File>>,
}

impl RunDirectory {
    /// Makes `path`, which must not exist.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        make_parents(path)?;
        match fs::create_dir(path) {
            Ok(()) => Ok(Self { path: path.to_owned(), metrics: None }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(RunError::Exists(path.to_owned()))
            }
            Err(source) => Err(RunError::Io { action: "make the folder", path: path.to_owned(), source }),
        }
    }

    /// Makes `parent/name`, or `parent/name-2`, `-3`, … where that is taken.
    pub fn create_in(parent: &Path, name: &str) -> Result<Self, RunError> {
        for attempt in 1.. {
            let path = match attempt {
                1 => parent.join(name),
                n => parent.join(format!("{name}-{n}")),
            };
            match Self::create(&path) {
                Err(RunError::Exists(_)) => {}
                result => return result,
            }
        }
        unreachable!("some number is free")
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file in one piece: whoever looks sees the old one or the new one, never half of it.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        let aside = self.path.join(format!(".{name}.part"));
        let written = File::create(&aside)
            .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&aside, &path));
        written.map_err(|source| RunError::Io { action: "write", path, source })
    }

    /// Adds a line to `metrics.jsonl`.
    pub fn log(&mut self, line: &serde_json::Value) -> Result<(), RunError> {
        self.metrics(|metrics| writeln!(metrics, "{line}"))
    }

    /// Brings all lines of `metrics.jsonl` to the file.
    pub fn flush(&mut self) -> Result<(), RunError> {
        self.metrics(BufWriter::flush)
    }

    /// Does something to `metrics.jsonl`, which is made when it is first needed.
    fn metrics(
        &mut self,
        action: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), RunError> {
        let path = self.path.join("metrics.jsonl");
        let opened = match &mut self.metrics {
            Some(metrics) => Ok(metrics),
            none => File::create_new(&path).map(|file| none.insert(BufWriter::new(file))),
        };
        opened.and_then(action).map_err(|source| RunError::Io { action: "write", path, source })
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
