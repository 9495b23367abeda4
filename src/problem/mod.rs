//! Problems: from a TOML file to formulas the engines can compute.
//!
//! A [`Document`] is a file that was read, perhaps with others laid over it;
//! [`Document::build`] checks it and gives the [`Problem`], or [`Diagnostics`] that say what is wrong and where.

mod allen_cahn;
mod build;
mod change;
mod coverage;
mod diagnostic;
pub(crate) mod dimensions;
mod elapsed;
mod embedded;
mod file;
mod geometry;
#[cfg(test)]
mod given;
mod linked;
mod making;
mod mesh;
#[cfg(test)]
mod messages;
mod model;
mod npz;
mod open;
mod ordinary;
mod pilot;
mod place;
mod posedness;
mod reference;
#[cfg(test)]
mod shapes;
mod size;
mod table;
#[cfg(test)]
mod tests;
mod windows;
mod write;

pub use build::Language;
pub(crate) use build::{Equations, OTHER_NODES, RESIDUAL};
// What only the command line needs of problems.
#[doc(hidden)]
pub use change::{Adjustments, SHORT_KEYS, full_key};
pub(crate) use coverage::Cloud;
pub use coverage::Coverage;
pub(crate) use diagnostic::report;
pub use diagnostic::{Diagnostic, Diagnostics, Site};
pub(crate) use elapsed::{REACH, bent, risen};
pub use embedded::embedded;
pub use file::Document;
pub use geometry::{Body, Boundary, Geometry, Hole};
pub(crate) use linked::{Linked, point_of_side};
pub use model::*;
#[doc(hidden)]
pub use open::read_text;
pub use open::{OpenError, Opened, embedded_text, open};
pub(crate) use ordinary::Ordinary;
pub(crate) use pilot::{Course, course};
pub use place::{Coordinate, Face, Onto, Part, Place};
pub use posedness::{BlowUp, Change, Contradiction, Gap, Open, Posedness};
pub(crate) use reference::combinations;
pub(crate) use size::check_points;
pub(crate) use table::NpyHeader;
pub use windows::{Carried, Joint, Start, Window, Windows};
pub(crate) use write::{key, quoted};
