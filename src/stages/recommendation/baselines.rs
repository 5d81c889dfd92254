//! The simple lists that every recommender is judged beside.

use super::judge::Judged;
use super::options::ExcludeSeen;
use super::trial::Trial;
use crate::algorithms::popular;
use crate::algorithms::wanted::Wanted;
use crate::table::midnight_us;

/// A simple list for everyone.
pub struct Baseline {
    pub name: String,
    pub lists: Vec<Vec<u32>>,
}

/// The most popular items of all time, those of the last days (as many as the hold-out has), and, where what a user has
/// is not left out, what each user bought last.
pub fn all(judged: &Judged<'_>) -> Vec<Baseline> {
    let (trial, options) = (judged.trial, judged.options);
    let wanted = Wanted { seen: trial.seen(), eligible: judged.permitted };
    let known = &trial.known;
    let of = |name: String, scores: &[f64]| {
        let ranking = popular::rank(scores);
        let users = trial.histories().weights.rows();
        let lists = popular::recommend(&ranking, 0..users, options.top, &wanted);
        Baseline {
            name,
            lists: lists.into_iter().map(|list| list.into_iter().map(|(item, _)| item).collect()).collect(),
        }
    };
    let mut found = vec![of("popularity of all time".to_owned(), &known.users_per_item(i64::MIN))];
    if let Some(holdout) = options.holdout {
        let since = midnight_us(trial.moment).saturating_sub(holdout.in_microseconds());
        let name = format!("popularity of the last {} days", holdout.in_days());
        found.push(of(name, &known.users_per_item(since)));
    }
    if options.exclude_seen != ExcludeSeen::Always(true) && options.time.is_some() {
        found.push(bought_last(trial, options.top, &wanted));
    }
    found
}

fn bought_last(trial: &Trial, top: usize, wanted: &Wanted<'_>) -> Baseline {
    let histories = trial.histories();
    let of_user = |user: usize| {
        let wanted = wanted.by(user);
        histories.recent(user).into_iter().filter(|item| wanted(*item)).take(top).collect()
    };
    Baseline { name: "what they bought last".to_owned(), lists: (0..histories.weights.rows()).map(of_user).collect() }
}
