//! How far a number of each entity moved between two moments.

use serde::{Deserialize, Serialize};

use super::profile::{ColumnProfile, psi};

/// Entities below which quantiles would be the values of single ones.
pub const QUANTILES_MIN: usize = 20;
/// Of fewer values there is no mean.
pub const MEAN_MIN: usize = 10;
/// The probability from which on yes is the likelier answer.
const HALF: f64 = 0.5;

/// The mean and some quantiles of a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Values that are there.
    pub count: u64,
    pub mean: f64,
    /// Of fewer than [`QUANTILES_MIN`] values there are none.
    pub quantiles: Option<Quantiles>,
}

/// Quantiles by linear interpolation between the two nearest values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub p05: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p95: f64,
}

/// What became of one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// Of everyone who was there before.
    pub before: Option<Summary>,
    /// Of everyone who is there now.
    pub now: Option<Summary>,
    /// Now minus before, of those who have both values.
    pub change: Option<Summary>,
    pub rose: u64,
    pub fell: u64,
    /// In another tenth of the distribution before; those who got or lost a value too.
    pub other_tenth: u64,
    /// The population stability index of now against before; none of too few values.
    pub psi: Option<f64>,
    /// What it stays below in 19 of 20 cases when nothing has moved.
    pub psi_chance: Option<f64>,
    /// From below one half to one half or more.
    pub crossed_up: u64,
    /// From one half or more to below.
    pub crossed_down: u64,
}

/// An entity's value before and now; the outer `None` where it was not there, NaN where it had none.
pub type Pair = (Option<f64>, Option<f64>);

/// Compares the two moments. The result does not depend on the order of the pairs.
pub fn shift(pairs: &[Pair]) -> Shift {
    let before = sorted(pairs.iter().filter_map(|(before, _)| *before));
    let now = sorted(pairs.iter().filter_map(|(_, now)| *now));
    let both = || pairs.iter().filter_map(|(before, now)| Some(((*before)?, (*now)?)));
    let change = sorted(both().map(|(before, now)| now - before));
    let count = |of: &dyn Fn(f64, f64) -> bool| both().filter(|(before, now)| of(*before, *now)).count() as u64;
    let tenths = Tenths::of(&before);
    let profile = |values: Vec<f64>| ColumnProfile::of_numbers("", values);
    let earlier = profile(pairs.iter().filter_map(|(before, _)| *before).collect());
    let psi = psi(&earlier, &profile(pairs.iter().filter_map(|(_, now)| *now).collect()));
    Shift {
        rose: count(&|before, now| now > before),
        fell: count(&|before, now| now < before),
        other_tenth: count(&|before, now| tenths.bin(before) != tenths.bin(now)),
        psi: psi.map(|psi| psi.index),
        psi_chance: psi.map(|psi| psi.chance),
        crossed_up: count(&|before, now| before < HALF && now >= HALF),
        crossed_down: count(&|before, now| before >= HALF && now < HALF),
        before: Summary::of(&before),
        now: Summary::of(&now),
        change: Summary::of(&change),
    }
}

/// Values that are there, ascending.
fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

impl Summary {
    /// Of ascending values; summed in that order, so that the mean does not depend on who computed it.
    fn of(ascending: &[f64]) -> Option<Summary> {
        let count = ascending.len();
        let quantile = |share: f64| quantile(ascending, share).unwrap_or(f64::NAN);
        let quantiles = (count >= QUANTILES_MIN).then(|| Quantiles {
            p05: quantile(0.05),
            p25: quantile(0.25),
            p50: quantile(0.5),
            p75: quantile(0.75),
            p95: quantile(0.95),
        });
        let mean = ascending.iter().sum::<f64>() / count as f64;
        // The mean of a few is nearly what they have.
        (count >= MEAN_MIN).then_some(Summary { count: count as u64, mean, quantiles })
    }
}

/// R's type 7 (R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, 1996).
fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    let place = share * ascending.len().checked_sub(1)? as f64;
    let (low, rest) = (place.floor(), place.fract());
    let at = |place: f64| ascending.get(place as usize).copied();
    let low_value = at(low)?;
    if rest == 0.0 { Some(low_value) } else { Some(low_value + rest * (at(low + 1.0)? - low_value)) }
}

/// Ten bins that the values before fill evenly, as far as ties allow.
struct Tenths {
    /// Inner edges, ascending, without repeats.
    edges: Vec<f64>,
}

impl Tenths {
    fn of(ascending: &[f64]) -> Tenths {
        let mut edges: Vec<f64> = (1..10).filter_map(|tenth| quantile(ascending, f64::from(tenth) / 10.0)).collect();
        edges.dedup();
        Tenths { edges }
    }

    /// An edge belongs to the bin above it; what is missing has a bin of its own.
    fn bin(&self, value: f64) -> usize {
        if value.is_nan() { self.edges.len() + 1 } else { self.edges.partition_point(|edge| *edge <= value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-12, "{found}, not {wanted}");
    }

    #[test]
    fn moves_are_counted_by_entity() {
        let nan = f64::NAN;
        let pairs = [
            (Some(0.4), Some(0.6)), // up across one half
            (Some(0.5), Some(0.4)), // down across it
            (Some(0.2), Some(0.2)), // stays
            (Some(0.7), Some(nan)), // loses its value
            (Some(nan), Some(nan)), // has none
            (None, Some(0.9)),      // new
            (Some(0.1), None),      // gone
        ];
        let few = shift(&pairs);
        assert_eq!((few.rose, few.fell, few.crossed_up, few.crossed_down), (1, 1, 1, 1));
        assert_eq!((few.before, few.now, few.change), (None, None, None), "the mean of a few tells too much");
        let shift = shift(&pairs.repeat(4));
        let (before, now) = (shift.before.unwrap(), shift.now.unwrap());
        assert_eq!((before.count, now.count), (20, 16));
        close(before.mean, (0.4 + 0.5 + 0.2 + 0.7 + 0.1) / 5.0);
        close(now.mean, (0.6 + 0.4 + 0.2 + 0.9) / 4.0);
        let change = shift.change.unwrap();
        assert_eq!(change.count, 12);
        close(change.mean, 0.1 / 3.0);
        assert_eq!(change.quantiles, None, "twelve entities have no quantiles to tell");
    }

    #[test]
    fn quantiles_interpolate() {
        // numpy.quantile(range(1, 22), [.05, .25, .5, .75, .95]) gives 2, 6, 11, 16, 20.
        let pairs: Vec<Pair> = (1..=21).map(|value| (Some(f64::from(value)), Some(0.0))).collect();
        let quantiles = shift(&pairs).before.unwrap().quantiles.unwrap();
        assert_eq!(quantiles, Quantiles { p05: 2.0, p25: 6.0, p50: 11.0, p75: 16.0, p95: 20.0 });
        close(quantile(&[1.0, 2.0], 0.25).unwrap(), 1.25);
    }

    #[test]
    fn tenths_are_those_before() {
        // One hundred values, then all of them ten higher: each moves up one tenth but the last ten.
        let pairs: Vec<Pair> = (0..100).map(|value| (Some(f64::from(value)), Some(f64::from(value + 10)))).collect();
        let shift = shift(&pairs);
        assert_eq!(shift.other_tenth, 90);
        let profile = |from: u32| ColumnProfile::of_numbers("", (from..from + 100).map(f64::from).collect());
        assert_eq!(shift.psi, psi(&profile(0), &profile(10)).map(|psi| psi.index));
        assert!(shift.psi > Some(0.25), "{shift:?}");
    }

    #[test]
    fn nothing_and_constants_are_no_trouble() {
        let none = shift(&[]);
        assert_eq!((none.before, none.now, none.change, none.psi), (None, None, None, None));
        let constant = shift(&[(Some(1.0), Some(1.0)); 30]);
        assert_eq!((constant.rose, constant.other_tenth), (0, 0));
        assert!(constant.psi.is_none_or(|psi| psi < 1e-12), "{constant:?}");
        let infinite = shift(&[(Some(f64::INFINITY), Some(1.0))]);
        assert_eq!((infinite.before, infinite.fell), (None, 1));
    }
}
