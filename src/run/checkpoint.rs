//! `checkpoint.safetensors`: the training state, bit for bit.
//!
//! Vectors are f64 tensors, readable from Python; single numbers are JSON in the file's metadata, f64 as hexadecimal
//! bits so that nothing is rounded.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::adapt;
use crate::optim::{self, INVERSE};
use crate::tensor::Tensor;
use crate::train::{StageReport, State};

/// Version of the layout of a checkpoint.
pub const CHECKPOINT_VERSION: u32 = 6;

/// The key of our numbers in the metadata.
const KEY: &str = "pinn-solve";

/// Why a checkpoint cannot be taken up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Torn, or no checkpoint at all.
    #[error("the checkpoint is damaged or no checkpoint of pinn-solve ({0}); start the run anew")]
    Damaged(String),
    /// The state of another run.
    #[error("the checkpoint does not fit its run: {0}; start the run anew")]
    Foreign(String),
    /// Written by a newer program, or by an older one.
    #[error(
        "the checkpoint has layout {0}, this program reads layout {CHECKPOINT_VERSION}; resume with the version of \
         pinn-solve that wrote it, or start the run anew"
    )]
    Layout(u32),
}

/// A training state, or a reference to one, and what it belongs to.
#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint<S = State> {
    /// Digest of the resolved problem, so that a state is not taken up by another problem.
    pub problem: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The state.
    pub state: S,
}

#[derive(Serialize, Deserialize)]
struct Numbers {
    version: u32,
    program: String,
    problem: u64,
    seconds: Bits,
    window: usize,
    step: usize,
    stage: usize,
    stage_step: usize,
    round: usize,
    balanced: usize,
    caused: usize,
    level: usize,
    best_loss: Bits,
    good_loss: Bits,
    chosen_measure: Bits,
    measured: usize,
    mark: Bits,
    halved: usize,
    optimizer: Option<BTreeMap<String, Bits>>,
    reports: Vec<StageReport>,
}

/// An f64 by its bits.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Bits(u64);

impl From<f64> for Bits {
    fn from(x: f64) -> Self {
        Self(x.to_bits())
    }
}

impl<S: Borrow<State>> Checkpoint<S> {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let state = self.state.borrow();
        let numbers = Numbers {
            version: CHECKPOINT_VERSION,
            program: env!("CARGO_PKG_VERSION").into(),
            problem: self.problem,
            seconds: self.seconds.into(),
            window: state.window,
            step: state.step,
            stage: state.stage,
            stage_step: state.stage_step,
            round: state.adapted.round,
            balanced: state.adapted.balanced,
            caused: state.adapted.caused,
            level: state.adapted.level,
            best_loss: state.best_loss.into(),
            good_loss: state.good_loss.into(),
            chosen_measure: state.chosen_measure.into(),
            measured: state.measured,
            mark: state.mark.into(),
            halved: state.halved,
            optimizer: state.optimizer.as_ref().map(|optimizer| {
                optimizer.scalars.iter().map(|(name, &x)| (name.clone(), x.into())).collect()
            }),
            reports: state.reports.clone(),
        };
        let mut tensors = vec![
            ("finished".to_owned(), &state.finished),
            ("theta".to_owned(), &state.theta),
            ("best_theta".to_owned(), &state.best_theta),
            ("good_theta".to_owned(), &state.good_theta),
            ("chosen_theta".to_owned(), &state.chosen_theta),
            ("answer".to_owned(), &state.answer),
            ("balance".to_owned(), &state.adapted.balance),
            ("trust".to_owned(), &state.adapted.trust),
            ("misfits".to_owned(), &state.adapted.misfits),
            ("slices".to_owned(), &state.adapted.slices),
        ];
        for (i, points) in state.adapted.points.iter().enumerate() {
            tensors.push((format!("points.{i}"), points));
        }
        for (name, vector) in state.optimizer.iter().flat_map(|optimizer| &optimizer.vectors) {
            tensors.push((format!("optimizer.{name}"), vector));
        }
        let views =
            tensors.into_iter().map(|(name, numbers)| (name, Tensor { numbers, shape: vec![numbers.len()] }));
        let json = serde_json::to_string(&numbers).expect("plain numbers");
        let metadata = HashMap::from([(KEY.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).expect("names are distinct and sizes fit")
    }
}

impl Checkpoint {
    /// As [`Checkpoint::to_bytes`], without what rank 0 hands out itself where it is wanted: the inverse Hessian, which may be too
    /// large to be had by everybody.
    pub fn for_other_ranks(&mut self) -> Vec<u8> {
        let mut vectors = self.state.optimizer.as_mut().map(|optimizer| &mut optimizer.vectors);
        let kept = vectors.as_mut().and_then(|vectors| vectors.get_mut(INVERSE)).map(std::mem::take);
        let bytes = self.to_bytes();
        let vectors = self.state.optimizer.as_mut().map(|optimizer| &mut optimizer.vectors);
        if let Some((vectors, kept)) = vectors.zip(kept) {
            vectors.insert(INVERSE.into(), kept);
        }
        bytes
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let damaged = |what: &dyn std::fmt::Display| CheckpointError::Damaged(what.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
        let json = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let json = json.ok_or_else(|| damaged(&"it has no numbers of ours"))?;
        let version = serde_json::from_str::<serde_json::Value>(json)
            .ok()
            .and_then(|value| u32::try_from(value.get("version")?.as_u64()?).ok());
        if let Some(version) = version.filter(|&version| version != CHECKPOINT_VERSION) {
            return Err(CheckpointError::Layout(version));
        }
        let numbers: Numbers = serde_json::from_str(json).map_err(|error| damaged(&error))?;
        let vector = |name: &str| -> Result<Vec<f64>, CheckpointError> {
            let view = tensors.tensor(name).map_err(|error| damaged(&error))?;
            if view.dtype() != Dtype::F64 {
                return Err(damaged(&format!("`{name}` is not f64")));
            }
            let chunks = view.data().chunks_exact(8);
            Ok(chunks.map(|c| f64::from_le_bytes(c.try_into().expect("eight bytes"))).collect())
        };
        let optimizer = match numbers.optimizer {
            None => None,
            Some(scalars) => {
                let scalars = scalars.into_iter().map(|(name, bits)| (name, f64::from_bits(bits.0)));
                let mut optimizer = optim::State { scalars: scalars.collect(), ..optim::State::default() };
                for name in tensors.names() {
                    if let Some(short) = name.strip_prefix("optimizer.") {
                        optimizer.vectors.insert(short.to_owned(), vector(name)?);
                    }
                }
                Some(optimizer)
            }
        };
        let sets = tensors.names().iter().filter(|name| name.starts_with("points.")).count();
        let points = (0..sets).map(|i| vector(&format!("points.{i}"))).collect::<Result<_, _>>()?;
        Ok(Self {
            problem: numbers.problem,
            seconds: f64::from_bits(numbers.seconds.0),
            state: State {
                window: numbers.window,
                finished: vector("finished")?,
                step: numbers.step,
                stage: numbers.stage,
                stage_step: numbers.stage_step,
                adapted: adapt::State {
                    round: numbers.round,
                    points,
                    balanced: numbers.balanced,
                    balance: vector("balance")?,
                    trust: vector("trust")?,
                    misfits: vector("misfits")?,
                    caused: numbers.caused,
                    level: numbers.level,
                    slices: vector("slices")?,
                },
                theta: vector("theta")?,
                best_theta: vector("best_theta")?,
                best_loss: f64::from_bits(numbers.best_loss.0),
                good_theta: vector("good_theta")?,
                good_loss: f64::from_bits(numbers.good_loss.0),
                chosen_theta: vector("chosen_theta")?,
                chosen_measure: f64::from_bits(numbers.chosen_measure.0),
                measured: numbers.measured,
                mark: f64::from_bits(numbers.mark.0),
                halved: numbers.halved,
                answer: vector("answer")?,
                optimizer,
                reports: numbers.reports,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breakdown::{Breakdown, Origin, Quantity};

    fn checkpoint() -> Checkpoint {
        let mut optimizer = optim::State::default();
        optimizer.scalars.insert("loss".into(), f64::from_bits(0x3ff0_0000_0000_0001));
        optimizer.vectors.insert("first".into(), vec![1.0 / 3.0, -0.0]);
        let state = State {
            window: 2,
            finished: vec![0.1, -3.0],
            step: 7,
            stage: 1,
            stage_step: 3,
            adapted: adapt::State {
                round: 2,
                points: vec![vec![], vec![0.25, 1.0 / 3.0]],
                balanced: 4,
                balance: vec![1.0, 1e9],
                trust: vec![1.0, 0.25],
                misfits: vec![f64::INFINITY, 0.125],
                caused: 5,
                level: 1,
                slices: vec![1.0, 0.125],
            },
            theta: vec![0.1, 0.2, f64::MIN_POSITIVE],
            best_theta: vec![1e-300, 2.0, 3.0],
            best_loss: f64::INFINITY,
            good_theta: vec![1.0, -2.0, 0.5],
            good_loss: 0.75,
            chosen_theta: vec![0.5, 0.25, -1.0],
            chosen_measure: 1.0 / 3.0,
            measured: 5,
            mark: 0.7,
            halved: 4,
            answer: vec![1e-300, 2.0, 3.5],
            optimizer: Some(optimizer),
            reports: vec![
                StageReport {
                    name: "adam".into(),
                    steps: 4,
                    evaluations: 4,
                    stopped: Some(optim::StopReason::LossStalled),
                    breakdowns: vec![Breakdown {
                        step: 3,
                        stage: "adam".into(),
                        window: Some(3),
                        quantity: Quantity::Loss,
                        place: Some(Origin {
                            condition: "physics".into(),
                            at: BTreeMap::from([("x".into(), 0.1 + 0.2), ("t".into(), 1e-9 / 3.0)]),
                            residual: None,
                        }),
                    }],
                    ..StageReport::default()
                },
                StageReport {
                    name: "lm".into(),
                    steps: 3,
                    evaluations: 5,
                    choice: Some("cg".into()),
                    ..StageReport::default()
                },
            ],
        };
        Checkpoint { problem: u64::MAX, seconds: 0.1, state }
    }

    #[test]
    fn a_checkpoint_survives_bit_for_bit() {
        let checkpoint = checkpoint();
        assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes()), Ok(checkpoint));
    }

    #[test]
    fn torn_foreign_and_newer_files_are_refused() {
        let bytes = checkpoint().to_bytes();
        for length in [0, 7, 100, bytes.len() - 1] {
            let error = Checkpoint::from_bytes(&bytes[..length]).expect_err("torn");
            assert!(matches!(error, CheckpointError::Damaged(_)), "{error}");
        }
        let mut newer = bytes;
        let key = b"version\\\":";
        let at = newer.windows(key.len()).position(|window| window == key).expect("a version");
        newer[at + key.len()] = b'9';
        assert_eq!(Checkpoint::from_bytes(&newer), Err(CheckpointError::Layout(9)));
    }
}
