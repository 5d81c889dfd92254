//! Maps into a space in which a plane comes near a kernel's machine: for more rows than the kernel itself can take.
//!
//! - Nyström's (Williams and Seeger, NIPS 13, 2001), for any positive definite kernel: the products of mapped rows are
//!   k(x)ᵀ K⁻¹ k(z), where K is the kernel on some landmark rows and k(x) that of a row with them. Any root of K⁻¹ does,
//!   since planes do not change with a rotation: this is the inverse of Cholesky's factor, which costs far less than
//!   the symmetric root. Landmarks that others determine are left out.
//! - Random Fourier features (Rahimi and Recht, NIPS 20, 2007) for the rbf kernel: √(2/m) cos(w·x + b) with w drawn from
//!   a normal distribution of variance 2 gamma and b from a circle.

mod loops;
#[cfg(test)]
mod tests;

use super::kernel::{Kernel, values};
use super::{SvmError, check};
use crate::algorithms::input::{InputError, check_finite, check_width};
use crate::algorithms::tiles::{LANES, tiled};
use loops::{cosines, dot, substitute};
use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The most features: the factor of as many landmarks takes 64 MB.
pub const FEATURES_MAX: usize = 4096;

/// A landmark of which others leave a smaller share is left out.
const INDEPENDENT_MIN: f64 = 1e-10;

/// A kernel whose remainder falls below this share is not positive definite.
const NEGATIVE_MAX: f64 = -1e-7;

/// A map of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    /// See [`nystroem`].
    Nystroem {
        /// The kernel it comes near.
        kernel: Kernel,
        /// One a feature.
        landmarks: Vec<Vec<f64>>,
        /// The lower triangle of Cholesky's factor of the kernel on them, row by row.
        factor: Vec<f64>,
    },
    /// See [`fourier`].
    Fourier {
        /// One a feature.
        directions: Vec<Vec<f64>>,
        /// One a feature, in radians.
        phases: Vec<f64>,
    },
}

/// Nyström's map with `features` rows of `x` as landmarks, drawn without replacement; fewer where there are fewer rows
/// or some are determined by others. Errors on a kernel that is not positive definite on them (the sigmoid seldom is).
pub fn nystroem(x: ArrayView2<'_, f64>, kernel: Kernel, features: usize, rng: &mut impl Rng) -> Result<Map, SvmError> {
    check(x)?;
    kernel.check()?;
    check_features(features)?;
    let mut rows = rand::seq::index::sample(rng, x.nrows(), features.min(x.nrows())).into_vec();
    rows.sort_unstable();
    let points: Vec<Vec<f64>> = rows.iter().map(|row| x.row(*row).to_vec()).collect();
    let (order, factor) = decompose(&points, kernel)?;
    let landmarks = order.iter().filter_map(|place| points.get(*place).cloned()).collect();
    Ok(Map::Nystroem { kernel, landmarks, factor })
}

/// `features` random Fourier features for exp(−gamma ‖x − z‖²) on rows of `columns`.
pub fn fourier(columns: usize, gamma: f64, features: usize, rng: &mut impl Rng) -> Result<Map, SvmError> {
    Kernel::Rbf { gamma }.check()?;
    check_features(features)?;
    if columns == 0 {
        return Err(InputError::NoColumns.into());
    }
    let deviation = (2.0 * gamma).sqrt();
    let mut direction = || (0..columns).map(|_| deviation * rng.sample::<f64, _>(StandardNormal)).collect();
    let directions = (0..features).map(|_| direction()).collect();
    let phases = (0..features).map(|_| rng.gen_range(0.0..std::f64::consts::TAU)).collect();
    Ok(Map::Fourier { directions, phases })
}

fn check_features(features: usize) -> Result<(), SvmError> {
    if (1..=FEATURES_MAX).contains(&features) { Ok(()) } else { Err(SvmError::Features) }
}

/// Cholesky's factor of the kernel on points, the most telling first: their order, and the factor's triangle.
fn decompose(points: &[Vec<f64>], kernel: Kernel) -> Result<(Vec<usize>, Vec<f64>), SvmError> {
    let mut left: Vec<f64> = points.iter().map(|point| kernel.diagonal(point)).collect();
    if !left.iter().all(|value| value.is_finite()) {
        return Err(SvmError::Overflow);
    }
    let columns = points.first().map_or(0, Vec::len);
    let table = Array2::from_shape_fn((points.len(), columns), |(row, column)| points[row][column]);
    let tiles = tiled(table.view());
    let greatest = left.iter().fold(0.0_f64, |greatest, value| greatest.max(value.abs()));
    let mut order: Vec<usize> = Vec::new();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); points.len()];
    let mut chosen = vec![false; points.len()];
    let mut products = vec![0.0; points.len().next_multiple_of(LANES)];
    while order.len() < points.len() {
        let mut pivot = (0, f64::NEG_INFINITY);
        for (place, value) in left.iter().enumerate() {
            if *value > pivot.1 && !chosen[place] {
                pivot = (place, *value);
            }
        }
        if left.iter().any(|value| *value < NEGATIVE_MAX * greatest) {
            return Err(SvmError::NotPositive);
        }
        if pivot.1.is_nan() || pivot.1 <= INDEPENDENT_MIN * greatest {
            break;
        }
        values(&tiles, &points[pivot.0], kernel, &mut products);
        let (own, root) = (rows[pivot.0].clone(), pivot.1.sqrt());
        let places = rows.par_iter_mut().zip(&mut left).zip(&products).enumerate().with_min_len(64);
        places.filter(|(place, _)| !chosen[*place]).for_each(|(place, ((row, left), product))| {
            let entry = if place == pivot.0 { root } else { (product - dot(row, &own)) / root };
            row.push(entry);
            *left = if place == pivot.0 { 0.0 } else { *left - entry * entry };
        });
        order.push(pivot.0);
        chosen[pivot.0] = true;
    }
    if order.is_empty() {
        return Err(SvmError::NotPositive);
    }
    let factor = order.iter().enumerate().flat_map(|(place, row)| rows[*row][..=place].iter().copied()).collect();
    Ok((order, factor))
}

impl Map {
    /// Features of a mapped row.
    pub fn features(&self) -> usize {
        match self {
            Map::Nystroem { landmarks: points, .. } | Map::Fourier { directions: points, .. } => points.len(),
        }
    }

    /// Columns of the rows it takes.
    pub fn columns(&self) -> usize {
        match self {
            Map::Nystroem { landmarks: points, .. } | Map::Fourier { directions: points, .. } => {
                points.first().map_or(0, Vec::len)
            }
        }
    }

    /// Rows × features, 8 bytes each: many rows are best mapped in parts. Errors on another width and on NaN or
    /// infinite values; no rows give no rows.
    pub fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        check_width(x, self.columns())?;
        check_finite(x)?;
        let features = self.features();
        let mut mapped = Array2::zeros((x.nrows(), features));
        let slots = mapped.as_slice_mut().unwrap_or_default().par_chunks_mut((LANES * features).max(1));
        let tiles: Vec<_> = x.axis_chunks_iter(Axis(0), LANES).collect();
        slots.zip(tiles).for_each_init(
            || vec![[0.0; LANES]; features],
            |lanes, (slots, rows)| {
                self.map_tile(&tiled(rows), lanes);
                for (lane, row) in slots.chunks_exact_mut(features).enumerate() {
                    row.iter_mut().zip(lanes.iter()).for_each(|(slot, values)| *slot = values[lane]);
                }
            },
        );
        Ok(mapped)
    }

    fn map_tile(&self, tile: &[f64], lanes: &mut [[f64; LANES]]) {
        match self {
            Map::Nystroem { kernel, landmarks, factor } => {
                for (lanes, landmark) in lanes.iter_mut().zip(landmarks) {
                    values(tile, landmark, *kernel, lanes);
                }
                substitute(factor, lanes);
            }
            Map::Fourier { directions, phases } => {
                let scale = (2.0 / phases.len().max(1) as f64).sqrt();
                for ((lanes, direction), phase) in lanes.iter_mut().zip(directions).zip(phases) {
                    values(tile, direction, Kernel::Linear, lanes);
                    cosines(lanes, *phase, scale);
                }
            }
        }
    }
}
