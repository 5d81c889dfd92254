//! Lists for everyone at one moment: scored, filtered, made diverse, filled up, explained.

use std::collections::HashMap;

use polars::prelude::DataType;
use rayon::prelude::*;

use super::beside::AsOf;
use super::diversify::Common;
use super::lists::{Entry, FILLED, Lists};
use super::options::{ColdStart, Diversity, ExcludeSeen, Options};
use super::recommender::{Recommender, Scene, Scored};
use super::trial::Trial;
use crate::algorithms::neighbors::{self, Similarity};
use crate::algorithms::popular;
use crate::algorithms::wanted::Wanted;
use crate::algorithms::weighting::{Documents, Weighting, Weights};
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::contract::Failure;
use crate::table::midnight_us;

/// How many items like it each item has for diversity.
const ALIKE: usize = 200;

/// The lists of everyone who is served at the moment of a trial.
pub fn lists<R: Recommender>(
    stage: &R,
    fitted: &R::Fitted,
    scene: &Scene<'_>,
    trial: &Trial,
    with_reasons: bool,
) -> Result<Lists, Failure> {
    let options = stage.options();
    let eligible = eligible(scene, &options);
    let wanted = Wanted { seen: trial.seen(), eligible: eligible.as_deref() };
    let mut scored = stage.recommend(fitted, scene, options.pool(), &wanted)?;
    if let Some(diversity) = options.diversity {
        scored = diverse(scored, scene, diversity, &options)?;
    }
    let because = if with_reasons { stage.because(fitted, scene, &scored)? } else { vec![] };
    let entry = |user: usize, place: usize, (item, score): (u32, f64)| {
        let because = because.get(user).and_then(|reasons| reasons.get(place).copied().flatten());
        Entry { item, score, probability: None, because, source: 0 }
    };
    let of_user = |(user, list): (usize, Vec<(u32, f64)>)| -> Vec<Entry> {
        list.into_iter().enumerate().map(|(place, found)| entry(user, place, found)).collect()
    };
    let of_users: Vec<Vec<Entry>> = scored.into_par_iter().enumerate().map(of_user).collect();
    let mut lists = Lists { moment: trial.moment, of_users, sources: vec![R::KIND.to_owned(), FILLED.to_owned()] };
    if options.cold_start == ColdStart::Popular {
        fill_up(&mut lists, scene, &wanted, &options)?;
    }
    Ok(lists)
}

/// For each item whether anyone may be shown it: by the tables, and by how many users have met it.
pub fn eligible(scene: &Scene<'_>, options: &Options<'_>) -> Option<Vec<bool>> {
    let permitted = scene.as_of.permitted.clone();
    if options.min_support <= 1 {
        return permitted;
    }
    let users = scene.known.users_per_item(i64::MIN);
    let supported = users.iter().map(|users| *users >= f64::from(options.min_support));
    Some(match permitted {
        Some(permitted) => permitted.into_iter().zip(supported).map(|(a, b)| a && b).collect(),
        None => supported.collect(),
    })
}

/// The most popular items of the last days, as many as the hold-out has, and behind them those of all time.
fn ranking(scene: &Scene<'_>, options: &Options<'_>) -> Vec<(u32, f64)> {
    let all = scene.known.users_per_item(i64::MIN);
    let Some(holdout) = options.holdout else { return popular::rank(&all) };
    let since = midnight_us(scene.moment).saturating_sub(holdout.in_microseconds());
    // Of all time less than one whole buyer of the last days.
    let most = 1.0 + all.iter().copied().fold(0.0, f64::max);
    let both: Vec<f64> =
        scene.known.users_per_item(since).into_iter().zip(all).map(|(recent, all)| recent + all / most).collect();
    popular::rank(&both)
}

/// Gives those whose lists are short the most popular items that are not on them: everyone with interactions, and
/// everyone whom the table of users names.
pub fn fill_up(
    lists: &mut Lists,
    scene: &Scene<'_>,
    wanted: &Wanted<'_>,
    options: &Options<'_>,
) -> Result<(), Failure> {
    let ranking = ranking(scene, options);
    let limit = options.diversity.and_then(|diversity| diversity.per_category.as_ref());
    let categories = limit.map(|limit| categories(scene, &limit.column, options.item)).transpose()?;
    let most = limit.map_or(usize::MAX, |limit| limit.most);
    let category = |item: u32| categories.as_ref().and_then(|of| of.get(item as usize).copied().flatten());
    let named = scene.as_of.named_users(scene.interactions, options.user)?;
    let top = options.top;
    let filled = lists.sources.len().saturating_sub(1) as u16;
    lists.of_users.par_iter_mut().enumerate().for_each(|(user, list)| {
        let is_served = !scene.histories.weights.row(user).0.is_empty() || named.get(user).copied().unwrap_or(false);
        if !is_served || list.len() >= top {
            return;
        }
        let own = list.len();
        let mut taken: HashMap<u32, usize> = HashMap::new();
        list.iter().filter_map(|entry| category(entry.item)).for_each(|of| *taken.entry(of).or_default() += 1);
        // With a limit any number of them may have to be passed over.
        let candidates = if categories.is_some() { ranking.len() } else { top + own };
        for (item, score) in popular::first(&ranking, user, candidates, wanted) {
            let is_full = category(item).is_some_and(|of| taken.get(&of).copied().unwrap_or(0) >= most);
            if list.len() < top && !is_full && !list.iter().take(own).any(|entry| entry.item == item) {
                category(item).into_iter().for_each(|of| *taken.entry(of).or_default() += 1);
                list.push(Entry { item, score, probability: None, because: None, source: filled });
            }
        }
    });
    Ok(())
}

/// Chooses each list from a pool so that its items differ.
pub fn diverse(
    scored: Scored,
    scene: &Scene<'_>,
    diversity: &Diversity,
    options: &Options<'_>,
) -> Result<Scored, Failure> {
    let items = scene.known.weights.columns();
    let alike = if diversity.strength > 0.0 { alike(scene)? } else { vec![vec![]; items] };
    let categories = diversity.per_category.as_ref().map(|limit| categories(scene, &limit.column, options.item));
    let categories = categories.transpose()?;
    let common = Common {
        strength: diversity.strength,
        alike,
        categories: categories.as_deref(),
        per_category: diversity.per_category.as_ref().map_or(usize::MAX, |limit| limit.most),
    };
    Ok(scored.into_par_iter().map(|pool| common.choose(&pool, options.top)).collect())
}

/// For each item those that the same users met, ascending by index, with their cosine.
fn alike(scene: &Scene<'_>) -> Result<Vec<Vec<(u32, f64)>>, Failure> {
    let weights = Weights::fit(&scene.known.weights, Weighting::Binary, Documents::Items);
    let parameters = neighbors::Parameters { similarity: Similarity::Cosine, neighbors: ALIKE, shrinkage: 0.0 };
    let found = neighbors::weighted_items(&scene.known.weights, &weights, &parameters, &|| true);
    let found = found.map_err(super::neighbors::failure)?;
    let of_item = |item: usize| {
        let mut own: Vec<(u32, f64)> =
            found.of(item).iter().map(|(other, cosine)| (*other, f64::from(*cosine))).collect();
        own.sort_unstable_by_key(|(other, _)| *other);
        own
    };
    Ok((0..found.items()).map(of_item).collect())
}

/// For each item the number of its category.
fn categories(scene: &Scene<'_>, column: &str, item: &str) -> Result<Vec<Option<u32>>, Failure> {
    let mut categories = vec![None; scene.interactions.items.len()];
    let Some(frame) = &scene.as_of.items else { return Ok(categories) };
    let rows = AsOf::rows_of(frame, item, &scene.interactions.items)?;
    let values = frame.column(column)?.cast(&DataType::String)?;
    let mut numbers = HashMap::new();
    for (row, value) in rows.into_iter().zip(values.str()?.iter()) {
        let (Some(place), Some(value)) = (row, value) else { continue };
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let number = *numbers.entry(value.to_owned()).or_insert(next);
        if let Some(slot) = categories.get_mut(place as usize) {
            *slot = Some(number);
        }
    }
    Ok(categories)
}

/// How many users got how much at the run date, and why some got less.
pub fn facts(scene: &Scene<'_>, now: &Trial, served: &Lists, options: &Options<'_>) -> Result<Vec<Fact>, Failure> {
    let named = scene.as_of.named_users(scene.interactions, options.user)?;
    let weights = &scene.histories.weights;
    let (mut users, mut full, mut filled, mut none, mut new) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for (user, list) in served.of_users.iter().enumerate() {
        let has_history = !weights.row(user).0.is_empty();
        if !has_history && !named.get(user).copied().unwrap_or(false) {
            continue;
        }
        users += 1;
        full += u64::from(list.len() >= options.top);
        filled += u64::from(list.iter().any(|entry| served.is_filled(entry)));
        none += u64::from(list.is_empty());
        new += u64::from(list.is_empty() && !has_history);
    }
    let count = |number: u64| format::count(number, "user", "users");
    let mut facts = Vec::new();
    let all = format!("{} of {} got all {} items", format::thousands(full), count(users), options.top);
    let short = users - full;
    let value = if short == 0 {
        all
    } else {
        let may = eligible(scene, options);
        let items = scene.known.users_per_item(i64::MIN);
        let known = items.iter().enumerate().filter(|(item, users)| {
            **users > 0.0 && may.as_ref().is_none_or(|may| may.get(*item).copied().unwrap_or(false))
        });
        let shown = known.count();
        let is_short = shown < options.top;
        let why = match options.exclude_seen {
            _ if is_short => match may.is_some() {
                true => format!(
                    "only {} may be shown (by `allow`, `deny`, stock, their tables and `min_support`)",
                    format::count(shown as u64, "known item", "known items")
                ),
                false => format!("there are only {}", format::count(shown as u64, "known item", "known items")),
            },
            ExcludeSeen::Always(true) => {
                "nothing else is near enough to what they have, or they have it already".to_owned()
            }
            _ => "nothing else is near enough to what they have".to_owned(),
        };
        let nothing = match (none, new) {
            (0, _) => String::new(),
            (none, 0) => format!(", {} none", format::thousands(none)),
            (none, new) => {
                format!(", {} none, {} of them without any history", format::thousands(none), format::thousands(new))
            }
        };
        let help = match options.cold_start {
            _ if is_short => "",
            ColdStart::None => "; `cold_start: popular` would fill their lists",
            ColdStart::Popular => "; there are no more items that may be shown",
        };
        format!("{all}; {} fewer{nothing}: {why}{help}", format::thousands(short))
    };
    facts.push(Fact::new("served", value));
    if filled > 0 {
        facts.push(Fact::new("filled up", format!("{} got popular items where the model had too few", count(filled))));
    }
    if now.known.dropped > 0 {
        let pairs = format::count(now.known.dropped as u64, "pair", "pairs");
        facts.push(Fact::new("left out", format!("{pairs} whose weights do not come to more than zero")));
    }
    Ok(facts)
}
