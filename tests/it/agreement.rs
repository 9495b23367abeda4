//! Problems by which engines are held against the fused one, and how far two answers are apart.

use pinn::problem::Problem;

use super::problem;

/// A problem with no more points than `most` for each condition.
pub(crate) fn few(mut problem: Problem, most: usize) -> Problem {
    for condition in &mut problem.conditions {
        condition.points = condition.points.min(most);
    }
    problem
}

/// Activations of every kind, for [`with_network`].
pub(crate) const KINDS: [&str; 12] = [
    "tanh",
    "erf",
    "arctan",
    "gd",
    "softsign_1",
    "softsign_2",
    "0.5*tanh(2*x) + softsign_2",
    "sin",
    "silu",
    "gelu",
    "softplus",
    "gaussian",
];

/// A small network with this activation, for [`with_network`].
pub(crate) fn activated(activation: &str) -> String {
    format!("depth = 2\nwidth = 6\nscale = 0.8\nactivation = \"{activation}\"")
}

/// A residual in the square, of an unknown with an ansatz and features.
pub(crate) fn with_network(network: &str, residual: &str) -> Problem {
    problem(&format!(
        "[coordinates]\nx = [-1, 1]\ny = [0, 2]\n[unknowns]\nu = \"sin(pi*x)*y + y*net\"\n\
         [network]\nfeatures = [\"sin(pi*x)\", \"cos(pi*x)\", \"y - 1\"]\n{network}\n\
         [conditions.physics]\nplace = \"interior\"\nresidual = \"{residual}\"\npoints = 20\n"
    ))
}

/// About forty points, spread over the whole domain.
pub(crate) fn spread(problem: &Problem) -> Vec<f64> {
    let points = problem.reference_points();
    let rows = points.chunks_exact(problem.coordinates.len());
    let every = (rows.len() / 40).max(1);
    rows.step_by(every).collect::<Vec<_>>().concat()
}
