//! Decisions at a threshold.

use super::Ranking;
use crate::metrics::ratio;
use serde::{Deserialize, Serialize};

/// Numbers of rows by outcome and decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Predicted and happened.
    pub true_positive: usize,
    /// Predicted and did not happen.
    pub false_positive: usize,
    /// Not predicted and did not happen.
    pub true_negative: usize,
    /// Not predicted and happened.
    pub false_negative: usize,
}

impl Ranking {
    /// Predicts the outcome where the score is at least `threshold`; NaN predicts nothing.
    pub fn confusion(&self, threshold: f64) -> Confusion {
        self.swept(threshold).confusion
    }
}

impl Confusion {
    /// Of outcomes and decisions.
    pub fn of(rows: impl Iterator<Item = (bool, bool)>) -> Confusion {
        let mut found = Confusion::default();
        for (truth, predicted) in rows {
            let cell = match (predicted, truth) {
                (true, true) => &mut found.true_positive,
                (true, false) => &mut found.false_positive,
                (false, false) => &mut found.true_negative,
                (false, true) => &mut found.false_negative,
            };
            *cell += 1;
        }
        found
    }

    /// The share of rows decided rightly.
    pub fn accuracy(&self) -> Option<f64> {
        let right = self.true_positive + self.true_negative;
        ratio(right as f64, (right + self.false_positive + self.false_negative) as f64)
    }

    /// The share of the predicted that happened; `None` when nothing was predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive as f64, (self.true_positive + self.false_positive) as f64)
    }

    /// The share of what happened that was predicted; `None` when nothing happened.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive as f64, (self.true_positive + self.false_negative) as f64)
    }

    /// The harmonic mean of precision and recall, 2TP / (2TP + FP + FN); `None` when nothing was
    /// predicted and nothing happened.
    pub fn f1(&self) -> Option<f64> {
        let twice = 2 * self.true_positive;
        ratio(twice as f64, (twice + self.false_positive + self.false_negative) as f64)
    }

    /// The share of what did not happen that was not predicted; `None` when everything happened.
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_negative as f64, (self.true_negative + self.false_positive) as f64)
    }

    /// The mean of recall and specificity; `None` when all outcomes are the same.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some(f64::midpoint(self.recall()?, self.specificity()?))
    }

    /// Matthews' correlation coefficient of outcome and decision, −1 to 1; `None` when all outcomes
    /// or all decisions are the same.
    pub fn mcc(&self) -> Option<f64> {
        let [tp, fp, tn, missed] =
            [self.true_positive, self.false_positive, self.true_negative, self.false_negative].map(|rows| rows as f64);
        // Roots one by one: the product of all four would lose digits, and overflow for very many rows.
        let scale = [tp + fp, tp + missed, tn + fp, tn + missed].map(f64::sqrt).iter().product();
        ratio(tp * tn - fp * missed, scale)
    }
}
