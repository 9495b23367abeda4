//! Activations through a deep network: their range layer by layer, and their distribution in the last one.

use super::{Network, SignalError};
use crate::jet::{ChainRule, JetSet};
use crate::network::Shape;

/// How far activations of one layer are apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The least activation of any neuron for any input.
    pub min: f64,
    /// The greatest one.
    pub max: f64,
    /// Standard deviation over all neurons and inputs.
    pub deviation: f64,
    /// Standard deviation over inputs, in the quadratic mean of all neurons: 0 when a layer cannot tell inputs apart.
    pub between_inputs: f64,
}

/// Activations of a network.
#[derive(Clone, PartialEq, Debug)]
pub struct Propagation {
    /// Of every hidden layer.
    pub spreads: Vec<Spread>,
    /// Activations of the last hidden layer, each neuron's samples one after the other.
    pub last: Vec<f64>,
}

/// A density over bins of equal width.
#[derive(Clone, PartialEq, Debug)]
pub struct Histogram {
    /// Ends of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// What lies in each bin, divided by the number of all values and the bin's width.
    pub density: Vec<f64>,
}

/// Sends `samples` standard normal inputs through `network`.
///
/// Memory does not grow with depth beyond a few numbers a layer.
///
/// # Errors
/// When a layer does not fit into memory.
pub fn propagate(network: &Network, samples: usize) -> Result<Propagation, SignalError> {
    let Shape { depth, width, .. } = network.shape;
    let mut spreads = Vec::with_capacity(depth.min(1 << 20));
    let mut last = vec![];
    let value = ChainRule::new(&JetSet::closure([]));
    network.propagate(&value, 0, 4, network.normal_inputs(samples), |step| {
        if step.index < depth {
            spreads.push(Spread::of(step.output, samples));
        }
        if step.index + 1 == depth {
            last.extend_from_slice(&step.output[..width * samples]);
        }
    })?;
    Ok(Propagation { spreads, last })
}

impl Spread {
    /// Of activations that lie neuron by neuron, `samples` each.
    fn of(activations: &[f64], samples: usize) -> Self {
        let min = activations.iter().copied().fold(f64::INFINITY, f64::min);
        let max = activations.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Squares of what has nearly vanished would vanish altogether.
        let unit = min.abs().max(max.abs()).max(f64::MIN_POSITIVE);
        let (mut sum, mut squares, mut between) = (0.0, 0.0, 0.0);
        for neuron in activations.chunks_exact(samples) {
            let mean = neuron.iter().map(|x| x / unit).sum::<f64>() / samples as f64;
            sum += mean * samples as f64;
            for x in neuron.iter().map(|x| x / unit) {
                squares += x * x;
                between += (x - mean) * (x - mean);
            }
        }
        let count = activations.len() as f64;
        let mean = sum / count;
        let variance = (squares / count - mean * mean).max(0.0);
        Self { min, max, deviation: unit * variance.sqrt(), between_inputs: unit * (between / count).sqrt() }
    }
}

impl Histogram {
    /// Of `values` over `bins` bins from −`bound` to `bound`; what lies beyond counts in the bins at the ends.
    pub fn new(values: &[f64], bound: f64, bins: usize) -> Self {
        let width = 2.0 * bound / bins as f64;
        let edges = (0..=bins).map(|i| -bound + width * i as f64).collect();
        let mut density = vec![0.0; bins];
        let share = 1.0 / (values.len() as f64 * width);
        for value in values {
            // A float becomes the nearest index there is.
            let bin = ((value + bound) / width) as usize;
            density[bin.min(bins - 1)] += share;
        }
        Self { edges, density }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::init::Rule;
    use crate::properties::properties;
    use crate::settings::{self, Init};
    use proptest::prelude::*;

    fn run(text: &str, init: Init, depth: usize, width: usize, seed: u64) -> Propagation {
        let activation = Activation::parse(text).expect("an activation");
        let settings = settings::Network { init, ..Default::default() };
        let rule = Rule::new(depth, &activation, &settings).expect("a rule");
        let shape = Shape { inputs: width, depth, width, outputs: 1 };
        let network = Network { shape, activation: &activation, rule: &rule, seed };
        propagate(&network, 16).expect("small")
    }

    #[test]
    fn signals_are_those_of_the_network_that_a_run_starts_from() {
        let activation = Activation::parse("0.3*erf").expect("an activation");
        let shape = Shape { inputs: 3, depth: 4, width: 5, outputs: 2 };
        let settings = settings::Network { init: Init::Eoc, ..Default::default() };
        let rule = Rule::new(4, &activation, &settings).expect("a rule");
        let network = Network { shape: shape.clone(), activation: &activation, rule: &rule, seed: 9 };
        let found = propagate(&network, 2).expect("small");
        let theta = crate::init::draw(&crate::network::Layers::chain(&shape), &activation, &settings, 9)
            .expect("drawn");
        let input = network.normal_inputs(2);
        for sample in 0..2 {
            let mut x: Vec<f64> = input.iter().skip(sample).step_by(2).copied().collect();
            for layer in &shape.layers()[..4] {
                let neuron = |i: usize| {
                    let weights = &theta[layer.weights + i * layer.inputs..][..layer.inputs];
                    let z: f64 = weights.iter().zip(&x).map(|(w, x)| w * x).sum();
                    activation.derivatives(z + theta[layer.biases + i])[0]
                };
                x = (0..layer.outputs).map(neuron).collect();
            }
            for (i, x) in x.iter().enumerate() {
                assert!((found.last[2 * i + sample] - x).abs() < 1e-14, "{i}");
            }
        }
    }

    #[test]
    fn a_spread_is_what_its_fields_say() {
        for unit in [1.0, 1e-250, 1e250] {
            // Two neurons, two inputs.
            let spread = Spread::of(&[1.0, 3.0, -1.0, -1.0].map(|x| unit * x), 2);
            assert_eq!((spread.min, spread.max), (-unit, 3.0 * unit));
            assert!((spread.deviation / unit - 2.75_f64.sqrt()).abs() < 1e-14);
            assert!((spread.between_inputs / unit - 0.5_f64.sqrt()).abs() < 1e-14);
        }
        let nothing = Spread { min: 0.0, max: 0.0, deviation: 0.0, between_inputs: 0.0 };
        assert_eq!(Spread::of(&[0.0; 4], 2), nothing);
    }

    #[test]
    fn a_histogram_is_a_density() {
        let histogram = Histogram::new(&[-1.0, -0.9, 0.1, 1.0], 1.0, 4);
        assert_eq!(histogram.edges, [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(histogram.density, [1.0, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn a_width_beyond_memory_is_refused() {
        let activation = Activation::parse("tanh").expect("an activation");
        let rule = Rule::proposed(1.0, 0.1);
        let shape = Shape { inputs: 2, depth: 3, width: 100_000, outputs: 1 };
        let network = Network { shape, activation: &activation, rule: &rule, seed: 0 };
        assert!(matches!(propagate(&network, 1), Err(SignalError::TooLarge { .. })));
    }

    properties! {
        cases = 8;

        #[test]
        fn at_depth_1000_the_proposed_spread_stays_and_the_xavier_spread_collapses(
            seed in any::<u64>(),
            scale in prop_oneof![Just(1e-4), Just(1.0), Just(1e3)],
        ) {
            let proposed = run(&format!("{scale:e}*tanh"), Init::Proposed, 1000, 32, seed);
            let last = proposed.spreads[999];
            // Inputs of size 1 start at a thousandth of the last scale's bound, and grow.
            let least = if scale > 1.0 { 0.003 } else { 0.03 } * scale;
            prop_assert!(last.deviation > least && last.max - last.min > 5.0 * least, "{last:?}");
            // Inputs are told apart, too: some seeds come to 0.88 of the deviation only, but a network that has forgotten its
            // input has nothing left of it.
            prop_assert!(last.between_inputs > 0.5 * last.deviation, "{last:?}");
            let xavier = run("tanh", Init::Xavier, 1000, 32, seed);
            prop_assert!(xavier.spreads[999].deviation < 1e-3, "{:?}", xavier.spreads[999]);
        }
    }
}
