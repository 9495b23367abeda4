//! Boxes along the axes.

use crate::vector::{Vector, distance};

/// A box along the axes; ends may be infinite, and lower above upper where it is empty.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bounds {
    /// The number of dimensions.
    pub dimension: usize,
    /// The lower ends.
    pub lower: Vector,
    /// The upper ends.
    pub upper: Vector,
}

impl Bounds {
    /// The box that holds nothing.
    pub fn empty(dimension: usize) -> Self {
        let Self { lower, upper, .. } = Self::everything(dimension);
        Self { dimension, lower: upper, upper: lower }
    }

    /// The box that holds everything.
    pub fn everything(dimension: usize) -> Self {
        let ends = |end: f64| core::array::from_fn(|i| if i < dimension { end } else { 0.0 });
        Self { dimension, lower: ends(f64::NEG_INFINITY), upper: ends(f64::INFINITY) }
    }

    /// The smallest box around points.
    pub(crate) fn around<'a>(dimension: usize, points: impl IntoIterator<Item = &'a [f64]>) -> Self {
        let mut all = Self::empty(dimension);
        points.into_iter().for_each(|point| all.extend(point));
        all
    }

    /// All points within `radius` of `center`.
    pub(crate) fn ball(center: &[f64], radius: f64) -> Self {
        Self::around(center.len(), [center]).grown(radius)
    }

    pub(crate) fn extend(&mut self, point: &[f64]) {
        for i in 0..self.dimension {
            self.lower[i] = self.lower[i].min(point[i]);
            self.upper[i] = self.upper[i].max(point[i]);
        }
    }

    pub(crate) fn grown(mut self, by: f64) -> Self {
        for i in 0..self.dimension {
            self.lower[i] -= by;
            self.upper[i] += by;
        }
        self
    }

    pub(crate) fn union(mut self, other: &Self) -> Self {
        for i in 0..self.dimension {
            self.lower[i] = self.lower[i].min(other.lower[i]);
            self.upper[i] = self.upper[i].max(other.upper[i]);
        }
        self
    }

    pub(crate) fn intersection(mut self, other: &Self) -> Self {
        for i in 0..self.dimension {
            self.lower[i] = self.lower[i].max(other.lower[i]);
            self.upper[i] = self.upper[i].min(other.upper[i]);
        }
        self
    }

    /// Whether a place is in it.
    pub(crate) fn holds(&self, x: &Vector) -> bool {
        (0..self.dimension).all(|i| self.lower[i] <= x[i] && x[i] <= self.upper[i])
    }

    /// Whether all of `other` is in it.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        (0..self.dimension).all(|i| self.lower[i] <= other.lower[i] && other.upper[i] <= self.upper[i])
    }

    /// Whether it has no extent in some direction.
    pub fn is_empty(&self) -> bool {
        (0..self.dimension).any(|i| self.lower[i] >= self.upper[i])
    }

    /// Whether all its ends are finite.
    pub fn is_finite(&self) -> bool {
        (0..self.dimension).all(|i| self.lower[i].is_finite() && self.upper[i].is_finite())
    }

    /// The product of its sides; 0 where it is empty.
    pub fn volume(&self) -> f64 {
        (0..self.dimension).map(|i| (self.upper[i] - self.lower[i]).max(0.0)).product()
    }

    /// The length of its diagonal.
    pub fn diagonal(&self) -> f64 {
        let plain = distance(&self.lower[..self.dimension], &self.upper[..self.dimension]);
        if plain > 1e-100 && plain < 1e100 {
            return plain;
        }
        // Squares of these are no numbers.
        (0..self.dimension).map(|i| self.upper[i] - self.lower[i]).fold(0.0, f64::max)
    }

    pub(crate) fn center(&self) -> Vector {
        let middle = |i| if i < self.dimension { 0.5 * (self.lower[i] + self.upper[i]) } else { 0.0 };
        core::array::from_fn(middle)
    }

    /// The place at `unit`, numbers between 0 and 1; exact at both ends.
    pub(crate) fn at(&self, unit: &[f64]) -> Vector {
        let place = |i| {
            if i < self.dimension { (1.0 - unit[i]) * self.lower[i] + unit[i] * self.upper[i] } else { 0.0 }
        };
        core::array::from_fn(place)
    }

    /// Its 2ᵈ corners.
    pub(crate) fn corners(&self) -> impl Iterator<Item = Vector> {
        let corner = |k: usize, i: usize| {
            if i >= self.dimension {
                0.0
            } else if k >> i & 1 == 0 {
                self.lower[i]
            } else {
                self.upper[i]
            }
        };
        (0..1 << self.dimension).map(move |k| core::array::from_fn(|i| corner(k, i)))
    }
}
