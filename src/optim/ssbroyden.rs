//! Self-scaled Broyden: where BFGS and DFP disagree, in between, chosen so that eigenvalues of H stay together.
//!
//! With a = hb − 1 and c = √(a/(1+a)): ρ = min(1, h(1−c)), θ = max((ρ−1)/a, min(1/ρ, (1−b)/b)), σ = 1 + aθ,
//! φ = (1−θ)/σ, and with τ₁ = min(1, 1/b) and σ′ = σ^(−1/(n−1)): τ = τ₁·min(σ′, 1/θ) if θ > 0, else
//! min(τ₁·σ′, σ) (Al-Baali and Khalfan 2005; arXiv 2405.04230 and 2501.16371, whose θ, τ and σ these are).

use super::quasi_newton::Choice;

/// The rule of the method.
pub(super) fn rule(b: f64, h: f64, n: usize) -> Choice {
    // By Cauchy and Schwarz never negative; zero where s and Hy are parallel and all methods of the class agree.
    let a = (h * b - 1.0).max(f64::EPSILON);
    let c = (a / (1.0 + a)).sqrt();
    let rho = (h * (1.0 - c)).min(1.0);
    let theta = ((rho - 1.0) / a).max((1.0 / rho).min((1.0 - b) / b));
    let sigma = 1.0 + a * theta;
    let bounded = (1.0 / b).min(1.0);
    let root = sigma.abs().powf(-1.0 / n.saturating_sub(1).max(1) as f64);
    let tau = if theta > 0.0 { bounded * root.min(1.0 / theta) } else { (bounded * root).min(sigma) };
    Choice { phi: (1.0 - theta) / sigma, tau }
}
