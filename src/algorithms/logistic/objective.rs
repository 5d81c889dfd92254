//! The penalized loss of a table, as a function of coefficients and intercept.

use super::block::{Part, evaluate};
use crate::algorithms::tiles::{BLOCK_ROWS, LANES, Tiles};
use ndarray::ArrayView2;
use rayon::prelude::*;

/// Blocks whose parts are held at once: bounds memory when the curvature is large.
const BLOCKS_AT_ONCE: usize = 64;

/// Rows, their signed weights and the penalty.
pub(super) struct Objective {
    tiles: Tiles<'static>,
    targets: Vec<f64>,
    l2: f64,
}

impl Objective {
    pub(super) fn new(x: ArrayView2<'_, f64>, positive: &[bool], weight: f64, weight_other: f64, l2: f64) -> Self {
        let mut targets: Vec<f64> = positive.iter().map(|&p| if p { weight } else { -weight_other }).collect();
        targets.resize(positive.len().div_ceil(LANES) * LANES, 0.0);
        Self { tiles: Tiles::new(x), targets, l2 }
    }

    /// Value, gradient and, if `curved`, the Hessian at `parameters` (the intercept last). Parts of
    /// blocks are added in the order of the blocks.
    pub(super) fn at(&self, parameters: &[f64], curved: bool) -> Part {
        let mut sum = Part::zero(parameters.len(), curved);
        let blocks = || self.tiles.blocks().zip(self.targets.par_chunks(BLOCK_ROWS));
        for start in (0..blocks().len()).step_by(BLOCKS_AT_ONCE) {
            let some = blocks().skip(start).take(BLOCKS_AT_ONCE);
            let parts: Vec<Part> = some.map(|(block, targets)| evaluate(block, targets, parameters, curved)).collect();
            parts.iter().for_each(|part| sum.add(part));
        }
        self.penalize(&mut sum, parameters);
        sum
    }

    fn penalize(&self, sum: &mut Part, parameters: &[f64]) {
        let (_, coefficients) = parameters.split_last().unwrap_or((&0.0, &[]));
        sum.loss += self.l2 / 2.0 * coefficients.iter().map(|w| w * w).sum::<f64>();
        for (slot, w) in sum.gradient.iter_mut().zip(coefficients) {
            *slot += self.l2 * w;
        }
        for column in 0..coefficients.len() {
            if let Some(slot) = sum.curvature.get_mut(column * (column + 3) / 2) {
                *slot += self.l2;
            }
        }
    }

    /// The largest that the diagonal of the Hessian can be, the intercept last.
    pub(super) fn diagonal_bound(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.tiles.columns + 1];
        for (row, target) in self.targets.iter().take(self.tiles.rows).enumerate() {
            let weight = target.abs() / 4.0;
            for (sum, value) in sums.iter_mut().zip(self.tiles.row(row).chain([1.0])) {
                *sum += weight * value * value;
            }
        }
        let (last, rest) = sums.split_last_mut().map_or((None, &mut [][..]), |(l, r)| (Some(l), r));
        rest.iter_mut().for_each(|sum| *sum += self.l2);
        // A column of zeros without a penalty would be divided by zero.
        rest.iter_mut().chain(last).for_each(|sum| *sum = if *sum > 0.0 { *sum } else { 1.0 });
        sums
    }
}
