//! What earlier runs left: outputs by cache key, models by version, and the last state of each node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::format;
use crate::metrics::evaluation::Evaluation;
use crate::metrics::profile::ColumnProfile;
use crate::plan::{Key, KeyParts};
use crate::stages::model::{Model, Signature};
use crate::storage::{StorageError, local};
use crate::table::TableSchema;

/// The directories under the environment's `artifacts`.
#[derive(Debug, Clone)]
pub struct State {
    pub root: PathBuf,
    pub pipeline: String,
}

/// What one execution of a source or stage gave; `_meta.json` beside its tables. A source has a table of its own
/// only where its rows are not a filter over its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Meta {
    pub parts: KeyParts,
    pub outputs: Vec<OutputMeta>,
    #[serde(default)]
    pub watermark: Option<NaiveDate>,
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
    #[serde(default)]
    pub model: Option<ModelMeta>,
    #[serde(default)]
    pub source: Option<SourceMeta>,
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    #[serde(default)]
    pub aside: Vec<Aside>,
    /// How its tables are distributed, and what it read that no table shows.
    #[serde(default)]
    pub profiles: Vec<OutputProfile>,
}

/// Rows that were set aside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Aside {
    pub port: String,
    pub rows: u64,
    /// Relative to the directory of artifacts, since it lies with the run that made it.
    pub file: PathBuf,
}

/// How the columns of a table are distributed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputProfile {
    /// None for what the stage read.
    pub port: Option<String>,
    /// The snapshot that is described.
    pub as_of: Option<NaiveDate>,
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
}

/// A table of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputMeta {
    pub port: String,
    pub rows: u64,
    pub schema: TableSchema,
}

/// The model that an execution fitted or applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelMeta {
    pub version: String,
    pub mode: String,
}

/// What reading a source found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SourceMeta {
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    pub quarantined: u64,
}

/// The result of one check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckResult {
    pub check: String,
    /// The output it was made on, where that is not the first.
    #[serde(default)]
    pub port: Option<String>,
    pub severity: String,
    pub failed: u64,
    /// What was found, where a number of rows does not say it.
    #[serde(default)]
    pub found: Option<String>,
}

impl CheckResult {
    /// Whether the run must not go on.
    pub fn is_broken(&self) -> bool {
        self.severity == "error" && self.failed > 0
    }

    /// `range unit_price min 0 fails in 3 rows`, or what was found of the table as a whole.
    pub fn sentence(&self) -> String {
        let on = self.port.as_ref().map(|port| format!(" on {port}")).unwrap_or_default();
        match (&self.found, self.failed) {
            (found, 0) => format!(
                "{}{on} passes{}",
                self.check,
                found.as_ref().map(|found| format!(": {found}")).unwrap_or_default()
            ),
            (Some(found), _) => format!("{}{on} fails: {found}", self.check),
            (None, rows) => format!("{}{on} fails in {}", self.check, format::count(rows, "row", "rows")),
        }
    }
}

/// The last execution of a node that a run attempted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Last {
    pub definition: String,
    pub parts: Option<KeyParts>,
    /// `success`, `no-op`, `error` or `skipped`.
    pub result: String,
}

/// A model in the registry.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Committed {
    run_date: NaiveDate,
    committed_at: DateTime<Utc>,
    key: String,
}

const META: &str = "_meta.json";
const COMMITTED: &str = "_committed.json";
/// Outputs of this many executions are kept for each node.
const EXECUTIONS_KEPT: usize = 3;
/// What is younger may be in use by another run, such as a backfill of another date.
const IN_USE_MAX: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

impl State {
    /// Where the outputs of an execution are.
    pub fn tables(&self, node: &str, key: &Key) -> PathBuf {
        self.node(node).join(key.short())
    }

    fn node(&self, node: &str) -> PathBuf {
        self.root.join("tables").join(&self.pipeline).join(node)
    }

    /// What the execution with this key gave, if it was completed.
    pub fn meta(&self, node: &str, key: &Key) -> Option<Meta> {
        let directory = self.tables(node, key);
        let meta: Meta = read(&directory.join(META))?;
        let whole = meta.outputs.iter().all(|output| table_file(&directory, &output.port).is_file());
        (meta.parts.key() == *key && whole).then_some(meta)
    }

    /// What the newest execution of a node for an earlier run date gave; of several of one date the last.
    pub fn earlier(&self, node: &str, run_date: NaiveDate) -> Option<Meta> {
        let executions = std::fs::read_dir(self.node(node)).into_iter().flatten().flatten();
        executions
            .filter_map(|entry| {
                let modified = entry.metadata().ok()?.modified().ok()?;
                let meta: Meta = read(&entry.path().join(META))?;
                (meta.parts.run_date < run_date).then_some(((meta.parts.run_date, modified), meta))
            })
            .max_by_key(|(newest, _)| *newest)
            .map(|(_, meta)| meta)
    }

    /// Writes the execution's account into its directory, as the last file.
    pub fn write_meta(directory: &Path, meta: &Meta) -> Result<(), StorageError> {
        write(&directory.join(META), meta)
    }

    /// The last state of every node.
    pub fn last(&self) -> BTreeMap<String, Last> {
        read(&self.last_file()).unwrap_or_default()
    }

    pub fn write_last(&self, last: &BTreeMap<String, Last>) -> Result<(), StorageError> {
        write(&self.last_file(), last)
    }

    fn last_file(&self) -> PathBuf {
        self.root.join("state").join(format!("{}.json", self.pipeline))
    }

    /// Moves a damaged output (or any, if forced) out of the way of a new one. A whole one stays:
    /// another run may be reading it, and what would replace it is the same.
    pub fn make_room(&self, node: &str, key: &Key, force: bool) -> Result<(), StorageError> {
        let target = self.tables(node, key);
        if !target.exists() || (!force && self.meta(node, key).is_some()) {
            return Ok(());
        }
        let aside = target.with_extension(format!("old-{}", uuid::Uuid::now_v7().simple()));
        let moved = std::fs::rename(&target, &aside);
        let moved = moved.map_err(|error| StorageError::io("replace", target.display(), &error));
        // What cannot be removed now is pruned later.
        let _ = std::fs::remove_dir_all(&aside);
        moved
    }

    /// Removes all but the newest executions of a node. `current` is never removed.
    pub fn prune(&self, node: &str, current: &Key) {
        let mut executions: Vec<(std::time::SystemTime, PathBuf)> = std::fs::read_dir(self.node(node))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_str() != Some(current.short()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .filter(|(modified, _)| modified.elapsed().is_ok_and(|age| age > IN_USE_MAX))
            .collect();
        executions.sort_unstable_by(|a, b| b.cmp(a));
        for (_, path) in executions.into_iter().skip(EXECUTIONS_KEPT - 1) {
            // What cannot be removed now is tried again next time.
            let _ = std::fs::remove_dir_all(path);
        }
    }

    fn models(&self, stage: &str) -> PathBuf {
        self.root.join("models").join(&self.pipeline).join(stage)
    }

    /// Registers a model under its version; the same version again changes nothing.
    pub fn register(&self, stage: &str, model: &Model, key: &Key, card: &str) -> Result<PathBuf, StorageError> {
        let target = self.models(stage).join(model.version());
        if target.join(COMMITTED).is_file() {
            return Ok(target);
        }
        let directory = local::AtomicDirectory::create(&target)?;
        for (name, content) in &model.files {
            local::write_atomic(&directory.path().join(name), content)?;
        }
        write(&directory.path().join("signature.json"), &model.signature)?;
        local::write_atomic(&directory.path().join("README.md"), card.as_bytes())?;
        let committed = Committed { run_date: model.run_date, committed_at: Utc::now(), key: key.0.clone() };
        write(&directory.path().join(COMMITTED), &committed)?;
        directory.finish()?;
        Ok(target)
    }

    /// The version of the newest model of a run date strictly earlier.
    pub fn earlier_version(&self, stage: &str, run_date: NaiveDate) -> Option<String> {
        let versions = std::fs::read_dir(self.models(stage)).into_iter().flatten().flatten();
        versions
            .filter_map(|entry| {
                let committed: Committed = read(&entry.path().join(COMMITTED))?;
                let version = entry.file_name().to_str()?.to_owned();
                (committed.run_date < run_date).then_some((committed.run_date, committed.committed_at, version))
            })
            .max()
            .map(|(_, _, version)| version)
    }

    /// What a registered model takes and gives, and what it was fitted on.
    pub fn signature(&self, stage: &str, version: &str) -> Option<Signature> {
        read(&self.models(stage).join(version).join("signature.json"))
    }

    /// Reads a registered model.
    pub fn model(&self, stage: &str, version: &str) -> Option<Model> {
        let directory = self.models(stage).join(version);
        let committed: Committed = read(&directory.join(COMMITTED))?;
        let signature: Signature = read(&directory.join("signature.json"))?;
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&directory).ok()?.flatten() {
            let name = entry.file_name().to_str()?.to_owned();
            if !name.starts_with('_') && name != "signature.json" && name != "README.md" {
                files.insert(name, std::fs::read(entry.path()).ok()?);
            }
        }
        let model = Model { run_date: committed.run_date, signature, files };
        // A damaged model must not score anyone.
        (model.version() == version).then_some(model)
    }
}

/// The file of a port's table.
pub fn table_file(directory: &Path, port: &str) -> PathBuf {
    directory.join(format!("{port}.parquet"))
}

pub(super) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

pub(super) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), StorageError> {
    let json = serde_json::to_vec_pretty(value).unwrap_or_default();
    local::write_atomic(path, &json)
}
