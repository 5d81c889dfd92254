//! Isotonic regression.

use super::{CalibrateError, Rows};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The rising function of the score with the least Σ weight · (outcome − probability)², by pooling
/// adjacent violators (Ayer et al. 1955). Rows of equal score count as one. Between the scores of
/// two neighboring blocks the probability is interpolated linearly, below the lowest and above the
/// highest score it stays constant, as scikit-learn's `IsotonicRegression(out_of_bounds="clip")`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// The first and the last score of each block (once where it has one), ascending.
    scores: Vec<f64>,
    /// The probability at each, ascending.
    probabilities: Vec<f64>,
}

/// Scores that share a probability.
#[derive(Clone, Copy)]
struct Block {
    first: f64,
    last: f64,
    weight: f64,
    /// Σ weights of the positive rows.
    positives: f64,
}

impl Block {
    fn probability(&self) -> f64 {
        self.positives / self.weight
    }

    fn pool(&mut self, next: &Block) {
        self.last = next.last;
        self.weight += next.weight;
        self.positives += next.positives;
    }
}

impl Isotonic {
    /// Fits on scores and outcomes; `weights` are 1 without any, and rows of weight zero are left
    /// out. Scores that fall with the outcome pool into one block: the share of positives.
    ///
    /// # Errors
    /// On no rows, differing lengths, scores that are not finite, illegal weights and one class.
    pub fn fit(scores: &[f64], positive: &[bool], weights: Option<&[f64]>) -> Result<Self, CalibrateError> {
        let rows = Rows::new(scores, positive, weights)?;
        let mut blocks: Vec<Block> = Vec::new();
        for tied in ordered(&rows).chunk_by(|a, b| a.first == b.first) {
            let mut block = Block { first: f64::NAN, last: f64::NAN, weight: 0.0, positives: 0.0 };
            tied.iter().for_each(|row| block.pool(row));
            block.first = block.last;
            while let Some(before) = blocks.pop_if(|before| before.probability() >= block.probability()) {
                let next = std::mem::replace(&mut block, before);
                block.pool(&next);
            }
            blocks.push(block);
        }
        let mut found = Self { scores: Vec::new(), probabilities: Vec::new() };
        for block in &blocks {
            let ends = if block.first == block.last { 1 } else { 2 };
            found.scores.extend([block.first, block.last].iter().take(ends));
            found.probabilities.extend(std::iter::repeat_n(block.probability(), ends));
        }
        Ok(found)
    }

    /// The probability of the positive class: NaN for NaN, that of the ends for infinite scores.
    pub fn of(&self, score: f64) -> f64 {
        if score.is_nan() {
            return score;
        }
        let above = self.scores.partition_point(|&known| known <= score);
        let point = |at: usize| Some((*self.scores.get(at)?, *self.probabilities.get(at)?));
        match (above.checked_sub(1).and_then(point), point(above)) {
            (Some((low, from)), Some((high, to))) => {
                // Halves, since the difference of the largest numbers overflows.
                let way = (score / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
                // Halves of the smallest numbers may be equal, and rounding may overshoot.
                if way.is_finite() { (from + (to - from) * way).clamp(from, to) } else { from }
            }
            (Some((_, end)), None) | (None, Some((_, end))) => end,
            (None, None) => f64::NAN,
        }
    }

    /// The points between which it interpolates: scores and probabilities, both ascending.
    pub fn points(&self) -> impl ExactSizeIterator<Item = (f64, f64)> + '_ {
        self.scores.iter().copied().zip(self.probabilities.iter().copied())
    }
}

/// One block a row of some weight, by ascending score, then by position.
fn ordered(rows: &Rows<'_>) -> Vec<Block> {
    // Adding zero turns −0 into 0.
    let block = |(score, positive, weight): (f64, bool, f64)| {
        let score = score + 0.0;
        Block { first: score, last: score, weight, positives: if positive { weight } else { 0.0 } }
    };
    let mut ordered: Vec<Block> = rows.blocks().flatten().map(block).filter(|block| block.weight > 0.0).collect();
    // Stable, so that sums of ties are in the order of the rows.
    ordered.par_sort_by(|a, b| a.first.total_cmp(&b.first));
    ordered
}
