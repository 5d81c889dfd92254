//! Platt's sigmoid.

use super::{BLOCK, CalibrateError, Rows};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Ends when the expected decrease of the mean loss is at most this: the next step, which is still
/// taken, squares the error.
const TOLERANCE: f64 = 1e-13;
/// Steps after which to stop without having converged; a handful is usual.
const STEPS_MAX: usize = 100;
/// Share of the decrease promised by the slope that a step must achieve.
const SUFFICIENT: f64 = 1e-4;
/// Halvings after which a step is as good as none.
const HALVINGS_MAX: usize = 40;
/// Raises the diagonal of the Hessian by this times its largest entry, so that constant scores have
/// a slope of zero.
const RAISE: f64 = 1e-12;

/// p(score) = 1 / (1 + exp(−(slope · score + intercept))), the likeliest for outcomes that are
/// pulled towards each other: (N₊ + 1) / (N₊ + 2) for a positive row, 1 / (N₋ + 2) for another, with
/// N the rows (or weights) of a class (Platt 1999). Newton's method with halving of steps (Lin, Lin
/// and Weng 2007).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    /// The change of the log-odds per unit of the score; −A in Platt's words.
    pub slope: f64,
    /// The log-odds at a score of zero; −B in Platt's words.
    pub intercept: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether a minimum was reached.
    pub converged: bool,
}

impl Platt {
    /// Fits on scores and outcomes; `weights` are 1 without any. Constant scores get a slope of zero.
    ///
    /// # Errors
    /// On no rows, differing lengths, scores that are not finite, illegal weights and one class. Not
    /// having converged is no error: see [`Platt::converged`].
    pub fn fit(scores: &[f64], positive: &[bool], weights: Option<&[f64]>) -> Result<Self, CalibrateError> {
        let loss = Loss::new(Rows::new(scores, positive, weights)?);
        let mut here = [0.0, ((loss.rows.positives + 1.0) / (loss.rows.negatives + 1.0)).ln()];
        let mut at = loss.at(here);
        for iteration in 1..=STEPS_MAX {
            let Some(step) = at.newton_step() else { return Ok(loss.unscaled(here, iteration, false)) };
            let slope = at.gradient[0] * step[0] + at.gradient[1] * step[1];
            if -slope / 2.0 <= TOLERANCE {
                return Ok(loss.unscaled(moved(here, step, 1.0), iteration, true));
            }
            let mut length = 1.0;
            let lower = (0..HALVINGS_MAX).find_map(|_| {
                let there = moved(here, step, length);
                let found = loss.at(there);
                let enough = found.loss <= at.loss + SUFFICIENT * length * slope;
                length /= 2.0;
                enough.then_some((there, found))
            });
            let Some(lower) = lower else { return Ok(loss.unscaled(here, iteration, false)) };
            (here, at) = lower;
        }
        Ok(loss.unscaled(here, STEPS_MAX, false))
    }

    /// The probability of the positive class: NaN for NaN, the limit for an infinite score.
    pub fn of(&self, score: f64) -> f64 {
        if score.is_nan() {
            return score;
        }
        // Zero times infinity is NaN, but a slope of zero does not look at the score.
        let rise = if self.slope == 0.0 { 0.0 } else { self.slope * score };
        // An intercept grows against a product that overflows; the score wins.
        let log_odds = if rise.is_infinite() { rise } else { rise + self.intercept };
        1.0 / (1.0 + (-log_odds).exp())
    }
}

fn moved(from: [f64; 2], step: [f64; 2], length: f64) -> [f64; 2] {
    [from[0] + length * step[0], from[1] + length * step[1]]
}

/// The mean loss of a slope and an intercept on standardized scores.
struct Loss<'a> {
    rows: Rows<'a>,
    /// The largest absolute score: what follows is in units of it, so that squares do not overflow.
    largest: f64,
    mean: f64,
    deviation: f64,
    target_positive: f64,
    target_negative: f64,
}

/// Sums over rows, at some slope and intercept.
#[derive(Clone, Copy, Default)]
struct Part {
    loss: f64,
    gradient: [f64; 2],
    /// Slope twice, slope and intercept, intercept twice.
    hessian: [f64; 3],
}

impl<'a> Loss<'a> {
    fn new(rows: Rows<'a>) -> Self {
        let largest = rows.blocks().flatten().fold(0.0_f64, |most, (score, _, _)| most.max(score.abs()));
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let total = rows.positives + rows.negatives;
        let mean_of = |of: &dyn Fn(f64) -> f64| {
            let sum = |block: usize| rows.block(block).map(|(s, _, w)| w / total * of(s / largest)).sum::<f64>();
            (0..rows.scores.len().div_ceil(BLOCK)).map(sum).sum::<f64>()
        };
        let mean = mean_of(&|score| score);
        let deviation = mean_of(&|score| (score - mean).powi(2)).sqrt();
        // What is left of constant scores is a rounding error.
        let deviation = if deviation > 4.0 * f64::EPSILON * mean.abs() { deviation } else { f64::INFINITY };
        let target_positive = (rows.positives + 1.0) / (rows.positives + 2.0);
        let target_negative = 1.0 / (rows.negatives + 2.0);
        Self { rows, largest, mean, deviation, target_positive, target_negative }
    }

    fn at(&self, [slope, intercept]: [f64; 2]) -> Part {
        let total = self.rows.positives + self.rows.negatives;
        let part = |block: usize| {
            let mut part = Part::default();
            for (score, positive, weight) in self.rows.block(block) {
                let x = (score / self.largest - self.mean) / self.deviation;
                let target = if positive { self.target_positive } else { self.target_negative };
                part.add(x, slope * x + intercept, target, weight / total);
            }
            part
        };
        let blocks = self.rows.scores.len().div_ceil(BLOCK);
        let parts: Vec<Part> = (0..blocks).into_par_iter().map(part).collect();
        parts.into_iter().fold(Part::default(), Part::plus)
    }

    /// Back to the unit of the scores.
    fn unscaled(&self, [slope, intercept]: [f64; 2], iterations: usize, converged: bool) -> Platt {
        let per_largest = slope / self.deviation;
        let intercept = intercept - per_largest * self.mean;
        Platt { slope: per_largest / self.largest, intercept, iterations, converged }
    }
}

impl Part {
    /// log(1 + exp(z)) − target · z and its derivatives, without overflow.
    fn add(&mut self, x: f64, z: f64, target: f64, weight: f64) {
        let small = (-z.abs()).exp();
        let (p, rest) = if z >= 0.0 { (1.0, small) } else { (small, 1.0) };
        let (p, rest) = (p / (1.0 + small), rest / (1.0 + small));
        self.loss += weight * (z.max(0.0) + small.ln_1p() - target * z);
        let slope = weight * (p - target);
        let curvature = weight * p * rest;
        self.gradient[0] += slope * x;
        self.gradient[1] += slope;
        self.hessian[0] += curvature * x * x;
        self.hessian[1] += curvature * x;
        self.hessian[2] += curvature;
    }

    fn plus(self, other: Part) -> Part {
        let [a, b] = self.gradient;
        let [aa, ab, bb] = self.hessian;
        Part {
            loss: self.loss + other.loss,
            gradient: [a + other.gradient[0], b + other.gradient[1]],
            hessian: [aa + other.hessian[0], ab + other.hessian[1], bb + other.hessian[2]],
        }
    }

    /// −H⁻¹ g, with the diagonal slightly raised; `None` where all is so flat that nothing is left of H.
    fn newton_step(&self) -> Option<[f64; 2]> {
        let [aa, ab, bb] = self.hessian;
        let raise = RAISE * aa.max(bb);
        let (aa, bb) = (aa + raise, bb + raise);
        let [a, b] = self.gradient;
        // Elimination of the slope's row: the determinant of both would underflow sooner.
        let left = bb - ab * (ab / aa);
        let intercept = (a * (ab / aa) - b) / left;
        let slope = -(a + ab * intercept) / aa;
        (slope.is_finite() && intercept.is_finite()).then_some([slope, intercept])
    }
}
