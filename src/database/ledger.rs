//! The record of what was delivered: a row a table and run date, written in the transaction of the rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use chrono::{NaiveDate, Utc};

use super::client::Client;
use super::dialect::Dialect;
use super::{DatabaseError, Delivery, LEDGER, Target};

/// The days from 1970-01-01 to a date.
fn day(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}

/// The rows of one delivery, to be loaded into the ledger; without a delivery none.
pub fn rows(delivery: Option<(&Delivery, u64)>) -> Result<Box<dyn RecordBatchReader + Send>, ArrowError> {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let schema = Arc::new(Schema::new(vec![
        text("table_name"),
        Field::new("run_date", DataType::Date32, true),
        text("delivery_key"),
        text("run_id"),
        Field::new("row_count", DataType::Int64, true),
        Field::new("delivered_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
    ]));
    let of = |value: fn(&Delivery) -> &str| {
        Arc::new(StringArray::from_iter_values(delivery.map(|(delivery, _)| value(delivery)))) as ArrayRef
    };
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let now = delivery.map(|_| Utc::now().timestamp_micros());
    let columns: Vec<ArrayRef> = vec![
        of(|delivery| &delivery.target.table),
        Arc::new(Date32Array::from_iter_values(delivery.map(|(delivery, _)| day(delivery.run_date)))),
        of(|delivery| &delivery.key),
        of(|delivery| &delivery.run_id),
        Arc::new(Int64Array::from_iter_values(delivery.map(|(_, rows)| count(rows)))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(now).with_timezone("UTC")),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)))
}

/// The condition that finds the row of a table and date.
fn of_target(dialect: Dialect, target: &Target, run_date: NaiveDate) -> String {
    let (table, date) = (dialect.name("table_name"), dialect.name("run_date"));
    format!("{table} = {} AND {date} = DATE '{run_date}'", dialect.text(&target.table))
}

/// Removes the row of a table and date.
pub fn forget(dialect: Dialect, target: &Target, run_date: NaiveDate) -> String {
    format!("DELETE FROM {} WHERE {}", dialect.table(&target.beside(LEDGER)), of_target(dialect, target, run_date))
}

/// Whether there is a ledger beside a table.
pub fn is_there(client: &mut Client, target: &Target) -> Result<bool, DatabaseError> {
    let sql = client.dialect.columns(&target.beside(LEDGER));
    Ok(!client.texts(&sql, "look for the record of deliveries")?.is_empty())
}

/// The key of what was delivered last.
pub fn key(client: &mut Client, target: &Target, run_date: NaiveDate) -> Result<Option<String>, DatabaseError> {
    if !is_there(client, target)? {
        return Ok(None);
    }
    let (dialect, ledger) = (client.dialect, target.beside(LEDGER));
    let key = dialect.name("delivery_key");
    let sql = format!("SELECT {key} FROM {} WHERE {}", dialect.table(&ledger), of_target(dialect, target, run_date));
    Ok(client.texts(&sql, "read the record of deliveries")?.pop())
}
