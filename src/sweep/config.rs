//! A sweep's configuration: which runs there are.
//!
//! ```toml
//! title = "Loss against scale"
//!
//! [base]                       # a run configuration: a problem, and tables laid over it
//! problem = "burgers"
//! network = { depth = 50, width = 64 }
//!
//! [axes]                       # the first axis changes slowest
//! seed = { from = 0, to = 2 }
//! init = ["proposed", "eoc"]
//! scale = [0.1, 1.0, 2.0]
//!
//! [figures]                    # all optional
//! x = "scale"
//! series = "init"
//! best = "lr"                  # of an axis whose best value counts in every place
//! ```
//!
//! A configuration may be laid over another one, key by key: `extends = "other.toml"`.

use core::ops::Range;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::auto;
use crate::expr::{Digits, closest};
use crate::limits::{MAX_AXES, MAX_EXTENDS, MAX_RUNS, MAX_VALUES};
use crate::problem::{
    Adjustments, Diagnostic, Diagnostics, Document, OpenError, Opened, Problem, SHORT_KEYS, full_key, open,
    read_text, report,
};
use crate::rng;

/// The key that names another configuration.
const EXTENDS: &str = "extends";
/// The longest name of a run's folder, in bytes; what is longer is cut and told apart by a hash.
const MAX_NAME: usize = 120;

/// Why a sweep could not be read or expanded.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A mistake in the configuration, or in the problem of one of its runs.
    #[error(transparent)]
    Wrong(#[from] Diagnostics),
    /// The configuration or the problem that it names does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A value that a problem file has no single key for is out of range.
    #[error("{run}: {reason}")]
    Value {
        /// The run's name.
        run: String,
        /// What is wrong.
        reason: String,
    },
}

/// A sweep as configured.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// One line for people.
    pub title: String,
    /// What is varied; the first axis changes slowest.
    pub axes: Vec<Axis>,
    /// The axis along which figures are drawn.
    pub x: Option<usize>,
    /// The axis along the ordinate, where figures are heat maps.
    pub y: Option<usize>,
    /// The axis whose values are compared in every panel; none with heat maps.
    pub series: Option<usize>,
    /// The axis of whose values the best counts in figures and tables.
    pub best: Option<usize>,
    path: PathBuf,
    /// The configuration, with what it extends.
    document: Document,
    /// Its table `base`.
    base: Document,
}

/// One setting and its values.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// As written: a short name or a key of the problem file.
    pub name: String,
    /// The values, distinct.
    pub values: Vec<Choice>,
}

/// One value of an axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// As TOML.
    pub toml: String,
    /// For people.
    pub label: String,
    /// As a number, if it is one.
    pub number: Option<f64>,
}

impl Choice {
    /// As written in a list: a value whose name does not follow from itself has it beside it.
    fn written(&self) -> String {
        let quoted = toml::Value::from(self.label.as_str()).to_string();
        if self.number.is_some() || self.toml == self.label || self.toml == quoted {
            self.toml.clone()
        } else {
            format!("{{ label = {quoted}, value = {} }}", self.toml)
        }
    }
}

impl Axis {
    /// The last part of its key, for names of folders and files and for labels.
    pub fn word(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// Is every value a number?
    pub fn is_numeric(&self) -> bool {
        self.values.iter().all(|value| value.number.is_some())
    }
}

impl Sweep {
    /// Reads the configuration at `path`.
    ///
    /// # Errors
    ///
    /// Every mistake in it, or a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, SweepError> {
        Ok(Self::new(path, read_extended(path, 0)?)?)
    }

    /// A sweep that is configured by `document`; the problem's path is relative to the folder of `path`.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub fn new(path: &Path, document: Document) -> Result<Self, Diagnostics> {
        let base = document.part("base")?;
        let mut reader = Reader { items: vec![] };
        let table = document.merged(|_, key| key != EXTENDS);
        match reader.sweep(&table) {
            Some((title, axes, [x, y, series, best])) if reader.items.is_empty() => {
                Ok(Self { title, axes, x, y, series, best, path: path.to_owned(), document, base })
            }
            _ => Err(document.mistakes(reader.items)),
        }
    }

    /// The configuration as one text, complete in itself, with every axis as a list.
    pub fn to_toml(&self) -> String {
        let rest = self.document.merged(|_, key| key != EXTENDS && key != "axes");
        let rest = plain(Spanned::new(0..0, DeValue::Table(rest)));
        let mut text = rest.and_then(|rest| toml::to_string(&rest).ok()).unwrap_or_default();
        // Written by hand, because TOML's own order, lists before tables, would be another order of the runs.
        text += "\n[axes]\n";
        for axis in &self.axes {
            let values: Vec<_> = axis.values.iter().map(Choice::written).collect();
            text += &format!("{} = [{}]\n", toml::Value::from(axis.name.as_str()), values.join(", "));
        }
        text
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// Is there no run?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For every axis the index of its value in run `run`.
    pub fn indices(&self, run: usize) -> Vec<usize> {
        let mut rest = run;
        let mut indices: Vec<usize> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let index = rest % axis.values.len();
                rest /= axis.values.len();
                index
            })
            .collect();
        indices.reverse();
        indices
    }

    /// For every axis its value in run `run`.
    pub fn choices(&self, run: usize) -> Vec<&Choice> {
        self.axes.iter().zip(self.indices(run)).map(|(axis, index)| &axis.values[index]).collect()
    }

    /// The run's name, which is its folder's: the value of every axis, so that further values of an axis leave the
    /// names of the others as they are.
    pub fn name(&self, run: usize) -> String {
        let parts = self.axes.iter().zip(self.choices(run));
        let full: Vec<String> =
            parts.map(|(axis, value)| format!("{}={}", axis.word(), value.label)).collect();
        let full = full.join(",");
        let plain = |c: char| c.is_ascii_alphanumeric() || "=,.-+_".contains(c);
        let name: String = full.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        if name == full && name.len() <= MAX_NAME {
            return name;
        }
        format!("{}~{:016x}", &name[..name.len().min(MAX_NAME)], rng::hash(&full))
    }

    /// The base problem's file, opened once for all runs.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be opened.
    pub fn open(&self) -> Result<Opened, SweepError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let Some(problem) = self.base.problem() else {
            let table = self.document.merged(|_, key| key == "base");
            let wrong =
                Diagnostic::error(table.get("base").map(Spanned::span), "the base run names no problem");
            let wrong = wrong.hint("add `problem = \"burgers\"` to `[base]`");
            return Err(self.document.mistakes(vec![wrong]).into());
        };
        let mut opened = open(problem, folder)?;
        opened.document.overlay(self.base.clone());
        Ok(opened)
    }

    /// The base run alone, for programs whose runs are no problems.
    pub fn base(&self) -> &Document {
        &self.base
    }

    /// The problem of run `run`, from what [`Sweep::open`] gave.
    ///
    /// # Errors
    ///
    /// If the combination is no valid problem.
    pub fn problem(&self, opened: &Opened, run: usize) -> Result<Problem, SweepError> {
        let mut document = opened.document.clone();
        let adjustments = self.change(&mut document, run)?;
        let mut problem = auto::complete(&document, &opened.folder)?.problem;
        let value_error = |reason: String| SweepError::Value { run: self.name(run), reason };
        adjustments.apply(&mut problem).map_err(value_error)?;
        Ok(problem)
    }

    /// Lays the values of run `run` over `document`; those that have no single key there come back.
    ///
    /// # Errors
    ///
    /// If an axis is no key, or its value no whole number where one is meant.
    pub fn change(&self, document: &mut Document, run: usize) -> Result<Adjustments, SweepError> {
        let mut adjustments = Adjustments::default();
        let value_error = |reason: String| SweepError::Value { run: self.name(run), reason };
        for (axis, value) in self.axes.iter().zip(self.choices(run)) {
            let whole = || {
                let number = value.number.filter(|x| *x >= 0.0 && x.fract() == 0.0);
                let wrong = || value_error(format!("{} = {} is not a whole number", axis.name, value.toml));
                number.map(|x| Some(x as usize)).ok_or_else(wrong)
            };
            match axis.name.as_str() {
                "points" => adjustments.points = whole()?,
                "steps" => adjustments.steps = whole()?,
                "lr" => adjustments.lr = value.number.or(Some(f64::NAN)),
                name => {
                    let source = format!("{}, axis {name}", self.path.display());
                    document.set_as(&source, full_key(name), &value.toml)?;
                }
            }
        }
        Ok(adjustments)
    }
}

/// The configuration at `path`, laid over the one it extends.
fn read_extended(path: &Path, depth: usize) -> Result<Document, SweepError> {
    let document = Document::parse(&path.display().to_string(), &read_text(path)?)?;
    let own = document.merged(|_, key| key == EXTENDS);
    let Some(value) = own.get(EXTENDS) else {
        return Ok(document.clone());
    };
    let wrong = |message: &str, hint: &str| {
        document.mistakes(vec![Diagnostic::error(value.span(), message).hint(hint)])
    };
    let Some(other) = value.get_ref().as_str() else {
        return Err(wrong("`extends` is the path of a configuration", "put it between quotes").into());
    };
    if depth == MAX_EXTENDS {
        return Err(wrong("configurations extend one another without end", "remove one `extends`").into());
    }
    let mut extended = read_extended(&path.with_file_name(other), depth + 1)?;
    extended.overlay(document.clone());
    Ok(extended)
}

/// Collects mistakes.
struct Reader {
    items: Vec<Diagnostic>,
}

/// Title, axes, and which of them are the figures' abscissa, their ordinate and what is compared.
type Parts = (String, Vec<Axis>, [Option<usize>; 4]);

impl Reader {
    fn report(&mut self, span: Option<Range<usize>>, message: impl Into<String>, hint: impl Into<String>) {
        report(&mut self.items, Diagnostic::error(span, message).hint(hint));
    }

    fn check_keys(&mut self, table: &DeTable<'_>, what: &str, keys: &[&str]) {
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let close = closest(key.get_ref(), keys.iter().copied());
            let hint = close.map_or_else(
                || format!("keys are {}", keys.join(", ")),
                |close| format!("did you mean `{close}`?"),
            );
            self.report(Some(key.span()), format!("{what} has no key `{}`", key.get_ref()), hint);
        }
    }

    fn table<'t, 'a>(&mut self, root: &'t DeTable<'a>, key: &str) -> Option<&'t DeTable<'a>> {
        let value = root.get(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.report(Some(value.span()), format!("`{key}` is a table"), format!("write `[{key}]`"));
        }
        table
    }

    fn sweep(&mut self, root: &DeTable<'_>) -> Option<Parts> {
        self.check_keys(root, "a sweep", &["title", "base", "axes", "figures"]);
        let title = match root.get("title") {
            None => String::new(),
            Some(value) => match value.get_ref().as_str() {
                Some(title) => title.to_owned(),
                None => {
                    self.report(Some(value.span()), "the title is a string", "put it between quotes");
                    String::new()
                }
            },
        };
        if self.table(root, "base").is_none() && !root.contains_key("base") {
            let hint = "add `[base]` with `problem = \"burgers\"`";
            self.report(None, "the sweep has no base run", hint);
        }
        let mut axes = vec![];
        if let Some(table) = self.table(root, "axes") {
            self.axes(table, "", &mut axes);
        }
        if axes.is_empty() && self.items.is_empty() {
            let hint = "add `[axes]` with, for example, `scale = [0.1, 1.0]`";
            self.report(root.get("axes").map(Spanned::span), "the sweep has no axes", hint);
        }
        let runs = axes.iter().map(|axis: &Axis| axis.values.len() as f64).product::<f64>();
        if runs > MAX_RUNS as f64 {
            let span = root.get("axes").map(Spanned::span);
            let hint = format!("shorten the axes to at most {MAX_RUNS} combinations");
            self.report(span, format!("the sweep has {runs:.3e} runs"), hint);
        }
        let roles = self.figures(root, &axes);
        Some((title, axes, roles))
    }

    /// Axes of `table`, whose keys are prefixed by `prefix`; a table that is no range is a prefix itself.
    fn axes(&mut self, table: &DeTable<'_>, prefix: &str, axes: &mut Vec<Axis>) {
        for (key, value) in table.iter() {
            if axes.len() == MAX_AXES {
                let message = format!("the sweep has more than {MAX_AXES} axes");
                self.report(Some(key.span()), message, "remove some");
                return;
            }
            let key = key.get_ref();
            let part = format!("{prefix}{key}");
            let range_keys = ["from", "to", "step", "points", "spacing"];
            let values = match value.get_ref() {
                DeValue::Array(array) => self.list(array.iter(), value.span()),
                DeValue::Table(range)
                    if range.keys().all(|key| range_keys.contains(&key.get_ref().as_ref())) =>
                {
                    self.range(range, value.span())
                }
                DeValue::Table(inner) => {
                    self.axes(inner, &format!("{part}."), axes);
                    continue;
                }
                _ => {
                    let hint = format!(
                        "write a list, `{key} = [1, 2]`, or a range, `{key} = {{ from = 0, to = 4 }}`"
                    );
                    self.report(
                        Some(value.span()),
                        format!("axis `{key}` is neither a list nor a range"),
                        hint,
                    );
                    continue;
                }
            };
            let known = SHORT_KEYS.iter().map(|(short, _)| *short).chain(Adjustments::NAMES);
            if !part.contains('.') && !known.clone().any(|name| name == part) {
                let hint = match closest(&part, known.clone()) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!(
                        "write a key of the problem file such as `parameters.nu`, or one of {}",
                        known.collect::<Vec<_>>().join(", ")
                    ),
                };
                self.report(Some(value.span()), format!("there is no setting `{part}`"), hint);
            } else if let Some(other) = axes.iter().find(|axis| full_key(&axis.name) == full_key(&part)) {
                let message = format!("`{part}` is an axis already, as `{}`", other.name);
                self.report(Some(value.span()), message, "remove one of the two");
            } else {
                axes.push(Axis { name: part, values });
            }
        }
    }

    fn list<'t, 'a: 't>(
        &mut self,
        list: impl Iterator<Item = &'t Spanned<DeValue<'a>>>,
        span: Range<usize>,
    ) -> Vec<Choice> {
        let mut seen = BTreeSet::new();
        let mut values = vec![];
        for value in list {
            let Some(choice) = choice(value.get_ref()) else {
                let hint = "values are finite numbers, strings and booleans; write { label = \"…\", value = … } for others";
                self.report(Some(value.span()), "this value cannot be varied", hint);
                continue;
            };
            if !seen.insert(choice.label.clone()) {
                let message = format!("{} is in the list twice", choice.label);
                self.report(Some(value.span()), message, "remove one of the two");
            }
            values.push(choice);
        }
        if values.is_empty() && self.items.is_empty() {
            self.report(Some(span), "this axis has no values", "list at least one, or remove the axis");
        }
        values
    }

    fn range(&mut self, range: &DeTable<'_>, span: Range<usize>) -> Vec<Choice> {
        let number = |key: &str| range.get(key).and_then(|value| choice(value.get_ref())?.number);
        let given = |key: &str| range.contains_key(key);
        let mut wrong = |message: &str| {
            let hint = "for example { from = 0, to = 4 }, { from = 0.1, to = 1, step = 0.1 } or \
                        { from = 1e-3, to = 1e3, points = 7, spacing = \"log\" }";
            self.report(Some(span.clone()), message, hint);
            vec![]
        };
        let (Some(from), Some(to)) = (number("from"), number("to")) else {
            return wrong("a range needs the numbers `from` and `to`");
        };
        let spacing = range.get("spacing").map(|value| value.get_ref().as_str().unwrap_or(""));
        let whole = [from, to].iter().all(|x| x.fract() == 0.0 && x.abs() < 1e15);
        let at: Vec<f64> = match (number("points"), number("step"), spacing) {
            (Some(points), None, None | Some("linear" | "log")) => {
                if !(points >= 2.0 && points.fract() == 0.0 && points <= MAX_VALUES as f64) {
                    return wrong("`points` is a whole number from 2 to 10000");
                }
                let last = points - 1.0;
                let fractions = (0..points as usize).map(|i| i as f64 / last);
                if spacing == Some("log") {
                    if !(from > 0.0 && to > 0.0) {
                        return wrong("a logarithmic range runs between positive numbers");
                    }
                    fractions.map(|f| from * (to / from).powf(f)).collect()
                } else {
                    fractions.map(|f| from + (to - from) * f).collect()
                }
            }
            (None, step, None) if !given("points") && given("step") == step.is_some() => {
                let step = step.unwrap_or(1.0);
                let count = (to - from) / step;
                if !(count >= 0.0 && count < MAX_VALUES as f64 && from.is_finite()) {
                    return wrong("`step` does not lead from `from` to `to` in at most 10000 values");
                }
                (0..=(count + 1e-9) as usize).map(|i| from + i as f64 * step).collect()
            }
            _ => return wrong("a range has `from`, `to`, and either `step` or `points` (with `spacing`)"),
        };
        let exact = whole && at.iter().all(|x| (x - x.round()).abs() < 1e-9) && spacing != Some("log");
        at.into_iter()
            .map(|x| if exact { Number::Integer(x.round()) } else { Number::Float(rounded(x)) })
            .map(Number::choice)
            .collect()
    }

    fn figures(&mut self, root: &DeTable<'_>, axes: &[Axis]) -> [Option<usize>; 4] {
        let default_series = axes.iter().position(|axis| full_key(&axis.name) == "network.init");
        let default_x = |taken: [Option<usize>; 2]| {
            let free = |axis: &Axis| axis.is_numeric() && axis.values.len() > 1 && !is_seed(axis);
            (0..axes.len()).find(|&i| free(&axes[i]) && !taken.contains(&Some(i)))
        };
        let Some(table) = self.table(root, "figures") else {
            return [default_x([None; 2]), None, default_series, None];
        };
        self.check_keys(table, "`[figures]`", &["x", "y", "series", "best"]);
        let names: Vec<_> = axes.iter().map(|axis| axis.name.as_str()).collect();
        let hint = format!("axes are {}", names.join(", "));
        let mut axis = |key: &str, what: &str, fine: fn(&Axis) -> bool, default: Option<usize>| {
            let Some(value) = table.get(key) else { return default };
            let index = axes.iter().position(|axis| Some(axis.name.as_str()) == value.get_ref().as_str());
            if !index.is_some_and(|index| fine(&axes[index])) {
                self.report(Some(value.span()), format!("`{key}` names {what}"), hint.clone());
            }
            index
        };
        let of_results = |axis: &Axis| axis.is_numeric() && !is_seed(axis);
        let y = axis("y", "an axis of numbers other than the seed", of_results, None);
        let best = axis("best", "an axis other than the seed", |axis| !is_seed(axis), None);
        let x = axis("x", "an axis of numbers", Axis::is_numeric, default_x([y, best]));
        let compared = default_series.filter(|series| y.is_none() && best != Some(*series));
        let series = axis("series", "an axis", |_| true, compared);
        let span = table.get("y").map(Spanned::span);
        if y.is_some() && series.is_some() {
            let hint = "remove `series`: each of its values has a heat map of its own";
            self.report(span, "`y` and `series` exclude one another", hint);
        } else if y.is_some() && (x.is_none() || x == y) {
            self.report(span, "`y` names another axis than `x`, and both are needed", hint.clone());
        }
        if best.is_some() && [x, y, series].contains(&best) {
            let span = table.get("best").map(Spanned::span);
            self.report(span, "`best` names an axis that figures do not run over otherwise", hint);
        }
        // What is compared cannot be the abscissa as well.
        [x, y, series.filter(|series| Some(*series) != x), best]
    }
}

/// Are the axis's values seeds, over which results are pooled?
pub(super) fn is_seed(axis: &Axis) -> bool {
    full_key(&axis.name) == "training.seed"
}

fn choice(value: &DeValue<'_>) -> Option<Choice> {
    Some(match value {
        DeValue::String(text) => Choice {
            toml: toml::Value::from(text.as_ref()).to_string(),
            label: text.to_string(),
            number: None,
        },
        DeValue::Boolean(flag) => Choice { toml: flag.to_string(), label: flag.to_string(), number: None },
        DeValue::Integer(x) => {
            let x = i64::from_str_radix(x.as_str(), x.radix()).ok()?;
            Choice { toml: x.to_string(), label: x.to_string(), number: Some(x as f64) }
        }
        DeValue::Float(x) => {
            let number = x.as_str().parse().ok().filter(|x: &f64| x.is_finite())?;
            Number::Float(number).choice()
        }
        DeValue::Table(named) if named.len() == 2 => Choice {
            toml: plain(named.get("value")?.clone())?.to_string(),
            label: named.get("label")?.get_ref().as_str()?.to_owned(),
            number: None,
        },
        _ => return None,
    })
}

/// The value without its places in the text.
fn plain(value: Spanned<DeValue<'_>>) -> Option<toml::Value> {
    toml::Value::deserialize(toml::de::ValueDeserializer::from(value)).ok()
}

/// A number of a range.
enum Number {
    Integer(f64),
    Float(f64),
}

impl Number {
    fn choice(self) -> Choice {
        match self {
            Self::Integer(x) => Choice { toml: format!("{x:.0}"), label: format!("{x:.0}"), number: Some(x) },
            Self::Float(x) => {
                Choice { toml: format!("{x:?}"), label: Digits(x).to_string(), number: Some(x) }
            }
        }
    }
}

/// To twelve digits, so that 0.1 + 0.2 is 0.3.
fn rounded(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}
