//! What acting on the most probable rows first would bring.

use super::Ranking;
use crate::metrics::ratio;
use serde::Serialize;

/// One of equally large slices of the rows ordered by probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// From 1, the most probable.
    pub slice: usize,
    /// Rows in it.
    pub rows: usize,
    /// Positive rows in it. Rows of equal probability share their positives evenly across a border
    /// between slices, so this may be a fraction.
    pub positives: f64,
    /// Mean probability in it.
    pub mean_probability: f64,
    /// Its share of positives over that of all rows; `None` without positives.
    pub lift: Option<f64>,
    /// The share of all positives in this slice and those before; `None` without positives.
    pub gain: Option<f64>,
}

impl Ranking {
    /// Lift and cumulative gain of `count` slices, 10 for deciles. Sizes differ by at most one, the
    /// larger ones first, as SQL's `NTILE`; with fewer rows than slices the last are left out.
    pub fn slices(&self, count: usize) -> Vec<Slice> {
        let shares = self.shared_outcomes();
        let (rows, positives) = (self.rows(), self.positives() as f64);
        let rate = positives / rows as f64;
        let mut rest = shares.as_slice();
        let mut gained = 0.0;
        let mut slices = Vec::with_capacity(count);
        for slice in 1..=count.min(rows) {
            let size = rows / count + usize::from(slice <= rows % count);
            let (own, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            let found: f64 = own.iter().map(|(outcome, _)| outcome).sum();
            gained += found;
            slices.push(Slice {
                slice,
                rows: size,
                positives: found,
                mean_probability: own.iter().map(|(_, p)| p).sum::<f64>() / size as f64,
                lift: ratio(found / size as f64, rate),
                gain: ratio(gained, positives),
            });
        }
        slices
    }

    /// Rows from the most probable: the share of positives among those of the same probability,
    /// and that probability.
    fn shared_outcomes(&self) -> Vec<(f64, f64)> {
        let mut shares = Vec::with_capacity(self.rows());
        self.each_level(|probability, positives, negatives| {
            let rows = positives + negatives;
            shares.resize(shares.len() + rows as usize, (positives / rows, probability));
        });
        shares
    }
}
