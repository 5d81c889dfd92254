//! The Parquet file of a table between stages, written piece by piece.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{DataFrame, ParquetWriter, PolarsError, PolarsResult, Schema};

use super::scan::{BETWEEN_STAGES, ROW_GROUP_ROWS};

/// Collects pieces into row groups of a fixed size, so that the bytes depend on the rows alone.
pub struct Writer {
    file: BatchedWriter<Remembering>,
    trouble: Trouble,
    waiting: DataFrame,
    rows: u64,
}

impl Writer {
    /// Starts a file of rows of this schema.
    pub fn create(path: &Path, schema: &Schema) -> PolarsResult<Writer> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let trouble = Trouble::default();
        let file = Remembering { file: BufWriter::new(File::create(path)?), trouble: Arc::clone(&trouble) };
        let file = ParquetWriter::new(file).with_compression(BETWEEN_STAGES).batched(schema)?;
        Ok(Writer { file, trouble, waiting: DataFrame::empty_with_schema(schema), rows: 0 })
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
        let finished = self.file.finish().map(drop); // which flushes, too
        self.told(finished)?;
        Ok(self.rows)
    }

    fn write(&mut self, mut group: DataFrame) -> PolarsResult<()> {
        self.rows += group.height() as u64;
        group.rechunk_mut_par();
        let written = self.file.write_batch(&group);
        self.told(written)
    }

    /// An error as the file gave it, if it did.
    fn told(&self, result: PolarsResult<()>) -> PolarsResult<()> {
        result.map_err(|error| {
            let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
            trouble.map_or(error, PolarsError::from)
        })
    }
}

type Trouble = Arc<Mutex<Option<io::Error>>>;

/// A buffered file that remembers its first error: what a Parquet writer makes of it no longer says what it was. The
/// buffer is for the footer, which comes a few bytes at a time.
struct Remembering {
    file: BufWriter<File>,
    trouble: Trouble,
}

impl Remembering {
    fn remember<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let told = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            told
        })
    }
}

impl Write for Remembering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.remember(flushed)
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

    /// Linux has a file that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_as_one() {
        let few = rows(0..10);
        let many = rows(0..ROW_GROUP_ROWS as i64);
        for piece in [few, many] {
            let mut writer = Writer::create(Path::new("/dev/full"), piece.schema()).unwrap();
            let error = writer.add(piece).and_then(|()| writer.finish().map(drop)).unwrap_err();
            let full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
            assert!(matches!(&error, PolarsError::IO { error, .. } if full(error)), "{error:?}");
        }
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
