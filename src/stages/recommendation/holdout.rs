//! Recommendations judged by what users did after the split, beside popularity.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::algorithms::popular;
use crate::algorithms::sparse::Csr;
use crate::format;
use crate::metrics::evaluation::{Better, Chart, Curve, Estimate, Evaluation, Fact, Measure};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::metrics::ranking::{self, Ranking};
use crate::stages::watch;

/// The first so many of each list are judged, as far as lists are so long.
const LENGTHS: [usize; 3] = [5, 10, 20];
/// The length that decides, where lists are so long.
const DECIDING_LENGTH: usize = 10;
/// Where the curves by length have points.
const CURVE_LENGTHS: [usize; 8] = [1, 2, 3, 5, 7, 10, 15, 20];

/// What happened before and after the split, and what is judged.
pub struct Judged<'a> {
    pub model: &'a str,
    pub item: &'a str,
    pub before: &'a Csr,
    pub after: &'a Csr,
    /// The model's items for each user, best first.
    pub recommended: Vec<Vec<u32>>,
    /// How many items a list has.
    pub top: usize,
    pub exclude_seen: bool,
    pub seed: u64,
}

/// What is judged of lists of `top` items: the lengths, and the one that decides.
fn lengths(top: usize) -> (Vec<usize>, usize) {
    let mut lengths: Vec<usize> = LENGTHS.into_iter().filter(|length| *length <= top).collect();
    if lengths.is_empty() {
        lengths.push(top);
    }
    let deciding = lengths.iter().copied().filter(|length| *length <= DECIDING_LENGTH).max();
    (lengths, deciding.unwrap_or(top))
}

/// Judges on users known before the split who did something relevant after it: with `exclude_seen`
/// something new to them. Without such users there are no measures.
pub fn evaluate(judged: &Judged<'_>, mut facts: Vec<Fact>) -> Evaluation {
    let users = judged.before.rows();
    let relevant: Vec<Vec<u32>> = (0..users).map(|user| relevant(judged, user)).collect();
    let ranked = popular::rank(judged.before);
    let (lengths, deciding) = lengths(judged.top);
    let popular = popular::recommend(judged.before, &ranked, 0..users, judged.top, judged.exclude_seen);
    let popular: Vec<Vec<u32>> =
        popular.into_iter().map(|list| list.into_iter().map(|(item, _)| item).collect()).collect();
    let items = ranked.len();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(judged.seed);
    let mut measures = Vec::new();
    let (mut judged_users, mut coverage) = (0, None);
    for k in lengths.into_iter().rev() {
        let model = ranking::evaluate(&judged.recommended, &relevant, k, items);
        let baseline = ranking::evaluate(&popular, &relevant, k, items);
        judged_users = model.users.len();
        if k == deciding {
            coverage = model.catalog_coverage;
        }
        for (name, of) in PER_USER {
            measures.extend(measure(&format!("{name}@{k}"), of(&model), of(&baseline), &mut rng));
        }
        if let (Some(model), Some(baseline)) = (model.catalog_coverage, baseline.catalog_coverage) {
            measures.push(Measure {
                name: format!("coverage@{k}"),
                better: Better::Higher,
                model: Estimate::point(model),
                baseline: Some(Estimate::point(baseline)),
                difference: None,
            });
        }
    }
    let what = if judged.exclude_seen { "something new to them" } else { "something" };
    facts.insert(
        0,
        Fact::new(
            "judged on",
            format!("{} who bought {what} after the split", format::count(judged_users as u64, "user", "users")),
        ),
    );
    facts.push(Fact::new("unknown items", "items first seen after the split count as misses of both"));
    facts.push(Fact::new("served model", "refitted on everything before the run date"));
    let mut evaluation = Evaluation {
        target: judged.item.to_owned(),
        model: judged.model.to_owned(),
        baseline: "popularity".to_owned(),
        headline: format!("ndcg@{deciding}"),
        measures,
        facts,
        charts: charts(judged, &popular, &relevant, items),
        slices: vec![],
        finds: String::new(),
        watch: vec![],
    };
    let narrow = coverage.and_then(|coverage| watch::narrow_lists(deciding, coverage));
    let rules = [watch::few_users(judged_users), watch::wide_interval(&evaluation), narrow];
    evaluation.watch = rules.into_iter().flatten().collect();
    evaluation
}

/// The means of measures by the length of the lists, the model's and popularity's.
fn charts(judged: &Judged<'_>, popular: &[Vec<u32>], relevant: &[Vec<u32>], items: usize) -> Vec<Chart> {
    let lengths: Vec<usize> = CURVE_LENGTHS.into_iter().filter(|length| *length <= judged.top).collect();
    let by_length = |lists: &[Vec<u32>]| -> Vec<(usize, Ranking)> {
        lengths.iter().map(|k| (*k, ranking::evaluate(lists, relevant, *k, items))).collect()
    };
    let (model, baseline) = (by_length(&judged.recommended), by_length(popular));
    let chart = |(title, of): (&str, Mean)| {
        let curve = |name: &str, found: &[(usize, Ranking)]| {
            let points = found.iter().filter_map(|(k, ranking)| Some((*k as f64, of(ranking)?)));
            Curve { name: name.to_owned(), points: points.collect() }
        };
        let curves = vec![curve("model", &model), curve("popularity", &baseline)];
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

fn measure(name: &str, model: &[f64], baseline: &[f64], rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
    Some(Measure {
        name: name.to_owned(),
        better: Better::Higher,
        model: intervals::mean(model, RESAMPLES, rng)?.into(),
        baseline: intervals::mean(baseline, RESAMPLES, rng).map(Into::into),
        difference: intervals::mean_difference(model, baseline, RESAMPLES, rng).map(Into::into),
    })
}

fn relevant(judged: &Judged<'_>, user: usize) -> Vec<u32> {
    let seen = judged.before.row(user).0;
    if seen.is_empty() {
        return vec![];
    }
    let wanted = |item: &u32| !judged.exclude_seen || seen.binary_search(item).is_err();
    judged.after.row(user).0.iter().copied().filter(wanted).collect()
}
