//! The one-dimensional map `x ← f(a·x)`, a network of width one without noise (Theorem 1 of arXiv 2509.23085).
//!
//! For a ≤ ω every start tends to 0; for a > ω a positive one tends to the fixed point ξ_a > 0, a negative one to −ξ_a.

use crate::activation::Activation;

/// `start` and the `steps` numbers that follow it under `x ← f(gain·x)`.
pub fn iterate(activation: &Activation, gain: f64, start: f64, steps: usize) -> Vec<f64> {
    let next = |x: &f64| Some(activation.derivatives(gain * x)[0]);
    core::iter::successors(Some(start), next).take(steps + 1).collect()
}

/// ξ_a, the positive solution of `f(a·ξ) = ξ` for a = `gain`; 0 where there is none, for a ≤ ω.
pub fn fixed_point(activation: &Activation, gain: f64) -> f64 {
    // f(a·ξ)/ξ falls from a/ω to 0, so that the sign of this is known on either side of ξ_a.
    let is_below = |xi: f64| activation.derivatives(gain * xi)[0] > xi;
    let mut upper = activation.bound();
    let mut lower = upper;
    while lower > 0.0 && !is_below(lower) {
        (lower, upper) = (0.5 * lower, lower);
    }
    if gain <= activation.omega() || lower == 0.0 {
        return 0.0;
    }
    loop {
        let middle = 0.5 * (lower + upper);
        if middle <= lower || middle >= upper {
            return middle;
        }
        if is_below(middle) {
            lower = middle;
        } else {
            upper = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::properties;
    use crate::signal::family::tests::any_activation;
    use proptest::prelude::*;

    #[test]
    fn fixed_points_solve_their_equation() {
        for text in ["tanh", "1e-4*tanh", "1e3*gd", "softsign_1 + softsign_2"] {
            let activation = Activation::parse(text).expect("an activation");
            for factor in [1.001, 1.1, 2.0, 50.0] {
                let gain = factor * activation.omega();
                let xi = fixed_point(&activation, gain);
                let error = activation.derivatives(gain * xi)[0] / xi - 1.0;
                assert!(xi > 0.0 && error.abs() < 1e-13, "{text}, {factor} ω: {xi}");
            }
            assert_eq!(fixed_point(&activation, activation.omega()), 0.0, "{text}");
            assert_eq!(fixed_point(&activation, 0.5 * activation.omega()), 0.0, "{text}");
        }
    }

    #[test]
    fn the_fixed_point_of_softsign_1_is_known_in_closed_form() {
        // aξ/(1 + aξ) = ξ gives ξ = 1 − 1/a.
        let activation = Activation::parse("softsign_1").expect("an activation");
        for gain in [1.01, 1.3, 4.0] {
            assert!((fixed_point(&activation, gain) - (1.0 - 1.0 / gain)).abs() < 1e-14, "{gain}");
        }
    }

    properties! {
        /// Theorem 1, and what its proof shows: every step comes nearer.
        #[test]
        fn every_start_tends_to_the_fixed_point_of_its_sign(
            activation in any_activation(),
            factor in prop_oneof![0.2..0.95, 1.05..3.0],
            start in prop_oneof![-2.0..-1e-3, 1e-3..2.0],
        ) {
            let (gain, start) = (factor * activation.omega(), start * activation.bound());
            let xi = fixed_point(&activation, gain).copysign(start);
            prop_assert_eq!(xi == 0.0, factor < 1.0);
            let orbit = iterate(&activation, gain, start, 3000);
            for pair in orbit.windows(2) {
                let (before, after) = ((pair[0] - xi).abs(), (pair[1] - xi).abs());
                prop_assert!(after <= before + 1e-14 * activation.bound(), "{activation}, {gain}: {pair:?}");
            }
            let end = orbit[orbit.len() - 1];
            prop_assert!((end - xi).abs() < 1e-9 * activation.bound(), "{activation}, {gain}: {end}, not {xi}");
        }
    }
}
