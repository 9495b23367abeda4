//! A sweep's figures: loss and error along one axis or over two, all loss curves, and errors against time.
//!
//! Every combination of the axes that are neither the abscissa, nor the ordinate of heat maps, nor compared, nor seeds, nor
//! such that their best value counts, has a panel of its own.

use std::collections::HashMap;
use std::path::Path;

use super::collect::{Collection, History, Record, RecordState};
use super::config::{Axis, Choice, Sweep, is_seed};
use crate::problem::full_key;
use crate::report::{self, ColorMap, Curve, Figure, LineChart, Map, Panel, Stroke};
use crate::rng;
use crate::run::{RunError, RunOutcome};

/// Panels in a row, and in one figure at the most.
const COLUMNS: usize = 3;
const MOST_PANELS: usize = 30;
/// Histories that are drawn at the most: further lines would hide one another, and reading them is most of the work.
const MOST_HISTORIES: usize = 2000;
/// Size of a panel's plotting area, in points.
const SIZE: (f64, f64) = (230.0, 165.0);

/// Runs that share a panel.
pub(super) struct Group {
    /// In words; empty if there is one group only.
    pub(super) title: String,
    /// As a part of a file's name.
    pub(super) slug: String,
    /// Lines to compare, or rows of a heat map.
    pub(super) series: Vec<Series>,
}

/// Runs that share a line, or a row of a heat map.
pub(super) struct Series {
    /// What they have in common; empty where nothing is compared.
    pub(super) label: String,
    /// From left to right.
    pub(super) points: Vec<Place>,
}

/// The runs at one abscissa of a series.
pub(super) struct Place {
    /// The abscissa.
    pub(super) x: f64,
    /// Runs that differ by their seeds, for each value, by its index, of the axis of which the best counts; all under 0 where
    /// there is none.
    choices: Vec<(usize, Vec<usize>)>,
}

/// What was measured at a place, over the seeds of its best choice.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    /// The value of the axis of which the best counts, by its index.
    pub(super) choice: usize,
}

impl Place {
    /// All runs.
    fn runs(&self) -> impl Iterator<Item = usize> {
        self.choices.iter().flat_map(|(_, runs)| runs.iter().copied())
    }

    /// What was measured; `None` where nothing was.
    ///
    /// Of several choices the one counts whose median is the lowest, or, where a number's magnitude is not what counts, whose
    /// median loss is; a run that diverged is beyond every number there.
    pub(super) fn spread(&self, measure: &Measure, collection: &Collection) -> Option<Spread> {
        let several = self.choices.len() > 1;
        let value = |run: usize| (measure.of)(&collection.records[run]);
        let rank = |runs: &[usize]| {
            let value = |&run: &usize| {
                let record = &collection.records[run];
                let number = if measure.is_log { value(run) } else { record.best_loss() };
                if record.state == RecordState::Ended(RunOutcome::Diverged) { f64::INFINITY } else { number }
            };
            median(runs.iter().map(value).filter(|x| !x.is_nan()))
        };
        let ranked = self.choices.iter().filter_map(|choice| Some((rank(&choice.1)?, choice)));
        let best = ranked.filter(|(rank, _)| !several || rank.is_finite()).min_by(|a, b| a.0.total_cmp(&b.0));
        let (choice, runs) = if several { best?.1 } else { self.choices.first()? };
        let finite = || runs.iter().map(|&run| value(run)).filter(|x| x.is_finite());
        Some(Spread {
            median: median(finite())?,
            least: finite().fold(f64::INFINITY, f64::min),
            greatest: finite().fold(f64::NEG_INFINITY, f64::max),
            choice: *choice,
        })
    }
}

/// What is measured of a run, and shown in figures and tables.
pub(super) struct Measure {
    /// In names of files.
    pub(super) name: String,
    /// In words.
    pub(super) what: String,
    /// Is it a number whose order of magnitude counts?
    pub(super) is_log: bool,
    /// The number itself.
    pub(super) of: Box<dyn Fn(&Record) -> f64>,
}

impl Measure {
    /// Loss and error, and what the runs measured besides.
    pub(super) fn all(collection: &Collection) -> Vec<Self> {
        let magnitude = |name: &str, what: &str, of: fn(&Record) -> f64| Self {
            name: name.into(),
            what: what.into(),
            is_log: true,
            of: Box::new(of),
        };
        let mut all = vec![
            magnitude("loss", "best loss", Record::best_loss),
            magnitude("error", "relative L2 error", Record::error),
        ];
        all.extend(collection.measures().into_iter().map(|name| Self {
            what: name.replace('_', " "),
            is_log: false,
            of: {
                let name = name.clone();
                Box::new(move |record| {
                    let result = record.result.as_ref();
                    result.and_then(|result| result.measures.get(&name)).copied().unwrap_or(f64::NAN)
                })
            },
            name: name.replace('_', "-"),
        }));
        all
    }

    fn axis(&self) -> report::Axis {
        if self.is_log { report::Axis::log(&self.what) } else { report::Axis::linear(&self.what) }
    }
}

/// An axis, made where it is drawn.
type Abscissa = fn() -> report::Axis;
/// A line of a run's history.
type Line = fn(&History) -> &[(f64, f64)];
/// Histories by the runs' numbers.
type Histories<'a> = HashMap<usize, &'a History>;

/// Figures of what happened during the runs: the file's name, abscissa, ordinate, and a run's line.
const HISTORIES: [(&str, Abscissa, &str, Line); 2] = [
    ("loss-curves.png", || report::Axis::linear("step"), "loss", |history| &history.losses),
    ("error-vs-time.png", || report::Axis::log("seconds"), "relative L2 error", |history| &history.errors),
];

/// The runs, arranged.
pub(super) fn groups(sweep: &Sweep) -> Vec<Group> {
    let lines = sweep.series.or(sweep.y);
    let special = |i: usize| [sweep.x, lines, sweep.best].contains(&Some(i)) || is_seed(&sweep.axes[i]);
    let panels: Vec<usize> = (0..sweep.axes.len()).filter(|&i| !special(i)).collect();
    let mut groups: Vec<Group> = vec![];
    // Where a group, a line of it and a point of that line are, so that nothing is looked for among many.
    let (mut known, mut lines_of, mut places_of) = (HashMap::new(), HashMap::new(), HashMap::new());
    for run in 0..sweep.len() {
        let indices = sweep.indices(run);
        let key: Vec<usize> = panels.iter().map(|&i| indices[i]).collect();
        let at = *known.entry(key).or_insert_with(|| {
            let named: Vec<_> = panels.iter().filter(|&&i| sweep.axes[i].values.len() > 1).collect();
            let parts = || named.iter().map(|&&i| (&sweep.axes[i], &sweep.axes[i].values[indices[i]]));
            let title: Vec<_> = parts().map(|(axis, value)| in_words(sweep, axis, value)).collect();
            let slug: Vec<_> = parts().map(|(axis, value)| in_file(axis, &value.label)).collect();
            let group = Group { title: title.join(", "), slug: slug.join("-"), series: vec![] };
            groups.push(group);
            groups.len() - 1
        });
        let label = lines.map_or("", |i| sweep.axes[i].values[indices[i]].label.as_str());
        let x = sweep.x.and_then(|i| sweep.axes[i].values[indices[i]].number).unwrap_or(0.0);
        let series = &mut groups[at].series;
        let line = *lines_of.entry((at, label)).or_insert_with(|| {
            series.push(Series { label: label.to_owned(), points: vec![] });
            series.len() - 1
        });
        let points = &mut series[line].points;
        // Adding 0 makes -0 the same number.
        let place = *places_of.entry((at, line, (x + 0.0).to_bits())).or_insert_with(|| {
            points.push(Place { x, choices: vec![] });
            points.len() - 1
        });
        let choices = &mut points[place].choices;
        let choice = sweep.best.map_or(0, |i| indices[i]);
        match choices.iter_mut().find(|(known, _)| *known == choice) {
            Some((_, runs)) => runs.push(run),
            None => choices.push((choice, vec![run])),
        }
    }
    for series in groups.iter_mut().flat_map(|group| &mut group.series) {
        series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    groups
}

/// The runs whose histories are drawn: all that have ended, or as many as can be told apart, without regard to their axes.
fn drawn(collection: &Collection) -> Vec<usize> {
    let ended = (0..collection.records.len()).filter(|&run| collection.records[run].result.is_some());
    let mut ended: Vec<usize> = ended.collect();
    if ended.len() > MOST_HISTORIES {
        ended.sort_by_key(|&run| rng::hash(&collection.records[run].name));
        ended.truncate(MOST_HISTORIES);
    }
    ended
}

/// The middle of the numbers, infinite ones among them; `None` if there is none.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { 0.5 * (values[middle - 1] + upper) })
}

/// All figures that there is something to draw in, with their files' names; `folder` is the sweep's.
///
/// # Errors
///
/// If the history of a run cannot be read.
pub(super) fn all(
    sweep: &Sweep,
    collection: &Collection,
    folder: &Path,
) -> Result<Vec<(String, Figure)>, RunError> {
    let groups = groups(sweep);
    let mut figures = vec![];
    let axis = |i: usize| &sweep.axes[i];
    if let Some(x) = sweep.x.map(axis) {
        let y = sweep.y.map(axis);
        for measure in Measure::all(collection) {
            let name = match y {
                Some(y) => format!("{}-vs-{}-and-{}", measure.name, x.word(), y.word()),
                None => format!("{}-vs-{}", measure.name, x.word()),
            };
            let panel = |group| match y {
                Some(y) => map(group, x, y, &measure, collection).map(Panel::Map),
                None => chart(group, x, &measure, collection).map(Panel::Lines),
            };
            let mut drawn: Vec<(&Group, Panel)> =
                groups.iter().filter_map(|group| Some((group, panel(group)?))).collect();
            let numbers: Vec<f64> = drawn.iter_mut().flat_map(|(_, panel)| measured(panel).1).collect();
            for (_, panel) in &mut drawn {
                measured(panel).0.range = common_range(&numbers, measure.is_log);
            }
            for (group, panel) in drawn.iter().filter(|_| groups.len() > 1) {
                figures.push((format!("{name}-{}.png", group.slug), figure(sweep, vec![panel.clone()])));
            }
            if !drawn.is_empty() && groups.len() <= MOST_PANELS {
                let panels = drawn.into_iter().map(|(_, panel)| panel).collect();
                figures.push((format!("{name}.png"), figure(sweep, panels)));
            }
        }
    }
    if groups.len() > MOST_PANELS {
        return Ok(figures);
    }
    let mut histories = Histories::new();
    for run in drawn(collection) {
        histories.insert(run, collection.records[run].history(folder)?);
    }
    for (name, x, y, lines) in HISTORIES {
        let charts = groups.iter().filter_map(|group| curves(group, x(), y, lines, &histories));
        let panels: Vec<_> = charts.map(Panel::Lines).collect();
        if !panels.is_empty() {
            figures.push((name.to_owned(), figure(sweep, panels)));
        }
    }
    Ok(figures)
}

fn figure(sweep: &Sweep, panels: Vec<Panel>) -> Figure {
    let columns = if panels.len() == 4 { 2 } else { COLUMNS };
    let rows = panels.chunks(columns).map(<[Panel]>::to_vec).collect();
    Figure { title: sweep.title.clone(), rows, size: SIZE }
}

fn chart(group: &Group, x: &Axis, measure: &Measure, collection: &Collection) -> Option<LineChart> {
    let curves: Vec<Curve> = group
        .series
        .iter()
        .enumerate()
        .map(|(color, series)| {
            let at = |place: &Place| {
                let Spread { median, least, greatest, .. } = place.spread(measure, collection)?;
                Some(((place.x, median), (least, greatest)))
            };
            let (points, band): (Vec<_>, Vec<_>) = series.points.iter().filter_map(at).unzip();
            let mut choices = series.points.iter().flat_map(|place| &place.choices);
            let pooled = choices.any(|(_, runs)| runs.len() > 1);
            let band = if pooled { band } else { vec![] };
            Curve { label: series.label.clone(), points, band, color: color + 1, stroke: Stroke::Marked }
        })
        .collect();
    curves.iter().any(|curve| !curve.points.is_empty()).then(|| LineChart {
        title: group.title.clone(),
        x: abscissa(x),
        y: measure.axis(),
        curves,
        marks: vec![],
    })
}

/// Medians over the seeds as cells; those without a finite number stay blank.
fn map(group: &Group, x: &Axis, y: &Axis, measure: &Measure, collection: &Collection) -> Option<Map> {
    let mut rows: Vec<(f64, &Series)> =
        y.values.iter().filter_map(|value| value.number).zip(&group.series).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ys, rows): (Vec<f64>, Vec<&Series>) = rows.into_iter().unzip();
    let xs: Vec<f64> = group.series.first()?.points.iter().map(|place| place.x).collect();
    let cell = |place: &Place| place.spread(measure, collection).map_or(f64::NAN, |spread| spread.median);
    let columns = (0..xs.len()).flat_map(|i| rows.iter().map(move |row| &row.points[i]));
    let values: Vec<f64> = columns.map(cell).collect();
    let parts = [measure.what.as_str(), &group.title];
    let title: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    values.iter().any(|value| value.is_finite()).then(|| Map {
        title: title.join(", "),
        x: x.word().to_owned(),
        y: y.word().to_owned(),
        xs,
        ys,
        values,
        cells: true,
        dots: vec![],
        lines: vec![],
        colors: ColorMap::Field,
        levels: measure.axis(),
    })
}

/// What happened during a run, one thin line each.
fn curves(group: &Group, x: report::Axis, y: &str, line: Line, histories: &Histories) -> Option<LineChart> {
    let mut curves = vec![];
    for (color, series) in group.series.iter().enumerate() {
        let runs = series.points.iter().flat_map(Place::runs);
        let lines =
            runs.filter_map(|run| histories.get(&run).copied()).map(line).filter(|line| line.len() > 1);
        curves.extend(lines.map(|line| Curve {
            label: series.label.clone(),
            points: line.to_vec(),
            band: vec![],
            color: color + 1,
            stroke: Stroke::Solid,
        }));
    }
    (!curves.is_empty()).then(|| LineChart {
        title: group.title.clone(),
        x,
        y: report::Axis::log(y),
        curves,
        marks: vec![],
    })
}

/// Linear or logarithmic, whichever spaces the values more evenly.
fn abscissa(axis: &Axis) -> report::Axis {
    let mut values: Vec<f64> = axis.values.iter().filter_map(|value| value.number).collect();
    values.sort_by(f64::total_cmp);
    let unevenness = |position: fn(f64) -> f64| {
        let gaps = values.windows(2).map(|pair| position(pair[1]) - position(pair[0]));
        let (least, most) =
            gaps.fold((f64::INFINITY, 0.0_f64), |(least, most), gap| (least.min(gap), most.max(gap)));
        most / least
    };
    let positive = values.first().is_some_and(|least| *least > 0.0);
    if positive && unevenness(f64::ln) < unevenness(|x| x) {
        report::Axis::log(axis.word())
    } else {
        report::Axis::linear(axis.word())
    }
}

/// The axis of what is measured, and all numbers along it.
fn measured(panel: &mut Panel) -> (&mut report::Axis, Vec<f64>) {
    match panel {
        Panel::Lines(chart) => {
            let points = chart.curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y);
            let bands = chart.curves.iter().flat_map(|curve| &curve.band);
            let numbers = points.chain(bands.flat_map(|(low, high)| [*low, *high])).collect();
            (&mut chart.y, numbers)
        }
        Panel::Map(map) => (&mut map.levels, map.values.clone()),
    }
}

/// From the least to the greatest number of all panels, so that they can be compared at a glance.
fn common_range(numbers: &[f64], is_log: bool) -> Option<(f64, f64)> {
    let (low, high) = numbers
        .iter()
        .filter(|y| y.is_finite() && (**y > 0.0 || !is_log))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(*y), high.max(*y)));
    if is_log {
        return (low <= high).then_some((low / 1.3, high * 1.3));
    }
    let room = 0.05 * (high - low);
    (low < high).then_some((low - room, high + room))
}

fn in_words(sweep: &Sweep, axis: &Axis, value: &Choice) -> String {
    // Small numbers are read by their exponents, not by counting zeros.
    let label = match value.number {
        Some(x) if x != 0.0 && x.abs() < 1e-2 => format!("{x:e}"),
        _ => value.label.clone(),
    };
    let is = |axis: &Axis, key: &str| full_key(&axis.name) == key;
    match is(axis, "network.activation") {
        true if sweep.x.is_some_and(|x| is(&sweep.axes[x], "network.scale")) => format!("a·{label}"),
        true => label,
        false => format!("{} = {label}", axis.word()),
    }
}

fn in_file(axis: &Axis, label: &str) -> String {
    let said = if full_key(&axis.name) == "network.activation" {
        label.to_owned()
    } else {
        format!("{}-{label}", axis.word())
    };
    said.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}
