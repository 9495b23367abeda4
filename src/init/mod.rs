//! How weights and biases are drawn.
//!
//! A rule is a file here, a variant of [`Init`] and a line in [`Rule::new`].
//! It states a law for every layer (noise, diagonal, biases); the drawing itself is common to all.

mod continuous_depth;
mod eoc;
mod he;
mod proposed;
mod siren;
mod xavier;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

pub use eoc::{EocPoint, eoc_point};
pub use proposed::{LEARNING_RATES, ln_target_rate, sigma_z, sigma_z_for};

use crate::activation::Activation;
use crate::network::{Layer, Layers};
use crate::optim::{Layout, Row};
use crate::problem::Problem;
use crate::rng::{self, Stream};
use crate::settings::{self, Factorization, Init};

/// Why no initial parameters could be drawn.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum InitError {
    /// The biases' standard deviation is out of range.
    #[error("network.sigma-b = {0}: the standard deviation of the biases must be 0 or more, and at most 1e6")]
    SigmaB(f64),
    /// The rule is made for odd-sigmoid functions.
    #[error(
        "init = {rule:?} is made for odd-sigmoid functions, and {activation} is none: {reason}; take init = \"xavier\""
    )]
    Outside {
        /// The rule.
        rule: &'static str,
        /// The activation.
        activation: String,
        /// Which condition it breaks.
        reason: &'static str,
    },
    /// The rule is made for sines.
    #[error(
        "init = \"siren\" is made for a single sine, not for {0}; take activation = \"sin\", or another rule"
    )]
    NoSine(String),
    /// The search for the edge of chaos found no fixed point.
    #[error(
        "no edge of chaos of {activation} found for sigma-b = {sigma_b}; \
         take a sigma-b nearer to the activation's range, such as {nearer}"
    )]
    NoFixedPoint {
        /// The activation.
        activation: String,
        /// What was asked for.
        sigma_b: f64,
        /// A proposal.
        nearer: f64,
    },
}

/// θ before the first step: the network's initial parameters, drawn by the problem's rule from its seed, and the
/// initial values of its trainable parameters.
///
/// # Errors
///
/// If the rule has no answer for this activation and these biases.
pub fn parameters(problem: &Problem) -> Result<Vec<f64>, InitError> {
    let all = problem.all_networks();
    let settings: Vec<_> = all.iter().map(|one| (one.activation, one.network)).collect();
    let weights = draw_all(&problem.layers(), &settings, problem.training.seed)?;
    Ok(problem.with_coefficients(weights))
}

/// The vector θ as methods move it: where the problem has weights factorized, the logarithms of their factors are drawn from
/// a stream of their own, neuron by neuron.
pub fn layout(problem: &Problem) -> Layout {
    let (layers, all) = (problem.layers(), problem.all_networks());
    let mut rng = rng::stream(problem.training.seed, "factorization");
    let mut rows = vec![];
    for layer in layers.dense() {
        let Some(Factorization { mean, deviation }) = all[layer.part].network.factorization else { continue };
        rows.extend((0..layer.outputs).map(|row| {
            let first = layer.weights + row * layer.inputs;
            let z: f64 = StandardNormal.sample(&mut rng);
            Row { weights: first..first + layer.inputs, factor: mean + deviation * z }
        }));
    }
    let seed = problem.training.seed;
    Layout { parameters: problem.parameters_in_all(), omega: problem.omega(), seed, rows }
}

/// Initial parameters of a network, a flat vector in the layout of [`Layers`].
///
/// The numbers depend on the arguments alone: they are the stream `"init"` of `seed`, layer by layer,
/// the weights row by row and then the biases.
/// Every layer follows the rule, the first and the linear output layer included; trainable numbers that multiply have
/// initial values of their own.
pub fn draw(
    layers: &Layers,
    activation: &Activation,
    network: &settings::Network,
    seed: u64,
) -> Result<Vec<f64>, InitError> {
    draw_all(layers, &[(activation, network)], seed)
}

/// The same of several networks, each with its own activation and rule.
fn draw_all(
    layers: &Layers,
    settings: &[(&Activation, &settings::Network)],
    seed: u64,
) -> Result<Vec<f64>, InitError> {
    let rule = |(part, (activation, network)): (usize, &(&Activation, &settings::Network))| {
        Rule::new(layers.depth(part), activation, network)
    };
    let rules = settings.iter().enumerate().map(rule).collect::<Result<Vec<_>, _>>()?;
    let mut rng = rng::stream(seed, STREAM);
    let mut theta = Vec::with_capacity(layers.parameters());
    for layer in layers.dense() {
        rules[layer.part].draw_layer(layer, &mut rng, &mut theta);
    }
    for numbers in &layers.numbers {
        theta.extend(std::iter::repeat_n(numbers.initial, numbers.count));
    }
    Ok(theta)
}

/// The random stream of all initial parameters.
pub const STREAM: &str = "init";

/// An initialization with its numbers worked out, so that layers can be drawn one at a time.
pub struct Rule(Box<dyn Fn(&Layer) -> Law + Send + Sync>);

impl Rule {
    /// The rule `network.init` for a network with `depth` hidden layers.
    pub fn new(
        depth: usize,
        activation: &Activation,
        network: &settings::Network,
    ) -> Result<Self, InitError> {
        if let Some((_, reason)) = activation.outside()
            && network.init.is_for_the_family()
        {
            let (rule, activation) = (network.init.name(), activation.to_string());
            return Err(InitError::Outside { rule, activation, reason });
        }
        let omega = activation.omega();
        Ok(match network.init {
            Init::Proposed => Self::proposed(omega, sigma_z(depth, omega)),
            Init::ContinuousDepth => Self(Box::new(continuous_depth::law(depth, omega))),
            Init::Eoc => Self(Box::new(eoc::law(eoc_point(activation, network.sigma_b)?))),
            Init::Xavier => Self(Box::new(xavier::normal)),
            Init::XavierUniform => Self(Box::new(xavier::uniform)),
            Init::He => Self(Box::new(he::normal)),
            Init::Siren => {
                let (frequency, amplitude) =
                    activation.sine().ok_or_else(|| InitError::NoSine(activation.to_string()))?;
                Self(Box::new(siren::law(frequency, amplitude)))
            }
        })
    }

    /// The proposed rule with any ω and σ_z.
    pub fn proposed(omega: f64, sigma_z: f64) -> Self {
        Self(Box::new(proposed::law(omega, sigma_z)))
    }

    /// Appends a layer's weights, row by row, and its biases to `theta`.
    ///
    /// A network's layers, drawn in order from the stream [`STREAM`], are those of [`draw`].
    pub fn draw_layer(&self, layer: &Layer, rng: &mut Stream, theta: &mut Vec<f64>) {
        let Law { diagonal, noise, bias } = self.0(layer);
        for row in 0..layer.outputs {
            for column in 0..layer.inputs {
                let d = if row % layer.inputs == column { diagonal } else { 0.0 };
                theta.push(d + noise.draw(rng));
            }
        }
        theta.extend((0..layer.outputs).map(|_| bias.draw(rng)));
    }
}

/// How one layer is drawn: W = D + Z.
struct Law {
    /// D is this where row ≡ column modulo the layer's inputs, else 0.
    diagonal: f64,
    /// The distribution of Z.
    noise: Noise,
    /// The distribution of b.
    bias: Noise,
}

/// Independent numbers of mean 0.
enum Noise {
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform up to this magnitude.
    Uniform(f64),
}

impl Law {
    /// Noise alone, and no biases.
    fn unbiased(noise: Noise) -> Self {
        Self { diagonal: 0.0, noise, bias: Noise::Normal(0.0) }
    }
}

impl Noise {
    fn draw(&self, rng: &mut Stream) -> f64 {
        match self {
            Self::Normal(sigma) => {
                let z: f64 = StandardNormal.sample(rng);
                sigma * z
            }
            Self::Uniform(limit) => limit * (2.0 * rng.random::<f64>() - 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Shape;

    fn shape(inputs: usize, depth: usize, width: usize, outputs: usize) -> Layers {
        Layers::chain(&Shape { inputs, depth, width, outputs })
    }

    fn theta(shape: &Layers, activation: &str, init: Init, seed: u64) -> Vec<f64> {
        let activation = Activation::parse(activation).unwrap();
        draw(shape, &activation, &settings::Network { init, ..Default::default() }, seed).unwrap()
    }

    /// Standard deviations of weights (without the diagonal) and biases of a wide layer.
    fn check_spread(init: Init, activation: &str, weights: f64, biases: f64) {
        let shape = shape(100, 1, 300, 200);
        let theta = theta(&shape, activation, init, 7);
        for layer in shape.dense() {
            let deviation = |x: Vec<f64>| (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt();
            let w = (0..layer.outputs * layer.inputs)
                .filter(|i| i / layer.inputs % layer.inputs != i % layer.inputs)
                .map(|i| theta[layer.weights + i])
                .collect();
            let scale = match init {
                Init::Xavier | Init::XavierUniform => (layer.inputs + layer.outputs) as f64,
                _ => layer.inputs as f64,
            };
            // Four standard errors of the estimate.
            let found = deviation(w) * scale.sqrt();
            assert!((found / weights - 1.0).abs() < 0.03, "{init:?}: {found}, not {weights}");
            let found = deviation(theta[layer.biases..layer.biases + layer.outputs].to_vec());
            assert!((found - biases).abs() <= 0.2 * biases, "{init:?}: {found}, not {biases}");
        }
    }

    #[test]
    fn spreads_are_as_the_rules_say() {
        check_spread(Init::Xavier, "tanh", 2_f64.sqrt(), 0.0);
        check_spread(Init::XavierUniform, "tanh", 2_f64.sqrt(), 0.0);
        check_spread(Init::He, "tanh", 2_f64.sqrt(), 0.0);
        check_spread(Init::Proposed, "tanh", sigma_z(1, 1.0), 0.0);
        check_spread(Init::Proposed, "0.1*tanh", sigma_z(1, 10.0), 0.0);
        check_spread(Init::Eoc, "tanh", 1.30415, 0.2);
        check_spread(Init::Eoc, "0.1*tanh", 13.0415, 0.2);
    }

    #[test]
    fn sines_are_drawn_as_their_authors_do() {
        let shape = shape(3, 2, 400, 1);
        let theta = theta(&shape, "sin(30*x)", Init::Siren, 3);
        for (layer, weights) in
            shape.dense().zip([1.0 / 3.0, 0.015_f64.sqrt() / 30.0, 0.015_f64.sqrt() / 30.0])
        {
            let greatest = |from: usize, count: usize| {
                theta[from..][..count].iter().fold(0.0_f64, |most, x| most.max(x.abs()))
            };
            let found = greatest(layer.weights, layer.inputs * layer.outputs);
            assert!(found <= weights && found > 0.98 * weights, "{found} of {weights}");
            assert!(greatest(layer.biases, layer.outputs) <= 1.0 / (layer.inputs as f64).sqrt());
        }
    }

    #[test]
    fn rules_refuse_what_they_are_not_made_for() {
        let check = |text: &str, init: Init, expected: &str| {
            let network = settings::Network { init, ..Default::default() };
            let error = draw(&shape(1, 1, 1, 1), &Activation::parse(text).unwrap(), &network, 0).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("gelu", Init::Proposed, "gelu is none: it is not bounded");
        check("tanh + sin", Init::Eoc, "is none: it does not increase everywhere");
        check("tanh", Init::Siren, "a single sine, not for tanh");
    }

    #[test]
    fn the_proposed_diagonal_is_cyclic() {
        // At this depth the noise is far below ω.
        let shape = shape(2, 100_000, 5, 1);
        let theta = theta(&shape, "softsign_1 + softsign_2", Init::Proposed, 1);
        let layers: Vec<&Layer> = shape.dense().collect();
        for layer in [layers[0], layers[1], layers[100_000]] {
            for row in 0..layer.outputs {
                for column in 0..layer.inputs {
                    let expected = if row % layer.inputs == column { 0.5 } else { 0.0 };
                    let found = theta[layer.weights + row * layer.inputs + column];
                    assert!((found - expected).abs() < 0.02, "{found} in row {row}, column {column}");
                }
            }
        }
    }

    #[test]
    fn the_vector_fits_the_shape_and_the_seed() {
        let shape = shape(3, 4, 10, 2);
        for init in Init::ALL.into_iter().filter(|&init| init != Init::Siren) {
            let first = theta(&shape, "tanh", init, 1);
            assert_eq!(first.len(), shape.parameters());
            assert!(first.iter().all(|x| x.is_finite()));
            assert_eq!(first, theta(&shape, "tanh", init, 1));
            assert_ne!(first, theta(&shape, "tanh", init, 2));
        }
    }

    #[test]
    fn layers_drawn_alone_are_those_of_the_vector() {
        let (shape, activation) = (shape(3, 4, 10, 2), Activation::parse("0.1*erf").unwrap());
        for init in Init::ALL.into_iter().filter(|&init| init != Init::Siren) {
            let network = settings::Network { init, ..Default::default() };
            let whole = draw(&shape, &activation, &network, 5).unwrap();
            let rule = Rule::new(shape.depth(0), &activation, &network).unwrap();
            let mut rng = rng::stream(5, STREAM);
            for layer in shape.dense() {
                let mut alone = vec![];
                rule.draw_layer(layer, &mut rng, &mut alone);
                assert_eq!(alone, whole[layer.weights..layer.biases + layer.outputs]);
            }
        }
    }

    #[test]
    fn an_impossible_bias_is_refused() {
        let activation = Activation::parse("tanh").unwrap();
        for sigma_b in [-0.1, f64::NAN, f64::INFINITY] {
            let network = settings::Network { init: Init::Eoc, sigma_b, ..Default::default() };
            let error = draw(&shape(1, 1, 1, 1), &activation, &network, 0).unwrap_err();
            assert!(matches!(error, InitError::SigmaB(_)), "{error}");
        }
    }
}
