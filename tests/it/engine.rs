//! The engines: gradients against differences, jets against symbolic differentiation, and equal bits at any number
//! of threads.

use pinn::activation::Activation;
use pinn::engine::cpu::{CpuEngine, Isa};
use pinn::engine::{Engine, Jacobian, square_factor};
use pinn::expr::{Binary, Graph, Node, NodeId};
use pinn::init;
use pinn::jet::MultiIndex;
use pinn::network::Shape;
use pinn::problem::{Problem, Trainable, embedded};
use pinn::sample;
use pinn::simd::Real;

use super::{embedded_problem, problem};

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
    let network = &problem.network;
    let activation =
        Activation::parse(&network.activation).expect("known").scaled(network.scale).expect("fits");
    let shape = problem.shape();
    let mut engine = CpuEngine::new(problem, &shape, &activation, threads, isa).expect("an engine");
    set_points(problem, &mut engine);
    (engine, parameters(&shape, &activation, problem))
}

pub(crate) fn set_points(problem: &Problem, engine: &mut dyn Engine) {
    for (i, condition) in problem.conditions.iter().enumerate() {
        let (points, data) = sample::points(problem, condition, 1, 0);
        engine.set_points(i, &points, data);
    }
}

pub(crate) fn parameters(shape: &Shape, activation: &Activation, problem: &Problem) -> Vec<f64> {
    let mut theta = init::draw(shape, activation, &problem.network, 1).expect("parameters");
    // Milder weights and some bias, so that no unit is saturated.
    for (i, x) in theta.iter_mut().enumerate() {
        *x = 0.7 * *x + 0.1 * activation.omega() * (i as f64 * 0.7).sin();
    }
    problem.with_coefficients(theta)
}

/// Weights of conditions and of points that differ from condition to condition and from point to point.
pub(crate) fn set_weights(problem: &Problem, engine: &mut dyn Engine) {
    for (i, condition) in problem.conditions.iter().enumerate() {
        engine.set_weight(i, 0.5 + i as f64);
        let (points, _) = sample::points(problem, condition, 1, 0);
        let sites = points.len() / (problem.coordinates.len() * condition.sides());
        let weights: Vec<f64> = (0..sites).map(|p| 1.0 + 0.9 * (p as f64 * 1.7).sin()).collect();
        engine.set_point_weights(i, &weights);
    }
}

/// The gradient along some directions against central differences of fourth order.
fn check_gradient(problem: &Problem, what: &str) {
    let (mut engine, theta) = engine::<f64>(problem, 1, Isa::best());
    check_gradient_of(&mut engine, &theta, problem, what);
    set_weights(problem, &mut engine);
    check_gradient_of(&mut engine, &theta, problem, &format!("{what}, weighted"));
}

fn check_gradient_of(engine: &mut CpuEngine<f64>, theta: &[f64], problem: &Problem, what: &str) {
    let mut terms = vec![0.0; problem.conditions.len()];
    let mut gradient = vec![0.0; theta.len()];
    let loss = engine.loss_and_gradient(theta, &mut terms, &mut gradient);
    assert!(loss.is_finite() && loss > 0.0, "{what}: loss {loss}");
    let kinked = Activation::parse(&problem.network.activation).expect("known").is_kinked();
    let size = theta.iter().map(|x| x * x).sum::<f64>().sqrt();
    let steepness = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
    for d in 0..3 {
        let direction: Vec<f64> = (0..theta.len()).map(|i| ((i * (d + 2) + d) as f64 * 1.3).sin()).collect();
        let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A small step where f'' jumps, so that no unit crosses its kink.
        let h = if kinked { 1e-6 } else { 3e-4 } * size / norm;
        let mut at = |step: f64| {
            let moved: Vec<f64> = theta.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            engine.loss(&moved, &mut terms)
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
    shape: &Shape,
    activation: &Activation,
    theta: &[f64],
) -> (Graph, NodeId) {
    let mut graph = Graph::default();
    let mut values: Vec<NodeId> = problem
        .coordinates
        .iter()
        .enumerate()
        .map(|(coordinate, c)| {
            let x = graph.insert(Node::Coordinate { coordinate, side: 0 });
            let slope = graph.constant(2.0 / (c.upper - c.lower));
            let shift = graph.constant(-1.0 - c.lower * 2.0 / (c.upper - c.lower));
            let scaled = graph.binary(Binary::Mul, slope, x);
            graph.binary(Binary::Add, scaled, shift)
        })
        .collect();
    for (l, layer) in shape.layers().into_iter().enumerate() {
        values = (0..layer.outputs)
            .map(|n| {
                let mut sum = graph.constant(theta[layer.biases + n]);
                for (k, &value) in values.iter().enumerate() {
                    let weight = graph.constant(theta[layer.weights + n * layer.inputs + k]);
                    let product = graph.binary(Binary::Mul, weight, value);
                    sum = graph.binary(Binary::Add, sum, product);
                }
                if l < shape.depth { activation.expression(&mut graph, sum) } else { sum }
            })
            .collect();
    }
    (graph, values[0])
}

#[test]
fn jets_agree_with_symbolic_differentiation_of_the_network() {
    let derivatives = ["u", "u_x", "u_y", "u_xy", "u_yy", "u_xxx", "u_xyy", "u_xxxx", "u_xxyy", "u_yyyy"];
    for activation in ["tanh", "erf", "arctan", "gd", "softsign_2"] {
        for written in derivatives {
            let problem =
                square(written, &format!("depth = 2\nwidth = 3\nscale = 0.7\nactivation = \"{activation}\""));
            let (mut engine, theta) = engine::<f64>(&problem, 1, Isa::best());
            let function = Activation::parse(activation).expect("known").scaled(0.7).expect("fits");
            let (mut graph, mut root) = network_formula(&problem, &problem.shape(), &function, &theta);
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
                    "{activation} {written} of order {}: {jet} against {exact}",
                    index.order()
                );
            }
        }
    }
}

/// Loss, terms and gradient as bits.
fn bits<R: Real>(problem: &Problem, threads: usize) -> Vec<u64> {
    let (mut engine, theta) = engine::<R>(problem, threads, Isa::best());
    let mut terms = vec![0.0; problem.conditions.len()];
    let mut gradient = vec![0.0; theta.len()];
    let loss = engine.loss_and_gradient(&theta, &mut terms, &mut gradient);
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
                    let loss = engine.loss_and_gradient(&theta, &mut terms, &mut gradient);
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
fn weights_enter_the_loss_but_not_its_terms() {
    let problem = embedded_problem("allen-cahn-soft", &[("network.depth", "2"), ("network.width", "8")]);
    let (mut engine, theta) = engine::<f64>(&problem, 2, Isa::best());
    let count = problem.conditions.len();
    let (mut terms, mut weighted_terms) = (vec![0.0; count], vec![0.0; count]);
    let before = engine.loss(&theta, &mut terms);
    set_weights(&problem, &mut engine);
    let loss = engine.loss(&theta, &mut weighted_terms);
    assert_eq!(terms, weighted_terms);
    let mut total = 0.0;
    for (i, condition) in problem.conditions.iter().enumerate() {
        let (points, data) = sample::points(&problem, condition, 1, 0);
        let roots = condition.residuals.roots.len();
        let residuals = engine.residuals(&theta, i, &points, data);
        let sites = residuals.len() / roots;
        for (p, row) in residuals.chunks_exact(roots).enumerate() {
            let squares: f64 = row.iter().map(|r| r * r).sum();
            let point_weight = 1.0 + 0.9 * (p as f64 * 1.7).sin();
            total += square_factor(0.5 + i as f64, point_weight, sites) * squares;
        }
    }
    assert!((total - loss).abs() < 1e-12 * loss, "{total} {loss}");
    // New points take their weights away, and the problem's λ can be had back.
    set_points(&problem, &mut engine);
    for (i, condition) in problem.conditions.iter().enumerate() {
        engine.set_weight(i, condition.weight);
    }
    assert_eq!(engine.loss(&theta, &mut terms), before);
}

#[test]
fn the_loss_is_the_weighted_mean_of_squared_residuals() {
    let problem = embedded_problem("allen-cahn-soft", &[("network.depth", "2"), ("network.width", "8")]);
    let (mut engine, theta) = engine::<f64>(&problem, 2, Isa::best());
    let mut terms = vec![0.0; problem.conditions.len()];
    let loss = engine.loss(&theta, &mut terms);
    let mut total = 0.0;
    for (i, condition) in problem.conditions.iter().enumerate() {
        let (points, data) = sample::points(&problem, condition, 1, 0);
        let residuals = engine.residuals(&theta, i, &points, data);
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

fn normal<R: Real>(engine: &mut CpuEngine<R>, conditions: usize, theta: &[f64]) -> Normal {
    let n = theta.len();
    let (mut terms, mut matrix, mut vector) = (vec![0.0; conditions], vec![0.0; n * n], vec![0.0; n]);
    let loss = engine.normal_equations(theta, &mut terms, &mut matrix, &mut vector);
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
        let (points, data) = sample::points(problem, condition, 1, 0);
        let sites = points.len() / (problem.coordinates.len() * condition.sides());
        let residuals = engine.residuals(theta, i, &points, data);
        for (p, row) in residuals.chunks_exact(residuals.len() / sites).enumerate() {
            let scale = square_factor(0.5 + i as f64, 1.0 + 0.9 * (p as f64 * 1.7).sin(), sites).sqrt();
            all.extend(row.iter().map(|r| scale * r));
        }
    }
    all
}

/// JᵀJ, Jᵀr and the products against a Jacobian of differences, and against the gradient.
fn check_least_squares(problem: &Problem, what: &str) {
    let (mut engine, mut theta) = engine::<f64>(problem, 2, Isa::best());
    theta.resize(engine.parameters(), 0.4);
    set_weights(problem, &mut engine);
    let n = theta.len();
    let at = normal(&mut engine, problem.conditions.len(), &theta);
    let mut terms = vec![0.0; problem.conditions.len()];
    assert_eq!(at.loss.to_bits(), engine.loss(&theta, &mut terms).to_bits(), "{what}");
    assert_eq!(at.terms, terms, "{what}");
    let mut gradient = vec![0.0; n];
    engine.loss_and_gradient(&theta, &mut terms, &mut gradient);
    let steepness = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
    for (g, v) in gradient.iter().zip(&at.vector) {
        assert!((g - 2.0 * v).abs() <= 1e-12 * steepness, "{what}: gradient {g} against twice {v}");
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
    engine.jacobian_product(&theta, &direction, &mut along);
    let most = along.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for (row, found) in along.iter().enumerate() {
        let exact: f64 = columns.iter().zip(&direction).map(|(column, d)| column[row] * d).sum();
        assert!((found - exact).abs() <= 1e-6 * most, "{what}: Jv[{row}] {found} against {exact}");
    }
    let mut product = vec![0.0; n];
    engine.gauss_newton_product(&theta, &direction, &mut product);
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
        let Normal { loss, terms, matrix, vector } = normal(&mut engine, problem.conditions.len(), &theta);
        let mut along = vec![0.0; engine.residual_count()];
        engine.jacobian_product(&theta, &theta, &mut along);
        let mut product = vec![0.0; theta.len()];
        engine.gauss_newton_product(&theta, &theta, &mut product);
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
                    let Normal { matrix, vector, .. } = normal(&mut engine, problem.conditions.len(), &theta);
                    let mut product = vec![0.0; theta.len()];
                    engine.gauss_newton_product(&theta, &theta, &mut product);
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
