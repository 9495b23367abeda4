//! What an answer may be called, by what is known of it without a reference: solved, doubtful or not solved.
//!
//! [`verdict`] is a pure function of [`Signs`]: numbers that others have taken.
//! Its thresholds come from runs whose true errors are known, good and bad ones (docs/results/verdict.md).
//! It does not know networks, how the numbers were taken, or a reference.

use serde::{Deserialize, Serialize};

/// An estimated error up to which an answer is called solved.
const SOLVED: f64 = 1e-3;
/// An estimated error from which on it is called not solved.
const NOT_SOLVED: f64 = 0.1;
/// A residual relative to the size of its terms up to which an answer may be called solved.
const HOLDS: f64 = 0.02;
/// And from which on it is called not solved.
const FAILS: f64 = 0.3;
/// How much a residual beside the size of its terms may matter at most where the estimate does not say.
const MATTER: f64 = 1e3;
/// What residuals between the points of training may be, relative to those at them.
const BETWEEN: f64 = 10.0;
/// What two solutions may differ by.
const APART: f64 = 1e-2;
/// By how much an error at the start grows before that is worth a word.
const GROWS: f64 = 1e4;
/// A standard error, relative to its parameter, up to which an answer may be called solved: three of them are 1 %.
const CERTAIN: f64 = 1.0 / 300.0;
/// The part of the residuals' squares that the network has to be able to explain for its training to be called unfinished.
const EXPLAINED: f64 = 0.5;

/// What an answer is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Word {
    /// Its error is small, as far as can be told.
    #[serde(rename = "solved")]
    Solved,
    /// It may be right, or nearly right.
    #[serde(rename = "doubtful")]
    Doubtful,
    /// It is not the solution.
    #[serde(rename = "not solved")]
    NotSolved,
}

impl Word {
    /// As written in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::Doubtful => "doubtful",
            Self::NotSolved => "not solved",
        }
    }
}

/// What is known of an answer.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct Signs {
    /// Where training broke down for good, if it did.
    pub diverged: Option<String>,
    /// Was training interrupted, so that there is more to come?
    pub interrupted: bool,
    /// The estimated relative error of every unknown and of every parameter that training found, by name; empty where
    /// they cannot be estimated.
    pub errors: Vec<(String, f64)>,
    /// Of these the unknowns that may as well be zero, and their estimated errors, which are relative to nothing; those in
    /// `errors` are relative to what such an unknown could have been.
    pub zeros: Vec<(String, f64)>,
    /// How much of the residuals' squares a change of the network would explain.
    pub explained: f64,
    /// By how much the answer changes, relative to itself, where residuals change by as much as they are.
    pub amplification: f64,
    /// The condition with the greatest residual relative to the size of its terms, and that residual.
    pub relative: Option<(String, f64)>,
    /// The condition on measured data whose residuals, which are like noise, are greatest beside the size of its terms, and
    /// that ratio; none of them is in `relative`.
    pub noise: Option<(String, f64)>,
    /// The condition whose residual changes most beside the size of its terms where integrals have other nodes, and by how
    /// much.
    pub quadrature: Option<(String, f64)>,
    /// The parameter to be found whose standard error is greatest beside its value, and that ratio, where it is known.
    pub uncertain: Option<(String, f64)>,
    /// The condition whose residual is greatest between the points of training, relative to that at them, and that ratio.
    pub between: Option<(String, f64)>,
    /// How far a second solution is from this one, relative to it, if there is one.
    pub difference: Option<f64>,
    /// Trainable parameters that equations and data do not determine.
    pub undetermined: Vec<String>,
    /// What the conditions leave open, if anything: other answers fulfil them as well.
    pub open: Option<String>,
    /// Why this is no answer whatever its residuals, and what to try: conditions contradict one another, the solution leaves
    /// every bound, or the formulas leave out a part of the equations.
    pub no_answer: Option<(String, String)>,
    /// By how much an error at the start of an evolution grows beside the unknowns, and from where to where, if that is known.
    pub growth: Option<(f64, String, String)>,
}

/// What is said of an answer.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Verdict {
    /// In a word.
    pub word: Word,
    /// The estimated relative error, the greatest over unknowns and parameters, what noise does to these included; `None` where
    /// there is no saying.
    pub estimated_error: Option<f64>,
    /// What weighs most; empty where the answer is called solved.
    pub reason: String,
    /// What to try, the most promising first.
    pub advice: Vec<String>,
    /// What it rests on.
    pub signs: Signs,
}

impl Verdict {
    /// In a line, without the advice.
    pub fn line(&self) -> String {
        let zeros = self.signs.zeros.iter().map(|(name, error)| (&name[..], *error));
        line(self.word, self.estimated_error, zeros, &self.reason)
    }
}

/// A verdict in a line, without the advice; `zeros` are those of its [`Signs`].
pub fn line<'a>(
    word: Word,
    estimated_error: Option<f64>,
    zeros: impl Iterator<Item = (&'a str, f64)>,
    reason: &str,
) -> String {
    let zero = |(name, error): (&str, f64)| format!("{name} is zero to within {error:.0e}");
    let relative = estimated_error.map(|error| format!("estimated relative error {error:.0e}"));
    let mut known: Vec<String> = zeros.map(zero).collect();
    // Where everything is zero, nothing is relative to anything.
    known.splice(0..0, relative);
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join("; ")) };
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{}{known}{reason}", word.name())
}

/// The verdict on an answer with the signs `signs`.
pub fn verdict(signs: Signs) -> Verdict {
    let worst = signs.errors.iter().max_by(|a, b| worse(a.1, b.1)).cloned();
    let (word, reason, advice) = judge(&signs, worst.as_ref());
    // Of an answer that misses its equations a small error means nothing.
    let believed =
        |error: f64| error >= NOT_SOLVED || error.is_nan() || by_residual(&signs) < Word::NotSolved;
    let uncertain = signs.uncertain.as_ref().map_or(0.0, |(_, error)| *error);
    let error = worst.map(|(_, error)| if error < uncertain { uncertain } else { error });
    // No answer is closer than rounding; what is no number stays none.
    let rounded = |error: f64| if error < f64::EPSILON { f64::EPSILON } else { error };
    let estimated_error = error.filter(|&error| believed(error)).map(rounded);
    Verdict { word, estimated_error, reason, advice, signs }
}

/// The word, the reason and the advice, where `worst` has the greatest error.
fn judge(signs: &Signs, worst: Option<&(String, f64)>) -> (Word, String, Vec<String>) {
    let say = |word, reason: String, advice: &[&str]| {
        (word, reason, advice.iter().map(|&advice| advice.to_owned()).collect())
    };
    if let Some(breakdown) = &signs.diverged {
        return say(Word::NotSolved, format!("training diverged: {breakdown}"), &[]);
    }
    if signs.interrupted {
        let reason = "training was interrupted".to_owned();
        return say(
            by_residual(signs).max(Word::Doubtful),
            reason,
            &["`pinn-solve resume`, which goes on with it"],
        );
    }
    if let Some((reason, advice)) = &signs.no_answer {
        return (Word::NotSolved, reason.clone(), vec![advice.clone()]);
    }
    if let Some(open) = &signs.open {
        let word = worst.map_or(Word::Doubtful, |(_, error)| by_error(*error)).max(by_residual(signs));
        return say(word.max(Word::Doubtful), open.clone(), &["a further condition"]);
    }
    let Some((of, error)) = worst else {
        let word = by_residual(signs).max(Word::Doubtful);
        if let Some((reason, advice)) = missed(signs) {
            return say(word, reason, &advice);
        }
        return say(word, "its error cannot be estimated".to_owned(), &["--estimate"]);
    };
    let uncertain = signs.uncertain.as_ref().filter(|(_, error)| *error > CERTAIN);
    let by_noise = if uncertain.is_some() { Word::Doubtful } else { Word::Solved };
    let word = by_error(cautious(*error, signs)).max(by_residual(signs)).max(by_noise);
    if let Some(difference) = signs.difference.filter(|difference| *difference > APART || difference.is_nan())
    {
        let reason = format!("a second solution, by another seed and network, differs by {difference:.0e}");
        return say(
            word.max(Word::Doubtful),
            reason,
            &["more --steps", "a condition that tells several solutions apart"],
        );
    }
    if let Some(name) = signs.undetermined.first() {
        let reason = format!("the parameter {name} is not determined by equations and data");
        return say(
            word.max(Word::Doubtful),
            reason,
            &["more data", "a fixed value for one of the parameters"],
        );
    }
    if word == Word::Solved {
        return say(word, String::new(), &[]);
    }
    if let Some((reason, advice)) = missed(signs) {
        return say(word, reason, &advice);
    }
    if let Some((factor, from, to)) = signs.growth.as_ref().filter(|(factor, _, _)| *factor > GROWS) {
        let reason = format!(
            "solutions beside this one grow away from it: an error at {from} is {factor:.0e} times as large at {to}, \
             so that {of} may be off by {error:.0e}"
        );
        return say(
            word,
            reason,
            &["a shorter domain", "a condition at its other end in place of one at the start"],
        );
    }
    if let Some((condition, ratio)) = signs.between.as_ref().filter(|(_, ratio)| *ratio > BETWEEN) {
        let reason =
            format!("`{condition}` is {ratio:.0} times worse between the points of training than at them");
        return say(word, reason, &["more --points", "`resample = 500` in [training]"]);
    }
    if let Some((name, part)) = uncertain.filter(|(_, part)| *part > *error) {
        let part = share(*part);
        let reason = format!("noise in the data leaves {name} uncertain: its standard error is {part}");
        return say(word, reason, &["more data, or more exact ones"]);
    }
    if let Some((condition, part)) = &signs.noise {
        let part = percent(*part);
        let reason = format!(
            "`{condition}` scatters about the answer by {part} the size of its terms, as noise does; beside what that does to it, {of} may be off by {error:.0e}"
        );
        return say(word, reason, &["more data, or more exact ones"]);
    }
    if signs.explained > EXPLAINED {
        let reason =
            format!("training is not at its end: the network could still change {of} by {error:.0e}");
        return say(word, reason, &["more --steps"]);
    }
    let reason = format!("residuals as small as they are may still change {of} by {error:.0e}");
    say(word, reason, &["a wider network", "more --points and --steps"])
}

/// Which of two errors is worse; no number is, whatever its sign.
pub(crate) fn worse(a: f64, b: f64) -> std::cmp::Ordering {
    a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(&b))
}

/// What is said of a condition that does not hold, or whose integrals are off by more than that, and what to try.
fn missed(signs: &Signs) -> Option<(String, [&'static str; 2])> {
    if let Some(said) = coarse(signs) {
        return Some(said);
    }
    let fails = |(_, relative): &&(String, f64)| *relative > HOLDS || relative.is_nan();
    let (condition, relative) = signs.relative.as_ref().filter(fails)?;
    if !relative.is_finite() {
        let reason = format!("`{condition}` is no number at some of the fresh points, or beyond all numbers");
        return Some((reason, ["a formula that holds for all values, such as sqrt(max(u, 0))", "an ansatz"]));
    }
    let part = percent(*relative);
    let reason = format!("`{condition}` misses by {part} the size of its terms at fresh points");
    Some((reason, ["more --steps", "a wider network or other features"]))
}

/// What is said where integrals are off by more than training left of their equation, and what to try.
fn coarse(signs: &Signs) -> Option<(String, [&'static str; 2])> {
    let (condition, off) = signs.quadrature.as_ref()?;
    // What is no number is worse than all numbers.
    if worse(*off, signs.relative.as_ref().map_or(0.0, |(_, relative)| *relative)).is_le() {
        return None;
    }
    let part = if *off < 0.005 { format!("{off:.0e} of") } else { percent(*off) };
    let reason = format!(
        "the integrals of `{condition}` have too few nodes: with others it changes by {part} the size of its terms"
    );
    Some((reason, ["more `nodes` in the integrals", "ends that leave out where the integrand is not smooth"]))
}

/// What the error may be: where hardly anything of the residuals is explained, more than what is estimated, but not
/// without measure larger than they are beside the terms of their equations.
fn cautious(error: f64, signs: &Signs) -> f64 {
    let relative = signs.relative.as_ref().map_or(f64::INFINITY, |(_, relative)| *relative);
    let possible = (error / signs.explained.max(f64::EPSILON).sqrt()).min(MATTER * relative);
    if possible > error { possible } else { error }
}

fn by_error(error: f64) -> Word {
    match error {
        small if small <= SOLVED => Word::Solved,
        middling if middling < NOT_SOLVED => Word::Doubtful,
        _ => Word::NotSolved,
    }
}

fn by_residual(signs: &Signs) -> Word {
    let part = |sign: &Option<(String, f64)>| sign.as_ref().map_or(0.0, |(_, part)| *part);
    let (missed, off) = (part(&signs.relative), part(&signs.quadrature));
    match if worse(missed, off).is_ge() { missed } else { off } {
        small if small <= HOLDS => Word::Solved,
        middling if middling < FAILS => Word::Doubtful,
        _ => Word::NotSolved,
    }
}

/// A part, before what it is a part of.
fn percent(part: f64) -> String {
    if part < 100.0 { share(part) + " of" } else { share(part) }
}

fn share(part: f64) -> String {
    if part < 100.0 { format!("{:.0} %", 100.0 * part) } else { format!("{part:.0e} times") }
}
