//! `pinn-solve check FILE`: the problem as understood.

use clap::Args;

use pinn::internals::auto::Decision;

use super::{Exit, Failure, ProblemArgs, print, warn};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A built-in problem's name, or the path of a problem file.
    #[arg(value_name = "NAME|FILE")]
    file: Option<String>,
    #[command(flatten)]
    problem: ProblemArgs,
}

/// What the file left open and the autopilot decided, a line each; nothing where it left nothing open.
fn decided(decisions: &[Decision]) -> String {
    if decisions.is_empty() {
        return String::new();
    }
    let mut text =
        "\ndecided for this file (state a key to decide it yourself; `auto = false` in [training] for plain \
                    defaults)\n"
            .to_owned();
    for Decision { key, value, why } in decisions {
        text += &format!("  {key} = {value}\n      {why}\n");
    }
    text
}

pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let loaded = args.problem.load(args.file.as_deref())?;
    warn(&loaded.warnings);
    print(&loaded.problem.describe())?;
    print(&decided(&loaded.decisions))?;
    Ok(Exit::Done)
}
