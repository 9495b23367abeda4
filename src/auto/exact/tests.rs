//! What is derived, and that it holds, derivatives included, whatever the network says.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::properties::properties;

/// A file as it is, and with what is derived for it.
fn both(text: &str) -> (Problem, Exact, Problem) {
    let mut document = Document::parse("test.toml", text).unwrap();
    let (plain, _) = document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}"));
    let sizes = vec![Size { offset: 0.0, size: 1.0 }; plain.unknowns.len()];
    let exact = exact(&plain, &sizes, true, &[]);
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
            None => holds::left_on_faces(&problem, condition).into_iter().fold(0.0, f64::max),
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
    let ends = [("'x = 0'", "'u'"), ("'x = 100'", "'u - 1'")];
    check(&line(&ends), &["x/100 + 4*(x/100)*((100 - x)/100)*net"], &[]);
    let same = [("['x = 0', 'x = 100']", "'u - k'")];
    check(&line(&same), &["k + 4*(x/100)*((100 - x)/100)*net"], &[]);
    check(&line(&[("'x = 0'", "'3*(u - k)'")]), &["2 + (1 - exp(-x/100))*net"], &[]);
    // A place within the domain is one like any other.
    check(&line(&[("'x = 50'", "'u - 1'")]), &["1 + 2*((x - 50)/100)*net"], &[]);
}

#[test]
fn values_and_derivatives_in_one_coordinate() {
    let beam = |conditions: &[(&str, &str)]| file("x = [0, 1]", "u_xxxx + k", conditions);
    let clamped = [("['x = 0', 'x = 1']", "['u', 'u_x']")];
    check(&beam(&clamped), &["16*x^2*(1 - x)^2*net"], &[]);
    let start = [("'x = 0'", "['u - 1', 'u_x - k', 'u_xx', 'u_xxx']")];
    check(&beam(&start), &["1 + k*x + (1 - exp(-x))^4*net"], &[]);
    // A bending moment says nothing where the slope is free; what else is given there holds exactly.
    let supported = [("'x = 0'", "['u', 'u_xx']"), ("'x = 1'", "['u - 1', 'u_x']")];
    let why = "c0: `u_xx`: not all lower derivatives of `u` there are given exactly, and no smooth factor leaves it \
               open; the residuals that can hold exactly do";
    check(&beam(&supported), &["x*(1 + (1 - x)) + 6.75*x*(1 - x)^2*net"], &[why]);
}

#[test]
fn initial_values_and_walls() {
    let wave = |conditions: &[(&str, &str)]| file("x = [0, 1]\nt = [0, 2]", "u_tt - u_xx", conditions);
    let start = ("'t = 0'", "['u - sin(k*pi*x)', 'u_t']");
    let walls = ("'boundary'", "'u'");
    check(&wave(&[start, walls]), &["sin(k*pi*x) + 4*x*(1 - x)*(1 - exp(-t/2))^2*net"], &[]);
    let moving = [("'t = 0'", "['u - x', 'u_t - x']"), ("'x = 0'", "'u'"), ("'x = 1'", "'u - exp(t)'")];
    check(&wave(&moving), &["exp(t)*x + 4*x*(1 - x)*(1 - exp(-t/2))^2*net"], &[]);
}

#[test]
fn what_cannot_hold_stays_a_loss() {
    let heat = |conditions: &[(&str, &str)]| file("x = [0, 1]\nt = [0, 1]", "u_t - u_xx - k", conditions);
    let robin = [("'t = 0'", "'u - 1'"), ("'x = 0'", "'u_x'"), ("'x = 1'", "'u_x + k*(u - 1)'")];
    let derivative = "c1: the value of `u` there is not given exactly, and no smooth factor leaves it open";
    check(
        &heat(&robin),
        &["1 + (1 - exp(-t))*net"],
        &[derivative, "c2: it links several unknowns or derivatives"],
    );
    // The start contradicts both walls, and they it, and the equation is not one in which that spreads.
    let waves = |conditions: &[(&str, &str)]| file("x = [0, 1]\nt = [0, 1]", "u_t - u*u_xx - k", conditions);
    let hot = [("'t = 0'", "'u - 1'"), ("['x = 0', 'x = 1']", "'u'")];
    let both =
        ["x = 0", "t = 0"].map(|place| format!("it contradicts what is given at {place} where they meet"));
    check(&waves(&hot), &["net"], &[&format!("c0: {}", both[0]), &format!("c1: {}", both[1])]);
    // A kink in one of them leaves the other as it is.
    let payoff = [("'t = 0'", "'u - max(x - 1/k, 0)'"), ("'x = 0'", "'u'")];
    check(
        &waves(&payoff),
        &["x*net"],
        &["c0: what is given has a kink, which would go through the whole domain"],
    );
    let jump = [("'t = 0'", "'u - step(x - 0.3)'")];
    check(&waves(&jump), &["net"], &["c0: what is given jumps, which would go through the whole domain"]);
    let front = [("'t = 0'", "'u - tanh((x - 0.5)/1e-3)'")];
    let steep = "c0: what is given changes within less than a hundredth of the range of `x`";
    check(&heat(&front), &["net"], &[steep]);
    let root = [("'x = 0'", "'u - sqrt(t)'"), ("'x = 1'", "'u*u_x'")];
    let endless = "c0: a derivative of what is given is not finite somewhere on the face";
    check(&heat(&root), &["net"], &[endless, "c1: it links several unknowns or derivatives"]);
    let squared =
        [("'x = 0'", "'u^2 - 1'"), ("'x = 1'", "'t*u'"), ("'x = 0, t = 0'", "'u'"), ("'x = 0.5'", "'u_t'")];
    let expected = [
        "c0: it is not linear in the unknown",
        "c1: the factor of the unknown vanishes somewhere on the face",
        "c2: no smooth factor vanishes at an edge or a point of a larger domain alone",
        "c3: it is a derivative along the face",
    ];
    check(&heat(&squared), &["net"], &expected);
    let twice = [("'x = 0'", "'u'"), ("['x = 0', 'x = 1']", "'u - t'")];
    check(
        &heat(&twice),
        &["t*x + 4*x*(1 - x)*net"],
        &["c1: it contradicts `c0`; it holds exactly on the other faces"],
    );
    // A factor of the unknown that has no zero is divided by.
    check(&heat(&[("'x = 0'", "'(1 + t)*u - 1'")]), &["1/(1 + t) + x*net"], &[]);
}

#[test]
fn kinks_beyond_the_domain_are_none() {
    let heat = file("x = [0, 1]\nt = [0, 1]", "u_t - u_xx - k", &[("'t = 0'", "'u - abs(x)'")]);
    check(&heat, &["abs(x) + (1 - exp(-t))*net"], &[]);
}

#[test]
fn boxes() {
    let square = |conditions: &[(&str, &str)]| file("x = [0, 1]\ny = [-1, 1]", "u_xx + u_yy - k", conditions);
    check(&square(&[("'boundary'", "'u - 300'")]), &["300 + 16*x*(1 - x)*((y + 1)/2)*((1 - y)/2)*net"], &[]);
    let cavity = [("['x = 0', 'x = 1', 'y = -1']", "'u'"), ("'y = 1'", "'u - 1'")];
    let mixed = file("x = [0, 1]\ny = [-1, 1]", "u_xx + u_yy + u_xy - k", &cavity);
    let walls =
        "c0: it contradicts what is given at y = 1 where they meet; it holds exactly on the other faces";
    let lid = "c1: it contradicts what is given at x = 0 where they meet";
    check(&mixed, &["(y + 1)/2*net"], &[walls, lid]);
    let (_, exact, problem) = both(&file(
        "x = [0, 1]\ny = [0, 2]\nz = [1, 3]\nt = [0, 1]",
        "u_t - u_xx - u_yy - u_zz",
        &[("'t = 0'", "'u - x*y*z'"), ("'boundary'", "'u - x*y*z*exp(-t)'")],
    ));
    assert!(problem.conditions[1..].iter().all(Condition::is_exact), "{exact:?}");
}

/// What is left of an equation at points inside, relative to its terms, where the network is zero.
fn left_inside(text: &str, points: &[[f64; 2]]) -> f64 {
    let (_, exact, problem) = both(text);
    assert!(
        problem.conditions[1..].iter().all(|c| c.is_exact() || c.place.periodic().is_some()),
        "{exact:?}"
    );
    let residual = &problem.conditions[0].residuals;
    let mut measured = Vec::new();
    let left = |point: &[f64; 2]| {
        residual.graph.measure(&mut measured, |node| match node {
            Node::Coordinate { coordinate, .. } => crate::expr::Measured::number(point[coordinate]),
            _ => crate::expr::Measured::number(0.0),
        });
        let residual = measured[residual.roots[0].index()];
        residual.value.abs() / residual.size
    };
    points.iter().map(left).fold(0.0, f64::max)
}

/// Points in x and t, or y, that are far from the other end.
const NEAR: [[f64; 2]; 4] = [[1e-9, 1e-12], [0.01, 1e-3], [0.3, 1e-4], [0.02, 1e-3]];

#[test]
fn jumps_and_kinks_spread_as_the_equation_has_them() {
    let heat = |conditions: &[(&str, &str)]| file("x = [0, 1]\nt = [0, 1]", "u_t - k*u_xx", conditions);
    // Of constant data by themselves nothing is left but the network's part.
    let hot = [("'t = 0'", "'u - 1'"), ("'x = 0'", "'u'")];
    check(&heat(&hot), &["erf(x/sqrt(4*k*max(t, 1e-100))) - 1 + 1 + x*(1 - exp(-t))*net"], &[]);
    assert!(left_inside(&heat(&hot), &NEAR) < 1e-12);
    for start in ["step(x - 0.3)", "abs(x - 0.3)", "max(0.3 - x, 0)", "min(x, 0.3)", "2*sign(0.3 - x)"] {
        let left = left_inside(&heat(&[("'t = 0'", &format!("'u - {start}'"))]), &NEAR);
        assert!(left < 1e-12, "{start}: {left:e}");
    }
    // Walls opposite each other, and a start with a kink beside them.
    let payoff = [("'t = 0'", "'u - max(x - 0.5, 0)'"), ("'x = 0'", "'u'"), ("'x = 1'", "'u - 1'")];
    let (_, exact, problem) = both(&heat(&payoff));
    assert!(problem.conditions[1..].iter().all(Condition::is_exact), "{exact:?}");
    let features = exact.features.unwrap().0;
    assert_eq!(features.last().unwrap(), "2*sqrt(max(t, 1e-100)) - 1");
    // Backwards from the end.
    let back = file("x = [0, 1]\nt = [0, 1]", "u_t + k*u_xx", &[("'t = 1'", "'u - step(x - 0.3)'")]);
    assert!(left_inside(&back, &[[0.3, 0.9], [0.01, 0.999]]) < 1e-12);
    // Where the equation spreads them depends on the solution, it is not known how.
    let porous = file("x = [0, 1]\nt = [0, 1]", "u_t - u*u_xx", &hot);
    assert!(!both(&porous).2.conditions[1].is_exact());
    // An option that may be exercised is one of two equations at a time.
    let put = file(
        "x = [0, 2]\nt = [0, 1]",
        "min(u_t - k*x^2*u_xx, u - max(1 - x, 0))",
        &[("'t = 0'", "'u - max(1 - x, 0)'")],
    );
    assert!(both(&put).2.conditions[1].is_exact());
}

#[test]
fn fluxes_that_a_start_lacks_spread_from_their_wall() {
    let heat = |at: &str, flux: &str| {
        let conditions = [("'t = 0'", "'u - 1'"), (at, flux)];
        let (_, exact, problem) = both(&file("x = [0, 1]\nt = [0, 1]", "u_t - k*u_xx", &conditions));
        // The flux at the wall soon after the start.
        let residual = &problem.conditions[2].residuals;
        let mut scratch = Vec::new();
        let x = if at.contains('0') { 0.0 } else { 1.0 };
        residual.graph.eval(&mut scratch, |node| match node {
            Node::Coordinate { coordinate: 0, .. } => x,
            Node::Coordinate { .. } => 1e-14,
            _ => 0.0,
        });
        (scratch[residual.roots[0].index()], exact.ansatz[0].clone().unwrap())
    };
    for (at, flux) in [
        ("'x = 0'", "'k*u_x + 3'"),
        ("'x = 1'", "'k*u_x + 3'"),
        ("'x = 1'", "'k*u_x + 5*(u - 3)'"),
        ("'x = 0'", "'u_x - u^4 - t'"),
    ] {
        let (left, ansatz) = heat(at, flux);
        assert!(left.abs() < 1e-5, "{flux} at {at}: {left:e}, {ansatz}");
    }
    // A wall that lets nothing through asks for nothing.
    assert_eq!(heat("'x = 0'", "'u_x'").1, "1 + (1 - exp(-t))*net");
    // A start whose slope does not repeat loses its kink on both sides.
    let around = [("'t = 0'", "'u - x^2'"), ("'periodic x'", "x")];
    let text = file("x = [-1, 1]\nt = [0, 1]", "u_t - k*u_xx - 1", &around).replace("residual = x\n", "");
    let (_, _, problem) = both(&text);
    let crate::problem::Formula { mut graph, roots } = problem.values.clone();
    let slope = graph.derivative(roots[0], 0);
    let mut scratch = Vec::new();
    for x in [-1.0, 1.0] {
        graph.eval(&mut scratch, |node| match node {
            Node::Coordinate { coordinate: 0, .. } => x,
            Node::Coordinate { .. } => 1e-12,
            _ => 0.0,
        });
        assert!(scratch[slope.index()].abs() < 1e-12);
    }
}

/// What is derived for the first unknown, where the network is zero.
fn derived_at(problem: &Problem, point: [f64; 2]) -> f64 {
    let mut scratch = Vec::new();
    problem.values.graph.eval(&mut scratch, |node| match node {
        Node::Coordinate { coordinate, .. } => point[coordinate],
        _ => 0.0,
    });
    scratch[problem.values.roots[0].index()]
}

#[test]
fn kinks_and_jumps_travel_and_come_back() {
    let string = |conditions: &[(&str, &str)]| file("x = [0, 1]\nt = [0, 3]", "u_tt - k*u_xx", conditions);
    let ends = ("'boundary'", "'u'");
    // A string that is plucked, against its series.
    let plucked = string(&[("'t = 0'", "['u - min(x/0.3, (1 - x)/0.7)', 'u_t']"), ends]);
    let places = [[0.1, 0.01], [0.25, 0.4], [0.6, 1.3], [0.9, 2.9]];
    assert!(left_inside(&plucked, &places) < 1e-12);
    let (_, _, problem) = both(&plucked);
    for point in places {
        let mode = |n: f64| {
            let height = 2.0 / (0.3 * 0.7 * (n * PI).powi(2)) * (0.3 * n * PI).sin();
            height * (n * PI * point[0]).sin() * (n * PI * 2.0_f64.sqrt() * point[1]).cos()
        };
        let series: f64 = (1..4000).map(|n| mode(f64::from(n))).sum();
        let found = derived_at(&problem, point);
        assert!((found - series).abs() < 1e-4, "{point:?}: {found} {series}");
    }
    // An end that is moved at once: where the step has been, and been sent back.
    let moved = string(&[("'t = 0'", "['u', 'u_t']"), ("'x = 0'", "'u - 1'"), ("'x = 1'", "'u'")]);
    assert!(left_inside(&moved, &places) < 1e-12);
    let (_, _, problem) = both(&moved);
    let speed = 2.0_f64.sqrt();
    for (way, expected) in [(0.3, 0.0), (0.5, 1.0), (1.5, 1.0), (1.7, 0.0), (2.3, 0.0), (2.5, 1.0)] {
        let found = derived_at(&problem, [0.4, way / speed]);
        assert!((found - expected).abs() < 1e-12, "after {way}: {found}");
    }
    // A velocity that the ends do not have, and that dies away.
    let hit = [("'t = 0'", "['u - x*(1 - x)', 'u_t - 1']"), ends];
    let damped = file("x = [0, 1]\nt = [0, 3]", "u_tt + k*u_t - k*u_xx", &hit);
    let (_, exact, problem) = both(&damped);
    assert!(problem.conditions[1..].iter().all(Condition::is_exact), "{exact:?}");
    // Along two coordinates, or at a speed that varies, it is not known how.
    let membrane = file("x = [0, 1]\ny = [0, 1]\nt = [0, 3]", "u_tt - u_xx - u_yy", &hit);
    assert!(!both(&membrane).2.conditions[1].is_exact());
    let varying = file("x = [0, 1]\nt = [0, 3]", "u_tt - (1 + x)*u_xx", &hit);
    assert!(!both(&varying).2.conditions[1].is_exact());
}

#[test]
fn walls_that_contradict_each_other_go_over_into_one_another() {
    let square =
        |equation: &str, conditions: &[(&str, &str)]| file("x = [0, 1]\ny = [0, 1]", equation, conditions);
    let corner = [("'x = 0'", "'u'"), ("'y = 0'", "'u - 1'")];
    let (laplace, stretched) = (square("u_xx + u_yy", &corner), square("u_xx + 4*k*u_yy", &corner));
    for text in [&laplace, &stretched] {
        assert!(left_inside(text, &[[1e-9, 1e-9], [0.2, 0.7], [0.9, 1e-3]]) < 1e-12);
    }
    let cavity = [("['x = 0', 'x = 1', 'y = 0']", "'u'"), ("'y = 1'", "'u - 1'")];
    let (_, exact, problem) = both(&square("u_xx + u_yy - k", &cavity));
    assert!(problem.conditions[1..].iter().all(Condition::is_exact), "{exact:?}");
    // Velocities and a pressure make no such angle.
    let flow = square("u_xx + u_yy - k", &cavity);
    let flow = flow.replace("\"u_xx + u_yy - k\"", "[\"u_xx + u_yy - k\", \"u_x\"]");
    assert!(!both(&flow).2.conditions[1].is_exact());
}

#[test]
fn several_unknowns() {
    let text = r#"
        [coordinates]
        x = [0, 1]
        t = [0, 1]
        [unknowns]
        u = {}
        v = { unit = "K" }
        w = "t*net"
        p = {}
        [conditions.equations]
        place = "interior"
        residual = ["u_t - v_xx", "v_t - u", "w_x - u", "p_x - w"]
        [conditions.start]
        place = "t = 0"
        residual = ["u - x", "v - 2", "w", "p - u"]
        [conditions.end]
        place = "x = 1"
        residual = ["v - 2", "w - 1"]
        [conditions.other]
        place = "t = 0"
        residual = "w"
    "#;
    let losses = [
        "start: `p - u`: it links several unknowns or derivatives; the residuals that can hold exactly do",
        "end: `w - 1`: the ansatz of `w` does not fulfil it; the residuals that can hold exactly do",
    ];
    check(text, &["x + (1 - exp(-t))*net", "2 + (1 - x)*(1 - exp(-t))*net", "net", "net"], &losses);
}

#[test]
fn repetition_is_exact_by_features() {
    let text = |start: &str| {
        let places = [("'t = 0'", start), ("'periodic x'", "x")];
        let text = file("x = [-1, 1]\nt = [0, 1]", "u_t - k*u_xx", &places);
        text.replace("residual = x\n", "order = 2\n")
    };
    check(&text("'u - sin(pi*x)'"), &["sin(pi*x) + (1 - exp(-t))*net"], &[]);
    let (_, exact, _) = both(&text("'u - sin(pi*x)'"));
    let features = exact.features.unwrap().0;
    assert_eq!(features[..2], ["sin(pi*x)", "cos(pi*x)"]);
    assert_eq!(features.last().unwrap(), "2*t - 1");
    let (_, exact, _) = both(&text("'u - sin(x)'").replace("x = [-1, 1]", "x = [0, '4*pi']"));
    assert_eq!(exact.features.unwrap().0[0], "sin(0.5*x)");
    // Where what is given does not repeat, the repetition stays a loss, unless the file wants it.
    let parabola = text("'u - x^3'");
    check(&parabola, &["x^3 + (1 - exp(-t))*net"], &["c1: what `c0` gives does not repeat"]);
    let wanted = parabola.replace("order = 2", "order = 2\nenforce = 'exact'");
    check(&wanted, &["net"], &["c0: it does not repeat along `x`, as `c1` asks"]);
}

#[test]
fn a_file_may_decide_itself() {
    let heat = |enforce: &str| {
        let text =
            file("x = [0, 1]\nt = [0, 1]", "u_t - u_xx - k", &[("'t = 0'", "'u - x'"), ("'x = 0'", "'u'")]);
        text.replace("place = 't = 0'", &format!("place = 't = 0'\nenforce = '{enforce}'"))
    };
    check(&heat("auto"), &["x + x*(1 - exp(-t))*net"], &[]);
    check(&heat("exact"), &["x + x*(1 - exp(-t))*net"], &[]);
    check(&heat("loss"), &["x*net"], &["c0: the file says so"]);
    // What is wanted prevails over what contradicts it.
    check(
        &heat("exact")
            .replace("residual = 'u'\n", "residual = 'u - 1'\n")
            .replace("u_t - u_xx", "u_t - u*u_xx"),
        &["x + (1 - exp(-t))*net"],
        &["c1: it contradicts what is given at t = 0 where they meet"],
    );
    let said = |text: &str| {
        let document = Document::parse("test.toml", text).unwrap();
        crate::auto::complete(&document, Path::new(".")).unwrap_err().to_string()
    };
    let impossible =
        said(&heat("exact").replace("'u - x'", "'u - step(x - 0.5)'").replace("u_t - u_xx", "u_t - u*u_xx"));
    let expected = "`c0` cannot hold exactly: what is given jumps, which would go through the whole domain";
    assert!(impossible.contains(expected) && impossible.contains("enforce = 'exact'"), "{impossible}");
    let plain = heat("exact") + "[training]\nauto = false\n";
    assert!(said(&plain).contains("the ansatz and the features that the file states do not fulfil it"));
    // What an ansatz fulfils may be called exact, and is where it is decided.
    let own = plain.replace("u = {}", "u = 'x + t*net'");
    let document = Document::parse("test.toml", &own).unwrap();
    assert!(crate::auto::complete(&document, Path::new(".")).unwrap().problem.conditions[1].is_exact());
    let own = heat("auto").replace("u = {}", "u = 'x + t*net'");
    check(&own, &["net"], &["c1: the ansatz of `u` does not fulfil it"]);
}

#[test]
fn nothing_cancels_on_any_domain() {
    // A cubic is its own interpolant, and so are its derivatives.
    for (lower, upper) in [(0.0, 1.0), (0.0, 1e6), (1e-3, 2e-3), (-300.0, 300.0), (1e6, 1e6 + 1.0)] {
        let side = upper - lower;
        let cubic =
            format!("(((x - {lower})/{side})^3 - 2*((x - {lower})/{side})^2 + 3*((x - {lower})/{side}) - 1)");
        let slope = format!("((3*((x - {lower})/{side})^2 - 4*((x - {lower})/{side}) + 3)/{side})");
        let text = file(
            &format!("x = [{lower:?}, {upper:?}]"),
            "u_xxxx - k",
            &[(&format!("['x = {lower}', 'x = {upper}']"), &format!("['u - {cubic}', 'u_x - {slope}']"))],
        );
        let (_, _, problem) = both(&text);
        assert!(problem.conditions[1].is_exact());
        let mut graph = problem.values.graph.clone();
        let mut node = problem.values.roots[0];
        for order in 0..=4 {
            let mut scratch = Vec::new();
            for i in 0..=100 {
                let s = f64::from(i) / 100.0;
                let x = lower + side * s;
                // What x itself is rounded by is not the interpolant's fault.
                let s = (x - lower) / side;
                graph.eval(&mut scratch, |node| if matches!(node, Node::Jet { .. }) { 0.0 } else { x });
                let expected = [
                    s.powi(3) - 2.0 * s * s + 3.0 * s - 1.0,
                    3.0 * s * s - 4.0 * s + 3.0,
                    6.0 * s - 4.0,
                    6.0,
                    0.0,
                ];
                let found = scratch[node.index()] * side.powi(order);
                let error = (found - expected[order as usize]).abs();
                assert!(error < 2e-13, "order {order} on [{lower}, {upper}] at {x}: {error:e}");
            }
            node = graph.derivative(node, 0);
        }
    }
}

/// The derivative of order `order` along `along` of a formula, as text.
fn differentiated(text: &str, along: usize, order: usize) -> String {
    let mut graph = Graph::default();
    let scope = crate::expr::Scope::new(&mut graph, &["x", "y", "t"]);
    let allowed = &[crate::expr::Meaning::Coordinate];
    let context = crate::expr::Context { place: "a test", allowed };
    let mut node = scope.lower(&crate::expr::parse(text).unwrap(), &mut graph, context, &mut vec![]).unwrap();
    for _ in 0..order {
        node = graph.derivative(node, along);
    }
    let name = |node| match node {
        Node::Coordinate { coordinate, .. } => ["x", "y", "t"][coordinate].to_owned(),
        _ => String::new(),
    };
    graph.to_expr(node, 10_000, &name).unwrap().to_string()
}

properties! {
    cases = 48;

    /// Data of one function, on any faces and up to any order, hold exactly together.
    #[test]
    fn data_of_a_polynomial_hold_together(
        terms in proptest::collection::vec((0..27_usize, -3..=3_i32), 3),
        counts in proptest::collection::vec(0..=2_usize, 5),
        inner in 0..=1_usize,
        lower in -2.0..1.0_f64,
        width in prop_oneof![Just(1.0), Just(1e-3), 0.5..3.0, Just(250.0)],
    ) {
        let upper = lower + width;
        let mapped = [format!("((x - {lower:?})/{width:?})"), "y".to_owned(), "(t/2)".to_owned()];
        let mut polynomial = "2".to_owned();
        for (i, coefficient) in terms {
            let powers = [i % 3, i / 3 % 3, i / 9];
            let term = mapped.iter().zip(powers).filter(|(_, power)| *power > 0).map(|(x, power)| format!("*{x}^{power}"));
            polynomial += &format!(" + {coefficient}{}", term.collect::<String>()).replace("+ -", "- ");
        }
        let mut conditions = Vec::new();
        let middle = lower + 0.5 * width;
        let places = [("x", 0, lower), ("x", 0, upper), ("y", 1, 0.0), ("y", 1, 1.0), ("t", 2, 0.0), ("x", 0, middle)];
        for ((name, along, at), count) in places.into_iter().zip(counts.iter().copied().chain([inner])) {
            for order in 0..count {
                let unknown = if order == 0 { "u".to_owned() } else { format!("u_{name}") };
                let place = format!("'{name} = {at:?}'");
                conditions.push((place, format!("'{unknown} - ({})'", differentiated(&polynomial, along, order))));
            }
        }
        prop_assume!((1..=7).contains(&conditions.len()));
        let conditions: Vec<(&str, &str)> = conditions.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let coordinates = format!("x = [{lower:?}, {upper:?}]\ny = [0, 1]\nt = [0, 2]");
        let (_, exact, problem) = both(&file(&coordinates, "u_t - u_xx - u_yy + k*u", &conditions));
        for (condition, way) in problem.conditions.iter().zip(&exact.ways).skip(1) {
            let why = way.as_ref().map(|way| way.why.clone());
            prop_assert!(condition.is_exact(), "{:?} {}", why, polynomial);
            let left = holds::left_on_faces(&problem, condition)[0];
            prop_assert!(left < 1e-12, "{}: {:e} {:?}", condition.written[0], left, exact.ansatz);
        }
    }
}

#[test]
fn a_value_stays_a_loss_beside_a_flux_that_does_not_fit_it() {
    let unfit_in = |more: &str, equation: &str, value: &str, flux: &str| {
        let conditions = [("'y = 0'", value), ("'x = 1'", flux)];
        let (plain, exact, _) = both(&file(&format!("x = [0, 1]\n{more}"), equation, &conditions));
        let pairs: Vec<_> =
            unfit(&plain).into_iter().map(|Unfit { value, flux, .. }| (value, flux)).collect();
        let way = exact.ways[1].as_ref().expect("a way");
        assert_eq!(way.enforce == Enforce::Loss, !pairs.is_empty(), "{}", way.why);
        pairs
    };
    let plate = |value: &str, flux: &str| unfit_in("y = [0, 2]", "u_xx + u_yy + k*u", value, flux);
    let edge = vec![((1, 0.0), (0, 1.0))];
    // A base at 100 beside a side that loses heat, or through which some goes.
    assert_eq!(plate("'u - 100'", "'u_x + 3*u'"), edge);
    assert_eq!(plate("'u - 100'", "'u_x - 1'"), edge);
    assert_eq!(plate("'u - x'", "'u_x'"), edge);
    // Beside one that does not, or as much as at the base, or nothing close to it.
    assert_eq!(plate("'u - 100'", "'u_x'"), []);
    assert_eq!(plate("'u - x^2'", "'u_x - 2'"), []);
    assert_eq!(plate("'u'", "'u_x + 3*u'"), []);
    assert_eq!(plate("'u - 100'", "'u_x - 1e3*exp(-40*(2 - y))'"), []);
    // What else there may be: time, one direction more, other factors, a file that wants the value exactly.
    let heat = "y = [0, 2]\nt = [0, 1]";
    assert_eq!(unfit_in(heat, "u_t - u_xx - u_yy", "'u - 100'", "'u_x - 1'"), []);
    assert_eq!(unfit_in("y = [0, 2]\nz = [0, 1]", "u_xx + u_yy + u_zz", "'u - 100'", "'u_x - 1'"), edge);
    assert_eq!(unfit_in("y = [0, 2]", "u_xx + 4*u_yy", "'u - 100'", "'u_x - 1'"), []);
    assert_eq!(unfit_in("y = [0, 2]", "k*x*(u_xx + u_yy)", "'u - 100'", "'u_x - 1'"), edge);
    let stated = file(
        "x = [0, 1]\ny = [0, 2]",
        "u_xx + u_yy",
        &[("'y = 0'", "'u - 1'\nenforce = 'exact'"), ("'x = 1'", "'u_x - 1'")],
    );
    assert_eq!(both(&stated).1.ways[1].as_ref().map(|way| way.enforce), Some(Enforce::Exact));
}

#[test]
fn terms_that_grow_without_bound_do_not_hide_a_network() {
    // Close to t = 0 the factor is 1e9 times what it is elsewhere.
    let text = file("x = [0, 1]\nt = [0, 1]", "u_t - u_xx", &[("'x = 0'", "'(u - 1)/t^2 + u*x'")]);
    let mut document = Document::parse("test.toml", &text).unwrap();
    document.set_as("autopilot", "unknowns.u.ansatz", "\"1 + t^2*net\"").unwrap();
    let (problem, _) = document.build(Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(!holds::holds(&problem, &problem.conditions[1]));
}
