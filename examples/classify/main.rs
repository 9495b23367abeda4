//! Deep classifiers with odd-sigmoid activations: the experiments with which the proposed initialization was first
//! shown (arXiv 2509.23085), over the library's activations, initializations and sweeps.
//!
//! ```console
//! $ scripts/datasets.sh
//! $ cargo run --release --example classify -- examples/classify/configs/table-1-reduced.toml
//! ```
//!
//! What came out is in `docs/results/classification.md`.

mod data;
mod model;
mod run;
mod train;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use pinn::internals::burn::tensor::Device;
use pinn::internals::sweep::{Event, Plan, RecordState, Shard, Sweep, SweepError, Tally, execute};
use pinn::problem::OpenError;

use run::{Classifiers, Settings};

/// Train classifiers, every combination of some settings, and compare.
///
/// Stop it at any moment and run it again: what is done is not repeated.
#[derive(Parser)]
#[command(after_help = "Exit codes: 0 all runs done, 1 some could not be run, 2 usage or configuration, \
    4 some diverged, 130 interrupted.")]
struct Arguments {
    /// The configuration, such as examples/classify/configs/table-1-reduced.toml.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// The folder of tables and pictures [default: output/<name of the configuration>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The folder of the data sets, as scripts/datasets.sh makes it.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Where to compute: flex, libtorch, libtorch-cuda.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Runs at the same time; results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Print the runs and how far they are, and start nothing.
    #[arg(long)]
    dry_run: bool,
}

/// An exit code, and what to say on stderr.
struct Failure(u8, String);

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Wrong(wrong) | SweepError::Open(OpenError::Wrong(wrong)) => {
                Self(2, wrong.to_string())
            }
            error => Self::usage(error),
        }
    }
}

impl Failure {
    fn usage(error: impl std::fmt::Display) -> Self {
        Self(2, format!("error: {error}"))
    }
}

fn main() -> ExitCode {
    match classify(&Arguments::parse()) {
        Ok(code) => code.into(),
        Err(Failure(code, message)) => {
            eprintln!("{message}");
            code.into()
        }
    }
}

fn classify(arguments: &Arguments) -> Result<u8, Failure> {
    let sweep = Sweep::read(&arguments.config)?;
    let stem = arguments.config.file_stem().unwrap_or_default();
    let folder = arguments.out.clone().unwrap_or_else(|| Path::new("output").join(stem));
    let device = (device(&arguments.device)?, arguments.device.clone());
    let mut data = BTreeMap::new();
    for run in 0..sweep.len() {
        let set = Settings::of(&sweep, run)?.data.set;
        if !arguments.dry_run && !data.contains_key(&set) {
            data.insert(set, set.read(&arguments.data).map_err(Failure::usage)?);
        }
    }
    let experiment = Classifiers { sweep: &sweep, data, device };
    let plan = Plan {
        sweep: &sweep,
        folder,
        shard: Shard::ALL,
        jobs: arguments.jobs,
        draw: true,
        experiment: &experiment,
    };
    let collection = plan.check().map_err(Failure::usage)?;
    let left = collection.records.iter().filter(|record| !record.state.is_final()).count();
    if arguments.dry_run {
        for record in &collection.records {
            println!("{}  {}", record.name, record.state.name());
        }
        println!("{} runs, {left} to do, in {}", sweep.len(), plan.folder.display());
        return Ok(0);
    }
    eprintln!("{} runs, {left} to do, in {}", sweep.len(), plan.folder.display());
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(Failure::usage)?;
    let collection = execute(&plan, collection, &stop, &show).map_err(Failure::usage)?;
    let tally = Tally::of(&collection.records);
    let Tally { done, diverged, failed, left, .. } = tally;
    println!("{done} done, {diverged} diverged, {failed} failed, {left} left");
    println!("see {}", plan.folder.join("summary.md").display());
    Ok(match tally {
        _ if stop.load(Ordering::Relaxed) => 130,
        Tally { failed: 1.., .. } => 1,
        Tally { diverged: 1.., .. } => 4,
        _ => 0,
    })
}

fn show(event: Event) {
    match event {
        Event::Damaged { name, what } => eprintln!("  warning: {name}: {what}"),
        Event::Started { .. } => {}
        Event::Elsewhere { name } => eprintln!("  {name}: another process is at it"),
        Event::Ended(record) => match (&record.state, &record.result) {
            (RecordState::Failed(reason), _) => eprintln!("  {}: failed: {reason}", record.name),
            (state, Some(result)) => {
                let accuracy = result.measures.get("accuracy").copied().unwrap_or(f64::NAN);
                let (loss, seconds) = (result.loss.total, result.seconds);
                let state = state.name();
                eprintln!(
                    "  {}: {state}, accuracy {accuracy:.4}, loss {loss:.2e}, {seconds:.1} s",
                    record.name
                );
            }
            (state, None) => eprintln!("  {}: {}", record.name, state.name()),
        },
    }
}

/// The Burn device of this name.
fn device(name: &str) -> Result<Device, Failure> {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "libtorch")]
        #[expect(deprecated, reason = "LibTorch is asked for, and Burn still has it")]
        "libtorch" => Ok(Device::libtorch()),
        #[cfg(feature = "libtorch")]
        #[expect(deprecated, reason = "LibTorch is asked for, and Burn still has it")]
        "libtorch-cuda" => Ok(Device::libtorch_cuda(0)),
        _ => Err(Failure::usage(format!("--device {name}: this build has no such device"))),
    }
}
