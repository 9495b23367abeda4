//! `pinn-solve check FILE`: the problem as understood.

use clap::Args;

use super::{Exit, Failure, ProblemArgs, print, warn};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A built-in problem's name, or the path of a problem file.
    #[arg(value_name = "NAME|FILE")]
    file: Option<String>,
    #[command(flatten)]
    problem: ProblemArgs,
}

pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let loaded = args.problem.load(args.file.as_deref())?;
    warn(&loaded.warnings);
    print(&loaded.problem.describe())?;
    Ok(Exit::Done)
}
