//! Parquet footers: schema and row count, from a few small reads.

mod sound;
#[cfg(test)]
mod tests;
mod times;

use std::ops::Range;

use arrow::datatypes::DataType;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::DecodeResult;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};

use super::{Kind, Location, SourceFile, StorageError};
pub use times::{Divided, Seen, Times, seen_before};

/// What most footers fit into, so that one read is enough.
const TAIL_BYTES: u64 = 64 * 1024;
/// What a file with an encrypted footer ends with.
const ENCRYPTED: &[u8] = b"PARE";
/// Files read at the same time by [`read_all`].
const CONCURRENCY: usize = 16;

/// What a file says about itself: a Parquet file at its end, a text file in its first lines.
#[derive(Debug, Clone)]
pub struct Footer {
    pub location: Location,
    /// Size of the file in bytes.
    pub size: u64,
    /// Of a text file nobody knows before it is read.
    pub rows: Option<u64>,
    /// Top-level columns, in the file's order.
    pub columns: Vec<Column>,
    /// What the row groups' statistics say about columns of datetimes.
    pub times: Times,
}

/// A top-level column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// Arrow's type, from the logical type or the Arrow schema that the writer left; none of what is a text until
    /// it is read.
    pub data_type: Option<DataType>,
    pub nullable: bool,
}

/// Reads one footer.
///
/// # Errors
/// [`Kind::Corrupt`] if the file is not Parquet or is truncated, else what the store says.
pub async fn read(file: &SourceFile) -> Result<Footer, StorageError> {
    let metadata = metadata(file).await?;
    let corrupt = |error| StorageError::new(Kind::Corrupt, "read", &file.location, error);
    let descriptor = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(descriptor.schema_descr(), descriptor.key_value_metadata())
        .map_err(|error: ParquetError| corrupt(error.to_string()))?;
    let columns = schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        data_type: Some(field.data_type().clone()),
        nullable: field.is_nullable(),
    });
    Ok(Footer {
        location: file.location.clone(),
        size: file.size,
        rows: Some(u64::try_from(descriptor.num_rows()).map_err(|_| corrupt("its row count is negative".to_owned()))?),
        columns: columns.collect(),
        times: Times::of(&metadata, &schema),
    })
}

/// Reads many footers, a bounded number at a time; the answers are in the files' order.
///
/// # Errors
/// The first that [`read`] gives.
pub async fn read_all(files: &[SourceFile]) -> Result<Vec<Footer>, StorageError> {
    let footers: Vec<_> = files.iter().map(read).collect();
    stream::iter(footers).buffered(CONCURRENCY).try_collect().await
}

async fn metadata(file: &SourceFile) -> Result<ParquetMetaData, StorageError> {
    let corrupt = |detail: String| StorageError::new(Kind::Corrupt, "read", &file.location, detail);
    let decoder = ParquetMetaDataPushDecoder::try_new(file.size)
        .map_err(|error| corrupt(not_parquet(&error)))?
        .with_page_index_policy(PageIndexPolicy::Skip);
    let (store, path) = file.location.store()?;
    let tail = file.size.saturating_sub(TAIL_BYTES)..file.size;
    let (mut decoder, mut ranges) = (decoder, vec![tail]);
    loop {
        let buffers = store.get_ranges(&path, &ranges).await;
        let buffers = buffers.map_err(|error| StorageError::store("read", &file.location, &error))?;
        if buffers.last().is_some_and(|tail| tail.ends_with(ENCRYPTED)) {
            return Err(corrupt("it is encrypted, and keys of Parquet's own encryption are not supported".to_owned()));
        }
        let (next, decoded) = decode(decoder, ranges, buffers).await.map_err(|error| corrupt(not_parquet(&error)))?;
        match decoded {
            DecodeResult::NeedsData(more) => (decoder, ranges) = (next, more),
            DecodeResult::Data(metadata) => {
                return match sound::complaint(&metadata, file.size) {
                    None => Ok(metadata),
                    Some(complaint) => Err(corrupt(complaint)),
                };
            }
            DecodeResult::Finished => return Err(corrupt("its footer is empty".to_owned())),
        }
    }
}

/// Gives the decoder what it asked for and lets it go on. Off the async threads: it may be slow on a wide
/// file, and it may panic on a broken one, which then counts as an error.
async fn decode(
    mut decoder: ParquetMetaDataPushDecoder,
    ranges: Vec<Range<u64>>,
    buffers: Vec<Bytes>,
) -> Result<(ParquetMetaDataPushDecoder, DecodeResult<ParquetMetaData>), ParquetError> {
    let work = move || {
        decoder.push_ranges(ranges, buffers)?;
        let decoded = decoder.try_decode()?;
        Ok((decoder, decoded))
    };
    let broken = |_| ParquetError::General("its footer cannot be decoded".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

fn not_parquet(error: &ParquetError) -> String {
    format!("it is not a whole Parquet file: {error}")
}
