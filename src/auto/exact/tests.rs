//! What is derived, and that it holds, derivatives included, whatever the network says.

use std::path::Path;

use super::*;
use crate::problem::{Document, Problem};

/// A file as it is, and with what is derived for it.
fn both(text: &str) -> (Problem, Exact, Problem) {
    let mut document = Document::parse("test.toml", text).unwrap();
    let (plain, _) = document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}"));
    let sizes = vec![Size { offset: 0.0, size: 1.0 }; plain.unknowns.len()];
    let exact = exact(&plain, &sizes, true);
    for Decision { key, value, .. } in exact.decisions(&plain) {
        document.set_as("autopilot", &key, &value).unwrap();
    }
    let (problem, _) = document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}"));
    (plain, exact, problem)
}

/// The conditions of `text` hold to rounding where they are exact; `expected` are the ansatzes, and then what stays a loss.
fn check(text: &str, ansatz: &[&str], losses: &[&str]) {
    let (_, exact, problem) = both(text);
    for condition in problem.conditions.iter().filter(|condition| condition.is_exact()) {
        let left = match condition.place.periodic() {
            Some(_) => f64::from(u8::from(!holds::holds(&problem, condition))),
            None => holds::left_on_faces(&problem, condition),
        };
        assert!(left < 1e-13, "{}: {left}, {:?}", condition.name, exact.ansatz);
    }
    let found: Vec<&str> = exact.ansatz.iter().map(|ansatz| ansatz.as_deref().unwrap_or("net")).collect();
    assert_eq!(found, ansatz);
    let ways = problem.conditions.iter().zip(&exact.ways);
    let found: Vec<String> = ways
        .filter_map(|(condition, way)| {
            let way = way.as_ref().filter(|way| way.enforce == Enforce::Loss)?;
            Some(format!("{}: {}", condition.name, way.why))
        })
        .collect();
    assert_eq!(found, losses);
}

/// A problem of one unknown in x over [0, 1] and perhaps more.
fn file(more: &str, equation: &str, conditions: &[(&str, &str)]) -> String {
    let mut text = format!(
        "[coordinates]\n{more}\n[parameters]\nk = 2\n[unknowns]\nu = {{}}\n[conditions.equation]\nplace = \"interior\"\n\
         residual = \"{equation}\"\n"
    );
    for (i, (place, residual)) in conditions.iter().enumerate() {
        text += &format!("[conditions.c{i}]\nplace = {place}\nresidual = {residual}\n");
    }
    text
}

#[test]
fn values_in_one_coordinate() {
    let line = |conditions: &[(&str, &str)]| file("x = [0, 100]", "u_xx + k", conditions);
    check(&line(&[("'x = 0'", "'u'"), ("'x = 100'", "'u - 1'")]), &["x/100 + 4*(x/100)*((100 - x)/100)*net"], &[]);
    check(&line(&[("['x = 0', 'x = 100']", "'3*(u - k)'")]), &["k + 4*(x/100)*((100 - x)/100)*net"], &[]);
}

#[test]
#[ignore]
fn overlays() {
    for entry in std::fs::read_dir(std::env::var("CASES").unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") { continue; }
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let document = Document::parse(&format!("{stem}.toml"), &text).unwrap();
        let (plain, _) = document.build(path.parent().unwrap()).unwrap_or_else(|wrong| panic!("{stem} {wrong}"));
        let sizes = vec![Size { offset: 0.0, size: 1.0 }; plain.unknowns.len()];
        let start = std::time::Instant::now();
        let exact = exact(&plain, &sizes, !text.contains("features"));
        let took = start.elapsed().as_secs_f64();
        let mut out = String::new();
        println!("== {stem} {took:.3} s");
        for Decision { key, value, why } in exact.decisions(&plain) {
            let shown: String = value.chars().take(400).collect();
            println!("  {key} = {shown}   # {why}");
            out += &format!("{key} = {value}\n");
        }
        std::fs::write(Path::new(&std::env::var("OUT").unwrap()).join(format!("{stem}.toml")), out).unwrap();
    }
}
