//! Random Fourier features (Tancik et al. 2020, arXiv 2006.10739): cosines and sines of random sums of the coordinates.
//!
//! `{ fourier = n, scale = σ }` stands for 2n formulas, cos(b·x) and sin(b·x) for n vectors b of normal numbers of standard
//! deviation σ, where x are the coordinates brought to [−1, 1]; as formulas they are written out.
//! The frequencies are the stream `"features"` of the seed.

use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

use crate::expr::Digits;
use crate::problem::place::Coordinate;
use crate::rng;

/// The table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fourier {
    /// Frequencies; there are twice as many features.
    pub(super) fourier: usize,
    /// Their standard deviation.
    #[serde(default = "default_scale")]
    pub(super) scale: f64,
}

/// Frequencies at most.
pub(super) const MOST: usize = 1024;

fn default_scale() -> f64 {
    2.0
}

impl Fourier {
    /// The features as formulas.
    pub(super) fn formulas(&self, coordinates: &[Coordinate], seed: u64) -> Vec<String> {
        let mut rng = rng::stream(seed, "features");
        let mut sums = vec![];
        for _ in 0..self.fourier {
            let mut sum = String::new();
            for c in coordinates {
                let normal: f64 = StandardNormal.sample(&mut rng);
                // As many digits as people read; the text is what counts.
                let factor = Digits::rounded(self.scale * normal, 6);
                let sign = match (factor < 0.0, sum.is_empty()) {
                    (true, true) => "-",
                    (true, false) => " - ",
                    (false, true) => "",
                    (false, false) => " + ",
                };
                sum += &format!("{sign}{}*({})", factor.abs(), c.centred());
            }
            sums.push(sum);
        }
        sums.iter().flat_map(|sum| ["cos", "sin"].map(|f| format!("{f}({sum})"))).collect()
    }
}
