//! The most popular items: the baseline of every recommender.

use super::sparse::Csr;
use super::top::keep_best;
use rayon::prelude::*;
use std::ops::Range;

/// Items by number of distinct users, most first, of equally popular ones the lower index first.
/// The weights do not matter. Items without users are left out.
pub fn rank(interactions: &Csr) -> Vec<(u32, f64)> {
    let mut users = vec![0_u32; interactions.columns()];
    for user in 0..interactions.rows() {
        for &item in interactions.row(user).0 {
            users[item as usize] += 1;
        }
    }
    let counted = (0_u32..).zip(users).filter(|(_, users)| *users > 0);
    let mut items: Vec<_> = counted.map(|(item, users)| (item, f64::from(users))).collect();
    let count = items.len();
    keep_best(&mut items, count);
    items
}

/// The first `top` of a [`rank`]ing for each user of the range; with `exclude_seen` those the user
/// has not interacted with. A user without a row gets the top of the ranking.
pub fn recommend(
    interactions: &Csr,
    ranking: &[(u32, f64)],
    users: Range<usize>,
    top: usize,
    exclude_seen: bool,
) -> Vec<Vec<(u32, f64)>> {
    let for_user = |user| {
        let seen = interactions.row(user).0;
        let wanted = |item: &u32| !exclude_seen || seen.binary_search(item).is_err();
        ranking.iter().filter(|(item, _)| wanted(item)).take(top).copied().collect()
    };
    users.into_par_iter().map(for_user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::sparse::Duplicates;

    #[test]
    fn ranks_by_distinct_users_and_leaves_out_the_seen() {
        // Item 2 is bought often, but by one user.
        let pairs = [(0, 2), (0, 2), (0, 2), (0, 1), (1, 1), (1, 3), (2, 3)];
        let triples = pairs.map(|(user, item)| (user, item, 1.0)).to_vec();
        let interactions = Csr::from_triples(4, 5, triples, Duplicates::Sum).unwrap();
        let ranking = rank(&interactions);
        assert_eq!(ranking, [(1, 2.0), (3, 2.0), (2, 1.0)]);
        let found = recommend(&interactions, &ranking, 0..4, 2, true);
        let items: Vec<Vec<u32>> = found.iter().map(|r| r.iter().map(|x| x.0).collect()).collect();
        assert_eq!(items, [vec![3], vec![2], vec![1, 2], vec![1, 3]]);
        assert_eq!(recommend(&interactions, &ranking, 0..1, 1, false), [[(1, 2.0)]]);
    }

    #[test]
    fn nothing_from_nothing() {
        let empty = Csr::from_triples(1, 3, vec![], Duplicates::Once).unwrap();
        assert!(rank(&empty).is_empty());
        assert_eq!(recommend(&empty, &[], 0..1, 5, true), [vec![]]);
    }
}
