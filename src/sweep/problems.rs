//! The runs of a sweep as problems to solve: each is what `pinn-solve --problem` makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::config::{Sweep, SweepError, is_seed};
use super::execute::{Experiment, ExperimentError};
use super::named::named;
use crate::init::LEARNING_RATES;
use crate::problem::{Document, Opened};
use crate::run::{Resumed, RunDirectory, inputs};
use crate::solve::{Settings, SolveError, Solver, leaves_band};

/// Every run solves the base problem with its own settings.
pub struct Problems<'a> {
    sweep: &'a Sweep,
    opened: Opened,
    settings: Settings,
    /// By the values of all axes but the seed: does the run that [`Experiment::check`] looked at leave the band of the
    /// proposed initialization? It builds problems anyway, and some take long to build.
    outside_band: Mutex<BTreeMap<Vec<String>, bool>>,
}

impl<'a> Problems<'a> {
    /// Opens the base problem of `sweep`; `settings` say how every run is computed.
    ///
    /// # Errors
    ///
    /// If there is no such problem.
    pub fn new(sweep: &'a Sweep, settings: Settings) -> Result<Self, SweepError> {
        Ok(Self { sweep, opened: sweep.open()?, settings, outside_band: Mutex::default() })
    }

    /// Says for which of the runs that were checked Adam's learning rate is not what the proposed initialization is meant
    /// for; `None` if for none.
    pub fn warning(&self) -> Option<String> {
        let found = self.outside_band.lock().unwrap_or_else(PoisonError::into_inner);
        let is_outside = |run| self.but_for_the_seed(run).and_then(|settings| found.get(&settings).copied());
        let outside: Vec<bool> =
            (0..self.sweep.len()).map(|run| is_outside(run).unwrap_or_default()).collect();
        let (low, high) = (LEARNING_RATES.start(), LEARNING_RATES.end());
        outside.contains(&true).then(|| {
            format!(
                "the proposed initialization is meant for learning rates of Adam from {low:e}·ω to {high:e}·ω; outside are\n{}",
                named(self.sweep, &outside)
            )
        })
    }

    /// The values of all axes but the seed in run `run`; `None` if its seed is none.
    fn but_for_the_seed(&self, run: usize) -> Option<Vec<String>> {
        let mut settings = vec![];
        for (axis, value) in self.sweep.axes.iter().zip(self.sweep.choices(run)) {
            match is_seed(axis) {
                true if value.number.is_none_or(|seed| seed < 0.0 || seed.fract() != 0.0) => return None,
                true => {}
                false => settings.push(value.label.clone()),
            }
        }
        Some(settings)
    }

    fn solver(&self, run: usize) -> Result<Solver, ExperimentError> {
        let problem = self.sweep.problem(&self.opened, run).map_err(ExperimentError::other)?;
        Ok(Solver::new(problem, self.settings.clone())?)
    }
}

impl Experiment for Problems<'_> {
    fn check(&self, run: usize, folder: &Path, resolved: Option<&str>) -> Result<bool, SweepError> {
        let settings = self.but_for_the_seed(run);
        let outside_band = || self.outside_band.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = || settings.as_ref().is_some_and(|settings| outside_band().contains_key(settings));
        // What is valid with one seed is so with another.
        if resolved.is_none() && is_known() {
            return Ok(true);
        }
        let problem = self.sweep.problem(&self.opened, run)?;
        outside_band().extend(settings.map(|settings| (settings, leaves_band(&problem))));
        let Some(text) = resolved else { return Ok(true) };
        let expected = inputs::named(&problem.to_toml(), &problem.files());
        // The very text that this version writes.
        if text == expected {
            return Ok(true);
        }
        // Read and written anew, so that settings that a newer version added do not count; a problem that was written out
        // leaves nothing open, whether its version knew the word for that or not.
        let same = Document::parse(&format!("{}.toml", problem.name), text)
            .and_then(|document| document.build(folder))
            .is_ok_and(|(mut found, _)| {
                found.training.auto = problem.training.auto;
                inputs::named(&found.to_toml(), &found.files()) == expected
            });
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
