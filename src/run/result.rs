//! `result.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::train::{End, StageReport};
use crate::verdict::{Word, worse};
use crate::verify::Sites;

/// Version of the layout of `result.json`; it changes when a field changes its meaning or goes.
pub const RESULT_VERSION: u32 = 1;

/// What a run came to, as written to `result.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunResult {
    /// [`RESULT_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub version: String,
    /// The problem's name.
    pub problem: String,
    /// The problem's title.
    pub title: String,
    /// Where it was computed: `cpu`, `flex`, `libtorch`, …
    pub device: String,
    /// The device in words, such as the instruction set.
    pub device_detail: String,
    /// `f32` or `f64`.
    pub precision: String,
    /// The seed of every random stream.
    pub seed: u64,
    /// Threads of the engine.
    pub threads: usize,
    /// Length of θ.
    pub parameters: usize,
    /// Activation without its scale.
    pub activation: String,
    /// Scale of the activation.
    pub scale: f64,
    /// Rule that drew the weights.
    pub init: String,
    /// Hidden layers.
    pub depth: usize,
    /// Neurons of a hidden layer.
    pub width: usize,
    /// How training ended.
    pub outcome: RunOutcome,
    /// What the answer may be called, told without a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Word>,
    /// What weighs most in that, empty where it is called solved, and what to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict_reason: Option<String>,
    /// See `verdict_reason`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// The estimated relative error, the greatest over unknowns and parameters; `null` where there is no saying.
    #[serde(default)]
    pub estimated_error: Option<f64>,
    /// Unknowns that may as well be zero, beside which no error is relative, and the estimated error of each, in its unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zeros: BTreeMap<String, f64>,
    /// How far a second solution is from this one, relative to it, the greatest over unknowns and parameters, if one was
    /// asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// Where and why it diverged, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Steps taken.
    pub steps: usize,
    /// Stages, one after the other.
    pub stages: Vec<StageReport>,
    /// Wall-clock seconds of training.
    pub seconds: f64,
    /// Median milliseconds of a step.
    pub step_ms: Option<f64>,
    /// Loss at the parameters that are the answer, the lowest of the run.
    pub loss: Loss,
    /// Loss of the last step; `null` if there was none, or if it was not finite.
    pub final_loss: Option<f64>,
    /// Errors of every unknown that has a reference.
    pub unknowns: BTreeMap<String, UnknownResult>,
    /// What every trainable parameter came to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trainable: BTreeMap<String, TrainableResult>,
    /// What trained scales of activations came to, by network (`network` where there is one): for every layer one number, or
    /// one for each of its neurons; a single list where all layers share it. Windows of time follow one another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scales: BTreeMap<String, Vec<Vec<f64>>>,
    /// Combinations of trainable parameters that are determined although they are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub combinations: Vec<CombinationResult>,
    /// How well data determine unknowns of one coordinate, in a problem of several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bands: BTreeMap<String, BandResult>,
    /// Residuals of every condition, at fresh points where it has some.
    #[serde(default)]
    pub residuals: BTreeMap<String, ResidualResult>,
    /// Further numbers that a program measured, by name, such as a classifier's accuracy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, f64>,
    /// The reference's own greatest error, if known.
    pub reference_error: Option<f64>,
    /// Most memory the process ever held; `null` where the system does not say.
    pub peak_memory_bytes: Option<u64>,
    /// What the run directory holds besides the checkpoint before the last one.
    pub files: Vec<String>,
}

impl RunResult {
    /// The greatest error over the unknowns that have a reference: relative (L2), or absolute (rms) where u* is zero.
    pub fn error(&self) -> Option<f64> {
        self.unknowns.values().map(|errors| errors.rel_l2.unwrap_or(errors.rms_error)).reduce(f64::max)
    }

    /// What is to be said where the reference contradicts the verdict: an answer that is estimated to be right, and is far from
    /// it.
    pub fn contradiction(&self) -> Option<String> {
        // An error worth a word, and how many times as large as its estimate.
        const FAR: f64 = 1e-2;
        const TIMES: f64 = 100.0;
        let estimate =
            self.estimated_error.filter(|_| self.verdict.is_some_and(|word| word < Word::NotSolved))?;
        let unknown =
            |(name, errors): (&String, &UnknownResult)| Some((name.clone(), errors.rel_l2?, "its reference"));
        let parameter = |(name, found): (&String, &TrainableResult)| {
            Some((name.clone(), found.rel_error?, "its `true` value"))
        };
        let all = self.unknowns.iter().filter_map(unknown).chain(self.trainable.iter().filter_map(parameter));
        let (name, error, from) = all
            .filter(|(_, error, _)| *error > FAR && *error > TIMES * estimate)
            .max_by(|a, b| worse(a.1, b.1))?;
        Some(format!(
            "{name} is {:.0} % off {from}, though estimated to be right to {estimate:.0e}: this may be another solution of the \
             same conditions, or that one belongs to others",
            100.0 * error
        ))
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }
}

/// How training ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// All stages ran, or the tolerance was reached.
    Done,
    /// A tolerance was asked for and not reached.
    ToleranceNotReached,
    /// Ctrl-C or a termination signal.
    Interrupted,
    /// The loss became infinite or NaN.
    Diverged,
}

impl From<&End> for RunOutcome {
    fn from(end: &End) -> Self {
        match end {
            End::Done => Self::Done,
            End::ToleranceNotReached => Self::ToleranceNotReached,
            End::Interrupted => Self::Interrupted,
            End::Diverged(_) => Self::Diverged,
        }
    }
}

impl RunOutcome {
    /// As written in `result.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ToleranceNotReached => "tolerance-not-reached",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
        }
    }
}

/// The loss and its terms.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// Σ λ·mean(residual²).
    #[serde(deserialize_with = "null_is_nan")]
    pub total: f64,
    /// mean((residual/scale)²) of every condition, unweighted.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub terms: BTreeMap<String, f64>,
    /// mean(residual²) of every condition, in the units of the equations as they are written.
    #[serde(default, deserialize_with = "nulls_are_nan")]
    pub unscaled: BTreeMap<String, f64>,
}

/// Errors of one unknown against its reference.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct UnknownResult {
    /// ‖u − u*‖₂/‖u*‖₂ over the scoring points; `null` where u* is zero, as where it is not finite.
    pub rel_l2: Option<f64>,
    /// Root of the mean of (u − u*)², in the unknown's own unit.
    #[serde(default = "nan", deserialize_with = "null_is_nan")]
    pub rms_error: f64,
    /// Greatest absolute difference.
    #[serde(deserialize_with = "null_is_nan")]
    pub max_error: f64,
}

/// The standard error of an unknown along its coordinate, by the noise in the data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BandResult {
    /// The coordinate.
    pub along: String,
    /// Its values, evenly spaced over its domain.
    pub at: Vec<f64>,
    /// The standard error at each of them, in the unknown's unit.
    pub standard_error: Vec<f64>,
}

/// A trainable parameter.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrainableResult {
    /// What it came to.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
    /// Do equations and data say what it is? `null` where that is not known.
    pub determined: Option<bool>,
    /// Its standard error: noise in the data, and how far training is from its end; `null` where it is not determined,
    /// or where that cannot be told.
    pub standard_error: Option<f64>,
    /// How far one more Gauss–Newton step would move it.
    pub shift: Option<f64>,
    /// Where training began.
    pub initial: f64,
    /// What it should have come to, if that is known.
    #[serde(rename = "true")]
    pub truth: Option<f64>,
    /// |value − true|/|true|.
    pub rel_error: Option<f64>,
}

/// A combination of trainable parameters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CombinationResult {
    /// As a formula, such as `a + 2*b` or `a*b^2`.
    pub formula: String,
    /// What it came to.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
    /// Its standard error, as that of a parameter.
    pub standard_error: Option<f64>,
    /// How far one more Gauss–Newton step would move it.
    pub shift: Option<f64>,
}

/// How well a condition holds, where training has not looked if there is such a place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ResidualResult {
    /// Where it was looked at: `fresh`, `between` (the points of its file) or `given` (at them).
    #[serde(default = "fresh")]
    pub sites: Sites,
    /// Points of the check.
    pub points: usize,
    /// Root of the mean of residual² beside the largest of the equation's terms, which is what to judge by; `null` where
    /// that cannot be told.
    #[serde(default = "nan", deserialize_with = "null_is_nan")]
    pub relative: f64,
    /// By how much it changes beside the same terms where its integrals have other nodes, twice as many if there can be;
    /// `null` without integrals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quadrature: Option<f64>,
    /// Of a condition on measured data: are its residuals like noise? `null` without data, or with too few to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<bool>,
    /// Root of the mean of (residual/scale)².
    #[serde(deserialize_with = "null_is_nan")]
    pub rms: f64,
    /// Root of the mean of residual², in the units of the equations as they are written.
    #[serde(default = "nan", deserialize_with = "null_is_nan")]
    pub unscaled: f64,
    /// Greatest residual over its scale.
    #[serde(deserialize_with = "null_is_nan")]
    pub max: f64,
    /// Where it is: the value of every coordinate.
    pub at: BTreeMap<String, f64>,
}

/// JSON has no NaN and no infinity; both are written as `null`.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// What a file of an older version does not say.
fn nan() -> f64 {
    f64::NAN
}

/// The only sites that older versions looked at.
fn fresh() -> Sites {
    Sites::Fresh
}

fn nulls_are_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let terms = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(terms.into_iter().map(|(name, term)| (name, term.unwrap_or(f64::NAN))).collect())
}

/// The most memory this process ever held, where the system says (Linux).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}
