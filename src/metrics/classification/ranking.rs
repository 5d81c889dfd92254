//! Rows by the distinct values of a score: what is measured of an order, whatever the score means.

use super::resample::resampled_intervals;
use super::sweep::{BinaryMeasure, Swept, sweep};
use crate::metrics::intervals::Interval;
use crate::metrics::{MetricError, check_lengths};
use rand::Rng;
use rayon::prelude::*;

/// Outcomes and scores (decision values, log-odds, probabilities), ordered once for all measures.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// By row: twice its level, plus one where the outcome is positive.
    slots: Vec<u32>,
    /// The distinct scores, from the highest.
    scores: Vec<f64>,
    /// By slot: its rows.
    counts: Vec<u32>,
}

impl Ranking {
    /// Infinite scores are legal; 0 and −0 are equal.
    ///
    /// # Errors
    /// On no rows, differing lengths, more than 2,147,483,647 rows, and NaN.
    pub fn new(truth: &[bool], scores: &[f64]) -> Result<Self, MetricError> {
        check_lengths(truth.len(), scores.len())?;
        let invalid = scores.iter().filter(|score| score.is_nan()).count();
        if invalid > 0 || truth.len() > i32::MAX as usize {
            return Err(MetricError::Invalid(invalid));
        }
        // Adding zero turns −0 into 0.
        let mut ordered: Vec<(f64, u32)> = scores.iter().zip(0_u32..).map(|(score, row)| (score + 0.0, row)).collect();
        ordered.par_sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut found = Self { slots: vec![0; truth.len()], scores: Vec::new(), counts: Vec::new() };
        for (score, row) in ordered {
            if found.scores.last() != Some(&score) {
                found.scores.push(score);
                found.counts.extend([0, 0]);
            }
            let positive = truth.get(row as usize).is_some_and(|truth| *truth);
            let slot = 2 * (found.scores.len() - 1) + usize::from(positive);
            if let (Some(own), Some(count)) = (found.slots.get_mut(row as usize), found.counts.get_mut(slot)) {
                *own = slot as u32;
                *count += 1;
            }
        }
        Ok(found)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.slots.len()
    }

    /// The number of rows with a positive outcome.
    pub fn positives(&self) -> usize {
        self.counts.iter().skip(1).step_by(2).map(|&count| count as usize).sum()
    }

    /// The outcome of each row.
    pub(super) fn truth(&self) -> impl Iterator<Item = bool> + '_ {
        self.slots.iter().map(|slot| slot % 2 == 1)
    }

    /// By row: its level, counted from the highest score.
    pub(super) fn levels(&self) -> impl Iterator<Item = usize> + '_ {
        self.slots.iter().map(|slot| (slot / 2) as usize)
    }

    /// By row: twice its level, plus one where the outcome is positive; and the number of such slots.
    pub(in crate::metrics) fn slots(&self) -> (&[u32], usize) {
        (&self.slots, self.counts.len())
    }

    /// Area under the ROC curve: the chance that a positive row is given a higher score than a
    /// negative one, equal ones counting half. `None` when all outcomes are the same.
    pub fn roc_auc(&self) -> Option<f64> {
        self.measure(BinaryMeasure::RocAuc, f64::NAN)
    }

    /// Average precision, the area under the steps of the precision–recall curve:
    /// Σ (recallₙ − recallₙ₋₁) precisionₙ over the distinct scores from the highest. `None` without
    /// positive outcomes.
    pub fn average_precision(&self) -> Option<f64> {
        self.measure(BinaryMeasure::AveragePrecision, f64::NAN)
    }

    /// The two-sample Kolmogorov–Smirnov statistic: the largest |true positive rate − false positive
    /// rate| over all thresholds. `None` when all outcomes are the same.
    pub fn ks(&self) -> Option<f64> {
        self.measure(BinaryMeasure::Ks, f64::NAN)
    }

    /// Any measure; `threshold` matters to those of decisions only (predicted at or above it, NaN
    /// predicts nothing).
    pub fn measure(&self, measure: BinaryMeasure, threshold: f64) -> Option<f64> {
        self.swept(threshold).get(measure)
    }

    /// All measures of decisions and of the order in one pass.
    pub(super) fn swept(&self, threshold: f64) -> Swept {
        sweep(&self.counts, self.cut(threshold))
    }

    /// Intervals of several measures from the same resamples, in the order of `measures`: see
    /// [`crate::metrics::intervals`]. `None` where a measure does not exist on all rows. One sort
    /// for all resamples; the result depends on the numbers of `rng`, not on the number of threads.
    pub fn intervals(
        &self,
        measures: &[BinaryMeasure],
        threshold: f64,
        resamples: usize,
        rng: &mut impl Rng,
    ) -> Vec<Option<Interval>> {
        let cut = self.cut(threshold);
        let slots = self.ordered_slots();
        resampled_intervals([(&slots, self.counts.len())], measures.len(), resamples, rng, |[counts]| {
            let swept = sweep(counts, cut);
            measures.iter().map(|&measure| swept.get(measure)).collect()
        })
    }

    /// Intervals of this model's measures minus those of `other` on the same rows, each with its own
    /// threshold (`thresholds`: this one's, then the other's). All `None` when the rows or their
    /// outcomes differ.
    pub fn difference_intervals(
        &self,
        other: &Ranking,
        measures: &[BinaryMeasure],
        thresholds: [f64; 2],
        resamples: usize,
        rng: &mut impl Rng,
    ) -> Vec<Option<Interval>> {
        if self.rows() != other.rows() || !self.truth().eq(other.truth()) {
            return vec![None; measures.len()];
        }
        let cuts = [self.cut(thresholds[0]), other.cut(thresholds[1])];
        let (own, theirs) = self.paired_slots(other);
        let models = [(own.as_slice(), self.counts.len()), (theirs.as_slice(), other.counts.len())];
        resampled_intervals(models, measures.len(), resamples, rng, |[own, theirs]| {
            let (own, theirs) = (sweep(own, cuts[0]), sweep(theirs, cuts[1]));
            measures.iter().map(|&measure| Some(own.get(measure)? - theirs.get(measure)?)).collect()
        })
    }

    /// The number of levels at or above a threshold.
    fn cut(&self, threshold: f64) -> usize {
        self.scores.partition_point(|&score| score >= threshold)
    }

    /// The slots of all rows, ascending: resampling does not care for the order of rows, and this
    /// one is read and counted from front to back.
    fn ordered_slots(&self) -> Vec<u32> {
        let mut slots = Vec::with_capacity(self.rows());
        for (&count, slot) in self.counts.iter().zip(0_u32..) {
            slots.resize(slots.len() + count as usize, slot);
        }
        slots
    }

    /// The same, beside the slots of the same rows in another ranking.
    fn paired_slots(&self, other: &Ranking) -> (Vec<u32>, Vec<u32>) {
        let mut next = 0;
        let start = |&count: &u32| {
            next += count as usize;
            next - count as usize
        };
        let mut starts: Vec<usize> = self.counts.iter().map(start).collect();
        let mut theirs = vec![0; self.rows()];
        for (&slot, &their) in self.slots.iter().zip(&other.slots) {
            if let Some(place) = starts.get_mut(slot as usize) {
                if let Some(entry) = theirs.get_mut(*place) {
                    *entry = their;
                }
                *place += 1;
            }
        }
        (self.ordered_slots(), theirs)
    }

    /// Goes through the distinct scores from the highest, with the positive and negative rows at
    /// each.
    pub(super) fn each_level(&self, mut visit: impl FnMut(f64, f64, f64)) {
        for (&score, &[negatives, positives]) in self.scores.iter().zip(self.counts.as_chunks::<2>().0) {
            visit(score, f64::from(positives), f64::from(negatives));
        }
    }
}
