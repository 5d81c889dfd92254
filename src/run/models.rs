//! The registry of models: which versions there are, which one is served, and since when.
//!
//! A stage that applies a model takes the newest of an earlier run date, until a version is promoted: then it takes
//! that one, for every later run date.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::state::{Committed, State, fitted_for, read, write};
use crate::metrics::evaluation::{Evaluation, Measure};
use crate::storage::StorageError;

/// A version in the registry.
#[derive(Debug, Clone)]
pub struct Version {
    pub stage: String,
    pub version: String,
    pub fitted_for: NaiveDate,
    pub committed_at: Option<DateTime<Utc>>,
    /// The measure that decides, as it was when the model was fitted.
    pub headline: Option<Measure>,
    /// Whether a run for a later date would apply it.
    pub served: bool,
    pub promoted: bool,
}

/// What was measured of a model when it was fitted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    pub headline: String,
    pub measures: Vec<Measure>,
}

impl Measured {
    pub fn of(evaluation: &Evaluation) -> Measured {
        Measured { headline: evaluation.headline.clone(), measures: evaluation.measures.clone() }
    }
}

/// A version that is served whatever is fitted later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Promoted {
    version: String,
    promoted_at: DateTime<Utc>,
    /// What was served before.
    before: Option<String>,
}

const PROMOTED: &str = "_promoted.json";

/// Why a version cannot be promoted.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    #[error("`{stage}` has no model `{version}`")]
    Missing { stage: String, version: String },
    #[error("`{version}` is the start of several versions of `{stage}`")]
    Unclear { stage: String, version: String },
    #[error("`{stage}` has no version before the one that is served")]
    NothingBefore { stage: String },
    #[error("failed to {0}")]
    Storage(#[from] StorageError),
}

impl State {
    fn promoted_file(&self, stage: &str) -> std::path::PathBuf {
        self.all_models().join(stage).join(PROMOTED)
    }

    /// The version that was promoted, if it was fitted for a date before this one.
    pub(super) fn promoted(&self, stage: &str, run_date: NaiveDate) -> Option<String> {
        let promoted: Promoted = read(&self.promoted_file(stage))?;
        (fitted_for(&promoted.version)? < run_date).then_some(promoted.version)
    }

    /// What was measured of a version when it was fitted; none of versions that older programs fitted.
    pub(super) fn measured(&self, stage: &str, version: &str) -> Option<Measured> {
        self.committed(stage, version)?.measured
    }

    /// Every version of every stage, by stage, the newest first.
    pub fn versions(&self) -> Vec<Version> {
        let stages = std::fs::read_dir(self.all_models()).into_iter().flatten().flatten();
        let mut stages: Vec<String> = stages.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        stages.sort_unstable();
        stages.iter().flat_map(|stage| self.versions_of(stage)).collect()
    }

    /// The versions of a stage, the newest first.
    pub fn versions_of(&self, stage: &str) -> Vec<Version> {
        let promoted: Option<Promoted> = read(&self.promoted_file(stage));
        let served = match &promoted {
            Some(promoted) => Some(promoted.version.clone()),
            None => self.earlier_version(stage, NaiveDate::MAX),
        };
        let entries = std::fs::read_dir(self.all_models().join(stage)).into_iter().flatten().flatten();
        let of = |entry: std::fs::DirEntry| {
            let version = entry.file_name().into_string().ok()?;
            let fitted_for = fitted_for(&version)?;
            let committed: Option<Committed> = self.committed(stage, &version);
            let headline = committed.as_ref().and_then(|committed| {
                let measured = committed.measured.as_ref()?;
                measured.measures.iter().find(|measure| measure.name == measured.headline).cloned()
            });
            Some(Version {
                stage: stage.to_owned(),
                fitted_for,
                committed_at: committed.map(|committed| committed.committed_at),
                headline,
                served: served.as_ref() == Some(&version),
                promoted: promoted.as_ref().is_some_and(|promoted| promoted.version == version),
                version,
            })
        };
        let mut versions: Vec<Version> = entries.filter_map(of).collect();
        versions.sort_by_key(|version| std::cmp::Reverse((version.fitted_for, version.committed_at)));
        versions
    }

    /// Lets later runs apply this version; its name may be cut short. Returns the whole name.
    ///
    /// # Errors
    /// Where there is no such version, or it is damaged.
    pub fn promote(&self, stage: &str, version: &str) -> Result<String, PromoteError> {
        let versions = self.versions_of(stage);
        let mut found = versions.iter().filter(|one| one.version.starts_with(version));
        let told = || (stage.to_owned(), version.to_owned());
        let (one, other) = (found.next(), found.next());
        let chosen = match (one, other) {
            (Some(one), None) => one.version.clone(),
            (Some(_), Some(_)) => {
                let (stage, version) = told();
                return Err(PromoteError::Unclear { stage, version });
            }
            (None, _) => {
                let (stage, version) = told();
                return Err(PromoteError::Missing { stage, version });
            }
        };
        // A damaged model would fail every night from now on.
        self.model(stage, &chosen)?;
        let before = versions.iter().find(|version| version.served).map(|version| version.version.clone());
        let promoted = Promoted { version: chosen.clone(), promoted_at: Utc::now(), before };
        write(&self.promoted_file(stage), &promoted)?;
        Ok(chosen)
    }

    /// Promotes what was served before: before the last promotion, or else the version fitted before the newest.
    ///
    /// # Errors
    /// Where there is nothing before.
    pub fn roll_back(&self, stage: &str) -> Result<String, PromoteError> {
        let nothing = || PromoteError::NothingBefore { stage: stage.to_owned() };
        let promoted: Option<Promoted> = read(&self.promoted_file(stage));
        let versions = self.versions_of(stage);
        let place = versions.iter().position(|version| version.served).ok_or_else(nothing)?;
        let served = versions.get(place).map(|version| &version.version);
        let before = promoted.and_then(|promoted| promoted.before).filter(|before| Some(before) != served);
        let older = || versions.get(place + 1).map(|version| version.version.clone());
        self.promote(stage, &before.or_else(older).ok_or_else(nothing)?)
    }

    /// Lets later runs apply the newest version again. Whether anything was promoted.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub fn follow(&self, stage: &str) -> Result<bool, StorageError> {
        let file = self.promoted_file(stage);
        match std::fs::remove_file(&file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StorageError::io("remove", file.display(), &error)),
        }
    }
}
