//! The activation on a slice, in registers, and the product of a layer's weights with many columns.
//!
//! A layer's numbers lie neuron by neuron, every neuron's samples one after the other.

use pulp::{Arch, Simd, WithSimd};

use crate::activation::{Activation, Kernel, Visitor};
use crate::simd::Real;

/// `y = f(z)`, and the first `slopes.len()/z.len()` (four at most) derivatives of f at z, one array after the other.
pub(super) fn activate(activation: &Activation, z: &[f64], y: &mut [f64], slopes: &mut [f64]) {
    activation.visit(Activate { z, y, slopes });
}

struct Activate<'a> {
    z: &'a [f64],
    y: &'a mut [f64],
    slopes: &'a mut [f64],
}

impl Visitor for Activate<'_> {
    type Output = ();

    fn visit<K: Kernel>(self, kernel: K) {
        Arch::new().dispatch(OnRegisters { kernel, slices: self });
    }
}

struct OnRegisters<'a, K> {
    kernel: K,
    slices: Activate<'a>,
}

impl<K: Kernel> WithSimd for OnRegisters<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { kernel, slices: Activate { z, y, slopes } } = self;
        let lanes = f64::lanes::<S>();
        let size = z.len();
        let mut slopes: Vec<&mut [f64]> = slopes.chunks_exact_mut(size.max(1)).collect();
        let count = slopes.len();
        for (i, (z, y)) in z.chunks(lanes).zip(y.chunks_mut(lanes)).enumerate() {
            let x = simd.partial_load_f64s(z);
            let value = kernel.value::<S, f64>(simd, x);
            simd.partial_store_f64s(y, value);
            let here = i * lanes..i * lanes + z.len();
            let mut store = |found: &[<f64 as Real>::Vector<S>]| {
                for (slope, found) in slopes.iter_mut().zip(found) {
                    simd.partial_store_f64s(&mut slope[here.clone()], *found);
                }
            };
            match count {
                0 => {}
                1 => store(&kernel.slopes::<S, f64, 1>(simd, x, value)),
                2 => store(&kernel.slopes::<S, f64, 2>(simd, x, value)),
                3 => store(&kernel.slopes::<S, f64, 3>(simd, x, value)),
                _ => store(&kernel.slopes::<S, f64, 4>(simd, x, value)),
            }
        }
    }
}

/// Columns that are summed at once, in registers.
const TILE: usize = 32;

/// `z = W·x`: W is `rows × inputs`, x `inputs × columns`, z `rows × columns`, all row by row.
pub(super) fn product(weights: &[f64], x: &[f64], columns: usize, z: &mut [f64]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let inputs = x.len() / columns;
            for (weights, z) in weights.chunks_exact(inputs).zip(z.chunks_exact_mut(columns)) {
                for (tile, z) in z.chunks_mut(TILE).enumerate() {
                    let mut sum = [0.0; TILE];
                    for (&weight, x) in weights.iter().zip(x.chunks_exact(columns)) {
                        match x[tile * TILE..].first_chunk::<TILE>() {
                            Some(x) => sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += weight * x),
                            None => {
                                let rest = sum.iter_mut().zip(&x[tile * TILE..]);
                                rest.for_each(|(sum, x)| *sum += weight * x);
                            }
                        }
                    }
                    z.copy_from_slice(&sum[..z.len()]);
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_definition() {
        let (rows, inputs) = (3, 5);
        for columns in [1, 31, 32, 33, 70] {
            let weights: Vec<f64> = (0..rows * inputs).map(|i| (i as f64).sin()).collect();
            let x: Vec<f64> = (0..inputs * columns).map(|i| (0.7 * i as f64).cos()).collect();
            let mut z = vec![f64::NAN; rows * columns];
            product(&weights, &x, columns, &mut z);
            for (i, z) in z.iter().enumerate() {
                let (row, column) = (i / columns, i % columns);
                let expected: f64 =
                    (0..inputs).map(|k| weights[row * inputs + k] * x[k * columns + column]).sum();
                assert!((z - expected).abs() < 1e-14, "{columns} columns, {row}, {column}");
            }
        }
    }

    #[test]
    fn slices_of_any_length_get_the_activation_and_its_derivatives() {
        for text in ["tanh", "0.1*erf(3*x)", "softsign_1 + softsign_2"] {
            let activation = Activation::parse(text).expect("an activation");
            for length in [1, 7, 8, 9, 40] {
                let z: Vec<f64> = (0..length).map(|i| 0.3 * i as f64 - 1.0).collect();
                for count in 0..=2 {
                    let (mut y, mut slopes) = (vec![f64::NAN; length], vec![f64::NAN; count * length]);
                    activate(&activation, &z, &mut y, &mut slopes);
                    for (i, &z) in z.iter().enumerate() {
                        let expected = activation.derivatives(z);
                        let found = core::iter::once(y[i]).chain((0..count).map(|k| slopes[k * length + i]));
                        for (found, expected) in found.zip(expected) {
                            assert!((found - expected).abs() < 1e-13, "{text} at {z}: {found}");
                        }
                    }
                }
            }
        }
    }
}
