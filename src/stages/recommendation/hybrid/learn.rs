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

/// How weights are learned.
#[derive(Debug, Clone, Copy)]
pub struct Lesson {
    /// How many parts there are.
    pub parts: usize,
    pub method: Method,
    /// c of the reciprocal rank, where it is given.
    pub constant: Option<f64>,
    /// The length of the lists that are judged.
    pub length: usize,
}

/// The weights of all users, and of those with few orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    pub all: Fusion,
    pub few: Fusion,
    /// Users who were learned from, and of these those with few orders.
    pub users: [usize; 2],
}

/// What is learned from: the users of one or more hold-outs for whom something counted.
#[derive(Default)]
pub struct Seen {
    all: Vec<Prepared>,
    few: Vec<Prepared>,
    rest: Vec<Prepared>,
    users: [usize; 2],
}

impl Seen {
    /// Adds a hold-out: what each part recommended, what counted for each user, and how many orders each had.
    pub fn add(&mut self, parts: &[OfPart], relevant: &[Vec<u32>], orders: &[u32], few_orders: u32) {
        let told = |user: &usize| relevant.get(*user).is_some_and(|items| !items.is_empty());
        let told: Vec<usize> = (0..relevant.len()).filter(told).collect();
        let has_few = |user: &usize| orders.get(*user).is_some_and(|orders| *orders <= few_orders);
        let few: Vec<usize> = told.iter().copied().filter(has_few).collect();
        let rest: Vec<usize> = told.iter().copied().filter(|user| !has_few(user)).collect();
        let prepared = |users: &[usize]| -> Vec<Prepared> {
            let of =
                |user: &usize| Prepared::of(parts, *user, relevant.get(*user).map(Vec::as_slice).unwrap_or_default());
            spread(users).par_iter().map(of).collect()
        };
        self.users[0] += told.len();
        self.users[1] += few.len();
        self.all.extend(prepared(&told));
        self.few.extend(prepared(&few));
        self.rest.extend(prepared(&rest));
    }
}

impl Lesson {
    /// Equal weights: where there is nothing to learn from.
    fn equal(&self) -> Fusion {
        let constant = self.constant.unwrap_or(CONSTANTS[CONSTANTS.len() - 1]);
        Fusion { method: self.method, weights: vec![1.0; self.parts], constant }
    }

    /// For all users, and, where there are enough of both, for those with few orders and for the others.
    pub fn learn(&self, seen: &Seen) -> Learned {
        let all = self.best(&seen.all, None);
        if seen.few.len() < GROUP_MIN || seen.rest.len() < GROUP_MIN {
            return Learned { few: all.clone(), all, users: seen.users };
        }
        let few = self.best(&seen.few, Some(&all));
        let rest = self.best(&seen.rest, Some(&all));
        Learned { all: rest, few, users: seen.users }
    }

    /// Goes from the best of equal weights, from the best part alone and from `start`, moving one weight at a time while
    /// that helps.
    fn best(&self, users: &[Prepared], start: Option<&Fusion>) -> Fusion {
        let constants: Vec<f64> = match (self.constant, self.method) {
            (Some(constant), _) => vec![constant],
            (None, Method::Weighted) => vec![CONSTANTS[0]],
            (None, Method::RankFusion) => CONSTANTS.to_vec(),
        };
        let equal = constants.iter().map(|constant| Fusion { constant: *constant, ..self.equal() });
        let alone = (0..self.parts).map(|part| Fusion {
            weights: (0..self.parts).map(|other| if other == part { 1.0 } else { 0.0 }).collect(),
            ..self.equal()
        });
        let starts = [
            self.first(equal, users),
            self.first(alone, users),
            start.map(|start| (start.clone(), self.ndcg(start, users))),
        ];
        let mut best: Option<(Fusion, f64)> = None;
        for (mut fusion, mut reached) in starts.into_iter().flatten() {
            for _ in 0..ROUNDS {
                match self.step(&fusion, &constants, users) {
                    Some((next, value)) if value > reached * (1.0 + GAIN_MIN) => (fusion, reached) = (next, value),
                    _ => break,
                }
            }
            if best.as_ref().is_none_or(|(_, most)| reached > most * (1.0 + GAIN_MIN)) {
                best = Some((fusion, reached));
            }
        }
        let Some((mut fusion, _)) = best else { return self.equal() };
        let sum: f64 = fusion.weights.iter().sum();
        if sum > 0.0 {
            fusion.weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        fusion
    }

    /// The best of several; of equal ones the first.
    fn first(&self, trials: impl Iterator<Item = Fusion>, users: &[Prepared]) -> Option<(Fusion, f64)> {
        let reached = trials.map(|trial| {
            let reached = self.ndcg(&trial, users);
            (trial, reached)
        });
        reached.reduce(|best, next| if next.1 > best.1 { next } else { best })
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
            let tried = if *weight > 0.0 {
                STEPS.map(|step| weight * step).to_vec()
            } else {
                vec![most * 0.1, most * 0.4, most]
            };
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
        self.first(trials.into_iter(), users)
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
        let mut scored: Vec<(f64, bool)> =
            self.items.iter().zip(ends).map(score).filter(|(score, _)| *score > 0.0).collect();
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
        let mut seen = Seen::default();
        seen.add(&parts, &relevant, &orders, 3);
        let lesson = Lesson { parts: 2, method: Method::RankFusion, constant: None, length: 1 };
        let learned = lesson.learn(&seen);
        assert!(learned.all.weights[0] > learned.all.weights[1], "{learned:?}");
        assert!(learned.few.weights[1] > learned.few.weights[0], "{learned:?}");
        assert_eq!(learned.users, [300, 150]);
    }

    #[test]
    fn nothing_to_learn_from_is_equal_weights() {
        let lesson = Lesson { parts: 2, method: Method::Weighted, constant: None, length: 5 };
        let learned = lesson.learn(&Seen::default());
        assert_eq!((learned.all.weights, learned.users), (vec![0.5, 0.5], [0, 0]));
    }
}
