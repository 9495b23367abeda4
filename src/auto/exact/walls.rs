//! Values given on the walls of regions: u = G + size·gate·net, with gates that vanish on the walls.
//!
//! Where several walls have different values, G is their mean with weights that are one on a wall of their own and zero on
//! the others, which is smooth where the walls do not meet.
//! Where a start is given too, and agrees with the walls, G gets what it lacks of it, and the gate the start's factor.
//! It knows problems and formulas; the gates come from the geometry.

use super::Way;
use super::interpolant::{directions, factor, interpolant};
use super::known::{Known, highest, known_on_wall};
use super::space::{Space, fixed, greatest, reads, values};
use crate::auto::units::Size;
use crate::expr::{Binary, Context, Digits, Graph, Meaning, Node, NodeId, Scope, parse};
use crate::problem::{Condition, Coordinate, Problem};
use crate::settings::Enforce;

/// Points at which formulas are looked at, in the domain and on each condition's walls.
const LOOKS: usize = 500;
const WALL_LOOKS: usize = 10_000;
/// How near two walls come that touch, in units of the distance between points on a wall as wide as the domain.
const TOUCH: f64 = 4.0;
/// What values on walls may differ by, relative to their size, and be one.
const SAME: f64 = 1e-12;

/// An unknown's value on a wall.
struct Given {
    value: NodeId,
    gate: String,
    condition: usize,
}

/// What becomes of the conditions on walls: for every unknown an ansatz, if there is one, and for every condition on a wall
/// its way; `repeating` are periodic conditions that hold by the features, if the ansatz repeats.
///
/// For every unknown there is what is known of it on faces, which the ansatz fulfils, too; `None` if it has an ansatz of its
/// own.
pub(super) fn on_walls(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    sizes: &[Size],
    on_faces: &[Option<Vec<Known>>],
    repeating: &[&Condition],
) -> (Vec<Option<String>>, Vec<Option<Way>>) {
    let mut ansatz = vec![None; problem.unknowns.len()];
    let mut ways = vec![None; problem.conditions.len()];
    let Some(geometry) = &problem.geometry else { return (ansatz, ways) };
    let names: Vec<&str> =
        geometry.domain.bounds().map(|(i, _)| problem.coordinates[i].name.as_str()).collect();
    let mut given: Vec<Vec<Given>> = problem.unknowns.iter().map(|_| vec![]).collect();
    for (i, condition) in problem.conditions.iter().enumerate() {
        let walls = condition.place.walls();
        if walls.is_empty() {
            continue;
        }
        for residual in 0..condition.written.len() {
            let found =
                said(problem, space, graph, condition, residual, on_faces).and_then(|(output, value)| {
                    let gates = walls
                        .iter()
                        .map(|wall| geometry.gate(wall, &names))
                        .collect::<Result<Vec<_>, _>>()?;
                    given[output].extend(gates.into_iter().map(|gate| Given { value, gate, condition: i }));
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
    for (output, mut given) in given.into_iter().enumerate() {
        for repeating in repeating {
            let Some(repeat) = Repeat::new(problem, space, repeating, output) else { continue };
            let unlike: Vec<usize> = given
                .iter()
                .filter(|given| !repeat.has_all_of(problem, graph, given))
                .map(|given| given.condition)
                .collect();
            given.retain(|given| !unlike.contains(&given.condition));
            for i in unlike {
                let along = &problem.coordinates[repeat.along].name;
                let why = format!(
                    "a factor that vanishes there, or what is given, does not repeat along `{along}`"
                );
                ways[i].get_or_insert_with(|| in_loss(why));
            }
        }
        if given.is_empty() {
            continue;
        }
        let start = on_faces[output].as_deref().unwrap_or_default();
        let way = match joined(problem, space, graph, &given, start, sizes[output]) {
            Ok(text) => {
                ansatz[output] = Some(text);
                Way { enforce: Enforce::Exact, why: "by a factor that vanishes on the wall".to_owned() }
            }
            Err(why) => in_loss(why),
        };
        for i in given.iter().map(|given| given.condition) {
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
    on_faces: &[Option<Vec<Known>>],
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
    match on_faces[output] {
        Some(_) => Ok((output, value)),
        None => Err(format!("the ansatz of `{}` does not fulfil it", problem.unknowns[output].name)),
    }
}

/// The ansatz that fulfils all that is given of an unknown on walls, and the `start` on faces.
fn joined(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    given: &[Given],
    start: &[Known],
    size: Size,
) -> Result<String, String> {
    let inside = inside(problem);
    let parts = parts(problem, space, graph, given, &inside)?;
    // With 1/distance as weights, both numerator and denominator times all distances.
    let weight =
        |k: usize| product(parts.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, part)| &part.distance));
    let weights: Vec<String> = (0..parts.len()).map(weight).collect();
    let sum = weights.join(" + ");
    let first = parts[0].value;
    let mean = if parts.iter().all(|part| same(space, graph, first, part.value)) {
        text(space, graph, first)?
    } else {
        let mut terms = vec![];
        for (part, weight) in parts.iter().zip(&weights) {
            let value = text(space, graph, part.value)?;
            if !zero(&value) {
                terms.push(format!("({value})*{weight}"));
            }
        }
        format!("({})/({sum})", terms.join(" + "))
    };
    let mut free = product(parts.iter().map(|part| &part.distance));
    let mut factor = size.size;
    if parts.len() > 1 {
        free = format!("{free}/({sum})");
        factor /= greatest(&Function::new(problem, &free).ok_or(NOT_READ)?.at(&inside));
    }
    let factor =
        if factor == 1.0 { String::new() } else { format!("{}*", Digits(Digits::rounded(factor, 3))) };
    let (mean, rising) = if start.is_empty() {
        (mean, String::new())
    } else {
        let whole = begun(problem, space, graph, given, start, &mean)?;
        let rising = self::factor(graph, &directions(start), &[], space);
        (text(space, graph, whole)?, format!("({})*", text(space, graph, rising)?))
    };
    let free = format!("{factor}{free}*{rising}net");
    let whole = if zero(&mean) { free } else { format!("{mean} + {free}") };
    // As it is written, with no more parentheses than it needs.
    Ok(parse(&whole).map_err(|_| NOT_READ)?.to_string())
}

/// What has the values of the walls, `mean`, and those of the start.
fn begun(
    problem: &Problem,
    space: &Space<'_>,
    graph: &mut Graph,
    given: &[Given],
    start: &[Known],
    mean: &str,
) -> Result<NodeId, String> {
    let on_walls = space.lowered(graph, mean).ok_or(NOT_READ)?;
    let conditions = problem.conditions.iter().enumerate();
    let named = conditions.filter(|(i, _)| given.iter().any(|given| given.condition == *i));
    let rows: Vec<Vec<f64>> =
        named.flat_map(|(_, condition)| on_walls_of(&problem.coordinates, condition)).collect();
    let mut lacking = vec![];
    for known in start {
        let own = (0..known.order).fold(on_walls, |node, _| graph.derivative(node, known.coordinate));
        let own = fixed(graph, own, known.coordinate, known.at);
        let rest = graph.binary(Binary::Sub, known.value, own);
        let mut rows = rows.clone();
        rows.iter_mut().for_each(|row| row[known.coordinate] = known.at);
        let [rest_there, own_there] =
            [rest, own].map(|node| values(graph, node, &space.inputs(rows.clone())));
        let size = known.size(graph, space).max(greatest(&own_there));
        let agrees = greatest(&rest_there) <= super::AGREE * size;
        if !agrees {
            let place = &problem.coordinates[known.coordinate].name;
            return Err(format!(
                "it contradicts what is given at {place} = {} where they meet",
                Digits(known.at)
            ));
        }
        lacking.push(Known { value: rest, ..known.clone() });
    }
    // What does not change from the start on is a part of it.
    if start.iter().all(|known| !reads(graph, on_walls, known.coordinate)) {
        return interpolant(graph, start, space);
    }
    let lacking = interpolant(graph, &lacking, space)?;
    Ok(graph.binary(Binary::Add, on_walls, lacking))
}

const NOT_READ: &str = "the factors that vanish on its walls are not understood";

fn text(space: &Space<'_>, graph: &Graph, value: NodeId) -> Result<String, String> {
    space.text(graph, value, super::MAX_WRITTEN).ok_or_else(|| "what is given is too long".to_owned())
}

fn zero(text: &str) -> bool {
    ["0", "-0"].contains(&text)
}

/// Walls that touch one another, the value that holds on all of them, and a function that vanishes there.
///
/// Where there are several parts, the function is about the distance close to its walls: it has slope one there.
/// A product of all gates, or a mean with them as weights, would change as fast as the smallest of them is small;
/// distances meet halfway (Rvachev's normalized functions; Shepard's inverse distances).
struct Part {
    value: NodeId,
    distance: String,
}

/// The parts of what is given; `inside` are points of the domain.
fn parts(
    problem: &Problem,
    space: &Space<'_>,
    graph: &Graph,
    given: &[Given],
    inside: &[Vec<f64>],
) -> Result<Vec<Part>, String> {
    let functions = given.iter().map(|given| Function::new(problem, &given.gate));
    let functions: Vec<Function> = functions.collect::<Option<_>>().ok_or(NOT_READ)?;
    let conditions = problem.conditions.iter().enumerate();
    let named = conditions.filter(|(i, _)| given.iter().any(|given| given.condition == *i));
    let walls: Vec<Vec<f64>> =
        named.flat_map(|(_, condition)| on_walls_of(&problem.coordinates, condition)).collect();
    // Those on each wall, and how far all are from it, about, close to it.
    let own_walls: Vec<Vec<Vec<f64>>> =
        functions.iter().map(|function| function.where_it_vanishes(&walls)).collect();
    let distance = |(function, own): (&Function, &Vec<Vec<f64>>)| {
        let slope = function.slope(own)?;
        Some(function.at(&walls).into_iter().map(|gate| gate / slope).collect())
    };
    let distances: Vec<Vec<f64>> =
        functions.iter().zip(&own_walls).map(distance).collect::<Option<_>>().ok_or(NOT_READ)?;
    let touch = TOUCH * spacing(problem);
    // The part that each wall belongs to, by the number of its first one.
    let mut part: Vec<usize> = (0..given.len()).collect();
    for j in 1..given.len() {
        for i in 0..j {
            if distances[i].iter().zip(&distances[j]).any(|(a, b)| a + b < touch) {
                let (one, other) = (part[i], part[j]);
                part.iter_mut().filter(|part| **part == other).for_each(|part| *part = one);
            }
        }
    }
    let inside = space.inputs(inside.to_vec());
    let own_walls: Vec<Vec<Vec<f64>>> = own_walls.into_iter().map(|rows| space.inputs(rows)).collect();
    let mut parts = vec![];
    for first in (0..given.len()).filter(|&i| part[i] == i) {
        let own: Vec<usize> = (0..given.len()).filter(|&i| part[i] == first).collect();
        let holds = |value: NodeId| {
            let size = greatest(&values(graph, value, &inside));
            own.iter().all(|&i| {
                let [found, asked] = [value, given[i].value].map(|value| values(graph, value, &own_walls[i]));
                found.iter().zip(&asked).all(|(a, b)| (a - b).abs() <= SAME * size.max(greatest(&asked)))
            })
        };
        let value = own.iter().map(|&i| given[i].value).find(|&value| holds(value));
        let value = value.ok_or("walls with different values meet")?;
        parts.push(Part { value, distance: product(own.iter().map(|&i| &given[i].gate)) });
    }
    if parts.len() > 1 {
        for part in &mut parts {
            let function = Function::new(problem, &part.distance).ok_or(NOT_READ)?;
            let slope = function.slope(&function.where_it_vanishes(&walls)).ok_or(NOT_READ)?;
            part.distance = format!("({}*{})", Digits(Digits::rounded(1.0 / slope, 3)), part.distance);
        }
    }
    Ok(parts)
}

/// A coordinate along which an unknown repeats.
struct Repeat {
    along: usize,
    /// As many derivatives agree.
    order: usize,
    side: f64,
    /// Inputs of formulas in the domain, and at places on both of the linked walls.
    inside: Vec<Vec<f64>>,
    ends: [Vec<Vec<f64>>; 2],
}

impl Repeat {
    fn new(problem: &Problem, space: &Space<'_>, condition: &Condition, output: usize) -> Option<Self> {
        let along = condition.place.periodic()?;
        let Coordinate { lower, upper, .. } = problem.coordinates[along];
        let mut rows = on_walls_of(&problem.coordinates, condition);
        rows.truncate(LOOKS);
        let ends = [lower, upper].map(|end| {
            let mut rows = rows.clone();
            rows.iter_mut().for_each(|row| row[along] = end);
            space.inputs(rows)
        });
        let (order, inside) = (highest(problem, output, along), space.inputs(inside(problem)));
        Some(Self { along, order, side: upper - lower, inside, ends })
    }

    /// Do a value and its gate repeat?
    ///
    /// A factor that was made to, constant from where its wall is as near as those that are linked, was far behind the loss.
    fn has_all_of(&self, problem: &Problem, graph: &Graph, given: &Given) -> bool {
        let gate = Function::new(problem, &given.gate);
        self.has(graph, given.value) && gate.is_some_and(|gate| self.has(&gate.graph, gate.root))
    }

    /// Does a function, and do its derivatives, agree on both walls?
    fn has(&self, graph: &Graph, root: NodeId) -> bool {
        let (mut graph, mut node) = (graph.clone(), root);
        let size = greatest(&values(&graph, node, &self.inside));
        (0..=self.order).all(|order| {
            if order > 0 {
                node = graph.derivative(node, self.along);
            }
            let unit = self.side.powi(order as i32);
            let [a, b] = [0, 1].map(|end| values(&graph, node, &self.ends[end]));
            a.iter().zip(b).all(|(a, b)| (a - b).abs() * unit <= super::AGREE * size)
        })
    }
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

/// How far apart points lie on a wall that is as wide as the domain.
fn spacing(problem: &Problem) -> f64 {
    let Some(geometry) = &problem.geometry else { return 0.0 };
    let sides = geometry.domain.bounds().map(|(i, _)| &problem.coordinates[i]);
    let sides: Vec<f64> = sides.map(|coordinate| coordinate.upper - coordinate.lower).collect();
    let width = sides.iter().copied().fold(0.0, f64::max);
    width * (WALL_LOOKS as f64).powf(-1.0 / (sides.len().max(2) - 1) as f64)
}

/// Points on the walls that a condition names.
fn on_walls_of(coordinates: &[Coordinate], condition: &Condition) -> Vec<Vec<f64>> {
    let mut own: Vec<f64> = (1..=WALL_LOOKS).flat_map(|k| Coordinate::spread(coordinates, k)).collect();
    condition.place.take(coordinates, &mut own);
    own.chunks_exact(coordinates.len()).map(<[f64]>::to_vec).collect()
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

    /// Those of some places at which the function vanishes.
    fn where_it_vanishes(&self, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let own = self.at(rows);
        let most = greatest(&own);
        let zeros = rows.iter().zip(&own).filter(|(_, x)| x.abs() <= 1e-9 * most);
        zeros.map(|(row, _)| row.clone()).collect()
    }

    /// The mean length of the gradient at some places; none if there are none.
    fn slope(&self, rows: &[Vec<f64>]) -> Option<f64> {
        let mut graph = self.graph.clone();
        let mut squares = vec![0.0; rows.len()];
        for c in 0..self.coordinates {
            let derivative = graph.derivative(self.root, c);
            let slopes = values(&graph, derivative, rows);
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
        let exact = exact(&problem, &[Size { offset: 0.0, size: 1.0 }], true, &[]);
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
        for function in [&given, &full] {
            assert!(
                function
                    .at(&on_walls_of(&problem.coordinates, &problem.conditions[1]))
                    .iter()
                    .all(|u| (u - 1.0).abs() < 1e-12)
            );
            assert!(
                function
                    .at(&on_walls_of(&problem.coordinates, &problem.conditions[2]))
                    .iter()
                    .all(|u| u.abs() < 1e-12)
            );
        }
    }

    #[test]
    fn what_does_not_repeat_stays_in_the_loss() {
        let ways = |edge: &str| {
            let text = PLATE.replace(
                "edge = { place = \"wall of plate\", residual = \"u - 1\" }",
                &format!(
                    "edge = {{ place = [\"y = -1\", \"y = 1\"], residual = \"{edge}\" }}\n\
                     sides = {{ place = \"periodic x\" }}"
                ),
            );
            let (problem, _) = Document::parse("test.toml", &text).unwrap().build(".".as_ref()).unwrap();
            let found = exact(&problem, &[Size { offset: 0.0, size: 1.0 }], true, &[]);
            // Of the edges, the sides and the holes.
            found.ways[1..].iter().map(|way| way.as_ref().map(|way| way.enforce)).collect::<Vec<_>>()
        };
        let [exact, loss] = [Enforce::Exact, Enforce::Loss].map(Some);
        // The distance from a hole does not, and what holds on the edges does not ask for it.
        assert_eq!(ways("u - sin(pi*x)"), [exact, exact, loss]);
        assert_eq!(ways("u - x"), [loss, exact, loss]);
    }

    #[test]
    fn a_start_that_agrees_with_the_walls_holds_with_them() {
        let found = |rim: &str, start: &str| {
            let text = format!(
                "coordinates = {{ x = {{}}, y = {{}}, t = [0, 2] }}\nunknowns.u = {{}}\n[shapes]\n\
                 disk = {{ disk = {{ center = [0, 0], radius = 1 }} }}\n[domain]\nregion = \"disk\"\n[conditions]\n\
                 heat = {{ place = \"interior\", residual = \"u_tt - u_xx - u_yy\" }}\n\
                 rim = {{ place = \"wall\", residual = \"{rim}\" }}\n\
                 start = {{ place = \"t = 0\", residual = [{start}] }}"
            );
            let (problem, _) = Document::parse("test.toml", &text).unwrap().build(".".as_ref()).unwrap();
            let exact = exact(&problem, &[Size { offset: 0.0, size: 1.0 }], true, &[]);
            (problem, exact)
        };
        let (problem, both) = found("u - sin(t)", "\"u - (1 - x^2 - y^2)\", \"u_t - 1\"");
        let ansatz = both.ansatz[0].as_ref().expect("an ansatz").replace("net", "(3 + x - t)");
        let Function { mut graph, root, .. } = Function::new(&problem, &ansatz).expect("formula");
        let slope = graph.derivative(root, 2);
        let at = |node, row: &[f64]| values(&graph, node, &[row.to_vec()])[0];
        for row in on_walls_of(&problem.coordinates, &problem.conditions[1]).iter().take(100) {
            assert!((at(root, row) - row[2].sin()).abs() < 1e-12, "{row:?}");
        }
        for mut row in inside(&problem).into_iter().take(100) {
            row[2] = 0.0;
            assert!((at(root, &row) - (1.0 - row[0] * row[0] - row[1] * row[1])).abs() < 1e-12, "{row:?}");
            assert!((at(slope, &row) - 1.0).abs() < 1e-12, "{row:?}");
        }
        let why = |rim: &str, start: &str| {
            let ways = found(rim, start).1.ways;
            let [rim, start] = [1, 2].map(|i| ways[i].clone().expect("a way"));
            assert_eq!(start.enforce, Enforce::Exact, "{start:?}");
            (rim.enforce, rim.why)
        };
        let contradicts = "it contradicts what is given at t = 0 where they meet".to_owned();
        assert_eq!(why("u", "\"u - 1\""), (Enforce::Loss, contradicts.clone()));
        assert_eq!(why("u - sin(t)", "\"u\", \"u_t\""), (Enforce::Loss, contradicts));
        assert_eq!(why("u - sin(t)", "\"u\"").0, Enforce::Exact);
    }

    #[test]
    fn walls_that_meet_share_a_value_that_holds_on_both() {
        let edges = |right: &str| {
            let text = PLATE.replace(
                "edge = { place = \"wall of plate\", residual = \"u - 1\" }",
                &format!(
                    "left = {{ place = \"wall of plate where x = -1\", residual = \"u - (1 - y^2)\" }}\n\
                     ends = {{ place = [\"wall of plate where y = -1\", \"wall of plate where y = 1\"], residual = \"u\" }}\n\
                     right = {{ place = \"wall of plate where x = 1\", residual = \"{right}\" }}"
                ),
            );
            let (problem, _) = Document::parse("test.toml", &text).unwrap().build(".".as_ref()).unwrap();
            exact(&problem, &[Size { offset: 0.0, size: 1.0 }], true, &[]).ansatz[0].clone()
        };
        assert!(edges("u_x").is_some_and(|ansatz| ansatz.contains("1 - y^2")));
        assert_eq!(edges("u - 1"), None);
    }
}
