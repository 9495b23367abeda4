//! Where a field on a grid changes its sign.

/// Pieces of line along which `values` over all (x, y), ordinates fastest, are zero: within every cell, between those of its
/// edges at whose ends the signs differ.
pub fn zeros(xs: &[f64], ys: &[f64], values: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = vec![];
    for (i, x) in xs.windows(2).enumerate() {
        for (j, y) in ys.windows(2).enumerate() {
            // Around the cell.
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)];
            let at = |(a, b): (usize, usize)| ((x[a], y[b]), values[(i + a) * ys.len() + j + b]);
            if corners.iter().any(|&corner| !at(corner).1.is_finite()) {
                continue;
            }
            let crossed = corners.windows(2).filter_map(|edge| {
                let ((from, a), (to, b)) = (at(edge[0]), at(edge[1]));
                let part = a / (a - b);
                ((a < 0.0) != (b < 0.0))
                    .then_some((from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1)))
            });
            // Two, or four at a saddle.
            pieces.extend(crossed.collect::<Vec<_>>().chunks_exact(2).map(<[_]>::to_vec));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_where_it_is() {
        let axis: Vec<f64> = (0..=40).map(|i| f64::from(i) / 20.0 - 1.0).collect();
        let square = |x: f64, y: f64| x * x + y * y - 0.49;
        let values: Vec<f64> = axis.iter().flat_map(|&x| axis.iter().map(move |&y| square(x, y))).collect();
        let pieces = zeros(&axis, &axis, &values);
        let length = |piece: &Vec<(f64, f64)>| (piece[1].0 - piece[0].0).hypot(piece[1].1 - piece[0].1);
        assert!(pieces.iter().flatten().all(|(x, y)| (x.hypot(*y) - 0.7).abs() < 1e-3));
        let around: f64 = pieces.iter().map(length).sum();
        assert!((around - 1.4 * core::f64::consts::PI).abs() < 5e-3, "{around}");
        assert_eq!(zeros(&[0.0, 1.0], &[0.0, 1.0], &[1.0, f64::NAN, -1.0, 1.0]), Vec::<Vec<_>>::new());
    }
}
