//! The effective gain of a neuron under the proposed rule (Theorem 2 of arXiv 2509.23085).
//!
//! In a square layer neuron i computes `z_i = a_i·x_i` with `a_i = w_ii + Σ_{j≠i} w_ij·x_j/x_i`.
//! Given x, `a_i ~ N(ω, σ_z²·m/x_i²)`, m being the mean of all `x_j²`: the variance is near σ_z² where all
//! magnitudes are alike, which the layers bring about themselves.

use super::{Network, SignalError};
use crate::jet::{ChainRule, JetSet};

/// The gains of one layer, over all neurons and inputs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Gains {
    /// Lower quartile, median and upper quartile of the conditional variance over σ_z²; infinite where `x_i` is 0.
    pub variance_ratio: [f64; 3],
    /// Mean of `(a_i − ω)²` over its conditional variance: 1 up to sampling error, whatever x is.
    pub standardized: f64,
}

/// The gains of every hidden layer of `network`, whose width is its number of inputs, drawn with σ_z = `sigma_z`.
///
/// # Errors
/// When a layer does not fit into memory.
///
/// # Panics
/// When inputs and width differ: there is no x_i then.
pub fn gains(network: &Network, sigma_z: f64, samples: usize) -> Result<Vec<Gains>, SignalError> {
    assert_eq!(network.shape.inputs, network.shape.width, "gains need square layers");
    let (width, omega) = (network.shape.width, network.activation.omega());
    let mut layers = vec![];
    let mut means = vec![0.0; samples];
    let mut ratios = Vec::with_capacity(width * samples);
    let value = ChainRule::new(&JetSet::closure([]));
    network.propagate(&value, 0, 4, network.normal_inputs(samples), |step| {
        if step.index == network.shape.depth {
            return;
        }
        means.fill(0.0);
        for neuron in step.input.chunks_exact(samples) {
            for (mean, x) in means.iter_mut().zip(neuron) {
                *mean += x * x / width as f64;
            }
        }
        ratios.clear();
        let mut standardized = 0.0;
        for (x, z) in step.input.chunks_exact(samples).zip(step.z.chunks_exact(samples)) {
            for ((x, z), mean) in x.iter().zip(z).zip(&means) {
                ratios.push(mean / (x * x));
                let deviation = (z - omega * x) / sigma_z;
                standardized += deviation * deviation / mean;
            }
        }
        let variance_ratio = [0.25, 0.5, 0.75].map(|share| quantile(&mut ratios, share));
        layers.push(Gains { variance_ratio, standardized: standardized / ratios.len() as f64 });
    })?;
    Ok(layers)
}

/// The number of `values` (not empty) below which about `share` of them lie.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let index = (share * (values.len() - 1) as f64).round() as usize;
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::init::{Rule, sigma_z};
    use crate::network::Shape;

    #[test]
    fn beyond_the_first_layers_the_typical_variance_is_near_that_of_the_weights() {
        for text in ["tanh", "1e-4*gd", "softsign_1 + softsign_2"] {
            let activation = Activation::parse(text).expect("an activation");
            let (depth, width) = (300, 64);
            let sigma = sigma_z(depth, activation.omega());
            let rule = Rule::proposed(activation.omega(), sigma);
            let shape = Shape { inputs: width, depth, width, outputs: 1 };
            let network = Network { shape, activation: &activation, rule: &rule, seed: 2 };
            let layers = gains(&network, sigma, 20).expect("small");
            assert_eq!(layers.len(), depth);
            // Of a standard normal x the median of 1/x² is 2.2.
            let [_, first, _] = layers[0].variance_ratio;
            assert!((first - 2.2).abs() < 0.3, "{text}: {first}");
            for Gains { variance_ratio: [low, median, _], .. } in &layers[3..] {
                assert!(*low > 0.5 && (0.7..2.0).contains(median), "{text}: {low}, {median}");
            }
            let mean = layers.iter().map(|layer| layer.standardized).sum::<f64>() / depth as f64;
            // One layer's mean has a standard error of about √(2/64).
            assert!((mean - 1.0).abs() < 4.0 * (2.0 / 64.0 / depth as f64).sqrt(), "{text}: {mean}");
        }
    }
}
