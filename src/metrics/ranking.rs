//! Measures of ordered recommendations against what users then did.

use super::ratio;
use serde::Serialize;
use std::collections::HashMap;

/// Measures at k of each user who had something relevant; one value a user, so that intervals can
/// be computed over users. Their means are the usual figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Ranking {
    /// Positions, in the input, of the users measured: those with at least one relevant item.
    pub users: Vec<usize>,
    /// Relevant items among the first k, over k (also when fewer than k were recommended).
    pub precision: Vec<f64>,
    /// Relevant items among the first k, over all relevant ones.
    pub recall: Vec<f64>,
    /// Σ 1/log₂(position + 1) over the relevant among the first k, over the most possible (Järvelin
    /// and Kekäläinen 2002, each item relevant or not).
    pub ndcg: Vec<f64>,
    /// Precision at the position of each relevant item among the first k, summed, over the lesser
    /// of k and the number of relevant items.
    pub average_precision: Vec<f64>,
    /// 1 with any relevant item among the first k, else 0.
    pub hit: Vec<f64>,
    /// 1 over the position of the first relevant item among the first k, 0 without.
    pub reciprocal_rank: Vec<f64>,
    /// Distinct items among the first k of all users (measured or not), over `items`; `None` when
    /// there are no items.
    pub catalog_coverage: Option<f64>,
}

/// Measures `recommended[u]` (best first) against `relevant[u]` for each user u; of lists of
/// different number the longer one is cut. A repeated item counts where it first stands. With
/// k = 0 all measures are 0. Users without relevant items are not measured.
pub fn evaluate(recommended: &[Vec<u32>], relevant: &[Vec<u32>], k: usize, items: usize) -> Ranking {
    let mut found = Ranking::default();
    let mut shown: Vec<bool> = Vec::new();
    for (user, (list, relevant)) in recommended.iter().zip(relevant).enumerate() {
        let first = first_distinct(list, k);
        for &item in &first {
            let place = item as usize;
            if place >= shown.len() {
                shown.resize(place + 1, false);
            }
            if let Some(shown) = shown.get_mut(place) {
                *shown = true;
            }
        }
        let mut relevant = relevant.clone();
        relevant.sort_unstable();
        relevant.dedup();
        if !relevant.is_empty() {
            found.add(user, &first, &relevant, k);
        }
    }
    found.catalog_coverage = ratio(shown.iter().filter(|&&shown| shown).count() as f64, items as f64);
    found
}

fn first_distinct(list: &[u32], k: usize) -> Vec<u32> {
    let mut first = Vec::with_capacity(k.min(list.len()));
    for &item in list {
        if first.len() == k {
            break;
        }
        // Lists are short: looking through them beats a set.
        if !first.contains(&item) {
            first.push(item);
        }
    }
    first
}

impl Ranking {
    /// `relevant` ascends.
    fn add(&mut self, user: usize, first: &[u32], relevant: &[u32], k: usize) {
        let (mut hits, mut gain, mut precisions, mut reciprocal) = (0.0, 0.0, 0.0, 0.0);
        for (position, _) in (1..).zip(first).filter(|(_, item)| relevant.binary_search(item).is_ok()) {
            hits += 1.0;
            gain += discount(position);
            precisions += hits / position as f64;
            if hits == 1.0 {
                reciprocal = 1.0 / position as f64;
            }
        }
        let possible = relevant.len().min(k);
        let ideal: f64 = (1..=possible).map(discount).sum();
        self.users.push(user);
        self.precision.push(ratio(hits, k as f64).unwrap_or(0.0));
        self.recall.push(hits / relevant.len() as f64);
        self.ndcg.push(ratio(gain, ideal).unwrap_or(0.0));
        self.average_precision.push(ratio(precisions, possible as f64).unwrap_or(0.0));
        self.hit.push(f64::min(hits, 1.0));
        self.reciprocal_rank.push(reciprocal);
    }
}

/// The NDCG at k of one list, as in [`Ranking::ndcg`], from whether each of its items is relevant and how many items
/// are.
pub fn ndcg(hits: impl Iterator<Item = bool>, relevant: usize, k: usize) -> f64 {
    let gain: f64 = (1..).zip(hits.take(k)).filter(|(_, hit)| *hit).map(|(position, _)| discount(position)).sum();
    let ideal: f64 = (1..=relevant.min(k)).map(discount).sum();
    ratio(gain, ideal).unwrap_or(0.0)
}

fn discount(position: usize) -> f64 {
    1.0 / (position as f64 + 1.0).log2()
}

/// How unexpected recommended items are, and how much those of one list differ.
pub struct Variety {
    /// For each item −log₂ of the share of the users who have it.
    surprise: Vec<f64>,
    /// For each item the users who have it, ascending.
    users: Vec<Vec<u32>>,
}

impl Variety {
    /// By who has what: for each user the items, ascending.
    pub fn of<'a>(users: impl Iterator<Item = &'a [u32]>, items: usize) -> Variety {
        let mut of_items: Vec<Vec<u32>> = vec![vec![]; items];
        let mut count = 0_u32;
        for own in users {
            for item in own {
                if let Some(users) = of_items.get_mut(*item as usize) {
                    users.push(count);
                }
            }
            count += u32::from(!own.is_empty());
        }
        // An item that nobody has counts as half a user's.
        let share = |users: &Vec<u32>| (users.len() as f64).max(0.5) / f64::from(count.max(1));
        Variety { surprise: of_items.iter().map(|users| -share(users).log2()).collect(), users: of_items }
    }

    /// For each of these users the mean −log₂ share of users over the first k of the list (Zhou et al. 2010); 0 for an
    /// empty list.
    pub fn novelty(&self, lists: &[Vec<u32>], users: &[usize], k: usize) -> Vec<f64> {
        let of_user = |user: &usize| {
            let list = lists.get(*user).map(Vec::as_slice).unwrap_or_default();
            let first = list.iter().take(k);
            let sum: f64 = first.clone().filter_map(|item| self.surprise.get(*item as usize)).sum();
            ratio(sum, first.count() as f64).unwrap_or(0.0)
        };
        users.iter().map(of_user).collect()
    }

    /// For each of these users 1 less the mean cosine of all pairs of the first k of the list, by the users who have
    /// them (Ziegler et al. 2005); 0 for a list of one or none.
    pub fn diversity(&self, lists: &[Vec<u32>], users: &[usize], k: usize) -> Vec<f64> {
        let mut known: HashMap<(u32, u32), f64> = HashMap::new();
        let mut of_user = |user: &usize| {
            let list = lists.get(*user).map(Vec::as_slice).unwrap_or_default();
            let first: Vec<u32> = list.iter().take(k).copied().collect();
            let (mut sum, mut pairs) = (0.0, 0.0);
            for (place, one) in first.iter().enumerate() {
                for other in first.iter().skip(place + 1) {
                    let pair = (*one.min(other), *one.max(other));
                    sum += *known.entry(pair).or_insert_with(|| self.cosine(pair.0, pair.1));
                    pairs += 1.0;
                }
            }
            ratio(sum, pairs).map_or(0.0, |mean| 1.0 - mean)
        };
        users.iter().map(&mut of_user).collect()
    }

    fn cosine(&self, one: u32, other: u32) -> f64 {
        let of = |item: u32| self.users.get(item as usize).map(Vec::as_slice).unwrap_or_default();
        let (mut short, mut long) = (of(one), of(other));
        if short.len() > long.len() {
            std::mem::swap(&mut short, &mut long);
        }
        let common = short.iter().filter(|user| long.binary_search(user).is_ok()).count();
        ratio(common as f64, (short.len() as f64 * long.len() as f64).sqrt()).unwrap_or(0.0)
    }
}

/// The mean of the values of the users; `None` without users.
pub fn mean(values: &[f64]) -> Option<f64> {
    ratio(values.iter().sum(), values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// NDCG: scikit-learn 1.9.1, ndcg_score(…, k=5) for relevant {2, 5, 7} and the order 5 1 2 9 0.
    /// The others by hand: hits at positions 1 and 3.
    #[test]
    fn one_user() {
        let found = evaluate(&[vec![5, 1, 2, 9, 0, 7]], &[vec![2, 5, 7]], 5, 10);
        assert!((found.ndcg[0] - 0.703_918_089_034_134_8).abs() < 1e-12);
        let hits = [true, false, true, false, false, true];
        assert_eq!(ndcg(hits.into_iter(), 3, 5), found.ndcg[0]);
        assert_eq!((found.precision[0], found.recall[0]), (0.4, 2.0 / 3.0));
        assert!((found.average_precision[0] - (1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-15);
        assert_eq!((found.hit[0], found.reciprocal_rank[0]), (1.0, 1.0));
        assert_eq!(found.catalog_coverage, Some(0.5));
    }

    #[test]
    fn users_without_relevant_items_are_not_measured_but_cover() {
        let recommended = [vec![1, 2], vec![], vec![3, 3, 4]];
        let found = evaluate(&recommended, &[vec![], vec![9], vec![4, 4]], 2, 8);
        assert_eq!(found.users, [1, 2]);
        assert_eq!(found.hit, [0.0, 1.0]);
        assert_eq!(found.reciprocal_rank, [0.0, 0.5]);
        assert_eq!(found.recall, [0.0, 1.0]);
        assert_eq!((mean(&found.precision), mean(&[])), (Some(0.25), None));
        assert_eq!(found.catalog_coverage, Some(0.5));
    }

    #[test]
    fn nothing_recommended_and_k_zero() {
        assert_eq!(evaluate(&[], &[], 5, 0), Ranking::default());
        let zero = evaluate(&[vec![1]], &[vec![1]], 0, 1);
        assert_eq!((zero.precision[0], zero.ndcg[0], zero.average_precision[0]), (0.0, 0.0, 0.0));
    }

    /// By hand: of 4 users 4 have item 0, 2 item 1, 1 item 2, none item 3; cosines are 2/√8, 1/2, 1/√2 and 0.
    #[test]
    fn variety_of_lists() {
        let users: [&[u32]; 5] = [&[0, 1, 2], &[0, 1], &[0], &[], &[0]];
        let variety = Variety::of(users.into_iter(), 4);
        let lists = [vec![0, 1, 2], vec![1, 3], vec![], vec![2]];
        assert_eq!(variety.novelty(&lists, &[0, 1, 2, 3, 9], 3), [1.0, 2.0, 0.0, 2.0, 0.0]);
        let found = variety.diversity(&lists, &[0, 1, 2, 3], 3);
        let mean = (2.0 / 8.0_f64.sqrt() + 0.5 + 0.5_f64.sqrt()) / 3.0;
        assert!((found[0] - (1.0 - mean)).abs() < 1e-12, "{found:?}");
        assert_eq!(found[1..], [1.0, 0.0, 0.0]);
        assert_eq!(variety.novelty(&lists, &[0], 1), [0.0], "what all have is no surprise");
    }

    proptest! {
        #[test]
        fn measures_are_shares_and_the_ideal_order_is_perfect(
            relevant in proptest::collection::hash_set(0..30_u32, 1..12),
            list in proptest::collection::vec(0..30_u32, 0..20),
            k in 1..12_usize,
        ) {
            let relevant: Vec<u32> = relevant.into_iter().collect();
            let found = evaluate(&[list, relevant.clone()], &[relevant.clone(), relevant], k, 30);
            for values in [&found.precision, &found.recall, &found.ndcg, &found.average_precision] {
                prop_assert!(values.iter().all(|v| (0.0..=1.0 + 1e-12).contains(v)));
            }
            prop_assert!((found.ndcg[1] - 1.0).abs() < 1e-12);
            prop_assert!((found.average_precision[1] - 1.0).abs() < 1e-12);
            prop_assert!(found.hit[0] >= found.reciprocal_rank[0]);
        }
    }
}
