//! Linear regression by least squares, with an l2 penalty if one is wanted.
//!
//! Minimizes Σᵢ sᵢ (yᵢ − xᵢ·w − b)² + l2 · ‖w‖², the intercept b not penalized, s = 1 or the weight of the row: least
//! squares with l2 = 0, else scikit-learn's `Ridge(alpha=l2)`. The normal equations are formed where columns are far from
//! determining each other. Elsewhere blocks of rows are reduced to triangles by Householder reflections and these to one,
//! so that the condition of the table is not squared (Golub and Van Loan 2013, section 5.3).
//!
//! Columns that others determine are found by pivoting and get coefficient zero where there is no penalty. Standard
//! errors are those of homoscedastic errors, or where rows have weights of errors whose variance is inverse to them, as
//! statsmodels' `WLS`: only the ratios of the weights matter. With a penalty they measure how the coefficients vary,
//! not how far the penalty moves them.
//!
//! Input that is refused: no rows, no columns, NaN or infinity (in rows of weight zero too), a negative penalty,
//! weights that are negative or not finite, or all zero.

mod engine_linfa;
mod products;
mod qr;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_weights;

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::gram::{Rows, gram, noise, total};
use super::input::{InputError, check, check_finite, check_width};
pub use engine_linfa::{LinfaError, fit as fit_linfa};
use qr::{Solved, Triangle};

/// Rows that are reduced at once.
const BLOCK_ROWS: usize = 4096;

/// Coefficients and how certain they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// One a column: the change of the target per unit.
    pub coefficients: Vec<f64>,
    /// The target where every column is zero.
    pub intercept: f64,
    /// One a column; zero for what was left out. None without more rows than coefficients.
    pub standard_errors: Option<Vec<f64>>,
    /// The unbiased deviation of what is left unexplained, in a row of weight one; none as above.
    pub deviation: Option<f64>,
    /// Columns left out because they are constant or others determine them, ascending.
    pub dependent: Vec<usize>,
}

/// Why there is no model.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum LinearError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A penalty that is negative or not a number.
    #[error("penalize: l2 is not a number at or above zero")]
    Penalty,
    /// A weight that is negative or not finite, or a sum of them that is not.
    #[error("weigh rows: a weight is negative or not finite, or their sum is not")]
    Weights,
    /// The numbers are so large that their squares have no sum.
    #[error("fit numbers this large: their squares are not finite; scale the columns")]
    Overflow,
}

/// Fits on `x` (rows × columns) and as many targets. The result does not depend on the number of threads.
pub fn fit(x: ArrayView2<'_, f64>, targets: &[f64], l2: f64) -> Result<Linear, LinearError> {
    fit_weighted(x, targets, None, l2)
}

/// As [`fit`], with one weight a row, if any: 0 is as if the row were not there, 2 is for the coefficients as if it
/// were there twice.
pub fn fit_weighted(
    x: ArrayView2<'_, f64>,
    targets: &[f64],
    weights: Option<&[f64]>,
    l2: f64,
) -> Result<Linear, LinearError> {
    check(x)?;
    let rows = x.nrows();
    if targets.len() != rows {
        return Err(InputError::Length { rows, targets: targets.len() }.into());
    }
    let y = ArrayView1::from(targets);
    check_finite(y.insert_axis(Axis(1)))?;
    if !(l2 >= 0.0 && l2.is_finite()) {
        return Err(LinearError::Penalty);
    }
    let roots = Roots::of(weights, rows)?;
    let found = gram(Rows { x, targets, weights: roots.weights }, roots.total);
    let triangle = products::triangle(&found, noise(roots.rows, roots.total));
    let triangle = triangle.unwrap_or_else(|| reduced(x, y, &roots, &found.means, found.mean));
    solved(&triangle, &found.means, found.mean, &roots, l2)
}

#[cfg(test)]
fn fit_by_reflections(x: ArrayView2<'_, f64>, targets: &[f64], l2: f64) -> Result<Linear, LinearError> {
    let roots = Roots::of(None, x.nrows())?;
    let found = gram(Rows { x, targets, weights: None }, roots.total);
    let triangle = reduced(x, ArrayView1::from(targets), &roots, &found.means, found.mean);
    solved(&triangle, &found.means, found.mean, &roots, l2)
}

/// What the triangle says.
fn solved(triangle: &Triangle, means: &[f64], mean: f64, roots: &Roots<'_>, l2: f64) -> Result<Linear, LinearError> {
    let size = roots.rows as f64 * (roots.total / roots.rows as f64).sqrt();
    let Some(Solved { coefficients, dependent, residual_squares, spread, degrees }) =
        qr::solve(triangle, size, means, l2)
    else {
        return Err(LinearError::Overflow);
    };
    let explained: f64 = coefficients.iter().zip(means).map(|(coefficient, mean)| coefficient * mean).sum();
    let free = roots.rows as f64 - 1.0 - degrees;
    let deviation = (free > 0.5).then(|| (residual_squares / free).sqrt());
    let standard_errors = deviation.map(|deviation| spread.iter().map(|spread| spread * deviation).collect());
    Ok(Linear { coefficients, intercept: mean - explained, standard_errors, deviation, dependent })
}

impl Linear {
    /// The expected target of every row of `x`. Errors on another width and on NaN or infinite values; no rows give no
    /// predictions.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>, InputError> {
        check_width(x, self.coefficients.len())?;
        check_finite(x)?;
        Ok(x.dot(&ArrayView1::from(&self.coefficients)) + self.intercept)
    }
}

/// The roots of the weights, by which rows are scaled.
struct Roots<'a> {
    weights: Option<&'a [f64]>,
    /// Rows that count.
    rows: usize,
    /// The sum of the weights.
    total: f64,
}

impl<'a> Roots<'a> {
    fn of(weights: Option<&'a [f64]>, rows: usize) -> Result<Roots<'a>, LinearError> {
        let total = total(weights, rows)?.ok_or(LinearError::Weights)?;
        // Of ones there are none.
        let weights = weights.filter(|weights| weights.iter().any(|weight| *weight != 1.0));
        let rows = weights.map_or(rows, |weights| weights.iter().filter(|weight| **weight > 0.0).count());
        Ok(Roots { weights, rows, total })
    }

    /// Of the block of rows from `start` on; none without weights.
    fn block(&self, start: usize) -> Option<&'a [f64]> {
        let rest = self.weights?.get(start..)?;
        rest.chunks(BLOCK_ROWS).next()
    }
}

/// The centered columns and target as one triangle, rows scaled by the root of their weight; blocks are reduced side by
/// side and joined in their order.
fn reduced(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>, roots: &Roots<'_>, means: &[f64], mean: f64) -> Triangle {
    let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).zip(y.axis_chunks_iter(Axis(0), BLOCK_ROWS)).collect();
    let triangles: Vec<Triangle> = blocks
        .into_par_iter()
        .enumerate()
        .map(|(place, (x, y))| {
            let weights = roots.block(place * BLOCK_ROWS);
            let scales: Option<Vec<f64>> = weights.map(|weights| weights.iter().map(|weight| weight.sqrt()).collect());
            let scales = scales.as_deref();
            let columns = x.columns().into_iter().zip(means).map(|(column, mean)| centered(column, *mean, scales));
            Triangle::of(columns.chain([centered(y, mean, scales)]).collect())
        })
        .collect();
    let mut triangles = triangles.into_iter();
    let first = triangles.next().unwrap_or_default();
    triangles.fold(first, |joined, next| joined.join(&next))
}

fn centered(column: ArrayView1<'_, f64>, mean: f64, scales: Option<&[f64]>) -> Vec<f64> {
    match scales {
        None => column.iter().map(|value| value - mean).collect(),
        Some(scales) => column.iter().zip(scales).map(|(value, scale)| (value - mean) * scale).collect(),
    }
}
