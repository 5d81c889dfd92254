//! A fitted logistic regression of two or more classes.

use crate::algorithms::exponential::exponential;
use crate::algorithms::input::{InputError, check_finite, check_width};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows that a thread takes at once.
const BLOCK_ROWS: usize = 2048;

/// Coefficients and how they were come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    /// Classes × columns: the change of the log-odds per unit. Of two classes there is one row, of class 1 against
    /// class 0.
    #[serde(with = "rows")]
    pub coefficients: Array2<f64>,
    /// One for each row of coefficients: the log-odds where every column is zero. Of more than two classes their sum is
    /// zero.
    pub intercepts: Vec<f64>,
    /// The penalized loss on the training rows.
    pub objective: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether a minimum was reached. Without a penalty there is none where the classes can be told apart without error.
    pub converged: bool,
    /// The largest entry of the gradient of the objective in columns less their means; with an l1 penalty of the
    /// subgradient of least length.
    pub gradient_norm: f64,
}

impl Softmax {
    /// How many classes it tells apart.
    pub fn class_count(&self) -> usize {
        self.intercepts.len().max(2)
    }

    /// The probability of each class (rows × classes) for every row of `x`; each row's sum is one. Errors on another
    /// width and on NaN or infinite values; no rows give no probabilities.
    pub fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        check_width(x, self.coefficients.ncols())?;
        check_finite(x)?;
        let classes = self.class_count();
        let by_column = self.coefficients.t().as_standard_layout().into_owned();
        let mut found = Array2::zeros((x.nrows(), classes));
        let targets: Vec<_> = found.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS).collect();
        let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        targets.into_par_iter().zip(blocks).for_each(|(mut target, block)| {
            let mut odds = vec![0.0; classes];
            for (row, mut slots) in block.rows().into_iter().zip(target.rows_mut()) {
                let skipped = classes - self.intercepts.len();
                odds.fill(0.0);
                let own = odds.get_mut(skipped..).unwrap_or_default();
                own.copy_from_slice(&self.intercepts);
                for (value, coefficients) in row.iter().zip(by_column.rows()) {
                    own.iter_mut().zip(coefficients).for_each(|(odds, coefficient)| *odds += coefficient * value);
                }
                normalize(&mut odds);
                slots.iter_mut().zip(&odds).for_each(|(slot, share)| *slot = *share);
            }
        });
        Ok(found)
    }
}

/// Log-odds to probabilities. Where they are so large that they are not finite, the classes at the top share.
fn normalize(odds: &mut [f64]) {
    let top = odds.iter().fold(f64::NEG_INFINITY, |top, odds| top.max(*odds));
    for value in odds.iter_mut() {
        *value = if *value == top { 1.0 } else { exponential(*value - top) };
    }
    let sum: f64 = odds.iter().sum();
    odds.iter_mut().for_each(|value| *value /= sum);
}

/// A matrix as a list of its rows.
mod rows {
    use ndarray::Array2;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(matrix: &Array2<f64>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(matrix.rows().into_iter().map(|row| row.to_vec()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Array2<f64>, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(from)?;
        let shape = (rows.len(), rows.first().map_or(0, Vec::len));
        if rows.iter().any(|row| row.len() != shape.1) {
            return Err(D::Error::custom("the rows of a matrix differ in length"));
        }
        Array2::from_shape_vec(shape, rows.concat()).map_err(D::Error::custom)
    }
}
