//! The penalized loss of a table, as a function of coefficients and intercepts.

use super::block::{Block, Center, Part, Scratch, evaluate};
use crate::algorithms::elastic::Penalty;
use crate::algorithms::tiles::BLOCK_ROWS;
use rayon::prelude::*;

/// Numbers in the gradients of blocks that are held at once, at most, and the most such blocks.
const NUMBERS_AT_ONCE: usize = 1 << 22;
const BLOCKS_AT_ONCE: usize = 256;

/// Rows, what their columns are less, and the penalty.
pub(super) struct Objective<'x, 'a> {
    rows: Block<'x, 'a>,
    center: &'a Center,
    /// What rounding does to a loss that is next to nothing: a unit in the last place a row.
    pub(super) rounding: f64,
    pub(super) penalty: Penalty,
    /// Columns and one for the intercept.
    pub(super) stride: usize,
    pub(super) vectors: usize,
    /// Whether the first class has no vector, but log-odds zero.
    reference: bool,
}

impl<'x, 'a> Objective<'x, 'a> {
    /// Of `rows` whose weights have the sum `total`.
    pub(super) fn new(
        rows: Block<'x, 'a>,
        class_count: usize,
        center: &'a Center,
        total: f64,
        penalty: Penalty,
    ) -> Self {
        let reference = class_count == 2;
        Objective {
            rows,
            stride: center.means.len() + 1,
            center,
            rounding: f64::EPSILON * total,
            penalty,
            vectors: if reference { 1 } else { class_count },
            reference,
        }
    }

    /// Value and gradient at `parameters`, the l1 penalty in the value alone. Parts of blocks are added in the order of
    /// the blocks.
    pub(super) fn at(&self, parameters: &[f64]) -> Part {
        let size = parameters.len();
        let mut sum = Part::zero(size);
        let at_once = (NUMBERS_AT_ONCE / size.max(1)).clamp(8, BLOCKS_AT_ONCE);
        let count = self.rows.classes.len();
        for first in (0..count).step_by(at_once * BLOCK_ROWS) {
            let blocks: Vec<usize> = (first..count).step_by(BLOCK_ROWS).take(at_once).collect();
            let scratch = || Scratch::new(self.stride - 1, self.vectors);
            let part = |scratch: &mut Scratch, start: usize| {
                evaluate(&self.rows.part(start, BLOCK_ROWS), self.center, parameters, self.reference, scratch)
            };
            let parts: Vec<Part> = blocks.into_par_iter().map_init(scratch, part).collect();
            parts.iter().for_each(|part| sum.add(part));
        }
        let Penalty { l1, l2 } = self.penalty;
        let vectors = parameters.chunks_exact(self.stride).zip(sum.gradient.chunks_exact_mut(self.stride));
        for (parameters, gradient) in vectors {
            for (w, slot) in parameters.iter().zip(gradient).take(self.stride - 1) {
                sum.loss += l1 * w.abs() + l2 / 2.0 * w * w;
                *slot += l2 * w;
            }
        }
        sum
    }

    /// Whether each parameter is one that is penalized.
    pub(super) fn penalized(&self, place: usize) -> bool {
        place % self.stride != self.stride - 1
    }
}
