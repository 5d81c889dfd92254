//! After the commit: cleaning, manifest and `_SUCCESS`; and the repair of what a crash left undone.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use object_store::{ObjectMeta, PutMode};

use super::attempt::recommit;
use super::commit::Commit;
use super::dataset::Dataset;
use super::names;
use super::request::check_run_id;
use super::{dictionary, load};
use crate::storage::{Kind, Location, StorageError, local};

/// Where nobody can say whether the writer of a staged file is alive, it is litter after a day.
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

/// What is in a partition, and in the directory of its commits, sorted out.
#[derive(Default)]
pub(super) struct Survey {
    /// Files of the commit that are missing or have another size.
    pub(super) damaged: Vec<String>,
    /// What no run can want any more.
    pub(super) dead: Vec<String>,
    /// Staged files that nobody writes any more.
    pub(super) litter: Vec<String>,
    /// Visible data files of a run aiming higher.
    pub(super) rivals: Vec<String>,
    /// What publishing did not write.
    pub(super) foreign: Vec<String>,
    pub(super) success: bool,
    /// Whether what is written beside the data, for people and warehouses, is there.
    pub(super) companions: bool,
}

pub(super) async fn survey(dataset: &Dataset, commit: &Commit) -> Result<Survey, StorageError> {
    let date = commit.run_date;
    let found = dataset.list(&names::partition(date)).await?;
    let size = |path: &str| found.iter().find(|(name, _)| name == path).map(|(_, meta)| meta.size);
    let damaged = commit.files.iter().filter(|file| size(&file.path) != Some(file.bytes));
    let mut survey = Survey {
        damaged: damaged.map(|file| file.path.clone()).collect(),
        success: size(&names::success(date)).is_some(),
        companions: companions(dataset, commit).iter().all(|(path, _)| size(path).is_some()),
        ..Survey::default()
    };
    let scripts = load::NAMES.map(|name| names::beside(date, name));
    let own = [names::success(date), names::manifest(date), names::dictionary(date)];
    let own: Vec<String> = own.into_iter().chain(scripts).collect();
    for (path, meta) in found.iter().filter(|(path, _)| !commit.names(path) && !own.contains(path)) {
        let part = path.rsplit('/').next().and_then(names::parse_part);
        match part {
            Some(part) if part.sequence <= commit.sequence => survey.dead.push(path.clone()),
            Some(part) if !part.staged => survey.rivals.push(path.clone()),
            _ if names::is_staged(path) => survey.litter.extend(is_litter(dataset, path, meta).then(|| path.clone())),
            _ => survey.foreign.push(path.clone()),
        }
    }
    survey.litter.extend(staged_litter(dataset, &names::commits(date)).await?);
    Ok(survey)
}

/// What writers that died left below a name of what they were staging. Elsewhere than on local disk that is never
/// visible.
pub(super) async fn staged_litter(dataset: &Dataset, name: &str) -> Result<Vec<String>, StorageError> {
    if !dataset.to.is_local() {
        return Ok(Vec::new());
    }
    let staged = dataset.list(name).await?.into_iter().filter(|(path, _)| names::is_staged(path));
    Ok(staged.filter(|(path, meta)| is_litter(dataset, path, meta)).map(|(path, _)| path).collect())
}

/// Whether a staged file was left by a run that died. Local ones are locked by who writes them; only there can they
/// be seen at all.
pub(super) fn is_litter(dataset: &Dataset, path: &str, meta: &ObjectMeta) -> bool {
    match dataset.to.join(path).local_path() {
        Some(path) => local::is_abandoned(&path),
        None => Utc::now().signed_duration_since(meta.last_modified) > TimeDelta::hours(LITTER_HOURS),
    }
}

/// What stands beside the data: path and content.
fn companions(dataset: &Dataset, commit: &Commit) -> Vec<(String, String)> {
    let date = commit.run_date;
    let page = dictionary::page(commit).map(|page| (names::dictionary(date), page));
    // Whoever runs a script stands elsewhere.
    let local = dataset.to.local_path().map(|path| std::path::absolute(&path).unwrap_or(path).display().to_string());
    let scripts = load::files(commit, &local.unwrap_or_else(|| dataset.to.to_string()));
    page.into_iter().chain(scripts.into_iter().map(|(name, text)| (names::beside(date, &name), text))).collect()
}

/// How often [`finish`] begins again because others are at work.
const ROUNDS_MAX: usize = 10;

/// Brings the partition to exactly this version. `false` if a later run has committed or is about to: then the
/// rest is that run's to do.
pub(super) async fn finish(dataset: &Dataset, commit: &Commit) -> Result<bool, StorageError> {
    let date = commit.run_date;
    let mut newest = commit.clone();
    for _ in 0..ROUNDS_MAX {
        match round(dataset, &newest).await? {
            Round::Whole => return Ok(newest.sequence == commit.sequence),
            Round::Rivals => return Ok(false),
            Round::Again => {}
            // It may have finished before we wrote our manifest over its own.
            Round::Overtaken => match dataset.newest(date).await? {
                Some(later) => newest = later,
                None => return Ok(false),
            },
        }
    }
    Ok(false)
}

/// What came of one round of [`finish`].
enum Round {
    /// Exactly the version, with manifest and `_SUCCESS`.
    Whole,
    /// A run that aims higher shows its files; there is no `_SUCCESS`.
    Rivals,
    /// A later version is committed.
    Overtaken,
    /// Files of a run that lost have appeared meanwhile; there is no `_SUCCESS`.
    Again,
}

async fn round(dataset: &Dataset, commit: &Commit) -> Result<Round, StorageError> {
    let date = commit.run_date;
    let is_overtaken = async || Ok::<_, StorageError>(dataset.newest_sequence(date).await? > Some(commit.sequence));
    let before = survey(dataset, commit).await?;
    if is_overtaken().await? {
        return Ok(Round::Overtaken);
    }
    if let Some(path) = before.damaged.first() {
        let detail = "the newest commit names it, but it is missing or has another size";
        return Err(dataset.error(Kind::Corrupt, path, detail));
    }
    for path in &before.dead {
        dataset.delete(path).await?;
    }
    for path in &before.litter {
        dataset.delete_litter(path).await?;
    }
    if !before.rivals.is_empty() {
        return Ok(Round::Rivals);
    }
    dataset.put_json(&names::manifest(date), commit, PutMode::Overwrite).await?;
    for (path, text) in companions(dataset, commit) {
        dataset.put(&path, text.into_bytes(), PutMode::Overwrite).await?;
    }
    dataset.put(&names::success(date), Vec::new(), PutMode::Overwrite).await?;
    if is_overtaken().await? {
        return Ok(Round::Overtaken);
    }
    // A run that removed `_SUCCESS` before we wrote it shows its files by now, or will remove it again.
    let after = survey(dataset, commit).await?;
    if !after.rivals.is_empty() || !after.dead.is_empty() {
        dataset.delete(&names::success(date)).await?;
    }
    Ok(match (after.rivals.is_empty(), after.dead.is_empty()) {
        (false, _) => Round::Rivals,
        (true, false) => Round::Again,
        (true, true) => Round::Whole,
    })
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
    if !survey.success
        || !survey.companions
        || !survey.rivals.is_empty()
        || !survey.dead.is_empty()
        || !survey.litter.is_empty()
    {
        return Ok(State::Unfinished);
    }
    Ok(if manifest_agrees(&dataset, commit).await? { State::Whole } else { State::Unfinished })
}

/// Whether `_manifest.json` is the copy of the commit that it should be.
pub(super) async fn manifest_agrees(dataset: &Dataset, commit: &Commit) -> Result<bool, StorageError> {
    let manifest = dataset.get(&names::manifest(commit.run_date)).await?;
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Commit>(&bytes).ok());
    Ok(manifest.as_ref() == Some(commit))
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
    if !found.rivals.is_empty() && found.damaged.is_empty() {
        commit.sequence += 1;
        run_id.clone_into(&mut commit.run_id);
        commit.created_at = now;
        commit.replaces.clear();
        recommit(&dataset, &commit).await?;
    }
    finish(&dataset, &commit).await?;
    Ok(Some(commit))
}
