//! The table `[tables]`: functions that files of numbers give, and where the formulas ask for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;
use toml::Spanned;
use toml::de::DeValue;

use super::{Builder, Entry, values::misspelt};
use crate::expr::{Digits, Graph, Lookup, Node, NodeId, closest, is_name, listed};
use crate::limits::MAX_TABLE_NUMBERS;
use crate::problem::diagnostic::Diagnostic;
use crate::problem::file::{Table, Value, article};
use crate::problem::model::{Formula, Problem, Tables};
use crate::problem::npz::{self, Array};
use crate::problem::place::Coordinate;
use crate::problem::reference::combinations;
use crate::problem::table::{self, Numbers, place};
use crate::rng;
use crate::rows::Fault;
use crate::tabulated::{Between, MAX_ARGUMENTS, Outside, Tabulated};

const KEYS: [&str; 6] = ["file", "of", "column", "between", "outside", "hash"];
const FORM: &str = "for example `{ file = \"load.csv\", of = [\"t\"], between = \"cubic\" }`";

/// The nodes of a table and the values there, the last argument fastest.
type Grid = (Vec<Vec<f64>>, Vec<f64>);

impl Builder<'_> {
    /// Reads every function that a file gives; what is wrong is reported, and the name then means nothing more.
    pub(super) fn tables(&mut self, entries: &[Entry<'_>]) -> Vec<Tables> {
        let mut all = vec![];
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let read = self.tabulated(name, value);
            self.scope.set_table(name, read.as_ref().map(|read| read.function.clone()));
            all.extend(read);
        }
        all
    }

    fn tabulated(&mut self, name: &str, value: &Value<'_>) -> Option<Tables> {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!(
                "`{name}` is a table with a file and its arguments, not {}",
                article(value.get_ref())
            );
            self.report(Diagnostic::error(value.span(), message).hint(FORM));
            return None;
        };
        self.check_keys(table, "a function that a file gives", &KEYS);
        let mut required = |key: &str, what: &str| {
            let found = table.get(key);
            if found.is_none() && !misspelt(table, key) {
                let message = format!("the table of `{name}` has no {what}");
                self.report(Diagnostic::error(value.span(), message).hint(FORM));
            }
            found
        };
        let (file, of) = (required("file", "file"), required("of", "arguments"));
        let between = self.one_of(table.get("between"), "between", &Between::ALL, Between::Cubic);
        let outside = self.one_of(table.get("outside"), "outside", &Outside::ALL, Outside::Refused);
        let column = match table.get("column") {
            Some(value) => Some(self.text(value, "the name of a column")?.to_owned()),
            None => None,
        };
        let arguments = self.arguments(name, of?)?;
        let file = file?;
        let written = self.text(file, "a file's name")?;
        let wanted = Wanted { name, arguments: &arguments, column: column.as_deref() };
        let (path, (axes, values)) = self.nodes(written, file, &wanted)?;
        let (between, outside) = (between?, outside?);
        let function = Tabulated::new(name, arguments, axes, &values, between, outside);
        if function.numbers.iter().any(|x| !x.is_finite()) {
            let fault =
                Fault::from("its numbers are too large, or its points too close, for double precision");
            self.unusable(written, file, &path, fault);
            return None;
        }
        let hash = hash(&function);
        let read = Tables { function: Arc::new(function), path, column, hash };
        if let Some(value) = table.get("hash") {
            let expected = self.text(value, "the hash of a table")?;
            if expected != read.hash {
                let message = format!("`{}` has changed since this file was written", written.escape_debug());
                let hint = "bring the old one back, or remove `hash` to take it as it is now";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                return None;
            }
        }
        Some(read)
    }

    /// One of several names.
    fn one_of<T: Copy>(
        &mut self,
        value: Option<&Value<'_>>,
        key: &str,
        all: &[(&'static str, T)],
        usual: T,
    ) -> Option<T> {
        let Some(value) = value else { return Some(usual) };
        let text = self.text(value, &format!("`{key}`"))?;
        let found = all.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            let hint = match closest(text, names.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are {}", listed(&names)),
            };
            let message = format!("unknown name `{}` for `{key}`", text.escape_debug());
            self.report(Diagnostic::error(value.span(), message).hint(hint));
        }
        found.map(|(_, kind)| *kind)
    }

    /// The names of a function's arguments.
    fn arguments(&mut self, name: &str, value: &Value<'_>) -> Option<Vec<String>> {
        let names = match value.get_ref() {
            DeValue::Array(names) => {
                names.iter().map(|name| self.text(name, "the name of an argument")).collect()
            }
            _ => {
                let message = format!("`of` is a list of names, not {}", article(value.get_ref()));
                self.report(Diagnostic::error(value.span(), message).hint("for example [\"t\"]"));
                None
            }
        };
        let names: Vec<&str> = names?;
        let mut wrong = |message: String| {
            self.report(Diagnostic::error(value.span(), message));
            None
        };
        if !(1..=MAX_ARGUMENTS).contains(&names.len()) {
            return wrong(format!("`{name}` is of {} arguments, not of one to three", names.len()));
        }
        if let Some(odd) = names.iter().find(|name| !is_name(name)) {
            return wrong(format!(
                "`{}` is not a name: a letter, then letters, digits and underscores",
                odd.escape_debug()
            ));
        }
        if let Some((_, twice)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return wrong(format!("`{twice}` is there twice"));
        }
        Some(names.into_iter().map(str::to_owned).collect())
    }

    fn nodes(&mut self, written: &str, value: &Value<'_>, wanted: &Wanted) -> Option<(PathBuf, Grid)> {
        let path = self.folder.join(written);
        let path = std::path::absolute(&path).unwrap_or(path);
        let archive = Path::new(written).extension().is_some_and(|e| e.eq_ignore_ascii_case("npz"));
        let (path, grid) = if archive {
            let bytes = table::bytes(&path, crate::limits::MAX_TABLE_BYTES);
            let arrays = bytes.and_then(|bytes| Ok(npz::arrays(&bytes)?));
            (path, arrays.and_then(|arrays| wanted.of_arrays(arrays)))
        } else {
            let (path, numbers) = self.numbers(written, value)?;
            (path, wanted.of_numbers(numbers))
        };
        match grid {
            Ok(grid) => Some((path, grid)),
            Err(fault) => {
                self.unusable(written, value, &path, fault);
                None
            }
        }
    }

    /// Does every table that the formula `root` looks up have the derivative that is asked for? If not, it is reported.
    pub(super) fn derivatives_exist(&mut self, root: NodeId, value: &Value<'_>) -> bool {
        let Some(lookup) = self.graph.beyond_tables(&[root]) else { return true };
        let (message, hint) = too_often(&self.graph, &lookup);
        self.report(Diagnostic::error(value.span(), message).hint(hint));
        false
    }

    /// Reports where formulas ask tables for what they do not have: derivatives beyond their degree, places beyond their ends.
    pub(super) fn check_tables(&mut self, problem: &Problem, table: &Table<'_>) {
        if problem.tables.is_empty() {
            return;
        }
        let at = |path: &[&str]| {
            let mut here: Option<&Value<'_>> = None;
            for key in path {
                let inside = here.map_or(Some(table), |value| value.get_ref().as_table());
                here = inside.and_then(|table| table.get(*key)).or(here);
            }
            here.map(Spanned::span)
        };
        for condition in &problem.conditions {
            // The network is differentiated through its inputs.
            let Some(inputs) = problem.features.derivatives(&condition.jets) else { continue };
            if let Some(lookup) = inputs.graph.beyond_tables(&inputs.roots) {
                let (message, hint) = too_often(&inputs.graph, &lookup);
                self.report(Diagnostic::error(at(&["network", "features"]), message).hint(hint));
                return;
            }
        }
        let everywhere = rows(&problem.coordinates);
        let domain = |rows: &[f64]| -> Vec<f64> {
            let length = problem.coordinates.len();
            let inside = |row: &&[f64]| problem.geometry.as_ref().is_none_or(|g| g.domain.touches(row));
            rows.chunks_exact(length).filter(inside).flatten().copied().collect()
        };
        let mut formulas = vec![
            (&problem.values, domain(&everywhere), at(&["unknowns"])),
            (&problem.features, domain(&everywhere), at(&["network", "features"])),
        ];
        for condition in &problem.conditions {
            let own = condition.place.own_points();
            let rows = if own.is_empty() {
                let mut rows =
                    if condition.place.walls().is_empty() { domain(&everywhere) } else { everywhere.clone() };
                condition.place.take(&problem.coordinates, &mut rows);
                rows
            } else {
                own.to_vec()
            };
            let span = at(&["conditions", &condition.name, "residual"]);
            formulas.push((&condition.residuals, rows, span));
        }
        for (formula, rows, span) in formulas {
            if let Some((message, hint)) = beyond(formula, &rows, &problem.coordinates) {
                self.report(Diagnostic::error(span, message).hint(hint));
                return;
            }
        }
    }
}

/// Places all over a domain: its corners, the middle of its sides, and places at random between them.
fn rows(coordinates: &[Coordinate]) -> Vec<f64> {
    const RANDOM: usize = 500;
    let length = coordinates.len();
    let mut rows = vec![];
    if length <= 6 {
        let axes: Vec<Vec<f64>> =
            coordinates.iter().map(|c| vec![c.lower, 0.5 * (c.lower + c.upper), c.upper]).collect();
        rows = combinations(&axes);
    }
    let mut random = rng::stream(0, "tables");
    for _ in 0..RANDOM {
        rows.extend(coordinates.iter().map(|c| c.lower + (c.upper - c.lower) * random.random::<f64>()));
    }
    rows
}

/// What `formula` asks a table for that it does not have, and what to do, if there is such a thing at `rows`.
fn beyond(formula: &Formula, rows: &[f64], coordinates: &[Coordinate]) -> Option<(String, String)> {
    let Formula { graph, roots } = formula;
    if let Some(lookup) = graph.beyond_tables(roots) {
        return Some(too_often(graph, &lookup));
    }
    let needed = graph.reachable(roots);
    let lookups: Vec<Lookup> = graph
        .nodes()
        .iter()
        .zip(needed)
        .filter_map(|(node, needed)| match node {
            Node::Table(lookup) if needed => Some(*lookup),
            _ => None,
        })
        .filter(|lookup| graph.looked_up(lookup).outside == Outside::Refused)
        .collect();
    let arguments: Vec<_> = lookups.iter().flat_map(|lookup| lookup.arguments().to_vec()).collect();
    if arguments.is_empty() {
        return None;
    }
    let (lean, copies) = graph.extract(&arguments);
    let mut values = vec![];
    for row in rows.chunks_exact(coordinates.len()) {
        lean.eval(&mut values, |node| match node {
            Node::Coordinate { coordinate, .. } => row[coordinate],
            // What columns hold is looked at where points are.
            _ => f64::NAN,
        });
        let mut found = copies.iter().map(|copy| values[copy.index()]);
        for lookup in &lookups {
            let function = graph.looked_up(lookup);
            for (a, argument) in function.arguments.iter().enumerate() {
                let x = found.next()?;
                if x.is_nan() || function.reaches(a, x) {
                    continue;
                }
                let (low, high) = function.range(a);
                let here = coordinates.iter().zip(row);
                let here: Vec<_> =
                    here.map(|(c, x)| format!("{} = {}", c.name, Digits(Digits::four(*x)))).collect();
                let message = format!(
                    "`{}` is asked for at {argument} = {}, and its table goes from {} to {} (at {})",
                    function.name,
                    Digits(Digits::four(x)),
                    Digits(low),
                    Digits(high),
                    here.join(", ")
                );
                let hint = "let the file reach as far, or say `outside = \"hold\"` for the value at its end";
                return Some((message, hint.to_owned()));
            }
        }
    }
    None
}

/// What is said of a derivative that a table does not have.
fn too_often(graph: &Graph, lookup: &Lookup) -> (String, String) {
    let function = graph.looked_up(lookup);
    let degree = function.between.degree();
    let (a, order) = (lookup.orders.iter().enumerate())
        .find(|(_, order)| usize::from(**order) > degree)
        .map_or((0, 0), |(a, order)| (a, *order));
    let has = match degree {
        0 => "no derivative".to_owned(),
        _ => format!("derivatives up to order {degree}"),
    };
    let message = format!(
        "this needs the derivative of order {order} of `{}` along `{}`, which is {} between its points and has {has}",
        function.name,
        function.arguments[a],
        function.between.name()
    );
    let hint = match function.between {
        Between::Cubic => {
            "write what it is of the equation without this derivative, or smooth the data by a formula"
        }
        _ => "say `between = \"cubic\"`, which has derivatives up to order 3",
    };
    (message, hint.to_owned())
}

/// What a file shall give.
struct Wanted<'a> {
    name: &'a str,
    arguments: &'a [String],
    column: Option<&'a str>,
}

impl Wanted<'_> {
    /// Which of `names` hold the arguments, and which the values.
    fn places(&self, names: &[String], what: &str) -> Result<(Vec<usize>, usize), Fault> {
        let bare: Vec<&str> = names.iter().map(|name| without_unit(name)).collect();
        let find = |wanted: &str| {
            let written = names.iter().position(|name| name == wanted);
            written.or_else(|| bare.iter().position(|name| *name == wanted))
        };
        let known = || format!("its {what}s are {}", listed(&bare));
        let missing = |wanted: &str| Fault::from(format!("it has no {what} `{wanted}`")).hint(known());
        let arguments: Vec<usize> =
            self.arguments.iter().map(|a| find(a).ok_or_else(|| missing(a))).collect::<Result<_, _>>()?;
        let value = match self.column {
            Some(column) => find(column).ok_or_else(|| missing(column))?,
            None => {
                let others: Vec<usize> = (0..names.len()).filter(|i| !arguments.contains(i)).collect();
                match (find(self.name), &others[..]) {
                    (Some(own), _) => own,
                    (None, [only]) => *only,
                    (None, []) => {
                        return Err(Fault::from(format!(
                            "it has no {what} for the values of `{}`",
                            self.name
                        )));
                    }
                    (None, _) => {
                        let message =
                            format!("it does not say which {what} holds the values of `{}`", self.name);
                        let hint = format!("say it by `column = \"…\"`; {}", known());
                        return Err(Fault::from(message).hint(hint));
                    }
                }
            }
        };
        Ok((arguments, value))
    }

    /// From rows of points with a value each.
    fn of_numbers(&self, numbers: Numbers) -> Result<Grid, Fault> {
        let Numbers { header, mut columns, lines } = numbers;
        let (arguments, value) = match header {
            Some(header) => self.places(&header, "column")?,
            None => {
                let count = self.arguments.len();
                if columns.len() != count + 1 {
                    let wants = format!("the {count} of `of` and then the values");
                    return Err(
                        format!("it has {} columns, not {}: {wants}", columns.len(), count + 1).into()
                    );
                }
                ((0..count).collect(), count)
            }
        };
        let values = std::mem::take(&mut columns[value]);
        let points: Vec<&Vec<f64>> = arguments.iter().map(|&a| &columns[a]).collect();
        self.gridded(&points, &values, &lines)
    }

    /// From arrays: the nodes along every argument and the values at all of them, or points with a value each.
    fn of_arrays(&self, arrays: Vec<Array>) -> Result<Grid, Fault> {
        let names: Vec<String> = arrays.iter().map(|array| array.name.clone()).collect();
        let (arguments, value) = self.places(&names, "array")?;
        let shape = |shape: &[usize]| {
            format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
        };
        let lengths: Vec<usize> = arguments.iter().map(|&a| arrays[a].numbers.len()).collect();
        for &a in &arguments {
            if arrays[a].shape.len() != 1 {
                let Array { name, shape: found, .. } = &arrays[a];
                return Err(
                    format!("its array `{name}` has the shape {}, not one dimension", shape(found)).into()
                );
            }
        }
        let values = &arrays[value];
        let points: Vec<&Vec<f64>> = arguments.iter().map(|&a| &arrays[a].numbers).collect();
        if values.shape.len() == 1 && lengths.iter().all(|length| *length == values.numbers.len()) {
            return self.gridded(&points, &values.numbers, &[]);
        }
        if values.shape != lengths {
            let (found, wanted) = (shape(&values.shape), shape(&lengths));
            return Err(format!("its array `{}` has the shape {found}, not {wanted}", values.name).into());
        }
        self.check_size(&lengths)?;
        for (axis, name) in points.iter().zip(self.arguments) {
            if let Some(i) = axis.windows(2).position(|pair| pair[0] >= pair[1]) {
                return Err(format!("its array `{name}` does not rise at place {}", i + 2).into());
            }
        }
        Ok((points.into_iter().cloned().collect(), values.numbers.clone()))
    }

    fn check_size(&self, lengths: &[usize]) -> Result<(), Fault> {
        for (length, argument) in lengths.iter().zip(self.arguments) {
            if *length < 2 {
                return Err(format!("`{argument}` has one value in it, and two are the least").into());
            }
        }
        let most = MAX_TABLE_NUMBERS >> lengths.len();
        let nodes = lengths.iter().try_fold(1_usize, |nodes, length| nodes.checked_mul(*length));
        match nodes {
            Some(nodes) if nodes <= most => Ok(()),
            _ => Err(format!("it has more than {most} points").into()),
        }
    }

    /// Points in any order as a grid, which they have to be.
    fn gridded(&self, points: &[&Vec<f64>], values: &[f64], lines: &[u64]) -> Result<Grid, Fault> {
        let sorted = |column: &&Vec<f64>| {
            // Both zeros are one.
            let mut axis: Vec<f64> = column.iter().map(|x| x + 0.0).collect();
            axis.sort_by(f64::total_cmp);
            axis.dedup();
            axis
        };
        let axes: Vec<Vec<f64>> = points.iter().map(sorted).collect();
        let lengths: Vec<usize> = axes.iter().map(Vec::len).collect();
        self.check_size(&lengths)?;
        let point = |at: &[f64]| {
            let each = self.arguments.iter().zip(at).map(|(name, x)| format!("{name} = {}", Digits(*x)));
            each.collect::<Vec<_>>().join(", ")
        };
        let mut rows: Vec<Option<usize>> = vec![None; lengths.iter().product()];
        for row in 0..values.len() {
            let mut node = 0;
            for (axis, column) in axes.iter().zip(points) {
                node = node * axis.len() + axis.partition_point(|x| *x < column[row] + 0.0);
            }
            if let Some(first) = rows[node].replace(row) {
                let at: Vec<f64> = points.iter().map(|column| column[row]).collect();
                let (first, second) = (place(lines, first), place(lines, row));
                return Err(format!("{first} and {second} are both at {}", point(&at)).into());
            }
        }
        if let Some(missing) = rows.iter().position(Option::is_none) {
            let mut rest = missing;
            let mut at: Vec<f64> = axes
                .iter()
                .rev()
                .map(|axis| {
                    let x = axis[rest % axis.len()];
                    rest /= axis.len();
                    x
                })
                .collect();
            at.reverse();
            return Err(Fault::from(format!("it has no row at {}", point(&at))).hint(
                "a table of several arguments is a grid: every value of one with every value of the others",
            ));
        }
        let values = rows.into_iter().flatten().map(|row| values[row]).collect();
        Ok((axes, values))
    }
}

/// Sixteen digits that stand for the points and values of a function.
fn hash(function: &Tabulated) -> String {
    let bits = function.axes.iter().flatten().chain(function.numbers.iter().step_by(function.parts()));
    let text: String = bits.map(|x| format!("{:x} ", x.to_bits())).collect();
    format!("{:016x}", rng::hash(&text))
}

/// A column's name without the unit behind it: `t (s)`, `q [W/m^2]`.
fn without_unit(name: &str) -> &str {
    let bare = name.find(['(', '[']).map_or(name, |at| &name[..at]).trim_end();
    if bare.is_empty() { name } else { bare }
}
