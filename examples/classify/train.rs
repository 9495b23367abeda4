//! Training a classifier: Adam on the softmax cross-entropy, epoch by epoch, and its accuracy on images it has not seen.
//!
//! Knows tensors and numbers; it knows neither files nor configurations.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use pinn::rng;
use pinn::run::RunOutcome;
use rand::seq::SliceRandom;

use crate::data::Images;
use crate::model::Network;

/// Images that go through the network at once where nothing is learned.
const CHUNK: usize = 1000;

/// Images on a device.
pub(crate) struct Samples {
    /// Images × pixels, from 0 to 1.
    images: Tensor<2>,
    labels: Tensor<1, Int>,
    count: usize,
}

impl Samples {
    /// The images of `indices` on `device`.
    pub(crate) fn new(images: &Images, indices: &[usize], device: &Device) -> Self {
        let values = indices.iter().flat_map(|&i| &images.values[i * images.pixels..][..images.pixels]);
        let values = values.map(|&x| f32::from(x) / 255.0).collect();
        let labels: Vec<i64> = indices.iter().map(|&i| i64::from(images.labels[i])).collect();
        let count = indices.len();
        Self {
            images: Tensor::from_data(TensorData::new(values, [count, images.pixels]), device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
            count,
        }
    }

    fn select(&self, indices: &[usize]) -> (Tensor<2>, Tensor<1, Int>) {
        let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let length = indices.len();
        let indices: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(indices, [length]), &self.images.device());
        (self.images.clone().select(0, indices.clone()), self.labels.clone().select(0, indices))
    }
}

/// How long, and how fast.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Schedule {
    /// Epochs at the most.
    pub(crate) epochs: usize,
    /// Steps at the most.
    pub(crate) steps: usize,
    /// Epochs between two measurements of the accuracy; the last epoch has one in any case.
    pub(crate) evaluate: usize,
    /// Images of a step; the last step of an epoch has what is left.
    pub(crate) batch: usize,
    /// Adam's η.
    pub(crate) rate: f64,
    /// The seed; images are shuffled by its stream `"batches"`.
    pub(crate) seed: u64,
}

/// The end of an epoch, or of training within one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Epoch {
    /// Steps so far.
    pub(crate) step: usize,
    /// Mean of the loss over the epoch's steps, each before its update.
    pub(crate) loss: f64,
    /// Fraction of the validation images that are classified rightly, if it was measured.
    pub(crate) accuracy: Option<f64>,
}

/// Trains `network` on `train`, which is on an autodiff device; `validation` is on the same device without.
///
/// After every epoch `watch` is told.
/// A loss that is not finite ends training as diverged; so does `stop`, as interrupted.
///
/// # Errors
///
/// What `watch` could not do.
pub(crate) fn train<E>(
    mut network: Network,
    train: &Samples,
    validation: &Samples,
    schedule: &Schedule,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Epoch) -> Result<(), E>,
) -> Result<RunOutcome, E> {
    // The epsilon of Adam's paper (Kingma and Ba 2015); Burn's own is 1e-5.
    let mut adam = AdamConfig::new().with_epsilon(1e-8).init();
    let cross_entropy = CrossEntropyLossConfig::new().init(&train.images.device());
    let mut stream = rng::stream(schedule.seed, "batches");
    let mut order: Vec<usize> = (0..train.count).collect();
    let mut step = 0;
    for epoch in 1..=schedule.epochs {
        order.shuffle(&mut stream);
        let left = schedule.steps - step;
        let (mut sum, mut steps) = (0.0, 0);
        for batch in order.chunks(schedule.batch).take(left) {
            if stop.load(Ordering::Relaxed) {
                return Ok(RunOutcome::Interrupted);
            }
            let (images, labels) = train.select(batch);
            let loss = cross_entropy.forward(network.forward(images), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = adam.step(schedule.rate, network, gradients);
            sum += loss.into_scalar::<f64>();
            steps += 1;
        }
        step += steps;
        let loss = sum / steps as f64;
        let is_last = epoch == schedule.epochs || step == schedule.steps || !loss.is_finite();
        let measured = is_last || epoch % schedule.evaluate == 0;
        let accuracy = measured.then(|| accuracy(&network.valid(), validation));
        watch(Epoch { step, loss, accuracy })?;
        if !loss.is_finite() {
            return Ok(RunOutcome::Diverged);
        }
        if step == schedule.steps {
            break;
        }
    }
    Ok(RunOutcome::Done)
}

/// Fraction of `samples` whose class the network finds.
fn accuracy(network: &Network, samples: &Samples) -> f64 {
    let all: Vec<usize> = (0..samples.count).collect();
    let right = all.chunks(CHUNK).map(|chunk| {
        let (images, labels) = samples.select(chunk);
        let found = network.forward(images).argmax(1).reshape([chunk.len()]);
        found.equal(labels).int().sum().into_scalar::<i64>() as usize
    });
    right.sum::<usize>() as f64 / samples.count as f64
}

#[cfg(test)]
mod tests {
    use pinn::activation::Activation;
    use pinn::network::Shape;
    use pinn::settings::{self, Init};
    use rand_distr::{Distribution, Normal};

    use super::*;
    use crate::model::Model;

    /// Points of the plane, in turn around (0.25, 0.75) and (0.75, 0.25).
    fn two_clouds(count: usize, seed: u64) -> Images {
        let mut stream = rng::stream(seed, "clouds");
        let noise = Normal::new(0.0, 0.1).expect("positive");
        let mut number = |middle: f64| (255.0 * (middle + noise.sample(&mut stream))) as u8;
        let values = (0..count).flat_map(|i| if i % 2 == 0 { [0.25, 0.75] } else { [0.75, 0.25] });
        let values = values.map(&mut number).collect();
        Images { pixels: 2, values, labels: (0..count).map(|i| (i % 2) as u8).collect() }
    }

    /// The best accuracy of 50 layers on fresh points.
    fn best(activation: &str, init: Init, seed: u64) -> f64 {
        let device = Device::flex();
        let samples = |count, seed, device: &Device| {
            let all: Vec<usize> = (0..count).collect();
            Samples::new(&two_clouds(count, seed), &all, device)
        };
        let (train_set, validation) = (samples(200, 1, &device.clone().autodiff()), samples(400, 2, &device));
        let shape = Shape { inputs: 2, depth: 50, width: 16, outputs: 2 };
        let network = settings::Network { init, ..settings::Network::default() };
        let activation = Activation::parse(activation).expect("one of the family");
        let rate = 3e-4 * activation.omega();
        let device = device.autodiff();
        let network =
            Network::new(&shape, activation, &network, &Model::default(), seed, &device).expect("drawn");
        let schedule = Schedule { epochs: 40, steps: usize::MAX, evaluate: 5, batch: 50, rate, seed };
        let mut best = 0.0_f64;
        let mut watch = |epoch: Epoch| {
            best = best.max(epoch.accuracy.unwrap_or(0.0));
            Ok::<_, ()>(())
        };
        let stop = AtomicBool::new(false);
        let outcome = train(network, &train_set, &validation, &schedule, &stop, &mut watch);
        assert_eq!(outcome, Ok(RunOutcome::Done));
        best
    }

    #[test]
    fn fifty_layers_learn_two_classes_where_he_stays_at_chance() {
        // Under He's rule a signal is multiplied by about 0.3·√2 in every layer, and is 1e-19 after fifty.
        for seed in [0, 1] {
            let [proposed, he] = [Init::Proposed, Init::He].map(|init| best("0.3*tanh", init, seed));
            assert!(proposed > 0.95 && (he - 0.5).abs() < 0.05, "seed {seed}: proposed {proposed}, He {he}");
        }
    }
}
