//! One block of points, forward through all layers and back.
//!
//! A thread carries a block of a few points with all their jet channels through the whole network before it takes
//! the next one, so everything it touches stays in cache, and memory does not grow with the number of points.

use std::ops::AddAssign;

use aligned_vec::{AVec, avec};
use pulp::Simd;

use super::activate::{self, MOST_SLOPES};
use super::chain::{self, AddRows, Plan};
use super::gemm::{self, ColumnsProduct, Product, TransposedProduct};
use super::rows::{DotRows, Linked, OuterRows};
use super::tape::{self, Tape};
use crate::activation::Kernel;
use crate::engine::square_factor;
use crate::network::{Layer, Shape};
use crate::problem::Formula;
use crate::simd::Real;

/// Numbers of a cache line, in single precision.
const LINE: usize = 16;

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
    /// The channels of the features.
    pub(super) features: Formula,
    /// The coefficients of the chain rule that depend on the point.
    pub(super) scale_formula: Formula,
    /// The channels of the features, block by block, `rows × inputs` each.
    pub(super) inputs: AVec<R>,
    /// Columns of the tape that depend on the point alone, block by block.
    pub(super) columns: AVec<R>,
    /// The chain rule's coefficients, block by block, scale by scale, a number for each point.
    pub(super) scales: Vec<R>,
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

    /// Which rows of a block belong to a site.
    pub(super) fn linked(&self) -> Linked {
        Linked { channels: self.plan.channels(), sides: self.sides, sites: self.block_sites() }
    }

    /// Sites in block `block` that are there.
    pub(super) fn filled(&self, block: usize) -> usize {
        self.block_sites().min(self.sites - block * self.block_sites())
    }

    /// What makes residuals rows of r where λ is `weight`, for the sites in block `block` that are there.
    pub(super) fn row_scales(&self, weight: f64, block: usize) -> impl Iterator<Item = f64> + '_ {
        self.weights(block).map(move |w| square_factor(weight, w, self.sites).sqrt())
    }

    /// The weights of the sites in block `block` that are there.
    fn weights(&self, block: usize) -> impl Iterator<Item = f64> + '_ {
        let first = block * self.block_sites();
        let weight = move |i| self.point_weights.get(first + i).copied().unwrap_or(1.0);
        (0..self.filled(block)).map(weight)
    }
}

/// Sums over sites, all residuals of a condition together.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    /// Σ residual².
    pub(super) squares: f64,
    /// Σ w·residual², w the site's weight.
    pub(super) weighted: f64,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.squares += other.squares;
        self.weighted += other.weighted;
    }
}

/// A network's parameters in the layouts that the kernels read.
pub(super) struct Packed<R> {
    pub(super) layers: Vec<PackedLayer<R>>,
    /// Output weights, `outputs × width`, and the same in panels for the way back.
    output: AVec<R>,
    output_back: AVec<R>,
    output_bias: Vec<R>,
    output_layer: Layer,
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
    /// Sums of every term.
    pub(super) sums: Vec<Sums>,
    /// Rows that went through the network for them.
    pub(super) rows: usize,
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
    /// The chain rule's coefficients of the block, each as long as a channel.
    scales: AVec<R>,
    /// Raw outputs, `outputs × rows`.
    output: AVec<R>,
    /// Their adjoints, `rows × outputs`.
    output_bar: AVec<R>,
    registers: AVec<R>,
    adjoints: AVec<R>,
    /// The term whose constants the registers hold.
    term: Option<usize>,
    /// Jacobian rows of one residual, `sites × row_length`; empty until asked for.
    rows: AVec<R>,
    /// Along a direction, what every layer's parameters add to its preactivations: as long as `z`, and the output's
    /// `rows × outputs` after it; empty until asked for.
    pushed: AVec<R>,
    /// J·v at the sites of a block, root by root.
    pub(super) along: Vec<f64>,
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
    fn pack_output(&self, theta: &[f64], width: usize, packed: &mut Packed<R>);
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
    /// From adjoints of one residual, set in the workspace, to the Jacobian's rows, left in the workspace.
    fn jacobian(&self, net: &Packed<R>, term: &Term<R>, block: usize, space: &mut Workspace<R>);
    /// What the direction `tangent` adds to the preactivations of every layer, left in the workspace.
    fn push(
        &self,
        net: &Packed<R>,
        tangent: &Packed<R>,
        term: &Term<R>,
        block: usize,
        space: &mut Workspace<R>,
    );
    /// From adjoints of one residual, set in the workspace, to its derivative along the direction that was pushed,
    /// one number a site.
    fn derivative(
        &self,
        net: &Packed<R>,
        tangent: &Packed<R>,
        term: &Term<R>,
        space: &mut Workspace<R>,
        derivative: &mut [f64],
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
            output_layer: layers[shape.depth],
            coefficients: vec![R::default(); coefficients],
        }
    }

    /// Weights and biases, the first part of θ.
    pub(super) fn weights(&self) -> usize {
        self.output_layer.biases + self.output_layer.outputs
    }

    /// Length of θ.
    pub(super) fn parameters(&self) -> usize {
        self.weights() + self.coefficients.len()
    }

    /// Distance of Jacobian rows in a workspace.
    pub(super) fn row_length(&self) -> usize {
        self.parameters().next_multiple_of(LINE)
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
            sums: vec![Sums::default(); terms],
            rows: 0,
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
        self.rows = 0;
        self.sums.fill(Sums::default());
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
    let partials = || partials.iter().filter(|partial| !partial.fresh);
    let hidden = |partial: &Partial<R>| l < partial.biases.len();
    if l == 0 {
        for sums in partials().map(|partial| &partial.weights[0]) {
            for (k, row) in sums.chunks_exact(sums.len() / layer.inputs).enumerate() {
                for (n, x) in row[..layer.outputs].iter().enumerate() {
                    weights[n * layer.inputs + k] += x.to_f64();
                }
            }
        }
    } else {
        // Row by row, so that what is added to stays in cache.
        for (n, to) in weights.chunks_exact_mut(layer.inputs).enumerate() {
            for partial in partials() {
                let sums = &partial.weights[l];
                let width =
                    if hidden(partial) { partial.biases[l].len() } else { sums.len() / layer.outputs };
                for (to, x) in to.iter_mut().zip(&sums[n * width..]) {
                    *to += x.to_f64();
                }
            }
        }
    }
    for partial in partials() {
        let from = if hidden(partial) { &partial.biases[l][..] } else { &partial.output_bias[..] };
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
            scales: empty(),
            output: empty(),
            output_bar: empty(),
            registers: empty(),
            adjoints: empty(),
            term: None,
            rows: empty(),
            pushed: empty(),
            along: vec![],
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
        grow(&mut self.scales, term.scale_formula.roots.len() * term.points * width);
        grow(&mut self.output, net.outputs() * rows);
        grow(&mut self.output_bar, net.outputs() * rows);
        grow(&mut self.registers, registers);
        grow(&mut self.adjoints, registers);
        self.term = None;
    }

    /// Bytes of all buffers.
    pub(super) fn bytes(&self) -> usize {
        let Self { z, y, y_bar, z_bar, slopes, scales, output, output_bar, registers, adjoints, .. } = self;
        let carried = [z, y, y_bar, z_bar, slopes, scales, output, output_bar, registers, adjoints];
        let buffers = carried.into_iter().chain([&self.rows, &self.pushed]);
        buffers.map(|buffer| buffer.len() * size_of::<R>()).sum()
    }

    /// Makes room for Jacobian rows of `term`.
    pub(super) fn reserve_rows(&mut self, net: &Packed<R>, term: &Term<R>) {
        let size = term.block_sites() * net.row_length();
        if self.rows.len() < size {
            self.rows.resize(size, R::default());
        }
    }

    /// Makes room for a direction's effect on blocks of `term`.
    pub(super) fn reserve_pushed(&mut self, net: &Packed<R>, term: &Term<R>) {
        let size = term.rows() * (net.layers.len() * net.width() + net.outputs());
        if self.pushed.len() < size {
            self.pushed.resize(size, R::default());
        }
        let size = term.block_sites() * term.tape.roots().len();
        if self.along.len() < size {
            self.along.resize(size, 0.0);
        }
    }

    /// Jacobian rows of the residual that was last gone back from, one for each site.
    pub(super) fn jacobian_rows(&self, net: &Packed<R>) -> impl Iterator<Item = &[R]> {
        let parameters = net.parameters();
        self.rows.chunks_exact(net.row_length()).map(move |row| &row[..parameters])
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

    /// Adds `adjoints`, one for each of the first sites, to the adjoint of a root.
    pub(super) fn add_adjoints(&mut self, term: &Term<R>, root: usize, adjoints: impl Iterator<Item = f64>) {
        let from = term.tape.roots()[root] * term.stride;
        for (adjoint, x) in self.adjoints[from..].iter_mut().zip(adjoints) {
            *adjoint = R::from_f64(adjoint.to_f64() + x);
        }
    }

    /// Adds the derivative of the loss by a root to its adjoints, where λ is `weight`.
    pub(super) fn seed(&mut self, term: &Term<R>, root: usize, block: usize, weight: f64) {
        let from = term.tape.roots()[root] * term.stride;
        for (i, w) in term.weights(block).enumerate() {
            let slope = 2.0 * square_factor(weight, w, term.sites) * self.registers[from + i].to_f64();
            let adjoint = &mut self.adjoints[from + i];
            *adjoint = R::from_f64(adjoint.to_f64() + slope);
        }
    }

    /// Sums over the block whose residuals were computed last.
    pub(super) fn sums(&self, term: &Term<R>, block: usize) -> Sums {
        let mut sums = Sums::default();
        for root in 0..term.tape.roots().len() {
            for (residual, w) in self.root(term, root).iter().zip(term.weights(block)) {
                let square = residual.to_f64() * residual.to_f64();
                sums += Sums { squares: square, weighted: w * square };
            }
        }
        sums
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

    fn pack_output(&self, theta: &[f64], width: usize, packed: &mut Packed<R>) {
        let layer = packed.output_layer;
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
        let scales = term.scale_formula.roots.len() * term.points;
        let scales = &term.scales[block * scales..][..scales];
        for (array, &scale) in space.scales.chunks_exact_mut(width).zip(scales) {
            array.fill(scale);
        }
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
            let (slopes, scales) = (&space.slopes[..], &space.scales[..]);
            simd.vectorize(chain::Forward { simd, plan: &term.plan, size: channel, slopes, scales, z, y });
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
        self.adjoints_of_outputs(term, outputs, space);
        self.add_tape_sums(term, space, partial);

        let depth = net.layers.len();
        simd.vectorize(TransposedProduct {
            simd,
            rows,
            height: outputs,
            width,
            a: &space.output_bar[..rows * outputs],
            a_stride: outputs,
            b: &space.y[(depth - 1) * size..][..size],
            c: &mut partial.weights[depth],
            accumulate,
        });
        self.leave_output(net, term, space);
        for (l, packed) in net.layers.iter().enumerate().rev() {
            let layer = &packed.layer;
            self.enter_layer(net, term, l, space);
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
            self.leave_layer(net, term, l, space);
        }
    }

    fn jacobian(&self, net: &Packed<R>, term: &Term<R>, block: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, width, outputs) = (term.rows(), net.width(), net.outputs());
        let (size, depth) = (rows * width, net.layers.len());
        let linked = term.linked();
        let stride = net.row_length();
        self.adjoints_of_outputs(term, outputs, space);
        let output = net.output_layer;
        simd.vectorize(OuterRows {
            simd,
            linked,
            a: &space.y[(depth - 1) * size..][..size],
            a_stride: width,
            d: &space.output_bar[..rows * outputs],
            d_stride: outputs,
            layer: output,
            rows: &mut space.rows,
            stride,
        });
        self.leave_output(net, term, space);
        for (l, packed) in net.layers.iter().enumerate().rev() {
            let layer = packed.layer;
            self.enter_layer(net, term, l, space);
            let (a, a_stride) = match l {
                0 => (&term.inputs[block * rows * layer.inputs..][..rows * layer.inputs], layer.inputs),
                _ => (&space.y[(l - 1) * size..][..size], width),
            };
            simd.vectorize(OuterRows {
                simd,
                linked,
                a,
                a_stride,
                d: &space.z_bar[..size],
                d_stride: width,
                layer,
                rows: &mut space.rows,
                stride,
            });
            if l > 0 {
                self.leave_layer(net, term, l, space);
            }
        }
        let network = net.weights();
        let Workspace { rows, adjoints, .. } = space;
        for row in rows.chunks_exact_mut(stride).take(term.block_sites()) {
            row[network..net.parameters()].fill(R::default());
        }
        for &(register, k) in term.tape.coefficients() {
            let bars = &adjoints[register * term.stride..][..term.block_sites()];
            for (row, &bar) in rows.chunks_exact_mut(stride).zip(bars) {
                row[network + k] = bar;
            }
        }
    }

    fn push(
        &self,
        net: &Packed<R>,
        tangent: &Packed<R>,
        term: &Term<R>,
        block: usize,
        space: &mut Workspace<R>,
    ) {
        let simd = self.simd;
        let (rows, width) = (term.rows(), net.width());
        let (size, channel) = (rows * width, term.points * width);
        for (l, packed) in tangent.layers.iter().enumerate() {
            let depth = packed.layer.inputs;
            let (a, a_stride) = match l {
                0 => (&term.inputs[block * rows * depth..][..rows * depth], depth),
                _ => (&space.y[(l - 1) * size..][..size], width),
            };
            let c = &mut space.pushed[l * size..][..size];
            simd.vectorize(Product { simd, rows, depth, width, a, a_stride, b: &packed.forward, c });
            for row in c[..channel].chunks_exact_mut(width) {
                for (x, bias) in row.iter_mut().zip(&packed.bias[..]) {
                    *x = R::from_f64(x.to_f64() + bias.to_f64());
                }
            }
        }
        let last = net.layers.len();
        let outputs = net.outputs();
        // Column by column, as the raw outputs are.
        let pushed = &mut space.pushed[last * size..][..rows * outputs];
        simd.vectorize(ColumnsProduct {
            simd,
            rows,
            width,
            outputs,
            a: &space.y[(last - 1) * size..][..size],
            b: &tangent.output,
            c: pushed,
        });
        for (column, bias) in pushed.chunks_exact_mut(rows).zip(&tangent.output_bias) {
            for x in &mut column[..term.points] {
                *x = R::from_f64(x.to_f64() + bias.to_f64());
            }
        }
    }

    fn derivative(
        &self,
        net: &Packed<R>,
        tangent: &Packed<R>,
        term: &Term<R>,
        space: &mut Workspace<R>,
        derivative: &mut [f64],
    ) {
        let simd = self.simd;
        let (rows, width, outputs) = (term.rows(), net.width(), net.outputs());
        let size = rows * width;
        let linked = term.linked();
        self.adjoints_of_outputs(term, outputs, space);
        derivative.fill(0.0);
        for &(register, k) in term.tape.coefficients() {
            let along = tangent.coefficients[k].to_f64();
            for (sum, bar) in derivative.iter_mut().zip(&space.adjoints[register * term.stride..]) {
                *sum += bar.to_f64() * along;
            }
        }
        let last = net.layers.len();
        for (site, sum) in derivative.iter_mut().enumerate() {
            for row in linked.rows(site) {
                for output in 0..outputs {
                    let pushed = space.pushed[last * size + output * rows + row];
                    *sum += space.output_bar[row * outputs + output].to_f64() * pushed.to_f64();
                }
            }
        }
        self.leave_output(net, term, space);
        for l in (0..last).rev() {
            self.enter_layer(net, term, l, space);
            simd.vectorize(DotRows {
                simd,
                linked,
                width,
                a: &space.pushed[l * size..][..size],
                d: &space.z_bar[..size],
                sums: derivative,
            });
            if l > 0 {
                self.leave_layer(net, term, l, space);
            }
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

    /// From adjoints of the residuals to those of the raw outputs, row by row.
    fn adjoints_of_outputs(&self, term: &Term<R>, outputs: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (stride, sites) = (term.stride, term.block_sites());
        let (registers, adjoints) = (&space.registers[..], &mut space.adjoints[..]);
        simd.vectorize(tape::Backward { simd, tape: &term.tape, stride, registers, adjoints });
        space.output_bar[..term.rows() * outputs].fill(R::default());
        for jet in term.tape.jets() {
            let bars = &space.adjoints[jet.register * stride..][..sites];
            let first = jet.channel * term.points + jet.side * sites;
            for (i, &bar) in bars.iter().enumerate() {
                space.output_bar[(first + i) * outputs + jet.output] = bar;
            }
        }
    }

    /// Adds the adjoints of output biases and coefficients.
    fn add_tape_sums(&self, term: &Term<R>, space: &Workspace<R>, partial: &mut Partial<R>) {
        let bars = |register: usize| &space.adjoints[register * term.stride..][..term.block_sites()];
        let sum = |register: usize| bars(register).iter().map(|bar| bar.to_f64()).sum::<f64>();
        for jet in term.tape.jets().iter().filter(|jet| jet.channel == 0) {
            let bias = &mut partial.output_bias[jet.output];
            *bias = R::from_f64(bias.to_f64() + sum(jet.register));
        }
        for &(register, k) in term.tape.coefficients() {
            partial.coefficients[k] += sum(register);
        }
    }

    /// From adjoints of the raw outputs to those of the last hidden layer's outputs, `y_bar`.
    fn leave_output(&self, net: &Packed<R>, term: &Term<R>, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, width, outputs) = (term.rows(), net.width(), net.outputs());
        simd.vectorize(Product {
            simd,
            rows,
            depth: outputs,
            width,
            a: &space.output_bar[..rows * outputs],
            a_stride: outputs,
            b: &net.output_back,
            c: &mut space.y_bar,
        });
    }

    /// From adjoints of hidden layer `l`'s outputs, `y_bar`, to those of its preactivations, `z_bar`.
    fn enter_layer(&self, net: &Packed<R>, term: &Term<R>, l: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (size, channel) = (term.rows() * net.width(), term.points * net.width());
        let (z, y) = (&space.z[l * size..][..size], &space.y[l * size..][..size]);
        let order = term.plan.order();
        self.activation.slopes(order + 1, &z[..channel], &y[..channel], &mut space.slopes);
        simd.vectorize(chain::Backward {
            simd,
            plan: &term.plan,
            size: channel,
            slopes: &space.slopes,
            scales: &space.scales,
            z,
            y_bar: &space.y_bar,
            z_bar: &mut space.z_bar,
        });
    }

    /// From adjoints of hidden layer `l`'s preactivations, `z_bar`, to those of its inputs, `y_bar`.
    fn leave_layer(&self, net: &Packed<R>, term: &Term<R>, l: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, width, packed) = (term.rows(), net.width(), &net.layers[l]);
        simd.vectorize(Product {
            simd,
            rows,
            depth: packed.layer.outputs,
            width,
            a: &space.z_bar,
            a_stride: width,
            b: &packed.back,
            c: &mut space.y_bar,
        });
    }
}
