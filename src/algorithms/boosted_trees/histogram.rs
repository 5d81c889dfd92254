//! Derivatives of the loss summed by bin.

use super::cuts::{Binned, Group, TILE};
use rayon::prelude::*;
use std::hint::black_box;

/// Cells (rows × columns) below which one thread sums them.
const CELLS_MIN: usize = 32_768;

/// Blocks that rows are summed in at most, and the rows of one at least: so many whatever the threads.
const BLOCKS_MAX: usize = 8;
const BLOCK_ROWS_MIN: usize = 16_384;

/// Rows whose bins stay in the cache while one tile after the other is summed.
const CACHED_ROWS: usize = 128;

/// The first and the second derivative of the loss of a row by its score, times the row's weight.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slope {
    pub(super) first: f32,
    pub(super) second: f32,
}

/// A row of the table with its derivatives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row {
    pub(super) row: u32,
    pub(super) slope: Slope,
}

/// Sums of derivatives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) first: f64,
    pub(super) second: f64,
}

impl Sum {
    pub(super) fn add(&mut self, slope: Slope) {
        self.first += f64::from(slope.first);
        self.second += f64::from(slope.second);
    }

    pub(super) fn plus(self, other: Sum) -> Sum {
        Sum { first: self.first + other.first, second: self.second + other.second }
    }

    pub(super) fn minus(self, other: Sum) -> Sum {
        Sum { first: self.first - other.first, second: self.second - other.second }
    }

    /// What the best value takes from the loss, twice.
    pub(super) fn gain(self, l2: f64) -> f64 {
        let below = self.second + l2;
        if below > 0.0 { self.first * self.first / below } else { 0.0 }
    }

    /// The best value of a leaf.
    pub(super) fn value(self, l2: f64) -> f64 {
        let below = self.second + l2;
        if below > 0.0 { -self.first / below } else { 0.0 }
    }
}

/// The sums of a tile of columns.
type Tile = [[Sum; 256]; TILE];

/// Sums by bin of all columns, one column after the other; those of columns that are not among `columns` may be missing.
pub(super) fn histogram(binned: &Binned, rows: &[Row], columns: &[usize]) -> Vec<Sum> {
    let is_wanted = |group: &&Group| columns.iter().any(|column| group.columns.contains(column));
    let block_rows = rows.len().div_ceil(BLOCKS_MAX).max(BLOCK_ROWS_MIN);
    let groups = binned.groups.iter().filter(is_wanted);
    let work: Vec<(&Group, &[Row])> =
        groups.flat_map(|group| rows.chunks(block_rows).map(move |rows| (group, rows))).collect();
    let parts: Vec<Vec<Tile>> = if rows.len() * columns.len() < CELLS_MIN {
        work.iter().map(|(group, rows)| summed(group, rows)).collect()
    } else {
        work.par_iter().map(|(group, rows)| summed(group, rows)).collect()
    };
    let mut found = vec![Sum::default(); binned.bins()];
    // One block after the other, so that sums do not depend on the threads.
    for ((group, _), part) in work.into_iter().zip(parts) {
        for (column, sums) in group.columns.clone().zip(part.iter().flatten()) {
            let slots = found.get_mut(binned.bins_of(column)).unwrap_or_default();
            slots.iter_mut().zip(sums).for_each(|(slot, sum)| *slot = slot.plus(*sum));
        }
    }
    found
}

fn summed(group: &Group, rows: &[Row]) -> Vec<Tile> {
    let mut tiles = vec![[[Sum::default(); 256]; TILE]; group.tiles];
    for rows in rows.chunks(CACHED_ROWS) {
        // A loop that only reads has many reads under way at once, and what follows finds them in the cache.
        let first = |row: &Row| group.codes.get(row.row as usize * group.tiles).map_or(0, |codes| codes[0]);
        black_box(rows.iter().map(first).fold(0, |all, code| all ^ code));
        for (place, tile) in tiles.iter_mut().enumerate() {
            for row in rows {
                let Some(codes) = group.codes.get(row.row as usize * group.tiles + place) else { continue };
                for (code, sums) in codes.iter().zip(tile.iter_mut()) {
                    if let Some(sum) = sums.get_mut(usize::from(*code)) {
                        sum.add(row.slope);
                    }
                }
            }
        }
    }
    tiles
}
