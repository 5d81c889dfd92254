//! Datasets, and what is told of them: columns, what those are made of, and what was counted. No value of any row.

use std::collections::BTreeMap;

use serde::Serialize;

/// A dataset, named as OpenLineage names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dataset {
    pub namespace: String,
    pub name: String,
    /// What it is known to have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// What its columns are made of: of datasets that a node has written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// What was found of it: of datasets that a node has looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: String,
    /// As the language of pipelines writes it.
    #[serde(rename = "type")]
    pub dtype: String,
    pub description: String,
}

/// What the columns of a dataset are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// By column; without origins what is made of nothing, such as the run date.
    pub fields: BTreeMap<String, Vec<Origin>>,
    /// What concerns every row or every column.
    pub all: Vec<Origin>,
}

/// A column that others are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub namespace: String,
    /// Of the dataset.
    pub name: String,
    pub column: String,
    pub uses: Vec<Use>,
}

/// What a column is used for, in OpenLineage's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Values are made of it, rather than decided by it.
    pub direct: bool,
    /// `IDENTITY`, `FILTER`; none where it is not known.
    pub subtype: Option<&'static str>,
    /// Its values cannot be told from what is made of it.
    pub masking: bool,
}

/// What was found of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Quality {
    pub assertions: Vec<Assertion>,
    pub counts: Option<Counts>,
}

/// The result of a check or of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assertion {
    /// The kind, such as `not_null`.
    pub kind: String,
    /// The check in words, as everywhere.
    pub name: String,
    /// The columns that it looks at; none where it looks at the dataset as a whole.
    pub columns: Vec<String>,
    /// `error`, `warn` or `quarantine`.
    pub severity: String,
    pub success: bool,
    /// How many rows fail, where it is rows that do.
    pub failed_rows: Option<u64>,
    /// What was found, where a number of rows does not say it.
    pub found: Option<String>,
}

/// What was counted in a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that were looked at.
    pub rows: u64,
    pub bytes: Option<u64>,
    pub files: Option<u64>,
    pub columns: BTreeMap<String, ColumnCounts>,
}

/// What was counted in a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ColumnCounts {
    pub nulls: Option<u64>,
    pub distinct: Option<u64>,
}
