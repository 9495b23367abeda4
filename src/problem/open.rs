//! Problems by name: the built-in ones, and files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostics;
use super::embedded::embedded;
use super::file::Document;
use crate::expr::closest;
use crate::limits::MAX_TEXT;

/// Why a problem could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file does not read.
    #[error("cannot read {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is too long.
    #[error("{} has more than {MAX_TEXT} bytes; numbers in bulk belong in a table, which the problem names", .0.display())]
    TooLong(PathBuf),
    /// The file is no text.
    #[error("{} is not UTF-8 text; problem files are plain TOML", .0.display())]
    NotText(PathBuf),
    /// No problem of this name comes with the program.
    #[error(
        "there is no built-in problem `{name}`{hint} (`pinn-solve problems` lists them; a file's name ends in .toml)"
    )]
    Unknown {
        /// As asked for.
        name: String,
        /// The nearest name.
        hint: String,
    },
    /// The text is no TOML, or what it says is no problem.
    #[error(transparent)]
    Wrong(#[from] Diagnostics),
}

/// A problem file that was read.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it says.
    pub document: Document,
    /// Its text.
    pub text: String,
    /// The folder that file names in it start from.
    pub folder: PathBuf,
}

/// Opens a built-in problem by its name, or a file by its path (relative to the folder `beside`).
///
/// # Errors
///
/// If there is no such problem or file, or it is no TOML.
pub fn open(name: &str, beside: &Path) -> Result<Opened, OpenError> {
    let is_path = name.ends_with(".toml") || name.contains(std::path::is_separator);
    if is_path || beside.join(name).is_file() {
        let path = beside.join(name);
        let text = read_text(&path)?;
        let document = Document::parse(&path.display().to_string(), &text)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        return Ok(Opened { document, text, folder });
    }
    let text = embedded_text(name)?;
    let document = Document::parse(&format!("{name}.toml"), text)?;
    Ok(Opened { document, text: text.to_owned(), folder: PathBuf::new() })
}

/// The text of a built-in problem.
///
/// # Errors
///
/// If there is none of this name.
pub fn embedded_text(name: &str) -> Result<&'static str, OpenError> {
    let known = embedded();
    known.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| {
        let close = closest(name, known.iter().map(|(known, _)| *known));
        let hint = close.map_or(String::new(), |close| format!("; did you mean `{close}`?"));
        OpenError::Unknown { name: name.to_owned(), hint }
    })
}

/// The text of a file.
///
/// # Errors
///
/// If it cannot be read, is too long, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, OpenError> {
    let read = |source| OpenError::Read { path: path.to_owned(), source };
    let mut bytes = vec![];
    // One byte more than there may be: what has no end, such as a device, is not waited for.
    let most = MAX_TEXT as u64 + 1;
    File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(read)?;
    if bytes.len() > MAX_TEXT {
        return Err(OpenError::TooLong(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| OpenError::NotText(path.to_owned()))
}
