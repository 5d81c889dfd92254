//! The commit object: which files are one version of a partition.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::load::Load;

/// The layout this program writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

/// One version of one partition, as `_commits/<run_date>/<sequence>.json` and `_manifest.json` hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub version: u32,
    pub run_id: String,
    pub run_date: NaiveDate,
    /// From 1, per date.
    pub sequence: u64,
    /// The caller's key of what was published.
    pub key: String,
    pub created_at: DateTime<Utc>,
    pub schema: Vec<Value>,
    pub files: Vec<CommittedFile>,
    /// Files of the version before, which this one deletes.
    pub replaces: Vec<String>,
    /// How warehouses take it in, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
}

/// A data file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedFile {
    /// Relative to the dataset's base.
    pub path: String,
    pub bytes: u64,
    pub rows: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl Commit {
    /// The rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub(super) fn names(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }
}
