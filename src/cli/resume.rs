//! `pinn-solve resume DIR`: go on with a run that was interrupted.

use std::path::PathBuf;

use clap::Args;
use pinn::internals::ranks::Ranks;
use pinn::internals::run::{Checkpoint, Found, Resumed, RunDirectory, RunSettings};
use pinn::internals::solve::Solver;

use super::interrupt;
use super::ranks;
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

pub(crate) fn run(args: &ResumeArgs, ranks: &Ranks) -> Result<Exit, Failure> {
    let prepared = prepare(args, ranks);
    let (mut solver, show, settings_damaged) = ranks::agree(ranks, prepared)?;
    ranks::compare(ranks, solver.fingerprint())?;
    let of_another =
        || Resumed { directory: RunDirectory::of_another(&args.run), checkpoint: None, damaged: vec![] };
    let mut resumed = ranks::lead(ranks, || Ok(RunDirectory::resume(&args.run)?), of_another)?;
    if ranks.are_several() {
        // All go on from what rank 0 has read.
        let bytes = ranks.broadcast(resumed.checkpoint.as_mut().map_or(vec![], Checkpoint::for_other_ranks));
        if !ranks.leads() && !bytes.is_empty() {
            let read = Checkpoint::from_bytes(&bytes).map_err(Failure::unexpected);
            resumed.checkpoint = Some(read.map_err(|failure| ranks::give_up(ranks, failure))?);
        }
    }
    for damaged in settings_damaged.iter().chain(&resumed.damaged) {
        if !show.silent() && ranks.leads() {
            tell!("warning: {damaged}");
        }
    }
    finish(&mut solver, &args.run, &show, ranks, |solver, watch| {
        solver.resume(resumed, ranks.stop(interrupt::asked()), watch)
    })
}

/// What trains the run's problem, what to show, and what is wrong with the run's settings.
fn prepare(args: &ResumeArgs, ranks: &Ranks) -> Result<(Solver, ShowArgs, Option<String>), Failure> {
    let Found { content: mut settings, damaged } = RunSettings::read(&args.run)?;
    let asked = |begun: bool| (begun || args.plots) && !args.show.no_plots;
    (settings.plots, settings.page) = (asked(settings.plots), asked(settings.page));
    settings.estimate |= args.show.estimate;
    settings.quiet = (settings.quiet && !args.no_quiet) || args.show.quiet;
    let show = ShowArgs { quiet: settings.quiet, no_plots: !settings.plots, ..args.show };
    let solver = Solver::for_run(&args.run, args.compute.settings(settings, ranks)?)?;
    Ok((solver, show, damaged))
}
