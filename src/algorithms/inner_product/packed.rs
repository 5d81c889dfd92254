//! Items regrouped for the inner loop, those with the longest factors first, and the loop itself.

use crate::algorithms::wanted::Wanted;
use ndarray::{Array2, ArrayView1};

/// Items in a tile, whose products are computed side by side.
pub(super) const LANES: usize = 16;

/// Users whose products with a tile are computed at once.
pub(super) const TOGETHER: usize = 4;

/// Tiles between two looks at who is done.
const TILES: usize = 16;

/// The products of some users with the items of a tile.
pub(super) type Products = [[f32; LANES]; TOGETHER];

/// The items that can be in a list, by descending length.
pub(super) struct Packed {
    pub(super) factors: usize,
    /// Factors that are multiplied before a tile is judged for the first time.
    pub(super) head: usize,
    /// Tile after tile, in each factor after factor, of each the [`LANES`] items; the last tile is padded with zeros.
    values: Vec<f32>,
    /// The items, and in the last tile [`NOTHING`].
    items: Vec<u32>,
    /// Of each item's factors behind the head, rounded up.
    tails: Vec<f32>,
    /// Of the longest item of a tile.
    lengths: Vec<f64>,
}

/// In place of an item.
pub(super) const NOTHING: u32 = u32::MAX;

/// Some tiles.
pub(super) struct Block<'a> {
    pub(super) values: &'a [f32],
    pub(super) items: &'a [u32],
    pub(super) tails: &'a [f32],
    /// Of the longest item in it.
    pub(super) length: f64,
}

impl Packed {
    /// Leaves out what is not eligible, has no factor but zeros or one that is not finite.
    pub(super) fn new(items: &Array2<f32>, wanted: &Wanted<'_>) -> Self {
        let factors = items.ncols();
        let head = (factors / 4).next_multiple_of(4).min(factors);
        let eligible = (0..items.nrows() as u32).filter(|item| wanted.is_eligible(*item));
        let length_of = |item: u32| (item, length(items.row(item as usize)));
        let mut order: Vec<(u32, f64)> = eligible.map(length_of).filter(|(_, l)| *l > 0.0 && l.is_finite()).collect();
        order.sort_unstable_by(crate::algorithms::top::best_first);
        let padded = order.len().next_multiple_of(LANES);
        let mut values = vec![0.0; padded * factors];
        let mut tails = vec![0.0; padded];
        for (place, (item, _)) in order.iter().enumerate() {
            let row = items.row(*item as usize);
            let start = place / LANES * LANES * factors + place % LANES;
            let slots = values.iter_mut().skip(start).step_by(LANES);
            slots.zip(row).for_each(|(slot, value)| *slot = *value);
            tails[place] = rounded_up(length(row.slice(ndarray::s![head..])));
        }
        let lengths = order.iter().step_by(LANES).map(|(_, length)| *length).collect();
        let mut items: Vec<u32> = order.into_iter().map(|(item, _)| item).collect();
        items.resize(padded, NOTHING);
        Self { factors, head, values, items, tails, lengths }
    }

    /// The tiles by blocks, longest first.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let lanes = self.items.chunks(TILES * LANES).zip(self.tails.chunks(TILES * LANES));
        let lengths = self.lengths.iter().step_by(TILES);
        let blocks = self.values.chunks((TILES * LANES * self.factors).max(1)).zip(lanes).zip(lengths);
        blocks.map(|((values, (items, tails)), length)| Block { values, items, tails, length: *length })
    }
}

/// Euclidean; NaN or infinite where a value is.
pub(super) fn length(row: ArrayView1<'_, f32>) -> f64 {
    row.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt()
}

/// A single-precision number at or above a length.
pub(super) fn rounded_up(length: f64) -> f32 {
    (length * (1.0 + f64::from(f32::EPSILON)) + f64::from(f32::MIN_POSITIVE)) as f32
}

/// Some users, row after row, with what their products are judged by.
pub(super) struct Users<'a> {
    pub(super) rows: [&'a [f32]; TOGETHER],
    /// Lengths of their factors behind the head, rounded up.
    pub(super) tails: [f32; TOGETHER],
    /// What a score must reach to matter.
    pub(super) least: [f32; TOGETHER],
    /// The same less what rounding can take away from the estimate.
    pub(super) estimated_least: [f32; TOGETHER],
}

vectorized! {
    /// The products of users with the items of a block, for each tile and user whether any reaches what it must. Where
    /// none does, products may be partial.
    ///
    /// Each is the sum over the factors in their order, from zero, in single precision.
    pub(super) fn multiply(
        block: &Block<'_>,
        head: usize,
        users: &Users<'_>,
        products: &mut [Products],
        reached: &mut [[bool; TOGETHER]],
    ) {
        let [a, b, c, d] = users.rows;
        let (head_of_a, tail_of_a) = a.split_at(head);
        let (head_of_b, tail_of_b) = b.split_at(head);
        let (head_of_c, tail_of_c) = c.split_at(head);
        let (head_of_d, tail_of_d) = d.split_at(head);
        let tiles = block.values.chunks_exact(LANES * a.len()).zip(block.tails.as_chunks::<LANES>().0);
        for (((tile, tails), products), reached) in tiles.zip(products).zip(reached) {
            let (head, tail) = tile.split_at(head * LANES);
            let mut sums = [[0.0; LANES]; TOGETHER];
            add_products(head, [head_of_a, head_of_b, head_of_c, head_of_d], &mut sums);
            let mut any = false;
            for (user, sums) in sums.iter().enumerate() {
                any |= may_reach(sums, tails, users.tails[user], users.estimated_least[user]);
            }
            *reached = [false; TOGETHER];
            if any {
                add_products(tail, [tail_of_a, tail_of_b, tail_of_c, tail_of_d], &mut sums);
                for (user, sums) in sums.iter().enumerate() {
                    reached[user] = may_reach(sums, &[0.0; LANES], 0.0, users.least[user]);
                }
                *products = sums;
            }
        }
    }
}

/// Whether any product may reach something once products of the tails are added.
#[inline(always)]
fn may_reach(sums: &[f32; LANES], tails: &[f32; LANES], tail: f32, least: f32) -> bool {
    let mut any = false;
    for lane in 0..LANES {
        any |= sums[lane] + tail * tails[lane] >= least;
    }
    any
}

#[inline(always)]
fn add_products(tile: &[f32], [a, b, c, d]: [&[f32]; TOGETHER], sums: &mut Products) {
    let [mut first, mut second, mut third, mut fourth] = *sums;
    for ((((values, a), b), c), d) in tile.as_chunks::<LANES>().0.iter().zip(a).zip(b).zip(c).zip(d) {
        for lane in 0..LANES {
            first[lane] += a * values[lane];
        }
        for lane in 0..LANES {
            second[lane] += b * values[lane];
        }
        for lane in 0..LANES {
            third[lane] += c * values[lane];
        }
        for lane in 0..LANES {
            fourth[lane] += d * values[lane];
        }
    }
    *sums = [first, second, third, fourth];
}
