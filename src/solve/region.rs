//! A picture of a problem's domain, where shapes say what it is.

use regions::{Outline, Spot};

use crate::expr::{Digits, is_time};
use crate::problem::{Body, Boundary, Geometry, Problem};
use crate::report::{self, Figure, Wall};
use crate::sample;

/// Parts of a curved piece of wall, and points on all walls at which the normal is shown.
const FINE: usize = 201;
const NORMALS: usize = 40;
/// Strips of a curved piece of a body's wall.
const FACES: usize = 64;
/// Points of a condition that are shown at most.
const POINTS: usize = 500;
/// Places at which the normal of a wall inside is shown.
const INNER: usize = 16;

/// The region of `problem`: its walls and those between its parts with names, lengths and normals, and points where its
/// equations are wanted; in space its wall as seen from outside, and cuts. Where shapes move, it is as it is at first.
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
    let drawn = |name: &str, wall: &Boundary, spots: Vec<Spot>| Wall {
        label: format!("{name}, length {}", Digits::four(wall.measure())),
        lines: lines(wall.outline(FINE)),
        normals: spots
            .iter()
            .map(|spot| [(spot.x[0], spot.x[1]), (spot.normal[0], spot.normal[1])])
            .collect(),
    };
    let mut walls: Vec<Wall> =
        geometry.walls(NORMALS).into_iter().map(|(name, wall, spots)| drawn(&name, &wall, spots)).collect();
    walls.extend(inner(problem, geometry).iter().map(|wall| drawn(&wall.written, wall, wall.spots(INNER))));
    let start: Vec<f64> = problem.coordinates.iter().map(|c| c.lower).collect();
    let mut points = vec![];
    let mut total = 0;
    for condition in problem.conditions.iter().filter(|condition| condition.place.is_interior()) {
        let rows = sample::points(problem, condition, problem.training.seed, 0).rows;
        total += rows.len() / problem.coordinates.len();
        // Where shapes move, a point of another time may lie where there is no domain yet.
        let here = rows.chunks_exact(problem.coordinates.len()).filter(|row| {
            let mut now = start.clone();
            (now[x], now[y]) = (row[x], row[y]);
            !geometry.moves() || geometry.domain.contains(&now) && condition.place.holds(&now)
        });
        points.extend(here.take(POINTS).map(|row| (row[x], row[y])));
    }
    let about = if points.len() < total {
        format!("{} of {total} points", points.len())
    } else {
        format!("{total} points")
    };
    let labels = [x, y].map(|i| report::label(&problem.coordinates[i].name, &problem.coordinates[i].unit));
    Ok(report::region(&title(problem, geometry), labels, &walls, &points, &about))
}

/// Walls with conditions that lie inside the domain, between parts of it, each once.
fn inner<'a>(problem: &'a Problem, geometry: &Geometry) -> Vec<&'a Boundary> {
    let mut found: Vec<&Boundary> = vec![];
    for wall in problem.conditions.iter().flat_map(|condition| condition.place.walls()) {
        let mut row: Vec<f64> = problem.coordinates.iter().map(|c| c.lower).collect();
        let is_inside = wall.spots(INNER).iter().all(|spot| {
            wall.axes().iter().zip(&spot.x).for_each(|(&i, &x)| row[i] = x);
            geometry.domain.contains(&row)
        });
        let known = geometry.walls(0).iter().any(|(_, outer, _)| wall.shared_with(outer) > 0.0);
        if is_inside && !known && !found.contains(&wall) {
            found.push(wall);
        }
    }
    found
}

/// The problem's title, and the time that is shown where shapes move.
fn title(problem: &Problem, geometry: &Geometry) -> String {
    let time = problem.coordinates.iter().find(|c| geometry.moves() && is_time(&c.name));
    let when = time.map(|c| format!(", {} = {}", c.name, Digits(c.lower)));
    format!("{}{}", problem.title, when.unwrap_or_default())
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
    let labels = axes.map(|i| report::label(&problem.coordinates[i].name, &problem.coordinates[i].unit));
    // Materials, each as deep as it is.
    let parts: Vec<&Body> =
        problem.conditions.iter().filter_map(|condition| condition.place.body()).collect();
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
            let of_part = parts.iter().map(|part| part.depth(&row)).fold(f64::NEG_INFINITY, f64::max);
            let depth = if of_part >= 0.0 { depth.min(of_part) } else { depth };
            if depth >= 0.0 { depth } else { f64::NAN }
        };
        report::Cut {
            title: format!("depth at {} = {}", names[fixed], Digits(Digits::four(middle(fixed)))),
            names: [a, b].map(|k| labels[k].clone()),
            depth: xs.iter().flat_map(|&x| ys.iter().map(move |&y| (x, y))).map(depth).collect(),
            axes: [xs, ys],
        }
    };
    let cuts = [[0, 1, 2], [0, 2, 1], [1, 2, 0]].map(cut);
    report::body(&title(problem, geometry), names, &triangles, cuts.into())
}

/// Outlines of the plane as points.
pub(super) fn lines(outlines: Vec<Outline>) -> Vec<Vec<(f64, f64)>> {
    outlines.iter().map(|line| line.points.iter().map(|at| (at[0], at[1])).collect()).collect()
}
