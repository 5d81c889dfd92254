//! Newton's method with halving of steps; for many columns steps come from conjugate gradients.

use super::SvmError;
use super::block::{Curvature, Part};
use super::objective::Objective;
use crate::algorithms::linalg::newton_step;

/// Share of the decrease promised by the slope that a step must achieve.
const SUFFICIENT: f64 = 1e-4;

/// Halvings after which a step is as good as none.
const HALVINGS_MAX: usize = 40;

/// Where rounding ends the descent, this much of the gradient passes for none.
const ROUNDED: f64 = 1e-8;

/// The most products of a step by conjugate gradients.
const PRODUCTS_MAX: usize = 1000;

/// Where the search ended.
pub(super) struct End {
    pub(super) parameters: Vec<f64>,
    pub(super) objective: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// Minimizes from `start` (the intercept last) until no entry of the gradient exceeds `tolerance` times what its terms
/// summed to in the beginning, their signs aside.
pub(super) fn minimize(
    objective: &Objective<'_>,
    start: Vec<f64>,
    wanted: Curvature,
    tolerance: f64,
    iterations_max: usize,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<End, SvmError> {
    let (mut bends, mut bends_there) = (objective.bends(), objective.bends());
    let mut parameters = start;
    let mut here = objective.at(&parameters, &mut bends);
    let scales = scales(&here, wanted);
    if !(here.loss.is_finite() && scales.iter().chain(&here.gradient).all(|value| value.is_finite())) {
        return Err(SvmError::Overflow);
    }
    let mut iterations = 0;
    loop {
        let left = remaining(&here, &parameters, &scales);
        let end = |parameters, converged| End { parameters, objective: here.loss, iterations, converged };
        if left <= tolerance || iterations == iterations_max {
            return Ok(end(parameters, left <= tolerance));
        }
        if !keep_going() {
            return Err(SvmError::Stopped);
        }
        let step = match wanted {
            Curvature::Triangle => newton_step(&here.gradient, &here.curvature),
            Curvature::Diagonal => conjugate_step(objective, &here, &bends, (0.1 * left).sqrt().min(0.1)),
        };
        let Some(step) = step else { return Ok(end(parameters, left <= ROUNDED)) };
        let slope = dot(&step, &here.gradient);
        let found = search(&parameters, &step, here.loss, slope, |there| objective.at(there, &mut bends_there));
        let Some((there, at)) = found else { return Ok(end(parameters, left <= ROUNDED)) };
        (parameters, here) = (there, at);
        std::mem::swap(&mut bends, &mut bends_there);
        iterations += 1;
    }
}

/// Bounds, by Cauchy and Schwarz, of what the terms of each entry of the gradient sum to without their signs.
fn scales(start: &Part, wanted: Curvature) -> Vec<f64> {
    let place = |entry: usize| if wanted == Curvature::Triangle { entry * (entry + 3) / 2 } else { entry };
    let bend = |entry: usize| start.curvature.get(place(entry)).copied().unwrap_or(0.0);
    (0..start.gradient.len()).map(|entry| (2.0 * start.loss * bend(entry)).sqrt()).collect()
}

/// The greatest entry of the gradient against its scale.
fn remaining(here: &Part, parameters: &[f64], scales: &[f64]) -> f64 {
    let coefficients = parameters.iter().take(parameters.len().saturating_sub(1)).map(|w| w.abs()).chain([0.0]);
    let entries = here.gradient.iter().zip(scales).zip(coefficients);
    let ratios = entries.map(|((g, scale), w)| if *g == 0.0 { 0.0 } else { g.abs() / (scale + w) });
    ratios.fold(0.0, f64::max)
}

/// Halves the step until it achieves what the slope promises.
fn search(
    parameters: &[f64],
    step: &[f64],
    loss: f64,
    slope: f64,
    mut at: impl FnMut(&[f64]) -> Part,
) -> Option<(Vec<f64>, Part)> {
    let mut length = 1.0;
    for _ in 0..HALVINGS_MAX {
        let there: Vec<f64> = parameters.iter().zip(step).map(|(p, s)| p + length * s).collect();
        let found = at(&there);
        let promised = SUFFICIENT * length * slope;
        // A gain below the rounding of the loss cannot be told from none.
        if found.loss <= loss + promised || (found.loss - loss - promised).abs() <= 4.0 * f64::EPSILON * loss {
            return Some((there, found));
        }
        length /= 2.0;
    }
    None
}

/// About −H⁻¹ g: conjugate gradients with the diagonal as preconditioner, until the residual is `accuracy` of the
/// gradient.
fn conjugate_step(objective: &Objective<'_>, here: &Part, bends: &[f64], accuracy: f64) -> Option<Vec<f64>> {
    let precondition = |residual: &[f64]| -> Vec<f64> {
        residual.iter().zip(&here.curvature).map(|(r, d)| if *d > 0.0 { r / d } else { *r }).collect()
    };
    let mut step = vec![0.0; here.gradient.len()];
    let mut residual: Vec<f64> = here.gradient.iter().map(|g| -g).collect();
    let mut scaled = precondition(&residual);
    let mut direction = scaled.clone();
    let mut size = dot(&residual, &scaled);
    let enough = accuracy * accuracy * size;
    for _ in 0..PRODUCTS_MAX {
        let product = objective.product(bends, &direction);
        let curvature = dot(&direction, &product);
        if !(curvature > 0.0 && curvature.is_finite()) {
            break;
        }
        let length = size / curvature;
        add(&mut step, length, &direction);
        add(&mut residual, -length, &product);
        scaled = precondition(&residual);
        let next = dot(&residual, &scaled);
        if next <= enough {
            break;
        }
        let share = next / size;
        direction.iter_mut().zip(&scaled).for_each(|(d, s)| *d = s + share * *d);
        size = next;
    }
    // Nothing done means that H is zero along the gradient.
    let moved = step.iter().any(|s| *s != 0.0);
    if moved { Some(step) } else { Some(direction).filter(|step| dot(step, &here.gradient) < 0.0) }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(slot, value)| *slot += times * value);
}
