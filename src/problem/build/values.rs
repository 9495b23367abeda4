//! Single values: numbers, texts, formulas, files; and what is said where they are wrong.

use core::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

use super::{Builder, Entry, NUMBER};
use crate::expr::{self, Context, Expr, Node, NodeId, Unary, ast, closest, listed};
use crate::limits::{MAX_FORMULAS, MAX_OPERATIONS};
use crate::problem::diagnostic::{Diagnostic, report};
use crate::problem::embedded;
use crate::problem::file::{Table, Value, article};
use crate::problem::model::Formula;
use crate::problem::place::Coordinate;
use crate::problem::table::{self, Numbers};
use crate::rows::Fault;

/// The integer that `value` is, if it is one within `range`.
pub(super) fn integer(value: &Value<'_>, range: &RangeInclusive<usize>) -> Option<usize> {
    let integer = value.get_ref().as_integer();
    let count = integer.and_then(|i| usize::from_str_radix(i.as_str(), i.radix()).ok());
    count.filter(|count| range.contains(count))
}

impl Builder<'_> {
    pub(super) fn entries<'t>(&mut self, table: &'t Table<'t>, key: &str, required: bool) -> Vec<Entry<'t>> {
        let entries = match table.get(key) {
            Some(value) => match self.table(value, &format!("[{key}]")) {
                Some(table) => table.iter().collect(),
                None => return Vec::new(),
            },
            None => Vec::new(),
        };
        if required && entries.is_empty() && !misspelt(table, key) {
            let (message, hint) = match key {
                "coordinates" => {
                    ("the problem has no coordinates", "write [coordinates] and, for example, `x = [0, 1]`")
                }
                "unknowns" => ("the problem has no unknowns", "write [unknowns] and, for example, `u = {}`"),
                _ => ("the problem has no conditions", "write [conditions.NAME] with a place and a residual"),
            };
            let span = table.get(key).map(Spanned::span);
            self.report(Diagnostic::error(span, message).hint(hint));
        }
        entries
    }

    pub(super) fn table<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<&'t Table<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let message = format!("{what} is a table, not {}", article(value.get_ref()));
            self.report(Diagnostic::error(value.span(), message));
        }
        table
    }

    pub(super) fn text<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let message = format!("{what} is a string, not {}", article(value.get_ref()));
            self.report(Diagnostic::error(value.span(), message));
        }
        text
    }

    pub(super) fn unit(&mut self, table: &Table<'_>) -> String {
        let unit = table.get("unit").and_then(|value| self.text(value, "the unit"));
        unit.unwrap_or_default().to_owned()
    }

    pub(super) fn count(
        &mut self,
        value: &Value<'_>,
        what: &str,
        range: RangeInclusive<usize>,
    ) -> Option<usize> {
        let count = integer(value, &range);
        if count.is_none() {
            let message = format!("{what} is an integer from {} to {}", range.start(), range.end());
            self.report(Diagnostic::error(value.span(), message));
        }
        count
    }

    /// A finite number: a literal, or a formula over parameters.
    pub(super) fn number(&mut self, value: &Value<'_>, what: &str) -> Option<f64> {
        let expr = self.expr(value)?.0;
        self.lowered_number(&expr, value.span(), what)
    }

    pub(super) fn lowered_number(&mut self, expr: &Expr, span: Range<usize>, what: &str) -> Option<f64> {
        let node = self.lowered(expr, NUMBER)?;
        match self.graph.node(node) {
            Node::Constant(x) if x.is_finite() => Some(x),
            _ => {
                let message = format!("{what} is not a finite number");
                self.report(Diagnostic::error(span, message));
                None
            }
        }
    }

    /// A formula's node and its text.
    pub(super) fn formula(&mut self, value: &Value<'_>, context: Context) -> Option<(NodeId, String)> {
        let (expr, written) = self.expr(value)?;
        let node = self.lowered(&expr, context)?;
        if let Some(part) = self.endless(node) {
            let message = format!("`{part}` is not a finite number");
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        self.derivatives_exist(node, value).then_some((node, written))
    }

    /// The syntax tree of a string or a number, with spans in the common space, and its text.
    pub(super) fn expr(&mut self, value: &Value<'_>) -> Option<(Expr, String)> {
        let number = match value.get_ref() {
            DeValue::String(_) => {
                let (text, locate) = self.located(value)?;
                let expr = self.parsed(text, |range| locate.place(range))?;
                return Some((expr, text.to_owned()));
            }
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            DeValue::Float(x) => x.as_str().parse::<f64>().ok(),
            other => {
                let message = format!("expected a number or a formula in quotes, not {}", article(other));
                self.report(Diagnostic::error(value.span(), message));
                return None;
            }
        };
        let Some(x) = number.filter(|x| x.is_finite()) else {
            self.report(Diagnostic::error(value.span(), "this is not a finite number"));
            return None;
        };
        let magnitude = Expr::from(ast::Kind::Number(x.abs()));
        let mut expr =
            if x < 0.0 { ast::Kind::Unary(Unary::Neg, Box::new(magnitude)).into() } else { magnitude };
        expr.relocate(&|_| value.span());
        let written = expr.to_string();
        Some((expr, written))
    }

    pub(super) fn parsed(
        &mut self,
        text: &str,
        place: impl Fn(Range<usize>) -> Range<usize>,
    ) -> Option<Expr> {
        match self.scope.parse(text) {
            Ok(mut expr) => {
                expr.relocate(&place);
                expr.names(&mut |name| {
                    self.used.insert(name.to_owned());
                });
                Some(expr)
            }
            Err(errors) => {
                for mut error in errors {
                    error.span = place(error.span);
                    self.report(error.into());
                }
                None
            }
        }
    }

    /// Makes nodes and weights for the places that integrals of a formula run over.
    pub(super) fn places_of_integrals(&mut self, expr: &Expr) -> Option<()> {
        let mut asked = vec![];
        expr.integrals(&mut |integral| {
            if let Some(Expr { kind: ast::Kind::Name(text), span }) = &integral.place {
                asked.push((text.clone(), span.clone(), integral.nodes));
            }
        });
        for (text, span, nodes) in asked {
            // Before domains are known, none is: what stands there is told so.
            if self.space.is_empty() || self.scope.has_rule(&text, nodes) {
                continue;
            }
            let value = Spanned::new(span.clone(), DeValue::String(text.as_str().into()));
            let space = self.space.clone();
            let place = self.place(&value, &space)?;
            match place.rule(&space, self.geometry.as_ref(), self.scope.nodes(nodes)) {
                Ok(rule) => self.scope.set_rule(&text, nodes, rule),
                Err((message, hint)) => {
                    self.report(Diagnostic::error(span, message).hint(hint));
                    return None;
                }
            }
        }
        Some(())
    }

    pub(super) fn lowered(&mut self, expr: &Expr, context: Context) -> Option<NodeId> {
        self.formulas += 1;
        if self.formulas > MAX_FORMULAS {
            if self.formulas == MAX_FORMULAS + 1 {
                let message = format!("the problem has more than {MAX_FORMULAS} formulas and numbers");
                self.report(Diagnostic::error(expr.span.clone(), message));
            }
            return None;
        }
        if self.graph.nodes().len() > MAX_OPERATIONS {
            // It has been reported, and nothing can be read any more.
            return None;
        }
        self.places_of_integrals(expr)?;
        let mut errors = Vec::new();
        let node = self.scope.lower(expr, &mut self.graph, context, &mut errors);
        let too_many = self.graph.nodes().len() > MAX_OPERATIONS;
        if too_many && errors.is_empty() {
            let message = format!("the formulas take more than {MAX_OPERATIONS} operations");
            errors.push(expr::Error::new(expr.span.clone(), message).hint("simplify them"));
        }
        for error in errors {
            self.report(error.into());
        }
        node.filter(|_| !too_many)
    }

    /// A part of the formula that is a number, but not a finite one.
    pub(super) fn endless(&self, root: NodeId) -> Option<Expr> {
        let needed = self.graph.reachable(&[root]);
        let constant = |id: NodeId| matches!(self.graph.node(id), Node::Constant(_));
        // What is constant and finite has been folded away.
        let found = (0..needed.len()).find(|&i| {
            let mut operands = self.graph.nodes()[i].operands().peekable();
            needed[i] && operands.peek().is_some() && operands.all(constant)
        })?;
        self.graph.to_expr(self.graph.id(found)?, 100, &|_| String::new())
    }

    /// Takes what `roots` need out of the common graph.
    pub(super) fn extract(&mut self, roots: &[NodeId]) -> Formula {
        let (graph, roots) = self.graph.extract(roots);
        self.count_operations(graph.nodes().len());
        Formula { graph, roots }
    }

    /// Counts operations of a formula that is a graph of its own.
    pub(super) fn count_operations(&mut self, operations: usize) {
        let before = self.extracted;
        self.extracted += operations;
        if before <= MAX_OPERATIONS && self.extracted > MAX_OPERATIONS {
            let message = format!("the formulas take more than {MAX_OPERATIONS} operations in all");
            let hint = "a definition counts wherever it is used; fewer conditions, or simpler definitions";
            self.report(Diagnostic::error(None, message).hint(hint));
        }
    }

    // Files.

    pub(super) fn numbers(&mut self, name: &str, value: &Value<'_>) -> Option<(PathBuf, Numbers)> {
        if name.starts_with("built-in:") {
            return self.built_in(name, value);
        }
        let path = self.folder.join(name);
        let path = std::path::absolute(&path).unwrap_or(path);
        match table::read(&path) {
            Ok(numbers) => Some((path, numbers)),
            Err(fault) => {
                self.unusable(name, value, &path, fault);
                None
            }
        }
    }

    /// Reports why the file called `name`, which is `path`, cannot be used.
    pub(super) fn unusable(&mut self, name: &str, value: &Value<'_>, path: &Path, fault: Fault) {
        let message = format!("cannot use the file `{}`: {fault}", name.escape_debug());
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let relative =
            || format!("file names are relative to the problem file: this is `{}`", path.display());
        let hint = fault.hint.or_else(|| fault.missing.then(relative));
        self.report(Diagnostic { hint, ..Diagnostic::error(value.span(), message) });
    }

    /// The numbers of a file that comes with the program, wherever it runs.
    fn built_in(&mut self, name: &str, value: &Value<'_>) -> Option<(PathBuf, Numbers)> {
        let Some((_, text)) = embedded::DATA.iter().find(|(known, _)| *known == name) else {
            let message = format!("there is no file `{}`", name.escape_debug());
            let names: Vec<_> = embedded::DATA.iter().map(|(known, _)| *known).collect();
            let hint = match closest(name, names.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the files that come with the program are {}", listed(&names)),
            };
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        let numbers = table::csv_table(text.as_bytes()).expect("our own files were read by a test");
        Some((PathBuf::from(name), numbers))
    }

    // Mistakes.

    pub(super) fn report(&mut self, item: Diagnostic) {
        report(&mut self.items, item);
    }

    pub(super) fn has_errors(&self) -> bool {
        self.items.iter().any(|item| !item.warning)
    }

    pub(super) fn check_keys(&mut self, table: &Table<'_>, what: &str, known: &[&str]) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let message = format!("unknown key `{}` in {what}", name.escape_debug());
                let hint = match closest(name, known.iter().copied()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("the keys are {}", listed(known)),
                };
                self.report(Diagnostic::error(key.span(), message).hint(hint));
            }
        }
    }

    pub(super) fn no_coordinate(&mut self, name: &str, coordinates: &[Coordinate], span: Range<usize>) {
        let names: Vec<_> = coordinates.iter().map(|c| c.name.as_str()).collect();
        let message = format!("`{}` is not a coordinate", name.escape_debug());
        let hint = format!("the coordinates are {}", listed(&names));
        self.report(Diagnostic::error(span, message).hint(hint));
    }

    // Places in the text.

    /// A string's content, and the way from places in it to places in its file.
    pub(super) fn located<'t>(&mut self, value: &'t Value<'t>) -> Option<(&'t str, Locator)> {
        let text = self.text(value, "a formula")?;
        let whole = value.span();
        // Where the string has escapes, its content is nowhere to be found and the whole string is pointed at.
        let inner = self.sources.text(&whole).find(text).map(|at| whole.start + at);
        Some((text, Locator { inner, whole }))
    }

    pub(super) fn part_of(&self, value: &Value<'_>, part: &str) -> Range<usize> {
        let whole = value.span();
        match self.sources.text(&whole).rfind(part) {
            Some(at) => whole.start + at..whole.start + at + part.len(),
            None => whole,
        }
    }
}

/// Is `key` in the table under another spelling? That is one mistake, and has been reported.
pub(super) fn misspelt(table: &Table<'_>, key: &str) -> bool {
    table
        .keys()
        .any(|written| written.get_ref().as_ref() != key && closest(written.get_ref(), [key]).is_some())
}

/// See [`Builder::located`].
pub(super) struct Locator {
    inner: Option<usize>,
    whole: Range<usize>,
}

impl Locator {
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        match self.inner {
            Some(start) => start + range.start..start + range.end,
            None => self.whole.clone(),
        }
    }
}
