//! Lists judged by what users did afterwards, beside the strongest of the trivial lists.

use rand::SeedableRng;
use rand::seq::index;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::baselines::{self, Baseline};
use super::lists::Lists;
use super::options::{ExcludeSeen, Options};
use super::trial::Trial;
use crate::format;
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Better, Chart, Curve, Estimate, Evaluation, Fact, Measure, Slice};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::metrics::ranking::{self, Ranking, Variety};
use crate::stages::watch;

/// The first so many of each list are judged, as far as lists are so long.
const LENGTHS: [usize; 3] = [5, 10, 20];
/// The length that decides, where lists are so long.
const DECIDING_LENGTH: usize = 10;
/// Where the curves by length have points.
const CURVE_LENGTHS: [usize; 8] = [1, 2, 3, 5, 7, 10, 15, 20];
/// Of more judged users the diversity of the lists is that of a sample.
const DIVERSITY_USERS: usize = 2_000;
/// Users by how many orders they had: the fewest, the most, and the name.
pub const ACTIVITY: [(u32, u32, &str); 4] =
    [(0, 1, "1 order"), (2, 3, "2 to 3 orders"), (4, 10, "4 to 10 orders"), (11, u32::MAX, "more than 10 orders")];

/// What is judged.
pub struct Judged<'a> {
    pub model: &'a str,
    pub item: &'a str,
    pub options: &'a Options<'a>,
    pub trial: &'a Trial,
    /// For each item whether it may be recommended at all.
    pub permitted: Option<&'a [bool]>,
    pub lists: &'a Lists,
    /// Other lists to show beside it.
    pub beside: &'a [Baseline],
    pub seed: u64,
}

/// What is judged of lists of `top` items: the lengths, and the one that decides.
pub fn lengths(top: usize) -> (Vec<usize>, usize) {
    let mut lengths: Vec<usize> = LENGTHS.into_iter().filter(|length| *length <= top).collect();
    if lengths.is_empty() {
        lengths.push(top);
    }
    let deciding = lengths.iter().copied().filter(|length| *length <= DECIDING_LENGTH).max();
    (lengths, deciding.unwrap_or(top))
}

/// What counts for each user: what was met afterwards, may be recommended, and, where what a user has is left out, is
/// new. Users of whom nothing was known count only if they were given a list.
pub fn relevant(trial: &Trial, permitted: Option<&[bool]>, lists: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let of_user = |(user, relevant): (usize, &Vec<u32>)| {
        let is_known = !trial.histories().weights.row(user).0.is_empty();
        if !is_known && lists.get(user).is_none_or(Vec::is_empty) {
            return vec![];
        }
        let may = |item: &u32| permitted.is_none_or(|all| all.get(*item as usize).copied().unwrap_or(false));
        relevant.iter().copied().filter(may).collect()
    };
    trial.relevant.iter().enumerate().map(of_user).collect()
}

/// Judges on users known before the split who did something relevant after it. Without such users there are no measures
/// of users.
pub fn evaluate(judged: &Judged<'_>, mut facts: Vec<Fact>) -> Evaluation {
    let trial = judged.trial;
    let model = judged.lists.items();
    let relevant = relevant(trial, judged.permitted, &model);
    let known = &trial.known.weights;
    let items = trial.known.users_per_item(i64::MIN).iter().filter(|users| **users > 0.0).count();
    let (lengths, deciding) = lengths(judged.options.top);
    let mut baselines = baselines::all(judged);
    let strongest = strongest(&baselines, &relevant, deciding, items);
    let baseline = baselines.swap_remove(strongest.min(baselines.len().saturating_sub(1)));
    let variety = Variety::of((0..known.rows()).map(|user| known.row(user).0), known.columns());
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(judged.seed);
    let mut measures = Vec::new();
    let (mut judged_users, mut coverage) = (0, None);
    for k in lengths.into_iter().rev() {
        let found = ranking::evaluate(&model, &relevant, k, items);
        let beside = ranking::evaluate(&baseline.lists, &relevant, k, items);
        judged_users = found.users.len();
        for (name, of) in PER_USER {
            measures.extend(measure(&format!("{name}@{k}"), of(&found), of(&beside), &mut rng));
        }
        let novelty = |lists: &[Vec<u32>]| variety.novelty(lists, &found.users, k);
        measures.extend(measure(&format!("novelty@{k}"), &novelty(&model), &novelty(&baseline.lists), &mut rng));
        if let (Some(model), Some(baseline)) = (found.catalog_coverage, beside.catalog_coverage) {
            measures.push(point(&format!("coverage@{k}"), model, baseline));
        }
        if k == deciding {
            coverage = found.catalog_coverage;
            let sample = sample(&found.users, &mut rng);
            let diversity = |lists: &[Vec<u32>]| variety.diversity(lists, &sample, k);
            measures.extend(measure(
                &format!("diversity@{k}"),
                &diversity(&model),
                &diversity(&baseline.lists),
                &mut rng,
            ));
        }
    }
    let mut told = vec![Fact::new("judged on", judged_on(judged, judged_users))];
    told.extend(trial.facts.clone());
    told.append(&mut facts);
    told.push(Fact::new("baseline", format!("{}: the strongest of the simple lists", baseline.name)));
    told.push(Fact::new("unknown items", "items first seen after the split count as misses of all"));
    told.push(Fact::new("served model", "refitted on everything before the run date"));
    let mut evaluation = Evaluation {
        target: judged.item.to_owned(),
        model: judged.model.to_owned(),
        baseline: baseline.name.clone(),
        headline: format!("ndcg@{deciding}"),
        measures,
        facts: told,
        charts: charts(&model, &baseline, &relevant, items, judged.options.top),
        slices: slices(trial, &model, &baseline, &relevant, deciding),
        ..Evaluation::default()
    };
    baselines.push(baseline);
    evaluation.charts.insert(0, beside(judged, &model, &baselines, &relevant, deciding, items));
    let narrow = coverage.and_then(|coverage| watch::narrow_lists(deciding, coverage));
    let rules = [watch::few_users(judged_users), watch::wide_interval(&evaluation), narrow];
    evaluation.watch = rules.into_iter().flatten().collect();
    evaluation
}

fn judged_on(judged: &Judged<'_>, users: usize) -> String {
    let what = match judged.options.exclude_seen {
        ExcludeSeen::Always(true) => "something new to them",
        ExcludeSeen::Always(false) => "something",
        ExcludeSeen::For(_) => "something that they had not bought lately",
    };
    format!("{} who bought {what} after the split", format::count(users as u64, "user", "users"))
}

/// Which baseline has the highest NDCG; of equal ones the first.
fn strongest(baselines: &[Baseline], relevant: &[Vec<u32>], k: usize, items: usize) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (place, baseline) in baselines.iter().enumerate() {
        let found = ranking::mean(&ranking::evaluate(&baseline.lists, relevant, k, items).ndcg).unwrap_or(0.0);
        if found > best.1 {
            best = (place, found);
        }
    }
    best.0
}

fn sample(users: &[usize], rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    if users.len() <= DIVERSITY_USERS {
        return users.to_vec();
    }
    let mut places = index::sample(rng, users.len(), DIVERSITY_USERS).into_vec();
    places.sort_unstable();
    places.into_iter().filter_map(|place| users.get(place).copied()).collect()
}

/// The model beside every baseline, in a table.
fn beside(
    judged: &Judged<'_>,
    model: &[Vec<u32>],
    baselines: &[Baseline],
    relevant: &[Vec<u32>],
    k: usize,
    items: usize,
) -> Chart {
    let row = |name: &str, lists: &[Vec<u32>]| -> Vec<String> {
        let found = ranking::evaluate(lists, relevant, k, items);
        let mean = |values: &[f64]| ranking::mean(values).map_or("–".to_owned(), |mean| format!("{mean:.4}"));
        let coverage = found.catalog_coverage.map_or("–".to_owned(), |share| format!("{share:.4}"));
        vec![name.to_owned(), mean(&found.ndcg), mean(&found.recall), mean(&found.hit), coverage]
    };
    let mut rows = vec![row("model", model)];
    let mut others: Vec<Vec<String>> =
        baselines.iter().chain(judged.beside).map(|one| row(&one.name, &one.lists)).collect();
    others.sort_by(|a, b| b.get(1).cmp(&a.get(1)));
    rows.append(&mut others);
    Chart::Table {
        title: "The model and the simple lists".to_owned(),
        columns: vec![
            "list".to_owned(),
            format!("NDCG@{k}"),
            format!("recall@{k}"),
            format!("hit rate@{k}"),
            format!("coverage@{k}"),
        ],
        rows,
    }
}

/// The deciding measure by how active users were.
fn slices(trial: &Trial, model: &[Vec<u32>], baseline: &Baseline, relevant: &[Vec<u32>], k: usize) -> Vec<Slice> {
    let found = ranking::evaluate(model, relevant, k, 0);
    let beside = ranking::evaluate(&baseline.lists, relevant, k, 0);
    let orders = &trial.histories().orders;
    let mut slices = Vec::new();
    for (least, most, name) in ACTIVITY {
        let own: Vec<usize> = (0..found.users.len())
            .filter(|place| {
                let orders = found.users.get(*place).and_then(|user| orders.get(*user)).copied().unwrap_or(0);
                (least..=most).contains(&orders)
            })
            .collect();
        if (own.len() as u64) < TOLD_MIN {
            continue;
        }
        let mean = |values: &[f64]| own.iter().filter_map(|place| values.get(*place)).sum::<f64>() / own.len() as f64;
        slices.push(Slice::new(name, "users", own.len() as f64));
        slices.push(Slice {
            baseline: Some(mean(&beside.ndcg)),
            ..Slice::new(name, format!("ndcg@{k}"), mean(&found.ndcg))
        });
        slices.push(Slice {
            baseline: Some(mean(&beside.hit)),
            ..Slice::new(name, format!("hit_rate@{k}"), mean(&found.hit))
        });
    }
    slices
}

/// The means of measures by the length of the lists, the model's and the baseline's.
fn charts(model: &[Vec<u32>], baseline: &Baseline, relevant: &[Vec<u32>], items: usize, top: usize) -> Vec<Chart> {
    let lengths: Vec<usize> = CURVE_LENGTHS.into_iter().filter(|length| *length <= top).collect();
    let by_length = |lists: &[Vec<u32>]| -> Vec<(usize, Ranking)> {
        lengths.iter().map(|k| (*k, ranking::evaluate(lists, relevant, *k, items))).collect()
    };
    let (found, beside) = (by_length(model), by_length(&baseline.lists));
    let chart = |(title, of): (&str, Mean)| {
        let curve = |name: &str, found: &[(usize, Ranking)]| {
            let points = found.iter().filter_map(|(k, ranking)| Some((*k as f64, of(ranking)?)));
            Curve { name: name.to_owned(), points: points.collect() }
        };
        let curves = vec![curve("model", &found), curve(&baseline.name, &beside)];
        curves.iter().all(|curve| curve.points.len() > 1).then(|| Chart::Lines {
            title: format!("{title} by length of the list"),
            x: "items shown".to_owned(),
            y: title.to_lowercase(),
            curves,
            reference: vec![],
        })
    };
    CURVES.into_iter().filter_map(chart).collect()
}

type Mean = fn(&Ranking) -> Option<f64>;

const CURVES: [(&str, Mean); 4] = [
    ("NDCG", |ranking| ranking::mean(&ranking.ndcg)),
    ("Recall", |ranking| ranking::mean(&ranking.recall)),
    ("Hit rate", |ranking| ranking::mean(&ranking.hit)),
    ("Coverage", |ranking| ranking.catalog_coverage),
];

type PerUser = fn(&Ranking) -> &[f64];

const PER_USER: [(&str, PerUser); 6] = [
    ("ndcg", |ranking| &ranking.ndcg),
    ("recall", |ranking| &ranking.recall),
    ("precision", |ranking| &ranking.precision),
    ("map", |ranking| &ranking.average_precision),
    ("hit_rate", |ranking| &ranking.hit),
    ("mrr", |ranking| &ranking.reciprocal_rank),
];

fn point(name: &str, model: f64, baseline: f64) -> Measure {
    Measure {
        name: name.to_owned(),
        better: Better::Higher,
        model: Estimate::point(model),
        baseline: Some(Estimate::point(baseline)),
        difference: None,
    }
}

fn measure(name: &str, model: &[f64], baseline: &[f64], rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
    Some(Measure {
        name: name.to_owned(),
        better: Better::Higher,
        model: intervals::mean(model, RESAMPLES, rng)?.into(),
        baseline: intervals::mean(baseline, RESAMPLES, rng).map(Into::into),
        difference: intervals::mean_difference(model, baseline, RESAMPLES, rng).map(Into::into),
    })
}
