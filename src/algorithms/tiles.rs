//! A matrix regrouped so that the same column of several rows lies side by side.
//!
//! Working on [`LANES`] rows at once lets the compiler use whatever vector width there is without
//! changing the order in which any one row's terms are added.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

/// Rows in a tile.
pub(super) const LANES: usize = 16;

/// Tiles in a block, the unit of work of a thread and of partial sums: 2,048 rows.
const BLOCK_TILES: usize = 128;

/// Rows in a block.
pub(super) const BLOCK_ROWS: usize = LANES * BLOCK_TILES;

/// A matrix of `rows` × `columns`; the last tile is padded with zeros.
pub(super) struct Tiles {
    data: Vec<f64>,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Tiles {
    /// Copies `x`, in any memory layout.
    pub(super) fn new(x: ArrayView2<'_, f64>) -> Self {
        let (rows, columns) = x.dim();
        let mut data = vec![0.0; rows.div_ceil(LANES) * LANES * columns];
        let blocks = data.par_chunks_mut((BLOCK_ROWS * columns).max(1));
        let sources: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        blocks.zip(sources).for_each(|(block, source)| {
            let tiles = block.chunks_mut(LANES * columns);
            for (tile, rows) in tiles.zip(source.axis_chunks_iter(Axis(0), LANES)) {
                for (lane, row) in rows.rows().into_iter().enumerate() {
                    let slots = tile.iter_mut().skip(lane).step_by(LANES);
                    slots.zip(row).for_each(|(slot, &value)| *slot = value);
                }
            }
        });
        Self { data, rows, columns }
    }

    /// The blocks of tiles, in the order of the rows.
    pub(super) fn blocks(&self) -> rayon::slice::Chunks<'_, f64> {
        self.data.par_chunks((BLOCK_ROWS * self.columns).max(1))
    }

    /// One row, copied together.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        let start = (row / LANES) * LANES * self.columns + row % LANES;
        self.data.iter().skip(start).step_by(LANES).take(self.columns).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ShapeBuilder};

    #[test]
    fn rows_come_back_in_both_memory_orders() {
        let value = |(i, j): (usize, usize)| (i * 10 + j) as f64;
        let small = Array2::from_shape_fn((37, 3).f(), value);
        for x in [small.as_standard_layout().to_owned(), small, Array2::from_shape_fn((5000, 2), value)] {
            let tiles = Tiles::new(x.view());
            for (i, row) in x.rows().into_iter().enumerate() {
                assert_eq!(tiles.row(i).collect::<Vec<_>>(), row.to_vec());
            }
            assert_eq!(tiles.data.len() % (LANES * x.ncols()), 0);
        }
    }
}
