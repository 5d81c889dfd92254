//! The rows of a Parquet file, in types that databases take.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{DatabaseError, Kind, Stop};

/// Rows held at once.
const BATCH_ROWS: usize = 16_384;

/// The rows of a file, batch by batch.
pub struct Rows {
    file: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// How many rows were given so far.
    given: Arc<AtomicU64>,
    stop: Stop,
}

impl Rows {
    /// # Errors
    /// Where the file cannot be read.
    pub fn of(path: &Path, stop: Stop) -> Result<Rows, DatabaseError> {
        let failed = |detail: &dyn std::fmt::Display| {
            DatabaseError::new(Kind::File, format!("read {}: {detail}", path.display()))
        };
        let file = File::open(path).map_err(|error| failed(&error))?;
        // Without the writer's own types, text is text and not views of it.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
        let builder = builder.map_err(|error| failed(&error))?.with_batch_size(BATCH_ROWS);
        let fields: Vec<Field> = builder.schema().fields().iter().map(|field| taken(field)).collect();
        let file = builder.build().map_err(|error| failed(&error))?;
        Ok(Rows { file, schema: Arc::new(Schema::new(fields)), given: Arc::default(), stop })
    }

    pub fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Counts the rows while they are given.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.given)
    }

    fn in_types(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if (self.stop)() {
            return Err(ArrowError::ExternalError("the run is to stop".into()));
        }
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns: Result<Vec<ArrayRef>, ArrowError> =
            columns.map(|(column, field)| cast(column, field.data_type())).collect();
        self.given.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns?, &rows)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.file.next()?;
        Some(batch.and_then(|batch| self.in_types(&batch)))
    }
}

impl RecordBatchReader for Rows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// A field in a type that PostgreSQL has: whole numbers with a sign, wide enough.
fn taken(field: &Field) -> Field {
    let dtype = match field.data_type() {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::List(item) => DataType::List(Arc::new(taken(item))),
        other => other.clone(),
    };
    Field::new(field.name(), dtype, field.is_nullable())
}
