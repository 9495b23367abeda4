//! Which points a problem's conditions cover, where its domain is given by shapes or by points from files.
//!
//! Of shapes it is what lies inside.
//! A point belongs to a cloud if it is no farther from one of the nearest points of it than that one is from its own k-th
//! neighbour; k grows with the logarithm of the points, as the gaps of a cloud drawn at random do.
//! Distances are taken in units of the domain's sides.
//! This file knows where points lie; it does not know what is wanted there.

use super::geometry::Body;
use super::model::Problem;

/// What shapes or clouds of points cover.
#[derive(Clone, Debug)]
pub enum Coverage {
    /// A body and its wall.
    Body(Body),
    /// What lies close to points.
    Cloud {
        /// The points.
        cloud: Cloud,
        /// For every point the square of how far it reaches.
        reach: Vec<f64>,
    },
}

impl Coverage {
    /// What the conditions of `problem` cover; `None` if that is the whole domain, or if no points say what it is.
    pub fn new(problem: &Problem) -> Option<Self> {
        if let Some(geometry) = &problem.geometry {
            return Some(Self::Body(geometry.domain.clone()));
        }
        if problem.conditions.iter().any(|condition| condition.place.is_interior()) {
            return None;
        }
        let mut rows = vec![];
        for condition in &problem.conditions {
            rows.extend_from_slice(condition.place.own_points());
        }
        let cloud = Cloud::new(problem, &rows);
        let count = cloud.len();
        let neighbours = ((count as f64).ln().ceil() as usize + 1).max(2 * problem.coordinates.len());
        if count <= neighbours {
            return None;
        }
        let reach = (0..count).map(|i| {
            let nearest = cloud.nearest(cloud.point(i), neighbours + 1);
            nearest.last().map_or(0.0, |(_, square)| *square)
        });
        Some(Self::Cloud { reach: reach.collect(), cloud })
    }

    /// Is `point`, a number for each coordinate, within what is covered?
    pub fn covers(&self, point: &[f64]) -> bool {
        let (cloud, reach) = match self {
            Self::Body(body) => return body.touches(point),
            Self::Cloud { cloud, reach } => (cloud, reach),
        };
        // The nearest may have close neighbours of its own and a gap beside them, so some others are asked as well.
        let nearest = cloud.nearest(&cloud.scaled(point), 2 * cloud.dimensions);
        // Rounding shall not cut off the points of a regular grid.
        nearest.iter().any(|&(i, square)| square <= reach[i] * (1.0 + 1e-9))
    }
}

/// Distinct points in units of the domain's sides, arranged for searching: a k-d tree without pointers.
///
/// The middle of a range of points parts it, along the coordinate of its depth, into those not above and those not below.
#[derive(Clone, Debug)]
pub struct Cloud {
    dimensions: usize,
    scales: Vec<f64>,
    points: Vec<f64>,
}

impl Cloud {
    /// Of some rows of coordinates.
    pub(crate) fn new(problem: &Problem, rows: &[f64]) -> Self {
        let dimensions = problem.coordinates.len();
        let scales: Vec<f64> = problem.coordinates.iter().map(|c| (c.upper - c.lower).recip()).collect();
        let scale = |row: &[f64]| -> Vec<f64> { row.iter().zip(&scales).map(|(x, s)| x * s).collect() };
        let mut points: Vec<Vec<f64>> = rows.chunks_exact(dimensions).map(scale).collect();
        let order = |a: &Vec<f64>, b: &Vec<f64>| {
            a.iter()
                .zip(b)
                .map(|(a, b)| a.total_cmp(b))
                .find(|o| o.is_ne())
                .unwrap_or(core::cmp::Ordering::Equal)
        };
        points.sort_by(order);
        points.dedup();
        arrange(&mut points, 0, dimensions);
        Self { dimensions, scales, points: points.concat() }
    }

    /// How many distinct points there are.
    pub(crate) fn len(&self) -> usize {
        self.points.len() / self.dimensions
    }

    /// A point, in units of the domain's sides.
    pub(crate) fn point(&self, which: usize) -> &[f64] {
        &self.points[which * self.dimensions..][..self.dimensions]
    }

    fn scaled(&self, point: &[f64]) -> Vec<f64> {
        point.iter().zip(&self.scales).map(|(x, s)| x * s).collect()
    }

    /// The point between two of them, in the coordinates' own units.
    pub(crate) fn middle(&self, a: usize, b: usize) -> impl Iterator<Item = f64> + '_ {
        let pairs = self.point(a).iter().zip(self.point(b)).zip(&self.scales);
        pairs.map(|((a, b), scale)| 0.5 * (a + b) / scale)
    }

    /// The `count` points nearest to a scaled `point`, nearest first, with the squares of their distances.
    pub(crate) fn nearest(&self, point: &[f64], count: usize) -> Vec<(usize, f64)> {
        let mut found = Vec::with_capacity(count + 1);
        self.search(point, count, 0..self.len(), 0, &mut found);
        found
    }

    fn search(
        &self,
        point: &[f64],
        count: usize,
        range: core::ops::Range<usize>,
        depth: usize,
        found: &mut Vec<(usize, f64)>,
    ) {
        if range.is_empty() {
            return;
        }
        let middle = range.start + range.len() / 2;
        let here = self.point(middle);
        let square = here.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let place = found.partition_point(|&(i, known)| (known, i) < (square, middle));
        found.insert(place, (middle, square));
        found.truncate(count);
        let axis = depth % self.dimensions;
        let beyond = point[axis] - here[axis];
        let (near, far) = if beyond < 0.0 {
            (range.start..middle, middle + 1..range.end)
        } else {
            (middle + 1..range.end, range.start..middle)
        };
        self.search(point, count, near, depth + 1, found);
        if found.len() < count || beyond * beyond <= found[found.len() - 1].1 {
            self.search(point, count, far, depth + 1, found);
        }
    }
}

fn arrange(points: &mut [Vec<f64>], depth: usize, dimensions: usize) {
    if points.len() < 2 {
        return;
    }
    let middle = points.len() / 2;
    let axis = depth % dimensions;
    points.select_nth_unstable_by(middle, |a, b| a[axis].total_cmp(&b[axis]));
    let (below, above) = points.split_at_mut(middle);
    arrange(below, depth + 1, dimensions);
    arrange(&mut above[1..], depth + 1, dimensions);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Place;
    use crate::rng;
    use crate::sample;
    use crate::settings::Sampler;

    /// Two coordinates, one of them in much smaller units.
    fn problem(place: &str) -> Problem {
        let text = format!(
            "[coordinates]\nx = [0, 1]\ny = [0, 1e-6]\n[unknowns]\nu = {{}}\n[conditions.physics]\n\
             place = {place}\nresidual = \"u_x + u_y\"\n"
        );
        let document = crate::problem::Document::parse("test.toml", &text).unwrap();
        document.build(std::path::Path::new(".")).unwrap().0
    }

    fn cloud(rows: Vec<f64>) -> Problem {
        let mut problem = problem("\"interior\"");
        problem.conditions[0].place =
            Place::Points { path: "points.csv".into(), points: rows, columns: vec![], data: vec![] };
        problem
    }

    #[test]
    fn the_nearest_points_are_those_of_a_plain_search() {
        let mut stream = rng::stream(1, "test/cloud");
        let rows = sample::draw(Sampler::Uniform, &[(0.0, 1.0), (0.0, 1e-6)], 300, &mut stream);
        let cloud = Cloud::new(&problem("\"interior\""), &[rows.clone(), rows].concat());
        assert_eq!(cloud.len(), 300, "points that come twice are one");
        for at in [[0.5, 0.5], [0.0, 1.0], [3.0, -1.0], [0.123, 0.9]] {
            let square =
                |i: usize| cloud.point(i).iter().zip(at).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            let mut all: Vec<(usize, f64)> = (0..300).map(|i| (i, square(i))).collect();
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            assert_eq!(cloud.nearest(&at, 7), all[..7]);
        }
    }

    #[test]
    fn clouds_have_no_gaps_and_end_where_their_points_do() {
        let mut stream = rng::stream(1, "test/cloud");
        for (sampler, points) in [(Sampler::Uniform, 500), (Sampler::Sobol, 64), (Sampler::Grid, 100)] {
            // The left half of the domain.
            let rows = sample::draw(sampler, &[(0.0, 0.5), (0.0, 1e-6)], points, &mut stream);
            let coverage = Coverage::new(&cloud(rows)).unwrap();
            let spacing = (0.5 / points as f64).sqrt();
            let grid =
                (0..=100).flat_map(|i| (0..=100).map(move |j| [f64::from(i) * 1e-2, f64::from(j) * 1e-8]));
            for at in grid {
                let covered = coverage.covers(&at);
                assert!(covered || at[0] > 0.5, "{sampler:?}: {at:?} is left out");
                assert!(!covered || at[0] <= 0.5 + 4.0 * spacing, "{sampler:?}: {at:?} is not");
            }
        }
    }

    #[test]
    fn an_equation_in_the_interior_covers_all_of_it() {
        assert!(Coverage::new(&problem("\"interior\"")).is_none());
        // Too few points to say where they end.
        assert!(Coverage::new(&cloud(vec![0.1, 1e-7, 0.2, 2e-7])).is_none());
    }
}
