//! What every kind of input goes through under the fuzzer, and in the tests with every input that was ever found.
//!
//! A target panics where a promise is broken; that something is refused is no finding.

use std::path::Path;

use pinn::internals::expr::{Context, Graph, Meaning, Node, Scope, Symbol, parse};
use pinn::internals::jet::MultiIndex;
use pinn::internals::points::{Points, Wanted};
use pinn::internals::run::Checkpoint;
use pinn::internals::sweep::Sweep;
use pinn::problem::{Document, Problem, embedded};

/// What is done with one input.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("problem", problem),
    ("expression", expression),
    ("reference", reference),
    ("table", table),
    ("sweep", sweep),
    ("checkpoint", checkpoint),
    ("points", points),
    ("mesh", mesh),
    ("polygon", polygon),
    ("region", region),
];

/// A problem file: it is built or its mistakes are shown; what is built is written out and read back unchanged.
pub fn problem(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some(problem) = built(text) else { return };
    let written = problem.to_toml();
    let again = built(&written).unwrap_or_else(|| panic!("a written problem does not read:\n{written}"));
    assert_eq!(again.to_toml(), written, "a written problem reads as another one");
}

fn built(text: &str) -> Option<Problem> {
    match Document::parse("fuzz.toml", text).and_then(|document| document.build(Path::new(""))) {
        Ok((problem, warnings)) => {
            warnings.render(true);
            Some(problem)
        }
        Err(mistakes) => {
            assert!(!mistakes.render(false).is_empty(), "something is wrong, and nothing is said about it");
            None
        }
    }
}

/// A formula: printed, it parses as itself; lowered, it is differentiated, evaluated and extracted.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let expr = match parse(text) {
        Ok(expr) => expr,
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|error| text.get(error.span.clone()).is_some()));
            return;
        }
    };
    let printed = expr.to_string();
    // Parentheses and a digit for every bit of a number can make the text longer than a formula may be.
    if printed.len() <= text.len() {
        assert_eq!(parse(&printed).as_ref(), Ok(&expr), "{printed}");
    }
    let mut graph = Graph::default();
    let mut scope = Scope::new(&mut graph, &["x", "t"]);
    let u = graph.insert(Node::Jet { output: 0, index: MultiIndex::VALUE, side: 0 });
    scope.set("u", Symbol::Value(Meaning::Unknown, u));
    let context = Context { place: "a formula", allowed: &[Meaning::Coordinate, Meaning::Unknown] };
    let mut errors = Vec::new();
    let Some(root) = scope.lower(&expr, &mut graph, context, &mut errors) else {
        assert!(!errors.is_empty(), "refused without a reason");
        return;
    };
    let slope = graph.derivative(root, 0);
    let (part, roots) = graph.extract(&[root, slope]);
    let at = |node: Node| match node {
        Node::Coordinate { coordinate, .. } => 0.3 + coordinate as f64,
        _ => 0.7,
    };
    let (mut whole, mut extracted) = (Vec::new(), Vec::new());
    graph.eval(&mut whole, at);
    part.eval(&mut extracted, at);
    for (id, of) in roots.iter().zip([root, slope]) {
        assert_eq!(extracted[id.index()].to_bits(), whole[of.index()].to_bits(), "{printed}");
    }
}

/// A table, as the file of a reference and of data points: npy if it begins like one, else CSV.
pub fn reference(bytes: &[u8]) {
    const RESIDUAL: &str = "place = \"interior\"\nresidual = \"u_x + u_t\"\n[reference]\nsolution =";
    const POINTS: &str = "residual = \"u - u_obs\"\nplace =";
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
        static DOCUMENTS: Vec<Document> = [RESIDUAL, POINTS].into_iter().flat_map(|used| {
            ["csv", "npy"].map(|kind| {
                let text = format!(
                    "[coordinates]\nx = [-1, 1]\nt = [0, 1e3]\n[unknowns]\nu = {{}}\n\
                     [conditions.c]\n{used} {{ file = \"table.{kind}\" }}\n"
                );
                Document::parse("fuzz.toml", &text).expect("TOML")
            })
        }).collect();
    }
    let npy = usize::from(bytes.starts_with(b"\x93NUMPY"));
    FOLDER.with(|folder| {
        std::fs::write(folder.path().join(["table.csv", "table.npy"][npy]), bytes).expect("a file");
        DOCUMENTS.with(|documents| {
            for document in documents.iter().skip(npy).step_by(2) {
                match document.build(folder.path()) {
                    Ok((problem, _)) => {
                        let points = problem.reference_points();
                        assert!(!points.is_empty() && points.iter().all(|x| x.is_finite()));
                    }
                    Err(mistakes) => assert!(!mistakes.render(false).is_empty()),
                }
            }
        });
    });
}

/// A function that a file gives, of one argument and of two, of every kind: it takes the file's values where it reaches, what
/// is built is written out and reads back as the same, and a file that is no such function is refused with a reason.
pub fn table(bytes: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
    }
    let ending = match bytes {
        [0x93, ..] => "npy",
        [b'P', b'K', ..] => "npz",
        _ => "csv",
    };
    let folder = FOLDER.with(|folder| folder.path().to_owned());
    std::fs::write(folder.join(format!("table.{ending}")), bytes).expect("a file");
    let each = ["cubic", "linear", "nearest"].into_iter().flat_map(|kind| [(kind, "x"), (kind, "x, t")]);
    for (between, of) in each {
        let names: Vec<String> = of.split(", ").map(|name| format!("\"{name}\"")).collect();
        let text = format!(
            "[coordinates]\nx = [-1, 1]\nt = [0, 1e3]\n[tables]\nq = {{ file = \"table.{ending}\", of = [{}], \
             between = \"{between}\", outside = \"hold\" }}\n[unknowns]\nu = {{}}\n[conditions.c]\n\
             place = \"interior\"\nresidual = \"u_x + u_t - q({of})\"\n",
            names.join(", ")
        );
        let document = Document::parse("fuzz.toml", &text).expect("TOML");
        let problem = match document.build(&folder) {
            Ok((problem, _)) => problem,
            Err(mistakes) => {
                assert!(!mistakes.render(false).is_empty());
                continue;
            }
        };
        let function = &problem.tables[0].function;
        let corner: Vec<f64> = function.axes.iter().map(|axis| axis[0]).collect();
        let orders = vec![0; corner.len()];
        let (found, expected) = (function.evaluate(&corner, &orders), function.numbers[0]);
        assert_eq!(found, expected, "the first node");
        let middle: Vec<f64> = function.axes.iter().map(|axis| 0.5 * axis[0] + 0.5 * axis[1]).collect();
        // A spline through huge numbers may swing beyond all others.
        assert!(between == "cubic" || !function.evaluate(&middle, &orders).is_nan());
        let written = problem.to_toml();
        let again =
            Document::parse("again.toml", &written).and_then(|document| document.build(Path::new("")));
        let (again, _) = again.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
        assert_eq!(again.to_toml(), written);
    }
}

/// Points for a trained network, in the format that the input begins like: finite rows, as many as were promised.
pub fn points(bytes: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
    }
    let ending = match bytes {
        [0x93, ..] => "npy",
        [b'<', ..] => "vtu",
        [b'#', b' ', b'v', ..] => "vtk",
        _ => "csv",
    };
    let path = FOLDER.with(|folder| folder.path().join(format!("points.{ending}")));
    std::fs::write(&path, bytes).expect("a file");
    for (fixed, columns) in [(None, vec!["u_obs".to_owned()]), (Some(0.5), vec![])] {
        let coordinates = ["x", "t"].map(String::from).to_vec();
        let wanted = Wanted { coordinates, time: Some(1), fixed: vec![None, fixed], columns };
        let mut points = match Points::open(&path, wanted) {
            Ok(points) => points,
            Err(wrong) => {
                assert!(!wrong.reason.is_empty());
                continue;
            }
        };
        let mut count = 0;
        let whole = loop {
            match points.next_chunk() {
                Ok(Some(chunk)) => {
                    assert!(!chunk.points.is_empty() && chunk.points.iter().all(|x| x.is_finite()));
                    count += chunk.points.len() / 2;
                }
                Ok(None) => break true,
                Err(wrong) => break wrong.reason.is_empty(),
            }
        };
        assert!(!whole || points.count().is_none_or(|promised| promised == count));
    }
}

/// A sweep's configuration: runs are named and built, and the written configuration reads as the same sweep.
pub fn sweep(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    // A configuration names files; here it shall open none.
    if text.contains(['/', '\\']) {
        return;
    }
    let path = Path::new("fuzz.toml");
    let read =
        |text: &str| Document::parse("fuzz.toml", text).and_then(|document| Sweep::new(path, document));
    let sweep = match read(text) {
        Ok(sweep) => sweep,
        Err(mistakes) => {
            assert!(!mistakes.render(false).is_empty(), "something is wrong, and nothing is said about it");
            return;
        }
    };
    let written = sweep.to_toml();
    let again =
        read(&written).unwrap_or_else(|wrong| panic!("a written sweep does not read: {wrong}\n{written}"));
    assert_eq!(again.axes, sweep.axes, "{written}");
    let runs = [0, sweep.len() / 2, sweep.len() - 1];
    assert!(runs[0] == runs[2] || sweep.name(runs[0]) != sweep.name(runs[2]), "two runs of one name");
    if let Ok(opened) = sweep.open() {
        for run in runs {
            if let Err(wrong) = sweep.problem(&opened, run) {
                assert!(!wrong.to_string().is_empty());
            }
        }
    }
}

/// A checkpoint: it is refused, or it survives being written again and is checked against its problem.
pub fn checkpoint(bytes: &[u8]) {
    thread_local! {
        static PROBLEM: Problem = {
            let (_, text) = embedded().iter().find(|(name, _)| *name == "heat").expect("a built-in problem");
            built(text).expect("it builds")
        };
    }
    match Checkpoint::from_bytes(bytes) {
        Ok(checkpoint) => {
            let written = checkpoint.to_bytes();
            let again = Checkpoint::from_bytes(&written).expect("what was written reads");
            assert_eq!(again.to_bytes(), written, "a checkpoint changes when it is written again");
            PROBLEM.with(|problem| {
                if let Err(wrong) = checkpoint.state.check(problem) {
                    assert!(!wrong.is_empty());
                }
            });
        }
        Err(wrong) => assert!(!wrong.to_string().is_empty()),
    }
}

/// A file of a mesh, in the format that it begins like: a body that holds its own wall, or refused with a reason.
pub fn mesh(bytes: &[u8]) {
    // Numbers of a count that is too large for so short a file are refused before; larger files take long.
    if bytes.len() > 1 << 16 {
        return;
    }
    let ending = match bytes {
        [b'$', ..] => "msh",
        [b'<', ..] => "vtu",
        [b's', b'o', b'l', ..] => "stl",
        [b'v' | b'o' | b'#', ..] => "obj",
        _ => "stl",
    };
    shaped(bytes, &format!("mesh.{ending}"), "a = { mesh = \"FILE\" }", "a");
}

/// The corners of a polygon: a figure of the plane, or refused with a reason.
pub fn polygon(bytes: &[u8]) {
    if bytes.len() > 1 << 12 {
        return;
    }
    shaped(bytes, "polygon.csv", "a = { polygon = { file = \"FILE\" } }", "a");
}

/// A formula of a region over shapes of the plane: it is empty, or its points are inside.
pub fn region(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if text.len() > 200 || text.contains(['"', '\\', '\n', '\r']) || text.chars().any(char::is_control) {
        return;
    }
    let shapes = "a = { disk = { center = [0, 0], radius = 1 } }\nb = { rectangle = { from = [0, 0], to = [2, 1] } }\n\
                  c = { half-plane = { point = [0.5, 0], normal = [1, 1] } }\n\
                  d = { polygon = { points = [[0, 0], [1, 0], [0, 1]] } }";
    shaped(b"", "none", shapes, text);
}

/// What problems with a region of `shapes` are checked for, of which one may be read from a file with these bytes.
fn shaped(bytes: &[u8], name: &str, shapes: &str, region: &str) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
    }
    FOLDER.with(|folder| {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
        for coordinates in ["x = {}\ny = {}", "x = {}\ny = {}\nz = {}"] {
            let text = format!(
                "[coordinates]\n{coordinates}\n[shapes]\n{}\n[domain]\nregion = \"{region}\"\n[unknowns]\nu = {{}}\n\
                 [conditions.inside]\nplace = \"interior\"\nresidual = \"u_x\"\n\
                 [conditions.wall]\nplace = \"wall\"\nresidual = \"u\"\n",
                shapes.replace("FILE", name)
            );
            let document = Document::parse("fuzz.toml", &text).expect("TOML");
            match document.build(folder.path()) {
                Ok((problem, _)) => {
                    let points = problem.reference_points();
                    assert!(points.iter().all(|x| x.is_finite()));
                    let geometry = problem.geometry.as_ref().expect("shapes");
                    assert!(geometry.domain.measure() > 0.0);
                    break;
                }
                Err(mistakes) => assert!(!mistakes.render(false).is_empty()),
            }
        }
    });
}
