//! The triangle of a table by its cross products, where it is as good as by reflections.
//!
//! Products square the condition of the table, so that digits are lost where columns nearly determine each other
//! (Golub and Van Loan 2013, section 5.3.2). They are taken where each column keeps a part of its own of more than 1e-4
//! of its square, which costs at most four of sixteen digits; everything else is left to reflections.

use super::qr::Triangle;
use ndarray::{ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

/// Rows whose products are summed at once: their columns fit into the second cache.
const BLOCK_ROWS: usize = 512;

/// The least part of a column's square that the columns before it leave.
const OWN_MIN: f64 = 1e-4;

/// The centered columns and target as one triangle, with the means of the columns and of the target; `None` where
/// reflections are due.
pub(super) fn triangle(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>) -> Option<(Triangle, Vec<f64>, f64)> {
    let (rows, width) = (x.nrows(), x.ncols() + 1);
    let first = rows.min(BLOCK_ROWS);
    // Near the means, so that taking these off afterwards loses nothing.
    let mut shifts = x.slice(s![..first, ..]).mean_axis(Axis(0))?.to_vec();
    shifts.push(y.slice(s![..first]).mean()?);
    let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).zip(y.axis_chunks_iter(Axis(0), BLOCK_ROWS)).collect();
    let parts: Vec<Vec<f64>> =
        blocks.into_par_iter().with_min_len(16).map(|(x, y)| products(&shifted(x, y, &shifts), width)).collect();
    // One block after the other, so that sums do not depend on the threads.
    let sums = parts.into_iter().reduce(|mut all, part| {
        all.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        all
    })?;
    let (moved, products) = sums.split_at(width);
    let at = |row: usize, column: usize| products.get(row * width + column).copied();
    let mut lengths = Vec::with_capacity(width);
    let mut centered = vec![0.0; width * width];
    for row in 0..width {
        for column in row..width {
            let taken = moved.get(row)? * moved.get(column)? / rows as f64;
            *centered.get_mut(row * width + column)? = at(row, column)? - taken;
        }
        let (whole, own) = (at(row, row)?, *centered.get(row * width + row)?);
        // What is constant, infinite or far from its first rows.
        if !(own > 0.25 * whole && own.is_normal()) {
            return None;
        }
        lengths.push(own.sqrt());
    }
    let columns = factored(&centered, &lengths)?;
    let mut means: Vec<f64> = shifts.iter().zip(moved).map(|(shift, moved)| shift + moved / rows as f64).collect();
    let mean = means.pop()?;
    Some((Triangle::from_columns(columns), means, mean))
}

/// The rows' columns and target less the shifts, column after column.
fn shifted(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>, shifts: &[f64]) -> Vec<f64> {
    let mut values = Vec::with_capacity(x.nrows() * shifts.len());
    for (column, shift) in x.columns().into_iter().zip(shifts) {
        values.extend(column.iter().map(|value| value - shift));
    }
    values.extend(y.iter().zip(shifts.iter().skip(x.ncols()).cycle()).map(|(value, shift)| value - shift));
    values
}

vectorized! {
    /// The sums of the columns, and of their products the upper triangle, row after row.
    fn products(values: &[f64], width: usize) -> Vec<f64> {
        let rows = values.len() / width;
        let mut found = vec![0.0; width + width * width];
        let (sums, products) = found.split_at_mut(width);
        let columns: Vec<&[f64]> = values.chunks_exact(rows.max(1)).collect();
        for (row, a) in columns.iter().enumerate() {
            for (column, b) in columns.iter().enumerate().skip(row) {
                if let Some(slot) = products.get_mut(row * width + column) {
                    *slot = dot(a, b);
                }
            }
        }
        sums.iter_mut().zip(&columns).for_each(|(sum, column)| *sum = column.iter().sum());
        found
    }
}

/// In eight interleaved sums, an order that vectorizes and is always the same.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// Cholesky's triangle R of the products, by columns; `None` where a column has too little of its own.
fn factored(products: &[f64], lengths: &[f64]) -> Option<Vec<Vec<f64>>> {
    let width = lengths.len();
    // Of columns of length one.
    let mut unit: Vec<Vec<f64>> = Vec::with_capacity(width);
    for (column, length) in lengths.iter().enumerate() {
        let mut own = vec![0.0; width];
        for row in 0..=column {
            let above = unit.get(row).unwrap_or(&own);
            let known: f64 = above.iter().zip(&own).take(row).map(|(a, b)| a * b).sum();
            let product = products.get(row * width + column)? / (lengths.get(row)? * length);
            let value = if row < column { (product - known) / above.get(row)? } else { product - known };
            let is_enough = value > OWN_MIN;
            if row == column && !is_enough {
                return None;
            }
            *own.get_mut(row)? = if row < column { value } else { value.sqrt() };
        }
        unit.push(own);
    }
    for (column, length) in unit.iter_mut().zip(lengths) {
        column.iter_mut().for_each(|value| *value *= length);
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::super::{fit, fit_by_reflections};
    use super::*;
    use ndarray::Array2;

    fn table(rows: usize, near: f64) -> (Array2<f64>, Vec<f64>) {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut x = Array2::from_shape_fn((rows, 5), |(_, column)| uniform() * 10_f64.powi(column as i32) + 50.0);
        for mut row in x.rows_mut() {
            row[4] = row[0] + near * row[4];
        }
        let y = x.rows().into_iter().map(|row| row[0] - 3e-3 * row[3] + 2.0 * row[4] + uniform()).collect();
        (x, y)
    }

    /// Coefficients, intercepts and standard errors, on both sides of the limit.
    #[test]
    fn both_ways_agree() {
        for (rows, near, is_taken) in [(40, 1e-3, true), (5000, 1e-3, true), (5000, 1e-7, false), (5000, 0.0, false)] {
            let (x, y) = table(rows, near);
            assert_eq!(triangle(x.view(), ArrayView1::from(&y)).is_some(), is_taken, "{rows} {near}");
            for l2 in [0.0, 3.0] {
                let (found, expected) = (fit(x.view(), &y, l2).unwrap(), fit_by_reflections(x.view(), &y, l2).unwrap());
                let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-6), "{a} {b}");
                found.coefficients.iter().zip(&expected.coefficients).for_each(|(a, b)| near(*a, *b));
                let errors = found.standard_errors.iter().flatten().zip(expected.standard_errors.iter().flatten());
                errors.for_each(|(a, b)| near(*a, *b));
                near(found.intercept, expected.intercept);
                near(found.deviation.unwrap(), expected.deviation.unwrap());
                assert_eq!(found.dependent, expected.dependent);
            }
        }
    }

    #[test]
    fn what_reflections_are_due_for() {
        let (mut x, y) = table(3000, 1e-3);
        let is_taken = |x: &Array2<f64>, y: &[f64]| triangle(x.view(), ArrayView1::from(y)).is_some();
        assert!(is_taken(&x, &y));
        assert!(!is_taken(&x, &vec![2.0; 3000]), "a constant target");
        assert!(!is_taken(&x, &x.column(1).to_vec()), "a target without noise");
        x.column_mut(2).iter_mut().enumerate().for_each(|(row, value)| *value += if row < 600 { 0.0 } else { 1e6 });
        assert!(!is_taken(&x, &y), "a column far from its first rows");
        assert!(!is_taken(&x.mapv(|value| value * 1e200), &y), "squares that are not finite");
    }
}
