//! `[shapes]`, `[domain]`, and the places that they bring: regions, walls, interfaces.
//!
//! It reads and reports; what a region is and where its walls are, the package of regions knows.

use core::ops::Range;
use std::sync::Arc;

use regions::shape::KINDS;
use regions::{Error, Level, Shape};
use toml::Spanned;
use toml::de::DeValue;

use super::conditions::split_outside_parentheses;
use super::values::{Locator, misspelt};
use super::{Builder, Entry, MOVING, SHAPE};
use crate::expr::{Binary, Digits, Graph, Node, NodeId, Normal, closest, is_name, is_time, listed};
use crate::limits::MAX_FORMULAS;
use crate::problem::diagnostic::Diagnostic;
use crate::problem::file::{Table, Value, article};
use crate::problem::geometry::{Body, Boundary, Choice, Geometry};
use crate::problem::making::{self, Base, Change, Made, Number, Stock, Wrong};
use crate::problem::mesh::{self, Meshed};
use crate::problem::model::Formula;
use crate::problem::place::{Coordinate, Place};
use crate::problem::table::Numbers;
use crate::problem::write::{key, quoted};

/// Keys of a shape that are no kind of it: what becomes of it.
const CHANGES: [&str; 5] = ["extrude", "revolve", "scale", "rotate", "translate"];

const SHAPES: &str = "write, for example, `hole = { disk = { center = [0.5, 0.5], radius = 0.1 } }`";
const WALLS: &str =
    "write `wall`, `wall of NAME`, or a part such as `wall of NAME where x = 0` or `wall where y > 0.5`";

const FORMULAS_MOVE: &str =
    "what stands beside the formula may be formulas of time: `translate`, `rotate`, `scale`";

/// A domain so many times as large as a mesh, or as small, is in other units.
const UNITS: f64 = 20.0;

/// A shape by a formula over the coordinates.
struct ByFormula {
    level: Formula,
    /// Its derivatives along the coordinates of space.
    slopes: Formula,
    /// Which coordinates these are.
    axes: Vec<usize>,
}

impl Level for ByFormula {
    fn value(&self, x: &[f64]) -> f64 {
        value_of(&self.level, &self.axes, x, 0)
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        for (k, slope) in gradient.iter_mut().enumerate() {
            *slope = value_of(&self.slopes, &self.axes, x, k);
        }
    }
}

/// A function over the coordinates that are numbered by `axes`.
fn value_of(formula: &Formula, axes: &[usize], x: &[f64], root: usize) -> f64 {
    let mut values = vec![];
    formula.graph.eval(&mut values, |node| match node {
        Node::Coordinate { coordinate, .. } => {
            axes.iter().position(|&i| i == coordinate).and_then(|k| x.get(k)).copied().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    });
    values[formula.roots[root].index()]
}

impl Builder<'_> {
    /// What `[shapes]` and `[domain]` say; coordinates of space that have no domain get that of the region.
    pub(super) fn geometry(
        &mut self,
        table: &Table<'_>,
        keys: &[Entry<'_>],
        coordinates: &mut [Coordinate],
    ) -> Option<Geometry> {
        let entries = self.entries(table, "shapes", false);
        let Some(domain) = table.get("domain") else {
            if let Some((key, _)) = table.get_key_value("shapes")
                && !misspelt(table, "domain")
            {
                let message = "there are shapes, but no domain that is made of them";
                let hint = "write [domain] and, for example, `region = \"plate - hole\"`";
                self.report(Diagnostic::error(key.span(), message).hint(hint));
            }
            return None;
        };
        let geometry = self.domain(domain, &entries, coordinates);
        let stated: Vec<bool> = coordinates.iter().map(|c| !c.lower.is_nan()).collect();
        for (c, (key, value)) in coordinates.iter_mut().zip(keys) {
            let stated = value.get_ref().as_table().is_none_or(|table| table.contains_key("domain"));
            if !c.lower.is_nan() || stated {
                continue;
            }
            let Some(geometry) = &geometry else { continue };
            let i = keys.iter().position(|(other, _)| other.get_ref() == key.get_ref());
            match geometry.domain.bounds().find(|(axis, _)| Some(*axis) == i) {
                Some((_, (lower, upper))) => (c.lower, c.upper) = (lower, upper),
                None => {
                    let message = format!("the coordinate `{}` has no domain", c.name);
                    let hint = format!(
                        "the region takes the first {} of the coordinates of space and says nothing of it: give its two \
                         ends, for example [0, 1]",
                        geometry.dimension()
                    );
                    self.report(Diagnostic::error(key.span(), message).hint(hint));
                }
            }
        }
        let geometry = geometry?;
        let mut fine = true;
        let extent = geometry.domain.extent();
        // How many times as long as the region the domain is, where the file says how long that is.
        let ratios = extent
            .iter()
            .filter(|(i, _)| stated[*i])
            .map(|&(i, (lower, upper))| (coordinates[i].upper - coordinates[i].lower) / (upper - lower));
        let ratios: Vec<f64> = ratios.collect();
        let far = |x: &f64| *x >= UNITS || *x <= 1.0 / UNITS;
        let mesh = entries.iter().find_map(|(_, shape)| shape.get_ref().as_table()?.get("mesh"));
        if let (Some(mesh), Some(first)) = (mesh, ratios.first().filter(|_| ratios.iter().all(far))) {
            let sides: Vec<String> = extent
                .iter()
                .map(|(_, (lower, upper))| Digits(Digits::four(upper - lower)).to_string())
                .collect();
            let message = format!(
                "the region is {}, and the domain about {} times as large: other units?",
                sides.join(" × "),
                Digits(Digits::four(*first))
            );
            let hint = format!(
                "`scale = {}` beside `mesh` brings it to the domain's size; coordinates without a domain (`{} = {{}}`) \
                 have the region's",
                Digits(10_f64.powf(first.log10().round())),
                coordinates[extent[0].0].name
            );
            self.report(Diagnostic::error(mesh.span(), message).hint(hint));
            return None;
        }
        for (i, (lower, upper)) in extent {
            let c = &coordinates[i];
            let slack = 1e-9 * (upper - lower);
            if lower < c.lower - slack || upper > c.upper + slack {
                let message = format!(
                    "the region goes from {} to {} along {}, beyond its domain [{}, {}]",
                    Digits(Digits::four(lower)),
                    Digits(Digits::four(upper)),
                    c.name,
                    Digits(c.lower),
                    Digits(c.upper)
                );
                let hint =
                    format!("widen the domain, or leave it out (`{} = {{}}`): the region has one", c.name);
                self.report(Diagnostic::error(domain.span(), message).hint(hint));
                fine = false;
            }
        }
        // The names that the normal takes.
        for name in geometry.normal() {
            if self.scope.get(name).is_some() || self.scope.is_derivative(name) {
                let message = format!("`{name}` is a component of the normal where there are shapes");
                let hint = "choose other names for what makes it something else";
                self.report(Diagnostic::error(domain.span(), message).hint(hint));
                fine = false;
            }
        }
        if let Some((key, _)) = keys.iter().find(|(key, _)| key.get_ref().as_ref() == "n") {
            let message = "`n` is the normal where there are shapes, and cannot be a coordinate";
            self.report(Diagnostic::error(key.span(), message).hint("choose another name"));
            fine = false;
        }
        if !fine {
            return None;
        }
        self.scope.set_normal(Normal { names: geometry.normal().to_vec(), along: vec![] });
        Some(geometry)
    }

    fn domain(
        &mut self,
        domain: &Value<'_>,
        entries: &[Entry<'_>],
        coordinates: &[Coordinate],
    ) -> Option<Geometry> {
        let table = self.table(domain, "[domain]")?;
        self.check_keys(table, "[domain]", &["region"]);
        let space: Vec<usize> = (0..coordinates.len()).filter(|&i| !is_time(&coordinates[i].name)).collect();
        let time = coordinates.iter().position(|c| is_time(&c.name));
        self.time = time;
        let mut stock = Stock::new(time.map(|i| (i, (coordinates[i].lower, coordinates[i].upper))));
        let (mut written, mut fine) = (vec![], true);
        for (name, value) in entries {
            let text: &str = name.get_ref();
            let mut wrong = |builder: &mut Self, message: String| {
                builder.report(Diagnostic::error(name.span(), message).hint("choose another name"));
                fine = false;
            };
            if !is_name(text) {
                let message = format!(
                    "`{}` is not a name: a letter, then letters, digits and underscores",
                    text.escape_debug()
                );
                wrong(self, message);
                continue;
            }
            if ["of", "where", "and", "wall", "region", "interior", "boundary"].contains(&text) {
                wrong(self, format!("`{text}` has a meaning of its own in places"));
                continue;
            }
            match self.shape(name, value, &mut stock, &space, coordinates) {
                Some(()) => written.push((text.to_owned(), self.inline(value.get_ref()))),
                None => fine = false,
            }
        }
        let Some(region) = table.get("region") else {
            if !misspelt(table, "region") {
                let hint = "write, for example, `region = \"plate - hole\"`: `+` joins, `&` intersects, `-` cuts off";
                self.report(Diagnostic::error(domain.span(), "[domain] has no region").hint(hint));
            }
            return None;
        };
        let (formula, locate) = self.located(region)?;
        if !fine {
            return None;
        }
        if entries.is_empty() {
            self.report(
                Diagnostic::error(region.span(), "there are no shapes to make a region of").hint(SHAPES),
            );
            return None;
        }
        let stock = Arc::new(stock);
        let names: Vec<_> = coordinates.iter().map(|c| c.name.as_str()).collect();
        match Geometry::new(stock.clone(), written, formula, &names, &space) {
            Ok(geometry) if geometry.dimension() > space.len() => {
                let has = match geometry.dimension() {
                    1 => "one dimension".to_owned(),
                    count => format!("{count} dimensions"),
                };
                let message = format!(
                    "the region has {has}, and there {}",
                    match space.len() {
                        0 => "is no coordinate of space: time is none".to_owned(),
                        1 => "is one coordinate of space".to_owned(),
                        count => format!("are {count} coordinates of space"),
                    }
                );
                self.report(
                    Diagnostic::error(region.span(), message).hint("declare the others under [coordinates]"),
                );
                None
            }
            Ok(geometry) => Some(geometry),
            Err(wrong) => {
                let names: Vec<&str> = stock.first.names().collect();
                self.wrong_region(wrong, &names, region.span(), &locate, 0);
                None
            }
        }
    }

    /// Reports what is wrong with a formula over names of shapes, which begins `offset` bytes into its string.
    fn wrong_region(
        &mut self,
        wrong: Wrong,
        names: &[&str],
        whole: Range<usize>,
        locate: &Locator,
        offset: usize,
    ) {
        let Wrong { error, time } = wrong;
        let at = |span: &Range<usize>| locate.place(span.start + offset..span.end + offset);
        let item = match &error {
            Error::UnknownShape { span, name } => {
                let span = if span.is_empty() { whole } else { at(span) };
                let hint = match closest(name, names.iter().copied()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None if names.is_empty() => "no shape comes before this one".to_owned(),
                    None => format!("the shapes are {}", listed(names)),
                };
                Diagnostic::error(span, error.to_string()).hint(hint)
            }
            Error::Syntax { span, .. }
            | Error::Dimension { span, .. }
            | Error::Tiny { span, .. }
            | Error::Huge { span, .. } => Diagnostic::error(at(span), error.to_string()),
            Error::Empty => Diagnostic::error(whole, error.to_string()).hint("nothing is left of its shapes"),
            Error::Removed { .. } => Diagnostic::error(whole, error.to_string())
                .hint("take the wall of what cuts it off, or of another shape"),
            _ => Diagnostic::error(whole, error.to_string()),
        };
        let item = match time {
            Some(t) => Diagnostic { message: format!("at the time {}: {}", Digits(t), item.message), ..item },
            None => item,
        };
        self.report(item);
    }

    // Shapes.

    /// Adds what `value` describes to the shapes, and the parts of it that have names of their own.
    fn shape(
        &mut self,
        name: &Spanned<toml::de::DeString<'_>>,
        value: &Value<'_>,
        stock: &mut Stock,
        space: &[usize],
        coordinates: &[Coordinate],
    ) -> Option<()> {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("a shape is a table, not {}", article(value.get_ref()));
            self.report(Diagnostic::error(value.span(), message).hint(SHAPES));
            return None;
        };
        let kinds: Vec<&str> =
            KINDS.iter().map(|kind| kind.name).chain(["mesh", "formula", "region"]).collect();
        let mut own = table.iter().filter(|(key, _)| {
            let key: &str = key.get_ref();
            !CHANGES.contains(&key) && !["from", "to", "about"].contains(&key)
        });
        let Some((kind, numbers)) = own.next() else {
            let message = format!("`{}` does not say what shape it is", name.get_ref());
            let hint = format!("{SHAPES}; the shapes are {}", listed(&kinds));
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        if let Some((second, _)) = own.next() {
            let message = format!("`{}` is already {}", name.get_ref(), kind.get_ref());
            let hint = "give each shape a name of its own, and join them in a region";
            self.report(Diagnostic::error(second.span(), message).hint(hint));
            return None;
        }
        let given: &str = kind.get_ref();
        if !kinds.contains(&given) {
            let message = format!("there is no shape `{}`", given.escape_debug());
            let hint = match closest(given, kinds.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the shapes are {}", listed(&kinds)),
            };
            self.report(Diagnostic::error(kind.span(), message).hint(hint));
            return None;
        }
        for stray in ["from", "to"].into_iter().filter(|_| given != "formula") {
            if let Some((stray, _)) = table.get_key_value(stray) {
                let message = format!("`{}` belongs into the braces of `{given}`", stray.get_ref());
                self.report(Diagnostic::error(stray.span(), message).hint(SHAPES));
                return None;
            }
        }
        let mut parts = vec![];
        let start = stock.start();
        let base = match given {
            "mesh" => {
                let mesh = self.mesh(numbers)?;
                parts = mesh.parts;
                Base::Shape(mesh.whole)
            }
            "formula" => Base::Shape(self.shape_by_formula(table, numbers, space, coordinates)?),
            "region" => Base::Region(self.text(numbers, "a region")?.to_owned()),
            _ => self.shape_by_numbers(given, numbers, start)?,
        };
        if let Base::Region(formula) = &base
            && let Err(error) = regions::Region::parse(formula, &stock.first)
        {
            let (_, locate) = self.located(numbers)?;
            let names: Vec<&str> = stock.first.names().collect();
            self.wrong_region(error.into(), &names, numbers.span(), &locate, 0);
            return None;
        }
        let changes = self.changes(table, &base, stock)?;
        let text: &str = name.get_ref();
        let parts = parts.into_iter().map(|(part, shape)| (format!("{text}.{part}"), Base::Shape(shape)));
        for (name, base) in core::iter::once((text.to_owned(), base)).chain(parts) {
            if let Err(wrong) = stock.add(&name, Made { base, changes: changes.clone() }) {
                self.report(Diagnostic::error(value.span(), wrong.to_string()));
                return None;
            }
        }
        Some(())
    }

    fn mesh(&mut self, value: &Value<'_>) -> Option<Meshed> {
        let name = self.text(value, "a file's name")?;
        let path = self.folder.join(name);
        mesh::read(&path).map_err(|fault| self.unusable(name, value, &path, fault)).ok()
    }

    fn shape_by_numbers(&mut self, kind: &str, value: &Value<'_>, start: f64) -> Option<Base> {
        let table = self.table(value, &format!("`{kind}`"))?;
        let known = KINDS.iter().find(|known| known.name == kind)?;
        let keys: Vec<&str> = known.keys.iter().map(|key| key.trim_matches(['[', ']'])).collect();
        // A polygon may come from a file, whose two columns are its points.
        let from_file = kind == "polygon" && table.contains_key("file");
        let accepted = if from_file { vec!["file"] } else { keys };
        let before = self.items.len();
        self.check_keys(table, &format!("`{kind}`"), &accepted);
        if self.items.len() > before {
            return None;
        }
        let mut given: Vec<(&str, Vec<Number>, Range<usize>)> = vec![];
        if let (true, Some(file)) = (from_file, table.get("file")) {
            let name = self.text(file, "a file's name")?;
            let (_, Numbers { columns, .. }) = self.numbers(name, file)?;
            let [x, y] = &columns[..] else {
                let message = format!(
                    "`{}` has {} columns: a polygon's points have two",
                    name.escape_debug(),
                    columns.len()
                );
                self.report(Diagnostic::error(file.span(), message));
                return None;
            };
            let points = x.iter().zip(y).flat_map(|(x, y)| [*x, *y]).map(Number::Still).collect();
            given.push(("points", points, file.span()));
        }
        for (key, value) in table.iter().filter(|_| !from_file) {
            let name: &str = key.get_ref();
            given.push((name, self.vector(value, &format!("`{name}` of `{kind}`"))?, value.span()));
        }
        let numbers = given.iter().map(|(name, numbers, _)| ((*name).to_owned(), numbers.clone())).collect();
        let base = Base::Numbers { kind: known.name, given: numbers };
        match base.at(start, &Arc::default()) {
            Ok(_) => Some(base),
            Err(error) => {
                let about = match &error {
                    Error::BadNumber { key, .. } => Some(*key),
                    Error::SelfCrossing { .. } => Some("points"),
                    _ => None,
                };
                let span =
                    given.iter().find(|(name, ..)| Some(*name) == about).map(|(_, _, span)| span.clone());
                self.report(Diagnostic::error(span.unwrap_or(value.span()), error.to_string()));
                None
            }
        }
    }

    fn shape_by_formula(
        &mut self,
        table: &Table<'_>,
        value: &Value<'_>,
        space: &[usize],
        coordinates: &[Coordinate],
    ) -> Option<Shape> {
        let (node, _) = self.formula(value, SHAPE)?;
        let level = self.extract(&[node]);
        let ends: [Vec<f64>; 2] = match (table.get("from"), table.get("to")) {
            (Some(from), Some(to)) => {
                let mut still = |value, what| match self.vector(value, what) {
                    Some(numbers) if numbers.iter().all(|x| matches!(x, Number::Still(_))) => {
                        Some(making::at(&numbers, 0.0))
                    }
                    Some(_) => {
                        let message = "the box of a shape by formula does not move";
                        self.report(Diagnostic::error(value.span(), message).hint(FORMULAS_MOVE));
                        None
                    }
                    None => None,
                };
                [still(from, "`from`")?, still(to, "`to`")?]
            }
            (None, None) => {
                let ends =
                    |end: fn(&Coordinate) -> f64| space.iter().map(|&i| end(&coordinates[i])).collect();
                [ends(|c| c.lower), ends(|c| c.upper)]
            }
            _ => {
                let message = "the box of a shape by formula has two corners, `from` and `to`";
                self.report(Diagnostic::error(value.span(), message));
                return None;
            }
        };
        if ends.iter().flatten().any(|x| x.is_nan()) {
            let message = "in which box is this formula's shape?";
            let hint = "give the coordinates domains, or the shape a box: { formula = \"…\", from = [-1, -1], to = [1, 1] }";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let axes: Vec<usize> = space.iter().copied().take(ends[0].len()).collect();
        let foreign = level.graph.nodes().iter().find_map(|node| match *node {
            Node::Coordinate { coordinate, .. } if !axes.contains(&coordinate) => Some(coordinate),
            _ => None,
        });
        if let Some(coordinate) = foreign {
            let name = &coordinates[coordinate].name;
            let message = format!("`{name}` is no coordinate of this shape's space");
            let hint = if is_time(name) { FORMULAS_MOVE } else { "write it over coordinates of its box" };
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let mut graph = level.graph.clone();
        let roots: Vec<NodeId> = axes.iter().map(|&i| graph.derivative(level.roots[0], i)).collect();
        let (graph, roots) = graph.extract(&roots);
        let slopes = Formula { graph, roots };
        match Shape::formula(Arc::new(ByFormula { level, slopes, axes }), &ends[0], &ends[1]) {
            Ok(shape) => Some(shape),
            Err(error) => {
                self.report(Diagnostic::error(value.span(), error.to_string()));
                None
            }
        }
    }

    /// Extruded or revolved, then scaled, rotated, translated, as far as its table says so.
    fn changes(&mut self, table: &Table<'_>, base: &Base, stock: &Stock) -> Option<Vec<Change>> {
        let start = stock.start();
        // Of a base that cannot be made it was said already.
        let mut shape = base.at(start, &stock.first).ok()?;
        let about = match table.get("about") {
            Some(value) => self.vector(value, "`about`")?,
            None => vec![],
        };
        let mut changes = vec![];
        for change in CHANGES {
            let Some(value) = table.get(change) else { continue };
            let about = about.clone();
            let change = match change {
                "extrude" => match &self.vector(value, "`extrude`")?[..] {
                    [from, to] => Change::Extruded([from.clone(), to.clone()]),
                    _ => return self.wrong_change(value, "`extrude` has two heights, for example [0, 1]"),
                },
                "revolve" => match value.get_ref().as_bool() {
                    Some(true) => Change::Revolved,
                    _ => return self.wrong_change(value, "`revolve` is true, or left out"),
                },
                "scale" => Change::Scaled { factors: self.vector(value, "`scale`")?, about },
                "rotate" => match value.get_ref().as_table() {
                    Some(turn) => {
                        self.check_keys(turn, "`rotate`", &["angle", "axis"]);
                        let (Some(angle), Some(axis)) = (turn.get("angle"), turn.get("axis")) else {
                            return self
                                .wrong_change(value, "in space `rotate` has an `angle` and an `axis`");
                        };
                        let angle = self.moving_number(angle, "the angle")?;
                        Change::Rotated { angle, axis: Some(self.vector(axis, "`axis`")?), about }
                    }
                    None => {
                        Change::Rotated { angle: self.moving_number(value, "the angle")?, axis: None, about }
                    }
                },
                _ => Change::Translated(self.vector(value, "`translate`")?),
            };
            match change.applied(&shape, start) {
                Ok(changed) => shape = changed,
                Err(error) => return self.wrong_change(value, &error.to_string()),
            }
            changes.push(change);
        }
        Some(changes)
    }

    fn wrong_change(&mut self, value: &Value<'_>, message: &str) -> Option<Vec<Change>> {
        self.report(Diagnostic::error(value.span(), message));
        None
    }

    /// A finite number, or a formula of time for one.
    fn moving_number(&mut self, value: &Value<'_>, what: &str) -> Option<Number> {
        let expr = self.expr(value)?.0;
        let node = self.lowered(&expr, MOVING)?;
        match self.graph.node(node) {
            Node::Constant(x) if x.is_finite() => return Some(Number::Still(x)),
            Node::Constant(_) => {
                let message = format!("{what} is not a finite number");
                self.report(Diagnostic::error(value.span(), message));
                return None;
            }
            _ => {}
        }
        let formula = self.extract(&[node]);
        let place = formula.graph.nodes().iter().find_map(|node| match *node {
            Node::Coordinate { coordinate, .. } if Some(coordinate) != self.time => Some(coordinate),
            _ => None,
        });
        if place.is_some() {
            let message = format!("{what} depends on a coordinate of space");
            let hint = "a shape's numbers are formulas of parameters, and of time where it moves; \
                        `{ formula = \"1 - x^2\" }` is a shape by a formula over space";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let axes = Vec::from_iter(self.time);
        Some(Number::Moving(Arc::new(move |t| value_of(&formula, &axes, &[t], 0))))
    }

    /// A number or a list of them, lists in it one after the other.
    fn vector(&mut self, value: &Value<'_>, what: &str) -> Option<Vec<Number>> {
        let mut numbers = vec![];
        match value.get_ref() {
            DeValue::Array(list) if list.len() > MAX_FORMULAS => {
                let message = format!("{what} has more than {MAX_FORMULAS} numbers: put them into a file");
                self.report(Diagnostic::error(value.span(), message));
                return None;
            }
            DeValue::Array(list) => {
                for value in list.iter() {
                    numbers.extend(self.vector(value, what)?);
                }
            }
            _ => numbers.push(self.moving_number(value, what)?),
        }
        Some(numbers)
    }

    /// A value as TOML in one line, with absolute paths of files.
    fn inline(&self, value: &DeValue<'_>) -> String {
        let integer = |i: &toml::de::DeInteger<'_>| {
            i64::from_str_radix(i.as_str(), i.radix())
                .map_or_else(|_| i.as_str().to_owned(), |i| i.to_string())
        };
        match value {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(i) => integer(i),
            DeValue::Float(x) => x.as_str().to_owned(),
            DeValue::Boolean(x) => x.to_string(),
            DeValue::Datetime(x) => x.to_string(),
            DeValue::Array(list) => {
                let list: Vec<_> = list.iter().map(|value| self.inline(value.get_ref())).collect();
                format!("[{}]", list.join(", "))
            }
            DeValue::Table(table) => {
                let entry = |(name, value): (&Spanned<toml::de::DeString<'_>>, &Value<'_>)| {
                    let name: &str = name.get_ref();
                    let text = match value.get_ref() {
                        DeValue::String(file)
                            if ["file", "mesh"].contains(&name) && !file.starts_with("built-in:") =>
                        {
                            let path = self.folder.join(file.as_ref());
                            quoted(&std::path::absolute(&path).unwrap_or(path).display().to_string())
                        }
                        value => self.inline(value),
                    };
                    format!("{} = {text}", key(name))
                };
                let entries: Vec<_> = table.iter().map(entry).collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    // Places.

    /// The place that `value` is in a domain of shapes: a wall, an interface, a region; outer `None` if it is another.
    pub(super) fn place_of_shapes(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        coordinates: &[Coordinate],
    ) -> Option<Option<Place>> {
        let text = value.get_ref().as_str()?.trim();
        let (head, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match head {
            "region" => Some(self.part_of_domain(value, geometry, coordinates, rest).map(Place::Inside)),
            "wall" | "boundary" => {
                Some(self.wall(value, geometry, coordinates, rest).map(|wall| Place::Walls(vec![wall])))
            }
            "interface" => {
                Some(self.interface(value, geometry, coordinates, rest).map(|wall| Place::Walls(vec![wall])))
            }
            "periodic" => {
                let i = coordinates.iter().position(|c| c.name == rest)?;
                let k = geometry.domain.bounds().position(|(axis, _)| axis == i)?;
                let Coordinate { name, lower, upper, .. } = &coordinates[i];
                match geometry.opposite(k, name, [*lower, *upper]) {
                    Ok(walls) => Some(Some(Place::Periodic { coordinate: i, walls })),
                    Err(why) => {
                        let hint = "what is linked are straight walls at both ends of the coordinate, of which the region \
                                    leaves the same on both sides; write conditions for other walls";
                        self.report(Diagnostic::error(value.span(), format!("`{text}`: {why}")).hint(hint));
                        Some(None)
                    }
                }
            }
            _ if text.contains('=') && !text.contains(['<', '>', '|']) && !text.contains("==") => {
                self.straight_wall(value, geometry, coordinates)
            }
            _ => None,
        }
    }

    /// `x = 0` in a domain of shapes is the part of its wall that lies there; `None` where all or nothing of space is fixed,
    /// which is a face as ever.
    fn straight_wall(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        coordinates: &[Coordinate],
    ) -> Option<Option<Place>> {
        let Some(face) = self.face(value, coordinates) else { return Some(None) };
        let space: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
        let fixed = face.iter().filter(|(i, _)| space.contains(i)).count();
        if fixed == 0 {
            return Some(Some(Place::face(face)));
        }
        if fixed == space.len() {
            let mut row: Vec<f64> = coordinates.iter().map(|c| c.lower).collect();
            face.iter().for_each(|&(i, x)| row[i] = x);
            let time = coordinates.iter().position(|c| is_time(&c.name));
            let fixed = |i: &usize| face.iter().any(|(j, _)| i == j);
            let outside = match time.filter(|i| geometry.moves() && !fixed(i)) {
                Some(i) => (0..=64).any(|k| {
                    row[i] = coordinates[i].lower
                        + f64::from(k) / 64.0 * (coordinates[i].upper - coordinates[i].lower);
                    !geometry.domain.touches(&row)
                }),
                None => !geometry.domain.touches(&row),
            };
            if !outside {
                return Some(Some(Place::face(face)));
            }
            let message = "this point lies outside the region";
            self.report(Diagnostic::error(value.span(), message).hint("take a point inside, or on a wall"));
            return Some(None);
        }
        let text = value.get_ref().as_str()?.trim();
        let place = self.wall(value, geometry, coordinates, &format!("where {text}"));
        Some(place.map(|wall| Place::Walls(vec![wall])))
    }

    /// The part of the domain that an unknown lives in.
    pub(super) fn home(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Body> {
        let formula = self.text(value, "a region")?.trim().to_owned();
        let Some(geometry) = self.geometry.clone() else {
            let message = "the domain is a box, and has no regions";
            let hint = "write [shapes] and [domain], or remove the key";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        self.part_of_domain(value, &geometry, coordinates, &formula)
    }

    fn part_of_domain(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        coordinates: &[Coordinate],
        formula: &str,
    ) -> Option<Body> {
        let body = self.body(value, geometry, formula)?;
        // Points of it that the domain does not have belong to nothing.
        let axes: Vec<usize> = body.bounds().map(|(i, _)| i).collect();
        let mut boxed = coordinates.to_vec();
        body.bounds().for_each(|(i, (lower, upper))| (boxed[i].lower, boxed[i].upper) = (lower, upper));
        for k in 1..=1000 {
            let row = Coordinate::spread(&boxed, k);
            if body.contains(&row) && !geometry.domain.touches(&row) {
                let at: Vec<String> =
                    axes.iter().map(|&i| Digits(Digits::four(row[i])).to_string()).collect();
                let message = format!(
                    "`{formula}` has points that the domain does not have, such as ({})",
                    at.join(", ")
                );
                let hint = "take a part of the domain, or add it to `region` in [domain]";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                return None;
            }
        }
        Some(body)
    }

    fn body(&mut self, value: &Value<'_>, geometry: &Geometry, formula: &str) -> Option<Body> {
        let (text, locate) = self.located(value)?;
        match geometry.body(formula) {
            Ok(body) => Some(body),
            Err(wrong) => {
                let names: Vec<&str> = geometry.names().collect();
                let offset = text.find(formula).unwrap_or(0);
                self.wrong_region(wrong, &names, value.span(), &locate, offset);
                None
            }
        }
    }

    /// `of hole where x = 0`, either part of which may be missing.
    fn wall(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        coordinates: &[Coordinate],
        rest: &str,
    ) -> Option<Boundary> {
        let (of, clause) = split_where(rest);
        let shape = match of.split_whitespace().collect::<Vec<_>>()[..] {
            [] => None,
            ["of", name] => Some(name),
            _ => {
                let message = format!("`{}` is not a place", value.get_ref().as_str()?.trim().escape_debug());
                self.report(Diagnostic::error(value.span(), message).hint(WALLS));
                return None;
            }
        };
        let written = match (shape, clause) {
            (None, None) => "wall".to_owned(),
            (Some(shape), None) => format!("wall of {shape}"),
            (None, Some(clause)) => format!("wall where {clause}"),
            (Some(shape), Some(clause)) => format!("wall of {shape} where {clause}"),
        };
        let choice = self.clause(value, geometry, coordinates, clause)?;
        // A part of a mesh is a shape, or what the mesh calls a part of its wall.
        let (shape, label) = match shape.and_then(|name| name.split_once('.')) {
            Some((mesh, label)) if !geometry.names().any(|known| Some(known) == shape) => {
                (Some(mesh), Some(label))
            }
            _ => (shape, None),
        };
        let choice = Choice { shape: shape.map(str::to_owned), label: label.map(str::to_owned), ..choice };
        let wall = geometry.wall(&written, choice);
        self.found(value, geometry, wall, shape)
    }

    /// `of a and b`, bodies that have a wall in common.
    fn interface(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        coordinates: &[Coordinate],
        rest: &str,
    ) -> Option<Boundary> {
        let (of, clause) = split_where(rest);
        let Some((a, b)) = of.strip_prefix("of ").and_then(|of| of.split_once(" and ")) else {
            let hint = "write `interface of A and B`, the names or formulas of two regions; normals point from A to B";
            let message = "an interface lies between two regions";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        let (a, b) = (a.trim(), b.trim());
        let (first, second) = (self.body(value, geometry, a)?, self.body(value, geometry, b)?);
        let choice = self.clause(value, geometry, coordinates, clause)?;
        let written = match clause {
            None => format!("interface of {a} and {b}"),
            Some(clause) => format!("interface of {a} and {b} where {clause}"),
        };
        let wall = geometry.interface(&written, &first, &second, choice);
        self.found(value, geometry, wall, None)
    }

    fn found(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        wall: Result<Boundary, Wrong>,
        shape: Option<&str>,
    ) -> Option<Boundary> {
        let wrong = match wall {
            Ok(wall) => return Some(wall),
            Err(wrong) => wrong,
        };
        let (_, locate) = self.located(value)?;
        let names: Vec<&str> = geometry.names().collect();
        match (&wrong.error, shape) {
            (Error::UnknownShape { .. }, Some(shape)) if names.contains(&shape) => {
                let message = format!("`{shape}` is no part of the domain `{}`", geometry.domain.written);
                let hint = "walls are those of the domain; between two regions of it lies an `interface`";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
            (Error::NoPart(why), _) => {
                let when = wrong.time.map(|t| format!("at the time {}: ", Digits(t))).unwrap_or_default();
                let message = format!("{when}{why}");
                self.report(Diagnostic::error(value.span(), message).hint(WALLS));
            }
            _ => self.wrong_region(wrong, &names, value.span(), &locate, 0),
        }
        None
    }

    /// What comes after `where`: equations that straight pieces fulfil, and inequalities that cut a wall.
    fn clause(
        &mut self,
        value: &Value<'_>,
        geometry: &Geometry,
        coordinates: &[Coordinate],
        clause: Option<&str>,
    ) -> Option<Choice> {
        let Some(clause) = clause else { return Some(Choice::default()) };
        let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
        let (text, locate) = self.located(value)?;
        let start = text.rfind(clause).unwrap_or(0);
        let (mut on, mut sides) = (vec![], vec![]);
        let mut offset = start;
        for part in split_outside_parentheses(clause) {
            let span = locate.place(offset..offset + part.len());
            let here = offset;
            offset += part.len() + 1;
            let Some(sign) = part.find(['<', '>', '=']) else {
                let message = "this says nothing about a wall";
                self.report(Diagnostic::error(span, message).hint(WALLS));
                return None;
            };
            let length = 1 + usize::from(part[sign + 1..].starts_with('='));
            let (left, right) = (&part[..sign], &part[sign + length..]);
            let read = |builder: &mut Self, text: &str, at: usize| {
                builder.parsed(text, |range| locate.place(range.start + at..range.end + at))
            };
            let right_at = here + sign + length;
            if part[sign..].starts_with('=') {
                let name = left.trim();
                let Some(k) = axes.iter().position(|&i| coordinates[i].name == name) else {
                    self.no_coordinate(name, coordinates, span);
                    return None;
                };
                let expr = read(self, right, right_at)?;
                on.push((k, self.lowered_number(&expr, span, "the place")?));
                continue;
            }
            let (left, right) = (read(self, left, here)?, read(self, right, right_at)?);
            let (left, right) = (self.lowered(&left, SHAPE)?, self.lowered(&right, SHAPE)?);
            let (more, less) = if part[sign..].starts_with('>') { (left, right) } else { (right, left) };
            sides.push(self.graph.binary(Binary::Sub, more, less));
        }
        if sides.is_empty() {
            return Some(Choice { on, ..Choice::default() });
        }
        let Formula { graph, roots } = self.extract(&sides);
        let time = |graph: &Graph| {
            graph
                .nodes()
                .iter()
                .any(|node| matches!(node, Node::Coordinate { coordinate, .. } if !axes.contains(coordinate)))
        };
        if time(&graph) {
            let message = "walls are told apart by coordinates of space";
            self.report(Diagnostic::error(value.span(), message).hint("walls do not move"));
            return None;
        }
        let formula = Formula { graph, roots };
        let part =
            move |x: &[f64]| (0..formula.roots.len()).all(|root| value_of(&formula, &axes, x, root) > 0.0);
        Some(Choice { on, part: Some(Arc::new(part)), ..Choice::default() })
    }
}

/// What stands before and after `where`.
fn split_where(text: &str) -> (&str, Option<&str>) {
    match text.strip_prefix("where ") {
        Some(clause) => ("", Some(clause.trim())),
        None => match text.split_once(" where ") {
            Some((of, clause)) => (of.trim(), Some(clause.trim())),
            None => (text, None),
        },
    }
}
