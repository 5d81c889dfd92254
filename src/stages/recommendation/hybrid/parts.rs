//! The hybrid beside its parts.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::baselines::Baseline;
use super::super::judge::{ACTIVITY, Judged, lengths, relevant};
use super::super::trial::Trial;
use super::candidates::OfPart;
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Chart, Evaluation, Fact};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::metrics::ranking;
use crate::stages::watch;

/// What each part alone would have shown.
pub fn lists(names: &[String], parts: &[OfPart], top: usize) -> Vec<Baseline> {
    let first = |part: &OfPart| -> Vec<Vec<u32>> {
        part.iter().map(|list| list.iter().take(top).map(|candidate| candidate.item).collect()).collect()
    };
    names.iter().zip(parts).map(|(name, part)| Baseline { name: name.clone(), lists: first(part) }).collect()
}

/// The parts that recommend what their users have met, which the hybrid leaves out.
pub fn seen(trial: &Trial, names: &[String], parts: &[OfPart]) -> Vec<String> {
    let Some(seen) = trial.seen() else { return vec![] };
    let share = |part: &OfPart| {
        let (mut all, mut met) = (0_usize, 0_usize);
        for (user, list) in part.iter().enumerate() {
            let own = seen.row(user).0;
            all += list.len();
            met += list.iter().filter(|candidate| own.binary_search(&candidate.item).is_ok()).count();
        }
        met as f64 / all.max(1) as f64
    };
    names.iter().zip(parts).filter_map(|(name, part)| watch::seen_candidates(name, share(part))).collect()
}

/// Adds how the hybrid stands to its best part, and to each by how active users were.
pub fn compare(judged: &Judged<'_>, parts: &[Baseline], evaluation: &mut Evaluation) {
    let own = judged.lists.items();
    let relevant = relevant(judged.trial, judged.permitted, &own);
    let (_, k) = lengths(judged.options.top);
    let of = |lists: &[Vec<u32>]| ranking::evaluate(lists, &relevant, k, 0).ndcg;
    let hybrid = of(&own);
    let each: Vec<(&str, Vec<f64>)> = parts.iter().map(|part| (part.name.as_str(), of(&part.lists))).collect();
    let mean = |values: &[f64]| ranking::mean(values).unwrap_or(0.0);
    let Some((name, best)) = each.iter().max_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1))) else { return };
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(judged.seed);
    if let Some(difference) = intervals::mean_difference(&hybrid, best, RESAMPLES, &mut rng) {
        evaluation.facts.push(Fact::new(
            "best part",
            format!(
                "{name}, NDCG@{k} {:.4}; the hybrid differs by {:+.4} ({:+.4} to {:+.4})",
                mean(best),
                difference.estimate,
                difference.low,
                difference.high
            ),
        ));
        evaluation.watch.extend(watch::below_best_part(name, difference.high));
    }
    evaluation.charts.insert(1, by_activity(judged, &hybrid, &each, &relevant, k));
}

fn by_activity(
    judged: &Judged<'_>,
    hybrid: &[f64],
    parts: &[(&str, Vec<f64>)],
    relevant: &[Vec<u32>],
    k: usize,
) -> Chart {
    let orders = &judged.trial.histories().orders;
    let users: Vec<u32> = (0..relevant.len())
        .filter(|user| relevant.get(*user).is_some_and(|items| !items.is_empty()))
        .map(|user| orders.get(user).copied().unwrap_or(0))
        .collect();
    let mut columns = vec!["list".to_owned()];
    let mut groups = Vec::new();
    for (least, most, name) in ACTIVITY {
        let places: Vec<usize> = users
            .iter()
            .enumerate()
            .filter(|(_, orders)| (least..=most).contains(*orders))
            .map(|(place, _)| place)
            .collect();
        if places.len() as u64 >= TOLD_MIN {
            columns.push(name.to_owned());
            groups.push(places);
        }
    }
    let row = |name: &str, values: &[f64]| -> Vec<String> {
        let mean = |places: &Vec<usize>| {
            let sum: f64 = places.iter().filter_map(|place| values.get(*place)).sum();
            format!("{:.4}", sum / places.len() as f64)
        };
        std::iter::once(name.to_owned()).chain(groups.iter().map(mean)).collect()
    };
    let rows = std::iter::once(row("hybrid", hybrid)).chain(parts.iter().map(|(name, values)| row(name, values)));
    Chart::Table { title: format!("NDCG@{k} by orders before the split"), columns, rows: rows.collect() }
}
