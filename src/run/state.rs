//! What earlier runs left: outputs by cache key, models by version, and the last state of each node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::models::Measured;
use crate::format;
use crate::metrics::evaluation::Evaluation;
use crate::metrics::profile::ColumnProfile;
use crate::plan::{Key, KeyParts};
use crate::stages::model::{Model, Signature};
use crate::storage::{Kind, StorageError, local};
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

impl Meta {
    /// Of an execution that gave nothing yet.
    pub fn of(parts: KeyParts) -> Meta {
        Meta {
            parts,
            outputs: vec![],
            watermark: None,
            evaluation: None,
            model: None,
            source: None,
            checks: vec![],
            aside: vec![],
            profiles: vec![],
        }
    }
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
    /// The size of its file.
    pub bytes: u64,
    pub schema: TableSchema,
}

impl OutputMeta {
    /// A table that was written into a directory.
    pub fn of_file(directory: &Path, port: &str, rows: u64, schema: &TableSchema) -> Result<OutputMeta, StorageError> {
        let bytes = local::size(&table_file(directory, port))?;
        Ok(OutputMeta { port: port.to_owned(), rows, bytes, schema: schema.clone() })
    }

    /// Whether its file is there in its size. Bytes that were changed in place are not found this way: reading
    /// every table would cost what skipping the stage saves.
    fn is_whole(&self, directory: &Path) -> bool {
        local::size(&table_file(directory, &self.port)).is_ok_and(|bytes| bytes == self.bytes)
    }
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
    /// Rows at or after the run date, which no stage sees.
    #[serde(default)]
    pub later: u64,
}

/// The result of one check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckResult {
    pub check: String,
    /// The key that names its kind, such as `range`.
    #[serde(default)]
    pub kind: String,
    /// The columns that it looks at; none where it looks at the table as a whole.
    #[serde(default)]
    pub columns: Vec<String>,
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
pub(super) struct Committed {
    pub(super) run_date: NaiveDate,
    pub(super) committed_at: DateTime<Utc>,
    key: String,
    /// What was measured of it when it was fitted.
    #[serde(default)]
    pub(super) measured: Option<Measured>,
}

pub(super) const META: &str = "_meta.json";
const COMMITTED: &str = "_committed.json";
/// The model card.
const CARD: &str = "README.md";

impl State {
    /// Where the outputs of an execution are.
    pub fn tables(&self, node: &str, key: &Key) -> PathBuf {
        self.node(node).join(key.short())
    }

    fn node(&self, node: &str) -> PathBuf {
        self.all_tables().join(node)
    }

    pub(super) fn all_tables(&self) -> PathBuf {
        self.root.join("tables").join(&self.pipeline)
    }

    /// What the execution with this key gave, if it was completed.
    pub fn meta(&self, node: &str, key: &Key) -> Option<Meta> {
        let directory = self.tables(node, key);
        let meta: Meta = read(&directory.join(META))?;
        let whole = meta.outputs.iter().all(|output| output.is_whole(&directory));
        (meta.parts.key() == *key && whole).then_some(meta)
    }

    /// What the newest execution of a node for an earlier run date gave; of several of one date the last.
    pub fn earlier(&self, node: &str, run_date: NaiveDate) -> Option<Meta> {
        let executions = std::fs::read_dir(self.node(node)).into_iter().flatten().flatten();
        executions
            .filter(is_placed)
            .filter_map(|entry| {
                let modified = entry.metadata().ok()?.modified().ok()?;
                let meta: Meta = read(&entry.path().join(META))?;
                (meta.parts.run_date < run_date).then_some(((meta.parts.run_date, modified), meta))
            })
            .max_by_key(|(newest, _)| *newest)
            .map(|(_, meta)| meta)
    }

    /// What the newest execution of a source for a run date read.
    pub fn last_files(&self, node: &str, run_date: NaiveDate) -> Option<Vec<String>> {
        let executions = std::fs::read_dir(self.node(node)).into_iter().flatten().flatten();
        let of_date = executions.filter(is_placed).filter_map(|entry| {
            let modified = entry.metadata().ok()?.modified().ok()?;
            let meta: Meta = read(&entry.path().join(META))?;
            (meta.parts.run_date == run_date).then_some((modified, meta.parts.files))
        });
        of_date.max().map(|(_, files)| files)
    }

    /// Where rows wait that were read from elsewhere, under a name that tells that they are not whole.
    pub fn staged_rows(&self, node: &str) -> PathBuf {
        self.node(node).join("rows")
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

    /// What runs of the pipeline share while they are alive.
    pub(super) fn lock_file(&self) -> PathBuf {
        self.root.join("state").join(format!("{}.lock", self.pipeline))
    }

    fn last_file(&self) -> PathBuf {
        self.root.join("state").join(format!("{}.json", self.pipeline))
    }

    /// Gives an execution's directory its name. Where one is there already, it stays if it is whole, unless forced:
    /// what would replace it is the same.
    pub fn place(
        &self,
        directory: local::AtomicDirectory,
        node: &str,
        key: &Key,
        force: bool,
    ) -> Result<(), StorageError> {
        if force || self.meta(node, key).is_none() { directory.replace() } else { directory.finish().map(drop) }
    }

    fn models(&self, stage: &str) -> PathBuf {
        self.all_models().join(stage)
    }

    pub(super) fn all_models(&self) -> PathBuf {
        self.root.join("models").join(&self.pipeline)
    }

    /// Registers a model under its version; the same version again changes nothing, unless it is damaged.
    pub fn register(
        &self,
        stage: &str,
        model: &Model,
        key: &Key,
        evaluation: Option<&Evaluation>,
        card: &str,
    ) -> Result<PathBuf, StorageError> {
        let version = model.version();
        let target = self.models(stage).join(&version);
        let committed: Option<Committed> = read(&target.join(COMMITTED));
        if committed.is_some() && matches!(self.model(stage, &version), Ok(Some(_))) {
            return Ok(target);
        }
        let directory = local::AtomicDirectory::create(&target)?;
        for (name, content) in &model.files {
            local::write_atomic(&directory.path().join(name), content)?;
        }
        local::write_atomic(&directory.path().join(CARD), card.as_bytes())?;
        let measured = evaluation.map(Measured::of);
        let committed = Committed { run_date: model.run_date, committed_at: Utc::now(), key: key.0.clone(), measured };
        write(&directory.path().join(COMMITTED), &committed)?;
        // What is there is damaged.
        directory.replace()?;
        Ok(target)
    }

    /// A run has found that this execution is what stands: it is the last of its run date again, and so is its model,
    /// whatever was tried in between. That no run depends on it is what makes a failure here no failure of the run.
    pub fn stands(&self, node: &str, key: &Key, meta: &Meta) {
        let directory = self.tables(node, key);
        let touched = std::fs::File::open(&directory).and_then(|opened| opened.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            tracing::debug!("failed to touch {}: {error}", directory.display());
        }
        let model = meta.model.as_ref().filter(|model| fitted_for(&model.version) == Some(meta.parts.run_date));
        let Some(version) = model.map(|model| &model.version) else { return };
        let tomorrow = meta.parts.run_date.succ_opt().unwrap_or(meta.parts.run_date);
        let file = self.models(node).join(version).join(COMMITTED);
        if self.earlier_version(node, tomorrow).as_ref() != Some(version)
            && let Some(committed) = read::<Committed>(&file)
            && let Err(error) = write(&file, &Committed { committed_at: Utc::now(), ..committed })
        {
            tracing::warn!("failed to {error}");
        }
    }

    /// The version that a run for this date applies: the one that was promoted, else the newest of an earlier date.
    pub fn applied_version(&self, stage: &str, run_date: NaiveDate) -> Option<String> {
        self.promoted(stage, run_date).or_else(|| self.earlier_version(stage, run_date))
    }

    /// What the registry says of a version.
    pub(super) fn committed(&self, stage: &str, version: &str) -> Option<Committed> {
        read(&self.models(stage).join(version).join(COMMITTED))
    }

    /// The version of the newest model of a run date strictly earlier.
    pub fn earlier_version(&self, stage: &str, run_date: NaiveDate) -> Option<String> {
        let versions = std::fs::read_dir(self.models(stage)).into_iter().flatten().flatten();
        versions
            .filter(is_placed)
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.to_owned();
                let fitted = fitted_for(&version).filter(|fitted| *fitted < run_date)?;
                // A damaged one stands in its place too: no older one may step in for it unnoticed.
                let committed: Option<Committed> = read(&entry.path().join(COMMITTED));
                Some((fitted, committed.map(|committed| committed.committed_at), version))
            })
            .max()
            .map(|(_, _, version)| version)
    }

    /// What a registered model takes and gives, and what it was fitted on.
    pub fn signature(&self, stage: &str, version: &str) -> Option<Signature> {
        read(&self.models(stage).join(version).join(Model::SIGNATURE))
    }

    /// Reads a registered model; none if there is none of this version, an error if it is there and damaged.
    pub fn model(&self, stage: &str, version: &str) -> Result<Option<Model>, StorageError> {
        let directory = self.models(stage).join(version);
        if !directory.exists() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| StorageError::io("read", directory.display(), &error);
        let damaged = || {
            let detail = "the model is damaged: its files are not those that its version names; fit it again for its \
                          run date with --full-refresh, or remove the directory";
            StorageError::new(Kind::Corrupt, "read", directory.display(), detail)
        };
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('_') && name != CARD {
                files.insert(name, std::fs::read(entry.path()).map_err(failed)?);
            }
        }
        let signature = files.get(Model::SIGNATURE).and_then(|json| serde_json::from_slice(json).ok());
        let signature: Signature = signature.ok_or_else(damaged)?;
        let run_date = fitted_for(version).ok_or_else(damaged)?;
        let model = Model { run_date, signature, files };
        // A damaged model must not score anyone.
        if model.version() == version { Ok(Some(model)) } else { Err(damaged()) }
    }
}

/// Whether a directory has its name: until it is whole, its name has a suffix.
fn is_placed(entry: &std::fs::DirEntry) -> bool {
    !entry.file_name().to_string_lossy().contains('.')
}

/// The run date that a model was fitted for, with which its version begins; none of directories that are being
/// filled or removed, whose names go on after a dot.
pub fn fitted_for(version: &str) -> Option<NaiveDate> {
    version.get(..10).filter(|_| !version.contains('.'))?.parse().ok()
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
