//! Rows of a query.

use adbc_core::error::Error;
use adbc_core::{Connection, Statement};
use arrow::datatypes::Field;
use arrow::record_batch::{RecordBatch, RecordBatchReader};

use super::client::Client;
use super::error::lost;
use super::{DatabaseError, Question, Settings};

/// The columns that a query gives, in its order. No row is read.
///
/// # Errors
/// What the database says.
pub fn columns(settings: &Settings, query: &str) -> Result<Vec<Field>, DatabaseError> {
    let mut client = Client::connect(settings)?;
    let sql = client.dialect.no_rows(query);
    let mut fields = Vec::new();
    let read = client.read(&sql, &doing(settings), DatabaseError::of_query, |reader| {
        fields = reader.schema().fields().iter().map(|field| Field::clone(field)).collect();
        Ok::<_, DatabaseError>(())
    });
    read.map(|()| fields)
}

/// Hands over the rows that answer a question, batch by batch, in its order.
///
/// # Errors
/// What the database or the receiver says.
pub fn answer<E: From<DatabaseError>>(
    settings: &Settings,
    question: &Question,
    mut take: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let mut client = Client::connect(settings)?;
    let sql = client.dialect.asked(question);
    let doing = doing(settings);
    if let Some(only_read) = client.dialect.only_read() {
        client.execute(only_read, &doing)?;
    }
    client.read(&sql, &doing, DatabaseError::of_rows, |reader| {
        for batch in reader {
            take(batch.map_err(|error| lost(&doing, &error))?)?;
        }
        Ok(())
    })
}

fn doing(settings: &Settings) -> String {
    format!("read from the database `{}`", settings.name)
}

impl Client {
    /// Runs a query. Its rows end with the statement, so whoever wants them comes here.
    fn read<E: From<DatabaseError>>(
        &mut self,
        sql: &str,
        doing: &str,
        told: fn(&str, &Error) -> DatabaseError,
        take: impl FnOnce(&mut dyn RecordBatchReader) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: Error| told(doing, &error);
        let mut statement = self.connection.new_statement().map_err(failed)?;
        statement.set_sql_query(sql).map_err(failed)?;
        let mut reader = statement.execute().map_err(failed)?;
        take(&mut reader)
    }
}
