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

/// The first of these with four of its twelve dimensions at a time, without any weights in the way.
pub(crate) fn drawn() -> Problem {
    let text = many(MANY[0]).to_toml().replace("points = 11\n", "points = 11\ndimensions = 4\n");
    Problem::parse(&text).expect("a problem")
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

/// What is drawn is written down, comes with windows of time, and is the same at any number of threads; what cannot be drawn is
/// refused.
#[test]
fn dimensions_are_drawn_as_the_file_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[coordinates]\nx = { domain = [0, 1], count = 4 }\nt = [0, 1]\n[unknowns]\nu = {}\n\
                [network]\ndepth = 2\nwidth = 6\n[training]\nwindows = 2\nstages = [{ adam = { steps = 12 } }, \
                { ssbroyden = { steps = 5 } }]\n[conditions.physics]\nplace = \"interior\"\n\
                residual = \"u_t - laplacian(u)\"\npoints = 40\ndimensions = 2\n\
                [conditions.initial]\nplace = \"t = 0\"\nresidual = \"u - product(sin(pi*x[i]), i)\"\n\
                [conditions.walls]\nplace = \"boundary\"\nresidual = \"u\"\n";
    std::fs::write(folder.path().join("drawn.toml"), text).expect("a file");
    for threads in ["1", "2"] {
        let trained =
            run(folder.path(), &["drawn.toml", "--no-plots", "--threads", threads, "--out", threads]);
        assert_eq!(exit(&trained), 0, "{}", stderr(&trained));
    }
    let [one, two] = ["1", "2"].map(|run| super::resume::tensors(&folder.path().join(run)));
    assert!(one == two);
    let resolved = std::fs::read_to_string(folder.path().join("1/resolved.toml")).expect("written");
    assert!(resolved.contains("dimensions = 2\n"), "{resolved}");
    let checked = run(folder.path(), &["check", "drawn.toml"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("2 of 4 dimensions in a step of Adam"), "{said}");

    let refused = |from: &str, to: &str, parts: [&str; 2]| {
        let wrong = Document::parse("drawn.toml", &text.replace(from, to)).expect("TOML");
        let wrong = wrong.build(Path::new("")).expect_err(to).to_string();
        for part in parts {
            assert!(wrong.contains(part) && wrong.contains("dimensions = "), "{wrong}");
        }
    };
    let most = "the number of dimensions is an integer from 1 to 3, as there are 4";
    refused("dimensions = 2", "dimensions = 4", [most, "16 | "]);
    refused("dimensions = 2", "dimensions = \"all\"", [most, "16 | "]);
    let few = "there are no second derivatives along space to draw from but those along x1";
    refused("laplacian(u)", "u_x1x1 - u_tt", [few, "remove the line"]);
    refused(
        "laplacian(u)",
        "u_x1",
        ["there are no second derivatives along space to draw from", "remove the line"],
    );
    let tangled = "second derivatives are multiplied by one another, or put into a function";
    refused("laplacian(u)", "laplacian(u)^2", [tangled, "only of a sum"]);
}
