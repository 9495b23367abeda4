//! Signals through a network that is drawn layer by layer while they pass.

use rand_distr::{Distribution, StandardNormal};

use super::pointwise::{activate, product};
use super::{LARGEST_GIGABYTES, SignalError};
use crate::activation::Activation;
use crate::init::{self, Rule};
use crate::jet::ChainRule;
use crate::network::{Layer, Shape};
use crate::rng;

/// A network to look at, and how it is drawn.
#[derive(Clone)]
pub struct Network<'a> {
    /// Its size; all numbers at least 1.
    pub shape: Shape,
    /// Of the hidden layers.
    pub activation: &'a Activation,
    /// How weights are drawn.
    pub rule: &'a Rule,
    /// The seed; the weights are those of [`init::draw`].
    pub seed: u64,
}

/// What signals find in one layer, and what becomes of them.
///
/// `input`, `z` and `output` hold channel by channel the neurons' samples, one neuron after the other.
pub(super) struct Step<'a> {
    /// 0 is the first hidden layer, the network's depth is the linear output layer.
    pub(super) index: usize,
    pub(super) layer: Layer,
    /// `outputs × inputs`, row by row.
    pub(super) weights: &'a [f64],
    /// What comes in.
    pub(super) input: &'a [f64],
    /// Pre-activations.
    pub(super) z: &'a [f64],
    /// Activations; the same as `z` in the output layer.
    pub(super) output: &'a [f64],
    /// Derivatives of the activation at the values of z, one array after the other; 1, 0 in the output layer.
    pub(super) slopes: &'a [f64],
}

impl Network<'_> {
    /// Sends `input` (channels × inputs × samples) through all layers; `observe` sees each of them.
    ///
    /// `chain` says what the channels are; `slopes` (four at most) derivatives of the activation are computed, at
    /// least as many as `chain` has orders; the experiment itself keeps `kept` further numbers a layer.
    pub(super) fn propagate(
        &self,
        chain: &ChainRule,
        slopes: usize,
        kept: usize,
        input: Vec<f64>,
        mut observe: impl FnMut(Step),
    ) -> Result<(), SignalError> {
        let Shape { inputs, depth, width, outputs } = self.shape;
        let samples = input.len() / (chain.channels() * inputs);
        self.check_memory(chain.channels() + slopes, samples, kept)?;
        let widest = inputs.max(width).max(outputs);
        let mut rng = rng::stream(self.seed, init::STREAM);
        let mut theta = vec![];
        let mut x = input;
        x.reserve(chain.channels() * widest * samples - x.len());
        let mut z = vec![0.0; chain.channels() * widest * samples];
        let mut y = z.clone();
        let mut derivatives = vec![0.0; slopes * widest * samples];
        for (index, layer) in self.shape.layers().into_iter().enumerate() {
            theta.clear();
            self.rule.draw_layer(&layer, &mut rng, &mut theta);
            let (weights, biases) = theta.split_at(layer.inputs * layer.outputs);
            let size = layer.outputs * samples;
            let z = &mut z[..chain.channels() * size];
            for (x, z) in x.chunks_exact(layer.inputs * samples).zip(z.chunks_exact_mut(size)) {
                product(weights, x, samples, z);
            }
            for (z, bias) in z[..size].chunks_exact_mut(samples).zip(biases) {
                z.iter_mut().for_each(|z| *z += bias);
            }
            let y = &mut y[..chain.channels() * size];
            let derivatives = &mut derivatives[..slopes * size];
            if index < depth {
                activate(self.activation, &z[..size], &mut y[..size], derivatives);
                apply(chain, size, z, derivatives, y);
            } else {
                y.copy_from_slice(z);
                derivatives.fill(0.0);
                derivatives.iter_mut().take(size).for_each(|slope| *slope = 1.0);
            }
            observe(Step { index, layer, weights, input: &x, z, output: y, slopes: derivatives });
            x.clear();
            x.extend_from_slice(y);
        }
        Ok(())
    }

    /// Refuses what would not fit into memory, before anything is allocated.
    fn check_memory(&self, arrays: usize, samples: usize, kept: usize) -> Result<(), SignalError> {
        let Shape { inputs, depth, width, outputs } = self.shape;
        let widest = inputs.max(width).max(outputs) as f64;
        let signals = 3.0 * arrays as f64 * widest * samples as f64;
        let numbers = signals + widest * widest + depth as f64 * (kept as f64 + 4.0);
        let gigabytes = 8e-9 * numbers;
        if gigabytes > LARGEST_GIGABYTES {
            return Err(SignalError::TooLarge { depth, width, samples, gigabytes });
        }
        Ok(())
    }

    /// Standard normal inputs for `samples` samples, from the stream `"signal/inputs"`.
    pub(super) fn normal_inputs(&self, samples: usize) -> Vec<f64> {
        let mut rng = rng::stream(self.seed, "signal/inputs");
        StandardNormal.sample_iter(&mut rng).take(self.shape.inputs * samples).collect()
    }
}

/// All channels of y but the value, by the chain rule, from those of z and the derivatives of the activation.
fn apply(chain: &ChainRule, size: usize, z: &[f64], derivatives: &[f64], y: &mut [f64]) {
    for (channel, y) in y.chunks_exact_mut(size).enumerate().skip(1) {
        y.fill(0.0);
        for term in chain.terms(channel) {
            let slopes = &derivatives[(term.factors.len() - 1) * size..][..size];
            for (i, (y, slope)) in y.iter_mut().zip(slopes).enumerate() {
                let factors = term.factors.iter().map(|factor| z[factor * size + i]);
                *y += factors.fold(term.coefficient * slope, |product, factor| product * factor);
            }
        }
    }
}
