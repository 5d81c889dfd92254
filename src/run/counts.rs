//! How many rows each table had, by run date: what `change_max` compares with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;

use super::state::{State, read, write};
use crate::storage::StorageError;

/// Rows by port.
pub type Counts = BTreeMap<String, u64>;

impl State {
    fn history(&self, node: &str) -> PathBuf {
        self.all_counts().join(node)
    }

    pub(super) fn all_counts(&self) -> PathBuf {
        self.root.join("state").join("rows").join(&self.pipeline)
    }

    /// Records the rows of a node's tables; the last execution for a run date counts.
    pub fn record_rows(&self, node: &str, run_date: NaiveDate, counts: &Counts) -> Result<(), StorageError> {
        let file = self.history(node).join(format!("{run_date}.json"));
        if read::<Counts>(&file).as_ref() == Some(counts) {
            return Ok(());
        }
        write(&file, counts)
    }

    /// The rows of the newest execution for a run date strictly before this one.
    pub fn earlier_rows(&self, node: &str, run_date: NaiveDate) -> Option<(NaiveDate, Counts)> {
        let entries = std::fs::read_dir(self.history(node)).into_iter().flatten().flatten();
        let newest = entries
            .filter_map(|entry| {
                let name = entry.file_name();
                name.to_str()?.strip_suffix(".json")?.parse::<NaiveDate>().ok().filter(|day| *day < run_date)
            })
            .max()?;
        Some((newest, read(&self.history(node).join(format!("{newest}.json")))?))
    }
}
