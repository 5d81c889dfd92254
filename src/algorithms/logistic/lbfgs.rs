//! L-BFGS (Liu and Nocedal 1989) for many columns, with a diagonal first guess of the Hessian.

use super::Params;
use super::block::Part;
use super::model::Logistic;
use super::newton::{HALVINGS_MAX, SUFFICIENT};
use super::objective::Objective;
use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;

/// Iterations for each of those that Newton's method would be given: each is that much cheaper.
const ITERATIONS_FACTOR: usize = 10;

/// A step, the change of the gradient it made, and their product.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// Minimizes from `start` (the intercept last).
pub(super) fn minimize(objective: &Objective, start: Vec<f64>, params: &Params) -> Logistic {
    let diagonal = objective.diagonal_bound();
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let mut parameters = start;
    let mut here = objective.at(&parameters, false);
    let limit = params.max_iterations.saturating_mul(ITERATIONS_FACTOR);
    for iteration in 0..limit {
        let step = direction(&here.gradient, &pairs, &diagonal);
        let slope = dot(&step, &here.gradient);
        if -slope / 2.0 <= params.tolerance * (1.0 + here.loss) {
            return Logistic::new(parameters, here.loss, iteration, true);
        }
        let Some((there, at)) = search(objective, &parameters, &step, &here, slope) else {
            return Logistic::new(parameters, here.loss, iteration, false);
        };
        let step = difference(&there, &parameters);
        let change = difference(&at.gradient, &here.gradient);
        let product = dot(&step, &change);
        // The loss is convex, so only rounding makes this product vanish.
        if product > f64::EPSILON * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            pairs.truncate(MEMORY - 1);
            pairs.push_front(Pair { step, change, product });
        }
        (parameters, here) = (there, at);
    }
    Logistic::new(parameters, here.loss, limit, false)
}

/// Minus the gradient times the approximate inverse Hessian: the two loops, newest pair first and
/// then oldest first.
fn direction(gradient: &[f64], pairs: &VecDeque<Pair>, diagonal: &[f64]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let share = dot(&pair.step, &direction) / pair.product;
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    let scaled = |pair: &Pair| {
        let norm: f64 = pair.change.iter().zip(diagonal).map(|(c, d)| c * c / d).sum();
        pair.product / norm
    };
    let scale = pairs.front().map_or(1.0, scaled);
    direction.iter_mut().zip(diagonal).for_each(|(entry, d)| *entry *= scale / d);
    for (pair, share) in pairs.iter().zip(shares).rev() {
        let correction = dot(&pair.change, &direction) / pair.product;
        add(&mut direction, share - correction, &pair.step);
    }
    direction
}

/// Halves the step until it achieves what the slope promises.
fn search(
    objective: &Objective,
    parameters: &[f64],
    step: &[f64],
    here: &Part,
    slope: f64,
) -> Option<(Vec<f64>, Part)> {
    let mut length = 1.0;
    for _ in 0..HALVINGS_MAX {
        let mut there = parameters.to_vec();
        add(&mut there, length, step);
        let at = objective.at(&there, false);
        if at.loss <= here.loss + SUFFICIENT * length * slope {
            return Some((there, at));
        }
        length /= 2.0;
    }
    None
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
