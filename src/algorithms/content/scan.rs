//! The inner loops: products of a block of items with [`LANES`] interests, side by side.
//!
//! Items lie row after row and are read once for all lanes. That costs the same for a user of a
//! thousand items as for one of three, and has no list of a frequent term to walk through.

use super::Items;

/// Interests handled at once.
pub(super) const LANES: usize = 16;

/// A number of each lane; one cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Lanes(pub(super) [f32; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; LANES]);
}

/// Items whose vectors are read together.
const TOGETHER: usize = 4;

vectorized! {
    /// Products of `products.len()` items from `first` on, which exist, with the interests of a
    /// panel: of all sparse columns, then of all dimensions.
    pub(super) fn multiply(items: &Items, first: usize, sparse: &[Lanes], dense: &[Lanes], products: &mut [Lanes]) {
        for (item, sums) in (first..).zip(products.iter_mut()) {
            *sums = Lanes::ZERO;
            let (terms, values) = items.row(item);
            for (&term, &value) in terms.iter().zip(values) {
                let interests = &sparse[term as usize];
                for lane in 0..LANES {
                    sums.0[lane] += value * interests.0[lane];
                }
            }
        }
        if dense.is_empty() {
            return;
        }
        let (whole, rest) = products.as_chunks_mut::<TOGETHER>();
        let after = first + whole.len() * TOGETHER;
        for (item, sums) in (first..).step_by(TOGETHER).zip(whole) {
            let vectors = std::array::from_fn(|offset| items.vector(item + offset));
            add_vectors(vectors, dense, sums);
        }
        for (item, sums) in (after..).zip(rest) {
            add_vectors([items.vector(item)], dense, std::array::from_mut(sums));
        }
    }
}

/// Adds the products of a few vectors with the interests.
#[inline(always)]
fn add_vectors<const N: usize>(vectors: [&[f32]; N], dense: &[Lanes], totals: &mut [Lanes; N]) {
    let mut sums = [Lanes::ZERO; N];
    let vectors = vectors.map(|vector| &vector[..dense.len()]);
    for (dimension, interests) in dense.iter().enumerate() {
        for row in 0..N {
            let value = vectors[row][dimension];
            for lane in 0..LANES {
                sums[row].0[lane] += value * interests.0[lane];
            }
        }
    }
    for row in 0..N {
        for lane in 0..LANES {
            totals[row].0[lane] += sums[row].0[lane];
        }
    }
}

vectorized! {
    /// Makes keys of products, factor · product + offset · shift, and notes which rows have a key above
    /// its lane's threshold. NaN is above nothing.
    pub(super) fn above(
        products: &mut [Lanes],
        factors: &[f32],
        offsets: &[f32],
        shifts: &Lanes,
        thresholds: &Lanes,
        found: &mut Vec<usize>,
    ) {
        found.clear();
        for (row, ((keys, &factor), &offset)) in products.iter_mut().zip(factors).zip(offsets).enumerate() {
            let mut any = false;
            for lane in 0..LANES {
                keys.0[lane] = factor * keys.0[lane] + offset * shifts.0[lane];
                any |= keys.0[lane] > thresholds.0[lane];
            }
            if any {
                found.push(row);
            }
        }
    }
}
