//! Support vector machines in the dual, for any kernel: C-SVC for two classes and epsilon-SVR.
//!
//! Classification minimizes ½‖w‖² + Σ Cᵢ max(0, 1 − yᵢ f(xᵢ)), regression ½‖w‖² + Σ Cᵢ max(0, |f(xᵢ) − zᵢ| − epsilon),
//! where f(x) = w·φ(x) + b; libsvm's problems (Chang and Lin, "LIBSVM", ACM TIST 2, 2011). Class and sample weights
//! enter as Cᵢ = C times the weight.
//!
//! Time grows with the square of the rows at least, memory with the rows and the cache: see [`cost`] and [`bytes`].
//! As in libsvm the kernel matrix is held in single precision and summed in double. There is no shrinking. Of equal
//! candidates the last is taken, so that the result depends on the order of the rows but never on the threads.

mod cache;
mod passes;
mod smo;
#[cfg(test)]
pub(super) mod tests;

use super::kernel::{Kernel, expansion};
use super::{SvmError, check_pairs, check_targets, signs, weighted};
use crate::algorithms::input::{InputError, check_finite, check_width};
use crate::algorithms::tiles::{LANES, tiled};
use cache::Cache;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smo::Variables;

/// How to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The kernel.
    pub kernel: Kernel,
    /// What an error costs against the penalty ½‖w‖².
    pub c: f64,
    /// Ends when no two slopes of the dual differ by more.
    pub tolerance: f64,
    /// Steps after which to stop without having converged.
    pub iterations_max: usize,
    /// What rows of the kernel may take; two rows are kept whatever it says.
    pub cache_bytes: usize,
}

impl Params {
    /// C = 1, a tolerance of 0.001, ten million steps, 200 MB of cache.
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, c: 1.0, tolerance: 1e-3, iterations_max: 10_000_000, cache_bytes: 200 << 20 }
    }
}

/// Rows that carry the decision, and their share in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel.
    pub kernel: Kernel,
    /// Columns of the training table.
    pub columns: usize,
    /// The rows with a coefficient other than zero.
    pub support: Vec<Vec<f64>>,
    /// Their places in the training table, ascending.
    pub support_rows: Vec<usize>,
    /// Their signed coefficients: yᵢ αᵢ, or αᵢ − αᵢ* of regression.
    pub coefficients: Vec<f64>,
    /// Added to what they sum to.
    pub intercept: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the tolerance was reached before the steps were used up.
    pub converged: bool,
    /// By how much two slopes still differ.
    pub violation: f64,
    /// Rows of the kernel that were computed, repetitions counted.
    pub rows_computed: usize,
}

/// Fits two classes on `x` (rows × columns); decisions are above zero for `positive` rows. `weights` multiply C row by
/// row; `keep_going` is asked every thousand steps. Not having converged is no error: see [`Machine::converged`].
pub fn classify(
    x: ArrayView2<'_, f64>,
    positive: &[bool],
    weights: Option<&[f64]>,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Machine, SvmError> {
    check_pairs(x, positive.len())?;
    check_params(params)?;
    let (kept, costs) = weighted(x.nrows(), weights, params.c)?;
    let signs = signs(positive, &kept)?;
    let fill = |variables: &mut Variables| {
        variables.add_half(signs.iter().zip(&costs).map(|(sign, cost)| (*sign, sign * cost)));
    };
    fit(x, &kept, fill, params, keep_going)
}

/// Fits targets on `x`: errors up to `epsilon` cost nothing. The rest as [`classify`].
pub fn regress(
    x: ArrayView2<'_, f64>,
    targets: &[f64],
    weights: Option<&[f64]>,
    epsilon: f64,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Machine, SvmError> {
    check_targets(x, targets)?;
    check_params(params)?;
    if !(epsilon >= 0.0 && epsilon.is_finite()) {
        return Err(SvmError::Epsilon);
    }
    let (kept, costs) = weighted(x.nrows(), weights, params.c)?;
    let targets: Vec<f64> = kept.iter().filter_map(|row| targets.get(*row).copied()).collect();
    let fill = |variables: &mut Variables| {
        variables.add_half(targets.iter().zip(&costs).map(|(target, cost)| (target - epsilon, *cost)));
        variables.add_half(targets.iter().zip(&costs).map(|(target, cost)| (target + epsilon, -cost)));
    };
    fit(x, &kept, fill, params, keep_going)
}

/// Bytes that a fit takes at most beside its input, and the cache of `cache_bytes` within them.
pub fn bytes(rows: usize, columns: usize, cache_bytes: usize) -> usize {
    let width = rows.next_multiple_of(LANES);
    let cache = cache::slots(rows, width, cache_bytes).saturating_mul(width * size_of::<f32>());
    // Two copies of the table and one of its support, the variables of regression, diagonal, targets and costs, places
    // and ages.
    let each = 3 * columns * size_of::<f64>() + (2 * 6 + 5) * size_of::<f64>() + 10 * size_of::<usize>();
    cache.saturating_add(width.saturating_mul(each))
}

/// About how many multiplications a fit takes, on data like that of customers and with C near 1: every row of the
/// kernel once, and as many steps as rows. It may take ten times as many where C is large or the cache is too small for
/// the support.
pub fn cost(rows: usize, columns: usize) -> f64 {
    // The exponential of the kernel, and the two passes of a step, in multiplications.
    let (kernel, passes) = (16.0, 16.0);
    (rows as f64).powi(2) * (columns as f64 + kernel + passes)
}

fn check_params(params: &Params) -> Result<(), SvmError> {
    params.kernel.check()?;
    if params.tolerance > 0.0 { Ok(()) } else { Err(SvmError::Tolerance) }
}

fn fit(
    x: ArrayView2<'_, f64>,
    kept: &[usize],
    fill: impl FnOnce(&mut Variables),
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Machine, SvmError> {
    let (kernel, columns) = (params.kernel, x.ncols());
    let points: Vec<f64> = kept.iter().flat_map(|row| x.row(*row)).copied().collect();
    let tiles = {
        let rows = ArrayView2::from_shape((kept.len(), columns), &points).map_err(|_| SvmError::Overflow)?;
        tiled(rows)
    };
    let width = kept.len().next_multiple_of(LANES);
    let mut diagonal: Vec<f64> = points.par_chunks(columns).map(|row| kernel.diagonal(row)).collect();
    if !diagonal.iter().all(|value| value.is_finite()) {
        return Err(SvmError::Overflow);
    }
    diagonal.resize(width, 0.0);
    let mut variables = Variables::new(width);
    fill(&mut variables);
    let mut cache = Cache::new(&tiles, &points, columns, kernel, params.cache_bytes);
    let end = smo::minimize(&mut variables, &mut cache, &diagonal, params, keep_going)?;
    let mut machine = Machine {
        kernel,
        columns,
        support: Vec::new(),
        support_rows: Vec::new(),
        coefficients: Vec::new(),
        intercept: end.intercept,
        iterations: end.iterations,
        converged: end.converged,
        violation: end.violation,
        rows_computed: cache.computed,
    };
    for (place, (row, point)) in kept.iter().zip(points.chunks_exact(columns)).enumerate() {
        let coefficient: f64 = variables.values.iter().skip(place).step_by(width).sum();
        if coefficient != 0.0 {
            machine.support.push(point.to_vec());
            machine.support_rows.push(*row);
            machine.coefficients.push(coefficient);
        }
    }
    Ok(machine)
}

impl Machine {
    /// f of every row of `x`: for classes above zero where the positive one is likelier, for regression the target.
    /// Errors on another width and on NaN or infinite values; no rows give no decisions.
    pub fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, InputError> {
        check_width(x, self.columns)?;
        check_finite(x)?;
        let (rows, width) = (self.support.len(), self.support.len().next_multiple_of(LANES));
        let support = Array2::from_shape_fn((rows, self.columns), |(row, column)| {
            self.support.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0.0)
        });
        let tiles = tiled(support.view());
        let mut coefficients = self.coefficients.clone();
        coefficients.resize(width, 0.0);
        let points: Vec<_> = x.axis_iter(Axis(0)).collect();
        let decision = |point: &mut Vec<f64>, row: ndarray::ArrayView1<'_, f64>| {
            point.clear();
            point.extend(row);
            expansion(&tiles, &coefficients, point, self.kernel) + self.intercept
        };
        Ok(points.into_par_iter().map_init(Vec::new, decision).collect())
    }
}
