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

/// The rows, and what each counts; 1 without weights.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) tiles: &'a Tiles<'a>,
    pub(super) weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.and_then(|weights| weights.get(row).copied()).unwrap_or(1.0)
    }
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
pub(super) fn refine(rows: Rows<'_>, start: Start, max_iterations: usize) -> Start {
    let left = max_iterations.saturating_sub(start.iterations).min(REFINEMENTS_MAX);
    if left == 0 {
        return start;
    }
    let end = iterate(rows, start.centroids, &Stop { max_iterations: left, shift: 0.0 });
    Start { iterations: start.iterations + end.iterations, converged: start.converged || end.converged, ..end }
}

/// Iterates until no row changes its cluster, the centroids stand still, or the iterations are
/// used up; sizes and inertia belong to the centroids returned.
pub(super) fn iterate(rows: Rows<'_>, mut centroids: Vec<f64>, stop: &Stop) -> Start {
    let columns = rows.tiles.columns;
    let mut labels = vec![u32::MAX; rows.tiles.rows];
    let mut distances = vec![0.0; rows.tiles.rows];
    let mut sums = Sums::zero(centroids.len() / columns, columns);
    let mut iterations = 0;
    let mut settled = false;
    loop {
        let Pass { inertia, changes } = assign(rows, &centroids, &mut labels, &mut distances);
        if rows.weights.is_some() {
            sums = Sums::zero(centroids.len() / columns, columns);
        }
        sums.add(&changes.sums);
        let empty = sums.sizes.contains(&0);
        let done = iterations >= stop.max_iterations;
        if (settled || done || changes.rows == 0) && (!empty || done) {
            let converged = settled || changes.rows == 0;
            let sizes = sums.sizes.into_iter().map(|size| size as usize).collect();
            return Start { centroids, sizes, inertia, iterations, converged };
        }
        if empty {
            fill_empty(rows, &mut sums, &mut labels, &distances);
        }
        let moved = sums.means(&centroids);
        let shift: f64 = moved.iter().zip(&centroids).map(|(a, b)| (a - b) * (a - b)).sum();
        settled = shift <= stop.shift && !empty;
        centroids = moved;
        iterations += 1;
    }
}

/// Weighted sums of coordinates, weights and numbers of rows, by cluster.
struct Sums {
    columns: usize,
    coordinates: Vec<f64>,
    masses: Vec<f64>,
    /// Changes may be negative.
    sizes: Vec<i64>,
}

impl Sums {
    fn zero(clusters: usize, columns: usize) -> Sums {
        let (masses, sizes) = (vec![0.0; clusters], vec![0; clusters]);
        Sums { columns, coordinates: vec![0.0; clusters * columns], masses, sizes }
    }

    fn add(&mut self, other: &Sums) {
        self.coordinates.iter_mut().zip(&other.coordinates).for_each(|(sum, part)| *sum += part);
        self.masses.iter_mut().zip(&other.masses).for_each(|(sum, part)| *sum += part);
        self.sizes.iter_mut().zip(&other.sizes).for_each(|(sum, part)| *sum += part);
    }

    /// A row comes to a cluster or, with a negative sign, leaves it.
    fn count(&mut self, cluster: usize, values: impl Iterator<Item = f64>, weight: f64, sign: i64) {
        let signed = weight * sign as f64;
        let sums = self.coordinates.iter_mut().skip(cluster * self.columns);
        sums.zip(values).for_each(|(sum, value)| *sum += signed * value);
        if let (Some(mass), Some(size)) = (self.masses.get_mut(cluster), self.sizes.get_mut(cluster)) {
            *mass += signed;
            *size += sign;
        }
    }

    /// The mean of each cluster; one that stayed empty, or has no weight, keeps its centroid.
    fn means(&self, centroids: &[f64]) -> Vec<f64> {
        let mut means = centroids.to_vec();
        let clusters = means.chunks_exact_mut(self.columns).zip(self.coordinates.chunks_exact(self.columns));
        for (((mean, sum), &mass), &size) in clusters.zip(&self.masses).zip(&self.sizes) {
            if size > 0 && mass > 0.0 {
                mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = sum / mass);
            }
        }
        means
    }
}

/// What one pass over the rows gave.
struct Pass {
    inertia: f64,
    changes: Changes,
}

/// The rows that went from one cluster to another. With weights the sums are of all rows, since weights may be of such
/// different size that what is taken away again is not what was added.
struct Changes {
    rows: usize,
    sums: Sums,
}

/// One pass over the rows: new labels and distances, and what the change of labels changes. Sums of blocks are
/// folded in order.
fn assign(rows: Rows<'_>, centroids: &[f64], labels: &mut [u32], distances: &mut [f64]) -> Pass {
    let columns = rows.tiles.columns;
    let clusters = centroids.len() / columns;
    let blocks = rows.tiles.blocks().zip(labels.par_chunks_mut(BLOCK_ROWS)).enumerate();
    let partial: Vec<Pass> = blocks
        .zip(distances.par_chunks_mut(BLOCK_ROWS))
        .map(|((number, (block, labels)), distances)| {
            let before = labels.to_vec();
            nearest(block, columns, centroids, labels, distances);
            let weight = |place: usize| rows.weight(number * BLOCK_ROWS + place);
            let sums = Sums::zero(clusters, columns);
            let changes = changes(block, sums, (&before, labels), rows.weights.is_some(), weight);
            let inertia = match rows.weights {
                None => distances.iter().sum(),
                Some(_) => distances.iter().enumerate().map(|(place, distance)| weight(place) * distance).sum(),
            };
            Pass { inertia, changes }
        })
        .collect();
    let mut all = Pass { inertia: 0.0, changes: Changes { rows: 0, sums: Sums::zero(clusters, columns) } };
    for part in partial {
        all.inertia += part.inertia;
        all.changes.rows += part.changes.rows;
        all.changes.sums.add(&part.changes.sums);
    }
    all
}

/// The changes of one block.
fn changes(
    block: &[f64],
    mut sums: Sums,
    labels: (&[u32], &[u32]),
    all: bool,
    weight: impl Fn(usize) -> f64,
) -> Changes {
    let columns = sums.columns;
    let mut rows = 0;
    for (place, (before, after)) in labels.0.iter().zip(labels.1).enumerate().filter(|(_, (a, b))| all || a != b) {
        rows += usize::from(before != after);
        let tile = block.iter().skip(place / LANES * LANES * columns + place % LANES);
        let values = || tile.clone().step_by(LANES).take(columns).copied();
        if *before != u32::MAX && !all {
            sums.count(*before as usize, values(), weight(place), -1);
        }
        sums.count(*after as usize, values(), weight(place), 1);
    }
    Changes { rows, sums }
}

/// Moves the farthest rows, each from a cluster that keeps another, into the empty clusters; of
/// equally far ones the first row. There is always one, since k distinct rows exist.
fn fill_empty(rows: Rows<'_>, sums: &mut Sums, labels: &mut [u32], distances: &[f64]) {
    let mut order: Vec<usize> = (0..rows.tiles.rows).collect();
    order.sort_unstable_by(|&a, &b| distances[b].partial_cmp(&distances[a]).unwrap_or(Ordering::Equal).then(a.cmp(&b)));
    let mut farthest = order.into_iter();
    let empty: Vec<usize> = (0..sums.sizes.len()).filter(|&c| sums.sizes[c] == 0).collect();
    for cluster in empty {
        let Some(row) = farthest.find(|&row| sums.sizes[labels[row] as usize] > 1) else {
            return;
        };
        sums.count(labels[row] as usize, rows.tiles.row(row), rows.weight(row), -1);
        sums.count(cluster, rows.tiles.row(row), rows.weight(row), 1);
        labels[row] = cluster as u32;
    }
}
