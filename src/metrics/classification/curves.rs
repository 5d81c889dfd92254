//! Curves over all thresholds, thinned for reports.

use super::Ranking;
use serde::Serialize;

/// The most points of a curve.
const POINTS_MAX: usize = 200;

/// What a threshold reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocPoint {
    /// Predicted where the probability is at least this; `None` where nothing is predicted.
    pub threshold: Option<f64>,
    /// The share of negative rows predicted.
    pub false_positive_rate: f64,
    /// The share of positive rows predicted.
    pub true_positive_rate: f64,
}

/// What a threshold reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecallPoint {
    /// Predicted where the probability is at least this.
    pub threshold: f64,
    /// The share of the predicted that happened.
    pub precision: f64,
    /// The share of what happened that was predicted.
    pub recall: f64,
}

/// Positive and negative rows with at least some probability.
struct Reached {
    threshold: f64,
    positives: f64,
    negatives: f64,
}

impl Ranking {
    /// The ROC curve from (0, 0) to (1, 1), at most 200 points evenly spread over the rows. Empty
    /// when all outcomes are the same.
    pub fn roc_curve(&self) -> Vec<RocPoint> {
        let positives = self.positives() as f64;
        let negatives = self.rows() as f64 - positives;
        if positives == 0.0 || negatives == 0.0 {
            return Vec::new();
        }
        let origin = RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 };
        let point = |reached: Reached| RocPoint {
            threshold: Some(reached.threshold),
            false_positive_rate: reached.negatives / negatives,
            true_positive_rate: reached.positives / positives,
        };
        std::iter::once(origin).chain(self.thinned(POINTS_MAX - 1).into_iter().map(point)).collect()
    }

    /// The precision–recall curve from the highest threshold to the lowest, at most 200 points
    /// evenly spread over the rows. Empty without positive outcomes.
    pub fn precision_recall_curve(&self) -> Vec<PrecisionRecallPoint> {
        let positives = self.positives() as f64;
        if positives == 0.0 {
            return Vec::new();
        }
        let point = |reached: Reached| PrecisionRecallPoint {
            threshold: reached.threshold,
            precision: reached.positives / (reached.positives + reached.negatives),
            recall: reached.positives / positives,
        };
        self.thinned(POINTS_MAX).into_iter().map(point).collect()
    }

    /// For each of `count` equal parts of the rows the last distinct probability within it, so that
    /// the first and the last are always there.
    fn thinned(&self, count: usize) -> Vec<Reached> {
        let rows = self.rows() as f64;
        let (mut positives, mut negatives) = (0.0, 0.0);
        let mut levels: Vec<Reached> = Vec::new();
        let part = |reached: f64| (reached * (count - 1) as f64 / rows).ceil() as usize;
        self.each_level(|threshold, level_positives, level_negatives| {
            let before: f64 = positives + negatives;
            positives += level_positives;
            negatives += level_negatives;
            let first = levels.len() == 1;
            if before > 0.0 && !first && part(before) == part(positives + negatives) {
                levels.pop();
            }
            levels.push(Reached { threshold, positives, negatives });
        });
        levels
    }
}
