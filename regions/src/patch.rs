//! Patches of walls: images of the unit cube of one dimension less.

use core::f64::consts::{PI, TAU};
use std::sync::Arc;

use crate::vector::{Vector, ZERO, along, cross, dot, norm, scaled, unit, vector};

/// A place on a patch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) x: Vector,
    /// Points out of the shape, and has length one.
    pub(crate) normal: Vector,
    /// How much of the wall a unit of the cube becomes.
    pub(crate) density: f64,
}

/// What is true of a map all over; nothing, where that is not known.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Kind {
    /// Equal volumes go to equal measures.
    pub(crate) even: bool,
    /// Lines along the last coordinate stay straight.
    pub(crate) straight: bool,
    /// The normal is the same everywhere.
    pub(crate) flat: bool,
}

impl Kind {
    const PLANE: Self = Self { even: true, straight: true, flat: true };
    const EVEN: Self = Self { even: true, straight: false, flat: false };
}

/// How the unit cube of one dimension less becomes a piece of wall.
pub(crate) trait Map: Send + Sync {
    /// The place of a point of the cube.
    fn at(&self, unit: &[f64]) -> Place;

    /// What is true of it all over.
    fn kind(&self) -> Kind {
        Kind::default()
    }

    /// To which share lengths on it can be known.
    fn precision(&self) -> f64 {
        1e-14
    }

    /// Is it a triangle in space, or nearly one, with the square on it as on [`Triangle`]? [`MIDDLES`] integrate over it.
    fn is_facet(&self) -> bool {
        false
    }
}

/// A level in space that cuts a patch: positive where it is wall.
pub(crate) type Trim = Arc<dyn Fn(&Vector) -> f64 + Send + Sync>;

/// A piece of a shape's wall.
#[derive(Clone)]
pub(crate) struct Patch {
    pub(crate) map: Arc<dyn Map>,
    /// Which of the gate's factors vanishes on it.
    pub(crate) face: usize,
    /// What a mesh calls it.
    pub(crate) label: Option<Arc<str>>,
    pub(crate) trim: Option<Trim>,
}

impl Patch {
    pub(crate) fn new(map: impl Map + 'static, face: usize) -> Self {
        Self { map: Arc::new(map), face, label: None, trim: None }
    }

    /// The same patch under another map, and cut by another level.
    pub(crate) fn mapped(&self, map: impl Map + 'static, trim: Option<Trim>) -> Self {
        Self { map: Arc::new(map), trim, ..self.clone() }
    }
}

/// A point, the wall of an interval; its measure is one.
pub(crate) struct End {
    pub(crate) x: f64,
    pub(crate) normal: f64,
}

impl Map for End {
    fn at(&self, _: &[f64]) -> Place {
        Place { x: vector(&[self.x]), normal: vector(&[self.normal]), density: 1.0 }
    }

    fn kind(&self) -> Kind {
        Kind::PLANE
    }
}

/// A segment, a rectangle, a box: edges at right angles.
pub(crate) struct Flat {
    pub(crate) origin: Vector,
    pub(crate) edges: Vec<Vector>,
    pub(crate) normal: Vector,
    density: f64,
}

impl Flat {
    pub(crate) fn new(origin: Vector, edges: Vec<Vector>, normal: Vector) -> Self {
        let density = edges.iter().map(|edge| norm(edge)).product();
        Self { origin, edges, normal, density }
    }

    /// The segment from `a` to `b` of a curve with the inside at its left.
    pub(crate) fn segment(a: Vector, b: Vector) -> Self {
        let edge = along(&b, -1.0, &a);
        Self::new(a, vec![edge], unit(&vector(&[edge[1], -edge[0]])))
    }
}

impl Map for Flat {
    fn at(&self, unit: &[f64]) -> Place {
        let mut x = self.origin;
        for (edge, &u) in self.edges.iter().zip(unit) {
            x = along(&x, u, edge);
        }
        Place { x, normal: self.normal, density: self.density }
    }

    fn kind(&self) -> Kind {
        Kind::PLANE
    }
}

/// The middles of a triangle's sides as points of the square, and their weights: exact for squares of coordinates.
pub(crate) const MIDDLES: [([f64; 2], f64); 3] =
    [([0.25, 0.0], 1.0 / 3.0), ([0.25, 1.0], 1.0 / 3.0), ([1.0, 0.5], 1.0 / 3.0)];

/// Points of the square of a [facet](crate::Piece::is_facet) and weights, whose sum is one: the middles of the sides of n²
/// equal parts, exact for squares of coordinates, or with n = 0 the centroid.
pub fn facet_rule(n: usize) -> Vec<([f64; 2], f64)> {
    // Of the corners other than the first, by how much of each a point consists.
    let square = |b: f64, c: f64| [(b + c) * (b + c), c / (b + c)];
    if n == 0 {
        return vec![(square(1.0 / 3.0, 1.0 / 3.0), 1.0)];
    }
    let (step, weight) = (1.0 / n as f64, 1.0 / (3 * n * n) as f64);
    let mut all = vec![];
    for i in 0..n {
        for j in 0..n - i {
            let (b, c) = (i as f64 * step, j as f64 * step);
            let mut add = |points: [(f64, f64); 3]| {
                all.extend(points.map(|(db, dc)| (square(b + db * step, c + dc * step), weight)));
            };
            add([(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)]);
            if i + j + 1 < n {
                add([(0.5, 0.5), (1.0, 0.5), (0.5, 1.0)]);
            }
        }
    }
    all
}

/// A triangle in space, counter-clockwise as seen from outside.
pub(crate) struct Triangle(pub(crate) [Vector; 3]);

impl Map for Triangle {
    fn at(&self, cube: &[f64]) -> Place {
        let [a, b, c] = &self.0;
        let (ab, ac) = (along(b, -1.0, a), along(c, -1.0, a));
        let normal = cross(&ab, &ac);
        let r = cube[0].sqrt();
        let x = along(&along(a, r * (1.0 - cube[1]), &ab), r * cube[1], &ac);
        Place { x, normal: unit(&normal), density: 0.5 * norm(&normal) }
    }

    fn kind(&self) -> Kind {
        Kind::PLANE
    }

    fn is_facet(&self) -> bool {
        true
    }
}

/// A circle's arc that begins at the angle `from` and sweeps `sweep`.
pub(crate) struct Arch {
    pub(crate) center: Vector,
    pub(crate) radius: f64,
    pub(crate) from: f64,
    pub(crate) sweep: f64,
    /// 1 where the normal leads away from the center, -1 where it leads to it.
    pub(crate) out: f64,
}

impl Map for Arch {
    fn at(&self, unit: &[f64]) -> Place {
        let (sin, cos) = (self.from + self.sweep * unit[0]).sin_cos();
        let away = vector(&[cos, sin]);
        Place {
            x: along(&self.center, self.radius, &away),
            normal: scaled(self.out, &away),
            density: self.radius * self.sweep.abs(),
        }
    }

    fn kind(&self) -> Kind {
        Kind::EVEN
    }
}

/// A whole sphere of three or more dimensions.
pub(crate) struct Sphere {
    pub(crate) dimension: usize,
    pub(crate) center: Vector,
    pub(crate) radius: f64,
}

impl Map for Sphere {
    fn at(&self, unit: &[f64]) -> Place {
        let d = self.dimension;
        let (mut away, mut rest) = (ZERO, 1.0);
        // Cosines of polar angles, one dimension after the other: their density is (1 - c²)^((k - 3)/2).
        for k in (3..=d).rev() {
            let c = cosine(k, unit[d - k]);
            away[k - 1] = rest * c;
            rest *= (1.0 - c * c).max(0.0).sqrt();
        }
        let (sin, cos) = (TAU * unit[d - 2]).sin_cos();
        (away[0], away[1]) = (rest * cos, rest * sin);
        let measure = d as f64 * ball_measure(d) * self.radius.powi(d as i32 - 1);
        Place { x: along(&self.center, self.radius, &away), normal: away, density: measure }
    }

    fn kind(&self) -> Kind {
        Kind::EVEN
    }
}

/// The volume of the unit ball: πᵏ/k! for d = 2k, by V(d) = 2π/d·V(d - 2).
pub(crate) fn ball_measure(dimension: usize) -> f64 {
    match dimension {
        0 => 1.0,
        1 => 2.0,
        d => TAU / d as f64 * ball_measure(d - 2),
    }
}

/// The cosine of the last polar angle on the sphere of `k` dimensions below which it is with probability `share`.
fn cosine(k: usize, share: f64) -> f64 {
    if k == 3 {
        return 2.0 * share - 1.0;
    }
    // ∫ sinⁿ θ dθ from 0 by its recursion; bisection, for its inverse has no closed form.
    fn sum(n: usize, theta: f64) -> f64 {
        match n {
            0 => theta,
            1 => 1.0 - theta.cos(),
            _ => {
                let n1 = n as f64 - 1.0;
                (n1 * sum(n - 2, theta) - theta.cos() * theta.sin().powi(n as i32 - 1)) / n as f64
            }
        }
    }
    let target = (1.0 - share) * sum(k - 2, PI);
    let (mut low, mut high) = (0.0, PI);
    for _ in 0..54 {
        let middle = 0.5 * (low + high);
        if sum(k - 2, middle) < target { low = middle } else { high = middle }
    }
    (0.5 * (low + high)).cos()
}

/// A curve in the plane, moved along z.
pub(crate) struct Drawn {
    pub(crate) curve: Arc<dyn Map>,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Map for Drawn {
    fn precision(&self) -> f64 {
        self.curve.precision()
    }

    fn at(&self, unit: &[f64]) -> Place {
        let mut place = self.curve.at(&unit[..1]);
        place.x[2] = (1.0 - unit[1]) * self.from + unit[1] * self.to;
        place.density *= self.to - self.from;
        place
    }

    fn kind(&self) -> Kind {
        Kind { straight: true, ..self.curve.kind() }
    }
}

/// A curve in the half-plane of radius and height, turned about the z axis.
pub(crate) struct Turned(pub(crate) Arc<dyn Map>);

impl Map for Turned {
    fn precision(&self) -> f64 {
        self.0.precision()
    }

    fn at(&self, unit: &[f64]) -> Place {
        let Place { x, normal, density } = self.0.at(&unit[..1]);
        let (sin, cos) = (TAU * unit[1]).sin_cos();
        let turn = |a: &Vector| vector(&[a[0] * cos, a[0] * sin, a[1]]);
        Place { x: turn(&x), normal: turn(&normal), density: density * TAU * x[0].max(0.0) }
    }
}

/// A ring or disk across the z axis.
pub(crate) struct Ring {
    pub(crate) center: Vector,
    pub(crate) inner: f64,
    pub(crate) outer: f64,
    /// The direction of the normal along z: 1 or -1.
    pub(crate) up: f64,
}

impl Map for Ring {
    fn at(&self, unit: &[f64]) -> Place {
        let (inner, outer) = (self.inner * self.inner, self.outer * self.outer);
        let radius = ((1.0 - unit[0]) * inner + unit[0] * outer).sqrt();
        let (sin, cos) = (TAU * unit[1]).sin_cos();
        Place {
            x: along(&self.center, radius, &vector(&[cos, sin])),
            normal: vector(&[0.0, 0.0, self.up]),
            density: PI * (outer - inner),
        }
    }

    fn kind(&self) -> Kind {
        Kind { straight: false, ..Kind::PLANE }
    }
}

/// A part of a curve; `out` turns its normal.
pub(crate) struct Part {
    pub(crate) curve: Arc<dyn Map>,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) out: f64,
}

impl Map for Part {
    fn precision(&self) -> f64 {
        self.curve.precision()
    }

    fn at(&self, unit: &[f64]) -> Place {
        let Place { x, normal, density } = self.curve.at(&[(1.0 - unit[0]) * self.from + unit[0] * self.to]);
        Place { x, normal: scaled(self.out, &normal), density: density * (self.to - self.from) }
    }

    fn kind(&self) -> Kind {
        self.curve.kind()
    }
}

/// A linear map of space and a shift.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub(crate) dimension: usize,
    /// Rows of the matrix.
    pub(crate) rows: Vec<Vector>,
    /// Rows of its inverse.
    pub(crate) back: Vec<Vector>,
    pub(crate) shift: Vector,
    /// The absolute value of the determinant.
    pub(crate) volume: f64,
    /// How much the inverse stretches at most, if not at all places the same; all stretch alike where `similar`.
    pub(crate) stretch: f64,
    pub(crate) similar: bool,
}

impl Affine {
    pub(crate) fn apply(&self, x: &Vector) -> Vector {
        let mut image = self.shift;
        (0..self.dimension).for_each(|i| image[i] += dot(&self.rows[i], x));
        image
    }

    pub(crate) fn undo(&self, x: &Vector) -> Vector {
        let from = along(x, -1.0, &self.shift);
        let mut image = ZERO;
        (0..self.dimension).for_each(|i| image[i] = dot(&self.back[i], &from));
        image
    }
}

/// The image of a patch.
pub(crate) struct Image {
    pub(crate) map: Arc<dyn Map>,
    pub(crate) by: Arc<Affine>,
}

impl Map for Image {
    fn precision(&self) -> f64 {
        self.map.precision()
    }

    fn at(&self, cube: &[f64]) -> Place {
        let Place { x, normal, density } = self.map.at(cube);
        // Normals go with the transposed inverse, measures with the determinant times its stretch.
        let mut turned = ZERO;
        for (row, n) in self.by.back.iter().zip(&normal) {
            turned = along(&turned, *n, row);
        }
        // In one dimension the measure of a wall is a count.
        let stretch = if self.by.dimension == 1 { 1.0 } else { self.by.volume * norm(&turned) };
        Place { x: self.by.apply(&x), normal: unit(&turned), density: density * stretch }
    }

    fn kind(&self) -> Kind {
        let kind = self.map.kind();
        Kind { even: kind.even && (self.by.similar || kind.flat), ..kind }
    }

    fn is_facet(&self) -> bool {
        self.map.is_facet()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ∫ over the triangle (0, 0), (1, 0), (0, 1) of xᵃyᵇ is a!·b!/(a + b + 2)!, its area 1/2.
    #[test]
    fn rules_of_triangles_are_exact() {
        assert_eq!(facet_rule(1), MIDDLES);
        let triangle = Triangle([ZERO, vector(&[1.0, 0.0, 0.0]), vector(&[0.0, 1.0, 0.0])]);
        for n in 0..5 {
            let rule = facet_rule(n);
            assert_eq!(rule.len(), (3 * n * n).max(1));
            let mean = |f: &dyn Fn(f64, f64) -> f64| {
                let value = |(unit, weight): &([f64; 2], f64)| {
                    let x = triangle.at(unit).x;
                    weight * f(x[0], x[1])
                };
                rule.iter().map(value).sum::<f64>()
            };
            let close =
                |found: f64, exact: f64| assert!((found - exact).abs() < 1e-14, "{n}: {found} {exact}");
            close(mean(&|_, _| 1.0), 1.0);
            close(mean(&|x, y| 3.0 * x - y), 2.0 / 3.0);
            if n > 0 {
                close(mean(&|x, _| x * x), 1.0 / 6.0);
                close(mean(&|x, y| x * y), 1.0 / 12.0);
            }
        }
    }
}
