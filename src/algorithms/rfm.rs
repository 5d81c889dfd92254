//! Quantile scores of a column: recency, frequency and monetary value as 1 (worst) to `bins`.

/// Which end of a column is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// Frequency and monetary value.
    Highest,
    /// Recency in days.
    Lowest,
}

/// Why there are no scores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("score by quantiles: the number of bins is zero")]
pub struct NoBins;

/// The score of each value, 1 (worst) to `bins` (best).
///
/// Values are put in order from worst to best and divided as SQL's `NTILE(bins)` divides rows: into
/// bins whose sizes differ by at most one, the larger ones first. `NTILE` would split equal values
/// at random; here all of them get the bin of the middle one of them (the lower middle, if their
/// number is even). So without ties the result is that of `NTILE` (and of pandas'
/// `qcut(rank(method="first"))` when the rows divide evenly); with many ties some bins stay
/// empty; and a constant column is all in the middle bin.
///
/// NaN stands for null: it has no score and does not count as a row. Infinite values are the
/// extremes. One row has score 1, fewer rows than bins leave the highest bins empty (as `NTILE`
/// does), no rows give no scores.
pub fn scores(values: &[f64], bins: u32, best: Best) -> Result<Vec<Option<u32>>, NoBins> {
    if bins == 0 {
        return Err(NoBins);
    }
    // Adding zero makes one of the two zeros.
    let value = |row: usize| values.get(row).map_or(f64::NAN, |v| v + 0.0);
    let mut order: Vec<usize> = (0..values.len()).filter(|&row| !value(row).is_nan()).collect();
    order.sort_by(|&a, &b| match best {
        Best::Highest => value(a).total_cmp(&value(b)),
        Best::Lowest => value(b).total_cmp(&value(a)),
    });
    let mut scores = vec![None; values.len()];
    let mut start = 0;
    for equal in order.chunk_by(|&a, &b| value(a) == value(b)) {
        let middle = start + (equal.len() - 1) / 2;
        for &row in equal {
            scores[row] = Some(ntile(middle, order.len(), bins));
        }
        start += equal.len();
    }
    Ok(scores)
}

/// The bin, from 1, of the row at `position` (from 0) of `rows`, as SQL's `NTILE` defines it.
fn ntile(position: usize, rows: usize, bins: u32) -> u32 {
    let (size, larger) = (rows / bins as usize, rows % bins as usize);
    let in_larger = larger * (size + 1);
    let bin = if position < in_larger { position / (size + 1) } else { larger + (position - in_larger) / size.max(1) };
    bin as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(values: &[f64], bins: u32, best: Best) -> Vec<u32> {
        scores(values, bins, best).unwrap().into_iter().flatten().collect()
    }

    /// SELECT NTILE(5) OVER (ORDER BY x) over 1..=11, worked out from the SQL standard's text.
    #[test]
    fn without_ties_it_is_ntile() {
        let values: Vec<f64> = (1..=11).map(f64::from).collect();
        assert_eq!(plain(&values, 5, Best::Highest), [1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        assert_eq!(plain(&values, 5, Best::Lowest), [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 1]);
    }

    #[test]
    fn equal_values_stay_together_in_the_middle_one_s_bin() {
        let orders = [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 9.0];
        assert_eq!(plain(&orders, 5, Best::Highest), [2, 2, 2, 2, 2, 3, 3, 4, 5, 5]);
        assert_eq!(plain(&[7.0; 10], 5, Best::Highest), [3; 10]);
        assert_eq!(plain(&[0.0, -0.0], 2, Best::Highest), [1, 1]);
    }

    #[test]
    fn nulls_extremes_and_small_tables() {
        let values = [f64::NAN, f64::INFINITY, 0.0, f64::NEG_INFINITY];
        assert_eq!(scores(&values, 3, Best::Highest), Ok(vec![None, Some(3), Some(2), Some(1)]));
        assert_eq!(plain(&[5.0], 5, Best::Lowest), [1]);
        assert_eq!(plain(&[5.0, 6.0], 5, Best::Highest), [1, 2]);
        assert_eq!(scores(&[], 5, Best::Lowest), Ok(vec![]));
        assert_eq!(scores(&[1.0], 0, Best::Lowest), Err(NoBins));
    }

    proptest! {
        #[test]
        fn scores_follow_the_values(
            values in proptest::collection::vec(-5..5_i8, 1..60), bins in 1..9_u32,
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let found = plain(&values, bins, Best::Highest);
            for (i, &a) in values.iter().enumerate() {
                prop_assert!((1..=bins).contains(&found[i]));
                for (j, &b) in values.iter().enumerate() {
                    prop_assert!(a != b || found[i] == found[j]);
                    prop_assert!(a <= b || found[i] >= found[j]);
                }
            }
        }
    }
}
