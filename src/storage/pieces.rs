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

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataType};

    use super::*;

    fn rows(range: std::ops::Range<i64>) -> DataFrame {
        let names: Vec<String> = range.clone().map(|row| format!("row {}", row % 7)).collect();
        let numbers: Vec<Option<i64>> = range.map(|row| (row % 5 > 0).then_some(row)).collect();
        DataFrame::new_infer_height(vec![Column::new("name".into(), names), Column::new("number".into(), numbers)])
            .unwrap()
    }

    fn written(directory: &Path, name: &str, pieces: Vec<DataFrame>) -> Vec<u8> {
        let path = directory.join(name);
        let mut writer = Writer::create(&path, rows(0..1).schema()).unwrap();
        let total: usize = pieces.iter().map(DataFrame::height).sum();
        for piece in pieces {
            writer.add(piece).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), total as u64);
        std::fs::read(path).unwrap()
    }

    #[test]
    fn the_bytes_depend_on_the_rows_alone() {
        let directory = tempfile::tempdir().unwrap();
        let last = 2 * ROW_GROUP_ROWS as i64 + 3;
        let whole = written(directory.path(), "a.parquet", vec![rows(0..last)]);
        let cuts = [0, 1, 1, 70_000, 250_000, 430_001, last];
        let pieces = cuts.windows(2).map(|pair| rows(pair[0]..pair[1])).collect();
        assert!(whole == written(directory.path(), "b.parquet", pieces));
        let read = super::super::scan::read_parquet(&directory.path().join("b.parquet")).unwrap().collect().unwrap();
        assert!(read.equals_missing(&rows(0..last)));
    }

    #[test]
    fn no_rows_are_a_table_too() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), "none.parquet", vec![]);
        let read = super::super::scan::read_parquet(&directory.path().join("none.parquet")).unwrap();
        let read = read.collect().unwrap();
        assert_eq!((read.height(), read.schema().get("number")), (0, Some(&DataType::Int64)));
    }
}
