//! `pinn-solve signal family`

use clap::Args;
use pinn::internals::activation::Activation;
use pinn::internals::report::{Axis, Figure, LineChart, Panel, Stroke};
use pinn::internals::signal::{Check, check};

use super::map::activations;
use super::output::{Output, OutputArgs};
use super::table::{Cell, Table, row};
use super::{curve, scaled};
use crate::cli::{Exit, Failure};

#[derive(Args)]
pub(crate) struct FamilyArgs {
    /// Activations to compare [default: all single ones and softsign_1 + softsign_2].
    #[arg(long = "activations", value_name = "F,…", value_delimiter = ',')]
    activations: Vec<String>,
    /// Sums to look at on every scale, and to check Corollary 1 with.
    #[arg(long, value_name = "F,…", value_delimiter = ',', default_values = [
        "softsign_1 + softsign_2",
        "tanh(10*x) + erf(1000*x) + 0.1*softsign_1(10*x) + gd",
        "tanh(100*x) + erf(1000*x) + 0.1*softsign_1(10*x) + gd(1000*x)",
        "tanh(1000*x) + erf(100*x) + 10*softsign_1(0.1*x) + gd(0.01*x)",
    ])]
    sums: Vec<String>,
    /// Half the width of the first picture.
    #[arg(long, value_name = "X", default_value_t = 4.0)]
    range: f64,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &FamilyArgs) -> Result<Exit, Failure> {
    if !(args.range > 0.0 && args.range.is_finite()) {
        return Err(Failure::usage(format!("--range {}: it must be positive and finite", args.range)));
    }
    let single = activations(&args.activations, 1.0)?;
    let sums = args.sums.iter().map(|sum| scaled(sum, 1.0)).collect::<Result<Vec<_>, _>>()?;
    let mut output = Output::create(&args.output, "family")?;

    let mut values = Table::new(["activation", "x", "f", "f'", "f''"]);
    let mut conditions = Table::new([
        "activation",
        "omega",
        "bound",
        "C1",
        "odd",
        "bounded",
        "increasing",
        "f' decreasing",
        "f'' jumps",
    ]);
    let mut measures =
        Table::new(["activation", "f' off", "asymmetry", "f/bound", "least chord", "f' least fall"]);
    let mut panels = ["f", "f′", "f″"].map(|title| chart(title, Axis::linear("x"), Axis::linear("")));
    for (i, activation) in single.iter().enumerate() {
        let points: Vec<_> = (-400..=400).map(|k| args.range * f64::from(k) / 400.0).collect();
        for &x in &points {
            let [f, first, second, ..] = activation.derivatives(x);
            values.push(row![activation.to_string(), x, f, first, second]);
        }
        for (n, panel) in panels.iter_mut().enumerate() {
            // A line must not join the two sides of a jump.
            let jumps = |x: f64| n == 2 && x == 0.0 && activation.is_kinked();
            let derivative = |x: f64| if jumps(x) { f64::NAN } else { activation.derivatives(x)[n] };
            let points = points.iter().map(|&x| (x, derivative(x))).collect();
            panel.curves.push(curve(activation.to_string(), points, i + 1, Stroke::Solid));
        }
    }
    let mut seen: Vec<&Activation> = vec![];
    for activation in single.iter().chain(&sums) {
        if seen.contains(&activation) {
            continue;
        }
        seen.push(activation);
        let function = |x| {
            let [f, slope, ..] = activation.derivatives(x);
            [f, slope]
        };
        let found = check(function, activation.bound());
        let name = activation.to_string();
        let mut verdict = row![name.clone(), activation.omega(), activation.bound()];
        verdict.extend(found.all().map(|check: Check| Cell::from(yes(check.holds))));
        verdict.extend(row![yes(activation.is_kinked())]);
        conditions.push(verdict);
        let mut measured = row![name];
        measured.extend(found.all().map(|check| Cell::from(check.worst)));
        measures.push(measured);
    }

    let mut corollary = Table::new(["sum", "terms' slopes", "omega", "omega measured", "difference"]);
    let mut wide = ["f", "f′"].map(|title| chart(title, Axis::log("x"), Axis::log("")));
    for (i, sum) in sums.iter().enumerate() {
        // Corollary 1 on one side, values of f alone on the other.
        let slopes = sum.terms().iter().map(|term| term.amplitude * term.frequency * term.function.slope());
        let slopes: Vec<String> = slopes.map(|slope| format!("{slope:.4}")).collect();
        let step = 1e-7 * sum.omega();
        let measured = 2.0 * step / (sum.derivatives(step)[0] - sum.derivatives(-step)[0]);
        let omega = sum.omega();
        corollary.push(row![sum.to_string(), slopes.join(" + "), omega, measured, measured / omega - 1.0]);
        let points: Vec<_> = (-120..=60).map(|k| 10_f64.powf(f64::from(k) / 20.0)).collect();
        for (n, panel) in wide.iter_mut().enumerate() {
            let points = points.iter().map(|&x| (x, sum.derivatives(x)[n])).collect();
            panel.curves.push(curve(sum.to_string(), points, i + 1, Stroke::Solid));
        }
    }

    output.csv("values", &values)?;
    output.csv("conditions", &conditions)?;
    output.csv("measures", &measures)?;
    output.csv("sums", &corollary)?;
    let figure = |title: &str, panels: Vec<LineChart>, size| Figure {
        title: title.into(),
        rows: vec![panels.into_iter().map(Panel::Lines).collect()],
        size,
    };
    if !single.is_empty() {
        output
            .figure("family", &figure("Activations and their derivatives", panels.into(), (190.0, 170.0)))?;
    }
    if !sums.is_empty() {
        output.figure("sums", &figure("Sums on every scale", wide.into(), (260.0, 190.0)))?;
    }
    output.show(
        "conditions",
        "The conditions of the class, as far as double precision can tell",
        &conditions,
    );
    output.show(
        "measures",
        "What they were judged by (see `pinn::internals::signal::Conditions`)",
        &measures,
    );
    output.show("sums", "Corollary 1: 1/ω of a sum is the sum of its terms' slopes", &corollary);
    output.finish()
}

fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

fn chart(title: &str, x: Axis, y: Axis) -> LineChart {
    LineChart { title: title.into(), x, y, curves: vec![], marks: vec![] }
}
