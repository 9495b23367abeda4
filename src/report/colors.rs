//! Colours: a palette for curves, perceptually uniform maps for fields.

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
    /// Lightness rises evenly and hue turns evenly in Oklab (Ottosson 2020), so that equal steps look equal.
    pub(super) fn at(self, t: f64) -> Rgb {
        let t = t.clamp(0.0, 1.0);
        let (lightness, chroma, hue) = match self {
            Self::Field => ((0.28, 0.93), (0.115, 0.165), (300.0, 105.0)),
            Self::Error => ((0.20, 0.97), (0.10, 0.07), (-20.0, 105.0)),
        };
        let mix = |(a, b): (f64, f64)| a + (b - a) * t;
        // Chroma swells in the middle, where the screen's gamut is widest for these hues.
        let swell = match self {
            Self::Field => 0.0,
            Self::Error => 0.09 * (std::f64::consts::PI * t).sin(),
        };
        oklch(mix(lightness), mix(chroma) + swell, mix(hue))
    }
}

/// Lightness, chroma and hue (degrees) of Oklab to sRGB; chroma gives way where the gamut ends.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> Rgb {
    let (sin, cos) = hue.to_radians().sin_cos();
    let mut chroma = chroma;
    loop {
        let linear = oklab_to_linear(lightness, chroma * cos, chroma * sin);
        if chroma < 1e-3 || linear.iter().all(|x| (-1e-4..=1.0001).contains(x)) {
            let [r, g, b] = linear.map(encode);
            return (r, g, b);
        }
        chroma *= 0.97;
    }
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
        assert_eq!(oklch(1.0, 0.0, 0.0), (255, 255, 255));
        let (r, g, b) = oklch(0.6, 0.0, 123.0);
        assert!(r == g && g == b, "{r} {g} {b}");
    }

    #[test]
    fn maps_grow_lighter_without_jumps() {
        for map in [ColorMap::Field, ColorMap::Error] {
            let colors: Vec<_> = (0..=256).map(|i| map.at(f64::from(i) / 256.0)).collect();
            for pair in colors.windows(2) {
                assert!(luminance(pair[1]) >= luminance(pair[0]), "{map:?} {pair:?}");
                let step = |a: u8, b: u8| a.abs_diff(b);
                let ((r, g, b), (s, h, c)) = (pair[0], pair[1]);
                assert!(step(r, s).max(step(g, h)).max(step(b, c)) <= 12, "{map:?} {pair:?}");
            }
        }
    }
}
