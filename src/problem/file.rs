//! Problem files as documents: TOML with the place of every value, and overlays on top of it.

use core::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::build;
use super::diagnostic::{Diagnostic, Diagnostics, Sources};
use super::model::Problem;

/// A TOML value and where it was written.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;
/// A TOML table whose keys and values know where they were written.
pub(crate) type Table<'a> = DeTable<'a>;

/// The longest text of a problem file, in bytes.
const MAX_BYTES: usize = 16 << 20;

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
        if text.len() > MAX_BYTES {
            let message = format!("the file has {} bytes, more than {MAX_BYTES}", text.len());
            return Err(Diagnostics::plain(name, message));
        }
        Self::read(Sources::new(name, text), text, |table| Some(table))
    }

    /// Reads TOML of which the table `part` alone counts, if it is there.
    ///
    /// # Errors
    ///
    /// Where the text is not TOML.
    pub(crate) fn part(name: &str, text: &str, part: &str) -> Result<Self, Diagnostics> {
        Self::read(Sources::part(name, text, part), text, |table| table.get(part)?.get_ref().as_table())
    }

    fn read(
        sources: Sources,
        text: &str,
        part: impl for<'t, 'a> Fn(&'t Table<'a>) -> Option<&'t Table<'a>>,
    ) -> Result<Self, Diagnostics> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut items: Vec<_> =
            errors.iter().map(|error| Diagnostic::error(error.span(), error.message())).collect();
        let problem = match part(table.get_ref()).and_then(|table| table.get("problem")) {
            Some(value) if value.get_ref().as_str().is_none() => {
                let what = article(value.get_ref());
                let message = format!("`problem` is the name or the path of a problem, not {what}");
                let hint = "write, for example, `problem = \"burgers\"`";
                items.push(Diagnostic::error(value.span(), message).hint(hint));
                None
            }
            value => value.and_then(|value| value.get_ref().as_str()).map(str::to_owned),
        };
        if items.is_empty() { Ok(Self { sources, problem }) } else { Err(Diagnostics { sources, items }) }
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

    /// Checks everything and compiles the problem; file names in it are relative to `folder`.
    ///
    /// With the problem come warnings, often none.
    ///
    /// # Errors
    ///
    /// Every mistake that was found.
    pub fn build(&self, folder: &Path) -> Result<(Problem, Diagnostics), Diagnostics> {
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
            if i > 0 {
                table.remove("problem");
            }
            merge(&mut merged, table);
        }
        build::build(&self.sources, &merged, folder)
    }
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
