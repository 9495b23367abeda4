//! `pinn-solve signal calibrate`

use clap::Args;
use pinn::internals::init::{ln_target_rate, sigma_z_for};
use pinn::internals::report::{Axis, Figure, LineChart, Panel, Stroke};
use pinn::internals::signal::{Ensemble, FlipRate, SignalError, best_target, flip_rate};
use rayon::prelude::*;

use super::output::{Output, OutputArgs};
use super::table::{Table, row};
use super::{ActivationArgs, curve, log_axis, positive};
use crate::cli::{Exit, Failure};

#[derive(Args)]
pub(crate) struct CalibrateArgs {
    #[command(flatten)]
    activation: ActivationArgs,
    /// Hidden layers.
    #[arg(long, value_name = "L,…", value_delimiter = ',', value_parser = positive,
        default_values_t = [3, 5, 10, 15, 20, 30, 50, 70, 100])]
    depths: Vec<usize>,
    /// Neurons of a layer, and inputs.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    width: usize,
    /// Networks a rate is averaged over.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = positive)]
    networks: usize,
    /// Standard normal inputs of every network.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = positive)]
    samples: usize,
    /// Points of every curve of the picture.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = positive)]
    targets: usize,
    /// The measured rate to aim at.
    #[arg(long, value_name = "RATE", default_value_t = 0.4)]
    goal: f64,
    /// The seed of the first network.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
}

/// Everything about one depth.
struct Row {
    depth: usize,
    at_rule: FlipRate,
    best: Option<(f64, FlipRate)>,
    /// ln ρ and what it gives.
    curve: Vec<(f64, FlipRate)>,
}

/// Ends of the curves' range of ρ.
const TARGETS: (f64, f64) = (1e-8, 0.499);

pub(crate) fn run(args: &CalibrateArgs) -> Result<Exit, Failure> {
    let activation = args.activation.activation()?;
    if !(args.goal > 0.0 && args.goal < 0.5) {
        return Err(Failure::usage(format!(
            "--goal {}: a rate of sign flips lies between 0 and 0.5",
            args.goal
        )));
    }
    let mut output = Output::create(&args.output, "calibrate")?;
    let &CalibrateArgs { width, samples, networks, seed, .. } = args;
    let ensemble = Ensemble { width, samples, networks, seed };
    // Evenly in ln(ρ/(½ − ρ)), so that points lie close to one another at both ends.
    let logit = |rate: f64| (rate / (0.5 - rate)).ln();
    let targets: Vec<f64> = (0..args.targets)
        .map(|i| {
            let share = i as f64 / (args.targets.max(2) - 1) as f64;
            let place = (1.0 - share) * logit(TARGETS.0) + share * logit(TARGETS.1);
            0.5_f64.ln() - (-place).exp().ln_1p()
        })
        .collect();
    output.progress(&format!("sign flips at depths {:?}", args.depths));
    let measure = |&depth: &usize| {
        let measured = |ln_rate| flip_rate(&activation, &ensemble, depth, ln_rate);
        let best = match best_target(&activation, &ensemble, depth, args.goal)? {
            Some(ln_rate) => Some((ln_rate, measured(ln_rate)?)),
            None => None,
        };
        let curve = targets.iter().map(|&ln_rate| Ok((ln_rate, measured(ln_rate)?)));
        let curve = curve.collect::<Result<_, SignalError>>()?;
        Ok(Row { depth, at_rule: measured(ln_target_rate(depth))?, best, curve })
    };
    let rows = args.depths.par_iter().map(measure).collect::<Result<Vec<_>, SignalError>>()?;

    let omega = activation.omega();
    let mut rates = Table::new(["depth", "target", "sigma_z", "rate", "rate error"]);
    let mut summary = Table::new([
        "depth",
        "rule's target",
        "sigma_z/omega",
        "rate",
        "rate error",
        "best target",
        "its sigma_z/omega",
        "its rate",
    ]);
    for row in &rows {
        let sigma = |ln_rate: f64| sigma_z_for(row.depth, omega, ln_rate);
        for &(ln_rate, FlipRate { rate, error }) in &row.curve {
            rates.push(row![row.depth, ln_rate.exp(), sigma(ln_rate), rate, error]);
        }
        let rule = ln_target_rate(row.depth);
        let FlipRate { rate, error } = row.at_rule;
        let best = |number: fn(f64, FlipRate) -> f64| row.best.map(|(ln_rate, found)| number(ln_rate, found));
        summary.push(row![
            row.depth,
            rule.exp(),
            sigma(rule) / omega,
            rate,
            error,
            best(|ln_rate, _| ln_rate.exp()),
            row.best.map(|(ln_rate, _)| sigma(ln_rate) / omega),
            best(|_, found| found.rate),
        ]);
    }
    output.csv("rates", &rates)?;
    output.csv("targets", &summary)?;
    output.figure("calibration", &figure(args, &rows))?;
    let title = format!(
        "Sign flips of {activation}, width {width}: the rule's target ρ(L), and the one whose measured rate is {}",
        args.goal
    );
    output.show("targets", &title, &summary);
    output.finish()
}

fn figure(args: &CalibrateArgs, rows: &[Row]) -> Figure {
    let mut curves: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let points = row.curve.iter().map(|(ln_rate, found)| (ln_rate.exp(), found.rate));
            // Eight colours there are, black the first.
            let stroke = if i < 8 { Stroke::Solid } else { Stroke::Dashed };
            curve(format!("L = {}", row.depth), points.collect(), i, stroke)
        })
        .collect();
    curves.push(curve("goal", vec![(TARGETS.0, args.goal), (TARGETS.1, args.goal)], 0, Stroke::Dashed));
    let rates = LineChart {
        title: String::new(),
        x: Axis { range: Some(TARGETS), ..Axis::log("target ρ") },
        y: Axis { range: Some((0.0, 0.52)), ..Axis::linear("rate of sign flips π") },
        curves,
        marks: vec![],
    };
    let best = rows.iter().filter_map(|row| Some((row.depth as f64, row.best?.0.exp())));
    let (least, greatest) = (args.depths.iter().min(), args.depths.iter().max());
    let all = least.zip(greatest).map_or(0..=0, |(&least, &greatest)| least..=greatest);
    let rule = all.map(|depth| (depth as f64, ln_target_rate(depth).exp()));
    let targets = LineChart {
        title: format!("the target for which π = {}", args.goal),
        x: log_axis("depth L", &args.depths),
        y: Axis::log("target ρ"),
        curves: vec![
            curve("measured", best.collect(), 1, Stroke::Marked),
            curve("the rule's closed form", rule.collect(), 2, Stroke::Dashed),
        ],
        marks: vec![],
    };
    let title = format!("Calibration of σ_z at width {}", args.width);
    // One below the other, so that each has its own legend.
    let rows = [rates, targets].map(|chart| vec![Panel::Lines(chart)]);
    Figure { title, rows: rows.into(), size: (420.0, 190.0) }
}
