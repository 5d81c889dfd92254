//! Parquet files as lazy frames, and back.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::{DataType as Arrow, TimeUnit as Unit};
use chrono::DateTime;
use polars::prelude::{
    DataFrame, DataType, Engine, Expr, Field, FileWriteFormat, IntoLazy, LazyFrame, OptFlags, ParquetCompression,
    ParquetWriteOptions, PlRefPath, PolarsError, PolarsResult, ScanArgsParquet, SinkDestination, SinkTarget, TimeUnit,
    UnifiedSinkArgs, UnionArgs, col, concat, lit,
};

use super::footer::Column;
use super::{Footer, SourceFile};
use crate::table::{self, TableSchema};

/// Rows of a row group; what a reader needs in memory at once.
pub(super) const ROW_GROUP_ROWS: usize = 250_000;

/// Whether a file's column can be read as the declared type without losing anything.
pub fn compatible(found: &Arrow, declared: &DataType) -> bool {
    match declared {
        DataType::Boolean => *found == Arrow::Boolean,
        DataType::String => match found {
            Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => true,
            Arrow::Dictionary(_, values) => compatible(values, declared),
            _ => false,
        },
        DataType::Date => matches!(found, Arrow::Date32 | Arrow::Date64),
        DataType::Datetime(..) => matches!(found, Arrow::Timestamp(..)),
        DataType::Decimal(precision, scale) => match found {
            Arrow::Decimal32(p, s) | Arrow::Decimal64(p, s) | Arrow::Decimal128(p, s) => {
                usize::from(*p) <= *precision && usize::try_from(*s).is_ok_and(|s| s == *scale)
            }
            _ => false,
        },
        DataType::Float64 => matches!(found, Arrow::Float64 | Arrow::Float32),
        DataType::Float32 => *found == Arrow::Float32,
        DataType::List(inner) => match found {
            Arrow::List(field) | Arrow::LargeList(field) | Arrow::FixedSizeList(field, _) => {
                compatible(field.data_type(), inner)
            }
            _ => false,
        },
        integer => fits(found, integer),
    }
}

/// Arrow's type of values of a declared type; none of types that cannot be declared.
pub fn arrow_type(declared: &DataType) -> Option<Arrow> {
    Some(match declared {
        DataType::Boolean => Arrow::Boolean,
        DataType::String => Arrow::Utf8,
        DataType::Date => Arrow::Date32,
        DataType::Datetime(..) => Arrow::Timestamp(Unit::Microsecond, None),
        DataType::Decimal(precision, scale) => {
            Arrow::Decimal128(u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?)
        }
        DataType::Float32 => Arrow::Float32,
        DataType::Float64 => Arrow::Float64,
        DataType::Int8 => Arrow::Int8,
        DataType::Int16 => Arrow::Int16,
        DataType::Int32 => Arrow::Int32,
        DataType::Int64 => Arrow::Int64,
        DataType::UInt8 => Arrow::UInt8,
        DataType::UInt16 => Arrow::UInt16,
        DataType::UInt32 => Arrow::UInt32,
        DataType::UInt64 => Arrow::UInt64,
        DataType::List(inner) => Arrow::new_list(arrow_type(inner)?, true),
        _ => return None,
    })
}

/// Whether a reader gives a column as it is declared, so that nothing has to be done to it.
fn is_as_declared(found: &Column, declared: &DataType) -> bool {
    matches!(
        (found.data_type.as_ref(), declared),
        (Some(Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View), DataType::String)
            | (Some(Arrow::Boolean), DataType::Boolean)
            | (Some(Arrow::Date32), DataType::Date)
            | (Some(Arrow::Timestamp(Unit::Microsecond, None)), DataType::Datetime(TimeUnit::Microseconds, None))
            | (Some(Arrow::Int8), DataType::Int8)
            | (Some(Arrow::Int16), DataType::Int16)
            | (Some(Arrow::Int32), DataType::Int32)
            | (Some(Arrow::Int64), DataType::Int64)
            | (Some(Arrow::UInt8), DataType::UInt8)
            | (Some(Arrow::UInt16), DataType::UInt16)
            | (Some(Arrow::UInt32), DataType::UInt32)
            | (Some(Arrow::UInt64), DataType::UInt64)
            | (Some(Arrow::Float32), DataType::Float32)
            | (Some(Arrow::Float64), DataType::Float64)
    )
}

/// Whether every value of an integer type is one of the declared type.
fn fits(found: &Arrow, declared: &DataType) -> bool {
    let bits = |signed: bool, width: u32| (signed, width);
    let found = match found {
        Arrow::Int8 => bits(true, 8),
        Arrow::Int16 => bits(true, 16),
        Arrow::Int32 => bits(true, 32),
        Arrow::Int64 => bits(true, 64),
        Arrow::UInt8 => bits(false, 8),
        Arrow::UInt16 => bits(false, 16),
        Arrow::UInt32 => bits(false, 32),
        Arrow::UInt64 => bits(false, 64),
        _ => return false,
    };
    let declared = match declared {
        DataType::Int8 => bits(true, 8),
        DataType::Int16 => bits(true, 16),
        DataType::Int32 => bits(true, 32),
        DataType::Int64 => bits(true, 64),
        DataType::UInt8 => bits(false, 8),
        DataType::UInt16 => bits(false, 16),
        DataType::UInt32 => bits(false, 32),
        DataType::UInt64 => bits(false, 64),
        _ => return false,
    };
    match (found.0, declared.0) {
        (true, false) => false,
        (false, true) => found.1 < declared.1,
        _ => found.1 <= declared.1,
    }
}

/// The declared columns of the files, in the declared types and order; datetimes in microseconds, UTC.
pub fn scan(files: &[SourceFile], footers: &[Footer], schema: &TableSchema) -> PolarsResult<LazyFrame> {
    let mut frames = Vec::with_capacity(files.len());
    for (file, footer) in files.iter().zip(footers) {
        let in_file = |name: &str| footer.columns.iter().find(|column| column.name == name);
        let columns: Vec<Expr> = schema
            .columns
            .iter()
            .map(|column| {
                let name = column.name.as_str();
                if in_file(name).is_some_and(|found| is_as_declared(found, &column.dtype)) {
                    // As it is: what a query asks of such a column reaches the reader, which leaves out row groups.
                    return col(name);
                }
                let partition = file.partitions.iter().find(|(key, _)| key == name);
                let value = match partition {
                    Some((_, value)) if in_file(name).is_none() => match value {
                        Some(value) => lit(value.clone()),
                        None => lit(polars::prelude::NULL),
                    },
                    _ if in_file(name).is_some_and(is_coarse) => microseconds(col(name)),
                    _ => col(name),
                };
                normalized(value, &column.dtype).alias(name)
            })
            .collect();
        frames.push(whole(file)?.select(columns));
    }
    match frames.len() {
        1 => frames.pop().map_or_else(|| Ok(empty(schema)), Ok),
        0 => Ok(empty(schema)),
        _ => concat(frames, UnionArgs { rechunk: false, ..UnionArgs::default() }),
    }
}

/// A Parquet file as it is.
fn whole(file: &SourceFile) -> PolarsResult<LazyFrame> {
    let path = file.location.scanned().map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
    LazyFrame::scan_parquet(PlRefPath::new(path), arguments())
}

/// Reads a file to its end: how many values of each column are not of the declared type, in the schema's order.
pub fn unread(file: &SourceFile, footer: &Footer, schema: &TableSchema) -> PolarsResult<Vec<u64>> {
    let frame = whole(file)?;
    let there = |name: &str| footer.columns.iter().any(|column| column.name == name);
    let columns: Vec<_> = schema.columns.iter().filter(|column| there(&column.name)).collect();
    let lost = columns.iter().map(|column| {
        let value = col(column.name.as_str());
        let read = value.clone().cast(column.dtype.clone());
        (read.is_null().and(value.is_not_null())).sum().cast(DataType::UInt64)
    });
    let counts = frame.clone().select(lost.collect::<Vec<_>>()).collect_with_engine(Engine::Streaming)?.unwrap_single();
    for column in &columns {
        filtered(&frame, &columns, column)?;
    }
    let count = |name: &str| counts.column(name).ok().and_then(|column| column.u64().ok()?.get(0)).unwrap_or(0);
    Ok(schema.columns.iter().map(|column| if there(&column.name) { count(&column.name) } else { 0 }).collect())
}

/// Reads the columns by a filter on one of them. A reader that filters goes another way than one that takes every row:
/// it looks at the statistics of row groups, and reads the filter's column before the others.
fn filtered(frame: &LazyFrame, columns: &[&table::Column], by: &table::Column) -> PolarsResult<()> {
    let value = || col(by.name.as_str());
    let keeps = match &by.dtype {
        DataType::String => value().gt_eq(lit("")),
        number if number.is_primitive_numeric() => value().gt_eq(lit(0)).or(value().lt(lit(0))),
        DataType::Date | DataType::Datetime(..) => {
            let epoch = lit(DateTime::UNIX_EPOCH.naive_utc());
            value().gt_eq(epoch.clone()).or(value().lt(epoch))
        }
        _ => value().is_not_null(),
    };
    let read = columns.iter().map(|column| col(column.name.as_str()).is_null().sum());
    frame.clone().filter(keeps).select(read.collect::<Vec<_>>()).collect_with_engine(Engine::Streaming)?;
    Ok(())
}

fn empty(schema: &TableSchema) -> LazyFrame {
    polars::prelude::DataFrame::empty_with_schema(&schema.to_polars()).lazy()
}

fn arguments() -> ScanArgsParquet {
    ScanArgsParquet { glob: false, ..ScanArgsParquet::default() }
}

/// Whether the value of a `key=value` directory is one of the declared type.
pub fn readable(value: &str, dtype: &DataType) -> bool {
    let frame = DataFrame::empty_with_height(1).lazy().select([normalized(lit(value), dtype)]);
    frame.collect().is_ok()
}

/// Whether a column has moments in a unit that reaches further than microseconds do.
fn is_coarse(column: &Column) -> bool {
    matches!(column.data_type, Some(Arrow::Timestamp(Unit::Second | Unit::Millisecond, _)))
}

/// Moments in microseconds. What lies beyond those is an error, where a cast gives null, even a strict one.
fn microseconds(value: Expr) -> Expr {
    const MICROSECONDS: DataType = DataType::Datetime(TimeUnit::Microseconds, None);
    let cast = |moments: polars::prelude::Column| {
        let cast = moments.cast(&MICROSECONDS)?;
        if cast.null_count() > moments.null_count() {
            return Err(PolarsError::ComputeError("a datetime lies beyond what microseconds reach".into()));
        }
        Ok(cast)
    };
    value.map(cast, |_, field| Ok(Field::new(field.name().clone(), MICROSECONDS)))
}

fn normalized(value: Expr, dtype: &DataType) -> Expr {
    match dtype {
        DataType::Datetime(..) => value.strict_cast(DataType::Datetime(TimeUnit::Microseconds, None)),
        other => value.strict_cast(other.clone()),
    }
}

/// A table that this program wrote.
pub fn read_parquet(path: &Path) -> PolarsResult<LazyFrame> {
    LazyFrame::scan_parquet(PlRefPath::new(path.to_string_lossy()), arguments())
}

/// Rows that have passed so far; clones count together.
#[derive(Debug, Clone, Default)]
pub struct RowCounter(Arc<AtomicU64>);

impl RowCounter {
    pub fn add(&self, rows: u64) {
        self.0.fetch_add(rows, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same frame, whose rows are counted as they pass: batch by batch where it is streamed.
///
/// Put it where every column is needed anyway: what is above it tells nothing to what is below.
pub fn counted(frame: LazyFrame, counter: &RowCounter) -> LazyFrame {
    let counter = counter.clone();
    let count = move |rows: DataFrame| {
        counter.add(rows.height() as u64);
        Ok(rows)
    };
    frame.map(count, OptFlags::STREAMING, None, Some("count rows"))
}

/// [`write_parquet`], counting the rows that are on their way into the file.
pub fn write_parquet_counted(frame: LazyFrame, path: &Path, counter: &RowCounter) -> PolarsResult<u64> {
    write_parquet(counted(frame, counter), path)
}

/// Streams a frame into a Parquet file, compressed with zstd; returns the number of rows.
///
/// Rows keep their order, and the bytes depend on them alone.
pub fn write_parquet(frame: LazyFrame, path: &Path) -> PolarsResult<u64> {
    write(frame, path, ParquetCompression::Zstd(None))
}

/// How tables between stages are compressed: they are written once and read a few times. Transactions
/// take less than half of the time to read back than with zstd and three quarters to write, in
/// files that are larger by 60 %.
pub(super) const BETWEEN_STAGES: ParquetCompression = ParquetCompression::Lz4Raw;

/// Streams a table between stages into a Parquet file, like [`write_parquet`].
pub fn write_table(frame: LazyFrame, path: &Path) -> PolarsResult<u64> {
    write(frame, path, BETWEEN_STAGES)
}

fn write(frame: LazyFrame, path: &Path, compression: ParquetCompression) -> PolarsResult<u64> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let options =
        ParquetWriteOptions { compression, row_group_size: Some(ROW_GROUP_ROWS), ..ParquetWriteOptions::default() };
    let target = SinkDestination::File { target: SinkTarget::Path(PlRefPath::new(path.to_string_lossy())) };
    let arguments = UnifiedSinkArgs { maintain_order: true, ..UnifiedSinkArgs::default() };
    frame
        .sink(target, FileWriteFormat::Parquet(Arc::new(options)), arguments)?
        .collect_with_engine(Engine::Streaming)
        .map_err(|error| disk_error(error, path))?;
    rows(path)
}

/// What a footer that cannot be written becomes below polars' Parquet writer. A page that cannot be read is called the
/// same.
const TRANSPORT: &str = "transport error";

/// An error as the disk gives it, where that is what it comes from: a full one refuses again. Any other stays as it is.
fn disk_error(error: PolarsError, path: &Path) -> PolarsError {
    if !error.to_string().contains(TRANSPORT) {
        return error;
    }
    let refused = std::fs::File::options().append(true).open(path).and_then(|mut file| {
        file.write_all(&[0; 64 * 1024])?;
        file.sync_data()
    });
    refused.map_or_else(PolarsError::from, |()| error)
}

/// The number of rows that a Parquet file says it has.
fn rows(path: &Path) -> PolarsResult<u64> {
    let file = std::fs::File::open(path)?;
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
    Ok(metadata.file_metadata().num_rows().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Linux has a file that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_footer_that_a_full_disk_refuses_is_told_as_that() {
        let broken = || PolarsError::ComputeError("parquet: Invalid thrift: transport error".into());
        let full = disk_error(broken(), Path::new("/dev/full"));
        assert!(
            matches!(&full, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::StorageFull),
            "{full:?}"
        );
        // The disk takes it, so it was a page that could not be read.
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(disk_error(broken(), file.path()), PolarsError::ComputeError(_)));
        let other = disk_error(PolarsError::ComputeError("a division".into()), Path::new("/dev/full"));
        assert!(matches!(other, PolarsError::ComputeError(_)));
    }
}
