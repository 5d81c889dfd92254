//! Measures of predicted probabilities of a binary outcome, and of scores that only order.

mod calibration;
mod choice;
mod curves;
mod lift;
mod ranking;
pub(super) mod resample;
mod sweep;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_intervals;
mod threshold;

pub use calibration::{Calibration, CalibrationBin};
pub use choice::{Capacity, Choice};
pub use curves::{PrecisionRecallPoint, RocPoint};
pub use lift::Slice;
pub use ranking::Ranking;
pub use sweep::BinaryMeasure;
pub(super) use sweep::sweep;
pub use threshold::Confusion;

use super::{MetricError, check_lengths};
use std::ops::Deref;

/// Outcomes and predicted probabilities, checked and ordered once for all measures. What needs
/// their order only are the methods of [`Ranking`].
#[derive(Debug, Clone)]
pub struct Predictions {
    ranking: Ranking,
    /// By row.
    probability: Vec<f64>,
}

impl Deref for Predictions {
    type Target = Ranking;

    fn deref(&self) -> &Ranking {
        &self.ranking
    }
}

impl Predictions {
    /// Errors on no rows, differing lengths, and probabilities that are NaN or outside 0 to 1.
    pub fn new(truth: Vec<bool>, probability: Vec<f64>) -> Result<Self, MetricError> {
        check_lengths(truth.len(), probability.len())?;
        match probability.iter().filter(|p| !(0.0..=1.0).contains(*p)).count() {
            0 => Ok(Self { ranking: Ranking::new(&truth, &probability)?, probability }),
            invalid => Err(MetricError::Invalid(invalid)),
        }
    }

    /// Outcomes with their probabilities, in the order of the rows.
    fn pairs(&self) -> impl Iterator<Item = (bool, f64)> + '_ {
        self.truth().zip(self.probability.iter().copied())
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
}
