//! The fused CPU engine: jets forward through all layers, one reverse sweep back, block by block.
//!
//! Blocks are shared out to a fixed number of *groups*, each with partial sums of its own that are added in a fixed
//! order; threads and ranks take groups. So results do not depend on the number of threads or processes, or on scheduling.

mod activate;
mod block;
pub(in crate::engine) mod carried;
pub(in crate::engine) mod chain;
mod dispatch;
mod gemm;
mod gram;
pub(in crate::engine) mod leibniz;
mod linear;
mod normal;
mod rows;
mod schedule;
mod sums;
pub(in crate::engine) mod tape;

use std::ops::Range;
use std::sync::{Arc, Mutex};

use aligned_vec::avec;
use pulp::Simd;

use self::block::{Activate, ActivateWith, Fused, Kernels, Packed, Partial, Sums, Term, Workspace};
use self::carried::Carried;
use self::chain::{Plan, Scales};
use self::dispatch::WithReal;
use self::gram::BlockProduct;
use self::leibniz::Products;
use self::normal::{Normal, RowPlan};
use self::schedule::{Schedule, gcd};
use self::tape::Tape;
use super::pointwise::Evaluator;
use super::{Differentiable, Engine, EngineError, Jacobian};
use crate::activation::{Activation, Kernel, Visitor};
use crate::jet::JetSet;
use crate::limits::{MAX_PARTIAL_NUMBERS, MAX_WORKSPACE};
use crate::network::Part;
use crate::problem::{Formula, Linked, Problem};
use crate::ranks::Ranks;
use crate::simd::Real;
use crate::team::{Team, lock};

pub use self::dispatch::Isa;

/// Rows (channels × points) that are worth a group of their own.
const ROWS_PER_GROUP: usize = 400;
/// Many groups come in multiples of this, so that 2, 4 or 8 threads have equally much to do.
const EVEN_GROUPS: usize = 8;
/// Most groups: more would spend more on adding partial gradients than they bring.
const MOST_GROUPS: usize = 64;
/// Blocks for each rank from which on an evaluation is shared out.
const WORTH_SHARING: usize = 2;
/// Most points at which the features are kept for the next time.
const MOST_KEPT: usize = 1 << 16;
/// Bytes of jets that a block may keep, so that they stay in a core's own cache.
const BLOCK_BYTES: usize = 5 << 18;
/// Fewest and most rows of a block.
const BLOCK_ROWS: Range<usize> = 24..97;

/// The fused engine in precision `R`.
pub struct CpuEngine<R: Real> {
    team: Arc<Team>,
    kernels: Box<dyn Kernels<R>>,
    schedule: Arc<Schedule>,
    coordinates: usize,
    features: Formula,
    terms: Vec<Term<R>>,
    jets: Vec<JetSet>,
    prediction: (JetSet, Formula),
    /// Where the unknowns were last asked for, if that were not too many points: as a rule they are asked for there again.
    predicted: Option<(Vec<f64>, Term<R>)>,
    residuals: Vec<Formula>,
    net: Packed<R>,
    groups: Vec<Vec<(usize, Range<usize>)>>,
    partials: Vec<Partial<R>>,
    /// Every term's sums of the last evaluation, kept for their room.
    sums: Vec<Sums>,
    spaces: Vec<Mutex<Workspace<R>>>,
    products: Box<dyn BlockProduct>,
    /// What the least-squares side computes together, and buffers, made when they are first asked for.
    row_plan: Option<RowPlan>,
    normal: Option<Normal>,
    /// Rows of the Jacobian that are about to be handed out.
    rows: Vec<f64>,
    tangent: Option<Packed<R>>,
    rows_done: usize,
}

/// What one loss and gradient takes, counted and not measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
    /// Rows that go through the network: the points of every condition, times the channels that each of them carries.
    pub rows: usize,
    /// Multiply–adds of the layers' matrix products, forward, back and for the weights; padding aside.
    pub products: usize,
    /// Bytes of a thread's buffers, which do not depend on the number of points.
    pub workspace: usize,
    /// Bytes that are kept for the points.
    pub points: usize,
}

impl<R: Real> CpuEngine<R> {
    /// An engine for `problem` and its network, on `threads` threads.
    ///
    /// Conditions have no points until [`Engine::set_points`].
    ///
    /// # Errors
    ///
    /// If there are not so many threads to be had, or their buffers would be too large.
    pub fn new(problem: &Problem, threads: usize, isa: Isa) -> Result<Self, EngineError> {
        Self::among(problem, threads, isa, Ranks::alone())
    }

    /// As [`CpuEngine::new`], in one of several processes that compute together: all of them make the same calls, and get the
    /// same bits.
    ///
    /// # Errors
    ///
    /// As for [`CpuEngine::new`].
    pub fn among(problem: &Problem, threads: usize, isa: Isa, ranks: Ranks) -> Result<Self, EngineError> {
        let team = Team::among(threads, ranks);
        let team = team.map_err(|error| EngineError::Threads(error.to_string()))?;
        let kernels = isa.run::<R, _>(Select { activations: &problem.activations() });
        let schedule = Arc::new(Schedule::new(&problem.layers(), kernels.lanes()));
        let mut engine = Self {
            net: Packed::new(&schedule, problem.coefficients()),
            schedule,
            coordinates: problem.coordinates.len(),
            features: problem.features.clone(),
            terms: vec![],
            jets: problem.conditions.iter().map(|condition| condition.jets.clone()).collect(),
            prediction: (problem.values.jets(), problem.values.clone()),
            predicted: None,
            residuals: problem.conditions.iter().map(|condition| condition.residuals.clone()).collect(),
            groups: vec![],
            partials: vec![],
            sums: vec![],
            spaces: (0..threads).map(|_| Mutex::new(Workspace::new())).collect(),
            products: isa.run::<f64, _>(SelectProducts),
            row_plan: None,
            normal: None,
            rows: vec![],
            tangent: None,
            rows_done: 0,
            team: Arc::new(team),
            kernels,
        };
        for (which, condition) in problem.conditions.iter().enumerate() {
            let term = engine.compile(
                &engine.features,
                &engine.jets[which],
                &engine.residuals[which],
                condition.sides(),
            );
            engine.terms.push(term);
        }
        let rows = engine.terms.iter().map(Term::rows).max().unwrap_or(0);
        let bytes = (threads * rows * size_of::<R>()) as f64 * engine.columns() as f64;
        if bytes > MAX_WORKSPACE {
            return Err(EngineError::Workspace { threads, bytes });
        }
        Ok(engine)
    }

    /// Columns of preactivations and arrays that a block keeps.
    fn columns(&self) -> usize {
        self.schedule.columns.preactivations + self.schedule.columns.arrays
    }

    /// A term without points.
    fn compile(&self, features: &Formula, jets: &JetSet, formula: &Formula, sides: usize) -> Term<R> {
        let linked = Linked::new(formula, sides);
        let (given, sides) = (sides, linked.points());
        let mut carried = Carried::new(formula, jets, sides);
        let mut scales = Scales::default();
        let plan = Plan::new(&mut carried, jets, &mut scales);
        let products = self.schedule.has_gates.then(|| Products::new(&mut carried, jets, &mut scales));
        let channels = plan.channels();
        // The fewest points that make whole tiles and whole registers, linked ones together.
        let tiles = gemm::ROWS / gcd(gemm::ROWS, channels * sides);
        let registers = self.schedule.periods();
        let registers = registers / gcd(registers, tiles * sides);
        let unit = sides * tiles * registers;
        let row_bytes = self.columns() * size_of::<R>();
        let rows = (BLOCK_BYTES / row_bytes).clamp(BLOCK_ROWS.start, BLOCK_ROWS.end - 1);
        let points = (rows / channels / unit).max(1) * unit;
        let tape = Tape::new(&carried.formula, &carried.jets);
        let raw: Vec<usize> = tape.jets().iter().map(|jet| self.schedule.raw[jet.output]).collect();
        let reads = |part: &Part| raw.iter().any(|column| part.columns.contains(column));
        Term {
            reads: self.schedule.parts.iter().map(reads).collect(),
            tape,
            features: carried.features(features, jets),
            scale_formula: Formula { graph: carried.formula.graph, roots: scales.0 },
            plan,
            products,
            linked,
            given,
            sides,
            paired: false,
            points,
            stride: (points / sides).next_multiple_of(self.kernels.lanes()),
            sites: 0,
            inputs: avec![R::default(); 0],
            columns: avec![R::default(); 0],
            scales: vec![],
            point_weights: vec![],
        }
    }

    /// What one loss and gradient takes with the points that are set.
    pub fn work(&mut self) -> Work {
        self.regroup_if_needed();
        let rows_of = |term: &Term<R>| term.plan.channels() * term.sides * term.sites;
        let rows = self.terms.iter().map(rows_of).sum();
        // Nothing goes back through a layer over the features.
        let products = self.schedule.layers.iter().map(|layer| {
            let ways = if layer.features.is_some() { 2 } else { 3 };
            let rows = self.terms.iter().filter(|term| term.reads[layer.part]).map(rows_of).sum::<usize>();
            rows * ways * layer.inputs * layer.outputs
        });
        let products = products.sum();
        let numbers = |term: &Term<R>| term.inputs.len() + term.columns.len() + term.scales.len();
        let points = self.terms.iter().map(numbers).sum::<usize>() * size_of::<R>();
        Work { rows, products, workspace: lock(&self.spaces[0]).bytes(), points }
    }

    /// Rows that losses and gradients have taken through the network so far, empty sites of blocks included.
    pub fn rows_done(&self) -> usize {
        self.rows_done
    }

    /// Gives `term` its points: the channels of the features, the tape's columns and the scales, in block order.
    fn bind(&self, term: &mut Term<R>, points: &[f64], data: &[Vec<f64>]) {
        let dimensions = self.coordinates;
        let points = &*term.linked.rows(points, dimensions, data);
        let count = points.len() / dimensions;
        term.sites = count / term.sides;
        term.point_weights.clear();
        let column_formula = term.tape.column_formula();
        let (rows, inputs, columns) = (term.rows(), self.schedule.inputs(), column_formula.roots.len());
        let (sites, blocks, scales) = (term.block_sites(), term.blocks(), term.scale_formula.roots.len());
        // For every feature where its network's lie, how many these are, and which of them it is.
        let own = self.schedule.parts.iter().map(|part| &part.features);
        let own =
            own.flat_map(|own| own.clone().map(move |feature| (own.start, own.len(), feature - own.start)));
        let own: Vec<(usize, usize, usize)> = own.collect();
        let formulas = [&term.features, &term.scale_formula, &column_formula];
        // Made by the threads that take a block.
        let evaluators: Vec<Mutex<Option<[Evaluator; 3]>>> =
            self.spaces.iter().map(|_| Mutex::new(None)).collect();
        let (of_block, of_columns, of_scales) = (rows * inputs, columns * term.stride, scales * term.points);
        term.inputs.resize(blocks * of_block + gemm::MOST_LANES, R::default());
        term.columns.resize(blocks * of_columns, R::default());
        term.scales.resize(blocks * of_scales, R::default());
        const ENOUGH: &str = "as long as all blocks";
        let mut all = (&mut term.inputs[..], &mut term.columns[..], &mut term.scales[..]);
        let parts = (0..blocks).map(|_| {
            let parts = (
                all.0.split_off_mut(..of_block),
                all.1.split_off_mut(..of_columns),
                all.2.split_off_mut(..of_scales),
            );
            (parts.0.expect(ENOUGH), parts.1.expect(ENOUGH), parts.2.expect(ENOUGH))
        });
        let parts: Vec<_> = parts.collect();
        let (all_sites, sides, of_side, stride) = (term.sites, term.sides, term.points, term.stride);
        self.team.share(parts.into_iter().enumerate(), |thread, (block, part)| {
            let (block_inputs, block_columns, block_scales) = part;
            let mut evaluators = lock(&evaluators[thread]);
            let [features, scales, columns] = evaluators.get_or_insert_with(|| formulas.map(Evaluator::new));
            // Empty sites repeat the last point, so that they are as harmless as it is.
            let site = |slot: usize| (block * sites + slot).min(all_sites - 1);
            // The points of a block lie side by side, site by site.
            let own_point = |place: usize, _, which| {
                points[(site(place % sites) * sides + place / sites) * dimensions + which]
            };
            let own_data = |place: usize, column: usize| data[column][site(place % sites)];
            for (i, values) in
                features.evaluate(of_side, own_point, own_data).chunks_exact(of_side).enumerate()
            {
                let (first, count, feature) = own[i % inputs];
                let rows_of_channel = &mut block_inputs[rows * first + i / inputs * of_side * count..];
                for (row, &value) in rows_of_channel.chunks_exact_mut(count).zip(values) {
                    row[feature] = R::from_f64(value);
                }
            }
            let values = scales.evaluate(of_side, own_point, own_data);
            block_scales.iter_mut().zip(values).for_each(|(to, &value)| *to = R::from_f64(value));
            let point = |slot, side, which| points[(site(slot) * sides + side) * dimensions + which];
            let values = columns.evaluate(sites, point, |slot, column| data[column][site(slot)]);
            for (to, values) in block_columns.chunks_exact_mut(stride).zip(values.chunks_exact(sites)) {
                to.iter_mut().zip(values).for_each(|(to, &value)| *to = R::from_f64(value));
            }
            for column in block_columns.chunks_exact_mut(stride) {
                let last = column[sites - 1];
                column[sites..].fill(last);
            }
        });
    }

    /// Shares all blocks out to groups of about equal cost, if points have changed, and makes room for the sums of this rank's.
    fn regroup_if_needed(&mut self) {
        if self.groups.is_empty() {
            self.regroup();
        }
        let own = self.own_groups().len();
        if self.partials.len() != own {
            self.partials = (0..own).map(|_| Partial::new(&self.net, self.terms.len())).collect();
        }
    }

    fn regroup(&mut self) {
        (self.row_plan, self.normal) = (None, None);
        let rows: usize = self.terms.iter().map(|term| term.blocks() * term.rows()).sum();
        let most = (MAX_PARTIAL_NUMBERS / self.parameters()).clamp(1, MOST_GROUPS);
        let count = match rows / ROWS_PER_GROUP {
            few @ 0..EVEN_GROUPS => few.clamp(1, most),
            many => (many / EVEN_GROUPS * EVEN_GROUPS).min(most),
        };
        self.groups = vec![vec![]; count];
        let mut done = 0;
        for (which, term) in self.terms.iter().enumerate() {
            for block in 0..term.blocks() {
                let group = &mut self.groups[(done * count / rows).min(count - 1)];
                match group.last_mut() {
                    Some((last, range)) if *last == which => range.end = block + 1,
                    _ => group.push((which, block..block + 1)),
                }
                done += term.rows();
            }
        }
        self.partials.clear();
        for space in &self.spaces {
            let mut space = lock(space);
            for term in &self.terms {
                space.reserve(&self.net, term);
            }
        }
    }

    /// Lays θ out for the kernels.
    fn pack(&mut self, theta: &[f64]) {
        assert_eq!(theta.len(), self.parameters(), "θ has the network's length");
        let Self { team, kernels, net, .. } = self;
        pack(team, &**kernels, theta, net);
    }

    /// All blocks of all terms, or of the term `only`; where there is a `gradient`, it goes back as well.
    fn run(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: Option<&mut [f64]>,
        only: Option<usize>,
    ) -> f64 {
        assert_eq!(weights.len(), self.terms.len(), "a weight for each condition");
        self.regroup_if_needed();
        self.pack(theta);
        let pass = Pass {
            kernels: &*self.kernels,
            net: &self.net,
            terms: &self.terms,
            weights,
            spaces: &self.spaces,
            gradient: gradient.is_some(),
            only,
        };
        let own = self.groups[self.own_groups()].iter();
        self.team.share(own.zip(&mut self.partials), |thread, (group, partial)| {
            pass.run_group(thread, group, partial);
        });
        let done = self.groups.iter().flatten().filter(|(which, _)| only.is_none_or(|only| only == *which));
        self.rows_done += done.map(|(which, blocks)| blocks.len() * self.terms[*which].rows()).sum::<usize>();
        let mut sums = std::mem::take(&mut self.sums);
        self.add_up(&self.partials, gradient, &mut sums);
        let total = self.total(&sums, weights, terms);
        self.sums = sums;
        total
    }

    /// The total loss and its terms from the sums of each.
    fn total(&self, sums: &[Sums], weights: &[f64], terms: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for (which, (term, sums)) in self.terms.iter().zip(sums).enumerate() {
            if term.sites == 0 {
                terms[which] = 0.0;
                continue;
            }
            terms[which] = sums.squares / term.sites as f64;
            if weights[which] != 0.0 {
                total += weights[which] * (sums.weighted / term.sites as f64);
            }
        }
        total
    }

    /// As [`Engine::evaluate`], with other features, which are as many.
    #[expect(clippy::too_many_arguments, reason = "a formula with all that it reads")]
    pub fn evaluate_with(
        &mut self,
        features: &Formula,
        theta: &[f64],
        jets: &JetSet,
        formula: &Formula,
        sides: usize,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Vec<f64> {
        self.pack(theta);
        let mut term = self.compile(features, jets, formula, sides);
        let site_length = sides * self.coordinates;
        // A slice of points at a time: memory stays bounded however many there are.
        let slice = term.block_sites() * 64;
        let roots = formula.roots.len();
        self.share_out(points.len() / site_length, term.block_sites(), roots, |engine, own, values| {
            for (first, out) in own.clone().step_by(slice).zip(values.chunks_mut(slice * roots)) {
                let last = (first + slice).min(own.end);
                let data: Vec<Vec<f64>> = data.iter().map(|column| column[first..last].to_vec()).collect();
                engine.bind(&mut term, &points[first * site_length..last * site_length], &data);
                engine.roots_of(&term, out);
            }
        })
    }

    /// What `compute` leaves of `roots` numbers for each of so many sites, of which every rank has some whole blocks to compute.
    fn share_out(
        &self,
        sites: usize,
        per_block: usize,
        roots: usize,
        compute: impl FnOnce(&Self, Range<usize>, &mut [f64]),
    ) -> Vec<f64> {
        let mut values = vec![0.0; sites * roots];
        // From so many blocks on the answer's way is the shorter one.
        let blocks = sites.div_ceil(per_block);
        let shared = blocks >= WORTH_SHARING * self.team.ranks().size();
        let own = if shared { self.team.ranks().share(blocks) } else { 0..blocks };
        let [start, end] = [own.start, own.end].map(|block| (block * per_block).min(sites));
        compute(self, start..end, &mut values[start * roots..end * roots]);
        if shared {
            self.team.ranks().gather(&mut values, per_block * roots);
        }
        values
    }

    /// The roots of `term` at all its sites, row by row.
    fn roots_of(&self, term: &Term<R>, values: &mut [f64]) {
        for space in &self.spaces {
            lock(space).reserve(&self.net, term);
        }
        let roots = term.tape.roots().len();
        let blocks = values.chunks_mut(term.block_sites() * roots).enumerate();
        self.team.share(blocks, |thread, (block, out)| {
            let mut space = lock(&self.spaces[thread]);
            self.kernels.forward(&self.net, term, usize::MAX, block, &mut space);
            for root in 0..roots {
                for (i, x) in space.root(term, root)[..out.len() / roots].iter().enumerate() {
                    out[i * roots + root] = x.to_f64();
                }
            }
        });
        for space in &self.spaces {
            lock(space).forget_constants();
        }
    }
}

impl<R: Real> Engine for CpuEngine<R> {
    fn parameters(&self) -> usize {
        self.net.parameters()
    }

    fn team(&self) -> Arc<Team> {
        Arc::clone(&self.team)
    }

    fn set_points(&mut self, condition: usize, points: &[f64], data: &[Vec<f64>]) {
        let mut term = self.terms.swap_remove(condition);
        self.bind(&mut term, points, data);
        self.terms.push(term);
        let last = self.terms.len() - 1;
        self.terms.swap(condition, last);
        self.groups.clear();
    }

    fn set_point_weights(&mut self, condition: usize, weights: &[f64]) {
        let term = &mut self.terms[condition];
        assert!(weights.is_empty() || weights.len() == term.sites, "a weight for each point");
        term.point_weights.clear();
        term.point_weights.extend_from_slice(weights);
    }

    fn loss(&mut self, theta: &[f64], weights: &[f64], terms: &mut [f64]) -> f64 {
        self.run(theta, weights, terms, None, None)
    }

    fn jacobian(&mut self) -> Option<&mut dyn Jacobian> {
        Some(self)
    }

    fn residuals(&mut self, theta: &[f64], condition: usize, points: &[f64], data: &[Vec<f64>]) -> Vec<f64> {
        let (jets, formula) = (self.jets[condition].clone(), self.residuals[condition].clone());
        let sides = self.terms[condition].given;
        self.evaluate(theta, &jets, &formula, sides, points, data)
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
        let features = self.features.clone();
        self.evaluate_with(&features, theta, jets, formula, sides, points, data)
    }

    fn predict(&mut self, theta: &[f64], points: &[f64]) -> Vec<f64> {
        let dimensions = self.coordinates;
        if points.len() > MOST_KEPT * dimensions {
            let (jets, formula) = self.prediction.clone();
            return self.evaluate(theta, &jets, &formula, 1, points, &[]);
        }
        self.pack(theta);
        let kept = self.predicted.take().filter(|(at, _)| at == points);
        let (at, mut term) = kept.unwrap_or_else(|| {
            let (jets, formula) = &self.prediction;
            (points.to_vec(), self.compile(&self.features, jets, formula, 1))
        });
        let (sites, roots) = (points.len() / dimensions, self.prediction.1.roots.len());
        let values = self.share_out(sites, term.block_sites(), roots, |engine, own, values| {
            if term.sites != own.len() {
                engine.bind(&mut term, &points[own.start * dimensions..own.end * dimensions], &[]);
            }
            engine.roots_of(&term, values);
        });
        self.predicted = Some((at, term));
        values
    }
}

impl<R: Real> Differentiable for CpuEngine<R> {
    fn set_estimates(&mut self, condition: usize, estimates: Option<&Formula>) -> bool {
        if estimates.is_none() && !self.terms[condition].paired {
            return false;
        }
        let formula = estimates.unwrap_or(&self.residuals[condition]);
        let jets = estimates.map_or_else(|| self.jets[condition].clone(), Formula::jets);
        let term = self.compile(&self.features, &jets, formula, self.terms[condition].given);
        self.terms[condition] = Term { paired: estimates.is_some(), ..term };
        self.spaces.iter().for_each(|space| lock(space).forget_constants());
        self.groups.clear();
        true
    }

    fn loss_and_gradient(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        gradient: &mut [f64],
    ) -> f64 {
        self.run(theta, weights, terms, Some(gradient), None)
    }

    fn condition_gradient(&mut self, theta: &[f64], condition: usize, gradient: &mut [f64]) -> f64 {
        let (mut weights, mut terms) = (vec![0.0; self.terms.len()], vec![0.0; self.terms.len()]);
        weights[condition] = 1.0;
        self.run(theta, &weights, &mut terms, Some(gradient), Some(condition))
    }
}

/// One evaluation of the loss: what every thread reads.
struct Pass<'a, R> {
    kernels: &'a dyn Kernels<R>,
    net: &'a Packed<R>,
    terms: &'a [Term<R>],
    weights: &'a [f64],
    spaces: &'a [Mutex<Workspace<R>>],
    gradient: bool,
    /// The one term that is asked for, if not all are.
    only: Option<usize>,
}

impl<R: Real> Pass<'_, R> {
    /// The sums over a group of blocks, on thread `thread`.
    fn run_group(&self, thread: usize, group: &[(usize, Range<usize>)], partial: &mut Partial<R>) {
        let mut space = lock(&self.spaces[thread]);
        partial.reset();
        for (which, blocks) in group {
            if self.only.is_some_and(|only| only != *which) {
                continue;
            }
            let term = &self.terms[*which];
            for block in blocks.clone() {
                self.kernels.forward(self.net, term, *which, block, &mut space);
                partial.sums[*which] += space.sums(term, block);
                // Without a weight it would add zeros, or NaN where its residual is not finite.
                if self.gradient && self.weights[*which] != 0.0 {
                    space.clear_adjoints(term);
                    for root in 0..term.tape.roots().len() {
                        space.seed(term, root, block, self.weights[*which]);
                    }
                    self.kernels.backward(self.net, term, block, &mut space, partial);
                }
            }
        }
    }
}

/// Lays a vector like θ out for the kernels.
fn pack<R: Real>(team: &Team, kernels: &dyn Kernels<R>, theta: &[f64], net: &mut Packed<R>) {
    kernels.pack_outputs(theta, net);
    net.set_factors(theta);
    net.set_coefficients(&theta[net.weights()..]);
    team.share(net.layers.iter_mut(), |_, layer| kernels.pack_layer(theta, layer));
}

/// Chooses the kernels for every network's activation.
struct Select<'a> {
    activations: &'a [&'a Activation],
}

impl WithReal for Select<'_> {
    type Output<R: Real> = Box<dyn Kernels<R>>;

    fn call<S: Simd, R: Real>(self, simd: S) -> Box<dyn Kernels<R>> {
        struct With<S, R>(S, std::marker::PhantomData<R>);
        impl<S: Simd, R: Real> Visitor for With<S, R> {
            type Output = Box<dyn Activate<R>>;
            fn visit<K: Kernel>(self, kernel: K) -> Self::Output {
                Box::new(ActivateWith { simd: self.0, kernel })
            }
        }
        let kernels = |activation: &&Activation| activation.visit(With(simd, std::marker::PhantomData));
        Box::new(Fused { simd, activations: self.activations.iter().map(kernels).collect() })
    }
}

/// Chooses the kernels for JᵀJ, whose precision does not depend on the engine's.
struct SelectProducts;

impl WithReal for SelectProducts {
    type Output<R: Real> = Box<dyn BlockProduct>;

    fn call<S: Simd, R: Real>(self, simd: S) -> Box<dyn BlockProduct> {
        Box::new(gram::With(simd))
    }
}
