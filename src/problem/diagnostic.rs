//! Mistakes in problem files, and how they are shown.
//!
//! A problem may come from several texts laid over one another.
//! Each text has a stretch of one common space of byte offsets, so that a span alone says where something was written.

use core::fmt;
use core::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::expr;
use crate::limits::{MAX_MESSAGE, MAX_MISTAKES};

/// One mistake or warning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Only a warning?
    pub warning: bool,
    /// What is wrong, in lower case.
    pub message: String,
    /// Where it was written, if anywhere: bytes in the common space of the sources.
    pub span: Option<Range<usize>>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A mistake at `span`.
    pub fn error(span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self { warning: false, message: shortened(message.into()), span: span.into(), hint: None }
    }

    /// Something worth a look at `span`.
    pub fn warning(span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(span, message) }
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shortened(hint.into()));
        self
    }
}

/// A text that repeats what a file says, which may be of any length, cut to what a person reads.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Adds a mistake, unless there are too many already; the last one then says so.
pub(crate) fn report(items: &mut Vec<Diagnostic>, item: Diagnostic) {
    let mistakes = items.iter().filter(|item| !item.warning).count();
    match mistakes {
        _ if item.warning => items.push(item),
        MAX_MISTAKES => {
            let message = format!("there are more than {MAX_MISTAKES} mistakes; mend these first");
            items.push(Diagnostic::error(None, message));
        }
        _ if mistakes < MAX_MISTAKES => items.push(item),
        _ => {}
    }
}

/// A mistake in a formula whose spans already count in the common space.
impl From<expr::Error> for Diagnostic {
    fn from(error: expr::Error) -> Self {
        Self { hint: error.hint.map(shortened), ..Self::error(error.span, error.message) }
    }
}

/// Where in a text something was written, as editors count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// The name of the text: a file's path, or what it was called when it was read.
    pub file: String,
    /// The line, from 1 on.
    pub line: usize,
    /// The column, in characters, from 1 on.
    pub column: usize,
    /// How many characters of the line it takes, at least one.
    pub length: usize,
    /// The line itself, without its end.
    pub text: String,
}

/// The texts a problem was read from.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    start: usize,
    /// The table of the text that counts; `None` for all of it.
    part: Option<String>,
}

impl Sources {
    /// One text alone.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self(vec![Source { name: name.to_owned(), text: text.to_owned(), start: 0, part: None }])
    }

    /// The same texts, of which the table `part` alone counts.
    pub(crate) fn part(&self, part: &str) -> Self {
        Self(self.0.iter().map(|source| Source { part: Some(part.to_owned()), ..source.clone() }).collect())
    }

    /// The name of the first text.
    pub(crate) fn name(&self) -> &str {
        self.0.first().map_or("", |source| &source.name)
    }

    /// Every text with the offset of its beginning and the name of the table that counts, if not all of it does.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (usize, &str, Option<&str>)> {
        self.0.iter().map(|source| (source.start, source.text.as_str(), source.part.as_deref()))
    }

    /// Appends the texts of `other`.
    pub(crate) fn append(&mut self, other: Self) {
        // One byte apart, so that a span at a text's very end is not one at the next one's beginning.
        let shift = self.0.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.0.extend(other.0.into_iter().map(|source| Source { start: source.start + shift, ..source }));
    }

    /// What was written at `span`; empty if nothing was.
    pub(crate) fn text(&self, span: &Range<usize>) -> &str {
        self.find(span)
            .and_then(|source| source.text.get(span.start - source.start..span.end - source.start))
            .unwrap_or("")
    }

    fn find(&self, span: &Range<usize>) -> Option<&Source> {
        self.0.iter().rev().find(|source| source.start <= span.start)
    }
}

/// Mistakes and warnings, with the texts they are about.
#[derive(Clone, Default, Debug)]
pub struct Diagnostics {
    pub(crate) sources: Sources,
    pub(crate) items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// One mistake that lies in no text.
    pub(crate) fn plain(name: &str, message: impl Into<String>) -> Self {
        Self { sources: Sources::new(name, ""), items: vec![Diagnostic::error(None, message)] }
    }

    /// Adds what was found in the same texts.
    pub fn append(&mut self, other: Self) {
        self.items.extend(other.items);
    }

    /// Is there nothing to report?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The mistakes and warnings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Where `item`, one of these, was written; `None` if nowhere.
    pub fn site(&self, item: &Diagnostic) -> Option<Site> {
        let span = item.span.as_ref()?;
        let source = self.sources.find(span)?;
        let text = source.text.as_str();
        let at = |offset: usize| text.floor_char_boundary(offset.saturating_sub(source.start));
        let (start, end) = (at(span.start), at(span.end));
        let first = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let rest = &text[first..];
        let line = rest.split('\n').next().unwrap_or(rest);
        let last = end.min(first + line.len());
        Some(Site {
            file: source.name.clone(),
            line: text[..start].matches('\n').count() + 1,
            column: text[first..start].chars().count() + 1,
            length: text.get(start..last).map_or(0, |part| part.chars().count()).max(1),
            text: line.trim_end_matches('\r').to_owned(),
        })
    }

    /// Everything as text for a terminal: message, file, line, column, the line with a caret, and the hint.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let rendered: Vec<_> = self.items.iter().map(|item| renderer.render(&[self.group(item)])).collect();
        rendered.join("\n\n")
    }

    fn group<'a>(&'a self, item: &'a Diagnostic) -> Group<'a> {
        let level = if item.warning { Level::WARNING } else { Level::ERROR };
        let group = Group::with_title(level.primary_title(&item.message));
        let place = item.span.as_ref().and_then(|span| Some((span, self.sources.find(span)?)));
        let mut group = match place {
            Some((span, source)) => {
                let at = |offset: usize| (offset - source.start).min(source.text.len());
                let span = at(span.start)..at(span.end);
                group.element(
                    Snippet::source(&source.text)
                        .path(&source.name)
                        .annotation(AnnotationKind::Primary.span(span)),
                )
            }
            None => group.element(Origin::path(self.sources.name())),
        };
        if let Some(hint) = &item.hint {
            group = group.element(Level::HELP.message(hint));
        }
        group
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl core::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_where_an_editor_would_look() {
        let first = Sources::new("first.toml", "a = 1\n");
        let text = "β = \"ü\"\r\nresidual = \"u_q\"";
        let mut sources = first;
        sources.append(Sources::new("second.toml", text));
        let start = 7 + text.find("u_q").expect("it is there");
        let mut found = Diagnostics { sources, items: vec![] };
        let mut check = |span: Option<Range<usize>>, expected: Option<(&str, usize, usize, usize, &str)>| {
            found.items = vec![Diagnostic::error(span, "wrong")];
            let site = found.site(&found.items[0]);
            let site = site.as_ref().map(|s| (&s.file[..], s.line, s.column, s.length, &s.text[..]));
            assert_eq!(site, expected);
        };
        check(Some(start..start + 3), Some(("second.toml", 2, 13, 3, "residual = \"u_q\"")));
        // After letters of two bytes, and before the end of a line as some systems write it.
        check(Some(13..15), Some(("second.toml", 1, 6, 1, "β = \"ü\"")));
        check(Some(4..5), Some(("first.toml", 1, 5, 1, "a = 1")));
        // The end of a text, and over the end of a line.
        check(Some(7 + text.len()..9 + text.len()), Some(("second.toml", 2, 17, 1, "residual = \"u_q\"")));
        check(Some(4..99), Some(("first.toml", 1, 5, 1, "a = 1")));
        check(None, None);
    }
}
