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
    /// Whether it has a report; if not, it is still running or was killed.
    pub finished: bool,
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
/// What is no run, or of a version whose manifest cannot be read, is passed over. Each is read when it is asked for.
pub fn newest_first<'a>(root: &Path, pipeline: Option<&'a str>) -> impl Iterator<Item = PastRun> + 'a {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut directories: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // Named by ids that begin with their time (UUID version 7).
    directories.sort_unstable_by(|a, b| b.cmp(a));
    let runs = directories.into_iter().filter_map(|directory| PastRun::read(&directory));
    runs.filter(move |run| pipeline.is_none_or(|pipeline| run.pipeline == pipeline))
}

/// The run to compare a run of this date with: of those of the newest earlier run date that
/// succeeded, the one that started last. `runs` as [`newest_first`] gives them, of one pipeline.
///
/// No more is read than it takes: a run is not of a later date than that on which it started, so once the search is
/// back at the date of what was found, nothing better can follow.
pub fn before(runs: impl Iterator<Item = PastRun>, run_date: NaiveDate) -> Option<PastRun> {
    let mut found: Option<PastRun> = None;
    for run in runs {
        if let Some(found) = &found
            && (found.run_date.succ_opt() == Some(run_date) || run.started.date_naive() <= found.run_date)
        {
            break;
        }
        let newer = found.as_ref().is_none_or(|found| run.run_date > found.run_date);
        if run.run_date < run_date && newer && run.succeeded() {
            found = Some(run);
        }
    }
    found
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
            // The report is written last.
            finished: directory.join("report.json").is_file(),
        })
    }

    /// Whether it finished, and nothing of it failed or was stopped.
    pub fn succeeded(&self) -> bool {
        let good = |result: &NodeStatus| matches!(result.status.as_str(), "success" | "no-op" | "pass" | "warn");
        let results: Option<Results> = read(&self.directory.join("run_results.json"));
        self.finished && results.is_some_and(|Results { results }| results.iter().all(good))
    }

    /// Its report; none if it did not finish, or was made by a version whose reports differ.
    pub fn report(&self) -> Option<Report> {
        read(&self.directory.join("report.json"))
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
        let runs: Vec<PastRun> = newest_first(root.path(), Some("shop")).collect();
        assert_eq!(ids(&runs), ["c", "b", "a"]);
        let ended: Vec<(bool, bool)> = runs.iter().map(|run| (run.finished, run.succeeded())).collect();
        assert_eq!(ended, [(false, false), (true, true), (true, false)]);
        assert_eq!(newest_first(root.path(), Some("other")).count(), 0);
        assert_eq!(newest_first(&root.path().join("nowhere"), None).count(), 0);
    }

    #[test]
    fn the_run_before_is_the_newest_success_of_an_earlier_date() {
        let root = tempfile::tempdir().unwrap();
        for (run_id, run_date, hour, status) in [
            ("1-first", "2024-06-01", 1, "success"),
            ("2-broken", "2024-06-02", 2, "error"),
            ("3-own", "2024-06-03", 3, "success"),
            ("5-again", "2024-06-01", 5, "no-op"),
            ("6-backfill", "2024-05-01", 6, "success"),
        ] {
            leave(root.path(), run_id, run_date, &format!("2024-06-09T0{hour}:00:00Z"), Some(status));
        }
        let found = |date: &str| before(newest_first(root.path(), None), date.parse().unwrap()).map(|run| run.run_id);
        assert_eq!(found("2024-06-03").as_deref(), Some("5-again"));
        assert_eq!(found("2024-06-01").as_deref(), Some("6-backfill"));
        assert_eq!(found("2024-05-01"), None);
    }

    #[test]
    fn no_more_runs_are_read_than_it_takes() {
        let root = tempfile::tempdir().unwrap();
        let read = |run_date: &str| {
            let mut read = 0;
            let runs = newest_first(root.path(), None).inspect(|_| read += 1);
            let found = before(runs, run_date.parse().unwrap()).map(|run| run.run_id);
            (found, read)
        };
        for day in 1..=28 {
            let date = format!("2024-06-{day:02}");
            leave(root.path(), &date, &date, &format!("{date}T04:00:00Z"), Some("success"));
        }
        // The run of the day before, and one more to see that it starts too early to be of a later date.
        assert_eq!(read("2024-06-29"), (Some("2024-06-28".to_owned()), 2));
        assert_eq!(read("2024-07-28"), (Some("2024-06-28".to_owned()), 2));
        assert_eq!(read("2024-06-11"), (Some("2024-06-10".to_owned()), 20));
    }
}
