//! Self-scaled BFGS: φ = 1, and the curvature that is kept shrinks to what was seen along the step, but never grows.
//!
//! τ = min(1, 1/b) (Oren and Luenberger 1974 with Al-Baali's bound; arXiv 2405.04230).

use super::quasi_newton::Choice;

/// The rule of the method.
pub(super) fn rule(b: f64, _h: f64, _n: usize) -> Choice {
    Choice { phi: 1.0, tau: (1.0 / b).min(1.0) }
}
