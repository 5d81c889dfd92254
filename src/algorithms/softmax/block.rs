//! The inner loops: loss and gradient of a block of rows.

use crate::algorithms::exponential::exponential;
use crate::algorithms::tiles::LANES;

/// Tiles whose residuals are held at once: 64 rows.
const GROUP_TILES: usize = 4;
const GROUP_ROWS: usize = GROUP_TILES * LANES;

/// Partial sums of one gradient entry.
const SUMS: usize = 4;

/// What a block adds to the loss and its gradient.
pub(super) struct Part {
    pub(super) loss: f64,
    /// By vector, each with its columns and then its intercept.
    pub(super) gradient: Vec<f64>,
    /// The least probability of its own class that a row of weight above zero gets.
    pub(super) least: f64,
}

impl Part {
    /// Of no rows.
    pub(super) fn zero(parameters: usize) -> Part {
        Part { loss: 0.0, gradient: vec![0.0; parameters], least: 1.0 }
    }

    /// Adds another part.
    pub(super) fn add(&mut self, other: &Part) {
        self.loss += other.loss;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, part)| *sum += part);
        self.least = self.least.min(other.least);
    }
}

/// Rows of a block, padded to whole tiles.
pub(super) struct Block {
    /// Tiles of centered columns.
    pub(super) tiles: Vec<f64>,
    /// The vector of each row's class; past the last for a class without one.
    pub(super) classes: Vec<u32>,
    /// Zero for padding.
    pub(super) weights: Vec<f64>,
}

/// What the loops write to.
pub(super) struct Scratch {
    /// Log-odds and then residuals, [`GROUP_ROWS`] a vector.
    values: Vec<f64>,
    /// Partial sums of the gradient.
    sums: Vec<f64>,
}

impl Scratch {
    pub(super) fn new(vectors: usize, parameters: usize) -> Scratch {
        Scratch { values: vec![0.0; vectors * GROUP_ROWS], sums: vec![0.0; parameters * SUMS] }
    }
}

vectorized! {
    /// Loss and gradient of a block at `parameters`, `stride` a vector. With a `reference` there is one more class, of
    /// log-odds zero, which has no vector.
    pub(super) fn evaluate(
        block: &Block,
        parameters: &[f64],
        stride: usize,
        reference: bool,
        scratch: &mut Scratch,
    ) -> Part {
        let columns = stride - 1;
        let mut part = Part::zero(parameters.len());
        scratch.sums.fill(0.0);
        let groups = block.tiles.chunks(GROUP_ROWS * columns);
        let rows = block.weights.chunks(GROUP_ROWS).zip(block.classes.chunks(GROUP_ROWS));
        for (tiles, (weights, classes)) in groups.zip(rows) {
            let vectors = parameters.chunks(2 * stride).zip(scratch.values.chunks_mut(2 * GROUP_ROWS));
            for (parameters, values) in vectors {
                if parameters.len() > stride {
                    log_odds::<2>(tiles, parameters, stride, values);
                } else {
                    log_odds::<1>(tiles, parameters, stride, values);
                }
            }
            for (tile, (weights, classes)) in weights.chunks(LANES).zip(classes.chunks(LANES)).enumerate() {
                let (loss, least) = residuals(&mut scratch.values, tile * LANES, weights, classes, reference);
                part.loss += loss;
                part.least = part.least.min(least);
            }
            let vectors = scratch.sums.chunks_mut(2 * stride * SUMS).zip(scratch.values.chunks(2 * GROUP_ROWS));
            for (sums, values) in vectors {
                if values.len() > GROUP_ROWS {
                    add_gradient::<2>(tiles, values, stride, sums);
                } else {
                    add_gradient::<1>(tiles, values, stride, sums);
                }
            }
        }
        for (slot, sums) in part.gradient.iter_mut().zip(scratch.sums.as_chunks::<SUMS>().0) {
            *slot = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
        part
    }
}

/// x·w + b of the rows of a group for `N` vectors.
#[inline(always)]
fn log_odds<const N: usize>(tiles: &[f64], parameters: &[f64], stride: usize, values: &mut [f64]) {
    let columns = stride - 1;
    for (place, tile) in tiles.chunks_exact(LANES * columns).enumerate() {
        let mut sums = [[0.0; LANES]; N];
        for (vector, sums) in sums.iter_mut().enumerate() {
            *sums = [parameters[vector * stride + columns]; LANES];
        }
        for (column, x) in tile.as_chunks::<LANES>().0.iter().enumerate() {
            for vector in 0..N {
                let coefficient = parameters[vector * stride + column];
                for lane in 0..LANES {
                    sums[vector][lane] += coefficient * x[lane];
                }
            }
        }
        for (vector, sums) in sums.iter().enumerate() {
            let start = vector * GROUP_ROWS + place * LANES;
            values[start..start + LANES].copy_from_slice(sums);
        }
    }
}

/// Turns the log-odds of the tile whose rows start at `start` into derivatives of the loss by them; gives the loss and
/// the least probability of a row's own class. Exponentials are of numbers that are never positive, so none overflows.
#[inline(always)]
fn residuals(values: &mut [f64], start: usize, weights: &[f64], classes: &[u32], reference: bool) -> (f64, f64) {
    let mut top = [if reference { 0.0 } else { f64::NEG_INFINITY }; LANES];
    let mut sums = [0.0; LANES];
    for vector in values.chunks_exact(GROUP_ROWS) {
        let odds = &vector[start..start + LANES];
        for lane in 0..LANES {
            top[lane] = if odds[lane] > top[lane] { odds[lane] } else { top[lane] };
        }
    }
    if reference {
        for lane in 0..LANES {
            sums[lane] = exponential(-top[lane]);
        }
    }
    // Of a row whose class has no vector: the log-odds of the reference, less the top.
    let mut own = [0.0; LANES];
    for lane in 0..LANES {
        own[lane] = -top[lane];
    }
    for (lane, class) in classes.iter().enumerate() {
        if let Some(odds) = values.get(*class as usize * GROUP_ROWS + start + lane) {
            own[lane] += odds;
        }
    }
    for vector in values.chunks_exact_mut(GROUP_ROWS) {
        let odds = &mut vector[start..start + LANES];
        for lane in 0..LANES {
            odds[lane] = exponential(odds[lane] - top[lane]);
            sums[lane] += odds[lane];
        }
    }
    let mut shares = [0.0; LANES];
    for lane in 0..LANES {
        shares[lane] = weights[lane] / sums[lane];
    }
    for vector in values.chunks_exact_mut(GROUP_ROWS) {
        let odds = &mut vector[start..start + LANES];
        for lane in 0..LANES {
            odds[lane] *= shares[lane];
        }
    }
    let (mut loss, mut least) = (0.0, 1.0_f64);
    for (lane, class) in classes.iter().enumerate() {
        if let Some(residual) = values.get_mut(*class as usize * GROUP_ROWS + start + lane) {
            *residual -= weights[lane];
        }
        let likelihood = own[lane] - sums[lane].ln();
        loss -= weights[lane] * likelihood;
        if weights[lane] > 0.0 {
            least = least.min(likelihood);
        }
    }
    (loss, least.min(0.0).exp())
}

/// Adds residuals times columns for `N` vectors.
#[inline(always)]
fn add_gradient<const N: usize>(tiles: &[f64], values: &[f64], stride: usize, sums: &mut [f64]) {
    let columns = stride - 1;
    let ones = [1.0; LANES];
    for column in 0..stride {
        let mut totals = [[0.0; LANES]; N];
        for (place, tile) in tiles.chunks_exact(LANES * columns).enumerate() {
            let x = tile.as_chunks::<LANES>().0.get(column).unwrap_or(&ones);
            for (vector, totals) in totals.iter_mut().enumerate() {
                let start = vector * GROUP_ROWS + place * LANES;
                let residuals = &values[start..start + LANES];
                for lane in 0..LANES {
                    totals[lane] += residuals[lane] * x[lane];
                }
            }
        }
        for (vector, totals) in totals.iter().enumerate() {
            let start = (vector * stride + column) * SUMS;
            let sums = &mut sums[start..start + SUMS];
            for lane in 0..SUMS {
                sums[lane] +=
                    (totals[lane] + totals[lane + SUMS]) + (totals[lane + 2 * SUMS] + totals[lane + 3 * SUMS]);
            }
        }
    }
}
