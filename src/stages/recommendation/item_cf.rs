use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interactions::Interactions;
use super::limits::affordable;
use super::neighbors;
use super::recommender::{Recommender, Scene, Scored};
use super::weights::{Plain, Weighting};
use crate::algorithms::neighbors::{self as kernel, ItemNeighbors};
use crate::algorithms::sparse::Csr;
use crate::algorithms::wanted::Wanted;
use crate::algorithms::weighting::{Documents, Weights};
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::files;
use crate::stages::model::Model;

recommender! {
    /// Item-based collaborative filtering: recommends what is bought by the same customers as what a
    /// customer has bought.
    ///
    /// Two items are alike if the same users have them: `similarity` compares their columns in the matrix of users ×
    /// items, whose entries are what `weighting` makes of the weights; by default 1, however often the customer bought
    /// the item. An item keeps its `neighbors` most similar ones. A customer's score for an item is the sum of its
    /// similarities to the items that the customer has, each times its weight unless the weighting is binary and
    /// nothing fades. Source: Sarwar et al. 2001, Deshpande and Karypis 2004.
    ///
    /// It is fitted on what happened before run date − `holdout`, judged on what followed beside the strongest of the
    /// simple lists, by the first 5, 10 and 20 of each list as far as `top` reaches, then fitted on everything
    /// before the run date and served. The output has all moments, so that what is learned at a split can be used by
    /// a later stage; only the run date's rows are published. Customers without a purchase have no rows, unless a
    /// table at `users` names them and `cold_start` fills their lists.
    pub struct ItemCf {
        /// How alike two items are.
        #[serde(default)]
        similarity: Similarity,
        /// What a pair of user and item counts when items are compared.
        #[serde(default = "default_weighting")]
        weighting: Weighting,
        /// How many similar items each item keeps.
        #[serde(default = "default_neighbors")]
        #[schemars(range(min = 1, max = 10_000))]
        neighbors: usize,
        /// s in the factor n / (n + s) on the similarity of two items that n users have both: holds back pairs with
        /// little evidence.
        #[serde(default)]
        #[schemars(range(min = 0))]
        shrinkage: f64,
    }
}
recommender_stage!(ItemCf, requires: [], outputs: []);

impl StageConfig for ItemCf {
    const KIND: &'static str = "item_cf";
    const FAMILY: &'static str = "recommendation";
}

/// How alike two items are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Similarity {
    /// The cosine of the angle between their columns.
    #[default]
    Cosine,
    /// The correlation of their columns, zeros included.
    Pearson,
    /// The sum of the lesser weights over the sum of the greater: the share of common users, where weights are 1.
    Jaccard,
    /// The product of their columns, which favors popular items; what BM25 is meant for.
    Dot,
}

fn default_weighting() -> Weighting {
    Weighting::Binary
}

fn default_neighbors() -> usize {
    100
}

/// Multiplications above which fitting is refused: minutes of work.
const COST_MAX: u64 = 200_000_000_000;
const NEIGHBORS: &str = "neighbors.parquet";

impl Similarity {
    fn name(self) -> &'static str {
        match self {
            Similarity::Cosine => "cosine",
            Similarity::Pearson => "Pearson's correlation",
            Similarity::Jaccard => "Jaccard's index",
            Similarity::Dot => "product",
        }
    }
}

impl From<Similarity> for kernel::Similarity {
    fn from(similarity: Similarity) -> Self {
        match similarity {
            Similarity::Cosine => kernel::Similarity::Cosine,
            Similarity::Pearson => kernel::Similarity::Pearson,
            Similarity::Jaccard => kernel::Similarity::Jaccard,
            Similarity::Dot => kernel::Similarity::Dot,
        }
    }
}

impl Recommender for ItemCf {
    type Fitted = ItemNeighbors;

    fn name(&self) -> String {
        "item-based collaborative filtering".to_owned()
    }

    fn fit(&self, scene: &Scene<'_>, context: &StageContext) -> Result<ItemNeighbors, Failure> {
        let known = &scene.known.weights;
        let help = "a few users have very many items; filter them out before";
        affordable(kernel::cost(known), COST_MAX, "comparing items", help)?;
        let weights = Weights::fit(known, self.weighting.into(), Documents::Items);
        let parameters = kernel::Parameters {
            similarity: self.similarity.into(),
            neighbors: self.neighbors,
            shrinkage: self.shrinkage,
        };
        kernel::weighted_items(known, &weights, &parameters, &|| !context.cancel.is_set()).map_err(neighbors::failure)
    }

    fn recommend(
        &self,
        fitted: &ItemNeighbors,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure> {
        let histories = self.histories(scene)?;
        Ok(kernel::recommend(&histories, fitted, 0..histories.rows(), count, wanted))
    }

    fn because(
        &self,
        fitted: &ItemNeighbors,
        scene: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure> {
        let histories = self.histories(scene)?;
        Ok(kernel::because(&histories, fitted, 0..histories.rows(), lists))
    }

    fn facts(&self, _: &ItemNeighbors, _: &Scene<'_>) -> Result<Vec<Fact>, Failure> {
        let neighbors = format::thousands(self.neighbors as u64);
        let (similarity, weighting) = (self.similarity.name(), self.weighting.name());
        Ok(vec![Fact::new("neighbors", format!("{neighbors} an item, {similarity}, {weighting}"))])
    }

    fn files(&self, fitted: &ItemNeighbors, interactions: &Interactions) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let frame = neighbors::to_frame(fitted, &interactions.items)?;
        Ok(BTreeMap::from([(NEIGHBORS.to_owned(), files::to_parquet(frame)?)]))
    }

    fn load(&self, model: &Model, scene: &Scene<'_>, _: &StageContext) -> Result<ItemNeighbors, Failure> {
        neighbors::from_frame(&files::from_parquet(model, NEIGHBORS)?, scene.interactions)
    }
}

impl ItemCf {
    /// What each of a user's items counts.
    fn histories<'a>(&self, scene: &Scene<'a>) -> Result<Cow<'a, Csr>, Failure> {
        let histories = &scene.histories.weights;
        Ok(match self.weighting == Weighting::Binary && self.half_life.is_none() {
            true => Cow::Owned(Plain::Binary.apply(histories)?),
            false => Cow::Borrowed(histories),
        })
    }
}

#[cfg(test)]
mod tests;
