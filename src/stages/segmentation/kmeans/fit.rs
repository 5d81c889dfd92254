//! Fitting, and choosing the number of clusters.

use ndarray::ArrayView2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::KMeans;
use super::evaluate::silhouette_of;
use super::options::Clusters;
use crate::algorithms::kmeans::{self, KMeansError, Params};
use crate::stages::contract::{Failure, StageContext};

/// One number of clusters that was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    pub clusters: usize,
    /// None where it does not exist.
    pub silhouette: Option<f64>,
    pub inertia: f64,
}

/// Fits each number of clusters asked for and keeps the best; trials only where there is a choice.
/// Numbers above that of the different rows are left out, unless the first one is.
pub fn choose(
    stage: &KMeans,
    x: ArrayView2<'_, f64>,
    context: &StageContext,
) -> Result<(kmeans::KMeans, Vec<Trial>), Failure> {
    let mut best: Option<(kmeans::KMeans, Option<f64>)> = None;
    let mut trials = Vec::new();
    for clusters in stage.clusters.each() {
        context.cancel.check()?;
        let fitted = match kmeans::fit(x, &params(stage, clusters), &mut rng(context)) {
            Err(KMeansError::TooFewRows { .. }) if best.is_some() => break,
            fitted => fitted.map_err(could_not)?,
        };
        if let Clusters::Fixed(_) = stage.clusters {
            return Ok((fitted, trials));
        }
        let labels = fitted.predict(x).map_err(could_not)?.labels.to_vec();
        let silhouette = silhouette_of(x, &labels, context)?.mean;
        trials.push(Trial { clusters, silhouette, inertia: fitted.inertia });
        // `None` is less than any number.
        if best.as_ref().is_none_or(|(_, most)| silhouette > *most) {
            best = Some((fitted, silhouette));
        }
    }
    let (fitted, _) = best.ok_or_else(|| Failure::bug("no number of clusters was tried"))?;
    Ok((fitted, trials))
}

/// Each number of clusters starts from the same state, so that it does not depend on the range.
fn rng(context: &StageContext) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(context.seed)
}

fn params(stage: &KMeans, clusters: usize) -> Params {
    Params {
        restarts: stage.restarts,
        max_iterations: stage.max_iterations,
        engine: stage.engine.into(),
        ..Params::new(clusters)
    }
}

fn could_not(error: KMeansError) -> Failure {
    Failure::data(format!("could not {error}"))
}
