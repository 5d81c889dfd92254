//! The options of the stage that others do not have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithms::kmeans;
use crate::problem::{Code, Problem};
use crate::stages::engine::Engine;

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

/// What decides between numbers of clusters. Of equally good ones the fewest are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The greatest mean silhouette.
    #[default]
    Silhouette,
    /// The greatest index of Caliński and Harabasz.
    CalinskiHarabasz,
    /// The least index of Davies and Bouldin.
    DaviesBouldin,
    /// The elbow of inertia: the number whose inertia lies furthest below the line from the first to the last.
    Elbow,
}

impl By {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            By::Silhouette => "silhouette",
            By::CalinskiHarabasz => "the Caliński-Harabasz index",
            By::DaviesBouldin => "the Davies-Bouldin index",
            By::Elbow => "the elbow of inertia",
        }
    }
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

/// Where a start begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Init {
    /// At rows that lie apart (Arthur and Vassilvitskii 2007).
    #[default]
    #[serde(rename = "k-means++")]
    PlusPlus,
    /// At rows drawn at random.
    #[serde(rename = "random")]
    Random,
}

impl From<Init> for kmeans::Init {
    fn from(init: Init) -> Self {
        match init {
            Init::PlusPlus => kmeans::Init::PlusPlus,
            Init::Random => kmeans::Init::Random,
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
