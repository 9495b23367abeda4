//! `pinn-solve signal …`: what an initialization does before any training, as numbers and pictures.
//!
//! An experiment is a file here: its flags, its tables, its charts. The mathematics is `pinn::internals::signal`.

mod calibrate;
mod derivatives;
mod family;
mod map;
mod output;
mod propagate;
mod table;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use pinn::internals::activation::Activation;
use pinn::internals::init::{InitError, Rule};
use pinn::internals::report::{Axis, Curve, LineChart, Stroke};
use pinn::internals::signal::SignalError;
use pinn::settings::{self, Init};

use super::{Exit, Failure};

/// The experiments; every one writes tables and pictures into a folder of its own.
#[derive(Subcommand)]
pub(crate) enum SignalCommand {
    /// The map x ← f(a·x): where it leads for gains a around ω (Theorem 1).
    Map(map::MapArgs),
    /// How often signs flip through the depth, and which target makes the rate 0.4: the choice of σ_z.
    Calibrate(calibrate::CalibrateArgs),
    /// Activations and gradients through very deep networks: distribution, range, gradient norms, gains (Theorem 2).
    Propagate(propagate::PropagateArgs),
    /// The activations, their derivatives, ω, and a check of the conditions of the class.
    Family(family::FamilyArgs),
    /// The derivatives a PINN trains on (u, u_x, u_xx) by layer, depth and scale.
    Derivatives(derivatives::DerivativesArgs),
}

pub(crate) fn run(command: &SignalCommand) -> Result<Exit, Failure> {
    match command {
        SignalCommand::Map(args) => map::run(args),
        SignalCommand::Calibrate(args) => calibrate::run(args),
        SignalCommand::Propagate(args) => propagate::run(args),
        SignalCommand::Family(args) => family::run(args),
        SignalCommand::Derivatives(args) => derivatives::run(args),
    }
}

impl From<SignalError> for Failure {
    fn from(error: SignalError) -> Self {
        Self::usage(error)
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        Self::usage(error)
    }
}

/// Which activation.
#[derive(Args)]
struct ActivationArgs {
    /// tanh, erf, arctan, gd, softsign_1, softsign_2, or a positive sum such as "tanh + 0.5*erf(2*x)".
    #[arg(long, value_name = "F", default_value = "tanh")]
    activation: String,
    /// The scale a of the activation a·f(x).
    #[arg(long, value_name = "A", default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f64,
}

impl ActivationArgs {
    fn activation(&self) -> Result<Activation, Failure> {
        scaled(&self.activation, self.scale)
    }
}

/// Which initializations are compared.
#[derive(Args)]
struct InitArgs {
    /// How weights are drawn, one curve each.
    #[arg(
        long,
        value_name = "RULES",
        value_delimiter = ',',
        value_parser = init_parser(),
        default_values = ["proposed", "eoc", "xavier", "he"]
    )]
    inits: Vec<Init>,
    /// Standard deviation of the biases, for eoc.
    #[arg(long, value_name = "SIGMA", default_value_t = settings::Network::default().sigma_b, allow_negative_numbers = true)]
    sigma_b: f64,
}

impl InitArgs {
    fn rule(&self, init: Init, depth: usize, activation: &Activation) -> Result<Rule, InitError> {
        let settings = settings::Network { init, sigma_b: self.sigma_b, ..settings::Network::default() };
        Rule::new(depth, activation, &settings)
    }

    /// The index of a curve's colour: the same rule has the same one everywhere.
    fn color(init: Init) -> usize {
        1 + Init::ALL.iter().position(|&known| known == init).unwrap_or(0)
    }
}

fn init_parser() -> impl TypedValueParser<Value = Init> {
    // The laboratory has no sines.
    let known = Init::ALL.into_iter().filter(|&init| init != Init::Siren);
    PossibleValuesParser::new(known.map(Init::name)).map(|name| {
        let known = Init::ALL.into_iter().find(|init| init.name() == name);
        known.expect("the parser lets no other name pass")
    })
}

/// `scale·f`
fn scaled(activation: &str, scale: f64) -> Result<Activation, Failure> {
    let activation = Activation::parse(activation)
        .map_err(|error| Failure::usage(format!("--activation {activation:?}: {error}")))?;
    if let Some((function, reason)) = activation.outside() {
        let name = function.name();
        let message = format!("the laboratory is for odd-sigmoid functions, and {name} is none: {reason}");
        return Err(Failure::usage(message));
    }
    activation.scaled(scale).map_err(|error| Failure::usage(format!("--scale {scale}: {error}")))
}

/// A whole number, 1 at least.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("1 at least is needed".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("a whole number, 1 or more, is needed".into()),
    }
}

/// A curve without a band.
fn curve(label: impl Into<String>, points: Vec<(f64, f64)>, color: usize, stroke: Stroke) -> Curve {
    Curve { label: label.into(), points, band: vec![], color, stroke }
}

/// A logarithmic axis of whole numbers from the least to the greatest of `numbers`.
fn log_axis(label: &str, numbers: &[usize]) -> Axis {
    let ends = numbers.iter().min().zip(numbers.iter().max());
    Axis { range: ends.map(|(&low, &high)| (low as f64, high as f64)), ..Axis::log(label) }
}

/// Shows the range of a chart's positive numbers, but nothing beyond `limits`: a curve that explodes or vanishes leaves
/// the panel instead of hiding the others.
fn show_within(chart: &mut LineChart, limits: (f64, f64)) {
    let medians = chart.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let bands = chart.curves.iter().flat_map(|curve| curve.band.iter().flat_map(|&(low, high)| [low, high]));
    let numbers = medians.chain(bands).filter(|y| *y > 0.0 && y.is_finite());
    let (low, high) = numbers.fold((f64::INFINITY, 0.0_f64), |(low, high), y| (low.min(y), high.max(y)));
    // A hair of room, so that a curve does not run along the frame.
    let (low, high) = ((0.9 * low).max(limits.0), (1.1 * high).min(limits.1));
    chart.y.range = (low < high).then_some((low, high));
}
