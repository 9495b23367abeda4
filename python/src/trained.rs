//! Trained networks: values of anything, anywhere, and files to take along.

use std::path::PathBuf;
use std::sync::Mutex;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pinn::internals::export::{self, Options};
use pinn::internals::predict;
use pinn::problem::Coverage;
use pinn::{Evaluation, Quantity, Trained as Inner};
use pyo3::prelude::*;

use crate::errors::{Failure, locked};
use crate::problem::{coordinates, threads_of, unknowns};

/// A trained network; calls from several threads wait for one another.
#[pyclass(frozen, module = "pinn_solve._native")]
pub(crate) struct Trained {
    inner: Mutex<Asked>,
}

struct Asked {
    trained: Inner,
    /// What of the box of coordinates the domain is.
    coverage: Option<Coverage>,
    evaluation: Option<Evaluation>,
}

/// For every quantity its values, an array for each of its residuals, or one; and how many points lie outside of the
/// domain.
type Values<'py> = (Vec<Vec<Bound<'py, PyArray1<f64>>>>, usize);

impl Trained {
    pub(crate) fn new(trained: Inner) -> Self {
        let coverage = predict::covered(trained.problem());
        Self { inner: Mutex::new(Asked { trained, coverage, evaluation: None }) }
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&mut Asked) -> Result<T, Failure> + Send,
    ) -> PyResult<T> {
        Ok(py.detach(|| ask(&mut locked(&self.inner)))?)
    }
}

impl Asked {
    fn evaluation(&mut self) -> &Evaluation {
        self.evaluation.get_or_insert_with(|| self.trained.evaluation())
    }
}

#[pymethods]
impl Trained {
    #[staticmethod]
    fn load(py: Python<'_>, folder: PathBuf, threads: Option<usize>) -> PyResult<Self> {
        let threads = threads_of(threads)?;
        let trained = py.detach(|| Inner::load_on(folder, threads));
        Ok(Self::new(trained.map_err(Failure::from)?))
    }

    #[getter]
    fn name(&self) -> String {
        locked(&self.inner).trained.problem().name.clone()
    }

    #[getter]
    fn title(&self) -> String {
        locked(&self.inner).trained.problem().title.clone()
    }

    #[getter]
    fn coordinates(&self) -> Vec<(String, f64, f64, String)> {
        coordinates(locked(&self.inner).trained.problem())
    }

    #[getter]
    fn unknowns(&self) -> Vec<(String, String)> {
        unknowns(locked(&self.inner).trained.problem())
    }

    #[getter]
    fn resolved(&self) -> String {
        locked(&self.inner).trained.problem().to_toml()
    }

    #[getter]
    fn networks(&self) -> String {
        locked(&self.inner).trained.problem().networks_in_words()
    }

    /// The coordinate that is time.
    #[getter]
    fn time(&self) -> Option<usize> {
        predict::time(locked(&self.inner).trained.problem())
    }

    #[getter]
    fn steps(&self) -> usize {
        locked(&self.inner).trained.steps()
    }

    #[getter]
    fn theta<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, locked(&self.inner).trained.theta())
    }

    #[getter]
    fn found(&self) -> Vec<(String, f64)> {
        let asked = locked(&self.inner);
        asked.trained.found().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[getter]
    fn damaged(&self) -> Vec<String> {
        locked(&self.inner).trained.damaged().to_vec()
    }

    /// Columns of data that a quantity needs beside the points.
    fn columns(&self, py: Python<'_>, quantity: &str) -> PyResult<Vec<String>> {
        self.with(py, |asked| Ok(asked.trained.quantity(quantity)?.columns().to_vec()))
    }

    /// Quantities at points; what several need is computed once.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        quantities: Vec<String>,
        points: PyReadonlyArray2<'py, f64>,
        data: Vec<(String, PyReadonlyArray1<'py, f64>)>,
    ) -> PyResult<Values<'py>> {
        let points: Vec<f64> = points.as_array().iter().copied().collect();
        let data: Vec<(String, Vec<f64>)> =
            data.into_iter().map(|(name, column)| (name, column.as_array().to_vec())).collect();
        let (columns, outside) = self.with(py, |Asked { trained, coverage, .. }| {
            let each: Vec<Quantity> =
                quantities.iter().map(|text| trained.quantity(text)).collect::<Result<_, _>>()?;
            let all = Quantity::all(&each);
            let column = |name: &String| match data.iter().find(|(known, _)| known == name) {
                Some((_, column)) => Ok(column.clone()),
                None => Err(Failure::problem(format!(
                    "what is asked for needs the column `{name}`: give data={{\"{name}\": …}}, one number a point"
                ))),
            };
            let data: Vec<Vec<f64>> = all.columns().iter().map(column).collect::<Result<_, _>>()?;
            let (values, outside) = predict::answer(trained, &all, coverage.as_ref(), &points, &data)?;
            let stride = all.names().len();
            let mut columns = (0..stride).map(|k| values.iter().skip(k).step_by(stride).copied().collect());
            let columns = each.iter().map(|quantity| columns.by_ref().take(quantity.names().len()).collect());
            Ok((columns.collect::<Vec<Vec<Vec<f64>>>>(), outside))
        })?;
        let arrays = |columns: Vec<Vec<f64>>| columns.into_iter().map(|c| c.into_pyarray(py)).collect();
        Ok((columns.into_iter().map(arrays).collect(), outside))
    }

    /// Integrals of a quantity over a place: names, values, and how far these may be off.
    fn integrate(&self, py: Python<'_>, quantity: &str, over: &str) -> PyResult<Vec<(String, f64, f64)>> {
        self.with(py, |Asked { trained, .. }| {
            let quantity = trained.quantity(quantity)?;
            let integrals = predict::integrals(trained, &quantity, over)?;
            Ok(integrals.into_iter().map(|(name, found)| (name, found.value, found.error)).collect())
        })
    }

    /// Loss, terms, errors: the total, by condition, and by unknown (relative, root mean square, greatest).
    fn evaluation(&self, py: Python<'_>) -> PyResult<Measured> {
        self.with(py, |asked| {
            let evaluation = asked.evaluation().clone();
            let problem = asked.trained.problem();
            let conditions = problem.conditions.iter().map(|condition| condition.name.clone());
            let unknowns = problem.unknowns.iter().map(|unknown| unknown.name.clone());
            let errors = unknowns.zip(evaluation.scores).filter_map(|(name, score)| Some((name, score?)));
            Ok((
                evaluation.loss,
                conditions.zip(evaluation.terms).collect(),
                errors.map(|(name, s)| (name, s.rel_l2, s.rms_error, s.max_error)).collect(),
            ))
        })
    }

    /// What the answer is called, why, what to try, and its estimated error.
    fn verdict(&self, py: Python<'_>) -> PyResult<(String, String, Vec<String>, Option<f64>)> {
        self.with(py, |asked| {
            let evaluation = asked.evaluation().clone();
            let verdict = asked.trained.judge(&evaluation);
            Ok((verdict.word.name().to_owned(), verdict.reason, verdict.advice, verdict.estimated_error))
        })
    }

    /// The files of a format, by the name of one of them; is ONNX meant for ONNX Runtime?
    fn export(
        &self,
        py: Python<'_>,
        name: &str,
        single: bool,
        runtime: bool,
    ) -> PyResult<Vec<(String, Vec<u8>)>> {
        self.with(py, |Asked { trained, .. }| {
            let format = export::by_name(name)?;
            if single && !format.has_single {
                return Err(Failure::problem(format!("{} is in double precision alone", format.about)));
            }
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
            let program = trained.program(format.derivatives)?;
            let files = (format.write)(&program, &Options { stem, single, runtime })?;
            Ok(files.into_iter().map(|file| (file.name, file.bytes)).collect())
        })
    }
}

type Measured = (f64, Vec<(String, f64)>, Vec<(String, Option<f64>, f64, f64)>);
