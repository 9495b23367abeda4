//! Gated residual blocks in the manner of PirateNet (Wang, Li, Chen and Perdikaris 2024, arXiv 2402.00326).
//!
//! A block has three layers, gates between two layers over the features (U and V) after the first two of them, and a
//! trainable α, at first 0, that mixes what it makes with what it began with: at first the network is one layer deep.
//! There, the blocks begin with random Fourier features; here a layer over whatever the features are makes the width.

use super::Builder;

pub(super) fn hidden(builder: &mut Builder, widths: &[usize]) -> usize {
    let Some(&width) = widths.first() else { return 0 };
    let begin = builder.dense(0, width);
    let u = builder.dense(0, width);
    let v = builder.dense(0, width);
    widths.iter().fold(begin, |begin, &width| {
        let gate = builder.dense(begin, width);
        let first = builder.blend(gate, u, v);
        let gate = builder.dense(first, width);
        let second = builder.blend(gate, u, v);
        let end = builder.dense(second, width);
        builder.mix(0.0, end, begin)
    })
}
