//! Rows that come from elsewhere: written into a Parquet file as they come, and told from others by what they are.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use super::publish::hexadecimal;
use super::scan::ROW_GROUP_ROWS;
use super::{Kind, StorageError};

/// Takes rows in their order.
pub struct Batches {
    file: Option<Writing>,
    converter: RowConverter,
    digest: Sha256,
    rows: u64,
}

struct Writing {
    writer: ArrowWriter<File>,
    path: PathBuf,
}

/// What was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub rows: u64,
    /// The same rows in the same order have the same, however they came; SHA-256 in hexadecimal digits.
    pub digest: String,
}

impl Batches {
    /// Takes rows of this schema, into a file if one is given. Columns are of plain types and lists of such.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(schema: &SchemaRef, file: Option<&Path>) -> Result<Batches, StorageError> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(|error| unlike(&error))?;
        let file = file.map(|path| Writing::create(schema, path)).transpose()?;
        Ok(Batches { file, converter, digest: Sha256::new(), rows: 0 })
    }

    /// Takes rows of the schema.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), StorageError> {
        let rows = self.converter.convert_columns(batch.columns()).map_err(|error| unlike(&error))?;
        for row in &rows {
            let bytes = row.as_ref();
            self.digest.update((bytes.len() as u64).to_le_bytes());
            self.digest.update(bytes);
        }
        self.rows += batch.num_rows() as u64;
        match &mut self.file {
            Some(Writing { writer, path }) => writer.write(batch).map_err(|error| failed(path, &error)),
            None => Ok(()),
        }
    }

    /// Writes what is left and the footer.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(self) -> Result<Taken, StorageError> {
        if let Some(Writing { writer, path }) = self.file {
            writer.close().map_err(|error| failed(&path, &error))?;
        }
        Ok(Taken { rows: self.rows, digest: hexadecimal(self.digest) })
    }
}

impl Writing {
    fn create(schema: &SchemaRef, path: &Path) -> Result<Writing, StorageError> {
        let file = File::create(path).map_err(|error| StorageError::io("write", path.display(), &error))?;
        let level = ZstdLevel::try_new(1).map_err(|error| failed(path, &error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, SchemaRef::clone(schema), options);
        Ok(Writing { writer: writer.map_err(|error| failed(path, &error))?, path: path.to_owned() })
    }
}

fn failed(path: &Path, error: &ParquetError) -> StorageError {
    if let ParquetError::External(cause) = error
        && let Some(error) = cause.downcast_ref::<io::Error>()
    {
        return StorageError::io("write", path.display(), error);
    }
    StorageError::new(Kind::Other, "write", path.display(), error)
}

/// Rows that are not of the schema: a mistake of ours.
fn unlike(error: &ArrowError) -> StorageError {
    StorageError::new(Kind::Other, "take", "rows", error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch(first: i64, texts: &[Option<&str>]) -> RecordBatch {
        let ids: Int64Array = (first..).take(texts.len()).collect();
        let amounts: Float64Array = texts.iter().map(|text| text.map(|text| text.len() as f64)).collect();
        let texts: StringArray = texts.iter().copied().collect();
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(ids) as arrow::array::ArrayRef, true),
            ("amount", Arc::new(amounts), true),
            ("text", Arc::new(texts), true),
        ])
        .unwrap()
    }

    fn taken(batches: &[RecordBatch], file: Option<&Path>) -> Taken {
        let mut taking = Batches::create(&batches[0].schema(), file).unwrap();
        batches.iter().for_each(|batch| taking.add(batch).unwrap());
        taking.finish().unwrap()
    }

    #[test]
    fn rows_are_told_by_what_they_are_and_not_by_how_they_come() {
        let whole = taken(&[batch(1, &[Some("a"), None, Some("bc")])], None);
        assert_eq!(whole, taken(&[batch(1, &[Some("a")]), batch(2, &[None, Some("bc")])], None));
        for other in [
            batch(2, &[Some("a"), None, Some("bc")]),
            batch(1, &[Some("a"), Some(""), Some("bc")]),
            batch(1, &[Some("a"), None]),
        ] {
            assert_ne!(whole.digest, taken(&[other], None).digest);
        }
    }

    #[test]
    fn what_is_written_is_what_was_taken() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rows.parquet");
        let given = [batch(1, &[Some("a")]), batch(2, &[None, Some("bc")])];
        assert_eq!(taken(&given, Some(&file)).rows, 3);
        let read = crate::storage::scan::read_parquet(&file).unwrap().collect().unwrap();
        assert_eq!(read.column("id").unwrap().i64().unwrap().to_vec(), [Some(1), Some(2), Some(3)]);
        assert_eq!(read.column("text").unwrap().str().unwrap().get(1), None);
        let nowhere = Batches::create(&given[0].schema(), Some(&directory.path().join("none/rows.parquet")));
        assert!(nowhere.is_err());
    }
}
