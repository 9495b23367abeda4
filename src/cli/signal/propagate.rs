//! `pinn-solve signal propagate`

use clap::{Args, ValueEnum};
use pinn::internals::activation::Activation;
use pinn::internals::init::{Rule, sigma_z};
use pinn::internals::network::Shape;
use pinn::internals::report::{Axis, Curve, Figure, LineChart, Panel, Stroke, histogram};
use pinn::internals::signal::{
    Gains, Histogram, Network, SignalError, Spread, gains, gradient_norms, propagate,
};
use pinn::settings::Init;
use rayon::prelude::*;

use super::output::{Output, OutputArgs};
use super::table::{Table, row};
use super::{ActivationArgs, InitArgs, curve, log_axis, positive, scaled, show_within};
use crate::cli::{Exit, Failure};

#[derive(Args)]
pub(crate) struct PropagateArgs {
    /// Only these parts.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', value_enum, default_values_t = Part::value_variants().to_vec())]
    only: Vec<Part>,
    #[command(flatten)]
    activation: ActivationArgs,
    #[command(flatten)]
    inits: InitArgs,
    /// Hidden layers of histograms, gradients and gains.
    #[arg(long, value_name = "L", default_value_t = 1000, value_parser = positive)]
    depth: usize,
    /// Widths of the histograms.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = positive,
        default_values_t = [16, 32, 64, 128, 256])]
    widths: Vec<usize>,
    /// Neurons of a layer of everything else; inputs are as many.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    width: usize,
    /// Depths of the range.
    #[arg(long, value_name = "L,…", value_delimiter = ',', value_parser = positive,
        default_values_t = [50, 500, 5000, 50_000, 100_000])]
    depths: Vec<usize>,
    /// Scales of the range, times --scale.
    #[arg(long, value_name = "A,…", value_delimiter = ',', default_values = ["1e-4", "1e3"])]
    scales: Vec<f64>,
    /// Standard normal inputs.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    samples: usize,
    /// The seed of weights and inputs.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
}

/// The parts of the experiment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    /// The distribution of the last layer's activations, for several widths.
    Histograms,
    /// The range of the last layer's activations against depth, for several scales.
    Range,
    /// The norm of every layer's gradient.
    Gradients,
    /// The effective gain's conditional variance under the proposed rule (Theorem 2).
    Gains,
}

/// Bins of a histogram.
const BINS: usize = 80;

pub(crate) fn run(args: &PropagateArgs) -> Result<Exit, Failure> {
    let activation = args.activation.activation()?;
    let scales =
        args.scales.iter().map(|scale| scaled(&args.activation.activation, scale * args.activation.scale));
    let scaled = scales.collect::<Result<Vec<_>, _>>()?;
    // What is impossible is refused before there is a folder.
    for &init in &args.inits.inits {
        for activation in scaled.iter().chain([&activation]) {
            args.inits.rule(init, args.depth, activation)?;
        }
    }
    let mut output = Output::create(&args.output, "propagate")?;
    for part in Part::value_variants().iter().filter(|part| args.only.contains(part)) {
        match part {
            Part::Histograms => histograms(args, &activation, &mut output)?,
            Part::Range => range(args, &scaled, &mut output)?,
            Part::Gradients => gradients(args, &activation, &mut output)?,
            Part::Gains => effective_gains(args, &activation, &mut output)?,
        }
    }
    output.finish()
}

/// Something measured in a network of `width` and `depth` drawn by `init`.
fn measure<T>(
    args: &PropagateArgs,
    activation: &Activation,
    init: Init,
    (depth, width): (usize, usize),
    measure: impl Fn(&Network) -> Result<T, SignalError>,
) -> Result<T, SignalError> {
    let rule = args.inits.rule(init, depth, activation)?;
    let shape = Shape { inputs: width, depth, width, outputs: 1 };
    measure(&Network { shape, activation, rule: &rule, seed: args.seed })
}

fn histograms(args: &PropagateArgs, activation: &Activation, output: &mut Output) -> Result<(), Failure> {
    output.progress(&format!("histograms at depth {}, widths {:?}", args.depth, args.widths));
    let jobs: Vec<_> = args
        .inits
        .inits
        .iter()
        .flat_map(|&init| args.widths.iter().map(move |&width| (init, width)))
        .collect();
    let found = jobs.par_iter().map(|&(init, width)| {
        measure(args, activation, init, (args.depth, width), |network| propagate(network, args.samples))
    });
    let found = found.collect::<Result<Vec<_>, _>>()?;

    let bound = activation.bound();
    let mut table = Table::new(["init", "width", "from", "to", "density"]);
    let mut summary =
        Table::new(["init", "width", "min/bound", "max/bound", "deviation/bound", "between inputs/bound"]);
    let mut panels = vec![];
    for (&(init, width), propagation) in jobs.iter().zip(&found) {
        let Histogram { edges, density } = Histogram::new(&propagation.last, bound, BINS);
        for (edges, &density) in edges.windows(2).zip(&density) {
            table.push(row![init.name(), width, edges[0], edges[1], density]);
        }
        let last = propagation.spreads[args.depth - 1];
        summary.push(row![
            init.name(),
            width,
            last.min / bound,
            last.max / bound,
            last.deviation / bound,
            last.between_inputs / bound,
        ]);
        let tallest = density.iter().fold(0.0, |a: f64, &b| a.max(b));
        panels.push(Panel::Lines(LineChart {
            title: format!("{}, width {width}", init.name()),
            x: Axis { range: Some((-bound, bound)), ..Axis::linear("") },
            y: Axis { range: Some((0.0, 1.05 * tallest)), ..Axis::linear("") },
            curves: vec![histogram("", &edges, &density, InitArgs::color(init))],
            marks: vec![],
        }));
    }
    output.csv("histograms", &table)?;
    let title = format!("{activation}: activations of layer {}", args.depth);
    let rows = panels.chunks(args.widths.len()).map(<[Panel]>::to_vec).collect();
    output.figure("histograms", &Figure { title: title.clone(), rows, size: (110.0, 70.0) })?;
    output.show("histograms", &title, &summary);
    Ok(())
}

fn range(args: &PropagateArgs, activations: &[Activation], output: &mut Output) -> Result<(), Failure> {
    output.progress(&format!("range at depths {:?}", args.depths));
    let mut jobs: Vec<(usize, Init, usize)> = vec![];
    for which in 0..activations.len() {
        for &init in &args.inits.inits {
            jobs.extend(args.depths.iter().map(|&depth| (which, init, depth)));
        }
    }
    let last = |&(which, init, depth): &(usize, Init, usize)| {
        measure(args, &activations[which], init, (depth, args.width), |network| {
            Ok(propagate(network, args.samples)?.spreads[depth - 1])
        })
    };
    // The deepest first, so that threads end at about the same time.
    jobs.sort_by_key(|&(which, init, depth)| (core::cmp::Reverse(depth), which, init.name()));
    let found: Vec<Spread> = jobs.par_iter().with_max_len(1).map(last).collect::<Result<_, SignalError>>()?;

    let mut table = Table::new([
        "activation",
        "init",
        "depth",
        "min",
        "max",
        "range/bound",
        "deviation/bound",
        "between inputs/bound",
    ]);
    let mut rows = [vec![], vec![]];
    for (which, activation) in activations.iter().enumerate() {
        let bound = activation.bound();
        let labels = ["range / (2·bound)", "spread between inputs / bound"];
        let mut charts = labels.map(|label| LineChart {
            title: activation.to_string(),
            x: log_axis("depth L", &args.depths),
            y: Axis::log(if which == 0 { label } else { "" }),
            curves: vec![],
            marks: vec![],
        });
        for &init in &args.inits.inits {
            let of_init = |job: &(usize, Init, usize)| job.0 == which && job.1 == init;
            let mut spreads: Vec<(usize, Spread)> = jobs
                .iter()
                .zip(&found)
                .filter(|(job, _)| of_init(job))
                .map(|(job, &found)| (job.2, found))
                .collect();
            spreads.sort_by_key(|&(depth, _)| depth);
            for &(depth, Spread { min, max, deviation, between_inputs }) in &spreads {
                table.push(row![
                    activation.to_string(),
                    init.name(),
                    depth,
                    min,
                    max,
                    (max - min) / bound,
                    deviation / bound,
                    between_inputs / bound,
                ]);
            }
            let numbers: [fn(&Spread) -> f64; 2] = [|s| 0.5 * (s.max - s.min), |s| s.between_inputs];
            for (chart, number) in charts.iter_mut().zip(numbers) {
                let points = spreads.iter().map(|(depth, spread)| (*depth as f64, number(spread) / bound));
                chart.curves.push(curve(
                    init.name(),
                    points.collect(),
                    InitArgs::color(init),
                    Stroke::Marked,
                ));
            }
        }
        // Rounding keeps inputs apart by 1e-16.
        for ((row, mut chart), least) in rows.iter_mut().zip(charts).zip([1e-4, 1e-17]) {
            show_within(&mut chart, (least, 2.0));
            row.push(Panel::Lines(chart));
        }
    }
    output.csv("range", &table)?;
    let title = format!("Activations of the last layer against depth, width {}", args.width);
    output.figure("range", &Figure { title: title.clone(), rows: rows.into(), size: (230.0, 150.0) })?;
    output.show("range", &title, &table);
    Ok(())
}

fn gradients(args: &PropagateArgs, activation: &Activation, output: &mut Output) -> Result<(), Failure> {
    output.progress(&format!("gradients at depth {}", args.depth));
    let norms = args.inits.inits.par_iter().map(|&init| {
        measure(args, activation, init, (args.depth, args.width), |network| {
            gradient_norms(network, args.samples)
        })
    });
    let norms = norms.collect::<Result<Vec<_>, SignalError>>()?;

    let mut table = Table::new(["init", "layer", "gradient norm"]);
    let mut summary = Table::new(["init", "first layer", "middle layer", "last hidden layer", "first/last"]);
    let mut curves = vec![];
    for (&init, norms) in args.inits.inits.iter().zip(&norms) {
        for (layer, &norm) in norms.iter().enumerate() {
            table.push(row![init.name(), layer + 1, norm]);
        }
        let (first, last) = (norms[0], norms[args.depth - 1]);
        summary.push(row![init.name(), first, norms[args.depth / 2], last, first / last]);
        let points = norms[..args.depth].iter().enumerate().map(|(layer, &norm)| ((layer + 1) as f64, norm));
        curves.push(curve(init.name(), points.collect(), InitArgs::color(init), Stroke::Solid));
    }
    output.csv("gradients", &table)?;
    let title = format!("{activation}: gradient norms of {} layers of {}", args.depth, args.width);
    let chart = LineChart {
        title: String::new(),
        x: Axis { range: Some((1.0, args.depth as f64)), ..Axis::linear("layer") },
        y: Axis::log("norm of the weights' gradient"),
        curves,
        marks: vec![],
    };
    let rows = vec![vec![Panel::Lines(chart)]];
    output.figure("gradients", &Figure { title: title.clone(), rows, size: (420.0, 220.0) })?;
    output.show("gradients", &title, &summary);
    Ok(())
}

fn effective_gains(
    args: &PropagateArgs,
    activation: &Activation,
    output: &mut Output,
) -> Result<(), Failure> {
    output.progress(&format!("effective gains at depth {}", args.depth));
    let omega = activation.omega();
    let sigma = sigma_z(args.depth, omega);
    let rule = Rule::proposed(omega, sigma);
    let shape = Shape { inputs: args.width, depth: args.depth, width: args.width, outputs: 1 };
    let layers = gains(&Network { shape, activation, rule: &rule, seed: args.seed }, sigma, args.samples)?;

    let columns = ["layer", "lower quartile", "median", "upper quartile", "standardized variance"];
    let (mut table, mut summary) = (Table::new(columns), Table::new(columns));
    let shown: Vec<usize> =
        core::iter::successors(Some(1), |&layer| Some(if layer < 10 { 3 * layer + 1 } else { 2 * layer }))
            .take_while(|&layer| layer < args.depth)
            .chain([args.depth])
            .collect();
    for (layer, &Gains { variance_ratio: [low, median, high], standardized }) in (1..).zip(&layers) {
        table.push(row![layer, low, median, high, standardized]);
        if shown.contains(&layer) {
            summary.push(row![layer, low, median, high, standardized]);
        }
    }
    output.csv("gains", &table)?;
    let medians = (1..).zip(&layers).map(|(layer, gains)| (f64::from(layer), gains.variance_ratio[1]));
    let quartiles = layers.iter().map(|gains| (gains.variance_ratio[0], gains.variance_ratio[2]));
    let median = Curve {
        band: quartiles.collect(),
        ..curve("median and quartiles over neurons and inputs", medians.collect(), 1, Stroke::Solid)
    };
    let one = curve("σ_z²", vec![(1.0, 1.0), (args.depth as f64, 1.0)], 0, Stroke::Dashed);
    let chart = LineChart {
        title: String::new(),
        x: Axis { range: Some((1.0, args.depth as f64)), ..Axis::log("layer") },
        y: Axis::log("variance / σ_z²"),
        curves: vec![median, one],
        marks: vec![],
    };
    let title = format!("{activation}: conditional variance of the effective gain over σ_z²");
    let rows = vec![vec![Panel::Lines(chart)]];
    output.figure("gains", &Figure { title: title.clone(), rows, size: (420.0, 200.0) })?;
    let mean = layers.iter().map(|gains| gains.standardized).sum::<f64>() / layers.len() as f64;
    let title = format!("{title} (σ_z = {sigma:.4}; standardized variance, mean of all layers: {mean:.4})");
    output.show("gains", &title, &summary);
    Ok(())
}
