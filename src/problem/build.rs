//! From a document to a problem: every table is walked, every mistake collected, every formula compiled.

use core::ops::{Range, RangeInclusive};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeString, DeValue, ValueDeserializer};

use super::diagnostic::{Diagnostic, Diagnostics, Sources};
use super::file::{Table, Value, article};
use super::model::{
    Axis, Condition, Coordinate, Formula, Place, Problem, Reference, Solution, Unknown, Written,
};
use super::reference::{cole_hopf_error, default_grid, grid_points};
use super::table::{self, Numbers};
use crate::expr::{
    self, Binary, Context, Expr, Graph, Meaning, Node, NodeId, Scope, Symbol, Unary, ast, closest, function,
    is_name, listed,
};
use crate::jet::{JetSet, MAX_COORDINATES, MAX_ORDER, MultiIndex};
use crate::settings::{Network, Sampler, Schedule, Stage, Training};

/// Collocation points of one condition.
const POINTS: RangeInclusive<usize> = 1..=100_000_000;
/// Points at which the answer is measured.
const MAX_GRID: usize = 10_000_000;
/// Weights and biases in all: 4 GB in double precision.
const MAX_PARAMETERS: f64 = 5e8;
/// Operations in one problem's formulas.
const MAX_NODES: usize = 200_000;

const NUMBER: Context = Context { place: "a plain number", allowed: &[Meaning::Parameter] };
const ANSATZ: Context =
    Context { place: "an ansatz", allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Output] };
const FEATURE: Context = Context { place: "a feature", allowed: &[Meaning::Coordinate, Meaning::Parameter] };
const DEFINITION: Context = Context {
    place: "a definition",
    allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Definition, Meaning::Unknown],
};
const RESIDUAL: Context = Context {
    place: "a residual",
    allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Definition, Meaning::Unknown, Meaning::Data],
};
const SOLUTION: Context = Context {
    place: "a reference solution",
    allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Definition],
};

/// Builds the problem that `table` describes, or says everything that is wrong with it.
pub(crate) fn build(
    sources: &Sources,
    table: &Table<'_>,
    folder: &Path,
) -> Result<(Problem, Diagnostics), Diagnostics> {
    let mut builder = Builder {
        sources,
        folder,
        items: Vec::new(),
        graph: Graph::default(),
        scope: Scope::default(),
        used: BTreeSet::new(),
    };
    let problem = builder.problem(table);
    let mut items = builder.items;
    let sources = sources.clone();
    match problem {
        Some(problem) if items.iter().all(|item| item.warning) => {
            Ok((problem, Diagnostics { sources, items }))
        }
        _ => {
            // In the order of the text; what has no place comes first.
            items.sort_by_key(|item| item.span.as_ref().map(|span| span.start));
            Err(Diagnostics { sources, items })
        }
    }
}

struct Builder<'a> {
    sources: &'a Sources,
    folder: &'a Path,
    items: Vec<Diagnostic>,
    /// Everything is first lowered into this one graph; each formula then takes out what it needs.
    graph: Graph,
    scope: Scope,
    /// Names that formulas mention.
    used: BTreeSet<String>,
}

/// A name as declared: its key, and the value that says what it is.
type Entry<'t> = (&'t Spanned<DeString<'t>>, &'t Value<'t>);

impl Builder<'_> {
    fn problem(&mut self, table: &Table<'_>) -> Option<Problem> {
        const KEYS: [&str; 9] = [
            "title",
            "coordinates",
            "parameters",
            "definitions",
            "unknowns",
            "network",
            "training",
            "conditions",
            "reference",
        ];
        if let Some((key, _)) = table.get_key_value("problem") {
            let message = "`problem` belongs in a run configuration, not in a problem file";
            let hint = "pass the file as a configuration (--config), or remove the line";
            self.report(Diagnostic::error(key.span(), message).hint(hint));
        } else {
            self.check_keys(table, "a problem file", &KEYS);
        }
        let name = Path::new(self.sources.name())
            .file_stem()
            .map_or_else(|| "problem".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let title = match table.get("title") {
            Some(value) => self.text(value, "the title").unwrap_or_default().to_owned(),
            None => name.clone(),
        };
        let coordinates = self.entries(table, "coordinates", true);
        let parameters = self.entries(table, "parameters", false);
        let definitions = self.entries(table, "definitions", false);
        let unknowns = self.entries(table, "unknowns", true);
        self.declare(&coordinates, &parameters, &definitions, &unknowns)?;

        let parameters = self.parameters(&parameters);
        let coordinates = self.coordinates(&coordinates);
        let unknown_keys: Vec<_> = unknowns.iter().map(|(key, _)| key.span()).collect();
        let (unknowns, values) = self.unknowns(&unknowns);
        let definitions = self.definitions(&definitions);
        let (network, features, written_features) =
            self.network(table.get("network"), &coordinates, unknowns.len());
        let training = self.training(table.get("training"));
        let conditions = self.conditions(table, &coordinates, &unknowns);
        let (reference, solutions) =
            self.reference(table.get("reference"), &coordinates, &unknowns, &parameters);

        if self.has_errors() {
            return None;
        }
        for (output, (unknown, span)) in unknowns.iter().zip(unknown_keys).enumerate() {
            let used = |c: &Condition| {
                let jets = c.residuals.graph.jets(&c.residuals.roots);
                jets.iter().any(|(o, _)| *o == output)
            };
            if !conditions.iter().any(used) {
                let message = format!("no residual uses the unknown `{}`", unknown.name);
                let hint = "add its equation to [conditions], or remove it";
                self.report(Diagnostic::error(span, message).hint(hint));
            }
        }
        for kind in ["parameters", "definitions"] {
            for (key, _) in self.entries(table, kind, false) {
                let name: &str = key.get_ref();
                let derivative = format!("{name}_");
                if !self.used.iter().any(|used| used == name || used.starts_with(&derivative)) {
                    let message = format!("`{name}` is never used");
                    self.report(Diagnostic::warning(key.span(), message));
                }
            }
        }
        let values = self.extract(&values);
        Some(Problem {
            name,
            title,
            coordinates,
            parameters,
            unknowns,
            features,
            values,
            conditions,
            reference,
            network,
            training,
            written: Written { definitions, features: written_features, solutions },
        })
    }

    // Declarations.

    /// Gives every name its meaning; `None` if what is left makes no sense to read formulas with.
    fn declare(
        &mut self,
        coordinates: &[Entry<'_>],
        parameters: &[Entry<'_>],
        definitions: &[Entry<'_>],
        unknowns: &[Entry<'_>],
    ) -> Option<()> {
        if coordinates.len() > MAX_COORDINATES {
            let message =
                format!("{} coordinates are too many: at most {MAX_COORDINATES}", coordinates.len());
            self.report(Diagnostic::error(coordinates[MAX_COORDINATES].0.span(), message));
            return None;
        }
        let names: Vec<_> = coordinates.iter().map(|(key, _)| key.get_ref().as_ref()).collect();
        let mut seen = BTreeSet::new();
        let mut fine = true;
        for (entries, meaning) in [
            (coordinates, Meaning::Coordinate),
            (parameters, Meaning::Parameter),
            (unknowns, Meaning::Unknown),
            (definitions, Meaning::Definition),
        ] {
            for (key, _) in entries {
                let name: &str = key.get_ref();
                let clash = if !seen.insert(name) {
                    let other = self.scope.get(name).map_or("a coordinate", |s| s.meaning().words());
                    Some(format!("`{name}` is already {other}"))
                } else {
                    unusable(name)
                };
                if let Some(message) = clash {
                    fine = false;
                    self.report(Diagnostic::error(key.span(), message).hint("choose another name"));
                }
                if meaning != Meaning::Coordinate {
                    self.scope.set(name, Symbol::Later(meaning));
                }
            }
            if meaning == Meaning::Coordinate {
                self.scope = Scope::new(&mut self.graph, &names);
            }
        }
        for (key, _) in [parameters, definitions, unknowns].concat() {
            let name: &str = key.get_ref();
            if self.scope.is_derivative(name) {
                fine = false;
                let message = format!("`{name}` is also the name of a derivative");
                self.report(Diagnostic::error(key.span(), message).hint("choose another name"));
            }
        }
        (fine && !coordinates.is_empty() && !unknowns.is_empty()).then_some(())
    }

    fn parameters(&mut self, entries: &[Entry<'_>]) -> Vec<(String, f64)> {
        let mut parameters = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let symbol = match self.number(value, &format!("the parameter `{name}`")) {
                Some(x) => {
                    parameters.push((name.to_owned(), x));
                    Symbol::Value(Meaning::Parameter, self.graph.constant(x))
                }
                None => Symbol::Broken(Meaning::Parameter),
            };
            self.scope.set(name, symbol);
        }
        parameters
    }

    fn coordinates(&mut self, entries: &[Entry<'_>]) -> Vec<Coordinate> {
        let mut coordinates = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let mut unit = String::new();
            let domain = match value.get_ref() {
                DeValue::Table(table) => {
                    self.check_keys(table, "a coordinate", &["domain", "unit"]);
                    unit = self.unit(table);
                    table.get("domain")
                }
                _ => Some(*value),
            };
            let ends = match domain.map(|domain| (domain, domain.get_ref())) {
                Some((_, DeValue::Array(ends))) if ends.len() == 2 => {
                    let lower = self.number(&ends[0], "the lower end");
                    let upper = self.number(&ends[1], "the upper end");
                    lower.zip(upper)
                }
                _ => {
                    let span = domain.map_or(key.span(), Spanned::span);
                    let message = format!("the coordinate `{name}` has no domain");
                    let hint = "give its two ends, for example [0, 1]";
                    self.report(Diagnostic::error(span, message).hint(hint));
                    None
                }
            };
            let (lower, upper) = ends.unwrap_or((f64::NAN, f64::NAN));
            if lower >= upper || (upper - lower).is_infinite() {
                let span = domain.map_or(key.span(), Spanned::span);
                let message = format!("the domain of `{name}` is empty: [{lower}, {upper}]");
                let hint = "the first end is below the second";
                self.report(Diagnostic::error(span, message).hint(hint));
            }
            coordinates.push(Coordinate { name: name.to_owned(), lower, upper, unit });
        }
        coordinates
    }

    fn unknowns(&mut self, entries: &[Entry<'_>]) -> (Vec<Unknown>, Vec<NodeId>) {
        let (mut unknowns, mut values) = (Vec::new(), Vec::new());
        for (output, (key, value)) in entries.iter().enumerate() {
            let name: &str = key.get_ref();
            let raw = self.graph.insert(Node::Jet { output, index: MultiIndex::VALUE, side: 0 });
            let mut unit = String::new();
            let ansatz = match value.get_ref() {
                DeValue::Table(table) => {
                    self.check_keys(table, "an unknown", &["ansatz", "unit"]);
                    unit = self.unit(table);
                    table.get("ansatz")
                }
                _ => Some(*value),
            };
            let mut written = None;
            let mut node = Some(raw);
            if let Some(value) = ansatz {
                self.scope.set("net", Symbol::Value(Meaning::Output, raw));
                let formula = self.formula(value, ANSATZ);
                node = formula.as_ref().map(|(node, _)| *node);
                written = formula.map(|(_, written)| written);
                if node.is_some_and(|node| self.graph.jets(&[node]).is_empty()) {
                    let message = format!("the ansatz of `{name}` does not use the network");
                    let hint = "`net` is the network's raw output, as in `t*net`";
                    self.report(Diagnostic::error(value.span(), message).hint(hint));
                    node = None;
                }
            }
            self.scope.set(name, known(Meaning::Unknown, node));
            values.push(node.unwrap_or(raw));
            unknowns.push(Unknown { name: name.to_owned(), ansatz: written, unit });
        }
        // From here on `net` is known by name, so that its use elsewhere is explained.
        if let Some(&raw) = values.first() {
            self.scope.set("net", Symbol::Value(Meaning::Output, raw));
        }
        (unknowns, values)
    }

    fn definitions(&mut self, entries: &[Entry<'_>]) -> Vec<(String, String)> {
        let mut definitions = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let formula = self.formula(value, DEFINITION);
            let node = formula.as_ref().map(|(node, _)| *node);
            self.scope.set(name, known(Meaning::Definition, node));
            definitions.extend(formula.map(|(_, written)| (name.to_owned(), written)));
        }
        definitions
    }

    // Settings.

    fn network(
        &mut self,
        value: Option<&Value<'_>>,
        coordinates: &[Coordinate],
        outputs: usize,
    ) -> (Network, Formula, Vec<String>) {
        let empty = Table::new();
        let table = value.map_or(Some(&empty), |value| self.table(value, "[network]"));
        let table = table.unwrap_or(&empty);
        let network: Network = self.settings(table, "[network]", &["features"]);
        let span = |key: &str| table.get(key).map(Spanned::span);
        for (key, count, most) in [("depth", network.depth, 1_000_000), ("width", network.width, 65_536)] {
            if !(1..=most).contains(&count) {
                let message = format!("the {key} is {count}, not from 1 to {most}");
                self.report(Diagnostic::error(span(key), message));
            }
        }
        if !(network.scale.is_finite() && network.scale > 0.0) {
            let message = format!("the scale is {}, not a positive number", network.scale);
            self.report(Diagnostic::error(span("scale"), message));
        }
        if !(network.sigma_b.is_finite() && network.sigma_b >= 0.0) {
            let message = format!("sigma-b is {}, not a number from 0 up", network.sigma_b);
            self.report(Diagnostic::error(span("sigma-b"), message));
        }

        let mut written = Vec::new();
        let mut roots = Vec::new();
        match table.get("features").map(|value| (value, value.get_ref())) {
            None => {
                for (coordinate, c) in coordinates.iter().enumerate() {
                    let text = centred(c);
                    // The text is read back, so that writing it into a file changes nothing.
                    if let Ok(expr) = expr::parse(&text) {
                        let mut errors = Vec::new();
                        let root = self.scope.lower(&expr, &mut self.graph, FEATURE, &mut errors);
                        let plain = Node::Coordinate { coordinate, side: 0 };
                        roots.push(root.unwrap_or_else(|| self.graph.insert(plain)));
                    }
                    written.push(text);
                }
            }
            Some((_, DeValue::Array(features))) if !features.is_empty() => {
                for value in features.iter() {
                    if let Some((root, text)) = self.formula(value, FEATURE) {
                        if matches!(self.graph.node(root), Node::Constant(_)) {
                            let message = "this feature is constant: it tells the network nothing";
                            self.report(Diagnostic::error(value.span(), message));
                        }
                        roots.push(root);
                        written.push(text);
                    }
                }
                let seen = self.graph.reachable(&roots);
                for (i, c) in coordinates.iter().enumerate() {
                    let id = self.scope.get(&c.name);
                    let reaches =
                        matches!(id, Some(Symbol::Value(_, id)) if seen.get(id.index()) == Some(&true));
                    if !reaches && roots.len() == features.len() {
                        let message =
                            format!("no feature depends on the coordinate `{}`", coordinates[i].name);
                        let span = table.get("features").map(Spanned::span);
                        self.report(Diagnostic::warning(span, message));
                    }
                }
            }
            Some((value, _)) => {
                let message = "`features` is a list of formulas";
                let hint = "for example [\"sin(pi*x)\", \"2*t - 1\"]";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        let (depth, width) = (network.depth as f64, network.width as f64);
        let (inputs, all_outputs) = (roots.len() as f64, outputs as f64);
        let size =
            width * (inputs + 1.0) + (depth - 1.0) * width * (width + 1.0) + all_outputs * (width + 1.0);
        if size > MAX_PARAMETERS && !self.has_errors() {
            let message =
                format!("the network would have {size:.1e} parameters, more than {MAX_PARAMETERS:.0e}");
            self.report(Diagnostic::error(span("width").or(span("depth")), message));
        }
        let features = self.extract(&roots);
        (network, features, written)
    }

    fn training(&mut self, value: Option<&Value<'_>>) -> Training {
        let empty = Table::new();
        let table = value.map_or(Some(&empty), |value| self.table(value, "[training]"));
        let table = table.unwrap_or(&empty);
        let training: Training = self.settings(table, "[training]", &[]);
        let stages = table.get("stages");
        for (i, stage) in training.stages.iter().enumerate() {
            let place = stages.map(|stages| at(stages, &[&i.to_string(), stage.name()]));
            let mut check = |fine: bool, key: &str, wanted: &str| {
                if !fine {
                    let span = place.map(|place| at(place, &[key]).span());
                    let message = format!("`{key}` must be {wanted}");
                    self.report(Diagnostic::error(span, message));
                }
            };
            let positive = |x: f64| x.is_finite() && x > 0.0;
            match stage {
                Stage::Adam(adam) => {
                    check(positive(adam.lr), "lr", "a positive number");
                    check((0.0..1.0).contains(&adam.beta1), "beta1", "from 0 to below 1");
                    check((0.0..1.0).contains(&adam.beta2), "beta2", "from 0 to below 1");
                    check(positive(adam.epsilon), "epsilon", "a positive number");
                    match adam.schedule {
                        Schedule::Constant => {}
                        Schedule::Exponential { rate, every } => {
                            check(
                                positive(rate) && every > 0,
                                "schedule",
                                "given a positive rate and a positive number of steps",
                            );
                        }
                        Schedule::Cosine { end } => {
                            check(end.is_finite() && end >= 0.0, "schedule", "given an end from 0 up");
                        }
                    }
                }
                Stage::Lbfgs(lbfgs) => check(lbfgs.history > 0, "history", "at least 1"),
            }
        }
        training
    }

    /// Reads a plain table key by key, so that several mistakes are reported; keys in `others` are left alone.
    fn settings<T: Default + Serialize + DeserializeOwned>(
        &mut self,
        table: &Table<'_>,
        name: &str,
        others: &[&str],
    ) -> T {
        let defaults = toml::Table::try_from(T::default()).unwrap_or_default();
        let keys: Vec<_> = defaults.keys().map(String::as_str).chain(others.iter().copied()).collect();
        self.check_keys(table, name, &keys);
        let read = |table: Table<'_>| {
            T::deserialize(ValueDeserializer::from(Spanned::new(0..0, DeValue::Table(table))))
        };
        let mut good = Table::new();
        for (key, value) in table.iter() {
            if others.contains(&key.get_ref().as_ref()) || !keys.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let mut alone = Table::new();
            alone.insert(key.clone(), value.clone());
            match read(alone) {
                Ok(_) => {
                    good.insert(key.clone(), value.clone());
                }
                Err(error) => {
                    let span = error.span().filter(|span| span.end > 0);
                    self.report(serde_mistake(error.message(), span.unwrap_or(value.span())));
                }
            }
        }
        read(good).unwrap_or_default()
    }

    // Conditions.

    fn conditions(
        &mut self,
        table: &Table<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Vec<Condition> {
        let entries = self.entries(table, "conditions", true);
        let mut conditions = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            if let Some(table) = self.table(value, "a condition") {
                conditions.extend(self.condition(name, key.span(), table, coordinates, unknowns));
            }
        }
        conditions
    }

    fn condition(
        &mut self,
        name: &str,
        span: Range<usize>,
        table: &Table<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Option<Condition> {
        const KEYS: [&str; 6] = ["place", "residual", "weight", "points", "sampler", "order"];
        self.check_keys(table, "a condition", &KEYS);
        let weight = match table.get("weight") {
            Some(value) => self.number(value, "the weight"),
            None => Some(1.0),
        };
        if let (Some(value), Some(weight)) = (table.get("weight"), weight)
            && weight < 0.0
        {
            let message = format!("the weight is {weight}, which is negative");
            self.report(Diagnostic::error(value.span(), message));
        }
        let Some(place_value) = table.get("place") else {
            let message = format!("the condition `{name}` has no place");
            self.report(Diagnostic::error(span, message).hint(PLACES));
            return None;
        };
        let place = self.place(place_value, coordinates);
        let counted = match &place {
            Some(Place::Interior) => 2000,
            Some(Place::Points { points, .. }) => points.len() / coordinates.len(),
            _ => 200,
        };
        let mut points = counted;
        let mut sampler = Sampler::default();
        let drawn = !matches!(place, Some(Place::Points { .. }));
        for key in ["points", "sampler"] {
            if let Some((key_name, _)) = table.get_key_value(key)
                && !drawn
            {
                let message = format!("`{key}` has no meaning here: the points come from a file");
                self.report(Diagnostic::error(key_name.span(), message).hint("remove the line"));
            }
        }
        if let (Some(value), true) = (table.get("points"), drawn) {
            points = self.count(value, "the number of points", POINTS).unwrap_or(counted);
        }
        if let (Some(value), true) = (table.get("sampler"), drawn) {
            match Sampler::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(named) => sampler = named,
                Err(error) => self.report(serde_mistake(error.message(), value.span())),
            }
        }
        if let (Some((key, _)), false) =
            (table.get_key_value("order"), matches!(place, None | Some(Place::Periodic { .. })))
        {
            let message = "`order` has a meaning in periodic conditions only";
            self.report(Diagnostic::error(key.span(), message).hint("remove the line"));
        }
        let residual = table.get("residual");
        let (written, residuals) = match &place {
            Some(Place::Periodic { coordinate }) => {
                if let Some((key, _)) = table.get_key_value("residual") {
                    let message = "a periodic condition has no residual of its own";
                    let hint = "remove the line: values and derivatives up to `order` are matched";
                    self.report(Diagnostic::error(key.span(), message).hint(hint));
                }
                let order = match table.get("order") {
                    Some(value) => self.count(value, "the order", 0..=MAX_ORDER)?,
                    None => 1,
                };
                self.periodic(*coordinate, order, coordinates, unknowns)?
            }
            _ => {
                let Some(residual) = residual else {
                    let message = format!("the condition `{name}` has no residual");
                    let hint = "write what shall be zero, for example `residual = \"u - 1\"`";
                    self.report(Diagnostic::error(span, message).hint(hint));
                    return None;
                };
                self.residuals(residual, place.as_ref())?
            }
        };
        let jets = residuals.graph.jets(&residuals.roots);
        Some(Condition {
            name: name.to_owned(),
            place: place?,
            written,
            jets: JetSet::closure(jets.into_iter().map(|(_, index)| index)),
            residuals,
            weight: weight?,
            points,
            sampler,
        })
    }

    fn residuals(&mut self, value: &Value<'_>, place: Option<&Place>) -> Option<(Vec<String>, Formula)> {
        let outer = self.scope.clone();
        if let Some(Place::Points { columns, .. }) = place {
            for (column, name) in columns.iter().enumerate() {
                let node = self.graph.insert(Node::Data(column));
                self.scope.set(name, Symbol::Value(Meaning::Data, node));
            }
        }
        let list = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        if list.is_empty() {
            let message = "the list of residuals is empty";
            self.report(Diagnostic::error(value.span(), message));
        }
        let count = list.len();
        let (mut written, mut roots) = (Vec::new(), Vec::new());
        for value in list {
            if let Some((root, text)) = self.formula(value, RESIDUAL) {
                if self.graph.jets(&[root]).is_empty() {
                    let message = "this residual uses no unknown: training cannot change it";
                    self.report(Diagnostic::error(value.span(), message));
                }
                roots.push(root);
                written.push(text);
            }
        }
        self.scope = outer;
        let residuals = self.extract(&roots);
        (count > 0 && roots.len() == count).then_some((written, residuals))
    }

    /// Values and derivatives at both ends of `coordinate` must agree, for every unknown.
    fn periodic(
        &mut self,
        coordinate: usize,
        order: usize,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Option<(Vec<String>, Formula)> {
        let Coordinate { name, lower, upper, .. } = &coordinates[coordinate];
        let (mut written, mut roots) = (Vec::new(), Vec::new());
        let mut graph = Graph::default();
        for unknown in unknowns {
            let Some(Symbol::Value(_, mut node)) = self.scope.get(&unknown.name) else {
                return None;
            };
            self.used.insert(unknown.name.clone());
            let mut term = unknown.name.clone();
            for k in 0..=order {
                if k > 0 {
                    node = self.graph.derivative(node, coordinate);
                    term += if k == 1 { "_" } else { "" };
                    term += name;
                }
                let [low, high] = [0, 1].map(|to| {
                    let copies = self.graph.transplant(&[node], &mut graph, |graph, leaf| {
                        graph.insert(match leaf {
                            Node::Jet { output, index, .. } => Node::Jet { output, index, side: to },
                            Node::Coordinate { coordinate, .. } => Node::Coordinate { coordinate, side: to },
                            other => other,
                        })
                    });
                    copies[0]
                });
                roots.push(graph.binary(Binary::Sub, low, high));
                written.push(format!("{term} at {name} = {lower} less {term} at {name} = {upper}"));
            }
        }
        let (graph, roots) = graph.extract(&roots);
        Some((written, Formula { graph, roots }))
    }

    fn place(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Place> {
        match value.get_ref() {
            DeValue::Table(table) => {
                self.check_keys(table, "a place", &["file"]);
                let Some(file) = table.get("file") else {
                    let message = "this place has no file";
                    self.report(Diagnostic::error(value.span(), message).hint(PLACES));
                    return None;
                };
                self.points_file(file, coordinates)
            }
            DeValue::String(text) => {
                let text = text.trim();
                let words: Vec<_> = text.split_whitespace().collect();
                match words.as_slice() {
                    ["interior"] => return Some(Place::Interior),
                    ["periodic", name] => {
                        let Some(coordinate) = coordinates.iter().position(|c| c.name == *name) else {
                            self.no_coordinate(name, coordinates, self.part_of(value, name));
                            return None;
                        };
                        return Some(Place::Periodic { coordinate });
                    }
                    _ => {}
                }
                if text.contains('=') {
                    return self.face(value, coordinates);
                }
                let message = format!("`{}` is not a place", text.escape_debug());
                let known = closest(text, ["interior", "periodic"]);
                let hint = known.map_or(PLACES.to_owned(), |known| format!("did you mean `{known}`?"));
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                None
            }
            other => {
                let message = format!("a place is not {}", article(other));
                self.report(Diagnostic::error(value.span(), message).hint(PLACES));
                None
            }
        }
    }

    /// `t = 0`, or several fixed coordinates with commas between.
    fn face(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Place> {
        let (text, locate) = self.located(value)?;
        let mut fixed: Vec<(usize, f64)> = Vec::new();
        let mut fine = true;
        let mut start = 0;
        for part in split_outside_parentheses(text) {
            let span = locate.place(start..start + part.len());
            let (name, number) = part.split_once('=').unwrap_or((part, ""));
            let offset = start + name.len() + 1;
            start += part.len() + 1;
            let name = name.trim();
            let Some(coordinate) = coordinates.iter().position(|c| c.name == name) else {
                self.no_coordinate(name, coordinates, span);
                fine = false;
                continue;
            };
            let c = &coordinates[coordinate];
            let expr = self.parsed(number, |range| locate.place(range.start + offset..range.end + offset));
            let Some(x) = expr.and_then(|expr| self.lowered_number(&expr, span.clone(), "the place")) else {
                fine = false;
                continue;
            };
            if fixed.iter().any(|(other, _)| *other == coordinate) {
                let message = format!("`{name}` is fixed twice");
                self.report(Diagnostic::error(span, message));
                fine = false;
                continue;
            }
            // An end that was computed in another way may differ in its last digits.
            let slack = 1e-12 * (c.upper - c.lower);
            let x = [c.lower, c.upper].into_iter().find(|end| (x - end).abs() <= slack).unwrap_or(x);
            if x < c.lower || x > c.upper {
                let message = format!("{name} = {x} lies outside the domain [{}, {}]", c.lower, c.upper);
                let hint = format!("its faces are `{name} = {}` and `{name} = {}`", c.lower, c.upper);
                self.report(Diagnostic::error(span, message).hint(hint));
                fine = false;
            }
            fixed.push((coordinate, x));
        }
        fine.then_some(Place::Face(fixed))
    }

    fn points_file(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Place> {
        let name = self.text(value, "a file's name")?;
        let (path, Numbers { header, columns }) = self.numbers(name, value)?;
        let Some(header) = header else {
            let message = "the points of a condition come from a CSV file with a header";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        };
        let rows = columns[0].len();
        let mut places = Vec::new();
        let mut fine = true;
        for c in coordinates {
            match header.iter().position(|name| *name == c.name) {
                Some(column) => {
                    let outside = columns[column].iter().position(|x| *x < c.lower || *x > c.upper);
                    if let Some(row) = outside {
                        let message = format!(
                            "`{name}`, row {}: {} = {} lies outside the domain [{}, {}]",
                            row + 1,
                            c.name,
                            columns[column][row],
                            c.lower,
                            c.upper
                        );
                        self.report(Diagnostic::error(value.span(), message));
                        fine = false;
                    }
                    places.push(column);
                }
                None => {
                    let message = format!("`{name}` has no column `{}`", c.name);
                    let hint = format!("its header names {}", listed(&header));
                    self.report(Diagnostic::error(value.span(), message).hint(hint));
                    fine = false;
                }
            }
        }
        let (mut names, mut data) = (Vec::new(), Vec::new());
        for (i, (column, values)) in header.iter().zip(columns.iter()).enumerate() {
            if places.contains(&i) {
                continue;
            }
            let clash = match self.scope.get(column) {
                Some(symbol) => Some(format!("it is {}", symbol.meaning().words())),
                None if names.contains(column) || coordinates.iter().any(|c| c.name == *column) => {
                    Some("there are two of them".to_owned())
                }
                None if self.scope.is_derivative(column) => Some("it reads as a derivative".to_owned()),
                None => unusable(column),
            };
            if let Some(why) = clash {
                let message =
                    format!("the column `{}` of `{name}` cannot be used: {why}", column.escape_debug());
                let hint = "rename it in the file's header, for example `u_obs`";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                fine = false;
            }
            names.push(column.clone());
            data.push(values.clone());
        }
        let points = (0..rows).flat_map(|r| places.iter().map(move |&c| (r, c)));
        let points = points.map(|(r, c)| columns[c][r]).collect();
        fine.then_some(Place::Points { path, points, columns: names, data })
    }

    // The reference.

    fn reference(
        &mut self,
        value: Option<&Value<'_>>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
        parameters: &[(String, f64)],
    ) -> (Option<Reference>, Vec<String>) {
        let written = vec![String::new(); unknowns.len()];
        let Some(table) = value.and_then(|value| self.table(value, "[reference]")) else {
            return (None, written);
        };
        self.check_keys(table, "[reference]", &["solution", "error", "grid"]);
        let error = table.get("error").and_then(|value| {
            let error = self.number(value, "the reference's error")?;
            if error < 0.0 {
                self.report(Diagnostic::error(value.span(), "an error is not negative"));
            }
            Some(error)
        });
        let grid = match table.get("grid") {
            Some(grid) => self.grid(grid, coordinates),
            None => default_grid(coordinates),
        };
        let mut reference = Reference { solutions: vec![None; unknowns.len()], error, grid };
        let Some(value) = table.get("solution") else {
            return (Some(reference), written);
        };
        let mut written = written;
        match value.get_ref() {
            DeValue::Table(table) if table.contains_key("file") => {
                self.check_keys(table, "a solution from a file", &["file"]);
                if let Some(file) = table.get("file") {
                    let tables = self.solution_file(file, coordinates, unknowns);
                    reference.solutions = tables.unwrap_or(reference.solutions);
                }
            }
            DeValue::Table(table) => {
                let names: Vec<_> = unknowns.iter().map(|u| u.name.as_str()).collect();
                self.check_keys(table, "the solution", &names);
                for (i, name) in names.iter().enumerate() {
                    if let Some(value) = table.get(*name)
                        && let Some((solution, text)) =
                            self.solution(value, coordinates, parameters, &reference.grid)
                    {
                        reference.solutions[i] = Some(solution);
                        written[i] = text;
                    }
                }
            }
            DeValue::String(_) if unknowns.len() == 1 => {
                if let Some((solution, text)) = self.solution(value, coordinates, parameters, &reference.grid)
                {
                    reference.solutions[0] = Some(solution);
                    written[0] = text;
                }
            }
            other => {
                let message = format!("the solution is not {}", article(other));
                let hint = "write { u = \"a formula\" }, or { file = \"reference.csv\" }";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        (Some(reference), written)
    }

    fn solution(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        parameters: &[(String, f64)],
        grid: &[Axis],
    ) -> Option<(Solution, String)> {
        if value.get_ref().as_str().map(str::trim) == Some("cole-hopf") {
            let solution = self.cole_hopf(value, coordinates, parameters)?;
            return Some((solution, "cole-hopf".to_owned()));
        }
        let (root, text) = self.formula(value, SOLUTION)?;
        if !self.graph.jets(&[root]).is_empty() {
            let message = "a reference solution cannot use unknowns, not even through a definition";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        let formula = self.extract(&[root]);
        // A look at the grid: what is not finite there would make every error NaN.
        let coarse: Vec<_> = grid.iter().map(|axis| Axis { points: axis.points.min(20), ..*axis }).collect();
        if coarse.iter().map(|axis| axis.points as f64).product::<f64>() < 2e5 && !self.has_errors() {
            let points = grid_points(&coarse);
            let values = formula.evaluate(&points, coordinates.len());
            if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                let row = &points[i * coordinates.len()..];
                let place: Vec<_> =
                    coordinates.iter().zip(row).map(|(c, x)| format!("{} = {x}", c.name)).collect();
                let message = format!("the solution is {} at {}", values[i], place.join(", "));
                let hint = "guard it, for example with max(x, 1e-300), or score it elsewhere with `grid`";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        Some((Solution::Exact(formula), text))
    }

    fn cole_hopf(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        parameters: &[(String, f64)],
    ) -> Option<Solution> {
        let t = coordinates.iter().position(|c| c.name == "t");
        let nu = parameters.iter().find(|(name, _)| name == "nu");
        let (Some(t), Some(&(_, nu)), 2) = (t, nu, coordinates.len()) else {
            let message = "`cole-hopf` solves u_t + u*u_x = nu*u_xx, u = -sin(pi*x) at t = 0";
            let hint = "it needs two coordinates, one of them `t`, and a parameter `nu`";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        self.used.insert("nu".to_owned());
        if nu <= 0.0 || coordinates[t].lower < 0.0 {
            let message = "`cole-hopf` needs nu > 0 and t from 0 up";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        let error = cole_hopf_error(nu, coordinates[t].upper);
        if error > 1e-10 {
            let message = format!(
                "for nu = {nu} and t up to {} the `cole-hopf` quadrature is only right to about {error:.0e}",
                coordinates[t].upper
            );
            self.report(Diagnostic::warning(value.span(), message));
        }
        Some(Solution::ColeHopf { x: 1 - t, t, nu })
    }

    fn solution_file(
        &mut self,
        value: &Value<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Option<Vec<Option<Solution>>> {
        let name = self.text(value, "a file's name")?;
        let (path, Numbers { header, columns }) = self.numbers(name, value)?;
        let names = coordinates.iter().map(|c| c.name.clone()).chain(unknowns.iter().map(|u| u.name.clone()));
        let names: Vec<_> = names.collect();
        let wrong = if let Some(header) = &header {
            let missing = names[..coordinates.len()].iter().find(|name| !header.contains(name));
            let odd = header.iter().find(|name| !names.contains(name));
            let twice = header.iter().enumerate().find(|(i, name)| header[..*i].contains(name));
            match (missing, odd, twice) {
                (Some(missing), ..) => Some(format!("it has no column `{missing}`")),
                (_, Some(odd), _) => Some(format!(
                    "its column `{}` is neither a coordinate nor an unknown",
                    odd.escape_debug()
                )),
                (.., Some((_, twice))) => Some(format!("it has two columns `{twice}`")),
                _ if header.len() == coordinates.len() => Some("it has a column for no unknown".to_owned()),
                _ => None,
            }
        } else {
            (columns.len() != names.len())
                .then(|| format!("it has {} columns, not {}", columns.len(), names.len()))
        };
        if let Some(wrong) = wrong {
            let message = format!("`{name}` is not a reference for this problem: {wrong}");
            let hint = format!("its columns are {}", listed(&names));
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let column = |name: &String| {
            let at = header.as_ref().unwrap_or(&names).iter().position(|n| n == name)?;
            Some(&columns[at])
        };
        let rows: Vec<_> = names[..coordinates.len()].iter().filter_map(column).collect();
        let points: Vec<f64> = (0..columns[0].len()).flat_map(|r| rows.iter().map(move |c| c[r])).collect();
        let solutions = unknowns.iter().map(|unknown| {
            column(&unknown.name).map(|values| Solution::Table {
                path: path.clone(),
                points: points.clone(),
                values: values.clone(),
            })
        });
        Some(solutions.collect())
    }

    fn grid(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Vec<Axis> {
        let mut grid = default_grid(coordinates);
        let Some(table) = self.table(value, "the grid") else {
            return grid;
        };
        let names: Vec<_> = coordinates.iter().map(|c| c.name.as_str()).collect();
        self.check_keys(table, "the grid", &names);
        for (axis, c) in grid.iter_mut().zip(coordinates) {
            let Some(value) = table.get(c.name.as_str()) else {
                continue;
            };
            let mut points = Some(value);
            if let DeValue::Table(table) = value.get_ref() {
                self.check_keys(table, "an axis", &["from", "to", "points"]);
                let end = |builder: &mut Self, key: &str, default: f64| match table.get(key) {
                    Some(value) => builder.number(value, "an end of the axis").unwrap_or(default),
                    None => default,
                };
                axis.from = end(self, "from", c.lower);
                axis.to = end(self, "to", c.upper);
                if !(c.lower <= axis.from && axis.from <= axis.to && axis.to <= c.upper) {
                    let message = format!(
                        "the grid goes from {} to {}, not upwards within the domain [{}, {}]",
                        axis.from, axis.to, c.lower, c.upper
                    );
                    self.report(Diagnostic::error(value.span(), message));
                }
                points = table.get("points");
            }
            if let Some(value) = points {
                let count = self.count(value, "the number of points", 1..=MAX_GRID);
                axis.points = count.unwrap_or(axis.points);
            }
        }
        if grid.iter().map(|axis| axis.points as f64).product::<f64>() > MAX_GRID as f64 {
            let message = format!("the grid has more than {MAX_GRID} points");
            self.report(Diagnostic::error(value.span(), message));
            return default_grid(coordinates);
        }
        grid
    }

    // Values.

    fn entries<'t>(&mut self, table: &'t Table<'t>, key: &str, required: bool) -> Vec<Entry<'t>> {
        let entries = match table.get(key) {
            Some(value) => match self.table(value, &format!("[{key}]")) {
                Some(table) => table.iter().collect(),
                None => return Vec::new(),
            },
            None => Vec::new(),
        };
        if required && entries.is_empty() {
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

    fn table<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<&'t Table<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let message = format!("{what} is a table, not {}", article(value.get_ref()));
            self.report(Diagnostic::error(value.span(), message));
        }
        table
    }

    fn text<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let message = format!("{what} is a string, not {}", article(value.get_ref()));
            self.report(Diagnostic::error(value.span(), message));
        }
        text
    }

    fn unit(&mut self, table: &Table<'_>) -> String {
        let unit = table.get("unit").and_then(|value| self.text(value, "the unit"));
        unit.unwrap_or_default().to_owned()
    }

    fn count(&mut self, value: &Value<'_>, what: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let integer = value.get_ref().as_integer();
        let count = integer.and_then(|i| usize::from_str_radix(i.as_str(), i.radix()).ok());
        let count = count.filter(|count| range.contains(count));
        if count.is_none() {
            let message = format!("{what} is an integer from {} to {}", range.start(), range.end());
            self.report(Diagnostic::error(value.span(), message));
        }
        count
    }

    /// A finite number: a literal, or a formula over parameters.
    fn number(&mut self, value: &Value<'_>, what: &str) -> Option<f64> {
        let expr = self.expr(value)?.0;
        self.lowered_number(&expr, value.span(), what)
    }

    fn lowered_number(&mut self, expr: &Expr, span: Range<usize>, what: &str) -> Option<f64> {
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
    fn formula(&mut self, value: &Value<'_>, context: Context) -> Option<(NodeId, String)> {
        let (expr, written) = self.expr(value)?;
        let node = self.lowered(&expr, context)?;
        if let Some(part) = self.endless(node) {
            let message = format!("`{part}` is not a finite number");
            self.report(Diagnostic::error(value.span(), message));
            return None;
        }
        Some((node, written))
    }

    /// The syntax tree of a string or a number, with spans in the common space, and its text.
    fn expr(&mut self, value: &Value<'_>) -> Option<(Expr, String)> {
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

    fn parsed(&mut self, text: &str, place: impl Fn(Range<usize>) -> Range<usize>) -> Option<Expr> {
        match expr::parse(text) {
            Ok(mut expr) => {
                expr.relocate(&place);
                self.mention(&expr);
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

    fn mention(&mut self, expr: &Expr) {
        match &expr.kind {
            ast::Kind::Number(_) => {}
            ast::Kind::Name(name) => {
                self.used.insert(name.clone());
            }
            ast::Kind::Unary(_, a) => self.mention(a),
            ast::Kind::Binary(_, a, b) => {
                self.mention(a);
                self.mention(b);
            }
        }
    }

    fn lowered(&mut self, expr: &Expr, context: Context) -> Option<NodeId> {
        let mut errors = Vec::new();
        let node = self.scope.lower(expr, &mut self.graph, context, &mut errors);
        for error in errors {
            self.report(error.into());
        }
        if self.graph.nodes().len() > MAX_NODES {
            let message = format!("the formulas take more than {MAX_NODES} operations");
            self.report(Diagnostic::error(expr.span.clone(), message));
            return None;
        }
        node
    }

    /// A part of the formula that is a number, but not a finite one.
    fn endless(&self, root: NodeId) -> Option<Expr> {
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
    fn extract(&self, roots: &[NodeId]) -> Formula {
        let (graph, roots) = self.graph.extract(roots);
        Formula { graph, roots }
    }

    // Files.

    fn numbers(&mut self, name: &str, value: &Value<'_>) -> Option<(PathBuf, Numbers)> {
        let path = self.folder.join(name);
        let path = std::path::absolute(&path).unwrap_or(path);
        match table::read(&path) {
            Ok(numbers) => Some((path, numbers)),
            Err(why) => {
                let message = format!("cannot use the file `{}`: {why}", name.escape_debug());
                let hint =
                    format!("file names are relative to the problem file: this is `{}`", path.display());
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                None
            }
        }
    }

    // Mistakes.

    fn report(&mut self, item: Diagnostic) {
        self.items.push(item);
    }

    fn has_errors(&self) -> bool {
        self.items.iter().any(|item| !item.warning)
    }

    fn check_keys(&mut self, table: &Table<'_>, what: &str, known: &[&str]) {
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

    fn no_coordinate(&mut self, name: &str, coordinates: &[Coordinate], span: Range<usize>) {
        let names: Vec<_> = coordinates.iter().map(|c| c.name.as_str()).collect();
        let message = format!("`{}` is not a coordinate", name.escape_debug());
        let hint = format!("the coordinates are {}", listed(&names));
        self.report(Diagnostic::error(span, message).hint(hint));
    }

    // Places in the text.

    /// A string's content, and the way from places in it to places in its file.
    fn located<'t>(&mut self, value: &'t Value<'t>) -> Option<(&'t str, Locator)> {
        let text = self.text(value, "a formula")?;
        let whole = value.span();
        // Where the string has escapes, its content is nowhere to be found and the whole string is pointed at.
        let inner = self.sources.text(&whole).find(text).map(|at| whole.start + at);
        Some((text, Locator { inner, whole }))
    }

    fn part_of(&self, value: &Value<'_>, part: &str) -> Range<usize> {
        let whole = value.span();
        match self.sources.text(&whole).rfind(part) {
            Some(at) => whole.start + at..whole.start + at + part.len(),
            None => whole,
        }
    }
}

/// See [`Builder::located`].
struct Locator {
    inner: Option<usize>,
    whole: Range<usize>,
}

impl Locator {
    fn place(&self, range: Range<usize>) -> Range<usize> {
        match self.inner {
            Some(start) => start + range.start..start + range.end,
            None => self.whole.clone(),
        }
    }
}

const PLACES: &str =
    "a place is `interior`, a face such as `t = 0`, `periodic x`, or { file = \"points.csv\" }";

fn known(meaning: Meaning, node: Option<NodeId>) -> Symbol {
    node.map_or(Symbol::Broken(meaning), |node| Symbol::Value(meaning, node))
}

/// Why `name` cannot be declared, if it cannot.
fn unusable(name: &str) -> Option<String> {
    let shown = name.escape_debug();
    if !is_name(name) {
        return Some(format!("`{shown}` is not a name: a letter, then letters, digits and underscores"));
    }
    if function(name).is_some() {
        return Some(format!("`{shown}` is a function"));
    }
    match name {
        "pi" => Some("`pi` is the number".to_owned()),
        "net" => Some("`net` is the network's raw output".to_owned()),
        "file" => Some("`file` has a meaning of its own in problem files".to_owned()),
        _ => None,
    }
}

/// The coordinate mapped linearly to [−1, 1], as a formula.
fn centred(c: &Coordinate) -> String {
    let scale = 2.0 / (c.upper - c.lower);
    let shift = (c.upper + c.lower) / (c.upper - c.lower);
    let scaled = if scale == 1.0 { c.name.clone() } else { format!("{scale}*{}", c.name) };
    match shift {
        0.0 => scaled,
        _ if shift > 0.0 => format!("{scaled} - {shift}"),
        _ => format!("{scaled} + {}", -shift),
    }
}

/// What serde says about a plain table, with a did-you-mean where it lists what it knows.
fn serde_mistake(message: &str, span: Range<usize>) -> Diagnostic {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let line = message.lines().next().unwrap_or_default();
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
            Diagnostic::error(span, spoken)
        }
    }
}

/// The value at a path of keys and indices, or the last one on the way that exists.
fn at<'t>(value: &'t Value<'t>, path: &[&str]) -> &'t Value<'t> {
    let Some((key, rest)) = path.split_first() else {
        return value;
    };
    let next = match value.get_ref() {
        DeValue::Table(table) => table.get(*key),
        DeValue::Array(array) => key.parse::<usize>().ok().and_then(|i| array.get(i)),
        _ => None,
    };
    next.map_or(value, |next| at(next, rest))
}

/// The parts of `text` between its commas, those in parentheses left alone.
fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}
