//! A surface to draw on, measured in points.
//!
//! One point is two pixels of the picture. Drawing is done at twice that resolution and averaged down, which smooths
//! every edge alike.

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont};
use plotters::coord::Shift;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::{
    BitMapBackend, Circle, DrawingArea, IntoDrawingArea, PathElement, RGBAColor, Rectangle,
};
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::ReportError;
use super::colors::Rgb;

/// Pixels of the picture for every point.
pub(super) const RESOLUTION: u32 = 2;
/// Pixels drawn for every pixel of the picture, along each axis.
const OVERSAMPLING: u32 = 2;
const SCALE: f64 = (RESOLUTION * OVERSAMPLING) as f64;

/// Inter Regular, cut down to Latin, Greek and mathematical symbols; see `assets/Inter-subset.LICENSE.txt`.
static FONT: &[u8] = include_bytes!("../../assets/Inter-subset.otf");

/// Height of capitals over the font size.
const CAPITALS: f64 = 0.727;

/// Horizontal position of a text against its anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// Which way a text runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// Left to right.
    Right,
    /// Bottom to top.
    Up,
}

/// The text sizes and widths of one font.
pub(super) struct Typeface(FontRef<'static>);

impl Typeface {
    /// The embedded font.
    pub(super) fn embedded() -> Result<Self, ReportError> {
        let font = FontRef::try_from_slice(FONT);
        font.map(Self).map_err(|error| ReportError::Draw(error.to_string()))
    }

    /// Width of `text` in points at font size `size`.
    pub(super) fn width(&self, text: &str, size: f64) -> f64 {
        self.glyphs(text, size).last().map_or(0.0, |(_, _, end)| end)
    }

    /// Glyphs of `text` with where each begins and ends, in points.
    fn glyphs(&self, text: &str, size: f64) -> impl Iterator<Item = (GlyphId, f64, f64)> {
        let font = self.0.as_scaled(self.scale(size));
        let mut pen = 0.0;
        let mut previous = None;
        text.chars().map(move |character| {
            let glyph = font.glyph_id(character);
            if let Some(previous) = previous.replace(glyph) {
                pen += f64::from(font.kern(previous, glyph));
            }
            let start = pen;
            pen += f64::from(font.h_advance(glyph));
            (glyph, start, pen)
        })
    }

    /// `ab_glyph` measures a font by ascent minus descent, designers by the em.
    fn scale(&self, size: f64) -> PxScale {
        let em = f64::from(self.0.units_per_em().unwrap_or(1000.0));
        PxScale::from((size * f64::from(self.0.height_unscaled()) / em) as f32)
    }
}

/// The surface. Coordinates are points from the top left corner.
pub(super) struct Canvas<'a> {
    area: DrawingArea<BitMapBackend<'a>, Shift>,
    typeface: &'a Typeface,
}

impl<'a> Canvas<'a> {
    /// A white page of `width × height` points, drawn on by `draw`, as PNG.
    pub(super) fn png(
        width: f64,
        height: f64,
        typeface: &Typeface,
        draw: impl FnOnce(&Canvas) -> Result<(), ReportError>,
    ) -> Result<Vec<u8>, ReportError> {
        let pixels = |points: f64| (points.ceil() as u32).max(1) * RESOLUTION;
        let (width, height) = (pixels(width), pixels(height));
        let fine = (width * OVERSAMPLING, height * OVERSAMPLING);
        let mut buffer = vec![255; 3 * fine.0 as usize * fine.1 as usize];
        let area = BitMapBackend::with_buffer(&mut buffer, fine).into_drawing_area();
        let canvas = Canvas { area, typeface };
        draw(&canvas)?;
        drop(canvas);
        encode(&average(&buffer, width as usize, height as usize), width, height)
    }

    /// The font to measure texts with.
    pub(super) fn typeface(&self) -> &Typeface {
        self.typeface
    }

    /// A path through `points`, `width` points wide, with round joints.
    pub(super) fn path(&self, points: &[(f64, f64)], width: f64, color: Rgb) -> Result<(), ReportError> {
        let stroke = (width * SCALE).round().max(1.0) as u32;
        let style = ShapeStyle { color: rgba(color, 1.0), filled: true, stroke_width: stroke };
        let joint = i32::try_from(stroke / 2).unwrap_or(1);
        for pair in points.windows(2) {
            let ends = vec![pixel(pair[0]), pixel(pair[1])];
            self.draw(&PathElement::new(ends, style))?;
        }
        for &point in points {
            self.draw(&Circle::new(pixel(point), joint, style))?;
        }
        Ok(())
    }

    /// The same, as dashes of `on` points with gaps of `off` points.
    pub(super) fn dashes(
        &self,
        points: &[(f64, f64)],
        width: f64,
        color: Rgb,
        (on, off): (f64, f64),
    ) -> Result<(), ReportError> {
        let mut dash = vec![];
        // How far along the pattern the pen is.
        let mut phase = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            let at = |s: f64| (x0 + (x1 - x0) * s / length, y0 + (y1 - y0) * s / length);
            let mut done = 0.0;
            while done < length {
                let end = if phase < on { on } else { on + off };
                let advance = (end - phase).min(length - done);
                if phase < on {
                    if dash.is_empty() {
                        dash.push(at(done));
                    }
                    dash.push(at(done + advance));
                }
                done += advance;
                phase += advance;
                if phase >= end - 1e-9 {
                    self.path(&std::mem::take(&mut dash), width, color)?;
                    phase = if end > on { 0.0 } else { on };
                }
            }
        }
        self.path(&dash, width, color)
    }

    /// A filled disc.
    pub(super) fn disc(&self, center: (f64, f64), radius: f64, color: Rgb) -> Result<(), ReportError> {
        let radius = (radius * SCALE).round().max(1.0) as i32;
        self.draw(&Circle::new(pixel(center), radius, rgba(color, 1.0).filled()))
    }

    /// A filled rectangle between two corners.
    pub(super) fn rectangle(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        color: Rgb,
        opacity: f64,
    ) -> Result<(), ReportError> {
        self.draw(&Rectangle::new([pixel(from), pixel(to)], rgba(color, opacity).filled()))
    }

    /// The band between `low` and `high`, two ordinates at every abscissa, abscissas rising.
    pub(super) fn band(
        &self,
        points: &[(f64, f64, f64)],
        color: Rgb,
        opacity: f64,
    ) -> Result<(), ReportError> {
        // One pixel wide lines cover each column exactly once, so that opacity stays even.
        let style = rgba(color, opacity).stroke_width(1);
        for pair in points.windows(2) {
            let ((x0, low0, high0), (x1, low1, high1)) = (pair[0], pair[1]);
            let (first, last) = ((x0 * SCALE).round() as i32, (x1 * SCALE).round() as i32);
            for column in first..last {
                let t = f64::from(column - first) / f64::from(last - first);
                let y = |a: f64, b: f64| ((a + (b - a) * t) * SCALE).round() as i32;
                let ends = vec![(column, y(low0, low1)), (column, y(high0, high1))];
                self.draw(&PathElement::new(ends, style))?;
            }
        }
        Ok(())
    }

    /// Fills the rectangle of `width × height` points at `corner` with `color(x, y)`, x and y from 0 to 1, y upwards.
    pub(super) fn image(
        &self,
        corner: (f64, f64),
        (width, height): (f64, f64),
        color: impl Fn(f64, f64) -> Rgb,
    ) -> Result<(), ReportError> {
        let (left, top) = pixel(corner);
        let (columns, rows) = ((width * SCALE) as i32, (height * SCALE) as i32);
        let fine = i32::try_from(OVERSAMPLING).unwrap_or(1);
        // Fields are smooth: one colour for each pixel of the picture is enough.
        for row in (0..rows).step_by(OVERSAMPLING as usize) {
            for column in (0..columns).step_by(OVERSAMPLING as usize) {
                let x = (f64::from(column) + 0.5) / f64::from(columns);
                let y = 1.0 - (f64::from(row) + 0.5) / f64::from(rows);
                let (r, g, b) = color(x, y);
                for (i, j) in (0..fine).flat_map(|i| (0..fine).map(move |j| (i, j))) {
                    let at = (left + column + i, top + row + j);
                    self.area.draw_pixel(at, &RGBColor(r, g, b)).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    /// A text whose capitals are centred on the height (or, upwards, the column) of `anchor`.
    pub(super) fn text(
        &self,
        text: &str,
        anchor: (f64, f64),
        size: f64,
        align: Align,
        direction: Direction,
        color: Rgb,
    ) -> Result<(), ReportError> {
        let width = self.typeface.width(text, size);
        let shift = match align {
            Align::Left => 0.0,
            Align::Center => -0.5 * width,
            Align::Right => -width,
        };
        let baseline = 0.5 * CAPITALS * size;
        let font = &self.typeface.0;
        let scale = self.typeface.scale(size * SCALE);
        for (glyph, start, _) in self.typeface.glyphs(text, size) {
            // Along the line of writing and down from the anchor, in drawn pixels.
            let origin = ((shift + start) * SCALE, baseline * SCALE);
            let position = ab_glyph::point(origin.0 as f32, origin.1 as f32);
            let Some(outline) = font.outline_glyph(glyph.with_scale_and_position(scale, position)) else {
                continue;
            };
            let bounds = outline.px_bounds();
            let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
            let (x, y) = pixel(anchor);
            let mut result = Ok(());
            outline.draw(|column, row, coverage| {
                let (along, down) = (left + column as i32, top + row as i32);
                let at = match direction {
                    Direction::Right => (x + along, y + down),
                    Direction::Up => (x + down, y - along),
                };
                let color = rgba(color, f64::from(coverage.min(1.0)));
                if let Err(error) = self.area.draw_pixel(at, &color) {
                    result = Err(failed(error));
                }
            });
            result?;
        }
        Ok(())
    }

    fn draw<E>(&self, element: &E) -> Result<(), ReportError>
    where
        for<'b> &'b E: PointCollection<'b, (i32, i32)>,
        E: Drawable<BitMapBackend<'a>>,
    {
        self.area.draw(element).map_err(failed)
    }
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    ((x * SCALE).round() as i32, (y * SCALE).round() as i32)
}

fn rgba((r, g, b): Rgb, opacity: f64) -> RGBAColor {
    RGBAColor(r, g, b, opacity)
}

fn failed(error: impl std::fmt::Display) -> ReportError {
    ReportError::Draw(error.to_string())
}

/// The mean of every square of drawn pixels; `width` and `height` count the picture's.
fn average(fine: &[u8], width: usize, height: usize) -> Vec<u8> {
    let n = OVERSAMPLING as usize;
    let mut picture = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        for column in 0..width {
            for channel in 0..3 {
                let mut sum = 0;
                for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let (y, x) = (row * n + i, column * n + j);
                    sum += usize::from(fine[3 * (y * width * n + x) + channel]);
                }
                picture.push(((sum + n * n / 2) / (n * n)) as u8);
            }
        }
    }
    picture
}

fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ReportError> {
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_filter(png::Filter::Adaptive);
    // Viewers then show the picture at its size in points.
    let pixels_per_meter = 72 * RESOLUTION * 10_000 / 254;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: pixels_per_meter,
        yppu: pixels_per_meter,
        unit: png::Unit::Meter,
    }));
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.map_err(failed)?;
    Ok(bytes)
}
