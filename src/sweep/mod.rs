//! Sweeps: every combination of some settings, run and compared.
//!
//! A [`Sweep`] is read from a configuration: a base run, and axes whose values are combined.
//! [`execute`] runs what is not done yet, resumes what was interrupted, and after every run brings the sweep's tables,
//! and now and then its figures, up to date; [`Collection`] is what there is so far.
//! A run of a sweep is an ordinary run directory, so nothing about a sweep is kept in memory alone.
//!
//! What a run does is an [`Experiment`]: [`Problems`] solves them; a program with experiments of its own brings another.

mod collect;
mod config;
mod execute;
mod figures;
mod named;
mod outputs;
mod problems;
mod summary;
#[cfg(test)]
mod tests;

pub use collect::{Collection, Record, RecordState, Tally};
pub use config::{Axis, Choice, Sweep, SweepError};
pub use execute::{Event, ExecuteError, Experiment, ExperimentError, Plan, Shard, execute};
pub use outputs::OutputError;
pub use problems::Problems;
