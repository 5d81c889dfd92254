//! What fitted item factors say of users: the factors of those who came later, and reasons.

use super::Parameters;
use super::exact::System;
use super::gradient::Scratch;
use super::rows::Rows;
use crate::algorithms::sparse::Csr;
use ndarray::Array2;
use rayon::prelude::*;

/// The factors (users × factors) of users by their `histories` (users × items), such as those who came after the fit:
/// what [`super::fit`] would find for them if the items stayed as they are, exactly.
///
/// The width is that of `items`; of `parameters` the regularization, its exponent and the unobserved weight are used.
/// Users without entries get zeros, and so do those whose equations have no one solution, which takes a regularization
/// of zero. Entries of items that have no row in `items`, and weights that are not above zero and finite, are ignored.
pub fn fold_in(histories: &Csr, items: &Array2<f32>, parameters: &Parameters) -> Array2<f32> {
    let factors = items.ncols();
    let mut users = Array2::zeros((histories.rows(), factors));
    let known = Known::new(items, parameters);
    let (Some(slots), true) = (users.as_slice_mut(), factors > 0) else { return users };
    slots.par_chunks_mut(factors).enumerate().for_each_init(Default::default, |room: &mut Room, (user, slots)| {
        if known.decompose(histories, user, room) {
            let mut solution = room.system.right().to_vec();
            room.system.solve(&mut solution);
            if solution.iter().all(|value| (*value as f32).is_finite()) {
                slots.iter_mut().zip(solution).for_each(|(slot, value)| *slot = value as f32);
            }
        }
    });
    users
}

/// For each item j of each user's list, which of the user's own items speaks most for it: that with the greatest share
/// cᵢ yⱼᵀ W yᵢ of the score, where W is the inverse of the user's equations (Hu et al. 2008, section 5; the shares of
/// all items add up to the score of [`fold_in`]'s factors). Of equal shares the lower index; never j itself.
///
/// None where no share is above zero: for users without entries or equations without one solution, and for items that
/// have no row in `items` or zero factors. `lists` goes by the rows of `histories`; what is ignored of these is the
/// same as in [`fold_in`].
pub fn because(
    histories: &Csr,
    items: &Array2<f32>,
    parameters: &Parameters,
    lists: &[Vec<(u32, f64)>],
) -> Vec<Vec<Option<u32>>> {
    let known = Known::new(items, parameters);
    let lists = lists.par_iter().enumerate();
    lists
        .map_init(Default::default, |room: &mut Room, (user, list)| {
            if list.is_empty() || !known.decompose(histories, user, room) {
                return vec![None; list.len()];
            }
            list.iter().map(|(item, _)| known.reason(*item, room)).collect()
        })
        .collect()
}

/// The items, and what all users have in common.
struct Known<'a> {
    items: Rows<'a>,
    /// How many of them have factors: those that the fit knew.
    count: usize,
    gram: super::spectrum::Symmetric,
    parameters: &'a Parameters,
}

/// What one thread works with.
#[derive(Default)]
struct Room {
    system: System,
    scratch: Scratch,
    solution: Vec<f64>,
}

impl<'a> Known<'a> {
    fn new(items: &'a Array2<f32>, parameters: &'a Parameters) -> Self {
        let count = items.rows().into_iter().filter(|row| row.iter().any(|value| *value != 0.0)).count();
        let items = Rows::of(items);
        Self { gram: items.gram(), items, count, parameters }
    }

    /// False for a user without entries, and where there is no one solution.
    fn decompose(&self, histories: &Csr, user: usize, room: &mut Room) -> bool {
        let Room { system, scratch, .. } = room;
        scratch.load(histories, user, self.items.count());
        if scratch.indices.is_empty() {
            return false;
        }
        let scale = self.parameters.unobserved_weight;
        let penalty = self.parameters.penalty(scratch.indices.len(), self.count);
        system.decompose(self.items.groups(), &self.gram, scale, penalty, &scratch.indices, &scratch.weights)
    }

    fn reason(&self, item: u32, room: &mut Room) -> Option<u32> {
        let Room { system, scratch, solution } = room;
        solution.clear();
        solution.extend(self.row(item)?.iter().map(|value| f64::from(*value)));
        system.solve(solution);
        let mut best = None;
        let mut most = 0.0;
        for (own, weight) in scratch.indices.iter().zip(&scratch.weights) {
            let row = self.row(*own)?;
            let product: f64 = row.iter().zip(&*solution).map(|(y, z)| f64::from(*y) * z).sum();
            let share = f64::from(*weight) * product;
            if share > most && *own != item {
                (best, most) = (Some(*own), share);
            }
        }
        best
    }

    /// An item's factors.
    fn row(&self, item: u32) -> Option<&[f32]> {
        let start = item as usize * self.items.width();
        self.items.values.get(start..start + self.items.factors)
    }
}
