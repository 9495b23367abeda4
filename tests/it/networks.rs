//! Several networks in one problem: gradients and least squares, what an unknown of fewer coordinates is, and bits.

use std::path::Path;

use pinn::internals::auto::complete;
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::engine::{Differentiable, Engine};
use pinn::internals::network::Layers;
use pinn::problem::{Document, Problem, Windows};

use super::cli::{exit, folder, run, stderr};
use super::engine::{check_gradient, check_least_squares, parameters};
use super::problem;

/// Unknowns of all coordinates, of one and of the other, whose networks have little in common.
pub(crate) const SEVERAL: [&str; 2] = [
    "depth = 2\nwidth = 5\n\
     [networks.k]\nwidths = [4, 3]\nactivation = \"silu\"\n\
     [networks.flow]\nunknowns = [\"v\"]\narchitecture = \"piratenet\"\ndepth = 1\nwidth = 4\nlinear-part = true\n\
     activation = \"sin\"\nscale = { trainable = \"layer\", initial = 0.7 }\n",
    "depth = 2\nwidth = 4\ninit = \"xavier\"\n\
     [networks.pair]\nunknowns = [\"v\", \"u\"]\nfeatures = [\"x\", \"sin(t)\", \"x*t\"]\nlinear-part = true\n\
     [networks.s]\narchitecture = \"modified-mlp\"\nscale = { trainable = \"neuron\" }\n",
];

/// A problem of four unknowns in two coordinates.
pub(crate) fn several(networks: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [-1, 1]\nt = [0, 2]\n[parameters]\nc = {{ initial = 0.7 }}\n\
         [definitions]\nflux = \"k*u_x\"\n\
         [unknowns]\nu = {{}}\nk = {{ of = [\"x\"], ansatz = \"2 + (1 + x)*net\" }}\nv = {{}}\ns = {{ of = [\"t\"] }}\n\
         [network]\n{networks}\
         [conditions.physics]\nplace = \"interior\"\nweight = 2.5\npoints = 31\n\
         residual = [\"u_t - flux_x + c*v\", \"v_t + v_xxx - s_t*u\"]\n\
         [conditions.left]\nplace = \"x = -1\"\nresidual = \"s_t - u_x\"\npoints = 13\n\
         [conditions.around]\nplace = \"periodic x\"\norder = 1\npoints = 17\n"
    ))
}

#[test]
fn gradients_of_several_networks_agree_with_differences() {
    for networks in SEVERAL {
        check_gradient(&several(networks), networks);
    }
}

#[test]
fn least_squares_of_several_networks_agree_with_differences() {
    for networks in SEVERAL {
        check_least_squares(&several(networks), networks);
    }
}

#[test]
fn what_does_not_depend_on_a_coordinate_does_not_repeat_along_it() {
    let problem = several(SEVERAL[0]);
    let around = &problem.conditions[2];
    assert_eq!(around.residuals.roots.len(), 2 * 3, "u, k and v and their slopes");
    assert!(around.written.iter().all(|written| !written.starts_with('s')));
}

/// Parameters of one of several networks, as those of that network alone.
fn alone(layers: &Layers, theta: &[f64], part: usize) -> Vec<f64> {
    let own = layers.dense().filter(|layer| layer.part == part);
    own.flat_map(|layer| theta[layer.weights..layer.biases + layer.outputs].to_vec()).collect()
}

/// Residuals, at points of x and t as far as `coordinates` has them.
fn residuals(problem: &Problem, theta: &[f64], points: &[f64]) -> Vec<f64> {
    let mut engine = CpuEngine::<f64>::new(problem, 1, Isa::best()).expect("an engine");
    engine.residuals(theta, 0, points, &[])
}

#[test]
fn an_unknown_of_one_coordinate_is_a_network_of_that_coordinate() {
    let network = "[network]\ndepth = 2\nwidth = 6\n[conditions.physics]\nplace = \"interior\"\n";
    let (x, t) = ("x = [0, 3]\n", "t = [-1, 1]\n");
    let both = problem(&format!(
        "[coordinates]\n{x}{t}[definitions]\nflux = \"k*u_x\"\n\
         [unknowns]\nu = {{}}\nk = {{ of = [\"x\"] }}\n{network}residual = [\"u_t - flux_x\", \"flux_t\"]\n"
    ));
    let u = problem(&format!(
        "[coordinates]\n{x}{t}[unknowns]\nu = {{}}\n{network}residual = [\"u_t\", \"u_x\", \"u_xx\", \"u_xt\"]\n"
    ));
    let k =
        problem(&format!("[coordinates]\n{x}[unknowns]\nk = {{}}\n{network}residual = [\"k\", \"k_x\"]\n"));
    let theta = parameters(&both);
    let layers = both.layers();
    let points = [0.3, -0.5, 1.7, 0.9, 2.9, 0.1];
    let places: Vec<f64> = points.chunks(2).map(|point| point[0]).collect();
    let found = residuals(&both, &theta, &points);
    let of_u = residuals(&u, &alone(&layers, &theta, 0), &points);
    let of_k = residuals(&k, &alone(&layers, &theta, 1), &places);
    for ((found, u), k) in found.chunks(2).zip(of_u.chunks(4)).zip(of_k.chunks(2)) {
        let by_hand = [u[0] - (k[1] * u[1] + k[0] * u[2]), k[0] * u[3]];
        for (found, by_hand) in found.iter().zip(by_hand) {
            assert!((found - by_hand).abs() < 1e-12 * by_hand.abs().max(1.0), "{found} and {by_hand}");
        }
    }
    // ∂k/∂t is no derivative that anybody computes.
    let jets = both.conditions[0].residuals.graph.jets(&both.conditions[0].residuals.roots);
    assert!(jets.iter().filter(|(output, _)| *output == 1).all(|(_, index)| index.get(1) == 0));
}

#[test]
fn several_networks_have_the_same_bits_at_any_number_of_threads() {
    for networks in SEVERAL {
        let problem = several(networks);
        let gradient = |threads: usize| {
            let mut engine = CpuEngine::<f64>::new(&problem, threads, Isa::best()).expect("an engine");
            super::engine::set_points(&problem, &mut engine);
            let theta = parameters(&problem);
            let (mut terms, mut gradient) = (vec![0.0; 3], vec![0.0; theta.len()]);
            engine.loss_and_gradient(&theta, &problem.weights(), &mut terms, &mut gradient);
            (terms, gradient)
        };
        assert_eq!(gradient(1), gradient(3));
    }
}

#[test]
fn windows_are_refused_where_an_unknown_is_the_same_in_all_of_them() {
    let text = |of: &str| {
        format!(
            "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = {{}}\nk = {{ of = [\"{of}\"] }}\n\
             [conditions.physics]\nplace = \"interior\"\nresidual = [\"u_t - k*u_xx\", \"k_{of} - u\"]\n\
             [conditions.start]\nplace = \"t = 0\"\nresidual = [\"u - x\", \"k - 1\"]\n"
        )
    };
    let mut marched = problem(&text("t"));
    marched.training.windows = pinn::settings::Cut::Equal(3);
    assert!(Windows::new(&problem(&text("t"))).is_ok());
    assert_eq!(Windows::new(&marched).expect("windows").all.len(), 3);
    let Err(refused) = Windows::new(&problem(&text("x"))) else { panic!("it is not refused") };
    assert!(refused.starts_with("`k` is no function of `t`, and windows"), "{refused}");
}

#[test]
fn the_files_of_the_guide_are_understood_and_leave_nothing_open() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/networks");
    let files = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect();
    assert_eq!(files.len(), 4);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file");
        let document = Document::parse("guide", &text).expect("TOML");
        let completed = complete(&document, &folder).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(completed.advice.is_empty(), "{}", completed.advice);
        let doubts = document.doubts(&completed.problem);
        assert!(doubts.is_empty(), "{}: {doubts}", file.display());
        // What was decided is stated, networks that nobody wrote included, and is then decided no more.
        let text = completed.problem.to_toml();
        let again = Document::parse("resolved", &text).expect("TOML");
        assert_eq!(complete(&again, &folder).expect("itself").problem.to_toml(), text);
        assert!(!completed.problem.networks.is_empty());
    }
}

/// Of a single coordinate a small network is enough, and the file's own numbers count more.
#[test]
fn unknowns_of_one_coordinate_get_small_networks() {
    let text = "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[unknowns]\nu = {}\nk = { of = [\"x\"] }\ns = { of = [\"t\"] }\n\
                [networks.s]\nwidth = 20\n[conditions.physics]\nplace = \"interior\"\n\
                residual = [\"u_t - k*u_xx\", \"s_t - u\", \"k - 1\"]\n\
                [conditions.start]\nplace = \"t = 0\"\nresidual = [\"u - sin(pi*x)\", \"s - 2\"]\n";
    let document = Document::parse("test", text).expect("TOML");
    let completed = complete(&document, Path::new("")).unwrap_or_else(|wrong| panic!("{wrong}"));
    let size = |k: usize| {
        let network = &completed.problem.networks[k].network;
        (network.depth, network.width)
    };
    assert_eq!((size(0), size(1)), ((2, 12), (3, 20)));
    // A front's start holds exactly; a face that fixes another coordinate would not make it.
    let ansatz = completed.problem.unknowns[2].ansatz.as_deref().expect("an ansatz");
    assert!(ansatz.starts_with("2 + ") && ansatz.ends_with("*(1 - exp(-t))*net"), "{ansatz}");
    assert!(completed.problem.conditions[1].is_exact());
}

#[test]
fn what_does_not_change_along_a_coordinate_is_asked_without_it() {
    let text = "coordinates = { x = [0, 1], t = [2, 3] }\nunknowns = { u = {}, k = { of = [\"x\"] } }\n\
                network = { depth = 1, width = 2 }\ntraining.stages = [{ adam = { steps = 2 } }]\n\
                [conditions]\nphysics = { place = \"interior\", residual = [\"u_t - k*u_xx\", \"k - 1\"], points = 10 }\n";
    let folder = folder();
    std::fs::write(folder.path().join("rod.toml"), text).expect("written");
    let trained = run(folder.path(), &["rod.toml", "--no-plots", "--out", "rod"]);
    assert_eq!(exit(&trained), 0, "{}", stderr(&trained));
    let stdout = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let ask = |rest: &[&str]| run(folder.path(), &[&["predict", "rod"], rest].concat());
    let short = ask(&["--at", "x=0.25", "--quantity", "k_x"]);
    assert_eq!(exit(&short), 0, "{}", stderr(&short));
    let whole = ask(&["--at", "x=0.25,t=2", "--quantity", "k_x"]);
    assert_eq!(stdout(&short), stdout(&whole));
    assert_eq!(stdout(&ask(&["--grid", "x=3", "--quantity", "k"])).lines().count(), 4);
    for formula in ["k*t", "u", "k + u_t"] {
        let refused = ask(&["--at", "x=0.25", "--quantity", formula]);
        assert!(exit(&refused) == 2 && stderr(&refused).contains("no value for `t`"), "{}", stderr(&refused));
    }
}

/// What trained scales came to, and the band about an unknown that data determine, from the result to the page and to what a
/// run is asked.
#[test]
fn scales_and_bands_are_told() {
    let out = folder();
    let path = out.path().join("run").display().to_string();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/networks/conductivity.toml");
    let changes = [
        "training.stages=[{ adam = { steps = 5 } }]",
        "network={ depth = 2, width = 6, scale = { trainable = \"layer\", initial = 0.5 } }",
        "networks.k={ depth = 1, width = 4, scale = { trainable = \"neuron\", initial = 2 } }",
        "conditions.physics.points=100",
    ];
    let changes = changes.iter().flat_map(|change| ["--set", change]);
    let command: Vec<&str> = [file, "--out", &path, "--quiet"].into_iter().chain(changes).collect();
    let ended = run(out.path(), &command);
    assert_eq!(exit(&ended), 0, "{}", stderr(&ended));
    let result: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.path().join("run/result.json")).expect("there"))
            .expect("JSON");
    let scales = |name: &str| -> Vec<Vec<f64>> {
        serde_json::from_value(result["scales"][name].clone()).expect("rows of numbers")
    };
    let (shared, own) = (scales("network"), scales("k"));
    assert_eq!((shared.len(), shared[0].len(), own.len(), own[0].len()), (2, 1, 1, 4));
    // Five steps leave them near where they began, and not there.
    let near = |x: f64, from: f64| x != from && (x / from - 1.0).abs() < 0.1;
    assert!(shared.iter().all(|layer| near(layer[0], 0.5)) && own[0].iter().all(|&x| near(x, 2.0)));
    let numbers = |key: &str| -> Vec<f64> {
        serde_json::from_value(result["bands"]["k"][key].clone()).expect("numbers")
    };
    let (at, error) = (numbers("at"), numbers("standard_error"));
    let point = format!("x={}", at[7]);
    let middle = format!("x={}", 0.5 * (at[7] + at[8]));
    let asked = run(
        out.path(),
        &["predict", &path, "--at", &point, "--at", &middle, "--quantity", "2*k_error", "--quiet"],
    );
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    let found: Vec<f64> = said
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap().parse().expect("a number"))
        .collect();
    let expected = [2.0 * error[7], error[7] + error[8]];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9 * b), "{said} {expected:?}");
    let page = std::fs::read_to_string(out.path().join("run/report.html")).expect("a page");
    assert!(page.contains("Scales of activations") && page.contains("\"band\":{\"at\":["));
}

#[test]
fn a_network_of_another_name_is_told() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/networks/conductivity.toml");
    let check = |change: &str, expected: &str| {
        let ended = run(folder().path(), &["check", file, "--set", change]);
        assert_eq!(exit(&ended), 2);
        let said = stderr(&ended);
        assert!(said.contains(expected), "{said}");
    };
    check("networks.kk.width=3", "call it like its only unknown");
    check("networks.k.widht=3", "did you mean `width`?");
}
