//! The runs of a sweep as problems to solve: each is what `pinn-solve --problem` makes.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::config::{Sweep, SweepError};
use super::execute::{Experiment, ExperimentError};
use crate::problem::{Document, Opened};
use crate::run::{Resumed, RunDirectory};
use crate::solve::{Settings, SolveError, Solver};

/// Every run solves the base problem with its own settings.
pub struct Problems<'a> {
    sweep: &'a Sweep,
    opened: Opened,
    settings: Settings,
}

impl<'a> Problems<'a> {
    /// Opens the base problem of `sweep`; `settings` say how every run is computed.
    ///
    /// # Errors
    ///
    /// If there is no such problem.
    pub fn new(sweep: &'a Sweep, settings: Settings) -> Result<Self, SweepError> {
        Ok(Self { sweep, opened: sweep.open()?, settings })
    }

    fn solver(&self, run: usize) -> Result<Solver, ExperimentError> {
        let problem = self.sweep.problem(&self.opened, run).map_err(ExperimentError::other)?;
        Ok(Solver::new(problem, self.settings.clone())?)
    }
}

impl Experiment for Problems<'_> {
    fn check(&self, run: usize, folder: &Path, resolved: Option<&str>) -> Result<bool, SweepError> {
        let problem = self.sweep.problem(&self.opened, run)?;
        let Some(text) = resolved else { return Ok(true) };
        // Read and written anew, so that settings that a newer version added do not count.
        let same = Document::parse(&format!("{}.toml", problem.name), text)
            .and_then(|document| document.build(folder))
            .is_ok_and(|(found, _)| found.to_toml() == problem.to_toml());
        Ok(same)
    }

    fn begin(&self, run: usize, directory: RunDirectory, stop: &AtomicBool) -> Result<(), ExperimentError> {
        self.solver(run)?.run(directory, &self.opened.text, stop, &mut |_| ())?;
        Ok(())
    }

    fn go_on(&self, run: usize, resumed: Resumed, stop: &AtomicBool) -> Result<(), ExperimentError> {
        self.solver(run)?.resume(resumed, stop, &mut |_| ())?;
        Ok(())
    }
}

impl From<SolveError> for ExperimentError {
    fn from(error: SolveError) -> Self {
        match error {
            SolveError::Run(error) => Self::Run(error),
            other => Self::other(other),
        }
    }
}
