//! A picture of a problem's domain, where shapes say what it is.

use regions::Outline;

use crate::expr::Digits;
use crate::problem::{Geometry, Problem};
use crate::report::{self, Figure, Wall};
use crate::sample;

/// Parts of a curved piece of wall, and points on all walls at which the normal is shown.
const FINE: usize = 201;
const NORMALS: usize = 40;
/// Strips of a curved piece of a body's wall.
const FACES: usize = 64;
/// Points of a condition that are shown at most.
const POINTS: usize = 500;

/// The region of `problem`: its walls with names, lengths and normals, and points where its equations are wanted; in space its
/// wall as seen from outside, and cuts.
///
/// # Errors
///
/// If the domain is a box, or no region of the plane or of space.
pub fn region(problem: &Problem) -> Result<Figure, String> {
    let Some(geometry) = &problem.geometry else {
        return Err("the domain is a box: there is no region to draw".to_owned());
    };
    let axes: Vec<usize> = geometry.domain.bounds().map(|(i, _)| i).collect();
    let [x, y] = match axes[..] {
        [x, y] => [x, y],
        [x, y, z] => return Ok(body(problem, geometry, [x, y, z])),
        [_] => return Err("a region of a line is not drawn: `check` says where it is".to_owned()),
        _ => {
            return Err(format!(
                "regions of up to three dimensions are drawn, and this one has {}",
                axes.len()
            ));
        }
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

/// A body of space: its wall, and cuts through the middle of its box, as they are at first.
fn body(problem: &Problem, geometry: &Geometry, axes: [usize; 3]) -> Figure {
    let start: Vec<f64> = problem.coordinates.iter().map(|c| c.lower).collect();
    let point = |x: &Vec<f64>| [x[0], x[1], x[2]];
    let triangles: Vec<[[f64; 3]; 3]> = geometry
        .domain
        .outline(FACES, &start)
        .iter()
        .flat_map(|outline| {
            outline.triangles.iter().map(|corners| corners.map(|i| point(&outline.points[i])))
        })
        .collect();
    let ends: Vec<(f64, f64)> = geometry.domain.bounds().map(|(_, ends)| ends).collect();
    let middle = |k: usize| 0.5 * (ends[k].0 + ends[k].1);
    let names = axes.map(|i| problem.coordinates[i].name.as_str());
    let cut = |[a, b, fixed]: [usize; 3]| {
        let length = (ends[a].1 - ends[a].0).max(ends[b].1 - ends[b].0);
        let along = |k: usize| {
            let (from, to) = report::around(ends[k], length);
            (0..FINE).map(|i| from + (to - from) * i as f64 / (FINE - 1) as f64).collect::<Vec<f64>>()
        };
        let (xs, ys) = (along(a), along(b));
        let depth = |(x, y): (f64, f64)| {
            let mut row = start.clone();
            (row[axes[a]], row[axes[b]], row[axes[fixed]]) = (x, y, middle(fixed));
            let depth = geometry.domain.depth(&row);
            if depth >= 0.0 { depth } else { f64::NAN }
        };
        report::Cut {
            title: format!("depth at {} = {}", names[fixed], Digits(Digits::four(middle(fixed)))),
            names: [a, b].map(|k| names[k].to_owned()),
            depth: xs.iter().flat_map(|&x| ys.iter().map(move |&y| (x, y))).map(depth).collect(),
            axes: [xs, ys],
        }
    };
    let cuts = [[0, 1, 2], [0, 2, 1], [1, 2, 0]].map(cut);
    report::body(&problem.title, names, &triangles, cuts.into())
}

/// Outlines of the plane as points.
pub(super) fn lines(outlines: Vec<Outline>) -> Vec<Vec<(f64, f64)>> {
    outlines.iter().map(|line| line.points.iter().map(|at| (at[0], at[1])).collect()).collect()
}
