//! The most popular items: the baseline of every recommender.

use std::ops::Range;

use rayon::prelude::*;

use super::top::keep_best;
use super::wanted::Wanted;

/// Items by their scores, highest first, of equal ones the lower index first. Items whose score is not above zero, or
/// is NaN, are left out.
pub fn rank(scores: &[f64]) -> Vec<(u32, f64)> {
    let mut items: Vec<(u32, f64)> = (0_u32..).zip(scores.iter().copied()).filter(|(_, score)| *score > 0.0).collect();
    let count = items.len();
    keep_best(&mut items, count);
    items
}

/// The first `top` of a [`rank`]ing for each user of the range, of what is wanted.
pub fn recommend(ranking: &[(u32, f64)], users: Range<usize>, top: usize, wanted: &Wanted<'_>) -> Vec<Vec<(u32, f64)>> {
    users.into_par_iter().map(|user| first(ranking, user, top, wanted)).collect()
}

/// The first `top` of a [`rank`]ing of what this user wants.
pub fn first(ranking: &[(u32, f64)], user: usize, top: usize, wanted: &Wanted<'_>) -> Vec<(u32, f64)> {
    let wanted = wanted.by(user);
    ranking.iter().filter(|(item, _)| wanted(*item)).take(top).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::sparse::{Csr, Duplicates};

    #[test]
    fn ranks_and_leaves_out_the_seen() {
        let ranking = rank(&[0.0, 2.0, 1.0, 2.0, f64::NAN, -1.0]);
        assert_eq!(ranking, [(1, 2.0), (3, 2.0), (2, 1.0)]);
        let seen = [(0, 2), (0, 1), (1, 1), (1, 3), (2, 3)].map(|(user, item)| (user, item, 1.0)).to_vec();
        let seen = Csr::from_triples(4, 6, seen, Duplicates::Once).unwrap();
        let found = recommend(&ranking, 0..4, 2, &Wanted::unseen(&seen));
        let items: Vec<Vec<u32>> = found.iter().map(|list| list.iter().map(|(item, _)| *item).collect()).collect();
        assert_eq!(items, [vec![3], vec![2], vec![1, 2], vec![1, 3]]);
        assert_eq!(recommend(&ranking, 0..1, 1, &Wanted::default()), [[(1, 2.0)]]);
    }

    #[test]
    fn nothing_from_nothing() {
        assert!(rank(&[]).is_empty());
        assert_eq!(recommend(&[], 0..1, 5, &Wanted::default()), [vec![]]);
    }
}
