//! A problem as the engines see it: validated, compiled, without strings to interpret.

use core::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::geometry::{Body, Geometry};
use super::place::{Coordinate, Place};
use crate::activation::Activation;
use crate::expr::{Digits, Graph, Node, NodeId, Scope, plural};
use crate::jet::JetSet;
use crate::network::{Layers, Plan};
use crate::rng;
use crate::settings::{Architecture, Enforce, Grow, Network, Sampler, Trained, Training};
use crate::tabulated::Tabulated;

/// A problem, complete.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// The file's stem or the embedded name: names the run directory.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Coordinates, time among them.
    pub coordinates: Vec<Coordinate>,
    /// What part of their box the domain is; `None` if it is all of it.
    pub geometry: Option<Geometry>,
    /// Functions that files give, in the file's order.
    pub tables: Vec<Tables>,
    /// Parameters with their values, in the file's order.
    pub parameters: Vec<(String, f64)>,
    /// Parameters that training finds; they are [`Node::Coefficient`]s in this order.
    pub trainable: Vec<Trainable>,
    /// What is solved for.
    pub unknowns: Vec<Unknown>,
    /// What enters the networks: one root for each input, over coordinates alone; that of [`Self::network`] first.
    pub features: Formula,
    /// The unknowns' values, one root each, over coordinates and raw network outputs (the ansatz).
    pub values: Formula,
    /// The loss, term by term.
    pub conditions: Vec<Condition>,
    /// What the answer is measured against.
    pub reference: Option<Reference>,
    /// The `[network]` table.
    pub network: Network,
    /// The activation of that, scale included: what the table's `activation` and `scale` mean.
    pub activation: Activation,
    /// Networks beside it for unknowns of their own, in the order of the first of these.
    pub networks: Vec<Group>,
    /// The `[training]` table.
    pub training: Training,
    /// What the file said where the formulas above keep only its meaning.
    pub written: Written,
    /// What the formulas leave out of the equations that are meant, if that was seen: the jump of a flux.
    pub left_out: Option<String>,
    /// Another network for it, and another training, which are tried before its own.
    pub trial: Option<Box<Trial>>,
}

/// The same problem with another network and training.
#[derive(Clone, PartialEq, Debug)]
pub struct Trial {
    /// The problem with these; it has no trial.
    pub problem: Problem,
    /// A digest of the problem that this is in place of: where somebody has changed that since, nothing is tried.
    pub instead_of: u64,
}

impl Problem {
    /// 64 bits that stand for all that is written down of it, but for the seed.
    pub(crate) fn digest(&self) -> u64 {
        let mut problem = self.clone();
        problem.training.seed = 0;
        rng::hash(problem.to_toml())
    }
}

/// A function that a file gives.
#[derive(Clone, PartialEq, Debug)]
pub struct Tables {
    /// The function.
    pub function: Arc<Tabulated>,
    /// The file.
    pub path: PathBuf,
    /// The column or array that holds the values, where the problem file says it.
    pub column: Option<String>,
    /// Sixteen digits that stand for its points and values.
    pub hash: String,
}

impl Problem {
    /// Lets formulas that are read in `scope` use the functions that files give.
    pub(crate) fn declare_tables(&self, scope: &mut Scope) {
        for table in &self.tables {
            scope.set_table(&table.function.name, Some(table.function.clone()));
        }
    }
}

/// Formulas as written, so that a problem can be written out again.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Written {
    /// The `[definitions]` table: names and formulas.
    pub definitions: Vec<(String, String)>,
    /// The `[contours]` table: names, and formulas whose zeros they are.
    pub contours: Vec<(String, String)>,
    /// What enters the networks.
    pub features: Vec<String>,
    /// For every unknown its closed form, empty if its reference is none.
    pub solutions: Vec<String>,
}

/// An unknown function.
#[derive(Clone, PartialEq, Debug)]
pub struct Unknown {
    /// As written in the equations.
    pub name: String,
    /// The ansatz as written, if there is one.
    pub ansatz: Option<String>,
    /// For axis labels, empty if none.
    pub unit: String,
    /// The coordinates that it is a function of, in order; `None` if they are all.
    pub of: Option<Vec<usize>>,
    /// The part of the domain that it lives in; `None` if that is all of it.
    pub region: Option<Body>,
}

/// Unknowns that have a network of their own, and that.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// As the file calls it.
    pub name: String,
    /// The unknowns by their index, in order; functions of the same coordinates.
    pub unknowns: Vec<usize>,
    /// The `[networks.NAME]` table, with what it takes over.
    pub network: Network,
    /// Its activation, scale included.
    pub activation: Activation,
    /// What enters it, among the features of all networks.
    pub features: Range<usize>,
}

/// One of a problem's networks.
pub struct OneNetwork<'a> {
    /// As the file calls it; `None` if it is that of the table `[network]`.
    pub name: Option<&'a str>,
    /// Its unknowns by their index, in order.
    pub unknowns: Vec<usize>,
    /// Its settings.
    pub network: &'a Network,
    /// Its activation, scale included.
    pub activation: &'a Activation,
    /// What enters it, among the features of all networks.
    pub features: Range<usize>,
}

impl Group {
    /// What its layers are made from.
    pub(crate) fn plan(&self) -> Plan<'_> {
        Plan { network: &self.network, inputs: self.features.len(), unknowns: &self.unknowns }
    }
}

impl Unknown {
    /// Is it a function of a coordinate?
    pub fn depends_on(&self, coordinate: usize) -> bool {
        self.of.as_ref().is_none_or(|of| of.contains(&coordinate))
    }

    /// The coordinates that it is a function of, where there are so many.
    pub fn coordinates(&self, all: usize) -> Vec<usize> {
        self.of.clone().unwrap_or_else(|| (0..all).collect())
    }

    /// Does it live where a row of coordinates lies?
    pub fn lives_at(&self, row: &[f64]) -> bool {
        self.region.as_ref().is_none_or(|region| region.touches(row))
    }
}

/// A parameter that is found by training, an inverse problem's answer.
///
/// What is trained is an entry of θ of order 1: the parameter in units of its initial value, or, if it has to stay
/// positive, its logarithm.
#[derive(Clone, PartialEq, Debug)]
pub struct Trainable {
    /// As written in the equations.
    pub name: String,
    /// Where training begins.
    pub initial: f64,
    /// Must it stay above zero?
    pub positive: bool,
    /// What it should come to, if that is known.
    pub truth: Option<f64>,
}

impl Trainable {
    /// The parameter's value where its entry of θ is `entry`.
    pub fn value(&self, entry: f64) -> f64 {
        if self.positive { entry.exp() } else { self.unit() * entry }
    }

    /// The entry of θ that gives `value`.
    pub fn entry(&self, value: f64) -> f64 {
        if self.positive { value.ln() } else { value / self.unit() }
    }

    /// The value's derivative by its entry of θ.
    pub fn slope(&self, entry: f64) -> f64 {
        if self.positive { entry.exp() } else { self.unit() }
    }

    /// What a parameter of any sign is measured in.
    pub(crate) fn unit(&self) -> f64 {
        if self.initial == 0.0 { 1.0 } else { self.initial.abs() }
    }
}

/// Some functions over one graph.
#[derive(Clone, PartialEq, Debug)]
pub struct Formula {
    /// The shared nodes.
    pub graph: Graph,
    /// The functions' nodes.
    pub roots: Vec<NodeId>,
}

impl Formula {
    /// The derivatives of raw network outputs that the roots need, closed downward.
    pub fn jets(&self) -> JetSet {
        JetSet::closure(self.graph.jets(&self.roots).into_iter().map(|(_, index)| index))
    }

    /// The trainable coefficients that the roots need, by index.
    pub fn coefficients(&self) -> Vec<usize> {
        let needed = self.graph.reachable(&self.roots);
        let indices = self.graph.nodes().iter().zip(needed).filter_map(|(node, needed)| match *node {
            Node::Coefficient(k) if needed => Some(k),
            _ => None,
        });
        indices.collect()
    }
}

impl Network {
    /// The hidden layers in words: `4 layers of 32`, `ResNet, 3 layers of 32, 16 and 32`.
    pub fn layers_in_words(&self) -> String {
        let Self { architecture, depth, width, widths, linear_part, factorization, .. } = self;
        let kind = match architecture {
            Architecture::Plain => String::new(),
            kind => format!("{}, ", kind.name()),
        };
        let noun = if *architecture == Architecture::Piratenet { "block" } else { "layer" };
        let each = match widths.split_last() {
            Some((last, others)) if others.iter().any(|width| width != last) => {
                let others: Vec<_> = others.iter().map(usize::to_string).collect();
                format!("{} and {last}", others.join(", "))
            }
            _ => width.to_string(),
        };
        let beside = if *linear_part { " and a linear part" } else { "" };
        let factorized = if factorization.is_some() { ", weights factorized" } else { "" };
        format!("{kind}{depth} {} of {each}{beside}{factorized}", plural(*depth, noun))
    }

    /// The activation in words: `tanh`, `0.1·(tanh + erf)`, and whose scale is trained.
    pub fn activation_in_words(&self) -> String {
        let Self { activation, scale, .. } = self;
        let function = match scale.initial() {
            1.0 => activation.clone(),
            scale if activation.contains('+') => format!("{}·({activation})", Digits(scale)),
            scale => format!("{}·{activation}", Digits(scale)),
        };
        match scale.trained() {
            None => function,
            Some(Trained::All) => format!("{function} with a trained scale"),
            Some(Trained::Layer) => format!("{function} with a trained scale for each layer"),
            Some(Trained::Neuron) => format!("{function} with a trained scale for each neuron"),
        }
    }
}

impl Problem {
    /// The layers of the networks that solve the problem.
    pub fn layers(&self) -> Layers {
        let all = self.all_networks();
        let plans = all.iter().map(|one| Plan {
            network: one.network,
            inputs: one.features.len(),
            unknowns: &one.unknowns,
        });
        Layers::several(&plans.collect::<Vec<_>>())
    }

    /// The unknowns that no network beside [`Self::network`] has, in order.
    pub fn own_unknowns(&self) -> Vec<usize> {
        let other = |unknown: &usize| self.networks.iter().any(|group| group.unknowns.contains(unknown));
        (0..self.unknowns.len()).filter(|unknown| !other(unknown)).collect()
    }

    /// What enters [`Self::network`], among the features of all networks.
    pub fn own_features(&self) -> Range<usize> {
        0..self.networks.first().map_or(self.features.roots.len(), |group| group.features.start)
    }

    /// What enters [`Self::network`] as formulas; where that has no unknowns, what it would be.
    pub(crate) fn main_features(&self) -> Vec<String> {
        let own = &self.written.features[self.own_features()];
        let centred = || self.coordinates.iter().map(Coordinate::centred).collect();
        if own.is_empty() { centred() } else { own.to_vec() }
    }

    /// What enters the network of an unknown, among the features of all networks.
    pub fn features_of(&self, unknown: usize) -> Range<usize> {
        let group = self.networks.iter().find(|group| group.unknowns.contains(&unknown));
        group.map_or_else(|| self.own_features(), |group| group.features.clone())
    }

    /// Every network that has unknowns, in the order of [`Layers::parts`].
    pub fn all_networks(&self) -> Vec<OneNetwork<'_>> {
        let main = OneNetwork {
            name: None,
            unknowns: self.own_unknowns(),
            network: &self.network,
            activation: &self.activation,
            features: self.own_features(),
        };
        let own = self.networks.iter().map(|group| OneNetwork {
            name: Some(&group.name),
            unknowns: group.unknowns.clone(),
            network: &group.network,
            activation: &group.activation,
            features: group.features.clone(),
        });
        [main].into_iter().chain(own).filter(|one| !one.unknowns.is_empty()).collect()
    }

    /// The activation of every network that has unknowns.
    pub fn activations(&self) -> Vec<&Activation> {
        self.all_networks().into_iter().map(|one| one.activation).collect()
    }

    /// Every network in words, each with its unknowns if there are several:
    /// `u: 3 layers of 24, tanh, xavier initialization; k: 2 layers of 12, tanh, xavier initialization`.
    pub fn networks_in_words(&self) -> String {
        let all = self.all_networks();
        let words = all.iter().map(|one| {
            let own: Vec<&str> = one.unknowns.iter().map(|&i| self.unknowns[i].name.as_str()).collect();
            let own = if all.len() > 1 { format!("{}: ", own.join(", ")) } else { String::new() };
            let (layers, init) = (one.network.layers_in_words(), one.network.init.name());
            format!("{own}{layers}, {}, {init} initialization", one.network.activation_in_words())
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// What learning rates in units of ω are multiplied with: the least ω of all networks.
    pub fn omega(&self) -> f64 {
        self.activations().iter().map(|activation| activation.omega()).fold(f64::INFINITY, f64::min)
    }

    /// Gives every hidden layer of all networks another width.
    pub fn resize_networks(&mut self, other: impl Fn(usize) -> usize + Copy) {
        self.network.resize(other);
        self.networks.iter_mut().for_each(|group| group.network.resize(other));
    }

    /// The unknowns that are functions of a coordinate.
    pub fn repeating(&self, coordinate: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.unknowns.len()).filter(move |&i| self.unknowns[i].depends_on(coordinate))
    }

    /// Length of θ: the network's parameters and the trainable ones.
    pub fn parameters_in_all(&self) -> usize {
        self.layers().parameters() + self.trainable.len()
    }

    /// Widens the hidden layers, and draws more points, by the factors of `growth`.
    pub(crate) fn grow(&mut self, growth: &Grow) {
        let times = |count: usize, factor: f64| (count as f64 * factor).round() as usize;
        self.resize_networks(|width| times(width, growth.width));
        for condition in self.conditions.iter_mut().filter(|condition| condition.place.is_drawn()) {
            condition.points = times(condition.points, growth.points);
        }
    }

    /// A point of the domain: the middle of its box or, where shapes leave that out, the one of many that is farthest from the
    /// wall.
    pub fn middle(&self) -> Vec<f64> {
        let middle: Vec<f64> = self.coordinates.iter().map(|c| 0.5 * (c.lower + c.upper)).collect();
        let Some(geometry) = &self.geometry else { return middle };
        let depth = |row: &Vec<f64>| {
            let lives = self.unknowns.iter().filter(|unknown| unknown.lives_at(row)).count();
            (lives, geometry.domain.depth(row))
        };
        // Few digits are enough to name a place.
        let short = |row: Vec<f64>| row.into_iter().map(|x| Digits::rounded(x, 2)).collect();
        let others = (1..=500).map(|k| short(Coordinate::spread(&self.coordinates, k)));
        let best = others.max_by(|a, b| {
            let (a, b) = (depth(a), depth(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let (lives, level) = depth(&middle);
        let fine = level > 0.0 && lives == self.unknowns.len();
        if fine { middle } else { best.unwrap_or(middle) }
    }

    /// Makes unknowns NaN where they do not live: of `values`, rows of all unknowns at rows of coordinates.
    pub(crate) fn leave_out(&self, points: &[f64], values: &mut [f64]) {
        for (i, unknown) in self.unknowns.iter().enumerate().filter(|(_, unknown)| unknown.region.is_some()) {
            let rows =
                points.chunks_exact(self.coordinates.len()).zip(values.chunks_exact_mut(self.unknowns.len()));
            rows.filter(|(row, _)| !unknown.lives_at(row)).for_each(|(_, values)| values[i] = f64::NAN);
        }
    }

    /// The same of the values of `formula`, a row of its roots at every point.
    pub(crate) fn leave_out_of(&self, formula: &Formula, points: &[f64], values: &mut [f64]) {
        for (i, unknown) in self.unknowns.iter().enumerate().filter(|(_, unknown)| unknown.region.is_some()) {
            let reads = |root: &NodeId| formula.graph.jets(&[*root]).iter().any(|(of, _)| *of == i);
            let reads: Vec<bool> = formula.roots.iter().map(reads).collect();
            let rows = points.chunks_exact(self.coordinates.len()).zip(values.chunks_exact_mut(reads.len()));
            for (_, values) in rows.filter(|(row, _)| !unknown.lives_at(row)) {
                let without = values.iter_mut().zip(&reads).filter(|(_, reads)| **reads);
                without.for_each(|(value, _)| *value = f64::NAN);
            }
        }
    }

    /// λ of every condition.
    pub fn weights(&self) -> Vec<f64> {
        self.conditions.iter().map(|condition| condition.weight).collect()
    }

    /// Trainable coefficients, which follow the network's parameters in the flat vector.
    pub fn coefficients(&self) -> usize {
        self.trainable.len()
    }

    /// Takes the trainable parameters' initial values up into θ, behind the network's parameters.
    pub fn with_coefficients(&self, mut theta: Vec<f64>) -> Vec<f64> {
        theta.extend(self.trainable.iter().map(|trainable| trainable.entry(trainable.initial)));
        theta
    }

    /// The trainable parameters' values at the end of θ.
    pub fn trained_values<'a>(&'a self, theta: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let entries = &theta[theta.len() - self.trainable.len()..];
        self.trainable.iter().zip(entries).map(|(trainable, &entry)| trainable.value(entry))
    }
}

/// One term of the loss: `weight · Σ over residuals of the mean of (residual/scale)²` at the points.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// The term's name in metrics and charts.
    pub name: String,
    /// Where the points lie.
    pub place: Place,
    /// The residuals as written, for people.
    pub written: Vec<String>,
    /// What each residual is divided by: its size, in the units of the equation as it is written.
    pub scales: Vec<f64>,
    /// The residuals over their scales, one root each, over coordinates, data columns and raw network jets.
    pub residuals: Formula,
    /// Derivatives of the raw outputs that the residuals need, closed downward.
    pub jets: JetSet,
    /// How it is made to hold.
    pub enforce: Enforce,
    /// λ.
    pub weight: f64,
    /// How many points (pairs of points for a periodic condition); none where it holds exactly.
    pub points: usize,
    /// How they are drawn.
    pub sampler: Sampler,
    /// Second derivatives of which a few stand for all while the loss may change in every step.
    pub dimensions: Option<Dimensions>,
}

/// Second derivatives along coordinates that are drawn anew in every step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dimensions {
    /// Along how many at a time, fewer than there are.
    pub count: usize,
    /// The coordinates that are drawn from, in order.
    pub among: Vec<usize>,
}

impl Condition {
    /// Does a residual read a column of the file that the points come from?
    pub fn uses_data(&self) -> bool {
        !self.place.is_drawn()
            && self.residuals.graph.nodes().iter().any(|node| matches!(node, Node::Data(_)))
    }

    /// Does it hold whatever the network says, so that training has nothing to do with it?
    pub fn is_exact(&self) -> bool {
        self.enforce == Enforce::Exact
    }

    /// Does any residual have another unit than that of its equation as it is written?
    pub fn is_scaled(&self) -> bool {
        self.scales.iter().any(|&scale| scale != 1.0)
    }

    /// Up to which derivative both sides of a periodic condition match.
    pub(crate) fn periodic_order(&self, problem: &Problem) -> usize {
        let repeating = self.place.periodic().map_or(0, |i| problem.repeating(i).count());
        (self.residuals.roots.len() / repeating.max(1)).saturating_sub(1)
    }

    /// Linked points that one residual looks at: 2 for periodic conditions, else 1.
    pub fn sides(&self) -> usize {
        self.place.sides()
    }
}

/// What the answer is measured against.
#[derive(Clone, PartialEq, Debug)]
pub struct Reference {
    /// For every unknown its reference, if it has one.
    pub solutions: Vec<Option<Solution>>,
    /// The reference's own greatest error, if known.
    pub error: Option<f64>,
    /// Where the answer is measured when the solutions do not say: points along each coordinate.
    pub grid: Vec<Axis>,
    /// So many points all over the ranges of `grid` instead, whose own numbers of points then mean nothing.
    pub scattered: Option<usize>,
}

/// Equidistant values of one coordinate, both ends included.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Axis {
    /// First value.
    pub from: f64,
    /// Last value.
    pub to: f64,
    /// How many.
    pub points: usize,
}

impl Axis {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let last = self.points.saturating_sub(1).max(1) as f64;
        (0..self.points).map(move |i| self.from + (self.to - self.from) * (i as f64 / last))
    }
}

/// One unknown's reference.
#[derive(Clone, PartialEq, Debug)]
pub enum Solution {
    /// A closed form over the coordinates, one root.
    Exact(Formula),
    /// The Cole–Hopf solution of Burgers' equation for u(x, 0) = −sin πx on [−1, 1].
    ColeHopf {
        /// Which coordinate is x.
        x: usize,
        /// Which coordinate is t.
        t: usize,
        /// Viscosity.
        nu: f64,
    },
    /// The solution of the Allen–Cahn equation u_t = d·u_xx + r·(u − u³) for u(x, 0) = x² cos πx, period 2.
    AllenCahn {
        /// Which coordinate is x.
        x: usize,
        /// Which coordinate is t.
        t: usize,
        /// Diffusivity.
        d: f64,
        /// Rate.
        r: f64,
    },
    /// Values at points, read from a file.
    Table {
        /// Where they came from.
        path: PathBuf,
        /// One row of coordinates after the other.
        points: Vec<f64>,
        /// The unknown's value at each point.
        values: Vec<f64>,
    },
}
