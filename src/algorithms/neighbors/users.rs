//! What those buy who are alike.

use super::Parameters;
use super::best::{Best, Scores, from_key, key, similarity_of, usable};
use super::measure::{Common, Measure, Side, Totals, with_common};
use super::postings::Postings;
use super::ranked::entries_above_zero;
use crate::algorithms::sparse::Csr;
use crate::algorithms::wanted::Wanted;
use rayon::prelude::*;
use std::ops::Range;

/// Users among whom neighbors are looked for.
#[derive(Clone, Copy)]
pub struct Neighborhood<'a> {
    /// Users × items.
    pub known: &'a Csr,
    /// The users of each item, built from `known`.
    pub postings: &'a Postings,
    /// Those for whom: users × items.
    pub histories: &'a Csr,
    /// Whether row u of `histories` is that of the same user as row u of `known`, who is not their own neighbor.
    pub own: bool,
}

/// The `top` items of each user of the range, best first, of equal scores the lower index first.
///
/// score(u, j) = Σᵥ similarity(u, v) · w(v, j) over the neighbors v of u, who are found anew for each user: time is that
/// of [`Postings::cost`], memory for each thread a sum a user and a score an item, and nowhere users × users. Only
/// scores above zero are given, so that a user without items, or without neighbors, gets none.
pub fn by_users(
    of: &Neighborhood<'_>,
    parameters: &Parameters,
    users: Range<usize>,
    top: usize,
    wanted: &Wanted<'_>,
) -> Vec<Vec<(u32, f64)>> {
    with_common!(parameters, of.is_binary(&users), score_all(of, parameters, users, top, wanted))
}

/// For each item recommended to each user of the range the item of the history that contributed most to its score
/// through the neighbors, of several the one with the lowest index, never the item itself. `lists` are those of the
/// range.
///
/// A neighbor's similarity is divided among the common items in proportion to their terms in Σ xy (or Σ min(x, y)),
/// which for [`super::Similarity::Cosine`] and [`super::Similarity::Dot`] is what each adds to it. `None` for an item
/// that no score came from.
pub fn because_of_users(
    of: &Neighborhood<'_>,
    parameters: &Parameters,
    users: Range<usize>,
    lists: &[Vec<(u32, f64)>],
) -> Vec<Vec<Option<u32>>> {
    with_common!(parameters, of.is_binary(&users), explain_all(of, parameters, users, lists))
}

impl Neighborhood<'_> {
    fn is_binary(&self, users: &Range<usize>) -> bool {
        let is_one = |user| entries_above_zero(self.histories, user).all(|(_, weight)| weight == 1.0);
        self.postings.is_binary() && users.clone().take_while(|user| *user < self.histories.rows()).all(is_one)
    }
}

fn score_all<C: Common>(
    of: &Neighborhood<'_>,
    parameters: &Parameters,
    users: Range<usize>,
    top: usize,
    wanted: &Wanted<'_>,
) -> Vec<Vec<(u32, f64)>> {
    let search = Search::new(of, parameters);
    users
        .into_par_iter()
        .with_min_len(64)
        .map_init(
            || (Scratch::<C>::new(of.postings), Scores::new(of.known.columns())),
            |(scratch, scores), user| {
                search.neighbors(user, scratch);
                for key in scratch.best.drain(parameters.neighbors) {
                    let (neighbor, similarity) = from_key(key);
                    for (item, weight) in of.known.pairs(neighbor as usize) {
                        if let Some(weight) = usable(weight) {
                            scores.add(item, weight * f64::from(similarity));
                        }
                    }
                }
                scores.take_best(top, wanted, user)
            },
        )
        .collect()
}

fn explain_all<C: Common>(
    of: &Neighborhood<'_>,
    parameters: &Parameters,
    users: Range<usize>,
    lists: &[Vec<(u32, f64)>],
) -> Vec<Vec<Option<u32>>> {
    let search = Search::new(of, parameters);
    let users: Vec<usize> = users.take(lists.len()).collect();
    users
        .into_par_iter()
        .zip(lists)
        .with_min_len(64)
        .map_init(
            || Scratch::<C>::new(of.postings),
            |scratch, (user, list)| {
                search.neighbors(user, scratch);
                let neighbors = scratch.best.drain(parameters.neighbors).map(from_key);
                explain::<C>(of, user, neighbors, list)
            },
        )
        .collect()
}

/// Users compared at once: what is summed and known of them fits the second nearest cache.
const BLOCK: usize = 16_384;

/// The looking for neighbors.
struct Search<'a> {
    of: &'a Neighborhood<'a>,
    measure: Measure,
    /// Of the users of `known`; apart because some similarities need one of them only.
    factors: Vec<f64>,
    terms: Vec<f64>,
    count: usize,
}

/// What a thread works with.
struct Scratch<'a, C> {
    /// Over the entries that users of a block have in common with one; all zero between blocks.
    sums: Vec<C>,
    /// The users of the block with a sum, one place more than there are users.
    touched: Vec<u32>,
    /// For each item of the user at hand the weight, and what is left of its users.
    lists: Vec<(f32, &'a [u32], &'a [f32])>,
    best: Best,
}

impl<C: Common> Scratch<'_, C> {
    fn new(postings: &Postings) -> Self {
        let users = postings.totals.len().min(BLOCK);
        let (sums, touched) = (vec![C::default(); users], vec![0; users + 1]);
        Self { sums, touched, lists: Vec::new(), best: Best::default() }
    }
}

impl<'a> Search<'a> {
    fn new(of: &'a Neighborhood<'a>, parameters: &Parameters) -> Self {
        let mut met = vec![false; of.known.columns()];
        let items = (0..of.known.rows()).flat_map(|user| of.known.row(user).0);
        items.for_each(|item| met[*item as usize] = true);
        // Items without users may come later, and are not yet there.
        let measure = Measure::new(parameters, met.into_iter().filter(|met| *met).count());
        let sides = of.postings.totals.iter().map(|totals| measure.side(*totals));
        let (factors, terms) = sides.map(|side| (side.factor, side.term)).unzip();
        Self { of, measure, factors, terms, count: parameters.neighbors }
    }

    /// Leaves the neighbors of a user in `scratch.best`.
    fn neighbors<C: Common>(&self, user: usize, scratch: &mut Scratch<'a, C>) {
        if self.count == 0 {
            return;
        }
        let (histories, postings) = (self.of.histories, self.of.postings);
        let lists = |(item, weight)| (weight, postings.users_of(item), postings.weights_of(item));
        scratch.lists.clear();
        scratch.lists.extend(entries_above_zero(histories, user).map(lists));
        let side = self.measure.side(Totals::of(scratch.lists.iter().map(|list| list.0)));
        for start in (0..self.factors.len()).step_by(BLOCK) {
            let touched = add_up(scratch, start);
            let Scratch { sums, best, .. } = scratch;
            for place in &scratch.touched[..touched] {
                let common = std::mem::take(&mut sums[*place as usize]);
                let other = start + *place as usize;
                let of_other = Side { factor: self.factors[other], term: self.terms[other] };
                let similarity = self.measure.of(side, of_other, common);
                // False for NaN too.
                if similarity > 0.0 && similarity >= similarity_of(best.floor()) {
                    let key = key(similarity, other as u32);
                    if key > best.floor() && !(self.of.own && other == user) {
                        best.push(key, self.count);
                    }
                }
            }
        }
    }
}

/// Sums up what the users of a block, the first of whom is `start`, have in common with one; gives how many are touched.
fn add_up<C: Common>(scratch: &mut Scratch<'_, C>, start: usize) -> usize {
    let Scratch { sums, touched, lists, .. } = scratch;
    let mut found = 0;
    let mut meet = |place: usize, weight: f32, other_weight: f32| {
        let sum = &mut sums[place];
        // Written in any case and counted only the first time: a branch would be guessed wrong often.
        touched[found] = place as u32;
        found += usize::from(sum.is_empty());
        sum.add(weight, other_weight);
    };
    let within = |other: u32| (other as usize) < start + BLOCK;
    for (weight, others, weights) in lists {
        let mut met = 0;
        if weights.is_empty() {
            for other in others.iter().take_while(|other| within(**other)) {
                meet(*other as usize - start, *weight, 1.0);
                met += 1;
            }
        } else {
            for (other, of_other) in others.iter().zip(*weights).take_while(|(other, _)| within(**other)) {
                meet(*other as usize - start, *weight, *of_other);
                met += 1;
            }
            *weights = &weights[met..];
        }
        *others = &others[met..];
    }
    found
}

/// Which item of the user's history contributed most to each of the list.
fn explain<C: Common>(
    of: &Neighborhood<'_>,
    user: usize,
    neighbors: impl Iterator<Item = (u32, f32)>,
    list: &[(u32, f64)],
) -> Vec<Option<u32>> {
    let own: Vec<(u32, f32)> = entries_above_zero(of.histories, user).collect();
    let shown = list.len();
    // One row an item of the history.
    let mut parts = vec![0.0; own.len() * shown];
    let mut terms: Vec<(usize, f64)> = Vec::new();
    for (neighbor, similarity) in neighbors {
        let (items, weights) = of.known.row(neighbor as usize);
        let weight_of = |item: &u32| items.binary_search(item).ok().and_then(|at| usable(*weights.get(at)?));
        common_terms::<C>(&own, entries_above_zero(of.known, neighbor as usize), &mut terms);
        let sum: f64 = terms.iter().map(|(_, term)| term).sum();
        for (place, weight) in list.iter().enumerate().filter_map(|(place, (item, _))| Some((place, weight_of(item)?)))
        {
            for (row, term) in &terms {
                parts[row * shown + place] += f64::from(similarity) * (term / sum) * weight;
            }
        }
    }
    let most = |(place, (item, _)): (usize, &(u32, f64))| {
        let mut best = (None, 0.0);
        for ((candidate, _), row) in own.iter().zip(parts.chunks_exact(shown)) {
            if candidate != item && row[place] > best.1 {
                best = (Some(*candidate), row[place]);
            }
        }
        best.0
    };
    list.iter().enumerate().map(most).collect()
}

/// The terms of the sum over common entries, each with its place in `own`. Both ascend.
fn common_terms<C: Common>(own: &[(u32, f32)], other: impl Iterator<Item = (u32, f32)>, terms: &mut Vec<(usize, f64)>) {
    terms.clear();
    let mut place = 0;
    for (item, of_other) in other {
        while own.get(place).is_some_and(|(before, _)| *before < item) {
            place += 1;
        }
        if let Some((_, weight)) = own.get(place).filter(|(same, _)| *same == item) {
            let mut term = C::default();
            term.add(*weight, of_other);
            terms.push((place, term.sum()));
        }
    }
}
