//! Which items are bought by the same users.

use super::best::{Best, key};
use super::measure::{Common, Measure, Side, with_common};
use super::model::ItemNeighbors;
use super::ranked::Ranked;
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
/// Time is that of [`cost`]; memory 12 bytes an entry (16 when weights are not all 1), 12 bytes a neighbor, and a sum
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
    let ranked = Ranked::new(interactions.rows(), interactions.columns(), row)?;
    let lists = with_common!(
        parameters,
        ranked.is_binary(),
        compare_all(&ranked, interactions.rows(), parameters, keep_going)
    )
    .ok_or(NeighborsError::Stopped)?;
    let Ranked { order, .. } = ranked;
    Ok(ItemNeighbors::from_ranked(&order, lists, parameters.neighbors))
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
    let sides: Vec<Side> = ranked.totals.iter().map(|totals| measure.side(*totals)).collect();
    let comparison = Comparison { ranked, measure, sides: &sides, lists: &lists };
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let enough = if parameters.neighbors == 0 { 0 } else { ranked.order.len() };
    // Threads take the ranks in turn: the popular come first, which soon raises the floors of all lists.
    (0..rayon::current_num_threads()).into_par_iter().with_max_len(1).for_each(|_| {
        let mut sums = vec![C::default(); enough];
        let mut own = Best::default();
        loop {
            let rank = next.fetch_add(1, Ordering::Relaxed);
            if rank >= enough || stopped.load(Ordering::Relaxed) {
                break;
            }
            if !keep_going() {
                stopped.store(true, Ordering::Relaxed);
                break;
            }
            comparison.compare(rank, &mut sums, &mut own);
        }
    });
    (!stopped.into_inner()).then(|| lists.into_inner())
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

struct Comparison<'a> {
    ranked: &'a Ranked,
    measure: Measure,
    sides: &'a [Side],
    lists: &'a Lists,
}

impl Comparison<'_> {
    /// Compares the item of a rank with all more popular ones. `sums` is, and is left, all zero.
    fn compare<C: Common>(&self, rank: usize, sums: &mut [C], own: &mut Best) {
        let visits = self.ranked.visits(rank);
        for visit in visits {
            let row = self.ranked.before(*visit);
            if C::WEIGHTED {
                let (weight, weights) = self.ranked.weights_before(*visit);
                for (other, other_weight) in row.iter().zip(weights) {
                    sums[*other as usize].add(weight, *other_weight);
                }
            } else {
                row.iter().for_each(|other| sums[*other as usize].add(1.0, 1.0));
            }
        }
        // Sums are found again by their rows, or if that is less, by looking at all of them.
        let added: usize = visits.iter().map(|visit| visit.place()).sum();
        if added < rank {
            for visit in visits {
                for other in self.ranked.before(*visit) {
                    let common = std::mem::take(&mut sums[*other as usize]);
                    self.consider(rank, *other as usize, common, own);
                }
            }
        } else {
            for (other, sum) in sums.iter_mut().enumerate().take(rank) {
                let common = std::mem::take(sum);
                self.consider(rank, other, common, own);
            }
        }
        if own.len() > 0 {
            self.lists.change(rank, |best| own.pour_into(best, self.lists.neighbors));
        }
    }

    /// Enters a pair of items in the lists of both.
    #[inline(always)]
    fn consider<C: Common>(&self, rank: usize, other: usize, common: C, own: &mut Best) {
        // Nothing in common is half of what is seen here, good enough for a list is little: one branch that is guessed
        // right is cheaper than several that are not. A comparison with NaN is false.
        let similarity = self.measure.of(self.sides[rank], self.sides[other], common);
        let towards = key(similarity, self.ranked.order[other]);
        let back = key(similarity, self.ranked.order[rank]);
        let is_any = !common.is_empty() & (similarity > 0.0);
        let (for_this, for_other) = (towards > own.floor(), back > self.lists.floor(other));
        if is_any & (for_this | for_other) {
            self.enter(other, for_this.then_some(towards), for_other.then_some(back), own);
        }
    }

    #[inline(never)]
    fn enter(&self, other: usize, towards: Option<u64>, back: Option<u64>, own: &mut Best) {
        if let Some(towards) = towards {
            own.push(towards, self.lists.neighbors);
        }
        if let Some(back) = back {
            self.lists.change(other, |best| {
                if back > best.floor() {
                    best.push(back, self.lists.neighbors);
                }
            });
        }
    }
}
