//! linfa-logistic's logistic regression of two classes.

use ::linfa::DatasetBase;
use ::linfa::prelude::ParamGuard;
use ::linfa::traits::Fit;
use ndarray::{Array1, ArrayView2};

use super::block::{Block, Center};
use super::lbfgs::End;
use super::objective::Objective;
use super::{Penalty, Softmax, SoftmaxError, finished};
use crate::algorithms::input::{InputError, check};

/// linfa ends where the norm of the gradient is at most this: a sum over all rows, so about what 1e-12 is to the native
/// kernel.
const TOLERANCE: f64 = 1e-6;
/// Steps after which it stops.
const ITERATIONS_MAX: u64 = 200;

/// Fits with linfa, whose "positive" class is the larger one: signs are turned where that is not the caller's. It takes
/// neither weights nor an l1 penalty, and tells neither its steps nor whether it has converged.
pub fn fit(x: ArrayView2<'_, f64>, truth: &[bool], l2: f64) -> Result<Softmax, SoftmaxError> {
    check(x)?;
    let (rows, columns) = x.dim();
    if truth.len() != rows {
        return Err(InputError::Length { rows, targets: truth.len() }.into());
    }
    let penalty = Penalty { l1: 0.0, l2 };
    if !penalty.is_valid() {
        return Err(SoftmaxError::Penalty);
    }
    let targets = Array1::from(truth.to_vec());
    let params = linfa_logistic::LogisticRegression::<f64>::new().alpha(l2).max_iterations(ITERATIONS_MAX);
    let fitted = params.gradient_tolerance(TOLERANCE).check()?.fit(&DatasetBase::new(x, targets))?;
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let coefficients = fitted.params().iter().map(|w| sign * w);
    let parameters: Vec<f64> = coefficients.chain([sign * fitted.intercept()]).collect();
    let classes: Vec<u32> = truth.iter().map(|truth| u32::from(*truth)).collect();
    let center = Center { means: vec![0.0; columns], cleared: vec![] };
    let objective = Objective::new(Block { x, classes: &classes, weights: None }, 2, &center, rows as f64, penalty);
    let at = objective.at(&parameters);
    let gradient_norm = at.gradient.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
    let end = End { parameters, objective: at.loss, iterations: 0, converged: true, gradient_norm, most: at.most };
    Ok(finished(end, &center.means, penalty))
}
