//! What names mean, and the way from syntax tree to graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ast::{Expr, Integral, Kind};
use super::names::{Names, is_time, joined, listed, listed_or, plural};
use super::parse::parse_in;
use super::quadrature::{self, Nodes, Rule};
use super::{Binary, Composed, Error, Graph, Node, NodeId, closest, foreign, function_names, parse};
use crate::jet::{MAX_ORDER, MultiIndex};
use crate::limits::{MAX_FORMULA_MISTAKES, MAX_OPERATIONS, MAX_PLACES};
use crate::tabulated::Tabulated;

/// The names a formula may use.
///
/// A name is looked up whole first; failing that as a derivative: an unknown or a definition,
/// an underscore, then names of coordinates in a row (`u_xxt`, or `u_x1_x2` with underscores between).
#[derive(Clone, Default, Debug)]
pub struct Scope {
    coordinates: Vec<String>,
    symbols: BTreeMap<String, Symbol>,
    /// Functions that are known by tables; `None` where one was declared wrongly, which has been reported.
    tables: BTreeMap<String, Option<Arc<Tabulated>>>,
    /// Unknowns that depend on some coordinates only, and which.
    depend: BTreeMap<String, Vec<usize>>,
    /// The normal of walls, where the domain has any; no coordinates where formulas stand that do not lie on one.
    normal: Option<Normal>,
    /// What the integrals around run over besides coordinates.
    bound: Vec<String>,
    /// The places that integrals run over, by their texts and numbers of nodes.
    rules: BTreeMap<(String, Option<usize>), Arc<Rule>>,
    /// How many nodes integrals have for each that they usually have, if that is not one.
    times: Option<f64>,
    /// Where formulas are asked of a trained network: names that stand alone, and the formulas that they stand for.
    asked: Option<Vec<(String, Vec<String>)>>,
}

/// The normal of walls, by its components.
#[derive(Clone, Default, Debug)]
pub struct Normal {
    /// Their names.
    pub names: Vec<String>,
    /// The coordinates that they are along, and their nodes; empty where there is no wall.
    pub along: Vec<(usize, NodeId)>,
}

/// What a name is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Meaning {
    /// A coordinate.
    Coordinate,
    /// A known number.
    Parameter,
    /// A number that is found by training.
    Trainable,
    /// A named part of formulas.
    Definition,
    /// A function that is solved for.
    Unknown,
    /// A column of a data file.
    Data,
    /// The raw output of the network, `net`.
    Output,
}

impl Meaning {
    /// The meaning in words, with its article.
    pub fn words(self) -> &'static str {
        match self {
            Self::Coordinate => "a coordinate",
            Self::Parameter => "a parameter",
            Self::Trainable => "a trainable parameter",
            Self::Definition => "a definition",
            Self::Unknown => "an unknown",
            Self::Data => "a data column",
            Self::Output => "the network's raw output",
        }
    }
}

/// A name's meaning and value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Symbol {
    /// A value in the graph.
    Value(Meaning, NodeId),
    /// Declared, but only further below: not to be used yet.
    Later(Meaning),
    /// Declared wrongly, which has been reported: nothing more is said about it.
    Broken(Meaning),
}

impl Symbol {
    /// What the name is.
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Value(meaning, _) | Self::Later(meaning) | Self::Broken(meaning) => meaning,
        }
    }
}

/// What an integral runs over.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Which number of a point it is: a coordinate, or behind them a name that an integral has for itself.
    place: usize,
    /// Lower end.
    from: NodeId,
    /// Upper end.
    to: NodeId,
}

/// Where a formula stands, which decides what it may use.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The place in words, with its article: `an ansatz`.
    pub place: &'static str,
    /// What may be used there.
    pub allowed: &'static [Meaning],
}

impl Names for Scope {
    fn is_declared(&self, name: &str) -> bool {
        self.symbols.contains_key(name)
    }

    fn is_differentiable(&self, name: &str) -> bool {
        let meaning = self.get(name).map(Symbol::meaning);
        matches!(meaning, Some(Meaning::Unknown | Meaning::Definition))
    }

    fn is_derivative(&self, name: &str) -> bool {
        !self.derivatives(name).is_empty()
    }

    fn coordinates(&self) -> Vec<&str> {
        self.coordinates.iter().map(String::as_str).collect()
    }

    fn space_of(&self, name: &str) -> Vec<&str> {
        let base = self.derivative(name).map_or_else(|| name.to_owned(), |(base, _)| base);
        let own = self.depend.get(&base);
        let all = self.coordinates.iter().enumerate();
        all.filter(|(i, name)| !is_time(name) && own.is_none_or(|own| own.contains(i)))
            .map(|(_, name)| name.as_str())
            .collect()
    }

    fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    fn tables(&self) -> Vec<&str> {
        self.tables.keys().map(String::as_str).collect()
    }

    fn is_table(&self, name: &str) -> bool {
        !self.is_declared(name) && self.tabulated(name).is_some()
    }
}

impl Scope {
    /// A scope of coordinates alone, their nodes in `graph`.
    pub fn new(graph: &mut Graph, coordinates: &[&str]) -> Self {
        let mut scope = Self::default();
        for (coordinate, &name) in coordinates.iter().enumerate() {
            let node = graph.insert(Node::Coordinate { coordinate, side: 0 });
            scope.coordinates.push(name.to_owned());
            scope.set(name, Symbol::Value(Meaning::Coordinate, node));
        }
        scope
    }

    /// Gives `name` a meaning, in place of one it had.
    pub fn set(&mut self, name: &str, symbol: Symbol) {
        self.symbols.insert(name.to_owned(), symbol);
    }

    /// Says that the unknown `name` depends on these coordinates only.
    pub fn set_depends(&mut self, name: &str, coordinates: &[usize]) {
        self.depend.insert(name.to_owned(), coordinates.to_vec());
    }

    /// Which coordinates an unknown depends on, if they are not all.
    fn missing(&self, base: &str, index: MultiIndex) -> Option<(&[usize], usize)> {
        let own = self.depend.get(base)?;
        index.coordinates().find(|i| !own.contains(i)).map(|missing| (&own[..], missing))
    }

    /// Gives `name` the meaning of a function that is known by a table; of one that was declared wrongly if there is none.
    pub fn set_table(&mut self, name: &str, table: Option<Arc<Tabulated>>) {
        self.tables.insert(name.to_owned(), table);
    }

    /// The function that is called `name`, or a derivative of which is, and how often that is taken along each argument.
    fn tabulated(&self, name: &str) -> Option<(Option<&Arc<Tabulated>>, MultiIndex)> {
        if let Some(table) = self.tables.get(name) {
            return Some((table.as_ref(), MultiIndex::VALUE));
        }
        let mut readings = BTreeSet::new();
        for (at, _) in name.match_indices('_') {
            match self.tables.get_key_value(&name[..at]) {
                Some((_, None)) => return Some((None, MultiIndex::VALUE)),
                Some((base, Some(table))) => {
                    let indices = readings_of(&table.arguments, &name[at + 1..]);
                    readings.extend(indices.into_iter().map(|index| (base.as_str(), index)));
                }
                None => {}
            }
        }
        let mut readings = readings.into_iter();
        let (base, index) = readings.next()?;
        readings.next().is_none().then(|| (self.tables[base].as_ref(), index))
    }

    /// Gives the components of the normal their names, and `u_n` its meaning.
    pub fn set_normal(&mut self, normal: Normal) {
        for (name, &(_, node)) in normal.names.iter().zip(&normal.along) {
            self.set(name, Symbol::Value(Meaning::Data, node));
        }
        self.normal = Some(normal);
    }

    /// What `name` is the derivative of along the normal, where it is read as one: `u` for `u_n`.
    pub(crate) fn along_normal<'a>(&self, name: &'a str) -> Option<&'a str> {
        self.normal.as_ref()?;
        let base = name.strip_suffix("_n")?;
        (!self.is_declared(name) && Names::is_differentiable(self, base)).then_some(base)
    }

    /// Says how integrals over the place `text` with so many nodes are computed.
    pub(crate) fn set_rule(&mut self, text: &str, nodes: Option<usize>, rule: Rule) {
        self.rules.insert((text.to_owned(), nodes), Arc::new(rule));
    }

    /// Is it known how integrals over a place are computed?
    pub(crate) fn has_rule(&self, text: &str, nodes: Option<usize>) -> bool {
        self.rules.contains_key(&(text.to_owned(), nodes))
    }

    /// Lets integrals have `times` as many nodes as their formulas say, from now on.
    pub(crate) fn multiply_nodes(&mut self, times: f64) {
        self.times = Some(times);
    }

    /// How many nodes an integral has that asks for so many.
    pub(crate) fn nodes(&self, asked: Option<usize>) -> Nodes {
        Nodes { asked, times: self.times.unwrap_or(1.0) }
    }

    /// Nothing more can be declared: formulas are asked of a trained network.
    ///
    /// `residuals` are names of conditions, which are asked for alone and are no part of a formula, with what is zero there.
    pub fn ask(&mut self, residuals: Vec<(String, Vec<String>)>) {
        self.asked = Some(residuals);
    }

    /// What `name` is as a whole.
    pub fn get(&self, name: &str) -> Option<Symbol> {
        self.symbols.get(name).copied()
    }

    /// How many coordinates there are.
    pub fn coordinates(&self) -> usize {
        self.coordinates.len()
    }

    /// The name of a coordinate.
    pub fn coordinate(&self, which: usize) -> &str {
        &self.coordinates[which]
    }

    /// Are formulas asked of a trained network, so that nothing more can be declared?
    pub fn is_asked(&self) -> bool {
        Names::is_asked(self)
    }

    /// Is `name` read as a derivative where it is not declared?
    pub fn is_derivative(&self, name: &str) -> bool {
        Names::is_derivative(self, name)
    }

    /// Is `name` a function that is known by a table, or a derivative of one?
    pub fn is_table(&self, name: &str) -> bool {
        Names::is_table(self, name)
    }

    /// What `name` is the derivative of, and which one, where it is read as one in a single way.
    pub(crate) fn derivative(&self, name: &str) -> Option<(String, MultiIndex)> {
        let mut readings = self.derivatives(name).into_iter().filter(|_| !self.is_declared(name));
        let (base, index) = readings.next()?;
        readings.next().is_none().then(|| (base.to_owned(), index))
    }

    /// [Parses](super::parse) a formula over the names of this scope, which helps to explain mistakes.
    ///
    /// # Errors
    ///
    /// Every mistake found, in the order of the text.
    pub fn parse(&self, text: &str) -> Result<Expr, Vec<Error>> {
        parse_in(text, self)
    }

    /// Writes a syntax tree into `graph`.
    ///
    /// # Errors
    ///
    /// Mistakes go to `errors`; `None` says that something is wrong, here or (already reported) in a name's declaration.
    pub fn lower(
        &self,
        expr: &Expr,
        graph: &mut Graph,
        context: Context,
        errors: &mut Vec<Error>,
    ) -> Option<NodeId> {
        if errors.len() >= MAX_FORMULA_MISTAKES {
            return None;
        }
        match &expr.kind {
            Kind::Number(x) => Some(graph.constant(*x)),
            Kind::Name(name) => match self.resolve(name, graph, context) {
                Ok(node) => node,
                Err((message, hint)) => {
                    tell(errors, Error { span: expr.span.clone(), message, hint });
                    None
                }
            },
            Kind::Unary(f, a) => {
                let a = self.lower(a, graph, context, errors)?;
                Some(graph.unary(*f, a))
            }
            Kind::Binary(f, a, b) => {
                // Both sides are read before giving up, so that mistakes in both are reported.
                let a = self.lower(a, graph, context, errors);
                let b = self.lower(b, graph, context, errors);
                Some(graph.binary(*f, a?, b?))
            }
            Kind::Call(function, arguments) => {
                let lowered: Vec<_> =
                    arguments.iter().map(|a| self.lower(a, graph, context, errors)).collect();
                let lowered: Option<Vec<_>> = lowered.into_iter().collect();
                Some(composed(function, &lowered?, graph))
            }
            Kind::Table(name, arguments) => {
                let lowered: Vec<_> =
                    arguments.iter().map(|a| self.lower(a, graph, context, errors)).collect();
                let lowered: Option<Vec<_>> = lowered.into_iter().collect();
                let (table, index) = self.tabulated(name)?;
                match looked_up(name, table?, index, &lowered?, graph) {
                    Ok(node) => Some(node),
                    Err((message, hint)) => {
                        tell(errors, Error { span: expr.span.clone(), message, hint: Some(hint) });
                        None
                    }
                }
            }
            Kind::At(name, arguments) => {
                let lowered: Vec<_> =
                    arguments.iter().map(|a| self.lower(a, graph, context, errors)).collect();
                let lowered: Option<Vec<_>> = lowered.into_iter().collect();
                let node = match self.resolve(name, graph, context) {
                    Ok(node) => node?,
                    Err((message, hint)) => {
                        tell(errors, Error { span: expr.span.clone(), message, hint });
                        return None;
                    }
                };
                match self.value_at(name, node, &lowered?, graph) {
                    Ok(node) => Some(node),
                    Err((message, hint)) => {
                        tell(errors, Error { span: expr.span.clone(), message, hint: Some(hint) });
                        None
                    }
                }
            }
            Kind::Integral(integral) if integral.place.is_some() => {
                self.over_place(integral, expr, graph, context, errors)
            }
            Kind::Integral(integral) => {
                let (integrand, over) = self.integrand(integral, expr, graph, context, errors)?;
                match self.integral(integral, integrand, &over, graph) {
                    Ok(node) => Some(node),
                    Err((message, hint)) => {
                        tell(errors, Error { span: expr.span.clone(), message, hint: Some(hint) });
                        None
                    }
                }
            }
        }
    }

    /// What `name`, which stands for `node`, is at a place.
    fn value_at(
        &self,
        name: &str,
        node: NodeId,
        place: &[NodeId],
        graph: &mut Graph,
    ) -> Result<NodeId, (String, String)> {
        let base = self.derivative(name).map_or_else(|| name.to_owned(), |(base, _)| base);
        let all: Vec<usize> = (0..self.coordinates.len()).collect();
        let own = self.depend.get(&base).unwrap_or(&all);
        if place.len() != own.len() {
            let names: Vec<&str> = own.iter().map(|&i| self.coordinates[i].as_str()).collect();
            let message = format!(
                "`{name}` is a function of {}, and has {} {} here",
                listed(&names),
                place.len(),
                plural(place.len(), "argument")
            );
            return Err((message, format!("write `{name}({})`, with values of these", names.join(", "))));
        }
        if let Some(message) = moved_by_training(place, graph) {
            return Err((message, ENDS.to_owned()));
        }
        let mut point = self.own_point(graph);
        own.iter().zip(place).for_each(|(&i, &at)| point[i] = at);
        graph.at(node, &point, self.coordinates.len()).ok_or_else(too_many)
    }

    /// The coordinates, and what integrals around run over.
    fn own_point(&self, graph: &mut Graph) -> Vec<NodeId> {
        let all = 0..self.coordinates.len() + self.bound.len();
        all.map(|coordinate| graph.insert(Node::Coordinate { coordinate, side: 0 })).collect()
    }

    /// Makes `name` one that an integral has for itself: a number behind the point's coordinates.
    fn bind(&mut self, name: &str, graph: &mut Graph) -> NodeId {
        let coordinate = self.coordinates.len() + self.bound.len();
        let node = graph.insert(Node::Coordinate { coordinate, side: 0 });
        self.bound.push(name.to_owned());
        // Whatever may stand in a formula, known numbers may.
        self.set(name, Symbol::Value(Meaning::Parameter, node));
        node
    }

    /// The integrand, and what it is integrated over.
    fn integrand(
        &self,
        integral: &Integral,
        expr: &Expr,
        graph: &mut Graph,
        context: Context,
        errors: &mut Vec<Error>,
    ) -> Option<(NodeId, Vec<Bounds>)> {
        let mut inner = self.clone();
        let mut over = vec![];
        let mut fine = true;
        for span in &integral.over {
            let ends = [&span.from, &span.to].map(|end| inner.lower(end, graph, context, errors));
            let ends = match ends {
                [Some(from), Some(to)] => Some((from, to)),
                _ => None,
            };
            fine &= ends.is_some();
            if let Some((from, to)) = ends
                && let Some(message) = moved_by_training(&[from, to], graph)
            {
                tell(errors, Error { span: expr.span.clone(), message, hint: Some(ENDS.to_owned()) });
                fine = false;
            }
            let name = &span.variable;
            let place = match inner.coordinates.iter().position(|known| known == name) {
                Some(coordinate) => coordinate,
                None => {
                    let what = match inner.get(name) {
                        _ if inner.bound.contains(name) => None,
                        Some(symbol) => Some(symbol.meaning().words()),
                        _ if inner.is_derivative(name) => Some("a derivative"),
                        _ if inner.is_table(name) => Some("a table"),
                        _ if inner.counted(name).is_some() => Some("several coordinates"),
                        _ => None,
                    };
                    if let Some(what) = what {
                        let message = format!("`{name}` is {what}: an integral cannot run over it");
                        let hint = "it runs over a coordinate, or over a name of its own such as `s`";
                        tell(errors, Error { span: expr.span.clone(), message, hint: Some(hint.to_owned()) });
                        fine = false;
                    }
                    inner.bind(name, graph);
                    inner.coordinates.len() + inner.bound.len() - 1
                }
            };
            over.extend(ends.map(|(from, to)| Bounds { place, from, to }));
        }
        let integrand = inner.lower(&integral.integrand, graph, context, errors)?;
        fine.then_some((integrand, over))
    }

    /// An integral over a place.
    fn over_place(
        &self,
        integral: &Integral,
        expr: &Expr,
        graph: &mut Graph,
        context: Context,
        errors: &mut Vec<Error>,
    ) -> Option<NodeId> {
        let Some(Expr { kind: Kind::Name(text), span }) = &integral.place else { return None };
        let Some(rule) = self.rules.get(&(text.clone(), integral.nodes)) else {
            let message =
                format!("an integral over `{}` cannot stand in {}", text.escape_debug(), context.place);
            tell(errors, Error { span: span.clone(), message, hint: None });
            return None;
        };
        let mut inner = self.clone();
        let mut along = vec![];
        for (name, &axis) in rule.normal.iter().zip(&rule.axes) {
            along.push((axis, inner.bind(name, graph)));
        }
        if !along.is_empty() {
            inner.normal = Some(Normal { names: rule.normal.clone(), along });
        }
        let integrand = inner.lower(&integral.integrand, graph, context, errors)?;
        let (own, space) = (self.own_point(graph), self.coordinates.len());
        let mut summands = vec![];
        for (values, weight) in &rule.nodes {
            let mut point = own.clone();
            let (place, normal) = values.split_at(rule.axes.len());
            rule.axes.iter().zip(place).for_each(|(&axis, &x)| point[axis] = graph.constant(x));
            point.extend(normal.iter().map(|&x| graph.constant(x)));
            let Some(value) = graph.at(integrand, &point, space) else {
                let (message, hint) = too_many();
                tell(errors, Error { span: expr.span.clone(), message, hint: Some(hint) });
                return None;
            };
            let weight = graph.constant(*weight);
            summands.push(graph.binary(Binary::Mul, weight, value));
        }
        let sum = sum_of(summands, graph);
        graph.set_whole(sum);
        Some(sum)
    }

    /// The sum that an integral is computed by.
    fn integral(
        &self,
        integral: &Integral,
        integrand: NodeId,
        over: &[Bounds],
        graph: &mut Graph,
    ) -> Result<NodeId, (String, String)> {
        let size = quadrature::size(over.len(), self.nodes(integral.nodes));
        if size > MAX_PLACES {
            let message = format!("the integral takes {size} places, more than {MAX_PLACES}");
            return Err((message, "take fewer nodes: they are counted along every variable".to_owned()));
        }
        let own = self.own_point(graph);
        let space = self.coordinates.len();
        let mut terms = vec![];
        for (unit, weight) in quadrature::rule(over.len(), self.nodes(integral.nodes)) {
            let mut point = own.clone();
            let mut measure = graph.constant(1.0);
            for (&Bounds { place, from, to }, share) in over.iter().zip(unit) {
                if point.len() <= place {
                    let bound = point.len()..=place;
                    point.extend(
                        bound.map(|coordinate| graph.insert(Node::Coordinate { coordinate, side: 0 })),
                    );
                }
                let from = graph.at(from, &point, space).ok_or_else(too_many)?;
                let to = graph.at(to, &point, space).ok_or_else(too_many)?;
                let length = graph.binary(Binary::Sub, to, from);
                measure = graph.binary(Binary::Mul, measure, length);
                let share = graph.constant(share);
                let along = graph.binary(Binary::Mul, share, length);
                point[place] = graph.binary(Binary::Add, from, along);
            }
            let value = graph.at(integrand, &point, space).ok_or_else(too_many)?;
            terms.push((weight, measure, value));
        }
        let same = terms.iter().all(|(_, measure, _)| *measure == terms[0].1);
        let summands: Vec<NodeId> = terms
            .iter()
            .map(|&(weight, measure, value)| {
                let weight = graph.constant(weight);
                let product = graph.binary(Binary::Mul, weight, value);
                if same { product } else { graph.binary(Binary::Mul, measure, product) }
            })
            .collect();
        let sum = sum_of(summands, graph);
        let sum = if same { graph.binary(Binary::Mul, terms[0].1, sum) } else { sum };
        graph.set_whole(sum);
        Ok(sum)
    }

    /// The node of a name, `None` if its declaration is broken, or message and hint.
    fn resolve(
        &self,
        name: &str,
        graph: &mut Graph,
        context: Context,
    ) -> Result<Option<NodeId>, (String, Option<String>)> {
        if let Some(symbol) = self.get(name) {
            return self.value(name, symbol, context);
        }
        if let Some((table, _)) = self.tabulated(name) {
            let Some(table) = table else { return Ok(None) };
            let message = format!("`{name}` is a function that a table gives, and has no arguments here");
            return Err((message, Some(format!("write `{name}({})`", table.arguments.join(", ")))));
        }
        if name == "pi" || name == "π" {
            return Ok(Some(graph.constant(core::f64::consts::PI)));
        }
        if let Some(base) = self.along_normal(name) {
            return self.normal_derivative(name, base, graph, context);
        }
        let readings = self.derivatives(name);
        let mut distinct = readings.iter();
        let Some(&(base, index)) = distinct.next() else {
            return Err(self.unknown(name, context));
        };
        if distinct.next().is_some() {
            let hint = "rename a coordinate, or set underscores between coordinates".to_owned();
            return Err((format!("`{name}` can be read as more than one derivative"), Some(hint)));
        }
        let symbol = self.symbols[base];
        let Some(mut node) = self.value(base, symbol, context)? else {
            return Ok(None);
        };
        if let Some((own, missing)) = self.missing(base, index) {
            let own: Vec<&str> = own.iter().map(|&i| self.coordinates[i].as_str()).collect();
            let missing = &self.coordinates[missing];
            let message = format!("`{base}` depends on {} alone: `{name}` is zero everywhere", listed(&own));
            let hint = if self.is_asked() {
                "leave it out".to_owned()
            } else {
                format!(
                    "leave it out, or add \"{missing}\" to the coordinates that `{base}` is a function `of`"
                )
            };
            return Err((message, Some(hint)));
        }
        let inner = graph.order(node);
        let order = inner + index.order();
        if order > MAX_ORDER {
            let mut message = format!("`{name}` has order {order}, derivatives go up to order {MAX_ORDER}");
            if inner > 0 {
                message += &format!(" (`{base}` itself holds derivatives)");
            }
            let hint = (!self.is_asked()).then(|| {
                format!(
                    "make an intermediate quantity an unknown of its own, for example `w` with the residual `w - {base}_{}`",
                    self.coordinates[index.coordinates().next().unwrap_or(0)].repeat(2)
                )
            });
            return Err((message, hint));
        }
        for coordinate in index.coordinates() {
            node = graph.derivative(node, coordinate);
            // Looked at after every derivative, each of which can multiply the operations.
            if graph.nodes().len() > MAX_OPERATIONS {
                let message =
                    format!("with `{name}` the formulas take more than {MAX_OPERATIONS} operations");
                let hint = if self.is_asked() {
                    "ask for a derivative of lower order".to_owned()
                } else {
                    format!("simplify `{base}`, or make parts of it unknowns of their own")
                };
                return Err((message, Some(hint)));
            }
        }
        Ok(Some(node))
    }

    /// n·∇ of `base`, which is written `name`.
    fn normal_derivative(
        &self,
        name: &str,
        base: &str,
        graph: &mut Graph,
        context: Context,
    ) -> Result<Option<NodeId>, (String, Option<String>)> {
        let along = self.normal.as_ref().map_or(&[][..], |normal| &normal.along);
        let names = self.normal.as_ref().map_or(&[][..], |normal| &normal.names);
        let known =
            |name: &String| self.get(name).is_some_and(|symbol| context.allowed.contains(&symbol.meaning()));
        if along.is_empty() || !names.iter().all(known) {
            return Err(no_normal(&format!("`{name}` is the derivative along the normal")));
        }
        let mut sum = None;
        for &(coordinate, component) in along {
            // A function of fewer coordinates does not change along the others.
            let own = self.depend.get(base);
            if own.is_some_and(|own| !own.contains(&coordinate)) {
                continue;
            }
            let derivative = format!("{base}_{}", self.coordinates[coordinate]);
            let Some(derivative) = self.resolve(&derivative, graph, context)? else { return Ok(None) };
            let term = graph.binary(Binary::Mul, component, derivative);
            sum = Some(sum.map_or(term, |sum| graph.binary(Binary::Add, sum, term)));
        }
        Ok(Some(sum.unwrap_or_else(|| graph.constant(0.0))))
    }

    fn value(
        &self,
        name: &str,
        symbol: Symbol,
        context: Context,
    ) -> Result<Option<NodeId>, (String, Option<String>)> {
        let meaning = symbol.meaning();
        if !context.allowed.contains(&meaning) {
            let message = format!("`{name}` is {}, which {} cannot use", meaning.words(), context.place);
            let mut hint = allowed_words(context);
            if meaning == Meaning::Trainable {
                hint += "; what a trainable parameter comes to is not known beforehand";
            }
            return Err((message, Some(hint)));
        }
        match symbol {
            Symbol::Value(_, node) => Ok(Some(node)),
            Symbol::Broken(_) => Ok(None),
            Symbol::Later(Meaning::Definition) if !context.allowed.contains(&Meaning::Unknown) => Err((
                format!("`{name}` needs an unknown, which {} cannot use", context.place),
                Some("make what it needs of coordinates and parameters a definition of its own".to_owned()),
            )),
            Symbol::Later(_) => Err((
                format!("`{name}` is used before it is declared"),
                Some(format!("move `{name}` above this line")),
            )),
        }
    }

    /// Message and hint for a name that means nothing.
    fn unknown(&self, name: &str, context: Context) -> (String, Option<String>) {
        let alone = self.asked.iter().flatten();
        if let Some((_, residuals)) = alone.clone().find(|(condition, _)| condition == name) {
            let message = format!("`{name}` is a condition, whose residual is asked for alone");
            let written: Vec<_> = residuals.iter().map(|residual| format!("({residual})")).collect();
            return (message, Some(format!("in a formula write it out: {}", listed_or(&written))));
        }
        if self.normal.as_ref().is_some_and(|normal| normal.names.iter().any(|known| known == name)) {
            return no_normal(&format!("`{name}` is a component of the normal"));
        }
        // The longest known name before an underscore was probably meant to be differentiated.
        let base = name
            .rmatch_indices('_')
            .map(|(at, _)| (&name[..at], &name[at + 1..]))
            .find_map(|(base, rest)| Some((base, rest, self.get(base)?)));
        if let Some((base, rest, symbol)) = base {
            let coordinates = listed(&self.coordinates);
            // Two of a coordinate that is counted are a Laplacian, more of it are written with sums.
            let counted = (1..=rest.len()).rev().find_map(|n| {
                let one = rest.get(..n)?;
                (one.repeat(rest.len() / n) == rest).then(|| Some((one, self.counted(one)?)))?
            });
            if let Some((one, count)) = counted {
                let message = format!("`{rest}` in `{name}`: there are `{one}1` to `{one}{count}`");
                let twice = if rest.len() == 2 * one.len() {
                    format!(", `laplacian({base})`")
                } else {
                    String::new()
                };
                let [first, each] = ["1", "[i]"].map(|k| rest.replace(one, &format!("{one}{k}")));
                return (message, Some(format!("write `{base}_{first}`{twice} or `sum({base}_{each}, i)`")));
            }
            return match symbol.meaning() {
                Meaning::Unknown | Meaning::Definition => (
                    format!("`{rest}` in `{name}` is not a row of coordinates"),
                    Some(format!("the coordinates are {coordinates}{}", self.columns())),
                ),
                meaning => (
                    format!("`{name}`: `{base}` is {}, which has no derivatives", meaning.words()),
                    Some("derivatives are taken of unknowns and definitions".to_owned()),
                ),
            };
        }
        if let Some(count) = self.counted(name) {
            let message = format!("unknown symbol `{name}`: there are `{name}1` to `{name}{count}`");
            return (message, Some(format!("write one of them, or a sum such as `sum({name}[i], i)`")));
        }
        if let Some((message, hint)) = foreign::name(name, self) {
            return (message, Some(hint));
        }
        let derivative = name.split_once('_').filter(|(_, rest)| !self.readings(rest).is_empty());
        let differentiable =
            |symbol: &Symbol| matches!(symbol.meaning(), Meaning::Unknown | Meaning::Definition);
        let near_derivative = derivative.and_then(|(base, rest)| {
            let known = self.symbols.iter().filter(|(_, symbol)| differentiable(symbol));
            let near = closest(base, known.map(|(name, _)| name.as_str()))?;
            Some(format!("{near}_{rest}"))
        });
        let near = near_derivative.or_else(|| {
            let usable =
                self.symbols.iter().filter(|(_, symbol)| context.allowed.contains(&symbol.meaning()));
            let mut names: Vec<&str> = usable.map(|(name, _)| name.as_str()).collect();
            names.extend(alone.map(|(condition, _)| condition.as_str()));
            names.push("pi");
            // One by one: the functions' names live longer than the scope's.
            for function in function_names() {
                names.push(function);
            }
            closest(name, names).map(str::to_owned)
        });
        match (near, derivative) {
            (Some(near), _) => (format!("unknown symbol `{name}`"), Some(format!("did you mean `{near}`?"))),
            _ if self.is_asked() => (format!("unknown symbol `{name}`"), Some(self.askable(context))),
            (None, Some((base, _))) => (
                format!("`{name}` is a derivative of `{base}`, which is not an unknown"),
                Some(format!("declare `{base}` under [unknowns]")),
            ),
            (None, None) => (
                format!("unknown symbol `{name}`"),
                Some("declare it under [parameters], [definitions] or [unknowns]".to_owned()),
            ),
        }
    }

    /// How many coordinates `name`1, `name`2, … there are, if there are some and none is called `name`.
    fn counted(&self, name: &str) -> Option<usize> {
        let known = |name: &str| self.coordinates.iter().any(|known| known == name);
        let count = (1..).take_while(|k| known(&format!("{name}{k}"))).count();
        (count > 1 && !known(name)).then_some(count)
    }

    /// What can be asked for where `context` stands, for a hint.
    fn askable(&self, context: Context) -> String {
        let allowed = |meaning| context.allowed.contains(&meaning);
        let coordinates = self.coordinates.iter().filter(|_| allowed(Meaning::Coordinate));
        let others = self
            .symbols
            .iter()
            .filter(|(_, symbol)| symbol.meaning() != Meaning::Coordinate && allowed(symbol.meaning()));
        let names: Vec<_> = coordinates.chain(others.map(|(name, _)| name)).collect();
        if names.is_empty() {
            return "write a number".to_owned();
        }
        let unknowns = self
            .symbols
            .iter()
            .filter(|(_, symbol)| symbol.meaning() == Meaning::Unknown && allowed(Meaning::Unknown));
        let derivative = unknowns.map(|(name, _)| name).zip(&self.coordinates).next();
        let derivative =
            derivative.map_or(String::new(), |(u, x)| format!(", and derivatives such as `{u}_{x}`"));
        format!("the names are {}{derivative}", listed(&names))
    }

    /// The columns of the data file, where there is one, for a hint.
    fn columns(&self) -> String {
        let data = self.symbols.iter().filter(|(_, symbol)| symbol.meaning() == Meaning::Data);
        let names: Vec<_> = self.coordinates.iter().chain(data.map(|(name, _)| name)).collect();
        if names.len() == self.coordinates.len() {
            return String::new();
        }
        format!("; the file's columns are {}", listed(&names))
    }

    /// Every way to read `name` as a derivative of an unknown or a definition.
    fn derivatives(&self, name: &str) -> BTreeSet<(&str, MultiIndex)> {
        let mut readings = BTreeSet::new();
        for (at, _) in name.match_indices('_') {
            let Some((base, symbol)) = self.symbols.get_key_value(&name[..at]) else {
                continue;
            };
            if matches!(symbol.meaning(), Meaning::Unknown | Meaning::Definition) {
                let indices = self.readings(&name[at + 1..]);
                readings.extend(indices.into_iter().map(|index| (base.as_str(), index)));
            }
        }
        readings
    }

    /// Every way to read `text` as names of coordinates in a row, underscores allowed between them.
    fn readings(&self, text: &str) -> BTreeSet<MultiIndex> {
        readings_of(&self.coordinates, text)
    }
}

/// Every way to read `text` as some of `names` in a row, underscores allowed between them.
fn readings_of(names: &[String], text: &str) -> BTreeSet<MultiIndex> {
    // Longer subscripts are no derivatives anyone takes; the limit also keeps the counts in their bytes.
    if text.is_empty() || text.len() > 64 {
        return BTreeSet::new();
    }
    let mut reached = vec![BTreeSet::new(); text.len() + 1];
    reached[0].insert(MultiIndex::VALUE);
    for at in 0..text.len() {
        if reached[at].is_empty() {
            continue;
        }
        let mut start = at;
        if at > 0 && text.as_bytes()[at] == b'_' {
            start += 1;
        }
        for (coordinate, name) in names.iter().enumerate() {
            if text[start..].starts_with(name.as_str()) {
                let longer: Vec<_> = reached[at].iter().map(|i: &MultiIndex| i.plus(coordinate)).collect();
                reached[start + name.len()].extend(longer);
            }
        }
    }
    reached.pop().unwrap_or_default()
}

/// The sum of some nodes, by twos, so that no formula is as deep as there are nodes.
fn sum_of(mut summands: Vec<NodeId>, graph: &mut Graph) -> NodeId {
    while summands.len() > 1 {
        let pair = |pair: &[NodeId]| match *pair {
            [a, b] => graph.binary(Binary::Add, a, b),
            _ => pair[0],
        };
        summands = summands.chunks(2).map(pair).collect();
    }
    summands.first().copied().unwrap_or_else(|| graph.constant(0.0))
}

/// Adds a mistake, if there is none yet at its place: the terms of a sum stand at one.
fn tell(errors: &mut Vec<Error>, error: Error) {
    if errors.iter().all(|known| known.span != error.span) {
        errors.push(error);
    }
}

/// What integrals run over, and where names are read, is known before training.
const ENDS: &str = "these are formulas of coordinates, known parameters and data columns";

/// What is said where a place depends on what is trained.
fn moved_by_training(place: &[NodeId], graph: &Graph) -> Option<String> {
    let trained = |node: &Node| matches!(node, Node::Jet { .. } | Node::Coefficient(_));
    let needed = graph.reachable(place);
    let depends = graph.nodes().iter().zip(needed).any(|(node, needed)| needed && trained(node));
    depends
        .then(|| "an integral's ends and the places in it cannot depend on what training changes".to_owned())
}

/// What is said where an integral is too long.
fn too_many() -> (String, String) {
    let message = format!(
        "with this integral the formulas take more than {MAX_OPERATIONS} operations, or read networks at more than \
         {MAX_PLACES} places"
    );
    (message, "take fewer `nodes`".to_owned())
}

/// The node of a function that a table gives, or message and hint; `index` is the derivative that `name` names.
fn looked_up(
    name: &str,
    table: &Arc<Tabulated>,
    index: MultiIndex,
    arguments: &[NodeId],
    graph: &mut Graph,
) -> Result<NodeId, (String, String)> {
    let takes = table.arguments.len();
    if arguments.len() != takes {
        let words = ["one argument", "two arguments", "three arguments"][takes - 1];
        let hint = format!("write `{name}({})`", table.arguments.join(", "));
        return Err((format!("`{name}` takes {words}, not {}", arguments.len()), hint));
    }
    let trained = |node: &Node| matches!(node, Node::Jet { .. } | Node::Coefficient(_));
    let needed = graph.reachable(arguments);
    if graph.nodes().iter().zip(needed).any(|(node, needed)| needed && trained(node)) {
        let message = format!("`{name}` is asked for at what training changes");
        let hint = "a table is a function of coordinates, known parameters and data columns; write one of an unknown as a \
                    formula";
        return Err((message, hint.to_owned()));
    }
    let orders: Vec<u8> = (0..takes).map(|a| index.get(a) as u8).collect();
    Ok(graph.table(table, &orders, arguments))
}

/// A function in terms of others, at `arguments`.
fn composed(function: &Composed, arguments: &[NodeId], graph: &mut Graph) -> NodeId {
    const INSIDE: Context = Context { place: "a function", allowed: &[Meaning::Parameter] };
    let mut scope = Scope::default();
    for (name, &node) in function.arguments.iter().zip(arguments) {
        scope.set(name, Symbol::Value(Meaning::Parameter, node));
    }
    let meaning = parse(function.meaning).expect("the table was read by a test");
    let node = scope.lower(&meaning, graph, INSIDE, &mut Vec::new());
    node.expect("a function's formula uses its arguments alone")
}

/// "allowed here: …"
/// Message and hint for a normal that is asked for where there is none.
fn no_normal(what: &str) -> (String, Option<String>) {
    let hint =
        "write it in the residual of a condition whose place is a wall, such as \"wall\" or \"wall of hole\"";
    (format!("{what}, and only walls have one"), Some(hint.to_owned()))
}

fn allowed_words(context: Context) -> String {
    let words: Vec<_> = context
        .allowed
        .iter()
        // Whoever may use known parameters need not be told that there are others.
        .filter(|&&meaning| meaning != Meaning::Trainable)
        .map(|meaning| match meaning {
            Meaning::Coordinate => "coordinates",
            Meaning::Parameter | Meaning::Trainable => "parameters",
            Meaning::Definition => "definitions",
            Meaning::Unknown => "unknowns",
            Meaning::Data => "data columns",
            Meaning::Output => "`net`",
        })
        .collect();
    format!("it may use {}", joined(&words, "and"))
}

#[cfg(test)]
mod tests {
    use super::super::{FIRST_PLACE, parse};
    use super::*;

    const ANYWHERE: Context = Context {
        place: "this formula",
        allowed: &[Meaning::Coordinate, Meaning::Parameter, Meaning::Definition, Meaning::Unknown],
    };

    /// Unknowns `u` and `w_1`, a parameter `nu` = 2, a definition `flux` = u²/2, and these coordinates.
    fn scope(coordinates: &[&str]) -> (Scope, Graph) {
        let mut graph = Graph::default();
        let mut scope = Scope::new(&mut graph, coordinates);
        let nu = graph.constant(2.0);
        scope.set("nu", Symbol::Value(Meaning::Parameter, nu));
        for (output, name) in ["u", "w_1"].into_iter().enumerate() {
            let index = MultiIndex::VALUE;
            let node = graph.insert(Node::Jet { output, index, side: 0 });
            scope.set(name, Symbol::Value(Meaning::Unknown, node));
        }
        let flux = parse("u^2/2").unwrap();
        let flux = scope.lower(&flux, &mut graph, ANYWHERE, &mut Vec::new()).unwrap();
        scope.set("flux", Symbol::Value(Meaning::Definition, flux));
        scope.set("later", Symbol::Later(Meaning::Parameter));
        scope.set("net", Symbol::Value(Meaning::Output, flux));
        (scope, graph)
    }

    fn check(coordinates: &[&str], text: &str, expected: &str) {
        let (scope, mut graph) = scope(coordinates);
        let mut errors = Vec::new();
        let node = scope.lower(&parse(text).unwrap(), &mut graph, ANYWHERE, &mut errors);
        let shown = match node {
            Some(node) => graph
                .to_expr(node, 100, &|leaf| match leaf {
                    Node::Jet { output, index, .. } => {
                        let along: Vec<_> = index.coordinates().map(|i| i.to_string()).collect();
                        format!("{}[{}]", ["u", "w"][output], along.concat())
                    }
                    Node::Coordinate { coordinate, .. } => coordinates[coordinate].to_owned(),
                    _ => "?".to_owned(),
                })
                .unwrap()
                .to_string(),
            None => errors
                .iter()
                .map(|e| format!("{} → {}", e.message, e.hint.as_deref().unwrap_or("")))
                .collect::<Vec<_>>()
                .join("; "),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn subscripts_are_rows_of_coordinates() {
        check(&["x", "t"], "u_xxt", "u[001]");
        check(&["x", "t"], "u_txx", "u[001]");
        check(&["x", "t"], "u_x_x_t", "u[001]");
        check(&["x1", "x2"], "u_x1x2", "u[01]");
        check(&["x1", "x2"], "u_x1_x2", "u[01]");
        check(&["x", "t"], "w_1_x", "w[0]");
        check(
            &["x", "xx"],
            "u_xx",
            "`u_xx` can be read as more than one derivative → rename a coordinate, or set underscores between coordinates",
        );
        check(
            &["x", "xx"],
            "u_x_xx_x",
            "`u_x_xx_x` can be read as more than one derivative → rename a coordinate, or set underscores between coordinates",
        );
        check(&["ξ", "τ"], "u_ξξτ", "u[001]");
    }

    #[test]
    fn definitions_are_differentiated_in_total() {
        check(&["x", "t"], "flux_x", "2*u[]*u[0]/2");
        check(&["x", "t"], "u_t + flux_x - nu*u_xx", "u[1] + 2*u[]*u[0]/2 - 2*u[00]");
    }

    #[test]
    fn unknown_names_are_explained() {
        let xt = ["x", "t"];
        check(&xt, "u_y", "`y` in `u_y` is not a row of coordinates → the coordinates are `x` and `t`");
        check(
            &xt,
            "nu_x",
            "`nu_x`: `nu` is a parameter, which has no derivatives → derivatives are taken of unknowns and definitions",
        );
        check(
            &xt,
            "x_t",
            "`x_t`: `x` is a coordinate, which has no derivatives → derivatives are taken of unknowns and definitions",
        );
        check(
            &xt,
            "v_x",
            "`v_x` is a derivative of `v`, which is not an unknown → declare `v` under [unknowns]",
        );
        check(&xt, "fluc_x", "unknown symbol `fluc_x` → did you mean `flux_x`?");
        check(&xt, "flx", "unknown symbol `flx` → did you mean `flux`?");
        check(
            &xt,
            "qqq",
            "unknown symbol `qqq` → declare it under [parameters], [definitions] or [unknowns]",
        );
        check(&xt, "later", "`later` is used before it is declared → move `later` above this line");
        check(
            &xt,
            "net",
            "`net` is the network's raw output, which this formula cannot use → it may use coordinates, parameters, definitions and unknowns",
        );
        check(
            &xt,
            "a + b",
            "unknown symbol `a` → declare it under [parameters], [definitions] or [unknowns]; unknown symbol `b` → declare it under [parameters], [definitions] or [unknowns]",
        );
    }

    /// The value of a formula at (x, t), where u = exp(x + 2t) and every derivative is what it is.
    fn value(text: &str, point: [f64; 2]) -> f64 {
        let (mut scope, mut graph) = scope(&["x", "t"]);
        let names: &[(&str, &str)] =
            &[("I", "integral(u, x = 0..x)"), ("K", "integral(exp(s - x)*u(s, t), s = t..x)")];
        for (name, text) in names {
            let expr = scope.parse(text).unwrap();
            let node = scope.lower(&expr, &mut graph, ANYWHERE, &mut vec![]).unwrap();
            scope.set(name, Symbol::Value(Meaning::Definition, node));
        }
        let mut errors = vec![];
        let expr = scope.parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let root = scope.lower(&expr, &mut graph, ANYWHERE, &mut errors);
        let root = root.unwrap_or_else(|| panic!("{text}: {errors:?}"));
        // What is taken out of the graph, and what is put into another one, is the same.
        let (lean, roots) = graph.extract(&[root]);
        let mut other = Graph::default();
        let roots = lean.transplant(&roots, &mut other, |graph, leaf| graph.insert(leaf));
        let mut values = vec![];
        let at = |node: Node, place: [f64; 2]| match node {
            Node::Coordinate { coordinate, .. } => point[coordinate],
            Node::Jet { index, .. } => 2_f64.powi(index.get(1) as i32) * (place[0] + 2.0 * place[1]).exp(),
            _ => f64::NAN,
        };
        other.eval(&mut values, |node| at(node, point));
        let places: Vec<[f64; 2]> =
            other.places().iter().map(|place| [0, 1].map(|i| values[place[i].index()])).collect();
        other.eval(&mut values, |node| match node {
            Node::Jet { side, .. } if side >= FIRST_PLACE => at(node, places[side - FIRST_PLACE]),
            node => at(node, point),
        });
        values[roots[0].index()]
    }

    #[test]
    fn integrals_and_their_derivatives_are_what_they_are() {
        let (x, t) = (0.7_f64, 0.3_f64);
        let u = |x: f64, t: f64| (x + 2.0 * t).exp();
        let check = |text: &str, expected: f64| {
            let found = value(text, [x, t]);
            assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{text}: {found} {expected}");
        };
        check("integral(u, x = 0..1)", u(1.0, t) - u(0.0, t));
        check("integral(u, x = 0..x)", u(x, t) - u(0.0, t));
        check("integral(u(s, t), s = 0..x)", u(x, t) - u(0.0, t));
        check("integral(u, s = 0..2)", 2.0 * u(x, t));
        check("integral(u_t(s, 2*t), s = 0..x)", 2.0 * (u(x, 2.0 * t) - u(0.0, 2.0 * t)));
        check("integral(u, x = x..0)", u(0.0, t) - u(x, t));
        check("integral(u, x = t..t)", 0.0);
        // The second variable's end is the first one's value.
        check("integral(1, s = 0..x, r = 0..s)", x * x / 2.0);
        check("integral(u, x = 0..1, t = 0..x)", ((3_f64.exp() - 1.0) / 3.0 - (1_f64.exp() - 1.0)) / 2.0);
        check("integral(integral(u, x = 0..s), s = 0..x)", u(x, t) - u(0.0, t) - x * u(0.0, t));
        // Shadows: the inner `s` is not the outer one.
        check("integral(s + integral(s, s = 0..1), s = 0..1)", 1.0);
        check("integral(1 + s*x, s = 0..1, x = 0..2)", 2.0 + 1.0);
        let three = value("integral(1 + s*r*x, s = 0..1, r = 0..1, x = 0..2)", [x, t]);
        assert!((three - 2.5).abs() < 1e-4, "{three}");
        // Leibniz's rule: ends move.
        check("I_x", u(x, t));
        check("I_xx", u(x, t));
        check("I_t", 2.0 * (u(x, t) - u(0.0, t)));
        let k = |x: f64, t: f64| (-x).exp() * ((2.0 * x + 2.0 * t).exp() - (4.0 * t).exp()) / 2.0;
        check("K", k(x, t));
        check("K_x", u(x, t) - k(x, t));
        check("K_t", 2.0 * k(x, t) - (t - x).exp() * u(t, t));
        // A rule of two nodes is exact for cubics, and for no more.
        check("integral(s^3, s = 0..1, nodes = 2)", 0.25);
        assert!((value("integral(s^4, s = 0..1, nodes = 2)", [x, t]) - 0.2).abs() > 1e-3);
    }

    #[test]
    fn orders_above_four_are_refused() {
        let hint = "make an intermediate quantity an unknown of its own, for example `w` with the residual `w - u_xx`";
        check(&["x"], "u_xxxx", "u[0000]");
        check(&["x"], "u_xxxxx", &format!("`u_xxxxx` has order 5, derivatives go up to order 4 → {hint}"));
        let many = format!("u_{}", "x".repeat(60));
        check(&["x"], &many, &format!("`{many}` has order 60, derivatives go up to order 4 → {hint}"));
        let more = format!("u_{}", "x".repeat(600));
        check(
            &["x"],
            &more,
            &format!("`{}` in `{more}` is not a row of coordinates → the coordinates are `x`", &more[2..]),
        );
    }
}
