//! Recommendations judged by what users did after the split, beside popularity.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::algorithms::popular;
use crate::algorithms::sparse::Csr;
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Fact, Measure};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::metrics::ranking::{self, Ranking};

/// Lists that are judged have these lengths.
const LENGTHS: [usize; 2] = [5, 10];
/// The measure that decides.
const HEADLINE: &str = "ndcg@10";

/// What happened before and after the split, and what is judged.
pub struct Judged<'a> {
    pub model: &'a str,
    pub item: &'a str,
    pub before: &'a Csr,
    pub after: &'a Csr,
    /// The model's items for each user, best first.
    pub recommended: Vec<Vec<u32>>,
    pub exclude_seen: bool,
    pub seed: u64,
}

/// The longest list that is judged.
pub const fn longest() -> usize {
    LENGTHS[1]
}

/// Judges on users known before the split who did something relevant after it: with `exclude_seen`
/// something new to them. Without such users there are no measures.
pub fn evaluate(judged: &Judged<'_>, mut facts: Vec<Fact>) -> Evaluation {
    let users = judged.before.rows();
    let relevant: Vec<Vec<u32>> = (0..users).map(|user| relevant(judged, user)).collect();
    let ranked = popular::rank(judged.before);
    let popular = popular::recommend(judged.before, &ranked, 0..users, longest(), judged.exclude_seen);
    let popular: Vec<Vec<u32>> =
        popular.into_iter().map(|list| list.into_iter().map(|(item, _)| item).collect()).collect();
    let items = ranked.len();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(judged.seed);
    let mut measures = Vec::new();
    let mut judged_users = 0;
    for k in LENGTHS.into_iter().rev() {
        let model = ranking::evaluate(&judged.recommended, &relevant, k, items);
        let baseline = ranking::evaluate(&popular, &relevant, k, items);
        judged_users = model.users.len();
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
    facts.insert(0, Fact::new("judged on", format!("{judged_users} users who bought {what} after the split")));
    facts.push(Fact::new("unknown items", "items first seen after the split count as misses of both"));
    facts.push(Fact::new("served model", "refitted on everything before the run date"));
    Evaluation {
        target: judged.item.to_owned(),
        model: judged.model.to_owned(),
        baseline: "popularity".to_owned(),
        headline: HEADLINE.to_owned(),
        measures,
        facts,
        charts: vec![],
        slices: vec![],
        watch: vec![],
    }
}

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
