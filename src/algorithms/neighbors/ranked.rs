//! Interactions laid out for the comparison of all pairs of items.

use super::NeighborsError;
use super::measure::{Totals, rounded};
use crate::algorithms::sparse::Csr;

/// Bits of a [`Visit`] that hold the place.
const PLACE_BITS: u32 = 28;

/// An entry of an item: where the row of the user starts, and the place of the item in it, in one number. (Going by way
/// of the user's number to the row would be waiting for memory twice.)
#[derive(Clone, Copy, Default)]
pub(super) struct Visit(u64);

impl Visit {
    fn new(start: usize, place: u32) -> Self {
        Self(((start as u64) << PLACE_BITS) | u64::from(place))
    }

    #[inline(always)]
    fn start(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    /// How many more popular items the user has.
    #[inline(always)]
    pub(super) fn place(self) -> usize {
        (self.0 & ((1 << PLACE_BITS) - 1)) as usize
    }
}

/// Rows of users whose items are ranked by popularity, the most popular first.
///
/// The row of a user up to one of its items then holds the more popular ones: each pair of items is met once, at its
/// less popular one, and most sums are those of the few popular items, which stay in the nearest cache.
pub(super) struct Ranked {
    /// The item of each rank.
    pub(super) order: Vec<u32>,
    /// Sums over the weights of each rank's item.
    pub(super) totals: Vec<Totals>,
    ranks: Vec<u32>,
    /// As `ranks`; empty when all are 1.
    weights: Vec<f32>,
    visit_starts: Vec<usize>,
    visits: Vec<Visit>,
}

impl Ranked {
    /// `row` gives the items and weights of each of the users.
    pub(super) fn new<I: Iterator<Item = (u32, f64)>>(
        rows: usize,
        columns: usize,
        row: impl Fn(usize) -> I,
    ) -> Result<Self, NeighborsError> {
        let mut users = vec![0_usize; columns];
        let mut row_starts = Vec::with_capacity(rows + 1);
        let mut totals = vec![Totals::default(); columns];
        let (mut entries, mut is_binary) = (0, true);
        row_starts.push(0);
        for user in 0..rows {
            for (item, weight) in above_zero(row(user)) {
                users[item as usize] += 1;
                totals[item as usize].add(weight);
                is_binary &= weight == 1.0;
                entries += 1;
            }
            row_starts.push(entries);
        }
        if columns > 1 << PLACE_BITS || entries > 1 << (64 - PLACE_BITS) {
            return Err(NeighborsError::TooLarge { items: columns, entries });
        }
        let mut order: Vec<u32> = (0..columns as u32).collect();
        order.sort_unstable_by_key(|&item| (std::cmp::Reverse(users[item as usize]), item));
        let totals = order.iter().map(|&item| totals[item as usize]).collect();
        let mut visit_starts = Vec::with_capacity(columns + 1);
        visit_starts.push(0);
        let mut start = 0;
        for &item in &order {
            start += std::mem::replace(&mut users[item as usize], start);
            visit_starts.push(start);
        }
        // Until its place is known a visit is its user and weight.
        let mut visits = vec![Visit::default(); entries];
        for user in 0..rows {
            for (item, weight) in above_zero(row(user)) {
                let next = &mut users[item as usize];
                visits[*next] = Visit(((user as u64) << 32) | u64::from(weight.to_bits()));
                *next += 1;
            }
        }
        let weights = vec![0.0; if is_binary { 0 } else { entries }];
        let mut ranked = Self { order, totals, ranks: vec![0; entries], weights, visit_starts, visits };
        ranked.fill_rows(&row_starts);
        Ok(ranked)
    }

    /// Puts the items into the rows, rank by rank, and the places into the visits.
    fn fill_rows(&mut self, row_starts: &[usize]) {
        let mut filled = vec![0_u32; row_starts.len() - 1];
        for rank in 0..self.order.len() {
            for visit in &mut self.visits[self.visit_starts[rank]..self.visit_starts[rank + 1]] {
                let (user, weight) = ((visit.0 >> 32) as usize, f32::from_bits(visit.0 as u32));
                let (start, place) = (row_starts[user], filled[user]);
                let at = start + place as usize;
                self.ranks[at] = rank as u32;
                if let Some(slot) = self.weights.get_mut(at) {
                    *slot = weight;
                }
                *visit = Visit::new(start, place);
                filled[user] += 1;
            }
        }
    }

    pub(super) fn is_binary(&self) -> bool {
        self.weights.is_empty()
    }

    /// The entries of the item of a rank.
    pub(super) fn visits(&self, rank: usize) -> &[Visit] {
        &self.visits[self.visit_starts[rank]..self.visit_starts[rank + 1]]
    }

    /// The more popular items of the user of a visit.
    #[inline(always)]
    pub(super) fn before(&self, visit: Visit) -> &[u32] {
        &self.ranks[visit.start()..visit.start() + visit.place()]
    }

    /// The weight of a visit, and those of the more popular items of its user. Only where weights are not all 1.
    #[inline(always)]
    pub(super) fn weights_before(&self, visit: Visit) -> (f32, &[f32]) {
        let end = visit.start() + visit.place();
        (self.weights[end], &self.weights[visit.start()..end])
    }
}

/// Entries that count.
pub(super) fn entries_above_zero(matrix: &Csr, row: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
    above_zero(matrix.pairs(row))
}

fn above_zero(entries: impl Iterator<Item = (u32, f64)>) -> impl Iterator<Item = (u32, f32)> {
    entries.map(|(column, weight)| (column, rounded(weight))).filter(|(_, weight)| *weight > 0.0)
}
