//! Item-based collaborative filtering: items bought by the same users are alike (Sarwar et al.
//! 2001, Deshpande and Karypis 2004).

#[cfg(test)]
mod tests;

use super::sparse::Csr;
use super::top::{Accumulator, keep_best};
use rayon::prelude::*;
use std::ops::Range;

/// For each item its most similar items, most similar first, of equally similar ones the lower
/// index first.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemNeighbors {
    neighbors: Vec<Vec<(u32, f64)>>,
}

impl ItemNeighbors {
    /// Lists that were fitted earlier, one an item, most similar first.
    pub fn from_lists(neighbors: Vec<Vec<(u32, f64)>>) -> Self {
        Self { neighbors }
    }

    /// Neighbors and similarities of an item; an item that does not exist has none.
    pub fn of(&self, item: usize) -> &[(u32, f64)] {
        self.neighbors.get(item).map_or(&[], Vec::as_slice)
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.neighbors.len()
    }
}

/// Multiplications that [`fit`] will make: the sum over users of the squared number of their
/// items. A caller refuses beforehand what is too much; a billion takes a few seconds.
pub fn cost(interactions: &Csr) -> u64 {
    let squared = |user| (interactions.row(user).0.len() as u64).pow(2);
    (0..interactions.rows()).map(squared).sum()
}

/// Cosine similarity of the columns of `interactions` (users × items), of which each item keeps
/// the `neighbors` highest above zero. The item itself is not among them.
///
/// similarity(i, j) = Σᵤ rᵤᵢ rᵤⱼ / (‖rᵢ‖ ‖rⱼ‖ + shrinkage); a shrinkage above zero (negative or NaN
/// is taken as zero) holds back pairs with little evidence. An item without users, or with zero
/// weights only, has no neighbors and is nobody's. Time is that of [`cost`]; memory is items ×
/// `neighbors`, and two numbers an item for each thread.
pub fn fit(interactions: &Csr, neighbors: usize, shrinkage: f64) -> ItemNeighbors {
    let by_item = interactions.transpose();
    let norm = |item| by_item.row(item).1.iter().map(|v| v * v).sum::<f64>().sqrt();
    let norms: Vec<f64> = (0..by_item.rows()).map(norm).collect();
    let shrinkage = shrinkage.max(0.0);
    let neighbors = (0..by_item.rows())
        .into_par_iter()
        .map_init(
            || Accumulator::new(by_item.rows()),
            |products, item| {
                for (user, weight) in by_item.pairs(item) {
                    for (other, other_weight) in interactions.pairs(user as usize) {
                        products.add(other, weight * other_weight);
                    }
                }
                let similar = products.drain().filter(|(other, _)| *other as usize != item);
                let cosine =
                    |(other, product): (u32, f64)| (other, product / (norms[item] * norms[other as usize] + shrinkage));
                let mut found: Vec<_> = similar.map(cosine).filter(|(_, s)| *s > 0.0).collect();
                keep_best(&mut found, neighbors);
                found.shrink_to_fit();
                found
            },
        )
        .collect();
    ItemNeighbors { neighbors }
}

/// The `top` items of each user of the range, best first, of equal scores the lower index first.
///
/// score(u, j) = Σᵢ rᵤᵢ · similarity(i, j) over the items i of the user that have j among their
/// neighbors, as in `implicit`'s `CosineRecommender`. Only scores above zero are given, so a user
/// without items gets none. With `exclude_seen` the user's own items are left out.
pub fn recommend(
    interactions: &Csr,
    neighbors: &ItemNeighbors,
    users: Range<usize>,
    top: usize,
    exclude_seen: bool,
) -> Vec<Vec<(u32, f64)>> {
    users
        .into_par_iter()
        .map_init(
            || Accumulator::new(neighbors.items()),
            |scores, user| {
                for (item, weight) in interactions.pairs(user) {
                    for &(other, similarity) in neighbors.of(item as usize) {
                        scores.add(other, weight * similarity);
                    }
                }
                let seen = interactions.row(user).0;
                let wanted = |item: &u32| !exclude_seen || seen.binary_search(item).is_err();
                let scored = scores.drain().filter(|(item, score)| *score > 0.0 && wanted(item));
                let mut found: Vec<_> = scored.collect();
                keep_best(&mut found, top);
                found
            },
        )
        .collect()
}
