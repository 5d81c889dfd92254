//! After the commit: cleaning, manifest and `_SUCCESS`; and the repair of what a crash left undone.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use object_store::{ObjectMeta, PutMode};

use super::attempt::recommit;
use super::commit::Commit;
use super::dataset::Dataset;
use super::names;
use super::request::check_run_id;
use crate::storage::{Kind, Location, StorageError};

/// Staging files of small objects live for a moment; after a day they are litter of a crash.
const LITTER_HOURS: i64 = 24;

/// What a partition looks like beside its newest commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Exactly one version, with manifest and `_SUCCESS`.
    Whole,
    /// The version is whole, but something else lies about or is missing: [`repair`] mends it.
    Unfinished,
    /// These files of the version are missing or have another size: publish again.
    Damaged(Vec<String>),
}

/// What is in a partition, sorted out.
#[derive(Default)]
struct Survey {
    /// Files of the commit that are missing or have another size.
    damaged: Vec<String>,
    /// What no run can want any more.
    dead: Vec<String>,
    /// Visible data files of a run aiming higher.
    rivals: bool,
    success: bool,
}

async fn survey(dataset: &Dataset, commit: &Commit) -> Result<Survey, StorageError> {
    let found = dataset.list(&names::partition(commit.run_date)).await?;
    let size = |path: &str| found.iter().find(|(name, _)| name == path).map(|(_, meta)| meta.size);
    let damaged = commit.files.iter().filter(|file| size(&file.path) != Some(file.bytes));
    let mut survey = Survey {
        damaged: damaged.map(|file| file.path.clone()).collect(),
        success: size(&names::success(commit.run_date)).is_some(),
        ..Survey::default()
    };
    for (path, meta) in found.iter().filter(|(path, _)| !commit.names(path)) {
        let name = path.rsplit('/').next().unwrap_or_default();
        match names::parse_part(name) {
            Some(part) if part.sequence <= commit.sequence => survey.dead.push(path.clone()),
            Some(part) => survey.rivals |= !part.staged,
            None if is_litter(name, meta) => survey.dead.push(path.clone()),
            None => {}
        }
    }
    Ok(survey)
}

fn is_litter(name: &str, meta: &ObjectMeta) -> bool {
    let age = Utc::now().signed_duration_since(meta.last_modified);
    name.starts_with('.') && name.ends_with(".tmp") && age > TimeDelta::hours(LITTER_HOURS)
}

/// Brings the partition to exactly this version. `false` if a later run has committed or is about to: then the
/// rest is that run's to do.
pub(super) async fn finish(dataset: &Dataset, commit: &Commit) -> Result<bool, StorageError> {
    let date = commit.run_date;
    let before = survey(dataset, commit).await?;
    if dataset.newest_sequence(date).await? > Some(commit.sequence) {
        return Ok(false);
    }
    if let Some(path) = before.damaged.first() {
        let detail = "the newest commit names it, but it is missing or has another size";
        return Err(dataset.error(Kind::Corrupt, path, detail));
    }
    for path in &before.dead {
        dataset.delete(path).await?;
    }
    if before.rivals {
        return Ok(false);
    }
    dataset.put_json(&names::manifest(date), commit, PutMode::Overwrite).await?;
    dataset.put(&names::success(date), Vec::new(), PutMode::Overwrite).await?;
    // A run that removed `_SUCCESS` before we wrote it shows its files by now, or will remove it again.
    let after = survey(dataset, commit).await?;
    if after.rivals {
        dataset.delete(&names::success(date)).await?;
    }
    Ok(!after.rivals)
}

/// Compares a partition with its newest commit by existence and size, without reading data.
///
/// # Errors
/// What the store says.
pub async fn verify(to: &Location, commit: &Commit) -> Result<State, StorageError> {
    let dataset = Dataset::open(to)?;
    let survey = survey(&dataset, commit).await?;
    if !survey.damaged.is_empty() {
        return Ok(State::Damaged(survey.damaged));
    }
    if !survey.success || survey.rivals || !survey.dead.is_empty() {
        return Ok(State::Unfinished);
    }
    let manifest = dataset.get(&names::manifest(commit.run_date)).await?;
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Commit>(&bytes).ok());
    Ok(if manifest.as_ref() == Some(commit) { State::Whole } else { State::Unfinished })
}

/// Finishes the newest version of a date; `None` if there is none. Where visible files of an unfinished run lie
/// about, the version is committed again under the next sequence: that run then cannot win, so its files are dead.
///
/// # Errors
/// [`Kind::Corrupt`] if files of the version are missing, [`Kind::Conflict`] if another run publishes meanwhile.
pub async fn repair(
    to: &Location,
    run_date: NaiveDate,
    run_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Commit>, StorageError> {
    check_run_id(to, run_id)?;
    let dataset = Dataset::open(to)?;
    let Some(mut commit) = dataset.newest(run_date).await? else {
        return Ok(None);
    };
    let found = survey(&dataset, &commit).await?;
    if found.rivals && found.damaged.is_empty() {
        commit.sequence += 1;
        run_id.clone_into(&mut commit.run_id);
        commit.created_at = now;
        commit.replaces.clear();
        recommit(&dataset, &commit).await?;
    }
    finish(&dataset, &commit).await?;
    Ok(Some(commit))
}
