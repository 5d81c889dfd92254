//! Whether what is given a probability of p happens in a share p of the cases.

use super::Predictions;
use crate::metrics::ratio;
use serde::Serialize;

/// Bins of equal width and the expected calibration error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Bins that hold rows, from the lowest.
    pub bins: Vec<CalibrationBin>,
    /// Σ rows/n · |mean probability − share of positives| over the bins (Naeini et al. 2015).
    pub expected_error: f64,
}

/// Rows whose probability lies in [low, high), the last bin including 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// Rows in the bin.
    pub rows: usize,
    /// Their mean probability.
    pub mean_probability: f64,
    /// The share of them with a positive outcome.
    pub positive_share: f64,
}

impl Predictions {
    /// Divides 0 to 1 into `bins` of equal width (0 is taken as 1).
    pub fn calibration(&self, bins: usize) -> Calibration {
        let bins = bins.max(1);
        let mut sums = vec![(0_usize, 0.0, 0.0); bins];
        for (truth, probability) in self.pairs() {
            if let Some((rows, probabilities, positives)) = sums.get_mut(bin_of(probability, bins)) {
                *rows += 1;
                *probabilities += probability;
                *positives += f64::from(u8::from(truth));
            }
        }
        let bound = |bin: usize| bin as f64 / bins as f64;
        let bin = |(bin, (rows, probabilities, positives)): (usize, (usize, f64, f64))| {
            Some(CalibrationBin {
                low: bound(bin),
                high: bound(bin + 1),
                rows,
                mean_probability: ratio(probabilities, rows as f64)?,
                positive_share: ratio(positives, rows as f64)?,
            })
        };
        let bins: Vec<CalibrationBin> = sums.into_iter().enumerate().filter_map(bin).collect();
        Calibration { expected_error: expected_error(&bins, self.rows()), bins }
    }

    /// The expected calibration error where each row counts so many times, for resamples; 0 where none counts.
    pub fn calibration_error(&self, bins: usize, times: &[u32]) -> f64 {
        let bins = bins.max(1);
        let (mut gaps, mut rows) = (vec![0.0; bins], 0.0);
        for ((truth, probability), times) in self.pairs().zip(times) {
            if let Some(gap) = gaps.get_mut(bin_of(probability, bins)) {
                *gap += f64::from(*times) * (probability - f64::from(u8::from(truth)));
                rows += f64::from(*times);
            }
        }
        ratio(gaps.iter().map(|gap: &f64| gap.abs()).sum(), rows).unwrap_or(0.0)
    }
}

/// The bin of equal width that a probability belongs to.
fn bin_of(probability: f64, bins: usize) -> usize {
    ((probability * bins as f64) as usize).min(bins - 1)
}

/// Σ rows/n · |mean probability − share of positives|.
fn expected_error(bins: &[CalibrationBin], rows: usize) -> f64 {
    let error = |bin: &CalibrationBin| bin.rows as f64 * (bin.mean_probability - bin.positive_share).abs();
    bins.iter().map(error).sum::<f64>() / rows as f64
}
