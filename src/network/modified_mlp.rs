//! The modified multilayer perceptron (Wang, Teng and Perdikaris 2021, arXiv 2001.04536): every layer is a gate between two
//! layers over the features, U and V.

use super::Builder;

pub(super) fn hidden(builder: &mut Builder, widths: &[usize]) -> usize {
    let Some(&width) = widths.first() else { return 0 };
    let u = builder.dense(0, width);
    let v = builder.dense(0, width);
    widths.iter().fold(0, |array, &width| {
        let gate = builder.dense(array, width);
        builder.blend(gate, v, u)
    })
}
