//! Whole problem files: what is understood, and what is said about mistakes.

use std::fs;
use std::path::Path;

use super::*;
use crate::activation::Activation;
use crate::settings::{Sampler, Stage};

/// A small problem without mistakes, to put some in.
const GOOD: &str = r#"[coordinates]
x = [0, 1]
t = [0, 2]
[parameters]
nu = 0.1
[definitions]
flux = "u^2/2"
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "u_t + flux_x - nu*u_xx"
points = 50
[conditions.initial]
place = "t = 0"
residual = "u - x"
weight = 2
[reference]
solution = { u = "x/(1 + t)" }
[conditions.walls]
place = "boundary"
residual = "u - x/(1 + t)"
"#;

fn build(text: &str) -> Result<(Problem, Diagnostics), Diagnostics> {
    Document::parse("test.toml", text)?.build(Path::new("."))
}

fn good(text: &str) -> Problem {
    let (problem, warnings) = build(text).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(warnings.is_empty(), "{warnings}");
    problem
}

/// Each mistake or warning as `line:column message → hint`.
fn summary(diagnostics: &Diagnostics, text: &str) -> Vec<String> {
    let place = |item: &Diagnostic| {
        let before = &text[..item.span.as_ref()?.start];
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Some(format!("{}:{column} ", before.matches('\n').count() + 1))
    };
    let shown = |item: &Diagnostic| {
        let hint = item.hint.as_ref().map(|hint| format!(" → {hint}"));
        let said = place(item).unwrap_or_default() + &item.message + &hint.unwrap_or_default();
        let here = std::path::absolute(".").unwrap();
        said.replace(here.to_str().unwrap(), "HERE")
    };
    diagnostics.iter().map(shown).collect()
}

/// What is said about [`GOOD`] with `from` replaced by `to`.
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    let said = match build(&text) {
        Ok((_, warnings)) => summary(&warnings, &text),
        Err(mistakes) => summary(&mistakes, &text),
    };
    assert_eq!(said, expected, "{to}");
}

#[test]
fn mistakes_are_shown_with_place_and_advice() {
    let text = GOOD.replace("u_xx", "u_xy").replace("t = 0", "t = 3");
    let text = text.replace("points", "pints");
    let expected = "\
error: `xy` in `u_xy` is not a row of coordinates
  --> test.toml:12:31
   |
12 | residual = \"u_t + flux_x - nu*u_xy\"
   |                               ^^^^
   |
   = help: the coordinates are `x` and `t`

error: unknown key `pints` in a condition
  --> test.toml:13:1
   |
13 | pints = 50
   | ^^^^^
   |
   = help: did you mean `points`?

error: t = 3 lies outside the domain [0, 2]
  --> test.toml:15:10
   |
15 | place = \"t = 3\"
   |          ^^^^^
   |
   = help: its ends are `t = 0` and `t = 2`, and any value between them will do";
    let mistakes = build(&text).unwrap_err();
    assert_eq!(mistakes.render(false), expected);
    assert_eq!(mistakes.to_string(), expected);
    // In colour, the same words.
    let colored = mistakes.render(true);
    assert!(colored.contains('\u{1b}') && colored.contains("did you mean `points`?"));
}

#[test]
fn declarations_are_checked() {
    check(
        "x = [0, 1]",
        "x = [1, 1]",
        &["2:5 the domain of `x` is empty: [1, 1] → the first end is below the second"],
    );
    check(
        "x = [0, 1]",
        "x = [0, 1e-320]",
        &["2:5 the domain [0, 1e-320] of `x` is beyond double precision → choose another unit"],
    );
    check(
        "x = [0, 1]",
        "x = [1, 0]",
        &["2:5 the domain of `x` is empty: [1, 0] → the first end is below the second"],
    );
    check(
        "x = [0, 1]",
        "x = {}",
        &["2:1 the coordinate `x` has no domain → give its two ends, for example [0, 1]"],
    );
    check(
        "x = [0, 1]",
        "x = \"0 to 1\"",
        &["2:5 the coordinate `x` has no domain → give its two ends, for example [0, 1]"],
    );
    check(
        "x = [0, 1]",
        "x = { domain = [0, \"2*q\"], units = \"m\" }",
        &[
            "2:23 unknown symbol `q` → declare it under [parameters], [definitions] or [unknowns]",
            "2:28 unknown key `units` in a coordinate → did you mean `unit`?",
        ],
    );
    check(
        "x = [0, 1]\nt = [0, 2]\n",
        "",
        &["1:1 the problem has no coordinates → write [coordinates] and, for example, `x = [0, 1]`"],
    );
    check("u = {}", "", &["8:1 the problem has no unknowns → write [unknowns] and, for example, `u = {}`"]);
    check(
        "u = {}",
        "u = {}\nv = {}",
        &["10:1 no residual uses the unknown `v` → add its equation to [conditions], or remove it"],
    );
    check(
        "u = {}",
        "u = {}\nu_x = {}",
        &["10:1 `u_x` is also the name of a derivative → choose another name"],
    );
    check(
        "u = {}",
        "x = {}\nsin = {}\n\"a b\" = {}",
        &[
            "9:1 `x` is already a coordinate → choose another name",
            "10:1 `sin` is a function → choose another name",
            "11:1 `a b` is not a name: a letter, then letters, digits and underscores → choose another name",
        ],
    );
    check("u = {}", "u = \"x*nett\"", &["9:8 unknown symbol `nett` → did you mean `net`?"]);
    check(
        "u = {}",
        "u = \"x*t\"",
        &[
            "9:5 the ansatz of `u` does not use the network → `net` is the network's raw output, as in `t*net`",
        ],
    );
    check(
        "u = {}",
        "u = \"flux*net\"",
        &[
            "9:6 `flux` needs an unknown, which an ansatz cannot use → make what it needs of coordinates and parameters a \
             definition of its own",
        ],
    );
    // What is wrong with a definition is said once.
    check(
        "[unknowns]\nu = {}",
        "wrong = \"2*y\"\n[unknowns]\nu = \"wrong*net\"",
        &["8:12 unknown symbol `y` → declare it under [parameters], [definitions] or [unknowns]"],
    );
    check("nu = 0.1", "nu = \"1/0\"", &["5:6 the parameter `nu` is not a finite number"]);
    check("nu = 0.1", "nu = inf", &["5:6 this is not a finite number"]);
    check(
        "nu = 0.1",
        "nu = \"2*mu\"\nmu = 1",
        &["5:9 `mu` is used before it is declared → move `mu` above this line"],
    );
    check(
        "nu = 0.1",
        "nu = 0.1\nmu = true",
        &["6:6 expected a number or a formula in quotes, not a boolean"],
    );
    check("nu = 0.1", "nu = 0.1\nmu = 1", &["6:1 `mu` is never used"]);
    check(
        "\"u^2/2\"",
        "\"u^2/2 + w\"",
        &["7:17 unknown symbol `w` → declare it under [parameters], [definitions] or [unknowns]"],
    );
    check(
        "\"u^2/2\"",
        "\"u_xxxx\"",
        &[
            "12:19 `flux_x` has order 5, derivatives go up to order 4 (`flux` itself holds derivatives) → make an intermediate quantity an unknown of its own, for example `w` with the residual `w - flux_xx`",
        ],
    );
    check(
        "[parameters]",
        "[parameter]",
        &[
            "4:2 unknown key `parameter` in a problem file → did you mean `parameters`?",
            "12:28 unknown symbol `nu` → declare it under [parameters], [definitions] or [unknowns]",
        ],
    );
    check(
        "[coordinates]",
        "problem = \"burgers\"\n[coordinates]",
        &[
            "1:1 `problem` belongs in a run configuration, not in a problem file → pass the file as a configuration (--config), or remove the line",
        ],
    );
    let many: String = (0..101).map(|i| format!("x{i} = [0, 1]\n")).collect();
    check("x = [0, 1]\n", &many, &["103:1 there are more than 101 coordinates"]);
    check(
        "x = [0, 1]\n",
        "x = { domain = [0, 1], count = 101 }\n",
        &["3:1 there are more than 101 coordinates"],
    );
    let hint = "`x = { domain = [0, 1], count = 10 }` is x1 to x10";
    for wrong in ["0", "1.5", "\"many\""] {
        let expected = format!("2:32 `count` is a whole number from 1 to 101 → {hint}");
        check("x = [0, 1]\n", &format!("x = {{ domain = [0, 1], count = {wrong} }}\n"), &[&expected]);
    }
}

/// A problem in `count` coordinates of space, and time.
fn repeated(count: usize, residual: &str) -> String {
    format!(
        "[coordinates]\nx = {{ domain = [0, 1], count = {count} }}\nt = [0, 1]\n[unknowns]\nu = {{}}\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"{residual}\"\npoints = 10\n\
         [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - sum(x[i], i)\"\n\
         [conditions.walls]\nplace = \"boundary\"\nresidual = \"u - sum(x[i], i)\"\n"
    )
}

#[test]
fn coordinates_are_repeated() {
    let short = good(&repeated(3, "u_t - laplacian(u)"));
    let names: Vec<&str> = short.coordinates.iter().map(|c| &c.name[..]).collect();
    assert_eq!(names, ["x1", "x2", "x3", "t"]);
    let long = repeated(3, "u_t - (u_x1x1 + u_x2x2 + u_x3x3)").replace("sum(x[i], i)", "(x1 + x2 + x3)");
    let long =
        good(&long.replace("x = { domain = [0, 1], count = 3 }", "x1 = [0, 1]\nx2 = [0, 1]\nx3 = [0, 1]"));
    for (short, long) in short.conditions.iter().zip(&long.conditions) {
        assert_eq!((&short.jets, &short.place), (&long.jets, &long.place));
        let row = [0.3, 0.1, 0.7, 0.9];
        assert_eq!(short.residuals.evaluate(&row, 4).len(), long.residuals.evaluate(&row, 4).len());
    }
    // One of them may have a domain of its own.
    let own = repeated(3, "u_t - laplacian(u)").replace("t = [0, 1]", "x2 = { domain = [0, 5] }\nt = [0, 1]");
    let uppers: Vec<f64> = good(&own).coordinates.iter().map(|c| c.upper).collect();
    assert_eq!(uppers, [1.0, 5.0, 1.0, 1.0]);
}

#[test]
fn a_hundred_coordinates_are_no_more_work_than_they_are() {
    let problem = good(&repeated(100, "u_t - laplacian(u)"));
    assert_eq!(problem.coordinates.len(), 101);
    // The value, every slope, and a second derivative each.
    assert_eq!(problem.conditions[0].jets.channels(), 1 + 101 + 100);
    // Each of the 200 faces has a hundred points.
    assert_eq!((problem.conditions[2].place.faces().len(), problem.conditions[2].points), (200, 20000));
    assert_eq!(problem.reference_points().len() / 101, 200_000 / 101);
    let again = good(&problem.to_toml());
    assert_eq!(Problem { name: problem.name.clone(), ..again }, problem);
    assert!(problem.describe().contains("x1 … x100, 100 of them, from 0 to 1"));
    assert!(problem.describe().contains("walls: boundary, 200 faces, 20,000 points"));
    assert_eq!(problem.posedness(), Posedness::NoDoubt);
    let completed = crate::auto::complete(
        &Document::parse("test.toml", &repeated(100, "u_t - laplacian(u)")).unwrap(),
        Path::new(""),
    );
    let completed = completed.unwrap_or_else(|wrong| panic!("{wrong}")).problem;
    // The start holds exactly, the walls cannot.
    let exact: Vec<bool> = completed.conditions.iter().map(Condition::is_exact).collect();
    assert_eq!(exact, [false, true, false]);
}

#[test]
fn answers_in_many_coordinates_are_measured_all_over_the_domain() {
    let text = repeated(9, "u_t - laplacian(u)");
    let grid = |grid: &str| format!("{text}[reference]\nsolution = {{ u = \"sum(x[i], i)\" }}\n{grid}");
    let points = good(&grid("")).reference_points();
    assert_eq!(points.len(), 10_000 * 10);
    for coordinate in 0..10 {
        // Means and squares of evenly spread numbers.
        let along: Vec<f64> = points.iter().skip(coordinate).step_by(10).copied().collect();
        let mean = |power: i32| along.iter().map(|x| x.powi(power)).sum::<f64>() / along.len() as f64;
        assert!((mean(1) - 0.5).abs() < 2e-3 && (mean(2) - 1.0 / 3.0).abs() < 2e-3, "{coordinate}");
        let with_next = points.chunks_exact(10).map(|row| row[coordinate] * row[(coordinate + 1) % 10]);
        assert!((with_next.sum::<f64>() / 1e4 - 0.25).abs() < 4e-3, "{coordinate}");
    }
    let some = good(&grid("grid = { points = 50, x2 = { from = 0.5 } }"));
    assert_eq!(some.reference_points().len(), 50 * 10);
    assert!(some.reference_points().chunks_exact(10).all(|row| row[1] >= 0.5));
    let again = good(&some.to_toml());
    assert_eq!(again.reference, some.reference);
    let wrong = build(&grid("grid = { points = 50, x2 = 7 }")).unwrap_err();
    assert!(wrong.to_string().contains("none has a number of its own"), "{wrong}");
    let wrong = build(&grid("grid = { x2 = 1000 }")).unwrap_err();
    assert!(wrong.to_string().contains("`grid = { points = 10000 }` spreads"), "{wrong}");
}

#[test]
fn conditions_are_checked() {
    check(
        "place = \"interior\"\n",
        "",
        &[
            "10:13 the condition `physics` has no place → a place is `interior`, `boundary`, a face such as `t = 0`, a list of faces, `periodic x`, or { file = \"points.csv\" }",
        ],
    );
    check(
        "weight = 2",
        "scale = 0",
        &["17:9 the scale is 0, which is not positive → residuals are divided by their scales"],
    );
    check(
        "weight = 2",
        "scale = [1, 2]",
        &[
            "17:9 2 scales for 1 residual → one number for each residual, in their order, or one for all of them",
        ],
    );
    check("\"interior\"", "\"interor\"", &["11:9 `interor` is not a place → did you mean `interior`?"]);
    check(
        "\"interior\"",
        "7",
        &[
            "11:9 a place is not an integer → a place is `interior`, `boundary`, a face such as `t = 0`, a list of faces, `periodic x`, or { file = \"points.csv\" }",
        ],
    );
    check(
        "\"t = 0\"",
        "\"t = 3\"",
        &[
            "15:10 t = 3 lies outside the domain [0, 2] → its ends are `t = 0` and `t = 2`, and any value between them will do",
        ],
    );
    check("\"t = 0\"", "\"y = 0\"", &["15:10 `y` is not a coordinate → the coordinates are `x` and `t`"]);
    check("\"t = 0\"", "\"t = 0, t = 1\"", &["15:16 `t` is fixed twice"]);
    check("\"t = 0\"", "\"t = 0, x = 2*\"", &["15:23 the formula ends where a value should follow"]);
    check(
        "\"t = 0\"",
        "\"t = x\"",
        &["15:14 `x` is a coordinate, which a plain number cannot use → it may use parameters"],
    );
    check(
        "\"t = 0\"",
        "\"periodic y\"",
        &["15:19 `y` is not a coordinate → the coordinates are `x` and `t`"],
    );
    check(
        "\"t = 0\"",
        "\"periodic x\"",
        &[
            "16:1 a periodic condition has no residual of its own → remove the line: values and derivatives up to `order` are matched",
        ],
    );
    check(
        "\"t = 0\"",
        "{ file = \"nowhere.csv\" }",
        &[
            "15:18 cannot use the file `nowhere.csv`: there is no such file → file names are relative to the problem file: this is `HERE/nowhere.csv`",
        ],
    );
    check(
        "\"t = 0\"",
        "{ files = \"nowhere.csv\" }",
        &["15:11 unknown key `files` in a place → did you mean `file`?"],
    );
    check(
        "residual = \"u - x\"\n",
        "",
        &[
            "14:13 the condition `initial` has no residual → write what shall be zero, for example `residual = \"u - 1\"`",
        ],
    );
    check("residual = \"u - x\"", "residual = []", &["16:12 the list of residuals is empty"]);
    check(
        "residual = \"u - x\"",
        "residual = [\"u\", \"x\"]",
        &["16:18 this residual uses no unknown: training cannot change it"],
    );
    check("residual = \"u - x\"", "residual = \"u - ln(0)\"", &["16:12 `ln(0)` is not a finite number"]);
    check(
        "residual = \"u - x\"",
        "residual = \"u\\u0020- y\"",
        &["16:12 unknown symbol `y` → declare it under [parameters], [definitions] or [unknowns]"],
    );
    check(
        "residual = \"u - x\"",
        "residual = \"net\"",
        &[
            "16:13 `net` is the network's raw output, which a residual cannot use → it may use coordinates, parameters, definitions, unknowns and data columns",
        ],
    );
    check(
        "residual = \"u - x\"",
        "residual = \"u\"\norder = 2",
        &["17:1 `order` has a meaning in periodic conditions only → remove the line"],
    );
    check(
        "nu*u_xx",
        "nu*v_xx",
        &["12:31 `v_xx` is a derivative of `v`, which is not an unknown → declare `v` under [unknowns]"],
    );
    check(
        "nu*u_xx",
        "nu*u_xxxxx",
        &[
            "12:31 `u_xxxxx` has order 5, derivatives go up to order 4 → make an intermediate quantity an unknown of its own, for example `w` with the residual `w - u_xx`",
        ],
    );
    check(
        "nu*u_xx",
        "nu*flux_xxxxx",
        &[
            "12:31 `flux_xxxxx` has order 5, derivatives go up to order 4 → make an intermediate quantity an unknown of its own, for example `w` with the residual `w - flux_xx`",
        ],
    );
    check(
        "nu*u_xx",
        "nu_x*U_xx",
        &[
            "12:28 `nu_x`: `nu` is a parameter, which has no derivatives → derivatives are taken of unknowns and definitions",
            "12:33 unknown symbol `U_xx` → did you mean `u_xx`?",
        ],
    );
    check("weight = 2", "weight = -1", &["17:10 the weight is -1, which is negative"]);
    check("weight = 2", "wieght = 1", &["17:1 unknown key `wieght` in a condition → did you mean `weight`?"]);
    check("points = 50", "points = 0", &["13:10 the number of points is an integer from 1 to 100000000"]);
    check(
        "points = 50",
        "points = 1000000000",
        &["13:10 the number of points is an integer from 1 to 100000000"],
    );
    check(
        "points = 50",
        "points = 2.5\nsampler = \"sobl\"",
        &[
            "13:10 the number of points is an integer from 1 to 100000000",
            "14:11 unknown name `sobl` → did you mean `sobol`?",
        ],
    );
}

#[test]
fn networks_are_checked() {
    let network = |lines: &str, expected: &[&str]| {
        check("[reference]", &format!("[network]\n{lines}\n[reference]"), expected);
    };
    network(
        "widths = []",
        &[
            "19:10 `widths` lists no layers → write the neurons of every hidden layer, for example [32, 16, 32], or remove it",
        ],
    );
    network("widths = [4, 0]", &["19:10 a layer has at least one neuron"]);
    network(
        "widths = [4, 8]\ndepth = 3\nwidth = 4",
        &[
            "20:9 the depth is 3 here, but 2 by `widths` → remove `depth`",
            "21:9 the width is 4 here, but 8 by `widths` → remove `width`",
        ],
    );
    network(
        "architecture = \"piratenet\"\nwidths = [4, 8]",
        &[
            "20:10 the layers of a PirateNet have all one width → state `width` and `depth`, or architecture = \"resnet\" or \"plain\"",
        ],
    );
    network("architecture = \"resnett\"", &["19:16 unknown name `resnett` → did you mean `resnet`?"]);
    network(
        "scale = { trainable = \"layer\", initial = 0 }",
        &["19:9 the scale is 0, not a positive number"],
    );
    network("scale = { trainable = \"layr\" }", &["19:23 unknown name `layr` → did you mean `layer`?"]);
    network(
        "scale = { trainable = \"layer\", initail = 2 }",
        &["19:32 unknown key `initail` → did you mean `initial`?"],
    );
    network("scale = { initial = 2 }", &["19:9 missing field `trainable`"]);
    network(
        "scale = [1]",
        &[
            "19:9 invalid type: sequence, expected a number, or a table such as { trainable = \"layer\", initial = 0.1 }",
        ],
    );
    network(
        "factorization = { deviation = -1 }",
        &[
            "19:17 factors of exp(s) with s = 0.5 ± -1 are out of range → take a mean from -5 to 5, usually 0.5 or 1, and a deviation from 0 to 5, usually 0.1",
        ],
    );
    network("factorization = { men = 1 }", &["19:19 unknown key `men` → did you mean `mean`?"]);
    network("widths = [60000, 60000]", &["19:10 the network would have 3.6e9 parameters, more than 1e8"]);
    network(
        "activation = \"silu\"\ninit = \"proposed\"",
        &[
            "20:8 init = \"proposed\" is made for odd-sigmoid functions, and silu is none: it is not bounded → take \"xavier\", or \"siren\" for sines",
        ],
    );
    network(
        "activation = \"gelu + sin\"\ninit = \"siren\"",
        &[
            "20:8 init = \"siren\" is made for a single sine, not for gelu + sin → take activation = \"sin\", or another rule such as \"xavier\"",
        ],
    );
    check(
        "[reference]",
        "[network]\nactivation = \"sin\"\n[training]\nstages = [{ adam = { lr-unit = \"omega\" } }]\n[reference]",
        &[
            "21:32 lr-unit = \"omega\" is made for odd-sigmoid functions, and sin is none: it does not increase everywhere → take \"one\"",
        ],
    );
}

#[test]
fn networks_are_written_out_as_they_were_read() {
    for network in [
        "widths = [5, 9, 3]",
        "architecture = \"resnet\"\nscale = { trainable = \"neuron\", initial = 0.25 }",
        "architecture = \"piratenet\"\nlinear-part = true\ndepth = 2",
        "factorization = { mean = 1 }",
        "activation = \"sin(10*x)\"\ninit = \"siren\"\narchitecture = \"modified-mlp\"",
        "activation = \"softplus\"",
        "features = { fourier = 5 }",
    ] {
        let problem = good(&GOOD.replace("[reference]", &format!("[network]\n{network}\n[reference]")));
        assert_eq!(good(&problem.to_toml()), problem, "{network}");
    }
    let problem = |features: &str, seed: u64| {
        let more = format!("[network]\nfeatures = {features}\n[training]\nseed = {seed}\n[reference]");
        good(&GOOD.replace("[reference]", &more))
    };
    let drawn = problem("{ fourier = 5, scale = 3 }", 1);
    assert_eq!((drawn.features.roots.len(), drawn.written.features.len()), (10, 10));
    assert_eq!(drawn.features, problem("{ scale = 3, fourier = 5 }", 1).features);
    assert_ne!(drawn.features, problem("{ fourier = 5, scale = 3 }", 2).features);
    let words = |network: &str| {
        let text = GOOD.replace("[reference]", &format!("[network]\n{network}\n[reference]"));
        let problem = good(&text);
        format!("{}; {}", problem.network.layers_in_words(), problem.network.activation_in_words())
    };
    assert_eq!(words("widths = [5, 9, 3]"), "3 layers of 5, 9 and 3; tanh");
    assert_eq!(
        words(
            "architecture = \"piratenet\"\ndepth = 2\nlinear-part = true\nscale = { trainable = \"all\", initial = 0.1 }"
        ),
        "PirateNet, 2 blocks of 32 and a linear part; 0.1·tanh with a trained scale"
    );
}

/// Unknowns of all coordinates and of one, with networks of their own.
const SEVERAL: &str = r#"[coordinates]
x = [0, 1]
t = [0, 2]
[unknowns]
u = {}
v = {}
k = { of = ["x"], ansatz = "1 + x*net" }
[networks.flow]
unknowns = ["v", "u"]
[networks.k]
width = 8
[conditions.physics]
place = "interior"
residual = ["u_t - k*u_xx - k_x*u_x", "v_x - u"]
"#;

fn check_several(old: &str, new: &str, expected: &[&str]) {
    assert!(SEVERAL.contains(old), "{old}");
    let text = SEVERAL.replacen(old, new, 1);
    let said = match build(&text) {
        Ok((_, warnings)) => warnings,
        Err(wrong) => wrong,
    };
    assert_eq!(summary(&said, &text), expected);
}

#[test]
fn networks_of_their_own_are_checked() {
    check_several("", "", &[]);
    check_several("[\"x\"]", "[\"y\"]", &["7:13 `y` is not a coordinate → the coordinates are `x` and `t`"]);
    check_several(
        "[\"x\"]",
        "[]",
        &[
            "7:12 `k` is a function of no coordinate → a number that is to be found is a parameter: `k = { initial = 1 }`",
        ],
    );
    check_several("[\"x\"]", "[\"x\", \"x\"]", &["7:18 `x` is listed twice"]);
    check_several(
        "of = [\"x\"]",
        "of = \"x\"",
        &["7:12 `of` is a list of coordinates, not a string → for example `k = { of = [\"x\"] }`"],
    );
    check_several(
        "1 + x*net",
        "1 + t*net",
        &[
            "7:28 `k` is a function of `x` alone, and its ansatz uses `t` → leave it out, or add \"t\" to `of`",
        ],
    );
    check_several(
        "v_x - u",
        "v_x - u*k_xt",
        &[
            "14:48 `k` depends on `x` alone: `k_xt` is zero everywhere → leave it out, or add \"t\" to the coordinates that `k` is a function `of`",
        ],
    );
    check_several("\"v\", ", "\"w\", ", &["9:13 `w` is not an unknown → the unknowns are `u`, `v` and `k`"]);
    check_several(
        "[\"v\", \"u\"]",
        "[]",
        &["9:12 this network has no unknowns → list the unknowns that it has, or remove the table"],
    );
    check_several("\"v\", ", "\"u\", ", &["9:18 `u` is listed twice"]);
    check_several(
        "[networks.k]",
        "[networks.other]\nunknowns = [\"u\"]\n[networks.k]",
        &[
            "11:13 `u` is in the network `flow` already → an unknown has one network: remove it from one of the lists",
        ],
    );
    check_several(
        "[networks.k]",
        "[networks.u]\n[networks.k]",
        &[
            "10:11 `u` is in the network `flow` already → an unknown has one network: remove it from that one's list, or this table",
        ],
    );
    check_several(
        "\"v\", \"u\"]\n[networks.k]",
        "\"v\", \"k\"]\n[networks.u]",
        &[
            "9:12 the unknowns of a network are functions of the same coordinates, but `v` is a function of `x` and `t`, and `k` is a function of `x` → make two networks of them",
        ],
    );
    check_several(
        "[networks.k]",
        "[networks.rest]",
        &[
            "10:11 the network `rest` has no unknowns → list them, for example unknowns = [\"u\", \"v\"], or call it like its only unknown",
        ],
    );
    check_several(
        "width = 8",
        "widht = 8\nfeatures = [\"x + t\"]",
        &[
            "11:1 unknown key `widht` in [networks.k] → did you mean `width`?",
            "12:13 `k` is a function of `x` alone, and this feature uses `t` → leave it out, or add \"t\" to `of`",
        ],
    );
    check_several(
        "[conditions.physics]",
        "[network]\nactivation = \"tahn\"\n[conditions.physics]",
        &["13:15 there is no activation \"tahn\" → did you mean \"tanh\"?"],
    );
}

#[test]
fn networks_of_their_own_are_written_out_as_they_were_read() {
    let problem = good(SEVERAL);
    let names = |problem: &Problem| problem.networks.iter().map(|g| g.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&problem), ["flow", "k"]);
    assert_eq!(problem.networks[0].unknowns, [0, 1]);
    assert_eq!(problem.written.features, ["2*x - 1", "t - 1", "2*x - 1"]);
    assert_eq!((problem.networks[0].network.width, problem.networks[1].network.width), (32, 8));
    assert_eq!(good(&problem.to_toml()), problem);
    // What `[network]` says holds for all that do not say otherwise, as far as they can have it.
    let network =
        "[network]\nfeatures = [\"x\", \"sin(t)\"]\nwidths = [3, 4]\nscale = { trainable = \"layer\" }\n";
    let problem = good(&SEVERAL.replace("[networks.flow]", &format!("{network}[networks.flow]")));
    assert_eq!(problem.written.features, ["x", "sin(t)", "x"]);
    let [flow, k] = [0, 1].map(|i| problem.networks[i].network.clone());
    assert_eq!((flow.widths, k.widths, k.width, k.depth), (vec![3, 4], vec![], 8, 4));
    assert_eq!(k.scale, flow.scale);
    assert_eq!(good(&problem.to_toml()), problem);
    // An unknown of fewer coordinates has a network of its own unasked, and so has one that is alone in [network].
    let own = good(&SEVERAL.replace("[networks.k]\nwidth = 8\n", ""));
    assert_eq!(names(&own), ["flow", "k"]);
    let main = good(&SEVERAL.replace("[networks.flow]\nunknowns = [\"v\", \"u\"]\n", ""));
    assert_eq!((names(&main), main.own_unknowns()), (vec!["k".to_owned()], vec![0, 1]));
    assert_eq!(good(&main.to_toml()), main);
}

#[test]
fn scales_divide_residuals_and_are_written_out() {
    let text = GOOD.replace("[reference]\nsolution = { u = \"x/(1 + t)\" }\n", "").replace(
        "residual = \"u - x\"\nweight = 2",
        "residual = [\"u - x\", \"u_t\"]\nscale = [\"40*nu\", 8]",
    );
    let (plain, scaled) = (good(&text.replace("scale = [\"40*nu\", 8]", "")), good(&text));
    let condition =
        |problem: &Problem| problem.conditions.iter().find(|c| c.name == "initial").cloned().unwrap();
    assert_eq!((condition(&plain).scales, condition(&scaled).scales), (vec![1.0, 1.0], vec![4.0, 8.0]));
    let values = |problem: &Problem| {
        let (mut all, Formula { graph, roots }) = (vec![], condition(problem).residuals);
        graph.eval(&mut all, |node| match node {
            crate::expr::Node::Jet { index, .. } if index.order() == 0 => 3.0,
            crate::expr::Node::Jet { .. } => 5.0,
            _ => 0.25,
        });
        roots.iter().map(|root| all[root.index()]).collect::<Vec<_>>()
    };
    assert_eq!((values(&plain), values(&scaled)), (vec![2.75, 5.0], vec![2.75 / 4.0, 0.625]));
    assert!(scaled.describe().contains("  scale      4, 8\n"), "{}", scaled.describe());
    assert_eq!(good(&scaled.to_toml()).conditions, scaled.conditions);
    // One number stands for all.
    let one = good(&text.replace("[\"40*nu\", 8]", "1e6"));
    assert_eq!(condition(&one).scales, [1e6, 1e6]);
}

#[test]
fn settings_and_references_are_checked() {
    check(
        "[reference]",
        "[network]\ndepth = 0\nwidth = 1000000\nscale = -1\nsigma-b = -1\n[reference]",
        &[
            "19:9 the depth is 0, not from 1 to 1000000",
            "20:9 the width is 1000000, not from 1 to 65536",
            "21:9 the scale is -1, not a positive number",
            "22:11 sigma-b is -1, not a number from 0 up",
        ],
    );
    check(
        "[reference]",
        "[network]\ndpeth = 4\nwidth = \"wide\"\ninit = \"xaver\"\n[reference]",
        &[
            "19:1 unknown key `dpeth` in [network] → did you mean `depth`?",
            "20:9 invalid type: string \"wide\", expected a whole number from 0 up",
            "21:8 unknown name `xaver` → did you mean `xavier`?",
        ],
    );
    check(
        "[reference]",
        "[network]\nactivation = \"tanh + tanhh\"\n[reference]",
        &["19:22 there is no activation \"tanhh\" → did you mean \"tanh\"?"],
    );
    check(
        "[reference]",
        "[network]\nactivation = \"relu\"\n[reference]",
        &["19:15 \"relu\" is not an odd-sigmoid function: it is not bounded → use tanh or softsign_2"],
    );
    check(
        "[reference]",
        "[network]\nscale = 1e20\nactivation = \"1e20*tanh\"\n[reference]",
        &["19:9 the scale 1e20 takes the activation out of range → amplitudes lie between 1e-30 and 1e30"],
    );
    check(
        "[reference]",
        "[network]\ndepth = 100000\nwidth = 1000\n[reference]",
        &["20:9 the network would have 1.0e8 neurons, more than 1e6"],
    );
    check(
        "[reference]",
        "[network]\nfeatures = [\"x\", \"1\", \"u\"]\n[reference]",
        &[
            "19:18 this feature is constant: it tells the network nothing",
            "19:24 `u` is an unknown, which a feature cannot use → it may use coordinates and parameters",
        ],
    );
    check(
        "[reference]",
        "[network]\nfeatures = [\"x\"]\n[reference]",
        &["19:12 no feature depends on the coordinate `t`"],
    );
    check(
        "[reference]",
        "[network]\nfeatures = \"x\"\n[reference]",
        &[
            "19:12 `features` is a list of formulas → for example [\"sin(pi*x)\", \"2*t - 1\"], or { fourier = 16, scale = 2 }",
        ],
    );
    check(
        "[reference]",
        "[network]\nfeatures = { fourier = 0, scale = 2 }\n[reference]",
        &["19:24 `fourier` is 0, not from 1 to 1024"],
    );
    check(
        "[reference]",
        "[network]\nfeatures = { scale = 2 }\n[reference]",
        &["19:12 these features have no number of frequencies → for example { fourier = 16, scale = 2 }"],
    );
    check(
        "[reference]",
        "[network]\nfeatures = { fourier = 4, scale = -2 }\n[reference]",
        &["19:35 the scale of the frequencies must be a positive number"],
    );
    check(
        "[reference]",
        "[training]\nstages = [{ adam = { lr = -1, beta1 = 1 } }, { lbfgs = { history = 0 } }]\n[reference]",
        &[
            "19:27 `lr` must be a positive number",
            "19:39 `beta1` must be from 0 to below 1",
            "19:68 `history` must be at least 1",
        ],
    );
    check(
        "[reference]",
        "[training]\nstages = [{ lm = { damping = 0, products = 0, solver = \"cg\", scaling = \"diagonal\" } }]\n[reference]",
        &[
            "19:30 `damping` must be a positive number",
            "19:44 `products` must be at least 1",
            "19:72 `scaling` must be \"identity\" with solver = \"cg\", which has no diagonal",
        ],
    );
    for (training, message) in [
        ("stages = [{ grow = {} }, { adam = {} }]", "19:20 `grow` lies between two stages that train"),
        (
            "stages = [{ adam = {} }, { grow = { width = 20 } }, { adam = {} }]",
            "19:45 `width` must be from 1 to 16",
        ),
        (
            "windows = 2\nstages = [{ adam = {} }, { grow = {} }, { adam = {} }]",
            "20:35 a network that grows goes with one window of time",
        ),
    ] {
        check("[reference]", &format!("[training]\n{training}\n[reference]"), &[message]);
    }
    check(
        "[reference]",
        "[training]\nstages = [{ ssbroyden = { logarithm = 1 } }]\n[reference]",
        &["19:39 invalid type: integer `1`, expected a boolean"],
    );
    check(
        "[reference]",
        "[training]\nstages = [{ adan = {} }]\nseed = -1\n[reference]",
        &[
            "19:13 unknown name `adan` → did you mean `adam`?",
            "20:8 invalid value: integer `-1`, expected a whole number from 0 up",
        ],
    );
    check(
        "[reference]",
        "[training]\nstages = [{ adam = { stps = 1 } }]\n[reference]",
        &["19:22 unknown key `stps` → did you mean `steps`?"],
    );
    check(
        "[reference]",
        "[training]\nstages = [{ adam = { schedule = { cosine = {} } } }]\n[reference]",
        &["19:44 missing field `end`"],
    );
    check(
        "\"x/(1 + t)\"",
        "\"u\"",
        &[
            "19:19 `u` is an unknown, which a reference solution cannot use → it may use coordinates, parameters and definitions",
        ],
    );
    check(
        "\"x/(1 + t)\"",
        "\"flux\"",
        &["19:18 a reference solution cannot use unknowns, not even through a definition"],
    );
    check(
        "\"x/(1 + t)\"",
        "\"x/t\"",
        &[
            "19:18 the solution is NaN at x = 0, t = 0 → guard it, for example with max(x, 1e-300), or score it elsewhere with `grid`",
        ],
    );
    check(
        "\"x/(1 + t)\"",
        "\"cole-hopf\"",
        &[
            "19:18 for nu = 0.1 and t up to 2 the `cole-hopf` quadrature is only right to about 4e-7",
            "19:12 the reference does not fulfil the condition `initial`: 1.2e0 is left of terms of 1.0e0 → one of them is not what is meant; errors against such a reference say little",
            "19:12 the reference does not fulfil the condition `walls`: 4.1e-1 is left of terms of 5.3e-1 → one of them is not what is meant; errors against such a reference say little",
        ],
    );
    check("nu = 0.1", "mu = 0.1", &["12:28 unknown symbol `nu` → did you mean `mu`?"]);
    check(
        "{ u = \"x/(1 + t)\" }",
        "{ v = \"x\" }",
        &["19:14 unknown key `v` in the solution → the keys are `u`"],
    );
    check(
        "{ u = \"x/(1 + t)\" }",
        "{ file = \"nowhere.npy\" }",
        &[
            "19:21 cannot use the file `nowhere.npy`: there is no such file → file names are relative to the problem file: this is `HERE/nowhere.npy`",
        ],
    );
    check(
        "[reference]",
        "[reference]\nerror = -1\ngrid = { x = 0, t = { from = -1 }, y = 3 }",
        &[
            "19:9 an error is not negative",
            "20:14 the number of points is an integer from 1 to 10000000",
            "20:21 the grid goes from -1 to 2, not upwards within the domain [0, 2]",
            "20:36 unknown key `y` in the grid → the keys are `x`, `t` and `points`",
        ],
    );
    check(
        "[reference]",
        "[reference]\ngrid = { x = 10000, t = 10000 }",
        &[
            "19:8 the grid has more than 10000000 points → `grid = { points = 10000 }` spreads so many over the whole domain",
        ],
    );
}

#[test]
fn text_that_is_not_toml_is_explained() {
    let said = |text: &str| build(text).unwrap_err().render(false);
    assert!(said("[coordinates\nx = 1").contains("test.toml:1:13"));
    assert!(said("a = 1\na = 2").contains("duplicate key"));
    assert!(said(&"a=[".repeat(100_000)).contains("error"));
    assert_eq!(
        said(""),
        "\
error: the problem has no coordinates
--> test.toml
 = help: write [coordinates] and, for example, `x = [0, 1]`

error: the problem has no unknowns
--> test.toml
 = help: write [unknowns] and, for example, `u = {}`"
    );
}

#[test]
fn large_formulas_are_built_or_refused() {
    let with = |definition: &str, residual: &str| {
        let text = GOOD.replace("u^2/2", definition);
        build(&text.replace("u_t + flux_x - nu*u_xx", residual))
    };
    let sum = vec!["sin(x*u)*t"; 400].join(" + ");
    assert!(with(&sum, "flux_xt - nu*u").is_ok());
    let terms: Vec<_> = (0..990).map(|k| format!("sin({k}*u)*cos({k}*x*u)")).collect();
    let every = "flux_xxxx + flux_xxxt + flux_xxtt + flux_xttt + flux_tttt - nu*u";
    let said = with(&terms.join(" + "), every).unwrap_err().render(false);
    assert!(said.contains("the formulas take more than 200000 operations"), "{said}");
}

#[test]
fn overlays_replace_and_merge() {
    let mut document = Document::parse("base.toml", GOOD).unwrap();
    let over = "\
problem = \"base\"
[parameters]
nu = 0.2
[network]
depth = 7
[training]
stages = [{ adam = { steps = 3 } }, { lbfgs = {} }]
";
    let over = Document::parse("run.toml", over).unwrap();
    assert_eq!(over.problem(), Some("base"));
    assert_eq!(document.problem(), None);
    document.overlay(over);
    document.set("training.stages.0.adam.lr", "1e-4").unwrap();
    document.set("network.activation", "tanh + erf").unwrap();
    document.set("network.scale", "0.5").unwrap();
    document.set("conditions.physics.place", "x = 0").unwrap();
    let (problem, warnings) = document.build(Path::new(".")).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(problem.name, "base");
    assert_eq!(problem.parameters, [("nu".to_owned(), 0.2)]);
    assert_eq!((problem.network.depth, problem.network.scale.initial()), (7, 0.5));
    assert_eq!(problem.network.activation, "tanh + erf");
    assert_eq!(problem.activation, Activation::parse("0.5*tanh + 0.5*erf").unwrap());
    assert_eq!(problem.conditions[0].place, Place::face(vec![(0, 0.0)]));
    assert_eq!(problem.conditions[0].points, 50);
    let Stage::Adam(adam) = &problem.training.stages[0] else {
        panic!("{:?}", problem.training);
    };
    assert_eq!((adam.steps, adam.lr), (3, 1e-4));
    assert_eq!(problem.training.stages.len(), 2);
}

#[test]
fn mistakes_in_overlays_point_into_the_overlay() {
    let mut document = Document::parse("base.toml", GOOD).unwrap();
    let over = Document::parse("run.toml", "# a comment\n[parameters]\nnu = \"0.1*q\"").unwrap();
    document.overlay(over);
    document.set("network.widht", "4").unwrap();
    document.set("conditions.initial.place", "t = 9").unwrap();
    let said = document.build(Path::new(".")).unwrap_err().render(false);
    for place in ["run.toml:3:11", "--set:1:9", "--set:1:29"] {
        assert!(said.contains(place), "{place}: {said}");
    }
    for wrong in ["", "a b=c", "a\nb", "a = 1 #"] {
        assert!(document.set(wrong, "1").is_err(), "{wrong}");
    }
    assert!(Document::parse("run.toml", "problem = 3").is_err());
}

#[test]
fn an_ansatz_is_differentiated_with_the_network() {
    let text = GOOD.replace("u = {}", "u = \"x + t*net\"");
    let text = text.replace("u_t + flux_x - nu*u_xx", "u_t - nu*u_xx");
    let text = text.replace("[definitions]\nflux = \"u^2/2\"\n", "").replace("x/(1 + t)", "x");
    let described = good(&text).describe();
    for line in [
        "unknowns     u = x + t*net\n",
        "  computed   net + t*net_t - 0.1*(t*net_xx)\n",
        "  computed   x + t*net - x\n",
        "  needs      net, net_t, net_xx (4 derivatives in all)\n",
    ] {
        assert!(described.contains(line), "{line}: {described}");
    }
}

#[test]
fn periodic_conditions_match_both_sides() {
    let text = GOOD.replace("[reference]\nsolution = { u = \"x/(1 + t)\" }\n", "")
        + "[conditions.round]\nplace = \"periodic x\"\norder = 2\nsampler = \"sobol\"";
    let problem = good(&text);
    let round = &problem.conditions[3];
    assert_eq!((round.sides(), round.sampler, round.points), (2, Sampler::Sobol, 200));
    assert_eq!(round.residuals.roots.len(), 3);
    let mut values = Vec::new();
    round.residuals.graph.eval(&mut values, |leaf| match leaf {
        crate::expr::Node::Jet { index, side, .. } => (10 * index.order() + 3 * side) as f64,
        other => panic!("{other:?}"),
    });
    assert!(round.residuals.roots.iter().all(|root| values[root.index()] == -3.0));
    assert!(problem.describe().contains("  computed   u_xx@lower - u_xx@upper\n"));
    assert_eq!(good(&problem.to_toml().replace("title = \"test\"", "")), problem);
}

#[test]
fn points_and_references_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let text = GOOD.replace("\"t = 0\"", "{ file = \"data.csv\" }");
    let text = text.replace("\"u - x\"", "\"u - seen\"");
    let text = text.replace("{ u = \"x/(1 + t)\" }", "{ file = \"ref.csv\" }");
    let build = |text: &str| Document::parse("test.toml", text).unwrap().build(folder.path());
    let said = |text: &str| summary(&build(text).unwrap_err(), text).join("; ");
    write("data.csv", "t,seen,x\n0.5,7,0.1\n1.5,8,0.2\n");
    write("ref.csv", "x,t,u\n0,0,1\n1,2,3\n");

    let (problem, _) = build(&text).unwrap();
    let Place::Points { points, columns, data, .. } = &problem.conditions[1].place else {
        panic!("{:?}", problem.conditions[1].place);
    };
    assert_eq!(points, &[0.1, 0.5, 0.2, 1.5]);
    assert_eq!((columns, data), (&vec!["seen".to_owned()], &vec![vec![7.0, 8.0]]));
    assert_eq!(problem.conditions[1].points, 2);
    assert_eq!(problem.reference_points(), [0.0, 0.0, 1.0, 2.0]);
    let solution = problem.reference.as_ref().unwrap().solutions[0].clone().unwrap();
    assert_eq!(solution.evaluate(&problem.reference_points(), 2), [1.0, 3.0]);
    assert_eq!(solution.evaluate(&[1.0, 2.0], 2), [3.0]);
    assert!(solution.evaluate(&[0.5, 0.5], 2)[0].is_nan());
    let described = problem.describe();
    assert!(described.contains("  residual   u - seen\n"), "{described}");

    // Written out, the files are found from anywhere.
    let document = Document::parse("test.toml", &problem.to_toml()).unwrap();
    assert_eq!(document.build(Path::new("/")).unwrap().0, problem);

    write("data.csv", "t,u,x,u_x,a b\n0.5,7,0.1,1,2\n");
    let mistakes = said(&text);
    for part in ["`u` of `data.csv` cannot be used: it is an unknown", "`u_x` of", "`a b` of"] {
        assert!(mistakes.contains(part), "{mistakes}");
    }
    write("data.csv", "t,seen\n0.5,7\n");
    assert!(said(&text).contains("has no column `x` → its header names `t` and `seen`"));
    write("data.csv", "t,seen,x\n0.5,7,1.1\n");
    assert!(said(&text).contains("line 2: x = 1.1 lies outside the domain [0, 1]"));
    write("data.csv", "t,seen,x\n0.5,7,nan\n");
    assert!(said(&text).contains("line 2, column `x` is not a finite number"));
    write("data.csv", "t,seen,x\n0.5,7,0.1\n");
    assert!(build(&text).is_ok());
    let both = text.replace("weight = 2", "points = 3\nsampler = \"grid\"");
    assert_eq!(said(&both).matches("the points come from a file").count(), 2);

    for (reference, part) in [
        ("x,u\n1,2\n", "it has no column `t`"),
        ("x,t,v\n1,2,3\n", "its column `v` is neither a coordinate nor an unknown"),
        ("x,t\n1,2\n", "it has a column for no unknown"),
        ("x,t,u,u\n1,2,3,4\n", "it has two columns `u`"),
        ("x,t,u\n1,2\n", "line 2 has 2 columns"),
    ] {
        write("ref.csv", reference);
        assert!(said(&text).contains(part), "{}", said(&text));
    }
    let mut npy = b"\x93NUMPY\x01\x00\x40\x00".to_vec();
    npy.extend(format!("{:<64}", "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3)}").bytes());
    npy.extend([0.5, 1.0, 9.0_f64].iter().flat_map(|x| x.to_le_bytes()));
    fs::write(folder.path().join("ref.npy"), npy).unwrap();
    let (problem, _) = build(&text.replace("ref.csv", "ref.npy")).unwrap();
    assert_eq!(problem.reference_points(), [0.5, 1.0]);
}

#[test]
fn a_reference_grid_can_be_chosen() {
    let grid = "grid = { x = 3, t = { from = 0, to = \"2*nu\", points = 2 } }";
    let problem = good(&GOOD.replace("[reference]", &format!("[reference]\n{grid}")));
    let points = problem.reference_points();
    assert_eq!(points, [0.0, 0.0, 0.0, 0.2, 0.5, 0.0, 0.5, 0.2, 1.0, 0.0, 1.0, 0.2]);
    let bare = good(&GOOD.replace("[reference]\nsolution = { u = \"x/(1 + t)\" }\n", ""));
    assert!(bare.reference.is_none());
    assert_eq!(bare.reference_points().len(), 2 * 101 * 101);
}

mod random {
    use proptest::prelude::*;

    use super::*;
    use crate::properties::properties;

    properties! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = String::from_utf8_lossy(&bytes);
            if let Err(mistakes) = build(&text) {
                prop_assert!(!mistakes.render(false).is_empty());
            }
        }

        /// A good file with a piece cut out and another put in.
        #[test]
        fn damaged_files_never_panic(
            at in 0..GOOD.len(),
            cut in 0..12usize,
            put in prop_oneof!["\\PC{0,6}", "[-=\\[\\]{}\".,\n0-9a-z_*^ ]{0,8}"],
        ) {
            let text = format!("{}{put}{}", &GOOD[..at], &GOOD[(at + cut).min(GOOD.len())..]);
            match build(&text) {
                Ok((problem, _)) => {
                    prop_assert!(!problem.describe().is_empty());
                    let document = Document::parse("test.toml", &problem.to_toml());
                    let again = document.and_then(|document| document.build(Path::new(".")));
                    prop_assert_eq!(again.map(|(again, _)| again).map_err(|e| e.to_string()), Ok(problem));
                }
                Err(mistakes) => prop_assert!(!mistakes.render(false).is_empty()),
            }
        }
    }
}

/// The guide's examples, each built: whole files as they are, fragments laid over a small problem.
#[test]
fn every_snippet_of_the_guide_builds() {
    const GUIDE: &str = concat!(
        include_str!("../../docs/problem-file.md"),
        include_str!("../../docs/networks.md"),
        include_str!("../../docs/dimensions.md")
    );
    let skeleton = GOOD.replace("[definitions]\nflux = \"u^2/2\"\n", "");
    let skeleton = skeleton.replace("flux_x", "u*u_x");
    let (skeleton, _) = skeleton.split_once("[reference]").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = GUIDE.split("```").skip(1).step_by(2).peekable();
    assert!(blocks.peek().is_some());
    let mut built = 0;
    for block in blocks {
        let (info, text) = block.split_once('\n').unwrap();
        let mut document = match info {
            // The data file of the next example.
            "text" => {
                fs::write(folder.path().join("samples.csv"), text).unwrap();
                continue;
            }
            // What is typed.
            "console" => continue,
            "toml" => Document::parse("guide", text).unwrap(),
            "toml configuration" => {
                let (_, burgers) = embedded()[0];
                Document::parse("burgers", burgers).unwrap()
            }
            "toml fragment" => Document::parse("skeleton", skeleton).unwrap(),
            other => panic!("{other}"),
        };
        if info != "toml" {
            let over = Document::parse("guide", text);
            document.overlay(over.unwrap_or_else(|wrong| panic!("{wrong}")));
        }
        if text.contains("load.csv") {
            fs::write(folder.path().join("load.csv"), "t (s),q [W]\n0,1\n1,3\n2,2\n").unwrap();
        }
        if text.contains("reference.csv") {
            fs::write(folder.path().join("reference.csv"), "x,t,u\n0,0,1\n").unwrap();
        }
        let (problem, _) = document.build(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let again = Document::parse("guide", &problem.to_toml()).unwrap();
        let (again, _) = again.build(folder.path()).unwrap();
        assert_eq!(Problem { name: problem.name.clone(), ..again }, problem);
        built += 1;
    }
    assert_eq!(built, GUIDE.matches("```toml").count());
}

#[test]
fn the_guide_names_every_function_and_setting() {
    const GUIDE: &str = include_str!("../../docs/problem-file.md");
    for name in crate::expr::function_names() {
        assert!(GUIDE.contains(&format!("`{name}`")), "{name}");
    }
    let problem = good(GOOD);
    let keys = |table: toml::Table| table.keys().cloned().collect::<Vec<_>>();
    let mut names = keys(toml::Table::try_from(&problem.network).unwrap());
    names.extend(keys(toml::Table::try_from(&problem.training).unwrap()));
    names.extend(keys(toml::Table::try_from(crate::settings::Adam::default()).unwrap()));
    names.extend(keys(toml::Table::try_from(crate::settings::Lbfgs::default()).unwrap()));
    for name in names {
        assert!(GUIDE.contains(&format!("`{name}`")), "{name}");
    }
}

/// [`GOOD`] with `nu` to be found.
fn inverse(parameter: &str) -> String {
    GOOD.replace("nu = 0.1", &format!("nu = {parameter}"))
}

fn check_inverse(parameter: &str, expected: &[&str]) {
    check("nu = 0.1", &format!("nu = {parameter}"), expected);
}

#[test]
fn trainable_parameters_are_understood() {
    let problem = good(&inverse("{ initial = 0.5, true = \"1/4\" }"));
    let nu = Trainable { name: "nu".into(), initial: 0.5, positive: false, truth: Some(0.25) };
    assert_eq!((&problem.parameters, &problem.trainable), (&vec![], &vec![nu]));
    assert_eq!(problem.coefficients(), 1);
    assert_eq!(problem.conditions[0].residuals.coefficients(), [0]);
    // The reference has the true value, as if it were known.
    let known = good(&GOOD.replace("nu = 0.1", "nu = 0.25"));
    assert_eq!(problem.reference, known.reference);
    let again = good(&problem.to_toml());
    assert_eq!(again, problem);
    for parameter in [
        "{ initial = -2 , true = 3 }",
        "{ initial = 0, true = 3 }",
        "{ initial = 2, true = 3, positive = true }",
    ] {
        let problem = good(&inverse(parameter));
        let theta = problem.with_coefficients(vec![7.0]);
        let values: Vec<f64> = problem.trained_values(&theta).collect();
        let initial = problem.trainable[0].initial;
        assert!((values[0] - initial).abs() <= 1e-15 * initial.abs(), "{parameter}: {values:?}");
        assert!(theta[1].abs() <= 1.0, "{parameter}: θ is of order 1");
        // The slope, by a central difference.
        let (trainable, h) = (&problem.trainable[0], 1e-5);
        let slope = (trainable.value(theta[1] + h) - trainable.value(theta[1] - h)) / (2.0 * h);
        assert!((trainable.slope(theta[1]) - slope).abs() < 1e-9 * slope.abs().max(1.0));
    }
}

#[test]
fn mistakes_in_trainable_parameters_are_explained() {
    check_inverse(
        "{ true = 0.1 }",
        &[
            "5:6 the trainable parameter `nu` has no initial value → a known parameter is a number; one to be found is written { initial = 0.1 }",
        ],
    );
    check_inverse(
        "{ initial = -1, positive = true, true = 1 }",
        &["5:18 the initial value of `nu` is -1, but it is to stay positive"],
    );
    check_inverse(
        "{ initial = 1, positive = 1, lover = 0 , true = 1}",
        &[
            "5:32 `positive` is true or false, not an integer",
            "5:35 unknown key `lover` in a trainable parameter → the keys are `initial`, `positive` and `true`",
        ],
    );
    let unknown = inverse("{ initial = 1 }").replace("x/(1 + t)", "x/(1 + t + nu - nu)");
    let mistakes = build(&unknown).unwrap_err();
    assert_eq!(
        summary(&mistakes, &unknown),
        [
            "19:18 the solution uses `nu`, which is to be found by training → if its value is known, write nu = { initial = …, true = … }",
        ]
    );
    // What it comes to is not known beforehand.
    check(
        "nu = 0.1",
        "nu = { initial = 1, true = 1 }\nmu = \"2*nu\"",
        &[
            "6:9 `nu` is a trainable parameter, which a plain number cannot use → it may use parameters; what a trainable parameter comes to is not known beforehand",
        ],
    );
    let unused = inverse("{ initial = 1, true = 1 }").replace(" - nu*u_xx", "");
    let mistakes = build(&unused).unwrap_err();
    assert_eq!(
        summary(&mistakes, &unused),
        ["5:1 no residual uses the trainable parameter `nu` → use it in an equation, or remove it"]
    );
}

#[test]
fn files_that_come_with_the_program_are_found_by_name() {
    let condition = |file: &str| {
        format!(
            "{GOOD}[conditions.data]\nplace = {{ file = \"built-in:{file}\" }}\nresidual = \"u - u_obs\"\n"
        )
        .replace("x = [0, 1]", "x = [-1, 1]")
    };
    let problem = good(&condition("burgers-samples.csv"));
    assert!(matches!(&problem.conditions[3].place, Place::Points { data, .. } if data[0].len() == 500));
    assert_eq!(good(&problem.to_toml()), problem);
    let wrong = condition("burger-samples.csv");
    assert_eq!(
        summary(&build(&wrong).unwrap_err(), &wrong),
        [
            "24:18 there is no file `built-in:burger-samples.csv` → did you mean `built-in:burgers-samples.csv`?",
        ]
    );
}

#[test]
fn an_ansatz_may_use_definitions_without_unknowns() {
    let with = |definitions: &str, ansatz: &str| {
        good(&GOOD.replace("[unknowns]\nu = {}", &format!("{definitions}[unknowns]\nu = \"{ansatz}\"")))
    };
    let problem = with("g = \"x\"\nh = \"10*nu*g\"\n", "h + g_x*t*net");
    assert_eq!(problem.values, with("", "10*nu*x + t*net").values);
    assert_eq!(good(&problem.to_toml()), problem);
    // One definition may still not use another that is below it.
    check(
        "[unknowns]\nu = {}",
        "h = \"2*g\"\ng = \"x\"\n[unknowns]\nu = \"g + t*net\"",
        &["8:8 `g` is used before it is declared → move `g` above this line"],
    );
}

#[test]
fn what_adapts_training_is_checked() {
    let training = |text: &str, expected: &[&str]| {
        check("[conditions.initial]", &format!("[training]\n{text}\n[conditions.initial]"), expected);
    };
    training("resample = 9\nadaptive = {}\nbalance = {}\ncausal = {}", &[]);
    training("adaptive = false\nbalance = false\ncausal = false", &[]);
    training(
        "resample = 9\nadaptive = true",
        &[
            "16:12 invalid type: boolean `true`, expected a table of settings → `{}` takes the defaults of all of them, \
             `false` is for none",
        ],
    );
    training(
        "adaptive = {}",
        &[
            "15:12 `adaptive` has no effect: points are never redrawn → say how often, for example `resample = 500`",
        ],
    );
    training(
        "resample = 9\nadaptive = { k = -1, c = inf, pool = 0, keep = 1 }",
        &[
            "16:18 `k` must be a number from 0 up",
            "16:26 `c` must be a number from 0 up",
            "16:38 `pool` must be from 1 to 1000",
            "16:48 `keep` must be from 0 to below 1",
        ],
    );
    training(
        "balance = { every = 0, memory = 1 }",
        &["15:21 `every` must be at least 1", "15:33 `memory` must be from 0 to below 1"],
    );
    training(
        "causal = { along = \"y\", slices = 1, epsilon = [], threshold = 2, every = 0 }",
        &[
            "15:20 `y` is not a coordinate → the coordinates are `x` and `t`",
            "15:34 `slices` must be from 2 to 10000",
            "15:47 `epsilon` must be a list of numbers from 0 up",
            "15:63 `threshold` must be from 0 to below 1",
            "15:74 `every` must be at least 1",
        ],
    );
    training("adaptive = { ks = 1 }", &["15:14 unknown key `ks` → known are `k`, `c`, `pool` and `keep`"]);
    let text = GOOD.replace("[conditions.initial]", "[training]\nresample = 3\nadaptive = { keep = 0.5 }\nbalance = { every = 7 }\ncausal = { epsilon = [1] }\n[conditions.initial]");
    let problem = good(&text);
    assert_eq!(good(&problem.to_toml()), problem);
}

#[test]
fn the_spectral_reference_says_what_it_needs() {
    let spectral = |parameters: &str, expected: &[&str]| {
        let text = GOOD
            .replace("nu = 0.1", &format!("nu = 0.1\n{parameters}"))
            .replace("u - x", "u - x^2*cos(pi*x)")
            .replace("\"x/(1 + t)\"", "\"allen-cahn\"");
        let said = match build(&text) {
            Ok((_, warnings)) => summary(&warnings, &text),
            Err(mistakes) => summary(&mistakes, &text),
        };
        assert_eq!(said, expected, "{parameters}");
    };
    spectral("d = 1e-3\nr = 5", &[]);
    spectral(
        "d = 1e-3",
        &[
            "20:18 `allen-cahn` solves u_t = d*u_xx + r*(u - u^3), u = x^2*cos(pi*x) at t = 0, period 2 → it needs two coordinates, one of them `t`, and parameters `d` and `r`",
        ],
    );
    spectral("d = 0\nr = 5", &["21:18 `allen-cahn` needs d > 0, r > 0 and t from 0 up"]);
    spectral(
        "d = 1e-9\nr = 5",
        &[
            "21:18 for d = 0.000000001 and r = 5 interfaces are too thin for the `allen-cahn` solution → take a greater d, or a reference of your own from a file",
        ],
    );
}

#[test]
fn a_reference_that_the_conditions_contradict_is_warned_about() {
    let hint = "one of them is not what is meant; errors against such a reference say little";
    // The value 2/(1 + t) at x = 1 is not part of the problem, the slope at x = 0 is.
    check("{ u = \"x/(1 + t)\" }", "{ u = \"x/(1 + t) + x^2 - x^2\" }", &[]);
    check(
        "\"x/(1 + t)\"",
        "\"x/(1 + 2*t)\"",
        &[
            &format!(
                "19:12 the reference does not fulfil the condition `physics`: 1.7e-1 is left of terms of 5.0e-1 → {hint}"
            ),
            &format!(
                "19:12 the reference does not fulfil the condition `walls`: 1.1e-1 is left of terms of 6.6e-1 → {hint}"
            ),
        ],
    );
    check(
        "\"x/(1 + t)\"",
        "\"(x + 0.1)/(1 + t)\"",
        &[
            &format!(
                "19:12 the reference does not fulfil the condition `initial`: 1.0e-1 is left of terms of 1.1e0 → {hint}"
            ),
            &format!(
                "19:12 the reference does not fulfil the condition `walls`: 5.8e-2 is left of terms of 7.9e-1 → {hint}"
            ),
        ],
    );
    // Five digits of a constant are no contradiction, nor is a kink, nor a place where the solution has no derivative.
    check("\"x/(1 + t)\"", "\"1.00001*x/(1 + t)\"", &[]);
    for (residual, solution) in [
        ("u_x^2 - 1", "abs(x - 0.5)"),
        ("2*u*u_x - 1", "sqrt(x)"),
        ("x^2*u_xx - u*(x^2 - x)", "x*exp(-x)*exp(x - 1) + 0*t - x/exp(1)"),
        ("u_xx + 400*u", "sin(20*x)"),
    ] {
        let text = format!(
            "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = {{}}\n[conditions.physics]\n\
             place = \"interior\"\nresidual = \"{residual}\"\n[reference]\nsolution = {{ u = \"{solution}\" }}\n"
        );
        let said = summary(&build(&text).unwrap().1, &text);
        assert!(!said.iter().any(|said| said.contains("reference")), "{residual}: {said:?}");
    }
}

#[test]
fn the_solution_is_what_the_unknown_is_whatever_the_ansatz() {
    let text = |ansatz: &str, solution: &str| {
        GOOD.replace("u = {}", &format!("u = \"{ansatz}\"")).replace("x/(1 + t)", solution)
    };
    good(&text("x + t*net", "x/(1 + t)"));
    let (_, warnings) = build(&text("x + t*net", "x/(1 + t) + 0.5*t")).unwrap();
    assert!(warnings.to_string().contains("`physics`"), "{warnings}");
}

#[test]
fn true_values_stand_for_parameters_in_the_check_of_a_reference() {
    let text =
        |parameter: &str| GOOD.replace("nu = 0.1", parameter).replace("flux_x", "flux_x + nu*u_t - 3*u_t");
    good(&text("nu = { initial = 1, true = 3 }"));
    let (_, warnings) = build(&text("nu = { initial = 1, true = 2 }")).unwrap();
    assert!(warnings.to_string().contains("`physics`"), "{warnings}");
    // Where the truth is not known, nothing is said.
    good(&text("nu = { initial = 1 }"));
}

#[test]
fn a_reference_is_held_against_what_an_ansatz_fixes() {
    let said = |ansatz: &str, solution: &str| {
        let text = format!(
            "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = \"{ansatz}\"\n[conditions.physics]\n\
             place = \"interior\"\nresidual = \"u_xxt\"\n[reference]\nsolution = {{ u = \"{solution}\" }}\n"
        );
        build(&text).map_or_else(|wrong| wrong.to_string(), |(_, warnings)| warnings.to_string())
    };
    assert!(said("x + t*net", "x^2 + t").contains("does not fulfil the ansatz of `u` at t = 0"));
    assert!(said("x*(1 - x)*net", "cos(x) - 1").contains("the ansatz of `u` at x = 1"));
    assert!(!said("x + t*net", "x + t*cos(x)").contains("ansatz"));
    // What the network can make up for is no contradiction.
    assert!(!said("x + (1 + t)*net", "x^2 + t").contains("ansatz"));
}

#[test]
fn values_of_tables_and_named_solutions_are_held_against_conditions_on_values() {
    let folder = tempfile::tempdir().unwrap();
    let text = GOOD.replace("{ u = \"x/(1 + t)\" }", "{ file = \"ref.csv\" }");
    let said = |values: &str| {
        fs::write(folder.path().join("ref.csv"), format!("x,t,u\n{values}")).unwrap();
        let (_, warnings) = Document::parse("test.toml", &text).unwrap().build(folder.path()).unwrap();
        warnings.to_string()
    };
    assert_eq!(said("0,0,0\n0.5,0,0.5\n1,0,1\n0.5,2,7\n"), "");
    assert!(said("0,0,0\n0.5,0,0.7\n1,0,1.1\n0.5,2,7\n").contains("`initial`"));
    // No row lies where the condition holds.
    assert_eq!(said("0,1,0\n0.5,1,0.7\n"), "");
    let burgers = GOOD.replace("\"x/(1 + t)\"", "\"cole-hopf\"").replace("t = [0, 2]", "t = [0, 0.1]");
    good(&burgers.replace("u - x", "u + sin(pi*x)"));
    let (_, warnings) = build(&burgers).unwrap();
    assert!(warnings.to_string().contains("`initial`"), "{warnings}");
}

#[test]
fn a_default_grid_is_refined_where_the_solution_asks_for_it() {
    let text = |solution: &str, grid: &str| {
        format!(
            "[coordinates]\nx = [0, 1]\ny = [0, 1]\nz = [0, 1]\n[unknowns]\nu = {{}}\n[conditions.physics]\n\
             place = \"interior\"\nresidual = \"u - ({solution})\"\n[reference]\n\
             solution = {{ u = \"{solution}\" }}\n{grid}"
        )
    };
    let points = |problem: &Problem| -> Vec<usize> {
        problem.reference.as_ref().unwrap().grid.iter().map(|axis| axis.points).collect()
    };
    // On 21 points all of these are nothing but rounding.
    assert_eq!(points(&good(&text("sin(20*pi*x)", ""))), [41, 21, 21]);
    assert_eq!(points(&good(&text("sin(40*pi*x)", ""))), [81, 21, 21]);
    assert_eq!(points(&good(&text("x*sin(20*pi*y)*z", ""))), [21, 41, 21]);
    // These are seen for what they are.
    assert_eq!(points(&good(&text("x^2*y^2*z^2", ""))), [21, 21, 21]);
    assert_eq!(points(&good(&text("0*x", ""))), [21, 21, 21]);
    assert_eq!(points(&good(&text("cos(x)^2 + sin(x)^2 - 1", ""))), [21, 21, 21]);
    // What is asked for stays as it is.
    let asked = text("sin(20*pi*x)", "grid = { x = 11 }");
    let (problem, warnings) = build(&asked).unwrap();
    assert_eq!(points(&problem), [11, 21, 21]);
    let said = summary(&warnings, &asked);
    assert!(
        said[0].starts_with("12:8 the solution of `u` changes faster along `x` than the grid"),
        "{said:?}"
    );
    // More than can be afforded.
    let wild = text("sin(640*pi*x)", "");
    let said = summary(&build(&wild).unwrap().1, &wild);
    assert!(said.iter().any(|line| line.contains("than the grid of the reference shows")), "{said:?}");
}

#[test]
fn the_grid_of_a_domain_given_by_points_keeps_to_them() {
    // An L: the square without its upper right quarter.
    let folder = tempfile::tempdir().unwrap();
    let inside = |x: f64, y: f64| x < 0.5 || y < 0.5;
    let mut rows = String::from("x,y\n");
    for i in 0..40 {
        for j in 0..40 {
            let (x, y) = ((f64::from(i) + 0.5) / 40.0, (f64::from(j) + 0.5) / 40.0);
            if inside(x, y) {
                rows += &format!("{x},{y}\n");
            }
        }
    }
    fs::write(folder.path().join("inside.csv"), rows).unwrap();
    let text = "[coordinates]\nx = [0, 1]\ny = [0, 1]\n[unknowns]\nu = {}\n[conditions.physics]\n\
                place = { file = \"inside.csv\" }\nresidual = \"u_xx + u_yy\"\n";
    let build = |text: &str| Document::parse("test.toml", text).unwrap().build(folder.path()).unwrap().0;
    let problem = build(text);
    let points = problem.reference_points();
    assert!(points.chunks_exact(2).all(|row| inside(row[0] - 0.08, row[1] - 0.08)));
    let here = points.chunks_exact(2).filter(|row| inside(row[0], row[1])).count();
    let all =
        (0..101 * 101).filter(|i| inside(f64::from(i / 101) / 100.0, f64::from(i % 101) / 100.0)).count();
    assert_eq!(here, all, "none of the domain's points is missing");
    // An equation in the whole box covers it.
    let whole = text.replace("{ file = \"inside.csv\" }", "\"interior\"");
    assert_eq!(build(&whole).reference_points().len(), 2 * 101 * 101);
}

#[test]
fn contours_are_formulas_with_names_of_their_own() {
    let with = |contours: &str| GOOD.replace("[unknowns]", &format!("[contours]\n{contours}\n[unknowns]"));
    let problem = good(&with("front = \"u_x - flux\""));
    assert_eq!(problem.written.contours, [("front".to_owned(), "u_x - flux".to_owned())]);
    assert_eq!(good(&problem.to_toml()), problem);
    assert!(problem.describe().contains("front: u_x - flux = 0"));
    let text = with("u = \"1 - x\"\nhalf = \"u - v\"");
    let wrong = build(&text).expect_err("two mistakes");
    assert_eq!(
        summary(&wrong, &text),
        [
            "9:1 `u` is already an unknown → choose another name",
            "10:13 unknown symbol `v` → declare it under [parameters], [definitions] or [unknowns]"
        ]
    );
}

/// Integrals are looked at again with twice as many nodes, or what there is room for.
#[test]
fn integrals_have_other_nodes() {
    let places = |formula: &str, unknown: &str| {
        let text = format!(
            "[coordinates]\nx = [0, 1]\ny = [0, 1]\n[unknowns]\nu = {unknown}\n[conditions.c]\nplace = \"interior\"\n\
             residual = \"u - {formula}\"\n"
        );
        let (problem, _) = build(&text).unwrap_or_else(|wrong| panic!("{wrong}"));
        let count = |problem: &Problem| problem.conditions[0].points_of_a_site() - 1;
        (count(&problem), problem.with_other_nodes().map(|other| count(&other)))
    };
    let square = |nodes: usize| places(&format!("integral(x*u, x = 0..1, y = 0..1, nodes = {nodes})"), "{}");
    assert_eq!(square(20), (400, Some(1600)));
    assert_eq!(square(40), (1600, Some(3600)));
    assert_eq!(square(60), (3600, Some(45 * 45)));
    assert_eq!(places("x", "{}"), (0, None));
    // Of known functions they are sums of numbers, in an ansatz as well.
    let known = "integral(exp(y*x), x = 0..1, nodes = 3)";
    assert_eq!(places(known, "{}"), (0, Some(0)));
    assert_eq!(places("x", &format!("\"{known} + x*net\"")), (0, Some(0)));
}
