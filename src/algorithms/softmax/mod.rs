//! Logistic regression of two or more classes with an l1 penalty, an l2 penalty, or both.
//!
//! Minimizes Σᵢ sᵢ · −log P(class of row i) + l1 · Σ |w| + l2/2 · Σ w², with s = 1 or the weight of the row, and
//! P(k) ∝ exp(xᵢ·w_k + b_k); the intercepts b are not penalized. Of more than two classes each has a vector of
//! coefficients, none of them left out; of two only the second has one. That is scikit-learn's `LogisticRegression` with
//! l1 = l1_ratio / C and l2 = (1 − l1_ratio) / C, and weights of classes as weights of their rows.
//!
//! L-BFGS from the Hessian at coefficients of zero, which columns of any scale and, up to 300 of them, any correlation
//! slow down little; with an l1 penalty its orthant-wise variant, which gives exact zeros. Columns are centered inside.
//!
//! Columns that are constant get coefficient zero. Without a penalty and with classes that can be told apart without
//! error no minimum exists: what was reached is not converged, and its coefficients are finite but mean nothing. Where
//! only some classes can be told apart so, coefficients grow until the loss is next to what it can be, which counts as
//! converged.
//!
//! Input that is refused: no rows, no columns, NaN or infinity (in rows of weight zero too), a class out of range or
//! without rows of weight above zero, penalties that are negative or not finite, weights that are negative or not
//! finite, or all zero.

mod block;
mod lbfgs;
pub mod linfa;
mod metric;
mod model;
mod objective;
#[cfg(test)]
mod tests;

pub use super::elastic::Penalty;
pub use model::Softmax;

use super::gram::{Rows, gram, is_constant, noise, total};
use super::input::{InputError, check};
use block::{Block, Center};
use lbfgs::End;
use metric::Metric;
use ndarray::{Array2, ArrayView2};
use objective::Objective;
use serde::{Deserialize, Serialize};

/// When to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Ends when the expected decrease of the objective is at most this times the objective, or rounding.
    pub tolerance: f64,
    /// Steps after which to stop without having converged.
    pub max_iterations: usize,
}

impl Default for Params {
    /// A tolerance of 1e-14, which is some six digits of the coefficients; 1,000 steps.
    fn default() -> Self {
        Self { tolerance: 1e-14, max_iterations: 1000 }
    }
}

/// Why there is no model.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum SoftmaxError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Fewer than two classes asked for.
    #[error("tell classes apart: {0} classes were asked for")]
    Classes(usize),
    /// A row is of a class that there is not.
    #[error("tell {count} classes apart: a row is of class {class}, counted from zero")]
    Class {
        /// The class found.
        class: u32,
        /// How many there are.
        count: usize,
    },
    /// All rows that count are of one class.
    #[error("tell classes apart: all rows are of one class")]
    OneClass,
    /// A class has no rows that count; it would be told nothing about.
    #[error("tell {count} classes apart: none of the rows is of class {class}, counted from zero")]
    NoneOfClass {
        /// The first such class.
        class: usize,
        /// How many there are.
        count: usize,
    },
    /// A penalty that is negative or not a number.
    #[error("penalize: l1 and l2 are not both numbers at or above zero")]
    Penalty,
    /// A tolerance that is not above zero.
    #[error("stop at a tolerance that is not a number above zero")]
    Tolerance,
    /// A weight that is negative or not finite, or a sum of them that is not.
    #[error("weigh rows: a weight is negative or not finite, or their sum is not")]
    Weights,
    /// The numbers are so large that their products have no sum.
    #[error("fit numbers this large: their squares are not finite; scale the columns")]
    Overflow,
    /// What linfa reports.
    #[error("fit with linfa: {0}")]
    Linfa(String),
    /// The caller asked for no more.
    #[error("fit a logistic regression: stopped before the end")]
    Stopped,
}

impl From<linfa_logistic::error::Error> for SoftmaxError {
    fn from(error: linfa_logistic::error::Error) -> SoftmaxError {
        SoftmaxError::Linfa(error.to_string())
    }
}

/// Fits on `x` (rows × columns), the class of each row from 0 to `class_count` − 1 and, if any, the weight of each; a
/// weight of 0 is as if the row were not there. The result does not depend on the number of threads. `keep_going` is
/// asked before each step. Not having converged is no error: see [`Softmax::converged`].
pub fn fit(
    x: ArrayView2<'_, f64>,
    classes: &[u32],
    class_count: usize,
    weights: Option<&[f64]>,
    penalty: &Penalty,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Softmax, SoftmaxError> {
    check(x)?;
    let (rows, columns) = x.dim();
    if classes.len() != rows {
        return Err(InputError::Length { rows, targets: classes.len() }.into());
    }
    if !penalty.is_valid() {
        return Err(SoftmaxError::Penalty);
    }
    if !(params.tolerance > 0.0 && params.tolerance.is_finite()) {
        return Err(SoftmaxError::Tolerance);
    }
    let total = total(weights, rows)?.ok_or(SoftmaxError::Weights)?;
    let shares = shares(classes, class_count, weights, total)?;
    if !keep_going() {
        return Err(SoftmaxError::Stopped);
    }
    let table = Rows { x, targets: &[], weights };
    let noise = noise(rows, total);
    let (means, mut squares, products) = if columns <= metric::COLUMNS_MAX {
        let mut gram = gram(table, total);
        gram.clear_constant(noise);
        let squares: Vec<f64> = (0..columns).map(|column| gram.square(column)).collect();
        (gram.means, squares, Some(gram.products))
    } else {
        let mut means = table.means(total);
        means.truncate(columns);
        let squares = table.squares(&means);
        (means, squares, None)
    };
    if !means.iter().chain(&squares).all(|value| value.is_finite()) {
        return Err(SoftmaxError::Overflow);
    }
    let is_constant = |column: &usize| is_constant(squares[*column], means[*column], noise);
    let cleared: Vec<usize> = (0..columns).filter(is_constant).collect();
    cleared.iter().for_each(|column| squares[*column] = 0.0);
    let center = Center { means, cleared };
    let objective = Objective::new(Block { x, classes, weights }, class_count, &center, total, *penalty);
    let start = start(&shares, objective.stride);
    let metric = Metric::new(products, squares, &shares, total, *penalty);
    let end = lbfgs::minimize(&objective, metric, start, params, keep_going)?;
    Ok(finished(end, &center.means, *penalty))
}

/// The share of each class in the weights.
fn shares(classes: &[u32], count: usize, weights: Option<&[f64]>, total: f64) -> Result<Vec<f64>, SoftmaxError> {
    if count < 2 {
        return Err(SoftmaxError::Classes(count));
    }
    if let Some(class) = classes.iter().find(|class| **class as usize >= count) {
        return Err(SoftmaxError::Class { class: *class, count });
    }
    let mut sums = vec![0.0; count];
    for (row, class) in classes.iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));
        if let Some(sum) = sums.get_mut(*class as usize) {
            *sum += weight;
        }
    }
    if sums.iter().filter(|sum| **sum > 0.0).count() < 2 {
        return Err(SoftmaxError::OneClass);
    }
    // A share so small that the others leave nothing of one is none.
    let shares: Vec<f64> = sums.iter().map(|sum| sum / total).collect();
    match shares.iter().position(|share| share * (1.0 - share) <= 0.0) {
        Some(class) => Err(SoftmaxError::NoneOfClass { class, count }),
        None => Ok(shares),
    }
}

/// Coefficients of zero, and the intercepts that are best with them.
fn start(shares: &[f64], stride: usize) -> Vec<f64> {
    let mean = shares.iter().map(|share| share.ln()).sum::<f64>() / shares.len() as f64;
    let intercepts: Vec<f64> = match shares {
        [first, second] => vec![(second / first).ln()],
        _ => shares.iter().map(|share| share.ln() - mean).collect(),
    };
    let vector = |intercept| std::iter::repeat_n(0.0, stride - 1).chain([intercept]);
    intercepts.into_iter().flat_map(vector).collect()
}

/// A model for columns that are not centered.
fn finished(end: End, means: &[f64], penalty: Penalty) -> Softmax {
    let columns = means.len();
    let vectors = end.parameters.chunks_exact(columns + 1);
    let coefficients: Vec<f64> = vectors.clone().flat_map(|vector| vector.iter().take(columns)).copied().collect();
    let shifted = |vector: &[f64]| {
        let explained: f64 = vector.iter().zip(means).map(|(w, mean)| w * mean).sum();
        vector.last().copied().unwrap_or(0.0) - explained
    };
    let mut intercepts: Vec<f64> = vectors.map(shifted).collect();
    if intercepts.len() > 1 {
        // Only their differences count.
        let mean = intercepts.iter().sum::<f64>() / intercepts.len() as f64;
        intercepts.iter_mut().for_each(|intercept| *intercept -= mean);
    }
    // Larger coefficients of the same directions would always fit better.
    let boundless = penalty.l1 == 0.0 && penalty.l2 == 0.0 && end.most < std::f64::consts::LN_2;
    Softmax {
        coefficients: Array2::from_shape_vec((intercepts.len(), columns), coefficients).unwrap_or_default(),
        intercepts,
        objective: end.objective,
        iterations: end.iterations,
        converged: end.converged && !boundless,
        gradient_norm: end.gradient_norm,
    }
}
