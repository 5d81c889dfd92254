//! Measures of predicted numbers. Each row counts as often as it was drawn, so that resamples are measured without being
//! made.

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

/// Σ times · f(truth, prediction), and Σ times.
fn sums(truth: &[f64], predicted: &[f64], times: &[u32], of: impl Fn(f64, f64) -> f64) -> (f64, f64) {
    let rows = truth.iter().zip(predicted).zip(times);
    rows.fold((0.0, 0.0), |(sum, rows), ((truth, predicted), times)| {
        let times = f64::from(*times);
        (sum + times * of(*truth, *predicted), rows + times)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// scikit-learn 1.9.1: mean_absolute_error, root_mean_squared_error and r2_score.
    #[test]
    fn agrees_with_scikit_learn() {
        let (truth, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        assert_eq!(mae(&truth, &predicted, &[1; 4]), Some(0.5));
        assert!((rmse(&truth, &predicted, &[1; 4]).unwrap() - 0.612_372_435_695_794_5).abs() < 1e-15);
        assert!((r2(&truth, &predicted, &[1; 4]).unwrap() - 0.948_608_137_044_967_9).abs() < 1e-15);
    }

    #[test]
    fn what_does_not_exist() {
        assert_eq!(r2(&[2.0, 2.0], &[1.0, 3.0], &[1, 1]), None);
        assert_eq!(r2(&[0.1; 3], &[0.0; 3], &[1; 3]), None, "their mean is not 0.1 to the last bit");
        assert_eq!(r2(&[2.0, 5.0], &[1.0, 3.0], &[2, 0]), None, "one row was drawn");
        assert_eq!((rmse(&[1.0], &[1.0], &[0]), mae(&[], &[], &[])), (None, None));
        assert_eq!(check(&[], &[]), Err(MetricError::Empty));
        let lengths = MetricError::Length { truth: 1, predicted: 2 };
        assert_eq!(check(&[1.0], &[1.0, 2.0]), Err(lengths));
        assert_eq!(check(&[1.0, f64::NAN], &[1.0, 2.0]), Err(MetricError::Invalid(1)));
    }

    proptest! {
        #[test]
        fn the_mean_has_r2_zero_and_rmse_is_at_least_mae(
            truth in proptest::collection::vec(-1e3..1e3f64, 2..50),
        ) {
            let (mean, once) = (truth.iter().sum::<f64>() / truth.len() as f64, vec![1; truth.len()]);
            let flat = vec![mean; truth.len()];
            prop_assert!(r2(&truth, &flat, &once).is_none_or(|r2| r2.abs() < 1e-9));
            prop_assert!(rmse(&truth, &flat, &once).unwrap() >= mae(&truth, &flat, &once).unwrap() - 1e-9);
        }

        /// What was drawn so often is the same as what stands there so often.
        #[test]
        fn rows_count_as_often_as_they_were_drawn(
            rows in proptest::collection::vec((-1e3..1e3f64, -1e3..1e3f64, 0..4_u32), 2..30),
        ) {
            let (truth, predicted): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (row.0, row.1)).unzip();
            let times: Vec<u32> = rows.iter().map(|row| row.2).collect();
            let drawn = rows.iter().flat_map(|row| vec![(row.0, row.1); row.2 as usize]);
            let (same_truth, same): (Vec<f64>, Vec<f64>) = drawn.unzip();
            for of in [rmse, mae, r2] {
                let (found, expected) =
                    (of(&truth, &predicted, &times), of(&same_truth, &same, &vec![1; same.len()]));
                prop_assert_eq!(found.is_some(), expected.is_some());
                let size = expected.unwrap_or(1.0).abs().max(1.0);
                prop_assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-6 * size);
            }
        }
    }
}
