//! A network's layers laid out for blocks: where every array lies, and where its adjoint goes.
//!
//! All arrays of a block are kept for the way back.
//! Adjoints are not: an array's adjoint takes a slot when the first of its readers is gone back through, and gives it up
//! when the array's own step is; through a chain of layers one slot is enough.
//! This file knows sizes and orders; it knows no numbers.

use crate::network::{self, Layer, Layers, Numbers, Part};

/// Widths are padded to multiples of this.
///
/// So few rows together fill whole registers, and what works on a row at a time takes these as one: a register of 16 numbers
/// four of them at most.
const UNIT: usize = 4;

/// The padded width of an array of so many columns.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(UNIT)
}

/// Networks, laid out.
pub(super) struct Schedule {
    /// Every layer in the order of θ: those of steps, then those of outputs.
    pub(super) layers: Vec<Layer>,
    /// Trainable numbers that multiply, after the layers in θ.
    pub(super) numbers: Vec<Numbers>,
    pub(super) steps: Vec<Step>,
    /// The output layers, the last ones of `layers`.
    pub(super) outputs: Vec<Output>,
    /// Every array, in the order in which they are made and lie; what the first one has is with the points.
    pub(super) arrays: Vec<Array>,
    /// The networks.
    pub(super) parts: Vec<Part>,
    /// For every network a copy of its features that is padded, if something but a layer's product reads them.
    pub(super) kept: Vec<Option<Array>>,
    /// For every unknown which raw output is its own.
    pub(super) raw: Vec<usize>,
    /// Padded widths of what multiplies, by the place of its numbers among those of all steps.
    pub(super) factors: Vec<Factor>,
    /// Columns of preactivations, of arrays, and of what a direction adds to what trainable parameters make.
    pub(super) columns: Columns,
    /// The greatest padded width of an array that a step makes.
    pub(super) widest: usize,
    /// Numbers in a register.
    pub(super) lanes: usize,
    /// Adjoints that are there at once.
    pub(super) slots: usize,
    /// Is there a product of arrays?
    pub(super) has_gates: bool,
}

/// How many columns a block has of what.
#[derive(Clone, Copy, Default)]
pub(super) struct Columns {
    pub(super) preactivations: usize,
    pub(super) arrays: usize,
    pub(super) pushed: usize,
}

/// An array in a block.
#[derive(Clone, Copy)]
pub(super) struct Array {
    /// Padded.
    pub(super) width: usize,
    /// Columns before it.
    pub(super) place: usize,
}

/// An output layer.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) from: Read,
    /// Where what it reads lies.
    pub(super) source: Array,
    /// The first of its raw outputs.
    pub(super) column: usize,
    /// Is there nothing yet that it must be added to?
    pub(super) first: bool,
}

/// Numbers that multiply an array.
#[derive(Clone, Copy)]
pub(super) struct Factor {
    pub(super) numbers: Numbers,
    pub(super) width: usize,
}

/// What makes array `to`.
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) to: usize,
    /// The slot that the adjoint of `to` has when it is gone back through this step.
    pub(super) bar: usize,
    /// Columns before what a direction adds here, if there are parameters.
    pub(super) pushed: usize,
}

/// An operand, and where its adjoint goes: nowhere, if it is the features.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) array: usize,
    pub(super) back: Option<Back>,
}

/// A slot for an adjoint.
#[derive(Clone, Copy)]
pub(super) struct Back {
    pub(super) slot: usize,
    /// Is there nothing yet that must be added to?
    pub(super) first: bool,
}

/// As [`network::Op`].
pub(super) enum Op {
    Dense {
        /// By its index in [`Schedule::layers`].
        layer: usize,
        from: Read,
        /// Columns before the preactivations; without an activation they are the array itself.
        activated: Option<usize>,
    },
    Add {
        a: Read,
        b: Read,
    },
    Blend {
        gate: Read,
        a: Read,
        b: Read,
    },
    Mix {
        /// By its index in [`Schedule::factors`].
        by: usize,
        a: Read,
        b: Read,
    },
    Scale {
        /// By its index in [`Schedule::factors`].
        by: usize,
        from: Read,
    },
}

impl Schedule {
    /// The layout of `layers` for registers of `lanes` numbers.
    pub(super) fn new(layers: &Layers, lanes: usize) -> Self {
        let mut columns = Columns::default();
        let mut place = |width: usize| {
            columns.arrays += width;
            Array { width, place: columns.arrays - width }
        };
        let linear = |part: &Part| layers.outputs[part.outputs.clone()].iter().any(|output| output.from == 0);
        let kept = layers.parts.iter().map(|part| linear(part).then(|| place(padded(part.features.len()))));
        let kept: Vec<Option<Array>> = kept.collect();
        let mut arrays = vec![Array { width: layers.inputs(), place: 0 }];
        arrays.extend(layers.arrays[1..].iter().map(|&width| place(padded(width))));

        let mut slots = Slots { of: vec![None; arrays.len()], free: vec![], count: 0 };
        let outputs = layers.outputs.iter().map(|output| Output {
            from: Read { array: output.from, back: None },
            source: kept[output.layer.part].filter(|_| output.from == 0).unwrap_or(arrays[output.from]),
            column: output.column,
            first: output.first,
        });
        let mut outputs: Vec<Output> = outputs.collect();
        let mut layer = layers.steps.iter().filter(|step| matches!(step, network::Op::Dense { .. })).count();
        let mut steps: Vec<Step> = vec![];
        // Back through one network after the other, so that they share slots.
        let ways = layers.parts.iter().rev().flat_map(|part| {
            let steps = part.steps.clone().rev().map(Way::Step);
            [Way::Outputs(part)].into_iter().chain(steps)
        });
        for way in ways {
            let k = match way {
                Way::Step(k) => k,
                Way::Outputs(part) => {
                    for output in &mut outputs[part.outputs.clone()] {
                        output.from = slots.read(output.from.array);
                    }
                    continue;
                }
            };
            let step = &layers.steps[k];
            let to = k + 1;
            let bar = slots.of[to].expect("every array is read");
            // A layer's adjoint moves on to its preactivations first.
            let moves = matches!(step, network::Op::Dense { .. });
            if moves {
                slots.give_up(to);
            }
            let op = match *step {
                network::Op::Dense { from, activated, .. } => {
                    layer -= 1;
                    Op::Dense { layer, from: slots.read(from), activated: activated.then_some(0) }
                }
                network::Op::Add { a, b } => Op::Add { a: slots.read(a), b: slots.read(b) },
                network::Op::Blend { gate, a, b } => {
                    Op::Blend { gate: slots.read(gate), a: slots.read(a), b: slots.read(b) }
                }
                network::Op::Mix { by, a, b } => Op::Mix { by, a: slots.read(a), b: slots.read(b) },
                network::Op::Scale { by, from } => Op::Scale { by, from: slots.read(from) },
            };
            if !moves {
                slots.give_up(to);
            }
            steps.push(Step { op, to, bar, pushed: 0 });
        }
        steps.reverse();

        let mut factors = vec![];
        for step in &mut steps {
            let width = arrays[step.to].width;
            step.pushed = columns.pushed;
            match &mut step.op {
                Op::Dense { activated, .. } => {
                    if let Some(place) = activated {
                        *place = columns.preactivations;
                        columns.preactivations += width;
                    }
                }
                Op::Mix { by, .. } | Op::Scale { by, .. } => {
                    factors.push(Factor { numbers: layers.numbers[*by], width });
                    *by = factors.len() - 1;
                }
                Op::Add { .. } | Op::Blend { .. } => continue,
            }
            columns.pushed += width;
        }
        Self {
            layers: layers.dense().copied().collect(),
            numbers: layers.numbers.clone(),
            steps,
            outputs,
            parts: layers.parts.clone(),
            kept,
            raw: layers.columns.clone(),
            widest: arrays[1..].iter().map(|array| array.width).max().unwrap_or(0),
            lanes,
            arrays,
            factors,
            columns,
            slots: slots.count,
            has_gates: layers.has_gates(),
        }
    }

    /// Is there nothing but layers one after the other?
    pub(super) fn is_chain(&self) -> bool {
        self.outputs.iter().all(|output| output.first) && self.slots == 1
    }

    /// So many rows of an array of this padded width end with a register.
    fn period(&self, width: usize) -> usize {
        self.lanes / gcd(self.lanes, width)
    }

    /// Rows that end with a register in every array.
    pub(super) fn periods(&self) -> usize {
        let made = self.arrays[1..].iter().chain(self.kept.iter().flatten());
        // Powers of two.
        made.map(|array| self.period(array.width)).max().unwrap_or(1)
    }

    /// Numbers in as many rows of this padded width as end with a register.
    pub(super) fn repeated(&self, width: usize) -> usize {
        width * self.period(width)
    }

    /// Numbers in as many registers as a row of this width begins.
    pub(super) fn registers(&self, width: usize) -> usize {
        width.next_multiple_of(self.lanes)
    }

    /// Features.
    pub(super) fn inputs(&self) -> usize {
        self.arrays[0].width
    }

    /// Raw outputs.
    pub(super) fn raw_outputs(&self) -> usize {
        self.raw.len()
    }

    /// The place of an output layer in `layers`.
    pub(super) fn output_layer(&self, output: usize) -> usize {
        self.layers.len() - self.outputs.len() + output
    }

    /// The layers of a network.
    pub(super) fn layers_of(&self, part: usize) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(move |layer| layer.part == part)
    }

    /// Where trainable numbers begin in θ.
    pub(super) fn numbers_at(&self) -> usize {
        self.layers.last().map_or(0, |last| last.biases + last.outputs)
    }

    /// Weights, biases and trainable numbers.
    pub(super) fn parameters(&self) -> usize {
        self.numbers.last().map_or(self.numbers_at(), |last| last.first + last.count)
    }
}

/// The greatest common divisor.
pub(super) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What is gone back through.
enum Way<'a> {
    Outputs(&'a Part),
    Step(usize),
}

/// Which array's adjoint has which slot, on the way back.
struct Slots {
    of: Vec<Option<usize>>,
    free: Vec<usize>,
    count: usize,
}

impl Slots {
    /// An operand that is gone back to.
    fn read(&mut self, array: usize) -> Read {
        let back = (array > 0).then(|| {
            let first = self.of[array].is_none();
            let slot = self.of[array].or_else(|| self.free.pop()).unwrap_or_else(|| {
                self.count += 1;
                self.count - 1
            });
            self.of[array] = Some(slot);
            Back { slot, first }
        });
        Read { array, back }
    }

    fn give_up(&mut self, array: usize) {
        self.free.extend(self.of[array].take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Plan, Shape};
    use crate::settings::{Architecture, Network};

    #[test]
    fn a_chain_needs_one_adjoint() {
        let chain = Layers::chain(&Shape { inputs: 2, depth: 5, width: 7, outputs: 3 });
        let schedule = Schedule::new(&chain, 8);
        assert_eq!((schedule.slots, schedule.widest), (1, 8));
        assert_eq!((schedule.columns.arrays, schedule.columns.preactivations), (40, 40));
        assert!(schedule.steps.iter().all(|step| step.bar == 0));
    }

    #[test]
    fn rows_that_end_with_a_register() {
        let layers = |width| Layers::chain(&Shape { inputs: 2, depth: 3, width, outputs: 1 });
        // Width, lanes; rows, and numbers in so many of them.
        for (width, lanes, rows, numbers) in
            [(20, 16, 4, 80), (20, 8, 2, 40), (18, 8, 2, 40), (24, 16, 2, 48), (64, 16, 1, 64), (3, 1, 1, 4)]
        {
            let schedule = Schedule::new(&layers(width), lanes);
            let padded = schedule.arrays[1].width;
            assert_eq!((schedule.periods(), schedule.repeated(padded)), (rows, numbers), "{width}");
        }
    }

    /// Every reader of an array but the first one gone back through adds to its slot, which nothing else has meanwhile.
    #[test]
    fn adjoints_do_not_share_a_slot() {
        for architecture in Architecture::ALL {
            let network = Network { architecture, depth: 6, ..Network::default() };
            let plan = |unknowns| Plan { network: &network, inputs: 2, unknowns };
            let alone = Schedule::new(&Layers::several(&[plan(&[0])]), 8);
            let two = Schedule::new(&Layers::several(&[plan(&[0]), plan(&[1])]), 8);
            assert_eq!(alone.slots, two.slots);
            check_slots(&alone, architecture);
            check_slots(&two, architecture);
        }
    }

    fn check_slots(schedule: &Schedule, architecture: Architecture) {
        let mut holds: Vec<Option<usize>> = vec![None; schedule.slots];
        let give = |holds: &mut Vec<Option<usize>>, read: &Read| {
            let Some(back) = read.back else { return };
            assert_eq!(holds[back.slot].is_none(), back.first, "{architecture:?}");
            assert!(back.first || holds[back.slot] == Some(read.array));
            holds[back.slot] = Some(read.array);
        };
        for part in schedule.parts.iter().rev() {
            schedule.outputs[part.outputs.clone()].iter().for_each(|output| give(&mut holds, &output.from));
            for step in schedule.steps[part.steps.clone()].iter().rev() {
                assert_eq!(holds[step.bar], Some(step.to));
                let moves = matches!(step.op, Op::Dense { .. });
                if moves {
                    holds[step.bar] = None;
                }
                match &step.op {
                    Op::Dense { from, .. } | Op::Scale { from, .. } => give(&mut holds, from),
                    Op::Add { a, b } | Op::Mix { a, b, .. } => {
                        [a, b].into_iter().for_each(|read| give(&mut holds, read));
                    }
                    Op::Blend { gate, a, b } => {
                        [gate, a, b].into_iter().for_each(|read| give(&mut holds, read));
                    }
                }
                if !moves {
                    holds[step.bar] = None;
                }
            }
        }
    }
}
