//! EASE: a linear model that predicts each item from the others in a closed form (Steck 2019, "Embarrassingly shallow
//! autoencoders for sparse data").

mod gram;
mod inverse;
mod recommend;
#[cfg(test)]
mod tests;
mod tiles;

pub use recommend::{because, recommend};

use super::sparse::Csr;
use rayon::prelude::*;
use tiles::Tiles;

/// What an item of a history adds to the score of each other item: items × items, row after row, with zeros on the
/// diagonal.
///
/// Kept in 32 bits: the rounding is a ten-millionth of a weight, far below what the regularization decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    items: usize,
    values: Vec<f32>,
}

/// Why there is no model.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EaseError {
    /// A regularization that is not above zero and finite.
    #[error("fit item weights: the regularization is {0} and must be above zero")]
    Regularization(f64),
    /// Products of weights that overflow, or weights so far apart that the regularization is lost in rounding.
    #[error("fit item weights: the matrix of products is not positive definite in 64 bits")]
    NotPositiveDefinite,
    /// It was told to stop.
    #[error("fit item weights: it was stopped")]
    Stopped,
}

/// Bytes that [`fit`] needs at most, the result included: 8 for every pair of items, and up to 5 kB for each item. Time is that of about
/// items³ multiplications. A caller refuses beforehand what is too much.
pub fn bytes(items: usize) -> u64 {
    let padded = (items as u64).div_ceil(tiles::SIZE as u64).saturating_mul(tiles::SIZE as u64);
    // Two triangles in 64 bits with whole tiles on the diagonal, of which the second makes room for the result in 32
    // bits; besides a column of tiles and the inverses of those on the diagonal.
    padded.saturating_mul(padded.saturating_add(3 * tiles::SIZE as u64)).saturating_mul(8)
}

/// Fits B = I − P diag(1 / diag P) with P = (XᵀX + λI)⁻¹, X being `interactions` (users × items) as they are, negative
/// weights too, and λ the `regularization`. The diagonal of B is zero. An item without interactions has zeros only.
///
/// Takes [`bytes`] of memory. Bits may differ between processors, whose multiplications of matrices are not all
/// rounded alike, but not with the number of threads.
///
/// # Errors
/// A regularization that is not above zero, sums that overflow, and when `keep_going`, asked between pieces of work,
/// said no.
pub fn fit(
    interactions: &Csr,
    regularization: f64,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Weights, EaseError> {
    if !(regularization > 0.0 && regularization.is_finite()) {
        return Err(EaseError::Regularization(regularization));
    }
    let gram = gram::regularized(interactions, regularization);
    let precision = inverse::invert(gram, keep_going)?;
    let weights = Weights::from_inverse(&precision, interactions.columns());
    if weights.values.iter().all(|value| value.is_finite()) { Ok(weights) } else { Err(EaseError::NotPositiveDefinite) }
}

impl Weights {
    fn from_inverse(inverse: &Tiles, items: usize) -> Self {
        let mut values = vec![0.0; items * items];
        let diagonal: Vec<f64> = (0..items).map(|item| inverse.get(item, item)).collect();
        values.par_chunks_mut(items.max(1)).enumerate().for_each(|(row, values)| {
            inverse.copy_row(row, &diagonal, values);
        });
        Self { items, values }
    }

    /// Weights that were fitted earlier, items × items, row after row. `None` when there are more or fewer, or any is
    /// not finite.
    pub fn from_values(items: usize, values: Vec<f32>) -> Option<Self> {
        let whole = items.checked_mul(items) == Some(values.len());
        (whole && values.iter().all(|value| value.is_finite())).then_some(Self { items, values })
    }

    /// All weights, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.items
    }

    /// What an item adds to the score of each; an item that does not exist nothing.
    pub fn of(&self, item: usize) -> &[f32] {
        if item < self.items { &self.values[item * self.items..(item + 1) * self.items] } else { &[] }
    }
}
