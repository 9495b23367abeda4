//! Problem files without `[network]` and `[training]`: what is decided for them, and how near they come to the solution.
//!
//! Each has an error that it must reach, ten times what was measured (docs/results/autopilot.md has more of them, and
//! slower ones), and has to be called solved.

use pinn::internals::rng;
use pinn::internals::verdict::Word;
use pinn::problem::Problem;
use pinn::solve;
use rand_distr::{Distribution, StandardNormal};

/// Solves a plain problem; the greatest of its unknowns' errors against their references.
fn error(text: &str) -> f64 {
    let mut trained =
        solve(&Problem::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"))).expect("it trains");
    let verdict = trained.verdict();
    assert_eq!(verdict.word, Word::Solved, "{text}: {}", verdict.line());
    trained.evaluation().scores.iter().flatten().map(|score| score.error()).fold(0.0, f64::max)
}

fn check(text: &str, most: f64) {
    let error = error(text);
    assert!(error < most, "{error:.1e} instead of {most:.1e}: {text}");
}

/// An initial-value problem in t, from 0 to `end`.
fn evolution(end: f64, unknowns: &[&str], equations: &[&str], start: &[&str], solution: &str) -> String {
    let unknowns: String = unknowns.iter().map(|name| format!("{name} = {{}}\n")).collect();
    format!(
        "[coordinates]\nt = [0, {end:?}]\n[unknowns]\n{unknowns}\
         [conditions.ode]\nplace = \"interior\"\nresidual = {equations:?}\n\
         [conditions.start]\nplace = \"t = 0\"\nresidual = {start:?}\n{solution}"
    )
}

fn reference(solution: &str) -> String {
    format!("[reference]\nsolution = {{ {solution} }}\n")
}

#[test]
fn what_grows_out_of_almost_nothing() {
    // Logistic growth from a millionth, twelve decades of it.
    let solution = reference("y = \"1/(1 + (1e6 - 1)*exp(-t))\"");
    check(&evolution(30.0, &["y"], &["y_t - y*(1 - y)"], &["y - 1e-6"], &solution), 2e-5);
}

#[test]
fn many_oscillations() {
    let solution = reference("y = \"cos(3*t)\"");
    check(&evolution(8.0, &["y"], &["y_tt + 9*y"], &["y - 1", "y_t"], &solution), 1e-6);
}

#[test]
fn what_dies_down_at_once() {
    // Towards the cosine within a thousandth; an explicit method would take thousands of steps.
    let solution = reference("y = \"(1e6*cos(t) + 1e3*sin(t) + exp(-1000*t)*(1e6 + 2))/(1e6 + 1)\"");
    check(&evolution(10.0, &["y"], &["y_t + 1000*(y - cos(t))"], &["y - 2"], &solution), 2e-6);
}

#[test]
fn what_has_other_solutions_of_small_residuals() {
    // Lorenz's equations, towards a fixed point that is a solution as well; the reference is Runge and Kutta's method.
    let text = evolution(
        2.0,
        &["x", "y", "z"],
        &["x_t - 10*(y - x)", "y_t - (x*(15 - z) - y)", "z_t - (x*y - 8/3*z)"],
        &["x + 8", "y - 7", "z - 27"],
        "",
    );
    let mut trained = solve(&Problem::parse(&text).expect("a problem")).expect("it trains");
    assert_eq!(trained.verdict().word, Word::Solved);
    let slope = |[x, y, z]: [f64; 3]| [10.0 * (y - x), x * (15.0 - z) - y, x * y - 8.0 / 3.0 * z];
    let moved = |state: [f64; 3], h: f64, slope: [f64; 3]| [0, 1, 2].map(|i| state[i] + h * slope[i]);
    let (mut state, steps) = ([-8.0, 7.0, 27.0], 30_000);
    let h = 2.0 / f64::from(steps);
    for _ in 0..steps {
        let a = slope(state);
        let b = slope(moved(state, h / 2.0, a));
        let c = slope(moved(state, h / 2.0, b));
        let d = slope(moved(state, h, c));
        state = [0, 1, 2].map(|i| state[i] + h / 6.0 * (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]));
    }
    let found = trained.predict(&[2.0]).expect("values");
    for (found, state) in found.iter().zip(state) {
        assert!((found - state).abs() < 1e-6 * state.abs(), "{found} instead of {state}");
    }
}

#[test]
fn pascals_and_metres() {
    // A beam of steel under its load, in SI units: 1/24·q/EI·x²(1 − x)² metres.
    let text = "[coordinates]\nx = [0, 1]\n[parameters]\nEI = 2.1e11*1e-8\nq = 500\n[unknowns]\nw = {}\n\
                [conditions.beam]\nplace = \"interior\"\nresidual = \"EI*w_xxxx - q\"\n\
                [conditions.ends]\nplace = \"boundary\"\nresidual = [\"w\", \"w_x\"]\n\
                [reference]\nsolution = { w = \"q/(24*EI)*x^2*(1 - x)^2\" }\n";
    check(&text.replace("2.1e11*1e-8", "2100"), 1e-6);
}

#[test]
fn other_units_are_the_same_problem() {
    // Bratu's equation, its coordinate, unknown and equation multiplied by numbers from 1e-9 to 1e9.
    let text = |length: f64, size: f64, factor: f64| {
        format!(
            "[coordinates]\nx = [0, {length:e}]\n[parameters]\nX = {length:e}\nU = {size:e}\nc = 1.5171645990507543\n\
             [unknowns]\nu = {{}}\n[conditions.physics]\nplace = \"interior\"\n\
             residual = \"{factor:e}*(u_xx + U/X^2*exp(u/U))\"\n\
             [conditions.ends]\nplace = \"boundary\"\nresidual = \"u\"\n\
             [reference]\nsolution = {{ u = \"-2*U*log(cosh((x/X - 0.5)*c/2)/cosh(c/4))\" }}\n"
        )
    };
    let plain = error(&text(1.0, 1.0, 1.0));
    assert!(plain < 2e-8, "{plain:.1e}");
    // Powers of two are no more than other exponents; sizes are rounded to them, so that other factors draw another lot.
    for [length, size, factor] in [[30, 0, -30], [-30, -20, 7]] {
        let [length, size, factor] = [length, size, factor].map(|power| 2_f64.powi(power));
        let scaled = error(&text(length, size, factor));
        assert!((0.5..2.0).contains(&(scaled / plain)), "{scaled:.1e} instead of {plain:.1e}");
    }
    let scaled = error(&text(3.7e-8, 5.3e6, 7.1e-5));
    assert!(scaled < 10.0 * plain, "{scaled:.1e} instead of {plain:.1e}");
}

#[test]
fn a_flux_whose_jump_is_left_out() {
    // Steel and wool: the residual vanishes for a straight line as well, which is wrong by half.
    let text = "[coordinates]\nx = [0, 0.3]\n[definitions]\nk = \"40 - 39.96*step(x - 0.2)\"\nflux = \"-k*T_x\"\n\
                [unknowns]\nT = {}\n[conditions.energy]\nplace = \"interior\"\nresidual = \"flux_x\"\n\
                [conditions.ends]\nplace = \"boundary\"\nresidual = \"T - 20 + 100*x\"\n";
    let mut trained = solve(&Problem::parse(text).expect("a problem")).expect("it trains");
    let verdict = trained.verdict();
    assert_eq!(verdict.word, Word::NotSolved, "{}", verdict.line());
    assert!(verdict.reason.starts_with("`flux_x` leaves out a jump"), "{}", verdict.reason);
    assert!(verdict.advice[0].contains("interface"), "{:?}", verdict.advice);
}

#[test]
fn nothing_at_all() {
    let heat = "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = {}\n[conditions.physics]\nplace = \"interior\"\n\
                residual = \"u_t - u_xx\"\n[conditions.edges]\nplace = [\"t = 0\", \"x = 0\", \"x = 1\"]\nresidual = \"u\"\n";
    let line = "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {}\n[conditions.physics]\nplace = \"interior\"\n\
                residual = \"u_xx\"\n[conditions.ends]\nplace = \"boundary\"\nresidual = \"u\"\n";
    for text in [heat, line] {
        let mut trained = solve(&Problem::parse(text).expect("a problem")).expect("it trains");
        let verdict = trained.verdict();
        assert_eq!(verdict.word, Word::Solved, "{text}: {}", verdict.line());
        let [(name, error)] = &verdict.signs.zeros[..] else { panic!("{verdict:?}") };
        assert!(name == "u" && *error < 1e-6, "{verdict:?}");
    }
    // What is small is not nothing.
    let small = line.replace("residual = \"u\"", "residual = \"u - 1e-9*x\"");
    let mut trained = solve(&Problem::parse(&small).expect("a problem")).expect("it trains");
    assert_eq!(trained.verdict().signs.zeros, []);
}

#[test]
fn a_plate_with_a_source() {
    let text = "[coordinates]\nx = [-1, 1]\ny = [-1, 1]\n[definitions]\nexact = \"x*(1 - x)*cos(pi*y)\"\n[unknowns]\nu = {}\n\
                [conditions.physics]\nplace = \"interior\"\n\
                residual = \"u_xx + u_yy + (2 + pi^2*x*(1 - x))*cos(pi*y)\"\n\
                [conditions.edges]\nplace = \"boundary\"\nresidual = \"u - exact\"\n\
                [reference]\nsolution = { u = \"exact\" }\n";
    check(text, 1e-7);
    // Rounding errors of what holds exactly are no waves.
    let problem = Problem::parse(text).expect("a problem");
    assert_eq!(problem.written.features, ["x", "y"]);
}

#[test]
fn a_parameter_that_the_data_tell() {
    // Decay at an unknown rate, seen once more.
    let text = "[coordinates]\nt = [0, 2]\n[parameters]\nk = { initial = 1, true = 3.5 }\n[unknowns]\nu = {}\n\
                [conditions.decay]\nplace = \"interior\"\nresidual = \"u_t + k*u\"\n\
                [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - 1\"\n\
                [conditions.later]\nplace = \"t = 1\"\nresidual = \"u - exp(-3.5)\"\n\
                [reference]\nsolution = { u = \"exp(-3.5*t)\" }\n";
    check(text, 1e-6);
}

#[test]
fn noise_is_left_to_the_data() {
    // y' = −k·y, y(0) = 1, and 40 readings with noise of 0.05: k is that of least squares along e^{−kt}, as it would be with
    // equations that hold exactly.
    let mut rng = rng::stream(1, "data/decay");
    let readings: Vec<(f64, f64)> = (1..=40)
        .map(|i| 0.1 * f64::from(i))
        .map(|t| {
            (
                t,
                (-0.7 * t).exp()
                    + 0.05 * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut rng),
            )
        })
        .collect();
    let mut best: f64 = 0.7;
    for _ in 0..50 {
        let (mut product, mut square) = (0.0, 0.0);
        for (t, y) in &readings {
            let slope = -t * (-best * t).exp();
            product += slope * (y - (-best * t).exp());
            square += slope * slope;
        }
        best += product / square;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("readings.csv");
    let rows: String = readings.iter().map(|(t, y)| format!("{t},{y}\n")).collect();
    std::fs::write(&file, format!("t,y_obs\n{rows}")).expect("written");
    let text = format!(
        "[coordinates]\nt = [0, 4]\n[parameters]\nk = {{ initial = 0.3 }}\n[unknowns]\ny = {{}}\n\
         [training]\neffort = \"quick\"\n[network]\ndepth = 2\nwidth = 10\n\
         [conditions.ode]\nplace = \"interior\"\nresidual = \"y_t + k*y\"\npoints = 100\n\
         [conditions.start]\nplace = \"t = 0\"\nresidual = \"y - 1\"\n\
         [conditions.readings]\nplace = {{ file = {file:?} }}\nresidual = \"y - y_obs\"\n"
    );
    let mut trained = solve(&Problem::parse(&text).expect("a problem")).expect("it trains");
    let found = trained.found()[0].1;
    assert!((found / best - 1.0).abs() < 1e-4, "{found} instead of {best}");
    let readings = trained.evaluation().residuals[2].clone();
    assert!(readings.noise == Some(true) && readings.relative > 0.01, "{readings:?}");
    assert!(!trained.verdict().line().contains("readings` misses"), "{}", trained.verdict().line());
}
