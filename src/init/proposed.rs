//! The signal-preserving rule for odd-sigmoid activations (arXiv 2509.23085).
//!
//! W = D + Z with `D_ij = ω` where i ≡ j modulo the layer's inputs, else 0, and `Z_ij ~ N(0, σ_z²/N_in)`; no biases.

use core::f64::consts::{FRAC_1_SQRT_2, TAU};
use core::ops::RangeInclusive;

use super::{Law, Noise};
use crate::network::Layer;

/// The learning rates of Adam that the rule's source prescribes, in units of ω.
pub const LEARNING_RATES: RangeInclusive<f64> = 1e-5..=1e-3;

/// σ_z for a network of `depth` hidden layers whose activation has `omega` = 1/f'(0).
///
/// It is [`sigma_z_for`] the rate ρ of [`ln_target_rate`].
/// Depth 0 counts as 1.
pub fn sigma_z(depth: usize, omega: f64) -> f64 {
    sigma_z_for(depth, omega, ln_target_rate(depth))
}

/// ln ρ, the rule's choice of the sign-flip rate: ρ = 0.4 for `depth` ≤ 10, else `2.05·e^{−0.133·depth}`.
pub fn ln_target_rate(depth: usize) -> f64 {
    if depth <= 10 { 0.4_f64.ln() } else { 2.05_f64.ln() - 0.133 * depth as f64 }
}

/// The σ_z with which a sign is flipped with probability ρ < ½ over `depth` hidden layers.
///
/// `σ_z = −ω/Φ⁻¹(p)`, `p = (1 − (1 − 2ρ)^{1/L})/2`, L = `depth`:
/// with gains a ~ N(ω, σ_z²) an odd number of sign changes over L layers has probability ρ.
/// It is computed in logarithms, so that no depth is too great and no rate too small.
/// NaN unless `ln_rate` < ln ½.
pub fn sigma_z_for(depth: usize, omega: f64, ln_rate: f64) -> f64 {
    -omega / normal_quantile(ln_flip_probability(depth.max(1) as f64, ln_rate))
}

pub(super) fn law(omega: f64, sigma_z: f64) -> impl Fn(&Layer) -> Law {
    move |layer| Law {
        diagonal: omega,
        noise: Noise::Normal(sigma_z / (layer.inputs as f64).sqrt()),
        bias: Noise::Normal(0.0),
    }
}

/// ln p, the probability that one of `depth` layers flips a sign.
fn ln_flip_probability(depth: f64, ln_rho: f64) -> f64 {
    let rho = ln_rho.exp();
    if rho < 1e-18 {
        // p = ρ/L to working precision, also where ρ itself is not a number any more.
        ln_rho - depth.ln()
    } else {
        (-0.5 * ((-2.0 * rho).ln_1p() / depth).exp_m1()).ln()
    }
}

/// x with ln Φ(x) = `ln_p` < ln ½.
fn normal_quantile(ln_p: f64) -> f64 {
    // Φ(−z) ≤ e^(−z²/2)/2 puts this z beyond the solution, and ln Φ is concave:
    // Newton's steps come nearer from that side, every one of them.
    let mut z = (-2.0 * ln_p).sqrt();
    for _ in 0..100 {
        let mills = mills_ratio(z);
        let ln_phi = -0.5 * (z * z + TAU.ln()) + mills.ln();
        let step = (ln_phi - ln_p) * mills;
        z += step;
        if step.abs() <= f64::EPSILON * z {
            break;
        }
    }
    -z
}

/// Φ(−z)/φ(z) for z ≥ 0, φ being the normal density.
fn mills_ratio(z: f64) -> f64 {
    if z < 6.0 {
        0.5 * libm::erfc(z * FRAC_1_SQRT_2) * (0.5 * z * z).exp() * TAU.sqrt()
    } else {
        // Laplace's continued fraction 1/(z + 1/(z + 2/(z + 3/(z + …)))).
        1.0 / (1..=60).rev().fold(z, |tail, k| z + f64::from(k) / tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::properties;
    use proptest::prelude::*;

    #[test]
    fn sigma_z_has_its_known_values() {
        let check = |depth: usize, expected: f64, digits: i32| {
            for omega in [1.0, 0.5, 1e10] {
                let found = sigma_z(depth, omega) / omega;
                let error = (found - expected).abs() / expected;
                assert!(error < 10_f64.powi(-digits), "depth {depth}: {found}, not {expected}");
            }
        };
        // Computed in 50 digits and more.
        check(1, 3.947153875542746, 13);
        check(2, 1.684664640961767, 13);
        check(3, 1.2273204349990976, 13);
        check(10, 0.6923862590129791, 13);
        check(11, 0.8464889219798216, 13);
        check(251, 0.1192984674988722, 13);
        check(1000, 0.06075321045585339, 13);
        check(5000, 0.02735303553305796, 13);
        check(6000, 0.02497858415901617, 13);
        check(100_000, 0.006130291517147888, 13);
        check(10_000_000, 0.0006131377065133502, 13);
        // Values published with the rule's check.
        check(5, 0.91649, 5);
        check(12, 0.67374, 5);
        check(20, 0.41806, 4);
        check(30, 0.33240, 4);
        check(50, 0.25803, 4);
        check(100, 0.18537, 4);
        check(200, 0.13309, 4);
        check(500, 0.08537, 4);
        check(10_000, 0.019363, 4);
        check(50_000, 0.008668, 4);
    }

    #[test]
    fn mills_ratio_is_continuous_where_the_route_changes() {
        let (below, above) = (mills_ratio(6.0 - 1e-9), mills_ratio(6.0));
        assert!((below / above - 1.0).abs() < 1e-9, "{below} {above}");
        assert!((mills_ratio(0.0) - (TAU / 4.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn sigma_z_agrees_with_an_inverse_normal_of_other_hands() {
        use statrs::distribution::{ContinuousCDF, Normal};

        let normal = Normal::standard();
        for depth in [2, 3, 5, 10, 11, 20, 50, 100, 200] {
            let l = depth as f64;
            let rho = if depth <= 10 { 0.4 } else { 2.05 * (-0.133 * l).exp() };
            let p = -0.5 * (f64::ln_1p(-2.0 * rho) / l).exp_m1();
            let other = -1.0 / normal.inverse_cdf(p);
            assert!((sigma_z(depth, 1.0) - other).abs() < 1e-8 * other, "{depth}: {other}");
        }
    }

    properties! {
        /// Back from σ_z to the rate, by the definition.
        #[test]
        fn an_odd_number_of_flips_has_the_probability_asked_for(
            depth in 1_usize..5000,
            ln_rate in -600.0..-0.72,
            omega in 1e-6..1e6,
        ) {
            let z = omega / sigma_z_for(depth, omega, ln_rate);
            // Below 1e-300 a probability is not a normal number any more.
            prop_assume!(z < 36.0);
            let flip = 0.5 * libm::erfc(z * FRAC_1_SQRT_2);
            let odd = -0.5 * (depth as f64 * (-2.0 * flip).ln_1p()).exp_m1();
            prop_assert!((odd.ln() - ln_rate).abs() < 1e-9, "{}, not {}", odd.ln(), ln_rate);
        }
    }
}
