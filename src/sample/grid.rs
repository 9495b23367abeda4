//! A regular grid, ends included.

/// Exactly `points` rows of numbers in [0, 1].
///
/// The first coordinate takes the whole number of values nearest to the `dimensions`-th root of `points`, equidistant
/// with both ends; the points are shared among them as evenly as can be, and each share is a grid of the rest.
/// So a perfect power gives the regular grid, and another number one whose lines differ by few points.
pub(super) fn fill(dimensions: usize, points: usize) -> Vec<f64> {
    let mut rows = Vec::with_capacity(dimensions * points);
    if dimensions > 0 {
        extend(&mut rows, &mut vec![], dimensions, points);
    }
    rows
}

/// Appends a grid of the remaining dimensions behind the coordinates chosen so far.
fn extend(rows: &mut Vec<f64>, chosen: &mut Vec<f64>, dimensions: usize, points: usize) {
    let lines = match dimensions {
        1 => points,
        _ => ((points as f64).powf(1.0 / dimensions as f64).round() as usize).clamp(1, points.max(1)),
    };
    for line in 0..lines {
        // A single line lies in the middle.
        let u = if lines > 1 { line as f64 / (lines - 1) as f64 } else { 0.5 };
        chosen.push(u);
        if dimensions == 1 {
            rows.extend_from_slice(chosen);
        } else {
            let share = (line + 1) * points / lines - line * points / lines;
            extend(rows, chosen, dimensions - 1, share);
        }
        chosen.pop();
    }
}
