//! One triangle of a symmetric or triangular matrix in square tiles.

use ndarray::{ArrayView2, ArrayViewMut2, aview2};

/// Rows and columns of a tile.
pub(super) const SIZE: usize = 192;

/// Numbers in a tile.
pub(super) const AREA: usize = SIZE * SIZE;

/// A matrix of `count` × `count` tiles of which those on and below the diagonal are kept, row after row. Behind the
/// last row and column it is padded to whole tiles.
pub(super) struct Tiles {
    pub(super) count: usize,
    pub(super) values: Vec<f64>,
}

/// Where tile (i, j), j ≤ i, lies among those of the rows.
pub(super) fn place(i: usize, j: usize) -> usize {
    i * (i + 1) / 2 + j
}

/// The tiles (i, j) with j ≤ i of the rows from `first` to `count`, in the order in which they lie.
pub(super) fn places(first: usize, count: usize) -> Vec<(usize, usize)> {
    (first..count).flat_map(|i| (0..=i).map(move |j| (i, j))).collect()
}

/// The first [`AREA`] numbers as a tile.
pub(super) fn tile(values: &[f64]) -> ArrayView2<'_, f64> {
    aview2(values[..AREA].as_chunks::<SIZE>().0)
}

/// As [`tile`], to be written.
pub(super) fn tile_mut(values: &mut [f64]) -> ArrayViewMut2<'_, f64> {
    ArrayViewMut2::from(values[..AREA].as_chunks_mut::<SIZE>().0)
}

impl Tiles {
    pub(super) fn zeros(count: usize) -> Self {
        Self { count, values: vec![0.0; place(count, 0) * AREA] }
    }

    pub(super) fn at(&self, i: usize, j: usize) -> ArrayView2<'_, f64> {
        tile(&self.values[place(i, j) * AREA..][..AREA])
    }

    /// The rows of tiles, each apart.
    pub(super) fn rows_mut(&mut self) -> Vec<&mut [f64]> {
        split(&mut self.values, 1..=self.count)
    }

    /// One entry, on or below the diagonal.
    pub(super) fn get(&self, row: usize, column: usize) -> f64 {
        self.at(row / SIZE, column / SIZE)[[row % SIZE, column % SIZE]]
    }

    /// Writes −P[row, j] / P[j, j] for each column j of a symmetric matrix P, and zero for `row` itself.
    pub(super) fn copy_row(&self, row: usize, diagonal: &[f64], values: &mut [f32]) {
        let (own, within) = (row / SIZE, row % SIZE);
        for (block, (values, diagonal)) in values.chunks_mut(SIZE).zip(diagonal.chunks(SIZE)).enumerate() {
            // Entries right of the diagonal are those below it, mirrored.
            let tile = if block <= own { self.at(own, block) } else { self.at(block, own) };
            let entries = if block <= own { tile.row(within) } else { tile.column(within) };
            for (slot, (entry, diagonal)) in values.iter_mut().zip(entries.iter().zip(diagonal)) {
                *slot = (-entry / diagonal) as f32;
            }
        }
        values[row] = 0.0;
    }
}

/// A lower triangle of tiles, column after column.
pub(super) struct Columns {
    count: usize,
    values: Vec<f64>,
}

impl Columns {
    pub(super) fn zeros(count: usize) -> Self {
        Self { count, values: vec![0.0; place(count, 0) * AREA] }
    }

    pub(super) fn at(&self, i: usize, j: usize) -> ArrayView2<'_, f64> {
        let place = place(self.count, 0) - place(self.count - j, 0) + i - j;
        tile(&self.values[place * AREA..][..AREA])
    }

    /// The columns of tiles, each apart.
    pub(super) fn columns_mut(&mut self) -> Vec<&mut [f64]> {
        split(&mut self.values, (1..=self.count).rev())
    }
}

/// Cuts off so many tiles in turn.
fn split(mut values: &mut [f64], counts: impl Iterator<Item = usize>) -> Vec<&mut [f64]> {
    let mut parts = Vec::new();
    for count in counts {
        let (part, rest) = values.split_at_mut(count * AREA);
        parts.push(part);
        values = rest;
    }
    parts
}
