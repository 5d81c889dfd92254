//! The hybrid's lists at a moment.

use std::collections::HashSet;

use rayon::prelude::*;

use super::super::beside::AsOf;
use super::super::interactions::Interactions;
use super::super::lists::{Entry, FILLED, Lists};
use super::super::options::ColdStart;
use super::super::recommender::Scene;
use super::super::serve;
use super::super::trial::Trial;
use super::candidates::{Candidate, OfPart};
use super::fuse::{self, Fused, Fusion};
use super::learn::Learned;
use super::options::Method;
use super::{FEW_USERS, POOL, Work};
use crate::algorithms::wanted::Wanted;
use crate::stages::contract::Failure;

/// What is known at the moment of a trial.
pub fn scene<'a>(interactions: &'a Interactions, trial: &'a Trial, as_of: &'a AsOf) -> Scene<'a> {
    Scene { interactions, moment: trial.moment, known: &trial.known, histories: trial.histories(), is_own: true, as_of }
}

impl From<Method> for fuse::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Weighted => fuse::Method::Weighted,
            Method::RankFusion | Method::Switching | Method::Cascade => fuse::Method::RankFusion,
        }
    }
}

/// What decides who gets what, beside the weights.
struct Rules<'a> {
    method: Method,
    /// The part for users with few orders and new items.
    cold_part: Option<usize>,
    /// For each item whether few users have it.
    is_new: &'a [bool],
    pool: usize,
    count: usize,
}

impl Work<'_> {
    pub(super) fn as_of(&self, trial: &Trial) -> Result<AsOf, Failure> {
        self.beside.as_of(trial.moment, self.context.run_date, &self.interactions, &self.options)
    }

    /// The lists at the moment of a trial, and the candidates that they were made of.
    pub(super) fn lists(
        &self,
        trial: &Trial,
        weights: &Learned,
        with_reasons: bool,
    ) -> Result<(Lists, Vec<OfPart>), Failure> {
        let parts = self.parts.at(trial.moment);
        let as_of = self.as_of(trial)?;
        let scene = scene(&self.interactions, trial, &as_of);
        let eligible = serve::eligible(&scene, &self.options);
        let wanted = Wanted { seen: trial.seen(), eligible: eligible.as_deref() };
        let few_users = f64::from(self.stage.few_users.unwrap_or(FEW_USERS));
        let is_new: Vec<bool> =
            trial.known.users_per_item(i64::MIN).into_iter().map(|users| users < few_users).collect();
        let cold_part = self.stage.cold_part.as_ref();
        let rules = Rules {
            method: self.stage.method,
            cold_part: cold_part.and_then(|cold| self.parts.parts.iter().position(|part| part == cold)),
            is_new: &is_new,
            pool: self.stage.pool.unwrap_or(POOL),
            count: self.options.pool(),
        };
        let of_user = |user: usize| {
            let own: Vec<&[Candidate]> =
                parts.iter().map(|part| part.get(user).map(Vec::as_slice).unwrap_or_default()).collect();
            let orders = trial.histories().orders.get(user).copied().unwrap_or(0);
            rules.list(&own, weights, orders <= self.stage.few_orders(), wanted.by(user))
        };
        let mut fused: Vec<Vec<Fused>> = (0..self.interactions.users.len()).into_par_iter().map(of_user).collect();
        if let Some(diversity) = self.options.diversity {
            let scored = fused.iter().map(|list| list.iter().map(|one| (one.item, one.score)).collect()).collect();
            let chosen = serve::diverse(scored, &scene, diversity, &self.options)?;
            for (list, chosen) in fused.iter_mut().zip(chosen) {
                let of_item = |item: u32| list.iter().find(|one| one.item == item).copied();
                *list = chosen.into_iter().filter_map(|(item, _)| of_item(item)).collect();
            }
        }
        let entry = |one: Fused| Entry {
            item: one.item,
            score: one.score,
            probability: None,
            because: one.because.filter(|_| with_reasons),
            source: one.part as u16,
        };
        let of_users = fused.into_iter().map(|list| list.into_iter().map(entry).collect()).collect();
        let sources = self.parts.parts.iter().cloned().chain([FILLED.to_owned()]).collect();
        let mut lists = Lists { moment: trial.moment, of_users, sources };
        if self.options.cold_start == ColdStart::Popular {
            serve::fill_up(&mut lists, &scene, &wanted, &self.options)?;
        }
        Ok((lists, parts))
    }
}

impl Rules<'_> {
    fn list(
        &self,
        parts: &[&[Candidate]],
        weights: &Learned,
        has_few_orders: bool,
        wanted: impl Fn(u32) -> bool,
    ) -> Vec<Fused> {
        let fusion = if has_few_orders { &weights.few } else { &weights.all };
        match (self.method, self.cold_part) {
            (Method::Switching, Some(cold)) => {
                let is_new = |item: u32| self.is_new.get(item as usize).copied().unwrap_or(true);
                let from = |part: usize, item: u32| {
                    if has_few_orders { part == cold } else { (part == cold) == is_new(item) }
                };
                let list = fusion.fuse(parts, self.count, |part, item| from(part, item) && wanted(item));
                self.extended(list, |count, shown| {
                    fusion.fuse(parts, count, |_, item| wanted(item) && !shown.contains(&item))
                })
            }
            (Method::Cascade, _) => {
                let first = parts.first().copied().unwrap_or_default();
                let pool: HashSet<u32> =
                    first.iter().map(|candidate| candidate.item).filter(|item| wanted(*item)).take(self.pool).collect();
                // The others order what the first part chose; what none of them knows follows in its own order.
                let list = fusion.fuse(parts, self.count, |part, item| part > 0 && pool.contains(&item));
                let own = Fusion { method: fuse::Method::RankFusion, weights: vec![1.0], constant: fusion.constant };
                self.extended(list, |count, shown| {
                    let first = parts.get(..1).unwrap_or_default();
                    own.fuse(first, count, |_, item| pool.contains(&item) && !shown.contains(&item))
                })
            }
            _ => fusion.fuse(parts, self.count, |_, item| wanted(item)),
        }
    }

    /// Lengthens a list that is too short by what `rest` gives, which stands behind whatever it would have scored.
    fn extended(&self, mut list: Vec<Fused>, rest: impl Fn(usize, &HashSet<u32>) -> Vec<Fused>) -> Vec<Fused> {
        if list.len() < self.count {
            let shown: HashSet<u32> = list.iter().map(|one| one.item).collect();
            let least = list.last().map_or(f64::INFINITY, |one| one.score);
            let rest = rest(self.count - list.len(), &shown);
            list.extend(rest.into_iter().map(|one| Fused { score: one.score.min(least), ..one }));
        }
        list
    }
}
