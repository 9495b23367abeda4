//! `pinn-solve problems [NAME]`: the built-in problems.

use std::path::Path;

use clap::Args;
use pinn::problem::{self, Document, Problem, embedded_text};

use super::{Exit, Failure, print};

#[derive(Args)]
pub(crate) struct ProblemsArgs {
    /// Print this problem's file, to start one of your own from.
    name: Option<String>,
}

/// What fits on a line, in characters.
const LINE: usize = 100;

pub(crate) fn run(args: &ProblemsArgs) -> Result<Exit, Failure> {
    match &args.name {
        Some(name) => print(embedded_text(name)?)?,
        None => {
            let width = problem::embedded().iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let lines = problem::embedded().iter().map(|(name, text)| {
                let (problem, _) = Document::parse(name, text)?.build(Path::new(""))?;
                let equation = shortened(&equation(&problem), LINE - width - 2);
                Ok(format!("{name:width$}  {}\n{:width$}  {equation}\n", problem.title, ""))
            });
            print(&lines.collect::<Result<String, Failure>>()?)?;
        }
    }
    Ok(Exit::Done)
}

/// What holds inside the domain, as the file writes it.
fn equation(problem: &Problem) -> String {
    let inside = problem.conditions.iter().filter(|condition| condition.place.is_interior());
    let equations = inside.flat_map(|condition| &condition.written).map(|residual| format!("{residual} = 0"));
    equations.collect::<Vec<_>>().join(", ")
}

/// `text` within `most` characters, cut between words.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let room: String = text.chars().take(most - 2).collect();
    let kept = room.rsplit_once(' ').map_or(room.as_str(), |(kept, _)| kept);
    format!("{kept} …")
}
