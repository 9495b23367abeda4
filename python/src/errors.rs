//! Failures of the library as exceptions of `pinn_solve.errors`.

use pinn::internals::export::ExportError;
use pinn::internals::predict::PredictError;
use pinn::internals::run::RunError;
use pinn::internals::solve::SolveError;
use pinn::internals::sweep::{ExecuteError, OutputError, SweepError};
use pinn::problem::{Diagnostic, Diagnostics, OpenError};
use pinn::{Trained, TrainedError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mistake as Python gets it: message, hint, file, line, column, length, the line's text, and whether it is a warning.
pub(crate) type Mistake = (
    String,
    Option<String>,
    Option<String>,
    Option<usize>,
    Option<usize>,
    Option<usize>,
    Option<String>,
    bool,
);

/// What went wrong, without Python, so that it can come from where the interpreter is not held.
pub(crate) struct Failure {
    class: &'static str,
    message: String,
    mistakes: Vec<Mistake>,
}

impl Failure {
    fn new(class: &'static str, message: impl ToString) -> Self {
        Self { class, message: message.to_string(), mistakes: vec![] }
    }

    /// Something that cannot be asked for as it was.
    pub(crate) fn problem(message: impl ToString) -> Self {
        Self::new("ProblemError", message)
    }

    /// An exception that the program has no word for.
    fn raised(self) -> PyResult<PyErr> {
        Python::attach(|py| {
            let class = py.import("pinn_solve.errors")?.getattr(self.class)?;
            Ok(PyErr::from_value(class.call1((self.message, self.mistakes))?))
        })
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        let message = failure.message.clone();
        failure.raised().unwrap_or_else(|_| PyRuntimeError::new_err(message))
    }
}

/// All of `diagnostics` for Python.
pub(crate) fn mistakes(diagnostics: &Diagnostics) -> Vec<Mistake> {
    let mistake = |item: &Diagnostic| {
        let Diagnostic { message, hint, warning, .. } = item.clone();
        match diagnostics.site(item) {
            Some(site) => (
                message,
                hint,
                Some(site.file),
                Some(site.line),
                Some(site.column),
                Some(site.length),
                Some(site.text),
                warning,
            ),
            None => (message, hint, None, None, None, None, None, warning),
        }
    };
    diagnostics.iter().map(mistake).collect()
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { mistakes: mistakes(&diagnostics), ..Self::problem(diagnostics.render(false)) }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Wrong(diagnostics) => diagnostics.into(),
            OpenError::Read { .. } => Self::new("FileError", error),
            error => Self::problem(error),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new("FileError", error)
    }
}

impl From<TrainedError> for Failure {
    fn from(error: TrainedError) -> Self {
        match error {
            TrainedError::Run(error) => error.into(),
            TrainedError::Problem(diagnostics) => diagnostics.into(),
            TrainedError::NoCheckpoint { .. } | TrainedError::Sweep { .. } => Self::new("FileError", error),
            error => Self::problem(error),
        }
    }
}

impl From<SolveError> for Failure {
    fn from(error: SolveError) -> Self {
        match error {
            SolveError::Run(error) => error.into(),
            SolveError::Problem(diagnostics) => diagnostics.into(),
            SolveError::Trained(error) => error.into(),
            SolveError::Diverged(_) => Self::new("DivergedError", error),
            SolveError::Report(_) | SolveError::Output(_) => Self::new("FileError", error),
            error => Self::problem(error),
        }
    }
}

impl From<PredictError> for Failure {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::Trained(error) => error.into(),
            PredictError::Formula(diagnostics) => diagnostics.into(),
            error => Self::problem(error),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::problem(error)
    }
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Wrong(diagnostics) => diagnostics.into(),
            SweepError::Open(error) => error.into(),
            error => Self::problem(error),
        }
    }
}

impl From<ExecuteError> for Failure {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Sweep(error) => error.into(),
            ExecuteError::Output(OutputError::Run(error)) => error.into(),
            error => Self::new("FileError", error),
        }
    }
}

/// The value behind a lock; what a panic left behind is as good as before, for every call sets what it reads.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that crosses threads here may.
const _: () = {
    const fn sent<T: Send>() {}
    sent::<Trained>();
};
