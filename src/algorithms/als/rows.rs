//! Factors as they are computed on: row after row, each padded with zeros to whole groups of [`LANES`] numbers.

use super::spectrum::Symmetric;
use ndarray::Array2;
use rayon::prelude::*;
use std::borrow::Cow;

/// Numbers that are added side by side, so that every vector width sums in the same order.
pub(super) const LANES: usize = 16;

/// A group of numbers.
pub(super) type Group = [f32; LANES];

/// Rows whose products are added in single precision before they go into the sum in double precision.
const SHORT_ROWS: usize = 64;

/// Rows that are rotated at once, and the fewest of a partial sum.
const BLOCK_ROWS: usize = 1024;

/// Partial sums at most; each is a matrix of factors × factors.
pub(super) const MOST_PARTIALS: usize = 64;

/// Numbers in a padded row.
pub(super) fn padded(factors: usize) -> usize {
    factors.next_multiple_of(LANES)
}

/// `values` has [`padded`] (`factors`) numbers a row.
#[derive(Debug, Clone)]
pub(super) struct Rows<'a> {
    pub(super) values: Cow<'a, [f32]>,
    pub(super) factors: usize,
}

impl Rows<'static> {
    pub(super) fn zeros(rows: usize, factors: usize) -> Self {
        Self { values: vec![0.0; rows * padded(factors)].into(), factors }
    }

    pub(super) fn into_array(self) -> Array2<f32> {
        let (rows, factors, width) = (self.count(), self.factors, self.width());
        let mut values = self.values.into_owned();
        if width != factors {
            for row in 0..rows {
                values.copy_within(row * width..row * width + factors, row * factors);
            }
            values.truncate(rows * factors);
            values.shrink_to_fit();
        }
        Array2::from_shape_vec((rows, factors), values).unwrap_or_default()
    }
}

impl<'a> Rows<'a> {
    /// Borrows where nothing is to be padded.
    pub(super) fn of(array: &'a Array2<f32>) -> Self {
        let (rows, factors) = array.dim();
        let width = padded(factors);
        if let (true, Some(values)) = (width == factors, array.as_slice()) {
            return Self { values: values.into(), factors };
        }
        let mut values = vec![0.0; rows * width];
        for (padded, row) in values.chunks_exact_mut(width.max(1)).zip(array.rows()) {
            padded.iter_mut().zip(row).for_each(|(slot, value)| *slot = *value);
        }
        Self { values: values.into(), factors }
    }

    pub(super) fn width(&self) -> usize {
        padded(self.factors)
    }

    pub(super) fn count(&self) -> usize {
        self.values.len() / self.width().max(1)
    }

    pub(super) fn groups(&self) -> &[Group] {
        self.values.as_chunks().0
    }

    /// The sum over the rows of their products with themselves (factors × factors).
    pub(super) fn gram(&self) -> Symmetric {
        let (width, factors) = (self.width(), self.factors);
        let rows = self.count().div_ceil(MOST_PARTIALS).next_multiple_of(BLOCK_ROWS);
        let partials: Vec<Vec<f64>> = self
            .values
            .par_chunks((rows * width).max(1))
            .map(|values| {
                let mut sums = vec![0.0; width * width];
                values.chunks(SHORT_ROWS * width).for_each(|rows| add_products(rows, width, &mut sums));
                sums
            })
            .collect();
        let mut total = vec![0.0; width * width];
        for partial in partials {
            total.iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
        }
        // Of a pair the one above the diagonal was summed.
        Symmetric::from_fn(factors, |i, j| total.get(i.min(j) * width + i.max(j)).copied().unwrap_or(f64::NAN))
    }

    /// Multiplies every row by `rotation` (width × width).
    pub(super) fn rotate(&mut self, rotation: &[f32]) {
        let width = self.width();
        let blocks = self.values.to_mut().par_chunks_mut((BLOCK_ROWS * width).max(1));
        blocks.for_each_init(
            || vec![0.0; SHORT_ROWS * width],
            |turned, block| {
                for rows in block.chunks_mut(SHORT_ROWS * width) {
                    let turned = &mut turned[..rows.len()];
                    multiply(rows, rotation, width, turned);
                    rows.copy_from_slice(turned);
                }
            },
        );
    }
}

vectorized! {
    /// Adds the products of the columns to `sums`, of pairs those above the diagonal (and some others).
    fn add_products(rows: &[f32], width: usize, sums: &mut [f64]) {
        for left in (0..width).step_by(4) {
            for right in (left / LANES * LANES..width).step_by(LANES) {
                let mut tile = [[0.0_f32; LANES]; 4];
                for row in rows.chunks_exact(width) {
                    let (Some(left), Some(right)) = (row[left..].first_chunk::<4>(), row[right..].first_chunk::<LANES>())
                    else {
                        continue;
                    };
                    for i in 0..4 {
                        for lane in 0..LANES {
                            tile[i][lane] += left[i] * right[lane];
                        }
                    }
                }
                for (i, tile) in tile.iter().enumerate() {
                    let slots = sums[(left + i) * width + right..].iter_mut();
                    slots.zip(tile).for_each(|(slot, product)| *slot += f64::from(*product));
                }
            }
        }
    }
}

vectorized! {
    /// `rows` (any number × width) times `matrix` (width × width).
    fn multiply(rows: &[f32], matrix: &[f32], width: usize, product: &mut [f32]) {
        for (rows, product) in rows.chunks(4 * width).zip(product.chunks_mut(4 * width)) {
            // The missing rows of the last few are the first again.
            let row = |i: usize| &rows[(if (i + 1) * width <= rows.len() { i } else { 0 }) * width..][..width];
            let four = [row(0), row(1), row(2), row(3)];
            for column in (0..width).step_by(LANES) {
                let mut tile = [[0.0_f32; LANES]; 4];
                let factors = four[0].iter().zip(four[1]).zip(four[2]).zip(four[3]);
                for ((((a, b), c), d), line) in factors.zip(matrix.chunks_exact(width)) {
                    let Some(line) = line[column..].first_chunk::<LANES>() else { continue };
                    for lane in 0..LANES {
                        tile[0][lane] += a * line[lane];
                        tile[1][lane] += b * line[lane];
                        tile[2][lane] += c * line[lane];
                        tile[3][lane] += d * line[lane];
                    }
                }
                for (tile, product) in tile.iter().zip(product.chunks_exact_mut(width)) {
                    product[column..][..LANES].copy_from_slice(tile);
                }
            }
        }
    }
}
