//! Support vector machines for two classes, for many, and for regression.
//!
//! - [`kernelized`]: the dual by sequential minimal optimization with a bounded cache of kernel rows, as libsvm has it.
//!   Its time grows with the square of the rows: see [`kernelized::cost`].
//! - [`linear`]: the linear kernel at any number of rows, in the primal, with the squared loss.
//! - [`features`]: maps into a space where the linear machine comes near a kernel's, for many rows.
//! - [`many`]: more than two classes over any of them.
//!
//! Input that is refused everywhere: no rows, no columns, NaN or infinity, one class, a C that is not above zero.
//! Constant and duplicate columns, duplicate rows of different classes and more columns than rows are legal. Rows of
//! weight zero are left out.

pub mod engine_linfa;
pub mod features;
pub mod kernel;
pub mod kernelized;
pub mod linear;
pub mod many;

pub use kernel::Kernel;

use super::input::{InputError, check, check_finite};
use ndarray::{ArrayView1, ArrayView2, Axis};

/// Why there is no machine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SvmError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// All rows that weigh anything are of one class.
    #[error("tell classes apart: all {rows} rows are of one class")]
    OneClass {
        /// Rows that weigh more than zero.
        rows: usize,
    },
    /// C is not above zero.
    #[error("penalize errors: c is not a number above zero")]
    Cost,
    /// A weight that is negative or not finite, or all are zero.
    #[error("weigh rows: a weight is negative or not a number, or all are zero")]
    Weights,
    /// Epsilon is negative or not a number.
    #[error("tolerate errors: epsilon is not a number at or above zero")]
    Epsilon,
    /// A tolerance that is not above zero.
    #[error("stop at a tolerance that is not a number above zero")]
    Tolerance,
    /// The kernel's own numbers.
    #[error("use the kernel: gamma must be above zero, coef0 a number, the degree at least 1")]
    Kernel,
    /// A kernel for which there is no such map.
    #[error("map rows: the kernel is not positive definite on them")]
    NotPositive,
    /// A number of features that is zero or above [`features::FEATURES_MAX`].
    #[error("map rows to no features or more than 4,096")]
    Features,
    /// The numbers are so large that products of them are not finite.
    #[error("fit numbers this large: their products are not finite; scale the columns")]
    Overflow,
    /// What linfa cannot, or reports.
    #[error("fit with linfa: {0}")]
    Linfa(String),
    /// The caller wanted it to end.
    #[error("finish: it was told to stop")]
    Stopped,
}

/// 1 / (columns · variance of all entries), 1 where they do not vary: `gamma: scale`.
pub fn gamma_scale(x: ArrayView2<'_, f64>) -> Result<f64, InputError> {
    check(x)?;
    let entries = x.len() as f64;
    let mean = x.iter().map(|value| value / entries).sum::<f64>();
    let variance = x.iter().map(|value| (value - mean) * (value - mean) / entries).sum::<f64>();
    let gamma = 1.0 / (x.ncols() as f64 * variance);
    Ok(if variance > 0.0 && gamma.is_normal() { gamma } else { 1.0 })
}

/// 1 / columns: `gamma: auto`.
pub fn gamma_auto(columns: usize) -> f64 {
    1.0 / columns.max(1) as f64
}

/// The rows that weigh anything, with C times their weight each.
fn weighted(rows: usize, weights: Option<&[f64]>, c: f64) -> Result<(Vec<usize>, Vec<f64>), SvmError> {
    if !(c > 0.0 && c.is_finite()) {
        return Err(SvmError::Cost);
    }
    let Some(weights) = weights else { return Ok(((0..rows).collect(), vec![c; rows])) };
    if weights.len() != rows {
        return Err(InputError::Length { rows, targets: weights.len() }.into());
    }
    if !weights.iter().all(|weight| *weight >= 0.0 && (c * weight).is_finite()) {
        return Err(SvmError::Weights);
    }
    let (kept, costs): (Vec<usize>, Vec<f64>) =
        weights.iter().enumerate().map(|(row, weight)| (row, c * weight)).filter(|(_, cost)| *cost > 0.0).unzip();
    if kept.is_empty() { Err(SvmError::Weights) } else { Ok((kept, costs)) }
}

/// Both classes as +1 and −1, of the kept rows.
fn signs(positive: &[bool], kept: &[usize]) -> Result<Vec<f64>, SvmError> {
    let sign = |row: &usize| if positive.get(*row).copied().unwrap_or(false) { 1.0 } else { -1.0 };
    let signs: Vec<f64> = kept.iter().map(sign).collect();
    let positives = signs.iter().filter(|sign| **sign > 0.0).count();
    if positives == 0 || positives == signs.len() {
        return Err(SvmError::OneClass { rows: signs.len() });
    }
    Ok(signs)
}

/// Refuses tables that cannot be learned from and targets of another number or not finite.
fn check_targets(x: ArrayView2<'_, f64>, targets: &[f64]) -> Result<(), InputError> {
    check_pairs(x, targets.len())?;
    check_finite(ArrayView1::from(targets).insert_axis(Axis(1)))
}

/// Refuses tables that cannot be learned from and another number of targets.
fn check_pairs(x: ArrayView2<'_, f64>, targets: usize) -> Result<(), InputError> {
    check(x)?;
    if targets == x.nrows() { Ok(()) } else { Err(InputError::Length { rows: x.nrows(), targets }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn gamma_is_that_of_scikit_learn() {
        let x = array![[1.0, 2.0], [3.0, 6.0]];
        // numpy: 1 / (2 * x.var())
        assert_eq!(gamma_scale(x.view()), Ok(1.0 / 7.0));
        assert_eq!(gamma_scale(array![[2.0, 2.0]].view()), Ok(1.0));
        assert!(gamma_scale(array![[f64::NAN]].view()).is_err());
        assert_eq!((gamma_auto(4), gamma_auto(0)), (0.25, 1.0));
    }
}
