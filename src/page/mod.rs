//! Pages to read: a run or a sweep as one HTML file that needs nothing else.
//!
//! What does not move is written here; curves and fields are drawn by the scripts beside this file, fields from the network
//! itself, which the page holds as a [`Program`].
//! This module knows problems, results and programs; it knows no engines, writes no files and trains nothing.

mod math;
mod sweep;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::export::{self, Program};
use crate::expr::{Digits, Expr, is_time};
use crate::problem::{Body, Condition, Formula, Language, Place, Problem, combinations};
use crate::report::ColorMap;
use crate::run::{RunResult, StepLine};
use crate::train::{StageReport, beginnings};
use math::{Derivative, escaped};
pub use sweep::{Axes, Picture, sweep};

/// The name of a page, in the folder of its run or sweep.
pub const PAGE: &str = "report.html";

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const PLOT: &str = include_str!("plot.js");
const RUN: &str = include_str!("run.js");

/// Bytes of weights from which on they are rounded.
const MOST_WEIGHTS: usize = 1_200_000;
/// Nodes along the longest side of the grid that says where a region of space is.
const NODES: usize = 49;
/// The same where there are four directions, one of them time.
const FEW_NODES: usize = 19;
/// Parts of a curved piece of wall.
const FINE: usize = 120;

/// What the page of a run shows.
pub struct Content<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The network: a function of the unknowns, and those that [`Content::residuals`] names.
    pub program: &'a Program,
    /// For each condition whose residuals are fields: its place among the problem's, and its function.
    pub residuals: &'a [(usize, String)],
    /// What the run came to, if it has ended.
    pub result: Option<&'a RunResult>,
    /// What was noted of its steps.
    pub steps: &'a [StepLine],
    /// Its stages.
    pub stages: &'a [StageReport],
    /// For every unknown how far it is from its reference on a grid, where that is no formula.
    pub differences: &'a [Option<Grid>],
    /// The problem as a file.
    pub resolved: &'a str,
}

/// Numbers on a grid.
#[derive(Clone, PartialEq, Debug)]
pub struct Grid {
    /// The values of each coordinate.
    pub axes: Vec<Vec<f64>>,
    /// A number for each combination, the last coordinate fastest.
    pub values: Vec<f64>,
}

/// A document: `data` are what its `scripts` read, and `network` is an expression for the functions that they call.
fn document(title: &str, body: &str, data: &Value, network: &str, scripts: &[&str]) -> String {
    // Nothing within JSON can end the script that holds it.
    let data = data
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    let parts = [
        ("{{title}}", escaped(title)),
        ("{{style}}", STYLE.to_owned()),
        ("{{body}}", body.to_owned()),
        ("{{data}}", data),
        ("{{network}}", network.to_owned()),
        ("{{scripts}}", scripts.join("\n")),
    ];
    // Each mark stands once, and what takes its place is not looked at again.
    let mut text = String::new();
    let mut rest = TEMPLATE;
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).expect("the page has a place for every part");
        text.push_str(before);
        text.push_str(&part);
        rest = after;
    }
    text + rest
}

/// The page of a run.
pub fn run(content: &Content) -> String {
    let Content { problem, program, .. } = *content;
    let language = Language::new(problem);
    let closed = closed_forms(problem);
    let formulas: Vec<(String, Formula)> =
        closed.iter().flatten().map(|(name, formula)| (name.clone(), (*formula).clone())).collect();
    let body = [
        heading(content),
        verdict(content),
        equations(problem, &language),
        FIELDS.to_owned(),
        training(content),
        worst(content),
        making(content),
    ];
    let data = json!({
        "coordinates": problem.coordinates.iter().map(|c| json!({
            "name": c.name, "unit": c.unit, "lower": c.lower, "upper": c.upper, "time": is_time(&c.name),
        })).collect::<Vec<_>>(),
        "fields": fields(content, &closed),
        "history": history(content.steps, content.stages),
        "regions": regions(problem),
        "differences": content.differences.iter().map(|grid| grid.as_ref().map(packed)).collect::<Vec<_>>(),
        "colors": { "field": colors(ColorMap::Field), "error": colors(ColorMap::Error) },
    });
    document(
        &problem.title,
        &body.concat(),
        &data,
        &export::functions(program, &formulas, MOST_WEIGHTS),
        &[PLOT, RUN],
    )
}

/// For every unknown the function of its reference, where that is a formula.
fn closed_forms(problem: &Problem) -> Vec<Option<(String, &Formula)>> {
    let solutions = problem.reference.as_ref().map_or(&[][..], |reference| &reference.solutions);
    let of =
        |k: usize| solutions.get(k)?.as_ref()?.formula().map(|formula| (format!("reference_{k}"), formula));
    (0..problem.unknowns.len()).map(of).collect()
}

/// What can be drawn over the domain.
fn fields(content: &Content, closed: &[Option<(String, &Formula)>]) -> Vec<Value> {
    let Content { problem, residuals, differences, .. } = *content;
    let mut fields = vec![];
    for (k, unknown) in problem.unknowns.iter().enumerate() {
        fields.push(json!({
            "name": unknown.name,
            "unit": unknown.unit,
            "function": export::VALUES,
            "index": k,
            "reference": closed[k].as_ref().map(|(name, _)| name),
            "difference": differences.get(k).and_then(Option::as_ref).map(|_| k),
            "region": region_of(problem, unknown.region.as_ref()),
            "along": unknown.of,
            "band": content.result.and_then(|result| result.bands.get(&unknown.name)).map(|band| json!({
                "at": band.at,
                "error": band.standard_error.iter().map(|&x| short(x)).collect::<Vec<_>>(),
            })),
        }));
    }
    for (at, function) in residuals {
        let condition = &problem.conditions[*at];
        let count = condition.scales.len();
        for k in 0..count {
            let number = if count > 1 { format!(" {}", k + 1) } else { String::new() };
            fields.push(json!({
                "name": format!("{}{number}", condition.name),
                "unit": "",
                "function": function,
                "index": k,
                "residual": true,
                "region": region_of(problem, condition.place.body()),
            }));
        }
    }
    fields
}

/// Which of [`regions`] something lives in.
fn region_of(problem: &Problem, part: Option<&Body>) -> Option<usize> {
    let all = bodies(problem);
    let domain = problem.geometry.as_ref().map(|geometry| &geometry.domain);
    let wanted = part.or(domain)?;
    all.iter().position(|body| *body == wanted)
}

/// The domain, and parts of it that something lives in.
fn bodies(problem: &Problem) -> Vec<&Body> {
    let domain = problem.geometry.iter().map(|geometry| &geometry.domain);
    let unknowns = problem.unknowns.iter().filter_map(|unknown| unknown.region.as_ref());
    let places = problem.conditions.iter().filter_map(|condition| condition.place.body());
    let mut all: Vec<&Body> = vec![];
    for body in domain.chain(unknowns).chain(places) {
        if !all.contains(&body) {
            all.push(body);
        }
    }
    all
}

/// Every region: its wall as lines in the plane, elsewhere its level on a grid.
fn regions(problem: &Problem) -> Vec<Value> {
    let region = |body: &Body| {
        let (mut axes, ends): (Vec<usize>, Vec<(f64, f64)>) = body.bounds().unzip();
        let time = body.moves_with();
        if axes.len() == 2 && time.is_none() {
            let row: Vec<f64> = problem.coordinates.iter().map(|c| c.lower).collect();
            let lines = body.outline(FINE, &row).into_iter().map(|line| line.points);
            return json!({ "axes": axes, "lines": lines.collect::<Vec<_>>() });
        }
        let nodes = if axes.len() + usize::from(time.is_some()) > 3 { FEW_NODES } else { NODES };
        let longest = ends.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
        let step = longest / (nodes - 1) as f64;
        // A cell of room on all sides, so that the wall lies within the grid.
        let mut grid: Vec<Vec<f64>> = ends
            .iter()
            .map(|(low, high)| {
                let count = ((high - low) / step).ceil() as usize + 3;
                (0..count).map(|i| low + step * (i as f64 - 1.0)).collect()
            })
            .collect();
        if let Some(time) = time {
            // Time changes slowest: what moves is built anew for each.
            let c = &problem.coordinates[time];
            let last = (nodes - 1) as f64;
            let inner = (0..nodes - 1).map(|i| c.lower + (c.upper - c.lower) * (i as f64 / last));
            axes.insert(0, time);
            grid.insert(0, inner.chain([c.upper]).collect());
        }
        let mut row: Vec<f64> = problem.coordinates.iter().map(|c| c.lower).collect();
        let places = combinations(&grid);
        let levels = places.chunks_exact(axes.len()).map(|place| {
            axes.iter().zip(place).for_each(|(&axis, &x)| row[axis] = x);
            // Only the sign, and how soon it changes, is looked at.
            (127.0 * (body.depth(&row) / (2.0 * step)).clamp(-1.0, 1.0)).round() as i8 as u8
        });
        let levels: Vec<u8> = levels.collect();
        json!({ "axes": axes, "grid": grid, "levels": STANDARD.encode(levels) })
    };
    bodies(problem).into_iter().map(region).collect()
}

/// A grid whose numbers are of single precision, since they are small.
fn packed(grid: &Grid) -> Value {
    let bytes: Vec<u8> = grid.values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
    json!({ "axes": grid.axes, "values": STANDARD.encode(bytes) })
}

/// 256 colours, three bytes each.
fn colors(map: ColorMap) -> String {
    let bytes: Vec<u8> = (0..256).flat_map(|i| <[u8; 3]>::from(map.at(f64::from(i) / 255.0))).collect();
    STANDARD.encode(bytes)
}

/// Five digits are more than a curve can show.
fn short(x: f64) -> Value {
    if x.is_finite() { Value::from(Digits::rounded(x, 5)) } else { Value::Null }
}

/// Curves over steps.
fn history(steps: &[StepLine], stages: &[StageReport]) -> Value {
    let mut terms: Vec<(String, Vec<Value>)> = vec![];
    let mut errors: Vec<(String, Vec<Value>)> = vec![];
    for (i, line) in steps.iter().enumerate() {
        for (name, term) in &line.terms {
            let place = place(&mut terms, name);
            terms[place].1.resize(i, Value::Null);
            terms[place].1.push(short(*term));
        }
        let relative = line.rel_l2.iter().map(|(name, error)| (name.clone(), error));
        let absolute = line.rms_error.iter().map(|(name, error)| (format!("{name}, absolute"), error));
        for (name, error) in relative.chain(absolute) {
            let place = place(&mut errors, &name);
            errors[place].1.push(json!([line.step, short(*error)]));
        }
    }
    // What holds exactly has no curve over powers of ten, and no place in the legend.
    terms.retain(|(_, values)| values.iter().any(|value| value.as_f64().is_some_and(|x| x > 0.0)));
    json!({
        "steps": steps.iter().map(|line| line.step).collect::<Vec<_>>(),
        "total": steps.iter().map(|line| short(line.loss)).collect::<Vec<_>>(),
        "terms": terms,
        "errors": errors,
        "stages": beginnings(stages),
    })
}

fn place<T>(entries: &mut Vec<(String, Vec<T>)>, name: &str) -> usize {
    entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        entries.push((name.to_owned(), vec![]));
        entries.len() - 1
    })
}

fn heading(content: &Content) -> String {
    let Content { problem, result, .. } = *content;
    let line = match result {
        Some(result) => format!(
            "Run of <code>{}</code>, {} steps in {} s, seed {}",
            escaped(&problem.name),
            result.steps,
            Digits(Digits::four(result.seconds)),
            result.seed
        ),
        None => format!("Run of <code>{}</code>, which has not ended", escaped(&problem.name)),
    };
    format!("<header><h1>{}</h1><p class=\"lead\">{line}</p></header>\n", escaped(&problem.title))
}

/// `3.2e-7` as 3.2 × 10⁻⁷.
fn power(x: f64) -> String {
    let text = if x == 0.0 || (1e-2..1e4).contains(&x.abs()) {
        Digits(Digits::four(x)).to_string()
    } else {
        format!("{x:.1e}")
    };
    match text.split_once('e') {
        Some((digits, exponent)) => {
            format!("<span class=\"nowrap\">{digits} × 10<sup>{}</sup></span>", exponent.replace('-', "−"))
        }
        None => text.replace('-', "−"),
    }
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    let row = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(i, cell)| match i {
            0 => format!("<th scope=\"row\">{cell}</th>"),
            _ => format!("<td>{cell}</td>"),
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}

/// The verdict, the errors, and what was found.
fn verdict(content: &Content) -> String {
    let Some(result) = content.result else {
        return "<section id=\"result\"><h2>Result</h2><p>The run has not ended: there is no verdict yet.</p></section>\n".into();
    };
    let word = result.verdict.map_or("not judged", crate::verdict::Word::name);
    let mut text = format!(
        "<section id=\"result\"><h2>Result</h2>\n<div class=\"verdict {}\"><strong>{}</strong>",
        word.replace(' ', "-"),
        capitalized(word)
    );
    if let Some(error) = result.estimated_error {
        let _ = write!(text, "<span>estimated relative error {}</span>", power(error));
    }
    if let Some(reason) = result.verdict_reason.as_ref().or(result.reason.as_ref()) {
        let _ = write!(text, "<p>{}</p>", coded(reason));
    }
    if let Some(said) = result.contradiction() {
        let _ = write!(text, "<p>{}</p>", coded(&said));
    }
    if !result.advice.is_empty() {
        let items = result.advice.iter().map(|advice| format!("<li>{}</li>", coded(advice)));
        let _ = write!(text, "<p>What to try:</p><ul>{}</ul>", items.collect::<String>());
    }
    text += "</div>\n";
    if !result.unknowns.is_empty() {
        let row = |(name, errors): (&String, &crate::run::UnknownResult)| {
            let relative = errors.rel_l2.map_or("–".to_owned(), power);
            vec![math::inline(name), relative, power(errors.rms_error), power(errors.max_error)]
        };
        let head = ["unknown", "relative L² error", "root mean square", "greatest"];
        text += "<h3>Errors against the reference</h3>\n";
        text += &table(&head, &result.unknowns.iter().map(row).collect::<Vec<_>>());
        if let Some(error) = result.reference_error {
            let _ =
                writeln!(text, "<p class=\"note\">The reference itself is exact to {}.</p>", power(error));
        }
    }
    if !result.trainable.is_empty() {
        let row = |(name, found): (&String, &crate::run::TrainableResult)| {
            let shown =
                |x: Option<f64>| x.map_or("–".to_owned(), |x| Digits(x).to_string().replace('-', "−"));
            let value = Digits(found.value).to_string().replace('-', "−");
            vec![
                math::inline(name),
                value,
                found.standard_error.map_or("–".to_owned(), power),
                shown(found.truth),
            ]
        };
        text += "<h3>Parameters that training found</h3>\n";
        let rows: Vec<_> = result.trainable.iter().map(row).collect();
        text += &table(&["parameter", "value", "standard error", "true value"], &rows);
    }
    if !result.scales.is_empty() {
        let mut rows = vec![];
        for (name, layers) in &result.scales {
            for (k, layer) in layers.iter().enumerate() {
                let (least, most) =
                    layer.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
                let what =
                    if layers.len() == 1 { escaped(name) } else { format!("{}, {}", escaped(name), k + 1) };
                rows.push(vec![what, power(least), power(most)]);
            }
        }
        text += "<h3>Scales of activations that training found</h3>\n";
        text += &table(&["network, layer", "least", "greatest"], &rows);
    }
    text + "</section>\n"
}

/// Names between backticks as such.
fn coded(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(i, part)| match i % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    });
    parts.collect()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Is a formula one to typeset? Sums over many coordinates say more as they were written.
fn is_short(expr: &Expr) -> bool {
    const MOST_NAMES: usize = 1000;
    let mut names = 0;
    expr.names(&mut |_| names += 1);
    names <= MOST_NAMES
}

/// The problem as understood.
fn equations(problem: &Problem, language: &Language) -> String {
    let derivative: Derivative = &|name| language.derivative(name);
    let parse = |text: &str| language.parse(text);
    let short = |text: &str| parse(text).ok().filter(is_short);
    let mut text = "<section id=\"problem\"><h2>Problem</h2>\n<div class=\"conditions\">\n".to_owned();
    let typeset = |written: &String| match parse(written) {
        Ok(expr) if is_short(&expr) => format!("<div>{}</div>", math::equation(&expr, derivative)),
        _ => format!("<p><code>{} = 0</code></p>", escaped(written)),
    };
    for condition in &problem.conditions {
        let Condition { name, place, written, .. } = condition;
        // Whose folders a file lies in is nobody's business who reads the page.
        let place = match place {
            Place::Points { path, .. } => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            _ => None,
        }
        .unwrap_or_else(|| place.describe(&problem.coordinates));
        let exact = if condition.is_exact() { " <em>holds exactly</em>" } else { "" };
        let _ = writeln!(
            text,
            "<div class=\"condition\"><div class=\"where\"><b>{}</b> <span>{}</span>{exact}</div><div>{}</div></div>",
            escaped(name),
            escaped(&place),
            written.iter().map(typeset).collect::<String>()
        );
    }
    text += "</div>\n<dl class=\"facts\">\n";
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "<div><dt>{name}</dt><dd>{value}</dd></div>");
        }
    };
    let domain = problem.coordinates.iter().map(|c| {
        let unit = if c.unit.is_empty() { String::new() } else { format!(" {}", escaped(&c.unit)) };
        let [lower, upper] = [c.lower, c.upper].map(|x| Digits(x).to_string().replace('-', "−"));
        format!("<span class=\"nowrap\">{lower} ≤ {} ≤ {upper}{unit}</span>", math::inline(&c.name))
    });
    let mut domain = domain.collect::<Vec<_>>().join(", ");
    if let Some(geometry) = &problem.geometry {
        let _ = write!(domain, ", within <code>{}</code>", escaped(geometry.domain.written()));
    }
    fact("domain", domain);
    let known = problem.parameters.iter().map(|(name, value)| {
        format!(
            "<span class=\"nowrap\">{} = {}</span>",
            math::inline(name),
            Digits(*value).to_string().replace('-', "−")
        )
    });
    fact("parameters", known.collect::<Vec<_>>().join(", "));
    let definitions = problem.written.definitions.iter().map(|(name, formula)| match short(formula) {
        Some(expr) => math::definition(name, &expr, derivative),
        None => format!("{}: <code>{}</code>", math::inline(name), escaped(formula)),
    });
    fact("definitions", definitions.collect::<Vec<_>>().join("<br>"));
    let ansatz = problem.unknowns.iter().filter_map(|unknown| {
        Some(math::definition(&unknown.name, &short(unknown.ansatz.as_ref()?)?, derivative))
    });
    fact("ansatz", ansatz.collect::<Vec<_>>().join("<br>"));
    let formulas = closed_forms(problem);
    let solutions = problem.unknowns.iter().zip(&problem.written.solutions).zip(&formulas);
    let solutions = solutions.filter(|((_, written), _)| !written.is_empty()).map(
        |((unknown, written), closed)| match (short(written), closed) {
            (Some(expr), Some(_)) => math::definition(&unknown.name, &expr, derivative),
            // The name of a solution that is no formula.
            _ => format!("{}: <code>{}</code>", math::inline(&unknown.name), escaped(written)),
        },
    );
    fact("reference", solutions.collect::<Vec<_>>().join("<br>"));
    text + "</dl></section>\n"
}

/// The place of the fields, which the script fills.
const FIELDS: &str = "\
<section id=\"fields\"><h2>Solution</h2>
<div class=\"controls\" id=\"field-controls\"></div>
<figure><div class=\"plot\" id=\"field-plot\"></div>
<figcaption id=\"field-caption\" class=\"note\"></figcaption></figure>
</section>
";

fn training(content: &Content) -> String {
    if content.steps.is_empty() {
        return String::new();
    }
    let errors = content.steps.iter().any(|line| !(line.rel_l2.is_empty() && line.rms_error.is_empty()));
    let second = if errors { "<h3>Error</h3><div class=\"plot\" id=\"error-plot\"></div>" } else { "" };
    format!(
        "<section id=\"training\"><h2>Training</h2>\n<h3>Loss</h3><div class=\"plot\" id=\"loss-plot\"></div>{second}</section>\n"
    )
}

/// How well each condition holds, and where it does worst.
fn worst(content: &Content) -> String {
    let Some(result) = content.result.filter(|result| !result.residuals.is_empty()) else {
        return String::new();
    };
    let problem = content.problem;
    let rows = problem.conditions.iter().filter_map(|condition| {
        let residual = result.residuals.get(&condition.name)?;
        let at = problem.coordinates.iter().filter_map(|c| {
            let x = residual.at.get(&c.name)?;
            let x = Digits(Digits::four(*x)).to_string().replace('-', "−");
            Some(format!("<span class=\"nowrap\">{} = {x}</span>", math::inline(&c.name)))
        });
        let numbers: Option<Vec<f64>> =
            problem.coordinates.iter().map(|c| residual.at.get(&c.name).copied()).collect();
        let show = numbers.filter(|numbers| numbers.iter().all(|x| x.is_finite())).map_or(
            String::new(),
            |numbers| {
                format!(
                    " <button type=\"button\" class=\"go\" data-at=\"{}\">show</button>",
                    escaped(&serde_json::to_string(&numbers).unwrap_or_default())
                )
            },
        );
        let share = if residual.relative.is_nan() { "–".to_owned() } else { power(residual.relative) };
        Some(vec![
            escaped(&condition.name),
            share,
            power(residual.unscaled),
            power(residual.max),
            format!("{}{show}", at.collect::<Vec<_>>().join(", ")),
        ])
    });
    let head = ["condition", "beside its terms", "root mean square", "greatest, scaled", "where"];
    format!(
        "<section id=\"worst\"><h2>Residuals at points that training has not seen</h2>\n{}</section>\n",
        table(&head, &rows.collect::<Vec<_>>())
    )
}

/// How it was made, and how it is made again.
fn making(content: &Content) -> String {
    let Content { problem, result, resolved, .. } = *content;
    let mut rows = vec![];
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("network", escaped(&problem.networks_in_words()));
    if problem.training.windows.count() > 1 {
        row("windows of time", problem.training.windows.count().to_string());
    }
    let stages = content.stages.iter().map(|stage| match &stage.choice {
        Some(network) if stage.name == "grow" => format!("grow to {}", escaped(network)),
        _ => format!("{} ({} steps)", escaped(&stage.name), stage.steps),
    });
    row("stages", stages.collect::<Vec<_>>().join(", "));
    row("seed", problem.training.seed.to_string());
    if let Some(result) = result {
        row("weights", result.parameters.to_string());
        row("precision", result.precision.clone());
        row("device", format!("{}, {}", escaped(&result.device), escaped(&result.device_detail)));
        row("training", format!("{} s", Digits(Digits::four(result.seconds))));
        row("outcome", result.outcome.name().replace('-', " "));
        row("pinn-solve", result.version.clone());
    }
    format!(
        "<section id=\"making\"><h2>How it was made</h2>\n{}<p>To make it again, save this file as <code>resolved.toml</code> and run \
         <code>pinn-solve resolved.toml</code>.</p>\n<details><summary>The problem file, complete</summary>\
         <pre>{}</pre></details></section>\n",
        table(&["what", "how"], &rows),
        escaped(resolved)
    )
}
