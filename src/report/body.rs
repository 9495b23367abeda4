//! A body of space: its wall as seen from outside, and cuts through it.

use super::colors::ColorMap;
use super::figure::{Axis, Figure, Map, Panel};

/// Numbers along each side of the view.
const FINE: usize = 360;
/// From where it is seen: the angle from the first axis towards the second, and that above their plane, in degrees.
const AZIMUTH: f64 = -60.0;
const ELEVATION: f64 = 25.0;
/// Room around it, as a part of its longer side.
const ROOM: f64 = 0.05;

type Point = [f64; 3];

/// A plane through a body.
#[derive(Clone, PartialEq, Debug)]
pub struct Cut {
    /// Where it is.
    pub title: String,
    /// Labels of its axes.
    pub names: [String; 2],
    /// Abscissas and ordinates, strictly rising.
    pub axes: [Vec<f64>; 2],
    /// How deep inside every place is, ordinates fastest; NaN outside.
    pub depth: Vec<f64>,
}

/// The wall of a body that consists of `triangles`, lit and seen from outside, and cuts through it.
#[must_use]
pub fn body(title: &str, names: [&str; 3], triangles: &[[Point; 3]], cuts: Vec<Cut>) -> Figure {
    let mut panels = vec![Panel::Map(view(names, triangles))];
    panels.extend(cuts.into_iter().map(|cut| {
        let [xs, ys] = cut.axes;
        let [x, y] = cut.names;
        let deepest = cut.depth.iter().copied().filter(|x| x.is_finite()).fold(0.0, f64::max);
        let range = Some((0.0, if deepest > 0.0 { deepest } else { 1.0 }));
        Panel::Map(Map {
            title: cut.title,
            x,
            y,
            xs,
            ys,
            values: cut.depth,
            cells: false,
            dots: vec![],
            lines: vec![],
            colors: ColorMap::Field,
            levels: Axis { range, ..Axis::linear("") },
        })
    }));
    let mut rows = vec![];
    while !panels.is_empty() {
        let rest = panels.split_off(panels.len().min(2));
        rows.push(core::mem::replace(&mut panels, rest));
    }
    Figure { title: title.to_owned(), rows, size: (220.0, 220.0) }
}

/// The ends of a range of `length` around the middle of another, with some room.
pub(crate) fn around((lower, upper): (f64, f64), length: f64) -> (f64, f64) {
    let (middle, half) = (0.5 * (lower + upper), (0.5 + ROOM) * length);
    (middle - half, middle + half)
}

/// Brightness by the angle to the light, of what is in front; NaN where there is nothing.
fn view(names: [&str; 3], triangles: &[[Point; 3]]) -> Map {
    let (azimuth, elevation) = (AZIMUTH.to_radians(), ELEVATION.to_radians());
    let right = [-azimuth.sin(), azimuth.cos(), 0.0];
    let up = [-elevation.sin() * azimuth.cos(), -elevation.sin() * azimuth.sin(), elevation.cos()];
    let near = [elevation.cos() * azimuth.cos(), elevation.cos() * azimuth.sin(), elevation.sin()];
    let light = unit([0, 1, 2].map(|i| near[i] - 0.5 * right[i] + 0.7 * up[i]));
    let seen = |x: &Point| [dot(x, &right), dot(x, &up), dot(x, &near)];
    let places: Vec<[Point; 3]> = triangles.iter().map(|corners| corners.map(|x| seen(&x))).collect();
    let reach = |k: usize| {
        let numbers = || places.iter().flatten().map(|x| x[k]);
        (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max))
    };
    let (across, upwards) = (reach(0), reach(1));
    let length = (across.1 - across.0).max(upwards.1 - upwards.0);
    let [xs, ys] = [across, upwards].map(|ends| {
        let (from, to) = around(ends, length);
        (0..FINE).map(|k| from + (to - from) * k as f64 / (FINE - 1) as f64).collect::<Vec<f64>>()
    });
    let step = xs[1] - xs[0];
    let (mut values, mut front) = (vec![f64::NAN; FINE * FINE], vec![f64::NEG_INFINITY; FINE * FINE]);
    for (corners, [a, b, c]) in triangles.iter().zip(&places) {
        let normal = unit(cross(&minus(&corners[1], &corners[0]), &minus(&corners[2], &corners[0])));
        // Whichever way round its corners go, what is seen of it faces the eye.
        let facing = if dot(&normal, &near) < 0.0 { -1.0 } else { 1.0 };
        let brightness = 0.3 + 0.7 * (facing * dot(&normal, &light)).max(0.0);
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
        if area == 0.0 || !brightness.is_finite() {
            continue;
        }
        let span = |k: usize, from: f64| {
            let (low, high) = (a[k].min(b[k]).min(c[k]), a[k].max(b[k]).max(c[k]));
            let place = |x: f64| ((x - from) / step).clamp(0.0, (FINE - 1) as f64);
            (place(low).ceil() as usize)..=(place(high).floor() as usize)
        };
        for i in span(0, xs[0]) {
            for j in span(1, ys[0]) {
                let (x, y) = (xs[i], ys[j]);
                let share = |p: &Point, q: &Point| ((p[0] - x) * (q[1] - y) - (q[0] - x) * (p[1] - y)) / area;
                let shares = [share(b, c), share(c, a), share(a, b)];
                if shares.iter().any(|share| *share < -1e-9) {
                    continue;
                }
                let height = shares[0] * a[2] + shares[1] * b[2] + shares[2] * c[2];
                let place = i * FINE + j;
                if height > front[place] {
                    (front[place], values[place]) = (height, brightness);
                }
            }
        }
    }
    let [x, y, z] = names;
    Map {
        title: format!("wall, seen from between {x} and −{y}, above ({z})"),
        x: String::new(),
        y: String::new(),
        xs,
        ys,
        values,
        cells: false,
        dots: vec![],
        lines: vec![],
        colors: ColorMap::Field,
        levels: Axis { range: Some((0.0, 1.0)), ..Axis::linear("") },
    }
}

fn dot(a: &Point, b: &Point) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn minus(a: &Point, b: &Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: &Point, b: &Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(a: Point) -> Point {
    let length = dot(&a, &a).sqrt();
    a.map(|x| x / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_front_is_seen() {
        // Two squares across the line of sight's plane z = 0 and z = 1, the upper one half as large.
        let square = |z: f64, half: f64| {
            let [a, b, c, d] =
                [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(|(x, y)| [half * x, half * y, z]);
            [[a, b, c], [a, c, d]]
        };
        // A wall that stands upright, in another light, hides what is behind it.
        let upright = [[[0.0, -2.0, -3.0], [1.0, -2.0, -3.0], [0.5, -2.0, 3.0]]];
        let shades = |triangles: &[[Point; 3]]| {
            let mut seen: Vec<f64> =
                view(["x", "y", "z"], triangles).values.into_iter().filter(|x| x.is_finite()).collect();
            seen.sort_by(f64::total_cmp);
            seen.dedup();
            seen
        };
        let flat = shades(&square(0.0, 1.0));
        assert_eq!(flat.len(), 1, "{flat:?}");
        let turned: Vec<[Point; 3]> = square(0.0, 1.0).iter().map(|&[a, b, c]| [a, c, b]).collect();
        assert_eq!(shades(&turned), flat);
        let both = [&square(0.0, 1.0)[..], &upright].concat();
        let seen = view(["x", "y", "z"], &both);
        assert_eq!(shades(&both).len(), 2);
        // The share that the square takes of the picture is less than without the wall before it.
        let count = |map: &Map, shade: f64| map.values.iter().filter(|x| **x == shade).count();
        let behind = view(
            ["x", "y", "z"],
            &[&square(0.0, 1.0)[..], &[upright[0].map(|[x, y, z]| [x, -y, z])]].concat(),
        );
        assert!(count(&seen, flat[0]) < count(&behind, flat[0]));
    }
}
