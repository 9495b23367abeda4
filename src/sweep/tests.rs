use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};

use super::collect::{Collection, History, Record, RecordState, Tally};
use super::config::{Sweep, SweepError};
use super::execute::{Experiment, ExperimentError, Plan, Shard, execute};
use super::problems::Problems;
use super::{figures, summary};
use crate::problem::{Diagnostics, Document};
use crate::ranks::Ranks;
use crate::report::Panel;
use crate::run::{Resumed, RunDirectory, RunOutcome, RunResult};
use crate::solve::Settings;

const BASE: &str = "[base]\nproblem = \"heat\"\n";

fn parse(text: &str) -> Result<Sweep, Diagnostics> {
    Sweep::new(Path::new("sweep.toml"), Document::parse("sweep.toml", text)?)
}

fn sweep(axes: &str) -> Sweep {
    let text = format!("{BASE}[axes]\n{axes}\n");
    parse(&text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[track_caller]
fn check_values(axis: &str, expected: &[&str]) {
    let sweep = sweep(axis);
    let values: Vec<_> = sweep.axes[0].values.iter().map(|value| value.toml.as_str()).collect();
    assert_eq!(values, expected, "{axis}");
}

#[track_caller]
fn check_mistake(text: &str, expected: &str) {
    let wrong = parse(text).expect_err(expected).to_string();
    assert!(wrong.contains(expected), "{wrong}");
    assert!(wrong.contains("help"), "no advice in {wrong}");
}

#[test]
fn lists_and_ranges_become_values() {
    check_values("scale = [0.1, 1, 2.0]", &["0.1", "1", "2.0"]);
    check_values("activation = [\"tanh\", \"tanh + erf\"]", &["\"tanh\"", "\"tanh + erf\""]);
    check_values("seed = { from = 0, to = 3 }", &["0", "1", "2", "3"]);
    check_values("depth = { from = 10, to = 30, step = 10 }", &["10", "20", "30"]);
    check_values("scale = { from = 0.1, to = 0.4, step = 0.1 }", &["0.1", "0.2", "0.3", "0.4"]);
    check_values("scale = { from = 1, to = 2, points = 3 }", &["1.0", "1.5", "2.0"]);
    check_values(
        "scale = { from = 1e-2, to = 1e2, points = 5, spacing = \"log\" }",
        &["0.01", "0.1", "1.0", "10.0", "100.0"],
    );
    check_values("conditions.initial.weight = [1, 10]", &["1", "10"]);
    assert_eq!(sweep("conditions.initial.weight = [1, 10]").axes[0].name, "conditions.initial.weight");
}

#[test]
fn a_list_or_a_table_varies_under_a_name() {
    let stages = "training.stages = [\
        { label = \"first\", value = [{ adam = { steps = 3 } }] }, \
        { label = \"second\", value = [{ lbfgs = { steps = 4 } }] }]";
    let sweep = sweep(stages);
    assert_eq!([sweep.name(0), sweep.name(1)], ["stages=first", "stages=second"]);
    let again = parse(&sweep.to_toml()).expect("complete in itself");
    assert_eq!(again.axes, sweep.axes);
    let problem = again.problem(&again.open().expect("built in"), 1).expect("a problem");
    assert_eq!(problem.training.stages.len(), 1);
    assert!(problem.to_toml().contains("lbfgs"), "{}", problem.to_toml());
    check_mistake(&format!("{BASE}[axes]\ntraining.stages = [[1]]"), "this value cannot be varied");
}

#[test]
fn the_first_axis_changes_slowest_and_names_tell_values() {
    let sweep = sweep("init = [\"proposed\", \"eoc\"]\nscale = [0.5, 1]\nparameters.alpha = [2.5]");
    let names: Vec<_> = (0..sweep.len()).map(|run| sweep.name(run)).collect();
    assert_eq!(
        names,
        [
            "init=proposed,scale=0.5,alpha=2.5",
            "init=proposed,scale=1,alpha=2.5",
            "init=eoc,scale=0.5,alpha=2.5",
            "init=eoc,scale=1,alpha=2.5",
        ]
    );
    assert_eq!(sweep.axes[sweep.x.expect("numbers")].name, "scale");
    assert_eq!(sweep.axes[sweep.series.expect("init")].name, "init");
}

#[test]
fn names_are_safe_and_distinct() {
    let sweep = sweep("activation = [\"tanh + 2*erf\", \"tanh + 2/erf\"]");
    let names = [sweep.name(0), sweep.name(1)];
    assert!(names.iter().all(|name| !name.contains(['/', '*', ' '])), "{names:?}");
    assert_ne!(names[0], names[1]);
}

#[test]
fn values_reach_the_problem() {
    let sweep = parse(
        "[base]\nproblem = \"heat\"\ntraining.stages = [{ adam = { steps = 9 } }, { lbfgs = { steps = 9 } }]\n\
         [axes]\nscale = [0.5]\nseed = [7]\npoints = [33]\nlr = [0.25]\nsteps = [12]\nconditions.initial.weight = [3]\n\
         training.stages.0.adam.lr-unit = [\"one\"]\n",
    )
    .expect("valid");
    let opened = sweep.open().expect("built in");
    let problem = sweep.problem(&opened, 0).expect("valid");
    assert_eq!((problem.network.scale.initial(), problem.training.seed), (0.5, 7));
    let condition = |name: &str| problem.conditions.iter().find(|c| c.name == name).expect("a condition");
    assert_eq!((condition("physics").points, condition("initial").weight), (33, 3.0));
    assert_eq!(problem.training.stages.iter().map(crate::settings::Stage::steps).sum::<usize>(), 12);
    let resolved = problem.to_toml();
    assert!(resolved.contains("lr = 0.25") && resolved.contains("lr-unit = \"one\""), "{resolved}");
}

#[test]
fn mistakes_are_located_and_come_with_advice() {
    check_mistake("[axes]\nscale = [1]\n", "the sweep has no base run");
    check_mistake(BASE, "the sweep has no axes");
    check_mistake(&format!("{BASE}[axes]\nscale = []\n"), "this axis has no values");
    check_mistake(&format!("{BASE}[axes]\nscael = [1]\n"), "did you mean `scale`?");
    check_mistake(&format!("{BASE}[axes]\nscale = [1, 1.0]\n"), "1 is in the list twice");
    check_mistake(&format!("{BASE}[axes]\nscale = [[1]]\n"), "this value cannot be varied");
    check_mistake(&format!("{BASE}[axes]\nscale = [1, nan]\n"), "this value cannot be varied");
    check_mistake(&format!("{BASE}[axes]\nscale = 1\n"), "neither a list nor a range");
    check_mistake(&format!("{BASE}[axes]\nscale = {{ from = 1 }}\n"), "the numbers `from` and `to`");
    check_mistake(&format!("{BASE}[axes]\nscale = {{ from = 1, to = 0 }}\n"), "`step` does not lead");
    check_mistake(&format!("{BASE}[axes]\nscale = {{ from = 0, to = 1, points = 1 }}\n"), "from 2 to 10000");
    check_mistake(
        &format!("{BASE}[axes]\nscale = {{ from = 0, to = 1, points = 3, spacing = \"log\" }}\n"),
        "between positive numbers",
    );
    check_mistake(&format!("{BASE}[axes]\nscale = [1]\nnetwork.scale = [2]\n"), "is an axis already");
    check_mistake(&format!("{BASE}[axes]\nscale = [1]\n[figures]\nx = \"width\"\n"), "`x` names an axis");
    let over = |figures: &str| {
        let axes = "seed = [0, 1]\nscale = [1, 2]\ndepth = [3, 4]\ninit = [\"eoc\"]";
        format!("{BASE}[axes]\n{axes}\n[figures]\n{figures}\n")
    };
    for y in ["width", "init", "seed"] {
        check_mistake(&over(&format!("y = \"{y}\"")), "`y` names an axis of numbers other than the seed");
    }
    check_mistake(&over("x = \"depth\"\ny = \"depth\""), "`y` names another axis than `x`");
    check_mistake(&over("y = \"depth\"\nseries = \"init\""), "`y` and `series` exclude one another");
    check_mistake(&over("best = \"seed\""), "`best` names an axis other than the seed");
    check_mistake(
        &over("x = \"depth\"\nbest = \"depth\""),
        "`best` names an axis that figures do not run over",
    );
    let alone = format!("{BASE}[axes]\nscale = [1, 2]\n[figures]\ny = \"scale\"\n");
    check_mistake(&alone, "and both are needed");
    check_mistake(
        &format!("{BASE}[axes]\nscale = [1]\n[figure]\nx = \"scale\"\n"),
        "did you mean `figures`?",
    );
    let thousand = "{ from = 1, to = 1000 }";
    let many = format!("{BASE}[axes]\nseed = {thousand}\ndepth = {thousand}\nwidth = {thousand}\n");
    check_mistake(&many, "the sweep has 1.000e9 runs");
}

#[test]
fn combinations_that_are_no_problem_are_refused() {
    let check = |axes: &str, expected: &str| {
        let sweep = sweep(axes);
        let opened = sweep.open().expect("built in");
        let last = sweep.len() - 1;
        let wrong = sweep.problem(&opened, last).expect_err(expected);
        assert!(wrong.to_string().contains(expected), "{wrong}");
    };
    check("scale = [1, -1]", "scale");
    check("init = [\"proposed\", \"eco\"]", "eco");
    check("points = [0]", "a condition has from 1 to 100000000");
    check("points = [1.5]", "not a whole number");
    check("lr = [\"fast\"]", "positive and finite");
    check("network.wdth = [1]", "wdth");
    let text = "[base]\nproblem = \"heet\"\n[axes]\nscale = [1]\n";
    let sweep = parse(text).expect("well-formed");
    let wrong = sweep.open().expect_err("unknown");
    assert!(matches!(wrong, SweepError::Open(_)) && wrong.to_string().contains("`heat`"), "{wrong}");
    let sweep = parse("[base]\n[axes]\nscale = [1]\n").expect("well-formed");
    let wrong = sweep.open().expect_err("nothing to open").to_string();
    assert!(wrong.contains("the base run names no problem") && wrong.contains("help"), "{wrong}");
}

#[test]
fn a_configuration_may_extend_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "a.toml",
        &format!("title = \"A\"\n{BASE}network = {{ depth = 2 }}\n[axes]\nseed = [0, 1]\nscale = [1]\n"),
    );
    write("b.toml", "extends = \"a.toml\"\n[base]\nnetwork = { width = 7 }\n[axes]\nseed = [5]\n");
    let sweep = Sweep::read(&folder.path().join("b.toml")).expect("valid");
    assert_eq!((sweep.title.as_str(), sweep.name(0).as_str(), sweep.len()), ("A", "seed=5,scale=1", 1));
    let problem = sweep.problem(&sweep.open().expect("built in"), 0).expect("valid");
    assert_eq!((problem.network.depth, problem.network.width), (2, 7));
    let text = "extends = \"a.toml\"\n[axes]\nseed = { from = 3, to = 4 }\nnetwork.sigma-b = [0.1]\n";
    write("e.toml", text);
    let sweep = Sweep::read(&folder.path().join("e.toml")).expect("valid");
    let again = parse(&sweep.to_toml()).expect("complete in itself");
    assert_eq!(again.name(1), "seed=4,scale=1,sigma-b=0.1");
    let problem = sweep.problem(&sweep.open().expect("built in"), 0).expect("valid");
    assert_eq!(again.axes, sweep.axes);
    assert_eq!(again.problem(&again.open().expect("built in"), 0).expect("valid"), problem);

    write("c.toml", "extends = \"c.toml\"\n");
    let wrong = Sweep::read(&folder.path().join("c.toml")).expect_err("endless");
    assert!(wrong.to_string().contains("without end"), "{wrong}");
    write("d.toml", "extends = 1\n");
    let wrong = Sweep::read(&folder.path().join("d.toml")).expect_err("no path");
    assert!(wrong.to_string().contains("d.toml:1:11"), "{wrong}");
}

#[test]
fn shards_part_the_runs() {
    let owners = |run| (1..=3).filter(|&index| Shard { index, of: 3 }.has(run)).count();
    assert!((0..10).all(|run| owners(run) == 1));
}

fn record(loss: f64, outcome: RunOutcome) -> Record {
    let json = serde_json::json!({
        "schema_version": 1, "version": "0", "problem": "p", "title": "", "device": "cpu", "device_detail": "",
        "precision": "f64", "seed": 0, "threads": 1, "parameters": 1, "activation": "tanh", "scale": 1.0,
        "init": "eoc", "depth": 1, "width": 1, "outcome": outcome.name(), "steps": 2, "stages": [], "seconds": 1.5,
        "step_ms": null, "loss": { "total": loss, "terms": { "physics": loss } }, "final_loss": null,
        "unknowns": { "u": { "rel_l2": loss / 10.0, "max_error": null } },
        "reference_error": null, "peak_memory_bytes": null, "files": [],
    });
    let result: RunResult = serde_json::from_value(json).expect("a result");
    Record {
        name: String::new(),
        state: RecordState::Ended(outcome),
        result: Some(result),
        history: OnceLock::from(History {
            losses: vec![(1.0, 2.0 * loss), (2.0, loss)],
            errors: vec![(0.5, loss / 5.0), (1.5, loss / 10.0)],
        }),
    }
}

/// Loss 10 at scale 0.5 and 20 at scale 1, plus the seed, times 3 under the second initialization; the last diverged.
fn collected() -> (Sweep, Collection) {
    let sweep = sweep(
        "activation = [\"tanh\", \"erf\"]\ninit = [\"proposed\", \"eoc\"]\nseed = { from = 0, to = 2 }\n\
         scale = [0.5, 1]",
    );
    let records = (0..sweep.len()).map(|run| {
        let i = sweep.indices(run);
        let loss = (10.0 * (i[3] + 1) as f64 + i[2] as f64) * if i[1] == 0 { 1.0 } else { 3.0 };
        let last = run == sweep.len() - 1;
        record(loss, if last { RunOutcome::Diverged } else { RunOutcome::Done })
    });
    let collection = Collection { records: records.collect() };
    (sweep, collection)
}

#[test]
fn figures_show_medians_and_bands_over_seeds() {
    let (sweep, collection) = collected();
    let figures = figures::all(&sweep, &collection, Path::new("")).expect("figures");
    let names: Vec<_> = figures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "loss-vs-scale-tanh.png",
            "loss-vs-scale-erf.png",
            "loss-vs-scale.png",
            "error-vs-scale-tanh.png",
            "error-vs-scale-erf.png",
            "error-vs-scale.png",
            "loss-curves.png",
            "error-vs-time.png",
        ]
    );
    let charts = |i: usize| figures[i].1.rows[0].iter().map(crate::report::tests::lines).collect::<Vec<_>>();
    let both = charts(2);
    assert_eq!((both.len(), both[0].title.as_str()), (2, "a·tanh"));
    let [proposed, eoc] = &both[0].curves[..] else { panic!("two series") };
    assert_eq!((proposed.label.as_str(), eoc.label.as_str()), ("proposed", "eoc"));
    assert_eq!(proposed.points, [(0.5, 11.0), (1.0, 21.0)]);
    assert_eq!(proposed.band, [(10.0, 12.0), (20.0, 22.0)]);
    assert_eq!(eoc.points, [(0.5, 33.0), (1.0, 63.0)]);
    assert_eq!(both[0].y.range, both[1].y.range);
    assert_eq!(charts(3)[0].curves[0].points, [(0.5, 1.1), (1.0, 2.1)]);
    assert_eq!(charts(6)[0].curves.len(), 12);
    assert_eq!(charts(7)[0].curves[0].points, [(0.5, 2.0), (1.5, 1.0)]);
    for (name, figure) in figures {
        assert!(figure.png().is_ok(), "{name}");
    }
}

#[test]
fn of_many_runs_as_many_histories_are_drawn_as_can_be_told_apart() {
    let sweep = sweep("seed = { from = 1, to = 2500 }");
    let named = |run| Record { name: sweep.name(run), ..record(1.0, RunOutcome::Done) };
    let collection = Collection { records: (0..sweep.len()).map(named).collect() };
    let figures = figures::all(&sweep, &collection, Path::new("")).expect("figures");
    let [(name, curves), _] = &figures[..] else { panic!("two figures of histories") };
    let drawn = crate::report::tests::lines(&curves.rows[0][0]).curves.len();
    assert_eq!((name.as_str(), drawn), ("loss-curves.png", 2000));
}

#[test]
fn the_first_run_that_is_another_is_named() {
    struct Known;
    impl Experiment for Known {
        fn check(&self, run: usize, _: &Path, _: Option<&str>) -> Result<bool, SweepError> {
            Ok(run < 40)
        }
        fn begin(&self, _: usize, _: RunDirectory, _: &AtomicBool) -> Result<(), ExperimentError> {
            Ok(())
        }
        fn go_on(&self, _: usize, _: Resumed, _: &AtomicBool) -> Result<(), ExperimentError> {
            Ok(())
        }
    }
    let sweep = sweep("scale = { from = 1, to = 100 }");
    let folder = std::path::PathBuf::from("nowhere");
    let plan = Plan { sweep: &sweep, folder, shard: Shard::ALL, jobs: 1, draw: false, experiment: &Known };
    let wrong = plan.check().expect_err("the runs from the 40th on").to_string();
    assert!(wrong.contains("scale=41 was made by another configuration"), "{wrong}");
}

#[test]
fn a_second_axis_makes_heat_maps_of_medians() {
    let axes =
        "init = [\"proposed\", \"eoc\"]\nseed = { from = 0, to = 2 }\ndepth = [20, 5, 10]\nscale = [0.5, 1]";
    let sweep = parse(&format!("{BASE}[axes]\n{axes}\n[figures]\nx = \"scale\"\ny = \"depth\"\n"));
    let sweep = sweep.unwrap_or_else(|wrong| panic!("{wrong}"));
    let records = (0..sweep.len()).map(|run| {
        let [init, seed, _, scale] = sweep.indices(run)[..] else { panic!("four axes") };
        let depth = sweep.choices(run)[2].number.expect("a number");
        let loss = depth + 100.0 * scale as f64 + 0.1 * seed as f64 + 1000.0 * init as f64;
        // Depth 10 at scale 0.5 has no loss under the first rule.
        record(if loss < 11.0 && depth == 10.0 { f64::NAN } else { loss }, RunOutcome::Done)
    });
    let collection = Collection { records: records.collect() };
    let figures = figures::all(&sweep, &collection, Path::new("")).expect("figures");
    let names: Vec<_> = figures.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["loss-vs-scale-and-depth-init-proposed.png", "loss-vs-scale-and-depth-init-eoc.png"];
    assert_eq!((&names[..2], names[2]), (&expected[..], "loss-vs-scale-and-depth.png"));
    let [Panel::Map(proposed), Panel::Map(eoc)] = &figures[2].1.rows[0][..] else { panic!("{names:?}") };
    assert_eq!(proposed.title, "best loss, init = proposed");
    assert_eq!((&proposed.xs, &proposed.ys), (&vec![0.5, 1.0], &vec![5.0, 10.0, 20.0]));
    assert_eq!(eoc.values, [1005.1, 1010.1, 1020.1, 1105.1, 1110.1, 1120.1]);
    assert!(proposed.values[1].is_nan() && proposed.values[0] == 5.1, "{:?}", proposed.values);
    assert!(proposed.cells && proposed.levels.range == eoc.levels.range && eoc.levels.range.is_some());
    let text = summary::text(&sweep, &collection);
    assert!(text.contains("| scale | 20 | 5 | 10 |"), "{text}");
    for (name, figure) in figures {
        assert!(figure.png().is_ok(), "{name}");
    }
}

#[test]
fn of_an_axis_the_best_value_may_count() {
    let axes = "init = [\"proposed\", \"eoc\"]\nseed = { from = 0, to = 2 }\nlr = [1e-3, 1e-2, 1e-1]\ndepth = [5, 10]";
    let sweep = parse(&format!("{BASE}[axes]\n{axes}\n[figures]\nx = \"depth\"\nbest = \"lr\"\n"));
    let sweep = sweep.unwrap_or_else(|wrong| panic!("{wrong}"));
    let records = (0..sweep.len()).map(|run| {
        let [init, seed, lr, depth] = sweep.indices(run)[..] else { panic!("four axes") };
        // 0.01 is the best rate at 5 layers, 0.001 at 10; at 0.1 two of three runs begin well and diverge.
        let loss = [[4.0, 2.0, 0.1], [6.0, 9.0, 0.1]][depth][lr] + 0.1 * seed as f64 + 10.0 * init as f64;
        let diverged = lr == 2 && seed > 0;
        record(loss, if diverged { RunOutcome::Diverged } else { RunOutcome::Done })
    });
    let collection = Collection { records: records.collect() };
    let figures = figures::all(&sweep, &collection, Path::new("")).expect("figures");
    let names: Vec<_> = figures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["loss-vs-depth.png", "error-vs-depth.png", "loss-curves.png", "error-vs-time.png"]);
    let chart = crate::report::tests::lines(&figures[0].1.rows[0][0]);
    assert_eq!(chart.curves[0].points, [(5.0, 2.1), (10.0, 6.1)]);
    assert_eq!(chart.curves[0].band, [(2.0, 2.2), (6.0, 6.2)]);
    assert_eq!(chart.curves[1].points, [(5.0, 12.1), (10.0, 16.1)]);
    // Every run has its line.
    assert_eq!(crate::report::tests::lines(&figures[2].1.rows[0][0]).curves.len(), sweep.len());
    let text = summary::text(&sweep, &collection);
    assert!(text.contains("## Best loss, median (least – greatest), at the best lr"), "{text}");
    assert!(
        text.contains("| 5 | 2.10e0 (2.0e0 – 2.2e0) at 0.01 | 1.21e1 (1.2e1 – 1.2e1) at 0.01 |"),
        "{text}"
    );
    assert!(text.contains("| 10 | 6.10e0 (6.0e0 – 6.2e0) at 0.001 |"), "{text}");
}

#[test]
fn figures_are_drawn_whenever_a_tenth_more_runs_have_ended() {
    /// Notes before which runs there was a new figure.
    struct Watcher(Mutex<Vec<usize>>);
    impl Experiment for Watcher {
        fn check(&self, _: usize, _: &Path, _: Option<&str>) -> Result<bool, SweepError> {
            Ok(true)
        }
        fn begin(&self, run: usize, directory: RunDirectory, _: &AtomicBool) -> Result<(), ExperimentError> {
            let figure = directory.path().join("../../loss-vs-scale.png");
            if std::fs::remove_file(figure).is_ok() {
                self.0.lock().expect("sound").push(run);
            }
            let result = record(1.0, RunOutcome::Done).result.expect("a result");
            directory.write("result.json", result.to_json().as_bytes())?;
            Ok(())
        }
        fn go_on(&self, run: usize, resumed: Resumed, stop: &AtomicBool) -> Result<(), ExperimentError> {
            self.begin(run, resumed.directory, stop)
        }
    }
    let sweep = sweep("scale = { from = 1, to = 30 }");
    let folder = tempfile::tempdir().expect("a folder");
    let experiment = Watcher(Mutex::new(vec![]));
    let path = folder.path().to_owned();
    let plan =
        Plan { sweep: &sweep, folder: path, shard: Shard::ALL, jobs: 1, draw: true, experiment: &experiment };
    let found = plan.check().expect("fine");
    execute(&plan, found, &AtomicBool::new(false), &|_| ()).expect("runs");
    let drawn = experiment.0.into_inner().expect("sound");
    assert_eq!(drawn, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 21, 24, 27]);
    assert!(folder.path().join("loss-vs-scale.png").is_file(), "and at the end");
}

#[test]
fn an_abscissa_is_logarithmic_where_that_spaces_it_evenly() {
    let check = |axis: &str, expected: crate::report::Scale| {
        let sweep = sweep(axis);
        let records = (0..sweep.len()).map(|_| record(1.0, RunOutcome::Done)).collect();
        let figures = figures::all(&sweep, &Collection { records }, Path::new("")).expect("figures");
        assert_eq!(crate::report::tests::lines(&figures[0].1.rows[0][0]).x.scale, expected, "{axis}");
    };
    check("depth = [5, 10, 20, 50, 100]", crate::report::Scale::Log);
    check("scale = [0.1, 0.3, 0.5, 0.8, 1, 1.3, 1.5, 1.8, 2]", crate::report::Scale::Linear);
    check("scale = [-1, 1, 100]", crate::report::Scale::Linear);
}

#[test]
fn what_else_was_measured_has_a_figure_and_a_table_on_a_plain_scale() {
    let (sweep, mut collection) = collected();
    for (run, record) in collection.records.iter_mut().enumerate() {
        let result = record.result.as_mut().expect("every run has ended");
        result.measures.insert("best_accuracy".into(), 0.5 + 0.01 * run as f64);
    }
    let figures = figures::all(&sweep, &collection, Path::new("")).expect("figures");
    let drawn = figures.iter().find(|(name, _)| name == "best-accuracy-vs-scale.png").expect("drawn");
    let chart = crate::report::tests::lines(&drawn.1.rows[0][0]);
    assert_eq!((chart.y.label.as_str(), chart.y.scale), ("best accuracy", crate::report::Scale::Linear));
    // The seeds of the first point are runs 0, 2 and 4.
    assert_eq!((chart.curves[0].points[0], chart.curves[0].band[0]), ((0.5, 0.52), (0.5, 0.54)));
    let text = summary::text(&sweep, &collection);
    assert!(text.contains("## Best accuracy, median"), "{text}");
    assert!(text.contains("| 0.5 | 0.5200 (0.5000 – 0.5400) | 0.5800 (0.5600 – 0.6000) |"), "{text}");
}

#[test]
fn the_summary_compares_medians_and_names_what_went_wrong() {
    let (sweep, mut collection) = collected();
    collection.records[0].state = RecordState::Failed("no memory".into());
    let text = summary::text(&sweep, &collection);
    assert!(
        text.contains("24 runs: 22 done, 0 short of their tolerance, 1 diverged, 1 failed, 0 left."),
        "{text}"
    );
    assert!(text.contains("| 0.5 | 1.10e1 (1.0e1 – 1.2e1) | 3.30e1 (3.0e1 – 3.6e1) | 3.000 |"), "{text}");
    assert!(text.contains("failed: no memory"), "{text}");
    let tally = Tally::of(&collection.records);
    assert_eq!((tally.done, tally.diverged, tally.failed), (22, 1, 1));
}

/// What a user is told of learning rates outside the band of the proposed initialization, line by line.
#[track_caller]
fn check_outside_band(axes: &str, expected: &[&str]) {
    let sweep = sweep(axes);
    let settings = Settings {
        device: "cpu".into(),
        threads: 1,
        chunk: None,
        plots: false,
        page: false,
        quiet: true,
        estimate: false,
        ranks: Ranks::alone(),
    };
    let problems = Problems::new(&sweep, settings).expect("built in");
    for run in 0..sweep.len() {
        assert!(problems.check(run, Path::new(""), None).expect("a valid combination"));
    }
    let warning = problems.warning().unwrap_or_default();
    let lines: Vec<&str> = warning.lines().skip(1).map(str::trim).collect();
    assert_eq!(lines, expected, "{axes}: {warning}");
}

#[test]
fn rates_outside_the_band_of_the_proposed_initialization_are_named() {
    let fixed = "training.stages = [\
        { label = \"fixed\", value = [{ adam = { steps = 9, lr = 1e-3, lr-unit = \"one\" } }] }]";
    let axes = "seed = [0, 1]\nactivation = [\"tanh\", \"softsign_2\"]\n\
        init = [\"proposed\", \"eoc\"]\nscale = [0.1, 1.0, 1.3, 2.0]";
    check_outside_band(&format!("{axes}\n{fixed}"), &["init = proposed, scale = 1.3, 2"]);
    check_outside_band(&format!("scale = [0.005, 1.0]\n{fixed}"), &["scale = 0.005"]);
    check_outside_band(&format!("scale = [1.5, 2.0]\n{fixed}"), &["all runs"]);
    check_outside_band(&format!("init = [\"eoc\", \"xavier\"]\nscale = [2.0]\n{fixed}"), &[]);
    check_outside_band(axes, &[]);
    check_outside_band("lr = [1e-6, 1e-5, 1e-4, 1e-3, 2e-3]\nscale = [0.1, 2.0]", &["lr = 1e-6, 0.002"]);
    check_outside_band(
        "lr = [1e-4, 3e-3]\nscale = [1.0, 2.0]\ninit = [\"proposed\", \"he\"]",
        &["lr = 0.003, init = proposed"],
    );
    let named = |k: usize| format!("lr = 0.00{k}, scale = {}", if k < 3 { "2" } else { "0.5, 2" });
    let named: Vec<String> = (1..=6).map(named).collect();
    let mut expected: Vec<&str> = named.iter().map(String::as_str).collect();
    expected.push("and 2 more combinations");
    let rates = "lr = { from = 1e-3, to = 8e-3, step = 1e-3 }";
    check_outside_band(&format!("{fixed}\n{rates}\nscale = [0.5, 2.0]"), &expected);
}
