//! The inner loops: squared distances of a block of rows to a set of points.
//!
//! Compiled per vector width and chosen at run time. Distances are summed from differences, not
//! from |x|² − 2x·c + |c|², which loses digits when a cluster is far from the origin.

use crate::algorithms::tiles::{LANES, squared_distances};

vectorized! {
    /// For every row of a block, the nearest centroid and the squared distance to it; of equally near
    /// ones the first. `labels` and `distances` have one entry a row.
    pub(super) fn nearest(
        block: &[f64],
        columns: usize,
        centroids: &[f64],
        labels: &mut [u32],
        distances: &mut [f64],
    ) {
        let tiles = block.chunks_exact(LANES * columns);
        for ((tile, labels), distances) in tiles
            .zip(labels.chunks_mut(LANES))
            .zip(distances.chunks_mut(LANES))
        {
            let mut best = [f64::INFINITY; LANES];
            let mut label = [0_u64; LANES];
            for (index, centroid) in (0_u64..).zip(centroids.chunks_exact(columns)) {
                let found = squared_distances(tile, centroid);
                for lane in 0..LANES {
                    let nearer = found[lane] < best[lane];
                    best[lane] = if nearer { found[lane] } else { best[lane] };
                    label[lane] = if nearer { index } else { label[lane] };
                }
            }
            labels
                .iter_mut()
                .zip(label)
                .for_each(|(slot, label)| *slot = label as u32);
            distances.copy_from_slice(&best[..distances.len()]);
        }
    }
}

vectorized! {
    /// Lowers each row's squared distance to that of `point`, where this is nearer; gives the sum.
    pub(super) fn lower(block: &[f64], columns: usize, point: &[f64], closest: &mut [f64]) -> f64 {
        let mut total = 0.0;
        let tiles = block.chunks_exact(LANES * columns);
        for (tile, closest) in tiles.zip(closest.chunks_mut(LANES)) {
            let found = squared_distances(tile, point);
            for (slot, found) in closest.iter_mut().zip(found) {
                *slot = slot.min(found);
            }
            total += closest.iter().sum::<f64>();
        }
        total
    }
}

vectorized! {
    /// What [`lower`] would give for each of several points, without doing it.
    pub(super) fn would_lower(
        block: &[f64],
        columns: usize,
        points: &[f64],
        closest: &[f64],
        totals: &mut [f64],
    ) {
        let tiles = block.chunks_exact(LANES * columns);
        for (tile, closest) in tiles.zip(closest.chunks(LANES)) {
            for (point, total) in points.chunks_exact(columns).zip(totals.iter_mut()) {
                let found = squared_distances(tile, point);
                *total += closest
                    .iter()
                    .zip(found)
                    .map(|(a, b)| a.min(b))
                    .sum::<f64>();
            }
        }
    }
}
