//! Marching in windows: the sub-problems that solve an evolution piece by piece.
//!
//! A coordinate whose conditions all lie at one of its values, time as a rule, is cut into equal windows.
//! Each is an ordinary [`Problem`] with a network of its own over its slice, and begins where the window before it ends.
//!
//! What is continued is the *raw* output N of the network, from which the ansatz A makes the unknown, u = A(x, t, N):
//!
//! N(x, t) = Σ_{j<m} wʲ/j!·∂ⱼN⁻(x, t_k) + (w/τ)ᵐ·size·net(x, t), w = τ·Σ_{0<j<m} yʲ/j, y = 1 − exp(−(t − t_k)/τ)
//!
//! with N⁻ the raw output of the window before, t_k the joint and m the order of the equations in time; w = τy where m is 1.
//! The sum is that of −ln(1 − y): w is the time since the joint as far as its first m − 1 derivatives there are concerned, which
//! is all that has to go on.
//! It never goes beyond τ(1 + 1/2 + … + 1/(m − 1)), τ being a part of the window's length: a tangent that is followed through a
//! whole window leads far away from a solution that turns, and the network would have to be as large to bring it back.
//! It has no pole at complex times either, of which the network would have to make up for those nearby.
//! A does not change from window to window, so u and its m − 1 derivatives in time go on exactly, and all that A fulfils for
//! every N (boundary values, those that vary in time too, and the initial ones) is fulfilled in every window.
//! ∂ⱼN⁻(x, t_k) and its derivatives in space enter formulas as columns of data, one for each [`Carried`]; who computes
//! has to supply them, and no engine needs to know where they come from.
//!
//! This file knows problems and formulas; it knows no engines and no training.

use core::cmp::Ordering;

use rand::RngExt;

use super::elapsed::{REACH, bent};
use super::model::{Condition, Formula, Problem, Reference, Solution};
use super::posedness::Posed;
use crate::expr::{Binary, Digits, Graph, Node, NodeId, is_time, listed};
use crate::jet::{MAX_ORDER, MultiIndex};
use crate::rng;
use crate::settings::Cut;

/// Random points of a window at which the ansatz's factor of the network is looked at.
const LOOKS: usize = 256;

/// A problem cut into windows.
#[derive(Clone, PartialEq, Debug)]
pub struct Windows {
    /// The coordinate that is cut.
    pub along: usize,
    /// The windows in the order in which they are trained.
    ///
    /// The first one holds the place of the initial conditions; then come those after it, then those before it.
    pub all: Vec<Window>,
    /// For every slice of the domain, from its lower end upwards, the window that it is.
    slices: Vec<usize>,
    /// Where two slices meet, from the lowest place upwards.
    joints: Vec<f64>,
}

/// One window: its problem, and what of the window before enters it.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// The problem within the window; columns of data of its formulas that no file has are [`Window::carried`].
    pub problem: Problem,
    /// Which of the whole problem's conditions these are: those that have a place within the window.
    pub conditions: Vec<usize>,
    /// For every condition the columns that follow those of its file.
    pub carried: Vec<Vec<Carried>>,
    /// Where it begins; `None` if it begins with the initial conditions.
    pub start: Option<Start>,
    along: usize,
    /// Where the window ends as seen from its start.
    end: f64,
    /// For every unknown how many of its derivatives in time, from the value on, are carried over.
    orders: Vec<usize>,
    /// For every unknown what its network is multiplied by.
    sizes: Vec<f64>,
}

/// Where a window begins.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Start {
    /// The window that it goes on from, by its place in [`Windows::all`].
    pub window: usize,
    /// The value of the coordinate at the joint.
    pub at: f64,
}

/// Where a window goes on from the one before.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Joint {
    /// The window before, by its place in [`Windows::all`].
    before: usize,
    /// The value of the coordinate that is cut.
    at: f64,
    along: usize,
    dimensions: usize,
}

impl Joint {
    /// What is carried over, `wanted` at every one of `points`, whose rows hold `sides` linked points: a column each.
    ///
    /// `ask` is given the window before, what is wanted of it, and points of the joint; it answers with a row for each of
    /// these, one number, or whatever is asked for, for each that is wanted.
    /// Along a single coordinate the joint is one point.
    pub fn carry<T: Copy>(
        self,
        wanted: &[Carried],
        sides: usize,
        points: &[f64],
        mut ask: impl FnMut(usize, &[Carried], &[f64]) -> Option<Vec<T>>,
    ) -> Option<Vec<Vec<T>>> {
        let mut columns = vec![vec![]; wanted.len()];
        let sites = points.len() / (sides * self.dimensions);
        for side in 0..sides {
            let own: Vec<usize> = (0..wanted.len()).filter(|&i| wanted[i].side == side).collect();
            if own.is_empty() {
                continue;
            }
            let distinct = if self.dimensions == 1 { sites.min(1) } else { sites };
            let rows = points.chunks_exact(self.dimensions).skip(side).step_by(sides).take(distinct);
            let mut joint: Vec<f64> = rows.flatten().copied().collect();
            joint.chunks_exact_mut(self.dimensions).for_each(|row| row[self.along] = self.at);
            let asked: Vec<Carried> = own.iter().map(|&i| Carried { side: 0, ..wanted[i] }).collect();
            let values = ask(self.before, &asked, &joint)?;
            for (place, &i) in own.iter().enumerate() {
                let each = (0..sites).map(|site| values[site.min(distinct - 1) * own.len() + place]);
                columns[i] = each.collect();
            }
        }
        Some(columns)
    }
}

/// A number for every point: a derivative of a raw output of the window before, at the joint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carried {
    /// Which output.
    pub output: usize,
    /// Which derivative, along the coordinate that is cut as well.
    pub index: MultiIndex,
    /// At which of the linked points.
    pub side: usize,
}

impl Windows {
    /// Cuts `problem` into as many windows as its `[training]` table says.
    ///
    /// # Errors
    ///
    /// Why it cannot be marched.
    pub fn new(problem: &Problem) -> Result<Self, String> {
        if let Some(trainable) = problem.trainable.first() {
            return Err(format!(
                "`{}` is to be found, and windows would each find another value: parameters are found with \
                 `windows = 1`",
                trainable.name
            ));
        }
        if let Some(condition) = problem.conditions.iter().find(|condition| condition.integrates()) {
            return Err(format!(
                "`{}` holds an integral, which may reach into other windows: such problems are solved with `windows = 1`",
                condition.name
            ));
        }
        let posed = posed(problem);
        let (along, begin) = beginning(problem, &posed)?;
        if let Some(unknown) = problem.unknowns.iter().find(|unknown| !unknown.depends_on(along)) {
            let along = &problem.coordinates[along].name;
            return Err(format!(
                "`{}` is no function of `{along}`, and windows would each find another one: such unknowns are found with \
                 `windows = 1`",
                unknown.name
            ));
        }
        let count = problem.training.windows.count();
        let edges = edges(problem, along)?;
        let (edge, upper) = (|slice: usize| edges[slice], edges[count]);
        let first = (0..count).rev().find(|&slice| edge(slice) <= begin).unwrap_or(0);
        let order: Vec<usize> = (first..count).chain((0..first).rev()).collect();
        let mut slices = vec![0; count];
        order.iter().enumerate().for_each(|(window, &slice)| slices[slice] = window);
        let factors = factors(problem, along, (0..count).map(|slice| (edge(slice), edge(slice + 1))));
        let mut all = vec![];
        for &slice in &order {
            let (start, end) = match slice {
                slice if slice > first => {
                    (Some(Start { window: slices[slice - 1], at: edge(slice) }), edge(slice + 1))
                }
                slice if slice < first => {
                    (Some(Start { window: slices[slice + 1], at: edge(slice + 1) }), edge(slice))
                }
                _ => (None, upper),
            };
            let orders = (0..problem.unknowns.len()).map(|output| match start {
                // What the ansatz fixes at the joint goes on without being carried.
                Some(Start { at, .. }) => {
                    let fixed = posed.built_in(along, at).iter().filter(|(o, _)| *o == output).count();
                    posed.highest(output, along).saturating_sub(fixed)
                }
                None => 0,
            });
            let largest = |output: usize| factors.iter().map(|factor| factor[output]).fold(0.0, f64::max);
            let sizes = (0..problem.unknowns.len()).map(|output| {
                let size = largest(output) / factors[slice][output];
                if size.is_finite() { size } else { 1.0 }
            });
            let mut window = Window {
                orders: orders.collect(),
                sizes: sizes.collect(),
                conditions: vec![],
                carried: vec![],
                problem: problem.clone(),
                start,
                along,
                end,
            };
            window.narrow(problem, (edge(slice), edge(slice + 1)), slice);
            window.check(problem)?;
            all.push(window);
        }
        Ok(Self { along, all, slices, joints: edges[1..count].to_vec() })
    }

    /// Where the solution of an initial-value problem in one coordinate begins, and for every unknown the order of its
    /// highest derivative; `None` if it is no such problem.
    pub fn beginning(problem: &Problem) -> Option<(f64, Vec<usize>)> {
        let posed = posed(problem);
        let at = begins(problem, &posed, 0).ok().filter(|_| problem.coordinates.len() == 1)?;
        Some((at, (0..problem.unknowns.len()).map(|output| posed.highest(output, 0)).collect()))
    }

    /// The coordinate that an evolution can be cut along; `None` if it is none.
    pub fn along(problem: &Problem) -> Option<usize> {
        beginning(problem, &posed(problem)).ok().map(|(along, _)| along)
    }

    /// Where a window goes on from the one before; `None` for the first.
    pub fn joint(&self, window: usize) -> Option<Joint> {
        let window = &self.all[window];
        let Start { window: before, at } = window.start?;
        Some(Joint { before, at, along: self.along, dimensions: window.problem.coordinates.len() })
    }

    /// For every slice of the domain, from its lower end upwards, the window that it is.
    pub fn slices(&self) -> &[usize] {
        &self.slices
    }

    /// Where two slices meet, from the lowest place upwards.
    pub fn joints(&self) -> &[f64] {
        &self.joints
    }

    /// Which window a point with this value of the coordinate belongs to; a joint is the beginning of the one above it.
    pub fn at(&self, value: f64) -> usize {
        self.slices[self.joints.partition_point(|&joint| joint <= value)]
    }

    /// The part of `problem` that its first `count` windows cover, in the order of training.
    pub fn reached(&self, problem: &Problem, count: usize) -> Problem {
        if count >= self.all.len() {
            return problem.clone();
        }
        let spans = self.all[..count].iter().map(|window| {
            let Problem { coordinates, .. } = &window.problem;
            (coordinates[self.along].lower, coordinates[self.along].upper)
        });
        let span = spans.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (c, d)| (a.min(c), b.max(d)));
        let mut part = problem.clone();
        restrict(&mut part, self.along, span);
        part
    }
}

/// Where slices begin, from the lower end of the coordinate that is cut, and where the last one ends.
fn edges(problem: &Problem, along: usize) -> Result<Vec<f64>, String> {
    let (lower, upper) = (problem.coordinates[along].lower, problem.coordinates[along].upper);
    let edges: Vec<f64> = match &problem.training.windows {
        &Cut::Equal(count) => {
            let inner = (0..count).map(|slice| lower + (upper - lower) * (slice as f64 / count as f64));
            inner.chain([upper]).collect()
        }
        Cut::At(joints) => [&[lower], &joints[..], &[upper]].concat(),
    };
    let name = &problem.coordinates[along].name;
    let joints = &edges[1..edges.len() - 1];
    if let Some(&joint) = joints.iter().find(|&&joint| !(lower < joint && joint < upper)) {
        let (lower, upper) = (Digits(lower), Digits(upper));
        return Err(format!(
            "windows meet within `{name}`'s domain, between {lower} and {upper}, and {} is not",
            Digits(joint)
        ));
    }
    match joints.windows(2).find(|pair| pair[0].partial_cmp(&pair[1]) != Some(Ordering::Less)) {
        Some(pair) => {
            let (first, second) = (Digits(pair[0]), Digits(pair[1]));
            Err(format!("the times at which windows meet rise, and after {first} comes {second}"))
        }
        None => Ok(edges),
    }
}

impl Window {
    /// First and last value of the coordinate that is cut.
    pub fn span(&self) -> (f64, f64) {
        let coordinate = &self.problem.coordinates[self.along];
        (coordinate.lower, coordinate.upper)
    }

    /// `formula` over raw outputs of the whole problem as one over the window's own network, and what is carried into it.
    ///
    /// The carried columns follow the `own` ones that the formula has already.
    pub fn formula(&self, formula: &Formula, own: usize) -> (Formula, Vec<Carried>) {
        let (mut graph, mut carried) = (Graph::default(), vec![]);
        let roots = formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match leaf {
            Node::Jet { output, index, side } => {
                self.raw(graph, Carried { output, index, side }, own, &mut carried)
            }
            leaf => graph.insert(leaf),
        });
        let (graph, roots) = graph.extract(&roots);
        (Formula { graph, roots }, carried)
    }

    /// What a window that begins at the end of this one needs of it: each of `wanted` as a formula at one point.
    pub fn handed_on(&self, wanted: &[Carried]) -> (Formula, Vec<Carried>) {
        let (mut graph, mut carried) = (Graph::default(), vec![]);
        let roots: Vec<_> = wanted
            .iter()
            .map(|&wanted| self.raw(&mut graph, Carried { side: 0, ..wanted }, 0, &mut carried))
            .collect();
        let (graph, roots) = graph.extract(&roots);
        (Formula { graph, roots }, carried)
    }

    /// A derivative of a raw output; see the head of the file.
    fn raw(&self, graph: &mut Graph, wanted: Carried, own: usize, carried: &mut Vec<Carried>) -> NodeId {
        let Carried { output, index, side } = wanted;
        let order = self.orders[output];
        let along = index.get(self.along);
        let mut across = index;
        while let Some(less) = across.minus(self.along) {
            across = less;
        }
        let with = |order: usize| (0..order).fold(across, |index, _| index.plus(self.along));
        let mut sum = graph.constant(0.0);
        for k in 0..order {
            let power = self.elapsed(graph, side, order, k, 1.0 / factorial(k), along);
            if graph.node(power) == Node::Constant(0.0) {
                continue;
            }
            let value = Carried { output, index: with(k), side };
            let place = carried.iter().position(|known| *known == value).unwrap_or_else(|| {
                carried.push(value);
                carried.len() - 1
            });
            let value = graph.insert(Node::Data(own + place));
            let term = graph.binary(Binary::Mul, power, value);
            sum = graph.binary(Binary::Add, sum, term);
        }
        // Leibniz's rule for the product of the network with its factor.
        for taken in 0..=along {
            let binomial = factorial(along) / (factorial(taken) * factorial(along - taken));
            let factor = self.sizes[output] * binomial / self.reach().powi(order as i32);
            let power = self.elapsed(graph, side, order, order, factor, taken);
            let jet = graph.insert(Node::Jet { output, index: with(along - taken), side });
            let term = graph.binary(Binary::Mul, power, jet);
            sum = graph.binary(Binary::Add, sum, term);
        }
        sum
    }

    /// τ as formulas have it; 1 where nothing is carried.
    fn reach(&self) -> f64 {
        self.start.map_or(1.0, |start| REACH * (self.end - start.at))
    }

    /// The derivative of order `derivatives` along the time of `factor`·w^`power`, with the w of an unknown of which `order`
    /// derivatives are carried; see the head of the file.
    fn elapsed(
        &self,
        graph: &mut Graph,
        side: usize,
        order: usize,
        power: usize,
        factor: f64,
        derivatives: usize,
    ) -> NodeId {
        let mut node = graph.constant(factor);
        if let Some(Start { at, .. }) = self.start.filter(|_| power > 0) {
            let coordinate = graph.insert(Node::Coordinate { coordinate: self.along, side });
            let at = graph.constant(at);
            let elapsed = graph.binary(Binary::Sub, coordinate, at);
            let bounded = bent(graph, elapsed, self.reach(), order);
            let power = graph.constant(power as f64);
            let power = graph.binary(Binary::Pow, bounded, power);
            node = graph.binary(Binary::Mul, node, power);
        }
        for _ in 0..derivatives {
            node = graph.derivative(node, self.along);
        }
        node
    }

    /// Makes the whole problem that of the window.
    fn narrow(&mut self, whole: &Problem, span: (f64, f64), slice: usize) {
        let start = self.start;
        self.conditions = restrict(&mut self.problem, self.along, span);
        // Initial conditions that were carried over have done their work.
        let over = |condition: &Condition| {
            let held =
                |face: &Vec<(usize, f64)>| start.is_some_and(|start| face.contains(&(self.along, start.at)));
            !condition.place.faces().is_empty() && condition.place.faces().iter().all(held)
        };
        if self.orders.iter().any(|&order| order > 0) {
            let stays: Vec<bool> = self.problem.conditions.iter().map(|c| !over(c)).collect();
            let mut stays_too = stays.iter();
            self.problem.conditions.retain(|_| *stays_too.next().expect("one for each condition"));
            let mut stays_too = stays.iter();
            self.conditions.retain(|_| *stays_too.next().expect("one for each condition"));
        }
        let conditions = std::mem::take(&mut self.problem.conditions);
        for mut condition in conditions {
            let (residuals, carried) = self.formula(&condition.residuals, condition.place.columns().len());
            condition.jets = residuals.jets();
            condition.residuals = residuals;
            self.carried.push(carried);
            self.problem.conditions.push(condition);
        }
        self.problem.values = self.formula(&whole.values, 0).0;
        self.problem.features = self.features(&whole.features, whole);
        let training = &mut self.problem.training;
        training.windows = Cut::Equal(1);
        if slice > 0 {
            training.seed = rng::hash(format!("{}/window/{slice}", training.seed));
        }
    }

    /// The features; one that depends on the coordinate alone, and linearly, has within the window the values that it had
    /// within the whole domain.
    fn features(&self, features: &Formula, whole: &Problem) -> Formula {
        let (lower, upper) = self.span();
        let coordinate = &whole.coordinates[self.along];
        let mut graph = features.graph.clone();
        let roots: Vec<_> = features
            .roots
            .iter()
            .map(|&root| {
                let slope = graph.derivative(root, self.along);
                let reads = graph.reachable(&[root]);
                let others = graph.nodes().iter().zip(reads).any(|(node, reads)| {
                    reads && matches!(node, Node::Coordinate { coordinate, .. } if *coordinate != self.along)
                });
                if others || !matches!(graph.node(slope), Node::Constant(slope) if slope != 0.0) {
                    return root;
                }
                let source = graph.clone();
                let copies = source.transplant(&[root], &mut graph, |graph, leaf| match leaf {
                    Node::Coordinate { .. } => {
                        let here = graph.insert(leaf);
                        let from = graph.constant(lower);
                        let stretch = graph.constant((coordinate.upper - coordinate.lower) / (upper - lower));
                        let begin = graph.constant(coordinate.lower);
                        let elapsed = graph.binary(Binary::Sub, here, from);
                        let elapsed = graph.binary(Binary::Mul, stretch, elapsed);
                        graph.binary(Binary::Add, begin, elapsed)
                    }
                    leaf => graph.insert(leaf),
                });
                copies[0]
            })
            .collect();
        let (graph, roots) = graph.extract(&roots);
        Formula { graph, roots }
    }

    /// Can the derivatives that are carried be computed?
    fn check(&self, whole: &Problem) -> Result<(), String> {
        let Some(carried) = self.carried.iter().flatten().find(|carried| carried.index.order() > MAX_ORDER)
        else {
            return Ok(());
        };
        let (unknown, along) = (&whole.unknowns[carried.output].name, &whole.coordinates[self.along].name);
        let names = carried.index.coordinates().map(|c| whole.coordinates[c].name.as_str());
        Err(format!(
            "windows would need `{unknown}_{}`, of order {}, and derivatives go up to order {MAX_ORDER}; \
             make `{unknown}_{along}` an unknown of its own",
            names.collect::<String>(),
            carried.index.order(),
        ))
    }
}

fn posed(problem: &Problem) -> Posed<'_> {
    let Problem { coordinates, unknowns, values, features, conditions, .. } = problem;
    Posed { coordinates, unknowns, values, features, conditions }
}

/// The coordinate along which the solution can be marched, and where it begins.
fn beginning(problem: &Problem, posed: &Posed) -> Result<(usize, f64), String> {
    let mut order: Vec<usize> = (0..problem.coordinates.len()).collect();
    order.sort_by_key(|&c| !is_time(&problem.coordinates[c].name));
    let mut reasons = vec![];
    for c in order {
        match begins(problem, posed, c) {
            Ok(at) => return Ok((c, at)),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!(
        "windows march along a coordinate whose conditions all lie at one of its values; {}",
        reasons.join("; ")
    ))
}

/// Where the solution begins along a coordinate, or why it does not.
fn begins(problem: &Problem, posed: &Posed, c: usize) -> Result<f64, String> {
    let coordinate = &problem.coordinates[c];
    let name = &coordinate.name;
    if (0..problem.unknowns.len()).all(|output| posed.highest(output, c) == 0) {
        return Err(format!("there is no derivative along `{name}`"));
    }
    let linked = problem.conditions.iter().any(|condition| condition.place.periodic() == Some(c));
    if linked || posed.is_periodic(c) {
        return Err(format!("the solution repeats along `{name}`"));
    }
    let mut values: Vec<f64> = vec![];
    let ends = [coordinate.lower, coordinate.upper].into_iter();
    let built_in = ends.filter(|&end| !posed.built_in(c, end).is_empty());
    let faces = problem.conditions.iter().flat_map(|condition| condition.place.faces());
    for value in faces.flatten().filter(|(i, _)| *i == c).map(|(_, value)| *value).chain(built_in) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let at = match values[..] {
        [at] => at,
        [] => return Err(format!("nothing says how it begins along `{name}`")),
        _ => {
            let places: Vec<_> = values.iter().map(|x| format!("{name} = {}", Digits(*x))).collect();
            return Err(format!("there are conditions at {}", listed(&places)));
        }
    };
    let found = posed.found_at(c, at);
    match posed.needed(c) {
        Some(needed) if found < needed => Err(format!(
            "of the {needed} values that the equations need at `{name} = {}` {found} {} given",
            Digits(at),
            if found == 1 { "is" } else { "are" }
        )),
        _ => Ok(at),
    }
}

/// Restricts the domain of a coordinate, and with it conditions and reference; returns which conditions are left.
fn restrict(problem: &mut Problem, along: usize, (lower, upper): (f64, f64)) -> Vec<usize> {
    let coordinate = &mut problem.coordinates[along];
    let share = (upper - lower) / (coordinate.upper - coordinate.lower);
    (coordinate.lower, coordinate.upper) = (lower, upper);
    let dimensions = problem.coordinates.len();
    let mut left = vec![];
    for (i, mut condition) in std::mem::take(&mut problem.conditions).into_iter().enumerate() {
        let faces = condition.place.faces().len();
        let Some(place) = condition.place.within(along, lower, upper, dimensions) else { continue };
        condition.points = match (place.faces().len(), place.is_drawn()) {
            (_, false) => place.usual_points(dimensions),
            (0, _) => condition.points,
            (kept, _) => condition.points * kept / faces,
        };
        condition.place = place;
        problem.conditions.push(condition);
        left.push(i);
    }
    if let Some(reference) = &mut problem.reference {
        restrict_reference(reference, along, (lower, upper), share, dimensions);
        if reference.solutions.iter().all(Option::is_none) {
            problem.reference = None;
        }
    }
    left
}

/// A share of some points, two at least.
fn part_of(points: usize, share: f64) -> usize {
    ((points as f64 * share).ceil() as usize).max(2)
}

/// The part of a reference within a span of a coordinate, which is this share of its domain.
fn restrict_reference(
    reference: &mut Reference,
    along: usize,
    (lower, upper): (f64, f64),
    share: f64,
    dimensions: usize,
) {
    let axis = &mut reference.grid[along];
    axis.points = part_of(axis.points, share);
    (axis.from, axis.to) = (lower, upper);
    reference.scattered = reference.scattered.map(|points| part_of(points, share));
    for solution in &mut reference.solutions {
        let Some(Solution::Table { points, values, .. }) = solution else { continue };
        let rows = points.chunks_exact(dimensions).zip(values.iter());
        let within = rows.filter(|(row, _)| (lower..=upper).contains(&row[along]));
        let (rows, kept): (Vec<&[f64]>, Vec<f64>) = within.unzip();
        (*points, *values) = (rows.concat(), kept);
        if values.is_empty() {
            *solution = None;
        }
    }
}

/// For every slice of the domain and every unknown the greatest factor of its network in the ansatz.
fn factors(problem: &Problem, along: usize, spans: impl Iterator<Item = (f64, f64)>) -> Vec<Vec<f64>> {
    let Formula { graph, roots } = &problem.values;
    let mut values = vec![];
    spans
        .map(|(lower, upper)| {
            // The same points relative to every slice, so that equal factors are equally large.
            let mut random = rng::stream(0, "windows");
            let mut greatest = vec![0.0_f64; roots.len()];
            for _ in 0..LOOKS {
                let point: Vec<f64> = (0..problem.coordinates.len())
                    .map(|c| {
                        let coordinate = &problem.coordinates[c];
                        let (lower, upper) =
                            if c == along { (lower, upper) } else { (coordinate.lower, coordinate.upper) };
                        lower + (upper - lower) * random.random::<f64>()
                    })
                    .collect();
                let ends = [-1.0, 1.0].map(|net| {
                    graph.eval(&mut values, |node| match node {
                        Node::Coordinate { coordinate, .. } => point[coordinate],
                        _ => net,
                    });
                    roots.iter().map(|root| values[root.index()]).collect::<Vec<_>>()
                });
                for (output, greatest) in greatest.iter_mut().enumerate() {
                    *greatest = greatest.max(0.5 * (ends[1][output] - ends[0][output]).abs());
                }
            }
            greatest
        })
        .collect()
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|k| k as f64).product()
}
