//! Products of all pairs of items over users.

use super::tiles::{AREA, SIZE, Tiles, tile_mut};
use crate::algorithms::sparse::Csr;
use ndarray::ArrayViewMut2;
use rayon::prelude::*;

/// XᵀX + λI. What pads it is λI.
pub(super) fn regularized(interactions: &Csr, regularization: f64) -> Tiles {
    let by_item = interactions.transpose();
    let count = interactions.columns().div_ceil(SIZE);
    let mut gram = Tiles::zeros(count);
    gram.rows_mut().into_par_iter().enumerate().for_each(|(row, tiles)| {
        for within in 0..SIZE {
            let item = row * SIZE + within;
            for (user, weight) in by_item.pairs(item) {
                for (other, other_weight) in interactions.pairs(user as usize) {
                    let other = other as usize;
                    if other > item {
                        break;
                    }
                    tiles[other / SIZE * AREA + within * SIZE + other % SIZE] += weight * other_weight;
                }
            }
            tiles[row * AREA + within * SIZE + within] += regularization;
        }
        mirror(tile_mut(&mut tiles[row * AREA..]));
    });
    gram
}

/// Completes a tile on the diagonal, of which only the lower half was summed.
fn mirror(mut tile: ArrayViewMut2<'_, f64>) {
    for row in 0..SIZE {
        for column in 0..row {
            tile[[column, row]] = tile[[row, column]];
        }
    }
}
