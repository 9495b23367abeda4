//! A rule whose networks have a limit as their depth L grows: `init = "continuous-depth"`.
//!
//! Hidden layers are near the identity, W = ω·(D + s·G/√N_in) with s² = c/L and `D_ij = 1` where i ≡ j modulo the layer's
//! inputs, as in the signal-preserving rule; layers over the features are noise of size ω·g/√L with biases of size ω·β/√L;
//! output layers are noise of size ω·γ·√L/√N_in.
//! G is standard normal.
//!
//! With f(ωx) = x − κx³ + O(x⁵) and the L-th layer's activations written as y_l/√L,
//!
//! ```text
//! y_{l+1} = y_l + s·G·y_l/√N − κ·y_l³/L + O(L^(−3/2)),    y_1 = g·A·x + β·b
//! ```
//!
//! which is Euler's step of the stochastic equation dy = √c·dB·y − κy³·dt from t = 0 to 1, B being a Brownian motion of
//! matrices with entries of variance 1/N.
//! Derivatives of y with respect to the features obey its variational equations.
//! None of them contains L: u, u_x, u_xx and all further derivatives have distributions that tend to limits, and so has the
//! spread between networks, since the logarithm of a signal's norm has the variance c/N after all layers.
//! (Under noise alone, at the edge of chaos, it grows as L/N.)
//! The mean square q of y changes as q' = c·q − 2κ·E[y⁴], by a factor of 2 or 3 in all where c, g and β are 1 at most.
//!
//! The rule is made for plain chains; skip connections add an identity of their own.

use super::{Law, Noise};
use crate::network::Layer;

/// c, the variance that hidden layers add to a signal from first to last.
const NOISE: f64 = 0.25;
/// g, the size of the first layer's weights.
const INPUT: f64 = 1.0;
/// β, the size of its biases, without which every network would be odd and bend at the origin only.
const BIAS: f64 = 0.5;
/// γ, the size of the output relative to the last activations: below 1 lest the first residuals are far above the data.
const OUTPUT: f64 = 0.5;

/// The law for a network of `depth` hidden layers.
pub(super) fn law(depth: usize, omega: f64) -> impl Fn(&Layer) -> Law {
    let root = (depth.max(1) as f64).sqrt();
    move |layer| {
        let normal = |size: f64| Noise::Normal(size * omega / (layer.inputs as f64).sqrt());
        match (layer.features.is_some(), layer.output) {
            (true, false) => {
                Law { diagonal: 0.0, noise: normal(INPUT / root), bias: Noise::Normal(BIAS * omega / root) }
            }
            (false, false) => {
                Law { diagonal: omega, noise: normal(NOISE.sqrt() / root), bias: Noise::Normal(0.0) }
            }
            // Hidden layers hold y/√L.
            (false, true) => Law::unbiased(normal(OUTPUT * root)),
            (true, true) => Law::unbiased(normal(OUTPUT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::activation::Activation;
    use crate::init::{Rule, draw};
    use crate::jet::{JetSet, MultiIndex};
    use crate::network::{Layers, Shape};
    use crate::settings::{self, Init};
    use crate::signal::{Network, derivatives};

    fn settings(init: Init) -> settings::Network {
        settings::Network { init, ..Default::default() }
    }

    /// Quadratic means of u, u_x, …, u_xxxx over points: medians of 24 networks.
    fn channels(init: Init, activation: &str, depth: usize, width: usize) -> [f64; 5] {
        let activation = Activation::parse(activation).expect("an activation");
        let rule = Rule::new(depth, &activation, &settings(init)).expect("a rule");
        let jets = JetSet::closure([MultiIndex::along(0).plus(0).plus(0).plus(0)]);
        let shape = Shape { inputs: 2, depth, width, outputs: 1 };
        let one = |seed| {
            let network = Network { shape: shape.clone(), activation: &activation, rule: &rule, seed };
            derivatives(&network, &jets, 16).expect("small").output
        };
        let all: Vec<_> = (0..24).map(one).collect();
        [0, 1, 2, 3, 4].map(|channel| {
            let mut found: Vec<f64> = all.iter().map(|output| output[channel].rms).collect();
            found.sort_by(f64::total_cmp);
            found[12]
        })
    }

    #[test]
    fn derivatives_up_to_the_fourth_are_of_order_one_at_every_depth_and_width() {
        for (depth, width) in [(1, 32), (2, 32), (3, 8), (4, 64), (8, 32), (50, 16), (100, 32), (200, 16)] {
            for (order, size) in channels(Init::ContinuousDepth, "tanh", depth, width).into_iter().enumerate()
            {
                assert!((0.08..4.0).contains(&size), "depth {depth}, width {width}, order {order}: {size}");
            }
        }
        // What the same limits say of the rule that it is beside.
        assert!(channels(Init::Proposed, "tanh", 2, 32)[4] > 100.0);
        assert!(channels(Init::Xavier, "tanh", 200, 16)[1] < 0.01);
    }

    /// A deep network's channels are those of one twice as deep.
    #[test]
    fn depth_has_a_limit() {
        let (deep, deeper) = (
            channels(Init::ContinuousDepth, "0.5*erf(2*x)", 60, 24),
            channels(Init::ContinuousDepth, "0.5*erf(2*x)", 240, 24),
        );
        for (order, (deep, deeper)) in deep.into_iter().zip(deeper).enumerate() {
            assert!((0.5..2.0).contains(&(deeper / deep)), "order {order}: {deep} and {deeper}");
        }
    }

    /// Root mean squares of what is off the diagonal and of the biases, and the mean of the diagonal, layer by layer.
    #[test]
    fn layers_have_their_moments() {
        let depth = 25;
        let layers = Layers::chain(&Shape { inputs: 100, depth, width: 150, outputs: 120 });
        let activation = Activation::parse("0.1*tanh").expect("an activation");
        let theta = draw(&layers, &activation, &settings(Init::ContinuousDepth), 3).expect("drawn");
        let size = |values: &[f64]| (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt();
        for (l, layer) in layers.dense().enumerate() {
            let weights = &theta[layer.weights..][..layer.inputs * layer.outputs];
            let biases = &theta[layer.biases..][..layer.outputs];
            let (on, off): (Vec<_>, Vec<_>) = weights
                .iter()
                .enumerate()
                .partition(|(i, _)| i % layer.inputs == i / layer.inputs % layer.inputs);
            let values = |pairs: Vec<(usize, &f64)>| pairs.into_iter().map(|(_, &w)| w).collect::<Vec<_>>();
            let (on, off) = (values(on), values(off));
            // ω = 10 and √L = 5.
            let (noise, diagonal, bias) = match l {
                0 => (10.0 / 5.0 / 10.0, 0.0, 1.0),
                25 => (0.5 * 10.0 * 5.0 / 150_f64.sqrt(), 0.0, 0.0),
                _ => (10.0 * 0.5 / 5.0 / 150_f64.sqrt(), 10.0, 0.0),
            };
            assert!((size(&off) / noise - 1.0).abs() < 0.03, "layer {l}: {}, not {noise}", size(&off));
            let mean = on.iter().sum::<f64>() / on.len() as f64;
            assert!((mean - diagonal).abs() < 4.5 * noise / (on.len() as f64).sqrt(), "layer {l}: {mean}");
            assert!((size(biases) - bias).abs() <= 0.25 * bias, "layer {l}: {}", size(biases));
        }
    }

    /// A linear part sees the features themselves, not what became of them.
    #[test]
    fn a_linear_part_does_not_grow_with_depth() {
        let network =
            settings::Network { linear_part: true, depth: 100, width: 8, ..settings(Init::ContinuousDepth) };
        let layers = Layers::new(&network, 2, 300);
        let activation = Activation::parse("tanh").expect("an activation");
        let theta = draw(&layers, &activation, &network, 0).expect("drawn");
        let found = layers.dense().find(|layer| layer.output && layer.features.is_some()).expect("one");
        let weights = &theta[found.weights..][..600];
        let size = (weights.iter().map(|w| w * w).sum::<f64>() / 600.0).sqrt();
        assert!((size * 2_f64.sqrt() / 0.5 - 1.0).abs() < 0.1, "{size}");
    }
}
