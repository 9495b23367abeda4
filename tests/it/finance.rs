//! The files of docs/finance: that they are problems, and the Greeks of the guide against their closed form.

use std::fs;
use std::path::Path;

use pinn::internals::auto::complete;
use pinn::problem::Document;

use super::cli::{exit, run, stderr};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/finance"))
}

/// Of Heston's, whose integral of two hundred nodes takes a minute to look at, the nodes are fewer.
#[test]
fn the_files_are_problems() {
    for name in ["american-put.toml", "american-put-boundary.toml", "greeks.toml", "heston.toml"] {
        let text =
            fs::read_to_string(folder().join(name)).expect("there").replace("nodes = 200", "nodes = 8");
        let document = Document::parse(name, &text).expect("TOML");
        complete(&document, folder()).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    }
}

/// Price, delta, gamma, theta and vega of a call at S = K = 1, as docs/finance.md asks for them, after a short training.
#[test]
fn greeks_are_those_of_black_and_scholes() {
    let place = tempfile::tempdir().expect("a folder");
    let file = folder().join("greeks.toml");
    let stages = "training.stages=[{adam={steps=100}},{ssbroyden={steps=700}}]";
    let network = "network={depth=2,width=16}";
    let arguments =
        [file.to_str().expect("text"), "--set", stages, "--set", network, "--out", "greeks", "--no-plots"];
    let trained = run(place.path(), &arguments);
    assert_eq!(exit(&trained), 0, "{}", stderr(&trained));
    let guide = fs::read_to_string(folder().with_file_name("finance.md")).expect("a guide");
    let line = guide.lines().find(|line| line.contains("vega = V_sigma")).expect("a command");
    let asked: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    assert_eq!(asked, ["delta = V_S", "gamma = V_SS", "theta = -V_tau", "vega = V_sigma"]);
    let mut arguments = vec!["predict", "greeks", "--at", "S=1,sigma=0.3,tau=1", "--quantity", "V"];
    arguments.extend(asked.iter().flat_map(|asked| ["--quantity", asked]));
    let answer = run(place.path(), &arguments);
    assert_eq!(exit(&answer), 0, "{}", stderr(&answer));
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let row: Vec<f64> =
        text.lines().nth(1).expect("a row").split(',').map(|cell| cell.parse().expect("a number")).collect();
    // d1 = (r + sigma^2/2)/sigma and so on, by hand.
    let exact = [
        0.1423125478598582,
        0.6242517279060125,
        1.2647764437231512,
        -0.08101189896984952,
        0.37943293311694537,
    ];
    for ((name, found), exact) in
        ["price", "delta", "gamma", "theta", "vega"].iter().zip(&row[3..]).zip(exact)
    {
        assert!((found - exact).abs() < 5e-3 * f64::abs(exact), "{name}: {found}, not {exact}");
    }
}
