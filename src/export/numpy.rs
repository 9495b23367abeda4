//! Weights as safetensors, and a page of Markdown whose lines of NumPy evaluate them.
//!
//! Derivatives go through its network only where a window takes one over from the window before.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::program::{Function, Program};
use super::text::{Dialect, calls, chain_rule, statements, tables};
use super::{ExportError, File, Options, VALUES};
use crate::expr::{Node, Unary};
use crate::jet::ProductRule;
use crate::network::{Layer, Op};
use crate::problem::Formula;
use crate::tabulated::{Outside, Tabulated};
use crate::tensor::Tensor;

const NUMPY: Dialect = Dialect {
    declare: "    ",
    end: "",
    unary: |f| match f {
        Unary::Neg => "-",
        Unary::Sin => "np.sin",
        Unary::Cos => "np.cos",
        Unary::Tan => "np.tan",
        Unary::Asin => "np.arcsin",
        Unary::Acos => "np.arccos",
        Unary::Atan => "np.arctan",
        Unary::Sinh => "np.sinh",
        Unary::Cosh => "np.cosh",
        Unary::Tanh => "np.tanh",
        Unary::Exp => "np.exp",
        Unary::Ln => "np.log",
        Unary::Sqrt => "np.sqrt",
        Unary::Abs => "np.abs",
        Unary::Sign => "np.sign",
        Unary::Step => "step",
        Unary::Erf => "erf",
        Unary::Phi => "normal",
    },
    power: "np.power",
    least: "np.minimum",
    greatest: "np.maximum",
};

/// What formulas call that NumPy does not have.
const HELPERS: [(Unary, &str); 3] = [
    (Unary::Step, "def step(a):\n    return 0.5 + 0.5 * np.sign(a)\n"),
    (Unary::Erf, "erf = np.vectorize(math.erf, otypes=[float])\n"),
    (
        Unary::Phi,
        "normal = np.vectorize(lambda a: 0.5 * math.erfc(-a * 0.7071067811865476), otypes=[float])\n",
    ),
];

/// A function that a table gives, as C has it, at many points.
const INTERPOLATE: &str = "\
def cell(axis, degree, held, order, x):
    slack = 1e-9 * (axis[-1] - axis[0])
    beyond = (x < axis[0] - slack) | (x > axis[-1] + slack)
    at = np.clip(x, axis[0], axis[-1])
    low = np.clip(np.searchsorted(axis, at, side=\"right\"), 1, len(axis) - 1) - 1
    h = axis[low + 1] - axis[low]
    p, q = (axis[low + 1] - at) / h, (at - axis[low]) / h
    none = np.zeros_like(at)
    if degree == 0:
        w = [[1.0 * (p > q), none], [1.0 * (p <= q), none]]
    elif order == 0:
        bend = h * h / 6 if degree == 3 else none
        w = [[p, bend * (p**3 - p)], [q, bend * (q**3 - q)]]
    elif order == 1:
        bend = h / 6 if degree == 3 else none
        w = [[-1 / h, -bend * (3 * p * p - 1)], [1 / h, bend * (3 * q * q - 1)]]
    else:
        w = [[none, p], [none, q]] if order == 2 else [[none, -1 / h], [none, 1 / h]]
    missing = order > degree or not held
    w = [[np.where(beyond & (missing or order > 0), np.nan if missing else 0.0, part) for part in end] for end in w]
    return low, w if order <= degree else [[none + np.nan] * 2] * 2

def interpolate(values, axes, degree, held, orders, x):
    x = np.broadcast_arrays(*[np.asarray(part, dtype=float) for part in x])
    cells = [cell(*each) for each in zip(axes, [degree] * len(axes), [held] * len(axes), orders, x)]
    result = 0.0
    for choice in range(1 << 2 * len(axes)):
        node, part, weight = [], 0, 1.0
        for a, (low, w) in enumerate(cells):
            corner, moment = choice >> 2 * a & 1, choice >> 2 * a + 1 & 1
            node.append(low + corner)
            part |= moment << a
            weight = weight * w[corner][moment]
        if part < values.shape[-1]:
            result = result + weight * values[(*node, part)]
    return result

";

pub(super) fn write(program: &Program, options: &Options) -> Result<Vec<File>, ExportError> {
    let function = program.functions.iter().find(|function| function.name == VALUES).expect("it has values");
    let name = format!("{}.safetensors", options.stem);
    let weights = tensors(program);
    let readme = readme(program, function, &name);
    Ok(vec![
        File { name, bytes: weights },
        File { name: format!("{}.md", options.stem), bytes: readme.into_bytes() },
    ])
}

fn tensors(program: &Program) -> Vec<u8> {
    let known = tables(program.formulas());
    let mut tensors = vec![];
    for (k, theta) in program.pieces.iter().enumerate() {
        for (l, layer) in program.layers.dense().enumerate() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            let weights = &theta[layer.weights..][..outputs * inputs];
            let weights = Tensor { numbers: weights, shape: vec![outputs, inputs] };
            let biases = Tensor { numbers: &theta[layer.biases..][..outputs], shape: vec![outputs] };
            tensors.extend([(format!("{k}.{l}.weight"), weights), (format!("{k}.{l}.bias"), biases)]);
        }
        for (l, numbers) in program.layers.numbers.iter().enumerate() {
            let factor =
                Tensor { numbers: &theta[numbers.first..][..numbers.count], shape: vec![numbers.count, 1] };
            tensors.push((format!("{k}.factor.{l}"), factor));
        }
    }
    for (k, table) in known.iter().enumerate() {
        for (a, axis) in table.axes.iter().enumerate() {
            tensors.push((format!("table_{k}.{a}"), Tensor { numbers: axis, shape: vec![axis.len()] }));
        }
        let lengths = table.axes.iter().map(Vec::len).chain([table.parts()]);
        tensors.push((format!("table_{k}"), Tensor { numbers: &table.numbers, shape: lengths.collect() }));
    }
    let about = HashMap::from([("about".to_owned(), program.about.join("\n"))]);
    safetensors::serialize(tensors, Some(about)).expect("whole tensors with names of their own")
}

/// A Python function that returns the roots of a formula.
fn definition(
    program: &Program,
    function: &Function,
    known: &[Arc<Tabulated>],
    name: &str,
    arguments: &str,
    formula: &Formula,
) -> String {
    let leaf = |node| match node {
        Node::Coordinate { coordinate, .. } => format!("x[{coordinate}]"),
        Node::Jet { output, index, .. } => format!("n[{}]", function.place(&program.layers, output, index)),
        Node::Data(column) => format!("c[{column}]"),
        node => unreachable!("{node:?} is a number by now"),
    };
    let (lines, roots) = statements(formula, &NUMPY, known, &leaf);
    let lines: String = lines.into_iter().map(|line| line + "\n").collect();
    format!("def {name}({arguments}):\n{lines}    return [{}]\n\n", roots.join(", "))
}

fn code(program: &Program, function: &Function, file: &str) -> String {
    let called = calls(program.formulas());
    let known = tables(program.formulas());
    let uses_math = called.iter().any(|f| matches!(f, Unary::Erf | Unary::Phi));
    let mut text = if uses_math { "import math\n".to_owned() } else { String::new() };
    let _ = write!(
        text,
        "import numpy as np\nfrom safetensors.numpy import load_file\n\ntensors = load_file(\"{file}\")\n\n"
    );
    for (_, helper) in HELPERS.iter().filter(|(f, _)| called.contains(f)) {
        let _ = writeln!(text, "{helper}");
    }
    if !known.is_empty() {
        text += INTERPOLATE;
    }
    for (k, table) in known.iter().enumerate() {
        let held = if table.outside == Outside::Held { "True" } else { "False" };
        let (count, degree) = (table.axes.len(), table.between.degree());
        let _ = write!(
            text,
            "def table_{k}(*all):  # {}({})\n    axes = [tensors[f\"table_{k}.{{a}}\"] for a in range({count})]\n    \
             return interpolate(tensors[\"table_{k}\"], axes, {degree}, {held}, all[:{count}], all[{count}:])\n\n",
            table.name,
            table.arguments.join(", ")
        );
    }
    let channels = function.jets.channels();
    let behind = (1..channels).map(|k| chain_rule(&function.rule, k, &|channel| format!("z[{channel}]")));
    let behind = ["f0".to_owned()].into_iter().chain(behind).collect::<Vec<_>>().join(", ");
    let activate = |(kind, activation): (usize, &Formula)| {
        let (lines, slopes) = statements(activation, &NUMPY, &known, &|_| "v".to_owned());
        let lines: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
        let slopes = slopes.iter().enumerate().map(|(k, slope)| format!("    f{k} = {slope}\n"));
        let (suffix, slopes) = (function.suffix(kind), slopes.collect::<String>());
        format!("def activate{suffix}(z):\n    v = z[0]\n{lines}{slopes}    return np.stack([{behind}])\n\n")
    };
    let activations: String = function.activations.iter().enumerate().map(activate).collect();
    let d = program.inputs.len();
    let _ = write!(
        text,
        "def dense(piece, layer, a):  # a[0] are values, the others derivatives\n    \
         z = tensors[f\"{{piece}}.{{layer}}.weight\"] @ a\n    z[0] += tensors[f\"{{piece}}.{{layer}}.bias\"][:, None]\n    \
         return z\n\n{activations}{}{}",
        function.gates.as_ref().map_or_else(String::new, |rule| blend(rule, channels)),
        network(program, function)
    );
    let carries = function.carried > 0;
    for (k, piece) in function.pieces.iter().enumerate() {
        text += &definition(program, function, &known, &format!("inputs_{k}"), "x", &piece.inputs);
        text += &definition(program, function, &known, &format!("values_{k}"), "x, n, c", &piece.values);
        if carries {
            text +=
                &definition(program, function, &known, &format!("hand_on_{k}"), "x, n, c", &piece.handed_on);
        }
    }
    text += "def rows(parts, x):\n    return np.stack([np.broadcast_to(part, x.shape[1:]) for part in parts])\n\n";
    let Some(choice) = &program.choice else {
        let _ = write!(
            text,
            "def evaluate(points):  # N × {d} numbers in, N × {} out\n    x = np.asarray(points, dtype=float).T\n    \
             return rows(values_0(x, network(0, rows(inputs_0(x), x)), None), x).T\n",
            program.unknowns.len()
        );
        return text;
    };
    let count = function.pieces.len();
    let list = |part: &str| (0..count).map(|k| format!("{part}_{k}")).collect::<Vec<_>>().join(", ");
    let _ = write!(text, "inputs = [{}]\nvalues = [{}]\n", list("inputs"), list("values"));
    if carries {
        let (before, at) = choice.origins(count);
        let _ = write!(
            text,
            "hand_on = [{}]\nbefore = {before:?}\nbegin = {at:?}\n\ndef take_over(piece, x):\n    \
             if before[piece] < 0:\n        return None\n    joint = x.copy()\n    joint[{}] = begin[piece]\n    \
             return compute(before[piece], hand_on, joint)\n\n",
            list("hand_on"),
            choice.along
        );
    }
    let taken = if carries { "take_over(piece, x)" } else { "None" };
    let _ = write!(
        text,
        "\ndef compute(piece, formulas, x):\n    n = network(piece, rows(inputs[piece](x), x))\n    \
         return rows(formulas[piece](x, n, {taken}), x)\n\n\
         def evaluate(points):  # N × {d} numbers in, N × {m} out\n    x = np.asarray(points, dtype=float).T\n    \
         pieces = np.array({:?})[np.searchsorted({:?}, x[{}], side=\"right\")]\n    \
         y = np.full((x.shape[1], {m}), np.nan)\n    for piece in range({count}):\n        here = pieces == piece\n        \
         y[here] = compute(piece, values, x[:, here]).T\n    return y\n",
        choice.slices,
        choice.joints,
        choice.along,
        m = program.unknowns.len()
    );
    text
}

/// Leibniz's rule for a gate: g x + (1 - g) y on every channel.
fn blend(rule: &ProductRule, channels: usize) -> String {
    let channel = |channel: usize| {
        let terms = rule.terms(channel).iter().map(|term| {
            let [i, k] = term.factors;
            format!(" + {:?} * g[{i}] * d[{k}]", term.coefficient)
        });
        format!("y[{channel}]{}", terms.collect::<String>())
    };
    let sums: Vec<String> = (0..channels).map(channel).collect();
    format!("def blend(g, x, y):\n    d = x - y\n    return np.stack([{}])\n\n", sums.join(", "))
}

/// The function that takes features to raw outputs, array by array.
fn network(program: &Program, function: &Function) -> String {
    let (layers, channels) = (&program.layers, function.jets.channels());
    let factor = |by: usize| format!("tensors[f\"{{piece}}.factor.{by}\"]");
    let mut text = "def network(piece, a):\n".to_owned();
    for (k, part) in layers.parts.iter().enumerate() {
        let own = &part.features;
        let rows = match layers.parts.len() {
            1 => String::new(),
            _ => format!("[{}:{}]", channels * own.start, channels * own.end),
        };
        let _ = writeln!(text, "    x{k} = a{rows}.reshape({channels}, {}, -1)", own.len());
    }
    let read = |layer: &Layer, from: usize| match layer.features {
        Some(_) => format!("x{}", layer.part),
        None => format!("a{from}"),
    };
    let mut layer = 0;
    for (k, step) in layers.steps.iter().enumerate() {
        let made = match *step {
            Op::Dense { layer: own, from, activated } => {
                layer += 1;
                let z = format!("dense(piece, {}, {})", layer - 1, read(&own, from));
                let suffix = function.suffix(program.activations[own.part]);
                if activated { format!("activate{suffix}({z})") } else { z }
            }
            Op::Add { a, b } => format!("a{a} + a{b}"),
            Op::Blend { gate, a, b } => format!("blend(a{gate}, a{a}, a{b})"),
            Op::Mix { by, a, b } => format!("a{b} + {} * (a{a} - a{b})", factor(by)),
            Op::Scale { by, from } => format!("{} * a{from}", factor(by)),
        };
        let _ = writeln!(text, "    a{} = {made}", k + 1);
    }
    let raw = layers.parts.iter().map(|part| {
        let outputs = part.outputs.clone().map(|k| {
            let output = &layers.outputs[k];
            format!("dense(piece, {}, {})", layer + k, read(&output.layer, output.from))
        });
        let sum = outputs.collect::<Vec<_>>().join(" + ");
        format!("({sum}).reshape({}, -1)", channels * part.columns.len())
    });
    let raw: Vec<String> = raw.collect();
    let all =
        if let [only] = &raw[..] { only.clone() } else { format!("np.concatenate([{}])", raw.join(", ")) };
    let _ = write!(text, "    return {all}\n\n");
    text
}

fn readme(program: &Program, function: &Function, file: &str) -> String {
    let mut text = String::new();
    for line in &program.about {
        let _ = writeln!(text, "{line}\n");
    }
    let _ = write!(
        text,
        "`{file}` holds the weights (outputs × inputs) and biases of every layer, in double precision, as `PIECE.LAYER.weight` \
         and `PIECE.LAYER.bias`; trained numbers that multiply, if there are some, are `PIECE.factor.NUMBER`.\n\n| layer | inputs | outputs |\n|---|---|---|\n"
    );
    for (l, layer) in program.layers.dense().enumerate() {
        let _ = writeln!(text, "| {l} | {} | {} |", layer.inputs, layer.outputs);
    }
    let list = |names: Vec<&str>| names.join(", ");
    let _ = write!(
        text,
        "\nA point is {}; its values are {}.\nThis evaluates them:\n\n```python\n{}```\n",
        list(program.inputs.iter().map(|c| c.name.as_str()).collect()),
        list(program.unknowns.iter().map(String::as_str).collect()),
        code(program, function, file)
    );
    text
}
