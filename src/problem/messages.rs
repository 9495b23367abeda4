//! What people type by mistake, and that each gets one message with the right form in it.

use std::fs;
use std::path::Path;

use super::Document;

const PROBLEM: &str = r#"[coordinates]
x = [0, 1]
y = [0, 1]
t = [0, 2]
[parameters]
k = 2
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "RESIDUAL"
[conditions.initial]
place = "t = 0"
residual = "u - k"
[conditions.walls]
place = "boundary"
residual = "u"
"#;

/// Everything that is said about `text`, each mistake with its help.
fn said(text: &str, folder: &Path) -> Vec<String> {
    match Document::parse("test.toml", text).and_then(|document| document.build(folder)) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    }
    .iter()
    .map(|item| format!("{} → {}", item.message, item.hint.as_deref().unwrap_or_default()))
    .collect()
}

/// Exactly one mistake, which holds every part of `expected` between its `|`s.
fn one(text: &str, folder: &Path, written: &str, expected: &str) {
    let said = said(text, folder);
    assert_eq!(said.len(), 1, "{written}: {said:#?}");
    for part in expected.split(" & ") {
        assert!(said[0].contains(part), "{written}: `{part}` is missing in\n{}", said[0]);
    }
}

#[test]
fn coordinates_that_are_counted_are_named() {
    let check = |residual: &str, expected: &str| {
        let text = "[coordinates]\nx = { domain = [0, 1], count = 4 }\n[unknowns]\nu = {}\n[conditions.c]\n\
                    place = \"interior\"\nresidual = \"RESIDUAL\"\n";
        one(&text.replace("RESIDUAL", residual), Path::new("."), residual, expected);
    };
    check("u_xx - 1", "`x1` to `x4` & write `u_x1x1`, `laplacian(u)` or `sum(u_x[i]x[i], i)`");
    check("u_x - 1", "`x1` to `x4` & write `u_x1` or `sum(u_x[i], i)`");
    check("u - x", "`x1` to `x4` & `sum(x[i], i)`");
    check("u - integral(u, x = 0..1)", "`x` is several coordinates: an integral cannot run over it");
}

#[test]
fn formulas_as_they_are_written_elsewhere() {
    let check = |residual: &str, expected: &str| {
        one(&PROBLEM.replace("RESIDUAL", residual), Path::new("."), residual, expected);
    };
    // Derivatives.
    check("du/dt - u", "`du/dt` & write `u_t`");
    check("d2u/dx2 - u", "`d2u/dx2` & write `u_xx`");
    check("u_t - k*d^2u/dx^2", "`d^2u/dx^2` & write `u_xx`");
    check("d²u/dx² - u", "write `u_xx`");
    check("d2u/dxdt - u", "write `u_xt`");
    check("d/dx(u) - u", "write `u_x`");
    check("d(u*u_x)/dx - u", "`flux = \"u*u_x\"` & write `flux_x`");
    check("∂u/∂t - u", "`∂u/∂t` & write `u_t`");
    check("∂²u/∂x² - u", "write `u_xx`");
    check("∂^2u/∂x∂y - u", "write `u_xy`");
    check("∂_x u - u", "`u_x`");
    check("u' - u", "`u'` & `u_x`, `u_y` or `u_t`");
    check("u''(x) - u", "`u''` & `u_xx`");
    check("u_{xx} - u", "`u_{xx}` & write `u_xx`");
    check("u_{x,x} - u", "write `u_xx`");
    check("u_t + (u*u_x)_x", "`flux = \"u*u_x\"` & write `flux_x`");
    check("diff(u, x) - u", "write `u_x`");
    check("diff(u, x, 2) - u", "write `u_xx`");
    check("diff(u, x, x) - u", "write `u_xx`");
    check("diff(u_x, t) - u", "write `u_xt`");
    check("diff(u*u_x, x)", "`flux = \"u*u_x\"` & write `flux_x`");
    check("D(u, t) - u", "write `u_t`");
    check("grad(u, x) - u", "write `u_x`");
    check("u_t - lap(u)", "write `laplacian(u)`");
    check("u_t - lap(u*u)", "`flux = \"u*u\"` & write `laplacian(flux)`");
    check("u_t - ∇²u", "write `laplacian(u)`");
    check("u_t - Δu", "write `laplacian(u)`");
    check("u_t - grad(u)", "`u_x` and `u_y`");
    check("u_t - div(u_x, u_y)", "write `u_x_x + u_y_y`");
    // Values at a place.
    check("u(x,0) - u", "`u(x, 0)` & takes no arguments");
    check("u(x, y, 0) - u", "write `u` in a condition with `place = \"t = 0\"`");
    check("u_t(x, y, t) - u", "write `u_t`: it is the value at the point itself");
    check("u(x - 1, y, t) - u", "no shifted arguments");
    check("u(1 - u) - u_t", "write `u*(1 - u)`");
    check("k(u_xx) - u_t", "`k` is not a function & write `k*(u_xx)`");
    // Functions and numbers.
    check("|u| - u_t", "write `abs(u)`");
    check("1i*u_t - u", "no complex numbers & two unknowns");
    check("i*u_t - u", "two unknowns");
    check("u - e^(-x)", "write `exp(-x)`");
    check("u - e^x*k", "write `exp(x)`");
    check("u - np.sin(x)", "`np.sin` & write `sin`");
    check("u - torch.foo(x)", "write the function's name alone");
    check("u - np.pi", "write `pi`");
    check("u_t - where(x > 0.5, 1, 10)", "write `10 + (1 - 10)*step(x - 0.5)`");
    check("u_t - if(x < k, u, 0)", "write `0 + (u - 0)*step(k - x)`");
    check("u_t - delta(x - 0.5)", "`exp(-((x - 0.5)/w)^2)/(w*sqrt(pi))`");
    check("u_t - integral(u)", "what the integral runs over & write `integral(u, x = a..b)`");
    check("u_t - ∫u dx", "write `integral(u, x = a..b)`");
    check("u_t - quad(u)", "write `integral(u, x = a..b)`");
    check("u_t - integral(u, x)", "expected what the integral runs over");
    check("u_t - integral(u, x = 0)", "`x` has one end here & `x = 0..1`");
    check("u_t - integral(u, x = 0..1, x = 0..1)", "runs over `x` twice");
    check("u_t - integral(u, x = 0..1, nodes = 0)", "1 to 4000 nodes");
    check("u_t - integral(u, x = 0..1, y = 0..1, nodes = 100)", "10000 places, more than 4000");
    check("u_t - integral(u, k = 0..1)", "`k` is a parameter: an integral cannot run over it");
    check("u_t - integral(u, x = 0..u)", "cannot depend on what training changes");
    check("u_t - integral(u(s), s = 0..1)", "`u` is a function of");
    check("u_t - integral(u(s + q, y, t), s = 0..1)", "unknown symbol `q`");
    check("u_t - integral(u, x = 0..inf)", "take a value far enough out");
    check("u_t - integral(u, x = -9..1)", "beyond the domain");
    check("u_t - integral(u, x = 0..1", "this `(` is not closed");
    check("u - arctan(x)", "did you mean `atan`?");
    check("u - sgn(x)", "did you mean `sign`?");
    check("u - pow(x, 2)", "write `(x)^(2)`");
    check("u_t - u*(x > 0.5)", "`step(a - (b))`");
    check("√(u) - u_t", "`sqrt(...)`");
    check("u - sinus(x)", "did you mean `sin`?");
}

#[test]
fn names_that_are_declared_are_no_foreign_notation() {
    let text = PROBLEM.replace("k = 2", "k = 2\ndu = 1\ndt = 2\ne = 3\ni = 4\nD = 5");
    let residual = "du/dt + e^(-x) + i*u_xx - D*u_yy + π*0";
    assert_eq!(said(&text.replace("RESIDUAL", residual), Path::new(".")), Vec::<String>::new());
    let shown = one_condition(&PROBLEM.replace("RESIDUAL", "u_t - sin(π*x)"));
    assert!(shown.contains("u_t - sin(3.14159*x)"), "{shown}");
}

fn one_condition(text: &str) -> String {
    let document = Document::parse("test.toml", text).unwrap();
    document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}")).0.describe()
}

#[test]
fn one_coordinate_needs_no_asking() {
    let text = "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {}\n[conditions.c]\nplace = \"interior\"\nresidual = \"RESIDUAL\"\n[conditions.d]\nplace = \"boundary\"\nresidual = \"u\"\n";
    let check = |residual: &str, expected: &str| {
        one(&text.replace("RESIDUAL", residual), Path::new("."), residual, expected);
    };
    check("u'' + u", "write `u_xx`");
    check("D(u) + u", "write `u_x`");
    check("u(0) - u_x", "write `u` in a condition with `place = \"x = 0\"`");
    check("u(x) - u_x", "write `u`: it is the value at the point itself");
    check("u(x - 1) - u_x", "no shifted arguments & for a product write `u*(x - 1)`");
    check("laplace(u) + 1", "write `laplacian(u)`");
}

#[test]
fn places_as_they_are_written_elsewhere() {
    let check = |place: &str, expected: &str| {
        let text = PROBLEM.replace("RESIDUAL", "u_t - u_xx - u_yy").replace("\"t = 0\"", place);
        one(&text, Path::new("."), place, expected);
    };
    check("\"periodic\"", "along which coordinate? & write `periodic x`");
    check("\"x periodic\"", "is not a place & write `periodic x`");
    check("\"periodic x, t\"", "`periodic x` and `periodic t`");
    check("\"periodic in x\"", "write `periodic x`");
    check("\"t == 0\"", "write `t = 0`");
    check("\"x = 0 and t = 0\"", "write `x = 0, t = 0`");
    check("\"x = 0 && t = 0\"", "write `x = 0, t = 0`");
    check("\"x = 0 or x = 1\"", "write `[\"x = 0\", \"x = 1\"]`");
    check("\"x = 0 | x == 1\"", "write `[\"x = 0\", \"x = 1\"]`");
    check("\"x = 0, t > 0.1\"", "no parts of faces & `step(t - 0.1)`");
    check("\"x = 0, t <= 0.1\"", "`step(0.1 - t)`");
    check("\"bounday\"", "did you mean `boundary`?");
    check("[]", "the list of faces is empty");
    check("[\"x = 0\", \"interior\"]", "a list of places is a list of faces");
    check("[\"x = 0\", \"x = 0\"]", "in the list already");
    check("[\"x = 0\", 1]", "not an integer");
}

#[test]
fn settings_as_they_are_written_elsewhere() {
    let good = PROBLEM.replace("RESIDUAL", "u_t - k*u_xx - u_yy");
    let check = |from: &str, to: &str, expected: &str| {
        one(&good.replace(from, to), Path::new("."), to, expected);
    };
    let training = |stages: &str, expected: &str| {
        check("[unknowns]", &format!("[training]\nstages = {stages}\n[unknowns]"), expected);
    };
    training("[\"adam\", \"lbfgs\"]", "write `[{ adam = {} }, { lbfgs = {} }]`");
    training("\"adam\"", "write `[{ adam = {} }]`");
    training("[{ adam = { schedule = \"cosine\" } }]", "table of settings");
    let bounds = "no bounds & `positive = true` & `k = \"low + (high - low)*sigmoid(a)\"`";
    check("k = 2", "k = { initial = 1, min = 0, max = 3 }", bounds);
    check("k = 2", "k = { initial = 1, bounds = [0, 3] }", bounds);
    let text = "[coordinates]\nθ = [0, 1]\n";
    let said = said(text, Path::new("."));
    assert!(said[0].contains("write `\"θ\" = …`"), "{said:?}");
}

#[test]
fn domains_as_they_are_written_elsewhere() {
    for (written, expected) in [
        ("0..1", "`0..1` is not how a domain is written → write `x = [0, 1]`"),
        ("0 .. 2*pi # once round", "write `x = [0, \"2*pi\"]`"),
        ("-1...1", "write `x = [-1, 1]`"),
        ("0:1", "write `x = [0, 1]`"),
        ("(0, 1)", "`(0, 1)` & write `x = [0, 1]`"),
        ("0 to L/2", "write `x = [0, \"L/2\"]`"),
    ] {
        one(&PROBLEM.replace("x = [0, 1]", &format!("x = {written}")), Path::new("."), written, expected);
    }
}

#[test]
fn a_misspelt_key_is_one_mistake() {
    let text = PROBLEM.replace("RESIDUAL", "u_t - u_xx");
    for (key, written) in [
        ("residual = \"u\"", "residul = \"u\""),
        ("place = \"boundary\"", "plce = \"boundary\""),
        ("x = [0, 1]", "x = { domian = [0, 1] }"),
        ("[coordinates]", "[coordinate]"),
        ("[unknowns]", "[unknown]"),
        ("k = 2", "k = { inital = 2 }"),
    ] {
        one(&text.replace(key, written), Path::new("."), written, "unknown key & did you mean");
    }
}

#[test]
fn faults_of_tables_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = "place = { file = \"data.csv\" }\nresidual = \"u - u_obs\"";
    let text =
        PROBLEM.replace("RESIDUAL", "u_t - u_xx - u_yy").replace("y = [0, 1]\n", "").replace(" - u_yy", "");
    let text = format!("{text}[conditions.data]\n{place}\n");
    let check = |bytes: &[u8], expected: &str| {
        fs::write(folder.path().join("data.csv"), bytes).unwrap();
        let written = String::from_utf8_lossy(bytes);
        one(&text, folder.path(), &written, expected);
        let said = said(&text, folder.path());
        assert!(!said[0].contains("relative to the problem file"), "{written}: {}", said[0]);
    };
    check(b"x,t,uobs\n0,0,1\n", "the file's columns are `x`, `t` and `uobs`");
    check(b"x,time,u_obs\n0,0,1\n", "no column `t` & `x`, `time` and `u_obs`");
    check(b"x;t;u_obs\n0.63;0.01;0.89\n", "separated by `;` & by commas");
    check(b"x\tt\tu_obs\n0.63\t0.01\t0.89\n", "separated by tabs & by commas");
    check(b"x t u_obs\n0.63 0.01 0.89\n", "separated by spaces & by commas");
    check(b"x,t,u_obs\n0.63;0.01;0.89\n", "line 2: & separated by `;`");
    check(b"# x,t,u_obs\n0.1,0.2,0.3\n", "in a comment & remove the `#` before `x,t,u_obs`");
    check(b"0.1,0.2,0.3\n", "first line holds numbers");
    check(b",x,t,u_obs\n0,0.1,0.2,0.3\n", "first column has no name (an index?)");
    check(b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "not a text table");
    check(
        b"x,t,u_obs\n0.1,0.2,0.3\n\n# more\n0.1,0.2,nan\n",
        "line 5, column `u_obs` is not a finite number",
    );
    check(b"x,t,u_obs\n0.1,0.2,1e999\n", "line 2, column `u_obs` is not a finite number");
    check(b"x,t,u_obs\n0.1,0.2,\n", "line 2, column `u_obs` is empty");
    check(b"x,t,u_obs\n0.1,0.2,high\n", "line 2, column `u_obs`: `high` is not a number");
    check(b"x,t,u_obs\n0.1,0.2\n", "line 2 has 2 columns");
    check(b"x,t,u_obs\n0.1,1,1\n\n# more\n0.1,3,1\n", "`data.csv`, line 5: t = 3 lies outside the domain");
    check(b"x,t,u_obs,u_obs\n0.1,1,1,1\n", "there are two of them");
    check(b"x,t,u\n0.1,1,1\n", "it is an unknown & rename it");
    check(b"x,t,u_obs\n", "it has no rows");
    check(b"", "it is empty");
    check(b"\xff\xfex\0,\0t\0", "UTF-8");
    fs::remove_file(folder.path().join("data.csv")).unwrap();
    one(&text, folder.path(), "no file", "no such file & relative to the problem file");
}

#[test]
fn the_boundary_is_all_faces_in_space() {
    let text = PROBLEM.replace("RESIDUAL", "u_t - u_xx - u_yy");
    let build = |text: &str| {
        let document = Document::parse("test.toml", text).unwrap();
        document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}")).0
    };
    let problem = build(&text);
    let faces = [vec![(0, 0.0)], vec![(0, 1.0)], vec![(1, 0.0)], vec![(1, 1.0)]];
    assert_eq!(problem.conditions[2].place.faces(), faces);
    assert!(problem.describe().contains("walls: x = 0 and x = 1 and y = 0 and y = 1, 200 points"));
    let list = text.replace("\"boundary\"", "[\"x = 0\", \"x = 1\", \"y = 0\", \"y = 1\"]");
    assert_eq!(build(&list), problem);
    assert_eq!(build(&problem.to_toml()), problem);
    let few = text.replace("\"boundary\"", "\"boundary\"\npoints = 3");
    one(&few, Path::new("."), "points = 3", "4 faces share the points & at least one");
    let time = "[coordinates]\nt = [0, 1]\n[unknowns]\nu = {}\n[conditions.c]\nplace = \"interior\"\nresidual = \"u_t + u\"\n[conditions.d]\nplace = \"boundary\"\nresidual = \"u\"\n";
    one(time, Path::new("."), "time", "`t` is time & write a face, for example `t = 0`");
}

/// Some conditions, `[unknowns]` and what else the problem has, over x and t or another set of coordinates.
fn warned(coordinates: &str, rest: &str, conditions: &[(&str, &str)]) -> Vec<String> {
    let mut text = format!("[coordinates]\n{coordinates}\n{rest}\n");
    for (i, (place, residual)) in conditions.iter().enumerate() {
        let quoted = if place.starts_with(['[', '{']) { (*place).to_owned() } else { format!("\"{place}\"") };
        let residual =
            if place.starts_with("periodic") { String::new() } else { format!("residual = {residual}\n") };
        text += &format!("[conditions.c{i}]\nplace = {quoted}\n{residual}");
    }
    let document = Document::parse("test.toml", &text).unwrap();
    let (problem, mut warnings) = document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}"));
    warnings.append(document.doubts(&problem));
    warnings
        .iter()
        .map(|item| format!("{} → {}", item.message, item.hint.as_deref().unwrap_or_default()))
        .collect()
}

#[test]
fn too_few_conditions_are_counted() {
    const X: &str = "x = [0, 1]";
    const XT: &str = "x = [0, 1]\nt = [0, 1]";
    const U: &str = "[unknowns]\nu = {}";
    let check = |coordinates: &str, rest: &str, conditions: &[(&str, &str)], expected: &[&str]| {
        let said = warned(coordinates, rest, conditions);
        assert_eq!(said.len(), expected.len(), "{conditions:?}: {said:#?}");
        for (said, expected) in said.iter().zip(expected) {
            for part in expected.split(" & ") {
                assert!(said.contains(part), "{conditions:?}: `{part}` is missing in {said}");
            }
        }
    };
    let heat = ("interior", "\"u_t - u_xx\"");
    let wave = ("interior", "\"u_tt - u_xx\"");
    let poisson = ("interior", "\"u_xx + 1\"");
    let ends = ("boundary", "\"u\"");
    let start = ("t = 0", "\"u - sin(pi*x)\"");
    // What is missing.
    check(XT, U, &[heat, ("boundary", "\"u\"")], &["1 condition along `t` & there is none & `t = 0`"]);
    check(
        XT,
        U,
        &[heat, start, ("x = 0", "\"u\"")],
        &["2 conditions along `x` & there is 1 & nothing is given at `x = 1`"],
    );
    check(XT, U, &[heat, start], &["2 conditions along `x` & there is none & `x = 0` and `x = 1`"]);
    check(
        XT,
        U,
        &[wave, start, ends],
        &["2 conditions along `t` & there is 1 & its derivative, such as `u_t`"],
    );
    check(XT, U, &[heat, ("interior", "\"u_t - u_xx\"")], &["only derivatives of `u` are given"]);
    check(XT, U, &[("interior", "\"u_t - u_xx + u\"")], &["there is no initial or boundary condition"]);
    check(
        X,
        U,
        &[("interior", "\"u_xx + u\""), ("x = 0", "\"u\"")],
        &["there is 1 & nothing is given at `x = 1`"],
    );
    check(X, U, &[poisson, ("x = 0", "\"u\""), ("x = 0", "\"u - x\"")], &["there is 1 & `x = 1`"]);
    check(
        X,
        U,
        &[("interior", "\"u_xx + 1 - 2*x\""), ("boundary", "\"u_x\"")],
        &["only derivatives of `u` are given & place = \"x = 0\""],
    );
    check(X, U, &[("interior", "\"u_x - 1\"")], &["only derivatives of `u`", "1 condition along `x`"]);
    check(XT, "[unknowns]\nu = \"t*net\"", &[wave, ends], &["2 conditions along `t` & there is 1"]);
    check(
        "t = [0, 1]",
        "[unknowns]\na = {}\nb = {}",
        &[("interior", "[\"a_t - b\", \"b_t + a\"]"), ("t = 0", "\"a - 1\"")],
        &["2 conditions along `t` & there is 1"],
    );
    // What is enough.
    check(XT, U, &[heat, start, ends], &[]);
    check(XT, U, &[wave, ("t = 0", "[\"u\", \"u_t\"]"), ends], &[]);
    check(XT, U, &[heat, start, ("x = 0", "\"u_x\""), ("x = 1", "\"u_x + u\"")], &[]);
    check(XT, U, &[heat, start, ("periodic x", "")], &[]);
    check(X, U, &[poisson, ("x = 0", "[\"u\", \"u_x\"]")], &[]);
    check(X, U, &[poisson, ("x = 0.5", "[\"u\", \"u_x\"]")], &[]);
    check(XT, "[unknowns]\nu = \"sin(pi*x) + t*net\"", &[heat, ends], &[]);
    check(XT, "[unknowns]\nu = \"x*(1 - x)*net\"", &[heat, start], &[]);
    check(XT, "[unknowns]\nu = \"sin(pi*x) + t^2*net\"", &[wave, ends], &[]);
    check(X, "[unknowns]\nu = \"x + x^2*net\"", &[poisson], &[]);
    let features = |features: &str| format!("{U}\n[network]\nfeatures = {features}");
    check(XT, &features("[\"sin(2*pi*x)\", \"cos(2*pi*x)\", \"t\"]"), &[heat, start], &[]);
    check(XT, &features("[\"cos(pi*x)\", \"t\"]"), &[heat, start], &[]);
    // Transport needs what it needs; an axis and a vanishing diffusivity need nothing.
    check(XT, U, &[("interior", "\"u_t + u_x\""), start], &[]);
    check(XT, U, &[("interior", "\"u_t - u_xx - u_x/x\""), start, ("x = 1", "\"u\"")], &[]);
    check(XT, U, &[("interior", "\"u_t - x^2*u_xx\""), start, ("x = 1", "\"u\"")], &[]);
    // Nothing to be counted: more equations, fewer, or parameters to be found.
    check(X, U, &[("interior", "[\"u_xx + 1\", \"u_x + x - 0.5\"]"), ("x = 0", "\"u\"")], &[]);
    let sought = "[parameters]\nk = { initial = 1 }\n[unknowns]\nu = {}";
    check(
        X,
        sought,
        &[("interior", "\"u_xx + k*u\""), ("boundary", "\"u - x\""), ("x = 0", "\"u_x - 2\"")],
        &[],
    );
}

#[test]
fn lost_jumps_are_told() {
    const XY: &str = "x = [0, 1]\ny = [0, 1]";
    let said = |definition: &str, residual: &str| {
        let rest = format!("[definitions]\nflux = \"{definition}\"\n[unknowns]\nu = {{}}");
        let said = warned(XY, &rest, &[("interior", &format!("\"{residual}\"")), ("boundary", "\"u\"")]);
        // Of orders above two the count says more.
        said.into_iter().filter(|said| !said.contains("the equations need")).collect::<Vec<_>>()
    };
    let warns = |definition: &str, residual: &str, expected: &str| {
        let said = said(definition, residual);
        assert_eq!(said.len(), 1, "{definition}: {said:?}");
        for part in expected.split(" & ") {
            assert!(said[0].contains(part), "{definition}: `{part}` is missing in {}", said[0]);
        }
    };
    let silent = |definition: &str, residual: &str| {
        assert_eq!(said(definition, residual), Vec::<String>::new(), "{definition}");
    };
    warns(
        "(1 + 9*step(x - 0.5))*u_x",
        "flux_x + u_yy",
        "`flux_x` leaves out a jump & `(1 + tanh((x - 0.5)/0.01))/2` for `step(x - 0.5)`",
    );
    warns("(2 + sign(x - y))*u_x", "flux_x + u_yy", "x - y is zero & `tanh((x - y)/0.01)`");
    warns("abs(x - 0.3)*u_x", "flux_xx + u_yy", "`flux_xx` leaves out a jump & kink");
    warns("u_x*min(x, 0.5)", "flux_xx + u_yy", "`flux_xx`");
    // Where the jump is may be sought.
    let sought = |residual: &str, unknowns: &str| {
        let rest = format!(
            "[parameters]\nx0 = {{ initial = 0.5 }}\n[unknowns]\n{unknowns}\n[definitions]\nk = \"1 + 9*step(x - x0)\"\nflux = \"k*u_x\""
        );
        warned(XY, &rest, &[("interior", &format!("\"{residual}\"")), ("boundary", "\"u\"")])
    };
    let said_of =
        |said: Vec<String>, part: &str| assert!(said.iter().any(|said| said.contains(part)), "{said:?}");
    said_of(sought("flux_x + u_yy", "u = {}"), "where the argument of `step` is zero");
    // An ansatz jumps, or its slope does.
    said_of(sought("u_x + k", "u = \"step(x - 0.5)*net\""), "`u_x` leaves out a jump");
    said_of(sought("u_xx + k", "u = \"abs(x - 0.5)*net\""), "`u_xx` leaves out a jump");
    let smooth = sought("u_xx + k", "u = \"abs(x - 0.5)^3*net\"");
    assert!(!smooth.iter().any(|said| said.contains("leaves out")), "{smooth:?}");
    // No jump, none that is differentiated, none in the domain.
    silent("(1 + 9*step(x - 0.5))*u_x", "flux + u_yy + u_xx");
    silent("(1 + 9*step(y - 0.5))*u_x", "flux_x + u_yy");
    silent("(1 + 9*step(x + 5))*u_x", "flux_x + u_yy");
    silent("(1 + 9*step(x))*u_x", "flux_x + u_yy");
    silent("abs(x - 0.3)*u_x", "flux_x + u_yy");
    silent("abs(x - 0.5)^3*u", "flux_xx + u_yy");
    silent("max(x - 0.5, 0)*u_x", "flux_x + u_yy");
    silent("(1 + 9*(1 + tanh((x - 0.5)/0.01))/2)*u_x", "flux_x + u_yy");
    silent("step(u - 0.5)*u_x", "flux_x + u_yy");
}
