//! One run of a sweep: its settings, checked, and what it leaves in its folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use pinn::internals::activation::Activation;
use pinn::internals::burn::tensor::Device;
use pinn::internals::network::Shape;
use pinn::internals::rng;
use pinn::internals::run::{
    Loss, RESULT_VERSION, Resumed, RunDirectory, RunOutcome, RunResult, peak_memory_bytes,
};
use pinn::internals::sweep::{Experiment, ExperimentError, Sweep, SweepError};
use pinn::problem::Document;
use pinn::settings::{Architecture, LearningRateUnit, Network as NetworkSettings};
use rand::seq::index;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::{DataSet, Set};
use crate::model::{Model, Network};
use crate::train::{Epoch, Samples, Schedule, State, train};

/// Where a run keeps its training state until it has ended.
const STATE: &str = "state.bin";
/// The most weights and biases of a network; four times as many numbers are in memory.
const MAX_PARAMETERS: f64 = 2e9;

/// What a run is told.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// `[data]`
    pub(crate) data: Data,
    /// `[network]`, as in a problem file.
    pub(crate) network: NetworkSettings,
    /// `[model]`
    pub(crate) model: Model,
    /// `[training]`
    pub(crate) training: Training,
}

/// The images of a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Data {
    /// Where they are from.
    pub(crate) set: Set,
    /// Training images, drawn by the stream `"samples"`; 0 for all.
    pub(crate) samples: usize,
    /// Test images, the first ones, on which the accuracy is measured; 0 for all.
    pub(crate) validation: usize,
}

impl Default for Data {
    fn default() -> Self {
        Self { set: Set::Mnist, samples: 0, validation: 0 }
    }
}

/// How the network is trained.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Training {
    /// The one seed.
    pub(crate) seed: u64,
    /// Epochs at the most; 0 where steps alone count.
    pub(crate) epochs: usize,
    /// Steps at the most; 0 where epochs alone count.
    pub(crate) steps: usize,
    /// Epochs between two measurements of the accuracy.
    pub(crate) evaluate: usize,
    /// Images of a step.
    pub(crate) batch: usize,
    /// Adam's learning rate.
    pub(crate) lr: f64,
    /// What `lr` multiplies.
    pub(crate) lr_unit: LearningRateUnit,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            seed: 0,
            epochs: 0,
            steps: 0,
            evaluate: 1,
            batch: 64,
            lr: 1e-3,
            lr_unit: LearningRateUnit::One,
        }
    }
}

impl Settings {
    /// The settings of run `run`.
    ///
    /// # Errors
    ///
    /// If they are not valid.
    pub(crate) fn of(sweep: &Sweep, run: usize) -> Result<Self, SweepError> {
        let mut document: Document = sweep.base().clone();
        let changes = sweep.change(&mut document, run)?;
        let mut settings: Self = document.settings()?;
        let wrong = |reason: String| SweepError::Value { run: sweep.name(run), reason };
        if changes.points.is_some() {
            return Err(wrong(
                "a classifier has no points; the axis `data.samples` is how many images it sees".into(),
            ));
        }
        settings.training.steps = changes.steps.unwrap_or(settings.training.steps);
        settings.training.lr = changes.lr.unwrap_or(settings.training.lr);
        settings.activation().map_err(wrong)?;
        settings.mistake().map_or(Ok(settings), |mistake| Err(wrong(mistake)))
    }

    fn activation(&self) -> Result<Activation, String> {
        let activation = Activation::parse(&self.network.activation).map_err(|error| error.to_string())?;
        if let Some((function, reason)) = activation.outside() {
            return Err(format!(
                "classifiers have odd-sigmoid functions, and {} is none: {reason}",
                function.name()
            ));
        }
        activation.scaled(self.network.scale.initial()).map_err(|error| error.to_string())
    }

    fn mistake(&self) -> Option<String> {
        let Self { network, model, training, .. } = self;
        let (depth, width) = (network.depth as f64, network.width as f64);
        if depth < 1.0 || width < 1.0 || depth * width * (width + 1.0) > MAX_PARAMETERS {
            return Some(format!(
                "{} layers of {} neurons: from 1 × 1 to {MAX_PARAMETERS:.0e} parameters are possible",
                network.depth, network.width
            ));
        }
        let equal = network.widths.is_empty() && !network.linear_part;
        if network.architecture != Architecture::Plain || !equal || network.scale.trained().is_some() {
            return Some("classifiers are plain chains of equal layers, with a scale that stays".into());
        }
        if training.batch == 0 || training.evaluate == 0 {
            return Some("training.batch and training.evaluate are at least 1".into());
        }
        if training.epochs == 0 && training.steps == 0 {
            return Some("give training.epochs or training.steps: there is no end otherwise".into());
        }
        if !(training.lr > 0.0 && training.lr.is_finite()) {
            return Some(format!("training.lr = {}: a learning rate is positive and finite", training.lr));
        }
        model.mistake(network.init)
    }

    /// How many images of `all` are wanted.
    fn count(wanted: usize, all: usize, key: &str) -> Result<usize, ExperimentError> {
        match wanted {
            0 => Ok(all),
            wanted if wanted <= all => Ok(wanted),
            wanted => {
                Err(ExperimentError::Other(format!("data.{key} = {wanted}, but there are {all} images")))
            }
        }
    }
}

/// The runs of a sweep as classifiers.
pub(crate) struct Classifiers<'a> {
    /// The sweep.
    pub(crate) sweep: &'a Sweep,
    /// The data sets that its runs name.
    pub(crate) data: BTreeMap<Set, DataSet>,
    /// Where they are computed, and what that is called.
    pub(crate) device: (Device, String),
}

impl Experiment for Classifiers<'_> {
    fn check(&self, run: usize, _: &Path, resolved: Option<&str>) -> Result<bool, SweepError> {
        let settings = Settings::of(self.sweep, run)?;
        Ok(resolved.is_none_or(|text| toml::from_str(text).is_ok_and(|found: Settings| found == settings)))
    }

    fn begin(
        &self,
        run: usize,
        mut directory: RunDirectory,
        stop: &AtomicBool,
    ) -> Result<(), ExperimentError> {
        let settings = Settings::of(self.sweep, run).map_err(ExperimentError::other)?;
        directory
            .write("resolved.toml", toml::to_string(&settings).map_err(ExperimentError::other)?.as_bytes())?;
        let result = self.classify(&settings, &mut directory, stop)?;
        directory.flush()?;
        directory.write("result.json", result.to_json().as_bytes())?;
        if result.outcome != RunOutcome::Interrupted {
            // It is of no more use, and large; where there was no measurement there is none.
            let _ = fs::remove_file(directory.path().join(STATE));
        }
        Ok(())
    }

    /// Goes on after the last measurement of the accuracy.
    fn go_on(&self, run: usize, resumed: Resumed, stop: &AtomicBool) -> Result<(), ExperimentError> {
        self.begin(run, resumed.directory, stop)
    }
}

impl Classifiers<'_> {
    fn classify(
        &self,
        settings: &Settings,
        directory: &mut RunDirectory,
        stop: &AtomicBool,
    ) -> Result<RunResult, ExperimentError> {
        let Settings { data, network, model, training } = settings;
        let images =
            self.data.get(&data.set).ok_or_else(|| ExperimentError::other("the data were not read"))?;
        let all = images.train.labels.len();
        let samples = Settings::count(data.samples, all, "samples")?;
        let drawn = index::sample(&mut rng::stream(training.seed, "samples"), all, samples).into_vec();
        let validation = Settings::count(data.validation, images.test.labels.len(), "validation")?;
        let first: Vec<usize> = (0..validation).collect();

        let (device, name) = &self.device;
        let learning = device.clone().autodiff();
        let activation = settings.activation().map_err(ExperimentError::Other)?;
        let omega = activation.omega();
        let shape = Shape {
            inputs: images.train.pixels,
            depth: network.depth,
            width: network.width,
            outputs: images.classes,
        };
        let seed = training.seed;
        let classifier = Network::new(&shape, activation, network, model, seed, &learning)
            .map_err(ExperimentError::other)?;
        let unlimited = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let schedule = Schedule {
            epochs: unlimited(training.epochs),
            steps: unlimited(training.steps),
            evaluate: training.evaluate,
            batch: training.batch,
            rate: match training.lr_unit {
                LearningRateUnit::One => training.lr,
                LearningRateUnit::Omega => training.lr * omega,
            },
            seed,
        };
        let (train_set, test_set) =
            (Samples::new(&images.train, &drawn, &learning), Samples::new(&images.test, &first, device));
        let path = directory.path().join(STATE);
        let damaged = |error| format!("{} is damaged ({error}); remove the run's folder", path.display());
        let state = match fs::read(&path) {
            Ok(bytes) => {
                State::from_bytes(&bytes, classifier).map_err(damaged).map_err(ExperimentError::Other)?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => State::new(classifier),
            Err(error) => {
                return Err(ExperimentError::other(format!("cannot read {}: {error}", path.display())));
            }
        };
        for epoch in &state.epochs {
            directory.log(&json!(epoch))?;
        }
        let started = Instant::now();
        let mut note = |epoch: Epoch, state: &State| {
            directory.log(&json!(epoch))?;
            if epoch.accuracy.is_some() && epoch.loss.is_finite() {
                directory.write(
                    STATE,
                    &state.to_bytes(started.elapsed().as_secs_f64()).map_err(ExperimentError::other)?,
                )?;
            }
            Ok::<_, ExperimentError>(())
        };
        let (outcome, state) = train(state, &train_set, &test_set, &schedule, stop, &mut note)?;
        let State { epochs, seconds, .. } = state;
        let seconds = seconds + started.elapsed().as_secs_f64();

        let last = epochs.last();
        let lowest = epochs.iter().map(|epoch| epoch.loss).filter(|loss| loss.is_finite()).reduce(f64::min);
        let accuracies = || epochs.iter().filter_map(|epoch| epoch.accuracy);
        let measures =
            [("accuracy", accuracies().reduce(f64::max)), ("final_accuracy", accuracies().next_back())];
        Ok(RunResult {
            schema_version: RESULT_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            problem: data.set.name().into(),
            title: "classification".into(),
            device: name.clone(),
            device_detail: "Burn".into(),
            precision: "f32".into(),
            seed,
            threads: 1,
            parameters: shape.parameters(),
            activation: network.activation.clone(),
            scale: network.scale.initial(),
            init: network.init.name().into(),
            depth: network.depth,
            width: network.width,
            outcome,
            verdict: None,
            verdict_reason: None,
            advice: vec![],
            estimated_error: None,
            scales: BTreeMap::new(),
            zeros: BTreeMap::new(),
            difference: None,
            reason: (outcome == RunOutcome::Diverged)
                .then(|| format!("the loss is not finite after step {}", last.map_or(0, |epoch| epoch.step))),
            steps: last.map_or(0, |epoch| epoch.step),
            stages: vec![],
            seconds,
            step_ms: None,
            loss: Loss {
                total: lowest.unwrap_or(f64::NAN),
                terms: BTreeMap::new(),
                unscaled: BTreeMap::new(),
            },
            final_loss: last.map(|epoch| epoch.loss).filter(|loss| loss.is_finite()),
            unknowns: BTreeMap::new(),
            trainable: BTreeMap::new(),
            combinations: vec![],
            bands: BTreeMap::new(),
            residuals: BTreeMap::new(),
            measures: measures.into_iter().filter_map(|(name, x)| Some((name.to_owned(), x?))).collect(),
            reference_error: None,
            peak_memory_bytes: peak_memory_bytes(),
            files: vec!["resolved.toml".into(), "metrics.jsonl".into(), "result.json".into()],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pinn::internals::run::read_metrics;
    use pinn::internals::sweep::{Plan, Shard, Tally, execute};

    use super::*;
    use crate::data::Images;

    fn sweep(base: &str, axes: &str) -> Sweep {
        let text = format!("[base]\n{base}\n[axes]\n{axes}\n");
        let document = Document::parse("sweep.toml", &text).expect("TOML");
        Sweep::new(Path::new("sweep.toml"), document).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    #[test]
    fn settings_come_from_the_base_and_the_axes() {
        let sweep = sweep(
            "data = { set = \"fashion-mnist\" }\nnetwork = { depth = 7 }\ntraining = { epochs = 3 }",
            "data.samples = [10]\nlr = [0.5]\nseed = [4]\nmodel.flip-rate = [0.25]\nwidth = [9]",
        );
        let settings = Settings::of(&sweep, 0).expect("valid");
        assert_eq!((settings.data.set, settings.data.samples), (Set::FashionMnist, 10));
        assert_eq!((settings.network.depth, settings.network.width), (7, 9));
        assert_eq!((settings.training.lr, settings.training.seed, settings.training.epochs), (0.5, 4, 3));
        assert_eq!(settings.model.flip_rate, Some(0.25));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        let check = |base: &str, axes: &str, expected: &str| {
            let sweep = sweep(base, axes);
            let wrong = Settings::of(&sweep, sweep.len() - 1).expect_err(expected).to_string();
            assert!(wrong.contains(expected), "{wrong}");
        };
        let base = "training.epochs = 1";
        check(base, "network.wdth = [1]", "did you mean `width`?");
        check(base, "data.set = [\"mnits\"]", "did you mean `mnist`?");
        check(base, "activation = [\"tanh\", \"relu\"]", "not bounded");
        check(base, "scale = [-1]", "must be positive");
        check(base, "network.architecture = [\"resnet\"]", "plain chains");
        check(base, "points = [3]", "data.samples");
        check(base, "lr = [-1]", "positive and finite");
        check(base, "depth = [0]", "0 layers");
        check(base, "width = [1000000]", "parameters are possible");
        check(base, "training.batch = [0]", "at least 1");
        check("", "seed = [1]", "training.epochs or training.steps");
        check("training.epochs = 1\nnetwork.init = \"he\"", "model.sigma-z = [1]", "not \"he\"");
    }

    #[test]
    fn every_configuration_that_comes_with_the_program_is_valid() {
        let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let entries = fs::read_dir(configs).expect("there").map(|entry| entry.expect("there").path());
        let paths: Vec<PathBuf> = entries.collect();
        assert!(paths.len() > 10, "{paths:?}");
        for path in paths {
            let sweep = Sweep::read(&path).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
            for run in 0..sweep.len() {
                Settings::of(&sweep, run).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
            }
        }
    }

    /// The runs of `sweep`, on a few images of two classes.
    fn on_toys(sweep: &Sweep) -> Classifiers<'_> {
        let images = |labels: &[u8]| Images {
            pixels: 4,
            values: labels.iter().flat_map(|&label| [255 * label, 9, 255 - 255 * label, 30]).collect(),
            labels: labels.to_vec(),
        };
        let set = DataSet { classes: 2, train: images(&[0, 1, 1, 0, 1, 0]), test: images(&[1, 0, 0, 0]) };
        let data = BTreeMap::from([(Set::Mnist, set)]);
        Classifiers { sweep, data, device: (Device::flex(), "flex".into()) }
    }

    #[test]
    fn an_interrupted_run_goes_on_from_its_last_measurement() {
        let training = "training = { epochs = 1000, evaluate = 10, batch = 2, lr = 1e-3 }";
        let sweep = sweep(&format!("network = {{ depth = 2, width = 6 }}\n{training}"), "seed = [3]");
        let experiment = on_toys(&sweep);
        let go = |folder: &Path, is_stopped: bool| {
            let run = folder.join("runs").join(sweep.name(0));
            let folder = folder.to_owned();
            let plan = Plan {
                sweep: &sweep,
                folder,
                shard: Shard::ALL,
                jobs: 1,
                draw: true,
                experiment: &experiment,
            };
            let found = plan.check().expect("fine");
            let stop = AtomicBool::new(false);
            let wait = || {
                while !run.join(STATE).exists() && !run.join("result.json").exists() {
                    std::thread::yield_now();
                }
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            };
            let mut done = std::thread::scope(|scope| {
                if is_stopped {
                    scope.spawn(wait);
                }
                execute(&plan, found, &stop, &|_| ()).expect("runs")
            });
            let mut result = done.records.remove(0).result.expect("it has ended");
            (result.seconds, result.peak_memory_bytes) = (0.0, None);
            let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("written");
            (result, metrics, run.join(STATE).exists())
        };
        let [alone, stopped] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let expected = go(alone.path(), false);
        assert_eq!((expected.0.steps, expected.2), (3000, false));
        let (result, metrics, has_state) = go(stopped.path(), true);
        assert_eq!((result.outcome, has_state), (RunOutcome::Interrupted, true));
        assert!(expected.1.starts_with(&metrics) && metrics.lines().count() >= 10, "{metrics}");
        assert!(go(stopped.path(), false) == expected);
    }

    #[test]
    fn a_sweep_runs_leaves_its_tables_and_does_not_repeat_itself() {
        let sweep = sweep(
            "data = { samples = 5 }\nnetwork = { depth = 2, width = 6 }\n\
             training = { epochs = 40, batch = 2, lr = 1e-2 }",
            "seed = [0, 1]\nmodel.batch-norm = [false, true]",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let experiment = on_toys(&sweep);
        let path = folder.path().to_owned();
        let plan = Plan {
            sweep: &sweep,
            folder: path,
            shard: Shard::ALL,
            jobs: 2,
            draw: true,
            experiment: &experiment,
        };
        let go = || {
            let started = std::sync::atomic::AtomicUsize::new(0);
            let watch = |event: pinn::internals::sweep::Event| {
                if let pinn::internals::sweep::Event::Started { .. } = event {
                    started.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            };
            let found = plan.check().expect("fine");
            let done = execute(&plan, found, &AtomicBool::new(false), &watch).expect("runs");
            (done, started.into_inner())
        };
        let (done, started) = go();
        assert_eq!((Tally::of(&done.records).done, started), (4, 4));
        for record in &done.records {
            let result = record.result.as_ref().expect("done");
            assert_eq!((result.steps, result.parameters), (40 * 3, 4 * 6 + 6 + 6 * 6 + 6 + 6 * 2 + 2));
            assert_eq!(result.measures["accuracy"], 1.0, "{}", record.name);
            let steps = read_metrics(&folder.path().join("runs").join(&record.name)).expect("read").content;
            assert_eq!(steps.len(), 40);
            assert!(steps[0].loss > result.loss.total);
        }
        let csv = fs::read_to_string(folder.path().join("sweep.csv")).expect("written");
        assert!(csv.lines().next().is_some_and(|head| head.contains("accuracy,final_accuracy")), "{csv}");
        let (again, started) = go();
        assert_eq!(started, 0);
        let results = |collection: &pinn::internals::sweep::Collection| -> Vec<_> {
            collection.records.iter().map(|record| record.result.clone()).collect()
        };
        assert_eq!(results(&again), results(&done));
    }
}
