//! Rows of the kernel matrix, kept in single precision within a bound of bytes; the one used longest ago goes first.

use super::super::SvmError;
use super::super::kernel::{Kernel, rounded};
use crate::algorithms::tiles::{BLOCK_ROWS, LANES};
use rayon::prelude::*;

/// Multiplications from which on threads share a row.
const SHARED_MIN: usize = 1 << 18;

/// Stands for no row and no slot.
const NONE: usize = usize::MAX;

/// The rows at hand.
pub(super) struct Cache<'a> {
    tiles: &'a [f64],
    points: &'a [f64],
    columns: usize,
    kernel: Kernel,
    /// One vector a slot; a new one comes only when a row is to be kept.
    slots: Vec<Vec<f32>>,
    slots_max: usize,
    /// Of each row its slot, of each slot its row.
    slot_of: Vec<usize>,
    row_of: Vec<usize>,
    /// The slots in a ring by age: `newer[s]` was used after `s`.
    newer: Vec<usize>,
    older: Vec<usize>,
    newest: usize,
    oldest: usize,
    /// Rows computed so far.
    pub(super) computed: usize,
}

/// How many rows of `width` fit, of `rows` in all: at least the two that a step needs.
pub(super) fn slots(rows: usize, width: usize, bytes: usize) -> usize {
    (bytes / (width * size_of::<f32>()).max(1)).clamp(2, rows.max(2))
}

impl<'a> Cache<'a> {
    /// `tiles` and `points` hold the same rows, in tiles (padded) and row after row.
    pub(super) fn new(tiles: &'a [f64], points: &'a [f64], columns: usize, kernel: Kernel, bytes: usize) -> Self {
        let (rows, width) = (points.len() / columns.max(1), tiles.len() / columns.max(1));
        let slots_max = slots(rows, width, bytes);
        Self {
            tiles,
            points,
            columns,
            kernel,
            slots: Vec::new(),
            slots_max,
            slot_of: vec![NONE; rows],
            row_of: Vec::new(),
            newer: Vec::new(),
            older: Vec::new(),
            newest: NONE,
            oldest: NONE,
            computed: 0,
        }
    }

    /// Two rows, the second of which may be the first. Errors on values that are not finite.
    pub(super) fn pair(&mut self, first: usize, second: usize) -> Result<(&[f32], &[f32]), SvmError> {
        let one = self.fetch(first)?;
        // There are two slots at least and the first row is now the newest, so that it stays.
        let other = self.fetch(second)?;
        Ok((&self.slots[one], &self.slots[other]))
    }

    /// One row.
    pub(super) fn row(&mut self, row: usize) -> Result<&[f32], SvmError> {
        let slot = self.fetch(row)?;
        Ok(&self.slots[slot])
    }

    fn fetch(&mut self, row: usize) -> Result<usize, SvmError> {
        let slot = self.slot_of[row];
        if slot != NONE {
            if slot != self.newest {
                self.unlink(slot);
                self.link(slot);
            }
            return Ok(slot);
        }
        let slot = if self.slots.len() < self.slots_max {
            self.slots.push(vec![0.0; self.tiles.len() / self.columns]);
            self.row_of.push(row);
            self.newer.push(NONE);
            self.older.push(NONE);
            self.slots.len() - 1
        } else {
            let slot = self.oldest;
            self.unlink(slot);
            self.slot_of[self.row_of[slot]] = NONE;
            slot
        };
        self.link(slot);
        (self.row_of[slot], self.slot_of[row]) = (row, slot);
        self.computed += 1;
        let point = &self.points[row * self.columns..(row + 1) * self.columns];
        if compute(self.tiles, point, self.kernel, &mut self.slots[slot]) { Ok(slot) } else { Err(SvmError::Overflow) }
    }

    fn unlink(&mut self, slot: usize) {
        let (older, newer) = (self.older[slot], self.newer[slot]);
        if older == NONE {
            self.oldest = newer
        } else {
            self.newer[older] = newer
        }
        if newer == NONE { self.newest = older } else { self.older[newer] = older }
    }

    fn link(&mut self, slot: usize) {
        (self.older[slot], self.newer[slot]) = (self.newest, NONE);
        if self.newest == NONE {
            self.oldest = slot
        } else {
            self.newer[self.newest] = slot
        }
        self.newest = slot;
    }
}

/// Every entry stands alone, so that how they are shared out does not matter.
fn compute(tiles: &[f64], point: &[f64], kernel: Kernel, out: &mut [f32]) -> bool {
    debug_assert_eq!(out.len() % LANES, 0);
    if tiles.len() < SHARED_MIN {
        return rounded(tiles, point, kernel, out);
    }
    let blocks = tiles.par_chunks(BLOCK_ROWS * point.len()).zip(out.par_chunks_mut(BLOCK_ROWS));
    blocks.map(|(tiles, out)| rounded(tiles, point, kernel, out)).reduce(|| true, |a, b| a & b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::tiles::tiled;
    use ndarray::Array2;

    #[test]
    fn rows_are_right_whatever_was_thrown_out() {
        let x = Array2::from_shape_fn((37, 3), |(i, j)| ((i * (j + 3)) % 11) as f64);
        let tiles = tiled(x.view());
        let points = x.as_slice().unwrap();
        let mut small = Cache::new(&tiles, points, 3, Kernel::Linear, 4 * 48 * 5);
        let (mut last, mut uses) = (vec![0; 37], 0);
        for step in 0_usize..400 {
            let (a, b) = (step * step % 37, step * 7 % 37);
            let (first, second) = small.pair(a, b).unwrap();
            for other in 0..37 {
                assert_eq!(first[other], x.row(a).dot(&x.row(other)) as f32);
                assert_eq!(second[other], x.row(b).dot(&x.row(other)) as f32);
            }
            for row in [a, b] {
                uses += 1;
                last[row] = uses;
            }
            // What is kept are the rows used last.
            let mut used: Vec<usize> = (0..37).filter(|row| last[*row] > 0).collect();
            used.sort_by_key(|row| std::cmp::Reverse(last[*row]));
            for (place, row) in used.iter().enumerate() {
                assert_eq!(small.slot_of[*row] != NONE, place < 5);
            }
        }
        assert_eq!(small.slots.len(), 5);
    }

    #[test]
    fn there_are_two_rows_at_least_and_no_more_than_there_are() {
        assert_eq!((slots(10, 16, 0), slots(10, 16, 200), slots(10, 16, 1 << 30)), (2, 3, 10));
        assert_eq!(slots(1, 16, 1 << 30), 2);
    }
}
