//! Polynomials over a box: products of Chebyshev's up to a total degree, with their derivatives, and points for them.
//!
//! Everything is in coordinates mapped to [−1, 1], so that sizes mean the same whatever the units are.
//! Of a domain made of shapes the polynomials are those of its box, and the points its own.
//! It knows coordinates and places; it does not know residuals.

use crate::jet::{MAX_ORDER, MultiIndex};
use crate::problem::geometry::Geometry;
use crate::problem::model::Problem;
use crate::problem::place::{Coordinate, Onto, Place};

/// The degrees of every polynomial along each coordinate, lowest total degree first.
pub(super) struct Basis<'a> {
    coordinates: &'a [Coordinate],
    geometry: Option<&'a Geometry>,
    degrees: Vec<Vec<usize>>,
    degree: usize,
}

/// Chebyshev polynomials at one point: for every coordinate and every order of derivative the values by degree.
pub(super) struct Tables(Vec<Vec<Vec<f64>>>);

impl<'a> Basis<'a> {
    /// All of total degree `degree` at most, over the domain of `problem`.
    pub(super) fn new(problem: &'a Problem, degree: usize) -> Self {
        Self::over(&problem.coordinates, problem.geometry.as_ref(), degree)
    }

    fn over(coordinates: &'a [Coordinate], geometry: Option<&'a Geometry>, degree: usize) -> Self {
        let mut degrees = vec![vec![]];
        for _ in coordinates {
            let longer = degrees.into_iter().flat_map(|head: Vec<usize>| {
                let left = degree - head.iter().sum::<usize>();
                (0..=left).map(move |n| [&head[..], &[n]].concat())
            });
            degrees = longer.collect();
        }
        degrees.sort_by_key(|degrees| degrees.iter().sum::<usize>());
        Self { coordinates, geometry, degrees, degree }
    }

    /// How many polynomials of total degree `degree` at most there are in `coordinates` coordinates.
    pub(super) fn count(coordinates: usize, degree: usize) -> usize {
        (1..=coordinates).fold(1, |count, i| count * (degree + i) / i)
    }

    pub(super) fn degree(&self) -> usize {
        self.degree
    }

    pub(super) fn len(&self) -> usize {
        self.degrees.len()
    }

    /// The total degree of every polynomial.
    pub(super) fn total_degrees(&self) -> impl Iterator<Item = usize> + '_ {
        self.degrees.iter().map(|degrees| degrees.iter().sum())
    }

    /// Does polynomial `k` change along one of these coordinates?
    pub(super) fn changes_along(&self, k: usize, mut coordinates: impl Iterator<Item = usize>) -> bool {
        coordinates.any(|coordinate| self.degrees[k][coordinate] > 0)
    }

    pub(super) fn tables(&self, row: &[f64]) -> Tables {
        let along = |(c, &x): (&Coordinate, &f64)| {
            let z = (2.0 * x - c.lower - c.upper) / (c.upper - c.lower);
            let mut orders: Vec<Vec<f64>> = vec![];
            for k in 0..=MAX_ORDER {
                let mut values: Vec<f64> = vec![];
                for n in 0..=self.degree {
                    // Tₙ = 2z·Tₙ₋₁ − Tₙ₋₂, differentiated k times.
                    let below = |n: usize| if k == 0 { 0.0 } else { orders[k - 1][n] };
                    let value = match n {
                        0 => f64::from(u8::from(k == 0)),
                        1 if k == 0 => z,
                        1 => f64::from(u8::from(k == 1)),
                        _ => 2.0 * z * values[n - 1] + 2.0 * k as f64 * below(n - 1) - values[n - 2],
                    };
                    values.push(value);
                }
                orders.push(values);
            }
            orders
        };
        Tables(self.coordinates.iter().zip(row).map(along).collect())
    }

    /// A derivative of every polynomial, in mapped coordinates.
    pub(super) fn derivatives(&self, tables: &Tables, index: MultiIndex) -> Vec<f64> {
        let product = |degrees: &Vec<usize>| {
            degrees.iter().enumerate().map(|(c, &n)| tables.0[c][index.get(c)][n]).product()
        };
        self.degrees.iter().map(product).collect()
    }

    /// What a derivative in mapped coordinates is multiplied by in the file's own units.
    pub(super) fn unit(&self, index: MultiIndex) -> f64 {
        index.coordinates().map(|c| 2.0 / (self.coordinates[c].upper - self.coordinates[c].lower)).product()
    }

    /// Points in the domain at which polynomials are held, `times` as many as there are polynomials, dense towards the
    /// ends; another `set` gives others.
    pub(super) fn domain(&self, times: usize, set: usize) -> Points {
        self.at(&Place::Interior, times, set)
    }

    fn points(&self, face: &[(usize, f64)], times: usize, set: usize) -> Vec<f64> {
        let free = self.coordinates.len() - face.len();
        let count = if free == 0 { 1 } else { times * Self::count(free, self.degree) + 7 * set };
        let row = |k: usize| {
            let mut row = Coordinate::spread(self.coordinates, k + 1 + 1000 * set);
            for (i, (x, c)) in row.iter_mut().zip(self.coordinates).enumerate() {
                if let Some((_, fixed)) = face.iter().find(|(fixed, _)| *fixed == i) {
                    *x = *fixed;
                    continue;
                }
                // A single free coordinate has Gauss's nodes, several have Halton's points.
                let u = match free {
                    1 => (k as f64 + 0.5) / count as f64,
                    _ => (*x - c.lower) / (c.upper - c.lower),
                };
                *x = towards_ends(c, u);
            }
            row
        };
        (0..count).flat_map(row).collect()
    }

    /// Points of a place in a domain made of shapes, each part having as many as there are polynomials on it, `times`.
    fn in_geometry(&self, geometry: &Geometry, place: &Place, times: usize, set: usize) -> Points {
        let (mut rows, mut data) = (vec![], vec![]);
        let mut bounds = self.coordinates.to_vec();
        for part in place.parts(self.coordinates, Some(geometry), 1) {
            bounds.iter_mut().zip(&part.bounds).for_each(|(c, &(from, to))| (c.lower, c.upper) = (from, to));
            let free = bounds.iter().filter(|c| c.lower < c.upper).count();
            let count = if free == 0 { 1 } else { times * Self::count(free, self.degree) + 7 * set };
            // Along a wall points are by its length or area.
            let along_wall = |i: usize| match part.onto {
                Onto::Wall(wall) => wall.axes().contains(&i),
                Onto::Box | Onto::Body(_) => false,
            };
            let row = |k: usize| {
                let mut row = Coordinate::spread(&bounds, k + 1000 * set);
                for (i, (x, c)) in row.iter_mut().zip(&bounds).enumerate() {
                    if c.lower < c.upper && !along_wall(i) {
                        *x = towards_ends(c, (*x - c.lower) / (c.upper - c.lower));
                    }
                }
                row
            };
            let mut settled = (1..=MOST_TRIED * count).map(row).filter_map(|mut row| {
                let inside = part.settle(&mut row, &mut data);
                inside.then_some(row)
            });
            rows.extend(settled.by_ref().take(count).flatten());
        }
        let partners = place.periodic().map(|c| {
            let mut partners = rows.clone();
            let upper = self.coordinates[c].upper;
            partners.chunks_exact_mut(self.coordinates.len()).for_each(|row| row[c] = upper);
            partners
        });
        Points { rows, partners, data }
    }

    /// Points where a condition holds.
    pub(super) fn at(&self, place: &Place, times: usize, set: usize) -> Points {
        let alone = |rows| Points { rows, partners: None, data: vec![] };
        if let (Some(geometry), true) = (self.geometry, place.is_drawn()) {
            return self.in_geometry(geometry, place, times, set);
        }
        match place {
            // Only domains made of shapes have parts and walls.
            Place::Interior | Place::Inside(_) | Place::Walls(_) => alone(self.points(&[], times, set)),
            Place::Faces(faces) => {
                alone(faces.iter().flat_map(|face| self.points(face, times, set)).collect())
            }
            Place::Periodic { coordinate, .. } => {
                let Coordinate { lower, upper, .. } = self.coordinates[*coordinate];
                let [rows, partners] =
                    [lower, upper].map(|end| self.points(&[(*coordinate, end)], times, set));
                Points { rows, partners: Some(partners), data: vec![] }
            }
            Place::Points { points, data, .. } => {
                let d = self.coordinates.len();
                let every = (points.len() / d).div_ceil(MOST_GIVEN).max(1);
                let given: Vec<usize> = (0..points.len() / d).step_by(every).collect();
                let rows = given.iter().flat_map(|&i| points[i * d..(i + 1) * d].to_vec()).collect();
                let of_rows = |column: &Vec<f64>| given.iter().map(|&i| column[i]).collect();
                Points { rows, partners: None, data: data.iter().map(of_rows).collect() }
            }
        }
    }
}

/// A place of a coordinate's domain, `u` from 0 to 1, dense towards the ends as Chebyshev's nodes are.
fn towards_ends(c: &Coordinate, u: f64) -> f64 {
    let z = -(core::f64::consts::PI * u).cos();
    0.5 * (c.lower + c.upper) + 0.5 * (c.upper - c.lower) * z
}

/// Of the points of a file no more are looked at.
const MOST_GIVEN: usize = 1000;
/// Places of its box that are tried for each point of a body.
const MOST_TRIED: usize = 200;

/// Rows of coordinates; for a periodic condition those on the opposite face too; columns of data, a number for each row.
pub(super) struct Points {
    pub(super) rows: Vec<f64>,
    pub(super) partners: Option<Vec<f64>>,
    pub(super) data: Vec<Vec<f64>>,
}

#[cfg(test)]
mod tests {
    use super::Basis;
    use crate::jet::MultiIndex;
    use crate::problem::Coordinate;

    #[test]
    fn derivatives_are_those_of_the_polynomials() {
        let coordinate =
            |name: &str| Coordinate { name: name.into(), lower: 1.0, upper: 5.0, unit: String::new() };
        let coordinates = [coordinate("x"), coordinate("y")];
        let basis = Basis::over(&coordinates, None, 6);
        assert_eq!(basis.len(), Basis::count(2, 6));
        let at = |x: f64, y: f64, index| basis.derivatives(&basis.tables(&[x, y]), index);
        let (x, y, h) = (2.3, 4.4, 1e-5);
        for k in 0..4 {
            let lower = (0..k).fold(MultiIndex::along(1), |index, _| index.plus(0));
            let [low, high] = [-h, h].map(|h| at(x + h, y, lower));
            let found = at(x, y, lower.plus(0));
            let unit = basis.unit(MultiIndex::along(0));
            assert_eq!(unit, 0.5);
            for ((low, high), found) in low.iter().zip(&high).zip(found) {
                let expected = (high - low) / (2.0 * h);
                assert!(
                    (unit * found - expected).abs() < 1e-6 * found.abs().max(1.0),
                    "{k}: {found} {expected}"
                );
            }
        }
    }
}
