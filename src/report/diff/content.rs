//! The content of a comparison: everything that text, Markdown, HTML and JSON say comes from here.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::metrics::evaluation::{Estimate, Verdict};
use crate::metrics::shift::Shift;
use crate::report::NodeStatus;

/// Two runs and what differs between them. No part of it is about one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    pub before: RunFacts,
    pub now: RunFacts,
    /// What a reader must know: other pipelines, failed runs.
    pub warnings: Vec<String>,
    /// Columns that moved most entities, most first.
    pub movers: Vec<Mover>,
    /// Columns of few levels, and who changed level.
    pub migrations: Vec<Migration>,
    /// Columns of numbers, and how far they moved.
    pub scores: Vec<Score>,
    pub tables: Vec<TableChange>,
    pub models: Vec<ModelChange>,
    /// Checks with another outcome, and those that only one run has.
    pub checks: Vec<CheckChange>,
    /// How many checks came out the same, and how many of these fail.
    pub checks_same: u64,
    pub checks_same_failing: u64,
    pub configuration: Vec<Setting>,
    pub columns: Vec<ColumnChange>,
    pub steps: Vec<StepChange>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    pub pipeline: String,
    pub run_id: String,
    pub run_date: NaiveDate,
    pub environment: String,
    pub patronage_version: String,
    pub started: DateTime<Utc>,
    /// In words, such as `13 of 13 steps done.`
    pub outcome: String,
    pub elapsed_seconds: f64,
    pub peak_memory_bytes: Option<u64>,
    pub threads: u64,
}

/// A column that moved entities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mover {
    pub table: String,
    pub column: String,
    pub kind: Move,
    pub moved: u64,
    /// Entities in both runs.
    pub both: u64,
}

/// What counts as a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// To another level of a column of few levels.
    Level,
    /// To another tenth of the distribution before.
    Tenth,
    /// Across one half, of a probability.
    Half,
}

/// A column of few levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    pub table: String,
    pub column: String,
    /// Entities in both runs, and how many of them are at another level.
    pub both: u64,
    pub moved: u64,
    /// The levels were named anew by a new model; rows and columns are paired by what they share.
    pub paired: bool,
    /// None where there are too many levels to show, or the column is not to be shown.
    pub matrix: Option<LevelMatrix>,
    /// The greatest moves, greatest first.
    pub flows: Vec<Flow>,
}

/// Counts by level before (rows) and now (columns); `null` is a hidden count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelMatrix {
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// `counts[row][column]`; one more row counts who is new, one more column who is gone.
    pub counts: Vec<Vec<Option<u64>>>,
    pub row_totals: Vec<Option<u64>>,
    pub column_totals: Vec<Option<u64>>,
    /// For each row the column that is the same level.
    pub same: Vec<Option<usize>>,
}

/// A move from level to level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    pub from: String,
    pub to: String,
    pub entities: u64,
}

/// A column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub table: String,
    pub column: String,
    pub both: u64,
    pub probability: bool,
    pub shift: Shift,
}

/// A table of either run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableChange {
    /// `transactions`, `segments`, `segments.profiles`, `publish customer_scores`
    pub table: String,
    pub rows_before: Option<u64>,
    pub rows_now: Option<u64>,
    /// Of a table with one row an entity (at the run date).
    pub entities: Option<Entities>,
    /// Both runs used the same output, to the byte.
    pub same: bool,
    /// Why its rows could not be compared.
    pub unavailable: Option<String>,
}

/// Entities of two tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entities {
    /// The column that names them.
    pub column: String,
    pub both: u64,
    pub new: u64,
    pub gone: u64,
}

/// The model of a stage in either run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelChange {
    pub stage: String,
    pub before: Option<ModelFacts>,
    pub now: Option<ModelFacts>,
}

/// A model's version and what decides on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    pub version: Option<String>,
    /// The headline measure: its name, the model's value, the baseline's.
    pub measure: Option<String>,
    pub value: Option<Estimate>,
    pub baseline: Option<Estimate>,
    pub verdict: Option<Verdict>,
}

/// A check of which the two runs say something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckChange {
    pub on: String,
    pub check: String,
    pub severity: String,
    /// Rows that broke it; none where the run has no such check.
    pub before: Option<u64>,
    pub now: Option<u64>,
}

/// A source, stage or publication that is defined differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `stage.segments`, or `pipeline`.
    pub node: String,
    pub change: Changed,
    /// Which keys, with short values: `with.clusters.to: 10 → 8`.
    pub details: Vec<String>,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    Added,
    Removed,
    Changed,
}

/// A column that only one run has, or that has another type, class or role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnChange {
    pub table: String,
    pub column: String,
    pub change: Changed,
    /// Type and, where it is not `behavioral`, class: `int64`, `string (quasi_id)`.
    pub before: Option<String>,
    pub now: Option<String>,
}

/// What became of a step, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepChange {
    pub id: String,
    pub before: Option<Step>,
    pub now: Option<Step>,
}

/// A step of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub status: NodeStatus,
    pub elapsed_seconds: f64,
}
