//! The figures of a run.

use super::ReportError;
use super::colors::ColorMap;
use super::figure::{Axis, Curve, Figure, LineChart, Map, Mark, Panel, Stroke};
use crate::expr::is_time;

/// What was logged during training.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct LossHistory {
    /// Steps at which the loss was logged.
    pub steps: Vec<f64>,
    /// Total loss at these steps.
    pub total: Vec<f64>,
    /// Name and values of every term at these steps.
    pub terms: Vec<(String, Vec<f64>)>,
    /// Name of every measured unknown, with steps and relative L2 errors.
    pub errors: Vec<(String, Vec<(f64, f64)>)>,
    /// First step and name of every stage.
    pub stages: Vec<(f64, String)>,
}

/// Values of one coordinate.
#[derive(Clone, PartialEq, Debug)]
pub struct Coordinate {
    /// As in the equations.
    pub name: String,
    /// Empty for none.
    pub unit: String,
    /// Strictly rising.
    pub values: Vec<f64>,
}

/// An unknown on a grid.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// As in the equations.
    pub name: String,
    /// Empty for none.
    pub unit: String,
    /// The grid's axes.
    pub coordinates: Vec<Coordinate>,
    /// The network's values at every grid point, the last coordinate fastest.
    pub predicted: Vec<f64>,
    /// The reference at the same points, if there is one.
    pub reference: Option<Vec<f64>>,
    /// Where there are data about it.
    pub samples: Vec<Samples>,
    /// Lines around the domain in the plane of the first two coordinates, where it is no box.
    pub outline: Vec<Vec<(f64, f64)>>,
    /// Lines in that plane, where something is zero.
    pub contours: Vec<Vec<(f64, f64)>>,
    /// Of a curve the standard error at every point of the grid, where it is known.
    pub standard_error: Option<Vec<f64>>,
}

/// Data about an unknown.
#[derive(Clone, PartialEq, Debug)]
pub struct Samples {
    /// What they are called.
    pub name: String,
    /// One row of coordinates after the other.
    pub points: Vec<f64>,
    /// Its values there, where they are what was measured.
    pub values: Option<Vec<f64>>,
}

/// Total loss and terms over steps on a log scale, stages marked; below it, where measured, the relative L2 errors.
///
/// # Errors
/// When a term is not as long as `steps`.
pub fn loss(title: &str, history: &LossHistory) -> Result<Figure, ReportError> {
    let named = history.terms.iter().map(|(name, values)| (name.as_str(), values));
    let mut curves = vec![];
    for (i, (name, values)) in named.chain([("total", &history.total)]).enumerate() {
        if values.len() != history.steps.len() {
            return Err(ReportError::Length {
                what: format!("the loss `{name}`"),
                found: values.len(),
                expected: history.steps.len(),
            });
        }
        let total = i == history.terms.len();
        // What holds exactly has no curve over powers of ten, and no place in the legend.
        if !total && !values.iter().any(|&x| x > 0.0) {
            continue;
        }
        curves.push(Curve {
            label: name.to_owned(),
            points: history.steps.iter().copied().zip(values.iter().copied()).collect(),
            band: vec![],
            color: if total { 0 } else { i + 1 },
            stroke: Stroke::Solid,
        });
    }
    // The total is the first in the legend and lies under its terms, which it exceeds.
    curves.rotate_right(1);
    let marks = history.stages.iter().map(|(at, label)| Mark { at: *at, label: label.clone() });
    let steps =
        history.steps.iter().chain(history.errors.iter().flat_map(|(_, points)| points.iter().map(|p| &p.0)));
    let last = steps.copied().filter(|step| step.is_finite()).fold(1.0, f64::max);
    let x = Axis { range: Some((0.0, last)), ..Axis::linear("step") };
    let chart = LineChart { title: String::new(), x, y: Axis::log("loss"), curves, marks: marks.collect() };
    let mut rows = vec![];
    let errors: Vec<_> = history.errors.iter().filter(|(_, points)| !points.is_empty()).collect();
    if !errors.is_empty() {
        let curves = errors.iter().enumerate().map(|(i, (name, points))| Curve {
            label: format!("relative L2 error of {name}"),
            points: points.clone(),
            band: vec![],
            color: 1 + i,
            stroke: if points.len() <= 60 { Stroke::Marked } else { Stroke::Solid },
        });
        let below =
            LineChart { y: Axis::log("relative L2 error"), curves: curves.collect(), ..chart.clone() };
        rows.push(vec![Panel::Lines(below)]);
    }
    rows.insert(0, vec![Panel::Lines(chart)]);
    Ok(Figure { title: title.to_owned(), rows, size: (520.0, 220.0) })
}

/// For every unknown one row: predicted, and with a reference also the reference and the absolute error.
///
/// Two coordinates give maps, the first one horizontal, with dots where there are data.
/// Scales are equal where both are coordinates in space, of one unit and with sides of comparable lengths.
/// Of more coordinates the first two are drawn, the others held at the middle of their values; where the first three are
/// those of space, all three planes of two of them, side by side.
/// One coordinate gives curves, with the data as dots.
///
/// # Errors
/// When there is no field or a field does not fit its grid.
pub fn solution(title: &str, fields: &[Field]) -> Result<Figure, ReportError> {
    check(fields)?;
    let rows = fields.iter().flat_map(|field| match &field.coordinates[..] {
        [_] => vec![curves_of(field)],
        [x, y, z, ..] if [x, y, z].iter().all(|c| !is_time(&c.name)) => cuts_of(field),
        _ => vec![maps_of(field, [0, 1], None)],
    });
    Ok(Figure { title: title.to_owned(), rows: rows.collect(), size: proportions(&fields[0]) })
}

/// Standard errors from a curve to the edges of its band: 95 of 100 such bands hold the truth at a place.
const BAND: f64 = 2.0;

/// Width and height of a plotting area where nothing else is better, in points.
const USUAL: (f64, f64) = (230.0, 190.0);

/// Width and height of the plotting area of a field, in points.
fn proportions(field: &Field) -> (f64, f64) {
    // Sides that differ by more are better stretched than narrow; circles shall look like circles.
    let comparable = if field.outline.is_empty() { 3.0 } else { 8.0 };
    let [x, y, ..] = &field.coordinates[..] else { return USUAL };
    let extent = |c: &Coordinate| c.values[c.values.len() - 1] - c.values[0];
    let ratio = extent(y) / extent(x);
    let lengths = !is_time(&x.name) && !is_time(&y.name) && x.unit == y.unit;
    if !lengths || !(1.0 / comparable..=comparable).contains(&ratio) {
        return USUAL;
    }
    proportions_of(ratio)
}

/// Width and height of the usual area, `ratio` being the height over the width.
pub(super) fn proportions_of(ratio: f64) -> (f64, f64) {
    let width = (USUAL.0 * USUAL.1 / ratio).sqrt();
    (width, ratio * width)
}

/// For every unknown one row: predicted against reference over the first coordinate, at several values of the last.
///
/// Coordinates between the first and the last are held at the middle of their values.
///
/// # Errors
/// When there is no field, a field does not fit its grid, or it has one coordinate alone.
pub fn slices(title: &str, fields: &[Field]) -> Result<Figure, ReportError> {
    check(fields)?;
    let rows: Result<Vec<_>, _> = fields
        .iter()
        .map(|field| {
            let [first, between @ .., last] = &field.coordinates[..] else {
                return Err(ReportError::Empty("one coordinate has no slices"));
            };
            let stride = field.predicted.len() / first.values.len();
            let (middle, note) = middle(between);
            let mut charts: Vec<_> = panel_indices(last.values.len())
                .into_iter()
                .map(|k| {
                    let title =
                        format!("{} = {}{note}", last.name, with_unit(&short(last.values[k]), &last.unit));
                    unnamed_if_alone(comparison(
                        field,
                        |i| i * stride + middle * last.values.len() + k,
                        title,
                    ))
                })
                .collect();
            // One range for all, so that heights can be compared.
            let curves = charts.iter().flat_map(|chart| &chart.curves);
            let range = finite_range(curves.flat_map(|curve| curve.points.iter().map(|point| point.1)));
            let room = range.map_or(0.0, |(low, high)| 0.04 * (high - low));
            for (column, chart) in charts.iter_mut().enumerate() {
                chart.y.range = range.map(|(low, high)| (low - room, high + room));
                if column > 0 {
                    chart.y.label.clear();
                }
            }
            Ok(charts.into_iter().map(Panel::Lines).collect())
        })
        .collect();
    Ok(Figure { title: title.to_owned(), rows: rows?, size: (190.0, 160.0) })
}

/// Predicted and reference curve over the first coordinate; `index` gives the place of its i-th value in the field.
fn comparison(field: &Field, index: impl Fn(usize) -> usize, title: String) -> LineChart {
    let x = &field.coordinates[0];
    let curve = |name: &str, values: &[f64], color, stroke| Curve {
        label: name.to_owned(),
        points: x.values.iter().enumerate().map(|(i, &x)| (x, values[index(i)])).collect(),
        band: vec![],
        color,
        stroke,
    };
    let mut curves = vec![curve("predicted", &field.predicted, 1, Stroke::Wide)];
    curves.extend(field.reference.as_ref().map(|values| curve("reference", values, 0, Stroke::Dashed)));
    LineChart {
        title,
        x: Axis::linear(label(&x.name, &x.unit)),
        y: Axis::linear(label(&field.name, &field.unit)),
        curves,
        marks: vec![],
    }
}

/// A curve that is the only one needs no name in a legend.
fn unnamed_if_alone(mut chart: LineChart) -> LineChart {
    if let [only] = &mut chart.curves[..] {
        only.label.clear();
    }
    chart
}

fn curves_of(field: &Field) -> Vec<Panel> {
    let mut chart = comparison(field, |i| i, field.name.clone());
    if let Some(errors) = &field.standard_error {
        let predicted = &mut chart.curves[0];
        predicted.label = format!("predicted, with {BAND} standard errors");
        let edges = |(point, error): (&(f64, f64), &f64)| (point.1 - BAND * error, point.1 + BAND * error);
        predicted.band = predicted.points.iter().zip(errors).map(edges).collect();
    }
    let measured = field.samples.iter().enumerate().filter_map(|(i, samples)| {
        let values = samples.values.as_ref()?;
        Some(Curve {
            label: samples.name.clone(),
            points: samples.points.iter().copied().zip(values.iter().copied()).collect(),
            band: vec![],
            color: 2 + i,
            stroke: Stroke::Dots,
        })
    });
    chart.curves.extend(measured);
    let chart = unnamed_if_alone(chart);
    let mut panels = vec![Panel::Lines(chart.clone())];
    if let Some(error) = absolute_error(field) {
        let points = field.coordinates[0].values.iter().copied().zip(error).collect();
        let curve = Curve { label: String::new(), points, band: vec![], color: 2, stroke: Stroke::Solid };
        panels.push(Panel::Lines(LineChart {
            title: format!("absolute error of {}", field.name),
            y: Axis::log(""),
            curves: vec![curve],
            ..chart
        }));
    }
    panels
}

/// A body cut through its middle in three directions, side by side; below that the reference, and the error.
fn cuts_of(field: &Field) -> Vec<Vec<Panel>> {
    let reference = field.reference.iter().flatten();
    let range = finite_range(field.predicted.iter().chain(reference).copied());
    let mut cuts = [[0, 1], [0, 2], [1, 2]].map(|plane| maps_of(field, plane, range).into_iter());
    let rows = 1 + 2 * usize::from(field.reference.is_some());
    (0..rows).map(|_| cuts.iter_mut().filter_map(Iterator::next).collect()).collect()
}

/// The plane of two coordinates, the others in the middle of their values; colours over `range`, or over what is there.
fn maps_of(field: &Field, plane: [usize; 2], range: Option<(f64, f64)>) -> Vec<Panel> {
    let [x, y] = plane.map(|k| &field.coordinates[k]);
    let others = || (0..field.coordinates.len()).filter(|k| !plane.contains(k));
    let note: String = others().map(|k| in_the_middle(&field.coordinates[k]).1).collect();
    // How far apart neighbours along a coordinate are in the field.
    let stride = |k: usize| field.coordinates[k + 1..].iter().map(|c| c.values.len()).product::<usize>();
    let offset: usize = others().map(|k| stride(k) * in_the_middle(&field.coordinates[k]).0).sum();
    let [across, upwards] = plane.map(stride);
    let cut = |values: &[f64]| -> Vec<f64> {
        let column = |i: usize| (0..y.values.len()).map(move |j| offset + i * across + j * upwards);
        (0..x.values.len()).flat_map(column).map(|k| values[k]).collect()
    };
    let predicted = cut(&field.predicted);
    let reference = field.reference.as_ref().map(|reference| cut(reference));
    let name = label(&field.name, &field.unit);
    // Of more coordinates a plane is shown, beside which the data lie.
    let samples = field.samples.iter().filter(|_| field.coordinates.len() == 2);
    let rows = samples.flat_map(|samples| samples.points.chunks_exact(2));
    let dots: Vec<_> = rows.map(|row| (row[0], row[1])).collect();
    let map = |title: String, values: Vec<f64>, colors, levels| {
        Panel::Map(Map {
            title: format!("{title}{note}"),
            x: label(&x.name, &x.unit),
            y: label(&y.name, &y.unit),
            xs: x.values.clone(),
            ys: y.values.clone(),
            values,
            cells: false,
            dots: vec![],
            lines: if plane == [0, 1] { [&field.outline[..], &field.contours].concat() } else { vec![] },
            colors,
            levels,
        })
    };
    // One scale for both, so that equal colours are equal numbers.
    let own = || finite_range(predicted.iter().chain(reference.iter().flatten()).copied());
    let range = range.or_else(own);
    let levels = Axis { range, ..Axis::linear("") };
    let data = if dots.is_empty() { "" } else { "; dots: data" };
    let mut first =
        map(format!("{name}, predicted{data}"), predicted.clone(), ColorMap::Field, levels.clone());
    if let Panel::Map(map) = &mut first {
        map.dots = dots;
    }
    let mut panels = vec![first];
    if let Some(reference) = reference {
        let error: Vec<_> = predicted.iter().zip(&reference).map(|(p, r)| (p - r).abs()).collect();
        let error_levels = error_levels(&error);
        panels.push(map(format!("{name}, reference"), reference, ColorMap::Field, levels));
        panels.push(map(format!("{name}, absolute error"), error, ColorMap::Error, error_levels));
    }
    panels
}

/// Linear from zero, or logarithmic where errors span decades.
///
/// The lowest percent, where the error happens to change its sign, does not count.
fn error_levels(error: &[f64]) -> Axis {
    let mut sorted: Vec<_> = error.iter().copied().filter(|e| e.is_finite() && *e > 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 100), sorted.last()) {
        (Some(&low), Some(&high)) if high > 30.0 * low => {
            Axis { range: Some((low.max(1e-6 * high), high)), ..Axis::log("") }
        }
        (_, Some(&high)) => Axis { range: Some((0.0, high)), ..Axis::linear("") },
        _ => Axis { range: Some((0.0, 1.0)), ..Axis::linear("") },
    }
}

fn absolute_error(field: &Field) -> Option<Vec<f64>> {
    let reference = field.reference.as_ref()?;
    Some(field.predicted.iter().zip(reference).map(|(p, r)| (p - r).abs()).collect())
}

/// The offset of the middle of all `coordinates` in a field that ends with them, and a note that says so.
fn middle(coordinates: &[Coordinate]) -> (usize, String) {
    let mut offset = 0;
    let mut note = String::new();
    for coordinate in coordinates {
        let (i, own) = in_the_middle(coordinate);
        offset = offset * coordinate.values.len() + i;
        note += &own;
    }
    (offset, note)
}

/// The middle of a coordinate's values, and a note that says so.
fn in_the_middle(coordinate: &Coordinate) -> (usize, String) {
    let i = coordinate.values.len() / 2;
    let value = with_unit(&short(coordinate.values[i]), &coordinate.unit);
    (i, format!(", {} = {value}", coordinate.name))
}

/// Up to four indices, spread evenly from the first to the last.
fn panel_indices(count: usize) -> Vec<usize> {
    let panels = count.clamp(1, 4);
    (0..panels).map(|i| (count - 1) * i / (panels - 1).max(1)).collect()
}

fn finite_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    (low <= high).then_some((low, high))
}

/// At most three significant digits, as a person would write them.
fn short(value: f64) -> String {
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if !(-3..5).contains(&magnitude) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let decimals = usize::try_from(2 - magnitude).unwrap_or(0);
    let text = format!("{value:.decimals$}").replace('-', "−");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `x (m)`
pub fn label(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name} ({unit})") }
}

/// `0.5 s`
fn with_unit(number: &str, unit: &str) -> String {
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

fn check(fields: &[Field]) -> Result<(), ReportError> {
    if fields.is_empty() {
        return Err(ReportError::Empty("there are no fields"));
    }
    for field in fields {
        if field.coordinates.is_empty() {
            return Err(ReportError::Empty("a field has no coordinates"));
        }
        for coordinate in &field.coordinates {
            if coordinate.values.is_empty() {
                return Err(ReportError::Coordinate(coordinate.name.clone()));
            }
        }
        let expected = field.coordinates.iter().map(|coordinate| coordinate.values.len()).product();
        for (what, values) in [("predicted", Some(&field.predicted)), ("reference", field.reference.as_ref())]
        {
            if let Some(values) = values.filter(|values| values.len() != expected) {
                let what = format!("{what} of field `{}`", field.name);
                return Err(ReportError::Length { what, found: values.len(), expected });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::lines;

    fn coordinate(name: &str, values: &[f64]) -> Coordinate {
        Coordinate { name: name.into(), unit: String::new(), values: values.to_vec() }
    }

    /// u = x + 10 y + 100 t on 2 × 3 × 5 points, or what is left of it with fewer coordinates; the reference is 1 less.
    fn field(dimensions: usize) -> Field {
        let axes = [[0.0, 1.0].as_slice(), &[0.0, 1.0, 2.0], &[0.0, 1.0, 2.0, 3.0, 4.0]];
        let coordinates = ["x", "y", "t"].iter().zip(axes).take(dimensions);
        let coordinates: Vec<_> = coordinates.map(|(name, values)| coordinate(name, values)).collect();
        let mut predicted = vec![0.0];
        for (coordinate, factor) in coordinates.iter().zip([1.0, 10.0, 100.0]) {
            let grow = |u: &f64| coordinate.values.iter().map(|v| u + factor * v).collect::<Vec<_>>();
            predicted = predicted.iter().flat_map(grow).collect();
        }
        let reference = Some(predicted.iter().map(|u| u - 1.0).collect());
        let (samples, outline, contours) = (vec![], vec![], vec![]);
        let standard_error = None;
        let name = "u".into();
        let unit = "K".into();
        Field { name, unit, coordinates, predicted, reference, samples, outline, contours, standard_error }
    }

    #[track_caller]
    fn check_maps(dimensions: usize, title: &str, predicted: &[f64]) {
        let figure = solution("", &[field(dimensions)]).expect("a figure");
        let maps: Vec<_> = figure.rows[0]
            .iter()
            .map(|panel| match panel {
                Panel::Map(map) => map,
                Panel::Lines(_) => panic!("lines"),
            })
            .collect();
        assert_eq!(maps.len(), 3);
        assert_eq!((maps[0].title.as_str(), &maps[0].values[..]), (title, predicted));
        assert_eq!(maps[2].values, vec![1.0; predicted.len()]);
        assert_eq!(maps[0].levels, maps[1].levels);
    }

    #[test]
    fn maps_show_the_plane_through_the_middle() {
        check_maps(2, "u (K), predicted", &[0.0, 10.0, 20.0, 1.0, 11.0, 21.0]);
        check_maps(3, "u (K), predicted, t = 2", &[200.0, 210.0, 220.0, 201.0, 211.0, 221.0]);
    }

    #[test]
    fn bodies_are_cut_in_three_directions() {
        let mut body = field(3);
        body.coordinates[2].name = "z".into();
        let figure = solution("", &[body.clone()]).expect("a figure");
        assert_eq!(figure.rows.iter().map(Vec::len).collect::<Vec<_>>(), [3; 3]);
        let maps: Vec<&Map> = figure.rows[0]
            .iter()
            .map(|panel| match panel {
                Panel::Map(map) => map,
                Panel::Lines(_) => panic!("maps"),
            })
            .collect();
        // Equal colours are equal numbers in all of them.
        assert!(maps.iter().all(|map| map.levels == maps[0].levels));
        let names: Vec<[&str; 2]> = maps.iter().map(|map| [map.x.as_str(), map.y.as_str()]).collect();
        let [x, y, z] = [0, 1, 2].map(|k| label(&body.coordinates[k].name, &body.coordinates[k].unit));
        assert_eq!(names, [[&x[..], &y], [&x, &z], [&y, &z]]);
        let [xs, ys, zs] = [0, 1, 2].map(|k| body.coordinates[k].values.len());
        let at = |i: usize, j: usize, k: usize| body.predicted[(i * ys + j) * zs + k];
        assert_eq!(maps[0].values[ys + 1], at(1, 1, zs / 2));
        assert_eq!(maps[1].values[zs + 1], at(1, ys / 2, 1));
        assert_eq!(maps[2].values[zs + 1], at(xs / 2, 1, 1));
    }

    #[test]
    fn one_coordinate_gives_curves_and_their_error() {
        let figure = solution("", &[field(1)]).expect("a figure");
        let [values, error] = [0, 1].map(|i| lines(&figure.rows[0][i]));
        assert_eq!(values.curves[0].points, [(0.0, 0.0), (1.0, 1.0)]);
        assert_eq!(values.curves[1].points, [(0.0, -1.0), (1.0, 0.0)]);
        assert_eq!(error.curves[0].points, [(0.0, 1.0), (1.0, 1.0)]);
        let error = slices("", &[field(1)]).expect_err("it is the solution itself");
        assert_eq!(error.to_string(), "there is nothing to draw: one coordinate has no slices");
    }

    #[test]
    fn a_curve_alone_has_no_legend_and_data_are_dots() {
        let labels = |field: Field| {
            let figure = solution("", &[field]).expect("a figure");
            let curves = lines(&figure.rows[0][0]).curves.iter();
            curves.map(|curve| (curve.label.clone(), curve.stroke)).collect::<Vec<_>>()
        };
        let alone = Field { reference: None, ..field(1) };
        assert_eq!(labels(alone.clone()), [(String::new(), Stroke::Wide)]);
        let named = |name: &str, stroke| (name.to_owned(), stroke);
        let both = [named("predicted", Stroke::Wide), named("reference", Stroke::Dashed)];
        assert_eq!(labels(field(1)), both);
        let measured = |values| vec![Samples { name: "u_obs".into(), points: vec![0.5], values }];
        let known = Field { samples: measured(Some(vec![0.25])), ..alone.clone() };
        assert_eq!(labels(known), [named("predicted", Stroke::Wide), named("u_obs", Stroke::Dots)]);
        assert_eq!(labels(Field { samples: measured(None), ..alone }).len(), 1);
        let slices = slices("", &[Field { reference: None, ..field(2) }]).expect("a figure");
        assert!(slices.rows[0].iter().all(|panel| lines(panel).curves[0].label.is_empty()));
    }

    #[test]
    fn maps_show_where_the_data_are() {
        let samples = vec![Samples { name: "u_obs".into(), points: vec![0.5, 2.0, 1.0, 0.0], values: None }];
        let dots = |dimensions: usize| {
            let figure =
                solution("", &[Field { samples: samples.clone(), ..field(dimensions) }]).expect("a figure");
            let maps = figure.rows[0].iter().map(|panel| match panel {
                Panel::Map(map) => (map.title.clone(), map.dots.clone()),
                Panel::Lines(_) => panic!("lines"),
            });
            maps.collect::<Vec<_>>()
        };
        let maps = dots(2);
        assert_eq!(maps[0], ("u (K), predicted; dots: data".to_owned(), vec![(0.5, 2.0), (1.0, 0.0)]));
        assert!(maps[1..].iter().all(|(_, dots)| dots.is_empty()));
        assert!(dots(3).iter().all(|(_, dots)| dots.is_empty()), "a plane is not where the data are");
    }

    #[test]
    fn scales_are_equal_where_both_are_lengths_of_comparable_extent() {
        let check_with = |outline: Vec<Vec<(f64, f64)>>, x: Coordinate, y: Coordinate, equal: bool| {
            let drawn = Field { outline, coordinates: vec![x.clone(), y.clone()], ..field(2) };
            let (width, height) = proportions(&drawn);
            let extent = |c: &Coordinate| c.values[c.values.len() - 1] - c.values[0];
            let stretched = (height / extent(&y)) / (width / extent(&x));
            assert_eq!((stretched - 1.0).abs() < 1e-12, equal, "{width} × {height}");
            assert!((width * height - 230.0 * 190.0).abs() < 1e-6);
        };
        let check = |x, y, equal| check_with(vec![], x, y, equal);
        let (unit, twice, long) = ([0.0, 1.0], [-1.0, 1.0], [0.0, 10.0]);
        let channel = [0.0, 5.0];
        check(coordinate("x", &channel), coordinate("y", &unit), false);
        check_with(vec![vec![(0.5, 0.5)]], coordinate("x", &channel), coordinate("y", &unit), true);
        check(coordinate("x", &unit), coordinate("y", &unit), true);
        check(coordinate("x", &twice), coordinate("y", &unit), true);
        check(coordinate("x", &unit), coordinate("y", &twice), true);
        check(coordinate("x", &long), coordinate("y", &unit), false);
        check(coordinate("x", &unit), coordinate("t", &unit), false);
        check(coordinate("x", &unit), Coordinate { unit: "K".into(), ..coordinate("s", &unit) }, false);
    }

    #[test]
    fn slices_run_along_the_first_coordinate_at_values_of_the_last() {
        let figure = slices("", &[field(3)]).expect("a figure");
        let charts: Vec<_> = figure.rows[0].iter().map(lines).collect();
        let titles: Vec<_> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["t = 0, y = 1", "t = 1, y = 1", "t = 2, y = 1", "t = 4, y = 1"]);
        assert_eq!(charts[3].curves[0].points, [(0.0, 410.0), (1.0, 411.0)]);
        assert_eq!(charts[3].curves[1].points, [(0.0, 409.0), (1.0, 410.0)]);
        assert_eq!(charts[0].y.range, charts[3].y.range);
    }

    #[test]
    fn the_loss_figure_names_every_term_and_measures_below() {
        let history = LossHistory {
            steps: vec![1.0, 2.0],
            total: vec![3.0, 0.0],
            terms: vec![("physics".into(), vec![1.0, 0.0]), ("initial".into(), vec![2.0, f64::NAN])],
            errors: vec![("u".into(), vec![(2.0, 0.1)])],
            stages: vec![(0.0, "adam".into())],
        };
        let figure = loss("Burgers", &history).expect("a figure");
        let labels: Vec<_> = lines(&figure.rows[0][0]).curves.iter().map(|c| c.label.as_str()).collect();
        assert_eq!(labels, ["total", "physics", "initial"]);
        assert_eq!(lines(&figure.rows[1][0]).curves[0].points, [(2.0, 0.1)]);
        assert!(figure.png().is_ok());
        let torn = LossHistory { total: vec![], ..history };
        let error = loss("", &torn).expect_err("too short");
        assert_eq!(error.to_string(), "the loss `total` has 0 numbers instead of 2");
        assert!(loss("", &LossHistory::default()).expect("a figure").png().is_ok());
    }

    #[test]
    fn errors_over_decades_are_drawn_on_a_log_scale() {
        let axis = error_levels(&[0.0, f64::NAN, 1e-9, 1e-5, 1.0]);
        assert_eq!(axis, Axis { range: Some((1e-6, 1.0)), ..Axis::log("") });
        assert_eq!(error_levels(&[1.0, 2.0]), Axis { range: Some((0.0, 2.0)), ..Axis::linear("") });
        assert_eq!(error_levels(&[0.0]), Axis { range: Some((0.0, 1.0)), ..Axis::linear("") });
    }

    #[test]
    fn fields_that_do_not_fit_their_grid_are_refused() {
        let check = |field: Field, expected: &str| {
            assert_eq!(solution("", std::slice::from_ref(&field)).expect_err(expected).to_string(), expected);
            assert_eq!(slices("", &[field]).expect_err(expected).to_string(), expected);
        };
        check(Field { predicted: vec![], ..field(2) }, "predicted of field `u` has 0 numbers instead of 6");
        let nowhere = Field { coordinates: vec![], ..field(2) };
        check(nowhere, "there is nothing to draw: a field has no coordinates");
        assert_eq!(solution("", &[]), Err(ReportError::Empty("there are no fields")));
    }

    #[test]
    fn numbers_are_written_as_a_person_would() {
        for (value, expected) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (0.3333, "0.333"),
            (-12.0, "−12"),
            (100.0, "100"),
            (12345.0, "12345"),
            (1.5e-7, "1.50e−7"),
        ] {
            assert_eq!(short(value), expected);
        }
    }
}
