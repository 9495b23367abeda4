//! The signal laboratory: what an initialization does to signals and gradients before any training.
//!
//! An experiment is a file here: a function from plain numbers to plain data.
//! It draws the very networks that a run with the same seed starts from, one layer at a time, so that depth costs time
//! and no memory.
//! Whatever is counted (samples, points, networks, layers) is 1 at least.
//! This module knows activations, initializations and jets; it knows no problems, no files and no charts.

mod calibrate;
mod derivatives;
mod family;
mod gains;
mod gradients;
mod map;
mod network;
mod pointwise;
mod propagate;

pub use calibrate::{Ensemble, FlipRate, best_target, flip_rate};
pub use derivatives::{Channels, Magnitude, derivatives};
pub use family::{Check, Conditions, check};
pub use gains::{Gains, gains};
pub use gradients::gradient_norms;
pub use map::{fixed_point, iterate};
pub use network::Network;
pub use propagate::{Histogram, Propagation, Spread, propagate};

use crate::init::InitError;

/// Why an experiment could not be done.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SignalError {
    /// The initialization refused.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The numbers that must be kept at once do not fit.
    #[error(
        "a network of depth {depth} and width {width} with {samples} samples would keep {gigabytes:.1} GB of numbers \
         at once, more than {LARGEST_GIGABYTES}; take a smaller width, fewer samples, or less depth"
    )]
    TooLarge {
        /// Hidden layers.
        depth: usize,
        /// Neurons of a layer.
        width: usize,
        /// Inputs sent through at once.
        samples: usize,
        /// What would be kept.
        gigabytes: f64,
    },
}

/// The most memory an experiment takes.
const LARGEST_GIGABYTES: f64 = 4.0;
