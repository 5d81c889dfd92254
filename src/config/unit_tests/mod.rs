//! Tests of a pipeline: small input rows, and the rows that a stage makes of them.

mod csv;

use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problem::{Code, Problem};

/// Small input rows, and the rows that a stage must make of them; `patronage test` runs it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSpec {
    /// Its name.
    #[schemars(extend("format" = "name"))]
    pub name: String,
    /// What it shows, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// The stage, or `stage.port`, whose rows are compared.
    pub stage: String,
    /// The run date; that of the environment or of `--run-date` where it is left out.
    #[serde(default)]
    #[schemars(extend("format" = "date"))]
    pub run_date: Option<String>,
    /// Rows of the tables that feed the stage, by their names, or of tables further up: the stages between run too.
    pub given: IndexMap<String, RowsSpec>,
    /// What must come out.
    pub expect: ExpectSpec,
}

/// The rows that must come out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectSpec {
    /// The rows. Each names the same columns, and only these are compared. Of a table with snapshots, rows of the
    /// run date's are compared unless `as_of` is named.
    pub rows: RowsSpec,
    /// Whether they must come in this order.
    #[serde(default)]
    pub ordered: bool,
    /// How far a float may be off: this much, or this part of the expected value where that is above 1.
    #[serde(default = "tolerance")]
    #[schemars(range(min = 0))]
    pub tolerance: f64,
}

fn tolerance() -> f64 {
    1e-9
}

/// Rows, in one of three forms.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "Value")]
#[schemars(with = "RowsSchema")]
pub enum RowsSpec {
    Inline(Vec<Map<String, Value>>),
    Text(TextRows),
}

/// The forms that rows are written in.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum RowsSchema {
    /// A mapping of columns to values per row.
    Inline(Vec<Map<String, Value>>),
    /// CSV.
    Text(TextRows),
}

/// Rows as CSV: a header, then a line per row. An empty field is null, `""` is the empty text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRows {
    /// The CSV itself.
    #[serde(default)]
    pub csv: Option<String>,
    /// A file with the CSV, relative to the project.
    #[serde(default)]
    pub file: Option<String>,
}

impl TryFrom<Value> for RowsSpec {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        Ok(match value {
            Value::Object(_) => RowsSpec::Text(serde_json::from_value(value)?),
            rows => RowsSpec::Inline(serde_json::from_value(rows)?),
        })
    }
}

/// A value as it is written, before its column's type is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    Yaml(Value),
    /// A CSV field; none where it is empty.
    Csv(Option<String>),
}

/// Rows as they are written.
pub type WrittenRows = Vec<Vec<(String, Written)>>;

impl RowsSpec {
    /// The rows as written; reads the file where there is one. Problems are placed below the rows.
    pub fn read(&self, root: &Path) -> Result<WrittenRows, Problem> {
        let text = match self {
            RowsSpec::Inline(rows) => {
                let row = |row: &Map<String, Value>| {
                    row.iter().map(|(name, value)| (name.clone(), Written::Yaml(value.clone()))).collect()
                };
                return Ok(rows.iter().map(row).collect());
            }
            RowsSpec::Text(text) => text,
        };
        match (&text.csv, &text.file) {
            (Some(text), None) => csv::rows(text).map_err(|message| Problem::new(Code::BadValue, message).at(["csv"])),
            (None, Some(file)) => {
                let read = std::fs::read_to_string(root.join(file));
                let text = read.map_err(|error| {
                    Problem::new(Code::FileMissing, format!("{file} cannot be read: {error}")).at(["file"])
                })?;
                csv::rows(&text)
                    .map_err(|message| Problem::new(Code::BadValue, format!("{file}: {message}")).at(["file"]))
            }
            (Some(_), Some(_)) => {
                Err(Problem::new(Code::BadValue, "`csv` and `file` cannot be given together").at(["file"]).at_key())
            }
            (None, None) => Err(Problem::new(Code::MissingKey, "expected `csv` or `file`, or a list of rows")),
        }
    }

    /// Where a value stands, below the rows.
    pub fn place(&self, row: usize, column: &str, problem: Problem) -> Problem {
        match self {
            RowsSpec::Inline(_) => problem.under(column).under(row),
            RowsSpec::Text(text) => {
                // The first line is the header.
                let message = format!("row {}, column `{column}`: {}", row + 1, problem.message);
                let problem = Problem { message, ..problem };
                problem.under(if text.csv.is_some() { "csv" } else { "file" })
            }
        }
    }
}
