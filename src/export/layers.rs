//! A network as calls of a few functions on arrays, which C and JavaScript write alike.
//!
//! Arrays hold channels one after the other: the value, then each derivative.
//! This file knows layers; it knows no formulas, and a language no further than its calls.

use crate::network::{Layers, Op};

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

/// The calls of a network whose arrays have so many channels; `own` stands before the names of `activate` and `blend`.
pub(super) fn calls(layers: &Layers, channels: usize, own: &str) -> Calls {
    let (places, arrays) = layers.places();
    let name = |array: usize| format!("a{}", places[array]);
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
                let (at, inputs, from) = (layer.weights, layer.inputs, name(from));
                calls.push(format!("dense(w, {at}, {channels}, {inputs}, {width}, {from}, {into})"));
                if activated {
                    calls.push(format!("{own}activate({width}, z, {to})"));
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
    for (k, output) in layers.outputs.iter().enumerate() {
        let (at, inputs, outputs) = (output.layer.weights, output.layer.inputs, output.layer.outputs);
        let into = if k == 0 { "n" } else { "z" };
        calls.push(format!("dense(w, {at}, {channels}, {inputs}, {outputs}, {}, {into})", name(output.from)));
        if k > 0 {
            need(Helper::Add);
            calls.push(format!("add({}, n, z, n)", channels * outputs));
        }
    }
    Calls { calls, arrays, helpers }
}
