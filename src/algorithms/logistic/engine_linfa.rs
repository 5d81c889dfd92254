//! linfa-logistic's binary logistic regression.

use super::objective::Objective;
use super::{ClassWeight, Logistic, LogisticError, Params};
use linfa::DatasetBase;
use linfa::prelude::ParamGuard;
use linfa::traits::Fit;
use ndarray::{Array1, ArrayView2};

/// Fits with linfa, whose "positive" class is the larger one: signs are turned where that is not
/// the caller's. linfa ignores weights, so asking for them is an error.
pub(super) fn fit(x: ArrayView2<'_, f64>, positive: &[bool], params: &Params) -> Result<Logistic, LogisticError> {
    if params.class_weight != ClassWeight::None {
        return Err(LogisticError::LinfaWeights);
    }
    let targets = Array1::from(positive.to_vec());
    let fitted = linfa_logistic::LogisticRegression::<f64>::new()
        .alpha(params.l2)
        .max_iterations(params.max_iterations as u64)
        .gradient_tolerance(params.tolerance)
        .check()?
        .fit(&DatasetBase::new(x, targets))?;
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let coefficients = fitted.params().iter().map(|w| sign * w);
    let parameters: Vec<f64> = coefficients.chain([sign * fitted.intercept()]).collect();
    let loss = Objective::new(x, positive, 1.0, 1.0, params.l2).at(&parameters, false).loss;
    Ok(Logistic::new(parameters, loss, params.max_iterations, true))
}
