//! The autopilot: what a problem file leaves open is decided here, and becomes ordinary settings.
//!
//! It is a function of the problem alone: from a file that was compiled with plain defaults to a list of [`Decision`]s,
//! which are laid over the file as text before it is compiled once more.
//! What comes out is a problem like any other; its `resolved.toml` states every decision, and a file that states a key
//! decides it itself.
//! This module knows problems, formulas and settings; it does not know engines, training or terminals.

mod edges;
mod exact;
mod frequency;
mod layers;
mod recipe;
mod sines;
mod units;
mod windows;

use std::path::Path;

use crate::problem::{
    Coordinate, Course, Diagnostics, Document, OpenError, Opened, Problem, Trial, course, open,
};

/// One thing that a file left open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The key of the problem file, such as `network.init`.
    pub key: String,
    /// What it was set to, as TOML.
    pub value: String,
    /// Why, for people; in a few words.
    pub why: String,
}

impl Decision {
    fn new(key: impl Into<String>, value: impl ToString, why: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), why: why.into() }
    }
}

/// A problem that leaves nothing open.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The problem, with `auto = false` and every key stated.
    pub problem: Problem,
    /// What was decided for it, in order.
    pub decisions: Vec<Decision>,
    /// Advice on the file, often none.
    pub advice: Diagnostics,
}

/// What decisions start from.
struct Given<'a> {
    /// The document as it was read.
    document: &'a Document,
    /// The problem that it states.
    plain: &'a Problem,
    /// A rough solution of it, where there is one.
    course: Option<Course>,
}

/// A group of decisions: a function of what is given, and of the problem as decided so far.
type Decide = fn(&Given<'_>, &Problem) -> Result<Vec<Decision>, Diagnostics>;

/// All groups but the training, in order: each one sees what those before it decided.
const GROUPS: [Decide; 4] = [
    |given, _| Ok(windows::windows(given)),
    |given, problem| exact::decide(given.document, problem, given.course.as_ref()),
    |given, problem| Ok(recipe::network(given.document, given.plain, problem)),
    |given, problem| Ok(units::scales(given.document, problem, given.course.as_ref())),
];

/// Compiles `document` and decides what it leaves open, unless it says `auto = false` in `[training]`.
///
/// File names in it are relative to `folder`.
///
/// # Errors
///
/// Every mistake that was found.
pub fn complete(document: &Document, folder: &Path) -> Result<Completed, Diagnostics> {
    let (plain, advice) = document.build(folder)?;
    let mut problem = plain.clone();
    let mut decisions = Vec::new();
    if problem.training.auto {
        let mut filled = document.clone();
        let given = Given { document, plain: &plain, course: course(&plain) };
        for decide in GROUPS {
            let decided = decide(&given, &problem)?;
            if !decided.is_empty() {
                problem = lay(&mut filled, &decided, folder)?;
                decisions.extend(decided);
            }
        }
        let mut other = filled.clone();
        let training = recipe::training(document, &problem);
        if !training.is_empty() {
            problem = lay(&mut filled, &training, folder)?;
            decisions.extend(training);
        }
        problem.training.auto = false;
        let sines = sines::decide(document, &problem);
        if !sines.is_empty() {
            let mut other = lay(&mut other, &sines, folder)?;
            other.training.auto = false;
            problem.trial = Some(Box::new(Trial { problem: other, instead_of: problem.digest() }));
        }
    }
    exact::check(document, &problem)?;
    Ok(Completed { problem, decisions, advice })
}

/// The problem of a file with decisions laid over it.
fn lay(filled: &mut Document, decided: &[Decision], folder: &Path) -> Result<Problem, Diagnostics> {
    for Decision { key, value, .. } in decided {
        filled.set_as("autopilot", key, value)?;
    }
    Ok(filled.build(folder)?.0)
}

/// A region that takes less than this share of its box's side, in the mean, is thin.
const THIN: f64 = 0.25;

/// How much of the domain's side along a coordinate the domain has in the mean, where that is little; 1 elsewhere.
fn thinness(problem: &Problem, coordinate: usize) -> f64 {
    let Some(geometry) = &problem.geometry else { return 1.0 };
    let Some(k) = geometry.domain.bounds().position(|(i, _)| i == coordinate) else { return 1.0 };
    let Coordinate { lower, upper, .. } = &problem.coordinates[coordinate];
    let share = geometry.domain.widths()[k] / (upper - lower);
    if share < THIN { share } else { 1.0 }
}

impl Problem {
    /// Reads a built-in problem by its name, or a problem file by its path; what it leaves open is decided.
    ///
    /// Advice that comes with a problem, such as of a parameter that nothing uses, is left out.
    ///
    /// # Errors
    ///
    /// If there is no such problem or file; or every mistake in it, with its line and a hint.
    pub fn read(name: &str) -> Result<Self, OpenError> {
        let Opened { document, folder, .. } = open(name, Path::new(""))?;
        Ok(complete(&document, &folder)?.problem)
    }

    /// Reads the text of a problem file, and decides what it leaves open; files that it names are looked for in the current
    /// folder.
    ///
    /// # Errors
    ///
    /// Every mistake in it, with its line and a hint.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        Ok(complete(&Document::parse("problem.toml", text)?, Path::new(""))?.problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Posedness;
    use crate::settings::{Init, Training};

    const PLAIN: &str = r#"
        [coordinates]
        x = [0, 1]
        [unknowns]
        u = {}
        [conditions.physics]
        place = "interior"
        residual = "u_x + u"
        [conditions.start]
        place = "x = 0"
        residual = "u - 1"
    "#;

    fn completed(text: &str) -> Completed {
        complete(&Document::parse("test.toml", text).expect("TOML"), Path::new("")).expect("a problem")
    }

    fn keys(completed: &Completed) -> Vec<&str> {
        completed.decisions.iter().map(|decision| decision.key.as_str()).collect()
    }

    #[test]
    fn what_is_decided_is_stated_and_decided_once() {
        let first = completed(PLAIN);
        assert!(keys(&first).contains(&"network.init") && keys(&first).contains(&"training.stages"));
        let again = completed(&first.problem.to_toml());
        assert!(again.decisions.is_empty(), "{:?}", again.decisions);
        assert_eq!(again.problem.to_toml(), first.problem.to_toml());
    }

    #[test]
    fn nothing_is_decided_where_that_is_not_wanted() {
        let plain = completed(&format!("training.auto = false\n{PLAIN}"));
        assert!(plain.decisions.is_empty());
        assert_eq!(plain.problem.training, Training { auto: false, ..Training::default() });
        assert_eq!(plain.problem.network.init, Init::Proposed);
    }

    #[test]
    fn keys_that_are_stated_stay() {
        let text =
            "network.init = \"eoc\"\nnetwork.width = 7\ntraining.stages = [{ adam = { steps = 3 } }]\n";
        let stated = completed(&format!("{text}{PLAIN}"));
        let Problem { network, training, .. } = &stated.problem;
        assert_eq!((network.init, network.width, training.stages.len()), (Init::Eoc, 7, 1));
        // Stages that are stated make the recipe the file's own.
        assert_eq!((training.resample, training.patience), (0, 0));
        assert!(!keys(&stated).iter().any(|key| key.starts_with("training.")), "{:?}", stated.decisions);
    }

    #[test]
    fn what_is_called_auto_is_left_open() {
        let plain = completed(PLAIN);
        let words = "training = \"auto\"\nnetwork.init = \"auto\"\nnetwork.scale = \"auto\"\n";
        let places = PLAIN
            .replace("place = \"interior\"", "place = \"interior\"\npoints = \"auto\"\nscale = \"auto\"");
        let called = completed(&format!("{words}{}", places.replace("u = {}", "u = { ansatz = \"auto\" }")));
        assert_eq!(called.decisions, plain.decisions);
        assert_eq!(called.problem.to_toml(), plain.problem.to_toml());
    }

    #[test]
    fn what_has_no_solution_has_none_with_conditions_that_hold_exactly() {
        let resonance = |source: &str, right: &str| {
            let text = format!(
                "coordinates.x = [0, \"pi\"]\nunknowns.y = {{}}\n[conditions]\n\
                 ode = {{ place = \"interior\", residual = \"y_xx + y - ({source})\" }}\n\
                 left = {{ place = \"x = 0\", residual = \"y\" }}\nright = {{ place = \"x = pi\", residual = \"y - {right}\" }}"
            );
            let problem = completed(&text).problem;
            assert!(problem.conditions[1].is_exact() && problem.conditions[2].is_exact());
            problem.posedness()
        };
        let Posedness::Contradictory(found) = resonance("0", "1") else { panic!("there is none") };
        assert!(
            found.message.contains("`ode`, `left` and `right` contradict one another"),
            "{}",
            found.message
        );
        // Many solutions; one, which polynomials follow only so far.
        assert!(matches!(resonance("cos(x)*0", "0"), Posedness::UnderDetermined(_)));
        assert_eq!(resonance("step(x - 1) + 1e4*y", "1"), Posedness::NoDoubt);
    }

    #[test]
    fn holes_have_potentials() {
        let features = |shapes: &str, region: &str, coordinates: &str| {
            let text = format!(
                "coordinates = {{ {coordinates} }}\nunknowns.u = {{}}\n[shapes]\n{shapes}\n[domain]\nregion = \"{region}\"\n\
                 [conditions]\na = {{ place = \"interior\", residual = \"u_xx + u_yy\" }}\n\
                 b = {{ place = \"wall\", residual = \"u - x\" }}"
            );
            completed(&text).problem.written.features
        };
        let plane = "plate = { rectangle = { from = [-1, -1], to = [1, 1] } }\n\
                     hole = { disk = { center = [0.5, 0], radius = 0.1 } }";
        // 0 at the wall of the hole is −1; the farthest corner is 1.8 away.
        let potential = "0.3458*ln((x - 0.5)^2 + y^2) + 0.5924";
        assert_eq!(features(plane, "plate - hole", "x = {}, y = {}"), ["x", "y", potential]);
        assert_eq!(features(plane, "plate + hole", "x = {}, y = {}"), ["x", "y"]);
        let space = "block = { box = { from = [-1, -1, -1], to = [1, 1, 1] } }\n\
                     hole = { ball = { center = [0, 0, 0], radius = 0.1 } }";
        let found = features(space, "block - hole", "x = {}, y = {}, z = {}");
        assert!(
            found.len() == 4 && found[3].starts_with("-0.21") && found[3].contains("/sqrt("),
            "{found:?}"
        );
    }

    #[test]
    fn the_rule_follows_depth_and_coordinates_and_the_scale_the_smallest_width() {
        let plane = "[coordinates]\nx = [0, 1]\ny = [0, 1]\n[unknowns]\nu = {}\n\
                     [conditions.physics]\nplace = \"interior\"\nresidual = \"u_xx + u_yy - exp(-((x - 0.4)^2 + (y - 0.6)^2)/0.02)\"\n\
                     [conditions.walls]\nplace = \"boundary\"\nresidual = \"u\"\n";
        let decided = |network: &str, text: &str| {
            let network = completed(&format!("{network}\n{text}")).problem.network;
            (network.init, network.scale.initial())
        };
        assert_eq!(decided("", PLAIN), (Init::Xavier, 1.0));
        assert_eq!(decided("network.depth = 50", PLAIN), (Init::Proposed, 1.0));
        // Width 0.08 of a side that is mapped to 2.
        assert_eq!(decided("", plane), (Init::ContinuousDepth, 0.17));
        assert_eq!(decided("network.init = \"proposed\"", plane), (Init::Proposed, 0.66));
        assert_eq!(decided("network.init = \"xavier\"", plane), (Init::Xavier, 1.0));
        assert_eq!(decided("network.scale = 0.7", plane), (Init::ContinuousDepth, 0.7));
        assert_eq!(decided("network.architecture = \"resnet\"", plane), (Init::Xavier, 1.0));
        assert_eq!(decided("network.activation = \"sin\"", plane), (Init::Xavier, 1.0));
    }
}
