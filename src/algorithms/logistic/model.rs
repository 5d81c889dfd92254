//! A fitted logistic regression.

use crate::algorithms::input::{InputError, check_finite, check_width};
use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

/// Coefficients and how they were come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    /// One a column: the change of the log-odds of the positive class per unit.
    pub coefficients: Vec<f64>,
    /// The log-odds where every column is zero.
    pub intercept: f64,
    /// The penalized loss on the training rows.
    pub objective: f64,
    /// Steps taken (for linfa, which does not tell, the limit).
    pub iterations: usize,
    /// Whether a minimum was reached (linfa: assumed).
    pub converged: bool,
}

impl Logistic {
    /// From the coefficients followed by the intercept.
    pub(super) fn new(mut parameters: Vec<f64>, objective: f64, iterations: usize, converged: bool) -> Self {
        let intercept = parameters.pop().unwrap_or(0.0);
        Self { coefficients: parameters, intercept, objective, iterations, converged }
    }

    /// The log-odds of the positive class for every row of `x`. Errors on another width and on NaN
    /// or infinite values; no rows give no log-odds.
    pub fn log_odds(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>, InputError> {
        check_width(x, self.coefficients.len())?;
        check_finite(x)?;
        Ok(x.dot(&ArrayView1::from(&self.coefficients)) + self.intercept)
    }

    /// The probability of the positive class for every row of `x`; as [`Logistic::log_odds`].
    pub fn predict_proba(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>, InputError> {
        Ok(self.log_odds(x)?.mapv_into(|z| 1.0 / (1.0 + (-z).exp())))
    }
}
