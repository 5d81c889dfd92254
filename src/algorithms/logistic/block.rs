//! The inner loops: loss, gradient and curvature of a block of rows.

use crate::algorithms::tiles::LANES;

/// Tiles whose weighted copies are held at once for the curvature; 256 rows stay in cache.
const GROUP_TILES: usize = 16;
const GROUP_ROWS: usize = GROUP_TILES * LANES;

/// What a block adds to the objective and its derivatives.
pub(super) struct Part {
    pub(super) loss: f64,
    /// By column, the intercept last.
    pub(super) gradient: Vec<f64>,
    /// Lower triangle, row by row, the intercept last; empty unless asked for.
    pub(super) curvature: Vec<f64>,
}

impl Part {
    /// Nothing yet, of `parameters` columns including the intercept.
    pub(super) fn zero(parameters: usize, curved: bool) -> Self {
        let triangle = if curved { parameters * (parameters + 1) / 2 } else { 0 };
        Self { loss: 0.0, gradient: vec![0.0; parameters], curvature: vec![0.0; triangle] }
    }

    /// Adds another part.
    pub(super) fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, part)| *sum += part);
        self.curvature.iter_mut().zip(&other.curvature).for_each(|(sum, part)| *sum += part);
    }
}

vectorized! {
    /// Loss and derivatives over the tiles of `block`. `targets` holds one number a row, padding
    /// included: the weight, negative for rows of the other class, 0 for padding. `parameters` are the
    /// coefficients and the intercept.
    pub(super) fn evaluate(block: &[f64], targets: &[f64], parameters: &[f64], curved: bool) -> Part {
        let columns = parameters.len() - 1;
        let mut part = Part::zero(parameters.len(), curved);
        let mut gradient = vec![[0.0; LANES]; parameters.len()];
        // Rows times the root of their curvature, column by column.
        let mut weighted = vec![
            0.0;
            if curved {
                parameters.len() * GROUP_ROWS
            } else {
                0
            }
        ];
        let groups = block
            .chunks(GROUP_TILES * LANES * columns)
            .zip(targets.chunks(GROUP_ROWS));
        for (tiles, targets) in groups {
            weighted.fill(0.0);
            let tiles = tiles
                .chunks_exact(LANES * columns)
                .zip(targets.as_chunks::<LANES>().0);
            for (position, (tile, targets)) in tiles.enumerate() {
                let (loss, residuals, roots) = row_terms(&margins(tile, parameters), targets);
                part.loss += loss;
                let tile = tile.as_chunks::<LANES>().0;
                for (sums, values) in gradient.iter_mut().zip(tile.iter().chain([&[1.0; LANES]])) {
                    for lane in 0..LANES {
                        sums[lane] += residuals[lane] * values[lane];
                    }
                }
                let slots = weighted.as_chunks_mut::<LANES>().0.iter_mut();
                let slots = slots.skip(position).step_by(GROUP_TILES);
                for (slot, values) in slots.zip(tile.iter().chain([&[1.0; LANES]])) {
                    for lane in 0..LANES {
                        slot[lane] = roots[lane] * values[lane];
                    }
                }
            }
            add_products(&weighted, &mut part.curvature);
        }
        let sums = gradient.iter().map(|lanes| lanes.iter().sum::<f64>());
        part.gradient
            .iter_mut()
            .zip(sums)
            .for_each(|(slot, sum)| *slot = sum);
        part
    }
}

/// x·w + b of each row of a tile.
#[inline(always)]
fn margins(tile: &[f64], parameters: &[f64]) -> [f64; LANES] {
    let mut margins = [parameters.last().copied().unwrap_or(0.0); LANES];
    for (values, &coefficient) in tile.as_chunks::<LANES>().0.iter().zip(parameters) {
        for lane in 0..LANES {
            margins[lane] += coefficient * values[lane];
        }
    }
    margins
}

/// The summed loss of a tile, and of each row the derivative of its loss by the margin and the
/// root of the second derivative. One exponential, of a number that is never positive, serves all
/// three, so nothing overflows.
#[inline(always)]
fn row_terms(margins: &[f64; LANES], targets: &[f64; LANES]) -> (f64, [f64; LANES], [f64; LANES]) {
    let (mut loss, mut residuals, mut roots) = (0.0, [0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let weight = targets[lane].abs();
        let margin = margins[lane] * targets[lane].signum();
        let small = (-margin.abs()).exp();
        let wrong = if margin >= 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) };
        loss += weight * (small.ln_1p() - margin.min(0.0));
        residuals[lane] = -targets[lane] * wrong;
        roots[lane] = (weight * small).sqrt() / (1.0 + small);
    }
    (loss, residuals, roots)
}

/// Adds the products of every column with every one up to it.
#[inline(always)]
fn add_products(weighted: &[f64], curvature: &mut [f64]) {
    if curvature.is_empty() {
        return;
    }
    let mut slots = curvature.iter_mut();
    for (index, column) in weighted.chunks_exact(GROUP_ROWS).enumerate() {
        let others = weighted.chunks_exact(GROUP_ROWS).take(index + 1);
        for (other, slot) in others.zip(&mut slots) {
            *slot += product(column, other);
        }
    }
}

/// A scalar product summed in lanes.
#[inline(always)]
fn product(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}
