//! Problems: from a TOML file to formulas the engines can compute.

mod model;

pub use model::*;
