//! Judges recommendations by what users did after the split, beside popularity, for every recommender.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::interactions::Events;
use crate::algorithms::popular;
use crate::algorithms::sparse::Csr;
use crate::metrics::evaluation::{Better, Estimate, Measure};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::metrics::ranking::{self, Ranking};
use crate::stages::contract::{Cancel, Failure};
use chrono::NaiveDate;

/// The lengths of list that are always judged; the second decides.
pub const CUTOFFS: [usize; 2] = [5, 10];

/// The measure that decides.
pub const HEADLINE: &str = "ndcg@10";

/// What is better than nothing but takes no learning.
pub const BASELINE: &str = "popularity";

/// Best first: item and score.
pub type List = Vec<(u32, f64)>;

/// What users did before the split, and what they did that they could have been recommended.
pub struct Holdout {
    pub split: NaiveDate,
    /// Users × items before the split.
    pub known: Csr,
    /// The users judged: something before the split, something relevant after it.
    pub users: Vec<usize>,
    /// The relevant items of each of these users.
    relevant: Vec<Vec<u32>>,
    /// Items with a user before the split.
    pub items: usize,
    /// Relevant items that no one had before the split, over all users judged.
    pub unknown: usize,
    exclude_seen: bool,
}

impl Holdout {
    /// With `exclude_seen` only items that are new to the user are relevant. Errors where no user
    /// can be judged.
    pub fn new(events: &Events, split: NaiveDate, exclude_seen: bool) -> Result<Holdout, Failure> {
        let known = events.before(split)?;
        let by_item = known.transpose();
        let is_known = |item: u32| !by_item.row(item as usize).0.is_empty();
        let items = (0..by_item.rows()).filter(|item| !by_item.row(*item).0.is_empty()).count();
        let (mut users, mut relevant) = (Vec::new(), Vec::new());
        for (user, after) in events.since(split).into_iter().enumerate() {
            let seen = known.row(user).0;
            let wanted = |item: &u32| !exclude_seen || seen.binary_search(item).is_err();
            let after: Vec<u32> = after.into_iter().filter(wanted).collect();
            if !seen.is_empty() && !after.is_empty() {
                users.push(user);
                relevant.push(after);
            }
        }
        let unknown = relevant.iter().flatten().filter(|item| !is_known(**item)).count();
        if users.is_empty() {
            let new = if exclude_seen { " with an item that is new to them" } else { "" };
            return Err(Failure::data(format!(
                "no user has interactions both before {split} and, from then on,{new}: nothing to judge by; \
                 check the source's dates, or choose another `holdout`"
            )));
        }
        Ok(Holdout { split, known, users, relevant, items, unknown, exclude_seen })
    }

    /// Relevant items over all users judged.
    pub fn relevant(&self) -> usize {
        self.relevant.iter().map(Vec::len).sum()
    }

    /// How long lists must be to be judged, where the stage gives `top`.
    pub fn longest(top: usize) -> usize {
        top.max(CUTOFFS[1])
    }

    /// All measures of the lists (one for each user of the matrix) and of popularity.
    pub fn measures(&self, lists: &[List], top: usize, rng: &mut Xoshiro256PlusPlus, cancel: &Cancel) -> Result<Vec<Measure>, Failure> {
        let longest = Holdout::longest(top);
        let popular = popular::recommend(&self.known, &popular::rank(&self.known), 0..self.known.rows(), longest, self.exclude_seen);
        let (model, baseline) = (self.judged(lists), self.judged(&popular));
        let mut measures = Vec::new();
        for cutoff in CUTOFFS.into_iter().chain((top > CUTOFFS[1]).then_some(top)) {
            cancel.check()?;
            let model = ranking::evaluate(&model, &self.relevant, cutoff, self.items);
            let baseline = ranking::evaluate(&baseline, &self.relevant, cutoff, self.items);
            measures.extend(at(cutoff, &model, &baseline, rng));
        }
        Ok(measures)
    }

    /// The items of the lists of the users that are judged.
    fn judged(&self, lists: &[List]) -> Vec<Vec<u32>> {
        let items = |user: &usize| lists.get(*user).map(|list| list.iter().map(|(item, _)| *item).collect());
        self.users.iter().map(|user| items(user).unwrap_or_default()).collect()
    }
}

/// Name, and the values of the users.
type PerUser = (&'static str, fn(&Ranking) -> &[f64]);

const PER_USER: [PerUser; 6] = [
    ("ndcg", |ranking| &ranking.ndcg),
    ("recall", |ranking| &ranking.recall),
    ("precision", |ranking| &ranking.precision),
    ("map", |ranking| &ranking.average_precision),
    ("hit_rate", |ranking| &ranking.hit),
    ("mrr", |ranking| &ranking.reciprocal_rank),
];

/// The measures of lists cut at a length, with intervals over users.
fn at(cutoff: usize, model: &Ranking, baseline: &Ranking, rng: &mut Xoshiro256PlusPlus) -> Vec<Measure> {
    let mut measures = Vec::new();
    for (name, values) in PER_USER {
        let (own, other) = (values(model), values(baseline));
        let Some(found) = intervals::mean(own, RESAMPLES, rng) else { continue };
        measures.push(Measure {
            name: format!("{name}@{cutoff}"),
            better: Better::Higher,
            model: found.into(),
            baseline: intervals::mean(other, RESAMPLES, rng).map(Estimate::from),
            difference: intervals::mean_difference(own, other, RESAMPLES, rng).map(Estimate::from),
        });
    }
    if let Some(covered) = model.catalog_coverage {
        measures.push(Measure {
            name: format!("coverage@{cutoff}"),
            better: Better::Higher,
            model: Estimate::point(covered),
            baseline: baseline.catalog_coverage.map(Estimate::point),
            difference: None,
        });
    }
    measures
}
