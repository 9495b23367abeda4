//! Formats: plain numbers and pictures in, bytes out.
//!
//! A format is a file of this folder and a line of [`FORMATS`].
//! What is here knows columns, grids, meshes and figures; it knows no problem, no engine, no run and no file system.

mod csv;
mod json;
mod npy;
mod npz;
mod png;
mod pvd;
mod vti;
mod vtk;
mod vtu;

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::limits::MAX_POINT_NUMBERS;
use crate::report::{Figure, ReportError};

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The rows did not come.
    #[error(transparent)]
    Rows(Box<dyn core::error::Error + Send + Sync>),
    /// The format cannot hold this.
    #[error("{0}")]
    Unfit(String),
    /// Somebody asked to stop.
    #[error("interrupted: nothing was written")]
    Interrupted,
    /// A picture that cannot be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// There is no such format.
    #[error("{name} has no ending that is known; known are {known}")]
    Unknown {
        /// The file's name.
        name: String,
        /// Endings.
        known: String,
    },
}

/// A format: an ending, and what it can hold.
pub struct Format {
    /// How names of its files end, without the dot.
    pub ending: &'static str,
    /// In words.
    pub about: &'static str,
    /// Writes rows of numbers.
    pub numbers: Option<WriteNumbers>,
    /// Writes records whose cells may also be texts.
    pub records: Option<WriteRecords>,
    /// Lists the files of a series over time, which are in a format of their own, by time and name.
    pub series: Option<WriteSeries>,
    /// Draws a picture.
    pub picture: Option<DrawPicture>,
}

/// How a format writes rows of numbers.
pub type WriteNumbers = fn(&mut Table, &mut dyn Write) -> Result<(), OutputError>;
/// How a format writes records.
pub type WriteRecords = fn(&[Record]) -> Vec<u8>;
/// How a format draws a picture.
pub type DrawPicture = fn(&Figure) -> Result<Vec<u8>, ReportError>;
/// See [`Format::series`].
pub type WriteSeries = fn(&[(f64, String)]) -> Vec<u8>;
/// A row whose cells have names; a cell is a number, a text, or nothing.
pub type Record = Map<String, Value>;

const NOTHING: Format =
    Format { ending: "", about: "", numbers: None, records: None, series: None, picture: None };

/// All formats.
pub const FORMATS: &[Format] = &[
    Format {
        ending: "csv",
        about: "a table for spreadsheets and people",
        numbers: Some(csv::numbers),
        records: Some(csv::records),
        ..NOTHING
    },
    Format {
        ending: "json",
        about: "an array of objects",
        numbers: Some(json::numbers),
        records: Some(json::records),
        ..NOTHING
    },
    Format {
        ending: "npy",
        about: "NumPy, rows of coordinates and values",
        numbers: Some(npy::numbers),
        ..NOTHING
    },
    Format { ending: "npz", about: "NumPy, an array for every name", numbers: Some(npz::numbers), ..NOTHING },
    Format {
        ending: "vti",
        about: "VTK, a grid of up to three dimensions",
        numbers: Some(vti::numbers),
        ..NOTHING
    },
    Format {
        ending: "vtu",
        about: "VTK, points or a mesh with its cells",
        numbers: Some(vtu::numbers),
        ..NOTHING
    },
    Format {
        ending: "pvd",
        about: "VTK, a series of grids or meshes over time",
        series: Some(pvd::series),
        ..NOTHING
    },
    Format { ending: "png", about: "a picture", picture: Some(png::picture), ..NOTHING },
];

/// The format that the name of a file asks for by its ending, among those for which `holds`.
///
/// # Errors
///
/// If there is none, with a list of those there are.
pub fn by_name(name: &str, holds: impl Fn(&Format) -> bool) -> Result<&'static Format, OutputError> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let fit = |format: &&Format| holds(format);
    let known = || FORMATS.iter().filter(fit);
    known().find(|format| format.ending.eq_ignore_ascii_case(ending)).ok_or_else(|| OutputError::Unknown {
        name: name.to_owned(),
        known: known()
            .map(|format| format!(".{} ({})", format.ending, format.about))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The format with this ending.
///
/// # Panics
///
/// If there is none, which only a programmer can bring about.
pub fn by_ending(ending: &str) -> &'static Format {
    FORMATS.iter().find(|format| format.ending == ending).expect("the format is in the table")
}

/// Rows of numbers, and what is known about all of them beforehand.
pub struct Table<'a> {
    /// The columns: coordinates, then values.
    pub names: &'a [String],
    /// How many of the columns are coordinates.
    pub coordinates: usize,
    /// Which of the coordinates is time, if one is.
    pub time: Option<usize>,
    /// How the points lie.
    pub layout: &'a Layout,
    /// How many rows there are, if that is known.
    pub count: Option<usize>,
    /// The next rows, one after the other, as many as there are columns each; `None` at the end.
    pub rows: &'a mut Rows<'a>,
}

/// See [`Table::rows`].
pub type Rows<'a> = dyn FnMut() -> Result<Option<Vec<f64>>, OutputError> + 'a;

/// How points lie.
#[derive(Clone, PartialEq, Debug)]
pub enum Layout {
    /// Anyhow.
    Points,
    /// All combinations of evenly spaced values, a list for every coordinate, the last one changing fastest.
    Grid(Vec<Vec<f64>>),
    /// As the points of a mesh.
    Mesh(Mesh),
}

/// A mesh as VTK knows it.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Mesh {
    /// Points, three numbers each.
    pub points: Vec<f64>,
    /// The points of all cells, one cell after the other.
    pub connectivity: Vec<i64>,
    /// For every cell where its points end.
    pub offsets: Vec<i64>,
    /// For every cell VTK's number for its kind.
    pub types: Vec<u8>,
}

impl Table<'_> {
    /// All rows at once, column by column, for formats that keep a column together.
    fn columns(&mut self) -> Result<Vec<Vec<f64>>, OutputError> {
        let width = self.names.len();
        let refuse = |rows: usize| {
            if (rows as f64) * (width as f64) <= MAX_POINT_NUMBERS {
                return Ok(());
            }
            Err(OutputError::Unfit(format!(
                "this format holds all numbers in memory, up to {MAX_POINT_NUMBERS:.0e}; these are more: take .csv, which \
                 is written as it comes, or fewer points"
            )))
        };
        refuse(self.count.unwrap_or(0))?;
        let mut columns = vec![Vec::with_capacity(self.count.unwrap_or(0)); width];
        while let Some(rows) = (self.rows)()? {
            refuse(columns[0].len() + rows.len() / width)?;
            for row in rows.chunks_exact(width) {
                for (column, x) in columns.iter_mut().zip(row) {
                    column.push(*x);
                }
            }
        }
        Ok(columns)
    }
}

/// A number in as few digits as bring it back, in powers of ten where it is far from one.
struct Number(f64);

impl core::fmt::Display for Number {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let x = self.0;
        match x.abs() {
            0.0 | 1e-5..1e16 => write!(f, "{x}"),
            _ if x.is_finite() => write!(f, "{x:e}"),
            _ => write!(f, "{x}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table of `rows` as bytes in a format.
    pub(crate) fn written(
        ending: &str,
        names: &[&str],
        coordinates: usize,
        layout: &Layout,
        rows: &[f64],
    ) -> Result<Vec<u8>, OutputError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let time = names[..coordinates].iter().position(|name| name == "t");
        let mut chunks: Vec<Vec<f64>> = rows.chunks(2 * names.len()).map(<[f64]>::to_vec).rev().collect();
        let mut next = || Ok(chunks.pop());
        let count = Some(rows.len() / names.len());
        let mut table = Table { names: &names, coordinates, time, layout, count, rows: &mut next };
        let mut bytes = vec![];
        let format = by_ending(ending).numbers.expect("a format of numbers");
        format(&mut table, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn endings_choose_formats() {
        let numbers = |format: &Format| format.numbers.is_some();
        assert_eq!(by_name("a.b/field.CSV", numbers).map(|format| format.ending).ok(), Some("csv"));
        let wrong = by_name("field.xls", numbers).map(|format| format.ending).expect_err("no such format");
        assert!(wrong.to_string().contains(".csv (a table for spreadsheets and people), .json"), "{wrong}");
        assert!(!wrong.to_string().contains("png"), "{wrong}");
        assert!(by_name("csv", numbers).is_err() && by_name("figure.png", numbers).is_err());
    }

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        for (x, text) in [(1.0, "1"), (-0.1, "-0.1"), (1e-7, "1e-7"), (5e-324, "5e-324"), (1e300, "1e300")] {
            assert_eq!(Number(x).to_string(), text);
        }
        for x in [0.1 + 0.2, 1.0 / 3.0, 1e16, 9.999e-6, f64::MAX, -f64::MIN_POSITIVE] {
            assert_eq!(Number(x).to_string().parse(), Ok(x));
        }
        assert_eq!(
            (Number(f64::NAN).to_string(), Number(f64::INFINITY).to_string()),
            ("NaN".into(), "inf".into())
        );
    }
}
