//! L-BFGS (Liu and Nocedal 1989) from a first guess of the Hessian; with an l1 penalty its orthant-wise variant (Andrew
//! and Gao 2007, "Scalable training of L1-regularized log-linear models") over the parameters that are free to move.

use super::block::Part;
use super::metric::Metric;
use super::objective::Objective;
use super::{Params, SoftmaxError};
use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 15;

/// Share of the decrease promised by the slope that a step must achieve.
const SUFFICIENT: f64 = 1e-4;

/// Halvings after which a step is as good as none.
const HALVINGS_MAX: usize = 40;

/// What rounding does to the objective, as a share of it.
const NOISE: f64 = 4.0 * f64::EPSILON;

/// A step and the change of the gradient it made.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
}

/// Where the search ended.
pub(super) struct End {
    pub(super) parameters: Vec<f64>,
    pub(super) objective: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
    pub(super) gradient_norm: f64,
    pub(super) most: f64,
}

/// Minimizes from `start`.
pub(super) fn minimize(
    objective: &Objective<'_, '_>,
    mut metric: Metric,
    start: Vec<f64>,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<End, SoftmaxError> {
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let mut parameters = start;
    let mut here = objective.at(&parameters);
    if !here.loss.is_finite() {
        return Err(SoftmaxError::Overflow);
    }
    let (mut iterations, mut converged) = (0, false);
    let mut slopes = subgradient(objective, &parameters, &here.gradient);
    while iterations < params.max_iterations {
        if !keep_going() {
            return Err(SoftmaxError::Stopped);
        }
        let free: Vec<bool> = parameters.iter().zip(&slopes).map(|(w, slope)| *w != 0.0 || *slope != 0.0).collect();
        metric.restrict(&free);
        let step = direction(&slopes, &free, &pairs, &metric);
        let slope = dot(&step, &slopes);
        if slope <= 0.0 && -slope / 2.0 <= params.tolerance * here.loss + objective.rounding {
            converged = true;
            break;
        }
        let found = if slope < 0.0 { search(objective, &parameters, &step, &slopes, &here) } else { None };
        let Some((there, at)) = found else {
            // What is remembered may mislead; the first guess does not.
            if pairs.is_empty() {
                break;
            }
            pairs.clear();
            continue;
        };
        iterations += 1;
        let pair = Pair { step: difference(&there, &parameters), change: difference(&at.gradient, &here.gradient) };
        if is_curved(dot(&pair.step, &pair.change), &pair.step, &pair.change) {
            pairs.truncate(MEMORY - 1);
            pairs.push_front(pair);
        }
        (parameters, here) = (there, at);
        slopes = subgradient(objective, &parameters, &here.gradient);
    }
    let gradient_norm = slopes.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
    Ok(End { parameters, objective: here.loss, iterations, converged, gradient_norm, most: here.most })
}

/// The subgradient of least length: the slopes of steepest descent.
fn subgradient(objective: &Objective<'_, '_>, parameters: &[f64], gradient: &[f64]) -> Vec<f64> {
    let l1 = objective.penalty.l1;
    if l1 == 0.0 {
        return gradient.to_vec();
    }
    let slope = |(place, (w, slope)): (usize, (&f64, &f64))| {
        if !objective.penalized(place) {
            *slope
        } else if *w != 0.0 {
            slope + l1.copysign(*w)
        } else {
            (slope.abs() - l1).max(0.0).copysign(*slope)
        }
    };
    parameters.iter().zip(gradient).enumerate().map(slope).collect()
}

/// Minus the slopes times the approximate inverse Hessian of what is free: the two loops, newest pair first and then
/// oldest first.
fn direction(slopes: &[f64], free: &[bool], pairs: &VecDeque<Pair>, metric: &Metric) -> Vec<f64> {
    let mut direction: Vec<f64> = slopes.iter().map(|slope| -slope).collect();
    let masked = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(free).map(|(value, free)| if *free { *value } else { 0.0 }).collect()
    };
    let kept = pairs.iter().map(|pair| (masked(&pair.step), masked(&pair.change)));
    let kept = kept.map(|(step, change)| (dot(&step, &change), step, change));
    let kept: Vec<_> = kept.filter(|(product, step, change)| is_curved(*product, step, change)).collect();
    let mut shares = Vec::with_capacity(kept.len());
    for (product, step, change) in &kept {
        let share = dot(step, &direction) / product;
        add(&mut direction, -share, change);
        shares.push(share);
    }
    metric.apply(&mut direction);
    if let Some((product, _, change)) = kept.first() {
        let mut turned = change.clone();
        metric.apply(&mut turned);
        let scale = product / dot(change, &turned);
        direction.iter_mut().for_each(|entry| *entry *= scale);
    }
    for ((product, step, change), share) in kept.iter().zip(shares).rev() {
        let correction = dot(change, &direction) / product;
        add(&mut direction, share - correction, step);
    }
    direction
}

/// The loss is convex, so only rounding or leaving parameters out makes the product of a step and a change vanish.
fn is_curved(product: f64, step: &[f64], change: &[f64]) -> bool {
    product > f64::EPSILON * dot(change, change).sqrt() * dot(step, step).sqrt()
}

/// Halves the step until it achieves what the slopes promise.
fn search(
    objective: &Objective<'_, '_>,
    parameters: &[f64],
    step: &[f64],
    slopes: &[f64],
    here: &Part,
) -> Option<(Vec<f64>, Part)> {
    let mut length = 1.0;
    for _ in 0..HALVINGS_MAX {
        let there = moved(objective, parameters, step, slopes, length);
        let promised: f64 =
            there.iter().zip(parameters).zip(slopes).map(|((to, from), slope)| (to - from) * slope).sum();
        let at = objective.at(&there);
        if at.loss <= here.loss + SUFFICIENT * promised + NOISE * here.loss + objective.rounding {
            return Some((there, at));
        }
        length /= 2.0;
    }
    None
}

/// With an l1 penalty, no parameter that pays it goes past zero: what would becomes zero, and what is zero moves only
/// down its slope.
fn moved(objective: &Objective<'_, '_>, parameters: &[f64], step: &[f64], slopes: &[f64], length: f64) -> Vec<f64> {
    let bounded = objective.penalty.l1 > 0.0;
    let to = |(place, ((w, step), slope)): (usize, ((&f64, &f64), &f64))| {
        let to = w + length * step;
        let side = if *w == 0.0 { -slope } else { *w };
        if bounded && objective.penalized(place) && to * side <= 0.0 { 0.0 } else { to }
    };
    parameters.iter().zip(step).zip(slopes).enumerate().map(to).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(slot, value)| *slot += times * value);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
