//! Functions that files give: what is understood, and what is said about mistakes.

use std::fs;
use std::path::Path;

use super::*;
use crate::expr::Node;
use crate::output;

/// A rod that is heated as a file says.
const HEATED: &str = r#"[coordinates]
x = [0, 1]
t = [0, 2]
[tables]
q = { file = "load.csv", of = ["t"] }
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "u_t - u_xx - q(t)*x"
[conditions.start]
place = "t = 0"
residual = "u"
[conditions.ends]
place = ["x = 0", "x = 1"]
residual = "u"
"#;

/// `sin t` at eleven times from 0 to 2, and `x·t²` at nine points of the plane, rows in no order.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String =
        (0..=10).rev().map(|i| f64::from(i) / 5.0).map(|t| format!("{t},{}\n", t.sin())).collect();
    fs::write(folder.path().join("load.csv"), format!("t (s),power [W/m^2]\n{rows}")).unwrap();
    let points = [0, 1, 2].into_iter().flat_map(|x| [2, 0, 1].map(|t| (f64::from(x) / 2.0, f64::from(t))));
    let rows: String = points.map(|(x, t)| format!("{t},{x},7,{}\n", x * t * t)).collect();
    fs::write(folder.path().join("field.csv"), format!("t,x,other,k\n{rows}")).unwrap();
    folder
}

fn build(text: &str, folder: &Path) -> Result<(Problem, Diagnostics), Diagnostics> {
    Document::parse("test.toml", text)?.build(folder)
}

fn good(text: &str, folder: &Path) -> Problem {
    let (problem, warnings) = build(text, folder).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(warnings.is_empty(), "{warnings}");
    problem
}

/// What is said about [`HEATED`] with `from` replaced by `to`, and what the caret is at.
fn check(from: &str, to: &str, expected: &[(&str, &str)]) {
    assert!(HEATED.contains(from), "{from}");
    let text = HEATED.replacen(from, to, 1);
    let folder = folder();
    let said = match build(&text, folder.path()) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    };
    let said: Vec<(String, String)> = said
        .iter()
        .map(|item| {
            let hint = item.hint.as_ref().map_or(String::new(), |hint| format!(" → {hint}"));
            let at = item.span.clone().map_or("", |span| &text[span]);
            (at.to_owned(), item.message.clone() + &hint)
        })
        .collect();
    let said: Vec<(&str, &str)> = said.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
    assert_eq!(said, expected, "{to}");
}

/// The value of the first residual of `condition` where every derivative of the unknown is zero.
fn residual(problem: &Problem, condition: usize, point: [f64; 2]) -> f64 {
    let formula = &problem.conditions[condition].residuals;
    let mut values = vec![];
    formula.graph.eval(&mut values, |node| match node {
        Node::Coordinate { coordinate, .. } => point[coordinate],
        _ => 0.0,
    });
    values[formula.roots[0].index()]
}

#[test]
fn formulas_use_functions_that_files_give() {
    let folder = folder();
    let problem = good(HEATED, folder.path());
    assert!((residual(&problem, 0, [0.5, 1.1]) + 0.5 * 1.1_f64.sin()).abs() < 2e-5);
    assert_eq!(good(&problem.to_toml(), Path::new("/")), problem);
    let described = problem.describe();
    assert!(described.contains("q(t), cubic between 11 points, t from 0 to 2, of "), "{described}");
    // Arguments are formulas, derivatives of the function are called as it is, and those of formulas are exact.
    let (x, t) = (0.5_f64, 0.75_f64);
    for (formula, expected) in [
        ("q(1 - x/2)", 0.75_f64.sin()),
        ("q_t(t)", t.cos()),
        ("q_tt(t*x)", -(t * x).sin()),
        ("power_x", -2.0 * x * (1.0 - x * x + t / 4.0).cos()),
        ("k(x, t)", x * t * t),
        ("k_xt(x, t/2)", t),
        ("k_tt(1 - x, t)", 2.0 * (1.0 - x)),
    ] {
        let text = HEATED
            .replace("[unknowns]", "k = { file = \"field.csv\", of = [\"x\", \"t\"] }\n[definitions]\npower = \"q(1 - x^2 + t/4) + 0*k(x, t)\"\n[unknowns]")
            .replace("q(t)*x", &format!("({formula}) + 0*(power + k(0, 0))"));
        let (problem, _) = build(&text, folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let found = -residual(&problem, 0, [x, t]);
        assert!((found - expected).abs() < 3e-3, "{formula}: {found} {expected}");
        assert_eq!(good(&problem.to_toml(), Path::new("/")), problem);
    }
}

#[test]
fn an_answer_can_be_asked_for_them_and_conditions_hold_exactly_by_them() {
    let folder = folder();
    // Zero at the beginning, and as the table says at one end.
    let text = HEATED.replace(
        "place = [\"x = 0\", \"x = 1\"]\nresidual = \"u\"",
        "place = \"x = 0\"\nresidual = \"u - q(t)\"",
    ) + "[conditions.other]\nplace = \"x = 1\"\nresidual = \"u\"\n";
    let decided = |text: &str| {
        let document = Document::parse("test.toml", text).unwrap();
        crate::auto::complete(&document, folder.path()).unwrap_or_else(|wrong| panic!("{wrong}")).problem
    };
    // What is tried first is not written down.
    let problem = Problem { trial: None, ..decided(&text) };
    let ansatz = problem.unknowns[0].ansatz.as_ref().expect("conditions hold exactly");
    assert!(ansatz.contains("q(t)"), "{ansatz}");
    assert!(problem.conditions.iter().skip(1).all(Condition::is_exact));
    assert_eq!(good(&problem.to_toml(), Path::new("/")), problem);
    // Kinks are not carried into the domain.
    let kinked = decided(&text.replace("of = [\"t\"]", "of = [\"t\"], between = \"linear\""));
    assert!(!kinked.conditions[2].is_exact(), "{:?}", kinked.unknowns);
    let language = Language::new(&problem);
    let formula = language.formula("quantity", "q(t) + q_t(t)*x").unwrap();
    assert_eq!(formula.graph.tables().len(), 1);
}

#[test]
fn mistakes_in_tables_and_in_what_asks_for_them_are_explained() {
    check(
        "of = [\"t\"]",
        "of = [\"x\"]",
        &[(
            "\"load.csv\"",
            "cannot use the file `load.csv`: it has no column `x` → its columns are `t` and `power`",
        )],
    );
    check(
        "of = [\"t\"]",
        "off = [\"t\"]",
        &[("off", "unknown key `off` in a function that a file gives → did you mean `of`?")],
    );
    check("of = [\"t\"]", "of = []", &[("[]", "`q` is of 0 arguments, not of one to three")]);
    check("of = [\"t\"]", "of = [\"t\", \"t\"]", &[("[\"t\", \"t\"]", "`t` is there twice")]);
    check(
        "of = [\"t\"]",
        "of = \"t\"",
        &[("\"t\"", "`of` is a list of names, not a string → for example [\"t\"]")],
    );
    check(
        "of = [\"t\"]",
        "of = [\"t\"], between = \"cubik\"",
        &[("\"cubik\"", "unknown name `cubik` for `between` → did you mean `cubic`?")],
    );
    check(
        "of = [\"t\"]",
        "of = [\"t\"], column = \"heat\"",
        &[(
            "\"load.csv\"",
            "cannot use the file `load.csv`: it has no column `heat` → its columns are `t` and `power`",
        )],
    );
    check(
        "of = [\"t\"]",
        "of = [\"t\"], hash = \"0\"",
        &[(
            "\"0\"",
            "`load.csv` has changed since this file was written → bring the old one back, or remove `hash` to take it as it is now",
        )],
    );
    check("q = {", "x = {", &[("x", "`x` is already a coordinate → choose another name")]);
    check("q = {", "sin = {", &[("sin", "`sin` is a function → choose another name")]);
    check(
        "q = { file = \"load.csv\", of = [\"t\"] }",
        "q = 3",
        &[(
            "3",
            "`q` is a table with a file and its arguments, not an integer → for example `{ file = \"load.csv\", of = [\"t\"], between = \"cubic\" }`",
        )],
    );
    check(" - q(t)*x", "", &[("q", "`q` is never used")]);
    check(
        "q(t)",
        "q",
        &[("q", "`q` is a function that a table gives, and has no arguments here → write `q(t)`")],
    );
    check("q(t)", "q(x, t)", &[("q(x, t)", "`q` takes one argument, not 2 → write `q(t)`")]);
    check("q(t)", "p(t)", &[("p", "unknown function `p` → for a product write `p*(...)`")]);
    check(
        "q(t)",
        "q(u)",
        &[(
            "q(u)",
            "`q` is asked for at what training changes → a table is a function of coordinates, known parameters and data columns; write one of an unknown as a formula",
        )],
    );
    check(
        "q(t)",
        "q_tttt(t)",
        &[(
            "\"u_t - u_xx - q_tttt(t)*x\"",
            "this needs the derivative of order 4 of `q` along `t`, which is cubic between its points and has derivatives up to order 3 → write what it is of the equation without this derivative, or smooth the data by a formula",
        )],
    );
    check(
        "of = [\"t\"] }",
        "of = [\"t\"], between = \"linear\" }\n[definitions]\np = \"q(t)*x\"",
        &[("p", "`p` is never used")],
    );
    check(
        "q(t)",
        "q(t + 1)",
        &[(
            "\"u_t - u_xx - q(t + 1)*x\"",
            "`q` is asked for at t = 3, and its table goes from 0 to 2 (at x = 0, t = 2) → let the file reach as far, or say `outside = \"hold\"` for the value at its end",
        )],
    );
    check("of = [\"t\"] }", "of = [\"t\"], outside = \"hold\" }", &[]);
    // Where it is asked for on a face alone, only the face counts.
    check(
        "residual = \"u\"\n[conditions.ends]",
        "residual = \"u - 0*x - (q(t + x/2) - q(x/2))\"\n[conditions.ends]",
        &[],
    );
}

#[test]
fn what_is_linear_has_no_second_derivative_whoever_asks() {
    let with = |between: &str, residual: &str| {
        let text = HEATED
            .replace(
                "of = [\"t\"] }",
                &format!("of = [\"t\"], between = \"{between}\" }}\n[definitions]\np = \"q(t)*x\""),
            )
            .replace("q(t)*x\"\n[conditions.start]", &format!("{residual}\"\n[conditions.start]"));
        build(&text, folder().path()).map_err(|mistakes| mistakes.to_string())
    };
    assert!(with("linear", "p_t").is_ok() && with("cubic", "p_tt").is_ok());
    let refused = with("linear", "p_tt").unwrap_err();
    assert!(refused.contains("the derivative of order 2 of `q` along `t`, which is linear"), "{refused}");
    let features = "p\"\n[network]\nfeatures = [\"x\", \"q(t)\"]\n[conditions.more]\nplace = \"interior\"\nresidual = \"u_tt";
    let refused = with("linear", features).unwrap_err();
    assert!(refused.contains("the derivative of order 2 of `q` along `t`, which is linear"), "{refused}");
    assert!(with("cubic", features).is_ok());
    let refused = with("nearest", "p_t").unwrap_err();
    assert!(refused.contains("which is nearest between its points and has no derivative"), "{refused}");
}

#[test]
fn tables_of_several_arguments_are_grids_whatever_their_format() {
    let folder = folder();
    let with = |name: &str, of: &str| {
        let text = HEATED
            .replace(
                "q = { file = \"load.csv\", of = [\"t\"] }",
                &format!("q = {{ file = \"{name}\", of = {of} }}"),
            )
            .replace("q(t)*x", "q(x, t)");
        build(&text, folder.path()).map(|(problem, _)| problem).map_err(|mistakes| mistakes.to_string())
    };
    let wrong = with("field.csv", "[\"x\", \"t\"]").unwrap_err();
    assert!(wrong.contains("it does not say which column holds the values of `q`"), "{wrong}");
    fs::write(folder.path().join("hole.csv"), "x,t,q\n0,0,1\n0,2,2\n1,0,3\n").unwrap();
    let wrong = with("hole.csv", "[\"x\", \"t\"]").unwrap_err();
    assert!(wrong.contains("it has no row at x = 1, t = 2"), "{wrong}");
    fs::write(folder.path().join("twice.csv"), "x,t,q\n0,0,1\n0,2,2\n1,0,3\n1,2,3\n1,-0,3\n").unwrap();
    let wrong = with("twice.csv", "[\"x\", \"t\"]").unwrap_err();
    assert!(wrong.contains("line 4 and line 6 are both at x = 1, t = -0"), "{wrong}");
    fs::write(folder.path().join("flat.csv"), "x,t,q\n0,0,1\n0,2,2\n").unwrap();
    let wrong = with("flat.csv", "[\"x\", \"t\"]").unwrap_err();
    assert!(wrong.contains("`x` has one value in it, and two are the least"), "{wrong}");

    // The same numbers as CSV, as npy and as npz.
    let rows: Vec<[f64; 3]> =
        (0..12).map(|i| [f64::from(i / 4) / 2.0, f64::from(i % 4) * 2.0 / 3.0, f64::from(i * i)]).collect();
    let lines: String = rows.iter().rev().map(|[x, t, q]| format!("{q},{t:?},{x:?}\n")).collect();
    fs::write(folder.path().join("grid.csv"), format!("q,t,x\n{lines}")).unwrap();
    let names = ["x", "t", "values"].map(String::from);
    let axes = vec![vec![0.0, 0.5, 1.0], (0..4).map(|i| f64::from(i) * 2.0 / 3.0).collect()];
    for (ending, layout) in [("npy", output::Layout::Points), ("npz", output::Layout::Grid(axes))] {
        let mut all = Some(rows.concat());
        let mut table = output::Table {
            names: &names,
            coordinates: 2,
            time: None,
            layout: &layout,
            count: Some(12),
            rows: &mut || Ok(all.take()),
        };
        let mut bytes = vec![];
        output::by_ending(ending).numbers.unwrap()(&mut table, &mut bytes).unwrap();
        fs::write(folder.path().join(format!("grid.{ending}")), bytes).unwrap();
    }
    let [csv, npy, npz] = ["grid.csv", "grid.npy", "grid.npz"]
        .map(|name| with(name, "[\"x\", \"t\"]").unwrap().tables[0].clone());
    assert_eq!(csv.function, npy.function);
    assert_eq!(csv.function, npz.function);
    assert_eq!(csv.function.evaluate(&[0.5, 2.0 / 3.0], &[0, 0]), 25.0);
}
