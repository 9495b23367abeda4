//! `pinn-solve problems [NAME]`: the built-in problems.

use clap::Args;
use pinn::problem;

use super::{Exit, Failure, print};

#[derive(Args)]
pub(crate) struct ProblemsArgs {
    /// Print this problem's file, to start one of your own from.
    name: Option<String>,
}

pub(crate) fn run(args: &ProblemsArgs) -> Result<Exit, Failure> {
    match &args.name {
        Some(name) => print(problem::embedded_text(name).map_err(Failure::usage)?)?,
        None => {
            let width = problem::embedded().iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let lines = problem::embedded().iter().map(|(name, text)| {
                let title = problem::title(text).unwrap_or_default();
                format!("{name:width$}  {title}\n")
            });
            print(&lines.collect::<String>())?;
        }
    }
    Ok(Exit::Done)
}
