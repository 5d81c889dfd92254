//! A pipeline file, typed.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::{CheckSpec, Tolerance};
use super::unit_tests::TestSpec;
use super::{CsvSpec, EntryAction, GateSpec, OnEntry, SourceFormat};
use crate::table::Class;

/// A pipeline: sources under contract, stages, and what is published.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// The pipeline's name.
    #[schemars(extend("format" = "name"))]
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// Everything random derives from it.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub seed: u64,
    /// External tables under a contract, by name.
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]*$", "format": "name"}, "minProperties" = 1))]
    pub sources: IndexMap<String, SourceSpec>,
    /// The steps, in any order.
    #[schemars(length(min = 1))]
    pub stages: Vec<StageSpec>,
    /// What must hold before anything is published, by stage (or `stage.port`).
    #[serde(default)]
    pub gates: IndexMap<String, GateSpec>,
    /// What is published, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]*$", "format": "name"}))]
    pub publish: IndexMap<String, PublishSpec>,
    /// What happens to columns as data enters, by privacy class; sources and columns may say otherwise.
    #[serde(default)]
    pub on_entry: OnEntry,
    /// Small input rows and the rows expected from a stage; `patronage test` runs them.
    #[serde(default)]
    pub tests: Vec<TestSpec>,
}

/// An external table under a contract.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// A file, a glob, or a directory (Hive-partitioned or flat); local or `s3://…`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// Instead of `path`: a query in the SQL of the `database`, whose rows are the source.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub query: Option<String>,
    /// The database that is asked, by its name among the `databases` of the environment.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub database: Option<String>,
    /// How the files are written; else it is what the path ends with (`.csv`, `.ndjson`, `.jsonl`), or Parquet.
    #[serde(default)]
    pub format: Option<SourceFormat>,
    /// The dialect of CSV files.
    #[serde(default)]
    pub csv: Option<CsvSpec>,
    /// The column that says when a row became known. Rows at or after the run date's midnight (UTC) are never read.
    #[serde(default)]
    pub event_time: Option<String>,
    /// The columns that identify a row.
    #[serde(default)]
    pub key: Vec<String>,
    /// The rows never change over time, so they may feed an evaluated stage without an event time.
    #[serde(default, rename = "static")]
    pub fixed: bool,
    /// The columns that are read, with their types; `string?` may be null.
    #[schemars(extend("minProperties" = 1))]
    pub columns: IndexMap<String, ColumnSpec>,
    /// What happens when the files have columns that are not listed.
    #[serde(default)]
    pub extra_columns: Tolerance,
    /// What happens when the files have the listed columns in another order.
    #[serde(default)]
    pub reordered_columns: Tolerance,
    /// What must hold of the rows.
    #[serde(default)]
    pub checks: Vec<CheckSpec>,
    /// What happens to its columns as data enters, by privacy class; instead of what the pipeline says.
    #[serde(default)]
    pub on_entry: OnEntry,
}

/// A column's type, nullability and privacy class.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "serde_json::Value")]
#[schemars(with = "ColumnSchema")]
pub struct ColumnSpec {
    pub dtype: String,
    pub nullable: bool,
    pub class: Class,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_entry: Option<EntryAction>,
}

/// The two ways to write a column.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ColumnSchema {
    /// The type alone: `int64`, or `string?` where it may be null.
    Type(#[schemars(with = "TypeName")] String),
    /// The type with nullability and privacy class.
    Column(ColumnFields),
}

/// A column in full.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ColumnFields {
    /// Its type, such as `int64`, `decimal(12,2)` or `datetime`.
    #[serde(rename = "type")]
    #[schemars(with = "TypeName")]
    dtype: String,
    /// Whether it may be null.
    #[serde(default)]
    nullable: bool,
    /// Its privacy class.
    #[serde(default)]
    class: Class,
    /// What happens to it as data enters; instead of what is said of its class.
    #[serde(default)]
    on_entry: Option<EntryAction>,
}

/// The name of a column's type; only its schema is used.
pub struct TypeName;

impl JsonSchema for TypeName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TypeName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let simple = "bool|u?int(8|16|32|64)|float(32|64)|decimal\\([0-9]+, ?[0-9]+\\)|string|date|datetime";
        schemars::json_schema!({
            "type": "string",
            "pattern": format!("^({simple}|list\\(({simple})\\))\\??$"),
            "x-suggest": {
                "int": "int64", "integer": "int64", "bigint": "int64", "long": "int64", "smallint": "int16",
                "float": "float64", "double": "float64", "real": "float32", "number": "float64", "decimal": "decimal(18,2)",
                "str": "string", "strin": "string", "text": "string", "varchar": "string", "utf8": "string",
                "boolean": "bool", "timestamp": "datetime", "time": "datetime"
            },
            "x-expected": "a type: bool, int8 to int64, uint8 to uint64, float32, float64, decimal(p,s), string, date, datetime or list(…), with `?` where it may be null"
        })
    }
}

impl TryFrom<serde_json::Value> for ColumnSpec {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        let fields = match value {
            serde_json::Value::String(dtype) => {
                ColumnFields { dtype, nullable: false, class: Class::default(), on_entry: None }
            }
            other => serde_json::from_value(other)?,
        };
        let (dtype, optional) = match fields.dtype.strip_suffix('?') {
            Some(dtype) => (dtype.to_owned(), true),
            None => (fields.dtype.clone(), false),
        };
        let ColumnFields { nullable, class, on_entry, .. } = fields;
        Ok(ColumnSpec { dtype, nullable: nullable || optional, class, on_entry })
    }
}

/// A step of the pipeline.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// Its name.
    #[schemars(extend("format" = "name"))]
    pub id: String,
    /// Its kind; `patronage list` shows all.
    pub stage: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// Words to select it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Port to the source, stage or `stage.port` that feeds it, or to a list of them.
    #[serde(default)]
    pub inputs: IndexMap<String, Feeds>,
    /// The parameters of its kind.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub with: serde_json::Value,
    /// What must hold of its outputs.
    #[serde(default)]
    pub checks: Vec<CheckSpec>,
}

/// What feeds a port.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "serde_json::Value")]
#[schemars(with = "FeedsSchema")]
pub struct Feeds {
    pub names: Vec<String>,
    pub is_list: bool,
}

/// One name or a list of names.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum FeedsSchema {
    /// A source, a stage or `stage.port`.
    One(String),
    /// Several, for a port that takes many.
    Many(Vec<String>),
}

impl TryFrom<serde_json::Value> for Feeds {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        match value {
            serde_json::Value::String(name) => Ok(Feeds { names: vec![name], is_list: false }),
            other => Ok(Feeds { names: serde_json::from_value(other)?, is_list: true }),
        }
    }
}

/// A dataset that the run replaces one `run_date=` partition of.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishSpec {
    /// The stage or `stage.port` whose table is published.
    pub from: String,
    /// The dataset's directory, local or `s3://…`.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Of a table with snapshots: the one of the run date, or all.
    #[serde(default)]
    pub snapshots: SnapshotChoice,
    /// How its files are written.
    #[serde(default)]
    pub format: PublishFormat,
    /// The table of a database that gets the same rows, once they are published.
    #[serde(default)]
    pub deliver: Option<DeliverSpec>,
    /// Scripts beside the data with which warehouses load it.
    #[serde(default)]
    pub load: Option<LoadSpec>,
}

/// The table that warehouses load published files into, and which of them get a script, `_load.<warehouse>.sql`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// The table; the script makes it if it is not there.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub table: String,
    /// Its schema (BigQuery: its dataset).
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub schema: Option<String>,
    /// DuckDB: `{}`.
    #[serde(default)]
    pub duckdb: Option<DuckdbLoad>,
    /// Snowflake.
    #[serde(default)]
    pub snowflake: Option<SnowflakeLoad>,
    /// BigQuery.
    #[serde(default)]
    pub bigquery: Option<BigqueryLoad>,
    /// Redshift, with the manifest that its COPY reads.
    #[serde(default)]
    pub redshift: Option<RedshiftLoad>,
}

/// How DuckDB reads the files: it needs to know nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DuckdbLoad {}

/// How Snowflake reads the files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnowflakeLoad {
    /// The external stage whose address is the dataset's, such as `@lake.customer_scores`.
    #[schemars(regex(pattern = "^@[A-Za-z0-9_.$/~%\"-]+$"), extend("x-expected" = "a stage such as `@lake.scores`"))]
    pub stage: String,
}

/// How BigQuery reads the files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BigqueryLoad {
    /// The dataset as BigQuery reads it, such as `gs://bucket/scores` where it is copied there; `to` by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub address: Option<String>,
    /// The connection that reads S3, such as `aws-us-east-1.lake`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    pub connection: Option<String>,
}

/// How Redshift reads the files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftLoad {
    /// The role that may read the bucket.
    #[schemars(regex(pattern = "^(arn:aws[a-z-]*:iam::.+|default)$"), extend("x-expected" = "a role, `arn:aws:iam::…`"))]
    pub iam_role: String,
}

/// A table of a database that published rows are delivered into.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverSpec {
    /// The database, as the environment calls it under `databases`.
    #[schemars(length(min = 1))]
    pub database: String,
    /// The table; it is made if it is not there.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub table: String,
    /// The schema of the table (BigQuery: the dataset); without it, the one where the connection makes tables.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub schema: Option<String>,
    /// Which rows of the table are replaced.
    #[serde(default)]
    pub mode: DeliverMode,
    /// For `upsert`: the columns that identify a row; the key of the published table by default.
    #[serde(default)]
    pub key: Vec<String>,
}

/// Which rows of a table a delivery replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliverMode {
    /// Those of the same run date: the table keeps every night.
    #[default]
    ReplaceRunDate,
    /// Those of the same key, unless they are of a later run date: the table keeps the newest row of each.
    Upsert,
}

/// How published files are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublishFormat {
    #[default]
    Parquet,
    /// One JSON object a line, for automation systems.
    Ndjson,
    /// Comma-separated values with a line of names (RFC 4180), for customer-relationship systems.
    Csv,
}

/// Which snapshots of a table are published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotChoice {
    /// The one of the run date.
    #[default]
    Newest,
    /// All of them.
    All,
}
