//! `settings.json`: how a run was asked to be computed and shown, so that it goes on as it began.
//!
//! What changes the solution is in the problem file; nothing here does, but for the device.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Found, RunDirectory, RunError, read_file};

/// The file's name.
pub(super) const SETTINGS: &str = "settings.json";

/// A run's settings beside the problem; what a file lacks is as here by default.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct RunSettings {
    /// A name of [`DEVICES`](crate::engine::device::DEVICES), with an index where there are several.
    pub device: String,
    /// Points that go through a Burn device at once; `None` for the device's own choice.
    pub chunk: Option<usize>,
    /// Draw pictures at the end?
    pub plots: bool,
    /// Write a page to read at the end?
    pub page: bool,
    /// Say nothing while it runs?
    pub quiet: bool,
    /// Solve a second time, to see how far the two solutions are apart?
    pub estimate: bool,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { device: "cpu".into(), chunk: None, plots: true, page: true, quiet: false, estimate: false }
    }
}

impl RunSettings {
    /// Those of the run in `folder`; the default where it has none, or where they do not read.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn read(folder: &Path) -> Result<Found<Self>, RunError> {
        let path = folder.join(SETTINGS);
        let Some(bytes) = read_file(path.clone())? else { return Ok(Found::whole(Self::default())) };
        Ok(serde_json::from_slice(&bytes).map_or_else(
            |error| {
                let content = Self::default();
                let (path, device) = (path.display(), &content.device);
                let damaged = format!(
                    "{path} is damaged ({error}); the device is {device}, unless --device says another"
                );
                Found { damaged: Some(damaged), content }
            },
            Found::whole,
        ))
    }

    /// Writes them down for the run in `directory`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, directory: &RunDirectory) -> Result<(), RunError> {
        let json = serde_json::to_string_pretty(self).expect("plain settings");
        directory.write(SETTINGS, format!("{json}\n").as_bytes())
    }
}
