//! The publish protocol under faults, crashes and races.

mod audit;
mod faults;
mod faulty;
mod overtaking;
mod protocol;
mod race;
mod stopping;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{NaiveDate, TimeZone, Utc};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::dataset::Dataset;
use super::upload::hexadecimal;
use super::*;

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2011, 12, 10).unwrap()
}

fn within(store: Arc<dyn ObjectStore>) -> Location {
    Location::within(store, "warehouse/scores", "memory:scores")
}

fn local(dir: &TempDir) -> Location {
    Location::parse("warehouse/scores Ü", dir.path()).unwrap()
}

/// A request for `contents.len()` files with these contents; the directory has to outlive it.
fn request(to: &Location, run_id: &str, contents: &[&str]) -> (Request, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let files = contents.iter().enumerate().map(|(index, content)| {
        let path = dir.path().join(index.to_string());
        std::fs::write(&path, content).unwrap();
        NewFile { path, rows: content.len() as u64 }
    });
    let request = Request {
        to: to.clone(),
        run_date: date(),
        run_id: run_id.to_owned(),
        key: contents.concat(),
        created_at: Utc.timestamp_opt(1_323_475_200, 0).unwrap(),
        schema: vec![serde_json::json!({"name": "x", "type": "int64"})],
        load: None,
        files: files.collect(),
        again: true,
        stop: Stop::when(|| false),
    };
    (request, dir)
}

async fn put(to: &Location, run_id: &str, contents: &[&str]) -> Result<Published, StorageError> {
    let (request, _dir) = request(to, run_id, contents);
    publish(&request).await
}

/// What a reader through the newest commit sees, every file checked against size and digest.
async fn read_newest(to: &Location) -> Option<Vec<String>> {
    let dataset = Dataset::open(to).unwrap();
    let commit = newest(to, Some(date())).await.unwrap()?;
    let mut contents = Vec::new();
    for file in &commit.files {
        let bytes = dataset.get(&file.path).await.unwrap().expect("a committed file exists");
        assert_eq!(bytes.len() as u64, file.bytes);
        assert_eq!(hexadecimal(Sha256::new_with_prefix(&bytes)), file.sha256);
        contents.push(String::from_utf8(bytes).unwrap());
    }
    Some(contents)
}

/// Who waits for `_SUCCESS` and then takes every Parquet file must see exactly the newest version.
async fn assert_success_is_honest(to: &Location) {
    let dataset = Dataset::open(to).unwrap();
    if dataset.get(&names::success(date())).await.unwrap().is_none() {
        return;
    }
    let commit = newest(to, Some(date())).await.unwrap().expect("_SUCCESS without a commit");
    assert_eq!(visible(&dataset).await, commit.files.iter().map(|f| f.path.clone()).collect());
}

async fn visible(dataset: &Dataset) -> BTreeSet<String> {
    let found = dataset.list(&names::partition(date())).await.unwrap();
    let names = found.into_iter().map(|(name, _)| name);
    names.filter(|name| name.ends_with(".parquet")).collect()
}

async fn assert_whole(to: &Location) {
    let commit = newest(to, Some(date())).await.unwrap().unwrap();
    assert_eq!(verify(to, &commit).await.unwrap(), State::Whole);
    assert_success_is_honest(to).await;
}

fn memory() -> Location {
    within(Arc::new(InMemory::new()))
}
