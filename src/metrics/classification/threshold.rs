//! Decisions at a threshold.

use super::Predictions;
use crate::metrics::ratio;
use serde::Serialize;

/// Numbers of rows by outcome and decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

impl Predictions {
    /// Predicts the outcome where the probability is at least `threshold`; NaN predicts nothing.
    pub fn confusion(&self, threshold: f64) -> Confusion {
        let mut found = Confusion::default();
        for (truth, probability) in self.pairs() {
            let cell = match (probability >= threshold, truth) {
                (true, true) => &mut found.true_positive,
                (true, false) => &mut found.false_positive,
                (false, false) => &mut found.true_negative,
                (false, true) => &mut found.false_negative,
            };
            *cell += 1;
        }
        found
    }
}

impl Confusion {
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
}
