use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interactions::Interactions;
use super::limits::affordable;
use super::recommender::{Recommender, Scene, Scored};
use super::weights::{Weighting, apply};
use crate::algorithms::neighbors::{self as kernel, Neighborhood, Postings};
use crate::algorithms::sparse::Csr;
use crate::algorithms::wanted::Wanted;
use crate::algorithms::weighting::{self, Documents, Weights};
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::model::Model;

recommender! {
    /// User-based collaborative filtering: recommends what those bought who bought alike.
    ///
    /// Two users are alike by their rows in the matrix of users × items, whose entries are what `weighting` makes of
    /// the weights: by default the number of orders with the item. Of each user the `neighbors` most similar others
    /// count, who have at least one item in common; the score of an item is the sum of their similarities, each times
    /// what the item counts with them. Source: Resnick et al. 1994, Herlocker et al. 1999.
    ///
    /// A user is compared with everyone who has one of the same items, so the work is the sum over items of the
    /// squared number of their users. Of an item that more than `most_users` have, only the most recent of them are
    /// compared by it; the report says of how many items and how much that leaves out, and what it changes. Nothing
    /// of users × users is ever held in memory.
    ///
    /// It is evaluated and served as item_cf. Its model has nothing but its parameters, since it compares tonight's
    /// users with each other.
    pub struct UserCf {
        /// How alike two users are.
        #[serde(default)]
        similarity: Similarity,
        /// What a pair of user and item counts.
        #[serde(default = "default_weighting")]
        weighting: Weighting,
        /// How many of the most similar users count.
        #[serde(default = "default_neighbors")]
        #[schemars(range(min = 1, max = 10_000))]
        neighbors: usize,
        /// s in the factor n / (n + s) on the similarity of two users with n items in common: holds back those with
        /// little in common.
        #[serde(default)]
        #[schemars(range(min = 0))]
        shrinkage: f64,
        /// Users who are compared by one item, the most recent ones.
        #[serde(default = "default_most_users")]
        #[schemars(range(min = 10, max = 100_000_000))]
        most_users: usize,
    }
}
recommender_stage!(UserCf, requires: [], outputs: []);

impl StageConfig for UserCf {
    const KIND: &'static str = "user_cf";
    const FAMILY: &'static str = "recommendation";
}

/// How alike two users are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Similarity {
    /// The cosine of the angle between their rows.
    #[default]
    Cosine,
    /// The correlation of their rows over all items, those that they have not being zero.
    Pearson,
    /// The sum of the lesser weights over the sum of the greater.
    Jaccard,
    /// 1 / (1 + the distance of their rows).
    Euclidean,
}

fn default_weighting() -> Weighting {
    Weighting::Count
}

fn default_neighbors() -> usize {
    50
}

fn default_most_users() -> usize {
    10_000
}

/// Comparisons above which it is refused: minutes of work.
const COST_MAX: u64 = 200_000_000_000;
/// Users whose lists are made again without a cap, to say what it changes.
const COMPARED: usize = 200;
/// The work that this may take.
const COMPARED_COST_MAX: u64 = 2_000_000_000;

/// Those who are compared.
pub struct Community {
    known: Csr,
    postings: Postings,
    weights: Weights,
}

impl Similarity {
    fn name(self) -> &'static str {
        match self {
            Similarity::Cosine => "cosine",
            Similarity::Pearson => "Pearson's correlation",
            Similarity::Jaccard => "Jaccard's index",
            Similarity::Euclidean => "Euclidean distance",
        }
    }
}

impl From<Similarity> for kernel::Similarity {
    fn from(similarity: Similarity) -> Self {
        match similarity {
            Similarity::Cosine => kernel::Similarity::Cosine,
            Similarity::Pearson => kernel::Similarity::Pearson,
            Similarity::Jaccard => kernel::Similarity::Jaccard,
            Similarity::Euclidean => kernel::Similarity::Euclidean,
        }
    }
}

impl Recommender for UserCf {
    type Fitted = Community;

    fn name(&self) -> String {
        "user-based collaborative filtering".to_owned()
    }

    fn fit(&self, scene: &Scene<'_>, context: &StageContext) -> Result<Community, Failure> {
        let weights = Weights::fit(&scene.known.weights, weighting::Weighting::from(self.weighting), Documents::Users);
        let known = apply(&weights, &scene.known.weights)?;
        let postings = Postings::build(&known, Some(&scene.known.latest), self.most_users);
        let help = "lower `most_users`, or filter out items that nearly everyone has";
        affordable(postings.cost(&scene.histories.weights), COST_MAX, "comparing users", help)?;
        context.cancel.check()?;
        Ok(Community { known, postings, weights })
    }

    fn recommend(
        &self,
        fitted: &Community,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure> {
        let histories = fitted.histories(scene)?;
        let of = fitted.neighborhood(&fitted.postings, &histories, scene.is_own);
        Ok(kernel::by_users(&of, &self.parameters(), 0..histories.rows(), count, wanted))
    }

    fn because(
        &self,
        fitted: &Community,
        scene: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure> {
        let histories = fitted.histories(scene)?;
        let of = fitted.neighborhood(&fitted.postings, &histories, scene.is_own);
        Ok(kernel::because_of_users(&of, &self.parameters(), 0..histories.rows(), lists))
    }

    fn facts(&self, fitted: &Community, scene: &Scene<'_>) -> Result<Vec<Fact>, Failure> {
        let neighbors = format::thousands(self.neighbors as u64);
        let (similarity, weighting) = (self.similarity.name(), self.weighting.name());
        let mut facts = vec![Fact::new("neighbors", format!("{neighbors} a user, {similarity}, {weighting}"))];
        let most = format::thousands(self.most_users as u64);
        facts.push(Fact::new(
            "cap",
            match fitted.postings.capped() {
                0 => format!("no item has more than {most} users: similarities are exact"),
                capped => {
                    let items = format::count(capped as u64, "item has", "items have");
                    let left_out = format::percent(fitted.postings.left_out());
                    let same = match self.same(fitted, scene)? {
                        Some((share, users)) => format!(
                            "; of the first 10 of the lists of {} {} are there without the cap as well",
                            format::count(users as u64, "user", "users"),
                            format::percent(share)
                        ),
                        None => String::new(),
                    };
                    format!(
                        "{items} more than {most} users, of whom the most recent are compared; that leaves out {left_out} of all pairs{same}"
                    )
                }
            },
        ));
        Ok(facts)
    }

    fn files(&self, _: &Community, _: &Interactions) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        Ok(BTreeMap::new())
    }

    fn load(&self, _: &Model, scene: &Scene<'_>, context: &StageContext) -> Result<Community, Failure> {
        self.fit(scene, context)
    }
}

impl UserCf {
    fn parameters(&self) -> kernel::Parameters {
        kernel::Parameters { similarity: self.similarity.into(), neighbors: self.neighbors, shrinkage: self.shrinkage }
    }

    /// What the cap changes: the share of the first ten items of some users, evenly spread, that are there without it
    /// as well. `None` where finding out would take too long.
    fn same(&self, community: &Community, scene: &Scene<'_>) -> Result<Option<(f64, usize)>, Failure> {
        const FIRST: usize = 10;
        let with_items: Vec<usize> = (0..scene.histories.weights.rows())
            .filter(|user| !scene.histories.weights.row(*user).0.is_empty())
            .collect();
        let step = with_items.len().div_ceil(COMPARED).max(1);
        let users: Vec<usize> = with_items.into_iter().step_by(step).collect();
        let exact = Postings::build(&community.known, Some(&scene.known.latest), usize::MAX);
        let histories = community.histories(scene)?;
        if exact.cost(&histories) / histories.rows().max(1) as u64 * users.len() as u64 > COMPARED_COST_MAX {
            return Ok(None);
        }
        let wanted = Wanted::unseen(&scene.histories.weights);
        let list = |postings: &Postings, user: usize| {
            let of = community.neighborhood(postings, &histories, scene.is_own);
            kernel::by_users(&of, &self.parameters(), user..user + 1, FIRST, &wanted).pop().unwrap_or_default()
        };
        let (mut same, mut all) = (0_usize, 0_usize);
        for user in &users {
            let (capped, whole) = (list(&community.postings, *user), list(&exact, *user));
            all += whole.len();
            same += whole.iter().filter(|(item, _)| capped.iter().any(|(other, _)| other == item)).count();
        }
        Ok((all > 0).then(|| (same as f64 / all as f64, users.len())))
    }
}

impl Community {
    /// What those who are served have, weighted.
    fn histories(&self, scene: &Scene<'_>) -> Result<Cow<'_, Csr>, Failure> {
        Ok(match scene.is_own {
            true => Cow::Borrowed(&self.known),
            false => Cow::Owned(apply(&self.weights, &scene.histories.weights)?),
        })
    }

    fn neighborhood<'a>(&'a self, postings: &'a Postings, histories: &'a Csr, own: bool) -> Neighborhood<'a> {
        Neighborhood { known: &self.known, postings, histories, own }
    }
}

#[cfg(test)]
mod tests;
