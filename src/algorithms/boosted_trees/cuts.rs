//! Columns cut into bins.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;
use std::ops::Range;

/// Bins of a column, at most.
pub(super) const BINS: usize = 255;

/// Rows that a thread takes at once.
const BLOCK_ROWS: usize = 2048;

/// Rows that cuts are made from, at most, evenly spaced, as in scikit-learn.
pub(super) const SAMPLE_ROWS: usize = 200_000;

/// Columns whose bins lie side by side: their histograms fit into the first cache.
pub(super) const TILE: usize = 8;

/// Tiles whose bins lie side by side.
const GROUP_TILES: usize = 4;

/// Columns and their bins.
pub(super) struct Group {
    pub(super) columns: Range<usize>,
    pub(super) tiles: usize,
    /// Row after row its tiles; 0 where there is no column.
    pub(super) codes: Vec<[u8; TILE]>,
    /// The same, column after column: to sum, all bins of a row are wanted, and to part, one of each row.
    by_column: Vec<u8>,
}

impl Group {
    fn new(columns: Range<usize>, x: &[ArrayView1<'_, f64>], cuts: &[Vec<f64>], kept: &[usize]) -> Self {
        let tiles = columns.len().div_ceil(TILE);
        let mut codes = vec![[0; TILE]; kept.len() * tiles];
        let blocks = codes.par_chunks_mut(BLOCK_ROWS * tiles.max(1)).zip(kept.par_chunks(BLOCK_ROWS));
        blocks.for_each(|(codes, rows)| {
            for (codes, row) in codes.chunks_exact_mut(tiles.max(1)).zip(rows) {
                for ((slot, cuts), column) in codes.as_flattened_mut().iter_mut().zip(cuts).zip(x) {
                    // There are fewer than 255 cuts.
                    *slot = column.get(*row).map_or(0, |value| cuts.partition_point(|cut| cut < value) as u8);
                }
            }
        });
        let mut by_column = vec![0; kept.len() * columns.len()];
        by_column.par_chunks_mut(kept.len().max(1)).enumerate().for_each(|(place, own)| {
            let from = codes.iter().skip(place / TILE).step_by(tiles.max(1));
            own.iter_mut().zip(from).for_each(|(slot, tile)| *slot = tile.get(place % TILE).copied().unwrap_or(0));
        });
        Self { columns, tiles, codes, by_column }
    }

    /// The bin of each row.
    pub(super) fn column(&self, column: usize) -> &[u8] {
        let rows = self.codes.len() / self.tiles.max(1);
        let place = column.saturating_sub(self.columns.start);
        self.by_column.get(place * rows..(place + 1) * rows).unwrap_or_default()
    }
}

/// A table by bins: of each column ascending cuts; a value's bin is the number of cuts below it.
pub(super) struct Binned {
    pub(super) rows: usize,
    cuts: Vec<Vec<f64>>,
    pub(super) groups: Vec<Group>,
    /// Where the bins of each column start among those of all, and where the last ones end.
    starts: Vec<usize>,
}

impl Binned {
    /// Of the kept rows of `x`, by cuts from some of them.
    pub(super) fn new(x: ArrayView2<'_, f64>, kept: &[usize]) -> Self {
        let sample = kept.len().min(SAMPLE_ROWS);
        let spaced = |place: usize| kept.get((place as u64 * kept.len() as u64 / sample as u64) as usize).copied();
        let rows: Vec<usize> = (0..sample).filter_map(spaced).collect();
        let columns: Vec<ArrayView1<'_, f64>> = x.columns().into_iter().collect();
        let cut = |column: &ArrayView1<'_, f64>| of(rows.iter().filter_map(|row| column.get(*row).copied()).collect());
        let cuts: Vec<Vec<f64>> = columns.par_iter().map(cut).collect();
        let width = TILE * GROUP_TILES;
        let groups = cuts.chunks(width).zip(columns.chunks(width)).enumerate();
        let groups = groups.map(|(place, (cuts, columns))| {
            Group::new(place * width..place * width + columns.len(), columns, cuts, kept)
        });
        let groups = groups.collect();
        let bins = cuts.iter().scan(0, |end, cuts| {
            *end += cuts.len() + 1;
            Some(*end)
        });
        let starts = std::iter::once(0).chain(bins).collect();
        Self { rows: kept.len(), cuts, groups, starts }
    }

    /// The bins of all columns.
    pub(super) fn bins(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The bins of a column among those of all.
    pub(super) fn bins_of(&self, column: usize) -> Range<usize> {
        let start = |column: usize| self.starts.get(column).copied().unwrap_or(0);
        start(column)..start(column + 1)
    }

    /// The group that a column is of.
    pub(super) fn group_of(&self, column: usize) -> Option<&Group> {
        self.groups.get(column / (TILE * GROUP_TILES))
    }

    /// The number that values of bins up to `code` are at most, and others are above.
    pub(super) fn threshold(&self, column: usize, code: u8) -> f64 {
        self.cuts.get(column).and_then(|cuts| cuts.get(usize::from(code))).copied().unwrap_or(f64::MAX)
    }
}

/// Between all values where they are few, otherwise at evenly spaced ranks.
fn of(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let mut distinct = values.clone();
    distinct.dedup();
    if distinct.len() <= BINS {
        return distinct.windows(2).filter_map(|pair| Some(between(*pair.first()?, *pair.last()?))).collect();
    }
    let rank = |bin: usize| bin * values.len() / BINS;
    let value = |place: usize| values.get(place).copied();
    let mut cuts: Vec<f64> = (1..BINS)
        .filter_map(|bin| {
            let (low, high) = (value(rank(bin).checked_sub(1)?)?, value(rank(bin))?);
            Some(if low < high { between(low, high) } else { low })
        })
        .collect();
    cuts.dedup();
    // Nothing is above the largest value.
    cuts.retain(|cut| Some(cut) < values.last());
    cuts
}

/// Halfway, or the lower one where nothing is between.
fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let x = array![[3.0, 0.0, f64::MAX], [1.0, -0.0, f64::MIN], [3.0, 0.0, 1.0], [2.0, 0.0, f64::MIN]];
        let binned = Binned::new(x.view(), &[0, 1, 2, 3]);
        assert_eq!(binned.cuts, [vec![1.5, 2.5], vec![], vec![f64::MIN / 2.0, f64::MAX / 2.0]]);
        let codes = |binned: &Binned, column: usize| {
            let group = binned.group_of(column).unwrap();
            let place = column - group.columns.start;
            let tiles = group.codes.chunks(group.tiles);
            assert_eq!(tiles.map(|row| row[place / TILE][place % TILE]).collect::<Vec<_>>(), group.column(column));
            group.column(column).to_vec()
        };
        assert_eq!([0, 1, 2].map(|column| codes(&binned, column)), [[2, 0, 2, 1], [0; 4], [2, 0, 1, 0]]);
        assert_eq!([0, 1].map(|code| binned.threshold(0, code)), [1.5, 2.5]);
        assert_eq!([0, 1, 2].map(|column| binned.bins_of(column)), [0..3, 3..4, 4..7]);
        assert_eq!(binned.bins(), 7);
        assert_eq!(codes(&Binned::new(x.view(), &[1, 2]), 0), [0, 1]);
        let wide = Array2::from_shape_fn((2, 43), |(row, column)| (row * (column % 7)) as f64);
        let binned = Binned::new(wide.view(), &[0, 1]);
        let groups = binned.groups.iter().map(|group| (group.columns.clone(), group.tiles, group.codes.len()));
        assert_eq!(groups.collect::<Vec<_>>(), [(0..32, 4, 8), (32..43, 2, 4)]);
        let found: Vec<_> = (0..43).map(|column| codes(&binned, column)[1]).collect();
        assert_eq!(found, (0..43).map(|column| u8::from(column % 7 > 0)).collect::<Vec<_>>());
    }

    #[test]
    fn neighbors_among_numbers_are_told_apart() {
        let (low, high) = (1.0, 1.0_f64.next_up());
        assert_eq!(of(vec![high, low, high]), [low]);
        assert_eq!(of(vec![0.0, 5e-324]), [0.0]);
    }

    #[test]
    fn bins_of_many_values_hold_as_many_rows() {
        let x = Array2::from_shape_fn((51_000, 1), |(row, _)| (row * 7919 % 51_000) as f64);
        let kept: Vec<usize> = (0..51_000).collect();
        let mut counts = [0; BINS];
        Binned::new(x.view(), &kept).groups[0].codes.iter().for_each(|codes| counts[usize::from(codes[0])] += 1);
        assert!(counts.iter().all(|count| *count == 200), "{counts:?}");
    }

    proptest! {
        #[test]
        fn bins_and_thresholds_say_the_same(values in prop::collection::vec(-1e9_f64..1e9, 1..800), step in 1.0_f64..1e8) {
            let values: Vec<f64> = values.iter().map(|value| (value / step).round() * step).collect();
            let x = ArrayView2::from_shape((values.len(), 1), &values).unwrap();
            let kept: Vec<usize> = (0..values.len()).collect();
            let binned = Binned::new(x, &kept);
            let cuts = &binned.cuts[0];
            prop_assert!(cuts.len() < BINS && cuts.is_sorted_by(|a, b| a < b));
            for (value, [code, ..]) in values.iter().zip(&binned.groups[0].codes) {
                for bin in 0..cuts.len() as u8 {
                    prop_assert_eq!(*code <= bin, *value <= binned.threshold(0, bin));
                }
            }
        }
    }
}
