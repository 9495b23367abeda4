//! `pinn-solve --problem …`: train, measure, draw.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use pinn::activation::Activation;
use pinn::engine::Engine;
use pinn::engine::cpu::{CpuEngine, Isa};
use pinn::network::Shape;
use pinn::problem::Problem;
use pinn::report;
use pinn::run::{self, RunDirectory};
use pinn::score::Scorer;
use pinn::settings::Precision;
use pinn::train::{self, End, Event, Flow, Outcome, State};
use pinn::init;

use super::progress::{Progress, worst};
use super::{Exit, Failure, ProblemArgs, print, warn};

#[derive(Args)]
pub(crate) struct SolveArgs {
    #[command(flatten)]
    problem: ProblemArgs,
    /// Threads of the engine; results do not depend on them [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where to compute: cpu.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// The run's folder, which must not exist [default: output/<problem>-<time>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print result.json on stdout, and nothing else.
    #[arg(long)]
    json: bool,
    /// No progress, no warnings, no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Draw no pictures.
    #[arg(long)]
    no_plots: bool,
}
