//! Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".

use super::{Law, Noise};
use crate::network::Layer;

/// Normal, variance 2/(N_in + N_out).
pub(super) fn normal(layer: &Layer) -> Law {
    Law::unbiased(Noise::Normal(variance(layer).sqrt()))
}

/// Uniform on ±√(6/(N_in + N_out)): the same variance.
pub(super) fn uniform(layer: &Layer) -> Law {
    Law::unbiased(Noise::Uniform((3.0 * variance(layer)).sqrt()))
}

fn variance(layer: &Layer) -> f64 {
    2.0 / (layer.inputs + layer.outputs) as f64
}
