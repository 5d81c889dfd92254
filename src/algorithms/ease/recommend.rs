//! Recommending by weights between items.

use super::Weights;
use crate::algorithms::sparse::Csr;
use crate::algorithms::top::keep_best;
use crate::algorithms::wanted::Wanted;
use rayon::prelude::*;
use std::ops::Range;

vectorized! {
    /// Adds a row of weights times a number.
    fn add_row(scores: &mut [f64], weight: f64, row: &[f32]) {
        for (score, value) in scores.iter_mut().zip(row) {
            *score += weight * f64::from(*value);
        }
    }
}

/// The `top` items of each user of the range, best first, of equal scores the lower index first.
///
/// score(u, j) = Σᵢ x(u, i) B(i, j) over the user's history (users × items). Only finite scores above zero are given,
/// so that a user without items gets none. Time is the entries of the histories × items.
pub fn recommend(
    histories: &Csr,
    weights: &Weights,
    users: Range<usize>,
    top: usize,
    wanted: &Wanted<'_>,
) -> Vec<Vec<(u32, f64)>> {
    users
        .into_par_iter()
        .map_init(
            || (vec![0.0; weights.items()], Vec::new()),
            |(scores, found): &mut (Vec<f64>, Vec<(u32, f64)>), user| {
                scores.fill(0.0);
                for (item, weight) in histories.pairs(user) {
                    add_row(scores, weight, weights.of(item as usize));
                }
                let is_wanted = wanted.by(user);
                let most = top.saturating_mul(2).saturating_add(16);
                let mut floor = 0.0;
                found.clear();
                for (item, &score) in (0..).zip(&*scores) {
                    // Items ascend, so that of equal scores the first are kept.
                    if score > floor && score.is_finite() && is_wanted(item) {
                        found.push((item, score));
                        if found.len() >= most {
                            keep_best(found, top);
                            floor = found.last().map_or(0.0, |last| last.1);
                        }
                    }
                }
                keep_best(found, top);
                found.clone()
            },
        )
        .collect()
}

/// For each item recommended to each user of the range the item of the history that added most to its score, of
/// several the one with the lowest index. `None` where nothing added to it. `lists` are those of the range.
pub fn because(
    histories: &Csr,
    weights: &Weights,
    users: Range<usize>,
    lists: &[Vec<(u32, f64)>],
) -> Vec<Vec<Option<u32>>> {
    let most = |user: usize, shown: u32| {
        let mut best = (None, 0.0);
        for (item, weight) in histories.pairs(user) {
            let part = weight * weights.of(item as usize).get(shown as usize).copied().map_or(0.0, f64::from);
            if part > best.1 {
                best = (Some(item), part);
            }
        }
        best.0
    };
    let users: Vec<usize> = users.take(lists.len()).collect();
    let of_list = |(user, list): (usize, &Vec<(u32, f64)>)| list.iter().map(|(shown, _)| most(user, *shown)).collect();
    users.into_par_iter().zip(lists).map(of_list).collect()
}
