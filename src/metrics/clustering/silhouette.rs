//! The silhouette (Rousseeuw 1987).

use super::Clusters;
use crate::metrics::MetricError;
use ndarray::{ArrayView2, Axis};
use rand::Rng;
use rand::seq::index;
use rayon::prelude::*;
use serde::Serialize;

/// Rows compared at once.
const LANES: usize = 16;

/// The mean silhouette and how it was come by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Silhouette {
    /// Mean over rows of (b − a)/max(a, b): a is the mean distance to the other rows of its
    /// cluster, b the least mean distance to the rows of another one. From −1 to 1, more is
    /// better. `None` with one cluster or as many clusters as rows.
    pub mean: Option<f64>,
    /// The values of the rows used, 0 for the only row of a cluster; in the order of the rows.
    pub values: Vec<f64>,
    /// Whether the rows used are a sample.
    pub sampled: bool,
}

/// The silhouette of the rows of `x` under `labels`. Time grows with the square of the rows, so of
/// more than `rows_max` a sample of that many is drawn without replacement and measured by itself.
/// Memory is that of a copy of the rows. The result does not depend on the number of threads.
/// Errors on no rows, differing lengths, NaN and infinite values.
pub fn silhouette(
    x: ArrayView2<'_, f64>,
    labels: &[usize],
    rows_max: usize,
    rng: &mut impl Rng,
) -> Result<Silhouette, MetricError> {
    let sampled = x.nrows() > rows_max && x.nrows() == labels.len();
    if !sampled {
        return Ok(exact(x, &Clusters::new(x, labels)?));
    }
    let mut rows = index::sample(rng, x.nrows(), rows_max).into_vec();
    rows.sort_unstable();
    let labels: Vec<usize> = rows.iter().filter_map(|&row| labels.get(row).copied()).collect();
    let x = x.select(Axis(0), &rows);
    let found = exact(x.view(), &Clusters::new(x.view(), &labels)?);
    Ok(Silhouette { sampled, ..found })
}

fn exact(x: ArrayView2<'_, f64>, clusters: &Clusters) -> Silhouette {
    if !clusters.is_measurable(x.nrows()) {
        return Silhouette { mean: None, values: Vec::new(), sampled: false };
    }
    let tiled: Vec<Tiled> = clusters.members.iter().map(|rows| Tiled::new(x, rows)).collect();
    let mut own = vec![0; x.nrows()];
    for (cluster, rows) in clusters.members.iter().enumerate() {
        rows.iter().for_each(|&row| own[row] = cluster);
    }
    let value = |(row, &own): (usize, &usize)| {
        let point = x.row(row).to_vec();
        let (mut within, mut nearest) = (0.0, f64::INFINITY);
        for (cluster, rows) in tiled.iter().enumerate() {
            let sum = sum_of_distances(&rows.tiles, rows.rows, &point);
            if cluster == own {
                within = sum / (rows.rows - 1).max(1) as f64;
            } else {
                nearest = nearest.min(sum / rows.rows as f64);
            }
        }
        let largest = within.max(nearest);
        let alone = tiled.get(own).is_none_or(|rows| rows.rows == 1);
        if alone || largest == 0.0 { 0.0 } else { (nearest - within) / largest }
    };
    let values: Vec<f64> = own.par_iter().enumerate().map(value).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Silhouette { mean: Some(mean), values, sampled: false }
}

/// The rows of a cluster, [`LANES`] side by side, padded with zeros.
struct Tiled {
    tiles: Vec<f64>,
    rows: usize,
}

impl Tiled {
    fn new(x: ArrayView2<'_, f64>, rows: &[usize]) -> Self {
        let tile_of = |rows: &[usize]| {
            let mut tile = vec![0.0; LANES * x.ncols()];
            for (lane, &row) in rows.iter().enumerate() {
                let slots = tile.iter_mut().skip(lane).step_by(LANES);
                slots.zip(x.row(row)).for_each(|(slot, &value)| *slot = value);
            }
            tile
        };
        Self { tiles: rows.chunks(LANES).flat_map(tile_of).collect(), rows: rows.len() }
    }
}

vectorized! {
    /// The sum of the distances of `rows` tiled rows to a point.
    fn sum_of_distances(tiles: &[f64], rows: usize, point: &[f64]) -> f64 {
        let mut sums = [0.0; LANES];
        let mut left = rows;
        for tile in tiles.chunks_exact(LANES * point.len().max(1)) {
            let mut squares = [0.0; LANES];
            for (values, &coordinate) in tile.as_chunks::<LANES>().0.iter().zip(point) {
                for lane in 0..LANES {
                    let difference = values[lane] - coordinate;
                    squares[lane] += difference * difference;
                }
            }
            let filled = left.min(LANES);
            for lane in 0..LANES {
                sums[lane] += if lane < filled {
                    squares[lane].sqrt()
                } else {
                    0.0
                };
            }
            left -= filled;
        }
        sums.iter().sum()
    }
}
