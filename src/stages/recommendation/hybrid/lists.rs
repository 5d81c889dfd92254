//! The hybrid's lists at a moment.

use std::collections::HashSet;

use rayon::prelude::*;

use super::super::beside::AsOf;
use super::super::interactions::Interactions;
use super::super::judge;
use super::super::lists::{Entry, FILLED, Lists};
use super::super::options::ColdStart;
use super::super::recommender::Scene;
use super::super::serve;
use super::super::trial::Trial;
use super::candidates::{Candidate, OfPart};
use super::fuse::{self, Fused, Fusion};
use super::learn::{CANDIDATES_MAX, Lesson};
use super::options::Method;
use super::{FEW_ORDERS, FEW_USERS, POOL, Work};
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
struct Rules {
    method: Method,
    /// The part for users with few orders and new items.
    cold_part: Option<usize>,
    few_orders: u32,
    /// For each item whether few users have it.
    is_new: Vec<bool>,
    pool: usize,
    count: usize,
}

/// What each part recommends to a user.
fn of_user(parts: &[OfPart], user: usize) -> Vec<&[Candidate]> {
    parts.iter().map(|part| part.get(user).map(Vec::as_slice).unwrap_or_default()).collect()
}

impl Work<'_> {
    pub(super) fn as_of(&self, trial: &Trial) -> Result<AsOf, Failure> {
        self.beside.as_of(trial.moment, self.context.run_date, &self.interactions, &self.options)
    }

    fn rules(&self, trial: &Trial) -> Rules {
        let few_users = f64::from(self.stage.few_users.unwrap_or(FEW_USERS));
        let users = trial.known.users_per_item(i64::MIN);
        let cold_part = self.stage.cold_part.as_ref();
        Rules {
            method: self.stage.method,
            cold_part: cold_part.and_then(|cold| self.parts.parts.iter().position(|part| part == cold)),
            few_orders: self.stage.few_orders.unwrap_or(FEW_ORDERS),
            is_new: users.into_iter().map(|users| users < few_users).collect(),
            pool: self.stage.pool.unwrap_or(POOL),
            count: self.options.pool(),
        }
    }

    /// Adds what parts recommended at the moment of a trial, and what came of it.
    pub(super) fn teach(&self, lesson: &mut Lesson, trial: &Trial, as_of: &AsOf, parts: &[OfPart]) {
        let scene = scene(&self.interactions, trial, as_of);
        let eligible = serve::eligible(&scene, &self.options);
        let wanted = Wanted { seen: trial.seen(), eligible: eligible.as_deref() };
        let (rules, given) = (self.rules(trial), self.given());
        let nothing: Vec<Vec<u32>> = vec![vec![]; self.interactions.users.len()];
        let relevant = judge::relevant(trial, as_of.permitted.as_deref(), &nothing);
        let told = || relevant.iter().enumerate().filter(|(_, relevant)| !relevant.is_empty());
        let most = (CANDIDATES_MAX / self.names.moments.len()).max(1);
        let candidates: usize =
            told().map(|(user, _)| of_user(parts, user).iter().map(|list| list.len()).sum::<usize>()).sum();
        for (user, relevant) in told().step_by(candidates.div_ceil(most).max(1)) {
            let own = of_user(parts, user);
            let orders = trial.histories().orders.get(user).copied().unwrap_or(0);
            let (wanted, speaks) = (wanted.by(user), rules.speakers(&own, orders, wanted.by(user)));
            let all =
                own.iter().enumerate().flat_map(|(part, list)| list.iter().map(move |candidate| (part, *candidate)));
            let votes = all.filter(|(part, candidate)| speaks(*part, candidate.item) && wanted(candidate.item));
            lesson.add(&given, votes.collect(), relevant);
        }
    }

    /// The lists at the moment of a trial, and the candidates that they were made of.
    pub(super) fn lists(
        &self,
        trial: &Trial,
        as_of: &AsOf,
        fusion: &Fusion,
        with_reasons: bool,
    ) -> Result<(Lists, Vec<OfPart>), Failure> {
        let parts = self.parts.at(trial.moment);
        let scene = scene(&self.interactions, trial, as_of);
        let eligible = serve::eligible(&scene, &self.options);
        let wanted = Wanted { seen: trial.seen(), eligible: eligible.as_deref() };
        let rules = self.rules(trial);
        let fuse = |user: usize| {
            let orders = trial.histories().orders.get(user).copied().unwrap_or(0);
            rules.list(&of_user(&parts, user), fusion, orders, wanted.by(user))
        };
        let mut fused: Vec<Vec<Fused>> = (0..self.interactions.users.len()).into_par_iter().map(fuse).collect();
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

impl Rules {
    /// Whether a part has a say about an item, for a user with so many orders.
    fn speakers<'a>(
        &'a self,
        parts: &[&[Candidate]],
        orders: u32,
        wanted: impl Fn(u32) -> bool,
    ) -> Box<dyn Fn(usize, u32) -> bool + 'a> {
        match (self.method, self.cold_part) {
            (Method::Switching, Some(cold)) if orders <= self.few_orders => Box::new(move |part, _| part == cold),
            (Method::Switching, Some(cold)) => Box::new(move |part, item| {
                let is_new = self.is_new.get(item as usize).copied().unwrap_or(true);
                (part == cold) == is_new
            }),
            (Method::Cascade, _) => {
                let pool = self.chosen(parts, wanted);
                Box::new(move |part, item| part > 0 && pool.contains(&item))
            }
            _ => Box::new(|_, _| true),
        }
    }

    /// What the first part chooses for a cascade.
    fn chosen(&self, parts: &[&[Candidate]], wanted: impl Fn(u32) -> bool) -> HashSet<u32> {
        let first = parts.first().copied().unwrap_or_default();
        first.iter().map(|candidate| candidate.item).filter(|item| wanted(*item)).take(self.pool).collect()
    }

    fn list(&self, parts: &[&[Candidate]], fusion: &Fusion, orders: u32, wanted: impl Fn(u32) -> bool) -> Vec<Fused> {
        let speaks = self.speakers(parts, orders, &wanted);
        let list = fusion.fuse(parts, self.count, |part, item| speaks(part, item) && wanted(item));
        match self.method {
            // What none of the others knows follows in the order of the first.
            Method::Cascade => self.extended(list, |count, shown| {
                let own = Fusion { method: fuse::Method::RankFusion, weights: vec![1.0], constant: fusion.constant };
                let pool = self.chosen(parts, &wanted);
                let first = parts.get(..1).unwrap_or_default();
                own.fuse(first, count, |_, item| pool.contains(&item) && !shown.contains(&item))
            }),
            Method::Switching => self.extended(list, |count, shown| {
                fusion.fuse(parts, count, |_, item| wanted(item) && !shown.contains(&item))
            }),
            Method::RankFusion | Method::Weighted => list,
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
