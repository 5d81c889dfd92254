//! Fitted neighbors of items, and recommending by them.

use super::best::{Best, Scores, from_key, usable};
use crate::algorithms::sparse::Csr;
use crate::algorithms::wanted::Wanted;
use rayon::prelude::*;
use std::ops::Range;

/// For each item its most similar items, most similar first, of equally similar ones the lower index first.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemNeighbors {
    starts: Vec<usize>,
    /// Index and similarity side by side: what is read together is fetched together.
    neighbors: Vec<(u32, f32)>,
}

impl ItemNeighbors {
    /// Lists that were fitted earlier, one an item. Neighbors that are no items of the lists, or whose similarity is
    /// not above zero and finite, are left out.
    pub fn from_lists<L>(items: usize, lists: impl IntoIterator<Item = L>) -> Self
    where
        L: IntoIterator<Item = (u32, f32)>,
    {
        let mut model = Self { starts: vec![0], neighbors: Vec::new() };
        for list in lists.into_iter().take(items) {
            for (other, similarity) in list {
                if (other as usize) < items && similarity > 0.0 && similarity.is_finite() {
                    model.neighbors.push((other, similarity));
                }
            }
            model.starts.push(model.neighbors.len());
        }
        model.starts.resize(items + 1, model.neighbors.len());
        model
    }

    /// `lists` has the neighbors of the item `order[rank]` at each rank.
    pub(super) fn from_ranked(order: &[u32], mut lists: Vec<Best>, neighbors: usize) -> Self {
        let mut rank_of = vec![0; order.len()];
        order.iter().enumerate().for_each(|(rank, item)| rank_of[*item as usize] = rank);
        lists.par_iter_mut().for_each(|best| best.trim(neighbors));
        let entries = lists.iter().map(Best::len).sum();
        let starts = Vec::with_capacity(order.len() + 1);
        let mut model = Self { starts, neighbors: Vec::with_capacity(entries) };
        model.starts.push(0);
        for rank in rank_of {
            model.neighbors.extend(std::mem::take(&mut lists[rank]).drain(neighbors).map(from_key));
            model.starts.push(model.neighbors.len());
        }
        model
    }

    /// Neighbors of an item with their similarities; an item that does not exist has none.
    pub fn of(&self, item: usize) -> &[(u32, f32)] {
        match (self.starts.get(item), self.starts.get(item + 1)) {
            (Some(&start), Some(&end)) => &self.neighbors[start..end],
            _ => &[],
        }
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of neighbors of all items together.
    pub fn entries(&self) -> usize {
        self.neighbors.len()
    }
}

/// The `top` items of each user of the range, best first, of equal scores the lower index first.
///
/// score(u, j) = Σᵢ w(u, i) · similarity(i, j) over the items i in the user's history (users × items) that have j
/// among their neighbors, as in `implicit`. Only scores above zero are given, so that a user without items gets none.
pub fn recommend(
    histories: &Csr,
    neighbors: &ItemNeighbors,
    users: Range<usize>,
    top: usize,
    wanted: &Wanted<'_>,
) -> Vec<Vec<(u32, f64)>> {
    users
        .into_par_iter()
        .with_min_len(64)
        .map_init(
            || Scores::new(neighbors.items()),
            |scores, user| {
                for (item, weight) in histories.pairs(user) {
                    let Some(weight) = usable(weight) else { continue };
                    for (other, similarity) in neighbors.of(item as usize) {
                        scores.add(*other, weight * f64::from(*similarity));
                    }
                }
                scores.take_best(top, wanted, user)
            },
        )
        .collect()
}

/// For each item recommended to each user of the range the item of the history that added most to its score, of
/// several the one with the lowest index. `None` for an item that no score came from. `lists` are those of the range.
pub fn because(
    histories: &Csr,
    neighbors: &ItemNeighbors,
    users: Range<usize>,
    lists: &[Vec<(u32, f64)>],
) -> Vec<Vec<Option<u32>>> {
    let users: Vec<usize> = users.take(lists.len()).collect();
    users
        .into_par_iter()
        .zip(lists)
        .with_min_len(64)
        .map_init(
            || vec![0_u32; neighbors.items()],
            |places, (user, list)| {
                let mut found: Vec<(Option<u32>, f64)> = vec![(None, 0.0); list.len()];
                for ((item, _), place) in list.iter().zip(1..) {
                    if let Some(slot) = places.get_mut(*item as usize) {
                        *slot = place;
                    }
                }
                for (item, weight) in histories.pairs(user) {
                    let Some(weight) = usable(weight) else { continue };
                    for (other, similarity) in neighbors.of(item as usize) {
                        let place = places[*other as usize] as usize;
                        let part = weight * f64::from(*similarity);
                        if place > 0 && part > found[place - 1].1 {
                            found[place - 1] = (Some(item), part);
                        }
                    }
                }
                for (item, _) in list {
                    if let Some(slot) = places.get_mut(*item as usize) {
                        *slot = 0;
                    }
                }
                found.into_iter().map(|(item, _)| item).collect()
            },
        )
        .collect()
}
