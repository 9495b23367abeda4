//! Values given on the walls of regions: u = G + size·gate·net, with gates that vanish on the walls.
//!
//! Where several walls have different values, G is their mean with weights that are one on a wall of their own and zero on
//! the others, which is smooth where the walls do not meet.
//! It knows problems and formulas; the gates come from the geometry.

use super::Way;
use super::known::known_on_wall;
use super::space::{Space, values};
use crate::auto::units::Size;
use crate::expr::{Context, Digits, Graph, Meaning, Node, NodeId, Scope, parse};
use crate::problem::{Condition, Coordinate, Problem};
use crate::settings::Enforce;

/// The least sum of weights, relative to its greatest, with which a mean is taken: where walls meet it is zero.
const LEAST: f64 = 1e-3;
/// Points at which it is looked at.
const LOOKS: usize = 500;
/// What values on walls may differ by, relative to their size, and be one.
const SAME: f64 = 1e-12;

/// Walls on which an unknown is the same function.
struct Group {
    value: NodeId,
    /// Products of gates.
    gates: Vec<String>,
    conditions: Vec<usize>,
}

/// What becomes of the conditions on walls: for every unknown an ansatz, if there is one, and for every condition on a wall
/// its way.
pub(super) fn on_walls(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    sizes: &[Size],
    free: &[bool],
) -> (Vec<Option<String>>, Vec<Option<Way>>) {
    let mut ansatz = vec![None; problem.unknowns.len()];
    let mut ways = vec![None; problem.conditions.len()];
    let Some(geometry) = &problem.geometry else { return (ansatz, ways) };
    let names: Vec<&str> =
        geometry.domain.bounds().map(|(i, _)| problem.coordinates[i].name.as_str()).collect();
    let mut groups: Vec<Vec<Group>> = problem.unknowns.iter().map(|_| vec![]).collect();
    for (i, condition) in problem.conditions.iter().enumerate() {
        let walls = condition.place.walls();
        if walls.is_empty() {
            continue;
        }
        for residual in 0..condition.written.len() {
            let found = said(problem, space, graph, condition, residual, free).and_then(|(output, value)| {
                let gates =
                    walls.iter().map(|wall| geometry.gate(wall, &names)).collect::<Result<Vec<_>, _>>()?;
                let own = &mut groups[output];
                match own.iter_mut().find(|group| same(space, graph, group.value, value)) {
                    Some(group) => {
                        group.gates.extend(gates);
                        group.conditions.push(i);
                    }
                    None => own.push(Group { value, gates, conditions: vec![i] }),
                }
                Ok(())
            });
            if let Err(why) = found {
                let several = condition.written.len() > 1;
                let what =
                    if several { format!("`{}`: ", condition.written[residual]) } else { String::new() };
                ways[i].get_or_insert_with(|| in_loss(what + &why));
            }
        }
    }
    for (output, groups) in groups.into_iter().enumerate() {
        if groups.is_empty() {
            continue;
        }
        let conditions: Vec<usize> = groups.iter().flat_map(|group| group.conditions.clone()).collect();
        let way = match joined(problem, space, graph, &groups, sizes[output]) {
            Ok(text) => {
                ansatz[output] = Some(text);
                Way { enforce: Enforce::Exact, why: "by a factor that vanishes on the wall".to_owned() }
            }
            Err(why) => in_loss(why),
        };
        for i in conditions {
            // What fails of a condition leaves all of it in the loss.
            let fails = ways[i].as_ref().is_some_and(|way| way.enforce == Enforce::Loss);
            if !fails {
                ways[i] = Some(way.clone());
            }
        }
    }
    (ansatz, ways)
}

/// The unknown that a residual gives on a wall, and its value.
fn said(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    condition: &Condition,
    residual: usize,
    free: &[bool],
) -> Result<(usize, NodeId), String> {
    if condition.enforce == Enforce::Loss {
        return Err("the file says so".to_owned());
    }
    let residuals = &condition.residuals;
    let needed = residuals.graph.reachable(&[residuals.roots[residual]]);
    let mut nodes = residuals.graph.nodes().iter().zip(needed);
    if nodes.any(|(node, needed)| needed && matches!(node, Node::Data(_))) {
        return Err("it says something of the normal, or of a derivative along it".to_owned());
    }
    let (output, value) = known_on_wall(problem, space, condition, residual, graph)?;
    if free[output] {
        return Ok((output, value));
    }
    Err(format!("the ansatz of `{}` is taken by what is given elsewhere", problem.unknowns[output].name))
}

/// The ansatz that fulfils all groups of an unknown.
fn joined(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    groups: &[Group],
    size: Size,
) -> Result<String, String> {
    let all: Vec<String> = groups.iter().map(|group| product(group.gates.iter())).collect();
    let text =
        |value| space.text(graph, value, super::MAX_WRITTEN).ok_or("what is given is too long".to_owned());
    let given = groups.iter().map(|group| text(group.value)).collect::<Result<Vec<String>, _>>()?;
    let given = match &given[..] {
        [only] => only.clone(),
        several => {
            let others =
                |k: usize| product(all.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, gate)| gate));
            let weights: Vec<String> = (0..all.len()).map(others).collect();
            let sum = weights.join(" + ");
            if !apart(problem, &sum) {
                return Err("walls with different values meet".to_owned());
            }
            let terms: Vec<_> =
                several.iter().zip(&weights).map(|(given, weight)| format!("({given})*{weight}")).collect();
            format!("({})/({sum})", terms.join(" + "))
        }
    };
    let size = if size.size == 1.0 { String::new() } else { format!("{}*", Digits(size.size)) };
    let free = format!("{size}{}*net", product(all.iter()));
    Ok(if ["0", "-0"].contains(&given.as_str()) { free } else { format!("{given} + {free}") })
}

fn product<'a>(factors: impl Iterator<Item = &'a String>) -> String {
    factors.map(|factor| format!("({factor})")).collect::<Vec<_>>().join("*")
}

/// Points of the domain.
fn inside(problem: &Problem) -> Vec<Vec<f64>> {
    let holds =
        |row: &Vec<f64>| problem.geometry.as_ref().is_none_or(|geometry| geometry.domain.contains(row));
    (1..=100 * LOOKS).map(|k| Coordinate::spread(&problem.coordinates, k)).filter(holds).take(LOOKS).collect()
}

/// Is a sum of weights nowhere small, in the domain and on its walls?
fn apart(problem: &Problem, sum: &str) -> bool {
    const FACTOR: Context = Context { place: "a factor", allowed: &[Meaning::Coordinate] };
    let mut graph = Graph::default();
    let names: Vec<&str> = problem.coordinates.iter().map(|c| c.name.as_str()).collect();
    let scope = Scope::new(&mut graph, &names);
    let node = parse(sum).ok().and_then(|sum| scope.lower(&sum, &mut graph, FACTOR, &mut vec![]));
    let Some(node) = node else { return false };
    let mut rows = inside(problem);
    for condition in &problem.conditions {
        let mut own: Vec<f64> =
            (1..=LOOKS).flat_map(|k| Coordinate::spread(&problem.coordinates, k)).collect();
        if !condition.place.walls().is_empty() {
            condition.place.take(&problem.coordinates, &mut own);
            rows.extend(own.chunks_exact(problem.coordinates.len()).map(<[f64]>::to_vec));
        }
    }
    let found = values(&graph, node, &rows);
    let greatest = found.iter().copied().fold(0.0, f64::max);
    found.iter().all(|x| *x >= LEAST * greatest)
}

/// Are two functions one, in the domain?
fn same(space: &Space<'_>, graph: &mut Graph, a: NodeId, b: NodeId) -> bool {
    if a == b {
        return true;
    }
    let sites = space.sites(&[]);
    let (a, b) = (values(graph, a, &sites), values(graph, b, &sites));
    let size = a.iter().chain(&b).fold(0.0_f64, |most, x| most.max(x.abs()));
    a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= SAME * size)
}

fn in_loss(why: String) -> Way {
    Way { enforce: Enforce::Loss, why }
}
