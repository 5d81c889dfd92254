//! The first and last moment in a column, from row-group statistics alone.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

/// Microseconds since 1970 UTC, both ends included; nanoseconds are floored. Times without a zone count as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub min_us: i64,
    pub max_us: i64,
}

#[derive(Clone, Copy)]
enum Unit {
    Days,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// The range of a top-level column over all row groups.
pub(super) fn of(metadata: &ParquetMetaData, name: &str) -> Option<TimeRange> {
    let schema = metadata.file_metadata().schema_descr();
    let is_named = |column: &ColumnDescriptor| column.path().parts() == [name];
    let index = schema.columns().iter().position(|column| is_named(column))?;
    let unit = unit(&schema.column(index))?;
    let mut range: Option<TimeRange> = None;
    for group in metadata.row_groups() {
        match in_group(group, index, unit)? {
            InGroup::Nothing => {}
            InGroup::Range(more) => {
                range = Some(range.map_or(more, |range| TimeRange {
                    min_us: range.min_us.min(more.min_us),
                    max_us: range.max_us.max(more.max_us),
                }));
            }
        }
    }
    range
}

enum InGroup {
    /// No rows, or only nulls.
    Nothing,
    Range(TimeRange),
}

/// `None` if the group has rows but says nothing. Bounds of 32- and 64-bit integers are never shortened as
/// those of strings are, so they are exact even where the writer left out the flag that says so.
fn in_group(group: &RowGroupMetaData, index: usize, unit: Unit) -> Option<InGroup> {
    if group.num_rows() == 0 {
        return Some(InGroup::Nothing);
    }
    let statistics = group.columns().get(index)?.statistics()?;
    if statistics.null_count_opt() == u64::try_from(group.num_rows()).ok() {
        return Some(InGroup::Nothing);
    }
    let (min, max) = match statistics {
        Statistics::Int32(values) => (i64::from(*values.min_opt()?), i64::from(*values.max_opt()?)),
        Statistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
        _ => return None,
    };
    let range = TimeRange { min_us: microseconds(min, unit)?, max_us: microseconds(max, unit)? };
    (range.min_us <= range.max_us).then_some(InGroup::Range(range))
}

fn microseconds(value: i64, unit: Unit) -> Option<i64> {
    match unit {
        Unit::Days => value.checked_mul(86_400_000_000),
        Unit::Milliseconds => value.checked_mul(1_000),
        Unit::Microseconds => Some(value),
        Unit::Nanoseconds => Some(value.div_euclid(1_000)),
    }
}

fn unit(column: &ColumnDescriptor) -> Option<Unit> {
    match column.logical_type_ref() {
        Some(LogicalType::Date) => Some(Unit::Days),
        Some(LogicalType::Timestamp(timestamp)) => Some(match timestamp.unit {
            TimeUnit::MILLIS => Unit::Milliseconds,
            TimeUnit::MICROS => Unit::Microseconds,
            TimeUnit::NANOS => Unit::Nanoseconds,
        }),
        Some(_) => None,
        None => match column.converted_type() {
            ConvertedType::DATE => Some(Unit::Days),
            ConvertedType::TIMESTAMP_MILLIS => Some(Unit::Milliseconds),
            ConvertedType::TIMESTAMP_MICROS => Some(Unit::Microseconds),
            _ => None,
        },
    }
}
