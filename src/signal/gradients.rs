//! Gradients back through a deep network: the norm of every layer's part.

use rand_distr::{Distribution, StandardNormal};

use super::pointwise::product;
use super::{Network, SignalError};
use crate::jet::{ChainRule, JetSet};
use crate::network::Shape;
use crate::rng;

/// The Frobenius norm of the gradient with respect to the weights of every layer, the output layer last.
///
/// The loss is half the mean of `|u(x) − target|²` over `samples` standard normal inputs and standard normal targets
/// (the stream `"signal/targets"`), as at the start of a training.
/// A layer keeps its weights, its input and the slopes of its activation until the reverse sweep has passed.
///
/// # Errors
/// When that does not fit into memory.
pub fn gradient_norms(network: &Network, samples: usize) -> Result<Vec<f64>, SignalError> {
    let Shape { width, outputs, .. } = network.shape;
    let mut layers = vec![];
    let mut output = vec![];
    let value = ChainRule::new(&JetSet::closure([]));
    let kept = width * width + 2 * width * samples;
    network.propagate(&value, 1, kept, network.normal_inputs(samples), |step| {
        layers.push(Kept {
            inputs: step.layer.inputs,
            weights: step.weights.to_vec(),
            input: step.input.to_vec(),
            slopes: step.slopes.to_vec(),
        });
        if step.index == network.shape.depth {
            output = step.output.to_vec();
        }
    })?;
    let mut rng = rng::stream(network.seed, "signal/targets");
    let targets = StandardNormal.sample_iter(&mut rng).take(outputs * samples);
    let mut adjoint: Vec<f64> =
        output.iter().zip(targets).map(|(u, target): (_, f64)| (u - target) / samples as f64).collect();
    let mut norms = vec![];
    while let Some(layer) = layers.pop() {
        adjoint.iter_mut().zip(&layer.slopes).for_each(|(adjoint, slope)| *adjoint *= slope);
        norms.push(layer.gradient_norm(&adjoint, samples));
        let transposed = layer.transposed();
        let mut before = vec![0.0; layer.input.len()];
        product(&transposed, &adjoint, samples, &mut before);
        adjoint = before;
    }
    norms.reverse();
    Ok(norms)
}

/// What the reverse sweep needs of a layer.
struct Kept {
    inputs: usize,
    weights: Vec<f64>,
    input: Vec<f64>,
    slopes: Vec<f64>,
}

impl Kept {
    /// The norm of z̄·xᵀ.
    fn gradient_norm(&self, adjoint: &[f64], samples: usize) -> f64 {
        let mut squares = 0.0;
        for adjoint in adjoint.chunks_exact(samples) {
            for input in self.input.chunks_exact(samples) {
                let element: f64 = adjoint.iter().zip(input).map(|(adjoint, x)| adjoint * x).sum();
                squares += element * element;
            }
        }
        squares.sqrt()
    }

    fn transposed(&self) -> Vec<f64> {
        (0..self.inputs).flat_map(|i| self.weights.iter().skip(i).step_by(self.inputs).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::init::{self, Rule};
    use crate::settings::{self, Init};

    #[test]
    fn norms_are_those_of_finite_differences() {
        let activation = Activation::parse("0.5*tanh").expect("an activation");
        let shape = Shape { inputs: 3, depth: 3, width: 4, outputs: 2 };
        let samples = 5;
        let settings = settings::Network { init: Init::Eoc, ..Default::default() };
        let rule = Rule::new(shape.depth, &activation, &settings).expect("a rule");
        let network = Network { shape: shape.clone(), activation: &activation, rule: &rule, seed: 3 };
        let norms = gradient_norms(&network, samples).expect("small");

        let inputs = network.normal_inputs(samples);
        let mut rng = rng::stream(3, "signal/targets");
        let targets: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(2 * samples).collect();
        let loss = |theta: &[f64]| {
            let mut total = 0.0;
            for sample in 0..samples {
                let mut x: Vec<f64> = inputs.iter().skip(sample).step_by(samples).copied().collect();
                for (l, layer) in shape.layers().iter().enumerate() {
                    let neuron = |i: usize| {
                        let weights = &theta[layer.weights + i * layer.inputs..][..layer.inputs];
                        let z =
                            weights.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + theta[layer.biases + i];
                        if l < shape.depth { activation.derivatives(z)[0] } else { z }
                    };
                    x = (0..layer.outputs).map(neuron).collect();
                }
                total += x
                    .iter()
                    .enumerate()
                    .map(|(i, u)| (u - targets[i * samples + sample]).powi(2))
                    .sum::<f64>();
            }
            0.5 * total / samples as f64
        };
        let mut theta =
            init::draw(&crate::network::Layers::chain(&shape), &activation, &settings, 3).expect("drawn");
        assert_eq!(norms.len(), shape.depth + 1);
        for (layer, norm) in shape.layers().iter().zip(norms) {
            let mut squares = 0.0;
            for i in layer.weights..layer.biases {
                let (here, step) = (theta[i], 1e-5);
                theta[i] = here + step;
                let above = loss(&theta);
                theta[i] = here - step;
                let below = loss(&theta);
                theta[i] = here;
                squares += ((above - below) / (2.0 * step)).powi(2);
            }
            assert!((squares.sqrt() / norm - 1.0).abs() < 1e-7, "{norm}, not {}", squares.sqrt());
        }
    }
}
