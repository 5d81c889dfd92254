//! The triangle of a table by its cross products, where it is as good as by reflections.
//!
//! Products square the condition of the table, so that digits are lost where columns nearly determine each other
//! (Golub and Van Loan 2013, section 5.3.2). They are taken where each column keeps a part of its own of more than 1e-4
//! of its square, which costs at most four of sixteen digits; everything else is left to reflections.

use super::qr::Triangle;
use crate::algorithms::gram::Gram;

/// The least part of a column's square that the columns before it leave.
const OWN_MIN: f64 = 1e-4;

/// The centered columns and target as one triangle; `None` where reflections are due. A column whose length is at most
/// `noise` times its mean is constant.
pub(super) fn triangle(gram: &Gram, noise: f64) -> Option<Triangle> {
    let width = gram.means.len() + 1;
    let mut products = Vec::with_capacity(width * width);
    for (own, with_target) in gram.products.chunks(width - 1).zip(&gram.with_target) {
        products.extend(own);
        products.push(*with_target);
    }
    products.extend(&gram.with_target);
    products.push(gram.target);
    let squares = products.iter().step_by(width + 1);
    let lengths: Vec<f64> = squares.map(|square| square.sqrt()).collect();
    let means = gram.means.iter().chain([&gram.mean]);
    let varies = |(length, mean): (&f64, &f64)| length.is_normal() && *length > noise * mean.abs();
    let columns = if lengths.iter().zip(means).all(varies) { factored(&products, &lengths)? } else { return None };
    Some(Triangle::from_columns(columns))
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
    use crate::algorithms::gram::{Rows, gram, noise};
    use ndarray::Array2;

    fn is_taken(x: &Array2<f64>, y: &[f64]) -> bool {
        let rows = x.nrows();
        let found = gram(Rows { x: x.view(), targets: y, weights: None }, rows as f64);
        triangle(&found, noise(rows, rows as f64)).is_some()
    }

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
        for (rows, near, expected) in [(40, 1e-3, true), (5000, 1e-3, true), (5000, 1e-7, false), (5000, 0.0, false)] {
            let (x, y) = table(rows, near);
            assert_eq!(is_taken(&x, &y), expected, "{rows} {near}");
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
        assert!(is_taken(&x, &y));
        assert!(!is_taken(&x, &vec![2.0; 3000]), "a constant target");
        assert!(!is_taken(&x, &x.column(1).to_vec()), "a target without noise");
        x.column_mut(2).fill(1e6 / 3.0);
        assert!(!is_taken(&x, &y), "a constant column");
        assert!(!is_taken(&x.mapv(|value| value * 1e200), &y), "squares that are not finite");
    }
}
