//! `pinn-solve sweep CONFIG`: run every combination of some settings, and compare.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use pinn::internals::ranks::Ranks;
use pinn::internals::run::RunSettings;
use pinn::internals::sweep::{
    Event, ExecuteError, OutputError, Plan, Problems, Record, RecordState, Shard, Sweep, SweepError, Tally,
    execute,
};

use super::interrupt;
use super::solve::{ComputeArgs, cores};
use super::{Exit, Failure, print};

#[derive(Args)]
#[command(
    after_help = "Stop it at any moment and run it again: what is done is not repeated, what was interrupted \
    goes on. Exit codes: 0 all runs done, 1 some could not be run, 3 some missed their tolerance, 4 some diverged, \
    130 interrupted."
)]
pub(crate) struct SweepArgs {
    /// The sweep's configuration (docs/sweeps.md).
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// The sweep's folder [default: output/<name of the configuration>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Runs at the same time, which share the cores; results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Every N-th run from the K-th on, so that N processes share a sweep.
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Print a job script for Slurm, an array of N jobs that share the sweep, and start nothing.
    #[arg(long, value_name = "N", conflicts_with_all = ["shard", "dry_run"])]
    slurm: Option<NonZeroUsize>,
    /// Print the runs and how far they are, and start nothing.
    #[arg(long)]
    dry_run: bool,
    /// Draw the pictures of every run, too.
    #[arg(long)]
    plots: bool,
    /// Draw no figures and write no pages, neither of the runs nor of the sweep.
    #[arg(long, conflicts_with = "plots")]
    no_plots: bool,
    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((index, of)) if index >= 1 && index <= of => Ok(Shard { index, of }),
        _ => Err("write K/N with K from 1 to N, such as 2/8".into()),
    }
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Wrong(diagnostics) => diagnostics.into(),
            SweepError::Open(error) => error.into(),
            SweepError::Value { .. } => Self::usage(error),
        }
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Run(error) => error.into(),
            OutputError::Report(error) => Self::unexpected(error),
        }
    }
}

impl From<ExecuteError> for Failure {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Sweep(error) => error.into(),
            ExecuteError::Other(_) => Self::usage(error),
            ExecuteError::Output(error) => error.into(),
        }
    }
}

pub(crate) fn run(args: &SweepArgs) -> Result<Exit, Failure> {
    if args.jobs == 0 {
        return Err(Failure::usage("--jobs 0: at least one run at a time is needed"));
    }
    let sweep = Sweep::read(&args.config)?;
    let stem = args.config.file_stem().unwrap_or_default();
    let folder = args.out.clone().unwrap_or_else(|| Path::new("output").join(stem));
    let page = !args.no_plots;
    let begun = RunSettings { plots: args.plots, page, quiet: args.quiet, ..RunSettings::default() };
    let mut settings = args.compute.settings(begun, &Ranks::alone())?;
    if args.compute.threads.is_none() {
        settings.threads = (cores() / args.jobs).max(1);
    }
    let shard = args.shard.unwrap_or(Shard::ALL);
    let threads = settings.threads;
    let experiment = Problems::new(&sweep, settings)?;
    let plan = Plan { sweep: &sweep, folder, shard, jobs: args.jobs, draw: page, experiment: &experiment };
    let collection = plan.check()?;
    if let Some(warning) = experiment.warning().filter(|_| !args.quiet) {
        tell!("warning: {warning}");
    }
    let mine = || collection.records.iter().enumerate().filter(|(run, _)| shard.has(*run)).map(|(_, r)| r);
    let left = mine().filter(|record| !record.state.is_final()).count();
    if let Some(of) = args.slurm {
        print(&job_script(of.get(), args)?)?;
        return Ok(Exit::Done);
    }
    if args.dry_run {
        let lines = mine().map(|record| format!("{}  {}\n", record.name, record.state.name()));
        print(&lines.collect::<String>())?;
        print(&format!("{} runs, {left} to do, in {}\n", mine().count(), plan.folder.display()))?;
        return Ok(Exit::Done);
    }
    if !args.quiet {
        let jobs = args.jobs;
        let folder = plan.folder.display();
        tell!(
            "{} runs, {left} to do, {jobs} at a time with {threads} threads each; {folder}",
            mine().count()
        );
    }
    interrupt::wait_for_me();
    let stop = interrupt::asked();
    let ended = AtomicUsize::new(0);
    let collection = execute(&plan, collection, stop, &|event| {
        if !args.quiet {
            show(&event, &ended, left);
        }
    })?;
    let tally = Tally::of(&collection.records);
    if !args.quiet {
        print(&summary(&tally, &plan.folder))?;
    }
    Ok(match tally {
        _ if stop.load(Ordering::Relaxed) => Exit::Interrupted,
        Tally { failed: 1.., .. } => Exit::Unexpected,
        Tally { diverged: 1.., .. } => Exit::Diverged,
        Tally { missed: 1.., .. } => Exit::NotSolved,
        _ => Exit::Done,
    })
}

/// The command that is running as an array of `of` jobs, a shard of the sweep every one.
fn job_script(of: usize, args: &SweepArgs) -> Result<String, Failure> {
    let mut given = std::env::args_os().skip(1);
    let mut command = "pinn-solve".to_owned();
    while let Some(word) = given.next() {
        let Some(word) = word.to_str() else {
            return Err(Failure::usage(format!("{}: a job script is text, this is none", word.display())));
        };
        match word {
            "--slurm" => drop(given.next()),
            word if word.starts_with("--slurm=") => {}
            word => command += &format!(" {}", quoted(word)),
        }
    }
    let threads = args.compute.threads.unwrap_or(1);
    if args.compute.threads.is_none() {
        command += " --threads 1";
    }
    let cores = args.jobs.saturating_mul(threads);
    Ok(format!(
        "#!/bin/bash\n\
         #SBATCH --job-name=pinn-solve\n\
         #SBATCH --array=1-{of}\n\
         #SBATCH --ntasks=1\n\
         #SBATCH --cpus-per-task={cores}\n\
         #SBATCH --requeue\n\
         # Jobs that were cut off go on when the script is submitted again; without a limit of time the cluster has its own.\n\
         # #SBATCH --time=02:00:00\n\
         exec {command} --shard \"$SLURM_ARRAY_TASK_ID/{of}\"\n"
    ))
}

/// `word` as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,%@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn show(event: &Event, ended: &AtomicUsize, of: usize) {
    match event {
        Event::Started { name, resumed: false } => tell!("  starts  {name}"),
        Event::Started { name, resumed: true } => tell!("  resumes {name}"),
        Event::Damaged { name, what } => tell!("  warning: {name}: {what}"),
        Event::Elsewhere { name } => tell!("  skips   {name}: another process is at it"),
        Event::Ended(record) => {
            let count = ended.fetch_add(1, Ordering::Relaxed) + 1;
            tell!("  {count}/{of} {}: {}", record.name, what(record));
        }
    }
}

fn what(record: &Record) -> String {
    match (&record.state, &record.result) {
        (RecordState::Failed(reason), _) => format!("failed: {reason}"),
        (state, Some(result)) => {
            let error = result.error().map_or(String::new(), |error| format!(", error {error:.2e}"));
            format!("{}, loss {:.2e}{error}, {:.1} s", state.name(), result.loss.total, result.seconds)
        }
        (state, None) => state.name().to_owned(),
    }
}

/// What a person wants to know at the end.
pub(super) fn summary(tally: &Tally, folder: &Path) -> String {
    let Tally { done, missed, diverged, failed, left } = tally;
    format!(
        "{done} done, {missed} short of their tolerance, {diverged} diverged, {failed} failed, {left} left\n\
         see {}\n",
        folder.join("summary.md").display()
    )
}
