//! `pinn-solve export RUN --to FILE`: a trained network for other programs.

use std::path::PathBuf;

use clap::Args;
use pinn::internals::export::{self, ExportError, Options};
use pinn::internals::run::write_whole;
use pinn::internals::trained::Trained;

use super::predict::{refuse_existing, refuse_own, say_state};
use super::solve::threads;
use super::{Exit, Failure, print};

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    pinn-solve export RUN --to burgers.onnx\n  \
    pinn-solve export RUN --to burgers.c          # and burgers.h\n  \
    pinn-solve export RUN --to burgers.safetensors   # and burgers.md, which says how NumPy evaluates it\n\
    docs/export.md is the guide.")]
pub(crate) struct ExportArgs {
    /// The run's folder; the run may be finished, interrupted, or still at work.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The file; its ending chooses the format: onnx, safetensors, c, js.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// ONNX in single precision, which all of its operators have.
    #[arg(long)]
    f32: bool,
    /// Overwrite files that exist.
    #[arg(long)]
    force: bool,
    /// No notes.
    #[arg(long, short)]
    quiet: bool,
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::usage(error)
    }
}

pub(crate) fn run(args: &ExportArgs) -> Result<Exit, Failure> {
    let ExportArgs { run, to, f32: single, force, quiet } = args;
    let format = export::by_name(&to.display().to_string())?;
    if *single && !format.has_single {
        return Err(Failure::usage(format!("--f32 is for .onnx; {} is in double precision", to.display())));
    }
    let trained = Trained::load_on(run, threads(None)?)?;
    if !quiet {
        say_state(&trained);
    }
    let stem = to.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let program = trained.program(format.derivatives)?;
    let files = (format.write)(&program, &Options { stem, single: *single, runtime: true })?;
    for file in &files {
        let path = to.with_file_name(&file.name);
        refuse_own(&path, run)?;
        refuse_existing(&path, *force)?;
    }
    for file in &files {
        let path = to.with_file_name(&file.name);
        write_whole(&path, &file.bytes)?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(Exit::Done)
}
