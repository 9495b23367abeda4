//! A trained network taken along: the same program of plain arithmetic in other languages.
//!
//! A format is a file of this folder and a line of [`FORMATS`]; each prints a [`Program`] and knows no problem.
//! What is here makes files as bytes; it knows no engines, no file system and no terminals.

mod c;
mod javascript;
mod layers;
mod numpy;
mod onnx;
mod program;
mod protobuf;
mod text;

pub use javascript::functions;
pub use program::{Program, differentiated};

/// The function of a program that computes the unknowns.
pub const VALUES: &str = "values";
/// The function of a program that computes the unknowns and their derivatives, as [`differentiated`] lists them.
pub const DERIVATIVES: &str = "with_derivatives";

/// Why a network cannot be written in a format.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExportError {
    /// The format cannot hold this.
    #[error("{0}")]
    Unfit(String),
    /// There is no such format.
    #[error("{name} has no ending that is known; known are {known}")]
    Unknown {
        /// The file's name.
        name: String,
        /// Endings.
        known: String,
    },
}

/// How a network is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The name of the file, without its ending.
    pub stem: String,
    /// In single precision, where there is a choice?
    pub single: bool,
    /// Is ONNX meant for ONNX Runtime, which has some of its operators in single precision alone?
    pub runtime: bool,
}

/// A file to be written beside the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A format, by its files' endings.
pub struct Format {
    /// Endings, without the dot; the first is the format's name.
    pub endings: &'static [&'static str],
    /// In words.
    pub about: &'static str,
    /// Does it write single precision where it is asked to?
    pub has_single: bool,
    /// Does it compute derivatives?
    pub derivatives: bool,
    /// All files of a network.
    pub write: fn(&Program, &Options) -> Result<Vec<File>, ExportError>,
}

/// All formats.
pub const FORMATS: &[Format] = &[
    Format { endings: &["onnx"], about: "ONNX", has_single: true, derivatives: false, write: onnx::write },
    Format {
        endings: &["safetensors"],
        about: "weights, and a page that says how NumPy evaluates them",
        has_single: false,
        derivatives: false,
        write: numpy::write,
    },
    Format {
        endings: &["c", "h"],
        about: "C99 with first and second derivatives",
        has_single: false,
        derivatives: true,
        write: c::write,
    },
    Format {
        endings: &["js"],
        about: "a JavaScript module",
        has_single: false,
        derivatives: true,
        write: javascript::write,
    },
];

/// The format that the name of a file asks for by its ending.
///
/// # Errors
///
/// If there is none, with a list of those there are.
pub fn by_name(name: &str) -> Result<&'static Format, ExportError> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let fits = |format: &&Format| format.endings.iter().any(|known| known.eq_ignore_ascii_case(ending));
    FORMATS.iter().find(fits).ok_or_else(|| ExportError::Unknown {
        name: name.to_owned(),
        known: FORMATS
            .iter()
            .map(|format| format!(".{} ({})", format.endings.join(" and ."), format.about))
            .collect::<Vec<_>>()
            .join(", "),
    })
}
