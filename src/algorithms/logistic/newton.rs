//! Newton's method (iteratively reweighted least squares) with halving of steps.

use super::Params;
use super::block::Part;
use super::model::Logistic;
use super::objective::Objective;
use crate::algorithms::linalg::newton_step;

/// Share of the decrease promised by the slope that a step must achieve.
pub(super) const SUFFICIENT: f64 = 1e-4;

/// Halvings after which a step is as good as none.
pub(super) const HALVINGS_MAX: usize = 40;

/// Minimizes from `start` (the intercept last).
pub(super) fn minimize(objective: &Objective, start: Vec<f64>, params: &Params) -> Logistic {
    let mut parameters = start;
    let mut here = objective.at(&parameters, true);
    for iteration in 0..params.max_iterations {
        let Some(step) = newton_step(&here.gradient, &here.curvature) else {
            return Logistic::new(parameters, here.loss, iteration, false);
        };
        let slope: f64 = step.iter().zip(&here.gradient).map(|(s, g)| s * g).sum();
        let gain = -slope / 2.0;
        if gain <= params.tolerance * (1.0 + here.loss) {
            // This near, the full step squares the error; it costs nothing more.
            let parameters = moved(&parameters, &step, 1.0);
            return Logistic::new(parameters, here.loss - gain, iteration + 1, true);
        }
        let Some((there, at)) = search(objective, &parameters, &step, &here, slope) else {
            return Logistic::new(parameters, here.loss, iteration, false);
        };
        (parameters, here) = (there, at);
    }
    Logistic::new(parameters, here.loss, params.max_iterations, false)
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
        let there = moved(parameters, step, length);
        let at = objective.at(&there, true);
        if at.loss <= here.loss + SUFFICIENT * length * slope {
            return Some((there, at));
        }
        length /= 2.0;
    }
    None
}

fn moved(parameters: &[f64], step: &[f64], length: f64) -> Vec<f64> {
    parameters.iter().zip(step).map(|(p, s)| p + length * s).collect()
}
