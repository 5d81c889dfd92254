//! The kinds of checks and their keys.

use std::borrow::Cow;
use std::fmt;

use chrono::NaiveDate;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::Tolerance;
use crate::config::pipeline::TypeName;
use crate::config::span::Span;

/// These columns are never null.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotNull {
    /// These columns are never null.
    #[schemars(length(min = 1))]
    pub not_null: Vec<String>,
}

/// No two rows have the same values in these columns. The first row of a key, in the order of the input, is
/// right; each further one fails. A row with a null among them passes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// No two rows have the same values in these columns; rows after the first of a key fail.
    #[schemars(length(min = 1))]
    pub unique: Vec<String>,
}

/// A number, date or time lies within bounds. Null passes, NaN fails.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// This column lies within the bounds; null passes, NaN fails.
    pub range: String,
    /// The smallest value allowed.
    #[serde(default)]
    pub min: Option<Bound>,
    /// The largest value allowed.
    #[serde(default)]
    pub max: Option<Bound>,
    /// Values are greater than this.
    #[serde(default)]
    pub above: Option<Bound>,
    /// Values are less than this.
    #[serde(default)]
    pub below: Option<Bound>,
}

/// A column holds these values only. Null passes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// This column (text, a whole number, a bool or a date) holds the listed values only; null passes.
    pub accepted: String,
    /// The values; dates are written `YYYY-MM-DD`.
    #[schemars(length(min = 1), with = "Vec<AnyScalar>")]
    pub values: Vec<Value>,
}

/// Every text of a column matches a regular expression as a whole. Null passes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The whole text in this column matches `regex`; null passes.
    pub pattern: String,
    /// A regular expression in the syntax of Rust's `regex` crate (like RE2: no look-around, no references back).
    #[schemars(length(min = 1))]
    pub regex: String,
}

/// A condition that every row satisfies. A row for which it is null passes, as in SQL's CHECK.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// A condition in SQL that every row satisfies; where it is null, the row passes.
    #[schemars(length(min = 1))]
    pub sql: String,
}

/// Every value of a column is among those of a column of another table. Null passes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// Every value of this column is found in the other table; null passes.
    pub references: String,
    /// The other table and its column: `products.product_id`, `segments.profiles.segment`.
    #[serde(rename = "in")]
    #[schemars(regex(pattern = r"^[^.]+\.([^.]+\.)?[^.]+$"), extend("x-expected" = "a table and its column, such as `products.product_id`"))]
    pub within: String,
}

/// The newest value of a date or time is not too old at the run date's midnight.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// The newest value of this date or time is at most `max_age` before the run date's midnight (UTC).
    pub freshness: String,
    /// The greatest age, such as `2d`.
    pub max_age: Span,
}

/// How many rows there are. Rows that were set aside, or have no event time, do not count.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// How many rows there are, without those that were set aside.
    pub rows: RowBounds,
}

/// Bounds of a number of rows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowBounds {
    /// At least so many.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub min: Option<u64>,
    /// At most so many.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub max: Option<u64>,
    /// The number differs by at most this share from that of the last run for an earlier run date: 0.5 allows half
    /// as many to half as many again. Without such a run the check passes.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub change_max: Option<f64>,
}

/// The columns of a stage's output with their types, known and compared before anything runs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The columns that the output must have, with their types; without a `?` they are never null.
    #[schemars(with = "IndexMap<String, TypeName>", extend("minProperties" = 1))]
    pub columns: IndexMap<String, String>,
    /// What happens when the output has further columns.
    #[serde(default)]
    pub extra_columns: Tolerance,
    /// What happens when the columns stand in another order.
    #[serde(default)]
    pub reordered_columns: Tolerance,
}

impl References {
    /// `products.product_id` is the column `product_id` of `products`.
    pub fn table_and_column(&self) -> Option<(&str, &str)> {
        self.within.rsplit_once('.')
    }
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Bound {
    Integer(i64),
    Number(f64),
    /// Its midnight, UTC.
    Day(NaiveDate),
}

impl TryFrom<Value> for Bound {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let bound = match &value {
            Value::Number(number) => number.as_i64().map(Bound::Integer).or_else(|| number.as_f64().map(Bound::Number)),
            Value::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Bound::Day),
            _ => None,
        };
        bound.ok_or_else(|| format!("expected a number or a date, found {value}"))
    }
}

impl JsonSchema for Bound {
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "type": "string", "format": "date" }] })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Integer(number) => number.fmt(formatter),
            Bound::Number(number) => number.fmt(formatter),
            Bound::Day(day) => day.fmt(formatter),
        }
    }
}

/// A text, a number or a truth value.
struct AnyScalar;

impl JsonSchema for AnyScalar {
    fn schema_name() -> Cow<'static, str> {
        "AnyScalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}
