//! DBSCAN (Ester, Kriegel, Sander, Xu 1996): clusters are what lies densely together, however shaped; the rest is
//! noise.
//!
//! A *core point* has at least `min_points` rows within the radius, itself included. Core points within the radius of
//! each other are of one cluster. A row that is no core point but within the radius of one is a *border point*; the
//! rest is noise. Where a border point reaches several clusters it goes to that whose first core point comes first in
//! the order of the rows, as in scikit-learn. Clusters are numbered by their first core points. So the result depends
//! on the order of the rows in the numbers and in such border points only, and on threads in nothing.
//!
//! Two engines: [`Engine::Native`], a k-d tree of leaves of 32 rows and disjoint sets, in memory linear in rows
//! whatever the radius; and [`Engine::Linfa`], linfa-clustering as published.
//!
//! Refused are no rows, no columns, NaN and infinite values, a radius that is not above zero, zero points, and for the
//! cosine distance rows of zeros, which have no direction.

mod border;
mod cores;
mod engine_linfa;
mod kernel;
mod nearest;
mod sets;
#[cfg(test)]
mod tests;
mod tree;
mod unite;

use ndarray::{ArrayView2, CowArray, Ix2};
use rand::Rng;
use rand::seq::index;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::input::{InputError, check, check_width};
use border::NOISE;
use nearest::Nearest;
use tree::Tree;

/// Slots above have other meanings.
const ROWS_MAX: usize = u32::MAX as usize - 1;

/// How far apart two rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// √Σ(a − b)²
    #[default]
    Euclidean,
    /// Σ|a − b|
    Manhattan,
    /// 1 − a·b/(|a||b|), from 0 to 2. Taken as the Euclidean distance of directions, √(2 · cosine distance): at
    /// exactly the radius rounding decides.
    Cosine,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The kernel of this crate.
    #[default]
    Native,
    /// linfa-clustering as published, which says clusters and noise; core points are counted here.
    Linfa,
}

/// How to cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Rows at this distance or less are near.
    pub radius: f64,
    /// A core point has so many rows near, itself included.
    pub min_points: usize,
    pub metric: Metric,
    pub engine: Engine,
}

/// Where each row belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dbscan {
    /// The cluster of each row, from 0; none for noise.
    pub labels: Vec<Option<usize>>,
    /// Whether each row is a core point.
    pub cores: Vec<bool>,
    pub clusters: usize,
}

/// Why there is no clustering.
#[derive(Debug, thiserror::Error)]
pub enum DbscanError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("look within a radius that is not a number above zero")]
    Radius,
    #[error("call a point with zero rows near it a core point")]
    MinPoints,
    #[error("take the direction of {0} rows: all their values are zero")]
    NoDirection(usize),
    #[error("cluster with linfa: {0}")]
    Linfa(String),
}

/// Clusters the rows of `x` (rows × columns).
pub fn fit(x: ArrayView2<'_, f64>, params: &Params) -> Result<Dbscan, DbscanError> {
    let x = usable(x, params.metric)?;
    if !(params.radius > 0.0 && params.radius.is_finite()) {
        return Err(DbscanError::Radius);
    }
    if params.min_points == 0 {
        return Err(DbscanError::MinPoints);
    }
    let tree = Tree::new(x.view());
    let bound = bound(params.metric, params.radius);
    let cores = cores::cores(&tree, params.metric, bound, params.min_points);
    let (labels, clusters) = match params.engine {
        Engine::Native => {
            let united = unite::unite(&tree, params.metric, bound, &cores);
            let (labels, clusters) = border::labels(&united, params.metric, bound);
            (labels.into_iter().map(|label| (label != NOISE).then_some(label as usize)).collect(), clusters)
        }
        Engine::Linfa => engine_linfa::labels(x.view(), params)?,
    };
    let mut of_rows = vec![false; tree.rows];
    for (slot, row) in tree.order.iter().enumerate() {
        of_rows[*row as usize] = cores[slot / tree::LEAF_ROWS] >> (slot % tree::LEAF_ROWS) & 1 == 1;
    }
    Ok(Dbscan { labels, cores: of_rows, clusters })
}

/// The distances of rows to their `nearest`-th nearest row, themselves counted as the first, ascending: the curve in
/// which a radius is looked for. Of more than `rows_max` rows, those of a sample drawn without replacement.
pub fn distances_to_nearest(
    x: ArrayView2<'_, f64>,
    metric: Metric,
    nearest: usize,
    rows_max: usize,
    rng: &mut impl Rng,
) -> Result<Vec<f64>, DbscanError> {
    let x = usable(x, metric)?;
    let tree = Tree::new(x.view());
    let nearest = nearest.clamp(1, tree.rows);
    let slots = match tree.rows > rows_max {
        true => index::sample(rng, tree.rows, rows_max).into_vec(),
        false => (0..tree.rows).collect(),
    };
    let distance = |slot: usize| {
        let point: Vec<f64> = tree.point(slot).collect();
        let found = Nearest::find(&tree, metric, &point, nearest, f64::INFINITY);
        found.last().map_or(0.0, |(sum, _)| unbound(metric, *sum))
    };
    let mut distances: Vec<f64> = slots.into_par_iter().map(distance).collect();
    distances.sort_unstable_by(f64::total_cmp);
    Ok(distances)
}

/// The place of the knee of an ascending curve: the point furthest below the straight line between its ends (Satopaa
/// et al. 2011, without smoothing); of equally far ones the first. None of a curve that does not rise.
pub fn knee(curve: &[f64]) -> Option<usize> {
    let (first, last) = (curve.first()?, curve.last()?);
    let (rise, steps) = (last - first, curve.len().checked_sub(1)? as f64);
    if !(rise > 0.0 && rise.is_finite()) {
        return None;
    }
    let below = |(place, value): (usize, &f64)| (place as f64 / steps - (value - first) / rise, place);
    let lowest = curve.iter().enumerate().map(below).max_by(|(a, i), (b, j)| a.total_cmp(b).then(j.cmp(i)))?;
    (lowest.0 > 0.0).then_some(lowest.1)
}

/// Core points of a fitted clustering, to find the nearest one of new rows.
pub struct CorePoints {
    tree: Tree,
    metric: Metric,
}

impl CorePoints {
    /// `points` (core points × columns) as they were fitted.
    pub fn new(points: ArrayView2<'_, f64>, metric: Metric) -> Result<CorePoints, DbscanError> {
        Ok(CorePoints { tree: Tree::new(usable(points, metric)?.view()), metric })
    }

    /// The place of the core point nearest to each row of `x` and its distance, where one lies within `radius`; of
    /// equally near ones the first.
    pub fn nearest(&self, x: ArrayView2<'_, f64>, radius: f64) -> Result<Vec<Option<(usize, f64)>>, DbscanError> {
        check_width(x, self.tree.columns)?;
        if x.nrows() == 0 {
            return Ok(vec![]);
        }
        let x = usable(x, self.metric)?;
        let bound = bound(self.metric, radius);
        let rows: Vec<_> = x.rows().into_iter().collect();
        let nearest = |row: &ndarray::ArrayView1<'_, f64>| {
            let found = Nearest::find(&self.tree, self.metric, &row.to_vec(), 1, bound);
            found.first().map(|(sum, place)| (*place as usize, unbound(self.metric, *sum)))
        };
        Ok(rows.par_iter().map(nearest).collect())
    }
}

/// Rows as distances are taken of them: checked, and for the cosine distance of length one.
fn usable(x: ArrayView2<'_, f64>, metric: Metric) -> Result<CowArray<'_, f64, Ix2>, DbscanError> {
    check(x)?;
    if x.nrows() >= ROWS_MAX {
        return Err(InputError::TooLarge(x.nrows()).into());
    }
    if metric != Metric::Cosine {
        return Ok(x.into());
    }
    let mut x = x.to_owned();
    let mut without = 0;
    for mut row in x.rows_mut() {
        // By the greatest first, so that no square overflows.
        let greatest = row.fold(0.0_f64, |greatest, value| greatest.max(value.abs()));
        if greatest == 0.0 {
            without += 1;
            continue;
        }
        row /= greatest;
        let length = row.fold(0.0, |sum, value| sum + value * value).sqrt();
        row /= length;
    }
    if without > 0 { Err(DbscanError::NoDirection(without)) } else { Ok(x.into()) }
}

/// What a distance adds up to where distances are compared: a square, or the distance itself.
fn bound(metric: Metric, distance: f64) -> f64 {
    match metric {
        Metric::Euclidean => distance * distance,
        Metric::Manhattan => distance,
        Metric::Cosine => 2.0 * distance,
    }
}

/// The distance that adds up to this.
fn unbound(metric: Metric, sum: f64) -> f64 {
    match metric {
        Metric::Euclidean => sum.sqrt(),
        Metric::Manhattan => sum,
        Metric::Cosine => sum / 2.0,
    }
}
