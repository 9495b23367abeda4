//! Formulas over a problem's coordinates and its named numbers: computed at points, and written out.
//!
//! Parameters, and π, stay names, so that what is derived reads like what it was derived from.
//! They are inputs like coordinates, behind these: first the coordinates, then a place for the unknown, then the names.
//! It knows the language and the domain; it does not know conditions.

use core::f64::consts::PI;

use crate::expr::ast::Kind;
use crate::expr::{Binary, Digits, Expr, Graph, Meaning, Node, NodeId, Scope, Symbol};
use crate::jet::MultiIndex;
use crate::problem::{Body, Condition, Coordinate, Problem, RESIDUAL, Windows};

/// Points at which formulas are looked at, besides corners and what is next to edges.
const LOOKS: usize = 200;
/// Places of its box that are tried for each point of a domain made of shapes.
const TRIED: usize = 50;
/// Corners that are looked at, at the most.
const CORNERS: usize = 64;
/// Coordinates along which formulas are looked at next to edges, at the most; of more, every second, third, ….
const MOST_NEAR: usize = 16;
/// How near to edges formulas are looked at, in units of the domain's sides.
const NEAR: [f64; 3] = [1e-9, 1e-6, 1e-3];

/// The inputs of formulas.
pub(super) struct Space<'a> {
    pub(super) coordinates: &'a [Coordinate],
    /// Parameters and π: names and numbers.
    names: Vec<(&'a str, f64)>,
    scope: Scope,
    /// Where time is cut: which coordinate that is, and the length of the first window.
    window: Option<(usize, f64)>,
    /// The domain, if it is made of shapes.
    domain: Option<&'a Body>,
}

fn window(problem: &Problem) -> Option<(usize, f64)> {
    if problem.training.windows.count() == 1 {
        return None;
    }
    let windows = Windows::new(problem).ok()?;
    let (from, to) = windows.all[0].span();
    Some((windows.along, to - from))
}

impl<'a> Space<'a> {
    /// The inputs of the formulas of `problem`, declared in `graph`.
    pub(super) fn new(problem: &'a Problem, graph: &mut Graph) -> Self {
        let coordinates: Vec<&str> = problem.coordinates.iter().map(|c| c.name.as_str()).collect();
        let mut scope = Scope::new(graph, &coordinates);
        problem.declare_tables(&mut scope);
        let mut names: Vec<_> =
            problem.parameters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        names.push(("pi", PI));
        for (i, (name, _)) in names.iter().enumerate() {
            let node = Node::Coordinate { coordinate: coordinates.len() + 1 + i, side: 0 };
            scope.set(name, Symbol::Value(Meaning::Parameter, graph.insert(node)));
        }
        for (k, trainable) in problem.trainable.iter().enumerate() {
            let node = graph.insert(Node::Coefficient(k));
            scope.set(&trainable.name, Symbol::Value(Meaning::Trainable, node));
        }
        for (output, unknown) in problem.unknowns.iter().enumerate() {
            let others = (0..coordinates.len()).filter(|&coordinate| !unknown.depends_on(coordinate));
            others.for_each(|coordinate| graph.set_absent(output, coordinate));
            let node = graph.insert(Node::Jet { output, index: MultiIndex::VALUE, side: 0 });
            scope.set(&unknown.name, Symbol::Value(Meaning::Unknown, node));
        }
        let domain = problem.geometry.as_ref().map(|geometry| &geometry.domain);
        let coordinates = &problem.coordinates;
        let mut space = Self { coordinates, names, scope, window: window(problem), domain };
        for (name, text) in &problem.written.definitions {
            if let Some(node) = space.lowered(graph, text) {
                space.scope.set(name, Symbol::Value(Meaning::Definition, node));
            }
        }
        space
    }

    /// The input that stands for an unknown.
    pub(super) fn unknown(&self) -> usize {
        self.coordinates.len()
    }

    /// π, by its name.
    pub(super) fn pi(&self, graph: &mut Graph) -> NodeId {
        let pi = self.names.iter().position(|(name, _)| *name == "pi").expect("a name of every space");
        graph.insert(Node::Coordinate { coordinate: self.coordinates.len() + 1 + pi, side: 0 })
    }

    /// A residual of `condition`, over the unknowns' own derivatives.
    pub(super) fn residual(&self, graph: &mut Graph, condition: &Condition, which: usize) -> Option<NodeId> {
        self.lowered(graph, &condition.written[which])
    }

    /// A formula of the language.
    pub(super) fn lowered(&self, graph: &mut Graph, text: &str) -> Option<NodeId> {
        self.scope.lower(&self.scope.parse(text).ok()?, graph, RESIDUAL, &mut vec![])
    }

    /// The width of the domain along a coordinate.
    pub(super) fn side(&self, coordinate: usize) -> f64 {
        self.coordinates[coordinate].upper - self.coordinates[coordinate].lower
    }

    /// Does a face lie at an end of its coordinate?
    pub(super) fn is_end(&self, (coordinate, at): (usize, f64)) -> bool {
        let along = &self.coordinates[coordinate];
        at == along.lower || at == along.upper
    }

    /// How far it is to a face at an end of a coordinate.
    pub(super) fn distance(&self, graph: &mut Graph, (coordinate, at): (usize, f64)) -> NodeId {
        let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
        let wall = graph.constant(at);
        match at == self.coordinates[coordinate].upper {
            true => graph.binary(Binary::Sub, wall, x),
            false => graph.binary(Binary::Sub, x, wall),
        }
    }

    /// The length of the first window along a coordinate, if that is cut.
    pub(super) fn window(&self, coordinate: usize) -> Option<f64> {
        self.window.filter(|(cut, _)| *cut == coordinate).map(|(_, length)| length)
    }

    /// Inputs all over the part of the domain where some coordinates are fixed.
    pub(super) fn sites(&self, fixed: &[(usize, f64)]) -> Vec<Vec<f64>> {
        let all = sites(self.coordinates, fixed);
        let Some(domain) = self.domain else { return self.inputs(all) };
        // Formulas need not make sense where the domain is not.
        let more = (1..=LOOKS * TRIED).map(|k| {
            let mut row = Coordinate::spread(self.coordinates, k);
            fixed.iter().for_each(|&(c, value)| row[c] = value);
            row
        });
        let inside: Vec<Vec<f64>> = more.filter(|row| domain.contains(row)).take(LOOKS).collect();
        self.inputs(if inside.is_empty() { all } else { inside })
    }

    /// Rows of coordinates with all other inputs behind them.
    pub(super) fn inputs(&self, mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        for row in &mut rows {
            row.push(f64::NAN);
            row.extend(self.names.iter().map(|(_, value)| value));
        }
        rows
    }

    /// `root` over coordinates, names and `net` as a formula of the language; `None` if it has more than `limit` operations.
    pub(super) fn text(&self, graph: &Graph, root: NodeId, limit: usize) -> Option<String> {
        let name = |node: Node| match node {
            Node::Coordinate { coordinate, .. } if coordinate < self.unknown() => {
                self.coordinates[coordinate].name.clone()
            }
            Node::Coordinate { coordinate, .. } => self.names[coordinate - self.unknown() - 1].0.to_owned(),
            _ => "net".to_owned(),
        };
        let mut expr = graph.to_expr(root, limit, &name)?;
        name_pi(&mut expr);
        Some(expr.to_string())
    }
}

/// Writes numbers that are simple multiples of π as such.
fn name_pi(expr: &mut Expr) {
    match &mut expr.kind {
        Kind::Number(x) => {
            let multiple = Digits::rounded(*x / PI, 3);
            if multiple != 0.0 && multiple * PI == *x {
                let pi = Expr::from(Kind::Name("pi".to_owned()));
                expr.kind = match multiple {
                    1.0 => pi.kind,
                    _ => {
                        let number = Expr::from(Kind::Number(multiple));
                        Kind::Binary(Binary::Mul, Box::new(number), Box::new(pi))
                    }
                };
            }
        }
        Kind::Name(_) => {}
        Kind::Unary(_, a) => name_pi(a),
        Kind::Binary(_, a, b) => {
            name_pi(a);
            name_pi(b);
        }
        Kind::Call(_, arguments) | Kind::Table(_, arguments) | Kind::At(_, arguments) => {
            arguments.iter_mut().for_each(name_pi);
        }
        Kind::Integral(integral) => integral.parts_mut().for_each(name_pi),
    }
}

/// Points all over the part of the domain where some coordinates are fixed: Halton's, corners, and points on and next to
/// edges.
pub(super) fn sites(coordinates: &[Coordinate], fixed: &[(usize, f64)]) -> Vec<Vec<f64>> {
    let free: Vec<usize> = (0..coordinates.len()).filter(|c| fixed.iter().all(|(f, _)| f != c)).collect();
    let end = |c: usize, upper: bool| if upper { coordinates[c].upper } else { coordinates[c].lower };
    let count = if free.is_empty() { 1 } else { LOOKS };
    let mut sites: Vec<Vec<f64>> = (1..=count).map(|k| Coordinate::spread(coordinates, k)).collect();
    if !free.is_empty() {
        // Of many coordinates those beyond the first few go along with these.
        let bits = free.len().min(CORNERS.ilog2() as usize);
        for corner in 0..1_usize << bits {
            let mut site = sites[corner].clone();
            free.iter().enumerate().for_each(|(i, &c)| site[c] = end(c, corner >> (i % bits) & 1 == 1));
            sites.push(site);
        }
    }
    for &c in free.iter().step_by(free.len().div_ceil(MOST_NEAR).max(1)) {
        let side = coordinates[c].upper - coordinates[c].lower;
        for (k, near) in NEAR.into_iter().chain([0.0]).enumerate() {
            for upper in [false, true] {
                let mut site = sites[k].clone();
                site[c] = end(c, upper) + side * if upper { -near } else { near };
                sites.push(site);
            }
        }
    }
    for site in &mut sites {
        fixed.iter().for_each(|&(c, value)| site[c] = value);
    }
    sites
}

/// Does `root` read an input?
pub(super) fn reads(graph: &Graph, root: NodeId, input: usize) -> bool {
    let needed = graph.reachable(&[root]);
    graph.nodes().iter().zip(needed).any(|(node, needed)| {
        needed && matches!(node, Node::Coordinate { coordinate, .. } if *coordinate == input)
    })
}

/// The values of a formula at some sites.
pub(super) fn values(graph: &Graph, root: NodeId, sites: &[Vec<f64>]) -> Vec<f64> {
    let (lean, roots) = graph.extract(&[root]);
    let mut scratch = Vec::new();
    let value = |site: &Vec<f64>| {
        lean.eval(&mut scratch, |node| match node {
            Node::Coordinate { coordinate, .. } => site[coordinate],
            _ => f64::NAN,
        });
        scratch[roots[0].index()]
    };
    sites.iter().map(value).collect()
}

/// `root` with a number in place of an input.
pub(super) fn fixed(graph: &mut Graph, root: NodeId, input: usize, value: f64) -> NodeId {
    let (lean, roots) = graph.extract(&[root]);
    let leaf = |graph: &mut Graph, node: Node| match node {
        Node::Coordinate { coordinate, .. } if coordinate == input => graph.constant(value),
        node => graph.insert(node),
    };
    lean.transplant(&roots, graph, leaf)[0]
}

/// The greatest magnitude; NaN if one of them is.
pub(super) fn greatest(values: &[f64]) -> f64 {
    values
        .iter()
        .fold(0.0, |most: f64, x| if x.is_nan() || most.is_nan() { f64::NAN } else { most.max(x.abs()) })
}
