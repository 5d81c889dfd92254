//! A fitted clustering.

use super::KMeansError;
use super::distance::nearest;
use crate::algorithms::input::{check_finite, check_width};
use crate::algorithms::tiles::{BLOCK_ROWS, tiled};
use ndarray::{Array1, ArrayView2, Axis};
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
        let (labels, squared) = nearest_rows(x, &self.centroids.concat());
        Ok(Assignment {
            labels: labels.into_iter().map(|label| label as usize).collect(),
            distances: squared.into_iter().map(f64::sqrt).collect(),
        })
    }
}

impl KMeans {
    /// The Euclidean distance of every row of `x` to the nearest centroid but that of its own cluster; infinite with
    /// one cluster.
    pub fn second(&self, x: ArrayView2<'_, f64>, labels: &Array1<usize>) -> Result<Vec<f64>, KMeansError> {
        check_width(x, self.centroids.first().map_or(0, Vec::len))?;
        check_finite(x)?;
        let mut second = vec![f64::INFINITY; x.nrows()];
        let rows: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        let blocks = rows.into_par_iter().zip(second.par_chunks_mut(BLOCK_ROWS)).enumerate();
        blocks.for_each(|(block, (rows, second))| {
            for ((place, row), second) in rows.rows().into_iter().enumerate().zip(second) {
                let own = labels.get(block * BLOCK_ROWS + place).copied().unwrap_or(usize::MAX);
                let others = self.centroids.iter().enumerate().filter(|(cluster, _)| *cluster != own);
                let squared = |centroid: &[f64]| row.iter().zip(centroid).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
                *second = others.map(|(_, centroid)| squared(centroid)).fold(f64::INFINITY, f64::min).sqrt();
            }
        });
        Ok(second)
    }
}

/// Labels and squared distances of all rows.
fn nearest_rows(x: ArrayView2<'_, f64>, centroids: &[f64]) -> (Vec<u32>, Vec<f64>) {
    let mut labels = vec![0; x.nrows()];
    let mut distances = vec![0.0; x.nrows()];
    // Block by block, since all tiles at once would take as much memory as the rows.
    let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
    let blocks = blocks.into_par_iter().zip(labels.par_chunks_mut(BLOCK_ROWS));
    blocks.zip(distances.par_chunks_mut(BLOCK_ROWS)).for_each(|((block, labels), distances)| {
        nearest(&tiled(block), x.ncols(), centroids, labels, distances);
    });
    (labels, distances)
}

fn lexical(a: &[f64], b: &[f64]) -> Ordering {
    let differing = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
    differing.unwrap_or(Ordering::Equal)
}
