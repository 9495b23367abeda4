//! `pinn-solve report DIR`: a sweep's tables and figures, drawn again.

use std::path::PathBuf;

use clap::Args;
use pinn::sweep::{Collection, Sweep, Tally};

use super::sweep::summary;
use super::{Exit, Failure, print};

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The sweep's folder.
    #[arg(value_name = "DIR")]
    sweep: PathBuf,
}

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let config = args.sweep.join("sweep.toml");
    if !config.is_file() {
        let folder = args.sweep.display();
        return Err(Failure::usage(format!("{folder} is no folder of a sweep: it has no sweep.toml")));
    }
    let sweep = Sweep::read(&config)?;
    let collection = Collection::read(&sweep, &args.sweep)?;
    collection.write(&sweep, &args.sweep)?;
    print(&summary(&Tally::of(&collection.records), &args.sweep))?;
    Ok(Exit::Done)
}
