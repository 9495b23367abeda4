//! Edge of chaos (Hayou, Doucet and Rousseau 2019, arXiv 1902.06853).
//!
//! `W ~ N(0, σ_w²/N_in)` and `b ~ N(0, σ_b²)` in every layer,
//! such that the variance q of the pre-activations is a fixed point and χ = σ_w²·E[f'(√q Z)²] is 1.

use core::f64::consts::TAU;

use super::{InitError, Law, Noise};
use crate::activation::Activation;
use crate::network::Layer;

/// A point of the curve on which signals neither die nor explode.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EocPoint {
    /// Standard deviation of the weights times √N_in.
    pub sigma_w: f64,
    /// Standard deviation of the biases.
    pub sigma_b: f64,
    /// Variance of the pre-activations.
    pub q: f64,
}

/// The point of the edge of chaos with biases of standard deviation `sigma_b`.
///
/// q solves `q = σ_b² + E[f(√q Z)²]/E[f'(√q Z)²]` with Z ~ N(0, 1), and `σ_w = 1/√E[f'(√q Z)²]`.
/// At `sigma_b` = 0 that is the degenerate end σ_w = ω, q = 0.
///
/// Refuses a `sigma_b` that is negative, above 1e6 or NaN.
pub fn eoc_point(activation: &Activation, sigma_b: f64) -> Result<EocPoint, InitError> {
    if !(0.0..=1e6).contains(&sigma_b) {
        return Err(InitError::SigmaB(sigma_b));
    }
    if sigma_b == 0.0 {
        return Ok(EocPoint { sigma_w: activation.omega(), sigma_b, q: 0.0 });
    }
    // The right side exceeds q at q = σ_b², and falls behind for large q, where it grows as √q: f is bounded.
    let excess = |q: f64| {
        let (value, slope) = second_moments(activation, q);
        sigma_b * sigma_b + value / slope - q
    };
    let none = || InitError::NoFixedPoint {
        activation: activation.to_string(),
        sigma_b,
        nearer: 0.2 * activation.bound() * activation.omega(),
    };
    let mut lower = sigma_b * sigma_b;
    let mut upper = 4.0 * lower;
    while excess(upper) > 0.0 {
        (lower, upper) = (upper, 4.0 * upper);
    }
    if !(lower > 0.0 && excess(upper) <= 0.0) {
        return Err(none());
    }
    // Bisection of the logarithm, to the last bit.
    loop {
        let middle = (lower * upper).sqrt();
        if middle <= lower || middle >= upper {
            break;
        }
        if excess(middle) > 0.0 {
            lower = middle;
        } else {
            upper = middle;
        }
    }
    let (_, slope) = second_moments(activation, upper);
    Ok(EocPoint { sigma_w: slope.sqrt().recip(), sigma_b, q: upper })
}

pub(super) fn law(point: EocPoint) -> impl Fn(&Layer) -> Law {
    move |layer| Law {
        diagonal: 0.0,
        noise: Noise::Normal(point.sigma_w / (layer.inputs as f64).sqrt()),
        bias: Noise::Normal(point.sigma_b),
    }
}

/// `E[f(√q Z)²]` and `E[f'(√q Z)²]`.
///
/// Both integrands are even, so the half line z = eᵗ suffices, and a kink at 0 does no harm.
/// In t they are analytic in a strip of width π/2, whatever the scales of f and q, and vanish at both ends,
/// so the trapezoidal rule converges geometrically (Trefethen and Weideman 2014).
fn second_moments(activation: &Activation, q: f64) -> (f64, f64) {
    // The strip's half width π/4 gives an error of e^(−2π·(π/4)/h), below 1e-17.
    const STEP: f64 = 0.125;
    // The normal density is below 1e-20 from here on.
    const END: f64 = 9.5;
    let root = q.sqrt();
    // Where all terms are linear, the rest of the integral is negligible after another 17 orders of magnitude.
    let steepest = activation.terms().iter().map(|term| term.frequency).fold(0.0, f64::max);
    let start = 1e-17 / (root * steepest).max(1.0);
    let (mut values, mut slopes) = (0.0, 0.0);
    let (start, end) = (start.ln(), END.ln());
    for i in 0..=((end - start) / STEP) as usize {
        let z = (end - STEP * i as f64).exp();
        let weight = z * (-0.5 * z * z).exp();
        let [value, slope, ..] = activation.derivatives(root * z);
        values += weight * value * value;
        slopes += weight * slope * slope;
    }
    // Twice the half line, with the density's factor 1/√(2π).
    let scale = 2.0 * STEP / TAU.sqrt();
    (scale * values, scale * slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Activation {
        Activation::parse(text).unwrap()
    }

    #[test]
    fn the_curve_passes_through_its_known_points() {
        let check = |text: &str, sigma_b: f64, sigma_w: f64, q: f64| {
            let point = eoc_point(&parse(text), sigma_b).unwrap();
            assert!((point.sigma_w - sigma_w).abs() < 6e-6 * sigma_w.max(1.0), "{text}: {point:?}");
            assert!((point.q - q).abs() < 6e-5, "{text}: {point:?}");
        };
        check("tanh", 0.2, 1.30415, 0.5121);
        check("erf", 0.2, 1.15280, 0.4658);
        check("arctan", 0.2, 1.30830, 0.6173);
        check("gd", 0.2, 1.24401, 0.7988);
        check("softsign_1", 0.2, 1.72963, 0.3583);
        check("softsign_2", 0.2, 1.35014, 0.4617);
        check("softsign_1 + softsign_2", 0.2, 0.76425, 0.4248);
        check("0.1*tanh", 0.2, 13.0415, 0.5121);
        check("1e-10*tanh", 0.2, 1.30415e10, 0.5121);
        check("tanh", 0.0, 1.0, 0.0);
        check("3*erf", 0.0, 0.886226925 / 3.0, 0.0);
    }

    #[test]
    fn larger_and_smaller_biases() {
        let check = |sigma_b: f64, sigma_w: f64| {
            let point = eoc_point(&parse("tanh"), sigma_b).unwrap();
            assert!((point.sigma_w - sigma_w).abs() < 6e-6, "{point:?}");
        };
        check(0.05, 1.12254);
        check(0.1, 1.19340);
        check(0.3, 1.39558);
        check(0.5, 1.54967);
    }

    #[test]
    fn moments_of_erf_match_their_closed_forms() {
        // E[erf(√q Z)²] = 2/π·arcsin(2q/(1 + 2q)) (here by the arctangent, well-conditioned for large q), E[erf'(√q Z)²] = 4/π/√(1 + 4q) (Williams 1997).
        use core::f64::consts::{FRAC_2_PI, PI};
        for q in [1e-12, 1e-6, 0.01, 0.4658, 3.0, 1e3, 1e9, 1e15] {
            let (value, slope) = second_moments(&parse("erf"), q);
            let exact = FRAC_2_PI * (2.0 * q / (1.0 + 4.0 * q).sqrt()).atan();
            assert!((value / exact - 1.0).abs() < 1e-13, "q = {q}: {value}, not {exact}");
            let exact = 4.0 / PI / (1.0 + 4.0 * q).sqrt();
            assert!((slope / exact - 1.0).abs() < 1e-13, "q = {q}: {slope}, not {exact}");
        }
    }

    #[test]
    fn the_point_is_a_fixed_point_at_every_scale() {
        for text in ["tanh", "1e8*softsign_2(1e-8*x)", "tanh(1e3*x) + 0.01*gd(0.1*x)"] {
            for sigma_b in [1e-5, 0.2, 30.0] {
                let EocPoint { sigma_w, q, .. } = eoc_point(&parse(text), sigma_b).unwrap();
                let (value, slope) = second_moments(&parse(text), q);
                let variance = sigma_w * sigma_w;
                assert!((variance * slope - 1.0).abs() < 1e-12, "{text}: χ = {}", variance * slope);
                assert!(
                    ((sigma_b * sigma_b + variance * value) / q - 1.0).abs() < 1e-12,
                    "{text} at {sigma_b}"
                );
            }
        }
    }
}
