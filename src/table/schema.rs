//! What is known of a table before any data is read.

use chrono::NaiveDate;
use polars::prelude::{DataType, Schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kinds::{parse_type, type_name};

/// The privacy class of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What a person did; the default.
    #[default]
    Behavioral,
    /// Says little alone, but much together with others: country, age, postcode.
    QuasiId,
    /// Needs special care by law or by custom.
    Sensitive,
    /// Names one person to those who have the key: what stands for a `direct_id` once it is pseudonymized.
    Pseudonym,
    /// Names one person: a customer number, an e-mail address.
    DirectId,
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Class::Behavioral => "behavioral",
            Class::QuasiId => "quasi_id",
            Class::Sensitive => "sensitive",
            Class::Pseudonym => "pseudonym",
            Class::DirectId => "direct_id",
        })
    }
}

impl Class {
    /// Whether it tells one person from all others, so that nothing general can be learned from it.
    pub fn names_one(self) -> bool {
        matches!(self, Class::DirectId | Class::Pseudonym)
    }
}

/// What a column is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    Plain,
    /// Known only after the horizon has passed; never a feature.
    Label { horizon_days: u32 },
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type", with = "dtype_name")]
    pub dtype: DataType,
    #[serde(default)]
    pub class: Class,
    #[serde(default)]
    pub role: Role,
    /// What it holds, a phrase for a reader of the data; empty where nobody has said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl Column {
    /// A column of class `behavioral` that is no label.
    pub fn new(name: impl Into<String>, dtype: DataType) -> Column {
        Column { name: name.into(), dtype, class: Class::default(), role: Role::default(), description: String::new() }
    }

    #[must_use]
    pub fn class(mut self, class: Class) -> Column {
        self.class = class;
        self
    }

    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Column {
        self.description = description.into();
        self
    }
}

/// The columns of a table, and what its rows stand for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableSchema {
    pub columns: Vec<Column>,
    /// The columns that identify a row; empty where none do.
    #[serde(default)]
    pub key: Vec<String>,
    /// The column that says when a row became known; no row looks past it.
    #[serde(default)]
    pub event_time: Option<String>,
    /// The moments of a table of snapshots, ascending; empty for other tables.
    #[serde(default)]
    pub snapshots: Vec<NaiveDate>,
    /// Declared never to change over time.
    #[serde(default, rename = "static")]
    pub fixed: bool,
}

impl TableSchema {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The column that names the entity: the first of the key.
    pub fn entity(&self) -> Option<&Column> {
        self.key.first().and_then(|name| self.column(name))
    }

    /// The same columns, for polars.
    pub fn to_polars(&self) -> Schema {
        self.columns.iter().map(|column| (column.name.as_str().into(), column.dtype.clone())).collect()
    }
}

mod dtype_name {
    use super::{DataType, parse_type, type_name};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(dtype: &DataType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&type_name(dtype))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DataType, D::Error> {
        let name = String::deserialize(deserializer)?;
        parse_type(&name).ok_or_else(|| D::Error::custom(format!("unknown type `{name}`")))
    }
}
