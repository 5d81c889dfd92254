//! How far two divisions of the same rows agree, whatever their parts are called.

use std::collections::BTreeMap;

use crate::metrics::{MetricError, check_lengths};

/// Rows by part in each division, and in both.
struct Shared {
    rows: f64,
    a: BTreeMap<usize, f64>,
    b: BTreeMap<usize, f64>,
    both: BTreeMap<(usize, usize), f64>,
}

impl Shared {
    fn new(a: &[usize], b: &[usize]) -> Result<Shared, MetricError> {
        check_lengths(a.len(), b.len())?;
        let mut shared = Shared { rows: a.len() as f64, a: BTreeMap::new(), b: BTreeMap::new(), both: BTreeMap::new() };
        for (&a, &b) in a.iter().zip(b) {
            *shared.a.entry(a).or_default() += 1.0;
            *shared.b.entry(b).or_default() += 1.0;
            *shared.both.entry((a, b)).or_default() += 1.0;
        }
        Ok(shared)
    }
}

/// The adjusted Rand index (Hubert and Arabie 1985): the share of pairs of rows on which both divisions agree, less
/// what chance would give. 1 is full agreement, 0 that of chance; it may be negative. 1 where both divisions are
/// trivial in the same way, as in scikit-learn.
///
/// # Errors
/// On no rows and differing lengths.
pub fn adjusted_rand(a: &[usize], b: &[usize]) -> Result<f64, MetricError> {
    let shared = Shared::new(a, b)?;
    let pairs = |count: &f64| count * (count - 1.0) / 2.0;
    let of = |parts: &BTreeMap<usize, f64>| parts.values().map(pairs).sum::<f64>();
    let (both, a, b, all) =
        (shared.both.values().map(pairs).sum::<f64>(), of(&shared.a), of(&shared.b), pairs(&shared.rows));
    let chance = if all > 0.0 { a * b / all } else { 0.0 };
    let most = (a + b) / 2.0;
    Ok(if most - chance == 0.0 { 1.0 } else { (both - chance) / (most - chance) })
}

/// Normalized mutual information: what one division tells of the other, over the mean of their entropies (Strehl and
/// Ghosh 2002, with the arithmetic mean, as scikit-learn has it). 0 is nothing, 1 everything; 1 where neither divides.
///
/// # Errors
/// On no rows and differing lengths.
pub fn normalized_mutual_information(a: &[usize], b: &[usize]) -> Result<f64, MetricError> {
    let shared = Shared::new(a, b)?;
    let entropy = |parts: &BTreeMap<usize, f64>| -> f64 {
        parts.values().map(|count| -(count / shared.rows) * (count / shared.rows).ln()).sum()
    };
    let of = |parts: &BTreeMap<usize, f64>, part: &usize| parts.get(part).copied().unwrap_or(shared.rows);
    let information = |((a, b), count): (&(usize, usize), &f64)| {
        count / shared.rows * (shared.rows * count / (of(&shared.a, a) * of(&shared.b, b))).ln()
    };
    let (mutual, entropies) =
        (shared.both.iter().map(information).sum::<f64>(), entropy(&shared.a) + entropy(&shared.b));
    if shared.a.len() == 1 && shared.b.len() == 1 {
        return Ok(1.0);
    }
    Ok((mutual / (entropies / 2.0)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9.1, adjusted_rand_score and normalized_mutual_info_score.
    #[test]
    fn they_agree_with_scikit_learn() {
        let a = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2];
        let b = [0, 0, 1, 1, 1, 1, 2, 2, 0, 2];
        assert!((adjusted_rand(&a, &b).unwrap() - 0.431_818_181_818_181_8).abs() < 1e-12);
        assert!((normalized_mutual_information(&a, &b).unwrap() - 0.618_065_646_292_154_3).abs() < 1e-12);
    }

    #[test]
    fn names_do_not_matter_and_trivial_divisions_agree() {
        let (a, b) = ([0, 0, 1, 1, 2], [7, 7, 3, 3, 1]);
        assert_eq!((adjusted_rand(&a, &b), normalized_mutual_information(&a, &b)), (Ok(1.0), Ok(1.0)));
        assert_eq!((adjusted_rand(&[0, 0], &[1, 1]), normalized_mutual_information(&[0], &[1])), (Ok(1.0), Ok(1.0)));
        assert_eq!(adjusted_rand(&[0, 0, 0, 0], &[0, 1, 2, 3]), Ok(0.0));
        assert_eq!(normalized_mutual_information(&[0, 0, 0, 0], &[0, 0, 1, 1]), Ok(0.0));
        assert_eq!(adjusted_rand(&[], &[]), Err(MetricError::Empty));
        assert!(normalized_mutual_information(&[1], &[1, 2]).is_err());
    }
}
