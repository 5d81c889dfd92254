//! What makes columns comparable: each less its center, over its scale.

use super::input::{InputError, check, check_finite, check_width};
use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The center and scale of each column, learned from a table. No scale is zero: that of a column that does not vary, or
/// within rounding of its magnitude only, is 1, so that it becomes exactly or nearly zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// What is subtracted, one per column.
    pub center: Vec<f64>,
    /// What is divided by, one per column.
    pub scale: Vec<f64>,
}

/// Rows summed as one partial sum; fixed, so that sums do not depend on the threads.
const BLOCK_ROWS: usize = 4096;

/// A deviation below this share of the largest magnitude of its column is rounding, not variation.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

impl Scaler {
    /// To mean zero and deviation one: the population deviation (divided by n, as scikit-learn's `StandardScaler`
    /// does), so a single row is legal. Errors on an empty table and on NaN or infinite values.
    pub fn standard(x: ArrayView2<'_, f64>) -> Result<Self, InputError> {
        Self::by(x, moments)
    }

    /// To median zero and a distance of one between the quartiles, as scikit-learn's `RobustScaler` does: a few
    /// extreme values change nothing. A column of which half the values are the same may have no distance; its scale
    /// is then 1.
    pub fn robust(x: ArrayView2<'_, f64>) -> Result<Self, InputError> {
        Self::by(x, |column| {
            let mut sorted = column.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile_of_sorted(&sorted, share));
            // Not of the greatest value, which may be anything.
            let magnitude = low.abs().max(high.abs());
            (middle, if high - low > ROUNDING * magnitude { high - low } else { 1.0 })
        })
    }

    /// To the range from 0 to 1.
    pub fn min_max(x: ArrayView2<'_, f64>) -> Result<Self, InputError> {
        Self::by(x, |column| {
            let least = column.fold(f64::INFINITY, |least, v| least.min(*v));
            let greatest = column.fold(f64::NEG_INFINITY, |greatest, v| greatest.max(*v));
            (least, beyond_rounding(greatest - least, column))
        })
    }

    fn by(
        x: ArrayView2<'_, f64>,
        of: impl Fn(ArrayView1<'_, f64>) -> (f64, f64) + Sync + Send,
    ) -> Result<Self, InputError> {
        check(x)?;
        let columns: Vec<_> = x.columns().into_iter().collect();
        let (center, scale) = columns.into_par_iter().map(of).unzip();
        Ok(Self { center, scale })
    }

    /// (x − center) / scale. Errors on another width and on NaN or infinite values; no rows give
    /// no rows.
    pub fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        let mut y = x.to_owned();
        self.transform_in_place(&mut y)?;
        Ok(y)
    }

    /// The same where the values lie.
    pub fn transform_in_place(&self, x: &mut Array2<f64>) -> Result<(), InputError> {
        check_finite(x.view())?;
        self.map(x, |value, center, scale| (value - center) / scale)
    }

    /// x · scale + center: the way back, for centroids and the like.
    pub fn inverse(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        let mut y = x.to_owned();
        self.map(&mut y, |value, center, scale| value * scale + center)?;
        Ok(y)
    }

    fn map(&self, x: &mut Array2<f64>, change: impl Fn(f64, f64, f64) -> f64) -> Result<(), InputError> {
        check_width(x.view(), self.center.len())?;
        for mut row in x.rows_mut() {
            for ((value, &center), &scale) in row.iter_mut().zip(&self.center).zip(&self.scale) {
                *value = change(*value, center, scale);
            }
        }
        Ok(())
    }
}

/// The value below which a share of ascending values lies, between two of them in proportion (type 7 of Hyndman and
/// Fan 1996); NaN of none.
pub fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    if low == high { low } else { low + (high - low) * place.fract() }
}

/// A scale, or 1 where it is rounding and no variation.
fn beyond_rounding(scale: f64, column: ArrayView1<'_, f64>) -> f64 {
    let magnitude = column.fold(0.0_f64, |most, v| most.max(v.abs()));
    if scale > ROUNDING * magnitude { scale } else { 1.0 }
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
    (mean, beyond_rounding(deviation, column))
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
        let scaler = Scaler::standard(x.view()).unwrap();
        assert!((scaler.center[0] - 2.333_333_333_333_333_5).abs() < 1e-15);
        assert!((scaler.scale[0] - 1.247_219_128_924_647).abs() < 1e-15);
        assert_eq!((scaler.center[1], scaler.scale[1]), (5.0, 1.0));
        assert_eq!(scaler.transform(x.view()).unwrap().column(1).to_vec(), [0.0; 3]);
    }

    #[test]
    fn rounding_noise_is_a_constant_column() {
        let x = Array2::from_shape_fn((50, 1), |(i, _)| if i % 2 == 0 { 0.3 } else { 0.1 + 0.2 });
        assert_eq!(Scaler::standard(x.view()).unwrap().scale, [1.0]);
    }

    /// scikit-learn 1.9.1, RobustScaler and MinMaxScaler on the same column.
    #[test]
    fn robust_and_min_max_agree_with_scikit_learn() {
        let x = array![[1.0, 2.0], [2.0, 2.0], [4.0, 2.0], [8.0, 2.0], [100.0, 2.0]];
        assert_eq!(Scaler::robust(x.view()).unwrap(), Scaler { center: vec![4.0, 2.0], scale: vec![6.0, 1.0] });
        assert_eq!(Scaler::min_max(x.view()).unwrap(), Scaler { center: vec![1.0, 2.0], scale: vec![99.0, 1.0] });
        assert_eq!(quantile_of_sorted(&[1.0, 2.0, 4.0, 8.0], 0.5), 3.0);
        assert!(quantile_of_sorted(&[], 0.5).is_nan());
    }

    #[test]
    fn one_row_and_wrong_width() {
        let scaler = Scaler::standard(array![[3.0, -1.0]].view()).unwrap();
        assert_eq!(scaler, Scaler { center: vec![3.0, -1.0], scale: vec![1.0, 1.0] });
        let error = scaler.transform(array![[1.0]].view()).unwrap_err();
        assert_eq!(error, InputError::Width { expected: 2, found: 1 });
        assert!(scaler.transform(array![[1.0, f64::NAN]].view()).is_err());
    }

    proptest! {
        #[test]
        fn inverse_undoes_transform(values in proptest::collection::vec(-1e6..1e6f64, 2..60)) {
            let x = Array2::from_shape_vec((values.len(), 1), values).unwrap();
            let scaler = Scaler::standard(x.view()).unwrap();
            let y = scaler.transform(x.view()).unwrap();
            let back = scaler.inverse(y.view()).unwrap();
            prop_assert!((&back - &x).iter().all(|d| d.abs() < 1e-8));
            prop_assert!(y.sum().abs() < 1e-6 * x.len() as f64);
        }
    }
}
