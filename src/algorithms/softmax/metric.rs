//! A first guess of the Hessian, by which steps are measured.
//!
//! With all coefficients zero, the Hessian of one vector is π(1 − π) times the products of the columns, π the share of
//! its class. Of more than two classes, the inverse of the whole Hessian is that of π times the products for each vector,
//! less what is common to all vectors: this changes no probability, and without an l1 penalty it stays zero. That makes steps independent of the scales of the columns and, where there are few enough of them to
//! factor the products, of how they depend on each other.

use super::Penalty;
use rayon::prelude::*;

/// The most columns for which their products are factored.
pub(super) const COLUMNS_MAX: usize = 300;

/// Added to the squares, as a share of them: products of columns that determine each other cannot be factored.
const RAISE: f64 = 1e-9;

/// The matrix of one vector, and of those of its columns that are free its factor.
struct Own {
    curvature: f64,
    free: Vec<usize>,
    /// By rows, columns × columns of the free ones; empty to use the diagonal alone.
    factor: Vec<f64>,
}

pub(super) struct Metric {
    /// Products of columns, row after row; or none.
    products: Option<Vec<f64>>,
    squares: Vec<f64>,
    total: f64,
    l2: f64,
    /// The first of the columns, the intercept among them, whose steps have the sum zero over the vectors.
    level_from: usize,
    own: Vec<Own>,
}

impl Metric {
    /// `shares` holds π of each class; `total` is the sum of the weights.
    pub(super) fn new(
        products: Option<Vec<f64>>,
        squares: Vec<f64>,
        shares: &[f64],
        total: f64,
        penalty: Penalty,
    ) -> Metric {
        let own = |curvature: f64| Own { curvature, free: Vec::new(), factor: Vec::new() };
        let columns = squares.len();
        let (own, level_from) = match shares {
            [first, second] => (vec![own(first * second)], columns + 1),
            _ if penalty.l1 > 0.0 => (shares.iter().map(|share| own(share * (1.0 - share))).collect(), columns),
            _ => (shares.iter().map(|share| own(*share)).collect(), 0),
        };
        Metric { products, squares, total, l2: penalty.l2, level_from, own }
    }

    /// Restricts it to parameters that are free; intercepts always are.
    pub(super) fn restrict(&mut self, free: &[bool]) {
        let Metric { products: Some(products), squares, l2, own, .. } = self else { return };
        let columns = squares.len();
        own.par_iter_mut().zip(free.par_chunks(columns + 1)).for_each(|(own, free)| {
            let places: Vec<usize> = (0..columns).filter(|place| free.get(*place) == Some(&true)).collect();
            if places != own.free {
                own.factor = factor(products, columns, &places, own.curvature, *l2).unwrap_or_default();
                own.free = places;
            }
        });
    }

    /// Multiplies by the inverse; entries that are not free are taken as zero and stay so.
    pub(super) fn apply(&self, direction: &mut [f64]) {
        let columns = self.squares.len();
        direction.par_chunks_mut(columns + 1).zip(&self.own).for_each(|(direction, own)| {
            let Some((intercept, direction)) = direction.split_last_mut() else { return };
            *intercept /= own.curvature * self.total;
            if own.factor.is_empty() {
                for (entry, square) in direction.iter_mut().zip(&self.squares) {
                    *entry /= positive(own.curvature * square + self.l2);
                }
                return;
            }
            let mut some: Vec<f64> =
                own.free.iter().map(|place| direction.get(*place).copied().unwrap_or(0.0)).collect();
            solve(&own.factor, &mut some);
            for (place, value) in own.free.iter().zip(some) {
                if let Some(slot) = direction.get_mut(*place) {
                    *slot = value;
                }
            }
        });
        for column in self.level_from..=columns {
            let entries = || direction.iter().skip(column).step_by(columns + 1);
            let mean = entries().sum::<f64>() / self.own.len() as f64;
            direction.iter_mut().skip(column).step_by(columns + 1).for_each(|entry| *entry -= mean);
        }
    }
}

/// A column of zeros without a penalty would be divided by zero.
fn positive(square: f64) -> f64 {
    if square > 0.0 { square } else { 1.0 }
}

/// Cholesky's factor, by rows, of curvature · products + l2 for some columns. None where it is not positive definite.
fn factor(products: &[f64], columns: usize, places: &[usize], curvature: f64, l2: f64) -> Option<Vec<f64>> {
    let size = places.len();
    let mut factor = vec![0.0; size * size];
    for (i, place) in places.iter().enumerate() {
        let (above, own) = factor.split_at_mut(i * size);
        for (j, other) in places.iter().enumerate().take(i + 1) {
            let product = curvature * products.get(place * columns + other)?;
            if i == j {
                let known: f64 = own.iter().take(i).map(|value| value * value).sum();
                let square = positive(product * (1.0 + RAISE) + l2) - known;
                if !(square > 0.0 && square.is_finite()) {
                    return None;
                }
                *own.get_mut(i)? = square.sqrt();
            } else {
                let row = above.get(j * size..)?;
                let known: f64 = own.iter().zip(row).take(j).map(|(a, b)| a * b).sum();
                *own.get_mut(j)? = (product - known) / row.get(j)?;
            }
        }
    }
    Some(factor)
}

/// Solves L Lᵀ x = b in place.
fn solve(factor: &[f64], b: &mut [f64]) {
    let size = b.len();
    for (i, row) in factor.chunks_exact(size.max(1)).enumerate() {
        let known: f64 = row.iter().zip(b.iter()).take(i).map(|(a, b)| a * b).sum();
        b[i] = (b[i] - known) / row[i];
    }
    for (i, row) in factor.chunks_exact(size.max(1)).enumerate().rev() {
        let value = b[i] / row[i];
        b[i] = value;
        b.iter_mut().zip(row).take(i).for_each(|(slot, entry)| *slot -= value * entry);
    }
}
