//! Lloyd's iteration: assign every row to the nearest centroid, move centroids to the means.

use super::distance::nearest;
use super::model::KMeans;
use crate::algorithms::tiles::{BLOCK_ROWS, LANES, Tiles};
use rayon::prelude::*;
use std::cmp::Ordering;

/// When to stop.
pub(super) struct Stop {
    pub(super) max_iterations: usize,
    /// Squared movement of all centroids together.
    pub(super) shift: f64,
}

/// Where one start ended.
pub(super) struct Start {
    centroids: Vec<f64>,
    sizes: Vec<usize>,
    pub(super) inertia: f64,
    iterations: usize,
    converged: bool,
}

impl Start {
    pub(super) fn into_model(self, columns: usize) -> KMeans {
        let rows = self.centroids.chunks_exact(columns).map(<[f64]>::to_vec);
        KMeans::canonical(rows.zip(self.sizes), self.inertia, self.iterations, self.converged)
    }
}

/// Iterations that the best start is given beyond its tolerance. Enough for thousands of rows to come
/// to rest, where stopping early costs a visible share of the quality; a small part of the work on
/// millions.
const REFINEMENTS_MAX: usize = 15;

/// Goes on from where a start ended, if it has iterations left.
pub(super) fn refine(tiles: &Tiles, start: Start, max_iterations: usize) -> Start {
    let left = max_iterations.saturating_sub(start.iterations).min(REFINEMENTS_MAX);
    if left == 0 {
        return start;
    }
    let end = iterate(tiles, start.centroids, &Stop { max_iterations: left, shift: 0.0 });
    Start { iterations: start.iterations + end.iterations, converged: start.converged || end.converged, ..end }
}

/// Sums of coordinates and numbers of rows, by cluster, and the inertia.
struct Sums {
    coordinates: Vec<f64>,
    sizes: Vec<usize>,
    inertia: f64,
}

/// Iterates until no row changes its cluster, the centroids stand still, or the iterations are
/// used up; sizes and inertia belong to the centroids returned.
pub(super) fn iterate(tiles: &Tiles, mut centroids: Vec<f64>, stop: &Stop) -> Start {
    let mut labels = vec![u32::MAX; tiles.rows];
    let mut distances = vec![0.0; tiles.rows];
    let mut iterations = 0;
    let mut settled = false;
    loop {
        let (mut sums, changed) = assign(tiles, &centroids, &mut labels, &mut distances);
        let empty = sums.sizes.contains(&0);
        let done = iterations >= stop.max_iterations;
        if (settled || done || !changed) && (!empty || done) {
            let (sizes, inertia) = (sums.sizes, sums.inertia);
            let converged = settled || !changed;
            return Start { centroids, sizes, inertia, iterations, converged };
        }
        if empty {
            fill_empty(tiles, &mut sums, &labels, &distances);
        }
        let moved = means(&sums, &centroids, tiles.columns);
        let shift: f64 = moved.iter().zip(&centroids).map(|(a, b)| (a - b) * (a - b)).sum();
        settled = shift <= stop.shift && !empty;
        centroids = moved;
        iterations += 1;
    }
}

/// One pass over the rows: new labels and distances, the sums by cluster, and whether any label
/// changed. Sums of blocks are folded in order.
fn assign(tiles: &Tiles, centroids: &[f64], labels: &mut [u32], distances: &mut [f64]) -> (Sums, bool) {
    let columns = tiles.columns;
    let blocks = tiles.blocks().zip(labels.par_chunks_mut(BLOCK_ROWS));
    let partial: Vec<(Sums, bool)> = blocks
        .zip(distances.par_chunks_mut(BLOCK_ROWS))
        .map(|((block, labels), distances)| {
            let before = labels.to_vec();
            nearest(block, columns, centroids, labels, distances);
            (add_up(block, columns, centroids.len(), labels, distances), before != labels)
        })
        .collect();
    let mut all =
        Sums { coordinates: vec![0.0; centroids.len()], sizes: vec![0; centroids.len() / columns], inertia: 0.0 };
    let mut changed = false;
    for (part, part_changed) in partial {
        all.coordinates.iter_mut().zip(part.coordinates).for_each(|(sum, part)| *sum += part);
        all.sizes.iter_mut().zip(part.sizes).for_each(|(sum, part)| *sum += part);
        all.inertia += part.inertia;
        changed |= part_changed;
    }
    (all, changed)
}

/// The sums of one block.
fn add_up(block: &[f64], columns: usize, width: usize, labels: &[u32], distances: &[f64]) -> Sums {
    let mut coordinates = vec![0.0; width];
    let mut sizes = vec![0; width / columns];
    for (tile, labels) in block.chunks_exact(LANES * columns).zip(labels.chunks(LANES)) {
        for (lane, &label) in labels.iter().enumerate() {
            let cluster = label as usize;
            sizes[cluster] += 1;
            let sums = &mut coordinates[cluster * columns..(cluster + 1) * columns];
            let values = tile.iter().skip(lane).step_by(LANES);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }
    Sums { coordinates, sizes, inertia: distances.iter().sum() }
}

/// Moves the farthest rows, each from a cluster that keeps another, into the empty clusters; of
/// equally far ones the first row. There is always one, since k distinct rows exist.
fn fill_empty(tiles: &Tiles, sums: &mut Sums, labels: &[u32], distances: &[f64]) {
    let mut order: Vec<usize> = (0..tiles.rows).collect();
    order.sort_unstable_by(|&a, &b| distances[b].partial_cmp(&distances[a]).unwrap_or(Ordering::Equal).then(a.cmp(&b)));
    let mut farthest = order.into_iter();
    let empty: Vec<usize> = (0..sums.sizes.len()).filter(|&c| sums.sizes[c] == 0).collect();
    for cluster in empty {
        let Some(row) = farthest.find(|&row| sums.sizes[labels[row] as usize] > 1) else {
            return;
        };
        let from = labels[row] as usize;
        for (column, value) in tiles.row(row).enumerate() {
            sums.coordinates[from * tiles.columns + column] -= value;
            sums.coordinates[cluster * tiles.columns + column] = value;
        }
        sums.sizes[from] -= 1;
        sums.sizes[cluster] = 1;
    }
}

/// The mean of each cluster; one that stayed empty keeps its centroid.
fn means(sums: &Sums, centroids: &[f64], columns: usize) -> Vec<f64> {
    let mut means = centroids.to_vec();
    let clusters = means.chunks_exact_mut(columns).zip(sums.coordinates.chunks_exact(columns));
    for ((mean, sum), &size) in clusters.zip(&sums.sizes).filter(|(_, size)| **size > 0) {
        mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = sum / size as f64);
    }
    means
}
