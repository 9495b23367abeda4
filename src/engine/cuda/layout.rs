//! How networks are laid out for the CUDA kernels: parameters, arrays, steps, and how many points a block takes.
//!
//! It knows sizes and places; it knows no formulas, no values and no machine.

use crate::network::{Layer, Layers, Op};

/// The structures that kernels are given, as this file and `mod.rs` fill them.
pub(super) const ARGUMENTS: &str = "
// An array of a network: its first row, and whose activation makes its value of what is kept, −1 if none.
struct Array { int first, part; };

enum { DENSE, ADD, BLEND, MIX, SCALE };

// A step of the networks, or an output layer; see `layout.rs`.
struct Step {
    int op, part, a, b, gate, to, ins, outs, features, activated, keep, fused;
    int forward, ld_forward, back, ld_back, bias, weights, biases;
    int fresh_a, fresh_b, fresh_gate, number, count, number_gradient, fresh_number, column, first;
};

struct Args {
    const R* inputs;
    const R* columns;
    const R* scales;
    const double* weights;
    const R* packed;
    const Step* steps;
    const Array* arrays;
    R* scratch;
    R* gradient;
    double* sums;
    R* values;
    double factor;
    long long step_count, output_count, sites, chunks, features, parameters, coefficients;
    long long scratch_stride, array_rows, mode;
};

struct Packing {
    const double* theta;
    const int* from;
    R* packed;
    long long length;
};

struct Reduction {
    const R* gradient;
    const double* sums;
    double* total;
    long long blocks, parameters, coefficients, fresh;
};
";

/// Rows of matrices are as long as a multiple of this, the most neurons that a thread takes at once.
const UNIT: usize = 8;

/// How a kernel is cut.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Cut {
    /// Points of a block.
    pub points: usize,
    /// Points and neurons of a thread's tile, powers of two.
    pub tile: [usize; 2],
    /// Threads of a block.
    pub threads: usize,
    /// Are a block's jets in shared memory?
    pub on_chip: bool,
}

/// The numbers that the text of a kernel begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sizes {
    pub(super) cut: Cut,
    pub(super) channels: usize,
    /// Linked points of a site.
    pub(super) sides: usize,
    pub(super) scales: usize,
    pub(super) raw: usize,
    pub(super) roots: usize,
    pub(super) columns: usize,
    pub(super) coefficients: usize,
    /// The widest array that goes through a layer.
    pub(super) width: usize,
    pub(super) gradient: bool,
    pub(super) real: usize,
}

/// What a machine offers a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Multiprocessors.
    pub(super) processors: usize,
    /// Bytes of shared memory that a block may have.
    pub(super) shared: usize,
}

impl Sizes {
    /// Sites of a chunk.
    pub(super) fn sites(&self) -> usize {
        self.cut.points / self.sides
    }

    /// Distance of rows: an odd multiple of 16 bytes, so that rows one after the other lie in different banks.
    pub(super) fn stride(&self) -> usize {
        let unit = 16 / self.real;
        let rows = (self.channels * self.cut.points).div_ceil(unit);
        (rows | 1) * unit
    }

    /// Rows of weights that are staged at once, and how many neurons of them.
    fn stage(&self) -> [usize; 2] {
        let [points, neurons] = self.cut.tile;
        let row = self.cut.points / points;
        // Where a row of tiles is longer than a block, its threads may have the end of one and the beginning of the next.
        let groups = if row <= self.cut.threads { self.cut.threads / row } else { 2 };
        let span = (groups * neurons).min(self.width.next_multiple_of(UNIT)).next_multiple_of(4);
        let depth = (32_768 / (span * self.real)).clamp(4, 64) / 4 * 4;
        [depth, span]
    }

    /// Numbers of a block's jets, in shared memory or not.
    pub(super) fn jets(&self) -> usize {
        let (arrays, raws) = if self.gradient || !self.cut.on_chip { (3, 2) } else { (2, 1) };
        (arrays * self.width + raws * self.raw) * self.stride()
    }

    /// Bytes of shared memory that a block needs.
    pub(super) fn shared(&self) -> usize {
        let [depth, span] = self.stage();
        let jets = if self.cut.on_chip { self.jets() } else { 0 };
        let numbers = jets + 2 * depth * span + self.coefficients * self.sites();
        numbers * self.real + 8 * self.sites()
    }

    /// The text's macros.
    pub(super) fn macros(&self) -> [(&'static str, usize); 18] {
        let [depth, span] = self.stage();
        [
            ("C", self.channels),
            ("B", self.cut.points),
            ("SITES", self.sites()),
            ("STRIDE", self.stride()),
            ("TP", self.cut.tile[0]),
            ("TN", self.cut.tile[1]),
            ("THREADS", self.cut.threads),
            ("KT", depth),
            ("NT", span),
            ("SCALES", self.scales),
            ("RAW", self.raw),
            ("ROOTS", self.roots),
            ("COLUMNS", self.columns),
            ("COEFFICIENTS", self.coefficients),
            ("WIDTH", self.width),
            ("ON_CHIP", usize::from(self.cut.on_chip)),
            ("GRADIENT", usize::from(self.gradient)),
            ("SIDES", self.sides),
        ]
    }

    /// The best cut for `sites` sites: every processor has something to do, and as many points as possible share the
    /// reading of weights.
    pub(super) fn cut(mut self, room: Room, sites: usize) -> Self {
        let tile = self.tile();
        let least = (16 / self.real).max(tile[0]);
        let mut points = self.sides.next_multiple_of(least);
        self.cut = Cut { points, tile, threads: 256, on_chip: true };
        let fits = |sizes: &Self| sizes.shared() <= room.shared;
        self.cut.on_chip = fits(&self);
        // A processor in twelve may have nothing to do.
        let enough = |sizes: &Self| 12 * sites.div_ceil(sizes.sites()) >= 11 * room.processors;
        let most = if self.channels > 2 { 32 } else { 64 };
        while points < most {
            points *= 2;
            let larger = Self { cut: Cut { points, ..self.cut }, ..self.clone() };
            if !(enough(&larger) && (fits(&larger) || !self.cut.on_chip)) {
                break;
            }
            self = larger;
        }
        self.cut.threads = self.threads();
        self
    }

    /// Points and neurons of a thread, so that its sums, one for each channel of each of them, stay in registers.
    fn tile(&self) -> [usize; 2] {
        match self.channels {
            1..=2 => [4, 4],
            3..=8 => [2, 4],
            9..=20 => [1, 4],
            21..=40 => [1, 2],
            _ => [1, 1],
        }
    }

    /// Threads for the widest array: whole warps, and whole rows of tiles.
    fn threads(&self) -> usize {
        let [points, neurons] = self.cut.tile;
        let row = self.cut.points / points;
        let tiles = row * self.width.div_ceil(neurons).max(1);
        let threads = tiles.next_multiple_of(32).clamp(64, 256);
        if row <= threads { threads / row * row } else { threads }
    }
}

/// Where parameters lie for the kernels: θ gathered by place, −1 where there is none.
pub(super) struct Packing {
    pub(super) from: Vec<i32>,
    layers: Vec<Places>,
    numbers: Vec<usize>,
    pub(super) coefficients: usize,
}

#[derive(Clone, Copy)]
struct Places {
    forward: usize,
    ld_forward: usize,
    back: usize,
    ld_back: usize,
    bias: usize,
}

impl Packing {
    pub(super) fn new(layers: &Layers, coefficients: usize) -> Self {
        let mut from: Vec<i32> = vec![];
        let place = |at: usize| i32::try_from(at).expect("parameters are limited");
        let matrix = |from: &mut Vec<i32>,
                      rows: usize,
                      columns: usize,
                      at: &dyn Fn(usize, usize) -> usize| {
            let (first, ld) = (from.len(), columns.next_multiple_of(UNIT));
            for row in 0..rows {
                from.extend((0..ld).map(|column| if column < columns { place(at(row, column)) } else { -1 }));
            }
            (first, ld)
        };
        let places = layers.dense().map(|layer| {
            let weight = |output: usize, input: usize| layer.weights + output * layer.inputs + input;
            let (forward, ld_forward) = matrix(&mut from, layer.inputs, layer.outputs, &|k, n| weight(n, k));
            let (back, ld_back) = matrix(&mut from, layer.outputs, layer.inputs, &weight);
            let (bias, _) = matrix(&mut from, 1, layer.outputs, &|_, n| layer.biases + n);
            Places { forward, ld_forward, back, ld_back, bias }
        });
        let places = places.collect();
        let mut numbers = vec![];
        for own in &layers.numbers {
            numbers.push(from.len());
            from.extend((own.first..own.first + own.count).map(place));
        }
        let first = from.len();
        from.extend((layers.parameters()..layers.parameters() + coefficients).map(place));
        from.resize(from.len().next_multiple_of(UNIT), -1);
        Self { from, layers: places, numbers, coefficients: first }
    }
}

/// The steps of the networks that a formula reads, as the kernels take them.
pub(super) struct Program {
    /// Records of [`Step::FIELDS`] numbers: the steps, then the output layers.
    pub(super) steps: Vec<i32>,
    pub(super) step_count: usize,
    pub(super) output_count: usize,
    /// Two numbers for every array.
    pub(super) arrays: Vec<i32>,
    /// Rows of all arrays.
    pub(super) rows: usize,
    /// The widest array.
    pub(super) width: usize,
}

/// `struct Step` of [`ARGUMENTS`].
#[derive(Clone, Copy, Default)]
struct Step {
    op: i32,
    part: i32,
    a: i32,
    b: i32,
    gate: i32,
    to: i32,
    ins: i32,
    outs: i32,
    features: i32,
    activated: i32,
    keep: i32,
    fused: i32,
    forward: i32,
    ld_forward: i32,
    back: i32,
    ld_back: i32,
    bias: i32,
    weights: i32,
    biases: i32,
    fresh_a: i32,
    fresh_b: i32,
    fresh_gate: i32,
    number: i32,
    count: i32,
    number_gradient: i32,
    fresh_number: i32,
    column: i32,
    first: i32,
}

impl Step {
    const FIELDS: usize = 28;

    fn fields(&self) -> [i32; Self::FIELDS] {
        [
            self.op,
            self.part,
            self.a,
            self.b,
            self.gate,
            self.to,
            self.ins,
            self.outs,
            self.features,
            self.activated,
            self.keep,
            self.fused,
            self.forward,
            self.ld_forward,
            self.back,
            self.ld_back,
            self.bias,
            self.weights,
            self.biases,
            self.fresh_a,
            self.fresh_b,
            self.fresh_gate,
            self.number,
            self.count,
            self.number_gradient,
            self.fresh_number,
            self.column,
            self.first,
        ]
    }
}

impl Program {
    /// The steps and output layers of the networks that `reads` names.
    pub(super) fn new(layers: &Layers, packing: &Packing, reads: &[bool]) -> Self {
        let int = |x: usize| i32::try_from(x).expect("layers are limited");
        let mut dense = packing.layers.iter().copied();
        let linear = |layer: &Layer, at: Places| Step {
            part: int(layer.part),
            ins: int(layer.inputs),
            outs: int(layer.outputs),
            features: layer.features.map_or(-1, int),
            forward: int(at.forward),
            ld_forward: int(at.ld_forward),
            back: int(at.back),
            ld_back: int(at.ld_back),
            bias: int(at.bias),
            weights: int(layer.weights),
            biases: int(layer.biases),
            ..Step::default()
        };
        let mut steps: Vec<Step> = vec![];
        for (k, op) in layers.steps.iter().enumerate() {
            let to = k + 1;
            let other = |code: i32, part: usize| Step {
                op: code,
                part: int(part),
                to: int(to),
                outs: int(layers.arrays[to]),
                features: -1,
                ..Step::default()
            };
            let part =
                layers.parts.iter().position(|part| part.steps.contains(&k)).expect("a network's step");
            let numbers = |mut step: Step, by: usize| {
                let own = layers.numbers[by];
                step.number = int(packing.numbers[by]);
                step.count = int(own.count);
                step.number_gradient = int(own.first);
                step
            };
            let step = match *op {
                Op::Dense { layer, from, activated } => {
                    let at = dense.next().expect("a place for every layer");
                    Step { a: int(from), to: int(to), activated: i32::from(activated), ..linear(&layer, at) }
                }
                Op::Add { a, b } => Step { a: int(a), b: int(b), ..other(1, part) },
                Op::Blend { gate, a, b } => Step { a: int(a), b: int(b), gate: int(gate), ..other(2, part) },
                Op::Mix { by, a, b } => numbers(Step { a: int(a), b: int(b), ..other(3, part) }, by),
                Op::Scale { by, from } => numbers(Step { a: int(from), ..other(4, part) }, by),
            };
            if reads[part] {
                steps.push(step);
            }
        }
        let mut outputs: Vec<Step> = vec![];
        for output in &layers.outputs {
            let at = dense.next().expect("a place for every layer");
            if reads[output.layer.part] {
                outputs.push(Step {
                    a: int(output.from),
                    column: int(output.column),
                    first: i32::from(output.first),
                    ..linear(&output.layer, at)
                });
            }
        }
        mark_kept(&mut steps, &outputs);
        mark_back(&mut steps, &mut outputs, layers.arrays.len());
        let mut arrays = vec![0, -1];
        let mut rows = 0;
        for (op, &width) in layers.steps.iter().zip(&layers.arrays[1..]) {
            let part = match op {
                Op::Dense { layer, activated: true, .. } => int(layer.part),
                _ => -1,
            };
            let step = steps.iter().find(|step| step.to == int(arrays.len() / 2));
            arrays.extend([int(rows), part]);
            rows += if step.is_some() { width } else { 0 };
        }
        let sizes =
            steps.iter().chain(&outputs).map(|step| step.ins.max(if step.to > 0 { step.outs } else { 0 }));
        Self {
            step_count: steps.len(),
            output_count: outputs.len(),
            width: sizes.max().unwrap_or(1) as usize,
            steps: steps.iter().chain(&outputs).flat_map(Step::fields).collect(),
            arrays,
            rows,
        }
    }
}

impl Step {
    /// The arrays that it reads, in the order in which adjoints are given to them.
    fn reads(&self) -> Vec<i32> {
        match self.op {
            0 if self.features >= 0 => vec![],
            0 | 4 => vec![self.a],
            2 => vec![self.gate, self.a, self.b],
            _ => vec![self.a, self.b],
        }
    }
}

/// Marks arrays that are read when they are no more what was made last.
fn mark_kept(steps: &mut [Step], outputs: &[Step]) {
    let mut kept: Vec<i32> = vec![];
    let mut resident = -1;
    for step in &*steps {
        let reads = step.reads();
        kept.extend(reads.iter().copied().filter(|&array| step.op != 0 || array != resident));
        resident = step.to;
    }
    for output in outputs {
        kept.extend(output.reads().into_iter().filter(|&array| array != resident));
        resident = output.reads().first().copied().unwrap_or(-1);
    }
    for step in steps {
        step.keep = i32::from(kept.contains(&step.to));
    }
}

/// Marks who is the first to give an array or a number something on the way back, and where a layer's adjoints go straight
/// on to the layer before it.
fn mark_back(steps: &mut [Step], outputs: &mut [Step], arrays: usize) {
    let mut readers = vec![0; arrays];
    for array in steps.iter().chain(&*outputs).flat_map(Step::reads) {
        readers[array as usize] += 1;
    }
    let makers: Vec<(i32, i32, i32)> = steps.iter().map(|step| (step.op, step.activated, step.to)).collect();
    let mut given = vec![false; arrays];
    let mut numbers: Vec<i32> = vec![];
    let mut left = steps.len();
    let outputs_left = outputs.len();
    let all = outputs.iter_mut().rev().enumerate().map(|(k, output)| (k + 1 < outputs_left, output));
    for (more, step) in all.chain(steps.iter_mut().rev().map(|step| (false, step))) {
        if step.to > 0 {
            left -= 1;
        }
        let next = left.checked_sub(1).filter(|_| !more).map(|k| makers[k]);
        if step.op == 0 && step.features < 0 {
            let alone = readers[step.a as usize] == 1 && next == Some((0, 1, step.a));
            step.fused = i32::from(alone);
        }
        let mut first = |array: i32| i32::from(!std::mem::replace(&mut given[array as usize], true));
        match step.op {
            0 if step.features >= 0 => {}
            2 => {
                step.fresh_gate = first(step.gate);
                step.fresh_a = first(step.a);
                step.fresh_b = first(step.b);
            }
            0 | 4 => step.fresh_a = first(step.a),
            _ => {
                step.fresh_a = first(step.a);
                step.fresh_b = first(step.b);
            }
        }
        if step.count > 0 {
            step.fresh_number = i32::from(!numbers.contains(&step.number));
            numbers.push(step.number);
        }
    }
}
