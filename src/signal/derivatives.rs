//! The derivatives that a PINN trains on (u, u_x, u_xx, …), in every layer and in the output.
//!
//! They are carried as jets by the chain rule of [`crate::jet`], as the engines carry them.

use rand::RngExt;

use super::{Network, SignalError};
use crate::jet::{ChainRule, JetSet, MultiIndex};
use crate::rng;

/// The magnitude of one derivative over neurons and points; infinite or NaN where it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Magnitude {
    /// Quadratic mean.
    pub rms: f64,
    /// The greatest absolute value.
    pub max: f64,
}

/// Every channel of a jet in every layer.
#[derive(Clone, PartialEq, Debug)]
pub struct Channels {
    /// For every hidden layer the channels of its neurons.
    pub layers: Vec<Vec<Magnitude>>,
    /// The channels of the network's outputs.
    pub output: Vec<Magnitude>,
}

/// The channels of `jets`, of order four at most, at uniform points of [−1, 1]ⁿ, n being the network's inputs.
///
/// Input i is coordinate i. Points come from the stream `"signal/points"`.
///
/// # Errors
/// When a layer does not fit into memory.
pub fn derivatives(network: &Network, jets: &JetSet, points: usize) -> Result<Channels, SignalError> {
    channels(network, jets, inputs(network, jets, points))
}

/// The channels where the network's inputs have the jets `inputs`.
fn channels(network: &Network, jets: &JetSet, inputs: Vec<f64>) -> Result<Channels, SignalError> {
    let chain = ChainRule::new(jets);
    let mut channels = Channels { layers: vec![], output: vec![] };
    network.propagate(&chain, jets.order(), 2 * jets.channels(), inputs, |step| {
        let size = step.output.len() / jets.channels();
        let magnitudes = step.output.chunks_exact(size).map(Magnitude::of).collect();
        if step.index < network.shape.depth {
            channels.layers.push(magnitudes);
        } else {
            channels.output = magnitudes;
        }
    })?;
    Ok(channels)
}

impl Magnitude {
    fn of(values: &[f64]) -> Self {
        let squares: f64 = values.iter().map(|x| x * x).sum();
        // Of NaN and a number the greater is NaN here, unlike for `f64::max`.
        let max =
            values.iter().fold(0.0, |max: f64, x| if max.is_nan() || x.abs() <= max { max } else { x.abs() });
        Self { rms: (squares / values.len() as f64).sqrt(), max }
    }
}

/// The jets of the coordinates: the points, ones for each coordinate's own first derivative, zeros.
fn inputs(network: &Network, jets: &JetSet, points: usize) -> Vec<f64> {
    let coordinates = network.shape.inputs;
    let mut rng = rng::stream(network.seed, "signal/points");
    let mut values = Vec::with_capacity(jets.channels() * coordinates * points);
    values.extend((0..coordinates * points).map(|_| 2.0 * rng.random::<f64>() - 1.0));
    for &index in &jets.indices()[1..] {
        for coordinate in 0..coordinates {
            let derivative = if index == MultiIndex::along(coordinate) { 1.0 } else { 0.0 };
            values.extend(core::iter::repeat_n(derivative, points));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::init::{self, Rule};
    use crate::network::Shape;
    use crate::settings::{self, Init};

    fn network<'a>(activation: &'a Activation, rule: &'a Rule, depth: usize) -> Network<'a> {
        Network { shape: Shape { inputs: 2, depth, width: 6, outputs: 1 }, activation, rule, seed: 4 }
    }

    fn second_derivative() -> JetSet {
        JetSet::closure([MultiIndex::along(0).plus(0), MultiIndex::along(1)])
    }

    #[test]
    fn channels_are_those_of_finite_differences() {
        let activation = Activation::parse("0.7*gd + 0.1*erf").expect("an activation");
        let settings = settings::Network { init: Init::Eoc, ..Default::default() };
        let rule = Rule::new(5, &activation, &settings).expect("a rule");
        let network = network(&activation, &rule, 5);
        let jets = second_derivative();
        // One point, so that the magnitude is that of the value itself.
        let found = derivatives(&network, &jets, 1).expect("small").output;
        let theta = init::draw(&crate::network::Layers::chain(&network.shape), &activation, &settings, 4)
            .expect("drawn");
        let point = inputs(&network, &jets, 1);
        let u = |dx: f64, dt: f64| {
            let mut y = vec![point[0] + dx, point[1] + dt];
            for (l, layer) in network.shape.layers().iter().enumerate() {
                let neuron = |i: usize| {
                    let weights = &theta[layer.weights + i * layer.inputs..][..layer.inputs];
                    let z = weights.iter().zip(&y).map(|(w, x)| w * x).sum::<f64>() + theta[layer.biases + i];
                    if l < 5 { activation.derivatives(z)[0] } else { z }
                };
                y = (0..layer.outputs).map(neuron).collect();
            }
            y[0]
        };
        let h = 1e-4;
        let expected = [
            u(0.0, 0.0),
            (u(h, 0.0) - u(-h, 0.0)) / (2.0 * h),
            (u(0.0, h) - u(0.0, -h)) / (2.0 * h),
            (u(h, 0.0) - 2.0 * u(0.0, 0.0) + u(-h, 0.0)) / (h * h),
        ];
        for (channel, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found.max - expected.abs()).abs() < 1e-6 * expected.abs().max(1.0), "{channel}");
            assert_eq!(found.max, found.rms, "of one number");
        }
    }

    /// a·f with weights proportional to 1/a is the network of f with its inputs divided by a.
    #[test]
    fn a_scale_divides_the_inputs_and_does_nothing_else() {
        for (init, scale) in
            [(Init::Proposed, 0.1), (Init::Eoc, 0.1), (Init::Proposed, 1e3), (Init::Eoc, 1e3)]
        {
            let settings = settings::Network { init, ..Default::default() };
            let of = |scale: f64, divisor: f64| {
                let activation = Activation::parse("erf").and_then(|f| f.scaled(scale)).expect("in range");
                let rule = Rule::new(12, &activation, &settings).expect("a rule");
                let network = network(&activation, &rule, 12);
                let mut inputs = inputs(&network, &second_derivative(), 8);
                inputs.iter_mut().for_each(|x| *x /= divisor);
                channels(&network, &second_derivative(), inputs).expect("small").output
            };
            for (scaled, divided) in of(scale, 1.0).iter().zip(of(1.0, scale)) {
                let ratio = scaled.rms / divided.rms;
                assert!((ratio - 1.0).abs() < 1e-8, "{init:?}, {scale}: {scaled:?}, {divided:?}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_hidden() {
        let magnitude = Magnitude::of(&[1.0, f64::NAN, 0.5]);
        assert!(magnitude.rms.is_nan() && magnitude.max.is_nan());
        assert_eq!(Magnitude::of(&[1.0, f64::NEG_INFINITY]).max, f64::INFINITY);
    }
}
