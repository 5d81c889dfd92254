//! Which items are bought by the same users.

use super::best::{Best, key, similarity_of};
use super::measure::{Common, Measure, Side, with_common};
use super::model::ItemNeighbors;
use super::ranked::Ranked;
use super::scan::{BLOCK, Others, Promising, Sums, look_through};
use super::{KeepGoing, NeighborsError, Parameters};
use crate::algorithms::sparse::Csr;
use crate::algorithms::weighting::Weights;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Pairs of entries that are compared: the sum over users of the squared number of their items. [`items`] does half of
/// them. A caller refuses beforehand what is too much; a billion takes a second or two.
pub fn cost(interactions: &Csr) -> u64 {
    let squared = |user| (interactions.row(user).0.len() as u64).pow(2);
    (0..interactions.rows()).map(squared).sum()
}

/// The items most similar to each item of `interactions` (users × items), none of which is its own neighbor.
///
/// Time is that of [`cost`]; memory 12 bytes an entry (16 when weights are not all 1), 20 bytes a neighbor, and a sum
/// an item for each thread.
///
/// # Errors
/// When `keep_going` said no, and beyond 2²⁸ items or 2³⁶ entries.
pub fn items(
    interactions: &Csr,
    parameters: &Parameters,
    keep_going: KeepGoing<'_>,
) -> Result<ItemNeighbors, NeighborsError> {
    fit(interactions, |user| interactions.pairs(user), parameters, keep_going)
}

/// [`items`] of `weights.apply(interactions)`, without the memory for it.
///
/// # Errors
/// As [`items`].
pub fn weighted_items(
    interactions: &Csr,
    weights: &Weights,
    parameters: &Parameters,
    keep_going: KeepGoing<'_>,
) -> Result<ItemNeighbors, NeighborsError> {
    fit(interactions, |user| weights.row(interactions, user), parameters, keep_going)
}

fn fit<I: Iterator<Item = (u32, f64)>>(
    interactions: &Csr,
    row: impl Fn(usize) -> I,
    parameters: &Parameters,
    keep_going: KeepGoing<'_>,
) -> Result<ItemNeighbors, NeighborsError> {
    let mut ranked = Ranked::new(interactions.rows(), interactions.columns(), interactions.entries(), row)?;
    let lists = with_common!(
        parameters,
        ranked.is_binary(),
        compare_all(&ranked, filled(interactions), parameters, keep_going)
    )
    .ok_or(NeighborsError::Stopped)?;
    let order = std::mem::take(&mut ranked.order);
    drop(ranked);
    Ok(ItemNeighbors::from_ranked(&order, lists, parameters.neighbors))
}

/// Users with entries; others may come later, and are not yet there.
fn filled(interactions: &Csr) -> usize {
    (0..interactions.rows()).filter(|user| !interactions.row(*user).0.is_empty()).count()
}

/// For each rank the keys of its best neighbors.
fn compare_all<C: Common>(
    ranked: &Ranked,
    users: usize,
    parameters: &Parameters,
    keep_going: KeepGoing<'_>,
) -> Option<Vec<Best>> {
    let measure = Measure::new(parameters, users);
    let lists = Lists::new(ranked.order.len(), parameters.neighbors);
    let (factors, terms) = ranked.totals.iter().map(|totals| measure.side(*totals)).map(|s| (s.factor, s.term)).unzip();
    let comparison = Comparison { ranked, measure, factors, terms, lists: &lists };
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let enough = if parameters.neighbors == 0 { 0 } else { ranked.order.len() };
    // Threads take the ranks in turn: the popular come first, which soon raises the floors of all lists.
    (0..rayon::current_num_threads()).into_par_iter().with_max_len(1).for_each(|_| {
        let mut scratch = Scratch::<C>::new(enough);
        loop {
            let rank = next.fetch_add(1, Ordering::Relaxed);
            if rank >= enough || stopped.load(Ordering::Relaxed) {
                break;
            }
            if !keep_going() {
                stopped.store(true, Ordering::Relaxed);
                break;
            }
            comparison.compare(rank, &mut scratch);
        }
    });
    drop(comparison);
    (!stopped.into_inner()).then(|| lists.into_inner())
}

/// What a thread works with.
struct Scratch<C> {
    /// Over the entries in common with each item; all zero between items.
    sums: Vec<C>,
    /// Of the item at hand.
    own: Best,
    /// [`Lists::floors`] of a while ago, as similarities, of the first ranks.
    floors: Vec<f32>,
    /// How many items these floors were used for.
    uses: usize,
    common: Box<Sums>,
    found: Box<Promising>,
}

impl<C: Common> Scratch<C> {
    fn new(items: usize) -> Self {
        let common = Box::new(Sums { sums: [0.0; BLOCK], counts: [0.0; BLOCK] });
        Self {
            sums: vec![C::default(); items],
            own: Best::default(),
            floors: Vec::new(),
            uses: 0,
            common,
            found: Box::new(Promising::new()),
        }
    }
}

/// The best neighbors of each rank so far, to which all threads add. What ends up in them does not depend on the order.
struct Lists {
    neighbors: usize,
    /// No key up to this one is any use; read without locking, it may be out of date and then is lower.
    floors: Vec<AtomicU64>,
    best: Vec<Mutex<Best>>,
}

impl Lists {
    fn new(items: usize, neighbors: usize) -> Self {
        Self {
            neighbors,
            floors: (0..items).map(|_| AtomicU64::new(0)).collect(),
            best: (0..items).map(|_| Mutex::new(Best::default())).collect(),
        }
    }

    #[inline(always)]
    fn floor(&self, rank: usize) -> u64 {
        self.floors[rank].load(Ordering::Relaxed)
    }

    fn change(&self, rank: usize, change: impl FnOnce(&mut Best)) {
        let mut best = self.best[rank].lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut best);
        self.floors[rank].store(best.floor(), Ordering::Relaxed);
    }

    fn into_inner(self) -> Vec<Best> {
        let unlocked = |best: Mutex<Best>| best.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.best.into_iter().map(unlocked).collect()
    }
}

/// How many items floors are used for before they are read anew.
const FLOOR_USES: usize = 32;

/// To look at the sum of one item after another is cheaper than at that of an item somewhere, so many times.
const SCAN_GAIN: usize = 4;

struct Comparison<'a> {
    ranked: &'a Ranked,
    measure: Measure,
    factors: Vec<f64>,
    terms: Vec<f64>,
    lists: &'a Lists,
}

impl Comparison<'_> {
    /// Compares the item of a rank with all more popular ones.
    fn compare<C: Common>(&self, rank: usize, scratch: &mut Scratch<C>) {
        self.ranked.add_common(rank, &mut scratch.sums);
        // Sums are found again by their rows, or if that is less work, by looking at all of them.
        let visits = self.ranked.visits(rank);
        let added: usize = visits.iter().map(|visit| visit.place()).sum();
        if added < rank / SCAN_GAIN {
            let Scratch { sums, own, .. } = scratch;
            for visit in visits {
                self.ranked.for_each_before(*visit, |other| {
                    let common = std::mem::take(&mut sums[other as usize]);
                    if !common.is_empty() {
                        let similarity = self.measure.of(self.side(rank), self.side(other as usize), common);
                        self.consider(rank, other as usize, similarity, own);
                    }
                });
            }
        } else {
            self.scan(rank, scratch);
        }
        if scratch.own.len() > 0 {
            self.lists.change(rank, |best| scratch.own.pour_into(best, self.lists.neighbors));
        }
    }

    fn side(&self, rank: usize) -> Side {
        Side { factor: self.factors[rank], term: self.terms[rank] }
    }

    /// Looks at the sums of all more popular items, and leaves them at zero.
    fn scan<C: Common>(&self, rank: usize, scratch: &mut Scratch<C>) {
        let Scratch { sums, own, floors, uses, common, found } = scratch;
        if uses.is_multiple_of(FLOOR_USES) {
            floors.clear();
            floors.extend((0..rank).map(|other| similarity_of(self.lists.floor(other))));
        }
        *uses += 1;
        floors.resize(rank, 0.0);
        for start in (0..rank).step_by(BLOCK) {
            let end = rank.min(start + BLOCK);
            let sums = &mut sums[start..end];
            if sums.iter().fold(true, |so_far, sum| so_far & sum.is_empty()) {
                continue;
            }
            for (sum, slot) in sums.iter().zip(&mut common.sums) {
                *slot = sum.sum();
            }
            if self.measure.counts() {
                for (sum, slot) in sums.iter().zip(&mut common.counts) {
                    *slot = sum.count();
                }
            }
            sums.fill(C::default());
            let others = Others {
                factors: &self.factors[start..end],
                terms: &self.terms[start..end],
                floors: &floors[start..end],
            };
            let least = similarity_of(own.floor());
            look_through(self.measure, self.side(rank), others, common, least, found);
            for (place, similarity) in found.iter() {
                self.consider(rank, start + place, similarity, own);
            }
        }
    }

    /// Enters a pair of items in the lists of both, if its similarity is high enough.
    #[inline(always)]
    fn consider(&self, rank: usize, other: usize, similarity: f32, own: &mut Best) {
        // False for NaN too.
        if similarity > 0.0 {
            let towards = key(similarity, self.ranked.order[other]);
            if towards > own.floor() {
                own.push(towards, self.lists.neighbors);
            }
            let back = key(similarity, self.ranked.order[rank]);
            if back > self.lists.floor(other) {
                self.lists.change(other, |best| {
                    if back > best.floor() {
                        best.push(back, self.lists.neighbors);
                    }
                });
            }
        }
    }
}
