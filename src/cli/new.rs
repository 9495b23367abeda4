//! `pinn-solve new NAME`: a problem file to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use clap::Args;
use pinn::problem::embedded_text;

use super::{Exit, Failure, print};

/// A problem with a word about everything in it.
const STARTER: &str = include_str!("../../assets/starter.toml");

#[derive(Args)]
pub(crate) struct NewArgs {
    /// What the file shall be called, without its ending; it goes into this folder.
    name: String,
    /// Copy this built-in problem instead of the commented starter (`pinn-solve problems` lists them).
    #[arg(long, value_name = "PROBLEM")]
    from: Option<String>,
}

pub(crate) fn run(args: &NewArgs) -> Result<Exit, Failure> {
    let name = args.name.strip_suffix(".toml").unwrap_or(&args.name);
    // The file's name names the run's folder, as `name` in a problem file does.
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(plain) {
        return Err(Failure::usage(format!(
            "`{}` cannot name a problem: take letters, digits and `-`, `_`, `.`, for example `pinn-solve new rod`",
            args.name.escape_debug()
        )));
    }
    let file = format!("{name}.toml");
    let text = match &args.from {
        Some(problem) => embedded_text(problem)?.to_owned(),
        None => STARTER.replace("THIS-FILE", &file),
    };
    let written = OpenOptions::new().write(true).create_new(true).open(&file);
    written.and_then(|mut open| open.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::usage(format!("{file} exists already; choose another name, or remove it"))
        }
        _ => Failure::unexpected(format!("cannot write {file}: {error}")),
    })?;
    print(&format!(
        "{file} is written; change what you like, then\n  pinn-solve check {file}\n  pinn-solve --problem {file}\n"
    ))?;
    Ok(Exit::Done)
}
