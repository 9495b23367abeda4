//! A region of the plane: its walls, their normals, and points.

use super::figure::{Axis, Curve, Figure, LineChart, Panel, Stroke};
use super::run::proportions_of;

/// Length of an arrow, as a part of the picture's longer side.
const ARROW: f64 = 0.035;

/// A wall in the plane.
#[derive(Clone, PartialEq, Debug)]
pub struct Wall {
    /// Whose wall it is, and how long.
    pub label: String,
    /// Lines along it.
    pub lines: Vec<Vec<(f64, f64)>>,
    /// Some points of it, each with its normal.
    pub normals: Vec<[(f64, f64); 2]>,
}

/// Walls in colours with arrows along their normals, and `points`, which are called `about`.
///
/// `x` and `y` are the axes' labels.
#[must_use]
pub fn region(
    title: &str,
    [x, y]: [String; 2],
    walls: &[Wall],
    points: &[(f64, f64)],
    about: &str,
) -> Figure {
    let all = || walls.iter().flat_map(|wall| wall.lines.iter().flatten());
    let ends = |of: fn(&(f64, f64)) -> f64| {
        let numbers = || all().map(of);
        (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max))
    };
    let (across, up) = (ends(|point| point.0), ends(|point| point.1));
    let (width, height) = (across.1 - across.0, up.1 - up.0);
    let arrow = ARROW * width.max(height);
    let room = 1.6 * arrow;
    let mut curves = vec![Curve {
        label: about.to_owned(),
        points: points.iter().flat_map(|&point| [point, (f64::NAN, f64::NAN)]).collect(),
        band: vec![],
        color: 6,
        stroke: Stroke::Points,
    }];
    for (i, wall) in walls.iter().enumerate() {
        // 6 is that of the points.
        let color = 1 + i % 5;
        let lines = wall.lines.iter().flat_map(|line| line.iter().copied().chain([(f64::NAN, f64::NAN)]));
        let arrows = wall.normals.iter().flat_map(|&[(x, y), (n, m)]| {
            let tip = (x + arrow * n, y + arrow * m);
            let barb = |side: f64| {
                (tip.0 - 0.3 * arrow * (n - side * 0.6 * m), tip.1 - 0.3 * arrow * (m + side * 0.6 * n))
            };
            [(x, y), tip, barb(1.0), tip, barb(-1.0), (f64::NAN, f64::NAN)]
        });
        let curve = |label: String, points: Vec<(f64, f64)>, stroke| Curve {
            label,
            points,
            band: vec![],
            color,
            stroke,
        };
        curves.push(curve(wall.label.clone(), lines.collect(), Stroke::Wide));
        curves.push(curve(String::new(), arrows.collect(), Stroke::Solid));
    }
    let axis = |label: String, (low, high): (f64, f64)| Axis {
        range: Some((low - room, high + room)),
        ..Axis::linear(label)
    };
    let chart = LineChart { title: String::new(), x: axis(x, across), y: axis(y, up), curves, marks: vec![] };
    let (wide, high) = proportions_of((height + 2.0 * room) / (width + 2.0 * room));
    let size = (1.8 * wide, 1.8 * high);
    Figure { title: title.to_owned(), rows: vec![vec![Panel::Lines(chart)]], size }
}
