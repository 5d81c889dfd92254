//! Sources that are queries: asked once a run, before it is decided what runs. Their rows wait in a file that goes with
//! the run; what tells them from others is what they are.

mod convert;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Scalar, TimestampMicrosecondArray};
use arrow::compute::{cast, filter_record_batch, is_null, kernels::cmp::lt, or_kleene};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{Datelike, NaiveDate};
use polars::prelude::DataType as Declared;

use super::contract;
use super::databases::Databases;
use super::entry::Entering;
use super::failure::NodeFailure;
use super::state::CheckResult;
use crate::config::SourceSpec;
use crate::database::{self, Order, OrderKind, Question, Settings};
use crate::problem::Code;
use crate::stages::Failure;
use crate::stages::contract::Cancel;
use crate::storage::batches::{Batches, Taken};
use crate::storage::footer::{self, Times};
use crate::storage::local::AtomicDirectory;
use crate::storage::{Footer, Location, SourceFile, StorageError};
use crate::table::{TableSchema, midnight_us};
use convert::Converted;

/// What is asked of a source that is a query.
#[derive(Debug, Clone, Copy)]
pub enum Asking<'a> {
    /// Its columns only.
    Columns,
    /// All rows before the run date; they are kept in a directory that is made for them, if one is named. `node`: who
    /// asks, for the log.
    Rows { node: &'a str, run_date: NaiveDate, keep: Option<&'a Path>, cancel: &'a Cancel },
    /// Nothing: what it last gave for the run date is what it gives; none if nobody asked it.
    Nothing { last: Option<&'a [String]> },
}

/// What a query gave.
#[derive(Debug, Default)]
pub struct Answer {
    pub asked: Asked,
    pub files: Vec<SourceFile>,
    pub footers: Vec<Footer>,
    /// What comparing its columns with the contract gave.
    pub contract: Vec<CheckResult>,
}

/// What is known of a query once it is asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// What tells its rows from others.
    pub identities: Vec<String>,
    /// The file of its rows; gone with the last who holds it.
    pub rows: Option<Arc<AtomicDirectory>>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The file of the rows in their directory.
const FILE: &str = "rows.parquet";

/// Asks a query of the database that a source names.
pub async fn ask(
    spec: &SourceSpec,
    query: &str,
    raw: &TableSchema,
    entering: &Entering,
    databases: &Databases,
    asking: Asking<'_>,
) -> Result<Answer, NodeFailure> {
    if let Asking::Nothing { last } = asking {
        let identities = last.map_or_else(|| vec!["not asked".to_owned()], <[String]>::to_vec);
        return Ok(Answer { asked: Asked { identities, ..Asked::default() }, ..Answer::default() });
    }
    let name = spec.database.as_deref().unwrap_or_default();
    let none = || {
        let message = format!("this environment has no `{name}` (`driver: none`), so nothing can be read from it");
        NodeFailure::new(Code::UnknownInput, message)
    };
    let settings = databases.get(name).cloned().ok_or_else(none)?;
    let contract = compared(spec, query, raw, &settings).await?;
    let Asking::Rows { node, run_date, keep, cancel } = asking else {
        return Ok(Answer { contract, ..Answer::default() });
    };
    let directory = keep.map(AtomicDirectory::create).transpose()?;
    let path = directory.as_ref().map(|directory| directory.path().join(FILE));
    let reading = Reading {
        question: question(spec, query, raw, run_date),
        settings,
        converted: Converted::of(raw).ok_or_else(|| NodeFailure::new(Code::Bug, "a column has no type"))?,
        before: spec.event_time.as_ref().and_then(|time| {
            let place = raw.columns.iter().position(|column| column.name == *time)?;
            Some((place, midnight_us(run_date)))
        }),
        cancel: cancel.clone(),
    };
    // It may take long, and nothing else is told of it until it is done.
    tracing::info!(node, "asks `{name}`");
    let (clock, file) = (Instant::now(), path.clone());
    let read = tokio::task::spawn_blocking(move || reading.read(file.as_deref()));
    let (taken, unread) = read.await.map_err(|_| NodeFailure::lost())??;
    let location = shown(name, path.as_deref().unwrap_or_else(|| Path::new("/")))?;
    let wrong = contract::unread(raw, &location, &unread);
    if !wrong.is_empty() {
        return Err(NodeFailure::new(Code::ContractBroken, wrong.join("; ")));
    }
    let elapsed = clock.elapsed();
    let elapsed_seconds = (elapsed.as_secs_f64() * 1e3).round() / 1e3;
    tracing::info!(node, rows = taken.rows, elapsed_seconds, "read from `{name}`");
    // Who has not the key must not be able to tell by trying which rows these are.
    let identities = vec![format!("query {}", entering.keyed(&taken.digest))];
    let asked = Asked { identities, elapsed, rows: None };
    let mut answer = Answer { asked, contract, ..Answer::default() };
    if let (Some(directory), Some(path)) = (directory, path) {
        let size = std::fs::metadata(&path).map_err(|error| StorageError::io("read", path.display(), &error))?.len();
        let file = SourceFile { location, size, identity: taken.digest, partitions: vec![] };
        answer.footers = vec![footer::read(&file).await?];
        answer.files = vec![file];
        answer.asked.rows = Some(Arc::new(directory));
    }
    Ok(answer)
}

/// The place of rows in messages.
fn shown(database: &str, path: &Path) -> Result<Location, NodeFailure> {
    Ok(Location::local(&format!("the query to `{database}`"), path)?)
}

/// Compares the columns of a query with the contract.
async fn compared(
    spec: &SourceSpec,
    query: &str,
    raw: &TableSchema,
    settings: &Settings,
) -> Result<Vec<CheckResult>, NodeFailure> {
    let location = shown(&settings.name, Path::new("/"))?;
    let (asked, text) = (settings.clone(), query.to_owned());
    let fields = tokio::task::spawn_blocking(move || database::columns(&asked, &text));
    let fields = fields.await.map_err(|_| NodeFailure::lost())??;
    if let Some(strange) = fields.iter().find(|field| raw.column(field.name()).is_some() && convert::is_strange(field))
    {
        let why = "money or an oid, which PostgreSQL's driver gives as another number; CAST it in the query";
        let message = format!("{location}: its column `{}` is {why}", strange.name());
        return Err(NodeFailure::new(Code::ContractBroken, message));
    }
    let columns = fields.iter().map(|field| footer::Column {
        name: field.name().clone(),
        data_type: match raw.column(field.name()) {
            // Numbers that come as texts can be read as whatever number they are.
            Some(column) if column.dtype.is_numeric() && convert::is_text_of_number(field) => None,
            _ => Some(field.data_type().clone()),
        },
        nullable: field.is_nullable(),
    });
    let footer =
        Footer { location: location.clone(), size: 0, rows: None, columns: columns.collect(), times: Times::default() };
    let file = SourceFile { location, size: 0, identity: String::new(), partitions: vec![] };
    contract::compare(spec, raw, &[file], &[footer]).map_err(|failure| NodeFailure {
        message: format!("{}; the query can name and CAST its columns", failure.message),
        ..failure
    })
}

/// What is asked: no more columns than are read, no later rows than the run date's. A time with a zone may be a day
/// apart from what is compared with, so a day more is asked for. Whatever order the query has, rows come in one that
/// they alone decide.
fn question(spec: &SourceSpec, query: &str, raw: &TableSchema, run_date: NaiveDate) -> Question {
    let columns: Vec<String> = raw.columns.iter().map(|column| column.name.clone()).collect();
    let mut order: Vec<Order> = Vec::new();
    for name in spec.key.iter().chain(&spec.event_time).chain(&columns) {
        let Some(column) = raw.column(name) else { continue };
        let kind = match &column.dtype {
            Declared::String => OrderKind::Text,
            Declared::List(_) => OrderKind::List,
            _ => OrderKind::Other,
        };
        if order.iter().all(|by| by.column != *name) {
            order.push(Order { column: name.clone(), kind });
        }
    }
    // A year of five digits is none to databases.
    let day_after = run_date.succ_opt().filter(|day| day.year() <= 9999).unwrap_or(run_date);
    let before = spec.event_time.clone().map(|time| (time, day_after));
    Question { query: query.to_owned(), columns, before, order }
}

/// All that is needed to read, on a thread that may block.
struct Reading {
    settings: Settings,
    question: Question,
    converted: Converted,
    /// The column of the event time, and the moment from which rows are left out.
    before: Option<(usize, i64)>,
    cancel: Cancel,
}

impl Reading {
    /// How many values of each column are not of its type is beside what was taken.
    fn read(&self, file: Option<&Path>) -> Result<(Taken, Vec<u64>), NodeFailure> {
        let mut batches = Batches::create(&self.converted.schema, file)?;
        let mut unread = vec![0; self.converted.schema.fields().len()];
        database::answer(&self.settings, &self.question, |batch| {
            if self.cancel.is_set() {
                return Err(NodeFailure::from(Failure::Cancelled));
            }
            let batch = self.converted.convert(&batch, &mut unread).map_err(unlike)?;
            Ok(batches.add(&self.wanted(batch).map_err(unlike)?)?)
        })?;
        Ok((batches.finish()?, unread))
    }

    fn wanted(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Some((place, moment)) = self.before else { return Ok(batch) };
        let time = cast(batch.column(place), &convert::TIME)?;
        let early = lt(&time, &Scalar::new(TimestampMicrosecondArray::from(vec![moment])))?;
        filter_record_batch(&batch, &or_kleene(&early, &is_null(&time)?)?)
    }
}

/// Rows of other columns than the query said that it has; nothing of them is told.
fn unlike(_: ArrowError) -> NodeFailure {
    NodeFailure::new(
        Code::DatabaseRefused,
        "failed to read from the database: its rows are not of the columns it named",
    )
}
