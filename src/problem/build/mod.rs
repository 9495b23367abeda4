//! From a document to a problem: every table is walked, every mistake collected, every formula compiled.

mod conditions;
mod consistency;
mod equations;
mod fourier;
mod geometry;
mod jump;
mod language;
mod networks;
mod reference;
mod settings;
mod tables;
mod values;

pub(crate) use equations::Equations;
pub use language::Language;
pub(crate) use language::OTHER_NODES;
use networks::Networks;
use values::misspelt;

use std::collections::BTreeSet;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeString, DeValue};

use crate::expr::{
    Binary, Context, Digits, Graph, Meaning, Node, NodeId, Scope, Symbol, Unary, function, is_name, is_time,
};
use crate::jet::{MAX_COORDINATES, MultiIndex};
use crate::limits::{MAX_FORMULAS, MAX_OPERATIONS, MAX_TABLES, MAX_UNKNOWNS};
use crate::problem::diagnostic::{Diagnostic, Diagnostics, Sources};
use crate::problem::file::{Document, Table, Value, article};
use crate::problem::geometry::Geometry;
use crate::problem::model::{Condition, Formula, Problem, Trainable, Unknown, Written};
use crate::problem::place::Coordinate;
use crate::problem::posedness::{BlowUp, Contradiction, Posedness};
use crate::problem::size::check_points;
use crate::problem::windows::Windows;
use crate::settings::{Cut, Stage, Training};

const NUMBER: Context = Context { place: "a plain number", allowed: &[Meaning::Parameter] };
const ANSATZ: Context = Context {
    place: "an ansatz",
    allowed: &[
        Meaning::Coordinate,
        Meaning::Parameter,
        Meaning::Trainable,
        Meaning::Definition,
        Meaning::Output,
    ],
};
const FEATURE: Context = Context { place: "a feature", allowed: &[Meaning::Coordinate, Meaning::Parameter] };
const DEFINITION: Context = Context {
    place: "a definition",
    allowed: &[
        Meaning::Coordinate,
        Meaning::Parameter,
        Meaning::Trainable,
        Meaning::Definition,
        Meaning::Unknown,
    ],
};
const CONTOUR: Context = Context { place: "a contour", allowed: DEFINITION.allowed };
/// What a residual may use.
pub(crate) const RESIDUAL: Context = Context {
    place: "a residual",
    allowed: &[
        Meaning::Coordinate,
        Meaning::Parameter,
        Meaning::Trainable,
        Meaning::Definition,
        Meaning::Unknown,
        Meaning::Data,
    ],
};
/// What a shape by formula may use.
const MOVING: Context =
    Context { place: "a shape's number", allowed: &[Meaning::Coordinate, Meaning::Parameter] };
const SHAPE: Context =
    Context { place: "a shape's formula", allowed: &[Meaning::Coordinate, Meaning::Parameter] };
const SOLUTION: Context = Context {
    place: "a reference solution",
    allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Trainable, Meaning::Definition],
};

impl Document {
    /// Checks everything and compiles the problem; file names in it are relative to `folder`.
    ///
    /// With the problem come warnings, often none.
    ///
    /// # Errors
    ///
    /// Every mistake that was found.
    pub fn build(&self, folder: &Path) -> Result<(Problem, Diagnostics), Diagnostics> {
        let mut builder = Builder::new(self.sources(), folder, Graph::default(), Scope::default());
        // The key `problem` of an overlay has done its work.
        let problem = builder.problem(&self.merged(|text, key| text == 0 || key != "problem"));
        let mut items = builder.items;
        match problem {
            Some(problem) if items.iter().all(|item| item.warning) => Ok((problem, self.mistakes(items))),
            _ => {
                // In the order of the text; what has no place comes first.
                items.sort_by_key(|item| item.span.as_ref().map(|span| span.start));
                Err(self.mistakes(items))
            }
        }
    }

    /// Warnings of conditions by which `problem`, built of this document, is not determined, or that contradict one another.
    pub fn doubts(&self, problem: &Problem) -> Diagnostics {
        let table = self.merged(|_, _| true);
        let key = |name: &str| {
            let kinds = ["conditions", "coordinates", "unknowns", "parameters"].into_iter();
            let tables = kinds.filter_map(|kind| table.get(kind)?.get_ref().as_table());
            let mut keys = tables.flat_map(|table| table.keys());
            keys.find(|key| key.get_ref().as_ref() == name).map(Spanned::span)
        };
        let warning =
            |about: &str, message: String, hint: String| Diagnostic::warning(key(about), message).hint(hint);
        self.mistakes(match problem.posedness() {
            Posedness::NoDoubt => vec![],
            Posedness::UnderDetermined(gaps) => {
                gaps.into_iter().map(|gap| warning(&gap.about, gap.message, gap.hint)).collect()
            }
            Posedness::Contradictory(Contradiction { conditions, message, hint }) => {
                let last = conditions.last().map_or("", |&i| problem.conditions[i].name.as_str());
                vec![warning(last, message, hint)]
            }
            Posedness::BlowsUp(BlowUp { message, hint, .. }) => {
                vec![warning(&problem.coordinates[0].name, message, hint)]
            }
        })
    }
}

struct Builder<'a> {
    sources: &'a Sources,
    folder: &'a Path,
    items: Vec<Diagnostic>,
    /// Everything is first lowered into this one graph; each formula then takes out what it needs.
    graph: Graph,
    scope: Scope,
    /// What part of their box the domain is, once that is known.
    geometry: Option<Geometry>,
    /// Coordinates with their domains, once these are known.
    space: Vec<Coordinate>,
    /// Which coordinate is time, with which shapes may move.
    time: Option<usize>,
    /// Names that formulas mention.
    used: BTreeSet<String>,
    /// Formulas read so far.
    formulas: usize,
    /// Operations of the formulas that were taken out of the graph.
    extracted: usize,
}

/// A name as declared: its key, and the value that says what it is.
type Entry<'t> = (&'t Spanned<DeString<'t>>, &'t Value<'t>);

impl<'a> Builder<'a> {
    fn new(sources: &'a Sources, folder: &'a Path, graph: Graph, scope: Scope) -> Self {
        let (items, used) = (Vec::new(), BTreeSet::new());
        Self {
            sources,
            folder,
            items,
            graph,
            scope,
            geometry: None,
            space: vec![],
            time: None,
            used,
            formulas: 0,
            extracted: 0,
        }
    }
}

impl Builder<'_> {
    fn problem(&mut self, table: &Table<'_>) -> Option<Problem> {
        const KEYS: [&str; 15] = [
            "name",
            "title",
            "coordinates",
            "shapes",
            "domain",
            "tables",
            "parameters",
            "definitions",
            "contours",
            "unknowns",
            "network",
            "networks",
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
        let name = self.name(table);
        let title = match table.get("title") {
            Some(value) => self.text(value, "the title").unwrap_or_default().to_owned(),
            None => name.clone(),
        };
        let coordinates = self.entries(table, "coordinates", true);
        let tables = self.entries(table, "tables", false);
        let parameters = self.entries(table, "parameters", false);
        let definitions = self.entries(table, "definitions", false);
        let unknowns = self.entries(table, "unknowns", true);
        self.declare(&coordinates, &tables, &parameters, &definitions, &unknowns)?;
        let table_keys = tables;
        let tables = self.tables(&table_keys);

        let parameter_keys = parameters.clone();
        let (parameters, trainable) = self.parameters(&parameters);
        let coordinate_keys = coordinates;
        let shapes = table.contains_key("domain") || table.contains_key("shapes");
        let mut coordinates = self.coordinates(&coordinate_keys, shapes);
        self.geometry = self.geometry(table, &coordinate_keys, &mut coordinates);
        if shapes && self.geometry.is_none() {
            // Without it neither places nor normals make sense.
            return None;
        }
        self.space.clone_from(&coordinates);
        let unknown_keys: Vec<_> = unknowns.iter().map(|(key, _)| key.span()).collect();
        let (unknowns, values) = self.unknowns(&unknowns, &definitions, &coordinates);
        let definitions = self.definitions(&definitions);
        let contours = self.contours(table, &coordinates);
        let mut training = self.training(table.get("training"), &coordinates);
        let Networks { network, activation, own, features, written: written_features } =
            self.networks(table, &coordinates, &unknowns, &mut training);
        let conditions = self.conditions(table, &coordinates, &unknowns);
        let (reference, solutions) =
            self.reference(table.get("reference"), &coordinates, &unknowns, &parameters, &trainable);

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
        for (k, trainable) in trainable.iter().enumerate() {
            if !conditions.iter().any(|condition| condition.residuals.coefficients().contains(&k)) {
                let message = format!("no residual uses the trainable parameter `{}`", trainable.name);
                let hint = "use it in an equation, or remove it";
                let key = parameter_keys.iter().find(|(key, _)| key.get_ref().as_ref() == trainable.name);
                let span = key.map(|(key, _)| key.span());
                self.report(Diagnostic::error(span, message).hint(hint));
            }
        }
        let values = self.extract(&values);
        self.check_size(&conditions, &features, &training);
        if self.has_errors() {
            return None;
        }
        for kind in ["tables", "parameters", "definitions"] {
            for (key, _) in self.entries(table, kind, false) {
                let name: &str = key.get_ref();
                let derivative = format!("{name}_");
                if !self.used.iter().any(|used| used == name || used.starts_with(&derivative)) {
                    let message = format!("`{name}` is never used");
                    self.report(Diagnostic::warning(key.span(), message));
                }
            }
        }
        if !training.stages.iter().any(Stage::may_vary) {
            for (key, value) in self.entries(table, "conditions", true) {
                let drawn = value.get_ref().as_table().and_then(|table| table.get_key_value("dimensions"));
                if let Some((dimensions, _)) = drawn {
                    let message = format!("`{}` never draws dimensions: no stage is Adam", key.get_ref());
                    self.report(Diagnostic::warning(dimensions.span(), message));
                }
            }
        }
        let left_out = self.lost_jumps(table, &coordinates, &trainable);
        let problem = Problem {
            name,
            title,
            coordinates,
            geometry: self.geometry.take(),
            tables,
            parameters,
            trainable,
            unknowns,
            features,
            values,
            conditions,
            reference,
            network,
            activation: activation?,
            networks: own,
            training,
            written: Written { definitions, contours, features: written_features, solutions },
            left_out,
            trial: None,
        };
        self.check_reference(&problem, table);
        self.check_windows(&problem, table);
        self.check_tables(&problem, table);
        (!self.has_errors()).then_some(problem)
    }

    /// Warns of a reference that the problem's own conditions contradict.
    fn check_reference(&mut self, problem: &Problem, table: &Table<'_>) {
        let reference = table.get("reference").and_then(|value| value.get_ref().as_table());
        let Some(solution) = reference.and_then(|table| table.get("solution")) else { return };
        for consistency::Disagreement { with, left, terms } in consistency::disagreements(problem) {
            let message =
                format!("the reference does not fulfil {with}: {left:.1e} is left of terms of {terms:.1e}");
            let hint = "one of them is not what is meant; errors against such a reference say little";
            self.report(Diagnostic::warning(solution.span(), message).hint(hint));
        }
    }

    /// Can the problem be marched in windows, if it is to be?
    fn check_windows(&mut self, problem: &Problem, table: &Table<'_>) {
        if problem.training.windows.count() == 1 {
            return;
        }
        let training = table.get("training").and_then(|value| value.get_ref().as_table());
        let span = training.and_then(|table| table.get("windows")).map(Spanned::span);
        if let Err(message) = Windows::new(problem) {
            let hint = match problem.training.windows {
                Cut::Equal(_) => "remove `windows`",
                Cut::At(_) => "list other times, or remove `windows`",
            };
            self.report(Diagnostic::error(span, message).hint(hint));
        }
    }

    /// Warns of derivatives of definitions and ansatzes that jump: the derivative of a jump is taken as zero.
    ///
    /// Returns what is said of the first.
    fn lost_jumps(
        &mut self,
        table: &Table<'_>,
        coordinates: &[Coordinate],
        trainable: &[Trainable],
    ) -> Option<String> {
        let mut first = None;
        let entries: Vec<f64> = trainable.iter().map(|t| t.entry(t.initial)).collect();
        for used in self.used.clone() {
            let Some((base, index)) = self.scope.derivative(&used) else { continue };
            let Some(Symbol::Value(Meaning::Definition | Meaning::Unknown, mut node)) = self.scope.get(&base)
            else {
                continue;
            };
            for along in index.coordinates() {
                if let Some(jump::Jump { level, function }) =
                    jump::lost_jump(&mut self.graph, node, along, coordinates, &entries)
                {
                    let key =
                        ["definitions", "unknowns"].map(|kind| self.entries(table, kind, false)).concat();
                    let span =
                        key.iter().find(|(key, _)| key.get_ref().as_ref() == base).map(|(key, _)| key.span());
                    let jumping = if function == Unary::Step { "step" } else { "sign" };
                    let (place, level) = match level {
                        Some(level) => (level.to_string(), level.to_string()),
                        None => (format!("the argument of `{jumping}`"), "a".to_owned()),
                    };
                    let message = format!(
                        "`{used}` leaves out a jump: `{base}` jumps or has a kink where {place} is zero, and the derivative \
                         of a jump is taken as zero"
                    );
                    let Coordinate { lower, upper, .. } = &coordinates[along];
                    let width = Digits(format!("{:.0e}", 0.01 * (upper - lower)).parse().unwrap_or(0.01));
                    let smooth = match function {
                        Unary::Step => format!("(1 + tanh(({level})/{width}))/2"),
                        _ => format!("tanh(({level})/{width})"),
                    };
                    let hint = format!(
                        "write a smooth transition, such as `{smooth}` for `{jumping}({level})`, whose width points can \
                         resolve (of `abs`, `min` and `max` the second derivative jumps)"
                    );
                    first.get_or_insert_with(|| message.clone());
                    self.report(Diagnostic::warning(span, message).hint(hint));
                    break;
                }
                node = self.graph.derivative(node, along);
            }
        }
        first
    }

    /// What engines are going to need for the conditions: derivatives of the features, and numbers for every point.
    fn check_size(&mut self, conditions: &[Condition], features: &Formula, training: &Training) {
        let coordinates = self.scope.coordinates();
        if let Err(message) = check_points(conditions, features.roots.len(), coordinates, training) {
            self.report(Diagnostic::error(None, message));
        }
        if conditions.iter().any(|condition| features.derivatives(&condition.jets).is_none()) {
            let message =
                format!("the derivatives of the features take more than {MAX_OPERATIONS} operations");
            self.report(Diagnostic::error(None, message).hint("simplify `features` in [network]"));
        }
    }

    /// The key `name`, or else the file's stem.
    fn name(&mut self, table: &Table<'_>) -> String {
        if let Some(value) = table.get("name") {
            let name = self.text(value, "the name").unwrap_or_default();
            let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                let message = "the name names folders, so it is made of letters, digits and `-`, `_`, `.`";
                self.report(Diagnostic::error(value.span(), message).hint("for example \"burgers-soft\""));
            }
            return name.to_owned();
        }
        let stem = Path::new(self.sources.name()).file_stem();
        stem.map_or_else(|| "problem".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    // Declarations.

    /// Gives every name its meaning; `None` if what is left makes no sense to read formulas with.
    fn declare(
        &mut self,
        coordinates: &[Entry<'_>],
        tables: &[Entry<'_>],
        parameters: &[Entry<'_>],
        definitions: &[Entry<'_>],
        unknowns: &[Entry<'_>],
    ) -> Option<()> {
        for (entries, what, most) in [
            (coordinates, "coordinates", MAX_COORDINATES),
            (tables, "tables", MAX_TABLES),
            (parameters, "parameters", MAX_FORMULAS),
            (definitions, "definitions", MAX_FORMULAS),
            (unknowns, "unknowns", MAX_UNKNOWNS),
        ] {
            if let Some((key, _)) = entries.get(most) {
                let message = match what {
                    "coordinates" => format!("there are more than {most} coordinates"),
                    _ => format!("{} {what} are too many: at most {most}", entries.len()),
                };
                self.report(Diagnostic::error(key.span(), message));
                return None;
            }
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
        for (key, _) in tables {
            let name: &str = key.get_ref();
            let clash = match self.scope.get(name) {
                _ if coordinates.iter().any(|(known, _)| known.get_ref().as_ref() == name) => {
                    Some(format!("`{name}` is already a coordinate"))
                }
                Some(symbol) => Some(format!("`{name}` is already {}", symbol.meaning().words())),
                None => unusable(name),
            };
            if let Some(message) = clash {
                fine = false;
                self.report(Diagnostic::error(key.span(), message).hint("choose another name"));
            }
        }
        for (key, _) in [tables, parameters, definitions, unknowns].concat() {
            let name: &str = key.get_ref();
            if self.scope.is_derivative(name) {
                fine = false;
                let message = format!("`{name}` is also the name of a derivative");
                self.report(Diagnostic::error(key.span(), message).hint("choose another name"));
            }
        }
        (fine && !coordinates.is_empty() && !unknowns.is_empty()).then_some(())
    }

    fn parameters(&mut self, entries: &[Entry<'_>]) -> (Vec<(String, f64)>, Vec<Trainable>) {
        let (mut parameters, mut trainables) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            let name: &str = key.get_ref();
            if let DeValue::Table(table) = value.get_ref() {
                let trainable = self.trainable(name, value, table);
                let symbol = match &trainable {
                    Some(trainable) => {
                        let entry = self.graph.insert(Node::Coefficient(trainables.len()));
                        let node = if trainable.positive {
                            self.graph.unary(Unary::Exp, entry)
                        } else {
                            let unit = self.graph.constant(trainable.unit());
                            self.graph.binary(Binary::Mul, unit, entry)
                        };
                        Symbol::Value(Meaning::Trainable, node)
                    }
                    None => Symbol::Broken(Meaning::Trainable),
                };
                self.scope.set(name, symbol);
                trainables.extend(trainable);
                continue;
            }
            let symbol = match self.number(value, &format!("the parameter `{name}`")) {
                Some(x) => {
                    parameters.push((name.to_owned(), x));
                    Symbol::Value(Meaning::Parameter, self.graph.constant(x))
                }
                None => Symbol::Broken(Meaning::Parameter),
            };
            self.scope.set(name, symbol);
        }
        (parameters, trainables)
    }

    /// A parameter that is found by training.
    fn trainable(&mut self, name: &str, value: &Value<'_>, table: &Table<'_>) -> Option<Trainable> {
        const BOUNDS: [&str; 8] = ["min", "max", "lower", "upper", "bounds", "range", "from", "to"];
        let bound = table.keys().find(|key| BOUNDS.contains(&key.get_ref().as_ref()));
        if let Some(key) = bound {
            let message = format!("`{}`: parameters to be found have no bounds", key.get_ref());
            let hint = format!(
                "`positive = true` keeps one above zero; for others train another one, say `a`, and define \
                 `{name} = \"low + (high - low)*sigmoid(a)\"`"
            );
            self.report(Diagnostic::error(key.span(), message).hint(hint));
            // One such mistake says it all.
            return None;
        }
        self.check_keys(table, "a trainable parameter", &["initial", "positive", "true"]);
        let positive = match table.get("positive") {
            Some(value) => {
                let positive = value.get_ref().as_bool();
                if positive.is_none() {
                    let message = format!("`positive` is true or false, not {}", article(value.get_ref()));
                    self.report(Diagnostic::error(value.span(), message));
                }
                positive?
            }
            None => false,
        };
        let Some(initial) = table.get("initial") else {
            if !misspelt(table, "initial") {
                let message = format!("the trainable parameter `{name}` has no initial value");
                let hint = "a known parameter is a number; one to be found is written { initial = 0.1 }";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
            return None;
        };
        let mut number = |value: &Value<'_>, what: &str| {
            let x = self.number(value, &format!("the {what} value of `{name}`"))?;
            if positive && x <= 0.0 {
                let message =
                    format!("the {what} value of `{name}` is {}, but it is to stay positive", Digits(x));
                self.report(Diagnostic::error(value.span(), message));
                return None;
            }
            Some(x)
        };
        let initial = number(initial, "initial");
        let truth = match table.get("true") {
            Some(value) => Some(number(value, "true")?),
            None => None,
        };
        Some(Trainable { name: name.to_owned(), initial: initial?, positive, truth })
    }

    /// The coordinates; where there are `shapes`, those of space need no domain and have NaN for it until it is known.
    fn coordinates(&mut self, entries: &[Entry<'_>], shapes: bool) -> Vec<Coordinate> {
        let mut coordinates = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let mut unit = String::new();
            let domain = match value.get_ref() {
                DeValue::Table(table) => {
                    self.check_keys(table, "a coordinate", &["domain", "unit", "count"]);
                    if let Some(count) = table.get("count") {
                        // What is a number has done its work.
                        let message = format!("`count` is a whole number from 1 to {MAX_COORDINATES}");
                        let hint =
                            format!("`{name} = {{ domain = [0, 1], count = 10 }}` is {name}1 to {name}10");
                        self.report(Diagnostic::error(count.span(), message).hint(hint));
                    }
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
                None if value.get_ref().as_table().is_some_and(|table| misspelt(table, "domain")) => None,
                None if shapes && !is_time(name) => None,
                _ => {
                    let span = domain.map_or(key.span(), Spanned::span);
                    let message = format!("the coordinate `{name}` has no domain");
                    let hint = "give its two ends, for example [0, 1]";
                    self.report(Diagnostic::error(span, message).hint(hint));
                    None
                }
            };
            let span = domain.map_or(key.span(), Spanned::span);
            let ends = ends.filter(|&(lower, upper)| {
                let width = upper - lower;
                let scales = [2.0 / width, width, lower + upper];
                let wrong = if lower >= upper {
                    let message =
                        format!("the domain of `{name}` is empty: [{}, {}]", Digits(lower), Digits(upper));
                    Diagnostic::error(span, message).hint("the first end is below the second")
                } else if scales.iter().any(|x| !x.is_finite()) {
                    let message = format!(
                        "the domain [{}, {}] of `{name}` is beyond double precision",
                        Digits(lower),
                        Digits(upper)
                    );
                    Diagnostic::error(span, message).hint("choose another unit")
                } else {
                    return true;
                };
                self.report(wrong);
                false
            });
            // Where the domain is wrong, NaN keeps checks that build on it silent.
            let (lower, upper) = ends.unwrap_or((f64::NAN, f64::NAN));
            coordinates.push(Coordinate { name: name.to_owned(), lower, upper, unit });
        }
        coordinates
    }

    fn unknowns(
        &mut self,
        entries: &[Entry<'_>],
        definitions: &[Entry<'_>],
        coordinates: &[Coordinate],
    ) -> (Vec<Unknown>, Vec<NodeId>) {
        self.definitions_without_unknowns(definitions);
        let (mut unknowns, mut values) = (Vec::new(), Vec::new());
        for (output, (key, value)) in entries.iter().enumerate() {
            let name: &str = key.get_ref();
            let raw = self.graph.insert(Node::Jet { output, index: MultiIndex::VALUE, side: 0 });
            let mut unit = String::new();
            let (mut region, mut of) = (None, None);
            let ansatz = match value.get_ref() {
                DeValue::Table(table) => {
                    self.check_keys(table, "an unknown", &["ansatz", "of", "unit", "region"]);
                    unit = self.unit(table);
                    of = table.get("of").and_then(|value| self.function_of(name, value, coordinates));
                    region = table.get("region").and_then(|value| self.home(value, coordinates));
                    table.get("ansatz")
                }
                _ => Some(*value),
            };
            if let Some(of) = &of {
                let others = (0..coordinates.len()).filter(|i| !of.contains(i));
                others.for_each(|coordinate| self.graph.set_absent(output, coordinate));
                self.scope.set_depends(name, of);
            }
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
                if node.is_some_and(|node| self.graph.looks_elsewhere(&[node])) {
                    let message = format!("the ansatz of `{name}` holds an integral of the network");
                    let hint =
                        "an ansatz reads its network at the point itself; state the integral as a condition";
                    self.report(Diagnostic::error(value.span(), message).hint(hint));
                    node = None;
                }
                if let (Some(root), Some(of)) = (node, &of)
                    && !self.reads_no_other("its ansatz", root, (name, of), coordinates, value)
                {
                    node = None;
                }
            }
            self.scope.set(name, known(Meaning::Unknown, node));
            values.push(node.unwrap_or(raw));
            unknowns.push(Unknown { name: name.to_owned(), ansatz: written, of, unit, region });
        }
        // Below they may use one another in the order of the text alone.
        for (key, _) in definitions {
            self.scope.set(key.get_ref(), Symbol::Later(Meaning::Definition));
        }
        // From here on `net` is known by name, so that its use elsewhere is explained.
        if let Some(&raw) = values.first() {
            self.scope.set("net", Symbol::Value(Meaning::Output, raw));
        }
        (unknowns, values)
    }

    /// Lets ansatzes use the definitions that need no unknown; the others stay to come.
    ///
    /// All of them are read again when the unknowns are known, and only then is said what is wrong with them.
    fn definitions_without_unknowns(&mut self, entries: &[Entry<'_>]) {
        for (key, value) in entries {
            let before = (self.items.len(), self.formulas);
            let is_to_come = |scope: &Scope, name: &str| {
                let base = scope.derivative(name).map_or_else(|| name.to_owned(), |(base, _)| base);
                matches!(scope.get(&base), Some(Symbol::Later(Meaning::Unknown | Meaning::Definition)))
            };
            let mut waits = false;
            let node = self.expr(value).and_then(|(expr, _)| {
                expr.names(&mut |name| waits |= is_to_come(&self.scope, name));
                if waits { None } else { self.formula(value, ANSATZ) }
            });
            if !waits {
                let node = node.map(|(node, _)| node);
                self.scope.set(key.get_ref(), known(Meaning::Definition, node));
            }
            if self.graph.nodes().len() > MAX_OPERATIONS {
                // That has been said, and nothing can be read again.
                return;
            }
            self.items.truncate(before.0);
            self.formulas = before.1;
        }
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

    /// Formulas whose zeros are drawn and can be asked for, by names that nothing else has.
    fn contours(&mut self, table: &Table<'_>, coordinates: &[Coordinate]) -> Vec<(String, String)> {
        let entries = self.entries(table, "contours", false);
        if let Some((key, _)) = entries.get(MAX_UNKNOWNS) {
            let message = format!("{} contours are too many: at most {MAX_UNKNOWNS}", entries.len());
            self.report(Diagnostic::error(key.span(), message));
            return vec![];
        }
        let mut contours = vec![];
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let meaning = self
                .scope
                .get(name)
                .map(|symbol| format!("`{name}` is already {}", symbol.meaning().words()));
            let clash = meaning.or_else(|| unusable(name));
            if let Some(message) = clash {
                self.report(Diagnostic::error(key.span(), message).hint("choose another name"));
            }
            if let Some((root, written)) = self.formula(value, CONTOUR) {
                self.check_reach(root, value.span(), None, coordinates);
                contours.push((name.to_owned(), written));
            }
        }
        contours
    }
}

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
