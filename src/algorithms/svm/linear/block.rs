//! The inner loops: loss, gradient and curvature of a block of rows.

use super::Loss;
use crate::algorithms::tiles::{LANES, regroup};
use ndarray::ArrayView2;

/// Tiles whose weighted copies are held at once for the curvature; 256 rows stay in cache.
const GROUP_TILES: usize = 16;
const GROUP_ROWS: usize = GROUP_TILES * LANES;

/// How much of the second derivatives is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curvature {
    /// The lower triangle, row by row.
    Triangle,
    /// The diagonal.
    Diagonal,
}

/// What a block adds to the objective and its derivatives, the intercept last.
pub(super) struct Part {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) curvature: Vec<f64>,
}

impl Part {
    /// Nothing yet, of `parameters` columns including the intercept.
    pub(super) fn zero(parameters: usize, wanted: Curvature) -> Self {
        let entries = match wanted {
            Curvature::Triangle => parameters * (parameters + 1) / 2,
            Curvature::Diagonal => parameters,
        };
        Self { loss: 0.0, gradient: vec![0.0; parameters], curvature: vec![0.0; entries] }
    }

    /// Adds another part.
    pub(super) fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, part)| *sum += part);
        self.curvature.iter_mut().zip(&other.curvature).for_each(|(sum, part)| *sum += part);
    }
}

/// Some rows less the means, as tiles, the last one padded with zeros.
pub(super) fn gather(x: ArrayView2<'_, f64>, means: &[f64], tiles: &mut Vec<f64>) {
    tiles.resize(x.nrows().next_multiple_of(LANES) * means.len(), 0.0);
    regroup(x, means, tiles);
}

vectorized! {
    /// Loss and derivatives over the tiles of a block. `targets` and `costs` hold one number a row, padding included:
    /// what costs nothing adds nothing. `parameters` are the coefficients and the intercept; `bends` receives the
    /// second derivative of each row's loss.
    pub(super) fn evaluate(
        tiles: &[f64],
        targets: &[f64],
        costs: &[f64],
        parameters: &[f64],
        loss: Loss,
        wanted: Curvature,
        bends: &mut [f64],
    ) -> Part {
        let columns = parameters.len() - 1;
        let mut part = Part::zero(parameters.len(), wanted);
        let mut gradient = vec![[0.0; LANES]; parameters.len()];
        let full = wanted == Curvature::Triangle;
        let mut diagonal = vec![[0.0; LANES]; if full { 0 } else { parameters.len() }];
        // Rows times the root of their curvature, column by column.
        let mut weighted = vec![0.0; if full { parameters.len() * GROUP_ROWS } else { 0 }];
        let groups = tiles.chunks(GROUP_TILES * LANES * columns).zip(bends.chunks_mut(GROUP_ROWS));
        let given = targets.chunks(GROUP_ROWS).zip(costs.chunks(GROUP_ROWS));
        for ((tiles, bends), (targets, costs)) in groups.zip(given) {
            weighted.fill(0.0);
            let given = targets.as_chunks::<LANES>().0.iter().zip(costs.as_chunks::<LANES>().0);
            let tiles = tiles.chunks_exact(LANES * columns).zip(bends.as_chunks_mut::<LANES>().0);
            for (position, ((tile, bends), (targets, costs))) in tiles.zip(given).enumerate() {
                let (lost, slopes) = row_terms(&decisions(tile, parameters), targets, costs, loss, bends);
                part.loss += lost;
                let values = || tile.as_chunks::<LANES>().0.iter().chain([&[1.0; LANES]]);
                for (sums, values) in gradient.iter_mut().zip(values()) {
                    for lane in 0..LANES {
                        sums[lane] += slopes[lane] * values[lane];
                    }
                }
                for (sums, values) in diagonal.iter_mut().zip(values()) {
                    for lane in 0..LANES {
                        sums[lane] += bends[lane] * values[lane] * values[lane];
                    }
                }
                let roots = bends.map(f64::sqrt);
                let slots = weighted.as_chunks_mut::<LANES>().0.iter_mut().skip(position).step_by(GROUP_TILES);
                for (slot, values) in slots.zip(values()) {
                    for lane in 0..LANES {
                        slot[lane] = roots[lane] * values[lane];
                    }
                }
            }
            if full {
                add_products(&weighted, &mut part.curvature);
            }
        }
        fold(&gradient, &mut part.gradient);
        fold(&diagonal, &mut part.curvature);
        part
    }
}

vectorized! {
    /// The second derivatives of a block, given each row's, times a direction.
    pub(super) fn product(tiles: &[f64], bends: &[f64], direction: &[f64]) -> Vec<f64> {
        let mut lanes = vec![[0.0; LANES]; direction.len()];
        let tiles = tiles.chunks_exact(LANES * (direction.len() - 1));
        for (tile, bends) in tiles.zip(bends.as_chunks::<LANES>().0) {
            let mut along = decisions(tile, direction);
            for lane in 0..LANES {
                along[lane] *= bends[lane];
            }
            for (sums, values) in lanes.iter_mut().zip(tile.as_chunks::<LANES>().0.iter().chain([&[1.0; LANES]])) {
                for lane in 0..LANES {
                    sums[lane] += along[lane] * values[lane];
                }
            }
        }
        let mut sums = vec![0.0; direction.len()];
        fold(&lanes, &mut sums);
        sums
    }
}

#[inline(always)]
fn fold(lanes: &[[f64; LANES]], sums: &mut [f64]) {
    for (sum, lanes) in sums.iter_mut().zip(lanes) {
        *sum = lanes.iter().sum();
    }
}

/// x·w + b of each row of a tile.
#[inline(always)]
fn decisions(tile: &[f64], parameters: &[f64]) -> [f64; LANES] {
    let mut sums = [parameters.last().copied().unwrap_or(0.0); LANES];
    for (values, &coefficient) in tile.as_chunks::<LANES>().0.iter().zip(parameters) {
        for lane in 0..LANES {
            sums[lane] += coefficient * values[lane];
        }
    }
    sums
}

/// The summed loss of a tile, each row's slope by its decision, and into `bends` the second derivative.
#[inline(always)]
fn row_terms(
    decisions: &[f64; LANES],
    targets: &[f64; LANES],
    costs: &[f64; LANES],
    loss: Loss,
    bends: &mut [f64; LANES],
) -> (f64, [f64; LANES]) {
    let (mut lost, mut slopes) = (0.0, [0.0; LANES]);
    let (hinge, epsilon) = match loss {
        Loss::Hinge => (true, 0.0),
        Loss::Insensitive { epsilon } => (false, epsilon),
    };
    for lane in 0..LANES {
        let error = decisions[lane] - targets[lane];
        let excess = if hinge { 1.0 - targets[lane] * decisions[lane] } else { error.abs() - epsilon };
        let side = if hinge { -targets[lane] } else { 1.0_f64.copysign(error) };
        let bend = if excess > 0.0 { 2.0 * costs[lane] } else { 0.0 };
        bends[lane] = bend;
        slopes[lane] = bend * excess * side;
        lost += 0.5 * bend * excess * excess;
    }
    (lost, slopes)
}

/// Adds the products of every column with every one up to it.
#[inline(always)]
fn add_products(weighted: &[f64], curvature: &mut [f64]) {
    let mut slots = curvature.iter_mut();
    for (index, column) in weighted.chunks_exact(GROUP_ROWS).enumerate() {
        let others = weighted.chunks_exact(GROUP_ROWS).take(index + 1);
        for (other, slot) in others.zip(&mut slots) {
            let mut sums = [0.0; LANES];
            for (a, b) in column.as_chunks::<LANES>().0.iter().zip(other.as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    sums[lane] += a[lane] * b[lane];
                }
            }
            *slot += sums.iter().sum::<f64>();
        }
    }
}
