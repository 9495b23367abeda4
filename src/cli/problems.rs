//! `pinn-solve problems [NAME]`: the built-in problems.

use std::path::Path;

use clap::Args;
use pinn::problem::{self, Document, embedded_text};

use super::{Exit, Failure, print};

#[derive(Args)]
pub(crate) struct ProblemsArgs {
    /// Print this problem's file, to start one of your own from.
    name: Option<String>,
}

pub(crate) fn run(args: &ProblemsArgs) -> Result<Exit, Failure> {
    match &args.name {
        Some(name) => print(embedded_text(name)?)?,
        None => {
            let width = problem::embedded().iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let lines = problem::embedded().iter().map(|(name, text)| {
                let (problem, _) = Document::parse(name, text)?.build(Path::new(""))?;
                Ok(format!("{name:width$}  {}\n", problem.title))
            });
            print(&lines.collect::<Result<String, Failure>>()?)?;
        }
    }
    Ok(Exit::Done)
}
