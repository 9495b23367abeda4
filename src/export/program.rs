//! A trained network as a short program of plain arithmetic.
//!
//! Coordinates become inputs by formulas, inputs go through dense layers with their derivatives, and formulas over the raw
//! outputs (the ansatz, definitions, exact conditions, residuals) give the values.
//! Where time is cut into windows there is such a piece for each of them, and a piece that goes on from another one asks
//! it for a few numbers at their joint.
//! What it is printed as, the formats know; this file knows problems and formulas, and neither formats nor engines.

use crate::activation::Activation;
use crate::expr::{Graph, Node};
use crate::jet::{ChainRule, JetSet, MultiIndex, ProductRule};
use crate::network::Layers;
use crate::problem::{Carried, Coordinate, Formula, Problem, Start, Windows};

/// A trained network, to be printed.
#[derive(Clone, Debug)]
pub struct Program {
    /// The problem's title, and what else its reader should know, a line each.
    pub about: Vec<String>,
    /// What it takes: a number for each.
    pub inputs: Vec<Coordinate>,
    /// The unknowns' names.
    pub unknowns: Vec<String>,
    /// The networks of every piece.
    pub layers: Layers,
    /// For every network its place among the activations of a function.
    pub activations: Vec<usize>,
    /// Weights, biases and what multiplies of every piece, as [`Layers`] says.
    pub pieces: Vec<Vec<f64>>,
    /// Which piece is for which point; `None` if there is one for all.
    pub choice: Option<Choice>,
    /// What it computes.
    pub functions: Vec<Function>,
}

/// Which piece a point belongs to.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The coordinate that says so.
    pub along: usize,
    /// Where two slices meet, rising; a joint belongs to the slice above it.
    pub joints: Vec<f64>,
    /// The piece of every slice; a piece that is not there has no values.
    pub slices: Vec<usize>,
    /// Where every piece goes on from another one.
    pub starts: Vec<Option<Start>>,
}

/// Functions of a point that are computed together.
#[derive(Clone, Debug)]
pub struct Function {
    /// A word of letters, digits and underscores.
    pub name: String,
    /// How many values it has.
    pub values: usize,
    /// The derivatives that go through the network.
    pub jets: JetSet,
    /// How they go through an activation.
    pub rule: ChainRule,
    /// How they go through a gate, if the network has gates.
    pub gates: Option<ProductRule>,
    /// Every activation and its derivatives as formulas of coordinate 0, as many as the rule needs.
    pub activations: Vec<Formula>,
    /// How many numbers a piece takes over from the one before; they are the columns of data of its formulas.
    pub carried: usize,
    /// The formulas of every piece.
    pub pieces: Vec<Formulas>,
}

/// The formulas of a piece.
#[derive(Clone, Debug)]
pub struct Formulas {
    /// Over coordinates: for every network its inputs, then their derivatives, channel by channel.
    pub inputs: Formula,
    /// Over coordinates, the outputs' jets and what is carried: the values.
    pub values: Formula,
    /// Over the same, at the point where the next piece begins: what that one takes over.
    pub handed_on: Formula,
}

impl Choice {
    /// Of the first `count` pieces the piece that each goes on from (−1 where it is none), and where along the coordinate.
    pub fn origins(&self, count: usize) -> (Vec<i64>, Vec<f64>) {
        let starts = self.starts[..count].iter();
        starts.map(|start| start.map_or((-1, 0.0), |start| (start.window as i64, start.at))).unzip()
    }
}

impl Function {
    /// How many numbers the widest layer has, derivatives among them.
    pub fn room(&self, layers: &Layers) -> usize {
        let widest = layers.arrays.iter().copied().max().unwrap_or(0);
        self.jets.channels() * widest.max(layers.raw_outputs())
    }

    /// Where `index` of an output lies in a list of outputs, network by network and in it channel by channel.
    pub fn place(&self, layers: &Layers, output: usize, index: MultiIndex) -> usize {
        let channel = self.jets.channel(index).expect("a function's jets hold all that it reads");
        let own = &layers.parts[layers.part_of(output)].columns;
        self.jets.channels() * own.start + channel * own.len() + layers.columns[output] - own.start
    }

    /// What follows the name of the function that computes an activation: nothing, where there is one alone.
    pub(super) fn suffix(&self, activation: usize) -> String {
        if self.activations.len() == 1 { String::new() } else { format!("_{activation}") }
    }
}

impl Program {
    /// The network `theta` of `problem`, which computes nothing yet; `windows` are those that its time is cut into.
    pub fn new(problem: &Problem, windows: Option<&Windows>, theta: &[f64]) -> Self {
        let layers = problem.layers();
        let length = problem.parameters_in_all();
        let pieces = theta.chunks_exact(length).map(|piece| piece[..layers.parameters()].to_vec()).collect();
        let part = |unknown: &&crate::problem::Unknown| unknown.region.is_some();
        let domain = problem.geometry.iter().map(|geometry| {
            let within = geometry.domain.written();
            format!("The equations hold within {within}; values elsewhere mean nothing.")
        });
        let parts = problem.unknowns.iter().filter(part).map(|unknown| {
            format!(
                "{} lives in a part of the domain alone; elsewhere its values mean nothing.",
                unknown.name
            )
        });
        Self {
            about: [problem.title.clone()].into_iter().chain(domain).chain(parts).collect(),
            inputs: problem.coordinates.clone(),
            unknowns: problem.unknowns.iter().map(|unknown| unknown.name.clone()).collect(),
            layers,
            activations: {
                let (kinds, all) = (kinds(problem), problem.activations());
                let place = |own| kinds.iter().position(|kind| *kind == own).expect("a kind for each");
                all.into_iter().map(place).collect()
            },
            pieces,
            choice: windows.map(|windows| Choice {
                along: windows.along,
                joints: windows.joints().to_vec(),
                slices: windows.slices().to_vec(),
                starts: windows.all.iter().map(|window| window.start).collect(),
            }),
            functions: vec![],
        }
    }

    /// Lets it compute `formula`, which is over coordinates, trained coefficients and raw outputs, at one point.
    ///
    /// Along a single coordinate a joint is one point, and what is carried over it is a number, which `carry` is asked for:
    /// of a window, what it takes over from the one before.
    pub fn add(
        &mut self,
        problem: &Problem,
        windows: Option<&Windows>,
        theta: &[f64],
        name: &str,
        formula: &Formula,
        carry: &mut dyn FnMut(usize, &[Carried]) -> Vec<f64>,
    ) {
        let coefficients: Vec<f64> = problem.trained_values(theta).collect();
        let formula = with_constants(formula, |leaf| match leaf {
            Node::Coefficient(k) => Some(coefficients[k]),
            _ => None,
        });
        let reached = &windows.map_or(&[][..], |windows| &windows.all)[..]
            [..if windows.is_some() { self.pieces.len() } else { 0 }];
        let single = problem.coordinates.len() == 1;
        // What one piece takes over, any piece may have to hand on.
        let mut carried: Vec<Carried> = vec![];
        let take = |carried: &mut Vec<Carried>, more: Vec<Carried>| {
            let before = carried.len();
            for one in more {
                if !carried.contains(&one) {
                    carried.push(one);
                }
            }
            carried.len() > before
        };
        if !single {
            for window in reached {
                take(&mut carried, window.formula(&formula, 0).1);
            }
            while reached.iter().any(|window| {
                let more = window.handed_on(&carried).1;
                take(&mut carried, more)
            }) {}
        }
        let sorted = |(formula, own): (Formula, Vec<Carried>)| {
            over(&formula, |column| {
                carried.iter().position(|known| *known == own[column]).expect("all that is carried is known")
            })
        };
        let pieces: Vec<(Formula, Formula, &Formula)> = match reached {
            [] => vec![(formula.clone(), nothing(), &problem.features)],
            reached => {
                let mut pieces = vec![];
                for (k, window) in reached.iter().enumerate() {
                    let features = &window.problem.features;
                    if single {
                        let (formula, own) = window.formula(&formula, 0);
                        let numbers = carry(k, &own);
                        let formula = with_constants(&formula, |leaf| match leaf {
                            Node::Data(column) => Some(numbers[column]),
                            _ => None,
                        });
                        pieces.push((formula, nothing(), features));
                        continue;
                    }
                    let (values, handed_on) = (window.formula(&formula, 0), window.handed_on(&carried));
                    pieces.push((sorted(values), sorted(handed_on), features));
                }
                pieces
            }
        };
        let read = pieces.iter().flat_map(|(values, handed_on, _)| {
            let of = |formula: &Formula| formula.graph.jets(&formula.roots);
            of(values).into_iter().chain(of(handed_on)).map(|(_, index)| index)
        });
        let jets = JetSet::closure(read.collect::<Vec<_>>());
        let rule = ChainRule::new(&jets);
        let formulas = pieces.into_iter().map(|(values, handed_on, features)| Formulas {
            inputs: with_derivatives(features, &self.layers, &jets),
            values,
            handed_on,
        });
        self.functions.push(Function {
            name: name.to_owned(),
            values: formula.roots.len(),
            activations: kinds(problem).into_iter().map(|kind| slopes(kind, rule.order())).collect(),
            carried: carried.len(),
            pieces: formulas.collect(),
            gates: self.layers.has_gates().then(|| ProductRule::new(&jets)),
            rule,
            jets,
        });
    }

    /// Every formula that it consists of.
    pub fn formulas(&self) -> Vec<&Formula> {
        let pieces = self.functions.iter().flat_map(|function| &function.pieces);
        let parts = pieces.flat_map(|piece| [&piece.inputs, &piece.values, &piece.handed_on]);
        self.functions.iter().flat_map(|function| &function.activations).chain(parts).collect()
    }
}

/// Formulas for the first and second derivatives of each root after the roots themselves: all first ones, coordinate by
/// coordinate for each root, then those of second order, of which each pair of coordinates is there once.
pub fn differentiated(formula: &Formula, dimensions: usize) -> Formula {
    let mut graph = formula.graph.clone();
    let mut first = vec![];
    for &root in &formula.roots {
        first.extend((0..dimensions).map(|i| graph.derivative(root, i)));
    }
    let mut second = vec![];
    for k in 0..formula.roots.len() {
        for i in 0..dimensions {
            second.extend((i..dimensions).map(|j| graph.derivative(first[k * dimensions + i], j)));
        }
    }
    let (graph, roots) = graph.extract(&[&formula.roots[..], &first, &second].concat());
    Formula { graph, roots }
}

/// No formula at all.
fn nothing() -> Formula {
    Formula { graph: Graph::default(), roots: vec![] }
}

/// The formula where `value` has a number for a leaf.
fn with_constants(formula: &Formula, value: impl Fn(Node) -> Option<f64>) -> Formula {
    let mut graph = Graph::default();
    let roots = formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match value(leaf) {
        Some(number) => graph.constant(number),
        None => graph.insert(leaf),
    });
    let (graph, roots) = graph.extract(&roots);
    Formula { graph, roots }
}

/// The formula with its columns of data at other places.
fn over(formula: &Formula, place: impl Fn(usize) -> usize) -> Formula {
    let mut graph = Graph::default();
    let roots = formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match leaf {
        Node::Data(column) => graph.insert(Node::Data(place(column))),
        leaf => graph.insert(leaf),
    });
    Formula { graph, roots }
}

/// The features and their derivatives, network by network and in it channel by channel.
fn with_derivatives(features: &Formula, layers: &Layers, jets: &JetSet) -> Formula {
    let mut graph = features.graph.clone();
    let mut roots = vec![];
    for part in &layers.parts {
        for index in jets.indices() {
            for &feature in &features.roots[part.features.clone()] {
                roots.push(index.coordinates().fold(feature, |root, i| graph.derivative(root, i)));
            }
        }
    }
    let (graph, roots) = graph.extract(&roots);
    Formula { graph, roots }
}

/// The activations of a problem's networks, each once.
fn kinds(problem: &Problem) -> Vec<&Activation> {
    let mut kinds: Vec<&Activation> = vec![];
    for activation in problem.activations() {
        if !kinds.contains(&activation) {
            kinds.push(activation);
        }
    }
    kinds
}

/// An activation and its derivatives up to `order`.
fn slopes(activation: &Activation, order: usize) -> Formula {
    let mut graph = Graph::default();
    let z = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
    let mut roots = vec![activation.expression(&mut graph, z)];
    for k in 0..order {
        roots.push(graph.derivative(roots[k], 0));
    }
    let (graph, roots) = graph.extract(&roots);
    Formula { graph, roots }
}
