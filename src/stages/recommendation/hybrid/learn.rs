//! Weights learned from what came of the parts' lists: a logistic regression of what was met on what each part says.

use ndarray::{ArrayView2, Axis};

use super::candidates::Candidate;
use super::fuse::Fusion;
use crate::algorithms::softmax::{self, Penalty};

/// Candidates that weights are learned from, of all moments; of more, those of users evenly spread.
pub const CANDIDATES_MAX: usize = 1_000_000;
/// With fewer users all parts weigh the same.
const USERS_MIN: usize = 20;

/// What is learned from: the candidates of one or more hold-outs, of users for whom something counted.
#[derive(Default)]
pub struct Lesson {
    /// What each part says for each candidate.
    shares: Vec<f64>,
    /// For each candidate whether it counted.
    hits: Vec<bool>,
    users: usize,
}

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    pub fusion: Fusion,
    /// Users who were learned from.
    pub users: usize,
}

impl Lesson {
    /// Adds the candidates of a user, each with the part that says so, and the items that counted, ascending. What parts
    /// say is as `fusion` has it, whose weights are all 1.
    pub fn add(&mut self, fusion: &Fusion, mut votes: Vec<(usize, Candidate)>, relevant: &[u32]) {
        votes.sort_by_key(|(_, candidate)| candidate.item);
        for of_item in votes.chunk_by(|(_, a), (_, b)| a.item == b.item) {
            let mut shares = vec![0.0; fusion.weights.len()];
            for (part, candidate) in of_item {
                if let Some(share) = shares.get_mut(*part) {
                    *share = fusion.share(*part, candidate) / fusion.share_max();
                }
            }
            self.shares.extend(shares);
            self.hits.extend(of_item.first().map(|(_, one)| relevant.binary_search(&one.item).is_ok()));
        }
        self.users += 1;
    }

    /// The weights at or above zero with which the sum of what the parts say tells best which candidates are met. Where
    /// that cannot be told, all weigh the same.
    pub fn learn(&self, equal: &Fusion) -> Learned {
        let parts = equal.weights.len();
        let mut live: Vec<usize> = (0..parts).collect();
        while self.users >= USERS_MIN && !live.is_empty() {
            let Some(found) = self.fit(parts, &live) else { break };
            // A part that speaks against what it recommends says nothing, the worst first.
            let least = live.iter().zip(&found).min_by(|a, b| a.1.total_cmp(b.1)).filter(|least| *least.1 < 0.0);
            let Some((worst, _)) = least.map(|(part, weight)| (*part, *weight)) else {
                let sum: f64 = found.iter().sum();
                let weight = |part| live.iter().position(|other| *other == part).and_then(|place| found.get(place));
                let weights = (0..parts).map(|part| weight(part).map_or(0.0, |weight| weight / sum)).collect();
                return Learned { fusion: Fusion { weights, ..equal.clone() }, users: self.users };
            };
            live.retain(|other| *other != worst);
        }
        Learned { fusion: equal.clone(), users: 0 }
    }

    /// The coefficients of some of the parts; `None` if all or no candidates were met, or all coefficients are 0.
    fn fit(&self, parts: usize, live: &[usize]) -> Option<Vec<f64>> {
        let all = ArrayView2::from_shape((self.hits.len(), parts), &self.shares).ok()?;
        let hits: Vec<u32> = self.hits.iter().map(|hit| u32::from(*hit)).collect();
        let (penalty, params) = (Penalty { l1: 0.0, l2: 1.0 }, softmax::Params::default());
        let x = all.select(Axis(1), live);
        let found = softmax::fit(x.view(), &hits, 2, None, &penalty, &params, &|| true).ok()?;
        let weights = found.coefficients.iter().copied().collect::<Vec<f64>>();
        weights.iter().any(|weight| *weight != 0.0).then_some(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fuse::Method;
    use super::*;

    fn equal(parts: usize) -> Fusion {
        Fusion { method: Method::RankFusion, weights: vec![1.0; parts], constant: 60.0 }
    }

    /// Lists of ten of each part, from the given first items on.
    fn votes(firsts: &[u32]) -> Vec<(usize, Candidate)> {
        let of = |first: u32, rank: u32| Candidate { item: first + rank, rank, score: 0.0, because: None };
        firsts.iter().enumerate().flat_map(|(part, first)| (1..=10).map(move |rank| (part, of(*first, rank)))).collect()
    }

    /// The first part is right three times, the second once, and the third never.
    #[test]
    fn who_is_right_counts() {
        let mut lesson = Lesson::default();
        for _ in 0..100 {
            lesson.add(&equal(3), votes(&[0, 100, 200]), &[1, 2, 3, 101]);
        }
        let learned = lesson.learn(&equal(3));
        let weights = &learned.fusion.weights;
        assert!(weights[0] > weights[1] && weights[1] > 0.0, "{weights:?}");
        assert_eq!((weights[2], learned.users), (0.0, 100));
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// What several parts recommend is one candidate, with what each says.
    #[test]
    fn one_item_is_one_candidate() {
        let mut lesson = Lesson::default();
        lesson.add(&equal(2), votes(&[0, 5]), &[6]);
        assert_eq!((lesson.hits.len(), lesson.hits.iter().filter(|hit| **hit).count()), (15, 1));
        let sixth = &lesson.shares[10..12];
        assert_eq!(sixth, [61.0 / 66.0, 1.0]);
    }

    #[test]
    fn nothing_to_learn_from_is_equal_weights() {
        let told = |users: usize, relevant: &[u32]| {
            let mut lesson = Lesson::default();
            (0..users).for_each(|_| lesson.add(&equal(2), votes(&[0, 5]), relevant));
            lesson.learn(&equal(2))
        };
        let nothing = Learned { fusion: equal(2), users: 0 };
        assert_eq!(Lesson::default().learn(&equal(2)), nothing);
        assert_eq!(told(USERS_MIN - 1, &[1]), nothing, "too few");
        assert_eq!(told(USERS_MIN, &[]), nothing, "no hits");
        assert_ne!(told(USERS_MIN, &[1]), nothing);
    }
}
