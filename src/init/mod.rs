//! How weights and biases are drawn.
//!
//! A rule is a file here, a variant of [`Init`] and a line in [`draw`].
//! It states a law for every layer (noise, diagonal, biases); the drawing itself is common to all.

mod eoc;
mod he;
mod proposed;
mod xavier;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

pub use eoc::{EocPoint, eoc_point};
pub use proposed::sigma_z;

use crate::activation::Activation;
use crate::network::{Layer, Shape};
use crate::rng::{self, Stream};
use crate::settings::{self, Init};

/// Why no initial parameters could be drawn.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum InitError {
    /// The biases' standard deviation is out of range.
    #[error("network.sigma-b = {0}: the standard deviation of the biases must be 0 or more, and at most 1e6")]
    SigmaB(f64),
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

/// Initial parameters of a network of `shape`, a flat vector in the layout of [`Shape::layers`].
///
/// The numbers depend on the arguments alone: they are the stream `"init"` of `seed`, layer by layer,
/// the weights row by row and then the biases.
/// Every layer follows the rule, the first and the linear output layer included.
pub fn draw(
    shape: &Shape,
    activation: &Activation,
    network: &settings::Network,
    seed: u64,
) -> Result<Vec<f64>, InitError> {
    let rng = rng::stream(seed, "init");
    Ok(match network.init {
        Init::Proposed => fill(shape, rng, proposed::law(shape.depth, activation.omega())),
        Init::Eoc => fill(shape, rng, eoc::law(eoc_point(activation, network.sigma_b)?)),
        Init::Xavier => fill(shape, rng, xavier::normal),
        Init::XavierUniform => fill(shape, rng, xavier::uniform),
        Init::He => fill(shape, rng, he::normal),
    })
}

/// How one layer is drawn: W = D + Z, b ~ N(0, `bias`²).
struct Law {
    /// D is this where row ≡ column modulo the layer's inputs, else 0.
    diagonal: f64,
    /// The distribution of Z.
    noise: Noise,
    /// Standard deviation of the biases.
    bias: f64,
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
        Self { diagonal: 0.0, noise, bias: 0.0 }
    }
}

fn fill(shape: &Shape, mut rng: Stream, law: impl Fn(&Layer) -> Law) -> Vec<f64> {
    let mut theta = Vec::with_capacity(shape.parameters());
    for layer in shape.layers() {
        let Law { diagonal, noise, bias } = law(&layer);
        for row in 0..layer.outputs {
            for column in 0..layer.inputs {
                let d = if row % layer.inputs == column { diagonal } else { 0.0 };
                theta.push(d + noise.draw(&mut rng));
            }
        }
        theta.extend((0..layer.outputs).map(|_| Noise::Normal(bias).draw(&mut rng)));
    }
    theta
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

    fn shape(inputs: usize, depth: usize, width: usize, outputs: usize) -> Shape {
        Shape { inputs, depth, width, outputs }
    }

    fn theta(shape: &Shape, activation: &str, init: Init, seed: u64) -> Vec<f64> {
        let activation = Activation::parse(activation).unwrap();
        draw(shape, &activation, &settings::Network { init, ..Default::default() }, seed).unwrap()
    }

    /// Standard deviations of weights (without the diagonal) and biases of a wide layer.
    fn check_spread(init: Init, activation: &str, weights: f64, biases: f64) {
        let shape = shape(100, 1, 300, 200);
        let theta = theta(&shape, activation, init, 7);
        for layer in shape.layers() {
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
    fn the_proposed_diagonal_is_cyclic() {
        // At this depth the noise is far below ω.
        let shape = shape(2, 100_000, 5, 1);
        let theta = theta(&shape, "softsign_1 + softsign_2", Init::Proposed, 1);
        let layers = shape.layers();
        for layer in [&layers[0], &layers[1], &layers[100_000]] {
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
        for init in [Init::Proposed, Init::Eoc, Init::Xavier, Init::XavierUniform, Init::He] {
            let first = theta(&shape, "tanh", init, 1);
            assert_eq!(first.len(), shape.parameters());
            assert!(first.iter().all(|x| x.is_finite()));
            assert_eq!(first, theta(&shape, "tanh", init, 1));
            assert_ne!(first, theta(&shape, "tanh", init, 2));
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
