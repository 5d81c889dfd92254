//! A fitted model as an artifact: open files, a signature, a profile of what it was fitted on.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contract::Failure;
use crate::metrics::profile::ColumnProfile;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The run date that it was fitted for.
    pub run_date: NaiveDate,
    pub signature: Signature,
    /// File name to content; JSON, or Parquet for large tables.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a run does with a stage's model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Fits, evaluates and applies the model of this night.
    #[default]
    FitApply,
    /// Fits and evaluates; the output of one row an entity has no rows.
    Fit,
    /// Applies the newest model of an earlier run date, which must have been fitted with the same
    /// parameters.
    Apply,
}

/// What a model takes and gives, and what it was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    pub kind: String,
    pub inputs: Vec<Field>,
    pub outputs: Vec<Field>,
    /// The distribution of each input at fitting time, to measure drift against.
    pub profile: Vec<ColumnProfile>,
    /// Rows that the served model was fitted on.
    pub rows: usize,
    /// The parameters it was fitted with.
    pub parameters: serde_json::Value,
}

/// A named, typed value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    #[serde(rename = "type")]
    pub dtype: String,
}

impl Field {
    pub fn new(name: impl Into<String>, dtype: impl Into<String>) -> Field {
        Field { name: name.into(), dtype: dtype.into() }
    }
}

impl Model {
    /// The name of the main file.
    pub const MAIN: &'static str = "model.json";

    /// A model whose main file is this value as JSON.
    pub fn new<T: Serialize>(run_date: NaiveDate, signature: Signature, main: &T) -> Result<Model, Failure> {
        let json = serde_json::to_vec_pretty(main).map_err(|error| Failure::bug(error.to_string()))?;
        Ok(Model { run_date, signature, files: BTreeMap::from([(Model::MAIN.to_owned(), json)]) })
    }

    /// Reads the main file back.
    pub fn main<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let json = self.files.get(Model::MAIN).map(Vec::as_slice).unwrap_or_default();
        serde_json::from_slice(json)
            .map_err(|error| Failure::data(format!("the earlier model cannot be read: {error}")))
    }

    /// `<run date>-<8 hexadecimal digits of the content>`: the same model has the same version.
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        for (name, content) in &self.files {
            hash.update(name.as_bytes());
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        }
        let digest = hash.finalize();
        let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digits}", self.run_date)
    }
}
