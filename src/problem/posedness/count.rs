//! Conditions that are too few: along each coordinate, the highest orders of the equations against what is fixed on faces,
//! by the ansatz and by the features.
//! Only clear gaps are told; whoever measures data or looks for parameters is left alone, and so are first derivatives in
//! space, whose conditions depend on where the solution travels.
//! This knows formulas over raw network outputs; it does not know the text they came from.

use rand::RngExt;

use super::Gap;
use crate::expr::{Digits, Graph, Node, NodeId, is_time, listed};
use crate::jet::{MAX_ORDER, MultiIndex};
use crate::problem::model::{Condition, Formula, Problem, Unknown};
use crate::problem::place::Coordinate;
use crate::rng::{self, Stream};

/// More unknowns than this are not matched with equations, which takes 2ⁿ steps.
const MAX_MATCHED: usize = 12;
/// Random points at which a formula is looked at.
const LOOKS: usize = 5;
/// A change smaller than this, relative to the values, is rounding.
const ROUNDING: f64 = 1e-9;
/// A change smaller than this, relative to that at another place, is rounding.
const ZERO: f64 = 1e-10;

/// A problem as far as it is looked at here.
pub(in crate::problem) struct Posed<'a> {
    pub(in crate::problem) coordinates: &'a [Coordinate],
    pub(in crate::problem) unknowns: &'a [Unknown],
    /// The unknowns over raw network outputs.
    pub(in crate::problem) values: &'a Formula,
    pub(in crate::problem) features: &'a Formula,
    pub(in crate::problem) conditions: &'a [Condition],
}

/// Every clear gap; of a domain made of shapes along the other coordinates alone.
pub(super) fn gaps(problem: &Problem) -> Vec<Gap> {
    // What is sought may take a condition's place.
    if !problem.trainable.is_empty() {
        return vec![];
    }
    let Problem { coordinates, unknowns, values, features, conditions, .. } = problem;
    let posed = Posed { coordinates, unknowns, values, features, conditions };
    // Where all coordinates are at their least there may be no domain made of shapes.
    let somewhere = match &problem.geometry {
        Some(_) => problem.middle(),
        None => coordinates.iter().map(|c| c.lower).collect(),
    };
    let mut gaps = posed.constants(&somewhere);
    // Data stand for conditions in ways that counting does not see.
    if posed.conditions.iter().all(|condition| condition.place.is_drawn()) {
        let in_shapes = |c: &usize| problem.geometry.iter().any(|g| g.domain.bounds().any(|(i, _)| i == *c));
        let counted: Vec<usize> = (0..coordinates.len()).filter(|c| !in_shapes(c)).collect();
        gaps.extend(posed.gaps(&counted));
    }
    gaps
}

impl Posed<'_> {
    /// Unknowns to which any constant may be added, which is fixed at a place of the domain.
    fn constants(&self, somewhere: &[f64]) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (output, unknown) in self.unknowns.iter().enumerate() {
            let raw = Node::Jet { output, index: MultiIndex::VALUE, side: 0 };
            if self.values.graph.node(self.values.roots[output]) != raw {
                continue;
            }
            // A periodic condition compares values, so a constant drops out.
            let unlinked = self.conditions.iter().filter(|condition| condition.sides() == 1);
            let mut jets = unlinked.flat_map(|c| c.residuals.graph.jets(&c.residuals.roots));
            if jets.any(|(o, index)| o == output && index == MultiIndex::VALUE) {
                continue;
            }
            let name = &unknown.name;
            let named = self.coordinates.iter().zip(somewhere);
            let place: Vec<_> = named.map(|(c, x)| format!("{} = {}", c.name, Digits(*x))).collect();
            gaps.push(Gap {
                about: name.clone(),
                message: format!("only derivatives of `{name}` are given: any constant may be added to it"),
                hint: format!(
                    "fix it somewhere, for example with the residual `{name}` at `place = \"{}\"`",
                    place.join(", ")
                ),
                open: None,
            });
        }
        gaps
    }

    /// Those of some coordinates along which there are fewer conditions than the equations' order.
    fn gaps(&self, counted: &[usize]) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut anything = false;
        for &c in counted {
            let Some(needed) = self.needed(c).filter(|&needed| needed > 0) else { continue };
            let periodic = self.is_periodic(c);
            let found = self.found(c);
            anything |= periodic || found.count > 0;
            if periodic || found.count >= needed {
                continue;
            }
            gaps.push(self.gap(c, needed, &found));
        }
        let conditions = self.conditions.iter().any(|c| !c.place.faces().is_empty() || c.sides() > 1);
        if gaps.len() > 1 && !anything && !conditions {
            let message =
                "there is no initial or boundary condition: the equations alone have many solutions";
            let hint = "give conditions on faces, such as `place = \"x = 0\"`, or `place = \"boundary\"`";
            let about = gaps[0].about.clone();
            return vec![Gap { about, message: message.to_owned(), hint: hint.to_owned(), open: None }];
        }
        gaps
    }

    fn gap(&self, c: usize, needed: usize, found: &Found) -> Gap {
        let Coordinate { name, lower, upper, .. } = &self.coordinates[c];
        let (lower, upper) = (Digits(*lower), Digits(*upper));
        let plural = if needed == 1 { "condition" } else { "conditions" };
        let message = format!(
            "the equations need {needed} {plural} along `{name}`, which is their order, and there {}",
            match found.count {
                0 => "is none".to_owned(),
                1 => "is 1".to_owned(),
                count => format!("are {count}"),
            }
        );
        let first = &self.unknowns[0].name;
        let hint = if is_time(name) {
            let velocity = format!(" and its derivative, such as `{first}_{name}`");
            let velocity = if needed > self.unknowns.len() { velocity } else { String::new() };
            format!("every start value is a condition at `{name} = {lower}`: the value{velocity}")
        } else {
            let silent: Vec<_> = [(found.lower, lower), (found.upper, upper)]
                .into_iter()
                .filter(|(count, _)| *count == 0)
                .map(|(_, end)| format!("{name} = {end}"))
                .collect();
            if silent.is_empty() {
                format!(
                    "conditions that fix the same value count once; give others at `{name} = {lower}` or `{name} = {upper}`"
                )
            } else {
                format!("nothing is given at {}", listed(&silent))
            }
        };
        Gap { about: name.clone(), message, hint, open: None }
    }

    /// How many conditions the equations need along a coordinate, as far as that can be told.
    ///
    /// It is the greatest sum of orders over all ways to give every unknown an equation of its own (Jacobi's bound for
    /// the order of a system).
    /// An end where the highest derivative drops out, as at the axis of a cylinder, needs one less.
    pub(in crate::problem) fn needed(&self, c: usize) -> Option<usize> {
        let whole = self.coordinates.len() == 1 || is_time(&self.coordinates[c].name);
        let interior = self.conditions.iter().filter(|condition| condition.place.is_interior());
        let equations: Vec<_> = interior
            .flat_map(|condition| {
                condition.residuals.roots.iter().map(move |root| (&condition.residuals.graph, *root))
            })
            .collect();
        let unknowns = self.unknowns.len();
        if equations.len() != unknowns || unknowns > MAX_MATCHED {
            return None;
        }
        let mut best = vec![None; 1 << unknowns];
        best[0] = Some(0);
        let mut dropped = 0;
        for (graph, root) in equations {
            let mut orders = vec![None; unknowns];
            for (output, index) in graph.jets(&[root]) {
                orders[output] = orders[output].max(Some(index.get(c)));
            }
            let counts = |order: usize| if whole || order > 1 { order } else { 0 };
            let highest = orders.iter().flatten().copied().max().unwrap_or(0);
            if counts(highest) > 0 {
                dropped += self.degenerate_ends(graph, root, c, highest);
            }
            let mut next = vec![None; 1 << unknowns];
            for (taken, sum) in best.iter().enumerate().filter_map(|(taken, sum)| Some((taken, (*sum)?))) {
                for (output, order) in
                    orders.iter().enumerate().filter(|(output, _)| taken & (1 << output) == 0)
                {
                    let Some(order) = *order else { continue };
                    let with = &mut next[taken | 1 << output];
                    *with = (*with).max(Some(sum + counts(order)));
                }
            }
            best = next;
        }
        Some(best.last().copied().flatten()?.saturating_sub(dropped))
    }

    /// At how many ends of a coordinate the derivatives of order `highest` drop out of an equation, or it is infinite.
    fn degenerate_ends(&self, graph: &Graph, root: NodeId, c: usize, highest: usize) -> usize {
        let mut random = rng::stream(0, "posed");
        let mut values = Vec::new();
        let leading = |node: Node| matches!(node, Node::Jet { index, .. } if index.get(c) == highest);
        let ends = [self.coordinates[c].lower, self.coordinates[c].upper];
        // Where the ansatz fixes something its own factor vanishes, which says nothing about the equation.
        let free = ends.into_iter().filter(|&end| self.built_in(c, end).is_empty());
        let degenerate = free.filter(|&end| {
            let mut zeros = 0;
            for _ in 0..LOOKS {
                let look = self.look(&[(c, end)], &mut random);
                let [with, without] = [1.0, 2.0].map(|factor| {
                    graph.eval(&mut values, |node| {
                        look.input(node) * if leading(node) { factor } else { 1.0 }
                    });
                    values[root.index()]
                });
                if !(with.is_finite() && without.is_finite()) {
                    return true;
                }
                zeros += usize::from(!differ(with, without));
            }
            zeros == LOOKS
        });
        degenerate.count()
    }

    /// What is fixed along a coordinate, everywhere and at both ends.
    fn found(&self, c: usize) -> Found {
        let ends = [self.coordinates[c].lower, self.coordinates[c].upper];
        let mut places = ends.to_vec();
        for face in self.conditions.iter().flat_map(|condition| condition.place.faces()) {
            let value = face.iter().find(|(i, _)| *i == c).map(|(_, value)| *value);
            places.extend(value.filter(|value| !places.contains(value)));
        }
        let counts: Vec<_> = places.iter().map(|&value| self.found_at(c, value)).collect();
        let linked = self.conditions.iter().filter(|condition| condition.place.periodic() == Some(c));
        let linked: usize = linked.map(|condition| condition.residuals.roots.len()).sum();
        Found { count: counts.iter().sum::<usize>() + linked, lower: counts[0], upper: counts[1] }
    }

    /// How many independent values are fixed where a coordinate has a value.
    ///
    /// What can be fixed are the unknowns and their derivatives along the coordinate: those along a face follow.
    pub(in crate::problem) fn found_at(&self, c: usize, value: f64) -> usize {
        let fixed = self.built_in(c, value);
        let mut residuals = Vec::new();
        for condition in self.conditions {
            if condition.place.faces().iter().any(|face| face.contains(&(c, value))) {
                for root in &condition.residuals.roots {
                    let jets = condition.residuals.graph.jets(&[*root]);
                    let slots = jets.into_iter().map(|(output, index)| (output, index.get(c)));
                    residuals.push(slots.filter(|slot| !fixed.contains(slot)).collect::<Vec<_>>());
                }
            }
        }
        fixed.len() + matched(&residuals)
    }

    /// The unknowns' values and derivatives that the ansatz or the features fix where a coordinate has a value.
    pub(in crate::problem) fn built_in(&self, c: usize, value: f64) -> Vec<(usize, usize)> {
        let mut random = rng::stream(0, "posed");
        let even = self.features_are_even(c, value);
        let mut graph = self.values.graph.clone();
        let mut fixed = Vec::new();
        for output in 0..self.unknowns.len() {
            let mut node = self.values.roots[output];
            let highest = self.highest(output, c);
            for order in 0..highest {
                let mut values = Vec::new();
                let mut at = |look: &Look, even: bool| {
                    graph.eval(&mut values, |node| match node {
                        Node::Jet { index, .. } if even && index.get(c) == 1 => 0.0,
                        node => look.input(node),
                    });
                    values[node.index()]
                };
                let same = (0..LOOKS).all(|_| {
                    let elsewhere = self.look(&[], &mut random);
                    let mut first = elsewhere.clone();
                    first.point[c] = value;
                    let [a, b] = [&first, &first.with_other_jets()].map(|look| at(look, even));
                    if !differ(a, b) {
                        return a.is_finite() && b.is_finite();
                    }
                    // A factor like sin πx is zero at x = 1 but for rounding.
                    let [c, d] = [&elsewhere, &elsewhere.with_other_jets()].map(|look| at(look, false));
                    (a - b).abs() <= ZERO * (c - d).abs()
                });
                if same {
                    fixed.push((output, order));
                }
                node = graph.derivative(node, c);
            }
        }
        fixed
    }

    /// The highest derivative of an unknown along a coordinate in any equation.
    pub(in crate::problem) fn highest(&self, output: usize, c: usize) -> usize {
        let jets = self.conditions.iter().flat_map(|c| c.residuals.graph.jets(&c.residuals.roots));
        let own = jets.filter(|(o, _)| *o == output).map(|(_, index)| index.get(c));
        own.max().unwrap_or(0).min(MAX_ORDER)
    }

    /// Do all features have a vanishing derivative along the coordinate there?
    fn features_are_even(&self, c: usize, value: f64) -> bool {
        let mut random = rng::stream(0, "posed");
        let mut graph = self.features.graph.clone();
        let slopes: Vec<_> = self.features.roots.iter().map(|root| graph.derivative(*root, c)).collect();
        let width = self.coordinates[c].upper - self.coordinates[c].lower;
        let mut values = Vec::new();
        (0..LOOKS).all(|_| {
            let look = self.look(&[(c, value)], &mut random);
            graph.eval(&mut values, |node| look.input(node));
            slopes.iter().all(|slope| (values[slope.index()] * width).abs() < ROUNDING)
        })
    }

    /// Does the answer repeat along a coordinate by its features and its ansatz?
    pub(in crate::problem) fn is_periodic(&self, c: usize) -> bool {
        let mut random = rng::stream(0, "posed");
        let mut values = Vec::new();
        (0..LOOKS).all(|_| {
            let seed = self.look(&[], &mut random);
            let mut ends = [self.coordinates[c].lower, self.coordinates[c].upper].map(|end| {
                let mut look = seed.clone();
                look.point[c] = end;
                let mut all = Vec::new();
                for formula in [self.features, self.values] {
                    formula.graph.eval(&mut values, |node| look.input(node));
                    all.extend(formula.roots.iter().map(|root| values[root.index()]));
                }
                all
            });
            let upper = core::mem::take(&mut ends[1]);
            ends[0].iter().zip(upper).all(|(a, b)| (a - b).abs() <= ROUNDING * a.abs().max(1.0))
        })
    }

    /// A random point, some coordinates fixed, and random values of everything else.
    fn look(&self, fixed: &[(usize, f64)], random: &mut Stream) -> Look {
        let mut point: Vec<f64> =
            self.coordinates.iter().map(|c| c.lower + (c.upper - c.lower) * random.random::<f64>()).collect();
        fixed.iter().for_each(|&(c, value)| point[c] = value);
        Look { point, seed: random.random::<f64>() }
    }
}

/// How many values are fixed along a coordinate, in all and at both ends.
struct Found {
    count: usize,
    lower: usize,
    upper: usize,
}

/// A point, and values of the network there that have nothing to do with one another.
#[derive(Clone)]
struct Look {
    point: Vec<f64>,
    seed: f64,
}

impl Look {
    /// The same point, where the network has other values.
    fn with_other_jets(&self) -> Self {
        Self { seed: self.seed + 0.5, ..self.clone() }
    }

    fn input(&self, node: Node) -> f64 {
        match node {
            Node::Coordinate { coordinate, .. } => self.point[coordinate],
            Node::Jet { output, index, .. } => {
                let along = index.coordinates().fold(output as f64, |sum, c| 8.3 * sum + c as f64 + 1.7);
                1.5 + (13.7 * self.seed + 7.1 * along).sin()
            }
            Node::Data(column) => 0.3 + column as f64,
            Node::Coefficient(k) => 0.7 + 0.1 * k as f64,
            _ => f64::NAN,
        }
    }
}

fn differ(a: f64, b: f64) -> bool {
    (a - b).abs() > ROUNDING * a.abs().max(b.abs())
}

/// How many residuals can be given a slot of their own (augmenting paths).
fn matched(residuals: &[Vec<(usize, usize)>]) -> usize {
    fn assign(
        residual: usize,
        residuals: &[Vec<(usize, usize)>],
        owner: &mut std::collections::BTreeMap<(usize, usize), usize>,
        seen: &mut std::collections::BTreeSet<(usize, usize)>,
    ) -> bool {
        residuals[residual].iter().any(|&slot| {
            if !seen.insert(slot) {
                return false;
            }
            let free = match owner.get(&slot).copied() {
                Some(other) => assign(other, residuals, owner, seen),
                None => true,
            };
            if free {
                owner.insert(slot, residual);
            }
            free
        })
    }
    let mut owner = std::collections::BTreeMap::new();
    (0..residuals.len()).filter(|&i| assign(i, residuals, &mut owner, &mut Default::default())).count()
}
