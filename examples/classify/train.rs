//! Training a classifier: Adam on the softmax cross-entropy, epoch by epoch, and its accuracy on images it has not seen.
//!
//! Knows tensors and numbers; it knows neither files nor configurations.

use std::sync::atomic::{AtomicBool, Ordering};

use pinn::internals::burn::module::Module;
use pinn::internals::burn::nn::loss::CrossEntropyLossConfig;
use pinn::internals::burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use pinn::internals::burn::store::{ModuleRecord, RecordError};
use pinn::internals::burn::tensor::{Bytes, Device, Int, Tensor, TensorData};
use pinn::internals::rng;
use pinn::internals::run::RunOutcome;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::json;

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
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Steps so far.
    pub(crate) step: usize,
    /// Mean of the loss over the epoch's steps, each before its update.
    pub(crate) loss: f64,
    /// Fraction of the validation images that are classified rightly, if it was measured.
    pub(crate) accuracy: Option<f64>,
}

/// Where training stands after an epoch.
pub(crate) struct State {
    network: Network,
    adam: ModuleOptimizer,
    /// What came of every epoch so far.
    pub(crate) epochs: Vec<Epoch>,
    /// Seconds of training before it was last taken up.
    pub(crate) seconds: f64,
}

impl State {
    /// The beginning.
    pub(crate) fn new(network: Network) -> Self {
        // The epsilon of Adam's paper (Kingma and Ba 2015); Burn's own is 1e-5.
        Self { network, adam: AdamConfig::new().with_epsilon(1e-8).init(), epochs: vec![], seconds: 0.0 }
    }

    /// Everything, bit for bit, `seconds` after it was last taken up: a line of JSON, and Burn's records of the network
    /// and of Adam's moments.
    ///
    /// # Errors
    ///
    /// If Burn cannot write them.
    pub(crate) fn to_bytes(&self, seconds: f64) -> Result<Vec<u8>, RecordError> {
        let (network, adam) = (self.network.clone().into_record().into_bytes()?, self.adam.into_bytes()?);
        let (seconds, lengths) = (self.seconds + seconds, [network.len(), adam.len()]);
        let head = json!({ "epochs": self.epochs, "seconds": seconds, "lengths": lengths });
        Ok([format!("{head}\n").as_bytes(), &network, &adam].concat())
    }

    /// What [`State::to_bytes`] has written of a network of the same shape as `network`.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub(crate) fn from_bytes(bytes: &[u8], network: Network) -> Result<Self, Box<dyn std::error::Error>> {
        #[derive(Deserialize)]
        struct Head {
            epochs: Vec<Epoch>,
            seconds: f64,
            lengths: [usize; 2],
        }
        let head = bytes.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        let Head { epochs, seconds, lengths } = serde_json::from_slice(head)?;
        let mut rest = &bytes[head.len()..];
        let mut part = |length: usize| {
            let (part, others) = rest.split_at_checked(length).ok_or("it is too short")?;
            rest = others;
            Ok::<_, &str>(Bytes::from_bytes_vec(part.to_vec()))
        };
        let [network_bytes, adam_bytes] = [part(lengths[0])?, part(lengths[1])?];
        let Self { network, adam, .. } = Self::new(network);
        let network = network.try_load_record(ModuleRecord::from_bytes(network_bytes)?)?;
        Ok(Self { network, adam: adam.from_bytes(adam_bytes)?, epochs, seconds })
    }
}

/// Trains on `train`, which is on an autodiff device, from `state` on; `validation` is on the same device without.
///
/// After every epoch `watch` is told.
/// A loss that is not finite ends training as diverged; so does `stop`, as interrupted.
///
/// # Errors
///
/// What `watch` could not do.
pub(crate) fn train<E>(
    mut state: State,
    train: &Samples,
    validation: &Samples,
    schedule: &Schedule,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Epoch, &State) -> Result<(), E>,
) -> Result<(RunOutcome, State), E> {
    let cross_entropy = CrossEntropyLossConfig::new().init(&train.images.device());
    let mut stream = rng::stream(schedule.seed, "batches");
    let mut order: Vec<usize> = (0..train.count).collect();
    let mut step = state.epochs.last().map_or(0, |epoch| epoch.step);
    for epoch in 1..=schedule.epochs {
        if step == schedule.steps {
            break;
        }
        order.shuffle(&mut stream);
        // Shuffled as before, and learned already.
        if epoch <= state.epochs.len() {
            continue;
        }
        let left = schedule.steps - step;
        let (mut sum, mut steps) = (0.0, 0);
        for batch in order.chunks(schedule.batch).take(left) {
            if stop.load(Ordering::Relaxed) {
                return Ok((RunOutcome::Interrupted, state));
            }
            let (images, labels) = train.select(batch);
            let loss = cross_entropy.forward(state.network.forward(images), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &state.network);
            state.network = state.adam.step(schedule.rate, state.network, gradients);
            sum += loss.into_scalar::<f64>();
            steps += 1;
        }
        step += steps;
        let loss = sum / steps as f64;
        let is_last = epoch == schedule.epochs || step == schedule.steps || !loss.is_finite();
        let measured = is_last || epoch % schedule.evaluate == 0;
        let accuracy = measured.then(|| accuracy(&state.network.valid(), validation));
        let epoch = Epoch { step, loss, accuracy };
        state.epochs.push(epoch);
        watch(epoch, &state)?;
        if !loss.is_finite() {
            return Ok((RunOutcome::Diverged, state));
        }
    }
    Ok((RunOutcome::Done, state))
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
    use pinn::internals::activation::Activation;
    use pinn::internals::network::Shape;
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
        let stop = AtomicBool::new(false);
        let mut watch = |_, _: &State| Ok::<_, ()>(());
        let trained = train(State::new(network), &train_set, &validation, &schedule, &stop, &mut watch);
        let (outcome, state) = trained.expect("the watcher has nothing to say");
        assert_eq!(outcome, RunOutcome::Done);
        state.epochs.iter().filter_map(|epoch| epoch.accuracy).fold(0.0, f64::max)
    }

    #[test]
    fn fifty_layers_learn_two_classes_where_he_stays_at_chance() {
        // Under He's rule a signal is multiplied by about 0.3·√2 in every layer, and is 1e-19 after fifty.
        for seed in [0, 1] {
            let [proposed, he] = [Init::Proposed, Init::He].map(|init| best("0.3*tanh", init, seed));
            assert!(proposed > 0.95 && (he - 0.5).abs() < 0.05, "seed {seed}: proposed {proposed}, He {he}");
        }
    }

    #[test]
    fn what_was_interrupted_goes_on_to_the_same_bits() {
        let device = Device::flex();
        let all: Vec<usize> = (0..70).collect();
        let train_set = Samples::new(&two_clouds(70, 1), &all, &device.clone().autodiff());
        let validation = Samples::new(&two_clouds(70, 2), &all, &device);
        let network = || {
            let shape = Shape { inputs: 2, depth: 4, width: 8, outputs: 2 };
            let model = Model { batch_norm: true, ..Model::default() };
            let activation = Activation::parse("tanh").expect("one of the family");
            let network = settings::Network::default();
            Network::new(&shape, activation, &network, &model, 5, &device.clone().autodiff()).expect("drawn")
        };
        // Three steps an epoch; the eighth has two.
        let schedule = Schedule { epochs: 100, steps: 23, evaluate: 3, batch: 32, rate: 1e-2, seed: 5 };
        let go = |state: State, stop_at: usize| {
            let (stop, mut saved) = (AtomicBool::new(false), vec![]);
            let mut watch = |epoch: Epoch, state: &State| {
                stop.store(epoch.step == stop_at, Ordering::Relaxed);
                if epoch.accuracy.is_some() {
                    saved = state.to_bytes(1.5)?;
                }
                Ok::<_, RecordError>(())
            };
            let trained = train(state, &train_set, &validation, &schedule, &stop, &mut watch);
            let (outcome, state) = trained.expect("in memory");
            let outputs = state.network.valid().forward(validation.images.clone()).into_data();
            let outputs: Vec<u32> = outputs.iter::<f32>().map(f32::to_bits).collect();
            (outcome, state.epochs, outputs, saved)
        };
        let (outcome, expected, outputs, _) = go(State::new(network()), usize::MAX);
        assert_eq!((outcome, expected.len(), expected[7].step), (RunOutcome::Done, 8, 23));
        let (outcome, epochs, _, saved) = go(State::new(network()), 15);
        assert_eq!((outcome, &epochs[..]), (RunOutcome::Interrupted, &expected[..5]));
        let state = State::from_bytes(&saved, network()).expect("whole");
        assert_eq!((&state.epochs[..], state.seconds), (&expected[..3], 1.5));
        let (outcome, epochs, found, _) = go(state, usize::MAX);
        assert_eq!((outcome, epochs, found), (RunOutcome::Done, expected, outputs));
        for damaged in [&saved[..saved.len() - 1], &saved[..9], b"no state"] {
            assert!(State::from_bytes(damaged, network()).is_err());
        }
    }
}
