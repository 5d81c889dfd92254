//! Measures of predicted probabilities of two and more classes.

mod confusion;
mod intervals;
#[cfg(test)]
mod tests;

pub use confusion::{ClassScores, ConfusionMatrix};

use super::classification::Ranking;
use super::{MetricError, check_lengths};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How far the probabilities of a row may be from a sum of 1.
const SUM_TOLERANCE: f64 = 1e-6;

/// True classes and predicted probabilities, checked once for all measures.
#[derive(Debug, Clone)]
pub struct ClassPredictions {
    classes: Vec<u32>,
    /// Rows × classes.
    probability: Array2<f64>,
    /// The most probable class of each row, of equally probable ones the first.
    predicted: Vec<u32>,
}

/// Why there are no measures of many classes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassesError {
    /// As for all measures.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// True classes that have no column of probabilities.
    #[error("measure a model of {columns} classes on {rows} rows of other classes")]
    Class {
        /// Such rows.
        rows: usize,
        /// Columns of probabilities.
        columns: usize,
    },
    /// Rows whose probabilities are not those of one of the classes.
    #[error("measure a model: the probabilities of {0} rows do not sum up to 1")]
    Sum(usize),
}

/// A measure of many classes that is no mean over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassMeasure {
    /// See [`ConfusionMatrix::accuracy`].
    Accuracy,
    /// See [`ConfusionMatrix::balanced_accuracy`].
    BalancedAccuracy,
    /// See [`ConfusionMatrix::macro_mean`].
    MacroPrecision,
    /// See [`ConfusionMatrix::macro_mean`].
    MacroRecall,
    /// See [`ConfusionMatrix::macro_mean`].
    MacroF1,
    /// See [`ConfusionMatrix::weighted_mean`].
    WeightedPrecision,
    /// See [`ConfusionMatrix::weighted_mean`].
    WeightedRecall,
    /// See [`ConfusionMatrix::weighted_mean`].
    WeightedF1,
    /// See [`ConfusionMatrix::mcc`].
    Mcc,
}

impl ClassMeasure {
    /// All of them.
    pub const ALL: [ClassMeasure; 9] = [
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::MacroPrecision,
        Self::MacroRecall,
        Self::MacroF1,
        Self::WeightedPrecision,
        Self::WeightedRecall,
        Self::WeightedF1,
        Self::Mcc,
    ];

    /// The standard name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::MacroPrecision => "macro_precision",
            Self::MacroRecall => "macro_recall",
            Self::MacroF1 => "macro_f1",
            Self::WeightedPrecision => "weighted_precision",
            Self::WeightedRecall => "weighted_recall",
            Self::WeightedF1 => "weighted_f1",
            Self::Mcc => "mcc",
        }
    }
}

impl ClassPredictions {
    /// `classes` hold the column of `probability` (rows × classes) that is the true class.
    ///
    /// # Errors
    /// On no rows, differing lengths, probabilities that are NaN or outside 0 to 1, rows
    /// whose probabilities are off a sum of 1 by more than 1e-6, and classes without a column.
    pub fn new(classes: &[u32], probability: Array2<f64>) -> Result<Self, ClassesError> {
        check_lengths(classes.len(), probability.nrows())?;
        let columns = probability.ncols();
        let invalid = probability.iter().filter(|p| !(0.0..=1.0).contains(*p)).count();
        if invalid > 0 || classes.len() > i32::MAX as usize || columns > u16::MAX as usize {
            return Err(MetricError::Invalid(invalid).into());
        }
        let unknown = classes.iter().filter(|class| **class as usize >= columns).count();
        if unknown > 0 {
            return Err(ClassesError::Class { rows: unknown, columns });
        }
        let off = probability.rows().into_iter().filter(|row| (row.sum() - 1.0).abs() > SUM_TOLERANCE).count();
        if off > 0 {
            return Err(ClassesError::Sum(off));
        }
        let predicted = probability.rows().into_iter().map(|row| {
            let first_highest = |best: (u32, f64), (class, &p)| if p > best.1 { (class, p) } else { best };
            (0_u32..).zip(row).fold((0, f64::NEG_INFINITY), first_highest).0
        });
        let predicted = predicted.collect();
        Ok(Self { classes: classes.to_vec(), probability, predicted })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.classes.len()
    }

    /// The number of classes that have probabilities.
    pub fn class_count(&self) -> usize {
        self.probability.ncols()
    }

    /// Rows × classes.
    pub fn probability(&self) -> ArrayView2<'_, f64> {
        self.probability.view()
    }

    /// The most probable class of each row, of equally probable ones the first.
    pub fn predicted(&self) -> &[u32] {
        &self.predicted
    }

    /// 1 for each row whose most probable class is the true one, else 0; its mean is the accuracy.
    pub fn hits(&self) -> Vec<f64> {
        self.classes.iter().zip(&self.predicted).map(|(a, b)| f64::from(u8::from(a == b))).collect()
    }

    /// −log of the probability given to the true class, by row; probabilities are kept 2.2e-16 away
    /// from 0 and 1, as scikit-learn does.
    pub fn log_losses(&self) -> Vec<f64> {
        self.of_truth(|_, p| -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln())
    }

    /// Σ over classes (probability − 1 or 0)², by row: from 0 to 2, for two classes twice
    /// [`super::classification::Predictions::brier_losses`] (Brier 1950).
    pub fn brier_losses(&self) -> Vec<f64> {
        self.of_truth(|row, p| {
            let squares: f64 = row.iter().map(|other| other * other).sum();
            squares - p * p + (1.0 - p).powi(2)
        })
    }

    /// Mean of [`ClassPredictions::log_losses`].
    pub fn log_loss(&self) -> f64 {
        self.log_losses().iter().sum::<f64>() / self.rows() as f64
    }

    /// Mean of [`ClassPredictions::brier_losses`].
    pub fn brier(&self) -> f64 {
        self.brier_losses().iter().sum::<f64>() / self.rows() as f64
    }

    /// Rows by true and predicted class.
    pub fn confusion(&self) -> ConfusionMatrix {
        ConfusionMatrix::of(&self.classes, &self.predicted, self.class_count())
    }

    /// ROC AUC of each class against all others; `None` for a class that no row or every row has.
    pub fn roc_aucs(&self) -> Vec<Option<f64>> {
        (0..self.class_count()).into_par_iter().map(|class| self.one_vs_rest(class)?.roc_auc()).collect()
    }

    /// The mean of [`ClassPredictions::roc_aucs`] over the classes that have one; `None` without any.
    pub fn roc_auc(&self) -> Option<f64> {
        let found: Vec<f64> = self.roc_aucs().into_iter().flatten().collect();
        super::ratio(found.iter().sum(), found.len() as f64)
    }

    /// Whether a row is of a class, ordered by the probability of that class: for curves, lift and
    /// intervals of a single class. `None` for a class without a column.
    pub fn one_vs_rest(&self, class: usize) -> Option<Ranking> {
        if class >= self.class_count() {
            return None;
        }
        let truth: Vec<bool> = self.classes.iter().map(|&own| own as usize == class).collect();
        Ranking::new(&truth, &self.probability.column(class).to_vec()).ok()
    }

    /// By row: a value of its probabilities and that of its true class.
    fn of_truth(&self, of: impl Fn(ndarray::ArrayView1<'_, f64>, f64) -> f64) -> Vec<f64> {
        let rows = self.probability.rows().into_iter().zip(&self.classes);
        rows.map(|(row, &class)| of(row, row.get(class as usize).copied().unwrap_or(0.0))).collect()
    }
}
