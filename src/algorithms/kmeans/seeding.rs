//! Greedy k-means++ (Arthur and Vassilvitskii 2007, with the several candidates per step that
//! their section 6 suggests and scikit-learn uses).

use super::distance::{lower, would_lower};
use super::lloyd::Rows;
use crate::algorithms::tiles::{BLOCK_ROWS, Tiles};
use rand::Rng;
use rayon::prelude::*;

/// k rows as first centroids (k × columns, row after row). Each is drawn with a probability in
/// proportion to the squared distance to the nearest before it; of 2 + ⌊ln k⌋ candidates the one
/// that leaves the least inertia is taken, of equal ones the first drawn.
///
/// With weights, rows are drawn in proportion to them, too, and candidates are judged by weighted inertia.
pub(super) fn plus_plus(rows: Rows<'_>, clusters: usize, rng: &mut impl Rng) -> Vec<f64> {
    let tiles = rows.tiles;
    let candidates = 2 + (clusters as f64).ln() as usize;
    let mut closest = vec![f64::INFINITY; tiles.rows];
    let first = match rows.weights {
        None => rng.gen_range(0..tiles.rows),
        Some(weights) => draw(weights, &block_sums(weights), rng.r#gen()),
    };
    let mut centroids: Vec<f64> = tiles.row(first).collect();
    let mut point = centroids.clone();
    for _ in 1..clusters {
        let mut totals = lower_all(tiles, &point, &mut closest);
        let weighted = weighted(rows, &closest);
        if let Some(weighted) = &weighted {
            totals = block_sums(weighted);
        }
        let shares = weighted.as_deref().unwrap_or(&closest);
        let drawn: Vec<f64> = (0..candidates).flat_map(|_| tiles.row(draw(shares, &totals, rng.r#gen()))).collect();
        point = best_candidate(rows, &drawn, &closest);
        centroids.extend_from_slice(&point);
    }
    centroids
}

/// k different rows drawn at random, each as likely as the others, as first centroids.
pub(super) fn random(tiles: &Tiles<'_>, clusters: usize, rng: &mut impl Rng) -> Vec<f64> {
    let rows = rand::seq::index::sample(rng, tiles.rows, clusters.min(tiles.rows));
    rows.into_iter().flat_map(|row| tiles.row(row)).collect()
}

/// Each distance times the weight of its row; none without weights.
fn weighted(rows: Rows<'_>, closest: &[f64]) -> Option<Vec<f64>> {
    rows.weights.map(|weights| closest.iter().zip(weights).map(|(distance, weight)| distance * weight).collect())
}

fn block_sums(values: &[f64]) -> Vec<f64> {
    values.chunks(BLOCK_ROWS).map(|block| block.iter().sum()).collect()
}

/// The population variance of the columns, averaged over them: the squared distances of all rows to
/// their mean, over the number of values.
pub(super) fn mean_variance(tiles: &Tiles<'_>, mean: &[f64]) -> f64 {
    let mut distances = vec![f64::INFINITY; tiles.rows];
    let total: f64 = lower_all(tiles, mean, &mut distances).iter().sum();
    total / (tiles.rows * tiles.columns) as f64
}

/// Lowers every row's distance to that of `point`; the sums of the blocks, in order.
fn lower_all(tiles: &Tiles<'_>, point: &[f64], closest: &mut [f64]) -> Vec<f64> {
    let blocks = tiles.blocks().zip(closest.par_chunks_mut(BLOCK_ROWS));
    blocks.map(|(block, closest)| lower(block, tiles.columns, point, closest)).collect()
}

/// The candidate of least remaining inertia.
fn best_candidate(rows: Rows<'_>, drawn: &[f64], closest: &[f64]) -> Vec<f64> {
    let columns = rows.tiles.columns;
    if rows.weights.is_some() {
        return best_weighted(rows, drawn, closest);
    }
    let blocks = rows.tiles.blocks().zip(closest.par_chunks(BLOCK_ROWS));
    let partial: Vec<Vec<f64>> = blocks
        .map(|(block, closest)| {
            let mut totals = vec![0.0; drawn.len() / columns];
            would_lower(block, columns, drawn, closest, &mut totals);
            totals
        })
        .collect();
    let mut best = (f64::INFINITY, &drawn[..columns]);
    for (candidate, point) in drawn.chunks_exact(columns).enumerate() {
        let total: f64 = partial.iter().filter_map(|totals| totals.get(candidate)).sum();
        if total < best.0 {
            best = (total, point);
        }
    }
    best.1.to_vec()
}

/// The same with weights.
fn best_weighted(rows: Rows<'_>, drawn: &[f64], closest: &[f64]) -> Vec<f64> {
    let mut best = (f64::INFINITY, Vec::new());
    for point in drawn.chunks_exact(rows.tiles.columns) {
        let mut lowered = closest.to_vec();
        lower_all(rows.tiles, point, &mut lowered);
        let total: f64 = weighted(rows, &lowered).map_or(0.0, |weighted| block_sums(&weighted).iter().sum());
        if total < best.0 {
            best = (total, point.to_vec());
        }
    }
    best.1
}

/// The row at which the running sum of `closest` passes `share` of the whole; `totals` are the
/// sums of its blocks. Never a row at distance zero while another is left, so that no two
/// centroids start at the same place.
fn draw(closest: &[f64], totals: &[f64], share: f64) -> usize {
    let rest = share * totals.iter().sum::<f64>();
    let (block, rest) = passing(totals.iter().copied().enumerate(), rest);
    let start = block * BLOCK_ROWS;
    passing(closest.iter().copied().enumerate().skip(start).take(BLOCK_ROWS), rest).0
}

/// Where the running sum passes `rest`, and what of `rest` is left before it. Where rounding keeps
/// it from passing: the last entry above zero, and infinity.
fn passing(entries: impl Iterator<Item = (usize, f64)>, mut rest: f64) -> (usize, f64) {
    let mut last = 0;
    for (index, amount) in entries.filter(|(_, amount)| *amount > 0.0) {
        if rest < amount {
            return (index, rest);
        }
        rest -= amount;
        last = index;
    }
    (last, f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_in_proportion_and_never_at_distance_zero() {
        let closest = [0.0, 1.0, 0.0, 3.0, 0.0];
        let totals = [4.0];
        assert_eq!(draw(&closest, &totals, 0.0), 1);
        assert_eq!(draw(&closest, &totals, 0.2), 1);
        assert_eq!(draw(&closest, &totals, 0.25), 3);
        assert_eq!(draw(&closest, &totals, 0.9999), 3);
        assert_eq!(draw(&closest, &totals, 1.0), 3);
    }

    #[test]
    fn empty_blocks_are_passed_over() {
        let mut closest = vec![0.0; 3 * BLOCK_ROWS];
        closest[2 * BLOCK_ROWS + 7] = 2.0;
        assert_eq!(draw(&closest, &[0.0, 0.0, 2.0], 0.5), 2 * BLOCK_ROWS + 7);
    }
}
