//! Regions that move: built anew for each time, and drawn from evenly in space and time.

use crate::{Error, Spot, Wall};

/// The share of time that lies before a moment, where each moment counts by a measure: that of a wall or a region.
///
/// Points of a wall that grows have to become more with it, if all places of the surface it sweeps shall count alike.
pub struct Times {
    times: Vec<f64>,
    /// The integral of the measure up to each time.
    sums: Vec<f64>,
}

impl Times {
    /// Measures at `count` moments between `from` and `to`, joined by straight lines.
    ///
    /// # Errors
    /// What `measure` says, and [`Error::Empty`] where it is zero at all times.
    pub fn new(
        from: f64,
        to: f64,
        count: usize,
        mut measure: impl FnMut(f64) -> Result<f64, Error>,
    ) -> Result<Self, Error> {
        let count = count.max(2);
        let times: Vec<f64> =
            (0..count).map(|k| k as f64 / (count - 1) as f64).map(|s| (1.0 - s) * from + s * to).collect();
        let measures = times.iter().map(|&t| measure(t)).collect::<Result<Vec<_>, _>>()?;
        let mut sums = vec![0.0];
        for k in 1..count {
            sums.push(sums[k - 1] + 0.5 * (measures[k - 1] + measures[k]) * (times[k] - times[k - 1]).abs());
        }
        if sums[count - 1] > 0.0 { Ok(Self { times, sums }) } else { Err(Error::Empty) }
    }

    /// The time before which lies `share` of all; evenly spread shares become times by measure.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.sums.len() - 1;
        let target = share.clamp(0.0, 1.0) * self.sums[last];
        let k = self.sums.partition_point(|&sum| sum <= target).clamp(1, last);
        let part = (target - self.sums[k - 1]) / (self.sums[k] - self.sums[k - 1]);
        let part = if part.is_finite() { part } else { 0.5 };
        (1.0 - part) * self.times[k - 1] + part * self.times[k]
    }

    /// The measure of all that is swept: ∫ measure dt.
    pub fn total(&self) -> f64 {
        self.sums[self.sums.len() - 1]
    }
}

/// A time and the place on the wall at that time that belong to a point of the unit cube, its time coordinate first.
///
/// # Errors
/// What `wall` says.
pub fn at(
    times: &Times,
    unit: &[f64],
    wall: impl FnOnce(f64) -> Result<Wall, Error>,
) -> Result<(f64, Spot), Error> {
    let t = times.at(unit[0]);
    Ok((t, wall(t)?.at(&unit[1..])))
}
