//! Training from a program: a problem in, its trained network out.
//!
//! It knows what a [`Solver`] knows; it writes nothing unless it is told where.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Settings, SolveError, Solver, train_with};
use crate::problem::Problem;
use crate::ranks::Ranks;
use crate::run::{RunDirectory, RunOutcome};
use crate::score::Scorer;
use crate::train::{End, Event, Flow, Outcome, State, StepReport};
use crate::trained::Trained;

/// How [`solve_with`] trains; nothing here changes a number.
///
/// What does is in the problem: [`Problem::network`](crate::Problem::network) and
/// [`Problem::training`](crate::Problem::training).
pub struct Options<'a> {
    /// Threads that compute; all cores by default.
    ///
    /// At least one is taken.
    pub threads: usize,
    /// A folder to make for the run, with everything that the program `pinn-solve` leaves: the problem, metrics,
    /// checkpoints, the result, a table and pictures.
    ///
    /// Without it, the default, nothing is written.
    /// [`Trained::load`] reads it again, and so do `pinn-solve predict`, `report` and, if training was stopped, `resume`.
    pub folder: Option<PathBuf>,
    /// Sees every step; [`Flow::Stop`] ends training after it.
    pub observer: Box<dyn FnMut(&StepReport) -> Flow + 'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, folder: None, observer: Box::new(|_| Flow::Continue) }
    }
}

/// Trains the network of `problem` as its `[training]` table says, on all cores, and writes nothing.
///
/// # Errors
///
/// As for [`solve_with`].
pub fn solve(problem: &Problem) -> Result<Trained, SolveError> {
    solve_with(problem, Options::default())
}

/// As [`solve`], on some threads, in a folder, or watched.
///
/// The numbers are those that `pinn-solve` gives on the device `cpu`, to the last bit.
/// A tolerance that was asked for and missed is no error; [`Trained::outcome`] says so.
///
/// # Errors
///
/// If the initialization or a method is not for this problem, there are not so many threads to be had, or a file cannot
/// be written; and [`SolveError::Diverged`] where numbers ceased to be finite for good.
pub fn solve_with(problem: &Problem, options: Options) -> Result<Trained, SolveError> {
    let Options { threads, folder, mut observer } = options;
    let threads = threads.max(1);
    let settings = Settings {
        device: "cpu".into(),
        threads,
        chunk: None,
        plots: folder.is_some(),
        page: folder.is_some(),
        quiet: true,
        estimate: false,
        ranks: Ranks::alone(),
    };
    let solver = Solver::new(problem.clone(), settings)?;
    let mut watch = |event: &Event| match event {
        Event::Stepped(step) => observer(step),
        _ => Flow::Continue,
    };
    match folder {
        Some(folder) => solve_in(solver, folder, &mut watch),
        None => solve_in_memory(solver, &mut watch),
    }
}

fn solve_in_memory(solver: Solver, watch: &mut dyn FnMut(&Event) -> Flow) -> Result<Trained, SolveError> {
    let Solver { problem, settings, theta, mut engine } = solver;
    let scorer = Scorer::new(&problem);
    let start = State::new(theta);
    let trained =
        train_with(&mut engine, &problem, scorer.as_ref(), &settings, start, &mut |event| watch(&event))?;
    let Outcome { end, state } = trained.outcome;
    if let End::Diverged(breakdown) = end {
        return Err(SolveError::Diverged(breakdown.to_string()));
    }
    Ok(Trained::new(problem, state, Some(RunOutcome::from(&end)), settings.threads)?)
}

fn solve_in(
    mut solver: Solver,
    folder: PathBuf,
    watch: &mut dyn FnMut(&Event) -> Flow,
) -> Result<Trained, SolveError> {
    let directory = RunDirectory::create(&folder)?;
    let text = solver.problem().to_toml();
    let stop = AtomicBool::new(false);
    let result = solver.run(directory, &text, &stop, &mut |event| {
        if watch(event) == Flow::Stop {
            stop.store(true, Ordering::Relaxed);
        }
    })?;
    if result.outcome == RunOutcome::Diverged {
        return Err(SolveError::Diverged(result.reason.unwrap_or_default()));
    }
    Ok(Trained::load_on(folder, solver.settings.threads)?)
}
