//! Problem files as documents: TOML with the place of every value, and overlays on top of it.

use core::ops::Range;
use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::diagnostic::{Diagnostic, Diagnostics, Sources};
use crate::expr::{closest, is_name, listed};
use crate::jet::MAX_COORDINATES;
use crate::limits::MAX_MISTAKES;

/// A TOML value and where it was written.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;
/// A TOML table whose keys and values know where they were written.
pub(crate) type Table<'a> = DeTable<'a>;

/// A problem file before it is understood: any TOML, perhaps several texts laid over one another.
#[derive(Clone, Debug)]
pub struct Document {
    sources: Sources,
    problem: Option<String>,
}

impl Document {
    /// Reads TOML; `name` is the file's name or path as it shall appear in messages.
    ///
    /// # Errors
    ///
    /// Where the text is not TOML.
    pub fn parse(name: &str, text: &str) -> Result<Self, Diagnostics> {
        let sources = Sources::new(name, text);
        let (_, errors) = DeTable::parse_recoverable(text);
        // A domain in another notation is one mistake, however many of TOML's rules it breaks.
        let mut domains = BTreeSet::new();
        let items = errors.iter().filter_map(|error| {
            let domain = error.span().and_then(|span| domain_elsewhere(text, span.start));
            if let Some((span, hint)) = domain {
                let message = format!("`{}` is not how a domain is written", &text[span.clone()]);
                return domains.insert(span.start).then(|| Diagnostic::error(span, message).hint(hint));
            }
            let message = match error.message() {
                "recursion limit" => "tables are nested too deeply",
                message => message,
            };
            let mistake = Diagnostic::error(error.span(), message);
            Some(match error.span().and_then(|span| unquoted(text, span.start)) {
                Some(name) if message.contains("unquoted key") => {
                    mistake.hint(format!("letters beyond a to z need quotes in keys: write `\"{name}\" = …`"))
                }
                _ => mistake,
            })
        });
        Self { sources, problem: None }.checked(items.take(MAX_MISTAKES).collect())
    }

    /// The table `part` of all texts, as a document of its own.
    ///
    /// # Errors
    ///
    /// Where its `problem` is no name.
    pub(crate) fn part(&self, part: &str) -> Result<Self, Diagnostics> {
        Self { sources: self.sources.part(part), problem: None }.checked(vec![])
    }

    /// With the problem's name, if nothing is wrong.
    fn checked(mut self, mut items: Vec<Diagnostic>) -> Result<Self, Diagnostics> {
        let table = self.merged(|_, _| true);
        let named = table
            .get("problem")
            .map(|value| (value.span(), value.get_ref().as_str(), article(value.get_ref())));
        match named {
            Some((span, None, what)) => {
                let message = format!("`problem` is the name or the path of a problem, not {what}");
                let hint = "write, for example, `problem = \"burgers\"`";
                items.push(Diagnostic::error(span, message).hint(hint));
            }
            Some((_, Some(name), _)) => self.problem = Some(name.to_owned()),
            None => {}
        }
        if items.is_empty() { Ok(self) } else { Err(Diagnostics { sources: self.sources, items }) }
    }

    /// The top-level key `problem`, by which a run configuration names the problem it runs:
    /// an embedded name or a path.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Lays `other` over this document: tables merge key by key, everything else is replaced.
    ///
    /// In place of an array, a table whose keys are numbers changes single elements:
    /// `training.stages.0.adam.lr = 1e-4`.
    /// The key `problem` of `other` has done its work and is left out.
    pub fn overlay(&mut self, other: Self) {
        self.sources.append(other.sources);
    }

    /// Sets one value: `set("parameters.nu", "0.02")`.
    ///
    /// `value` is TOML; text that is not is taken as a string.
    ///
    /// # Errors
    ///
    /// If `key` is no dotted TOML key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Diagnostics> {
        self.set_as("--set", key, value)
    }

    /// [`Document::set`], told about as `source` in messages.
    pub(crate) fn set_as(&mut self, source: &str, key: &str, value: &str) -> Result<(), Diagnostics> {
        let plain = |c: char| c.is_alphanumeric() || " .-_\"'".contains(c);
        if key.trim().is_empty() || !key.chars().all(plain) {
            let message = format!("`{}` is not a key", key.escape_debug());
            let mut wrong = Diagnostics::plain(source, message);
            wrong.items[0].hint = Some("write table.key, for example `parameters.nu`".into());
            return Err(wrong);
        }
        let text = match DeValue::parse(value) {
            Ok(_) => format!("{key} = {value}"),
            Err(_) => format!("{key} = {}", toml::Value::from(value)),
        };
        self.overlay(Self::parse(source, &text)?);
        Ok(())
    }

    /// Does it say anything under the keys `path`, from the outermost one on?
    pub(crate) fn states(&self, path: &[&str]) -> bool {
        self.place(path).is_some()
    }

    /// Where it says what it does under the keys `path`, from the outermost one on.
    pub(crate) fn place(&self, path: &[&str]) -> Option<Range<usize>> {
        let table = Spanned::new(0..0, DeValue::Table(self.merged(|_, _| true)));
        let mut value = &table;
        for key in path {
            value = value.get_ref().as_table()?.get(*key)?;
        }
        Some(value.span())
    }

    /// The whole document as plain settings, for programs that have tables of their own.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Diagnostics> {
        let table = Spanned::new(0..0, DeValue::Table(self.merged(|_, _| true)));
        T::deserialize(ValueDeserializer::from(table)).map_err(|error| {
            let mistake = serde_mistake(error.message(), error.span().unwrap_or(0..0));
            self.mistakes(vec![mistake])
        })
    }

    /// All texts laid over one another, as far as `keep` wants their top-level keys.
    pub(crate) fn merged(&self, keep: impl Fn(usize, &str) -> bool) -> Table<'_> {
        let mut merged = Table::new();
        for (i, (start, text, part)) in self.sources.texts().enumerate() {
            // Every text was read once when it came in, so there is nothing new to report.
            let (table, _) = DeTable::parse_recoverable(text);
            let mut table = shifted_table(table.into_inner(), start);
            if let Some(part) = part {
                table = match table.remove(part).map(Spanned::into_inner) {
                    Some(DeValue::Table(table)) => table,
                    _ => Table::new(),
                };
            }
            merge(&mut merged, table.into_iter().filter(|(key, _)| keep(i, key.get_ref())).collect());
        }
        leave_open(&mut merged);
        if let Some(DeValue::Table(coordinates)) = merged.get_mut("coordinates").map(Spanned::get_mut) {
            repeat(coordinates);
        }
        merged
    }

    /// The texts.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Mistakes found in these texts.
    pub(crate) fn mistakes(&self, items: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics { sources: self.sources.clone(), items }
    }
}

/// What serde says about a plain table, with a did-you-mean where it lists what it knows.
pub(crate) fn serde_mistake(message: &str, span: Range<usize>) -> Diagnostic {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let line = message.lines().next().unwrap_or_default();
    if line.starts_with("wanted exactly 1 element") {
        let message = "a table names one choice here, with its settings";
        return Diagnostic::error(span, message).hint("for example `{ adam = { steps = 1000 } }`");
    }
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    match (quoted.next(), unknown) {
        (Some(wrong), true) => {
            let known: Vec<_> = quoted.collect();
            let what = if message.starts_with("unknown field") { "key" } else { "name" };
            let hint = match closest(wrong, known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are {}", listed(&known)),
            };
            Diagnostic::error(span, format!("unknown {what} `{wrong}`")).hint(hint)
        }
        _ => {
            let plain = [
                ("usize", "a whole number from 0 up"),
                ("u64", "a whole number from 0 up"),
                ("f64", "a number"),
            ];
            let spoken = plain.iter().fold(line.to_owned(), |line, (rust, words)| {
                line.replace(&format!("expected {rust}"), &format!("expected {words}"))
            });
            match spoken.split_once("expected struct ") {
                Some((found, _)) => Diagnostic::error(span, format!("{found}expected a table of settings"))
                    .hint("`{}` takes the defaults of all of them, `false` is for none"),
                None => Diagnostic::error(span, spoken),
            }
        }
    }
}

/// The value in the line at `at` and how to write it, if it is two ends as other languages join them: `0..1`, `0:1`,
/// `(0, 1)`, `0 to 1`.
fn domain_elsewhere(text: &str, at: usize) -> Option<(Range<usize>, String)> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next()?;
    let (name, value) = line.split_once('=')?;
    let value = value.split('#').next().unwrap_or_default().trim();
    let enclosed = value.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let separators: &[&str] = if enclosed.is_some() { &[","] } else { &["...", "..=", "..", ":", " to "] };
    let (low, high) =
        separators.iter().find_map(|separator| enclosed.unwrap_or(value).split_once(separator))?;
    let (low, high) = (low.trim(), high.trim());
    let end = |end: &str| {
        let plain = |c: char| c.is_alphanumeric() || "+-*/^._() ".contains(c);
        let quoted = || format!("\"{end}\"");
        let shown = if end.parse::<f64>().is_ok() { end.to_owned() } else { quoted() };
        (!end.is_empty() && end.chars().all(plain)).then_some(shown)
    };
    let hint = format!("write `{} = [{}, {}]`", name.trim(), end(low)?, end(high)?);
    let from = start + line.find('=')? + 1;
    let from = from + text[from..].find(value)?;
    Some((from..from + value.len(), hint))
}

/// The name at `at` that is no bare key of TOML, if it would be a good one in quotes.
fn unquoted(text: &str, at: usize) -> Option<&str> {
    let end = |c: char| c.is_whitespace() || "=.[]\"'#,{}".contains(c);
    let start = text.get(..at)?.rfind(end).map_or(0, |i| i + 1);
    let rest = text.get(start..)?.trim_start();
    let name = &rest[..rest.find(end).unwrap_or(rest.len())];
    (is_name(name) && !name.is_ascii()).then_some(name)
}

/// A value's type in words, with its article.
pub(crate) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Takes out what is called `"auto"`: to leave a key to the program is to say nothing of it.
fn leave_open(table: &mut Table<'_>) {
    let is_auto = |value: &Value<'_>| value.get_ref().as_str() == Some("auto");
    for name in ["network", "training"] {
        match table.get_mut(name) {
            Some(value) if is_auto(value) => drop(table.remove(name)),
            Some(value) => open_keys(value, is_auto),
            None => {}
        }
    }
    for name in ["conditions", "unknowns", "networks"] {
        let Some(DeValue::Table(all)) = table.get_mut(name).map(Spanned::get_mut) else { continue };
        all.iter_mut().for_each(|(_, value)| open_keys(value, is_auto));
    }
}

/// Puts x1, x2, … in the place of each coordinate x that there is a `count` of; one that is stated besides is laid over.
fn repeat(coordinates: &mut Table<'_>) {
    if !coordinates.values().any(|value| repetitions(value).is_some()) {
        return;
    }
    let mut all = Table::new();
    for (key, mut value) in core::mem::take(coordinates) {
        let Some(count) = repetitions(&value) else {
            merge(&mut all, [(key, value)].into_iter().collect());
            continue;
        };
        if let DeValue::Table(table) = value.get_mut() {
            table.remove("count");
        }
        for k in 1..=count {
            let name = Spanned::new(key.span(), format!("{}{k}", key.get_ref()).into());
            merge(&mut all, [(name, value.clone())].into_iter().collect());
        }
    }
    *coordinates = all;
}

/// How often a coordinate is repeated, where that is said as it should be.
fn repetitions(value: &Value<'_>) -> Option<usize> {
    let count = value.get_ref().as_table()?.get("count")?.get_ref().as_integer()?;
    let count = usize::from_str_radix(count.as_str(), count.radix()).ok()?;
    // One more than there may be is enough to say that they are too many.
    (count > 0).then_some(count.min(MAX_COORDINATES + 1))
}

/// Takes the keys out of a table whose values are to be left open.
fn open_keys(value: &mut Value<'_>, is_open: impl Fn(&Value<'_>) -> bool) {
    let DeValue::Table(table) = value.get_mut() else { return };
    let keys: Vec<String> =
        table.iter().filter(|(_, value)| is_open(value)).map(|(key, _)| key.get_ref().to_string()).collect();
    for key in keys {
        table.remove(key.as_str());
    }
}

fn merge<'a>(base: &mut Table<'a>, over: Table<'a>) {
    for (key, value) in over {
        match base.get_mut(key.get_ref().as_ref()) {
            Some(old) => merge_value(old, value),
            None => {
                base.insert(key, value);
            }
        }
    }
}

fn merge_value<'a>(old: &mut Value<'a>, new: Value<'a>) {
    match (old.get_mut(), new) {
        (DeValue::Table(old), new) if new.get_ref().is_table() => {
            if let DeValue::Table(new) = new.into_inner() {
                merge(old, new);
            }
        }
        (DeValue::Array(elements), new) if names_elements(new.get_ref(), elements.len()) => {
            if let DeValue::Table(new) = new.into_inner() {
                for (key, value) in new {
                    let index = key.get_ref().parse::<usize>().ok();
                    if let Some(element) = index.and_then(|i| elements.get_mut(i)) {
                        merge_value(element, value);
                    }
                }
            }
        }
        (_, new) => *old = new,
    }
}

/// Is `value` a table whose keys are indices of an array of `length`?
fn names_elements(value: &DeValue<'_>, length: usize) -> bool {
    value.as_table().is_some_and(|table| {
        !table.is_empty() && table.keys().all(|key| key.get_ref().parse::<usize>().is_ok_and(|i| i < length))
    })
}

fn shifted_table(table: Table<'_>, shift: usize) -> Table<'_> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = shifted(key.span(), shift);
        (Spanned::new(span, key.into_inner()), shifted_value(value, shift))
    });
    entries.collect()
}

fn shifted_value(value: Value<'_>, shift: usize) -> Value<'_> {
    let span = shifted(value.span(), shift);
    let inner = match value.into_inner() {
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| shifted_value(value, shift)).collect())
        }
        DeValue::Table(table) => DeValue::Table(shifted_table(table, shift)),
        plain => plain,
    };
    Spanned::new(span, inner)
}

fn shifted(span: Range<usize>, shift: usize) -> Range<usize> {
    span.start + shift..span.end + shift
}
