//! The Parquet file of a table between stages, written piece by piece.

use std::fs::File;
use std::path::Path;

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{DataFrame, ParquetWriter, PolarsResult, Schema};

use super::scan::{BETWEEN_STAGES, ROW_GROUP_ROWS};

/// Collects pieces into row groups of a fixed size, so that the bytes depend on the rows alone.
pub struct Writer {
    file: BatchedWriter<File>,
    waiting: DataFrame,
    rows: u64,
}

impl Writer {
    /// Starts a file of rows of this schema.
    pub fn create(path: &Path, schema: &Schema) -> PolarsResult<Writer> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = ParquetWriter::new(File::create(path)?).with_compression(BETWEEN_STAGES).batched(schema)?;
        Ok(Writer { file, waiting: DataFrame::empty_with_schema(schema), rows: 0 })
    }

    /// Adds rows; whole row groups go to the file.
    pub fn add(&mut self, piece: DataFrame) -> PolarsResult<()> {
        self.waiting.vstack_mut_owned(piece)?;
        while self.waiting.height() >= ROW_GROUP_ROWS {
            let (group, rest) = self.waiting.split_at(ROW_GROUP_ROWS as i64);
            self.write(group)?;
            self.waiting = rest;
        }
        Ok(())
    }

    /// Writes what is left and the footer; returns the number of rows.
    pub fn finish(mut self) -> PolarsResult<u64> {
        if self.waiting.height() > 0 {
            let rest = std::mem::take(&mut self.waiting);
            self.write(rest)?;
        }
        self.file.finish()?;
        Ok(self.rows)
    }

    fn write(&mut self, mut group: DataFrame) -> PolarsResult<()> {
        self.rows += group.height() as u64;
        group.rechunk_mut_par();
        self.file.write_batch(&group)
    }
}
