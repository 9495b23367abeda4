//! `pinn-solve resume DIR`: go on with a run that was interrupted.

use std::path::PathBuf;

use clap::Args;
use pinn::run::RunDirectory;
use pinn::solve::Solver;

use super::solve::{ComputeArgs, ShowArgs, finish, stop_flag};
use super::{Exit, Failure};

#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// The run's folder.
    #[arg(value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    compute: ComputeArgs,
    #[command(flatten)]
    show: ShowArgs,
}

pub(crate) fn run(args: &ResumeArgs) -> Result<Exit, Failure> {
    let mut solver = Solver::for_run(&args.run, args.compute.settings(args.show.plots())?)?;
    let resumed = RunDirectory::resume(&args.run)?;
    if let Some(damaged) = resumed.damaged.as_ref().filter(|_| !args.show.silent()) {
        eprintln!("warning: {damaged}");
    }
    finish(&mut solver, &args.run, &args.show, |solver, watch| solver.resume(resumed, &stop_flag(), watch))
}
