//! What a user's purchases say of the user's interests.

use super::{Items, Shape};
use crate::algorithms::sparse::Csr;
use crate::algorithms::top::Accumulator;

/// The weighted mean of the vectors of what a user has.
pub(super) struct Interest {
    /// Sparse columns, ascending, with their values.
    pub(super) terms: Vec<(u32, f64)>,
    pub(super) vector: Vec<f64>,
    pub(super) shape: Shape,
}

impl Interest {
    /// None when nothing of what the user has, with a weight above zero, is described. `sums` has a
    /// place for each sparse column.
    pub(super) fn of(items: &Items, histories: &Csr, user: usize, sums: &mut Accumulator) -> Option<Self> {
        let counts = |entry: &(u32, f64)| entry.1 > 0.0 && items.is_described(entry.0 as usize);
        let had = || histories.pairs(user).filter(counts);
        // Relative to the greatest, so that the sum does not overflow.
        let greatest = had().fold(0.0, |most: f64, (_, weight)| most.max(weight));
        let total: f64 = had().map(|(_, weight)| weight / greatest).sum();
        if greatest == 0.0 {
            return None;
        }
        let mut vector = vec![0.0; items.dimensions];
        for (item, weight) in had() {
            let share = weight / greatest;
            let (terms, values) = items.row(item as usize);
            for (&term, &value) in terms.iter().zip(values) {
                sums.add(term, share * f64::from(value));
            }
            for (sum, &value) in vector.iter_mut().zip(items.vector(item as usize)) {
                *sum += share * f64::from(value);
            }
        }
        let mut terms: Vec<(u32, f64)> = sums.drain().map(|(term, sum)| (term, sum / total)).collect();
        terms.sort_unstable_by_key(|entry| entry.0);
        vector.iter_mut().for_each(|sum| *sum /= total);
        let values = || terms.iter().map(|entry| entry.1).chain(vector.iter().copied());
        let shape = Shape { square: values().map(|v| v * v).sum(), sum: values().sum() };
        Some(Self { terms, vector, shape })
    }

    /// The product with an item's vector.
    pub(super) fn product(&self, items: &Items, item: usize) -> f64 {
        let (terms, values) = items.row(item);
        let mut sum = 0.0;
        let mut rest = self.terms.as_slice();
        for (term, &value) in terms.iter().zip(values) {
            rest = &rest[rest.partition_point(|own| own.0 < *term)..];
            match rest.first() {
                None => break,
                Some(own) if own.0 == *term => sum += own.1 * f64::from(value),
                Some(_) => {}
            }
        }
        items.vector(item).iter().zip(&self.vector).fold(sum, |sum, (&value, own)| sum + f64::from(value) * own)
    }
}
