//! C99: a source file and its header, which need nothing but the standard library.
//!
//! There are two functions: the values alone, and the values with their first and second derivatives, which go through the
//! network beside them.

use std::fmt::Write as _;
use std::sync::Arc;

use super::layers::{Helper, calls as network_calls, helpers};
use super::program::{Function, Program};
use super::text::{Dialect, calls, chain_rule, number, statements, tables, uses};
use super::{DERIVATIVES, ExportError, File, Options, VALUES};
use crate::expr::{Binary, Node, Unary};
use crate::problem::Formula;
use crate::tabulated::{Outside, Tabulated};

const C: Dialect = Dialect {
    declare: "    const double ",
    end: ";",
    unary: |f| match f {
        Unary::Neg => "-",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Tan => "tan",
        Unary::Asin => "asin",
        Unary::Acos => "acos",
        Unary::Atan => "atan",
        Unary::Sinh => "sinh",
        Unary::Cosh => "cosh",
        Unary::Tanh => "tanh",
        Unary::Exp => "exp",
        Unary::Ln => "log",
        Unary::Sqrt => "sqrt",
        Unary::Abs => "fabs",
        Unary::Sign => "sign",
        Unary::Step => "step",
        Unary::Erf => "erf",
        Unary::Phi => "normal",
    },
    power: "pow",
    least: "least",
    greatest: "greatest",
};

/// Words that a function cannot be called by: those of C, and those that the file itself uses.
const TAKEN: &str = "auto break case char const continue default do double else enum extern float for goto if inline int \
    long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main \
    sin cos tan asin acos atan sinh cosh tanh exp log sqrt fabs erf erfc pow sign step normal least greatest dense add scale mix \
    piece_of cell interpolate abs exit free malloc gamma j0 j1 jn y0 y1 yn";

pub(super) fn write(program: &Program, options: &Options) -> Result<Vec<File>, ExportError> {
    let name = name(&options.stem);
    let (header, source) = (format!("{}.h", options.stem), format!("{}.c", options.stem));
    Ok(vec![
        File { name: source, bytes: self::source(program, &name, &header).into_bytes() },
        File { name: header, bytes: self::header(program, &name).into_bytes() },
    ])
}

/// What the function is called for a file of this name.
fn name(stem: &str) -> String {
    let word: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let taken = word.starts_with(|c: char| c.is_ascii_digit() || c == '_')
        || word.starts_with("table_")
        || TAKEN.split_whitespace().any(|taken| taken == word);
    if taken { format!("net_{word}") } else { word }
}

fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *")
}

/// What the file is, and how it is called.
fn declarations(program: &Program, name: &str) -> [String; 2] {
    let (inputs, outputs) = (program.inputs.len(), program.unknowns.len());
    [
        format!("void {name}(const double x[{inputs}], double u[{outputs}])"),
        format!(
            "void {name}_derivatives(const double x[{inputs}], double u[{outputs}], double first[{outputs}][{inputs}],\n    \
             double second[{outputs}][{inputs}][{inputs}])"
        ),
    ]
}

fn header(program: &Program, name: &str) -> String {
    let guard = format!("{}_H", name.to_uppercase());
    let [values, derivatives] = declarations(program, name);
    let mut text = format!("#ifndef {guard}\n#define {guard}\n\n/*\n");
    for line in &program.about {
        let _ = writeln!(text, " * {}", comment(line));
    }
    let _ = writeln!(text, " *");
    for (i, c) in program.inputs.iter().enumerate() {
        let _ = writeln!(text, " * x[{i}]: {}, from {} to {}", c.name, number(c.lower), number(c.upper));
    }
    for (i, unknown) in program.unknowns.iter().enumerate() {
        let _ = writeln!(text, " * u[{i}]: {unknown}");
    }
    let _ = write!(
        text,
        " *\n * Written by pinn-solve; it needs C99 and the mathematical library (-lm).\n */\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         /* The unknowns at a point. */\n{values};\n\n\
         /* The same, with first[k][i] = du[k]/dx[i] and second[k][i][j] = d2u[k]/dx[i]dx[j]. */\n{derivatives};\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    );
    text
}

/// What formulas call that C does not have.
const HELPERS: [(Unary, &str); 3] = [
    (
        Unary::Sign,
        "static double sign(double a)\n{\n    return a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : a + 0.0;\n}\n",
    ),
    (
        Unary::Step,
        "static double step(double a)\n{\n    return a > 0.0 ? 1.0 : a < 0.0 ? 0.0 : a + 0.5;\n}\n",
    ),
    (
        Unary::Phi,
        "static double normal(double a)\n{\n    return 0.5 * erfc(-a * 0.7071067811865475244);\n}\n",
    ),
];

/// The source file's text.
fn source(program: &Program, name: &str, header: &str) -> String {
    let mut text = format!("#include \"{header}\"\n\n#include <math.h>\n\n");
    let formulas = program.formulas();
    let called = calls(formulas.iter().copied());
    for (_, helper) in HELPERS.iter().filter(|(function, _)| called.contains(function)) {
        let _ = writeln!(text, "{helper}");
    }
    for (function, name, relation) in [(Binary::Min, "least", "<"), (Binary::Max, "greatest", ">")] {
        if uses(formulas.iter().copied(), function) {
            let _ = writeln!(
                text,
                "static double {name}(double a, double b)\n{{\n    return a {relation} b || a != a ? a : b;\n}}\n"
            );
        }
    }
    let known = tables(formulas.iter().copied());
    if !known.is_empty() {
        text += INTERPOLATE;
    }
    for (k, table) in known.iter().enumerate() {
        text += &self::table(k, table);
    }
    let longest = program.pieces.first().map_or(0, Vec::len);
    let _ = writeln!(
        text,
        "/* Weights, row by row, and biases of every layer. */\nstatic const double weights[{}][{longest}] = {{",
        program.pieces.len()
    );
    for piece in &program.pieces {
        let rows: Vec<String> = piece
            .chunks(4)
            .map(|row| row.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(", "))
            .collect();
        let _ = writeln!(text, "    {{\n        {}\n    }},", rows.join(",\n        "));
    }
    text += "};\n\n";
    text += DENSE;
    let needed = helpers(program);
    for (_, helper) in ON_ARRAYS.iter().filter(|(helper, _)| needed.contains(helper)) {
        let _ = write!(text, "\n{helper}");
    }
    if let Some(choice) = &program.choice {
        let joints: Vec<String> = choice.joints.iter().map(|x| format!("{x:?}")).collect();
        let slices: Vec<String> = choice.slices.iter().map(usize::to_string).collect();
        let _ = writeln!(
            text,
            "\n/* Which network is for a point: time is cut into windows. */\nstatic int piece_of(const double *x)\n{{\n    \
             static const double joints[] = {{{}}};\n    static const int pieces[] = {{{}}};\n    int slice = 0;\n    \
             while (slice < {} && joints[slice] <= x[{}]) {{\n        slice++;\n    }}\n    return pieces[slice];\n}}",
            joints.join(", "),
            slices.join(", "),
            joints.len(),
            choice.along
        );
    }
    for function in &program.functions {
        text += &self::function(program, function, &known);
    }
    text + &entries(program, name)
}

/// A layer, for the values and all their derivatives.
const DENSE: &str = "\
/* z = W a + b for the value, and W a for each of its derivatives, which follow it; W and b begin at w[at]. */
static void dense(const double *w, int at, int channels, int from, int to, const double *a, double *z)
{
    const double *b = w + at + from * to;
    for (int c = 0; c < channels; c++) {
        for (int j = 0; j < to; j++) {
            double sum = c == 0 ? b[j] : 0.0;
            for (int i = 0; i < from; i++) {
                sum += w[at + j * from + i] * a[c * from + i];
            }
            z[c * to + j] = sum;
        }
    }
}
";

/// A function that a table gives, and a derivative of it.
///
/// Every argument has its cell, and for both ends of that the weights of what is there and of its second derivative; what
/// is summed are all products of a weight for each argument.
const INTERPOLATE: &str = "\
/* The cell of an argument, and for both of its ends the weights of the number there and of its second derivative, for the
   derivative of this order; the degree is 3, 1 or 0 (the nearest). Returns whether there is a value. */
static int cell(const double *axis, int count, int degree, int held, int order, double x, int *low, double w[2][2])
{
    const double first = axis[0], last = axis[count - 1], slack = 1e-9 * (last - first);
    double h, p, q;
    int i = 0;
    w[0][0] = w[0][1] = w[1][0] = w[1][1] = 0.0;
    *low = 0;
    if (x != x || order > degree) {
        return 0;
    }
    if (x < first - slack || x > last + slack) {
        if (!held) {
            return 0;
        }
        if (order > 0) {
            return 1;
        }
    }
    x = x < first ? first : x > last ? last : x;
    for (int end = count - 1; end - i > 1;) {
        const int middle = (i + end) / 2;
        if (axis[middle] <= x) {
            i = middle;
        } else {
            end = middle;
        }
    }
    *low = i;
    h = axis[i + 1] - axis[i];
    p = (axis[i + 1] - x) / h;
    q = (x - axis[i]) / h;
    if (degree == 0) {
        w[p > q ? 0 : 1][0] = 1.0;
    } else if (order == 0) {
        w[0][0] = p;
        w[1][0] = q;
        if (degree == 3) {
            w[0][1] = h * h / 6.0 * (p * p * p - p);
            w[1][1] = h * h / 6.0 * (q * q * q - q);
        }
    } else if (order == 1) {
        w[0][0] = -1.0 / h;
        w[1][0] = 1.0 / h;
        if (degree == 3) {
            w[0][1] = -h / 6.0 * (3.0 * p * p - 1.0);
            w[1][1] = h / 6.0 * (3.0 * q * q - 1.0);
        }
    } else if (order == 2) {
        w[0][1] = p;
        w[1][1] = q;
    } else {
        w[0][1] = -1.0 / h;
        w[1][1] = 1.0 / h;
    }
    return 1;
}

/* What a table says at a point, or the derivative of these orders; NaN where it says nothing. */
static double interpolate(const double *numbers, const double *const *axes, const int *counts, int arguments, int degree,
    int held, const int *orders, const double *x)
{
    double w[3][2][2], sum = 0.0;
    int low[3];
    const int parts = degree == 3 ? 1 << arguments : 1;
    for (int a = 0; a < arguments; a++) {
        if (!cell(axes[a], counts[a], degree, held, orders[a], x[a], &low[a], w[a])) {
            return NAN;
        }
    }
    for (int choice = 0; choice < 1 << 2 * arguments; choice++) {
        double weight = 1.0;
        long node = 0;
        int part = 0;
        for (int a = 0; a < arguments; a++) {
            const int corner = choice >> 2 * a & 1, moment = choice >> (2 * a + 1) & 1;
            weight *= w[a][corner][moment];
            node = node * counts[a] + low[a] + corner;
            part |= moment << a;
        }
        if (weight != 0.0) {
            sum += weight * numbers[node * parts + part];
        }
    }
    return sum;
}

";

/// The numbers of a table, and the function that formulas call.
fn table(k: usize, table: &Tabulated) -> String {
    let list = |numbers: &[f64]| {
        let rows =
            numbers.chunks(4).map(|row| row.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(", "));
        rows.collect::<Vec<_>>().join(",\n    ")
    };
    let count = table.axes.len();
    let each = |part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    for (a, axis) in table.axes.iter().enumerate() {
        let _ = writeln!(text, "static const double table_{k}_axis_{a}[] = {{\n    {}\n}};", list(axis));
    }
    let _ = write!(
        text,
        "static const double table_{k}_numbers[] = {{\n    {}\n}};\n\n/* {}({}) */\n\
         static double table_{k}({}, {})\n{{\n    static const double *const axes[] = {{{}}};\n    \
         static const int counts[] = {{{}}};\n    const int orders[] = {{{}}};\n    const double x[] = {{{}}};\n    \
         return interpolate(table_{k}_numbers, axes, counts, {count}, {}, {}, orders, x);\n}}\n\n",
        list(&table.numbers),
        comment(&table.name),
        comment(&table.arguments.join(", ")),
        each(&|a| format!("int i{a}")),
        each(&|a| format!("double x{a}")),
        each(&|a| format!("table_{k}_axis_{a}")),
        each(&|a| table.axes[a].len().to_string()),
        each(&|a| format!("i{a}")),
        each(&|a| format!("x{a}")),
        table.between.degree(),
        i32::from(table.outside == Outside::Held),
    );
    text
}

/// What networks call that are more than layers one after the other.
const ON_ARRAYS: [(Helper, &str); 3] = [
    (
        Helper::Add,
        "static void add(int count, const double *x, const double *y, double *to)\n{\n    \
         for (int i = 0; i < count; i++) {\n        to[i] = x[i] + y[i];\n    }\n}\n",
    ),
    (
        Helper::Scale,
        "static void scale(const double *w, int at, int step, int channels, int width, const double *x, double *to)\n{\n    \
         for (int c = 0; c < channels; c++) {\n        for (int j = 0; j < width; j++) {\n            \
         to[c * width + j] = w[at + step * j] * x[c * width + j];\n        }\n    }\n}\n",
    ),
    (
        Helper::Mix,
        "static void mix(const double *w, int at, int count, const double *x, const double *y, double *to)\n{\n    \
         for (int i = 0; i < count; i++) {\n        to[i] = y[i] + w[at] * (x[i] - y[i]);\n    }\n}\n",
    ),
];

/// The body of a C function that fills `into` with the roots of a formula.
fn body(
    program: &Program,
    function: &Function,
    known: &[Arc<Tabulated>],
    formula: &Formula,
    into: &str,
) -> String {
    let leaf = |node| match node {
        Node::Coordinate { coordinate, .. } => format!("x[{coordinate}]"),
        Node::Jet { output, index, .. } => format!("n[{}]", function.place(&program.layers, output, index)),
        Node::Data(column) => format!("c[{column}]"),
        node => unreachable!("{node:?} is a number by now"),
    };
    let (lines, roots) = statements(formula, &C, known, &leaf);
    let assigned = roots.iter().enumerate().map(|(k, root)| format!("    {into}[{k}] = {root};"));
    let body: Vec<String> = lines.into_iter().chain(assigned).collect();
    // What no formula reads is an argument all the same.
    let reads = |name: &str| body.iter().any(|line| line.contains(&format!("{name}[")));
    let arguments: &[&str] = if into == "a" { &["x"] } else { &["x", "n", "c"] };
    let silent = arguments.iter().filter(|name| !reads(name)).map(|name| format!("    (void){name};\n"));
    silent.collect::<String>() + &body.join("\n") + "\n"
}

/// The static functions that a function consists of.
fn function(program: &Program, function: &Function, known: &[Arc<Tabulated>]) -> String {
    let Function { name, values, jets, rule, gates, carried, .. } = function;
    let (layers, channels) = (&program.layers, jets.channels());
    let (dimensions, outputs) = (program.inputs.len(), layers.raw_outputs() * channels);
    let mut text = String::new();
    for (k, piece) in function.pieces.iter().enumerate() {
        let _ = writeln!(
            text,
            "\nstatic void {name}_inputs_{k}(const double *x, double *a)\n{{\n{}}}",
            body(program, function, known, &piece.inputs, "a")
        );
        let _ = writeln!(
            text,
            "\nstatic void {name}_values_{k}(const double *x, const double *n, const double *c, double *y)\n{{\n{}}}",
            body(program, function, known, &piece.values, "y")
        );
        if *carried > 0 {
            let _ = writeln!(
                text,
                "\nstatic void {name}_hand_on_{k}(const double *x, const double *n, const double *c, double *y)\n{{\n{}}}",
                body(program, function, known, &piece.handed_on, "y")
            );
        }
    }
    // The chain rule, term by term.
    for (kind, activation) in function.activations.iter().enumerate() {
        let (lines, slopes) = statements(activation, &C, known, &|_| "v".to_owned());
        let _ = write!(
            text,
            "\n/* The activation, and what the chain rule makes of derivatives. */\n\
             static void {name}_activate{}(int width, const double *z, double *a)\n{{\n    \
             for (int j = 0; j < width; j++) {{\n        const double v = z[j];\n",
            function.suffix(kind)
        );
        for line in &lines {
            let _ = writeln!(text, "    {line}");
        }
        for (k, slope) in slopes.iter().enumerate() {
            let _ = writeln!(text, "        const double f{k} = {slope};");
        }
        let _ = writeln!(text, "        a[j] = f0;");
        for channel in 1..channels {
            let sum = chain_rule(rule, channel, &|channel| format!("z[{channel} * width + j]"));
            let _ = writeln!(text, "        a[{channel} * width + j] = {sum};");
        }
        text += "    }\n}\n";
    }
    if let Some(rule) = gates {
        let _ = write!(
            text,
            "\n/* g x + (1 - g) y, and what Leibniz's rule makes of derivatives. */\n\
             static void {name}_blend(int width, const double *g, const double *x, const double *y, double *to)\n{{\n    \
             for (int j = 0; j < width; j++) {{\n"
        );
        for channel in 0..channels {
            let terms = rule.terms(channel).iter().map(|term| {
                let coefficient = if term.coefficient == 1.0 {
                    String::new()
                } else {
                    format!("{:?} * ", term.coefficient)
                };
                let [i, k] = term.factors.map(|factor| format!("[{factor} * width + j]"));
                format!("{coefficient}g{i} * (x{k} - y{k})")
            });
            let sum = terms.collect::<Vec<_>>().join("\n            + ");
            let place = format!("[{channel} * width + j]");
            let _ = writeln!(text, "        to{place} = y{place}\n            + {sum};");
        }
        text += "    }\n}\n";
    }
    let room = function.room(layers);
    let calls =
        network_calls(program, function, &format!("{name}_"), |array, from| format!("{array} + {from}"));
    let others: String = (1..calls.arrays).map(|k| format!(", a{k}[{room}]")).collect();
    let calls: String = calls.calls.iter().map(|call| format!("    {call};\n")).collect();
    let _ = write!(
        text,
        "\nstatic void {name}_network(const double *w, double *a0, double *n)\n{{\n    double z[{room}]{others};\n{calls}}}\n"
    );
    if program.choice.is_none() {
        let _ = writeln!(
            text,
            "\nstatic void {name}(const double *x, double *y)\n{{\n    double a[{room}], n[{outputs}];\n    \
             {name}_inputs_0(x, a);\n    {name}_network(weights[0], a, n);\n    {name}_values_0(x, n, n, y);\n}}"
        );
        return text;
    }
    text + &choosing(program, function, room, dimensions, outputs, *values)
}

/// The function of a point where there is a piece for each window.
fn choosing(
    program: &Program,
    function: &Function,
    room: usize,
    dimensions: usize,
    outputs: usize,
    values: usize,
) -> String {
    let Function { name, carried, pieces, .. } = function;
    let choice = program.choice.as_ref().expect("there are several pieces");
    let table = |part: &str| {
        let names: Vec<String> = (0..pieces.len()).map(|k| format!("{name}_{part}_{k}")).collect();
        names.join(",\n    ")
    };
    let mut text = format!(
        "\nstatic void (*const {name}_inputs[])(const double *x, double *a) = {{\n    {}\n}};\n\
         static void (*const {name}_values[])(const double *x, const double *n, const double *c, double *y) = {{\n    {}\n}};\n",
        table("inputs"),
        table("values")
    );
    let kept = (*carried).max(1);
    if *carried > 0 {
        let (before, at) = choice.origins(pieces.len());
        let before: Vec<String> = before.iter().map(i64::to_string).collect();
        let at: Vec<String> = at.iter().map(|x| format!("{x:?}")).collect();
        let _ = write!(
            text,
            "static void (*const {name}_hand_on[])(const double *x, const double *n, const double *c, double *y) = {{\n    {}\n}};\n\n\
             /* What a window takes over from the one before, at their joint. */\n\
             static void {name}_take_over(int piece, const double *x, double *c)\n{{\n    \
             static const int before[] = {{{}}};\n    static const double at[] = {{{}}};\n    \
             double joint[{dimensions}], earlier[{kept}] = {{0.0}}, a[{room}], n[{outputs}];\n    \
             const int from = before[piece];\n    if (from < 0) {{\n        return;\n    }}\n    \
             for (int i = 0; i < {dimensions}; i++) {{\n        joint[i] = x[i];\n    }}\n    \
             joint[{}] = at[piece];\n    {name}_take_over(from, joint, earlier);\n    \
             {name}_inputs[from](joint, a);\n    {name}_network(weights[from], a, n);\n    \
             {name}_hand_on[from](joint, n, earlier, c);\n}}\n",
            table("hand_on"),
            before.join(", "),
            at.join(", "),
            choice.along
        );
    }
    let take_over =
        if *carried > 0 { format!("    {name}_take_over(piece, x, c);\n") } else { String::new() };
    let missing = if choice.slices.len() > pieces.len() {
        format!(
            "    if (piece >= {}) {{\n        for (int k = 0; k < {values}; k++) {{\n            y[k] = NAN;\n        }}\n        \
             return;\n    }}\n",
            pieces.len()
        )
    } else {
        String::new()
    };
    let _ = writeln!(
        text,
        "\nstatic void {name}(const double *x, double *y)\n{{\n    double a[{room}], n[{outputs}], c[{kept}] = {{0.0}};\n    \
         const int piece = piece_of(x);\n{missing}{take_over}    {name}_inputs[piece](x, a);\n    \
         {name}_network(weights[piece], a, n);\n    {name}_values[piece](x, n, c, y);\n}}"
    );
    text
}

/// The functions that the header names.
fn entries(program: &Program, name: &str) -> String {
    let [values, derivatives] = declarations(program, name);
    let (d, m) = (program.inputs.len(), program.unknowns.len());
    let all = m + m * d + m * d * (d + 1) / 2;
    format!(
        "\n{values}\n{{\n    {VALUES}(x, u);\n}}\n\n{derivatives}\n{{\n    double y[{all}];\n    \
         const double *from = y;\n    {DERIVATIVES}(x, y);\n    \
         for (int k = 0; k < {m}; k++) {{\n        u[k] = *from++;\n    }}\n    \
         for (int k = 0; k < {m}; k++) {{\n        for (int i = 0; i < {d}; i++) {{\n            \
         first[k][i] = *from++;\n        }}\n    }}\n    \
         for (int k = 0; k < {m}; k++) {{\n        for (int i = 0; i < {d}; i++) {{\n            \
         for (int j = i; j < {d}; j++) {{\n                second[k][i][j] = second[k][j][i] = *from++;\n            \
         }}\n        }}\n    }}\n}}\n"
    )
}
