//! The inner loops: loss and gradient of a block of rows.

use crate::algorithms::exponential::{exponential, logarithm};
use crate::algorithms::tiles::{LANES, regroup};
use ndarray::{ArrayView2, Axis, s};

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
    /// The greatest loss of a row of weight above zero.
    pub(super) most: f64,
}

impl Part {
    /// Of no rows.
    pub(super) fn zero(parameters: usize) -> Part {
        Part { loss: 0.0, gradient: vec![0.0; parameters], most: 0.0 }
    }

    /// Adds another part.
    pub(super) fn add(&mut self, other: &Part) {
        self.loss += other.loss;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, part)| *sum += part);
        self.most = self.most.max(other.most);
    }
}

/// Rows, their classes and weights.
#[derive(Clone, Copy)]
pub(super) struct Block<'x, 'a> {
    pub(super) x: ArrayView2<'x, f64>,
    pub(super) classes: &'a [u32],
    /// 1 each where there are none.
    pub(super) weights: Option<&'a [f64]>,
}

impl Block<'_, '_> {
    /// So many rows from `start` on, or those that there are.
    pub(super) fn part(&self, start: usize, rows: usize) -> Block<'_, '_> {
        let rows = start..self.classes.len().min(start + rows);
        Block {
            x: self.x.slice(s![rows.clone(), ..]),
            classes: self.classes.get(rows.clone()).unwrap_or_default(),
            weights: self.weights.and_then(|weights| weights.get(rows)),
        }
    }
}

/// What is taken off the columns.
pub(super) struct Center {
    pub(super) means: Vec<f64>,
    /// Columns that are taken as zeros.
    pub(super) cleared: Vec<usize>,
}

/// What the loops write to.
pub(super) struct Scratch {
    /// The centered columns of a group, by tile.
    tiles: Vec<f64>,
    /// Log-odds and then residuals, [`GROUP_ROWS`] a vector.
    values: Vec<f64>,
    /// Partial sums of the gradient.
    sums: Vec<f64>,
}

impl Scratch {
    pub(super) fn new(columns: usize, vectors: usize) -> Scratch {
        Scratch {
            tiles: vec![0.0; columns * GROUP_ROWS],
            values: vec![0.0; vectors * GROUP_ROWS],
            sums: vec![0.0; vectors * (columns + 1) * SUMS],
        }
    }
}

vectorized! {
    /// Loss and gradient of a block at `parameters`, each vector's columns and then its intercept. With a `reference`
    /// the first class has no vector, but log-odds zero.
    pub(super) fn evaluate(
        block: &Block<'_, '_>,
        center: &Center,
        parameters: &[f64],
        reference: bool,
        scratch: &mut Scratch,
    ) -> Part {
        let stride = center.means.len() + 1;
        let mut part = Part::zero(parameters.len());
        let Scratch { tiles, values, sums } = scratch;
        sums.fill(0.0);
        for (place, rows) in block.x.axis_chunks_iter(Axis(0), GROUP_ROWS).enumerate() {
            regroup(rows, &center.means, tiles);
            for tile in tiles.chunks_exact_mut(LANES * (stride - 1)) {
                for column in &center.cleared {
                    tile.iter_mut().skip(column * LANES).take(LANES).for_each(|value| *value = 0.0);
                }
            }
            let vectors = parameters.chunks(2 * stride).zip(values.chunks_mut(2 * GROUP_ROWS));
            for (parameters, values) in vectors {
                if parameters.len() > stride {
                    log_odds::<2>(tiles, parameters, stride, values);
                } else {
                    log_odds::<1>(tiles, parameters, stride, values);
                }
            }
            for tile in 0..rows.nrows().div_ceil(LANES) {
                let given = lanes(block, place * GROUP_ROWS + tile * LANES);
                let found = match reference && parameters.len() == stride {
                    true => residuals_of_two(values, tile * LANES, &given),
                    false => residuals(values, tile * LANES, &given, reference),
                };
                part.loss += found.0;
                part.most = part.most.max(found.1);
            }
            for values in values.chunks_exact_mut(GROUP_ROWS) {
                values.iter_mut().skip(rows.nrows().next_multiple_of(LANES)).for_each(|value| *value = 0.0);
            }
            let vectors = sums.chunks_mut(2 * stride * SUMS).zip(values.chunks(2 * GROUP_ROWS));
            for (sums, values) in vectors {
                if values.len() > GROUP_ROWS {
                    add_gradient::<2>(tiles, values, stride, sums);
                } else {
                    add_gradient::<1>(tiles, values, stride, sums);
                }
            }
        }
        for (slot, sums) in part.gradient.iter_mut().zip(sums.as_chunks::<SUMS>().0) {
            *slot = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
        part
    }
}

/// The classes and weights of a tile; rows that are missing weigh nothing.
struct Given {
    classes: [u32; LANES],
    weights: [f64; LANES],
}

#[inline(always)]
fn lanes(block: &Block<'_, '_>, start: usize) -> Given {
    let mut given = Given { classes: [0; LANES], weights: [0.0; LANES] };
    let rows = start..(start + LANES).min(block.classes.len());
    let some = block.classes.get(rows.clone()).unwrap_or_default();
    given.classes.iter_mut().zip(some).for_each(|(slot, class)| *slot = *class);
    match block.weights.and_then(|weights| weights.get(rows)) {
        Some(weights) => given.weights.iter_mut().zip(weights).for_each(|(slot, weight)| *slot = *weight),
        None => given.weights.iter_mut().zip(some).for_each(|(slot, _)| *slot = 1.0),
    }
    given
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

/// Turns the log-odds of the tile whose rows start at `start` into derivatives of the loss by them; gives the loss
/// and the greatest of a row that counts. Exponentials are of numbers that are never positive, so none overflows.
#[inline(always)]
fn residuals(values: &mut [f64], start: usize, given: &Given, reference: bool) -> (f64, f64) {
    let Given { classes, weights } = given;
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
    // The first class has no vector where it is the reference.
    let place = |class: u32| (class as usize).checked_sub(usize::from(reference)).map(|vector| vector * GROUP_ROWS);
    for (lane, class) in classes.iter().enumerate() {
        if let Some(odds) = place(*class).and_then(|place| values.get(place + start + lane)) {
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
    for (lane, class) in classes.iter().enumerate() {
        if let Some(residual) = place(*class).and_then(|place| values.get_mut(place + start + lane)) {
            *residual -= weights[lane];
        }
    }
    let mut lost = [0.0; LANES];
    for lane in 0..LANES {
        lost[lane] = logarithm(sums[lane]) - own[lane];
    }
    told(&lost, weights)
}

/// The same of two classes, of which the second has a vector: one exponential serves both.
#[inline(always)]
fn residuals_of_two(values: &mut [f64], start: usize, given: &Given) -> (f64, f64) {
    let Given { classes, weights } = given;
    let odds = &mut values[start..start + LANES];
    let mut lost = [0.0; LANES];
    for lane in 0..LANES {
        let second = f64::from(classes[lane]);
        let margin = if classes[lane] == 0 { -odds[lane] } else { odds[lane] };
        let small = exponential(-odds[lane].abs());
        let chance = if odds[lane] < 0.0 { small } else { 1.0 } / (1.0 + small);
        lost[lane] = logarithm(1.0 + small) - if margin < 0.0 { margin } else { 0.0 };
        odds[lane] = weights[lane] * (chance - second);
    }
    told(&lost, weights)
}

/// What rows lose together, and the most that one loses that counts.
#[inline(always)]
fn told(lost: &[f64; LANES], weights: &[f64; LANES]) -> (f64, f64) {
    let (mut loss, mut most) = (0.0, 0.0);
    for lane in 0..LANES {
        loss += weights[lane] * lost[lane];
        let counts = if weights[lane] > 0.0 { lost[lane] } else { 0.0 };
        most = if counts > most { counts } else { most };
    }
    (loss, most)
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
