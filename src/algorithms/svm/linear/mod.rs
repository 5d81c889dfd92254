//! Support vector machines with the linear kernel in the primal, at any number of rows.
//!
//! Classification minimizes ½‖w‖² + Σ Cᵢ max(0, 1 − yᵢ f(xᵢ))², regression ½‖w‖² + Σ Cᵢ max(0, |f(xᵢ) − zᵢ| − epsilon)²
//! where f(x) = x·w + b: LIBLINEAR's problems with the squared loss (Fan and others, JMLR 9, 2008), except that the
//! intercept b is not penalized. Both are piecewise quadratic, so that Newton's method ends after a few steps at the
//! minimum itself (Keerthi and DeCoste, JMLR 6, 2005). Above 300 columns the Hessian is not formed: steps come from
//! conjugate gradients.
//!
//! Where no row errs at a range of intercepts, regression has no single one and gives one of them.

mod block;
mod newton;
mod objective;
#[cfg(test)]
mod tests;

use super::{SvmError, check_pairs, check_targets, signs, weighted};
use crate::algorithms::input::{InputError, check_finite, check_width};
use block::Curvature;
use ndarray::{ArrayView2, Axis};
use objective::Objective;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The most columns for which the Hessian is formed and factored.
const NEWTON_COLUMNS_MAX: usize = 300;

/// How to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// What an error costs against the penalty ½‖w‖².
    pub c: f64,
    /// Ends when no entry of the gradient exceeds this share of what its terms sum to.
    pub tolerance: f64,
    /// Steps after which to stop without having converged.
    pub iterations_max: usize,
}

impl Default for Params {
    /// C = 1, a tolerance of 1e-10, 200 steps.
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-10, iterations_max: 200 }
    }
}

/// A plane that parts two classes, or passes through targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plane {
    /// One a column.
    pub coefficients: Vec<f64>,
    /// f where every column is zero.
    pub intercept: f64,
    /// Penalty and loss on the training rows.
    pub objective: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether a minimum was reached.
    pub converged: bool,
}

/// What is summed over rows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    Hinge,
    Insensitive { epsilon: f64 },
}

/// Fits two classes on `x` (rows × columns); decisions are above zero for `positive` rows. `weights` multiply C row by
/// row; `keep_going` is asked before each step. Not having converged is no error: see [`Plane::converged`]. The result
/// does not depend on the number of threads.
pub fn classify(
    x: ArrayView2<'_, f64>,
    positive: &[bool],
    weights: Option<&[f64]>,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Plane, SvmError> {
    check_pairs(x, positive.len())?;
    let (kept, costs) = weighted(x.nrows(), weights, params.c)?;
    signs(positive, &kept)?;
    let targets = positive.iter().map(|positive| if *positive { 1.0 } else { -1.0 }).collect();
    fit(x, targets, spread(x.nrows(), &kept, &costs), Loss::Hinge, 0.0, params, keep_going)
}

/// Fits targets on `x`: errors up to `epsilon` cost nothing. The rest as [`classify`].
pub fn regress(
    x: ArrayView2<'_, f64>,
    targets: &[f64],
    weights: Option<&[f64]>,
    epsilon: f64,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Plane, SvmError> {
    check_targets(x, targets)?;
    if !(epsilon >= 0.0 && epsilon.is_finite()) {
        return Err(SvmError::Epsilon);
    }
    let (kept, costs) = weighted(x.nrows(), weights, params.c)?;
    let costs = spread(x.nrows(), &kept, &costs);
    // From near the targets the tolerance is one of their differences, not of their size.
    let mean = targets.iter().map(|target| target / targets.len() as f64).sum();
    fit(x, targets.to_vec(), costs, Loss::Insensitive { epsilon }, mean, params, keep_going)
}

/// The costs of the kept rows among all.
fn spread(rows: usize, kept: &[usize], costs: &[f64]) -> Vec<f64> {
    let mut all = vec![0.0; rows];
    for (row, cost) in kept.iter().zip(costs) {
        if let Some(slot) = all.get_mut(*row) {
            *slot = *cost;
        }
    }
    all
}

fn fit(
    x: ArrayView2<'_, f64>,
    targets: Vec<f64>,
    costs: Vec<f64>,
    loss: Loss,
    intercept: f64,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Plane, SvmError> {
    let tolerance = if params.tolerance > 0.0 { params.tolerance } else { return Err(SvmError::Tolerance) };
    let wanted = if x.ncols() <= NEWTON_COLUMNS_MAX { Curvature::Triangle } else { Curvature::Diagonal };
    let objective = Objective::new(&x, targets, costs, loss, wanted);
    let mut start = vec![0.0; x.ncols()];
    start.push(intercept);
    let newton::End { mut parameters, objective: value, iterations, converged } =
        newton::minimize(&objective, start, wanted, tolerance, params.iterations_max, keep_going)?;
    let centered = parameters.pop().unwrap_or(0.0);
    let shift: f64 = parameters.iter().zip(&objective.means).map(|(w, mean)| w * mean).sum();
    Ok(Plane { coefficients: parameters, intercept: centered - shift, objective: value, iterations, converged })
}

impl Plane {
    /// f of every row of `x`: for classes above zero where the positive one is likelier, for regression the target.
    /// Errors on another width and on NaN or infinite values; no rows give no decisions.
    pub fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, InputError> {
        check_width(x, self.coefficients.len())?;
        check_finite(x)?;
        let of = |row: ndarray::ArrayView1<'_, f64>| {
            row.iter().zip(&self.coefficients).map(|(value, w)| value * w).sum::<f64>() + self.intercept
        };
        let rows: Vec<_> = x.axis_iter(Axis(0)).collect();
        Ok(rows.into_par_iter().with_min_len(1024).map(of).collect())
    }
}
