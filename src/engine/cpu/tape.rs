//! A formula compiled for blocks of points: forward, and in reverse.
//!
//! Every live node has a register of one number for each site of the block (a site is a point, or a linked pair).
//! What depends on coordinates and data alone is computed once, when points are set, and read as a column.
//! This file knows arithmetic; it does not know networks.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

use std::collections::BTreeMap;

use pulp::{NullaryFnOnce, Simd};

use crate::expr::{Binary, Graph, Node, NodeId, Unary};
use crate::jet::JetSet;
use crate::problem::{Formula, point_of_side};
use crate::simd::Real;

/// A compiled formula.
pub(in crate::engine) struct Tape {
    graph: Graph,
    /// Numbers, filled once into a workspace.
    constants: Vec<(usize, f64)>,
    /// Nodes that depend on the point alone, and their registers.
    columns: Vec<(usize, NodeId)>,
    /// Raw network jets, and their registers.
    jets: Vec<JetInput>,
    /// Trainable coefficients, and their registers.
    coefficients: Vec<(usize, usize)>,
    ops: Vec<Op>,
    roots: Vec<usize>,
    /// Does the register depend on the network or a coefficient?
    live: Vec<bool>,
}

/// A channel of a network output at one of the linked points.
#[derive(Clone, Copy)]
pub(in crate::engine) struct JetInput {
    pub(in crate::engine) register: usize,
    pub(in crate::engine) output: usize,
    pub(in crate::engine) channel: usize,
    pub(in crate::engine) side: usize,
}

/// One operation.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Op {
    pub(in crate::engine) code: Code,
    pub(in crate::engine) to: usize,
    pub(in crate::engine) a: usize,
    pub(in crate::engine) b: usize,
}

/// What an operation computes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::engine) enum Code {
    Unary(Unary),
    Binary(Binary),
    /// A constant integer power.
    Power(i32),
}

impl Tape {
    /// Compiles `formula`, whose jets must all lie in `jets`.
    pub(in crate::engine) fn new(formula: &Formula, jets: &JetSet) -> Self {
        let graph = &formula.graph;
        let nodes = graph.nodes();
        let mut needed = vec![false; nodes.len()];
        let live = graph.varies();
        for root in &formula.roots {
            needed[root.index()] = true;
        }
        for (i, node) in nodes.iter().enumerate().rev() {
            if !(needed[i] && live[i]) {
                continue;
            }
            match *node {
                Node::Unary(_, a) => needed[a.index()] = true,
                Node::Binary(_, a, b) => {
                    needed[a.index()] = true;
                    // A constant integer exponent is part of the operation.
                    if integer_exponent(graph, *node).is_none() {
                        needed[b.index()] = true;
                    }
                }
                _ => {}
            }
        }
        let mut tape = Self {
            graph: graph.clone(),
            constants: vec![],
            columns: vec![],
            jets: vec![],
            coefficients: vec![],
            ops: vec![],
            roots: vec![],
            live: vec![],
        };
        let mut registers = BTreeMap::new();
        for ((i, node), id) in nodes.iter().enumerate().zip(graph.ids()).filter(|&((i, _), _)| needed[i]) {
            let to = tape.live.len();
            tape.live.push(live[i]);
            registers.insert(i, to);
            match *node {
                Node::Constant(x) => tape.constants.push((to, x)),
                _ if !live[i] => tape.columns.push((to, id)),
                Node::Jet { output, index, side } => {
                    let channel = jets.channel(index).expect("the jet set holds what the formula needs");
                    let side = point_of_side(side);
                    tape.jets.push(JetInput { register: to, output, channel, side });
                }
                Node::Coefficient(k) => tape.coefficients.push((to, k)),
                Node::Unary(f, a) => {
                    let a = registers[&a.index()];
                    tape.ops.push(Op { code: Code::Unary(f), to, a, b: a });
                }
                Node::Binary(f, a, b) => {
                    let a = registers[&a.index()];
                    tape.ops.push(match integer_exponent(graph, *node) {
                        Some(n) => Op { code: Code::Power(n), to, a, b: a },
                        None => Op { code: Code::Binary(f), to, a, b: registers[&b.index()] },
                    });
                }
                Node::Coordinate { .. } | Node::Data(_) | Node::Table(_) => {
                    unreachable!("coordinates, data and what tables make of them are columns")
                }
            }
        }
        tape.roots = formula.roots.iter().map(|root| registers[&root.index()]).collect();
        tape
    }

    /// Registers of one number a site each.
    pub(in crate::engine) fn registers(&self) -> usize {
        self.live.len()
    }

    /// How many values the formula has.
    pub(in crate::engine) fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The jets the formula reads.
    pub(in crate::engine) fn jets(&self) -> &[JetInput] {
        &self.jets
    }

    /// Registers and indices of the trainable coefficients.
    pub(in crate::engine) fn coefficients(&self) -> &[(usize, usize)] {
        &self.coefficients
    }

    /// Registers of the columns that depend on the point alone.
    pub(in crate::engine) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(|&(register, _)| register)
    }

    /// The columns' nodes, to be evaluated when points are set.
    pub(in crate::engine) fn column_formula(&self) -> Formula {
        Formula { graph: self.graph.clone(), roots: self.columns.iter().map(|&(_, node)| node).collect() }
    }

    /// Registers of constants, and the numbers.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn constants(&self) -> &[(usize, f64)] {
        &self.constants
    }

    /// The operations, operands before results.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Does a register depend on the network or a coefficient?
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn is_live(&self, register: usize) -> bool {
        self.live[register]
    }

    /// Fills the registers of constants, which nothing overwrites later.
    pub(super) fn fill_constants<R: Real>(&self, registers: &mut [R], stride: usize) {
        for &(register, x) in &self.constants {
            registers[register * stride..][..stride].fill(R::from_f64(x));
        }
    }
}

/// The exponent of `aⁿ` where n is a constant integer of moderate size.
fn integer_exponent(graph: &Graph, node: Node) -> Option<i32> {
    let Node::Binary(Binary::Pow, _, b) = node else { return None };
    match graph.node(b) {
        Node::Constant(n) if n.fract() == 0.0 && n.abs() <= 64.0 => Some(n as i32),
        _ => None,
    }
}

/// Computes every operation of a tape; registers are `stride` apart, a multiple of the lanes.
pub(super) struct Forward<'a, R, S> {
    pub(super) simd: S,
    pub(super) tape: &'a Tape,
    pub(super) stride: usize,
    pub(super) registers: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Forward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, tape, stride, registers } = self;
        for op in &tape.ops {
            // Operands come before results, so the split separates them.
            let (before, rest) = registers.split_at_mut(op.to * stride);
            let to = &mut rest[..stride];
            let a = &before[op.a * stride..][..stride];
            let b = &before[op.b * stride..][..stride];
            match op.code {
                Code::Binary(Binary::Add) => each(simd, to, a, b, |a, b| R::add(simd, a, b)),
                Code::Binary(Binary::Sub) => each(simd, to, a, b, |a, b| R::sub(simd, a, b)),
                Code::Binary(Binary::Mul) => each(simd, to, a, b, |a, b| R::mul(simd, a, b)),
                Code::Binary(Binary::Div) => each(simd, to, a, b, |a, b| R::div(simd, a, b)),
                Code::Binary(Binary::Min) => {
                    each(simd, to, a, b, |a, b| R::select(simd, R::less(simd, b, a), b, a));
                }
                Code::Binary(Binary::Max) => {
                    each(simd, to, a, b, |a, b| R::select(simd, R::less(simd, a, b), b, a));
                }
                Code::Unary(Unary::Neg) => each(simd, to, a, b, |a, _| R::neg(simd, a)),
                Code::Unary(Unary::Abs) => each(simd, to, a, b, |a, _| R::abs(simd, a)),
                Code::Unary(Unary::Sqrt) => each(simd, to, a, b, |a, _| R::sqrt(simd, a)),
                Code::Power(2) => each(simd, to, a, b, |a, _| R::mul(simd, a, a)),
                Code::Power(3) => each(simd, to, a, b, |a, _| R::mul(simd, R::mul(simd, a, a), a)),
                Code::Power(n) => each_number(to, a, |a| a.powi(n)),
                Code::Unary(f) => each_number(to, a, |a| f.apply(a)),
                Code::Binary(Binary::Pow) => {
                    for i in 0..stride {
                        to[i] = R::from_f64(Binary::Pow.apply(a[i].to_f64(), b[i].to_f64()));
                    }
                }
            }
        }
    }
}

/// Adjoints of every live register from those of the roots, which are set before; others start at zero.
pub(super) struct Backward<'a, R, S> {
    pub(super) simd: S,
    pub(super) tape: &'a Tape,
    pub(super) stride: usize,
    pub(super) registers: &'a [R],
    pub(super) adjoints: &'a mut [R],
}

impl<R: Real, S: Simd> NullaryFnOnce for Backward<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, tape, stride, registers, adjoints } = self;
        for op in tape.ops.iter().rev() {
            let (before, rest) = adjoints.split_at_mut(op.to * stride);
            let bar = &rest[..stride];
            let a = &registers[op.a * stride..][..stride];
            let b = &registers[op.b * stride..][..stride];
            let y = &registers[op.to * stride..][..stride];
            if tape.live[op.a] {
                let a_bar = &mut before[op.a * stride..][..stride];
                match op.code {
                    Code::Binary(Binary::Add | Binary::Sub) => {
                        gather(simd, a_bar, bar, a, b, |sum, bar, _, _| R::add(simd, sum, bar));
                    }
                    Code::Binary(Binary::Mul) => {
                        gather(simd, a_bar, bar, a, b, |sum, bar, _, b| R::mul_add(simd, bar, b, sum));
                    }
                    Code::Binary(Binary::Div) => gather(simd, a_bar, bar, a, b, |sum, bar, _, b| {
                        R::add(simd, sum, R::div(simd, bar, b))
                    }),
                    Code::Unary(Unary::Neg) => {
                        gather(simd, a_bar, bar, a, b, |sum, bar, _, _| R::sub(simd, sum, bar));
                    }
                    Code::Power(2) => gather(simd, a_bar, bar, a, b, |sum, bar, a, _| {
                        R::mul_add(simd, R::add(simd, a, a), bar, sum)
                    }),
                    Code::Power(n) => {
                        slope(a_bar, bar, |i| f64::from(n) * a[i].to_f64().powi(n - 1));
                    }
                    Code::Unary(f) => slope(a_bar, bar, |i| unary_slope(f, a[i].to_f64(), y[i].to_f64())),
                    Code::Binary(f) => {
                        slope(a_bar, bar, |i| {
                            binary_slopes(f, a[i].to_f64(), b[i].to_f64(), y[i].to_f64()).0
                        });
                    }
                }
            }
            if let Code::Binary(f) = op.code
                && tape.live[op.b]
            {
                let b_bar = &mut before[op.b * stride..][..stride];
                match f {
                    Binary::Add => gather(simd, b_bar, bar, a, b, |sum, bar, _, _| R::add(simd, sum, bar)),
                    Binary::Sub => gather(simd, b_bar, bar, a, b, |sum, bar, _, _| R::sub(simd, sum, bar)),
                    Binary::Mul => {
                        gather(simd, b_bar, bar, a, b, |sum, bar, a, _| R::mul_add(simd, bar, a, sum));
                    }
                    Binary::Div | Binary::Pow | Binary::Min | Binary::Max => {
                        slope(b_bar, bar, |i| {
                            binary_slopes(f, a[i].to_f64(), b[i].to_f64(), y[i].to_f64()).1
                        });
                    }
                }
            }
        }
    }
}

/// `to = f(a, b)`, register by register.
#[inline(always)]
fn each<S: Simd, R: Real>(
    simd: S,
    to: &mut [R],
    a: &[R],
    b: &[R],
    f: impl Fn(R::Vector<S>, R::Vector<S>) -> R::Vector<S>,
) {
    let lanes = R::lanes::<S>();
    for i in (0..to.len() / lanes * lanes).step_by(lanes) {
        let (a, b, to) = (&a[i..i + lanes], &b[i..i + lanes], &mut to[i..i + lanes]);
        // SAFETY: the three slices hold `lanes` numbers each.
        unsafe {
            let value = f(R::load(simd, a.as_ptr()), R::load(simd, b.as_ptr()));
            R::store(simd, to.as_mut_ptr(), value);
        }
    }
}

/// `to = f(a)` in double precision, number by number: for functions too rare to vectorize.
#[inline(always)]
fn each_number<R: Real>(to: &mut [R], a: &[R], f: impl Fn(f64) -> f64) {
    for (to, a) in to.iter_mut().zip(a) {
        *to = R::from_f64(f(a.to_f64()));
    }
}

/// `sum = f(sum, bar, a, b)`, register by register.
#[inline(always)]
fn gather<S: Simd, R: Real>(
    simd: S,
    sum: &mut [R],
    bar: &[R],
    a: &[R],
    b: &[R],
    f: impl Fn(R::Vector<S>, R::Vector<S>, R::Vector<S>, R::Vector<S>) -> R::Vector<S>,
) {
    let lanes = R::lanes::<S>();
    for i in (0..sum.len() / lanes * lanes).step_by(lanes) {
        let (bar, a, b) = (&bar[i..i + lanes], &a[i..i + lanes], &b[i..i + lanes]);
        let sum = &mut sum[i..i + lanes];
        // SAFETY: the four slices hold `lanes` numbers each.
        unsafe {
            let value = f(
                R::load(simd, sum.as_ptr()),
                R::load(simd, bar.as_ptr()),
                R::load(simd, a.as_ptr()),
                R::load(simd, b.as_ptr()),
            );
            R::store(simd, sum.as_mut_ptr(), value);
        }
    }
}

/// `sum += bar · derivative(i)`, number by number; a zero adjoint adds nothing, whatever the derivative.
#[inline(always)]
fn slope<R: Real>(sum: &mut [R], bar: &[R], derivative: impl Fn(usize) -> f64) {
    for i in 0..sum.len() {
        let bar = bar[i].to_f64();
        if bar != 0.0 {
            sum[i] = R::from_f64(sum[i].to_f64() + bar * derivative(i));
        }
    }
}

/// The derivative of `f` at `a`, where `y = f(a)` is known.
fn unary_slope(f: Unary, a: f64, y: f64) -> f64 {
    match f {
        Unary::Neg => -1.0,
        Unary::Sin => a.cos(),
        Unary::Cos => -a.sin(),
        Unary::Tan => 1.0 + y * y,
        Unary::Asin => 1.0 / (1.0 - a * a).sqrt(),
        Unary::Acos => -1.0 / (1.0 - a * a).sqrt(),
        Unary::Atan => 1.0 / (1.0 + a * a),
        Unary::Sinh => a.cosh(),
        Unary::Cosh => a.sinh(),
        Unary::Tanh => 1.0 - y * y,
        Unary::Exp => y,
        Unary::Ln => 1.0 / a,
        Unary::Sqrt => 0.5 / y,
        Unary::Abs => Unary::Sign.apply(a),
        Unary::Sign | Unary::Step => 0.0,
        Unary::Erf => std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp(),
        Unary::Phi => (-0.5 * a * a).exp() / (2.0 * std::f64::consts::PI).sqrt(),
    }
}

/// The derivatives of `f` by its two arguments, where `y = f(a, b)` is known.
fn binary_slopes(f: Binary, a: f64, b: f64, y: f64) -> (f64, f64) {
    match f {
        Binary::Add => (1.0, 1.0),
        Binary::Sub => (1.0, -1.0),
        Binary::Mul => (b, a),
        Binary::Div => (1.0 / b, -y / b),
        Binary::Pow => (b * a.powf(b - 1.0), y * a.ln()),
        Binary::Min => (Unary::Step.apply(b - a), Unary::Step.apply(a - b)),
        Binary::Max => (Unary::Step.apply(a - b), Unary::Step.apply(b - a)),
    }
}
