//! The portable engine: jets and residuals as Burn tensors, parameters' gradients by Burn's reverse mode.
//!
//! It does the same mathematics as the fused engine by another route: the activation's derivatives come from its
//! expression, differentiated symbolically, and nothing of the fused kernels is used.
//! So it runs on every Burn device, and checks the fused engine.
//!
//! Points go through in chunks, so that memory stays bounded however many there are.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::pointwise::{Evaluator, feature_jets};
use super::{Differentiable, Engine, EngineError, square_factor};
use crate::activation::Activation;
use crate::expr::{Binary, Graph, Node, NodeId, Unary};
use crate::jet::{ChainRule, JetSet, MAX_ORDER, ProductRule};
use crate::network::{Layer, Layers, Op};
use crate::problem::{Formula, Linked, Problem, point_of_side};
use crate::settings::Precision;
use crate::team::Team;

/// The engine on one Burn device.
pub struct BurnEngine {
    device: Device,
    dtype: DType,
    layers: Layers,
    dimensions: usize,
    coefficients: usize,
    /// For every network f, f′, … of `Node::Coordinate { coordinate: 0, .. }`, scale included.
    activations: Vec<Formula>,
    features: Formula,
    conditions: Vec<Condition>,
    /// Pairs of estimates in the place of a condition's residuals, with the points that are set.
    estimates: Vec<Option<Condition>>,
    prediction: Condition,
    chunk: usize,
}

/// A condition, or the prediction, and its points.
struct Condition {
    jets: JetSet,
    chain: ChainRule,
    products: ProductRule,
    formula: Formula,
    /// For every node of the formula: does the network enter it?
    varies: Vec<bool>,
    /// Nodes that depend on the point alone and are read by those that vary, or are roots themselves.
    columns: Vec<NodeId>,
    sides: usize,
    /// Points that a site has in all.
    points: usize,
    chunks: Vec<Chunk>,
    sites: usize,
}

/// Some sites of a condition, as tensors.
struct Chunk {
    /// Jets of the features, `(channels·sides·sites) × features`.
    inputs: Tensor<2>,
    /// The columns, one number a site each.
    columns: Vec<Tensor<1>>,
    /// A weight for each site, if they are not all 1.
    weights: Option<Tensor<1>>,
    sites: usize,
}

/// The parameters on the device: weights `outputs × inputs` and biases `1 × outputs`, layer by layer; numbers that
/// multiply, `1 × count`.
struct Parameters {
    weights: Vec<Tensor<2>>,
    biases: Vec<Tensor<2>>,
    numbers: Vec<Tensor<2>>,
    coefficients: Option<Tensor<1>>,
}

impl BurnEngine {
    /// An engine for `problem` and its network on `device`.
    ///
    /// `chunk` is how many points go through at once; what a chunk needs is in memory at the same time.
    /// Conditions have no points until [`Engine::set_points`].
    pub fn new(problem: &Problem, device: Device, chunk: usize) -> Result<Self, EngineError> {
        let dtype = match problem.training.precision {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        };
        if !device.supports_dtype(dtype) {
            return Err(EngineError::Precision(format!("{device:?}"), format!("{dtype:?}").to_lowercase()));
        }
        let slopes = |activation: &Activation| {
            let mut graph = Graph::default();
            let x = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
            let mut roots = vec![activation.expression(&mut graph, x)];
            for order in 0..MAX_ORDER {
                roots.push(graph.derivative(roots[order], 0));
            }
            Formula { graph, roots }
        };
        Ok(Self {
            device,
            dtype,
            layers: problem.layers(),
            dimensions: problem.coordinates.len(),
            coefficients: problem.coefficients(),
            activations: problem.activations().into_iter().map(slopes).collect(),
            features: problem.features.clone(),
            conditions: problem
                .conditions
                .iter()
                .map(|condition| {
                    let (jets, formula) = (condition.jets.clone(), condition.residuals.clone());
                    Condition::new(jets, formula, condition.sides())
                })
                .collect(),
            estimates: problem.conditions.iter().map(|_| None).collect(),
            prediction: Condition::new(problem.values.jets(), problem.values.clone(), 1),
            chunk,
        })
    }

    /// What is in the loss for a condition, with its points.
    fn in_loss(&mut self, condition: usize) -> &mut Condition {
        self.estimates[condition].as_mut().unwrap_or(&mut self.conditions[condition])
    }

    /// Brings θ to the device in one transfer.
    fn upload(&self, theta: &[f64], track: bool) -> Parameters {
        let all = self.tensor(theta);
        let leaf = |from: usize, length: usize| {
            let part = all.clone().narrow(0, from, length);
            if track { part.autodiff().require_grad() } else { part }
        };
        let matrix = |from: usize, rows: usize, columns: usize| {
            let part = all.clone().narrow(0, from, rows * columns).reshape([rows, columns]);
            if track { part.autodiff().require_grad() } else { part }
        };
        Parameters {
            weights: self.layers.dense().map(|l| matrix(l.weights, l.outputs, l.inputs)).collect(),
            biases: self.layers.dense().map(|l| matrix(l.biases, 1, l.outputs)).collect(),
            numbers: self.layers.numbers.iter().map(|n| matrix(n.first, 1, n.count)).collect(),
            coefficients: (self.coefficients > 0).then(|| leaf(self.layers.parameters(), self.coefficients)),
        }
    }

    fn tensor(&self, values: &[f64]) -> Tensor<1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (&self.device, self.dtype))
    }

    /// Cuts points into chunks and computes on the host what depends on them alone.
    fn bind(&self, condition: &Condition, points: &[f64], data: &[Vec<f64>]) -> Vec<Chunk> {
        let (dimensions, inputs) = (self.dimensions, self.layers.inputs());
        let mut linked = Linked::new(&condition.formula, condition.sides);
        let points = &*linked.rows(points, dimensions, data);
        let sides = linked.points();
        let channels = condition.jets.channels();
        let row = sides * dimensions;
        let sites = points.len() / row;
        let mut features = Evaluator::new(&feature_jets(&self.features, &condition.jets));
        let column_formula =
            Formula { graph: condition.formula.graph.clone(), roots: condition.columns.clone() };
        let mut columns = Evaluator::new(&column_formula);
        let per_chunk = (self.chunk / sides).max(1);
        (0..sites)
            .step_by(per_chunk)
            .map(|first| {
                let count = per_chunk.min(sites - first);
                let mut jets = vec![0.0; channels * sides * count * inputs];
                let places = sides * count;
                let own_point = |place: usize, _, which| {
                    points[(first + place % count) * row + place / count * dimensions + which]
                };
                let values = features.evaluate(places, own_point, |_, _| f64::NAN);
                for (i, values) in values.chunks_exact(places).enumerate() {
                    let of_channel = jets[i / inputs * places * inputs..].chunks_exact_mut(inputs);
                    of_channel.zip(values).for_each(|(row, &x)| row[i % inputs] = x);
                }
                let point = |slot, side, which| points[(first + slot) * row + side * dimensions + which];
                let values = columns.evaluate(count, point, |slot, column| data[column][first + slot]);
                let column_values = values.chunks_exact(count);
                Chunk {
                    inputs: self.tensor(&jets).reshape([channels * sides * count, inputs]),
                    columns: column_values.map(|column| self.tensor(column)).collect(),
                    weights: None,
                    sites: count,
                }
            })
            .collect()
    }

    /// Raw outputs of all channels of a chunk, `(channels·sides·sites) × outputs`.
    fn network(
        &self,
        parameters: &Parameters,
        condition: &Condition,
        chunk: &Chunk,
        points: usize,
    ) -> Tensor<2> {
        let mut features = chunk.inputs.clone();
        if parameters.weights[0].is_autodiff() {
            features = features.autodiff();
        }
        let chain = &condition.chain;
        let split = |rows: Tensor<2>| -> Vec<Tensor<2>> {
            (0..chain.channels()).map(|c| rows.clone().narrow(0, c * points, points)).collect()
        };
        let features = split(features);
        let mut layer = 0;
        let mut dense = |place: &Layer, arrays: &[Vec<Tensor<2>>], from: usize| {
            let of_features = |first: usize| {
                let own = features.iter().map(|x| x.clone().narrow(1, first, place.inputs));
                own.collect::<Vec<_>>()
            };
            let from = place.features.map_or_else(|| arrays[from].clone(), of_features);
            let rows = joined(from);
            let mut z = split(rows.matmul(parameters.weights[layer].clone().transpose()));
            z[0] = z[0].clone() + parameters.biases[layer].clone();
            layer += 1;
            z
        };
        let times = |by: usize, x: &Tensor<2>| x.clone() * parameters.numbers[by].clone();
        // The features, which are none of the arrays that steps make, are read by layers alone.
        let mut arrays = vec![vec![]];
        for step in &self.layers.steps {
            let each = |a: usize, b: usize, f: &dyn Fn(&Tensor<2>, &Tensor<2>) -> Tensor<2>| {
                arrays[a].iter().zip(&arrays[b]).map(|(a, b)| f(a, b)).collect::<Vec<_>>()
            };
            let made = match *step {
                Op::Dense { layer, from, activated } => {
                    let z = dense(&layer, &arrays, from);
                    if activated { activate_jets(&self.activations[layer.part], chain, &z) } else { z }
                }
                Op::Add { a, b } => each(a, b, &|a, b| a.clone() + b.clone()),
                Op::Blend { gate, a, b } => {
                    let difference = each(a, b, &|a, b| a.clone() - b.clone());
                    blended(&condition.products, &arrays[gate], &difference, &arrays[b])
                }
                Op::Mix { by, a, b } => each(a, b, &|a, b| b.clone() + times(by, &(a.clone() - b.clone()))),
                Op::Scale { by, from } => arrays[from].iter().map(|x| times(by, x)).collect(),
            };
            arrays.push(made);
        }
        let mut outputs: Vec<Tensor<2>> = vec![];
        for output in &self.layers.outputs {
            let made = joined(dense(&output.layer, &arrays, output.from));
            match outputs.last_mut().filter(|_| !output.first) {
                Some(sum) => *sum = sum.clone() + made,
                None => outputs.push(made),
            }
        }
        // Networks' raw outputs follow one another.
        if outputs.len() == 1 { outputs.swap_remove(0) } else { Tensor::cat(outputs, 1) }
    }

    /// The formula's roots at a chunk's sites.
    fn roots(&self, parameters: &Parameters, condition: &Condition, chunk: &Chunk) -> Vec<Tensor<1>> {
        let points = condition.points * chunk.sites;
        let outputs = self.network(parameters, condition, chunk, points);
        let values = evaluate(&condition.formula.graph, &condition.formula.roots, &mut |id, node| {
            if !condition.varies[id.index()] {
                let column = condition.columns.iter().position(|&column| column == id);
                return column.map(|column| Value::Tensor(chunk.columns[column].clone()));
            }
            Some(Value::Tensor(match node {
                Node::Jet { output, index, side } => {
                    let channel = condition.jets.channel(index).expect("the jets hold what is needed");
                    let first = channel * points + point_of_side(side) * chunk.sites;
                    let raw = self.layers.columns[output];
                    let column = outputs.clone().narrow(0, first, chunk.sites).narrow(1, raw, 1);
                    column.reshape([chunk.sites])
                }
                Node::Coefficient(k) => {
                    let all = parameters.coefficients.clone().expect("the problem has coefficients");
                    all.narrow(0, k, 1).expand([chunk.sites])
                }
                _ => return None,
            }))
        });
        let like = || {
            let zeros: Tensor<1> = Tensor::zeros([chunk.sites], (&self.device, self.dtype));
            if outputs.is_autodiff() { zeros.autodiff() } else { zeros }
        };
        values.into_iter().map(|value| value.tensor(&like())).collect()
    }

    /// Every chunk of every condition, or of the condition `only`; gradients are added up on the device and read once.
    fn run(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: Option<&mut [f64]>,
        only: Option<usize>,
    ) -> f64 {
        let parameters = self.upload(theta, gradient.is_some());
        let mut leaves = gradient.is_some().then(|| Sums::new(&parameters));
        let mut total = 0.0;
        for (which, (condition, estimates)) in self.conditions.iter().zip(&self.estimates).enumerate() {
            if only.is_some_and(|only| only != which) {
                continue;
            }
            let condition = estimates.as_ref().unwrap_or(condition);
            let weight = weights[which];
            // Σ residual² and Σ w·residual².
            let mut sums: Option<Tensor<1>> = None;
            for chunk in &condition.chunks {
                let residuals = self.roots(&parameters, condition, chunk);
                let products = residuals
                    .chunks_exact(2)
                    .map(|pair| pair[0].clone() * pair[1].clone())
                    .reduce(|sum, product| sum + product)
                    .filter(|_| estimates.is_some());
                let squares = residuals
                    .into_iter()
                    .map(|residual| residual.clone() * residual)
                    .reduce(|sum, square| sum + square);
                let Some(squares) = squares else { continue };
                let squares = if products.is_some() { squares.mul_scalar(0.5) } else { squares };
                let weighted = |squares: &Tensor<1>| match &chunk.weights {
                    Some(weights) if squares.is_autodiff() => squares.clone() * weights.clone().autodiff(),
                    Some(weights) => squares.clone() * weights.clone(),
                    None => squares.clone(),
                };
                // The gradient of pairs is that of their products.
                let (traced, weighted) =
                    (weighted(products.as_ref().unwrap_or(&squares)), weighted(&squares));
                let (traced, weighted) = (traced.sum(), weighted.sum());
                if let Some(leaves) = &mut leaves
                    && traced.is_tracked()
                    && weight != 0.0
                {
                    let factor = square_factor(weight, 1.0, condition.sites);
                    leaves.add(&parameters, &traced.mul_scalar(factor));
                }
                let both = Tensor::cat(vec![squares.inner().sum(), weighted.inner()], 0);
                sums = Some(match sums {
                    Some(sums) => sums + both,
                    None => both,
                });
            }
            let Some(sums) = sums.map(read) else {
                terms[which] = 0.0;
                continue;
            };
            terms[which] = sums[0] / condition.sites as f64;
            if weight != 0.0 {
                total += weight * (sums[1] / condition.sites as f64);
            }
        }
        if let (Some(leaves), Some(gradient)) = (leaves, gradient) {
            leaves.read(gradient);
        }
        total
    }

    fn values(&self, theta: &[f64], condition: &Condition, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        let parameters = self.upload(theta, false);
        let row = condition.sides * self.dimensions;
        let per_chunk = (self.chunk / condition.points).max(1);
        let roots = condition.formula.roots.len();
        let mut values = Vec::with_capacity(points.len() / row * roots);
        for (i, slice) in points.chunks(per_chunk * row).enumerate() {
            let sites = slice.len() / row;
            let data: Vec<Vec<f64>> =
                data.iter().map(|column| column[i * per_chunk..][..sites].to_vec()).collect();
            for chunk in self.bind(condition, slice, &data) {
                let columns: Vec<Vec<f64>> =
                    self.roots(&parameters, condition, &chunk).into_iter().map(read).collect();
                for site in 0..chunk.sites {
                    values.extend(columns.iter().map(|column| column[site]));
                }
            }
        }
        values
    }
}

impl Condition {
    fn new(jets: JetSet, formula: Formula, sides: usize) -> Self {
        let graph = &formula.graph;
        let varies = graph.varies();
        let needed = graph.reachable(&formula.roots);
        let constant = |id: &NodeId| matches!(graph.node(*id), Node::Constant(_));
        let mut columns: Vec<NodeId> = graph
            .nodes()
            .iter()
            .zip(&needed)
            .zip(&varies)
            .filter(|((_, needed), varies)| **needed && **varies)
            .flat_map(|((node, _), _)| node.operands())
            .chain(formula.roots.iter().copied())
            .filter(|id| !varies[id.index()] && !constant(id))
            .collect();
        columns.sort_unstable();
        columns.dedup();
        let (chain, products) = (ChainRule::new(&jets), ProductRule::new(&jets));
        let points = Linked::new(&formula, sides).points();
        Self { jets, chain, products, varies, columns, formula, sides, points, chunks: vec![], sites: 0 }
    }
}

impl Engine for BurnEngine {
    fn parameters(&self) -> usize {
        self.layers.parameters() + self.coefficients
    }

    fn team(&self) -> Arc<Team> {
        Arc::new(Team::alone())
    }

    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) {
        let own = self.estimates[condition].as_ref().unwrap_or(&self.conditions[condition]);
        let chunks = self.bind(own, points, data);
        let condition = self.in_loss(condition);
        condition.sites = chunks.iter().map(|chunk| chunk.sites).sum();
        condition.chunks = chunks;
    }

    fn set_point_weights(&mut self, condition: usize, weights: &[f64]) {
        let own = self.estimates[condition].as_ref().unwrap_or(&self.conditions[condition]);
        let sites = own.sites;
        assert!(weights.is_empty() || weights.len() == sites, "a weight for each point");
        let mut first = 0;
        let mut tensors = vec![];
        for chunk in &own.chunks {
            tensors.push((!weights.is_empty()).then(|| self.tensor(&weights[first..first + chunk.sites])));
            first += chunk.sites;
        }
        for (chunk, weights) in self.in_loss(condition).chunks.iter_mut().zip(tensors) {
            chunk.weights = weights;
        }
    }

    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64 {
        self.run(theta, weights, terms, None, None)
    }

    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        self.values(theta, &self.conditions[condition], points, data)
    }

    fn evaluate(
        &mut self,
        theta: &[f64],
        jets: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64> {
        self.values(theta, &Condition::new(jets.clone(), formula.clone(), sides), points, data)
    }

    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64> {
        self.values(theta, &self.prediction, points, &[])
    }
}

impl Differentiable for BurnEngine {
    fn set_estimates(&mut self, condition: usize, estimates: Option<&Formula>) -> bool {
        let before = self.estimates[condition].take();
        let sides = self.conditions[condition].sides;
        self.estimates[condition] =
            estimates.map(|formula| Condition::new(formula.jets(), formula.clone(), sides));
        before.is_some() || estimates.is_some()
    }

    fn loss_and_gradient(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: &mut [f64],
    ) -> f64 {
        self.run(theta, weights, terms, Some(gradient), None)
    }

    fn condition_gradient(&mut self, theta: &[f64], condition: usize, gradient: &mut [f64]) -> f64 {
        let count = self.conditions.len();
        let (mut weights, mut terms) = (vec![0.0; count], vec![0.0; count]);
        weights[condition] = 1.0;
        self.run(theta, &weights, &mut terms, Some(gradient), Some(condition))
    }
}

/// Gradients of the leaves, in the order of the flat vector, added up on the device.
struct Sums {
    /// One for each leaf; `None` as long as nothing depends on it.
    parts: Vec<Option<Tensor<1>>>,
    lengths: Vec<usize>,
}

impl Sums {
    fn new(parameters: &Parameters) -> Self {
        let layers = parameters.weights.iter().zip(&parameters.biases);
        let lengths =
            layers.flat_map(|(weights, biases)| [weights, biases].map(|x| x.shape().num_elements()));
        let numbers = parameters.numbers.iter().map(|x| x.shape().num_elements());
        let coefficients = parameters.coefficients.iter().map(|x| x.shape().num_elements());
        let lengths: Vec<usize> = lengths.chain(numbers).chain(coefficients).collect();
        Self { parts: vec![None; lengths.len()], lengths }
    }

    fn add(&mut self, parameters: &Parameters, loss: &Tensor<1>) {
        let mut gradients = loss.backward();
        let mut put = |slot: usize, gradient: Option<Tensor<1>>| {
            if let Some(gradient) = gradient {
                self.parts[slot] = Some(match self.parts[slot].take() {
                    Some(sum) => sum + gradient,
                    None => gradient,
                });
            }
        };
        for (l, (weights, biases)) in parameters.weights.iter().zip(&parameters.biases).enumerate() {
            put(2 * l, weights.grad_remove(&mut gradients).map(|g| g.flatten(0, 1)));
            put(2 * l + 1, biases.grad_remove(&mut gradients).map(|g| g.flatten(0, 1)));
        }
        let layers = 2 * parameters.weights.len();
        for (k, numbers) in parameters.numbers.iter().enumerate() {
            put(layers + k, numbers.grad_remove(&mut gradients).map(|g| g.flatten(0, 1)));
        }
        if let Some(coefficients) = &parameters.coefficients {
            put(layers + parameters.numbers.len(), coefficients.grad_remove(&mut gradients));
        }
    }

    /// All gradients in one transfer; that of a leaf on which nothing depends is zero.
    fn read(self, gradient: &mut [f64]) {
        let there: Vec<bool> = self.parts.iter().map(Option::is_some).collect();
        let parts: Vec<_> = self.parts.into_iter().flatten().collect();
        let flat = if parts.is_empty() { vec![] } else { read(Tensor::cat(parts, 0)) };
        let (mut flat, mut rest) = (&flat[..], gradient);
        for (there, length) in there.into_iter().zip(self.lengths) {
            let (to, others) = rest.split_at_mut(length);
            rest = others;
            if !there {
                to.fill(0.0);
                continue;
            }
            let (from, others) = flat.split_at(length);
            to.copy_from_slice(from);
            flat = others;
        }
    }
}

/// Channels one after the other.
fn joined(mut channels: Vec<Tensor<2>>) -> Tensor<2> {
    if channels.len() == 1 { channels.swap_remove(0) } else { Tensor::cat(channels, 0) }
}

/// The chain rule: y = f(z) on every channel, from f and its derivatives.
fn activate_jets(f: &Formula, chain: &ChainRule, z: &[Tensor<2>]) -> Vec<Tensor<2>> {
    let slopes = evaluate(&f.graph, &f.roots[..=chain.order()], &mut |_, node| {
        matches!(node, Node::Coordinate { .. }).then(|| Value::Tensor(z[0].clone()))
    });
    (0..chain.channels())
        .map(|channel| {
            if channel == 0 {
                return slopes[0].clone().tensor(&z[0]);
            }
            let terms = chain.terms(channel).iter().map(|term| {
                let mut product = slopes[term.factors.len()].clone();
                for &factor in &term.factors {
                    product = product.binary(Binary::Mul, Value::Tensor(z[factor].clone()));
                }
                product.binary(Binary::Mul, Value::Number(term.coefficient))
            });
            let sum = terms.reduce(|sum, term| sum.binary(Binary::Add, term));
            sum.expect("every derivative has a term").tensor(&z[0])
        })
        .collect()
}

/// Leibniz's rule: `b + gate⊙difference` on every channel.
fn blended(
    rule: &ProductRule,
    gate: &[Tensor<2>],
    difference: &[Tensor<2>],
    b: &[Tensor<2>],
) -> Vec<Tensor<2>> {
    let channel = |(channel, b): (usize, &Tensor<2>)| {
        rule.terms(channel).iter().fold(b.clone(), |sum, term| {
            let [i, k] = term.factors;
            let product = gate[i].clone() * difference[k].clone();
            sum + if term.coefficient == 1.0 { product } else { product.mul_scalar(term.coefficient) }
        })
    };
    b.iter().enumerate().map(channel).collect()
}

/// f of every element of `x`; gradients go through it.
pub fn activate<const D: usize>(activation: &Activation, x: &Tensor<D>) -> Tensor<D> {
    let mut graph = Graph::default();
    let argument = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
    let root = activation.expression(&mut graph, argument);
    let mut input = |_, node| matches!(node, Node::Coordinate { .. }).then(|| Value::Tensor(x.clone()));
    evaluate(&graph, &[root], &mut input).swap_remove(0).tensor(x)
}

/// A number, or a tensor of one number for each place.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "values are short-lived, and numbers among them are few")]
enum Value<const D: usize> {
    Number(f64),
    Tensor(Tensor<D>),
}

impl<const D: usize> Value<D> {
    /// As a tensor of the shape of `like`.
    fn tensor(self, like: &Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tensor(tensor) => tensor,
            Self::Number(x) => like.zeros_like().add_scalar(x),
        }
    }

    fn unary(self, f: Unary) -> Self {
        let a = match self {
            Self::Number(x) => return Self::Number(f.apply(x)),
            Self::Tensor(a) => a,
        };
        Self::Tensor(match f {
            Unary::Neg => a.neg(),
            Unary::Sin => a.sin(),
            Unary::Cos => a.cos(),
            Unary::Tan => a.tan(),
            Unary::Asin => a.asin(),
            Unary::Acos => a.acos(),
            Unary::Atan => a.atan(),
            Unary::Sinh => a.sinh(),
            Unary::Cosh => a.cosh(),
            Unary::Tanh => a.tanh(),
            Unary::Exp => a.exp(),
            Unary::Ln => a.log(),
            Unary::Sqrt => a.sqrt(),
            Unary::Abs => a.abs(),
            Unary::Sign => a.sign(),
            Unary::Step => a.sign().add_scalar(1.0).mul_scalar(0.5),
            Unary::Erf => a.erf(),
            Unary::Phi => a.mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5),
        })
    }

    fn binary(self, f: Binary, other: Self) -> Self {
        use Value::{Number, Tensor as Array};
        match (f, self, other) {
            (f, Number(a), Number(b)) => Number(f.apply(a, b)),
            (Binary::Add, Array(a), Number(b)) | (Binary::Add, Number(b), Array(a)) => Array(a.add_scalar(b)),
            (Binary::Mul, Array(a), Number(1.0)) | (Binary::Mul, Number(1.0), Array(a)) => Array(a),
            (Binary::Mul, Array(a), Number(b)) | (Binary::Mul, Number(b), Array(a)) => Array(a.mul_scalar(b)),
            (Binary::Sub, Array(a), Number(b)) => Array(a.sub_scalar(b)),
            (Binary::Sub, Number(a), Array(b)) => Array(b.neg().add_scalar(a)),
            // Burn takes the reciprocal of a divisor in single precision on the way back, so it is taken here.
            (Binary::Div, Array(a), Number(b)) => Array(a.mul_scalar(1.0 / b)),
            (Binary::Div, Number(a), Array(b)) => Array(b.recip().mul_scalar(a)),
            (Binary::Pow, Array(a), Number(2.0)) => Array(a.clone() * a),
            (Binary::Pow, Array(a), Number(3.0)) => Array(a.clone() * a.clone() * a),
            (Binary::Pow, Array(a), Number(b)) if b.fract() == 0.0 => Array(a.powi_scalar(b as i64)),
            (Binary::Pow, Array(a), Number(b)) => Array(a.powf_scalar(b)),
            (f, a, b) => {
                let (a, b) = match (a, b) {
                    (Array(a), Array(b)) => (a, b),
                    (Array(a), b) => (a.clone(), b.tensor(&a)),
                    (a, Array(b)) => (a.tensor(&b), b),
                    (Number(_), Number(_)) => unreachable!("two numbers are folded above"),
                };
                Array(match f {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Pow => a.powf(b),
                    Binary::Min => a.min_pair(b),
                    Binary::Max => a.max_pair(b),
                })
            }
        }
    }
}

/// Computes the roots of a graph over tensors; `input` gives the value of every node that it knows.
fn evaluate<const D: usize>(
    graph: &Graph,
    roots: &[NodeId],
    input: &mut dyn FnMut(NodeId, Node) -> Option<Value<D>>,
) -> Vec<Value<D>> {
    let length = roots.iter().map(|root| root.index() + 1).max().unwrap_or(0);
    let mut needed = vec![false; length];
    let mut values: Vec<Option<Value<D>>> = vec![None; length];
    for root in roots {
        needed[root.index()] = true;
    }
    for (i, id) in graph.ids().take(length).enumerate().collect::<Vec<_>>().into_iter().rev() {
        if !needed[i] {
            continue;
        }
        let node = graph.node(id);
        values[i] = match node {
            Node::Constant(x) => Some(Value::Number(x)),
            _ => input(id, node),
        };
        if values[i].is_none() {
            for operand in node.operands() {
                needed[operand.index()] = true;
            }
        }
    }
    for (i, &node) in graph.nodes()[..length].iter().enumerate() {
        if needed[i] && values[i].is_none() {
            let value = |id: NodeId| values[id.index()].clone().expect("operands come first");
            values[i] = Some(match node {
                Node::Unary(f, a) => value(a).unary(f),
                Node::Binary(f, a, b) => value(a).binary(f, value(b)),
                _ => unreachable!("every input has a value"),
            });
        }
    }
    roots.iter().map(|root| values[root.index()].clone().expect("roots are needed")).collect()
}

/// Reads a tensor back as f64.
fn read(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
