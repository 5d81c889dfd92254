//! Tables between stages: a lazy frame with what the planner knows of it. A leaf.

mod kinds;
mod matrix;
mod schema;
pub mod text;

use chrono::NaiveDate;
use polars::prelude::LazyFrame;

pub use kinds::{parse_type, type_name};
pub use matrix::{floats, matrix};
pub use schema::{Class, Column, Role, TableSchema};

/// The name of the column that holds a snapshot's moment (a date: its midnight, UTC).
pub const AS_OF: &str = "as_of";
/// The column of everything published that says for which run date it is.
pub const RUN_DATE: &str = "run_date";

/// A table that flows along an edge of the DAG.
#[derive(Clone)]
pub struct Table {
    pub frame: LazyFrame,
    pub schema: TableSchema,
    /// The midnight after the newest event of the sources behind it: what happens later is unknown.
    pub watermark: Option<NaiveDate>,
}

/// Microseconds since 1970 of a date's midnight, UTC.
pub fn midnight_us(date: NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()
}
