//! Formulas typeset: MathML of what was written, derivatives as ∂²u/∂x².
//!
//! It knows syntax trees; what a name is the derivative of, others say.

use crate::expr::ast::{Integral, Kind, Span};
use crate::expr::{Binary, Digits, Expr, Unary};

/// What a name is the derivative of, and along which coordinates, each as often as it is taken.
pub(super) type Derivative<'a> = &'a dyn Fn(&str) -> Option<(String, Vec<String>)>;

/// Greek letters by the names that formulas have for them.
const GREEK: [(&str, &str); 33] = [
    ("alpha", "α"),
    ("beta", "β"),
    ("gamma", "γ"),
    ("delta", "δ"),
    ("epsilon", "ε"),
    ("eps", "ε"),
    ("zeta", "ζ"),
    ("eta", "η"),
    ("theta", "θ"),
    ("kappa", "κ"),
    ("lambda", "λ"),
    ("mu", "μ"),
    ("nu", "ν"),
    ("xi", "ξ"),
    ("pi", "π"),
    ("rho", "ρ"),
    ("sigma", "σ"),
    ("tau", "τ"),
    ("phi", "φ"),
    ("chi", "χ"),
    ("psi", "ψ"),
    ("omega", "ω"),
    ("Gamma", "Γ"),
    ("Delta", "Δ"),
    ("Theta", "Θ"),
    ("Lambda", "Λ"),
    ("Xi", "Ξ"),
    ("Pi", "Π"),
    ("Sigma", "Σ"),
    ("Phi", "Φ"),
    ("Psi", "Ψ"),
    ("Omega", "Ω"),
    ("iota", "ι"),
];

/// Text within HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An equation `expr = 0`, as a formula that stands in a line of its own.
pub(super) fn equation(expr: &Expr, derivative: Derivative) -> String {
    format!(
        "<math display=\"block\"><mrow>{}<mo>=</mo><mn>0</mn></mrow></math>",
        Writer { derivative }.written(expr)
    )
}

/// `name = expr`, in a line of text.
pub(super) fn definition(left: &str, expr: &Expr, derivative: Derivative) -> String {
    format!("<math><mrow>{}<mo>=</mo>{}</mrow></math>", name(left), Writer { derivative }.written(expr))
}

/// A name alone.
pub(super) fn inline(text: &str) -> String {
    format!("<math>{}</math>", name(text))
}

/// A name: Greek letters as such, what follows an underscore and numbers at the end below the line.
fn name(text: &str) -> String {
    let (stem, below) = match text.split_once('_') {
        Some((stem, below)) if !stem.is_empty() => (stem, below),
        _ => {
            let stem = text.trim_end_matches(|c: char| c.is_ascii_digit());
            if stem.is_empty() { (text, "") } else { (stem, &text[stem.len()..]) }
        }
    };
    let letter = GREEK.iter().find(|(word, _)| *word == stem).map_or(stem, |(_, letter)| letter);
    let stem = format!("<mi>{}</mi>", escaped(letter));
    match below {
        "" => stem,
        number if number.chars().all(|c| c.is_ascii_digit()) => {
            format!("<msub>{stem}<mn>{number}</mn></msub>")
        }
        word => format!("<msub>{stem}<mtext>{}</mtext></msub>", escaped(word)),
    }
}

/// A number; powers of ten as such.
fn number(x: f64) -> String {
    // What rounding left behind the twelfth digit is in the file below, and no help to a reader.
    let text = Digits(Digits::rounded(x, 12)).to_string();
    match text.split_once('e') {
        None => format!("<mn>{text}</mn>"),
        Some((digits, exponent)) => {
            let power = format!("<msup><mn>10</mn><mn>{}</mn></msup>", exponent.replace('-', "−"));
            if digits == "1" { power } else { format!("<mrow><mn>{digits}</mn><mo>·</mo>{power}</mrow>") }
        }
    }
}

struct Writer<'a> {
    derivative: Derivative<'a>,
}

impl Writer<'_> {
    /// One element, whatever is in it.
    fn written(&self, expr: &Expr) -> String {
        match &expr.kind {
            Kind::Number(x) => number(*x),
            Kind::Name(text) => self.name(text),
            Kind::Unary(Unary::Neg, a) => {
                format!("<mrow><mo form=\"prefix\">−</mo>{}</mrow>", self.within(a, is_sum(a)))
            }
            Kind::Unary(Unary::Sqrt, a) => format!("<msqrt>{}</msqrt>", self.written(a)),
            Kind::Unary(Unary::Abs, a) => {
                format!("<mrow><mo>|</mo>{}<mo>|</mo></mrow>", self.written(a))
            }
            Kind::Unary(Unary::Exp, a) => {
                format!("<msup><mi>e</mi>{}</msup>", self.written(a))
            }
            Kind::Unary(f, a) => self.call(f.name(), std::slice::from_ref(&**a)),
            Kind::Binary(f @ (Binary::Min | Binary::Max), a, b) => {
                self.call(f.name(), &[(**a).clone(), (**b).clone()])
            }
            Kind::Binary(Binary::Div, a, b) => {
                format!("<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>", self.written(a), self.written(b))
            }
            Kind::Binary(Binary::Pow, a, b) => {
                let atom = matches!(&a.kind, Kind::Number(x) if *x >= 0.0)
                    || matches!(&a.kind, Kind::Name(text) if (self.derivative)(text).is_none());
                format!("<msup>{}{}</msup>", self.within(a, !atom), self.written(b))
            }
            Kind::Binary(Binary::Mul, a, b) => {
                // Numbers that follow one another need a sign between them.
                let sign = if begins_with_number(b) { "<mo>·</mo>" } else { "<mspace width=\"0.14em\"/>" };
                let right = is_sum(b) || matches!(b.kind, Kind::Unary(Unary::Neg, _));
                format!("<mrow>{}{sign}{}</mrow>", self.within(a, is_sum(a)), self.within(b, right))
            }
            Kind::Binary(f, a, b) => {
                let right = matches!(b.kind, Kind::Unary(Unary::Neg, _)) || (*f == Binary::Sub && is_sum(b));
                let sign = if *f == Binary::Add { "+" } else { "−" };
                format!("<mrow>{}<mo>{sign}</mo>{}</mrow>", self.written(a), self.within(b, right))
            }
            Kind::Call(function, arguments) => self.call(function.name, arguments),
            Kind::Table(function, arguments) => self.call(function, arguments),
            Kind::At(function, arguments) => {
                let arguments: Vec<String> = arguments.iter().map(|a| self.written(a)).collect();
                let arguments = arguments.join("<mo>,</mo>");
                format!("<mrow>{}<mo>(</mo>{arguments}<mo>)</mo></mrow>", self.name(function))
            }
            Kind::Integral(integral) => {
                let Integral { integrand, over, place, .. } = &**integral;
                let signs = over.iter().map(|Span { from, to, .. }| {
                    let (from, to) = (self.written(from), self.written(to));
                    format!("<msubsup><mo>∫</mo>{from}{to}</msubsup>")
                });
                let place = place.iter().filter_map(|place| match &place.kind {
                    Kind::Name(place) => {
                        Some(format!("<msub><mo>∫</mo><mtext>{}</mtext></msub>", escaped(place)))
                    }
                    _ => None,
                });
                let signs: String = signs.chain(place).collect();
                let along = over.iter().rev().map(|span| format!("<mi>d</mi>{}", name(&span.variable)));
                let inner = self.within(integrand, is_sum(integrand));
                format!("<mrow>{signs}{inner}{}</mrow>", along.collect::<String>())
            }
        }
    }

    fn within(&self, expr: &Expr, parentheses: bool) -> String {
        let inner = self.written(expr);
        if parentheses { format!("<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>") } else { inner }
    }

    fn call(&self, function: &str, arguments: &[Expr]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|a| self.written(a)).collect();
        let name = GREEK.iter().find(|(word, _)| *word == function).map_or(function, |(_, letter)| letter);
        format!(
            "<mrow><mi>{name}</mi><mo>&#x2061;</mo><mo>(</mo>{}<mo>)</mo></mrow>",
            arguments.join("<mo>,</mo>")
        )
    }

    fn name(&self, text: &str) -> String {
        let Some((base, along)) = (self.derivative)(text) else { return name(text) };
        let power = |what: &str, n: usize| match n {
            1 => what.to_owned(),
            n => format!("<msup>{what}<mn>{n}</mn></msup>"),
        };
        let mut below: Vec<(String, usize)> = vec![];
        for coordinate in &along {
            match below.last_mut().filter(|(last, _)| last == coordinate) {
                Some((_, n)) => *n += 1,
                None => below.push((coordinate.clone(), 1)),
            }
        }
        let below = below.iter().map(|(coordinate, n)| format!("<mo>∂</mo>{}", power(&name(coordinate), *n)));
        format!(
            "<mfrac><mrow>{}{}</mrow><mrow>{}</mrow></mfrac>",
            power("<mo>∂</mo>", along.len()),
            name(&base),
            below.collect::<Vec<_>>().join("")
        )
    }
}

fn is_sum(expr: &Expr) -> bool {
    matches!(expr.kind, Kind::Binary(Binary::Add | Binary::Sub, ..))
}

fn begins_with_number(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Number(_) => true,
        Kind::Binary(Binary::Mul | Binary::Pow, a, _) => begins_with_number(a),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::parse;

    /// What a reader sees, without the tags; what is above or below a line, in braces.
    fn plain(math: &str) -> String {
        let mut text = math.replace("<mfrac><mrow>", "{").replace("</mrow><mrow>", "}/{");
        text = text.replace("</mrow></mfrac>", "}").replace("<msup>", "^").replace("<msub>", "_");
        let mut out = String::new();
        let mut inside = false;
        for c in text.chars() {
            match c {
                '<' => inside = true,
                '>' => inside = false,
                c if !inside => out.push(c),
                _ => {}
            }
        }
        out
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let derivative = |name: &str| {
            let (base, along) = name.split_once('_')?;
            (base == "u").then(|| (base.to_owned(), along.chars().map(String::from).collect()))
        };
        assert_eq!(
            plain(&Writer { derivative: &derivative }.written(&parse(text).expect("a formula"))),
            expected
        );
    }

    #[test]
    fn formulas_are_typeset_as_on_paper() {
        check("u_t - nu*u_xx", "{∂u}/{∂t}−ν{^∂2u}/{∂^x2}");
        check("u_xxt", "{^∂3u}/{∂^x2∂t}");
        check("-(a + b)*2", "−(a+b)·2");
        check("a - (b - c)", "a−(b−c)");
        check("2*3^x", "2·^3x");
        check("(a*b)^2", "^(ab)2");
        check("1e-9*x1", "^10−9_x1");
        check("atan2(y, sqrt(x))", "atan2\u{2061}(y,x)".replace('\u{2061}', "&#x2061;").as_str());
        check("integral(u_x + s, s = 0..x, t = 1..2)", "∫0x∫12({∂u}/{∂x}+s)dtds");
        check("a < b".replace('<', "+").as_str(), "a+b");
    }

    #[test]
    fn names_cannot_open_a_tag() {
        assert_eq!(escaped("<b>&\""), "&lt;b&gt;&amp;&quot;");
    }
}
