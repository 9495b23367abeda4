//! The library as a program sees it that knows nothing of its inside: what stands at the root of the crate, and no more.

use std::cell::Cell;
use std::error::Error;
use std::fs;

use pinn::{Flow, Options, Problem, RunOutcome, SolveError, Trained, TrainedError};

use super::cli::{exit, folder, run};

/// u′ = −u, u(0) = 1.
const DECAY: &str = r#"
    [coordinates]
    x = [0, 1]

    [unknowns]
    u = {}

    [network]
    depth = 2
    width = 8

    [training]
    stages = [{ adam = { steps = 20 } }, { lbfgs = { steps = 200 } }]

    [conditions.physics]
    place = "interior"
    residual = "u_x + u"
    points = 50

    [conditions.start]
    place = "x = 0"
    residual = "u - 1"
    points = 1

    [reference]
    solution = { u = "exp(-x)" }
"#;

/// A program of ten lines.
#[test]
fn an_outsider_trains_and_evaluates() -> Result<(), Box<dyn Error>> {
    let problem = Problem::parse(DECAY)?;
    let mut trained = pinn::solve(&problem)?;
    let points = [0.0, 0.25, 1.0];
    let u = trained.predict(&points)?;
    let u_x = trained.evaluate(&trained.quantity("u_x")?, &points, &[])?;
    for ((x, u), u_x) in points.iter().zip(u).zip(u_x) {
        assert!((u - (-x).exp()).abs() < 1e-4 && (u_x + (-x).exp()).abs() < 1e-2, "{x}: {u}, {u_x}");
    }
    let evaluation = trained.evaluation();
    assert!(evaluation.scores[0].expect("a reference").error() < 1e-4, "{evaluation:?}");
    assert_eq!((trained.outcome(), trained.stages().len()), (Some(RunOutcome::Done), 2));
    Ok(())
}

/// Poisson's equation on a disk with a hole: u is given on one wall, its derivative along the normal on the other.
const RING: &str = r#"
    [coordinates]
    x = {}
    y = {}

    [shapes]
    disk = { disk = { center = [0.5, 0], radius = 1 } }
    hole = { disk = { center = [0.5, 0], radius = 0.4 } }

    [domain]
    region = "disk - hole"

    [unknowns]
    u = {}

    [network]
    depth = 2
    width = 16

    [training]
    auto = false
    stages = [{ adam = { steps = 100 } }, { ssbroyden = { steps = 500 } }]

    [conditions.physics]
    place = "interior"
    residual = "u_xx + u_yy - 4"
    points = 500

    [conditions.around]
    place = "wall of disk"
    residual = "u - (x - 0.5)^2 - y^2"
    points = 100

    [conditions.hole]
    place = "wall of hole"
    residual = "u_n + 0.8"
    points = 60

    [reference]
    solution = { u = "(x - 0.5)^2 + y^2" }
"#;

/// It came to 6.5e-6.
#[test]
fn a_domain_of_shapes_is_solved() -> Result<(), Box<dyn Error>> {
    let trained = &mut pinn::solve(&Problem::parse(RING)?)?;
    assert!(trained.evaluation().scores[0].expect("a reference").error() < 6.5e-5);
    let across = trained.quantity("u_n")?;
    assert_eq!(across.columns(), ["n_x", "n_y"]);
    let (points, normal) = ([0.9, 0.0, 0.5, -1.0], [vec![-1.0, 0.0], vec![0.0, -1.0]]);
    let found = trained.evaluate(&across, &points, &normal)?;
    assert!((found[0] + 0.8).abs() < 1e-2 && (found[1] - 2.0).abs() < 1e-2, "{found:?}");
    Ok(())
}

/// What the program trains is loaded, and is what the library trains; its evaluation is the run's `result.json`.
#[test]
fn program_and_library_come_to_the_same() -> Result<(), Box<dyn Error>> {
    let home = folder();
    fs::write(home.path().join("decay.toml"), DECAY)?;
    let output = run(home.path(), &["--problem", "decay.toml", "--out", "run", "--threads", "1", "--json"]);
    assert_eq!(exit(&output), 0);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let mut loaded = Trained::load(home.path().join("run"))?;
    let evaluation = loaded.evaluation();
    assert_eq!(result["loss"]["total"], evaluation.loss);
    assert_eq!(result["loss"]["terms"]["start"], evaluation.terms[1]);
    assert_eq!(result["unknowns"]["u"]["rel_l2"], evaluation.scores[0].expect("a reference").error());
    assert_eq!(result["residuals"]["physics"]["rms"], evaluation.residuals[0].rms);
    assert_eq!(result["steps"], loaded.steps());

    let file = home.path().join("decay.toml");
    let problem = Problem::read(file.to_str().expect("a path"))?;
    let mut trained = pinn::solve(&problem)?;
    assert_eq!(trained.theta(), loaded.theta());
    assert_eq!(trained.stages(), loaded.stages());
    assert_eq!(trained.predict(&[0.5])?, loaded.predict(&[0.5])?);
    Ok(())
}

/// With a folder, a run is left as the program leaves it; without, nothing. Stopped, it goes on to the same end.
#[test]
fn a_run_is_watched_stopped_and_left_in_a_folder() -> Result<(), Box<dyn Error>> {
    let problem = Problem::parse(DECAY)?;
    let whole = pinn::solve(&problem)?;
    let home = folder();
    let path = home.path().join("run");
    let seen = Cell::new(0);
    let options = || Options {
        threads: 1,
        observer: Box::new(|step| {
            seen.set(step.step);
            if step.step == 30 { Flow::Stop } else { Flow::Continue }
        }),
        ..Options::default()
    };
    let in_memory = pinn::solve_with(&problem, options())?;
    assert_eq!((in_memory.outcome(), in_memory.steps()), (Some(RunOutcome::Interrupted), 30));
    assert!(!path.exists());

    let stopped = pinn::solve_with(&problem, Options { folder: Some(path.clone()), ..options() })?;
    assert_eq!((stopped.outcome(), stopped.steps(), seen.get()), (Some(RunOutcome::Interrupted), 30, 30));
    assert_eq!(stopped.theta(), in_memory.theta());
    for name in
        ["resolved.toml", "metrics.jsonl", "result.json", "solution.csv", "solution.png", "report.html"]
    {
        assert!(path.join(name).is_file(), "{name}");
    }
    // In one coordinate slices would be the solution again.
    assert!(!path.join("slices.png").exists());
    // Nothing is overwritten.
    let again = pinn::solve_with(&problem, Options { folder: Some(path.clone()), ..options() });
    let message = again.err().expect("the folder is taken").to_string();
    assert!(message.contains("exists already"), "{message}");

    assert_eq!(exit(&run(home.path(), &["resume", "run", "--quiet"])), 0);
    assert_eq!(Trained::load(&path)?.theta(), whole.theta());
    Ok(())
}

/// Parameters that were found elsewhere are a network like any other; those that are none are refused.
#[test]
fn parameters_come_from_anywhere() -> Result<(), Box<dyn Error>> {
    let problem = Problem::parse(DECAY)?;
    let mut trained = pinn::solve(&problem)?;
    let theta = trained.theta().to_vec();
    let mut taken = Trained::of(problem.clone(), theta.clone(), 1)?;
    assert_eq!(taken.predict(&[0.5])?, trained.predict(&[0.5])?);
    assert_eq!(taken.evaluation().scores, trained.evaluation().scores);
    let refused =
        |theta: Vec<f64>| Trained::of(problem.clone(), theta, 1).err().expect("refused").to_string();
    let short = refused(theta[1..].to_vec());
    assert!(short.contains(&format!("{} numbers are not {}", theta.len() - 1, theta.len())), "{short}");
    let mut wrong = theta;
    wrong[2] = f64::NAN;
    assert!(refused(wrong).starts_with("parameter 2 of "));
    Ok(())
}

/// Parameters that training finds have names, values and standard errors.
#[test]
fn an_inverse_problem_is_solved() -> Result<(), Box<dyn Error>> {
    let home = folder();
    let data: String = (0..20).map(|i| f64::from(i) / 19.0).fold("x,seen\n".to_owned(), |text, x| {
        format!("{text}{x},{}\n", (-0.7 * x).exp() + 1e-3 * (40.0 * x).sin())
    });
    let table = home.path().join("data.csv");
    fs::write(&table, data)?;
    let place = format!("[conditions.data]\nplace = {{ file = {table:?} }}\nresidual = \"u - seen\"\n");
    let text = DECAY.replace("u_x + u", "u_x + k*u").replace("u = \"exp(-x)\"", "u = \"exp(-0.7*x)\"");
    let problem = Problem::parse(&format!("[parameters]\nk = {{ initial = 0.2 }}\n{text}\n{place}"))?;
    let mut trained = pinn::solve(&problem)?;
    let found = trained.found();
    assert_eq!(found.len(), 1);
    let (name, k) = found[0];
    assert_eq!(name, "k");
    assert!((k - 0.7).abs() < 1e-2, "{k}");
    let uncertainty = trained.evaluation().uncertainty.expect("there are data");
    let error = uncertainty.parameters[0].standard_error.expect("it is determined");
    assert!(error > 0.0 && error < 1e-2, "{error}");
    // A formula knows the value that was found, and the residual of the data wants its column.
    assert_eq!(trained.evaluate(&trained.quantity("k")?, &[0.5], &[])?, [k]);
    let residual = trained.quantity("data")?;
    assert_eq!(residual.columns(), ["seen"]);
    let u = trained.predict(&[0.5])?[0];
    assert_eq!(trained.evaluate(&residual, &[0.5], &[vec![0.25]])?, [u - 0.25]);
    assert!(matches!(trained.evaluate(&residual, &[0.5], &[]), Err(TrainedError::Length { .. })));
    Ok(())
}

#[test]
fn what_goes_wrong_is_an_error_that_says_what() -> Result<(), Box<dyn Error>> {
    let unknown = Problem::read("haet").expect_err("no such problem").to_string();
    assert!(unknown.contains("did you mean `heat`?"), "{unknown}");
    let mistake = Problem::parse(&DECAY.replace("u_x + u", "u_y + u")).expect_err("no y").to_string();
    assert!(mistake.contains("u_y") && mistake.contains("problem.toml:17"), "{mistake}");
    let missing = Trained::load("no/such/run").err().expect("no run").to_string();
    assert!(missing.contains("is no run of pinn-solve"), "{missing}");

    let problem = Problem::parse(DECAY)?;
    let trained = pinn::solve_with(&problem, Options { threads: 0, ..Options::default() })?;
    let wrong = trained.quantity("u_y").expect_err("no y").to_string();
    assert!(wrong.contains("u_y"), "{wrong}");

    // The logarithm of a number below 0 is not finite anywhere.
    let broken = Problem::parse(&DECAY.replace("u_x + u", "u_x + u + log(-2 - u^2)"))?;
    match pinn::solve(&broken) {
        Err(SolveError::Diverged(why)) => assert!(why.contains("physics"), "{why}"),
        other => panic!("{:?}", other.map(|trained| trained.outcome())),
    }
    Ok(())
}

/// A problem that was changed in memory is the one that is asked, whatever its file says.
#[test]
fn a_language_has_the_values_of_the_problem() -> Result<(), Box<dyn Error>> {
    let mut problem = Problem::read("heat")?;
    problem.training.stages.iter_mut().for_each(|stage| stage.set_steps(2));
    let mut trained = pinn::solve(&problem)?;
    let formula = trained.quantity("residual = u_t - alpha*u_xx")?;
    let condition = trained.quantity("physics")?;
    let at = [0.3, 0.2, 0.9, 0.7];
    let by_name = trained.evaluate(&condition, &at, &[])?;
    assert_eq!(trained.evaluate(&formula, &at, &[])?, by_name);
    Ok(())
}
