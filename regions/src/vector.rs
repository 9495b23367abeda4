//! Points and directions of up to eight dimensions, on the stack.

/// The largest number of dimensions of a shape.
pub const MAX_DIMENSION: usize = 8;

/// A point or a direction; what lies beyond the dimension is zero.
pub type Vector = [f64; MAX_DIMENSION];

pub(crate) const ZERO: Vector = [0.0; MAX_DIMENSION];

/// The first numbers of a vector; no more than [`MAX_DIMENSION`].
pub(crate) fn vector(x: &[f64]) -> Vector {
    let mut all = ZERO;
    all[..x.len()].copy_from_slice(x);
    all
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// `a + s·b`.
pub(crate) fn along(a: &Vector, s: f64, b: &Vector) -> Vector {
    core::array::from_fn(|i| a[i] + s * b[i])
}

pub(crate) fn scaled(s: f64, a: &Vector) -> Vector {
    a.map(|x| s * x)
}

/// `a` of length one; zero stays zero.
pub(crate) fn unit(a: &Vector) -> Vector {
    let length = norm(a);
    if length > 0.0 { scaled(1.0 / length, a) } else { ZERO }
}

/// The product of the first three coordinates.
pub(crate) fn cross(a: &Vector, b: &Vector) -> Vector {
    vector(&[a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
}

/// Two unit vectors that make `axis`, of length one in three dimensions, a right-handed frame.
pub(crate) fn frame(axis: &Vector) -> [Vector; 2] {
    let least = (0..3).min_by(|&i, &j| axis[i].abs().total_cmp(&axis[j].abs())).unwrap_or(0);
    let mut other = ZERO;
    other[least] = 1.0;
    let first = unit(&cross(&other, axis));
    [first, cross(axis, &first)]
}
