//! A network as a short program of layers, and where each parameter lies in the flat vector.
//!
//! Features go in, arrays of numbers come of them one after the other, and the raw outputs are linear in the last ones.
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
    /// Are the inputs the network's features?
    pub reads_features: bool,
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

/// A linear layer whose outputs are added to the raw outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// W and b.
    pub layer: Layer,
    /// The array that it reads.
    pub from: usize,
}

/// A network: layers and how they are joined.
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
        let mut builder = Builder::new(inputs);
        builder.trained = network.scale.trained();
        let last = hidden(network.architecture)(&mut builder, &network.hidden_widths());
        builder.output(last, outputs);
        if network.linear_part {
            builder.output(0, outputs);
        }
        builder.finish()
    }

    /// A chain of equal layers.
    pub fn chain(shape: &Shape) -> Self {
        let mut builder = Builder::new(shape.inputs);
        let last = plain::hidden(&mut builder, &vec![shape.width; shape.depth]);
        builder.output(last, shape.outputs);
        builder.finish()
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
        self.outputs[0].layer.outputs
    }

    /// Weights, biases and trainable numbers in all.
    pub fn parameters(&self) -> usize {
        let weights = self.outputs.last().map_or(0, |last| last.layer.biases + last.layer.outputs);
        self.numbers.last().map_or(weights, |last| last.first + last.count)
    }

    /// Activations one after the other on the longest way through the network.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0; self.arrays.len()];
        for (k, step) in self.steps.iter().enumerate() {
            let own = usize::from(matches!(step, Op::Dense { activated: true, .. }));
            depths[k + 1] = own + step.reads().map(|array| depths[array]).max().unwrap_or(0);
        }
        depths.into_iter().max().unwrap_or(0)
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

    fn output(&mut self, from: usize, outputs: usize) {
        let layer = self.layer(from, outputs);
        self.outputs.push(Output { layer, from });
    }

    fn layer(&mut self, from: usize, outputs: usize) -> Layer {
        let inputs = self.width(from);
        let weights = self.end;
        let biases = weights + inputs * outputs;
        self.end = biases + outputs;
        Layer { inputs, outputs, weights, biases, reads_features: from == 0 }
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
        let Self { arrays, steps, outputs, numbers, .. } = self;
        Layers { arrays, steps, outputs, numbers }
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
        assert_eq!(Layers::chain(&shape).depth(), 3);
        assert_eq!(shape.parameters(), 3 * 5 + 5 + 2 * 30 + 12);
        // Everything goes through one place.
        assert_eq!(Layers::chain(&shape).places(), (vec![0; 4], 1));
    }

    #[test]
    fn no_place_is_overwritten_that_is_still_read() {
        for architecture in Architecture::ALL {
            let layers = network(architecture, &[5, 5, 5, 5]);
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
}
