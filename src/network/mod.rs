//! Networks as a short program of layers, and where each parameter lies in the flat vector.
//!
//! Features go in, arrays of numbers come of them one after the other, and the raw outputs are linear in the last ones.
//! Several networks are one program whose parts read features, and make raw outputs, of their own.
//! Every array carries a value and the derivatives that are asked for; steps that are no layers are linear in them, or
//! products, for which Leibniz's rule holds.
//!
//! A kind of network is a file here, a variant of [`settings::Architecture`](crate::settings::Architecture) and a line in
//! [`hidden`].
//! This file knows sizes and places; it knows no values, no derivatives and no activation.

mod modified_mlp;
mod piratenet;
mod plain;
mod resnet;

use core::ops::Range;

use crate::settings::{Architecture, Network, Trained};

/// A fully connected network: `depth` hidden layers of `width` neurons, a linear output layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Features that enter the first layer.
    pub inputs: usize,
    /// Hidden layers.
    pub depth: usize,
    /// Neurons of a hidden layer.
    pub width: usize,
    /// Raw outputs, one for each unknown.
    pub outputs: usize,
}

impl Shape {
    /// The layers from first to last, hidden ones and the output layer.
    pub fn layers(&self) -> Vec<Layer> {
        Layers::chain(self).dense().copied().collect()
    }

    /// Weights and biases in all.
    pub fn parameters(&self) -> usize {
        Layers::chain(self).parameters()
    }
}

/// One layer's place in the flat parameter vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layer {
    /// Inputs of the layer.
    pub inputs: usize,
    /// Outputs of the layer.
    pub outputs: usize,
    /// Offset of the weights, `outputs × inputs`, row by row.
    pub weights: usize,
    /// Offset of the biases, one for each output.
    pub biases: usize,
    /// Of a layer over the features the first one that it reads.
    pub features: Option<usize>,
    /// Does it make raw outputs?
    pub output: bool,
    /// Which network it is of, by its place in [`Layers::parts`].
    pub part: usize,
}

impl Layer {
    /// Weights and biases.
    pub fn parameters(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }
}

/// Trainable numbers that multiply, and their place in the flat vector.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Numbers {
    /// Offset of the first one.
    pub first: usize,
    /// One for a whole array, or one for each of its neurons.
    pub count: usize,
    /// What they are before the first step.
    pub initial: f64,
}

/// What makes an array of those before it; arrays are named by their index in [`Layers::arrays`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// `W·from + b`, and the activation of that if it is `activated`.
    Dense {
        /// W and b.
        layer: Layer,
        /// The inputs.
        from: usize,
        /// Does the activation follow?
        activated: bool,
    },
    /// `a + b`
    Add {
        /// The first.
        a: usize,
        /// The second.
        b: usize,
    },
    /// `gate⊙a + (1 − gate)⊙b`
    Blend {
        /// How much of each neuron is that of `a`.
        gate: usize,
        /// What gates of 1 let through.
        a: usize,
        /// What gates of 0 let through.
        b: usize,
    },
    /// `α·a + (1 − α)·b`, α a trainable number.
    Mix {
        /// α, by its index in [`Layers::numbers`]; a single one.
        by: usize,
        /// What 1 lets through.
        a: usize,
        /// What 0 lets through.
        b: usize,
    },
    /// `s·from`, s trainable.
    Scale {
        /// s, by its index in [`Layers::numbers`].
        by: usize,
        /// What is multiplied.
        from: usize,
    },
}

/// A linear layer whose outputs are added to raw outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// W and b.
    pub layer: Layer,
    /// The array that it reads.
    pub from: usize,
    /// The first of the raw outputs that it is added to.
    pub column: usize,
    /// Is it the first one that is added there?
    pub first: bool,
}

/// One of the networks: what of a program is its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its features among all of them.
    pub features: Range<usize>,
    /// Its steps.
    pub steps: Range<usize>,
    /// Its output layers, by their place in [`Layers::outputs`].
    pub outputs: Range<usize>,
    /// Its raw outputs.
    pub columns: Range<usize>,
}

/// Networks: layers and how they are joined.
///
/// The flat vector holds each layer's weights, then its biases, in the order of the steps and after them of the outputs;
/// then the trainable numbers.
#[derive(Clone, PartialEq, Debug)]
pub struct Layers {
    /// The width of every array; array 0 is the features, which only layers read.
    pub arrays: Vec<usize>,
    /// Step k makes array k + 1, of arrays before it.
    pub steps: Vec<Op>,
    /// The raw outputs are the sum of these.
    pub outputs: Vec<Output>,
    /// Trainable numbers.
    pub numbers: Vec<Numbers>,
    /// The networks one after the other.
    pub parts: Vec<Part>,
    /// For every unknown which raw output is its own.
    pub columns: Vec<usize>,
}

/// What a network is made from.
pub struct Plan<'a> {
    /// Its settings.
    pub network: &'a Network,
    /// How many features it reads.
    pub inputs: usize,
    /// The unknowns that it has.
    pub unknowns: &'a [usize],
}

impl Op {
    /// The arrays that it reads.
    pub fn reads(&self) -> impl Iterator<Item = usize> {
        let (reads, count) = match *self {
            Self::Dense { from, .. } | Self::Scale { from, .. } => ([from; 3], 1),
            Self::Add { a, b } | Self::Mix { a, b, .. } => ([a, b, b], 2),
            Self::Blend { gate, a, b } => ([gate, a, b], 3),
        };
        reads.into_iter().take(count)
    }
}

impl Layers {
    /// The network of the settings for so many features and unknowns.
    pub fn new(network: &Network, inputs: usize, outputs: usize) -> Self {
        let unknowns: Vec<usize> = (0..outputs).collect();
        Self::several(&[Plan { network, inputs, unknowns: &unknowns }])
    }

    /// Networks side by side, which together have every unknown once; their features follow one another.
    pub fn several(plans: &[Plan<'_>]) -> Self {
        let mut builder = Builder::new(plans.iter().map(|plan| plan.inputs).sum());
        let mut last = vec![];
        for Plan { network, inputs, .. } in plans {
            builder.begin(*inputs);
            builder.trained = network.scale.trained();
            last.push(hidden(network.architecture)(&mut builder, &network.hidden_widths()));
            builder.end_steps();
        }
        for (part, (plan, last)) in plans.iter().zip(last).enumerate() {
            let from = if plan.network.linear_part { &[last, 0][..] } else { &[last] };
            builder.raw_outputs(part, from, plan.unknowns);
        }
        builder.finish()
    }

    /// A chain of equal layers.
    pub fn chain(shape: &Shape) -> Self {
        let (depth, width) = (shape.depth, shape.width);
        Self::new(&Network { depth, width, ..Network::default() }, shape.inputs, shape.outputs)
    }

    /// Every layer, in the order of the flat vector.
    pub fn dense(&self) -> impl Iterator<Item = &Layer> {
        let hidden = self.steps.iter().filter_map(|step| match step {
            Op::Dense { layer, .. } => Some(layer),
            _ => None,
        });
        hidden.chain(self.outputs.iter().map(|output| &output.layer))
    }

    /// Features.
    pub fn inputs(&self) -> usize {
        self.arrays[0]
    }

    /// Raw outputs.
    pub fn raw_outputs(&self) -> usize {
        self.columns.len()
    }

    /// For every network: has it one of these unknowns?
    pub fn parts_with(&self, unknowns: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut there = vec![false; self.parts.len()];
        unknowns.for_each(|unknown| there[self.part_of(unknown)] = true);
        there
    }

    /// The network that has an unknown.
    pub fn part_of(&self, unknown: usize) -> usize {
        let column = self.columns[unknown];
        let own = self.parts.iter().position(|part| part.columns.contains(&column));
        own.expect("every raw output is a network's")
    }

    /// Weights, biases and trainable numbers in all.
    pub fn parameters(&self) -> usize {
        let weights = self.outputs.last().map_or(0, |last| last.layer.biases + last.layer.outputs);
        self.numbers.last().map_or(weights, |last| last.first + last.count)
    }

    /// Activations one after the other on the longest way through a network.
    pub fn depth(&self, part: usize) -> usize {
        let mut depths = vec![0; self.arrays.len()];
        for k in self.parts[part].steps.clone() {
            let step = &self.steps[k];
            let own = usize::from(matches!(step, Op::Dense { activated: true, .. }));
            depths[k + 1] = own + step.reads().map(|array| depths[array]).max().unwrap_or(0);
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// What multiplies the activations of a network where their scales are trained, in the order of its layers; one that
    /// is shared is there once.
    pub fn scales(&self, part: usize) -> Vec<Numbers> {
        let mut found = vec![];
        for step in &self.steps[self.parts[part].steps.clone()] {
            if let Op::Scale { by, .. } = step
                && !found.contains(by)
            {
                found.push(*by);
            }
        }
        found.into_iter().map(|by| self.numbers[by]).collect()
    }

    /// Is there a product of arrays?
    pub fn has_gates(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Op::Blend { .. }))
    }

    /// A place for every array, so that no array is overwritten that is still to be read, and how many places there are.
    ///
    /// What an activated layer reads may lie where its own array goes; it is the only step of which that is true.
    pub fn places(&self) -> (Vec<usize>, usize) {
        let mut last_read = vec![0; self.arrays.len()];
        for (k, step) in self.steps.iter().enumerate() {
            step.reads().for_each(|array| last_read[array] = k);
        }
        self.outputs.iter().for_each(|output| last_read[output.from] = self.steps.len());
        let mut places = vec![0];
        let mut free: Vec<usize> = vec![];
        let mut count = 1;
        for (k, step) in self.steps.iter().enumerate() {
            let mut dead: Vec<usize> = step.reads().filter(|&array| last_read[array] == k).collect();
            dead.sort_unstable();
            dead.dedup();
            let dead: Vec<usize> = dead.into_iter().map(|array| places[array]).collect();
            let in_place = matches!(step, Op::Dense { activated: true, .. });
            if in_place {
                free.extend(&dead);
            }
            places.push(free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            }));
            if !in_place {
                free.extend(&dead);
            }
        }
        (places, count)
    }
}

/// What makes the hidden arrays of a kind of network, from the widths of its layers; returns the last one.
fn hidden(architecture: Architecture) -> fn(&mut Builder, &[usize]) -> usize {
    match architecture {
        Architecture::Plain => plain::hidden,
        Architecture::Resnet => resnet::hidden,
        Architecture::ModifiedMlp => modified_mlp::hidden,
        Architecture::Piratenet => piratenet::hidden,
    }
}

/// A network as it grows; every method returns the array that it adds.
struct Builder {
    arrays: Vec<usize>,
    steps: Vec<Op>,
    outputs: Vec<Output>,
    numbers: Vec<Numbers>,
    /// Where the next layer's weights lie.
    end: usize,
    /// Whose activations' scales are trained.
    trained: Option<Trained>,
    /// The scale of all activations, once it is there.
    scale: Option<usize>,
    /// The networks so far; the last one grows.
    parts: Vec<Part>,
    columns: Vec<usize>,
}

impl Builder {
    fn new(inputs: usize) -> Self {
        Self {
            arrays: vec![inputs],
            steps: vec![],
            outputs: vec![],
            numbers: vec![],
            end: 0,
            trained: None,
            scale: None,
            parts: vec![],
            columns: vec![],
        }
    }

    /// Begins the next network, which reads the next `inputs` features.
    fn begin(&mut self, inputs: usize) {
        let first = self.parts.last().map_or(0, |part| part.features.end);
        let steps = self.steps.len();
        self.scale = None;
        self.parts.push(Part {
            features: first..first + inputs,
            steps: steps..steps,
            outputs: 0..0,
            columns: 0..0,
        });
    }

    /// The network has all its steps.
    fn end_steps(&mut self) {
        let end = self.steps.len();
        if let Some(part) = self.parts.last_mut() {
            part.steps.end = end;
        }
    }

    fn width(&self, array: usize) -> usize {
        self.arrays[array]
    }

    /// A layer of `width` neurons with its activation, and what multiplies that where it is trained.
    fn dense(&mut self, from: usize, width: usize) -> usize {
        let layer = self.layer(from, width);
        let y = self.push(width, Op::Dense { layer, from, activated: true });
        let by = match self.trained {
            None => return y,
            Some(Trained::All) => {
                let by = self.scale.unwrap_or_else(|| self.number(1, 1.0));
                self.scale = Some(by);
                by
            }
            Some(Trained::Layer) => self.number(1, 1.0),
            Some(Trained::Neuron) => self.number(width, 1.0),
        };
        self.push(width, Op::Scale { by, from: y })
    }

    /// A layer without an activation.
    fn linear(&mut self, from: usize, width: usize) -> usize {
        let layer = self.layer(from, width);
        self.push(width, Op::Dense { layer, from, activated: false })
    }

    /// `a + b`
    fn add(&mut self, a: usize, b: usize) -> usize {
        self.push(self.width(a), Op::Add { a, b })
    }

    /// `gate⊙a + (1 − gate)⊙b`
    fn blend(&mut self, gate: usize, a: usize, b: usize) -> usize {
        self.push(self.width(a), Op::Blend { gate, a, b })
    }

    /// `α·a + (1 − α)·b` with a trainable α, at first `initial`.
    fn mix(&mut self, initial: f64, a: usize, b: usize) -> usize {
        let by = self.number(1, initial);
        self.push(self.width(a), Op::Mix { by, a, b })
    }

    /// Gives a network its raw outputs, sums of layers over the arrays `from`.
    fn raw_outputs(&mut self, part: usize, from: &[usize], unknowns: &[usize]) {
        let column = self.parts[..part].iter().map(|part| part.columns.len()).sum();
        let outputs = self.outputs.len();
        for (k, &from) in from.iter().enumerate() {
            let layer = Layer { output: true, ..self.layer_of(part, from, unknowns.len()) };
            self.outputs.push(Output { layer, from, column, first: k == 0 });
        }
        self.parts[part].outputs = outputs..self.outputs.len();
        self.parts[part].columns = column..column + unknowns.len();
        for (k, &unknown) in unknowns.iter().enumerate() {
            self.columns.resize(self.columns.len().max(unknown + 1), 0);
            self.columns[unknown] = column + k;
        }
    }

    fn layer(&mut self, from: usize, outputs: usize) -> Layer {
        self.layer_of(self.parts.len() - 1, from, outputs)
    }

    fn layer_of(&mut self, part: usize, from: usize, outputs: usize) -> Layer {
        let features = &self.parts[part].features;
        let inputs = if from == 0 { features.len() } else { self.width(from) };
        let features = (from == 0).then_some(features.start);
        let weights = self.end;
        let biases = weights + inputs * outputs;
        self.end = biases + outputs;
        Layer { inputs, outputs, weights, biases, features, output: false, part }
    }

    fn number(&mut self, count: usize, initial: f64) -> usize {
        self.numbers.push(Numbers { first: 0, count, initial });
        self.numbers.len() - 1
    }

    fn push(&mut self, width: usize, op: Op) -> usize {
        let features = matches!(op, Op::Dense { .. }) || op.reads().all(|array| array > 0);
        debug_assert!(features, "only layers read the features");
        self.steps.push(op);
        self.arrays.push(width);
        self.arrays.len() - 1
    }

    fn finish(mut self) -> Layers {
        for numbers in &mut self.numbers {
            numbers.first = self.end;
            self.end += numbers.count;
        }
        let Self { arrays, steps, outputs, numbers, parts, columns, .. } = self;
        Layers { arrays, steps, outputs, numbers, parts, columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(architecture: Architecture, widths: &[usize]) -> Layers {
        let widths = widths.to_vec();
        Layers::new(&Network { architecture, widths, ..Network::default() }, 3, 2)
    }

    #[test]
    fn parameters_lie_one_after_the_other() {
        for architecture in Architecture::ALL {
            let layers = network(architecture, &[5, 5, 5]);
            let mut end = 0;
            for layer in layers.dense() {
                assert_eq!((layer.weights, layer.biases), (end, end + layer.inputs * layer.outputs));
                end = layer.biases + layer.outputs;
            }
            for numbers in &layers.numbers {
                assert_eq!(numbers.first, end);
                end += numbers.count;
            }
            assert_eq!(layers.parameters(), end, "{architecture:?}");
        }
    }

    #[test]
    fn a_plain_network_is_a_chain() {
        let shape = Shape { inputs: 3, depth: 3, width: 5, outputs: 2 };
        assert_eq!(network(Architecture::Plain, &[5, 5, 5]), Layers::chain(&shape));
        assert_eq!(Layers::chain(&shape).depth(0), 3);
        assert_eq!(shape.parameters(), 3 * 5 + 5 + 2 * 30 + 12);
        // Everything goes through one place.
        assert_eq!(Layers::chain(&shape).places(), (vec![0; 4], 1));
    }

    /// Two networks of three unknowns, which have the first and the last, and the second.
    fn two(architecture: Architecture) -> Layers {
        let [first, second] = [5, 4].map(|width| Network {
            architecture,
            linear_part: width == 5,
            widths: vec![width; 3],
            ..Network::default()
        });
        Layers::several(&[
            Plan { network: &first, inputs: 2, unknowns: &[0, 2] },
            Plan { network: &second, inputs: 1, unknowns: &[1] },
        ])
    }

    #[test]
    fn networks_lie_side_by_side() {
        let layers = two(Architecture::Plain);
        assert_eq!((layers.inputs(), layers.raw_outputs(), &layers.columns[..]), (3, 3, &[0, 2, 1][..]));
        assert_eq!([0, 1, 2].map(|unknown| layers.part_of(unknown)), [0, 1, 0]);
        assert_eq!(layers.parts_with([1].into_iter()), [false, true]);
        let read: Vec<_> = layers.dense().map(|layer| (layer.part, layer.features, layer.inputs)).collect();
        let hidden =
            [(0, Some(0), 2), (0, None, 5), (0, None, 5), (1, Some(2), 1), (1, None, 4), (1, None, 4)];
        assert_eq!(read, [&hidden[..], &[(0, None, 5), (0, Some(0), 2), (1, None, 4)]].concat());
        let added: Vec<_> = layers.outputs.iter().map(|output| (output.column, output.first)).collect();
        assert_eq!(added, [(0, true), (0, false), (2, true)]);
        let alone = Layers::new(&Network { widths: vec![4; 3], ..Network::default() }, 1, 1);
        let first = Network { widths: vec![5; 3], linear_part: true, ..Network::default() };
        assert_eq!(layers.parameters(), Layers::new(&first, 2, 2).parameters() + alone.parameters());
    }

    #[test]
    fn no_place_is_overwritten_that_is_still_read() {
        for architecture in Architecture::ALL {
            check_places(&network(architecture, &[5, 5, 5, 5]), architecture);
            check_places(&two(architecture), architecture);
        }
    }

    fn check_places(layers: &Layers, architecture: Architecture) {
        let (places, count) = layers.places();
        assert!(places.iter().all(|&place| place < count));
        let mut holds: Vec<usize> = vec![usize::MAX; count];
        holds[0] = 0;
        for (k, step) in layers.steps.iter().enumerate() {
            for array in step.reads() {
                assert_eq!(holds[places[array]], array, "{architecture:?}, step {k}");
                let in_place = matches!(step, Op::Dense { activated: true, .. });
                assert!(in_place || places[array] != places[k + 1]);
            }
            holds[places[k + 1]] = k + 1;
        }
        layers.outputs.iter().for_each(|output| assert_eq!(holds[places[output.from]], output.from));
    }
}
