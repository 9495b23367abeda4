//! `pinn-solve signal map`

use clap::Args;
use pinn::internals::activation::{Activation, Function};
use pinn::internals::report::{Axis, Figure, LineChart, Panel, Stroke};
use pinn::internals::signal::{fixed_point, iterate};

use super::output::{Output, OutputArgs};
use super::table::{Table, row};
use super::{curve, positive, scaled};
use crate::cli::{Exit, Failure};

#[derive(Args)]
pub(crate) struct MapArgs {
    /// Activations, one panel each [default: all single ones and softsign_1 + softsign_2].
    #[arg(long = "activations", value_name = "F,…", value_delimiter = ',')]
    activations: Vec<String>,
    /// The scale a of the activations a·f(x); starts and offsets are multiplied with a and 1/a.
    #[arg(long, value_name = "A", default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f64,
    /// What is added to ω to make the gains of the first picture.
    #[arg(long, value_name = "D,…", value_delimiter = ',', allow_negative_numbers = true,
        default_values_t = [0.1, 0.2, 0.3, 0.4, 0.5])]
    offsets: Vec<f64>,
    /// Where the first picture starts.
    #[arg(long, value_name = "X", default_value_t = 0.1, allow_negative_numbers = true)]
    start: f64,
    /// What is added to ω to make the gain of the second picture.
    #[arg(long, value_name = "D", default_value_t = 0.3, allow_negative_numbers = true)]
    offset: f64,
    /// Starts of the second picture, evenly from −1 to 1.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = positive)]
    starts: usize,
    /// Iterations.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = positive)]
    steps: usize,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &MapArgs) -> Result<Exit, Failure> {
    let scale = args.scale;
    let activations = activations(&args.activations, scale)?;
    if let Some(wrong) = args.offsets.iter().chain([&args.offset, &args.start]).find(|x| !x.is_finite()) {
        return Err(Failure::usage(format!("{wrong} is no number to start from or to add to ω")));
    }
    let mut output = Output::create(&args.output, "map")?;
    let mut orbits = Table::new(["activation", "gain", "start", "step", "x"]);
    let mut limits = Table::new(["activation", "omega", "gain", "xi", "x_end", "x_end - xi", "contraction"]);
    let (mut gains, mut starts) = (vec![], vec![]);
    for activation in &activations {
        let omega = activation.omega();
        let mut curves = vec![];
        for (i, offset) in args.offsets.iter().enumerate() {
            let gain = omega + offset / scale;
            let start = args.start * scale;
            let orbit = iterate(activation, gain, start, args.steps);
            let xi = fixed_point(activation, gain).copysign(start);
            let end = orbit[args.steps];
            // What a small distance from the limit is multiplied by in every step.
            let contraction = gain * activation.derivatives(gain * xi)[1];
            limits.push(row![activation.to_string(), omega, gain, xi, end, end - xi, contraction]);
            record(&mut orbits, activation, gain, &orbit);
            curves.push(curve(format!("a = ω + {}", offset / scale), points(&orbit), i + 1, Stroke::Solid));
            curves.push(curve("±ξ", level(xi, args.steps), i + 1, Stroke::Dashed));
        }
        gains.push(panel(activation, curves));
        let gain = omega + args.offset / scale;
        let mut curves = vec![];
        for i in 0..args.starts {
            let share = if args.starts == 1 { 0.5 } else { i as f64 / (args.starts - 1) as f64 };
            let orbit = iterate(activation, gain, (2.0 * share - 1.0) * scale, args.steps);
            record(&mut orbits, activation, gain, &orbit);
            curves.push(curve(format!("a = ω + {}", args.offset / scale), points(&orbit), 1, Stroke::Solid));
        }
        let xi = fixed_point(activation, gain);
        for xi in [xi, -xi] {
            curves.push(curve("±ξ", level(xi, args.steps), 0, Stroke::Dashed));
        }
        starts.push(panel(activation, curves));
    }
    output.csv("orbits", &orbits)?;
    output.csv("limits", &limits)?;
    output.figure("gains", &figure(format!("x ← f(a·x) from x = {}", args.start * scale), gains))?;
    output.figure("starts", &figure(format!("x ← f(a·x) from {} starts", args.starts), starts))?;
    let title = format!("The map x ← f(a·x) from {} after {} steps", args.start * scale, args.steps);
    output.show("limits", &title, &limits);
    output.finish()
}

/// Those named, or all of the family, times `scale`.
pub(super) fn activations(names: &[String], scale: f64) -> Result<Vec<Activation>, Failure> {
    if names.is_empty() {
        let all = Function::FAMILY.iter().map(|function| function.name()).chain(["softsign_1 + softsign_2"]);
        return all.map(|name| scaled(name, scale)).collect();
    }
    names.iter().map(|name| scaled(name, scale)).collect()
}

fn record(table: &mut Table, activation: &Activation, gain: f64, orbit: &[f64]) {
    for (step, &x) in orbit.iter().enumerate() {
        table.push(row![activation.to_string(), gain, orbit[0], step, x]);
    }
}

fn points(orbit: &[f64]) -> Vec<(f64, f64)> {
    orbit.iter().enumerate().map(|(step, &x)| (step as f64, x)).collect()
}

fn level(y: f64, steps: usize) -> Vec<(f64, f64)> {
    vec![(0.0, y), (steps as f64, y)]
}

fn panel(activation: &Activation, curves: Vec<pinn::internals::report::Curve>) -> Panel {
    Panel::Lines(LineChart {
        title: activation.to_string(),
        x: Axis::linear("step"),
        y: Axis::linear(""),
        curves,
        marks: vec![],
    })
}

fn figure(title: String, panels: Vec<Panel>) -> Figure {
    let rows = panels.chunks(4).map(<[Panel]>::to_vec).collect();
    Figure { title, rows, size: (130.0, 110.0) }
}
