//! One block of points, forward through all layers and back.
//!
//! A thread carries a block of a few points with all their jet channels through the whole network before it takes
//! the next one, so everything it touches stays in cache, and memory does not grow with the number of points.

use aligned_vec::{AVec, avec};
use pulp::Simd;

use super::activate::{self, MOST_SLOPES};
use super::chain::{self, AddRows, Plan};
use super::gemm::{self, ColumnsProduct, Product, TransposedProduct};
use super::tape::{self, Tape};
use crate::activation::Kernel;
use crate::engine::square_factor;
use crate::network::{Layer, Shape};
use crate::simd::Real;

/// A condition, or the prediction, compiled for a network and bound to points.
pub(super) struct Term<R> {
    pub(super) plan: Plan<R>,
    pub(super) tape: Tape,
    /// Linked points of one residual.
    pub(super) sides: usize,
    /// Points in a block, a multiple of `sides`.
    pub(super) points: usize,
    /// Distance of registers on the tape: the sites of a block, rounded up to whole SIMD registers.
    pub(super) stride: usize,
    /// Sites in all; the last block may be partly empty.
    pub(super) sites: usize,
    /// Jets of the features, block by block, `rows × inputs` each.
    pub(super) inputs: AVec<R>,
    /// Columns of the tape that depend on the point alone, block by block.
    pub(super) columns: AVec<R>,
    /// A weight for each site; none at all mean 1.
    pub(super) point_weights: Vec<f64>,
}

impl<R: Real> Term<R> {
    /// Rows of a block: channels × points.
    pub(super) fn rows(&self) -> usize {
        self.plan.channels() * self.points
    }

    /// Sites of a full block.
    pub(super) fn block_sites(&self) -> usize {
        self.points / self.sides
    }

    /// How many blocks.
    pub(super) fn blocks(&self) -> usize {
        self.sites.div_ceil(self.block_sites())
    }

    /// Sites in block `block` that are there.
    pub(super) fn filled(&self, block: usize) -> usize {
        self.block_sites().min(self.sites - block * self.block_sites())
    }

    /// The weights of the sites in block `block` that are there.
    fn weights(&self, block: usize) -> impl Iterator<Item = f64> + '_ {
        let first = block * self.block_sites();
        let weight = move |i| self.point_weights.get(first + i).copied().unwrap_or(1.0);
        (0..self.filled(block)).map(weight)
    }
}

/// A network's parameters in the layouts that the kernels read.
pub(super) struct Packed<R> {
    pub(super) layers: Vec<PackedLayer<R>>,
    /// Output weights, `outputs × width`, and the same in panels for the way back.
    output: AVec<R>,
    output_back: AVec<R>,
    output_bias: Vec<R>,
    coefficients: Vec<R>,
}

/// One hidden layer.
pub(super) struct PackedLayer<R> {
    layer: Layer,
    /// Weights for the way forward: `inputs × width` in panels.
    forward: AVec<R>,
    /// Weights for the way back: `outputs × width` in panels; not needed in the first layer.
    back: AVec<R>,
    bias: AVec<R>,
}

/// Partial sums of one group of blocks.
pub(super) struct Partial<R> {
    /// Σ residual² of every term.
    pub(super) squares: Vec<f64>,
    /// Σ w·residual² of every term, w the site's weight.
    pub(super) weighted: Vec<f64>,
    /// Weight gradients: the first layer's transposed (`inputs × width`), else `outputs × width`.
    weights: Vec<AVec<R>>,
    biases: Vec<AVec<R>>,
    output_bias: Vec<R>,
    coefficients: Vec<f64>,
    /// Nothing has been added yet, so the next block may overwrite.
    fresh: bool,
}

/// What a thread needs for a block.
pub(super) struct Workspace<R> {
    z: AVec<R>,
    y: AVec<R>,
    y_bar: AVec<R>,
    z_bar: AVec<R>,
    slopes: AVec<R>,
    /// Raw outputs, `outputs × rows`.
    output: AVec<R>,
    /// Their adjoints, `rows × outputs`.
    output_bar: AVec<R>,
    registers: AVec<R>,
    adjoints: AVec<R>,
    /// The term whose constants the registers hold.
    term: Option<usize>,
}

/// The fused kernels for one instruction set, precision and activation.
pub(super) trait Kernels<R: Real>: Send + Sync {
    /// Lanes of a register.
    fn lanes(&self) -> usize;
    /// Widths are padded to multiples of this.
    fn unit(&self) -> usize;
    /// Lays out hidden layer `packed` of `theta`.
    fn pack_layer(&self, theta: &[f64], width: usize, packed: &mut PackedLayer<R>);
    /// Lays out the output layer.
    fn pack_output(&self, theta: &[f64], shape: &Shape, width: usize, packed: &mut Packed<R>);
    /// Residuals of a block, left in the workspace.
    fn forward(&self, net: &Packed<R>, term: &Term<R>, which: usize, block: usize, space: &mut Workspace<R>);
    /// From adjoints of the residuals, set in the workspace, to the gradient.
    fn backward(
        &self,
        net: &Packed<R>,
        term: &Term<R>,
        block: usize,
        space: &mut Workspace<R>,
        partial: &mut Partial<R>,
    );
}

/// The kernels for registers `S`; the activation's are behind a pointer, so that only they are compiled for each.
pub(super) struct Fused<S, R> {
    pub(super) simd: S,
    pub(super) activation: Box<dyn Activate<R>>,
}

/// An activation's kernels on the value channel of a block.
pub(super) trait Activate<R>: Send + Sync {
    /// `z += bias`, `y = f(z)`.
    fn values(&self, bias: &[R], z: &mut [R], y: &mut [R]);
    /// The first `count` slopes of f at z, where y = f(z).
    fn slopes(&self, count: usize, z: &[R], y: &[R], slopes: &mut [R]);
}

/// [`Activate`] for one activation and one kind of register.
pub(super) struct ActivateWith<S, K> {
    pub(super) simd: S,
    pub(super) kernel: K,
}

impl<R: Real, S: Simd, K: Kernel> Activate<R> for ActivateWith<S, K> {
    fn values(&self, bias: &[R], z: &mut [R], y: &mut [R]) {
        let Self { simd, kernel } = *self;
        simd.vectorize(activate::Values { simd, kernel, bias, z, y });
    }

    fn slopes(&self, count: usize, z: &[R], y: &[R], slopes: &mut [R]) {
        let Self { simd, kernel } = *self;
        simd.vectorize(activate::Slopes { simd, kernel, count, z, y, slopes });
    }
}

impl<R: Real> Packed<R> {
    /// Room for a network of this shape whose hidden width is padded to `width`.
    pub(super) fn new(shape: &Shape, width: usize, coefficients: usize) -> Self {
        let zeros = |n: usize| avec![R::default(); n];
        let layers = shape.layers();
        let hidden = &layers[..shape.depth];
        Self {
            layers: hidden
                .iter()
                .enumerate()
                .map(|(l, &layer)| PackedLayer {
                    layer,
                    forward: zeros(layer.inputs * width),
                    back: zeros(if l == 0 { 0 } else { layer.outputs * width }),
                    bias: zeros(width),
                })
                .collect(),
            output: zeros(shape.outputs * width),
            output_back: zeros(shape.outputs * width),
            output_bias: vec![R::default(); shape.outputs],
            coefficients: vec![R::default(); coefficients],
        }
    }

    /// Trainable coefficients.
    pub(super) fn coefficients(&self) -> usize {
        self.coefficients.len()
    }

    fn width(&self) -> usize {
        self.layers[0].bias.len()
    }

    fn outputs(&self) -> usize {
        self.output_bias.len()
    }

    /// Takes up the trainable coefficients, the tail of θ.
    pub(super) fn set_coefficients(&mut self, values: &[f64]) {
        for (to, &x) in self.coefficients.iter_mut().zip(values) {
            *to = R::from_f64(x);
        }
    }
}

impl<R: Real> Partial<R> {
    pub(super) fn new(net: &Packed<R>, terms: usize) -> Self {
        let width = net.width();
        let zeros = |n: usize| avec![R::default(); n];
        let mut weights: Vec<_> = net
            .layers
            .iter()
            .enumerate()
            .map(|(l, packed)| {
                let rows = if l == 0 { packed.layer.inputs } else { packed.layer.outputs };
                zeros(rows * width)
            })
            .collect();
        weights.push(zeros(net.outputs() * width));
        Self {
            squares: vec![0.0; terms],
            weighted: vec![0.0; terms],
            weights,
            biases: net.layers.iter().map(|_| zeros(width)).collect(),
            output_bias: vec![R::default(); net.outputs()],
            coefficients: vec![0.0; net.coefficients.len()],
            fresh: true,
        }
    }

    /// Forgets the sums.
    pub(super) fn reset(&mut self) {
        self.fresh = true;
        self.squares.fill(0.0);
        self.weighted.fill(0.0);
        self.coefficients.fill(0.0);
        self.output_bias.fill(R::default());
        for bias in &mut self.biases {
            bias.fill(R::default());
        }
    }
}

/// Adds the groups' gradients of layer `l` in their order: weights, then biases, into that layer's part of θ.
pub(super) fn reduce_layer<R: Real>(partials: &[Partial<R>], l: usize, layer: &Layer, gradient: &mut [f64]) {
    let (weights, biases) = gradient.split_at_mut(layer.inputs * layer.outputs);
    weights.fill(0.0);
    biases.fill(0.0);
    for partial in partials.iter().filter(|partial| !partial.fresh) {
        let sums = &partial.weights[l];
        let hidden = l < partial.biases.len();
        let width = if hidden { partial.biases[l].len() } else { sums.len() / layer.outputs };
        if l == 0 {
            for (k, row) in sums.chunks_exact(width).enumerate() {
                for (n, x) in row[..layer.outputs].iter().enumerate() {
                    weights[n * layer.inputs + k] += x.to_f64();
                }
            }
        } else {
            for (to, row) in weights.chunks_exact_mut(layer.inputs).zip(sums.chunks_exact(width)) {
                for (to, x) in to.iter_mut().zip(row) {
                    *to += x.to_f64();
                }
            }
        }
        let from = if hidden { &partial.biases[l][..] } else { &partial.output_bias[..] };
        for (to, x) in biases.iter_mut().zip(from) {
            *to += x.to_f64();
        }
    }
}

/// Adds the groups' gradients of the trainable coefficients in their order.
pub(super) fn reduce_coefficients<R: Real>(partials: &[Partial<R>], gradient: &mut [f64]) {
    gradient.fill(0.0);
    for partial in partials {
        for (to, x) in gradient.iter_mut().zip(&partial.coefficients) {
            *to += x;
        }
    }
}

impl<R: Real> Workspace<R> {
    pub(super) fn new() -> Self {
        let empty = || avec![R::default(); 0];
        Self {
            z: empty(),
            y: empty(),
            y_bar: empty(),
            z_bar: empty(),
            slopes: empty(),
            output: empty(),
            output_bar: empty(),
            registers: empty(),
            adjoints: empty(),
            term: None,
        }
    }

    /// Makes room for blocks of `term`.
    pub(super) fn reserve(&mut self, net: &Packed<R>, term: &Term<R>) {
        let (rows, width) = (term.rows(), net.width());
        let registers = term.tape.registers() * term.stride;
        let grow = |buffer: &mut AVec<R>, size: usize| {
            if buffer.len() < size {
                buffer.resize(size, R::default());
            }
        };
        grow(&mut self.z, net.layers.len() * rows * width);
        grow(&mut self.y, net.layers.len() * rows * width);
        grow(&mut self.y_bar, rows * width);
        grow(&mut self.z_bar, rows * width);
        grow(&mut self.slopes, MOST_SLOPES * term.points * width);
        grow(&mut self.output, net.outputs() * rows);
        grow(&mut self.output_bar, net.outputs() * rows);
        grow(&mut self.registers, registers);
        grow(&mut self.adjoints, registers);
        self.term = None;
    }

    /// Values of root `root` at the sites of the last block.
    pub(super) fn root(&self, term: &Term<R>, root: usize) -> &[R] {
        &self.registers[term.tape.roots()[root] * term.stride..][..term.block_sites()]
    }

    /// Another tape has used the registers.
    pub(super) fn forget_constants(&mut self) {
        self.term = None;
    }

    /// Clears all adjoints; those of the roots are set next.
    pub(super) fn clear_adjoints(&mut self, term: &Term<R>) {
        self.adjoints[..term.tape.registers() * term.stride].fill(R::default());
    }

    /// Adds the derivative of the loss by a root to its adjoints, where λ is `weight`;
    /// returns Σ residual² and Σ w·residual² over the block.
    pub(super) fn seed(&mut self, term: &Term<R>, root: usize, block: usize, weight: f64) -> (f64, f64) {
        let from = term.tape.roots()[root] * term.stride;
        let (mut squares, mut weighted) = (0.0, 0.0);
        for (i, w) in term.weights(block).enumerate() {
            let residual = self.registers[from + i].to_f64();
            squares += residual * residual;
            weighted += w * (residual * residual);
            let slope = 2.0 * square_factor(weight, w, term.sites) * residual;
            let adjoint = &mut self.adjoints[from + i];
            *adjoint = R::from_f64(adjoint.to_f64() + slope);
        }
        (squares, weighted)
    }
}

impl<R: Real, S: Simd> Kernels<R> for Fused<S, R> {
    fn lanes(&self) -> usize {
        R::lanes::<S>()
    }

    fn unit(&self) -> usize {
        gemm::unit::<S, R>()
    }

    fn pack_layer(&self, theta: &[f64], width: usize, packed: &mut PackedLayer<R>) {
        let Layer { inputs, outputs, weights, biases } = packed.layer;
        let weights = &theta[weights..][..inputs * outputs];
        for n in 0..outputs {
            packed.bias[n] = R::from_f64(theta[biases + n]);
            for k in 0..inputs {
                let weight = R::from_f64(weights[n * inputs + k]);
                packed.forward[gemm::panel_offset::<S, R>(inputs, width, k, n)] = weight;
                if !packed.back.is_empty() {
                    packed.back[gemm::panel_offset::<S, R>(outputs, width, n, k)] = weight;
                }
            }
        }
    }

    fn pack_output(&self, theta: &[f64], shape: &Shape, width: usize, packed: &mut Packed<R>) {
        let layer = shape.layers()[shape.depth];
        for n in 0..layer.outputs {
            packed.output_bias[n] = R::from_f64(theta[layer.biases + n]);
            for k in 0..layer.inputs {
                let weight = R::from_f64(theta[layer.weights + n * layer.inputs + k]);
                packed.output[n * width + k] = weight;
                packed.output_back[gemm::panel_offset::<S, R>(layer.outputs, width, n, k)] = weight;
            }
        }
    }

    fn forward(&self, net: &Packed<R>, term: &Term<R>, which: usize, block: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, width) = (term.rows(), net.width());
        let (size, channel) = (rows * width, term.points * width);
        for (l, packed) in net.layers.iter().enumerate() {
            let depth = packed.layer.inputs;
            let z = &mut space.z[l * size..][..size];
            let (a, a_stride) = match l {
                0 => (&term.inputs[block * rows * depth..][..rows * depth], depth),
                _ => (&space.y[(l - 1) * size..][..size], width),
            };
            simd.vectorize(Product { simd, rows, depth, width, a, a_stride, b: &packed.forward, c: z });
            let y = &mut space.y[l * size..][..size];
            self.activation.values(&packed.bias, &mut z[..channel], &mut y[..channel]);
            let order = term.plan.order();
            self.activation.slopes(order, &z[..channel], &y[..channel], &mut space.slopes);
            let slopes = &space.slopes[..];
            simd.vectorize(chain::Forward { simd, plan: &term.plan, size: channel, slopes, z, y });
        }
        simd.vectorize(ColumnsProduct {
            simd,
            rows,
            width,
            outputs: net.outputs(),
            a: &space.y[(net.layers.len() - 1) * size..][..size],
            b: &net.output,
            c: &mut space.output,
        });
        self.load_registers(net, term, which, block, space);
        let registers = &mut space.registers[..];
        simd.vectorize(tape::Forward { simd, tape: &term.tape, stride: term.stride, registers });
    }

    fn backward(
        &self,
        net: &Packed<R>,
        term: &Term<R>,
        block: usize,
        space: &mut Workspace<R>,
        partial: &mut Partial<R>,
    ) {
        let simd = self.simd;
        let (rows, width, outputs) = (term.rows(), net.width(), net.outputs());
        let (size, channel) = (rows * width, term.points * width);
        let accumulate = !partial.fresh;
        partial.fresh = false;
        simd.vectorize(tape::Backward {
            simd,
            tape: &term.tape,
            stride: term.stride,
            registers: &space.registers,
            adjoints: &mut space.adjoints,
        });
        self.unload_adjoints(term, outputs, space, partial);

        let depth = net.layers.len();
        let output_bar = &space.output_bar[..rows * outputs];
        simd.vectorize(TransposedProduct {
            simd,
            rows,
            height: outputs,
            width,
            a: output_bar,
            a_stride: outputs,
            b: &space.y[(depth - 1) * size..][..size],
            c: &mut partial.weights[depth],
            accumulate,
        });
        simd.vectorize(Product {
            simd,
            rows,
            depth: outputs,
            width,
            a: output_bar,
            a_stride: outputs,
            b: &net.output_back,
            c: &mut space.y_bar,
        });
        for (l, packed) in net.layers.iter().enumerate().rev() {
            let layer = &packed.layer;
            let (z, y) = (&space.z[l * size..][..size], &space.y[l * size..][..size]);
            let order = term.plan.order();
            self.activation.slopes(order + 1, &z[..channel], &y[..channel], &mut space.slopes);
            simd.vectorize(chain::Backward {
                simd,
                plan: &term.plan,
                size: channel,
                slopes: &space.slopes,
                z,
                y_bar: &space.y_bar,
                z_bar: &mut space.z_bar,
            });
            simd.vectorize(AddRows { simd, rows: &space.z_bar[..channel], sum: &mut partial.biases[l] });
            let weights = &mut partial.weights[l][..];
            if l == 0 {
                // Few inputs: the transposed gradient is the one whose rows are long.
                simd.vectorize(TransposedProduct {
                    simd,
                    rows,
                    height: layer.inputs,
                    width,
                    a: &term.inputs[block * rows * layer.inputs..][..rows * layer.inputs],
                    a_stride: layer.inputs,
                    b: &space.z_bar,
                    c: weights,
                    accumulate,
                });
                continue;
            }
            simd.vectorize(TransposedProduct {
                simd,
                rows,
                height: layer.outputs,
                width,
                a: &space.z_bar,
                a_stride: width,
                b: &space.y[(l - 1) * size..][..size],
                c: weights,
                accumulate,
            });
            simd.vectorize(Product {
                simd,
                rows,
                depth: layer.outputs,
                width,
                a: &space.z_bar,
                a_stride: width,
                b: &packed.back,
                c: &mut space.y_bar,
            });
        }
    }
}

impl<R: Real, S: Simd> Fused<S, R> {
    /// Brings raw outputs (with their bias), point columns and coefficients to the tape's registers.
    fn load_registers(
        &self,
        net: &Packed<R>,
        term: &Term<R>,
        which: usize,
        block: usize,
        space: &mut Workspace<R>,
    ) {
        let (stride, sites, rows) = (term.stride, term.block_sites(), term.rows());
        let registers = &mut space.registers;
        if space.term != Some(which) {
            term.tape.fill_constants(registers, stride);
            space.term = Some(which);
        }
        for &(register, k) in term.tape.coefficients() {
            registers[register * stride..][..stride].fill(net.coefficients[k]);
        }
        let mut columns = term.columns[block * term.tape.columns().count() * stride..].chunks_exact(stride);
        for register in term.tape.columns() {
            let column = columns.next().expect("a block holds every column");
            registers[register * stride..][..stride].copy_from_slice(column);
        }
        for jet in term.tape.jets() {
            let from = jet.output * rows + jet.channel * term.points + jet.side * sites;
            let to = &mut registers[jet.register * stride..][..stride];
            to[..sites].copy_from_slice(&space.output[from..][..sites]);
            if jet.channel == 0 {
                let bias = net.output_bias[jet.output];
                for x in &mut to[..sites] {
                    *x = R::from_f64(x.to_f64() + bias.to_f64());
                }
            }
            // Lanes beyond the last site repeat it, so that they stay as harmless as it is.
            let last = to[sites - 1];
            to[sites..].fill(last);
        }
    }

    /// Brings the jets' adjoints back to rows, and adds those of output biases and coefficients.
    fn unload_adjoints(
        &self,
        term: &Term<R>,
        outputs: usize,
        space: &mut Workspace<R>,
        partial: &mut Partial<R>,
    ) {
        let (stride, sites) = (term.stride, term.block_sites());
        space.output_bar[..term.rows() * outputs].fill(R::default());
        for jet in term.tape.jets() {
            let bars = &space.adjoints[jet.register * stride..][..sites];
            let first = jet.channel * term.points + jet.side * sites;
            for (i, &bar) in bars.iter().enumerate() {
                space.output_bar[(first + i) * outputs + jet.output] = bar;
            }
            if jet.channel == 0 {
                let sum: f64 = bars.iter().map(|bar| bar.to_f64()).sum();
                let bias = &mut partial.output_bias[jet.output];
                *bias = R::from_f64(bias.to_f64() + sum);
            }
        }
        for &(register, k) in term.tape.coefficients() {
            let bars = &space.adjoints[register * stride..][..sites];
            partial.coefficients[k] += bars.iter().map(|bar| bar.to_f64()).sum::<f64>();
        }
    }
}
