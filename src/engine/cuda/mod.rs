//! The fused engine on CUDA: the text of its kernels is printed for every formula and compiled when an engine is made.
//!
//! A kernel carries chunks of points with all their jets through the networks and back, as the CPU engine does; weights'
//! gradients are added up by each block of threads and then over the blocks in their order, without atomics: the same
//! device gives the same bits.
//! The engine knows a [`Machine`], which holds memory and runs kernels; [`driver`] is CUDA's, and the tests have one that
//! compiles the same text as C++.

pub mod driver;
mod layout;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use self::layout::{Cut, Packing, Program, Room, Sizes};
use self::text::Source;
use super::cpu::carried::Carried;
use super::cpu::chain::{Plan, Scales};
use super::cpu::leibniz::Products;
use super::cpu::tape::Tape;
use super::pointwise::Evaluator;
use super::{Differentiable, Engine, EngineError, square_factor};
use crate::activation::Activation;
use crate::jet::JetSet;
use crate::network::{Layers, Part};
use crate::problem::{Formula, Linked, Problem};
use crate::settings::Precision;
use crate::team::Team;

/// What holds memory and runs kernels.
///
/// Addresses are those of the machine, kernels are numbered as they are compiled.
/// Work that is given to it is done in order, but for kernels of different lanes, see [`Machine::launch`].
pub trait Machine: Send {
    /// Multiprocessors.
    fn processors(&self) -> usize;
    /// Bytes of shared memory that a block may have.
    fn shared(&self) -> usize;
    /// Compiles texts; of each the kernel of this name in it.
    fn compile(&mut self, texts: &[(String, &'static str)]) -> Result<Vec<usize>, String>;
    /// Blocks of a kernel that a multiprocessor holds at once.
    fn blocks(&mut self, kernel: usize, threads: usize, shared: usize) -> Result<usize, String>;
    /// Room for so many bytes, all zero.
    fn allocate(&mut self, bytes: usize) -> Result<u64, String>;
    /// Gives it back.
    fn free(&mut self, address: u64);
    /// Writes bytes, which are read before it returns.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), String>;
    /// Reads bytes, when all that was asked for before is done.
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), String>;
    /// As [`Machine::write`].
    fn write_numbers(&mut self, address: u64, numbers: &[f64]) -> Result<(), String> {
        self.write(address, &bytes_of(numbers))
    }
    /// As [`Machine::read`].
    fn read_numbers(&mut self, address: u64, numbers: &mut [f64]) -> Result<(), String> {
        let mut bytes = vec![0; numbers.len() * 8];
        self.read(address, &mut bytes)?;
        numbers.iter_mut().zip(numbers_of(&bytes)).for_each(|(to, x)| *to = x);
        Ok(())
    }
    /// Starts a kernel, whose only argument is a structure of these numbers.
    ///
    /// Kernels of lane 0 come after all that were asked for before; those of other lanes after those of lane 0 and of their
    /// own.
    fn launch(&mut self, lane: usize, kernel: usize, grid: Grid, arguments: &[u64]) -> Result<(), String>;
}

/// How many blocks of how many threads, with how many bytes of shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Blocks.
    pub blocks: usize,
    /// Threads of a block.
    pub threads: usize,
    /// Bytes of shared memory.
    pub shared: usize,
}

/// Bytes of gradients that all blocks of a condition may keep.
const GRADIENT_BYTES: usize = 2 << 30;
/// Bytes of jets that they may keep.
const SCRATCH_BYTES: usize = 8 << 30;
/// Operations of a formula, and terms of its chain rule, that are printed and compiled.
const MOST_OPERATIONS: usize = 20_000;
/// Sites whose values are computed at once.
const SLICE: usize = 1 << 18;

/// The engine.
pub struct CudaEngine {
    machine: Box<dyn Machine>,
    team: Arc<Team>,
    precision: Precision,
    layers: Layers,
    activations: Vec<Activation>,
    coordinates: usize,
    coefficients: usize,
    features: Formula,
    packing: Packing,
    terms: Vec<Term>,
    prediction: (JetSet, Formula),
    kernels: HashMap<(String, &'static str), usize>,
    /// The kernels that bring θ into their layout, and add gradients.
    pack: usize,
    reduce: usize,
    /// Formulas that were asked for, ready to be asked for again.
    asked: Vec<Term>,
    theta: Buffer,
    from: Buffer,
    packed: Buffer,
    /// The gradient, and after it the sums of every condition's blocks.
    results: Buffer,
    /// Where the sums of every condition lie in it, and its length, in numbers; none if that has to be found.
    sums: Vec<usize>,
    /// The results as they were last read.
    read: Vec<f64>,
    /// θ that is packed.
    held: Vec<f64>,
}

/// A formula over networks, its kernel and its points.
struct Term {
    jets: JetSet,
    formula: Formula,
    /// How many points it is given for each site.
    given: usize,
    linked: Linked,
    features: Formula,
    columns: Formula,
    scales: Formula,
    plan: Plan<f64>,
    products: Option<Products<f64>>,
    tape: Tape,
    program: Program,
    sizes: Sizes,
    kernel: usize,
    grid: Grid,
    sites: usize,
    point_weights: Vec<f64>,
    buffers: Buffers,
}

/// What of a term lies on the machine.
#[derive(Default)]
struct Buffers {
    inputs: Buffer,
    columns: Buffer,
    scales: Buffer,
    weights: Buffer,
    steps: Buffer,
    arrays: Buffer,
    scratch: Buffer,
    gradient: Buffer,
    values: Buffer,
}

/// Memory of the machine, which grows and is given back by hand.
#[derive(Default, Clone, Copy)]
struct Buffer {
    address: u64,
    bytes: usize,
}

/// What a run of a kernel is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Values = 0,
    Loss = 1,
    Gradient = 2,
}

impl CudaEngine {
    /// An engine for `problem` on a machine; `threads` are for whoever computes between its evaluations.
    ///
    /// Conditions have no points until [`Engine::set_points`].
    ///
    /// # Errors
    ///
    /// If the machine refuses, or there are not so many threads to be had.
    pub fn new(problem: &Problem, machine: Box<dyn Machine>, threads: usize) -> Result<Self, EngineError> {
        if let Some(condition) = problem.conditions.iter().find(|condition| condition.dimensions.is_some()) {
            let why = format!(
                "`conditions.{}` has another formula in every step, as its dimensions are drawn anew, and this device \
                 compiles formulas one by one; remove `dimensions`, or take --device cpu",
                condition.name
            );
            return Err(EngineError::Device("cuda".to_owned(), why));
        }
        let team = Team::new(threads).map_err(|error| EngineError::Threads(error.to_string()))?;
        let (layers, coefficients) = (problem.layers(), problem.coefficients());
        let packing = Packing::new(&layers, coefficients);
        let mut engine = Self {
            machine,
            team: Arc::new(team),
            precision: problem.training.precision,
            activations: problem.activations().into_iter().cloned().collect(),
            coordinates: problem.coordinates.len(),
            features: problem.features.clone(),
            terms: vec![],
            prediction: (problem.values.jets(), problem.values.clone()),
            kernels: HashMap::new(),
            pack: 0,
            reduce: 0,
            asked: vec![],
            theta: Buffer::default(),
            from: Buffer::default(),
            packed: Buffer::default(),
            results: Buffer::default(),
            sums: vec![],
            read: vec![],
            held: vec![],
            layers,
            coefficients,
            packing,
        };
        engine.prepare(problem).map_err(|wrong| EngineError::Device("cuda".to_owned(), wrong))?;
        Ok(engine)
    }

    /// Everything that may be refused.
    fn prepare(&mut self, problem: &Problem) -> Result<(), String> {
        let parameters = self.parameters();
        self.theta.reserve(&mut *self.machine, parameters * 8)?;
        self.from.put(&mut *self.machine, &bytes_of_places(&self.packing.from))?;
        let length = self.packing.from.len() * self.real();
        self.packed.reserve(&mut *self.machine, length)?;
        let mut terms = vec![];
        for condition in &problem.conditions {
            let (jets, formula) = (&condition.jets, &condition.residuals);
            terms.push(self.term(jets, formula, condition.sides(), true, condition.points.max(1))?);
        }
        let own = terms.iter().map(|term| (self.text(term), "run"));
        let texts =
            ["pack", "reduce"].map(|name| (text::common(self.precision), name)).into_iter().chain(own);
        let kernels = self.kernels(texts.collect())?;
        (self.pack, self.reduce) = (kernels[0], kernels[1]);
        for (term, kernel) in terms.iter_mut().zip(&kernels[2..]) {
            term.kernel = *kernel;
            self.ready(term, Mode::Gradient)?;
        }
        self.terms = terms;
        Ok(())
    }

    /// Bytes of a number.
    fn real(&self) -> usize {
        match self.precision {
            Precision::F32 => 4,
            Precision::F64 => 8,
        }
    }

    /// The kernels of these names in texts, each compiled once.
    fn kernels(&mut self, texts: Vec<(String, &'static str)>) -> Result<Vec<usize>, String> {
        let mut new: Vec<_> =
            texts.iter().filter(|text| !self.kernels.contains_key(*text)).cloned().collect();
        new.sort_unstable();
        new.dedup();
        let compiled = self.machine.compile(&new)?;
        self.kernels.extend(new.into_iter().zip(compiled));
        Ok(texts.iter().map(|text| self.kernels[text]).collect())
    }

    /// The kernel of a term, compiled if it is not known yet.
    fn kernel(&mut self, term: &Term) -> Result<usize, String> {
        self.kernels(vec![(self.text(term), "run")]).map(|kernels| kernels[0])
    }

    /// A term without points and without a kernel, cut for about so many sites.
    fn term(
        &mut self,
        jets: &JetSet,
        formula: &Formula,
        given: usize,
        gradient: bool,
        sites: usize,
    ) -> Result<Term, String> {
        let linked = Linked::new(formula, given);
        let sides = linked.points();
        let mut carried = Carried::new(formula, jets, sides);
        let mut scales = Scales::default();
        let plan = Plan::new(&mut carried, jets, &mut scales);
        let products = self.layers.has_gates().then(|| Products::new(&mut carried, jets, &mut scales));
        let tape = Tape::new(&carried.formula, &carried.jets);
        let raw: Vec<usize> = tape.jets().iter().map(|jet| self.layers.columns[jet.output]).collect();
        let reads = |part: &Part| raw.iter().any(|column| part.columns.contains(column));
        let reads: Vec<bool> = self.layers.parts.iter().map(reads).collect();
        let program = Program::new(&self.layers, &self.packing, &reads);
        let columns = tape.column_formula();
        let unknown = Cut { points: sides, tile: [1, 1], threads: 32, on_chip: true };
        let sizes = Sizes {
            cut: unknown,
            channels: plan.channels(),
            sides,
            scales: scales.0.len(),
            raw: self.layers.raw_outputs(),
            roots: formula.roots.len(),
            columns: columns.roots.len(),
            coefficients: self.coefficients,
            width: program.width,
            gradient,
            real: self.real(),
        };
        let sizes = sizes.cut(self.room(), sites);
        let written = plan.terms().len() + tape.ops().len();
        if written > MOST_OPERATIONS {
            return Err(format!(
                "a residual with its derivatives takes {written} operations, more than the {MOST_OPERATIONS} that are \
                 compiled for a GPU; take --device cpu, or fewer nodes of integrals or derivatives"
            ));
        }
        if i32::try_from(sizes.jets()).is_err() {
            return Err(
                "the jets of a block are too many; take --device cpu, or a narrower network".to_owned()
            );
        }
        let mut buffers = Buffers::default();
        buffers.steps.put(&mut *self.machine, &bytes_of_places(&program.steps))?;
        buffers.arrays.put(&mut *self.machine, &bytes_of_places(&program.arrays))?;
        Ok(Term {
            jets: jets.clone(),
            formula: formula.clone(),
            given,
            linked,
            features: carried.features(&self.features, jets),
            scales: Formula { graph: carried.formula.graph, roots: scales.0 },
            columns,
            plan,
            products,
            tape,
            program,
            kernel: 0,
            grid: Grid { blocks: 0, threads: sizes.cut.threads, shared: sizes.shared() },
            sizes,
            sites,
            point_weights: vec![],
            buffers,
        })
    }

    fn room(&self) -> Room {
        Room { processors: self.machine.processors(), shared: self.machine.shared() }
    }

    /// Cuts a term's kernel for so many sites.
    fn cut(&mut self, term: &mut Term, sites: usize) -> Result<(), String> {
        term.sizes = term.sizes.clone().cut(self.room(), sites);
        term.grid.threads = term.sizes.cut.threads;
        term.grid.shared = term.sizes.shared();
        term.kernel = self.kernel(term)?;
        Ok(())
    }

    /// The text of a term's kernel.
    fn text(&self, term: &Term) -> String {
        let source = Source {
            precision: self.precision,
            sizes: &term.sizes,
            plan: &term.plan,
            products: term.products.as_ref(),
            tape: &term.tape,
            activations: &self.activations,
            columns: &self.layers.columns,
        };
        source.print()
    }

    /// The blocks of a term, and room for what they keep.
    fn ready(&mut self, term: &mut Term, mode: Mode) -> Result<(), String> {
        let (sizes, real) = (&term.sizes, self.real());
        let chunks = term.sites.div_ceil(sizes.sites()).max(1);
        let parameters = self.layers.parameters();
        let scratch = term.scratch() * real;
        let most = SCRATCH_BYTES / scratch.max(1);
        let most = if sizes.gradient { most.min(GRADIENT_BYTES / (parameters * real).max(1)) } else { most };
        let at_once = self.machine.blocks(term.kernel, term.grid.threads, term.grid.shared)?;
        let blocks = chunks.min(at_once.max(1) * self.machine.processors()).min(most).max(1);
        term.grid.blocks = blocks;
        let machine = &mut *self.machine;
        term.buffers.scratch.reserve(machine, blocks * scratch)?;
        if sizes.gradient && mode != Mode::Values {
            term.buffers.gradient.reserve(machine, blocks * parameters * real)?;
        }
        Ok(())
    }

    /// Finds a place for the sums of every condition's blocks.
    fn place_sums(&mut self) -> Result<(), String> {
        if !self.sums.is_empty() {
            return Ok(());
        }
        let mut end = self.parameters();
        for term in &self.terms {
            self.sums.push(end);
            end += term.grid.blocks * (2 + self.coefficients);
        }
        self.sums.push(end);
        self.results.reserve(&mut *self.machine, end * 8)
    }

    /// Numbers in the engine's precision.
    fn bytes(&self, numbers: &[f64]) -> Vec<u8> {
        match self.precision {
            Precision::F32 => {
                let mut bytes = vec![0; numbers.len() * 4];
                for (to, &x) in bytes.chunks_exact_mut(4).zip(numbers) {
                    to.copy_from_slice(&(x as f32).to_ne_bytes());
                }
                bytes
            }
            Precision::F64 => bytes_of(numbers),
        }
    }

    /// Gives a term its points: the channels of the features, the formula's columns and the chain rule's scales.
    fn bind(&mut self, term: &mut Term, points: &[f64], data: &[Vec<f64>]) -> Result<(), String> {
        let dimensions = self.coordinates;
        let points = &*term.linked.rows(points, dimensions, data);
        let sizes = &term.sizes;
        let (sides, inputs) = (sizes.sides, self.layers.inputs());
        let (sites, stride) = (sizes.sites(), sizes.stride());
        term.sites = points.len() / dimensions / sides;
        term.point_weights.clear();
        let chunks = term.sites.div_ceil(sites);
        let b = sizes.cut.points;
        let (columns, scales) = (term.columns.roots.len(), term.scales.roots.len());
        let mut of_features = Evaluator::new(&term.features);
        let mut of_columns = Evaluator::new(&term.columns);
        let mut of_scales = Evaluator::new(&term.scales);
        let mut feature_values = vec![0.0; chunks * inputs * stride];
        let mut column_values = vec![0.0; chunks * columns * sites];
        let mut scale_values = vec![0.0; chunks * scales * b];
        for chunk in 0..chunks {
            // Empty sites repeat the last one, so that they are as harmless as it is; so do the places that no site takes.
            let site = |slot: usize| (chunk * sites + slot.min(sites - 1)).min(term.sites - 1);
            let own = |place: usize| match place.checked_sub(sites * sides) {
                Some(side) => (site(sites), side),
                None => (site(place % sites), place / sites),
            };
            let own_point = |place, _, which| {
                let (site, side) = own(place);
                points[(site * sides + side) * dimensions + which]
            };
            let own_data = |place, column: usize| data[column][own(place).0];
            for (i, values) in of_features.evaluate(b, own_point, own_data).chunks_exact(b).enumerate() {
                let to = (chunk * inputs + i % inputs) * stride + i / inputs * b;
                feature_values[to..][..b].copy_from_slice(values);
            }
            scale_values[chunk * scales * b..][..scales * b]
                .copy_from_slice(of_scales.evaluate(b, own_point, own_data));
            let point = |slot, side, which| points[(site(slot) * sides + side) * dimensions + which];
            column_values[chunk * columns * sites..][..columns * sites].copy_from_slice(of_columns.evaluate(
                sites,
                point,
                |slot, column| data[column][site(slot)],
            ));
        }
        let [features, columns, scales] =
            [&feature_values, &column_values, &scale_values].map(|numbers| self.bytes(numbers));
        let machine = &mut *self.machine;
        term.buffers.inputs.put(machine, &features)?;
        term.buffers.columns.put(machine, &columns)?;
        term.buffers.scales.put(machine, &scales)
    }

    /// Brings θ to the machine, in the kernels' layout.
    fn pack(&mut self, theta: &[f64]) -> Result<(), String> {
        assert_eq!(theta.len(), self.parameters(), "θ has the network's length");
        if self.held == theta {
            return Ok(());
        }
        self.held.clear();
        self.held.extend_from_slice(theta);
        self.machine.write_numbers(self.theta.address, theta)?;
        let length = self.packing.from.len();
        let grid = Grid { blocks: length.div_ceil(256).min(1024), threads: 256, shared: 0 };
        let arguments = [self.theta.address, self.from.address, self.packed.address, length as u64];
        self.machine.launch(0, self.pack, grid, &arguments)
    }

    /// Starts a term's kernel on the lane.
    fn start(
        &mut self,
        lane: usize,
        term: &Term,
        sums: usize,
        factor: f64,
        mode: Mode,
    ) -> Result<(), String> {
        let (program, sizes, buffers) = (&term.program, &term.sizes, &term.buffers);
        let chunks = term.sites.div_ceil(sizes.sites());
        let arguments = [
            buffers.inputs.address,
            buffers.columns.address,
            buffers.scales.address,
            if term.point_weights.is_empty() { 0 } else { buffers.weights.address },
            self.packed.address,
            buffers.steps.address,
            buffers.arrays.address,
            buffers.scratch.address,
            buffers.gradient.address,
            self.results.address + 8 * sums as u64,
            buffers.values.address,
            factor.to_bits(),
            program.step_count as u64,
            program.output_count as u64,
            term.sites as u64,
            chunks as u64,
            self.layers.inputs() as u64,
            self.layers.parameters() as u64,
            self.packing.coefficients as u64,
            term.scratch() as u64,
            program.rows as u64,
            mode as u64,
        ];
        self.machine.launch(lane, term.kernel, term.grid, &arguments)
    }

    /// All terms, or the term `only`, and their gradients.
    fn run(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: Option<&mut [f64]>,
        only: Option<usize>,
    ) -> Result<f64, String> {
        assert_eq!(weights.len(), self.terms.len(), "a weight for each condition");
        self.pack(theta)?;
        self.place_sums()?;
        let wanted = |which: usize, term: &Term| term.sites > 0 && only.is_none_or(|only| only == which);
        let all = std::mem::take(&mut self.terms);
        let started = all.iter().enumerate().filter(|(which, term)| wanted(*which, term)).try_for_each(
            |(which, term)| {
                let back = gradient.is_some() && weights[which] != 0.0;
                let factor = square_factor(weights[which], 1.0, term.sites);
                let mode = if back { Mode::Gradient } else { Mode::Loss };
                self.start(1 + which, term, self.sums[which], factor, mode)
            },
        );
        self.terms = all;
        started?;
        if gradient.is_some() {
            self.reduce(weights, only)?;
        }
        // The gradient, where it is wanted, and the sums in one go.
        let first = if gradient.is_some() { 0 } else { self.parameters() };
        self.read.resize(self.sums[self.terms.len()], 0.0);
        self.machine.read_numbers(self.results.address + 8 * first as u64, &mut self.read[first..])?;
        if let Some(gradient) = gradient {
            gradient.copy_from_slice(&self.read[..gradient.len()]);
        }
        let mut total = 0.0;
        for (which, term) in self.terms.iter().enumerate() {
            terms[which] = 0.0;
            if !wanted(which, term) {
                continue;
            }
            let places =
                (0..term.grid.blocks).map(|block| self.sums[which] + block * (2 + self.coefficients));
            let sums =
                places.fold([0.0; 2], |sums, at| [sums[0] + self.read[at], sums[1] + self.read[at + 1]]);
            terms[which] = sums[0] / term.sites as f64;
            if weights[which] != 0.0 {
                total += weights[which] * (sums[1] / term.sites as f64);
            }
        }
        Ok(total)
    }

    /// Adds the gradients of the blocks of all terms that went back.
    fn reduce(&mut self, weights: &[f64], only: Option<usize>) -> Result<(), String> {
        let parameters = self.layers.parameters();
        let grid = Grid { blocks: parameters.div_ceil(128).clamp(1, 4096), threads: 128, shared: 0 };
        let mut fresh = true;
        for (which, term) in self.terms.iter().enumerate() {
            if term.sites == 0 || weights[which] == 0.0 || only.is_some_and(|only| only != which) {
                continue;
            }
            let arguments = [
                term.buffers.gradient.address,
                self.results.address + 8 * self.sums[which] as u64,
                self.results.address,
                term.grid.blocks as u64,
                parameters as u64,
                self.coefficients as u64,
                u64::from(fresh),
            ];
            self.machine.launch(0, self.reduce, grid, &arguments)?;
            fresh = false;
        }
        if fresh {
            self.machine.write_numbers(self.results.address, &vec![0.0; self.parameters()])?;
        }
        Ok(())
    }

    /// The values of a formula at points; of a condition's formula with the sites that its kernel is cut for.
    fn ask(
        &mut self,
        theta: &[f64],
        jets: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
        condition: Option<usize>,
    ) -> Vec<f64> {
        if points.is_empty() {
            return vec![];
        }
        let known = self.asked.iter().position(|term| {
            let same = term.jets == *jets && term.given == sides && term.formula == *formula;
            same && term.sizes.gradient == condition.is_some()
        });
        let mut term = match known {
            Some(known) => self.asked.swap_remove(known),
            None => {
                let sites = condition.unwrap_or(SLICE).max(1);
                let mut term = working(self.term(jets, formula, sides, condition.is_some(), sites));
                term.kernel = working(self.kernel(&term));
                term
            }
        };
        let values = working(self.values(theta, &mut term, points, data));
        self.asked.push(term);
        values
    }

    /// The values of a term's formula at points, slice by slice.
    fn values(
        &mut self,
        theta: &[f64],
        term: &mut Term,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Result<Vec<f64>, String> {
        self.pack(theta)?;
        let (row, roots) = (term.given * self.coordinates, term.sizes.roots);
        let sites = points.len() / row;
        let mut values = Vec::with_capacity(sites * roots);
        for first in (0..sites).step_by(SLICE) {
            let last = (first + SLICE).min(sites);
            let data: Vec<Vec<f64>> = data.iter().map(|column| column[first..last].to_vec()).collect();
            self.bind(term, &points[first * row..last * row], &data)?;
            self.ready(term, Mode::Values)?;
            let bytes = (last - first) * roots * self.real();
            term.buffers.values.reserve(&mut *self.machine, bytes)?;
            self.start(0, term, 0, 0.0, Mode::Values)?;
            let mut found = vec![0; bytes];
            self.machine.read(term.buffers.values.address, &mut found)?;
            match self.precision {
                Precision::F32 => values.extend(
                    found
                        .chunks_exact(4)
                        .map(|x| f64::from(f32::from_ne_bytes(x.try_into().expect("four bytes")))),
                ),
                Precision::F64 => values.extend(numbers_of(&found)),
            }
        }
        Ok(values)
    }
}

impl Term {
    /// Numbers that a block keeps outside shared memory.
    fn scratch(&self) -> usize {
        let sizes = &self.sizes;
        let jets = if sizes.cut.on_chip { 0 } else { sizes.jets() };
        let arrays = if sizes.gradient { 2 } else { 1 };
        jets + arrays * self.program.rows * sizes.stride()
    }
}

impl Buffer {
    /// At least so many bytes, whatever they hold; what is new is zero.
    fn reserve(&mut self, machine: &mut dyn Machine, bytes: usize) -> Result<(), String> {
        if self.bytes >= bytes && self.address != 0 {
            return Ok(());
        }
        if self.address != 0 {
            machine.free(self.address);
            *self = Self::default();
        }
        self.address = machine.allocate(bytes.max(16))?;
        self.bytes = bytes;
        Ok(())
    }

    /// Holds these bytes.
    fn put(&mut self, machine: &mut dyn Machine, bytes: &[u8]) -> Result<(), String> {
        self.reserve(machine, bytes.len())?;
        machine.write(self.address, bytes)
    }
}

impl Drop for CudaEngine {
    fn drop(&mut self) {
        let terms = self.terms.iter().chain(&self.asked).flat_map(|term| term.buffers.all());
        let own = [self.theta, self.from, self.packed, self.results];
        let all: Vec<Buffer> = terms.chain(own).filter(|buffer| buffer.address != 0).collect();
        all.iter().for_each(|buffer| self.machine.free(buffer.address));
    }
}

impl Buffers {
    fn all(&self) -> [Buffer; 9] {
        let Self { inputs, columns, scales, weights, steps, arrays, scratch, gradient, values } = *self;
        [inputs, columns, scales, weights, steps, arrays, scratch, gradient, values]
    }
}

fn bytes_of(numbers: &[f64]) -> Vec<u8> {
    let mut bytes = vec![0; numbers.len() * 8];
    for (to, x) in bytes.chunks_exact_mut(8).zip(numbers) {
        to.copy_from_slice(&x.to_ne_bytes());
    }
    bytes
}

fn numbers_of(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    bytes.chunks_exact(8).map(|x| f64::from_ne_bytes(x.try_into().expect("eight bytes")))
}

fn bytes_of_places(places: &[i32]) -> Vec<u8> {
    places.iter().flat_map(|place| place.to_ne_bytes()).collect()
}

/// What a device that worked a moment ago refuses: there is no way to go on.
fn working<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|wrong| panic!("the CUDA device failed: {wrong}"))
}

impl Engine for CudaEngine {
    fn parameters(&self) -> usize {
        self.layers.parameters() + self.coefficients
    }

    fn team(&self) -> Arc<Team> {
        Arc::clone(&self.team)
    }

    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) {
        let mut term = self.terms.swap_remove(condition);
        let sites = points.len() / (self.coordinates * term.given);
        if sites != term.sites {
            working(self.cut(&mut term, sites.max(1)));
        }
        if sites > 0 {
            working(self.bind(&mut term, points, data));
            working(self.ready(&mut term, Mode::Gradient));
        }
        term.sites = sites;
        self.sums.clear();
        self.terms.push(term);
        let last = self.terms.len() - 1;
        self.terms.swap(condition, last);
    }

    fn set_point_weights(&mut self, condition: usize, weights: &[f64]) {
        let term = &mut self.terms[condition];
        assert!(weights.is_empty() || weights.len() == term.sites, "a weight for each point");
        term.point_weights.clear();
        term.point_weights.extend_from_slice(weights);
        working(term.buffers.weights.put(&mut *self.machine, &bytes_of(weights)));
    }

    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64 {
        working(self.run(theta, weights, terms, None, None))
    }

    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        let term = &self.terms[condition];
        let (jets, formula, sides) = (term.jets.clone(), term.formula.clone(), term.given);
        // With the kernel that the condition has, if it is cut for as many sites.
        let sites = term.sites;
        self.ask(theta, &jets, &formula, sides, points, data, Some(sites))
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
        self.ask(theta, jets, formula, sides, points, data, None)
    }

    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64> {
        let (jets, formula) = self.prediction.clone();
        self.evaluate(theta, &jets, &formula, 1, points, &[])
    }
}

impl Differentiable for CudaEngine {
    fn set_estimates(&mut self, _: usize, estimates: Option<&Formula>) -> bool {
        assert!(estimates.is_none(), "problems with such estimates are refused");
        false
    }

    fn loss_and_gradient(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: &mut [f64],
    ) -> f64 {
        working(self.run(theta, weights, terms, Some(gradient), None))
    }

    fn condition_gradient(&mut self, theta: &[f64], condition: usize, gradient: &mut [f64]) -> f64 {
        let (mut weights, mut terms) = (vec![0.0; self.terms.len()], vec![0.0; self.terms.len()]);
        weights[condition] = 1.0;
        working(self.run(theta, &weights, &mut terms, Some(gradient), Some(condition)))
    }
}
