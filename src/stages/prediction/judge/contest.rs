//! Measures of several models on the same rows, and how they differ.

use ndarray::Array2;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::as_probabilities;
use crate::metrics::classification::{BinaryMeasure, Predictions, Ranking};
use crate::metrics::intervals::{self, Interval, RESAMPLES, bootstrap};
use crate::metrics::many_classes::{ClassMeasure, ClassPredictions};
use crate::metrics::regression;
use crate::stages::prediction::task::Target;

/// 1 for a measure of which more is better, −1 for one of which less is.
pub fn sign(name: &str) -> f64 {
    if matches!(name, "log_loss" | "brier" | "rmse" | "mae") { -1.0 } else { 1.0 }
}

/// The interval of a measure, or, with a second model, of how far the first is above it. In the units of the measure.
pub fn interval(
    name: &str,
    truth: &Target,
    own: &Array2<f64>,
    other: Option<&Array2<f64>>,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Interval> {
    match truth {
        Target::Binary(truth) => of_binary(name, truth, own, other, rng),
        Target::Classes { of, .. } => of_classes(name, of, own, other, rng),
        Target::Number(truth) => of_number(name, truth, own, other, rng),
    }
}

fn losses(own: Vec<f64>, other: Option<Vec<f64>>, rng: &mut Xoshiro256PlusPlus) -> Option<Interval> {
    match other {
        Some(other) => intervals::mean_difference(&own, &other, RESAMPLES, rng),
        None => intervals::mean(&own, RESAMPLES, rng),
    }
}

fn of_binary(
    name: &str,
    truth: &[bool],
    own: &Array2<f64>,
    other: Option<&Array2<f64>>,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Interval> {
    let scores = |of: &Array2<f64>| of.column(0).to_vec();
    let loss: Option<fn(&Predictions) -> Vec<f64>> = match name {
        "log_loss" => Some(Predictions::log_losses),
        "brier" => Some(Predictions::brier_losses),
        _ => None,
    };
    if let Some(loss) = loss {
        let of = |scores: Vec<f64>| Predictions::new(truth.to_vec(), scores).ok().map(|found| loss(&found));
        let other = match other {
            Some(other) => Some(of(scores(other))?),
            None => None,
        };
        return losses(of(scores(own))?, other, rng);
    }
    let measure = [BinaryMeasure::ALL.into_iter().find(|measure| measure.name() == name)?];
    let own = Ranking::new(truth, &scores(own)).ok()?;
    let found = match other {
        Some(other) => {
            let other = Ranking::new(truth, &scores(other)).ok()?;
            own.difference_intervals(&other, &measure, [0.5, 0.5], RESAMPLES, rng)
        }
        None => own.intervals(&measure, 0.5, RESAMPLES, rng),
    };
    found.first().copied().flatten()
}

fn of_classes(
    name: &str,
    truth: &[u32],
    own: &Array2<f64>,
    other: Option<&Array2<f64>>,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Interval> {
    let of = |expected: &Array2<f64>| ClassPredictions::new(truth, as_probabilities(expected)).ok();
    let own = of(own)?;
    let other = match other {
        Some(other) => Some(of(other)?),
        None => None,
    };
    if name == "log_loss" {
        return losses(own.log_losses(), other.map(|other| other.log_losses()), rng);
    }
    let measure = [ClassMeasure::ALL.into_iter().find(|measure| measure.name() == name)?];
    let found = match &other {
        Some(other) => own.difference_intervals(other, &measure, RESAMPLES, rng),
        None => own.intervals(&measure, RESAMPLES, rng),
    };
    found.first().copied().flatten()
}

/// A measure of true values and predictions, each drawn so often.
type Drawn = fn(&[f64], &[f64], &[u32]) -> Option<f64>;

fn of_number(
    name: &str,
    truth: &[f64],
    own: &Array2<f64>,
    other: Option<&Array2<f64>>,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Interval> {
    let of: Drawn = match name {
        "rmse" => regression::rmse,
        "mae" => regression::mae,
        "r2" => regression::r2,
        _ => return None,
    };
    let own = own.column(0).to_vec();
    let other = other.map(|other| other.column(0).to_vec());
    bootstrap(truth.len(), RESAMPLES, rng, |times| {
        let found = of(truth, &own, times)?;
        match &other {
            Some(other) => Some(found - of(truth, other, times)?),
            None => Some(found),
        }
    })
}
