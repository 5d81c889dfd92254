//! Which users have an item.

use super::measure::{Totals, rounded};
use super::ranked::entries_above_zero;
use crate::algorithms::sparse::Csr;

/// For each item the users that have it, ascending, or the latest of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Postings {
    starts: Vec<usize>,
    users: Vec<u32>,
    /// As `users`; empty when all are 1.
    weights: Vec<f32>,
    pub(super) totals: Vec<Totals>,
    capped: usize,
    left_out: usize,
    entries: usize,
}

impl Postings {
    /// Lists the users of each item of `known` (users × items). Of an item with more than `cap` of them only the `cap`
    /// latest are listed, of those equally late the first.
    ///
    /// `recency` has when each entry of `known` was last seen, row after row as they lie in it, in any unit; what it
    /// lacks is the oldest. Memory is 8 bytes an entry (4 when weights are all 1), 16 a user, and while it is built
    /// 8 for each entry of an item.
    ///
    /// Where users were left out, a user compared by these lists is found to have less in common with those: sums of
    /// products, sums of minima and counts of common entries are then lower bounds, and similarities with them. Below
    /// the cap all is exact.
    pub fn build(known: &Csr, recency: Option<&[i64]>, cap: usize) -> Self {
        let mut starts = vec![0_usize; known.columns() + 1];
        let mut totals = Vec::with_capacity(known.rows());
        let mut is_binary = true;
        for user in 0..known.rows() {
            let row = || entries_above_zero(known, user);
            row().for_each(|(item, _)| starts[item as usize + 1] += 1);
            is_binary &= row().all(|(_, weight)| weight == 1.0);
            totals.push(Totals::of(row().map(|(_, weight)| weight)));
        }
        let capped = starts.iter().filter(|users| **users > cap).count();
        let entries = starts.iter().sum();
        let mut cut = Cut::new(known, recency, cap, &starts);
        let mut sum = 0;
        for start in &mut starts {
            sum += (*start).min(cap);
            *start = sum;
        }
        let mut next = starts.clone();
        let mut users = vec![0; sum];
        let mut weights = vec![0.0; if is_binary { 0 } else { sum }];
        let mut place = 0;
        for user in 0..known.rows() {
            for (item, weight) in known.pairs(user) {
                let weight = rounded(weight);
                if weight > 0.0 && cut.keeps(item, time(recency, place)) {
                    let at = &mut next[item as usize];
                    users[*at] = user as u32;
                    if let Some(slot) = weights.get_mut(*at) {
                        *slot = weight;
                    }
                    *at += 1;
                }
                place += 1;
            }
        }
        Self { starts, users, weights, totals, capped, left_out: entries - sum, entries }
    }

    /// The number of items that have users left out.
    pub fn capped(&self) -> usize {
        self.capped
    }

    /// The share of entries left out, from 0 to 1.
    pub fn left_out(&self) -> f64 {
        if self.entries == 0 { 0.0 } else { self.left_out as f64 / self.entries as f64 }
    }

    /// Entries that [`super::by_users`] will read to compare all users of `histories` (users × items), items of
    /// neighbors not included. A caller refuses beforehand what is too much; a billion takes a few seconds.
    pub fn cost(&self, histories: &Csr) -> u64 {
        let length = |item: &u32| self.users_of(*item).len() as u64;
        (0..histories.rows()).flat_map(|user| histories.row(user).0).map(length).sum()
    }

    pub(super) fn is_binary(&self) -> bool {
        self.weights.is_empty()
    }

    fn range(&self, item: u32) -> std::ops::Range<usize> {
        match (self.starts.get(item as usize), self.starts.get(item as usize + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => 0..0,
        }
    }

    #[inline(always)]
    pub(super) fn users_of(&self, item: u32) -> &[u32] {
        &self.users[self.range(item)]
    }

    /// As [`Self::users_of`]; empty where all weights are 1.
    #[inline(always)]
    pub(super) fn weights_of(&self, item: u32) -> &[f32] {
        self.weights.get(self.range(item)).unwrap_or_default()
    }
}

fn time(recency: Option<&[i64]>, place: usize) -> i64 {
    recency.and_then(|times| times.get(place)).copied().unwrap_or(i64::MIN)
}

/// For each item the time from which on entries are kept, and how many of just that time still are.
struct Cut(Vec<(i64, usize)>);

impl Cut {
    /// `counts` has the users of item i at i + 1.
    fn new(known: &Csr, recency: Option<&[i64]>, cap: usize, counts: &[usize]) -> Self {
        let mut times: Vec<Vec<i64>> = vec![Vec::new(); known.columns()];
        let is_long = |item: u32| counts[item as usize + 1] > cap;
        let mut place = 0;
        for user in 0..known.rows() {
            for (item, weight) in known.pairs(user) {
                if rounded(weight) > 0.0 && is_long(item) && cap > 0 {
                    times[item as usize].push(time(recency, place));
                }
                place += 1;
            }
        }
        let of_item = |(item, mut times): (usize, Vec<i64>)| match () {
            () if !is_long(item as u32) => (i64::MIN, usize::MAX),
            () if cap == 0 => (i64::MAX, 0),
            () => {
                let (newer, &mut oldest, _) = times.select_nth_unstable_by(cap - 1, |a, b| b.cmp(a));
                (oldest, 1 + newer.iter().filter(|time| **time == oldest).count())
            }
        };
        Self(times.into_iter().enumerate().map(of_item).collect())
    }

    fn keeps(&mut self, item: u32, time: i64) -> bool {
        let (from, left) = &mut self.0[item as usize];
        let keeps = time > *from || (time == *from && *left > 0);
        if keeps && time == *from {
            *left -= 1;
        }
        keeps
    }
}
