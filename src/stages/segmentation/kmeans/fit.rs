//! Fitting, and choosing the number of clusters.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::KMeans;
use super::options::{By, Clusters};
use crate::algorithms::kmeans::{self, Given, KMeansError, Params};
use crate::metrics::clustering::{calinski_harabasz, davies_bouldin};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::segmentation::judge::{self, silhouette_of};

/// One number of clusters that was tried. A measure that does not exist is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    pub clusters: usize,
    pub silhouette: Option<f64>,
    pub calinski_harabasz: Option<f64>,
    pub davies_bouldin: Option<f64>,
    pub inertia: f64,
}

/// What is fitted on beside the prepared rows.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    pub weights: Option<&'a [f64]>,
    /// The centers of an earlier night's segments, from which one more start begins where they are as many as clusters.
    pub past: Option<ArrayView2<'a, f64>>,
}

/// Fits each number of clusters asked for and keeps the best; trials only where there is a choice.
/// Numbers above that of the different rows are left out, unless the first one is.
pub fn choose(
    stage: &KMeans,
    x: &mut Array2<f64>,
    beside: Beside<'_>,
    context: &StageContext,
) -> Result<(kmeans::KMeans, Vec<Trial>), Failure> {
    let mut all: Vec<(kmeans::KMeans, Trial)> = Vec::new();
    for clusters in stage.clusters.each() {
        context.cancel.check()?;
        let fitted = match fit(stage, clusters, x, beside, context) {
            Err(KMeansError::TooFewRows { .. }) if !all.is_empty() => break,
            fitted => fitted.map_err(could_not)?,
        };
        if let Clusters::Fixed(_) = stage.clusters {
            return Ok((fitted, vec![]));
        }
        let trial = tried(clusters, &fitted, x.view(), context)?;
        all.push((fitted, trial));
    }
    let trials: Vec<Trial> = all.iter().map(|(_, trial)| *trial).collect();
    let by = match stage.clusters {
        Clusters::Chosen(range) => range.by,
        Clusters::Fixed(_) => By::default(),
    };
    let best = best(&trials, by, beside.past.map(|past| past.nrows()));
    let fitted = all.into_iter().nth(best).map(|(fitted, _)| fitted);
    Ok((fitted.ok_or_else(|| Failure::bug("no number of clusters was tried"))?, trials))
}

fn fit(
    stage: &KMeans,
    clusters: usize,
    x: &mut Array2<f64>,
    beside: Beside<'_>,
    context: &StageContext,
) -> Result<kmeans::KMeans, KMeansError> {
    let given = Given { weights: beside.weights, start: beside.past.filter(|past| past.nrows() == clusters) };
    // Each number of clusters starts from the same state, so that it does not depend on the range.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
    let fitted = kmeans::fit_in_place(x, &stage.params(clusters), &given, &mut rng)?;
    // Rows may differ by less than distances can tell.
    match fitted.sizes.iter().filter(|size| **size > 0).count() {
        distinct if distinct < clusters => Err(KMeansError::TooFewRows { clusters, rows: x.nrows(), distinct }),
        _ => Ok(fitted),
    }
}

fn tried(
    clusters: usize,
    fitted: &kmeans::KMeans,
    x: ArrayView2<'_, f64>,
    context: &StageContext,
) -> Result<Trial, Failure> {
    let labels = fitted.predict(x).map_err(could_not)?.labels.to_vec();
    Ok(Trial {
        clusters,
        silhouette: silhouette_of(x, &labels, context)?.mean,
        calinski_harabasz: calinski_harabasz(x, &labels).map_err(judge::bug)?,
        davies_bouldin: davies_bouldin(x, &labels).map_err(judge::bug)?,
        inertia: fitted.inertia,
    })
}

/// A number of clusters must be better than that of before by this share to replace it.
const STEADY: f64 = 0.02;

/// The place of the best trial; of equally good ones the first. The number of clusters of an earlier night stays unless
/// another one is clearly better.
fn best(trials: &[Trial], by: By, before: Option<usize>) -> usize {
    let score = |(place, trial): (usize, &Trial)| match by {
        By::Silhouette => trial.silhouette,
        By::CalinskiHarabasz => trial.calinski_harabasz,
        By::DaviesBouldin => trial.davies_bouldin.map(|index| -index),
        By::Elbow => below_line(trials, place),
    };
    let scores = trials.iter().enumerate().map(score).enumerate();
    let better = |(i, a): &(usize, Option<f64>), (j, b): &(usize, Option<f64>)| {
        // `None` is less than any number.
        a.partial_cmp(b).unwrap_or(Ordering::Equal).then(j.cmp(i))
    };
    let Some((place, score)) = scores.clone().max_by(better) else { return 0 };
    let kept = scores.zip(trials).find(|(_, trial)| Some(trial.clusters) == before);
    match (kept, score) {
        (Some(((kept, Some(own)), _)), Some(best)) if own >= best - STEADY * best.abs() => kept,
        _ => place,
    }
}

/// How far the inertia lies below the line from that of the first number of clusters to that of the last, both sides
/// from 0 to 1.
fn below_line(trials: &[Trial], place: usize) -> Option<f64> {
    let (first, last, here) = (trials.first()?, trials.last()?, trials.get(place)?);
    let fall = first.inertia - last.inertia;
    let along = (here.clusters - first.clusters) as f64 / (last.clusters - first.clusters).max(1) as f64;
    Some(if fall > 0.0 { (first.inertia - here.inertia) / fall - along } else { 0.0 })
}

impl KMeans {
    pub(super) fn params(&self, clusters: usize) -> Params {
        Params {
            restarts: self.restarts,
            init: self.init.into(),
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
            engine: self.engine.into(),
            ..Params::new(clusters)
        }
    }
}

fn could_not(error: KMeansError) -> Failure {
    Failure::data(format!("could not {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the line from 100 at 2 to 20 at 6 is 80, 60, 40 between; below it by 30, 25 and 14.
    #[test]
    fn each_measure_chooses_its_own() {
        let trial = |clusters, silhouette, calinski, davies, inertia| Trial {
            clusters,
            silhouette: Some(silhouette),
            calinski_harabasz: Some(calinski),
            davies_bouldin: Some(davies),
            inertia,
        };
        let trials = [
            trial(2, 0.6, 10.0, 0.9, 100.0),
            trial(3, 0.5, 30.0, 0.8, 50.0),
            trial(4, 0.5, 40.0, 0.7, 35.0),
            trial(5, 0.5, 40.0, 0.6, 26.0),
            trial(6, 0.5, 20.0, 0.6, 20.0),
        ];
        let chosen =
            [By::Silhouette, By::CalinskiHarabasz, By::DaviesBouldin, By::Elbow].map(|by| best(&trials, by, None));
        assert_eq!(chosen, [0, 2, 3, 1]);
        let without = trials.map(|trial| Trial { silhouette: None, ..trial });
        assert_eq!(best(&without, By::Silhouette, Some(4)), 0);
        assert_eq!(best(&trials[..1], By::Elbow, None), 0);
        let mut close = trials;
        close[3].silhouette = Some(0.59);
        assert_eq!(best(&close, By::Silhouette, Some(5)), 3, "0.59 is 0.6 but for less than two per cent");
        assert_eq!(best(&close, By::Silhouette, Some(4)), 0);
        assert_eq!(best(&close, By::Silhouette, Some(9)), 0);
    }
}
