//! The content of `report.json`: everything that the page and the summary say comes from here.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::metrics::evaluation::{Evaluation, Fact, Verdict};
use crate::metrics::profile::ColumnProfile;
use crate::report::format;

/// One run of one pipeline for one run date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub pipeline: String,
    pub description: Option<String>,
    pub run_id: String,
    pub run_date: NaiveDate,
    pub environment: String,
    pub patronage_version: String,
    pub started: DateTime<Utc>,
    pub elapsed_seconds: f64,
    /// What it took to make the report of it: drift, what moved, `report.json`, the page and `report.parquet`. None in
    /// the page and the table, which are a part of that.
    #[serde(default)]
    pub report_seconds: Option<f64>,
    /// The largest resident set of the process, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    pub threads: usize,
    /// Every node of the plan, in topological order.
    pub nodes: Vec<NodeReport>,
    /// Who feeds whom, by node id.
    pub edges: Vec<Edge>,
    pub sources: Vec<SourceReport>,
    pub models: Vec<ModelReport>,
    pub publications: Vec<PublicationReport>,
    /// Every check of sources and of stages' outputs.
    pub checks: Vec<CheckReport>,
    /// The distributions of the tables that models learn from.
    pub profiles: Vec<TableProfile>,
    /// What moved since the run before, headline measures and row counts first.
    pub changes: Vec<Change>,
    pub warnings: Vec<String>,
}

/// What became of one node of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// `source.transactions`, `stage.segments`, `publish.customer_scores`
    pub id: String,
    /// The stage kind, `source` or `publish`.
    pub kind: String,
    pub status: NodeStatus,
    /// Why it was skipped, failed or blocked.
    pub reason: Option<String>,
    pub elapsed_seconds: f64,
    pub outputs: Vec<PortRows>,
    /// Rows that its checks set aside.
    #[serde(default)]
    pub set_aside: Vec<SetAside>,
}

impl NodeReport {
    /// Rows of all its output ports together.
    pub fn rows(&self) -> u64 {
        self.outputs.iter().map(|output| output.rows).sum()
    }

    /// Rows that its checks set aside, of all its tables together.
    pub fn rows_set_aside(&self) -> u64 {
        self.set_aside.iter().map(|aside| aside.rows).sum()
    }
}

/// Rows of one table that are in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The source or output: `source.transactions`, `stage.segments.profiles`.
    pub on: String,
    pub rows: u64,
    /// The file that has them, with the reasons.
    pub file: String,
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    Success,
    /// Nothing of it changed; its outputs are those of an earlier run.
    Skipped,
    Error,
    /// Something it needs failed.
    Blocked,
    /// The selection leaves it out.
    NotSelected,
}

/// Rows of one output port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRows {
    pub port: String,
    pub rows: u64,
}

/// An arrow of the DAG, from what is read to who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub from: String,
    pub to: String,
}

/// What was read of one source, and what its checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    pub name: String,
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    /// The midnight after the newest event; none for a source without event time.
    pub watermark: Option<NaiveDate>,
    /// Rows set aside by checks of that severity.
    pub quarantined_rows: u64,
    /// Rows at or after the run date, which no stage sees.
    #[serde(default)]
    pub later_rows: u64,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The source or output it was made on: `source.transactions`, `stage.segments.profiles`.
    pub on: String,
    /// In words, such as `not_null order_id`.
    pub check: String,
    /// `error`, `warn` or `quarantine`.
    pub severity: String,
    /// How many rows, keys or, for a check of the whole table, tables (one) break it.
    pub failed_rows: u64,
    /// What was found, where a number of rows does not say it: `12 rows, expected at least 1,000`.
    pub found: Option<String>,
    /// The file that has the rows, where they were set aside.
    #[serde(default)]
    pub set_aside_in: Option<String>,
}

impl CheckReport {
    /// What it found in a few words: `2,517 rows`, or of a table as a whole what `found` says.
    pub fn finding(&self) -> String {
        match &self.found {
            Some(found) => found.clone(),
            None => format::count(self.failed_rows, "row", "rows"),
        }
    }
}

/// The columns of one table at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableProfile {
    /// The stage, such as `customers`.
    pub table: String,
    /// The snapshot that is described; none for a table without snapshots.
    pub as_of: Option<NaiveDate>,
    pub rows: u64,
    pub columns: Vec<ProfiledColumn>,
}

/// A column's distribution and how far it has moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfiledColumn {
    pub profile: ColumnProfile,
    pub drift: Vec<Drift>,
}

/// The population stability index of a column against an earlier distribution of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// In words: `the run of 2011-12-09`, `what will_buy was fitted on`.
    pub against: String,
    pub psi: f64,
    /// What the index stays below in 19 of 20 cases when nothing has changed: with few rows, chance alone
    /// moves it.
    #[serde(default)]
    pub chance: f64,
}

/// A figure of this run beside that of the run before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What it belongs to: `will_buy`, `customer_scores`.
    pub of: String,
    /// `roc_auc`, `rows`, …
    pub measure: String,
    pub before: f64,
    pub now: f64,
    /// The run date of the run before.
    pub since: NaiveDate,
}

/// One model and how good it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// The id of its stage, such as `will_buy`.
    pub stage: String,
    pub kind: String,
    /// The family of its stage kind, such as `segmentation`; empty where it is not known.
    #[serde(default)]
    pub family: String,
    pub version: Option<String>,
    /// The run date that it was fitted for, which is an earlier one where it is only applied.
    #[serde(default)]
    pub fitted_for: Option<NaiveDate>,
    /// `fit_apply`, `fit` or `apply`.
    pub mode: String,
    /// The tables above it that the pipeline declares `static`, so that they feed the evaluation without saying
    /// when their rows were known.
    #[serde(default)]
    pub static_inputs: Vec<String>,
    pub evaluation: Evaluation,
    /// Of the headline measure; none where there is no such measure or no baseline for it.
    pub verdict: Option<Verdict>,
    /// The verdict in one plain sentence.
    pub sentence: String,
}

impl ModelReport {
    /// Takes verdict and sentence from the evaluation.
    pub fn new(
        stage: impl Into<String>,
        kind: impl Into<String>,
        version: Option<String>,
        mode: impl Into<String>,
        evaluation: Evaluation,
    ) -> ModelReport {
        let headline = evaluation.headline().filter(|measure| measure.baseline.is_some());
        ModelReport {
            stage: stage.into(),
            kind: kind.into(),
            family: String::new(),
            version,
            fitted_for: None,
            mode: mode.into(),
            static_inputs: vec![],
            verdict: headline.map(|measure| measure.verdict()),
            sentence: evaluation.sentence(),
            evaluation,
        }
    }

    /// A model that this run did not evaluate: it is that of an earlier run date.
    pub fn unevaluated(
        stage: impl Into<String>,
        kind: impl Into<String>,
        version: String,
        fitted_for: Option<NaiveDate>,
        mode: impl Into<String>,
    ) -> ModelReport {
        let kind = kind.into();
        let of = fitted_for.map(|date| format!(" fitted for {date}")).unwrap_or_default();
        let sentence = format!(
            "The {kind} model{of} was not evaluated in this run. Its card, the README.md beside its files, has the \
             evaluation of the run that fitted it."
        );
        let evaluation = Evaluation {
            model: kind.clone(),
            facts: vec![Fact::new("evaluated", "not in this run")],
            ..Evaluation::default()
        };
        let report = ModelReport::new(stage, kind, Some(version), mode, evaluation);
        ModelReport { sentence, fitted_for, ..report }
    }

    /// Whether it was applied without being evaluated.
    pub fn is_unevaluated(&self) -> bool {
        self.mode == "apply" && self.evaluation.measures.is_empty()
    }

    /// Says to which family its stage kind belongs.
    #[must_use]
    pub fn of_family(self, family: impl Into<String>) -> ModelReport {
        ModelReport { family: family.into(), ..self }
    }

    /// Whether it groups entities instead of predicting something of them.
    pub fn is_segmentation(&self) -> bool {
        self.family == "segmentation"
    }
}

/// What a publication put where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationReport {
    pub name: String,
    /// The dataset's address, without credentials.
    pub to: String,
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
    /// Whether this run committed a new version of the partition.
    pub changed: bool,
    /// Whether another run had begun to replace that version before this one had finished it.
    pub replaced: bool,
    /// The table of a database that has the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryReport>,
}

/// What became of the delivery of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// As the environment calls it.
    pub database: String,
    /// With its schema, where one is given.
    pub table: String,
    /// Whether this run delivered rows; else the table had them.
    pub changed: bool,
    /// Whether the environment has no such database (`driver: none`).
    pub skipped: bool,
}

impl PublicationReport {
    /// Whether anything went out in this run.
    pub fn moved(&self) -> bool {
        self.changed || self.delivery.as_ref().is_some_and(|delivery| delivery.changed)
    }
}

impl Report {
    /// How many nodes ended so.
    pub fn count(&self, status: NodeStatus) -> usize {
        self.nodes.iter().filter(|node| node.status == status).count()
    }

    /// How many nodes were to run.
    pub fn selected(&self) -> usize {
        self.nodes.len() - self.count(NodeStatus::NotSelected)
    }

    /// Rows that checks set aside, table by table.
    pub fn set_aside(&self) -> impl Iterator<Item = &SetAside> {
        self.nodes.iter().flat_map(|node| &node.set_aside)
    }

    /// Whether nothing failed and nothing was blocked.
    pub fn succeeded(&self) -> bool {
        self.count(NodeStatus::Error) == 0 && self.count(NodeStatus::Blocked) == 0
    }

    /// Whether every selected node was skipped and no publication moved: the run had nothing to do.
    pub fn unchanged(&self) -> bool {
        let skipped = self.count(NodeStatus::Skipped);
        skipped > 0 && skipped == self.selected() && !self.publications.iter().any(PublicationReport::moved)
    }
}
