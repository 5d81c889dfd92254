//! One try at the next sequence, up to and including the commit.

use std::time::Duration;

use object_store::PutMode;

use super::check::{arrived, check};
use super::commit::{Commit, VERSION};
use super::dataset::Dataset;
use super::finish::finish;
use super::names;
use super::request::Request;
use super::upload::{Staged, stage};
use crate::storage::{Kind, StorageError};

/// Tries of the commit while its fate is unknown.
const COMMIT_TRIES: u32 = 4;
/// Before the second try; doubled before each further one.
const COMMIT_DELAY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 200 });

pub(super) struct Attempt<'a> {
    dataset: &'a Dataset,
    commit: Commit,
    request: &'a Request,
}

/// How a try failed, which decides whether its files may be removed.
enum Failure {
    /// The commit is certainly not there.
    Certain(StorageError),
    /// The commit may be there, or still arrive: its files have to stay.
    Unknown(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Certain(error)
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn new(dataset: &'a Dataset, request: &'a Request, before: Option<Commit>) -> Self {
        let sequence = before.as_ref().map_or(0, |commit| commit.sequence) + 1;
        let replaced = before.into_iter().flat_map(|commit| commit.files);
        let commit = Commit {
            version: VERSION,
            run_id: request.run_id.clone(),
            run_date: request.run_date,
            sequence,
            key: request.key.clone(),
            created_at: request.created_at,
            schema: request.schema.clone(),
            files: Vec::new(),
            replaces: replaced.map(|file| file.path).collect(),
            load: request.load.clone(),
        };
        Self { dataset, commit, request }
    }

    /// Uploads, checks and commits. What a failed try wrote is removed if it is certain that it failed.
    pub(super) async fn run(mut self) -> Result<Commit, StorageError> {
        let mut staged = Vec::new();
        let result = match self.stage(&mut staged).await {
            Ok(()) => self.expose_and_commit(&mut staged).await,
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(()) => Ok(self.commit),
            Err(Failure::Unknown(error)) => Err(error),
            Err(Failure::Certain(error)) => {
                let superseded = self.withdraw(staged).await;
                let lost = superseded && error.kind() != Kind::Conflict;
                Err(if lost { self.conflict() } else { error })
            }
        }
    }

    async fn stage(&mut self, staged: &mut Vec<Staged>) -> Result<(), StorageError> {
        let Commit { run_date, sequence, run_id, .. } = &self.commit;
        for (index, source) in self.request.files.iter().enumerate() {
            let extension = source.path.extension().and_then(|extension| extension.to_str()).unwrap_or("parquet");
            let name = names::part(*run_date, index, *sequence, run_id, extension);
            staged.push(stage(self.dataset, name, source, &self.request.stop).await?);
        }
        self.commit.files = staged.iter().map(|staged| staged.file.clone()).collect();
        Ok(())
    }

    async fn expose_and_commit(&self, staged: &mut [Staged]) -> Result<(), Failure> {
        let date = self.commit.run_date;
        let stop = &self.request.stop;
        if self.superseded().await? {
            return Err(self.conflict().into());
        }
        stop.check(&self.dataset.to)?;
        self.dataset.delete(&names::success(date)).await?;
        for staged in staged {
            if let Err(error) = staged.upload.complete().await
                && !arrived(self.dataset, &staged.file).await
            {
                return Err(StorageError::store("write", self.dataset.to.join(&staged.file.path), &error).into());
            }
        }
        // Once more: the run before may have been slow to write its own, and now it can see our files.
        self.dataset.delete(&names::success(date)).await?;
        for file in &self.commit.files {
            check(self.dataset, file).await?;
        }
        stop.check(&self.dataset.to)?;
        put_commit(self.dataset, &self.commit, || stop.check(&self.dataset.to).is_err()).await
    }

    async fn superseded(&self) -> Result<bool, StorageError> {
        let newest = self.dataset.newest_sequence(self.commit.run_date).await?;
        Ok(newest >= Some(self.commit.sequence))
    }

    fn conflict(&self) -> StorageError {
        conflict(self.dataset, &self.commit)
    }

    /// Removes what this try wrote and gives the standing version its `_SUCCESS` back. Says whether another run
    /// was faster. Errors are dropped: the one that led here is the one to tell, and the next run cleans up.
    async fn withdraw(&self, staged: Vec<Staged>) -> bool {
        let newest = self.dataset.newest(self.commit.run_date).await;
        for Staged { mut upload, file } in staged {
            let _ = upload.abort().await;
            // Unless the standing version is known not to need it (two processes of one run id), it stays.
            if matches!(&newest, Ok(newest) if !newest.as_ref().is_some_and(|it| it.names(&file.path))) {
                let _ = self.dataset.delete(&file.path).await;
            }
        }
        let Ok(Some(newest)) = newest else {
            return false;
        };
        let _ = finish(self.dataset, &newest).await;
        newest.sequence >= self.commit.sequence
    }
}

fn conflict(dataset: &Dataset, commit: &Commit) -> StorageError {
    let detail = "another run published this date in the meantime";
    dataset.error(Kind::Conflict, &names::partition(commit.run_date), detail)
}

/// Puts a commit create-only, for callers whose files were there before.
pub(super) async fn recommit(dataset: &Dataset, commit: &Commit) -> Result<(), StorageError> {
    put_commit(dataset, commit, || false).await.map_err(|failure| match failure {
        Failure::Certain(error) | Failure::Unknown(error) => error,
    })
}

/// Puts the commit create-only. After an error it is read back, since the error may have come after the success;
/// while its fate is unknown the put is repeated, which is safe because only one can win. Once the run is to stop it
/// is not repeated.
async fn put_commit(dataset: &Dataset, commit: &Commit, stopped: impl Fn() -> bool) -> Result<(), Failure> {
    let name = names::commit(commit.run_date, commit.sequence);
    let mut delay = COMMIT_DELAY;
    let mut tries = COMMIT_TRIES;
    // A put that was not answered may still arrive, whatever becomes of a later one.
    let mut is_under_way = false;
    loop {
        let Err(error) = dataset.put_json(&name, commit, PutMode::Create).await else {
            return Ok(());
        };
        match dataset.read(commit.run_date, commit.sequence).await {
            Ok(Some(there)) if is_same(&there, commit) => return Ok(()),
            Ok(Some(_)) => return Err(conflict(dataset, commit).into()),
            Ok(None) if is_final(error.kind()) && !is_under_way => return Err(error.into()),
            _ => is_under_way = true,
        }
        tries -= 1;
        if tries == 0 || stopped() {
            let detail = format!("it may have been published, run again: {}", error.detail);
            return Err(Failure::Unknown(dataset.error(Kind::Transient, &name, detail)));
        }
        tokio::time::sleep(delay).await;
        delay *= 2;
    }
}

fn is_same(there: &Commit, ours: &Commit) -> bool {
    there.run_id == ours.run_id && there.files == ours.files
}

/// Errors by which a store says that it did nothing.
fn is_final(kind: Kind) -> bool {
    use Kind::{BucketMissing, Denied, DiskFull, Invalid, Permission, ReadOnly, Refused};
    matches!(kind, Permission | Denied | BucketMissing | Refused | DiskFull | ReadOnly | Invalid)
}
