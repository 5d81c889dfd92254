//! A fitted model as an artifact: open files, a signature, a profile of what it was fitted on.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contract::{Failure, StageConfig};
use crate::metrics::profile::ColumnProfile;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The run date that it was fitted for.
    pub run_date: NaiveDate,
    pub signature: Signature,
    /// File name to content: the main file and the signature as JSON, large tables as Parquet.
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
    /// parameters. Those that only say what is served and how it is judged (a recommender's `top`,
    /// `exclude_seen`, `holdout` and the like) may differ.
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
    /// The parameters it was fitted with, as [`parameters`] gives them.
    pub parameters: serde_json::Value,
}

/// The parameters of a stage, defaults included, but for `mode`, which does not change what is fitted.
pub fn parameters<C: Serialize>(stage: &C) -> Result<serde_json::Value, Failure> {
    let mut parameters = serde_json::to_value(stage).map_err(|error| Failure::bug(error.to_string()))?;
    if let Some(parameters) = parameters.as_object_mut() {
        parameters.shift_remove("mode");
    }
    Ok(parameters)
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
    /// The name of the signature's file.
    pub const SIGNATURE: &'static str = "signature.json";

    /// A model whose main file is this value as JSON.
    pub fn new<T: Serialize>(run_date: NaiveDate, signature: Signature, main: &T) -> Result<Model, Failure> {
        let bug = |error: serde_json::Error| Failure::bug(error.to_string());
        let files = [
            (Model::MAIN.to_owned(), serde_json::to_vec_pretty(main).map_err(bug)?),
            (Model::SIGNATURE.to_owned(), serde_json::to_vec_pretty(&signature).map_err(bug)?),
        ];
        Ok(Model { run_date, signature, files: files.into() })
    }

    /// The model of an earlier run that a stage applies: of its kind, and fitted with its parameters but for
    /// those in `serving`, which say nothing of fitting.
    pub fn to_apply<C: StageConfig + Serialize>(
        earlier: Option<Model>,
        stage: &C,
        serving: &[&str],
    ) -> Result<Model, Failure> {
        let model = earlier.ok_or_else(|| Failure::bug("the earlier model was not handed over"))?;
        if model.signature.kind != C::KIND {
            let message = format!("the earlier model is of the kind `{}`, not `{}`", model.signature.kind, C::KIND);
            return Err(Failure::data(message));
        }
        let own = parameters(stage)?;
        // As text, since what stands in another order may mean something else.
        let text = |of: &serde_json::Value, name: &str| of.get(name).map(ToString::to_string);
        let names = [&own, &model.signature.parameters].into_iter().filter_map(|side| side.as_object());
        let mut other: Vec<&str> = names
            .flat_map(|side| side.keys().map(String::as_str))
            .filter(|name| !serving.contains(name) && text(&own, name) != text(&model.signature.parameters, name))
            .collect();
        let mut seen = HashSet::new();
        other.retain(|name| seen.insert(*name));
        if other.is_empty() {
            return Ok(model);
        }
        Err(Failure::data(format!(
            "the earlier model of {} was fitted with other `{}`; fit one with these first, with `mode: fit_apply`",
            model.run_date,
            other.join("`, `"),
        )))
    }

    /// Reads the main file back.
    pub fn main<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let json = self.files.get(Model::MAIN).map(Vec::as_slice).unwrap_or_default();
        serde_json::from_slice(json)
            .map_err(|error| Failure::data(format!("the earlier model cannot be read: {error}")))
    }

    /// `<run date>-<16 hexadecimal digits of the content, the signature included>`: the same model has the same
    /// version.
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        for (name, content) in &self.files {
            for part in [name.as_bytes(), content] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        let digest = hash.finalize();
        let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digits}", self.run_date)
    }
}
