//! What a model is fitted on, given and judged by.

use chrono::{Days, NaiveDate};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::history::History;
use super::interactions::{Decay, Interactions, Row};
use super::options::{Evaluate, ExcludeSeen, HeldOut, Options};
use crate::algorithms::sparse::Csr;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::contract::Failure;
use crate::table::midnight_us;

/// Held-out users have at least so many items, so that some can be given and some asked for (Liang et al. 2018).
const HELD_OUT_ITEMS_MIN: usize = 5;

/// What is not to be recommended again.
pub enum Seen {
    /// All that a user has.
    All,
    Nothing,
    /// Users × items: these.
    Some(Csr),
}

/// How a trial comes about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// Known is what came before the first moment, asked for what came from there on and before the second.
    Time(NaiveDate, NaiveDate),
    /// Known is everything but the item that each user with several met last.
    LastOne,
    /// Known are other users; of those who are held out a part of the items is given and the rest asked for.
    Users(HeldOut),
}

/// What is known as of a moment, and, where it judges, what came after it.
pub struct Trial {
    pub moment: NaiveDate,
    /// What is learned from.
    pub known: History,
    /// What those who are served have; without it they are those who are learned from.
    pub given: Option<History>,
    /// What is not to be recommended again.
    pub seen: Seen,
    /// What each user met afterwards and counts, ascending.
    pub relevant: Vec<Vec<u32>>,
    /// What each user met afterwards.
    pub met: Csr,
    /// What a reader must know of the split.
    pub facts: Vec<Fact>,
}

impl Trial {
    /// What those who are served have.
    pub fn histories(&self) -> &History {
        self.given.as_ref().unwrap_or(&self.known)
    }

    /// Users × items: what is not to be recommended again.
    pub fn seen(&self) -> Option<&Csr> {
        match &self.seen {
            Seen::All => Some(&self.histories().weights),
            Seen::Nothing => None,
            Seen::Some(seen) => Some(seen),
        }
    }

    /// What comes of a split.
    pub fn of(
        split: Split,
        interactions: &Interactions,
        options: &Options<'_>,
        run_date: NaiveDate,
        seed: u64,
    ) -> Result<Trial, Failure> {
        let mut trial = match split {
            Split::Time(start, end) => Trial::by_time(interactions, options, start, end),
            Split::LastOne => Trial::without_the_last(interactions, options, run_date),
            Split::Users(held_out) => Trial::of_held_out_users(interactions, options, held_out, run_date, seed),
        }?;
        trial.relevant = relevant(&trial.met, trial.seen());
        Ok(trial)
    }

    /// Whether the users who are served are those who are learned from.
    pub fn is_own(&self) -> bool {
        self.given.is_none()
    }

    /// What is known at the run date; nothing judges it.
    pub fn now(interactions: &Interactions, options: &Options<'_>, run_date: NaiveDate) -> Result<Trial, Failure> {
        let known = interactions.history(decay(options, run_date), |_| true)?;
        let (users, items) = (known.weights.rows(), known.weights.columns());
        Ok(Trial {
            moment: run_date,
            seen: seen(&known, options, run_date)?,
            known,
            given: None,
            relevant: vec![],
            met: Csr::empty(users, items),
            facts: vec![],
        })
    }

    fn by_time(
        interactions: &Interactions,
        options: &Options<'_>,
        split: NaiveDate,
        end: NaiveDate,
    ) -> Result<Trial, Failure> {
        let (start_us, end_us) = (midnight_us(split), midnight_us(end));
        let known = interactions.history(decay(options, split), |row| row.time < start_us)?;
        let after = interactions.history(Decay::default(), |row| (start_us..end_us).contains(&row.time))?;
        let met = after.part(|_, _, _| true)?;
        let seen = seen(&known, options, split)?;
        let pairs = known.weights.entries();
        let mut facts = vec![
            Fact::new("split", format!("{split}: fitted before, judged after, until {end}")),
            Fact::new(
                "interactions",
                format!("{} rows, {} user–item pairs before the split", count(known.rows), count(pairs)),
            ),
            Fact::new("bought again", repeats(&known, &met)),
        ];
        let new = (0..met.rows()).filter(|user| known.weights.row(*user).0.is_empty() && !met.row(*user).0.is_empty());
        let new = new.count();
        if new > 0 {
            facts.push(Fact::new(
                "new users",
                format!(
                    "{} bought after the split and never before: they are judged only where they were given a list",
                    format::count(new as u64, "user", "users")
                ),
            ));
        }
        Ok(Trial { moment: split, known, given: None, seen, relevant: vec![], met, facts })
    }

    fn without_the_last(
        interactions: &Interactions,
        options: &Options<'_>,
        run_date: NaiveDate,
    ) -> Result<Trial, Failure> {
        let all = interactions.history(Decay::default(), |_| true)?;
        let users = interactions.users.len();
        let last: Vec<Option<u32>> = (0..users)
            .map(|user| all.recent(user).first().copied().filter(|_| all.weights.row(user).0.len() > 1))
            .collect();
        let is_last = |row: &Row| last.get(row.user as usize).copied().flatten() == Some(row.item);
        let known = interactions.history(decay(options, run_date), |row| !is_last(row))?;
        let met = all.part(|user, item, _| last.get(user).copied().flatten() == Some(item))?;
        let seen = seen(&known, options, run_date)?;
        let facts = vec![
            Fact::new("split", "leave last one out: of every user with several items the newest is held out"),
            Fact::new("mind", "others' later interactions are known to the model, so it looks better than it will be"),
            Fact::new(
                "interactions",
                format!("{} rows, {} user–item pairs left", count(known.rows), count(known.weights.entries())),
            ),
        ];
        Ok(Trial { moment: run_date, known, given: None, seen, relevant: vec![], met, facts })
    }

    fn of_held_out_users(
        interactions: &Interactions,
        options: &Options<'_>,
        held_out: HeldOut,
        run_date: NaiveDate,
        seed: u64,
    ) -> Result<Trial, Failure> {
        let all = interactions.history(Decay::default(), |_| true)?;
        let asked = draw(&all.weights, held_out, seed);
        let is_held = |user: u32| asked.get(user as usize).is_some_and(|items| !items.is_empty());
        let is_asked =
            |row: &Row| asked.get(row.user as usize).is_some_and(|items| items.binary_search(&row.item).is_ok());
        let decay = decay(options, run_date);
        let known = interactions.history(decay, |row| !is_held(row.user))?;
        let given = interactions.history(decay, |row| is_held(row.user) && !is_asked(row))?;
        let met = all.part(|user, item, _| asked.get(user).is_some_and(|items| items.binary_search(&item).is_ok()))?;
        let seen = seen(&given, options, run_date)?;
        let users = asked.iter().filter(|items| !items.is_empty()).count();
        let facts = vec![
            Fact::new(
                "split",
                format!(
                    "strong generalization: {} held out at random, of whose items {} % are given",
                    format::count(users as u64, "user", "users"),
                    (held_out.fold_in * 100.0).round()
                ),
            ),
            Fact::new(
                "mind",
                "a random split: the model knows what is popular later, so it looks better than it will be",
            ),
            Fact::new(
                "interactions",
                format!("{} rows, {} user–item pairs of the others", count(known.rows), count(known.weights.entries())),
            ),
        ];
        Ok(Trial { moment: run_date, known, given: Some(given), seen, relevant: vec![], met, facts })
    }
}

/// The trials, the one that judges last.
pub fn plan(options: &Options<'_>, run_date: NaiveDate) -> Vec<Split> {
    match options.evaluate {
        Evaluate::Time => {
            let splits = splits(options, run_date);
            let ends: Vec<NaiveDate> = splits.iter().skip(1).copied().chain([run_date]).collect();
            splits.into_iter().zip(ends).map(|(start, end)| Split::Time(start, end)).collect()
        }
        Evaluate::LeaveLastOneOut => vec![Split::LastOne],
        Evaluate::StrongGeneralization(held_out) => vec![Split::Users(held_out)],
        Evaluate::None => vec![],
    }
}

/// The moments before the run date that get lists, ascending.
pub fn splits(options: &Options<'_>, run_date: NaiveDate) -> Vec<NaiveDate> {
    let Some(holdout) = options.holdout.filter(|_| options.evaluate == Evaluate::Time) else { return vec![] };
    let back = |times: u32| run_date.checked_sub_days(Days::new(u64::from(times) * u64::from(holdout.in_days())));
    (1..=options.splits).rev().filter_map(back).collect()
}

fn decay(options: &Options<'_>, moment: NaiveDate) -> Decay {
    Decay { moment_us: midnight_us(moment), half_life_us: options.half_life.map(|half| half.in_microseconds()) }
}

fn seen(history: &History, options: &Options<'_>, moment: NaiveDate) -> Result<Seen, Failure> {
    Ok(match options.exclude_seen {
        ExcludeSeen::Always(true) => Seen::All,
        ExcludeSeen::Always(false) => Seen::Nothing,
        ExcludeSeen::For(seen) => {
            let since = midnight_us(moment).saturating_sub(seen.after.in_microseconds());
            Seen::Some(history.since(since)?)
        }
    })
}

/// What each user met and had not before.
fn relevant(met: &Csr, seen: Option<&Csr>) -> Vec<Vec<u32>> {
    let of_user = |user: usize| {
        let seen = seen.map_or(&[][..], |seen| seen.row(user).0);
        met.row(user).0.iter().copied().filter(|item| seen.binary_search(item).is_err()).collect()
    };
    (0..met.rows()).map(of_user).collect()
}

/// Which share of what known users met had been met before.
fn repeats(known: &History, met: &Csr) -> String {
    let (mut all, mut again) = (0_u64, 0_u64);
    for user in 0..met.rows() {
        let before = known.weights.row(user).0;
        if !before.is_empty() {
            all += met.row(user).0.len() as u64;
            again += met.row(user).0.iter().filter(|item| before.binary_search(item).is_ok()).count() as u64;
        }
    }
    if all == 0 {
        return "nothing was bought after the split by those known before it".to_owned();
    }
    format!(
        "{} of the {} pairs after the split had been bought before",
        format::percent(again as f64 / all as f64),
        format::thousands(all)
    )
}

/// The items that each held-out user is asked for, ascending; none of all others.
fn draw(all: &Csr, held_out: HeldOut, seed: u64) -> Vec<Vec<u32>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let of_user = |user: usize| {
        let is_held = rng.gen_bool(held_out.users.clamp(0.0, 1.0));
        let mut items = all.row(user).0.to_vec();
        if !is_held || items.len() < HELD_OUT_ITEMS_MIN {
            return vec![];
        }
        items.shuffle(&mut rng);
        let given = ((items.len() as f64 * held_out.fold_in).round() as usize).clamp(1, items.len() - 1);
        let mut asked = items.split_off(given);
        asked.sort_unstable();
        asked
    };
    (0..all.rows()).map(of_user).collect()
}

fn count(number: usize) -> String {
    format::thousands(number as u64)
}

#[cfg(test)]
mod tests;
