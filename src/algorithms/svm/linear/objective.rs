//! The penalized loss of a table, as a function of coefficients and intercept.

use super::Loss;
use super::block::{Curvature, Part, evaluate, gather, product};
use crate::algorithms::tiles::{BLOCK_ROWS, LANES};
use ndarray::{Array1, ArrayView2, Axis};
use rayon::prelude::*;

/// Blocks whose parts are held at once: bounds memory when the curvature is large.
const BLOCKS_AT_ONCE: usize = 64;

/// Rows, regrouped block by block whenever they are read so that the table is not copied, and what they cost. Columns
/// are taken less their means, which changes the intercept only and keeps the curvature well conditioned.
pub(super) struct Objective<'a> {
    blocks: Vec<ArrayView2<'a, f64>>,
    pub(super) means: Vec<f64>,
    targets: Vec<f64>,
    costs: Vec<f64>,
    loss: Loss,
    wanted: Curvature,
}

impl<'a> Objective<'a> {
    pub(super) fn new(
        x: &'a ArrayView2<'_, f64>,
        mut targets: Vec<f64>,
        mut costs: Vec<f64>,
        loss: Loss,
        wanted: Curvature,
    ) -> Self {
        let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        let scale = 1.0 / x.nrows() as f64;
        let sums: Vec<Array1<f64>> = blocks.par_iter().map(|block| block.sum_axis(Axis(0)) * scale).collect();
        let means = sums.iter().fold(Array1::zeros(x.ncols()), |total, sums| total + sums).to_vec();
        targets.resize(targets.len().next_multiple_of(LANES), 0.0);
        costs.resize(targets.len(), 0.0);
        Self { blocks, means, targets, costs, loss, wanted }
    }

    /// Second derivatives of the rows' losses, none yet.
    pub(super) fn bends(&self) -> Vec<f64> {
        vec![0.0; self.targets.len()]
    }

    /// Value and derivatives at `parameters` (the intercept last). Parts of blocks are added in their order.
    pub(super) fn at(&self, parameters: &[f64], bends: &mut [f64]) -> Part {
        let mut sum = Part::zero(parameters.len(), self.wanted);
        let rows = BLOCK_ROWS * BLOCKS_AT_ONCE;
        let given = self.targets.chunks(rows).zip(self.costs.chunks(rows));
        for ((blocks, bends), (targets, costs)) in
            self.blocks.chunks(BLOCKS_AT_ONCE).zip(bends.chunks_mut(rows)).zip(given)
        {
            let given = targets.par_chunks(BLOCK_ROWS).zip(costs.par_chunks(BLOCK_ROWS));
            let parts = blocks.par_iter().zip(bends.par_chunks_mut(BLOCK_ROWS)).zip(given).map_init(
                Vec::new,
                |tiles, ((block, bends), (targets, costs))| {
                    gather(*block, &self.means, tiles);
                    evaluate(tiles, targets, costs, parameters, self.loss, self.wanted, bends)
                },
            );
            parts.collect::<Vec<Part>>().iter().for_each(|part| sum.add(part));
        }
        let coefficients = parameters.split_last().map_or(&[][..], |(_, coefficients)| coefficients);
        sum.loss += 0.5 * coefficients.iter().map(|w| w * w).sum::<f64>();
        sum.gradient.iter_mut().zip(coefficients).for_each(|(slot, w)| *slot += w);
        for column in 0..coefficients.len() {
            let place = if self.wanted == Curvature::Triangle { column * (column + 3) / 2 } else { column };
            if let Some(slot) = sum.curvature.get_mut(place) {
                *slot += 1.0;
            }
        }
        sum
    }

    /// The Hessian times a direction.
    pub(super) fn product(&self, bends: &[f64], direction: &[f64]) -> Vec<f64> {
        let coefficients = direction.split_last().map_or(&[][..], |(_, coefficients)| coefficients);
        let mut sum = coefficients.to_vec();
        sum.push(0.0);
        let rows = BLOCK_ROWS * BLOCKS_AT_ONCE;
        for (blocks, bends) in self.blocks.chunks(BLOCKS_AT_ONCE).zip(bends.chunks(rows)) {
            let parts =
                blocks.par_iter().zip(bends.par_chunks(BLOCK_ROWS)).map_init(Vec::new, |tiles, (block, bends)| {
                    gather(*block, &self.means, tiles);
                    product(tiles, bends, direction)
                });
            for part in parts.collect::<Vec<_>>() {
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        }
        sum
    }
}
