//! Linear regression with an l1 penalty (lasso) or with both (elastic net), by coordinate descent.
//!
//! Minimizes ½ Σᵢ sᵢ (yᵢ − xᵢ·w − b)² + l1 · ‖w‖₁ + l2/2 · ‖w‖², the intercept b not penalized, s = 1 or the weight of
//! the row. With S = Σ s this is scikit-learn's `ElasticNet` for l1 = alpha · l1_ratio · S and l2 = alpha ·
//! (1 − l1_ratio) · S, its `Lasso` for l1 = alpha · S and l2 = 0, and `linear::fit` with the same l2 for l1 = 0.
//!
//! The rows are read once, for the products of all pairs of columns; what follows does not depend on their number
//! (Friedman, Hastie and Tibshirani 2010, "Regularization paths for generalized linear models via coordinate descent",
//! covariance updates). Memory is that of columns², so this is for some 2,000 columns. Sweeps over all columns choose
//! those that are not zero, and sweeps over these alone follow. What ends the descent is the duality gap, which bounds
//! how far the objective is above its minimum. Without an l1 penalty it is `linear::fit`.
//!
//! Columns that are constant get coefficient zero. Of columns that repeat each other without an l2 penalty, the minimum
//! is not unique: the first takes most. Columns are not scaled; a penalty treats all alike, so scale them before.
//!
//! Input that is refused: no rows, no columns, NaN or infinity (in rows of weight zero too), penalties that are negative
//! or not finite, weights that are negative or not finite, or all zero.

mod descent;
#[cfg(test)]
mod tests;

use super::gram::{Gram, Rows, gram, noise, total};
use super::input::{InputError, check, check_finite, check_width};
use super::linear::{self, LinearError};
use descent::Descent;
use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What coefficients cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Penalty {
    /// Multiplies the sum of the magnitudes of the coefficients.
    pub l1: f64,
    /// Multiplies half the sum of their squares.
    pub l2: f64,
}

impl Penalty {
    /// Whether both are numbers at or above zero.
    pub(in crate::algorithms) fn is_valid(&self) -> bool {
        [self.l1, self.l2].iter().all(|penalty| *penalty >= 0.0 && penalty.is_finite())
    }
}

/// When to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Ends when the duality gap is at most this times the weighted squares of the centered targets, as scikit-learn's.
    pub tolerance: f64,
    /// Sweeps, over all columns or some, after which to stop without having converged.
    pub max_iterations: usize,
}

impl Default for Params {
    /// A tolerance of 1e-12, 10,000 sweeps.
    fn default() -> Self {
        Self { tolerance: 1e-12, max_iterations: 10_000 }
    }
}

/// Coefficients and how they were come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Elastic {
    /// One a column: the change of the target per unit; many are exactly zero.
    pub coefficients: Vec<f64>,
    /// The target where every column is zero.
    pub intercept: f64,
    /// Sweeps made; zero where the equations were solved directly.
    pub iterations: usize,
    /// Whether the gap came down to the tolerance.
    pub converged: bool,
    /// How far the objective is above its minimum, at most.
    pub gap: f64,
}

/// Why there is no model.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ElasticError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A penalty that is negative or not a number.
    #[error("penalize: l1 and l2 are not both numbers at or above zero")]
    Penalty,
    /// A tolerance that is not above zero.
    #[error("stop at a tolerance that is not a number above zero")]
    Tolerance,
    /// A weight that is negative or not finite, or a sum of them that is not.
    #[error("weigh rows: a weight is negative or not finite, or their sum is not")]
    Weights,
    /// The numbers are so large that their products have no sum.
    #[error("fit numbers this large: their squares are not finite; scale the columns")]
    Overflow,
    /// The caller asked for no more.
    #[error("fit a penalized regression: stopped before the end")]
    Stopped,
}

impl From<LinearError> for ElasticError {
    fn from(error: LinearError) -> ElasticError {
        match error {
            LinearError::Input(input) => ElasticError::Input(input),
            LinearError::Penalty => ElasticError::Penalty,
            LinearError::Weights => ElasticError::Weights,
            LinearError::Overflow => ElasticError::Overflow,
        }
    }
}

/// Fits on `x` (rows × columns), as many targets and, if any, weights; a weight of 0 is as if the row were not there.
/// The result does not depend on the number of threads. `keep_going` is asked before each sweep. Not having converged
/// is no error: see [`Elastic::converged`].
pub fn fit(
    x: ArrayView2<'_, f64>,
    targets: &[f64],
    weights: Option<&[f64]>,
    penalty: &Penalty,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Elastic, ElasticError> {
    check(x)?;
    let rows = x.nrows();
    if targets.len() != rows {
        return Err(InputError::Length { rows, targets: targets.len() }.into());
    }
    check_finite(ArrayView1::from(targets).insert_axis(Axis(1)))?;
    if !penalty.is_valid() {
        return Err(ElasticError::Penalty);
    }
    if !(params.tolerance > 0.0 && params.tolerance.is_finite()) {
        return Err(ElasticError::Tolerance);
    }
    let total = total(weights, rows)?.ok_or(ElasticError::Weights)?;
    if !keep_going() {
        return Err(ElasticError::Stopped);
    }
    if penalty.l1 == 0.0 {
        return squares(x, targets, weights, penalty.l2);
    }
    let mut gram = gram(Rows { x, targets, weights }, total);
    let sums = gram.products.iter().chain(&gram.with_target).chain([&gram.target, &gram.mean]);
    if !sums.chain(&gram.means).all(|sum| sum.is_finite()) {
        return Err(ElasticError::Overflow);
    }
    gram.clear_constant(noise(rows, total));
    let enough = params.tolerance * gram.target;
    let (coefficients, iterations, gap) =
        Descent::new(&gram, *penalty).run(enough, params.max_iterations, keep_going)?;
    let explained: f64 = coefficients.iter().zip(&gram.means).map(|(coefficient, mean)| coefficient * mean).sum();
    Ok(Elastic { coefficients, intercept: gram.mean - explained, iterations, converged: gap <= enough, gap })
}

/// Least squares or ridge, which need no sweeps.
fn squares(x: ArrayView2<'_, f64>, targets: &[f64], weights: Option<&[f64]>, l2: f64) -> Result<Elastic, ElasticError> {
    let found = linear::fit_weighted(x, targets, weights, l2)?;
    let (coefficients, intercept) = (found.coefficients, found.intercept);
    Ok(Elastic { coefficients, intercept, iterations: 0, converged: true, gap: 0.0 })
}

impl Elastic {
    /// The expected target of every row of `x`. Errors on another width and on NaN or infinite values; no rows give no
    /// predictions.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>, InputError> {
        check_width(x, self.coefficients.len())?;
        check_finite(x)?;
        let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), 4096).collect();
        let coefficients = ArrayView1::from(&self.coefficients);
        let predicted: Vec<Array1<f64>> = blocks.into_par_iter().map(|block| block.dot(&coefficients)).collect();
        Ok(predicted.iter().flatten().map(|explained| explained + self.intercept).collect())
    }
}
