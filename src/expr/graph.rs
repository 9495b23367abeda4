//! Formulas as a graph of shared nodes: what the engines compute and what is differentiated symbolically.
//!
//! Nodes are interned, so equal sub-expressions are one node, and every node's operands come before it.
//! The graph knows arithmetic and functions known by tables; it does not know networks or problem files.

use std::collections::{BTreeSet, HashMap};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};
use std::sync::Arc;

use crate::jet::MultiIndex;
use crate::limits::{MAX_OPERATIONS, MAX_PLACES};
use crate::tabulated::{Between, MAX_ARGUMENTS, Tabulated};

/// A node of a [`Graph`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The node's place in [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A function of one argument.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unary {
    /// `−a`
    Neg,
    /// `sin a`
    Sin,
    /// `cos a`
    Cos,
    /// `tan a`
    Tan,
    /// `arcsin a`
    Asin,
    /// `arccos a`
    Acos,
    /// `arctan a`
    Atan,
    /// `sinh a`
    Sinh,
    /// `cosh a`
    Cosh,
    /// `tanh a`
    Tanh,
    /// `eᵃ`
    Exp,
    /// The natural logarithm.
    Ln,
    /// `√a`
    Sqrt,
    /// `|a|`; its derivative is [`Unary::Sign`].
    Abs,
    /// −1, 0 or 1.
    Sign,
    /// 0 for a < 0, ½ at 0, 1 for a > 0.
    Step,
    /// The error function.
    Erf,
    /// The standard normal distribution function Φ.
    Phi,
}

impl Unary {
    /// Every function with the name it is called by; `-` is written as an operator instead.
    pub const ALL: [(&'static str, Self); 18] = [
        ("-", Self::Neg),
        ("sin", Self::Sin),
        ("cos", Self::Cos),
        ("tan", Self::Tan),
        ("asin", Self::Asin),
        ("acos", Self::Acos),
        ("atan", Self::Atan),
        ("sinh", Self::Sinh),
        ("cosh", Self::Cosh),
        ("tanh", Self::Tanh),
        ("exp", Self::Exp),
        ("ln", Self::Ln),
        ("sqrt", Self::Sqrt),
        ("abs", Self::Abs),
        ("sign", Self::Sign),
        ("step", Self::Step),
        ("erf", Self::Erf),
        ("Phi", Self::Phi),
    ];

    /// The name the function is called by.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The function's value at `a`; NaN where it has none.
    pub fn apply(self, a: f64) -> f64 {
        match self {
            Self::Neg => -a,
            Self::Sin => a.sin(),
            Self::Cos => a.cos(),
            Self::Tan => a.tan(),
            Self::Asin => a.asin(),
            Self::Acos => a.acos(),
            Self::Atan => a.atan(),
            Self::Sinh => a.sinh(),
            Self::Cosh => a.cosh(),
            Self::Tanh => a.tanh(),
            Self::Exp => a.exp(),
            Self::Ln => a.ln(),
            Self::Sqrt => a.sqrt(),
            Self::Abs => a.abs(),
            Self::Sign if a > 0.0 => 1.0,
            Self::Sign if a < 0.0 => -1.0,
            // Keeps NaN, and makes both zeros 0.
            Self::Sign => a + 0.0,
            Self::Step => 0.5 + 0.5 * Self::Sign.apply(a),
            Self::Erf => libm::erf(a),
            Self::Phi => 0.5 * libm::erfc(-a * FRAC_1_SQRT_2),
        }
    }
}

/// A function of two arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a·b`
    Mul,
    /// `a/b`
    Div,
    /// `aᵇ`; a constant integer exponent takes any base, another needs a positive base.
    Pow,
    /// The smaller.
    Min,
    /// The greater.
    Max,
}

impl Binary {
    /// The operator's symbol, or the function's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Pow => "^",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    /// The operation's value; NaN where it has none.
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            // The commonest power, exact without a call.
            Self::Pow if b == 2.0 => a * a,
            Self::Pow => a.powf(b),
            // Unlike `f64::min`, a NaN is never hidden.
            Self::Min if a.is_nan() || b.is_nan() => f64::NAN,
            Self::Max if a.is_nan() || b.is_nan() => f64::NAN,
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }
}

/// One operation or one input of a formula.
///
/// `side` is 0 where a formula looks at its own point.
/// Periodic conditions look at two opposite points at once: there 0 is the point on the lower face and 1 its partner on
/// the upper face.
/// From [`FIRST_PLACE`] on it is a place that depends on the point, see [`Graph::places`]; no coordinate has such a side.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Node {
    /// A number.
    Constant(f64),
    /// A coordinate of the point.
    Coordinate {
        /// Which coordinate.
        coordinate: usize,
        /// Which of the linked points.
        side: usize,
    },
    /// A further column of the data file the points come from.
    Data(usize),
    /// A derivative of a raw network output.
    Jet {
        /// Which output of the network.
        output: usize,
        /// Which derivative.
        index: MultiIndex,
        /// Which of the linked points.
        side: usize,
    },
    /// A trainable coefficient of the equation.
    Coefficient(usize),
    /// A function of one argument.
    Unary(Unary, NodeId),
    /// A function of two arguments.
    Binary(Binary, NodeId, NodeId),
    /// A derivative of a function that is known by a table; see [`Graph::table`].
    Table(Lookup),
}

/// The side of the first of [`Graph::places`].
pub const FIRST_PLACE: usize = 2;

/// A derivative of a function that is known by a table, at some arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lookup {
    /// The function's place in [`Graph::tables`].
    pub table: u32,
    /// How often it is differentiated along each argument.
    pub orders: [u8; MAX_ARGUMENTS],
    /// Its arguments, of which the first `count` mean something.
    arguments: [NodeId; MAX_ARGUMENTS],
    count: u8,
    /// Has the function kinks or jumps?
    rough: bool,
}

impl Lookup {
    /// The arguments.
    pub fn arguments(&self) -> &[NodeId] {
        &self.arguments[..usize::from(self.count)]
    }
}

impl Node {
    /// The nodes it is computed from.
    pub fn operands(self) -> impl Iterator<Item = NodeId> {
        let (all, count) = match self {
            Self::Unary(_, a) => ([a; MAX_ARGUMENTS], 1),
            Self::Binary(_, a, b) => ([a, b, b], 2),
            Self::Table(lookup) => (lookup.arguments, usize::from(lookup.count)),
            _ => ([NodeId(0); MAX_ARGUMENTS], 0),
        };
        all.into_iter().take(count)
    }

    /// Does it kink or jump somewhere?
    pub fn is_rough(self) -> bool {
        match self {
            Self::Unary(Unary::Abs | Unary::Sign | Unary::Step, _)
            | Self::Binary(Binary::Min | Binary::Max, ..) => true,
            Self::Table(lookup) => lookup.rough,
            _ => false,
        }
    }
}

/// A set of formulas with shared nodes; see the module.
#[derive(Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    interned: HashMap<Key, NodeId>,
    /// For every node the highest order of a network's derivative in it.
    orders: Vec<u8>,
    /// Derivatives that have been taken, so that no node is differentiated twice along a coordinate.
    derivatives: HashMap<(NodeId, usize), NodeId>,
    /// Functions that nodes look up.
    tables: Vec<Arc<Tabulated>>,
    /// For every output, as far as it matters, the coordinates that it does not depend on, a bit for each.
    absent: Vec<u128>,
    /// Places that depend on the point, at which networks are read: a node for every coordinate.
    places: Vec<Vec<NodeId>>,
    /// Sums that integrals are computed by.
    whole: BTreeSet<NodeId>,
}

/// Graphs are equal when their nodes are, in order, and the places that these read.
impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes && self.places == other.places
    }
}

/// The nodes alone: the table that interns them says nothing more, in random order.
impl core::fmt::Debug for Graph {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}

/// A node with its number as bits, so that it can be hashed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Constant(u64),
    Coordinate(usize, usize),
    Data(usize),
    Jet(usize, MultiIndex, usize),
    Coefficient(usize),
    Unary(Unary, NodeId),
    Binary(Binary, NodeId, NodeId),
    Table(Lookup),
}

impl From<Node> for Key {
    fn from(node: Node) -> Self {
        match node {
            Node::Constant(x) => Self::Constant(x.to_bits()),
            Node::Coordinate { coordinate, side } => Self::Coordinate(coordinate, side),
            Node::Data(column) => Self::Data(column),
            Node::Jet { output, index, side } => Self::Jet(output, index, side),
            Node::Coefficient(k) => Self::Coefficient(k),
            Node::Unary(f, a) => Self::Unary(f, a),
            Node::Binary(f, a, b) => Self::Binary(f, a, b),
            Node::Table(lookup) => Self::Table(lookup),
        }
    }
}

impl Graph {
    /// The nodes; operands come before what uses them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The ids of all nodes, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(|i| NodeId(i as u32))
    }

    /// The node behind an id.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// Says that a network's `output` does not depend on `coordinate`: its derivatives along it are zero.
    ///
    /// Derivatives that were taken before stay what they were.
    pub fn set_absent(&mut self, output: usize, coordinate: usize) {
        self.absent.resize(self.absent.len().max(output + 1), 0);
        self.absent[output] |= bit(coordinate);
    }

    /// Does a network's `output` depend on `coordinate`?
    pub fn depends(&self, output: usize, coordinate: usize) -> bool {
        self.absent.get(output).is_none_or(|absent| absent & bit(coordinate) == 0)
    }

    /// The places besides the point itself at which networks are read, each with a node for every coordinate: place k is
    /// side k + [`FIRST_PLACE`] of [`Node::Jet`].
    ///
    /// An integral is a sum over such places.
    pub fn places(&self) -> &[Vec<NodeId>] {
        &self.places
    }

    /// The side of a place, which is added if it is new.
    fn side_of(&mut self, place: Vec<NodeId>) -> usize {
        let known = self.places.iter().position(|known| *known == place).unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        });
        known + FIRST_PLACE
    }

    /// Does a node read a network at another place than its own point?
    pub fn is_elsewhere(&self, node: Node) -> bool {
        !self.place_of(node).is_empty()
    }

    /// The coordinates of the place at which a node reads a network; none if it reads none, or at its own point.
    fn place_of(&self, node: Node) -> &[NodeId] {
        match node {
            Node::Jet { side, .. } if side >= FIRST_PLACE => {
                self.places.get(side - FIRST_PLACE).map_or(&[], |place| &place[..])
            }
            _ => &[],
        }
    }

    /// What a node is made of: its operands, or the coordinates of the place at which it reads a network.
    fn inputs(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let node = self.node(id);
        node.operands().chain(self.place_of(node).iter().copied())
    }

    /// Do `roots` read a network at other places than their own point?
    pub fn looks_elsewhere(&self, roots: &[NodeId]) -> bool {
        let read = self.nodes.iter().zip(self.reachable(roots));
        read.into_iter().any(|(node, needed)| needed && !self.place_of(*node).is_empty())
    }

    /// `root` with the nodes `place` for the coordinates: what it is there, networks included.
    ///
    /// The first `space` of them are those that networks see; data columns are those of the point.
    /// `None` if there would be more operations or places than a problem may have.
    pub fn at(&mut self, root: NodeId, place: &[NodeId], space: usize) -> Option<NodeId> {
        let needed = self.reachable(&[root]);
        let coordinates = (0..space).map(|coordinate| self.insert(Node::Coordinate { coordinate, side: 0 }));
        let stays = coordinates.eq(place[..space].iter().copied());
        let mut copies: Vec<NodeId> = vec![root; needed.len()];
        let mut sides: HashMap<usize, usize> = HashMap::new();
        for id in (0..needed.len()).filter(|&i| needed[i]) {
            if self.nodes.len() > MAX_OPERATIONS || self.places.len() > MAX_PLACES {
                return None;
            }
            let node = self.nodes[id];
            copies[id] = match node {
                Node::Coordinate { coordinate, side: 0 } => {
                    place.get(coordinate).copied().unwrap_or(NodeId(id as u32))
                }
                Node::Jet { output, index, side } if side >= FIRST_PLACE || side == 0 && !stays => {
                    let side = match sides.get(&side) {
                        Some(&side) => side,
                        None => {
                            let to: Vec<NodeId> = match self.place_of(node) {
                                [] => place[..space].to_vec(),
                                own => own.iter().map(|a| copies[a.index()]).collect(),
                            };
                            let there = self.side_of(to);
                            sides.insert(side, there);
                            there
                        }
                    };
                    self.insert(Node::Jet { output, index, side })
                }
                Node::Unary(f, a) => self.unary(f, copies[a.index()]),
                Node::Binary(f, a, b) => self.binary(f, copies[a.index()], copies[b.index()]),
                Node::Table(lookup) => {
                    let arguments: Vec<NodeId> =
                        lookup.arguments().iter().map(|a| copies[a.index()]).collect();
                    let table = self.looked_up(&lookup).clone();
                    self.table(&table, &lookup.orders[..arguments.len()], &arguments)
                }
                _ => NodeId(id as u32),
            };
            if self.whole.contains(&NodeId(id as u32)) {
                self.whole.insert(copies[id]);
            }
        }
        Some(copies[root.index()])
    }

    /// Says that a node is the sum that an integral is computed by.
    pub fn set_whole(&mut self, node: NodeId) {
        self.whole.insert(node);
    }

    /// Is a node the sum that an integral is computed by, which is one term of whatever it stands in?
    pub fn is_whole(&self, node: NodeId) -> bool {
        self.whole.contains(&node)
    }

    /// Takes over what outputs do not depend on.
    fn inherit(&mut self, other: &Self) {
        self.absent.resize(self.absent.len().max(other.absent.len()), 0);
        self.absent.iter_mut().zip(&other.absent).for_each(|(own, other)| *own |= other);
    }

    /// The coordinates that `roots` read themselves, in order; those that networks see are not among them.
    pub fn coordinates(&self, roots: &[NodeId]) -> BTreeSet<usize> {
        let read = self.nodes.iter().zip(self.reachable(roots));
        read.filter_map(|(node, needed)| match *node {
            Node::Coordinate { coordinate, .. } if needed => Some(coordinate),
            _ => None,
        })
        .collect()
    }

    /// The id of the node at `place` in [`Graph::nodes`].
    pub fn id(&self, place: usize) -> Option<NodeId> {
        (place < self.nodes.len()).then_some(NodeId(place as u32))
    }

    /// The id of `node`, which is added if it is new; nothing is simplified.
    pub fn insert(&mut self, node: Node) -> NodeId {
        let next = NodeId(u32::try_from(self.nodes.len()).expect("a formula has fewer than 2³² nodes"));
        let id = *self.interned.entry(node.into()).or_insert(next);
        if id == next {
            self.nodes.push(node);
            let order = match node {
                Node::Jet { index, .. } => u8::try_from(index.order()).unwrap_or(u8::MAX),
                _ => node.operands().map(|a| self.orders[a.index()]).max().unwrap_or(0),
            };
            self.orders.push(order);
        }
        id
    }

    /// The highest order of a network's derivative that `id` reads.
    pub fn order(&self, id: NodeId) -> usize {
        usize::from(self.orders[id.index()])
    }

    /// The number `x`; −0 becomes 0.
    pub fn constant(&mut self, x: f64) -> NodeId {
        self.insert(Node::Constant(if x == 0.0 { 0.0 } else { x }))
    }

    /// `f(a)`, simplified where that leaves every finite value as it is.
    pub fn unary(&mut self, f: Unary, a: NodeId) -> NodeId {
        match (f, self.node(a)) {
            (f, Node::Constant(x)) if f.apply(x).is_finite() => self.constant(f.apply(x)),
            (Unary::Neg, Node::Unary(Unary::Neg, inner)) => inner,
            (Unary::Neg, Node::Binary(Binary::Sub, x, y)) => self.binary(Binary::Sub, y, x),
            _ => self.insert(Node::Unary(f, a)),
        }
    }

    /// `a ∘ b`, simplified where that leaves every finite value as it is.
    pub fn binary(&mut self, f: Binary, a: NodeId, b: NodeId) -> NodeId {
        use Binary::{Add, Div, Max, Min, Mul, Pow, Sub};
        use Unary::Neg;
        let number = |id| match self.node(id) {
            Node::Constant(x) => Some(x),
            _ => None,
        };
        let (x, y) = (number(a), number(b));
        if let (Some(x), Some(y)) = (x, y)
            && f.apply(x, y).is_finite()
        {
            return self.constant(f.apply(x, y));
        }
        let is = |number: Option<f64>, value: f64| number == Some(value);
        match f {
            Add if is(x, 0.0) => b,
            Add | Sub if is(y, 0.0) => a,
            Sub if is(x, 0.0) => self.unary(Neg, b),
            Sub if a == b => self.constant(0.0),
            Mul if is(x, 0.0) || is(y, 0.0) => self.constant(0.0),
            Div if is(x, 0.0) && !is(y, 0.0) => self.constant(0.0),
            Mul if is(x, 1.0) => b,
            Mul | Div | Pow if is(y, 1.0) => a,
            Mul if is(x, -1.0) => self.unary(Neg, b),
            Mul | Div if is(y, -1.0) => self.unary(Neg, a),
            Pow if is(y, 0.0) || is(x, 1.0) => self.constant(1.0),
            Min | Max if a == b => a,
            _ => match (f, self.negated(a), self.negated(b)) {
                (Add, _, Some(b)) => self.binary(Sub, a, b),
                (Add, Some(a), _) => self.binary(Sub, b, a),
                (Sub, _, Some(b)) => self.binary(Add, a, b),
                (Mul | Div, Some(a), Some(b)) => self.binary(f, a, b),
                (Mul | Div, Some(a), None) => {
                    let magnitude = self.binary(f, a, b);
                    self.unary(Neg, magnitude)
                }
                (Mul | Div, None, Some(b)) => {
                    let magnitude = self.binary(f, a, b);
                    self.unary(Neg, magnitude)
                }
                // Commuted operands share a node, in the order they were first written.
                (Add | Mul | Min | Max, ..) => {
                    let swapped = Key::Binary(f, b, a);
                    match self.interned.get(&swapped) {
                        Some(&id) => id,
                        None => self.insert(Node::Binary(f, a, b)),
                    }
                }
                _ => self.insert(Node::Binary(f, a, b)),
            },
        }
    }

    /// The derivative of `table` of these `orders` along its arguments, at `arguments`; a number where these are.
    ///
    /// # Panics
    ///
    /// If there are not as many arguments and orders as the function has.
    pub fn table(&mut self, table: &Arc<Tabulated>, orders: &[u8], arguments: &[NodeId]) -> NodeId {
        let count = table.arguments.len();
        assert!(orders.len() == count && arguments.len() == count, "a function has {count} arguments");
        let numbers = arguments.iter().map(|&a| match self.node(a) {
            Node::Constant(x) => Some(x),
            _ => None,
        });
        if let Some(at) = numbers.collect::<Option<Vec<f64>>>()
            && table.evaluate(&at, orders).is_finite()
        {
            return self.constant(table.evaluate(&at, orders));
        }
        let place = self.tables.iter().position(|known| Arc::ptr_eq(known, table)).unwrap_or_else(|| {
            self.tables.push(table.clone());
            self.tables.len() - 1
        });
        let mut lookup = Lookup {
            table: place as u32,
            orders: [0; MAX_ARGUMENTS],
            arguments: [arguments[0]; MAX_ARGUMENTS],
            count: count as u8,
            rough: table.between != Between::Cubic,
        };
        lookup.orders[..count].copy_from_slice(orders);
        lookup.arguments[..count].copy_from_slice(arguments);
        self.insert(Node::Table(lookup))
    }

    /// The functions that nodes look up.
    pub fn tables(&self) -> &[Arc<Tabulated>] {
        &self.tables
    }

    /// The function that a node looks up.
    pub fn looked_up(&self, lookup: &Lookup) -> &Arc<Tabulated> {
        &self.tables[lookup.table as usize]
    }

    /// A lookup that `roots` need of a derivative that its function does not have.
    pub fn beyond_tables(&self, roots: &[NodeId]) -> Option<Lookup> {
        let needed = self.reachable(roots);
        self.nodes.iter().zip(needed).find_map(|(node, needed)| match node {
            Node::Table(lookup) if needed => {
                let degree = self.looked_up(lookup).between.degree();
                lookup.orders.iter().any(|&order| usize::from(order) > degree).then_some(*lookup)
            }
            _ => None,
        })
    }

    /// What a lookup comes to where `value` says what its arguments are.
    fn look_up(&self, lookup: &Lookup, value: impl Fn(NodeId) -> f64) -> f64 {
        let mut at = [0.0; MAX_ARGUMENTS];
        at.iter_mut().zip(lookup.arguments()).for_each(|(x, &argument)| *x = value(argument));
        self.looked_up(lookup).evaluate(&at, &lookup.orders)
    }

    /// `a` of a node that is `−a`, a negative number included.
    fn negated(&mut self, id: NodeId) -> Option<NodeId> {
        match self.node(id) {
            Node::Unary(Unary::Neg, inner) => Some(inner),
            Node::Constant(x) if x < 0.0 => Some(self.constant(-x)),
            _ => None,
        }
    }

    /// The derivative of `root` along `coordinate`, in total: network outputs depend on the coordinates too.
    ///
    /// The derivative of a data column is zero: it is known at its points only.
    /// At a kink (`abs`, `min`, `max`) it is the mean of both sides; the derivative of a jump is taken as 0.
    pub fn derivative(&mut self, root: NodeId, coordinate: usize) -> NodeId {
        // Depth first, with a stack of its own: graphs may be deeper than the machine's.
        let mut open = vec![root];
        while let Some(&id) = open.last() {
            let waiting = open.len();
            let missing = self.inputs(id).filter(|&a| !self.derivatives.contains_key(&(a, coordinate)));
            open.extend(missing);
            // The last one is done first, and that shall be the left one.
            open[waiting..].reverse();
            if open.len() == waiting {
                open.pop();
                let derivative = self.derivative_of_node(id, coordinate);
                self.derivatives.insert((id, coordinate), derivative);
            }
        }
        self.derivatives[&(root, coordinate)]
    }

    /// The same for a node whose operands' derivatives are known.
    fn derivative_of_node(&mut self, id: NodeId, coordinate: usize) -> NodeId {
        use Binary::{Add, Div, Max, Min, Mul, Pow, Sub};
        let node = self.node(id);
        match node {
            Node::Constant(_) | Node::Data(_) | Node::Coefficient(_) => self.constant(0.0),
            Node::Coordinate { coordinate: c, .. } => self.constant(if c == coordinate { 1.0 } else { 0.0 }),
            Node::Jet { output, index, side } if !self.place_of(node).is_empty() => {
                // The place moves along with the point.
                let mut sum = self.constant(0.0);
                for (along, at) in self.place_of(node).to_vec().into_iter().enumerate() {
                    let pace = self.derivatives[&(at, coordinate)];
                    if self.is_zero(pace) || !self.depends(output, along) {
                        continue;
                    }
                    let slope = self.insert(Node::Jet { output, index: index.plus(along), side });
                    let term = self.binary(Mul, slope, pace);
                    sum = self.binary(Add, sum, term);
                }
                sum
            }
            Node::Jet { output, .. } if !self.depends(output, coordinate) => self.constant(0.0),
            Node::Jet { output, index, side } => {
                self.insert(Node::Jet { output, index: index.plus(coordinate), side })
            }
            Node::Table(lookup) => {
                let table = self.looked_up(&lookup).clone();
                let mut sum = self.constant(0.0);
                for (k, &argument) in lookup.arguments().iter().enumerate() {
                    let inner = self.derivatives[&(argument, coordinate)];
                    if self.is_zero(inner) {
                        continue;
                    }
                    let mut orders = lookup.orders;
                    orders[k] = orders[k].saturating_add(1);
                    let slope = self.table(&table, &orders[..table.arguments.len()], lookup.arguments());
                    let term = self.binary(Mul, slope, inner);
                    sum = self.binary(Add, sum, term);
                }
                sum
            }
            Node::Unary(f, a) => {
                let da = self.derivatives[&(a, coordinate)];
                if self.is_zero(da) {
                    return da;
                }
                let slope = self.slope(f, a, id);
                self.binary(Mul, slope, da)
            }
            Node::Binary(f, a, b) => {
                let (da, db) = (self.derivatives[&(a, coordinate)], self.derivatives[&(b, coordinate)]);
                if self.is_zero(da) && self.is_zero(db) {
                    return da;
                }
                match f {
                    Add | Sub => self.binary(f, da, db),
                    Mul => {
                        let (left, right) = (self.binary(Mul, da, b), self.binary(Mul, a, db));
                        self.binary(Add, left, right)
                    }
                    // (a/b)' = (a' − (a/b)·b')/b
                    Div => {
                        let change = self.binary(Mul, id, db);
                        let top = self.binary(Sub, da, change);
                        self.binary(Div, top, b)
                    }
                    // (aᵇ)' = b·aᵇ⁻¹·a' + aᵇ·ln a·b'; the first term alone is right for any sign of a.
                    Pow => {
                        let mut sum = self.constant(0.0);
                        if !self.is_zero(da) {
                            let one = self.constant(1.0);
                            let less = self.binary(Sub, b, one);
                            let power = self.binary(Pow, a, less);
                            let slope = self.binary(Mul, b, power);
                            sum = self.binary(Mul, slope, da);
                        }
                        if !self.is_zero(db) {
                            let ln = self.unary(Unary::Ln, a);
                            let slope = self.binary(Mul, id, ln);
                            let term = self.binary(Mul, slope, db);
                            sum = self.binary(Add, sum, term);
                        }
                        sum
                    }
                    Min | Max => {
                        let gap = match f {
                            Min => self.binary(Sub, b, a),
                            _ => self.binary(Sub, a, b),
                        };
                        let takes_a = self.unary(Unary::Step, gap);
                        let gap = self.unary(Unary::Neg, gap);
                        let takes_b = self.unary(Unary::Step, gap);
                        let left = self.binary(Mul, takes_a, da);
                        let right = self.binary(Mul, takes_b, db);
                        self.binary(Add, left, right)
                    }
                }
            }
        }
    }

    /// `f'(a)`, where `value` is the node `f(a)`.
    fn slope(&mut self, f: Unary, a: NodeId, value: NodeId) -> NodeId {
        use Binary::{Add, Div, Sub};
        let one = self.constant(1.0);
        match f {
            Unary::Neg => self.constant(-1.0),
            Unary::Sin => self.unary(Unary::Cos, a),
            Unary::Cos => {
                let sin = self.unary(Unary::Sin, a);
                self.unary(Unary::Neg, sin)
            }
            Unary::Tan => {
                let square = self.square(value);
                self.binary(Add, one, square)
            }
            Unary::Asin | Unary::Acos => {
                let square = self.square(a);
                let rest = self.binary(Sub, one, square);
                let root = self.unary(Unary::Sqrt, rest);
                let slope = self.binary(Div, one, root);
                match f {
                    Unary::Asin => slope,
                    _ => self.unary(Unary::Neg, slope),
                }
            }
            Unary::Atan => {
                let square = self.square(a);
                let sum = self.binary(Add, one, square);
                self.binary(Div, one, sum)
            }
            Unary::Sinh => self.unary(Unary::Cosh, a),
            Unary::Cosh => self.unary(Unary::Sinh, a),
            Unary::Tanh => {
                let square = self.square(value);
                self.binary(Sub, one, square)
            }
            Unary::Exp => value,
            Unary::Ln => self.binary(Div, one, a),
            Unary::Sqrt => {
                let half = self.constant(0.5);
                self.binary(Div, half, value)
            }
            Unary::Abs => self.unary(Unary::Sign, a),
            Unary::Sign | Unary::Step => self.constant(0.0),
            Unary::Erf => self.gaussian(a, 1.0, FRAC_2_SQRT_PI),
            Unary::Phi => self.gaussian(a, 0.5, 1.0 / (2.0 * PI).sqrt()),
        }
    }

    fn square(&mut self, a: NodeId) -> NodeId {
        let two = self.constant(2.0);
        self.binary(Binary::Pow, a, two)
    }

    /// `factor · exp(−rate·a²)`
    fn gaussian(&mut self, a: NodeId, rate: f64, factor: f64) -> NodeId {
        let square = self.square(a);
        let minus_rate = self.constant(-rate);
        let exponent = self.binary(Binary::Mul, minus_rate, square);
        let exp = self.unary(Unary::Exp, exponent);
        let factor = self.constant(factor);
        self.binary(Binary::Mul, factor, exp)
    }

    fn is_zero(&self, id: NodeId) -> bool {
        self.node(id) == Node::Constant(0.0)
    }

    /// Copies `roots` into `target`, where `leaf` says what becomes of every constant and input.
    ///
    /// This is substitution; what is built anew is simplified anew.
    pub fn transplant(
        &self,
        roots: &[NodeId],
        target: &mut Self,
        mut leaf: impl FnMut(&mut Self, Node) -> NodeId,
    ) -> Vec<NodeId> {
        target.inherit(self);
        let needed = self.reachable(roots);
        let mut copies = vec![NodeId(0); needed.len()];
        for (i, &node) in self.nodes[..needed.len()].iter().enumerate() {
            if needed[i] {
                copies[i] = match node {
                    Node::Unary(f, a) => target.unary(f, copies[a.index()]),
                    Node::Binary(f, a, b) => target.binary(f, copies[a.index()], copies[b.index()]),
                    Node::Table(lookup) => {
                        let arguments: Vec<NodeId> =
                            lookup.arguments().iter().map(|a| copies[a.index()]).collect();
                        target.table(self.looked_up(&lookup), &lookup.orders[..arguments.len()], &arguments)
                    }
                    Node::Jet { output, index, .. } if !self.place_of(node).is_empty() => {
                        let place = self.place_of(node).iter().map(|a| copies[a.index()]).collect();
                        let side = target.side_of(place);
                        leaf(target, Node::Jet { output, index, side })
                    }
                    node => leaf(target, node),
                };
                if self.whole.contains(&NodeId(i as u32)) {
                    target.whole.insert(copies[i]);
                }
            }
        }
        roots.iter().map(|root| copies[root.index()]).collect()
    }

    /// What `roots` need and nothing else, in an order that depends on the formulas alone.
    pub fn extract(&self, roots: &[NodeId]) -> (Self, Vec<NodeId>) {
        let mut graph = Self { absent: self.absent.clone(), ..Self::default() };
        let mut copies = HashMap::new();
        // Depth first, with a stack of its own: graphs may be deeper than the machine's.
        let mut open: Vec<NodeId> = roots.iter().rev().copied().collect();
        while let Some(&id) = open.last() {
            let node = self.node(id);
            // The last one pushed is done first.
            let waiting = open.len();
            let missing = self.inputs(id).filter(|a| !copies.contains_key(a));
            open.extend(missing.collect::<Vec<_>>().into_iter().rev());
            if open.len() == waiting {
                open.pop();
                let copy = match node {
                    Node::Unary(f, a) => Node::Unary(f, copies[&a]),
                    Node::Binary(f, a, b) => Node::Binary(f, copies[&a], copies[&b]),
                    Node::Table(lookup) => {
                        let arguments: Vec<NodeId> = lookup.arguments().iter().map(|a| copies[a]).collect();
                        let orders = &lookup.orders[..arguments.len()];
                        copies.insert(id, graph.table(self.looked_up(&lookup), orders, &arguments));
                        continue;
                    }
                    Node::Jet { output, index, .. } if !self.place_of(node).is_empty() => {
                        let place = self.place_of(node).iter().map(|a| copies[a]).collect();
                        Node::Jet { output, index, side: graph.side_of(place) }
                    }
                    leaf => leaf,
                };
                // Met a second time, a node is interned as the same copy.
                let copy = graph.insert(copy);
                copies.insert(id, copy);
                if self.whole.contains(&id) {
                    graph.whole.insert(copy);
                }
            }
        }
        let roots = roots.iter().map(|root| copies[root]).collect();
        (graph, roots)
    }

    /// Computes every node at one point; `input` is asked for each input node, `values[id.index()]` holds the answers.
    ///
    /// `values` is scratch: reuse it, and a loop over points does not allocate.
    pub fn eval(&self, values: &mut Vec<f64>, mut input: impl FnMut(Node) -> f64) {
        self.eval_at(1, values, |node, _| input(node));
    }

    /// As [`Graph::eval`] at so many points, one node after the other: `values[id.index() * points + point]` holds the answers,
    /// and `input` is asked for each input node at each point.
    pub fn eval_at(&self, points: usize, values: &mut Vec<f64>, mut input: impl FnMut(Node, usize) -> f64) {
        values.resize(self.nodes.len() * points, 0.0);
        for (i, &node) in self.nodes.iter().enumerate() {
            let (known, rest) = values.split_at_mut(i * points);
            let to = &mut rest[..points];
            let of = |a: NodeId| &known[a.index() * points..][..points];
            match node {
                Node::Constant(x) => to.fill(x),
                Node::Unary(f, a) => to.iter_mut().zip(of(a)).for_each(|(to, &a)| *to = f.apply(a)),
                Node::Binary(f, a, b) => {
                    to.iter_mut().zip(of(a)).zip(of(b)).for_each(|((to, &a), &b)| *to = f.apply(a, b));
                }
                Node::Table(ref lookup) => {
                    let at = |point: usize| self.look_up(lookup, |a| known[a.index() * points + point]);
                    to.iter_mut().enumerate().for_each(|(point, to)| *to = at(point));
                }
                node => to.iter_mut().enumerate().for_each(|(point, to)| *to = input(node, point)),
            }
        }
    }

    /// For every node up to the last root: do the roots need it?
    pub fn reachable(&self, roots: &[NodeId]) -> Vec<bool> {
        let length = roots.iter().map(|root| root.index() + 1).max().unwrap_or(0);
        let mut needed = vec![false; length];
        for root in roots {
            needed[root.index()] = true;
        }
        for i in (0..length).rev() {
            if needed[i] {
                for input in self.inputs(NodeId(i as u32)) {
                    needed[input.index()] = true;
                }
            }
        }
        needed
    }

    /// The network's derivatives that `roots` read: output and multi-index, in order.
    pub fn jets(&self, roots: &[NodeId]) -> BTreeSet<(usize, MultiIndex)> {
        let needed = self.reachable(roots);
        self.nodes
            .iter()
            .zip(needed)
            .filter_map(|(node, needed)| match *node {
                Node::Jet { output, index, .. } if needed => Some((output, index)),
                _ => None,
            })
            .collect()
    }

    /// For every node: does it change with the network or a coefficient?
    ///
    /// The others depend on coordinates and data alone and can be computed once for each set of points.
    pub fn varies(&self) -> Vec<bool> {
        let mut varies = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let leaf = matches!(node, Node::Jet { .. } | Node::Coefficient(_));
            varies.push(leaf || node.operands().any(|a| varies[a.index()]));
        }
        varies
    }
}

/// The bit of a coordinate; none for inputs that are called coordinates for want of another name.
fn bit(coordinate: usize) -> u128 {
    u32::try_from(coordinate).ok().and_then(|coordinate| 1_u128.checked_shl(coordinate)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ast::{Expr, Kind};
    use super::super::{COMPOSED, Composed, Context, Meaning, Scope, parse, random};
    use super::*;
    use crate::properties::properties;

    const COORDINATES: Context = Context { place: "this formula", allowed: &[Meaning::Coordinate] };

    fn lower(graph: &mut Graph, expr: &Expr) -> NodeId {
        let scope = Scope::new(graph, &["x", "t"]);
        let mut errors = Vec::new();
        let node = scope.lower(expr, graph, COORDINATES, &mut errors);
        node.unwrap_or_else(|| panic!("{errors:?}"))
    }

    fn value(graph: &Graph, root: NodeId, point: [f64; 2]) -> f64 {
        let mut values = Vec::new();
        graph.eval(&mut values, |leaf| match leaf {
            Node::Coordinate { coordinate, .. } => point[coordinate],
            other => panic!("{other:?}"),
        });
        values[root.index()]
    }

    /// The formula as simplified.
    fn check(text: &str, expected: &str) {
        let mut graph = Graph::default();
        let root = lower(&mut graph, &parse(text).unwrap());
        assert_eq!(shown(&graph, root), expected, "{text}");
    }

    fn shown(graph: &Graph, root: NodeId) -> String {
        let name = |leaf| match leaf {
            Node::Coordinate { coordinate, .. } => ["x", "t"][coordinate].to_owned(),
            other => format!("{other:?}"),
        };
        graph.to_expr(root, 1000, &name).unwrap().to_string()
    }

    #[test]
    fn formulas_are_simplified() {
        check("1 + 2*3", "7");
        check("x*0 + t*1 - 0", "t");
        check("0 - x", "-x");
        check("--x", "x");
        check("x + -t", "x - t");
        check("-x + t", "t - x");
        check("x - -t", "x + t");
        check("-x*-t", "x*t");
        check("-2*x + t", "t - 2*x");
        check("-(x - t)", "t - x");
        check("x - x", "0");
        check("x^1 + x^0", "x + 1");
        check("0/x", "0");
        check("x*t - t*x", "0");
        check("max(x, x)", "x");
        check("sqrt(4)*x", "2*x");
        // What is not finite is left to be found.
        check("1/0", "1/0");
        check("ln(0)", "ln(0)");
        check("x - 2", "x - 2");
        check("x + -2", "x - 2");
    }

    #[test]
    fn many_points_have_the_values_of_each() {
        let mut graph = Graph::default();
        for text in ["2*sin(x*t)^3 - exp(t)/x", "max(x, t) + 1", "7"] {
            lower(&mut graph, &parse(text).unwrap());
        }
        let points: Vec<[f64; 2]> = (1..6).map(|i| [0.3 * f64::from(i), 1.0 - 0.2 * f64::from(i)]).collect();
        let mut all = vec![f64::NAN; 3];
        graph.eval_at(points.len(), &mut all, |leaf, point| match leaf {
            Node::Coordinate { coordinate, .. } => points[point][coordinate],
            other => panic!("{other:?}"),
        });
        for (i, &point) in points.iter().enumerate() {
            for node in 0..graph.nodes.len() {
                assert_eq!(all[node * points.len() + i], value(&graph, NodeId(node as u32), point));
            }
        }
    }

    #[test]
    fn functions_have_their_known_values() {
        let check = |f: Unary, a: f64, expected: f64| {
            let value = f.apply(a);
            // Far out, rounding the argument of erfc costs Φ a digit.
            assert!((value - expected).abs() <= 1e-14 * expected.abs(), "{f:?}({a}) = {value:e}");
        };
        check(Unary::Erf, 0.5, 0.520_499_877_813_046_5);
        check(Unary::Erf, 2.0, 0.995_322_265_018_952_7);
        check(Unary::Phi, 0.0, 0.5);
        check(Unary::Phi, 1.0, 0.841_344_746_068_542_9);
        check(Unary::Phi, -6.0, 9.865_876_450_376_981e-10);
        check(Unary::Step, -2.0, 0.0);
        check(Unary::Step, 0.0, 0.5);
        check(Unary::Sign, -0.0, 0.0);
        assert!(Unary::Sign.apply(f64::NAN).is_nan());
        assert!(Binary::Max.apply(f64::NAN, 1.0).is_nan());
        assert_eq!(Binary::Pow.apply(-2.0, 3.0), -8.0);
        assert_eq!(Binary::Pow.apply(-2.0, -2.0), 0.25);
    }

    #[test]
    fn names_belong_to_their_functions() {
        for (place, (_, f)) in Unary::ALL.into_iter().enumerate() {
            assert_eq!(f as usize, place);
        }
    }

    /// Richardson's extrapolation of central differences, and how far it may be off.
    fn difference(f: impl Fn(f64) -> f64, x: f64) -> (f64, f64) {
        let slope = |h: f64| (f(x + h) - f(x - h)) / (2.0 * h);
        let (a, b, c) = (slope(4e-3), slope(2e-3), slope(1e-3));
        let (ab, bc) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
        let rounding = 1e-12 * (f(x + 1e-3).abs() + f(x - 1e-3).abs());
        (bc + (bc - ab) / 15.0, (bc - ab).abs() + rounding)
    }

    #[test]
    fn every_function_has_its_derivative() {
        let check = |text: &str, points: &[f64]| {
            let mut graph = Graph::default();
            let root = lower(&mut graph, &parse(text).unwrap());
            let mut root = root;
            // The first four derivatives, each against differences of the one before.
            for order in 1..=4 {
                let slope = graph.derivative(root, 0);
                for &x in points {
                    let (expected, _) = difference(|x| value(&graph, root, [x, 0.7]), x);
                    let found = value(&graph, slope, [x, 0.7]);
                    let scale = expected.abs().max(1.0);
                    assert!(
                        (found - expected).abs() < 1e-6 * scale,
                        "{text}, order {order} at {x}: {found} {expected}"
                    );
                }
                root = slope;
            }
        };
        let (both, positive) = ([-0.8, -0.3, 0.4, 0.9], [0.3, 0.8, 2.5]);
        for (name, _) in Unary::ALL.into_iter().skip(1) {
            match name {
                "ln" | "sqrt" => check(&format!("{name}(x)"), &positive),
                "asin" | "acos" => check(&format!("{name}(x)"), &both[1..3]),
                _ => check(&format!("{name}(1.3*x)"), &both),
            }
        }
        for text in [
            "x^3",
            "x^-2",
            "x^4*t",
            "2^x",
            "t^x",
            "x/(2 + x^2)",
            "(x + t)*x",
            "min(x, x^2)",
            "max(x, x^2*t)",
            "-x^2",
        ] {
            check(text, &both);
        }
        check("x^x", &positive);
        check("x^2.5", &positive);
        check("(x^2 + t)^(x*t)", &both);
    }

    #[test]
    fn composed_functions_have_their_values_and_derivatives() {
        use std::f64::consts::{FRAC_PI_2, LN_2, LN_10};
        // A value and a slope in closed form, at points of every branch.
        type Pair = (fn(f64) -> f64, fn(f64) -> f64);
        let check = |name: &str, (f, slope): Pair, points: &[f64]| {
            let mut graph = Graph::default();
            let root = lower(&mut graph, &parse(&format!("{name}(x)")).unwrap());
            let derivative = graph.derivative(root, 0);
            for &x in points {
                for (root, expected) in [(root, f(x)), (derivative, slope(x))] {
                    let found = value(&graph, root, [x, 0.0]);
                    let error = (found - expected).abs();
                    assert!(error <= 1e-13 * expected.abs().max(1e-3), "{name}({x}): {found:e} {expected:e}");
                }
            }
        };
        let (both, positive) = ([-3.0, -0.4, 0.2, 2.5], [1e-3, 0.5, 100.0]);
        check("log10", (f64::log10, |x| 1.0 / (x * LN_10)), &positive);
        check("log2", (f64::log2, |x| 1.0 / (x * LN_2)), &positive);
        check("sec", (|x| x.cos().recip(), |x| x.tan() / x.cos()), &both);
        check("csc", (|x| x.sin().recip(), |x| -x.cos() / x.sin().powi(2)), &both);
        check("cot", (|x| x.tan().recip(), |x| -x.sin().powi(-2)), &both);
        check("sech", (|x| x.cosh().recip(), |x| -x.tanh() / x.cosh()), &[-3.0, 0.0, 2.5]);
        check("csch", (|x| x.sinh().recip(), |x| -x.cosh() / x.sinh().powi(2)), &both);
        check("coth", (|x| x.tanh().recip(), |x| -x.sinh().powi(-2)), &both);
        check("asinh", (f64::asinh, |x| 1.0 / x.hypot(1.0)), &[-1e6, -0.4, 0.0, 0.2, 1e6]);
        check("acosh", (f64::acosh, |x| 1.0 / (x * x - 1.0).sqrt()), &[1.1, 3.0, 1e5]);
        check("atanh", (f64::atanh, |x| 1.0 / (1.0 - x * x)), &[-0.9, 0.0, 0.5]);
        check("cbrt", (f64::cbrt, |x| x.cbrt().powi(-2) / 3.0), &both);
        check("sigmoid", (|x| 1.0 / (1.0 + (-x).exp()), |x| 0.25 / (x / 2.0).cosh().powi(2)), &both);
        check("erfc", (libm::erfc, |x| -FRAC_2_SQRT_PI * (-x * x).exp()), &[-2.0, 0.0, 0.5, 6.0]);
        check("heaviside", (|x| if x > 0.0 { 1.0 } else { 0.0 }, |_| 0.0), &both);
        let known: Vec<_> =
            COMPOSED.iter().map(|f| f.name).filter(|name| !["atan2", "hypot"].contains(name)).collect();
        assert_eq!(known.len(), 15, "a new function wants a line above: {known:?}");

        // Angle and distance in the plane: quadrants, axes and diagonals, both sides of the cut, far and near.
        let mut graph = Graph::default();
        let angle = lower(&mut graph, &parse("atan2(t, x)").unwrap());
        let distance = lower(&mut graph, &parse("hypot(t, x)").unwrap());
        let slopes = [(angle, 0), (angle, 1), (distance, 0), (distance, 1)];
        let slopes = slopes.map(|(root, along)| graph.derivative(root, along));
        let turning = graph.derivative(slopes[0], 0);
        for r in [1e-6, 0.7, 1e6] {
            for (x, y) in (-1..=1).flat_map(|i| (-1..=1).map(move |j| (f64::from(i), f64::from(j)))) {
                for (x, y) in [(r * x, r * y), (r * x, 1e-9 * r * y), (1e-9 * r * x, r * y)] {
                    if (x, y) == (0.0, 0.0) {
                        continue;
                    }
                    let (square, distance_from) = (x * x + y * y, x.hypot(y));
                    let expected = [-y / square, x / square, x / square.sqrt(), y / square.sqrt()];
                    let sizes = [1.0 / distance_from, 1.0 / distance_from, 1.0, 1.0];
                    for ((root, expected), size) in slopes.into_iter().zip(expected).zip(sizes) {
                        let found = value(&graph, root, [x, y]);
                        assert!((found - expected).abs() <= 1e-14 * size, "({x}, {y}): {found} {expected}");
                    }
                    let second = value(&graph, turning, [x, y]);
                    let expected = 2.0 * x * y / (square * square);
                    assert!((second - expected).abs() <= 1e-14 / square, "({x}, {y}): {second} {expected}");
                    assert!((value(&graph, angle, [x, y]) - y.atan2(x)).abs() < 1e-15 * 8.0, "({x}, {y})");
                    assert!((value(&graph, distance, [x, y]) / x.hypot(y) - 1.0).abs() < 1e-15);
                }
            }
        }
        assert_eq!(value(&graph, angle, [0.0, 0.0]), 0.0);
        assert_eq!(value(&graph, angle, [0.0, 2.0]), FRAC_PI_2);
        assert_eq!(value(&graph, angle, [-1.0, 0.0]), PI);
    }

    #[test]
    fn kinks_take_the_mean_of_both_sides() {
        let check = |text: &str, expected: f64| {
            let mut graph = Graph::default();
            let root = lower(&mut graph, &parse(text).unwrap());
            let slope = graph.derivative(root, 0);
            assert_eq!(value(&graph, slope, [0.0, 0.0]), expected);
        };
        check("abs(x)", 0.0);
        check("max(x, 0)", 0.5);
        check("min(x, 3*x)", 2.0);
        check("x^2", 0.0);
        check("x^3", 0.0);
        check("x^1", 1.0);
    }

    #[test]
    fn derivatives_of_outputs_are_jets_of_higher_order() {
        let mut graph = Graph::default();
        let jet = |order| Node::Jet {
            output: 1,
            index: (0..order).fold(MultiIndex::VALUE, |i, _| i.plus(0)),
            side: 0,
        };
        let u = graph.insert(jet(0));
        let x = graph.insert(Node::Coordinate { coordinate: 0, side: 0 });
        let product = graph.binary(Binary::Mul, x, u);
        let once = graph.derivative(product, 0);
        let twice = graph.derivative(once, 0);
        let orders: Vec<_> = graph.jets(&[twice]).iter().map(|(o, i)| (*o, i.order())).collect();
        assert_eq!(orders, [(1, 1), (1, 2)]);
        let (lean, roots) = graph.extract(&[twice]);
        // (x·u)_xx = u_x + (u_x + x·u_xx)
        let mut values = Vec::new();
        lean.eval(&mut values, |leaf| match leaf {
            leaf if leaf == jet(1) => 5.0,
            leaf if leaf == jet(2) => 7.0,
            _ => 3.0,
        });
        assert_eq!(values[roots[0].index()], 2.0 * 5.0 + 3.0 * 7.0);
        let varies = lean.varies();
        assert!(varies[roots[0].index()]);
        assert_eq!(varies.iter().filter(|v| !**v).count(), 1, "only x is fixed");
    }

    properties! {
        #[test]
        fn simplifying_keeps_finite_values(expr in random::expr(), x in -2.0..2.0f64, t in -2.0..2.0f64) {
            let plain = plain_value(&expr, x, t);
            let mut graph = Graph::default();
            let root = lower(&mut graph, &expr);
            let simplified = value(&graph, root, [x, t]);
            if bounded(&expr, x, t, f64::MAX) {
                prop_assert_eq!(simplified, plain);
            }
            let (lean, roots) = graph.extract(&[root]);
            let extracted = value(&lean, roots[0], [x, t]);
            prop_assert_eq!(extracted.to_bits(), simplified.to_bits());
        }

        #[test]
        fn derivatives_agree_with_differences(expr in random::expr(), x in -2.0..2.0f64, t in -2.0..2.0f64) {
            // Among huge numbers differences see nothing but rounding.
            if !bounded(&expr, x, t, 1e6) {
                return Ok(());
            }
            let mut graph = Graph::default();
            let root = lower(&mut graph, &expr);
            let slope = graph.derivative(root, 0);
            let (expected, doubt) = difference(|x| value(&graph, root, [x, t]), x);
            let found = value(&graph, slope, [x, t]);
            // Where differences do not settle (kinks, poles, edges) they tell nothing.
            let settled = doubt < 1e-6 * expected.abs().max(1e-3);
            if !settled || !found.is_finite() {
                return Ok(());
            }
            let close = (found - expected).abs() <= 1e-4 * expected.abs().max(1e-3);
            prop_assert!(close, "{}: {} {}", expr, found, expected);
        }

        #[test]
        fn what_is_printed_means_the_same(expr in random::expr(), x in -2.0..2.0f64, t in -2.0..2.0f64) {
            let mut graph = Graph::default();
            let root = lower(&mut graph, &expr);
            if let Ok(again) = parse(&shown(&graph, root)) {
                let mut second = Graph::default();
                let copy = lower(&mut second, &again);
                let (a, b) = (value(&graph, root, [x, t]), value(&second, copy, [x, t]));
                prop_assert!(a == b || !a.is_finite(), "{} {}", a, b);
            }
        }
    }

    fn plain_value(expr: &Expr, x: f64, t: f64) -> f64 {
        match &expr.kind {
            Kind::Number(number) => *number,
            Kind::Name(name) => {
                if name == "x" {
                    x
                } else {
                    t
                }
            }
            Kind::Unary(f, a) => f.apply(plain_value(a, x, t)),
            Kind::Binary(f, a, b) => f.apply(plain_value(a, x, t), plain_value(b, x, t)),
            Kind::Call(function, arguments) => {
                let values: Vec<_> = arguments.iter().map(|a| plain_value(a, x, t)).collect();
                composed_value(&parse(function.meaning).unwrap(), function, &values)
            }
            _ => unreachable!("none is declared here"),
        }
    }

    fn composed_value(expr: &Expr, function: &Composed, values: &[f64]) -> f64 {
        let value = |a| composed_value(a, function, values);
        match &expr.kind {
            Kind::Name(name) => match function.arguments.iter().position(|argument| argument == name) {
                Some(i) => values[i],
                None => PI,
            },
            Kind::Unary(f, a) => f.apply(value(a)),
            Kind::Binary(f, a, b) => f.apply(value(a), value(b)),
            _ => plain_value(expr, 0.0, 0.0),
        }
    }

    /// Are all intermediate values of at most this size?
    fn bounded(expr: &Expr, x: f64, t: f64, size: f64) -> bool {
        let operands = match &expr.kind {
            Kind::Number(_) | Kind::Name(_) => true,
            Kind::Unary(_, a) => bounded(a, x, t, size),
            Kind::Binary(_, a, b) => bounded(a, x, t, size) && bounded(b, x, t, size),
            Kind::Call(_, arguments) => arguments.iter().all(|a| bounded(a, x, t, size)),
            _ => unreachable!("none is declared here"),
        };
        operands && plain_value(expr, x, t).abs() <= size
    }
}
