//! `pinn-solve check FILE`: the problem as understood.

use std::path::PathBuf;

use clap::Args;

use pinn::internals::auto::Decision;
use pinn::internals::run::write_whole;
use pinn::internals::solve::region;
use pinn::problem::Problem;

use super::predict::refuse_existing;
use super::{Exit, Failure, ProblemArgs, print, warn};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A built-in problem's name, or the path of a problem file.
    #[arg(value_name = "NAME|FILE")]
    file: Option<String>,
    /// Draw the domain that shapes make: walls with their names, lengths and normals, and points.
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// Write over a picture that exists already.
    #[arg(long, requires = "plot")]
    force: bool,
    #[command(flatten)]
    problem: ProblemArgs,
}

/// What the file left open and the autopilot decided, a line each, and what is tried before it; nothing where it left nothing open.
fn decided(decisions: &[Decision], problem: &Problem) -> String {
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
    if let Some(trial) = &problem.trial {
        let network = trial.problem.networks_in_words();
        text += &format!("tried first on the device cpu, and kept if it comes to rounding: {network}\n");
    }
    text
}

pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let loaded = args.problem.load(args.file.as_deref())?;
    warn(&loaded.warnings);
    print(&loaded.problem.describe())?;
    print(&decided(&loaded.decisions, &loaded.problem))?;
    if let Some(path) = &args.plot {
        let format = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        if format.as_deref() != Some("png") {
            return Err(Failure::usage(format!(
                "--plot {}: pictures are PNG files, such as region.png",
                path.display()
            )));
        }
        refuse_existing(path, args.force)?;
        let figure = region(&loaded.problem).map_err(|why| Failure::usage(format!("--plot: {why}")))?;
        write_whole(path, &figure.png().map_err(Failure::unexpected)?)?;
        tell!("the region is drawn in {}", path.display());
    }
    Ok(Exit::Done)
}
