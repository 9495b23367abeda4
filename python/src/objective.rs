//! The loss as a function of θ, for whoever has an optimizer of his own.

use std::sync::Mutex;

use numpy::{IntoPyArray, PyArray1, PyArrayMethods, PyReadonlyArray1};
use pinn::Problem;
use pinn::internals::adapt;
use pinn::internals::engine::device::{self, Request};
use pinn::internals::engine::square_factor;
use pinn::internals::engine::{Differentiable, Jacobian};
use pinn::internals::init;
use pinn::internals::ranks::Ranks;
use pinn::internals::sample::Points;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::errors::{Failure, locked};

/// The loss of a problem at fixed points, θ ↦ L(θ), with all that the engine knows of it.
///
/// θ is one vector of `size` numbers: weights and biases layer by layer, then the parameters to be found.
/// Calling it gives the loss and its gradient, an array of the same length.
/// With r the vector of `residuals`, L = r·r.
#[pyclass(frozen, module = "pinn_solve")]
pub(crate) struct Objective {
    inner: Mutex<Computing>,
    /// Length of θ.
    #[pyo3(get)]
    size: usize,
    names: Vec<String>,
    initial: Vec<f64>,
}

struct Computing {
    engine: Box<dyn Differentiable>,
    problem: Problem,
    points: Vec<Points>,
    /// λ of every condition.
    weights: Vec<f64>,
    terms: Vec<f64>,
}

type Vector<'py> = Bound<'py, PyArray1<f64>>;

impl Objective {
    pub(crate) fn new(problem: Problem, threads: usize, round: usize) -> Result<Self, Failure> {
        if problem.training.windows.count() > 1 {
            return Err(Failure::problem(
                "time is cut into windows, each with an objective of its own that begins where the one before has ended; \
                 for a single one say training={\"windows\": 1}",
            ));
        }
        let initial = init::parameters(&problem).map_err(Failure::problem)?;
        let request = Request { problem: &problem, threads, chunk: None, ranks: &Ranks::alone() };
        let mut engine = device::engine("cpu", &request).map_err(Failure::problem)?;
        let state = adapt::State { round, ..adapt::State::default() };
        let points = adapt::start(&problem, &mut *engine, &state);
        let weights = adapt::weights(&problem, &state);
        let names = problem.conditions.iter().map(|condition| condition.name.clone()).collect();
        let terms = vec![0.0; weights.len()];
        let inner = Mutex::new(Computing { engine, problem, points, weights, terms });
        Ok(Self { inner, size: initial.len(), names, initial })
    }

    /// θ as numbers; everything but a plain vector of doubles is first made one.
    fn vector(&self, value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<f64>> {
        let plain = |value: &Bound<'_, PyAny>| -> Option<Vec<f64>> {
            let array = value.extract::<PyReadonlyArray1<'_, f64>>().ok()?;
            let aligned = array.data().is_aligned();
            aligned.then(|| array.as_array().to_vec())
        };
        let numbers = match plain(value) {
            Some(numbers) => numbers,
            None => {
                let arrays = value.py().import("pinn_solve.arrays")?;
                let made = arrays.call_method1("vector", (value, name))?;
                plain(&made)
                    .ok_or_else(|| PyValueError::new_err(format!("{name} is no vector of numbers")))?
            }
        };
        if numbers.len() != self.size {
            let (has, size) = (numbers.len(), self.size);
            return Err(PyValueError::new_err(format!(
                "{name} has {has} numbers, and the problem {size} parameters"
            )));
        }
        Ok(numbers)
    }

    /// A product of the Jacobian at `theta`, or of what is made of it, with `direction`; `compute` is told λ too.
    fn product<'py>(
        &self,
        py: Python<'py>,
        theta: &Bound<'py, PyAny>,
        direction: &Bound<'py, PyAny>,
        compute: impl FnOnce(&mut dyn Jacobian, &[f64], &[f64], &[f64]) -> Vec<f64> + Send,
    ) -> PyResult<Vector<'py>> {
        let (theta, direction) = (self.vector(theta, "theta")?, self.vector(direction, "direction")?);
        let product = py.detach(|| {
            let Computing { engine, weights, .. } = &mut *locked(&self.inner);
            Some(compute(engine.jacobian()?, weights, &theta, &direction))
        });
        let none = || PyValueError::new_err("this problem's engine has no products with the Jacobian");
        Ok(product.ok_or_else(none)?.into_pyarray(py))
    }
}

#[pymethods]
impl Objective {
    /// objective(theta) -> (loss, gradient)
    ///
    /// theta: `size` numbers. The loss is a float, the gradient an array of `size` numbers.
    fn __call__<'py>(&self, py: Python<'py>, theta: &Bound<'py, PyAny>) -> PyResult<(f64, Vector<'py>)> {
        let theta = self.vector(theta, "theta")?;
        let (loss, gradient) = py.detach(|| {
            let Computing { engine, weights, terms, .. } = &mut *locked(&self.inner);
            let mut gradient = vec![0.0; theta.len()];
            (engine.loss_and_gradient(&theta, weights, terms, &mut gradient), gradient)
        });
        Ok((loss, gradient.into_pyarray(py)))
    }

    /// loss(theta) -> float: without the gradient, in about a third of the time.
    fn loss(&self, py: Python<'_>, theta: &Bound<'_, PyAny>) -> PyResult<f64> {
        let theta = self.vector(theta, "theta")?;
        Ok(py.detach(|| {
            let Computing { engine, weights, terms, .. } = &mut *locked(&self.inner);
            engine.loss(&theta, weights, terms)
        }))
    }

    /// terms(theta) -> dict: the mean squared residual of every condition, by name, without weights.
    fn terms<'py>(&self, py: Python<'py>, theta: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let theta = self.vector(theta, "theta")?;
        let terms = py.detach(|| {
            let Computing { engine, weights, terms, .. } = &mut *locked(&self.inner);
            engine.loss(&theta, weights, terms);
            terms.clone()
        });
        self.names.iter().zip(terms).into_py_dict(py)
    }

    /// residuals(theta) -> array: r, every residual times √(λ/points), so that the loss is r·r.
    ///
    /// Condition by condition, within it point by point, within it residual by residual.
    fn residuals<'py>(&self, py: Python<'py>, theta: &Bound<'py, PyAny>) -> PyResult<Vector<'py>> {
        let theta = self.vector(theta, "theta")?;
        let residuals = py.detach(|| {
            let Computing { engine, problem, points, weights, .. } = &mut *locked(&self.inner);
            let mut residuals = vec![];
            for (i, condition) in problem.conditions.iter().enumerate().filter(|(_, c)| !c.is_exact()) {
                let Points { rows, data, .. } = &points[i];
                let values = engine.residuals(&theta, i, rows, data);
                let sites = values.len() / condition.residuals.roots.len();
                let factor = square_factor(weights[i], 1.0, sites).sqrt();
                residuals.extend(values.into_iter().map(|value| factor * value));
            }
            residuals
        });
        Ok(residuals.into_pyarray(py))
    }

    /// jvp(theta, direction) -> array: J·v, the change of `residuals` along a direction of `size` numbers.
    fn jvp<'py>(
        &self,
        py: Python<'py>,
        theta: &Bound<'py, PyAny>,
        direction: &Bound<'py, PyAny>,
    ) -> PyResult<Vector<'py>> {
        self.product(py, theta, direction, |jacobian, weights, theta, direction| {
            let mut product = vec![0.0; jacobian.residual_count()];
            jacobian.jacobian_product(theta, weights, direction, &mut product);
            product
        })
    }

    /// gauss_newton(theta, direction) -> array: JᵀJ·v, of `size` numbers.
    fn gauss_newton<'py>(
        &self,
        py: Python<'py>,
        theta: &Bound<'py, PyAny>,
        direction: &Bound<'py, PyAny>,
    ) -> PyResult<Vector<'py>> {
        self.product(py, theta, direction, |jacobian, weights, theta, direction| {
            let mut product = vec![0.0; theta.len()];
            jacobian.gauss_newton_product(theta, weights, direction, &mut product);
            product
        })
    }

    /// θ as the problem's initialization draws it, an array of `size` numbers.
    #[getter]
    fn initial<'py>(&self, py: Python<'py>) -> Vector<'py> {
        PyArray1::from_slice(py, &self.initial)
    }

    /// The conditions' names, in the order of `residuals`.
    #[getter]
    fn conditions(&self) -> Vec<String> {
        self.names.clone()
    }

    fn __repr__(&self) -> String {
        format!("<Objective of {} parameters, {} conditions>", self.size, self.names.len())
    }
}
