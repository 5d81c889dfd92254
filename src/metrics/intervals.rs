//! Intervals by the percentile bootstrap (Efron 1979): draw as many units as there are, with
//! replacement, measure, repeat; the 95 % interval is what lies between the 2.5th and the 97.5th
//! percentile. Units are what was sampled: rows, or users with all their rows.

use super::evaluation::Estimate;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Resamples, where the caller has no other wish.
pub const RESAMPLES: usize = 200;

/// A measure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The measure on all units.
    pub estimate: f64,
    /// The 2.5th percentile of the resamples.
    pub low: f64,
    /// The 97.5th percentile of the resamples.
    pub high: f64,
}

impl Interval {
    /// Whether the whole interval is above zero: for a difference model − baseline of a measure of
    /// which more is better, whether the model beats its baseline.
    pub fn is_above_zero(&self) -> bool {
        self.low > 0.0
    }
}

impl From<Interval> for Estimate {
    fn from(found: Interval) -> Self {
        Self::interval(found.estimate, found.low, found.high)
    }
}

/// The interval of any measure of `units` units. `measure` is given how often each unit was drawn
/// and says `None` where the measure does not exist (AUC of a resample of one class); such
/// resamples are left out. `None` without units or resamples, or when the measure does not exist
/// on all units. The result does not depend on the number of threads.
pub fn bootstrap(
    units: usize,
    resamples: usize,
    rng: &mut impl Rng,
    measure: impl Fn(&[u32]) -> Option<f64> + Sync,
) -> Option<Interval> {
    if units == 0 || units > u32::MAX as usize {
        return None;
    }
    let estimate = measure(&vec![1; units])?;
    let seeds: Vec<u64> = (0..resamples).map(|_| rng.r#gen()).collect();
    let draw = |times: &mut Vec<u32>, seed: u64| {
        times.fill(0);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        for _ in 0..units {
            if let Some(drawn) = times.get_mut(rng.gen_range(0..units as u32) as usize) {
                *drawn += 1;
            }
        }
        measure(times).filter(|measure| !measure.is_nan())
    };
    let drawn = seeds.into_par_iter().map_init(|| vec![0; units], draw);
    let mut measures: Vec<f64> = drawn.flatten().collect();
    measures.sort_unstable_by(f64::total_cmp);
    Some(Interval { estimate, low: percentile(&measures, 0.025)?, high: percentile(&measures, 0.975)? })
}

/// From so many units on the interval of a mean is taken from its standard error: by the central limit theorem the
/// resamples would give the same, in a thousand times the time.
const NORMAL_MIN: usize = 20_000;
/// The 97.5th percentile of the standard normal distribution.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// The mean and 1.96 standard errors to both sides.
fn normal(values: impl Iterator<Item = f64> + Clone, count: usize) -> Interval {
    let mean = values.clone().sum::<f64>() / count as f64;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    let half = NORMAL_975 * (squares / count as f64 / count as f64).sqrt();
    Interval { estimate: mean, low: mean - half, high: mean + half }
}

/// The interval of the mean of one value a unit; of 20,000 units and more by the standard error. `None` without values.
pub fn mean(values: &[f64], resamples: usize, rng: &mut impl Rng) -> Option<Interval> {
    if values.len() >= NORMAL_MIN {
        return Some(normal(values.iter().copied(), values.len()));
    }
    bootstrap(values.len(), resamples, rng, |times| {
        let sum: f64 = values.iter().zip(times).map(|(v, &t)| v * f64::from(t)).sum();
        Some(sum / values.len() as f64)
    })
}

/// The interval of the mean of model − baseline, both measured on the same units: pairing them
/// cancels what makes a unit hard for both. `None` without values or when their numbers differ.
pub fn mean_difference(model: &[f64], baseline: &[f64], resamples: usize, rng: &mut impl Rng) -> Option<Interval> {
    if model.len() != baseline.len() {
        return None;
    }
    let differences: Vec<f64> = model.iter().zip(baseline).map(|(m, b)| m - b).collect();
    mean(&differences, resamples, rng)
}

/// A percentile of sorted values, interpolated linearly between neighbors (as numpy does).
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * sorted.len().checked_sub(1)? as f64;
    let below = sorted.get(position.floor() as usize)?;
    let above = sorted.get(position.ceil() as usize)?;
    Some(below + (above - below) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(7)
    }

    /// numpy.percentile([1, 2, 4, 8], [2.5, 97.5]) is [1.075, 7.7].
    #[test]
    fn percentiles_are_those_of_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert!((percentile(&sorted, 0.025).unwrap() - 1.075).abs() < 1e-12);
        assert!((percentile(&sorted, 0.975).unwrap() - 7.7).abs() < 1e-12);
        assert_eq!(percentile(&[], 0.5), None);
    }

    /// The mean of n values of deviation s has a standard error of s/√n: here 0.0289 for 400 values
    /// spread evenly over 0 to 2, so the interval reaches 0.0566 to either side.
    #[test]
    fn width_is_that_of_the_normal_approximation() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i) / 199.5).collect();
        let found = mean(&values, 4000, &mut rng()).unwrap();
        assert!((found.estimate - 1.0).abs() < 1e-12);
        assert!((found.low - (1.0 - 0.0566)).abs() < 0.004, "{found:?}");
        assert!((found.high - (1.0 + 0.0566)).abs() < 0.004, "{found:?}");
    }

    #[test]
    fn pairing_sees_a_small_but_steady_advantage() {
        let baseline: Vec<f64> = (0..300).map(|i| f64::from((i * 37) % 100)).collect();
        let model: Vec<f64> = baseline.iter().enumerate().map(|(i, b)| b + 0.5 + (i % 2) as f64).collect();
        let found = mean_difference(&model, &baseline, 200, &mut rng()).unwrap();
        assert!(found.is_above_zero() && (found.estimate - 1.0).abs() < 1e-12);
        assert!(!mean_difference(&baseline, &baseline, 200, &mut rng()).unwrap().is_above_zero());
        assert_eq!(mean_difference(&model, &baseline[1..], 200, &mut rng()), None);
    }

    #[test]
    fn what_does_not_exist() {
        assert_eq!(mean(&[], 200, &mut rng()), None);
        assert_eq!(mean(&[1.0], 0, &mut rng()), None);
        assert_eq!(bootstrap(3, 200, &mut rng(), |_| None), None);
        let one = Interval { estimate: 2.0, low: 2.0, high: 2.0 };
        assert_eq!(mean(&[2.0], 50, &mut rng()), Some(one));
        // Half of the resamples of two units lack one of them; the others count.
        let both = |times: &[u32]| times.iter().all(|&t| t > 0).then_some(5.0);
        assert_eq!(bootstrap(2, 100, &mut rng(), both).unwrap().low, 5.0);
    }

    proptest! {
        #[test]
        fn lies_within_the_values_and_not_on_the_threads(
            values in proptest::collection::vec(-1e3..1e3f64, 1..60),
        ) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            let one = pool.install(|| mean(&values, 60, &mut rng())).unwrap();
            prop_assert_eq!(Some(one), mean(&values, 60, &mut rng()));
            let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            prop_assert!(low - 1e-9 <= one.low && one.low <= one.high && one.high <= high + 1e-9);
        }
    }
}
