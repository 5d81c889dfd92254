//! The best items of each user.
//!
//! All items are scanned in single precision for the few that may be among the best, given how
//! much rounding may have changed; those are scored again in double precision. So lists are exactly
//! what double precision gives, whatever the order of the scan.

use super::interest::Interest;
use super::scan::{LANES, Lanes, above, multiply};
use super::{Items, Similarity};
use crate::algorithms::sparse::Csr;
use crate::algorithms::top::{Accumulator, keep_best};
use crate::algorithms::wanted::Wanted;
use rayon::prelude::*;
use std::ops::Range;

/// Panels of interests that share a pass over a block of items: the more, the seldomer vectors are
/// fetched from memory, …
const PANELS_OF_VECTORS: usize = 8;

/// … but the less of the panels, of which sparse entries meet anything anywhere, stays in the cache.
const PANELS_OF_TERMS: usize = 2;

/// Items of which the keys are held at a time.
const BLOCK_ITEMS: usize = 64;

/// Multiplications that [`recommend`] will make for so many users. A caller refuses beforehand what
/// is too much; ten billion take about a second of a core where they are of vectors, three of sparse entries.
pub fn cost(items: &Items, users: usize) -> u64 {
    (items.entries() as u64).saturating_mul(users as u64)
}

/// The `top` items most alike to each user's interest, of the users of the range, best first, of
/// equal ones the lower index first; `histories` is users × items with weights, such as counts that
/// fade with time.
///
/// The interest is the mean of the vectors of the user's items, weighted with the weights above
/// zero; items without description do not count. A user without a described item gets no list, and
/// an item without description is never on one. Cosines and correlations are given above zero only;
/// one that vanishes in single precision (1e-38) is zero. Time is that of [`cost`]; memory is that
/// of the lists, and for each thread 128 bytes a column, or 512 where vectors are most of the description.
pub fn recommend(
    histories: &Csr,
    items: &Items,
    similarity: Similarity,
    users: Range<usize>,
    top: usize,
    wanted: &Wanted<'_>,
) -> Vec<Vec<(u32, f64)>> {
    if top == 0 {
        return vec![Vec::new(); users.len()];
    }
    let keys = Keys::new(items, similarity, wanted);
    let panels = panels(items);
    let size = LANES * panels;
    let batches: Vec<Range<usize>> =
        users.clone().step_by(size).map(|first| first..(first + size).min(users.end)).collect();
    let lists = batches.into_par_iter().map_init(
        || Batch::new(items, panels),
        |batch, users| batch.recommend(histories, items, &keys, users, top, wanted),
    );
    lists.flatten_iter().collect()
}

/// By what there is most to multiply.
fn panels(items: &Items) -> usize {
    let vectors = items.dimensions.saturating_mul(items.len());
    if vectors > items.entries() / 5 * 4 { PANELS_OF_VECTORS } else { PANELS_OF_TERMS }
}

/// What turns the product of an interest u with an item v into a key that ranks as the similarity
/// does: factor · u·v + offset · shift, where only the shift depends on u.
struct Keys {
    similarity: Similarity,
    /// NaN where an item is not to be found.
    factors: Vec<f32>,
    offsets: Vec<f32>,
    /// What rounding may change of a key: this of |u| …
    rounding: f64,
    /// … and this of the shift.
    rounding_of_shift: f64,
}

impl Keys {
    fn new(items: &Items, similarity: Similarity, wanted: &Wanted<'_>) -> Self {
        let found = |item: usize| (items.is_described(item) && wanted.is_eligible(item as u32)).then_some(());
        let key = |item: usize| {
            found(item)?;
            let shape = items.shapes[item];
            match similarity {
                Similarity::Cosine => Some((1.0 / shape.square.sqrt(), 0.0)),
                Similarity::Euclidean => Some((1.0, -shape.square / 2.0)),
                Similarity::Pearson => {
                    let spread = shape.spread(items.columns())?.sqrt();
                    Some((1.0 / spread, -shape.sum / spread))
                }
            }
        };
        let keys: Vec<(f64, f64)> = (0..items.len()).map(|item| key(item).unwrap_or((f64::NAN, f64::NAN))).collect();
        // `max` passes over NaN.
        let lengths = keys.iter().zip(&items.shapes).map(|(key, shape)| key.0 * shape.square.sqrt());
        let greatest_length = lengths.fold(0.0, f64::max);
        let greatest_offset = keys.iter().fold(0.0, |most: f64, key| most.max(key.1.abs()));
        // A sum of n rounded products of rounded numbers is off by less than n + 8 roundings of the
        // lengths (Higham 2002, section 3.1), key and all.
        let roundings = (items.longest() + 8) as f64 * f64::from(f32::EPSILON) / 2.0;
        let share = if roundings < 0.5 { roundings / (1.0 - roundings) } else { f64::INFINITY };
        Self {
            similarity,
            factors: keys.iter().map(|key| key.0 as f32).collect(),
            offsets: keys.iter().map(|key| key.1 as f32).collect(),
            rounding: share * greatest_length,
            rounding_of_shift: share * greatest_offset,
        }
    }

    /// What an interest is divided by before the scan, and its shift; none when it is alike to nothing.
    fn scale_and_shift(&self, items: &Items, interest: &Interest) -> Option<(f64, f64)> {
        let shape = interest.shape;
        let length = shape.square.sqrt();
        let columns = items.columns();
        match self.similarity {
            Similarity::Cosine => (length > 0.0).then_some((length, 0.0)),
            Similarity::Euclidean => Some((1.0, 1.0)),
            Similarity::Pearson => shape.spread(columns).map(|_| (length, shape.sum / length / columns as f64)),
        }
    }

    /// The key above which the scan starts to look, given what rounding may change.
    fn least(&self, items: &Items, margin: f64) -> f32 {
        match self.similarity {
            Similarity::Cosine if items.is_positive => 0.0,
            Similarity::Cosine | Similarity::Pearson => (-margin as f32).next_down(),
            Similarity::Euclidean => f32::NEG_INFINITY,
        }
    }
}

/// One user in a scan.
struct Seeker {
    /// Which of the users of the batch.
    place: usize,
    interest: Interest,
    shift: f32,
    /// What rounding may change of a key.
    margin: f64,
    /// Keys of items that may be among the best are above it.
    threshold: f32,
    candidates: Vec<(u32, f64)>,
    /// Candidates that make it worthwhile to raise the threshold.
    enough: usize,
}

impl Seeker {
    fn offer(&mut self, item: u32, key: f32, top: usize) {
        self.candidates.push((item, f64::from(key)));
        if self.candidates.len() >= self.enough {
            self.raise(top);
            self.enough = self.candidates.len().saturating_mul(2).max(self.enough);
        }
    }

    /// Raises the threshold to what the best so far leave possible, and drops what is not above it.
    fn raise(&mut self, top: usize) {
        if self.candidates.len() <= top {
            return;
        }
        let (_, last, _) = self.candidates.select_nth_unstable_by(top - 1, |a, b| b.1.total_cmp(&a.1));
        // The last of them may be less by the margin, another one more.
        let possible = ((last.1 - 2.0 * self.margin) as f32).next_down();
        self.threshold = self.threshold.max(possible);
        let threshold = f64::from(self.threshold);
        self.candidates.retain(|candidate| candidate.1 > threshold);
    }

    /// The best candidates by their similarity in double precision.
    fn best(mut self, items: &Items, similarity: Similarity, top: usize) -> Vec<(u32, f64)> {
        self.raise(top);
        let exact = |&(item, _): &(u32, f64)| {
            let product = self.interest.product(items, item as usize);
            let shape = items.shapes[item as usize];
            let score = similarity.of(product, self.interest.shape, shape, items.columns())?;
            (score > 0.0).then_some((item, score))
        };
        let mut best: Vec<(u32, f64)> = self.candidates.iter().filter_map(exact).collect();
        keep_best(&mut best, top);
        best.shrink_to_fit();
        best
    }
}

/// What a thread needs for some users at a time.
struct Batch {
    sums: Accumulator,
    /// For each panel the interests of its lanes, column by column.
    sparse: Vec<Vec<Lanes>>,
    dense: Vec<Vec<Lanes>>,
    products: Vec<Lanes>,
    found: Vec<usize>,
}

impl Batch {
    fn new(items: &Items, panels: usize) -> Self {
        Self {
            sums: Accumulator::new(items.sparse_columns),
            sparse: vec![vec![Lanes::ZERO; items.sparse_columns]; panels],
            dense: vec![vec![Lanes::ZERO; items.dimensions]; panels],
            products: vec![Lanes::ZERO; BLOCK_ITEMS],
            found: Vec::new(),
        }
    }

    fn recommend(
        &mut self,
        histories: &Csr,
        items: &Items,
        keys: &Keys,
        users: Range<usize>,
        top: usize,
        wanted: &Wanted<'_>,
    ) -> Vec<Vec<(u32, f64)>> {
        let mut lists = vec![Vec::new(); users.len()];
        let mut seekers = Vec::new();
        for (place, user) in users.clone().enumerate() {
            let interest = Interest::of(items, histories, user, &mut self.sums);
            seekers.extend(interest.and_then(|interest| seeker(place, interest, items, keys, top)));
        }
        self.fill(&seekers, items, keys);
        for first in (0..items.len()).step_by(BLOCK_ITEMS) {
            for (panel, seekers) in seekers.chunks_mut(LANES).enumerate() {
                self.scan(panel, seekers, items, keys, first);
                for &row in &self.found {
                    let item = (first + row) as u32;
                    for (seeker, &key) in seekers.iter_mut().zip(&self.products[row].0) {
                        if key > seeker.threshold
                            && wanted.seen_by(users.start + seeker.place).binary_search(&item).is_err()
                        {
                            seeker.offer(item, key, top);
                        }
                    }
                }
            }
        }
        self.clear(&seekers);
        for seeker in seekers {
            let place = seeker.place;
            lists[place] = seeker.best(items, keys.similarity, top);
        }
        lists
    }

    /// Keys of a block of items for the seekers of a panel, and which rows have one to look at.
    fn scan(&mut self, panel: usize, seekers: &[Seeker], items: &Items, keys: &Keys, first: usize) {
        let block = first..(first + BLOCK_ITEMS).min(items.len());
        let products = &mut self.products[..block.len()];
        let (mut shifts, mut thresholds) = (Lanes::ZERO, Lanes([f32::INFINITY; LANES]));
        for (lane, seeker) in seekers.iter().enumerate() {
            (shifts.0[lane], thresholds.0[lane]) = (seeker.shift, seeker.threshold);
        }
        multiply(items, first, &self.sparse[panel], &self.dense[panel], products);
        let (factors, offsets) = (&keys.factors[block.clone()], &keys.offsets[block]);
        above(products, factors, offsets, &shifts, &thresholds, &mut self.found);
    }

    fn fill(&mut self, seekers: &[Seeker], items: &Items, keys: &Keys) {
        for (panel, seekers) in seekers.chunks(LANES).enumerate() {
            for (lane, seeker) in seekers.iter().enumerate() {
                let scale = keys.scale_and_shift(items, &seeker.interest).map_or(1.0, |(scale, _)| scale);
                for &(term, value) in &seeker.interest.terms {
                    self.sparse[panel][term as usize].0[lane] = (value / scale) as f32;
                }
                for (lanes, value) in self.dense[panel].iter_mut().zip(&seeker.interest.vector) {
                    lanes.0[lane] = (value / scale) as f32;
                }
            }
        }
    }

    /// Zeros where the seekers' terms were; dimensions are all written each time.
    fn clear(&mut self, seekers: &[Seeker]) {
        for (panel, seekers) in seekers.chunks(LANES).enumerate() {
            for term in seekers.iter().flat_map(|seeker| &seeker.interest.terms) {
                self.sparse[panel][term.0 as usize] = Lanes::ZERO;
            }
            self.dense[panel].fill(Lanes::ZERO);
        }
    }
}

fn seeker(place: usize, interest: Interest, items: &Items, keys: &Keys, top: usize) -> Option<Seeker> {
    let (scale, shift) = keys.scale_and_shift(items, &interest)?;
    // Of values near the least that single precision holds nothing is known: 1e-20 covers them.
    let length = interest.shape.square.sqrt() / scale;
    let margin = keys.rounding * length + keys.rounding_of_shift * shift.abs() + 1e-20;
    Some(Seeker {
        place,
        interest,
        shift: shift as f32,
        margin,
        threshold: keys.least(items, margin),
        candidates: Vec::new(),
        enough: top.saturating_mul(4).saturating_add(64),
    })
}
