//! A network as calls of a few functions on arrays, which C and JavaScript write alike.
//!
//! Arrays hold channels one after the other: the value, then each derivative.
//! This file knows layers; it knows no formulas, and a language no further than its calls.

use super::program::{Function, Program};
use crate::network::{Layer, Op};

/// The functions that a network's calls need besides `dense`, and `activate`, which depend on the problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Helper {
    /// `add(count, x, y, to)`: a sum of two arrays.
    Add,
    /// `scale(w, at, step, channels, width, x, to)`: a product by numbers of `w`, `step` apart.
    Scale,
    /// `mix(w, at, count, x, y, to)`: α x + (1 − α) y, α being `w[at]`.
    Mix,
}

/// A network as calls.
pub(super) struct Calls {
    /// One after the other, without what ends a statement: they take `w` and the features in `a0` to the raw outputs in `n`.
    pub(super) calls: Vec<String>,
    /// `a0`, `a1`, …: arrays that are there at once; `z` is one more.
    pub(super) arrays: usize,
    /// What they call.
    pub(super) helpers: Vec<Helper>,
}

/// What the networks of any function need.
pub(super) fn helpers(program: &Program) -> Vec<Helper> {
    program
        .functions
        .first()
        .map_or_else(Vec::new, |function| calls(program, function, "", |array, _| array.to_owned()).helpers)
}

/// The calls of the networks for the channels of a function; `own` stands before the names of `activate` and `blend`, and
/// `from` writes an array from some place of it on.
///
/// The first array holds the features, and `n` the raw outputs, network by network and in it channel by channel.
pub(super) fn calls(
    program: &Program,
    function: &Function,
    own: &str,
    from: impl Fn(&str, usize) -> String,
) -> Calls {
    let (layers, channels) = (&program.layers, function.jets.channels());
    let (places, arrays) = layers.places();
    let name = |array: usize| format!("a{}", places[array]);
    let beyond = |array: &str, count: usize| match count {
        0 => array.to_owned(),
        count => from(array, channels * count),
    };
    let read = |layer: &Layer, array: usize| beyond(&name(array), layer.features.unwrap_or(0));
    let mut helpers = vec![];
    let mut need = |helper| {
        if !helpers.contains(&helper) {
            helpers.push(helper);
        }
    };
    let mut calls = vec![];
    for (k, step) in layers.steps.iter().enumerate() {
        let (to, width) = (name(k + 1), layers.arrays[k + 1]);
        let count = channels * width;
        match *step {
            Op::Dense { layer, from, activated } => {
                let into = if activated { "z" } else { &to };
                let (at, inputs, from) = (layer.weights, layer.inputs, read(&layer, from));
                calls.push(format!("dense(w, {at}, {channels}, {inputs}, {width}, {from}, {into})"));
                if activated {
                    let suffix = function.suffix(program.activations[layer.part]);
                    calls.push(format!("{own}activate{suffix}({width}, z, {to})"));
                }
            }
            Op::Add { a, b } => {
                need(Helper::Add);
                calls.push(format!("add({count}, {}, {}, {to})", name(a), name(b)));
            }
            Op::Blend { gate, a, b } => {
                calls.push(format!("{own}blend({width}, {}, {}, {}, {to})", name(gate), name(a), name(b)));
            }
            Op::Mix { by, a, b } => {
                need(Helper::Mix);
                let at = layers.numbers[by].first;
                calls.push(format!("mix(w, {at}, {count}, {}, {}, {to})", name(a), name(b)));
            }
            Op::Scale { by, from } => {
                need(Helper::Scale);
                let (at, step) = (layers.numbers[by].first, usize::from(layers.numbers[by].count > 1));
                calls.push(format!("scale(w, {at}, {step}, {channels}, {width}, {}, {to})", name(from)));
            }
        }
    }
    for output in &layers.outputs {
        let (at, inputs, outputs) = (output.layer.weights, output.layer.inputs, output.layer.outputs);
        let n = beyond("n", output.column);
        let (into, from) = (if output.first { &n } else { "z" }, read(&output.layer, output.from));
        calls.push(format!("dense(w, {at}, {channels}, {inputs}, {outputs}, {from}, {into})"));
        if !output.first {
            need(Helper::Add);
            calls.push(format!("add({}, {n}, z, {n})", channels * outputs));
        }
    }
    Calls { calls, arrays, helpers }
}
