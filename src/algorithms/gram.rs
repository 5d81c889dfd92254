//! Products of all pairs of centered columns, and of these with a target, in one pass over the rows.

use super::input::InputError;
use ndarray::{ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

/// Columns in a panel, which lie side by side for each row.
const PANEL: usize = 8;

/// Rows whose panels are multiplied at once: two panels of them stay in the first cache.
const BLOCK_ROWS: usize = 256;

/// Products of two panels.
const AREA: usize = PANEL * PANEL;

/// Sums of products that are held at once, at most: bounds memory where there are many columns.
const SUMS_MAX: usize = 1 << 19;

/// The most sums that are kept side by side for different rows.
const PARTS_MAX: usize = 64;

/// The fewest blocks that are laid out at once.
const BLOCKS_MIN: usize = 8;

/// Rows by which the target is summed.
const MEAN_ROWS: usize = 4096;

/// Weighted means, and products of what is left once they are taken off.
pub(super) struct Gram {
    /// One a column.
    pub(super) means: Vec<f64>,
    /// Of the target.
    pub(super) mean: f64,
    /// Columns × columns, row after row.
    pub(super) products: Vec<f64>,
    /// Of each column and the target.
    pub(super) with_target: Vec<f64>,
    /// Of the target with itself.
    pub(super) target: f64,
}

impl Gram {
    /// Of one column with itself.
    pub(super) fn square(&self, column: usize) -> f64 {
        self.products.get(column * (self.with_target.len() + 1)).copied().unwrap_or(0.0)
    }

    /// Makes zeros of the products of constant columns, which are rounding errors: those of columns whose length is at
    /// most `noise` times their mean.
    pub(super) fn clear_constant(&mut self, noise: f64) {
        let width = self.with_target.len();
        for column in 0..width {
            let mean = self.means.get(column).copied().unwrap_or(0.0);
            if !is_constant(self.square(column), mean, noise) {
                continue;
            }
            self.products.iter_mut().skip(column * width).take(width).for_each(|product| *product = 0.0);
            self.products.iter_mut().skip(column).step_by(width).for_each(|product| *product = 0.0);
            self.with_target.iter_mut().skip(column).take(1).for_each(|product| *product = 0.0);
        }
    }
}

/// Rows, their targets and weights.
#[derive(Clone, Copy)]
pub(super) struct Rows<'x, 'a> {
    pub(super) x: ArrayView2<'x, f64>,
    pub(super) targets: &'a [f64],
    pub(super) weights: Option<&'a [f64]>,
}

impl Rows<'_, '_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0))
    }

    fn target(&self, row: usize) -> f64 {
        self.targets.get(row).copied().unwrap_or(0.0)
    }

    /// Weighted means of the columns, and behind them of the target; `total` is the sum of the weights.
    pub(super) fn means(&self, total: f64) -> Vec<f64> {
        let blocks: Vec<_> = self.x.axis_chunks_iter(Axis(0), MEAN_ROWS).enumerate().collect();
        let sum = |(place, block): (usize, ArrayView2<'_, f64>)| {
            let rows = place * MEAN_ROWS..place * MEAN_ROWS + block.nrows();
            let targets = rows.clone().map(|row| self.target(row));
            match self.weights.and_then(|weights| weights.get(rows.clone())) {
                None => (block.sum_axis(Axis(0)), targets.sum::<f64>()),
                Some(weights) => {
                    let target = targets.zip(weights).map(|(target, weight)| target * weight).sum();
                    (ArrayView1::from(weights).dot(&block), target)
                }
            }
        };
        let sums: Vec<_> = blocks.into_par_iter().map(sum).collect();
        let mut means = vec![0.0; self.x.ncols() + 1];
        for (sums, target) in sums {
            means.iter_mut().zip(sums.iter().chain([&target])).for_each(|(mean, sum)| *mean += sum);
        }
        means.iter_mut().for_each(|mean| *mean /= total);
        means
    }

    /// Weighted squares of the columns less their means.
    pub(super) fn squares(&self, means: &[f64]) -> Vec<f64> {
        let blocks: Vec<_> = self.x.axis_chunks_iter(Axis(0), MEAN_ROWS).enumerate().collect();
        let sum = |(place, block): (usize, ArrayView2<'_, f64>)| {
            let mut sums = vec![0.0; means.len()];
            for (within, row) in block.rows().into_iter().enumerate() {
                let weight = self.weight(place * MEAN_ROWS + within);
                for ((sum, value), mean) in sums.iter_mut().zip(row).zip(means) {
                    *sum += weight * (value - mean) * (value - mean);
                }
            }
            sums
        };
        let parts: Vec<Vec<f64>> = blocks.into_par_iter().map(sum).collect();
        let mut squares = vec![0.0; means.len()];
        for part in parts {
            squares.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        squares
    }

    /// A block of rows as panels, centered, scaled by the root of the weight, padded with zeros.
    fn lay_out(&self, block: usize, means: &[f64], panels: &mut [f64]) {
        panels.fill(0.0);
        let start = block * BLOCK_ROWS;
        let end = (start + BLOCK_ROWS).min(self.x.nrows());
        let rows = self.x.slice(ndarray::s![start.min(end)..end, ..]);
        let root = |within: usize| self.weights.map_or(1.0, |_| self.weight(start + within).sqrt());
        let width = self.x.ncols();
        for (place, (panel, means)) in panels.chunks_exact_mut(BLOCK_ROWS * PANEL).zip(means.chunks(PANEL)).enumerate()
        {
            let columns = (place * PANEL).min(width)..((place + 1) * PANEL).min(width);
            let own = rows.slice(ndarray::s![.., columns]);
            for (within, (values, slots)) in own.rows().into_iter().zip(panel.as_chunks_mut::<PANEL>().0).enumerate() {
                let root = root(within);
                match (values.as_slice().and_then(|values| values.as_chunks().0.first()), means.as_chunks().0.first()) {
                    (Some(values), Some(means)) => center(values, means, root, slots),
                    _ => slots.iter_mut().zip(values).zip(means).for_each(|((slot, value), mean)| {
                        *slot = (value - mean) * root;
                    }),
                }
            }
        }
        // The target is the last column.
        let (panel, lane) = (width / PANEL, width % PANEL);
        let slots = panels.iter_mut().skip(panel * BLOCK_ROWS * PANEL + lane).step_by(PANEL);
        let mean = means.get(width).copied().unwrap_or(0.0);
        slots.zip(0..end.saturating_sub(start)).for_each(|(slot, within)| {
            *slot = (self.target(start + within) - mean) * root(within);
        });
    }
}

#[inline(always)]
fn center(values: &[f64; PANEL], means: &[f64; PANEL], root: f64, slots: &mut [f64; PANEL]) {
    for lane in 0..PANEL {
        slots[lane] = (values[lane] - means[lane]) * root;
    }
}

/// The sum of the weights; none where one is negative or not finite, or the sum is not. Errors on another number of
/// weights than rows, and where all are zero.
pub(super) fn total(weights: Option<&[f64]>, rows: usize) -> Result<Option<f64>, InputError> {
    let Some(weights) = weights else { return Ok(Some(rows as f64)) };
    if weights.len() != rows {
        return Err(InputError::Length { rows, targets: weights.len() });
    }
    let total: f64 = weights.iter().sum();
    if !total.is_finite() || !weights.iter().all(|weight| *weight >= 0.0) {
        return Ok(None);
    }
    if total == 0.0 { Err(InputError::NoRows) } else { Ok(Some(total)) }
}

/// Whether a column is constant but for rounding, by the square of what is left of it once its mean is taken off.
pub(super) fn is_constant(square: f64, mean: f64, noise: f64) -> bool {
    square.sqrt() <= noise * mean.abs()
}

/// The length, as a share of its mean, that taking the mean off a constant column may leave.
pub(super) fn noise(rows: usize, total: f64) -> f64 {
    4.0 * f64::EPSILON * (rows as f64).sqrt() * total.sqrt()
}

/// Of `rows` whose weights have the sum `total`. Every product is summed in an order that does not depend on the number
/// of threads. Overflow shows as numbers that are not finite.
pub(super) fn gram(rows: Rows<'_, '_>, total: f64) -> Gram {
    let mut means = rows.means(total);
    let count = means.len().div_ceil(PANEL);
    let half = count * (count + 1) / 2 * AREA;
    let blocks = rows.x.nrows().div_ceil(BLOCK_ROWS);
    let parts = (SUMS_MAX / half).clamp(1, PARTS_MAX).min(blocks.max(1));
    let mut sums = vec![0.0; parts * half];
    if parts >= PARTS_MAX.min(blocks) {
        let of_part = blocks.div_ceil(parts.max(1));
        sums.par_chunks_mut(half).enumerate().for_each(|(part, sums)| {
            let mut panels = vec![0.0; count * BLOCK_ROWS * PANEL];
            for block in part * of_part..blocks.min((part + 1) * of_part) {
                rows.lay_out(block, &means, &mut panels);
                each_row(count, sums).for_each(|(row, sums)| add_row(&panels, row, sums));
            }
        });
    } else {
        in_waves(rows, &means, blocks, half, &mut sums);
    }
    let mut triangle = vec![0.0; half];
    for part in sums.chunks(half) {
        triangle.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    let columns = means.len() - 1;
    let at = |row: usize, column: usize| {
        let (row, column) = (row.max(column), row.min(column));
        let (panel, other) = (row / PANEL, column / PANEL);
        let place = (panel * (panel + 1) / 2 + other) * AREA + row % PANEL * PANEL + column % PANEL;
        triangle.get(place).copied().unwrap_or(f64::NAN)
    };
    let products = (0..columns).flat_map(|row| (0..columns).map(move |column| (row, column)));
    Gram {
        products: products.map(|(row, column)| at(row, column)).collect(),
        with_target: (0..columns).map(|column| at(columns, column)).collect(),
        target: at(columns, columns),
        mean: means.pop().unwrap_or(0.0),
        means,
    }
}

/// The sums of each row of panels: with it and those before it.
fn each_row(count: usize, sums: &mut [f64]) -> impl Iterator<Item = (usize, &mut [f64])> {
    (0..count).scan(sums, |rest, row| {
        let (own, behind) = std::mem::take(rest).split_at_mut((row + 1) * AREA);
        *rest = behind;
        Some((row, own))
    })
}

/// Of so many columns that few sums can be held: the rows of panels are shared out, and blocks are laid out for all.
fn in_waves(rows: Rows<'_, '_>, means: &[f64], blocks: usize, half: usize, sums: &mut [f64]) {
    let count = means.len().div_ceil(PANEL);
    let parts = sums.len() / half;
    let wave = parts.max(BLOCKS_MIN).next_multiple_of(parts);
    let laid_out = count * BLOCK_ROWS * PANEL;
    let mut panels = vec![0.0; wave * laid_out];
    for first in (0..blocks).step_by(wave) {
        let blocks = panels.par_chunks_mut(laid_out).enumerate();
        blocks.for_each(|(place, panels)| rows.lay_out(first + place, means, panels));
        // The last rows of the triangle are the longest and come first.
        let mut tasks = Vec::with_capacity(parts * count);
        for (sums, panels) in sums.chunks_mut(half).zip(panels.chunks(wave / parts * laid_out)) {
            tasks.extend(each_row(count, sums).map(|(row, sums)| (row, sums, panels)));
        }
        tasks.into_par_iter().rev().for_each(|(row, sums, panels)| {
            for block in panels.chunks_exact(laid_out) {
                add_row(block, row, sums);
            }
        });
    }
}

vectorized! {
    /// Adds the products of panel `row` of a block with every panel up to it.
    fn add_row(block: &[f64], row: usize, sums: &mut [f64]) {
        let mut panels = block.chunks_exact(BLOCK_ROWS * PANEL);
        let Some(own) = panels.clone().nth(row) else { return };
        for sums in sums.chunks_exact_mut(AREA) {
            let Some(other) = panels.next() else { return };
            let (upper, lower) = sums.split_at_mut(AREA / 2);
            add_half::<0>(own, other, upper);
            add_half::<4>(own, other, lower);
        }
    }
}

/// Adds the products of the four columns from `START` on of one panel with all of the other.
#[inline(always)]
fn add_half<const START: usize>(own: &[f64], other: &[f64], sums: &mut [f64]) {
    let mut totals = [[0.0; PANEL]; PANEL / 2];
    for (own, other) in own.as_chunks::<PANEL>().0.iter().zip(other.as_chunks::<PANEL>().0) {
        for place in 0..PANEL / 2 {
            let value = own[START + place];
            for lane in 0..PANEL {
                totals[place][lane] += value * other[lane];
            }
        }
    }
    for (sums, totals) in sums.as_chunks_mut::<PANEL>().0.iter_mut().zip(totals) {
        for lane in 0..PANEL {
            sums[lane] += totals[lane];
        }
    }
}
