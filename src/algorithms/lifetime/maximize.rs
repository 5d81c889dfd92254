//! The greatest value of a smooth function of few variables, and how sharply it is determined.

use ndarray::{Array1, Array2};

use super::LifetimeError;
use crate::algorithms::linalg::solve_positive_definite;

/// Steps after which it stops.
const STEPS_MAX: usize = 500;
/// No variable moves further in one step. They are logarithms: a factor of e².
const MOVE_MAX: f64 = 2.0;
/// Variables that have moved further are on their way to infinity: the function has no maximum. A factor of 3e6.
const WAY_MAX: f64 = 15.0;
/// Ends when a step promises less, in units of the function, or less than rounding.
const TOLERANCE: f64 = 1e-9;
const ROUNDING: f64 = 1e-14;
/// A step may lose this share of the function: sums of many terms are not more exact. Where even such a step is not
/// found, what is promised decides: less than this is nothing against what is uncertain of the variables.
const SLACK: f64 = 1e-12;
const NOTHING: f64 = 1e-4;
/// Share of the promised gain that a step must achieve.
const SUFFICIENT: f64 = 1e-4;
const HALVINGS_MAX: usize = 40;
/// The step of differences of gradients.
const STEP: f64 = 1e-4;

/// The value and the slopes of a function.
pub(super) type Slopes = (f64, Vec<f64>);

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Top {
    pub(super) at: Vec<f64>,
    pub(super) value: f64,
    pub(super) steps: usize,
    pub(super) converged: bool,
}

/// Climbs from `start` by the method of Broyden, Fletcher, Goldfarb and Shanno.
pub(super) fn maximize(function: impl Fn(&[f64]) -> Slopes, start: Vec<f64>) -> Top {
    let size = start.len();
    let (mut at, (mut value, mut slopes)) = (start.clone(), function(&start));
    let mut inverse = None;
    for steps in 0..STEPS_MAX {
        let known = inverse.is_some();
        let gradient = Array1::from(slopes.clone());
        let own = || Array2::eye(size) / gradient.dot(&gradient).sqrt().max(1.0);
        let matrix: Array2<f64> = inverse.take().unwrap_or_else(own);
        let mut step = matrix.dot(&gradient);
        let gain = step.dot(&gradient);
        if !gain.is_finite() || !value.is_finite() {
            return Top { at, value, steps, converged: false };
        }
        if known && gain / 2.0 <= TOLERANCE.max(ROUNDING * value.abs()) {
            return Top { at, value, steps, converged: true };
        }
        let furthest = step.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
        step *= (MOVE_MAX / furthest).min(1.0);
        let Some((there, up, found)) = search(&function, &at, &step, value, &gradient) else {
            if known && gain / 2.0 > NOTHING {
                continue;
            }
            return Top { at, value, steps, converged: known };
        };
        let moved = Array1::from_iter(there.iter().zip(&at).map(|(to, from)| to - from));
        // Of the function turned upside down, which is what curves upward.
        let change = &gradient - &Array1::from(found.clone());
        inverse = Some(updated(matrix, &moved, &change, known));
        (at, value, slopes) = (there, up, found);
        if at.iter().zip(&start).any(|(here, start)| (here - start).abs() > WAY_MAX) {
            return Top { at, value, steps: steps + 1, converged: false };
        }
    }
    Top { at, value, steps: STEPS_MAX, converged: false }
}

/// The highest of what climbing from several starts comes to.
///
/// # Errors
/// No top is finite, or the caller asked for no more.
pub(super) fn highest(
    function: impl Fn(&[f64]) -> Slopes,
    starts: impl IntoIterator<Item = Vec<f64>>,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Top, LifetimeError> {
    let mut best: Option<Top> = None;
    for start in starts {
        let top = maximize(&function, start);
        if !keep_going() {
            return Err(LifetimeError::Stopped);
        }
        if top.value.is_finite() && best.as_ref().is_none_or(|best| top.value > best.value) {
            best = Some(top);
        }
    }
    best.ok_or(LifetimeError::NoMaximum)
}

/// Halves the step until it gains enough.
fn search(
    function: &impl Fn(&[f64]) -> Slopes,
    at: &[f64],
    step: &Array1<f64>,
    value: f64,
    gradient: &Array1<f64>,
) -> Option<(Vec<f64>, f64, Vec<f64>)> {
    let promised = step.dot(gradient);
    let mut length = 1.0;
    for _ in 0..HALVINGS_MAX {
        let there: Vec<f64> = at.iter().zip(step).map(|(from, step)| from + length * step).collect();
        let (up, slopes) = function(&there);
        if up >= value + SUFFICIENT * length * promised - SLACK * value.abs()
            && slopes.iter().all(|slope| slope.is_finite())
        {
            return Some((there, up, slopes));
        }
        length /= 2.0;
    }
    None
}

/// The inverse Hessian after a step and the change of the slopes on it.
fn updated(matrix: Array2<f64>, moved: &Array1<f64>, change: &Array1<f64>, known: bool) -> Array2<f64> {
    let product = moved.dot(change);
    if product <= 1e-12 * moved.dot(moved).sqrt() * change.dot(change).sqrt() {
        return matrix;
    }
    // The first matrix knows no scale.
    let matrix = if known { matrix } else { Array2::eye(moved.len()) * (product / change.dot(change)) };
    let turned = matrix.dot(change);
    let outer = |a: &Array1<f64>, b: &Array1<f64>| Array2::from_shape_fn((a.len(), b.len()), |(i, j)| a[i] * b[j]);
    let scale = (1.0 + change.dot(&turned) / product) / product;
    matrix + outer(moved, moved) * scale - (outer(&turned, moved) + outer(moved, &turned)) / product
}

/// The covariance of the variables: the inverse of minus the Hessian at the top. `None` where that is not positive
/// definite, so that the top does not determine them.
pub(super) fn covariance(function: impl Fn(&[f64]) -> Slopes, at: &[f64]) -> Option<Array2<f64>> {
    let size = at.len();
    let mut hessian = Array2::zeros((size, size));
    for (place, mut row) in hessian.rows_mut().into_iter().enumerate() {
        let beside = |step: f64| {
            let moved = at.iter().enumerate().map(|(other, value)| if other == place { value + step } else { *value });
            function(&moved.collect::<Vec<f64>>()).1
        };
        for (slot, (more, less)) in row.iter_mut().zip(beside(STEP).iter().zip(beside(-STEP))) {
            *slot = (less - more) / (2.0 * STEP);
        }
    }
    let symmetric = (&hessian + &hessian.t()) / 2.0;
    let mut inverse = Array2::zeros((size, size));
    for (place, mut column) in inverse.columns_mut().into_iter().enumerate() {
        let unit = Array1::from_shape_fn(size, |other| if other == place { 1.0 } else { 0.0 });
        column.assign(&solve_positive_definite(&symmetric, &unit)?);
    }
    inverse.iter().all(|entry| entry.is_finite()).then_some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley, upside down.
    fn valley(at: &[f64]) -> Slopes {
        let (x, y) = (at[0], at[1]);
        let value = -((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2));
        (value, vec![2.0 * (1.0 - x) + 400.0 * x * (y - x * x), -200.0 * (y - x * x)])
    }

    #[test]
    fn a_curved_valley_is_followed() {
        let top = maximize(valley, vec![-1.2, 1.0]);
        assert!(top.converged && top.at.iter().all(|value| (value - 1.0).abs() < 1e-4), "{top:?}");
        let found = covariance(valley, &[1.0, 1.0]).unwrap();
        // The inverse of [[802, −400], [−400, 200]].
        for (found, expected) in found.iter().zip([0.5, 1.0, 1.0, 2.005]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn what_is_flat_has_no_covariance() {
        assert_eq!(covariance(|at| (0.0, vec![0.0; at.len()]), &[1.0, 2.0]), None);
        assert!(!maximize(|at| (f64::NAN, vec![f64::NAN; at.len()]), vec![0.0]).converged);
        // What only ever rises, ever less.
        let endless = maximize(|at| (-(-at[0]).exp(), vec![(-at[0]).exp()]), vec![0.0]);
        assert!(endless.at[0].is_finite() && endless.at[0] < 2.0 * WAY_MAX, "{endless:?}");
    }
}
