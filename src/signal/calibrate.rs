//! How often signs flip between a network's input and its last hidden layer, under the proposed rule.
//!
//! The rule chooses σ_z so that a sign would be flipped with probability ρ if the gains of all layers were
//! independent, N(ω, σ_z²); measured in a network, the rate differs, and the rule's ρ(L) is a fit to that.

use super::{Network, SignalError};
use crate::activation::Activation;
use crate::init::{Rule, ln_target_rate, sigma_z_for};
use crate::jet::{ChainRule, JetSet};
use crate::network::Shape;

/// What a rate is averaged over: square networks, each with inputs of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ensemble {
    /// Neurons of every layer, and inputs.
    pub width: usize,
    /// Standard normal inputs of every network.
    pub samples: usize,
    /// Networks, drawn with the seeds `seed`, `seed + 1`, …
    pub networks: usize,
    /// The first seed.
    pub seed: u64,
}

/// A measured rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FlipRate {
    /// The share of all (neuron, input) pairs whose sign differs from the input's.
    pub rate: f64,
    /// Its standard error, from how much networks differ; NaN for a single one.
    pub error: f64,
}

/// π_L, the measured rate of sign flips at `depth` hidden layers when σ_z is chosen for the rate ρ = exp(`ln_rate`).
///
/// # Errors
/// When a layer does not fit into memory.
pub fn flip_rate(
    activation: &Activation,
    ensemble: &Ensemble,
    depth: usize,
    ln_rate: f64,
) -> Result<FlipRate, SignalError> {
    let &Ensemble { width, samples, networks, seed } = ensemble;
    let omega = activation.omega();
    let rule = Rule::proposed(omega, sigma_z_for(depth, omega, ln_rate));
    let shape = Shape { inputs: width, depth, width, outputs: 1 };
    let value = ChainRule::new(&JetSet::closure([]));
    let (mut sum, mut squares) = (0.0, 0.0);
    for network in 0..networks {
        let seed = seed.wrapping_add(network as u64);
        let network = Network { shape: shape.clone(), activation, rule: &rule, seed };
        let input = network.normal_inputs(samples);
        let mut rate = f64::NAN;
        network.propagate(&value, 0, 0, input.clone(), |step| {
            if step.index + 1 == depth {
                let flips = input.iter().zip(step.output).filter(|(x, y)| (**x < 0.0) != (**y < 0.0));
                rate = flips.count() as f64 / input.len() as f64;
            }
        })?;
        sum += rate;
        squares += rate * rate;
    }
    let count = networks as f64;
    let rate = sum / count;
    let variance = (squares / count - rate * rate).max(0.0) * count / (count - 1.0);
    Ok(FlipRate { rate, error: (variance / count).sqrt() })
}

/// ln ρ for which the measured rate is `goal`, between 0 and ½; `None` if no ρ below ½ has it.
///
/// The same random numbers serve every ρ, so that the measured rate rises with it but for single flips.
///
/// # Errors
/// When a layer does not fit into memory.
pub fn best_target(
    activation: &Activation,
    ensemble: &Ensemble,
    depth: usize,
    goal: f64,
) -> Result<Option<f64>, SignalError> {
    const HIGHEST: f64 = 0.499_999;
    // Finer than what networks differ by.
    const TOLERANCE: f64 = 1e-3;
    let reaches =
        |ln_rate| Ok::<_, SignalError>(flip_rate(activation, ensemble, depth, ln_rate)?.rate >= goal);
    let mut upper = HIGHEST.ln();
    if !reaches(upper)? {
        return Ok(None);
    }
    let mut lower = ln_target_rate(depth).min(upper) - 1.0;
    let mut reach = 2.0;
    while reaches(lower)? {
        // Without noise no sign flips: only a goal of 0 leads here.
        if lower < -1e6 {
            return Ok(None);
        }
        (lower, upper, reach) = (lower - reach, lower, 2.0 * reach);
    }
    while upper - lower > TOLERANCE {
        let middle = 0.5 * (lower + upper);
        if reaches(middle)? {
            upper = middle;
        } else {
            lower = middle;
        }
    }
    Ok(Some(0.5 * (lower + upper)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tanh() -> Activation {
        Activation::parse("tanh").expect("an activation")
    }

    #[test]
    fn measured_rates_are_the_known_ones() {
        let ensemble = Ensemble { width: 64, samples: 50, networks: 100, seed: 11 };
        for (depth, expected) in [(3, 0.411), (5, 0.417), (10, 0.435), (20, 0.405), (30, 0.402), (50, 0.397)]
        {
            let FlipRate { rate, error } =
                flip_rate(&tanh(), &ensemble, depth, ln_target_rate(depth)).expect("small");
            // Four standard errors, and the known value's own.
            assert!((rate - expected).abs() < 4.0 * error + 0.005, "{depth}: {rate} ± {error}");
            assert!(error < 0.01, "{depth}: {error}");
        }
    }

    #[test]
    fn best_targets_are_the_known_ones() {
        let ensemble = Ensemble { width: 64, samples: 30, networks: 40, seed: 5 };
        for (depth, expected) in [(3, 0.386), (5, 0.379), (10, 0.323), (20, 0.150), (50, 0.0024)] {
            let ln_rate = best_target(&tanh(), &ensemble, depth, 0.4).expect("small").expect("reached");
            let at_known = flip_rate(&tanh(), &ensemble, depth, f64::ln(expected)).expect("small");
            assert!((at_known.rate - 0.4).abs() < 4.0 * at_known.error + 0.003, "{depth}: {at_known:?}");
            let found = flip_rate(&tanh(), &ensemble, depth, ln_rate).expect("small");
            assert!((found.rate - 0.4).abs() < 2e-3, "{depth}: {found:?}");
        }
    }

    #[test]
    fn a_rate_that_no_target_reaches_is_none() {
        let ensemble = Ensemble { width: 8, samples: 4, networks: 3, seed: 0 };
        assert_eq!(best_target(&tanh(), &ensemble, 3, 0.99), Ok(None));
    }
}
