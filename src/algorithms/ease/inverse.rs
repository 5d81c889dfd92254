//! The inverse of a symmetric positive definite matrix by way of Cholesky's decomposition, in tiles.
//!
//! All but the tiles on the diagonal is multiplication of tiles. Each tile is computed by one thread in a fixed order,
//! so that the result does not depend on how many there are.

use super::EaseError;
use super::tiles::{AREA, Columns, SIZE, Tiles, place, places, tile, tile_mut};
use ndarray::Array2;
use ndarray::linalg::general_mat_mul;
use rayon::prelude::*;

type KeepGoing<'a> = &'a (dyn Fn() -> bool + Sync);

/// A⁻¹. The memory of A is used again; two triangles exist at a time.
pub(super) fn invert(matrix: Tiles, keep_going: KeepGoing<'_>) -> Result<Tiles, EaseError> {
    let (factor, diagonal) = decompose(matrix, keep_going)?;
    let inverse = invert_factor(&factor, &diagonal, keep_going)?;
    multiply(&inverse, factor, keep_going)
}

fn check(keep_going: KeepGoing<'_>) -> Result<(), EaseError> {
    if keep_going() { Ok(()) } else { Err(EaseError::Stopped) }
}

/// L below the diagonal with A = LLᵀ, and the inverses of its tiles on the diagonal.
fn decompose(mut matrix: Tiles, keep_going: KeepGoing<'_>) -> Result<(Tiles, Vec<Array2<f64>>), EaseError> {
    let count = matrix.count;
    let mut diagonal = Vec::with_capacity(count);
    for step in 0..count {
        check(keep_going)?;
        let pivot = factor_tile(matrix.at(step, step).to_owned()).ok_or(EaseError::NotPositiveDefinite)?;
        let inverse = invert_triangle(&pivot);
        let below: Vec<_> = (step + 1..count).collect();
        let panel: Vec<_> = below.par_iter().map(|i| matrix.at(*i, step).dot(&inverse.t())).collect();
        let rest = &mut matrix.values[place(step + 1, 0) * AREA..];
        rest.par_chunks_mut(AREA).zip(places(step + 1, count)).for_each(|(values, (i, j))| {
            if j == step {
                tile_mut(values).assign(&panel[i - step - 1]);
            } else if j > step {
                general_mat_mul(-1.0, &panel[i - step - 1], &panel[j - step - 1].t(), 1.0, &mut tile_mut(values));
            }
        });
        diagonal.push(inverse);
    }
    Ok((matrix, diagonal))
}

/// M = L⁻¹: M(i, j) = −L(i, i)⁻¹ Σₖ L(i, k) M(k, j) over j ≤ k < i, a column of tiles at a time.
fn invert_factor(factor: &Tiles, diagonal: &[Array2<f64>], keep_going: KeepGoing<'_>) -> Result<Columns, EaseError> {
    let mut inverse = Columns::zeros(factor.count);
    let fill = |(j, column): (usize, &mut [f64])| -> Result<(), EaseError> {
        tile_mut(&mut column[..AREA]).assign(&diagonal[j]);
        for (i, below) in diagonal.iter().enumerate().skip(j + 1) {
            check(keep_going)?;
            let (above, own) = column.split_at_mut((i - j) * AREA);
            let mut sum = Array2::zeros((SIZE, SIZE));
            for (k, above) in (j..i).zip(above.chunks_exact(AREA)) {
                general_mat_mul(-1.0, &factor.at(i, k), &tile(above), 1.0, &mut sum);
            }
            general_mat_mul(1.0, below, &sum, 0.0, &mut tile_mut(&mut own[..AREA]));
        }
        Ok(())
    };
    // The first columns are the longest, so that every thread takes the next one in turn.
    inverse.columns_mut().into_par_iter().enumerate().with_max_len(1).try_for_each(fill)?;
    Ok(inverse)
}

/// MᵀM: tile (i, j) = Σₖ M(k, i)ᵀ M(k, j) over k ≥ i ≥ j. Written over `memory`.
fn multiply(inverse: &Columns, mut memory: Tiles, keep_going: KeepGoing<'_>) -> Result<Tiles, EaseError> {
    let count = memory.count;
    let fill = |(values, (i, j)): (&mut [f64], (usize, usize))| -> Result<(), EaseError> {
        check(keep_going)?;
        let mut sum = tile_mut(values);
        sum.fill(0.0);
        for k in i..count {
            general_mat_mul(1.0, &inverse.at(k, i).t(), &inverse.at(k, j), 1.0, &mut sum);
        }
        Ok(())
    };
    memory.values.par_chunks_mut(AREA).zip(places(0, count)).try_for_each(fill)?;
    Ok(memory)
}

/// Cholesky's decomposition of one tile: L, whose upper half is zero. `None` when a pivot is not above zero or not
/// finite.
fn factor_tile(mut a: Array2<f64>) -> Option<Array2<f64>> {
    let size = a.nrows();
    for j in 0..size {
        // Column by column what is known of a column is taken from those to its right.
        let pivot = a[[j, j]];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        let root = pivot.sqrt();
        let mut column: Vec<f64> = (j..size).map(|i| a[[i, j]] / root).collect();
        column[0] = root;
        for i in j + 1..size {
            let own = column[i - j];
            let row = &mut a.as_slice_mut()?[i * size + j + 1..=i * size + i];
            row.iter_mut().zip(&column[1..]).for_each(|(entry, other)| *entry -= own * other);
        }
        for (i, value) in (j..size).zip(column) {
            a[[i, j]] = value;
            if i > j {
                a[[j, i]] = 0.0;
            }
        }
    }
    Some(a)
}

/// L⁻¹ of one tile, row by row: row i = (eᵢ − Σₖ L(i, k) row k) / L(i, i) over k < i.
fn invert_triangle(l: &Array2<f64>) -> Array2<f64> {
    let size = l.nrows();
    let mut inverse = Array2::<f64>::zeros((size, size));
    for i in 0..size {
        let (known, mut rest) = inverse.view_mut().split_at(ndarray::Axis(0), i);
        let mut row = rest.row_mut(0);
        for (k, above) in known.rows().into_iter().enumerate() {
            row.scaled_add(-l[[i, k]], &above);
        }
        row[i] += 1.0;
        row /= l[[i, i]];
    }
    inverse
}
