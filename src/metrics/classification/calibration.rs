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

    /// The expected calibration error over `bins` bins of equal width (0 is taken as 1) of a table in
    /// which each row occurs as often as `times` says; for the bootstrap. `None` when none occurs.
    pub fn calibration_error_of(&self, bins: usize, times: impl Fn(usize) -> u32) -> Option<f64> {
        let bins = bins.max(1);
        // Σ rows · |mean probability − share of positives| is Σ |Σ probability − Σ positives|.
        let mut sums = vec![0.0; bins];
        let mut rows = 0.0;
        for (row, (truth, probability)) in self.pairs().enumerate() {
            let times = f64::from(times(row));
            if let Some(sum) = sums.get_mut(bin_of(probability, bins)) {
                *sum += times * (probability - f64::from(u8::from(truth)));
            }
            rows += times;
        }
        ratio(sums.iter().map(|sum: &f64| sum.abs()).sum(), rows)
    }

    /// As [`Predictions::calibration`], with about as many rows in each of `bins` bins (0 is taken as
    /// 1): for rare outcomes, whose probabilities would all lie in the first bin. Rows of the same
    /// probability stay together; `low` and `high` are the lowest and highest probability in the bin.
    pub fn calibration_by_rows(&self, bins: usize) -> Calibration {
        let size = self.rows() as f64 / bins.max(1) as f64;
        let mut levels = Vec::new();
        self.each_level(|probability, positives, negatives| {
            levels.push((probability, positives, positives + negatives))
        });
        let mut found: Vec<CalibrationBin> = Vec::new();
        let (mut before, mut part) = (0.0, None);
        for (probability, positives, rows) in levels.into_iter().rev() {
            // The part of the rows that the middle of a level lies in.
            let own = ((before + rows / 2.0) / size) as usize;
            before += rows;
            match found.last_mut().filter(|_| part == Some(own)) {
                Some(bin) => bin.add(probability, positives, rows),
                None => {
                    let mut bin = CalibrationBin { low: probability, ..CalibrationBin::default() };
                    bin.add(probability, positives, rows);
                    found.push(bin);
                }
            }
            part = Some(own);
        }
        Calibration { expected_error: expected_error(&found, self.rows()), bins: found }
    }
}

impl CalibrationBin {
    /// Takes in rows of a probability that is higher than those before.
    fn add(&mut self, probability: f64, positives: f64, rows: f64) {
        let before = self.rows as f64;
        let mean = |old: f64, sum: f64| (old * before + sum) / (before + rows);
        self.high = probability;
        self.mean_probability = mean(self.mean_probability, probability * rows);
        self.positive_share = mean(self.positive_share, positives);
        self.rows += rows as usize;
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
