//! Scores to probabilities that hold.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::options::Calibrate;
use super::task::Target;
use crate::algorithms::calibrate::{self, Calibrator, Method};
use crate::stages::contract::Failure;

/// One calibration for a target that is true or false, else one a class, each of the class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    of: Vec<Calibrator>,
    /// Whether scores are probabilities, of which the log-odds are calibrated.
    of_log_odds: bool,
}

/// Probabilities are kept so far from 0 and 1 that their log-odds are finite.
const CERTAIN: f64 = 1e-12;

/// The scores as they are calibrated.
fn scale(scores: ndarray::ArrayView1<'_, f64>, of_log_odds: bool) -> Vec<f64> {
    let log_odds = |probability: f64| {
        let probability = probability.clamp(CERTAIN, 1.0 - CERTAIN);
        (probability / (1.0 - probability)).ln()
    };
    scores.iter().map(|score| if of_log_odds { log_odds(*score) } else { *score }).collect()
}

impl Calibration {
    /// Learns from the scores of rows that the model did not see (rows × scores), which count as their weights say.
    pub fn learn(
        wanted: Calibrate,
        scores: ArrayView2<'_, f64>,
        target: &Target,
        weights: Option<&[f64]>,
        of_log_odds: bool,
    ) -> Result<Option<Calibration>, Failure> {
        let method = match wanted {
            Calibrate::None => return Ok(None),
            Calibrate::Platt => Method::Platt,
            Calibrate::Isotonic => Method::Isotonic,
        };
        let classes = target.class_of();
        let first = if scores.ncols() == 1 { 1 } else { 0 };
        let of_class = |(column, scores): (usize, ndarray::ArrayView1<'_, f64>)| {
            let positive: Vec<bool> = classes.iter().map(|class| *class as usize == column + first).collect();
            calibrate::fit(method, &scale(scores, of_log_odds), &positive, weights)
                .map_err(|error| Failure::data(format!("failed to {error}")))
        };
        let of = scores.columns().into_iter().enumerate().map(of_class).collect::<Result<_, _>>()?;
        Ok(Some(Calibration { of, of_log_odds }))
    }

    /// The probabilities of rows; those of several classes add up to 1.
    pub fn apply(&self, scores: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut found = Array2::zeros(scores.dim());
        for ((calibrator, scores), mut found) in self.of.iter().zip(scores.columns()).zip(found.columns_mut()) {
            let probabilities = calibrator.of_all(&scale(scores, self.of_log_odds));
            found.iter_mut().zip(probabilities).for_each(|(slot, probability)| *slot = probability);
        }
        if scores.ncols() > 1 {
            for mut row in found.axis_iter_mut(Axis(0)) {
                let (sum, count) = (row.sum(), row.len() as f64);
                row.mapv_inplace(|value| if sum > 0.0 { value / sum } else { 1.0 / count });
            }
        }
        found
    }
}
