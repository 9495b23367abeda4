//! The CUDA text of a formula and the networks it reads: sizes, the chain rule, the activations and the formula itself as
//! straight lines of code, and the kernels around them.
//!
//! It knows rules and formulas; it knows no machine, no points and no parameters.

use std::fmt::Write;

use super::layout::{ARGUMENTS, Sizes};
use crate::activation::Activation;
use crate::engine::cpu::chain::{Factor, Plan};
use crate::engine::cpu::leibniz::Products;
use crate::engine::cpu::tape::{Code, Tape};
use crate::expr::{Binary, Unary};
use crate::settings::Precision;

/// What a kernel is printed from.
pub(super) struct Source<'a> {
    pub(super) precision: Precision,
    pub(super) sizes: &'a Sizes,
    pub(super) plan: &'a Plan<f64>,
    pub(super) products: Option<&'a Products<f64>>,
    pub(super) tape: &'a Tape,
    pub(super) activations: &'a [Activation],
    /// For every unknown which raw output is its own.
    pub(super) columns: &'a [usize],
}

/// The text of the kernels `pack` and `reduce`.
pub(super) fn common(precision: Precision) -> String {
    format!("{}{ARGUMENTS}{}", number_type(precision), include_str!("common.cu"))
}

impl Source<'_> {
    /// The text of the kernel `run`.
    pub(super) fn print(&self) -> String {
        let mut text = number_type(self.precision);
        for (name, value) in self.sizes.macros() {
            writeln!(text, "#define {name} {value}").expect("a string");
        }
        text += ARGUMENTS;
        text += include_str!("maths.cu");
        self.activations(&mut text);
        self.chain(&mut text);
        self.product_rule(&mut text);
        self.site(&mut text);
        text += include_str!("kernels.cu");
        text
    }

    /// `value` and `slopes` of every network's activation.
    fn activations(&self, text: &mut String) {
        let mut functions: Vec<_> =
            self.activations.iter().flat_map(Activation::terms).map(|term| term.function).collect();
        functions.sort_by_key(|function| function.name());
        functions.dedup();
        for function in functions {
            let (name, code) = (function.name(), function.cuda());
            let slopes = code.slopes.replace('\n', "\n    ");
            *text += &format!(
                "\n__device__ __forceinline__ R {name}_value(R x) {{ return {}; }}\n\n\
                 __device__ __forceinline__ void {name}_slopes(R x, R y, R* s) {{\n    {slopes}\n}}\n",
                code.value
            );
        }
        let branches = |body: &dyn Fn(&Activation) -> String| {
            let count = self.activations.len();
            let branch = |(part, activation): (usize, &Activation)| {
                let code = body(activation);
                if part + 1 == count {
                    format!("    {{\n{code}    }}\n")
                } else {
                    format!("    if (part == {part}) {{\n{code}    }} else\n")
                }
            };
            self.activations.iter().enumerate().map(branch).collect::<String>()
        };
        let value = branches(&|activation| {
            let terms = activation.terms().iter().map(|term| {
                let (a, k) = (number(term.amplitude), number(term.frequency));
                format!("{a} * {}_value({k} * x)", term.function.name())
            });
            format!("        return {};\n", terms.collect::<Vec<_>>().join(" + "))
        });
        let slopes = branches(&|activation| {
            if let [term] = activation.terms() {
                let (k, name) = (number(term.frequency), term.function.name());
                let inverse = number(1.0 / term.amplitude);
                let mut code = format!("        {name}_slopes({k} * x, {inverse} * y, s);\n");
                for (n, factor) in
                    factors(self.precision, term.amplitude, term.frequency).into_iter().enumerate()
                {
                    if factor != 1.0 {
                        code += &format!("        s[{n}] *= {};\n", number(factor));
                    }
                }
                return code;
            }
            let mut code =
                String::from("        R t[5];\n        s[0] = s[1] = s[2] = s[3] = s[4] = R(0);\n");
            for term in activation.terms() {
                let (k, name) = (number(term.frequency), term.function.name());
                code += &format!("        {name}_slopes({k} * x, {name}_value({k} * x), t);\n");
                for (n, factor) in
                    factors(self.precision, term.amplitude, term.frequency).into_iter().enumerate()
                {
                    code += &format!("        s[{n}] += {} * t[{n}];\n", number(factor));
                }
            }
            code
        });
        *text += &format!(
            "\n// Every network's activation.\n\
             __device__ __forceinline__ R value(int part, R x) {{\n{value}}}\n\n\
             // Its derivatives, where y is its value.\n\
             __device__ __forceinline__ void slopes(int part, R x, R y, R* s) {{\n{slopes}}}\n"
        );
    }

    /// The chain rule and its reverse: y from z, and adjoints of z from those of y; `s` holds f′, f″, ….
    fn chain(&self, text: &mut String) {
        *text += "\n// The chain rule on channels 1, 2, …; q holds what of it depends on the point.\n\
                  __device__ __forceinline__ void chain(const R* s, const R* q, const R* z, R* y) {\n";
        let product = |channels: &[usize]| channels.iter().map(|c| format!(" * z[{c}]")).collect::<String>();
        for channel in 1..self.plan.channels() {
            let terms = self.plan.terms().iter().filter(|term| term.channel == channel).map(|term| {
                let slope = term.channels.len() - 1;
                format!("{}s[{slope}]{}", factor(term.factor), product(&term.channels))
            });
            *text += &format!("    y[{channel}] = {};\n", terms.collect::<Vec<_>>().join(" + "));
        }
        *text += "}\n\n// Its reverse.\n\
                  __device__ __forceinline__ void chain_back(const R* s, const R* q, const R* z, const R* bar, R* z_bar) {\n\
                  \x20   R value = s[0] * bar[0];\n";
        for channel in 1..self.plan.channels() {
            *text += &format!("    z_bar[{channel}] = R(0);\n");
        }
        for (t, term) in self.plan.terms().iter().enumerate() {
            let count = term.channels.len();
            *text += &format!("    const R b{t} = {}bar[{}];\n", factor(term.factor), term.channel);
            *text += &format!("    value += b{t} * s[{count}]{};\n", product(&term.channels));
            for (f, to) in term.channels.iter().enumerate() {
                let others: Vec<usize> =
                    term.channels.iter().enumerate().filter(|&(g, _)| f != g).map(|(_, &c)| c).collect();
                *text += &format!("    z_bar[{to}] += b{t} * s[{}]{};\n", count - 1, product(&others));
            }
        }
        *text += "    z_bar[0] = value;\n}\n";
    }

    /// Leibniz's rule, `y += g⊙d`, and its reverse.
    fn product_rule(&self, text: &mut String) {
        let terms = self.products.map_or(&[][..], Products::terms);
        *text += "\n// y += g⊙d on all channels.\n\
                  __device__ __forceinline__ void product_rule(const R* q, const R* g, const R* d, R* y) {\n";
        for term in terms {
            let [i, j] = term.channels;
            *text += &format!("    y[{}] += {}g[{i}] * d[{j}];\n", term.channel, factor(term.factor));
        }
        *text += "}\n\n// Its reverse, which adds to the adjoints of g and d.\n\
                  __device__ __forceinline__ void product_rule_back(const R* q, const R* g, const R* d, const R* bar, \
                  R* g_bar, R* d_bar) {\n";
        for term in terms {
            let ([i, j], factor) = (term.channels, factor(term.factor));
            *text += &format!("    g_bar[{i}] += {factor}bar[{}] * d[{j}];\n", term.channel);
            *text += &format!("    d_bar[{j}] += {factor}bar[{}] * g[{i}];\n", term.channel);
        }
        *text += "}\n";
    }

    /// The formula at one site, forward and, where there are places for adjoints, back.
    fn site(&self, text: &mut String) {
        let tape = self.tape;
        *text += "\n// The formula at site s: values where they are wanted, the sum of their squares, and adjoints of raw\n\
                  // outputs and coefficients where these are.\n\
                  __device__ __forceinline__ void site(const R* raw, const R* columns, const R* coefficients, int s, \
                  R factor, R* values, R* square, R* raw_bar, R* coefficient_bar) {\n";
        for &(register, x) in tape.constants() {
            *text += &format!("    const R v{register} = {};\n", number(x));
        }
        for (k, register) in tape.columns().enumerate() {
            *text += &format!("    const R v{register} = columns[{k} * SITES + s];\n");
        }
        for &(register, k) in tape.coefficients() {
            *text += &format!("    const R v{register} = coefficients[{k}];\n");
        }
        let place = |input: &crate::engine::cpu::tape::JetInput| {
            let (row, channel, side) = (self.columns[input.output], input.channel, input.side);
            format!("[{row} * STRIDE + {channel} * B + {side} * SITES + s]")
        };
        for input in tape.jets() {
            *text += &format!("    const R v{} = raw{};\n", input.register, place(input));
        }
        for op in tape.ops() {
            let (a, b) = (format!("v{}", op.a), format!("v{}", op.b));
            *text += &format!("    const R v{} = {};\n", op.to, operation(op.code, &a, &b));
        }
        for (k, root) in tape.roots().iter().enumerate() {
            *text += &format!("    if (values) values[{k}] = v{root};\n    *square += v{root} * v{root};\n");
        }
        if self.sizes.gradient {
            self.site_back(text, &place);
        }
        *text += "}\n";
    }

    fn site_back(&self, text: &mut String, place: &dyn Fn(&crate::engine::cpu::tape::JetInput) -> String) {
        let tape = self.tape;
        *text += "    if (!raw_bar) {\n";
        for k in 0..self.sizes.coefficients {
            *text += &format!("        coefficient_bar[{k} * SITES + s] = R(0);\n");
        }
        *text += "        return;\n    }\n";
        for register in (0..tape.registers()).filter(|&register| tape.is_live(register)) {
            *text += &format!("    R b{register} = R(0);\n");
        }
        for &root in tape.roots().iter().filter(|&&root| tape.is_live(root)) {
            *text += &format!("    b{root} += factor * v{root};\n");
        }
        for op in tape.ops().iter().rev() {
            let (a, b, y, bar) =
                (format!("v{}", op.a), format!("v{}", op.b), format!("v{}", op.to), format!("b{}", op.to));
            let [to_a, to_b] = adjoints(op.code, &a, &b, &y, &bar);
            if tape.is_live(op.a) {
                *text += &format!("    b{} += {to_a};\n", op.a);
            }
            if matches!(op.code, Code::Binary(_)) && tape.is_live(op.b) {
                *text += &format!("    b{} += {to_b};\n", op.b);
            }
        }
        for input in tape.jets() {
            *text += &format!("    raw_bar{} = b{};\n", place(input), input.register);
        }
        let used = |k: usize| tape.coefficients().iter().find(|&&(_, of)| of == k);
        for k in 0..self.sizes.coefficients {
            let bar = used(k).map_or_else(|| "R(0)".to_owned(), |(register, _)| format!("b{register}"));
            *text += &format!("    coefficient_bar[{k} * SITES + s] = {bar};\n");
        }
    }
}

fn number_type(precision: Precision) -> String {
    let name = match precision {
        Precision::F32 => "float",
        Precision::F64 => "double",
    };
    format!("typedef {name} R;\n")
}

/// `c·kⁿ` for the derivatives of `c·f(k·x)`, limited so that their product with 0 is 0.
fn factors(precision: Precision, amplitude: f64, frequency: f64) -> [f64; 5] {
    let most = match precision {
        Precision::F32 => f64::from(f32::MAX),
        Precision::F64 => f64::MAX,
    };
    core::array::from_fn(|n| (amplitude * frequency.powi(n as i32 + 1)).min(most))
}

/// A number as C++.
fn number(x: f64) -> String {
    if x.is_nan() {
        "(R(0) / R(0))".to_owned()
    } else if x.is_infinite() {
        format!("({}R(1) / R(0))", if x < 0.0 { "-" } else { "" })
    } else {
        format!("R({x:?})")
    }
}

/// A factor of a rule, with the sign of multiplication.
fn factor(factor: Factor<f64>) -> String {
    match factor {
        Factor::One => String::new(),
        Factor::Constant(x) => format!("{} * ", number(x)),
        Factor::Scale(k) => format!("q[{k}] * "),
    }
}

fn operation(code: Code, a: &str, b: &str) -> String {
    match code {
        Code::Power(2) => format!("{a} * {a}"),
        Code::Power(3) => format!("{a} * {a} * {a}"),
        Code::Power(n) => format!("power({a}, {n})"),
        Code::Binary(Binary::Add) => format!("{a} + {b}"),
        Code::Binary(Binary::Sub) => format!("{a} - {b}"),
        Code::Binary(Binary::Mul) => format!("{a} * {b}"),
        Code::Binary(Binary::Div) => format!("{a} / {b}"),
        Code::Binary(Binary::Pow) => format!("pow({a}, {b})"),
        Code::Binary(Binary::Min) => format!("smaller({a}, {b})"),
        Code::Binary(Binary::Max) => format!("greater({a}, {b})"),
        Code::Unary(f) => {
            let name = match f {
                Unary::Neg => return format!("-{a}"),
                Unary::Ln => "log",
                Unary::Abs => "fabs",
                Unary::Sign => "sign_of",
                Unary::Step => "step_of",
                Unary::Phi => "normal_of",
                Unary::Sin
                | Unary::Cos
                | Unary::Tan
                | Unary::Asin
                | Unary::Acos
                | Unary::Atan
                | Unary::Sinh
                | Unary::Cosh
                | Unary::Tanh
                | Unary::Exp
                | Unary::Sqrt
                | Unary::Erf => f.name(),
            };
            format!("{name}({a})")
        }
    }
}

/// What the operands get of an operation's adjoint, where y is its value.
fn adjoints(code: Code, a: &str, b: &str, y: &str, bar: &str) -> [String; 2] {
    let through = |slope: String| format!("through({bar}, {slope})");
    let none = String::new;
    let of_unary = |f: Unary| match f {
        Unary::Neg => "R(-1)".to_owned(),
        Unary::Sin => format!("cos({a})"),
        Unary::Cos => format!("-sin({a})"),
        Unary::Tan => format!("R(1) + {y} * {y}"),
        Unary::Asin => format!("R(1) / sqrt(R(1) - {a} * {a})"),
        Unary::Acos => format!("R(-1) / sqrt(R(1) - {a} * {a})"),
        Unary::Atan => format!("R(1) / (R(1) + {a} * {a})"),
        Unary::Sinh => format!("cosh({a})"),
        Unary::Cosh => format!("sinh({a})"),
        Unary::Tanh => format!("R(1) - {y} * {y}"),
        Unary::Exp => y.to_owned(),
        Unary::Ln => format!("R(1) / {a}"),
        Unary::Sqrt => format!("R(0.5) / {y}"),
        Unary::Abs => format!("sign_of({a})"),
        Unary::Sign | Unary::Step => "R(0)".to_owned(),
        Unary::Erf => format!("R(1.1283791670955126) * exp(-{a} * {a})"),
        Unary::Phi => format!("R(0.3989422804014327) * exp(R(-0.5) * {a} * {a})"),
    };
    match code {
        Code::Unary(Unary::Neg) => [format!("-{bar}"), none()],
        Code::Unary(f) => [through(of_unary(f)), none()],
        Code::Power(2) => [format!("({a} + {a}) * {bar}"), none()],
        Code::Power(n) => [through(format!("R({n}) * power({a}, {})", n - 1)), none()],
        Code::Binary(f) => match f {
            Binary::Add => [bar.to_owned(), bar.to_owned()],
            Binary::Sub => [bar.to_owned(), format!("-{bar}")],
            Binary::Mul => [format!("{bar} * {b}"), format!("{bar} * {a}")],
            Binary::Div => [format!("{bar} / {b}"), through(format!("-{y} / {b}"))],
            Binary::Pow => {
                [through(format!("{b} * pow({a}, {b} - R(1))")), through(format!("{y} * log({a})"))]
            }
            Binary::Min => [through(format!("step_of({b} - {a})")), through(format!("step_of({a} - {b})"))],
            Binary::Max => [through(format!("step_of({a} - {b})")), through(format!("step_of({b} - {a})"))],
        },
    }
}
