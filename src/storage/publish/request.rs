//! What a caller wants published.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use super::load::Load;
use crate::storage::{Kind, Location, StorageError};

/// One partition to publish.
#[derive(Debug, Clone)]
pub struct Request {
    /// The dataset's base.
    pub to: Location,
    pub run_date: NaiveDate,
    /// Unique to the run; letters, digits and `-`.
    pub run_id: String,
    /// What was published, opaque here; compared with [`super::Commit::key`] to skip what has not changed.
    pub key: String,
    pub created_at: DateTime<Utc>,
    /// One entry a column, opaque here.
    pub schema: Vec<Value>,
    /// How warehouses are to take it in.
    pub load: Option<Load>,
    /// In the order of the rows; may be empty.
    pub files: Vec<NewFile>,
    /// Publish even what the newest commit holds already, because its files are damaged.
    pub again: bool,
    /// Says when nothing may be published any more.
    pub stop: Stop,
}

/// Asked before each step towards a commit. A commit that has been sent is not called back.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Stops once `stopped` says so, which it may be asked from any thread.
    pub fn when(stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(stopped))
    }

    pub(super) fn check(&self, to: &Location) -> Result<(), StorageError> {
        if (self.0)() {
            return Err(StorageError::new(Kind::Stopped, "publish to", to, "the run was stopped"));
        }
        Ok(())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// A finished local file, whose name ends as the published one will. It stays the caller's to delete.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub path: PathBuf,
    pub rows: u64,
}

impl Request {
    pub(super) fn check(&self) -> Result<(), StorageError> {
        check_run_id(&self.to, &self.run_id)
    }
}

/// A run id becomes part of file names.
pub(super) fn check_run_id(to: &Location, run_id: &str) -> Result<(), StorageError> {
    let plain = run_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && !run_id.is_empty() {
        return Ok(());
    }
    let detail = format!("the run id `{run_id}` has characters other than letters, digits and `-`");
    Err(StorageError::new(Kind::Invalid, "publish to", to, detail))
}
