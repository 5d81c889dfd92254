//! The options of the stage that others do not have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithms::text::{self, Frequency, Language};
use crate::problem::{Code, Problem};

/// What each block counts against the others: 0 leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BlockWeights {
    /// Texts.
    #[schemars(range(min = 0, max = 1000))]
    pub text: f64,
    /// Categories.
    #[schemars(range(min = 0, max = 1000))]
    pub category: f64,
    /// Numbers; on the data tried, prices that count more do harm.
    #[schemars(range(min = 0, max = 1000))]
    pub number: f64,
    /// Vectors.
    #[schemars(range(min = 0, max = 1000))]
    pub vector: f64,
}

impl Default for BlockWeights {
    fn default() -> Self {
        BlockWeights { text: 1.0, category: 1.0, number: 0.05, vector: 1.0 }
    }
}

impl BlockWeights {
    /// Blocks that all count nothing.
    pub fn problems(&self) -> Option<Problem> {
        let all = [self.text, self.category, self.number, self.vector];
        let none = all.iter().all(|weight| *weight == 0.0);
        none.then(|| Problem::new(Code::BadValue, "a weight above zero is needed").at(["with", "weights"]))
    }
}

/// What becomes a term of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextOptions {
    /// Words that are none.
    pub stop_words: Vec<String>,
    /// Languages whose most common words are none.
    pub languages: Vec<StopWords>,
    /// How many words that follow each other make a term.
    pub words: Words,
    /// A term that fewer items have is left out.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub min_items: u32,
    /// A term that a greater share of the items has is left out.
    #[schemars(range(min = 0, max = 1))]
    pub max_share: f64,
    /// A term that a text has n times counts 1 + ln n, and not n.
    pub sublinear: bool,
    /// The most terms: those that most items have.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub most: usize,
}

/// How many words make a term.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The fewest.
    #[schemars(range(min = 1, max = 8))]
    pub from: usize,
    /// The most.
    #[schemars(range(min = 1, max = 8))]
    pub to: usize,
}

/// A language whose most common words say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopWords {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions {
            stop_words: vec![],
            languages: vec![],
            words: Words { from: 1, to: 2 },
            min_items: 1,
            max_share: 0.5,
            sublinear: true,
            most: 50_000,
        }
    }
}

impl TextOptions {
    /// A range without any number.
    pub fn problems(&self) -> Option<Problem> {
        let Words { from, to } = self.words;
        let message = format!("`to` ({to}) is below `from` ({from})");
        (to < from).then(|| Problem::new(Code::BadValue, message).at(["with", "terms", "words", "to"]))
    }

    pub fn to_kernel(&self) -> text::Options {
        let language = |language: &StopWords| match language {
            StopWords::English => Language::English,
            StopWords::Chinese => Language::Chinese,
        };
        text::Options {
            stop_words: self.stop_words.clone(),
            languages: self.languages.iter().map(language).collect(),
            ngrams: (self.words.from, self.words.to),
            min_document_frequency: Frequency::Count(self.min_items),
            max_document_frequency: Frequency::Share(self.max_share),
            sublinear: self.sublinear,
            max_terms: self.most,
        }
    }
}
