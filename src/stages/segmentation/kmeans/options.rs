//! The options of the stage.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::not_clustered;
use crate::algorithms::kmeans;
use crate::problem::{Code, Problem, Step};

/// Changes to single columns, in the order in which the keys are written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "IndexMap<String, serde_json::Value>", into = "IndexMap<String, serde_json::Value>")]
#[schemars(with = "TransformSchema")]
pub struct Transform(pub Vec<Change>);

/// One of the changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Clip(IndexMap<String, Limits>),
    Log1p(Vec<String>),
}

/// Changes to single columns, in the order in which the keys are written.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct TransformSchema {
    /// Column to limits; what lies beyond a limit is set to it.
    #[serde(default)]
    clip: IndexMap<String, Limits>,
    /// Columns that become ln(1 + x), which shortens long tails. A value of -1 or less has no
    /// logarithm and fails the stage; `clip`, written before, can raise it.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    log1p: Vec<String>,
}

impl TryFrom<IndexMap<String, serde_json::Value>> for Transform {
    type Error = serde_json::Error;

    fn try_from(written: IndexMap<String, serde_json::Value>) -> Result<Self, Self::Error> {
        let change = |(name, value): (String, serde_json::Value)| match name.as_str() {
            "clip" => serde_json::from_value(value).map(Change::Clip),
            "log1p" => serde_json::from_value(value).map(Change::Log1p),
            _ => Err(serde::de::Error::unknown_field(&name, &["clip", "log1p"])),
        };
        written.into_iter().map(change).collect::<Result<_, _>>().map(Transform)
    }
}

impl From<Transform> for IndexMap<String, serde_json::Value> {
    fn from(transform: Transform) -> Self {
        let change = |change: Change| match change {
            Change::Clip(limits) => ("clip".to_owned(), serde_json::json!(limits)),
            Change::Log1p(columns) => ("log1p".to_owned(), serde_json::json!(columns)),
        };
        transform.0.into_iter().map(change).collect()
    }
}

/// The limits of a column; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Limits {
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Limits {
    /// The value, or the limit that it lies beyond.
    pub fn clip(self, value: f64) -> f64 {
        value.max(self.min.unwrap_or(f64::NEG_INFINITY)).min(self.max.unwrap_or(f64::INFINITY))
    }
}

impl Transform {
    /// Whether the logarithm of a column is taken.
    pub fn logs(&self, column: &String) -> bool {
        self.0.iter().any(|change| matches!(change, Change::Log1p(columns) if columns.contains(column)))
    }

    /// Columns that are not clustered by, and limits that exclude each other.
    pub fn problems(&self, columns: &[String]) -> Vec<Problem> {
        let of = |change: &Change| match change {
            Change::Clip(limits) => clip_problems(limits, columns),
            Change::Log1p(logged) => log1p_problems(logged, columns),
        };
        self.0.iter().flat_map(of).collect()
    }
}

fn clip_problems(clip: &IndexMap<String, Limits>, columns: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, limits) in clip {
        let place = ["with", "transform", "clip", name];
        if !columns.contains(name) {
            problems.push(not_clustered(name, columns).at(place).at_key());
        }
        match (limits.min, limits.max) {
            (Some(min), Some(max)) if min > max => {
                let message = format!("`min` ({min}) is above `max` ({max})");
                problems.push(Problem::new(Code::BadValue, message).at(place));
            }
            (None, None) => problems.push(Problem::new(Code::BadValue, "expected `min`, `max` or both").at(place)),
            _ => {}
        }
    }
    problems
}

fn log1p_problems(logged: &[String], columns: &[String]) -> Vec<Problem> {
    let place = |index: usize| ["with", "transform", "log1p"].map(Step::from).into_iter().chain([Step::from(index)]);
    let strange = logged.iter().enumerate().filter(|(_, name)| !columns.contains(name));
    strange.map(|(index, name)| not_clustered(name, columns).at(place(index))).collect()
}

/// What makes the columns comparable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Each column to mean zero and population deviation one.
    #[default]
    Standard,
    /// As they are: a column counts by its units.
    None,
}

/// How many clusters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", untagged)]
#[schemars(with = "ClustersSchema")]
pub enum Clusters {
    Fixed(usize),
    Chosen(Range),
}

/// The two ways to say how many clusters.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ClustersSchema {
    /// This many.
    Fixed(#[schemars(range(min = 2, max = 100))] usize),
    /// The best of a range.
    Chosen(Range),
}

/// A range of numbers of clusters, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The fewest.
    #[schemars(range(min = 2, max = 100))]
    pub from: usize,
    /// The most.
    #[schemars(range(min = 2, max = 100))]
    pub to: usize,
    /// What decides.
    #[serde(default)]
    pub by: By,
}

/// What decides between numbers of clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The greatest mean silhouette; of equal ones the fewest clusters.
    #[default]
    Silhouette,
}

impl TryFrom<serde_json::Value> for Clusters {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        Ok(if value.is_object() {
            Clusters::Chosen(serde_json::from_value(value)?)
        } else {
            Clusters::Fixed(serde_json::from_value(value)?)
        })
    }
}

impl Clusters {
    /// Each number to try, ascending.
    pub fn each(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Clusters::Fixed(clusters) => clusters..=clusters,
            Clusters::Chosen(range) => range.from..=range.to,
        }
    }

    /// A range without any number.
    pub fn problem(self) -> Option<Problem> {
        let Clusters::Chosen(Range { from, to, .. }) = self else { return None };
        let message = format!("`to` ({to}) is below `from` ({from})");
        (to < from).then(|| Problem::new(Code::BadValue, message).at(["with", "clusters", "to"]))
    }
}

/// Who computes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Patronage's own kernel: greedy k-means++ and Lloyd's iteration.
    #[default]
    Native,
    /// linfa-clustering as published: slower, for comparison.
    Linfa,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Linfa => "linfa",
        }
    }
}

impl From<Engine> for kmeans::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Native => kmeans::Engine::Native,
            Engine::Linfa => kmeans::Engine::Linfa,
        }
    }
}
