//! Where an experiment's tables and pictures go.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use pinn::internals::report::Figure;
use pinn::internals::run::{make_folder, make_folder_in, write_whole};
use serde_json::{Map, Value};

use super::table::Table;
use crate::cli::solve::timestamp;
use crate::cli::{Exit, Failure, print};

#[derive(Args)]
pub(super) struct OutputArgs {
    /// The folder of tables and pictures, which must not exist [default: output/signal-<what>-<time>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the tables as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

/// An experiment's folder, and what will be said at its end.
pub(super) struct Output {
    folder: PathBuf,
    json: bool,
    text: String,
    tables: Map<String, Value>,
    files: Vec<String>,
}

impl Output {
    /// Makes the folder.
    pub(super) fn create(args: &OutputArgs, what: &str) -> Result<Self, Failure> {
        let folder = match &args.out {
            Some(path) => make_folder(path).map(|()| path.clone())?,
            None => make_folder_in(Path::new("output"), &format!("signal-{what}-{}", timestamp()))?,
        };
        Ok(Self { folder, json: args.json, text: String::new(), tables: Map::new(), files: vec![] })
    }

    /// Says on stderr what is being computed.
    pub(super) fn progress(&self, what: &str) {
        if !self.json {
            tell!("{what} …");
        }
    }

    /// Writes `<name>.csv`.
    pub(super) fn csv(&mut self, name: &str, table: &Table) -> Result<(), Failure> {
        self.write(format!("{name}.csv"), &table.to_csv()?)
    }

    /// Draws `<name>.png`.
    pub(super) fn figure(&mut self, name: &str, figure: &Figure) -> Result<(), Failure> {
        self.write(format!("{name}.png"), &figure.png().map_err(Failure::unexpected)?)
    }

    /// Keeps a table for stdout; `name` is its key in JSON.
    pub(super) fn show(&mut self, name: &str, title: &str, table: &Table) {
        let _ = writeln!(self.text, "{title}\n{}", table.to_text());
        self.tables.insert(name.into(), table.to_json());
    }

    /// Prints everything that was shown, and where the files are.
    pub(super) fn finish(self) -> Result<Exit, Failure> {
        if self.json {
            let json =
                serde_json::json!({ "folder": self.folder, "files": self.files, "tables": self.tables });
            print(&(serde_json::to_string_pretty(&json).map_err(Failure::unexpected)? + "\n"))?;
        } else {
            print(&format!("{}files: {} in {}\n", self.text, self.files.join(", "), self.folder.display()))?;
        }
        Ok(Exit::Done)
    }

    fn write(&mut self, name: String, content: &[u8]) -> Result<(), Failure> {
        write_whole(&self.folder.join(&name), content)?;
        self.files.push(name);
        Ok(())
    }
}
