//! Histograms, drawn as curves.

use super::figure::{Curve, Stroke};

/// A curve that follows the bars of a histogram, filled below; `edges` has one number more than `heights`.
pub fn histogram(label: &str, edges: &[f64], heights: &[f64], color: usize) -> Curve {
    let steps = edges.windows(2).zip(heights);
    let bars = steps.flat_map(|(edges, &height)| [(edges[0], height), (edges[1], height)]);
    let ends = |edge: Option<&f64>| edge.map(|&edge| (edge, 0.0));
    let points: Vec<_> = ends(edges.first()).into_iter().chain(bars).chain(ends(edges.last())).collect();
    let band = points.iter().map(|&(_, height)| (0.0, height)).collect();
    Curve { label: label.to_owned(), points, band, color, stroke: Stroke::Solid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_their_heights_between_their_edges() {
        let curve = histogram("", &[0.0, 1.0, 3.0], &[2.0, 5.0], 1);
        assert_eq!(curve.points, [(0.0, 0.0), (0.0, 2.0), (1.0, 2.0), (1.0, 5.0), (3.0, 5.0), (3.0, 0.0)]);
        assert_eq!(curve.band.len(), curve.points.len());
    }
}
