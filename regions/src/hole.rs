//! Holes: what a region surrounds on all sides, and leaves out.
//!
//! Looked for from the middle of what is left of each shape's wall, along rays: a hole is there where the middle is not in
//! the region, and all rays meet it.
//! It knows regions; it does not know what holes are asked for.

use core::f64::consts::{PI, TAU};

use crate::vector::{Vector, along, distance, scaled, vector};
use crate::{Region, Select, spread};

/// Rays that are looked along, and places on each of them.
const RAYS: usize = 48;
const PLACES: usize = 256;
/// Places of a wall whose mean is its middle.
const SPOTS: usize = 4096;
/// A hole that is so many times as long as it is wide has no middle to speak of.
const LONGEST: f64 = 4.0;
/// Halvings that find where a ray enters the region.
const HALVINGS: usize = 40;

/// Something that a region of two or three dimensions surrounds and leaves out.
#[derive(Clone, PartialEq, Debug)]
pub struct Hole {
    /// A place in the middle of it.
    pub center: Vec<f64>,
    /// How far the region is from there, along the rays that were looked along.
    pub radius: f64,
}

/// What the region's shapes leave out and the region surrounds.
pub(crate) fn holes(region: &Region) -> Vec<Hole> {
    let d = region.dimension();
    let Ok(bounds) = region.tight() else { return vec![] };
    if !(2..=3).contains(&d) {
        return vec![];
    }
    let rays: Vec<Vector> = (0..RAYS).map(|k| ray(d, k)).collect();
    let mut found: Vec<(Hole, f64)> = vec![];
    for name in region.names() {
        let Ok(wall) = region.wall(&Select { shape: Some(name), ..Select::default() }) else { continue };
        let spots = spread(wall.coordinates()).take(SPOTS).map(|unit| wall.at(&unit[..wall.coordinates()]).x);
        let sum = spots.fold(vector(&[]), |sum, x| along(&sum, 1.0, &x));
        let middle = scaled(1.0 / SPOTS as f64, &sum);
        let around = |center: &Vector| {
            let reach = |ray: &Vector| enters(region, center, ray, bounds.diagonal());
            let reaches = rays.iter().map(reach).collect::<Option<Vec<f64>>>()?;
            let (least, most) =
                reaches.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), &s| (a.min(s), b.max(s)));
            (!region.contains_at(center)).then_some((least, most / least))
        };
        let Some((near, _)) = around(&middle) else { continue };
        // The middle is known to within a few hundredths; few digits say it.
        let step = 10_f64.powf((0.05 * near).log10().floor());
        let center = middle.map(|x| (x / step).round() * step);
        let Some((radius, longest)) = around(&center) else { continue };
        if longest > LONGEST {
            continue;
        }
        // Several shapes may have their middles in one hole; that of the roundest stays.
        let same = found.iter().position(|(other, _)| !parts(region, &vector(&other.center), &center));
        let hole = (Hole { center: center[..d].to_vec(), radius }, longest);
        match same {
            None => found.push(hole),
            Some(i) if longest < found[i].1 => found[i] = hole,
            Some(_) => {}
        }
    }
    found.into_iter().map(|(hole, _)| hole).collect()
}

/// Evenly spread directions.
fn ray(dimension: usize, k: usize) -> Vector {
    let part = (k as f64 + 0.5) / RAYS as f64;
    if dimension == 2 {
        return vector(&[(TAU * part).cos(), (TAU * part).sin()]);
    }
    // Along a spiral from pole to pole, by the golden angle.
    let (height, turn) = (1.0 - 2.0 * part, PI * (3.0 - 5.0_f64.sqrt()) * k as f64);
    let width = (1.0 - height * height).sqrt();
    vector(&[width * turn.cos(), width * turn.sin(), height])
}

/// How far from `center` a ray enters the region, if it does.
fn enters(region: &Region, center: &Vector, ray: &Vector, far: f64) -> Option<f64> {
    let inside = |s: f64| region.contains_at(&along(center, s, ray));
    let step = far / PLACES as f64;
    let first = (1..=PLACES).find(|&k| inside(step * k as f64))? as f64 * step;
    let (mut outer, mut inner) = (first - step, first);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (outer + inner);
        *(if inside(middle) { &mut inner } else { &mut outer }) = middle;
    }
    Some(inner)
}

/// Does the region lie between two places?
fn parts(region: &Region, a: &Vector, b: &Vector) -> bool {
    let way = along(b, -1.0, a);
    let places = (1..PLACES).map(|k| along(a, k as f64 / PLACES as f64, &way));
    distance(a, b) > 0.0 && places.into_iter().any(|x| region.contains_at(&x))
}
