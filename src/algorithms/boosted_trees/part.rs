//! Rows parted by a question, in their order.

use super::histogram::Row;
use rayon::prelude::*;

/// Rows that a thread parts at once.
const BLOCK_ROWS: usize = 32_768;

/// Rows that are asked before they are moved.
const ASKED_ROWS: usize = 256;

/// Puts the rows whose bin (of `codes`) is at most `code` before the others, both in their order; gives how many they are.
/// `spare` is as long as `rows`.
pub(super) fn part(rows: &mut [Row], spare: &mut [Row], codes: &[u8], code: u8) -> usize {
    let blocks = rows.par_chunks_mut(BLOCK_ROWS).zip(spare.par_chunks_mut(BLOCK_ROWS));
    let lefts: Vec<usize> = blocks.map(|(rows, spare)| part_block(rows, spare, codes, code)).collect();
    // Those that go left move up, and the others fill what is left.
    let mut end = 0;
    for (block, lefts) in lefts.iter().enumerate() {
        let start = block * BLOCK_ROWS;
        rows.copy_within(start..start + lefts, end);
        end += lefts;
    }
    let mut rest = rows.iter_mut().skip(end);
    for (spare, lefts) in spare.chunks(BLOCK_ROWS).zip(&lefts) {
        spare.iter().take(spare.len() - lefts).zip(&mut rest).for_each(|(row, slot)| *slot = *row);
    }
    end
}

/// Leaves those that go left at the beginning of `rows`, and the others at that of `spare`.
fn part_block(rows: &mut [Row], spare: &mut [Row], codes: &[u8], code: u8) -> usize {
    let (mut lefts, mut rights) = (0, 0);
    let mut goes_left = [false; ASKED_ROWS];
    for start in (0..rows.len()).step_by(ASKED_ROWS) {
        // A loop that only reads has many reads under way at once.
        for (row, goes_left) in rows.iter().skip(start).zip(goes_left.iter_mut()) {
            *goes_left = codes.get(row.row as usize).is_some_and(|own| *own <= code);
        }
        for (place, goes_left) in (start..rows.len()).zip(goes_left) {
            let Some(row) = rows.get(place).copied() else { continue };
            // Written to both without asking, which is faster; what goes left never overtakes what is still to be read.
            if let (Some(left), Some(right)) = (rows.get_mut(lefts), spare.get_mut(rights)) {
                (*left, *right) = (row, row);
            }
            lefts += usize::from(goes_left);
            rights += usize::from(!goes_left);
        }
    }
    lefts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_their_order() {
        let all = 3 * BLOCK_ROWS + 17;
        let codes: Vec<u8> = (0..all).map(|row| (row * 7919 % 251) as u8).collect();
        for rows in [0, 1, 100, BLOCK_ROWS, all] {
            for code in [0, 100, 255] {
                let mut own: Vec<Row> = (0..rows as u32).map(|row| Row { row, ..Row::default() }).collect();
                let mut spare = vec![Row::default(); rows];
                let middle = part(&mut own, &mut spare, &codes, code);
                let (left, right): (Vec<u32>, Vec<u32>) =
                    (0..rows as u32).partition(|row| codes[*row as usize] <= code);
                let found: Vec<u32> = own.iter().map(|row| row.row).collect();
                assert_eq!((middle, found), (left.len(), [left, right].concat()));
            }
        }
    }
}
