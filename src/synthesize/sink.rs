//! Tables as Parquet files: row groups are encoded on any thread and appended in order.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;

use super::error::SynthesizeError;

/// Rows of a row group at most.
pub const ROW_GROUP_ROWS: usize = 250_000;

/// Turns columns into row groups of one table.
#[derive(Debug)]
pub struct Encoder {
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

/// Some rows of a table, ready to be appended.
#[derive(Debug)]
pub struct RowGroup {
    columns: Vec<ArrowColumnChunk>,
    rows: usize,
}

impl Encoder {
    /// Columns of one length, in the order of the schema.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<RowGroup, ParquetError> {
        let writers = self.factory.create_column_writers(0)?;
        let mut chunks = Vec::with_capacity(columns.len());
        for ((mut writer, field), column) in writers.into_iter().zip(self.schema.fields()).zip(columns) {
            for leaf in compute_leaves(field, column)? {
                writer.write(&leaf)?;
            }
            chunks.push(writer.close()?);
        }
        Ok(RowGroup { columns: chunks, rows: columns.first().map_or(0, |column| column.len()) })
    }
}

/// A Parquet file that grows by row groups.
pub struct TableFile {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    rows: u64,
}

impl TableFile {
    /// A new file and what encodes its row groups.
    pub fn create(path: PathBuf, fields: Vec<Field>) -> Result<(Self, Encoder), SynthesizeError> {
        let file = File::create(&path).map_err(|source| SynthesizeError::Io { path: path.clone(), source })?;
        let schema = Arc::new(Schema::new(fields));
        let (writer, factory) = open(file, &schema).map_err(parquet_error(&path))?;
        Ok((Self { path, writer, rows: 0 }, Encoder { schema, factory }))
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends a row group; one without rows is left out.
    pub fn append(&mut self, group: RowGroup) -> Result<(), SynthesizeError> {
        if group.rows == 0 {
            return Ok(());
        }
        self.rows += group.rows as u64;
        let writer = &mut self.writer;
        let add = || {
            let mut row_group = writer.next_row_group()?;
            for column in group.columns {
                column.append_to_row_group(&mut row_group)?;
            }
            row_group.close().map(|_| ())
        };
        add().map_err(parquet_error(&self.path))
    }

    /// Writes the footer and waits until all is on the disk.
    pub fn finish(self) -> Result<u64, SynthesizeError> {
        let file = self.writer.into_inner().map_err(parquet_error(&self.path))?;
        file.sync_all().map_err(|source| SynthesizeError::Io { path: self.path, source })?;
        Ok(self.rows)
    }
}

type Opened = (SerializedFileWriter<File>, ArrowRowGroupWriterFactory);

fn open(file: File, schema: &SchemaRef) -> Result<Opened, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("patronage synthesize".to_owned())
        .build();
    // Without arrow's own schema, columns that are dictionaries here are plain strings to readers.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)?.into_serialized_writer()
}

fn parquet_error(path: &Path) -> impl FnOnce(ParquetError) -> SynthesizeError {
    let path = path.to_owned();
    |source| SynthesizeError::Parquet { path, source }
}

/// A column of strings that has few different ones.
pub fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}
