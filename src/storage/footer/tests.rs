use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray};
use arrow::array::{TimestampMillisecondArray, TimestampNanosecondArray};
use arrow::datatypes::TimeUnit;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::storage::sources;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn two_row_groups() -> WriterProperties {
    WriterProperties::builder().set_max_row_group_row_count(Some(2)).build()
}

async fn footer(path: &Path, time: Option<&str>) -> Result<Footer, StorageError> {
    let location = Location::parse(path.to_str().unwrap(), Path::new("/"))?;
    let files = sources::list(&location).await?;
    Ok(read_all(&files, time).await?.remove(0))
}

/// 2011-12-09 12:50:00 UTC is 1,323,435,000 seconds after 1970 (`date -d '2011-12-09 12:50 UTC' +%s`).
const LAST_SECONDS: i64 = 1_323_435_000;

#[tokio::test]
async fn schema_rows_and_time_range_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Käufe 1.parquet");
    let last = LAST_SECONDS * 1_000_000_000 + 1_999;
    let nanoseconds = vec![Some(5_000), None, Some(last), Some(-1), None];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]))),
        ("at", Arc::new(TimestampNanosecondArray::from(nanoseconds))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), None, None, None, None]))),
    ];
    write(&path, columns, two_row_groups());
    let footer = footer(&path, Some("at")).await.unwrap();
    assert_eq!(footer.rows, 5);
    assert_eq!(footer.size, fs::metadata(&path).unwrap().len());
    let names: Vec<_> = footer.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "at", "name"]);
    assert_eq!(footer.columns[1].data_type, DataType::Timestamp(TimeUnit::Nanosecond, None));
    assert_eq!(footer.columns.iter().map(|c| c.nullable).collect::<Vec<_>>(), [false, true, true]);
    // The last row group holds nulls only and must not hide the others; nanoseconds are floored.
    let max_us = LAST_SECONDS * 1_000_000 + 1;
    assert_eq!(footer.time_range, Some(TimeRange { min_us: -1, max_us }));
}

#[tokio::test]
async fn dates_and_milliseconds_become_microseconds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("day", Arc::new(Date32Array::from(vec![0, 2]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![7, 1_000]))),
        ("number", Arc::new(Int32Array::from(vec![1, 2]))),
    ];
    write(&path, columns, two_row_groups());
    let range = async |name| footer(&path, Some(name)).await.unwrap().time_range;
    assert_eq!(range("day").await, Some(TimeRange { min_us: 0, max_us: 172_800_000_000 }));
    assert_eq!(range("at").await, Some(TimeRange { min_us: 7_000, max_us: 1_000_000 }));
    assert_eq!(range("number").await, None);
    assert_eq!(range("missing").await, None);
}

#[tokio::test]
async fn without_statistics_the_range_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let off = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
    let at: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![7, 1_000]));
    write(&path, vec![("at", at)], off);
    assert_eq!(footer(&path, Some("at")).await.unwrap().time_range, None);
}

#[tokio::test]
async fn a_footer_larger_than_the_first_read_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.parquet");
    let names: Vec<String> = (0..2_000).map(|n| format!("a_rather_long_column_name_{n}")).collect();
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let columns = names.iter().map(|name| (name.as_str(), Arc::clone(&column))).collect();
    write(&path, columns, two_row_groups());
    assert!(fs::metadata(&path).unwrap().len() > 2 * TAIL_BYTES);
    assert_eq!(footer(&path, None).await.unwrap().columns.len(), 2_000);
}

#[tokio::test]
async fn what_is_not_whole_is_corrupt_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let column: ArrayRef = Arc::new(Int32Array::from((0..50_000).collect::<Vec<_>>()));
    write(&path, vec![("id", column)], WriterProperties::default());
    let whole = fs::read(&path).unwrap();
    let cut = whole.len() - 20;
    let without_data = &whole[whole.len() - 2_000..];
    let mut wrong_length = whole.clone();
    wrong_length[whole.len() - 8..whole.len() - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    for bytes in [&b""[..], b"PAR1", b"hello, this is not Parquet", &whole[..cut], without_data, &wrong_length] {
        fs::write(&path, bytes).unwrap();
        let error = footer(&path, None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(error.to_string().contains("x.parquet"), "{error}");
    }
}

/// Flipped bits may go unseen, but never end the process.
#[tokio::test]
async fn a_flipped_footer_never_panics_through() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    write(&path, vec![("id", column)], two_row_groups());
    let whole = fs::read(&path).unwrap();
    for index in (0..whole.len()).rev().take(300) {
        let mut bytes = whole.clone();
        bytes[index] ^= 0xff;
        fs::write(&path, bytes).unwrap();
        if let Err(error) = footer(&path, Some("id")).await {
            assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        }
    }
}
