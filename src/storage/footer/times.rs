//! What is known about moments without reading a row: the statistics of columns of datetimes.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::Footer;

/// By column, one entry a row group; a column without them lacks statistics somewhere.
#[derive(Debug, Clone, Default)]
pub struct Times(BTreeMap<String, Vec<Group>>);

/// A column in a row group.
#[derive(Debug, Clone, Copy)]
struct Group {
    rows: u64,
    nulls: u64,
    /// Least and greatest value, in microseconds; none where all are null.
    range_us: Option<(i64, i64)>,
}

/// What is before a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows whose time is before the moment.
    pub before: u64,
    /// Rows that have no time.
    pub without: u64,
    /// The newest time before the moment, in microseconds.
    pub newest_us: Option<i64>,
}

impl Times {
    pub(super) fn of(metadata: &ParquetMetaData, schema: &Schema) -> Times {
        let fields = schema.fields().iter();
        let times = fields.filter_map(|field| match field.data_type() {
            DataType::Timestamp(unit, _) => Some((field.name().clone(), groups(metadata, field.name(), *unit)?)),
            _ => None,
        });
        Times(times.collect())
    }
}

fn groups(metadata: &ParquetMetaData, name: &str, unit: TimeUnit) -> Option<Vec<Group>> {
    let groups = metadata.row_groups().iter().map(|group| {
        let column = group.columns().iter().find(|column| column.column_path().parts() == [name])?;
        let Statistics::Int64(found) = column.statistics()? else { return None };
        let rows = u64::try_from(group.num_rows()).ok()?;
        let nulls = found.null_count_opt()?;
        let range_us = match (found.min_opt(), found.max_opt()) {
            (Some(min), Some(max)) => Some((microseconds(*min, unit)?, microseconds(*max, unit)?)),
            _ if nulls == rows => None,
            _ => return None,
        };
        (nulls <= rows && range_us.is_none_or(|(min, max)| min <= max)).then_some(Group { rows, nulls, range_us })
    });
    groups.collect()
}

/// As a scan gives them. Before 1970 a scan rounds the other way, so those are left to it.
fn microseconds(value: i64, unit: TimeUnit) -> Option<i64> {
    if value < 0 {
        return None;
    }
    match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1_000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value / 1_000),
    }
}

/// A row group in which a moment lies, so that only its rows tell what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divided {
    /// The file's place among those asked about.
    pub file: usize,
    /// Rows of the file before the group.
    pub offset: u64,
    pub rows: u64,
}

/// What files have before a moment in a column of datetimes, without the row groups in which it lies; none where a row
/// group has no statistics.
pub fn seen_before(footers: &[Footer], column: &str, moment_us: i64) -> Option<(Seen, Vec<Divided>)> {
    let (mut seen, mut divided) = (Seen::default(), Vec::new());
    for (file, footer) in footers.iter().enumerate() {
        let mut offset = 0;
        for group in footer.times.0.get(column)? {
            seen.without += group.nulls;
            match group.range_us {
                None => {}
                Some((_, max)) if max < moment_us => {
                    seen.before += group.rows - group.nulls;
                    seen.newest_us = seen.newest_us.max(Some(max));
                }
                Some((min, _)) if min >= moment_us => {}
                Some(_) => divided.push(Divided { file, offset, rows: group.rows }),
            }
            offset += group.rows;
        }
    }
    Some((seen, divided))
}
