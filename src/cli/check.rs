//! `pinn-solve check FILE`: the problem as understood.

use clap::Args;

use super::{Exit, Failure, ProblemArgs, print};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A built-in problem's name, or the path of a problem file.
    #[arg(value_name = "NAME|FILE")]
    file: Option<String>,
    #[command(flatten)]
    problem: ProblemArgs,
}

pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let problem = args.problem.load(args.file.as_deref())?;
    print(&problem.describe())?;
    Ok(Exit::Done)
}
