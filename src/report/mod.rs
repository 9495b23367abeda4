//! Charts as PNG, from plain numbers.
//!
//! A [`Figure`] is data: rows of panels, each a [`LineChart`] or a [`Map`]; [`Figure::png`] draws it.
//! [`loss`], [`solution`] and [`slices`] make the figures of a run, [`region`] and [`body`] one of its domain.
//! This module knows numbers and names; it does not know problems, engines or files.

mod body;
mod canvas;
mod colors;
mod contour;
mod figure;
mod histogram;
mod region;
mod run;
mod scale;

pub(crate) use body::around;
pub use body::{Cut, body};
pub use colors::ColorMap;
pub use contour::zeros;
pub use figure::{Axis, Curve, Figure, LineChart, Map, Mark, Panel, Stroke};
pub use histogram::histogram;
pub use region::{Wall, region};
pub use run::{Coordinate, Field, LossHistory, Samples, label, loss, slices, solution};
pub use scale::Scale;

/// Why a figure could not be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReportError {
    /// Arrays whose lengths do not fit together.
    #[error("{what} has {found} numbers instead of {expected}")]
    Length {
        /// Which array.
        what: String,
        /// The length it has.
        found: usize,
        /// The length it should have.
        expected: usize,
    },
    /// A coordinate that cannot be drawn along.
    #[error("the values of coordinate `{0}` must be finite, strictly rising and at least two to be drawn")]
    Coordinate(String),
    /// Nothing to draw.
    #[error("there is nothing to draw: {0}")]
    Empty(&'static str),
    /// The picture would take too much memory to draw.
    #[error("a picture of {width} × {height} points is too large to draw: give it fewer or smaller panels")]
    TooLarge {
        /// Width in points.
        width: u32,
        /// Height in points.
        height: u32,
    },
    /// The drawing library refused.
    #[error("cannot draw: {0}")]
    Draw(String),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{LineChart, Panel};

    /// The panel's curves.
    pub(crate) fn lines(panel: &Panel) -> &LineChart {
        match panel {
            Panel::Lines(chart) => chart,
            Panel::Map(_) => panic!("a map"),
        }
    }
}
