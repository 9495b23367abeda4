//! Problems that have one answer, none, or many, and what is said of them.

use std::path::Path;

use super::Posedness;
use crate::problem::{Document, Problem};

const X: &str = "x = [0, 1]";
const PI: &str = "x = [0, \"pi\"]";
const T: &str = "t = [0, 1]";
const XT: &str = "x = [0, 1]\nt = [0, 1]";
const XY: &str = "x = [0, 1]\ny = [0, 1]";
const U: &str = "u = {}";
const UV: &str = "u = {}\nv = {}";
const FLOW: &str = "u = {}\nv = {}\np = {}";

/// Conditions `c0`, `c1`, … by their places and residuals.
fn problem(coordinates: &str, unknowns: &str, conditions: &[(&str, &str)]) -> Problem {
    let (parameters, unknowns) = unknowns.split_once("---").unwrap_or(("", unknowns));
    let mut text =
        format!("[coordinates]\n{coordinates}\n[parameters]\n{parameters}\n[unknowns]\n{unknowns}\n");
    for (i, (place, residual)) in conditions.iter().enumerate() {
        let quoted = |text: &str| if text.starts_with('[') { text.to_owned() } else { format!("\"{text}\"") };
        text += &format!("[conditions.c{i}]\nplace = {}\n", quoted(place));
        if !residual.is_empty() {
            text += &format!("residual = {}\n", quoted(residual));
        }
    }
    let built = Document::parse("test.toml", &text).and_then(|document| document.build(Path::new(".")));
    built.unwrap_or_else(|wrong| panic!("{wrong}")).0
}

/// What is open has `part` in its message or its hint.
#[track_caller]
fn open(coordinates: &str, unknowns: &str, conditions: &[(&str, &str)], parts: &str) {
    let found = problem(coordinates, unknowns, conditions).posedness();
    let Posedness::UnderDetermined(gaps) = &found else { panic!("{conditions:?}: {found:?}") };
    for part in parts.split(" & ") {
        let said = format!("{} → {}", gaps[0].message, gaps[0].hint);
        assert!(said.contains(part), "{conditions:?}: `{part}` is missing in {said}");
    }
}

#[track_caller]
fn contradictory(coordinates: &str, unknowns: &str, conditions: &[(&str, &str)], which: &[usize]) {
    let found = problem(coordinates, unknowns, conditions).posedness();
    let Posedness::Contradictory(contradiction) = &found else { panic!("{conditions:?}: {found:?}") };
    assert_eq!(contradiction.conditions, which, "{conditions:?}: {contradiction:?}");
}

#[track_caller]
fn silent(coordinates: &str, unknowns: &str, conditions: &[(&str, &str)]) {
    assert_eq!(problem(coordinates, unknowns, conditions).posedness(), Posedness::NoDoubt, "{conditions:?}");
}

#[test]
fn conditions_that_fix_the_same_constant_leave_another_open() {
    open(
        "x = [\"pi/2\", \"pi\"]",
        "a = {}\nb = {}",
        &[("interior", "[\"a_x - b\", \"b_x + a\"]"), ("x = pi/2", "a - 1"), ("x = pi", "b + 1")],
        "`a + c*cos(x)` and `b - c*sin(x)` & `c1` and `c2` say the same & the value of `a` at `x = 3.141592653589793`",
    );
    open(PI, U, &[("interior", "u_xx + 9*u"), ("boundary", "u")], "`u + c*sin(3*x)` & such as");
    open(
        X,
        U,
        &[("interior", "u_xxx - 1"), ("x = 0", "[\"u\", \"u_xx\"]"), ("x = 1", "u_xx - 1")],
        "`u + c*x`",
    );
    open(
        "x = [0, \"2*pi\"]",
        U,
        &[("interior", "u_xx + u - cos(2*x)"), ("periodic x", "")],
        "not everything",
    );
    // With the other value at an end, or on a longer interval, everything is fixed.
    silent(
        "x = [\"pi/2\", \"pi\"]",
        "a = {}\nb = {}",
        &[("interior", "[\"a_x - b\", \"b_x + a\"]"), ("x = pi/2", "a - 1"), ("x = pi", "a")],
    );
    silent("x = [0, 3]", U, &[("interior", "u_xx + u"), ("boundary", "u - x")]);
}

#[test]
fn a_start_tells_everything_however_much_grows_out_of_it() {
    silent("t = [0, 50]", U, &[("interior", "u_t - u"), ("t = 0", "u - 1")]);
    silent("t = [0, 50]", "u = \"1 + 2e21*tanh(0.6*t)*net\"", &[("interior", "u_t - u"), ("t = 0", "u - 1")]);
    silent("t = [0, 40]", U, &[("interior", "u_tt - u"), ("t = 0", "[\"u - 1\", \"u_t + 1\"]")]);
    let blows_up = problem("t = [0, 2]", U, &[("interior", "u_t - u^2"), ("t = 0", "u - 1")]).posedness();
    let Posedness::BlowsUp(found) = &blows_up else { panic!("{blows_up:?}") };
    assert!(found.at == 1.0 && found.message.contains("near `t = 1`"), "{found:?}");
}

#[test]
fn a_free_function_is_named_with_what_is_missing() {
    open(X, U, &[("interior", "u_x + u")], "1 condition along `x` & there is none & `u + c*exp(-x)`");
    open(X, U, &[("interior", "u_xx + u"), ("x = 0", "u - 1")], "there is 1 & `u + c*sin(x)`");
    let flow =
        "[\"u_x + v_y\", \"u*u_x + v*u_y + p_x - u_xx - u_yy\", \"u*v_x + v*v_y + p_y - v_xx - v_yy\"]";
    open(XY, FLOW, &[("interior", flow), ("boundary", "[\"u - y\", \"v\"]")], "`p` & `p + c`");
    open(T, U, &[("interior", "u_t - u*(1 - u)")], "every start value is a condition at `t = 0`");
}

#[test]
fn parameters_that_cannot_be_told_apart_are_named() {
    let data = [("interior", "u_x + a*b*u"), ("x = 0", "u - 1"), ("x = 1", "u - 0.3")];
    open(X, "a = { initial = 1 }\nb = { initial = 2 }---u = {}", &data, "do not tell `a` and `b` apart");
    silent(X, "a = { initial = 1 }---u = {}", &[("interior", "u_x + a*u"), data[1], data[2]]);
}

#[test]
fn contradictions_are_found_with_the_conditions_that_make_them() {
    let poisson = ("interior", "u_xx");
    contradictory(X, U, &[poisson, ("x = 0", "u - 1"), ("x = 0", "u - 2"), ("x = 1", "u")], &[1, 2]);
    // However great the other terms are.
    contradictory(
        X,
        U,
        &[("interior", "u_xx - 1e6"), ("x = 1", "u"), ("x = 0", "u - 1"), ("x = 0", "u - 2")],
        &[2, 3],
    );
    let heat = ("interior", "u_t - u_xx");
    let twice = [heat, ("t = 0", "u - sin(pi*x)"), ("boundary", "u"), ("t = 0", "u - 2*sin(pi*x)")];
    contradictory(XT, U, &twice, &[1, 3]);
    // Along the face.
    contradictory(
        XY,
        U,
        &[("interior", "u_xx + u_yy"), ("y = 0", "u - x"), ("y = 0", "u_x"), ("y = 1", "u")],
        &[1, 2],
    );
    // By an ansatz.
    contradictory(
        XT,
        "u = \"x*net\"",
        &[heat, ("t = 0", "u - x"), ("x = 0", "u - 1"), ("x = 1", "u - 1")],
        &[2],
    );
    // By the equations.
    contradictory(X, U, &[("interior", "u_xx - 1"), ("boundary", "u_x")], &[0, 1]);
    contradictory(X, U, &[("interior", "u_x + u"), ("x = 0", "u - 1"), ("x = 1", "u - 1")], &[0, 1, 2]);
}

#[test]
fn what_cannot_be_told_is_not_said() {
    // The ansatz ends in sin(π), which is zero but for rounding.
    let exact = "u = { ansatz = \"sin(pi*x) + 0.5*sin(3*pi*x) + x*(1 - x)*t^2*net\" }";
    silent(XT, exact, &[("interior", "u_tt - u_xx"), ("t = 0", "u_t"), ("x = 0", "u"), ("x = 1", "u")]);
    // More conditions than are needed, that agree, if only to the digits that they have.
    silent(X, U, &[("interior", "u_x + u"), ("x = 0", "u - 1"), ("x = 1", "u - exp(-1)")]);
    // Solutions that grow or fall by twenty digits, weak terms, functions that polynomials do not follow.
    silent(T, U, &[("interior", "u_t - 50*u"), ("t = 0", "u - 1")]);
    silent(T, U, &[("interior", "u_t + 50*u"), ("t = 1", "u - 1")]);
    silent(T, U, &[("interior", "u_tt - 900*u"), ("t = 0", "[\"u - 1\", \"u_t\"]")]);
    silent(X, U, &[("interior", "u_xx - 1e-8*u - 1"), ("boundary", "u_x")]);
    silent(X, U, &[("interior", "u_xx"), ("x = 0", "u_x - 1e-9*u"), ("x = 1", "u_x")]);
    silent(X, U, &[("interior", "u_xx - step(x - 0.37)"), ("boundary", "u")]);
    silent(X, U, &[("interior", "u_xx - sin(300*x)"), ("boundary", "u")]);
    // Values that meet in corners only, or on parts of a face that have nothing in common.
    silent(XT, U, &[("interior", "u_t - u_xx"), ("t = 0", "u - 1"), ("boundary", "u")]);
    let parts = "[\"step(y - 0.5)*(u - 1)\", \"(1 - step(y - 0.5))*(u - 2)\"]";
    silent(
        XY,
        U,
        &[("interior", "u_xx + u_yy"), ("x = 0", parts), ("x = 1", "u"), ("[\"y = 0\", \"y = 1\"]", "u_y")],
    );
    silent(
        XY,
        FLOW,
        &[
            ("interior", "[\"u_x + v_y\", \"p_x - u_xx - u_yy\", \"p_y - v_xx - v_yy\"]"),
            ("y = 1", "[\"u - 1\", \"v\"]"),
            ("[\"x = 0\", \"x = 1\", \"y = 0\"]", "[\"u\", \"v\"]"),
            ("x = 0, y = 1", "p"),
        ],
    );
    // Singular at an axis, of mixed orders, with units far from one.
    silent(XT, U, &[("interior", "u_t - u_xx - u_x/x"), ("t = 0", "u - 1"), ("x = 1", "u")]);
    silent(
        XT,
        UV,
        &[
            ("interior", "[\"u_t - u_xx\", \"v_x\"]"),
            ("t = 0", "[\"u\", \"v\"]"),
            ("boundary", "u"),
            ("x = 0", "v_t - u_x"),
        ],
    );
    silent(
        "x = [0, 1e-6]\nt = [0, 1e7]",
        U,
        &[("interior", "2e9*u_t - 1e-10*u_xx"), ("t = 0", "u - 1e4"), ("boundary", "u - 1e4")],
    );
}

#[test]
fn an_ansatz_may_be_small_beside_what_it_adds_to() {
    // A dopant: 1e20 at the surface, and a network that is worth a hundred-thousandth of that.
    let unknown = "N = { ansatz = \"1e20 + 1e15*x/3*tanh(1.5*t)*net\" }";
    let conditions =
        [("interior", "N_t - 0.04*N_xx"), ("t = 0", "N - 1e20"), ("x = 0", "N - 1e20"), ("x = 3", "N_x")];
    let found = problem("x = [0, 3]\nt = [0, 2]", unknown, &conditions).posedness();
    assert!(matches!(found, Posedness::NoDoubt), "{found:?}");
}

#[test]
fn an_ansatz_that_is_zero_but_for_rounding_needs_no_condition_there() {
    let heat = [("interior", "u_t - u_xx")];
    for factor in ["x*(1 - x)", "sin(pi*x)", "sin(3*pi*x)^3"] {
        silent(XT, &format!("u = \"{factor}*(1 + t*net)\""), &heat);
    }
    open(XT, "u = \"cos(pi*x)*(1 + t*net)\"", &heat, "need 2 conditions along `x` & there is none");
    open(XT, "u = \"(1 - x)*(1 + t*net)\"", &heat, "need 2 conditions along `x` & there is 1");
}
