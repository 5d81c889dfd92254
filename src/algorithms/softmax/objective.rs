//! The penalized loss of a table, as a function of coefficients and intercepts.

use super::block::{Block, Part, Scratch, evaluate};
use crate::algorithms::elastic::Penalty;
use crate::algorithms::gram::Rows;
use crate::algorithms::tiles::{BLOCK_ROWS, LANES, tiled};
use ndarray::Axis;
use rayon::prelude::*;

/// Numbers in the gradients of blocks that are held at once, at most, and the most such blocks.
const NUMBERS_AT_ONCE: usize = 1 << 22;
const BLOCKS_AT_ONCE: usize = 256;

/// Centered rows and the penalty.
pub(super) struct Objective {
    blocks: Vec<Block>,
    /// What rounding does to a loss that is next to nothing: a unit in the last place a row.
    pub(super) rounding: f64,
    pub(super) penalty: Penalty,
    /// Columns and one for the intercept.
    pub(super) stride: usize,
    pub(super) vectors: usize,
    /// Whether the first class has no vector, but log-odds zero.
    reference: bool,
}

impl Objective {
    /// Copies `rows`, less their `means`; columns whose length is at most `noise` times their mean become zeros.
    pub(super) fn new(
        rows: Rows<'_, '_>,
        classes: &[u32],
        class_count: usize,
        means: &[f64],
        noise: f64,
        penalty: Penalty,
    ) -> Objective {
        let reference = class_count == 2;
        let chunks: Vec<_> = rows.x.axis_chunks_iter(Axis(0), BLOCK_ROWS).zip(classes.chunks(BLOCK_ROWS)).collect();
        let lay_out = |(place, (x, classes)): (usize, (ndarray::ArrayView2<'_, f64>, &[u32]))| {
            let mut tiles = tiled(x);
            for tile in tiles.chunks_exact_mut(LANES * x.ncols()) {
                for (lanes, mean) in tile.as_chunks_mut::<LANES>().0.iter_mut().zip(means) {
                    lanes.iter_mut().for_each(|value| *value -= mean);
                }
            }
            let padded = classes.len().next_multiple_of(LANES);
            // Without a vector of its own, the first class is one past the last.
            let vector = |class: &u32| if reference { 1 - class.min(&1) } else { *class };
            let mut classes: Vec<u32> = classes.iter().map(vector).collect();
            classes.resize(padded, 0);
            let start = place * BLOCK_ROWS;
            let mut weights = match rows.weights {
                None => vec![1.0; x.nrows()],
                Some(weights) => weights.iter().skip(start).take(x.nrows()).copied().collect(),
            };
            weights.resize(padded, 0.0);
            Block { tiles, classes, weights }
        };
        let blocks: Vec<Block> = chunks.into_par_iter().enumerate().map(lay_out).collect();
        let vectors = if reference { 1 } else { class_count };
        let rounding = f64::EPSILON * blocks.iter().flat_map(|block| &block.weights).sum::<f64>();
        let mut objective = Objective { blocks, rounding, penalty, stride: rows.x.ncols() + 1, vectors, reference };
        let squares = objective.squares();
        let constant: Vec<bool> =
            squares.iter().zip(means).map(|(square, mean)| square.sqrt() <= noise * mean.abs()).collect();
        if constant.contains(&true) {
            objective.clear(&constant);
        }
        objective
    }

    /// Weighted squares of each column.
    pub(super) fn squares(&self) -> Vec<f64> {
        let columns = self.stride - 1;
        let of = |block: &Block| {
            let mut sums = vec![0.0; columns];
            let tiles = block.tiles.chunks_exact(LANES * columns).zip(block.weights.as_chunks::<LANES>().0);
            for (tile, weights) in tiles {
                for (sum, values) in sums.iter_mut().zip(tile.as_chunks::<LANES>().0) {
                    *sum += values.iter().zip(weights).map(|(value, weight)| weight * value * value).sum::<f64>();
                }
            }
            sums
        };
        let parts: Vec<Vec<f64>> = self.blocks.par_iter().map(of).collect();
        let mut total = vec![0.0; columns];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        total
    }

    /// Makes zeros of some columns.
    fn clear(&mut self, columns: &[bool]) {
        self.blocks.par_iter_mut().for_each(|block| {
            for tile in block.tiles.chunks_exact_mut(LANES * columns.len()) {
                for (lanes, _) in tile.as_chunks_mut::<LANES>().0.iter_mut().zip(columns).filter(|(_, clear)| **clear) {
                    lanes.fill(0.0);
                }
            }
        });
    }

    /// Value and gradient at `parameters`, the l1 penalty in the value alone. Parts of blocks are added in the order of
    /// the blocks.
    pub(super) fn at(&self, parameters: &[f64]) -> Part {
        let size = parameters.len();
        let mut sum = Part::zero(size);
        let at_once = (NUMBERS_AT_ONCE / size.max(1)).clamp(8, BLOCKS_AT_ONCE);
        for blocks in self.blocks.chunks(at_once) {
            let scratch = || Scratch::new(self.vectors, size);
            let part = |scratch: &mut Scratch, block: &Block| {
                evaluate(block, parameters, self.stride, self.reference, scratch)
            };
            let parts: Vec<Part> = blocks.par_iter().map_init(scratch, part).collect();
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
