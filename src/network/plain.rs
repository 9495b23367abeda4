//! A chain of layers.

use super::Builder;

pub(super) fn hidden(builder: &mut Builder, widths: &[usize]) -> usize {
    widths.iter().fold(0, |array, &width| builder.dense(array, width))
}
