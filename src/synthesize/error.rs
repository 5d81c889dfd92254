//! Why nothing was made.

use std::io;
use std::path::PathBuf;

use chrono::NaiveDate;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::options::{CUSTOMERS_MAX, DAYS_MAX, FACTOR_MAX};

/// Why nothing was made; completes "failed to".
#[derive(Debug, Error)]
pub enum SynthesizeError {
    #[error("make a history of no customers: ask for at least 1")]
    NoCustomers,
    #[error("make a history of {customers} customers: at most {max} are possible", max = CUSTOMERS_MAX)]
    TooManyCustomers { customers: u32 },
    #[error("make a history that ends on {to}, before it begins on {from}")]
    PeriodEmpty { from: NaiveDate, to: NaiveDate },
    #[error("make a history of {days} days: at most {max} are possible", max = DAYS_MAX)]
    PeriodTooLong { days: i64 },
    #[error("use {value} for {name}: it must be from 0 to {max}", max = FACTOR_MAX)]
    BadFactor { name: &'static str, value: f64 },
    #[error("write into {}: it is not empty; choose another folder, or replace its tables with --force", path.display())]
    NotEmpty { path: PathBuf },
    #[error("start {threads} threads: {reason}")]
    Threads { threads: usize, reason: String },
    #[error("make all of the history: it was stopped, and nothing is written")]
    Stopped,
    #[error("write {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("write {} as Parquet: {source}", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
}
