//! Columns cut into bins.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;
use std::ops::Range;

/// Bins of a column, at most.
pub(super) const BINS: usize = 255;

/// Rows that cuts are made from, at most, evenly spaced, as in scikit-learn.
pub(super) const SAMPLE_ROWS: usize = 200_000;

/// A table by bins: of each column ascending cuts; a value's bin is the number of cuts below it.
pub(super) struct Binned {
    pub(super) rows: usize,
    cuts: Vec<Vec<f64>>,
    /// Bins, one column after the other.
    codes: Vec<u8>,
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
        let mut codes = vec![0; kept.len() * cuts.len()];
        codes.par_chunks_mut(kept.len().max(1)).zip(&columns).zip(&cuts).for_each(|((codes, column), cuts)| {
            for (code, row) in codes.iter_mut().zip(kept) {
                // Fewer than 255 cuts, and rows are those of the table.
                *code = column.get(*row).map_or(0, |value| cuts.partition_point(|cut| cut < value) as u8);
            }
        });
        let bins = cuts.iter().scan(0, |end, cuts| {
            *end += cuts.len() + 1;
            Some(*end)
        });
        let starts = std::iter::once(0).chain(bins).collect();
        Self { rows: kept.len(), cuts, codes, starts }
    }

    pub(super) fn columns(&self) -> usize {
        self.cuts.len()
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

    /// The bin of each row.
    pub(super) fn codes_of(&self, column: usize) -> &[u8] {
        self.codes.get(column * self.rows..(column + 1) * self.rows).unwrap_or_default()
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
        assert_eq!([0, 1, 2].map(|column| binned.codes_of(column)), [[2, 0, 2, 1], [0; 4], [2, 0, 1, 0]]);
        assert_eq!([0, 1].map(|code| binned.threshold(0, code)), [1.5, 2.5]);
        assert_eq!([0, 1, 2].map(|column| binned.bins_of(column)), [0..3, 3..4, 4..7]);
        assert_eq!(binned.bins(), 7);
        assert_eq!(Binned::new(x.view(), &[1, 2]).codes_of(0), [0, 1]);
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
        Binned::new(x.view(), &kept).codes_of(0).iter().for_each(|code| counts[usize::from(*code)] += 1);
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
            for (value, code) in values.iter().zip(binned.codes_of(0)) {
                for bin in 0..cuts.len() as u8 {
                    prop_assert_eq!(*code <= bin, *value <= binned.threshold(0, bin));
                }
            }
        }
    }
}
