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

use super::input::{InputError, check};
use super::tiles::Tiles;
use ndarray::ArrayView2;
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

/// How to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The number of clusters.
    pub clusters: usize,
    /// Independent starts, of which the one of lowest inertia is kept; 0 is taken as 1.
    pub restarts: usize,
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
        Self { clusters, restarts: 10, max_iterations: 300, tolerance: 1e-4, engine: Engine::Native }
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
    #[error("form {clusters} clusters: the {rows} rows hold only {distinct} different ones")]
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
    /// What linfa's traits report.
    #[error("cluster with linfa: {0}")]
    Linfa(#[from] linfa::Error),
    /// What linfa's k-means reports.
    #[error("cluster with linfa: {0}")]
    LinfaKMeans(#[from] linfa_clustering::KMeansError),
}

/// Clusters the rows of `x` (rows × columns). The same `x`, parameters and state of `rng` give the
/// same model, whatever the number of threads.
pub fn fit(x: ArrayView2<'_, f64>, params: &Params, rng: &mut impl Rng) -> Result<KMeans, KMeansError> {
    check(x)?;
    check_clusters(x, params.clusters)?;
    if !(params.tolerance >= 0.0 && params.tolerance.is_finite()) {
        return Err(KMeansError::Tolerance);
    }
    match params.engine {
        Engine::Native => Ok(fit_native(x, params, rng)),
        Engine::Linfa => engine_linfa::fit(x, params, rng),
    }
}

fn fit_native(x: ArrayView2<'_, f64>, params: &Params, rng: &mut impl Rng) -> KMeans {
    let tiles = Tiles::new(x);
    let variance = seeding::mean_variance(&tiles, x);
    let stop = lloyd::Stop { max_iterations: params.max_iterations.max(1), shift: params.tolerance * variance };
    // Seeds are drawn beforehand, so that a start does not depend on those before it.
    let seeds: Vec<u64> = (0..params.restarts.max(1)).map(|_| rng.r#gen()).collect();
    let starts: Vec<lloyd::Start> = seeds
        .into_par_iter()
        .map(|seed| {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let centroids = seeding::plus_plus(&tiles, params.clusters, &mut rng);
            lloyd::iterate(&tiles, centroids, &stop)
        })
        .collect();
    let best = starts.into_iter().reduce(|a, b| if b.inertia < a.inertia { b } else { a });
    let refined = best.map(|start| lloyd::refine(&tiles, start, stop.max_iterations));
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
