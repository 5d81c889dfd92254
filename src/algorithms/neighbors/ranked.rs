//! Interactions laid out for the comparison of all pairs of items.

use super::NeighborsError;
use super::measure::{Common, Totals, rounded};
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

/// Rows of users, one after another.
enum Rows {
    /// Ranks, when all weights are 1.
    Binary(Vec<u32>),
    /// Ranks and weights, side by side because they are fetched together.
    Weighted(Vec<(u32, f32)>),
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
    rows: Rows,
    visit_starts: Vec<usize>,
    visits: Vec<Visit>,
}

impl Ranked {
    /// `row` gives the items and weights of each of the users, `most` entries together at most.
    pub(super) fn new<I: Iterator<Item = (u32, f64)>>(
        rows: usize,
        columns: usize,
        most: usize,
        row: impl Fn(usize) -> I,
    ) -> Result<Self, NeighborsError> {
        let mut users = vec![0_usize; columns];
        let mut row_starts = Vec::with_capacity(rows + 1);
        let mut totals = vec![Totals::default(); columns];
        // Items first, of which fill_rows makes ranks.
        let mut pairs = Vec::with_capacity(most);
        row_starts.push(0);
        for user in 0..rows {
            for (item, weight) in above_zero(row(user)) {
                users[item as usize] += 1;
                totals[item as usize].add(weight);
                pairs.push((item, weight));
            }
            row_starts.push(pairs.len());
        }
        let entries = pairs.len();
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
        for (user, ends) in (0_u64..).zip(row_starts.windows(2)) {
            for (item, weight) in &pairs[ends[0]..ends[1]] {
                let next = &mut users[*item as usize];
                visits[*next] = Visit((user << 32) | u64::from(weight.to_bits()));
                *next += 1;
            }
        }
        let is_binary = pairs.iter().all(|(_, weight)| *weight == 1.0);
        let rows = if is_binary { Rows::Binary(vec![0; entries]) } else { Rows::Weighted(pairs) };
        let mut ranked = Self { order, totals, rows, visit_starts, visits };
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
                match &mut self.rows {
                    Rows::Binary(ranks) => ranks[at] = rank as u32,
                    Rows::Weighted(pairs) => pairs[at] = (rank as u32, weight),
                }
                *visit = Visit::new(start, place);
                filled[user] += 1;
            }
        }
    }

    pub(super) fn is_binary(&self) -> bool {
        matches!(self.rows, Rows::Binary(_))
    }

    /// The entries of the item of a rank.
    pub(super) fn visits(&self, rank: usize) -> &[Visit] {
        &self.visits[self.visit_starts[rank]..self.visit_starts[rank + 1]]
    }

    /// Adds for each more popular item what the item of a rank has in common with it.
    pub(super) fn add_common<C: Common>(&self, rank: usize, sums: &mut [C]) {
        for visits in self.visits(rank).chunks(AHEAD) {
            match &self.rows {
                Rows::Binary(ranks) => {
                    fetch(visits, ranks);
                    for visit in visits {
                        let row = &ranks[visit.start()..visit.start() + visit.place()];
                        row.iter().for_each(|other| sums[*other as usize].add(1.0, 1.0));
                    }
                }
                Rows::Weighted(pairs) => {
                    fetch(visits, pairs);
                    for visit in visits {
                        let end = visit.start() + visit.place();
                        let weight = pairs[end].1;
                        for (other, other_weight) in &pairs[visit.start()..end] {
                            sums[*other as usize].add(weight, *other_weight);
                        }
                    }
                }
            }
        }
    }

    /// Calls with the more popular items of the user of a visit.
    #[inline(always)]
    pub(super) fn for_each_before(&self, visit: Visit, mut call: impl FnMut(u32)) {
        let range = visit.start()..visit.start() + visit.place();
        match &self.rows {
            Rows::Binary(ranks) => ranks[range].iter().for_each(|rank| call(*rank)),
            Rows::Weighted(pairs) => pairs[range].iter().for_each(|(rank, _)| call(*rank)),
        }
    }
}

/// How many rows are fetched at once.
const AHEAD: usize = 16;

/// Reads both ends of some rows, which lie anywhere: waiting for all of them at once takes hardly longer than for one.
#[inline(always)]
fn fetch<T: Copy>(visits: &[Visit], entries: &[T]) {
    for visit in visits {
        std::hint::black_box((entries[visit.start()], entries[visit.start() + visit.place()]));
    }
}

/// Entries that count.
pub(super) fn entries_above_zero(matrix: &Csr, row: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
    above_zero(matrix.pairs(row))
}

fn above_zero(entries: impl Iterator<Item = (u32, f64)>) -> impl Iterator<Item = (u32, f32)> {
    entries.map(|(column, weight)| (column, rounded(weight))).filter(|(_, weight)| *weight > 0.0)
}
