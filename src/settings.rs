//! What a run is told besides its equations: network, training, precision, seed.
//!
//! Every type mirrors a table of the problem file and is written to `resolved.toml` with all defaults filled in.
//! Plain data: nothing here computes.

use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The `[network]` table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Network {
    /// How the layers are joined.
    pub architecture: Architecture,
    /// Hidden layers, at least 1; of PirateNets, blocks.
    pub depth: usize,
    /// Neurons of a hidden layer, at least 1; the most, where `widths` differ.
    pub width: usize,
    /// Neurons of every hidden layer, where they are stated one by one; empty where all have `width`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub widths: Vec<usize>,
    /// Is a linear layer over the features added to what comes out?
    pub linear_part: bool,
    /// Are the weights of a neuron trained as a factor and what it multiplies?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factorization: Option<Factorization>,
    /// A function, or a positive sum such as `"tanh + 0.5*erf(2*x)"`.
    pub activation: String,
    /// The scale a of a·f(x), positive.
    pub scale: Scale,
    /// How weights are drawn.
    pub init: Init,
    /// Standard deviation of the biases, used by `init = "eoc"` alone.
    pub sigma_b: f64,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            architecture: Architecture::Plain,
            depth: 4,
            width: 32,
            widths: vec![],
            linear_part: false,
            factorization: None,
            activation: "tanh".into(),
            scale: Scale::Fixed(1.0),
            init: Init::Proposed,
            sigma_b: 0.2,
        }
    }
}

impl Network {
    /// Neurons of every hidden layer.
    pub fn hidden_widths(&self) -> Vec<usize> {
        if self.widths.is_empty() { vec![self.width; self.depth] } else { self.widths.clone() }
    }

    /// Gives every hidden layer another width.
    pub fn resize(&mut self, other: impl Fn(usize) -> usize) {
        self.width = other(self.width);
        self.widths.iter_mut().for_each(|width| *width = other(*width));
    }
}

/// How the layers of a network are joined; `network/` has a file for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// A chain.
    Plain,
    /// What two layers make is added to what they began with.
    Resnet,
    /// Every layer is a gate between two layers over the features.
    ModifiedMlp,
    /// Gated residual blocks whose part is trained, from nothing on.
    Piratenet,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Resnet, Self::ModifiedMlp, Self::Piratenet];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Resnet => "ResNet",
            Self::ModifiedMlp => "modified MLP",
            Self::Piratenet => "PirateNet",
        }
    }

    /// Have all hidden layers one width?
    pub fn is_even(self) -> bool {
        matches!(self, Self::ModifiedMlp | Self::Piratenet)
    }
}

/// The scale a of the activation a·f(x).
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum Scale {
    /// It stays what it is.
    Fixed(f64),
    /// It is trained.
    Trained(TrainedScale),
}

/// As serde would derive it, but that mistakes in the table are told where they are.
impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scales;
        impl<'de> Visitor<'de> for Scales {
            type Value = Scale;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a table such as { trainable = \"layer\", initial = 0.1 }")
            }

            fn visit_f64<E>(self, x: f64) -> Result<Scale, E> {
                Ok(Scale::Fixed(x))
            }

            fn visit_i64<E>(self, x: i64) -> Result<Scale, E> {
                Ok(Scale::Fixed(x as f64))
            }

            fn visit_u64<E>(self, x: u64) -> Result<Scale, E> {
                Ok(Scale::Fixed(x as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scale, A::Error> {
                TrainedScale::deserialize(MapAccessDeserializer::new(map)).map(Scale::Trained)
            }
        }
        deserializer.deserialize_any(Scales)
    }
}

/// A scale that is trained.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedScale {
    /// What has a scale of its own.
    pub trainable: Trained,
    /// Before the first step.
    #[serde(default = "one")]
    pub initial: f64,
}

fn one() -> f64 {
    1.0
}

/// What has a trained scale of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trained {
    /// There is one for all.
    All,
    /// Every layer.
    Layer,
    /// Every neuron.
    Neuron,
}

impl Scale {
    /// The scale before the first step.
    pub fn initial(self) -> f64 {
        match self {
            Self::Fixed(scale) => scale,
            Self::Trained(scale) => scale.initial,
        }
    }

    /// What has a trained scale of its own, if it is trained.
    pub fn trained(self) -> Option<Trained> {
        match self {
            Self::Fixed(_) => None,
            Self::Trained(scale) => Some(scale.trainable),
        }
    }
}

/// Random weight factorization (Wang et al. 2022, arXiv 2210.01274): w = exp(s)·v for every neuron, s drawn once.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Factorization {
    /// Mean of s at first.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

impl Default for Factorization {
    fn default() -> Self {
        Self { mean: 0.5, deviation: 0.1 }
    }
}

/// How the weights are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// W = D + Z, the signal-preserving rule for odd-sigmoid activations (arXiv 2509.23085).
    Proposed,
    /// W = D + Z with a limit as depth grows: derivatives of order one at every depth.
    ContinuousDepth,
    /// Edge of chaos (Hayou et al. 2019, arXiv 1902.06853).
    Eoc,
    /// Normal, variance 2/(n_in + n_out) (Glorot and Bengio 2010).
    Xavier,
    /// Uniform with the same variance.
    XavierUniform,
    /// Normal, variance 2/n_in (He et al. 2015).
    He,
    /// Uniform, for sines (Sitzmann et al. 2020, arXiv 2006.09661).
    Siren,
}

impl Init {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Proposed,
        Self::Eoc,
        Self::Xavier,
        Self::XavierUniform,
        Self::He,
        Self::Siren,
        Self::ContinuousDepth,
    ];

    /// As written in problem files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::ContinuousDepth => "continuous-depth",
            Self::Eoc => "eoc",
            Self::Xavier => "xavier",
            Self::XavierUniform => "xavier-uniform",
            Self::He => "he",
            Self::Siren => "siren",
        }
    }

    /// Is the rule made from ω and what else odd-sigmoid functions have?
    pub fn is_for_the_family(self) -> bool {
        matches!(self, Self::Proposed | Self::ContinuousDepth | Self::Eoc)
    }
}

/// Floating-point precision of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single: fastest.
    F32,
    /// Double: most accurate, needed by line searches near the end.
    F64,
}

/// How much work a run may take where its stages are decided for it.
///
/// Work is counted in evaluations of loss and gradient, weighted by what one costs; seconds are for two cores of today.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// About 10 s.
    Quick,
    /// About a minute at most; problems that are solved sooner end sooner.
    Normal,
    /// About 10 minutes at most.
    Thorough,
}

/// The `[training]` table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Training {
    /// Decide what the file leaves open (`auto/`), or take plain defaults?
    ///
    /// `false` in a problem that was completed: it leaves nothing open.
    pub auto: bool,
    /// How much work may be spent where the stages are decided.
    pub effort: Effort,
    /// The one seed; every random stream is derived from it by name.
    pub seed: u64,
    /// Precision of the engine.
    pub precision: Precision,
    /// Draw new collocation points every so many steps (0: never).
    pub resample: usize,
    /// Draw them where the residual is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
    /// Balance the conditions' weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// Let later times wait for earlier ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causal: Option<Causal>,
    /// Measure the error against the reference every so many steps (0: only at the end).
    pub evaluate: usize,
    /// Write a checkpoint every so many steps (0: only at the end); one of Levenberg and Marquardt's counts for twenty.
    pub checkpoint: usize,
    /// Relative L2 error to reach (total loss, where there is no reference): training stops there,
    /// and not reaching it is an outcome of its own (0: no such wish).
    pub tolerance: f64,
    /// How often a stage goes back to its last good parameters with a smaller step when numbers cease to be finite
    /// (0: never).
    pub recover: usize,
    /// A stage ends when the loss at fresh points has not halved in so many steps (0: never).
    pub patience: usize,
    /// A stage ends when the loss at fresh points is no more than this (0: never).
    pub goal: f64,
    /// Windows of time that are solved one after the other, each with a network of its own and all stages.
    pub windows: Cut,
    /// Optimizers, one after the other.
    pub stages: Vec<Stage>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            auto: true,
            effort: Effort::Normal,
            seed: 0,
            precision: Precision::F64,
            resample: 0,
            adaptive: None,
            balance: None,
            causal: None,
            evaluate: 100,
            checkpoint: 1000,
            tolerance: 0.0,
            recover: 3,
            patience: 0,
            goal: 0.0,
            windows: Cut::Equal(1),
            stages: vec![
                Stage::Adam(Adam { steps: 2000, ..Adam::default() }),
                Stage::Lbfgs(Lbfgs { steps: 2000, ..Lbfgs::default() }),
            ],
        }
    }
}

/// How time is cut into windows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of windows, or a list of the times at which they meet")]
pub enum Cut {
    /// Into so many of equal length; 1 leaves it whole.
    Equal(usize),
    /// At these times, in rising order.
    At(Vec<f64>),
}

impl Cut {
    /// How many windows there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Equal(count) => *count,
            Self::At(joints) => joints.len() + 1,
        }
    }
}

/// Residual-adaptive distribution of interior points (RAD; Wu et al. 2023, arXiv 2207.10289):
/// a candidate's chance is proportional to `|r|ᵏ/mean(|r|ᵏ) + c`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Adaptive {
    /// How strongly points follow the residual; 0 is not at all.
    pub k: f64,
    /// The share of points that do not follow it, relative to those that do.
    pub c: f64,
    /// Candidates for each new point.
    pub pool: usize,
    /// Fraction of the points that stays at each redraw.
    pub keep: f64,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { k: 1.0, c: 1.0, pool: 10, keep: 0.0 }
    }
}

/// Weights by gradient norms (Wang, Sankaran, Wang and Perdikaris 2023, arXiv 2308.08468, algorithm 1).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Balance {
    /// Steps between two updates.
    pub every: usize,
    /// The part of the old weights that an update keeps.
    pub memory: f64,
    /// What is to pull equally hard.
    pub measure: BalanceMeasure,
    /// What part of its weight a condition on measured data keeps at least, as its misfit no longer falls: noise is left to
    /// the data instead of being shared with the equations.
    pub data: f64,
}

impl Default for Balance {
    fn default() -> Self {
        Self { every: 1000, memory: 0.9, measure: BalanceMeasure::Loss, data: 1.0 }
    }
}

/// Whose gradients' norms are balanced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalanceMeasure {
    /// The mean square of a condition's residual, as published.
    Loss,
    /// Its root: how much residuals change with the parameters, however large they are.
    Root,
}

/// Causal weights in time (Wang, Sankaran and Perdikaris 2022, arXiv 2203.07404).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Causal {
    /// The coordinate that is time.
    pub along: String,
    /// Equal slices of its domain.
    pub slices: usize,
    /// How strictly later slices wait, one value after the other.
    pub epsilon: Vec<f64>,
    /// The next value is taken when all weights are above this.
    pub threshold: f64,
    /// Steps between two updates.
    pub every: usize,
}

impl Default for Causal {
    fn default() -> Self {
        Self {
            along: "t".into(),
            slices: 20,
            epsilon: vec![1e-2, 1e-1, 1.0, 10.0, 100.0],
            threshold: 0.99,
            every: 100,
        }
    }
}

/// One optimizer and how long it runs: `{ adam = { steps = 5000 } }`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// First-order, stochastic or full batch.
    Adam(Adam),
    /// Limited-memory BFGS.
    Lbfgs(Lbfgs),
    /// Levenberg–Marquardt.
    Lm(Lm),
    /// Self-scaled BFGS.
    Ssbfgs(QuasiNewton),
    /// Self-scaled Broyden.
    Ssbroyden(QuasiNewton),
    /// No method: wider layers and more points, with which the next stages go on from the same function.
    Grow(Grow),
}

impl Stage {
    /// The stage's name in results.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::Lbfgs(_) => "lbfgs",
            Self::Lm(_) => "lm",
            Self::Ssbfgs(_) => "ssbfgs",
            Self::Ssbroyden(_) => "ssbroyden",
            Self::Grow(_) => "grow",
        }
    }

    /// Does the method see the loss as a sum of squares?
    pub fn needs_jacobian(&self) -> bool {
        matches!(self, Self::Lm(_))
    }

    /// Can the method do with a loss that is another one in every step?
    pub fn may_vary(&self) -> bool {
        matches!(self, Self::Adam(_))
    }

    /// Does the network grow, instead of being trained?
    pub fn grows(&self) -> bool {
        matches!(self, Self::Grow(_))
    }

    /// Steps at the most.
    pub fn steps(&self) -> usize {
        match self {
            Self::Adam(adam) => adam.steps,
            Self::Lbfgs(lbfgs) => lbfgs.steps,
            Self::Lm(lm) => lm.steps,
            Self::Ssbfgs(settings) | Self::Ssbroyden(settings) => settings.steps,
            Self::Grow(_) => 0,
        }
    }

    /// Takes at most so many steps; what is no method takes none.
    pub fn set_steps(&mut self, steps: usize) {
        let own = match self {
            Self::Adam(adam) => &mut adam.steps,
            Self::Lbfgs(lbfgs) => &mut lbfgs.steps,
            Self::Lm(lm) => &mut lm.steps,
            Self::Ssbfgs(settings) | Self::Ssbroyden(settings) => &mut settings.steps,
            Self::Grow(_) => return,
        };
        *own = steps;
    }
}

/// How much larger a network and its points become.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grow {
    /// What the width of every hidden layer is multiplied by.
    pub width: f64,
    /// What the number of points of every condition that draws its own is multiplied by.
    pub points: f64,
}

impl Default for Grow {
    fn default() -> Self {
        Self { width: 1.5, points: 2.0 }
    }
}

/// Adam (Kingma and Ba 2015, arXiv 1412.6980).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Adam {
    /// Steps of the stage.
    pub steps: usize,
    /// Learning rate η.
    pub lr: f64,
    /// What `lr` multiplies: `"one"`, or `"omega"` so that η = lr·ω follows the activation's scale.
    pub lr_unit: LearningRateUnit,
    /// How the rate changes over the stage.
    pub schedule: Schedule,
    /// Steps over which the rate rises linearly from 0 at the start of the stage.
    pub warmup: usize,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            steps: 1000,
            lr: 1e-3,
            lr_unit: LearningRateUnit::Omega,
            schedule: Schedule::Constant,
            warmup: 0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// What a learning rate is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearningRateUnit {
    /// η = lr.
    One,
    /// η = lr·ω, ω = 1/f'(0) of the scaled activation.
    Omega,
}

/// A learning-rate schedule over a stage.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The rate stays.
    Constant,
    /// Multiplied by `rate` every `every` steps, smoothly: `{ exponential = { rate = 0.9, every = 1000 } }`.
    Exponential {
        /// The factor.
        rate: f64,
        /// Steps over which it applies once.
        every: usize,
    },
    /// Half a cosine from `lr` down to `lr·end` at the last step: `{ cosine = { end = 0.01 } }`.
    Cosine {
        /// The last rate as a fraction of the first.
        end: f64,
    },
}

/// L-BFGS with a strong Wolfe line search (Nocedal and Wright 2006, algorithms 7.5, 3.5 and 3.6).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Lbfgs {
    /// Steps of the stage.
    pub steps: usize,
    /// Curvature pairs kept.
    pub history: usize,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self { steps: 1000, history: 50 }
    }
}

/// Levenberg–Marquardt (Levenberg 1944, Marquardt 1963; `optim/lm.rs` says how).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Lm {
    /// Steps of the stage.
    pub steps: usize,
    /// The first damping, as a fraction of the greatest diagonal element of the (scaled) normal equations.
    pub damping: f64,
    /// What a step's actual decrease has to be of the predicted one, from 0 to 1, without either: the least damping for which it
    /// is that is taken. It is not looked for by conjugate gradients.
    pub gain: f64,
    /// What the damping multiplies.
    pub scaling: Scaling,
    /// How the linear system of a step is solved.
    pub solver: LinearSolver,
    /// Products with JᵀJ that one solution by conjugate gradients may take.
    pub products: usize,
    /// Random sums that the rows of J are added to before they are factorized, as a multiple of the parameters; 0 keeps the rows.
    pub sketch: usize,
}

impl Default for Lm {
    fn default() -> Self {
        Self {
            steps: 200,
            damping: 1e-3,
            gain: 0.1,
            scaling: Scaling::Identity,
            solver: LinearSolver::Auto,
            products: 200,
            sketch: 0,
        }
    }
}

/// The matrix that the damping of Levenberg–Marquardt multiplies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// The identity: all parameters alike.
    Identity,
    /// The greatest diagonal of JᵀJ so far (Moré 1978): steps do not depend on the parameters' units.
    Diagonal,
}

/// How a least-squares method solves for its step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearSolver {
    /// The first of the others that suits the number of parameters.
    Auto,
    /// Orthogonal transformations of the Jacobian itself, up to 2,000 parameters.
    Qr,
    /// Cholesky factors of the normal equations, up to 4,000.
    Cholesky,
    /// Truncated conjugate gradients on Jacobian products.
    Cg,
}

/// A dense quasi-Newton method with a strong Wolfe line search (`optim/quasi_newton.rs`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct QuasiNewton {
    /// Steps of the stage.
    pub steps: usize,
    /// Minimize the logarithm of the loss instead of the loss.
    pub logarithm: bool,
}

impl Default for QuasiNewton {
    fn default() -> Self {
        Self { steps: 2000, logarithm: false }
    }
}

/// How a condition is made to hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enforce {
    /// As is best where that is decided for the file; else as a term of the loss.
    #[default]
    Auto,
    /// Whatever the network says: by the ansatz, or by features that repeat.
    Exact,
    /// As a term of the loss.
    Loss,
}

/// How a condition's points are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// Independent and uniform.
    Uniform,
    /// A regular grid, ends included.
    Grid,
    /// Latin hypercube.
    #[default]
    LatinHypercube,
    /// Sobol's sequence with a random digital shift.
    Sobol,
}
