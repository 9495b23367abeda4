//! Problems: read, checked, changed, and trained in a folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pinn::internals::auto::{self, Completed};
use pinn::internals::limits::MAX_THREADS;
use pinn::internals::ranks::Ranks;
use pinn::internals::run::{RunDirectory, RunResult, RunSettings};
use pinn::internals::solve::{Settings, SolveError, Solver};
use pinn::internals::train::Event;
use pinn::problem::{Adjustments, Diagnostics, Document, Opened, embedded, open};
use pinn::settings::Stage;
use pinn::{Problem as Inner, Score};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::errors::{Failure, Mistake, mistakes};
use crate::objective::Objective;
use crate::trained::Trained;

/// A problem that leaves nothing open.
#[pyclass(frozen, module = "pinn_solve._native")]
pub(crate) struct Problem {
    inner: Inner,
    text: String,
    decisions: Vec<(String, String, String)>,
    advice: Diagnostics,
}

/// The built-in problems: names and titles.
#[pyfunction]
pub(crate) fn problems() -> PyResult<Vec<(String, String)>> {
    let title = |(name, text): &(&str, &str)| {
        let (problem, _) = Document::parse(name, text)?.build(Path::new(""))?;
        Ok(((*name).to_owned(), problem.title))
    };
    let titles: Result<Vec<_>, Failure> = embedded().iter().map(title).collect();
    Ok(titles?)
}

#[pymethods]
impl Problem {
    /// Opens the problem `name`, or the text of one that is called so; `changes` are keys and values as TOML.
    #[new]
    #[pyo3(signature = (name, text, folder, changes, points, lr, steps))]
    fn new(
        py: Python<'_>,
        name: String,
        text: Option<String>,
        folder: PathBuf,
        changes: Vec<(String, String)>,
        points: Option<usize>,
        lr: Option<f64>,
        steps: Option<usize>,
    ) -> PyResult<Self> {
        let adjustments = Adjustments { points, lr, steps };
        Ok(py.detach(|| read(&name, text, folder, &changes, adjustments))?)
    }

    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn title(&self) -> &str {
        &self.inner.title
    }

    /// The file as it was read.
    #[getter]
    fn text(&self) -> &str {
        &self.text
    }

    /// The file with all that was decided.
    #[getter]
    fn resolved(&self) -> String {
        self.inner.to_toml()
    }

    /// Names, both ends and units.
    #[getter]
    fn coordinates(&self) -> Vec<(String, f64, f64, String)> {
        coordinates(&self.inner)
    }

    #[getter]
    fn unknowns(&self) -> Vec<(String, String)> {
        unknowns(&self.inner)
    }

    /// Names, residuals, whether they hold exactly, weights, points.
    #[getter]
    fn conditions(&self) -> Vec<(String, Vec<String>, bool, f64, usize)> {
        let conditions = self.inner.conditions.iter();
        conditions.map(|c| (c.name.clone(), c.written.clone(), c.is_exact(), c.weight, c.points)).collect()
    }

    #[getter]
    fn parameters(&self) -> Vec<(String, f64)> {
        self.inner.parameters.clone()
    }

    /// Parameters that training finds, and where it begins.
    #[getter]
    fn trainable(&self) -> Vec<(String, f64)> {
        self.inner.trainable.iter().map(|found| (found.name.clone(), found.initial)).collect()
    }

    #[getter]
    fn networks(&self) -> String {
        self.inner.networks_in_words()
    }

    /// Length of θ.
    #[getter]
    fn size(&self) -> usize {
        self.inner.parameters_in_all() * self.inner.training.windows.count()
    }

    #[getter]
    fn decisions(&self) -> Vec<(String, String, String)> {
        self.decisions.clone()
    }

    #[getter]
    fn advice(&self) -> Vec<Mistake> {
        mistakes(&self.advice)
    }

    /// Trains in a new folder: the result as JSON, and advice.
    fn solve(
        &self,
        py: Python<'_>,
        folder: PathBuf,
        threads: Option<usize>,
        plots: bool,
        estimate: bool,
        observer: Option<Py<PyAny>>,
    ) -> PyResult<(String, Option<String>)> {
        let threads = threads_of(threads)?;
        let settings = RunSettings { plots, page: plots, quiet: true, estimate, ..RunSettings::default() };
        let mut watcher = Watcher::new(&self.inner, observer);
        let trained = py.detach(|| {
            let mut solver = Solver::new(self.inner.clone(), settings_of(settings, threads))?;
            let advice = solver.warning().map(|warning| warning.to_string());
            let directory = RunDirectory::create(&folder)?;
            let result = watcher.run(|stop, watch| solver.run(directory, &self.text, stop, watch))?;
            Ok::<_, Failure>((result.to_json(), advice))
        });
        watcher.end()?;
        Ok(trained?)
    }

    /// Loss, gradient, residuals and products with the Jacobian at the points of redraw number `round`.
    fn objective(&self, py: Python<'_>, threads: Option<usize>, round: usize) -> PyResult<Objective> {
        let threads = threads_of(threads)?;
        Ok(py.detach(|| Objective::new(self.inner.clone(), threads, round))?)
    }

    /// The network with the parameters `theta`.
    fn network(&self, py: Python<'_>, theta: Vec<f64>, threads: Option<usize>) -> PyResult<Trained> {
        let threads = threads_of(threads)?;
        let trained = py.detach(|| pinn::Trained::of(self.inner.clone(), theta, threads));
        Ok(Trained::new(trained.map_err(Failure::from)?))
    }
}

fn read(
    name: &str,
    text: Option<String>,
    folder: PathBuf,
    changes: &[(String, String)],
    adjustments: Adjustments,
) -> Result<Problem, Failure> {
    let Opened { mut document, text, folder } = match text {
        Some(text) => Opened { document: Document::parse(name, &text)?, text, folder },
        None => open(name, &folder)?,
    };
    for (key, value) in changes {
        document.change(key, value)?;
    }
    let Completed { mut problem, decisions, mut advice } = auto::complete(&document, &folder)?;
    // Whether there is one answer is asked of the file as it is written, before anything is decided for it.
    let (written, _) = document.build(&folder)?;
    advice.append(document.doubts(&written));
    adjustments.apply(&mut problem).map_err(Failure::problem)?;
    let decisions = decisions.into_iter().map(|decision| (decision.key, decision.value, decision.why));
    Ok(Problem { inner: problem, text, decisions: decisions.collect(), advice })
}

pub(crate) fn coordinates(problem: &Inner) -> Vec<(String, f64, f64, String)> {
    problem.coordinates.iter().map(|c| (c.name.clone(), c.lower, c.upper, c.unit.clone())).collect()
}

pub(crate) fn unknowns(problem: &Inner) -> Vec<(String, String)> {
    problem.unknowns.iter().map(|unknown| (unknown.name.clone(), unknown.unit.clone())).collect()
}

/// As many threads as were asked for, or else as there are cores.
pub(crate) fn threads_of(asked: Option<usize>) -> Result<usize, Failure> {
    match asked {
        Some(threads) if !(1..=MAX_THREADS).contains(&threads) => {
            Err(Failure::problem(format!("threads = {threads}: from 1 to {MAX_THREADS} can be had")))
        }
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

pub(crate) fn settings_of(begun: RunSettings, threads: usize) -> Settings {
    let RunSettings { device, chunk, plots, page, quiet, estimate } = begun;
    Settings { device, threads, chunk, plots, page, quiet, estimate, ranks: Ranks::alone() }
}

/// Goes on with the run in `folder`: its result as JSON.
#[pyfunction]
pub(crate) fn resume(
    py: Python<'_>,
    folder: PathBuf,
    threads: Option<usize>,
    observer: Option<Py<PyAny>>,
) -> PyResult<String> {
    let threads = threads_of(threads)?;
    let begun = py.detach(|| {
        let resumed = RunDirectory::resume(&folder)?;
        let settings = settings_of(RunSettings::read(&folder)?.content, threads);
        Ok::<_, Failure>((resumed, Solver::for_run(&folder, settings)?))
    });
    let (resumed, mut solver) = begun?;
    let mut watcher = Watcher::new(solver.problem(), observer);
    let result = py.detach(|| watcher.run(|stop, watch| solver.resume(resumed, stop, watch)));
    watcher.end()?;
    Ok(result.map_err(Failure::from)?.to_json())
}

/// How often Python is asked whether training is to go on.
const GLANCE: Duration = Duration::from_millis(50);

/// Listens to training: shows Python how far it is, and stops it on Ctrl-C or where Python raises.
struct Watcher {
    observer: Option<Py<PyAny>>,
    stages: Vec<Stage>,
    /// Steps that there will be, as far as is known.
    steps: usize,
    stage: &'static str,
    error: Option<f64>,
    last: Instant,
    raised: Option<PyErr>,
}

impl Watcher {
    fn new(problem: &Inner, observer: Option<Py<PyAny>>) -> Self {
        let stages = problem.training.stages.clone();
        let steps = problem.training.windows.count() * stages.iter().map(Stage::steps).sum::<usize>();
        Self { observer, stages, steps, stage: "", error: None, last: Instant::now(), raised: None }
    }

    fn run(
        &mut self,
        train: impl FnOnce(&AtomicBool, &mut dyn FnMut(&Event)) -> Result<RunResult, SolveError>,
    ) -> Result<RunResult, SolveError> {
        let stop = AtomicBool::new(false);
        train(&stop, &mut |event| {
            if self.stops(event) {
                stop.store(true, Ordering::Relaxed);
            }
        })
    }

    /// Is training to end?
    fn stops(&mut self, event: &Event) -> bool {
        let report = match event {
            Event::StageStarted { stage } => {
                self.stage = self.stages[*stage].name();
                return false;
            }
            // Steps that will not be taken, because the stage ended early.
            Event::StageEnded { stage, report } => {
                let skipped = self.stages[*stage].steps().saturating_sub(report.steps);
                self.steps = self.steps.saturating_sub(skipped);
                return false;
            }
            Event::Stepped(report) => report,
            _ => return false,
        };
        if let Some(scores) = report.scores {
            self.error = scores.iter().flatten().map(Score::error).reduce(f64::max);
        }
        if self.raised.is_some() || self.last.elapsed() < GLANCE && report.step < self.steps {
            return self.raised.is_some();
        }
        let asked = Python::attach(|py| {
            py.check_signals()?;
            if let Some(observer) = &self.observer {
                observer.call1(py, (report.step, self.steps, self.stage, report.loss, self.error))?;
            }
            Ok(())
        });
        self.last = Instant::now();
        self.raised = asked.err();
        self.raised.is_some()
    }

    /// What Python raised, but for Ctrl-C, which is no failure: it asks for what there is.
    fn end(&mut self) -> PyResult<()> {
        match self.raised.take() {
            Some(error) if !Python::attach(|py| error.is_instance_of::<PyKeyboardInterrupt>(py)) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}
