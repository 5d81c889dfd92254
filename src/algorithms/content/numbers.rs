//! Numbers as coordinates whose cosine tells how close they are.
//!
//! One standardized number of length 1 is a sign, of which the cosine knows only above and below
//! the mean. Instead a number lies between two of a few knots and has a coordinate at each: cos and
//! sin of how far it is on the way, as a quarter turn. That has length 1 everywhere, and the cosine
//! of two numbers falls steadily from 1 to 0 as they move apart: to 0.71 at half a step, to 0 at
//! one to two steps. Knots are quantiles, so that a step is a share of the items and neither the
//! unit nor a long tail of prices matters. (Radial basis functions would need a width in the
//! number's own unit and as many coordinates as centers; bins would part 9.99 from 10.00.)

use crate::algorithms::scale::quantile_of_sorted;
use ndarray::ArrayView2;
use std::f64::consts::FRAC_PI_2;

/// The most steps between the knots of a number.
pub const MOST_STEPS: usize = 1024;

/// The entries of each row, columns ascending, and the number of columns: up to `steps` + 1 a
/// number. NaN and infinite values are absent; those are few that differ have fewer knots.
pub(super) fn encode(values: ArrayView2<'_, f64>, steps: usize) -> (Vec<Vec<(u32, f64)>>, usize) {
    let mut rows = vec![Vec::new(); values.nrows()];
    let mut columns = 0;
    for column in values.columns() {
        let mut sorted: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let knots = knots(&sorted, steps);
        for (row, &value) in rows.iter_mut().zip(column) {
            if value.is_finite() {
                let (knot, turned) = place(&knots, value);
                row.push(((columns + knot) as u32, turned.cos()));
                if turned > 0.0 {
                    row.push(((columns + knot + 1) as u32, turned.sin()));
                }
            }
        }
        columns += knots.len();
    }
    (rows, columns)
}

/// Distinct quantiles, ascending.
fn knots(sorted: &[f64], steps: usize) -> Vec<f64> {
    let quantiles = (0..=steps).map(|step| quantile_of_sorted(sorted, step as f64 / steps as f64));
    let mut knots: Vec<f64> = quantiles.filter(|quantile| quantile.is_finite()).collect();
    knots.dedup();
    knots
}

/// The knot before a value, and how far it is to the next, in quarter turns.
fn place(knots: &[f64], value: f64) -> (usize, f64) {
    let before = knots.partition_point(|knot| *knot <= value).saturating_sub(1);
    match (knots.get(before), knots.get(before + 1)) {
        // Halved, since a difference may overflow.
        (Some(&low), Some(&high)) => {
            (before, ((value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)).clamp(0.0, 1.0) * FRAC_PI_2)
        }
        _ => (before, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn dense(values: &[f64], steps: usize) -> Vec<Vec<f64>> {
        let x = Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap();
        let (rows, columns) = encode(x.view(), steps);
        let widened = |row: &Vec<(u32, f64)>| {
            let mut wide = vec![0.0; columns];
            row.iter().for_each(|(column, value)| wide[*column as usize] += value);
            wide
        };
        rows.iter().map(widened).collect()
    }

    fn product(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn between_two_knots_and_absent() {
        let rows = dense(&[1.0, 2.0, 3.0, 5.0, 9.0, f64::NAN, f64::INFINITY], 2);
        let half = std::f64::consts::FRAC_1_SQRT_2;
        assert!((rows[1][0] - half).abs() < 1e-15 && (rows[1][1] - half).abs() < 1e-15);
        assert_eq!((rows[0][0], rows[2][1], rows[4][2]), (1.0, 1.0, 1.0));
        assert_eq!((&rows[5], &rows[6]), (&vec![0.0; 3], &vec![0.0; 3]));
        let third = (FRAC_PI_2 * 2.0 / 6.0).cos();
        assert!((product(&rows[2], &rows[3]) - third).abs() < 1e-15);
    }

    #[test]
    fn all_the_same_none_at_all_and_huge() {
        assert_eq!(dense(&[4.0, 4.0, f64::NAN], 8), [vec![1.0], vec![1.0], vec![0.0]]);
        assert_eq!(dense(&[f64::NAN], 8), [Vec::<f64>::new()]);
        assert_eq!(dense(&[], 8), Vec::<Vec<f64>>::new());
        let rows = dense(&[-f64::MAX, 0.0, f64::MAX], 1);
        assert!(rows.iter().all(|row| (product(row, row) - 1.0).abs() < 1e-12));
    }

    proptest! {
        #[test]
        fn length_is_one_and_likeness_falls_with_distance(
            values in proptest::collection::vec(-50.0..50.0f64, 3..40),
            steps in 1..12_usize,
        ) {
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let rows = dense(&sorted, steps);
            for (i, row) in rows.iter().enumerate() {
                prop_assert!((product(row, row) - 1.0).abs() < 1e-12);
                for pair in rows[i..].windows(2) {
                    prop_assert!(product(row, &pair[0]) >= product(row, &pair[1]) - 1e-12);
                }
            }
        }
    }
}
