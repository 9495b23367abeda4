//! Figures as data, and how they are laid out and drawn.

use super::ReportError;
use super::canvas::{Align, Canvas, Direction, Typeface};
use super::colors::{ColorMap, GRID, INK, MISSING, MUTED, Rgb, palette};
use super::scale::{Scale, Span, Tick, Ticks};
use crate::expr::Digits;

/// A picture: rows of panels under one title, each row with a legend of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// Above everything; empty for none.
    pub title: String,
    /// Panels row by row; columns are aligned, a row may be shorter than others.
    pub rows: Vec<Vec<Panel>>,
    /// Width and height of the plotting area of each panel, in points (a point is two pixels).
    pub size: (f64, f64),
}

/// One part of a figure.
#[derive(Clone, PartialEq, Debug)]
pub enum Panel {
    /// Curves over an axis.
    Lines(LineChart),
    /// A field over a plane.
    Map(Map),
}

impl Panel {
    fn chart(&self) -> Option<&LineChart> {
        match self {
            Self::Lines(chart) => Some(chart),
            Self::Map(_) => None,
        }
    }
}

/// Curves over an axis.
#[derive(Clone, PartialEq, Debug)]
pub struct LineChart {
    /// Above the panel; empty for none.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, later ones on top.
    pub curves: Vec<Curve>,
    /// Vertical lines with a word above them.
    pub marks: Vec<Mark>,
}

/// An axis of a panel.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// What is measured, with its unit; empty for none.
    pub label: String,
    /// How numbers are spread.
    pub scale: Scale,
    /// First and last number shown; `None` to show all there are.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis that shows all there is.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None }
    }

    /// A logarithmic axis that shows all there is.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, range: None }
    }

    fn span(&self, values: impl IntoIterator<Item = f64>, margin: f64) -> Span {
        match self.range {
            Some((low, high)) => Span::of(self.scale, [low, high], 0.0),
            None => Span::of(self.scale, values, margin),
        }
    }
}

/// A line through points; where a number has no place on its axis (NaN, or not positive on a log scale) it breaks.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    /// In the legend of its row, unless a row above has named it already; empty for none.
    pub label: String,
    /// Abscissa and ordinate.
    pub points: Vec<(f64, f64)>,
    /// Lower and upper ordinate at each point, drawn as a pale band; empty for none.
    pub band: Vec<(f64, f64)>,
    /// 0 is black, 1 to 7 are colours, then they come round again.
    pub color: usize,
    /// How the line is drawn.
    pub stroke: Stroke,
}

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stroke {
    /// A plain line.
    Solid,
    /// A wide line.
    Wide,
    /// Dashes.
    Dashed,
    /// A line with a dot at every point, for few points.
    Marked,
    /// Dots alone.
    Dots,
    /// Small dots alone, for many points.
    Points,
}

impl Stroke {
    /// The radius of its dots, in points, if it has any.
    fn dot(self) -> Option<f64> {
        match self {
            Self::Marked | Self::Dots => Some(DOT),
            Self::Points => Some(SMALL_DOT),
            Self::Solid | Self::Wide | Self::Dashed => None,
        }
    }
}

/// A vertical line.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// Abscissa.
    pub at: f64,
    /// Above the panel, to the right of the line.
    pub label: String,
}

/// A field over a plane, as colours.
#[derive(Clone, PartialEq, Debug)]
pub struct Map {
    /// Above the panel; empty for none.
    pub title: String,
    /// Label of the horizontal axis.
    pub x: String,
    /// Label of the vertical axis.
    pub y: String,
    /// Abscissas, strictly rising, at least two (one of cells).
    pub xs: Vec<f64>,
    /// Ordinates, strictly rising, at least two (one of cells).
    pub ys: Vec<f64>,
    /// The field at every (x, y), ordinates fastest.
    pub values: Vec<f64>,
    /// Is every number a cell, as wide as the others whatever lies between their coordinates?
    /// Otherwise the field is smooth between its points.
    pub cells: bool,
    /// Places that are marked with a dot.
    pub dots: Vec<(f64, f64)>,
    /// Lines over the field.
    pub lines: Vec<Vec<(f64, f64)>>,
    /// The colours.
    pub colors: ColorMap,
    /// The colour bar's axis; numbers beyond its range take the colour of its ends.
    pub levels: Axis,
}

/// Font sizes, in points.
const TITLE: f64 = 12.0;
const HEADING: f64 = 10.5;
const LABEL: f64 = 10.0;
const NUMBER: f64 = 9.0;
/// Space around the figure and between parts of it, in points.
const MARGIN: f64 = 10.0;
/// Space between columns of panels, in points.
const GUTTER: f64 = 14.0;
/// Width of a colour bar and its distance from the map, in points.
const BAR: (f64, f64) = (9.0, 8.0);
/// Length of a tick, in points.
const TICK: f64 = 3.5;
/// Height of a line of the legend, in points.
const ENTRY: f64 = 1.7 * LABEL;
/// Width of a line in the legend, in points.
const SWATCH: f64 = 22.0;
/// The most square points of a figure: 300 megabytes while it is drawn.
const LARGEST: f64 = 6e6;

impl Figure {
    /// Draws the figure; the bytes of a PNG file at two pixels a point.
    ///
    /// # Errors
    /// When arrays do not fit together, there is no panel, or the picture would be too large.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        if self.rows.iter().all(Vec::is_empty) {
            return Err(ReportError::Empty("the figure has no panels"));
        }
        let typeface = Typeface::embedded()?;
        let rows: Vec<Vec<Prepared>> =
            self.rows.iter().map(|row| Prepared::row(row, self.size, &typeface)).collect::<Result<_, _>>()?;
        let layout = Layout::new(self, &rows, &typeface);
        let (width, height) = layout.size;
        if width * height > LARGEST || !(width * height).is_finite() {
            return Err(ReportError::TooLarge { width: width as u32, height: height as u32 });
        }
        Canvas::png(width, height, &typeface, |canvas| {
            layout.draw_title(canvas)?;
            for (i, row) in rows.iter().enumerate() {
                layout.draw_legend(canvas, i)?;
                for (j, panel) in row.iter().enumerate() {
                    panel.draw(canvas, layout.corner(i, j), self.size)?;
                }
            }
            Ok(())
        })
    }
}

/// Where everything goes, in points.
struct Layout<'a> {
    size: (f64, f64),
    title: Vec<String>,
    /// Of every row.
    legends: Vec<Legend<'a>>,
    /// Left ends of the columns' and top ends of the rows' plotting areas.
    lefts: Vec<f64>,
    tops: Vec<f64>,
}

/// What stands above a row of panels.
struct Legend<'a> {
    top: f64,
    /// Entries, line by line, with the width of each line.
    lines: Vec<(Vec<&'a Curve>, f64)>,
}

impl<'a> Layout<'a> {
    fn new(figure: &'a Figure, rows: &[Vec<Prepared>], typeface: &Typeface) -> Self {
        let (width, height) = figure.size;
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let entries = entries(figure);
        let widths = entries.iter().flatten().map(|curve| entry_width(curve, typeface));
        let widest = widths.fold(0.0, f64::max);

        let mut lefts = vec![];
        let mut x = MARGIN;
        for j in 0..columns {
            let column = || rows.iter().filter_map(|row| row.get(j));
            x += column().map(|panel| panel.margins.left).fold(0.0, f64::max);
            lefts.push(x);
            x += width + column().map(|panel| panel.margins.right).fold(0.0, f64::max) + GUTTER;
        }
        let content = (x - GUTTER - MARGIN).max(widest);
        let title = wrap(&figure.title, content, |text| typeface.width(text, TITLE));

        let mut y = MARGIN + title.len() as f64 * 1.4 * TITLE;
        let (mut legends, mut tops) = (vec![], vec![]);
        for (row, entries) in rows.iter().zip(entries) {
            let lines = flow(entries, content, |curve| entry_width(curve, typeface));
            let top = y;
            y += lines.len() as f64 * ENTRY + row.iter().map(|panel| panel.margins.top).fold(0.0, f64::max);
            legends.push(Legend { top, lines });
            tops.push(y);
            y += height + row.iter().map(|panel| panel.margins.bottom).fold(0.0, f64::max) + MARGIN;
        }
        Self { size: (content + 2.0 * MARGIN, y), title, legends, lefts, tops }
    }

    fn corner(&self, row: usize, column: usize) -> (f64, f64) {
        (self.lefts[column], self.tops[row])
    }

    fn draw_title(&self, canvas: &Canvas) -> Result<(), ReportError> {
        let middle = 0.5 * self.size.0;
        let mut y = MARGIN;
        for line in &self.title {
            canvas.text(line, (middle, y + 0.5 * TITLE), TITLE, Align::Center, Direction::Right, INK)?;
            y += 1.4 * TITLE;
        }
        Ok(())
    }

    fn draw_legend(&self, canvas: &Canvas, row: usize) -> Result<(), ReportError> {
        let legend = &self.legends[row];
        let mut y = legend.top;
        for (entries, width) in &legend.lines {
            let mut x = 0.5 * (self.size.0 - width);
            let line = y + 0.5 * ENTRY;
            for curve in entries {
                let swatch = [(x, line), (x + SWATCH, line)];
                if !curve.band.is_empty() {
                    let (from, to) = ((x, line - 4.0), (x + SWATCH, line + 4.0));
                    canvas.rectangle(from, to, palette(curve.color), BAND_OPACITY)?;
                }
                stroke(canvas, &swatch, curve)?;
                if let Some(radius) = curve.stroke.dot() {
                    canvas.disc((x + 0.5 * SWATCH, line), radius, palette(curve.color))?;
                }
                let anchor = (x + SWATCH + 5.0, line);
                canvas.text(&curve.label, anchor, LABEL, Align::Left, Direction::Right, INK)?;
                x += entry_width(curve, canvas.typeface());
            }
            y += ENTRY;
        }
        Ok(())
    }
}

/// For every row the curves its legend names: the first of every label that no row above has named.
fn entries(figure: &Figure) -> Vec<Vec<&Curve>> {
    let mut named = std::collections::HashSet::from([""]);
    let mut entries = vec![];
    for row in &figure.rows {
        let curves = row.iter().filter_map(Panel::chart).flat_map(|chart| &chart.curves);
        entries.push(curves.filter(|curve| named.insert(&curve.label)).collect());
    }
    entries
}

/// With the space to the next entry.
fn entry_width(curve: &Curve, typeface: &Typeface) -> f64 {
    SWATCH + 5.0 + typeface.width(&curve.label, LABEL) + 16.0
}

/// Items in lines no wider than `limit` where possible, with the width of every line.
fn flow<T>(items: Vec<T>, limit: f64, width: impl Fn(&T) -> f64) -> Vec<(Vec<T>, f64)> {
    let mut lines: Vec<(Vec<T>, f64)> = vec![];
    for item in items {
        let wide = width(&item);
        match lines.last_mut() {
            Some((line, used)) if *used + wide <= limit => {
                line.push(item);
                *used += wide;
            }
            _ => lines.push((vec![item], wide)),
        }
    }
    lines
}

/// Lines of words no wider than `limit` where possible.
fn wrap(text: &str, limit: f64, width: impl Fn(&str) -> f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}")) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A panel whose axes are settled.
struct Prepared<'a> {
    panel: &'a Panel,
    x: Span,
    y: Span,
    x_ticks: Ticks,
    y_ticks: Ticks,
    /// Of a map: the colour bar and the place of every value on it (NaN where it has none).
    levels: Option<(Ticks, Vec<f64>)>,
    /// Between the title and the plotting area: for marks' words and the factors of ticks.
    note: f64,
    margins: Margins,
}

/// Space around the plotting area, in points.
#[derive(Default)]
struct Margins {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl<'a> Prepared<'a> {
    /// The panels of one row, their titles on one height.
    fn row(panels: &'a [Panel], size: (f64, f64), typeface: &Typeface) -> Result<Vec<Self>, ReportError> {
        let row: Result<Vec<_>, _> = panels.iter().map(|panel| Self::new(panel, size, typeface)).collect();
        let mut row = row?;
        let note = if row.iter().any(Self::has_note) { 1.4 * NUMBER } else { 4.0 };
        for panel in &mut row {
            panel.note = note;
            panel.margins = panel.measure(typeface);
        }
        Ok(row)
    }

    fn new(panel: &'a Panel, (width, height): (f64, f64), typeface: &Typeface) -> Result<Self, ReportError> {
        let (x, y, levels) = match panel {
            Panel::Lines(chart) => {
                check_bands(chart)?;
                let dotted = |curve: &Curve| curve.stroke.dot().is_some();
                let marked = chart.curves.iter().any(dotted);
                let points = || chart.curves.iter().flat_map(|curve| &curve.points);
                let bands = chart.curves.iter().flat_map(|curve| &curve.band);
                let x = chart.x.span(points().map(|point| point.0), if marked { 0.03 } else { 0.0 });
                let ordinates = points().map(|point| point.1).chain(bands.flat_map(|band| [band.0, band.1]));
                (x, chart.y.span(ordinates, 0.04), None)
            }
            Panel::Map(map) => {
                check_map(map)?;
                let x = Span::of(Scale::Linear, map.xs.iter().copied(), 0.0);
                let y = Span::of(Scale::Linear, map.ys.iter().copied(), 0.0);
                let span = map.levels.span(map.values.iter().copied(), 0.0);
                let ticks = fitting_ticks(&span, height, |_| 2.0 * NUMBER);
                let level = |&value: &f64| match span.position(value) {
                    Some(level) => level.clamp(0.0, 1.0),
                    // Zero has no logarithm, but it is surely below the range.
                    None if map.levels.scale == Scale::Log && value <= 0.0 => 0.0,
                    None => f64::NAN,
                };
                (x, y, Some((ticks, map.values.iter().map(level).collect())))
            }
        };
        let wide = |label: &str| typeface.width(label, NUMBER);
        let (x_ticks, y_ticks) = match panel {
            Panel::Map(map) if map.cells => (
                cell_ticks(&map.xs, width, |label| wide(label) + 0.5 * NUMBER),
                cell_ticks(&map.ys, height, |_| 1.2 * NUMBER),
            ),
            _ => (
                fitting_ticks(&x, width, |label| wide(label) + 1.5 * NUMBER),
                fitting_ticks(&y, height, |_| 2.2 * NUMBER),
            ),
        };
        Ok(Self { panel, x, y, x_ticks, y_ticks, levels, note: 0.0, margins: Margins::default() })
    }

    fn title(&self) -> &str {
        match self.panel {
            Panel::Lines(chart) => &chart.title,
            Panel::Map(map) => &map.title,
        }
    }

    fn axis_labels(&self) -> (&str, &str) {
        match self.panel {
            Panel::Lines(chart) => (&chart.x.label, &chart.y.label),
            Panel::Map(map) => (&map.x, &map.y),
        }
    }

    fn has_note(&self) -> bool {
        let marked = matches!(self.panel, Panel::Lines(chart) if !chart.marks.is_empty());
        let bar = self.levels.as_ref().is_some_and(|(ticks, _)| !ticks.factor.is_empty());
        marked || bar || !self.y_ticks.factor.is_empty()
    }

    fn measure(&self, typeface: &Typeface) -> Margins {
        let widest = |ticks: &Ticks| widest_label(ticks, typeface);
        let (x_label, y_label) = self.axis_labels();
        let room = |text: &str, room: f64| if text.is_empty() { 0.0 } else { room };
        let last_number = self.x_ticks.ticks.last().map_or(0.0, |tick| typeface.width(&tick.label, NUMBER));
        let right = match &self.levels {
            Some((ticks, _)) => BAR.0 + BAR.1 + TICK + 3.0 + widest(ticks),
            None => 0.5 * last_number,
        };
        let below = room(x_label, 1.0).max(room(&self.x_ticks.factor, 1.0));
        Margins {
            left: TICK + 3.0 + widest(&self.y_ticks) + room(y_label, 1.6 * LABEL),
            right,
            top: room(self.title(), 1.8 * HEADING) + self.note,
            bottom: TICK + 1.6 * NUMBER + below * 1.5 * LABEL,
        }
    }

    fn draw(&self, canvas: &Canvas, corner: (f64, f64), size: (f64, f64)) -> Result<(), ReportError> {
        let frame = Frame { left: corner.0, top: corner.1, width: size.0, height: size.1 };
        match self.panel {
            Panel::Lines(chart) => {
                self.draw_grid(canvas, &frame)?;
                self.draw_marks(canvas, &frame, chart)?;
                for curve in &chart.curves {
                    self.draw_curve(canvas, &frame, curve)?;
                }
                canvas.path(&[frame.at(0.0, 1.0), frame.at(0.0, 0.0), frame.at(1.0, 0.0)], 0.75, INK)?;
            }
            Panel::Map(map) => self.draw_map(canvas, &frame, map)?,
        }
        self.draw_axes(canvas, &frame)
    }

    fn draw_grid(&self, canvas: &Canvas, frame: &Frame) -> Result<(), ReportError> {
        for tick in self.x_ticks.ticks.iter().filter(|tick| !tick.label.is_empty()) {
            canvas.path(&[frame.at(tick.at, 0.0), frame.at(tick.at, 1.0)], 0.5, GRID)?;
        }
        for tick in self.y_ticks.ticks.iter().filter(|tick| !tick.label.is_empty()) {
            canvas.path(&[frame.at(0.0, tick.at), frame.at(1.0, tick.at)], 0.5, GRID)?;
        }
        Ok(())
    }

    fn draw_marks(&self, canvas: &Canvas, frame: &Frame, chart: &LineChart) -> Result<(), ReportError> {
        // Where the last word ended: words must not run into one another.
        let mut end = f64::NEG_INFINITY;
        for mark in &chart.marks {
            let Some(at) = self.x.position(mark.at).filter(|at| (0.0..=1.0).contains(at)) else { continue };
            if at > 1e-6 {
                canvas.dashes(&[frame.at(at, 0.0), frame.at(at, 1.0)], 0.75, MUTED, (3.0, 2.0))?;
            }
            let width = canvas.typeface().width(&mark.label, NUMBER);
            let (x, _) = frame.at(at, 1.0);
            let x = x.min(frame.left + frame.width - width);
            if x > end {
                let anchor = (x, frame.top - 0.7 * NUMBER);
                canvas.text(&mark.label, anchor, NUMBER, Align::Left, Direction::Right, MUTED)?;
                end = x + width + 4.0;
            }
        }
        Ok(())
    }

    fn draw_curve(&self, canvas: &Canvas, frame: &Frame, curve: &Curve) -> Result<(), ReportError> {
        let color = palette(curve.color);
        let place = |x: f64, y: f64| Some(frame.at(self.x.position(x)?, self.y.position(y)?));
        if !curve.band.is_empty() {
            let bands = curve.points.iter().zip(&curve.band).map(|(&(x, _), &(low, high))| {
                let ((column, bottom), (_, top)) = (place(x, low)?, place(x, high)?);
                let visible = bottom >= frame.top && top <= frame.top + frame.height;
                (visible && frame.contains((column, frame.top))).then_some((
                    column,
                    frame.within(bottom),
                    frame.within(top),
                ))
            });
            for run in runs(bands) {
                canvas.band(&run, color, BAND_OPACITY)?;
            }
        }
        for run in runs(curve.points.iter().map(|&(x, y)| place(x, y))) {
            if let [lonely] = run[..]
                && frame.contains(lonely)
            {
                canvas.disc(lonely, curve.stroke.dot().unwrap_or(DOT), color)?;
            }
            for visible in frame.clip(&thin(&run)) {
                stroke(canvas, &visible, curve)?;
            }
            if let Some(radius) = curve.stroke.dot() {
                for &point in run.iter().filter(|&&point| frame.contains(point)) {
                    canvas.disc(point, radius, color)?;
                }
            }
        }
        Ok(())
    }

    fn draw_map(&self, canvas: &Canvas, frame: &Frame, map: &Map) -> Result<(), ReportError> {
        let Some((ticks, levels)) = &self.levels else { return Ok(()) };
        canvas.image((frame.left, frame.top), (frame.width, frame.height), |x, y| {
            let level = interpolate(map, levels, x, y);
            if level.is_nan() { MISSING } else { map.colors.at(level) }
        })?;
        for line in &map.lines {
            let place = |&(x, y): &(f64, f64)| Some(frame.at(self.x.position(x)?, self.y.position(y)?));
            let line: Vec<_> = line.iter().filter_map(place).collect();
            for visible in frame.clip(&line) {
                canvas.path(&visible, 1.0, INK)?;
            }
        }
        outline(canvas, frame)?;
        for &(x, y) in &map.dots {
            let Some(at) = self.x.position(x).zip(self.y.position(y)).map(|(x, y)| frame.at(x, y)) else {
                continue;
            };
            if frame.contains(at) {
                // With a rim, so that it is seen on any colour.
                canvas.disc(at, DOT, RIM)?;
                canvas.disc(at, 0.6 * DOT, INK)?;
            }
        }
        let left = frame.left + frame.width + BAR.1;
        let bar = Frame { left, width: BAR.0, ..*frame };
        canvas.image((bar.left, bar.top), (bar.width, bar.height), |_, y| map.colors.at(y))?;
        outline(canvas, &bar)?;
        for tick in &ticks.ticks {
            let (x, y) = bar.at(1.0, tick.at);
            let length = if tick.label.is_empty() { 0.6 * TICK } else { TICK };
            canvas.path(&[(x, y), (x + length, y)], 0.5, INK)?;
            let anchor = (x + TICK + 3.0, y);
            canvas.text(&tick.label, anchor, NUMBER, Align::Left, Direction::Right, INK)?;
        }
        let anchor = (bar.left, frame.top - 0.9 * NUMBER);
        canvas.text(&ticks.factor, anchor, NUMBER, Align::Left, Direction::Right, INK)
    }

    fn draw_axes(&self, canvas: &Canvas, frame: &Frame) -> Result<(), ReportError> {
        let text =
            |text: &str, anchor, size, align| canvas.text(text, anchor, size, align, Direction::Right, INK);
        let length = |label: &str| if label.is_empty() { 0.6 * TICK } else { TICK };
        for tick in &self.x_ticks.ticks {
            let (x, y) = frame.at(tick.at, 0.0);
            canvas.path(&[(x, y), (x, y + length(&tick.label))], 0.5, INK)?;
            text(&tick.label, (x, y + TICK + 0.9 * NUMBER), NUMBER, Align::Center)?;
        }
        for tick in &self.y_ticks.ticks {
            let (x, y) = frame.at(0.0, tick.at);
            canvas.path(&[(x, y), (x - length(&tick.label), y)], 0.5, INK)?;
            text(&tick.label, (x - TICK - 3.0, y), NUMBER, Align::Right)?;
        }
        let (x_label, y_label) = self.axis_labels();
        let (right, bottom) = (frame.left + frame.width, frame.top + frame.height);
        let below = bottom + TICK + 1.6 * NUMBER + 0.8 * LABEL;
        text(x_label, (frame.left + 0.5 * frame.width, below), LABEL, Align::Center)?;
        text(&self.x_ticks.factor, (right, below), NUMBER, Align::Right)?;
        text(&self.y_ticks.factor, (frame.left, frame.top - 0.9 * NUMBER), NUMBER, Align::Left)?;
        let heading = self.note + 0.8 * HEADING;
        text(self.title(), (frame.left + 0.5 * frame.width, frame.top - heading), HEADING, Align::Center)?;
        let column = TICK + 3.0 + widest_label(&self.y_ticks, canvas.typeface()) + 0.9 * LABEL;
        let anchor = (frame.left - column, frame.top + 0.5 * frame.height);
        canvas.text(y_label, anchor, LABEL, Align::Center, Direction::Up, INK)
    }
}

/// Opacity of a band.
const BAND_OPACITY: f64 = 0.22;
/// Radius of a dot, in points.
const DOT: f64 = 2.2;
/// The same where there are many.
const SMALL_DOT: f64 = 1.0;
/// Around dots on a map.
const RIM: Rgb = (0xff, 0xff, 0xff);

/// Draws one stretch of a curve.
fn stroke(canvas: &Canvas, points: &[(f64, f64)], curve: &Curve) -> Result<(), ReportError> {
    let color: Rgb = palette(curve.color);
    match curve.stroke {
        Stroke::Solid => canvas.path(points, 1.25, color),
        Stroke::Wide => canvas.path(points, 2.5, color),
        Stroke::Dashed => canvas.dashes(points, 1.25, color, (4.0, 3.0)),
        Stroke::Marked => canvas.path(points, 1.25, color),
        Stroke::Dots | Stroke::Points => Ok(()),
    }
}

fn outline(canvas: &Canvas, frame: &Frame) -> Result<(), ReportError> {
    let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
    canvas.path(&corners.map(|(x, y)| frame.at(x, y)), 0.5, INK)
}

fn widest_label(ticks: &Ticks, typeface: &Typeface) -> f64 {
    ticks.ticks.iter().map(|tick| typeface.width(&tick.label, NUMBER)).fold(0.0, f64::max)
}

/// As many ticks as stay apart on an axis of `length` points, when each needs `room(label)` points.
fn fitting_ticks(span: &Span, length: f64, room: impl Fn(&str) -> f64) -> Ticks {
    let mut ticks = Ticks::default();
    for count in (1..=6).rev() {
        ticks = span.ticks(count);
        let labelled: Vec<_> = ticks.ticks.iter().filter(|tick| !tick.label.is_empty()).collect();
        let apart = |a: f64, b: f64| (b - a) * length;
        let fits = labelled
            .windows(2)
            .all(|pair| apart(pair[0].at, pair[1].at) >= 0.5 * (room(&pair[0].label) + room(&pair[1].label)));
        if fits {
            break;
        }
    }
    ticks
}

/// The coordinate of every cell at its middle, or of every second, third, … where they would run together.
fn cell_ticks(values: &[f64], length: f64, room: impl Fn(&str) -> f64) -> Ticks {
    let cells = values.len() as f64;
    let labels: Vec<String> = values.iter().map(|value| Digits(*value).to_string()).collect();
    let widest = labels.iter().map(|label| room(label)).fold(0.0, f64::max);
    let stride = (widest * cells / length).ceil().max(1.0) as usize;
    let tick = |(i, label): (usize, String)| {
        let label = if i % stride == 0 { label } else { String::new() };
        Tick { at: (i as f64 + 0.5) / cells, label }
    };
    Ticks { ticks: labels.into_iter().enumerate().map(tick).collect(), factor: String::new() }
}

/// The plotting area, in points.
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Frame {
    /// The point at fractions `x` and `y` of the area, y upwards.
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + x * self.width, self.top + (1.0 - y) * self.height)
    }

    fn contains(&self, (x, y): (f64, f64)) -> bool {
        let near = |low: f64, length: f64, at: f64| (low - 0.5..=low + length + 0.5).contains(&at);
        near(self.left, self.width, x) && near(self.top, self.height, y)
    }

    /// The ordinate, moved into the area.
    fn within(&self, y: f64) -> f64 {
        y.clamp(self.top, self.top + self.height)
    }

    /// The stretches of a path that lie within the area (Liang and Barsky 1984, segment by segment).
    fn clip(&self, path: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let mut stretches: Vec<Vec<(f64, f64)>> = vec![];
        let mut open = false;
        for pair in path.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let (dx, dy) = (x1 - x0, y1 - y0);
            let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
            let edges = [
                (-dx, x0 - self.left),
                (dx, self.left + self.width - x0),
                (-dy, y0 - self.top),
                (dy, self.top + self.height - y0),
            ];
            // A hair's breadth more, so that what lies on the edge counts as inside.
            for (towards, room) in edges.map(|(towards, room)| (towards, room + 1e-6)) {
                if towards > 0.0 {
                    leave = leave.min(room / towards);
                } else if towards < 0.0 {
                    enter = enter.max(room / towards);
                } else if room < 0.0 {
                    leave = -1.0;
                }
            }
            if enter > leave {
                open = false;
                continue;
            }
            let at = |t: f64| (x0 + dx * t, y0 + dy * t);
            match stretches.last_mut() {
                Some(stretch) if open && enter == 0.0 => stretch.push(at(leave)),
                _ => stretches.push(vec![at(enter), at(leave)]),
            }
            open = leave == 1.0;
        }
        stretches
    }
}

/// Stretches of consecutive places without a gap.
fn runs<T>(places: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut runs = vec![vec![]];
    for place in places {
        match place {
            Some(place) => runs.last_mut().expect("there is always one").push(place),
            None => runs.push(vec![]),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Of all points in one column of pixels only the first, the highest, the lowest and the last: the same picture from
/// a few thousand points however long the run.
fn thin(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let column = |point: &(f64, f64)| (2.0 * point.0).floor();
    let mut kept = vec![];
    for group in run.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |&i: &usize, &j: &usize| group[i].1.total_cmp(&group[j].1);
        let indices = 0..group.len();
        let (low, high) = (indices.clone().min_by(by_height), indices.max_by(by_height));
        let mut keep: Vec<_> =
            [Some(0), low, high, group.len().checked_sub(1)].into_iter().flatten().collect();
        keep.sort_unstable();
        keep.dedup();
        kept.extend(keep.into_iter().map(|i| group[i]));
    }
    kept
}

/// The level at fractions `x` and `y` of the map, its cell's or bilinear between grid points; NaN where there is none.
fn interpolate(map: &Map, levels: &[f64], x: f64, y: f64) -> f64 {
    let at = |i: usize, j: usize| levels[i * map.ys.len() + j];
    if map.cells {
        let index = |at: f64, count: usize| ((at * count as f64) as usize).min(count - 1);
        return at(index(x, map.xs.len()), index(y, map.ys.len()));
    }
    let (i, s) = cell(&map.xs, x);
    let (j, t) = cell(&map.ys, y);
    let smooth = (1.0 - s) * ((1.0 - t) * at(i, j) + t * at(i, j + 1))
        + s * ((1.0 - t) * at(i + 1, j) + t * at(i + 1, j + 1));
    if smooth.is_nan() { at(i + usize::from(s > 0.5), j + usize::from(t > 0.5)) } else { smooth }
}

/// The interval of `values` in which the fraction `at` of their range lies, and where in it.
fn cell(values: &[f64], at: f64) -> (usize, f64) {
    let last = values.len() - 1;
    let value = values[0] + (values[last] - values[0]) * at;
    let i = values.partition_point(|&v| v <= value).clamp(1, last) - 1;
    (i, ((value - values[i]) / (values[i + 1] - values[i])).clamp(0.0, 1.0))
}

fn check_bands(chart: &LineChart) -> Result<(), ReportError> {
    for curve in &chart.curves {
        if !curve.band.is_empty() && curve.band.len() != curve.points.len() {
            return Err(ReportError::Length {
                what: format!("the band of curve `{}`", curve.label),
                found: curve.band.len(),
                expected: curve.points.len(),
            });
        }
    }
    Ok(())
}

fn check_map(map: &Map) -> Result<(), ReportError> {
    for (name, values) in [(&map.x, &map.xs), (&map.y, &map.ys)] {
        let rising = values.windows(2).all(|pair| pair[0] < pair[1]);
        let range = values.last().zip(values.first()).map(|(last, first)| last - first);
        let least = if map.cells { 1 } else { 2 };
        if values.len() < least || !rising || !range.is_some_and(f64::is_finite) {
            return Err(ReportError::Coordinate(name.clone()));
        }
    }
    let expected = map.xs.len() * map.ys.len();
    if map.values.len() != expected {
        let what = format!("map `{}`", map.title);
        return Err(ReportError::Length { what, found: map.values.len(), expected });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: Vec<(f64, f64)>) -> Curve {
        Curve { label: "a curve".into(), points, band: vec![], color: 1, stroke: Stroke::Solid }
    }

    fn chart(curves: Vec<Curve>) -> LineChart {
        LineChart {
            title: String::new(),
            x: Axis::linear("x"),
            y: Axis::log("y"),
            curves,
            marks: vec![Mark { at: 0.0, label: "start".into() }],
        }
    }

    fn map(values: Vec<f64>) -> Map {
        Map {
            title: "u".into(),
            x: "x".into(),
            y: "t".into(),
            xs: vec![0.0, 1.0, 3.0],
            ys: vec![0.0, 1.0],
            values,
            cells: false,
            dots: vec![],
            lines: vec![],
            colors: ColorMap::Field,
            levels: Axis::linear(""),
        }
    }

    fn figure(panel: Panel) -> Figure {
        Figure { title: "a title".into(), rows: vec![vec![panel]], size: (120.0, 80.0) }
    }

    /// Width, height and how many different colours a picture has.
    #[track_caller]
    fn look(figure: &Figure) -> (u32, u32, usize) {
        let bytes = figure.png().expect("drawn");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut pixels).expect("a picture");
        let colors: std::collections::HashSet<_> = pixels.chunks_exact(3).collect();
        (info.width, info.height, colors.len())
    }

    #[track_caller]
    fn check_drawn(panel: Panel) {
        let (width, height, colors) = look(&figure(panel));
        assert!(width >= 240 && height >= 160, "{width} × {height}");
        assert!(colors > 20, "{colors} colours are nearly blank");
    }

    #[test]
    fn degenerate_curves_are_pictures() {
        let nan = f64::NAN;
        for points in [
            vec![],
            vec![(1.0, 1.0)],
            vec![(nan, nan); 3],
            vec![(0.0, 0.0), (1.0, 0.0)],
            vec![(0.0, 1e-300), (1.0, 1e300), (2.0, nan), (3.0, f64::INFINITY), (4.0, 1.0)],
            vec![(2.0, 1.0), (2.0, 1.0)],
        ] {
            check_drawn(Panel::Lines(chart(vec![curve(points.clone())])));
            check_drawn(Panel::Lines(chart(vec![Curve { stroke: Stroke::Dots, ..curve(points) }])));
        }
    }

    #[test]
    fn degenerate_fields_are_pictures() {
        let nan = f64::NAN;
        for values in [vec![0.0; 6], vec![nan; 6], vec![1e300, -1e300, nan, 0.0, 1.0, f64::INFINITY]] {
            check_drawn(Panel::Map(map(values.clone())));
            check_drawn(Panel::Map(Map { levels: Axis::log(""), ..map(values.clone()) }));
            let dots = vec![(0.5, 0.5), (nan, 0.0), (7.0, 0.0)];
            check_drawn(Panel::Map(Map { dots, ..map(values.clone()) }));
            check_drawn(Panel::Map(Map { cells: true, ..map(values) }));
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let check = |panel: Panel, expected: &str| {
            let error = figure(panel).png().expect_err(expected);
            assert_eq!(error.to_string(), expected);
        };
        check(Panel::Map(map(vec![0.0; 5])), "map `u` has 5 numbers instead of 6");
        let backwards = Map { ys: vec![1.0, 0.0], ..map(vec![0.0; 6]) };
        let message =
            "the values of coordinate `t` must be finite, strictly rising and at least two to be drawn";
        check(Panel::Map(backwards), message);
        let banded = Curve { band: vec![(0.0, 1.0)], ..curve(vec![]) };
        check(Panel::Lines(chart(vec![banded])), "the band of curve `a curve` has 1 numbers instead of 0");
        let empty = Figure { rows: vec![vec![]], ..figure(Panel::Map(map(vec![]))) };
        assert_eq!(empty.png(), Err(ReportError::Empty("the figure has no panels")));
        let huge = Figure { size: (1e5, 1e5), ..figure(Panel::Map(map(vec![0.0; 6]))) };
        assert!(matches!(huge.png(), Err(ReportError::TooLarge { .. })));
    }

    #[test]
    fn a_long_run_is_thinned_without_losing_its_peaks() {
        let run: Vec<_> = (0..100_000).map(|i| (f64::from(i) * 1e-3, f64::from((i * 7919) % 1000))).collect();
        let thinned = thin(&run);
        assert!(thinned.len() <= 4 * 201, "{}", thinned.len());
        let peak = |run: &[(f64, f64)]| run.iter().map(|point| point.1).fold(0.0, f64::max);
        assert_eq!(peak(&thinned), peak(&run));
        assert_eq!((thinned.first(), thinned.last()), (run.first(), run.last()));
    }

    #[test]
    fn paths_are_cut_at_the_frame() {
        let frame = Frame { left: 0.0, top: 0.0, width: 10.0, height: 10.0 };
        let stretches = frame.clip(&[(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0), (8.0, 20.0), (8.0, 5.0)]);
        let rounded: Vec<Vec<_>> = stretches
            .iter()
            .map(|stretch| stretch.iter().map(|&(x, y)| (x.round(), y.round())).collect())
            .collect();
        let first = vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)];
        assert_eq!(rounded, [first, vec![(8.0, 10.0), (8.0, 5.0)]]);
    }

    #[test]
    fn fields_are_bilinear_between_grid_points() {
        // u = x + 10 t on an uneven grid.
        let map = map(vec![0.0, 10.0, 1.0, 11.0, 3.0, 13.0]);
        for (x, y) in [(0.0, 0.0), (0.25, 0.5), (0.9, 0.1), (1.0, 1.0)] {
            let level = interpolate(&map, &map.values, x, y);
            assert!((level - (3.0 * x + 10.0 * y)).abs() < 1e-12, "{x} {y}: {level}");
        }
    }

    #[test]
    fn cells_are_alike_and_have_their_coordinates_at_their_middles() {
        let map = Map { cells: true, ..map(vec![0.0, 10.0, 1.0, 11.0, 3.0, f64::NAN]) };
        let level = |x: f64, y: f64| interpolate(&map, &map.values, x, y);
        assert_eq!(
            [level(0.0, 0.0), level(0.32, 0.49), level(0.34, 0.51), level(0.99, 0.0)],
            [0.0, 0.0, 11.0, 3.0]
        );
        assert!(level(1.0, 1.0).is_nan());
        let ticks = |length: f64| {
            let ticks = cell_ticks(&[0.0, 1e-6, 3.0], length, |label| label.len() as f64).ticks;
            ticks.into_iter().map(|tick| (tick.at, tick.label)).collect::<Vec<_>>()
        };
        let labelled = |labels: [&str; 3]| {
            let middles = [0.5, 1.5, 2.5].map(|i| i / 3.0);
            middles.into_iter().zip(labels.map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(ticks(12.0), labelled(["0", "1e-6", "3"]));
        assert_eq!(ticks(11.0), labelled(["0", "", "3"]));
    }

    #[test]
    fn words_and_entries_flow_into_lines() {
        let width = |text: &str| text.len() as f64;
        assert_eq!(wrap("one two three", 7.0, width), ["one two", "three"]);
        assert_eq!(wrap("", 7.0, width), Vec::<String>::new());
        let lines = flow(vec!["aa", "bbb", "cccccccc", "d"], 6.0, |text| width(text));
        assert_eq!(lines, [(vec!["aa", "bbb"], 5.0), (vec!["cccccccc"], 8.0), (vec!["d"], 1.0)]);
    }
}
