//! A problem's conditions as people wrote them: over the unknowns and their derivatives, in the units of the file.
//!
//! What engines get has the ansatz put in and is divided by scales; here are the equations themselves, for who asks what a
//! solution leaves of them, or how large their terms are.
//! This file knows problems; it does not know where in a file anything was written.

use std::path::Path;

use super::{ANSATZ, Builder, DEFINITION, RESIDUAL};
use crate::expr::{Binary, Graph, Meaning, Node, NodeId, Normal, Scope, Symbol};
use crate::jet::MultiIndex;
use crate::problem::diagnostic::Sources;
use crate::problem::model::{Condition, Formula, Problem};
use crate::problem::place::Place;

/// Names as the problem's formulas use them, an unknown being a [`Node::Jet`] of its own.
pub(crate) struct Equations {
    scope: Scope,
    graph: Graph,
}

impl Equations {
    /// The language of `problem`, with a value for every trainable parameter; where there is none it stays a
    /// [`Node::Coefficient`].
    ///
    /// `None` if a formula cannot be read again, which no problem that was built has.
    pub(crate) fn new(problem: &Problem, trainable: impl Fn(usize) -> Option<f64>) -> Option<Self> {
        let mut graph = Graph::default();
        let names: Vec<_> = problem.coordinates.iter().map(|c| c.name.as_str()).collect();
        let mut scope = Scope::new(&mut graph, &names);
        problem.declare_tables(&mut scope);
        for (name, value) in &problem.parameters {
            scope.set(name, Symbol::Value(Meaning::Parameter, graph.constant(*value)));
        }
        for (k, parameter) in problem.trainable.iter().enumerate() {
            let node = match trainable(k) {
                Some(value) => graph.constant(value),
                None => graph.insert(Node::Coefficient(k)),
            };
            scope.set(&parameter.name, Symbol::Value(Meaning::Trainable, node));
        }
        for (output, unknown) in problem.unknowns.iter().enumerate() {
            let others = (0..names.len()).filter(|&coordinate| !unknown.depends_on(coordinate));
            others.for_each(|coordinate| graph.set_absent(output, coordinate));
            let node = graph.insert(Node::Jet { output, index: MultiIndex::VALUE, side: 0 });
            scope.set(&unknown.name, Symbol::Value(Meaning::Unknown, node));
        }
        let definitions = problem.written.definitions.iter().map(|(_, text)| text);
        let written = problem.conditions.iter().flat_map(|condition| &condition.written);
        let ansatzes = problem.unknowns.iter().filter_map(|unknown| unknown.ansatz.as_ref());
        for text in definitions.chain(written).chain(ansatzes).filter(|text| text.contains(OVER)) {
            scope = with_rules(problem, scope, &graph, text);
        }
        for (name, text) in &problem.written.definitions {
            let node = scope.lower(&scope.parse(text).ok()?, &mut graph, DEFINITION, &mut vec![])?;
            scope.set(name, Symbol::Value(Meaning::Definition, node));
        }
        Some(Self { scope, graph })
    }

    /// What `condition` wants to be zero: a root for each of its residuals, in their order.
    ///
    /// `None` if a formula cannot be read again.
    pub(crate) fn residuals(&self, problem: &Problem, condition: &Condition) -> Option<Formula> {
        let mut graph = self.graph.clone();
        if let Some(coordinate) = condition.place.periodic() {
            let order = condition.periodic_order(problem);
            let mut roots = vec![];
            for output in problem.repeating(coordinate) {
                let mut index = MultiIndex::VALUE;
                for _ in 0..=order {
                    let [low, high] = [0, 1].map(|side| graph.insert(Node::Jet { output, index, side }));
                    roots.push(graph.binary(Binary::Sub, low, high));
                    index = index.plus(coordinate);
                }
            }
            return Some(extracted(&graph, &roots));
        }
        let mut scope = self.scope.clone();
        enter(&mut scope, &mut graph, &condition.place);
        let mut lower =
            |text: &String| scope.lower(&scope.parse(text).ok()?, &mut graph, RESIDUAL, &mut vec![]);
        let roots: Vec<NodeId> = condition.written.iter().map(&mut lower).collect::<Option<_>>()?;
        Some(extracted(&graph, &roots))
    }

    /// An unknown less its ansatz without the network; `None` if it has no ansatz.
    pub(super) fn rest_of_ansatz(&self, problem: &Problem, output: usize) -> Option<Formula> {
        let written = problem.unknowns[output].ansatz.as_ref()?;
        let (mut graph, mut scope) = (self.graph.clone(), self.scope.clone());
        scope.set("net", Symbol::Value(Meaning::Output, graph.constant(0.0)));
        let ansatz = scope.lower(&scope.parse(written).ok()?, &mut graph, ANSATZ, &mut vec![])?;
        let unknown = graph.insert(Node::Jet { output, index: MultiIndex::VALUE, side: 0 });
        let rest = graph.binary(Binary::Sub, unknown, ansatz);
        Some(extracted(&graph, &[rest]))
    }
}

/// The word before the place of an integral.
const OVER: &str = "over";

/// `scope` with the nodes and weights of the places that integrals in `text` run over.
fn with_rules(problem: &Problem, scope: Scope, graph: &Graph, text: &str) -> Scope {
    let Ok(expr) = scope.parse(text) else { return scope };
    let sources = Sources::new("", "");
    let mut builder = Builder::new(&sources, Path::new(""), graph.clone(), scope);
    builder.geometry.clone_from(&problem.geometry);
    builder.space.clone_from(&problem.coordinates);
    // What cannot be made now was refused when the problem was built.
    let _ = builder.places_of_integrals(&expr);
    builder.scope
}

/// Gives the columns that come with the points of `place` their names, and `u_n` its meaning on walls.
pub(super) fn enter(scope: &mut Scope, graph: &mut Graph, place: &Place) {
    let nodes: Vec<NodeId> =
        (0..place.columns().len()).map(|column| graph.insert(Node::Data(column))).collect();
    for (name, &node) in place.columns().iter().zip(&nodes) {
        scope.set(name, Symbol::Value(Meaning::Data, node));
    }
    if !place.normal().is_empty() {
        let along = place.normal().iter().copied().zip(nodes).collect();
        scope.set_normal(Normal { names: place.columns().to_vec(), along });
    }
}

fn extracted(graph: &Graph, roots: &[NodeId]) -> Formula {
    let (graph, roots) = graph.extract(roots);
    Formula { graph, roots }
}
