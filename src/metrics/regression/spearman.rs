//! Spearman's rank correlation.

use super::check;
use crate::metrics::{MetricError, ratio};

/// Truth and predictions by the places of their distinct values, ordered once for all resamples.
#[derive(Debug, Clone)]
pub struct Spearman {
    truth: Places,
    predicted: Places,
}

/// By row: the place of its value among the distinct ones, ascending.
#[derive(Debug, Clone)]
struct Places {
    of_row: Vec<u32>,
    count: usize,
}

impl Spearman {
    /// # Errors
    /// As [`check`], and on more than 4,294,967,295 rows.
    pub fn new(truth: &[f64], predicted: &[f64]) -> Result<Self, MetricError> {
        check(truth, predicted)?;
        if truth.len() > u32::MAX as usize {
            return Err(MetricError::Invalid(0));
        }
        Ok(Self { truth: Places::of(truth), predicted: Places::of(predicted) })
    }

    /// Pearson's correlation of the ranks, equal values having the mean of their ranks, when each row
    /// occurs as often as `times` says. `None` when the truth or the predictions are constant.
    pub fn of(&self, times: &[u32]) -> Option<f64> {
        let (truth, truth_square) = self.truth.centered_ranks(times);
        let (predicted, predicted_square) = self.predicted.centered_ranks(times);
        let rows = self.truth.of_row.iter().zip(&self.predicted.of_row).zip(times);
        let product = |((a, b), times): ((&u32, &u32), &u32)| {
            Some(f64::from(*times) * truth.get(*a as usize)? * predicted.get(*b as usize)?)
        };
        let sum: f64 = rows.filter_map(product).sum();
        ratio(sum, truth_square.sqrt() * predicted_square.sqrt())
    }
}

/// Spearman's rank correlation of predictions with the truth, as [`Spearman::of`]; `None` too where
/// [`Spearman::new`] errs.
pub fn spearman(truth: &[f64], predicted: &[f64], times: &[u32]) -> Option<f64> {
    Spearman::new(truth, predicted).ok()?.of(times)
}

impl Places {
    fn of(values: &[f64]) -> Self {
        // Adding zero turns −0 into 0.
        let mut ordered: Vec<(f64, u32)> = values.iter().zip(0_u32..).map(|(value, row)| (value + 0.0, row)).collect();
        ordered.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut of_row = vec![0; values.len()];
        let mut count = 0;
        for equal in ordered.chunk_by(|a, b| a.0 == b.0) {
            for (_, row) in equal {
                if let Some(place) = of_row.get_mut(*row as usize) {
                    *place = count as u32;
                }
            }
            count += 1;
        }
        Self { of_row, count }
    }

    /// By place: its mean rank minus the mean of all ranks; and Σ of their squares over the rows.
    fn centered_ranks(&self, times: &[u32]) -> (Vec<f64>, f64) {
        let mut ranks = vec![0.0; self.count];
        for (&place, &times) in self.of_row.iter().zip(times) {
            if let Some(rows) = ranks.get_mut(place as usize) {
                *rows += f64::from(times);
            }
        }
        let middle = ranks.iter().sum::<f64>() / 2.0;
        let (mut before, mut square) = (0.0, 0.0);
        for rank in &mut ranks {
            let rows = *rank;
            *rank = before + rows / 2.0 - middle;
            before += rows;
            square += rows * *rank * *rank;
        }
        (ranks, square)
    }
}
