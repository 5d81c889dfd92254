//! How columns are prepared, as the user writes it.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The limits of a column: values, or the quantiles between which most of its values lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Limits {
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Two shares from 0 to 1, such as `[0.01, 0.99]`: the values below which so many of the rows fitted on lie are
    /// the limits, of which `min` and `max` may raise or lower one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 0, max = 1)))]
    pub quantiles: Option<[f64; 2]>,
}

impl Limits {
    /// The value, or the limit that it lies beyond.
    pub fn clip(self, value: f64) -> f64 {
        value.max(self.min.unwrap_or(f64::NEG_INFINITY)).min(self.max.unwrap_or(f64::INFINITY))
    }
}

/// What stands for a value that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Impute {
    /// The middle one of the known values.
    Median,
    /// Their mean.
    Mean,
    /// Zero.
    Zero,
}

impl Impute {
    pub fn name(self) -> &'static str {
        match self {
            Impute::Median => "the median",
            Impute::Mean => "the mean",
            Impute::Zero => "zero",
        }
    }
}

/// What makes the columns comparable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Each column to mean zero and population deviation one.
    #[default]
    Standard,
    /// Each column to median zero and a distance of one between its quartiles: extreme values change nothing.
    Robust,
    /// Each column to the range from 0 to 1.
    Minmax,
    /// As they are: a column counts by its units.
    None,
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
        if let (Some(min), Some(max)) = (limits.min, limits.max)
            && min > max
        {
            let message = format!("`min` ({min}) is above `max` ({max})");
            problems.push(Problem::new(Code::BadValue, message).at(place));
        }
        if let Some([low, high]) = limits.quantiles
            && low >= high
        {
            let message = format!("the first of `quantiles` ({low}) is not below the second ({high})");
            problems.push(Problem::new(Code::BadValue, message).at(place));
        }
        if *limits == Limits::default() {
            let message = "expected `min`, `max` or `quantiles`";
            problems.push(Problem::new(Code::BadValue, message).at(place));
        }
    }
    problems
}

fn log1p_problems(logged: &[String], columns: &[String]) -> Vec<Problem> {
    let place = |index: usize| ["with", "transform", "log1p"].map(Step::from).into_iter().chain([Step::from(index)]);
    let strange = logged.iter().enumerate().filter(|(_, name)| !columns.contains(name));
    strange.map(|(index, name)| not_clustered(name, columns).at(place(index))).collect()
}

/// A parameter problem of a column that is not among those to cluster by.
fn not_clustered(name: &str, columns: &[String]) -> Problem {
    let problem = Problem::new(Code::UnknownColumn, format!("`{name}` is not among `columns`"));
    problem.nearest(name, columns.iter().map(String::as_str))
}
