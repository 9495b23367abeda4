//! Walls as lines and triangles, for pictures.

use crate::vector::distance;
use crate::{Piece, Wall};

/// A piece of wall to be drawn: a line in the plane, triangles in space, a point on a line.
#[derive(Clone, PartialEq, Debug)]
pub struct Outline {
    /// The shape whose wall it is.
    pub shape: String,
    /// What a mesh calls it.
    pub label: Option<String>,
    /// Points, each of as many numbers as space has dimensions.
    pub points: Vec<Vec<f64>>,
    /// Numbers of points, three for each triangle, in space; in the plane the points follow one another.
    pub triangles: Vec<[usize; 3]>,
}

impl Wall {
    /// Its pieces as lines of up to `fineness` parts, in space as triangles of up to twice as many for each of as many
    /// strips; none above three dimensions.
    pub fn outline(&self, fineness: usize) -> Vec<Outline> {
        let fineness = fineness.max(1);
        let new = |piece: &Piece| Outline {
            shape: piece.shape.clone(),
            label: piece.label.as_deref().map(str::to_owned),
            points: vec![],
            triangles: vec![],
        };
        let draw = |piece: &Piece| {
            let mut outline = new(piece);
            match self.dimension() {
                1 => outline.points.push(vec![piece.map().at(&[]).x[0]]),
                2 => {
                    let parts = if piece.map().kind().straight { 1 } else { fineness };
                    let point = |k| piece.map().at(&[k as f64 / parts as f64]).x[..2].to_vec();
                    outline.points = (0..=parts).map(point).collect();
                }
                3 => self.surface(piece, fineness, &mut outline),
                _ => {}
            }
            outline
        };
        self.pieces().iter().map(draw).filter(|outline| !outline.points.is_empty()).collect()
    }

    fn surface(&self, piece: &Piece, fineness: usize, outline: &mut Outline) {
        // A facet of a mesh is one already.
        let facet = piece.map().is_facet();
        let count = if facet { 1 } else { fineness };
        for k in 0..count {
            let (from, to) = (k as f64 / count as f64, (k + 1) as f64 / count as f64);
            // The strip's borders where they have as many spans, else its middle's for all of it.
            let (middle, near) = (0.5 * (from + to), 1e-6 * (to - from));
            let [mut left, middle, mut right] =
                [from + near, middle, to - near].map(|u| self.spans(piece, u));
            if left.len() != middle.len() {
                left.clone_from(&middle);
            }
            if right.len() != middle.len() {
                right.clone_from(&middle);
            }
            for (left, right) in left.iter().zip(&right) {
                let rows = if facet || piece.map().kind().straight { 1 } else { fineness };
                let first = outline.points.len();
                for row in 0..=rows {
                    let share = row as f64 / rows as f64;
                    for (u, (low, high, _)) in [(from, left), (to, right)] {
                        let v = (1.0 - share) * low + share * high;
                        outline.points.push(piece.map().at(&[u, v]).x[..3].to_vec());
                    }
                }
                for row in 0..rows {
                    let a = first + 2 * row;
                    for triangle in [[a, a + 1, a + 3], [a, a + 3, a + 2]] {
                        // At a pole or a tip one of the two has no extent.
                        let [p, q, r] = triangle.map(|i| &outline.points[i]);
                        if distance(p, q) > 0.0 && distance(q, r) > 0.0 && distance(r, p) > 0.0 {
                            outline.triangles.push(triangle);
                        }
                    }
                }
            }
        }
    }
}
