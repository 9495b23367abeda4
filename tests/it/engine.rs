//! The engines: gradients against differences, jets against symbolic differentiation, and equal bits at any number
//! of threads.

use pinn::internals::activation::Activation;
use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::engine::{Differentiable, Engine, Jacobian, square_factor};
use pinn::internals::expr::{Binary, Graph, Node, NodeId, Unary};
use pinn::internals::init;
use pinn::internals::jet::MultiIndex;
use pinn::internals::network::{Layer, Layers, Op};
use pinn::internals::sample;
use pinn::internals::simd::Real;
use pinn::problem::{Problem, Trainable, embedded};

use super::{difference, embedded_problem, problem};

/// Every activation, a scaled one and a sum.
const ACTIVATIONS: &[(&str, f64)] = &[
    ("tanh", 1.0),
    ("erf", 1.0),
    ("arctan", 1.0),
    ("gd", 1.0),
    ("softsign_1", 1.0),
    ("softsign_2", 1.0),
    ("tanh", 0.1),
    ("softsign_2", 3.0),
    ("softsign_1 + softsign_2", 1.0),
    ("0.5*tanh(2*x) + erf", 1.0),
    ("sin", 1.0),
    ("silu", 1.0),
    ("gelu", 1.0),
    ("softplus", 1.0),
    ("gaussian", 1.0),
    ("sin(2*x)", 0.5),
];

/// Residuals that need every derivative up to order four, mixed ones too.
const RESIDUALS: &[&str] = &[
    "u - x",
    "u_x*u + y",
    "u_y + u*u_x - 0.1*u_xx",
    "u_xx + u_yy",
    "u_xy*u - u_x",
    "u_xx*u_yy - u_xy^2",
    "u_xxx + u_y*u",
    "u_xxy + u_xyy",
    "u_xxxx + u_yy",
    "u_xxxx + 2*u_xxyy + u_yyyy - exp(u)",
    "u_xyyy*sin(u_x) + tanh(u_xxxy)",
];

fn square(residual: &str, network: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [-1, 1]\ny = [0, 2]\n[unknowns]\nu = {{}}\n[network]\n{network}\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"{residual}\"\npoints = 37\n"
    ))
}

/// An engine with the points of round 0, and initial parameters with biases that are not zero.
fn engine<R: Real>(problem: &Problem, threads: usize, isa: Isa) -> (CpuEngine<R>, Vec<f64>) {
    let mut engine = CpuEngine::new(problem, threads, isa).expect("an engine");
    set_points(problem, &mut engine);
    (engine, parameters(problem))
}

pub(crate) fn set_points(problem: &Problem, engine: &mut dyn Engine) {
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows: points, data } = sample::points(problem, condition, 1, 0);
        engine.set_points(i, &points, &data);
    }
}

pub(crate) fn parameters(problem: &Problem) -> Vec<f64> {
    let activation = &problem.activation;
    let mut seeded = problem.clone();
    seeded.training.seed = 1;
    let mut theta = init::parameters(&seeded).expect("parameters");
    theta.truncate(problem.layers().parameters());
    // Milder weights and some bias, so that no unit is saturated.
    for (i, x) in theta.iter_mut().enumerate() {
        *x = 0.7 * *x + 0.1 * activation.omega() * (i as f64 * 0.7).sin();
    }
    problem.with_coefficients(theta)
}

/// Gives points weights that differ from point to point; returns weights of conditions that differ, too.
pub(crate) fn set_weights(problem: &Problem, engine: &mut dyn Engine) -> Vec<f64> {
    for (i, condition) in problem.conditions.iter().enumerate() {
        let points = sample::points(problem, condition, 1, 0).rows;
        let sites = points.len() / (problem.coordinates.len() * condition.sides());
        let weights: Vec<f64> = (0..sites).map(|p| 1.0 + 0.9 * (p as f64 * 1.7).sin()).collect();
        engine.set_point_weights(i, &weights);
    }
    (0..problem.conditions.len()).map(|i| 0.5 + i as f64).collect()
}

/// The gradient along some directions against central differences of fourth order.
pub(crate) fn check_gradient(problem: &Problem, what: &str) {
    let (mut engine, theta) = engine::<f64>(problem, 1, Isa::best());
    check_gradient_of(&mut engine, &theta, problem, &problem.weights(), what);
    let weights = set_weights(problem, &mut engine);
    check_gradient_of(&mut engine, &theta, problem, &weights, &format!("{what}, weighted"));
}

fn check_gradient_of(
    engine: &mut CpuEngine<f64>,
    theta: &[f64],
    problem: &Problem,
    weights: &[f64],
    what: &str,
) {
    let mut terms = vec![0.0; problem.conditions.len()];
    let mut gradient = vec![0.0; theta.len()];
    let loss = engine.loss_and_gradient(theta, weights, &mut terms, &mut gradient);
    assert!(loss.is_finite() && loss > 0.0, "{what}: loss {loss}");
    let kinked = problem.activation.is_kinked();
    let size = theta.iter().map(|x| x * x).sum::<f64>().sqrt();
    let steepness = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
    for d in 0..3 {
        let direction: Vec<f64> = (0..theta.len()).map(|i| ((i * (d + 2) + d) as f64 * 1.3).sin()).collect();
        let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A small step where f'' jumps, so that no unit crosses its kink.
        let h = if kinked { 1e-6 } else { 3e-4 } * size / norm;
        let mut at = |step: f64| {
            let moved: Vec<f64> = theta.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            engine.loss(&moved, weights, &mut terms)
        };
        let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let scale = steepness * norm / (theta.len() as f64).sqrt();
        assert!(
            (slope - difference).abs() <= 1e-6 * slope.abs().max(scale),
            "{what}: slope {slope} against difference {difference}"
        );
    }
}

#[test]
fn gradients_agree_with_differences_for_every_activation_and_derivative() {
    for (activation, scale) in ACTIVATIONS {
        for residual in RESIDUALS {
            let network = format!("depth = 3\nwidth = 7\nactivation = \"{activation}\"\nscale = {scale:?}");
            let problem = square(residual, &network);
            check_gradient(&problem, &format!("{scale}·({activation}), {residual}"));
        }
    }
}

/// Every kind of network, of one width and of several, with what can be trained in it.
pub(crate) const NETWORKS: &[&str] = &[
    "widths = [5, 9, 3]",
    "architecture = \"resnet\"\ndepth = 4\nwidth = 6",
    "architecture = \"resnet\"\nwidths = [5, 7, 5, 9]",
    "architecture = \"modified-mlp\"\ndepth = 3\nwidth = 6",
    "architecture = \"piratenet\"\ndepth = 2\nwidth = 5",
    "depth = 3\nwidth = 6\nlinear-part = true",
    "depth = 3\nwidth = 6\nscale = { trainable = \"all\", initial = 0.5 }",
    "depth = 3\nwidth = 6\nscale = { trainable = \"layer\" }",
    "architecture = \"resnet\"\ndepth = 3\nwidth = 5\nscale = { trainable = \"neuron\", initial = 0.7 }",
    "architecture = \"piratenet\"\ndepth = 2\nwidth = 5\nlinear-part = true\nscale = { trainable = \"layer\" }",
];

#[test]
fn gradients_agree_with_differences_for_every_network() {
    for network in NETWORKS {
        for residual in RESIDUALS {
            // Mild weights, for which differences are exact enough.
            let problem = square(residual, &format!("init = \"xavier\"\n{network}"));
            check_gradient(&problem, &format!("{network}, {residual}"));
        }
    }
}

/// Registers hold twice as many numbers as in double precision, so that other sizes do not fill them.
#[test]
fn single_precision_agrees_with_double_for_every_network() {
    for network in NETWORKS {
        for residual in RESIDUALS {
            let problem = square(residual, &format!("init = \"xavier\"\n{network}"));
            let gradient = |engine: &mut dyn Differentiable, theta: &[f64]| {
                let (mut terms, mut gradient) = (vec![0.0; problem.conditions.len()], vec![0.0; theta.len()]);
                engine.loss_and_gradient(theta, &problem.weights(), &mut terms, &mut gradient);
                gradient
            };
            let (mut double, theta) = engine::<f64>(&problem, 1, Isa::best());
            let (mut single, _) = engine::<f32>(&problem, 1, Isa::best());
            let off = difference(&gradient(&mut single, &theta), &gradient(&mut double, &theta));
            assert!(off < 1e-4, "{network}, {residual}: {off:e}");
        }
    }
}

/// Sums of derivatives that share a channel go through gates as well, with coefficients that depend on the point.
#[test]
fn operators_go_through_every_network() {
    for network in NETWORKS {
        for (written, parts) in [
            ("u_y - x^2*u_xx - x*u_x + u", ["u_y - x*u_x + u", "-x^2*u_xx"]),
            ("u_yy + sin(x)*u_xxxx + 2*u_xxyy", ["u_yy + 2*u_xxyy", "sin(x)*u_xxxx"]),
        ] {
            let points = [-0.9, 0.1, 0.2, 1.7, 0.65, 0.4, 0.0, 0.0];
            let at = |residual: &str| {
                let (mut engine, theta) = engine::<f64>(&square(residual, network), 1, Isa::best());
                engine.residuals(&theta, 0, &points, &[])
            };
            let (whole, [one, other]) = (at(written), parts.map(at));
            for ((whole, one), other) in whole.iter().zip(one).zip(other) {
                let size = one.abs().max(other.abs()).max(1.0);
                assert!((whole - one - other).abs() < 1e-11 * size, "{network}, {written}: {whole}");
            }
        }
    }
}

#[test]
fn least_squares_agree_with_differences_for_every_network() {
    for network in NETWORKS {
        let problem = problem(&format!(
            "[coordinates]\nx = [-1, 1]\nt = [0, 2]\n[unknowns]\nu = {{}}\nv = {{}}\n[network]\n{network}\n\
             [conditions.physics]\nplace = \"interior\"\nweight = 2.5\npoints = 31\n\
             residual = [\"u_t + v*u_x - (1 + x^2)*u_xx\", \"v_t + v_xxx - u\"]\n\
             [conditions.around]\nplace = \"periodic x\"\norder = 1\npoints = 17\n"
        ));
        check_least_squares(&problem, network);
    }
}

/// Integrals with ends that move and that do not, at many points and at one, beside a parameter that is found.
pub(crate) fn integral(network: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [0, 1]\nt = [0, 2]\n[parameters]\nc = {{ initial = 0.4 }}\n[unknowns]\nu = {{}}\n\
         [definitions]\nI = \"integral(x*u^2, x = 0..x, nodes = 4)\"\n[network]\n{network}\n\
         [conditions.physics]\nplace = \"interior\"\nweight = 2.5\npoints = 7\n\
         residual = [\"u_t - c*u_xx + I\", \"I_x*u - integral(exp(s - t)*u_x(x, s), s = 0..t, nodes = 3)\"]\n\
         [conditions.once]\nplace = \"x = 0, t = 1\"\n\
         residual = \"integral(u^2, x = 0..1, t = 0..x, nodes = 3) - u\"\n"
    ))
}

/// Integrals over a region, over a wall with its normal, and over a body's interior at the time of each point.
pub(crate) fn over_places(network: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = {{}}\ny = {{}}\nt = [0, 2]\n[shapes]\na = {{ disk = {{ center = [0, 0], radius = 1 }} }}\n\
         b = {{ rectangle = {{ from = [0, 0], to = [2, 1] }} }}\n[domain]\nregion = \"a + b\"\n[unknowns]\nu = {{}}\n\
         [network]\n{network}\n[conditions.physics]\nplace = \"interior\"\nweight = 2.5\npoints = 7\n\
         residual = \"u_t - u_xx - u_yy + u*integral(u^2, over interior, nodes = 2)\"\n\
         [conditions.wall]\nplace = \"wall of a\"\npoints = 5\n\
         residual = \"u_n - integral(u_n*x, over wall of b, nodes = 3) - integral(n_x*u, over wall, nodes = 2)\"\n"
    ))
}

#[test]
fn integrals_have_gradients_and_least_squares_for_every_network() {
    for network in ["depth = 2\nwidth = 5", "architecture = \"modified-mlp\"\ndepth = 1\nwidth = 4"] {
        for made in [integral, over_places] {
            let problem = made(&format!("init = \"xavier\"\n{network}"));
            check_gradient(&problem, network);
            check_least_squares(&problem, network);
            assert_eq!(bits::<f64>(&problem, 1), bits::<f64>(&problem, 2), "{network}");
        }
    }
}

/// Against sums of the network's values, with Gauss and Legendre's two nodes, as a residual and as a question.
#[test]
fn integrals_are_sums_of_the_network_at_their_nodes() {
    let integral = "integral(x*u, x = 0..y/2, nodes = 2)";
    let (mut engine, theta) = engine::<f64>(&square(integral, "depth = 2\nwidth = 5"), 2, Isa::best());
    let points: Vec<f64> = (0..60).flat_map(|i| [0.01 * f64::from(i), 0.03 * f64::from(i)]).collect();
    let found = engine.residuals(&theta, 0, &points, &[]);
    for (row, found) in points.chunks_exact(2).zip(&found) {
        let nodes =
            [0.5 - 0.75_f64.sqrt() / 3.0, 0.5 + 0.75_f64.sqrt() / 3.0].map(|share| 0.5 * share * row[1]);
        let mut at = |x: f64| x * engine.predict(&theta, &[x, row[1]])[0];
        let expected = 0.25 * row[1] * (at(nodes[0]) + at(nodes[1]));
        assert!((found - expected).abs() < 1e-14, "{row:?}: {found} {expected}");
    }
}

#[test]
fn every_network_has_the_same_bits_at_any_number_of_threads() {
    for network in NETWORKS {
        let problem = square("u_y + u*u_x - 0.1*u_xx", network);
        assert_eq!(bits::<f32>(&problem, 1), bits::<f32>(&problem, 3), "{network}");
        assert_eq!(bits::<f64>(&problem, 1), bits::<f64>(&problem, 2), "{network}");
    }
}

#[test]
fn gradients_agree_with_differences_for_every_problem() {
    for (name, _) in embedded() {
        let mut problem = embedded_problem(name, &[("network.depth", "2"), ("network.width", "9")]);
        for condition in &mut problem.conditions {
            condition.points = condition.points.min(20);
        }
        check_gradient(&problem, name);
    }
}

/// The network as a formula of the coordinates: its derivatives are then symbolic, an independent route.
fn network_formula(
    problem: &Problem,
    layers: &Layers,
    activation: &Activation,
    theta: &[f64],
) -> (Graph, NodeId) {
    let mut graph = Graph::default();
    let features = problem.coordinates.iter().enumerate().map(|(coordinate, c)| {
        let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
        let slope = graph.constant(2.0 / (c.upper - c.lower));
        let shift = graph.constant(-1.0 - c.lower * 2.0 / (c.upper - c.lower));
        let scaled = graph.binary(Binary::Mul, slope, x);
        graph.binary(Binary::Add, scaled, shift)
    });
    let mut arrays: Vec<Vec<NodeId>> = vec![features.collect()];
    let dense = |graph: &mut Graph, layer: &Layer, values: &[NodeId]| -> Vec<NodeId> {
        let neuron = |n: usize| {
            let mut sum = graph.constant(theta[layer.biases + n]);
            for (k, &value) in values.iter().enumerate() {
                let weight = graph.constant(theta[layer.weights + n * layer.inputs + k]);
                let product = graph.binary(Binary::Mul, weight, value);
                sum = graph.binary(Binary::Add, sum, product);
            }
            sum
        };
        (0..layer.outputs).map(neuron).collect()
    };
    for step in &layers.steps {
        let number = |by: usize, n: usize| {
            let numbers = layers.numbers[by];
            theta[numbers.first + if numbers.count > 1 { n } else { 0 }]
        };
        let each = |graph: &mut Graph, f: &dyn Fn(&mut Graph, usize) -> NodeId| {
            let width = arrays[step.reads().next().expect("something is read")].len();
            (0..width).map(|n| f(graph, n)).collect::<Vec<_>>()
        };
        // b + factor·(a − b)
        let between = |graph: &mut Graph, factor: NodeId, a: NodeId, b: NodeId| {
            let difference = graph.binary(Binary::Sub, a, b);
            let part = graph.binary(Binary::Mul, factor, difference);
            graph.binary(Binary::Add, b, part)
        };
        let made = match *step {
            Op::Dense { layer, from, activated } => {
                let z = dense(&mut graph, &layer, &arrays[from]);
                let mut function = |z| if activated { activation.expression(&mut graph, z) } else { z };
                z.into_iter().map(&mut function).collect()
            }
            Op::Add { a, b } => {
                each(&mut graph, &|graph, n| graph.binary(Binary::Add, arrays[a][n], arrays[b][n]))
            }
            Op::Blend { gate, a, b } => {
                each(&mut graph, &|graph, n| between(graph, arrays[gate][n], arrays[a][n], arrays[b][n]))
            }
            Op::Mix { by, a, b } => each(&mut graph, &|graph, n| {
                let factor = graph.constant(number(by, n));
                between(graph, factor, arrays[a][n], arrays[b][n])
            }),
            Op::Scale { by, from } => each(&mut graph, &|graph, n| {
                let factor = graph.constant(number(by, n));
                graph.binary(Binary::Mul, factor, arrays[from][n])
            }),
        };
        arrays.push(made);
    }
    let mut sum = graph.constant(0.0);
    for output in &layers.outputs {
        let raw = dense(&mut graph, &output.layer, &arrays[output.from])[0];
        sum = graph.binary(Binary::Add, sum, raw);
    }
    (graph, sum)
}

#[test]
fn jets_agree_with_symbolic_differentiation_of_the_network() {
    let outside = ["sin", "silu", "gelu", "softplus", "gaussian"];
    for activation in ["tanh", "erf", "arctan", "gd", "softsign_2"].into_iter().chain(outside) {
        check_jets(&format!("depth = 2\nwidth = 3\nscale = 0.7\nactivation = \"{activation}\""));
    }
    for network in NETWORKS.iter().filter(|network| !network.contains("piratenet")) {
        check_jets(network);
    }
    // Symbolic derivatives of fourth order of more layers would be formulas too long.
    check_jets("architecture = \"piratenet\"\ndepth = 1\nwidth = 2");
}

fn check_jets(network: &str) {
    let derivatives = ["u", "u_x", "u_y", "u_xy", "u_yy", "u_xxx", "u_xyy", "u_xxxx", "u_xxyy", "u_yyyy"];
    for written in derivatives {
        let problem = square(written, network);
        let (mut engine, theta) = engine::<f64>(&problem, 1, Isa::best());
        let (mut graph, mut root) = network_formula(&problem, &problem.layers(), &problem.activation, &theta);
        let index = written.trim_start_matches(['u', '_']).chars().fold(MultiIndex::VALUE, |index, c| {
            let coordinate = usize::from(c == 'y');
            root = graph.derivative(root, coordinate);
            index.plus(coordinate)
        });
        let points = [-0.9, 0.1, 0.2, 1.7, 0.65, 0.4];
        let jets = engine.residuals(&theta, 0, &points, &[]);
        let mut values = vec![];
        for (point, jet) in points.chunks(2).zip(jets) {
            graph.eval(&mut values, |node| match node {
                Node::Coordinate { coordinate, .. } => point[coordinate],
                _ => unreachable!("the network is a formula of the coordinates"),
            });
            let exact = values[root.index()];
            let scale = exact.abs().max(1.0);
            assert!(
                (jet - exact).abs() < 1e-11 * scale,
                "{network} {written} of order {}: {jet} against {exact}",
                index.order()
            );
        }
    }
}

/// What is carried as one channel is the sum of its parts, each of which is carried alone.
#[test]
fn operators_agree_with_their_parts() {
    type Sum = fn(&[f64], f64, f64) -> f64;
    let cases: [(&str, &[&str], Sum); 6] = [
        ("u_y + u*u_x - 0.1*u_xx", &["u", "u_x", "u_y", "u_xx"], |d, _, _| d[2] + d[0] * d[1] - 0.1 * d[3]),
        ("u_y - x^2*u_xx - x*u_x + u", &["u", "u_x", "u_y", "u_xx"], |d, x, _| {
            d[2] - x * x * d[3] - x * d[1] + d[0]
        }),
        ("u_xx/(1 + y) - (u_yy - 3*u_xy)", &["u_xx", "u_xy", "u_yy"], |d, _, y| {
            d[0] / (1.0 + y) - (d[2] - 3.0 * d[1])
        }),
        ("u_yy + sin(x)*u_xxxx", &["u_yy", "u_xxxx"], |d, x, _| d[0] + x.sin() * d[1]),
        ("u_xxxx + 2*u_xxyy + u_yyyy - exp(u)", &["u", "u_xxxx", "u_xxyy", "u_yyyy"], |d, _, _| {
            d[1] + 2.0 * d[2] + d[3] - d[0].exp()
        }),
        ("u_xxx*y + y*u_xxy - y*u_y", &["u_y", "u_xxx", "u_xxy"], |d, _, y| y * (d[1] + d[2] - d[0])),
    ];
    let network = "depth = 3\nwidth = 7\nscale = 0.7";
    let points = [-0.9, 0.1, 0.2, 1.7, 0.65, 0.4, 0.0, 0.0];
    for (written, derivatives, sum) in cases {
        let (mut together, theta) = engine::<f64>(&square(written, network), 1, Isa::best());
        let sums = together.residuals(&theta, 0, &points, &[]);
        let parts: Vec<Vec<f64>> = derivatives
            .iter()
            .map(|alone| {
                let (mut engine, same) = engine::<f64>(&square(alone, network), 1, Isa::best());
                assert_eq!(theta, same);
                engine.residuals(&theta, 0, &points, &[])
            })
            .collect();
        for (i, (value, point)) in sums.iter().zip(points.chunks(2)).enumerate() {
            let here: Vec<f64> = parts.iter().map(|part| part[i]).collect();
            let exact = sum(&here, point[0], point[1]);
            assert!((value - exact).abs() < 1e-11 * exact.abs().max(1.0), "{written}: {value}, not {exact}");
        }
    }
}

/// Loss, terms and gradient as bits.
fn bits<R: Real>(problem: &Problem, threads: usize) -> Vec<u64> {
    let (mut engine, theta) = engine::<R>(problem, threads, Isa::best());
    let mut terms = vec![0.0; problem.conditions.len()];
    let mut gradient = vec![0.0; theta.len()];
    let loss = engine.loss_and_gradient(&theta, &problem.weights(), &mut terms, &mut gradient);
    [vec![loss], terms, gradient].concat().into_iter().map(f64::to_bits).collect()
}

#[test]
fn results_are_the_same_bits_at_any_number_of_threads() {
    for name in ["burgers-soft", "allen-cahn-soft", "kovasznay"] {
        let problem = embedded_problem(name, &[("network.depth", "3"), ("network.width", "20")]);
        let one = bits::<f32>(&problem, 1);
        assert_eq!(one, bits::<f32>(&problem, 2), "{name}");
        assert_eq!(one, bits::<f32>(&problem, 3), "{name}");
        assert_eq!(bits::<f64>(&problem, 1), bits::<f64>(&problem, 2), "{name}");
    }
}

#[test]
fn instruction_sets_agree() {
    fn check<R: Real>(tolerance: f64) {
        for width in ["5", "16", "33"] {
            let problem = embedded_problem("kdv", &[("network.depth", "3"), ("network.width", width)]);
            let mut terms = vec![0.0; problem.conditions.len()];
            let results: Vec<(f64, Vec<f64>)> = Isa::available()
                .into_iter()
                .map(|isa| {
                    let (mut engine, theta) = engine::<R>(&problem, 1, isa);
                    let mut gradient = vec![0.0; theta.len()];
                    let loss =
                        engine.loss_and_gradient(&theta, &problem.weights(), &mut terms, &mut gradient);
                    (loss, gradient)
                })
                .collect();
            let (loss, gradient) = &results[0];
            let norm = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
            for (other, other_gradient) in &results[1..] {
                assert!((loss - other).abs() <= tolerance * loss, "{loss} against {other}");
                let difference: f64 = gradient.iter().zip(other_gradient).map(|(a, b)| (a - b).powi(2)).sum();
                assert!(
                    difference.sqrt() <= tolerance * norm,
                    "gradients differ by {}",
                    difference.sqrt() / norm
                );
            }
        }
    }
    check::<f64>(1e-11);
    check::<f32>(2e-3);
}

#[test]
fn many_points_predict_what_each_predicts_alone() {
    let problem = embedded_problem("kovasznay", &[("network.depth", "2"), ("network.width", "12")]);
    let (mut engine, theta) = engine::<f64>(&problem, 2, Isa::best());
    let points: Vec<f64> = (0..2 * 1501).map(|i| 0.4 * (i as f64 * 0.37).sin()).collect();
    let together = engine.predict(&theta, &points);
    assert_eq!(together.len(), 1501 * problem.unknowns.len());
    for i in [0, 1, 700, 1500] {
        let alone = engine.predict(&theta, &points[2 * i..2 * i + 2]);
        assert_eq!(alone, together[i * problem.unknowns.len()..][..problem.unknowns.len()]);
    }
}

#[test]
fn points_that_are_asked_for_again_are_those_of_the_network_as_it_is_then() {
    let problem = embedded_problem("kovasznay", &[("network.depth", "2"), ("network.width", "12")]);
    let (mut asked_before, theta) = engine::<f64>(&problem, 2, Isa::best());
    let later: Vec<f64> = theta.iter().map(|x| 1.1 * x + 0.01).collect();
    let points: Vec<f64> = (0..2 * 301).map(|i| 0.4 * (i as f64 * 0.37).sin()).collect();
    let before = asked_before.predict(&theta, &points);
    let fresh = engine::<f64>(&problem, 1, Isa::best()).0.predict(&later, &points);
    assert_ne!(before, fresh);
    assert_eq!(asked_before.predict(&later, &points), fresh);
    // Others, as many, are others.
    let others: Vec<f64> = points.iter().map(|x| -x).collect();
    let fresh = engine::<f64>(&problem, 1, Isa::best()).0.predict(&later, &others);
    assert_eq!(asked_before.predict(&later, &others), fresh);
    assert_eq!(asked_before.predict(&theta, &points), before);
}

#[test]
fn weights_enter_the_loss_but_not_its_terms() {
    let problem = embedded_problem("allen-cahn-soft", &[("network.depth", "2"), ("network.width", "8")]);
    let (mut engine, theta) = engine::<f64>(&problem, 2, Isa::best());
    let count = problem.conditions.len();
    let (mut terms, mut weighted_terms) = (vec![0.0; count], vec![0.0; count]);
    let before = engine.loss(&theta, &problem.weights(), &mut terms);
    let weights = set_weights(&problem, &mut engine);
    let loss = engine.loss(&theta, &weights, &mut weighted_terms);
    assert_eq!(terms, weighted_terms);
    let mut total = 0.0;
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows: points, data } = sample::points(&problem, condition, 1, 0);
        let roots = condition.residuals.roots.len();
        let residuals = engine.residuals(&theta, i, &points, &data);
        let sites = residuals.len() / roots;
        for (p, row) in residuals.chunks_exact(roots).enumerate() {
            let squares: f64 = row.iter().map(|r| r * r).sum();
            let point_weight = 1.0 + 0.9 * (p as f64 * 1.7).sin();
            total += square_factor(0.5 + i as f64, point_weight, sites) * squares;
        }
    }
    assert!((total - loss).abs() < 1e-12 * loss, "{total} {loss}");
    // New points take their weights away.
    set_points(&problem, &mut engine);
    assert_eq!(engine.loss(&theta, &problem.weights(), &mut terms), before);
}

/// Each condition's gradient costs its own rows alone, and they add up to the whole; without a weight, a condition adds
/// nothing, not even NaN.
#[test]
fn conditions_stand_for_themselves() {
    let mut problem = embedded_problem("allen-cahn-soft", &[("network.depth", "2"), ("network.width", "8")]);
    let (mut engine, theta) = engine::<f64>(&problem, 2, Isa::best());
    let count = problem.conditions.len();
    let (mut terms, mut whole) = (vec![0.0; count], vec![0.0; theta.len()]);
    let weights = set_weights(&problem, &mut engine);
    let loss = engine.loss_and_gradient(&theta, &weights, &mut terms, &mut whole);
    let rows = engine.rows_done();
    assert!(rows >= engine.work().rows);
    let (mut sum, mut gradient) = (vec![0.0; theta.len()], vec![0.0; theta.len()]);
    let mut total = 0.0;
    for (i, weight) in weights.iter().enumerate() {
        total += weight * engine.condition_gradient(&theta, i, &mut gradient);
        sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += weight * g);
    }
    assert_eq!(engine.rows_done(), 2 * rows);
    assert!((total - loss).abs() < 1e-12 * loss, "{total} {loss}");
    let steepness = whole.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
    assert!(sum.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-12 * steepness));

    // The last condition's residual becomes the logarithm of a negative number.
    let residuals = &mut problem.conditions[count - 1].residuals;
    let minus_one = residuals.graph.constant(-1.0);
    let broken = residuals.graph.unary(Unary::Ln, minus_one);
    residuals.roots[0] = residuals.graph.binary(Binary::Mul, broken, residuals.roots[0]);
    let (mut engine, _) = self::engine::<f64>(&problem, 2, Isa::best());
    assert!(engine.loss_and_gradient(&theta, &weights, &mut terms, &mut gradient).is_nan());
    let without: Vec<f64> = weights[..count - 1].iter().copied().chain([0.0]).collect();
    let loss = engine.loss_and_gradient(&theta, &without, &mut terms, &mut gradient);
    let normal = normal(&mut engine, &without, &theta);
    assert!(loss.is_finite() && loss == normal.loss);
    assert!(gradient.iter().chain(&normal.matrix).all(|x| x.is_finite()));
}

#[test]
fn the_loss_is_the_weighted_mean_of_squared_residuals() {
    let problem = embedded_problem("allen-cahn-soft", &[("network.depth", "2"), ("network.width", "8")]);
    let (mut engine, theta) = engine::<f64>(&problem, 2, Isa::best());
    let mut terms = vec![0.0; problem.conditions.len()];
    let loss = engine.loss(&theta, &problem.weights(), &mut terms);
    let mut total = 0.0;
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows: points, data } = sample::points(&problem, condition, 1, 0);
        let residuals = engine.residuals(&theta, i, &points, &data);
        let sites = points.len() / (problem.coordinates.len() * condition.sides());
        assert_eq!(residuals.len(), sites * condition.residuals.roots.len());
        let mean = residuals.iter().map(|r| r * r).sum::<f64>() / sites as f64;
        assert!((mean - terms[i]).abs() < 1e-12 * mean.max(1e-3), "{}: {mean} {}", condition.name, terms[i]);
        total += condition.weight * mean;
    }
    assert!((total - loss).abs() < 1e-12 * loss);
}

/// Normal equations with the loss's own figures.
struct Normal {
    loss: f64,
    terms: Vec<f64>,
    matrix: Vec<f64>,
    vector: Vec<f64>,
}

fn normal<R: Real>(engine: &mut CpuEngine<R>, weights: &[f64], theta: &[f64]) -> Normal {
    let n = theta.len();
    let (mut terms, mut matrix, mut vector) = (vec![0.0; weights.len()], vec![0.0; n * n], vec![0.0; n]);
    let loss = engine.normal_equations(theta, weights, &mut terms, &mut matrix, &mut vector);
    Normal { loss, terms, matrix, vector }
}

/// A built-in problem with few points and a small network.
fn small(name: &str, points: usize) -> Problem {
    let mut problem = embedded_problem(name, &[("network.depth", "2"), ("network.width", "5")]);
    for condition in &mut problem.conditions {
        condition.points = condition.points.min(points);
    }
    problem
}

/// r as the engine's documentation defines it, from residuals alone, with the weights of [`set_weights`].
fn weighted_residuals(problem: &Problem, engine: &mut CpuEngine<f64>, theta: &[f64]) -> Vec<f64> {
    let mut all = vec![];
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows: points, data } = sample::points(problem, condition, 1, 0);
        let sites = points.len() / (problem.coordinates.len() * condition.sides());
        let residuals = engine.residuals(theta, i, &points, &data);
        for (p, row) in residuals.chunks_exact(residuals.len() / sites).enumerate() {
            let scale = square_factor(0.5 + i as f64, 1.0 + 0.9 * (p as f64 * 1.7).sin(), sites).sqrt();
            all.extend(row.iter().map(|r| scale * r));
        }
    }
    all
}

/// JᵀJ, Jᵀr and the products against a Jacobian of differences, and against the gradient.
pub(crate) fn check_least_squares(problem: &Problem, what: &str) {
    let (mut engine, mut theta) = engine::<f64>(problem, 2, Isa::best());
    theta.resize(engine.parameters(), 0.4);
    let weights = set_weights(problem, &mut engine);
    let n = theta.len();
    let at = normal(&mut engine, &weights, &theta);
    let mut terms = vec![0.0; problem.conditions.len()];
    assert_eq!(at.loss.to_bits(), engine.loss(&theta, &weights, &mut terms).to_bits(), "{what}");
    assert_eq!(at.terms, terms, "{what}");
    let mut gradient = vec![0.0; n];
    engine.loss_and_gradient(&theta, &weights, &mut terms, &mut gradient);
    let steepness = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
    for (g, v) in gradient.iter().zip(&at.vector) {
        assert!((g - 2.0 * v).abs() <= 1e-12 * steepness, "{what}: gradient {g} against twice {v}");
    }

    // The rows themselves have that JᵀJ and that Jᵀr.
    let mut rows = vec![];
    let mut take = |some: &[f64]| rows.extend_from_slice(some);
    let loss = engine.residual_rows(&theta, &weights, &mut terms, &mut take);
    assert_eq!((loss.to_bits(), &terms), (at.loss.to_bits(), &at.terms), "{what}");
    assert_eq!(rows.len(), engine.residual_count() * (n + 1), "{what}");
    let gram = |i: usize, j: usize| rows.chunks_exact(n + 1).map(|row| row[i] * row[j]).sum::<f64>();
    for i in 0..n {
        let size = gram(i, i).sqrt();
        let close = |a: f64, b: f64, size: f64| assert!((a - b).abs() <= 1e-12 * size, "{what}: {a} {b}");
        close(gram(i, n), at.vector[i], size * gram(n, n).sqrt());
        (0..n).for_each(|j| close(gram(i, j), at.matrix[i * n + j], size * gram(j, j).sqrt()));
    }

    // Columns of J by central differences of fourth order.
    let h = 2e-3;
    let columns: Vec<Vec<f64>> = (0..n)
        .map(|j| {
            let mut shifted = |steps: f64| {
                let mut moved = theta.clone();
                moved[j] += steps * h;
                weighted_residuals(problem, &mut engine, &moved)
            };
            let (one, minus_one, two, minus_two) = (shifted(1.0), shifted(-1.0), shifted(2.0), shifted(-2.0));
            (0..one.len())
                .map(|i| (8.0 * (one[i] - minus_one[i]) - (two[i] - minus_two[i])) / (12.0 * h))
                .collect()
        })
        .collect();
    let rows = weighted_residuals(problem, &mut engine, &theta).len();
    assert_eq!(engine.residual_count(), rows, "{what}");
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let greatest = (0..n).fold(0.0_f64, |most, i| most.max(at.matrix[i * (n + 1)]));
    for i in 0..n {
        for j in 0..n {
            let (found, exact) = (at.matrix[i * n + j], dot(&columns[i], &columns[j]));
            assert_eq!(found.to_bits(), at.matrix[j * n + i].to_bits(), "{what}: not symmetric");
            assert!(
                (found - exact).abs() <= 1e-6 * greatest,
                "{what}: JᵀJ[{i}, {j}] {found} against {exact}"
            );
        }
    }

    let direction: Vec<f64> = (0..n).map(|i| (1.3 * i as f64).sin()).collect();
    let mut along = vec![0.0; rows];
    engine.jacobian_product(&theta, &weights, &direction, &mut along);
    // Rows one by one, in buckets of their own.
    let buckets: Vec<(usize, f64)> = (0..n).map(|p| (n - 1 - p, -2.0)).collect();
    let mut product = along.iter();
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows: points, data } = sample::points(problem, condition, 1, 0);
        let (rows, residuals) = engine.jacobian_in_buckets(&theta, i, &buckets, n);
        assert_eq!(residuals, engine.residuals(&theta, i, &points, &data), "{what}");
        let roots = condition.residuals.roots.len();
        let sites = residuals.len() / roots;
        for (k, row) in rows.chunks_exact(n).enumerate() {
            let scale =
                square_factor(0.5 + i as f64, 1.0 + 0.9 * ((k / roots) as f64 * 1.7).sin(), sites).sqrt();
            let found: f64 = scale * row.iter().rev().zip(&direction).map(|(x, d)| -0.5 * x * d).sum::<f64>();
            let expected = product.next().expect("a number for every row");
            let size: f64 = scale * row.iter().rev().zip(&direction).map(|(x, d)| (x * d).abs()).sum::<f64>();
            assert!((found - expected).abs() <= 1e-12 * size, "{what}: {found} against {expected}");
        }
    }

    let most = along.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for (row, found) in along.iter().enumerate() {
        let exact: f64 = columns.iter().zip(&direction).map(|(column, d)| column[row] * d).sum();
        assert!((found - exact).abs() <= 1e-6 * most, "{what}: Jv[{row}] {found} against {exact}");
    }
    let mut product = vec![0.0; n];
    engine.gauss_newton_product(&theta, &weights, &direction, &mut product);
    let most = product.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for (row, found) in at.matrix.chunks_exact(n).zip(&product) {
        let exact = dot(row, &direction);
        assert!((found - exact).abs() <= 1e-11 * most, "{what}: JᵀJv {found} against {exact}");
    }
}

#[test]
fn least_squares_agree_with_differences_for_every_problem() {
    for (name, _) in embedded() {
        check_least_squares(&small(name, 13), name);
    }
}

#[test]
fn least_squares_know_several_residuals_coefficients_and_data() {
    // Eight features fill whole registers; two residuals share a condition.
    let mut problem = problem(
        "[coordinates]\nx = [-1, 1]\nt = [0, 2]\n[unknowns]\nu = {}\nv = {}\n[network]\ndepth = 3\nwidth = 6\n\
         features = [\"x\", \"t\", \"x*t\", \"x^2\", \"t^2\", \"sin(x)\", \"cos(x)\", \"sin(t)\"]\n\
         [conditions.physics]\nplace = \"interior\"\nweight = 2.5\npoints = 301\n\
         residual = [\"u_t + v*u_x - 0.3*u_xx\", \"v_t + v_xxx - u\"]\n\
         [conditions.around]\nplace = \"periodic x\"\norder = 1\npoints = 17\n",
    );
    // A trainable coefficient: the first residual grows by it times the second one.
    let residuals = &mut problem.conditions[0].residuals;
    let coefficient = residuals.graph.insert(Node::Coefficient(0));
    let product = residuals.graph.binary(Binary::Mul, coefficient, residuals.roots[1]);
    residuals.roots[0] = residuals.graph.binary(Binary::Add, residuals.roots[0], product);
    problem.trainable.push(Trainable { name: "c".into(), initial: 0.4, positive: false, truth: None });
    check_least_squares(&problem, "two residuals and a coefficient");
}

#[test]
fn least_squares_are_the_same_bits_at_any_number_of_threads() {
    fn bits<R: Real>(problem: &Problem, threads: usize) -> Vec<u64> {
        let (mut engine, theta) = engine::<R>(problem, threads, Isa::best());
        let weights = problem.weights();
        let Normal { loss, terms, matrix, vector } = normal(&mut engine, &weights, &theta);
        let mut along = vec![0.0; engine.residual_count()];
        engine.jacobian_product(&theta, &weights, &theta, &mut along);
        let mut product = vec![0.0; theta.len()];
        engine.gauss_newton_product(&theta, &weights, &theta, &mut product);
        [vec![loss], terms, matrix, vector, along, product].concat().into_iter().map(f64::to_bits).collect()
    }
    for name in ["burgers-soft", "allen-cahn-soft", "kovasznay"] {
        let problem = embedded_problem(name, &[("network.depth", "3"), ("network.width", "12")]);
        let one = bits::<f64>(&problem, 1);
        assert_eq!(one, bits::<f64>(&problem, 2), "{name}");
        assert_eq!(one, bits::<f64>(&problem, 3), "{name}");
        assert_eq!(bits::<f32>(&problem, 1), bits::<f32>(&problem, 2), "{name}");
    }
}

#[test]
fn instruction_sets_agree_on_least_squares() {
    fn check<R: Real>(tolerance: f64) {
        for width in ["5", "16", "19"] {
            let problem = embedded_problem("kdv", &[("network.depth", "2"), ("network.width", width)]);
            let results: Vec<Vec<f64>> = Isa::available()
                .into_iter()
                .map(|isa| {
                    let (mut engine, theta) = engine::<R>(&problem, 1, isa);
                    let Normal { matrix, vector, .. } = normal(&mut engine, &problem.weights(), &theta);
                    let mut product = vec![0.0; theta.len()];
                    engine.gauss_newton_product(&theta, &problem.weights(), &theta, &mut product);
                    [matrix, vector, product].concat()
                })
                .collect();
            let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
            for other in &results[1..] {
                let difference = norm(&mut results[0].iter().zip(other).map(|(a, b)| a - b));
                let size = norm(&mut results[0].iter().copied());
                assert!(difference <= tolerance * size, "least squares differ by {}", difference / size);
            }
        }
    }
    check::<f64>(1e-11);
    check::<f32>(2e-3);
}

/// What a step takes, counted: gains of speed must not get lost unseen, and time cannot be tested.
#[test]
fn work_is_what_the_equation_needs() {
    let work = |name: &str, points: &str| {
        let settings =
            [("network.depth", "4"), ("network.width", "20"), ("conditions.physics.points", points)];
        engine::<f64>(&embedded_problem(name, &settings), 1, Isa::best()).0.work()
    };
    let burgers = work("burgers-soft", "1000");
    // Three channels for the equation, one on the faces.
    assert_eq!(burgers.rows, 3 * 1000 + 400);
    // Forward, back and for the weights, but nothing back through the first layer.
    let weights = 2 * 20 + 3 * 20 * 20 + 20;
    assert_eq!(burgers.products, burgers.rows * (3 * weights - 2 * 20));
    assert_eq!(work("black-scholes-soft", "1000").rows, 3 * 1000 + 400);
    assert_eq!(work("poisson-5d", "1000").rows, 7 * 1000 + 1000);
    // Memory does not grow with the number of points.
    assert_eq!(work("burgers-soft", "50000").workspace, burgers.workspace);
}

#[test]
fn a_step_allocates_nothing() {
    use pinn::internals::optim::{self, Layout, LeastSquares, Objective};
    use pinn::settings::{Adam, LinearSolver, Lm, Stage};
    /// What an engine, weights and room for terms make.
    struct Loss<'a>(&'a mut dyn Differentiable, Vec<f64>, Vec<f64>);
    impl Objective for Loss<'_> {
        fn value(&mut self, theta: &[f64]) -> f64 {
            self.0.loss(theta, &self.1, &mut self.2)
        }
        fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
            self.0.loss_and_gradient(theta, &self.1, &mut self.2, gradient)
        }
        fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
            Some(self)
        }
    }
    impl LeastSquares for Loss<'_> {
        fn residual_rows(&mut self, theta: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
            let engine = self.0.jacobian().expect("this engine has one");
            engine.residual_rows(theta, &self.1, &mut self.2, take)
        }
        fn normal_equations(&mut self, theta: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
            let engine = self.0.jacobian().expect("this engine has one");
            engine.normal_equations(theta, &self.1, &mut self.2, matrix, vector)
        }
        fn gauss_newton_product(&mut self, theta: &[f64], direction: &[f64], product: &mut [f64]) {
            let engine = self.0.jacobian().expect("this engine has one");
            engine.gauss_newton_product(theta, &self.1, direction, product);
        }
    }
    let check = |stage: &Stage, name: &str, settings: &[(&str, &str)]| {
        let problem = embedded_problem(name, settings);
        // Allocations are counted on this thread, so it does all the work.
        let (mut engine, mut theta) = engine::<f32>(&problem, 1, Isa::best());
        let mut optimizer = optim::new(stage, &Layout::plain(theta.len(), 1.0), &engine.team());
        let mut loss = Loss(&mut engine, problem.weights(), vec![0.0; problem.conditions.len()]);
        optimizer.step(&mut theta, &mut loss);
        let before = allocations();
        optimizer.step(&mut theta, &mut loss);
        assert_eq!(allocations() - before, 0, "{stage:?}: {name}");
    };
    for name in ["burgers", "black-scholes", "kdv", "kovasznay", "burgers-inverse"] {
        check(&Stage::Adam(Adam::default()), name, &[]);
    }
    for solver in [LinearSolver::Qr, LinearSolver::Cholesky, LinearSolver::Cg] {
        let stage = Stage::Lm(Lm { solver, ..Lm::default() });
        check(&stage, "kovasznay", &[("network.depth", "2"), ("network.width", "10")]);
    }
    let before = allocations();
    drop(std::hint::black_box(vec![1.0; 10]));
    assert_eq!(allocations() - before, 1, "the counter counts");
}

/// The system's allocator, counting what each thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Allocations of this thread so far.
fn allocations() -> usize {
    ALLOCATIONS.get()
}

// SAFETY: every call is the system allocator's own; the counter is a plain number that needs no memory.
unsafe impl std::alloc::GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { std::alloc::System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: std::alloc::Layout) {
        // SAFETY: as the caller promises.
        unsafe { std::alloc::System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
