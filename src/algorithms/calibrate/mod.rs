//! Calibration: from the score of a classifier to the probability of its positive class.
//!
//! [`Platt`] fits a sigmoid, two numbers, and suits few rows and scores that separate like those of
//! a support vector machine; [`Isotonic`] fits any rising function and needs more rows (roughly a
//! thousand) not to follow chance. Both must be fitted on rows that the classifier has not seen.
//!
//! Input that is refused: no rows, differing lengths, NaN or infinite scores, weights that are
//! negative or not finite, one class (rows of weight zero do not count). Scores to be calibrated may
//! be anything: infinite ones give the limit, NaN gives NaN.

mod isotonic;
mod platt;
#[cfg(test)]
mod tests;

pub use isotonic::Isotonic;
pub use platt::Platt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How to calibrate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// See [`Platt`].
    #[default]
    Platt,
    /// See [`Isotonic`].
    Isotonic,
}

/// A fitted calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Calibrator {
    /// A sigmoid.
    Platt(Platt),
    /// A rising function.
    Isotonic(Isotonic),
}

/// Why there is no calibration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// Nothing to learn from.
    #[error("calibrate on no rows")]
    NoRows,
    /// Scores, outcomes or weights differ in number.
    #[error("calibrate {scores} scores with {others} outcomes or weights")]
    Length {
        /// Scores.
        scores: usize,
        /// Outcomes or weights.
        others: usize,
    },
    /// NaN or infinite scores.
    #[error("calibrate {0} scores that are not finite")]
    NonFinite(usize),
    /// Weights that are negative or not finite, or too large to be summed up.
    #[error("calibrate with weights that are not finite numbers at or above zero")]
    Weights,
    /// All outcomes are the same.
    #[error("calibrate on outcomes that are all the same")]
    OneClass,
}

/// Fits on scores, of which higher ones speak for the positive class, and outcomes; `weights` are 1
/// without any. The result does not depend on the number of threads.
pub fn fit(
    method: Method,
    scores: &[f64],
    positive: &[bool],
    weights: Option<&[f64]>,
) -> Result<Calibrator, CalibrateError> {
    Ok(match method {
        Method::Platt => Calibrator::Platt(Platt::fit(scores, positive, weights)?),
        Method::Isotonic => Calibrator::Isotonic(Isotonic::fit(scores, positive, weights)?),
    })
}

impl Calibrator {
    /// The probability of the positive class.
    pub fn of(&self, score: f64) -> f64 {
        match self {
            Self::Platt(found) => found.of(score),
            Self::Isotonic(found) => found.of(score),
        }
    }

    /// [`Calibrator::of`] of every score.
    pub fn of_all(&self, scores: &[f64]) -> Vec<f64> {
        scores.par_iter().with_min_len(BLOCK).map(|&score| self.of(score)).collect()
    }
}

/// Rows whose sums are taken together; fixed, so that sums do not depend on the threads.
const BLOCK: usize = 4096;

/// What is fitted on: checked once.
struct Rows<'a> {
    scores: &'a [f64],
    positive: &'a [bool],
    weights: Option<&'a [f64]>,
    /// Σ weights of the positive rows.
    positives: f64,
    /// Σ weights of the others.
    negatives: f64,
}

impl<'a> Rows<'a> {
    fn new(scores: &'a [f64], positive: &'a [bool], weights: Option<&'a [f64]>) -> Result<Self, CalibrateError> {
        let others = [Some(positive.len()), weights.map(<[f64]>::len)];
        if let Some(others) = others.into_iter().flatten().find(|&others| others != scores.len()) {
            return Err(CalibrateError::Length { scores: scores.len(), others });
        }
        if scores.is_empty() || scores.len() > u32::MAX as usize {
            return Err(CalibrateError::NoRows);
        }
        match scores.iter().filter(|score| !score.is_finite()).count() {
            0 => {}
            bad => return Err(CalibrateError::NonFinite(bad)),
        }
        if weights.is_some_and(|weights| weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0))) {
            return Err(CalibrateError::Weights);
        }
        let mut rows = Self { scores, positive, weights, positives: 0.0, negatives: 0.0 };
        let (positives, negatives) =
            rows.blocks().fold((0.0, 0.0), |sums, block| {
                block.fold(sums, |(positives, negatives), (_, positive, weight)| {
                    if positive { (positives + weight, negatives) } else { (positives, negatives + weight) }
                })
            });
        (rows.positives, rows.negatives) = (positives, negatives);
        if !(rows.positives + rows.negatives).is_finite() {
            return Err(CalibrateError::Weights);
        }
        if rows.positives <= 0.0 || rows.negatives <= 0.0 {
            return Err(CalibrateError::OneClass);
        }
        Ok(rows)
    }

    /// Score, outcome and weight of the rows, block by block.
    fn blocks(&self) -> impl Iterator<Item = impl Iterator<Item = (f64, bool, f64)> + '_> + '_ {
        (0..self.scores.len().div_ceil(BLOCK)).map(|block| self.block(block))
    }

    fn block(&self, block: usize) -> impl Iterator<Item = (f64, bool, f64)> + '_ {
        let rows = block * BLOCK..((block + 1) * BLOCK).min(self.scores.len());
        rows.filter_map(|row| {
            let weight = self.weights.map_or(Some(1.0), |weights| weights.get(row).copied());
            Some((*self.scores.get(row)?, *self.positive.get(row)?, weight?))
        })
    }
}
