mod describe;
mod options;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::describe::Described;
use self::options::{BlockWeights, TextOptions};
use super::beside;
use super::interactions::Interactions;
use super::limits::affordable;
use super::recommender::{Recommender, Scene, Scored};
use crate::algorithms::content as kernel;
use crate::algorithms::text::Vocabulary;
use crate::algorithms::wanted::Wanted;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputSchemas, StageConfig, StageContext};
use crate::stages::model::Model;

recommender! {
    /// Content-based recommendation: what is like the things that a customer bought, by what they are.
    ///
    /// A table at `items` describes each item by texts (TF-IDF of words), categories, numbers and ready vectors; each
    /// of these four blocks has the same length for every item that has it, times the root of its weight. A customer's
    /// interest is the mean of the vectors of what was bought, by weight and, with `half_life`, by age; an item's
    /// score is how alike it is to the interest. Items without any description are never recommended, but need not have
    /// been bought by anyone: new ones are as good as old ones. Source: Pazzani and Billsus 2007.
    ///
    /// Words are those of Unicode, in lower case; Chinese is segmented with a dictionary. A term is a word, or several
    /// that follow each other.
    ///
    /// It is evaluated and served as item_cf. What items are like must be known as of each split: feed it a `features`
    /// stage, or a table that is `static: true`.
    pub struct Content {
        /// Columns of text; those of an item are read one after the other.
        #[serde(default)]
        text: Vec<String>,
        /// Columns of categories: text, numbers, or lists of text for items that have several.
        #[serde(default)]
        category: Vec<String>,
        /// Columns of numbers: those that are close are alike.
        #[serde(default)]
        number: Vec<String>,
        /// Columns of lists of numbers, all of one length, such as embeddings of pictures made elsewhere.
        #[serde(default)]
        vector: Vec<String>,
        /// How alike an interest and an item are.
        #[serde(default)]
        similarity: Similarity,
        /// What each block counts.
        #[serde(default)]
        weights: BlockWeights,
        /// What becomes a term.
        #[serde(default)]
        terms: TextOptions,
    }
}
recommender_stage!(Content, requires: [beside::ITEMS], outputs: []);

impl StageConfig for Content {
    const KIND: &'static str = "content";
    const FAMILY: &'static str = "recommendation";
}

/// How alike an interest and an item are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Similarity {
    /// The cosine of the angle between them.
    #[default]
    Cosine,
    /// 1 / (1 + their distance).
    Euclidean,
    /// The correlation of their coordinates.
    Pearson,
}

impl From<Similarity> for kernel::Similarity {
    fn from(similarity: Similarity) -> Self {
        match similarity {
            Similarity::Cosine => kernel::Similarity::Cosine,
            Similarity::Euclidean => kernel::Similarity::Euclidean,
            Similarity::Pearson => kernel::Similarity::Pearson,
        }
    }
}

/// Multiplications above which it is refused: half an hour of work.
const COST_MAX: u64 = 20_000_000_000_000;
const VOCABULARY: &str = "vocabulary.json";

impl Recommender for Content {
    type Fitted = Described;

    fn name(&self) -> String {
        "content-based recommendation".to_owned()
    }

    fn own_problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.weights.problems().into_iter().chain(self.terms.problems()).collect();
        if [&self.text, &self.category, &self.number, &self.vector].iter().all(|columns| columns.is_empty()) {
            let message = "nothing describes the items: give columns of `text`, `category`, `number` or `vector`";
            problems.push(Problem::new(Code::MissingKey, message).at(["with"]));
        }
        problems
    }

    fn table_problems(&self, inputs: &InputSchemas) -> Vec<Problem> {
        inputs.one(beside::ITEMS).map(|items| self.column_problems(items)).unwrap_or_default()
    }

    fn fit(&self, scene: &Scene<'_>, _: &StageContext) -> Result<Described, Failure> {
        let vocabulary = self.learn(scene)?;
        self.describe(scene, vocabulary)
    }

    fn recommend(
        &self,
        fitted: &Described,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure> {
        let histories = &scene.histories.weights;
        let users = (0..histories.rows()).filter(|user| !histories.row(*user).0.is_empty()).count();
        let help = "describe the items by less, with fewer terms (`terms: {most: …}`) or shorter vectors";
        affordable(kernel::cost(&fitted.items, users), COST_MAX, "comparing interests with items", help)?;
        Ok(kernel::recommend(histories, &fitted.items, self.similarity.into(), 0..histories.rows(), count, wanted))
    }

    fn because(
        &self,
        fitted: &Described,
        scene: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure> {
        let histories = &scene.histories.weights;
        Ok(kernel::because(histories, &fitted.items, 0..histories.rows(), lists))
    }

    fn facts(&self, fitted: &Described, _: &Scene<'_>) -> Result<Vec<Fact>, Failure> {
        let count = |number: usize| format::thousands(number as u64);
        let described = (0..fitted.items.len()).filter(|item| fitted.items.is_described(*item)).count();
        let mut facts =
            vec![Fact::new("described", format!("{} of {} items", count(described), count(fitted.items.len())))];
        match &fitted.vocabulary {
            Some(vocabulary) => facts.push(Fact::new("terms", count(vocabulary.terms().len()))),
            None if !self.text.is_empty() && self.weights.text > 0.0 => {
                let value = "none: no word of the texts is within the limits of `terms` (`min_items`, `max_share`)";
                facts.push(Fact::new("terms", value));
            }
            None => {}
        }
        Ok(facts)
    }

    fn files(&self, fitted: &Described, _: &Interactions) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let Some(vocabulary) = &fitted.vocabulary else { return Ok(BTreeMap::new()) };
        let json = serde_json::to_vec(vocabulary).map_err(|error| Failure::bug(error.to_string()))?;
        Ok(BTreeMap::from([(VOCABULARY.to_owned(), json)]))
    }

    fn load(&self, model: &Model, scene: &Scene<'_>, _: &StageContext) -> Result<Described, Failure> {
        let read = |json: &Vec<u8>| {
            serde_json::from_slice::<Vocabulary>(json)
                .map_err(|error| Failure::data(format!("the earlier model cannot be read: {error}")))
        };
        let vocabulary = model.files.get(VOCABULARY).map(read).transpose()?;
        self.describe(scene, vocabulary)
    }
}
