//! The items with the highest inner products with each user, exactly.
//!
//! A score is |x| |y| cos(x, y), so that of items in the order of their lengths the rest cannot enter a user's list once
//! |x| |y| of the next is below its last score (Teflioudi and Gemulla 2016, "Exact and approximate maximum inner product
//! search with LEMP"). Of the others, products of the first quarter of the factors are computed, and the rest where
//! these and the lengths of what is left do not rule out that the score enters the list. That saves most where the first
//! factors weigh most, as those of [`super::als::fit`] do.

mod packed;
#[cfg(test)]
mod tests;

use super::top::keep_best;
use super::wanted::Wanted;
use ndarray::{Array2, ArrayView2};
use packed::{Block, LANES, NOTHING, Packed, Products, TOGETHER, Users, length, multiply, rounded_up};
use rayon::prelude::*;

/// Users that a thread takes at once.
const BLOCK_USERS: usize = 64;

/// The `count` items of each user (a row of `users`) with the highest inner products with a row of `items`, best first,
/// of equal ones the lower index first. Scores of any sign count.
///
/// `users` and `items` have as many columns as each other; else, and with `count` zero, every list is empty. So is that
/// of a user whose factors are all zeros or not all finite. Items of that kind are in no list, nor are products that
/// are not finite, nor what is not `wanted`, whose rows are those of `users`.
///
/// A score is summed in the order of the factors in single precision, so that it is the same whatever else is computed,
/// by how many threads and at which vector width.
pub fn top(users: ArrayView2<'_, f32>, items: &Array2<f32>, count: usize, wanted: &Wanted<'_>) -> Vec<Vec<(u32, f64)>> {
    if users.ncols() != items.ncols() || count == 0 {
        return vec![Vec::new(); users.nrows()];
    }
    let packed = Packed::new(items, wanted);
    let blocks = users.nrows().div_ceil(BLOCK_USERS);
    let lists = (0..blocks).into_par_iter().map_init(Room::default, |room, block| {
        let first = block * BLOCK_USERS;
        let last = users.nrows().min(first + BLOCK_USERS);
        let searches = (first..last).map(|user| Search::new(users.row(user), user, packed.head));
        search(searches.collect(), &packed, count, wanted, room)
    });
    lists.flatten_iter().collect()
}

/// What one thread works with.
#[derive(Default)]
struct Room {
    products: Vec<Products>,
    reached: Vec<[bool; TOGETHER]>,
}

/// How far a user's list is.
struct Search {
    user: usize,
    row: Vec<f32>,
    length: f64,
    /// Of the factors behind the head.
    tail: f32,
    found: Vec<(u32, f64)>,
    /// The last score of a full list.
    least: f32,
}

impl Search {
    fn new(row: ndarray::ArrayView1<'_, f32>, user: usize, head: usize) -> Self {
        let tail = rounded_up(length(row.slice(ndarray::s![head..])));
        Self { user, length: length(row), tail, row: row.to_vec(), found: Vec::new(), least: f32::NEG_INFINITY }
    }

    /// What rounding can add to or take from a product with an item of some length, twice over.
    fn rounding(&self, length: f64) -> f64 {
        let relative = (self.row.len() + 8) as f64 * f64::from(f32::EPSILON);
        relative * (self.length * length + f64::from(f32::MIN_POSITIVE))
    }

    /// Whether no item up to some length can enter the list.
    fn is_done(&self, length: f64) -> bool {
        self.length * length + self.rounding(length) < f64::from(self.least)
    }

    /// Takes the items of a tile that may enter the list.
    fn offer(&mut self, items: &[u32], products: &[f32; LANES], count: usize, seen: &[u32]) {
        for (item, product) in items.iter().zip(products) {
            let enters = *product >= self.least && product.is_finite() && *item != NOTHING;
            if enters && seen.binary_search(item).is_err() {
                self.found.push((*item, f64::from(*product)));
            }
        }
        if self.found.len() >= count.saturating_mul(2).max(LANES) {
            self.keep(count);
        }
    }

    fn keep(&mut self, count: usize) {
        keep_best(&mut self.found, count);
        if let (true, Some((_, least))) = (self.found.len() == count, self.found.last()) {
            self.least = *least as f32;
        }
    }
}

/// The lists of some users.
fn search(
    mut searches: Vec<Search>,
    packed: &Packed,
    count: usize,
    wanted: &Wanted<'_>,
    room: &mut Room,
) -> Vec<Vec<(u32, f64)>> {
    let mut active: Vec<usize> = (0..searches.len())
        .filter(|index| searches[*index].length > 0.0 && searches[*index].length.is_finite())
        .collect();
    for block in packed.blocks() {
        active.retain(|index| !searches[*index].is_done(block.length));
        if active.is_empty() {
            break;
        }
        for together in active.chunks(TOGETHER) {
            pass(&block, packed, &mut searches, together, room);
            let tiles = block.items.chunks_exact(LANES).zip(&room.products).zip(&room.reached);
            for ((items, products), reached) in tiles {
                for ((index, products), _) in
                    together.iter().zip(products).zip(reached).filter(|(_, reached)| **reached)
                {
                    let seen = wanted.seen_by(searches[*index].user);
                    searches[*index].offer(items, products, count, seen);
                }
            }
            for index in together {
                if searches[*index].found.len() > count {
                    searches[*index].keep(count);
                }
            }
        }
    }
    let finished = searches.into_iter().map(|mut search| {
        search.keep(count);
        search.found.shrink_to_fit();
        search.found
    });
    finished.collect()
}

/// Computes the products of up to [`TOGETHER`] users with a block.
fn pass(block: &Block<'_>, packed: &Packed, searches: &mut [Search], together: &[usize], room: &mut Room) {
    let tiles = block.items.len() / LANES;
    room.products.resize(tiles, [[0.0; LANES]; TOGETHER]);
    room.reached.resize(tiles, [false; TOGETHER]);
    // The missing users of the last few are the first again.
    let of: [&Search; TOGETHER] = std::array::from_fn(|slot| &searches[*together.get(slot).unwrap_or(&together[0])]);
    let estimated =
        |search: &Search| (f64::from(search.least) - 2.0 * search.rounding(block.length)).next_down() as f32;
    let users = Users {
        rows: of.map(|search| search.row.as_slice()),
        tails: of.map(|search| search.tail),
        least: of.map(|search| search.least),
        estimated_least: of.map(estimated),
    };
    multiply(block, packed.head, &users, &mut room.products, &mut room.reached);
}
