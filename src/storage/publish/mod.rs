//! Atomic publishing of one `run_date=` partition of a dataset: all or nothing, whatever happens.
//!
//! ```text
//! <to>/_commits/_dataset.json                    marks a dataset, so that uncommitted files are never read
//! <to>/_commits/<run_date>/<sequence>.json       create-only: the truth
//! <to>/run_date=<run_date>/part-<n>-<sequence>-<run_id>.parquet, _manifest.json, _SUCCESS
//! ```
//!
//! A run aims at the sequence after the newest commit. It uploads its files invisibly (as unfinished multi-part
//! uploads), removes `_SUCCESS`, makes the files visible, checks them, and puts the commit create-only: that one
//! request is the publish. Then dead files are deleted and manifest and `_SUCCESS` are written.
//!
//! Which files are dead needs no clock: a data file names the sequence it was written for. Once commit *n* exists,
//! no run aiming at *n* or less can win, so whatever aims there and is not named by commit *n* is dead; what aims
//! higher may belong to a run that is still writing and is left alone.

mod attempt;
mod audit;
mod check;
mod commit;
mod dataset;
mod dictionary;
mod finish;
mod load;
mod names;
mod request;
#[cfg(test)]
mod tests;
mod upload;

pub use audit::{Audit, Fault, Finding, Inspection, audit, content_damage};
pub use commit::{Commit, CommittedFile};
pub use finish::{State, repair, verify};
pub use load::{Load, Loader};
pub use request::{NewFile, Request, Stop};
pub(super) use upload::hexadecimal;

use chrono::NaiveDate;

use super::{Kind, Location, StorageError};
use attempt::Attempt;
use dataset::Dataset;

/// What a publish achieved.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub commit: Commit,
    /// Whether `_SUCCESS` stands; if not, a later run has already begun to replace this version.
    pub finished: bool,
}

/// Publishes a partition: on success readers see exactly the given files.
///
/// # Errors
/// [`Kind::Conflict`] if another run published this date, or the same as this, in the meantime; the files of this run
/// are then gone. [`Kind::Transient`] with "may have been published" if the commit's fate is unknown. After any error
/// readers through the newest commit see the old version or the new, whole; publishing again, or [`repair`], heals
/// the rest.
pub async fn publish(request: &Request) -> Result<Published, StorageError> {
    request.check()?;
    let dataset = Dataset::open(&request.to)?;
    let before = dataset.newest(request.run_date).await?;
    if !request.again && before.as_ref().is_some_and(|commit| commit.key == request.key) {
        let detail = "another run published the same in the meantime";
        return Err(dataset.error(Kind::Conflict, &names::partition(request.run_date), detail));
    }
    if before.is_none() {
        dataset.mark().await?;
        for litter in finish::staged_litter(&dataset, names::COMMITS).await? {
            dataset.delete_litter(&litter).await?;
        }
    }
    let commit = Attempt::new(&dataset, request, before).run().await?;
    let finished = finish::finish(&dataset, &commit).await?;
    Ok(Published { commit, finished })
}

/// The newest commit of a date, or of the newest date that has one; `None` if nothing was ever published.
///
/// # Errors
/// [`Kind::Corrupt`] if the commit cannot be read as one.
pub async fn newest(to: &Location, run_date: Option<NaiveDate>) -> Result<Option<Commit>, StorageError> {
    let dataset = Dataset::open(to)?;
    if let Some(date) = run_date {
        return dataset.newest(date).await;
    }
    let sequences = dataset.sequences().await?.unwrap_or_default();
    match sequences.last_key_value() {
        Some((date, sequence)) => dataset.read(*date, *sequence).await,
        None => Ok(None),
    }
}

/// The newest commit of every date, oldest date first; `None` if the location is no published dataset.
///
/// # Errors
/// [`Kind::Corrupt`] if a commit cannot be read as one.
pub async fn newest_of_each_date(to: &Location) -> Result<Option<Vec<Commit>>, StorageError> {
    Dataset::open(to)?.newest_of_each_date().await
}
