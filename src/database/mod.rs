//! Databases, reached through ADBC: tables that rows are delivered into, queries that sources are.
//!
//! The client of a database is a shared library that the user installs; which one, and how it connects, the environment
//! says. Everything that needs it is behind the feature `adbc`.

#[cfg(not(feature = "adbc"))]
mod absent;
#[cfg(feature = "adbc")]
mod client;
#[cfg(feature = "adbc")]
mod deliver;
#[cfg(feature = "adbc")]
mod dialect;
mod error;
#[cfg(feature = "adbc")]
mod ledger;
#[cfg(feature = "adbc")]
mod query;
#[cfg(feature = "adbc")]
mod rows;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

#[cfg(not(feature = "adbc"))]
pub use absent::{answer, columns, deliver, delivered, loadable};
#[cfg(feature = "adbc")]
pub use client::loadable;
#[cfg(feature = "adbc")]
pub use deliver::{deliver, delivered};
pub use error::{DatabaseError, Kind};
#[cfg(feature = "adbc")]
pub use query::{answer, columns};

use crate::storage::Hidden;

/// The table in which deliveries are recorded, in the schema of the tables that they fill.
pub const LEDGER: &str = "patronage_deliveries";

/// Says when nothing is to be delivered any more.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// How a database is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As the environment calls it.
    pub name: String,
    pub driver: Driver,
    /// The function of the library that makes the driver, where it is not the one that ADBC expects.
    pub entrypoint: Option<String>,
    /// What the driver is told of the database.
    pub options: Vec<(String, String)>,
    /// What it is told and nobody else.
    pub secret_options: Vec<(String, Hidden)>,
}

/// The shared library of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driver {
    /// By the name of its manifest, which the driver manager looks for.
    Name(String),
    Library(PathBuf),
}

/// A table, perhaps in a schema; without one it is where the connection looks first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub schema: Option<String>,
    pub table: String,
}

#[cfg(feature = "adbc")]
impl Target {
    /// Another table of the same schema.
    fn beside(&self, table: impl Into<String>) -> Target {
        Target { schema: self.schema.clone(), table: table.into() }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

/// What is asked of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// As the user wrote it.
    pub query: String,
    /// The columns that are wanted of it.
    pub columns: Vec<String>,
    /// The column of the event time, and the day from whose midnight on rows are not wanted; rows without a time are.
    pub before: Option<(String, NaiveDate)>,
    /// What rows are ordered by.
    pub order: Vec<Order>,
}

/// A column that decides about the order of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub column: String,
    pub kind: OrderKind,
}

/// What matters of a column for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    Text,
    List,
    Other,
}

/// Which rows of the table a delivery replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Those of the same run date.
    ReplaceRunDate,
    /// Those of the same key, unless they are of a later run date.
    Upsert { key: Vec<String> },
}

/// One table of a run date, to be delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub target: Target,
    pub mode: Mode,
    pub run_date: NaiveDate,
    pub run_id: String,
    /// What the rows were computed from; the same key means the same rows.
    pub key: String,
}
