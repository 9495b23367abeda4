//! Sweeps: every combination of some settings.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pinn::internals::run::RunSettings;
use pinn::internals::sweep::{Event, Plan, Problems, Shard, Sweep, execute};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::errors::Failure;
use crate::problem::{settings_of, threads_of};

/// Runs the sweep that the file `config` describes, in `folder`; `observer` is told the name and the state of every run
/// that has ended. Ctrl-C ends it, and what there is stays.
#[pyfunction]
pub(crate) fn sweep(
    py: Python<'_>,
    config: PathBuf,
    folder: PathBuf,
    jobs: usize,
    threads: Option<usize>,
    draw: bool,
    observer: Option<Py<PyAny>>,
) -> PyResult<()> {
    let threads = threads_of(threads)?;
    let stop = AtomicBool::new(false);
    let done = AtomicBool::new(false);
    let run = || -> Result<(), Failure> {
        let sweep = Sweep::read(&config)?;
        let begun = RunSettings { plots: false, page: draw, quiet: true, ..RunSettings::default() };
        let experiment = Problems::new(&sweep, settings_of(begun, threads))?;
        let plan = Plan { sweep: &sweep, folder, shard: Shard::ALL, jobs, draw, experiment: &experiment };
        let collection = plan.check()?;
        let of = collection.records.len();
        execute(&plan, collection, &stop, &|event| {
            let (Event::Ended(record), Some(observer)) = (event, &observer) else { return };
            let told =
                Python::attach(|py| observer.call1(py, (&record.name, record.state.name(), of)).map(|_| ()));
            if told.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(())
    };
    // Signals reach Python's main thread alone, which therefore waits while another one works.
    let (ended, raised) = py.detach(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let ended = run();
                done.store(true, Ordering::Release);
                ended
            });
            let mut raised = None;
            while !done.load(Ordering::Acquire) && !worker.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
                if raised.is_none()
                    && let Err(error) = Python::attach(|py| py.check_signals())
                {
                    stop.store(true, Ordering::Relaxed);
                    raised = Some(error);
                }
            }
            (worker.join(), raised)
        })
    });
    let ended =
        ended.map_err(|_| Failure::problem("the sweep came to an end that is a defect of pinn-solve"))?;
    ended?;
    match raised {
        Some(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        _ => Ok(()),
    }
}
