//! Intervals of measures of many classes, by resamples of the rows.

use super::{ClassMeasure, ClassPredictions, ConfusionMatrix};
use crate::metrics::classification::resample::{interval, resampled, resampled_intervals, seeds};
use crate::metrics::classification::{BinaryMeasure, sweep};
use crate::metrics::intervals::Interval;
use rand::Rng;

impl ClassPredictions {
    /// Intervals of several measures from the same resamples, in the order of `measures`. `None`
    /// where a measure does not exist on all rows. The result depends on the numbers of `rng`, not on
    /// the number of threads.
    pub fn intervals(&self, measures: &[ClassMeasure], resamples: usize, rng: &mut impl Rng) -> Vec<Option<Interval>> {
        let (cells, count) = (self.cells(), self.class_count());
        resampled_intervals([(&cells, count * count)], measures.len(), resamples, rng, |[cells]| {
            let matrix = ConfusionMatrix::of_cells(cells, count);
            measures.iter().map(|&measure| matrix.measure(measure)).collect()
        })
    }

    /// Intervals of this model's measures minus those of `other` on the same rows. All `None` when
    /// the rows or their classes differ.
    pub fn difference_intervals(
        &self,
        other: &ClassPredictions,
        measures: &[ClassMeasure],
        resamples: usize,
        rng: &mut impl Rng,
    ) -> Vec<Option<Interval>> {
        if self.classes != other.classes {
            return vec![None; measures.len()];
        }
        let (own, theirs) = (self.cells(), other.cells());
        let counts = [self.class_count(), other.class_count()];
        let models = [(own.as_slice(), counts[0] * counts[0]), (theirs.as_slice(), counts[1] * counts[1])];
        resampled_intervals(models, measures.len(), resamples, rng, |[own, theirs]| {
            let (own, theirs) =
                (ConfusionMatrix::of_cells(own, counts[0]), ConfusionMatrix::of_cells(theirs, counts[1]));
            measures.iter().map(|&measure| Some(own.measure(measure)? - theirs.measure(measure)?)).collect()
        })
    }

    /// The interval of [`ClassPredictions::roc_auc`]. Resamples that lack a class are left out.
    pub fn roc_auc_interval(&self, resamples: usize, rng: &mut impl Rng) -> Option<Interval> {
        let seeds = seeds(resamples, rng);
        interval(self.roc_auc()?, self.resampled_roc_auc(&seeds).into_iter().flatten().collect())
    }

    /// By seed: the mean over the classes that have a ROC AUC on all rows. The same seed draws the
    /// same rows for each class, so that classes can be handled one after the other, each in little
    /// memory.
    fn resampled_roc_auc(&self, seeds: &[u64]) -> Vec<Option<f64>> {
        let mut sums = vec![Some(0.0); seeds.len()];
        let mut count = 0.0;
        for class in 0..self.class_count() {
            let Some(ranking) = self.one_vs_rest(class).filter(|ranking| ranking.roc_auc().is_some()) else { continue };
            count += 1.0;
            let found = resampled([ranking.slots()], seeds, |[counts]| sweep(counts, 0).get(BinaryMeasure::RocAuc));
            for (sum, found) in sums.iter_mut().zip(found) {
                *sum = sum.zip(found).map(|(sum, found)| sum + found);
            }
        }
        sums.into_iter().map(|sum| sum.filter(|_| count > 0.0).map(|sum| sum / count)).collect()
    }

    /// By row: its cell of the confusion matrix.
    fn cells(&self) -> Vec<u32> {
        let count = self.class_count() as u32;
        self.classes.iter().zip(&self.predicted).map(|(class, predicted)| class * count + predicted).collect()
    }
}
