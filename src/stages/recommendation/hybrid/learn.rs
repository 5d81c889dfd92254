//! Weights learned from what came of the parts' lists: those with the highest NDCG.

use rayon::prelude::*;

use super::candidates::{Candidate, OfPart};
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
/// Steps at most, each of one weight or the constant.
const ROUNDS: usize = 20;
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
        let prepared = |users: &[usize]| -> Vec<Prepared> {
            let of = |user: &usize| {
                Prepared::of(self.parts, *user, self.relevant.get(*user).map(Vec::as_slice).unwrap_or_default())
            };
            spread(users).par_iter().map(of).collect()
        };
        let all = self.best(&prepared(&told), None);
        let users = [told.len(), few.len()];
        if few.len() < GROUP_MIN || rest.len() < GROUP_MIN {
            return Learned { few: all.clone(), all, users };
        }
        let of_few = self.best(&prepared(&few), Some(&all));
        let of_rest = self.best(&prepared(&rest), Some(&all));
        Learned { all: of_rest, few: of_few, users }
    }

    fn best(&self, users: &[Prepared], start: Option<&Fusion>) -> Fusion {
        let parts = self.parts.len();
        let mut starts: Vec<Fusion> = start.cloned().into_iter().collect();
        let constants: Vec<f64> = match (self.constant, self.method) {
            (Some(constant), _) => vec![constant],
            (None, Method::Weighted) => vec![CONSTANTS[0]],
            (None, Method::RankFusion) => CONSTANTS.to_vec(),
        };
        for constant in &constants {
            starts.push(Fusion { constant: *constant, ..self.equal() });
        }
        for part in 0..parts {
            let weights = (0..parts).map(|other| if other == part { 1.0 } else { 0.0 }).collect();
            starts.push(Fusion { weights, ..self.equal() });
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
            if let Some((trial, value)) = self.step(&fusion, &constants, users)
                && value > reached * (1.0 + GAIN_MIN)
            {
                (fusion, reached) = (trial, value);
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

    fn ndcg(&self, fusion: &Fusion, users: &[Prepared]) -> f64 {
        let each: Vec<f64> = users.par_iter().map(|user| user.ndcg(fusion, self.length)).collect();
        ranking::mean(&each).unwrap_or(0.0)
    }

    /// The best fusion that differs in one weight or in the constant, with its NDCG.
    fn step(&self, from: &Fusion, constants: &[f64], users: &[Prepared]) -> Option<(Fusion, f64)> {
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
        let reached = trials.into_iter().map(|trial| {
            let reached = self.ndcg(&trial, users);
            (trial, reached)
        });
        reached.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }
}

/// What speaks for the items of one user.
struct Prepared {
    /// Items that count.
    relevant: usize,
    /// For each candidate, ascending by item: whether it counts, and where what speaks for it starts.
    items: Vec<(bool, usize)>,
    /// Part and candidate.
    votes: Vec<(usize, Candidate)>,
}

impl Prepared {
    fn of(parts: &[OfPart], user: usize, relevant: &[u32]) -> Prepared {
        let lists = parts.iter().enumerate();
        let mut votes: Vec<(usize, Candidate)> = lists
            .flat_map(|(part, lists)| lists.get(user).into_iter().flatten().map(move |candidate| (part, *candidate)))
            .collect();
        votes.sort_by_key(|(part, candidate)| (candidate.item, *part));
        let mut items = Vec::new();
        let mut last = None;
        for (place, (_, candidate)) in votes.iter().enumerate() {
            if last != Some(candidate.item) {
                last = Some(candidate.item);
                items.push((relevant.binary_search(&candidate.item).is_ok(), place));
            }
        }
        Prepared { relevant: relevant.len(), items, votes }
    }

    fn ndcg(&self, fusion: &Fusion, length: usize) -> f64 {
        let ends = self.items.iter().skip(1).map(|(_, start)| *start).chain([self.votes.len()]);
        let score = |((hit, start), end): (&(bool, usize), usize)| {
            let votes = self.votes.get(*start..end).unwrap_or_default();
            (votes.iter().map(|(part, candidate)| fusion.share(*part, candidate)).sum::<f64>(), *hit)
        };
        let mut scored: Vec<(f64, bool)> = self.items.iter().zip(ends).map(score).filter(|(score, _)| *score > 0.0).collect();
        // Ties keep the order of the items.
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranking::ndcg(scored.into_iter().map(|(_, hit)| hit), self.relevant, length)
    }
}

fn spread(users: &[usize]) -> Vec<usize> {
    users.iter().copied().step_by(users.len().div_ceil(USERS_MAX).max(1)).collect()
}

#[cfg(test)]
mod tests {
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
