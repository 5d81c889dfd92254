//! Decisions between many classes.

use super::ClassMeasure;
use crate::metrics::ratio;
use serde::Serialize;

/// Numbers of rows by true and predicted class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfusionMatrix {
    /// `counts[true class][predicted class]`.
    pub counts: Vec<Vec<u64>>,
}

/// How well one class is told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassScores {
    /// The class, by its place.
    pub class: usize,
    /// Rows of the class.
    pub support: u64,
    /// Rows predicted to be of it.
    pub predicted: u64,
    /// The share of these that are; `None` when there are none.
    pub precision: Option<f64>,
    /// The share of its rows that are predicted so; `None` when it has none.
    pub recall: Option<f64>,
    /// 2 hits / (support + predicted); `None` when both are none.
    pub f1: Option<f64>,
}

impl ConfusionMatrix {
    /// Of true and predicted classes below `count`; rows of other classes and rows beyond the shorter
    /// list are left out.
    pub fn of(classes: &[u32], predicted: &[u32], count: usize) -> Self {
        let mut counts = vec![vec![0; count]; count];
        for (&class, &predicted) in classes.iter().zip(predicted) {
            if let Some(cell) = counts.get_mut(class as usize).and_then(|row| row.get_mut(predicted as usize)) {
                *cell += 1;
            }
        }
        Self { counts }
    }

    /// From cells row by row.
    pub(super) fn of_cells(cells: &[u32], count: usize) -> Self {
        let row = |row: &[u32]| row.iter().map(|&cell| u64::from(cell)).collect();
        Self { counts: cells.chunks(count.max(1)).map(row).collect() }
    }

    /// One entry a class.
    pub fn scores(&self) -> Vec<ClassScores> {
        let predicted = self.predicted();
        let of = |(class, (row, predicted)): (usize, (&Vec<u64>, u64))| {
            let (hits, support) = (row.get(class).copied().unwrap_or(0), row.iter().sum::<u64>());
            ClassScores {
                class,
                support,
                predicted,
                precision: ratio(hits as f64, predicted as f64),
                recall: ratio(hits as f64, support as f64),
                f1: ratio(2.0 * hits as f64, (support + predicted) as f64),
            }
        };
        self.counts.iter().zip(predicted).enumerate().map(of).collect()
    }

    /// Any measure.
    pub fn measure(&self, measure: ClassMeasure) -> Option<f64> {
        match measure {
            ClassMeasure::Accuracy => self.accuracy(),
            ClassMeasure::BalancedAccuracy => self.balanced_accuracy(),
            ClassMeasure::MacroPrecision => self.macro_mean(|class| class.precision),
            ClassMeasure::MacroRecall => self.macro_mean(|class| class.recall),
            ClassMeasure::MacroF1 => self.macro_mean(|class| class.f1),
            ClassMeasure::WeightedPrecision => self.weighted_mean(|class| class.precision),
            ClassMeasure::WeightedRecall => self.weighted_mean(|class| class.recall),
            ClassMeasure::WeightedF1 => self.weighted_mean(|class| class.f1),
            ClassMeasure::Mcc => self.mcc(),
        }
    }

    /// The share of rows decided rightly; `None` without rows.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.hits(), self.rows())
    }

    /// The mean of recall over the classes that have rows; `None` without rows.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = self.scores().iter().filter_map(|class| class.recall).collect();
        ratio(recalls.iter().sum(), recalls.len() as f64)
    }

    /// The mean over the classes that have rows or are predicted, what does not exist for a class
    /// counting as 0, as scikit-learn does; `None` without rows.
    pub fn macro_mean(&self, of: impl Fn(&ClassScores) -> Option<f64>) -> Option<f64> {
        let there: Vec<ClassScores> = self.scores().into_iter().filter(|c| c.support + c.predicted > 0).collect();
        ratio(there.iter().map(|class| of(class).unwrap_or(0.0)).sum(), there.len() as f64)
    }

    /// The mean over the classes weighed by their rows, what does not exist for a class counting as
    /// 0; `None` without rows.
    pub fn weighted_mean(&self, of: impl Fn(&ClassScores) -> Option<f64>) -> Option<f64> {
        let weighed = |class: &ClassScores| class.support as f64 * of(class).unwrap_or(0.0);
        ratio(self.scores().iter().map(weighed).sum(), self.rows())
    }

    /// The correlation coefficient of true and predicted class, RK (Gorodkin 2004), for two classes
    /// that of Matthews: 1 for all rows right, 0 for decisions that know nothing. `None` when all rows
    /// are of one class or all decisions are the same.
    pub fn mcc(&self) -> Option<f64> {
        let rows = self.rows();
        let shares = |counts: Vec<u64>| -> Vec<f64> { counts.into_iter().map(|count| count as f64 / rows).collect() };
        let truth = shares(self.counts.iter().map(|row| row.iter().sum()).collect());
        let predicted = shares(self.predicted());
        // Σ p (1 − p) keeps the digits that 1 − Σ p² loses when one class has nearly all rows.
        let spread = |shares: &[f64]| shares.iter().map(|p| p * (1.0 - p)).sum::<f64>();
        let chance: f64 = truth.iter().zip(&predicted).map(|(t, p)| t * p).sum();
        let scale = spread(&truth).sqrt() * spread(&predicted).sqrt();
        ratio(self.hits() / rows - chance, scale)
    }

    /// By class: rows predicted to be of it.
    fn predicted(&self) -> Vec<u64> {
        let mut sums = vec![0; self.counts.len()];
        for row in &self.counts {
            sums.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        sums
    }

    fn rows(&self) -> f64 {
        self.counts.iter().flatten().sum::<u64>() as f64
    }

    fn hits(&self) -> f64 {
        self.counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum::<u64>() as f64
    }
}
