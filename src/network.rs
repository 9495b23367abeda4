//! The network's shape and where each parameter lies in the flat vector.

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
}

impl Shape {
    /// The layers from first to last, hidden ones and the output layer.
    ///
    /// The flat vector holds each layer's weights, then its biases, in this order.
    pub fn layers(&self) -> Vec<Layer> {
        let mut offset = 0;
        (0..=self.depth)
            .map(|l| {
                let inputs = if l == 0 { self.inputs } else { self.width };
                let outputs = if l == self.depth { self.outputs } else { self.width };
                let weights = offset;
                let biases = weights + inputs * outputs;
                offset = biases + outputs;
                Layer { inputs, outputs, weights, biases }
            })
            .collect()
    }

    /// Weights and biases in all.
    pub fn parameters(&self) -> usize {
        self.layers().last().map_or(0, |last| last.biases + last.outputs)
    }
}
