//! Values given on the walls of regions: u = G + size·gate·net, with gates that vanish on the walls.
//!
//! Where several walls have different values, G is their mean with weights that are one on a wall of their own and zero on
//! the others, which is smooth where the walls do not meet.
//! It knows problems and formulas; the gates come from the geometry.

use super::Way;
use super::known::known_on_wall;
use super::space::{Space, greatest, values};
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
    /// One for each wall.
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
    let distances = distances(problem, groups)?;
    let text =
        |value| space.text(graph, value, super::MAX_WRITTEN).ok_or("what is given is too long".to_owned());
    let given = groups.iter().map(|group| text(group.value)).collect::<Result<Vec<String>, _>>()?;
    // With 1/distance as weights, both numerator and denominator times all distances.
    let weight = |k: usize| {
        product(distances.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, distance)| &distance.text))
    };
    let weights: Vec<String> = (0..distances.len()).map(weight).collect();
    let sum = weights.join(" + ");
    let given = match &given[..] {
        [only] => only.clone(),
        several => {
            let terms: Vec<_> = distances
                .iter()
                .zip(&weights)
                .filter(|(distance, _)| !zero(&several[distance.group]))
                .map(|(distance, weight)| format!("({})*{weight}", several[distance.group]))
                .collect();
            if terms.is_empty() { "0".to_owned() } else { format!("({})/({sum})", terms.join(" + ")) }
        }
    };
    let all = product(distances.iter().map(|distance| &distance.text));
    let mut factor = size.size;
    let mut free = all.clone();
    if distances.len() > 1 {
        free = format!("{all}/({sum})");
        factor /= greatest(&Function::new(problem, &free).ok_or(NOT_READ)?.at(&inside(problem)));
    }
    let factor = if factor == 1.0 { String::new() } else { format!("{}*", Digits(three_digits(factor))) };
    let free = format!("{factor}{free}*net");
    Ok(if zero(&given) { free } else { format!("{given} + {free}") })
}

const NOT_READ: &str = "the factors that vanish on its walls are not understood";

fn zero(text: &str) -> bool {
    ["0", "-0"].contains(&text)
}

fn three_digits(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// A function that is about the distance from some walls that touch one another, close to them.
struct Distance {
    text: String,
    /// Whose value holds on these walls.
    group: usize,
}

/// Walls that touch share a factor, the product of their gates; where there are several, each has slope one on its walls.
///
/// A product of all gates, or a mean that has them as weights, would change as fast as the smallest of them is small:
/// distances meet halfway (Rvachev's normalized functions; Shepard's inverse distances).
fn distances(problem: &Problem, groups: &[Group]) -> Result<Vec<Distance>, String> {
    let gates: Vec<(usize, &String)> = groups
        .iter()
        .enumerate()
        .flat_map(|(group, own)| own.gates.iter().map(move |gate| (group, gate)))
        .collect();
    if gates.len() == 1 {
        return Ok(vec![Distance { text: product(gates.iter().map(|(_, gate)| *gate)), group: 0 }]);
    }
    let functions = gates.iter().map(|(_, gate)| Function::new(problem, gate));
    let functions: Vec<Function> = functions.collect::<Option<_>>().ok_or(NOT_READ)?;
    let walls = on_all_walls(problem);
    let rows = [inside(problem), walls.clone()].concat();
    let values: Vec<Vec<f64>> = functions.iter().map(|function| function.at(&rows)).collect();
    // The part that each gate belongs to, by the number of its first one.
    let mut part: Vec<usize> = (0..gates.len()).collect();
    for j in 1..gates.len() {
        for i in 0..j {
            let sum: Vec<f64> = values[i].iter().zip(&values[j]).map(|(a, b)| a + b).collect();
            if sum.iter().all(|x| *x >= LEAST * greatest(&sum)) {
                continue;
            }
            if gates[i].0 != gates[j].0 {
                return Err("walls with different values meet".to_owned());
            }
            let (one, other) = (part[i], part[j]);
            part.iter_mut().filter(|part| **part == other).for_each(|part| *part = one);
        }
    }
    let first = (0..gates.len()).filter(|&i| part[i] == i);
    let parts: Vec<(usize, String)> = first
        .map(|i| {
            let own = gates.iter().zip(&part).filter(|(_, part)| **part == i);
            (gates[i].0, product(own.map(|((_, gate), _)| *gate)))
        })
        .collect();
    if let [(group, text)] = &parts[..] {
        return Ok(vec![Distance { text: text.clone(), group: *group }]);
    }
    let scaled = |(group, text): (usize, String)| {
        let function = Function::new(problem, &text).ok_or(NOT_READ)?;
        let slope = function.slope_where_it_vanishes(&walls).ok_or(NOT_READ)?;
        Ok(Distance { text: format!("({}*{text})", Digits(three_digits(1.0 / slope))), group })
    };
    parts.into_iter().map(scaled).collect()
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

/// Points on all walls that conditions name.
fn on_all_walls(problem: &Problem) -> Vec<Vec<f64>> {
    let mut rows = vec![];
    for condition in problem.conditions.iter().filter(|condition| !condition.place.walls().is_empty()) {
        let mut own: Vec<f64> =
            (1..=LOOKS).flat_map(|k| Coordinate::spread(&problem.coordinates, k)).collect();
        condition.place.take(&problem.coordinates, &mut own);
        rows.extend(own.chunks_exact(problem.coordinates.len()).map(<[f64]>::to_vec));
    }
    rows
}

/// A formula over the coordinates.
struct Function {
    graph: Graph,
    root: NodeId,
    coordinates: usize,
}

impl Function {
    fn new(problem: &Problem, text: &str) -> Option<Self> {
        const FACTOR: Context = Context { place: "a factor", allowed: &[Meaning::Coordinate] };
        let mut graph = Graph::default();
        let names: Vec<&str> = problem.coordinates.iter().map(|c| c.name.as_str()).collect();
        let scope = Scope::new(&mut graph, &names);
        let root = scope.lower(&parse(text).ok()?, &mut graph, FACTOR, &mut vec![])?;
        Some(Self { graph, root, coordinates: names.len() })
    }

    fn at(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        values(&self.graph, self.root, rows)
    }

    /// The mean length of the gradient at those of some places at which the function vanishes; none if there are none.
    fn slope_where_it_vanishes(mut self, rows: &[Vec<f64>]) -> Option<f64> {
        let own = self.at(rows);
        let most = own.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let zero = |x: &f64| x.abs() <= 1e-9 * most;
        let rows: Vec<Vec<f64>> =
            rows.iter().zip(&own).filter(|(_, x)| zero(x)).map(|(row, _)| row.clone()).collect();
        let mut squares = vec![0.0; rows.len()];
        for c in 0..self.coordinates {
            let derivative = self.graph.derivative(self.root, c);
            let slopes = values(&self.graph, derivative, &rows);
            squares.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope * slope);
        }
        let mean = squares.iter().map(|square| square.sqrt()).sum::<f64>() / squares.len() as f64;
        (mean.is_finite() && mean > 0.0).then_some(mean)
    }
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

#[cfg(test)]
mod tests {
    use super::super::exact;
    use super::*;
    use crate::problem::Document;

    /// Two circles in a square, one of them small.
    const PLATE: &str = r#"
        coordinates = { x = {}, y = {} }
        unknowns = { u = {} }
        domain = { region = "plate - a - b" }
        [shapes]
        plate = { rectangle = { from = [-1, -1], to = [1, 1] } }
        a = { disk = { center = [0.5, 0.5], radius = 0.1 } }
        b = { disk = { center = [-0.4, -0.4], radius = 0.4 } }
        [conditions]
        physics = { place = "interior", residual = "u_xx + u_yy" }
        edge = { place = "wall of plate", residual = "u - 1" }
        holes = { place = ["wall of a", "wall of b"], residual = "u" }
    "#;

    #[test]
    fn values_on_walls_that_do_not_meet_change_over_their_distance() {
        let (problem, _) = Document::parse("test.toml", PLATE).unwrap().build(".".as_ref()).unwrap();
        let exact = exact(&problem, &[Size { offset: 0.0, size: 1.0 }], true);
        let text = exact.ansatz[0].as_ref().expect("an ansatz");
        let given = Function::new(&problem, &text.replace("net", "0")).expect("formula");
        let full = Function::new(&problem, &text.replace("net", "1")).expect("formula");
        let rows = inside(&problem);
        let factor: Vec<f64> = given.at(&rows).iter().zip(full.at(&rows)).map(|(g, u)| u - g).collect();
        assert!(factor.iter().all(|f| (0.0..1.01).contains(f)) && greatest(&factor) > 0.99);
        let slope = |function: &Function, row: &[f64]| {
            let ahead = |c: usize| {
                let mut ahead = row.to_vec();
                ahead[c] += 1e-6;
                (function.at(&[ahead])[0] - function.at(&[row.to_vec()])[0]) / 1e-6
            };
            ahead(0).hypot(ahead(1))
        };
        // The walls are 0.2 to 0.4 apart.
        let most = |function: &Function| rows.iter().map(|row| slope(function, row)).fold(0.0, f64::max);
        assert!(most(&given) < 15.0 && most(&full) < 30.0, "{} {}", most(&given), most(&full));
        let on = |condition: usize| -> Vec<Vec<f64>> {
            let mut own: Vec<f64> =
                (1..=LOOKS).flat_map(|k| Coordinate::spread(&problem.coordinates, k)).collect();
            problem.conditions[condition].place.take(&problem.coordinates, &mut own);
            own.chunks_exact(2).map(<[f64]>::to_vec).collect()
        };
        for function in [&given, &full] {
            assert!(function.at(&on(1)).iter().all(|u| (u - 1.0).abs() < 1e-12));
            assert!(function.at(&on(2)).iter().all(|u| u.abs() < 1e-12));
        }
    }
}
