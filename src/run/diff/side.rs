//! What a run left for a comparison: its report, its manifest, and what of its tables is still there.

use std::path::{Path, PathBuf};

use polars::prelude::LazyFrame;
use serde::Deserialize;
use serde_json::Value;

use super::super::history::{PastRun, read};
use super::super::state::{Meta, State, table_file};
use crate::plan::Key;
use crate::report::Report;
use crate::storage::scan;
use crate::table::TableSchema;

/// A run with its artifacts read.
pub struct Side {
    pub report: Report,
    pub manifest: Manifest,
    state: State,
}

/// The parts of `manifest.json` that are compared.
#[derive(Deserialize)]
pub struct Manifest {
    pub config: Value,
    pub nodes: Vec<ManifestNode>,
}

/// A node of the plan.
#[derive(Deserialize)]
pub struct ManifestNode {
    /// `stage.segments`
    pub unique_id: String,
    pub kind: String,
    pub definition_hash: String,
    pub cache_key: Key,
    pub outputs: Vec<Output>,
}

/// An output port.
#[derive(Deserialize)]
pub struct Output {
    pub port: String,
    pub schema: TableSchema,
}

/// Why a run cannot be compared; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    #[error("read {0}: the run did not finish, or its artifacts were removed")]
    Missing(PathBuf),
    #[error("read {0}: it is damaged, or of another version of Patronage")]
    Unreadable(PathBuf),
}

impl Side {
    pub fn read(run: &PastRun) -> Result<Side, SideError> {
        let file = |name: &str| run.directory.join(name);
        let refuse =
            |path: PathBuf| if path.is_file() { SideError::Unreadable(path) } else { SideError::Missing(path) };
        let report = run.report().ok_or_else(|| refuse(file("report.json")))?;
        let manifest = read(&file("manifest.json")).ok_or_else(|| refuse(file("manifest.json")))?;
        // `.` has a parent only once it is spelt out.
        let directory = std::path::absolute(&run.directory).unwrap_or_else(|_| run.directory.clone());
        let root = directory.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Side { report, manifest, state: State { root, pipeline: run.pipeline.clone() } })
    }

    pub fn node(&self, id: &str) -> Option<&ManifestNode> {
        self.manifest.nodes.iter().find(|node| node.unique_id == id)
    }

    /// The account of a node's execution, while it is kept.
    pub fn meta(&self, node: &ManifestNode) -> Option<Meta> {
        self.state.meta(node.name(), &node.cache_key)
    }

    /// The rows of an output.
    pub fn frame(&self, node: &ManifestNode, port: &str) -> Result<LazyFrame, polars::prelude::PolarsError> {
        scan::read_parquet(&table_file(&self.state.tables(node.name(), &node.cache_key), port))
    }
}

impl ManifestNode {
    /// The name without what it is: `segments` of `stage.segments`.
    pub fn name(&self) -> &str {
        self.unique_id.split_once('.').map_or(self.unique_id.as_str(), |(_, name)| name)
    }

    pub fn is_stage(&self) -> bool {
        self.unique_id.starts_with("stage.")
    }

    /// Each output with the name that a pipeline gives it: `segments`, `segments.profiles`.
    pub fn tables(&self) -> impl Iterator<Item = (String, &Output)> {
        self.outputs.iter().enumerate().map(|(place, output)| (self.table(place, &output.port), output))
    }

    /// Whether an output describes groups that another one puts entities into, such as segments.
    pub fn is_summary(&self, output: &Output) -> bool {
        let names = |other: &Output| {
            let group = |name: &String| !other.schema.key.contains(name) && other.schema.column(name).is_some();
            output.schema.key.first().is_some_and(group)
        };
        self.outputs.iter().filter(|other| other.port != output.port).any(names)
    }

    fn table(&self, place: usize, port: &str) -> String {
        if place == 0 { self.name().to_owned() } else { format!("{}.{port}", self.name()) }
    }
}
