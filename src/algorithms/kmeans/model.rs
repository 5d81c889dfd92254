//! A fitted clustering.

use super::KMeansError;
use super::distance::nearest;
use crate::algorithms::input::{check_finite, check_width};
use crate::algorithms::tiles::{BLOCK_ROWS, Tiles};
use ndarray::{Array1, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Centroids in a canonical order: the largest cluster first, of equal ones that with the smaller
/// coordinates, so that a label means the same after every fit that finds the same clusters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KMeans {
    /// One centroid a cluster, each with one coordinate a column.
    pub centroids: Vec<Vec<f64>>,
    /// Rows of the training table in each cluster.
    pub sizes: Vec<usize>,
    /// Sum of the squared distances of the training rows to their centroids.
    pub inertia: f64,
    /// Lloyd iterations of the best start (for linfa, which does not tell, the limit).
    pub iterations: usize,
    /// Whether the best start came to rest before the iterations were used up (linfa: assumed).
    pub converged: bool,
}

/// Where each row belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The cluster of each row, from 0.
    pub labels: Array1<usize>,
    /// The Euclidean (not squared) distance of each row to its centroid.
    pub distances: Array1<f64>,
}

impl KMeans {
    pub(super) fn canonical(
        clusters: impl Iterator<Item = (Vec<f64>, usize)>,
        inertia: f64,
        iterations: usize,
        converged: bool,
    ) -> Self {
        let mut clusters: Vec<_> = clusters.collect();
        clusters.sort_by(|(a, a_size), (b, b_size)| b_size.cmp(a_size).then_with(|| lexical(a, b)));
        let (centroids, sizes) = clusters.into_iter().unzip();
        Self { centroids, sizes, inertia, iterations, converged }
    }

    /// The nearest cluster of every row of `x`, of equally near ones the first. Errors on another
    /// width and on NaN or infinite values; no rows give no labels.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Assignment, KMeansError> {
        check_width(x, self.centroids.first().map_or(0, Vec::len))?;
        check_finite(x)?;
        let (labels, squared) = nearest_rows(&Tiles::new(x), &self.centroids.concat());
        Ok(Assignment {
            labels: labels.into_iter().map(|label| label as usize).collect(),
            distances: squared.into_iter().map(f64::sqrt).collect(),
        })
    }
}

/// Labels and squared distances of all rows.
fn nearest_rows(tiles: &Tiles, centroids: &[f64]) -> (Vec<u32>, Vec<f64>) {
    let mut labels = vec![0; tiles.rows];
    let mut distances = vec![0.0; tiles.rows];
    let blocks = tiles.blocks().zip(labels.par_chunks_mut(BLOCK_ROWS));
    blocks.zip(distances.par_chunks_mut(BLOCK_ROWS)).for_each(|((block, labels), distances)| {
        nearest(block, tiles.columns, centroids, labels, distances);
    });
    (labels, distances)
}

fn lexical(a: &[f64], b: &[f64]) -> Ordering {
    let differing = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
    differing.unwrap_or(Ordering::Equal)
}
