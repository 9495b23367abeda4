//! SIREN (Sitzmann et al. 2020, arXiv 2006.09661): for sines of frequency ω₀.
//!
//! Weights are uniform on ±1/N_in in layers over the features, else on ±√(6/N_in)/(a·ω₀), a the amplitude of the sines that
//! come in; biases are uniform on ±1/√N_in, as in the authors' code.

use super::{Law, Noise};
use crate::network::Layer;

pub(super) fn law(frequency: f64, amplitude: f64) -> impl Fn(&Layer) -> Law {
    move |layer| {
        let inputs = layer.inputs as f64;
        let limit = match layer.features.is_some() {
            true => 1.0 / inputs,
            false => (6.0 / inputs).sqrt() / (frequency * amplitude),
        };
        Law { diagonal: 0.0, noise: Noise::Uniform(limit), bias: Noise::Uniform(1.0 / inputs.sqrt()) }
    }
}
