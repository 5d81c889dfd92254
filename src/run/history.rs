//! The runs that left a directory of artifacts, and which of them someone means.

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use crate::report::Report;

/// A run that left its artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    pub directory: PathBuf,
    pub run_id: String,
    pub pipeline: String,
    pub run_date: NaiveDate,
    pub environment: String,
    pub started: DateTime<Utc>,
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// Something failed or was stopped; the report says what.
    Failed,
    /// It has no report: it is still running, or was killed.
    Unfinished,
}

/// The part of `manifest.json` that says which run it is of.
#[derive(Deserialize)]
struct Manifest {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    run_id: String,
    started_at: DateTime<Utc>,
    pipeline: String,
    run_date: NaiveDate,
    environment: String,
}

/// The part of `run_results.json` that says how the run ended.
#[derive(Deserialize)]
struct Results {
    results: Vec<NodeStatus>,
}

#[derive(Deserialize)]
struct NodeStatus {
    status: String,
}

/// Every run below a directory of artifacts, the newest start first; of one pipeline if it is named.
/// What is no run, or of a version whose manifest cannot be read, is passed over.
pub fn list(root: &Path, pipeline: Option<&str>) -> Vec<PastRun> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut runs: Vec<PastRun> = entries.filter_map(|entry| PastRun::read(&entry.path())).collect();
    runs.retain(|run| pipeline.is_none_or(|pipeline| run.pipeline == pipeline));
    runs.sort_unstable_by(|a, b| (b.started, &b.run_id).cmp(&(a.started, &a.run_id)));
    runs
}

/// The run to compare a run of this date with: of those of the newest earlier run date that
/// succeeded, the one that started last. `runs` as [`list`] gives them, of one pipeline.
pub fn before(runs: &[PastRun], run_date: NaiveDate) -> Option<&PastRun> {
    let earlier = runs.iter().filter(|run| run.run_date < run_date && run.outcome == Outcome::Success);
    // The first of equals, which started last: `max_by_key` would take the last.
    earlier.rev().max_by_key(|run| run.run_date)
}

impl PastRun {
    /// The run whose artifacts are in this directory, if it is one.
    pub fn read(directory: &Path) -> Option<PastRun> {
        let Manifest { metadata } = read(&directory.join("manifest.json"))?;
        Some(PastRun {
            directory: directory.to_owned(),
            run_id: metadata.run_id,
            pipeline: metadata.pipeline,
            run_date: metadata.run_date,
            environment: metadata.environment,
            started: metadata.started_at,
            outcome: outcome(directory),
        })
    }

    /// Its report; none if it did not finish, or was made by a version whose reports differ.
    pub fn report(&self) -> Option<Report> {
        read(&self.directory.join("report.json"))
    }
}

fn outcome(directory: &Path) -> Outcome {
    // The report is written last.
    if !directory.join("report.json").is_file() {
        return Outcome::Unfinished;
    }
    let Some(Results { results }) = read(&directory.join("run_results.json")) else { return Outcome::Unfinished };
    match results.iter().all(|result| matches!(result.status.as_str(), "success" | "no-op" | "pass" | "warn")) {
        true => Outcome::Success,
        false => Outcome::Failed,
    }
}

pub(super) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run as far as its history goes; `status` is that of its only node.
    fn leave(root: &Path, run_id: &str, run_date: &str, started: &str, status: Option<&str>) {
        let directory = root.join(run_id);
        std::fs::create_dir_all(&directory).unwrap();
        let manifest = serde_json::json!({
            "metadata": {
                "patronage_version": "0.1.0", "run_id": run_id, "started_at": started, "pipeline": "shop",
                "run_date": run_date, "environment": "local", "file": "pipeline.yaml",
            },
            "config": {}, "nodes": [],
        });
        std::fs::write(directory.join("manifest.json"), manifest.to_string()).unwrap();
        if let Some(status) = status {
            let results = serde_json::json!({ "results": [{ "status": status }] });
            std::fs::write(directory.join("run_results.json"), results.to_string()).unwrap();
            std::fs::write(directory.join("report.json"), "{}").unwrap();
        }
    }

    fn ids(runs: &[PastRun]) -> Vec<&str> {
        runs.iter().map(|run| run.run_id.as_str()).collect()
    }

    #[test]
    fn runs_are_listed_newest_first() {
        let root = tempfile::tempdir().unwrap();
        leave(root.path(), "b", "2024-06-02", "2024-06-02T04:00:00Z", Some("success"));
        leave(root.path(), "c", "2024-06-01", "2024-06-03T04:00:00Z", None);
        leave(root.path(), "a", "2024-06-01", "2024-06-01T04:00:00Z", Some("error"));
        std::fs::create_dir_all(root.path().join("tables")).unwrap();
        let runs = list(root.path(), Some("shop"));
        assert_eq!(ids(&runs), ["c", "b", "a"]);
        let outcomes: Vec<Outcome> = runs.iter().map(|run| run.outcome).collect();
        assert_eq!(outcomes, [Outcome::Unfinished, Outcome::Success, Outcome::Failed]);
        assert_eq!(list(root.path(), Some("other")), []);
        assert_eq!(list(&root.path().join("nowhere"), None), []);
    }

    #[test]
    fn the_run_before_is_the_newest_success_of_an_earlier_date() {
        let root = tempfile::tempdir().unwrap();
        for (run_id, run_date, hour, status) in [
            ("first", "2024-06-01", 1, "success"),
            ("again", "2024-06-01", 5, "no-op"),
            ("broken", "2024-06-02", 2, "error"),
            ("own", "2024-06-03", 3, "success"),
            ("backfill", "2024-05-01", 6, "success"),
        ] {
            leave(root.path(), run_id, run_date, &format!("2024-06-09T0{hour}:00:00Z"), Some(status));
        }
        let runs = list(root.path(), None);
        let found = |date: &str| before(&runs, date.parse().unwrap()).map(|run| run.run_id.as_str());
        assert_eq!(found("2024-06-03"), Some("again"));
        assert_eq!(found("2024-06-01"), Some("backfill"));
        assert_eq!(found("2024-05-01"), None);
    }
}
