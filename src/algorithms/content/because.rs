//! Why a user is shown an item.

use super::Items;
use crate::algorithms::sparse::Csr;
use crate::algorithms::top::best_first;
use rayon::prelude::*;
use std::ops::Range;

/// For every item of the list of every user of the range the user's own item i with the greatest
/// weight · (vᵢ · vⱼ), which adds most to the product of interest and item; of equal ones the lower
/// index. None when no product is above zero. An item is no reason for itself. A list beyond the
/// users, or a user beyond the lists, is left out.
pub fn because(
    histories: &Csr,
    items: &Items,
    users: Range<usize>,
    lists: &[Vec<(u32, f64)>],
) -> Vec<Vec<Option<u32>>> {
    let pairs = users.into_par_iter().zip(lists);
    pairs.map(|(user, list)| list.iter().map(|entry| reason(histories, items, user, entry.0)).collect()).collect()
}

fn reason(histories: &Csr, items: &Items, user: usize, shown: u32) -> Option<u32> {
    if !items.is_described(shown as usize) {
        return None;
    }
    let counts = |entry: &(u32, f64)| entry.0 != shown && entry.1 > 0.0 && items.is_described(entry.0 as usize);
    let own = histories.pairs(user).filter(counts);
    let added = own.map(|(item, weight)| (item, weight * items.product(item as usize, shown as usize)));
    added.filter(|(_, product)| *product > 0.0).min_by(best_first).map(|(item, _)| item)
}
