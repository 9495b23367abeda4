//! Many coordinates: gradients and least squares, the files of docs/dimensions, and a run from a file to its answers.

use std::path::Path;

use pinn::internals::auto::complete;
use pinn::internals::engine::Engine;
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::sample;
use pinn::problem::{Document, Problem};

use super::cli::{exit, run, stderr};
use super::engine::{check_gradient, check_least_squares, parameters};
use super::problem;

/// Residuals in twelve coordinates and time: a Laplacian, coefficients that depend on the point, all mixed derivatives.
pub(crate) const MANY: [&str; 3] = [
    "u_t - laplacian(u) - sum(x[i]*u_x[i], i)*u",
    "u_t - sum((1 + x[i]^2)*u_x[i]x[i], i)/2 + exp(u)",
    "sum(u_x[i]_x[j], i, j = 1..i) - 0.3*u",
];

/// A problem in twelve coordinates and time.
pub(crate) fn many(residual: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = {{ domain = [-1, 2], count = 12 }}\nt = [0, 1]\n[unknowns]\nu = {{}}\n\
         [network]\ndepth = 2\nwidth = 7\n[conditions.physics]\nplace = \"interior\"\nresidual = \"{residual}\"\n\
         points = 11\nsampler = \"sobol\"\n[conditions.walls]\nplace = \"boundary\"\n\
         residual = \"u - sum(x[i]^2, i)\"\npoints = 24\nweight = 3\n"
    ))
}

#[test]
fn gradients_in_many_coordinates_agree_with_differences() {
    for residual in MANY {
        check_gradient(&many(residual), residual);
    }
}

#[test]
fn least_squares_in_many_coordinates_agree_with_differences() {
    check_least_squares(&many(MANY[0]), MANY[0]);
}

/// What a formula is written out as is the same problem: the same residuals, number by number.
#[test]
fn sums_are_what_is_written_out() {
    let residuals = |residual: &str| {
        let problem = many(residual);
        let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
        let points = sample::points(&problem, &problem.conditions[0], 1, 0).rows;
        engine.residuals(&parameters(&problem), 0, &points, &[])
    };
    let terms =
        |term: &str| (1..=12).map(|i| term.replace('#', &i.to_string())).collect::<Vec<_>>().join(" + ");
    let (laplacian, slopes) = (terms("u_x#x#"), terms("x#*u_x#"));
    let (short, long) = (residuals(MANY[0]), residuals(&format!("u_t - ({laplacian}) - ({slopes})*u")));
    assert_eq!(short.len(), 11);
    for (a, b) in short.iter().zip(&long) {
        assert!((a - b).abs() < 1e-12 * a.abs().max(1.0), "{a} {b}");
    }
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dimensions");
    std::fs::read_to_string(folder.join(name)).expect("there")
}

/// The files are problems without advice, whose references fulfil them.
#[test]
fn the_files_are_problems() {
    for (name, coordinates) in
        [("poisson-10d.toml", 10), ("poisson-100d.toml", 100), ("heat-4d.toml", 5), ("basket.toml", 6)]
    {
        let document = Document::parse(name, &file(name)).expect("TOML");
        let completed = complete(&document, Path::new("")).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(completed.advice.is_empty(), "{name}: {}", completed.advice);
        assert_eq!(completed.problem.coordinates.len(), coordinates, "{name}");
    }
    let mut fifty = Document::parse("basket.toml", &file("basket.toml")).expect("TOML");
    fifty.set("coordinates.y.count", "50").expect("a key");
    let (fifty, advice) = fifty.build(Path::new("")).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(advice.is_empty(), "{advice}");
    assert_eq!((fifty.coordinates.len(), fifty.conditions[0].jets.channels()), (51, 1 + 51 + 50));
}

/// A run in ten dimensions: from the file to a network that is asked somewhere, with its table and its pictures.
#[test]
fn a_run_in_ten_dimensions_has_all_that_others_have() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cube.toml"), file("poisson-10d.toml")).expect("a file");
    let steps =
        ["cube.toml", "--set", "training.stages=[{adam={steps=20}}]", "--points", "50", "--out", "cube"];
    let trained = run(folder.path(), &steps);
    assert_eq!(exit(&trained), 0, "{}", stderr(&trained));
    let table = std::fs::read_to_string(folder.path().join("cube/solution.csv")).expect("a table");
    assert_eq!(table.lines().count(), 1 + 10_000);
    for picture in ["solution.png", "slices.png", "report.html"] {
        assert!(folder.path().join("cube").join(picture).exists(), "{picture}");
    }
    let at = (1..=10).map(|i| format!("x{i}=0.5")).collect::<Vec<_>>().join(",");
    let asked = run(
        folder.path(),
        &["predict", "cube", "--at", &at, "--quantity", "laplacian(u)", "--quantity", "sum(x[i]*u_x[i], i)"],
    );
    assert_eq!(exit(&asked), 0, "{}", stderr(&asked));
}
