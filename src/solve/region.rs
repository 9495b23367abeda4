//! A picture of a problem's domain, where shapes say what it is.

use regions::Outline;

use crate::expr::Digits;
use crate::problem::Problem;
use crate::report::{self, Figure, Wall};
use crate::sample;

/// Parts of a curved piece of wall, and points on all walls at which the normal is shown.
const FINE: usize = 201;
const NORMALS: usize = 40;
/// Points of a condition that are shown at most.
const POINTS: usize = 500;

/// The region of `problem`: its walls with names, lengths and normals, and points where its equations are wanted.
///
/// # Errors
///
/// If the domain is a box, or no region of the plane.
pub fn region(problem: &Problem) -> Result<Figure, String> {
    let Some(geometry) = &problem.geometry else {
        return Err("the domain is a box: there is no region to draw".to_owned());
    };
    let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
    let [x, y] = axes[..] else {
        return Err(format!("regions of the plane are drawn, and this one has {} dimensions", axes.len()));
    };
    let walls = geometry.walls(NORMALS);
    let walls = walls.into_iter().map(|(name, wall, spots)| Wall {
        label: format!("{name}, length {}", Digits::four(wall.measure())),
        lines: lines(wall.outline(FINE)),
        normals: spots
            .iter()
            .map(|spot| [(spot.x[0], spot.x[1]), (spot.normal[0], spot.normal[1])])
            .collect(),
    });
    let walls: Vec<Wall> = walls.collect();
    let mut points = vec![];
    let mut total = 0;
    for condition in problem.conditions.iter().filter(|condition| condition.place.is_interior()) {
        let rows = sample::points(problem, condition, problem.training.seed, 0).rows;
        let rows = rows.chunks_exact(problem.coordinates.len());
        total += rows.len();
        points.extend(rows.take(POINTS).map(|row| (row[x], row[y])));
    }
    let about = if points.len() < total {
        format!("{} of {total} points", points.len())
    } else {
        format!("{total} points")
    };
    let names = [x, y].map(|i| problem.coordinates[i].name.as_str());
    Ok(report::region(&problem.title, names, &walls, &points, &about))
}

/// Outlines of the plane as points.
pub(super) fn lines(outlines: Vec<Outline>) -> Vec<Vec<(f64, f64)>> {
    outlines.iter().map(|line| line.points.iter().map(|at| (at[0], at[1])).collect()).collect()
}
