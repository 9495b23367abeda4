//! ONNX: a graph from rows of coordinates to rows of unknowns, for any number of points at once.
//!
//! Double precision is written where ONNX Runtime computes in it; what it has in single precision alone (erf, the inverse
//! trigonometric functions) is refused for it, or everything is written in single precision where that is asked for.
//! Derivatives go through the network only where a window takes one over from the window before.
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

use std::collections::HashMap;

use super::program::{Function, Program};
use super::protobuf::Message;
use super::{ExportError, File, Options, VALUES};
use crate::expr::{Binary, Node, Unary};
use crate::network::{Layer, Numbers, Op};
use crate::problem::Formula;

/// Versions of the file format and of the operators, which ONNX Runtime has known since 1.12.
const IR_VERSION: u64 = 8;
const OPERATORS: u64 = 17;
/// ONNX's numbers for types of elements and attributes.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
const DOUBLE: u64 = 11;
const ATTRIBUTE_INT: u64 = 2;

pub(super) fn write(program: &Program, options: &Options) -> Result<Vec<File>, ExportError> {
    let function = program.functions.iter().find(|function| function.name == VALUES).expect("it has values");
    let mut graph = Graph {
        program,
        function,
        single: options.single,
        refuses: options.runtime && !options.single,
        nodes: vec![],
        initializers: vec![],
        numbers: HashMap::new(),
        weights: HashMap::new(),
        taken: HashMap::new(),
        names: 0,
    };
    let point: Vec<String> = (0..program.inputs.len()).map(|i| graph.column("coordinates", i)).collect();
    let result = graph.all(&point)?;
    graph.node_into("Identity", &[&result], &[], "unknowns");
    let (d, m) = (program.inputs.len() as u64, program.unknowns.len() as u64);
    let element = if options.single { FLOAT } else { DOUBLE };
    let value = |name: &str, width: u64| {
        let dimensions = [Message::default().bytes(2, "points"), Message::default().number(1, width)];
        let tensor = Message::default().number(1, element).bytes(2, Message::default().each(1, dimensions));
        Message::default().bytes(1, name).bytes(2, Message::default().bytes(1, tensor))
    };
    let names = |names: Vec<&str>| names.join(", ");
    let about = format!(
        "{}\ncoordinates: {}\nunknowns: {}",
        program.about.join("\n"),
        names(program.inputs.iter().map(|c| c.name.as_str()).collect()),
        names(program.unknowns.iter().map(String::as_str).collect())
    );
    let body = Message::default()
        .each(1, &graph.nodes)
        .bytes(2, "network")
        .each(5, &graph.initializers)
        .bytes(10, &about)
        .bytes(11, value("coordinates", d))
        .bytes(12, value("unknowns", m));
    let model = Message::default()
        .number(1, IR_VERSION)
        .bytes(2, "pinn-solve")
        .bytes(3, env!("CARGO_PKG_VERSION"))
        .bytes(6, &about)
        .bytes(7, body)
        .bytes(8, Message::default().bytes(1, "").number(2, OPERATORS));
    Ok(vec![File { name: format!("{}.onnx", options.stem), bytes: model.into() }])
}

/// The graph as it grows; a tensor is known by its name.
struct Graph<'a> {
    program: &'a Program,
    function: &'a Function,
    single: bool,
    /// Are operators refused that ONNX Runtime has in single precision alone?
    refuses: bool,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    /// Numbers that have a name, by their bits.
    numbers: HashMap<u64, String>,
    /// Weights and biases, by piece and place in θ.
    weights: HashMap<(usize, usize), [String; 2]>,
    /// What a piece takes over.
    taken: HashMap<usize, Vec<String>>,
    names: usize,
}

impl Graph<'_> {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    fn node_into(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, u64)], output: &str) {
        let attributes = attributes.iter().map(|&(name, value)| {
            Message::default().bytes(1, name).number(3, value).number(20, ATTRIBUTE_INT)
        });
        let node = Message::default()
            .each(1, inputs)
            .bytes(2, output)
            .bytes(4, operator)
            .each(5, attributes.collect::<Vec<_>>());
        self.nodes.push(node);
    }

    fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.with(operator, inputs, &[])
    }

    fn with(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, u64)]) -> String {
        let output = self.name();
        self.node_into(operator, inputs, attributes, &output);
        output
    }

    /// A tensor of these numbers.
    fn tensor(&mut self, shape: &[usize], numbers: impl IntoIterator<Item = f64>) -> String {
        let numbers = numbers.into_iter();
        let (element, bytes): (u64, Vec<u8>) = match self.single {
            true => (FLOAT, numbers.flat_map(|x| (x as f32).to_le_bytes()).collect()),
            false => (DOUBLE, numbers.flat_map(f64::to_le_bytes).collect()),
        };
        self.initializer(shape, element, &bytes)
    }

    fn initializer(&mut self, shape: &[usize], element: u64, bytes: &[u8]) -> String {
        let name = self.name();
        let tensor = shape.iter().fold(Message::default(), |tensor, &n| tensor.number(1, n as u64));
        self.initializers.push(tensor.number(2, element).bytes(8, &name).bytes(9, bytes));
        name
    }

    fn number(&mut self, x: f64) -> String {
        if let Some(name) = self.numbers.get(&x.to_bits()) {
            return name.clone();
        }
        let name = self.tensor(&[], [x]);
        self.numbers.insert(x.to_bits(), name.clone());
        name
    }

    /// A column of a tensor of rows.
    fn column(&mut self, of: &str, index: usize) -> String {
        let index = self.initializer(&[1], INT64, &(index as i64).to_le_bytes());
        self.with("Gather", &[of, &index], &[("axis", 1)])
    }

    /// A number as a column beside `point`.
    fn filled(&mut self, x: f64, point: &[String]) -> String {
        let (zero, number) = (self.number(0.0), self.number(x));
        let zeros = self.node("Mul", &[&point[0], &zero]);
        self.node("Add", &[&zeros, &number])
    }

    /// Columns as one tensor.
    fn joined(&mut self, columns: &[String]) -> String {
        match columns {
            [only] => only.clone(),
            _ => {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                self.with("Concat", &columns, &[("axis", 1)])
            }
        }
    }

    /// Every root of a formula; numbers are columns too if there is a `point` that they stand beside.
    fn formula(
        &mut self,
        formula: &Formula,
        point: Option<&[String]>,
        leaf: &mut dyn FnMut(&mut Self, Node) -> String,
    ) -> Result<Vec<String>, ExportError> {
        let (graph, roots) = formula.graph.extract(&formula.roots);
        let mut tensors: Vec<String> = vec![];
        for &node in graph.nodes() {
            let tensor = match node {
                Node::Constant(x) => self.number(x),
                Node::Unary(f, a) => self.unary(f, &tensors[a.index()].clone())?,
                Node::Table(ref lookup) => {
                    return Err(ExportError::Unfit(format!(
                        "the answer needs the table `{}`, for which ONNX has no operator in double precision: take .c, .js or \
                         .safetensors, which hold its numbers",
                        graph.looked_up(lookup).name
                    )));
                }
                Node::Binary(f, a, b) => {
                    let exponent = graph.node(b);
                    let (a, b) = (tensors[a.index()].clone(), tensors[b.index()].clone());
                    match f {
                        Binary::Pow if exponent == Node::Constant(2.0) => self.node("Mul", &[&a, &a]),
                        _ => self.node(operator(f), &[&a, &b]),
                    }
                }
                input => leaf(self, input),
            };
            tensors.push(tensor);
        }
        let each = roots.iter().map(|&root| match (graph.node(root), point) {
            (Node::Constant(x), Some(point)) => self.filled(x, point),
            _ => tensors[root.index()].clone(),
        });
        Ok(each.collect())
    }

    fn unary(&mut self, f: Unary, a: &str) -> Result<String, ExportError> {
        let direct = match f {
            Unary::Neg => "Neg",
            Unary::Sin => "Sin",
            Unary::Cos => "Cos",
            Unary::Tanh => "Tanh",
            Unary::Exp => "Exp",
            Unary::Ln => "Log",
            Unary::Sqrt => "Sqrt",
            Unary::Abs => "Abs",
            Unary::Sign => "Sign",
            Unary::Tan => {
                let (sin, cos) = (self.node("Sin", &[a]), self.node("Cos", &[a]));
                return Ok(self.node("Div", &[&sin, &cos]));
            }
            Unary::Sinh | Unary::Cosh => {
                let half = self.number(0.5);
                let minus = self.node("Neg", &[a]);
                let (up, down) = (self.node("Exp", &[a]), self.node("Exp", &[&minus]));
                let sum = self.node(if f == Unary::Sinh { "Sub" } else { "Add" }, &[&up, &down]);
                return Ok(self.node("Mul", &[&half, &sum]));
            }
            Unary::Step => {
                let (half, sign) = (self.number(0.5), self.node("Sign", &[a]));
                let part = self.node("Mul", &[&half, &sign]);
                return Ok(self.node("Add", &[&half, &part]));
            }
            Unary::Asin | Unary::Acos | Unary::Atan | Unary::Erf | Unary::Phi if self.refuses => {
                return Err(ExportError::Unfit(format!(
                    "the network needs {}, which ONNX Runtime computes in single precision alone: write it so with --f32, or \
                     take .c, which is exact",
                    f.name()
                )));
            }
            Unary::Asin => "Asin",
            Unary::Acos => "Acos",
            Unary::Atan => "Atan",
            Unary::Erf => "Erf",
            Unary::Phi => {
                let (half, factor) = (self.number(0.5), self.number(core::f64::consts::FRAC_1_SQRT_2));
                let scaled = self.node("Mul", &[a, &factor]);
                let erf = self.node("Erf", &[&scaled]);
                let part = self.node("Mul", &[&half, &erf]);
                return Ok(self.node("Add", &[&half, &part]));
            }
        };
        Ok(self.node(direct, &[a]))
    }

    /// For every network of a piece the raw outputs' derivatives, a tensor a channel.
    fn network(&mut self, piece: usize, point: &[String]) -> Result<Vec<Vec<String>>, ExportError> {
        let function = self.function;
        let layers = &self.program.layers;
        let inputs =
            self.formula(&function.pieces[piece].inputs, Some(point), &mut |_, node| match node {
                Node::Coordinate { coordinate, .. } => point[coordinate].clone(),
                node => unreachable!("{node:?} is no coordinate"),
            })?;
        let channels = function.jets.channels();
        let mut features: Vec<Vec<String>> = vec![];
        for own in layers.parts.iter().map(|part| &part.features) {
            let inputs = &inputs[channels * own.start..channels * own.end];
            features.push(inputs.chunks(own.len()).map(|columns| self.joined(columns)).collect());
        }
        // The features, which are none of the arrays that steps make, are read by layers alone.
        let mut arrays: Vec<Vec<String>> = vec![vec![]];
        for step in &layers.steps {
            let made = match *step {
                Op::Dense { layer, from, activated } => {
                    let from = if layer.features.is_some() { &features[layer.part] } else { &arrays[from] };
                    let z = self.dense(piece, &layer, from);
                    if activated { self.activated(layer.part, &z)? } else { z }
                }
                Op::Add { a, b } => self.each("Add", &arrays[a], &arrays[b]),
                Op::Blend { gate, a, b } => self.blended(&arrays[gate], &arrays[a], &arrays[b]),
                Op::Mix { by, a, b } => {
                    let difference = self.each("Sub", &arrays[a], &arrays[b]);
                    let part = self.times(piece, by, &difference);
                    self.each("Add", &arrays[b], &part)
                }
                Op::Scale { by, from } => self.times(piece, by, &arrays[from]),
            };
            arrays.push(made);
        }
        let mut raw: Vec<Vec<String>> = vec![];
        for output in &layers.outputs {
            let Layer { features: first, part, .. } = output.layer;
            let from = if first.is_some() { &features[part] } else { &arrays[output.from] };
            let made = self.dense(piece, &output.layer, from);
            match raw.last_mut().filter(|_| !output.first) {
                Some(sum) => *sum = self.each("Add", sum, &made),
                None => raw.push(made),
            }
        }
        Ok(raw)
    }

    /// A layer on every channel.
    fn dense(&mut self, piece: usize, layer: &Layer, from: &[String]) -> Vec<String> {
        let [weights, biases] = match self.weights.get(&(piece, layer.weights)) {
            Some(names) => names.clone(),
            None => {
                let theta = &self.program.pieces[piece];
                let count = layer.inputs * layer.outputs;
                let weights = theta[layer.weights..][..count].iter().copied();
                let weights = self.tensor(&[layer.outputs, layer.inputs], weights);
                let biases = theta[layer.biases..][..layer.outputs].iter().copied();
                let names = [weights, self.tensor(&[layer.outputs], biases)];
                self.weights.insert((piece, layer.weights), names.clone());
                names
            }
        };
        let channel = |(c, channel): (usize, &String)| {
            let all: &[&str] = &[channel, &weights, &biases];
            self.with("Gemm", if c == 0 { all } else { &all[..2] }, &[("transB", 1)])
        };
        from.iter().enumerate().map(channel).collect()
    }

    /// An operator of two tensors, channel by channel.
    fn each(&mut self, operator: &str, a: &[String], b: &[String]) -> Vec<String> {
        a.iter().zip(b).map(|(a, b)| self.node(operator, &[a, b])).collect()
    }

    /// The product by trainable numbers, on every channel.
    fn times(&mut self, piece: usize, by: usize, from: &[String]) -> Vec<String> {
        let Numbers { first, count, .. } = self.program.layers.numbers[by];
        let numbers = self.program.pieces[piece][first..][..count].iter().copied();
        let factor = self.tensor(&[count], numbers);
        from.iter().map(|from| self.node("Mul", &[from, &factor])).collect()
    }

    /// Leibniz's rule for a gate.
    fn blended(&mut self, gate: &[String], a: &[String], b: &[String]) -> Vec<String> {
        let function = self.function;
        let rule = function.gates.as_ref().expect("a network with gates has their rule");
        let difference = self.each("Sub", a, b);
        let mut channels = b.to_vec();
        for (channel, sum) in channels.iter_mut().enumerate() {
            for term in rule.terms(channel) {
                let [i, k] = term.factors;
                let mut product = self.node("Mul", &[&gate[i], &difference[k]]);
                if term.coefficient != 1.0 {
                    let coefficient = self.number(term.coefficient);
                    product = self.node("Mul", &[&coefficient, &product]);
                }
                *sum = self.node("Add", &[sum, &product]);
            }
        }
        channels
    }

    /// The chain rule for the activation.
    fn activated(&mut self, part: usize, z: &[String]) -> Result<Vec<String>, ExportError> {
        let function = self.function;
        let activation = &function.activations[self.program.activations[part]];
        let slopes = self.formula(activation, None, &mut |_, _| z[0].clone())?;
        let mut channels = vec![slopes[0].clone()];
        for channel in 1..z.len() {
            let mut sum: Option<String> = None;
            for term in function.rule.terms(channel) {
                let mut product = slopes[term.factors.len()].clone();
                for &factor in &term.factors {
                    product = self.node("Mul", &[&product, &z[factor]]);
                }
                if term.coefficient != 1.0 {
                    let coefficient = self.number(term.coefficient);
                    product = self.node("Mul", &[&coefficient, &product]);
                }
                sum = Some(match sum {
                    Some(sum) => self.node("Add", &[&sum, &product]),
                    None => product,
                });
            }
            channels.push(sum.expect("every derivative has a term"));
        }
        Ok(channels)
    }

    /// Formulas of a piece at a point.
    fn values(
        &mut self,
        formula: &Formula,
        piece: usize,
        point: &[String],
    ) -> Result<Vec<String>, ExportError> {
        let taken = self.take_over(piece, point)?;
        let raw = self.network(piece, point)?;
        let (function, layers) = (self.function, &self.program.layers);
        self.formula(formula, Some(point), &mut |graph, node| match node {
            Node::Coordinate { coordinate, .. } => point[coordinate].clone(),
            Node::Jet { output, index, .. } => {
                let channel = function.jets.channel(index).expect("a function's jets hold all that it reads");
                let part = layers.part_of(output);
                let column = layers.columns[output] - layers.parts[part].columns.start;
                graph.column(&raw[part][channel], column)
            }
            Node::Data(column) => taken[column].clone(),
            node => unreachable!("{node:?} is a number by now"),
        })
    }

    /// What a piece takes over from the one before.
    fn take_over(&mut self, piece: usize, point: &[String]) -> Result<Vec<String>, ExportError> {
        let function = self.function;
        let Some(choice) = self.program.choice.as_ref().filter(|_| function.carried > 0) else {
            return Ok(vec![]);
        };
        let Some(start) = choice.starts[piece] else { return Ok(vec![]) };
        if let Some(taken) = self.taken.get(&piece) {
            return Ok(taken.clone());
        }
        let mut joint = point.to_vec();
        joint[choice.along] = self.filled(start.at, point);
        let taken = self.values(&function.pieces[start.window].handed_on, start.window, &joint)?;
        self.taken.insert(piece, taken.clone());
        Ok(taken)
    }

    /// The values wherever the point lies.
    fn all(&mut self, point: &[String]) -> Result<String, ExportError> {
        let function = self.function;
        let mut pieces = vec![];
        for (k, piece) in function.pieces.iter().enumerate() {
            let columns = self.values(&piece.values, k, point)?;
            pieces.push(self.joined(&columns));
        }
        let Some(choice) = &self.program.choice else { return Ok(pieces.swap_remove(0)) };
        let of = |graph: &mut Self, slice: usize| {
            // A window that training has not come to.
            let of_piece = pieces.get(choice.slices[slice]).cloned();
            of_piece.unwrap_or_else(|| graph.number(f64::NAN))
        };
        let mut value = of(self, 0);
        for (k, &joint) in choice.joints.iter().enumerate() {
            let (joint, next) = (self.number(joint), of(self, k + 1));
            let before = self.node("Less", &[&point[choice.along], &joint]);
            value = self.node("Where", &[&before, &value, &next]);
        }
        Ok(value)
    }
}

fn operator(f: Binary) -> &'static str {
    match f {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Pow => "Pow",
        Binary::Min => "Min",
        Binary::Max => "Max",
    }
}
