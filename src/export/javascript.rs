//! JavaScript: a module of its own, and the functions that a run's page evaluates.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::layers::{Helper, calls as network_calls, helpers};
use super::program::{Function, Program};
use super::text::{Dialect, calls, chain_rule, statements, tables};
use super::{DERIVATIVES, ExportError, File, Options, VALUES};
use crate::expr::{Node, Unary};
use crate::problem::Formula;
use crate::tabulated::{Outside, Tabulated};

const JAVASCRIPT: Dialect = Dialect {
    declare: "    const ",
    end: ";",
    unary: |f| match f {
        Unary::Neg => "-",
        Unary::Sin => "Math.sin",
        Unary::Cos => "Math.cos",
        Unary::Tan => "Math.tan",
        Unary::Asin => "Math.asin",
        Unary::Acos => "Math.acos",
        Unary::Atan => "Math.atan",
        Unary::Sinh => "Math.sinh",
        Unary::Cosh => "Math.cosh",
        Unary::Tanh => "Math.tanh",
        Unary::Exp => "Math.exp",
        Unary::Ln => "Math.log",
        Unary::Sqrt => "Math.sqrt",
        Unary::Abs => "Math.abs",
        Unary::Sign => "Math.sign",
        Unary::Step => "step",
        Unary::Erf => "erf",
        Unary::Phi => "normal",
    },
    power: "Math.pow",
    least: "Math.min",
    greatest: "Math.max",
};

const STEP: &str = "const step = a => 0.5 + 0.5 * Math.sign(a);\n";

/// A series below 2.5 and a continued fraction above it (Abramowitz and Stegun 7.1.6 and 7.1.14).
const ERROR_FUNCTION: &str = "\
function erf(a) {
    if (!(Math.abs(a) < 2.5)) return Math.sign(a) * (1 - erfc(Math.abs(a)));
    let term = a, sum = a;
    for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) sum += term *= 2 * a * a / (2 * k + 1);
    return 2 / Math.sqrt(Math.PI) * Math.exp(-a * a) * sum;
}
function erfc(a) {
    if (a < 2.5) return a < -2.5 ? 2 - erfc(-a) : 1 - erf(a);
    let rest = a;
    for (let k = 40; k > 0; k--) rest = a + 0.5 * k / rest;
    return Math.exp(-a * a) / (Math.sqrt(Math.PI) * rest);
}
const normal = a => 0.5 * erfc(-a * Math.SQRT1_2);
";

/// z = W a + b for the value and W a for each of its derivatives.
const DENSE: &str = "\
function dense(w, at, channels, from, to, a, z) {
    const b = at + from * to;
    for (let c = 0; c < channels; c++) {
        for (let j = 0; j < to; j++) {
            let sum = c === 0 ? w[b + j] : 0;
            for (let i = 0, row = at + j * from, own = c * from; i < from; i++) sum += w[row + i] * a[own + i];
            z[c * to + j] = sum;
        }
    }
}
";

/// Numbers of which a text holds so many of the first bytes each.
const NUMBERS: &str = "\
function numbers(text, count) {
    const kept = atob(text), n = kept.length / count, bytes = new Uint8Array(8 * n);
    for (let i = 0; i < n; i++) for (let k = 0; k < count; k++) bytes[8 * i + 8 - count + k] = kept.charCodeAt(count * i + k);
    return new Float64Array(bytes.buffer);
}
";

/// A function that a table gives, as C has it.
const INTERPOLATE: &str = "\
function cell(axis, degree, held, order, x) {
    const count = axis.length, first = axis[0], last = axis[count - 1], slack = 1e-9 * (last - first);
    const w = [[0, 0], [0, 0]];
    if (Number.isNaN(x) || order > degree) return null;
    if (x < first - slack || x > last + slack) {
        if (!held) return null;
        if (order > 0) return { low: 0, w };
    }
    x = Math.min(Math.max(x, first), last);
    let low = 0;
    for (let end = count - 1; end - low > 1;) { const middle = (low + end) >> 1; if (axis[middle] <= x) low = middle; else end = middle; }
    const h = axis[low + 1] - axis[low], p = (axis[low + 1] - x) / h, q = (x - axis[low]) / h;
    const cubic = degree === 3;
    if (degree === 0) w[p > q ? 0 : 1][0] = 1;
    else if (order === 0) {
        w[0][0] = p; w[1][0] = q;
        if (cubic) { w[0][1] = h * h / 6 * (p * p * p - p); w[1][1] = h * h / 6 * (q * q * q - q); }
    } else if (order === 1) {
        w[0][0] = -1 / h; w[1][0] = 1 / h;
        if (cubic) { w[0][1] = -h / 6 * (3 * p * p - 1); w[1][1] = h / 6 * (3 * q * q - 1); }
    } else if (order === 2) { w[0][1] = p; w[1][1] = q; }
    else { w[0][1] = -1 / h; w[1][1] = 1 / h; }
    return { low, w };
}
function interpolate(values, axes, degree, held, orders, x) {
    const n = axes.length, parts = degree === 3 ? 1 << n : 1, cells = [];
    for (let a = 0; a < n; a++) {
        const found = cell(axes[a], degree, held, orders[a], x[a]);
        if (!found) return NaN;
        cells.push(found);
    }
    let sum = 0;
    for (let choice = 0; choice < 1 << 2 * n; choice++) {
        let weight = 1, node = 0, part = 0;
        for (let a = 0; a < n; a++) {
            const corner = choice >> 2 * a & 1, moment = choice >> 2 * a + 1 & 1;
            weight *= cells[a].w[corner][moment];
            node = node * axes[a].length + cells[a].low + corner;
            part |= moment << a;
        }
        if (weight !== 0) sum += weight * values[node * parts + part];
    }
    return sum;
}
";

/// The numbers of a table, and the function that formulas call.
fn table(k: usize, table: &Tabulated) -> String {
    let packed = |numbers: &[f64]| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        format!("numbers(\"{}\", 8)", STANDARD.encode(bytes))
    };
    let axes: Vec<String> = table.axes.iter().map(|axis| packed(axis)).collect();
    let count = axes.len();
    format!(
        "const table_{k} = (() => {{\n    const values = {};\n    const axes = [{}];\n    \
         return (...all) => interpolate(values, axes, {}, {}, all.slice(0, {count}), all.slice({count}));\n}})();\n",
        packed(&table.numbers),
        axes.join(", "),
        table.between.degree(),
        table.outside == Outside::Held
    )
}

/// What networks call that are more than layers one after the other.
const ON_ARRAYS: [(Helper, &str); 3] = [
    (
        Helper::Add,
        "function add(count, x, y, to) {\n    for (let i = 0; i < count; i++) to[i] = x[i] + y[i];\n}\n",
    ),
    (
        Helper::Scale,
        "function scale(w, at, step, channels, width, x, to) {\n    for (let c = 0; c < channels; c++) {\n        \
         for (let j = 0; j < width; j++) to[c * width + j] = w[at + step * j] * x[c * width + j];\n    }\n}\n",
    ),
    (
        Helper::Mix,
        "function mix(w, at, count, x, y, to) {\n    \
         for (let i = 0; i < count; i++) to[i] = y[i] + w[at] * (x[i] - y[i]);\n}\n",
    ),
];

pub(super) fn write(program: &Program, options: &Options) -> Result<Vec<File>, ExportError> {
    let mut text = String::new();
    for line in &program.about {
        let _ = writeln!(text, "// {}", line.replace(['\n', '\r', '\u{2028}', '\u{2029}'], " "));
    }
    let names = |names: Vec<&str>| serde_json::to_string(&names).expect("texts");
    let (d, m) = (program.inputs.len(), program.unknowns.len());
    let _ = write!(
        text,
        "// Written by pinn-solve.\n\nconst functions = {};\n\n\
         /** What a point consists of, in order. */\nexport const coordinates = {};\n\
         /** What it has values for. */\nexport const unknowns = {};\n\n\
         /** The unknowns at a point. */\nexport function evaluate(x) {{\n    \
         return functions.{VALUES}(x, new Array({m}));\n}}\n\n\
         /** The unknowns, first[k][i] = du[k]/dx[i] and second[k][i][j] = d2u[k]/dx[i]dx[j]. */\n\
         export function derivatives(x) {{\n    const y = functions.{DERIVATIVES}(x, []);\n    \
         const rows = (from, n) => Array.from({{ length: {m} }}, (_, k) => y.slice(from + k * n, from + (k + 1) * n));\n    \
         const pairs = rows({m} + {m} * {d}, {pairs});\n    \
         const place = (i, j) => i <= j ? i * {d} - i * (i - 1) / 2 + j - i : place(j, i);\n    \
         const each = Array.from({{ length: {d} }}, (_, i) => i);\n    \
         return {{\n        values: y.slice(0, {m}),\n        first: rows({m}, {d}),\n        \
         second: pairs.map(pair => each.map(i => each.map(j => pair[place(i, j)]))),\n    }};\n}}\n",
        functions(program, &[], usize::MAX),
        names(program.inputs.iter().map(|c| c.name.as_str()).collect()),
        names(program.unknowns.iter().map(String::as_str).collect()),
        pairs = d * (d + 1) / 2,
    );
    Ok(vec![File { name: format!("{}.js", options.stem), bytes: text.into_bytes() }])
}

/// An expression for an object of functions (x, y) that fill y and return it: those of `program`, and `closed` forms over
/// coordinates by name.
///
/// Weights that would take more than `room` bytes are rounded.
pub fn functions(program: &Program, closed: &[(String, Formula)], room: usize) -> String {
    let mut text = "(() => {\n".to_owned();
    let all = program.formulas().into_iter().chain(closed.iter().map(|(_, formula)| formula));
    let known = tables(all.clone());
    let called = calls(all);
    if called.contains(&Unary::Step) {
        text += STEP;
    }
    if called.iter().any(|f| matches!(f, Unary::Erf | Unary::Phi)) {
        text += ERROR_FUNCTION;
    }
    text += DENSE;
    let needed = helpers(program);
    for (_, helper) in ON_ARRAYS.iter().filter(|(helper, _)| needed.contains(helper)) {
        text += helper;
    }
    text += NUMBERS;
    if !known.is_empty() {
        text += INTERPOLATE;
    }
    for (k, table) in known.iter().enumerate() {
        text += &self::table(k, table);
    }
    text += &weights(program, room);
    if let Some(choice) = &program.choice {
        let _ = writeln!(
            text,
            "const joints = {:?}, slices = {:?};\n\
             const pieceOf = x => {{ let s = 0; while (s < joints.length && joints[s] <= x[{}]) s++; return slices[s]; }};",
            choice.joints, choice.slices, choice.along
        );
    }
    let mut names: Vec<&str> = vec![];
    for function in &program.functions {
        text += &self::function(program, function, &known);
        names.push(&function.name);
    }
    for (name, formula) in closed {
        let _ =
            writeln!(text, "function {name}(x, y) {{\n{}    return y;\n}}", body(None, &known, formula, "y"));
        names.push(name);
    }
    let _ = write!(text, "return {{ {} }};\n}})()", names.join(", "));
    text
}

/// All weights, the first bytes of each number: as many as there is `room` for, and five at least, which are nine digits.
fn weights(program: &Program, room: usize) -> String {
    let count: usize = program.pieces.iter().map(Vec::len).sum();
    let bytes = (room / count.max(1)).clamp(5, 8);
    // Rounded where the others are cut off.
    let half = if bytes < 8 { 1 << (8 * (8 - bytes) - 1) } else { 0 };
    let pieces = program.pieces.iter().map(|piece| {
        let kept = |x: &f64| (x.to_bits() + half).to_le_bytes().into_iter().skip(8 - bytes);
        format!("    \"{}\"", STANDARD.encode(piece.iter().flat_map(kept).collect::<Vec<u8>>()))
    });
    format!(
        "const weights = [\n{}\n].map(text => numbers(text, {bytes}));\n",
        pieces.collect::<Vec<_>>().join(",\n")
    )
}

/// Statements that fill `into` with the roots of a formula; one over coordinates alone has no function.
fn body(
    of: Option<(&Program, &Function)>,
    known: &[Arc<Tabulated>],
    formula: &Formula,
    into: &str,
) -> String {
    let leaf = |node| match (node, of) {
        (Node::Coordinate { coordinate, .. }, _) => format!("x[{coordinate}]"),
        (Node::Jet { output, index, .. }, Some((program, function))) => {
            format!("n[{}]", function.place(&program.layers, output, index))
        }
        (Node::Data(column), Some(_)) => format!("c[{column}]"),
        (node, _) => unreachable!("{node:?} is a number by now"),
    };
    let (lines, roots) = statements(formula, &JAVASCRIPT, known, &leaf);
    let assigned = roots.iter().enumerate().map(|(k, root)| format!("    {into}[{k}] = {root};"));
    lines.into_iter().chain(assigned).map(|line| line + "\n").collect()
}

fn function(program: &Program, function: &Function, known: &[Arc<Tabulated>]) -> String {
    let Function { name, values, jets, rule, gates, carried, pieces, activations } = function;
    let (layers, channels) = (&program.layers, jets.channels());
    let of = Some((program, function));
    let list = |arguments: &str, part: &dyn Fn(usize) -> String| {
        let each = (0..pieces.len()).map(|k| format!("({arguments}) => {{\n{}}}", part(k)));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "const {name} = (() => {{\nconst inputs = [{}];\nconst values = [{}];\n",
        list("x, a", &|k| body(of, known, &pieces[k].inputs, "a")),
        list("x, n, c, y", &|k| body(of, known, &pieces[k].values, "y"))
    );
    for (kind, activation) in activations.iter().enumerate() {
        let (lines, slopes) = statements(activation, &JAVASCRIPT, known, &|_| "v".to_owned());
        let suffix = function.suffix(kind);
        let _ = write!(
            text,
            "function activate{suffix}(width, z, a) {{\n  for (let j = 0; j < width; j++) {{\n    const v = z[j];\n"
        );
        for line in &lines {
            let _ = writeln!(text, "{line}");
        }
        for (k, slope) in slopes.iter().enumerate() {
            let _ = writeln!(text, "    const f{k} = {slope};");
        }
        let _ = writeln!(text, "    a[j] = f0;");
        for channel in 1..channels {
            let sum = chain_rule(rule, channel, &|channel| format!("z[{channel} * width + j]"));
            let _ = writeln!(text, "    a[{channel} * width + j] = {sum};");
        }
        text += "  }\n}\n";
    }
    if let Some(rule) = gates {
        text += "function blend(width, g, x, y, to) {\n  for (let j = 0; j < width; j++) {\n";
        for channel in 0..channels {
            let terms = rule.terms(channel).iter().map(|term| {
                let [i, k] = term.factors.map(|factor| format!("[{factor} * width + j]"));
                format!("{:?} * g{i} * (x{k} - y{k})", term.coefficient)
            });
            let place = format!("[{channel} * width + j]");
            let _ = writeln!(text, "    to{place} = y{place} + {};", terms.collect::<Vec<_>>().join(" + "));
        }
        text += "  }\n}\n";
    }
    let room = function.room(layers);
    let calls = network_calls(program, function, "", |array, from| format!("{array}.subarray({from})"));
    let arrays: String = (0..calls.arrays).map(|k| format!("a{k} = new Float64Array({room}), ")).collect();
    let calls: String = calls.calls.iter().map(|call| format!("    {call};\n")).collect();
    let _ = write!(
        text,
        "const {arrays}z = new Float64Array({room}), n = new Float64Array({});\nfunction network(w) {{\n{calls}}}\n",
        channels * layers.raw_outputs()
    );
    match &program.choice {
        None => {
            text += "return (x, y) => {\n    inputs[0](x, a0);\n    network(weights[0]);\n    values[0](x, n, null, y);\n    \
                     return y;\n};\n";
        }
        Some(choice) => {
            if *carried > 0 {
                let (before, begin) = choice.origins(pieces.len());
                let _ = write!(
                    text,
                    "const handOn = [{}];\nconst before = {before:?}, begin = {begin:?};\n\
                     function takeOver(piece, x) {{\n    const from = before[piece], c = new Float64Array({carried});\n    \
                     if (from < 0) return c;\n    const joint = Array.from(x);\n    joint[{}] = begin[piece];\n    \
                     const earlier = takeOver(from, joint);\n    inputs[from](joint, a0);\n    network(weights[from]);\n    \
                     handOn[from](joint, n, earlier, c);\n    return c;\n}}\n",
                    list("x, n, c, y", &|k| body(of, known, &pieces[k].handed_on, "y")),
                    choice.along
                );
            }
            let _ = write!(
                text,
                "return (x, y) => {{\n    const piece = pieceOf(x);\n    if (piece >= {}) {{\n        \
                 for (let k = 0; k < {values}; k++) y[k] = NaN;\n        return y;\n    }}\n    \
                 const c = {};\n    inputs[piece](x, a0);\n    network(weights[piece]);\n    \
                 values[piece](x, n, c, y);\n    return y;\n}};\n",
                pieces.len(),
                if *carried > 0 { "takeOver(piece, x)" } else { "null" }
            );
        }
    }
    text + "})();\n"
}
