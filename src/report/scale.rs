//! Axes: from numbers to positions, and where the ticks go.

/// How numbers are spread along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; what is not positive has no place.
    Log,
}

/// Beyond this magnitude a number counts as infinite: differences must not overflow.
const HUGE: f64 = 1e300;

/// A scale and the range it shows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Span {
    scale: Scale,
    /// Ends, in logarithms (base 10) on a log scale.
    low: f64,
    high: f64,
}

/// A mark on an axis.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Tick {
    /// From 0 to 1 along the axis.
    pub(super) at: f64,
    /// Empty for a minor tick.
    pub(super) label: String,
}

/// All ticks of an axis.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Ticks {
    pub(super) ticks: Vec<Tick>,
    /// What all labels are to be multiplied by, such as `×10⁻³`; empty for 1.
    pub(super) factor: String,
}

impl Span {
    /// The range of the values that have a place on `scale`, widened by `margin` of itself at both ends.
    ///
    /// Without any such value it is 0 to 1 (0.1 to 1 on a log scale); a single value gets some room around it.
    pub(super) fn of(scale: Scale, values: impl IntoIterator<Item = f64>, margin: f64) -> Self {
        let places = values.into_iter().filter_map(|value| place(scale, value));
        let (low, high) = places
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)));
        let (low, high) = match scale {
            Scale::Linear if low > high => (0.0, 1.0),
            Scale::Log if low > high => (-1.0, 0.0),
            Scale::Log if high - low < 1e-3 => (low - 0.5, high + 0.5),
            Scale::Linear if high - low <= 1e-9 * low.abs().max(high.abs()) => {
                let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
                (low - room, high + room)
            }
            _ => (low, high),
        };
        let room = margin * (high - low);
        Self { scale, low: low - room, high: high + room }
    }

    /// Where `value` lies, 0 at the low end and 1 at the high one; `None` if it has no place.
    pub(super) fn position(&self, value: f64) -> Option<f64> {
        let position = (place(self.scale, value)? - self.low) / (self.high - self.low);
        position.is_finite().then_some(position)
    }

    /// Ticks at round numbers; about `count` of them are labelled.
    pub(super) fn ticks(&self, count: usize) -> Ticks {
        match self.scale {
            Scale::Linear => self.linear_ticks(count),
            Scale::Log if self.high - self.low < 0.35 => {
                let (low, high) = (10_f64.powf(self.low), 10_f64.powf(self.high));
                let mut ticks = Span { scale: Scale::Linear, low, high }.linear_ticks(count);
                for tick in &mut ticks.ticks {
                    let value = low + (high - low) * tick.at;
                    tick.at = (value.log10() - self.low) / (self.high - self.low);
                }
                ticks
            }
            Scale::Log => Ticks { ticks: self.log_ticks(count), factor: String::new() },
        }
    }

    fn linear_ticks(&self, count: usize) -> Ticks {
        let (low, high) = (self.low, self.high);
        let step = round_step((high - low) / count.max(1) as f64);
        let magnitude = low.abs().max(high.abs()).log10().floor() as i32;
        let exponent = if (-3..5).contains(&magnitude) { 0 } else { magnitude };
        let unit = 10_f64.powi(exponent);
        let decimals = (-(step / unit).log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
        let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
        let ticks = (first..=last).map(|i| {
            let value = i as f64 * step;
            let label = format!("{:.decimals$}", value / unit).replace('-', "−");
            Tick { at: (value - low) / (high - low), label }
        });
        let factor = if exponent == 0 { String::new() } else { format!("×{}", power_of_ten(exponent)) };
        Ticks { ticks: ticks.collect(), factor }
    }

    fn log_ticks(&self, count: usize) -> Vec<Tick> {
        let inside = |x: f64| (self.low - 1e-9..=self.high + 1e-9).contains(&x);
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let decades = (first..=last).filter(|&d| inside(f64::from(d))).count();
        let stride = decades.div_ceil(count.max(1)).max(1);
        let stride = i32::try_from(stride).unwrap_or(i32::MAX);
        let mut ticks = vec![];
        for decade in first..=last {
            for digit in 1..10 {
                // Between labelled decades that are far apart, only decades are marked.
                if digit > 1 && stride > 1 {
                    break;
                }
                let place = f64::from(decade) + f64::from(digit).log10();
                let label = match digit {
                    1 if decade.rem_euclid(stride) == 0 => power_of_ten(decade),
                    // Too few decades to read the axis by: some numbers between them help.
                    2 | 5 if decades < 2 => format!("{digit}×{}", power_of_ten(decade)),
                    _ => String::new(),
                };
                // Marks of a hundred decades would run together.
                if inside(place) && !(stride > 10 && label.is_empty()) {
                    ticks.push(Tick { at: (place - self.low) / (self.high - self.low), label });
                }
            }
        }
        ticks
    }
}

/// Where `value` lies on the number line of `scale`.
fn place(scale: Scale, value: f64) -> Option<f64> {
    match scale {
        _ if value.is_nan() || value.abs() > HUGE => None,
        Scale::Linear => Some(value),
        Scale::Log => (value > 0.0).then(|| value.log10()),
    }
}

/// The next of 1, 2, 5, 10, … times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| step <= factor * power * (1.0 + 1e-9));
    factor.unwrap_or(10.0) * power
}

/// `10⁻³`
pub(super) fn power_of_ten(exponent: i32) -> String {
    let superscript = exponent
        .to_string()
        .chars()
        .map(|digit| match digit {
            '-' => '⁻',
            digit => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize - '0' as usize],
        })
        .collect::<String>();
    format!("10{superscript}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scale: Scale, values: &[f64], expected: &str) {
        let ticks = Span::of(scale, values.iter().copied(), 0.0).ticks(5);
        let labels = ticks.ticks.iter().map(|tick| tick.label.as_str()).filter(|label| !label.is_empty());
        let mut text = labels.collect::<Vec<_>>().join(" ");
        if !ticks.factor.is_empty() {
            text = format!("{text} {}", ticks.factor);
        }
        assert_eq!(text, expected);
        assert!(ticks.ticks.iter().all(|tick| (-1e-6..=1.0 + 1e-6).contains(&tick.at)), "{ticks:?}");
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        check(Scale::Linear, &[0.0, 1.0], "0.0 0.2 0.4 0.6 0.8 1.0");
        check(Scale::Linear, &[-1.0, 1.0], "−1.0 −0.5 0.0 0.5 1.0");
        check(Scale::Linear, &[0.0, 20_000.0], "0 5000 10000 15000 20000");
        check(Scale::Linear, &[0.0, 2e6], "0.0 0.5 1.0 1.5 2.0 ×10⁶");
        check(Scale::Linear, &[0.0, 3e-5], "0 1 2 3 ×10⁻⁵");
        check(Scale::Linear, &[1.0, 1.000_02], "1.000000 1.000005 1.000010 1.000015 1.000020");
    }

    #[test]
    fn log_ticks_are_powers_of_ten_or_stand_between_them() {
        check(Scale::Log, &[1e-3, 10.0], "10⁻³ 10⁻² 10⁻¹ 10⁰ 10¹");
        check(Scale::Log, &[1e-12, 1.0], "10⁻¹² 10⁻⁹ 10⁻⁶ 10⁻³ 10⁰");
        check(Scale::Log, &[1e-200, 1.0], "10⁻¹⁶⁴ 10⁻¹²³ 10⁻⁸² 10⁻⁴¹ 10⁰");
        assert!(Span::of(Scale::Log, [1e-200, 1.0], 0.0).ticks(5).ticks.len() < 10);
        check(Scale::Log, &[1.5e-3, 9e-3], "2×10⁻³ 5×10⁻³");
        check(Scale::Log, &[1.0, 2.0], "1.0 1.2 1.4 1.6 1.8 2.0");
    }

    #[test]
    fn degenerate_ranges_still_have_ticks() {
        check(Scale::Linear, &[], "0.0 0.2 0.4 0.6 0.8 1.0");
        check(Scale::Linear, &[f64::NAN, f64::INFINITY, 1e305], "0.0 0.2 0.4 0.6 0.8 1.0");
        check(Scale::Linear, &[0.0], "−1.0 −0.5 0.0 0.5 1.0");
        check(Scale::Linear, &[3.0], "2.8 3.0 3.2");
        check(Scale::Log, &[], "10⁻¹ 10⁰");
        check(Scale::Log, &[0.0, -1.0, 1e-4], "5×10⁻⁵ 10⁻⁴ 2×10⁻⁴");
        check(Scale::Linear, &[-1e300, 1e300], "−1.0 −0.5 0.0 0.5 1.0 ×10³⁰⁰");
    }

    #[test]
    fn positions_run_from_end_to_end() {
        let span = Span::of(Scale::Log, [1e-4, 1.0], 0.0);
        assert_eq!(span.position(1e-2), Some(0.5));
        assert_eq!(span.position(0.0), None);
        assert_eq!(span.position(f64::NAN), None);
        let span = Span::of(Scale::Linear, [0.0, 2.0], 0.25);
        assert_eq!(span.position(-0.5), Some(0.0));
        assert_eq!(span.position(1.0), Some(0.5));
    }
}
