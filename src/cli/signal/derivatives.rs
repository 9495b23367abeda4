//! `pinn-solve signal derivatives`

use clap::Args;
use pinn::internals::activation::Activation;
use pinn::internals::jet::{JetSet, MultiIndex};
use pinn::internals::network::Shape;
use pinn::internals::report::{Axis, Curve, Figure, LineChart, Panel, Stroke};
use pinn::internals::signal::{Channels, Network, SignalError, derivatives};
use pinn::settings::Init;
use rayon::prelude::*;

use super::output::{Output, OutputArgs};
use super::table::{Table, row};
use super::{ActivationArgs, InitArgs, curve, log_axis, positive, scaled, show_within};
use crate::cli::{Exit, Failure};

#[derive(Args)]
pub(crate) struct DerivativesArgs {
    #[command(flatten)]
    activation: ActivationArgs,
    #[command(flatten)]
    inits: InitArgs,
    /// Hidden layers of the pictures over layers and over scales.
    #[arg(long, value_name = "L", default_value_t = 50, value_parser = positive)]
    depth: usize,
    /// Depths of the picture over depths.
    #[arg(long, value_name = "L,…", value_delimiter = ',', value_parser = positive,
        default_values_t = [2, 5, 10, 20, 50, 100, 200, 500, 1000])]
    depths: Vec<usize>,
    /// Scales of the picture over scales, times --scale.
    #[arg(long, value_name = "A,…", value_delimiter = ',',
        default_values = ["0.03", "0.1", "0.3", "0.5", "0.8", "1", "1.3", "1.5", "1.8", "2", "5", "10"])]
    scales: Vec<f64>,
    /// Neurons of a layer.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    width: usize,
    /// Inputs, the coordinates of the points; derivatives are along the first one.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = positive)]
    inputs: usize,
    /// The highest derivative.
    #[arg(long, value_name = "K", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    order: u8,
    /// Networks; curves are medians, bands go from the least to the greatest.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = positive)]
    networks: usize,
    /// Points in [−1, 1]ⁿ.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    points: usize,
    /// The seed of the first network and its points.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
}

const NAMES: [&str; 5] = ["u", "u_x", "u_xx", "u_xxx", "u_xxxx"];

/// Least, median and greatest of several networks.
#[derive(Clone, Copy)]
struct Range {
    least: f64,
    median: f64,
    greatest: f64,
}

/// Networks drawn by one rule at one place of the horizontal axis: each derivative's quadratic mean.
type Measured = Vec<(f64, Vec<Range>)>;

pub(crate) fn run(args: &DerivativesArgs) -> Result<Exit, Failure> {
    let activation = args.activation.activation()?;
    let scales =
        args.scales.iter().map(|scale| scaled(&args.activation.activation, scale * args.activation.scale));
    let scaled = scales.collect::<Result<Vec<_>, _>>()?;
    for &init in &args.inits.inits {
        for activation in scaled.iter().chain([&activation]) {
            args.inits.rule(init, args.depth, activation)?;
        }
    }
    if activation.is_kinked() && args.order > 1 {
        tell!("warning: the second derivative of {activation} jumps at 0; u_xx is that of either side");
    }
    let mut output = Output::create(&args.output, "derivatives")?;

    let (depth, width) = (args.depth, args.width);
    output.progress(&format!("derivatives by layer at depth {depth}"));
    let layers = each(args, |init| {
        let networks = networks(args, &activation, init, depth)?;
        let layers = (0..depth).map(|l| {
            let channel = |c: usize| range(networks.iter().map(|channels| channels.layers[l][c].rms));
            ((l + 1) as f64, (0..=usize::from(args.order)).map(channel).collect())
        });
        Ok(layers.collect())
    })?;
    let axis = Axis { range: Some((1.0, depth as f64)), ..Axis::linear("layer") };
    let title = format!("{activation}: derivatives in every layer, {depth} layers of {width}");
    report(args, &mut output, ("layers", "layer", &title), &axis, &layers, Stroke::Solid)?;

    output.progress(&format!("derivatives of the output at depths {:?}", args.depths));
    let depths = each(args, |init| {
        let at = |&depth: &usize| Ok((depth as f64, outputs(&networks(args, &activation, init, depth)?)));
        args.depths.iter().map(at).collect()
    })?;
    let title = format!("{activation}: derivatives of the output against depth, width {width}");
    let axis = log_axis("depth L", &args.depths);
    report(args, &mut output, ("depths", "depth", &title), &axis, &depths, Stroke::Marked)?;

    output.progress(&format!("derivatives of the output at scales {:?}", args.scales));
    let scales = each(args, |init| {
        let at = |(&scale, activation)| Ok((scale, outputs(&networks(args, activation, init, depth)?)));
        args.scales.iter().zip(&scaled).map(at).collect()
    })?;
    let title =
        format!("{activation} times a: derivatives of the output against a, {depth} layers of {width}");
    report(args, &mut output, ("scales", "scale", &title), &Axis::log("scale a"), &scales, Stroke::Marked)?;
    output.finish()
}

/// What `measure` finds for every initialization.
fn each(
    args: &DerivativesArgs,
    measure: impl Fn(Init) -> Result<Measured, SignalError> + Sync,
) -> Result<Vec<(Init, Measured)>, SignalError> {
    args.inits.inits.par_iter().map(|&init| Ok((init, measure(init)?))).collect()
}

fn networks(
    args: &DerivativesArgs,
    activation: &Activation,
    init: Init,
    depth: usize,
) -> Result<Vec<Channels>, SignalError> {
    let rule = args.inits.rule(init, depth, activation)?;
    let along = (1..args.order).fold(MultiIndex::along(0), |index, _| index.plus(0));
    let jets = JetSet::closure([along]);
    let shape = Shape { inputs: args.inputs, depth, width: args.width, outputs: 1 };
    let of = |network: usize| {
        let seed = args.seed.wrapping_add(network as u64);
        derivatives(&Network { shape: shape.clone(), activation, rule: &rule, seed }, &jets, args.points)
    };
    (0..args.networks).map(of).collect()
}

fn outputs(networks: &[Channels]) -> Vec<Range> {
    let channels = 0..networks[0].output.len();
    channels.map(|c| range(networks.iter().map(|channels| channels.output[c].rms))).collect()
}

fn range(values: impl Iterator<Item = f64>) -> Range {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median =
        if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) };
    Range { least: values[0], median, greatest: values[values.len() - 1] }
}

/// A table, a figure with one panel for each derivative, and lines for the reader.
fn report(
    args: &DerivativesArgs,
    output: &mut Output,
    (name, column, title): (&str, &'static str, &str),
    axis: &Axis,
    measured: &[(Init, Measured)],
    stroke: Stroke,
) -> Result<(), Failure> {
    let mut table = Table::new(["init", column, "derivative", "least", "median", "greatest"]);
    let names = &NAMES[..=usize::from(args.order)];
    let mut summary = Table::new(["init", column].into_iter().chain(names.iter().copied()));
    let panel = |&name: &&str| LineChart {
        title: name.into(),
        x: axis.clone(),
        y: Axis::log(if name == "u" { "quadratic mean" } else { "" }),
        curves: vec![],
        marks: vec![],
    };
    let mut panels: Vec<_> = names.iter().map(panel).collect();
    for (init, measured) in measured {
        // Of many places about ten are shown.
        let stride = measured.len().div_ceil(12);
        for (i, (place, ranges)) in measured.iter().enumerate() {
            for (name, &Range { least, median, greatest }) in names.iter().zip(ranges) {
                table.push(row![init.name(), *place, *name, least, median, greatest]);
            }
            if i % stride == 0 || i + 1 == measured.len() {
                let medians = ranges.iter().map(|range| range.median.into());
                summary.push(row![init.name(), *place].into_iter().chain(medians).collect());
            }
        }
        for (c, panel) in panels.iter_mut().enumerate() {
            let points = measured.iter().map(|(place, ranges)| (*place, ranges[c].median));
            let band = measured.iter().map(|(_, ranges)| (ranges[c].least, ranges[c].greatest)).collect();
            panel.curves.push(Curve {
                band: if args.networks > 1 { band } else { vec![] },
                ..curve(init.name(), points.collect(), InitArgs::color(*init), stroke)
            });
        }
    }
    for panel in &mut panels {
        show_within(panel, (1e-5, 1e5));
    }
    output.csv(name, &table)?;
    let rows = vec![panels.into_iter().map(Panel::Lines).collect()];
    output.figure(
        name,
        &Figure { title: title.into(), rows, size: (200.0 / 3.0 * names.len().max(3) as f64, 170.0) },
    )?;
    output.show(name, &format!("{title}; quadratic means, medians of {} networks", args.networks), &summary);
    Ok(())
}
