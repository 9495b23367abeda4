//! Skip connections (He, Zhang, Ren and Sun 2016, arXiv 1512.03385): after the first layer, what two layers make is added
//! to what they began with, which goes through a linear layer where the widths differ.

use super::Builder;

/// Layers that a connection skips.
const BLOCK: usize = 2;

pub(super) fn hidden(builder: &mut Builder, widths: &[usize]) -> usize {
    let Some((&first, rest)) = widths.split_first() else { return 0 };
    let begin = builder.dense(0, first);
    rest.chunks(BLOCK).fold(begin, |begin, block| {
        let end = block.iter().fold(begin, |array, &width| builder.dense(array, width));
        let width = builder.width(end);
        let skipped = if builder.width(begin) == width { begin } else { builder.linear(begin, width) };
        builder.add(skipped, end)
    })
}
