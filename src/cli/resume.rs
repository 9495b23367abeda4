//! `pinn-solve resume DIR`: go on with a run that was interrupted.

use std::path::PathBuf;

use clap::Args;
use pinn::internals::run::{Found, RunDirectory, RunSettings};
use pinn::internals::solve::Solver;

use super::interrupt;
use super::solve::{ComputeArgs, ShowArgs, finish};
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
    /// Draw pictures and write a page, though the run began with --no-plots.
    #[arg(long, conflicts_with = "no_plots")]
    plots: bool,
    /// Show progress, warnings and summary, though the run began with --quiet.
    #[arg(long, conflicts_with = "quiet")]
    no_quiet: bool,
}

pub(crate) fn run(args: &ResumeArgs) -> Result<Exit, Failure> {
    let Found { content: mut settings, damaged } = RunSettings::read(&args.run)?;
    let asked = |begun: bool| (begun || args.plots) && !args.show.no_plots;
    (settings.plots, settings.page) = (asked(settings.plots), asked(settings.page));
    settings.estimate |= args.show.estimate;
    settings.quiet = (settings.quiet && !args.no_quiet) || args.show.quiet;
    let show = ShowArgs { quiet: settings.quiet, no_plots: !settings.plots, ..args.show };
    let mut solver = Solver::for_run(&args.run, args.compute.settings(settings)?)?;
    let resumed = RunDirectory::resume(&args.run)?;
    for damaged in damaged.iter().chain(&resumed.damaged).filter(|_| !show.silent()) {
        tell!("warning: {damaged}");
    }
    finish(&mut solver, &args.run, &show, |solver, watch| solver.resume(resumed, interrupt::asked(), watch))
}
