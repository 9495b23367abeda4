//! Colours: a palette for curves, perceptually uniform maps for fields.

use std::f64::consts::PI;

/// Red, green and blue, 0 to 255.
pub(super) type Rgb = (u8, u8, u8);

/// Text and axes.
pub(super) const INK: Rgb = (0x26, 0x26, 0x26);
/// Secondary text and marks.
pub(super) const MUTED: Rgb = (0x75, 0x75, 0x75);
/// Grid lines.
pub(super) const GRID: Rgb = (0xe9, 0xe9, 0xe9);
/// Where a field is not finite.
pub(super) const MISSING: Rgb = (0xd0, 0xd0, 0xd0);

/// Eight colours that stay apart under the common colour-vision deficiencies (Okabe and Ito 2008), black first,
/// their yellow darkened for thin lines on white.
const PALETTE: [Rgb; 8] = [
    INK,
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0xe6, 0x9f, 0x00),
    (0x56, 0xb4, 0xe9),
    (0xb8, 0xa8, 0x1e),
];

/// Colour `index` of the palette; 0 is black, further ones go round through the other seven.
pub(super) fn palette(index: usize) -> Rgb {
    match index {
        0 => PALETTE[0],
        n => PALETTE[1 + (n - 1) % (PALETTE.len() - 1)],
    }
}

/// How numbers become colours on a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColorMap {
    /// Dark violet over green to yellow: for fields.
    Field,
    /// Nearly black over red to pale yellow: for errors.
    Error,
}

impl ColorMap {
    /// The colour at `t` from 0 to 1.
    ///
    /// Lightness rises evenly and hue turns evenly in Oklab (Ottosson 2020), so that equal steps look equal;
    /// chroma follows the screen's gamut and stays within it.
    pub fn at(self, t: f64) -> (u8, u8, u8) {
        oklch(self.path(t.clamp(0.0, 1.0))).map_or(MISSING, |linear| linear.map(encode).into())
    }

    /// Lightness, chroma and hue (degrees) at `t`.
    fn path(self, t: f64) -> (f64, f64, f64) {
        match self {
            Self::Field => (0.27 + 0.65 * t, 0.095 + 0.2 * (t - 0.45).powi(2), 300.0 - 195.0 * t),
            Self::Error => (0.20 + 0.77 * t, 0.083 + 0.07 * (PI * t).sin(), 125.0 * t - 20.0),
        }
    }
}

/// Lightness, chroma and hue (degrees) of Oklab to linear sRGB, if the screen can show it.
fn oklch((lightness, chroma, hue): (f64, f64, f64)) -> Option<[f64; 3]> {
    let (sin, cos) = hue.to_radians().sin_cos();
    let linear = oklab_to_linear(lightness, chroma * cos, chroma * sin);
    linear.iter().all(|x| (-1e-6..=1.0 + 1e-6).contains(x)).then_some(linear)
}

fn oklab_to_linear(lightness: f64, a: f64, b: f64) -> [f64; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
}

/// The sRGB transfer function (IEC 61966-2-1), to a byte.
fn encode(linear: f64) -> u8 {
    let x = linear.clamp(0.0, 1.0);
    let x = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
    (255.0 * x).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour.
    fn luminance((r, g, b): Rgb) -> f64 {
        let linear = |x: u8| {
            let x = f64::from(x) / 255.0;
            if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    #[test]
    fn white_and_grey_come_out_of_oklab() {
        let color = |lightness| oklch((lightness, 0.0, 123.0)).map(|linear| linear.map(encode));
        assert_eq!(color(1.0), Some([255; 3]));
        let [r, g, b] = color(0.6).expect("a grey");
        assert!(r == g && g == b, "{r} {g} {b}");
        assert_eq!(oklch((0.5, 0.4, 140.0)), None);
    }

    #[test]
    fn maps_stay_in_gamut_and_grow_lighter_without_jumps() {
        for map in [ColorMap::Field, ColorMap::Error] {
            let places = (0..=256).map(|i| f64::from(i) / 256.0);
            let colors: Vec<_> = places.clone().map(|t| map.at(t)).collect();
            assert!(places.clone().all(|t| oklch(map.path(t)).is_some()), "{map:?}");
            for pair in colors.windows(2) {
                assert!(luminance(pair[1]) > luminance(pair[0]), "{map:?} {pair:?}");
                let ((r, g, b), (s, h, c)) = (pair[0], pair[1]);
                let step = r.abs_diff(s).max(g.abs_diff(h)).max(b.abs_diff(c));
                assert!(step <= 4, "{map:?} {pair:?}");
            }
        }
    }
}
