//! Conditions that hold exactly: the ansatz u = G + size·D·net, with G an interpolation of what conditions say on faces
//! and D a factor that vanishes there, and features that repeat where the solution does.
//!
//! What cannot hold exactly, or not without harm, stays a term of the loss, and every condition gets a reason.
//! It knows problems and formulas; it does not know networks' weights, points or training.

mod holds;
mod interpolant;
mod known;
mod leading;
mod similar;
mod space;
#[cfg(test)]
mod tests;
mod travels;
mod unfit;
mod walls;

use core::f64::consts::PI;
use core::ops::Range;

use self::interpolant::{directions, factor, interpolant};
use self::known::{Known, Statement, highest, statements};
use self::leading::Leading;
use self::similar::Apart;
use self::space::{Space, fixed, greatest, values};
pub(super) use self::unfit::{Unfit, second_along, unfit};
use super::Decision;
use super::layers::{Layer, layers};
use super::units::{Size, sizes};
use crate::expr::{Binary, Digits, Graph, Node};
use crate::jet::MultiIndex;
use crate::problem::{
    Condition, Course, Diagnostic, Diagnostics, Document, Group, Problem, Unknown, key, quoted,
};
use crate::settings::Enforce;

/// What data may differ by where faces meet, relative to their size: the tail of a bump, or digits that were left out.
///
/// What an ansatz misses of them counts as an error of the answer.
const AGREE: f64 = 1e-5;
/// Operations of an ansatz when it is written out, at the most.
const MAX_WRITTEN: usize = 2500;
/// Waves along a coordinate in which the solution repeats, up to this number of periods in the domain.
const WAVES: usize = 2;

/// How a condition is made to hold, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Way {
    pub(super) enforce: Enforce,
    pub(super) why: String,
}

/// What holds exactly, and by what.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Exact {
    /// For every unknown its ansatz, if it needs one.
    pub(super) ansatz: Vec<Option<String>>,
    /// What the network sees, where that is not each coordinate mapped to [−1, 1].
    pub(super) features: Option<(Vec<String>, &'static str)>,
    /// For every condition how it is made to hold; `None` where there is no choice.
    pub(super) ways: Vec<Option<Way>>,
}

/// What of `problem`, which has no more than the file says, can hold exactly.
///
/// `sizes` has one for each unknown; `free` says whether the features of `[network]` may be chosen, and `own` which networks
/// have features of their own that the file states.
pub(super) fn exact(problem: &Problem, sizes: &[Size], free: bool, own: &[Range<usize>]) -> Exact {
    let mut graph = Graph::default();
    let space = Space::new(problem, &mut graph);
    let mut said = statements(problem, &space, &mut graph);
    for statement in &mut said {
        if problem.conditions[statement.condition].enforce == Enforce::Loss {
            statement.withheld = None;
            if statement.known.is_ok() {
                statement.known = Err("the file says so".to_owned());
            }
        }
    }
    let mut repeats = Repeats::new(problem, free, own);
    let apart = settle(problem, &space, &mut graph, &mut said, &mut repeats);
    let layers = layers(problem);
    let mut ansatz = Vec::new();
    for (output, unknown) in problem.unknowns.iter().enumerate() {
        let own = unknown.ansatz.is_some();
        ansatz.push(if own {
            None
        } else {
            derived(problem, &space, &mut graph, &mut said, output, sizes[output], apart[output], &layers)
        });
    }
    // What is given on walls holds together with what is given on faces, or not at all; a function of fewer coordinates
    // knows no walls.
    let on_faces = |output: usize| {
        let Unknown { ansatz, of, .. } = &problem.unknowns[output];
        (ansatz.is_none() && of.is_none()).then(|| distinct(&said, output))
    };
    let on_faces: Vec<Option<Vec<Known>>> = (0..ansatz.len()).map(on_faces).collect();
    let repeating: Vec<&Condition> = repeats
        .directions
        .iter()
        .filter(|(_, _, can)| can.is_ok())
        .map(|(_, i, _)| &problem.conditions[*i])
        .collect();
    let (on_walls, on_walls_ways) =
        walls::on_walls(problem, &space, &mut graph, sizes, &on_faces, &repeating);
    for (ansatz, on_walls) in ansatz.iter_mut().zip(on_walls) {
        *ansatz = on_walls.or(ansatz.take());
    }
    let features = features(problem, &space, &mut graph, &repeats, &apart);
    let ways = (0..problem.conditions.len()).map(|i| way(problem, i, &said, &repeats));
    let ways = ways.zip(on_walls_ways).map(|(way, on_wall)| on_wall.or(way)).collect();
    Exact { ansatz, features, ways }
}

/// What can hold exactly, as settings of the problem file; `course` is a rough solution, where there is one.
///
/// # Errors
///
/// Where a condition is to hold exactly that cannot.
pub(super) fn decide(
    document: &Document,
    problem: &Problem,
    course: Option<&Course>,
) -> Result<Vec<Decision>, Diagnostics> {
    let states = |group: &&Group| document.states(&["networks", &group.name, "features"]);
    let own: Vec<_> = problem.networks.iter().filter(states).map(|group| group.features.clone()).collect();
    let free = !document.states(&["network", "features"]);
    let exact = exact(problem, &sizes(problem, course), free, &own);
    let mut mistakes = Vec::new();
    for (condition, way) in problem.conditions.iter().zip(&exact.ways) {
        if let (true, Some(Way { enforce: Enforce::Loss, why })) = (condition.is_exact(), way) {
            mistakes.push(impossible(document, condition, why));
        }
    }
    if mistakes.is_empty() { Ok(exact.decisions(problem)) } else { Err(document.mistakes(mistakes)) }
}

/// Do the conditions hold that `problem`, with nothing left open, says hold exactly?
///
/// # Errors
///
/// Those that do not.
pub(super) fn check(document: &Document, problem: &Problem) -> Result<(), Diagnostics> {
    let broken = problem.conditions.iter().filter(|c| c.is_exact() && !holds::holds(problem, c));
    let why = "the ansatz and the features that the file states do not fulfil it";
    let mistakes: Vec<_> = broken.map(|condition| impossible(document, condition, why)).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(document.mistakes(mistakes)) }
}

fn impossible(document: &Document, condition: &Condition, why: &str) -> Diagnostic {
    let message = format!("`{}` cannot hold exactly: {why}", condition.name);
    let place = document.place(&["conditions", &condition.name, "enforce"]);
    Diagnostic::error(place, message)
        .hint("with `enforce = \"auto\"` it holds exactly or is a term of the loss")
}

impl Exact {
    /// As settings of the problem file, as far as that does not state them.
    fn decisions(&self, problem: &Problem) -> Vec<Decision> {
        let mut decisions = Vec::new();
        for (unknown, ansatz) in problem.unknowns.iter().zip(&self.ansatz) {
            if let Some(ansatz) = ansatz {
                let name = format!("unknowns.{}.ansatz", key(&unknown.name));
                let given = self.ways.iter().flatten().any(|way| way.enforce == Enforce::Exact);
                let why = match given && !is_sized(ansatz) {
                    true => "what is given, and a factor that vanishes where it is",
                    false => "its size, so that the network is of size one",
                };
                decisions.push(Decision::new(name, quoted(ansatz), why));
            }
        }
        if let Some((features, why)) = &self.features {
            let list: Vec<String> = features.iter().map(|feature| quoted(feature)).collect();
            decisions.push(Decision::new("network.features", format!("[{}]", list.join(", ")), *why));
        }
        for (condition, way) in problem.conditions.iter().zip(&self.ways) {
            let Some(Way { enforce, why }) = way else { continue };
            if condition.enforce != Enforce::Auto {
                continue;
            }
            let value = if *enforce == Enforce::Exact { "exact" } else { "loss" };
            let name = format!("conditions.{}.enforce", key(&condition.name));
            decisions.push(Decision::new(name, quoted(value), why));
        }
        decisions
    }
}

/// The unknown `output` as G + size·D·net, what was set `apart` being a part of G; `None` if it is the network's output as it is.
fn derived(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
    output: usize,
    size: Size,
    apart: Option<Apart>,
    layers: &[Layer],
) -> Option<String> {
    let data = distinct(said, output);
    let net = graph.insert(Node::Jet { output, index: MultiIndex::VALUE, side: 0 });
    if !data.is_empty() {
        let whole = interpolant(graph, &data, space).and_then(|given| {
            let given = apart.map_or(given, |apart| graph.binary(Binary::Add, apart.part, given));
            let own: Vec<&Layer> = layers.iter().filter(|layer| layer.output == output).collect();
            let factor = factor(graph, &directions(&data), &own, space);
            let size = graph.constant(size.size);
            let factor = graph.binary(Binary::Mul, size, factor);
            let rest = graph.binary(Binary::Mul, factor, net);
            let sum = graph.binary(Binary::Add, given, rest);
            let too_long =
                || format!("an interpolation of what is given takes more than {MAX_WRITTEN} operations");
            space.text(graph, sum, MAX_WRITTEN).ok_or_else(too_long)
        });
        match whole {
            Ok(text) => return Some(text),
            Err(why) => refuse(said, output, &why),
        }
    }
    let (offset, scale) = (graph.constant(size.offset), graph.constant(size.size));
    let scaled = graph.binary(Binary::Mul, scale, net);
    let sum = graph.binary(Binary::Add, offset, scaled);
    let text = space.text(graph, sum, MAX_WRITTEN).filter(|text| text != "net");
    text.filter(|_| problem.unknowns[output].ansatz.is_none())
}

/// Everything that is known of an unknown, once.
fn distinct(said: &[Statement], output: usize) -> Vec<Known> {
    let mut data: Vec<Known> = Vec::new();
    for known in said.iter().filter_map(|statement| statement.known.as_ref().ok()) {
        if known.output == output && !data.iter().any(|other| other.is_same_as(known)) {
            data.push(known.clone());
        }
    }
    data
}

/// Leaves all that is said of an unknown to the loss.
fn refuse(said: &mut [Statement], output: usize, why: &str) {
    for statement in said {
        if statement.known.as_ref().is_ok_and(|known| known.output == output) {
            statement.known = Err(why.to_owned());
        }
    }
}

/// What the network sees, and why, where that is not each coordinate as ever.
fn features(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    repeats: &Repeats,
    apart: &[Option<Apart>],
) -> Option<(Vec<String>, &'static str)> {
    let waves = repeats.features(problem);
    let mut roots = vec![];
    for apart in apart.iter().flatten() {
        let root = apart.feature(space, graph).and_then(|root| space.text(graph, root, MAX_WRITTEN));
        roots.extend(root.filter(|root| !roots.contains(root)));
    }
    let why = match (&waves, roots.is_empty() || !repeats.free) {
        (None, true) => return None,
        (Some(_), true) => "waves that repeat where the solution does",
        (None, false) => "what spreads from the start does so with the root of time",
        (Some(_), false) => {
            "waves that repeat where the solution does, and the root of time, with which the start spreads"
        }
    };
    let mut features = waves.unwrap_or_else(|| problem.main_features());
    features.extend(roots);
    Some((features, why))
}

// What agrees with what.

/// Leaves to the loss what contradicts the rest, or lacks what it builds on; returns for every unknown what data lost first.
fn settle(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
    repeats: &mut Repeats,
) -> Vec<Option<Apart>> {
    contradictions_on_faces(problem, space, graph, said);
    unfit::withdraw(problem, space, graph, said);
    incomplete(problem, said);
    repeats.settle(problem, space, graph, said);
    incomplete(problem, said);
    let apart =
        (0..problem.unknowns.len()).map(|output| set_apart(problem, space, graph, said, output)).collect();
    contradictions_at_edges(problem, space, graph, said);
    incomplete(problem, said);
    apart
}

/// The part of an unknown that is singular and known; the data lose it.
fn set_apart(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    said: &mut [Statement],
    output: usize,
) -> Option<Apart> {
    if problem.unknowns[output].of.is_some() {
        // What spreads and travels does so in all of the domain.
        return None;
    }
    let equation = Leading::new(problem, space, graph, output)?;
    let plain = |part| Apart { part, start: None };
    similar::spreads(problem, &equation, space, graph, said)
        .or_else(|| travels::travels(&equation, space, graph, said).map(plain))
        .or_else(|| similar::at_corners(&equation, space, graph, said))
}

/// Of two that say different things of the same, the first stays.
fn contradictions_on_faces(problem: &Problem, space: &Space<'_>, graph: &mut Graph, said: &mut [Statement]) {
    for i in 0..said.len() {
        let Ok(known) = said[i].known.clone() else { continue };
        let earlier = said[..i].iter().find_map(|other| {
            other
                .known
                .as_ref()
                .ok()
                .filter(|first| first.is_same_as(&known))
                .map(|first| (other.condition, first.value))
        });
        let Some((condition, first)) = earlier else { continue };
        let sites = space.sites(&[known.face()]);
        let difference = graph.binary(Binary::Sub, known.value, first);
        let size = greatest(&values(graph, first, &sites)).max(greatest(&values(graph, known.value, &sites)));
        if greatest(&values(graph, difference, &sites)) > AGREE * size {
            said[i].known = Err(format!("it contradicts `{}`", problem.conditions[condition].name));
        }
    }
}

/// A derivative can be given only where the value and all lower derivatives are.
fn incomplete(problem: &Problem, said: &mut [Statement]) {
    for order in 1..=crate::jet::MAX_ORDER {
        for i in 0..said.len() {
            let Ok(known) = said[i].known.clone() else { continue };
            let lower = Known { order: order - 1, ..known.clone() };
            let has_lower =
                |other: &Statement| other.known.as_ref().is_ok_and(|other| other.is_same_as(&lower));
            if known.order == order && !said.iter().any(has_lower) {
                let unknown = &problem.unknowns[known.output].name;
                let what = match order {
                    1 => format!("the value of `{unknown}` there is not given exactly"),
                    _ => format!("not all lower derivatives of `{unknown}` there are given exactly"),
                };
                said[i].known = Err(format!("{what}, and no smooth factor leaves it open"));
                said[i].withheld = Some(known);
            }
        }
    }
}

/// Where faces meet, their data must agree; those that do not are left to the loss, unless the file wants one exactly.
///
/// Leaving only one of them, and having the other exactly, was worse wherever it was tried: the solution has a jump at
/// the edge, which a loss can smooth and an ansatz cannot.
fn contradictions_at_edges(problem: &Problem, space: &Space<'_>, graph: &mut Graph, said: &mut [Statement]) {
    for output in 0..problem.unknowns.len() {
        let data = distinct(said, output);
        let mut dropped: Vec<(Known, String)> = Vec::new();
        for (i, a) in data.iter().enumerate() {
            for b in &data[i + 1..] {
                if a.coordinate == b.coordinate || agree(graph, space, a, b) {
                    continue;
                }
                for (known, other) in [(a, b), (b, a)] {
                    if !wanted(problem, said, known) || wanted(problem, said, other) {
                        let place = &problem.coordinates[other.coordinate].name;
                        let why = format!(
                            "it contradicts what is given at {place} = {} where they meet",
                            Digits(other.at)
                        );
                        dropped.push((known.clone(), why));
                    }
                }
            }
        }
        for statement in said.iter_mut() {
            let Ok(known) = &statement.known else { continue };
            if let Some((_, why)) = dropped.iter().find(|(dropped, _)| known.is_same_as(dropped)) {
                statement.known = Err(why.clone());
            }
        }
    }
}

/// Does the file want to have this exactly?
fn wanted(problem: &Problem, said: &[Statement], known: &Known) -> bool {
    said.iter().any(|statement| {
        let same = statement.known.as_ref().is_ok_and(|other| other.is_same_as(known));
        same && problem.conditions[statement.condition].is_exact()
    })
}

/// Do two data agree where their faces meet?
fn agree(graph: &mut Graph, space: &Space<'_>, a: &Known, b: &Known) -> bool {
    let edge = space.sites(&[a.face(), b.face()]);
    let mut size = 0.0;
    let mut at_edge = |known: &Known, other: &Known| {
        let mut node = known.value;
        for _ in 0..other.order {
            node = graph.derivative(node, other.coordinate);
        }
        // Both are the derivative of both orders; it is compared without units.
        let unit =
            space.side(a.coordinate).powi(a.order as i32) * space.side(b.coordinate).powi(b.order as i32);
        let own = space.side(known.coordinate).powi(known.order as i32);
        size = f64::max(size, own * known.size(graph, space));
        let node = fixed(graph, node, other.coordinate, other.at);
        values(graph, node, &edge).into_iter().map(|x| unit * x).collect::<Vec<_>>()
    };
    let (left, right) = (at_edge(a, b), at_edge(b, a));
    left.iter().zip(right).all(|(left, right)| (left - right).abs() <= AGREE * size)
}

// Coordinates along which the solution repeats.

/// What is asked for by periodic conditions.
struct Repeats {
    /// Coordinate, condition, and whether features make it hold, or why they do not.
    directions: Vec<(usize, usize, Result<(), String>)>,
    /// May the features be chosen?
    free: bool,
}

impl Repeats {
    fn new(problem: &Problem, free: bool, own: &[Range<usize>]) -> Self {
        let stay = |along: usize| own.iter().any(|own| !holds::repeat(problem, own.clone(), along));
        let directions = problem.conditions.iter().enumerate().filter_map(|(i, condition)| {
            let along = condition.place.periodic()?;
            let can = match condition.enforce {
                Enforce::Loss => Err("the file says so".to_owned()),
                _ if stay(along) || !free && !holds::features_repeat(problem, along) => {
                    Err("the features of the file do not repeat".to_owned())
                }
                _ => Ok(()),
            };
            Some((along, i, can))
        });
        Self { directions: directions.collect(), free }
    }

    /// Leaves a repetition to the loss where what is given does not repeat, or the other way round where the file wants it.
    ///
    /// The start exact and the repetition in the loss was ahead of the opposite wherever both were tried.
    fn settle(&mut self, problem: &Problem, space: &Space<'_>, graph: &mut Graph, said: &mut [Statement]) {
        for (along, condition, can) in &mut self.directions {
            if can.is_err() {
                continue;
            }
            let condition = &problem.conditions[*condition];
            if let Some(unknown) = problem.unknowns.iter().find(|unknown| unknown.ansatz.is_some())
                && !holds::values_repeat(problem, condition)
            {
                *can = Err(format!("the ansatz of `{}` does not repeat", unknown.name));
                continue;
            }
            for i in 0..said.len() {
                let Ok(known) = said[i].known.clone() else { continue };
                if known.coordinate != *along && repeats(problem, space, graph, &known, *along) {
                    continue;
                }
                let other = &problem.conditions[said[i].condition];
                if condition.is_exact() && !other.is_exact() {
                    let place = &problem.coordinates[*along].name;
                    said[i].known =
                        Err(format!("it does not repeat along `{place}`, as `{}` asks", condition.name));
                } else {
                    *can = Err(format!("what `{}` gives does not repeat", other.name));
                }
            }
        }
    }

    /// What the network sees; `None` if that is each coordinate as ever.
    fn features(&self, problem: &Problem) -> Option<Vec<String>> {
        let exact = |c: usize| self.directions.iter().any(|(along, _, can)| *along == c && can.is_ok());
        if !self.free || !(0..problem.coordinates.len()).any(exact) {
            return None;
        }
        let feature = |c: usize| {
            if exact(c) { waves(problem, c) } else { vec![problem.coordinates[c].centred()] }
        };
        Some((0..problem.coordinates.len()).flat_map(feature).collect())
    }
}

/// Do given values, and as many derivatives as the equations need, agree at both ends of a coordinate?
fn repeats(problem: &Problem, space: &Space<'_>, graph: &mut Graph, known: &Known, along: usize) -> bool {
    let [lower, upper] = [space.coordinates[along].lower, space.coordinates[along].upper];
    let sites = space.sites(&[known.face(), (along, lower)]);
    let size = known.size(graph, space);
    let mut node = known.value;
    (0..highest(problem, known.output, along)).all(|order| {
        if order > 0 {
            node = graph.derivative(node, along);
        }
        let unit = space.side(along).powi(order as i32);
        let [a, b] = [lower, upper].map(|end| {
            let at_end = fixed(graph, node, along, end);
            values(graph, at_end, &sites)
        });
        a.iter().zip(b).all(|(a, b)| (a - b).abs() * unit <= AGREE * size)
    })
}

/// Features that repeat over the domain of a coordinate.
fn waves(problem: &Problem, c: usize) -> Vec<String> {
    let along = &problem.coordinates[c];
    let turns = 2.0 / (along.upper - along.lower);
    // As a plain number, or as one times π, whichever is short.
    let wave = |k: usize| {
        let number = k as f64 * turns;
        let plain = number * PI;
        let short = Digits::four(plain);
        let (factor, pi) = if (plain - short).abs() < 1e-14 * plain { (short, "") } else { (number, "pi*") };
        let factor = if factor == 1.0 { String::new() } else { format!("{}*", Digits(factor)) };
        let argument = format!("{factor}{pi}{}", along.name);
        [format!("sin({argument})"), format!("cos({argument})")]
    };
    (1..=WAVES).flat_map(wave).collect()
}

// What comes of it for conditions.

/// How condition `i` is made to hold.
fn way(problem: &Problem, i: usize, said: &[Statement], repeats: &Repeats) -> Option<Way> {
    let condition = &problem.conditions[i];
    if let Some((along, _, can)) = repeats.directions.iter().find(|(_, which, _)| *which == i) {
        return Some(match can {
            Ok(()) => exactly(format!("the features repeat along `{}`", problem.coordinates[*along].name)),
            Err(why) => in_loss(why.clone()),
        });
    }
    let own: Vec<&Statement> = said.iter().filter(|statement| statement.condition == i).collect();
    if own.is_empty() {
        return None;
    }
    let held = holds::left_on_faces(problem, condition);
    let held = |statement: &Statement| held[statement.residual] <= AGREE;
    if own.iter().all(|statement| held(statement)) {
        return Some(exactly("by the ansatz of the file".to_owned()));
    }
    let failing = |statement: &Statement| statement.known.is_err() && !held(statement);
    let Some(first) = own.iter().find(|statement| failing(statement)) else {
        return Some(exactly("by the ansatz".to_owned()));
    };
    let why = first.known.as_ref().err().cloned().unwrap_or_default();
    let several = condition.written.len() > 1;
    let what = if several { format!("`{}`: ", condition.written[first.residual]) } else { String::new() };
    let rest = match own.iter().all(|statement| failing(statement)) {
        true => "",
        false if several => "; the residuals that can hold exactly do",
        false => "; it holds exactly on the other faces",
    };
    Some(in_loss(format!("{what}{why}{rest}")))
}

/// Is an ansatz no more than an offset and a size?
fn is_sized(ansatz: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().is_ok();
    let (offset, sized) = ansatz.rsplit_once(" + ").unwrap_or(("0", ansatz));
    number(offset) && sized.strip_suffix("*net").is_some_and(number)
}

fn exactly(why: String) -> Way {
    Way { enforce: Enforce::Exact, why }
}

fn in_loss(why: String) -> Way {
    Way { enforce: Enforce::Loss, why }
}
