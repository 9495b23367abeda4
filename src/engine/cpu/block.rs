//! One block of points, forward through all layers and back.
//!
//! A thread carries a block of a few points with all their jet channels through the whole network before it takes
//! the next one, so everything it touches stays in cache, and memory does not grow with the number of points.

use std::ops::AddAssign;
use std::sync::Arc;

use aligned_vec::{AVec, avec};
use pulp::Simd;

use super::activate::{self, MOST_SLOPES};
use super::chain::{self, AddRows, Plan};
use super::gemm::{self, ColumnsProduct, MOST_LANES, Product, Target, TransposedProduct};
use super::leibniz::{self, Products};
use super::linear::{Add, AddTimes, AddToRows, ColumnDots, Difference};
use super::rows::{DotRows, Linked, OuterRows};
use super::schedule::{Array, Back, Op, Output, Read, Schedule, Step, padded};
use super::tape::{self, Tape};
use crate::activation::Kernel;
use crate::engine::square_factor;
use crate::network::Layer;
use crate::problem::{self, Formula};
use crate::simd::Real;

/// Numbers of a cache line, in single precision.
const LINE: usize = 16;

/// A condition, or the prediction, compiled for a network and bound to points.
pub(super) struct Term<R> {
    pub(super) plan: Plan<R>,
    /// Leibniz's rule, if the network has gates.
    pub(super) products: Option<Products<R>>,
    pub(super) tape: Tape,
    /// For every network: does the tape read it? Blocks pass the others by.
    pub(super) reads: Vec<bool>,
    /// From the points that it is given to all that a residual looks at.
    pub(super) linked: problem::Linked,
    /// How many of these points it is given for each residual.
    pub(super) given: usize,
    /// Linked points of one residual.
    pub(super) sides: usize,
    /// Are the roots pairs of estimates of one residual each?
    pub(super) paired: bool,
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
    /// The channels of the features, block by block and in it network by network, `rows × inputs` each.
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

impl Sums {
    /// As two numbers.
    pub(super) fn pair(self) -> [f64; 2] {
        [self.squares, self.weighted]
    }

    /// What [`Sums::pair`] gave.
    pub(super) fn from_pair(pair: &[f64]) -> Self {
        Self { squares: pair[0], weighted: pair[1] }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.squares += other.squares;
        self.weighted += other.weighted;
    }
}

/// The networks' parameters in the layouts that the kernels read.
pub(super) struct Packed<R> {
    pub(super) schedule: Arc<Schedule>,
    /// Hidden layers.
    pub(super) layers: Vec<PackedLayer<R>>,
    pub(super) outputs: Vec<PackedOutput<R>>,
    /// Sum of the output layers' biases.
    output_bias: Vec<R>,
    /// The trainable numbers of every step that has some, one for each column of as many rows as fill registers.
    factors: Vec<AVec<R>>,
    coefficients: Vec<R>,
}

/// One hidden layer.
pub(super) struct PackedLayer<R> {
    layer: Layer,
    /// The padded width of what it makes.
    width: usize,
    /// Weights for the way forward: `inputs × width` in panels.
    forward: AVec<R>,
    /// Weights for the way back: `outputs × width` in panels, the width that of the inputs; not needed where they are the
    /// features.
    back: AVec<R>,
    /// The padded width of the inputs, where there is a way back.
    back_width: usize,
    /// For as many rows as fill registers.
    bias: AVec<R>,
}

/// One output layer.
pub(super) struct PackedOutput<R> {
    layer: Layer,
    /// The padded width of the inputs.
    width: usize,
    /// The first of its raw outputs.
    column: usize,
    /// Weights, `outputs` rows of whole registers, and the same in panels for the way back.
    forward: AVec<R>,
    back: AVec<R>,
}

/// Partial sums of one group of blocks.
pub(super) struct Partial<R> {
    /// Sums of every term.
    pub(super) sums: Vec<Sums>,
    /// Weight gradients: of layers over the features transposed (`inputs × width`), else `outputs × width`, as
    /// [`Target`] says.
    weights: Vec<AVec<R>>,
    /// For as many rows as fill registers.
    biases: Vec<AVec<R>>,
    output_bias: Vec<R>,
    /// Gradients of what multiplies, column by column of as many rows as fill registers.
    factors: Vec<AVec<R>>,
    coefficients: Vec<f64>,
    /// For every network: nothing has been added yet, so the next block may overwrite.
    fresh: Vec<bool>,
}

/// What a thread needs for a block.
pub(super) struct Workspace<R> {
    z: AVec<R>,
    y: AVec<R>,
    /// Adjoints of arrays, by their slots.
    bars: Vec<AVec<R>>,
    z_bar: AVec<R>,
    /// A product or a difference that goes somewhere at once; empty in a chain of layers.
    extra: [AVec<R>; 2],
    slopes: AVec<R>,
    /// The chain rule's coefficients of the block, each as long as a channel.
    scales: AVec<R>,
    /// The width for which they are so long, 0 if none.
    scales_width: usize,
    /// The block that was last gone forward through.
    block: usize,
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
    /// Lays out hidden layer `packed` of `theta`.
    fn pack_layer(&self, theta: &[f64], packed: &mut PackedLayer<R>);
    /// Lays out the output layers.
    fn pack_outputs(&self, theta: &[f64], packed: &mut Packed<R>);
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

/// The kernels for registers `S`; the activations' are behind pointers, so that only they are compiled for each.
pub(super) struct Fused<S, R> {
    pub(super) simd: S,
    /// One for every network.
    pub(super) activations: Vec<Box<dyn Activate<R>>>,
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
    /// Room for a network that is laid out so.
    pub(super) fn new(schedule: &Arc<Schedule>, coefficients: usize) -> Self {
        let zeros = |n: usize| avec![R::default(); n];
        let mut layers = vec![];
        for step in &schedule.steps {
            let Op::Dense { layer, from, .. } = step.op else { continue };
            let (layer, width) = (schedule.layers[layer], schedule.arrays[step.to].width);
            let back_width = if from.back.is_some() { schedule.arrays[from.array].width } else { 0 };
            layers.push(PackedLayer {
                layer,
                width,
                forward: zeros(layer.inputs * schedule.registers(width)),
                back: zeros(layer.outputs * schedule.registers(back_width)),
                back_width,
                bias: zeros(schedule.repeated(width)),
            });
        }
        let outputs = schedule.outputs.iter().enumerate().map(|(k, output)| {
            let (layer, width) = (schedule.layers[schedule.output_layer(k)], output.source.width);
            let [forward, back] = [(); 2].map(|()| zeros(layer.outputs * schedule.registers(width)));
            PackedOutput { layer, width, column: output.column, forward, back }
        });
        Self {
            layers,
            outputs: outputs.collect(),
            output_bias: vec![R::default(); schedule.raw_outputs()],
            factors: schedule.factors.iter().map(|factor| zeros(schedule.repeated(factor.width))).collect(),
            coefficients: vec![R::default(); coefficients],
            schedule: schedule.clone(),
        }
    }

    /// Weights, biases and what multiplies, the first part of θ.
    pub(super) fn weights(&self) -> usize {
        self.schedule.parameters()
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

    fn raw_outputs(&self) -> usize {
        self.output_bias.len()
    }

    /// The padded width of an array.
    fn width(&self, array: usize) -> usize {
        self.schedule.arrays[array].width
    }

    /// Takes up the numbers that multiply.
    pub(super) fn set_factors(&mut self, theta: &[f64]) {
        let Self { schedule, factors, layers: _, .. } = self;
        for (to, factor) in factors.iter_mut().zip(&schedule.factors) {
            let numbers = &theta[factor.numbers.first..][..factor.numbers.count];
            match numbers {
                [one] => to.fill(R::from_f64(*one)),
                each => to
                    .chunks_exact_mut(factor.width)
                    .for_each(|row| row.iter_mut().zip(each).for_each(|(to, &x)| *to = R::from_f64(x))),
            }
        }
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
        let zeros = |n: usize| avec![R::default(); n];
        let schedule = &net.schedule;
        let weights = (0..schedule.layers.len()).map(|l| zeros(target(schedule, l).length()));
        Self {
            sums: vec![Sums::default(); terms],
            weights: weights.collect(),
            biases: net.layers.iter().map(|packed| zeros(packed.bias.len())).collect(),
            output_bias: vec![R::default(); net.raw_outputs()],
            factors: net.factors.iter().map(|factor| zeros(factor.len())).collect(),
            coefficients: vec![0.0; net.coefficients.len()],
            fresh: vec![true; schedule.parts.len()],
        }
    }

    /// Forgets the sums.
    pub(super) fn reset(&mut self) {
        self.fresh.fill(true);
        self.sums.fill(Sums::default());
        self.coefficients.fill(0.0);
        self.output_bias.fill(R::default());
        for sums in self.biases.iter_mut().chain(&mut self.factors) {
            sums.fill(R::default());
        }
    }
}

/// Has layer `l` its gradient transposed?
///
/// A hidden layer that reads features has few inputs; output layers have theirs as they are, whatever they read.
fn is_transposed(schedule: &Schedule, l: usize) -> bool {
    schedule.layers[l].features.is_some() && l < schedule.output_layer(0)
}

/// How the gradient of layer `l`'s weights lies.
fn target(schedule: &Schedule, l: usize) -> Target {
    let Layer { inputs, outputs, .. } = schedule.layers[l];
    let (height, width) = if is_transposed(schedule, l) { (inputs, outputs) } else { (outputs, inputs) };
    Target::new(schedule.lanes, height, padded(width))
}

/// Adds the groups' gradients of layer `l`, hidden or output, in their order: weights, then biases, to that layer's part of θ.
pub(super) fn add_layer<R: Real>(
    partials: &[Partial<R>],
    schedule: &Schedule,
    l: usize,
    gradient: &mut [f64],
) {
    let layer = &schedule.layers[l];
    let column = l.checked_sub(schedule.output_layer(0)).map(|k| schedule.outputs[k].column);
    let (weights, biases) = gradient.split_at_mut(layer.inputs * layer.outputs);
    let partials = || partials.iter().filter(|partial| !partial.fresh[layer.part]);
    let target = target(schedule, l);
    if is_transposed(schedule, l) {
        for sums in partials().map(|partial| &partial.weights[l]) {
            for k in 0..layer.inputs {
                let (row, behind) = target.row(sums, k);
                for (n, x) in row.iter().chain(behind).take(layer.outputs).enumerate() {
                    weights[n * layer.inputs + k] += x.to_f64();
                }
            }
        }
    } else {
        // Row by row, so that what is added to stays in cache.
        for (n, to) in weights.chunks_exact_mut(layer.inputs).enumerate() {
            for partial in partials() {
                let (row, behind) = target.row(&partial.weights[l], n);
                let (to, last) = to.split_at_mut(row.len().min(to.len()));
                to.iter_mut().zip(row).for_each(|(to, x)| *to += x.to_f64());
                last.iter_mut().zip(behind).for_each(|(to, x)| *to += x.to_f64());
            }
        }
    }
    for partial in partials() {
        let add = |to: &mut [f64], from: &[R]| to.iter_mut().zip(from).for_each(|(to, x)| *to += x.to_f64());
        match column {
            Some(column) => add(biases, &partial.output_bias[column..]),
            None => {
                let rows = partial.biases[l].chunks_exact(padded(layer.outputs));
                rows.for_each(|row| add(biases, row));
            }
        }
    }
}

/// Adds the groups' gradients of what multiplies in their order, to that part of θ.
pub(super) fn add_factors<R: Real>(partials: &[Partial<R>], schedule: &Schedule, gradient: &mut [f64]) {
    for (k, factor) in schedule.factors.iter().enumerate() {
        let to = &mut gradient[factor.numbers.first - schedule.numbers_at()..][..factor.numbers.count];
        for partial in partials {
            for row in partial.factors[k].chunks_exact(factor.width) {
                add_to_numbers(to, row.iter().map(|x| x.to_f64()));
            }
        }
    }
}

/// Adds what columns have to a number for each of them, or to the one for all.
fn add_to_numbers(to: &mut [f64], columns: impl Iterator<Item = f64>) {
    match to {
        [one] => *one += columns.sum::<f64>(),
        each => each.iter_mut().zip(columns).for_each(|(to, x)| *to += x),
    }
}

/// Adds the groups' gradients of the trainable coefficients in their order.
pub(super) fn add_coefficients<R: Real>(partials: &[Partial<R>], gradient: &mut [f64]) {
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
            bars: vec![],
            z_bar: empty(),
            extra: [empty(), empty()],
            slopes: empty(),
            scales: empty(),
            scales_width: 0,
            block: 0,
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
        let Schedule { columns, widest, slots, .. } = *net.schedule;
        let rows = term.rows();
        let registers = term.tape.registers() * term.stride;
        let grow = |buffer: &mut AVec<R>, size: usize| {
            // Registers reach beyond the last row.
            let size = size + MOST_LANES;
            if buffer.len() < size {
                buffer.resize(size, R::default());
            }
        };
        grow(&mut self.z, columns.preactivations * rows);
        grow(&mut self.y, columns.arrays * rows);
        self.bars.resize_with(slots, || avec![R::default(); 0]);
        self.bars.iter_mut().for_each(|bar| grow(bar, rows * widest));
        grow(&mut self.z_bar, rows * widest);
        if !net.schedule.is_chain() {
            self.extra.iter_mut().for_each(|extra| grow(extra, rows * widest.max(net.raw_outputs())));
        }
        grow(&mut self.slopes, MOST_SLOPES * term.points * widest);
        grow(&mut self.scales, term.scale_formula.roots.len() * term.points * widest);
        grow(&mut self.output, net.raw_outputs() * rows);
        grow(&mut self.output_bar, net.raw_outputs() * rows);
        grow(&mut self.registers, registers);
        grow(&mut self.adjoints, registers);
        self.term = None;
    }

    /// Bytes of all buffers.
    pub(super) fn bytes(&self) -> usize {
        let Self { z, y, z_bar, slopes, scales, output, output_bar, registers, adjoints, .. } = self;
        let carried = [z, y, z_bar, slopes, scales, output, output_bar, registers, adjoints];
        let others = self.bars.iter().chain(&self.extra).chain([&self.rows, &self.pushed]);
        let buffers = carried.into_iter().chain(others);
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
        let size = term.rows() * (net.schedule.columns.pushed + net.raw_outputs()) + MOST_LANES;
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

    /// Makes the chain rule's coefficients as long as channels of arrays of this width.
    fn spread_scales(&mut self, term: &Term<R>, width: usize) {
        if self.scales_width == width {
            return;
        }
        self.scales_width = width;
        let count = term.scale_formula.roots.len() * term.points;
        let scales = &term.scales[self.block * count..][..count];
        for (array, &scale) in self.scales.chunks_exact_mut(width).zip(scales) {
            array.fill(scale);
        }
    }

    /// An array of the block, all rows.
    fn array(&self, net: &Packed<R>, term: &Term<R>, array: usize) -> Rows<'_, R> {
        rows_of(&self.y, net, term, array)
    }

    /// `a − b` of two arrays, left in the first extra buffer.
    fn subtract<S: Simd>(&mut self, simd: S, net: &Packed<R>, rows: usize, a: Read, b: Read) {
        let schedule = &net.schedule;
        let size = rows * schedule.arrays[a.array].width;
        let [a, b] = [a, b].map(|read| &self.y[schedule.arrays[read.array].place * rows..][..size]);
        simd.vectorize(Difference { simd, a, b, to: &mut self.extra[0][..size] });
    }

    /// Adds to the adjoint of an operand, or makes it.
    fn give(&mut self, back: Option<Back>, size: usize, add: impl FnOnce(&mut [R])) {
        let Some(Back { slot, first }) = back else { return };
        let bar = &mut self.bars[slot][..size];
        if first {
            bar.fill(R::default());
        }
        add(bar);
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
        let place = |root: usize| term.tape.roots()[root] * term.stride;
        let to = place(root);
        // The derivative of r², or that of r·r′.
        let (from, times) = if term.paired { (place(root ^ 1), 1.0) } else { (to, 2.0) };
        for (i, w) in term.weights(block).enumerate() {
            let slope = times * square_factor(weight, w, term.sites) * self.registers[from + i].to_f64();
            let adjoint = &mut self.adjoints[to + i];
            *adjoint = R::from_f64(adjoint.to_f64() + slope);
        }
    }

    /// Sums over the block whose residuals were computed last.
    pub(super) fn sums(&self, term: &Term<R>, block: usize) -> Sums {
        let mut sums = Sums::default();
        let part = if term.paired { 0.5 } else { 1.0 };
        for root in 0..term.tape.roots().len() {
            for (residual, w) in self.root(term, root).iter().zip(term.weights(block)) {
                let square = part * (residual.to_f64() * residual.to_f64());
                sums += Sums { squares: square, weighted: w * square };
            }
        }
        sums
    }
}

/// The networks that a term reads.
fn read_parts<R>(term: &Term<R>) -> impl DoubleEndedIterator<Item = usize> {
    term.reads.iter().enumerate().filter_map(|(part, &reads)| reads.then_some(part))
}

/// A buffer, out of where it is.
fn taken<R: Real>(buffer: &mut AVec<R>) -> AVec<R> {
    std::mem::replace(buffer, avec![R::default(); 0])
}

/// An array row by row, `stride` apart, and what lies beyond it.
struct Rows<'a, R> {
    all: &'a [R],
    stride: usize,
}

/// The rows of an array that a step made, where `y` holds those.
fn rows_of<'a, R: Real>(y: &'a [R], net: &Packed<R>, term: &Term<R>, array: usize) -> Rows<'a, R> {
    let (rows, stride) = (term.rows(), net.width(array));
    Rows { all: &y[net.schedule.arrays[array].place * rows..], stride }
}

/// The features that a layer reads from number `first` on, in block `block`; they lie with the points.
fn features_of<'a, R: Real>(
    net: &Packed<R>,
    term: &'a Term<R>,
    block: usize,
    first: usize,
    count: usize,
) -> Rows<'a, R> {
    let rows = term.rows();
    let own = &term.inputs[rows * (block * net.schedule.inputs() + first)..];
    Rows { all: own, stride: count }
}

/// What a layer reads: the array `from`, or features.
fn inputs_of<'a, R: Real>(
    y: &'a [R],
    block: usize,
    net: &Packed<R>,
    term: &'a Term<R>,
    layer: &Layer,
    from: usize,
) -> Rows<'a, R> {
    match layer.features {
        Some(first) => features_of(net, term, block, first, layer.inputs),
        None => rows_of(y, net, term, from),
    }
}

impl<R: Real, S: Simd> Kernels<R> for Fused<S, R> {
    fn lanes(&self) -> usize {
        R::lanes::<S>()
    }

    fn pack_layer(&self, theta: &[f64], packed: &mut PackedLayer<R>) {
        let Layer { inputs, outputs, weights, biases, .. } = packed.layer;
        let (width, back_width) = (packed.width, packed.back_width);
        let weights = &theta[weights..][..inputs * outputs];
        for n in 0..outputs {
            packed.bias.chunks_exact_mut(width).for_each(|row| row[n] = R::from_f64(theta[biases + n]));
            for k in 0..inputs {
                let weight = R::from_f64(weights[n * inputs + k]);
                packed.forward[gemm::panel_offset::<S, R>(inputs, width, k, n)] = weight;
                if !packed.back.is_empty() {
                    packed.back[gemm::panel_offset::<S, R>(outputs, back_width, n, k)] = weight;
                }
            }
        }
    }

    fn pack_outputs(&self, theta: &[f64], packed: &mut Packed<R>) {
        for n in 0..packed.output_bias.len() {
            let own = |output: &&PackedOutput<R>| {
                (output.column..output.column + output.layer.outputs).contains(&n)
            };
            let biases = packed.outputs.iter().filter(own);
            let biases = biases.map(|output| theta[output.layer.biases + n - output.column]);
            packed.output_bias[n] = R::from_f64(biases.sum());
        }
        for PackedOutput { layer, width, column: _, forward, back } in &mut packed.outputs {
            let registers = packed.schedule.registers(*width);
            for n in 0..layer.outputs {
                for k in 0..layer.inputs {
                    let weight = R::from_f64(theta[layer.weights + n * layer.inputs + k]);
                    forward[n * registers + k] = weight;
                    back[gemm::panel_offset::<S, R>(layer.outputs, *width, n, k)] = weight;
                }
            }
        }
    }

    fn forward(&self, net: &Packed<R>, term: &Term<R>, which: usize, block: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        (space.block, space.scales_width) = (block, 0);
        for part in read_parts(term) {
            if let Some(kept) = net.schedule.kept[part] {
                self.keep_features(net, term, part, kept, space);
            }
            let own = &net.schedule.parts[part];
            for step in &net.schedule.steps[own.steps.clone()] {
                self.step(net, term, step, space);
            }
            let Workspace { y, output, extra, .. } = space;
            self.raw_outputs(net, term, part, y, extra, output);
        }
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
        let (rows, outputs) = (term.rows(), net.raw_outputs());
        debug_assert_eq!(block, space.block, "the block was gone forward through");
        self.adjoints_of_outputs(net, term, space);
        self.add_tape_sums(net, term, space, partial);
        for part in read_parts(term) {
            for k in net.schedule.parts[part].outputs.clone() {
                let (output, source) = (&net.outputs[k], net.schedule.outputs[k].source);
                simd.vectorize(TransposedProduct {
                    simd,
                    rows,
                    height: output.layer.outputs,
                    width: output.width,
                    a: &space.output_bar[output.column..],
                    a_stride: outputs,
                    b: &space.y[source.place * rows..],
                    c: &mut partial.weights[net.schedule.output_layer(k)],
                    accumulate: !partial.fresh[part],
                });
            }
        }
        self.sweep(net, term, space, |step, space| {
            let width = net.width(step.to);
            let (size, channel) = (rows * width, term.points * width);
            match step.op {
                Op::Dense { layer: l, from, .. } => {
                    let layer = &net.layers[l].layer;
                    simd.vectorize(AddRows {
                        simd,
                        rows: &space.z_bar[..channel],
                        sum: &mut partial.biases[l],
                    });
                    let c = &mut partial.weights[l][..];
                    let accumulate = !partial.fresh[layer.part];
                    let inputs = inputs_of(&space.y, block, net, term, layer, from.array);
                    if layer.features.is_some() {
                        // Few inputs: the transposed gradient is the one whose rows are long.
                        simd.vectorize(TransposedProduct {
                            simd,
                            rows,
                            height: layer.inputs,
                            width,
                            a: inputs.all,
                            a_stride: inputs.stride,
                            b: &space.z_bar,
                            c,
                            accumulate,
                        });
                        return;
                    }
                    simd.vectorize(TransposedProduct {
                        simd,
                        rows,
                        height: layer.outputs,
                        width: inputs.stride,
                        a: &space.z_bar,
                        a_stride: width,
                        b: inputs.all,
                        c,
                        accumulate,
                    });
                }
                Op::Scale { by, from } => {
                    let sum = &mut partial.factors[by][..];
                    let a = &space.array(net, term, from.array).all[..size];
                    simd.vectorize(ColumnDots { simd, a, d: &space.bars[step.bar], sum });
                }
                Op::Mix { by, a, b } => {
                    space.subtract(simd, net, rows, a, b);
                    let sum = &mut partial.factors[by][..];
                    simd.vectorize(ColumnDots {
                        simd,
                        a: &space.extra[0][..size],
                        d: &space.bars[step.bar],
                        sum,
                    });
                }
                Op::Add { .. } | Op::Blend { .. } => {}
            }
        });
        read_parts(term).for_each(|part| partial.fresh[part] = false);
    }

    fn jacobian(&self, net: &Packed<R>, term: &Term<R>, block: usize, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, outputs) = (term.rows(), net.raw_outputs());
        let linked = term.linked();
        let stride = net.row_length();
        debug_assert_eq!(block, space.block, "the block was gone forward through");
        self.adjoints_of_outputs(net, term, space);
        for part in read_parts(term) {
            for k in net.schedule.parts[part].outputs.clone() {
                let (output, source) = (&net.outputs[k], net.schedule.outputs[k].source);
                simd.vectorize(OuterRows {
                    simd,
                    linked,
                    a: &space.y[source.place * rows..],
                    a_stride: output.width,
                    d: &space.output_bar[output.column..rows * outputs],
                    d_stride: outputs,
                    layer: output.layer,
                    rows: &mut space.rows,
                    stride,
                });
            }
        }
        for part in (0..term.reads.len()).filter(|&part| !term.reads[part]) {
            for layer in net.schedule.layers_of(part) {
                for row in space.rows.chunks_exact_mut(stride).take(term.block_sites()) {
                    row[layer.weights..layer.biases + layer.outputs].fill(R::default());
                }
            }
        }
        let (numbers, network) = (net.schedule.numbers_at(), net.weights());
        for row in space.rows.chunks_exact_mut(stride).take(term.block_sites()) {
            row[numbers..net.parameters()].fill(R::default());
        }
        self.sweep(net, term, space, |step, space| {
            let width = net.width(step.to);
            let size = rows * width;
            let of_numbers = |by: usize, a: &[R], d: &[R], to: &mut [R]| {
                let numbers = net.schedule.factors[by].numbers;
                let mut sums = vec![0.0; width];
                for (site, row) in to.chunks_exact_mut(stride).take(term.block_sites()).enumerate() {
                    sums.fill(0.0);
                    for i in linked.rows(site) {
                        let products = a[i * width..].iter().zip(&d[i * width..]);
                        for (sum, (a, d)) in sums.iter_mut().zip(products) {
                            *sum += a.to_f64() * d.to_f64();
                        }
                    }
                    let to = &mut row[numbers.first..][..numbers.count];
                    let mut own: Vec<f64> = to.iter().map(|x| x.to_f64()).collect();
                    add_to_numbers(&mut own, sums.iter().copied());
                    to.iter_mut().zip(own).for_each(|(to, x)| *to = R::from_f64(x));
                }
            };
            match step.op {
                Op::Dense { layer, from, .. } => {
                    let Workspace { y, z_bar, rows, .. } = space;
                    let inputs = inputs_of(y, block, net, term, &net.layers[layer].layer, from.array);
                    simd.vectorize(OuterRows {
                        simd,
                        linked,
                        a: inputs.all,
                        a_stride: inputs.stride,
                        d: &z_bar[..size],
                        d_stride: width,
                        layer: net.layers[layer].layer,
                        rows,
                        stride,
                    });
                }
                Op::Scale { by, from } => {
                    let Workspace { y, bars, rows, .. } = space;
                    let a = rows_of(y, net, term, from.array).all;
                    of_numbers(by, a, &bars[step.bar][..size], rows);
                }
                Op::Mix { by, a, b } => {
                    space.subtract(simd, net, rows, a, b);
                    let Workspace { extra, bars, rows, .. } = space;
                    of_numbers(by, &extra[0][..size], &bars[step.bar][..size], rows);
                }
                Op::Add { .. } | Op::Blend { .. } => {}
            }
        });
        let Workspace { rows, adjoints, .. } = space;
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
        let rows = term.rows();
        let steps = read_parts(term).flat_map(|part| net.schedule.parts[part].steps.clone());
        for step in steps.map(|k| &net.schedule.steps[k]) {
            let width = net.width(step.to);
            let (size, channel) = (rows * width, term.points * width);
            let place = step.pushed * rows;
            match step.op {
                Op::Dense { layer, from, .. } => {
                    let packed = &tangent.layers[layer];
                    let Rows { all: a, stride: a_stride } =
                        inputs_of(&space.y, block, net, term, &packed.layer, from.array);
                    let depth = packed.layer.inputs;
                    let c = &mut space.pushed[place..];
                    simd.vectorize(Product { simd, rows, depth, width, a, a_stride, b: &packed.forward, c });
                    for row in c[..channel].chunks_exact_mut(width) {
                        for (x, bias) in row.iter_mut().zip(&packed.bias[..]) {
                            *x = R::from_f64(x.to_f64() + bias.to_f64());
                        }
                    }
                }
                Op::Scale { by, from } => {
                    let Workspace { y, pushed, .. } = space;
                    let (factor, to) = (&tangent.factors[by], &mut pushed[place..][..size]);
                    let from = rows_of(y, net, term, from.array).all;
                    to.fill(R::default());
                    simd.vectorize(AddTimes { simd, factor, minus: false, from, to });
                }
                Op::Mix { by, a, b } => {
                    space.subtract(simd, net, rows, a, b);
                    let Workspace { extra, pushed, .. } = space;
                    let (factor, to) = (&tangent.factors[by], &mut pushed[place..][..size]);
                    to.fill(R::default());
                    simd.vectorize(AddTimes { simd, factor, minus: false, from: &extra[0], to });
                }
                Op::Add { .. } | Op::Blend { .. } => {}
            }
        }
        let outputs = net.raw_outputs();
        let place = net.schedule.columns.pushed * rows;
        // Column by column, as the raw outputs are; what is not read changes nothing.
        space.pushed[place..][..rows * outputs].fill(R::default());
        for part in read_parts(term) {
            let Workspace { y, pushed, extra, .. } = space;
            self.raw_outputs(tangent, term, part, y, extra, &mut pushed[place..][..rows * outputs]);
        }
        let pushed = &mut space.pushed[place..][..rows * outputs];
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
        let (rows, outputs) = (term.rows(), net.raw_outputs());
        let linked = term.linked();
        self.adjoints_of_outputs(net, term, space);
        derivative.fill(0.0);
        for &(register, k) in term.tape.coefficients() {
            let along = tangent.coefficients[k].to_f64();
            for (sum, bar) in derivative.iter_mut().zip(&space.adjoints[register * term.stride..]) {
                *sum += bar.to_f64() * along;
            }
        }
        let place = net.schedule.columns.pushed * rows;
        for (site, sum) in derivative.iter_mut().enumerate() {
            for row in linked.rows(site) {
                for output in 0..outputs {
                    let pushed = space.pushed[place + output * rows + row];
                    *sum += space.output_bar[row * outputs + output].to_f64() * pushed.to_f64();
                }
            }
        }
        self.sweep(net, term, space, |step, space| {
            let width = net.width(step.to);
            let d = match step.op {
                Op::Dense { .. } => &space.z_bar,
                Op::Scale { .. } | Op::Mix { .. } => &space.bars[step.bar],
                Op::Add { .. } | Op::Blend { .. } => return,
            };
            let a = &space.pushed[step.pushed * rows..];
            simd.vectorize(DotRows { simd, linked, width, a, d, sums: derivative });
        });
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
            let output = net.schedule.raw[jet.output];
            let from = output * rows + jet.channel * term.points + jet.side * sites;
            let to = &mut registers[jet.register * stride..][..stride];
            to[..sites].copy_from_slice(&space.output[from..][..sites]);
            if jet.channel == 0 {
                let bias = net.output_bias[output];
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
    fn adjoints_of_outputs(&self, net: &Packed<R>, term: &Term<R>, space: &mut Workspace<R>) {
        let simd = self.simd;
        let outputs = net.raw_outputs();
        let (stride, sites) = (term.stride, term.block_sites());
        let (registers, adjoints) = (&space.registers[..], &mut space.adjoints[..]);
        simd.vectorize(tape::Backward { simd, tape: &term.tape, stride, registers, adjoints });
        space.output_bar[..term.rows() * outputs].fill(R::default());
        for jet in term.tape.jets() {
            let bars = &space.adjoints[jet.register * stride..][..sites];
            let first = jet.channel * term.points + jet.side * sites;
            for (i, &bar) in bars.iter().enumerate() {
                space.output_bar[(first + i) * outputs + net.schedule.raw[jet.output]] = bar;
            }
        }
    }

    /// Adds the adjoints of output biases and coefficients.
    fn add_tape_sums(&self, net: &Packed<R>, term: &Term<R>, space: &Workspace<R>, partial: &mut Partial<R>) {
        let bars = |register: usize| &space.adjoints[register * term.stride..][..term.block_sites()];
        let sum = |register: usize| bars(register).iter().map(|bar| bar.to_f64()).sum::<f64>();
        for jet in term.tape.jets().iter().filter(|jet| jet.channel == 0) {
            let bias = &mut partial.output_bias[net.schedule.raw[jet.output]];
            *bias = R::from_f64(bias.to_f64() + sum(jet.register));
        }
        for &(register, k) in term.tape.coefficients() {
            partial.coefficients[k] += sum(register);
        }
    }

    /// A network's raw outputs without their biases, column by column; `by` has the output layers.
    fn raw_outputs(
        &self,
        by: &Packed<R>,
        term: &Term<R>,
        part: usize,
        y: &[R],
        extra: &mut [AVec<R>; 2],
        to: &mut [R],
    ) {
        let simd = self.simd;
        let rows = term.rows();
        for k in by.schedule.parts[part].outputs.clone() {
            let (output, Output { source, first, .. }) = (&by.outputs[k], by.schedule.outputs[k]);
            let outputs = output.layer.outputs;
            let to = &mut to[output.column * rows..][..outputs * rows];
            simd.vectorize(ColumnsProduct {
                simd,
                rows,
                width: output.width,
                outputs,
                a: &y[source.place * rows..],
                b: &output.forward,
                c: if first { &mut *to } else { &mut extra[0] },
            });
            if !first {
                // Rows need not fill registers; rounding a sum in f64 once more is rounding it once.
                for (to, from) in to.iter_mut().zip(&extra[0][..]) {
                    *to = R::from_f64(to.to_f64() + from.to_f64());
                }
            }
        }
    }

    /// Makes an array from those before it.
    fn step(&self, net: &Packed<R>, term: &Term<R>, step: &Step, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, width) = (term.rows(), net.width(step.to));
        let (size, channel) = (rows * width, term.points * width);
        let place = net.schedule.arrays[step.to].place * rows;
        if let Op::Dense { layer, from, activated: Some(preactivations) } = step.op {
            let packed = &net.layers[layer];
            let depth = packed.layer.inputs;
            let z = &mut space.z[preactivations * rows..];
            let Rows { all: a, stride: a_stride } =
                inputs_of(&space.y, space.block, net, term, &packed.layer, from.array);
            simd.vectorize(Product { simd, rows, depth, width, a, a_stride, b: &packed.forward, c: z });
            let y = &mut space.y[place..][..size];
            let activation = &self.activations[packed.layer.part];
            activation.values(&packed.bias, &mut z[..channel], &mut y[..channel]);
            let order = term.plan.order();
            activation.slopes(order, &z[..channel], &y[..channel], &mut space.slopes);
            space.spread_scales(term, width);
            let (slopes, scales) = (&space.slopes[..], &space.scales[..]);
            let (z, y) = (&space.z[preactivations * rows..][..size], &mut space.y[place..][..size]);
            simd.vectorize(chain::Forward { simd, plan: &term.plan, size: channel, slopes, scales, z, y });
            return;
        }
        if let Op::Mix { a, b, .. } | Op::Blend { a, b, .. } = step.op {
            space.subtract(simd, net, rows, a, b);
            space.spread_scales(term, width);
        }
        // What an array is made of lies before it.
        let Workspace { y, extra: [difference, _], scales, block, .. } = space;
        let (before, to) = y.split_at_mut(place);
        // A product's last register reaches into the array that comes next.
        let to = if matches!(step.op, Op::Dense { .. }) { to } else { &mut to[..size] };
        let read = |read: Read| rows_of(before, net, term, read.array);
        match step.op {
            Op::Dense { layer, from, .. } => {
                let packed = &net.layers[layer];
                let depth = packed.layer.inputs;
                let Rows { all: a, stride: a_stride } =
                    inputs_of(before, *block, net, term, &packed.layer, from.array);
                simd.vectorize(Product { simd, rows, depth, width, a, a_stride, b: &packed.forward, c: to });
                simd.vectorize(AddToRows { simd, row: &packed.bias, to: &mut to[..channel] });
            }
            Op::Add { a, b } => {
                to.copy_from_slice(&read(a).all[..size]);
                simd.vectorize(Add { simd, minus: false, from: read(b).all, to });
            }
            Op::Scale { by, from } => {
                to.fill(R::default());
                let factor = &net.factors[by];
                simd.vectorize(AddTimes { simd, factor, minus: false, from: read(from).all, to });
            }
            Op::Mix { by, b, .. } => {
                to.copy_from_slice(&read(b).all[..size]);
                let factor = &net.factors[by];
                simd.vectorize(AddTimes { simd, factor, minus: false, from: difference, to });
            }
            Op::Blend { gate, b, .. } => {
                to.copy_from_slice(&read(b).all[..size]);
                let rule = term.products.as_ref().expect("a network with gates has their rule");
                let (g, d) = (read(gate).all, &difference[..]);
                simd.vectorize(leibniz::Forward { simd, rule, size: channel, scales, g, d, y: to });
            }
        }
    }

    /// Copies a network's features to where arrays are, padded as those.
    fn keep_features(
        &self,
        net: &Packed<R>,
        term: &Term<R>,
        part: usize,
        kept: Array,
        space: &mut Workspace<R>,
    ) {
        let own = &net.schedule.parts[part].features;
        let Rows { all, stride } = features_of(net, term, space.block, own.start, own.len());
        let to = &mut space.y[kept.place * term.rows()..][..kept.width * term.rows()];
        for (to, from) in to.chunks_exact_mut(kept.width).zip(all.chunks_exact(stride)) {
            to[..stride].copy_from_slice(from);
            to[stride..].fill(R::default());
        }
    }

    /// From adjoints of the raw outputs back through all steps; `visit` sees each of them when the adjoint of what it makes
    /// is there: that of a layer's preactivations in `z_bar`, that of anything else in its slot.
    fn sweep(
        &self,
        net: &Packed<R>,
        term: &Term<R>,
        space: &mut Workspace<R>,
        mut visit: impl FnMut(&Step, &mut Workspace<R>),
    ) {
        let (outputs, schedule) = (net.raw_outputs(), &net.schedule);
        for part in read_parts(term).rev() {
            for k in schedule.parts[part].outputs.clone() {
                let (output, back) = (&net.outputs[k], schedule.outputs[k].from.back);
                let Workspace { output_bar, bars, extra, .. } = space;
                let d = &output_bar[output.column..term.rows() * outputs];
                self.leave(term, back, output.width, d, outputs, &output.back, bars, extra);
            }
            for step in schedule.steps[schedule.parts[part].steps.clone()].iter().rev() {
                if let Op::Dense { layer, activated, .. } = step.op {
                    self.enter(net, term, step, layer, activated, space);
                }
                visit(step, space);
                self.pass_on(net, term, step, space);
            }
        }
    }

    /// From the adjoint of what a layer makes to that of its preactivations, `z_bar`.
    fn enter(
        &self,
        net: &Packed<R>,
        term: &Term<R>,
        step: &Step,
        layer: usize,
        activated: Option<usize>,
        space: &mut Workspace<R>,
    ) {
        let simd = self.simd;
        let (rows, width) = (term.rows(), net.width(step.to));
        let (size, channel) = (rows * width, term.points * width);
        let Some(preactivations) = activated else {
            space.z_bar[..size].copy_from_slice(&space.bars[step.bar][..size]);
            return;
        };
        space.spread_scales(term, width);
        let z = &space.z[preactivations * rows..][..size];
        let y = &space.y[net.schedule.arrays[step.to].place * rows..][..size];
        let order = term.plan.order();
        let activation = &self.activations[net.layers[layer].layer.part];
        activation.slopes(order + 1, &z[..channel], &y[..channel], &mut space.slopes);
        simd.vectorize(chain::Backward {
            simd,
            plan: &term.plan,
            size: channel,
            slopes: &space.slopes,
            scales: &space.scales,
            z,
            y_bar: &space.bars[step.bar],
            z_bar: &mut space.z_bar,
        });
    }

    /// From adjoints `d` of a layer's preactivations to that of its inputs, `width` wide.
    #[expect(clippy::too_many_arguments, reason = "a product with all that it reads and writes")]
    fn leave(
        &self,
        term: &Term<R>,
        back: Option<Back>,
        width: usize,
        d: &[R],
        stride: usize,
        weights: &[R],
        bars: &mut [AVec<R>],
        extra: &mut [AVec<R>; 2],
    ) {
        let Some(Back { slot, first }) = back else { return };
        let simd = self.simd;
        let rows = term.rows();
        let depth = weights.len() / width.next_multiple_of(R::lanes::<S>());
        let c = if first { &mut bars[slot] } else { &mut extra[0] };
        simd.vectorize(Product { simd, rows, depth, width, a: d, a_stride: stride, b: weights, c });
        if !first {
            simd.vectorize(Add { simd, minus: false, from: &extra[0], to: &mut bars[slot][..rows * width] });
        }
    }

    /// From the adjoint of what a step makes to those of its operands.
    fn pass_on(&self, net: &Packed<R>, term: &Term<R>, step: &Step, space: &mut Workspace<R>) {
        let simd = self.simd;
        let (rows, width) = (term.rows(), net.width(step.to));
        let (size, channel) = (rows * width, term.points * width);
        if let Op::Dense { layer, from, .. } = step.op {
            let packed = &net.layers[layer];
            let Workspace { z_bar, bars, extra, .. } = space;
            self.leave(term, from.back, packed.back_width, z_bar, width, &packed.back, bars, extra);
            return;
        }
        // Operands' adjoints have other slots.
        let bar = taken(&mut space.bars[step.bar]);
        let plain = |to: &mut [R]| simd.vectorize(Add { simd, minus: false, from: &bar, to });
        match step.op {
            Op::Dense { .. } => {}
            Op::Add { a, b } => {
                space.give(a.back, size, plain);
                space.give(b.back, size, plain);
            }
            Op::Scale { by, from } => {
                let factor = &net.factors[by];
                space.give(from.back, size, |to| {
                    simd.vectorize(AddTimes { simd, factor, minus: false, from: &bar, to });
                });
            }
            Op::Mix { by, a, b } => {
                let factor = &net.factors[by];
                let times = |minus: bool| {
                    let bar = &bar;
                    move |to: &mut [R]| simd.vectorize(AddTimes { simd, factor, minus, from: bar, to })
                };
                space.give(a.back, size, times(false));
                space.give(b.back, size, plain);
                space.give(b.back.map(|back| Back { first: false, ..back }), size, times(true));
            }
            Op::Blend { gate, a, b } => {
                space.subtract(simd, net, rows, a, b);
                space.spread_scales(term, width);
                let rule = term.products.as_ref().expect("a network with gates has their rule");
                let mut extra = space.extra.each_mut().map(taken);
                let [d, d_bar] = &mut extra;
                let d_bar = &mut d_bar[..size];
                d_bar.fill(R::default());
                let back = gate.back.expect("gates are no features");
                let mut g_bar = taken(&mut space.bars[back.slot]);
                if back.first {
                    g_bar[..size].fill(R::default());
                }
                simd.vectorize(leibniz::Backward {
                    simd,
                    rule,
                    size: channel,
                    scales: &space.scales,
                    g: space.array(net, term, gate.array).all,
                    d,
                    y_bar: &bar,
                    g_bar: &mut g_bar,
                    d_bar,
                });
                space.bars[back.slot] = g_bar;
                let d_bar = &*d_bar;
                space.give(a.back, size, |to| simd.vectorize(Add { simd, minus: false, from: d_bar, to }));
                space.give(b.back, size, plain);
                space.give(b.back.map(|back| Back { first: false, ..back }), size, |to| {
                    simd.vectorize(Add { simd, minus: true, from: d_bar, to });
                });
                space.extra = extra;
            }
        }
        space.bars[step.bar] = bar;
    }
}
