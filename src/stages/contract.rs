//! What a stage is: named tables in, named tables (and perhaps a model and an evaluation) out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;
use polars::prelude::{DataFrame, IntoLazy, LazyFrame, PolarsError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::lineage::{self, Lineage, Reads};
use super::model::Model;
use super::protocol::Protocol;
use crate::metrics::evaluation::Evaluation;
use crate::metrics::profile::ColumnProfile;
use crate::problem::Problem;
use crate::table::{Table, TableSchema};

/// A pure step. Its parameters are the struct that implements it; it knows no paths, no storage
/// and no clock.
pub trait Stage: Send + Sync {
    /// The input ports, in order.
    fn inputs(&self) -> Vec<InputPort>;

    /// The names of the output ports; the first is what `stage` alone refers to.
    fn outputs(&self) -> Vec<&'static str>;

    /// Everything wrong with the parameters themselves, placed under `with`.
    fn check(&self) -> Vec<Problem> {
        vec![]
    }

    /// How its model is evaluated; the planner enforces the rules.
    fn protocol(&self) -> Protocol {
        Protocol::None
    }

    /// Whether it applies the newest model of an earlier run date instead of fitting one.
    fn applies_earlier_model(&self) -> bool {
        false
    }

    /// Whether it looks at the newest model of an earlier run date, where there is one, though it does not apply it.
    fn continues_model(&self) -> bool {
        false
    }

    /// Whether its evaluation looks at the first table that it gave for the newest earlier run date, where that is still
    /// there. Its tables and its model must not depend on it.
    fn looks_back(&self) -> bool {
        false
    }

    /// The schema of each output, in the order of [`Stage::outputs`]; problems are placed under
    /// `with` or `inputs`.
    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>>;

    /// What it reads of its inputs; everything, where it does not say.
    fn reads(&self, _inputs: &InputSchemas) -> Reads {
        Reads::default()
    }

    /// What the columns of each output are made of, in the order of [`Stage::outputs`], whose schemas are given.
    fn lineage(&self, inputs: &InputSchemas, outputs: &[TableSchema]) -> Vec<Lineage> {
        lineage::of_reads(&self.reads(inputs), inputs, outputs)
    }

    /// What it holds in memory at once at the least, in bytes, where the rows of its inputs tell. A run that has less
    /// left does not start it.
    fn memory_bytes_min(&self, _inputs: &Inputs) -> Option<u64> {
        None
    }

    /// Does the work.
    fn run(&self, inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure>;
}

/// The parameters of a kind, which are the stage.
pub trait StageConfig: Stage + DeserializeOwned + JsonSchema + 'static {
    /// What `stage:` says.
    const KIND: &'static str;
    /// The family's folder.
    const FAMILY: &'static str;
}

/// A row of the registry.
pub struct Kind {
    pub name: &'static str,
    pub family: &'static str,
    /// The JSON schema of the `with` block; its descriptions are the kind's documentation.
    pub schema: fn() -> schemars::Schema,
    /// Builds the stage from a `with` block that satisfies the schema.
    pub build: fn(serde_json::Value) -> Result<Box<dyn Stage>, serde_json::Error>,
}

impl Kind {
    /// The registry row of a parameter struct.
    pub const fn of<C: StageConfig>() -> Kind {
        Kind {
            name: C::KIND,
            family: C::FAMILY,
            schema: || schemars::SchemaGenerator::default().into_root_schema_for::<C>(),
            build: |with| serde_json::from_value::<C>(with).map(|stage| Box::new(stage) as Box<dyn Stage>),
        }
    }
}

/// An input of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputPort {
    pub name: &'static str,
    /// Takes a list of tables.
    pub many: bool,
    /// The name is the user's (the tables of a query); `name` is only what the documentation says.
    pub open: bool,
    /// May be left free.
    pub optional: bool,
}

impl InputPort {
    pub const fn one(name: &'static str) -> InputPort {
        InputPort { name, many: false, open: false, optional: false }
    }

    pub const fn many(name: &'static str) -> InputPort {
        InputPort { name, many: true, open: false, optional: false }
    }

    pub const fn open(name: &'static str) -> InputPort {
        InputPort { name, many: false, open: true, optional: false }
    }

    /// One table, or none.
    pub const fn optional(name: &'static str) -> InputPort {
        InputPort { name, many: false, open: false, optional: true }
    }
}

/// What is known of the inputs before anything runs: port to (name of what feeds it, schema).
#[derive(Debug, Clone, Default)]
pub struct InputSchemas {
    pub ports: BTreeMap<String, Vec<(String, TableSchema)>>,
}

impl InputSchemas {
    /// The table at a port that takes one; the planner has made sure that it is there.
    pub fn one(&self, port: &str) -> Result<&TableSchema, Vec<Problem>> {
        self.ports.get(port).and_then(|tables| tables.first()).map(|(_, schema)| schema).ok_or_else(|| {
            vec![
                Problem::new(crate::problem::Code::MissingInput, format!("the input `{port}` is missing"))
                    .at(["inputs"]),
            ]
        })
    }

    /// The tables at a port that takes many.
    pub fn many(&self, port: &str) -> &[(String, TableSchema)] {
        self.ports.get(port).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A table with the name of what made it (`segments`, `segments.profiles`).
#[derive(Clone)]
pub struct NamedTable {
    pub name: String,
    pub table: Table,
}

/// The first table that a stage gave for an earlier run date.
#[derive(Clone)]
pub struct Before {
    pub run_date: NaiveDate,
    pub frame: LazyFrame,
}

/// The tables a stage works on.
#[derive(Default)]
pub struct Inputs {
    pub ports: BTreeMap<String, Vec<NamedTable>>,
    /// The model to apply, or to look back at, where the stage asked for one.
    pub earlier: Option<Model>,
    /// What the stage gave before, where it looks back and there is such a run.
    pub before: Option<Before>,
    /// The rows of the tables at each port, together.
    pub rows: BTreeMap<String, u64>,
    /// What is left of the run's memory, where that is limited; a stage that can do with less does so.
    pub memory_bytes: Option<u64>,
}

impl Inputs {
    /// Takes the table of a port that has one.
    pub fn one(&mut self, port: &str) -> Result<Table, Failure> {
        let table = self.ports.get_mut(port).and_then(|tables| tables.pop());
        table.map(|named| named.table).ok_or_else(|| Failure::bug(format!("the input `{port}` was not handed over")))
    }

    /// The rows at a port and the schema of its only table.
    pub fn sized(&self, port: &str) -> Option<(u64, &TableSchema)> {
        let tables = self.ports.get(port)?;
        Some((*self.rows.get(port)?, &tables.first()?.table.schema))
    }

    /// Until when all is known: the earliest watermark of the inputs. What never changes over time holds nothing
    /// back, unless there is nothing else.
    pub fn watermark(&self) -> Option<NaiveDate> {
        let all = || self.ports.values().flatten().map(|named| &named.table);
        let changing = all().filter(|table| !table.schema.fixed).filter_map(|table| table.watermark).min();
        changing.or_else(|| all().filter_map(|table| table.watermark).min())
    }

    /// Takes the tables of a port that has many.
    pub fn many(&mut self, port: &str) -> Vec<NamedTable> {
        self.ports.remove(port).unwrap_or_default()
    }
}

/// Everything a stage may know beside its inputs and parameters. It does not grow.
#[derive(Debug, Clone)]
pub struct StageContext {
    pub run_date: NaiveDate,
    /// Derived from the pipeline's seed and the stage's id.
    pub seed: u64,
    pub threads: usize,
    pub cancel: Cancel,
}

/// Set once the run is to stop.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// An error once the run is to stop; long loops ask between their steps.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_set() { Err(Failure::Cancelled) } else { Ok(()) }
    }
}

/// Rows of a table that follow each other.
pub type Pieces = Box<dyn Iterator<Item = Result<DataFrame, Failure>> + Send>;

/// What a stage gives.
#[derive(Default)]
pub struct Outputs {
    /// One frame per port, in the order of [`Stage::outputs`], sorted by key.
    pub tables: Vec<LazyFrame>,
    /// The tables of a stage that computes them piece by piece, sorted by key, so that they never have to be in memory
    /// at once. Those of further ports are in `tables`.
    pub pieces: Vec<Pieces>,
    pub model: Option<Model>,
    pub evaluation: Option<Evaluation>,
    /// How what it read is distributed, where no table shows it: products a customer, customers a product.
    pub profile: Vec<ColumnProfile>,
}

impl Outputs {
    /// The tables, each as a frame; what comes in pieces is put together.
    pub fn frames(self, schemas: &[&TableSchema]) -> Result<Vec<LazyFrame>, Failure> {
        let mut frames = Vec::new();
        for (place, pieces) in self.pieces.into_iter().enumerate() {
            let schema = schemas.get(place).map(|schema| schema.to_polars()).unwrap_or_default();
            let mut whole = DataFrame::empty_with_schema(&schema);
            for piece in pieces {
                whole.vstack_mut(&piece?)?;
            }
            frames.push(whole.lazy());
        }
        frames.extend(self.tables);
        Ok(frames)
    }
}

/// Why a stage could not do its work. Fragments that complete "failed to …: ".
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The data does not allow it; the message says why and what would help.
    #[error("{0}")]
    Data(String),
    /// polars could not compute it.
    #[error("{0}")]
    Frame(#[from] PolarsError),
    /// More memory or time would be needed than is allowed.
    #[error("{0}")]
    TooLarge(String),
    #[error("the run was interrupted")]
    Cancelled,
    /// Something impossible happened.
    #[error("{0}")]
    Bug(String),
}

impl Failure {
    pub fn data(message: impl Into<String>) -> Failure {
        Failure::Data(message.into())
    }

    pub fn bug(message: impl Into<String>) -> Failure {
        Failure::Bug(message.into())
    }
}
