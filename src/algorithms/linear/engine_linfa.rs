//! linfa-linear's least squares as published.

use super::Linear;
use crate::algorithms::input::{InputError, check, check_finite};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, ArrayView1, ArrayView2, Axis};

/// Why there is no model.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum LinfaError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// What linfa reports.
    #[error("fit with linfa: {0}")]
    Refused(String),
}

/// Fits on `x` (rows × columns) and as many targets, by reflections of the whole table at once. linfa knows no weights,
/// no penalty and no standard errors; columns that others determine it cannot leave out, and they are an error.
pub fn fit(x: ArrayView2<'_, f64>, targets: &[f64]) -> Result<Linear, LinfaError> {
    check(x)?;
    let rows = x.nrows();
    if targets.len() != rows {
        return Err(InputError::Length { rows, targets: targets.len() }.into());
    }
    check_finite(ArrayView1::from(targets).insert_axis(Axis(1)))?;
    if rows <= x.ncols() {
        return Err(LinfaError::Refused("there are no more rows than columns".to_owned()));
    }
    // It would give some of many solutions, and say nothing.
    let dependent = super::fit(x, targets, 0.0).map_err(|error| LinfaError::Refused(error.to_string()))?.dependent;
    if !dependent.is_empty() {
        let value = format!("{} of {} columns are constant or determined by others", dependent.len(), x.ncols());
        return Err(LinfaError::Refused(value));
    }
    let data = DatasetBase::new(x, Array1::from(targets.to_vec()));
    let found =
        linfa_linear::LinearRegression::new().fit(&data).map_err(|error| LinfaError::Refused(error.to_string()))?;
    if !found.intercept().is_finite() || found.params().iter().any(|value| !value.is_finite()) {
        return Err(LinfaError::Refused("the coefficients are not finite".to_owned()));
    }
    let coefficients = found.params().to_vec();
    Ok(Linear { coefficients, intercept: found.intercept(), standard_errors: None, deviation: None, dependent: vec![] })
}

#[cfg(test)]
mod tests {
    use super::super::fit as native;
    use super::*;
    use ndarray::{Array2, array};

    fn table() -> (Array2<f64>, Vec<f64>) {
        let x = Array2::from_shape_fn((90, 4), |(row, column)| {
            ((row * (31 + 7 * column)) % 53) as f64 * 10_f64.powi(column as i32)
        });
        let y = x
            .rows()
            .into_iter()
            .enumerate()
            .map(|(row, x)| x[0] - 0.2 * x[1] + 1e-3 * x[3] + (row % 5) as f64)
            .collect();
        (x, y)
    }

    #[test]
    fn both_engines_agree() {
        let (x, y) = table();
        let (ours, theirs) = (native(x.view(), &y, 0.0).unwrap(), fit(x.view(), &y).unwrap());
        for (ours, theirs) in ours.coefficients.iter().zip(&theirs.coefficients) {
            assert!((ours - theirs).abs() <= 1e-9 * ours.abs().max(1e-9), "{ours} {theirs}");
        }
        assert!((ours.intercept - theirs.intercept).abs() < 1e-8);
    }

    #[test]
    fn what_it_cannot_is_refused() {
        let (x, y) = table();
        let twice = ndarray::concatenate![Axis(1), x, x.slice(ndarray::s![.., ..1])];
        assert!(native(twice.view(), &y, 0.0).is_ok());
        assert!(matches!(fit(twice.view(), &y), Err(LinfaError::Refused(_))));
        assert!(matches!(fit(array![[1.0, 2.0]].view(), &[1.0]), Err(LinfaError::Refused(_))));
        assert!(matches!(fit(x.view(), &[1.0]), Err(LinfaError::Input(InputError::Length { .. }))));
    }
}
