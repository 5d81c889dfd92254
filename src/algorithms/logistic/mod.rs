//! Binary logistic regression with an l2 penalty.
//!
//! Minimizes Σᵢ sᵢ log(1 + exp(−yᵢ (xᵢ·w + b))) + l2 · ½‖w‖², with y = ±1, the intercept b not
//! penalized, and s = 1 or the class weight; scikit-learn's `LogisticRegression(C=1/l2)`.
//!
//! Two engines: [`Engine::Native`] (Newton's method for up to 200 columns, L-BFGS above) and
//! [`Engine::Linfa`], linfa-logistic as published, which knows no weights.
//!
//! Input that is refused: no rows, no columns, NaN or infinity, one class, a negative penalty.
//! A constant column is legal and gets coefficient zero when l2 > 0. With l2 = 0 and separable
//! classes no minimum exists: coefficients grow until the loss is next to nothing.

mod block;
mod engine_linfa;
mod lbfgs;
mod model;
mod newton;
mod objective;
#[cfg(test)]
mod tests;

pub use model::Logistic;

use super::input::{InputError, check};
use ndarray::ArrayView2;
use objective::Objective;
use serde::{Deserialize, Serialize};

/// The most columns for which the Hessian is formed and factored.
const NEWTON_COLUMNS_MAX: usize = 200;

/// Who does the work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The kernel of this crate.
    #[default]
    Native,
    /// linfa-logistic as published.
    Linfa,
}

/// What a row weighs in the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// 1.
    #[default]
    None,
    /// n / (2 nᶜ) for a row of a class with nᶜ of the n rows: both classes weigh the same.
    Balanced,
}

/// How to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The penalty: multiplies ½‖w‖² against the summed loss.
    pub l2: f64,
    /// What a row weighs.
    pub class_weight: ClassWeight,
    /// Steps after which to stop without having converged.
    pub max_iterations: usize,
    /// Ends when the expected decrease of the objective is at most this times (1 + objective).
    /// For linfa: the norm of the gradient.
    pub tolerance: f64,
    /// Who does the work.
    pub engine: Engine,
}

impl Default for Params {
    /// l2 = 1, no class weights, 200 steps, a tolerance of 1e-12, the native engine.
    fn default() -> Self {
        Self { l2: 1.0, class_weight: ClassWeight::None, max_iterations: 200, tolerance: 1e-12, engine: Engine::Native }
    }
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum LogisticError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// All rows are of one class.
    #[error("tell two classes apart: all {rows} rows are of one class")]
    OneClass {
        /// Rows given.
        rows: usize,
    },
    /// A penalty that is negative or not a number.
    #[error("penalize: l2 is not a number at or above zero")]
    Penalty,
    /// A tolerance that is not above zero.
    #[error("stop at a tolerance that is not a number above zero")]
    Tolerance,
    /// linfa would ignore the weights.
    #[error("weigh classes with the linfa engine: it ignores weights; use the native engine")]
    LinfaWeights,
    /// What linfa reports.
    #[error("fit with linfa: {0}")]
    Linfa(#[from] linfa_logistic::error::Error),
}

/// Fits on `x` (rows × columns); `positive` says which rows are of the class whose probability the
/// model gives. The result does not depend on the number of threads. Not having converged is no
/// error: see [`Logistic::converged`].
pub fn fit(x: ArrayView2<'_, f64>, positive: &[bool], params: &Params) -> Result<Logistic, LogisticError> {
    check(x)?;
    let rows = x.nrows();
    if positive.len() != rows {
        return Err(InputError::Length { rows, targets: positive.len() }.into());
    }
    let positives = positive.iter().filter(|&&p| p).count();
    if positives == 0 || positives == rows {
        return Err(LogisticError::OneClass { rows });
    }
    if !(params.l2 >= 0.0 && params.l2.is_finite()) {
        return Err(LogisticError::Penalty);
    }
    if !(params.tolerance > 0.0 && params.tolerance.is_finite()) {
        return Err(LogisticError::Tolerance);
    }
    if params.engine == Engine::Linfa {
        return engine_linfa::fit(x, positive, params);
    }
    let (weight, weight_other) = match params.class_weight {
        ClassWeight::None => (1.0, 1.0),
        ClassWeight::Balanced => {
            let half = rows as f64 / 2.0;
            (half / positives as f64, half / (rows - positives) as f64)
        }
    };
    let objective = Objective::new(x, positive, weight, weight_other, params.l2);
    let odds = weight * positives as f64 / (weight_other * (rows - positives) as f64);
    let mut start = vec![0.0; x.ncols() + 1];
    if let Some(intercept) = start.last_mut() {
        *intercept = odds.ln();
    }
    Ok(if x.ncols() <= NEWTON_COLUMNS_MAX {
        newton::minimize(&objective, start, params)
    } else {
        lbfgs::minimize(&objective, start, params)
    })
}
