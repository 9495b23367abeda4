//! The classifier: a fully connected network with an odd-sigmoid activation, and one number a class.
//!
//! Activations, initializations and their calibration are the library's, tensors, layers and normalization Burn's.

use pinn::internals::activation::Activation;
use pinn::internals::burn;
use pinn::internals::burn::module::{Module, Param};
use pinn::internals::burn::nn::{BatchNorm, BatchNormConfig, Linear};
use pinn::internals::burn::tensor::{Device, Tensor, TensorData};
use pinn::internals::engine::burn::activate;
use pinn::internals::init::{self, InitError, Rule, sigma_z_for};
use pinn::internals::network::Shape;
use pinn::internals::rng;
use pinn::settings::{self, Init};
use serde::{Deserialize, Serialize};

/// The table `[model]`: what a classifier has besides the library's `[network]`.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Model {
    /// Batch normalization before every activation (Ioffe and Szegedy 2015, arXiv 1502.03167).
    pub(crate) batch_norm: bool,
    /// Target flip rate ρ of the proposed rule; its own by depth where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flip_rate: Option<f64>,
    /// σ_z/ω of the proposed rule, in place of a flip rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sigma_z: Option<f64>,
    /// The rule that draws the output layer, where that is not the network's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Init>,
}

impl Model {
    /// What is wrong with it for a network drawn by `init`.
    pub(crate) fn mistake(&self, init: Init) -> Option<String> {
        let calibrated = self.flip_rate.is_some() || self.sigma_z.is_some();
        if calibrated && init != Init::Proposed {
            let keys = "model.flip-rate and model.sigma-z";
            return Some(format!("{keys} calibrate init = \"proposed\", not \"{}\"", init.name()));
        }
        if self.flip_rate.is_some() && self.sigma_z.is_some() {
            return Some("give model.flip-rate or model.sigma-z, not both".into());
        }
        if self.flip_rate.is_some_and(|rate| !(rate > 0.0 && rate < 0.5)) {
            return Some("model.flip-rate lies between 0 and 0.5".into());
        }
        let bad = |sigma: f64| !(sigma >= 0.0 && sigma.is_finite());
        self.sigma_z.is_some_and(bad).then(|| "model.sigma-z is a number from 0 up".into())
    }
}

/// The network; its parameters are Burn's, so that Burn's optimizers can train it.
#[derive(Module, Debug)]
pub(crate) struct Network {
    /// Hidden layers and the output layer.
    layers: Vec<Linear>,
    /// One for each hidden layer, or none.
    norms: Vec<BatchNorm>,
    #[module(skip)]
    activation: Activation,
}

impl Network {
    /// A network of `shape` with initial parameters from the stream `"init"` of `seed`.
    ///
    /// # Errors
    ///
    /// If the rule does not fit the activation.
    pub(crate) fn new(
        shape: &Shape,
        activation: Activation,
        network: &settings::Network,
        model: &Model,
        seed: u64,
        device: &Device,
    ) -> Result<Self, InitError> {
        let (depth, omega) = (shape.depth, activation.omega());
        let hidden = match (model.flip_rate, model.sigma_z) {
            (Some(rate), _) => Rule::proposed(omega, sigma_z_for(depth, omega, rate.ln())),
            (None, Some(sigma)) => Rule::proposed(omega, sigma * omega),
            (None, None) => Rule::new(depth, &activation, network)?,
        };
        let output = match model.output {
            Some(init) => {
                Some(Rule::new(depth, &activation, &settings::Network { init, ..network.clone() })?)
            }
            None => None,
        };
        let mut stream = rng::stream(seed, init::STREAM);
        let layers = shape.layers().into_iter().enumerate().map(|(l, layer)| {
            let rule = output.as_ref().filter(|_| l == depth).unwrap_or(&hidden);
            let mut theta = vec![];
            rule.draw_layer(&layer, &mut stream, &mut theta);
            let biases = theta.split_off(layer.inputs * layer.outputs);
            // Burn multiplies rows by a matrix of inputs × outputs.
            let columns = (0..layer.inputs).flat_map(|input| theta.iter().skip(input).step_by(layer.inputs));
            let weight = TensorData::new(columns.map(|&w| w as f32).collect(), [layer.inputs, layer.outputs]);
            let bias = TensorData::new(biases.iter().map(|&b| b as f32).collect(), [layer.outputs]);
            Linear {
                weight: Param::from_tensor(Tensor::from_data(weight, device)),
                bias: Some(Param::from_tensor(Tensor::from_data(bias, device))),
            }
        });
        let layers = layers.collect();
        let norms = if model.batch_norm { depth } else { 0 };
        let norms = (0..norms).map(|_| BatchNormConfig::new(shape.width).init(device)).collect();
        Ok(Self { layers, norms, activation })
    }

    /// One number a class for each row of `images`, the greatest for the likeliest class.
    pub(crate) fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let (output, hidden) = self.layers.split_last().expect("there is an output layer");
        let rows = hidden.iter().enumerate().fold(images, |rows, (l, layer)| {
            let z = layer.forward(rows);
            let z = if let Some(norm) = self.norms.get(l) { norm.forward(z) } else { z };
            activate(&self.activation, &z)
        });
        output.forward(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinn::internals::network::Layers;

    /// The same network on the host, in double precision, from the library's own parameters.
    fn on_the_host(shape: &Shape, activation: &Activation, theta: &[f64], image: &[f64]) -> Vec<f64> {
        shape.layers().iter().enumerate().fold(image.to_vec(), |row, (l, layer)| {
            let output = |j: usize| {
                let weights = &theta[layer.weights + j * layer.inputs..][..layer.inputs];
                let z = theta[layer.biases + j] + weights.iter().zip(&row).map(|(w, x)| w * x).sum::<f64>();
                if l < shape.depth { activation.derivatives(z)[0] } else { z }
            };
            (0..layer.outputs).map(output).collect()
        })
    }

    #[test]
    fn the_network_is_the_librarys() {
        let shape = Shape { inputs: 5, depth: 3, width: 4, outputs: 2 };
        let image = [0.1, -0.7, 0.3, 0.9, -0.2];
        for (text, init) in
            [("softsign_1 + 0.5*gd", Init::Proposed), ("3*arctan", Init::Eoc), ("erf", Init::He)]
        {
            let activation = Activation::parse(text).expect("one of the family");
            let network = settings::Network { init, ..settings::Network::default() };
            let theta = init::draw(&Layers::chain(&shape), &activation, &network, 3).expect("drawn");
            let expected = on_the_host(&shape, &activation, &theta, &image);
            let device = Device::flex();
            let network =
                Network::new(&shape, activation, &network, &Model::default(), 3, &device).expect("drawn");
            let images =
                Tensor::from_data(TensorData::new(image.map(|x| x as f32).to_vec(), [1, 5]), &device);
            let found: Vec<f64> = network.forward(images).into_data().iter::<f64>().collect();
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                    "{text}: {found}, {expected}"
                );
            }
        }
    }

    #[test]
    fn a_sigma_of_zero_leaves_the_cyclic_identity() {
        let shape = Shape { inputs: 2, depth: 1, width: 3, outputs: 2 };
        let model = Model { sigma_z: Some(0.0), ..Model::default() };
        let device = Device::flex();
        let activation = Activation::parse("0.5*tanh").expect("one of the family");
        let network = Network::new(&shape, activation, &settings::Network::default(), &model, 0, &device);
        let images = Tensor::from_data(TensorData::new(vec![0.1_f32, 0.2], [1, 2]), &device);
        let found: Vec<f64> = network.expect("drawn").forward(images).into_data().iter::<f64>().collect();
        for (found, x) in found.iter().zip([0.1_f64, 0.2]) {
            assert!((found - (2.0 * x).tanh()).abs() < 1e-6, "{found} for {x}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let check = |model: Model, init, expected: &str| {
            let mistake = model.mistake(init).expect(expected);
            assert!(mistake.contains(expected), "{mistake}");
        };
        let model = Model::default();
        check(Model { flip_rate: Some(0.1), ..model.clone() }, Init::He, "not \"he\"");
        check(Model { flip_rate: Some(0.5), ..model.clone() }, Init::Proposed, "between 0 and 0.5");
        check(Model { sigma_z: Some(-1.0), ..model.clone() }, Init::Proposed, "from 0 up");
        check(
            Model { sigma_z: Some(1.0), flip_rate: Some(0.1), ..model.clone() },
            Init::Proposed,
            "not both",
        );
        assert_eq!(Model { flip_rate: Some(0.1), ..model }.mistake(Init::Proposed), None);
    }
}
