//! The inner loop of comparing an item with many: most similarities are too low for either list.

use super::measure::{Measure, Side};

/// Items compared at once: what is known of them fits the nearest cache.
pub(super) const BLOCK: usize = 256;

/// Similarities that are passed over at once where none of them is kept.
const AT_ONCE: usize = 16;

/// What is known of items, each slice with as many numbers as there are items.
#[derive(Clone, Copy)]
pub(super) struct Others<'a> {
    pub(super) factors: &'a [f64],
    pub(super) terms: &'a [f64],
    /// Below these similarities the item's own list has no use.
    pub(super) floors: &'a [f32],
}

/// Sums over common entries with some items, and where they matter the numbers of those entries.
#[derive(Clone)]
pub(super) struct Sums {
    pub(super) sums: [f64; BLOCK],
    pub(super) counts: [f64; BLOCK],
}

/// Items that may enter a list.
pub(super) struct Promising {
    similarities: [f32; BLOCK],
    places: [u16; BLOCK],
    count: usize,
}

impl Promising {
    pub(super) fn new() -> Self {
        Self { similarities: [0.0; BLOCK], places: [0; BLOCK], count: 0 }
    }

    /// Their places among the others and similarities.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let places = self.places[..self.count].iter();
        places.map(|place| (usize::from(*place), self.similarities[usize::from(*place)]))
    }
}

vectorized! {
    /// Finds those of some items, `BLOCK` at most, that have something in common with one, `side`, and whose
    /// similarity to it is at least `least` or at least their own floor.
    pub(super) fn look_through(
        measure: Measure,
        side: Side,
        others: Others<'_>,
        common: &Sums,
        least: f32,
        found: &mut Promising,
    ) {
        let count = others.floors.len();
        let (sums, counts) = (&common.sums[..count], &common.counts[..count]);
        let (factors, terms) = (&others.factors[..count], &others.terms[..count]);
        let similarities = &mut found.similarities[..count];
        measure.of_many(side, (factors, terms), (sums, counts), similarities);
        for (similarity, (sum, floor)) in similarities.iter_mut().zip(sums.iter().zip(others.floors)) {
            let keep = (*sum > 0.0) & (*similarity > 0.0) & ((*similarity >= least) | (*similarity >= *floor));
            *similarity = if keep { *similarity } else { 0.0 };
        }
        // Counted beside the struct: in memory each step would wait for the one before.
        let mut kept = 0;
        for (start, few) in (0..).step_by(AT_ONCE).zip(similarities.chunks(AT_ONCE)) {
            if few.iter().fold(0, |bits, similarity| bits | similarity.to_bits()) == 0 {
                continue;
            }
            for (place, similarity) in (start..).zip(few) {
                // Written in any case, since a branch would be guessed wrong often.
                found.places[kept] = place;
                kept += usize::from(*similarity > 0.0);
            }
        }
        found.count = kept;
    }
}
