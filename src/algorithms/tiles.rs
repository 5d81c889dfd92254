//! A matrix regrouped so that the same column of several rows lies side by side.
//!
//! Working on [`LANES`] rows at once lets the compiler use whatever vector width there is without
//! changing the order in which any one row's terms are added.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows in a tile.
pub(super) const LANES: usize = 16;

/// Tiles in a block, the unit of work of a thread and of partial sums: 2,048 rows.
const BLOCK_TILES: usize = 128;

/// Rows in a block.
pub(super) const BLOCK_ROWS: usize = LANES * BLOCK_TILES;

/// A matrix of `rows` × `columns`.
pub(super) struct Tiles<'a> {
    full: Full<'a>,
    /// The last block, if it is not whole; its last tile is padded with zeros.
    last: Vec<f64>,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// The whole blocks.
enum Full<'a> {
    Owned(Vec<f64>),
    /// Regrouped where they lie, and put back in order in the end.
    Lent(&'a mut [f64]),
}

impl<'a> Tiles<'a> {
    /// Copies `x`, in any memory layout.
    pub(super) fn new(x: ArrayView2<'_, f64>) -> Tiles<'static> {
        let (rows, columns) = x.dim();
        let (whole, rest) = x.split_at(Axis(0), rows / BLOCK_ROWS * BLOCK_ROWS);
        let mut full = vec![0.0; whole.len()];
        let blocks = full.par_chunks_mut((BLOCK_ROWS * columns).max(1));
        let sources: Vec<_> = whole.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        let origin = vec![0.0; columns];
        blocks.zip(sources).for_each(|(block, source)| regroup(source, &origin, block));
        Tiles { full: Full::Owned(full), last: tiled(rest), rows, columns }
    }

    /// Regroups `x` where it lies, which takes no more memory than a block of it; dropped, it puts it back. A matrix
    /// that does not lie row after row is copied.
    pub(super) fn in_place(x: &'a mut Array2<f64>) -> Tiles<'a> {
        let (rows, columns) = x.dim();
        if !x.is_standard_layout() {
            return Tiles::new(x.view());
        }
        let last = tiled(x.slice(ndarray::s![rows / BLOCK_ROWS * BLOCK_ROWS.., ..]));
        let values = x.as_slice_mut().unwrap_or_default();
        let (full, _) = values.split_at_mut(rows / BLOCK_ROWS * BLOCK_ROWS * columns);
        transpose(full, LANES, columns);
        Tiles { full: Full::Lent(full), last, rows, columns }
    }

    /// The blocks of tiles, in the order of the rows.
    pub(super) fn blocks(&self) -> impl IndexedParallelIterator<Item = &[f64]> {
        let full = self.full().par_chunks((BLOCK_ROWS * self.columns).max(1));
        full.chain((!self.last.is_empty()).then_some(self.last.as_slice()))
    }

    /// One row, copied together.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        let whole = self.rows / BLOCK_ROWS * BLOCK_ROWS;
        let (values, row) = if row < whole { (self.full(), row) } else { (self.last.as_slice(), row - whole) };
        let start = (row / LANES) * LANES * self.columns + row % LANES;
        values.iter().skip(start).step_by(LANES).take(self.columns).copied()
    }

    fn full(&self) -> &[f64] {
        match &self.full {
            Full::Owned(values) => values,
            Full::Lent(values) => values,
        }
    }
}

impl Drop for Tiles<'_> {
    fn drop(&mut self) {
        if let Full::Lent(values) = &mut self.full {
            transpose(values, self.columns, LANES);
        }
    }
}

/// Some rows as tiles, the last one padded with zeros.
pub(super) fn tiled(x: ArrayView2<'_, f64>) -> Vec<f64> {
    let mut tiles = vec![0.0; x.nrows().div_ceil(LANES) * LANES * x.ncols()];
    regroup(x, &vec![0.0; x.ncols()], &mut tiles);
    tiles
}

vectorized! {
    /// Copies rows less the `means` into tiles; slots for which there is no row become zeros.
    pub(super) fn regroup(x: ArrayView2<'_, f64>, means: &[f64], tiles: &mut [f64]) {
        let columns = means.len();
        let (whole, rest) = tiles.split_at_mut(x.nrows() / LANES * LANES * columns);
        rest.fill(0.0);
        let tiles = whole.chunks_exact_mut((LANES * columns).max(1)).chain([rest]);
        for (tile, rows) in tiles.zip(x.axis_chunks_iter(Axis(0), LANES)) {
            match rows.as_slice().filter(|values| values.len() == LANES * columns) {
                Some(values) => turn(values, means, tile),
                None => {
                    for (lane, row) in rows.rows().into_iter().enumerate() {
                        let slots = tile.iter_mut().skip(lane).step_by(LANES);
                        slots.zip(row).zip(means).for_each(|((slot, value), mean)| *slot = value - mean);
                    }
                }
            }
        }
    }
}

/// A whole tile out of rows that lie one after another: squares of them are turned in registers.
#[inline(always)]
fn turn(values: &[f64], means: &[f64], tile: &mut [f64]) {
    const SIDE: usize = 4;
    let columns = means.len();
    let whole = columns / SIDE * SIDE;
    for start in (0..whole).step_by(SIDE) {
        for lane in (0..LANES).step_by(SIDE) {
            let mut turned = [[0.0; SIDE]; SIDE];
            for row in 0..SIDE {
                let from = (lane + row) * columns + start;
                for (column, slots) in turned.iter_mut().enumerate() {
                    slots[row] = values[from + column] - means[start + column];
                }
            }
            for (column, values) in turned.iter().enumerate() {
                let to = (start + column) * LANES + lane;
                tile[to..to + SIDE].copy_from_slice(values);
            }
        }
    }
    for column in whole..columns {
        for lane in 0..LANES {
            tile[column * LANES + lane] = values[lane * columns + column] - means[column];
        }
    }
}

/// Turns each matrix of `rows` × `columns` in a sequence of them round.
fn transpose(values: &mut [f64], rows: usize, columns: usize) {
    if rows * columns == 0 {
        return;
    }
    values.par_chunks_mut(BLOCK_TILES * rows * columns).for_each(|block| {
        let mut turned = vec![0.0; rows * columns];
        for tile in block.chunks_exact_mut(rows * columns) {
            for (row, values) in tile.chunks_exact(columns).enumerate() {
                let slots = turned.iter_mut().skip(row).step_by(rows);
                slots.zip(values).for_each(|(slot, &value)| *slot = value);
            }
            tile.copy_from_slice(&turned);
        }
    });
}

/// Squared distances of the rows of one tile to one point, from differences: nothing cancels where rows lie far from the
/// origin.
#[inline(always)]
pub(super) fn squared_distances(tile: &[f64], point: &[f64]) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for (values, &coordinate) in tile.as_chunks::<LANES>().0.iter().zip(point) {
        for lane in 0..LANES {
            let difference = values[lane] - coordinate;
            sums[lane] += difference * difference;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ShapeBuilder};

    #[test]
    fn rows_come_back_in_both_memory_orders() {
        let value = |(i, j): (usize, usize)| (i * 10 + j) as f64;
        let small = Array2::from_shape_fn((37, 3).f(), value);
        let large = Array2::from_shape_fn((5000, 2), value);
        let whole = Array2::from_shape_fn((BLOCK_ROWS * 2, 7), value);
        for mut x in [small.as_standard_layout().to_owned(), small, large, whole] {
            let before = x.clone();
            let check = |tiles: &Tiles<'_>| {
                for (i, row) in before.rows().into_iter().enumerate() {
                    assert_eq!(tiles.row(i).collect::<Vec<_>>(), row.to_vec());
                }
                let blocks: Vec<&[f64]> = tiles.blocks().collect();
                assert_eq!(blocks.len(), before.nrows().div_ceil(BLOCK_ROWS));
                assert!(blocks.iter().all(|block| block.len() % (LANES * before.ncols()) == 0));
            };
            check(&Tiles::new(x.view()));
            check(&Tiles::in_place(&mut x));
            assert_eq!(x, before, "it is put back");
        }
    }
}
