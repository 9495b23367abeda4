//! `pinn-solve report DIR`: the pictures and tables of a run or a sweep, made again from what they left.

use std::path::{Path, PathBuf};

use clap::Args;
use pinn::internals::page::PAGE;
use pinn::internals::solve::{Drawn, page_alone, redraw};
use pinn::internals::sweep::{Collection, Sweep, Tally};
use pinn::internals::trained::Trained;

use super::predict::say_state;
use super::solve::threads;
use super::sweep::summary;
use super::{Exit, Failure, print};

/// Pages of a sweep's runs that are made up for, at the most: each takes as long as many a small run.
const MOST_PAGES: usize = 1000;

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The folder of a run, which may be finished, interrupted or at work, or of a sweep.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print the verdict on a run and what it rests on as JSON, and draw nothing.
    #[arg(long)]
    json: bool,
    /// Threads of the engine; results do not depend on them [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let folder = &args.folder;
    if folder.join("sweep.toml").is_file() {
        return sweep(folder);
    }
    if !folder.join("resolved.toml").is_file() {
        let folder = folder.display();
        return Err(Failure::usage(format!(
            "{folder} is no folder of a run or of a sweep: it has neither resolved.toml nor sweep.toml"
        )));
    }
    let mut trained = Trained::load_on(folder, threads(args.threads)?)?;
    say_state(&trained);
    let verdict = trained.verdict();
    if args.json {
        let text = serde_json::to_string_pretty(&verdict).expect("plain data");
        print(&format!("{text}\n"))?;
        return Ok(Exit::Done);
    }
    let Drawn { files, damaged } = redraw(&mut trained, folder)?;
    if let Some(damaged) = damaged {
        tell!("warning: {damaged}");
    }
    let lines = files.iter().map(|name| format!("{}\n", folder.join(name).display()));
    print(&lines.collect::<String>())?;
    tell!("{}", verdict.line());
    Ok(Exit::Done)
}

fn sweep(folder: &Path) -> Result<Exit, Failure> {
    let sweep = Sweep::read(&folder.join("sweep.toml"))?;
    let collection = Collection::read(&sweep, folder)?;
    let runs = collection.records.iter().filter(|record| record.state.is_final());
    let runs = runs.map(|record| folder.join("runs").join(&record.name));
    // Runs of other programs have results, and no problem.
    let lacks = |run: &PathBuf| run.join("resolved.toml").is_file() && !run.join(PAGE).is_file();
    let without: Vec<PathBuf> = runs.filter(lacks).collect();
    if without.len() > MOST_PAGES {
        tell!(
            "{} runs have no page; pinn-solve report gives one to the run that it is asked of",
            without.len()
        );
    } else {
        without.iter().try_for_each(|run| page_alone(run))?;
    }
    collection.write(&sweep, folder)?;
    print(&summary(&Tally::of(&collection.records), folder))?;
    Ok(Exit::Done)
}
