//! He et al. 2015, arXiv 1502.01852.

use super::{Law, Noise};
use crate::network::Layer;

/// Normal, variance 2/N_in.
pub(super) fn normal(layer: &Layer) -> Law {
    Law::unbiased(Noise::Normal((2.0 / layer.inputs as f64).sqrt()))
}
