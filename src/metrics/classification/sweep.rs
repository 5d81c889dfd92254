//! From the counts of rows by score and outcome to all measures of an order and of decisions.

use super::threshold::Confusion;
use crate::metrics::ratio;
use serde::{Deserialize, Serialize};

/// A measure of a binary outcome that is no mean over rows, or not of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryMeasure {
    /// See [`super::Ranking::roc_auc`].
    RocAuc,
    /// See [`super::Ranking::average_precision`].
    AveragePrecision,
    /// See [`super::Ranking::ks`].
    Ks,
    /// See [`Confusion::accuracy`].
    Accuracy,
    /// See [`Confusion::balanced_accuracy`].
    BalancedAccuracy,
    /// See [`Confusion::precision`].
    Precision,
    /// See [`Confusion::recall`].
    Recall,
    /// See [`Confusion::f1`].
    F1,
    /// See [`Confusion::mcc`].
    Mcc,
}

impl BinaryMeasure {
    /// All of them, those of the order first.
    pub const ALL: [BinaryMeasure; 9] = [
        Self::RocAuc,
        Self::AveragePrecision,
        Self::Ks,
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::Precision,
        Self::Recall,
        Self::F1,
        Self::Mcc,
    ];

    /// The standard name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RocAuc => "roc_auc",
            Self::AveragePrecision => "average_precision",
            Self::Ks => "ks",
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::Mcc => "mcc",
        }
    }
}

/// What one pass over the counts finds.
#[derive(Debug, Clone, Copy)]
pub(in crate::metrics) struct Swept {
    /// Σ over levels: negatives · (positives above + half of those at the level).
    area: f64,
    /// Σ over levels: positives · precision down to it.
    precisions: f64,
    /// The largest |positives reached · negatives − negatives reached · positives|.
    gap: f64,
    positives: f64,
    negatives: f64,
    pub(super) confusion: Confusion,
}

impl Swept {
    pub(in crate::metrics) fn get(&self, measure: BinaryMeasure) -> Option<f64> {
        let pairs = self.positives * self.negatives;
        match measure {
            BinaryMeasure::RocAuc => ratio(self.area, pairs),
            BinaryMeasure::AveragePrecision => ratio(self.precisions, self.positives),
            BinaryMeasure::Ks => ratio(self.gap, pairs),
            BinaryMeasure::Accuracy => self.confusion.accuracy(),
            BinaryMeasure::BalancedAccuracy => self.confusion.balanced_accuracy(),
            BinaryMeasure::Precision => self.confusion.precision(),
            BinaryMeasure::Recall => self.confusion.recall(),
            BinaryMeasure::F1 => self.confusion.f1(),
            BinaryMeasure::Mcc => self.confusion.mcc(),
        }
    }
}

/// `counts` hold negatives and positives of each level, highest score first; the first `cut` levels
/// are predicted.
pub(in crate::metrics) fn sweep(counts: &[u32], cut: usize) -> Swept {
    let levels = counts.as_chunks::<2>().0;
    let (above, below) = levels.split_at(cut.min(levels.len()));
    let sum = |levels: &[[u32; 2]]| {
        levels.iter().fold((0_usize, 0_usize), |(negatives, positives), level| {
            (negatives + level[0] as usize, positives + level[1] as usize)
        })
    };
    let ((false_positive, true_positive), (true_negative, false_negative)) = (sum(above), sum(below));
    let confusion = Confusion { true_positive, false_positive, true_negative, false_negative };
    let positives = (true_positive + false_negative) as f64;
    let negatives = (false_positive + true_negative) as f64;
    let (mut area, mut precisions, mut gap) = (0.0, 0.0, 0.0_f64);
    // Counts are exact, and products of them up to 2⁵³.
    let (mut reached_positives, mut reached_negatives) = (0.0, 0.0);
    for &[level_negatives, level_positives] in levels {
        let (level_negatives, level_positives) = (f64::from(level_negatives), f64::from(level_positives));
        area += level_negatives * (reached_positives + level_positives * 0.5);
        reached_positives += level_positives;
        reached_negatives += level_negatives;
        if level_positives > 0.0 {
            precisions += level_positives * reached_positives / (reached_positives + reached_negatives);
        }
        gap = gap.max((reached_positives * negatives - reached_negatives * positives).abs());
    }
    Swept { area, precisions, gap, positives, negatives, confusion }
}
