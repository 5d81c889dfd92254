//! Weights learned from what came of the parts' lists: those with the highest NDCG.

use rayon::prelude::*;

use super::candidates::OfPart;
use super::fuse::{Fusion, Method};
use crate::metrics::ranking;

/// Users of whom weights are learned; of more, so many evenly spread.
const USERS_MAX: usize = 4_000;
/// With fewer, those with few orders get the weights of all.
const GROUP_MIN: usize = 100;
/// What a weight is tried to be multiplied with.
const STEPS: [f64; 6] = [0.0, 0.5, 0.8, 1.25, 2.0, 4.0];
/// The constants that are tried where none is given.
const CONSTANTS: [f64; 4] = [3.0, 10.0, 30.0, 60.0];
/// Rounds over all parts.
const ROUNDS: usize = 6;
/// A step counts only if it raises the NDCG by more than this share: less is chance.
const GAIN_MIN: f64 = 0.002;

/// What weights are learned from.
pub struct Lesson<'a> {
    pub parts: &'a [OfPart],
    /// What counted for each user.
    pub relevant: &'a [Vec<u32>],
    /// How many orders each user had.
    pub orders: &'a [u32],
    pub method: Method,
    /// c of the reciprocal rank, where it is given.
    pub constant: Option<f64>,
    /// The length of the lists that are judged.
    pub length: usize,
    /// Users with at most so many orders get weights of their own.
    pub few_orders: u32,
}

/// The weights of all users, and of those with few orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    pub all: Fusion,
    pub few: Fusion,
    /// Users who were learned from, and of these those with few orders.
    pub users: [usize; 2],
}

impl Lesson<'_> {
    /// Equal weights: where there is nothing to learn from.
    fn equal(&self) -> Fusion {
        let constant = self.constant.unwrap_or(CONSTANTS[CONSTANTS.len() - 1]);
        Fusion { method: self.method, weights: vec![1.0; self.parts.len()], constant }
    }

    /// Starts from each part alone and from all alike, and moves one weight at a time while that helps.
    pub fn learn(&self) -> Learned {
        let told: Vec<usize> =
            (0..self.relevant.len()).filter(|user| self.relevant.get(*user).is_some_and(|items| !items.is_empty())).collect();
        let has_few = |user: &usize| self.orders.get(*user).is_some_and(|orders| *orders <= self.few_orders);
        let few: Vec<usize> = told.iter().copied().filter(has_few).collect();
        let rest: Vec<usize> = told.iter().copied().filter(|user| !has_few(user)).collect();
        let all = self.best(&spread(&told), None);
        let users = [told.len(), few.len()];
        if few.len() < GROUP_MIN || rest.len() < GROUP_MIN {
            return Learned { few: all.clone(), all, users };
        }
        let of_few = self.best(&spread(&few), Some(&all));
        let of_rest = self.best(&spread(&rest), Some(&all));
        Learned { all: of_rest, few: of_few, users }
    }

    fn best(&self, users: &[usize], start: Option<&Fusion>) -> Fusion {
        let parts = self.parts.len();
        let mut starts: Vec<Fusion> = start.cloned().into_iter().collect();
        let constants: Vec<f64> = match (self.constant, self.method) {
            (Some(constant), _) => vec![constant],
            (None, Method::Weighted) => vec![CONSTANTS[0]],
            (None, Method::RankFusion) => CONSTANTS.to_vec(),
        };
        if start.is_none() {
            for constant in &constants {
                starts.push(Fusion { constant: *constant, ..self.equal() });
            }
            for part in 0..parts {
                let weights = (0..parts).map(|other| if other == part { 1.0 } else { 0.0 }).collect();
                starts.push(Fusion { weights, ..self.equal() });
            }
        }
        let mut best: Option<(Fusion, f64)> = None;
        for fusion in starts {
            let reached = self.ndcg(&fusion, users);
            if best.as_ref().is_none_or(|(_, most)| reached > *most) {
                best = Some((fusion, reached));
            }
        }
        let Some((mut fusion, mut reached)) = best else { return self.equal() };
        for _ in 0..ROUNDS {
            let before = reached;
            for (trial, value) in self.steps(&fusion, &constants, users) {
                if value > reached * (1.0 + GAIN_MIN) {
                    (fusion, reached) = (trial, value);
                }
            }
            if reached <= before {
                break;
            }
        }
        let sum: f64 = fusion.weights.iter().sum();
        if sum > 0.0 {
            fusion.weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        fusion
    }

    /// Every fusion that differs in one weight or in the constant, with its NDCG.
    fn steps(&self, from: &Fusion, constants: &[f64], users: &[usize]) -> Vec<(Fusion, f64)> {
        let most = from.weights.iter().copied().fold(0.0, f64::max);
        let mut trials = Vec::new();
        for (part, weight) in from.weights.iter().enumerate() {
            // A part that counts nothing is tried with a tenth and with all of what the others count.
            let tried = if *weight > 0.0 { STEPS.map(|step| weight * step).to_vec() } else { vec![most * 0.1, most * 0.4, most] };
            for value in tried {
                let mut weights = from.weights.clone();
                if let Some(slot) = weights.get_mut(part) {
                    *slot = value;
                }
                if weights.iter().any(|weight| *weight > 0.0) {
                    trials.push(Fusion { weights, ..from.clone() });
                }
            }
        }
        trials.extend(constants.iter().map(|constant| Fusion { constant: *constant, ..from.clone() }));
        let mut found: Vec<(Fusion, f64)> = trials
            .into_iter()
            .map(|trial| {
                let reached = self.ndcg(&trial, users);
                (trial, reached)
            })
            .collect();
        // The best step first; the others start from what it left behind.
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(1);
        found
    }

    fn ndcg(&self, fusion: &Fusion, users: &[usize]) -> f64 {
        let lists: Vec<Vec<u32>> = users
            .par_iter()
            .map(|user| {
                let parts: Vec<_> = self.parts.iter().map(|part| part.get(*user).map(Vec::as_slice).unwrap_or_default()).collect();
                fusion.fuse(&parts, self.length, |_, _| true).into_iter().map(|one| one.item).collect()
            })
            .collect();
        let relevant: Vec<Vec<u32>> = users.iter().filter_map(|user| self.relevant.get(*user).cloned()).collect();
        ranking::mean(&ranking::evaluate(&lists, &relevant, self.length, 0).ndcg).unwrap_or(0.0)
    }
}

fn spread(users: &[usize]) -> Vec<usize> {
    users.iter().copied().step_by(users.len().div_ceil(USERS_MAX).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::candidates::Candidate;
    use super::*;

    fn part(first: impl Fn(usize) -> u32) -> OfPart {
        let of = |item, rank| Candidate { item, rank, score: 1.0 / f64::from(rank), because: None };
        (0..300).map(|user| vec![of(first(user), 1), of(8, 2), of(9, 3)]).collect()
    }

    /// The first part is right about users with many orders and the second about those with few.
    #[test]
    fn who_is_right_about_whom_counts() {
        let parts = [part(|user| if user < 150 { 1 } else { 2 }), part(|user| if user < 150 { 2 } else { 1 })];
        let relevant = vec![vec![1]; 300];
        let orders: Vec<u32> = (0..300).map(|user| if user < 150 { 9 } else { 1 }).collect();
        let lesson = Lesson {
            parts: &parts,
            relevant: &relevant,
            orders: &orders,
            method: Method::RankFusion,
            constant: None,
            length: 1,
            few_orders: 3,
        };
        let learned = lesson.learn();
        assert!(learned.all.weights[0] > learned.all.weights[1], "{learned:?}");
        assert!(learned.few.weights[1] > learned.few.weights[0], "{learned:?}");
        assert_eq!(learned.users, [300, 150]);
    }

    #[test]
    fn nothing_to_learn_from_is_equal_weights() {
        let parts = [part(|_| 1), part(|_| 2)];
        let lesson = Lesson {
            parts: &parts,
            relevant: &[],
            orders: &[],
            method: Method::Weighted,
            constant: None,
            length: 5,
            few_orders: 3,
        };
        let learned = lesson.learn();
        assert_eq!((learned.all.weights, learned.users), (vec![0.5, 0.5], [0, 0]));
    }
}
