//! Standardization: each column to mean zero and deviation one.

use super::input::{InputError, check, check_finite, check_width};
use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The mean and scale of each column, learned from a table.
///
/// The scale is the population deviation (divided by n, as scikit-learn's `StandardScaler` does),
/// so a single row is legal. A constant column, one whose deviation is within rounding of its
/// magnitude, has scale 1 and becomes exactly or nearly zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandardScaler {
    /// What is subtracted, one per column.
    pub mean: Vec<f64>,
    /// What is divided by, one per column, never zero.
    pub scale: Vec<f64>,
}

/// Rows summed as one partial sum; fixed, so that sums do not depend on the threads.
const BLOCK_ROWS: usize = 4096;

/// A deviation below this share of the largest magnitude of its column is rounding, not variation.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

impl StandardScaler {
    /// Learns from `x` (rows × columns). Errors on an empty table and on NaN or infinite values.
    pub fn fit(x: ArrayView2<'_, f64>) -> Result<Self, InputError> {
        check(x)?;
        let columns: Vec<_> = x.columns().into_iter().collect();
        let (mean, scale) = columns.into_par_iter().map(moments).unzip();
        Ok(Self { mean, scale })
    }

    /// (x − mean) / scale. Errors on another width and on NaN or infinite values; no rows give
    /// no rows.
    pub fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        check_finite(x)?;
        self.map(x, |value, mean, scale| (value - mean) / scale)
    }

    /// x · scale + mean: the way back, for centroids and the like.
    pub fn inverse(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        self.map(x, |value, mean, scale| value * scale + mean)
    }

    fn map(&self, x: ArrayView2<'_, f64>, change: impl Fn(f64, f64, f64) -> f64) -> Result<Array2<f64>, InputError> {
        check_width(x, self.mean.len())?;
        let mut y = x.to_owned();
        for (mut column, (&mean, &scale)) in y.columns_mut().into_iter().zip(self.mean.iter().zip(&self.scale)) {
            column.mapv_inplace(|value| change(value, mean, scale));
        }
        Ok(y)
    }
}

/// Mean and scale of a column, in two passes for accuracy.
fn moments(column: ArrayView1<'_, f64>) -> (f64, f64) {
    let rows = column.len() as f64;
    let first = column.first().copied().unwrap_or(0.0);
    if column.iter().all(|&v| v == first) {
        return (first, 1.0);
    }
    let mean = blockwise(column, |v| v) / rows;
    let deviation = (blockwise(column, |v| (v - mean) * (v - mean)) / rows).sqrt();
    let magnitude = column.fold(0.0_f64, |most, v| most.max(v.abs()));
    (mean, if deviation > ROUNDING * magnitude { deviation } else { 1.0 })
}

/// Sum of `term` over a column: within each block, then over the blocks, to keep rounding small.
fn blockwise(column: ArrayView1<'_, f64>, term: impl Fn(f64) -> f64) -> f64 {
    let blocks = column.axis_chunks_iter(ndarray::Axis(0), BLOCK_ROWS);
    blocks.map(|block| block.iter().map(|&v| term(v)).sum::<f64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    /// scikit-learn 1.9.1, StandardScaler().fit([[1, 5], [2, 5], [4, 5]]): mean_ [2.3333333333333335,
    /// 5], scale_ [1.247219128924647, 1].
    #[test]
    fn agrees_with_scikit_learn() {
        let x = array![[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]];
        let scaler = StandardScaler::fit(x.view()).unwrap();
        assert!((scaler.mean[0] - 2.333_333_333_333_333_5).abs() < 1e-15);
        assert!((scaler.scale[0] - 1.247_219_128_924_647).abs() < 1e-15);
        assert_eq!((scaler.mean[1], scaler.scale[1]), (5.0, 1.0));
        assert_eq!(scaler.transform(x.view()).unwrap().column(1).to_vec(), [0.0; 3]);
    }

    #[test]
    fn rounding_noise_is_a_constant_column() {
        let x = Array2::from_shape_fn((50, 1), |(i, _)| if i % 2 == 0 { 0.3 } else { 0.1 + 0.2 });
        assert_eq!(StandardScaler::fit(x.view()).unwrap().scale, [1.0]);
    }

    #[test]
    fn one_row_and_wrong_width() {
        let scaler = StandardScaler::fit(array![[3.0, -1.0]].view()).unwrap();
        assert_eq!(scaler, StandardScaler { mean: vec![3.0, -1.0], scale: vec![1.0, 1.0] });
        let error = scaler.transform(array![[1.0]].view()).unwrap_err();
        assert_eq!(error, InputError::Width { expected: 2, found: 1 });
        assert!(scaler.transform(array![[1.0, f64::NAN]].view()).is_err());
    }

    proptest! {
        #[test]
        fn inverse_undoes_transform(values in proptest::collection::vec(-1e6..1e6f64, 2..60)) {
            let x = Array2::from_shape_vec((values.len(), 1), values).unwrap();
            let scaler = StandardScaler::fit(x.view()).unwrap();
            let y = scaler.transform(x.view()).unwrap();
            let back = scaler.inverse(y.view()).unwrap();
            prop_assert!((&back - &x).iter().all(|d| d.abs() < 1e-8));
            prop_assert!(y.sum().abs() < 1e-6 * x.len() as f64);
        }
    }
}
