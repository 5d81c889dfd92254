//! Reads a dataset back, every byte of it: what is damaged, what is missing, what lies about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};

use super::check::digest;
use super::commit::{Commit, CommittedFile};
use super::dataset::Dataset;
use super::finish::{is_litter, manifest_agrees, survey};
use super::names;
use crate::storage::{Kind, Location, SourceFile, StorageError, footer};

/// Files read at the same time.
const CONCURRENCY: usize = 4;
/// How often a date is looked at again because it was published meanwhile.
const TRIES: usize = 3;

/// What is wrong with one object of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the dataset's base.
    pub path: String,
    pub fault: Fault,
}

/// In which way an object is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Missing,
    /// In bytes.
    Size {
        committed: u64,
        found: u64,
    },
    /// Its bytes are not those that were published.
    Digest,
    Rows {
        committed: u64,
        found: u64,
    },
    /// Its bytes are those that were published, and yet it is not Parquet.
    Unreadable(String),
    /// The commit itself cannot be read.
    Commit(String),
    /// The copy of the commit is missing or another one.
    Manifest,
    /// Nothing says that the version is complete.
    NoSuccess,
    /// A file that a run left behind.
    Dead,
    /// Data of a run that has not committed: it is publishing now, or it died.
    Uncommitted,
    /// Nothing of this program wrote it.
    Foreign,
}

impl Fault {
    /// Whether rows are gone or wrong, so that a reader is harmed.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Fault::Missing
                | Fault::Size { .. }
                | Fault::Digest
                | Fault::Rows { .. }
                | Fault::Unreadable(_)
                | Fault::Commit(_)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing => f.write_str("it is missing"),
            Fault::Size { committed, found } => write!(f, "it has {found} bytes instead of {committed}"),
            Fault::Digest => f.write_str("its SHA-256 is not that of what was published"),
            Fault::Rows { committed, found } => write!(f, "it has {found} rows instead of {committed}"),
            Fault::Unreadable(detail) | Fault::Commit(detail) => f.write_str(detail),
            Fault::Manifest => f.write_str("it is not the copy of the commit"),
            Fault::NoSuccess => f.write_str("it is missing, so the version does not count as complete"),
            Fault::Dead => f.write_str("a run left it behind"),
            Fault::Uncommitted => f.write_str("a run that has not committed wrote it; it is publishing now, or died"),
            Fault::Foreign => f.write_str("nothing of Patronage wrote it"),
        }
    }
}

/// What became of the newest version of one date.
#[derive(Debug, Clone)]
pub struct Audit {
    pub run_date: NaiveDate,
    /// None where no commit can be read.
    pub commit: Option<Commit>,
    pub findings: Vec<Finding>,
}

/// What was found in a dataset.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// Oldest date first.
    pub dates: Vec<Audit>,
    /// What belongs to no date.
    pub elsewhere: Vec<Finding>,
}

/// Reads back the newest version of one date, or of every date and whatever lies beside them. No dates: nothing was
/// ever published.
///
/// # Errors
/// What the store says; damage is no error.
pub async fn audit(to: &Location, run_date: Option<NaiveDate>) -> Result<Inspection, StorageError> {
    let dataset = Dataset::open(to)?;
    let mut inspection = Inspection::default();
    if let Some(date) = run_date {
        inspection.dates.extend(date_of(&dataset, date).await?);
        return Ok(inspection);
    }
    let dates: BTreeSet<NaiveDate> = dataset.sequences().await?.unwrap_or_default().into_keys().collect();
    if dates.is_empty() {
        return Ok(inspection);
    }
    for date in &dates {
        inspection.dates.extend(date_of(&dataset, *date).await?);
    }
    inspection.elsewhere = elsewhere(&dataset, &dates).await?;
    Ok(inspection)
}

/// Whether bytes of a version are not those that were published. Size and existence are [`super::verify`]'s to see.
///
/// # Errors
/// What the store says.
pub async fn content_damage(to: &Location, commit: &Commit) -> Result<bool, StorageError> {
    let dataset = Dataset::open(to)?;
    let findings = files(&dataset, commit, &[]).await?;
    Ok(!findings.is_empty())
}

/// The newest version of a date. What is published while it is read is read again.
async fn date_of(dataset: &Dataset, date: NaiveDate) -> Result<Option<Audit>, StorageError> {
    let mut tries = TRIES;
    loop {
        let Some(sequence) = dataset.newest_sequence(date).await? else { return Ok(None) };
        let audit = match dataset.read(date, sequence).await {
            Ok(Some(commit)) => {
                let findings = version(dataset, &commit).await?;
                Audit { run_date: date, commit: Some(commit), findings }
            }
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == Kind::Corrupt => {
                let finding = Finding { path: names::commit(date, sequence), fault: Fault::Commit(error.detail) };
                Audit { run_date: date, commit: None, findings: vec![finding] }
            }
            Err(error) => return Err(error),
        };
        tries -= 1;
        if audit.findings.is_empty() || tries == 0 || dataset.newest_sequence(date).await? == Some(sequence) {
            return Ok(Some(audit));
        }
    }
}

async fn version(dataset: &Dataset, commit: &Commit) -> Result<Vec<Finding>, StorageError> {
    let survey = survey(dataset, commit).await?;
    let mut findings = files(dataset, commit, &survey.damaged).await?;
    if !manifest_agrees(dataset, commit).await? {
        findings.push(Finding { path: names::manifest(commit.run_date), fault: Fault::Manifest });
    }
    if !survey.success {
        findings.push(Finding { path: names::success(commit.run_date), fault: Fault::NoSuccess });
    }
    let about = [
        (survey.dead, Fault::Dead),
        (survey.litter, Fault::Dead),
        (survey.rivals, Fault::Uncommitted),
        (survey.foreign, Fault::Foreign),
    ];
    for (paths, fault) in about {
        findings.extend(paths.into_iter().map(|path| Finding { path, fault: fault.clone() }));
    }
    Ok(findings)
}

/// What is wrong with the files of a version. `gone`: those that are known to be missing or to have another size.
async fn files(dataset: &Dataset, commit: &Commit, gone: &[String]) -> Result<Vec<Finding>, StorageError> {
    let checks: Vec<_> = commit.files.iter().map(|file| fault(dataset, file, gone.contains(&file.path))).collect();
    let faults: Vec<Option<Fault>> = stream::iter(checks).buffered(CONCURRENCY).try_collect().await?;
    let found = commit.files.iter().zip(faults);
    Ok(found.filter_map(|(file, fault)| Some(Finding { path: file.path.clone(), fault: fault? })).collect())
}

async fn fault(dataset: &Dataset, file: &CommittedFile, gone: bool) -> Result<Option<Fault>, StorageError> {
    if gone {
        return Ok(Some(match dataset.size(&file.path).await? {
            Some(found) => Fault::Size { committed: file.bytes, found },
            None => Fault::Missing,
        }));
    }
    match digest(dataset, file).await {
        Ok(found) if found == file.sha256 => rows(dataset, file).await,
        Ok(_) => Ok(Some(Fault::Digest)),
        Err(error) if error.kind() == Kind::NotFound => Ok(Some(Fault::Missing)),
        Err(error) => Err(error),
    }
}

/// Compares the footer's number of rows with the commit's. Text has no footer; its digest says that it is whole.
async fn rows(dataset: &Dataset, file: &CommittedFile) -> Result<Option<Fault>, StorageError> {
    if !file.path.ends_with(".parquet") {
        return Ok(None);
    }
    let location = dataset.to.join(&file.path);
    let source = SourceFile { location, size: file.bytes, identity: file.sha256.clone(), partitions: Vec::new() };
    match footer::read(&source).await {
        Ok(footer) if footer.rows == Some(file.rows) => Ok(None),
        Ok(footer) => Ok(Some(Fault::Rows { committed: file.rows, found: footer.rows.unwrap_or(0) })),
        Err(error) if error.kind() == Kind::Corrupt => Ok(Some(Fault::Unreadable(error.detail))),
        Err(error) if error.kind() == Kind::NotFound => Ok(Some(Fault::Missing)),
        Err(error) => Err(error),
    }
}

/// What lies beside the versions: partitions that nobody committed, and files of others.
async fn elsewhere(dataset: &Dataset, dates: &BTreeSet<NaiveDate>) -> Result<Vec<Finding>, StorageError> {
    let mut findings = BTreeMap::new();
    for (path, meta) in dataset.list("").await? {
        let fault = match names::parse_partition(&path) {
            Some(date) if dates.contains(&date) => continue,
            Some(_) => match path.rsplit('/').next().and_then(names::parse_part) {
                Some(part) if part.staged && !is_litter(dataset, &path, &meta) => continue,
                Some(_) => Fault::Uncommitted,
                None => Fault::Foreign,
            },
            None if path == names::MARKER || names::parse_commit(&path).is_some() => continue,
            // Those of commits were looked at with their date.
            None if names::is_staged(&path) && path.starts_with(names::COMMITS) => continue,
            None => Fault::Foreign,
        };
        findings.insert(path.clone(), Finding { path, fault });
    }
    Ok(findings.into_values().collect())
}
