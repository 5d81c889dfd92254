//! Measures of predicted numbers. Each row counts as often as it was drawn, so that resamples are measured without being
//! made.

mod slices;
mod spearman;
#[cfg(test)]
mod tests;

pub use slices::{Slice, slices};
pub use spearman::{Spearman, spearman};

use super::{MetricError, check_lengths};

/// Makes sure that predictions can be measured.
///
/// # Errors
/// On no rows, differing lengths, NaN and infinite values.
pub fn check(truth: &[f64], predicted: &[f64]) -> Result<(), MetricError> {
    check_lengths(truth.len(), predicted.len())?;
    match truth.iter().zip(predicted).filter(|(t, p)| !(t.is_finite() && p.is_finite())).count() {
        0 => Ok(()),
        bad => Err(MetricError::Invalid(bad)),
    }
}

/// Root of the mean of (truth − prediction)², in the unit of the target.
pub fn rmse(truth: &[f64], predicted: &[f64], times: &[u32]) -> Option<f64> {
    let (sum, rows) = sums(truth, predicted, times, |truth, predicted| (truth - predicted).powi(2));
    (rows > 0.0).then(|| (sum / rows).sqrt())
}

/// Mean of |truth − prediction|, in the unit of the target.
pub fn mae(truth: &[f64], predicted: &[f64], times: &[u32]) -> Option<f64> {
    let (sum, rows) = sums(truth, predicted, times, |truth, predicted| (truth - predicted).abs());
    (rows > 0.0).then(|| sum / rows)
}

/// 1 − Σ(truth − prediction)² / Σ(truth − mean of truth)²; `None` when the truth is constant (one row included).
pub fn r2(truth: &[f64], predicted: &[f64], times: &[u32]) -> Option<f64> {
    let (total, rows) = sums(truth, predicted, times, |truth, _| truth);
    let mean = total / rows;
    let (variation, _) = sums(truth, predicted, times, |truth, _| (truth - mean).powi(2));
    let (left, _) = sums(truth, predicted, times, |truth, predicted| (truth - predicted).powi(2));
    // The mean of equal numbers may be off by a rounding error, which would look like variation.
    let mut drawn = truth.iter().zip(times).filter(|(_, times)| **times > 0).map(|(truth, _)| truth);
    let first = drawn.next()?;
    drawn.any(|other| other != first).then(|| 1.0 - left / variation)
}

/// Mean of |truth − prediction| / |truth| over the rows whose truth is not zero, as a share (.1 is 10 %); `None` when
/// there are none. See [`zeros`] for how many were left out.
pub fn mape(truth: &[f64], predicted: &[f64], times: &[u32]) -> Option<f64> {
    let share = |truth: f64, predicted: f64| ((truth - predicted) / truth).abs();
    let share_of = |truth, predicted| if truth == 0.0 { 0.0 } else { share(truth, predicted) };
    let (sum, rows) = sums(truth, predicted, times, share_of);
    let (zeros, _) = sums(truth, predicted, times, |truth, _| f64::from(u8::from(truth == 0.0)));
    super::ratio(sum, rows - zeros)
}

/// Rows whose truth is zero, which [`mape`] leaves out.
pub fn zeros(truth: &[f64]) -> usize {
    truth.iter().filter(|truth| **truth == 0.0).count()
}

/// Σ times · f(truth, prediction), and Σ times.
fn sums(truth: &[f64], predicted: &[f64], times: &[u32], of: impl Fn(f64, f64) -> f64) -> (f64, f64) {
    let rows = truth.iter().zip(predicted).zip(times);
    rows.fold((0.0, 0.0), |(sum, rows), ((truth, predicted), times)| {
        let times = f64::from(*times);
        (sum + times * of(*truth, *predicted), rows + times)
    })
}
