//! From values to coordinates, with round numbers as ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::report::format;

/// A linear axis whose ends are ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    step: f64,
    /// Coordinates of `low` and `high`.
    start: f64,
    end: f64,
}

impl Scale {
    /// An axis over all finite values, a few ticks long; none if there are no finite values or they
    /// are too far apart to count between.
    pub fn over(values: impl IntoIterator<Item = f64>) -> Option<Scale> {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (mut low, mut high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return None;
        }
        // One value alone gets some room on both sides.
        if high - low <= f64::EPSILON * low.abs().max(high.abs()) {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / 5.0);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let sound = step.is_normal() && (high - low).is_finite() && (high - low) / step < 20.0;
        sound.then_some(Scale { low, high, step, start: 0.0, end: 1.0 })
    }

    /// The same axis between two coordinates.
    pub fn between(self, start: f64, end: f64) -> Scale {
        Scale { start, end, ..self }
    }

    /// The coordinate of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// Round values from end to end, with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|place| self.low + place as f64 * self.step).map(|value| (value, self.label(value))).collect()
    }

    fn label(&self, value: f64) -> String {
        if self.step >= 1e12 || self.step < 1e-6 {
            return format!("{value:.1e}");
        }
        let (value, step, unit) = match self.step {
            step if step >= 1e5 => (value / 1e6, step / 1e6, " M"),
            step => (value, step, ""),
        };
        // The small constant keeps 0.1, whose logarithm is not exactly -1, from a second decimal.
        let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
        format!("{}{unit}", format::decimal(value, decimals))
    }
}

/// As an axis of plotters. Its own choice of ticks ends before the axis does, and is not as round.
impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.between(f64::from(limit.0), f64::from(limit.1)).at(*value).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let ticks = self.ticks();
        let every = ticks.len().div_ceil(hint.max_num_points().max(1)).max(1);
        ticks.into_iter().map(|(value, _)| value).step_by(every).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// The least of 1, 2, 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power);
    round.into_iter().find(|round| *round >= step * (1.0 - 1e-9)).unwrap_or(step)
}

#[cfg(test)]
mod tests {
    use super::Scale;

    fn labels(values: &[f64]) -> Vec<String> {
        let scale = Scale::over(values.iter().copied()).unwrap();
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        assert_eq!(labels(&[0.0, 1.0]), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&[0.71, 0.79]), ["0.70", "0.72", "0.74", "0.76", "0.78", "0.80"]);
        assert_eq!(labels(&[-3.0, 12.0]), ["-5", "0", "5", "10", "15"]);
        assert_eq!(labels(&[5.0]), ["4.4", "4.6", "4.8", "5.0", "5.2", "5.4", "5.6"]);
        assert_eq!(labels(&[0.0, 2_000_000.0]), ["0.0 M", "0.5 M", "1.0 M", "1.5 M", "2.0 M"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_none() {
        assert_eq!(Scale::over([]), None);
        assert_eq!(Scale::over([f64::NAN, f64::INFINITY]), None);
        assert_eq!(Scale::over([-f64::MAX, f64::MAX]), None);
    }

    #[test]
    fn coordinates() {
        let scale = Scale::over([0.0, 10.0]).unwrap().between(100.0, 0.0);
        assert_eq!(scale.at(0.0), 100.0);
        assert_eq!(scale.at(7.5), 25.0);
    }
}
