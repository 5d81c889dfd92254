//! Measures of predicted numbers.

use super::{MetricError, check_lengths};
use serde::Serialize;

/// Errors of predictions, and their share of the variation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regression {
    /// Mean of |truth − prediction|, in the unit of the target.
    pub mae: f64,
    /// Root of the mean of (truth − prediction)², in the unit of the target.
    pub rmse: f64,
    /// 1 − Σ(truth − prediction)² / Σ(truth − mean of truth)²; `None` when the truth is constant
    /// (one row included).
    pub r2: Option<f64>,
}

/// Measures predictions. Errors on no rows, differing lengths, NaN and infinite values.
pub fn evaluate(truth: &[f64], predicted: &[f64]) -> Result<Regression, MetricError> {
    check_lengths(truth.len(), predicted.len())?;
    let bad = truth.iter().zip(predicted).filter(|(t, p)| !(t.is_finite() && p.is_finite())).count();
    if bad > 0 {
        return Err(MetricError::Invalid(bad));
    }
    let rows = truth.len() as f64;
    let mean = truth.iter().sum::<f64>() / rows;
    let squares: f64 = squared_errors(truth, predicted).iter().sum();
    let variation: f64 = truth.iter().map(|t| (t - mean) * (t - mean)).sum();
    let constant = truth.iter().all(|t| truth.first() == Some(t));
    Ok(Regression {
        mae: absolute_errors(truth, predicted).iter().sum::<f64>() / rows,
        rmse: (squares / rows).sqrt(),
        r2: (!constant).then(|| 1.0 - squares / variation),
    })
}

/// |truth − prediction| of each row, for intervals.
pub fn absolute_errors(truth: &[f64], predicted: &[f64]) -> Vec<f64> {
    truth.iter().zip(predicted).map(|(t, p)| (t - p).abs()).collect()
}

/// (truth − prediction)² of each row, for intervals.
pub fn squared_errors(truth: &[f64], predicted: &[f64]) -> Vec<f64> {
    truth.iter().zip(predicted).map(|(t, p)| (t - p) * (t - p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// scikit-learn 1.9.1: mean_absolute_error, root_mean_squared_error and r2_score.
    #[test]
    fn agrees_with_scikit_learn() {
        let found = evaluate(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0]).unwrap();
        assert_eq!(found.mae, 0.5);
        assert!((found.rmse - 0.612_372_435_695_794_5).abs() < 1e-15);
        assert!((found.r2.unwrap() - 0.948_608_137_044_967_9).abs() < 1e-15);
    }

    #[test]
    fn what_does_not_exist() {
        assert_eq!(evaluate(&[2.0, 2.0], &[1.0, 3.0]).unwrap().r2, None);
        assert_eq!(evaluate(&[], &[]), Err(MetricError::Empty));
        let lengths = MetricError::Length { truth: 1, predicted: 2 };
        assert_eq!(evaluate(&[1.0], &[1.0, 2.0]), Err(lengths));
        assert_eq!(evaluate(&[1.0, f64::NAN], &[1.0, 2.0]), Err(MetricError::Invalid(1)));
    }

    proptest! {
        #[test]
        fn the_mean_has_r2_zero_and_rmse_is_at_least_mae(
            truth in proptest::collection::vec(-1e3..1e3f64, 2..50),
        ) {
            let mean = truth.iter().sum::<f64>() / truth.len() as f64;
            let found = evaluate(&truth, &vec![mean; truth.len()]).unwrap();
            prop_assert!(found.r2.is_none_or(|r2| r2.abs() < 1e-9));
            prop_assert!(found.rmse >= found.mae - 1e-9);
        }
    }
}
