//! What a problem's formulas may say, after the build: more formulas, places and numbers in the same language, with
//! the same messages.

use core::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::conditions::scaled;
use super::{Builder, DEFINITION, RESIDUAL};
use crate::expr::{Context, Error, Expr, Graph, Meaning, Node, Normal, Scope, Symbol};
use crate::limits::MAX_OPERATIONS;
use crate::problem::diagnostic::{Diagnostic, Diagnostics, Sources};
use crate::problem::file::{Document, Value};
use crate::problem::geometry::Geometry;
use crate::problem::model::{Condition, Formula, Problem};
use crate::problem::place::{Coordinate, Place};
use crate::tabulated::Tabulated;

/// What is asked of a trained network may use what a definition may.
const QUANTITY: Context = Context { place: "a quantity", allowed: DEFINITION.allowed };

/// The same, and the normal.
const QUANTITY_ON_WALLS: Context = Context { place: "a quantity", allowed: RESIDUAL.allowed };

/// The names of a problem, and what they stand for.
#[derive(Clone, Debug)]
pub struct Language {
    graph: Graph,
    scope: Scope,
    coordinates: Vec<Coordinate>,
    geometry: Option<Geometry>,
    features: Formula,
}

/// The problem as a file.
fn written_out(problem: &Problem) -> Document {
    Document::parse("resolved.toml", &problem.to_toml()).expect("a problem writes TOML")
}

/// A builder that knows all names of `problem`, which is written in `document`; in it integrals have `times` as many nodes.
fn reader<'a>(problem: &Problem, document: &'a Document, times: f64) -> Builder<'a> {
    let mut builder = Builder::new(document.sources(), Path::new(""), Graph::default(), Scope::default());
    let table = document.merged(|_, _| true);
    let mut entries = |key, required| builder.entries(&table, key, required);
    let (coordinates, parameters) = (entries("coordinates", true), entries("parameters", false));
    let (definitions, unknowns) = (entries("definitions", false), entries("unknowns", true));
    builder
        .declare(&coordinates, &[], &parameters, &definitions, &unknowns)
        .expect("what a problem declares has been checked");
    builder.scope.multiply_nodes(times);
    // The numbers are those that the problem has, whatever has become of their files.
    problem.declare_tables(&mut builder.scope);
    builder.parameters(&parameters);
    builder.geometry.clone_from(&problem.geometry);
    builder.space.clone_from(&problem.coordinates);
    builder.unknowns(&unknowns, &definitions, &problem.coordinates);
    builder.definitions(&definitions);
    builder
}

/// How many nodes for each that there is, to see how far integrals are off.
pub(crate) const OTHER_NODES: [f64; 3] = [2.0, 1.5, 0.75];

impl Problem {
    /// Is there an integral in a definition, an ansatz or a condition?
    ///
    /// Integrals of known functions are sums of numbers once they are read: of them only the text knows.
    pub(crate) fn writes_integrals(&self) -> bool {
        let texts = self.written.definitions.iter().map(|(_, text)| text);
        let texts = texts.chain(self.unknowns.iter().filter_map(|unknown| unknown.ansatz.as_ref()));
        let mut texts = texts.chain(self.conditions.iter().flat_map(|condition| &condition.written));
        texts.any(|text| text.contains("integral"))
    }

    /// The problem with other nodes in the integrals of its conditions, by which one sees how far they are off: twice as
    /// many, or where these are more than a problem may have, as many as it may, or fewer.
    ///
    /// `None` if no condition has integrals, and for windows of time, whose problems are others.
    pub(crate) fn with_other_nodes(&self) -> Option<Self> {
        if self.training.windows.count() > 1 || !self.writes_integrals() {
            return None;
        }
        let document = written_out(self);
        let other = OTHER_NODES.iter().find_map(|&times| self.with_nodes(&document, times))?;
        let differ = |(own, other): (&Condition, &Condition)| own.residuals != other.residuals;
        self.conditions.iter().zip(&other.conditions).any(differ).then_some(other)
    }

    /// The problem with `times` as many nodes in the integrals of its conditions; `None` where these are too many.
    fn with_nodes(&self, document: &Document, times: f64) -> Option<Self> {
        let mut builder = reader(self, document, times);
        let mut other = self.clone();
        for condition in other.conditions.iter_mut().filter(|condition| !condition.written.is_empty()) {
            let written =
                condition.written.iter().map(|text| Spanned::new(0..0, DeValue::String(text.into())));
            let list = Spanned::new(0..0, DeValue::Array(written.collect()));
            let (_, residuals) = builder.residuals(&list, Some(&condition.place), &self.coordinates)?;
            condition.residuals = scaled(residuals, &condition.scales);
            condition.jets = condition.residuals.jets();
        }
        (!builder.has_errors()).then_some(other)
    }
}

impl Language {
    /// The language of `problem`: its names are declared again, as it would write them.
    pub fn new(problem: &Problem) -> Self {
        Self::with_nodes(problem, 1.0)
    }

    /// The same, in which integrals have `times` as many nodes.
    pub(crate) fn with_nodes(problem: &Problem, times: f64) -> Self {
        let document = written_out(problem);
        let builder = reader(problem, &document, times);
        debug_assert!(!builder.has_errors(), "a problem writes what it reads");
        let Builder { mut graph, mut scope, .. } = builder;
        // Others have no residual at a point, or none without data.
        let alone = problem.conditions.iter().filter(|c| c.place.periodic().is_none() && !c.uses_data());
        scope.ask(alone.map(|condition| (condition.name.clone(), condition.written.clone())).collect());
        if let Some(geometry) = &problem.geometry {
            // Whoever asks for a normal brings it along with the points.
            let axes = geometry.domain.bounds().map(|(i, _)| i);
            let nodes = axes.enumerate().map(|(column, i)| (i, graph.insert(Node::Data(column))));
            scope.set_normal(Normal { names: geometry.normal().to_vec(), along: nodes.collect() });
        }
        let (coordinates, features) = (problem.coordinates.clone(), problem.features.clone());
        Self { graph, scope, coordinates, geometry: problem.geometry.clone(), features }
    }

    /// Gives a table's function of one coordinate a name that stands for its value at the point, if it is free.
    pub(crate) fn declare_curve(&mut self, table: Tabulated) {
        let Some(along) = self.coordinates.iter().position(|c| c.name == table.arguments[0]) else { return };
        let name = table.name.clone();
        if !self.knows(&name) && !self.scope.is_table(&name) {
            let at = self.graph.insert(Node::Coordinate { coordinate: along, side: 0 });
            let node = self.graph.table(&Arc::new(table), &[0], &[at]);
            self.scope.set(&name, Symbol::Value(Meaning::Definition, node));
        }
    }

    /// Does `name` mean something by itself in a formula: a coordinate, a parameter, an unknown, a derivative, …?
    pub fn knows(&self, name: &str) -> bool {
        self.scope.get(name).is_some()
            || self.scope.is_derivative(name)
            || self.scope.along_normal(name).is_some()
    }

    /// What `name` is the derivative of, and along which coordinates, each as often as it is taken; `n` is the normal.
    pub fn derivative(&self, name: &str) -> Option<(String, Vec<String>)> {
        if let Some(base) = self.scope.along_normal(name) {
            return Some((base.to_owned(), vec!["n".to_owned()]));
        }
        let (base, index) = self.scope.derivative(name)?;
        Some((base, index.coordinates().map(|i| self.coordinates[i].name.clone()).collect()))
    }

    /// A formula as a syntax tree.
    ///
    /// # Errors
    ///
    /// Every mistake found, in the order of the text.
    pub fn parse(&self, text: &str) -> Result<Expr, Vec<Error>> {
        self.scope.parse(text)
    }

    /// The columns of data that formulas may ask for: the components of the normal, where there are walls.
    pub fn columns(&self) -> &[String] {
        self.geometry.as_ref().map_or(&[], Geometry::normal)
    }

    /// Compiles a formula over coordinates, parameters, definitions, unknowns and their derivatives, as one root; what it
    /// asks for beyond them are [columns](Self::columns) of data, by their numbers.
    ///
    /// `source` says in messages where `text` was written.
    ///
    /// # Errors
    ///
    /// Every mistake in the formula.
    pub fn formula(&self, source: &str, text: &str) -> Result<Formula, Diagnostics> {
        self.read(source, text, |builder, value| {
            let context = if self.geometry.is_some() { QUANTITY_ON_WALLS } else { QUANTITY };
            let (root, _) = builder.formula(value, context)?;
            builder.check_reach(root, value.span(), None, &self.coordinates);
            let formula = builder.extract(&[root]);
            if self.features.derivatives(&formula.jets()).is_none() {
                let message =
                    format!("the derivatives of the features take more than {MAX_OPERATIONS} operations");
                let hint = "ask for derivatives of lower order";
                builder.report(Diagnostic::error(value.span(), message).hint(hint));
            }
            Some(formula)
        })
    }

    /// A place as in a condition: `interior`, or where some coordinates have fixed values, such as `x = 1, t = 0.5`.
    ///
    /// # Errors
    ///
    /// If the text is no such place.
    pub fn place(&self, source: &str, text: &str) -> Result<Place, Diagnostics> {
        self.read(source, text, |builder, value| builder.place(value, &self.coordinates))
    }

    /// A finite number, or a formula over known parameters that is one; `what` names it in messages.
    ///
    /// # Errors
    ///
    /// If it is no finite number.
    pub fn number(&self, source: &str, text: &str, what: &str) -> Result<f64, Diagnostics> {
        self.read(source, text, |builder, value| builder.number(value, what))
    }

    /// Has a builder that knows all names read `text`, as if it stood in a problem file.
    fn read<T>(
        &self,
        source: &str,
        text: &str,
        read: impl FnOnce(&mut Builder<'_>, &Value<'_>) -> Option<T>,
    ) -> Result<T, Diagnostics> {
        let sources = Sources::new(source, text);
        let whole: Range<usize> = 0..text.len();
        let value = Spanned::new(whole, DeValue::String(text.into()));
        let mut builder = Builder::new(&sources, Path::new(""), self.graph.clone(), self.scope.clone());
        builder.geometry.clone_from(&self.geometry);
        builder.space.clone_from(&self.coordinates);
        let read = read(&mut builder, &value);
        let items = builder.items;
        match read {
            Some(read) if items.is_empty() => Ok(read),
            _ => Err(Diagnostics { sources, items }),
        }
    }
}
