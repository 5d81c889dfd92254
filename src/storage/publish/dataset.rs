//! A dataset's objects, by their names relative to its base.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::Serialize;

use super::commit::{Commit, VERSION};
use super::names;
use crate::storage::{Kind, Location, StorageError, local};

/// Commits read at the same time.
const CONCURRENCY: usize = 16;

pub(super) struct Dataset {
    pub(super) to: Location,
    pub(super) store: Arc<dyn ObjectStore>,
}

impl Dataset {
    pub(super) fn open(to: &Location) -> Result<Self, StorageError> {
        let (store, _) = to.store()?;
        Ok(Self { to: to.clone(), store })
    }

    pub(super) fn error(&self, kind: Kind, name: &str, detail: impl ToString) -> StorageError {
        StorageError::new(kind, "publish to", self.to.join(name), detail.to_string())
    }

    pub(super) fn path(&self, name: &str) -> Result<Path, StorageError> {
        Ok(self.to.join(name).store()?.1)
    }

    /// What is below a name, by its path relative to the base; nothing if there is no such directory.
    pub(super) async fn list(&self, name: &str) -> Result<Vec<(String, ObjectMeta)>, StorageError> {
        let prefix = self.path(name)?;
        let found: Result<Vec<_>, _> = self.store.list(Some(&prefix)).try_collect().await;
        let found = found.map_err(|error| StorageError::store("list", self.to.join(name), &error))?;
        let relative = |meta: ObjectMeta| {
            let path = meta.location.as_ref().strip_prefix(self.to.path())?;
            Some((path.trim_start_matches('/').to_owned(), meta))
        };
        Ok(found.into_iter().filter_map(relative).collect())
    }

    pub(super) async fn put_json(&self, name: &str, value: &impl Serialize, mode: PutMode) -> Result<(), StorageError> {
        let mut json = serde_json::to_vec_pretty(value).map_err(|error| self.error(Kind::Other, name, error))?;
        json.push(b'\n');
        self.put(name, json, mode).await
    }

    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>, mode: PutMode) -> Result<(), StorageError> {
        let path = self.path(name)?;
        let put = self.store.put_opts(&path, bytes.into(), PutOptions::from(mode)).await;
        put.map_err(|error| StorageError::store("write", self.to.join(name), &error)).map(drop)
    }

    /// Deletes an object; one that is already gone is no error.
    pub(super) async fn delete(&self, name: &str) -> Result<(), StorageError> {
        let deleted = self.store.delete(&self.path(name)?).await;
        let error = deleted.map_err(|error| StorageError::store("delete", self.to.join(name), &error));
        match error {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what a run that died was staging, unless a living one is by now.
    pub(super) async fn delete_litter(&self, name: &str) -> Result<(), StorageError> {
        let location = self.to.join(name);
        let Some(path) = location.local_path() else { return self.delete(name).await };
        let removed = tokio::task::spawn_blocking(move || local::remove_abandoned(&path)).await;
        let removed = removed.map_err(io::Error::other).and_then(|removed| removed);
        removed.map(drop).map_err(|error| StorageError::io("delete", location, &error))
    }

    /// A small object, whole; `None` if it does not exist.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let failed = |error| StorageError::store("read", self.to.join(name), &error);
        let bytes = match self.store.get(&self.path(name)?).await.map_err(failed) {
            Ok(object) => object.bytes().await.map_err(failed),
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The size of an object in bytes; `None` if it does not exist.
    pub(super) async fn size(&self, name: &str) -> Result<Option<u64>, StorageError> {
        let found = self.store.head(&self.path(name)?).await;
        match found.map_err(|error| StorageError::store("read", self.to.join(name), &error)) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Marks the location as a dataset before its first data file appears, so that a crash right then leaves
    /// nothing that a reader would take for data.
    pub(super) async fn mark(&self) -> Result<(), StorageError> {
        let marker = serde_json::json!({"format": "patronage dataset", "version": VERSION});
        self.put_json(names::MARKER, &marker, PutMode::Overwrite).await
    }

    pub(super) async fn read(&self, date: NaiveDate, sequence: u64) -> Result<Option<Commit>, StorageError> {
        let name = names::commit(date, sequence);
        let Some(bytes) = self.get(&name).await? else {
            return Ok(None);
        };
        let corrupt = |detail: String| StorageError::new(Kind::Corrupt, "read", self.to.join(&name), detail);
        let commit: Commit =
            serde_json::from_slice(&bytes).map_err(|error| corrupt(format!("it is not a commit: {error}")))?;
        if commit.version > VERSION {
            return Err(corrupt("it was written by a newer version of this program".to_owned()));
        }
        if (commit.run_date, commit.sequence) != (date, sequence) {
            return Err(corrupt("it names another date or sequence than its file".to_owned()));
        }
        Ok(Some(commit))
    }

    pub(super) async fn newest(&self, date: NaiveDate) -> Result<Option<Commit>, StorageError> {
        match self.newest_sequence(date).await? {
            Some(sequence) => self.read(date, sequence).await,
            None => Ok(None),
        }
    }

    pub(super) async fn newest_sequence(&self, date: NaiveDate) -> Result<Option<u64>, StorageError> {
        let found = self.list(&names::commits(date)).await?;
        let sequences = found.iter().filter_map(|(name, _)| names::parse_commit(name));
        Ok(sequences.map(|(_, sequence)| sequence).max())
    }

    /// The newest sequence of every date; `None` if nothing here says that this is a dataset.
    pub(super) async fn sequences(&self) -> Result<Option<BTreeMap<NaiveDate, u64>>, StorageError> {
        let found = self.list(names::COMMITS).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut newest = BTreeMap::new();
        for (date, sequence) in found.iter().filter_map(|(name, _)| names::parse_commit(name)) {
            let entry = newest.entry(date).or_insert(sequence);
            *entry = sequence.max(*entry);
        }
        Ok(Some(newest))
    }

    pub(super) async fn newest_of_each_date(&self) -> Result<Option<Vec<Commit>>, StorageError> {
        let Some(sequences) = self.sequences().await? else {
            return Ok(None);
        };
        let reads: Vec<_> = sequences.into_iter().map(|(date, sequence)| self.read(date, sequence)).collect();
        let commits: Vec<Option<Commit>> = stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
        Ok(Some(commits.into_iter().flatten().collect()))
    }
}
