//! What is said of an answer without a reference, held against what its reference says.

use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::verdict::{Signs, Word, verdict};
use pinn::{Problem, Trained};
use serde_json::Value;

use super::cli::{HEAT, accepting, exit, folder, run};

/// HEAT with plain defaults, and `changes` to its text.
fn heat_with(changes: &[(&str, &str)]) -> Problem {
    let text = HEAT.replace("[training]", "[training]\nauto = false");
    let text = changes.iter().fold(text, |text, (from, to)| text.replace(from, to));
    Problem::parse(&text).expect("a problem")
}

/// HEAT, trained for `steps` steps of L-BFGS after those of Adam.
fn heat(steps: usize) -> Trained {
    let mut problem = heat_with(&[]);
    problem.training.stages[1].set_steps(steps);
    pinn::solve(&problem).expect("it trains")
}

#[test]
fn the_estimate_is_near_the_true_error_however_good_the_answer() {
    let mut errors = vec![];
    for steps in [10, 100, 1000] {
        let mut trained = heat(steps);
        let truth = trained.evaluation().scores[0].expect("a reference").error();
        let estimate = trained.estimated_error().expect("an estimate");
        assert!((0.5..2.0).contains(&(estimate / truth)), "{steps} steps: {estimate:e} against {truth:e}");
        errors.push(truth);
    }
    assert!(errors[0] > 1e-2 && errors[2] < 1e-2, "{errors:?}");
}

#[test]
fn the_verdict_knows_no_reference() {
    let mut problem = heat_with(&[("exp(-pi^2*t)*sin(pi*x)", "7 + x")]);
    problem.training.stages[1].set_steps(10);
    let mut trained = pinn::solve(&problem).expect("it trains");
    assert!(trained.evaluation().scores[0].expect("a reference").error() > 0.5);
    assert_eq!(trained.verdict(), heat(10).verdict());
}

/// y is fixed by the ends, but its level inside only to exp(−1/(2·eps)) of a residual.
#[test]
fn the_estimate_of_a_boundary_value_problem_sees_what_is_nearly_undetermined() {
    for (eps, steps) in [(1.0, 30), (1.0, 300), (0.04, 30), (0.04, 300)] {
        let text = format!(
            "[coordinates]\nx = [-1, 1]\n[parameters]\neps = {eps}\n[unknowns]\ny = {{}}\n[reference]\nsolution = {{ y = \"2 + sin(2*x)\" }}\n\
             [training]\nauto = false\nstages = [{{ adam = {{ steps = 100 }} }}, {{ lbfgs = {{ steps = {steps} }} }}]\n\
             [conditions.physics]\nplace = \"interior\"\npoints = 200\n\
             residual = \"eps*y_xx - x*y_x + 4*eps*sin(2*x) + 2*x*cos(2*x)\"\n\
             [conditions.ends]\nplace = [\"x = -1\", \"x = 1\"]\nresidual = \"y - 2 - sin(2*x)\"\n"
        );
        let problem = Problem::parse(&text).expect("a problem");
        let mut trained = pinn::solve(&problem).expect("it trains");
        // Relative to the root mean square of the solution.
        let truth = trained.evaluation().scores[0].expect("a reference").error() * 2.1435;
        let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
        let estimated = pinn::internals::estimate::estimate(&problem, &mut engine, trained.theta(), 1);
        let estimate = estimated.expect("an estimate").unknowns[0];
        assert!(
            (0.8..1.25).contains(&(estimate / truth)),
            "eps = {eps}, {steps} steps: {estimate:e} against {truth:e}"
        );
    }
}

#[test]
fn a_residual_in_other_units_changes_no_estimate() {
    let theta = heat(100);
    let estimate = |problem: &Problem| {
        let mut engine = CpuEngine::<f64>::new(problem, 1, Isa::best()).expect("an engine");
        let estimated = pinn::internals::estimate::estimate(problem, &mut engine, theta.theta(), 1);
        estimated.expect("an estimate").unknowns[0]
    };
    let plain = estimate(theta.problem());
    let changes = [("u_t - u_xx", "1e9*(u_t - u_xx)"), ("u - sin(pi*x)", "1e-6*u - 1e-6*sin(pi*x)")];
    let scaled = estimate(&heat_with(&changes));
    assert!((scaled / plain - 1.0).abs() < 1e-3, "{scaled:e} against {plain:e}");
}

#[test]
fn an_answer_that_is_none_ends_with_3_unless_it_is_accepted() {
    let folder = folder();
    let few = ["--problem", "heat.toml", "--steps", "2", "--json", "--no-plots", "--out"];
    let mut command = assert_cmd::Command::cargo_bin("pinn-solve").expect("the program");
    let output = command.current_dir(folder.path()).args(few).arg("a").output().expect("it runs");
    assert_eq!(exit(&output), 3);
    let result: Value = serde_json::from_slice(&output.stdout).expect("result.json");
    assert_eq!((&result["verdict"], &result["outcome"]), (&"not solved".into(), &"done".into()));
    assert!(result["estimated_error"].as_f64().is_some_and(|error| error > 0.1), "{result}");
    assert!(result["advice"].as_array().is_some_and(|advice| !advice.is_empty()), "{result}");
    let reason = result["verdict_reason"].as_str().expect("a reason");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(reason) && said.contains("--accept"), "{said}");

    assert_eq!(accepting(&few).last(), Some(&"--accept"));
    assert_eq!(exit(&run(folder.path(), &[&few[..], &["b"]].concat())), 0);
    // The same is said of the run afterwards.
    let output = run(folder.path(), &["report", "a", "--json"]);
    let again: Value = serde_json::from_slice(&output.stdout).expect("a verdict");
    assert_eq!((&again["word"], &again["reason"]), (&result["verdict"], &result["verdict_reason"]));
    assert_eq!(again["estimated_error"], result["estimated_error"]);
}

#[test]
fn words_follow_from_the_signs() {
    let good = || Signs {
        errors: vec![("u".into(), 1e-6), ("k".into(), 1e-7)],
        explained: 0.9,
        relative: Some(("physics".into(), 1e-5)),
        between: Some(("physics".into(), 1.1)),
        ..Signs::default()
    };
    let check = |signs: Signs, word: Word, expected: &str| {
        let verdict = verdict(signs);
        assert_eq!(verdict.word, word, "{verdict:?}");
        assert!(verdict.reason.contains(expected), "{verdict:?}");
        assert_eq!(verdict.advice.is_empty(), word == Word::Solved, "{verdict:?}");
    };
    let error = |x: f64| vec![("u".to_owned(), x), ("k".to_owned(), 0.0)];
    check(good(), Word::Solved, "");
    check(Signs { errors: error(0.02), ..good() }, Word::Doubtful, "not at its end");
    check(Signs { errors: error(2.0), ..good() }, Word::NotSolved, "not at its end");
    check(Signs { errors: error(2.0), explained: 0.1, ..good() }, Word::NotSolved, "may still change u by 2");
    // What is not explained may be more than what is.
    let unexplained = || Signs { errors: error(5e-4), explained: 1e-6, ..good() };
    check(
        Signs { relative: Some(("physics".into(), 0.01)), ..unexplained() },
        Word::NotSolved,
        "may still change u",
    );
    check(Signs { relative: Some(("physics".into(), 1e-7)), ..unexplained() }, Word::Solved, "");
    check(Signs { errors: error(f64::NAN), ..good() }, Word::NotSolved, "u");
    check(Signs { errors: vec![], ..good() }, Word::Doubtful, "cannot be estimated");
    // What noise leaves of a parameter is an error of the answer, however well the equations hold.
    let uncertain = |error: f64| Some(("nu".to_owned(), error));
    check(Signs { uncertain: uncertain(3e-3), ..good() }, Word::Solved, "");
    check(
        Signs { uncertain: uncertain(0.08), ..good() },
        Word::Doubtful,
        "noise in the data leaves nu uncertain: its standard error is 8 %",
    );
    assert_eq!(verdict(Signs { uncertain: uncertain(0.08), ..good() }).estimated_error, Some(0.08));
    // What fails is worth more than that there is no estimate.
    let relative = |x: f64| Some(("physics".to_owned(), x));
    check(Signs { errors: vec![], relative: relative(1.0), ..good() }, Word::NotSolved, "misses by 100 %");
    let stopped = Signs { errors: vec![], interrupted: true, relative: relative(1.0), ..good() };
    check(stopped.clone(), Word::NotSolved, "interrupted");
    assert!(verdict(stopped).advice[0].contains("pinn-solve resume"));
    // Small residuals say nothing where other answers leave as little, or where there is no answer.
    check(Signs { open: Some("any constant".into()), ..good() }, Word::Doubtful, "any constant");
    check(
        Signs { open: Some("any constant".into()), errors: error(2.0), ..good() },
        Word::NotSolved,
        "any constant",
    );
    let none = Some(("`a` and `b`".to_owned(), "change one".to_owned()));
    check(Signs { no_answer: none, ..good() }, Word::NotSolved, "`a` and `b`");
    let growth = Some((1e9, "t = 0".to_owned(), "t = 24".to_owned()));
    check(Signs { growth, errors: error(0.5), ..good() }, Word::NotSolved, "1e9 times as large at t = 24");
    let quadrature = |off: f64| Signs { quadrature: relative(off), ..good() };
    check(quadrature(1e-3), Word::Solved, "");
    check(quadrature(0.1), Word::Doubtful, "the integrals of `physics` have too few nodes");
    check(
        Signs { errors: error(0.02), ..quadrature(1e-3) },
        Word::Doubtful,
        "by 1e-3 of the size of its terms",
    );
    check(Signs { errors: error(0.02), ..quadrature(1e-6) }, Word::Doubtful, "not at its end");
    check(quadrature(f64::NAN), Word::NotSolved, "the integrals of `physics`");
    check(Signs { relative: relative(0.1), ..good() }, Word::Doubtful, "`physics` misses by 10 %");
    check(Signs { relative: relative(1.0), ..good() }, Word::NotSolved, "`physics` misses by 100 %");
    check(Signs { relative: relative(f64::NAN), ..good() }, Word::NotSolved, "physics");
    check(Signs { between: relative(40.0), errors: error(0.02), ..good() }, Word::Doubtful, "40 times worse");
    check(Signs { undetermined: vec!["k".into()], ..good() }, Word::Doubtful, "k is not determined");
    assert_eq!(verdict(Signs { relative: relative(1.0), ..good() }).estimated_error, None);
    assert_eq!(verdict(good()).estimated_error, Some(1e-6));
    let diverged = verdict(Signs { diverged: Some("at step 3".into()), ..good() });
    assert_eq!((diverged.word, diverged.reason.as_str()), (Word::NotSolved, "training diverged: at step 3"));
}

#[test]
fn what_may_as_well_be_zero_is_relative_to_nothing() {
    let zeros = vec![("u".to_owned(), 3e-9)];
    let errors = vec![("u".to_owned(), 4e-9)];
    let found = verdict(Signs { errors, zeros, explained: 0.9, ..Signs::default() });
    assert_eq!(found.line(), "solved (estimated relative error 4e-9; u is zero to within 3e-9)");
}

#[test]
fn a_velocity_that_is_nowhere_is_zero() {
    // A channel between plates: nothing flows across it, and its equation across and that of the volume have no terms.
    let text = "[coordinates]\nx = [0, 10]\ny = [0, 1]\n[unknowns]\nu = {}\nv = {}\np = {}\n\
                [network]\ndepth = 2\nwidth = 8\n\
                [training]\nstages = [{ adam = { steps = 100 } }, { ssbroyden = { steps = 400 } }]\n\
                [conditions.stokes]\nplace = \"interior\"\npoints = 200\n\
                residual = [\"u_xx + u_yy - p_x\", \"v_xx + v_yy - p_y\", \"u_x + v_y\"]\n\
                [conditions.walls]\nplace = [\"y = 0\", \"y = 1\"]\nresidual = [\"u\", \"v\"]\n\
                [conditions.inlet]\nplace = \"x = 0\"\nresidual = [\"p - 20\", \"v\"]\n\
                [conditions.outlet]\nplace = \"x = 10\"\nresidual = [\"p\", \"v\"]\n";
    let mut trained = pinn::solve(&Problem::parse(text).expect("a problem")).expect("it trains");
    let (verdict, evaluation) = (trained.verdict(), trained.evaluation());
    assert!(
        verdict.word == Word::Solved && verdict.line().contains("v is zero to within"),
        "{}",
        verdict.line()
    );
    let zeros: Vec<bool> = evaluation.zeros.iter().map(Option::is_some).collect();
    assert_eq!(zeros, [false, true, false]);
}

#[test]
fn a_periodic_condition_on_what_is_level_there_is_measured_by_its_terms_elsewhere() {
    // The slope of cos(πx) is zero at both ends, and what is left of it there small beside what it is in between.
    let text = "[coordinates]\nx = [-1, 1]\nt = [0, 0.1]\n[unknowns]\nu = {}\n[network]\ndepth = 2\nwidth = 8\n\
                [training]\nauto = false\nstages = [{ adam = { steps = 300 } }, { ssbroyden = { steps = 500 } }]\n\
                [conditions.physics]\nplace = \"interior\"\nresidual = \"u_t - u_xx\"\npoints = 100\n\
                [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - cos(pi*x)\"\npoints = 30\n\
                [conditions.around]\nplace = \"periodic x\"\npoints = 20\n";
    let mut trained = pinn::solve(&Problem::parse(text).expect("a problem")).expect("it trains");
    let around = trained.evaluation().residuals[2].clone();
    assert!(around.relative > 0.0 && around.relative < 0.1, "{around:?}");
}

#[test]
fn an_error_is_followed_through_windows() {
    // Of what grows the error of the first window is the greatest part of the last one's; of what dies down it is none.
    for (residual, solution) in
        [("y_t - y", "exp(t)"), ("y_t + y", "exp(-t)"), ("y_t - y*cos(t)", "exp(sin(t))")]
    {
        let text = format!(
            "[coordinates]\nt = [0, 6]\n[unknowns]\ny = {{ ansatz = \"1 + tanh(t)*net\" }}\n\
             [network]\ndepth = 2\nwidth = 8\ninit = \"xavier\"\n\
             [training]\nauto = false\nwindows = [1, 2.5, 4]\n\
             stages = [{{ adam = {{ steps = 100 }} }}, {{ ssbroyden = {{ steps = 60 }} }}]\n\
             [conditions.ode]\nplace = \"interior\"\nresidual = \"{residual}\"\npoints = 100\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = \"y - 1\"\n\
             [reference]\nsolution = {{ y = \"{solution}\" }}\n"
        );
        let mut trained = pinn::solve(&Problem::parse(&text).expect("a problem")).expect("it trains");
        let error = trained.evaluation().scores[0].expect("a reference").error();
        let estimated = trained.verdict().estimated_error.expect("an estimate");
        assert!((0.2..5.0).contains(&(estimated / error)), "{residual}: {estimated:e} for {error:e}");
    }
}

#[test]
fn errors_that_grow_are_told_and_named() {
    // Beside exp(−t) there is exp(t); a few steps leave what has grown to the size of the solution at the end.
    let text = "[coordinates]\nt = [0, 12]\n[unknowns]\nu = { ansatz = \"1 - t + t^2*net\" }\n\
                [network]\ndepth = 2\nwidth = 8\ninit = \"xavier\"\n[training]\nauto = false\nwindows = [3, 6, 9]\n\
                stages = [{ adam = { steps = 100 } }, { ssbroyden = { steps = 200 } }]\n\
                [conditions.ode]\nplace = \"interior\"\nresidual = \"u_tt - u\"\npoints = 100\n\
                [conditions.start]\nplace = \"t = 0\"\nresidual = [\"u - 1\", \"u_t + 1\"]\n\
                [reference]\nsolution = { u = \"exp(-t)\" }\n";
    let mut trained = pinn::solve(&Problem::parse(text).expect("a problem")).expect("it trains");
    let error = trained.evaluation().scores[0].expect("a reference").error();
    let verdict = trained.verdict();
    let estimated = verdict.signs.errors[0].1;
    assert!(error > 1e-3 && (0.9..1.1).contains(&(estimated / error)), "{estimated:e} for {error:e}");
    assert!(verdict.reason.contains("grow away") && verdict.reason.contains("t = 12"), "{verdict:?}");
}

#[test]
fn a_second_solution_is_an_error_bar() {
    let folder = folder();
    let flags = ["--problem", "heat.toml", "--estimate", "--json", "--no-plots", "--out", "a"];
    let output = run(folder.path(), &flags);
    let result: Value = serde_json::from_slice(&output.stdout).expect("result.json");
    let difference = result["difference"].as_f64().expect("measured");
    assert!((1e-6..0.5).contains(&difference), "{result}");
    let plain = run(folder.path(), &["--problem", "heat.toml", "--json", "--no-plots", "--out", "b"]);
    let plain: Value = serde_json::from_slice(&plain.stdout).expect("result.json");
    assert_eq!(plain["unknowns"], result["unknowns"]);
    assert_eq!(plain["difference"], Value::Null);
}
