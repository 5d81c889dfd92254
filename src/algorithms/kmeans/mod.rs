//! k-means clustering: rows to the nearest of k centroids, centroids at the mean of their rows.
//!
//! Two engines give the same kind of result: [`Engine::Native`], greedy k-means++ and Lloyd's
//! iteration on blocks of rows, and [`Engine::Linfa`], linfa-clustering as published.
//!
//! Input that is refused: no rows, no columns, NaN or infinity, k = 0, k above the number of
//! distinct rows. Constant columns and k = 1 are legal, as is one row with k = 1.

mod distance;
mod engine_linfa;
mod lloyd;
mod model;
mod seeding;
#[cfg(test)]
mod tests;

pub use engine_linfa::Seeded;
pub use model::{Assignment, KMeans};

use super::input::{InputError, check, check_width};
use super::tiles::Tiles;
use lloyd::{Rows, Start, Stop};
use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Who does the work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The kernel of this crate.
    #[default]
    Native,
    /// linfa-clustering as published.
    Linfa,
}

/// Where a start begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// At rows that lie apart: greedy k-means++.
    #[default]
    PlusPlus,
    /// At rows drawn at random, each as likely as the others.
    Random,
}

/// How to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The number of clusters.
    pub clusters: usize,
    /// Independent starts, of which the one of lowest inertia is kept; 0 is taken as 1 unless a start is given.
    pub restarts: usize,
    /// Where they begin.
    pub init: Init,
    /// Lloyd iterations of each start; 0 is taken as 1.
    pub max_iterations: usize,
    /// A start ends when the squared movement of all centroids is at most this times the mean
    /// variance of the columns, as in scikit-learn. The best start then goes on for up to 15
    /// iterations, within `max_iterations`, until no row changes its cluster. For linfa this is the
    /// movement itself, and there is no going on.
    pub tolerance: f64,
    /// Who does the work.
    pub engine: Engine,
}

impl Params {
    /// `clusters` with 10 restarts, 300 iterations, a tolerance of 1e-4, the native engine.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            restarts: 10,
            init: Init::PlusPlus,
            max_iterations: 300,
            tolerance: 1e-4,
            engine: Engine::Native,
        }
    }
}

/// Why there is no clustering.
#[derive(Debug, thiserror::Error)]
pub enum KMeansError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// k = 0.
    #[error("form clusters: their number is zero")]
    NoClusters,
    /// More clusters than there are different rows.
    #[error("form {clusters} clusters of {rows} rows: those that differ number only {distinct}")]
    TooFewRows {
        /// Clusters asked for.
        clusters: usize,
        /// Rows given.
        rows: usize,
        /// Different rows among them.
        distinct: usize,
    },
    /// A tolerance that is negative or not a number.
    #[error("stop at a tolerance that is not a number at or above zero")]
    Tolerance,
    #[error("weigh rows by numbers that are not finite, below zero, or above 1e100")]
    Weights,
    #[error("cluster with linfa: its k-means knows no weights")]
    LinfaWeights,
    /// What linfa's traits report.
    #[error("cluster with linfa: {0}")]
    Linfa(#[from] linfa::Error),
    /// What linfa's k-means reports.
    #[error("cluster with linfa: {0}")]
    LinfaKMeans(#[from] linfa_clustering::KMeansError),
}

/// What else a fit may be given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// What each row counts, at least 0; 1 without. Rows that count 0 are left out of all that is fitted, sizes and
    /// inertia too. The engine of linfa knows no weights.
    pub weights: Option<&'a [f64]>,
    /// First centroids (clusters × columns) of one more start, which is kept unless another one's inertia is less by more
    /// than one per cent: those who know the clusters of before can live with it. The engine of linfa leaves it out.
    pub start: Option<ArrayView2<'a, f64>>,
}

/// Clusters the rows of `x` (rows × columns). The same `x`, parameters and state of `rng` give the
/// same model, whatever the number of threads.
pub fn fit(x: ArrayView2<'_, f64>, params: &Params, rng: &mut impl Rng) -> Result<KMeans, KMeansError> {
    let given = Given::default();
    check_all(x, params, &given)?;
    match params.engine {
        Engine::Native => Ok(fit_native(&Tiles::new(x), &means(x), params, &given, rng)),
        Engine::Linfa => engine_linfa::fit(x, params, rng),
    }
}

/// The same with what is given beside; `x` is regrouped where it lies while this works, and is as before when it
/// returns, so that hardly more memory is needed than `x` takes.
pub fn fit_in_place(
    x: &mut Array2<f64>,
    params: &Params,
    given: &Given<'_>,
    rng: &mut impl Rng,
) -> Result<KMeans, KMeansError> {
    check_all(x.view(), params, given)?;
    if let Some(weights) = given.weights.filter(|weights| weights.contains(&0.0)) {
        // Rows that count for nothing must not be where a cluster begins, nor be all that it has.
        let kept: Vec<usize> = (0..weights.len()).filter(|row| weights.get(*row) > Some(&0.0)).collect();
        let weights: Vec<f64> = kept.iter().filter_map(|row| weights.get(*row).copied()).collect();
        let given = Given { weights: Some(&weights), start: given.start.as_ref().map(|start| start.view()) };
        return fit_in_place(&mut x.select(Axis(0), &kept), params, &given, rng);
    }
    match params.engine {
        Engine::Native => {
            let mean = means(x.view());
            Ok(fit_native(&Tiles::in_place(x), &mean, params, given, rng))
        }
        Engine::Linfa => engine_linfa::fit(x.view(), params, rng),
    }
}

fn check_all(x: ArrayView2<'_, f64>, params: &Params, given: &Given<'_>) -> Result<(), KMeansError> {
    check(x)?;
    check_clusters(x, params.clusters)?;
    if !(params.tolerance >= 0.0 && params.tolerance.is_finite()) {
        return Err(KMeansError::Tolerance);
    }
    if let Some(weights) = given.weights {
        if weights.len() != x.nrows() {
            return Err(InputError::Length { rows: x.nrows(), targets: weights.len() }.into());
        }
        if !weights.iter().all(|weight| (0.0..=WEIGHT_MAX).contains(weight)) {
            return Err(KMeansError::Weights);
        }
        if params.engine == Engine::Linfa {
            return Err(KMeansError::LinfaWeights);
        }
    }
    if let Some(start) = given.start {
        check_width(start, x.ncols())?;
        check(start)?;
        if start.nrows() != params.clusters {
            return Err(InputError::Length { rows: params.clusters, targets: start.nrows() }.into());
        }
    }
    Ok(())
}

fn means(x: ArrayView2<'_, f64>) -> Vec<f64> {
    (x.sum_axis(Axis(0)) / x.nrows() as f64).to_vec()
}

/// The share of inertia that another start must save to replace the one that was given.
const STEADY: f64 = 0.01;

/// Sums of weights, and of what they weigh, stay finite.
const WEIGHT_MAX: f64 = 1e100;

/// Starts of fewer rows run side by side; of more, one after the other on all threads, which takes less memory.
const SIDE_BY_SIDE_ROWS_MAX: usize = 50_000;

fn fit_native(tiles: &Tiles<'_>, mean: &[f64], params: &Params, given: &Given<'_>, rng: &mut impl Rng) -> KMeans {
    let rows = Rows { tiles, weights: given.weights };
    let variance = seeding::mean_variance(tiles, mean);
    let stop = Stop { max_iterations: params.max_iterations.max(1), shift: params.tolerance * variance };
    // Seeds are drawn beforehand, so that a start does not depend on those before it.
    let fewest = usize::from(given.start.is_none());
    let seeds: Vec<u64> = (0..params.restarts.max(fewest)).map(|_| rng.r#gen()).collect();
    let start = |seed: u64| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let centroids = match params.init {
            Init::PlusPlus => seeding::plus_plus(rows, params.clusters, &mut rng),
            Init::Random => seeding::random(tiles, params.clusters, &mut rng),
        };
        lloyd::iterate(rows, centroids, &stop)
    };
    let first = given.start.map(|start| lloyd::iterate(rows, start.iter().copied().collect(), &stop));
    let better = |a: Start, b: Start| if b.inertia < a.inertia { b } else { a };
    let best = if tiles.rows <= SIDE_BY_SIDE_ROWS_MAX {
        seeds.into_par_iter().map(start).collect::<Vec<Start>>().into_iter().reduce(better)
    } else {
        seeds.into_iter().map(start).reduce(better)
    };
    let best = match (first, best) {
        (Some(first), Some(best)) if best.inertia < first.inertia * (1.0 - STEADY) => Some(best),
        (first, best) => first.or(best),
    };
    let refined = best.map(|start| lloyd::refine(rows, start, stop.max_iterations));
    refined.map(|start| start.into_model(tiles.columns)).unwrap_or_default()
}

/// Refuses k = 0 and k above the number of distinct rows; stops looking when k are found.
fn check_clusters(x: ArrayView2<'_, f64>, clusters: usize) -> Result<(), KMeansError> {
    if clusters == 0 {
        return Err(KMeansError::NoClusters);
    }
    let mut seen: HashSet<Vec<u64>> = HashSet::new();
    for row in x.rows() {
        // Adding zero makes one of the two zeros.
        seen.insert(row.iter().map(|v| (v + 0.0).to_bits()).collect());
        if seen.len() == clusters {
            return Ok(());
        }
    }
    Err(KMeansError::TooFewRows { clusters, rows: x.nrows(), distinct: seen.len() })
}
