//! The Python package `pinn_solve`, its compiled half: the library `pinn` with arrays of NumPy.
//!
//! What is here is thin: it turns Python's values into the library's and back, lets other Python threads run while the
//! library computes, and knows no mathematics.
//! What a person types is the other half, `pinn_solve/`, which checks shapes and types before it comes here.

mod errors;
mod objective;
mod problem;
mod sweep;
mod trained;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<problem::Problem>()?;
    module.add_class::<trained::Trained>()?;
    module.add_class::<objective::Objective>()?;
    module.add_function(wrap_pyfunction!(problem::problems, module)?)?;
    module.add_function(wrap_pyfunction!(problem::resume, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::sweep, module)?)?;
    Ok(())
}
