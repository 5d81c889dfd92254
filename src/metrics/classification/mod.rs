//! Measures of predicted probabilities of a binary outcome.

mod calibration;
mod curves;
mod lift;
#[cfg(test)]
mod tests;
mod threshold;

pub use calibration::{Calibration, CalibrationBin};
pub use curves::{PrecisionRecallPoint, RocPoint};
pub use lift::Slice;
pub use threshold::Confusion;

use super::{MetricError, check_lengths};

/// Outcomes and predicted probabilities, checked and ordered once for all measures.
#[derive(Debug, Clone)]
pub struct Predictions {
    truth: Vec<bool>,
    probability: Vec<f64>,
    /// Rows by descending probability, then by position.
    order: Vec<u32>,
}

impl Predictions {
    /// Errors on no rows, differing lengths, and probabilities that are NaN or outside 0 to 1.
    pub fn new(truth: Vec<bool>, probability: Vec<f64>) -> Result<Self, MetricError> {
        check_lengths(truth.len(), probability.len())?;
        let invalid = probability.iter().filter(|p| !(0.0..=1.0).contains(*p)).count();
        if invalid > 0 || truth.len() > u32::MAX as usize {
            return Err(MetricError::Invalid(invalid));
        }
        let key = |row: u32| probability.get(row as usize).copied().unwrap_or(0.0);
        let mut order: Vec<u32> = (0..truth.len() as u32).collect();
        order.sort_by(|&a, &b| key(b).total_cmp(&key(a)).then(a.cmp(&b)));
        Ok(Self { truth, probability, order })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.truth.len()
    }

    /// The number of rows with a positive outcome.
    pub fn positives(&self) -> usize {
        self.truth.iter().filter(|&&t| t).count()
    }

    /// Outcomes with their probabilities, in the order of the rows.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (bool, f64)> + '_ {
        self.truth.iter().copied().zip(self.probability.iter().copied())
    }

    /// Rows with outcome and probability, most probable first.
    fn ranked(&self) -> impl Iterator<Item = (usize, bool, f64)> + '_ {
        let pair = |&row: &u32| {
            let row = row as usize;
            Some((row, *self.truth.get(row)?, *self.probability.get(row)?))
        };
        self.order.iter().filter_map(pair)
    }

    /// −log of the probability given to what happened, by row; probabilities are kept 2.2e-16 away
    /// from 0 and 1, as scikit-learn does, so that one wrong certainty is not infinite.
    pub fn log_losses(&self) -> Vec<f64> {
        let loss = |(truth, p): (bool, f64)| {
            let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            -(if truth { p } else { 1.0 - p }).ln()
        };
        self.pairs().map(loss).collect()
    }

    /// Squared difference of probability and outcome (1 or 0), by row.
    pub fn brier_losses(&self) -> Vec<f64> {
        self.pairs().map(|(truth, p)| (p - f64::from(u8::from(truth))).powi(2)).collect()
    }

    /// Mean of [`Predictions::log_losses`].
    pub fn log_loss(&self) -> f64 {
        self.log_losses().iter().sum::<f64>() / self.rows() as f64
    }

    /// Mean of [`Predictions::brier_losses`].
    pub fn brier(&self) -> f64 {
        self.brier_losses().iter().sum::<f64>() / self.rows() as f64
    }

    /// Area under the ROC curve: the chance that a positive row is given a higher probability than
    /// a negative one, equal ones counting half. `None` when all outcomes are the same.
    pub fn roc_auc(&self) -> Option<f64> {
        self.roc_auc_of(|_| 1)
    }

    /// [`Predictions::roc_auc`] of a table in which each row occurs as often as `times` says; for
    /// the bootstrap, without sorting again.
    pub fn roc_auc_of(&self, times: impl Fn(usize) -> u32) -> Option<f64> {
        let (mut area, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        self.each_level(times, |_, level_positives, level_negatives| {
            area += level_negatives * (positives + level_positives / 2.0);
            positives += level_positives;
            negatives += level_negatives;
        });
        super::ratio(area, positives * negatives)
    }

    /// Average precision: Σ (recallₙ − recallₙ₋₁) precisionₙ over the distinct probabilities from
    /// the highest. `None` without positive outcomes.
    pub fn average_precision(&self) -> Option<f64> {
        self.average_precision_of(|_| 1)
    }

    /// [`Predictions::average_precision`] with rows repeated, as [`Predictions::roc_auc_of`].
    pub fn average_precision_of(&self, times: impl Fn(usize) -> u32) -> Option<f64> {
        let (mut sum, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        self.each_level(times, |_, level_positives, level_negatives| {
            positives += level_positives;
            negatives += level_negatives;
            let reached: f64 = positives + negatives;
            if reached > 0.0 {
                sum += level_positives * positives / reached;
            }
        });
        super::ratio(sum, positives)
    }

    /// Goes through the distinct probabilities from the highest, with the positive and negative
    /// rows at each.
    fn each_level(&self, times: impl Fn(usize) -> u32, mut visit: impl FnMut(f64, f64, f64)) {
        let mut level = None;
        let (mut positives, mut negatives) = (0.0, 0.0);
        for (row, truth, probability) in self.ranked() {
            if let Some(before) = level.filter(|&before| before != probability) {
                visit(before, positives, negatives);
                (positives, negatives) = (0.0, 0.0);
            }
            level = Some(probability);
            *(if truth { &mut positives } else { &mut negatives }) += f64::from(times(row));
        }
        if let Some(last) = level {
            visit(last, positives, negatives);
        }
    }
}
