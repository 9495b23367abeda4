//! The integration tests, one binary.

#[cfg(any(feature = "burn", feature = "cuda"))]
mod agreement;
#[cfg(feature = "burn")]
mod burn;
mod cli;
mod configs;
#[cfg(feature = "cuda")]
mod cuda;
mod data;
mod dimensions;
mod docs;
mod engine;
mod export;
mod finance;
mod inputs;
mod integrals;
mod library;
mod networks;
mod paths;
mod plain;
mod predict;
mod recovery;
mod reliability;
mod resume;
mod second_order;
mod shapes;
mod signal;
mod structure;
mod sweep;
mod train;
mod verdict;
mod windows;

use std::path::Path;

use pinn::problem::{Document, Problem, embedded};

/// The problem of a complete file.
fn problem(text: &str) -> Problem {
    let document = Document::parse("test.toml", text).and_then(|document| document.build(Path::new("")));
    document.unwrap_or_else(|wrong| panic!("{wrong}")).0
}

/// How far `found` is from `expected`, relative to its size.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().copied()).max(1e-30);
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / size
}

/// A stage of `steps` steps for every method and every one of its variants.
fn every_method(steps: usize) -> Vec<String> {
    let methods = [
        "adam",
        "lbfgs",
        "lm",
        "lm scaling = \"diagonal\"",
        "lm solver = \"cholesky\"",
        "lm solver = \"cg\"",
        "ssbfgs",
        "ssbroyden",
        "ssbroyden logarithm = true",
    ];
    let stage = |method: &str| {
        let (name, setting) = method.split_once(' ').unwrap_or((method, ""));
        let comma = if setting.is_empty() { "" } else { ", " };
        format!("{{ {name} = {{ steps = {steps}{comma}{setting} }} }}")
    };
    methods.map(stage).to_vec()
}

/// A built-in problem with some values changed.
fn embedded_problem(name: &str, changes: &[(&str, &str)]) -> Problem {
    let (_, text) = embedded().iter().find(|(known, _)| *known == name).expect("a built-in problem");
    let mut document = Document::parse(name, text).expect("TOML");
    for (key, value) in changes {
        document.set(key, value).expect("a key");
    }
    document.build(Path::new("")).unwrap_or_else(|wrong| panic!("{wrong}")).0
}
