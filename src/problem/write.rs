//! Problems written out: for people, and as a complete problem file.

use core::fmt::Write;
use core::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

use super::model::{Axis, Condition, Problem, Solution, Tables, Trainable, Written};
use super::place::{Coordinate, Place};
use crate::expr::ast::Kind;
use crate::expr::{Digits, Expr, Node, NodeId, plural};
use crate::network::Layers;
use crate::settings::{Enforce, Network, Training};

/// A formula longer than this many operations is not written out for people.
const MAX_SHOWN: usize = 400;
/// More coordinates than this that are alike are not listed one by one.
const MOST_LISTED: usize = 8;

impl Problem {
    /// The problem as understood, for people: equations, derivatives, conditions, network, reference.
    pub fn describe(&self) -> String {
        let mut out = format!("{}: {}\n", self.name, self.title);
        let mut line = |head: &str, text: String| {
            let sep = if text.is_empty() { "" } else { " " };
            out += &format!("{head:<12}{sep}{text}\n");
        };
        line("", String::new());
        let unit = |unit: &str| {
            if unit.is_empty() { String::new() } else { format!(" [{unit}]") }
        };
        let mut coordinates = &self.coordinates[..];
        while let Some(c) = coordinates.first() {
            let head = if coordinates.len() == self.coordinates.len() { "coordinates" } else { "" };
            let family = |c: &Coordinate| c.name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
            let kind = |c: &Coordinate| (family(c), c.lower, c.upper, c.unit.clone());
            let same = |next: &&Coordinate| kind(next) == kind(c);
            let alike = coordinates.iter().take_while(same).count();
            let (name, shown) = match alike > MOST_LISTED {
                true => (format!("{} … {}, {alike} of them,", c.name, coordinates[alike - 1].name), alike),
                false => (c.name.clone(), 1),
            };
            line(head, format!("{name} from {} to {}{}", Digits(c.lower), Digits(c.upper), unit(&c.unit)));
            coordinates = &coordinates[shown..];
        }
        if let Some(geometry) = &self.geometry {
            let names = ["length", "area", "volume"];
            let measure = names.get(geometry.dimension() - 1).copied().unwrap_or("measure");
            let size = format!("{:.5e}", geometry.domain.measure())
                .parse()
                .map_or_else(|_| String::new(), |x| Digits(x).to_string());
            line("region", format!("{}, {measure} {size}", geometry.domain.written));
            for (i, (name, shape)) in geometry.written.iter().enumerate() {
                line(if i == 0 { "shapes" } else { "" }, format!("{name} = {shape}"));
            }
        }
        for (i, Tables { function, path, .. }) in self.tables.iter().enumerate() {
            let counts: Vec<String> = function.axes.iter().map(|axis| grouped(axis.len())).collect();
            let ranges = function.arguments.iter().enumerate().map(|(a, name)| {
                let (low, high) = function.range(a);
                format!("{name} from {} to {}", Digits(low), Digits(high))
            });
            let text = format!(
                "{}({}), {} between {} points, {}, of {}",
                function.name,
                function.arguments.join(", "),
                function.between.name(),
                counts.join(" × "),
                ranges.collect::<Vec<_>>().join(", "),
                path.display()
            );
            line(if i == 0 { "tables" } else { "" }, text);
        }
        for (i, (name, value)) in self.parameters.iter().enumerate() {
            line(if i == 0 { "parameters" } else { "" }, format!("{name} = {}", Digits(*value)));
        }
        for (i, trainable) in self.trainable.iter().enumerate() {
            let positive = if trainable.positive { ", positive" } else { "" };
            let truth = trainable.truth.map(|x| format!(", truly {}", Digits(x))).unwrap_or_default();
            let text = format!("{} from {}{positive}{truth}", trainable.name, Digits(trainable.initial));
            line(if i == 0 { "trainable" } else { "" }, text);
        }
        for (i, (name, formula)) in self.written.definitions.iter().enumerate() {
            line(if i == 0 { "definitions" } else { "" }, format!("{name} = {formula}"));
        }
        for (i, (name, formula)) in self.written.contours.iter().enumerate() {
            line(if i == 0 { "contours" } else { "" }, format!("{name}: {formula} = 0"));
        }
        for (i, u) in self.unknowns.iter().enumerate() {
            let ansatz = u.ansatz.as_ref().map(|a| format!(" = {a}")).unwrap_or_default();
            let region = u.region.as_ref().map(|r| format!(" in {}", r.written)).unwrap_or_default();
            let of = u.of.as_ref().map_or(String::new(), |of| {
                let names: Vec<_> = of.iter().map(|&i| self.coordinates[i].name.as_str()).collect();
                format!("({})", names.join(", "))
            });
            let text = format!("{}{of}{ansatz}{}{region}", u.name, unit(&u.unit));
            line(if i == 0 { "unknowns" } else { "" }, text);
        }
        let all = self.all_networks();
        for one in &all {
            line("", String::new());
            let own: Vec<&str> = one.unknowns.iter().map(|&i| self.unknowns[i].name.as_str()).collect();
            let own = if all.len() > 1 { format!(" of {}", own.join(", ")) } else { String::new() };
            let parameters = Layers::new(one.network, one.features.len(), one.unknowns.len()).parameters();
            let size = format!("{}, {} parameters", one.network.layers_in_words(), grouped(parameters));
            line("network", size + &own);
            let activation = one.network.activation_in_words();
            line("", format!("{activation}, {} initialization", name_of(&one.network.init)));
            line("", shortened(format!("inputs {}", self.written.features[one.features.clone()].join(", "))));
        }
        for condition in &self.conditions {
            line("", String::new());
            line("condition", format!("{}: {}", condition.name, self.where_and_how(condition)));
            for (written, &root) in condition.written.iter().zip(&condition.residuals.roots) {
                line("  residual", written.clone());
                if condition.is_exact() {
                    continue;
                }
                let understood = match self.understood(condition, root) {
                    Some(expr) => expr.to_string(),
                    None => format!("more than {MAX_SHOWN} operations"),
                };
                if understood != *written {
                    line("  computed", shortened(understood));
                }
            }
            if condition.is_scaled() {
                let scales: Vec<_> =
                    condition.scales.iter().map(|&scale| Digits(scale).to_string()).collect();
                line("  scale", scales.join(", "));
            }
            if condition.is_exact() {
                continue;
            }
            let jets = condition.residuals.graph.jets(&condition.residuals.roots);
            let needed: Vec<_> =
                jets.into_iter().map(|(output, index)| self.jet_name(output, index)).collect();
            let count = condition.jets.channels();
            let needed = shortened(needed.join(", "));
            line("  needs", format!("{needed} ({count} {} in all)", plural(count, "derivative")));
        }
        line("", String::new());
        match &self.reference {
            None => line("reference", "none".into()),
            Some(reference) => {
                for (i, (u, solution)) in self.unknowns.iter().zip(&reference.solutions).enumerate() {
                    let text = match solution {
                        None => "none".to_owned(),
                        Some(Solution::Exact(_)) => self.written.solutions[i].clone(),
                        Some(Solution::ColeHopf { .. }) => "the Cole–Hopf solution".to_owned(),
                        Some(Solution::AllenCahn { .. }) => "a spectral solution".to_owned(),
                        Some(Solution::Table { path, values, .. }) => {
                            let noun = plural(values.len(), "value");
                            format!("{} {noun} from {}", grouped(values.len()), path.display())
                        }
                    };
                    line(if i == 0 { "reference" } else { "" }, format!("{}: {text}", u.name));
                }
                if let Some(error) = reference.error {
                    line("", format!("right to {}", Digits(error)));
                }
            }
        }
        let points = self.reference_points().len() / self.coordinates.len();
        let what = if self.reference.is_some() { "measured" } else { "solution tabulated" };
        line("", format!("{what} at {} {}", grouped(points), plural(points, "point")));
        out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    fn where_and_how(&self, condition: &Condition) -> String {
        let Condition { points, weight, .. } = condition;
        let place = condition.place.describe(&self.coordinates);
        if condition.is_exact() {
            return format!("{place}, holds exactly");
        }
        let noun = if condition.place.periodic().is_some() {
            format!("{} of points", plural(*points, "pair"))
        } else {
            plural(*points, "point")
        };
        let points = grouped(*points);
        if !condition.place.is_drawn() {
            return format!("{points} {noun} of {place}, weight {weight}");
        }
        let drawn = condition.dimensions.as_ref();
        let drawn = drawn.map(|d| format!(", {} of {} dimensions in a step of Adam", d.count, d.among.len()));
        let (sampler, drawn) = (name_of(&condition.sampler), drawn.unwrap_or_default());
        format!("{place}, {points} {noun} ({sampler}), weight {weight}{drawn}")
    }

    fn understood(&self, condition: &Condition, root: NodeId) -> Option<Expr> {
        if condition.residuals.graph.looks_elsewhere(&[root]) {
            return None;
        }
        let sides = condition.sides();
        let at = |side: usize| match (sides, side) {
            (1, _) => "",
            (_, 0) => "@lower",
            _ => "@upper",
        };
        let name = |leaf| match leaf {
            Node::Coordinate { coordinate, side } => self.coordinates[coordinate].name.clone() + at(side),
            Node::Data(column) => condition.place.columns()[column].clone(),
            Node::Jet { output, index, side } => self.jet_name(output, index) + at(side),
            // The entry of θ, from which the formula makes the parameter.
            Node::Coefficient(k) => match &self.trainable[k] {
                trainable if trainable.positive => format!("ln({})", trainable.name),
                trainable if trainable.unit() == 1.0 => trainable.name.clone(),
                trainable => format!("({}/{})", trainable.name, Digits(trainable.unit())),
            },
            _ => String::new(),
        };
        let mut expr = condition.residuals.graph.to_expr(root, MAX_SHOWN, &name)?;
        round(&mut expr);
        Some(expr)
    }

    /// A raw output's derivative: as the unknown's where the unknown is the raw output, else of `net`.
    fn jet_name(&self, output: usize, index: crate::jet::MultiIndex) -> String {
        let unknown = &self.unknowns[output];
        let mut name = match (&unknown.ansatz, self.unknowns.len()) {
            (None, _) => unknown.name.clone(),
            (Some(_), 1) => "net".to_owned(),
            (Some(_), _) => format!("net[{}]", unknown.name),
        };
        let along: Vec<_> = index.coordinates().map(|i| self.coordinates[i].name.as_str()).collect();
        let between = if self.coordinates.iter().all(|c| c.name.chars().count() == 1) { "" } else { "_" };
        if !along.is_empty() {
            name += &format!("_{}", along.join(between));
        }
        name
    }

    /// The files that it was read from beside its own: data, references, tables, meshes and polygons; none that come with the program.
    pub fn files(&self) -> Vec<PathBuf> {
        let data = self.conditions.iter().filter_map(|condition| match &condition.place {
            Place::Points { path, .. } => Some(path.clone()),
            _ => None,
        });
        let solutions = self.reference.iter().flat_map(|reference| reference.solutions.iter().flatten());
        let tables = solutions.filter_map(|solution| match solution {
            Solution::Table { path, .. } => Some(path.clone()),
            _ => None,
        });
        let functions = self.tables.iter().map(|table| table.path.clone());
        let mut files: Vec<PathBuf> = data.chain(tables).chain(functions).collect();
        for (_, shape) in self.geometry.iter().flat_map(|geometry| &geometry.written) {
            // As it is written, it is read.
            let table = format!("shape = {shape}").parse::<toml::Table>().unwrap_or_default();
            named_in(&toml::Value::Table(table), &mut files);
        }
        files.retain(|path| !path.to_string_lossy().starts_with("built-in:"));
        files.sort();
        files.dedup();
        files
    }

    /// A complete problem file, every default filled in, whose [build](super::Document::build) gives this problem again.
    ///
    /// Numbers keep every bit; paths of data files are absolute.
    pub fn to_toml(&self) -> String {
        let mut out = format!("name = {}\ntitle = {}\n", quoted(&self.name), quoted(&self.title));
        out += "\n[coordinates]\n";
        for c in &self.coordinates {
            let domain = format!("[{}, {}]", number(c.lower), number(c.upper));
            let _ = writeln!(out, "{} = {{ domain = {domain}, unit = {} }}", key(&c.name), quoted(&c.unit));
        }
        if let Some(geometry) = &self.geometry {
            out += "\n[shapes]\n";
            for (name, shape) in &geometry.written {
                let _ = writeln!(out, "{} = {shape}", key(name));
            }
            let _ = writeln!(out, "\n[domain]\nregion = {}", quoted(&geometry.domain.written));
        }
        if !self.tables.is_empty() {
            out += "\n[tables]\n";
            for table in &self.tables {
                let Tables { function, path, column, hash } = table;
                let column = column.as_ref().map_or(String::new(), |c| format!("column = {}, ", quoted(c)));
                let arguments: Vec<_> = function.arguments.iter().map(|name| quoted(name)).collect();
                let _ = writeln!(
                    out,
                    "{} = {{ file = {}, of = [{}], {column}between = {}, outside = {}, hash = {} }}",
                    key(&function.name),
                    quoted(&path.display().to_string()),
                    arguments.join(", "),
                    quoted(function.between.name()),
                    quoted(function.outside.name()),
                    quoted(hash)
                );
            }
        }
        if !(self.parameters.is_empty() && self.trainable.is_empty()) {
            out += "\n[parameters]\n";
            for (name, value) in &self.parameters {
                let _ = writeln!(out, "{} = {}", key(name), number(*value));
            }
            for Trainable { name, initial, positive, truth } in &self.trainable {
                let truth = truth.map_or(String::new(), |x| format!(", true = {}", number(x)));
                let initial = number(*initial);
                let _ =
                    writeln!(out, "{} = {{ initial = {initial}, positive = {positive}{truth} }}", key(name));
            }
        }
        let Written { definitions, contours, .. } = &self.written;
        for (table, formulas) in [("definitions", definitions), ("contours", contours)] {
            if !formulas.is_empty() {
                let _ = writeln!(out, "\n[{table}]");
                for (name, formula) in formulas {
                    let _ = writeln!(out, "{} = {}", key(name), quoted(formula));
                }
            }
        }
        out += "\n[unknowns]\n";
        for u in &self.unknowns {
            let ansatz = u.ansatz.as_ref();
            let ansatz = ansatz.map_or(String::new(), |a| format!("ansatz = {}, ", quoted(a)));
            let region = u.region.as_ref();
            let region = region.map_or(String::new(), |r| format!("region = {}, ", quoted(&r.written)));
            let of = u.of.as_ref().map_or(String::new(), |of| {
                let names: Vec<_> = of.iter().map(|&i| quoted(&self.coordinates[i].name)).collect();
                format!("of = [{}], ", names.join(", "))
            });
            let _ = writeln!(out, "{} = {{ {ansatz}{of}{region}unit = {} }}", key(&u.name), quoted(&u.unit));
        }
        #[derive(Serialize)]
        struct Networks<'a> {
            network: &'a Network,
        }
        #[derive(Serialize)]
        struct Trainings<'a> {
            training: &'a Training,
        }
        // Features first: a trained scale is a table, which ends the one that it is in.
        let features = |own: Range<usize>| {
            let list: Vec<_> = self.written.features[own].iter().map(|f| quoted(f)).collect();
            if list.is_empty() { String::new() } else { format!("features = [{}]\n", list.join(", ")) }
        };
        let settings = |network: &Network, name: &str| {
            let network = plain(&Networks { network });
            // A trained scale is a table of its own below.
            network.replacen("[network]\n", "", 1).replace("[network.", &format!("[{name}."))
        };
        let own = features(self.own_features());
        let _ = write!(out, "\n[network]\n{own}{}", settings(&self.network, "network"));
        for group in &self.networks {
            let unknowns: Vec<_> = group.unknowns.iter().map(|&i| quoted(&self.unknowns[i].name)).collect();
            let name = format!("networks.{}", key(&group.name));
            let own = features(group.features.clone());
            let _ = write!(out, "\n[{name}]\nunknowns = [{}]\n{own}", unknowns.join(", "));
            out += &settings(&group.network, &name);
        }
        let _ = write!(out, "\n{}", plain(&Trainings { training: &self.training }));
        for c in &self.conditions {
            let _ = writeln!(out, "\n[conditions.{}]", key(&c.name));
            let _ = writeln!(out, "place = {}", c.place.to_toml(&self.coordinates));
            if c.place.periodic().is_some() {
                let _ = writeln!(out, "order = {}", c.periodic_order(self));
            } else {
                let residuals: Vec<_> = c.written.iter().map(|r| quoted(r)).collect();
                let _ = writeln!(out, "residual = [{}]", residuals.join(", "));
            }
            if c.enforce != Enforce::Auto {
                let _ = writeln!(out, "enforce = {}", quoted(&name_of(&c.enforce)));
            }
            let _ = writeln!(out, "weight = {}", number(c.weight));
            let scales: Vec<_> = c.scales.iter().map(|&scale| number(scale)).collect();
            let _ = writeln!(out, "scale = [{}]", scales.join(", "));
            if c.place.is_drawn() && !c.is_exact() {
                let _ = writeln!(out, "points = {}\nsampler = {}", c.points, quoted(&name_of(&c.sampler)));
            }
            if let Some(dimensions) = &c.dimensions {
                let _ = writeln!(out, "dimensions = {}", dimensions.count);
            }
        }
        if let Some(reference) = &self.reference {
            out += "\n[reference]\n";
            let table = reference.solutions.iter().flatten().find_map(|solution| match solution {
                Solution::Table { path, .. } => Some(path),
                _ => None,
            });
            let formulas: Vec<_> = self
                .unknowns
                .iter()
                .zip(&self.written.solutions)
                .filter(|(_, written)| !written.is_empty())
                .map(|(u, written)| format!("{} = {}", key(&u.name), quoted(written)))
                .collect();
            if let Some(path) = table {
                let _ = writeln!(out, "solution = {{ file = {} }}", quoted(&path.display().to_string()));
            } else if !formulas.is_empty() {
                let _ = writeln!(out, "solution = {{ {} }}", formulas.join(", "));
            }
            if let Some(error) = reference.error {
                let _ = writeln!(out, "error = {}", number(error));
            }
            let axis = |(c, axis): (&Coordinate, &Axis)| {
                let (from, to) = (number(axis.from), number(axis.to));
                let whole = axis.from == c.lower && axis.to == c.upper;
                match reference.scattered {
                    None => Some(format!(
                        "{} = {{ from = {from}, to = {to}, points = {} }}",
                        key(&c.name),
                        axis.points
                    )),
                    Some(_) => (!whole).then(|| format!("{} = {{ from = {from}, to = {to} }}", key(&c.name))),
                }
            };
            let all = reference.scattered.map(|count| format!("points = {count}"));
            let axes = self.coordinates.iter().zip(&reference.grid).filter_map(axis);
            let axes: Vec<_> = all.into_iter().chain(axes).collect();
            let _ = writeln!(out, "grid = {{ {} }}", axes.join(", "));
        }
        out
    }
}

/// Rounds numbers to six digits, enough for people to know them by.
fn round(expr: &mut Expr) {
    match &mut expr.kind {
        Kind::Number(x) => *x = format!("{x:.5e}").parse().unwrap_or(*x),
        Kind::Name(_) => {}
        Kind::Unary(_, a) => round(a),
        Kind::Binary(_, a, b) => {
            round(a);
            round(b);
        }
        Kind::Call(_, arguments) | Kind::Table(_, arguments) | Kind::At(_, arguments) => {
            arguments.iter_mut().for_each(round);
        }
        Kind::Integral(integral) => integral.parts_mut().for_each(round),
    }
}

/// Adds the files that a shape's table names.
fn named_in(value: &toml::Value, files: &mut Vec<PathBuf>) {
    for (key, value) in value.as_table().into_iter().flatten() {
        match value.as_str().filter(|_| ["file", "mesh"].contains(&&key[..])) {
            Some(name) => files.push(PathBuf::from(name)),
            None => named_in(value, files),
        }
    }
}

/// A text as TOML.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// The shortest digits that read back as the same number; with a point or an exponent, so a TOML float.
fn number(x: f64) -> String {
    format!("{x:?}")
}

/// A key, quoted where TOML asks for it.
pub(crate) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A formula of which the beginning says enough.
fn shortened(text: String) -> String {
    /// More characters than a few lines of a terminal are not read.
    const MOST: usize = 500;
    let count = text.chars().count();
    if count <= MOST {
        return text;
    }
    let beginning: String = text.chars().take(MOST).collect();
    format!("{beginning} … ({} characters in all)", grouped(count))
}

fn plain(settings: &impl Serialize) -> String {
    // Plain data without odd keys always has a TOML form.
    toml::to_string(settings).unwrap_or_default()
}

/// The name by which settings files call a variant.
fn name_of(variant: &impl Serialize) -> String {
    let value = toml::Value::try_from(variant).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Digits in groups of three.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
