//! Columns cut into bins.

use ndarray::{ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

/// Bins of a column, at most.
pub(super) const BINS: usize = 255;

/// Rows that cuts are made from, at most, evenly spaced, as in scikit-learn.
pub(super) const SAMPLE_ROWS: usize = 200_000;

/// Rows that a thread takes at once.
const BLOCK_ROWS: usize = 2048;

/// For each column ascending numbers; a value's bin is the number of cuts below it.
pub(super) struct Cuts(Vec<Vec<f64>>);

impl Cuts {
    /// From some of the rows of `x`.
    pub(super) fn new(x: ArrayView2<'_, f64>, kept: &[usize]) -> Self {
        let sample = kept.len().min(SAMPLE_ROWS);
        let spaced = |place: usize| kept.get((place as u64 * kept.len() as u64 / sample as u64) as usize).copied();
        let rows: Vec<usize> = (0..sample).filter_map(spaced).collect();
        let columns: Vec<ArrayView1<'_, f64>> = x.columns().into_iter().collect();
        let cut = |column: ArrayView1<'_, f64>| of(rows.iter().filter_map(|row| column.get(*row).copied()).collect());
        Self(columns.into_par_iter().map(cut).collect())
    }

    /// The bin of every value, row after row.
    pub(super) fn codes(&self, x: ArrayView2<'_, f64>, kept: &[usize]) -> Vec<f32> {
        let columns = self.0.len();
        let mut codes = vec![0.0; kept.len() * columns];
        let blocks = codes.par_chunks_mut((BLOCK_ROWS * columns).max(1)).zip(kept.par_chunks(BLOCK_ROWS));
        blocks.for_each(|(codes, rows)| {
            for (codes, row) in codes.chunks_exact_mut(columns).zip(rows) {
                for ((code, value), cuts) in codes.iter_mut().zip(x.index_axis(Axis(0), *row)).zip(&self.0) {
                    *code = cuts.partition_point(|cut| cut < value) as f32;
                }
            }
        });
        codes
    }

    /// The number that values of bins below `code` are at most, and others are above.
    pub(super) fn threshold(&self, column: usize, code: f32) -> f64 {
        let cuts = self.0.get(column).map(Vec::as_slice).unwrap_or_default();
        // Bins are whole numbers, so those below `code` are those up to the whole number before it.
        let last = f64::from(code).ceil() - 1.0;
        if last < 0.0 { f64::MIN } else { cuts.get(last as usize).copied().unwrap_or(f64::MAX) }
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
        let cuts = Cuts::new(x.view(), &[0, 1, 2, 3]);
        assert_eq!(cuts.0, [vec![1.5, 2.5], vec![], vec![f64::MIN / 2.0, f64::MAX / 2.0]]);
        assert_eq!(cuts.codes(x.view(), &[1, 2]), [0.0, 0.0, 0.0, 2.0, 0.0, 1.0]);
        assert_eq!([1.0, 1.5, 2.0].map(|code| cuts.threshold(0, code)), [1.5, 2.5, 2.5]);
        assert_eq!([0.0, 9.0].map(|code| cuts.threshold(0, code)), [f64::MIN, f64::MAX]);
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
        let cuts = Cuts::new(x.view(), &kept);
        let mut counts = [0; BINS];
        cuts.codes(x.view(), &kept).iter().for_each(|code| counts[*code as usize] += 1);
        assert!(counts.iter().all(|count| *count == 200), "{counts:?}");
    }

    proptest! {
        #[test]
        fn bins_and_thresholds_say_the_same(values in prop::collection::vec(-1e9_f64..1e9, 1..800), step in 1.0_f64..1e8) {
            let values: Vec<f64> = values.iter().map(|value| (value / step).round() * step).collect();
            let x = ArrayView2::from_shape((values.len(), 1), &values).unwrap();
            let kept: Vec<usize> = (0..values.len()).collect();
            let cuts = Cuts::new(x, &kept);
            prop_assert!(cuts.0[0].len() < BINS && cuts.0[0].is_sorted_by(|a, b| a < b));
            for (value, code) in values.iter().zip(cuts.codes(x, &kept)) {
                for bin in 1..=cuts.0[0].len() {
                    prop_assert_eq!(code < bin as f32, *value <= cuts.threshold(0, bin as f32));
                }
            }
        }
    }
}
