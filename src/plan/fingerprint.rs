//! The two hashes: of a definition (what the author wrote) and of an execution (what decides
//! whether anything would come out differently).

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 as 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of a part of the pipeline as written, before variables are filled in.
pub fn definition_hash(definition: &serde_json::Value) -> String {
    digest(definition.to_string().as_bytes())
}

/// Everything that decides what a node gives. Two executions with equal parts give equal files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyParts {
    /// The program's version.
    pub version: String,
    pub kind: String,
    /// Rendered parameters, without secrets.
    pub parameters: serde_json::Value,
    pub run_date: NaiveDate,
    pub seed: u64,
    /// What feeds it, by port and place in the list: its name and its key.
    pub inputs: BTreeMap<String, (String, String)>,
    /// Identities of source files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The version of an earlier model that is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The rows of the last run for an earlier run date, where a check compares with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_rows: Option<String>,
    /// What tells the key of pseudonyms from others, where it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonyms: Option<String>,
}

/// The hash of [`KeyParts`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub String);

impl KeyParts {
    pub fn key(&self) -> Key {
        // Struct fields and BTreeMap keys have a fixed order, so the text is canonical.
        Key(digest(serde_json::to_string(self).unwrap_or_default().as_bytes()))
    }

    /// Why this execution differs from an earlier one, in words; `None` if it does not.
    pub fn difference(&self, earlier: &KeyParts) -> Option<String> {
        if self.version != earlier.version {
            return Some(format!("the program's version changed from {}", earlier.version));
        }
        if self.kind != earlier.kind {
            return Some(format!("its kind changed from {}", earlier.kind));
        }
        if self.run_date != earlier.run_date {
            return Some(format!("the run date changed from {}", earlier.run_date));
        }
        if self.seed != earlier.seed {
            return Some("the seed changed".to_owned());
        }
        if self.parameters != earlier.parameters {
            return Some("its definition changed".to_owned());
        }
        if self.files != earlier.files {
            let is_query = self.files.iter().any(|file| file.starts_with("query "));
            return Some(if is_query { "the rows of its query changed" } else { "its files changed" }.to_owned());
        }
        if self.model != earlier.model {
            return Some("the model it applies changed".to_owned());
        }
        if self.pseudonyms != earlier.pseudonyms {
            return Some("the key of its pseudonyms changed".to_owned());
        }
        if self.earlier_rows != earlier.earlier_rows {
            return Some("the number of rows that it is compared with changed".to_owned());
        }
        let changed = self.inputs.iter().find(|(port, feed)| earlier.inputs.get(*port) != Some(feed));
        if let Some((_, (name, _))) = changed {
            return Some(format!("its input {name} changed"));
        }
        (self.inputs.len() != earlier.inputs.len()).then(|| "its inputs changed".to_owned())
    }
}

impl Key {
    /// The first 16 digits: enough to name a directory.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}
