//! The options of the stage that others do not have.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How candidates are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By the sum over the parts of weight / (`constant` + rank): no scores have to be compared.
    #[default]
    RankFusion,
    /// By the sum over the parts of weight · score, each part's scores being spread from 0 to 1 within a user's list.
    Weighted,
    /// What users with many orders are shown comes from the other parts, what those with few are shown from
    /// `cold_part`; items that few users have come from it for everyone. Within, by rank.
    Switching,
    /// The first part chooses `pool` candidates, and the others order them, by rank.
    Cascade,
}

/// What each part counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", untagged)]
#[schemars(with = "WeightsSchema")]
pub enum Weights {
    Word(Word),
    Given(BTreeMap<String, f64>),
}

/// The two ways to say it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum WeightsSchema {
    /// In a word.
    Word(Word),
    /// By part.
    Given(BTreeMap<String, f64>),
}

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// By a logistic regression of what was met on what each part said, at the hold-outs before the one that judges; what
    /// is served is learned anew from all of them.
    Learned,
    /// All the same.
    Equal,
}

impl Default for Weights {
    fn default() -> Self {
        Weights::Word(Word::Learned)
    }
}

impl TryFrom<serde_json::Value> for Weights {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        Ok(if value.is_object() {
            Weights::Given(serde_json::from_value(value)?)
        } else {
            Weights::Word(serde_json::from_value(value)?)
        })
    }
}
