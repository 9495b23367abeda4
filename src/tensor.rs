//! Arrays of numbers as safetensors takes them.
//!
//! This file knows numbers and shapes; it does not know what they are of, nor what else stands in a file.

use std::borrow::Cow;

use safetensors::{Dtype, View};

/// An array of f64, last index fastest; its bytes are the numbers' own where these have the file's order.
pub(crate) struct Tensor<'a> {
    pub(crate) numbers: &'a [f64],
    pub(crate) shape: Vec<usize>,
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F64
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            return bytemuck::cast_slice(self.numbers).into();
        }
        let bytes: Vec<[u8; 8]> = self.numbers.iter().map(|x| x.to_le_bytes()).collect();
        bytes.into_flattened().into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.numbers)
    }
}
